//! A duty defers texts until the customer's own values are gone, so nobody can be searched for. When the duty ends,
//! each text is treated as a whole, and only once.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use relinquish::data_map::{Fact, Field, Kind, Record, RecordClass, Value};
use relinquish::engine::Clock;
use relinquish::store::MemoryRepository;
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::{
    Approval, Asked, Customer, CustomerStore, DataMap, Decision, Engine, MemoryLedger, MemoryStore, Outcome,
    Planned, PolicyDocument, RecordStore, SqlMap, SqliteStore,
};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::hosts::{self, BuildCounted as _};

const SCHEMA: &str = r#"
    CREATE TABLE firms (id INTEGER PRIMARY KEY, name TEXT, email TEXT NOT NULL UNIQUE);
    CREATE TABLE staff (id INTEGER PRIMARY KEY, firm INTEGER NOT NULL REFERENCES firms, full_name TEXT);
    CREATE TABLE bills (id INTEGER PRIMARY KEY, firm INTEGER NOT NULL REFERENCES firms, booked_on TEXT NOT NULL,
                        buyer TEXT NOT NULL, line TEXT, note TEXT NOT NULL, data TEXT);
    INSERT INTO firms VALUES (7, 'Ylva Sandelin', 'ylva@example.org'), (8, 'Nils Tornqvist', 'nils@example.org');
    INSERT INTO staff VALUES (1, 7, 'Tuvalina Wikandersson');
    INSERT INTO bills VALUES
        (1, 7, '2024-05-01', 'Ylva Sandelin', 'Seat for Tuvalina Wikandersson', 'Call Ylva Sandelin', '{"v":1.0,"said":"Tuvalina","x":"Wikandersson"}'),
        (2, 7, '2010-05-01', 'Ylva Sandelin', 'Old seat for Tuvalina Wikandersson', 'Nothing', '{"said":"Ylva Sandelin","x":1}'),
        (3, 7, '2028-05-01', 'Ylva Sandelin', NULL, 'Call Tuvalina Wikandersson', NULL),
        (4, 8, '2024-05-01', 'Nils Tornqvist', 'Seat for Nils', 'Call Tuvalina Wikandersson', NULL);"#;

const MAP: &str = "version = 1\n[customers]\ntable = 'firms'\nkey = 'id'\ntenant = { is = 'shop' }\n\
    status = { sql = \"'active'\", active = 'active' }\ndeactivate = { none = 'no such status' }\n\
    fields = { name = 'name', email = 'email' }\n\
    [records.user]\ntable = 'staff'\nkey = 'id'\nowner = 'firm'\nfields.full_name = 'name'\n\
    [records.bill]\ntable = 'bills'\nkey = 'id'\nowner = 'firm'\n\
    fields = { booked_on = 'not personal', buyer = 'name', line = 'free_text', note = 'free_text',\n\
    data = { json = { '/said' = 'free_text' }, rest = 'not personal' } }";

fn policy(bill: &str) -> String {
    format!(
        "version = 1\nsweep = true\ntriggers.requested = {{ treatment = 't' }}\n\
         guards.active_subscription = {{ ignore = 'none is sold' }}\nguards.not_archived = {{ ignore = 'none' }}\n\
         guards.several_tenants = {{ ignore = 'one' }}\n\
         [duties.books]\nclasses = ['bill']\nstatute = 'SE/BFL/7:2'\nfrom = 'booked_on'\n\
         [anonymise]\nname = 'remove'\nemail = 'token'\nfree_text = 'redact'\n\
         [treatments.t]\ncustomer = 'anonymise'\nuser = 'anonymise'\nbill = {bill}\n"
    )
}

struct World<S> {
    engine: Engine,
    clock: Arc<ManualClock>,
    store: Arc<S>,
    folder: TempDir,
}

fn world<S: CustomerStore>(store: impl FnOnce(&TempDir) -> S, policy: &str) -> World<S> {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(store(&folder));
    let clock = Arc::new(ManualClock::at(at("2026-11-28")));
    let policy = PolicyDocument::from_toml(policy).unwrap();
    let engine = Engine::builder(Arc::clone(&store), policy, MemoryLedger::new(), hosts::keys())
        .clock(Arc::clone(&clock))
        .entropy(RepeatableEntropy::new(1))
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"));
    World { engine, clock, store, folder }
}

fn sqlite(folder: &TempDir) -> SqliteStore {
    let path = folder.path().join("shop.sqlite");
    Connection::open(&path).unwrap().execute_batch(SCHEMA).unwrap();
    SqliteStore::open(path, &SqlMap::from_toml(MAP).unwrap()).unwrap()
}

fn at(day: &str) -> DateTime<Utc> {
    format!("{day}T12:00:00Z").parse().unwrap()
}

impl<S> World<S> {
    /// Plans and erases. Returns the text of the plan, or why there is none.
    async fn go(&self, day: &str, asked: &Asked) -> Result<String, Decision> {
        self.clock.turn(at(day) - self.clock.now());
        match self.engine.plan(&"7".into(), asked).await.unwrap() {
            Planned::Plan(plan) => {
                let said = plan.to_string();
                let now = self.clock.now();
                let approval =
                    Approval::new("op-7", [plan.tenant().clone()], plan.digest(), now, TimeDelta::hours(1));
                let outcome = self.engine.erase(plan.approve(approval).unwrap()).await.unwrap();
                assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
                Ok(said)
            }
            no_plan => Err(no_plan.decision()),
        }
    }

    /// The line, the note and the data of a bill.
    fn bill(&self, id: i64) -> [String; 3] {
        let database = Connection::open(self.folder.path().join("shop.sqlite")).unwrap();
        let sql = "SELECT coalesce(line, 'NULL'), note, coalesce(data, 'NULL') FROM bills WHERE id = ?1";
        database.query_row(sql, [id], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?])).unwrap()
    }
}

/// A former bug: the names in a text that a duty had deferred stayed for ever. When the duty ended, the values to
/// search for were gone.
#[tokio::test]
async fn a_text_that_a_duty_deferred_is_treated_as_a_whole_when_nobody_can_be_looked_for() {
    let world = world(sqlite, &policy("'anonymise'"));
    let (first, third, others) = (world.bill(1), world.bill(3), world.bill(4));
    let said = world.go("2026-11-28", &Asked::request()).await.unwrap();
    assert!(said.contains("when nobody can be looked for any more"), "{said}");
    assert_eq!((world.bill(1), world.bill(3)), (first, third.clone()), "the duty keeps them");
    let redacted = ["Old seat for [erased]", "Nothing", r#"{"said":"[erased]","x":1}"#].map(str::to_owned);
    assert_eq!(world.bill(2), redacted, "it was searched");
    // Nothing is due on any day while the duty lasts.
    for day in ["2026-11-29", "2031-12-31"] {
        world.go(day, &Asked::Sweep).await.unwrap_err();
    }
    world.go("2032-01-01", &Asked::Sweep).await.unwrap();
    let [line, note, data] = world.bill(1);
    assert_eq!(line, "NULL");
    assert!(note.starts_with("Anonymised 2032-01-01"));
    // The rest of a document stays, byte for byte.
    assert_eq!(data, r#"{"v":1.0,"said":null,"x":"Wikandersson"}"#);
    assert_eq!(world.bill(2), redacted, "what was searched stays as it was");
    assert_eq!((world.bill(3), world.bill(4)), (third, others.clone()));
    let done = world.bill(1);
    for day in ["2032-01-02", "2035-12-31"] {
        world.go(day, &Asked::Sweep).await.unwrap_err();
    }
    world.go("2036-01-01", &Asked::Sweep).await.unwrap();
    assert_eq!(world.bill(3)[0], "NULL");
    assert!(world.bill(3)[1].starts_with("Anonymised 2036-01-01"));
    assert_eq!((world.bill(1), world.bill(2), world.bill(4)), (done, redacted, others));
    world.go("2040-01-01", &Asked::Sweep).await.unwrap_err();
}

#[tokio::test]
async fn the_policy_says_what_becomes_of_it() {
    let world = world(sqlite, &policy("{ action = 'anonymise', after_duty = { constant = 'see archive' } }"));
    world.go("2026-11-28", &Asked::request()).await.unwrap();
    world.go("2032-01-01", &Asked::Sweep).await.unwrap();
    let said = r#"{"v":1.0,"said":"see archive","x":"Wikandersson"}"#;
    assert_eq!(world.bill(1), ["see archive", "see archive", said]);
}

/// While the customer's own values exist, a released text is searched like any other.
#[tokio::test]
async fn a_customer_who_is_there_is_looked_for() {
    let world = world(sqlite, &policy("'anonymise'"));
    world.go("2033-01-01", &Asked::request()).await.unwrap();
    assert_eq!(world.bill(1)[0], "Seat for [erased]");
    assert_eq!(world.bill(1)[1], "Call [erased]");
}

/// The fields that the check suggests.
fn way_out(said: &str) -> &str {
    let (_, fields) = said.split_once("write fields = {").unwrap();
    let end = fields.find('}').unwrap();
    let start = said.len() - fields.len() - "fields = {".len();
    &said[start..=start + "fields = {".len() + end]
}

/// A former bug: the records of a class expire with their duty. The sweep searched the released texts only for the
/// values of the customer that were left. So the name of another user stayed, and the certificate said "anonymised".
#[tokio::test]
async fn an_expiry_that_never_runs_leaves_no_name_of_another_user() {
    // The record shows whether it was treated before. If it does not, the policy has the line that the check
    // suggests.
    let kept = "keep = { buyer = 'bookkeeping' }";
    let whole = "fields = { line = 'remove', note = 'remove', 'data/said' = 'remove' }";
    let shows = (policy("'anonymise'"), format!("{{ action = 'anonymise', after = 'duty', {whole} }}"));
    let does_not = (
        policy(&format!("{{ action = 'anonymise', {kept}, {whole} }}")),
        format!("{{ action = 'anonymise', after = 'duty', {kept}, {whole} }}"),
    );
    for (policy, expires) in [shows, does_not] {
        let policy = format!("{policy}[expire]\nbill = {expires}\n");
        let world = world(sqlite, &policy);
        world.go("2026-11-28", &Asked::request()).await.unwrap();
        assert!(world.bill(1)[0].contains("Tuvalina"), "the duty keeps it");
        world.go("2032-01-01", &Asked::Sweep).await.unwrap();
        for text in world.bill(1).iter().take(2) {
            assert!(!text.contains("Tuvalina") && !text.contains("Ylva"), "{text}");
        }
    }
}

/// If a class has no field that shows earlier treatments, texts that were already searched would be lost.
#[test]
fn the_check_asks_for_a_field_that_shows_what_was_treated() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder);
    let check = |policy: &str| {
        PolicyDocument::from_toml(policy).and_then(|policy| policy.check(store.data_map())).map(drop)
    };
    let keeps = policy("{ action = 'anonymise', keep = { buyer = 'bookkeeping' } }");
    let said = check(&keeps).unwrap_err().to_string();
    assert!(
        said.contains("treatments.t.bill: has data/said, line, note searched for the customer"),
        "{said}"
    );
    // An expiry does not solve this, because it may never run, or the sweep may run first.
    let expires = "[expire]\nbill = { action = 'anonymise', after = 'duty', keep = { buyer = 'x' }, \
                   fields = { line = 'remove', note = 'remove', 'data/said' = 'remove' } }\n";
    assert!(
        check(&format!("{keeps}{expires}"))
            .unwrap_err()
            .to_string()
            .contains("has data/said, line, note searched")
    );
    // The suggested correction works.
    let followed = keeps.replacen("{ action", &format!("{{ {}, action", way_out(&said)), 1);
    check(&followed).unwrap_or_else(|problems| panic!("{followed}\n{problems}"));
    // The values of a customer who is never erased can always be searched for.
    let kept = keeps.replace("customer = 'anonymise'", "customer = { keep = 'the register' }");
    check(&kept).unwrap_or_else(|problems| panic!("{problems}"));
    // A placeholder cannot replace a whole document.
    let document = policy(
        "{ action = 'anonymise', fields = { data = 'redact' }, after_duty = { placeholder = 'gone' } }",
    );
    let said = check(&document).unwrap_err().to_string();
    assert!(said.contains("bill.after_duty: data holds JSON"), "{said}");
}

#[tokio::test]
async fn a_host_with_repository_code_gets_the_same() {
    let bill = RecordClass::new("bill")
        .field(Field::key("id"))
        .field(Field::plain("booked_on").dated())
        .field(Field::personal("buyer", Kind::Name).required())
        .field(Field::personal("note", Kind::FreeText))
        .needs_owner();
    let customer =
        RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name));
    let map = DataMap::builder(customer)
        .class(bill)
        .knows(Fact::ActiveSubscriptions)
        .without_deactivation("there is no such status")
        .build()
        .unwrap();
    let repository = MemoryRepository::new(map);
    let bill = |id: &str, day: &str, note: &str| {
        Record::new("bill", id)
            .with("id", id)
            .with("booked_on", day)
            .with("buyer", "Ylva Sandelin")
            .with("note", note)
    };
    let own = Record::new("customer", "7").with("id", "7").with("name", "Ylva Sandelin");
    let bills =
        [bill("1", "2024-05-01", "Call Ylva Sandelin"), bill("2", "2010-05-01", "Old: Ylva Sandelin")];
    repository.insert(Customer::new("7", "shop"), std::iter::once(own).chain(bills).collect());
    let policy = policy("'anonymise'").replace("user = 'anonymise'\n", "");
    let world = world(|_| MemoryStore::new(repository), &policy);
    let note = |id: &str| {
        let records = world.store.repository().records(&"7".into());
        records
            .into_iter()
            .find(|r| r.key.as_str() == id && r.class.as_str() == "bill")
            .unwrap()
            .get("note")
            .clone()
    };
    world.go("2026-11-28", &Asked::request()).await.unwrap();
    assert_eq!((note("1"), note("2")), (Value::from("Call Ylva Sandelin"), Value::from("Old: [erased]")));
    world.go("2031-12-31", &Asked::Sweep).await.unwrap_err();
    world.go("2032-01-01", &Asked::Sweep).await.unwrap();
    assert_eq!((note("1"), note("2")), (Value::Null, Value::from("Old: [erased]")));
    world.go("2032-01-02", &Asked::Sweep).await.unwrap_err();
}
