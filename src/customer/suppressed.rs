//! Identifiers of erased people, for importers that must not store these people again.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::TenantId;
use crate::data_map::Kind;
use crate::hex;

/// An identifier of a person whom an importer, a webhook handler or a mailing list wants to store. It consists of the
/// tenant, the kind and the value. Its `Debug` output does not show the value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier {
    /// The tenant whose customer the person would become.
    pub tenant: TenantId,
    /// The kind.
    pub kind: Kind,
    /// The value, spelled in any way in which the [search in texts](crate::anonymise::text) would find it.
    pub value: String,
}

impl Identifier {
    /// An identifier.
    pub fn new(tenant: impl Into<TenantId>, kind: Kind, value: impl Into<String>) -> Self {
        Self { tenant: tenant.into(), kind, value: value.into() }
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identifier")
            .field("tenant", &self.tenant)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A keyed digest of an identifier, in the [suppression list](crate::ledger::SuppressionList). Written as the epoch of the
/// key, a colon and 64 hexadecimal digits: `1:…`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SuppressionToken {
    epoch: u32,
    mac: [u8; 32],
}

impl SuppressionToken {
    pub(crate) fn new(epoch: u32, mac: [u8; 32]) -> Self {
        Self { epoch, mac }
    }

    /// The epoch of the key.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }
}

impl fmt::Display for SuppressionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, hex::encode(self.mac))
    }
}

impl fmt::Debug for SuppressionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SuppressionToken({self})")
    }
}

impl Serialize for SuppressionToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SuppressionToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || D::Error::custom("a token is an epoch, a colon and 64 hexadecimal digits");
        let (epoch, digits) = text.split_once(':').ok_or_else(wrong)?;
        let mut mac = [0; 32];
        hex::decode_to_slice(digits, &mut mac).map_err(|_| wrong())?;
        Ok(Self { epoch: epoch.parse().map_err(|_| wrong())?, mac })
    }
}
