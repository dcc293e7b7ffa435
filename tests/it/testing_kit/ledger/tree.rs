//! Ledgers that keep the hashes of their tree, and one saboteur per law.

use std::sync::Arc;

use async_trait::async_trait;
use relinquish::Digest;
use relinquish::ledger::proof::KeepsTree;
use relinquish::ledger::{LedgerError, MemoryLedger, SqliteLedger};
use relinquish::testing::{self, Law, ManualClock};

use super::Wrong;
use crate::hosts;
use crate::testing_kit::assert_caught;

#[tokio::test]
async fn memory() {
    testing::keeps_tree(|| async { MemoryLedger::new() }).await.unwrap();
}

#[tokio::test]
async fn sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    testing::keeps_tree(|| async { SqliteLedger::open(&path).unwrap() }).await.unwrap();
}

pub(in crate::testing_kit) const CAUGHT: &[Law] =
    &[Law::HashesKept, Law::HashesOfNobody, Law::HashesCounted, Law::HashesStay, Law::HashesWithoutGap];

#[tokio::test]
async fn whoever_breaks_a_law_is_caught_at_it() {
    for law in CAUGHT {
        let wrong = || async { Wrong::new(*law, Arc::new(ManualClock::at(hosts::now()))) };
        assert_caught(*law, testing::keeps_tree(wrong).await);
    }
}

#[async_trait]
impl KeepsTree for Wrong {
    async fn hashed(&self) -> Result<u64, LedgerError> {
        let hashed = self.inner.hashed().await?;
        Ok(if self.law == Law::HashesCounted { hashed + 1 } else { hashed })
    }

    async fn keep_hashes(&self, after: u64, hashes: &[Vec<Digest>]) -> Result<(), LedgerError> {
        let last = self.inner.hashed().await?;
        match self.law {
            Law::HashesWithoutGap if after > last => Ok(()),
            // It keeps nothing if some of it is kept already.
            Law::HashesStay if after < last => {
                let known = usize::try_from(last - after).unwrap();
                let again = vec![Vec::new(); hashes.len() - known];
                self.inner.keep_hashes(last, &again).await
            }
            _ => self.inner.keep_hashes(after, hashes).await,
        }
    }

    async fn hashes(&self, entries: &[u64]) -> Result<Vec<Vec<Digest>>, LedgerError> {
        let mut asked = entries.to_vec();
        match self.law {
            Law::HashesKept => asked.reverse(),
            Law::HashesOfNobody => asked.iter_mut().for_each(|entry| *entry = (*entry).clamp(1, 8)),
            _ => {}
        }
        self.inner.hashes(&asked).await
    }
}
