//! Guards: states of a customer that forbid erasure now.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::customer::{Customer, HoldKind};
use crate::data_map::{ClassName, DataMap, Fact, StateName};

/// A state that forbids erasure now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Guard {
    /// A subscription still runs.
    ActiveSubscription,
    /// The account is connected to more than one tenant.
    SeveralTenants,
    /// The customer is not archived yet.
    NotArchived,
    /// An invoice is not paid.
    UnpaidInvoice,
    /// A payment is disputed.
    OpenDispute,
    /// A person placed a hold, and has not lifted it.
    Hold(HoldKind),
    /// One of the host's own states, named in the data map.
    Own(StateName),
}

impl Guard {
    /// The guards that this crate knows.
    pub(crate) const ALL: [Self; 8] = [
        Self::ActiveSubscription,
        Self::SeveralTenants,
        Self::NotArchived,
        Self::UnpaidInvoice,
        Self::OpenDispute,
        Self::Hold(HoldKind::LegalClaim),
        Self::Hold(HoldKind::Restriction),
        Self::Hold(HoldKind::AuthorityOrder),
    ];
    /// The guards that no policy can leave open. If the data map does not tell the fact of such a guard, the policy has
    /// to ignore the guard with a reason. If the data map tells the fact, a guard without a rule blocks.
    pub(crate) const BASIC: [Self; 3] = [Self::ActiveSubscription, Self::SeveralTenants, Self::NotArchived];

    /// The guard's name in the policy.
    pub fn as_str(&self) -> &str {
        match self {
            Self::ActiveSubscription => "active_subscription",
            Self::SeveralTenants => "several_tenants",
            Self::NotArchived => "not_archived",
            Self::UnpaidInvoice => "unpaid_invoice",
            Self::OpenDispute => "open_dispute",
            Self::Hold(kind) => kind.as_str(),
            Self::Own(state) => state.as_str(),
        }
    }

    /// The guard with this name: a guard that this crate knows, or else one of the host's own states.
    pub(crate) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|guard| guard.as_str() == name).unwrap_or_else(|| Self::Own(name.into()))
    }

    /// Whether the store or a gateway of this map tells the fact of this guard.
    pub(crate) fn is_told(&self, map: &DataMap) -> bool {
        match self {
            Self::ActiveSubscription => map.knows(Fact::ActiveSubscriptions),
            Self::SeveralTenants => map.knows(Fact::Tenants),
            Self::NotArchived => map.knows(Fact::Status),
            Self::UnpaidInvoice => map.knows(Fact::UnpaidInvoices) || !map.gateways().is_empty(),
            Self::OpenDispute => map.knows(Fact::OpenDisputes) || !map.gateways().is_empty(),
            Self::Hold(_) => map.knows(Fact::Holds),
            Self::Own(state) => map.states().contains(state),
        }
    }

    /// Whether the guard applies to a customer: the customer is in the guard's state. If the store does not report
    /// one of the host's own states, the guard applies, because an unknown state forbids erasure.
    pub fn applies_to(&self, customer: &Customer) -> bool {
        match self {
            Self::ActiveSubscription => {
                customer.active_subscriptions > 0 || customer.gateway_subscriptions > 0
            }
            Self::SeveralTenants => customer.tenants != 1,
            Self::NotArchived => !customer.status.is_archived(),
            Self::UnpaidInvoice => customer.unpaid_invoices > 0 || customer.gateway_unpaid_invoices > 0,
            Self::OpenDispute => customer.open_disputes > 0 || customer.gateway_disputes > 0,
            Self::Hold(kind) => customer.holds.contains(kind),
            Self::Own(state) => customer.states.get(state) != Some(&false),
        }
    }

    /// Why the guard forbids erasure.
    pub fn why(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::ActiveSubscription => {
                "a subscription is active; the data are still necessary for the contract (Art. 17(1)(a) GDPR)"
            }
            Self::SeveralTenants => "the account is connected to more than one tenant",
            Self::NotArchived => "the customer is not archived",
            Self::UnpaidInvoice => "an invoice is not paid",
            Self::OpenDispute => "a payment is disputed",
            Self::Hold(HoldKind::LegalClaim) => "the data are held for a legal claim",
            Self::Hold(HoldKind::Restriction) => "processing is restricted at the person's own wish",
            Self::Hold(HoldKind::AuthorityOrder) => "an authority ordered that the data be kept",
            Self::Own(state) => return Cow::Owned(format!("the customer is {state}, or it is not known")),
        })
    }

    /// What would remove the block.
    pub fn way_out(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::ActiveSubscription => "end the subscription first",
            Self::SeveralTenants => "disconnect the account from the other tenants first",
            Self::NotArchived => "deactivate the customer first; that can be taken back",
            Self::UnpaidInvoice => "settle the invoice, or write it off, first",
            Self::OpenDispute => "close the dispute first",
            Self::Hold(_) => "whoever placed the hold has to lift it first",
            Self::Own(state) => return Cow::Owned(format!("end the state {state} first")),
        })
    }

    /// The ground on which the guard refuses a request. `None` if this guard has no ground in law:
    ///
    /// * A customer who is not archived can be archived first.
    /// * If other companies need the data, that is no ground for this controller. Separate the controller's own part.
    /// * Art. 18(2) is no exception from Art. 17. Ask the person whether the restriction shall end.
    /// * The policy names the ground for a guard of the host's own.
    pub fn ground(&self) -> Option<Ground> {
        match self {
            Self::ActiveSubscription => Some(Ground::Necessary),
            Self::UnpaidInvoice | Self::OpenDispute | Self::Hold(HoldKind::LegalClaim) => {
                Some(Ground::LegalClaims)
            }
            Self::Hold(HoldKind::AuthorityOrder) => Some(Ground::LegalObligation),
            Self::NotArchived | Self::SeveralTenants | Self::Hold(HoldKind::Restriction) | Self::Own(_) => {
                None
            }
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Guard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Guard {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::named(&String::deserialize(deserializer)?))
    }
}

/// A ground in law on which a request for erasure may be refused for now. A contract alone is no ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Ground {
    /// Art. 17(1)(a): the data are still necessary for their original purpose, so the right to erasure does not
    /// arise.
    Necessary,
    /// Art. 17(3)(a): freedom of expression and information.
    Expression,
    /// Art. 17(3)(b): a legal obligation, or a task in the public interest.
    LegalObligation,
    /// Art. 17(3)(c): public health.
    PublicHealth,
    /// Art. 17(3)(d): archiving in the public interest, research, statistics.
    Archiving,
    /// Art. 17(3)(e): legal claims.
    LegalClaims,
}

impl Ground {
    pub(crate) const ALL: [Self; 6] = [
        Self::Necessary,
        Self::Expression,
        Self::LegalObligation,
        Self::PublicHealth,
        Self::Archiving,
        Self::LegalClaims,
    ];

    /// The article of the GDPR, in the policy's spelling: `17(3)(e)`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Necessary => "17(1)(a)",
            Self::Expression => "17(3)(a)",
            Self::LegalObligation => "17(3)(b)",
            Self::PublicHealth => "17(3)(c)",
            Self::Archiving => "17(3)(d)",
            Self::LegalClaims => "17(3)(e)",
        }
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Art. {} GDPR", self.as_str())
    }
}

impl FromStr for Ground {
    type Err = NotAGround;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let article = text.trim().trim_start_matches("Art.").trim_end_matches("GDPR").trim();
        Self::ALL.into_iter().find(|ground| ground.as_str() == article).ok_or(NotAGround)
    }
}

impl Serialize for Ground {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Ground {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The error for a text that is no ground for a refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a ground is an article of the GDPR: 17(1)(a) still necessary, 17(3)(a) expression, 17(3)(b) legal obligation, \
     17(3)(c) public health, 17(3)(d) archiving, 17(3)(e) legal claims; neither a contract alone nor 18(2) is a ground"
)]
pub struct NotAGround;

/// The policy's rule for a guard. A guard that a policy does not name blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuardRule {
    /// Forbids erasure.
    Block,
    /// Forbids erasure, in the policy's own words. A guard of the host's own that blocks a request needs these words,
    /// because a refusal has to name its ground.
    BlockBecause {
        /// Why.
        reason: String,
        /// The ground in law on which a request is refused.
        ground: Ground,
        /// What would remove the block, if the policy says so.
        way_out: Option<String>,
        /// The record classes that the ground covers. Empty: the policy does not limit the ground.
        data: BTreeSet<ClassName>,
    },
    /// Forbids erasure by a sweep, but not on request.
    BlockSweep,
    /// The guard is not checked.
    Ignore {
        /// Why not.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_told_forbids() {
        let guard = Guard::named("not_white_label");
        let mut customer = Customer::new("1", "acme");
        assert!(guard.applies_to(&customer), "not told");
        customer.states.insert("not_white_label".into(), false);
        assert!(!guard.applies_to(&customer));
        customer.states.insert("not_white_label".into(), true);
        assert!(guard.applies_to(&customer));
    }

    #[test]
    fn a_guard_and_a_ground_are_written_as_they_are_read() {
        for guard in Guard::ALL.into_iter().chain([Guard::Own("white_label".into())]) {
            let json = serde_json::to_value(&guard).unwrap();
            assert_eq!(json, guard.as_str());
            assert_eq!(serde_json::from_value::<Guard>(json).unwrap(), guard);
        }
        for ground in Ground::ALL {
            assert_eq!(ground.as_str().parse(), Ok(ground));
            assert_eq!(ground.to_string().parse(), Ok(ground));
        }
        assert_eq!("6(1)(b)".parse::<Ground>(), Err(NotAGround), "a contract is no ground");
    }

    #[test]
    fn a_guard_refuses_a_request_only_on_a_ground_in_law() {
        let without = [Guard::SeveralTenants, Guard::NotArchived, Guard::Hold(HoldKind::Restriction)];
        for guard in Guard::ALL {
            assert_eq!(guard.ground().is_none(), without.contains(&guard), "{guard}");
        }
        assert_eq!("18(2)".parse::<Ground>(), Err(NotAGround), "no exception from Art. 17");
    }
}
