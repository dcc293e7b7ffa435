//! The suppression list in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::NaiveDate;

use super::MemoryLedger;
use crate::ledger::{LedgerError, SuppressionKey, SuppressionList, SuppressionToken};

#[async_trait]
impl SuppressionList for MemoryLedger {
    async fn suppress(
        &self,
        key: &SuppressionKey,
        tokens: &[SuppressionToken],
        until: NaiveDate,
    ) -> Result<(), LedgerError> {
        let mut state = self.lock();
        state.suppression_keys.entry(key.epoch).or_insert_with(|| key.check.clone());
        for token in tokens {
            let last = state.suppressed.entry(*token).or_insert(until);
            *last = until.max(*last);
        }
        Ok(())
    }

    async fn suppressed(
        &self,
        tokens: &[SuppressionToken],
        today: NaiveDate,
    ) -> Result<Vec<bool>, LedgerError> {
        let state = self.lock();
        let is_known = |token| state.suppressed.get(token).is_some_and(|until| *until >= today);
        Ok(tokens.iter().map(is_known).collect())
    }

    async fn unsuppress(&self, tokens: &[SuppressionToken]) -> Result<u64, LedgerError> {
        let mut state = self.lock();
        Ok(tokens.iter().filter_map(|token| state.suppressed.remove(token)).count() as u64)
    }

    async fn forget_suppressed(&self, ended_before: NaiveDate, limit: usize) -> Result<u64, LedgerError> {
        let mut state = self.lock();
        let ended = state.suppressed.iter().filter(|(_, until)| **until < ended_before);
        let ended: BTreeSet<SuppressionToken> = ended.map(|(token, _)| *token).take(limit).collect();
        state.suppressed.retain(|token, _| !ended.contains(token));
        Ok(ended.len() as u64)
    }

    async fn suppression_keys(&self) -> Result<Vec<SuppressionKey>, LedgerError> {
        let state = self.lock();
        let keys = state.suppression_keys.iter();
        Ok(keys.map(|(epoch, check)| SuppressionKey { epoch: *epoch, check: check.clone() }).collect())
    }
}
