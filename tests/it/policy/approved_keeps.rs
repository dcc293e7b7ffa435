//! An approval covers what duties keep: an invoice that the plan keeps is never deleted under its approval.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use proptest::prelude::*;
use relinquish::engine::Clock as _;
use relinquish::ledger::{MemoryKeyRing, TokenKey};
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::{
    Approval, Engine, MemoryLedger, Outcome, Plan, PolicyDocument, SqlMap, SqliteLedger, SqliteStore,
};
use rusqlite::Connection;

use crate::hosts::BuildCounted as _;
use crate::policy::duties::{
    Dump, Row, any_rows, assert_as_the_oracle_says, dump_memory, dump_sqlite, engine, kept_until,
    line_kept_until, memory, plan, run, sqlite, stockholm,
};

/// An approval of a plan, with the longest validity.
fn approval(plan: &Plan, now: DateTime<Utc>) -> Approval {
    Approval::new("op", [plan.tenant().clone()], plan.digest(), now, Approval::LONGEST)
}

/// Every day on which one duty ends for one row, for each of its dates.
fn ends(rows: &[Row], late: bool) -> Vec<NaiveDate> {
    let by_one = |row: &Row| {
        let mut ends = vec![kept_until(&Row { invoice: false, ..row.clone() }, late)];
        if row.invoice {
            ends.extend([line_kept_until(row, late), kept_until(row, late)]);
            ends.push(row.issued.day().and_then(|day| day.checked_add_months(chrono::Months::new(120))));
        }
        ends
    };
    rows.iter().flat_map(by_one).flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]

    /// Either exactly the approved plan is carried out, or nothing is, and the case says why.
    #[test]
    fn what_was_approved_happens_exactly_or_the_case_is_superseded(
        rows in any_rows(), late in any::<bool>(), near in 0..40_usize, before in 0..20_i64, wait in 0..30_i64,
    ) {
        run(async move {
            let tenant = if late { "late" } else { "early" };
            // Most of the days are shortly before the end of a duty.
            let ends = ends(&rows, late);
            let anchor = ends.get(near).or(ends.first()).copied();
            let anchor = anchor.unwrap_or_else(|| "2026-12-31".parse().unwrap()) - TimeDelta::days(before);
            let planned_at = anchor.and_hms_opt(12, 0, 0).unwrap().and_utc();
            let run_at = planned_at + TimeDelta::days(wait);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("host.sqlite");
            let clock = Arc::new(ManualClock::at(planned_at));
            let in_sqlite = engine(sqlite(&path, tenant, &rows), &clock);
            let store = Arc::new(memory(tenant, &rows));
            let in_memory = engine(Arc::clone(&store), &clock);
            for (engine, dump) in [
                (in_sqlite, Box::new(|| dump_sqlite(&path)) as Box<dyn Fn() -> Dump>),
                (in_memory, Box::new(|| dump_memory(&store))),
            ] {
                clock.turn(planned_at - clock.now());
                let planned = plan(&engine).await.unwrap();
                let approval = approval(&planned, planned_at);
                let (digest, approved) = (planned.digest(), planned.approve(approval).unwrap());
                clock.turn(run_at - planned_at);
                let before = dump();
                let now = plan(&engine).await.unwrap();
                let outcome = engine.erase(approved).await.unwrap();
                let is_kept = |until: Option<NaiveDate>, day| until.is_none_or(|until| until >= day);
                let frees = rows.iter().any(|row| {
                    let untils = [kept_until(row, late), line_kept_until(row, late)];
                    untils[..if row.invoice { 2 } else { 1 }].iter().any(|until| {
                        is_kept(*until, stockholm(planned_at)) && !is_kept(*until, stockholm(run_at))
                    })
                });
                match outcome {
                    Outcome::Erased(_) => {
                        assert!(!frees, "a row that the plan kept is free by {run_at}");
                        assert_eq!(now.digest(), digest, "a plan of today is the same one");
                        assert_as_the_oracle_says(&rows, late, stockholm(planned_at), &before, &dump());
                    }
                    Outcome::Superseded { because, .. } => {
                        assert_eq!(dump(), before, "nothing was touched");
                        assert!(because.to_string().contains("what duties keep of"), "{because}");
                        assert_ne!(now.digest(), digest, "the approval is of no plan of today");
                        let ended = ends.iter().any(|end| {
                            *end >= stockholm(planned_at) && *end < stockholm(run_at)
                        });
                        assert!(ended, "no duty has ended, and yet: {because}");
                    }
                    other => panic!("{other}"),
                }
            }
        });
    }
}

const SCHEMA: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, org TEXT NOT NULL, name TEXT, created_at TEXT NOT NULL);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, note TEXT);
    CREATE TABLE bills (
        id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, order_id INTEGER REFERENCES orders,
        day TEXT, buyer TEXT
    );
    INSERT INTO clients VALUES (1, 't1', 'Ann Berg', '2015-01-01');
    INSERT INTO orders VALUES (1, 1, 'for Ann Berg');
    INSERT INTO bills VALUES (1, 1, 1, '2019-02-28', 'Ann Berg');";

const MAP: &str = r#"
version = 1
[customers]
table = "clients"
key = "id"
tenant = "org"
registered = "created_at"
status = { sql = "'archived'", active = "active", archived = "archived" }
deactivate = { none = "there is no such status" }
fields = { name = "name" }
[records.order]
table = "orders"
key = "id"
owner = "client_id"
fields = { note = "free_text" }
[records.bill]
table = "bills"
key = "id"
owner = "client_id"
ends.order_id = "goes"
fields = { day = "not personal", buyer = "name" }
"#;

const POLICY: &str = r#"
version = 1
sweep = true
[triggers]
requested = { treatment = "clear" }
[guards]
active_subscription = { ignore = "x" }
several_tenants = { ignore = "x" }
not_archived = { ignore = "x" }
[anonymise]
name = "remove"
free_text = "remove"
[treatments.clear]
customer = "delete"
order = "delete"
bill = "delete"
[duties.bookkeeping]
classes = ["bill"]
statute = "SE/BFL/7:2"
from = "day"
"#;

struct Shop {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    engine: Engine,
}

impl Shop {
    /// The plan has a tombstone of the order while a bill is kept.
    fn at(now: &str) -> Self {
        Self::needing(now, "[]")
    }

    fn needing(now: &str, needs: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.sqlite");
        Connection::open(&path).unwrap().execute_batch(SCHEMA).unwrap();
        let store = SqliteStore::open(&path, &SqlMap::from_toml(MAP).unwrap()).unwrap();
        let clock = Arc::new(ManualClock::at(now.parse().unwrap()));
        let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
        let policy = PolicyDocument::from_toml(&format!("{POLICY}needs = {needs}\n")).unwrap();
        let engine = Engine::builder(store, policy, MemoryLedger::new(), keys)
            .clock(Arc::clone(&clock))
            .entropy(RepeatableEntropy::new(1))
            .counted()
            .unwrap_or_else(|problems| panic!("{problems}"));
        Self { folder, clock, engine }
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn turn_to(&self, at: &str) {
        self.clock.turn(at.parse::<DateTime<Utc>>().unwrap() - self.now());
    }

    fn sql(&self, statements: &str) {
        let path = self.folder.path().join("shop.sqlite");
        Connection::open(path).unwrap().execute_batch(statements).unwrap();
    }

    fn count(&self, table: &str) -> i64 {
        let path = self.folder.path().join("shop.sqlite");
        let sql = format!("SELECT count(*) FROM {table}");
        Connection::open(path).unwrap().query_row(&sql, [], |row| row.get(0)).unwrap()
    }
}

/// A former bug: an invoice of February 2019 is kept until the end of 2026, and the plan said so. It was approved on
/// the last evening and ran three hours later, and deleted the invoice.
#[tokio::test]
async fn a_plan_that_keeps_an_invoice_does_not_delete_it_when_the_duty_has_ended() {
    let shop = Shop::at("2026-12-31T22:00:00Z");
    let planned = plan(&shop.engine).await.unwrap();
    let approved = {
        let approval = approval(&planned, shop.now());
        planned.approve(approval).unwrap()
    };
    shop.turn_to("2027-01-01T01:00:00Z");
    let outcome = shop.engine.erase(approved.clone()).await.unwrap();
    let Outcome::Superseded { because, .. } = outcome else { panic!("{outcome}") };
    assert_eq!(
        because.to_string(),
        "what duties keep of bill has changed: the plan keeps 1 row (bookkeeping until 2026-12-31), and now they keep \
         nothing; plan again and approve the new plan"
    );
    assert_eq!(["clients", "orders", "bills"].map(|table| shop.count(table)), [1, 1, 1]);

    // An approval that is checked only by its digest is refused as well.
    let now = plan(&shop.engine).await.unwrap();
    assert_ne!(now.digest(), approved.plan().digest());
    let approval = approval(&now, shop.now());
    let outcome = shop.engine.erase(now.approve(approval).unwrap()).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    assert_eq!(["clients", "orders", "bills"].map(|table| shop.count(table)), [0, 0, 0]);
}

/// As long as the duty lasts, the plan of the next day is the same plan. So no new approval is needed every morning.
#[tokio::test]
async fn a_plan_stays_the_same_as_long_as_the_duties_keep_the_same() {
    let shop = Shop::at("2026-12-01T12:00:00Z");
    let planned = plan(&shop.engine).await.unwrap();
    shop.turn_to("2026-12-30T12:00:00Z");
    assert_eq!(plan(&shop.engine).await.unwrap().digest(), planned.digest());
    let keeps = &planned.to_json()["binds"]["keeps"];
    assert_eq!(
        *keeps,
        serde_json::json!({
            "classes": {
                "bill": { "rows": 1, "duties": { "bookkeeping": "2026-12-31" }, "free_from": "2027-01-01" },
            },
            "tombstones": { "customer": 1, "order": 1 },
        })
    );
    shop.sql("INSERT INTO bills VALUES (2, 1, NULL, '2024-02-28', 'Ann Berg')");
    assert_ne!(
        plan(&shop.engine).await.unwrap().digest(),
        planned.digest(),
        "more is kept than was approved"
    );
}

/// A row stays only because a kept row needs it, whole or as a tombstone. It is deleted together with the kept row,
/// whoever owns the kept row.
#[tokio::test]
async fn what_a_kept_row_of_somebody_else_needs_is_part_of_what_is_approved() {
    for needs in ["[]", "['bill.order_id']"] {
        let shop = Shop::needing("2026-12-31T22:00:00Z", needs);
        shop.sql(
            "INSERT INTO clients VALUES (2, 't1', 'Bo Ek', '2015-01-01'); UPDATE bills SET client_id = 2;",
        );
        let planned = plan(&shop.engine).await.unwrap();
        let approval = approval(&planned, shop.now());
        let approved = planned.approve(approval).unwrap();
        shop.turn_to("2027-01-01T01:00:00Z");
        let outcome = shop.engine.erase(approved).await.unwrap();
        let Outcome::Superseded { because, .. } = outcome else { panic!("{needs}: {outcome}") };
        assert!(because.to_string().contains("duties keep"), "{because}");
        assert_eq!(shop.count("orders"), 1, "nothing was touched");
    }
}

/// A waiting case keeps its approval after its process has ended.
#[tokio::test]
async fn the_case_book_has_what_duties_keep() {
    use relinquish::ledger::{CaseBook as _, Lease, NewCase, Task};

    let shop = Shop::at("2026-12-31T22:00:00Z");
    let planned = plan(&shop.engine).await.unwrap();
    let approval = approval(&planned, shop.now());
    let approved = planned.approve(approval).unwrap();
    let case = NewCase::new("00ff".into(), &approved, shop.now());
    let path = shop.folder.path().join("ledger.sqlite");
    let lease = Lease::new("one", std::time::Duration::from_secs(60));
    SqliteLedger::open(&path).unwrap().open(std::slice::from_ref(&case), &lease).await.unwrap();
    let saved = SqliteLedger::open_existing(&path)
        .unwrap()
        .claim(std::slice::from_ref(&case.id), &lease)
        .await
        .unwrap();
    let binding = |case: &NewCase| {
        let Task::Erasure(erasure) = &case.task else { panic!("{case:?}") };
        Arc::clone(&erasure.binding)
    };
    assert_eq!(binding(&saved.cases[0].new), binding(&case));
}
