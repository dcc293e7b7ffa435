//! Uncertain mentions, row by row, so that a person can look at each before the customer is erased.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Serialize, Serializer};

use super::{Batch, StoreError, TallyRequest};
use crate::data_map::{ClassName, FieldName, RecordKey};

/// Uncertain mentions in one text. They may mean the customer. They are not replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UncertainMention {
    /// The class of the record.
    pub class: ClassName,
    /// The record's key. It is the host's own key and may be personal: show the list only to the person who asked for
    /// it.
    #[serde(serialize_with = "spelled")]
    pub key: RecordKey,
    /// The field.
    pub field: FieldName,
    /// The number of mentions in the field.
    pub mentions: u64,
}

fn spelled<S: Serializer>(key: &RecordKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.as_str())
}

/// A store that can list the [mentions](crate::store::Uncertain) that a tally counts.
///
/// Ask before an erasure. Afterwards the values by which a mention is found are gone.
#[async_trait]
pub trait ListUncertain: Debug + Send + Sync + 'static {
    /// For each customer, the uncertain mentions that the treatment would leave, by class and key.
    ///
    /// **Idempotency:** reads only. **Partial failure:** per customer; a customer who does not exist has no mentions.
    /// **Cancel safety:** safe. **Errors:** [`StoreError`].
    async fn list_uncertain(
        &self,
        request: &TallyRequest,
    ) -> Result<Batch<Vec<UncertainMention>>, StoreError>;
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: ListUncertain + ?Sized> ListUncertain for $pointer<T> {
            async fn list_uncertain(
                &self,
                request: &TallyRequest,
            ) -> Result<Batch<Vec<UncertainMention>>, StoreError> {
                (**self).list_uncertain(request).await
            }
        }
    )*};
}

forward!(Arc, Box);
