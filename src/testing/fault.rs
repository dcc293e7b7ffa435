//! Injects faults into calls to an adapter: a call fails, or its answer is lost. A test can also do other things
//! before and after a call.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

mod backups;
mod gateway;
mod key_ring;
mod ledger;
mod mentions;
mod recipient;
mod repository;
mod store;
mod suppression;

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call fails before anything was done.
    Error,
    /// The call is carried out, but its answer is lost. The caller gets an error.
    Lost,
}

/// Code of a test that runs before and after each call to an adapter. [`Faults`] implements it with a list of faults.
///
/// Implement it yourself to delay a call, to do something between two calls, or to let a call never return.
#[async_trait]
pub trait Interfere: Debug + Send + Sync + 'static {
    /// Runs right before a call, with the name of its method. `true`: the call fails, and does not reach the adapter.
    async fn before(&self, call: &'static str) -> bool;

    /// Runs after the call has taken effect, and before the caller gets the answer. `true`: the answer is lost.
    async fn after(&self, call: &'static str) -> bool;
}

#[async_trait]
impl<T: Interfere + ?Sized> Interfere for Arc<T> {
    async fn before(&self, call: &'static str) -> bool {
        (**self).before(call).await
    }

    async fn after(&self, call: &'static str) -> bool {
        (**self).after(call).await
    }
}

/// A list of faults. Each names a method, the number of the call, and the kind of fault. If several adapters share a
/// list, their calls of one method are counted together.
///
/// ```
/// use std::sync::Arc;
/// use relinquish::gateway::{MemoryGateway, PaymentGatewayEraser};
/// use relinquish::testing::{Fault, Faults, Faulty};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// // The second look at a profile fails.
/// let faults = Arc::new(Faults::at("state", 2, Fault::Error));
/// let gateway = Faulty::new(MemoryGateway::new("cards"), Arc::clone(&faults));
/// assert!(gateway.state(&"profile-1".into()).await.is_ok());
/// assert!(gateway.state(&"profile-1".into()).await.is_err());
/// assert!(gateway.state(&"profile-1".into()).await.is_ok());
/// assert!(faults.have_happened());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Faults {
    plan: BTreeMap<(&'static str, usize), Fault>,
    begun: Mutex<Begun>,
}

#[derive(Debug, Default)]
struct Begun {
    calls: BTreeMap<&'static str, usize>,
    /// The number of calls in progress whose answer will be lost, by method.
    to_lose: BTreeMap<&'static str, usize>,
    happened: usize,
}

impl Faults {
    /// No faults. Calls are only counted.
    pub fn none() -> Self {
        Self::default()
    }

    /// A fault in the n-th call of a method, counted from 1.
    pub fn at(call: &'static str, nth: usize, fault: Fault) -> Self {
        Self::none().and(call, nth, fault)
    }

    /// And another one.
    #[must_use]
    pub fn and(mut self, call: &'static str, nth: usize, fault: Fault) -> Self {
        self.plan.insert((call, nth), fault);
        self
    }

    /// How often a method was called.
    pub fn calls(&self, call: &str) -> usize {
        self.lock().calls.get(call).copied().unwrap_or(0)
    }

    /// Whether all faults have happened. A test should check this, because a fault with a misspelled method never
    /// happens.
    pub fn have_happened(&self) -> bool {
        self.lock().happened == self.plan.len()
    }

    fn lock(&self) -> MutexGuard<'_, Begun> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Interfere for Faults {
    async fn before(&self, call: &'static str) -> bool {
        let mut begun = self.lock();
        let count = begun.calls.entry(call).or_default();
        *count += 1;
        match self.plan.get(&(call, *count)) {
            None => false,
            Some(Fault::Error) => {
                begun.happened += 1;
                true
            }
            Some(Fault::Lost) => {
                *begun.to_lose.entry(call).or_default() += 1;
                false
            }
        }
    }

    async fn after(&self, call: &'static str) -> bool {
        let mut begun = self.lock();
        let is_lost = match begun.to_lose.get_mut(call) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        };
        begun.happened += usize::from(is_lost);
        is_lost
    }
}

/// Wraps an adapter of any port, and injects faults into its calls. The wrapper implements the same ports.
///
/// A call with a fault returns the port's error for "not reached" or "no answer". Calls are named by their method:
/// `erase`, `close`, `macs`. Methods that only describe the adapter, such as `data_map`, never fail.
#[derive(Debug)]
pub struct Faulty<T> {
    inner: T,
    around: Arc<dyn Interfere>,
}

impl<T> Faulty<T> {
    /// Wraps an adapter. `around` runs before and after its calls.
    pub fn new(inner: T, around: impl Interfere) -> Self {
        Self { inner, around: Arc::new(around) }
    }

    /// The adapter.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// Makes one call, with the test's code before and after it.
    async fn call<A, E>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<A, E>> + Send,
        error: impl Fn(Fault) -> E + Send,
    ) -> Result<A, E> {
        if self.around.before(name).await {
            return Err(error(Fault::Error));
        }
        let answer = call.await;
        if self.around.after(name).await { Err(error(Fault::Lost)) } else { answer }
    }
}

/// The text of an injected fault.
fn said(fault: Fault) -> &'static str {
    match fault {
        Fault::Error => "a test made this call fail",
        Fault::Lost => "a test lost the answer of this call",
    }
}
