//! Mentions that are not certain, row by row, so that a person can look at each before the customer is erased.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Serialize, Serializer};

use super::{Batch, StoreError, TallyRequest};
use crate::data_map::{ClassName, FieldName, RecordKey};

/// Mentions in one text that may mean the customer and are not certain. They are not replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UncertainMention {
    /// The class of the record.
    pub class: ClassName,
    /// The record's key. It is the host's own, and may be personal: a list of these is for whoever asked for it.
    #[serde(serialize_with = "spelled")]
    pub key: RecordKey,
    /// The field.
    pub field: FieldName,
    /// How many there are in it.
    pub mentions: u64,
}

fn spelled<S: Serializer>(key: &RecordKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.as_str())
}

/// A small port of its own: a store that can list the [mentions](crate::store::Uncertain) that a tally counts.
///
/// It is asked before an erasure. Afterwards the values are gone by which a mention is found.
#[async_trait]
pub trait ListUncertain: Debug + Send + Sync + 'static {
    /// For each customer, by class and key, the mentions that the treatment would leave because they are not certain.
    ///
    /// **Idempotency:** reads only. **Partial failure:** per customer; one that does not exist has none.
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
