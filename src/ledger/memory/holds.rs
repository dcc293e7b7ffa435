//! Holds in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::MemoryLedger;
use crate::ledger::{Hold, HoldBook, HoldId, LedgerError, WhichHolds};

#[async_trait]
impl HoldBook for MemoryLedger {
    async fn place_hold(&self, hold: &Hold) -> Result<(), LedgerError> {
        self.lock().placed.entry(hold.id.clone()).or_insert_with(|| hold.clone());
        Ok(())
    }

    async fn lift_hold(&self, lifted: &Hold) -> Result<bool, LedgerError> {
        let mut state = self.lock();
        let standing = state.placed.get_mut(&lifted.id).filter(|hold| hold.stands());
        Ok(standing.map(|hold| hold.clone_from(lifted)).is_some())
    }

    async fn standing_holds(&self, keys: &BTreeSet<String>) -> Result<Vec<Hold>, LedgerError> {
        let state = self.lock();
        let is_sought = |hold: &&Hold| hold.stands() && hold.on.key().is_some_and(|key| keys.contains(&key));
        Ok(state.placed.values().filter(is_sought).cloned().collect())
    }

    async fn hold(&self, id: &HoldId) -> Result<Option<Hold>, LedgerError> {
        Ok(self.lock().placed.get(id).cloned())
    }

    async fn list_holds(
        &self,
        which: WhichHolds,
        after: Option<&HoldId>,
        limit: usize,
    ) -> Result<Vec<Hold>, LedgerError> {
        let state = self.lock();
        let holds = state.placed.values().filter(|hold| which == WhichHolds::All || hold.stands());
        let holds = holds.filter(|hold| after.is_none_or(|after| hold.id > *after));
        Ok(holds.take(limit).cloned().collect())
    }
}
