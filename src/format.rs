//! The format number of stored data, for later releases.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The format that this release writes. Data with a later format cannot be read, and reading them is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Format<const NUMBER: u32>;

impl<const NUMBER: u32> Serialize for Format<NUMBER> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        NUMBER.serialize(serializer)
    }
}

impl<'de, const NUMBER: u32> Deserialize<'de> for Format<NUMBER> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            found if found == NUMBER => Ok(Self),
            found => Err(D::Error::custom(format_args!(
                "it has format {found}, and this release reads {NUMBER}; use a later release"
            ))),
        }
    }
}
