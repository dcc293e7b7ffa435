//! Tokens: keyed digests that name a customer or a profile at a gateway, without revealing the id.

use std::fmt::{self, Debug};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::Mac;
use crate::customer::{CustomerId, GatewayName, SuppressionToken, TenantId};
use crate::digest::{Digest, hex_in};
use crate::hex;

/// A keyed digest that names a customer: `HMAC-SHA-256(epoch key; tenant, customer id, registration instant)`. Each
/// part is preceded by its length. The instant is in UTC seconds, or left out. A token is written as the epoch, a
/// colon and 64 hexadecimal digits: `1:…`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectToken {
    epoch: u32,
    mac: Mac,
}

impl SubjectToken {
    pub(super) fn new(epoch: u32, mac: Mac) -> Self {
        Self { epoch, mac }
    }

    /// The epoch of the key.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The same digest as a token of the suppression list.
    pub(crate) fn to_suppression(self) -> SuppressionToken {
        SuppressionToken::new(self.epoch, self.mac)
    }

    /// The epoch and the digest as bytes. The epoch is big-endian.
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
        write!(f, "{}:{}", self.epoch, hex_in(&self.mac, &mut [0; 64]).ok_or(fmt::Error)?)
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

/// The customer, person, identifier or profile that a token names. Its `Debug` shows no value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum TokenOf {
    Customer {
        tenant: TenantId,
        customer: CustomerId,
        registered: Option<DateTime<Utc>>,
    },
    /// A person who is no customer, by the digest of an address.
    Person {
        address: Digest,
    },
    /// An identifier in its normalised form, for the suppression list.
    Identifier {
        tenant: TenantId,
        form: String,
    },
    /// A profile, by the digest of its id, so that the same profile is recognised later.
    Profile {
        gateway: GatewayName,
        profile: Digest,
    },
}

impl TokenOf {
    /// A person who is no customer, by an address. Nearly all mail servers compare addresses without case.
    pub(crate) fn of_address(address: &str) -> Self {
        Self::Person { address: Digest::of_bytes(address.trim().to_lowercase().as_bytes()) }
    }

    /// Writes the bytes for the HMAC. Each part is preceded by its length. The first part of a profile's message, and
    /// the first two parts of a person's message, are fixed words. So no message of a customer equals one of these:
    /// its third part has 8 bytes or is left out.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        let mut add = |part: &[u8]| add(bytes, part);
        match self {
            Self::Customer { tenant, customer, registered } => {
                write_customer(bytes, tenant, customer, *registered);
            }
            Self::Person { address } => {
                add(b"person");
                add(b"address");
                add(address.as_bytes());
            }
            Self::Identifier { tenant, form } => {
                add(b"suppressed");
                add(b"identifier");
                add(tenant.as_str().as_bytes());
                add(form.as_bytes());
            }
            Self::Profile { gateway, profile } => {
                add(b"gateway profile");
                add(gateway.as_str().as_bytes());
                add(profile.as_bytes());
            }
        }
    }
}

/// Writes the message of a customer.
pub(crate) fn write_customer(
    bytes: &mut Vec<u8>,
    tenant: &TenantId,
    customer: &CustomerId,
    registered: Option<DateTime<Utc>>,
) {
    add(bytes, tenant.as_str().as_bytes());
    add(bytes, customer.as_str().as_bytes());
    if let Some(instant) = registered {
        add(bytes, &instant.timestamp().to_be_bytes());
    }
}

fn add(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
    bytes.extend_from_slice(part);
}

impl Debug for TokenOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Customer { .. } => "TokenOf::Customer(…)",
            Self::Person { .. } => "TokenOf::Person(…)",
            Self::Identifier { .. } => "TokenOf::Identifier(…)",
            Self::Profile { .. } => "TokenOf::Profile(…)",
        })
    }
}

/// A check value that tells keys apart without revealing them. It is the first 8 bytes of the HMAC of an empty
/// message, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyCheck(String);

impl KeyCheck {
    pub(super) fn of(mac_of_nothing: &Mac) -> Self {
        let (start, _) = mac_of_nothing.split_at(8);
        Self(hex::encode(start))
    }
}
