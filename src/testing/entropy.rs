//! Randomness that repeats itself.

use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::engine::{Entropy, NoEntropy};

/// Repeatable bytes. They depend only on a seed, and on the number of bytes drawn before. Never use this in
/// production: anybody who knows the seed can find out which token belongs to which record.
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
