//! A database that was restored from a backup: it has the mark of the ledger, and the replay erases again.

use std::sync::Arc;

use chrono::TimeDelta;
use relinquish::engine::{CaughtUp, Engine, RestoredFrom};
use relinquish::ledger::MemoryLedger;
use relinquish::store::sql::MARK_TABLE;
use relinquish::store::{KeepsMark as _, Mark, StoreError};
use relinquish::testing::ManualClock;
use relinquish::{Approval, Asked, Digest, Outcome, PolicyDocument, PostgresStore};

use crate::hosts::{approved, keys};
use crate::server::Database;
use crate::shop::{POLICY, map_of, now, open};

const CLIENTS: &str =
    "CREATE TABLE clients (id int PRIMARY KEY, name text NOT NULL, joined timestamptz NOT NULL);
    INSERT INTO clients VALUES (1, 'Anna', '2019-01-01'), (2, 'Bo', '2019-01-02');";

fn map() -> String {
    map_of("clients", "'id'", "registered = 'joined'\nfields.name = 'name'\n")
}

async fn marked() -> (Database, Arc<PostgresStore>) {
    let (database, store) = open(&format!("{CLIENTS}{MARK_TABLE};"), &map()).await.unwrap();
    (database, Arc::new(store))
}

#[tokio::test]
async fn a_mark_is_kept_and_never_lowered() {
    let (_database, store) = marked().await;
    assert_eq!(store.mark().await.unwrap(), None);
    let leaf = |digit: &str| Some(digit.repeat(64).parse::<Digest>().unwrap());
    assert!(!store.raise_mark(3, Mark { entry: 7, leaf: leaf("7") }).await.unwrap(), "there is no mark of 3");
    assert!(store.raise_mark(0, Mark::NOTHING).await.unwrap());
    assert_eq!(store.mark().await.unwrap(), Some(Mark::NOTHING));
    assert!(store.raise_mark(0, Mark { entry: 7, leaf: leaf("7") }).await.unwrap());
    assert!(store.raise_mark(7, Mark { entry: 5, leaf: leaf("5") }).await.unwrap());
    assert_eq!(store.mark().await.unwrap(), Some(Mark { entry: 7, leaf: leaf("7") }));
    let (_other, store) = open(CLIENTS, &map()).await.unwrap();
    assert!(matches!(store.mark().await, Err(StoreError::NoMarkTable { .. })));
}

#[tokio::test]
async fn a_restored_database_is_erased_again() {
    let ledger = Arc::new(MemoryLedger::new());
    let clock = Arc::new(ManualClock::at(now()));
    let engine = |store: Arc<PostgresStore>| {
        let policy = format!(
            "{POLICY}anonymise.name = {{ placeholder = 'Gone {{date}}' }}\n[treatments.t]\ncustomer = 'anonymise'\n"
        );
        Engine::builder(
            Arc::clone(&store),
            PolicyDocument::from_toml(&policy).unwrap(),
            Arc::clone(&ledger),
            keys(),
        )
        .clock(Arc::clone(&clock))
        .mark(store)
        .build()
        .unwrap()
    };
    let ((_live, store), (backup, copy)) = (marked().await, marked().await);
    {
        // Database and ledger have the same history when the backup is made.
        let engine = engine(Arc::clone(&store));
        engine.census().await.unwrap();
        assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::Yes);
        let mark = store.mark().await.unwrap().unwrap();
        assert!(copy.raise_mark(0, mark).await.unwrap());
        let outcome = engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap();
        assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
        assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::Yes);
    }
    let engine = engine(copy);
    // The copy lies in another database, which has a census of its own.
    engine.census().await.unwrap();
    assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::No { cases: 1 });
    let replay = engine.plan_replay(RestoredFrom::Mark).await.unwrap();
    let approval =
        Approval::new("operator-9", ["us".into()], replay.plan.digest(), clock.now(), TimeDelta::hours(1));
    let outcomes = engine.execute(replay.plan.approve(&approval).unwrap()).await.unwrap();
    assert!(matches!(&outcomes[..], [Outcome::Erased(_)]), "{outcomes:?}");
    assert!(engine.finish_replay(RestoredFrom::Mark).await.unwrap().is_nothing());
    assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::Yes);
    assert_eq!(backup.lines("SELECT left(name, 4) FROM clients ORDER BY id"), ["Gone", "Bo"]);
}
