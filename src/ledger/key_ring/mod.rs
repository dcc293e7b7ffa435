//! Keys, and the tokens that are made with them.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox, zeroize::Zeroize};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::Sha256;

use crate::customer::{CustomerId, GatewayName, TenantId};
use crate::digest::{Digest, hex_in};

/// A customer, named by a keyed digest:
/// `HMAC-SHA-256(epoch key; tenant, customer id, registration instant)`, each part with its length before it,
/// the instant in UTC seconds or left out. Written as `1:` and 64 hexadecimal digits, the epoch first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectToken {
    epoch: u32,
    mac: [u8; 32],
}

impl SubjectToken {
    /// The epoch of the key.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Epoch and digest, the epoch with its high byte first.
    #[cfg(feature = "sqlite")]
    pub(crate) fn to_bytes(self) -> [u8; 36] {
        let mut bytes = [0; 36];
        let (epoch, mac) = bytes.split_at_mut(4);
        epoch.copy_from_slice(&self.epoch.to_be_bytes());
        mac.copy_from_slice(&self.mac);
        bytes
    }
}

impl fmt::Display for SubjectToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, hex_in(&self.mac, &mut [0; 64]))
    }
}

impl Debug for SubjectToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectToken({self})")
    }
}

impl Serialize for SubjectToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for SubjectToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || D::Error::custom("a token is an epoch, a colon and 64 hexadecimal digits");
        let (epoch, digits) = text.split_once(':').ok_or_else(wrong)?;
        let mut mac = [0; 32];
        hex::decode_to_slice(digits, &mut mac).map_err(|_| wrong())?;
        Ok(Self { epoch: epoch.parse().map_err(|_| wrong())?, mac })
    }
}

/// A secret key of 32 bytes. Wiped from memory when dropped; its `Debug` shows nothing.
pub struct TokenKey(SecretBox<[u8; 32]>);

impl TokenKey {
    /// Takes the bytes, and wipes them where they were.
    pub fn new(mut bytes: [u8; 32]) -> Self {
        let key = Self(SecretBox::new(Box::new(bytes)));
        bytes.zeroize();
        key
    }
}

impl Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

/// A key and the epoch in which it is used.
#[derive(Clone, Debug)]
pub struct EpochKey {
    /// The epoch: 1, 2, 3 …
    pub epoch: u32,
    /// The key.
    pub key: Arc<TokenKey>,
}

impl EpochKey {
    /// The token of a customer in this epoch.
    pub fn token(
        &self,
        tenant: &TenantId,
        customer: &CustomerId,
        registered: Option<DateTime<Utc>>,
    ) -> SubjectToken {
        let mut bytes = [0; 32];
        // HMAC takes a key of any length, so this never fails.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key.0.expose_secret()) {
            for part in [tenant.as_str(), customer.as_str()] {
                mac.update(&(part.len() as u64).to_be_bytes());
                mac.update(part.as_bytes());
            }
            if let Some(instant) = registered {
                mac.update(&8_u64.to_be_bytes());
                mac.update(&instant.timestamp().to_be_bytes());
            }
            bytes = mac.finalize().into_bytes().into();
        }
        SubjectToken { epoch: self.epoch, mac: bytes }
    }

    /// The token of a profile at a gateway in this epoch, so that a profile that comes back is known again. Its parts
    /// are a fixed word, the gateway's name, and the digest of the profile's id; a customer's are never of this form.
    pub fn profile_token(&self, gateway: &GatewayName, profile: Digest) -> SubjectToken {
        let mut bytes = [0; 32];
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key.0.expose_secret()) {
            for part in [b"gateway profile".as_slice(), gateway.as_str().as_bytes(), profile.as_bytes()] {
                mac.update(&(part.len() as u64).to_be_bytes());
                mac.update(part);
            }
            bytes = mac.finalize().into_bytes().into();
        }
        SubjectToken { epoch: self.epoch, mac: bytes }
    }
}

/// Tells keys apart without telling anything of them: the first 8 bytes of an HMAC of nothing, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyCheck(String);

impl EpochKey {
    /// The check value of the key.
    pub fn check(&self) -> KeyCheck {
        let bytes: [u8; 32] = Hmac::<Sha256>::new_from_slice(self.key.0.expose_secret())
            .map_or([0; 32], |mac| mac.finalize().into_bytes().into());
        let mut digits = hex::encode(bytes);
        digits.truncate(16);
        KeyCheck(digits)
    }
}

/// What can go wrong with keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRingError {
    /// The file cannot be read or made.
    #[error(
        "the key file {path} cannot be {doing}; it belongs to the ledger beside it: restore it from its own backup, or, \
         for a new ledger, make its folder"
    )]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Others than its owner may read the file.
    #[error(
        "others may read the key file {path}; take that right away (chmod 600), and think about a new key"
    )]
    Open {
        /// The file.
        path: String,
    },
    /// The file is no key file.
    #[error(
        "line {line} of the key file {path} is none: an epoch and 64 hexadecimal digits; restore the file"
    )]
    Malformed {
        /// The file.
        path: String,
        /// The line.
        line: usize,
    },
    /// There is no key at all.
    #[error("the key ring is empty; restore the key, without it no entry of the ledger can be found again")]
    Empty,
    /// The ledger was written with another key.
    #[error(
        "the key of epoch {epoch} is not the one with which the ledger was written; without it nobody who was \
         erased is recognised: restore the key file"
    )]
    Another {
        /// The epoch.
        epoch: u32,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness for a new key")]
    Entropy,
    /// Anything else, with the way out.
    #[error("{0}")]
    Failed(String),
}

/// Where the keys of the ledger's tokens come from.
#[async_trait]
pub trait KeyRing: Debug + Send + Sync + 'static {
    /// Every key that still exists, the current one last. Never empty.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`KeyRingError`].
    async fn keys(&self) -> Result<Vec<EpochKey>, KeyRingError>;
}

macro_rules! forward_key_ring {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: KeyRing + ?Sized> KeyRing for $pointer<T> {
            async fn keys(&self) -> Result<Vec<EpochKey>, KeyRingError> {
                (**self).keys().await
            }
        }
    )*};
}

forward_key_ring!(Arc, Box);

/// Keys in memory. They are gone with the process, and with them the meaning of every token.
#[derive(Debug)]
pub struct MemoryKeyRing {
    keys: BTreeMap<u32, Arc<TokenKey>>,
}

impl MemoryKeyRing {
    /// One key, of epoch 1.
    pub fn new(key: TokenKey) -> Self {
        Self { keys: BTreeMap::from([(1, Arc::new(key))]) }
    }

    /// With the key of a later epoch, which becomes the current one.
    #[must_use]
    pub fn with_next(mut self, key: TokenKey) -> Self {
        let next = self.keys.keys().next_back().map_or(1, |last| last + 1);
        self.keys.insert(next, Arc::new(key));
        self
    }
}

#[async_trait]
impl KeyRing for MemoryKeyRing {
    async fn keys(&self) -> Result<Vec<EpochKey>, KeyRingError> {
        Ok(self.keys.iter().map(|(epoch, key)| EpochKey { epoch: *epoch, key: key.clone() }).collect())
    }
}

/// Keys in a file next to the ledger, one line each: epoch and key. Made once, readable by its owner only.
///
/// Back it up apart from the ledger: who has both can tell whether a customer of a known id was erased.
#[derive(Debug)]
pub struct FileKeyRing {
    keys: Vec<EpochKey>,
}

impl FileKeyRing {
    /// The file next to a ledger: its path with `.keys` at the end. Made if it is not there; an engine whose ledger
    /// was written with another key says so and does nothing.
    ///
    /// # Errors
    /// [`KeyRingError`].
    pub fn beside(ledger: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        let mut path = ledger.as_ref().as_os_str().to_owned();
        path.push(".keys");
        Self::open_or_create(PathBuf::from(path))
    }

    /// Opens a key file, or makes one with a new key from the operating system.
    ///
    /// # Errors
    /// [`KeyRingError`]: unreadable, open to others, or no key file.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        let path = path.as_ref();
        match create(path) {
            Ok(()) => {}
            Err(KeyRingError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        Self::open(path)
    }

    /// Opens a key file that must be there.
    ///
    /// # Errors
    /// As [`open_or_create`](Self::open_or_create).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, KeyRingError> {
        let path = path.as_ref();
        let shown = || path.display().to_string();
        let io = |source| KeyRingError::Io { doing: "read", path: shown(), source };
        let mut file = File::open(path).map_err(io)?;
        if is_open_to_others(&file.metadata().map_err(io)?) {
            return Err(KeyRingError::Open { path: shown() });
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(io)?;
        let mut keys = BTreeMap::new();
        for (n, line) in text.lines().enumerate() {
            let parsed = line.split_once(' ').and_then(|(epoch, digits)| {
                let mut bytes = [0; 32];
                hex::decode_to_slice(digits, &mut bytes).ok()?;
                Some((epoch.parse::<u32>().ok()?, Arc::new(TokenKey::new(bytes))))
            });
            let Some((epoch, key)) = parsed else {
                return Err(KeyRingError::Malformed { path: shown(), line: n + 1 });
            };
            keys.insert(epoch, key);
        }
        text.zeroize();
        if keys.is_empty() {
            return Err(KeyRingError::Empty);
        }
        Ok(Self { keys: keys.into_iter().map(|(epoch, key)| EpochKey { epoch, key }).collect() })
    }
}

#[async_trait]
impl KeyRing for FileKeyRing {
    async fn keys(&self) -> Result<Vec<EpochKey>, KeyRingError> {
        Ok(self.keys.clone())
    }
}

/// Makes the file with a new key, whole or not at all: written aside first, then linked to its name, which
/// fails if the name is taken.
fn create(path: &Path) -> Result<(), KeyRingError> {
    let io = |source| KeyRingError::Io { doing: "made", path: path.display().to_string(), source };
    if path.exists() {
        return Ok(());
    }
    let mut random = [0; 40];
    getrandom::fill(&mut random).map_err(|_| KeyRingError::Entropy)?;
    let (key, name) = random.split_at(32);
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".new-{}", hex::encode(name)));
    let aside = PathBuf::from(aside);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    owner_only(&mut options);
    let written = options.open(&aside).and_then(|mut file| {
        let mut line = format!("1 {}\n", hex::encode(key));
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_all());
        line.zeroize();
        written
    });
    random.zeroize();
    let linked = written.and_then(|()| fs::hard_link(&aside, path));
    let removed = fs::remove_file(&aside);
    linked.map_err(io)?;
    removed.map_err(io)
}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

#[cfg(not(unix))]
fn owner_only(_: &mut OpenOptions) {}

#[cfg(unix)]
fn is_open_to_others(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> EpochKey {
        EpochKey { epoch: 1, key: Arc::new(TokenKey::new([byte; 32])) }
    }

    #[test]
    fn every_part_of_the_identity_counts_and_parts_do_not_run_together() {
        let instant = |seconds| DateTime::from_timestamp(seconds, 0);
        let token = |k: &EpochKey, tenant: &str, id: &str, at| k.token(&tenant.into(), &id.into(), at);
        let base = token(&key(1), "ab", "c", instant(1));
        for other in [
            token(&key(2), "ab", "c", instant(1)),
            token(&key(1), "a", "bc", instant(1)),
            token(&key(1), "ab", "d", instant(1)),
            token(&key(1), "ab", "c", instant(2)),
            token(&key(1), "ab", "c", None),
        ] {
            assert_ne!(base, other);
        }
        let text = serde_json::to_string(&base).unwrap();
        assert_eq!(serde_json::from_str::<SubjectToken>(&text).unwrap(), base);
    }

    #[test]
    fn a_key_is_never_shown() {
        assert_eq!(format!("{:?}", TokenKey::new([7; 32])), "TokenKey(…)");
    }

    #[tokio::test]
    async fn a_key_file_is_made_once_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = dir.path().join("ledger.sqlite");
        let token = |ring: &FileKeyRing| ring.keys[0].token(&"t".into(), &"1".into(), None);
        let first = FileKeyRing::beside(&ledger).unwrap();
        let again = FileKeyRing::beside(&ledger).unwrap();
        assert_eq!(token(&first), token(&again));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left aside");

        let path = dir.path().join("ledger.sqlite.keys");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert!(matches!(FileKeyRing::open(&path), Err(KeyRingError::Open { .. })));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::write(&path, "1 abc\n").unwrap();
        assert!(matches!(FileKeyRing::open(&path), Err(KeyRingError::Malformed { line: 1, .. })));
        fs::write(&path, "").unwrap();
        assert!(matches!(FileKeyRing::open(&path), Err(KeyRingError::Empty)));
    }
}
