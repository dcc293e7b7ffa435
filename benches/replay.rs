//! What it costs, after a restore, to find the customers who were erased after the backup. It is compared with
//! reading the restored customers by hand.
//!
//! Run it with `cargo bench --bench replay`. Set `CUSTOMERS=20000 ROUNDS=3` in the environment for a short run.
//!
//! Ten of very many customers were erased after the backup. The replay reads each customer's facts, computes the
//! customer's token and looks it up. By hand, the same columns of the same rows are read page by page, and nothing is
//! done with them. Each figure is the median CPU time of the whole process. A/A compares two runs of the reading by
//! hand.

// This program prints figures.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints figures, and stops where it cannot go on"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use relinquish::engine::RestoredFrom;
use relinquish::ledger::{KeyRing, MacRequest, MemoryKeyRing, TokenKey};
use relinquish::{
    Approval, Asked, CustomerId, Engine, Outcome, Planned, PolicyDocument, SqlMap, SqliteLedger, SqliteStore,
};
use rusqlite::{Connection, params};
use rustix::time::{ClockId, clock_gettime};

const SCHEMA: &str = "
    PRAGMA synchronous = OFF;
    CREATE TABLE customers (
        id INTEGER PRIMARY KEY, name TEXT, email TEXT, status TEXT NOT NULL, subscriptions INTEGER NOT NULL,
        created_at TEXT NOT NULL
    );";

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
fields = { name = "name", email = "email" }
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
[treatments.clear]
customer = "anonymise"
"#;

/// The number of customers who were erased since the backup.
const ERASED: u32 = 10;

const PAGE: i64 = 500;

fn main() {
    let number = |name: &str, otherwise: u32| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let (customers, rounds) = (number("CUSTOMERS", 200_000), number("ROUNDS", 5));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("shop.sqlite"), folder.path().join("copy.sqlite"));
    create(&path, customers);
    std::fs::copy(&path, &copy).unwrap();
    let ledger = folder.path().join("ledger.sqlite");
    let before = Utc::now() - TimeDelta::seconds(1);
    runtime.block_on(erase(&engine(&path, &ledger)));
    let restored = engine(&copy, &ledger);
    let (mut ours, mut by_hand, mut again) = (Vec::new(), Vec::new(), Vec::new());
    // The first round fills caches and is not counted.
    for round in 0..=rounds {
        let times = [
            cpu_of(|| {
                let planned = runtime.block_on(restored.plan_replay(RestoredFrom::Backup(before))).unwrap();
                assert_eq!(planned.plan.of().len(), ERASED as usize);
            }),
            cpu_of(|| read(&copy)),
            cpu_of(|| read(&copy)),
        ];
        if round > 0 {
            for (list, time) in [&mut ours, &mut by_hand, &mut again].into_iter().zip(times) {
                list.push(time);
            }
        }
    }
    let (ours, by_hand, again) = (median(ours), median(by_hand), median(again));
    println!("replay vs reading by hand, {customers} customers: {:.2} CPU", ratio(ours, by_hand));
    println!("A/A: {:.2}", ratio(again, by_hand));
    let tokens = cpu_of(|| runtime.block_on(sign(customers)));
    println!("tokens a second on one core: {:.0}", f64::from(customers) / tokens.as_secs_f64().max(1e-9));
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64().max(1e-9)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The CPU time of all threads of this process for some work.
fn cpu_of(work: impl FnOnce()) -> Duration {
    let cpu = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap();
    let start = cpu();
    work();
    cpu().saturating_sub(start)
}

fn create(path: &Path, customers: u32) {
    let mut connection = Connection::open(path).unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    let transaction = connection.transaction().unwrap();
    {
        let mut insert = transaction
            .prepare("INSERT INTO customers VALUES (?1, ?2, ?3, 'cancelled', 0, '2020-01-01 10:00:00')")
            .unwrap();
        for id in 1..=customers {
            insert
                .execute(params![id, format!("Maud Ashworth {id}"), format!("maud.{id}@example.org")])
                .unwrap();
        }
    }
    transaction.commit().unwrap();
}

fn keys() -> MemoryKeyRing {
    MemoryKeyRing::new(TokenKey::new([42; 32]))
}

fn engine(path: &Path, ledger: &Path) -> Engine {
    Engine::builder(
        Arc::new(SqliteStore::open(path, &SqlMap::from_toml(MAP).unwrap()).unwrap()),
        PolicyDocument::from_toml(POLICY).unwrap(),
        SqliteLedger::open(ledger).unwrap(),
        keys(),
    )
    .build()
    .unwrap()
}

async fn erase(engine: &Engine) {
    engine.census().await.unwrap();
    for id in 1..=ERASED {
        let customer = CustomerId::from((id * 7).to_string());
        let Planned::Plan(plan) = engine.plan(&customer, &Asked::request()).await.unwrap() else {
            unreachable!("each customer is due")
        };
        let approval =
            Approval::new("operator-7", ["shop".into()], plan.digest(), Utc::now(), TimeDelta::hours(1));
        let outcome = engine.erase(plan.approve(approval).unwrap()).await.unwrap();
        assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    }
}

/// Reads the columns of the facts of all customers, page by page.
fn read(path: &Path) {
    let connection = Connection::open(path).unwrap();
    let mut page = connection
        .prepare(
            "SELECT id, created_at, status, subscriptions FROM customers WHERE id > ?1 ORDER BY id LIMIT ?2",
        )
        .unwrap();
    let (mut after, mut length) = (0_i64, 0);
    loop {
        let mut rows = page.query([after, PAGE]).unwrap();
        let before = after;
        while let Some(row) = rows.next().unwrap() {
            after = row.get(0).unwrap();
            length += row.get::<_, String>(1).unwrap().len() + row.get::<_, String>(2).unwrap().len();
            length += usize::from(row.get::<_, bool>(3).unwrap());
        }
        if after == before {
            break;
        }
    }
    assert!(length > 0);
}

/// Computes a token for this number of names.
async fn sign(names: u32) {
    let keys = keys();
    let epoch = keys.epochs().await.unwrap().pop().unwrap();
    let mut done = 0;
    while done < names {
        let messages: Vec<Vec<u8>> =
            (done..names.min(done + 500)).map(|id| format!("customer {id} of shop").into_bytes()).collect();
        done += 500;
        assert!(!keys.macs(&MacRequest::new(epoch, messages)).await.unwrap().is_empty());
    }
}
