//! The key rings of this crate, and one saboteur per law.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use relinquish::FileKeyRing;
use relinquish::ledger::{KeyRing, KeyRingError, Mac, MacRequest, MemoryKeyRing, TokenKey};
use relinquish::testing::{self, Law};

use super::assert_caught;

pub(super) fn memory_ring() -> MemoryKeyRing {
    MemoryKeyRing::new(TokenKey::new([1; 32])).with_next(TokenKey::new([2; 32]))
}

#[tokio::test]
async fn memory() {
    testing::key_ring(|| async { memory_ring() }).await.unwrap();
    // The first key was destroyed.
    testing::key_ring(|| async { memory_ring().without(1) }).await.unwrap();
}

#[tokio::test]
async fn a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    FileKeyRing::create(&path).unwrap();
    testing::key_ring(|| async { FileKeyRing::open(&path).unwrap() }).await.unwrap();
}

pub(super) const CAUGHT: &[Law] = &[
    Law::EpochsRise,
    Law::KeysStay,
    Law::MacsInOrder,
    Law::MacsRepeat,
    Law::MacsReadAll,
    Law::EpochsDiffer,
    Law::NoKeyIsSaid,
    Law::KeyRingShowsNothing,
];

#[tokio::test]
async fn whoever_breaks_a_law_is_caught_at_it() {
    for law in CAUGHT {
        let opened = AtomicU8::new(0);
        let open = || async {
            // A ring that makes a new key each time it is opened.
            let key = if *law == Law::KeysStay { opened.fetch_add(1, Ordering::SeqCst) + 3 } else { 1 };
            let inner = MemoryKeyRing::new(TokenKey::new([key; 32])).with_next(TokenKey::new([2; 32]));
            Wrong { inner, law: *law, asked: AtomicU8::new(0), seen: Mutex::default() }
        };
        assert_caught(*law, testing::key_ring(open).await);
    }
}

/// A ring in memory that breaks one law.
struct Wrong {
    inner: MemoryKeyRing,
    law: Law,
    asked: AtomicU8,
    seen: Mutex<Vec<Vec<Vec<u8>>>>,
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.law {
            Law::KeyRingShowsNothing => write!(f, "Wrong({:?})", self.seen.lock().unwrap()),
            _ => f.write_str("Wrong"),
        }
    }
}

#[async_trait]
impl KeyRing for Wrong {
    async fn epochs(&self) -> Result<Vec<u32>, KeyRingError> {
        let mut epochs = self.inner.epochs().await?;
        if self.law == Law::EpochsRise {
            epochs.reverse();
        }
        Ok(epochs)
    }

    async fn macs(&self, request: &MacRequest) -> Result<Vec<Mac>, KeyRingError> {
        let mut request = request.clone();
        self.seen.lock().unwrap().push(request.messages.iter().map(<[u8]>::to_vec).collect());
        let cut = |message: &[u8]| message.iter().copied().take(64).collect::<Vec<u8>>();
        match self.law {
            Law::MacsReadAll => {
                request = MacRequest::new(request.epoch, request.messages.iter().map(cut));
            }
            Law::EpochsDiffer if request.epoch == 2 => request.epoch = 1,
            Law::NoKeyIsSaid if request.epoch > 2 => request.epoch = 2,
            _ => {}
        }
        let mut macs = self.inner.macs(&request).await?;
        match self.law {
            Law::MacsInOrder => macs.reverse(),
            Law::MacsRepeat => {
                let asked = self.asked.fetch_add(1, Ordering::SeqCst);
                for mac in &mut macs {
                    mac[0] ^= asked;
                }
            }
            _ => {}
        }
        Ok(macs)
    }
}
