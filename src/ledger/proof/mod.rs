//! Proves that nobody changed the ledger. A Merkle tree covers its entries, checkpoints are signed, and certificates
//! can be checked without the ledger.
//!
//! The entries of a ledger are the leaves of a Merkle tree ([RFC 6962](https://www.rfc-editor.org/rfc/rfc6962),
//! section 2.1). A [`Checkpoint`] is the size of the tree and its root, signed by a [`Signer`], in the form of the
//! [C2SP](https://c2sp.org/tlog-checkpoint). Anybody who has a checkpoint can check later that nobody has changed,
//! removed, inserted or reordered an entry that it covers.
//!
//! **Store checkpoints elsewhere.** Somebody who can write the ledger, and has the only checkpoint, can replace both.
//! There are three ways to prevent this: commit each checkpoint to a repository of another team; send it by mail to
//! the auditor or to yourself; or put it into a bucket where objects cannot be overwritten. A checkpoint contains no
//! personal data. Entries after the last checkpoint that is stored elsewhere are not protected.
//!
//! ```
//! use relinquish::ledger::proof::{self, Checkpoint, FileSigner, Signer as _};
//! use relinquish::ledger::{EntryBody, Ledger as _, MemoryLedger, Scrubbed};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! # let folder = tempfile::tempdir()?;
//! # let ledger = MemoryLedger::new();
//! # ledger.append(&[EntryBody::Scrubbed(Scrubbed { through: 0, at: "2026-11-30T12:00:00Z".parse()? })]).await?;
//! // Once: make a key. Store the public key beside the checkpoints.
//! let signer = FileSigner::create(folder.path().join("ledger.signer"), "erasures.example.com")?;
//! let public_key = signer.public_key().to_string();
//!
//! // Every day: take a checkpoint, and store it elsewhere. It is checked against the previous checkpoint.
//! let before = Checkpoint::take(&ledger, &signer, None).await?.to_string();
//! let before = Checkpoint::read(&before, &public_key.parse()?)?;
//! let today = Checkpoint::take(&ledger, &signer, Some(&before)).await?;
//!
//! // At any time: export the ledger, and check the export against a checkpoint, without the ledger.
//! let mut exported = Vec::new();
//! proof::export(&ledger, &mut exported).await?;
//! let verified = proof::verify_export(exported.as_slice(), &today)?;
//! assert_eq!((verified.entries, verified.unprotected), (1, 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::tree::{Leaves, Peaks, Place};
use super::{Ledger, LedgerError, next_entries};
use crate::digest::Digest;

mod certificate;
mod checkpoint;
mod export;
mod signer;

pub use certificate::{ProvenCertificate, VerifiedCertificate};
pub use checkpoint::Checkpoint;
pub use export::{VerifiedExport, export, verify_export};
pub use signer::{FileSigner, PublicKey, Signature, Signer, SignerError};

/// The number of entries whose leaves are read at once.
const ENTRIES: usize = 1_000;

/// The reason why a proof failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The signer does not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The text is no checkpoint, no export or no certificate.
    #[error("{what}, line {line}: {why}")]
    Malformed {
        /// The kind of text: `checkpoint`, `export` or `certificate`.
        what: &'static str,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// The signature is missing, or was not made with this key.
    #[error(
        "the checkpoint has no valid signature of the key {key}; ask for the checkpoint that the signer gave, or for its key"
    )]
    NotSigned {
        /// The name of the key.
        key: String,
    },
    /// The ledger has fewer entries than the checkpoint covers: somebody has removed the last ones.
    #[error(
        "the ledger ends with entry {last}, and the checkpoint covers {covered}: entries were removed, or an old copy of the \
         ledger was restored; use the ledger that was in use last"
    )]
    CutOff {
        /// The number of the last entry.
        last: u64,
        /// The number of entries that the checkpoint covers.
        covered: u64,
    },
    /// The ledger has other entries than the checkpoint.
    #[error(
        "the first {covered} entries are not those of the checkpoint: an entry was changed, inserted, removed or reordered; \
         compare with a copy of the ledger from the time of the checkpoint"
    )]
    OtherEntries {
        /// The number of entries that the checkpoint covers.
        covered: u64,
    },
    /// The checkpoint is older than the entry.
    #[error("entry {entry} came after the checkpoint, which covers {covered}; take another checkpoint")]
    NotCovered {
        /// The number of the entry.
        entry: u64,
        /// The number of entries that the checkpoint covers.
        covered: u64,
    },
    /// The parts of a certificate do not belong together.
    #[error("the certificate says something else than the entry of the ledger: {what}")]
    OtherCertificate {
        /// What differs.
        what: &'static str,
    },
}

/// A ledger that stores the hashes of its tree. So a proof reads a few rows instead of all entries.
///
/// The ledger only stores the hashes. They need not be trusted: a proof with wrong hashes does not lead to the root
/// of a checkpoint.
#[async_trait]
pub trait KeepsTree: Ledger {
    /// The number of the last entry with stored hashes, or 0.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`LedgerError`].
    async fn hashed(&self) -> Result<u64, LedgerError>;

    /// Stores the hashes of complete subtrees. `hashes` has one list for each entry after the given number, in order:
    /// the subtrees that end with this entry, the smallest first. Hashes that are stored already are not changed.
    ///
    /// **Idempotency:** repeating does nothing. **Partial failure:** none: all or nothing. **Cancel safety:** all or
    /// nothing. **Errors:** [`LedgerError::Failed`] if the hashes of an earlier entry are missing.
    async fn keep_hashes(&self, after: u64, hashes: &[Vec<Digest>]) -> Result<(), LedgerError>;

    /// The stored hashes of each of these entries, in the order of the request. Empty for an entry without hashes.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`LedgerError`].
    async fn hashes(&self, entries: &[u64]) -> Result<Vec<Vec<Digest>>, LedgerError>;
}

macro_rules! forward_tree {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: KeepsTree + ?Sized> KeepsTree for $pointer<T> {
            async fn hashed(&self) -> Result<u64, LedgerError> {
                (**self).hashed().await
            }

            async fn keep_hashes(&self, after: u64, hashes: &[Vec<Digest>]) -> Result<(), LedgerError> {
                (**self).keep_hashes(after, hashes).await
            }

            async fn hashes(&self, entries: &[u64]) -> Result<Vec<Vec<Digest>>, LedgerError> {
                (**self).hashes(entries).await
            }
        }
    )*};
}

forward_tree!(Arc, Box);

/// How many of the given hashes are stored already. `after`: the entry before the first of them. `hashed`: the last
/// entry with stored hashes.
///
/// # Errors
/// [`LedgerError::Failed`] if an entry would be left out.
pub(super) fn known(after: u64, hashed: u64) -> Result<usize, LedgerError> {
    match hashed.checked_sub(after) {
        Some(known) => Ok(usize::try_from(known).unwrap_or(usize::MAX)),
        None => Err(LedgerError::Failed {
            doing: "keeping hashes of the tree",
            what: format!("the last entry with hashes is {hashed}, and not {after}"),
        }),
    }
}

/// The hashes that were read from a ledger.
struct Hashes(HashMap<u64, Vec<Digest>>);

const DAMAGED: LedgerError = LedgerError::Corrupt { doing: "reading the tree of the ledger" };

impl Hashes {
    async fn of(ledger: &dyn KeepsTree, places: &[Place]) -> Result<Self, LedgerError> {
        let mut ends: Vec<u64> = places.iter().map(|place| place.end).collect();
        ends.sort_unstable();
        ends.dedup();
        let hashes = ledger.hashes(&ends).await?;
        Ok(Self(ends.into_iter().zip(hashes).collect()))
    }

    fn get(&self, place: Place) -> Option<Digest> {
        self.0.get(&place.end)?.get(usize::try_from(place.level).ok()?).copied()
    }
}

/// The hash over each range of leaves.
async fn path(ledger: &dyn KeepsTree, ranges: &[Leaves]) -> Result<Vec<Digest>, LedgerError> {
    let mut places = Vec::new();
    for leaves in ranges {
        leaves.places(&mut places);
    }
    let hashes = Hashes::of(ledger, &places).await?;
    ranges.iter().map(|leaves| leaves.hash(&|place| hashes.get(place)).ok_or(DAMAGED)).collect()
}

/// Hashes new entries, and returns the tree over all entries.
async fn grown(ledger: &dyn KeepsTree) -> Result<Peaks, ProofError> {
    let last = ledger.last().await?;
    let covered = ledger.hashed().await?;
    if covered > last {
        // Entries were removed, but their hashes are still there.
        return Err(ProofError::CutOff { last, covered });
    }
    let hashes = Hashes::of(ledger, &Peaks::places(covered)).await?;
    let mut peaks = Peaks::of(covered, |place| hashes.get(place)).ok_or(DAMAGED)?;
    while peaks.size() < last {
        let after = peaks.size();
        let mut kept = Vec::new();
        for entry in next_entries(ledger, after, last, ENTRIES).await? {
            kept.push(peaks.push(entry.body.leaf()?));
        }
        ledger.keep_hashes(after, &kept).await?;
    }
    Ok(peaks)
}
