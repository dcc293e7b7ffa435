//! Repositories of a host's own in which several people have a record: somebody has to tell who else has it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use relinquish::data_map::{Fact, Field, Kind, Link, Record, RecordClass};
use relinquish::ledger::MemoryLedger;
use relinquish::store::{MemoryRepository, StoreError, WhoShares};
use relinquish::testing::ManualClock;
use relinquish::{Asked, ByRecord, Customer, CustomerId, DataMap, Engine, Outcome, PolicyDocument};

use crate::hosts::{self, approved};

/// Knows by key which records somebody else has as well.
#[derive(Debug, Default)]
struct Others {
    keys: Mutex<BTreeSet<&'static str>>,
    answers_too_little: bool,
}

#[async_trait]
impl WhoShares for Others {
    async fn have_others(&self, _: &CustomerId, records: &[Record]) -> Result<Vec<bool>, StoreError> {
        let keys = self.keys.lock().unwrap();
        assert!(records.iter().all(|record| record.class.as_str() == "letter"), "only these may be shared");
        let told = records.iter().map(|record| keys.contains(record.key.as_str()));
        Ok(told.skip(usize::from(self.answers_too_little)).collect())
    }
}

fn map(tells: bool) -> DataMap {
    let field = || Field::personal("text", Kind::FreeText);
    let builder = DataMap::builder(
        RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name)),
    )
    .class(
        RecordClass::new("letter")
            .field(Field::key("id"))
            .field(field())
            .link(Link::shared("customer", ["sender"]))
            .link(Link::shared("customer", ["reader"])),
    )
    .class(RecordClass::new("note").field(Field::key("id")).field(field()).needs_owner())
    .without_deactivation("there is no such status")
    .knows(Fact::ActiveSubscriptions);
    let builder = if tells { builder.tells_who_shares() } else { builder };
    builder.build().unwrap()
}

const POLICY: &str = "
    version = 1
    sweep = false
    triggers.requested = { treatment = 't' }
    guards = { active_subscription = { ignore = 'none' }, several_tenants = { ignore = 'one' }, not_archived = { ignore = 'none' } }
    anonymise = { name = 'token', free_text = 'redact' }
    treatments.t = { customer = 'anonymise', letter = 'anonymise', note = 'delete' }";

fn repository() -> Arc<MemoryRepository> {
    let repository = MemoryRepository::new(map(true));
    let own = Record::new("customer", "1").with("name", "Vigdis Alm");
    let letter = |key: &str, text: &str| Record::new("letter", key).with("text", text);
    let note = Record::new("note", "1").with("text", "x");
    let records = vec![
        own,
        letter("a", "from Vigdis Alm to Bo"),
        letter("b", "to Vigdis Alm"),
        letter("c", "hello"),
        note,
    ];
    repository.insert(Customer::new("1", "here"), records);
    Arc::new(repository)
}

fn engine(repository: &Arc<MemoryRepository>, others: &Arc<Others>) -> Engine {
    let store = ByRecord::new(Arc::clone(repository)).sharing(Arc::clone(others));
    let policy = PolicyDocument::from_toml(POLICY).unwrap();
    Engine::builder(store, policy, MemoryLedger::new(), hosts::keys())
        .clock(ManualClock::at(hosts::now()))
        .build()
        .unwrap_or_else(|problems| panic!("{problems}"))
}

fn texts(repository: &MemoryRepository) -> Vec<String> {
    let records = repository.records(&"1".into());
    let letters = records.iter().filter(|record| record.class.as_str() == "letter");
    letters
        .map(|record| format!("{}: {}", record.key.as_str(), record.get("text").as_text().unwrap_or("-")))
        .collect()
}

/// A record that somebody else has too was treated with the first who left: nothing told the store whose else it was.
#[tokio::test]
async fn what_somebody_else_has_too_stays_with_that_one() {
    let (repository, others) = (repository(), Arc::new(Others::default()));
    others.keys.lock().unwrap().insert("a");
    let delete = POLICY.replace("letter = 'anonymise'", "letter = 'delete'");
    let store = ByRecord::new(Arc::clone(&repository)).sharing(Arc::clone(&others));
    let engine = Engine::builder(
        store,
        PolicyDocument::from_toml(&delete).unwrap(),
        MemoryLedger::new(),
        hosts::keys(),
    )
    .clock(ManualClock::at(hosts::now()))
    .build()
    .unwrap();
    let plan = hosts::plan(&engine, &"1".into(), &Asked::request()).await;
    let text = plan.to_string();
    assert!(text.contains("letter               delete          2 rows"), "{text}");
    assert!(text.contains("1 more is also somebody else's: it stays with that one"), "{text}");
    let outcome = engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    assert_eq!(texts(&repository), ["a: from Vigdis Alm to Bo"]);
}

/// What stays with others is searched for the customer who leaves all the same.
#[tokio::test]
async fn a_text_that_stays_with_others_is_searched_for_the_one_who_leaves() {
    let (repository, others) = (repository(), Arc::new(Others::default()));
    others.keys.lock().unwrap().insert("a");
    let engine = engine(&repository, &others);
    let outcome = engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    assert_eq!(texts(&repository), ["a: from [erased] to Bo", "b: to [erased]", "c: hello"]);
}

#[tokio::test]
async fn an_answer_that_leaves_a_record_out_erases_nothing() {
    let others = Arc::new(Others { answers_too_little: true, ..Others::default() });
    let planned = engine(&repository(), &others).plan(&"1".into(), &Asked::request()).await;
    let said = planned.map(|_| ()).unwrap_err().to_string();
    assert!(said.contains("the adapter did not answer for every record"), "{said}");
}

/// Where nobody tells, the policy is refused when the engine is built, or the store refuses to work.
#[tokio::test]
async fn a_map_with_shared_records_needs_somebody_who_tells() {
    let policy = |text: &str| PolicyDocument::from_toml(text).unwrap();
    let said = policy(POLICY).check(&map(false)).unwrap_err().to_string();
    assert!(said.starts_with("treatments.t.letter: may be several people's records"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for way_out in ["ByRecord::sharing", "tells_who_shares()", "{ keep = \"reason\" }"] {
        assert!(said.contains(way_out), "{way_out}: {said}");
    }
    assert!(
        policy(&POLICY.replace("letter = 'anonymise'", "letter = { keep = 'the others read them' }"))
            .check(&map(false))
            .is_ok()
    );
    assert!(policy(POLICY).check(&map(true)).is_ok());
    // The map says that somebody tells, and nobody was given.
    let store = ByRecord::new(repository());
    let engine = Engine::builder(store, policy(POLICY), MemoryLedger::new(), hosts::keys())
        .clock(ManualClock::at(hosts::now()))
        .build()
        .unwrap();
    let said = engine.plan(&"1".into(), &Asked::request()).await.map(|_| ()).unwrap_err().to_string();
    assert!(said.contains("use ByRecord::sharing"), "{said}");
}
