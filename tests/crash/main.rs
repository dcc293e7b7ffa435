//! A campaign of crashes. Every plan below dies at every boundary of its case, and again at every boundary of each
//! recovery. Its future is dropped at every await. At every boundary its worker stalls longer than its lease, while
//! another worker takes over the case. After that, real processes work on one ledger, and are killed and stopped at
//! random moments (`kill.rs`).
//!
//! Run it with `cargo test --release --all-features --test crash`. It is not part of `cargo test`, because it takes
//! minutes. `tests/it/engine/interruption.rs` does the same with fewer plans.
//!
//! A boundary is before a call to a port, or after it took effect and before its answer arrived. So the ledger's write is
//! lost, or the store's effect is there and nobody wrote it down. At the end every customer is untouched, erased as planned
//! (the same cells as without a crash, one entry in the ledger, no working memory), or blocked with step and reason.

// It is a program that prints figures, and a trial that cannot go on says so by panicking.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing, dead_code)]

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};

use chrono::TimeDelta;
use relinquish::gateway::MemoryGateway;
use relinquish::ledger::{CaseBook, Closing, Ledger, ListedCase};
use relinquish::testing::{Faulty, ManualClock};
use relinquish::{
    ApprovedPlan, Asked, CustomerId, Engine, FileKeyRing, Outcome, PolicyDocument, SqlMap, SqliteLedger,
    SqliteStore,
};

#[path = "../it/support/hosts.rs"]
mod hosts;
mod kill;
mod plans;
#[path = "../it/support/shop.rs"]
mod shop;
#[path = "../it/support/wired.rs"]
mod wired;

use plans::Canonical;
use shop::{Cells, Shop, changes};
use wired::{NEVER, Tripwire, until_death};

/// How a run is interrupted.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// At a boundary of a port.
    At(usize),
    /// The future is dropped when it waits for the n-th time.
    Dropped(usize),
    /// At a boundary of a port it stands still until its lease has run out and another worker has done everything.
    Stalled(usize),
}

/// What is left when nothing happens any more.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AtRest {
    changes: BTreeSet<String>,
    profiles: usize,
    erased: usize,
    blocked: usize,
}

struct Trial<'c> {
    canonical: &'c Canonical,
    shop: Shop,
    gateway: Arc<MemoryGateway>,
    before: Cells,
    plans: Vec<ApprovedPlan>,
    /// By which leases run out.
    minutes: Arc<AtomicI64>,
}

impl<'c> Trial<'c> {
    async fn new(canonical: &'c Canonical, original: &PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(original, folder.path().join("shop.sqlite")).unwrap();
        let shop = Shop { folder, map: canonical.map.clone(), policy: canonical.policy.clone() };
        let gateway = Arc::new(MemoryGateway::new("pay"));
        for (profile, owner, subscriptions) in &canonical.profiles {
            gateway.insert(*profile, owner.map(CustomerId::from), *subscriptions);
        }
        let minutes = Arc::default();
        let mut trial = Self { canonical, before: shop.cells(), shop, gateway, plans: Vec::new(), minutes };
        let engine = trial.engine(&Tripwire::at(NEVER));
        engine.ensure_census().await.unwrap();
        for id in &canonical.customers {
            trial.plans.push(hosts::approved(&engine, &CustomerId::from(*id), &Asked::request()).await);
        }
        // Only now the customer has what the gateway refuses.
        for (profile, owner, subscriptions) in &canonical.later {
            trial.gateway.insert(*profile, owner.map(CustomerId::from), *subscriptions);
        }
        trial
    }

    fn ledger(&self) -> PathBuf {
        self.shop.folder.path().join("ledger.sqlite")
    }

    /// An engine over the files as they are, opened anew by the same worker.
    fn engine(&self, wire: &Arc<Tripwire>) -> Engine {
        self.worker("one", wire)
    }

    fn worker(&self, name: &str, wire: &Arc<Tripwire>) -> Engine {
        let wire = || Arc::clone(wire);
        let policy = PolicyDocument::from_toml(&self.shop.policy).unwrap();
        let store = SqliteStore::open(self.shop.path(), &SqlMap::from_toml(&self.shop.map).unwrap());
        let store = store.unwrap_or_else(|error| panic!("{}: {error}", self.canonical.name));
        let minutes = Arc::clone(&self.minutes);
        let clock = move || hosts::now() + TimeDelta::minutes(minutes.load(Ordering::SeqCst));
        let ledger = SqliteLedger::open(self.ledger()).unwrap().lease_clock(clock);
        Engine::builder(
            Faulty::new(store, wire()),
            policy,
            Faulty::new(ledger, wire()),
            keys_beside(&self.ledger()),
        )
        .gateway(Faulty::new(Arc::clone(&self.gateway), wire()))
        .clock(ManualClock::at(hosts::now()))
        .worker(name)
        .build()
        .unwrap_or_else(|problems| panic!("{}: {problems}", self.canonical.name))
    }

    /// What is left, once everything has been resumed that can be.
    async fn at_rest(&self) -> Result<AtRest, String> {
        let engine = self.engine(&Tripwire::at(NEVER));
        let ledger = SqliteLedger::open(self.ledger()).unwrap();
        let mut open;
        let mut tries = 0;
        loop {
            let outcomes = engine.resume().await.map_err(|error| format!("resume failed: {error}"))?;
            for outcome in outcomes.iter().map(|case| &case.outcome) {
                if !matches!(outcome, Outcome::Erased(_) | Outcome::Blocked { .. }) {
                    return Err(format!("resume ended with: {outcome}"));
                }
            }
            open = ledger.list(None, 100).await.unwrap();
            let is_blocked = |case: &ListedCase| {
                case.saved
                    .progress()
                    .unwrap()
                    .blocked()
                    .is_some_and(|obstacle| !obstacle.reason.to_string().is_empty())
            };
            if open.iter().all(is_blocked) {
                break;
            }
            // A write of an engine that was dropped may have arrived after the resume had looked: the next one finds it.
            tries += 1;
            if tries > 20 {
                return Err("a case is open and not blocked with a reason".to_owned());
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        drop(engine);
        let mut entries = ledger.entries(0, 100).await.unwrap();
        entries.retain(|entry| entry.closed().is_some());
        if let Some(other) =
            entries.iter().find(|entry| !matches!(entry.closed().unwrap().closing, Closing::Erased(_)))
        {
            return Err(format!("an entry of no erasure: {:?}", other.closed().unwrap().closing));
        }
        let subjects: BTreeSet<_> =
            entries.iter().map(|entry| entry.closed().unwrap().subject().unwrap()).collect();
        if subjects.len() != entries.len() {
            return Err("a customer has two entries".to_owned());
        }
        let after = self.shop.cells();
        Ok(AtRest {
            changes: changes(&self.before, &after),
            profiles: self.gateway.len(),
            erased: entries.len(),
            blocked: open.len(),
        })
    }
}

/// Polls a future until it waits for the n-th time, and drops it there.
struct DroppedAt<'f, T> {
    future: Pin<Box<dyn Future<Output = T> + 'f>>,
    waits: usize,
}

impl<T> Future for DroppedAt<'_, T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.future.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if self.waits == 0 => Poll::Ready(None),
            Poll::Pending => {
                self.waits -= 1;
                Poll::Pending
            }
        }
    }
}

/// One run. Tells whether each of its two interruptions came.
async fn run(
    canonical: &Canonical,
    original: &PathBuf,
    first: Death,
    second: usize,
) -> (bool, bool, Result<AtRest, String>) {
    let trial = Trial::new(canonical, original).await;
    let wire = match first {
        Death::At(boundary) => Tripwire::at(boundary),
        Death::Dropped(_) => Tripwire::at(NEVER),
        Death::Stalled(boundary) => {
            let (other, minutes) = (trial.worker("two", &Tripwire::at(NEVER)), Arc::clone(&trial.minutes));
            Tripwire::meanwhile(boundary, async move {
                minutes.fetch_add(6, Ordering::SeqCst);
                other.resume().await.unwrap();
            })
        }
    };
    let engine = trial.engine(&wire);
    let work = engine.execute(trial.plans.clone());
    let died = match first {
        Death::At(_) => until_death(&wire, work).await.is_none(),
        Death::Dropped(waits) => DroppedAt { future: Box::pin(work), waits }.await.is_none(),
        Death::Stalled(boundary) => {
            let came_of_it = work.await;
            if let Err(error) = came_of_it {
                return (true, false, Err(format!("the worker that stalled ended with: {error}")));
            }
            wire.passed.load(Ordering::SeqCst) > boundary
        }
    };
    trial.minutes.fetch_add(6, Ordering::SeqCst);
    drop(engine);
    let mut died_again = false;
    if died && second != NEVER {
        let wire = Tripwire::at(second);
        let engine = trial.engine(&wire);
        died_again = until_death(&wire, engine.resume()).await.is_none();
        drop(engine);
    }
    (died, died_again, trial.at_rest().await)
}

#[derive(Default)]
struct Tally {
    boundaries: usize,
    waits: usize,
    runs: usize,
    violations: Vec<String>,
}

async fn campaign(canonical: &Canonical) -> Tally {
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("original.sqlite");
    let shop = Shop::new(&canonical.sql, &canonical.map, "");
    std::fs::copy(shop.path(), &original).unwrap();
    let (_, _, planned) = run(canonical, &original, Death::At(NEVER), NEVER).await;
    let planned = planned.unwrap_or_else(|what| panic!("{}: without a crash: {what}", canonical.name));
    assert_eq!(planned.blocked, canonical.blocked, "{}: {planned:?}", canonical.name);
    assert_eq!(planned.erased + planned.blocked, canonical.customers.len(), "{}", canonical.name);
    let untouched = AtRest {
        changes: BTreeSet::new(),
        profiles: canonical
            .profiles
            .iter()
            .chain(&canonical.later)
            .map(|p| p.0)
            .collect::<BTreeSet<_>>()
            .len(),
        erased: 0,
        blocked: 0,
    };
    let mut tally = Tally::default();
    let judge = |tally: &mut Tally, what: String, end: Result<AtRest, String>| {
        tally.runs += 1;
        match end {
            Ok(end) if end == planned || end == untouched => {}
            Ok(end) => tally.violations.push(format!("{what}: {end:?} instead of {planned:?}")),
            Err(error) => tally.violations.push(format!("{what}: {error}")),
        }
    };
    for boundary in 0.. {
        let (died, _, end) = run(canonical, &original, Death::At(boundary), NEVER).await;
        if !died {
            break;
        }
        tally.boundaries += 1;
        judge(&mut tally, format!("{} dies at {boundary}", canonical.name), end);
        for again in 0.. {
            let (_, died_again, end) = run(canonical, &original, Death::At(boundary), again).await;
            if !died_again {
                break;
            }
            judge(&mut tally, format!("{} dies at {boundary} and again at {again}", canonical.name), end);
        }
    }
    for waits in 0.. {
        let (died, _, end) = run(canonical, &original, Death::Dropped(waits), NEVER).await;
        if !died {
            break;
        }
        tally.waits += 1;
        judge(&mut tally, format!("{} is dropped at wait {waits}", canonical.name), end);
    }
    for boundary in 0.. {
        let (stalled, _, end) = run(canonical, &original, Death::Stalled(boundary), NEVER).await;
        if !stalled {
            break;
        }
        judge(&mut tally, format!("{} stalls at {boundary}", canonical.name), end);
    }
    tally
}

fn main() -> ExitCode {
    if let Some(code) = kill::as_worker() {
        return code;
    }
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted =
        |canonical: &Canonical| wanted.is_empty() || wanted.iter().any(|name| canonical.name.contains(name));
    let todo: Mutex<Vec<Canonical>> = Mutex::new(plans::all().into_iter().filter(is_wanted).rev().collect());
    let total = Mutex::new((0, 0, 0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                loop {
                    let Some(canonical) = todo.lock().unwrap().pop() else { return };
                    let tally = runtime.block_on(campaign(&canonical));
                    println!(
                        "{}: {} boundaries, {} waits, {} runs, {} violations",
                        canonical.name,
                        tally.boundaries,
                        tally.waits,
                        tally.runs,
                        tally.violations.len()
                    );
                    for violation in tally.violations.iter().take(5) {
                        println!("  {violation}");
                    }
                    let mut total = total.lock().unwrap();
                    *total = (total.0 + 1, total.1 + tally.runs, total.2 + tally.violations.len());
                }
            });
        }
    });
    let (plans, runs, mut violations) = total.into_inner().unwrap();
    println!("plans: {plans}\nruns: {runs}\nviolations: {violations}");
    violations += kill::campaign(&wanted);
    ExitCode::from(u8::from(violations > 0 || plans == 0))
}

/// The keys beside a ledger.
fn keys_beside(ledger: &std::path::Path) -> FileKeyRing {
    match FileKeyRing::open_beside(ledger) {
        Err(error) if error.is_missing() => FileKeyRing::create_beside(ledger).unwrap(),
        opened => opened.unwrap(),
    }
}
