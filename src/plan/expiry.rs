//! The plan of an expiry: which records go by their own age, whoever they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Approval, NotApproved, RecordsOf};
use crate::customer::TenantId;
use crate::data_map::{ClassName, DataMap, FieldName};
use crate::digest::Digest;
use crate::policy::{Guard, Policy};
use crate::treatment::Tally;
use crate::treatment::{ClassTreatment, RecordAction, Treatment};
use crate::words::plural;

/// Whose records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiryOf {
    /// Those of the customers of these tenants, and of each tenant's "Unknown Customer".
    Tenants(BTreeSet<TenantId>),
    /// Those whose owner is gone.
    Ownerless,
}

/// Why nothing expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NothingExpires {
    /// The policy says of no class that its records expire.
    NoRule,
    /// The switch is off: of the tenant; where the owner is gone, of any tenant, because the record may be theirs.
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
    /// Records of the class, of whatever age, of those whom nothing holds back.
    pub rows: u64,
    /// Those that have expired, what was treated before among them.
    pub expired: u64,
    /// Those to which something is still to be done.
    pub due: u64,
    /// Of the expired, those that stay, anonymised, because a record needs them that has not expired.
    pub needed: u64,
}

/// What was counted for a tenant, or of those whose owner is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Expiring {
    /// Customers of whom something is to be done. None are counted where the owner is gone.
    pub customers: u64,
    /// By class of which records expire.
    pub classes: BTreeMap<ClassName, ExpiringClass>,
    /// By class and field, the records whose date cannot be read, of those who are held back too. They never expire.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<ClassName, BTreeMap<FieldName, u64>>,
    /// Customers of whom nothing is touched, by the guard that forbids it. Where a customer's facts cannot be read, under
    /// `unreadable`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<String, u64>,
    /// Customers whose records could not be counted, or of whom a gateway could not be asked, by the reason. Unless that is
    /// mended, nothing of theirs is touched.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub uncounted: BTreeMap<String, u64>,
}

impl Expiring {
    /// Adds what one customer has.
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

    /// Adds the records of one customer whose date cannot be read, whether or not something holds the others back.
    pub(crate) fn add_unreadable(&mut self, treatment: &Treatment, tally: &Tally) {
        for (name, _) in acting(treatment) {
            for (field, rows) in tally.kept.get(name).into_iter().flat_map(|kept| &kept.unreadable) {
                *self.unreadable.entry(name.clone()).or_default().entry(field.clone()).or_default() += rows;
            }
        }
    }
}

/// The classes to which a treatment does something.
pub(crate) fn acting(treatment: &Treatment) -> impl Iterator<Item = (&ClassName, &RecordAction)> {
    let classes = treatment.classes().iter().map(|(name, class)| (name, class.action()));
    classes.filter(|(_, action)| !matches!(action, RecordAction::Keep { .. }))
}

/// The guards that hold a customer's records back from expiring: all that block, but for those which say that the person
/// is still a customer. Records expire whoever they belong to.
pub(crate) fn holds_back(guard: &Guard) -> bool {
    !matches!(guard, Guard::ActiveSubscription | Guard::NotArchived)
}

/// What the digest of such a plan is made of: no counts, no instants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryTerms {
    version: u32,
    expiry: ExpiryOf,
    /// The policy in force: of each tenant, or of all where the owner is gone.
    policies: BTreeMap<String, Digest>,
    data_map: Digest,
}

impl ExpiryTerms {
    /// Whose records.
    pub fn of(&self) -> &ExpiryOf {
        &self.expiry
    }

    /// The name of such a plan.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self)
    }

    /// The policies in force: of each tenant in the order of their names, or of all where the owner is gone.
    pub(crate) fn policies(&self) -> impl Iterator<Item = Digest> {
        self.policies.values().copied()
    }

    pub(crate) fn data_map(&self) -> Digest {
        self.data_map
    }
}

/// What expires, class by class. A person approves its digest; what has expired by then goes, and nothing else.
///
/// The digest binds whose records it is about, the policy of each tenant and the data map. How many there are by the day
/// of the run it does not bind: more of them expire every day.
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
    /// A plan for some tenants, of whom each has the switch on and something that expires.
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

    /// A plan for records whose owner is gone.
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

    /// Names everything on which the plan depends. What is approved is this.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whose records.
    pub fn of(&self) -> &ExpiryOf {
        &self.bound.expiry
    }

    /// What was counted for each tenant; under none, of those whose owner is gone. Not part of the digest.
    pub fn expiring(&self) -> &BTreeMap<RecordsOf, Expiring> {
        &self.expiring
    }

    /// Tenants that were asked for and of whom nothing expires, and why.
    pub fn left_out(&self) -> &BTreeMap<TenantId, NothingExpires> {
        &self.left_out
    }

    /// Records to which something is to be done.
    pub fn due(&self) -> u64 {
        self.expiring.values().flat_map(|counted| counted.classes.values()).map(|class| class.due).sum()
    }

    /// What its digest is made of.
    pub(crate) fn terms(&self) -> &Arc<ExpiryTerms> {
        &self.bound
    }

    /// Binds an approval to this plan.
    ///
    /// Whether the approval is valid at the time is checked by the engine, when it executes.
    ///
    /// # Errors
    /// [`NotApproved`], with the plan and an [`ApprovalError`](super::ApprovalError): the approval is for another plan, for
    /// more than 30 days, or by an operator who has no authority over every tenant. A record whose owner is gone may be any
    /// tenant's, so there the operator needs authority over each tenant that the policy names.
    pub fn approve(self, approval: Approval) -> Result<ApprovedExpiry, NotApproved<Self>> {
        match approval.holds_for(self.digest, &self.authority) {
            Ok(()) => Ok(ApprovedExpiry { plan: self, approval }),
            Err(why) => Err(NotApproved::new(self, why)),
        }
    }

    /// The plan as JSON. Its `binds`, in canonical form (RFC 8785), has the SHA-256 digest `digest`.
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

/// What is done to each class that expires, and what of it stays.
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
            let fields = treated.clone().flat_map(ClassTreatment::fields);
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
                    writeln!(f, "  {of}: {customers} {}", plural(customers, "customer"))?;
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

/// An expiry with an approval of exactly this plan. Only [`ExpiryPlan::approve`] makes one, and only this can be carried
/// out.
#[derive(Clone, Debug)]
pub struct ApprovedExpiry {
    pub(crate) plan: ExpiryPlan,
    pub(crate) approval: Approval,
}

impl ApprovedExpiry {
    /// The plan.
    pub fn plan(&self) -> &ExpiryPlan {
        &self.plan
    }

    /// The approval.
    pub fn approval(&self) -> &Approval {
        &self.approval
    }
}
