//! The plan of an expiry: which records are erased because of their own age, whoever they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Approval, Mandate, NotApproved, OperatorId, RecordsOf};
use crate::customer::TenantId;
use crate::data_map::{ClassName, DataMap, FieldName};
use crate::digest::Digest;
use crate::policy::{Guard, Policy};
use crate::treatment::{ClassTreatment, RecordAction, Tally, Treatment};
use crate::words::plural;

/// Whose records expire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiryOf {
    /// The records of these tenants' customers, and of each tenant's "Unknown Customer".
    Tenants(BTreeSet<TenantId>),
    /// The records whose owner is gone.
    Ownerless,
}

/// Why nothing expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NothingExpires {
    /// The policy lets no class expire.
    NoRule,
    /// The switch is off for the tenant. For ownerless records: the switch is off for some tenant, because the record
    /// may be that tenant's.
    SweepOff,
}

impl fmt::Display for NothingExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRule => "the policy says of no record class that its records expire so",
            Self::SweepOff => "the policy's switch is off (sweep = false)",
        })
    }
}

/// Records of one class that expire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExpiringClass {
    /// All records of the class, of any age, of the customers whom nothing holds back.
    pub rows: u64,
    /// The records that have expired, including those that were treated before.
    pub expired: u64,
    /// The records to which something still has to be done.
    pub due: u64,
    /// The expired records that stay, anonymised, because a record that has not expired needs them.
    pub needed: u64,
}

/// What was counted for a tenant, or for ownerless records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Expiring {
    /// Customers with records that have to be treated. 0 for ownerless records.
    pub customers: u64,
    /// The counts, for each class whose records expire.
    pub classes: BTreeMap<ClassName, ExpiringClass>,
    /// The records whose date cannot be read, by class and field, including those of customers who are held back.
    /// These records never expire.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<ClassName, BTreeMap<FieldName, u64>>,
    /// Customers whose records are not touched, by the guard that forbids it. A customer with unreadable facts counts
    /// under `unreadable`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<String, u64>,
    /// Customers whose records could not be counted, or for whom a gateway did not answer, by the reason. Their
    /// records are not touched until this is corrected.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub uncounted: BTreeMap<String, u64>,
}

impl Expiring {
    /// Adds the counts of one customer.
    pub(crate) fn add(&mut self, treatment: &Treatment, tally: &Tally) {
        for (name, action) in acting(treatment) {
            let counted = tally.classes.get(name).copied().unwrap_or_default();
            let kept = tally.kept.get(name).map_or(0, |kept| kept.rows);
            let needed = tally.tombstones.get(name).filter(|_| *action == RecordAction::Delete);
            let sum = self.classes.entry(name.clone()).or_default();
            sum.rows += counted.rows;
            sum.expired += counted.rows.saturating_sub(kept);
            sum.due += counted.due;
            sum.needed += needed.copied().unwrap_or_default();
        }
        self.add_unreadable(treatment, tally);
    }

    /// Adds the records of one customer whose date cannot be read, whether or not the customer is held back.
    pub(crate) fn add_unreadable(&mut self, treatment: &Treatment, tally: &Tally) {
        for (name, _) in acting(treatment) {
            for (field, rows) in tally.kept.get(name).into_iter().flat_map(|kept| &kept.unreadable) {
                *self.unreadable.entry(name.clone()).or_default().entry(field.clone()).or_default() += rows;
            }
        }
    }
}

/// The classes that a treatment changes.
pub(crate) fn acting(treatment: &Treatment) -> impl Iterator<Item = (&ClassName, &RecordAction)> {
    let classes = treatment.classes().iter().map(|(name, class)| (name, class.action()));
    classes.filter(|(_, action)| !matches!(action, RecordAction::Keep { .. }))
}

/// Whether a guard holds a customer's records back from expiring. All guards do, except the two which say that the
/// person is still a customer: records expire whoever they belong to.
pub(crate) fn holds_back(guard: &Guard) -> bool {
    !matches!(guard, Guard::ActiveSubscription | Guard::NotArchived)
}

/// What makes up the digest of an expiry plan: no counts and no instants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryTerms {
    version: u32,
    expiry: ExpiryOf,
    /// The digests of the policies in force: one per tenant, or one for all tenants if the records have no owner.
    policies: BTreeMap<String, Digest>,
    data_map: Digest,
    /// The operator who made the plan, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    planned_by: Option<OperatorId>,
}

impl ExpiryTerms {
    /// Whose records expire.
    pub fn of(&self) -> &ExpiryOf {
        &self.expiry
    }

    /// The digest of the plan.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self)
    }

    /// The digests of the policies in force: one per tenant in the order of the tenants' names, or one for all
    /// tenants if the records have no owner.
    pub(crate) fn policies(&self) -> impl Iterator<Item = Digest> {
        self.policies.values().copied()
    }

    pub(crate) fn data_map(&self) -> Digest {
        self.data_map
    }

    /// The operator who made the plan, if it is known.
    pub(crate) fn planner(&self) -> Option<&OperatorId> {
        self.planned_by.as_ref()
    }
}

/// The plan of what expires, class by class. A person approves its digest. Only records that have expired by the day
/// of the run are erased.
///
/// The digest binds whose records the plan is about, the policy of each tenant, and the data map. It does not bind
/// the number of records, because more records expire every day.
#[derive(Clone, Debug)]
pub struct ExpiryPlan {
    bound: Arc<ExpiryTerms>,
    digest: Digest,
    rules: BTreeMap<ClassName, String>,
    treatments: Vec<Arc<Treatment>>,
    expiring: BTreeMap<RecordsOf, Expiring>,
    left_out: BTreeMap<TenantId, NothingExpires>,
    authority: BTreeSet<TenantId>,
    planned_at: DateTime<Utc>,
}

impl ExpiryPlan {
    /// A plan for some tenants. Each of them has the switch on, and rules for expiry.
    pub(crate) fn of_tenants(
        policy: &Policy,
        map: &DataMap,
        tenants: BTreeSet<TenantId>,
        expiring: BTreeMap<RecordsOf, Expiring>,
        left_out: BTreeMap<TenantId, NothingExpires>,
        planned_at: DateTime<Utc>,
    ) -> Self {
        let mut rules = BTreeMap::<ClassName, BTreeSet<String>>::new();
        let mut treatments = Vec::<Arc<Treatment>>::new();
        let mut policies = BTreeMap::new();
        for tenant in &tenants {
            let effective = policy.effective(tenant);
            policies.insert(tenant.as_str().to_owned(), effective.digest());
            let Some(expiry) = effective.expiry() else { continue };
            for (class, after) in expiry.rules() {
                rules.entry(class.clone()).or_default().insert(after.to_string());
            }
            if !treatments.iter().any(|known| **known == **expiry.treatment()) {
                treatments.push(Arc::clone(expiry.treatment()));
            }
        }
        let several = |says: BTreeSet<String>| says.into_iter().collect::<Vec<_>>().join(", or ");
        let bound = ExpiryTerms {
            version: 1,
            expiry: ExpiryOf::Tenants(tenants.clone()),
            policies,
            data_map: map.digest(),
            planned_by: None,
        };
        Self {
            digest: bound.digest(),
            bound: Arc::new(bound),
            rules: rules.into_iter().map(|(class, says)| (class, several(says))).collect(),
            treatments,
            expiring,
            left_out,
            authority: tenants,
            planned_at,
        }
    }

    /// A plan for ownerless records.
    pub(crate) fn of_ownerless(
        policy: &Policy,
        map: &DataMap,
        expiring: Expiring,
        planned_at: DateTime<Utc>,
    ) -> Self {
        let rules = policy.ownerless().into_iter().flat_map(|ownerless| {
            ownerless.rules().iter().map(|(class, which)| {
                let after = ownerless.after().get(class).into_iter().flatten();
                let says: Vec<String> =
                    std::iter::once(format!("owner {which}")).chain(after.map(ToString::to_string)).collect();
                (class.clone(), says.join(", "))
            })
        });
        let bound = ExpiryTerms {
            version: 1,
            expiry: ExpiryOf::Ownerless,
            policies: BTreeMap::from([(String::new(), policy.digest())]),
            data_map: map.digest(),
            planned_by: None,
        };
        Self {
            digest: bound.digest(),
            bound: Arc::new(bound),
            rules: rules.collect(),
            treatments: policy
                .ownerless()
                .map(|ownerless| Arc::clone(ownerless.treatment()))
                .into_iter()
                .collect(),
            expiring: BTreeMap::from([(RecordsOf::Nobody, expiring)]),
            left_out: BTreeMap::new(),
            authority: policy.tenants().cloned().collect(),
            planned_at,
        }
    }

    /// The digest of everything on which the plan depends. An operator approves this digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The same plan with the operator who made it, by an opaque id: see [`Plan::planned_by`](super::Plan::planned_by).
    #[must_use]
    pub fn planned_by(self, operator: impl Into<OperatorId>) -> Self {
        let bound = ExpiryTerms { planned_by: Some(operator.into()), ..ExpiryTerms::clone(&self.bound) };
        Self { digest: bound.digest(), bound: Arc::new(bound), ..self }
    }

    /// Whose records expire.
    pub fn of(&self) -> &ExpiryOf {
        &self.bound.expiry
    }

    /// The number of customers with records that have to be treated.
    pub fn customers(&self) -> u64 {
        self.expiring.values().map(|counted| counted.customers).sum()
    }

    /// The counts for each tenant, or for ownerless records. Not part of the digest.
    pub fn expiring(&self) -> &BTreeMap<RecordsOf, Expiring> {
        &self.expiring
    }

    /// Tenants that were asked for but have nothing that expires, and why.
    pub fn left_out(&self) -> &BTreeMap<TenantId, NothingExpires> {
        &self.left_out
    }

    /// The number of records to which something has to be done.
    pub fn due(&self) -> u64 {
        self.expiring.values().flat_map(|counted| counted.classes.values()).map(|class| class.due).sum()
    }

    /// What makes up the digest.
    pub(crate) fn terms(&self) -> &Arc<ExpiryTerms> {
        &self.bound
    }

    /// Binds an approval to this plan.
    ///
    /// The engine checks at execution that the approval is still valid.
    ///
    /// # Errors
    /// [`NotApproved`], with the plan and an [`ApprovalError`](super::ApprovalError), in these cases:
    ///
    /// * The approval is for another plan.
    /// * The approval is valid for more than 30 days.
    /// * The operator has no authority over every tenant. A record without an owner may belong to any tenant. So for
    ///   ownerless records the operator needs authority over every tenant that the policy names.
    pub fn approve(self, approval: Approval) -> Result<ApprovedExpiry, NotApproved<Self>> {
        match approval.holds_for(self.digest, &self.authority) {
            Ok(()) => Ok(ApprovedExpiry { plan: self, mandate: Mandate::Approval(approval) }),
            Err(why) => Err(NotApproved::new(self, why)),
        }
    }

    /// The plan as JSON. `digest` is the SHA-256 digest of `binds` in canonical form (RFC 8785).
    pub fn to_json(&self) -> serde_json::Value {
        let counted: Vec<_> = self
            .expiring
            .iter()
            .map(|(tenant, counted)| json!({ "records_of": tenant, "counted": counted }))
            .collect();
        json!({
            "digest": self.digest,
            "binds": *self.bound,
            "planned_at": self.planned_at,
            "rules": self.rules,
            "treatments": self.treatments.iter().map(|treatment| treatment_json(treatment)).collect::<Vec<_>>(),
            "expiring": counted,
            "left_out": self.left_out,
        })
    }
}

/// What is done to each class that expires, and which of its fields stay.
fn treatment_json(treatment: &Treatment) -> serde_json::Value {
    let classes = acting(treatment).filter_map(|(name, action)| {
        let class = treatment.class(name.as_str())?;
        let fields: BTreeMap<_, _> =
            class.fields().iter().map(|(field, strategy)| (field.as_str(), strategy.describe())).collect();
        Some((name.to_string(), json!({ "action": action.as_str(), "fields": fields, "kept": class.kept() })))
    });
    classes.collect::<serde_json::Map<_, _>>().into()
}

impl fmt::Display for ExpiryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Expiry {}", self.digest)?;
        writeln!(f, "  records that have expired are erased; this CANNOT be taken back")?;
        for (class, says) in &self.rules {
            let actions: BTreeSet<&str> = self
                .treatments
                .iter()
                .flat_map(|treatment| acting(treatment))
                .filter(|(name, _)| *name == class)
                .map(|(_, action)| action.as_str())
                .collect();
            let actions: Vec<&str> = actions.into_iter().collect();
            writeln!(f, "    {class:<20} {:<10} {says}", actions.join("/"))?;
            let treated = self.treatments.iter().filter_map(|treatment| treatment.class(class.as_str()));
            // No field is written in a record that is deleted.
            let written = treated.clone().filter(|class| *class.action() != RecordAction::Delete);
            let fields = written.flat_map(ClassTreatment::fields);
            let mut fields: Vec<(&FieldName, String)> =
                fields.map(|(field, strategy)| (field, strategy.describe())).collect();
            let kept = treated.flat_map(ClassTreatment::kept);
            fields.extend(kept.map(|(field, reason)| (field, format!("stays: {reason}"))));
            fields.sort();
            fields.dedup();
            for (field, says) in fields {
                writeln!(f, "      {field:<28} {says}")?;
            }
        }
        for (of, counted) in &self.expiring {
            match of {
                RecordsOf::Tenant(_) | RecordsOf::UnreadableTenant => {
                    let customers = counted.customers;
                    writeln!(
                        f,
                        "  {of}: {customers} {} of whom something expires",
                        plural(customers, "customer")
                    )?;
                }
                RecordsOf::Nobody => writeln!(f, "  {of}")?,
            }
            for (class, ExpiringClass { rows, expired, due, needed }) in &counted.classes {
                write!(
                    f,
                    "    {class:<20} {rows:>6} {}, {expired} expired, {due} to do",
                    plural(*rows, "row")
                )?;
                if *needed > 0 {
                    write!(f, ", {needed} anonymised until nothing needs them")?;
                }
                writeln!(f)?;
            }
            for (class, fields) in &counted.unreadable {
                for (field, rows) in fields {
                    writeln!(
                        f,
                        "    {class:<20} {rows:>6} {} never expire: {field} cannot be read",
                        plural(*rows, "row")
                    )?;
                }
            }
            for (guard, count) in &counted.held {
                writeln!(f, "    {count} {} held back: {guard}", plural(*count, "customer"))?;
            }
            for (why, count) in &counted.uncounted {
                writeln!(f, "    {count} {} not counted: {why}", plural(*count, "customer"))?;
            }
        }
        for (tenant, why) in &self.left_out {
            writeln!(f, "  not of tenant {tenant}: {why}")?;
        }
        write!(f, "  copies in backups and other systems are not reached")
    }
}

/// An expiry plan with an approval of exactly this plan. Only [`ExpiryPlan::approve`] makes one, and only an approved
/// plan can be carried out.
#[derive(Clone, Debug)]
pub struct ApprovedExpiry {
    pub(crate) plan: ExpiryPlan,
    pub(crate) mandate: Mandate,
}

impl ApprovedExpiry {
    /// The plan.
    pub fn plan(&self) -> &ExpiryPlan {
        &self.plan
    }

    /// The mandate under which the expiry may be carried out.
    pub fn mandate(&self) -> &Mandate {
        &self.mandate
    }
}
