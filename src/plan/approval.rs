//! The approval: who approved which digest, when, and until when.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use super::{Binding, Mandate, NotStanding, Plan};
use crate::customer::TenantId;
use crate::digest::Digest;
use crate::format::Format;
use crate::name::open_name;

open_name! {
    /// An opaque id of an operator, such as `operator-7`. The ledger keeps the id for good, so use no name and no e-mail
    /// address: an approval by an id that looks like an e-mail address is refused ([`OperatorId::check`]).
    OperatorId
}

impl OperatorId {
    /// Whether the id can stand in the ledger. Every approval and every authority is held to this when it is used.
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
        let id = self.as_str();
        // Unicode has other signs that are read as an at sign, and URLs and HTML spell it in their own way.
        let lower = id.to_ascii_lowercase();
        if id.trim().is_empty() {
            Err(NotAnOperatorId::Empty)
        } else if id.nfkc().any(|c| c == '@') || lower.contains("%40") || lower.contains("&#64;") {
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
    /// Nobody is named.
    #[error("the operator's id is empty; give the id of the person who decided, such as operator-7")]
    Empty,
    /// The ledger would keep the address of a person for good.
    #[error(
        "the operator's id looks like an e-mail address, and the ledger would keep the address for good; give an opaque id, \
         such as operator-7, and keep the list of operators in your own system"
    )]
    Email,
}

/// An operator, and the tenants over which they have authority. The host says so: this crate knows no users.
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

    /// Who.
    pub fn operator(&self) -> &OperatorId {
        &self.operator
    }

    /// Over which tenants they have authority.
    pub fn tenants(&self) -> &BTreeSet<TenantId> {
        &self.tenants
    }

    /// Whether they have authority over a tenant.
    ///
    /// # Errors
    /// [`ApprovalError::OtherTenant`] if not, [`ApprovalError::Operator`] for an id that is none.
    pub fn over(&self, tenant: &TenantId) -> Result<(), ApprovalError> {
        self.operator.check()?;
        if self.tenants.contains(tenant) {
            Ok(())
        } else {
            Err(ApprovalError::OtherTenant { operator: self.operator.clone(), tenant: tenant.clone() })
        }
    }

    /// Whether they have authority over every tenant with which a plan's customer is connected.
    pub(crate) fn over_all(&self, binding: &Binding) -> Result<(), ApprovalError> {
        self.operator.check()?;
        binding.within(&self.operator, &self.tenants)
    }
}

/// That an operator approved one plan, by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    format: Format<1>,
    operator: OperatorId,
    tenants: BTreeSet<TenantId>,
    digest: Digest,
    approved_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl Approval {
    /// How long an approval is valid at most: 30 days. Facts and people change; whoever needs longer approves again.
    pub const LONGEST: TimeDelta = TimeDelta::days(30);

    /// An operator with authority over some tenants approves the plan of this digest, for so long.
    ///
    /// The host says who the operator is and over which tenants they have authority: this crate knows no
    /// users. The digest is the one that the operator was shown. [`Plan::approve`] and its siblings check that the operator's
    /// id is opaque, and that the approval is valid for at most [`LONGEST`](Self::LONGEST). The engine checks when it executes
    /// that the approval is valid at that time.
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
            approved_at,
            expires_at: end_of(approved_at, valid_for),
        }
    }

    /// Whether it differs in the plan at most: both were given in one go.
    pub(crate) fn given_with(&self, other: &Self) -> bool {
        self.approved_at == other.approved_at
            && self.expires_at == other.expires_at
            && self.operator == other.operator
            && self.tenants == other.tenants
    }

    /// The same approval of another plan, as a case book keeps it that saves what is the same but once.
    #[cfg(feature = "sqlite")]
    pub(crate) fn of_plan(&self, digest: Digest) -> Self {
        Self { digest, ..self.clone() }
    }

    /// Who approved.
    pub fn operator(&self) -> &OperatorId {
        &self.operator
    }

    /// Which plan.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// When.
    pub fn approved_at(&self) -> DateTime<Utc> {
        self.approved_at
    }

    /// From when on it counts no longer.
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// Whether the operator has authority over every tenant with which a plan's customer is connected.
    pub(super) fn over(&self, binding: &Binding) -> Result<(), ApprovalError> {
        binding.within(&self.operator, &self.tenants)
    }

    /// Whether it is of this digest, by an operator of these tenants, and for no longer than it may be.
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

    /// Whether it holds at an instant.
    ///
    /// # Errors
    /// [`ApprovalError::Operator`], [`ApprovalError::TooLong`], [`ApprovalError::Expired`], [`ApprovalError::NotYet`].
    pub fn valid_at(&self, at: DateTime<Utc>) -> Result<(), ApprovalError> {
        self.operator.check()?;
        holds_between((self.approved_at, self.expires_at), Self::LONGEST, at)
    }
}

/// Whether something that was given at one instant and ends at another holds, and was given for no longer than it may.
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

/// When an approval ends. One that would outlive the calendar ends with the calendar, and is refused for its length.
pub(super) fn end_of(approved_at: DateTime<Utc>, valid_for: TimeDelta) -> DateTime<Utc> {
    let furthest =
        if valid_for < TimeDelta::zero() { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    approved_at.checked_add_signed(valid_for).unwrap_or(furthest)
}

/// Whether an approval is valid for no longer than it may be.
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

/// What was not approved, and why. What was given comes back, so that it can be approved in another way.
///
/// `?` turns it into an [`ApprovalError`] or an engine's [`Error`](crate::Error), and drops what was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotApproved<T> {
    /// The plan, the plans or the review that was to be approved.
    pub given: Box<T>,
    /// Why the approval does not hold for it.
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

/// Why an approval does not hold for a plan. Nothing was touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// It is for another plan: another customer, or the same one before something changed.
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
    /// The operator has no authority over the customer's tenant, or over another with which the customer is connected.
    #[error("operator {operator} has no authority over tenant {tenant}; ask one who has")]
    OtherTenant {
        /// The operator.
        operator: OperatorId,
        /// That tenant.
        tenant: TenantId,
    },
    /// The customer is connected to other tenants, and nothing tells to which.
    #[error(
        "the customer is connected to {tenants} tenants, and nothing tells operator {operator} which; name them in the data \
         map, or write several_tenants = {{ ignore = \"reason\" }} in the policy"
    )]
    UnnamedTenants {
        /// The operator.
        operator: OperatorId,
        /// How many tenants.
        tenants: u32,
    },
    /// Nobody is named in a way that the ledger can keep.
    #[error(transparent)]
    Operator(#[from] NotAnOperatorId),
    /// It is valid for longer than [`Approval::LONGEST`], or than [`StandingApproval::LONGEST`](super::StandingApproval::LONGEST).
    #[error(
        "the approval is valid from {approved_at} to {expires_at}, and {days} days is the longest; give an end that is at most \
         {days} days after the start"
    )]
    TooLong {
        /// When it was given.
        approved_at: DateTime<Utc>,
        /// Until when it was to count.
        expires_at: DateTime<Utc>,
        /// How many days it may be valid at most.
        days: i64,
    },
    /// A standing approval is for fewer customers in one go.
    #[error(
        "{plans} plans were put under a standing approval for at most {at_most}; look why there are so many, and approve \
         them, or raise the limit of a new standing approval"
    )]
    TooMany {
        /// How many plans.
        plans: usize,
        /// How many the approval is for.
        at_most: usize,
    },
    /// A standing approval does not cover the plan.
    #[error(
        "the standing approval does not cover the plan: {0}; approve the plan itself, or give a new standing approval"
    )]
    NotStanding(NotStanding),
    /// It has expired.
    #[error("the approval expired at {expires_at}; approve the plan again")]
    Expired {
        /// When.
        expires_at: DateTime<Utc>,
    },
    /// It was given later than now: a clock is wrong.
    #[error("the approval was given at {approved_at}, which is still to come; set the clocks right")]
    NotYet {
        /// When.
        approved_at: DateTime<Utc>,
    },
}

/// A plan with an approval of exactly this plan. Only [`Plan::approve`] makes one, and only this can be
/// executed.
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

    /// On whose word it may be executed.
    pub fn mandate(&self) -> &Mandate {
        &self.mandate
    }
}

impl Plan {
    /// Binds an approval to this plan.
    ///
    /// Whether the approval is valid at the time is checked by the engine, when it executes.
    ///
    /// # Errors
    /// [`NotApproved`], with the plan and an [`ApprovalError`]: the approval is for another plan, by an operator who has no
    /// authority over every tenant with which the customer is connected or whose id looks like an e-mail address, or for more
    /// than 30 days.
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

    /// What a ledger keeps but once must be the same: an approval may share it with another only where all but the plan
    /// is alike.
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

    /// The ledger kept the address of a person, and an approval until the end of time.
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
        // Whatever length is given, the end is an instant of the calendar, and no longer one is accepted for that.
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
