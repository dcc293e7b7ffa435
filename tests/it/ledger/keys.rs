//! Keys of the ledger: a lost key file is never silently replaced, and a service that never gives out its keys can
//! compute the tokens.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use relinquish::engine::Error;
use relinquish::ledger::{KeyRing, KeyRingError, Mac, MacRequest, MemoryKeyRing, TokenKey};
use relinquish::{Asked, CustomerId, Engine, FileKeyRing, MemoryLedger, Outcome, SqliteLedger};

use crate::hosts::{self, BuildCounted as _, Host, approved};

fn key(byte: u8) -> TokenKey {
    TokenKey::new([byte; 32])
}

fn ledger_of(host: &Host) -> PathBuf {
    host.folder.path().join("ledger.sqlite")
}

fn engine(host: &Host, keys: impl KeyRing) -> Engine {
    host.builder(SqliteLedger::open(ledger_of(host)).unwrap(), keys).counted().unwrap()
}

/// A host whose ledger names a customer, and the file with its keys.
async fn with_an_entry() -> (Host, PathBuf) {
    let host = hosts::sqlite();
    let path = ledger_of(&host);
    let engine = engine(&host, FileKeyRing::create_beside(&path).unwrap());
    let plan = approved(&engine, &host.due, &Asked::Sweep).await;
    assert!(matches!(engine.erase(plan).await.unwrap(), Outcome::Erased(_)));
    (host, FileKeyRing::path_beside(path))
}

/// A former bug: the lost key was replaced by a new one, with which no erased customer would be recognised. Only the
/// engine noticed this.
#[tokio::test]
async fn a_lost_key_file_is_not_replaced() {
    let (host, keys) = with_an_entry().await;
    std::fs::remove_file(&keys).unwrap();
    let error = FileKeyRing::open(&keys).unwrap_err();
    assert!(matches!(error, KeyRingError::Missing { .. }), "{error}");
    assert!(!keys.exists());
    // If a new key is made all the same, there is an error before anything is done.
    let engine = engine(&host, FileKeyRing::create(&keys).unwrap());
    for asked in [Asked::request(), Asked::Sweep] {
        let error = engine.plan(&"13".into(), &asked).await.unwrap_err();
        assert!(matches!(error, Error::Keys(KeyRingError::KeyMismatch { epoch: 1 })), "{error}");
        assert!(error.to_string().contains("restore the key ring of this ledger"), "{error}");
    }
}

/// A former bug: only the last hundred entries were checked. If all of these were censuses, any key was accepted.
#[tokio::test]
async fn another_key_is_seen_behind_entries_that_name_nobody() {
    let (host, _) = with_an_entry().await;
    let right = engine(&host, FileKeyRing::open_beside(ledger_of(&host)).unwrap());
    for _ in 0..101 {
        right.census().await.unwrap();
    }
    let wrong = engine(&host, MemoryKeyRing::new(key(9)));
    let error = wrong.plan(&"13".into(), &Asked::request()).await.unwrap_err();
    assert!(matches!(error, Error::Keys(KeyRingError::KeyMismatch { epoch: 1 })), "{error}");
    assert!(right.plan(&"13".into(), &Asked::request()).await.is_ok());
}

/// A key ring from before the last rotation has the right first key, but would write with a key that is no longer
/// current.
#[tokio::test]
async fn a_ring_that_is_older_than_the_ledger_is_refused() {
    let host = hosts::sqlite();
    let rotated = MemoryKeyRing::new(key(1)).with_next(key(2));
    let now = engine(&host, rotated.clone());
    let plan = approved(&now, &host.due, &Asked::Sweep).await;
    now.erase(plan).await.unwrap();
    let old = engine(&host, MemoryKeyRing::new(key(1)));
    let error = old.plan(&"13".into(), &Asked::request()).await.unwrap_err();
    assert!(matches!(error, Error::Keys(KeyRingError::Outdated { ledger: 2, ring: 1 })), "{error}");
    // A key that was destroyed on purpose is not an error.
    let later = engine(&host, rotated.with_next(key(3)).without(1).without(2));
    assert!(later.plan(&"13".into(), &Asked::request()).await.is_ok());
}

/// A key management service: it computes and never gives out a key. Each call is a round trip.
#[derive(Debug)]
struct Kms {
    keys: MemoryKeyRing,
    calls: AtomicUsize,
    largest: AtomicUsize,
    fails: Mutex<Option<&'static str>>,
}

impl Kms {
    fn new(keys: MemoryKeyRing) -> Arc<Self> {
        let (calls, largest) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { keys, calls, largest, fails: Mutex::new(None) })
    }
}

#[async_trait]
impl KeyRing for Kms {
    async fn epochs(&self) -> Result<Vec<u32>, KeyRingError> {
        self.keys.epochs().await
    }

    async fn macs(&self, request: &MacRequest) -> Result<Vec<Mac>, KeyRingError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.largest.fetch_max(request.messages.len(), Ordering::Relaxed);
        if let Some(why) = *self.fails.lock().unwrap() {
            return Err(KeyRingError::unreachable(why));
        }
        self.keys.macs(request).await
    }
}

#[tokio::test]
async fn a_service_that_hands_out_no_key_is_asked_in_batches() {
    let host = hosts::sqlite();
    let kms = Kms::new(MemoryKeyRing::new(key(1)).with_next(key(2)));
    let ledger = Arc::new(MemoryLedger::new());
    let engine = host.builder(Arc::clone(&ledger), Arc::clone(&kms)).counted().unwrap();
    let customers: Vec<CustomerId> = (1..=17).map(|id: u32| id.to_string().into()).collect();
    engine.plan_batch(&customers, &Asked::Sweep).await.unwrap();
    assert_eq!(kms.largest.load(Ordering::Relaxed), 17, "all of them at once");
    assert_eq!(
        kms.calls.swap(0, Ordering::Relaxed),
        2 + 2,
        "the check of each key, and one request for each"
    );
    engine.plan_batch(&customers, &Asked::Sweep).await.unwrap();
    assert_eq!(kms.calls.swap(0, Ordering::Relaxed), 2, "a key is checked once");

    let plan = approved(&engine, &host.due, &Asked::Sweep).await;
    kms.calls.store(0, Ordering::Relaxed);
    let Outcome::Erased(certificate) = engine.erase(plan).await.unwrap() else { panic!("not erased") };
    assert_eq!(certificate.subject().unwrap().epoch(), 2, "under the current key");
    assert_eq!(
        kms.calls.load(Ordering::Relaxed),
        2 + 1,
        "to decide, under each key; to close, under the last"
    );
    let again = engine.decide(&host.due, &Asked::request()).await.unwrap();
    assert!(again.to_string().contains("treated the same way"), "{again}");
}

#[tokio::test]
async fn a_service_that_does_not_answer_stops_everything_and_says_why() {
    let host = hosts::sqlite();
    let kms = Kms::new(MemoryKeyRing::new(key(1)));
    let engine = host.builder(MemoryLedger::new(), Arc::clone(&kms)).counted().unwrap();
    let plan = approved(&engine, &host.due, &Asked::Sweep).await;
    let before = (host.dump)();
    *kms.fails.lock().unwrap() = Some("the role may not use this key");
    let error = engine.erase(plan).await.unwrap_err();
    assert_eq!((host.dump)(), before, "nothing was touched");
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let said = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    assert!(said.contains("the service that holds the keys cannot be used"), "{said}");
    assert!(said.contains("the role may not use this key"), "the cause is kept: {said}");
}
