//! How much memory erasing needs while plans arrive one after the other. It depends on the size of a batch, not on
//! the number of customers.
//!
//! Run it with `cargo bench --bench memory`. Set `CUSTOMERS=5000` in the environment for a short run.
//!
//! One thread plans and approves page by page. A channel holds one page, and another thread executes. Only memory
//! that Rust allocates is counted. SQLite also has a page cache of 2 MiB for each connection.

// This program prints figures.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints figures, and stops where it cannot go on"
)]

use std::alloc::System;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use cap::Cap;
use chrono::{TimeDelta, Utc};
use relinquish::{
    Approval, ApprovedPlan, Asked, CustomerId, Engine, FileKeyRing, Planned, PolicyDocument, SqlMap,
    SqliteLedger, SqliteStore,
};
use rusqlite::{Connection, params};

/// Counts the allocated memory and its peak.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const PAGE: usize = 500;

const MAP: &str = r#"
version = 1
[customers]
table = "customers"
key = "id"
tenant = { is = "shop" }
registered = "created_at"
status = { column = "status", active = "active", cancelled = "cancelled", archived = "archived" }
deactivate = { status = "archived" }
fields = { name = "name", email = "email" }
[records.invoice]
table = "invoices"
key = "id"
owner = "customer_id"
fields = { billing_name = "name", total = "not personal" }
"#;

const POLICY: &str = r#"
version = 1
sweep = false
triggers.requested = { treatment = "clear" }
guards = { not_archived = { ignore = "each case archives" }, active_subscription = { ignore = "there are none" } }
anonymise = { name = "remove", email = "token" }
treatments.clear = { customer = "anonymise", invoice = "anonymise" }
"#;

fn main() {
    let most = std::env::var("CUSTOMERS").ok().and_then(|text| text.parse().ok()).unwrap_or(50_000_usize);
    // The small run has enough customers to fill every page and the channel.
    let few = most.div_ceil(10).max(6 * PAGE);
    let [few_bytes, most_bytes] = [few, most].map(|customers| {
        let bytes = peak(customers);
        println!("{customers} customers: {:.2} MiB at most", mebibytes(bytes));
        bytes
    });
    println!("memory, {most} customers vs {few}: {:.3}", mebibytes(most_bytes) / mebibytes(few_bytes));
}

fn mebibytes(bytes: usize) -> f64 {
    // Exact up to 2⁵³.
    #[allow(clippy::cast_precision_loss, reason = "figures are printed with a few digits")]
    let bytes = bytes as f64;
    bytes / f64::from(1 << 20)
}

/// The peak of memory while this number of customers is erased. The peak of an earlier run also counts for a later
/// one, so the small run comes first.
fn peak(customers: usize) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    create(&path, customers);
    let ledger = folder.path().join("ledger.sqlite");
    let engine = Engine::builder(
        SqliteStore::open(&path, &SqlMap::from_toml(MAP).unwrap()).unwrap(),
        PolicyDocument::from_toml(POLICY).unwrap(),
        SqliteLedger::open(&ledger).unwrap(),
        FileKeyRing::open_beside(&ledger).or_else(|_| FileKeyRing::create_beside(&ledger)).unwrap(),
    )
    .batch(PAGE)
    .build()
    .unwrap();
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(engine.census()).unwrap();
    let (send, plans) = mpsc::sync_channel::<Vec<ApprovedPlan>>(1);
    let planner = {
        let engine = engine.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for first in (1..=customers).step_by(PAGE) {
                let page = first..=customers.min(first + PAGE - 1);
                send.send(runtime.block_on(approved(&engine, page))).unwrap();
            }
        })
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let erased = runtime.block_on(async {
        let mut erased = 0;
        let mut outcomes = engine.execute_each(plans.into_iter().flatten());
        while let Some(outcome) = outcomes.next().await {
            assert!(outcome.unwrap().certificate().is_some());
            erased += 1;
        }
        erased
    });
    planner.join().unwrap();
    assert_eq!(erased, customers);
    ALLOCATOR.max_allocated()
}

async fn approved(engine: &Engine, page: RangeInclusive<usize>) -> Vec<ApprovedPlan> {
    let ids: Vec<CustomerId> = page.map(|id| CustomerId::new(id.to_string())).collect();
    let now = Utc::now();
    let planned = engine.plan_batch(&ids, &Asked::request()).await.unwrap();
    planned
        .into_iter()
        .map(|planned| {
            let Ok(Planned::Plan(plan)) = planned else { unreachable!("everyone is due") };
            let approval =
                Approval::new("op", [plan.tenant().clone()], plan.digest(), now, TimeDelta::hours(1));
            plan.approve(approval).unwrap()
        })
        .collect()
}

fn create(path: &Path, customers: usize) {
    let mut connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE,
                 status TEXT NOT NULL, created_at TEXT NOT NULL);
             CREATE TABLE invoices (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers,
                 billing_name TEXT NOT NULL, total INTEGER NOT NULL);
             CREATE INDEX invoices_by ON invoices (customer_id);",
        )
        .unwrap();
    let transaction = connection.transaction().unwrap();
    {
        let mut customer = transaction
            .prepare("INSERT INTO customers VALUES (?1, ?2, ?3, 'cancelled', '2020-01-01 10:00:00')")
            .unwrap();
        let mut invoice = transaction
            .prepare("INSERT INTO invoices (customer_id, billing_name, total) VALUES (?1, ?2, ?3)")
            .unwrap();
        for id in 1..=i64::try_from(customers).unwrap() {
            let name = format!("Maud Ashworth {id}");
            customer.execute(params![id, name, format!("maud.{id}@example.org")]).unwrap();
            for n in 0..10 {
                invoice.execute(params![id, name, n]).unwrap();
            }
        }
    }
    transaction.commit().unwrap();
}
