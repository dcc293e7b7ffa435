//! Values that were erased and that a text which stays still holds: found inside the erasing transaction, and named.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use fastrand::Rng;
use relinquish::customer::{Customer, CustomerId, Identifiers};
use relinquish::data_map::DataMap;
use relinquish::store::{
    Batch, CustomerStore, Deactivated, Deactivation, EraseRequest, Erased, Page, PageRequest, Reactivated,
    Reactivation, RecordStore, StoreError, TakeCensus, Tally, TallyRequest,
};
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::{Asked, Certificate, Engine, MemoryLedger, Outcome, PolicyDocument, SqlMap, SqliteStore};
use rusqlite::Connection;

use crate::hosts::{self, BuildCounted as _, approved};

const MAP: &str = "version = 1\n[customers]\ntable = 'guests'\nkey = 'id'\ntenant = { is = 'shop' }\n\
    status = { sql = \"'active'\", active = 'active' }\ndeactivate = { none = 'no such status' }\n\
    fields = { name = 'name', email = 'email', label = 'not personal', city = 'city' }\n\
    [records.stay]\ntable = 'stays'\nkey = 'id'\nowner = 'guest'\n\
    fields = { room = 'not personal', note = 'not personal', tags = 'not personal', price = 'not personal' }\n\
    [records.bill]\ntable = 'bills'\nkey = 'id'\nowner = 'guest'\n\
    fields = { booked_on = 'not personal', buyer = 'name', memo = 'not personal' }";

fn policy(more: &str) -> String {
    format!(
        "version = 1\nsweep = false\n{more}\ntriggers.requested = {{ treatment = 't' }}\n\
         guards.active_subscription = {{ ignore = 'none is sold' }}\nguards.not_archived = {{ ignore = 'none' }}\n\
         guards.several_tenants = {{ ignore = 'one' }}\n\
         duties.books = {{ classes = ['bill'], statute = 'SE/BFL/7:2', from = 'booked_on' }}\n\
         anonymise = {{ name = 'remove', email = 'token', city = 'remove' }}\n\
         treatments.t = {{ customer = {{ action = 'anonymise', keep = {{ city = 'statistics' }} }}, stay = {{ keep = 'occupancy' }}, bill = 'anonymise' }}\n"
    )
}

/// A hotel with one guest, and copies where nobody expects them.
struct Hotel {
    folder: tempfile::TempDir,
    store: Arc<SqliteStore>,
}

impl Hotel {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hotel.sqlite");
        Connection::open(&path)
            .unwrap()
            .execute_batch(
                "CREATE TABLE guests (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE, label TEXT, city TEXT);
                 CREATE TABLE stays (id INTEGER PRIMARY KEY, guest INTEGER REFERENCES guests, room TEXT, note TEXT, tags TEXT, price INTEGER);
                 CREATE TABLE bills (id INTEGER PRIMARY KEY, guest INTEGER REFERENCES guests, booked_on TEXT, buyer TEXT, memo TEXT);
                 INSERT INTO guests VALUES (7, 'Ylva Sandelin', 'ylva@sandelin.example', 'regular', 'Umeå'),
                                           (8, 'Nils Tornqvist', 'nils@tornqvist.example', 'Ylva Sandelin knows him', NULL);
                 INSERT INTO stays VALUES (1, 7, '101', 'late', 'sea', 90), (2, 7, '102', 'early', 'quiet', 80), (3, 8, '103', 'ylva@sandelin.example', '', 70);
                 INSERT INTO bills VALUES (1, 7, '2024-05-01', 'Ylva Sandelin', 'paid'), (2, 7, '2010-05-01', 'Ylva Sandelin', 'paid');",
            )
            .unwrap();
        let store = Arc::new(SqliteStore::open(path, &SqlMap::from_toml(MAP).unwrap()).unwrap());
        Self { folder, store }
    }

    fn write(&self, (table, column, id): (&str, &str, i64), text: &str) {
        let database = Connection::open(self.folder.path().join("hotel.sqlite")).unwrap();
        database.execute(&format!("UPDATE {table} SET {column} = ?1 WHERE id = ?2"), (text, id)).unwrap();
    }

    fn name(&self) -> Option<String> {
        let database = Connection::open(self.folder.path().join("hotel.sqlite")).unwrap();
        database.query_row("SELECT name FROM guests WHERE id = 7", [], |row| row.get(0)).unwrap()
    }

    async fn erase<S: CustomerStore>(&self, store: S, more: &str) -> Outcome {
        let policy = PolicyDocument::from_toml(&policy(more)).unwrap();
        let engine = Engine::builder(store, policy, MemoryLedger::new(), hosts::keys())
            .clock(ManualClock::at(hosts::now()))
            .entropy(RepeatableEntropy::new(1))
            .counted()
            .unwrap_or_else(|problems| panic!("{problems}"));
        engine.erase(approved(&engine, &"7".into(), &Asked::request()).await).await.unwrap()
    }

    async fn certificate<S: CustomerStore>(&self, store: S) -> Certificate {
        match self.erase(store, "").await {
            Outcome::Erased(certificate) => *certificate,
            outcome => panic!("{outcome}"),
        }
    }
}

/// The number of records by class and field.
type Listed = BTreeMap<String, u64>;

fn listed(certificate: &Certificate) -> Listed {
    let looked = certificate.looked_for().into_iter().flat_map(|looked| &looked.found);
    looked
        .flat_map(|(class, fields)| {
            fields.iter().map(move |(field, found)| (format!("{class}.{field}"), found.rows))
        })
        .collect()
}

/// Columns that stay, by the class that a certificate names.
const STAY: [(&str, &str, &str, i64); 6] = [
    ("guests", "label", "customer", 7),
    ("stays", "room", "stay", 1),
    ("stays", "note", "stay", 1),
    ("stays", "tags", "stay", 2),
    ("stays", "note", "stay", 2),
    // The bill that no duty keeps any more.
    ("bills", "memo", "bill", 2),
];

/// Columns in which a value is no surprise: a duty keeps the record, or it is somebody else's.
const NO_SURPRISE: [(&str, &str, i64); 3] =
    [("bills", "memo", 1), ("guests", "label", 8), ("stays", "note", 3)];

fn with_value(rng: &mut Rng) -> String {
    let values = ["Ylva Sandelin", "ylva@sandelin.example", "YLVA@SANDELIN.EXAMPLE"];
    let value = *rng.choice(&values).unwrap();
    match rng.u32(0..3) {
        0 => value.to_owned(),
        1 => format!("  {value} "),
        _ => format!("called by {value}, twice"),
    }
}

fn without_value(rng: &mut Rng) -> String {
    (*rng.choice(&["", "late", "Nils Tornqvist", "umea.example is down", "Umeå"]).unwrap()).to_owned()
}

/// Plants copies, and says what a certificate has to list.
fn plant(hotel: &Hotel, rng: &mut Rng) -> Listed {
    let mut wanted = Listed::new();
    for (table, column, class, id) in STAY {
        if rng.bool() {
            hotel.write((table, column, id), &with_value(rng));
            *wanted.entry(format!("{class}.{column}")).or_default() += 1;
        } else {
            hotel.write((table, column, id), &without_value(rng));
        }
    }
    for (table, column, id) in NO_SURPRISE {
        hotel.write((table, column, id), &with_value(rng));
    }
    wanted
}

/// A store that does not tell what it has found, and is found out by the test.
#[derive(Debug)]
struct Silent(Arc<SqliteStore>);

#[async_trait]
impl RecordStore for Silent {
    fn data_map(&self) -> &DataMap {
        self.0.data_map()
    }

    fn takes_census(&self) -> Option<&dyn TakeCensus> {
        self.0.takes_census()
    }

    fn looks_for_leftovers(&self) -> bool {
        true
    }

    async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError> {
        self.0.tally(request).await
    }

    async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError> {
        let mut batch = self.0.erase(request).await?;
        for answer in &mut batch {
            if let Ok(Erased::Done(counts) | Erased::More(counts)) = answer {
                counts.leftovers.clear();
            }
        }
        Ok(batch)
    }
}

#[async_trait]
impl CustomerStore for Silent {
    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        self.0.facts(customers).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        self.0.page(request).await
    }

    async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError> {
        self.0.identifiers(customers).await
    }

    async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError> {
        self.0.deactivate(batch).await
    }

    async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError> {
        self.0.reactivate(batch).await
    }
}

#[tokio::test]
async fn every_copy_in_a_text_that_stays_is_listed_and_nothing_else() {
    let (mut copies, mut caught) = (0, 0);
    for seed in 0..30 {
        let mut rng = Rng::with_seed(seed);
        let hotel = Hotel::new();
        let wanted = plant(&hotel, &mut rng);
        let certificate = hotel.certificate(Arc::clone(&hotel.store)).await;
        assert_eq!(listed(&certificate), wanted, "seed {seed}");
        let is_named = certificate.outcome().starts_with("erased in part");
        assert!(is_named || wanted.is_empty(), "seed {seed}: {}", certificate.outcome());
        copies += wanted.len();
        // A store that finds them and does not say so.
        let hotel = Hotel::new();
        let wanted = plant(&hotel, &mut Rng::with_seed(seed));
        let silent = hotel.certificate(Silent(Arc::clone(&hotel.store))).await;
        caught += u32::from(listed(&silent) != wanted);
    }
    assert!(copies > 60 && caught > 25, "{copies} {caught}");
}

#[tokio::test]
async fn the_certificate_names_class_field_and_key_and_no_value() {
    let hotel = Hotel::new();
    hotel.write(("stays", "note", 2), "Ylva Sandelin was loud");
    hotel.write(("guests", "label", 7), "ylva@sandelin.example");
    let certificate = hotel.certificate(Arc::clone(&hotel.store)).await;
    let text = certificate.to_string();
    assert!(text.contains("stay.note still holds an erased value in 1 record: 2"), "{text}");
    // The key of a customer would name the customer.
    assert!(text.contains("customer.label still holds an erased value in 1 record\n"), "{text}");
    let json = serde_json::to_string(&certificate).unwrap();
    for text in [text, json] {
        assert!(!text.contains("Sandelin") && !text.contains("sandelin"), "{text}");
    }
    let told = certificate.letter_facts();
    assert_eq!(told.leftovers.values().sum::<u64>(), 2);
}

#[tokio::test]
async fn a_policy_can_undo_everything_when_a_copy_is_found() {
    let hotel = Hotel::new();
    hotel.write(("stays", "tags", 1), "sea, Ylva Sandelin");
    let Outcome::Blocked { reason, .. } = hotel.erase(Arc::clone(&hotel.store), "leftovers = 'block'").await
    else {
        panic!("it was erased")
    };
    assert!(reason.contains("stay.tags of record 1 stays and still holds a value"), "{reason}");
    assert!(!reason.contains("Sandelin"), "{reason}");
    assert_eq!(hotel.name().as_deref(), Some("Ylva Sandelin"), "everything was undone");
    // The way out that the error names.
    hotel.write(("stays", "tags", 1), "sea");
    let outcome = hotel.erase(Arc::clone(&hotel.store), "leftovers = 'block'").await;
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
}

/// A bar in whose tables every text that stays is a status or a date, as the map says.
async fn bar(name: &str, day: &str) -> Certificate {
    let map = "version = 1\n[customers]\ntable = 'guests'\nkey = 'id'\ntenant = { is = 'bar' }\nregistered = 'since'\n\
        status = { column = 'state', active = 'regular', cancelled = 'gone' }\ndeactivate = { none = 'no such status' }\n\
        fields = { name = 'name' }\n[records.visit]\ntable = 'visits'\nkey = 'id'\nowner = 'guest'\n\
        [records.visit.fields]\nwho = 'name'\nday = { kind = 'not personal', date = { stored = 'iso', from = '1950-01-01' } }";
    let policy = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
        guards.active_subscription = { ignore = 'none is sold' }\nguards.not_archived = { ignore = 'none' }\n\
        guards.several_tenants = { ignore = 'one' }\nanonymise.name = 'remove'\n\
        treatments.t = { customer = 'anonymise', visit = 'anonymise' }";
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            "CREATE TABLE guests (id INTEGER PRIMARY KEY, name TEXT, state TEXT, since TEXT);
             CREATE TABLE visits (id INTEGER PRIMARY KEY, guest INTEGER REFERENCES guests, who TEXT, day TEXT);",
        )
        .unwrap();
    connection.execute("INSERT INTO guests VALUES (7, ?1, 'gone', '2020-01-01 10:00:00')", [name]).unwrap();
    connection
        .execute("INSERT INTO visits VALUES (1, 7, ?1, '2024-05-01'), (2, 7, ?1, ?2)", [name, day])
        .unwrap();
    let store = SqliteStore::over(connection, &SqlMap::from_toml(map).unwrap()).unwrap();
    let engine = Engine::builder(
        store,
        PolicyDocument::from_toml(policy).unwrap(),
        MemoryLedger::new(),
        hosts::keys(),
    )
    .clock(ManualClock::at(hosts::now()))
    .entropy(RepeatableEntropy::new(1))
    .counted()
    .unwrap_or_else(|problems| panic!("{problems}"));
    match engine.erase(approved(&engine, &"7".into(), &Asked::request()).await).await.unwrap() {
        Outcome::Erased(certificate) => *certificate,
        outcome => panic!("{outcome}"),
    }
}

#[tokio::test]
async fn a_status_and_a_date_name_nobody_and_any_other_text_in_their_columns_may() {
    let found = Listed::from([("visit.day".to_owned(), 1)]);
    for (name, day, wanted) in [
        ("Ylva Sandelin", "2024-05-02", Listed::new()),
        ("Ylva Sandelin", "", Listed::new()),
        ("Ylva Sandelin", "with Ylva Sandelin", found.clone()),
        ("Ylva Sandelin", "Ylva Sandelin", found),
        // What the map calls a status is none of the names.
        ("Gone", "2024-05-02", Listed::new()),
    ] {
        let certificate = bar(name, day).await;
        assert_eq!(listed(&certificate), wanted, "{name} on {day}");
        assert!(certificate.looked_for().is_some(), "{name} on {day}");
    }
}
