//! The tenants' own entries, looked up for every customer.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::Effective;
use crate::customer::TenantId;

/// The policies of the tenants that have an entry of their own. Only the policy fills this table, and customers do
/// not. So a quick hash that can be guessed is safe here.
pub(super) type ByTenant = HashMap<TenantId, Arc<Effective>, BuildHasherDefault<Fnv>>;

/// FNV-1a, for short names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}
