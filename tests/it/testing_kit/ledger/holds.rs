//! Saboteurs of a hold book.

use std::collections::BTreeSet;

use async_trait::async_trait;
use relinquish::ledger::{Hold, HoldBook, HoldId, LedgerError, WhichHolds};
use relinquish::testing::Law;

use super::Wrong;

#[async_trait]
impl HoldBook for Wrong {
    async fn place_hold(&self, hold: &Hold) -> Result<(), LedgerError> {
        if self.is(Law::HoldPlacedOnce)
            && let Some(before) = self.inner.hold(&hold.id).await?
        {
            self.otherwise.lock().unwrap().insert(before.id.clone(), hold.clone());
        }
        self.inner.place_hold(hold).await
    }

    async fn lift_hold(&self, lifted: &Hold) -> Result<bool, LedgerError> {
        match self.law {
            Law::HoldLifted => Ok(true),
            Law::HoldLiftedOnce => {
                if !self.inner.lift_hold(lifted).await? {
                    self.otherwise.lock().unwrap().insert(lifted.id.clone(), lifted.clone());
                }
                Ok(true)
            }
            _ => self.inner.lift_hold(lifted).await,
        }
    }

    async fn standing_holds(&self, keys: &BTreeSet<String>) -> Result<Vec<Hold>, LedgerError> {
        match self.law {
            // It finds what is held of anybody.
            Law::HoldsFoundByKey => self.inner.list_holds(WhichHolds::Standing, None, 100).await,
            _ => self.inner.standing_holds(keys).await,
        }
    }

    async fn hold(&self, id: &HoldId) -> Result<Option<Hold>, LedgerError> {
        if self.is(Law::HoldStands) {
            return Ok(None);
        }
        if let Some(hold) = self.otherwise.lock().unwrap().get(id) {
            return Ok(Some(hold.clone()));
        }
        self.inner.hold(id).await
    }

    async fn list_holds(
        &self,
        which: WhichHolds,
        after: Option<&HoldId>,
        limit: usize,
    ) -> Result<Vec<Hold>, LedgerError> {
        match self.law {
            Law::HoldsListed => self.inner.list_holds(WhichHolds::All, after, limit).await,
            _ => self.inner.list_holds(which, after, limit).await,
        }
    }
}
