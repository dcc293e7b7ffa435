//! A host's own strategies: they are found by name, bound by plans, reported when they are missing, and checked
//! against their promises.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::NaiveDate;
use proptest::prelude::*;
use relinquish::anonymise::{Draw, OwnReveals, OwnStrategy, Strategies};
use relinquish::data_map::{Constraints, Datatype, Fact, Field, Kind, Record, RecordClass, Value};
use relinquish::ledger::MemoryKeyRing;
use relinquish::store::MemoryRepository;
use relinquish::testing::{Faulty, Law, ManualClock, own_strategy};
use relinquish::{
    Asked, Customer, CustomerStore, DataMap, Engine, MemoryLedger, MemoryStore, Outcome, PolicyDocument,
    SqlMap, SqliteLedger, SqliteStore,
};

use crate::hosts::ResumeAll as _;
use crate::hosts::{self, BuildCounted as _, approved, plan};
use crate::testing_kit::own_strategy::CAUGHT_ELSEWHERE;
use crate::wired::{NEVER, Tripwire, until_death};

/// A membership card to its region: `SE-4711-3` becomes `SE-0000-0`.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) version: u32,
}

impl OwnStrategy for Region {
    fn name(&self) -> &'static str {
        "card_region"
    }
    fn version(&self) -> u32 {
        self.version
    }
    fn describe(&self) -> String {
        "the region of the card".to_owned()
    }
    fn suits(&self, kind: Option<&Kind>, takes: &Constraints) -> Result<(), String> {
        match takes {
            _ if kind.is_some_and(|kind| *kind == Kind::Email) => Err("no card is an address".to_owned()),
            Constraints { unique: true, .. } => Err("many cards have the same region".to_owned()),
            Constraints { datatype: Datatype::Text | Datatype::Any, max_chars: None | Some(9..), .. } => {
                Ok(())
            }
            _ => Err("a card is a text of nine characters".to_owned()),
        }
    }
    fn reveals(&self) -> OwnReveals {
        OwnReveals::General
    }
    fn general(&self, value: &Value, _: NaiveDate) -> Option<Value> {
        let (region, _) = value.as_text()?.split_once('-')?;
        (region.len() == 2 && region.bytes().all(|b| b.is_ascii_uppercase())).then(|| Value::from(region))
    }
    fn write(&self, general: Option<&Value>, _: &Draw<'_>) -> Value {
        Value::Text(format!("{}-0000-0", general.and_then(Value::as_text).unwrap_or("XX")))
    }
    fn holds(&self, value: &Value) -> bool {
        value.as_text().is_some_and(|text| text.len() == 9 && text.ends_with("-0000-0"))
    }
}

/// A number that no scanner reads, different for every customer.
#[derive(Debug)]
pub(crate) struct Void;

impl OwnStrategy for Void {
    fn name(&self) -> &'static str {
        "void"
    }
    fn version(&self) -> u32 {
        1
    }
    fn describe(&self) -> String {
        "a void number".to_owned()
    }
    fn suits(&self, _: Option<&Kind>, takes: &Constraints) -> Result<(), String> {
        let fits = takes.datatype == Datatype::Text && takes.max_chars.is_none_or(|chars| chars >= 25);
        if fits { Ok(()) } else { Err("it takes 25 characters".to_owned()) }
    }
    fn reveals(&self) -> OwnReveals {
        OwnReveals::Nothing
    }
    fn general(&self, _: &Value, _: NaiveDate) -> Option<Value> {
        None
    }
    fn write(&self, _: Option<&Value>, draw: &Draw<'_>) -> Value {
        let number = u128::from_be_bytes(draw.bytes()[..16].try_into().unwrap()) >> 48;
        Value::Text(format!("void:{number:020x}"))
    }
    fn holds(&self, value: &Value) -> bool {
        let number = value.as_text().and_then(|text| text.strip_prefix("void:"));
        number.is_some_and(|text| text.len() == 20 && text.bytes().all(|b| b.is_ascii_hexdigit()))
    }
}

pub(crate) fn own(version: u32) -> Strategies {
    Strategies::new().with(Region { version }).with(Void)
}

const POLICY: &str = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
    guards.active_subscription = { ignore = 'none is sold' }\nguards.several_tenants = { ignore = 'one tenant' }\n\
    guards.not_archived = { ignore = 'archived first' }\n\
    anonymise = { name = 'remove', x_card = { own = 'card_region' }, customer_number = { own = 'void' } }\n\
    treatments.t = { customer = 'anonymise' }";

const MAP: &str = "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = { is = 'us' }\n\
    status = { column = 'state', active = 'active', archived = 'archived' }\n\
    deactivate = { state = 'archived' }\n\
    [customers.fields]\nname = 'name'\ncard = 'x_card'\nnumber = 'customer_number'\n\
    prefs = { json = { '/card' = 'x_card' }, rest = 'not personal' }";

fn create(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, state TEXT, name TEXT, card TEXT NOT NULL,
                 number TEXT UNIQUE NOT NULL, prefs TEXT);
             INSERT INTO people VALUES
                 (1, 'active', 'Maud', 'SE-4711-3', '10001', '{\"card\":\"SE-4711-3\",\"theme\":\"dark\"}'),
                 (2, 'active', 'Olle', 'SE-9999-1', '10002', NULL),
                 (3, 'active', 'Pia', 'lost', '10003', '{}');",
        )
        .unwrap();
}

type Row = (Option<String>, String, String, Option<String>);

fn rows(path: &Path) -> BTreeMap<i64, Row> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut read = connection.prepare("SELECT id, name, card, number, prefs FROM people").unwrap();
    let rows =
        read.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))));
    rows.unwrap().map(Result::unwrap).collect()
}

fn sqlite(path: &Path) -> SqliteStore {
    SqliteStore::open(path, &SqlMap::from_toml(MAP).unwrap()).unwrap()
}

#[tokio::test]
async fn sqlite_writes_what_the_hosts_own_strategies_write_and_the_plan_names_their_versions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.sqlite");
    create(&path);
    let before = rows(&path);
    let engine = |version| {
        let keys = MemoryKeyRing::new(relinquish::ledger::TokenKey::new([42; 32]));
        Engine::builder(sqlite(&path), PolicyDocument::from_toml(POLICY).unwrap(), MemoryLedger::new(), keys)
            .clock(ManualClock::at(hosts::now()))
            .strategies(own(version))
            .counted()
            .unwrap()
    };
    let one = engine(1);
    let drafted = plan(&one, &"1".into(), &Asked::request()).await;
    let shown = drafted.to_string();
    for line in ["the region of the card (card_region, version 1)", "a void number (void, version 1)"] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(!shown.contains("4711") && !shown.contains("10001"), "{shown}");
    let again = plan(&engine(1), &"1".into(), &Asked::request()).await;
    assert_eq!(again.digest(), drafted.digest());
    let other = plan(&engine(2), &"1".into(), &Asked::request()).await;
    assert_ne!(other.digest(), drafted.digest(), "another version is another plan");

    for id in ["1", "3"] {
        let outcome = one.erase(approved(&one, &id.into(), &Asked::request()).await).await.unwrap();
        let Outcome::Erased(certificate) = outcome else { panic!("{outcome}") };
        assert!(certificate.to_string().contains("the region of the card (card_region, version 1)"));
    }
    let after = rows(&path);
    assert_eq!(after[&2], before[&2], "somebody else's");
    for (id, card, prefs) in
        [(1, "SE-0000-0", r#"{"card":"SE-0000-0","theme":"dark"}"#), (3, "XX-0000-0", "{}")]
    {
        assert_eq!((after[&id].0.as_deref(), after[&id].1.as_str()), (None, card));
        assert!(Void.holds(&Value::from(after[&id].2.as_str())));
        assert_eq!(after[&id].3.as_deref(), Some(prefs));
    }
    assert_ne!(after[&1].2, after[&3].2);
}

#[tokio::test]
async fn memory_writes_the_same() {
    let class = RecordClass::new("customer")
        .field(Field::key("id").token_part())
        .field(Field::personal("card", Kind::Custom("x_card".to_owned())).required())
        .field(Field::personal("number", Kind::CustomerNumber).required().unique());
    let map = DataMap::builder(class).knows(Fact::ActiveSubscriptions).knows(Fact::Status).build().unwrap();
    let repository = MemoryRepository::new(map);
    let own_record = Record::new("customer", "1").with("id", "1").with("card", "SE-1-1").with("number", "7");
    repository.insert(Customer::new("1", "us"), vec![own_record]);
    let store = std::sync::Arc::new(MemoryStore::new(repository));
    let keys = MemoryKeyRing::new(relinquish::ledger::TokenKey::new([42; 32]));
    let policy = PolicyDocument::from_toml(POLICY).unwrap();
    let engine = Engine::builder(std::sync::Arc::clone(&store), policy, MemoryLedger::new(), keys)
        .clock(ManualClock::at(hosts::now()))
        .strategies(own(1))
        .counted()
        .unwrap();
    let outcome = engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    let record = store.repository().records(&"1".into()).remove(0);
    assert_eq!(record.get("card").as_text(), Some("SE-0000-0"));
    assert!(Void.holds(record.get("number")));
}

#[test]
fn a_strategy_that_nobody_has_or_that_does_not_suit_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.sqlite");
    create(&path);
    let store = sqlite(&path);
    let problems = |policy: &str, strategies: &Strategies| {
        let document = PolicyDocument::from_toml(policy).unwrap();
        let problems =
            document.check_with(relinquish::RecordStore::data_map(&store), strategies).unwrap_err();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let slip = POLICY.replace("'card_region'", "'card_regoin'");
    assert_eq!(
        problems(&slip, &own(1)),
        ["anonymise.x_card.own: card_regoin is no strategy that this program has; did you mean card_region?"]
    );
    let none = problems(POLICY, &Strategies::new());
    assert_eq!(none.len(), 2, "{none:?}");
    assert!(none[0].contains("EngineBuilder::strategies"), "{none:?}");
    let fields = POLICY.replace(
        "customer = 'anonymise'",
        "customer = { action = 'anonymise', fields = { name = { own = 'viod' }, number = { own = 'card_region' } } }",
    );
    assert_eq!(
        problems(&fields, &own(1)),
        [
            "treatments.t.customer.fields.name.own: viod is no strategy that this program has; did you mean void?",
            "treatments.t.customer.fields.number: is not what strategy card_region suits: many cards have the same \
             region; write \"remove\", { placeholder = \"Erased {token}\" }, or { keep = \"reason\" }",
        ]
    );
    let twice = problems(POLICY, &own(1).with(Void));
    assert_eq!(twice, ["strategy void: is the name of two strategies; give one of them another name"]);
}

/// The process dies at every boundary. Then a program without the strategies starts, then one with another version of
/// them, then the right one. The wrong ones touch nothing and never panic.
#[tokio::test]
async fn a_case_is_resumed_with_its_own_strategies_and_with_no_others() {
    let without = POLICY.replace("x_card = { own = 'card_region' }", "x_card = 'remove'");
    let without = without.replace("{ own = 'void' }", "'token'");
    let (mut superseded, mut left_alone, mut blocked, mut finished) = (0, 0, 0, 0);
    for dies_at in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.sqlite");
        let ledger = folder.path().join("ledger.sqlite");
        create(&path);
        let before = rows(&path);
        let engine = |policy: &str, strategies: Strategies, wire: &std::sync::Arc<Tripwire>| {
            let wire = || std::sync::Arc::clone(wire);
            let policy = PolicyDocument::from_toml(policy).unwrap();
            let book = Faulty::new(SqliteLedger::open(&ledger).unwrap(), wire());
            let keys = crate::hosts::keys_beside(&ledger);
            Engine::builder(Faulty::new(sqlite(&path), wire()), policy, book, keys)
                .clock(ManualClock::at(hosts::now()))
                .strategies(strategies)
                .worker("one")
                .build()
        };
        let calm = Tripwire::at(NEVER);
        let right = || engine(POLICY, own(1), &calm).unwrap();
        right().ensure_census().await.unwrap();
        let approved = approved(&right(), &"1".into(), &Asked::request()).await;
        let wire = Tripwire::at(dies_at);
        let first = engine(POLICY, own(1), &wire).unwrap();
        let survived = until_death(&wire, first.erase(approved)).await.is_some();
        drop(first);
        let dead = rows(&path);
        assert!(engine(POLICY, Strategies::new(), &calm).is_err(), "it does not even start");
        // The test alternates between a policy without such strategies and another version of them.
        let wrong = if dies_at % 2 == 0 {
            engine(&without, Strategies::new(), &calm).unwrap()
        } else {
            engine(POLICY, own(2), &calm).unwrap()
        };
        for outcome in wrong.resumed().await {
            assert_eq!(rows(&path), dead, "nothing is touched");
            match outcome {
                Outcome::Superseded { because, .. } => {
                    superseded += 1;
                    assert_eq!(dead, before, "it had not begun: {because}");
                    assert!(because.to_string().contains("no strategy card_region, version 1"), "{because}");
                }
                // The case had not begun, and waits for an engine with its policy.
                Outcome::OtherRules { .. } => {
                    left_alone += 1;
                    assert_eq!(dead, before);
                    let [done] = &right().resumed().await[..] else { panic!("one case is open") };
                    assert!(matches!(done, Outcome::Erased(_)), "{done}");
                }
                Outcome::Blocked { case, reason, .. } => {
                    blocked += 1;
                    assert!(reason.contains("no strategy card_region, version 1"), "{reason}");
                    let done = right().retry(&case).await.unwrap();
                    assert!(matches!(done, Outcome::Erased(_)), "{done}");
                    assert_eq!(rows(&path)[&1].1, "SE-0000-0");
                    finished += 1;
                }
                other => panic!("{other}"),
            }
        }
        if survived {
            break;
        }
    }
    assert!(superseded > 0 && left_alone > 0, "{superseded} {left_alone}");
    assert!(blocked > 0 && finished == blocked, "{blocked} {finished}");
}

/// A treatment that was saved and read back contains no code, so a store refuses it.
#[tokio::test]
async fn a_store_refuses_a_treatment_whose_strategies_are_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.sqlite");
    create(&path);
    let store = sqlite(&path);
    let document = PolicyDocument::from_toml(POLICY).unwrap();
    let policy = document.check_with(relinquish::RecordStore::data_map(&store), &own(1)).unwrap();
    let saved = serde_json::to_string(&*policy.treatments()["t"]).unwrap();
    let read: relinquish::treatment::Treatment = serde_json::from_str(&saved).unwrap();
    assert_eq!(read.digest(), policy.treatments()["t"].digest());
    let request = relinquish::store::TallyRequest::new(vec!["1".into()], std::sync::Arc::new(read));
    let error = (&store as &dyn CustomerStore).tally(&request).await.unwrap_err().to_string();
    assert!(error.contains("no strategy card_region for customer.card"), "{error}");
}

fn cards() -> Vec<Value> {
    ["SE-4711-3", "SE-9999-1", "DK-1", "lost", ""].map(Value::from).into_iter().chain([Value::Null]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_strategies_of_these_tests_keep_their_word(texts in prop::collection::btree_set("(SE|DK|se)-?[0-9]{1,4}", 3..8)) {
        let mut values: Vec<Value> = texts.into_iter().map(Value::from).chain(cards()).collect();
        let mut seen = Vec::new();
        values.retain(|value| { let fresh = !seen.contains(value); seen.push(value.clone()); fresh });
        for strategy in [&Region { version: 1 } as &dyn OwnStrategy, &Void] {
            let kept = own_strategy(strategy, &values);
            prop_assert!(kept.is_ok(), "{:?}", kept);
        }
    }
}

/// The ways in which the region's strategy can break its promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breach {
    /// Passes the card number on, without the generalisation.
    Remembers,
    /// Its generalisation is a digest of the whole card.
    Digests,
    /// Counts every card as erased.
    KeepsAll,
    /// Does not know what it wrote.
    Forgets,
    /// Writes NULL, although it says that it suits a NOT NULL field.
    WritesNull,
    /// Writes the same value for all, although values must be unique.
    Repeats,
    /// Is longer than it says.
    Overflows,
    /// Writes another value each time.
    Counts,
}

#[derive(Debug)]
struct Faithless {
    breach: Breach,
    seen: AtomicU64,
}

impl OwnStrategy for Faithless {
    fn name(&self) -> &'static str {
        "faithless"
    }
    fn version(&self) -> u32 {
        1
    }
    fn describe(&self) -> String {
        "the region, and more".to_owned()
    }
    fn suits(&self, kind: Option<&Kind>, takes: &Constraints) -> Result<(), String> {
        match self.breach {
            Breach::Repeats
                if takes.unique && takes.datatype == Datatype::Any && takes.max_chars.is_none() =>
            {
                Ok(())
            }
            Breach::Overflows if takes.max_chars == Some(8) && !takes.unique => Ok(()),
            _ => Region { version: 1 }.suits(kind, takes),
        }
    }
    fn reveals(&self) -> OwnReveals {
        OwnReveals::General
    }
    fn general(&self, value: &Value, day: NaiveDate) -> Option<Value> {
        let number = value.as_text().map_or(0, |text| text.bytes().map(u64::from).sum());
        self.seen.store(number, Ordering::SeqCst);
        match self.breach {
            Breach::Digests => {
                let sum = value
                    .as_text()?
                    .bytes()
                    .fold(7_u32, |sum, b| sum.wrapping_mul(31).wrapping_add(b.into()));
                Some(Value::Text(format!("{:02}", sum % 10_000)))
            }
            _ => Region { version: 1 }.general(value, day),
        }
    }
    fn write(&self, general: Option<&Value>, draw: &Draw<'_>) -> Value {
        match self.breach {
            Breach::Remembers => Value::Text(format!("{:02}-0000-0", self.seen.load(Ordering::SeqCst) % 100)),
            Breach::Counts => {
                Value::Text(format!("{:02}-0000-0", self.seen.fetch_add(1, Ordering::SeqCst) % 100))
            }
            Breach::WritesNull => Value::Null,
            Breach::Digests => {
                Value::Text(format!("{}-0000-0", general.and_then(Value::as_text).unwrap_or("XX")))
            }
            _ => Region { version: 1 }.write(general, draw),
        }
    }
    fn holds(&self, value: &Value) -> bool {
        match self.breach {
            Breach::KeepsAll => true,
            Breach::Forgets => false,
            Breach::WritesNull => *value == Value::Null,
            Breach::Digests => value.as_text().is_some_and(|text| text.ends_with("-0000-0")),
            _ => Region { version: 1 }.holds(value),
        }
    }
}

#[test]
fn a_strategy_that_leaks_or_breaks_its_word_in_another_way_is_caught() {
    let values: Vec<Value> = cards().into_iter().filter(|value| *value != Value::Null).collect();
    let breaches = [
        (Breach::Remembers, Law::GeneralisationAlone),
        (Breach::Digests, Law::KeepsLess),
        (Breach::KeepsAll, Law::ValuesNotErased),
        (Breach::Forgets, Law::WrittenErased),
        (Breach::WritesNull, Law::FitsWhereItSuits),
        (Breach::Repeats, Law::DiffersWhereItMust),
        (Breach::Overflows, Law::FitsWhereItSuits),
        (Breach::Counts, Law::GeneralisationAlone),
    ];
    assert!(CAUGHT_ELSEWHERE.iter().all(|law| breaches.iter().any(|(_, broken)| broken == law)));
    for (breach, law) in breaches {
        let strategy = Faithless { breach, seen: AtomicU64::new(0) };
        let broken = own_strategy(&strategy, &values).unwrap_err();
        assert_eq!(broken.law(), law, "{breach:?}: {broken}");
        let broken = broken.to_string();
        for value in values.iter().filter_map(Value::as_text).filter(|text| !text.is_empty()) {
            assert!(!broken.contains(value), "{breach:?} shows a value: {broken}");
        }
    }
}

/// Says of everything that it suits it.
#[derive(Debug)]
struct Careless(Value);

impl OwnStrategy for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }
    fn version(&self) -> u32 {
        1
    }
    fn describe(&self) -> String {
        "anything".to_owned()
    }
    fn suits(&self, _: Option<&Kind>, _: &Constraints) -> Result<(), String> {
        Ok(())
    }
    fn reveals(&self) -> OwnReveals {
        OwnReveals::Nothing
    }
    fn general(&self, _: &Value, _: NaiveDate) -> Option<Value> {
        None
    }
    fn write(&self, _: Option<&Value>, _: &Draw<'_>) -> Value {
        self.0.clone()
    }
    fn holds(&self, value: &Value) -> bool {
        *value == self.0
    }
}

/// Whether a strategy suits a field is checked against what it writes, before a run is blocked by it.
#[test]
fn a_strategy_that_writes_what_the_field_does_not_take_is_refused_by_the_check() {
    let field = || Field::personal("card", Kind::Custom("x_card".to_owned()));
    let check = |value: Value, field: Field| {
        let class = RecordClass::new("customer").field(Field::key("id").token_part()).field(field);
        let map =
            DataMap::builder(class).knows(Fact::ActiveSubscriptions).knows(Fact::Status).build().unwrap();
        let policy =
            POLICY.replace("card_region", "careless").replace("customer_number = { own = 'void' }", "");
        let problems = PolicyDocument::from_toml(&policy)
            .unwrap()
            .check_with(&map, &Strategies::new().with(Careless(value)));
        problems.err().map_or_else(String::new, |problems| problems.to_string())
    };
    let null = check(Value::Null, field().required());
    assert!(null.contains("treatments.t.customer.card: would get from strategy careless NULL"), "{null}");
    let long = check(Value::from("four"), field().max_chars(3));
    assert!(
        long.contains("would get from strategy careless more than the 3 characters that it takes"),
        "{long}"
    );
    assert_eq!(
        check(Value::Null, field()) + &check(Value::from("four"), field().max_chars(4).required()),
        ""
    );
}
