//! Injects faults into calls to a suppression list.

use async_trait::async_trait;
use chrono::NaiveDate;

use super::Faulty;
use super::ledger::lost;
use crate::ledger::{LedgerError, SuppressionKey, SuppressionList, SuppressionToken};

#[async_trait]
impl<T: SuppressionList> SuppressionList for Faulty<T> {
    async fn suppress(
        &self,
        key: &SuppressionKey,
        tokens: &[SuppressionToken],
        until: NaiveDate,
    ) -> Result<(), LedgerError> {
        let add = self.inner.suppress(key, tokens, until);
        self.call("suppress", add, lost("adding to the suppression list")).await
    }

    async fn suppressed(
        &self,
        tokens: &[SuppressionToken],
        today: NaiveDate,
    ) -> Result<Vec<bool>, LedgerError> {
        let read = self.inner.suppressed(tokens, today);
        self.call("suppressed", read, lost("reading the suppression list")).await
    }

    async fn unsuppress(&self, tokens: &[SuppressionToken]) -> Result<u64, LedgerError> {
        let remove = self.inner.unsuppress(tokens);
        self.call("unsuppress", remove, lost("taking out of the suppression list")).await
    }

    async fn forget_suppressed(&self, ended_before: NaiveDate, limit: usize) -> Result<u64, LedgerError> {
        let forget = self.inner.forget_suppressed(ended_before, limit);
        self.call("forget_suppressed", forget, lost("forgetting suppressed identifiers")).await
    }

    async fn suppression_keys(&self) -> Result<Vec<SuppressionKey>, LedgerError> {
        let read = self.inner.suppression_keys();
        self.call("suppression_keys", read, lost("reading the suppression list")).await
    }
}
