//! What a plan costs, compared with reading the same facts and counts by hand. All planned customers are due.
//!
//! Run it with `cargo bench --bench plan`. Set `CUSTOMERS=1000 ROUNDS=3` in the environment for a short run.
//!
//! Half of the customers are due. Each customer has 2 addresses, 10 invoices and 100 call records. By hand, each
//! batch reads the facts of its customers. It also counts, per customer and class, all records and the records that
//! are to be treated. The crate's run also decides and plans, and asks the ledger whether somebody was treated
//! before.

// This program prints figures.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints figures, and stops where it cannot go on"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use relinquish::{
    Asked, CustomerId, Engine, FileKeyRing, Planned, PolicyDocument, SqlMap, SqliteLedger, SqliteStore,
};
use rusqlite::{Connection, params};
use rustix::time::{ClockId, clock_gettime};

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
    let path = folder.path().join("shop.sqlite");
    create(&path, customers);
    println!("{customers} customers among as many bystanders, {rounds} rounds");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ledger = folder.path().join("ledger.sqlite");
    let engine = Engine::builder(
        SqliteStore::open(&path, &SqlMap::from_toml(MAP).unwrap()).unwrap(),
        PolicyDocument::from_toml(POLICY).unwrap(),
        SqliteLedger::open(&ledger).unwrap(),
        FileKeyRing::create_beside(&ledger).unwrap(),
    )
    .batch(BATCH)
    .build()
    .unwrap();
    runtime.block_on(engine.census()).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "cache_size", -16_384).unwrap();
    let ids: Vec<CustomerId> = (0..customers).map(|n| CustomerId::new((2 * n + 1).to_string())).collect();

    let (mut beside, mut same, mut beside_cpu) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let first = measure(|| by_hand(&connection, customers));
        let ours = measure(|| {
            let planned = runtime.block_on(engine.plan_batch(&ids, &Asked::request())).unwrap();
            assert!(
                planned
                    .iter()
                    .all(|plan| matches!(plan, Ok(Planned::Plan(plan)) if plan.tally().due() == 113))
            );
        });
        let second = measure(|| by_hand(&connection, customers));
        // The baseline runs before and after the crate's run. If the speed of the machine changes, this shows in A/A
        // and not in the ratio.
        let middle = Took { wall: (first.wall + second.wall) / 2, cpu: (first.cpu + second.cpu) / 2 };
        beside.push(ratio(ours.wall, middle.wall));
        beside_cpu.push(ratio(ours.cpu, middle.cpu));
        same.push(ratio(first.wall, second.wall));
        let seconds = |took: Took| took.wall.as_secs_f64();
        println!(
            "round {round}: ours {:.3} s, by hand {:.3} s and {:.3} s",
            seconds(ours),
            seconds(first),
            seconds(second)
        );
    }
    println!("plan_batch vs reading by hand: {:.3}", median(&mut beside));
    println!("A/A: {:.3}", median(&mut same));
    println!("plan_batch vs reading by hand, CPU time: {:.3}", median(&mut beside_cpu));
}

/// Facts and counts, batch by batch.
fn by_hand(connection: &Connection, customers: usize) {
    const OF_BATCH: &str = "IN (SELECT value FROM json_each(?1))";
    let ids: Vec<usize> = (0..customers).map(|n| 2 * n + 1).collect();
    for chunk in ids.chunks(BATCH) {
        let ids = format!("{chunk:?}");
        let facts =
            format!("SELECT id, status, subscriptions, created_at FROM customers WHERE id {OF_BATCH}");
        let mut statement = connection.prepare_cached(&facts).unwrap();
        let found: BTreeMap<i64, (String, i64, String)> = statement
            .query_map([&ids], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?))))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(
            found.values().all(|(status, subscriptions, _)| status == "cancelled" && *subscriptions == 0)
        );
        let mut due = BTreeMap::<i64, i64>::new();
        for sql in [
            format!("SELECT customer_id, count(*), count(*) FROM calls WHERE customer_id {OF_BATCH} GROUP BY 1"),
            format!("SELECT customer_id, count(*), count(*) FROM addresses WHERE customer_id {OF_BATCH} GROUP BY 1"),
            format!(
                "SELECT customer_id, count(*), sum(billing_address IS NOT NULL OR billing_name NOT LIKE 'Anonymised %')
                 FROM invoices WHERE customer_id {OF_BATCH} GROUP BY 1"
            ),
            format!(
                "SELECT id, 1, phone IS NOT NULL OR name NOT LIKE 'Anonymised %' OR email NOT LIKE 'erased-%'
                 FROM customers WHERE id {OF_BATCH}"
            ),
        ] {
            let mut statement = connection.prepare_cached(&sql).unwrap();
            let mut rows = statement.query([&ids]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                *due.entry(row.get(0).unwrap()).or_default() += row.get::<_, i64>(2).unwrap();
            }
        }
        assert!(due.len() == chunk.len() && due.values().all(|due| *due == 113));
    }
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

/// CPU time of this process so far, all threads together.
fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap()
}

fn measure(work: impl FnOnce()) -> Took {
    let (start, cpu_start) = (Instant::now(), cpu());
    work();
    Took { wall: start.elapsed(), cpu: cpu().saturating_sub(cpu_start) }
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
