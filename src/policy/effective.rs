//! The policy in force for one tenant: the lines of the policy, with those that the tenant has of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value as Json;

use super::of_day::OfDay;
use super::{Deferred, Duty, Expiry, FiscalYearEnd, Guard, GuardRule, Trigger, TriggerRule};
use crate::customer::TenantId;
use crate::data_map::ClassName;
use crate::data_map::TimeZone;
use crate::digest::Digest;
use crate::treatment::{Treatment, TreatmentName, UnderDuty};

/// Where a line of a policy comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The policy says it for everyone.
    Policy,
    /// The tenant has it of its own.
    Tenant(TenantId),
    /// The tenant switched it off.
    Dropped(TenantId),
}

/// A line of the policy in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its key: `triggers.inactive`.
    pub path: String,
    /// What it says, as TOML.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// The policy in force for one tenant, or for every tenant that has no entry of its own.
///
/// `Display` prints it line by line, and says where each line comes from.
#[derive(Clone, Debug)]
pub struct Effective {
    pub(super) tenant: Option<TenantId>,
    pub(super) sweep: bool,
    pub(super) time_zone: TimeZone,
    pub(super) triggers: BTreeMap<Trigger, TriggerRule>,
    pub(super) guards: Vec<(Guard, GuardRule)>,
    pub(super) duties: Vec<Duty>,
    pub(super) fiscal_year_ends: FiscalYearEnd,
    pub(super) treatments: BTreeMap<TreatmentName, Arc<Treatment>>,
    pub(super) digests: BTreeMap<TreatmentName, Digest>,
    pub(super) expiry: Option<Expiry>,
    pub(super) digest: Digest,
    pub(super) lines: Vec<Line>,
    /// What duties defer of a treatment at most.
    pub(super) at_most: OfDay<Arc<[Deferred]>>,
    /// A treatment as it stands, and its digest.
    pub(super) as_it_stands: OfDay<(Arc<Treatment>, Digest)>,
}

impl Effective {
    /// The tenant whose own entry it is; none for everyone else's.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// Whether the sweep erases at all.
    pub fn sweeps(&self) -> bool {
        self.sweep
    }

    /// The zone in which days are counted.
    pub fn time_zone(&self) -> TimeZone {
        self.time_zone
    }

    /// What makes a customer due.
    pub fn triggers(&self) -> &BTreeMap<Trigger, TriggerRule> {
        &self.triggers
    }

    /// What is said of a guard. One of which nothing is said blocks.
    pub fn guard(&self, guard: &Guard) -> &GuardRule {
        self.guards.iter().find(|(other, _)| other == guard).map_or(&GuardRule::Block, |(_, rule)| rule)
    }

    /// The guards that are looked at, and what is said of each.
    pub fn guards(&self) -> impl Iterator<Item = (&Guard, &GuardRule)> {
        self.guards.iter().map(|(guard, rule)| (guard, rule))
    }

    /// What must be kept.
    pub fn duties(&self) -> &[Duty] {
        &self.duties
    }

    /// When the tenant's fiscal year ends.
    pub fn fiscal_year_ends(&self) -> FiscalYearEnd {
        self.fiscal_year_ends
    }

    /// The duties on a class, by the field that holds the record's date.
    pub(crate) fn duties_on<'e>(&'e self, class: &'e str, field: &'e str) -> impl Iterator<Item = &'e Duty> {
        on(&self.duties, class, field)
    }

    /// A treatment as it stands at an instant: for each class under a duty, the date from which records are kept. Of
    /// several duties the latest end wins, which is the earliest of those dates. Where there is no duty any more, and the
    /// treatment was made with one, everything is kept.
    pub fn dated(&self, treatment: &Arc<Treatment>, at: DateTime<Utc>) -> Arc<Treatment> {
        self.dated_by(&self.duties, treatment, at)
    }

    /// One of the policy's own treatments as it stands at an instant, with its digest: computed once a day. A treatment that a
    /// duty dates has a digest of its own.
    pub(crate) fn dated_with_digest(
        &self,
        name: &TreatmentName,
        at: DateTime<Utc>,
    ) -> Option<(Arc<Treatment>, Digest)> {
        let (treatment, digest) = (self.treatments.get(name)?, self.treatment_digest(name)?);
        if !treatment.has_duties() {
            return Some((self.dated(treatment, at), digest));
        }
        // Duties count days: on the same day they keep the same.
        Some(self.as_it_stands.get(self.time_zone.day(at), name, || {
            let dated = self.dated(treatment, at);
            let digest = dated.digest();
            (dated, digest)
        }))
    }

    /// What expires for this tenant by its age or when its last duty ends. None where nothing does.
    pub fn expiry(&self) -> Option<&Expiry> {
        self.expiry.as_ref()
    }

    /// What is done at an instant to records that expire: those that have not reached their age, and those that a duty
    /// keeps, count as kept.
    pub fn expiry_at(&self, at: DateTime<Utc>) -> Option<Arc<Treatment>> {
        let expiry = self.expiry.as_ref()?;
        Some(self.dated_by(&expiry.keeps, &expiry.treatment, at))
    }

    fn dated_by(&self, duties: &[Duty], treatment: &Arc<Treatment>, at: DateTime<Utc>) -> Arc<Treatment> {
        if treatment.classes().values().all(|class| class.under_duty().is_empty()) {
            return Arc::clone(treatment);
        }
        let mut dated = Treatment::clone(treatment);
        for (name, class) in &mut dated.classes {
            for under in &mut class.under_duty {
                *under = self.under(duties, name, under, at);
            }
        }
        Arc::new(dated)
    }

    /// Records of a class by the date in a field, with the date from which duties keep them at an instant.
    pub(super) fn under(
        &self,
        duties: &[Duty],
        class: &ClassName,
        under: &UnderDuty,
        at: DateTime<Utc>,
    ) -> UnderDuty {
        let today = self.time_zone.day(at);
        let keep =
            on(duties, class.as_str(), under.field.as_str()).filter(|duty| duty.needs() == under.needs);
        let keep_from = keep.map(|duty| duty.keep_from(today, self.fiscal_year_ends)).min();
        UnderDuty { keep_from, time_zone: self.time_zone, ..under.clone() }
    }

    /// The same, or nothing where none of the duties is meant.
    pub(super) fn under_any(
        &self,
        duties: &[Duty],
        class: &ClassName,
        under: &UnderDuty,
        at: DateTime<Utc>,
    ) -> Option<UnderDuty> {
        let mut meant = on(duties, class.as_str(), under.field.as_str());
        meant.any(|duty| duty.needs() == under.needs).then(|| self.under(duties, class, under, at))
    }

    /// The treatments by name.
    pub fn treatments(&self) -> &BTreeMap<TreatmentName, Arc<Treatment>> {
        &self.treatments
    }

    /// [`Treatment::digest`], computed once.
    pub(crate) fn treatment_digest(&self, treatment: &TreatmentName) -> Option<Digest> {
        self.digests.get(treatment).copied()
    }

    /// Names what is in force. Another tenant's entry is no part of it: without entries it is the digest of the
    /// document.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Every line, and where it comes from.
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

/// The duties on a class, by the field that holds the record's date.
fn on<'d>(duties: &'d [Duty], class: &'d str, field: &'d str) -> impl Iterator<Item = &'d Duty> {
    duties.iter().filter(move |duty| duty.classes.get(class).is_some_and(|from| from.as_str() == field))
}

/// Tables whose entries stand for themselves: a tenant's entry replaces the one of the same name whole.
pub(super) const TABLES: [&str; 6] = ["triggers", "guards", "anonymise", "treatments", "duties", "expire"];

/// A policy with a tenant's entry put over it.
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

/// The lines of a merged document, and where each comes from.
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

/// A key as TOML writes it.
fn bare(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(plain) { key.to_owned() } else { Json::from(key).to_string() }
}

/// A value as TOML writes it, on one line.
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
