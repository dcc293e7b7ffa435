//! SHA-256 over canonical JSON: the digests of plans, policies, maps and treatments.

mod canonical;
mod direct;

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::hex;

pub(crate) use canonical::canonical;
use direct::{Large, direct};

/// A SHA-256 digest, written as 64 hexadecimal digits.
///
/// Documents are digested in their canonical form (RFC 8785). So anyone can compute a digest again, in any language,
/// from the JSON that this crate prints.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a document in its canonical form.
    ///
    /// A document without a canonical form gets a random digest that is never repeated, so no approval is valid for
    /// it. The documents of this crate have string keys and finite numbers, so they always have a canonical form.
    pub(crate) fn of<T: Serialize>(document: &T) -> Self {
        match form(document) {
            Ok(text) => {
                let digest = Self::of_bytes(text.as_bytes());
                #[cfg(test)]
                facts::remember(digest, &serde_json::to_value(document).unwrap_or_default());
                digest
            }
            Err(error) => Self::of_nothing_else(&error),
        }
    }

    /// A random digest for a document without a canonical form. No document has this digest.
    fn of_nothing_else(error: &serde_json::Error) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        tracing::error!(%error, "a document has no canonical form, so no approval can hold for it");
        let mut random = [0; 32];
        // Without random bytes the digest is at least unique in this process. It never equals a document's digest,
        // because documents are digested as JSON text.
        let is_random = getrandom::fill(&mut random).is_ok();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self::of_bytes(format!("no document {is_random} {count} {}", hex::encode(random)).as_bytes())
    }

    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Restores a digest from its bytes.
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "checkpoints"))]
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hexadecimal digits, written into a buffer.
    fn hex<'p>(&self, place: &'p mut [u8; 64]) -> Option<&'p str> {
        hex_in(&self.0, place)
    }

    /// The first twelve hexadecimal digits, for tables that a person reads. Never compare digests by these.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(12);
        text
    }
}

/// The canonical form of a document, with whole numbers beyond 2⁵³ as text. RFC 8785 writes every number as a double, and
/// different large whole numbers become the same double. So two different documents never share a digest.
fn form<T: Serialize>(document: &T) -> serde_json::Result<String> {
    if let Some(text) = direct(document, Large::Named) {
        return Ok(text);
    }
    let mut value = serde_json::to_value(document)?;
    name_large_integers(&mut value);
    canonical::of_value(&value)
}

/// Writes 32 bytes as 64 hexadecimal digits into a buffer. The ledger's entries contain many digests, so this
/// allocates nothing. The buffer has the right size and digits are ASCII, so the result is always `Some`. Callers
/// turn `None` into an error, never into an empty text.
pub(crate) fn hex_in<'p>(bytes: &[u8; 32], place: &'p mut [u8; 64]) -> Option<&'p str> {
    hex::encode_to_slice(bytes, place).ok()?;
    std::str::from_utf8(place).ok()
}

/// Replaces whole numbers beyond 2⁵³ by text.
fn name_large_integers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let large = number
                .as_i64()
                .map(i64::unsigned_abs)
                .or(number.as_u64())
                .is_some_and(|n| n > canonical::EXACT);
            if large {
                *value = Value::String(format!("integer {number}"));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(name_large_integers),
        Value::Object(table) => table.values_mut().for_each(name_large_integers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hex(&mut [0; 64]).ok_or(fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The error for a text that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits; copy it whole from the plan")]
pub struct NotADigest;

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NotADigest)?;
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut place = [0; 64];
        let hex = self.hex(&mut place).ok_or_else(|| serde::ser::Error::custom("a digest has no digits"))?;
        serializer.serialize_str(hex)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod facts;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_does_not_change_a_digest() {
        let one = serde_json::json!({"b": 1, "a": {"d": [2, 3], "c": "ü"}});
        let other: serde_json::Value =
            serde_json::from_str(r#"{"a": {"c": "\u00fc", "d": [2,3]}, "b": 1}"#).unwrap();
        assert_eq!(Digest::of(&one), Digest::of(&other));
        assert_eq!(
            Digest::of(&one),
            Digest::of_bytes("{\"a\":{\"c\":\"ü\",\"d\":[2,3]},\"b\":1}".as_bytes())
        );
    }

    #[test]
    fn large_numbers_do_not_run_together() {
        let [one, other] = [(1_i64 << 53) + 1, 1_i64 << 53].map(|number| Digest::of(&number));
        assert_ne!(one, other);
    }

    /// A former bug: all documents without a canonical form had the same digest, that of the error's text. So an
    /// approval of one was valid for all others.
    #[test]
    fn documents_without_a_form_share_no_digest() {
        let odd = |n: u32| std::collections::BTreeMap::from([(vec![n], n)]);
        let digests = [Digest::of(&odd(1)), Digest::of(&odd(2)), Digest::of(&odd(1))];
        assert_ne!(digests[0], digests[1]);
        assert_ne!(digests[0], digests[2], "nobody can approve such a document");
    }

    #[test]
    fn a_digest_survives_text_and_anything_else_is_refused() {
        let digest = Digest::of_bytes(b"x");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for wrong in ["", "abc", &"g".repeat(64), &"a".repeat(63)] {
            assert_eq!(wrong.parse::<Digest>(), Err(NotADigest));
        }
    }
}
