//! Customers who are connected with several tenants, and the operators who may act on them.

use crate::hosts::BuildCounted as _;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use relinquish::ledger::{MemoryKeyRing, TokenKey};
use relinquish::plan::{ApprovalError, Authority};
use relinquish::store::PageRequest;
use relinquish::testing::ManualClock;
use relinquish::{
    Approval, Asked, CustomerStore, Engine, Error, MemoryLedger, Outcome, Plan, Planned, PolicyDocument,
    SqlMap, SqliteStore, TenantId,
};
use rusqlite::Connection;

const SCHEMA: &str = "
    CREATE TABLE viewers (id INTEGER PRIMARY KEY, broadcaster TEXT, name TEXT, state TEXT, several TEXT);
    CREATE TABLE accounts (
        id INTEGER PRIMARY KEY, viewer_id INTEGER NOT NULL REFERENCES viewers, broadcaster TEXT NOT NULL
    );
    INSERT INTO viewers VALUES (1, 'acme', 'Maud Ashworth', 'active', NULL), (2, 'acme', 'Nils Ek', 'active', NULL),
        (3, 'acme', 'Ola Berg', 'active', '[\"acme\", null]'), (4, 'acme', 'Pia Dahl', 'active', '[7, \"bolt\"]'),
        (5, 'acme', 'Rut Holm', 'active', ''), (6, 'acme', 'Sten Ros', 'active', 'bolt');
    INSERT INTO accounts (viewer_id, broadcaster) VALUES (1, 'acme'), (1, 'bolt'), (2, 'acme');";

const BY_NAME: &str =
    "{ sql = \"SELECT json_group_array(a.broadcaster) FROM accounts a WHERE a.viewer_id = viewers.id\" }";
const BY_COUNT: &str = "{ sql = \"SELECT count(*) FROM accounts a WHERE a.viewer_id = viewers.id\" }";

fn map(tenants: &str) -> SqlMap {
    let map = format!(
        r#"
        version = 1
        [customers]
        table = "viewers"
        key = "id"
        tenant = "broadcaster"
        tenants = {tenants}
        status = {{ column = "state", active = "active", archived = "archived" }}
        deactivate = {{ state = "archived" }}
        [customers.fields]
        name = "name"
        several = "not personal"
        [records.account]
        table = "accounts"
        key = "id"
        owner = "viewer_id"
        fields = {{ broadcaster = "not personal" }}
        "#
    );
    SqlMap::from_toml(&map).unwrap_or_else(|problems| panic!("{problems}"))
}

fn now() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn engine(path: &Path, tenants: &str, guard: &str) -> Engine {
    let policy = format!(
        r#"
        version = 1
        sweep = false
        [triggers]
        requested = {{ treatment = "clear" }}
        [guards]
        active_subscription = {{ ignore = "x" }}
        several_tenants = {guard}
        not_archived = {{ ignore = "each case archives first" }}
        [anonymise]
        name = "remove"
        [treatments.clear]
        customer = "anonymise"
        account = {{ keep = "no personal field" }}
        "#
    );
    if !path.exists() {
        Connection::open(path).unwrap().execute_batch(SCHEMA).unwrap();
    }
    let store = SqliteStore::open(path, &map(tenants)).unwrap();
    let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
    Engine::builder(store, PolicyDocument::from_toml(&policy).unwrap(), MemoryLedger::new(), keys)
        .clock(ManualClock::at(now()))
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"))
}

async fn plan(engine: &Engine, customer: &str) -> Plan {
    match engine.plan(&customer.into(), &Asked::request()).await.unwrap() {
        Planned::Plan(plan) => *plan,
        no_plan => panic!("{no_plan}"),
    }
}

fn approval(plan: &Plan, tenants: &[&str]) -> Approval {
    let tenants = tenants.iter().map(|tenant| (*tenant).into());
    Approval::new("op-1", tenants, plan.digest(), now(), TimeDelta::hours(1))
}

fn approve(plan: &Plan, tenants: &[&str]) -> Result<(), ApprovalError> {
    plan.clone().approve(approval(plan, tenants)).map(drop)?;
    Ok(())
}

const IGNORE: &str = "{ ignore = \"a viewer is one person everywhere\" }";

#[tokio::test]
async fn an_operator_acts_on_those_whose_every_tenant_is_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.sqlite");
    for guard in [IGNORE, "\"block sweep\""] {
        let engine = engine(&path, BY_NAME, guard);
        let (shared, alone) = (plan(&engine, "1").await, plan(&engine, "2").await);
        let other =
            |tenant: &str| Err(ApprovalError::OtherTenant { operator: "op-1".into(), tenant: tenant.into() });
        assert_eq!(approve(&alone, &["acme"]), Ok(()));
        assert_eq!(approve(&shared, &["acme"]), other("bolt"), "connected to one more");
        assert_eq!(approve(&shared, &["bolt"]), other("acme"));
        assert_eq!(approve(&shared, &["acme", "bolt", "cusp"]), Ok(()));
    }
    // The guard forbids it for every operator.
    let blocked = engine(&path, BY_NAME, "\"block\"").plan(&"1".into(), &Asked::request()).await.unwrap();
    assert!(matches!(blocked, Planned::Refused(_)));
}

#[tokio::test]
async fn one_more_tenant_after_the_approval_supersedes_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.sqlite");
    let engine = engine(&path, BY_NAME, IGNORE);
    let shared = plan(&engine, "1").await;
    let approved = shared.clone().approve(approval(&shared, &["acme", "bolt"])).unwrap();
    let database = Connection::open(&path).unwrap();
    database.execute("INSERT INTO accounts (viewer_id, broadcaster) VALUES (1, 'cusp')", []).unwrap();
    let outcome = engine.erase(approved).await.unwrap();
    assert!(matches!(&outcome, Outcome::Superseded { .. }), "{outcome}");
    // If one tenant is replaced by another, the plan is different too, although the number is the same.
    database.execute("DELETE FROM accounts WHERE broadcaster = 'bolt'", []).unwrap();
    let again = plan(&engine, "1").await;
    assert_ne!(again.digest(), shared.digest());
    let approved = again.clone().approve(approval(&again, &["acme", "cusp"])).unwrap();
    let outcome = engine.erase(approved).await.unwrap();
    assert!(matches!(&outcome, Outcome::Erased(_)), "{outcome}");
}

#[tokio::test]
async fn where_only_a_number_is_known_more_than_one_is_refused_unless_the_policy_looks_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.sqlite");
    let unnamed = ApprovalError::UnnamedTenants { operator: "op-1".into(), tenants: 2 };
    let passing = engine(&path, BY_COUNT, "\"block sweep\"");
    assert_eq!(approve(&plan(&passing, "1").await, &["acme", "bolt"]), Err(unnamed.clone()));
    assert_eq!(approve(&plan(&passing, "2").await, &["acme"]), Ok(()));
    let text = unnamed.to_string();
    assert!(text.contains("connected to 2 tenants") && text.contains("several_tenants = { ignore"), "{text}");
    let ignoring = engine(&path, BY_COUNT, IGNORE);
    assert_eq!(approve(&plan(&ignoring, "1").await, &["acme"]), Ok(()));
    assert!(approve(&plan(&ignoring, "1").await, &["bolt"]).is_err());
}

/// Waiving a step or cancelling a case is also an action on the customer.
#[tokio::test]
async fn a_case_is_cancelled_only_by_an_operator_of_every_tenant() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.sqlite");
    let engine = engine(&path, BY_NAME, IGNORE);
    let shared = plan(&engine, "1").await;
    let approved = shared.clone().approve(approval(&shared, &["acme", "bolt"])).unwrap();
    // The records are unavailable for a while, so the case stays open.
    let database = Connection::open(&path).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let outcome = engine.erase(approved).await.unwrap();
    let Outcome::Waiting { case, .. } = outcome else { panic!("{outcome}") };
    database.execute_batch("COMMIT").unwrap();
    let by = |tenants: &[&str]| Authority::new("op-2", tenants.iter().map(|tenant| TenantId::new(*tenant)));
    let refused = engine.cancel(&case, &by(&["acme"]), "x".parse().unwrap()).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Approval(ApprovalError::OtherTenant { tenant, .. }) if tenant.as_str() == "bolt")
    );
    engine.cancel(&case, &by(&["acme", "bolt"]), "x".parse().unwrap()).await.unwrap();
}

#[tokio::test]
async fn tenants_that_cannot_be_read_block_their_customer_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.sqlite");
    Connection::open(&path).unwrap().execute_batch(SCHEMA).unwrap();
    let store = SqliteStore::open(&path, &map("\"several\"")).unwrap();
    let mut customers = store.page(&PageRequest::new(10)).await.unwrap().customers;
    customers.sort_by(|one, other| one.id.cmp(&other.id));
    let read: Vec<_> = customers
        .iter()
        .map(|one| {
            let names: Vec<_> = one.connected.iter().map(TenantId::as_str).collect();
            (one.tenants, names, !one.unreadable.is_empty())
        })
        .collect();
    assert_eq!(
        read,
        [
            (1, vec![], false),
            (1, vec![], false),
            (1, vec![], true),
            (3, vec!["7", "acme", "bolt"], false),
            (1, vec![], true),
            (2, vec!["acme", "bolt"], false),
        ]
    );
}

/// A former bug that would have erased what a law keeps: a tenant's entry that was wrong only together with the
/// policy's own lines was left out without a word. The tenant then got the rules for everyone.
#[test]
fn an_entry_that_is_wrong_only_together_with_the_policy_is_refused() {
    let duty = |name: &str, statute: &str| {
        format!("[{name}]\nclasses = ['account']\nneeds = []\nstatute = '{statute}'\nfrom = 'made_on'\n")
    };
    let policy = |own: &str| {
        let everyone = duty("duties.books", "SE/BFL/7:2") + &duty("duties.letters", "SE/BFL/7:2");
        let text = format!(
            "version = 1\nsweep = false\ntriggers.requested = {{ treatment = 'clear' }}\nanonymise = {{ name = 'remove' }}\n\
             guards = {{ active_subscription = {{ ignore = 'x' }}, several_tenants = {{ ignore = 'x' }}, not_archived = {{ ignore = 'x' }} }}\n\
             treatments.clear = {{ customer = 'anonymise', account = {{ keep = 'x' }} }}\n{everyone}[tenants.zurich]\n{own}"
        );
        PolicyDocument::from_toml(&text)
    };
    let swiss = duty("tenants.zurich.duties.books", "CH/OR/958f");
    let said = policy(&swiss).unwrap_err().to_string();
    assert!(said.contains("tenants.zurich.privacy_law: is missing"), "{said}");
    assert!(said.contains("write the law of the controller: privacy_law = \"gdpr\" or"), "{said}");
    policy(&format!("privacy_law = 'fadp'\n{swiss}")).unwrap_or_else(|said| panic!("{said}"));
}
