//! The approval: who approved which digest, when, and until when.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Binding, Mandate, NotStanding, Plan};
use crate::customer::TenantId;
use crate::digest::Digest;
use crate::format::Format;
use crate::name::{looks_like_email, open_name};

open_name! {
    /// An opaque id of an operator, such as `operator-7`. The ledger keeps the id for good, so use no name and no e-mail
    /// address: an approval by an id that looks like an e-mail address is refused ([`OperatorId::check`]).
    OperatorId
}

impl OperatorId {
    /// Checks that the ledger may keep the id. Every use of an approval or of an authority repeats this check.
    ///
    /// ```
    /// use relinquish::plan::OperatorId;
    ///
    /// assert!(OperatorId::from("operator-7").check().is_ok());
    /// assert!(OperatorId::from("vera@lund.example").check().is_err());
    /// ```
    ///
    /// # Errors
    /// [`NotAnOperatorId`]: the id is empty, or looks like an e-mail address.
    pub fn check(&self) -> Result<(), NotAnOperatorId> {
        if self.as_str().trim().is_empty() {
            Err(NotAnOperatorId::Empty)
        } else if looks_like_email(self.as_str()) {
            Err(NotAnOperatorId::Email)
        } else {
            Ok(())
        }
    }
}

/// Why a text cannot be the id of an operator. The message does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnOperatorId {
    /// The id is empty.
    #[error("the operator's id is empty; give the id of the person who decided, such as operator-7")]
    Empty,
    /// The id looks like an e-mail address, and the ledger would keep this address for good.
    #[error(
        "the operator's id looks like an e-mail address, and the ledger would keep the address for good; give an opaque id, \
         such as operator-7, and keep the list of operators in your own system"
    )]
    Email,
}

/// An operator, and the tenants over which the operator has authority. The host decides this, because this crate has
/// no users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    operator: OperatorId,
    tenants: BTreeSet<TenantId>,
}

impl Authority {
    /// An operator with authority over some tenants.
    pub fn new(operator: impl Into<OperatorId>, tenants: impl IntoIterator<Item = TenantId>) -> Self {
        Self { operator: operator.into(), tenants: tenants.into_iter().collect() }
    }

    /// The operator.
    pub fn operator(&self) -> &OperatorId {
        &self.operator
    }

    /// The tenants over which the operator has authority.
    pub fn tenants(&self) -> &BTreeSet<TenantId> {
        &self.tenants
    }

    /// Checks that the operator has authority over a tenant.
    ///
    /// # Errors
    /// [`ApprovalError::OtherTenant`] if not, [`ApprovalError::Operator`] if the operator's id is not valid.
    pub fn over(&self, tenant: &TenantId) -> Result<(), ApprovalError> {
        self.operator.check()?;
        if self.tenants.contains(tenant) {
            Ok(())
        } else {
            Err(ApprovalError::OtherTenant { operator: self.operator.clone(), tenant: tenant.clone() })
        }
    }

    /// Checks that the operator has authority over every tenant with which a plan's customer is connected.
    pub(crate) fn over_all(&self, binding: &Binding) -> Result<(), ApprovalError> {
        self.operator.check()?;
        binding.within(&self.operator, &self.tenants)
    }
}

/// An operator's approval of one plan, by the plan's digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    format: Format<1>,
    operator: OperatorId,
    tenants: BTreeSet<TenantId>,
    digest: Digest,
    /// How many customers the run may erase, if this is more than the blast radius of the policy allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    up_to: Option<u64>,
    approved_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl Approval {
    /// The longest validity of an approval: 30 days. Facts and people change, so after that an operator has to
    /// approve again.
    pub const LONGEST: TimeDelta = TimeDelta::days(30);

    /// An operator with authority over some tenants approves the plan with this digest, for a given time.
    ///
    /// The host says who the operator is and over which tenants the operator has authority: this crate knows no
    /// users. The digest is the digest that the operator saw. [`Plan::approve`] and its siblings check that the
    /// operator's id is opaque, and that the approval is valid for at most [`LONGEST`](Self::LONGEST). The engine
    /// checks at execution that the approval is still valid.
    pub fn new(
        operator: impl Into<OperatorId>,
        tenants: impl IntoIterator<Item = TenantId>,
        digest: Digest,
        approved_at: DateTime<Utc>,
        valid_for: TimeDelta,
    ) -> Self {
        Self {
            format: Format,
            operator: operator.into(),
            tenants: tenants.into_iter().collect(),
            digest,
            up_to: None,
            approved_at,
            expires_at: end_of(approved_at, valid_for),
        }
    }

    /// Lets the run erase up to this number of customers, even if this is more than the [blast
    /// radius](crate::policy::BlastRadius) of the policy allows. The operator gives the number that the run named
    /// when it stopped and asked.
    #[must_use]
    pub fn up_to(self, customers: u64) -> Self {
        Self { up_to: Some(customers), ..self }
    }

    /// How many customers the run may erase, if the operator gave a number.
    pub(crate) fn most(&self) -> Option<u64> {
        self.up_to
    }

    /// Whether both approvals were given together: they differ at most in the plan.
    pub(crate) fn given_with(&self, other: &Self) -> bool {
        self.approved_at == other.approved_at
            && self.expires_at == other.expires_at
            && self.operator == other.operator
            && self.up_to == other.up_to
            && self.tenants == other.tenants
    }

    /// The same approval of another plan. The case book stores the common parts of approvals only once.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn of_plan(&self, digest: Digest) -> Self {
        Self { digest, ..self.clone() }
    }

    /// The operator who approved.
    pub fn operator(&self) -> &OperatorId {
        &self.operator
    }

    /// The digest of the approved plan.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// When the approval was given.
    pub fn approved_at(&self) -> DateTime<Utc> {
        self.approved_at
    }

    /// When the approval expires.
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// Checks that the operator has authority over every tenant with which a plan's customer is connected.
    pub(crate) fn over(&self, binding: &Binding) -> Result<(), ApprovalError> {
        binding.within(&self.operator, &self.tenants)
    }

    /// Checks that the approval is for this digest, that the operator has authority over these tenants, and that the
    /// approval is not too long.
    pub(crate) fn holds_for<'t>(
        &self,
        digest: Digest,
        tenants: impl IntoIterator<Item = &'t TenantId>,
    ) -> Result<(), ApprovalError> {
        if self.digest != digest {
            return Err(ApprovalError::OtherPlan { approved: self.digest, plan: digest });
        }
        self.operator.check()?;
        if let Some(tenant) = tenants.into_iter().find(|tenant| !self.tenants.contains(*tenant)) {
            let (operator, tenant) = (self.operator.clone(), tenant.clone());
            return Err(ApprovalError::OtherTenant { operator, tenant });
        }
        not_longer_than(Self::LONGEST, self.approved_at, self.expires_at)
    }

    /// Checks that the approval is valid at an instant.
    ///
    /// # Errors
    /// [`ApprovalError::Operator`], [`ApprovalError::TooLong`], [`ApprovalError::Expired`], [`ApprovalError::NotYet`].
    pub fn valid_at(&self, at: DateTime<Utc>) -> Result<(), ApprovalError> {
        self.operator.check()?;
        holds_between((self.approved_at, self.expires_at), Self::LONGEST, at)
    }
}

/// Checks that an approval is valid at an instant, and that its validity is not too long.
pub(super) fn holds_between(
    (approved_at, expires_at): (DateTime<Utc>, DateTime<Utc>),
    longest: TimeDelta,
    at: DateTime<Utc>,
) -> Result<(), ApprovalError> {
    not_longer_than(longest, approved_at, expires_at)?;
    if at < approved_at {
        Err(ApprovalError::NotYet { approved_at })
    } else if at >= expires_at {
        Err(ApprovalError::Expired { expires_at })
    } else {
        Ok(())
    }
}

/// When an approval ends. An end after the calendar's end is cut to the calendar's end, and the approval is then
/// refused as too long.
pub(super) fn end_of(approved_at: DateTime<Utc>, valid_for: TimeDelta) -> DateTime<Utc> {
    let furthest =
        if valid_for < TimeDelta::zero() { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    approved_at.checked_add_signed(valid_for).unwrap_or(furthest)
}

/// Checks that the validity of an approval is not too long.
pub(super) fn not_longer_than(
    longest: TimeDelta,
    approved_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), ApprovalError> {
    if expires_at.signed_duration_since(approved_at) > longest {
        return Err(ApprovalError::TooLong { approved_at, expires_at, days: longest.num_days() });
    }
    Ok(())
}

/// What was not approved, and why. The error returns the plan or plans, so that they can be approved in another way.
///
/// `?` converts it into an [`ApprovalError`] or an engine's [`Error`](crate::Error), and drops the plans.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotApproved<T> {
    /// The plan, the plans or the review that was to be approved.
    pub given: Box<T>,
    /// Why the approval is not valid for it.
    pub why: ApprovalError,
}

impl<T> NotApproved<T> {
    pub(crate) fn new(given: T, why: ApprovalError) -> Self {
        Self { given: Box::new(given), why }
    }
}

impl<T> From<NotApproved<T>> for ApprovalError {
    fn from(error: NotApproved<T>) -> Self {
        error.why
    }
}

/// Why an approval is not valid for a plan. Nothing was touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// The approval is for another plan: for another customer, or for the same customer before something changed.
    #[error(
        "the approval is for plan {approved}, and this is plan {plan}: another customer, or something changed \
         since; review this plan and approve its digest"
    )]
    OtherPlan {
        /// The digest that was approved.
        approved: Digest,
        /// The digest of this plan.
        plan: Digest,
    },
    /// The operator has no authority over the customer's tenant, or over another tenant with which the customer is
    /// connected.
    #[error("operator {operator} has no authority over tenant {tenant}; ask one who has")]
    OtherTenant {
        /// The operator.
        operator: OperatorId,
        /// The tenant.
        tenant: TenantId,
    },
    /// The customer is connected to other tenants, and the data map does not name them.
    #[error(
        "the customer is connected to {tenants} tenants, and nothing tells operator {operator} which; name them in the data \
         map, or write several_tenants = {{ ignore = \"reason\" }} in the policy"
    )]
    UnnamedTenants {
        /// The operator.
        operator: OperatorId,
        /// The number of tenants.
        tenants: u32,
    },
    /// The operator's id is not valid for the ledger.
    #[error(transparent)]
    Operator(#[from] NotAnOperatorId),
    /// The validity is longer than [`Approval::LONGEST`], or than
    /// [`StandingApproval::LONGEST`](super::StandingApproval::LONGEST).
    #[error(
        "the approval is valid from {approved_at} to {expires_at}, and {days} days is the longest; give an end that is at most \
         {days} days after the start"
    )]
    TooLong {
        /// When the approval was given.
        approved_at: DateTime<Utc>,
        /// When the approval was to expire.
        expires_at: DateTime<Utc>,
        /// The longest validity, in days.
        days: i64,
    },
    /// A standing approval allows fewer customers at once.
    #[error(
        "{plans} plans were put under a standing approval for at most {at_most}; look why there are so many, and approve \
         them, or raise the limit of a new standing approval"
    )]
    TooMany {
        /// The number of plans.
        plans: usize,
        /// The number of plans that the approval allows.
        at_most: u64,
    },
    /// A limit of a standing approval is reached: customers per run, per day, or their share.
    #[error(
        "{wanted} customers were to be erased under a standing approval, and its limits leave {left} of today; wait for the next \
         day, approve the plans themselves, or give a new standing approval"
    )]
    LimitReached {
        /// The number of customers that were to be erased.
        wanted: u64,
        /// The number that the limits leave.
        left: u64,
    },
    /// A run would hit more customers than the policy's blast radius allows.
    #[error(
        "the run would hit {would_hit} customers, and the policy's blast radius allows {allowed}; look why there are so many, \
         and say the number in the approval (Approval::up_to)"
    )]
    BlastRadius {
        /// The number of customers that the run would hit.
        would_hit: u64,
        /// The number that the policy allows.
        allowed: u64,
    },
    /// The policy asks for four eyes, and the operator who approved also made the plan.
    #[error(
        "the policy asks for four eyes, and operator {operator} both planned and approved; let another operator approve"
    )]
    SamePerson {
        /// The operator.
        operator: OperatorId,
    },
    /// The policy asks for four eyes, and the plan does not name the operator who made it.
    #[error(
        "the policy asks for four eyes, and nothing says who made the plan; name the operator with planned_by, or drafted_by \
         for a standing approval, and approve the plan that has the name"
    )]
    NoPlanner,
    /// A standing approval does not cover the plan.
    #[error(
        "the standing approval does not cover the plan: {0}; approve the plan itself, or give a new standing approval"
    )]
    NotStanding(NotStanding),
    /// The approval has expired.
    #[error("the approval expired at {expires_at}; approve the plan again")]
    Expired {
        /// When the approval expired.
        expires_at: DateTime<Utc>,
    },
    /// The approval was given in the future: a clock is wrong.
    #[error("the approval was given at {approved_at}, which is still to come; set the clocks right")]
    NotYet {
        /// When the approval was given.
        approved_at: DateTime<Utc>,
    },
}

/// A plan with an approval of exactly this plan. Only [`Plan::approve`] and its siblings make one, and only an
/// approved plan can be executed.
#[derive(Clone, Debug)]
pub struct ApprovedPlan {
    pub(crate) plan: Plan,
    pub(crate) mandate: Mandate,
}

impl ApprovedPlan {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The mandate under which the plan may be executed.
    pub fn mandate(&self) -> &Mandate {
        &self.mandate
    }
}

impl Plan {
    /// Binds an approval to this plan.
    ///
    /// The engine checks at execution that the approval is still valid.
    ///
    /// # Errors
    /// [`NotApproved`], with the plan and an [`ApprovalError`], in these cases:
    ///
    /// * The approval is for another plan.
    /// * The operator has no authority over every tenant with which the customer is connected.
    /// * The operator's id looks like an e-mail address.
    /// * The approval is valid for more than 30 days.
    pub fn approve(self, approval: Approval) -> Result<ApprovedPlan, NotApproved<Self>> {
        let held = approval.holds_for(self.digest(), []).and_then(|()| approval.over(&self.binding));
        match held {
            Ok(()) => Ok(ApprovedPlan { plan: self, mandate: Mandate::Approval(approval) }),
            Err(why) => Err(NotApproved::new(self, why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hour)
    }

    /// Shared data of a ledger must be equal: approvals may share an entry only if they differ only in the plan.
    #[test]
    fn approvals_given_in_one_go_differ_in_the_plan_alone() {
        let approval = |operator: &str, tenant: &str, of: &str, from, hours| {
            let valid_for = TimeDelta::hours(hours);
            Approval::new(operator, [TenantId::from(tenant)], Digest::of(&of), at(from), valid_for)
        };
        let one = approval("op-1", "acme", "a plan", 0, 8);
        assert!(one.given_with(&one));
        assert!(one.given_with(&approval("op-1", "acme", "another plan", 0, 8)));
        for other in [
            approval("op-2", "acme", "a plan", 0, 8),
            approval("op-1", "umbrella", "a plan", 0, 8),
            approval("op-1", "acme", "a plan", 1, 8),
            approval("op-1", "acme", "a plan", 0, 9),
        ] {
            assert!(!one.given_with(&other), "{other:?}");
        }
    }

    /// A former bug: the ledger kept a person's address for ever, and an approval never expired.
    #[test]
    fn an_address_is_no_operator_and_an_approval_ends_within_thirty_days() {
        let approval = |operator: &str, hours| {
            Approval::new(operator, ["acme".into()], Digest::of(&"a plan"), at(0), TimeDelta::hours(hours))
        };
        assert_eq!(approval("op-1", 30 * 24).valid_at(at(1)), Ok(()));
        let (approved_at, expires_at) = (at(0), at(30 * 24 + 1));
        let long = ApprovalError::TooLong { approved_at, expires_at, days: 30 };
        assert_eq!(approval("op-1", 30 * 24 + 1).valid_at(at(1)), Err(long.clone()));
        assert!(long.to_string().contains("at most 30 days after the start"), "{long}");
        // For any length, the end is a valid instant, and the approval is not accepted for longer.
        for (valid_for, refused) in
            [(TimeDelta::MAX, true), (TimeDelta::zero(), false), (TimeDelta::MIN, false)]
        {
            let given = Approval::new("op-1", ["acme".into()], Digest::of(&1), at(0), valid_for);
            let is_too_long = matches!(given.valid_at(at(1)), Err(ApprovalError::TooLong { .. }));
            assert_eq!(is_too_long, refused, "{valid_for}");
            assert!(given.valid_at(at(1)).is_err(), "{valid_for}");
        }
        for address in ["vera@lund.test", "vera＠lund.test", "vera%40lund.test", "Vera Lund <vera@lund.test>"]
        {
            let refused = ApprovalError::Operator(NotAnOperatorId::Email);
            let held = approval(address, 8).holds_for(Digest::of(&"a plan"), [&"other".into()]);
            assert_eq!(held, Err(refused.clone()), "before the tenant is looked at");
            assert_eq!(approval(address, 8).valid_at(at(1)), Err(refused.clone()));
            assert_eq!(Authority::new(address, []).over(&"acme".into()), Err(refused.clone()));
            assert!(!refused.to_string().contains("lund"), "{refused}");
        }
        let nobody = Err(ApprovalError::Operator(NotAnOperatorId::Empty));
        assert_eq!(approval(" ", 8).valid_at(at(1)), nobody);
    }

    #[test]
    fn an_operator_has_authority_over_their_tenants_and_no_others() {
        let authority = Authority::new("op-1", ["acme".into(), "umbrella".into()]);
        assert_eq!(authority.over(&"umbrella".into()), Ok(()));
        let refused = authority.over(&"globex".into());
        assert_eq!(
            refused,
            Err(ApprovalError::OtherTenant { operator: "op-1".into(), tenant: "globex".into() })
        );
    }
}
