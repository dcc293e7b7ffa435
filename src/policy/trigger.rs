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
    /// The person asked for erasure.
    Requested,
    /// The customer cancelled, and has not returned.
    Cancelled,
    /// The host marked the customer as deleted, with the row still there.
    Deleted,
    /// Nothing has happened for a long time: no purchase, no visit.
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

    /// The trigger's name in the policy.
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

    /// Whether the sweep uses this trigger for a customer with this status. A customer who returned is active, so all
    /// periods start again.
    pub(crate) fn applies(self, customer: &Customer) -> bool {
        match self {
            Self::Requested | Self::Listed => false,
            Self::Cancelled => customer.status != Status::Active,
            Self::Deleted => customer.status == Status::Deleted,
            Self::Inactive | Self::ServiceEnded => true,
        }
    }

    /// The date from which the trigger counts, if the policy names none.
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

/// The ground of Art. 17(1) GDPR on which data are erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ErasureGround {
    /// Art. 17(1)(a): the data are no longer necessary for their purpose.
    #[serde(rename = "17(1)(a)")]
    NoLongerNecessary,
    /// Art. 17(1)(b): consent was withdrawn.
    #[serde(rename = "17(1)(b)")]
    ConsentWithdrawn,
    /// Art. 17(1)(c): the person objected.
    #[serde(rename = "17(1)(c)")]
    Objection,
    /// Art. 17(1)(d): the data were processed unlawfully.
    #[serde(rename = "17(1)(d)")]
    Unlawful,
    /// Art. 17(1)(e): a law requires the erasure.
    #[serde(rename = "17(1)(e)")]
    LegalObligation,
    /// Art. 17(1)(f): the data of a child were collected for an online service.
    #[serde(rename = "17(1)(f)")]
    Child,
}

impl ErasureGround {
    pub(crate) const ALL: [Self; 6] = [
        Self::NoLongerNecessary,
        Self::ConsentWithdrawn,
        Self::Objection,
        Self::Unlawful,
        Self::LegalObligation,
        Self::Child,
    ];

    /// The article, in the policy's spelling: `17(1)(a)`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoLongerNecessary => "17(1)(a)",
            Self::ConsentWithdrawn => "17(1)(b)",
            Self::Objection => "17(1)(c)",
            Self::Unlawful => "17(1)(d)",
            Self::LegalObligation => "17(1)(e)",
            Self::Child => "17(1)(f)",
        }
    }
}

impl fmt::Display for ErasureGround {
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
    pub(crate) ground: Option<ErasureGround>,
}

impl TriggerRule {
    /// The dates from which the trigger counts. The first date that the customer has is used.
    pub fn since(&self) -> &[String] {
        &self.since
    }

    /// The period after that date. `None`: at once.
    pub fn after(&self) -> Option<Period> {
        self.after
    }

    /// The date on which a person confirmed that the tenant has its data. Before that day, the end of the service
    /// erases nothing.
    pub fn hand_over(&self) -> Option<&str> {
        self.hand_over.as_deref()
    }

    /// The ground of Art. 17(1) GDPR. For a request it is `None` unless the policy names one: each person may have
    /// another. Every other trigger says that the data are no longer necessary, unless the policy says otherwise.
    pub fn ground(&self) -> Option<ErasureGround> {
        self.ground
    }

    /// The treatment that the trigger chooses.
    pub fn treatment(&self) -> &TreatmentName {
        &self.treatment
    }
}
