//! Mentions that may mean the customer but are not certain: plan and certificate count them, and they are never
//! replaced.

use std::path::Path;
use std::sync::Arc;

use relinquish::data_map::{Fact, Field, Kind, Record, RecordClass};
use relinquish::ledger::{Ledger, MemoryKeyRing, TokenKey};
use relinquish::store::{ListUncertain, MemoryRepository, RecordStore as _, TallyRequest};
use relinquish::testing::{Faulty, ManualClock};
use relinquish::{
    Asked, Certificate, Customer, CustomerStore, DataMap, Engine, MemoryLedger, MemoryStore, Outcome,
    PolicyDocument, SqlMap, SqliteLedger, SqliteStore,
};

use crate::hosts::ResumeAll as _;
use crate::hosts::{self, BuildCounted as _, approved, plan};
use crate::wired::{NEVER, Tripwire, until_death};

const POLICY: &str = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
    guards.active_subscription = { ignore = 'none is sold' }\nguards.several_tenants = { ignore = 'one tenant' }\n\
    guards.not_archived = { ignore = 'archived first' }\n\
    anonymise = { name = 'remove', free_text = 'redact' }\n\
    treatments.t = { customer = 'anonymise', note = 'anonymise' }";

const MAP: &str = "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = { is = 'us' }\n\
    status = { column = 'state', active = 'active', archived = 'archived' }\n\
    deactivate = { state = 'archived' }\nfields = { name = 'name' }\n\
    [records.note]\ntable = 'notes'\nkey = 'id'\nowner = 'person'\n\
    fields = { body = 'free_text', meta = { json = { '/said' = 'free_text' }, rest = 'not personal' } }";

/// The owner, the text, and the other values of the record.
const NOTES: [(i64, &str, Option<&str>); 5] = [
    (1, "With Grace and patience it Will be settled.", None),
    (1, "Grace Will called.", Some(r#"{"said":"by the Grace of God","by":"Grace"}"#)),
    (1, "Nobody was mentioned.", None),
    (2, "With Grace, too.", None),
    (1, "Ms Will, Grace, and then Grace again: Good Grace.", None),
];

fn create(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, state TEXT, name TEXT);
             CREATE TABLE notes (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people, body TEXT, meta TEXT);
             INSERT INTO people VALUES (1, 'active', 'Grace Will'), (2, 'active', 'Olle Bergqvist');",
        )
        .unwrap();
    for (person, body, meta) in NOTES {
        let sql = "INSERT INTO notes (person, body, meta) VALUES (?1, ?2, ?3)";
        connection.execute(sql, rusqlite::params![person, body, meta]).unwrap();
    }
}

fn bodies(path: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut read = connection.prepare("SELECT body FROM notes ORDER BY id").unwrap();
    let rows = read.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn sqlite(path: &Path) -> SqliteStore {
    SqliteStore::open(path, &SqlMap::from_toml(MAP).unwrap()).unwrap()
}

fn memory() -> MemoryStore {
    let note = RecordClass::new("note")
        .field(Field::key("id"))
        .field(Field::personal("body", Kind::FreeText))
        .needs_owner();
    let customer =
        RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name));
    let map = DataMap::builder(customer).class(note).knows(Fact::ActiveSubscriptions).knows(Fact::Status);
    let repository = MemoryRepository::new(map.build().unwrap());
    let notes = (1..).zip(NOTES).filter(|(_, note)| note.0 == 1);
    let notes = notes.map(|(id, note)| {
        Record::new("note", format!("{id}")).with("id", format!("{id}")).with("body", note.1)
    });
    let own = Record::new("customer", "1").with("id", "1").with("name", "Grace Will");
    repository.insert(Customer::new("1", "us"), std::iter::once(own).chain(notes).collect());
    MemoryStore::new(repository)
}

fn engine(store: impl CustomerStore) -> Engine {
    let keys = MemoryKeyRing::new(TokenKey::new([42; 32]));
    Engine::builder(store, PolicyDocument::from_toml(POLICY).unwrap(), MemoryLedger::new(), keys)
        .clock(ManualClock::at(hosts::now()))
        .counted()
        .unwrap()
}

fn in_body(certificate: &Certificate) -> Option<u64> {
    certificate.uncertain().get("note")?.get("body").copied()
}

#[tokio::test]
async fn plan_and_certificate_count_what_is_not_certain_and_it_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.sqlite");
    create(&path);
    for (engine, has_json) in [(engine(sqlite(&path)), true), (engine(memory()), false)] {
        let drafted = plan(&engine, &"1".into(), &Asked::request()).await;
        let shown = drafted.to_string();
        assert!(
            shown.contains("4 mentions are not certain to mean this person, and not replaced: look there"),
            "{shown}"
        );
        assert_eq!(shown.contains("1 mention is not certain"), has_json, "{shown}");
        let json = drafted.to_json();
        assert_eq!(json["records"][1]["uncertain_mentions"]["body"], 4, "{json}");
        assert!(!shown.to_lowercase().contains("grace"), "counts, and no words: {shown}");
        let outcome = engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap();
        let Outcome::Erased(certificate) = outcome else { panic!("{outcome}") };
        assert_eq!(in_body(&certificate), Some(4));
        let shown = certificate.to_string();
        assert!(shown.contains("mentions   in note.body 4 mentions are not certain"), "{shown}");
        assert!(serde_json::to_string(&*certificate).unwrap().contains("\"uncertain_mentions\":{\"note\":{"));
    }
    let left = bodies(&path);
    assert_eq!(left[0], NOTES[0].1, "not replaced");
    assert_eq!(left[1], "[erased] called.");
    assert_eq!(left[3], NOTES[3].1, "somebody else's");
    assert_eq!(left[4], "Ms [erased], and then Grace again: Good Grace.");
}

/// The record-by-record store gives the same counts as SQLite: a JSON document is decoded before the mentions are
/// counted, however it is spelled.
#[tokio::test]
async fn mentions_in_documents_of_a_host_with_its_own_repository_are_counted_too() {
    let note = RecordClass::new("note")
        .field(Field::key("id"))
        .field(Field::personal("meta", Kind::FreeText).json())
        .needs_owner();
    let customer =
        RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name));
    let map = DataMap::builder(customer).class(note).knows(Fact::ActiveSubscriptions).knows(Fact::Status);
    let repository = MemoryRepository::new(map.build().unwrap());
    let own = Record::new("customer", "1").with("id", "1").with("name", "Grace Will");
    let meta = r#"{"said":"by the Gr\u0061ce of God, with Grace","by":["Gr\u0061ce"]}"#;
    let note = Record::new("note", "1").with("id", "1").with("meta", meta);
    repository.insert(Customer::new("1", "us"), vec![own, note]);
    let drafted = plan(&engine(MemoryStore::new(repository)), &"1".into(), &Asked::request()).await;
    let json = drafted.to_json();
    assert_eq!(json["records"][1]["uncertain_mentions"]["meta"], 3);
}

/// A word that the treatment itself writes over a name identifies nobody. If the customer is treated again, this word
/// is not searched.
#[tokio::test]
async fn nobody_is_looked_for_by_what_stands_in_place_of_their_name() {
    let policy = POLICY.replace("name = 'remove'", "name = { constant = 'Gregory Peckover' }");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.sqlite");
    create(&path);
    let people = [
        ("1", "Grace Will", "Grace Will called."),
        ("2", "Gregory Peckover", "Gregory Peckover called Olle."),
    ];
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("DELETE FROM notes; DELETE FROM people").unwrap();
    let customer =
        RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name));
    let note = RecordClass::new("note")
        .field(Field::key("id"))
        .field(Field::personal("body", Kind::FreeText))
        .needs_owner();
    let map = DataMap::builder(customer).class(note).knows(Fact::ActiveSubscriptions).knows(Fact::Status);
    let repository = MemoryRepository::new(map.build().unwrap());
    for (id, name, body) in people {
        connection.execute("INSERT INTO people VALUES (?1, 'active', ?2)", [id, name]).unwrap();
        connection.execute("INSERT INTO notes (person, body) VALUES (?1, ?2)", [id, body]).unwrap();
        let own = Record::new("customer", id).with("id", id).with("name", name);
        let note = Record::new("note", id).with("id", id).with("body", body);
        repository.insert(Customer::new(id, "us"), vec![own, note]);
    }
    let stores: [Arc<dyn CustomerStore>; 2] =
        [Arc::new(sqlite(&path)), Arc::new(MemoryStore::new(repository))];
    for store in stores {
        let keys = MemoryKeyRing::new(TokenKey::new([42; 32]));
        let document = PolicyDocument::from_toml(&policy).unwrap();
        let engine = Engine::builder(store, document, MemoryLedger::new(), keys);
        let engine = engine.clock(ManualClock::at(hosts::now())).counted().unwrap();
        for (id, due) in [("1", 1), ("2", 0)] {
            let drafted = plan(&engine, &id.into(), &Asked::request()).await;
            assert_eq!(drafted.tally().classes["note"].due, due, "{id}: {drafted}");
        }
    }
}

/// When the customer's own values are gone, the mentions cannot be found any more. So they are recorded before, and a
/// crash loses nothing.
#[tokio::test]
async fn a_crash_does_not_lose_what_is_not_certain() {
    let mut deaths = 0;
    for dies_at in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let (path, ledger) = (folder.path().join("people.sqlite"), folder.path().join("ledger.sqlite"));
        create(&path);
        let engine = |wire: &Arc<Tripwire>| {
            let store = Faulty::new(sqlite(&path), Arc::clone(wire));
            let book = Faulty::new(SqliteLedger::open(&ledger).unwrap(), Arc::clone(wire));
            let keys = crate::hosts::keys_beside(&ledger);
            Engine::builder(store, PolicyDocument::from_toml(POLICY).unwrap(), book, keys)
                .clock(ManualClock::at(hosts::now()))
                .build()
                .unwrap()
        };
        let calm = Tripwire::at(NEVER);
        engine(&calm).ensure_census().await.unwrap();
        let approved = approved(&engine(&calm), &"1".into(), &Asked::request()).await;
        let wire = Tripwire::at(dies_at);
        let survived = until_death(&wire, engine(&wire).erase(approved)).await.is_some();
        deaths += usize::from(!survived);
        engine(&calm).resumed().await;
        let book = SqliteLedger::open(&ledger).unwrap();
        for entry in book.entries(0, 10).await.unwrap() {
            let Some(closed) = entry.closed() else { continue };
            let case = &closed.case;
            let certificate = Certificate::read(&book, case).await.unwrap().unwrap();
            assert_eq!(in_body(&certificate), Some(4), "died at {dies_at}");
        }
        if survived {
            break;
        }
    }
    assert!(deaths > 10, "{deaths}");
}

/// A former bug: a person who had to check the mentions could not see in which records they are.
#[tokio::test]
async fn mentions_that_are_not_certain_are_listed_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.sqlite");
    create(&path);
    let stores: [(Arc<dyn ListUncertain>, DataMap); 2] = {
        let (sqlite, memory) = (sqlite(&path), memory());
        let maps = (sqlite.data_map().clone(), memory.data_map().clone());
        [(Arc::new(sqlite), maps.0), (Arc::new(memory), maps.1)]
    };
    for ((store, map), has_json) in stores.into_iter().zip([true, false]) {
        let policy = PolicyDocument::from_toml(POLICY).unwrap().check(&map).unwrap();
        let request = TallyRequest::new(
            vec!["1".into(), "2".into(), "9".into()],
            Arc::clone(&policy.treatments()["t"]),
        );
        let mut answers = store.list_uncertain(&request.at(hosts::now())).await.unwrap().into_iter();
        let listed: Vec<(String, String, u64)> = answers
            .next()
            .unwrap()
            .unwrap()
            .iter()
            .map(|at| (at.key.as_str().to_owned(), format!("{}.{}", at.class, at.field), at.mentions))
            .collect();
        let row = |key: &str, field: &str, mentions| (key.to_owned(), format!("note.{field}"), mentions);
        let mut wanted = vec![row("1", "body", 2), row("2", "meta/said", 1), row("5", "body", 2)];
        wanted.retain(|(_, field, _)| has_json || field == "note.body");
        assert_eq!(listed, wanted);
        for nothing in answers {
            assert_eq!(nothing.unwrap(), []);
        }
    }
}
