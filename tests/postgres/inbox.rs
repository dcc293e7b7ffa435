//! The inbox in a PostgreSQL database: a row of a host's own transaction becomes a request once.

use std::sync::Arc;

use relinquish::engine::{Engine, RequestList};
use relinquish::ledger::MemoryLedger;
use relinquish::store::sql::INBOX_TABLE;
use relinquish::store::{Inbox as _, StoreError};
use relinquish::testing::ManualClock;
use relinquish::{PolicyDocument, PostgresStore};

use crate::hosts::keys;
use crate::shop::{POLICY, map_of, now, open};

const CLIENTS: &str = "CREATE TABLE clients (id int PRIMARY KEY, name text NOT NULL);
    INSERT INTO clients VALUES (1, 'Anna'), (2, 'Bo');";
const ROWS: &str = "INSERT INTO relinquish_inbox (id, kind, channel, received_at, customer) VALUES
    ('b', 'erasure', 'web', '2026-11-02T09:30:00Z', '1'), ('a', 'access', 'email', '2026-11-02T10:30:00+01:00', '2'),
    ('c', 'deletion', 'web', '2026-11-02T09:30:00Z', '1');";

#[tokio::test]
async fn a_row_of_the_inbox_becomes_a_request_once() {
    let map = map_of("clients", "'id'", "fields.name = 'name'\n");
    let (_database, store) = open(&format!("{CLIENTS}{INBOX_TABLE};{ROWS}"), &map).await.unwrap();
    let store: Arc<PostgresStore> = Arc::new(store);
    let rows = store.read_inbox(None, 2).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let policy = format!(
        "{POLICY}anonymise.name = {{ placeholder = 'Gone' }}\n[treatments.t]\ncustomer = 'anonymise'\n"
    );
    let policy = PolicyDocument::from_toml(&policy).unwrap();
    let engine = Engine::builder(Arc::clone(&store), policy, MemoryLedger::new(), keys())
        .clock(ManualClock::at(now()))
        .inbox(Arc::clone(&store))
        .batch(2)
        .build()
        .unwrap();
    let moved = engine.move_inbox().await.unwrap();
    assert_eq!((moved.received, moved.known, moved.refused.len()), (2, 0, 1));
    let left = store.read_inbox(None, 10).await.unwrap();
    assert_eq!(left.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["c"]);
    assert_eq!(engine.requests(RequestList::Open, None, 10).await.unwrap().len(), 2);
    let (_other, store) = open(CLIENTS, &map).await.unwrap();
    assert!(matches!(store.read_inbox(None, 10).await, Err(StoreError::NoInboxTable { .. })));
}
