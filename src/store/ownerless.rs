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
    /// By class, which of its records count.
    pub classes: BTreeMap<ClassName, Ownerless>,
    /// What is done to them. It does nothing to other classes.
    pub treatment: Arc<Treatment>,
    /// The instant.
    pub at: DateTime<Utc>,
}

impl OwnerlessRequest {
    /// A request about the records of some classes, under a treatment as it stands at an instant.
    pub fn new(
        classes: BTreeMap<ClassName, Ownerless>,
        treatment: Arc<Treatment>,
        at: DateTime<Utc>,
    ) -> Self {
        Self { classes, treatment, at }
    }
}

/// What came of erasing a part of the records whose owner is gone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnerlessErased {
    /// Records that went, or were written to.
    pub counts: Counts,
    /// Records that the store refused to treat, by the reason. They are passed over, so that one stops no others.
    pub refused: BTreeMap<String, u64>,
    /// From where it goes on; none once all were looked at.
    pub next: Option<Cursor>,
}

/// A small port of its own: a store that can tell which records have no owner any more, because their customer was deleted
/// by other hands, or what they hang from was.
///
/// No customer leads to such records, so nothing else finds them. The link is looked at in the same transaction as the
/// writes: a record whose customer is back by then is left alone.
#[async_trait]
pub trait OwnerlessRecords: Debug + Send + Sync + 'static {
    /// Counts them, per class: all of them, those to which the treatment would still do something, and those that duties
    /// keep.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`StoreError`].
    async fn count_ownerless(&self, request: &OwnerlessRequest) -> Result<Tally, StoreError>;

    /// Treats some of them, in one transaction of bounded size: the first ones, or those after a place. Whoever asks goes on
    /// from where the answer says, so that no record is looked at twice, whatever became of it.
    ///
    /// **Idempotency:** what is erased already stays as it is. **Partial failure:** an error means that nothing of this
    /// part was done. **Cancel safety:** dropping the future leaves the part undone or done; ask again.
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
