//! Ledgers that keep the hashes of their tree, and one saboteur per law.

use std::sync::Arc;

use async_trait::async_trait;
use relinquish::Digest;
use relinquish::ledger::proof::KeepsTree;
use relinquish::ledger::{
    CaseBook, CaseEvent, Claimed, ClosedCase, Entry, EntryBody, Fence, Find, Lease, Ledger, LedgerError,
    ListedCase, MemoryLedger, NewCase, OpenedCases, Ration, Rations, SqliteLedger, Taken,
};
use relinquish::plan::CaseId;
use relinquish::testing::{self, Law};
use relinquish::treatment::Treatment;

use super::assert_caught;

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

pub(super) const CAUGHT: &[Law] =
    &[Law::HashesKept, Law::HashesOfNobody, Law::HashesCounted, Law::HashesStay, Law::HashesWithoutGap];

#[tokio::test]
async fn whoever_breaks_a_law_is_caught_at_it() {
    for law in CAUGHT {
        let wrong = || async { Wrong { inner: MemoryLedger::new(), law: *law } };
        assert_caught(*law, testing::keeps_tree(wrong).await);
    }
}

/// A ledger in memory that breaks one law of the tree.
#[derive(Debug)]
struct Wrong {
    inner: MemoryLedger,
    law: Law,
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

#[async_trait]
impl Rations for Wrong {
    async fn take(&self, rations: &[Ration], wanted: u64, least: u64) -> Result<Taken, LedgerError> {
        self.inner.take(rations, wanted, least).await
    }
}

#[async_trait]
impl CaseBook for Wrong {
    async fn open(&self, cases: &[NewCase], lease: &Lease) -> Result<OpenedCases, LedgerError> {
        self.inner.open(cases, lease).await
    }

    async fn claim(&self, cases: &[CaseId], lease: &Lease) -> Result<Claimed, LedgerError> {
        self.inner.claim(cases, lease).await
    }

    async fn record(&self, fence: Fence, events: &[CaseEvent]) -> Result<(), LedgerError> {
        self.inner.record(fence, events).await
    }

    async fn release(&self, fence: Fence, cases: &[CaseId]) -> Result<(), LedgerError> {
        self.inner.release(fence, cases).await
    }

    async fn list(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<ListedCase>, LedgerError> {
        self.inner.list(after, limit).await
    }
}

#[async_trait]
impl Ledger for Wrong {
    async fn close(&self, fence: Fence, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError> {
        self.inner.close(fence, cases).await
    }

    async fn append(&self, entries: &[EntryBody]) -> Result<Vec<Entry>, LedgerError> {
        self.inner.append(entries).await
    }

    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        self.inner.entries(after, limit).await
    }

    async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError> {
        self.inner.entry(case).await
    }

    async fn find(&self, find: &Find) -> Result<Vec<Entry>, LedgerError> {
        self.inner.find(find).await
    }

    async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError> {
        self.inner.treatment(digest).await
    }

    async fn treatments(&self) -> Result<Vec<Arc<Treatment>>, LedgerError> {
        self.inner.treatments().await
    }

    async fn last(&self) -> Result<u64, LedgerError> {
        self.inner.last().await
    }
}
