//! Searches return the record and the field. They use an index if there is one, and never return more than was asked.

use std::sync::Arc;

use relinquish::data_map::Kind;
use relinquish::engine::{Access, Accessed, MemoryAccessLog, Purpose, Search};
use relinquish::plan::Authority;
use relinquish::store::ReadRecords;
use relinquish::testing::ManualClock;
use relinquish::{ByRecord, CustomerStore, Engine, Error, MemoryLedger, PolicyDocument, SqlMap, SqliteStore};
use rusqlite::Connection;

use crate::hosts;

const SCHEMA: &str = r#"
    CREATE TABLE clients (id INTEGER PRIMARY KEY, shop TEXT NOT NULL, first TEXT, last TEXT, email TEXT UNIQUE, phone TEXT, profile TEXT);
    CREATE TABLE orders (no TEXT NOT NULL, part INTEGER NOT NULL, client_id INTEGER REFERENCES clients, mail TEXT, street TEXT,
        PRIMARY KEY (no, part));
    CREATE INDEX orders_by_mail ON orders (mail);
    CREATE INDEX orders_by_client ON orders (client_id);
    INSERT INTO clients VALUES
        (1, 'a', 'Élodie', 'Dubois', 'elodie@example.org', '+46 70 123 45 67', '{"nick": "elodie@example.org"}'),
        (2, 'a', 'Dubois', 'Elodie', 'ELODIE@example.org', '070-123 45 67', NULL), (3, 'b', 'Maud', 'Ash', 'maud@example.org', NULL, NULL);
    INSERT INTO orders VALUES ('o:1', 1, 1, 'elodie@example.org', 'Storgatan 1'), ('o:1', 2, NULL, 'elodie@example.org', 'storgatan 1'),
        ('o:2', 1, 3, 'elodie@example.org', 'Lillgatan 2');
"#;

const MAP: &str = r#"
    version = 1
    [customers]
    table = "clients"
    key = "id"
    tenant = "shop"
    deactivate = { none = "clients have no state" }
    [customers.fields]
    first = "name"
    last = "name"
    email = "email"
    phone = "phone"
    profile = { json = { "/nick" = "username" }, rest = "not personal" }
    [records.order]
    table = "orders"
    key = ["no", "part"]
    owner = "client_id"
    nobody = "of guests"
    fields = { no = "not personal", mail = "email", street = "address" }
"#;

const POLICY: &str = r#"
    version = 1
    sweep = false
    triggers.requested = { treatment = "clear" }
    guards = { active_subscription = { ignore = "none is sold" }, not_archived = { ignore = "none" }, several_tenants = { ignore = "one" } }
    anonymise = { name = "remove", email = "remove", phone = "remove", username = "remove", address = "remove" }
    treatments.clear = { customer = "anonymise", order = "delete" }
"#;

fn engine<S: CustomerStore + ReadRecords>(store: Arc<S>, policy: &str, log: &Arc<MemoryAccessLog>) -> Engine {
    let policy = PolicyDocument::from_toml(policy).unwrap();
    Engine::builder(Arc::clone(&store), policy, MemoryLedger::new(), hosts::keys())
        .clock(ManualClock::at(hosts::now()))
        .gateway(relinquish::gateway::MemoryGateway::new("stripe"))
        .records(store)
        .access_log(Arc::clone(log))
        .build()
        .unwrap_or_else(|problems| panic!("{problems}"))
}

fn shop() -> (tempfile::TempDir, Engine, Arc<MemoryAccessLog>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    Connection::open(&path).unwrap().execute_batch(SCHEMA).unwrap();
    let store = SqliteStore::open(&path, &SqlMap::from_toml(MAP).unwrap());
    let log = Arc::new(MemoryAccessLog::new());
    let store = Arc::new(store.unwrap_or_else(|problems| panic!("{problems}")));
    (folder, engine(store, POLICY, &log), log)
}

fn access(tenants: &[&str]) -> Access {
    let by = Authority::new("operator-7", tenants.iter().map(|tenant| (*tenant).into()));
    Access::new(by, Purpose::Reason("ticket-4711".parse().unwrap()))
}

/// All places, read in pages of the given size.
async fn places(engine: &Engine, search: &Search, limit: usize) -> Vec<(String, String, String, bool)> {
    let (mut places, mut after) = (Vec::new(), None);
    loop {
        let asked = search.clone().reading_whole_tables().limit(limit).after(after);
        let page = engine.search(&asked, &access(&["a", "b", "acme"])).await.unwrap();
        assert!(page.found.len() <= limit);
        places.extend(page.found.into_iter().map(|found| {
            (found.class.to_string(), found.key.as_str().to_owned(), found.field.to_string(), found.is_exact)
        }));
        match page.next {
            Some(next) => after = Some(next),
            None => return places,
        }
    }
}

fn said(places: &[(&str, &str, &str, bool)]) -> Vec<(String, String, String, bool)> {
    let owned = |place: &(&str, &str, &str, bool)| {
        (place.0.to_owned(), place.1.to_owned(), place.2.to_owned(), place.3)
    };
    places.iter().map(owned).collect()
}

#[tokio::test]
async fn a_search_says_which_record_and_field_matched_page_by_page() {
    let (_folder, engine, _) = shop();
    let mail = Search::new().alike(Kind::Email, "Elodie@Example.org");
    let expected = said(&[
        ("customer", "1", "email", false),
        ("customer", "1", "profile/nick", false),
        ("customer", "2", "email", false),
        ("order", "o%3A1:1", "mail", false),
        ("order", "o%3A1:2", "mail", false),
        ("order", "o%3A2:1", "mail", false),
    ]);
    for limit in [1, 2, 4, 100] {
        assert_eq!(places(&engine, &mail, limit).await, expected, "pages of {limit}");
    }
    let exact = Search::new().exact(Kind::Email, "ELODIE@example.org");
    assert_eq!(places(&engine, &exact, 10).await, said(&[("customer", "2", "email", true)]));
    let name = Search::new().alike(Kind::Name, "DUBOIS, Elodie");
    let expected = [
        ("customer", "1", "first", false),
        ("customer", "1", "last", false),
        ("customer", "2", "first", false),
        ("customer", "2", "last", false),
    ];
    assert_eq!(places(&engine, &name, 10).await, said(&expected));
    let phone = Search::new().alike(Kind::Phone, "0046 (0)70 1234567");
    let expected = [("customer", "1", "phone", false), ("customer", "2", "phone", false)];
    assert_eq!(places(&engine, &phone, 10).await, said(&expected));
    let street = Search::new().alike(Kind::Address, "STORGATAN 1");
    assert_eq!(places(&engine, &street, 10).await.len(), 2);
    let key = Search::new().key("3");
    assert_eq!(places(&engine, &key, 10).await, said(&[("customer", "3", "id", true)]));
    assert_eq!(places(&engine, &Search::new().key("03"), 10).await, []);
}

/// A former bug: the database stores an address as bytes, or a number as a floating-point number. An erasure searched
/// the texts for this value, but a search did not find it.
#[tokio::test]
async fn a_search_finds_whatever_an_erasure_finds_in_bytes_and_numbers() {
    let (folder, engine, _) = shop();
    let database = Connection::open(folder.path().join("shop.sqlite")).unwrap();
    let sql = "UPDATE clients SET email = CAST('maud@example.org' AS BLOB) WHERE id = 3;
        UPDATE clients SET profile = CAST(profile AS BLOB) WHERE id = 1;
        DELETE FROM orders";
    database.execute_batch(sql).unwrap();
    let mail = Search::new().alike(Kind::Email, "maud@example.org").reading_whole_tables();
    assert_eq!(places(&engine, &mail, 10).await, said(&[("customer", "3", "email", true)]));
    let nick = Search::new().alike(Kind::Username, "elodie@example.org").reading_whole_tables();
    assert!(places(&engine, &nick, 10).await.contains(&said(&[("customer", "1", "profile/nick", true)])[0]));
}

#[tokio::test]
async fn a_search_that_would_read_a_whole_table_says_so_first() {
    let (_folder, engine, log) = shop();
    let exact = Search::new().exact(Kind::Email, "elodie@example.org");
    let plan = engine.plan_search(&exact).unwrap();
    assert_eq!(plan.by_index, [("order".into(), "mail".into())]);
    assert_eq!(plan.reads_whole, ["customer".into()], "no index finds a value inside a document");
    let refused = engine.search(&exact, &access(&["a"])).await.unwrap_err();
    assert!(
        matches!(&refused, Error::ReadsWholeTables { classes } if *classes == ["customer".into()]),
        "{refused}"
    );
    assert!(log.events().is_empty());
    let alike = Search::new().alike(Kind::Email, "elodie@example.org");
    assert_eq!(engine.plan_search(&alike).unwrap().reads_whole, ["customer".into(), "order".into()]);
    assert!(engine.plan_search(&Search::new().key("1")).unwrap().reads_whole.is_empty());
}

#[tokio::test]
async fn places_of_other_tenants_are_counted_and_not_told() {
    let (_folder, engine, log) = shop();
    let search = Search::new().exact(Kind::Email, "elodie@example.org").reading_whole_tables();
    let page = engine.search(&search, &access(&["a"])).await.unwrap();
    let of_b = page.found.iter().filter(|found| found.key.as_str() == "o%3A2:1").count();
    assert_eq!((of_b, page.withheld), (0, 1));
    // An order without an owner is found too.
    assert!(page.found.iter().any(|found| found.key.as_str() == "o%3A1:2"));
    assert_eq!(log.events()[0].what, Accessed::Search { kinds: vec![Kind::Email] });
    assert!(!format!("{search:?} {page:?}").contains("elodie"));
}

#[tokio::test]
async fn every_kind_of_store_is_searched() {
    let repository = relinquish::store::MemoryRepository::new(hosts::memory_map());
    for (id, name) in [("1", "maud"), ("2", "theo")] {
        let (customer, records) = hosts::memory_customer(id, name, false);
        repository.insert(customer, records);
    }
    let log = Arc::new(MemoryAccessLog::new());
    let engine = engine(Arc::new(ByRecord::new(repository)), hosts::MEMORY_POLICY, &log);
    let search = Search::new().alike(Kind::Email, "THEO@example.org").key("1").exact(Kind::Name, "maud");
    let expected = said(&[
        ("customer", "1", "id", true),
        ("customer", "1", "name", true),
        ("customer", "2", "email", false),
    ]);
    let mut found = places(&engine, &search, 1).await;
    found.sort();
    assert_eq!(found, expected);
}
