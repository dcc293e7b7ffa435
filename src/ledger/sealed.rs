//! Values that can be destroyed later without breaking the proof.
//!
//! The hashed text of an entry contains the digest of a salt and a value. The salt and the value are stored outside
//! the text. After they are destroyed, nobody can find the value from the digest, but the text and its hash stay the
//! same.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::LedgerError;
use crate::digest::{Digest, canonical};
use crate::hex;

/// Random bytes that prevent guessing the value of a digest.
pub(crate) type Salt = [u8; 16];

/// A value together with its digest. Serialises as the digest alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed<T> {
    digest: Digest,
    opened: Option<Opened<T>>,
}

#[derive(Clone, PartialEq, Eq)]
struct Opened<T> {
    value: T,
    /// The opening, stored outside the text of an entry: `[salt, value]`, with the salt in hexadecimal.
    beside: Box<str>,
}

impl<T> Sealed<T> {
    /// The value. `None` after it was destroyed.
    pub fn get(&self) -> Option<&T> {
        self.opened.as_ref().map(|opened| &opened.value)
    }

    /// SHA-256 of the salt and the value as canonical JSON.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl<T: Serialize> Sealed<T> {
    pub(crate) fn new(salt: Salt, value: T) -> Result<Self, LedgerError> {
        let json = canonical(&value).map_err(|error| no_json(&error))?;
        let beside = beside_of(&salt, &json).into();
        Ok(Self { digest: seal(&salt, &json), opened: Some(Opened { value, beside }) })
    }
}

fn no_json(error: &serde_json::Error) -> LedgerError {
    LedgerError::Failed { doing: "writing an entry", what: format!("it has no form in JSON: {error}") }
}

fn beside_of(salt: &Salt, json: &str) -> String {
    format!("[\"{}\",{json}]", hex::encode(salt))
}

fn seal(salt: &Salt, json: &str) -> Digest {
    Digest::of_bytes(&[salt.as_slice(), json.as_bytes()].concat())
}

impl<T: fmt::Debug> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(value) => value.fmt(f),
            None => write!(f, "Sealed({})", self.digest.short()),
        }
    }
}

/// Prints the value, or a note that it was destroyed.
impl<T: fmt::Display> fmt::Display for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(value) => value.fmt(f),
            None => f.write_str("destroyed"),
        }
    }
}

impl<T> Serialize for Sealed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.digest.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Sealed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { digest: Digest::deserialize(deserializer)?, opened: None })
    }
}

/// A visitor of the sealed values of an entry.
pub(crate) trait Visit {
    fn sealed<T: Serialize + DeserializeOwned>(&mut self, sealed: &mut Sealed<T>) -> Result<(), LedgerError>;
}

/// Collects the openings of all sealed values into an array.
#[derive(Default)]
pub(crate) struct Gather(String);

impl Gather {
    fn add(&mut self, opening: &str) {
        self.0.push(if self.0.is_empty() { '[' } else { ',' });
        self.0.push_str(opening);
    }

    /// The openings as text, if there are any.
    pub(crate) fn text(mut self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        self.0.push(']');
        Some(self.0)
    }
}

impl Visit for Gather {
    fn sealed<T: Serialize + DeserializeOwned>(&mut self, sealed: &mut Sealed<T>) -> Result<(), LedgerError> {
        if let Some(opened) = &sealed.opened {
            self.add(&opened.beside);
        }
        Ok(())
    }
}

/// Opens sealed values with their openings. Destroyed values stay sealed.
pub(crate) struct Open(BTreeMap<Digest, (Salt, Value)>);

impl Open {
    pub(crate) fn by(text: Option<&str>) -> Result<Self, LedgerError> {
        let mut known = BTreeMap::new();
        let Some(text) = text else { return Ok(Self(known)) };
        let openings: Vec<(String, Value)> = serde_json::from_str(text).map_err(|_| not_of_it())?;
        let mut written = Gather::default();
        for (digits, value) in openings {
            let mut salt = Salt::default();
            hex::decode_to_slice(digits, &mut salt).map_err(|_| not_of_it())?;
            let json = canonical(&value).map_err(|_| not_of_it())?;
            written.add(&beside_of(&salt, &json));
            if known.insert(seal(&salt, &json), (salt, value)).is_some() {
                return Err(not_of_it());
            }
        }
        // If the same openings are spelled differently, another program wrote them.
        if written.text().as_deref() == Some(text) { Ok(Self(known)) } else { Err(not_of_it()) }
    }

    /// Call this after all values were visited. An opening without a value means that another program wrote it.
    pub(crate) fn finish(self) -> Result<(), LedgerError> {
        if self.0.is_empty() { Ok(()) } else { Err(not_of_it()) }
    }
}

impl Visit for Open {
    fn sealed<T: Serialize + DeserializeOwned>(&mut self, sealed: &mut Sealed<T>) -> Result<(), LedgerError> {
        if let Some((salt, value)) = self.0.remove(&sealed.digest) {
            *sealed = Sealed::new(salt, serde_json::from_value(value).map_err(|_| not_of_it())?)?;
        }
        Ok(())
    }
}

fn not_of_it() -> LedgerError {
    LedgerError::Corrupt { doing: "reading what an entry names" }
}

/// Derives salts from one random seed. All salts are different. Once the seed is gone, no salt reveals another salt.
pub(crate) struct Salts {
    drawn: [u8; 32],
    given: u64,
}

impl Salts {
    pub(crate) fn new(drawn: [u8; 32]) -> Self {
        Self { drawn, given: 0 }
    }

    pub(crate) fn draw(&mut self) -> Salt {
        self.given += 1;
        let digest: [u8; 32] =
            Sha256::new().chain_update(self.drawn).chain_update(self.given.to_be_bytes()).finalize().into();
        let mut salt = Salt::default();
        salt.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        salt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_told_by_its_opening_alone() {
        let mut salts = Salts::new([7; 32]);
        let mut one = Sealed::new(salts.draw(), "op-1".to_owned()).unwrap();
        let other = Sealed::new(salts.draw(), "op-1".to_owned()).unwrap();
        assert_ne!(one.digest(), other.digest(), "the same value twice shows nothing");
        let mut gather = Gather::default();
        gather.sealed(&mut one).unwrap();
        let beside = gather.text().unwrap();
        let written = serde_json::to_string(&one).unwrap();
        assert!(!written.contains("op-1"), "{written}");

        let mut read: Sealed<String> = serde_json::from_str(&written).unwrap();
        assert_eq!(read.get(), None);
        Open::by(None).unwrap().sealed(&mut read).unwrap();
        assert_eq!(read.get(), None, "it was destroyed");
        let forged = beside.replace("op-1", "op-2");
        let mut open = Open::by(Some(&forged)).unwrap();
        open.sealed(&mut read).unwrap();
        assert_eq!(read.get(), None, "another value is not of this digest");
        assert!(matches!(open.finish(), Err(LedgerError::Corrupt { .. })));
        let mut open = Open::by(Some(&beside)).unwrap();
        open.sealed(&mut read).unwrap();
        open.finish().unwrap();
        assert_eq!(read, one);
    }
}
