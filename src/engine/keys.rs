//! Computes tokens for whole batches. Before that, the key ring is checked against the ledger.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::{Engine, Error};
use crate::customer::Customer;
use crate::ledger::{
    Entry, Epoch, KeyCheck, KeyRingError, Signed, SubjectToken, TokenOf, epochs, next_entries, tokens,
};

/// The number of entries that are read at once. The search goes back from the latest entry to one that was written
/// with a key.
const CHECKED: u64 = 100;

impl Engine {
    /// The epochs of the key ring, the current epoch last. Checks first that the ledger was written with these keys.
    /// With other keys the engine would not recognise customers who were erased before.
    pub(super) async fn epochs(&self) -> Result<Vec<Epoch>, Error> {
        let numbers = self.parts.keys.epochs().await?;
        let Some(current) = numbers.last().copied() else { return Err(KeyRingError::Empty.into()) };
        {
            let known = self.parts.epochs.lock().unwrap_or_else(PoisonError::into_inner);
            if known.iter().map(|epoch| epoch.number).eq(numbers.iter().copied()) {
                return Ok(known.clone());
            }
        }
        let found = epochs(&*self.parts.keys, &numbers).await?;
        for (epoch, check) in self.last_keys().await? {
            match found.iter().find(|known| known.number == epoch) {
                Some(known) if known.check != check => return Err(KeyRingError::KeyMismatch { epoch }.into()),
                None if epoch > current => {
                    return Err(KeyRingError::Outdated { ledger: epoch, ring: current }.into());
                }
                // The key of an earlier epoch may have been destroyed.
                Some(_) | None => {}
            }
        }
        self.parts.epochs.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&found);
        Ok(found)
    }

    /// The keys of the latest entries that were written with a key. Entries of censuses and expiries have no key.
    async fn last_keys(&self) -> Result<BTreeMap<u32, KeyCheck>, Error> {
        let mut before = self.parts.ledger.last().await?;
        while before > 0 {
            let after = before.saturating_sub(CHECKED);
            let count = usize::try_from(before - after).unwrap_or(usize::MAX);
            let entries = next_entries(&*self.parts.ledger, after, before, count).await?;
            let keys: BTreeMap<u32, KeyCheck> = entries.iter().filter_map(key_of).collect();
            if !keys.is_empty() {
                return Ok(keys);
            }
            before = after;
        }
        Ok(BTreeMap::new())
    }

    /// Tokens under the current key, in one request. For nobody, the key ring is not asked: an entry that names nobody
    /// can be written while the key ring is out of reach.
    pub(super) async fn sign(&self, of: Vec<TokenOf>) -> Result<Signed, Error> {
        if of.is_empty() {
            return Ok(Signed::default());
        }
        let current = self.epochs().await?.pop().ok_or(KeyRingError::Empty)?;
        Ok(Signed::new(&*self.parts.keys, current, of).await?)
    }

    /// Tokens under every key that still exists, each with the index of the name in `of`. One request per epoch, and none
    /// for nobody.
    pub(super) async fn all_tokens(&self, of: &[TokenOf]) -> Result<Vec<(SubjectToken, usize)>, Error> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let tokens = tokens(&*self.parts.keys, &self.epochs().await?, of).await?;
        let places = (0..of.len()).cycle();
        Ok(tokens.into_iter().zip(places).collect())
    }
}

/// The epoch of the key with which an entry was written, and the key's check value.
fn key_of(entry: &Entry) -> Option<(u32, KeyCheck)> {
    entry.closed()?.key()
}

/// The name from which a customer's token is computed.
pub(super) fn token_of(customer: &Customer) -> TokenOf {
    TokenOf::Customer {
        tenant: customer.tenant.clone(),
        customer: customer.id.clone(),
        registered: customer.registered,
    }
}
