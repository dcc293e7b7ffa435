//! Ports that die at a boundary: before a call, or after it took effect and before its answer arrived.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::future::{self, Either};
use relinquish::customer::Identifiers;
use relinquish::gateway::{
    AccountId, GatewayAnswer, GatewayError, ProfileErasure, ProfileId, ProfileState, Receipt,
};
use relinquish::ledger::{
    CaseBook, CaseEvent, Claimed, ClosedCase, Entry, EntryBody, Fence, Find, Lease, Ledger, LedgerError,
    ListedCase, NewCase, OpenedCases,
};
use relinquish::plan::CaseId;
use relinquish::store::{
    Batch, Deactivated, Deactivation, EraseRequest, Erased, Page, PageRequest, Reactivated, Reactivation,
    StoreError, TakeCensus, Tally, TallyRequest,
};
use relinquish::treatment::Treatment;
use relinquish::{
    Customer, CustomerId, CustomerStore, DataMap, Digest, GatewayName, PaymentGatewayEraser, RecordStore,
};
use tokio::sync::Notify;

/// Counts boundaries and never lets the chosen one pass.
pub(crate) struct Tripwire {
    pub(crate) passed: AtomicUsize,
    dies_at: usize,
    died: Notify,
    /// What happens at the boundary instead of death.
    meanwhile: Mutex<Option<Meanwhile>>,
}

type Meanwhile = Pin<Box<dyn Future<Output = ()> + Send>>;

impl std::fmt::Debug for Tripwire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tripwire").field("dies_at", &self.dies_at).finish_non_exhaustive()
    }
}

impl Tripwire {
    pub(crate) fn at(dies_at: usize) -> Arc<Self> {
        Arc::new(Self {
            passed: AtomicUsize::new(0),
            dies_at,
            died: Notify::new(),
            meanwhile: Mutex::new(None),
        })
    }

    /// Lets something else happen at a boundary, and goes on.
    pub(crate) fn meanwhile(at: usize, what: impl Future<Output = ()> + Send + 'static) -> Arc<Self> {
        let wire = Self::at(at);
        *wire.meanwhile.lock().unwrap() = Some(Box::pin(what));
        wire
    }

    /// One call: a boundary before it, and one between its effect and its answer.
    async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        self.boundary().await;
        let answer = call.await;
        self.boundary().await;
        answer
    }

    async fn boundary(&self) {
        if self.passed.fetch_add(1, Ordering::SeqCst) == self.dies_at {
            let meanwhile = self.meanwhile.lock().unwrap().take();
            if let Some(what) = meanwhile {
                return what.await;
            }
            self.died.notify_one();
            future::pending::<()>().await;
        }
    }
}

#[derive(Debug)]
pub(crate) struct Wired<T> {
    pub(crate) inner: T,
    pub(crate) wire: Arc<Tripwire>,
}

#[async_trait]
impl<T: CustomerStore> RecordStore for Wired<T> {
    fn data_map(&self) -> &DataMap {
        self.inner.data_map()
    }

    fn takes_census(&self) -> Option<&dyn TakeCensus> {
        self.inner.takes_census()
    }

    async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError> {
        self.wire.around(self.inner.tally(request)).await
    }

    async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError> {
        self.wire.around(self.inner.erase(request)).await
    }
}

#[async_trait]
impl<T: CustomerStore> CustomerStore for Wired<T> {
    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        self.wire.around(self.inner.facts(customers)).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        self.wire.around(self.inner.page(request)).await
    }

    async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError> {
        self.wire.around(self.inner.identifiers(customers)).await
    }

    async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError> {
        self.wire.around(self.inner.deactivate(batch)).await
    }

    async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError> {
        self.wire.around(self.inner.reactivate(batch)).await
    }
}

#[async_trait]
impl<T: PaymentGatewayEraser> PaymentGatewayEraser for Wired<T> {
    fn gateway(&self) -> &GatewayName {
        self.inner.gateway()
    }

    fn longest_call(&self) -> std::time::Duration {
        self.inner.longest_call()
    }

    async fn account(&self) -> Result<Option<AccountId>, GatewayError> {
        self.wire.around(self.inner.account()).await
    }

    async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError> {
        self.wire.around(self.inner.state(profile)).await
    }

    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError> {
        self.wire.around(self.inner.erase(erasure)).await
    }

    async fn poll(&self, receipt: &Receipt) -> Result<GatewayAnswer, GatewayError> {
        self.wire.around(self.inner.poll(receipt)).await
    }
}

#[async_trait]
impl<T: Ledger> CaseBook for Wired<T> {
    async fn open(&self, cases: &[NewCase], lease: &Lease) -> Result<OpenedCases, LedgerError> {
        self.wire.around(self.inner.open(cases, lease)).await
    }

    async fn claim(&self, cases: &[CaseId], lease: &Lease) -> Result<Claimed, LedgerError> {
        self.wire.around(self.inner.claim(cases, lease)).await
    }

    async fn record(&self, fence: Fence, events: &[CaseEvent]) -> Result<(), LedgerError> {
        self.wire.around(self.inner.record(fence, events)).await
    }

    async fn release(&self, fence: Fence, cases: &[CaseId]) -> Result<(), LedgerError> {
        self.wire.around(self.inner.release(fence, cases)).await
    }

    async fn list(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<ListedCase>, LedgerError> {
        self.wire.around(self.inner.list(after, limit)).await
    }
}

#[async_trait]
impl<T: Ledger> Ledger for Wired<T> {
    async fn close(&self, fence: Fence, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError> {
        self.wire.around(self.inner.close(fence, cases)).await
    }

    async fn append(&self, entries: &[EntryBody]) -> Result<Vec<Entry>, LedgerError> {
        self.wire.around(self.inner.append(entries)).await
    }

    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        self.wire.around(self.inner.entries(after, limit)).await
    }

    async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError> {
        self.wire.around(self.inner.entry(case)).await
    }

    async fn find(&self, find: &Find) -> Result<Vec<Entry>, LedgerError> {
        self.wire.around(self.inner.find(find)).await
    }

    async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError> {
        self.wire.around(self.inner.treatment(digest)).await
    }

    async fn last(&self) -> Result<u64, LedgerError> {
        self.wire.around(self.inner.last()).await
    }
}

/// Works until it is done or dies.
pub(crate) async fn until_death<T>(wire: &Tripwire, work: impl Future<Output = T>) -> Option<T> {
    let work = std::pin::pin!(work);
    let died = std::pin::pin!(wire.died.notified());
    match future::select(work, died).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}

pub(crate) const NEVER: usize = usize::MAX;
