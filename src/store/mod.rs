//! The host's databases: the ports [`RecordStore`] and [`CustomerStore`], and their adapters.
//!
//! | what a host has | what it uses |
//! |---|---|
//! | an SQLite database | [`SqliteStore`](sqlite::SqliteStore), with a map of its tables |
//! | its own repository code | [`Repository`], wrapped in [`ByRecord`] |
//! | anything else | [`CustomerStore`], written by hand |
//! | nothing yet | [`MemoryStore`] |
//! | several databases | [`WithStores`] around any of these |
//! | documents in an object store beside it | `WithDocuments` around any of these (feature `object-store`) |
//!
//! [`TakeCensus`] counts all rows of a store, and the rows that no class claims or nobody owns.
//!
//! A store knows no policy. A store gets a [`Treatment`], which says what to do to each record class, field by field,
//! and a [`Seed`] for random values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::anonymise::Seed;
use crate::customer::{Customer, CustomerId, Expected, FormerStatus, Identifiers, TenantId};
use crate::data_map::{ClassName, DataMap};
use crate::treatment::Treatment;

mod beside;
mod by_record;
mod census;
#[cfg(feature = "object-store")]
pub mod documents;
mod error;
mod groups;
mod inbox;
mod known;
mod mark;
mod memory;
mod mentions;
mod one_by_one;
mod ownerless;
mod page;
#[cfg(feature = "postgres")]
pub mod postgres;
mod read;
mod sharing;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod sql;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod stores;

pub use crate::treatment::{
    ClassTally, Contents, ContentsOfFields, Counts, Keepers, Kept, Leftover, Leftovers, MentionCounts,
    Otherwise, Tally, Uncertain,
};
pub use beside::Beside;
pub use by_record::{ByRecord, Changes, Loaded, RecordWrite, Repository, Saved, StatusChange};
pub(crate) use census::Explained;
pub use census::{Census, CensusRequest, ClassCensus, Counted, TableCensus, TakeCensus};
pub use error::StoreError;
pub use groups::CountGroups;
pub use inbox::{Inbox, InboxRow};
pub use known::{Known, KnownCustomers};
pub use mark::{KeepsMark, Mark};
pub use memory::{MemoryRepository, MemoryStore};
pub use mentions::{
    ListUncertain, Mentioned, MentionsPart, MentionsRequest, RedactMentions, Searched, Searcher,
    UncertainMention,
};
pub use ownerless::{OwnerlessErased, OwnerlessRecords, OwnerlessRequest};
pub use page::{Cursor, Page, PageRequest, Registration, RegistrationPage};
pub use read::{Had, ReadRecord, ReadRecords, ReadRequest, RecordPage, Whose};
pub use sharing::WhoShares;
pub use stores::{StoreBeside, WithStores};

/// One result per item, in the order of the request. A missing result means that the item was not tried. If one item
/// failed, the others may still have succeeded.
pub type Batch<T> = Vec<Result<T, StoreError>>;

/// Customers with a hold: their records must stay as they are, whoever is erased. Each customer has the record
/// classes that the hold keeps. An empty set keeps all classes.
pub type HeldCustomers = BTreeMap<CustomerId, BTreeSet<ClassName>>;

/// A request to count what a treatment would do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TallyRequest {
    /// The customers. They need not exist any more.
    pub customers: Vec<CustomerId>,
    /// The treatment.
    pub treatment: Arc<Treatment>,
    /// The instant for ages that are made more general. `None` if the treatment makes no age more general.
    pub at: Option<DateTime<Utc>>,
    /// Customers whose records must stay as they are.
    pub held: Arc<HeldCustomers>,
    /// What the root store knows about the customers, for a store beside it.
    pub known: KnownCustomers,
}

impl TallyRequest {
    /// A request for some customers under a treatment.
    pub fn new(customers: Vec<CustomerId>, treatment: Arc<Treatment>) -> Self {
        Self { customers, treatment, at: None, held: Arc::default(), known: Arc::default() }
    }

    /// Sets what the root store knows about the customers, for a store beside it.
    #[must_use]
    pub fn known(mut self, known: KnownCustomers) -> Self {
        self.known = known;
        self
    }

    /// Names customers whose records must stay as they are. A customer whose erasure would reach one of them gets
    /// [`StoreError::Held`].
    #[must_use]
    pub fn held(mut self, held: Arc<HeldCustomers>) -> Self {
        self.held = held;
        self
    }

    /// Sets the instant of the count.
    #[must_use]
    pub fn at(mut self, instant: DateTime<Utc>) -> Self {
        self.at = Some(instant);
        self
    }

    /// The day of the count, in the zone of the policy.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn day(&self) -> chrono::NaiveDate {
        self.at.map_or(chrono::NaiveDate::MIN, |at| self.treatment.day(at))
    }
}

/// One customer of an [`EraseRequest`].
#[derive(Clone, Debug)]
pub struct Target {
    /// The customer whose records are erased.
    pub customer: CustomerId,
    /// The tenant to which the customer belongs.
    pub tenant: TenantId,
    /// The facts about the customer that must still be true.
    pub expected: Expected,
}

/// A request to carry out a treatment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EraseRequest {
    /// The customers.
    pub targets: Vec<Target>,
    /// What to do to their records.
    pub treatment: Arc<Treatment>,
    /// The seed for random values.
    pub seed: Seed,
    /// The instant. Placeholders show its [day](Treatment::day).
    pub at: DateTime<Utc>,
    /// Customers whose records must stay as they are.
    pub held: Arc<HeldCustomers>,
    /// What the root store knows about the customers, for a store beside it.
    pub known: KnownCustomers,
    /// The classes that earlier parts have treated, by customer, if the caller records each part. Then a store of
    /// [several databases](WithStores) answers [`Erased::More`] after each database. `None`: one call treats all
    /// databases.
    pub parts: Option<Arc<Parts>>,
}

/// The classes that earlier parts of an erasure have treated, by customer.
pub type Parts = BTreeMap<CustomerId, BTreeSet<ClassName>>;

impl EraseRequest {
    /// A request for some customers under a treatment.
    pub fn new(targets: Vec<Target>, treatment: Arc<Treatment>, seed: Seed, at: DateTime<Utc>) -> Self {
        let (held, known) = (Arc::default(), Arc::default());
        Self { targets, treatment, seed, at, held, known, parts: None }
    }

    /// Says that the caller records each part, and which classes earlier parts have treated.
    #[must_use]
    pub fn in_parts(mut self, parts: Parts) -> Self {
        self.parts = Some(Arc::new(parts));
        self
    }

    /// Sets what the root store knows about the customers, for a store beside it.
    #[must_use]
    pub fn known(mut self, known: KnownCustomers) -> Self {
        self.known = known;
        self
    }

    /// Names customers whose records must stay as they are. A customer whose erasure would reach one of them gets
    /// [`StoreError::Held`], and is untouched.
    #[must_use]
    pub fn held(mut self, held: Arc<HeldCustomers>) -> Self {
        self.held = held;
        self
    }
}

/// The result for one customer of an [`EraseRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erased {
    /// All is done.
    Done(Counts),
    /// A part is done. Repeat the request for the rest.
    More(Counts),
    /// The customer's facts have changed. Nothing was touched.
    Changed,
    /// The customer does not exist, and has no records that the treatment would change.
    Missing,
}

/// The reversible first step for one customer.
#[derive(Clone, Debug)]
pub struct Deactivation {
    /// The customer to deactivate.
    pub customer: CustomerId,
    /// The facts about the customer that must still be true.
    pub expected: Expected,
    /// The instant.
    pub at: DateTime<Utc>,
}

/// The result of a [`Deactivation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deactivated {
    /// The customer is archived now.
    Done {
        /// What the store needs to undo the deactivation.
        before: FormerStatus,
    },
    /// The customer was archived already.
    Already,
    /// The customer's facts have changed. Nothing was touched.
    Changed,
    /// The customer does not exist.
    Missing,
    /// This store has no status for archived customers.
    Unsupported,
}

/// A request to undo a deactivation.
#[derive(Clone, Debug)]
pub struct Reactivation {
    /// The customer to reactivate.
    pub customer: CustomerId,
    /// The values that the deactivation overwrote.
    pub before: FormerStatus,
}

/// The result of a [`Reactivation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reactivated {
    /// The customer has the former status again.
    Done,
    /// The customer is not archived. Nothing was touched.
    Changed,
    /// The customer does not exist.
    Missing,
    /// This store has no status for archived customers.
    Unsupported,
}

/// Any database with records about customers.
#[async_trait]
pub trait RecordStore: Debug + Send + Sync + 'static {
    /// Every record class and field that the store holds. Does not change while the store lives.
    fn data_map(&self) -> &DataMap;

    /// The census of this store, which counts all rows. An engine plans and erases in this store only after a recent
    /// census.
    ///
    /// `None`: every record is read as the record of some customer, so no row can be missing from the data map. A
    /// store that wraps another store returns the answer of the wrapped store.
    fn takes_census(&self) -> Option<&dyn TakeCensus>;

    /// Whether an erasure looks for erased values in the texts that stay, and counts them in
    /// [`Counts::leftovers`](crate::store::Counts). The certificate says whether this check was made. A store that
    /// wraps another store returns the answer of the wrapped store.
    fn looks_for_leftovers(&self) -> bool {
        false
    }

    /// Counts each customer's records, and the records to which a treatment would still do something. A plan counts
    /// before the erasure, and a case verifies with the same method afterwards. So the method must read what is
    /// really stored. If the treatment has a [smallest group](crate::treatment::SmallestGroup), the answer also says
    /// two things: whether too few customers share what stays ([`Tally::rare`]), and whether too few share even the
    /// values that are one step more general ([`Tally::alone`]).
    ///
    /// **Idempotency:** reads only. **Partial failure:** per customer. **Cancel safety:** safe.
    /// **Errors:** [`StoreError`] for the whole batch if the store cannot be read, or per customer.
    async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError>;

    /// Carries out a treatment. For each customer, either the whole treatment happens or nothing, unless the answer
    /// is [`Erased::More`]. The facts in `expected` are compared in the same transaction as the writes. A smallest
    /// group is counted before anything is written. A store whose data map [counts no
    /// groups](crate::DataMap::counts_groups) never gets a treatment with a smallest group.
    ///
    /// **Idempotency:** what is erased already stays as it is; a customer who is gone is [`Erased::Missing`].
    /// **Partial failure:** per customer; a failed customer is untouched. **Cancel safety:** dropping the future
    /// leaves each customer untouched or done; repeat the request. **Errors:** [`StoreError`] for the whole batch if
    /// nothing was tried, or per customer.
    async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError>;
}

/// The root store: the store that knows who the customers are. The root store is erased last.
#[async_trait]
pub trait CustomerStore: RecordStore {
    /// The current facts of the customers with these ids. An id without a customer gets no answer.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none; a fact that cannot be read is named in
    /// [`Customer::unreadable`]. **Cancel safety:** safe. **Errors:** [`StoreError`].
    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError>;

    /// A page of all customers, in the order of their keys. A customer who exists from the first page to the last is
    /// on exactly one page, even if other customers come or go in between.
    ///
    /// **Idempotency:** reads only. **Partial failure:** as [`facts`](Self::facts). **Cancel safety:** safe.
    /// **Errors:** [`StoreError`]; also for a cursor of another store.
    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError>;

    /// The same page, but only with the values from which the ledger's tokens are made. A store should implement this
    /// if it can read these values faster than all facts, because a replay reads every customer. A store that wraps
    /// another store returns the answer of the wrapped store.
    ///
    /// **Idempotency, partial failure, cancel safety, errors:** as [`page`](Self::page).
    async fn registrations(&self, request: &PageRequest) -> Result<RegistrationPage, StoreError> {
        Ok(self.page(request).await?.into())
    }

    /// The values by which each customer can be found in other places.
    ///
    /// **Idempotency:** reads only. **Partial failure:** per customer; a customer who does not exist has no values.
    /// **Cancel safety:** safe. **Errors:** [`StoreError`].
    async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError>;

    /// Archives customers: inactive, no login. Compares the expected facts and writes in one transaction
    /// (compare-and-set).
    ///
    /// **Idempotency:** an archived customer is [`Deactivated::Already`]. **Partial failure:** per customer. **Cancel
    /// safety:** dropping the future leaves each customer as before or archived. **Errors:** [`StoreError`].
    async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError>;

    /// Undoes deactivations.
    ///
    /// **Idempotency:** a customer who is not archived is [`Reactivated::Changed`]. **Partial failure:** per
    /// customer. **Cancel safety:** as `deactivate`. **Errors:** [`StoreError`].
    async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError>;
}

/// A store that can remove erased bytes from its files.
///
/// Deleting a row leaves the row's bytes in free pages, logs and statistics for a while. Scrub after a run, never
/// once per case: a scrub may rewrite the whole file.
#[async_trait]
pub trait Scrub: Debug + Send + Sync + 'static {
    /// Removes the old bytes from the store's own files.
    ///
    /// **Idempotency:** repeating is harmless. **Partial failure:** an error means that old bytes may remain.
    /// **Cancel safety:** dropping the future does not stop the scrub. **Errors:** [`StoreError::Busy`] while another
    /// connection holds the database or its log.
    async fn scrub(&self) -> Result<(), StoreError>;
}

macro_rules! forward_store {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: RecordStore + ?Sized> RecordStore for $pointer<T> {
            fn data_map(&self) -> &DataMap {
                (**self).data_map()
            }

            fn takes_census(&self) -> Option<&dyn TakeCensus> {
                (**self).takes_census()
            }

            fn looks_for_leftovers(&self) -> bool {
                (**self).looks_for_leftovers()
            }

            async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError> {
                (**self).tally(request).await
            }

            async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError> {
                (**self).erase(request).await
            }
        }

        #[async_trait]
        impl<T: CustomerStore + ?Sized> CustomerStore for $pointer<T> {
            async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
                (**self).facts(customers).await
            }

            async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
                (**self).page(request).await
            }

            async fn registrations(&self, request: &PageRequest) -> Result<RegistrationPage, StoreError> {
                (**self).registrations(request).await
            }

            async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError> {
                (**self).identifiers(customers).await
            }

            async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError> {
                (**self).deactivate(batch).await
            }

            async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError> {
                (**self).reactivate(batch).await
            }
        }

        #[async_trait]
        impl<T: Scrub + ?Sized> Scrub for $pointer<T> {
            async fn scrub(&self) -> Result<(), StoreError> {
                (**self).scrub().await
            }
        }
    )*};
}

forward_store!(Arc, Box);

#[cfg(feature = "mock")]
mockall::mock! {
    /// A mock of [`CustomerStore`], for a host's own unit tests.
    #[derive(Debug)]
    pub CustomerStore {}

    #[async_trait]
    impl RecordStore for CustomerStore {
        fn data_map(&self) -> &DataMap;
        fn takes_census(&self) -> Option<&'static dyn TakeCensus>;
        async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError>;
        async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError>;
    }

    #[async_trait]
    impl CustomerStore for CustomerStore {
        async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError>;
        async fn page(&self, request: &PageRequest) -> Result<Page, StoreError>;
        async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError>;
        async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError>;
        async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError>;
    }
}
