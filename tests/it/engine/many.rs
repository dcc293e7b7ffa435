//! Many customers: the plans come from an iterator, the outcomes are returned one by one, and only a limited number
//! is in memory.

use crate::hosts::BuildCounted as _;
use crate::hosts::ResumeAll as _;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use relinquish::engine::Outcomes;
use relinquish::testing::ManualClock;
use relinquish::{
    Approval, ApprovedPlan, Asked, CustomerId, Engine, Error, Outcome, Planned, PolicyDocument, SqlMap,
    SqliteLedger, SqliteStore,
};
use rusqlite::Connection;

const BATCH: usize = 10;

const MAP: &str = r#"
version = 1
[customers]
table = "customers"
key = "id"
tenant = { is = "shop" }
registered = "created_at"
status = { column = "status", active = "active", cancelled = "cancelled", archived = "archived" }
deactivate = { status = "archived" }
fields = { name = "name" }
"#;

const POLICY: &str = r#"
version = 1
sweep = false
triggers.requested = { treatment = "clear" }
guards = { not_archived = { ignore = "each case archives" }, active_subscription = { ignore = "there are none" } }
anonymise = { name = "remove" }
treatments.clear = { customer = "anonymise" }
"#;

fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

struct Shop {
    folder: tempfile::TempDir,
    engine: Engine,
    clock: Arc<ManualClock>,
}

fn open(folder: &Path, clock: &Arc<ManualClock>) -> Engine {
    let store = SqliteStore::open(folder.join("shop.sqlite"), &SqlMap::from_toml(MAP).unwrap()).unwrap();
    let ledger = folder.join("ledger.sqlite");
    let policy = PolicyDocument::from_toml(POLICY).unwrap();
    let keys = crate::hosts::keys_beside(&ledger);
    Engine::builder(store, policy, SqliteLedger::open(&ledger).unwrap(), keys)
        .clock(Arc::clone(clock))
        .batch(BATCH)
        // The new process after the crash.
        .worker("one")
        .counted()
        .unwrap()
}

fn shop(customers: usize) -> Shop {
    let folder = tempfile::tempdir().unwrap();
    let mut sql = "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, status TEXT NOT NULL,
         created_at TEXT NOT NULL);"
        .to_owned();
    for id in 1..=customers {
        write!(sql, "INSERT INTO customers VALUES ({id}, 'Maud {id}', 'cancelled', '2020-01-01');").unwrap();
    }
    Connection::open(folder.path().join("shop.sqlite")).unwrap().execute_batch(&sql).unwrap();
    let clock = Arc::new(ManualClock::at(now()));
    Shop { engine: open(folder.path(), &clock), folder, clock }
}

impl Shop {
    /// Approved plans, in the order of the customers. `hours` is how long each approval is valid.
    async fn plans(&self, customers: usize, hours: impl Fn(usize) -> i64) -> Vec<ApprovedPlan> {
        let ids: Vec<_> = (1..=customers).map(|id| CustomerId::new(id.to_string())).collect();
        let planned = self.engine.plan_batch(&ids, &Asked::request()).await.unwrap();
        let approve = |(n, planned): (usize, Result<Planned, Error>)| {
            let Ok(Planned::Plan(plan)) = planned else { panic!("everyone is due") };
            let long = TimeDelta::hours(hours(n));
            let approval = Approval::new("op", [plan.tenant().clone()], plan.digest(), now(), long);
            plan.approve(approval).unwrap()
        };
        planned.into_iter().enumerate().map(approve).collect()
    }

    fn named(&self) -> usize {
        let connection = Connection::open(self.folder.path().join("shop.sqlite")).unwrap();
        let sql = "SELECT count(*) FROM customers WHERE name LIKE 'Maud%'";
        connection.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap() as usize
    }
}

/// The maximum number of plans that a run has taken but not yet answered. `run` may take the plans in any way.
async fn most_ahead<'s>(
    shop: &'s Shop,
    customers: usize,
    run: impl FnOnce(&'s Engine, Box<dyn Iterator<Item = ApprovedPlan> + Send>) -> Outcomes<'s>,
) -> usize {
    let plans = shop.plans(customers, |_| 1).await;
    let digests: Vec<_> = plans.iter().map(|plan| plan.plan().digest()).collect();
    let taken = Arc::new(AtomicUsize::new(0));
    let mark = Arc::clone(&taken);
    let counted = plans.into_iter().inspect(move |_| {
        mark.fetch_add(1, Ordering::SeqCst);
    });
    let mut outcomes = run(&shop.engine, Box::new(counted));
    let (mut given, mut most) = (0, taken.load(Ordering::SeqCst));
    while let Some(outcome) = outcomes.next().await {
        let outcome = outcome.unwrap();
        let plan = outcome.certificate().unwrap().digests()["plan"];
        assert_eq!(plan, digests[given], "in the order of the plans");
        given += 1;
        most = most.max(taken.load(Ordering::SeqCst) - given);
    }
    assert_eq!((given, shop.named()), (customers, 0));
    assert!(outcomes.next().await.is_none(), "and stays at its end");
    most
}

#[tokio::test]
async fn plans_are_taken_at_most_three_batches_ahead_of_their_outcomes() {
    let shop = shop(95);
    let most = most_ahead(&shop, 95, Engine::execute_each).await;
    assert!(most <= 3 * BATCH, "{most} plans ahead");
}

#[tokio::test]
async fn nothing_happens_before_somebody_asks_for_an_outcome() {
    let shop = shop(5);
    let plans = shop.plans(5, |_| 1).await;
    let taken = AtomicUsize::new(0);
    let counted = plans.into_iter().inspect(|_| {
        taken.fetch_add(1, Ordering::SeqCst);
    });
    drop(shop.engine.execute_each(counted));
    assert_eq!((taken.load(Ordering::SeqCst), shop.named()), (0, 5));
}

/// A broken run that keeps all plans in memory at once.
#[tokio::test]
async fn a_run_that_takes_all_plans_at_once_is_found_out() {
    let shop = shop(45);
    let most = most_ahead(&shop, 45, |engine, plans| engine.execute_each(plans.collect::<Vec<_>>())).await;
    assert!(most > 3 * BATCH, "{most} plans ahead");
}

#[tokio::test]
async fn a_batch_with_an_expired_approval_is_left_alone_and_the_others_are_done() {
    let shop = shop(30);
    let plans = shop.plans(30, |n| if n == 14 { 1 } else { 3 }).await;
    shop.clock.turn(TimeDelta::hours(2));
    let mut outcomes = shop.engine.execute_each(plans);
    let (mut erased, mut refused) = (0, 0);
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(Outcome::Erased(_)) => erased += 1,
            Err(Error::Approval(_)) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((erased, refused, shop.named()), (20, 1, 10));
    assert!(shop.engine.open_cases(None, 100).await.unwrap().is_empty(), "the batch was never opened");
}

#[tokio::test]
async fn others_can_be_erased_while_nobody_asks_for_the_next_outcome() {
    let shop = shop(60);
    let mut plans = shop.plans(60, |_| 1).await;
    let others = plans.split_off(55);
    let mut outcomes = shop.engine.execute_each(plans);
    assert!(
        outcomes.next().await.is_some(),
        "from here on other batches are under way, and nobody asks for them"
    );
    for other in others {
        let erased = tokio::time::timeout(std::time::Duration::from_secs(20), shop.engine.erase(other));
        let outcome = erased.await.expect("it does not wait for those").unwrap();
        assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    }
    while let Some(outcome) = outcomes.next().await {
        assert!(matches!(outcome, Ok(Outcome::Erased(_))));
    }
    assert_eq!(shop.named(), 0);
}

#[tokio::test]
async fn what_is_dropped_under_way_is_finished_by_resume_and_what_was_not_begun_is_untouched() {
    let shop = shop(60);
    let plans = shop.plans(60, |_| 1).await;
    let mut outcomes = shop.engine.execute_each(plans);
    assert!(matches!(outcomes.next().await, Some(Ok(Outcome::Erased(_)))));
    drop(outcomes);
    let Shop { folder, engine, clock } = shop;
    drop(engine);
    let engine = open(folder.path(), &clock);
    while !engine.open_cases(None, 100).await.unwrap().is_empty() {
        for outcome in engine.resumed().await {
            assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
        }
    }
    let shop = Shop { folder, engine, clock };
    let left = shop.named();
    assert!([30, 40, 50].contains(&left), "whole batches, and three at most: {left}");
}
