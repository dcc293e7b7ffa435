//! The suppression list: keyed tokens of the identifiers of erased customers. With it, an importer can avoid storing
//! an erased person again.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{KeyCheck, LedgerError};
pub use crate::customer::{Identifier, SuppressionToken};

/// A key that was used for tokens of the list: its epoch, and a check value that identifies the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressionKey {
    /// The epoch.
    pub epoch: u32,
    /// The check value.
    pub check: KeyCheck,
}

/// Tokens of identifiers of erased customers, each with its last day.
///
/// The list contains no case, customer or instant, and does not show which tokens were added together. An adapter
/// must not store such data either, and should avoid an order of rows that reveals them. The list may be in the
/// ledger's database or in another one. It must not be in the backups of the customers, so that a restore does not
/// undo it.
///
/// A token is in force up to and including its last day. It is stored until
/// [`forget_suppressed`](Self::forget_suppressed) deletes it.
#[async_trait]
pub trait SuppressionList: Debug + Send + Sync + 'static {
    /// Adds tokens with one last day, and records their key, in one write. If a token is in the list already, it
    /// keeps the later of both days. If a key is recorded for the epoch already, it is not changed.
    ///
    /// **Idempotency:** a repeated call changes nothing. **Partial failure:** none: all or nothing. **Cancel
    /// safety:** all or nothing. **Errors:** [`LedgerError`].
    async fn suppress(
        &self,
        key: &SuppressionKey,
        tokens: &[SuppressionToken],
        until: NaiveDate,
    ) -> Result<(), LedgerError>;

    /// Whether each token is in the list with a last day of `today` or later: one answer each, in order.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`LedgerError`].
    async fn suppressed(
        &self,
        tokens: &[SuppressionToken],
        today: NaiveDate,
    ) -> Result<Vec<bool>, LedgerError>;

    /// Removes tokens from the list, in one write. Returns the number of tokens that were there.
    ///
    /// **Idempotency:** a repeated call finds no token. **Partial failure:** none: all or nothing. **Cancel safety:**
    /// all or nothing. **Errors:** [`LedgerError`].
    async fn unsuppress(&self, tokens: &[SuppressionToken]) -> Result<u64, LedgerError>;

    /// Deletes up to `limit` tokens whose last day is before a day. Returns their number. 0 means that none is left.
    ///
    /// **Idempotency:** a repeated call deletes the next tokens. **Partial failure:** none: all or nothing. **Cancel
    /// safety:** all or nothing. **Errors:** [`LedgerError`].
    async fn forget_suppressed(&self, ended_before: NaiveDate, limit: usize) -> Result<u64, LedgerError>;

    /// The keys under which tokens were added, in the order of their epochs.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`LedgerError`].
    async fn suppression_keys(&self) -> Result<Vec<SuppressionKey>, LedgerError>;
}

macro_rules! forward_list {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: SuppressionList + ?Sized> SuppressionList for $pointer<T> {
            async fn suppress(
                &self,
                key: &SuppressionKey,
                tokens: &[SuppressionToken],
                until: NaiveDate,
            ) -> Result<(), LedgerError> {
                (**self).suppress(key, tokens, until).await
            }

            async fn suppressed(
                &self,
                tokens: &[SuppressionToken],
                today: NaiveDate,
            ) -> Result<Vec<bool>, LedgerError> {
                (**self).suppressed(tokens, today).await
            }

            async fn unsuppress(&self, tokens: &[SuppressionToken]) -> Result<u64, LedgerError> {
                (**self).unsuppress(tokens).await
            }

            async fn forget_suppressed(
                &self,
                ended_before: NaiveDate,
                limit: usize,
            ) -> Result<u64, LedgerError> {
                (**self).forget_suppressed(ended_before, limit).await
            }

            async fn suppression_keys(&self) -> Result<Vec<SuppressionKey>, LedgerError> {
                (**self).suppression_keys().await
            }
        }
    )*};
}

forward_list!(Arc, Box);
