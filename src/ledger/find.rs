//! How entries are found again.

use super::SubjectToken;
use crate::digest::Digest;
use crate::hex;

/// What an entry can be found by: some bytes that say nothing of anybody, unless one has the key of their token.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey(Vec<u8>);

impl EntryKey {
    fn new(kind: u8, bytes: impl AsRef<[u8]>) -> Self {
        Self([&[kind], bytes.as_ref()].concat())
    }

    /// Closed cases of a subject.
    pub fn subject(token: SubjectToken) -> Self {
        Self::new(b's', token.to_bytes())
    }

    /// Whatever says that a profile at a gateway was erased.
    pub fn profile(token: SubjectToken) -> Self {
        Self::new(b'p', token.to_bytes())
    }

    /// Censuses under a data map.
    pub fn census(data_map: Digest) -> Self {
        Self::new(b'c', data_map.as_bytes())
    }

    /// Scrubs of the store's files.
    pub fn scrub() -> Self {
        Self::new(b'f', [])
    }

    /// The bytes, as a ledger keeps them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EntryKey({})", hex::encode(&self.0))
    }
}

/// Which entries are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Find {
    /// They have one of these keys.
    pub keys: Vec<EntryKey>,
    /// Only those after this number.
    pub after: u64,
    /// At most so many.
    pub limit: usize,
    /// The last ones first. Otherwise in order.
    pub last_first: bool,
}

impl Find {
    /// All entries with one of some keys, in order.
    pub fn all(keys: impl IntoIterator<Item = EntryKey>) -> Self {
        Self { keys: keys.into_iter().collect(), after: 0, limit: usize::MAX, last_first: false }
    }

    /// The last entry with a key.
    pub fn last(key: EntryKey) -> Self {
        Self { keys: vec![key], after: 0, limit: 1, last_first: true }
    }

    /// Only those after a number.
    #[must_use]
    pub fn after(self, after: u64) -> Self {
        Self { after, ..self }
    }
}
