//! Detectors of a policy: what they find is removed from texts, whoever it belongs to.

use std::collections::BTreeSet;

use proptest::prelude::*;
use relinquish::anonymise::Strategy as Anonymise;
use relinquish::anonymise::text::{Detector, Matcher, detect};
use relinquish::customer::Identifiers;
use relinquish::data_map::{Encoding, Fact, Field, Kind, Record, RecordClass};
use relinquish::engine::EngineBuilder;
use relinquish::ledger::{MemoryKeyRing, TokenKey};
use relinquish::store::MemoryRepository;
use relinquish::testing::ManualClock;
use relinquish::{
    Asked, Customer, CustomerStore, DataMap, Engine, MemoryLedger, MemoryStore, Outcome, Planned,
    PolicyDocument, SqlMap, SqliteStore,
};

use crate::hosts::{self, BuildCounted as _, approved, plan};

const NOTE: &str =
    "Maud Ashworth called; pay GB29 NWBK 6016 1331 9268 19 and tell bob@example.org, not 020 7946 0018.";
const LOG: &str =
    r#"{"v":1.0,"bob@example.org":["Maud Ashworth","to DE89370400440532013000"],"card":4111111111111111}"#;

fn policy(rule: &str) -> PolicyDocument {
    PolicyDocument::from_toml(&format!(
        "version = 1\nsweep = false\ntriggers.requested = {{ treatment = 't' }}\n\
         guards.active_subscription = {{ ignore = 'none is sold' }}\nguards.several_tenants = {{ ignore = 'one tenant' }}\n\
         guards.not_archived = {{ ignore = 'archived first' }}\n\
         anonymise = {{ name = 'remove', free_text = {rule}, x_v = {{ keep = 'a version' }} }}\ntreatments.t.customer = 'anonymise'"
    ))
    .unwrap_or_else(|problems| panic!("{problems}"))
}

fn builder(store: impl CustomerStore, rule: &str) -> EngineBuilder {
    let keys = MemoryKeyRing::new(TokenKey::new([42; 32]));
    Engine::builder(store, policy(rule), MemoryLedger::new(), keys).clock(ManualClock::at(hosts::now()))
}

fn sqlite(folder: &std::path::Path) -> SqliteStore {
    let path = folder.join("people.sqlite");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, state TEXT, name TEXT, note TEXT, log TEXT)",
        )
        .unwrap();
    let insert = "INSERT INTO people VALUES (1, 'active', 'Maud Ashworth', ?1, ?2)";
    connection.execute(insert, [NOTE, LOG]).unwrap();
    let map = "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = { is = 'us' }\n\
        status = { column = 'state', active = 'active', archived = 'archived' }\ndeactivate = { state = 'archived' }\n\
        fields = { name = 'name', note = 'free_text', log = { json = { '/v' = 'x_v' }, rest = 'free_text' } }";
    SqliteStore::open(path, &SqlMap::from_toml(map).unwrap()).unwrap()
}

/// Two former bugs: a number in a column of numbers that identifies a person was not searched, and text stored as
/// bytes was skipped. The certificate said that both were done.
#[tokio::test]
async fn numbers_of_number_columns_are_looked_for_and_bytes_that_are_text_are_searched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.sqlite");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, state TEXT, phone INTEGER, pnr NUMERIC, note TEXT);
             INSERT INTO people VALUES (1, 'active', 442079460018, 198112189876, 'tel. +44 20 7946 0018, pnr 19811218-9876');
             INSERT INTO people VALUES (2, 'active', 442079460018, NULL, CAST('tel. 020 7946 0018' AS BLOB))",
        )
        .unwrap();
    let map = "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = { is = 'us' }\n\
        status = { column = 'state', active = 'active', archived = 'archived' }\ndeactivate = { state = 'archived' }\n\
        fields = { phone = 'phone', pnr = 'national_id', note = 'free_text' }";
    let store = SqliteStore::open(&path, &SqlMap::from_toml(map).unwrap()).unwrap();
    let policy = PolicyDocument::from_toml(
        "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
         guards.active_subscription = { ignore = 'none is sold' }\nguards.several_tenants = { ignore = 'one tenant' }\n\
         guards.not_archived = { ignore = 'archived first' }\n\
         anonymise = { phone = 'clear', national_id = 'clear', free_text = { redact = '[x]' } }\ntreatments.t.customer = 'anonymise'",
    )
    .unwrap_or_else(|problems| panic!("{problems}"));
    let keys = MemoryKeyRing::new(TokenKey::new([42; 32]));
    let builder =
        Engine::builder(store, policy, MemoryLedger::new(), keys).clock(ManualClock::at(hosts::now()));
    let engine = builder.counted().unwrap();
    for id in ["1", "2"] {
        let outcome = engine.erase(approved(&engine, &id.into(), &Asked::request()).await).await.unwrap();
        assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    }
    let left: Vec<(String, String)> = connection
        .prepare("SELECT typeof(note), CAST(note AS TEXT) FROM people ORDER BY id")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let wanted = [("text", "tel. [x], pnr [x]"), ("blob", "tel. [x]")];
    assert_eq!(left, wanted.map(|(of, text)| (of.to_owned(), text.to_owned())));
}

fn memory() -> MemoryStore {
    let class = RecordClass::new("customer")
        .field(Field::key("id").token_part())
        .field(Field::personal("name", Kind::Name))
        .field(Field::personal("note", Kind::FreeText))
        .field(Field::personal("log", Kind::FreeText).json());
    let map = DataMap::builder(class).knows(Fact::ActiveSubscriptions).knows(Fact::Status).build().unwrap();
    let repository = MemoryRepository::new(map);
    let record = Record::new("customer", "1").with("id", "1").with("name", "Maud Ashworth");
    repository.insert(Customer::new("1", "us"), vec![record.with("note", NOTE).with("log", LOG)]);
    MemoryStore::new(repository)
}

const ALSO: &str = "{ redact = '[x]', also = ['email', 'iban', 'card'] }";
/// The card number in the document is a number, and becomes a text.
const NOTE_LEFT: &str = "[x] called; pay [x] and tell [x], not 020 7946 0018.";
const LOG_LEFT: &str = r#"{"v":1.0,"[x]":["[x]","to [x]"],"card":"[x]"}"#;

#[tokio::test]
async fn what_the_detectors_find_goes_too_in_columns_and_documents_and_by_record() {
    let folder = tempfile::tempdir().unwrap();
    let engine = builder(sqlite(folder.path()), ALSO).counted().unwrap();
    let shown = plan(&engine, &"1".into(), &Asked::request()).await.to_string();
    assert!(shown.contains("mentions replaced by \"[x]\", and what looks like email, iban, card"), "{shown}");
    let outcome = engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    let connection = rusqlite::Connection::open(folder.path().join("people.sqlite")).unwrap();
    let read = || -> (String, String) {
        connection
            .query_row("SELECT note, log FROM people", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
    };
    assert_eq!(read(), (NOTE_LEFT.to_owned(), LOG_LEFT.to_owned()));
    let again = engine.plan(&"1".into(), &Asked::request()).await.unwrap();
    assert!(matches!(again, Planned::Nothing(_)), "there is nothing left to do");

    // If such a value is written later, the customer is due again, even without a name.
    for (column, text) in [("note", "or carol@example.org"), ("log", r#"["GB29NWBK60161331926819"]"#)] {
        connection.execute(&format!("UPDATE people SET {column} = ?1"), [text]).unwrap();
        let again = engine.plan(&"1".into(), &Asked::request()).await.unwrap();
        assert!(matches!(again, Planned::Plan(_)), "{column}");
        connection.execute(&format!("UPDATE people SET {column} = NULL"), []).unwrap();
    }

    let store = std::sync::Arc::new(memory());
    let engine = builder(std::sync::Arc::clone(&store), ALSO).counted().unwrap();
    let outcome = engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    let record = store.repository().records(&"1".into()).remove(0);
    assert_eq!(
        (record.get("note").as_text(), record.get("log").as_text()),
        (Some(NOTE_LEFT), Some(LOG_LEFT))
    );
    assert!(matches!(engine.plan(&"1".into(), &Asked::request()).await.unwrap(), Planned::Nothing(_)));
}

#[tokio::test]
async fn without_the_word_they_are_advisory_and_what_is_not_the_customers_stays() {
    let store = std::sync::Arc::new(memory());
    let engine = builder(std::sync::Arc::clone(&store), "{ redact = '[x]' }").counted().unwrap();
    engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap();
    let note = store.repository().records(&"1".into()).remove(0).get("note").as_text().unwrap().to_owned();
    assert_eq!(note, NOTE.replace("Maud Ashworth", "[x]"));
}

#[test]
fn a_detector_that_there_is_not_is_refused_with_its_path_and_the_nearest_name() {
    for (rule, wanted) in [
        (
            "{ redact = 'x', also = ['emial'] }",
            "anonymise.free_text.also: emial: there is no such detector; did you mean email?",
        ),
        ("{ redact = 'x', also = [] }", "anonymise.free_text.also"),
        ("{ redact = 'x', also = 'ibann' }", "did you mean iban?"),
        ("{ redact = 'x', als = 'iban' }", "did you mean also?"),
        ("{ also = 'iban' }", "anonymise.free_text"),
        ("{ redact = 'x', names = 'sure' }", "anonymise.free_text.names: is not \"certain\""),
        (
            "{ redact = 'a@b.co', also = ['iban', 'email'] }",
            "anonymise.free_text.redact: would be taken for something that email finds, again and again",
        ),
    ] {
        let text = format!("version = 1\nsweep = false\ntriggers = {{}}\nanonymise.free_text = {rule}");
        let problems = PolicyDocument::from_toml(&text).unwrap_err().to_string();
        assert!(problems.contains(wanted), "{rule}: {problems}");
    }
    policy("{ redact = 'a@b.co', also = 'iban' }");
}

fn redacting(with: &str, also: BTreeSet<Detector>, max_chars: Option<u32>) -> Anonymise {
    Anonymise::Redact {
        with: with.to_owned(),
        max_chars,
        also,
        names_alone: false,
        encoding: Encoding::Plain,
    }
}

/// An uncertain mention stays and is counted, unless a detector removes it too.
#[test]
fn a_mention_that_goes_with_an_address_is_not_counted_as_uncertain() {
    let mut maud = Identifiers::new();
    maud.insert(Kind::Name, "Maud Ashworth");
    let matcher = Matcher::new([&maud]).unwrap();
    let text = "maud.ashworth@example.org wrote to Maud";
    let count = |also: BTreeSet<Detector>| redacting("[x]", also, None).uncertain(text, &matcher);
    assert_eq!((count(BTreeSet::new()), count(BTreeSet::from([Detector::Email]))), (3, 1));
}

#[test]
fn a_policy_may_say_that_a_name_alone_is_certain() {
    let mut maud = Identifiers::new();
    maud.insert(Kind::Name, "Grace Marsh");
    let matcher = Matcher::new([&maud]).unwrap();
    let says = |names_alone| Anonymise::Redact {
        with: "[x]".to_owned(),
        max_chars: None,
        also: BTreeSet::new(),
        names_alone,
        encoding: Encoding::Plain,
    };
    let text = "Grace called, with grace. Grace Kelly did not.";
    assert_eq!(says(false).redact(text, &matcher), None);
    assert_eq!(
        says(true).redact(text, &matcher).as_deref(),
        Some("[x] called, with grace. Grace Kelly did not.")
    );
    assert_eq!(says(true).uncertain(text, &matcher), 1);
    let document = policy("{ redact = '[x]', names = 'certain' }");
    assert!(format!("{document:?}").contains("names_alone: true"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the replacement is, and whatever is next to it then: nothing is left that would be found, a second
    /// run changes nothing, and a text without a finding stays the same.
    #[test]
    fn nothing_is_left_that_would_be_found(
        parts in prop::collection::vec(prop::sample::select(vec![
            "maud@x.org", "a@b.co@d.com", "GB29 NWBK 6016 1331 9268 19", "WILL", " ", "-", ".", "0", "4111", "4111 1111 1111 1111",
            "811218-9876", "+46 70 123 45 67", "203.0.113.7", "::1", "2001:db8::", "AB123456C", "86095742719", "x", "Å", "@",
        ]), 0..12),
        with in prop::sample::select(vec!["[removed]", "", "x", "0", "@", "a.b", "1111", "*", ":"]),
        also in prop::sample::subsequence(Detector::ALL.to_vec(), 1..=8),
        max_chars in prop::option::of(1..60_u32),
    ) {
        let text = parts.concat();
        let also: BTreeSet<Detector> = also.into_iter().collect();
        let strategy = redacting(with, also.clone(), max_chars);
        let nobody = Matcher::new([]).unwrap();
        let redacted = strategy.redact(&text, &nobody);
        let left = redacted.as_deref().unwrap_or(&text);
        prop_assert!(strategy.holds(&left.into()), "{left}");
        prop_assert_eq!(strategy.redact(left, &nobody), None);
        prop_assert!(detect(left).iter().all(|found| !also.contains(&found.detector)), "{}", left);
        prop_assert_eq!(redacted.is_some(), !strategy.holds(&text.as_str().into()));
    }
}
