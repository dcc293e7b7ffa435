//! All ledgers keep the same promises, and hold nothing that identifies anybody.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use relinquish::case::{DeactivationOutcome, Event, Hindrance, Obstacle, Proof};
use relinquish::ledger::{
    CaseEvent, EntryBody, EntryKey, Fence, Find, Lease, Ledger, LedgerError, MemoryKeyRing, MemoryLedger,
    NewCase, Opened, SqliteLedger, TokenKey,
};
use relinquish::plan::{CaseId, Step};
use relinquish::{Asked, Outcome};

use crate::hosts::{self, BuildCounted as _, approved};

#[tokio::test]
async fn nothing_of_the_person_is_left_in_the_ledger_after_a_case() {
    let host = hosts::sqlite();
    let path = host.folder.path().join("ledger.sqlite");
    let ledger = Arc::new(SqliteLedger::open(&path).unwrap());
    // A customer with an id that can be searched for.
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
    // The log is emptied once nothing is written for a moment.
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

/// A case as the engine opens it.
async fn case(id: &str) -> NewCase {
    let host = hosts::memory();
    let plan = approved(&host.engine(), &host.due, &Asked::Sweep).await;
    NewCase::new(CaseId::from(id), &plan, hosts::now())
}

fn event(case: &str, event: Event) -> CaseEvent {
    CaseEvent { case: CaseId::from(case), at: hosts::now(), event }
}

/// A clock for leases that a test turns.
#[derive(Clone, Default)]
struct Minutes(Arc<AtomicI64>);

impl Minutes {
    fn pass(&self, minutes: i64) {
        self.0.fetch_add(minutes, Ordering::SeqCst);
    }

    fn clock(&self) -> impl Fn() -> DateTime<Utc> + Send + Sync + 'static {
        let minutes = Arc::clone(&self.0);
        move || hosts::now() + TimeDelta::minutes(minutes.load(Ordering::SeqCst))
    }
}

fn lease(worker: &str) -> Lease {
    Lease::new(worker, Duration::from_secs(600))
}

/// A ledger as a host writes it.
#[path = "../../examples/own_ledger/text_ledger.rs"]
mod text_ledger;

/// All ledgers, with clocks that the test turns.
fn ledgers(folder: &Path, minutes: &Minutes) -> [Box<dyn Ledger>; 3] {
    let sqlite = SqliteLedger::open(folder.join("ledger.sqlite")).unwrap();
    [
        Box::new(sqlite.lease_clock(minutes.clock())),
        Box::new(MemoryLedger::new().lease_clock(minutes.clock())),
        Box::new(text_ledger::TextLedger::new(minutes.clock())),
    ]
}

#[tokio::test]
async fn all_case_books_keep_one_open_case_per_customer_and_every_event() {
    let folder = tempfile::tempdir().unwrap();
    for ledger in ledgers(folder.path(), &Minutes::default()) {
        let (first, second) = (case("a").await, case("b").await);
        let opened = ledger.open(std::slice::from_ref(&first), &lease("one")).await.unwrap();
        assert_eq!(opened.cases, [Opened::Open]);
        let again = ledger.open(&[first], &lease("one")).await.unwrap();
        assert_eq!(again.cases, [Opened::Open], "again");
        assert!(again.fence > opened.fence);
        let conflict = Opened::Conflict { case: CaseId::from("a") };
        assert_eq!(ledger.open(&[second], &lease("one")).await.unwrap().cases, [conflict]);
        let blocked = Obstacle { step: Step::Records, reason: Hindrance::Changed, waivable: false };
        let deactivated = Proof::Deactivated(DeactivationOutcome::Already);
        let events = [
            event("a", Event::Done { step: Step::Deactivate, proof: deactivated }),
            event("a", Event::Begun { step: Step::Records, before: None }),
            event("a", Event::Blocked(blocked.clone())),
        ];
        ledger.record(again.fence, &events).await.unwrap();
        let and_another = [events[0].clone(), event("gone", Event::Retried)];
        let error = ledger.record(again.fence, &and_another).await.unwrap_err();
        assert!(matches!(error, LedgerError::NoSuchCase { .. }), "{error}");
        let open = ledger.list(None, 10).await.unwrap();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].saved.events.len(), 3, "all of a write or nothing");
        assert_eq!(open[0].held_by, Some("one".into()));
        let progress = open[0].saved.progress().unwrap();
        assert!(progress.is_irreversible());
        assert_eq!(progress.blocked(), Some(&blocked));
        assert!(ledger.list(Some(&CaseId::from("a")), 10).await.unwrap().is_empty());
        assert_eq!(ledger.last().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_case_is_one_workers_until_the_lease_runs_out() {
    let folder = tempfile::tempdir().unwrap();
    let minutes = Minutes::default();
    for ledger in ledgers(folder.path(), &minutes) {
        let a = [CaseId::from("a")];
        let opened = ledger.open(&[case("a").await], &lease("one")).await.unwrap();
        let held = ledger.claim(&a, &lease("two")).await.unwrap();
        assert!(held.cases.is_empty());
        assert_eq!(held.held, a);
        // A sign of life begins the lease anew.
        minutes.pass(9);
        let deactivated = Proof::Deactivated(DeactivationOutcome::Already);
        let done = [event("a", Event::Done { step: Step::Deactivate, proof: deactivated })];
        ledger.record(opened.fence, &done).await.unwrap();
        minutes.pass(9);
        assert!(ledger.claim(&a, &lease("two")).await.unwrap().cases.is_empty());
        minutes.pass(1);
        assert_eq!(ledger.list(None, 10).await.unwrap()[0].held_by, None);
        // As long as nobody has taken it, the late worker has it still.
        let begun = [event("a", Event::Begun { step: Step::Records, before: None })];
        ledger.record(opened.fence, &begun).await.unwrap();
        minutes.pass(10);
        let taken = ledger.claim(&a, &lease("two")).await.unwrap();
        assert_eq!(taken.cases[0].events.len(), 2, "as it stands by now");
        assert!(taken.fence > opened.fence);
        // From then on it writes nothing any more, and gives nothing back.
        let error = ledger.record(opened.fence, &begun).await.unwrap_err();
        assert!(matches!(error, LedgerError::LostClaim { .. }), "{error}");
        ledger.release(opened.fence, &a).await.unwrap();
        assert_eq!(ledger.list(None, 10).await.unwrap()[0].held_by, Some("two".into()));
        assert_eq!(ledger.list(None, 10).await.unwrap()[0].saved.events.len(), 2);
        // What is given back is free at once; a worker that is started anew under its name has its own at once.
        let anew = ledger.claim(&a, &lease("two")).await.unwrap();
        assert_eq!(anew.cases.len(), 1);
        ledger.release(anew.fence, &a).await.unwrap();
        assert_eq!(ledger.claim(&a, &lease("three")).await.unwrap().cases.len(), 1);
    }
}

#[tokio::test]
async fn a_case_closes_once_and_by_the_worker_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    for ledger in ledgers(folder.path(), &Minutes::default()) {
        let host = hosts::memory();
        let ledger: Arc<dyn Ledger> = Arc::from(ledger);
        let engine = host.builder(Arc::clone(&ledger), hosts::keys()).counted().unwrap();
        let plan = approved(&engine, &host.due, &Asked::Sweep).await;
        let new = NewCase::new(CaseId::from("a"), &plan, hosts::now());
        engine.erase(plan).await.unwrap();
        let entry = ledger.entries(0, 10).await.unwrap().pop().unwrap();
        let closed = Arc::clone(entry.closed().unwrap());
        let before = ledger.last().await.unwrap();
        // Whoever closes it again, under whatever claim, gets the first entry.
        let again = ledger.close(Fence::new(9_999), std::slice::from_ref(&closed)).await.unwrap();
        assert_eq!(again, std::slice::from_ref(&entry));
        assert_eq!(ledger.last().await.unwrap(), before);
        // One that is open closes under its own claim alone.
        let opened = ledger.open(&[new], &lease("one")).await.unwrap();
        let body = EntryBody::Closed(closed);
        let text = body.to_text().unwrap().replace(entry.closed().unwrap().case.as_str(), "a");
        let under = Arc::clone(entry.closed().unwrap().under());
        let beside = body.beside();
        let body = EntryBody::from_text::<LedgerError>(&text, beside, |_| Ok(Some(under))).unwrap();
        let other = std::slice::from_ref(body.closed().unwrap());
        let error = ledger.close(Fence::new(opened.fence.get() + 1), other).await.unwrap_err();
        assert!(matches!(error, LedgerError::LostClaim { .. }), "{error}");
        assert!(ledger.append(std::slice::from_ref(&body)).await.is_err(), "nor by the back door");
        ledger.close(opened.fence, other).await.unwrap();
        assert!(ledger.list(None, 10).await.unwrap().is_empty(), "wiped");
        assert_eq!(ledger.last().await.unwrap(), before + 1);
        // Both are found by their subject, the last one first if so asked.
        let key = EntryKey::subject(entry.closed().unwrap().subject().unwrap());
        assert_eq!(ledger.find(&Find::all([key.clone()])).await.unwrap().len(), 2);
        assert_eq!(ledger.find(&Find::last(key.clone())).await.unwrap()[0].seq, before + 1);
        assert_eq!(ledger.find(&Find::all([key]).after(before)).await.unwrap()[0].seq, before + 1);
    }
}

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
