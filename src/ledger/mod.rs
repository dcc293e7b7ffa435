//! What was done: the ports [`CaseBook`], [`Ledger`] and [`KeyRing`], and their adapters.
//!
//! The **case book** is the working memory: one open case per customer, with the host's own customer id, one per expiry of the
//! same records, and one per profile of a review. It is wiped when the case closes. The **ledger** is append-only: tokens, digests and outcomes, nothing else. One
//! adapter holds both, and it must live outside of what is backed up with the customers: a restore that
//! brought the customers back must not take away the proof that they were erased.
//!
//! The ledger names a customer by a [`SubjectToken`], a keyed digest. Whoever has the key and a customer's id
//! can find the entry again; nobody else can. That is still pseudonymous data (Recital 26 GDPR), and the
//! ledger needs a retention rule of its own.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::case::OutOfOrder;
pub use crate::case::{DeactivationOutcome, Waiver};
use crate::digest::Digest;
use crate::plan::CaseId;
use crate::treatment::Treatment;

mod case;
mod certificate;
mod entry;
mod find;
mod key_ring;
mod lease_clock;
mod memory;
mod sealed;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use case::{
    CaseEvent, Claimed, Erasure, Expiry, Fence, Lease, ListedCase, NewCase, Opened, OpenedCases,
    ReviewedProfile, SavedCase, Task, WorkerId,
};
pub use certificate::{Certificate, CertifiedClass, FileSlack};
pub use entry::{
    About, BackupResidue, Circumstances, ClosedCase, Closing, Count, DeferredRecords, EndedEarly, Entry,
    EntryBody, ErasureResult, ErasureRules, ExpiredRecords, ExpiryResult, GatewayResult, ProfileResult,
    Rules, Scrubbed, WaivedStep,
};
pub use find::{EntryKey, Find};
pub(crate) use key_ring::{Epoch, Signed, TokenOf, epochs, tokens};
pub use key_ring::{
    FileKeyRing, KeyCheck, KeyRing, KeyRingError, Mac, MacRequest, MemoryKeyRing, SubjectToken, TokenKey,
};
pub use memory::MemoryLedger;
pub(crate) use sealed::Salts;
pub use sealed::Sealed;
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
    /// Another worker has the case by now. What this one wanted to write was not written.
    #[error("case {case} has passed to another worker; leave it to that one")]
    LostClaim {
        /// The case.
        case: CaseId,
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

/// The working memory: open cases, how far they are, and who works on them.
///
/// Any number of processes may work on one case book. Each case belongs to one worker at a time, by a [claim](Fence) with an
/// end. The case book's own clock tells when that is: a database's where there is one.
#[async_trait]
pub trait CaseBook: Debug + Send + Sync + 'static {
    /// Opens cases, in one write, and claims them. What has an open case already gets no second one: see [`Task::holds`].
    ///
    /// **Idempotency:** a case that is open under the same id is [`Opened::Open`], and is claimed anew if it was this
    /// worker's. **Partial failure:** an error means that none was opened. **Cancel safety:** all are open or none.
    /// **Errors:** [`LedgerError`].
    async fn open(&self, cases: &[NewCase], lease: &Lease) -> Result<OpenedCases, LedgerError>;

    /// Claims those of the cases that are open and that nobody has, whose lease has run out, or that this worker has
    /// already. The others are left out.
    ///
    /// **Idempotency:** again gives a new claim, and the one before is void. **Partial failure:** none. **Cancel safety:**
    /// they may be claimed or not; the lease runs out. **Errors:** [`LedgerError`].
    async fn claim(&self, cases: &[CaseId], lease: &Lease) -> Result<Claimed, LedgerError>;

    /// Appends events to open cases, in one write, and begins the lease anew.
    ///
    /// **Idempotency:** none. **Partial failure:** none: all or nothing. **Cancel safety:** all or nothing. **Errors:**
    /// [`LedgerError::NoSuchCase`] if one is not open, [`LedgerError::LostClaim`] if another claim has passed over this one.
    async fn record(&self, fence: Fence, events: &[CaseEvent]) -> Result<(), LedgerError>;

    /// Gives cases back before the lease runs out. Those that are not this claim's any more are left as they are.
    ///
    /// **Idempotency:** again does nothing. **Partial failure:** none: all or nothing. **Cancel safety:** all or nothing.
    /// **Errors:** [`LedgerError`].
    async fn release(&self, fence: Fence, cases: &[CaseId]) -> Result<(), LedgerError>;

    /// So many open cases in the order of their ids, after one.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn list(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<ListedCase>, LedgerError>;
}

/// The append-only record of what was done.
///
/// An entry is a [text](EntryBody::to_text) that is kept as it is, under a number, and is found again by its
/// [keys](EntryBody::keys). What a ledger keeps of it beside is the ledger's own affair.
#[async_trait]
pub trait Ledger: CaseBook {
    /// Appends one entry per case and wipes its working memory, in one write. A case is closed once, by the worker who has
    /// it.
    ///
    /// **Idempotency:** a case that is closed already keeps its first entry, which is returned. **Partial
    /// failure:** none: all or nothing. **Cancel safety:** all or nothing. **Errors:** [`LedgerError::NoSuchCase`] if one is
    /// neither open nor closed, [`LedgerError::LostClaim`] if another claim has passed over this one.
    async fn close(&self, fence: Fence, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError>;

    /// Appends entries that are of no case, in one write.
    ///
    /// **Idempotency:** again appends again. **Partial failure:** none: all or nothing. **Cancel safety:** all or nothing.
    /// **Errors:** [`LedgerError`]; also for a closed case, which [`close`](Self::close) takes.
    async fn append(&self, entries: &[EntryBody]) -> Result<Vec<Entry>, LedgerError>;

    /// So many entries in order, after a number. Numbers start at 1 and have no gaps.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError>;

    /// The entry of a closed case.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError>;

    /// Entries that have one of some keys.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn find(&self, find: &Find) -> Result<Vec<Entry>, LedgerError>;

    /// A treatment by its digest: every one under which a case was ever opened.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError>;

    /// The number of the last entry, or 0.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn last(&self) -> Result<u64, LedgerError>;
}

/// A case is closed by [`Ledger::close`] alone, which holds it against its claim.
fn of_no_case(entries: &[EntryBody]) -> Result<(), LedgerError> {
    match entries.iter().find_map(|entry| if let EntryBody::Closed(case) = entry { Some(case) } else { None })
    {
        None => Ok(()),
        Some(case) => Err(LedgerError::Failed {
            doing: "appending entries",
            what: format!("case {} is closed by Ledger::close, by the worker who has it", case.case),
        }),
    }
}

macro_rules! forward_ledger {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: CaseBook + ?Sized> CaseBook for $pointer<T> {
            async fn open(&self, cases: &[NewCase], lease: &Lease) -> Result<OpenedCases, LedgerError> {
                (**self).open(cases, lease).await
            }

            async fn claim(&self, cases: &[CaseId], lease: &Lease) -> Result<Claimed, LedgerError> {
                (**self).claim(cases, lease).await
            }

            async fn record(&self, fence: Fence, events: &[CaseEvent]) -> Result<(), LedgerError> {
                (**self).record(fence, events).await
            }

            async fn release(&self, fence: Fence, cases: &[CaseId]) -> Result<(), LedgerError> {
                (**self).release(fence, cases).await
            }

            async fn list(
                &self,
                after: Option<&CaseId>,
                limit: usize,
            ) -> Result<Vec<ListedCase>, LedgerError> {
                (**self).list(after, limit).await
            }
        }

        #[async_trait]
        impl<T: Ledger + ?Sized> Ledger for $pointer<T> {
            async fn close(&self, fence: Fence, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError> {
                (**self).close(fence, cases).await
            }

            async fn append(&self, entries: &[EntryBody]) -> Result<Vec<Entry>, LedgerError> {
                (**self).append(entries).await
            }

            async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError> {
                (**self).entries(after, limit).await
            }

            async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError> {
                (**self).entry(case).await
            }

            async fn find(&self, find: &Find) -> Result<Vec<Entry>, LedgerError> {
                (**self).find(find).await
            }

            async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError> {
                (**self).treatment(digest).await
            }

            async fn last(&self) -> Result<u64, LedgerError> {
                (**self).last().await
            }
        }
    )*};
}

forward_ledger!(Arc, Box);
