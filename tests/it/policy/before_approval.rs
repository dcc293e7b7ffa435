//! What is refused before anybody approves anything, and what a refusal says: the map's own values against their columns,
//! misspelled tenants, operators named by an address, and one problem for one slip of the pen.

use crate::hosts::BuildCounted as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use relinquish::anonymise::Seed;
use relinquish::engine::PlannedExpiry;
use relinquish::ledger::{MemoryKeyRing, TokenKey};
use relinquish::plan::{ApprovalError, CaseId, NotAnOperatorId, Step};
use relinquish::store::{EraseRequest, Erased, PageRequest, Reactivated, Reactivation, StoreError, Target};
use relinquish::testing::ManualClock;
use relinquish::{
    Approval, Asked, CustomerStore, Engine, Error, MemoryLedger, Outcome, Plan, Planned, PolicyDocument,
    RecordStore, SqlMap, SqliteStore, TenantId,
};
use rusqlite::Connection;
use tempfile::TempDir;

const SCHEMA: &str = "
    CREATE TABLE members (
        id INTEGER PRIMARY KEY, club TEXT NOT NULL, mail VARCHAR(60) NOT NULL, card INTEGER NOT NULL UNIQUE,
        gone INTEGER NOT NULL DEFAULT 0, gone_at TEXT, is_unknown INTEGER NOT NULL DEFAULT 0, UNIQUE (club, mail, gone)
    );
    CREATE TABLE visits (id INTEGER PRIMARY KEY, member_id INTEGER NOT NULL REFERENCES members, door TEXT, day TEXT);
    INSERT INTO members (id, club, mail, card, gone) VALUES
        (1, 'north', 'tove@sund.test', 4401, 1), (2, 'north', 'tove@sund.test', 4402, 0), (3, 'north', 'ulf@sund.test', 4403, 0),
        (4, 'south', 'ulf@sund.test', 4404, 0);
    INSERT INTO visits VALUES (1, 2, 'pool', '2020-01-01'), (2, 4, 'gym', '2020-01-01');";

const MAP: &str = "
version = 1
[customers]
table = 'members'
key = 'id'
tenant = 'club'
tenants = { sql = 'SELECT 1' }
status = { column = 'gone', active = 0, archived = 1 }
deactivate = { gone = 1 }
[customers.unknown_customer]
find = { is_unknown = 1 }
create = { mail = 'unknown@{tenant}.invalid', card = 0 }
[customers.fields]
mail = 'email'
card = 'customer_number'
gone_at = 'not personal'
is_unknown = 'not personal'
[records.visit]
table = 'visits'
key = 'id'
owner = 'member_id'
fields = { door = 'location', day = 'not personal' }
";

const POLICY: &str = "
version = 1
sweep = true
triggers.requested.treatment = 'leave'
guards.active_subscription = { ignore = 'membership is free' }
guards.several_tenants = 'block'
guards.not_archived = { ignore = 'each case archives first' }
anonymise = { email = 'remove', customer_number = 'remove', location = 'remove' }
treatments.leave = { customer = 'anonymise', visit = 'anonymise' }
expire.visit = { from = 'day', after = '2 years', action = 'delete' }
";

fn now() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn database(schema: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("club.sqlite");
    Connection::open(&path).unwrap().execute_batch(schema).unwrap();
    (folder, path)
}

fn open(path: &Path, map: &str) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(path, &SqlMap::from_toml(map).unwrap_or_else(|problems| panic!("{problems}")))
}

fn engine(path: &Path, policy: &str) -> Engine {
    let policy = PolicyDocument::from_toml(policy).unwrap_or_else(|problems| panic!("{problems}"));
    let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
    Engine::builder(open(path, MAP).unwrap(), policy, MemoryLedger::new(), keys)
        .clock(Arc::new(ManualClock::at(now())))
        .batch(2)
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"))
}

async fn plan(engine: &Engine, customer: &str) -> Plan {
    match engine.plan(&customer.into(), &Asked::request()).await.unwrap() {
        Planned::Plan(plan) => *plan,
        no_plan => panic!("{no_plan}"),
    }
}

fn approval(by: &str, plan: &Plan) -> Approval {
    Approval::new(by, [plan.tenant().clone()], plan.digest(), now(), TimeDelta::hours(1))
}

async fn erase(engine: &Engine, customer: &str) -> Outcome {
    let plan = plan(engine, customer).await;
    let approval = approval("operator-7", &plan);
    engine.erase(plan.approve(approval).unwrap()).await.unwrap()
}

fn column(path: &Path, sql: &str) -> Vec<i64> {
    let database = Connection::open(path).unwrap();
    let mut rows = database.prepare(sql).unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

// ---- what the map writes ----

type Edit<'e> = (&'e str, &'e str);

/// The way of a refusal led through the whole case before: the plan was approved, and the first step was refused.
#[test]
fn what_deactivating_writes_is_held_against_its_columns() {
    let gone = "gone INTEGER NOT NULL DEFAULT 0";
    let deactivate = "deactivate = { gone = 1 }";
    let status = "status = { column = 'gone', active = 0, archived = 1 }";
    // Schema, map: each a text and what stands there instead. Then the path, and parts of the message.
    let cases: [(Edit<'_>, &[Edit<'_>], &str, &[&str]); 8] = [
        (
            (gone, "gone INTEGER NOT NULL DEFAULT 0 CHECK (gone IN (0, 2))"),
            &[],
            "gone",
            &["refused by CHECK"],
        ),
        (
            (gone, "gone INTEGER NOT NULL DEFAULT 0 CHECK (gone IN (0, 2))"),
            &[(status, "status = { column = 'gone', active = 0, archived = [1, 2] }")],
            "gone",
            &["refused by CHECK", "write 2, which the status reads as archived too"],
        ),
        (
            (gone, "gone VARCHAR(3) NOT NULL DEFAULT 0"),
            &[
                (status, "status = { column = 'gone', active = '0', archived = 'archived' }"),
                (deactivate, "deactivate = { gone = 'archived' }"),
            ],
            "gone",
            &["longer than the 3 characters"],
        ),
        (
            (gone, gone),
            &[
                (status, "status = { column = 'gone', active = 0, archived = 'yes' }"),
                (deactivate, "deactivate = { gone = 'yes' }"),
            ],
            "gone",
            &["another type"],
        ),
        (
            ("gone_at TEXT", "gone_at INTEGER"),
            &[(deactivate, "deactivate = { gone = 1, gone_at = '{now}' }"), ("gone_at = 'not personal'", "")],
            "gone_at",
            &["{now} writes a text such as", "another type"],
        ),
        (
            ("gone_at TEXT", "gone_at TEXT UNIQUE"),
            &[(deactivate, "deactivate = { gone = 1, gone_at = '{now}' }"), ("gone_at = 'not personal'", "")],
            "gone_at",
            &["the same for every customer", "gone_at"],
        ),
        (("UNIQUE (club, mail, gone)", "UNIQUE (gone)"), &[], "gone", &["the same for every customer"]),
        (
            ("gone_at TEXT", "gone_at TEXT AS ('x') STORED"),
            &[(deactivate, "deactivate = { gone = 1, gone_at = 'x' }"), ("gone_at = 'not personal'", "")],
            "gone_at",
            &["is computed by the database"],
        ),
    ];
    for ((from, to), edits, at, parts) in cases {
        let schema = SCHEMA.split("INSERT INTO members").next().unwrap().replace(from, to);
        let map = edits.iter().fold(MAP.to_owned(), |map, (from, to)| {
            assert!(map.contains(from), "{from}");
            map.replace(from, to)
        });
        let (_folder, path) = database(&schema);
        let Err(StoreError::Map(problems)) = open(&path, &map) else { panic!("{to} fits") };
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(list.len(), 1, "{to}: {list:#?}");
        assert!(list[0].starts_with(&format!("customers.deactivate.{at}: ")), "{list:?}");
        assert!(parts.iter().all(|part| list[0].contains(part)), "{parts:?}: {list:?}");
    }
    // NULLs do not collide, and one column of several that are unique together says nothing.
    let (_folder, path) = database(SCHEMA);
    open(&path, MAP).unwrap();
    for (what, create) in [
        ("another type", "card = 'none'"),
        ("longer than the 60", &*format!("card = 0, mail = '{}'", "x".repeat(61))),
    ] {
        let map = MAP.replace("mail = 'unknown@{tenant}.invalid', card = 0", create);
        let map =
            if create.contains("mail") { map } else { map.replace("create = {", "create = { mail = 'x',") };
        let Err(StoreError::Map(problems)) = open(&path, &map) else { panic!("{create} fits") };
        assert!(problems.to_string().starts_with("customers.unknown_customer.create."), "{problems}");
        assert!(problems.to_string().contains(what), "{problems}");
    }
}

/// What only the rows can tell: the second account of a person. The error named a treatment, and none writes that column.
#[tokio::test]
async fn a_deactivation_that_the_database_refuses_names_the_map_and_leaves_a_way() {
    let (_folder, path) = database(SCHEMA);
    let engine = engine(&path, POLICY);
    let Outcome::Blocked { case, step, reason, .. } = erase(&engine, "2").await else {
        panic!("not blocked")
    };
    assert_eq!(step, Step::Deactivate);
    for part in
        ["customers.deactivate", "writes gone", "members.mail", "another row of the table", "and retry"]
    {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert!(!reason.contains("treatment") && !reason.contains("tove"), "{reason}");
    assert_eq!(column(&path, "SELECT gone FROM members ORDER BY id"), [1, 0, 0, 0], "nothing is written");
    // The way out works.
    let other = erase(&engine, "1").await;
    assert!(matches!(other, Outcome::Erased(_)), "{other}");
    let again = engine.retry(&CaseId::new(case.to_string())).await.unwrap();
    assert!(matches!(again, Outcome::Erased(_)), "{again}");
}

/// One whose former values were taken meanwhile failed everybody of the batch.
#[tokio::test]
async fn a_deactivation_that_cannot_be_taken_back_fails_nobody_else() {
    let (_folder, path) =
        database(&SCHEMA.replace("4401, 1)", "4401, 0)").replace("(2, 'north', 'tove", "(2, 'north', 'tore"));
    let store = open(&path, MAP).unwrap();
    let facts = store.page(&PageRequest::new(9)).await.unwrap().customers;
    let batch: Vec<_> = facts
        .iter()
        .map(|facts| relinquish::store::Deactivation {
            customer: facts.id.clone(),
            expected: facts.expected(),
            at: now(),
        })
        .collect();
    let done = store.deactivate(&batch).await.unwrap();
    let back: Vec<Reactivation> = facts
        .iter()
        .zip(done)
        .map(|(facts, done)| match done.unwrap() {
            relinquish::store::Deactivated::Done { before } => {
                Reactivation { customer: facts.id.clone(), before }
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let newcomer = "INSERT INTO members (id, club, mail, card) VALUES (9, 'north', 'tove@sund.test', 9)";
    Connection::open(&path).unwrap().execute_batch(newcomer).unwrap();
    let answers = store.reactivate(&back).await.unwrap();
    let Err(error @ StoreError::Deactivation { .. }) = &answers[0] else { panic!("{answers:?}") };
    assert!(error.to_string().starts_with("taking back the deactivation of a customer: "), "{error}");
    assert!(answers[1..].iter().all(|answer| matches!(answer, Ok(Reactivated::Done))), "{answers:?}");
    assert_eq!(column(&path, "SELECT gone FROM members ORDER BY id"), [1, 0, 0, 0, 0]);
}

/// Card numbers that must differ and cannot be NULL: a random number is drawn, and drawn again where somebody has it.
#[tokio::test]
async fn whole_numbers_that_must_differ_are_drawn_again_until_they_do() {
    let drawn = async |taken: Option<i64>| -> i64 {
        let (_folder, path) = database(SCHEMA);
        if let Some(taken) = taken {
            let sql = "UPDATE members SET card = ?1 WHERE id = 4";
            Connection::open(&path).unwrap().execute(sql, [taken]).unwrap();
        }
        let store = open(&path, MAP).unwrap();
        let policy = PolicyDocument::from_toml(POLICY).unwrap().check(store.data_map()).unwrap();
        let facts = store.facts(&["3".into()]).await.unwrap();
        let target =
            Target { customer: "3".into(), tenant: facts[0].tenant.clone(), expected: facts[0].expected() };
        let treatment = Arc::clone(&policy.treatments()["leave"]);
        let request = EraseRequest::new(vec![target], treatment, Seed::new([3; 32]), now());
        let answers = store.erase(&request).await.unwrap();
        assert!(matches!(answers[0], Ok(Erased::Done(_))), "{answers:?}");
        column(&path, "SELECT card FROM members WHERE id = 3")[0]
    };
    let first = drawn(None).await;
    assert_eq!(first.to_string().len(), 19, "{first}");
    assert_eq!(drawn(None).await, first, "by seed and place");
    let second = drawn(Some(first)).await;
    assert!(second != first && second.to_string().len() == 19, "{second}");
    let (_folder, path) = database(SCHEMA);
    let outcome = erase(&engine(&path, POLICY), "3").await;
    assert!(matches!(outcome, Outcome::Erased(_)), "read back as erased: {outcome}");
}

// ---- tenants ----

/// The problems of tenants that nobody has.
fn unknown<T: std::fmt::Debug>(found: Result<T, Error>) -> Vec<String> {
    match found {
        Err(Error::NoSuchTenant(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

/// It gave a plan of 0 customers, and an entry of the policy that was in force for nobody.
#[tokio::test]
async fn a_misspelled_tenant_is_an_error_with_the_nearest_name() {
    let (_folder, path) = database(SCHEMA);
    let sound = engine(&path, POLICY);
    sound.check_tenants().await.unwrap();
    let plan = sound.plan_expiry(["north".into(), "south".into()]).await.unwrap();
    assert!(matches!(plan, PlannedExpiry::Plan(_)));
    let asked: Vec<TenantId> = ["noth".into(), "south".into(), "x".into()].to_vec();
    assert_eq!(
        unknown(sound.plan_expiry(asked).await),
        [
            "tenant noth: no customer of the store has this tenant; did you mean north?",
            "tenant x: no customer of the store has this tenant; the store has: north, south",
        ]
    );
    // With the switch off nothing is planned, and the name is wrong all the same.
    let off = engine(&path, &POLICY.replace("sweep = true", "sweep = false"));
    assert_eq!(unknown(off.plan_expiry(["noth".into()]).await).len(), 1);

    let entry = format!("{POLICY}[tenants.sout]\nexpire.visit = 'off'\n[tenants.north]\nsweep = true\n");
    let wrong = engine(&path, &entry);
    let said = [
        "tenants.sout: no customer of the store has this tenant; did you mean south? Otherwise leave the entry out until the \
         tenant has customers",
    ];
    assert_eq!(unknown(wrong.check_tenants().await), said);
    assert_eq!(unknown(wrong.plan_expiry(["south".into()]).await), said, "south would get everyone's rules");
    assert_eq!(unknown(sound.impact(wrong.policy()).await), said);
    // An engine is built without reading a row, and a customer is planned for without reading all of them.
    assert!(matches!(wrong.plan(&"4".into(), &Asked::request()).await.unwrap(), Planned::Plan(_)));
}

#[tokio::test]
async fn a_tenant_with_nobody_but_its_stand_in_is_one() {
    let (_folder, path) = database(&format!(
        "{SCHEMA} INSERT INTO members (id, club, mail, card, is_unknown) VALUES (8, 'east', 'unknown', 0, 1)"
    ));
    let engine = engine(&path, &format!("{POLICY}[tenants.east]\nsweep = true\n"));
    engine.check_tenants().await.unwrap();
    engine.impact(engine.policy()).await.unwrap();
    engine.plan_expiry(["east".into()]).await.unwrap();
}

/// A store of a thousand tenants names a few of them.
#[tokio::test]
async fn what_an_error_names_does_not_grow_with_the_store() {
    let (_folder, path) = database(&format!(
        "{SCHEMA} WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)
         INSERT INTO members (id, club, mail, card) SELECT i, 'club of ' || i, i, i FROM n"
    ));
    let list = unknown(engine(&path, POLICY).plan_expiry(["zzzzzzzzzzzzzzzzzzzzzz".into()]).await);
    assert!(list[0].len() < 300 && list[0].ends_with(" and others"), "{list:?}");
}

// ---- operators ----

/// The ledger keeps the operator's id for good.
#[tokio::test]
async fn nobody_approves_by_an_address_or_for_ever() {
    let (_folder, path) = database(SCHEMA);
    let engine = engine(&path, POLICY);
    let plan = plan(&engine, "3").await;
    let refused = plan.clone().approve(approval("vera@lund.test", &plan)).unwrap_err().why;
    assert_eq!(refused, ApprovalError::Operator(NotAnOperatorId::Email));
    assert!(refused.to_string().contains("give an opaque id, such as operator-7"), "{refused}");
    let long = Approval::new("operator-7", [plan.tenant().clone()], plan.digest(), now(), TimeDelta::MAX);
    assert!(matches!(plan.clone().approve(long).unwrap_err().why, ApprovalError::TooLong { .. }));
    let PlannedExpiry::Plan(expiry) = engine.plan_expiry(["south".into()]).await.unwrap() else {
        panic!("there is a plan")
    };
    let by = |by: &str, long| Approval::new(by, ["south".into()], expiry.digest(), now(), long);
    let month = Approval::LONGEST;
    let refused = expiry.clone().approve(by("vera@lund.test", month)).unwrap_err();
    assert!(matches!(refused.why, ApprovalError::Operator(_)), "{refused}");
    let long = by("op-1", month + TimeDelta::seconds(1));
    assert!(matches!(expiry.clone().approve(long).unwrap_err().why, ApprovalError::TooLong { .. }));
    assert!(expiry.clone().approve(by("op-1", month)).is_ok());
}

// ---- one slip of the pen, one problem ----

#[test]
fn a_slip_in_what_everything_hangs_on_is_one_problem() {
    for (from, to, path) in [
        ("anonymise =", "anonymize =", "anonymize"),
        ("sweep =", "swep =", "swep"),
        ("version =", "vesion =", "vesion"),
    ] {
        let problems = PolicyDocument::from_toml(&POLICY.replace(from, to)).unwrap_err();
        let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, [path], "{problems}");
    }
    for (from, to, path) in [
        ("[customers", "[custmers", "custmers"),
        ("[records.", "[record.", "record"),
        ("tenant = 'club'", "tennant = 'club'", "customers.tennant"),
        ("deactivate =", "deactivte =", "customers.deactivte"),
    ] {
        let problems = SqlMap::from_toml(&MAP.replace(from, to)).unwrap_err();
        let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, [path], "{problems}");
    }
    let (_folder, path) = database(SCHEMA);
    for (from, to, said) in [
        (
            "key = 'id'\ntenant",
            "key = 'idd'\ntenant",
            "customers.key: table members has no column idd; did you mean id?",
        ),
        (
            "key = 'id'\ntenant",
            "key = 'member_no'\ntenant",
            "customers.key: table members has no column member_no; did you mean id?",
        ),
        (
            "table = 'members'",
            "table = 'member'",
            "customers.table: there is no table member; did you mean members?",
        ),
    ] {
        let Err(StoreError::Map(problems)) = open(&path, &MAP.replace(from, to)) else { panic!("{to} fits") };
        assert_eq!(problems.to_string(), said);
    }
}
