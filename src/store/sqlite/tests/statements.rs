//! The number of statements of a batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::DateTime;

use rusqlite::Connection;

use crate::anonymise::Seed;
use crate::customer::CustomerId;
use crate::policy::PolicyDocument;
use crate::store::Target;
use crate::store::sql::{Fault, SqlMap, Trouble};
use crate::store::sqlite::SqliteStore;
use crate::store::{CustomerStore, EraseRequest, Erased, RecordStore, StoreError};

const SCHEMA: &str = "
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT, state TEXT NOT NULL DEFAULT 'active');
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers, note TEXT);
    CREATE TABLE lines (id INTEGER PRIMARY KEY, the_order INTEGER REFERENCES orders, text TEXT)";
const MAP: &str = "
    version = 1
    [customers]
    table = 'customers'
    key = 'id'
    tenant = { is = 'here' }
    status = { column = 'state', active = 'active', archived = 'archived' }
    deactivate = { state = 'archived' }
    fields = { name = 'name', city = 'city' }
    [records.order]
    table = 'orders'
    key = 'id'
    owner = 'customer'
    fields = { note = 'free_text' }
    [records.line]
    table = 'lines'
    key = 'id'
    owner = ['the_order', 'customer']
    fields = { text = 'free_text' }";
const POLICY: &str = "
    version = 1
    sweep = false
    triggers.requested = { treatment = 'x' }
    guards = { active_subscription = { ignore = 'none' }, not_archived = { ignore = 'it is' } }
    anonymise = { name = 'token', free_text = 'remove' }
    treatments.x.customer = { action = 'anonymise', keep = { city = 'reporting' }, smallest_group.customers = 3, smallest_group.coarser = { city = { prefix = 4 } } }
    treatments.x.order = 'anonymise'
    treatments.x.line = 'delete'";

static STATEMENTS: AtomicUsize = AtomicUsize::new(0);

/// The number of statements that it takes to erase some customers with some orders each.
async fn statements(customers: i64, orders: usize) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    connection.execute_batch("BEGIN").unwrap();
    for id in 1..=customers {
        // At most two customers share a city, which is one too few. All share its first four letters.
        let sql = "INSERT INTO customers (id, name, city) VALUES (?1, 'Maud', 'City ' || (?1 % 100))";
        connection.execute(sql, [id]).unwrap();
        for _ in 0..orders {
            connection.execute("INSERT INTO orders (customer, note) VALUES (?1, 'for Maud')", [id]).unwrap();
            connection
                .execute("INSERT INTO lines (the_order, text) VALUES (last_insert_rowid(), 'x')", [])
                .unwrap();
        }
    }
    connection.execute_batch("COMMIT").unwrap();
    let store = SqliteStore::open(&path, &SqlMap::from_toml(MAP).unwrap()).unwrap();
    let policy = PolicyDocument::from_toml(POLICY).unwrap().check(store.data_map()).unwrap();
    let ids: Vec<_> = (1..=customers).map(|id| CustomerId::new(id.to_string())).collect();
    let facts = store.facts(&ids).await.unwrap();
    let targets: Vec<_> = facts
        .into_iter()
        .map(|facts| Target { expected: facts.expected(), customer: facts.id, tenant: facts.tenant })
        .collect();
    let treatment = Arc::clone(&policy.treatments()["x"]);
    let request = EraseRequest::new(targets, treatment, Seed::new([1; 32]), DateTime::UNIX_EPOCH);
    let traced: Result<(), StoreError> = store
        .call_connection("tracing", |_, connection| {
            let count = |_: rusqlite::trace::TraceEvent<'_>| {
                STATEMENTS.fetch_add(1, Ordering::SeqCst);
            };
            connection
                .trace_v2(rusqlite::trace::TraceEventCodes::SQLITE_TRACE_STMT, Some(count))
                .map_err(|error| Trouble::from(Fault::from(error)))
        })
        .await;
    traced.unwrap();
    STATEMENTS.store(0, Ordering::SeqCst);
    let answers = store.erase(&request).await.unwrap();
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Erased::Done(_)))), "{answers:?}");
    let erased: i64 = connection
        .query_row("SELECT count(*) FROM orders WHERE note IS NOT NULL", [], |row| row.get(0))
        .unwrap();
    assert_eq!(erased, 0);
    let sql = "SELECT count(*) FROM customers WHERE city IS NOT NULL AND city <> 'City'";
    let singled_out: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(singled_out, 0);
    STATEMENTS.load(Ordering::SeqCst)
}

#[tokio::test]
async fn the_number_of_statements_does_not_depend_on_the_rows() {
    let few = statements(1, 1).await;
    let many = statements(200, 20).await;
    assert!(few > 3, "{few}");
    assert_eq!(few, many);
}
