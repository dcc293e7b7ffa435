//! Keys in memory.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::{KeyRing, KeyRingError, Mac, MacRequest};

/// A secret key of 32 bytes. Wiped from memory when dropped; its `Debug` shows nothing.
pub struct TokenKey(Box<Zeroizing<[u8; 32]>>);

impl TokenKey {
    /// Takes the bytes, and wipes the original copy.
    pub fn new(mut bytes: [u8; 32]) -> Self {
        let key = Self(Box::new(Zeroizing::new(bytes)));
        bytes.zeroize();
        key
    }

    /// An HMAC with this key. HMAC pads a shorter key with zeros to a full block. So a padded block gives the same
    /// result.
    fn hmac(&self) -> Hmac<Sha256> {
        let mut block = [0; 64];
        let (key, _) = block.split_at_mut(32);
        key.copy_from_slice(self.0.as_slice());
        let hmac = Hmac::new(&block.into());
        block.zeroize();
        hmac
    }
}

impl Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

/// Keys in memory. They are lost when the process ends. After that no token can be matched with a customer.
#[derive(Clone, Debug)]
pub struct MemoryKeyRing {
    keys: BTreeMap<u32, Arc<TokenKey>>,
}

impl MemoryKeyRing {
    /// Makes a ring with one key, of epoch 1.
    pub fn new(key: TokenKey) -> Self {
        Self { keys: BTreeMap::from([(1, Arc::new(key))]) }
    }

    pub(super) fn of(keys: BTreeMap<u32, Arc<TokenKey>>) -> Self {
        Self { keys }
    }

    /// Adds the key of the next epoch, which becomes the current epoch.
    #[must_use]
    pub fn with_next(mut self, key: TokenKey) -> Self {
        let next = self.keys.keys().next_back().map_or(1, |last| last + 1);
        self.keys.insert(next, Arc::new(key));
        self
    }

    /// Destroys the key of an epoch. Customers who were erased under this key are not recognised any more.
    #[must_use]
    pub fn without(mut self, epoch: u32) -> Self {
        self.keys.remove(&epoch);
        self
    }
}

#[async_trait]
impl KeyRing for MemoryKeyRing {
    async fn epochs(&self) -> Result<Vec<u32>, KeyRingError> {
        Ok(self.keys.keys().copied().collect())
    }

    async fn macs(&self, request: &MacRequest) -> Result<Vec<Mac>, KeyRingError> {
        let key = self.keys.get(&request.epoch).ok_or(KeyRingError::NoKey { epoch: request.epoch })?;
        let keyed = key.hmac();
        let mac = |message: &[u8]| {
            let mut hmac = keyed.clone();
            hmac.update(message);
            hmac.finalize().into_bytes().into()
        };
        Ok(request.messages.iter().map(mac).collect())
    }
}
