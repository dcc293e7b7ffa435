//! Random bytes that depend only on a seed and a place.

use std::fmt;

use chrono::NaiveDate;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::data_map::{ClassName, FieldName, RecordKey};

/// The seed of a run: 32 bytes from the operating system. It is never stored. Only tests inject a seed.
#[derive(Clone)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Takes the bytes. They must be unpredictable, and must not be kept after the run.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// The place for which a value is drawn, and the day of the erasure.
///
/// The random bytes are `HMAC-SHA-256(seed; class, record key, field, attempt)`. Each part is preceded by its length.
/// The bytes do not depend on the old value or on other records.
#[derive(Clone, Copy, Debug)]
pub struct Draw<'a> {
    /// The seed of the run.
    pub seed: &'a Seed,
    /// The record's class.
    pub class: &'a ClassName,
    /// The record's key.
    pub key: &'a RecordKey,
    /// The field.
    pub field: &'a FieldName,
    /// The number of the attempt. It increases if a drawn value exists already.
    pub attempt: u32,
    /// The day in placeholders.
    pub date: NaiveDate,
}

impl Draw<'_> {
    /// 32 random bytes for this place.
    pub fn bytes(&self) -> [u8; 32] {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.seed.0) else {
            // HMAC takes a key of any length.
            return self.seed.0;
        };
        for part in [self.class.as_str(), self.key.as_str(), self.field.as_str()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.update(&self.attempt.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}
