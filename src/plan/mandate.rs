//! The mandate of a case: an approval, a standing approval, or the replay of closed cases.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::review::Reviewed;
use super::{
    Approval, ApprovalError, ApprovedPlan, Binding, CaseId, NotApproved, OperatorId, Plan, StandingApproval,
};
use crate::digest::Digest;

/// The authority under which a case runs. There is no case without a mandate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mandate {
    /// A person approved exactly this plan.
    Approval(Approval),
    /// A person approved many plans at once, by the digest of a review.
    Review(Reviewed),
    /// A person approved in advance what a policy finds due.
    Standing(StandingApproval),
    /// A person approved that closed cases are carried out again on a restored database.
    Replay(Replay),
}

/// The kind of a mandate, as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MandateKind {
    /// An approval of exactly this plan.
    Approval,
    /// An approval of a review with many plans.
    Review {
        /// The digest of the review.
        digest: Digest,
    },
    /// A standing approval.
    Standing {
        /// The digest of the standing approval.
        digest: Digest,
    },
    /// The replay of a closed case.
    Replay {
        /// The closed case.
        of: CaseId,
        /// The digest of the whole replay.
        digest: Digest,
    },
}

impl Mandate {
    /// The operator who gave the mandate.
    pub fn operator(&self) -> &OperatorId {
        match self {
            Self::Approval(approval) => approval.operator(),
            Self::Review(reviewed) => reviewed.approval().operator(),
            Self::Standing(standing) => standing.operator(),
            Self::Replay(replay) => replay.approval.operator(),
        }
    }

    /// When the mandate was given.
    pub fn given_at(&self) -> DateTime<Utc> {
        match self {
            Self::Approval(approval) => approval.approved_at(),
            Self::Review(reviewed) => reviewed.approval().approved_at(),
            Self::Standing(standing) => standing.approved_at(),
            Self::Replay(replay) => replay.approval.approved_at(),
        }
    }

    /// The kind of the mandate.
    pub fn kind(&self) -> MandateKind {
        match self {
            Self::Approval(_) => MandateKind::Approval,
            Self::Review(reviewed) => MandateKind::Review { digest: reviewed.approval().digest() },
            Self::Standing(standing) => MandateKind::Standing { digest: standing.digest() },
            Self::Replay(Replay { closed, approval, .. }) => {
                MandateKind::Replay { of: closed.clone(), digest: approval.digest() }
            }
        }
    }

    /// Checks that the mandate is valid at an instant.
    ///
    /// # Errors
    /// [`ApprovalError::Operator`], [`ApprovalError::TooLong`], [`ApprovalError::Expired`], [`ApprovalError::NotYet`].
    pub fn valid_at(&self, at: DateTime<Utc>) -> Result<(), ApprovalError> {
        match self {
            Self::Approval(approval) => approval.valid_at(at),
            Self::Review(reviewed) => reviewed.approval().valid_at(at),
            Self::Standing(standing) => standing.valid_at(at),
            Self::Replay(replay) => replay.approval.valid_at(at),
        }
    }

    /// Checks that the mandate is for this erasure, whose plan has this digest.
    pub(crate) fn covers(&self, binding: &Binding, plan: Digest) -> Result<(), ApprovalError> {
        let other_plan = |approved: Digest| {
            if approved == plan { Ok(()) } else { Err(ApprovalError::OtherPlan { approved, plan }) }
        };
        match self {
            Self::Approval(approval) => other_plan(approval.digest()),
            Self::Review(reviewed) => {
                other_plan(reviewed.plan()).and_then(|()| reviewed.approval().over(binding))
            }
            Self::Standing(standing) => standing.covers(binding),
            Self::Replay(replay) => other_plan(replay.plan),
        }
    }

    /// Whether the mandate is for exactly one erasure. Under a standing approval the same customer may be due again,
    /// because what was done before decides what is missing.
    pub(crate) fn is_used_once(&self) -> bool {
        match self {
            Self::Approval(_) | Self::Review(_) | Self::Replay(_) => true,
            Self::Standing(_) => false,
        }
    }

    /// Whether both mandates were given together: they differ at most in the plan.
    pub(crate) fn given_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Approval(one), Self::Approval(other)) => one.given_with(other),
            (Self::Review(one), Self::Review(other)) => one.given_with(other),
            (one, other) => one == other,
        }
    }

    /// The same mandate for another plan. The case book stores the common parts of mandates only once.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn of_plan(&self, digest: Digest) -> Self {
        match self {
            Self::Approval(approval) => Self::Approval(approval.of_plan(digest)),
            Self::Review(reviewed) => Self::Review(reviewed.of_plan(digest)),
            Self::Standing(_) | Self::Replay(_) => self.clone(),
        }
    }

    /// Checks that two different operators planned and approved. Under a standing approval, that two different
    /// operators drafted and approved it.
    pub(crate) fn by_two(&self, planned_by: Option<&OperatorId>) -> Result<(), ApprovalError> {
        let (first, second) = match self {
            Self::Standing(standing) => (standing.drafter(), standing.operator()),
            Self::Approval(_) | Self::Review(_) | Self::Replay(_) => (planned_by, self.operator()),
        };
        match first {
            None => Err(ApprovalError::NoPlanner),
            Some(first) if first == second => Err(ApprovalError::SamePerson { operator: first.clone() }),
            Some(first) => Ok(first.check()?),
        }
    }

    /// How many customers the run may erase, if the operator gave a number that is more than the blast radius of the
    /// policy.
    pub(crate) fn up_to(&self) -> Option<u64> {
        match self {
            Self::Approval(approval) => approval.most(),
            Self::Review(reviewed) => reviewed.approval().most(),
            Self::Replay(replay) => replay.approval.most(),
            Self::Standing(_) => None,
        }
    }
}

/// The mandate to carry out a closed case again, on a restored database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    closed: CaseId,
    plan: Digest,
    approval: Approval,
}

impl Replay {
    /// The closed case.
    pub fn closed(&self) -> &CaseId {
        &self.closed
    }

    /// The digest of the plan for the restored database.
    pub(crate) fn plan(&self) -> Digest {
        self.plan
    }
}

/// Closed cases to carry out again, each with the plan for the restored database. A person approves one digest for
/// all of them.
///
/// The engine checks each plan against its case: the same customer, a case that erased the customer, and the same
/// treatment.
#[derive(Clone, Debug)]
pub struct ReplayPlan {
    of: Vec<(CaseId, Plan)>,
    digest: Digest,
}

impl ReplayPlan {
    /// A replay of these cases.
    pub fn new(of: Vec<(CaseId, Plan)>) -> Self {
        let named: Vec<(&CaseId, Digest)> = of.iter().map(|(case, plan)| (case, plan.digest())).collect();
        Self { digest: Digest::of(&("replay", 1, named)), of }
    }

    /// The digest of exactly these cases and plans. An operator approves this digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The same replay with the operator who planned it: see [`Plan::planned_by`].
    #[must_use]
    pub fn planned_by(self, operator: impl Into<OperatorId>) -> Self {
        let operator = operator.into();
        Self::new(self.of.into_iter().map(|(case, plan)| (case, plan.planned_by(operator.clone()))).collect())
    }

    /// The cases with their plans.
    pub fn of(&self) -> &[(CaseId, Plan)] {
        &self.of
    }

    /// Binds an approval to this replay.
    ///
    /// The engine checks at execution that the approval is still valid.
    ///
    /// # Errors
    /// [`NotApproved`], with the replay and an [`ApprovalError`]: the approval is for another digest, is valid for
    /// more than 30 days, or comes from an operator who has no authority over every tenant.
    pub fn approve(self, approval: &Approval) -> Result<Vec<ApprovedPlan>, NotApproved<Self>> {
        let mut plans = self.of.iter();
        let held = approval
            .holds_for(self.digest, [])
            .and_then(|()| plans.try_for_each(|(_, plan)| approval.over(plan.binding())));
        if let Err(why) = held {
            return Err(NotApproved::new(self, why));
        }
        let approved = self.of.into_iter().map(|(closed, plan)| {
            let mandate = Mandate::Replay(Replay { closed, plan: plan.digest(), approval: approval.clone() });
            ApprovedPlan { plan, mandate }
        });
        Ok(approved.collect())
    }
}
