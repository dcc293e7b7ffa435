//! Ledgers contain nothing that identifies a person, and nobody can change them. `testing_kit/ledger.rs` tests that
//! all ledgers keep the contract of the port.

use std::sync::Arc;

use relinquish::ledger::{LedgerError, MemoryKeyRing, MemoryLedger, SqliteLedger, TokenKey};
use relinquish::{Asked, Outcome};

use crate::hosts::{self, BuildCounted as _, approved};

#[tokio::test]
async fn nothing_of_the_person_is_left_in_the_ledger_after_a_case() {
    let host = hosts::sqlite();
    let path = host.folder.path().join("ledger.sqlite");
    let ledger = Arc::new(SqliteLedger::open(&path).unwrap());
    // A customer with an id that a test can search for.
    let connection = rusqlite::Connection::open(host.path()).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    connection.execute("UPDATE clients SET id = 918273645 WHERE id = 17", []).unwrap();
    for table in [
        "subscriptions",
        "delivery_addresses",
        "contacts",
        "orders",
        "invoices",
        "call_records",
        "activity_log",
    ] {
        connection
            .execute(&format!("UPDATE {table} SET client_id = 918273645 WHERE client_id = 17"), [])
            .unwrap();
    }
    host.gateway.as_ref().unwrap().insert("cus_000017", None, 0);
    let engine = host.builder(Arc::clone(&ledger), hosts::keys_beside(&path)).counted().unwrap();
    let plan = approved(&engine, &"918273645".into(), &Asked::Sweep).await;
    let outcome = engine.erase(plan).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    let mut searched = host.values.clone();
    searched.push("918273645".to_owned());
    let found = || {
        let mut found = Vec::new();
        for end in ["", "-journal", "-wal", ".keys"] {
            let bytes = std::fs::read(format!("{}{end}", path.display())).unwrap_or_default();
            found.extend(
                searched
                    .iter()
                    .filter(|value| bytes.windows(value.len()).any(|window| window == value.as_bytes()))
                    .map(|value| format!("{value} is in ledger.sqlite{end}")),
            );
        }
        found
    };
    // SQLite empties the write-ahead log when nothing is written for a moment.
    for _ in 0..200 {
        if found().is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{:?}", found());
}

#[tokio::test]
async fn the_ledger_refuses_to_be_changed_by_anyone() {
    let host = hosts::sqlite();
    let path = host.folder.path().join("ledger.sqlite");
    let engine = host.builder(SqliteLedger::open(&path).unwrap(), hosts::keys()).counted().unwrap();
    let plan = approved(&engine, &host.due, &Asked::Sweep).await;
    engine.erase(plan).await.unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    for sql in ["DELETE FROM entry", "UPDATE entry SET body = '{}'"] {
        let error = connection.execute(sql, []).unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

/// A ledger that a host writes itself.
#[path = "../../../examples/own_ledger/text_ledger.rs"]
pub(crate) mod text_ledger;

#[tokio::test]
async fn a_new_key_finds_what_was_done_under_the_old_one() {
    let host = hosts::sqlite();
    let ledger = Arc::new(MemoryLedger::new());
    let old = || TokenKey::new([1; 32]);
    let engine = host.builder(Arc::clone(&ledger), MemoryKeyRing::new(old())).counted().unwrap();
    let plan = approved(&engine, &host.due, &Asked::Sweep).await;
    engine.erase(plan).await.unwrap();
    let rotated = MemoryKeyRing::new(old()).with_next(TokenKey::new([2; 32]));
    let engine = host.builder(Arc::clone(&ledger), rotated).counted().unwrap();
    let decision = engine.decide(&host.due, &Asked::request()).await.unwrap();
    assert!(decision.to_string().contains("treated the same way"), "{decision}");
}

#[tokio::test]
async fn a_file_that_is_no_ledger_is_refused_and_left_alone() {
    let host = hosts::sqlite();
    let before = (host.dump)();
    let error = SqliteLedger::open(host.path()).unwrap_err();
    assert!(matches!(error, LedgerError::Corrupt { .. }), "the customers' own database: {error}");
    assert_eq!((host.dump)(), before);
    let path = host.folder.path().join("garbage");
    std::fs::write(&path, vec![7; 4096]).unwrap();
    assert!(matches!(SqliteLedger::open(&path), Err(LedgerError::Corrupt { .. })));
    let path = host.folder.path().join("newer");
    drop(SqliteLedger::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(SqliteLedger::open(&path), Err(LedgerError::Newer { found: 99, .. })));
    let error = SqliteLedger::open(host.folder.path().join("no/such/folder/ledger")).unwrap_err();
    assert!(matches!(error, LedgerError::NotFound { .. }), "{error}");
}
