//! A root store in PostgreSQL, call records in another PostgreSQL database, a list that knows a customer only by the
//! address, and an archive in SQLite.

use std::collections::BTreeMap;
use std::sync::Arc;

use relinquish::ledger::{CaseBook as _, Closing, Ledger as _};
use relinquish::store::WithStores;
use relinquish::testing::{Faulty, ManualClock};
use relinquish::{Asked, Engine, Outcome, PolicyDocument, PostgresStore, SqlMap, SqliteLedger, SqliteStore};
use rusqlite::Connection;

use crate::hosts::{self, ResumeAll as _, approved};
use crate::server::Database;
use crate::wired::{NEVER, Tripwire, until_death};

const CRM: &str = "CREATE TABLE clients (id bigint PRIMARY KEY, name text, email text, made timestamptz);
    INSERT INTO clients VALUES (1, 'Maud Ash', 'maud@ash.org', '2020-01-01'), (2, 'Bob Elm', 'bob@elm.org', '2020-01-01');";
const CALLS: &str = "CREATE SCHEMA billing;
    CREATE TABLE billing.calls (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, client bigint, number text);
    CREATE TABLE billing.remarks (id integer PRIMARY KEY, call bigint REFERENCES billing.calls, words text);
    CREATE INDEX ON billing.calls (client);
    INSERT INTO billing.calls (client, number) VALUES (1, '+46 8 1'), (2, '+46 8 2'), (1, '+46 8 3'), (99, '+46 8 4');
    INSERT INTO billing.remarks VALUES (1, 1, 'Maud Ash was glad'), (2, 2, 'Bob Elm knows Maud Ash');";
const LIST: &str = "CREATE TABLE letters (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), mail varchar(80), sent date);
    INSERT INTO letters (mail, sent) VALUES ('maud@ash.org', '2024-01-01'), ('bob@elm.org', '2024-01-01'), ('guest@fir.org', '2024-01-01');";
const ARCHIVE: &str = "CREATE TABLE receipts (no INTEGER PRIMARY KEY, client_id INTEGER, name TEXT);
    INSERT INTO receipts VALUES (1, 1, 'Maud Ash'), (2, 2, 'Bob Elm');";

const CRM_MAP: &str = "version = 1\n[customers]\ntable = 'clients'\nkey = 'id'\ntenant = { is = 'here' }\nregistered = 'made'\n\
    deactivate = { none = 'no status' }\nfields = { name = 'name', email = 'email' }";
const CALLS_MAP: &str = "version = 1\nbeside = {}\n\
    [records.call]\ntable = 'billing.calls'\nowner = 'client'\nfields = { number = 'phone' }\n\
    [records.remark]\ntable = 'billing.remarks'\nowner = 'call'\nfields = { words = 'free_text' }";
const LIST_MAP: &str = "version = 1\nbeside = {}\n\
    [records.letter]\ntable = 'letters'\nowner = { column = 'mail', to = 'customer.email' }\n\
    fields = { mail = 'email', sent = 'not personal' }";
const ARCHIVE_MAP: &str = "version = 1\nbeside = {}\n\
    [records.receipt]\ntable = 'receipts'\nowner = 'client_id'\nfields = { name = 'name' }";
const POLICY: &str = "version = 1\nsweep = true\n[triggers]\nrequested = { treatment = 'x' }\n[guards]\n\
    active_subscription = { ignore = 'none' }\nseveral_tenants = { ignore = 'one' }\nnot_archived = { ignore = 'none' }\n\
    unpaid_invoice = { ignore = 'none' }\nopen_dispute = { ignore = 'none' }\n\
    [anonymise]\nname = 'remove'\nemail = 'token'\nphone = 'remove'\nfree_text = 'redact'\n[treatments.x]\n\
    customer = 'anonymise'\ncall = 'anonymise'\nremark = 'anonymise'\nletter = 'delete'\nreceipt = 'anonymise'\n";

struct Stores {
    crm: Database,
    calls: Database,
    list: Database,
    folder: tempfile::TempDir,
}

type Rows = BTreeMap<String, String>;

impl Stores {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Connection::open(folder.path().join("archive")).unwrap().execute_batch(ARCHIVE).unwrap();
        Self { crm: Database::with(CRM), calls: Database::with(CALLS), list: Database::with(LIST), folder }
    }

    async fn engine(&self, wire: &Arc<Tripwire>) -> Engine {
        let map = |text: &str| SqlMap::from_toml(text).unwrap_or_else(|problems| panic!("{problems}"));
        let wire = || Arc::clone(wire);
        let crm = PostgresStore::over(self.crm.pool(), &map(CRM_MAP)).await.unwrap();
        let calls = PostgresStore::beside(self.calls.pool(), &map(CALLS_MAP))
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let list = PostgresStore::beside(self.list.pool(), &map(LIST_MAP))
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let archive = SqliteStore::beside(self.folder.path().join("archive"), &map(ARCHIVE_MAP)).unwrap();
        let store = WithStores::around(Faulty::new(crm, wire()))
            .store("calls", Faulty::new(calls, wire()))
            .and_then(|all| all.store("list", Faulty::new(list, wire())))
            .and_then(|all| all.store("archive", Faulty::new(archive, wire())))
            .unwrap_or_else(|problems| panic!("{problems}"));
        let path = self.folder.path().join("ledger.sqlite");
        let keys = hosts::keys_beside(&path);
        Engine::builder(
            store,
            PolicyDocument::from_toml(POLICY).unwrap(),
            SqliteLedger::open(&path).unwrap(),
            keys,
        )
        .clock(ManualClock::at(hosts::now()))
        .worker("one")
        .build()
        .unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn rows(&self) -> Rows {
        let mut rows = Rows::new();
        for (database, table, key) in [
            (&self.crm, "clients", "id"),
            (&self.calls, "billing.calls", "id"),
            (&self.calls, "billing.remarks", "id"),
            (&self.list, "letters", "id"),
        ] {
            for row in database.rows(&format!("SELECT {key}::text, t.*::text FROM {table} AS t")) {
                rows.insert(format!("{table}/{}", row[0].as_ref().unwrap()), row[1].clone().unwrap());
            }
        }
        let archive = Connection::open(self.folder.path().join("archive")).unwrap();
        let mut receipts =
            archive.prepare("SELECT no || '', client_id || quote(name) FROM receipts").unwrap();
        let found =
            receipts.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
        rows.extend(found.map(Result::unwrap).map(|(no, row)| (format!("receipts/{no}"), row)));
        rows
    }
}

/// Only a remark of another customer still names the first customer, and everything else is unchanged.
fn judge(before: &Rows, after: &Rows, what: &str) {
    let mine = |row: &str| {
        let first = ["clients/1", "billing.calls/1", "billing.calls/3", "billing.remarks/1", "receipts/1"];
        first.contains(&row) || before[row].contains("maud@ash.org")
    };
    for (row, content) in before {
        let now = after.get(row);
        if mine(row) {
            let is_left =
                now.is_some_and(|now| ["Maud", "maud@", "+46"].iter().any(|value| now.contains(value)));
            assert!(!is_left, "{what}: {row} is left: {now:?}");
        } else {
            assert_eq!(now, Some(content), "{what}: {row} is somebody else's");
        }
    }
    assert_eq!(after.len() + 1, before.len(), "{what}: the letter is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_erased_in_two_kinds_of_stores_and_nobody_else_is_touched() {
    let stores = Stores::new();
    let before = stores.rows();
    let engine = stores.engine(&Tripwire::at(NEVER)).await;
    let census = engine.census().await.unwrap();
    assert!(census.is_clean(), "{census}");
    assert_eq!(census.tables["calls.billing.calls"].rows, 4, "{census}");
    let plan = approved(&engine, &"1".into(), &Asked::request()).await;
    let says = plan.plan().to_string();
    assert!(says.contains("call                 anonymise       2 rows"), "{says}");
    let outcome = engine.erase(plan).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    judge(&before, &stores.rows(), "all");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_over_two_kinds_of_stores_that_dies_is_finished_by_resume() {
    let mut deaths = 0;
    // This test tries every third boundary. The tests of the library try all of them.
    for dies_at in (0..).step_by(3) {
        let stores = Stores::new();
        let before = stores.rows();
        let calm = stores.engine(&Tripwire::at(NEVER)).await;
        calm.ensure_census().await.unwrap();
        let plan = approved(&calm, &"1".into(), &Asked::request()).await;
        drop(calm);
        let wire = Tripwire::at(dies_at);
        let first = stores.engine(&wire).await;
        let finished = until_death(&wire, first.erase(plan)).await;
        drop(first);
        if let Some(outcome) = finished {
            assert!(matches!(outcome.unwrap(), Outcome::Erased(_)));
            break;
        }
        deaths += 1;
        let second = stores.engine(&Tripwire::at(NEVER)).await;
        let outcomes = second.resumed().await;
        for outcome in &outcomes {
            assert!(matches!(outcome, Outcome::Erased(_)), "at {dies_at}: {outcome}");
        }
        let ledger = SqliteLedger::open(stores.folder.path().join("ledger.sqlite")).unwrap();
        assert!(ledger.list(None, 10).await.unwrap().is_empty(), "at {dies_at}");
        let entries = ledger.entries(0, 10).await.unwrap();
        let closed: Vec<_> = entries.iter().filter_map(|entry| entry.closed()).collect();
        match closed.as_slice() {
            [] => assert_eq!(stores.rows(), before, "at {dies_at}: untouched"),
            [closed] => {
                assert!(matches!(closed.closing, Closing::Erased(_)), "at {dies_at}");
                judge(&before, &stores.rows(), &format!("at {dies_at}"));
            }
            _ => panic!("at {dies_at}: closed twice"),
        }
    }
    assert!(deaths > 12, "{deaths} boundaries");
}

/// PostgreSQL takes ann@x.org and Ann@x.org for one address there, and the root store has two customers.
#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_takes_different_values_for_equal_is_refused() {
    for (create, kind) in [
        ("CREATE EXTENSION IF NOT EXISTS citext", "citext"),
        (
            "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            "text COLLATE loose",
        ),
    ] {
        let list = Database::with(&format!("{create}; {}", LIST.replace("varchar(80)", kind)));
        let map = SqlMap::from_toml(LIST_MAP).unwrap();
        let refused = PostgresStore::beside(list.pool(), &map).await.map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("letters.mail takes different values for equal"), "{kind}: {refused}");
    }
    let list = Database::with(
        &LIST
            .replace("mail varchar(80)", "mail integer")
            .replace("'maud@ash.org'", "7")
            .replace("'bob@elm.org'", "8")
            .replace("'guest@fir.org'", "9"),
    );
    let crm = Database::with(CRM);
    let map = |text: &str| SqlMap::from_toml(text).unwrap();
    let list = PostgresStore::beside(list.pool(), &map(LIST_MAP)).await.unwrap();
    let crm = PostgresStore::over(crm.pool(), &map(CRM_MAP)).await.unwrap();
    let refused = WithStores::around(crm).store("list", list).unwrap_err().to_string();
    assert!(
        refused.contains("customer.email: is a text in the root store and a whole number in list"),
        "{refused}"
    );
}
