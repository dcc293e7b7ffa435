//! What an approval binds: the facts that make up the digest of a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{ApprovalError, Changed, Due, GuardFinding, Keeps, OperatorId, Step};
use crate::customer::{AccountId, Customer, CustomerId, GatewayName, TenantId};
use crate::data_map::{DataMap, DeactivationSupport};
use crate::digest::Digest;
use crate::policy::{Guard, Policy, Trigger};
use crate::treatment::{GatewayAction, KeptBefore, RecipientAction, Tally, TreatmentName};

/// Everything that makes up the digest of a plan: all facts on which the decision depended, and what duties keep. The
/// binding has no instant of planning, nothing that will be erased, and no sentence. It has only names, numbers,
/// dates and digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    customer: CustomerId,
    tenant: TenantId,
    /// Row ids are reused: only the id and the instant of registration together identify a customer.
    registered: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Keeps::is_empty")]
    keeps: Keeps,
    terms: Arc<Terms>,
}

/// The digested form of a [`Binding`]. The terms are replaced by their own digest, which is computed once for all
/// plans that share the terms.
#[derive(Serialize)]
struct Digested<'b> {
    customer: &'b CustomerId,
    #[serde(skip_serializing_if = "Keeps::is_empty")]
    keeps: &'b Keeps,
    registered: Option<DateTime<Utc>>,
    tenant: &'b TenantId,
    terms: Digest,
}

/// The common part of plans from the same decision: a [`Binding`] without the customer, and without what duties keep
/// of the customer's records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    version: u32,
    trigger: Trigger,
    treatment: TreatmentName,
    treatment_digest: Digest,
    guards: BTreeMap<Guard, GuardFinding>,
    steps: Vec<Step>,
    /// Whether the plan only does what an earlier case left for later, and nobody made a new choice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    deferred: bool,
    /// Fields that earlier cases kept for a time: which of them stay, and which are treated now.
    #[serde(default, skip_serializing_if = "KeptBefore::is_empty")]
    kept: KeptBefore,
    /// The number of tenants with which the customer is connected.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    tenants: u32,
    /// The names of these tenants, if the store can name them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    connected: BTreeSet<TenantId>,
    /// The accounts at the gateways where the customer has profiles.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    accounts: BTreeMap<GatewayName, AccountId>,
    /// The operator who made the plan, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    planned_by: Option<OperatorId>,
    policy: Digest,
    data_map: Digest,
    #[serde(skip)]
    digest: Once,
}

/// A digest, computed on first use. It is ignored in comparisons, because it adds nothing to its document.
#[derive(Clone, Debug, Default)]
struct Once(OnceLock<Digest>);

impl PartialEq for Once {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Once {}

fn one() -> u32 {
    1
}

// Serde requires a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one(tenants: &u32) -> bool {
    *tenants == 1
}

impl Terms {
    fn digest(&self) -> Digest {
        *self.digest.0.get_or_init(|| Digest::of(self))
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn treatment_digest(&self) -> Digest {
        self.treatment_digest
    }
}

impl Binding {
    /// The binding of a plan made now for a customer who is due. The binding shares the terms of another plan, if
    /// both have the same terms.
    pub(crate) fn draft(
        policy: &Policy,
        map: &DataMap,
        customer: &Customer,
        due: &Due,
        (keeps, today): (Keeps, NaiveDate),
        other: Option<&Arc<Terms>>,
    ) -> Option<Self> {
        let effective = policy.effective(&customer.tenant);
        let (treatment, treatment_digest) = effective.releasing(&due.treatment, &due.kept.over, today)?;
        let mut steps = Vec::new();
        if *map.deactivation() == DeactivationSupport::Supported {
            steps.push(Step::Deactivate);
        }
        let erased = treatment.gateways().iter().filter(|(_, action)| **action == GatewayAction::Erase);
        steps.extend(erased.map(|(name, _)| Step::Gateway(name.clone())));
        let told = treatment.recipients().iter().filter(|(_, action)| **action == RecipientAction::Tell);
        steps.extend(told.map(|(name, _)| Step::Recipient(name.clone())));
        steps.extend([Step::Records, Step::Verify]);
        let terms = Terms {
            version: 1,
            trigger: due.trigger,
            treatment: due.treatment.clone(),
            treatment_digest,
            guards: due.guards.clone(),
            steps,
            deferred: due.is_deferred(),
            kept: due.kept.clone(),
            tenants: customer.tenants,
            connected: customer.connected.clone(),
            accounts: customer.gateway_accounts.clone(),
            planned_by: None,
            policy: effective.digest(),
            data_map: policy.map_digest(),
            digest: Once::default(),
        };
        Some(Self {
            customer: customer.id.clone(),
            tenant: customer.tenant.clone(),
            registered: customer.registered,
            keeps,
            terms: match other.filter(|other| ***other == terms) {
                Some(other) => Arc::clone(other),
                None => Arc::new(terms),
            },
        })
    }

    /// The same binding with the operator who made the plan.
    pub(crate) fn planned_by(&self, operator: OperatorId) -> Self {
        let terms =
            Terms { planned_by: Some(operator), digest: Once::default(), ..Terms::clone(&self.terms) };
        Self { terms: Arc::new(terms), ..self.clone() }
    }

    /// The operator who made the plan, if it is known.
    pub(crate) fn planner(&self) -> Option<&OperatorId> {
        self.terms.planned_by.as_ref()
    }

    /// Restores a binding from its saved parts.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn from_parts(
        customer: CustomerId,
        tenant: TenantId,
        registered: Option<DateTime<Utc>>,
        keeps: Keeps,
        terms: Arc<Terms>,
    ) -> Self {
        Self { customer, tenant, registered, keeps, terms }
    }

    /// The digest of the plan.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&Digested {
            customer: &self.customer,
            keeps: &self.keeps,
            registered: self.registered,
            tenant: &self.tenant,
            terms: self.terms.digest(),
        })
    }

    /// What has changed since the approval, if anything. Without a count, what duties keep is not compared: see
    /// [`may_keep_less`](Self::may_keep_less).
    pub(crate) fn changed(
        &self,
        policy: &Policy,
        map: &DataMap,
        customer: &Customer,
        due: &Due,
        tally: Option<&Tally>,
        today: NaiveDate,
    ) -> Option<Changed> {
        let keeps = tally.map_or_else(
            || self.keeps.clone(),
            |tally| Keeps::counted(policy.effective(&customer.tenant), tally),
        );
        let Some(now) = Self::draft(policy, map, customer, due, (keeps, today), Some(&self.terms)) else {
            return Some(Changed::Terms);
        };
        let now = match self.planner() {
            Some(operator) => now.planned_by(operator.clone()),
            None => now,
        };
        // The approval is for the binding's digest, and equal bindings have the same digest.
        if now == *self { None } else { Some(self.keeps.changed(&now.keeps).unwrap_or(Changed::Terms)) }
    }

    /// Whether a duty may have ended since, so that duties keep less than was approved. Then the records have to be
    /// counted again. If this returns `false`, the passing of time has changed nothing of what duties keep.
    pub(crate) fn may_keep_less(&self, policy: &Policy, at: DateTime<Utc>) -> bool {
        let effective = policy.effective(&self.tenant);
        // A record may be kept because another customer's record needs it. The dates of that record are not known
        // here.
        let with_others = effective
            .treatments()
            .get(&self.terms.treatment)
            .is_none_or(|treatment| !treatment.kept_together().is_empty());
        !self.keeps.is_empty() && (with_others || self.keeps.may_end_by(effective.time_zone().day(at)))
    }

    /// What duties keep, as approved.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn keeps(&self) -> &Keeps {
        &self.keeps
    }

    /// Whether two bindings have the same tenant and terms. Only the customer, and what duties keep, may differ.
    pub(crate) fn shares_terms(&self, other: &Self) -> bool {
        self.tenant == other.tenant && (Arc::ptr_eq(&self.terms, &other.terms) || self.terms == other.terms)
    }

    /// The part that this binding shares with others.
    pub(crate) fn terms(&self) -> &Arc<Terms> {
        &self.terms
    }

    pub(crate) fn customer(&self) -> &CustomerId {
        &self.customer
    }

    pub(crate) fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The tenants with which the customer is connected, as far as the store names them.
    pub(crate) fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        std::iter::once(&self.tenant).chain(&self.terms.connected)
    }

    /// Checks that an operator of these tenants may act on the customer. Every tenant with which the customer is
    /// connected must be among them. If the store knows only the number of tenants, there must be no other tenant,
    /// unless the policy ignores `several_tenants` with a reason.
    pub(crate) fn within(
        &self,
        operator: &OperatorId,
        tenants: &BTreeSet<TenantId>,
    ) -> Result<(), ApprovalError> {
        let terms = &self.terms;
        if let Some(tenant) = self.tenants().find(|tenant| !tenants.contains(*tenant)) {
            let (operator, tenant) = (operator.clone(), tenant.clone());
            return Err(ApprovalError::OtherTenant { operator, tenant });
        }
        let looks_away = terms.guards.get(&Guard::SeveralTenants) == Some(&GuardFinding::Ignored);
        if terms.tenants != 1 && terms.connected.is_empty() && !looks_away {
            return Err(ApprovalError::UnnamedTenants { operator: operator.clone(), tenants: terms.tenants });
        }
        Ok(())
    }

    pub(crate) fn registered(&self) -> Option<DateTime<Utc>> {
        self.registered
    }

    pub(crate) fn trigger(&self) -> Trigger {
        self.terms.trigger
    }

    pub(crate) fn treatment(&self) -> &TreatmentName {
        &self.terms.treatment
    }

    pub(crate) fn treatment_digest(&self) -> Digest {
        self.terms.treatment_digest
    }

    /// The fields that earlier cases kept for a time.
    pub(crate) fn kept_before(&self) -> &KeptBefore {
        &self.terms.kept
    }

    /// Whether the plan only does what an earlier case left for later.
    pub(crate) fn is_deferred(&self) -> bool {
        self.terms.deferred
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.terms.steps
    }

    pub(crate) fn guards(&self) -> &BTreeMap<Guard, GuardFinding> {
        &self.terms.guards
    }

    pub(crate) fn accounts(&self) -> &BTreeMap<GatewayName, AccountId> {
        &self.terms.accounts
    }

    pub(crate) fn policy(&self) -> Digest {
        self.terms.policy
    }

    pub(crate) fn data_map(&self) -> Digest {
        self.terms.data_map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding() -> Binding {
        let digest = Digest::of(&"one");
        let terms = Terms {
            version: 1,
            trigger: Trigger::Requested,
            treatment: "clear".into(),
            treatment_digest: digest,
            guards: BTreeMap::new(),
            steps: vec![Step::Records, Step::Verify],
            deferred: false,
            kept: KeptBefore::default(),
            tenants: 1,
            connected: BTreeSet::new(),
            accounts: BTreeMap::new(),
            planned_by: None,
            policy: digest,
            data_map: digest,
            digest: Once::default(),
        };
        let (customer, tenant) = ("1".into(), "acme".into());
        Binding { customer, tenant, registered: None, keeps: Keeps::default(), terms: Arc::new(terms) }
    }

    /// Plans whose terms a ledger may store only once.
    #[test]
    fn plans_share_their_terms_where_only_the_customer_is_another_one() {
        let one = binding();
        assert!(one.shares_terms(&Binding { customer: "2".into(), ..binding() }));
        assert!(!one.shares_terms(&Binding { tenant: "umbrella".into(), ..binding() }));
        let terms = Terms { trigger: Trigger::Listed, ..Terms::clone(&one.terms) };
        assert!(!one.shares_terms(&Binding { terms: Arc::new(terms), ..binding() }));
    }
}
