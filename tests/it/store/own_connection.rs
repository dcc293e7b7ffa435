//! A store on a connection that the host has opened: what the store requires, what it does not change, and what it
//! refuses.

use std::sync::Arc;
use std::time::Duration;

use relinquish::anonymise::Seed;
use relinquish::ledger::MemoryLedger;
use relinquish::store::{CustomerStore as _, EraseRequest, RecordStore as _, StoreError, Target};
use relinquish::testing::ManualClock;
use relinquish::{Asked, Engine, Outcome, PolicyDocument, SqlMap, SqliteStore};
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OpenFlags};

use crate::hosts::{self, BuildCounted as _, approved};
use crate::shop::{CUSTOMERS, Shop};

const SCHEMA: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, email TEXT);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, text TEXT);
    INSERT INTO clients VALUES (1, 'Maud', 'maud@example.com'), (2, 'Ada', 'ada@example.com');
    INSERT INTO notes VALUES (1, 1, 'Maud rang'), (2, 2, 'Ada rang');";

fn shop(schema: &str) -> Shop {
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name', email = 'email' }}\n[records.notes]\nowner = 'client_id'\nfields = {{ text = 'free_text' }}"
    );
    Shop::new(schema, &map, "customer = 'delete'\nnotes = 'delete'")
}

fn over(shop: &Shop, connection: Connection) -> Result<SqliteStore, StoreError> {
    SqliteStore::over(connection, &SqlMap::from_toml(&shop.map).unwrap())
}

fn refused(shop: &Shop, connection: Connection) -> String {
    over(shop, connection).map(|_| ()).unwrap_err().to_string()
}

fn opened(shop: &Shop) -> Connection {
    Connection::open(shop.path()).unwrap()
}

async fn erase(shop: &Shop, store: SqliteStore, id: &str) -> Outcome {
    let policy = PolicyDocument::from_toml(&shop.policy).unwrap();
    let engine = Engine::builder(store, policy, MemoryLedger::new(), hosts::keys())
        .clock(ManualClock::at(hosts::now()))
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"));
    let plan = approved(&engine, &id.into(), &Asked::request()).await;
    engine.erase(plan).await.unwrap()
}

/// The request that erases customer 1, without an engine.
async fn request(shop: &Shop, store: &SqliteStore) -> EraseRequest {
    let policy = PolicyDocument::from_toml(&shop.policy).unwrap().check(store.data_map()).unwrap();
    let facts = store.facts(&["1".into()]).await.unwrap().remove(0);
    let target = Target { expected: facts.expected(), customer: facts.id, tenant: facts.tenant };
    EraseRequest::new(vec![target], Arc::clone(&policy.treatments()["x"]), Seed::new([1; 32]), hosts::now())
}

#[tokio::test]
async fn a_customer_is_erased_in_a_database_that_lives_in_memory() {
    let shop = shop(SCHEMA);
    let name = format!("file:{}?mode=memory&cache=shared", shop.folder.path().display());
    let open =
        || Connection::open_with_flags(&name, OpenFlags::default() | OpenFlags::SQLITE_OPEN_URI).unwrap();
    // An in-memory database exists as long as a connection is open.
    let beside = open();
    beside.execute_batch(SCHEMA).unwrap();
    let outcome = erase(&shop, over(&shop, open()).unwrap(), "1").await;
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome:?}");
    let left: String =
        beside.query_row("SELECT group_concat(name) FROM clients", [], |row| row.get(0)).unwrap();
    assert_eq!(left, "Ada");
}

/// The erasure relies on foreign keys. If they were off, a write that violates one would succeed.
#[tokio::test]
async fn foreign_keys_are_turned_on() {
    let schema =
        SCHEMA.replace("email TEXT)", "email TEXT, state TEXT DEFAULT 'active' REFERENCES states)").replace(
            "(1, 'Maud', 'maud@example.com'), (2, 'Ada', 'ada@example.com')",
            "(1, 'Maud', 'maud@example.com', 'active'), (2, 'Ada', 'ada@example.com', 'active')",
        );
    let mut shop = shop(&format!(
        "CREATE TABLE states (id TEXT PRIMARY KEY); INSERT INTO states VALUES ('active'); {schema}"
    ));
    shop.map = shop.map.replace(
        "deactivate = { none = 'no status' }",
        "deactivate = { state = 'archived' }\nstatus = { column = 'state', active = 'active', archived = 'archived' }",
    ) + "\n[ignore]\nstates = 'nothing personal'";
    let connection = opened(&shop);
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    let outcome = erase(&shop, over(&shop, connection).unwrap(), "1").await;
    assert!(format!("{outcome:?}").contains("FOREIGN KEY"), "{outcome:?}");
    assert_eq!(shop.text("SELECT state FROM clients WHERE id = 1"), "active");
}

/// Deleted bytes are overwritten, whatever the settings of the host's connection.
#[tokio::test]
async fn deleted_bytes_are_overwritten() {
    let shop = shop(SCHEMA);
    let connection = opened(&shop);
    connection.execute_batch("PRAGMA secure_delete = OFF").unwrap();
    let store = over(&shop, connection).unwrap();
    let holds = |text: &str| {
        let bytes = std::fs::read(shop.path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    assert!(holds("Maud rang"));
    // The engine also scrubs the file. This test checks only the erasure itself.
    let request = request(&shop, &store).await;
    let answers = store.erase(&request).await.unwrap();
    assert!(answers[0].is_ok(), "{answers:?}");
    assert!(!holds("Maud rang"));
}

#[test]
fn no_erasure_is_a_part_of_a_transaction_of_the_hosts() {
    let shop = shop(SCHEMA);
    for begin in ["BEGIN", "SAVEPOINT mine"] {
        let connection = opened(&shop);
        connection.execute_batch(begin).unwrap();
        let error = refused(&shop, connection);
        assert!(error.contains("a transaction is open") && error.contains("commit it"), "{begin}: {error}");
    }
}

#[test]
fn a_database_that_can_only_be_read_is_refused() {
    let shop = shop(SCHEMA);
    let read_only = Connection::open_with_flags(shop.path(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    assert!(refused(&shop, read_only).contains("read-only"));
    let query_only = opened(&shop);
    query_only.execute_batch("PRAGMA query_only = ON").unwrap();
    assert!(refused(&shop, query_only).contains("read-only"));
}

#[test]
fn a_connection_on_which_nothing_can_be_undone_or_kept_current_is_refused() {
    let shop = shop(SCHEMA);
    let no_journal = opened(&shop);
    no_journal.query_row("PRAGMA journal_mode = OFF", [], |_| Ok(())).unwrap();
    assert!(refused(&shop, no_journal).contains("journal_mode is off"));
    let no_triggers = opened(&shop);
    no_triggers.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    assert!(refused(&shop, no_triggers).contains("triggers are turned off"));
}

/// A temporary trigger could copy erased values, and a temporary table could be read instead of the host's table.
/// Setting `temp_store` would delete both without a message.
#[test]
fn what_the_host_has_in_temp_is_not_dropped_silently() {
    let shop = shop(SCHEMA);
    for (made, sql) in [
        ("the table relinquish_batch", "CREATE TEMP TABLE relinquish_batch (n INTEGER)"),
        ("the table clients", "CREATE TEMP TABLE clients (id INTEGER PRIMARY KEY)"),
        ("the view recent", "CREATE TEMP VIEW recent AS SELECT id FROM main.clients"),
        ("the trigger spy", "CREATE TEMP TRIGGER spy AFTER DELETE ON main.clients BEGIN SELECT 1; END"),
    ] {
        let connection = opened(&shop);
        connection.execute_batch(sql).unwrap();
        let error = refused(&shop, connection);
        assert!(error.contains(&format!("has {made} in temp")), "{error}");
    }
}

#[test]
fn a_function_that_the_store_would_replace_is_refused() {
    let shop = shop(SCHEMA);
    let connection = opened(&shop);
    connection.create_scalar_function("Relinquish_Value", 1, FunctionFlags::SQLITE_UTF8, |_| Ok(1)).unwrap();
    assert!(refused(&shop, connection).contains("a function relinquish_value"));
}

/// A CHECK may call a function that only the host's program has. The store's own connection could not write to such a
/// table.
#[tokio::test]
async fn a_function_of_the_hosts_goes_on_to_hold_a_check() {
    let host = |connection: &Connection| {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        connection
            .create_scalar_function("is_plain", 1, flags, |context| {
                Ok(context.get::<Option<String>>(0)?.is_none_or(|text| !text.contains('!')))
            })
            .unwrap();
    };
    let mut shop = shop("CREATE TABLE unused (id INTEGER)");
    shop.policy = shop.policy.replace("customer = 'delete'", "customer = 'anonymise'");
    let connection = opened(&shop);
    host(&connection);
    let schema = SCHEMA.replace("name TEXT,", "name TEXT CHECK (is_plain(name)),");
    connection.execute_batch(&schema).unwrap();
    let outcome = erase(&shop, over(&shop, connection).unwrap(), "1").await;
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome:?}");
    assert_eq!(shop.text("SELECT group_concat(coalesce(name, 'none')) FROM clients"), "none,Ada");
    // Without the function, the database refuses every write to the table.
    let without = erase(&shop, shop.store().unwrap(), "2").await;
    assert!(format!("{without:?}").contains("is_plain"), "{without:?}");
    assert_eq!(shop.text("SELECT name FROM clients WHERE id = 2"), "Ada");
}

/// On its own connections the store waits five seconds for a lock. It does not change the setting of the host's
/// connection.
#[tokio::test]
async fn the_time_out_of_the_host_stays() {
    let shop = shop(SCHEMA);
    let other = opened(&shop);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let connection = opened(&shop);
    connection.busy_timeout(Duration::ZERO).unwrap();
    let store = over(&shop, connection).unwrap();
    let request = request(&shop, &store).await;
    let started = std::time::Instant::now();
    let error = store.erase(&request).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

/// Facts of the map may come from an attached database that only the host's connection has. A table with the same
/// name there is not confused with the host's table.
#[tokio::test]
async fn attached_databases_can_be_read_and_are_left_alone() {
    let mut shop = shop(SCHEMA);
    let beside = shop.folder.path().join("billing.sqlite");
    Connection::open(&beside)
        .unwrap()
        .execute_batch(
            "CREATE TABLE invoices (client_id INTEGER, paid INTEGER); INSERT INTO invoices VALUES (2, 0);
             CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO clients VALUES (1, 'Maud');",
        )
        .unwrap();
    shop.map = shop.map.replace(
        "deactivate =",
        "unpaid_invoices = { sql = 'SELECT count(*) FROM billing.invoices i WHERE i.client_id = clients.id AND NOT i.paid' }\ndeactivate =",
    );
    let connection = opened(&shop);
    connection.execute("ATTACH ?1 AS billing", [beside.to_str().unwrap()]).unwrap();
    let store = over(&shop, connection).unwrap();
    let facts = store.facts(&["1".into(), "2".into()]).await.unwrap();
    let unpaid: u32 = facts.iter().map(|facts| facts.unpaid_invoices).sum();
    assert_eq!(unpaid, 1);
    let outcome = erase(&shop, store, "1").await;
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome:?}");
    assert_eq!(shop.text("SELECT group_concat(name) FROM clients"), "Ada");
    let name: String = Connection::open(&beside)
        .unwrap()
        .query_row("SELECT name FROM clients", [], |row| row.get(0))
        .unwrap();
    assert_eq!(name, "Maud");
}
