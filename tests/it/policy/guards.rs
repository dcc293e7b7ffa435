//! Guards: invoices, disputes, holds, and the host's own states, from a real database to the refusal.

use chrono::{DateTime, Utc};
use relinquish::plan::{GuardFinding, decide};
use relinquish::policy::{Ground, Guard};
use relinquish::store::PageRequest;
use relinquish::{
    Asked, Customer, CustomerStore, Decision, Policy, PolicyDocument, RecordStore, SqlMap, SqliteStore,
};
use rusqlite::Connection;

const SCHEMA: &str = "
    CREATE TABLE organisations (id TEXT PRIMARY KEY, white_label INTEGER);
    INSERT INTO organisations VALUES ('acme', 1), ('bolt', 0), ('cusp', NULL);
    CREATE TABLE clients (id INTEGER PRIMARY KEY, organisation TEXT, name TEXT, state TEXT, holds TEXT);
    INSERT INTO clients VALUES
        (1, 'acme', 'Maud Ashworth', 'archived', NULL),
        (2, 'bolt', 'Nils Ek', 'archived', NULL),
        (3, 'cusp', 'Ola Berg', 'archived', NULL),
        (4, 'acme', 'Pia Dahl', 'archived', 'legal_claim'),
        (5, 'acme', 'Rut Holm', 'archived', '[\"restriction\", \"authority_order\"]'),
        (6, 'acme', 'Sten Ros', 'archived', 'a grudge'),
        (7, 'acme', 'Tove Lind', 'archived', NULL);
    CREATE TABLE invoices (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, paid INTEGER, disputed INTEGER);
    INSERT INTO invoices VALUES (1, 1, 1, 0), (2, 7, 0, 1);";

const MAP: &str = r#"
    version = 1
    [customers]
    table = "clients"
    key = "id"
    tenant = "organisation"
    status = { column = "state", active = "active", archived = "archived" }
    deactivate = { state = "archived" }
    unpaid_invoices = { sql = "SELECT count(*) FROM invoices i WHERE i.client_id = clients.id AND NOT i.paid" }
    open_disputes = { sql = "SELECT count(*) FROM invoices i WHERE i.client_id = clients.id AND i.disputed" }
    holds = "holds"
    states.not_white_label = { sql = "SELECT NOT o.white_label FROM organisations o WHERE o.id = clients.organisation" }
    [customers.fields]
    name = "name"
    holds = "not personal"
    [records.invoice]
    table = "invoices"
    key = "id"
    owner = "client_id"
    fields = { paid = "not personal", disputed = "not personal" }
"#;

const POLICY: &str = r#"
    version = 1
    sweep = true
    [triggers]
    requested = { treatment = "clear" }
    [guards]
    active_subscription = { ignore = "none are sold" }
    several_tenants = { ignore = "each client is one organisation's" }
    not_white_label = { block = "the organisation shares its clients", ground = "Art. 17(1)(a)", way_out = "ask them" }
    [anonymise]
    name = "remove"
    [treatments.clear]
    customer = "anonymise"
    invoice = { keep = "no personal data" }
"#;

fn now() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

async fn opened() -> (tempfile::TempDir, Vec<Customer>, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("host.sqlite");
    Connection::open(&database).unwrap().execute_batch(SCHEMA).unwrap();
    let store = SqliteStore::open(&database, &SqlMap::from_toml(MAP).unwrap()).unwrap();
    let mut customers = store.page(&PageRequest::new(10)).await.unwrap().customers;
    customers.sort_by(|a, b| a.id.cmp(&b.id));
    (folder, customers, store)
}

fn checked(store: &SqliteStore, policy: &str) -> Policy {
    PolicyDocument::from_toml(policy).unwrap().check(store.data_map()).unwrap()
}

/// The reasons that block a request, each with the ground of the refusal.
fn blocked(policy: &Policy, customer: &Customer, asked: &Asked) -> Vec<String> {
    match decide(policy, customer, asked, &[], now()) {
        Decision::Due(_) => Vec::new(),
        Decision::Blocked(blocked) => {
            let name = |guard: Option<&Guard>| guard.map_or_else(|| "a fact".to_owned(), Guard::to_string);
            let ground =
                |ground: Option<Ground>| ground.map_or_else(|| "no ground".to_owned(), |g| g.to_string());
            blocked
                .by
                .iter()
                .map(|by| format!("{}: {}", name(by.guard.as_ref()), ground(by.ground)))
                .collect()
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_refusal_names_its_guard_and_its_ground() {
    let (_folder, customers, store) = opened().await;
    let policy = checked(&store, POLICY);
    let found: Vec<_> = customers.iter().map(|one| blocked(&policy, one, &Asked::request())).collect();
    assert_eq!(
        found,
        [
            vec![],
            vec!["not_white_label: Art. 17(1)(a) GDPR"],
            // An unknown state also forbids the erasure.
            vec!["not_white_label: Art. 17(1)(a) GDPR"],
            vec!["legal_claim: Art. 17(3)(e) GDPR"],
            // Art. 18(2) is not an exception from Art. 17.
            vec!["restriction: no ground", "authority_order: Art. 17(3)(b) GDPR"],
            vec!["a fact: no ground"],
            vec!["unpaid_invoice: Art. 17(3)(e) GDPR", "open_dispute: Art. 17(3)(e) GDPR"],
        ]
    );
    let text = decide(&policy, &customers[1], &Asked::request(), &[], now()).to_string();
    assert!(text.contains("the organisation shares its clients; ask them"), "{text}");
}

#[tokio::test]
async fn a_policy_may_let_a_request_pass_or_look_away() {
    let (_folder, customers, store) = opened().await;
    let rules =
        "[guards]\nunpaid_invoice = \"block sweep\"\nopen_dispute = { ignore = \"settled elsewhere\" }\n";
    let policy = checked(&store, &POLICY.replace("[guards]\n", rules));
    let Decision::Due(due) = decide(&policy, &customers[6], &Asked::request(), &[], now()) else { panic!() };
    assert_eq!(due.guards[&Guard::UnpaidInvoice], GuardFinding::Passed);
    assert_eq!(due.guards[&Guard::OpenDispute], GuardFinding::Ignored);
}

#[tokio::test]
async fn a_guard_of_the_hosts_own_is_declared_and_has_a_ground() {
    let (_folder, _, store) = opened().await;
    let faults = |rule: &str| {
        let start = POLICY.find("    not_white_label").unwrap();
        let end = start + POLICY[start..].find('\n').unwrap();
        let text = format!("{}{rule}{}", &POLICY[..start], &POLICY[end..]);
        let checked = PolicyDocument::from_toml(&text).and_then(|policy| policy.check(store.data_map()));
        checked.err().map_or_else(String::new, |problems| problems.to_string())
    };
    for fine in ["", "not_white_label = 'block sweep'", "not_white_label = { ignore = 'theirs alone' }"] {
        assert_eq!(faults(fine), "", "{fine}");
    }
    for (rule, part) in [
        ("not_white_label = 'block'", "guards.not_white_label: stops a request, and names no ground"),
        (
            "not_white_label = { block = 'a contract', ground = '6(1)(b)' }",
            "neither a contract alone nor 18(2)",
        ),
        ("not_white_label = { block = 'why' }", "guards.not_white_label.ground: is missing"),
        ("not_white_lable = 'block sweep'", "did you mean not_white_label?"),
        ("unpaid_invoices = 'block'", "did you mean unpaid_invoice?"),
    ] {
        assert!(faults(rule).contains(part), "{rule}: {}", faults(rule));
    }
}

/// Facts that a gateway gives are checked even if the policy has no line for them. A fact that no source gives is an
/// error only if the policy has a line for it.
#[test]
fn a_guard_that_nobody_tells_is_an_error_if_the_policy_asks_for_it() {
    let map = |map: &str| SqlMap::from_toml(map).unwrap();
    let without = MAP
        .lines()
        .filter(|line| !line.contains("unpaid_invoices") && !line.contains("open_disputes"))
        .collect::<Vec<_>>()
        .join("\n");
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("host.sqlite");
    Connection::open(&database).unwrap().execute_batch(SCHEMA).unwrap();
    let store = SqliteStore::open(&database, &map(&without)).unwrap();
    assert_eq!(
        checked(&store, POLICY)
            .everyone()
            .guards()
            .filter(|(guard, _)| **guard == Guard::OpenDispute)
            .count(),
        0
    );
    let asked = POLICY.replace("[guards]\n", "[guards]\nopen_dispute = \"block\"\n");
    let problems = PolicyDocument::from_toml(&asked).unwrap().check(store.data_map()).unwrap_err();
    assert!(problems.to_string().contains("guards.open_dispute: blocks, but nothing"), "{problems}");
}
