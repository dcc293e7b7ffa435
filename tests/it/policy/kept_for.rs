//! Personal fields that stay only for a time: the last day is in certificate and letter, and after it they go by themselves.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use relinquish::data_map::{Fact, Field, Kind, RecordClass};
use relinquish::engine::Clock;
use relinquish::plan::Missing;
use relinquish::plan::letter::{self, Authority, Controller, Language, Letterhead, Request};
use relinquish::policy::{Concept, Trigger};
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::{
    Approval, Asked, Certificate, DataMap, Decision, Engine, MemoryLedger, Outcome, Planned, PolicyDocument,
    SqlMap, SqliteStore,
};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::hosts::{self, BuildCounted as _};

const SCHEMA: &str = "
    CREATE TABLE guests (id INTEGER PRIMARY KEY, name TEXT, postcode TEXT, city TEXT, state TEXT NOT NULL, seen TEXT);
    CREATE TABLE bills (id INTEGER PRIMARY KEY, guest INTEGER NOT NULL REFERENCES guests, booked_on TEXT NOT NULL, buyer TEXT);
    INSERT INTO guests VALUES (7, 'Ylva Sandelin', '907 29', 'Umeå', 'active', '2026-01-01'),
                              (8, 'Nils Tornqvist', '413 01', 'Göteborg', 'active', '2026-01-01');
    INSERT INTO bills VALUES (1, 7, '2020-05-01', 'Ylva Sandelin'), (2, 7, '2010-05-01', 'Ylva Sandelin');";

const MAP: &str = "version = 1\n[customers]\ntable = 'guests'\nkey = 'id'\ntenant = { is = 'shop' }\n\
    status = { column = 'state', active = 'active', archived = 'archived' }\ndeactivate = { state = 'archived' }\n\
    dates = { seen = 'seen' }\nfields = { name = 'name', postcode = 'postcode', city = 'city', state = 'not personal', seen = 'not personal' }\n\
    [records.bill]\ntable = 'bills'\nkey = 'id'\nowner = 'guest'\n\
    fields = { booked_on = 'not personal', buyer = 'name' }";

fn policy(keep: &str) -> String {
    format!(
        "version = 1\nsweep = true\ntime_zone = 'Europe/Stockholm'\ntriggers.requested = {{ treatment = 't' }}\n\
         triggers.inactive = {{ since = ['seen'], after = '20 years', treatment = 't' }}\n\
         guards.active_subscription = {{ ignore = 'none is sold' }}\nguards.not_archived = {{ ignore = 'none' }}\n\
         guards.several_tenants = {{ ignore = 'one' }}\n\
         [duties.books]\nclasses = ['bill']\nstatute = 'SE/BFL/7:2'\nfrom = 'booked_on'\n\
         [anonymise]\nname = 'remove'\npostcode = {{ truncate = 2 }}\ncity = 'remove'\n\
         [treatments.t]\nguest = {{ action = 'anonymise', keep = {keep} }}\nbill = 'anonymise'\n"
    )
}

const TWO_YEARS: &str =
    "{ postcode = { reason = 'where guests come from', for = '2 years' }, city = 'how far they travel' }";

struct World {
    engine: Engine,
    ledger: Arc<MemoryLedger>,
    clock: Arc<ManualClock>,
    folder: TempDir,
}

/// An evening on which it is the next day already in Stockholm.
fn evening(day: &str) -> DateTime<Utc> {
    format!("{day}T23:30:00Z").parse().unwrap()
}

fn world(keep: &str) -> World {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guests.sqlite");
    Connection::open(&path).unwrap().execute_batch(SCHEMA).unwrap();
    let map = MAP.replace("[customers]", "[customers]\nclass = 'guest'");
    let store = SqliteStore::open(path, &SqlMap::from_toml(&map).unwrap()).unwrap();
    let clock = Arc::new(ManualClock::at(evening("2026-11-28")));
    let policy = PolicyDocument::from_toml(&policy(keep)).unwrap();
    let ledger = Arc::new(MemoryLedger::new());
    let engine = Engine::builder(store, policy, Arc::clone(&ledger), hosts::keys())
        .clock(Arc::clone(&clock))
        .entropy(RepeatableEntropy::new(1))
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"));
    World { engine, ledger, clock, folder }
}

impl World {
    async fn go(&self, day: &str, asked: &Asked) -> Result<(Missing, Certificate), Decision> {
        self.clock.turn(evening(day) - self.clock.now());
        match self.engine.plan(&"7".into(), asked).await.unwrap() {
            Planned::Plan(plan) => {
                let because = plan.due().again.as_ref().map_or(Missing::Changed, |again| again.because);
                let now = self.clock.now();
                let approval =
                    Approval::new("op-7", [plan.tenant().clone()], plan.digest(), now, TimeDelta::hours(1));
                match self.engine.erase(plan.approve(approval).unwrap()).await.unwrap() {
                    Outcome::Erased(certificate) => {
                        // The ledger says the same as the outcome.
                        let read =
                            Certificate::read(&*self.ledger, certificate.case()).await.unwrap().unwrap();
                        assert_eq!(read.to_string(), certificate.to_string());
                        Ok((because, *certificate))
                    }
                    outcome => panic!("{outcome}"),
                }
            }
            no_plan => Err(no_plan.decision()),
        }
    }

    fn guest(&self) -> [Option<String>; 3] {
        let database = Connection::open(self.folder.path().join("guests.sqlite")).unwrap();
        let sql = "SELECT name, postcode, city FROM guests WHERE id = 7";
        database.query_row(sql, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?])).unwrap()
    }

    fn execute(&self, sql: &str) {
        Connection::open(self.folder.path().join("guests.sqlite")).unwrap().execute_batch(sql).unwrap();
    }
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn until(certificate: &Certificate) -> Vec<String> {
    let classes = certificate.records();
    let each =
        classes.iter().flat_map(|class| class.kept_until.iter().map(|(field, day)| format!("{field} {day}")));
    each.collect()
}

#[tokio::test]
async fn a_field_that_is_kept_for_a_time_goes_by_itself_when_the_time_is_over() {
    let world = world(TWO_YEARS);
    let (_, first) = world.go("2026-11-28", &Asked::request()).await.unwrap();
    assert_eq!(world.guest().map(Option::unwrap_or_default)[1..], ["907 29", "Umeå"]);
    // It was the 29th in Stockholm: the last day is the 28th, two years later.
    assert_eq!(until(&first), ["postcode 2028-11-28"]);
    let text = first.to_string();
    assert!(text.contains("stays until 2028-11-28: where guests come from"), "{text}");
    assert!(text.contains("stays as long as the record: how far they travel"), "{text}");
    // Not a day too early, whatever else comes up: a duty releases a bill in between, and keeps the day.
    let not_yet = world.go("2027-12-30", &Asked::Sweep).await.unwrap_err();
    assert!(matches!(&not_yet, Decision::NotYet(not_yet) if not_yet.until == day("2028-01-01")), "{not_yet}");
    let (because, second) = world.go("2028-01-01", &Asked::Sweep).await.unwrap();
    assert_eq!((because, until(&second)), (Missing::Deferred, vec!["postcode 2028-11-28".to_owned()]));
    let not_yet = world.go("2028-11-27", &Asked::Sweep).await.unwrap_err();
    assert!(matches!(&not_yet, Decision::NotYet(not_yet) if not_yet.until == day("2028-11-29")), "{not_yet}");
    let (because, last) = world.go("2028-11-28", &Asked::Sweep).await.unwrap();
    assert_eq!((because, until(&last)), (Missing::Kept, Vec::new()));
    let [_, postcode, city] = world.guest();
    assert_eq!(
        (postcode.as_deref(), city.as_deref()),
        (Some("90"), Some("Umeå")),
        "by the rule for its kind"
    );
    // Nothing is due again, and the plan of the last case says nothing of the field any more.
    for day in ["2028-11-29", "2040-01-01"] {
        let decision = world.go(day, &Asked::Sweep).await.unwrap_err();
        assert!(
            matches!(&decision, Decision::NotYet(not_yet) if not_yet.trigger == Trigger::Inactive),
            "{decision}"
        );
    }
}

#[tokio::test]
async fn who_returns_and_leaves_again_starts_the_time_again() {
    let world = world(TWO_YEARS);
    world.go("2026-11-28", &Asked::request()).await.unwrap();
    world.execute("UPDATE guests SET name = 'Ylva', postcode = '111 22', state = 'active', seen = '2028-05-01' WHERE id = 7");
    // The time of the first case is over, and the guest is a guest again: nothing goes by itself.
    let decision = world.go("2029-01-01", &Asked::Sweep).await.unwrap_err();
    assert!(!matches!(decision, Decision::Due(_)), "{decision}");
    let (_, again) = world.go("2029-01-02", &Asked::request()).await.unwrap();
    assert_eq!(until(&again), ["postcode 2031-01-02"]);
    assert_eq!(world.guest()[1].as_deref(), Some("111 22"));
}

#[tokio::test]
async fn statement_and_letter_say_for_how_long_a_field_stays() {
    let world = world(TWO_YEARS);
    let policy = world.engine.policy();
    let (_, certificate) = world.go("2026-11-28", &Asked::request()).await.unwrap();
    let head = |language| {
        let controller = Controller::new("Fjord", "info@fjord.example");
        let authority = Authority::new("IMY", "Box 8114, Stockholm");
        Letterhead::new(policy, language, controller, authority, day("2026-11-30")).unwrap()
    };
    let english = head(Language::English);
    let statement = letter::statement(&english, policy, None).unwrap().to_string();
    let says = "kept for 2 years after the erasure, then removed. Reason: where guests come from.";
    assert!(statement.contains(says), "{statement}");
    assert!(statement.contains("kept as long as the record. Reason: how far they travel."), "{statement}");
    let request = Request::new("R-1", day("2026-11-27"));
    let letter =
        letter::confirmation(&english, Some(&request), &certificate.letter_facts()).unwrap().to_string();
    assert!(letter.contains("kept until 28 November 2028 at the latest, then removed."), "{letter}");
    let concept = Concept::of(policy, None, world.engine.data_map()).to_csv();
    assert!(concept.contains("2 years after the erasure"), "{concept}");
}

/// Each of them is found by the check, and the way out of the error is accepted.
#[test]
fn a_time_is_refused_where_nobody_could_find_the_field_later() {
    let map = DataMap::builder(
        RecordClass::new("guest")
            .field(Field::key("id"))
            .field(Field::personal("name", Kind::Name))
            .field(Field::personal("postcode", Kind::Postcode).required()),
    )
    .class(
        RecordClass::new("visit")
            .field(Field::key("id"))
            .field(Field::personal("city", Kind::City))
            .field(Field::plain("made_on").dated()),
    )
    .knows(Fact::Status)
    .build()
    .unwrap();
    let check = |lines: &str| {
        let text = format!(
            "version = 1\nsweep = true\ntriggers.requested = {{ treatment = 't' }}\n\
             guards = {{ active_subscription = {{ ignore = 'x' }}, several_tenants = {{ ignore = 'x' }}, not_archived = {{ ignore = 'x' }} }}\n\
             {lines}"
        );
        PolicyDocument::from_toml(&text).and_then(|policy| policy.check(&map))
    };
    let rules =
        "anonymise = { name = 'remove', postcode = 'remove', city = { keep = 'why', for = '2 years' } }\n";
    let good = "treatments.t = { guest = 'anonymise', visit = 'anonymise' }";
    let policy = check(&format!("{rules}{good}")).unwrap();
    let kept = &policy.treatments()["t"].class("visit").unwrap().kept_for()["city"];
    assert_eq!(kept.period(), "2 years".parse().unwrap());
    for (lines, path) in [
        ("treatments.t = { guest = 'delete', visit = 'anonymise' }", "treatments.t.visit.city"),
        (
            "treatments.t = { guest = 'anonymise', visit = 'delete' }\nexpire.visit = { from = 'made_on', after = '1 year', action = 'anonymise' }",
            "expire.visit.city",
        ),
    ] {
        let problems = check(&format!("{rules}{lines}")).unwrap_err().to_string();
        assert!(problems.contains(path) && problems.contains("only for a time"), "{lines}: {problems}");
        let without = rules.replace(", for = '2 years'", "");
        check(&format!("{without}{lines}")).unwrap_or_else(|problems| panic!("{lines}: {problems}"));
    }
    for (keep, what) in [
        ("{ keep = 'why', for = '0 days' }", "is no time to keep a field"),
        ("{ keep = 'why', for = 'ever' }", "is no period"),
        ("{ for = '2 years' }", "is no rule for a field"),
    ] {
        let problems = check(&format!("anonymise.city = {keep}\n{good}")).unwrap_err().to_string();
        assert!(problems.contains(what), "{keep}: {problems}");
    }
    // What stays without an end is noted.
    let policy = check(&format!(
        "anonymise = {{ name = 'remove', postcode = 'remove', city = {{ keep = 'why' }} }}\n{good}"
    ));
    let notes = policy.unwrap().notes();
    assert!(notes.iter().any(|note| note.path == "treatments.t.visit.city"), "{notes:?}");
}
