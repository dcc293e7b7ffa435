//! Guards: states of a customer that forbid erasure now.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::customer::Customer;
use crate::data_map::Fact;

/// A state that forbids erasure now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Guard {
    /// A subscription still runs.
    ActiveSubscription,
    /// The account is connected to more than one tenant.
    SeveralTenants,
    /// The customer was not archived first.
    NotArchived,
}

impl Guard {
    pub(crate) const ALL: [Self; 3] = [Self::ActiveSubscription, Self::SeveralTenants, Self::NotArchived];
    pub(crate) const NAMES: [&'static str; 3] = ["active_subscription", "several_tenants", "not_archived"];

    /// As the policy spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ActiveSubscription => "active_subscription",
            Self::SeveralTenants => "several_tenants",
            Self::NotArchived => "not_archived",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|guard| guard.as_str() == name)
    }

    /// The fact it looks at.
    pub(crate) fn needs(self) -> Fact {
        match self {
            Self::ActiveSubscription => Fact::ActiveSubscriptions,
            Self::SeveralTenants => Fact::Tenants,
            Self::NotArchived => Fact::Status,
        }
    }

    /// Whether the customer is in that state.
    pub fn is_up(self, customer: &Customer) -> bool {
        match self {
            Self::ActiveSubscription => {
                customer.active_subscriptions > 0 || customer.gateway_subscriptions > 0
            }
            Self::SeveralTenants => customer.tenants != 1,
            Self::NotArchived => !customer.status.is_archived(),
        }
    }

    /// Why it forbids.
    pub fn why(self) -> &'static str {
        match self {
            Self::ActiveSubscription => {
                "a subscription is active; the data are still necessary for the contract (Art. 17(1)(a) GDPR)"
            }
            Self::SeveralTenants => "the account is connected to more than one tenant",
            Self::NotArchived => "the customer is not archived",
        }
    }

    /// What would lift it.
    pub fn way_out(self) -> &'static str {
        match self {
            Self::ActiveSubscription => "end the subscription first",
            Self::SeveralTenants => "disconnect the account from the other tenants first",
            Self::NotArchived => "deactivate the customer first; that can be taken back",
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a policy says of a guard. A guard that a policy does not name blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuardRule {
    /// Forbids erasure.
    Block,
    /// Forbids the sweep; a request passes.
    BlockSweep,
    /// Is not looked at.
    Ignore {
        /// Why not.
        reason: String,
    },
}
