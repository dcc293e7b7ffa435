//! `resume` finishes a case that was interrupted at any point.
//!
//! Every call of the engine to a port has boundaries: before the call, and between its effect and its answer. At each
//! boundary the process "dies": the test drops the future, makes a new engine over the same files, and resumes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future;
use relinquish::gateway::MemoryGateway;
use relinquish::ledger::{CaseBook, Closing, Ledger};
use relinquish::{ApprovedPlan, Asked, Engine, Outcome, PolicyDocument, SqlMap, SqliteLedger, SqliteStore};

use crate::hosts::ResumeAll as _;
use crate::hosts::{self, Host, approved, request};
use crate::wired::{NEVER, Tripwire, until_death};
use relinquish::testing::Faulty;

/// A new engine over the host's files, which dies at a boundary.
fn engine(host: &Host, gateway: &Arc<MemoryGateway>, wire: &Arc<Tripwire>) -> Engine {
    let map = SqlMap::from_toml(hosts::CRM_MAP).unwrap();
    let ledger = host.folder.path().join("ledger.sqlite");
    let wire = || Arc::clone(wire);
    let store = Faulty::new(SqliteStore::open(host.path(), &map).unwrap(), wire());
    let policy = PolicyDocument::from_toml(&host.policy).unwrap();
    let keys = crate::hosts::keys_beside(&ledger);
    let ledger = Faulty::new(SqliteLedger::open(&ledger).unwrap(), wire());
    Engine::builder(store, policy, ledger, keys)
        .gateway(Faulty::new(Arc::clone(gateway), wire()))
        .clock(relinquish::testing::ManualClock::at(hosts::now()))
        // The new process after the crash.
        .worker("one")
        .build()
        .unwrap()
}

struct Trial {
    host: Host,
    gateway: Arc<MemoryGateway>,
    plan: ApprovedPlan,
}

async fn trial(treatment: &str) -> Trial {
    let host = hosts::sqlite();
    let gateway = host.gateway.clone().unwrap();
    let engine = engine(&host, &gateway, &Tripwire::at(NEVER));
    engine.ensure_census().await.unwrap();
    let plan = approved(&engine, &host.due, &request(treatment)).await;
    Trial { host, gateway, plan }
}

/// Checks the final state. Either nothing was touched and there is no case; or the customer is erased as planned, the
/// ledger has one entry, and no working data are left.
async fn check(trial: &Trial, before: &hosts::Dump, what: &str) -> bool {
    let ledger = SqliteLedger::open(trial.host.folder.path().join("ledger.sqlite")).unwrap();
    assert!(ledger.list(None, 10).await.unwrap().is_empty(), "{what}: working memory is wiped");
    let mut entries = ledger.entries(0, 10).await.unwrap();
    entries.retain(|entry| entry.closed().is_some());
    if entries.is_empty() {
        assert_eq!((trial.host.dump)(), *before, "{what}: untouched");
        return false;
    }
    assert_eq!(entries.len(), 1, "{what}: one leaf");
    let closed = entries[0].closed().unwrap();
    assert!(matches!(closed.closing, Closing::Erased(_)), "{what}: {:?}", closed.closing);
    let values = hosts::dump_sqlite(&trial.host.path());
    for value in &trial.host.values {
        assert!(!values.values().any(|row| row.contains(value.as_str())), "{what}: {value} is left");
    }
    for (row, content) in before.iter().filter(|(row, _)| !trial.host.owned.contains(row)) {
        // With `remove` the subscription is deleted too, and the customer's records get a new owner.
        let mine = *row == "subscriptions/17";
        assert!(mine || values.get(row) == Some(content), "{what}: {row} is somebody else's");
    }
    assert_eq!(trial.gateway.len(), 19, "{what}: one profile is gone");
    true
}

#[tokio::test]
async fn a_case_that_dies_at_any_boundary_is_finished_by_resume() {
    for treatment in ["clear", "remove"] {
        let mut deaths = 0;
        for dies_at in 0.. {
            let trial = trial(treatment).await;
            let before = (trial.host.dump)();
            let wire = Tripwire::at(dies_at);
            let first = engine(&trial.host, &trial.gateway, &wire);
            let finished = until_death(&wire, first.erase(trial.plan.clone())).await;
            drop(first);
            if let Some(outcome) = finished {
                assert!(matches!(outcome.unwrap(), Outcome::Erased(_)));
                break;
            }
            deaths += 1;
            let second = engine(&trial.host, &trial.gateway, &Tripwire::at(NEVER));
            let outcomes = second.resumed().await;
            for outcome in &outcomes {
                assert!(matches!(outcome, Outcome::Erased(_)), "{treatment} at {dies_at}: {outcome}");
            }
            let erased = check(&trial, &before, &format!("{treatment} at {dies_at}")).await;
            // There is nothing to resume: the process died before the case was open, or after it was closed.
            assert!(erased || outcomes.is_empty(), "{treatment} at {dies_at}");
            assert!(second.resumed().await.is_empty());
        }
        assert!(deaths > 20, "{deaths} boundaries");
    }
}

#[tokio::test]
async fn a_resume_that_dies_is_finished_by_the_next_one() {
    // Dies once after the records are erased but before the ledger records this. Then it dies again at every boundary
    // of the recovery.
    let lost_answer = {
        let trial = trial("clear").await;
        let wire = Tripwire::at(NEVER);
        engine(&trial.host, &trial.gateway, &wire).erase(trial.plan.clone()).await.unwrap();
        // The last calls are erase, tally and close. Each has two boundaries.
        wire.passed.load(Ordering::SeqCst) - 5
    };
    for dies_at in 0.. {
        let trial = trial("clear").await;
        let before = (trial.host.dump)();
        let wire = Tripwire::at(lost_answer);
        let first = engine(&trial.host, &trial.gateway, &wire);
        assert!(until_death(&wire, first.erase(trial.plan.clone())).await.is_none());
        drop(first);
        let erased = "SELECT count(*) FROM clients WHERE id = 17 AND email LIKE 'erased-%'";
        assert_eq!(hosts::sum(&trial.host.path(), erased), 1, "the erasure took effect");
        let wire = Tripwire::at(dies_at);
        let second = engine(&trial.host, &trial.gateway, &wire);
        let survived = until_death(&wire, second.resume()).await.is_some();
        drop(second);
        engine(&trial.host, &trial.gateway, &Tripwire::at(NEVER)).resumed().await;
        assert!(check(&trial, &before, &format!("recovery at {dies_at}")).await);
        if survived {
            break;
        }
    }
}

#[tokio::test]
async fn counts_are_unknown_after_a_lost_answer_and_never_invented() {
    use relinquish::ledger::Count;
    let mut unknown = 0;
    for dies_at in 0.. {
        let trial = trial("clear").await;
        let wire = Tripwire::at(dies_at);
        let first = engine(&trial.host, &trial.gateway, &wire);
        if until_death(&wire, first.erase(trial.plan.clone())).await.is_some() {
            break;
        }
        drop(first);
        let outcomes = engine(&trial.host, &trial.gateway, &Tripwire::at(NEVER)).resumed().await;
        for certificate in outcomes.iter().filter_map(Outcome::certificate) {
            let calls = certificate
                .records()
                .into_iter()
                .find(|class| class.class.as_str() == "call_record")
                .unwrap();
            match calls.treated {
                Some(Count::Exact(count)) => assert_eq!(count, 20, "at {dies_at}"),
                Some(Count::Unknown) => unknown += 1,
                None => panic!("call records are deleted"),
            }
        }
    }
    assert!(unknown > 0, "a lost answer is among the boundaries");
}

#[tokio::test]
async fn a_customer_who_changes_while_the_case_is_interrupted_is_not_erased() {
    // The process dies right after the deactivation. Then the customer gets a new subscription.
    let sql = "UPDATE subscriptions SET active = 1 WHERE client_id = 17";
    let mut superseded = 0;
    let mut blocked = 0;
    for dies_at in 0.. {
        let trial = trial("clear").await;
        let wire = Tripwire::at(dies_at);
        let first = engine(&trial.host, &trial.gateway, &wire);
        if until_death(&wire, first.erase(trial.plan.clone())).await.is_some() {
            break;
        }
        drop(first);
        let started = trial.gateway.len() < 20;
        let erased = hosts::sum(
            &trial.host.path(),
            "SELECT count(*) FROM clients WHERE id = 17 AND email LIKE 'erased-%'",
        ) == 1;
        rusqlite::Connection::open(trial.host.path()).unwrap().execute(sql, []).unwrap();
        let before = (trial.host.dump)();
        for outcome in engine(&trial.host, &trial.gateway, &Tripwire::at(NEVER)).resumed().await {
            match outcome {
                Outcome::Superseded { because, .. } => {
                    assert!(!started && !erased, "at {dies_at}");
                    assert!(because.to_string().contains("subscription"), "{because}");
                    superseded += 1;
                    let status = "SELECT count(*) FROM clients WHERE id = 17 AND status = 'cancelled'";
                    assert_eq!(hosts::sum(&trial.host.path(), status), 1, "brought back: at {dies_at}");
                }
                Outcome::Blocked { reason, .. } => {
                    assert!(reason.contains("subscription"), "{reason}");
                    assert_eq!((trial.host.dump)(), before, "at {dies_at}");
                    blocked += 1;
                }
                // The records were erased before the customer got the subscription.
                Outcome::Erased(_) => assert!(erased, "at {dies_at}"),
                other => panic!("at {dies_at}: {other}"),
            }
        }
    }
    assert!(superseded > 0 && blocked > 0, "{superseded} {blocked}");
}

#[tokio::test]
async fn two_resumes_at_once_do_the_work_once() {
    let trial = trial("clear").await;
    let wire = Tripwire::at(9);
    let first = engine(&trial.host, &trial.gateway, &wire);
    assert!(until_death(&wire, first.erase(trial.plan.clone())).await.is_none());
    drop(first);
    let before_resume = (trial.host.dump)();
    let engine = engine(&trial.host, &trial.gateway, &Tripwire::at(NEVER));
    let (one, other) = future::join(engine.resume(), engine.resume()).await;
    let all = one.unwrap().into_iter().chain(other.unwrap());
    let outcomes: Vec<Outcome> = all.map(|case| case.outcome).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.certificate().is_some()).count(), 1, "{outcomes:?}");
    assert!(check(&trial, &before_resume, "two resumes").await);
    // Asking again finds nothing.
    let decision = engine.decide(&trial.host.due, &Asked::request()).await.unwrap();
    assert!(decision.to_string().contains("treated the same way"), "{decision}");
}

#[tokio::test]
async fn a_case_that_somebody_else_finishes_meanwhile_ends_as_they_ended_it() {
    // When an engine is dropped, its last write may still be running while another engine resumes. A former bug,
    // found by dropping the future at every await: the resume ended with "there is no open case", also for every
    // other case.
    let mut finished_by_others = 0;
    for boundary in 0.. {
        let trial = trial("clear").await;
        let before = (trial.host.dump)();
        let wire = Tripwire::at(10);
        let first = engine(&trial.host, &trial.gateway, &wire);
        assert!(until_death(&wire, first.erase(trial.plan.clone())).await.is_none());
        drop(first);
        let other = engine(&trial.host, &trial.gateway, &Tripwire::at(NEVER));
        let wire = Tripwire::meanwhile(boundary, async move {
            other.resumed().await;
        });
        let outcomes = engine(&trial.host, &trial.gateway, &wire).resumed().await;
        if wire.passed.load(Ordering::SeqCst) <= boundary {
            break;
        }
        for outcome in &outcomes {
            assert!(matches!(outcome, Outcome::Erased(_)), "at {boundary}: {outcome}");
            finished_by_others += 1;
        }
        assert!(check(&trial, &before, &format!("finished by another at {boundary}")).await);
    }
    assert!(finished_by_others > 10, "{finished_by_others}");
}
