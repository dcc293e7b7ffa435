//! Erased values that are still in a text that stays.

use std::collections::BTreeMap;

use relinquish::testing::ManualClock;
use relinquish::{Asked, Engine, MemoryLedger, Outcome, PolicyDocument, PostgresStore, SqlMap};

use crate::hosts::{self, approved};
use crate::server::Database;

const MAP: &str = "version = 1\n[customers]\ntable = 'guests'\nkey = 'id'\ntenant = { is = 'shop' }\n\
    status = { sql = \"'active'\", active = 'active' }\ndeactivate = { none = 'no such status' }\n\
    fields = { name = 'name', email = 'email', label = 'not personal', city = 'city' }\n\
    [records.stay]\ntable = 'stays'\nkey = 'id'\nowner = 'guest'\n\
    fields = { room = 'not personal', note = 'not personal', tags = 'not personal', seen = 'not personal', extra = 'not personal' }\n\
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

fn hotel() -> Database {
    Database::with(
        "CREATE TYPE mood AS ENUM ('Ylva Sandelin', 'none');
         CREATE TABLE guests (id bigint PRIMARY KEY, name text, email text UNIQUE, label varchar(60), city text);
         CREATE TABLE stays (id integer PRIMARY KEY, guest bigint REFERENCES guests, room text, note text, tags text[], seen mood, extra jsonb);
         CREATE TABLE bills (id integer PRIMARY KEY, guest bigint REFERENCES guests, booked_on date, buyer text, memo text);
         INSERT INTO guests VALUES (7, 'Ylva Sandelin', 'ylva@sandelin.example', 'regular', 'Umeå'),
                                   (8, 'Nils Tornqvist', 'nils@tornqvist.example', 'Ylva Sandelin knows him', NULL);
         INSERT INTO stays VALUES (1, 7, '101', 'late', '{sea}', 'none', '{}'), (2, 7, '102', 'early', '{quiet}', 'none', '{}'),
                                  (3, 8, '103', 'ylva@sandelin.example', '{}', 'none', '{}');
         INSERT INTO bills VALUES (1, 7, '2024-05-01', 'Ylva Sandelin', 'for ylva@sandelin.example'), (2, 7, '2010-05-01', 'Ylva Sandelin', 'paid');",
    )
}

async fn erase(database: &Database, more: &str) -> Outcome {
    let store = PostgresStore::over(database.pool(), &SqlMap::from_toml(MAP).unwrap()).await.unwrap();
    let policy = PolicyDocument::from_toml(&policy(more)).unwrap();
    let engine = Engine::builder(store, policy, MemoryLedger::new(), hosts::keys())
        .clock(ManualClock::at(hosts::now()))
        .census_at_most(u32::MAX)
        .build()
        .unwrap_or_else(|problems| panic!("{problems}"));
    engine.ensure_census().await.unwrap();
    engine.erase(approved(&engine, &"7".into(), &Asked::request()).await).await.unwrap()
}

/// Every text and every JSON document that stays is searched. A value is expected in a record that a duty keeps or
/// that belongs to another person.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_in_a_text_of_any_type_is_listed_and_nothing_else() {
    for (write, class_and_field) in [
        ("", None),
        ("UPDATE guests SET label = 'call YLVA SANDELIN' WHERE id = 7", Some("customer.label")),
        ("UPDATE stays SET note = 'ylva@sandelin.example' WHERE id = 1", Some("stay.note")),
        ("UPDATE stays SET room = '  Ylva Sandelin ' WHERE id = 2", Some("stay.room")),
        // Only columns of text and JSON are searched, and no arrays or enums.
        ("UPDATE stays SET tags = '{sea,\"Ylva Sandelin\"}' WHERE id = 2", None),
        ("UPDATE stays SET seen = 'Ylva Sandelin' WHERE id = 2", None),
        ("UPDATE stays SET extra = '{\"by\": \"Ylva Sandelin\"}' WHERE id = 2", Some("stay.extra")),
        ("UPDATE bills SET memo = 'Ylva Sandelin' WHERE id = 2", Some("bill.memo")),
        ("UPDATE bills SET memo = 'Ylva Sandelin' WHERE id = 1", None),
        ("UPDATE stays SET note = 'Ylva Sandelin' WHERE id = 3", None),
    ] {
        let database = hotel();
        database.run(write);
        let Outcome::Erased(certificate) = erase(&database, "").await else { panic!("not erased") };
        let looked = certificate.looked_for().unwrap_or_else(|| panic!("nobody has looked: {write}"));
        let found: BTreeMap<String, u64> = looked
            .found
            .iter()
            .flat_map(|(class, fields)| {
                fields.iter().map(move |(field, found)| (format!("{class}.{field}"), found.rows))
            })
            .collect();
        let wanted: BTreeMap<String, u64> =
            class_and_field.map(|name| (name.to_owned(), 1)).into_iter().collect();
        assert_eq!(found, wanted, "{write}");
        assert!(!certificate.to_string().to_lowercase().contains("sandelin"), "{write}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_undoes_everything_where_the_policy_says_so() {
    let database = hotel();
    database.run("UPDATE stays SET note = 'sea, Ylva Sandelin' WHERE id = 1");
    let Outcome::Blocked { reason, .. } = erase(&database, "leftovers = 'block'").await else {
        panic!("it was erased")
    };
    assert!(reason.contains("stay.note of record 1 stays and still holds a value"), "{reason}");
    assert!(!reason.contains("Sandelin"), "{reason}");
    assert_eq!(database.lines("SELECT name FROM guests WHERE id = 7"), ["Ylva Sandelin"]);
    database.run("UPDATE stays SET note = 'sea' WHERE id = 1");
    let outcome = erase(&database, "leftovers = 'block'").await;
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
}
