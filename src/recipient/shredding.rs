//! Crypto-shredding: encrypted data of a person are erased by destroying the person's key.

use std::fmt::{self, Debug};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future;

use super::{
    Answers, Notice, Pending, Receipt, Recipient, RecipientAnswer, RecipientError, RecipientName,
    RecipientOutcome,
};

/// Where a copy of a person's key may be, after the key was destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KeyLocation {
    /// The table of the wrapped keys: its replicas, and its old row versions.
    Table,
    /// Backups of this table.
    Backups,
    /// Caches of unwrapped keys in running processes.
    Caches,
    /// The key management service, during its waiting period. Somebody with the permission could still cancel the
    /// deletion.
    WaitingPeriod,
}

impl fmt::Display for KeyLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Table => "the table of wrapped keys",
            Self::Backups => "backups of the wrapped keys",
            Self::Caches => "caches of unwrapped keys",
            Self::WaitingPeriod => "the waiting period of the key management service",
        })
    }
}

/// A copy of a destroyed key that is still somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyCopy {
    /// Where the copy is.
    pub location: KeyLocation,
    /// When the copy will be gone. `None`: not known yet.
    pub until: Option<DateTime<Utc>>,
}

/// The remaining copies of a destroyed key. An empty list: none is left.
pub type KeyCopies = Vec<KeyCopy>;

/// The keys of people in the host's key management service. Each person has one key, and the person's events or files
/// are encrypted with it.
#[async_trait]
pub trait PersonKeys: Debug + Send + Sync + 'static {
    /// Destroys the key of a person, or schedules its destruction. From then on nothing may be encrypted or decrypted
    /// with it. Returns a receipt for [`copies`](Self::copies), such as the id of the key. The receipt must reveal
    /// nothing about the person. `None`: the person never had a key, or no copy of the key is left anywhere.
    ///
    /// **Idempotency:** a key that was destroyed before gives its receipt again. **Partial failure:** none. **Cancel
    /// safety:** after the future was dropped, the key may be destroyed or not: call this again. **Errors:**
    /// [`RecipientError`].
    async fn destroy(&self, notice: &Notice) -> Result<Option<Receipt>, RecipientError>;

    /// The remaining copies of a destroyed key: in the table of wrapped keys and its backups, in caches, or in the
    /// service during its waiting period.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:**
    /// [`RecipientError`]. Also an error if it is unknown whether a copy is left.
    async fn copies(&self, receipt: &Receipt, now: DateTime<Utc>) -> Result<KeyCopies, RecipientError>;
}

/// A recipient with encrypted data of people: an append-only event log, a data lake, tapes. The encrypted data stay
/// there. Nobody can read them once the last copy of the person's key is gone.
///
/// The recipient *accepts* a notice when the key is destroyed. It *confirms* when no copy of the key is left. Until then
/// the case stays open, and [`Retries::accepted_for`](crate::engine::Retries::accepted_for) of the worker must be
/// longer than the longest backup.
///
/// The data must be encrypted only with the person's key. Unencrypted data beside the ciphertext (the key's id, the
/// kind of event, the time) stay.
#[derive(Debug)]
pub struct ShreddingRecipient<K> {
    name: RecipientName,
    keys: K,
    longest: Duration,
}

/// The number of keys in one call. They are destroyed at the same time.
const AT_ONCE: usize = 16;

impl<K: PersonKeys> ShreddingRecipient<K> {
    /// Makes a recipient with its name in the data map. `longest`: the longest duration of [`PersonKeys::destroy`]
    /// and [`PersonKeys::copies`] together.
    pub fn new(name: impl Into<RecipientName>, keys: K, longest: Duration) -> Self {
        Self { name: name.into(), keys, longest }
    }

    /// The keys.
    pub fn keys(&self) -> &K {
        &self.keys
    }

    async fn shred(&self, notice: &Notice, now: DateTime<Utc>) -> Result<RecipientAnswer, RecipientError> {
        match self.keys.destroy(notice).await? {
            Some(receipt) => self.look(&receipt, now).await,
            None => Ok(RecipientOutcome::NothingThere.into()),
        }
    }

    /// Looks for copies of a key. The answer is "confirmed" only if no copy is left.
    async fn look(&self, receipt: &Receipt, now: DateTime<Utc>) -> Result<RecipientAnswer, RecipientError> {
        let copies = self.keys.copies(receipt, now).await?;
        if copies.is_empty() {
            return Ok(RecipientOutcome::Confirmed.into());
        }
        let last = copies.iter().map(|copy| copy.until).collect::<Option<Vec<_>>>();
        let last = last.and_then(|untils| untils.into_iter().max());
        let ask_again = last.map(|last| last.signed_duration_since(now).to_std().unwrap_or_default());
        let words = copies.iter().map(|KeyCopy { location, until }| match until {
            Some(until) => format!("{location} until {}", until.format("%F %H:%M UTC")),
            None => format!("{location}, with no known end"),
        });
        let waits_for = Some(words.collect::<Vec<_>>().join("; "));
        Ok(RecipientOutcome::Accepted { receipt: receipt.clone(), ask_again, waits_for }.into())
    }
}

#[async_trait]
impl<K: PersonKeys> Recipient for ShreddingRecipient<K> {
    fn recipient(&self) -> &RecipientName {
        &self.name
    }

    fn max_batch(&self) -> usize {
        AT_ONCE
    }

    fn longest_call(&self) -> Duration {
        self.longest
    }

    async fn tell(&self, notices: &[Notice], now: DateTime<Utc>) -> Answers {
        future::join_all(notices.iter().map(|notice| self.shred(notice, now))).await
    }

    async fn poll(&self, pending: &[Pending], now: DateTime<Utc>) -> Answers {
        future::join_all(pending.iter().map(|task| self.look(&task.receipt, now))).await
    }
}
