//! Databases beside the root store.

use async_trait::async_trait;

use super::{
    Batch, EraseRequest, Erased, ReadRecords, ReadRequest, RecordPage, RecordStore, Scrub, StoreError,
    TakeCensus, Tally, TallyRequest,
};
use crate::data_map::{ClassName, DataMap, FieldName};

/// A database that holds records of customers, and does not say who the customers are. Its map has `[beside]` in place of
/// `[customers]`. It is a part of a [`WithStores`](super::WithStores), and never a root store.
#[derive(Debug)]
pub struct Beside<S>(S);

impl<S> Beside<S> {
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "postgres")),
        allow(dead_code, reason = "only stores over SQL use it")
    )]
    pub(crate) fn new(store: S) -> Self {
        Self(store)
    }
}

#[async_trait]
impl<S: RecordStore> RecordStore for Beside<S> {
    fn data_map(&self) -> &DataMap {
        self.0.data_map()
    }

    fn takes_census(&self) -> Option<&dyn TakeCensus> {
        self.0.takes_census()
    }

    fn looks_for_leftovers(&self) -> bool {
        self.0.looks_for_leftovers()
    }

    async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError> {
        self.0.tally(request).await
    }

    async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError> {
        self.0.erase(request).await
    }
}

#[async_trait]
impl<S: ReadRecords> ReadRecords for Beside<S> {
    async fn read_records(&self, request: &ReadRequest) -> Result<RecordPage, StoreError> {
        self.0.read_records(request).await
    }

    fn finds_by(&self, class: &ClassName, field: &FieldName) -> bool {
        self.0.finds_by(class, field)
    }
}

#[async_trait]
impl<S: Scrub> Scrub for Beside<S> {
    async fn scrub(&self) -> Result<(), StoreError> {
        self.0.scrub().await
    }
}
