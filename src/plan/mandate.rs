//! On whose word a case runs: an approval, a standing approval, or the replay of closed cases.

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

/// On whose word a case runs. There is no case without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mandate {
    /// A person approved exactly this.
    Approval(Approval),
    /// A person approved beforehand what a policy finds due.
    Standing(StandingApproval),
    /// A person approved that closed cases are carried out again, on a database that was restored.
    Replay(Replay),
}

/// What kind of mandate it was, as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MandateKind {
    /// An approval of exactly this.
    Approval,
    /// A standing approval.
    Standing {
        /// Its digest.
        digest: Digest,
    },
    /// The replay of a closed case.
    Replay {
        /// Which case.
        of: CaseId,
        /// The digest of the replay as a whole.
        digest: Digest,
    },
}

impl Mandate {
    /// Who gave it.
    pub fn operator(&self) -> &OperatorId {
        match self {
            Self::Approval(approval) => approval.operator(),
            Self::Standing(standing) => &standing.operator,
            Self::Replay(replay) => replay.approval.operator(),
        }
    }

    /// When it was given.
    pub fn given_at(&self) -> DateTime<Utc> {
        match self {
            Self::Approval(approval) => approval.approved_at(),
            Self::Standing(standing) => standing.approved_at,
            Self::Replay(replay) => replay.approval.approved_at(),
        }
    }

    /// What kind it is.
    pub fn kind(&self) -> MandateKind {
        match self {
            Self::Approval(_) => MandateKind::Approval,
            Self::Standing(standing) => MandateKind::Standing { digest: standing.digest() },
            Self::Replay(Replay { closed, approval, .. }) => {
                MandateKind::Replay { of: closed.clone(), digest: approval.digest() }
            }
        }
    }

    /// Whether it holds at an instant.
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

    /// Whether it is for this very erasure, of which the plan has this digest.
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

    /// Whether it is for exactly one erasure. Under a standing approval the same customer may be due again: what is missing
    /// is decided by what was done before.
    pub(crate) fn is_used_once(&self) -> bool {
        match self {
            Self::Approval(_) | Self::Replay(_) => true,
            Self::Standing(_) => false,
        }
    }

    /// Whether it differs in the plan at most: both were given in one go.
    pub(crate) fn given_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Approval(one), Self::Approval(other)) => one.given_with(other),
            (one, other) => one == other,
        }
    }

    /// The same mandate for another plan, as a case book keeps it that saves what is the same but once.
    #[cfg(feature = "sqlite")]
    pub(crate) fn of_plan(&self, digest: Digest) -> Self {
        match self {
            Self::Approval(approval) => Self::Approval(approval.of_plan(digest)),
            Self::Standing(_) | Self::Replay(_) => self.clone(),
        }
    }
}

/// That an operator approves beforehand what a policy finds due: for sweeps that run on a schedule.
///
/// It holds for the policy and the data map of the day, for some tenants and some triggers, and for so many customers in one
/// go. Whoever changes the policy or the map approves anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingApproval {
    format: Format<1>,
    operator: OperatorId,
    tenants: BTreeSet<TenantId>,
    /// Of each tenant.
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
    /// It was made under another policy.
    Policy,
    /// It was made under another data map.
    DataMap,
    /// Something else made the customer due.
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
    /// How long a standing approval is valid at most: 366 days. Somebody looks at it once a year.
    pub const LONGEST: TimeDelta = TimeDelta::days(366);

    /// An operator approves what a policy, as it is now, finds due by some triggers: `at_most` so many customers in one go.
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

    /// Names it.
    pub fn digest(&self) -> Digest {
        Digest::of(self)
    }

    /// Puts plans under this approval.
    ///
    /// Whether the approval is valid at the time is checked by the engine, when it executes.
    ///
    /// # Errors
    /// [`NotApproved`], with all plans and an [`ApprovalError`]: there are more plans than the approval is for; one of them was
    /// made under another policy or data map, by another trigger, or for a tenant over which the operator has no authority; or
    /// the approval is for more than 366 days. Then no plan is approved.
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

/// That a closed case is carried out again, on a database that was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    closed: CaseId,
    plan: Digest,
    approval: Approval,
}

impl Replay {
    /// The case that is carried out again.
    pub fn closed(&self) -> &CaseId {
        &self.closed
    }

    /// The digest of the plan for the restored database.
    pub(crate) fn plan(&self) -> Digest {
        self.plan
    }
}

/// Closed cases that are to be carried out again, each with the plan for the restored database. A person approves the digest
/// of all of them.
///
/// The engine holds each plan against the case: the same customer, who was erased, and the same treatment.
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

    /// Names exactly these cases and plans. What is approved is this.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The cases, and what would be done.
    pub fn of(&self) -> &[(CaseId, Plan)] {
        &self.of
    }

    /// Binds an approval to this replay.
    ///
    /// Whether the approval is valid at the time is checked by the engine, when it executes.
    ///
    /// # Errors
    /// [`NotApproved`], with the replay and an [`ApprovalError`]: the approval is for another digest, for more than 30 days, or
    /// by an operator who has no authority over every tenant.
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
