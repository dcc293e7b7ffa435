//! The ports of the store. Each method takes a connection of the pool.

use std::sync::Arc;

use async_trait::async_trait;

use super::{PostgresStore, scrub};
use crate::anonymise::Seed;
use crate::customer::{Customer, CustomerId, Identifiers};
use crate::data_map::{ClassName, DataMap, FieldName};
use crate::digest::Digest;
use crate::request::RequestId;
use crate::store::by_record::fits;
use crate::store::sql::{Count, NoTable, Work, values};
use crate::store::{
    Batch, Census, CensusRequest, Cursor, CustomerStore, Deactivated, Deactivation, EraseRequest, Erased,
    Inbox, InboxRow, KeepsMark, ListUncertain, Mark, OwnerlessErased, OwnerlessRecords, OwnerlessRequest,
    Page, PageRequest, Reactivated, Reactivation, ReadRecords, ReadRequest, RecordPage, RecordStore,
    RegistrationPage, Scrub, StoreError, TakeCensus, Tally, TallyRequest, UncertainMention,
};

#[async_trait]
impl ListUncertain for PostgresStore {
    async fn list_uncertain(
        &self,
        request: &TallyRequest,
    ) -> Result<Batch<Vec<UncertainMention>>, StoreError> {
        fits(&request.treatment, self.data_map())?;
        let request = request.clone();
        self.call("listing mentions", move |frame, session| {
            let day = request.day();
            frame.list_uncertain(session, &request.customers, &request.treatment, day)
        })
        .await
    }
}

#[async_trait]
impl RecordStore for PostgresStore {
    fn data_map(&self) -> &DataMap {
        &self.frame.bound.data_map
    }

    fn takes_census(&self) -> Option<&dyn TakeCensus> {
        Some(self)
    }

    fn looks_for_leftovers(&self) -> bool {
        true
    }

    async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError> {
        fits(&request.treatment, self.data_map())?;
        let request = request.clone();
        self.call("counting records", move |frame, session| {
            let day = request.day();
            let mut answers = Vec::with_capacity(request.customers.len());
            let count = Count { treatment: &request.treatment, day, held: &request.held };
            frame
                .knowing(&request.known, || frame.tally(session, &request.customers, count, &mut answers))?;
            Ok(answers)
        })
        .await
    }

    async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError> {
        fits(&request.treatment, self.data_map())?;
        let request = request.clone();
        self.call("erasing records", move |frame, session| {
            let work = Work {
                script: frame.script(&request.treatment),
                treatment: Arc::clone(&request.treatment),
                seed: request.seed.clone(),
                at: request.at,
                held: Arc::clone(&request.held),
            };
            let mut answers = Vec::with_capacity(request.targets.len());
            let erased =
                frame.knowing(&request.known, || frame.erase(session, &request.targets, &work, &mut answers));
            match erased {
                // The customers with an answer are committed. The others count as not tried.
                Err(trouble) if answers.is_empty() => Err(trouble),
                Ok(()) | Err(_) => Ok(answers),
            }
        })
        .await
    }
}

#[async_trait]
impl ReadRecords for PostgresStore {
    async fn read_records(&self, request: &ReadRequest) -> Result<RecordPage, StoreError> {
        let request = request.clone();
        self.call("reading records", move |frame, session| {
            frame.knowing(&request.known, || frame.read_records(session, &request))
        })
        .await?
    }

    fn finds_by(&self, class: &ClassName, field: &FieldName) -> bool {
        self.frame.finds_by(class, field)
    }
}

#[async_trait]
impl CustomerStore for PostgresStore {
    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        let customers = customers.to_vec();
        self.call("reading customers", move |frame, session| frame.facts_of(session, &customers)).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        let request = request.clone();
        self.call("reading customers", move |frame, session| frame.page(session, &request)).await
    }

    async fn registrations(&self, request: &PageRequest) -> Result<RegistrationPage, StoreError> {
        let request = request.clone();
        self.call("reading customers", move |frame, session| frame.registrations(session, &request)).await
    }

    async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError> {
        let customers = customers.to_vec();
        self.call("reading identifiers", move |frame, session| frame.identifiers(session, &customers)).await
    }

    async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError> {
        let batch = batch.to_vec();
        self.call("deactivating customers", move |frame, session| {
            let mut answers = Vec::with_capacity(batch.len());
            match frame.deactivate(session, &batch, &mut answers) {
                Err(trouble) if answers.is_empty() => Err(trouble),
                Ok(()) | Err(_) => Ok(answers),
            }
        })
        .await
    }

    async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError> {
        let batch = batch.to_vec();
        self.call("reactivating customers", move |frame, session| frame.reactivate(session, &batch)).await
    }
}

#[async_trait]
impl Scrub for PostgresStore {
    async fn scrub(&self) -> Result<(), StoreError> {
        self.call("scrubbing the database's files", |frame, session| scrub::scrub(session, &frame.bound))
            .await
    }
}

#[async_trait]
impl TakeCensus for PostgresStore {
    async fn census(&self, request: &CensusRequest) -> Result<Census, StoreError> {
        let request = request.clone();
        self.call("taking a census", move |frame, session| frame.census(session, &request)).await
    }

    async fn schema(&self) -> Result<Digest, StoreError> {
        self.call("comparing the schema", |frame, session| {
            frame.same_schema(session)?;
            Ok(frame.watch.digest())
        })
        .await
    }

    fn database(&self) -> Option<Digest> {
        self.frame.watch.database
    }
}

#[async_trait]
impl KeepsMark for PostgresStore {
    async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        let doing = "reading the mark of the ledger";
        let mark = self.call(doing, |frame, session| frame.ledger_mark(session)).await?;
        mark.map_err(|NoTable| StoreError::NoMarkTable { doing })
    }

    async fn raise_mark(&self, from: u64, to: Mark) -> Result<bool, StoreError> {
        let doing = "raising the mark of the ledger";
        let raised =
            self.call(doing, move |frame, session| frame.raise_ledger_mark(session, from, to)).await?;
        raised.map_err(|NoTable| StoreError::NoMarkTable { doing })
    }
}

#[async_trait]
impl Inbox for PostgresStore {
    async fn read_inbox(&self, after: Option<&RequestId>, limit: usize) -> Result<Vec<InboxRow>, StoreError> {
        let doing = "reading the inbox";
        let after = after.map(|id| id.as_str().to_owned()).unwrap_or_default();
        let rows = self.call(doing, move |frame, session| frame.inbox(session, &after, limit)).await?;
        rows.map_err(|NoTable| StoreError::NoInboxTable { doing })
    }

    async fn clear_inbox(&self, rows: &[RequestId]) -> Result<(), StoreError> {
        let rows = rows.to_vec();
        self.call("clearing the inbox", move |frame, session| frame.clear_inbox(session, &rows)).await
    }
}

#[async_trait]
impl OwnerlessRecords for PostgresStore {
    async fn count_ownerless(&self, request: &OwnerlessRequest) -> Result<Tally, StoreError> {
        let (nobodys, at) = (self.frame.ownerless(request)?, request.at);
        self.call("counting records without an owner", move |frame, session| {
            let counted = frame.count_ownerless(session, &nobodys, at);
            values::set(&frame.bench, None);
            counted
        })
        .await
    }

    async fn erase_ownerless(
        &self,
        request: &OwnerlessRequest,
        seed: &Seed,
        after: Option<&Cursor>,
    ) -> Result<OwnerlessErased, StoreError> {
        let nobodys = self.frame.ownerless(request)?;
        let work = Work {
            treatment: Arc::clone(&request.treatment),
            script: Arc::clone(&nobodys.script),
            seed: seed.clone(),
            at: request.at,
            held: Arc::default(),
        };
        let after = after.cloned();
        self.call("erasing records without an owner", move |frame, session| {
            let erased = frame.erase_ownerless(session, &nobodys, &work, after.as_ref());
            values::set(&frame.bench, None);
            erased
        })
        .await
    }
}
