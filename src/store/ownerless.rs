//! Records whose owner is gone.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Counts, StoreError, Tally};
use crate::anonymise::Seed;
use crate::customer::Cursor;
use crate::data_map::ClassName;
use crate::treatment::{Ownerless, Treatment};

/// A request about records whose owner is gone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OwnerlessRequest {
    /// Which records count as ownerless, by class.
    pub classes: BTreeMap<ClassName, Ownerless>,
    /// What is done with the records. The treatment keeps all other classes.
    pub treatment: Arc<Treatment>,
    /// The instant.
    pub at: DateTime<Utc>,
}

impl OwnerlessRequest {
    /// A request about the ownerless records of some classes, under a treatment dated at an instant.
    pub fn new(
        classes: BTreeMap<ClassName, Ownerless>,
        treatment: Arc<Treatment>,
        at: DateTime<Utc>,
    ) -> Self {
        Self { classes, treatment, at }
    }
}

/// The result of erasing a part of the ownerless records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnerlessErased {
    /// Records that were deleted or written to.
    pub counts: Counts,
    /// Records that the store refused to treat, by the reason. They are skipped, so that one record does not stop the
    /// others.
    pub refused: BTreeMap<String, u64>,
    /// The cursor for the next part. `None` after the last part.
    pub next: Option<Cursor>,
}

/// A store that can find records without an owner. Their customer, or the record to which they belong, was deleted by
/// another program.
///
/// No customer leads to such records, so nothing else finds them. The link is checked in the same transaction as the
/// writes: a record whose customer exists again is not touched.
#[async_trait]
pub trait OwnerlessRecords: Debug + Send + Sync + 'static {
    /// Counts ownerless records, per class: all of them, the records to which the treatment would still do something,
    /// and the records that duties keep.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`StoreError`].
    async fn count_ownerless(&self, request: &OwnerlessRequest) -> Result<Tally, StoreError>;

    /// Treats some ownerless records in one transaction of bounded size: the first ones, or those after a cursor.
    /// Continue from the cursor in the answer, so that no record is processed twice, whatever its result.
    ///
    /// **Idempotency:** what is erased already stays as it is. **Partial failure:** an error means that nothing of
    /// this part was done. **Cancel safety:** dropping the future leaves the part undone or done; repeat the request.
    /// **Errors:** [`StoreError`].
    async fn erase_ownerless(
        &self,
        request: &OwnerlessRequest,
        seed: &Seed,
        after: Option<&Cursor>,
    ) -> Result<OwnerlessErased, StoreError>;
}

macro_rules! forward_ownerless {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: OwnerlessRecords + ?Sized> OwnerlessRecords for $pointer<T> {
            async fn count_ownerless(&self, request: &OwnerlessRequest) -> Result<Tally, StoreError> {
                (**self).count_ownerless(request).await
            }

            async fn erase_ownerless(
                &self,
                request: &OwnerlessRequest,
                seed: &Seed,
                after: Option<&Cursor>,
            ) -> Result<OwnerlessErased, StoreError> {
                (**self).erase_ownerless(request, seed, after).await
            }
        }
    )*};
}

forward_ownerless!(Arc, Box);
