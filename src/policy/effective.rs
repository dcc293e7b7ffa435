//! The policy in force for one tenant: the lines of the policy, merged with the tenant's own entry.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::Value as Json;

use super::keeper::{Age, Keeper, keepers};
use super::of_day::OfDay;
use super::{
    BlastRadius, Deferred, Duty, Expiry, FiscalYearEnd, Guard, GuardRule, Limit, PrivacyLaw, Suppressing,
    Suppression, Trigger, TriggerRule,
};
use crate::customer::TenantId;
use crate::data_map::{ClassName, FieldName, TimeZone};
use crate::digest::Digest;
use crate::treatment::{ClassTreatment, Treatment, TreatmentName, UnderDuty};

/// Fields that have stayed long enough, by class.
type Over = BTreeMap<ClassName, BTreeSet<FieldName>>;

/// Where a line of a policy comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The policy says it for everyone.
    Policy,
    /// The tenant's own entry says it.
    Tenant(TenantId),
    /// The tenant's entry switches it off.
    Dropped(TenantId),
}

/// A line of the policy in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The key of the line: `triggers.inactive`.
    pub path: String,
    /// The value, as TOML.
    pub value: String,
    /// Where the line comes from.
    pub origin: Origin,
}

/// The policy in force for one tenant, or for every tenant without an entry of its own.
///
/// `Display` prints the policy line by line, and says where each line comes from.
#[derive(Clone, Debug)]
pub struct Effective {
    pub(super) tenant: Option<TenantId>,
    pub(super) sweep: bool,
    pub(super) blast_radius: Option<BlastRadius>,
    /// Whether the tenant's own entry says the blast radius.
    pub(super) own_blast_radius: bool,
    pub(super) four_eyes: bool,
    pub(super) time_zone: TimeZone,
    pub(super) privacy_law: PrivacyLaw,
    pub(super) triggers: BTreeMap<Trigger, TriggerRule>,
    pub(super) guards: Vec<(Guard, GuardRule)>,
    pub(super) duties: Vec<Duty>,
    pub(super) limits: Vec<Limit>,
    pub(super) suppression: Option<Suppression>,
    pub(super) fiscal_year_ends: FiscalYearEnd,
    pub(super) treatments: BTreeMap<TreatmentName, Arc<Treatment>>,
    pub(super) digests: BTreeMap<TreatmentName, Digest>,
    pub(super) expiry: Option<Expiry>,
    pub(super) digest: Digest,
    pub(super) lines: Vec<Line>,
    /// The most that duties defer of a treatment, for one day.
    pub(super) at_most: OfDay<TreatmentName, Arc<[Deferred]>>,
    /// A dated treatment and its digest, for one day.
    pub(super) as_it_stands: OfDay<Digest, (Arc<Treatment>, Digest)>,
    /// Treatments of customers of whom some fields have stayed long enough, for one day.
    pub(super) releasing: OfDay<(TreatmentName, Over), (Arc<Treatment>, Digest)>,
}

impl Effective {
    /// The tenant, if the tenant has its own entry. `None`: the rules for everyone.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// Whether the sweep erases at all.
    pub fn sweeps(&self) -> bool {
        self.sweep
    }

    /// How many customers one run may hit. A tenant's own line is about the tenant's customers. The policy's line is
    /// about all customers of the run together, and says nothing about a single tenant.
    pub fn blast_radius(&self) -> Option<BlastRadius> {
        self.blast_radius.filter(|_| self.tenant.is_none() || self.own_blast_radius)
    }

    /// Whether a plan must be approved by another operator than the one who made it.
    pub fn four_eyes(&self) -> bool {
        self.four_eyes
    }

    /// The time zone in which days are counted.
    pub fn time_zone(&self) -> TimeZone {
        self.time_zone
    }

    /// The data protection law of the controller.
    pub fn privacy_law(&self) -> PrivacyLaw {
        self.privacy_law
    }

    /// The triggers that make a customer due.
    pub fn triggers(&self) -> &BTreeMap<Trigger, TriggerRule> {
        &self.triggers
    }

    /// The rule of a guard. A guard without a rule blocks.
    pub fn guard(&self, guard: &Guard) -> &GuardRule {
        self.guards.iter().find(|(other, _)| other == guard).map_or(&GuardRule::Block, |(_, rule)| rule)
    }

    /// The guards that are checked, with their rules.
    pub fn guards(&self) -> impl Iterator<Item = (&Guard, &GuardRule)> {
        self.guards.iter().map(|(guard, rule)| (guard, rule))
    }

    /// The duties to keep records.
    pub fn duties(&self) -> &[Duty] {
        &self.duties
    }

    /// The limits: records that may be kept at most so long.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Which identifiers of erased customers stay in the suppression list. `None`: none do.
    pub fn suppression(&self) -> Option<&Suppression> {
        self.suppression.as_ref()
    }

    /// What stays in the suppression list after a treatment at an instant. `None`: nothing does.
    pub(crate) fn suppressing(&self, treatment: &TreatmentName, at: DateTime<Utc>) -> Option<Suppressing> {
        self.suppression.as_ref()?.after(treatment, self.time_zone.day(at))
    }

    /// When the tenant's fiscal year ends.
    pub fn fiscal_year_ends(&self) -> FiscalYearEnd {
        self.fiscal_year_ends
    }

    /// The duties on a class, by the field that holds the record's date.
    pub(crate) fn duties_on<'e>(&'e self, class: &'e str, field: &'e str) -> impl Iterator<Item = &'e Duty> {
        self.duties.iter().filter(move |duty| is_on(*duty, class, field))
    }

    /// The treatment, dated at an instant. Each class under a duty gets the date from which its records are kept. Of
    /// several duties the latest end counts, which means the earliest such date. If the treatment was made with a
    /// duty that the policy no longer has, all records are kept.
    pub fn dated(&self, treatment: &Arc<Treatment>, at: DateTime<Utc>) -> Arc<Treatment> {
        self.dated_by(&[], treatment, at)
    }

    /// One of the policy's own treatments for a customer of whom some fields have stayed long enough, with its digest.
    /// Computed once a day.
    pub(crate) fn releasing(
        &self,
        name: &TreatmentName,
        over: &Over,
        today: NaiveDate,
    ) -> Option<(Arc<Treatment>, Digest)> {
        let (treatment, digest) = (self.treatments.get(name)?, self.treatment_digest(name)?);
        let is_kept = |(class, fields): (&ClassName, &BTreeSet<FieldName>)| {
            let kept = treatment.class(class.as_str()).map(ClassTreatment::kept_for);
            kept.is_some_and(|kept| fields.iter().any(|field| kept.contains_key(field)))
        };
        if !over.iter().any(is_kept) {
            return Some((Arc::clone(treatment), digest));
        }
        Some(self.releasing.get(today, &(name.clone(), over.clone()), || {
            let released = Arc::new(treatment.releasing(over));
            let digest = released.digest();
            (released, digest)
        }))
    }

    /// The same treatment, dated at an instant, with its digest. Computed once a day. A treatment dated by a duty has its
    /// own digest.
    pub(crate) fn dated_with_digest(
        &self,
        name: &TreatmentName,
        over: &Over,
        at: DateTime<Utc>,
    ) -> Option<(Arc<Treatment>, Digest)> {
        let (treatment, digest) = &self.releasing(name, over, self.time_zone.day(at))?;
        let digest = *digest;
        if !treatment.has_duties() {
            return Some((self.dated(treatment, at), digest));
        }
        // Duties count days: on the same day they keep the same records.
        Some(self.as_it_stands.get(self.time_zone.day(at), &digest, || {
            let dated = self.dated(treatment, at);
            let digest = dated.digest();
            (dated, digest)
        }))
    }

    /// What expires for this tenant by age or when the last duty ends. `None` if nothing does.
    pub fn expiry(&self) -> Option<&Expiry> {
        self.expiry.as_ref()
    }

    /// The treatment of expiring records at an instant. Records that have not reached their age, and records that a
    /// duty keeps, count as kept.
    pub fn expiry_at(&self, at: DateTime<Utc>) -> Option<Arc<Treatment>> {
        let expiry = self.expiry.as_ref()?;
        Some(self.dated_by(&expiry.ages, &expiry.treatment, at))
    }

    fn dated_by(&self, ages: &[Age], treatment: &Arc<Treatment>, at: DateTime<Utc>) -> Arc<Treatment> {
        if treatment.classes().values().all(|class| class.under_duty().is_empty()) {
            return Arc::clone(treatment);
        }
        let keepers = keepers(&self.duties, ages);
        let mut dated = Treatment::clone(treatment);
        for (name, class) in &mut dated.classes {
            for under in &mut class.under_duty {
                *under = self.under(&keepers, name, under, at);
            }
        }
        Arc::new(dated)
    }

    /// The date field of a class's records, with the date from which the records are kept at an instant.
    pub(super) fn under(
        &self,
        keepers: &[&dyn Keeper],
        class: &ClassName,
        under: &UnderDuty,
        at: DateTime<Utc>,
    ) -> UnderDuty {
        let today = self.time_zone.day(at);
        let keep =
            on(keepers, class.as_str(), under.field.as_str()).filter(|keeper| keeper.needs() == under.needs);
        let keep_from = keep.map(|keeper| keeper.keep_from(today, self.fiscal_year_ends)).min();
        UnderDuty { keep_from, time_zone: self.time_zone, ..under.clone() }
    }

    /// The same as [`under`](Self::under), or `None` if nothing keeps records by this field.
    pub(super) fn under_any(
        &self,
        keepers: &[&dyn Keeper],
        class: &ClassName,
        under: &UnderDuty,
        at: DateTime<Utc>,
    ) -> Option<UnderDuty> {
        let mut meant = on(keepers, class.as_str(), under.field.as_str());
        meant.any(|keeper| keeper.needs() == under.needs).then(|| self.under(keepers, class, under, at))
    }

    /// The treatments by name.
    pub fn treatments(&self) -> &BTreeMap<TreatmentName, Arc<Treatment>> {
        &self.treatments
    }

    /// The [`Treatment::digest`], computed once.
    pub(crate) fn treatment_digest(&self, treatment: &TreatmentName) -> Option<Digest> {
        self.digests.get(treatment).copied()
    }

    /// The digest of the policy in force. Another tenant's entry is not part of it, and neither is what letters say:
    /// `language`, `words`, `owners` and `requests_kept`. Without them it is the digest of the document.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Every line, with where it comes from.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Some(tenant) => writeln!(f, "# in force for tenant {tenant}")?,
            None => writeln!(f, "# in force for every tenant without an entry of its own")?,
        }
        for line in &self.lines {
            let Line { path, value, origin } = line;
            match origin {
                Origin::Policy => writeln!(f, "{path} = {value}")?,
                Origin::Tenant(tenant) => writeln!(f, "{path} = {value}  # tenants.{tenant}")?,
                Origin::Dropped(tenant) => writeln!(f, "# {path} is off: tenants.{tenant}")?,
            }
        }
        Ok(())
    }
}

/// What keeps records of a class, by the field that holds the record's date.
fn on<'k>(
    keepers: &'k [&'k dyn Keeper],
    class: &'k str,
    field: &'k str,
) -> impl Iterator<Item = &'k dyn Keeper> {
    keepers.iter().copied().filter(move |keeper| is_on(*keeper, class, field))
}

fn is_on(keeper: &dyn Keeper, class: &str, field: &str) -> bool {
    keeper.classes().get(class).is_some_and(|from| from.as_str() == field)
}

/// Tables whose entries are replaced one by one: a tenant's entry replaces the whole entry of the same name.
pub(super) const TABLES: [&str; 7] =
    ["triggers", "guards", "anonymise", "treatments", "duties", "limits", "expire"];

/// The policy with a tenant's entry merged in.
pub(super) fn put_over(base: &Json, own: &Json) -> Json {
    let mut merged = base.clone();
    let (Some(into), Some(own)) = (merged.as_object_mut(), own.as_object()) else { return merged };
    for (key, value) in own {
        match (into.get_mut(key).and_then(Json::as_object_mut), value.as_object()) {
            (Some(table), Some(entries)) if TABLES.contains(&key.as_str()) => {
                table.extend(entries.clone());
            }
            _ => drop(into.insert(key.clone(), value.clone())),
        }
    }
    merged
}

/// The lines of a merged document, with where each line comes from.
pub(super) fn lines(merged: &Json, own: Option<(&TenantId, &Json)>) -> Vec<Line> {
    let origin = |key: &str, entry: Option<&str>, value: &Json| match own {
        Some((tenant, own)) => {
            let there = own.get(key).map(|own| entry.map_or(Some(own), |entry| own.get(entry)));
            match there.flatten() {
                Some(_) if value.as_str() == Some("off") => Origin::Dropped(tenant.clone()),
                Some(_) => Origin::Tenant(tenant.clone()),
                None => Origin::Policy,
            }
        }
        None => Origin::Policy,
    };
    let mut lines = Vec::new();
    for (key, value) in merged.as_object().into_iter().flatten() {
        match value.as_object() {
            Some(table) if TABLES.contains(&key.as_str()) => {
                for (entry, value) in table {
                    let origin = origin(key, Some(entry), value);
                    lines.push(Line { path: format!("{key}.{}", bare(entry)), value: toml(value), origin });
                }
            }
            _ => lines.push(Line { path: key.clone(), value: toml(value), origin: origin(key, None, value) }),
        }
    }
    lines
}

/// A key in TOML's spelling.
fn bare(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(plain) { key.to_owned() } else { Json::from(key).to_string() }
}

/// A value in TOML's spelling, on one line.
fn toml(value: &Json) -> String {
    match value {
        Json::Object(table) => {
            let entries: Vec<_> =
                table.iter().map(|(key, value)| format!("{} = {}", bare(key), toml(value))).collect();
            if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
        }
        Json::Array(items) => {
            format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}
