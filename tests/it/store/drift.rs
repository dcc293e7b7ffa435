//! The schema changes while the store is open. A change that matters to the map stops the run before anything is
//! touched.

use std::sync::Arc;

use chrono::DateTime;
use relinquish::anonymise::Seed;
use relinquish::customer::CustomerId;
use relinquish::store::{
    CustomerStore, Deactivation, EraseRequest, Erased, OwnerlessRecords, OwnerlessRequest, RecordStore,
    StoreError, TallyRequest, Target,
};
use relinquish::testing::ManualClock;
use relinquish::treatment::Ownerless;
use relinquish::{
    Asked, Engine, Error, MemoryLedger, Outcome, PolicyDocument, SqliteStore, treatment::Treatment,
};
use rusqlite::Connection;

use crate::hosts::{self, BuildCounted as _, approved};
use crate::shop::Shop;

const SCHEMA: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, state TEXT NOT NULL DEFAULT 'active');
    CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, note TEXT);
    CREATE INDEX orders_by_client ON orders (client_id);
    CREATE TABLE parcels (id INTEGER PRIMARY KEY, size INTEGER);
    INSERT INTO clients (id, name) VALUES (1, 'Maud Ash'), (2, 'Bob Elm');
    INSERT INTO orders VALUES (10, 1, 'for Maud'), (20, 2, 'for Bob');";
const MAP: &str = "
    [customers]
    table = 'clients'
    key = 'id'
    tenant = { is = 'here' }
    status = { column = 'state', active = 'active', archived = 'archived' }
    deactivate = { state = 'archived' }
    fields = { name = 'name' }
    [records.order]
    table = 'orders'
    owner = 'client_id'
    rest = 'not personal'
    fields = { note = 'free_text' }";

struct Open {
    shop: Shop,
    store: SqliteStore,
    treatment: Arc<Treatment>,
}

impl Open {
    fn new() -> Self {
        let shop = Shop::new(SCHEMA, MAP, "customer = 'anonymise'\norder = 'anonymise'");
        let store = shop.store().unwrap();
        let policy = PolicyDocument::from_toml(&shop.policy).unwrap().check(store.data_map()).unwrap();
        let treatment = Arc::clone(&policy.treatments()["x"]);
        Self { shop, store, treatment }
    }

    /// Another program changes the schema.
    fn change(&self, sql: &str) {
        Connection::open(self.shop.path()).unwrap().execute_batch(sql).unwrap();
    }

    async fn targets(&self) -> Vec<Target> {
        let facts = self.store.facts(&[CustomerId::from("1")]).await.unwrap();
        let target = |facts: relinquish::Customer| Target {
            expected: facts.expected(),
            customer: facts.id,
            tenant: facts.tenant,
        };
        facts.into_iter().map(target).collect()
    }

    async fn erase(&self) -> Result<Vec<Result<Erased, StoreError>>, StoreError> {
        let targets = self.targets().await;
        let at = DateTime::UNIX_EPOCH;
        self.store
            .erase(&EraseRequest::new(targets, Arc::clone(&self.treatment), Seed::new([7; 32]), at))
            .await
    }

    async fn goes_on(&self) {
        assert_eq!(self.store.drift().await.unwrap(), Vec::<String>::new());
        let answers = self.erase().await.unwrap();
        assert!(matches!(answers.as_slice(), [Ok(Erased::Done(_))]), "{answers:?}");
        assert_eq!(self.shop.text("SELECT count(*) || '' FROM orders WHERE note IS NULL"), "1");
    }

    /// Nothing is touched, and the error says what has changed.
    async fn stops(&self, part: &str) {
        let before = self.shop.cells();
        let error = self.erase().await.unwrap_err();
        assert!(matches!(error, StoreError::Drift { .. }), "{error}");
        assert!(!error.is_transient());
        let text = error.to_string();
        assert!(text.contains(part), "{part} is missing in\n{text}");
        assert!(text.contains("open the store again"), "{text}");
        assert_eq!(before, self.shop.cells());
        let drift = self.store.drift().await.unwrap();
        assert!(drift.iter().any(|change| change.contains(part)), "{drift:?}");
    }
}

#[tokio::test]
async fn a_new_column_stops_the_run() {
    let open = Open::new();
    open.change("ALTER TABLE clients ADD COLUMN email TEXT");
    open.stops("column clients.email is new").await;
    // The suggested way works: classify the column and open the store again.
    open.stops("customers.fields.email").await;
    let map = open.shop.map.replace("name = 'name'", "name = 'name', email = 'email'");
    let store = SqliteStore::open(open.shop.path(), &relinquish::SqlMap::from_toml(&map).unwrap()).unwrap();
    assert_eq!(store.drift().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_new_column_stops_the_run_where_the_map_calls_the_rest_not_personal() {
    let open = Open::new();
    open.change("ALTER TABLE orders ADD COLUMN recipient TEXT");
    open.stops("column orders.recipient is new").await;
}

#[tokio::test]
async fn a_new_table_that_hangs_from_a_mapped_one_stops_the_run() {
    let open = Open::new();
    open.change("CREATE TABLE notes (id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders, text TEXT)");
    open.stops("foreign key notes (order_id) to orders is new").await;
    open.stops("ignore.notes").await;
}

#[tokio::test]
async fn a_table_that_has_nothing_to_do_with_customers_stops_nothing() {
    let open = Open::new();
    open.change("CREATE TABLE weather (day TEXT, rain REAL); ALTER TABLE parcels ADD COLUMN weight INTEGER");
    open.goes_on().await;
}

#[tokio::test]
async fn vacuum_and_analyze_stop_nothing() {
    let open = Open::new();
    open.change("VACUUM; ANALYZE");
    open.goes_on().await;
}

#[tokio::test]
async fn an_index_that_is_gone_stops_the_run_and_a_new_one_does_not() {
    let open = Open::new();
    open.change("CREATE INDEX orders_by_note ON orders (note)");
    assert_eq!(open.store.drift().await.unwrap(), Vec::<String>::new());
    open.change("DROP INDEX orders_by_client");
    open.stops("no index begins with orders.client_id").await;
}

#[tokio::test]
async fn a_new_trigger_a_new_check_and_a_new_unique_index_stop_the_run() {
    let open = Open::new();
    open.change("CREATE TRIGGER keep AFTER UPDATE ON clients BEGIN UPDATE parcels SET size = size + 1; END");
    open.stops("trigger keep on clients is new").await;
    // The trigger's body counts as well.
    let open = Open::new();
    open.change("CREATE UNIQUE INDEX one_name ON clients (name)");
    open.stops("unique index on clients (name) is new").await;
    open.change("DROP INDEX one_name");
    open.goes_on().await;
    let open = Open::new();
    open.change("DROP TABLE orders; CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, note TEXT CHECK (note <> ''))");
    open.stops("CHECK (note <> '') of orders is new").await;
}

#[tokio::test]
async fn a_column_that_is_gone_stops_the_run() {
    let open = Open::new();
    open.change("ALTER TABLE orders DROP COLUMN note");
    open.stops("column orders.note is gone").await;
}

#[tokio::test]
async fn a_case_waits_untouched_until_the_store_is_opened_under_a_map_that_fits() {
    let open = Open::new();
    let engine = open.shop.engine();
    let plan = crate::hosts::approved(&engine, &"1".into(), &relinquish::Asked::request()).await;
    open.change(
        "ALTER TABLE clients ADD COLUMN email TEXT; UPDATE clients SET email = 'maud@x.org' WHERE id = 1",
    );
    let before = open.shop.cells();
    let outcome =
        engine.erase(plan).await.map_or_else(|error| error.to_string(), |outcome| outcome.to_string());
    assert!(outcome.contains("column clients.email is new"), "{outcome}");
    assert_eq!(before, open.shop.cells());
}

#[tokio::test]
async fn counting_deactivating_and_the_records_of_nobody_stop_as_well() {
    let open = Open::new();
    let target = open.targets().await.remove(0);
    open.change("ALTER TABLE clients ADD COLUMN email TEXT");
    let before = open.shop.cells();
    let is_drift = |error: StoreError| assert!(matches!(error, StoreError::Drift { .. }), "{error}");
    let customers = vec![target.customer.clone()];
    is_drift(open.store.tally(&TallyRequest::new(customers, Arc::clone(&open.treatment))).await.unwrap_err());
    let deactivation =
        Deactivation { customer: target.customer, expected: target.expected, at: DateTime::UNIX_EPOCH };
    is_drift(open.store.deactivate(&[deactivation]).await.unwrap_err());
    let classes = [("order".into(), Ownerless::GoneOrNone)].into();
    let request = OwnerlessRequest::new(classes, Arc::clone(&open.treatment), DateTime::UNIX_EPOCH);
    is_drift(open.store.count_ownerless(&request).await.unwrap_err());
    is_drift(open.store.erase_ownerless(&request, &Seed::new([1; 32]), None).await.unwrap_err());
    assert_eq!(before, open.shop.cells());
}

/// A migration adds a column that `rest` covers. This is noticed while the store is open, and also after it is opened
/// again: the new column is listed, and earlier approvals are not carried out.
#[tokio::test]
async fn a_new_column_under_rest_is_noticed() {
    let open = Open::new();
    let rest = |store: &SqliteStore| -> Vec<String> {
        let notes = store.notes().iter().map(ToString::to_string);
        notes.filter(|note| note.contains("rest = ")).collect()
    };
    assert_eq!(rest(&open.store), [] as [String; 0]);
    let ledger = Arc::new(MemoryLedger::new());
    let builder = |shop: &Shop| {
        let policy = PolicyDocument::from_toml(&shop.policy).unwrap();
        Engine::builder(shop.store().unwrap(), policy, Arc::clone(&ledger), hosts::keys())
            .clock(ManualClock::at(hosts::now()))
    };
    let (one, asked) = (CustomerId::from("1"), Asked::request());
    let before = approved(&builder(&open.shop).counted().unwrap(), &one, &asked).await;
    open.change("ALTER TABLE orders ADD COLUMN greeting TEXT");
    open.stops("column orders.greeting is new").await;
    // When the store is opened again, the map fits, because `rest` covers the column.
    let uncounted = builder(&open.shop).build().unwrap();
    let planned = uncounted.plan(&one, &asked).await;
    assert!(matches!(planned, Err(Error::Census { .. })), "the census was of other columns: {planned:?}");
    let again = builder(&open.shop).counted().unwrap();
    assert_eq!(rest(&open.shop.store().unwrap()), ["order: rest = \"not personal\" covers greeting"]);
    let refused = again.erase(before).await.map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("data map"), "what was approved is of another map: {refused}");
    let plan = approved(&again, &one, &asked).await;
    assert!(matches!(again.erase(plan).await.unwrap(), Outcome::Erased(_)));
}

/// A foreign key decides which records an erasure deletes too. So a change of its target or of its `ON DELETE`
/// matters.
#[tokio::test]
async fn a_changed_foreign_key_stops_the_run() {
    let remade = |client: &str, note: &str| {
        format!(
            "PRAGMA foreign_keys = OFF; CREATE TABLE other (id INTEGER PRIMARY KEY, {client}, {note});
             INSERT INTO other SELECT id, client_id, note FROM orders;
             DROP TABLE orders; ALTER TABLE other RENAME TO orders;
             CREATE INDEX orders_by_client ON orders (client_id);"
        )
    };
    for (client, note, part) in [
        (
            "client_id INTEGER REFERENCES clients ON DELETE CASCADE",
            "note TEXT",
            "foreign key orders (client_id) to clients was changed",
        ),
        (
            "client_id INTEGER REFERENCES parcels",
            "note TEXT",
            "foreign key orders (client_id) to parcels is new",
        ),
        ("client_id INTEGER", "note TEXT", "foreign key orders (client_id) to clients is gone"),
        (
            "client_id INTEGER REFERENCES clients",
            "note TEXT REFERENCES clients",
            "foreign key orders (note) to clients is new",
        ),
        ("client_id INTEGER REFERENCES clients", "note TEXT NOT NULL", "column orders.note was changed"),
        (
            "client_id INTEGER REFERENCES clients",
            "note TEXT COLLATE NOCASE",
            "column orders.note was changed",
        ),
    ] {
        let open = Open::new();
        open.change(&remade(client, note));
        open.stops(part).await;
    }
    // If a table is dropped and created again in the same way, the schema is the same.
    let open = Open::new();
    open.change(&remade("client_id INTEGER REFERENCES clients", "note TEXT"));
    open.goes_on().await;
}

/// A new table that only a trigger fills has no foreign key. The trigger is new, and stops the run.
#[tokio::test]
async fn a_new_table_that_a_trigger_fills_stops_the_run() {
    let open = Open::new();
    open.change(
        "CREATE TABLE audit (text TEXT);
         CREATE TRIGGER copied AFTER UPDATE ON orders BEGIN INSERT INTO audit VALUES (old.note); END",
    );
    open.stops("trigger copied on orders is new").await;
    // The table is reported too, with what to do.
    open.stops("ignore.audit").await;
}
