//! The keys of an index for finding entries.

use super::SubjectToken;
use crate::digest::Digest;
use crate::hex;

/// An index key of an entry. Without the key of the token, its bytes reveal nothing about a person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey(Vec<u8>);

impl EntryKey {
    fn new(kind: u8, bytes: impl AsRef<[u8]>) -> Self {
        Self([&[kind], bytes.as_ref()].concat())
    }

    /// The key of a subject's closed cases.
    pub fn subject(token: SubjectToken) -> Self {
        Self::new(b's', token.to_bytes())
    }

    /// The key of entries that report an erased profile at a gateway.
    pub fn profile(token: SubjectToken) -> Self {
        Self::new(b'p', token.to_bytes())
    }

    /// The key of censuses of a database under a data map.
    pub fn census(data_map: Digest, database: Option<Digest>) -> Self {
        let database = database.iter().flat_map(Digest::as_bytes);
        Self::new(b'c', data_map.as_bytes().iter().chain(database).copied().collect::<Vec<u8>>())
    }

    /// The key of entries about places of backups.
    pub fn copies() -> Self {
        Self::new(b'b', [])
    }

    /// The key of scrubs.
    pub fn scrub() -> Self {
        Self::new(b'f', [])
    }

    /// The key of erasures in which duties deferred something. `archived`: whether the customer was archived when the
    /// case was closed.
    pub fn deferred(archived: bool) -> Self {
        Self::new(b'd', [u8::from(archived)])
    }

    /// The bytes that a ledger stores.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EntryKey({})", hex::encode(&self.0))
    }
}

/// A search for entries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Find {
    /// The entries have at least one of these keys.
    pub keys: Vec<EntryKey>,
    /// The entries have higher numbers than this.
    pub after: u64,
    /// The maximum number of entries.
    pub limit: usize,
    /// Whether the last entries come first. Otherwise they come in order.
    pub last_first: bool,
}

impl Find {
    /// All entries with at least one of some keys, in order.
    pub fn all(keys: impl IntoIterator<Item = EntryKey>) -> Self {
        Self { keys: keys.into_iter().collect(), after: 0, limit: usize::MAX, last_first: false }
    }

    /// The last entry with a key.
    pub fn last(key: EntryKey) -> Self {
        Self { keys: vec![key], after: 0, limit: 1, last_first: true }
    }

    /// The first entry with a key.
    pub(crate) fn first(key: EntryKey) -> Self {
        Self { keys: vec![key], after: 0, limit: 1, last_first: false }
    }

    /// Restricts the search to entries with higher numbers.
    #[must_use]
    pub fn after(self, after: u64) -> Self {
        Self { after, ..self }
    }
}
