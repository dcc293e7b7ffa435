//! How much CPU time one customer costs, in databases of 1,000, 20,000 and 200,000 customers.
//!
//! Run it with `cargo bench --bench one`. Set `SIZES=1000,20000` and `CUSTOMERS=5` in the environment for a short
//! run.
//!
//! The shop has orders with lines, addresses that orders and customers share, and follows that go when either
//! customer goes. It also has comments that answer other comments, and invoices that a duty keeps together with their
//! address. `ANALYZE` was never run. There are three variants of the same rows:
//!
//! * *indexed* has foreign keys, and an index on every link;
//! * *unindexed* has only the indexes of the primary keys. Only the map describes the links;
//! * *unindexed, foreign keys* is the same with foreign keys. For each deleted row, SQLite itself then reads a table
//!   to check whether a link still leads to the row. A `DELETE` that is written by hand costs the same.
//!
//! Each figure is the median CPU time of the whole process. The customers are planned and erased one by one. For the
//! variants without indexes, the program also prints the CPU time of reading the shop's tables once.

// This program prints figures.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints figures, and stops where it cannot go on"
)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use relinquish::{
    Approval, Asked, CustomerId, Engine, FileKeyRing, Planned, PolicyDocument, SqlMap, SqliteLedger,
    SqliteStore,
};
use rusqlite::{Connection, params};
use rustix::time::{ClockId, clock_gettime};

/// The tables of the shop. A variant may leave the foreign keys out.
const SCHEMA: &str = "
    PRAGMA synchronous = OFF;
    CREATE TABLE addresses (id INTEGER PRIMARY KEY, street TEXT);
    CREATE TABLE customers (
        id INTEGER PRIMARY KEY, address_id INTEGER REFERENCES addresses, name TEXT, email TEXT, status TEXT NOT NULL,
        subscriptions INTEGER NOT NULL, created_at TEXT NOT NULL
    );
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers, shipping_id INTEGER REFERENCES addresses,
        billing_id INTEGER REFERENCES addresses, note TEXT
    );
    CREATE TABLE lines (id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders, text TEXT);
    CREATE TABLE follows (
        id INTEGER PRIMARY KEY, follower_id INTEGER REFERENCES customers, followed_id INTEGER REFERENCES customers,
        since TEXT
    );
    CREATE TABLE comments (
        id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers, reply_to INTEGER REFERENCES comments, text TEXT
    );
    CREATE TABLE invoices (
        id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders, address_id INTEGER REFERENCES addresses,
        booked_on TEXT, name TEXT
    );";

const LINKS: [(&str, &str); 11] = [
    ("customers", "address_id"),
    ("orders", "customer_id"),
    ("orders", "shipping_id"),
    ("orders", "billing_id"),
    ("lines", "order_id"),
    ("follows", "follower_id"),
    ("follows", "followed_id"),
    ("comments", "customer_id"),
    ("comments", "reply_to"),
    ("invoices", "order_id"),
    ("invoices", "address_id"),
];

/// Reads each table once, to the end of each row.
const READ_ONCE: [&str; 7] = [
    "SELECT sum(length(created_at)) FROM customers",
    "SELECT sum(length(street)) FROM addresses",
    "SELECT sum(length(note)) FROM orders",
    "SELECT sum(length(text)) FROM lines",
    "SELECT sum(length(since)) FROM follows",
    "SELECT sum(length(text)) FROM comments",
    "SELECT sum(length(name)) FROM invoices",
];

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
ends = { address_id = { to = "address", gone = "clear" } }
fields = { name = "name", email = "email" }
[records.address]
table = "addresses"
key = "id"
shared = ["order.shipping_id", "order.billing_id", "customer.address_id"]
fields = { street = "address" }
[records.order]
table = "orders"
key = "id"
owner = { column = "customer_id", to = "customer" }
ends = { shipping_id = { to = "address", gone = "clear" }, billing_id = { to = "address", gone = "clear" } }
fields = { note = "free_text" }
[records.line]
table = "lines"
key = "id"
owner = { column = "order_id", to = "order" }
fields = { text = "free_text" }
[records.follow]
table = "follows"
key = "id"
owner = { column = "follower_id", to = "customer" }
ends = { followed_id = { to = "customer", gone = "goes" } }
fields = { since = "communication" }
[records.comment]
table = "comments"
key = "id"
owner = { column = "customer_id", to = "customer" }
ends = { reply_to = { to = "comment", gone = "clear" } }
fields = { text = "free_text" }
[records.invoice]
table = "invoices"
key = "id"
owner = { column = "order_id", to = "order" }
ends = { address_id = { to = "address", gone = "clear" } }
fields = { name = "name", booked_on = "not personal" }
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
address = "remove"
communication = "remove"
free_text = "clear"
[treatments.clear]
customer = "anonymise"
address = "delete"
order = "anonymise"
line = "delete"
follow = "delete"
comment = "delete"
invoice = "delete"
[duties.bookkeeping]
classes = ["invoice"]
statute = "SE/BFL/7:2"
from = "booked_on"
needs = ["invoice.address_id"]
"#;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    Indexed,
    Unindexed,
    ForeignKeys,
}

impl Variant {
    const ALL: [Self; 3] = [Self::Indexed, Self::Unindexed, Self::ForeignKeys];

    fn name(self) -> &'static str {
        match self {
            Self::Indexed => "indexed",
            Self::Unindexed => "unindexed",
            Self::ForeignKeys => "unindexed, foreign keys",
        }
    }
}

#[derive(Clone, Copy)]
struct Cost {
    plan: Duration,
    erase: Duration,
    read: Duration,
}

fn main() {
    let sizes: Vec<u32> = std::env::var("SIZES")
        .unwrap_or_else(|_| "1000,20000,200000".to_owned())
        .split(',')
        .map(|size| size.parse().unwrap())
        .collect();
    let customers = std::env::var("CUSTOMERS").ok().and_then(|text| text.parse().ok()).unwrap_or(15);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for variant in Variant::ALL {
        let name = variant.name();
        let mut smaller: Option<(u32, Cost)> = None;
        for size in &sizes {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("shop.sqlite");
            create(&path, *size, variant);
            let read = read_once(&path);
            let (plan, erase) = runtime.block_on(each(folder.path(), &path, *size, customers));
            let cost = Cost { plan, erase, read };
            println!("{name}, {size} customers: plan {:.2} ms, erase {:.2} ms", ms(plan), ms(erase));
            if variant != Variant::Indexed {
                println!(
                    "{name}, {size} customers: reading once {:.2} ms; plan {:.2} and erase {:.2} times that",
                    ms(read),
                    ratio(plan, read),
                    ratio(erase, read)
                );
            }
            if let Some((before, small)) = smaller {
                println!(
                    "{name}, {before} to {size} customers: plan {:.2}, erase {:.2}, reading once {:.2} times",
                    ratio(cost.plan, small.plan),
                    ratio(cost.erase, small.erase),
                    ratio(cost.read, small.read)
                );
            }
            smaller = Some((*size, cost));
        }
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64().max(1e-9)
}

/// The median of several times.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// CPU time of all threads of this process so far.
fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap()
}

fn create(path: &Path, customers: u32, variant: Variant) {
    let mut connection = Connection::open(path).unwrap();
    let schema = if variant == Variant::Unindexed {
        let tables = ["addresses", "customers", "orders", "comments"];
        tables.iter().fold(SCHEMA.to_owned(), |sql, table| sql.replace(&format!(" REFERENCES {table}"), ""))
    } else {
        SCHEMA.to_owned()
    };
    connection.execute_batch(&schema).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    let transaction = connection.transaction().unwrap();
    {
        let insert = |table: &str, places: &str| {
            transaction.prepare(&format!("INSERT INTO {table} VALUES ({places})")).unwrap()
        };
        let mut customer = insert("customers", "?1, ?1, ?2, ?3, 'cancelled', 0, '2020-01-01 10:00:00'");
        let mut address = insert("addresses", "?1, ?2");
        let mut order = insert("orders", "NULL, ?1, ?2, ?3, 'Please ring twice'");
        let mut line = insert("lines", "NULL, ?1, 'A lamp with a dedication'");
        let mut follow = insert("follows", "NULL, ?1, ?2, '2024-05-06'");
        let mut comment = insert("comments", "NULL, ?1, ?2, 'I like the lamp very much'");
        let mut invoice = insert("invoices", "NULL, ?1, ?2, '2026-02-03', ?3");
        let all = i64::from(customers);
        // Each customer has a home address, and every two customers share another address.
        for id in 1..=all + all / 2 + 1 {
            address.execute(params![id, format!("{id} Church Lane, Little Whinging")]).unwrap();
        }
        for id in 1..=all {
            let name = format!("Maud Ashworth {id}");
            let shared = all + 1 + id / 2;
            customer.execute(params![id, name, format!("maud.{id}@example.org")]).unwrap();
            for n in 0..2 {
                order.execute(params![id, shared, if n == 0 { id } else { shared }]).unwrap();
                let number = transaction.last_insert_rowid();
                line.execute([number]).unwrap();
                line.execute([number]).unwrap();
                if n == 0 {
                    invoice.execute(params![number, id, name]).unwrap();
                }
                follow.execute([id, (id * 7919 + n * 13) % all + 1]).unwrap();
                // An answer to a comment of another customer.
                let answered = (id > 1).then(|| (id * 31 + n) % (2 * (id - 1)) + 1);
                comment.execute(params![id, answered]).unwrap();
            }
        }
    }
    transaction.commit().unwrap();
    if variant == Variant::Indexed {
        for (table, column) in LINKS {
            let sql = format!("CREATE INDEX {table}_{column} ON {table} ({column})");
            connection.execute_batch(&sql).unwrap();
        }
    }
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
}

/// Median CPU time of reading every table of the shop once.
fn read_once(path: &Path) -> Duration {
    let connection = Connection::open(path).unwrap();
    let times = (0..5).map(|_| {
        let start = cpu();
        for sql in READ_ONCE {
            connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        }
        cpu().saturating_sub(start)
    });
    median(times.collect())
}

/// Median CPU time per plan, and per erasure from the approved plan to the certificate.
async fn each(folder: &Path, path: &Path, size: u32, customers: u32) -> (Duration, Duration) {
    let ledger = folder.join("ledger.sqlite");
    let engine = Engine::builder(
        SqliteStore::open(path, &SqlMap::from_toml(MAP).unwrap()).unwrap(),
        PolicyDocument::from_toml(POLICY).unwrap(),
        SqliteLedger::open(&ledger).unwrap(),
        FileKeyRing::open_beside(&ledger).or_else(|_| FileKeyRing::create_beside(&ledger)).unwrap(),
    )
    .build()
    .unwrap();
    engine.census().await.unwrap();
    let (mut planning, mut erasing) = (Vec::new(), Vec::new());
    // The first customer fills the caches and is not counted.
    for n in 0..=customers {
        let id = size / (customers + 2) * (n + 1) + 1;
        let (now, start) = (Utc::now(), cpu());
        let planned = engine.plan(&CustomerId::new(id.to_string()), &Asked::request()).await.unwrap();
        let took = cpu().saturating_sub(start);
        let Planned::Plan(plan) = planned else { unreachable!("everyone is due") };
        let approval = Approval::new("op", [plan.tenant().clone()], plan.digest(), now, TimeDelta::hours(1));
        let plan = plan.approve(approval).unwrap();
        let start = cpu();
        let outcomes = engine.execute(vec![plan]).await.unwrap();
        let erased = cpu().saturating_sub(start);
        assert!(outcomes.iter().all(|outcome| outcome.certificate().is_some()));
        check(path, id);
        if n > 0 {
            planning.push(took);
            erasing.push(erased);
        }
    }
    fs::remove_file(&ledger).unwrap();
    (median(planning), median(erasing))
}

/// Checks what has to be done for a customer.
fn check(path: &Path, id: u32) {
    let connection = Connection::open(path).unwrap();
    let count = |sql: &str| connection.query_row(sql, [id], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM comments WHERE customer_id = ?1"), 0);
    assert_eq!(count("SELECT count(*) FROM follows WHERE ?1 IN (follower_id, followed_id)"), 0);
    assert_eq!(count("SELECT count(*) FROM orders WHERE customer_id = ?1 AND note IS NOT NULL"), 0);
    // The invoice is kept with its address. The shared address is kept for the other customer.
    assert_eq!(count("SELECT count(*) FROM addresses WHERE id = ?1 AND street IS NOT NULL"), 1);
    assert_eq!(count("SELECT count(*) FROM customers WHERE id = ?1 AND email LIKE 'maud%'"), 0);
}
