//! The operator's console of [`relinquish`]: pages that a host mounts as one [`tower_service::Service`].
//!
//! The console is rendered on the server, needs no script, and uses the public API of [`relinquish`] only. The host
//! brings three things:
//!
//! * **The operator.** The host signs operators in, and puts an [`Operator`] into the extensions of each request.
//!   Without one, no route answers.
//! * **A key** that all processes of the host share: [`ConsoleKey`].
//! * **An engine** with an [access log](relinquish::engine::AccessLog). Names and addresses are shown, and exports
//!   are written, only after the host has recorded who looks at them and why.
//!
//! The console opens cases; the host's [worker](relinquish::Engine::worker) finishes them.
//!
//! ```
//! use relinquish::Engine;
//! use relinquish_console::{Console, ConsoleKey};
//!
//! fn console(engine: Engine, key: ConsoleKey) -> Console {
//!     // With axum: Router::new().nest_service("/erasure", console(engine, key)). See `examples/service`.
//!     let spawner = |work| {
//!         tokio::spawn(work);
//!     };
//!     Console::builder(engine, key, spawner).mounted_at("/erasure").build()
//! }
//! ```
//!
//! # Protections
//! * A form has a token for its operator, form, matter and time. It must come from a page of the same origin.
//! * No script runs, no other page can frame the console, and nothing is cached.
//! * No id, name or address of a person is in an address, a title or a log. A person's page has a sealed reference.
//! * The console says clearly what cannot be undone, and the operator confirms it by typing a value. An approval is
//!   for the digest that was shown. If anything has changed since, the new plan is shown instead.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::Full;
use relinquish::Engine;
use relinquish::engine::{Clock, SystemClock};
use relinquish::ledger::proof::{KeepsTree, Signer};
use relinquish::plan::letter;

mod answer;
mod auth;
mod chart;
mod desk;
mod fields;
mod layout;
mod origin;
mod route;
mod screens;
mod seal;
mod secret;
mod survey;
mod token;
mod tried;
mod visit;
mod words;

pub use auth::{Operator, Right};
pub use secret::ConsoleKey;

/// Work that the console starts in the background: surveys, runs and expiries.
pub type Work = BoxFuture<'static, ()>;

/// The console, as a service that a host mounts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Console {
    shared: Arc<Shared>,
}

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) key: ConsoleKey,
    pub(crate) base: String,
    pub(crate) origin: Option<String>,
    pub(crate) sign_out: Option<String>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) letters: Option<(letter::Controller, letter::Authority)>,
    pub(crate) checkpoints: Option<(Arc<dyn KeepsTree>, Arc<dyn Signer>)>,
    pub(crate) desk: desk::Desk,
    spawner: Arc<dyn Fn(Work) + Send + Sync>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("engine", &self.engine)
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Starts work in the background.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        (self.spawner)(Box::pin(work));
    }
}

/// Builds a [`Console`].
pub struct ConsoleBuilder {
    shared: Shared,
}

impl fmt::Debug for ConsoleBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl Console {
    /// Starts a builder with the required parts. `spawner` starts background work on the host's runtime, such as
    /// `|work| { tokio::spawn(work); }`. It is needed because a survey takes longer than a request.
    pub fn builder(
        engine: Engine,
        key: ConsoleKey,
        spawner: impl Fn(Work) + Send + Sync + 'static,
    ) -> ConsoleBuilder {
        ConsoleBuilder {
            shared: Shared {
                engine,
                key,
                base: String::new(),
                origin: None,
                sign_out: None,
                clock: Arc::new(SystemClock),
                letters: None,
                checkpoints: None,
                desk: desk::Desk::default(),
                spawner: Arc::new(spawner),
            },
        }
    }
}

impl ConsoleBuilder {
    /// Sets the path below which the host mounts the console, without a slash at the end: `/erasure`. The host takes this
    /// path off before it calls the console, as axum's `nest_service` does.
    #[must_use]
    pub fn mounted_at(mut self, path: impl Into<String>) -> Self {
        path.into().trim_end_matches('/').clone_into(&mut self.shared.base);
        self
    }

    /// Sets the origin under which browsers reach the host: `https://admin.example.org`. Needed behind a proxy that
    /// changes the `Host` header. Without it, a form must come from the host that the request names.
    #[must_use]
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.shared.origin = Some(origin.into());
        self
    }

    /// Sets the host's own address to which the button *Sign out* posts. Without it, there is no such button.
    #[must_use]
    pub fn signs_out_at(mut self, path: impl Into<String>) -> Self {
        self.shared.sign_out = Some(path.into());
        self
    }

    /// Replaces the system clock. Give it the clock of the engine.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.shared.clock = Arc::new(clock);
        self
    }

    /// Sets what every letter to a person names: the controller, and the authority to which a person can complain. The
    /// policy needs [words](relinquish::policy::Dictionary) for each language. Without this, the console writes no
    /// letters.
    #[must_use]
    pub fn letters(mut self, controller: letter::Controller, authority: letter::Authority) -> Self {
        self.shared.letters = Some((controller, authority));
        self
    }

    /// Sets the ledger and the signer of checkpoints. Without them, the console takes no checkpoints.
    #[must_use]
    pub fn checkpoints(mut self, ledger: Arc<dyn KeepsTree>, signer: Arc<dyn Signer>) -> Self {
        self.shared.checkpoints = Some((ledger, signer));
        self
    }

    /// Builds the console.
    pub fn build(self) -> Console {
        Console { shared: Arc::new(self.shared) }
    }
}

impl<B> tower_service::Service<Request<B>> for Console
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { Ok(route::answer(&shared, request).await) })
    }
}
