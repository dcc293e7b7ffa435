//! For tests: a clock to turn, entropy that repeats itself, the contract of a gateway's adapter, and what a strategy of
//! the host's own promises.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use crate::engine::{Clock, Entropy, NoEntropy};

mod gateway;
mod strategy;

pub use gateway::{Broken, GatewayFixture, gateway_keeps_its_contract, listing_keeps_its_contract};
pub use strategy::strategy_keeps_its_word;

/// A clock that stands still until it is turned. Whoever sleeps turns it on.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<DateTime<Utc>>,
}

impl ManualClock {
    /// Stands at an instant.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { now: Mutex::new(now) }
    }

    /// Turns it on.
    pub fn turn(&self, time: TimeDelta) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sleep(&self, time: Duration) {
        self.turn(TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX));
    }
}

/// Bytes that depend on a seed and on how many were asked for before, and on nothing else. Never for production:
/// whoever knows the seed can tell which token belongs to which record.
#[derive(Debug)]
pub struct RepeatableEntropy {
    seed: u64,
    asked: Mutex<u64>,
}

impl RepeatableEntropy {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, asked: Mutex::new(0) }
    }
}

impl Entropy for RepeatableEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in buffer.chunks_mut(32) {
            *asked += 1;
            let mut hash = Sha256::new();
            hash.update(self.seed.to_be_bytes());
            hash.update(asked.to_be_bytes());
            for (byte, random) in chunk.iter_mut().zip(hash.finalize()) {
                *byte = random;
            }
        }
        Ok(())
    }
}
