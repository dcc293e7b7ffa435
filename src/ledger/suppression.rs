//! The suppression list: keyed tokens of identifiers of erased customers, so that no importer brings anybody back.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{KeyCheck, LedgerError};
pub use crate::customer::{Identifier, SuppressionToken};

/// A key under which there are tokens in the list, by its epoch, and a value that tells it from another key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressionKey {
    /// The epoch.
    pub epoch: u32,
    /// The check value.
    pub check: KeyCheck,
}

/// Tokens of identifiers of erased customers, each with its last day.
///
/// The list has no case, no customer and no instant, and says nothing of which tokens came together. An adapter must not
/// add any, not even as an order of rows where it can help it. The list may be in the ledger's database or in another one.
/// It must not be in the backups of the customers: a restore must not take it back.
///
/// A token is kept up to and including its last day, and afterwards until [`forget_suppressed`](Self::forget_suppressed).
#[async_trait]
pub trait SuppressionList: Debug + Send + Sync + 'static {
    /// Adds tokens with one last day, and notes their key, in one write. A token that is in the list keeps the later of
    /// both days. A key that is noted under its epoch stays.
    ///
    /// **Idempotency:** repeating changes nothing. **Partial failure:** none: all or nothing. **Cancel safety:** all or
    /// nothing. **Errors:** [`LedgerError`].
    async fn suppress(
        &self,
        key: &SuppressionKey,
        tokens: &[SuppressionToken],
        until: NaiveDate,
    ) -> Result<(), LedgerError>;

    /// Which tokens are in the list and have a last day of `today` or later: one answer each, in order.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`LedgerError`].
    async fn suppressed(
        &self,
        tokens: &[SuppressionToken],
        today: NaiveDate,
    ) -> Result<Vec<bool>, LedgerError>;

    /// Takes tokens out of the list, in one write. The answer is the number of tokens that were there.
    ///
    /// **Idempotency:** repeating finds none. **Partial failure:** none: all or nothing. **Cancel safety:** all or
    /// nothing. **Errors:** [`LedgerError`].
    async fn unsuppress(&self, tokens: &[SuppressionToken]) -> Result<u64, LedgerError>;

    /// Deletes up to `limit` tokens whose last day is before a day. The answer is their number; 0 means that none is left.
    ///
    /// **Idempotency:** repeating deletes the next ones. **Partial failure:** none: all or nothing. **Cancel safety:** all
    /// or nothing. **Errors:** [`LedgerError`].
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
