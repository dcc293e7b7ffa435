//! The ledger records what was done. Here are the ports [`CaseBook`], [`HoldBook`], [`Register`], [`Rations`],
//! [`Ledger`] and [`KeyRing`], and their adapters.
//!
//! * The **case book** is the working memory. It holds the open cases: one per customer, with the host's own customer
//!   id; one per expiry of the same records; and one per profile of a review. A case's working memory is wiped when
//!   the case closes.
//! * The **ledger** is append-only. It contains tokens, digests and outcomes, and nothing else.
//! * The **hold book** has the [holds](Hold) that operators placed. While a hold on a customer is in force, the hold
//!   book has the host's own customer id. Afterwards it has only the token.
//! * The **register** has the [requests](crate::request) of data subjects. While a request is open, the register has
//!   the host's own customer id or the person's address. Afterwards it has only the token.
//! * The [suppression list](SuppressionList) has keyed tokens of the identifiers of erased customers, each with a
//!   last day and nothing else. It uses its own key. It is a separate port, so it may also be in another database.
//! * [`Rations`] count, for all processes together, how many customers were erased under a standing approval.
//!
//! Each ledger adapter of this crate implements all of these ports, except for [`KeyRing`]. Keep the ledger's backups
//! apart from the backups of the customers: a restore of customers must not remove the proof that they were erased.
//!
//! The ledger names a customer by a [`SubjectToken`], a keyed digest. Only somebody who has the key and a customer's
//! id can find the entry again. Even so, a token is pseudonymous data (Recital 26 GDPR). So the ledger needs its own
//! retention rule.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::case::OutOfOrder;
pub use crate::case::{ByHand, DeactivationOutcome, Waiver};
use crate::digest::Digest;
use crate::plan::CaseId;
use crate::request::{OutOfTurn, RequestId};
use crate::treatment::Treatment;

mod case;
mod certificate;
mod copies;
mod entry;
mod find;
mod hold;
mod intake;
mod key_ring;
mod lease_clock;
mod memory;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod parts;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "checkpoints")]
pub mod proof;
mod ration;
mod register;
mod sealed;
#[cfg(feature = "sqlite")]
mod sqlite;
mod suppression;
#[cfg(feature = "checkpoints")]
mod tree;

pub use case::{
    CaseEvent, Claimed, Erasure, Expiry, Fence, Lease, ListedCase, NewCase, Opened, OpenedCases,
    ReviewedProfile, SavedCase, Task, WorkerId,
};
pub(crate) use certificate::uncovered;
pub use certificate::{Certificate, CertifiedClass, FileSlack, Verified};
pub use copies::{CopiesResult, CopiesSeen, PlaceSeen};
pub use entry::{
    About, BackupResidue, Circumstances, ClosedCase, Closing, Count, DeferredRecords, EndedEarly, Entry,
    EntryBody, ErasureResult, ErasureRules, ExpiredRecords, ExpiryResult, FoundRecords, GatewayResult,
    HandStep, LookedFor, MentionsResult, ProfileResult, RecipientResult, RecordedDuty, Rules, Scrubbed,
    WaivedStep,
};
pub use find::{EntryKey, Find};
pub use hold::{Held, Hold, HoldBook, HoldGround, HoldId, HoldOn, Signature, WhichHolds};
pub(crate) use intake::Running;
pub use intake::{ConfirmedIdentity, Intake};
pub(crate) use key_ring::{Epoch, Signed, TokenOf, epochs, tokens, tokens_of, write_customer};
pub use key_ring::{
    FileKeyRing, KeyCheck, KeyRing, KeyRingError, Mac, MacRequest, MemoryKeyRing, Messages, SubjectToken,
    TokenKey,
};
pub use memory::MemoryLedger;
#[cfg(feature = "postgres")]
pub use postgres::PostgresLedger;
pub use ration::{Ration, Rations, Taken};
pub use register::{Received, Register, RequestNote, SavedRequest, Standing, WhichRequests};
pub(crate) use sealed::Salts;
pub use sealed::Sealed;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteLedger;
pub use suppression::{Identifier, SuppressionKey, SuppressionList, SuppressionToken};

/// An error of the ledger. Without a ledger nothing is erased.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Another process has locked the ledger.
    #[error("{doing}: the ledger is locked by another process; try again later")]
    Busy {
        /// What was being done.
        doing: &'static str,
    },
    /// The ledger cannot be written to.
    #[error("{doing}: the ledger is read-only; give this process the right to write it and its folder")]
    ReadOnly {
        /// What was being done.
        doing: &'static str,
    },
    /// The ledger is damaged, or the file is not a ledger.
    #[error("{doing}: the ledger is damaged or no ledger; restore it, or name another file")]
    Corrupt {
        /// What was being done.
        doing: &'static str,
    },
    /// The ledger cannot be opened.
    #[error("{doing}: the ledger cannot be opened; check its path and permissions")]
    NotFound {
        /// What was being done.
        doing: &'static str,
    },
    /// The ledger was written by a later release.
    #[error("the ledger has format {found}, and this release reads {known}; use a later release")]
    Newer {
        /// The format found.
        found: i64,
        /// The format this release reads.
        known: i64,
    },
    /// The case book contains an impossible event. Another program wrote to the case book.
    #[error(
        "case {case} has impossible events; restore the case book, or find out which program wrote to it"
    )]
    OutOfOrder {
        /// The case.
        case: CaseId,
        /// What is wrong.
        source: OutOfOrder,
    },
    /// Another worker has claimed the case in the meantime. This worker's write was refused.
    #[error("another worker has claimed case {case}; leave the case to that worker")]
    LostClaim {
        /// The case.
        case: CaseId,
    },
    /// The server of the ledger cannot be reached, or ended the work.
    #[error("{doing}: {what}; try again when the server can be reached")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// What happened.
        what: String,
    },
    /// The register contains an impossible event. Another program wrote to the register.
    #[error(
        "request {request} has impossible events; restore the register, or find out which program wrote to it"
    )]
    OutOfTurn {
        /// The request.
        request: RequestId,
        /// What is wrong.
        source: OutOfTurn,
    },
    /// There is no such open case.
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

/// The case book stores open cases, their progress, and the claims of workers.
///
/// Any number of processes may work on one case book. Each case belongs to one worker at a time. The worker has a
/// [claim](Fence) that expires. The case book's own clock decides when a claim expires. If the case book is in a
/// database, this is the database's clock.
#[async_trait]
pub trait CaseBook: Debug + Send + Sync + 'static {
    /// Opens cases in one write, and claims them. Two open cases never have the same [unique key](Task::unique_key):
    /// a customer, for example, has at most one open case.
    ///
    /// **Idempotency:** a case that is open under the same id is [`Opened::Open`], and is claimed again if this
    /// worker had it. **Partial failure:** an error means that no case was opened. **Cancel safety:** all cases are
    /// open or none. **Errors:** [`LedgerError`].
    async fn open(&self, cases: &[NewCase], lease: &Lease) -> Result<OpenedCases, LedgerError>;

    /// Claims those of the cases that this worker may have: cases without a claim, cases with an expired lease, and
    /// cases that this worker has already. The others are not claimed.
    ///
    /// **Idempotency:** a repeated call gives a new claim, and the former claim is not valid any more. **Partial
    /// failure:** none. **Cancel safety:** the cases may be claimed or not; the lease expires. **Errors:**
    /// [`LedgerError`].
    async fn claim(&self, cases: &[CaseId], lease: &Lease) -> Result<Claimed, LedgerError>;

    /// Appends events to open cases in one write, and renews the lease.
    ///
    /// **Idempotency:** none. **Partial failure:** none: all or nothing. **Cancel safety:** all or nothing.
    /// **Errors:** [`LedgerError::NoSuchCase`] if a case is not open, [`LedgerError::LostClaim`] if another worker
    /// has claimed a case in the meantime.
    async fn record(&self, fence: Fence, events: &[CaseEvent]) -> Result<(), LedgerError>;

    /// Releases the claims on cases before the lease expires. Cases that another worker has claimed in the meantime
    /// are not touched.
    ///
    /// **Idempotency:** repeating does nothing. **Partial failure:** none: all or nothing. **Cancel safety:** all or
    /// nothing. **Errors:** [`LedgerError`].
    async fn release(&self, fence: Fence, cases: &[CaseId]) -> Result<(), LedgerError>;

    /// Up to `limit` open cases in the order of their ids, after the given id.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn list(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<ListedCase>, LedgerError>;
}

/// The append-only record of what was done.
///
/// An entry is a [text](EntryBody::to_text). The ledger stores the text unchanged under a number, and finds it by its
/// [keys](EntryBody::keys). An adapter may store more about an entry.
#[async_trait]
pub trait Ledger: CaseBook + HoldBook + Rations + Register {
    /// Closes cases: appends one entry per case and deletes the cases from the case book, in one write. Only the
    /// worker with the claim can close a case.
    ///
    /// **Idempotency:** if a case is closed already, its first entry stays and is returned. **Partial failure:**
    /// none: all or nothing. **Cancel safety:** all or nothing. **Errors:** [`LedgerError::NoSuchCase`] if a case is
    /// neither open nor closed, [`LedgerError::LostClaim`] if another worker has claimed a case in the meantime.
    async fn close(&self, fence: Fence, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError>;

    /// Appends entries that belong to no case, in one write.
    ///
    /// **Idempotency:** repeating appends the entries again. **Partial failure:** none: all or nothing. **Cancel
    /// safety:** all or nothing. **Errors:** [`LedgerError`]. The entry of a closed case is refused: use
    /// [`close`](Self::close).
    async fn append(&self, entries: &[EntryBody]) -> Result<Vec<Entry>, LedgerError>;

    /// Up to `limit` entries in order, after the given number. Numbers start at 1 and have no gaps.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError>;

    /// The entry of a closed case.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError>;

    /// The entries that have at least one of the given keys.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn find(&self, find: &Find) -> Result<Vec<Entry>, LedgerError>;

    /// The treatment with a digest. The ledger keeps every treatment under which a case was ever opened.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError>;

    /// Every treatment under which a case was ever opened, each once, in any order. Their number depends on the
    /// versions of the policy, not on the number of cases.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn treatments(&self) -> Result<Vec<Arc<Treatment>>, LedgerError>;

    /// The number of the last entry, or 0.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`LedgerError`].
    async fn last(&self) -> Result<u64, LedgerError>;
}

/// Entries in order, after one number and up to another number: at least one entry, and at most `limit`.
///
/// # Errors
/// [`LedgerError::Corrupt`] if an entry is missing. Without this check a case could be overlooked.
pub(crate) async fn next_entries(
    ledger: &(impl Ledger + ?Sized),
    after: u64,
    through: u64,
    limit: usize,
) -> Result<Vec<Entry>, LedgerError> {
    let mut entries = ledger.entries(after, limit).await?;
    entries.retain(|entry| entry.seq <= through);
    let is_whole = entries.iter().map(|entry| entry.seq).eq((after + 1..).take(entries.len()));
    if is_whole && (!entries.is_empty() || after >= through) {
        Ok(entries)
    } else {
        Err(LedgerError::Corrupt { doing: "reading entries, of which one is missing" })
    }
}

/// Refuses entries of closed cases. Only [`Ledger::close`] may write them, because it checks the worker's claim.
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
        impl<T: Rations + ?Sized> Rations for $pointer<T> {
            async fn take(&self, rations: &[Ration], wanted: u64, least: u64) -> Result<Taken, LedgerError> {
                (**self).take(rations, wanted, least).await
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

            async fn treatments(&self) -> Result<Vec<Arc<Treatment>>, LedgerError> {
                (**self).treatments().await
            }

            async fn last(&self) -> Result<u64, LedgerError> {
                (**self).last().await
            }
        }
    )*};
}

forward_ledger!(Arc, Box);
