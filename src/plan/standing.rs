//! The standing approval: an operator approves in advance what a policy finds due, within limits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::approval::{end_of, holds_between, not_longer_than};
use super::{
    ApprovalError, ApprovedExpiry, ApprovedPlan, Authority, Binding, ExpiryOf, ExpiryPlan, ExpiryTerms,
    Mandate, NotApproved, OperatorId, Plan,
};
use crate::customer::TenantId;
use crate::digest::Digest;
use crate::format::Format;
use crate::policy::{Policy, Share, Trigger};

/// An operator's approval, in advance, of what a policy finds due. It is for sweeps that run on a schedule.
///
/// A standing approval is for today's policy and data map, for some tenants and triggers, and within [limits](Limits).
/// After a change of the policy or the data map, an operator has to approve again. No standing approval covers a
/// request: a person who asks gets a decision of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingApproval {
    format: Format<1>,
    operator: OperatorId,
    /// The operator who drafted it, if another one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drafted_by: Option<OperatorId>,
    tenants: BTreeSet<TenantId>,
    /// The digest of each tenant's policy.
    policies: BTreeMap<TenantId, Digest>,
    data_map: Digest,
    triggers: BTreeSet<Trigger>,
    /// Whether it covers expiries as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    expiries: bool,
    limits: Limits,
    approved_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// How many customers may be erased under a standing approval without asking again. The ledger counts them for all
/// processes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    per_run: u64,
    per_day: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    share: Option<Share>,
}

impl Limits {
    /// The numbers of customers of one run, and of one day in the time zone of the policy.
    pub fn new(per_run: u64, per_day: u64) -> Self {
        Self { per_run, per_day, share: None }
    }

    /// Limits one run to a share of all customers, as the run's own survey counts them. A run without a survey, such
    /// as [`Engine::execute`](crate::Engine::execute), is then refused.
    #[must_use]
    pub fn share(self, share: Share) -> Self {
        Self { share: Some(share), ..self }
    }

    /// The number of customers of one run, out of all customers. `None` for `all`: nobody has counted them.
    pub(crate) fn of_run(&self, all: Option<u64>) -> u64 {
        match (self.share, all) {
            (None, _) => self.per_run,
            (Some(share), Some(all)) => self.per_run.min(share.of(all)),
            (Some(_), None) => 0,
        }
    }

    /// The number of customers of one day.
    pub fn per_day(&self) -> u64 {
        self.per_day
    }

    /// The number of customers of one run.
    pub fn per_run(&self) -> u64 {
        self.per_run
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} customers a run, {} a day", self.per_run, self.per_day)?;
        self.share.map_or(Ok(()), |share| write!(f, ", {share} of all customers a run"))
    }
}

/// Why something is not covered by a standing approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotStanding {
    /// The plan was made under another policy.
    Policy,
    /// The plan was made under another data map.
    DataMap,
    /// The trigger is not covered.
    Trigger(Trigger),
    /// A person asked for the erasure, and no standing approval covers a request.
    Request,
    /// Expiries are not covered.
    Expiry,
    /// The records have no owner, and may belong to any tenant.
    Ownerless,
}

impl fmt::Display for NotStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy => f.write_str("the policy is another one"),
            Self::DataMap => f.write_str("the data map is another one"),
            Self::Trigger(trigger) => write!(f, "it says nothing of customers who are due by {trigger}"),
            Self::Request => f.write_str("a person asked for the erasure, and a person has to approve it"),
            Self::Expiry => f.write_str("it says nothing of records that expire"),
            Self::Ownerless => f.write_str("the records have no owner, and may belong to any tenant"),
        }
    }
}

impl StandingApproval {
    /// The longest validity of a standing approval: 400 days. So somebody reviews it once a year, and has a month for it.
    pub const LONGEST: TimeDelta = TimeDelta::days(400);

    /// An operator approves what today's policy finds due by some triggers, within limits.
    pub fn new(
        by: &Authority,
        policy: &Policy,
        triggers: impl IntoIterator<Item = Trigger>,
        limits: Limits,
        approved_at: DateTime<Utc>,
        valid_for: TimeDelta,
    ) -> Self {
        let tenants = by.tenants().clone();
        Self {
            format: Format,
            operator: by.operator().clone(),
            drafted_by: None,
            policies: tenants
                .iter()
                .map(|tenant| (tenant.clone(), policy.effective(tenant).digest()))
                .collect(),
            data_map: policy.map_digest(),
            triggers: triggers.into_iter().collect(),
            expiries: false,
            tenants,
            limits,
            approved_at,
            expires_at: end_of(approved_at, valid_for),
        }
    }

    /// Names the operator who drafted it. A policy with `four_eyes` asks for one who is not the operator who approves.
    #[must_use]
    pub fn drafted_by(self, operator: impl Into<OperatorId>) -> Self {
        Self { drafted_by: Some(operator.into()), ..self }
    }

    /// Covers the expiries of these tenants as well: see [`Engine::plan_expiry`](crate::Engine::plan_expiry).
    #[must_use]
    pub fn with_expiries(self) -> Self {
        Self { expiries: true, ..self }
    }

    /// The digest of the standing approval.
    pub fn digest(&self) -> Digest {
        Digest::of(self)
    }

    /// The operator who approved.
    pub fn operator(&self) -> &OperatorId {
        &self.operator
    }

    /// The operator who drafted it, if another one did.
    pub(crate) fn drafter(&self) -> Option<&OperatorId> {
        self.drafted_by.as_ref()
    }

    /// The limits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The tenants.
    pub fn tenants(&self) -> &BTreeSet<TenantId> {
        &self.tenants
    }

    /// When the approval was given.
    pub fn approved_at(&self) -> DateTime<Utc> {
        self.approved_at
    }

    /// When the approval expires.
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// Approves plans under this standing approval.
    ///
    /// The engine checks at execution that the approval is still valid, and counts the plans in the ledger.
    ///
    /// # Errors
    /// [`NotApproved`], with all plans and an [`ApprovalError`]. Then no plan is approved. The cases are:
    ///
    /// * There are more plans than one run may have.
    /// * A plan was made under another policy or data map, by another trigger, or for a request.
    /// * A plan is for a tenant over which the operator has no authority.
    /// * The standing approval is valid for more than 400 days.
    pub fn admit(&self, plans: Vec<Plan>) -> Result<Vec<ApprovedPlan>, NotApproved<Vec<Plan>>> {
        if let Err(why) = self.covers_all(&plans) {
            return Err(NotApproved::new(plans, why));
        }
        let mandate = Mandate::Standing(self.clone());
        Ok(plans.into_iter().map(|plan| ApprovedPlan { plan, mandate: mandate.clone() }).collect())
    }

    /// Approves an expiry under this standing approval.
    ///
    /// # Errors
    /// [`NotApproved`], with the plan and an [`ApprovalError`]: the standing approval does not cover expiries, these
    /// tenants, or today's policies.
    pub fn admit_expiry(&self, plan: ExpiryPlan) -> Result<ApprovedExpiry, NotApproved<ExpiryPlan>> {
        let held = self.is_sound().and_then(|()| self.covers_expiry(plan.terms()));
        match held {
            Ok(()) => Ok(ApprovedExpiry { plan, mandate: Mandate::Standing(self.clone()) }),
            Err(why) => Err(NotApproved::new(plan, why)),
        }
    }

    fn is_sound(&self) -> Result<(), ApprovalError> {
        self.operator.check()?;
        not_longer_than(Self::LONGEST, self.approved_at, self.expires_at)
    }

    fn covers_all(&self, plans: &[Plan]) -> Result<(), ApprovalError> {
        self.is_sound()?;
        let at_most = self.limits.per_run;
        if u64::try_from(plans.len()).is_ok_and(|plans| plans > at_most) {
            return Err(ApprovalError::TooMany { plans: plans.len(), at_most });
        }
        plans.iter().try_for_each(|plan| self.covers(plan.binding()))
    }

    pub(super) fn valid_at(&self, at: DateTime<Utc>) -> Result<(), ApprovalError> {
        self.operator.check()?;
        holds_between((self.approved_at, self.expires_at), Self::LONGEST, at)
    }

    pub(crate) fn covers(&self, binding: &Binding) -> Result<(), ApprovalError> {
        let not = |what| Err(ApprovalError::NotStanding(what));
        binding.within(&self.operator, &self.tenants)?;
        if self.policies.get(binding.tenant()) != Some(&binding.policy()) {
            return not(NotStanding::Policy);
        }
        if binding.data_map() != self.data_map {
            return not(NotStanding::DataMap);
        }
        match binding.trigger() {
            // What a duty had deferred belongs to the earlier choice, which a person approved.
            Trigger::Requested if binding.is_deferred() => Ok(()),
            Trigger::Requested => not(NotStanding::Request),
            trigger if self.triggers.contains(&trigger) => Ok(()),
            trigger => not(NotStanding::Trigger(trigger)),
        }
    }

    /// Checks that it covers an expiry.
    pub(crate) fn covers_expiry(&self, terms: &ExpiryTerms) -> Result<(), ApprovalError> {
        let not = |what| Err(ApprovalError::NotStanding(what));
        if !self.expiries {
            return not(NotStanding::Expiry);
        }
        let ExpiryOf::Tenants(tenants) = terms.of() else { return not(NotStanding::Ownerless) };
        if let Some(tenant) = tenants.iter().find(|tenant| !self.tenants.contains(*tenant)) {
            let (operator, tenant) = (self.operator.clone(), tenant.clone());
            return Err(ApprovalError::OtherTenant { operator, tenant });
        }
        let ours = tenants.iter().map(|tenant| self.policies.get(tenant).copied());
        if !terms.policies().map(Some).eq(ours) {
            return not(NotStanding::Policy);
        }
        if terms.data_map() != self.data_map {
            return not(NotStanding::DataMap);
        }
        Ok(())
    }

    /// The name under which the ledger counts the customers of one day.
    pub(crate) fn day_count(&self, day: NaiveDate) -> String {
        format!("{}/day/{day}", self.digest())
    }

    /// The name under which the ledger counts the customers of one run.
    pub(crate) fn run_count(&self, run: &str) -> String {
        format!("{}/run/{run}", self.digest())
    }
}
