//! Keys that sign checkpoints: Ed25519, in the notation of C2SP's signed notes.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::str::FromStr;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::hex;

/// The number of the algorithm in a signed note: Ed25519.
const ED25519: u8 = 1;

/// A signature of Ed25519: 64 bytes.
pub type Signature = [u8; 64];

/// Signs checkpoints. The key may be in a [file](FileSigner), or in an HSM or KMS that never hands it out.
#[async_trait]
pub trait Signer: fmt::Debug + Send + Sync + 'static {
    /// The public key, with its name.
    fn public_key(&self) -> &PublicKey;

    /// Signs a message with Ed25519 ([RFC 8032](https://www.rfc-editor.org/rfc/rfc8032), the pure variant). The message
    /// is the text of a checkpoint, which names nobody.
    ///
    /// **Idempotency:** repeating gives the same signature. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`SignerError`].
    async fn sign(&self, message: &[u8]) -> Result<Signature, SignerError>;
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// There is a file already.
    #[error("{path} exists already; name another file, or open this one")]
    Exists {
        /// The file.
        path: String,
    },
    /// The file cannot be read or written.
    #[error("{path} cannot be {doing}")]
    Io {
        /// What was being done: `read` or `made`.
        doing: &'static str,
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// Users other than the owner may read the file.
    #[error("{path} may be read by others; let only its owner read it (chmod 600)")]
    Permissions {
        /// The file.
        path: String,
    },
    /// The file is no key of a signer.
    #[error("{path} is no key of a signer: one line with the name, a space and 64 hexadecimal digits")]
    Malformed {
        /// The file.
        path: String,
    },
    /// The name of a key cannot be written into a checkpoint.
    #[error("a key is named by one word without a space and without +, for example erasures.example.com")]
    Name,
    /// The text is no public key.
    #[error("a public key has the form name+hash+key; copy what the signer printed")]
    PublicKey,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Entropy,
    /// The signer of the host failed.
    #[error("the signer failed: {0}")]
    Failed(String),
}

/// A public key with its name: `name+hash+key`, as C2SP's signed notes write it.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: VerifyingKey,
}

impl PublicKey {
    /// Makes an Ed25519 public key from 32 bytes and a name: one word without `+`. The name is also the name of the
    /// ledger.
    ///
    /// # Errors
    /// [`SignerError::Name`], and [`SignerError::PublicKey`] if the bytes are no public key.
    pub fn new(name: impl Into<String>, key: &[u8; 32]) -> Result<Self, SignerError> {
        let name = name.into();
        if name.is_empty() || name.contains(|c: char| c == '+' || c.is_whitespace() || c.is_control()) {
            return Err(SignerError::Name);
        }
        let key = VerifyingKey::from_bytes(key).map_err(|_| SignerError::PublicKey)?;
        Ok(Self { name, key })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of the SHA-256 of name and key. They are written beside each signature.
    pub(super) fn hash(&self) -> [u8; 4] {
        let mut hash = Sha256::new();
        hash.update(self.name.as_bytes());
        hash.update([b'\n', ED25519]);
        hash.update(self.key.as_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        hash.first_chunk::<4>().copied().unwrap_or_default()
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        self.key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.hash()), STANDARD.encode(bytes))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = SignerError;

    fn from_str(text: &str) -> Result<Self, SignerError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SignerError::PublicKey);
        };
        let key = STANDARD.decode(key).map_err(|_| SignerError::PublicKey)?;
        let Some((&ED25519, key)) = key.split_first() else { return Err(SignerError::PublicKey) };
        let key = Self::new(name, key.try_into().map_err(|_| SignerError::PublicKey)?)?;
        if hex::encode(key.hash()) == hash { Ok(key) } else { Err(SignerError::PublicKey) }
    }
}

/// A signer whose key is in a file. Only the owner of the file may read it.
///
/// Keep the file apart from the ledger: somebody who has both can forge a ledger with a checkpoint. If the key is
/// lost, make a new key. The checkpoints of the former key stay valid.
pub struct FileSigner {
    key: SigningKey,
    public: PublicKey,
}

impl fmt::Debug for FileSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSigner").field("public_key", &self.public).finish_non_exhaustive()
    }
}

impl FileSigner {
    /// Makes a file with a new random key, under a name: one word without `+`, for example the host name of the service.
    ///
    /// # Errors
    /// [`SignerError::Name`], [`SignerError::Exists`], [`SignerError::Io`], [`SignerError::Entropy`].
    pub fn create(path: impl AsRef<Path>, name: &str) -> Result<Self, SignerError> {
        let path = path.as_ref();
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => SignerError::Exists { path: path.display().to_string() },
            _ => SignerError::Io { doing: "made", path: path.display().to_string(), source },
        };
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(|_| SignerError::Entropy)?;
        let signer = Self::of(name, &seed)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        crate::ledger::key_ring::owner_only(&mut options);
        let mut file = options.open(path).map_err(io)?;
        let line = Zeroizing::new(format!("{name} {}\n", hex::encode(*seed)));
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        Ok(signer)
    }

    /// Opens a file that [`create`](Self::create) has made.
    ///
    /// # Errors
    /// [`SignerError::Io`], [`SignerError::Permissions`], [`SignerError::Malformed`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SignerError> {
        let path = path.as_ref();
        let shown = || path.display().to_string();
        let io = |source| SignerError::Io { doing: "read", path: shown(), source };
        let mut file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if crate::ledger::key_ring::is_open_to_others(&metadata) {
            return Err(SignerError::Permissions { path: shown() });
        }
        let room = usize::try_from(metadata.len()).unwrap_or(0).saturating_add(1);
        let mut text = Zeroizing::new(String::with_capacity(room));
        file.read_to_string(&mut text).map_err(io)?;
        let malformed = || SignerError::Malformed { path: shown() };
        let (name, digits) =
            text.strip_suffix('\n').and_then(|line| line.split_once(' ')).ok_or_else(malformed)?;
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits, &mut *seed).map_err(|_| malformed())?;
        Self::of(name, &seed).map_err(|_| malformed())
    }

    fn of(name: &str, seed: &[u8; 32]) -> Result<Self, SignerError> {
        let key = SigningKey::from_bytes(seed);
        let public = PublicKey::new(name, key.verifying_key().as_bytes())?;
        Ok(Self { key, public })
    }
}

#[async_trait]
impl Signer for FileSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    async fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        Ok(self.key.sign(message).to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key and a note from the documentation of Go's package `sumdb/note`.
    #[test]
    fn a_note_of_another_implementation_is_read() {
        let key: PublicKey =
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        let signature =
            "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        let signature = STANDARD.decode(signature).unwrap();
        let (hash, signature) = signature.split_first_chunk::<4>().unwrap();
        assert_eq!(*hash, key.hash());
        let mut signature: Signature = signature.try_into().unwrap();
        assert!(key.verifies(note.as_bytes(), &signature));
        signature[3] ^= 1;
        assert!(!key.verifies(note.as_bytes(), &signature));
        assert_eq!(key.to_string().parse::<PublicKey>().unwrap(), key);
    }

    #[test]
    fn a_key_with_a_wrong_letter_is_refused() {
        let right = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        for n in 0..right.len() {
            let mut wrong = right.as_bytes().to_vec();
            wrong[n] ^= 1;
            let wrong = String::from_utf8(wrong).unwrap();
            assert!(wrong.parse::<PublicKey>().is_err(), "{wrong}");
        }
        for name in ["", "two words", "a+b", "a\nb"] {
            assert!(matches!(PublicKey::new(name, &[1; 32]), Err(SignerError::Name)), "{name:?}");
        }
    }
}
