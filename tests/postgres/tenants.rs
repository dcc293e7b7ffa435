//! One map for many schemas, one per tenant.

use std::fmt::Write as _;

use relinquish::store::RecordStore as _;
use relinquish::testing::ManualClock;
use relinquish::{Asked, Engine, MemoryLedger, Outcome, PolicyDocument, PostgresStore, SqlMap};

use crate::hosts::{self, approved};
use crate::server::{Database, pool};

const MAP: &str = "version = 1\n[customers]\ntable = 'clients'\nkey = 'id'\ntenant = { is = 'here' }\n\
    deactivate = { none = 'no status' }\nfields = { email = 'email' }\n\
    [records.note]\ntable = 'notes'\nowner = 'client'\nfields = { body = 'free_text' }";
const POLICY: &str = "version = 1\nsweep = true\ntriggers.requested = { treatment = 't' }\n\
    guards.active_subscription = { ignore = 'none is sold' }\nguards.several_tenants = { ignore = 'one tenant' }\n\
    guards.not_archived = { ignore = 'no status' }\nguards.unpaid_invoice = { ignore = 'none' }\n\
    guards.open_dispute = { ignore = 'none' }\nanonymise = { email = 'token', free_text = 'remove' }\n\
    treatments.t = { customer = 'anonymise', note = 'delete' }";
const TENANTS: usize = 200;

async fn store_of(database: &Database, tenant: usize, map: &SqlMap) -> PostgresStore {
    let mut config = database.config();
    config.options(format!("-c search_path=t{tenant}"));
    PostgresStore::over(pool(config), map).await.unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_map_opens_two_hundred_schemas_and_an_erasure_stays_in_its_own() {
    let mut sql = String::new();
    for tenant in 0..TENANTS {
        write!(
            sql,
            "CREATE SCHEMA t{tenant};
             CREATE TABLE t{tenant}.clients (id integer PRIMARY KEY, email text UNIQUE);
             CREATE TABLE t{tenant}.notes (id integer PRIMARY KEY, client integer REFERENCES t{tenant}.clients, body text);
             INSERT INTO t{tenant}.clients VALUES (1, 'maud{tenant}@ash.org');
             INSERT INTO t{tenant}.notes VALUES (1, 1, 'Maud of {tenant}');"
        )
        .unwrap();
    }
    let database = Database::with(&sql);
    let map = SqlMap::from_toml(MAP).unwrap();
    let all = |what: &str| {
        let each: Vec<String> = (0..TENANTS)
            .map(|tenant| format!("SELECT '{tenant}', x::text FROM t{tenant}.{what} AS x"))
            .collect();
        database.lines(&each.join(" UNION ALL "))
    };
    let before = [all("clients"), all("notes")];
    let mut digest = None;
    for tenant in [0, 17, TENANTS - 1] {
        let store = store_of(&database, tenant, &map).await;
        // An approval for the map and the policy is valid in every schema.
        assert_eq!(*digest.get_or_insert_with(|| store.data_map().digest()), store.data_map().digest());
        let engine = Engine::builder(
            store,
            PolicyDocument::from_toml(POLICY).unwrap(),
            MemoryLedger::new(),
            hosts::keys(),
        )
        .clock(ManualClock::at(hosts::now()))
        .build()
        .unwrap_or_else(|problems| panic!("{problems}"));
        engine.ensure_census().await.unwrap();
        let outcome = engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap();
        let Outcome::Erased(certificate) = outcome else { panic!("{outcome}") };
        // Data in the other schemas are not covered, and the certificate says so.
        let says = certificate.to_string();
        assert!(says.contains("t42.clients, t42.notes"), "{says}");
    }
    let after = [all("clients"), all("notes")];
    let is_erased = |line: &String| ["0|", "17|", "199|"].iter().any(|tenant| line.starts_with(tenant));
    for (before, after) in before.iter().zip(&after) {
        let others =
            |lines: &[String]| lines.iter().filter(|line| !is_erased(line)).cloned().collect::<Vec<_>>();
        assert_eq!(others(before), others(after));
        assert!(
            !after.iter().filter(|line| is_erased(line)).any(|line| line.to_lowercase().contains("maud"))
        );
    }
    let last = store_of(&database, 100, &map).await;
    assert_eq!(Some(last.data_map().digest()), digest);
}
