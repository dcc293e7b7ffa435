//! The suppression lists of this crate, and one saboteur per law.

use std::sync::Mutex;

use async_trait::async_trait;
use chrono::NaiveDate;
use relinquish::ledger::{LedgerError, SuppressionKey, SuppressionList, SuppressionToken};
use relinquish::testing::{self, Law};
use relinquish::{MemoryLedger, SqliteLedger};

use super::assert_caught;

#[tokio::test]
async fn memory() {
    testing::suppression_list(|| async { MemoryLedger::new() }).await.unwrap();
}

#[tokio::test]
async fn sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let files = Mutex::new(0);
    let open = || {
        let mut number = files.lock().unwrap();
        *number += 1;
        let path = folder.path().join(format!("list-{number}.sqlite"));
        async { SqliteLedger::open(path).unwrap() }
    };
    testing::suppression_list(open).await.unwrap();
}

pub(super) const CAUGHT: &[Law] = &[
    Law::SuppressedToLastDay,
    Law::SuppressedInOrder,
    Law::SuppressedToLaterDay,
    Law::SuppressedTakenOut,
    Law::SuppressedForgotten,
    Law::SuppressionKeysKept,
];

#[tokio::test]
async fn whoever_breaks_a_law_is_caught_at_it() {
    for law in CAUGHT {
        let open = || async { Wrong { inner: MemoryLedger::new(), law: *law } };
        assert_caught(*law, testing::suppression_list(open).await);
    }
}

/// A list in memory that breaks one law.
#[derive(Debug)]
struct Wrong {
    inner: MemoryLedger,
    law: Law,
}

#[async_trait]
impl SuppressionList for Wrong {
    async fn suppress(
        &self,
        key: &SuppressionKey,
        tokens: &[SuppressionToken],
        until: NaiveDate,
    ) -> Result<(), LedgerError> {
        if self.law == Law::SuppressedToLaterDay {
            // The last day that was given counts.
            self.inner.unsuppress(tokens).await?;
        }
        self.inner.suppress(key, tokens, until).await
    }

    async fn suppressed(
        &self,
        tokens: &[SuppressionToken],
        today: NaiveDate,
    ) -> Result<Vec<bool>, LedgerError> {
        match self.law {
            Law::SuppressedToLastDay => self.inner.suppressed(tokens, today.succ_opt().unwrap()).await,
            Law::SuppressedInOrder => {
                let mut sorted = tokens.to_vec();
                sorted.sort();
                self.inner.suppressed(&sorted, today).await
            }
            _ => self.inner.suppressed(tokens, today).await,
        }
    }

    async fn unsuppress(&self, tokens: &[SuppressionToken]) -> Result<u64, LedgerError> {
        match self.law {
            Law::SuppressedTakenOut => Ok(tokens.len() as u64),
            _ => self.inner.unsuppress(tokens).await,
        }
    }

    async fn forget_suppressed(&self, ended_before: NaiveDate, limit: usize) -> Result<u64, LedgerError> {
        match self.law {
            Law::SuppressedForgotten => {
                self.inner.forget_suppressed(ended_before.succ_opt().unwrap(), limit).await
            }
            _ => self.inner.forget_suppressed(ended_before, limit).await,
        }
    }

    async fn suppression_keys(&self) -> Result<Vec<SuppressionKey>, LedgerError> {
        let mut keys = self.inner.suppression_keys().await?;
        if self.law == Law::SuppressionKeysKept {
            keys.reverse();
        }
        Ok(keys)
    }
}
