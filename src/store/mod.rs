//! The host's databases: the ports [`RecordStore`] and [`CustomerStore`], and what carries them out.
//!
//! | what a host has | what it uses |
//! |---|---|
//! | an SQLite database | [`SqliteStore`](sqlite::SqliteStore), with a map of its tables |
//! | repository code of its own | [`Repository`], wrapped in [`ByRecord`] |
//! | anything else | [`CustomerStore`], written by hand |
//! | nothing yet | [`MemoryStore`] |
//! | documents in an object store beside it | `WithDocuments` around any of these (feature `object-store`) |
//!
//! [`TakeCensus`] counts all rows of a store, and what nobody claims or owns.
//!
//! A store knows no policy. It gets a [`Treatment`], which says what to do to each record class, field by
//! field, and a [`Seed`] for what is random.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::anonymise::Seed;
use crate::customer::{Customer, CustomerId, Expected, FormerStatus, Identifiers, TenantId};
use crate::data_map::DataMap;
use crate::treatment::Treatment;

mod by_record;
mod census;
#[cfg(feature = "object-store")]
pub mod documents;
mod error;
mod groups;
mod memory;
mod mentions;
mod ownerless;
mod page;
mod sharing;
#[cfg(feature = "sqlite")]
pub mod sql;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use crate::treatment::{ClassTally, Counts, Kept, Otherwise, Tally, Uncertain};
pub use by_record::{ByRecord, Changes, Loaded, RecordWrite, Repository, Saved, StatusChange};
pub(crate) use census::Explained;
pub use census::{Census, CensusRequest, ClassCensus, Counted, TableCensus, TakeCensus};
pub use error::StoreError;
pub use groups::CountGroups;
pub use memory::{MemoryRepository, MemoryStore};
pub use mentions::{ListUncertain, UncertainMention};
pub use ownerless::{OwnerlessErased, OwnerlessRecords, OwnerlessRequest};
pub use page::{Cursor, Page, PageRequest};
pub use sharing::WhoShares;

/// One result per item, in the order of the request. A missing answer means that the item was not tried; a
/// failed item says nothing of its neighbours.
pub type Batch<T> = Vec<Result<T, StoreError>>;

/// A request to count what a treatment would do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TallyRequest {
    /// The customers. They need not exist any more.
    pub customers: Vec<CustomerId>,
    /// The treatment.
    pub treatment: Arc<Treatment>,
    /// The instant, on which an age depends that is made general. None: nobody counts by age.
    pub at: Option<DateTime<Utc>>,
}

impl TallyRequest {
    /// A request for some customers under a treatment.
    pub fn new(customers: Vec<CustomerId>, treatment: Arc<Treatment>) -> Self {
        Self { customers, treatment, at: None }
    }

    /// As it is at an instant.
    #[must_use]
    pub fn at(mut self, instant: DateTime<Utc>) -> Self {
        self.at = Some(instant);
        self
    }
}

/// One customer of an [`EraseRequest`].
#[derive(Clone, Debug)]
pub struct Target {
    /// Whose records.
    pub customer: CustomerId,
    /// Whose customer.
    pub tenant: TenantId,
    /// What must still be true of them.
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
    /// For what is random.
    pub seed: Seed,
    /// The instant, which placeholders bear as a day.
    pub at: DateTime<Utc>,
}

impl EraseRequest {
    /// A request for some customers under a treatment.
    pub fn new(targets: Vec<Target>, treatment: Arc<Treatment>, seed: Seed, at: DateTime<Utc>) -> Self {
        Self { targets, treatment, seed, at }
    }
}

/// What came of one customer of an [`EraseRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erased {
    /// All is done.
    Done(Counts),
    /// A part is done; ask again for the rest.
    More(Counts),
    /// The customer is not as expected. Nothing was touched.
    Changed,
    /// There is no such customer, and nothing of theirs that the treatment would change.
    Missing,
}

/// The reversible first step for one customer.
#[derive(Clone, Debug)]
pub struct Deactivation {
    /// Whom.
    pub customer: CustomerId,
    /// What must still be true of them.
    pub expected: Expected,
    /// The instant.
    pub at: DateTime<Utc>,
}

/// What came of a [`Deactivation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deactivated {
    /// The customer is archived now.
    Done {
        /// What undoes it.
        before: FormerStatus,
    },
    /// The customer was archived already.
    Already,
    /// The customer is not as expected. Nothing was touched.
    Changed,
    /// There is no such customer.
    Missing,
    /// This store has no status for it.
    Unsupported,
}

/// Taking a deactivation back.
#[derive(Clone, Debug)]
pub struct Reactivation {
    /// Whom.
    pub customer: CustomerId,
    /// What the deactivation overwrote.
    pub before: FormerStatus,
}

/// What came of a [`Reactivation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reactivated {
    /// The customer is as before.
    Done,
    /// The customer is not archived. Nothing was touched.
    Changed,
    /// There is no such customer.
    Missing,
    /// This store has no status for it.
    Unsupported,
}

/// Any database with records about customers.
#[async_trait]
pub trait RecordStore: Debug + Send + Sync + 'static {
    /// Every record class and field that it holds. The same for as long as the store lives.
    fn data_map(&self) -> &DataMap;

    /// What counts all rows of the store. An engine plans and erases there only after a recent census.
    ///
    /// None: no row can escape the data map, because each record is read as somebody's. A store that wraps another one
    /// answers as that one does.
    fn takes_census(&self) -> Option<&dyn TakeCensus>;

    /// Counts each customer's records, and those to which a treatment would still do something. Plans count
    /// with it before, and a case verifies with it afterwards: so it must read what is really there. Where the
    /// treatment has a [smallest group](crate::treatment::SmallestGroup), it also says whether too few customers share what
    /// stays ([`Tally::rare`]), and whether too few share even what is one step more general ([`Tally::alone`]).
    ///
    /// **Idempotency:** reads only. **Partial failure:** per customer. **Cancel safety:** safe.
    /// **Errors:** [`StoreError`] for the whole batch if the store cannot be read, or per customer.
    async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError>;

    /// Carries out a treatment. For each customer all of it happens or nothing, unless the answer is
    /// [`Erased::More`]. The facts in `expected` are compared in the same transaction as the writes. A smallest group
    /// is counted before anything is written; a store whose data map says that it
    /// [counts none](crate::DataMap::counts_groups) is never asked to.
    ///
    /// **Idempotency:** what is erased already stays as it is; a customer who is gone is
    /// [`Erased::Missing`]. **Partial failure:** per customer; a failed one is untouched.
    /// **Cancel safety:** dropping the future leaves each customer untouched or done; ask again.
    /// **Errors:** [`StoreError`] for the whole batch if nothing was tried, or per customer.
    async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError>;
}

/// The root store: the one that knows who the customers are. It is erased last.
#[async_trait]
pub trait CustomerStore: RecordStore {
    /// The facts of the customers with these ids, afresh. An id that nobody has gets no answer.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none; a fact that cannot be read is named in
    /// [`Customer::unreadable`]. **Cancel safety:** safe. **Errors:** [`StoreError`].
    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError>;

    /// A page of all customers, in the order of their keys. Whoever is there from the first page to the last is on exactly
    /// one of them, whoever comes or goes meanwhile, and whatever the keys hold.
    ///
    /// **Idempotency:** reads only. **Partial failure:** as [`facts`](Self::facts). **Cancel safety:** safe.
    /// **Errors:** [`StoreError`]; also for a cursor that is not of this store.
    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError>;

    /// The values by which each customer is found in other places.
    ///
    /// **Idempotency:** reads only. **Partial failure:** per customer; one that does not exist has none.
    /// **Cancel safety:** safe. **Errors:** [`StoreError`].
    async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError>;

    /// Archives customers: inactive, no login. Compare-and-set on what is expected of them.
    ///
    /// **Idempotency:** an archived one is [`Deactivated::Already`]. **Partial failure:** per customer.
    /// **Cancel safety:** dropping the future leaves each customer as before or archived.
    /// **Errors:** [`StoreError`].
    async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError>;

    /// Takes a deactivation back.
    ///
    /// **Idempotency:** one who is not archived is [`Reactivated::Changed`]. **Partial failure:** per
    /// customer. **Cancel safety:** as `deactivate`. **Errors:** [`StoreError`].
    async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError>;
}

/// A small port of its own: a store whose files can be freed of what was erased.
///
/// Deleting a row leaves its bytes in free pages, logs and statistics for a while. A scrub is for after a
/// run, never once per case: it may rewrite the whole file.
#[async_trait]
pub trait Scrub: Debug + Send + Sync + 'static {
    /// Makes the old bytes disappear from the store's own files.
    ///
    /// **Idempotency:** again is harmless. **Partial failure:** an error means that old bytes may remain.
    /// **Cancel safety:** dropping the future does not stop it. **Errors:** [`StoreError::Busy`] while
    /// another connection holds the database or its log.
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
