//! What a survey of all customers costs, compared with a bare SELECT of the same columns through the same driver. It
//! also measures the memory.
//!
//! Run it with `cargo bench --bench sweep --features sqlite`. Set `CUSTOMERS=10000` in the environment for a short
//! run.
//!
//! One customer in a hundred is due and has an invoice. Each round runs the SELECT twice and the survey once, and the
//! medians are compared. The ratio of the two SELECTs (A/A) shows how stable the machine is. The SELECT is one
//! statement over the whole table. It converts every value to a Rust value (a text to a `String`) and keeps nothing.
//! A third figure is a SELECT that only looks at SQLite's own bytes, without converting them.

// This program prints figures.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints figures, and stops where it cannot go on"
)]

use std::alloc::System;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use cap::Cap;
use chrono::{Days, Utc};
use relinquish::engine::SweepEvent;
use relinquish::{Engine, FileKeyRing, PolicyDocument, SqlMap, SqliteLedger, SqliteStore};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

/// Counts the allocated memory and its peak.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const ROUNDS: usize = 5;

const MAP: &str = r#"
version = 1
[customers]
table = "customers"
key = "id"
tenant = "shop"
registered = "created_at"
status = { column = "status", active = "active", cancelled = "cancelled", archived = "archived" }
deactivate = { status = "archived" }
dates = { cancelled = "cancelled_at", last_order = "last_order_at" }
[customers.fields]
name = "name"
email = "email"
cancelled_at = "not personal"
last_order_at = "not personal"
[records.invoice]
table = "invoices"
key = "id"
owner = "customer_id"
fields = { billing_name = "name", total = "not personal" }
"#;

const POLICY: &str = r#"
version = 1
sweep = true
[triggers]
cancelled = { after = "90 days", treatment = "clear" }
inactive = { since = ["last_order", "cancelled"], after = "4 years", treatment = "clear" }
[guards]
not_archived = { ignore = "each case archives" }
active_subscription = { ignore = "there are none" }
several_tenants = { ignore = "a customer has one" }
[anonymise]
name = "remove"
email = "token"
[treatments.clear]
customer = "anonymise"
invoice = "anonymise"
"#;

/// The columns of the survey, as the store reads them.
const SELECT: &str = "SELECT id, CAST(shop AS TEXT), CAST(status AS TEXT), created_at, cancelled_at, last_order_at, status FROM customers
     ORDER BY id";

fn main() {
    let sizes: Vec<usize> = match std::env::var("CUSTOMERS").ok().and_then(|text| text.parse().ok()) {
        Some(customers) => vec![customers],
        None => vec![100_000, 1_000_000],
    };
    for customers in sizes {
        measure(customers);
    }
}

fn measure(customers: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    create(&path, customers);
    let ledger = folder.path().join("ledger.sqlite");
    let engine = Engine::builder(
        SqliteStore::open(&path, &SqlMap::from_toml(MAP).unwrap()).unwrap(),
        PolicyDocument::from_toml(POLICY).unwrap(),
        SqliteLedger::open(&ledger).unwrap(),
        FileKeyRing::create_beside(&ledger).unwrap(),
    )
    .build()
    .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(engine.census()).unwrap();
    let connection = Connection::open(&path).unwrap();
    // Once to warm up.
    select(&connection, customers);
    let due = runtime.block_on(survey(&engine, customers));
    let (mut bare, mut again, mut surveys, mut looks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let time = |times: &mut Vec<Duration>, work: &mut dyn FnMut()| {
            let start = Instant::now();
            work();
            times.push(start.elapsed());
        };
        let mut one = || time(&mut bare, &mut || select(&connection, customers));
        let mut other = || time(&mut again, &mut || select(&connection, customers));
        // The order alternates, so that neither is always first.
        if round % 2 == 0 {
            (one(), other())
        } else {
            (other(), one())
        };
        time(&mut looks, &mut || look(&connection, customers));
        time(&mut surveys, &mut || {
            black_box(runtime.block_on(survey(&engine, customers)));
        });
    }
    let [bare, again, survey, look] = [bare, again, surveys, looks].map(median);
    println!(
        "{customers} customers, {due} due: bare SELECT {:.0} ms, survey {:.0} ms",
        millis(bare),
        millis(survey)
    );
    println!("survey vs bare SELECT, {customers}: {:.3}", survey.as_secs_f64() / bare.as_secs_f64());
    println!("bare SELECT vs itself (A/A), {customers}: {:.3}", again.as_secs_f64() / bare.as_secs_f64());
    println!(
        "survey vs SELECT that takes no value, {customers}: {:.3}",
        survey.as_secs_f64() / look.as_secs_f64()
    );
    println!(
        "memory at most, {customers}: {:.2} MiB allocated by Rust",
        mebibytes(ALLOCATOR.max_allocated())
    );
    if let Some(kib) = resident() {
        println!(
            "memory at most, {customers}: {:.2} MiB resident, with SQLite and the program",
            kib / 1024.0
        );
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    *times.get(times.len() / 2).unwrap()
}

fn mebibytes(bytes: usize) -> f64 {
    // Exact up to 2⁵³.
    #[allow(clippy::cast_precision_loss, reason = "figures are printed with a few digits")]
    let bytes = bytes as f64;
    bytes / f64::from(1 << 20)
}

/// The peak of the process's memory, in KiB, if the system reports it.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// Converts every value of the survey's columns to a Rust value, and keeps nothing.
fn select(connection: &Connection, customers: usize) {
    let mut statement = connection.prepare_cached(SELECT).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut count = 0;
    while let Some(row) = rows.next().unwrap() {
        black_box(row.get::<_, i64>(0).unwrap());
        for column in 1..7 {
            black_box(row.get::<_, Option<String>>(column).unwrap());
        }
        count += 1;
    }
    assert_eq!(count, customers);
}

/// Looks at every value of the survey's columns, without converting it.
fn look(connection: &Connection, customers: usize) {
    let mut statement = connection.prepare_cached(SELECT).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut count = 0;
    while let Some(row) = rows.next().unwrap() {
        for column in 0..7 {
            let bytes = match row.get_ref(column).unwrap() {
                ValueRef::Integer(number) => number,
                ValueRef::Text(text) => i64::try_from(text.len()).unwrap(),
                _ => 0,
            };
            black_box(bytes);
        }
        count += 1;
    }
    assert_eq!(count, customers);
}

async fn survey(engine: &Engine, customers: usize) -> u64 {
    let mut sweep = engine.survey_all();
    let mut counts = None;
    while let Some(event) = sweep.next().await {
        if let SweepEvent::Counted(found) = event.unwrap() {
            counts = Some(found);
        }
    }
    let counts = counts.unwrap();
    assert_eq!(counts.customers, u64::try_from(customers).unwrap());
    assert_eq!(counts.due, counts.customers.div_ceil(100));
    counts.due
}

fn create(path: &Path, customers: usize) {
    let mut connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE customers (id INTEGER PRIMARY KEY, shop TEXT NOT NULL, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE,
                 status TEXT NOT NULL, created_at TEXT NOT NULL, cancelled_at TEXT, last_order_at TEXT);
             CREATE TABLE invoices (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers,
                 billing_name TEXT NOT NULL, total INTEGER NOT NULL);
             CREATE INDEX invoices_by ON invoices (customer_id);",
        )
        .unwrap();
    let today = Utc::now().date_naive();
    let ago = |days: u64| today.checked_sub_days(Days::new(days)).unwrap().to_string();
    let transaction = connection.transaction().unwrap();
    {
        let mut customer =
            transaction.prepare("INSERT INTO customers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)").unwrap();
        let mut invoice = transaction
            .prepare("INSERT INTO invoices (customer_id, billing_name, total) VALUES (?1, ?2, ?3)")
            .unwrap();
        for id in 0..i64::try_from(customers).unwrap() {
            let name = format!("Maud Ashworth {id}");
            // One in a hundred is due, and one in ten was cancelled a short time ago.
            let (status, cancelled) = match id % 100 {
                0 => ("cancelled", Some(ago(120))),
                n if n % 10 == 0 => ("cancelled", Some(ago(30))),
                _ => ("active", None),
            };
            let last_order = ago(10 + u64::try_from(id % 900).unwrap());
            let shop = format!("shop {}", id % 20);
            customer
                .execute(params![
                    id,
                    shop,
                    name,
                    format!("maud.{id}@example.org"),
                    status,
                    "2020-01-01 10:00:00",
                    cancelled,
                    last_order
                ])
                .unwrap();
            if id % 10 == 0 {
                invoice.execute(params![id, name, id]).unwrap();
            }
        }
    }
    transaction.commit().unwrap();
}
