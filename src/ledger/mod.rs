//! What was done: the ports [`CaseBook`], [`Ledger`] and [`KeyRing`], and their adapters.
//!
//! The **case book** is the working memory: one open case per customer, with the host's own customer id,
//! wiped when the case closes. The **ledger** is append-only: tokens, digests and outcomes, nothing else. One
//! adapter holds both, and it must live outside of what is backed up with the customers: a restore that
//! brought the customers back must not take away the proof that they were erased.
//!
//! The ledger names a customer by a [`SubjectToken`], a keyed digest. Whoever has the key and a customer's id
//! can find the entry again; nobody else can. That is still pseudonymous data (Recital 26 GDPR), and the
//! ledger needs a retention rule of its own.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::case::OutOfOrder;
pub use crate::case::{DeactivationOutcome, Waiver};
use crate::digest::Digest;
use crate::plan::CaseId;
use crate::policy::Treatment;
use crate::store::Census;

mod case;
mod certificate;
mod entry;
mod key_ring;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use case::{CaseEvent, NewCase, Opened, SavedCase};
pub use certificate::{Certificate, CertifiedClass, FileSlack};
pub use entry::{
    BackupResidue, Circumstances, ClosedCase, Closing, Count, DeferredRecords, Entry, EntryBody,
    ErasureResult, ExpiredRecords, ExpiryBegun, ExpiryEnded, ExpiryEvent, ExpiryRun, GatewayResult,
    ProfileErased,
};
pub use key_ring::{
    EpochKey, FileKeyRing, KeyCheck, KeyRing, KeyRingError, MemoryKeyRing, SubjectToken, TokenKey,
};
pub use memory::MemoryLedger;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteLedger;

/// What can go wrong with the ledger. Without a ledger nothing is erased.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Somebody else holds it.
    #[error("{doing}: the ledger is locked by another process; try again when it is free")]
    Busy {
        /// What was being done.
        doing: &'static str,
    },
    /// It cannot be written to.
    #[error("{doing}: the ledger is read-only; give this process the right to write it and its folder")]
    ReadOnly {
        /// What was being done.
        doing: &'static str,
    },
    /// It is damaged, or is none.
    #[error("{doing}: the ledger is damaged or no ledger; restore it, or name another file")]
    Corrupt {
        /// What was being done.
        doing: &'static str,
    },
    /// It cannot be opened.
    #[error("{doing}: the ledger cannot be opened; check its path and permissions")]
    NotFound {
        /// What was being done.
        doing: &'static str,
    },
    /// It was written by a later release.
    #[error("the ledger has format {found}, and this release reads {known}; use a later release")]
    Newer {
        /// The format found.
        found: i64,
        /// The format this release reads.
        known: i64,
    },
    /// The case book holds an event that cannot have come to pass: somebody else wrote there.
    #[error(
        "case {case} holds events that cannot have come to pass; restore the case book, or ask who wrote to it"
    )]
    OutOfOrder {
        /// The case.
        case: CaseId,
        /// What is wrong.
        source: OutOfOrder,
    },
    /// No such open case.
    #[error("there is no open case {case}")]
    NoSuchCase {
        /// The case that was asked for.
        case: CaseId,
    },
    /// Anything else.
    #[error("{doing}: {what}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// What went wrong.
        what: String,
    },
}

/// The working memory: open cases and how far they are.
#[async_trait]
pub trait CaseBook: Debug + Send + Sync + 'static {
    /// Opens cases, in one write. A customer who has an open case already gets no second one.
    ///
    /// **Idempotency:** a case that is open under the same id is [`Opened::Open`]. **Partial failure:** an
    /// error means that none was opened. **Cancel safety:** all are open or none. **Errors:**
    /// [`LedgerError`].
    async fn open(&self, cases: &[NewCase]) -> Result<Vec<Opened>, LedgerError>;

    /// Appends events to open cases, in one write.
    ///
    /// **Idempotency:** none; an event that is there twice does no harm. **Partial failure:** none: all or
    /// nothing. **Cancel safety:** all or nothing. **Errors:** [`LedgerError::NoSuchCase`] if one is not open.
    async fn record(&self, events: &[CaseEvent]) -> Result<(), LedgerError>;

    /// So many open cases in the order of their ids, after one.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn open_cases(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<SavedCase>, LedgerError>;

    /// One open case.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn open_case(&self, case: &CaseId) -> Result<Option<SavedCase>, LedgerError>;
}

/// The append-only record of closed cases.
#[async_trait]
pub trait Ledger: CaseBook {
    /// Appends one entry per case and wipes its working memory, in one write.
    ///
    /// **Idempotency:** a case that is closed already keeps its first entry, which is returned. **Partial
    /// failure:** none: all or nothing. **Cancel safety:** all or nothing. **Errors:** [`LedgerError`].
    async fn close(&self, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError>;

    /// Appends that the store's files were scrubbed of everything erased up to an entry.
    ///
    /// **Idempotency:** none; again is harmless. **Partial failure:** none. **Cancel safety:** appended or
    /// not. **Errors:** [`LedgerError`].
    async fn scrubbed(&self, through: u64, at: DateTime<Utc>) -> Result<(), LedgerError>;

    /// Appends that profiles were erased by themselves, under an approved review.
    ///
    /// **Idempotency:** none; again is harmless. **Partial failure:** none: all or nothing. **Cancel safety:** all or
    /// nothing. **Errors:** [`LedgerError`].
    async fn profiles_erased(&self, profiles: &[ProfileErased]) -> Result<(), LedgerError>;

    /// Every entry under which one of these profiles was erased, in order: closed cases, and profiles by themselves.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn of_profiles(&self, profiles: &[SubjectToken]) -> Result<Vec<Entry>, LedgerError>;

    /// Appends what comes to pass in an expiry, and gives the entry's number.
    ///
    /// **Idempotency:** again appends again. **Partial failure:** none. **Cancel safety:** the entry may be written or not.
    /// **Errors:** [`LedgerError`].
    async fn expiry(&self, event: &ExpiryEvent) -> Result<u64, LedgerError>;

    /// Appends a census, and gives the entry's number. What depends on the values of single rows is left out: the ledger outlives
    /// them.
    ///
    /// **Idempotency:** again appends again. **Partial failure:** none. **Cancel safety:** the entry may be written or not.
    /// **Errors:** [`LedgerError`].
    async fn counted(&self, census: &Census) -> Result<u64, LedgerError>;

    /// The last census that was appended under a data map.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn last_census(&self, data_map: Digest) -> Result<Option<Arc<Census>>, LedgerError>;

    /// So many entries in order, after a number. Numbers start at 1 and have no gaps.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError>;

    /// The number of the last entry, or 0.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn last(&self) -> Result<u64, LedgerError>;

    /// The entry of a closed case.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError>;

    /// Every entry of these subjects, in order.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn of_subjects(&self, subjects: &[SubjectToken]) -> Result<Vec<Entry>, LedgerError>;

    /// A treatment by its digest: every one under which a case was ever opened.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError>;

    /// When the files were first scrubbed after an entry.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn scrubbed_after(&self, seq: u64) -> Result<Option<DateTime<Utc>>, LedgerError>;
}

macro_rules! forward_ledger {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: CaseBook + ?Sized> CaseBook for $pointer<T> {
            async fn open(&self, cases: &[NewCase]) -> Result<Vec<Opened>, LedgerError> {
                (**self).open(cases).await
            }

            async fn record(&self, events: &[CaseEvent]) -> Result<(), LedgerError> {
                (**self).record(events).await
            }

            async fn open_cases(
                &self,
                after: Option<&CaseId>,
                limit: usize,
            ) -> Result<Vec<SavedCase>, LedgerError> {
                (**self).open_cases(after, limit).await
            }

            async fn open_case(&self, case: &CaseId) -> Result<Option<SavedCase>, LedgerError> {
                (**self).open_case(case).await
            }
        }

        #[async_trait]
        impl<T: Ledger + ?Sized> Ledger for $pointer<T> {
            async fn close(&self, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError> {
                (**self).close(cases).await
            }

            async fn scrubbed(&self, through: u64, at: DateTime<Utc>) -> Result<(), LedgerError> {
                (**self).scrubbed(through, at).await
            }

            async fn profiles_erased(&self, profiles: &[ProfileErased]) -> Result<(), LedgerError> {
                (**self).profiles_erased(profiles).await
            }

            async fn of_profiles(&self, profiles: &[SubjectToken]) -> Result<Vec<Entry>, LedgerError> {
                (**self).of_profiles(profiles).await
            }

            async fn expiry(&self, event: &ExpiryEvent) -> Result<u64, LedgerError> {
                (**self).expiry(event).await
            }

            async fn counted(&self, census: &Census) -> Result<u64, LedgerError> {
                (**self).counted(census).await
            }

            async fn last_census(&self, data_map: Digest) -> Result<Option<Arc<Census>>, LedgerError> {
                (**self).last_census(data_map).await
            }

            async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError> {
                (**self).entries(after, limit).await
            }

            async fn last(&self) -> Result<u64, LedgerError> {
                (**self).last().await
            }

            async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError> {
                (**self).entry(case).await
            }

            async fn of_subjects(&self, subjects: &[SubjectToken]) -> Result<Vec<Entry>, LedgerError> {
                (**self).of_subjects(subjects).await
            }

            async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError> {
                (**self).treatment(digest).await
            }

            async fn scrubbed_after(&self, seq: u64) -> Result<Option<DateTime<Utc>>, LedgerError> {
                (**self).scrubbed_after(seq).await
            }
        }
    )*};
}

forward_ledger!(Arc, Box);
