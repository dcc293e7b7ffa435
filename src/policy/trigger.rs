//! Triggers: what makes a customer due, and after how long.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Period;
use crate::customer::{Customer, Status};
use crate::treatment::TreatmentName;

/// What makes a customer due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trigger {
    /// The person asked for it.
    Requested,
    /// The customer cancelled, and has not come back.
    Cancelled,
    /// The host deleted the customer, in its own words, with the row still there.
    Deleted,
    /// Nothing has happened for long: no purchase, no visit.
    Inactive,
    /// An operator put the customer on a list.
    Listed,
    /// The contract of the whole tenant has ended.
    ServiceEnded,
}

impl Trigger {
    pub(crate) const ALL: [Self; 6] =
        [Self::Requested, Self::Cancelled, Self::Deleted, Self::Inactive, Self::Listed, Self::ServiceEnded];
    pub(crate) const NAMES: [&'static str; 6] =
        ["requested", "cancelled", "deleted", "inactive", "listed", "service_ended"];

    /// As the policy spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Cancelled => "cancelled",
            Self::Deleted => "deleted",
            Self::Inactive => "inactive",
            Self::Listed => "listed",
            Self::ServiceEnded => "service_ended",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.as_str() == name)
    }

    /// Whether the sweep looks at it, for a customer who stands where this one does. One who came back is active, and
    /// starts anew.
    pub(crate) fn applies(self, customer: &Customer) -> bool {
        match self {
            Self::Requested | Self::Listed => false,
            Self::Cancelled => customer.status != Status::Active,
            Self::Deleted => customer.status == Status::Deleted,
            Self::Inactive | Self::ServiceEnded => true,
        }
    }

    /// The date from which it counts, where the policy names none.
    pub(crate) fn own_date(self) -> Option<&'static str> {
        match self {
            Self::Cancelled | Self::Deleted | Self::ServiceEnded => Some(self.as_str()),
            Self::Requested | Self::Inactive | Self::Listed => None,
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One line of a policy's `triggers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerRule {
    pub(crate) since: Arc<[String]>,
    pub(crate) after: Option<Period>,
    pub(crate) hand_over: Option<String>,
    pub(crate) treatment: TreatmentName,
}

impl TriggerRule {
    /// The dates from which it counts; the first that a customer has is taken.
    pub fn since(&self) -> &[String] {
        &self.since
    }

    /// How long after that. None: at once.
    pub fn after(&self) -> Option<Period> {
        self.after
    }

    /// The date on which a person confirmed that the tenant has its data. Until then the end of the service erases
    /// nothing.
    pub fn hand_over(&self) -> Option<&str> {
        self.hand_over.as_deref()
    }

    /// Which treatment it chooses.
    pub fn treatment(&self) -> &TreatmentName {
        &self.treatment
    }
}
