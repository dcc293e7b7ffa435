//! The ledger in PostgreSQL: its contract, several processes at the same time, and connections that are cut.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use relinquish::ledger::{Closing, Ledger as _, LedgerError, PostgresLedger};
use relinquish::{Asked, Engine, Outcome, PolicyDocument, PostgresStore, testing};

use crate::hosts::{self, approved, keys};
use crate::proxy::{Cut, Proxy};
use crate::server::Database;
use crate::shop::{POLICY, map_of, now, open};

#[tokio::test(flavor = "multi_thread")]
async fn the_contract() {
    let open = async |clock: Arc<testing::ManualClock>| {
        let database = Database::with("");
        PostgresLedger::open(database.pool()).await.unwrap().lease_clock(move || clock.now())
    };
    testing::ledger(open).await.unwrap();
    let open = async || PostgresLedger::open(Database::with("").pool()).await.unwrap();
    testing::keeps_tree(open).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_together_make_one_ledger() {
    let database = Database::with("");
    for prepared in ["SELECT 1", "CREATE SCHEMA relinquish"] {
        database.run(&format!("DROP SCHEMA IF EXISTS relinquish CASCADE; {prepared}"));
        let starts = (0..8).map(|_| {
            let pool = database.pool();
            tokio::spawn(async move { PostgresLedger::open(pool).await.map(drop) })
        });
        for start in starts.collect::<Vec<_>>() {
            start.await.unwrap().unwrap_or_else(|error| panic!("{prepared}: {error}"));
        }
        assert_eq!(database.lines("SELECT format, last FROM relinquish.head"), ["2|0"]);
    }
}

#[tokio::test]
async fn a_schema_that_is_no_ledger_is_left_as_it_is() {
    let database = Database::with("CREATE SCHEMA relinquish; CREATE TABLE relinquish.orders (id int)");
    let error = PostgresLedger::open(database.pool()).await.unwrap_err();
    assert!(matches!(error, LedgerError::Corrupt { .. }), "{error}");
    database.run("CREATE TABLE relinquish.head (application text, format bigint)");
    PostgresLedger::open(database.pool()).await.unwrap_err();
    assert_eq!(
        database
            .lines("SELECT relname FROM pg_class WHERE relnamespace = 'relinquish'::regnamespace ORDER BY 1"),
        ["head", "orders"]
    );
    // Another schema of the same database, whose name has to be quoted.
    PostgresLedger::open_in(database.pool(), "The \"second\" one").await.unwrap();
}

#[tokio::test]
async fn a_ledger_of_a_later_release_is_refused() {
    let database = Database::with("");
    PostgresLedger::open(database.pool()).await.unwrap();
    database.run("UPDATE relinquish.head SET format = 7");
    let error = PostgresLedger::open(database.pool()).await.unwrap_err();
    assert!(matches!(error, LedgerError::Newer { found: 7, known: 2 }), "{error}");
}

#[tokio::test]
async fn nobody_without_a_right_makes_a_ledger() {
    let database = Database::with("");
    database.run(&format!(
        "CREATE ROLE reader_{0} LOGIN; REVOKE CREATE ON DATABASE {0} FROM PUBLIC",
        database.name
    ));
    let mut config = database.config();
    config.user(format!("reader_{}", database.name));
    let error = PostgresLedger::open(crate::server::pool(config)).await.unwrap_err().to_string();
    assert!(error.contains("opening the ledger: permission denied for database"), "{error}");
}

/// Customers of a shop with requests, and several engines over one ledger.
struct Asking {
    customers: Database,
    ledger: Database,
    store: Arc<PostgresStore>,
}

impl Asking {
    async fn of(customers: usize) -> Self {
        let sql = format!(
            "CREATE TABLE clients (id int PRIMARY KEY, name text, joined timestamptz NOT NULL);
             INSERT INTO clients SELECT n, 'Anna ' || n, '2019-01-01' FROM generate_series(1, {customers}) AS n"
        );
        let map = map_of("clients", "'id'", "registered = 'joined'\nfields.name = 'name'\n");
        let (customers, store) = open(&sql, &map).await.unwrap();
        Self { customers, ledger: Database::with(""), store: Arc::new(store) }
    }

    fn engine(&self, ledger: PostgresLedger, worker: &str) -> Engine {
        let policy = format!("{POLICY}anonymise.name = 'remove'\n[treatments.t]\ncustomer = 'anonymise'\n");
        let policy = PolicyDocument::from_toml(&policy).unwrap();
        Engine::builder(Arc::clone(&self.store), policy, ledger, keys())
            .clock(testing::ManualClock::at(now()))
            .worker(worker)
            .lease(Duration::from_secs(2))
            .build()
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The customers who still have a name.
    fn left(&self) -> Vec<String> {
        self.customers.lines("SELECT id FROM clients WHERE name IS NOT NULL ORDER BY id")
    }

    /// Checks that each customer was erased once, that no number is missing, and that nothing is open.
    async fn check(&self, erased: usize) {
        let ledger = PostgresLedger::open(self.ledger.pool()).await.unwrap();
        let entries = ledger.entries(0, usize::MAX).await.unwrap();
        assert!(entries.iter().map(|entry| entry.seq).eq(1..=ledger.last().await.unwrap()));
        let closed = entries.iter().filter_map(|entry| entry.closed());
        // The second plan for a customer was superseded.
        let done: Vec<_> = closed.filter(|closed| matches!(closed.closing, Closing::Erased(_))).collect();
        let subjects: BTreeSet<_> = done.iter().map(|closed| closed.subject().unwrap()).collect();
        assert_eq!((done.len(), subjects.len()), (erased, erased));
        let open =
            "SELECT (SELECT count(*) FROM relinquish.open_case), (SELECT count(*) FROM relinquish.event),
            (SELECT count(*) FROM relinquish.terms), (SELECT count(*) FROM relinquish.claim)";
        assert_eq!(self.ledger.lines(open), ["0|0|0|0"], "the working memory is wiped");
    }
}

#[tokio::test]
async fn entries_cannot_be_changed() {
    let asking = Asking::of(1).await;
    let ledger = PostgresLedger::open(asking.ledger.pool()).await.unwrap();
    let engine = asking.engine(ledger, "one");
    engine.census().await.unwrap();
    engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap();
    let client = asking.ledger.connect().await;
    for change in [
        "UPDATE entry SET body = '{}'",
        "DELETE FROM entry_key",
        "TRUNCATE entry CASCADE",
        "DELETE FROM circumstances",
        "UPDATE entry_key SET seq = 1",
        "UPDATE circumstances SET body = ''",
    ] {
        let error =
            client.batch_execute(&format!("SET search_path = relinquish; {change}")).await.unwrap_err();
        let said = error.as_db_error().unwrap().message().to_owned();
        assert_eq!(said, "the ledger is append-only", "{change}");
    }
    asking.check(1).await;
}

/// A connection to the ledger is cut at any message, before or after the server has received it. In every case the
/// case is closed once, and its customer is erased.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_at_any_message_loses_nothing() {
    let asking = Asking::of(400).await;
    let proxy = Proxy::start().await;
    let open = async || PostgresLedger::open(proxy.pool(&asking.ledger)).await.unwrap();
    asking.engine(open().await, "one").census().await.unwrap();
    let (mut erased, mut errors) = (0, 0);
    for lost in [false, true] {
        proxy.answers_are_lost(lost);
        for message in 1.. {
            let customer = (erased + 1).to_string();
            let engine = asking.engine(open().await, "one");
            let plan = approved(&engine, &customer.as_str().into(), &Asked::request()).await;
            proxy.cut(Cut::AtMessage(message));
            let outcome = engine.erase(plan.clone()).await;
            let has_cut = proxy.has_cut();
            // The cut must not affect later work.
            proxy.cut(Cut::AtMessage(usize::MAX));
            drop(engine);
            let engine = asking.engine(open().await, "one");
            match outcome {
                Ok(Outcome::Erased(_)) => {}
                Ok(other) => panic!("{lost} {message}: {other}"),
                Err(_) => {
                    errors += 1;
                    let resumed = engine.resume().await.unwrap();
                    if resumed.is_empty() {
                        // Either no case was opened, or everything was done and only the answer was lost.
                        match engine.erase(plan).await.unwrap() {
                            Outcome::Erased(_) | Outcome::Superseded { .. } => {}
                            other => panic!("{lost} {message}: {other}"),
                        }
                    }
                }
            }
            erased += 1;
            let name = format!("SELECT coalesce(name, '') FROM clients WHERE id = {customer}");
            assert_eq!(asking.customers.lines(&name), [""], "{lost} {message}");
            if !has_cut {
                assert!(message > 20, "{message} messages are too few for an erasure");

                break;
            }
        }
    }
    assert!(errors > 20, "{errors} erasures heard of the cut");
    asking.check(erased).await;
}

/// Workers of several processes on one ledger, whose connections the server kills again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_share_a_ledger_whose_connections_are_killed() {
    const CUSTOMERS: usize = 60;
    let asking = Arc::new(Asking::of(CUSTOMERS).await);
    let open = async |asking: &Asking| PostgresLedger::open(asking.ledger.pool()).await;
    asking.engine(open(&asking).await.unwrap(), "first").census().await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let (killing, ended) = (Arc::clone(&asking), Arc::clone(&done));
    let killer = std::thread::spawn(move || {
        let mut kills = 0;
        while !ended.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(fastrand::u64(5..60)));
            let killed = killing.ledger.lines(
                "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1) AS one",
            );
            kills += killed[0].parse::<u32>().unwrap();
        }
        kills
    });
    let workers = (0..3).map(|worker| {
        let asking = Arc::clone(&asking);
        tokio::spawn(async move {
            let mut errors = 0;
            while !asking.left().is_empty() {
                let Ok(ledger) = PostgresLedger::open(asking.ledger.pool()).await else {
                    errors += 1;
                    continue;
                };
                let engine = asking.engine(ledger, &format!("worker {worker}"));
                errors += usize::from(engine.resume().await.is_err());
                // Every worker tries to erase all customers, in small batches.
                for customers in asking.left().chunks(5) {
                    let mut plans = Vec::new();
                    for customer in customers {
                        match engine.plan(&customer.as_str().into(), &Asked::request()).await {
                            Ok(relinquish::Planned::Plan(plan)) => {
                                let approval = hosts::approval(&plan);
                                plans.push(plan.approve(approval).unwrap());
                            }
                            Ok(_) => {}
                            Err(_) => errors += 1,
                        }
                    }
                    errors += usize::from(engine.execute(plans).await.is_err());
                }
            }
            errors
        })
    });
    let mut errors = 0;
    for worker in workers.collect::<Vec<_>>() {
        errors += worker.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let kills = killer.join().unwrap();
    assert!(kills > 10 && errors > 3, "{kills} kills, {errors} errors");
    // Open cases still belong to workers that have ended. Their leases expire.
    for _ in 0..20 {
        let engine = asking.engine(open(&asking).await.unwrap(), "last");
        engine.resume().await.unwrap();
        if asking.ledger.lines("SELECT count(*) FROM relinquish.open_case") == ["0"] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    asking.check(CUSTOMERS).await;
}
