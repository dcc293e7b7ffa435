//! Faults on the way to an adapter: a call that fails, an answer that is lost, or whatever a test puts around calls.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

mod backups;
mod gateway;
mod key_ring;
mod ledger;
mod recipient;
mod repository;
mod store;
mod suppression;

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails before anything was done.
    Error,
    /// It is carried out, and its answer is lost: an error comes instead.
    Lost,
}

/// What a test puts around the calls to an adapter. [`Faults`] is one: a plan by the names of the calls.
///
/// Whoever wants a call to wait, to happen in between, or never to come back, does that in its own `before` and `after`.
#[async_trait]
pub trait Interfere: Debug + Send + Sync + 'static {
    /// Right before a call, by the name of its method. `true`: the call fails, and does not reach the adapter.
    async fn before(&self, call: &'static str) -> bool;

    /// Once the call has taken effect, and before anybody hears of it. `true`: its answer is lost.
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

/// Which calls go wrong, and how: by the name of the method, and by how often it was called. Calls of one name are counted
/// together, whichever of the adapters behind the same plan they go to.
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
    /// Calls under way or done whose answer is to be lost.
    to_lose: BTreeMap<&'static str, usize>,
    happened: usize,
}

impl Faults {
    /// Nothing goes wrong; calls are counted.
    pub fn none() -> Self {
        Self::default()
    }

    /// The n-th call of a method goes wrong, counted from 1.
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

    /// Whether everything that was planned went wrong. A name that is no method's never does: a test had better ask.
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

/// An adapter of any port, with faults on the way to it. It is an adapter of the same ports.
///
/// A call that goes wrong as [`Fault::Error`] or [`Fault::Lost`] ends in the error by which the port says that it was not
/// reached, or that its answer did not come. A name is that of the method: `erase`, `close`, `macs`. The methods that only
/// say what an adapter is, such as `data_map`, never fail.
#[derive(Debug)]
pub struct Faulty<T> {
    inner: T,
    around: Arc<dyn Interfere>,
}

impl<T> Faulty<T> {
    /// An adapter, and what is put around its calls.
    pub fn new(inner: T, around: impl Interfere) -> Self {
        Self { inner, around: Arc::new(around) }
    }

    /// The adapter.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// One call: what comes before it, the call itself, and what comes before its answer.
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

/// What an injected fault says of itself.
fn said(fault: Fault) -> &'static str {
    match fault {
        Fault::Error => "a test made this call fail",
        Fault::Lost => "a test lost the answer of this call",
    }
}
