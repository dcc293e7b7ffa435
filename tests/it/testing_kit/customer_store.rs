//! The customer stores of this crate and of the example, and one saboteur per law.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use relinquish::customer::{FormerStatus, Identifiers, Status};
use relinquish::data_map::{Kind, Record, Value};
use relinquish::store::{
    Batch, Deactivated, Deactivation, EraseRequest, Erased, MemoryRepository, Page, PageRequest, Reactivated,
    Reactivation, RegistrationPage, StoreError, TakeCensus, Tally, TallyRequest,
};
use relinquish::testing::{self, Broken, Law, Stocked};
use relinquish::{
    ByRecord, Customer, CustomerId, CustomerStore, DataMap, PolicyDocument, RecordStore, SqlMap, SqliteStore,
};
use rusqlite::Connection;

use super::assert_caught;
use crate::hosts;

/// Three customers in memory.
pub(super) fn repository() -> Arc<MemoryRepository> {
    let repository = Arc::new(MemoryRepository::new(hosts::memory_map()));
    for (id, name, active) in [("1", "maud", false), ("2", "theo", true), ("3", "ines", false)] {
        let (customer, records) = hosts::memory_customer(id, name, active);
        repository.insert(customer, records);
    }
    repository
}

/// Every record of a customer's.
pub(super) fn rows(repository: &MemoryRepository, customer: &CustomerId) -> BTreeMap<String, String> {
    let text = |record: &Record| {
        let fields = record
            .fields
            .iter()
            .map(|(name, value)| format!("{name}={}", serde_json::to_string(value).unwrap()));
        fields.collect::<Vec<_>>().join("|")
    };
    let records = repository.records(customer).into_iter();
    records.map(|record| (format!("{}/{}", record.class, record.key.as_str()), text(&record))).collect()
}

/// A record that the map does not know.
pub(super) fn spoil(repository: &MemoryRepository, facts: Customer) {
    let mut records = repository.records(&facts.id);
    records.push(Record::new("note", "1").with("text", "maud was here"));
    repository.insert(facts, records);
}

/// A store over customers in memory, with all actions that a test needs.
pub(super) fn stocked<S>(repository: &Arc<MemoryRepository>, adapter: S) -> Stocked<S> {
    let (read, spoilt) = (Arc::clone(repository), Arc::clone(repository));
    Stocked::new(adapter, PolicyDocument::from_toml(hosts::MEMORY_POLICY).unwrap())
        .rows(move |customer| rows(&read, customer))
        .spoil(move |customer| spoil(&spoilt, hosts::memory_customer(customer.as_str(), "theo", true).0))
}

#[tokio::test]
async fn memory() {
    let fresh = || async {
        let repository = repository();
        stocked(&repository, ByRecord::new(Arc::clone(&repository)))
    };
    testing::customer_store(fresh).await.unwrap();
}

/// This store never archives a customer, and the map says so.
#[tokio::test]
async fn a_store_without_a_status_is_not_failed_for_it() {
    use relinquish::data_map::{Fact, Field, RecordClass};
    let fresh = || async {
        let class = RecordClass::new("customer")
            .field(Field::key("id").token_part())
            .field(Field::personal("name", Kind::Name));
        let map =
            DataMap::builder(class).knows(Fact::Tenants).without_deactivation("there is no such status");
        let repository = MemoryRepository::new(map.build().unwrap());
        for id in ["1", "2"] {
            repository
                .insert(Customer::new(id, "us"), vec![Record::new("customer", id).with("name", "maud")]);
        }
        let policy = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
            guards.active_subscription = { ignore = 'none is sold' }\nguards.not_archived = { ignore = 'no status' }\n\
            anonymise.name = 'remove'\ntreatments.t.customer = 'delete'";
        Stocked::new(ByRecord::new(repository), PolicyDocument::from_toml(policy).unwrap())
    };
    testing::customer_store(fresh).await.unwrap();
}

/// The rows of a client in the CRM, found by the client's key if there is one.
fn crm_rows(path: &std::path::Path, customer: &CustomerId) -> BTreeMap<String, String> {
    let connection = Connection::open(path).unwrap();
    let mut rows = BTreeMap::new();
    for (table, key) in [
        ("clients", "id"),
        ("delivery_addresses", "client_id"),
        ("contacts", "client_id"),
        ("orders", "client_id"),
        ("invoices", "client_id"),
        ("call_records", "client_id"),
        ("activity_log", "client_id"),
    ] {
        let mut read = connection.prepare(&format!("SELECT rowid, * FROM {table} WHERE {key} = ?1")).unwrap();
        let width = read.column_count();
        let mut found = read.query([customer.as_str()]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let values: Vec<_> = (1..width).map(|n| format!("{:?}", row.get_ref(n).unwrap())).collect();
            rows.insert(format!("{table}/{}", row.get::<_, i64>(0).unwrap()), values.join("|"));
        }
    }
    rows
}

#[tokio::test]
async fn sqlite() {
    // One client may be named in a separate table. Then the database refuses this client.
    let spoilt = "CREATE TABLE spoilt (who TEXT);
        CREATE TRIGGER refuses BEFORE UPDATE OF email ON clients WHEN EXISTS (SELECT 1 FROM spoilt WHERE who = old.id)
          BEGIN SELECT raise(ABORT, 'no'); END;
        CREATE TRIGGER refuses_to_delete BEFORE DELETE ON clients WHEN EXISTS (SELECT 1 FROM spoilt WHERE who = old.id)
          BEGIN SELECT raise(ABORT, 'no'); END;";
    let fresh = || async {
        let host = hosts::sqlite_after(spoilt);
        let (path, written) = (host.path(), host.path());
        let policy = PolicyDocument::from_toml(&host.policy).unwrap();
        // The folder exists as long as the closure.
        let folder = host.folder;
        Stocked::new(host.store, policy)
            .at(hosts::now())
            .rows(move |customer| crm_rows(&path, customer))
            .spoil(move |customer| {
                let _alive = &folder;
                let connection = Connection::open(&written).unwrap();
                connection.execute("INSERT INTO spoilt VALUES (?1)", [customer.as_str()]).unwrap();
            })
    };
    testing::customer_store(fresh).await.unwrap();
}

#[tokio::test]
async fn sqlite_with_composite_keys() {
    let map = "version = 1\n[customers]\ntable = 'people'\nkey = ['land', 'no']\ntenant = { is = 'us' }\n\
        status = { column = 'state', active = 'active', archived = 'archived' }\n\
        deactivate = { state = 'archived' }\n[customers.fields]\nname = 'name'\nmail = 'email'\nland = 'not personal'";
    let policy = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
        guards.active_subscription = { ignore = 'none is sold' }\nguards.several_tenants = { ignore = 'one tenant' }\n\
        anonymise = { name = 'remove', email = 'token' }\ntreatments.t.customer = 'anonymise'";
    let folder = tempfile::tempdir().unwrap();
    let files = std::sync::atomic::AtomicU32::new(0);
    let fresh = || async {
        let number = files.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let path = folder.path().join(format!("people-{number}.sqlite"));
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE people (land TEXT NOT NULL, no INTEGER NOT NULL, state TEXT NOT NULL, name TEXT,
                     mail TEXT UNIQUE NOT NULL, PRIMARY KEY (land, no));
                 INSERT INTO people VALUES ('se', 10, 'active', 'maud', 'maud@example.org'),
                     ('se', 9, 'active', 'theo', 'theo@example.org'), ('no', 9, 'active', 'ines', 'ines@example.org'),
                     ('no', 11, 'archived', 'una', 'una@example.org');",
            )
            .unwrap();
        let store = SqliteStore::open(&path, &SqlMap::from_toml(map).unwrap()).unwrap();
        Stocked::new(store, PolicyDocument::from_toml(policy).unwrap())
    };
    testing::customer_store(fresh).await.unwrap();
}

pub(super) const CAUGHT: &[Law] = &[
    Law::PagesHaveEachOnce,
    Law::PagesKeepLimit,
    Law::RegistrationsAgree,
    Law::ForeignCursorNeverBegins,
    Law::FactsOfThoseAsked,
    Law::FactsAgree,
    Law::IdentifiersInOrder,
    Law::DeactivateArchives,
    Law::DeactivateInOrder,
    Law::DeactivateAgain,
    Law::DeactivateCompares,
    Law::DeactivateMissing,
    Law::DeactivateDeclared,
    Law::ReactivateRestores,
    Law::ReactivateCompares,
    Law::TallyInOrder,
    Law::TallyOnlyReads,
    Law::EraseInOrder,
    Law::EraseMissing,
    Law::EraseCompares,
    Law::EraseLeavesNothingDue,
    Law::EraseCountsAll,
    Law::EraseAgain,
    Law::OthersUntouched,
    Law::NeighboursUnharmed,
    Law::FailedUntouched,
    Law::StoreShowsNobody,
];

async fn sabotaged(law: Law) -> Result<(), Broken> {
    let fresh = || async {
        let repository = repository();
        let inner = ByRecord::new(Arc::clone(&repository));
        stocked(&repository, Wrong { inner, repository: Arc::clone(&repository), law })
    };
    testing::customer_store(fresh).await
}

#[tokio::test]
async fn whoever_breaks_a_law_is_caught_at_it() {
    for law in CAUGHT {
        assert_caught(*law, sabotaged(*law).await);
    }
}

/// A store in memory that breaks one law.
struct Wrong {
    inner: ByRecord<Arc<MemoryRepository>>,
    repository: Arc<MemoryRepository>,
    law: Law,
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is(Law::StoreShowsNobody) { "Wrong(maud@example.org)" } else { "Wrong" })
    }
}

impl Wrong {
    fn is(&self, law: Law) -> bool {
        self.law == law
    }

    async fn one(&self, customer: &CustomerId) -> Option<Customer> {
        self.inner.facts(std::slice::from_ref(customer)).await.unwrap().pop()
    }

    /// Writes to a record directly, without the store.
    async fn write(&self, customer: &CustomerId, class: &str, field: &str, value: impl Into<Value>) {
        let Some(facts) = self.one(customer).await else { return };
        let mut records = self.repository.records(customer);
        if let Some(record) = records.iter_mut().find(|record| record.class.as_str() == class) {
            record.fields.insert(field.into(), value.into());
        }
        self.repository.insert(facts, records);
    }
}

#[async_trait]
impl RecordStore for Wrong {
    fn data_map(&self) -> &DataMap {
        self.inner.data_map()
    }

    fn takes_census(&self) -> Option<&dyn TakeCensus> {
        None
    }

    async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError> {
        let mut answers = self.inner.tally(request).await?;
        if self.is(Law::TallyInOrder) {
            answers.reverse();
        }
        if self.is(Law::TallyOnlyReads) {
            self.repository.update(&request.customers[0], |facts| facts.status = Status::Archived);
        }
        Ok(answers)
    }

    async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError> {
        let mut request = request.clone();
        if self.is(Law::EraseCompares) {
            for target in &mut request.targets {
                if let Some(facts) = self.one(&target.customer).await {
                    target.expected = facts.expected();
                }
            }
        }
        let mut before = Vec::new();
        for target in &request.targets {
            before.extend(self.one(&target.customer).await);
        }
        let records: Vec<Vec<Record>> =
            before.iter().map(|facts| self.repository.records(&facts.id)).collect();
        let mut answers = self.inner.erase(&request).await?;
        let done = answers.iter().any(|answer| matches!(answer, Ok(Erased::Done(_))));
        match self.law {
            Law::EraseInOrder => answers.reverse(),
            Law::EraseMissing => {
                for answer in &mut answers {
                    if matches!(answer, Ok(Erased::Missing)) {
                        *answer = Ok(Erased::Changed);
                    }
                }
            }
            Law::EraseLeavesNothingDue => {
                before
                    .into_iter()
                    .zip(records)
                    .for_each(|(facts, records)| self.repository.insert(facts, records));
            }
            Law::EraseCountsAll => {
                for answer in answers.iter_mut().flatten() {
                    if let Erased::Done(counts) = answer {
                        counts.classes.clear();
                    }
                }
            }
            // Something new is written with every erasure.
            Law::EraseAgain if done => {
                let size = i64::try_from(request.targets.len()).unwrap();
                self.write(&"1".into(), "order", "total", size).await;
            }
            Law::OthersUntouched if done => self.write(&"3".into(), "customer", "name", "ines maud").await,
            Law::NeighboursUnharmed if answers.iter().any(Result::is_err) => {
                return Err(StoreError::Busy { doing: "erasing records" });
            }
            Law::FailedUntouched => {
                for (target, answer) in request.targets.iter().zip(&answers) {
                    if answer.is_err() {
                        self.write(&target.customer, "customer", "name", "x").await;
                    }
                }
            }
            _ => {}
        }
        Ok(answers)
    }
}

#[async_trait]
impl CustomerStore for Wrong {
    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        let mut facts = self.inner.facts(customers).await?;
        match self.law {
            // Of several, somebody more.
            Law::FactsOfThoseAsked if customers.len() > 1 => facts.push(Customer::new("9", "acme")),
            Law::FactsAgree => facts.iter_mut().for_each(|facts| facts.unpaid_invoices += 1),
            _ => {}
        }
        Ok(facts)
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        let mut request = request.clone();
        match self.law {
            Law::PagesKeepLimit if request.limit < 10 => request.limit += 1,
            Law::ForeignCursorNeverBegins
                if request.after.as_ref().is_some_and(|cursor| cursor.as_str().contains("no place")) =>
            {
                request.after = None;
            }
            _ => {}
        }
        let mut page = self.inner.page(&request).await?;
        // The last customer of a full page is on no page.
        if self.is(Law::PagesHaveEachOnce) && request.limit == 2 && page.next.is_some() {
            page.customers.pop();
        }
        Ok(page)
    }

    async fn registrations(&self, request: &PageRequest) -> Result<RegistrationPage, StoreError> {
        let mut page: RegistrationPage = self.page(request).await?.into();
        if self.is(Law::RegistrationsAgree) {
            page.customers.pop();
        }
        Ok(page)
    }

    async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError> {
        let mut answers = self.inner.identifiers(customers).await?;
        if self.is(Law::IdentifiersInOrder) {
            answers.reverse();
        }
        Ok(answers)
    }

    async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError> {
        let mut batch = batch.to_vec();
        match self.law {
            Law::DeactivateDeclared => {
                return Ok(batch.iter().map(|_| Ok(Deactivated::Unsupported)).collect());
            }
            Law::DeactivateCompares => {
                for one in &mut batch {
                    if let Some(facts) = self.one(&one.customer).await {
                        one.expected = facts.expected();
                    }
                }
            }
            _ => {}
        }
        let mut answers = self.inner.deactivate(&batch).await?;
        let former = || FormerStatus::new("cancelled");
        for (one, answer) in batch.iter().zip(&mut answers) {
            match (self.law, &answer) {
                (Law::DeactivateArchives, Ok(Deactivated::Done { .. })) => {
                    self.repository.update(&one.customer, |facts| facts.status = Status::Cancelled);
                }
                (Law::DeactivateAgain, Ok(Deactivated::Already)) => {
                    *answer = Ok(Deactivated::Done { before: former() });
                }
                (Law::DeactivateMissing, Ok(Deactivated::Missing)) => *answer = Ok(Deactivated::Changed),
                _ => {}
            }
        }
        if self.is(Law::DeactivateInOrder) {
            answers.reverse();
        }
        Ok(answers)
    }

    async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError> {
        let mut batch = batch.to_vec();
        if self.is(Law::ReactivateRestores) {
            for one in &mut batch {
                one.before = FormerStatus::new("active");
            }
        }
        let mut answers = self.inner.reactivate(&batch).await?;
        if self.is(Law::ReactivateCompares) {
            for answer in answers.iter_mut().flatten() {
                if *answer == Reactivated::Changed {
                    *answer = Reactivated::Done;
                }
            }
        }
        Ok(answers)
    }
}
