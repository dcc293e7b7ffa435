//! The smallest group: values of a customer stay if enough other customers share them. Otherwise they are erased.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use proptest::prelude::*;
use relinquish::anonymise::Seed;
use relinquish::data_map::{Datatype, Fact, Field, Kind, Record, RecordClass, Value};
use relinquish::engine::EngineBuilder;
use relinquish::ledger::{MemoryKeyRing, TokenKey};
use relinquish::policy::Choice;
use relinquish::store::{CountGroups, EraseRequest, Erased, MemoryRepository, TallyRequest, Target};
use relinquish::testing::ManualClock;
use relinquish::treatment::{Group, Standing};
use relinquish::{
    Approval, Asked, ByRecord, Customer, CustomerId, CustomerStore, DataMap, Engine, MemoryLedger, Outcome,
    Planned, PolicyDocument, RecordStore, SqlMap, SqliteStore,
};

use crate::hosts::{self, BuildCounted as _, approved, plan};
use crate::values::own_strategies;

const POLICY: &str = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
    guards.active_subscription = { ignore = 'none is sold' }\nguards.several_tenants = { ignore = 'one tenant' }\n\
    guards.not_archived = { ignore = 'archived first' }\n\
    anonymise = { name = 'remove', birth_date = { generalise = 'year' }, gender = 'clear' }\n\
    treatments.t.customer = { action = 'anonymise', keep = { postcode = 'reporting' }, smallest_group = 3 }";

const MAP: &str = "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = 'club'\n\
    status = { column = 'state', active = 'active', archived = 'archived' }\n\
    deactivate = { state = 'archived' }\n\
    fields = { name = 'name', postcode = 'postcode', born = 'birth_date' }";

/// The id, the tenant, the name, the postcode and the date of birth.
type Person<'p> = (i64, &'p str, &'p str, Option<&'p str>, &'p str);

fn create(path: &Path, people: &[Person<'_>]) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, club TEXT, state TEXT, name TEXT, postcode TEXT, born DATE)",
        )
        .unwrap();
    for (id, club, name, postcode, born) in people {
        let sql = "INSERT INTO people VALUES (?1, ?2, 'active', ?3, ?4, ?5)";
        connection.execute(sql, rusqlite::params![id, club, name, postcode, born]).unwrap();
    }
}

type Left = BTreeMap<i64, (Option<String>, Option<String>, Option<String>)>;

fn rows(path: &Path) -> Left {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut read = connection.prepare("SELECT id, name, postcode, born FROM people").unwrap();
    let rows = read.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?))));
    rows.unwrap().map(Result::unwrap).collect()
}

fn sqlite(path: &Path) -> SqliteStore {
    SqliteStore::open(path, &SqlMap::from_toml(MAP).unwrap()).unwrap()
}

fn class() -> RecordClass {
    RecordClass::new("customer")
        .field(Field::key("id").token_part())
        .field(Field::personal("name", Kind::Name))
        .field(Field::personal("postcode", Kind::Postcode))
        .field(Field::personal("born", Kind::BirthDate).datatype(Datatype::Numeric))
}

fn map(class: RecordClass) -> relinquish::data_map::DataMapBuilder {
    DataMap::builder(class).knows(Fact::ActiveSubscriptions).knows(Fact::Status)
}

fn memory(people: &[Person<'_>]) -> Arc<MemoryRepository> {
    let repository = MemoryRepository::new(map(class()).counts_groups().build().unwrap());
    for (id, club, name, postcode, born) in people {
        let record = Record::new("customer", id.to_string())
            .with("id", id.to_string())
            .with("name", *name)
            .with("postcode", Value::from(*postcode))
            .with("born", *born);
        repository.insert(Customer::new(id.to_string(), *club), vec![record]);
    }
    Arc::new(repository)
}

fn counting(repository: &Arc<MemoryRepository>) -> ByRecord<Arc<MemoryRepository>> {
    ByRecord::new(Arc::clone(repository)).counting(Arc::clone(repository))
}

fn builder(store: impl CustomerStore, policy: &str) -> EngineBuilder {
    let policy = PolicyDocument::from_toml(policy).unwrap();
    let keys = MemoryKeyRing::new(TokenKey::new([42; 32]));
    Engine::builder(store, policy, MemoryLedger::new(), keys).clock(ManualClock::at(hosts::now()))
}

fn engine(store: impl CustomerStore) -> Engine {
    builder(store, POLICY).counted().unwrap()
}

/// Four customers share a postcode and a year of birth, and two share another postcode. One was born in another year,
/// and one has no postcode. Customers of another tenant do not count.
const CLUB: [Person<'_>; 9] = [
    (1, "a", "Maud", Some("SW1A 2AA"), "1984-05-12"),
    (2, "a", "Olle", Some("SW1A 2AA"), "1984-11-01"),
    (3, "a", "Pia", Some("SW1A 2AA"), "1984-01-01"),
    (4, "a", "Rut", Some("SW1A 2AA"), "1984-02-29"),
    (5, "a", "Siv", Some("E1 6AN"), "1984-05-12"),
    (6, "a", "Tor", Some("E1 6AN"), "1984-05-12"),
    (7, "a", "Ulf", Some("SW1A 2AA"), "1985-05-12"),
    (8, "a", "Ida", None, "1984-05-12"),
    (9, "b", "Eva", Some("E1 6AN"), "1984-05-12"),
];

#[tokio::test]
async fn what_stays_is_shared_by_enough_customers_of_the_tenant_and_the_plan_says_so_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.sqlite");
    create(&path, &CLUB);
    let engine = engine(sqlite(&path));
    let mut plans = Vec::new();
    for id in 1..=8 {
        let drafted = plan(&engine, &CustomerId::new(id.to_string()), &Asked::request()).await;
        let shown = drafted.to_string();
        let (stays, goes) = (
            "born + postcode: 3 customers or more share what stays",
            "born + postcode: fewer than 3 customers share what would stay, so it goes: born: cleared, postcode: cleared",
        );
        assert!(shown.contains(if id < 5 { stays } else { goes }), "{id}: {shown}");
        // The first line has the digest, which may contain any four digits.
        let (_, said) = shown.split_once('\n').unwrap();
        assert!(
            said.contains("stays as long as the record: reporting")
                && !said.contains("SW1A")
                && !said.contains("1984"),
            "{shown}"
        );
        let group = &drafted.to_json()["records"][0]["smallest_group"];
        assert_eq!(group["least"], 3);
        assert_eq!(group["too_small"], i32::from(id >= 5), "{group}");
        plans.push(approved(&engine, &CustomerId::new(id.to_string()), &Asked::request()).await);
    }
    for outcome in engine.execute(plans).await.unwrap() {
        assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    }
    let left = rows(&path);
    for id in 1..=4 {
        let general = (None, Some("SW1A 2AA".to_owned()), Some("1984-01-01".to_owned()));
        assert_eq!(left[&id], general, "{id}");
    }
    for id in 5..=8 {
        assert_eq!(left[&id], (None, None, None), "{id}");
    }
    let eva = (Some("Eva".to_owned()), Some("E1 6AN".to_owned()), Some("1984-05-12".to_owned()));
    assert_eq!(left[&9], eva, "another tenant's");
    for id in 1..=8 {
        let again = engine.plan(&CustomerId::new(id.to_string()), &Asked::request()).await.unwrap();
        assert!(matches!(again, Planned::Nothing(_)), "{id}: there is nothing left to do");
    }
}

/// Reading back must show that there is something left to clear, and only once.
#[test]
fn a_record_that_few_are_like_singles_out_until_what_stays_of_it_is_cleared() {
    let map = map(class()).counts_groups().build().unwrap();
    let policy = PolicyDocument::from_toml(POLICY).unwrap().check(&map).unwrap();
    let treatment = &policy.treatments()["t"];
    let record = |postcode: Option<&str>, born: Option<&str>| {
        let record = Record::new("customer", "1").with("id", "1").with("name", "Maud");
        record.with("postcode", Value::from(postcode)).with("born", Value::from(born))
    };
    for (record, left) in [
        (record(Some("SW1A 2AA"), Some("1984-01-01")), true),
        (record(Some("SW1A 2AA"), None), true),
        (record(None, Some("1984-01-01")), true),
        (record(None, None), false),
    ] {
        assert_eq!(treatment.singles_out(&record, Standing::Rare), left, "{record:?}");
        // If enough customers share the values, or a duty keeps the record, nobody is singled out.
        for standing in [Standing::Free, Standing::Kept, Standing::Needed] {
            assert!(!treatment.singles_out(&record, standing), "{standing:?} {record:?}");
        }
    }
}

/// One customer leaves, and now too few share the values. So the others are due again, for what is missing.
#[tokio::test]
async fn who_is_left_alone_later_is_due_again_and_a_count_voids_no_approval() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.sqlite");
    create(&path, &CLUB[..3]);
    let first = engine(sqlite(&path));
    let early = approved(&first, &"3".into(), &Asked::request()).await;
    for id in ["1", "2"] {
        let plan = approved(&first, &id.into(), &Asked::request()).await;
        assert!(matches!(first.erase(plan).await.unwrap(), Outcome::Erased(_)));
    }
    assert_eq!(rows(&path)[&1].1.as_deref(), Some("SW1A 2AA"));
    let moved = "UPDATE people SET postcode = 'E1 6AN' WHERE id = 2";
    rusqlite::Connection::open(&path).unwrap().execute(moved, []).unwrap();
    let outcome = first.erase(early).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "the plan was approved while three shared it: {outcome}");
    assert_eq!(rows(&path)[&3], (None, None, None), "and is carried out as it is now");
    assert_eq!(rows(&path)[&1].1.as_deref(), Some("SW1A 2AA"));
    for id in ["1", "2"] {
        let drafted = plan(&first, &id.into(), &Asked::request()).await;
        assert!(drafted.to_string().contains("fewer than 3 customers"), "{drafted}");
        // An approval can be used only once, so this is a different one, given a minute earlier.
        let given = hosts::now() - TimeDelta::minutes(1);
        let approval = Approval::new(
            "operator-7",
            [drafted.tenant().clone()],
            drafted.digest(),
            given,
            TimeDelta::hours(1),
        );
        let outcome = first.erase(drafted.approve(approval).unwrap()).await.unwrap();
        assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    }
    assert!(rows(&path).values().all(|row| *row == (None, None, None)));
}

async fn erase(store: &dyn CustomerStore, ids: &[i64]) {
    erase_by(POLICY, store, ids).await;
}

/// The expected result, computed in another way: for each erased customer, the customers with the same values are
/// counted.
fn oracle(people: &[Person<'_>], gone: &[i64]) -> Left {
    let like =
        |person: &Person<'_>| (person.1.to_owned(), person.3.map(str::to_owned), person.4[..4].to_owned());
    people
        .iter()
        .map(|person| {
            let (id, _, name, postcode, born) = person;
            let alike = people.iter().filter(|other| like(other) == like(person)).count();
            let left = match (gone.contains(id), alike) {
                (false, _) => (Some(name.to_string()), postcode.map(str::to_owned), Some(born.to_string())),
                (true, ..3) => (None, None, None),
                (true, _) => (None, postcode.map(str::to_owned), Some(format!("{}-01-01", &born[..4]))),
            };
            (*id, left)
        })
        .collect()
}

fn in_memory(repository: &MemoryRepository, people: &[Person<'_>]) -> Left {
    let text = |value: &Value| value.as_text().map(str::to_owned);
    let left = |id: i64| {
        let record = repository.records(&CustomerId::new(id.to_string())).remove(0);
        (text(record.get("name")), text(record.get("postcode")), text(record.get("born")))
    };
    people.iter().map(|person| (person.0, left(person.0))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Both stores give the result of the oracle. The values that erased customers get do not depend on their names.
    #[test]
    fn stores_and_oracle_agree_and_nothing_erased_has_a_say(
        drawn in prop::collection::vec((0..2_usize, 0..3_usize, 0..2_usize, any::<bool>()), 1..14),
    ) {
        const POSTCODES: [Option<&str>; 3] = [Some("SW1A 2AA"), Some("E1 6AN"), None];
        let with = |name: &'static str| -> Vec<Person<'static>> {
            (1..).zip(&drawn).map(|(id, (club, postcode, year, _))| {
                (id, ["a", "b"][*club], name, POSTCODES[*postcode], ["1984-05-12", "1985-03-03"][*year])
            }).collect()
        };
        let gone: Vec<i64> = (1..).zip(&drawn).filter(|(_, one)| one.3).map(|(id, _)| id).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut outcomes = Vec::new();
        for name in ["Maud", "Grace"] {
            let people = with(name);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("people.sqlite");
            create(&path, &people);
            runtime.block_on(erase(&sqlite(&path), &gone));
            let repository = memory(&people);
            runtime.block_on(erase(&counting(&repository), &gone));
            let left = rows(&path);
            prop_assert_eq!(&left, &oracle(&people, &gone));
            prop_assert_eq!(&left, &in_memory(&repository, &people));
            outcomes.push(left.into_iter().filter(|(id, _)| gone.contains(id)).collect::<Left>());
        }
        prop_assert_eq!(&outcomes[0], &outcomes[1]);
    }
}

/// Two customers have values that too few share. Afterwards nobody can distinguish the two.
#[tokio::test]
async fn what_is_cleared_comes_out_the_same_whatever_it_was() {
    let mut seen = Vec::new();
    for (postcode, born) in
        [(Some("N1 9GU"), "1950-01-01"), (Some("E1 6AN"), "2001-07-07"), (None, "1984-05-12")]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.sqlite");
        create(&path, &[(1, "a", "Maud", postcode, born), (2, "a", "Olle", Some("SW1A 2AA"), "1984-05-12")]);
        erase(&sqlite(&path), &[1]).await;
        seen.push(rows(&path));
    }
    assert!(seen.iter().all(|rows| *rows == seen[0]), "{seen:?}");
}

/// The "Unknown Customer" does not count, and a placeholder replaces NULL where NULL is not allowed.
#[tokio::test]
async fn stand_ins_are_no_company_and_a_required_field_takes_a_placeholder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.sqlite");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, state TEXT, kind TEXT, postcode TEXT NOT NULL);
             INSERT INTO people VALUES (1, 'active', '', 'SW1A 2AA'), (2, 'active', 'unknown', 'SW1A 2AA'),
                 (3, 'active', '', 'SW1A 2AA'), (4, 'active', '', 'E1 6AN'), (5, 'active', '', 'E1 6AN'),
                 (6, 'active', '', 'E1 6AN');",
        )
        .unwrap();
    let map = "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = { is = 'a' }\n\
        status = { column = 'state', active = 'active', archived = 'archived' }\n\
        deactivate = { state = 'archived' }\n\
        unknown_customer = { find = { kind = 'unknown' }, create = { state = 'active', postcode = '-' } }\n\
        fields = { postcode = 'postcode', kind = 'not personal' }";
    let store = Arc::new(SqliteStore::open(&path, &SqlMap::from_toml(map).unwrap()).unwrap());
    let engine = engine(Arc::clone(&store));
    for id in ["1", "4"] {
        let plan = approved(&engine, &id.into(), &Asked::request()).await;
        let outcome = engine.erase(plan).await.unwrap();
        assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    }
    let connection = rusqlite::Connection::open(&path).unwrap();
    let postcode = |id: i64| -> String {
        connection.query_row("SELECT postcode FROM people WHERE id = ?1", [id], |row| row.get(0)).unwrap()
    };
    assert_eq!(postcode(1), "Anonymised 2026-11-21");
    assert_eq!(postcode(4), "E1 6AN");
    let again = engine.plan(&"1".into(), &Asked::request()).await.unwrap();
    assert!(matches!(again, Planned::Nothing(_)), "what is cleared is not cleared again");
}

#[test]
fn a_group_that_cannot_be_is_refused_with_its_path() {
    let of = |class: RecordClass, treatment: &str, counts: bool| {
        let mut built = map(class).class(
            RecordClass::new("address")
                .field(Field::key("id"))
                .field(Field::personal("street", Kind::Postcode)),
        );
        if counts {
            built = built.counts_groups();
        }
        let (head, _) = POLICY.split_once("treatments").unwrap();
        let head = head.replace("gender = 'clear'", "postcode = 'clear', city = 'clear'");
        let document = PolicyDocument::from_toml(&format!("{head}{treatment}"));
        match document.and_then(|document| document.check(&built.build().unwrap())) {
            Ok(_) => String::new(),
            Err(problems) => problems.to_string(),
        }
    };
    let root = |line: &str| {
        format!("treatments.t = {{ customer = {{ action = 'anonymise', {line} }}, address = 'anonymise' }}")
    };
    let address = "treatments.t = { customer = 'anonymise', address = { action = 'anonymise', keep = { street = 'x' }, smallest_group = 3 } }";
    for (class, treatment, counts, wanted) in [
        (
            class(),
            root("keep = { postcode = 'x' }, smallest_group = 1"),
            true,
            "treatments.t.customer.smallest_group: is no size",
        ),
        (
            class(),
            root("keep = { postcode = 'x' }, smallest_group = 'many'"),
            true,
            "treatments.t.customer.smallest_group: is no size",
        ),
        (class(), root("keep = { postcode = 'x' }, smalest_group = 3"), true, "did you mean smallest_group?"),
        (class(), root("keep = { postcode = 'x' }, smallest_group = 3"), false, "does not count customers"),
        (
            class(),
            root("keep = { name = 'x' }, smallest_group = 3"),
            true,
            "treatments.t.customer.keep.name: stays, and a person is found by their name",
        ),
        (class(), root("fields = { born = 'clear' }, smallest_group = 3"), true, "nothing stays"),
        (class(), address.to_owned(), true, "treatments.t.address.smallest_group: counts customers"),
        (
            class(),
            "treatments.t = { customer = { action = 'delete', smallest_group = 3 }, address = 'delete' }"
                .to_owned(),
            true,
            "the action is delete",
        ),
        (
            class().field(Field::personal("city", Kind::City).linked()),
            root("keep = { city = 'x' }, smallest_group = 3"),
            true,
            "treatments.t.customer.keep.city: has to go where too few",
        ),
        (class(), root("keep = { postcode = 'x' }, smallest_group = 3"), true, ""),
    ] {
        let found = of(class, &treatment, counts);
        assert!(
            if wanted.is_empty() { found.is_empty() } else { found.contains(wanted) },
            "{treatment}: {found}"
        );
    }
}

/// Only the host could compare values that its own strategy makes more general.
#[test]
fn a_group_is_not_counted_by_what_a_strategy_of_the_hosts_own_makes_general() {
    let map = map(class().field(Field::personal("card", "x_card".parse().unwrap()))).counts_groups();
    let map = map.build().unwrap();
    let check = |rule: &str| {
        let policy = POLICY.replace("gender = 'clear'", &format!("x_card = {{ own = '{rule}' }}"));
        let policy = PolicyDocument::from_toml(&policy).unwrap();
        policy.check_with(&map, &own_strategies::own(1)).map(drop).map_err(|no| no.to_string())
    };
    assert_eq!(check("void"), Ok(()));
    let refused = check("card_region").unwrap_err();
    assert!(
        refused.starts_with("treatments.t.customer.card: is made general in a way that cannot be counted"),
        "{refused}"
    );
}

/// A repository that cannot count groups is refused before anything is touched.
#[tokio::test]
async fn a_repository_that_does_not_count_plans_nothing() {
    let repository = memory(&CLUB);
    let engine = engine(ByRecord::new(Arc::clone(&repository)));
    let error = engine.plan(&"1".into(), &Asked::request()).await.unwrap_err().to_string();
    assert!(error.contains("use ByRecord::counting"), "{error}");
    assert_eq!(repository.records(&"1".into())[0].get("name").as_text(), Some("Maud"));
}

/// Two faults: fewer answers than groups, and an error.
#[derive(Debug)]
struct Lazy(bool);

#[async_trait::async_trait]
impl CountGroups for Lazy {
    async fn count(&self, _: &[Group]) -> Result<Vec<u64>, relinquish::store::StoreError> {
        if self.0 {
            Ok(Vec::new())
        } else {
            Err(relinquish::store::StoreError::failed("counting", "it is down"))
        }
    }
}

#[tokio::test]
async fn a_count_that_fails_stops_the_plan_and_keeps_nothing_by_mistake() {
    for (lazy, wanted) in [(Lazy(true), "not every group was counted"), (Lazy(false), "it is down")] {
        let repository = memory(&CLUB);
        let engine = engine(ByRecord::new(Arc::clone(&repository)).counting(lazy));
        let error = engine.plan(&"1".into(), &Asked::request()).await.unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

#[tokio::test]
async fn memory_goes_through_the_engine_too() {
    let repository = memory(&CLUB);
    let engine = engine(counting(&repository));
    for id in ["1", "5"] {
        let outcome = engine.erase(approved(&engine, &id.into(), &Asked::request()).await).await.unwrap();
        assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    }
    let left = in_memory(&repository, &CLUB);
    assert_eq!(left[&1], (None, Some("SW1A 2AA".to_owned()), Some("1984-01-01".to_owned())));
    assert_eq!(left[&5], (None, None, None));
}

/// For one run, an operator keeps a field, and requires that it singles nobody out.
#[tokio::test]
async fn an_operator_may_demand_a_group_for_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.sqlite");
    create(&path, &CLUB);
    let store = sqlite(&path);
    let base = POLICY.replace(", smallest_group = 3", "");
    let base = PolicyDocument::from_toml(&base).unwrap();
    let choice = Choice::of("t", "campaign").smallest_group("customer", 5);
    let policy = base.choose(&choice).unwrap().check(store.data_map()).unwrap();
    let group = policy.treatments()["campaign"].class("customer").unwrap().smallest_group().unwrap();
    assert_eq!(group.least(), 5);
    assert_eq!(group.fields().keys().map(ToString::to_string).collect::<Vec<_>>(), ["born", "postcode"]);
    assert!(policy.treatments()["t"].class("customer").unwrap().smallest_group().is_none());
}

/// Both fields have a more general step: from the outward code to its area, from the month to the year.
const LADDER: &str = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
    guards.active_subscription = { ignore = 'none is sold' }\nguards.several_tenants = { ignore = 'one tenant' }\n\
    guards.not_archived = { ignore = 'archived first' }\n\
    anonymise = { name = 'remove', postcode = { generalise = 'uk_postcode' }, birth_date = { generalise = 'month' } }\n\
    treatments.t.customer = { action = 'anonymise', smallest_group = 3 }";

/// Erases the customers by the policy, and checks that everything is done.
async fn erase_by(policy: &str, store: &dyn CustomerStore, ids: &[i64]) {
    let policy = PolicyDocument::from_toml(policy).unwrap().check(store.data_map()).unwrap();
    let treatment = policy.treatments()["t"].clone();
    let ids: Vec<CustomerId> = ids.iter().map(|id| CustomerId::new(id.to_string())).collect();
    let facts = store.facts(&ids).await.unwrap();
    let targets = facts.iter().map(|facts| Target {
        customer: facts.id.clone(),
        tenant: facts.tenant.clone(),
        expected: facts.expected(),
    });
    let request = EraseRequest::new(targets.collect(), treatment.clone(), Seed::new([7; 32]), hosts::now());
    for erased in store.erase(&request).await.unwrap() {
        assert!(matches!(erased, Ok(Erased::Done(_))), "{erased:?}");
    }
    for tally in store.tally(&TallyRequest::new(ids, treatment).at(hosts::now())).await.unwrap() {
        let tally = tally.unwrap();
        assert_eq!((tally.due(), tally.rare.len(), tally.alone.len()), (0, 0, 0), "{tally:?}");
    }
}

/// The expected result of the steps, computed in another way: sharing customers are counted with the original values.
fn oracle_of_the_ladder(people: &[Person<'_>], gone: &[i64]) -> Left {
    let fine = |person: &Person<'_>| {
        let outward = person.3.map(|code| code.split(' ').next().unwrap().to_owned());
        (person.1.to_owned(), outward, format!("{}-01", &person.4[..7]))
    };
    let coarse = |person: &Person<'_>| {
        let area =
            fine(person).1.map(|code| code.chars().take_while(char::is_ascii_alphabetic).collect::<String>());
        (person.1.to_owned(), area, format!("{}-01-01", &person.4[..4]))
    };
    let left = |person: &Person<'_>| {
        let (_, _, name, postcode, born) = person;
        let alike = people.iter().filter(|other| fine(other) == fine(person)).count();
        let nearly = people.iter().filter(|other| coarse(other) == coarse(person)).count();
        let (fine, coarse) = (fine(person), coarse(person));
        match (gone.contains(&person.0), alike, nearly) {
            (false, ..) => (Some(name.to_string()), postcode.map(str::to_owned), Some(born.to_string())),
            (true, 3.., _) => (None, fine.1, Some(fine.2)),
            (true, _, 3..) => (None, coarse.1, Some(coarse.2)),
            (true, ..) => (None, None, None),
        }
    };
    people.iter().map(|person| (person.0, left(person))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// The result is the same in both stores, in one batch, one after the other, and in the reverse order. No value
    /// is made more general twice.
    #[test]
    fn one_step_more_general_comes_to_the_same_in_any_order_and_only_once(
        drawn in prop::collection::vec((0..3_usize, 0..4_usize, 0..4_usize, prop::bool::weighted(0.7)), 1..16),
    ) {
        const POSTCODES: [Option<&str>; 4] = [Some("SW1A 2AA"), Some("SW9 6AN"), Some("E1 6AN"), None];
        const BORN: [&str; 4] = ["1984-01-12", "1984-05-12", "1984-05-03", "1985-05-12"];
        let people: Vec<Person<'static>> = (1..).zip(&drawn).map(|(id, (club, postcode, born, _))| {
            (id, ["a", "b"][*club / 2], "Maud", POSTCODES[*postcode], BORN[*born])
        }).collect();
        let gone: Vec<i64> = (1..).zip(&drawn).filter(|(_, one)| one.3).map(|(id, _)| id).collect();
        let backwards: Vec<Vec<i64>> = gone.iter().rev().map(|id| vec![*id]).collect();
        let one_by_one: Vec<Vec<i64>> = gone.iter().map(|id| vec![*id]).collect();
        let wanted = oracle_of_the_ladder(&people, &gone);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for rounds in [vec![gone.clone()], one_by_one, backwards] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("people.sqlite");
            create(&path, &people);
            let store = sqlite(&path);
            let repository = memory(&people);
            for ids in rounds.iter().chain(std::slice::from_ref(&gone)) {
                runtime.block_on(erase_by(LADDER, &store, ids));
                runtime.block_on(erase_by(LADDER, &counting(&repository), ids));
            }
            prop_assert_eq!(&rows(&path), &wanted);
            prop_assert_eq!(&in_memory(&repository, &people), &wanted);
        }
    }
}

/// Two customers of SW1A and two of SW9 share the area and the year. One of E1 shares nothing.
const LONDON: [Person<'_>; 5] = [
    (1, "a", "Maud", Some("SW1A 2AA"), "1984-05-12"),
    (2, "a", "Olle", Some("SW1A 2AA"), "1984-05-01"),
    (3, "a", "Pia", Some("SW9 6AN"), "1984-07-01"),
    (4, "a", "Rut", Some("SW9 6AN"), "1984-07-29"),
    (5, "a", "Siv", Some("E1 6AN"), "1984-05-12"),
];

#[tokio::test]
async fn a_small_group_is_made_more_general_first_and_plan_and_certificate_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.sqlite");
    create(&path, &LONDON);
    let engine = builder(sqlite(&path), LADDER).counted().unwrap();
    for (id, says) in [
        ("1", "so it is made more general: born: the year, postcode: the postcode area"),
        ("5", "so it goes: born: cleared, postcode: cleared"),
    ] {
        let drafted = plan(&engine, &id.into(), &Asked::request()).await;
        assert!(drafted.to_string().contains(says), "{drafted}");
        let group = &drafted.to_json()["records"][0]["smallest_group"];
        assert_eq!(group["coarser"]["postcode"], "the postcode area");
        assert_eq!((&group["too_small"], &group["cleared"]), (&1.into(), &i32::from(id == "5").into()));
        let outcome = engine.erase(approved(&engine, &id.into(), &Asked::request()).await).await.unwrap();
        let Outcome::Erased(certificate) = outcome else { panic!("{outcome}") };
        let certificate = certificate.to_string();
        let words = "only where 3 customers or more share what stays, else the postcode area where so many share that";
        assert!(certificate.contains(words), "{certificate}");
        let again = engine.plan(&id.into(), &Asked::request()).await.unwrap();
        assert!(matches!(again, Planned::Nothing(_)), "{id}: it is made general once");
    }
    let left = rows(&path);
    assert_eq!(left[&1], (None, Some("SW".to_owned()), Some("1984-01-01".to_owned())));
    assert_eq!(left[&5], (None, None, None));
}

/// A value that is kept unchanged has a more general step only if the policy names one.
#[tokio::test]
async fn a_policy_says_how_what_is_kept_is_made_more_general() {
    let policy = POLICY
        .replace(
            "smallest_group = 3",
            "smallest_group = { customers = 3, coarser = { postcode = 'uk_postcode' } }",
        )
        .replace("birth_date = { generalise = 'year' }", "birth_date = 'clear'");
    let people = [
        (1, "a", "Maud", Some("SW1A 2AA"), "1984-05-12"),
        (2, "a", "Olle", Some("SW1A 2AB"), "1985-05-12"),
        (3, "a", "Pia", Some("SW1A 1AA"), "1986-05-12"),
        (4, "a", "Rut", Some("no code"), "1986-05-12"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.sqlite");
    create(&path, &people);
    erase_by(&policy, &sqlite(&path), &[1, 3, 4]).await;
    let repository = memory(&people);
    erase_by(&policy, &counting(&repository), &[1, 3, 4]).await;
    let left = rows(&path);
    for id in [1, 3] {
        assert_eq!(left[&id], (None, Some("SW1A".to_owned()), None));
    }
    assert_eq!(left[&4], (None, None, None), "what cannot be read is not kept");
    assert_eq!(left, in_memory(&repository, &people));

    let wrong = |coarser: &str| {
        let policy = policy.replace("coarser = { postcode = 'uk_postcode' }", coarser);
        let map = map(class()).counts_groups().build().unwrap();
        PolicyDocument::from_toml(&policy).and_then(|policy| policy.check(&map)).unwrap_err().to_string()
    };
    let at = "treatments.t.customer.smallest_group";
    for (coarser, wanted) in [
        (
            "coarser = { born = 'year' }",
            format!("{at}.coarser.born: is not kept, so no step can be named for it"),
        ),
        ("coarser = { postcod = 'year' }", "did you mean postcode?".to_owned()),
        ("coarser = { postcode = 'uk_aria' }", "did you mean uk_area?".to_owned()),
        ("coarsr = { postcode = 'uk_area' }", "did you mean coarser?".to_owned()),
    ] {
        assert!(wrong(coarser).contains(&wanted), "{coarser}: {}", wrong(coarser));
    }
    let no_number = policy.replace("customers = 3, ", "");
    assert!(
        PolicyDocument::from_toml(&no_number).unwrap_err().to_string().contains(&format!("{at}: is no size"))
    );
}
