//! Injects faults into calls to a store.

use async_trait::async_trait;

use super::{Fault, Faulty, said};
use crate::customer::{Customer, CustomerId, Identifiers};
use crate::data_map::{ClassName, DataMap, FieldName};
use crate::request::RequestId;
use crate::store::{
    Batch, CustomerStore, Deactivated, Deactivation, EraseRequest, Erased, Inbox, InboxRow, Page,
    PageRequest, Reactivated, Reactivation, ReadRecords, ReadRequest, RecordPage, RecordStore,
    RegistrationPage, StoreError, TakeCensus, Tally, TallyRequest,
};

pub(super) fn lost(doing: &'static str) -> impl Fn(Fault) -> StoreError {
    move |fault| StoreError::Unavailable { doing, what: said(fault).to_owned() }
}

#[async_trait]
impl<T: RecordStore> RecordStore for Faulty<T> {
    fn data_map(&self) -> &DataMap {
        self.inner.data_map()
    }

    fn takes_census(&self) -> Option<&dyn TakeCensus> {
        self.inner.takes_census()
    }

    fn looks_for_leftovers(&self) -> bool {
        self.inner.looks_for_leftovers()
    }

    async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError> {
        self.call("tally", self.inner.tally(request), lost("counting records")).await
    }

    async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError> {
        self.call("erase", self.inner.erase(request), lost("erasing records")).await
    }
}

#[async_trait]
impl<T: ReadRecords> ReadRecords for Faulty<T> {
    async fn read_records(&self, request: &ReadRequest) -> Result<RecordPage, StoreError> {
        self.call("read_records", self.inner.read_records(request), lost("reading records")).await
    }

    fn finds_by(&self, class: &ClassName, field: &FieldName) -> bool {
        self.inner.finds_by(class, field)
    }
}

#[async_trait]
impl<T: CustomerStore> CustomerStore for Faulty<T> {
    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        self.call("facts", self.inner.facts(customers), lost("reading customers")).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        self.call("page", self.inner.page(request), lost("reading customers")).await
    }

    async fn registrations(&self, request: &PageRequest) -> Result<RegistrationPage, StoreError> {
        self.call("registrations", self.inner.registrations(request), lost("reading customers")).await
    }

    async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError> {
        self.call("identifiers", self.inner.identifiers(customers), lost("reading identifiers")).await
    }

    async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError> {
        self.call("deactivate", self.inner.deactivate(batch), lost("deactivating customers")).await
    }

    async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError> {
        self.call("reactivate", self.inner.reactivate(batch), lost("reactivating customers")).await
    }
}

#[async_trait]
impl<T: Inbox> Inbox for Faulty<T> {
    async fn read_inbox(&self, after: Option<&RequestId>, limit: usize) -> Result<Vec<InboxRow>, StoreError> {
        self.call("read_inbox", self.inner.read_inbox(after, limit), lost("reading the inbox")).await
    }

    async fn clear_inbox(&self, rows: &[RequestId]) -> Result<(), StoreError> {
        self.call("clear_inbox", self.inner.clear_inbox(rows), lost("clearing the inbox")).await
    }
}
