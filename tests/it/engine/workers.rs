//! Several workers on one ledger: each case belongs to one worker at a time, and is closed once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use relinquish::engine::{Advance, EngineBuilder};
use relinquish::gateway::MemoryGateway;
use relinquish::ledger::{CaseBook as _, Closing, Ledger as _};
use relinquish::testing::{Faulty, ManualClock};
use relinquish::{ApprovedPlan, Asked, Engine, Outcome, PolicyDocument, SqlMap, SqliteLedger, SqliteStore};

use crate::hosts::{self, Host, ResumeAll as _, approved, request};
use crate::wired::{NEVER, Tripwire, until_death};

/// A shop with one ledger, a clock for leases, and a customer with an approved plan.
struct Trial {
    host: Host,
    gateway: Arc<MemoryGateway>,
    minutes: Arc<AtomicI64>,
    plan: ApprovedPlan,
}

impl Trial {
    async fn new() -> Self {
        let host = hosts::sqlite();
        let (gateway, minutes) = (host.gateway.clone().unwrap(), Arc::new(AtomicI64::new(0)));
        let planner = builder(&host, &gateway, &minutes, "planner", &Tripwire::at(NEVER)).build().unwrap();
        planner.ensure_census().await.unwrap();
        let plan = approved(&planner, &host.due, &request("clear")).await;
        Self { host, gateway, minutes, plan }
    }

    fn worker(&self, name: &str, wire: &Arc<Tripwire>) -> Engine {
        builder(&self.host, &self.gateway, &self.minutes, name, wire).build().unwrap()
    }

    fn ledger(&self) -> SqliteLedger {
        SqliteLedger::open(self.host.folder.path().join("ledger.sqlite")).unwrap()
    }

    /// The number of times that a case was closed, and whether any case is open.
    async fn closed(&self) -> (usize, bool) {
        let ledger = self.ledger();
        let entries = ledger.entries(0, 100).await.unwrap();
        let closed = entries.iter().filter_map(|entry| entry.closed());
        let erased = closed.filter(|case| matches!(case.closing, Closing::Erased(_))).count();
        (erased, !ledger.list(None, 10).await.unwrap().is_empty())
    }
}

fn builder(
    host: &Host,
    gateway: &Arc<MemoryGateway>,
    minutes: &Arc<AtomicI64>,
    name: &str,
    wire: &Arc<Tripwire>,
) -> EngineBuilder {
    let wire = || Arc::clone(wire);
    let path = host.folder.path().join("ledger.sqlite");
    let minutes = Arc::clone(minutes);
    let clock =
        move || -> DateTime<Utc> { hosts::now() + TimeDelta::minutes(minutes.load(Ordering::SeqCst)) };
    let store = SqliteStore::open(host.path(), &SqlMap::from_toml(hosts::CRM_MAP).unwrap()).unwrap();
    Engine::builder(
        Faulty::new(store, wire()),
        PolicyDocument::from_toml(&host.policy).unwrap(),
        Faulty::new(SqliteLedger::open(&path).unwrap().lease_clock(clock), wire()),
        crate::hosts::keys_beside(&path),
    )
    .gateway(Faulty::new(Arc::clone(gateway), wire()))
    .clock(ManualClock::at(hosts::now()))
    .worker(name)
}

#[tokio::test]
async fn a_worker_that_stalls_beyond_its_lease_is_passed_over_and_writes_nothing_more() {
    let (mut taken_over, mut found_closed) = (0, 0);
    for boundary in 0.. {
        let trial = Trial::new().await;
        let before = (trial.host.dump)();
        let other = trial.worker("two", &Tripwire::at(NEVER));
        let minutes = Arc::clone(&trial.minutes);
        let wire = Tripwire::meanwhile(boundary, async move {
            minutes.fetch_add(6, Ordering::SeqCst);
            other.resumed().await;
        });
        let outcome = trial.worker("one", &wire).erase(trial.plan.clone()).await.unwrap();
        if wire.passed.load(Ordering::SeqCst) <= boundary {
            break;
        }
        match outcome {
            Outcome::TakenOver { .. } => taken_over += 1,
            Outcome::Erased(_) => found_closed += 1,
            other => panic!("at {boundary}: {other}"),
        }
        // Another worker finishes an open case, and in total everything was done once.
        trial.minutes.fetch_add(6, Ordering::SeqCst);
        trial.worker("three", &Tripwire::at(NEVER)).resumed().await;
        assert_eq!(trial.closed().await, (1, false), "at {boundary}");
        trial.host.check_erased(&before);
    }
    assert!(found_closed > 20, "{found_closed} {taken_over}");
}

#[tokio::test]
async fn what_a_worker_has_is_left_alone_until_its_lease_runs_out() {
    let trial = Trial::new().await;
    let wire = Tripwire::at(12);
    let first = trial.worker("one", &wire);
    assert!(until_death(&wire, first.erase(trial.plan.clone())).await.is_none());
    let dead = (trial.host.dump)();
    let other = trial.worker("two", &Tripwire::at(NEVER));
    assert!(other.resumed().await.is_empty());
    assert_eq!((trial.host.dump)(), dead);
    let open = other.open_cases(None, 10).await.unwrap();
    assert_eq!(open[0].held_by, Some("one".into()));
    let error = other.retry(&open[0].case).await.unwrap_err();
    assert!(error.to_string().contains("being worked on"), "{error}");
    trial.minutes.fetch_add(5, Ordering::SeqCst);
    let outcomes = other.resumed().await;
    assert!(matches!(outcomes[..], [Outcome::Erased(_)]), "{outcomes:?}");
}

#[tokio::test]
async fn a_rolling_deployment_supersedes_nothing() {
    // A former bug: a worker with a new policy superseded the cases of the old policy.
    let trial = Trial::new().await;
    let wire = Tripwire::at(9);
    let first = trial.worker("one", &wire);
    assert!(until_death(&wire, first.erase(trial.plan.clone())).await.is_none());
    let dead = (trial.host.dump)();
    let newer = trial.host.policy.replacen("name = \"", "name = \"newer ", 1);
    assert_ne!(newer, trial.host.policy);
    let trial = Trial { host: Host { policy: newer, ..trial.host }, ..trial };
    let outcomes = trial.worker("one", &Tripwire::at(NEVER)).resumed().await;
    assert!(matches!(outcomes[..], [Outcome::OtherRules { what: "policy", .. }]), "{outcomes:?}");
    assert_eq!((trial.host.dump)(), dead, "nothing is touched");
    assert_eq!(trial.closed().await, (0, true));
    // A worker with the old policy finishes the case.
    let host = Host { policy: hosts::CRM_POLICY.to_owned(), ..trial.host };
    let trial = Trial { host, ..trial };
    let outcomes = trial.worker("one", &Tripwire::at(NEVER)).resumed().await;
    assert!(matches!(outcomes[..], [Outcome::Erased(_)]), "{outcomes:?}");
}

#[tokio::test]
async fn a_host_with_a_scheduler_of_its_own_takes_a_case_turn_by_turn() {
    let trial = Trial::new().await;
    let before = (trial.host.dump)();
    let wire = Tripwire::at(9);
    let first = trial.worker("one", &wire);
    assert!(until_death(&wire, first.erase(trial.plan.clone())).await.is_none());
    let mut turns = 0;
    let case = trial.ledger().list(None, 10).await.unwrap()[0].saved.new.id.clone();
    let outcome = loop {
        // Each turn may be run by another process.
        let engine = trial.worker("one", &Tripwire::at(NEVER));
        turns += 1;
        match engine.advance(&case).await.unwrap() {
            Advance::Again => assert!(turns < 10),
            Advance::NotBefore(instant) => panic!("nothing is out of reach until {instant}"),
            Advance::Ended(outcome) => break outcome,
        }
    };
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    // The steps: deactivate, the gateway, the records; then reading back, and the end.
    assert_eq!(turns, 4);
    trial.host.check_erased(&before);
    let engine = trial.worker("one", &Tripwire::at(NEVER));
    assert!(engine.advance(&case).await.unwrap_err().to_string().contains("no open case"));
    // The entries of a customer are found by the customer's token.
    let facts = trial.host.store.facts(std::slice::from_ref(&trial.host.due)).await.unwrap();
    let entries = engine.of_customer(&facts[0].tenant, &trial.host.due, facts[0].registered).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].closed().unwrap().case, case);
    let decision = engine.decide(&trial.host.due, &Asked::request()).await.unwrap();
    assert!(decision.to_string().contains("treated the same way"), "{decision}");
}
