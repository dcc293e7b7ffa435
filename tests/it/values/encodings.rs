//! Encoded texts in a database: they are searched in decoded form, and every byte outside a mention stays the same.

use relinquish::anonymise::Seed;
use relinquish::data_map::{Encoding, Fact, Field, Kind, Record, RecordClass};
use relinquish::store::{EraseRequest, Erased, MemoryRepository, Target};
use relinquish::{Customer, CustomerStore, DataMap, MemoryStore, PolicyDocument, SqlMap, SqliteStore};

use crate::hosts;

const POLICY: &str = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
    guards = { active_subscription = { ignore = 'a' }, several_tenants = { ignore = 'a' }, not_archived = { ignore = 'a' } }\n\
    anonymise.name = 'remove'\nanonymise.free_text = { redact = '<gone>' }\n\
    treatments.t = { customer = 'anonymise', note = 'anonymise' }";

/// A column, a text in it, and what is left of the text.
const TEXTS: [(&str, &str, &str); 4] = [
    (
        "page",
        "<p title=\"&Aring;kerblad\">Bj&#246;rn &Aring;kerblad &amp; s&ouml;n</p>",
        "<p title=\"&lt;gone&gt;\">&lt;gone&gt; &amp; s&ouml;n</p>",
    ),
    ("mail", "Hej Bj=C3=B6rn =C3=\r\n=85kerblad, v=C3=A4lkommen=\r\n.", "Hej <gone>, v=C3=A4lkommen=\r\n."),
    ("body", "Bj&ouml;rn =C3=85kerblad", "Bj&ouml;rn =C3=85kerblad"),
    ("body", "a:1:{s:2:\"by\";s:16:\"Björn Åkerblad\";}", "a:1:{s:2:\"by\";s:6:\"<gone>\";}"),
];

async fn erase(store: &dyn CustomerStore) {
    let policy = PolicyDocument::from_toml(POLICY).unwrap().check(store.data_map());
    let treatment = policy.unwrap_or_else(|problems| panic!("{problems}")).treatments()["t"].clone();
    let facts = store.facts(&["1".into()]).await.unwrap();
    let targets = facts.iter().map(|facts| Target {
        customer: facts.id.clone(),
        tenant: facts.tenant.clone(),
        expected: facts.expected(),
    });
    let request = EraseRequest::new(targets.collect(), treatment, Seed::new([7; 32]), hosts::now());
    for erased in store.erase(&request).await.unwrap() {
        assert!(matches!(erased, Ok(Erased::Done(_))), "{erased:?}");
    }
}

const MAP: &str = "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = { is = 'us' }\n\
    status = { column = 'state', active = 'active', archived = 'archived' }\ndeactivate = { state = 'archived' }\n\
    [customers.fields]\nname = 'name'\n[records.note]\ntable = 'notes'\nkey = 'id'\nowner = 'person'\n\
    [records.note.fields]\nbody = 'free_text'\npage = { kind = 'free_text', encoding = 'html' }\n\
    mail = { kind = 'free_text', encoding = 'quoted_printable' }";

#[tokio::test]
async fn an_encoded_text_is_searched_decoded_and_stays_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.sqlite");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, state TEXT, name TEXT);
             INSERT INTO people VALUES (1, 'archived', 'Björn Åkerblad');
             CREATE TABLE notes (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people, body TEXT, page TEXT, mail TEXT);",
        )
        .unwrap();
    for (n, (column, text, _)) in TEXTS.iter().enumerate() {
        let sql = format!("INSERT INTO notes (id, person, {column}) VALUES (?1, 1, ?2)");
        connection.execute(&sql, rusqlite::params![i64::try_from(n).unwrap(), text]).unwrap();
    }
    erase(&SqliteStore::open(&path, &SqlMap::from_toml(MAP).unwrap()).unwrap()).await;
    for (n, (column, text, wanted)) in TEXTS.iter().enumerate() {
        let sql = format!("SELECT {column} FROM notes WHERE id = {n}");
        let left: String = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(left, *wanted, "{text}");
    }
}

#[tokio::test]
async fn the_same_record_by_record() {
    let map = DataMap::builder(
        RecordClass::new("customer")
            .field(Field::key("id").token_part())
            .field(Field::personal("name", Kind::Name)),
    )
    .class(
        RecordClass::new("note")
            .field(Field::key("id"))
            .field(Field::personal("body", Kind::FreeText))
            .field(Field::personal("page", Kind::FreeText).encoded(Encoding::Html))
            .field(Field::personal("mail", Kind::FreeText).encoded(Encoding::QuotedPrintable))
            .needs_owner(),
    )
    .knows(Fact::ActiveSubscriptions)
    .knows(Fact::Status)
    .build()
    .unwrap();
    let repository = MemoryRepository::new(map);
    let own = Record::new("customer", "1").with("id", "1").with("name", "Björn Åkerblad");
    let notes = TEXTS.iter().enumerate().map(|(n, (column, text, _))| {
        Record::new("note", n.to_string()).with("id", n.to_string()).with(*column, *text)
    });
    repository.insert(Customer::new("1", "us"), std::iter::once(own).chain(notes).collect());
    let store = MemoryStore::new(repository);
    erase(&store).await;
    let records = store.repository().records(&"1".into());
    for (n, (column, text, wanted)) in TEXTS.iter().enumerate() {
        let record = records.iter().find(|record| {
            record.class.as_str() == "note" && record.get("id").as_text() == Some(&n.to_string())
        });
        assert_eq!(record.unwrap().get(column).as_text(), Some(*wanted), "{text}");
    }
}

#[test]
fn an_encoding_is_one_that_is_known_and_of_a_text() {
    for (from, to, wanted) in [
        ("encoding = 'html'", "encoding = 'htlm'", "html"),
        ("kind = 'free_text', encoding = 'html'", "kind = 'email', encoding = 'html'", "searched"),
    ] {
        let problems = SqlMap::from_toml(&MAP.replace(from, to)).unwrap_err().to_string();
        assert!(problems.contains("page.encoding") && problems.contains(wanted), "{problems}");
    }
}
