//! Keys, and the tokens made with them.

use std::fmt::{self, Debug};
use std::io;
use std::sync::Arc;

use async_trait::async_trait;

mod file;
mod memory;
mod signed;
mod token;

pub use file::FileKeyRing;
#[cfg(feature = "checkpoints")]
pub(crate) use file::{is_open_to_others, owner_only};
pub use memory::{MemoryKeyRing, TokenKey};
pub(crate) use signed::{Epoch, Signed, epochs, tokens, tokens_of};
pub use token::{KeyCheck, SubjectToken};
pub(crate) use token::{TokenOf, write_customer};

/// An HMAC-SHA-256.
pub type Mac = [u8; 32];

/// The port for the keys of the ledger's tokens.
///
/// A key never leaves its ring: the ring itself computes the tokens. So the keys can be in an HSM or a KMS that never
/// hands out keys. Each key has an epoch: 1, 2, 3 … New tokens are made with the key of the last epoch. As long as
/// older keys exist, their tokens are computed as well, so that customers who were erased under an old key are
/// recognised. When a key is destroyed, its tokens cannot be matched with customers any more.
///
/// Requests come in batches: one request per epoch for a whole batch of customers, never one per customer.
///
/// ```
/// use async_trait::async_trait;
/// use relinquish::ledger::{KeyRing, KeyRingError, Mac, MacRequest};
///
/// /// A client of a key management service that computes HMACs.
/// #[derive(Debug)]
/// struct Kms;
///
/// # impl Kms {
/// #     async fn generate_mac(&self, _key: String, _message: &[u8]) -> Result<Mac, std::io::Error> { Ok([0; 32]) }
/// # }
/// #[async_trait]
/// impl KeyRing for Kms {
///     async fn epochs(&self) -> Result<Vec<u32>, KeyRingError> {
///         Ok(vec![1])
///     }
///
///     async fn macs(&self, request: &MacRequest) -> Result<Vec<Mac>, KeyRingError> {
///         let mut macs = Vec::with_capacity(request.messages.len());
///         for message in request.messages.iter() {
///             let mac = self.generate_mac(format!("tokens-{}", request.epoch), message).await;
///             macs.push(mac.map_err(KeyRingError::unreachable)?);
///         }
///         Ok(macs)
///     }
/// }
/// ```
#[async_trait]
pub trait KeyRing: Debug + Send + Sync + 'static {
    /// The epochs of all keys that still exist, in ascending order. Never empty.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`KeyRingError`].
    async fn epochs(&self) -> Result<Vec<u32>, KeyRingError>;

    /// The HMAC-SHA-256 of each message under the key of an epoch: one each, in order.
    ///
    /// **Idempotency:** the same key and message always give the same HMAC. **Partial failure:** none: all or an
    /// error. **Cancel safety:** safe. **Errors:** [`KeyRingError`]; [`KeyRingError::NoKey`] for an epoch whose key
    /// does not exist.
    async fn macs(&self, request: &MacRequest) -> Result<Vec<Mac>, KeyRingError>;
}

/// A request to compute HMACs. Its `Debug` shows no message.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MacRequest {
    /// The epoch of the key.
    pub epoch: u32,
    /// The messages. Each contains the host's own id of a customer, so do not log them.
    pub messages: Arc<Messages>,
}

impl MacRequest {
    /// Makes a request for messages, under the key of an epoch.
    pub fn new(epoch: u32, messages: impl IntoIterator<Item: AsRef<[u8]>>) -> Self {
        Self { epoch, messages: Arc::new(messages.into_iter().collect()) }
    }
}

/// Messages, stored in one piece of memory. This saves allocations, because a replay computes the tokens of every
/// customer.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Messages {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Messages {
    /// The messages in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        self.ends.iter().map(move |end| {
            let message = self.bytes.get(begin..*end).unwrap_or_default();
            begin = *end;
            message
        })
    }

    /// The number of messages.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds the message that a closure writes at the end of the bytes.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }
}

impl<M: AsRef<[u8]>> FromIterator<M> for Messages {
    fn from_iter<I: IntoIterator<Item = M>>(messages: I) -> Self {
        let mut all = Self::default();
        for message in messages {
            all.push(|bytes| bytes.extend_from_slice(message.as_ref()));
        }
        all
    }
}

/// Shows no message.
impl Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("messages", &self.len()).finish_non_exhaustive()
    }
}

impl Debug for MacRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MacRequest")
            .field("epoch", &self.epoch)
            .field("messages", &self.messages.len())
            .finish_non_exhaustive()
    }
}

macro_rules! forward_key_ring {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: KeyRing + ?Sized> KeyRing for $pointer<T> {
            async fn epochs(&self) -> Result<Vec<u32>, KeyRingError> {
                (**self).epochs().await
            }

            async fn macs(&self, request: &MacRequest) -> Result<Vec<Mac>, KeyRingError> {
                (**self).macs(request).await
            }
        }
    )*};
}

forward_key_ring!(Arc, Box);

/// An error of a key ring.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRingError {
    /// There is no key file.
    #[error(
        "there is no key file {path}; it belongs to the ledger beside it: restore it from its own backup. Only for a new \
         ledger without entries, make one with FileKeyRing::create"
    )]
    Missing {
        /// The file.
        path: String,
    },
    /// The key file exists already.
    #[error(
        "there is a key file {path} already, and without it nobody who was erased can be recognised; open it with \
         FileKeyRing::open, or move it away if its ledger is gone for good"
    )]
    Exists {
        /// The file.
        path: String,
    },
    /// The file cannot be read or made.
    #[error(
        "the key file {path} cannot be {doing}; check its folder and the permissions of this program there"
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
    /// Users other than the owner may read the file.
    #[error(
        "other users may read the key file {path}; remove that permission (chmod 600), and consider a new key"
    )]
    Permissions {
        /// The file.
        path: String,
    },
    /// The file is not a key file, or is only a part of one.
    #[error(
        "line {line} of the key file {path} is no key: an epoch of its own, a space and 64 hexadecimal digits; restore the \
         file from its backup"
    )]
    Malformed {
        /// The file.
        path: String,
        /// The line.
        line: usize,
    },
    /// The ring has no key.
    #[error("the key ring is empty; restore the key: without it no entry of the ledger can be found again")]
    Empty,
    /// The ring has no key of this epoch.
    #[error("the key ring has no key of epoch {epoch}; restore the key, or use an epoch that the ring has")]
    NoKey {
        /// The epoch.
        epoch: u32,
    },
    /// The ledger was written with another key.
    #[error(
        "the ledger was written with another key of epoch {epoch}; with this key nobody who was \
         erased is recognised: restore the key ring of this ledger"
    )]
    KeyMismatch {
        /// The epoch.
        epoch: u32,
    },
    /// The ledger was written with a later key than all keys of the ring.
    #[error(
        "the ledger was written with the key of epoch {ledger}, but the last key of the ring is of epoch {ring}: the ring is \
         older than the ledger; restore its latest copy"
    )]
    Outdated {
        /// The epoch of the ledger.
        ledger: u32,
        /// The last epoch of the ring.
        ring: u32,
    },
    /// The ring of the suppression list has a key of the ledger.
    #[error(
        "the suppression list and the ledger use the same key (epoch {epoch}); give EngineBuilder::suppression a key \
         ring of its own, so that its keys can be destroyed separately"
    )]
    SharedKey {
        /// The epoch in the ring of the suppression list.
        epoch: u32,
    },
    /// The suppression list was written with another key.
    #[error(
        "the suppression list was written with another key of epoch {epoch}; with this key nobody on the \
         list is recognised: restore the key ring of the suppression list"
    )]
    ListKeyMismatch {
        /// The epoch.
        epoch: u32,
    },
    /// The ring did not answer for every message.
    #[error(
        "the key ring was asked for {asked} tokens and answered with {answered}; correct the adapter of the ring"
    )]
    AnswerCount {
        /// The number of requested tokens.
        asked: usize,
        /// The number of tokens in the answer.
        answered: usize,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no randomness for a new key; nothing was made, try again")]
    Entropy,
    /// The service that holds the keys does not answer, or refuses.
    #[error(
        "the service that holds the keys cannot be used; look at its log and at the permissions of this program there"
    )]
    Unreachable {
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Anything else, with the way out.
    #[error("{0}")]
    Failed(String),
}

impl KeyRingError {
    /// Makes the error for a key service that does not answer, or refuses.
    pub fn unreachable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unreachable { source: source.into() }
    }

    /// Whether the key file is missing.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}

#[cfg(test)]
mod tests;
