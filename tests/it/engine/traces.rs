//! Compares traces with an oracle. People are planted in roles, tenants and texts, together with namesakes, families
//! and strangers.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use fastrand::Rng;
use relinquish::customer::Identifiers;
use relinquish::data_map::{ClassName, FieldName, Kind, Value};
use relinquish::engine::Certainty::{Certain, Likely, Possible};
use relinquish::engine::{
    Access, Accessed, Certainty, MemoryAccessLog, Purpose, Trace, TraceReason, TracesOf,
};
use relinquish::plan::Authority;
use relinquish::store::{ReadRecords, ReadRequest, RecordPage, StoreError};
use relinquish::testing::ManualClock;
use relinquish::{Engine, MemoryLedger, PolicyDocument, SqlMap, SqliteStore};
use rusqlite::{Connection, params};

use crate::hosts;

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, first TEXT, last TEXT, email TEXT, phone TEXT, born TEXT,
        street TEXT, login TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES people, name TEXT, mail TEXT, street TEXT);
    CREATE TABLE comments (id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES people, text TEXT);
    CREATE TABLE letters (id INTEGER PRIMARY KEY, from_id INTEGER REFERENCES people, to_id INTEGER REFERENCES people, text TEXT);";

const MAP: &str = r#"
    version = 1
    [customers]
    class = "person"
    table = "people"
    key = "id"
    tenant = "tenant"
    deactivate = { none = "people have no state" }
    [customers.fields]
    first = "name"
    last = "name"
    email = "email"
    phone = "phone"
    born = "birth_date"
    street = "address"
    login = "username"
    [records.order]
    table = "orders"
    key = "id"
    owner = "person_id"
    nobody = "of guests"
    fields = { name = "name", mail = "email", street = "address" }
    [records.comment]
    table = "comments"
    key = "id"
    owner = "person_id"
    nobody = "of visitors"
    fields.text = "free_text"
    [records.letter]
    table = "letters"
    key = "id"
    shared = ["from_id", "to_id"]
    fields.text = "free_text"
"#;

const POLICY: &str = r#"
    version = 1
    sweep = false
    triggers.requested = { treatment = "clear" }
    guards = { active_subscription = { ignore = "none is sold" }, not_archived = { ignore = "none" }, several_tenants = { ignore = "one" } }
    anonymise = { name = "remove", email = "remove", phone = "remove", birth_date = "clear", address = "remove", username = "token", free_text = "clear" }
    treatments.clear = { person = "anonymise", order = "delete", comment = "delete", letter = "delete" }
"#;

/// What the oracle knows about a place: the expected certainty, the reason, and whether the place really belongs to
/// the person.
#[derive(Clone, Debug, PartialEq)]
struct Planted {
    certainty: Certainty,
    reason: TraceReason,
    is_theirs: bool,
    /// Whether an exact identifier leads to the place.
    is_exact: bool,
}

struct World {
    _folder: tempfile::TempDir,
    store: Arc<SqliteStore>,
    log: Arc<MemoryAccessLog>,
    planted: BTreeMap<(String, String), Planted>,
}

impl World {
    /// The person is number 1: `Maud Ashworth`, with a unique number in every value.
    #[allow(clippy::too_many_lines, reason = "one place after the other")]
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.sqlite");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let mut planted = BTreeMap::new();
        let salt = rng.u32(1_000..9_999);
        let mail = format!("maud.ashworth{salt}@example.org");
        let (phone, born, street) = (format!("+46 70 {salt} 123"), "1980-03-05", format!("Storgatan {salt}"));
        let login = format!("maud{salt}");
        let mut ids: Vec<i64> = (2..200).collect();
        rng.shuffle(&mut ids);
        let mut tenant = || if rng.bool() { "acme" } else { "other" };
        let person = |id: i64, tenant: &str, values: [&str; 7]| {
            let [first, last, email, phone, born, street, login] =
                values.map(|value| (!value.is_empty()).then_some(value));
            let sql = "INSERT INTO people VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            connection
                .execute(sql, params![id, tenant, first, last, email, phone, born, street, login])
                .unwrap();
        };
        person(1, "acme", ["Maud", "Ashworth", &mail, &phone, born, &street, &login]);
        let mut plant = |class: &str, id: i64, certainty, reason, is_theirs, is_exact| {
            let planted_here = Planted { certainty, reason, is_theirs, is_exact };
            planted.insert((class.to_owned(), id.to_string()), planted_here);
        };
        let upper = mail.to_uppercase();
        let national = format!("070-{salt}123");
        let other = |n: i64| format!("other{n}@example.org");
        // Customers: the same person, families, namesakes.
        let twins: [([&str; 7], Certainty, TraceReason, bool, bool); 8] = [
            (["M.", "Ash", &format!(" {upper}"), "", "", "", ""], Certain, TraceReason::Email, true, true),
            (
                ["Ashworth", "MAUD", "", "", born, "", ""],
                Certain,
                TraceReason::NameAnd(Kind::BirthDate),
                true,
                false,
            ),
            (
                ["Maud", "Ashworth", "", &national, "", "", ""],
                Certain,
                TraceReason::NameAnd(Kind::Phone),
                true,
                false,
            ),
            (["", "", "", "", "", "", &mail], Certain, TraceReason::Email, true, true),
            (
                ["Maud", "Ashworth", "", "", "", &street.to_uppercase(), ""],
                Likely,
                TraceReason::NameAnd(Kind::Address),
                true,
                false,
            ),
            (["", "", "", "", "", "", &login], Likely, TraceReason::Login, true, false),
            (["Percy", "Ashworth", "", &phone, "", &street, ""], Likely, TraceReason::Phone, false, false),
            (
                ["Maud", "Ashworth", "", "+46 8 555 0000", "1950-01-01", "Lillgatan 2", ""],
                Possible,
                TraceReason::Name,
                false,
                false,
            ),
        ];
        for (values, certainty, reason, is_theirs, is_exact) in twins {
            let id = ids.pop().unwrap();
            person(id, tenant(), values);
            plant("person", id, certainty, reason, is_theirs, is_exact);
        }
        let strangers: Vec<i64> = ids.split_off(ids.len() - 40);
        for id in &strangers {
            let (mail, phone) = (other(*id), format!("+46 73 900 {id:04}"));
            person(
                *id,
                tenant(),
                ["Ines", "García", &mail, &phone, "1980-03-06", "Storgatan 1", &format!("ines{id}")],
            );
        }
        // Orders of guests, of strangers, and the person's own.
        let mut order = 0;
        let mut orders = |owner: Option<i64>, name: &str, mail: &str, street: &str| {
            order += 1;
            let sql = "INSERT INTO orders VALUES (?1, ?2, ?3, ?4, ?5)";
            connection.execute(sql, params![order, owner, name, mail, street]).unwrap();
            order
        };
        orders(Some(1), "Maud Ashworth", &mail, &street);
        let id = orders(None, "Somebody", &upper, "");
        plant("order", id, Certain, TraceReason::Email, true, true);
        let id = orders(Some(strangers[0]), "For a friend", &mail, "");
        plant("order", id, Certain, TraceReason::Email, true, true);
        let id = orders(None, "ashworth, maud", "", &street);
        plant("order", id, Likely, TraceReason::NameAnd(Kind::Address), true, false);
        orders(None, "Ines García", "ines@example.org", "Storgatan 1");
        orders(None, "Ines García", &format!("x{mail}"), "Storgatan 1");
        // Texts.
        let mut comment = 0;
        let mut comments = |owner: Option<i64>, text: &str| {
            comment += 1;
            connection
                .execute("INSERT INTO comments VALUES (?1, ?2, ?3)", params![comment, owner, text])
                .unwrap();
            comment
        };
        comments(Some(1), &format!("I am Maud Ashworth, {mail}"));
        let id = comments(Some(strangers[1]), &format!("Write to <{mail}>."));
        plant("comment", id, Certain, TraceReason::Mention(Kind::Email), true, true);
        let id = comments(None, "I met Maud Ashworth yesterday");
        plant("comment", id, Likely, TraceReason::Mention(Kind::Name), true, false);
        comments(Some(strangers[2]), "With grace and patience");
        // Letters that belong to the person are not traces. Letters of other people are.
        let letters = |id: i64, from: i64, to: i64, text: &str| {
            connection
                .execute("INSERT INTO letters VALUES (?1, ?2, ?3, ?4)", params![id, from, to, text])
                .unwrap();
        };
        letters(1, strangers[3], 1, &format!("Dear Maud Ashworth, {mail}"));
        letters(2, strangers[3], strangers[4], &format!("Her address is {mail}"));
        plant("letter", 2, Certain, TraceReason::Mention(Kind::Email), true, true);
        drop(connection);
        let store = SqliteStore::open(&path, &SqlMap::from_toml(MAP).unwrap());
        let store = Arc::new(store.unwrap_or_else(|problems| panic!("{problems}")));
        Self { _folder: folder, store, log: Arc::new(MemoryAccessLog::new()), planted }
    }

    fn engine(&self, reads: Arc<dyn ReadRecords>) -> Engine {
        let policy = PolicyDocument::from_toml(POLICY).unwrap();
        Engine::builder(Arc::clone(&self.store), policy, MemoryLedger::new(), hosts::keys())
            .clock(ManualClock::at(hosts::now()))
            .records(reads)
            .access_log(Arc::clone(&self.log))
            .build()
            .unwrap_or_else(|problems| panic!("{problems}"))
    }
}

fn access(tenants: &[&str]) -> Access {
    let by = Authority::new("operator-7", tenants.iter().map(|tenant| (*tenant).into()));
    Access::new(by, Purpose::Reason("ticket-4711".parse().unwrap()))
}

async fn traced(engine: &Engine, of: &TracesOf, tenants: &[&str]) -> (Vec<Trace>, u64) {
    let mut tracing = engine.traces(of, &access(tenants)).await.unwrap();
    let mut all = Vec::new();
    while let Some(traces) = tracing.next().await.unwrap() {
        all.extend(traces);
    }
    (all, tracing.withheld())
}

/// Checks three things: a certain place belongs to the person, each place to which an exact identifier leads is
/// certain, and each place is as the oracle says.
async fn holds(world: &World, reads: Arc<dyn ReadRecords>) -> Result<(), String> {
    let engine = world.engine(reads);
    let (traces, _) = traced(&engine, &TracesOf::Customer("1".into()), &["acme", "other"]).await;
    let found: BTreeMap<(String, String), &Trace> = traces
        .iter()
        .map(|trace| ((trace.class.to_string(), trace.key.as_str().to_owned()), trace))
        .collect();
    for (place, trace) in &found {
        let planted = world.planted.get(place);
        if trace.certainty == Certainty::Certain && !planted.is_some_and(|planted| planted.is_theirs) {
            return Err(format!("{place:?} is certain, and not theirs"));
        }
        let Some(planted) = planted else { return Err(format!("{place:?} was not planted: {trace:?}")) };
        if (planted.certainty, &planted.reason) != (trace.certainty, &trace.reason) {
            return Err(format!(
                "{place:?} is {:?}, {:?}, and not {planted:?}",
                trace.certainty, trace.reason
            ));
        }
    }
    for (place, planted) in &world.planted {
        if planted.is_exact && !found.contains_key(place) {
            return Err(format!("an exact identifier leads to {place:?}, and it was not found"));
        }
        if !found.contains_key(place) {
            return Err(format!("{place:?} was not found: {planted:?}"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_is_certain_is_theirs_and_exact_identifiers_are_all_found() {
    for seed in 0..12 {
        let world = World::new(seed);
        let store: Arc<dyn ReadRecords> = world.store.clone();
        holds(&world, store).await.unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    }
}

/// A broken store that hides a record, or gives another person the e-mail address of the person.
#[derive(Debug)]
struct Lying {
    store: Arc<SqliteStore>,
    hides: bool,
}

#[async_trait]
impl ReadRecords for Lying {
    async fn read_records(&self, request: &ReadRequest) -> Result<RecordPage, StoreError> {
        let mut page = self.store.read_records(request).await?;
        let place = page.fields.iter().position(|field| ["email", "mail"].contains(&field.as_str()));
        let Some(place) = place.filter(|_| request.owners) else { return Ok(page) };
        if self.hides {
            page.records.retain(|record| {
                let text = record.values[place].as_text().unwrap_or_default();
                !text.to_lowercase().contains("maud") || record.owner == Some("1".into())
            });
        } else {
            let theirs = page.records.iter().map(|record| record.values[place].clone());
            let theirs =
                theirs.into_iter().find(|value| value.as_text().is_some_and(|text| text.contains("maud")));
            for record in page.records.iter_mut().filter(|record| record.values[place] != Value::Null) {
                if record.values.iter().any(|value| *value == Value::from("García")) {
                    record.values[place] = theirs.clone().unwrap_or(Value::Null);
                }
            }
        }
        Ok(page)
    }

    fn finds_by(&self, class: &ClassName, field: &FieldName) -> bool {
        self.store.finds_by(class, field)
    }
}

#[tokio::test]
async fn a_store_that_hides_a_place_or_shows_a_false_one_is_found_out() {
    for hides in [true, false] {
        let world = World::new(1);
        let broken =
            holds(&world, Arc::new(Lying { store: Arc::clone(&world.store), hides })).await.unwrap_err();
        let said = if hides { "an exact identifier leads to" } else { "is certain, and not theirs" };
        assert!(broken.contains(said), "{broken}");
    }
}

#[tokio::test]
async fn traces_of_a_person_who_is_no_customer_are_found_by_what_is_known() {
    let world = World::new(3);
    let engine = world.engine(world.store.clone());
    let mut known = Identifiers::new();
    known.insert(Kind::Email, "INES@example.org ");
    let (traces, _) = traced(&engine, &TracesOf::Person(known.clone()), &["acme", "other"]).await;
    assert_eq!(traces.len(), 1);
    assert_eq!((traces[0].class.as_str(), &traces[0].reason), ("order", &TraceReason::Email));
    assert!(!traces[0].is_twin(), "the order is a guest's");
    assert_eq!(world.log.events()[0].what, Accessed::Traces { customer: None });
    assert!(!format!("{:?} {traces:?}", TracesOf::Person(known)).to_lowercase().contains("ines@"));
}

#[tokio::test]
async fn traces_in_other_tenants_are_counted_and_not_told() {
    let world = World::new(5);
    let engine = world.engine(world.store.clone());
    let of = TracesOf::Customer("1".into());
    let (all, withheld) = traced(&engine, &of, &["acme", "other"]).await;
    assert_eq!(withheld, 0);
    let (own, withheld) = traced(&engine, &of, &["acme"]).await;
    assert!(withheld > 0, "the seed has a twin in the other tenant");
    assert_eq!(own.len() as u64 + withheld, all.len() as u64);
    assert!(own.iter().all(|trace| trace.tenant.as_ref().is_none_or(|tenant| tenant.as_str() == "acme")));
    assert!(all.iter().any(|trace| trace.is_twin() && trace.reason == TraceReason::Login));
    let refused = engine.traces(&of, &access(&["other"])).await.unwrap_err();
    assert!(matches!(refused, relinquish::Error::Approval(_)), "{refused}");
}
