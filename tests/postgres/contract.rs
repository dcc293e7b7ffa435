//! The contracts of the ports, on PostgreSQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use relinquish::testing::{self, Stocked};
use relinquish::{CustomerId, PolicyDocument, PostgresStore, SqlMap};

use crate::server::Database;
use crate::{crm, hosts};

/// The rows of a client in the CRM.
fn rows(database: &Database, customer: &CustomerId) -> BTreeMap<String, String> {
    let mut rows = BTreeMap::new();
    let Ok(number) = customer.as_str().parse::<i64>() else { return rows };
    for (table, key) in [
        ("clients", "id"),
        ("delivery_addresses", "client_id"),
        ("contacts", "client_id"),
        ("orders", "client_id"),
        ("invoices", "client_id"),
        ("call_records", "client_id"),
        ("activity_log", "client_id"),
    ] {
        for row in database.rows(&format!("SELECT id, t.*::text FROM {table} AS t WHERE {key} = {number}")) {
            let [Some(id), Some(text)] = row.as_slice() else { panic!("a row without a key") };
            rows.insert(format!("{table}/{id}"), text.clone());
        }
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn the_crm() {
    // One client may be named in a separate table. Then the database refuses this client.
    let spoilt = "CREATE TABLE spoilt (who bigint);
        CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF EXISTS (SELECT 1 FROM spoilt WHERE who = OLD.id) THEN RAISE EXCEPTION 'no'; END IF;
            RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
        END $$;
        CREATE TRIGGER refuses BEFORE UPDATE OF email OR DELETE ON clients FOR EACH ROW EXECUTE FUNCTION refuses();";
    let fresh = || async {
        let (host, database, store) = crm::host(spoilt).await;
        let policy = PolicyDocument::from_toml(&host.policy).unwrap();
        let (read, written) = (Arc::clone(&database), database);
        Stocked::new(store, policy)
            .at(hosts::now())
            .rows(move |customer| rows(&read, customer))
            .spoil(move |customer| written.run(&format!("INSERT INTO spoilt VALUES ({})", customer.as_str())))
    };
    testing::customer_store(fresh).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn composite_keys() {
    let map = "version = 1\n[customers]\ntable = 'people'\nkey = ['land', 'no']\ntenant = { is = 'us' }\n\
        status = { column = 'state', active = 'active', archived = 'archived' }\n\
        deactivate = { state = 'archived' }\n[customers.fields]\nname = 'name'\nmail = 'email'\nland = 'not personal'";
    let policy = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
        guards.active_subscription = { ignore = 'none is sold' }\nguards.several_tenants = { ignore = 'one tenant' }\n\
        anonymise = { name = 'remove', email = 'token' }\ntreatments.t.customer = 'anonymise'";
    let fresh = || async {
        let database = Database::with(
            "CREATE TABLE people (land text NOT NULL, no int NOT NULL, state text NOT NULL, name text,
                 mail text UNIQUE NOT NULL, PRIMARY KEY (land, no));
             INSERT INTO people VALUES ('se', 10, 'active', 'maud', 'maud@example.org'),
                 ('se', 9, 'active', 'theo', 'theo@example.org'), ('no', 9, 'active', 'ines', 'ines@example.org'),
                 ('no', 11, 'archived', 'una', 'una@example.org');",
        );
        let store = PostgresStore::over(database.pool(), &SqlMap::from_toml(map).unwrap()).await.unwrap();
        Stocked::new(store, PolicyDocument::from_toml(policy).unwrap())
    };
    testing::customer_store(fresh).await.unwrap();
}
