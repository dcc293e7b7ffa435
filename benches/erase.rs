//! How fast customers are erased from an SQLite file, compared with SQL that is written by hand.
//!
//! Run it with `cargo bench --bench erase`. Set `CUSTOMERS=1000 ROUNDS=3` in the environment for a short run.
//!
//! Half of the customers are erased. Each customer has 2 addresses, 10 invoices and 100 call records. Every run
//! starts from a fresh synced copy of the same file. The two baselines use the same pragmas and the same batches:
//!
//! * *careful* reads the facts, deactivates with compare-and-set, erases, verifies by count, checkpoints once at the end;
//! * *bare* erases.
//!
//! The crate's run goes from approved plans to certificates, with the ledger in a separate file.

// This program prints figures.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints figures, and stops where it cannot go on"
)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use relinquish::{
    Approval, ApprovedPlan, Asked, CustomerId, Engine, FileKeyRing, Planned, PolicyDocument, SqlMap,
    SqliteLedger, SqliteStore,
};
use rusqlite::{Connection, TransactionBehavior, params};

const BATCH: usize = 500;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE customers (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, phone TEXT,
        status TEXT NOT NULL, subscriptions INTEGER NOT NULL, created_at TEXT NOT NULL
    );
    CREATE TABLE addresses (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, street TEXT);
    CREATE TABLE invoices (
        id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, billing_name TEXT NOT NULL,
        billing_address TEXT, total INTEGER NOT NULL
    );
    CREATE TABLE calls (
        id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, called TEXT, seconds INTEGER
    );";

const INDEXES: &str = "
    CREATE INDEX addresses_by ON addresses (customer_id);
    CREATE INDEX invoices_by ON invoices (customer_id);
    CREATE INDEX calls_by ON calls (customer_id);";

const MAP: &str = r#"
version = 1
[customers]
table = "customers"
key = "id"
tenant = { is = "shop" }
registered = "created_at"
active_subscriptions = "subscriptions"
status = { column = "status", active = "active", cancelled = "cancelled", archived = "archived" }
deactivate = { status = "archived" }
fields = { name = "name", email = "email", phone = "phone" }
[records.address]
table = "addresses"
key = "id"
owner = "customer_id"
fields = { street = "address" }
[records.invoice]
table = "invoices"
key = "id"
owner = "customer_id"
fields = { billing_name = "name", billing_address = "address", total = "not personal" }
[records.call]
table = "calls"
key = "id"
owner = "customer_id"
fields = { called = "communication", seconds = "not personal" }
"#;

const POLICY: &str = r#"
version = 1
sweep = true
[triggers]
requested = { treatment = "clear" }
[guards]
not_archived = { ignore = "each case archives" }
[anonymise]
name = "remove"
email = "token"
phone = "remove"
address = "remove"
[treatments.clear]
customer = "anonymise"
address = "delete"
invoice = "anonymise"
call = "delete"
"#;

fn main() {
    let customers = number("CUSTOMERS", 10_000);
    let rounds = number("ROUNDS", 9);
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("original.sqlite");
    create(&original, customers);
    println!(
        "{customers} customers among as many bystanders, {rounds} rounds, file {} MiB",
        fs::metadata(&original).unwrap().len() >> 20
    );

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut figures = Figures::default();
    for round in 0..rounds {
        let careful_first =
            || timed(&folder.path().join("careful.sqlite"), &original, |path| careful(path, customers));
        let first = careful_first();
        let bare = timed(&folder.path().join("bare.sqlite"), &original, |path| bare(path, customers));
        let ours = ours(&runtime, folder.path(), &original, customers);
        let second = careful_first();
        // The baselines run before and after the crate's run. If the speed of the machine changes, this shows in A/A
        // and not in the ratio.
        let middle = Took { wall: (first.wall + second.wall) / 2, cpu: (first.cpu + second.cpu) / 2 };
        figures.careful.push(ratio(ours.0.wall, middle.wall));
        figures.bare.push(ratio(ours.0.wall, bare.wall));
        figures.same.push(ratio(first.wall, second.wall));
        figures.careful_cpu.push(ratio(ours.0.cpu, middle.cpu));
        figures.bare_cpu.push(ratio(ours.0.cpu, bare.cpu));
        figures.scrub.push(ours.1.as_secs_f64());
        println!(
            "round {round}: ours {:.2} s, careful {:.2} s and {:.2} s, bare {:.2} s",
            ours.0.wall.as_secs_f64(),
            first.wall.as_secs_f64(),
            second.wall.as_secs_f64(),
            bare.wall.as_secs_f64()
        );
    }
    println!("sqlite erase vs careful SQL: {:.3}", median(&mut figures.careful));
    println!("sqlite erase vs bare SQL: {:.3}", median(&mut figures.bare));
    println!("A/A: {:.3}", median(&mut figures.same));
    println!("sqlite erase vs careful SQL, CPU time: {:.3}", median(&mut figures.careful_cpu));
    println!("sqlite erase vs bare SQL, CPU time: {:.3}", median(&mut figures.bare_cpu));
    println!("scrub: {:.2} s", median(&mut figures.scrub));
}

#[derive(Default)]
struct Figures {
    careful: Vec<f64>,
    bare: Vec<f64>,
    same: Vec<f64>,
    careful_cpu: Vec<f64>,
    bare_cpu: Vec<f64>,
    scrub: Vec<f64>,
}

#[derive(Clone, Copy)]
struct Took {
    wall: Duration,
    cpu: Duration,
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64().max(1e-9)
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// CPU time of this process so far, in the kernel's ticks of 10 ms. Zero if there is no `/proc`.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn measure(work: impl FnOnce()) -> Took {
    let (start, cpu_start) = (Instant::now(), cpu());
    work();
    Took { wall: start.elapsed(), cpu: cpu().saturating_sub(cpu_start) }
}

fn fresh(path: &Path, original: &Path) {
    for end in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(end);
        let _ = fs::remove_file(PathBuf::from(file));
    }
    fs::copy(original, path).unwrap();
    File::open(path).unwrap().sync_all().unwrap();
}

fn timed(path: &Path, original: &Path, work: impl FnOnce(&Path)) -> Took {
    fresh(path, original);
    let took = measure(|| work(path));
    check(path);
    took
}

fn create(path: &Path, customers: usize) {
    let mut connection = Connection::open(path).unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    let transaction = connection.transaction().unwrap();
    {
        let mut customer = transaction
            .prepare("INSERT INTO customers VALUES (?1, ?2, ?3, ?4, ?5, ?6, '2020-01-01 10:00:00')")
            .unwrap();
        let mut address =
            transaction.prepare("INSERT INTO addresses (customer_id, street) VALUES (?1, ?2)").unwrap();
        let mut invoice = transaction
            .prepare("INSERT INTO invoices (customer_id, billing_name, billing_address, total) VALUES (?1, ?2, ?3, ?4)")
            .unwrap();
        let mut call = transaction
            .prepare("INSERT INTO calls (customer_id, called, seconds) VALUES (?1, ?2, ?3)")
            .unwrap();
        // Every second customer is to be erased.
        for id in 1..=2 * i64::try_from(customers).unwrap() {
            let due = id % 2 == 1;
            let (name, street) =
                (format!("Maud Ashworth {id}"), format!("{id} Church Lane, Little Whinging"));
            let email = format!("maud.{id}@example.org");
            let status = if due { "cancelled" } else { "active" };
            customer
                .execute(params![id, name, email, format!("+44 20 {id:08}"), status, i64::from(!due)])
                .unwrap();
            for n in 0..2 {
                address.execute(params![id, format!("{street} {n}")]).unwrap();
            }
            for n in 0..10 {
                invoice.execute(params![id, name, street, 1000 + n]).unwrap();
            }
            for n in 0..100 {
                call.execute(params![id, format!("+46 {:09}", id * 131 + n), n]).unwrap();
            }
        }
    }
    transaction.commit().unwrap();
    connection.execute_batch(INDEXES).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

/// Checks the result, which has to be the same for every variant.
fn check(path: &Path) {
    let connection = Connection::open(path).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(
        count(
            "SELECT count(*) FROM customers WHERE id % 2 = 1 AND (email LIKE 'maud%' OR phone IS NOT NULL)"
        ),
        0
    );
    assert_eq!(count("SELECT count(*) FROM calls WHERE customer_id % 2 = 1"), 0);
    assert_eq!(
        count("SELECT count(*) FROM invoices WHERE customer_id % 2 = 1 AND billing_name LIKE 'Maud%'"),
        0
    );
    assert_eq!(
        count("SELECT count(*) FROM customers WHERE email LIKE 'maud%'") * 2,
        count("SELECT count(*) FROM customers")
    );
}

fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    connection.pragma_update(None, "secure_delete", true).unwrap();
    connection.pragma_update(None, "cache_size", -16_384).unwrap();
    connection
}

fn batches(customers: usize) -> Vec<String> {
    let ids: Vec<usize> = (0..customers).map(|n| 2 * n + 1).collect();
    ids.chunks(BATCH).map(|chunk| format!("{chunk:?}")).collect()
}

const OF_BATCH: &str = "IN (SELECT value FROM json_each(?1))";

fn erase(connection: &Connection, ids: &str) {
    for sql in [
        format!("DELETE FROM calls WHERE customer_id {OF_BATCH}"),
        format!("DELETE FROM addresses WHERE customer_id {OF_BATCH}"),
        format!(
            "UPDATE invoices SET billing_name = 'Anonymised 2026-11-21', billing_address = NULL WHERE customer_id {OF_BATCH}"
        ),
        format!(
            "UPDATE customers SET name = 'Anonymised 2026-11-21', phone = NULL,
             email = 'erased-' || lower(hex(randomblob(10))) || '@erased.invalid' WHERE id {OF_BATCH}"
        ),
    ] {
        connection.prepare_cached(&sql).unwrap().execute([ids]).unwrap();
    }
}

#[inline(never)]
fn bare(path: &Path, customers: usize) {
    let mut connection = open(path);
    for ids in batches(customers) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        erase(&transaction, &ids);
        transaction.commit().unwrap();
    }
}

#[inline(never)]
fn careful(path: &Path, customers: usize) {
    let mut connection = open(path);
    for ids in batches(customers) {
        let facts = format!("SELECT id, status, subscriptions FROM customers WHERE id {OF_BATCH}");
        let mut statement = connection.prepare_cached(&facts).unwrap();
        let found: Vec<(i64, String, i64)> = statement
            .query_map([&ids], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        drop(statement);
        assert!(found.iter().all(|(_, status, subscriptions)| status == "cancelled" && *subscriptions == 0));
        let deactivate = format!(
            "UPDATE customers SET status = 'archived' WHERE id {OF_BATCH} AND status = 'cancelled' AND subscriptions = 0"
        );
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        assert_eq!(transaction.prepare_cached(&deactivate).unwrap().execute([&ids]).unwrap(), found.len());
        transaction.commit().unwrap();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let mut statement = transaction.prepare_cached(&facts).unwrap();
        let still =
            statement.query_map([&ids], |row| row.get::<_, i64>(2)).unwrap().all(|count| count == Ok(0));
        drop(statement);
        assert!(still);
        erase(&transaction, &ids);
        transaction.commit().unwrap();
        for sql in [
            format!("SELECT count(*) FROM calls WHERE customer_id {OF_BATCH}"),
            format!("SELECT count(*) FROM addresses WHERE customer_id {OF_BATCH}"),
            format!(
                "SELECT count(*) FROM invoices WHERE customer_id {OF_BATCH}
                 AND (billing_address IS NOT NULL OR billing_name NOT LIKE 'Anonymised %')"
            ),
            format!(
                "SELECT count(*) FROM customers WHERE id {OF_BATCH}
                 AND (phone IS NOT NULL OR name NOT LIKE 'Anonymised %' OR email NOT LIKE 'erased-%')"
            ),
        ] {
            let left: i64 =
                connection.prepare_cached(&sql).unwrap().query_row([&ids], |row| row.get(0)).unwrap();
            assert_eq!(left, 0);
        }
    }
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

/// The time from approved plans to certificates, and the time of a scrub afterwards.
fn ours(
    runtime: &tokio::runtime::Runtime,
    folder: &Path,
    original: &Path,
    customers: usize,
) -> (Took, Duration) {
    let path = folder.join("ours.sqlite");
    fresh(&path, original);
    let ledger = folder.join("ledger.sqlite");
    let _ = fs::remove_file(&ledger);
    let store = Arc::new(SqliteStore::open(&path, &SqlMap::from_toml(MAP).unwrap()).unwrap());
    let engine = Engine::builder(
        Arc::clone(&store),
        PolicyDocument::from_toml(POLICY).unwrap(),
        SqliteLedger::open(&ledger).unwrap(),
        FileKeyRing::open_beside(&ledger).or_else(|_| FileKeyRing::create_beside(&ledger)).unwrap(),
    )
    .scrub(store)
    .batch(BATCH)
    .build()
    .unwrap();
    runtime.block_on(engine.census()).unwrap();
    let plans = runtime.block_on(plans(&engine, customers));
    let took = measure(|| {
        let outcomes = runtime.block_on(engine.execute(plans)).unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.certificate().is_some()));
        let connection = Connection::open(&path).unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    });
    check(&path);
    let start = Instant::now();
    runtime.block_on(engine.scrub()).unwrap();
    (took, start.elapsed())
}

async fn plans(engine: &Engine, customers: usize) -> Vec<ApprovedPlan> {
    let ids: Vec<CustomerId> = (0..customers).map(|n| CustomerId::new((2 * n + 1).to_string())).collect();
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
