//! The smallest group: what stays of a customer stays where enough others share it, and goes where they do not.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use proptest::prelude::*;
use relinquish::anonymise::Seed;
use relinquish::data_map::{Datatype, Fact, Field, Kind, Record, RecordClass, Value};
use relinquish::engine::EngineBuilder;
use relinquish::ledger::{MemoryKeyRing, TokenKey};
use relinquish::policy::{Choice, Group, Standing};
use relinquish::store::{CountGroups, EraseRequest, Erased, MemoryRepository, Select, TallyRequest, Target};
use relinquish::testing::ManualClock;
use relinquish::{
    Approval, Asked, ByRecord, Customer, CustomerId, CustomerStore, DataMap, Engine, MemoryLedger, Outcome,
    Planned, PolicyDocument, RecordStore, SqlMap, SqliteStore,
};

use crate::hosts::{self, approved, plan};
use crate::own_strategies;

const POLICY: &str = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
    guards.active_subscription = { ignore = 'none is sold' }\nguards.several_tenants = { ignore = 'one tenant' }\n\
    guards.not_archived = { ignore = 'archived first' }\n\
    anonymise = { name = 'remove', birth_date = { generalise = 'year' }, gender = 'clear' }\n\
    treatments.t.customer = { action = 'anonymise', keep = { postcode = 'reporting' }, smallest_group = 3 }";

const MAP: &str = "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = 'club'\n\
    status = { column = 'state', active = 'active', archived = 'archived' }\n\
    deactivate = { state = 'archived' }\n\
    fields = { name = 'name', postcode = 'postcode', born = 'birth_date' }";

/// Id, tenant, name, postcode, date of birth.
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
    builder(store, POLICY).build().unwrap()
}

/// Four share a postcode and a year of birth, two another postcode, one is born in another year, one has no postcode
/// and another tenant's are no company.
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
        assert!(
            shown.contains("stays: reporting") && !shown.contains("SW1A") && !shown.contains("1984"),
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
        assert!(matches!(again, Planned::Refused(_)), "{id}: there is nothing left to do");
    }
}

/// Whoever reads back must see that there is something left to clear, and no more than once.
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
        // Where enough are alike, or a duty keeps it, it singles nobody out.
        for standing in [Standing::Free, Standing::Kept, Standing::Needed] {
            assert!(!treatment.singles_out(&record, standing), "{standing:?} {record:?}");
        }
    }
}

/// One leaves, and the others are fewer than the policy wants: they are due again, for what is missing.
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
        // An approval is used once, so this is another one, given a minute earlier.
        let (given, end) = (hosts::now() - TimeDelta::minutes(1), hosts::now() + TimeDelta::hours(1));
        let approval = Approval::new("operator-7", [drafted.tenant().clone()], drafted.digest(), given, end);
        let outcome = first.erase(drafted.approve(approval, hosts::now()).unwrap()).await.unwrap();
        assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    }
    assert!(rows(&path).values().all(|row| *row == (None, None, None)));
}

async fn erase(store: &dyn CustomerStore, ids: &[i64]) {
    let policy = PolicyDocument::from_toml(POLICY).unwrap().check(store.data_map()).unwrap();
    let treatment = policy.treatments()["t"].clone();
    let ids: Vec<CustomerId> = ids.iter().map(|id| CustomerId::new(id.to_string())).collect();
    let facts = store.facts(&Select::Ids(ids.clone())).await.unwrap();
    let targets = facts
        .iter()
        .map(|facts| Target {
            customer: facts.id.clone(),
            tenant: facts.tenant.clone(),
            expected: facts.expected(),
        })
        .collect();
    let request = EraseRequest::new(targets, treatment.clone(), Seed::new([7; 32]), hosts::now());
    for erased in store.erase(&request).await.unwrap() {
        assert!(matches!(erased, Ok(Erased::Done(_))), "{erased:?}");
    }
    let tally = TallyRequest::new(ids, treatment).at(hosts::now());
    for tally in store.tally(&tally).await.unwrap() {
        assert_eq!(tally.unwrap().due(), 0);
    }
}

/// What has to come of it, said in another way: for each of those who go, whoever is like them is counted.
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

    /// Both stores come to what the oracle says, and what comes out of those who go does not depend on their names.
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

/// Of two customers with whom too few share what would stay, nobody can tell afterwards which was which.
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

/// The "Unknown Customer" is nobody, and a placeholder is where NULL is not allowed.
#[tokio::test]
async fn stand_ins_are_no_company_and_a_required_field_takes_a_placeholder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.sqlite");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, state TEXT, kind TEXT, postcode TEXT NOT NULL);
             INSERT INTO people VALUES (1, 'active', '', 'SW1A 2AA'), (2, 'active', 'unknown', 'SW1A 2AA'),
                 (3, 'active', 'unknown', 'SW1A 2AA'), (4, 'active', '', 'E1 6AN'), (5, 'active', '', 'E1 6AN'),
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
    assert!(matches!(again, Planned::Refused(_)), "what is cleared is not cleared again");
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

/// What a strategy of the host's own makes general, only the host could compare.
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

/// A repository that cannot count is found out before anything is touched.
#[tokio::test]
async fn a_repository_that_does_not_count_plans_nothing() {
    let repository = memory(&CLUB);
    let engine = engine(ByRecord::new(Arc::clone(&repository)));
    let error = engine.plan(&"1".into(), &Asked::request()).await.unwrap_err().to_string();
    assert!(error.contains("use ByRecord::counting"), "{error}");
    assert_eq!(repository.records(&"1".into())[0].get("name").as_text(), Some("Maud"));
}

/// Fewer answers than groups, and a failure.
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

/// An operator keeps a field for one run, and demands that it singles nobody out.
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
