//! How fast records expire in an SQLite file, compared with a `DELETE` that is written by hand.
//!
//! Run it with `cargo bench --bench expire`. Set `CUSTOMERS=1000 ROUNDS=3` in the environment for a short run.
//!
//! Each customer has 100 call records over five years, of which those expire that are older than two. Every run starts from a
//! fresh synced copy of the same file. *By hand* deletes them in batches of so many customers, and verifies by count. Ours
//! looks at every customer, their holds and their records, and has its ledger in a file of its own. Both have the same pragmas.

// This program prints figures.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints figures, and stops where it cannot go on"
)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use relinquish::engine::PlannedExpiry;
use relinquish::{
    Approval, Engine, FileKeyRing, PolicyDocument, SqlMap, SqliteLedger, SqliteStore, TenantId,
};
use rusqlite::{Connection, TransactionBehavior, params};

const BATCH: i64 = 500;
const CALLS: i64 = 100;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, held TEXT);
    CREATE TABLE calls (
        id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, called TEXT, made_on TEXT NOT NULL
    );";

const MAP: &str = r#"
version = 1
[customers]
table = "customers"
key = "id"
tenant = { is = "shop" }
holds = "held"
deactivate = { none = "there is no such status" }
fields = { name = "name" }
[records.call]
table = "calls"
key = "id"
owner = "customer_id"
fields = { called = "communication", made_on = "not personal" }
"#;

const POLICY: &str = r#"
version = 1
sweep = true
[triggers]
requested = { treatment = "clear" }
[guards]
active_subscription = { ignore = "none are sold" }
not_archived = { ignore = "there is no such status" }
[anonymise]
name = "remove"
[treatments.clear]
customer = "anonymise"
call = "delete"
[expire]
call = { from = "made_on", after = "2 years", action = "delete" }
"#;

fn main() {
    let customers = number("CUSTOMERS", 10_000);
    let rounds = number("ROUNDS", 9);
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("original.sqlite");
    create(&original, customers);
    println!("{customers} customers with {CALLS} calls each, {rounds} rounds");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut ratios, mut same, mut looks) = (Vec::new(), Vec::new(), Vec::new());
    let (mut cpu_ratios, mut cpu_same) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let first = timed(&folder.path().join("hand.sqlite"), &original, |path| by_hand(path, customers));
        let (look, ours) = ours(&runtime, folder.path(), &original);
        let second = timed(&folder.path().join("hand.sqlite"), &original, |path| by_hand(path, customers));
        let middle = Took { wall: (first.wall + second.wall) / 2, cpu: (first.cpu + second.cpu) / 2 };
        ratios.push(ratio(ours.wall, middle.wall));
        cpu_ratios.push(ratio(ours.cpu, middle.cpu));
        looks.push(ratio(look.wall, middle.wall));
        same.push(ratio(first.wall, second.wall));
        cpu_same.push(ratio(first.cpu, second.cpu));
        println!(
            "round {round}: ours {:.2} s after a look of {:.2} s, by hand {:.2} s and {:.2} s",
            ours.wall.as_secs_f64(),
            look.wall.as_secs_f64(),
            first.wall.as_secs_f64(),
            second.wall.as_secs_f64()
        );
    }
    println!("sqlite expire vs SQL by hand: {:.3}", median(&mut ratios));
    println!("look beforehand vs SQL by hand: {:.3}", median(&mut looks));
    println!("A/A: {:.3}", median(&mut same));
    println!("sqlite expire vs SQL by hand, CPU time: {:.3}", median(&mut cpu_ratios));
    println!("A/A, CPU time: {:.3}", median(&mut cpu_same));
}

#[derive(Clone, Copy)]
struct Took {
    wall: Duration,
    cpu: Duration,
}

/// The time since a moment, and the CPU time of this process since then, all threads together.
struct Since(Instant, Duration);

impl Since {
    fn now() -> Self {
        Self(Instant::now(), cpu())
    }

    fn took(&self) -> Took {
        Took { wall: self.0.elapsed(), cpu: cpu().saturating_sub(self.1) }
    }
}

/// CPU time of this process so far, in the kernel's ticks of 10 ms. Zero where there is no `/proc`.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn number(name: &str, default: i64) -> i64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64().max(1e-9)
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
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
    let start = Since::now();
    work(path);
    let took = start.took();
    check(path);
    took
}

/// The first day whose calls are kept. Calls before this day expire.
fn keep_from() -> String {
    let today = Utc::now().date_naive();
    let two_years = today.checked_sub_months(chrono::Months::new(24)).unwrap();
    // A call that is exactly two years old today expires today.
    two_years.succ_opt().unwrap().to_string()
}

fn check(path: &Path) {
    let database = Connection::open(path).unwrap();
    let (left, old): (i64, i64) = database
        .query_row("SELECT count(*), sum(made_on < ?1) FROM calls", [keep_from()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert!(left > 0 && old == 0, "{old} of {left} have expired and are there");
}

fn create(path: &Path, customers: i64) {
    let mut database = Connection::open(path).unwrap();
    database.execute_batch(SCHEMA).unwrap();
    let today = Utc::now().date_naive();
    let transaction = database.transaction().unwrap();
    for id in 1..=customers {
        transaction
            .prepare_cached("INSERT INTO customers VALUES (?1, ?2, NULL)")
            .unwrap()
            .execute(params![id, format!("Customer {id}")])
            .unwrap();
        for call in 0..CALLS {
            // The calls are spread over five years, each on another day.
            let day = today - TimeDelta::days((id * 7 + call * 18) % 1_826);
            transaction
                .prepare_cached("INSERT INTO calls (customer_id, called, made_on) VALUES (?1, ?2, ?3)")
                .unwrap()
                .execute(params![id, format!("+44 20 7946 {call:04}"), day.to_string()])
                .unwrap();
        }
    }
    transaction.commit().unwrap();
    database
        .execute_batch("CREATE INDEX calls_by ON calls (customer_id); PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
}

/// Careful SQL: it works in batches, skips customers with a hold, and counts afterwards.
fn by_hand(path: &Path, customers: i64) {
    let mut database = Connection::open(path).unwrap();
    database
        .execute_batch("PRAGMA foreign_keys = on; PRAGMA secure_delete = on; PRAGMA cache_size = -16384")
        .unwrap();
    let keep_from = keep_from();
    for first in (1..=customers).step_by(usize::try_from(BATCH).unwrap()) {
        let last = first + BATCH - 1;
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        transaction
            .prepare_cached(
                "DELETE FROM calls WHERE customer_id IN
                     (SELECT id FROM customers WHERE id BETWEEN ?1 AND ?2 AND held IS NULL) AND made_on < ?3",
            )
            .unwrap()
            .execute(params![first, last, keep_from])
            .unwrap();
        transaction.commit().unwrap();
        let left: i64 = database
            .prepare_cached("SELECT count(*) FROM calls WHERE customer_id BETWEEN ?1 AND ?2 AND made_on < ?3")
            .unwrap()
            .query_row(params![first, last, keep_from], |row| row.get(0))
            .unwrap();
        assert_eq!(left, 0);
    }
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
}

/// How long the look takes that makes the plan, and how long the approved plan.
fn ours(runtime: &tokio::runtime::Runtime, folder: &Path, original: &Path) -> (Took, Took) {
    let path = folder.join("ours.sqlite");
    fresh(&path, original);
    let ledger = folder.join("ledger.sqlite");
    for end in ["", "-wal", "-shm", ".keys"] {
        let mut file = ledger.as_os_str().to_owned();
        file.push(end);
        let _ = fs::remove_file(PathBuf::from(file));
    }
    let store = SqliteStore::open(&path, &SqlMap::from_toml(MAP).unwrap()).unwrap();
    let policy = PolicyDocument::from_toml(POLICY).unwrap();
    let keys = FileKeyRing::open_beside(&ledger).or_else(|_| FileKeyRing::create_beside(&ledger)).unwrap();
    let engine = Engine::builder(store, policy, SqliteLedger::open(&ledger).unwrap(), keys).build().unwrap();
    let took = runtime.block_on(async {
        let shop = TenantId::from("shop");
        let start = Since::now();
        let PlannedExpiry::Plan(plan) = engine.plan_expiry([shop.clone()]).await.unwrap() else {
            unreachable!("calls have expired")
        };
        let look = start.took();
        let now = Utc::now();
        let approval = Approval::new("op-1", [shop], plan.digest(), now, TimeDelta::hours(1));
        let approved = plan.approve(approval).unwrap();
        let start = Since::now();
        let outcome = engine.expire(&approved).await.unwrap();
        assert!(outcome.expired().is_some_and(relinquish::engine::Expired::is_complete), "{outcome}");
        (look, start.took())
    });
    drop(engine);
    check(&path);
    took
}
