//! The mandate of a case: an approval, a standing approval, or the replay of closed cases.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::approval::{end_of, not_longer_than};
use super::{
    Approval, ApprovalError, ApprovedPlan, Authority, Binding, CaseId, NotApproved, OperatorId, Plan,
};
use crate::customer::TenantId;
use crate::digest::Digest;
use crate::format::Format;
use crate::policy::{Policy, Trigger};

/// The authority under which a case runs. There is no case without a mandate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mandate {
    /// A person approved exactly this plan.
    Approval(Approval),
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
            Self::Standing(standing) => &standing.operator,
            Self::Replay(replay) => replay.approval.operator(),
        }
    }

    /// When the mandate was given.
    pub fn given_at(&self) -> DateTime<Utc> {
        match self {
            Self::Approval(approval) => approval.approved_at(),
            Self::Standing(standing) => standing.approved_at,
            Self::Replay(replay) => replay.approval.approved_at(),
        }
    }

    /// The kind of the mandate.
    pub fn kind(&self) -> MandateKind {
        match self {
            Self::Approval(_) => MandateKind::Approval,
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
            Self::Standing(standing) => standing.covers(binding),
            Self::Replay(replay) => other_plan(replay.plan),
        }
    }

    /// Whether the mandate is for exactly one erasure. Under a standing approval the same customer may be due again,
    /// because what was done before decides what is missing.
    pub(crate) fn is_used_once(&self) -> bool {
        match self {
            Self::Approval(_) | Self::Replay(_) => true,
            Self::Standing(_) => false,
        }
    }

    /// Whether both mandates were given together: they differ at most in the plan.
    pub(crate) fn given_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Approval(one), Self::Approval(other)) => one.given_with(other),
            (one, other) => one == other,
        }
    }

    /// The same mandate for another plan. The case book stores the common parts of mandates only once.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn of_plan(&self, digest: Digest) -> Self {
        match self {
            Self::Approval(approval) => Self::Approval(approval.of_plan(digest)),
            Self::Standing(_) | Self::Replay(_) => self.clone(),
        }
    }
}

/// An operator's approval, in advance, of what a policy finds due. It is for sweeps that run on a schedule.
///
/// A standing approval is for today's policy and data map, for some tenants and triggers, and for a maximum number of
/// customers at once. After a change of the policy or the data map, an operator has to approve again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingApproval {
    format: Format<1>,
    operator: OperatorId,
    tenants: BTreeSet<TenantId>,
    /// The digest of each tenant's policy.
    policies: BTreeMap<TenantId, Digest>,
    data_map: Digest,
    triggers: BTreeSet<Trigger>,
    at_most: usize,
    approved_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// Why a plan is not covered by a standing approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotStanding {
    /// The plan was made under another policy.
    Policy,
    /// The plan was made under another data map.
    DataMap,
    /// The trigger is not covered.
    Trigger(Trigger),
}

impl std::fmt::Display for NotStanding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Policy => f.write_str("the policy is another one"),
            Self::DataMap => f.write_str("the data map is another one"),
            Self::Trigger(trigger) => write!(f, "it says nothing of customers who are due by {trigger}"),
        }
    }
}

impl StandingApproval {
    /// The longest validity of a standing approval: 366 days. So somebody reviews it once a year.
    pub const LONGEST: TimeDelta = TimeDelta::days(366);

    /// An operator approves what today's policy finds due by some triggers, for at most `at_most` customers at once.
    pub fn new(
        by: &Authority,
        policy: &Policy,
        triggers: impl IntoIterator<Item = Trigger>,
        at_most: usize,
        approved_at: DateTime<Utc>,
        valid_for: TimeDelta,
    ) -> Self {
        let tenants = by.tenants().clone();
        Self {
            format: Format,
            operator: by.operator().clone(),
            policies: tenants
                .iter()
                .map(|tenant| (tenant.clone(), policy.effective(tenant).digest()))
                .collect(),
            data_map: policy.map_digest(),
            triggers: triggers.into_iter().collect(),
            tenants,
            at_most,
            approved_at,
            expires_at: end_of(approved_at, valid_for),
        }
    }

    /// The digest of the standing approval.
    pub fn digest(&self) -> Digest {
        Digest::of(self)
    }

    /// Approves plans under this standing approval.
    ///
    /// The engine checks at execution that the approval is still valid.
    ///
    /// # Errors
    /// [`NotApproved`], with all plans and an [`ApprovalError`]. Then no plan is approved. The cases are:
    ///
    /// * There are more plans than the standing approval allows.
    /// * A plan was made under another policy or data map, or by another trigger.
    /// * A plan is for a tenant over which the operator has no authority.
    /// * The standing approval is valid for more than 366 days.
    pub fn admit(&self, plans: Vec<Plan>) -> Result<Vec<ApprovedPlan>, NotApproved<Vec<Plan>>> {
        if let Err(why) = self.covers_all(&plans) {
            return Err(NotApproved::new(plans, why));
        }
        let mandate = Mandate::Standing(self.clone());
        Ok(plans.into_iter().map(|plan| ApprovedPlan { plan, mandate: mandate.clone() }).collect())
    }

    fn covers_all(&self, plans: &[Plan]) -> Result<(), ApprovalError> {
        self.operator.check()?;
        not_longer_than(Self::LONGEST, self.approved_at, self.expires_at)?;
        if plans.len() > self.at_most {
            return Err(ApprovalError::TooMany { plans: plans.len(), at_most: self.at_most });
        }
        plans.iter().try_for_each(|plan| self.covers(plan.binding()))
    }

    fn valid_at(&self, at: DateTime<Utc>) -> Result<(), ApprovalError> {
        self.operator.check()?;
        super::approval::holds_between((self.approved_at, self.expires_at), Self::LONGEST, at)
    }

    fn covers(&self, binding: &Binding) -> Result<(), ApprovalError> {
        let not = |what| Err(ApprovalError::NotStanding(what));
        binding.within(&self.operator, &self.tenants)?;
        if self.policies.get(binding.tenant()) != Some(&binding.policy()) {
            return not(NotStanding::Policy);
        }
        if binding.data_map() != self.data_map {
            return not(NotStanding::DataMap);
        }
        if !self.triggers.contains(&binding.trigger()) {
            return not(NotStanding::Trigger(binding.trigger()));
        }
        Ok(())
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
