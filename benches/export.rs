//! How fast records are exported as CSV, and how much memory this needs. It is compared with reading the same rows
//! directly with rusqlite.
//!
//! Run it with `cargo bench --bench export --features export`. Set `ROWS=100000` in the environment for a short run.
//!
//! There are two exports: all records of one class, and all records of one customer, who owns every record. Only
//! memory that Rust allocates is counted.

// This program prints figures.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints figures, and stops where it cannot go on"
)]

use std::alloc::System;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cap::Cap;
use relinquish::engine::export::{Export, write_csv};
use relinquish::engine::{Access, MemoryAccessLog, Purpose};
use relinquish::plan::Authority;
use relinquish::{Engine, FileKeyRing, MemoryLedger, PolicyDocument, SqlMap, SqliteStore};
use rusqlite::{Connection, params};

/// Counts the allocated memory and its peak.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const MAP: &str = r#"
version = 1
[customers]
table = "customers"
key = "id"
tenant = { is = "shop" }
deactivate = { none = "customers have no state" }
fields = { name = "name" }
[records.call]
table = "calls"
key = "id"
owner = "customer_id"
fields = { number = "communication", started_at = "not personal", seconds = "not personal" }
"#;

const POLICY: &str = r#"
version = 1
sweep = false
triggers.requested = { treatment = "clear" }
guards = { not_archived = { ignore = "no state" }, active_subscription = { ignore = "there are none" } }
anonymise = { name = "remove" }
treatments.clear = { customer = "anonymise", call = "delete" }
"#;

fn main() {
    let most = std::env::var("ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000_u32);
    let few = most / 10;
    let [few_bytes, most_bytes] = [few, most].map(|rows| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.sqlite");
        create(&path, rows);
        let bare = bare(&path);
        let mut peak = 0;
        for (what, export) in
            [("of the class", Export::class("call")), ("of one customer", Export::customer("1"))]
        {
            let (took, bytes) = exported(&path, &export, rows);
            let rate = bare.as_secs_f64() / took.as_secs_f64();
            println!(
                "{rows} records {what}: {:.2} s, bare reading {:.2} s: {rate:.2} of its rate",
                took.as_secs_f64(),
                bare.as_secs_f64()
            );
            peak = peak.max(bytes);
        }
        println!("{rows} records: {:.2} MiB at most", mebibytes(peak));
        peak
    });
    println!("memory, {most} records vs {few}: {:.3}", mebibytes(most_bytes) / mebibytes(few_bytes));
}

fn mebibytes(bytes: usize) -> f64 {
    // Exact up to 2⁵³.
    #[allow(clippy::cast_precision_loss, reason = "figures are printed with a few digits")]
    let bytes = bytes as f64;
    bytes / f64::from(1 << 20)
}

fn create(path: &Path, rows: u32) {
    let mut connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT);
             CREATE TABLE calls (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers, number TEXT, started_at TEXT, seconds INTEGER);
             CREATE INDEX calls_by_customer ON calls (customer_id);
             INSERT INTO customers VALUES (1, 'Maud Ashworth');",
        )
        .unwrap();
    let transaction = connection.transaction().unwrap();
    {
        let mut insert = transaction.prepare("INSERT INTO calls VALUES (?1, 1, ?2, ?3, ?4)").unwrap();
        for id in 1..=rows {
            let number = format!("+47 55 {:06}", id.wrapping_mul(7_919) % 1_000_000);
            let at = format!("2025-03-{:02} 1{}:30:00", id % 28 + 1, id % 10);
            insert.execute(params![id, number, at, id % 600]).unwrap();
        }
    }
    transaction.commit().unwrap();
}

/// The time that rusqlite needs to read every value of the rows.
fn bare(path: &Path) -> Duration {
    let connection = Connection::open(path).unwrap();
    let read = || {
        let begun = Instant::now();
        let mut statement = connection.prepare("SELECT * FROM calls").unwrap();
        let mut rows = statement.query([]).unwrap();
        let mut bytes = 0;
        while let Some(row) = rows.next().unwrap() {
            for column in 0..5 {
                bytes += match row.get_ref(column).unwrap() {
                    rusqlite::types::ValueRef::Text(text) => text.len(),
                    _ => 8,
                };
            }
        }
        assert!(bytes > 0);
        begun.elapsed()
    };
    (0..3).map(|_| read()).min().unwrap()
}

/// The time of an export, and its peak of memory beyond the memory that was in use before.
fn exported(path: &Path, export: &Export, rows: u32) -> (Duration, usize) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(path, &SqlMap::from_toml(MAP).unwrap()).unwrap());
    let keys = FileKeyRing::create_beside(folder.path().join("ledger")).unwrap();
    let engine = Engine::builder(
        Arc::clone(&store),
        PolicyDocument::from_toml(POLICY).unwrap(),
        MemoryLedger::new(),
        keys,
    )
    .records(store)
    .access_log(MemoryAccessLog::new())
    .build()
    .unwrap();
    let access =
        Access::new(Authority::new("bench", ["shop".into()]), Purpose::Reason("bench".parse().unwrap()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let before = ALLOCATOR.allocated();
    let mut took = Duration::MAX;
    for _ in 0..3 {
        let begun = Instant::now();
        let report = runtime.block_on(async {
            let exporting = engine.export(export, &access).await.unwrap();
            write_csv(exporting, io::sink()).await.unwrap().report().clone()
        });
        took = took.min(begun.elapsed());
        assert_eq!(report.records.get("call").copied(), Some(u64::from(rows)));
    }
    (took, ALLOCATOR.max_allocated().saturating_sub(before))
}
