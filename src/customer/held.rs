//! Holds that an operator placed through the engine, as facts of a customer.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::HoldKind;
use crate::data_map::ClassName;
use crate::name::open_name;

open_name! {
    /// The id of a hold. It is random, so it reveals nothing about the customer.
    HoldId
}

/// Why an operator placed a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HoldGround {
    /// The data are needed for a legal claim.
    LegalClaim,
    /// The person asked for restriction under Art. 18 GDPR: the data must be kept.
    Restriction,
    /// A court or an authority ordered the hold.
    AuthorityOrder,
    /// Something seems wrong with the policy, the map, a run or the database. This is no legal ground to refuse a
    /// request, so the clock of a request continues.
    Incident,
}

impl HoldGround {
    /// Every ground.
    pub const ALL: [Self; 4] = [Self::LegalClaim, Self::Restriction, Self::AuthorityOrder, Self::Incident];

    /// The name of the ground: `legal_claim`.
    pub fn as_str(self) -> &'static str {
        match self.kind() {
            Some(kind) => kind.as_str(),
            None => "incident",
        }
    }

    /// The ground with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ground| ground.as_str() == name)
    }

    /// The kind of hold in law. `None` for an incident.
    pub fn kind(self) -> Option<HoldKind> {
        match self {
            Self::LegalClaim => Some(HoldKind::LegalClaim),
            Self::Restriction => Some(HoldKind::Restriction),
            Self::AuthorityOrder => Some(HoldKind::AuthorityOrder),
            Self::Incident => None,
        }
    }
}

impl fmt::Display for HoldGround {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A hold in force that covers a customer: a hold on the customer, on one of the customer's tenants, or on
/// everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Held {
    /// The hold.
    pub hold: HoldId,
    /// Why it was placed.
    pub ground: HoldGround,
    /// The record classes that the hold keeps. Empty: everything.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub classes: BTreeSet<ClassName>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ground_is_written_as_it_is_read() {
        for ground in HoldGround::ALL {
            assert_eq!(HoldGround::named(ground.as_str()), Some(ground));
            assert_eq!(serde_json::to_value(ground).unwrap(), ground.as_str());
        }
        assert_eq!(HoldGround::named("whim"), None);
    }
}
