//! How fast customers are erased from a PostgreSQL database, compared with SQL that is written by hand.
//!
//! Run it with `cargo bench -p relinquish-postgres-tests`. Set `CUSTOMERS=200` in the environment for a short run.
//!
//! Each customer has 2 addresses, 10 invoices and 100 call records. Half of the customers are erased. *Careful* SQL
//! does the same as the store, in the same batches and transactions: it locks and compares the customers, erases, and
//! counts what is left. *One by one* is the usual code of a service: one transaction for each customer, and one
//! statement for each table.

// This program prints figures.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing, dead_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use relinquish::anonymise::Seed;
use relinquish::store::{CustomerStore as _, EraseRequest, Erased, RecordStore as _, TallyRequest, Target};
use relinquish::{CustomerId, PolicyDocument, PostgresStore, SqlMap};
use tokio_postgres::Client;

use server::Database;

#[path = "server.rs"]
mod server;

const SCHEMA: &str = "
    CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, phone text, subscriptions bigint NOT NULL);
    CREATE TABLE addresses (id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, street text);
    CREATE TABLE invoices (id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, billing_name text NOT NULL,
        billing_address text, total bigint NOT NULL);
    CREATE TABLE calls (id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, called text, seconds bigint);";

const MAP: &str = "version = 1\n[customers]\ntable = 'customers'\nkey = 'id'\ntenant = { is = 'shop' }\n\
    active_subscriptions = 'subscriptions'\ndeactivate = { none = 'no status' }\n\
    fields = { name = 'name', email = 'email', phone = 'phone' }\n\
    [records.address]\ntable = 'addresses'\nowner = 'customer_id'\nfields = { street = 'address' }\n\
    [records.invoice]\ntable = 'invoices'\nowner = 'customer_id'\n\
    fields = { billing_name = 'name', billing_address = 'address', total = 'not personal' }\n\
    [records.call]\ntable = 'calls'\nowner = 'customer_id'\nfields = { called = 'communication', seconds = 'not personal' }";

const POLICY: &str = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
    guards.several_tenants = { ignore = 'one tenant' }\nguards.not_archived = { ignore = 'no status' }\n\
    anonymise = { name = { placeholder = 'Anonymised {date}' }, email = 'token', phone = 'remove', address = 'remove' }\n\
    [treatments.t]\ncustomer = 'anonymise'\naddress = 'delete'\ninvoice = 'anonymise'\ncall = 'delete'";

const BATCH: usize = 100;

fn database(customers: usize) -> Database {
    let database = Database::with(&format!(
        "{SCHEMA}
         INSERT INTO customers SELECT n, 'Name ' || n, 'c' || n || '@example.org', '+46 ' || n, 0 FROM generate_series(1, {customers}) AS n;
         INSERT INTO addresses SELECT n * 2 + m, n, 'Street ' || n FROM generate_series(1, {customers}) AS n, generate_series(0, 1) AS m;
         INSERT INTO invoices SELECT n * 10 + m, n, 'Name ' || n, 'Street ' || n, 100 FROM generate_series(1, {customers}) AS n, generate_series(0, 9) AS m;
         INSERT INTO calls SELECT n * 100 + m, n, '+46 1', 60 FROM generate_series(1, {customers}) AS n, generate_series(0, 99) AS m;
         CREATE INDEX addresses_by ON addresses (customer_id); CREATE INDEX invoices_by ON invoices (customer_id);
         CREATE INDEX calls_by ON calls (customer_id)"
    ));
    database.run("ANALYZE");
    database
}

/// The customers to erase, in batches: every second customer.
fn batches(customers: usize) -> Vec<Vec<i64>> {
    let all: Vec<i64> = (1..=customers).step_by(2).map(|n| i64::try_from(n).unwrap()).collect();
    all.chunks(BATCH).map(<[i64]>::to_vec).collect()
}

async fn ours(customers: usize) -> Duration {
    let database = database(customers);
    let store = PostgresStore::over(database.pool(), &SqlMap::from_toml(MAP).unwrap()).await.unwrap();
    let policy = PolicyDocument::from_toml(POLICY).unwrap().check(store.data_map()).unwrap();
    let at = "2026-11-21T12:00:00Z".parse().unwrap();
    let treatment = policy.dated(&"shop".into(), &policy.treatments()["t"], at);
    let started = Instant::now();
    for batch in batches(customers) {
        let ids: Vec<CustomerId> = batch.iter().map(|id| CustomerId::new(id.to_string())).collect();
        let facts = store.facts(&ids).await.unwrap();
        let target = |facts: relinquish::Customer| Target {
            expected: facts.expected(),
            tenant: facts.tenant.clone(),
            customer: facts.id,
        };
        let targets = facts.into_iter().map(target).collect();
        let request = EraseRequest::new(targets, Arc::clone(&treatment), Seed::new([7; 32]), at);
        let answers = store.erase(&request).await.unwrap();
        assert!(answers.iter().all(|answer| matches!(answer, Ok(Erased::Done(_)))), "{answers:?}");
        let request = TallyRequest::new(ids, Arc::clone(&treatment)).at(at);
        let left = store.tally(&request).await.unwrap();
        assert!(
            left.iter().all(|tally| tally.as_ref().unwrap().classes.values().all(|class| class.due == 0))
        );
    }
    started.elapsed()
}

const STATEMENTS: [&str; 4] = [
    "DELETE FROM calls WHERE customer_id = ANY ($1)",
    "DELETE FROM addresses WHERE customer_id = ANY ($1)",
    "UPDATE invoices SET billing_name = 'Anonymised 2026-11-21', billing_address = NULL WHERE customer_id = ANY ($1)",
    "UPDATE customers SET name = 'Anonymised 2026-11-21', email = 'erased-' || md5(random()::text) || '@invalid', phone = NULL WHERE id = ANY ($1)",
];
const LEFT: &str = "SELECT (SELECT count(*) FROM calls WHERE customer_id = ANY ($1)) + (SELECT count(*) FROM addresses WHERE customer_id = ANY ($1))
    + (SELECT count(*) FROM invoices WHERE customer_id = ANY ($1) AND billing_name NOT LIKE 'Anonymised%')
    + (SELECT count(*) FROM customers WHERE id = ANY ($1) AND name NOT LIKE 'Anonymised%')";

/// The same by hand, batch by batch.
async fn by_hand(client: &mut Client, batches: Vec<Vec<i64>>) -> Duration {
    let started = Instant::now();
    for batch in batches {
        let facts = client
            .query("SELECT id, subscriptions FROM customers WHERE id = ANY ($1)", &[&batch])
            .await
            .unwrap();
        assert_eq!(facts.len(), batch.len());
        let transaction =
            client.build_transaction().isolation_level(tokio_postgres::IsolationLevel::RepeatableRead);
        let transaction = transaction.start().await.unwrap();
        let locked =
            "SELECT id FROM customers WHERE id = ANY ($1) AND subscriptions = 0 ORDER BY id FOR UPDATE";
        assert_eq!(transaction.query(locked, &[&batch]).await.unwrap().len(), batch.len());
        for statement in STATEMENTS {
            transaction.execute(statement, &[&batch]).await.unwrap();
        }
        transaction.commit().await.unwrap();
        let left: i64 = client.query_one(LEFT, &[&batch]).await.unwrap().get(0);
        assert_eq!(left, 0);
    }
    started.elapsed()
}

fn main() {
    let customers = std::env::var("CUSTOMERS").ok().and_then(|count| count.parse().ok()).unwrap_or(1_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let [mut ours_took, mut careful, mut one_by_one] = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..3 {
        ours_took.push(runtime.block_on(ours(customers)));
        for (took, single) in [(&mut careful, false), (&mut one_by_one, true)] {
            let database = database(customers);
            let mut who = batches(customers);
            if single {
                who = who.into_iter().flatten().map(|id| vec![id]).collect();
            }
            took.push(runtime.block_on(async { by_hand(&mut database.connect().await, who).await }));
        }
    }
    let best = |list: &[Duration]| list.iter().min().copied().unwrap_or_default().as_secs_f64();
    let (ours, careful, single) = (best(&ours_took), best(&careful), best(&one_by_one));
    println!("{} of {customers} customers, best of three", customers / 2);
    println!(
        "ours {:.0} ms, careful SQL {:.0} ms, one by one {:.0} ms",
        ours * 1e3,
        careful * 1e3,
        single * 1e3
    );
    println!("postgres erase vs careful SQL: {:.2}", ours / careful);
    println!("postgres erase vs one by one: {:.2}", ours / single);
}
