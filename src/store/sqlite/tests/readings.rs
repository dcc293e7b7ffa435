//! The number of times that erasing one customer reads a large table.

use std::path::Path;
use std::sync::{Arc, Mutex};

use chrono::DateTime;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, StatementStatus};

use crate::anonymise::Seed;
use crate::customer::CustomerId;
use crate::policy::PolicyDocument;
use crate::store::sql::{Fault, SqlMap, Trouble};
use crate::store::sqlite::SqliteStore;
use crate::store::{CustomerStore, EraseRequest, Erased, RecordStore, StoreError, Target};
use std::collections::BTreeMap;

/// Only the map declares links, so SQLite itself has no foreign keys to check.
const SCHEMA: &str = "
    CREATE TABLE addresses (id INTEGER PRIMARY KEY, street TEXT);
    CREATE TABLE customers (
        id INTEGER PRIMARY KEY, address_id INTEGER, name TEXT, state TEXT NOT NULL DEFAULT 'active'
    );
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY, customer_id INTEGER, shipping_id INTEGER, billing_id INTEGER, note TEXT
    );
    CREATE TABLE lines (id INTEGER PRIMARY KEY, order_id INTEGER, text TEXT);
    CREATE TABLE follows (id INTEGER PRIMARY KEY, follower_id INTEGER, followed_id INTEGER, since TEXT);
    CREATE TABLE comments (id INTEGER PRIMARY KEY, customer_id INTEGER, reply_to INTEGER, text TEXT);
    CREATE TABLE invoices (id INTEGER PRIMARY KEY, order_id INTEGER, address_id INTEGER, booked_on TEXT, name TEXT);
    INSERT INTO addresses VALUES (1, 'Home'), (2, 'Shared');
    INSERT INTO customers (id, address_id, name) VALUES (1, 1, 'Maud'), (2, 2, 'Ada');
    INSERT INTO orders VALUES (1, 1, 1, 2, 'Ring twice'), (2, 2, 2, 2, 'Ring once');
    INSERT INTO lines VALUES (1, 1, 'A lamp'), (2, 2, 'A lamp');
    INSERT INTO follows VALUES (1, 1, 2, '2024-05-06'), (2, 2, 1, '2024-05-06');
    INSERT INTO comments VALUES (1, 1, NULL, 'I like the lamp'), (2, 2, 1, 'So do I');
    INSERT INTO invoices VALUES (1, 1, 1, '2026-02-03', 'Maud'), (2, 2, 2, '2026-02-03', 'Ada');";

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

const MAP: &str = r#"
    version = 1
    [customers]
    table = "customers"
    key = "id"
    tenant = { is = "shop" }
    status = { column = "state", active = "active", archived = "archived" }
    deactivate = { state = "archived" }
    ends = { address_id = { to = "address", gone = "clear" } }
    fields = { name = "name" }
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
    fields = { name = "name", booked_on = "not personal" }"#;

const POLICY: &str = r#"
    version = 1
    sweep = false
    triggers.requested = { treatment = "clear" }
    guards = { active_subscription = { ignore = "none" }, not_archived = { ignore = "it is" } }
    anonymise = { name = "token", address = "remove", communication = "remove", free_text = "clear" }
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
    needs = ["invoice.address_id"]"#;

/// The number of ownerless rows that make a table large.
const LARGE: i32 = 2_000;

/// Steps through whole tables, by statement. Only one test counts.
static STEPS: Mutex<BTreeMap<String, i32>> = Mutex::new(BTreeMap::new());

fn count(event: TraceEvent<'_>) {
    if let TraceEvent::Profile(statement, _) = event {
        // A cached statement continues to count.
        let status = [StatementStatus::FullscanStep, StatementStatus::AutoIndex];
        let steps = status.into_iter().map(|status| statement.get_status(status)).sum();
        STEPS.lock().unwrap().insert(statement.sql().into_owned(), steps);
    }
}

/// The number of times that erasing one customer reads a large table, and the statements that do.
async fn reads(path: &Path, table: &str, with_indexes: bool) -> (i32, String) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    if with_indexes {
        for (table, column) in LINKS {
            let sql = format!("CREATE INDEX {table}_{column} ON {table} ({column})");
            connection.execute_batch(&sql).unwrap();
        }
    }
    let rows = format!(
        "INSERT INTO {table} (id) SELECT 100 + value FROM (
             WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < {LARGE}) SELECT value FROM n
         )"
    );
    connection.execute_batch(&rows).unwrap();
    let store = SqliteStore::open(path, &SqlMap::from_toml(MAP).unwrap()).unwrap();
    let policy = PolicyDocument::from_toml(POLICY).unwrap().check(store.data_map()).unwrap();
    let facts = store.facts(&[CustomerId::new("1")]).await.unwrap();
    let targets = facts.into_iter().map(|facts| Target {
        expected: facts.expected(),
        customer: facts.id,
        tenant: facts.tenant,
    });
    let treatment = Arc::clone(&policy.treatments()["clear"]);
    let at = DateTime::parse_from_rfc3339("2026-06-01T10:00:00Z").unwrap().to_utc();
    let request = EraseRequest::new(targets.collect(), treatment, Seed::new([1; 32]), at);
    let traced: Result<(), StoreError> = store
        .call_connection("tracing", |_, connection| {
            connection
                .trace_v2(TraceEventCodes::SQLITE_TRACE_PROFILE, Some(count))
                .map_err(|error| Trouble::from(Fault::from(error)))
        })
        .await;
    traced.unwrap();
    STEPS.lock().unwrap().clear();
    let answers = store.erase(&request).await.unwrap();
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Erased::Done(_)))), "{answers:?}");
    // The erasure did its work: saving a reading by doing nothing would prove nothing.
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM follows WHERE since IS NOT NULL"), 0);
    assert_eq!(count("SELECT count(*) FROM comments WHERE text IS NOT NULL AND reply_to IS NULL"), 1);
    assert_eq!(count("SELECT count(*) FROM addresses WHERE street IS NOT NULL"), 2);
    assert_eq!(count("SELECT count(*) FROM invoices WHERE name IS NOT NULL"), 2);
    let steps = STEPS.lock().unwrap();
    let all: i32 = steps.values().sum();
    let large = steps.iter().filter(|(_, steps)| **steps > LARGE / 2);
    let large: Vec<String> = large.map(|(sql, steps)| format!("{steps} steps: {sql}")).collect();
    (all / LARGE, large.join("\n"))
}

#[tokio::test]
async fn a_table_is_read_once_a_pass_without_indexes_and_never_with_them() {
    // One reading finds what customers have. A second finds other owners, rows that a duty keeps with it, and links
    // to cut. A third is needed where the way to a duty uses the table twice.
    let most = [
        ("addresses", 0),
        ("customers", 1),
        ("orders", 3),
        ("lines", 1),
        ("follows", 1),
        ("comments", 2),
        ("invoices", 2),
    ];
    for (table, most) in most {
        for with_indexes in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let (reads, statements) = reads(&folder.path().join("shop.sqlite"), table, with_indexes).await;
            let most = if with_indexes { 0 } else { most };
            assert_eq!(reads, most, "{table}, with indexes: {with_indexes}:\n{statements}");
        }
    }
}
