//! Wrapped ports that stop the work at a boundary. A boundary is before a call, or after its effect and before its
//! answer arrives.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::future::{self, Either};
use relinquish::testing::Interfere;
use tokio::sync::Notify;

/// Counts boundaries. The work never gets past the chosen boundary.
pub(crate) struct Tripwire {
    pub(crate) passed: AtomicUsize,
    dies_at: usize,
    died: Notify,
    /// What happens at the boundary instead of stopping.
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

    /// Does something else at a boundary, and then continues.
    pub(crate) fn meanwhile(at: usize, what: impl Future<Output = ()> + Send + 'static) -> Arc<Self> {
        let wire = Self::at(at);
        *wire.meanwhile.lock().unwrap() = Some(Box::pin(what));
        wire
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

/// Each call has two boundaries: before it, and between its effect and its answer.
#[async_trait]
impl Interfere for Tripwire {
    async fn before(&self, _: &'static str) -> bool {
        self.boundary().await;
        false
    }

    async fn after(&self, _: &'static str) -> bool {
        self.boundary().await;
        false
    }
}

/// Runs the work until it ends or reaches the chosen boundary. `None` if it reached the boundary.
pub(crate) async fn until_death<T>(wire: &Tripwire, work: impl Future<Output = T>) -> Option<T> {
    let work = std::pin::pin!(work);
    let died = std::pin::pin!(wire.died.notified());
    match future::select(work, died).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}

pub(crate) const NEVER: usize = usize::MAX;
