//! A policy as written, in TOML or JSON. The grammar is checked, but not the fit to a data map.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::effective::{TABLES, put_over};
use super::{
    BlastRadius, Duty, FiscalYearEnd, Guard, GuardRule, Limit, Period, Policy, PrivacyLaw, Suppression,
    Trigger, TriggerRule, Words, check,
};
use crate::anonymise::Strategies;
use crate::customer::TenantId;
use crate::data_map::TimeZone;
use crate::data_map::{ClassName, DataMap, Kind};
use crate::digest::Digest;
use crate::document::{Problems, Reader, join, meant_or, nearest};
use crate::treatment::{OnLeftover, TreatmentName};

mod anonymise;
mod choice;
mod duties;
mod expire;
mod guards;
mod limits;
mod suppress;
mod sweeping;
mod treatments;
mod triggers;
mod words;

pub use choice::Choice;

pub(in crate::policy) use anonymise::{FieldRule, KeepRule, Otherwise};
pub(in crate::policy) use expire::ExpireRule;
pub(in crate::policy) use treatments::{
    ClassRule, MENTION_WAY_OUT, RECIPIENT_WAY_OUT, SizeRule, TreatmentRule,
};
pub(in crate::policy) use triggers::keys as trigger_keys;

use anonymise::read_anonymise;
use duties::{read_duties, read_fiscal_year};
use expire::read_expire;
use guards::read_guards;
use limits::read_limits;
use suppress::read_suppress;
use sweeping::read_blast_radius;
use treatments::read_treatments;
use triggers::read_triggers;

/// The rules for everyone, or for a tenant with the tenant's own entry merged in.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Rules {
    pub(in crate::policy) sweep: bool,
    pub(in crate::policy) blast_radius: Option<BlastRadius>,
    pub(in crate::policy) four_eyes: bool,
    pub(in crate::policy) leftovers: OnLeftover,
    pub(in crate::policy) time_zone: TimeZone,
    pub(in crate::policy) privacy_law: PrivacyLaw,
    pub(in crate::policy) triggers: BTreeMap<Trigger, TriggerRule>,
    pub(in crate::policy) guards: BTreeMap<Guard, GuardRule>,
    pub(in crate::policy) duties: Vec<Duty>,
    pub(in crate::policy) limits: Vec<Limit>,
    pub(in crate::policy) suppress: Option<Suppression>,
    pub(in crate::policy) fiscal_year_ends: FiscalYearEnd,
    pub(in crate::policy) anonymise: BTreeMap<Kind, FieldRule>,
    pub(in crate::policy) treatments: BTreeMap<TreatmentName, TreatmentRule>,
    pub(in crate::policy) expire: BTreeMap<ClassName, ExpireRule>,
    /// The merged document.
    pub(in crate::policy) json: Json,
}

/// The entry of a tenant.
#[derive(Clone, Debug)]
pub(in crate::policy) struct TenantEntry {
    /// The policy with the entry merged in.
    pub(in crate::policy) rules: Rules,
    /// The entry alone, as written.
    pub(in crate::policy) own: Json,
}

/// A policy as written. The document says what must happen. Only [`check`](Self::check) can tell whether that is
/// possible, against a data map.
#[derive(Clone, Debug)]
pub struct PolicyDocument {
    pub(in crate::policy) name: Option<String>,
    pub(in crate::policy) rules: Rules,
    pub(in crate::policy) tenants: BTreeMap<TenantId, TenantEntry>,
    pub(in crate::policy) words: Words,
    /// The keys of which [`words`](Self::words) and [`owners`](Self::owners) are made, as written.
    aside: Map<String, Json>,
    /// Who is responsible for the erasure, by class. The name `default` stands for every class without an entry.
    pub(in crate::policy) owners: BTreeMap<String, String>,
    /// How long a request that has ended is kept in the register.
    pub(in crate::policy) requests_kept: Option<Period>,
    pub(in crate::policy) digest: Digest,
}

impl PolicyDocument {
    /// Reads a policy from TOML.
    ///
    /// # Errors
    /// Everything that is wrong, each with its path: unknown keys, wrong types, missing lines.
    pub fn from_toml(text: &str) -> Result<Self, Problems> {
        Self::read(&Reader::toml(text)?)
    }

    /// Reads a policy from JSON. The same policy in TOML has the same digest.
    ///
    /// # Errors
    /// As [`from_toml`](Self::from_toml).
    pub fn from_json(text: &str) -> Result<Self, Problems> {
        Self::read(&Reader::json(text)?)
    }

    /// Checks the policy against a data map. The result can be carried out as it stands.
    ///
    /// # Errors
    /// Everything that is impossible or undecided, all at once. For example:
    ///
    /// * a class or a personal field without a rule;
    /// * NULL where it is not allowed;
    /// * a placeholder that is longer than the column, or in a column whose values must differ;
    /// * a deletion that a kept record forbids;
    /// * a guard or a date that the store cannot tell.
    pub fn check(&self, map: &DataMap) -> Result<Policy, Problems> {
        self.check_with(map, &Strategies::new())
    }

    /// Checks a policy that names the host's own strategies. Otherwise the same as [`check`](Self::check).
    ///
    /// # Errors
    /// As [`check`](Self::check); also a name that is not among the strategies, and a field that a strategy does not
    /// fit.
    pub fn check_with(&self, map: &DataMap, strategies: &Strategies) -> Result<Policy, Problems> {
        check::check(self, map, strategies)
    }

    fn read(value: &Json) -> Result<Self, Problems> {
        let mut reader = Reader::default();
        let document = read_document(&mut reader, value);
        reader.finish()?;
        document.ok_or_else(|| {
            Problems::one(crate::document::Problem::new("", "cannot be read", "write a table of keys"))
        })
    }
}

/// The keys that a tenant's entry may have.
const TENANT_KEYS: [&str; 15] = [
    "sweep",
    "blast_radius",
    "four_eyes",
    "leftovers",
    "time_zone",
    "privacy_law",
    "fiscal_year_ends",
    "triggers",
    "guards",
    "anonymise",
    "treatments",
    "duties",
    "limits",
    "suppress",
    "expire",
];

fn read_document(reader: &mut Reader, value: &Json) -> Option<PolicyDocument> {
    let own = ["version", "name", "tenants", "language", "words", "owners", "requests_kept"];
    let keys: Vec<&str> = own.into_iter().chain(TENANT_KEYS).collect();
    let mended = reader.mended("", value, &keys);
    let table = reader.table("", &mended, &keys)?;
    reader.version(table);
    let name = table.get("name").and_then(|name| reader.text("name", name)).map(str::to_owned);
    let words = words::read_words(reader, table);
    let owners = table.get("owners").map_or(Some(BTreeMap::new()), |value| read_owners(reader, value));
    let kept = table.get("requests_kept");
    let requests_kept = kept.map(|value| duties::read_period(reader, "requests_kept", value));
    let mut everyone = table.clone();
    let entries = everyone.remove("tenants");
    // What letters say, and how long requests are kept, decides nothing, so it is no part of the rules in force.
    let aside = ["language", "words", "owners", "requests_kept"]
        .into_iter()
        .filter_map(|key| everyone.remove_entry(key));
    let aside: Map<String, Json> = aside.collect();
    let everyone = Json::Object(everyone);
    let rules = read_rules(reader, &everyone);
    let tenants = entries.map_or(Some(BTreeMap::new()), |entries| read_tenants(reader, &everyone, &entries));
    let (words, owners) = (words?, owners?);
    let requests_kept = match requests_kept {
        Some(period) => Some(period?),
        None => None,
    };
    Some(PolicyDocument {
        name,
        rules: rules?,
        tenants: tenants?,
        words,
        owners,
        requests_kept,
        aside,
        digest: Digest::of(value),
    })
}

/// Reads what happens when a record that stays still holds an erased value.
fn read_leftovers(reader: &mut Reader, value: &Json) -> Option<OnLeftover> {
    let text = reader.text("leftovers", value)?;
    let found = OnLeftover::ALL.into_iter().find(|on| on.as_str() == text);
    if found.is_none() {
        reader.problem(
            "leftovers",
            "does not say what happens when an erased value is found in a record that stays",
            meant_or(value, OnLeftover::ALL.map(OnLeftover::as_str), "write \"list\" or \"block\""),
        );
    }
    found
}

fn read_rules(reader: &mut Reader, value: &Json) -> Option<Rules> {
    let table = value.as_object()?;
    let sweep = reader.required("", table, "sweep").and_then(|value| reader.boolean("sweep", value));
    let blast_radius = table.get("blast_radius").map(|value| read_blast_radius(reader, value));
    let four_eyes = table.get("four_eyes").map_or(Some(false), |value| reader.boolean("four_eyes", value));
    let leftovers =
        table.get("leftovers").map_or(Some(OnLeftover::List), |value| read_leftovers(reader, value));
    let time_zone = table.get("time_zone").map_or(Some(TimeZone::UTC), |value| read_zone(reader, value));
    let privacy_law = table.get("privacy_law").map(|value| read_privacy_law(reader, value));
    let triggers = reader.required("", table, "triggers").and_then(|value| read_triggers(reader, value));
    let guards = table.get("guards").map_or(Some(BTreeMap::new()), |value| read_guards(reader, value));
    let duties = table.get("duties").map_or(Some(Vec::new()), |value| read_duties(reader, value));
    let fiscal_year_ends = table
        .get("fiscal_year_ends")
        .map_or(Some(FiscalYearEnd::CALENDAR), |value| read_fiscal_year(reader, value));
    let anonymise =
        table.get("anonymise").map_or(Some(BTreeMap::new()), |value| read_anonymise(reader, value));
    let treatments =
        reader.required("", table, "treatments").and_then(|value| read_treatments(reader, value));
    let limits = table.get("limits").map_or(Some(Vec::new()), |value| read_limits(reader, value));
    // A tenant switches off the rule that it would inherit.
    let suppress = table.get("suppress").filter(|value| value.as_str() != Some("off"));
    let suppress = suppress.map(|value| read_suppress(reader, value));
    let expire = table.get("expire").map_or(Some(BTreeMap::new()), |value| read_expire(reader, value));
    let mut duties = duties?;
    let privacy_law = match privacy_law {
        Some(said) => said?,
        None => privacy_law_of(reader, &duties)?,
    };
    for duty in duties.iter_mut().filter(|duty| duty.statute().is_none()) {
        duty.under = privacy_law;
    }
    Some(Rules {
        privacy_law,
        sweep: sweep?,
        blast_radius: match blast_radius {
            Some(limit) => Some(limit?).filter(BlastRadius::limits_anything),
            None => None,
        },
        four_eyes: four_eyes?,
        leftovers: leftovers?,
        time_zone: time_zone?,
        triggers: triggers?,
        guards: guards?,
        duties,
        limits: limits?,
        suppress: match suppress {
            Some(rule) => Some(rule?),
            None => None,
        },
        fiscal_year_ends: fiscal_year_ends?,
        anonymise: anonymise?,
        treatments: treatments?,
        expire: expire?,
        json: value.clone(),
    })
}

fn read_privacy_law(reader: &mut Reader, value: &Json) -> Option<PrivacyLaw> {
    let text = reader.text("privacy_law", value)?;
    let law = text.parse::<PrivacyLaw>();
    law.map_err(|error| {
        let way_out = meant_or(value, PrivacyLaw::ALL.map(PrivacyLaw::as_str), &error.to_string());
        reader.problem("privacy_law", "is no data protection law", way_out);
    })
    .ok()
}

/// The data protection law that the statutes of the duties share.
fn privacy_law_of(reader: &mut Reader, duties: &[Duty]) -> Option<PrivacyLaw> {
    let named: BTreeSet<PrivacyLaw> = duties.iter().filter_map(|duty| Some(duty.statute()?.basis)).collect();
    if named.len() > 1 {
        let named: Vec<String> = named.iter().map(|law| format!("privacy_law = \"{law}\"")).collect();
        reader.problem(
            "privacy_law",
            "is missing, and the duties name statutes under several data protection laws",
            format!("write the law of the controller: {}", named.join(" or ")),
        );
        return None;
    }
    Some(named.into_iter().next().unwrap_or_default())
}

fn read_zone(reader: &mut Reader, value: &Json) -> Option<TimeZone> {
    let text = reader.text("time_zone", value)?;
    match text.parse::<TimeZone>() {
        Ok(zone) => Some(zone),
        Err(error) => {
            let near = nearest(text, TimeZone::names());
            let way_out = near.map_or_else(|| error.to_string(), |name| format!("did you mean {name}?"));
            reader.problem("time_zone", "is no time zone", way_out);
            None
        }
    }
}

/// Reads who is responsible for the erasure of each class.
fn read_owners(reader: &mut Reader, value: &Json) -> Option<BTreeMap<String, String>> {
    let mut owners = BTreeMap::new();
    for (class, owner) in reader.open_table("owners", value)? {
        if let Some(owner) = reader.text(&join("owners", class), owner) {
            owners.insert(class.clone(), owner.to_owned());
        }
    }
    Some(owners)
}

/// Reads each tenant's entry, merged into the policy.
fn read_tenants(
    reader: &mut Reader,
    everyone: &Json,
    entries: &Json,
) -> Option<BTreeMap<TenantId, TenantEntry>> {
    let mut tenants = BTreeMap::new();
    let everyone_wrong = reader.problems().to_vec();
    for (name, own) in reader.open_table("tenants", entries)? {
        if reader.table(&join("tenants", name), own, &TENANT_KEYS).is_none() {
            continue;
        }
        let mut merged = Reader::default();
        let rules = read_rules(&mut merged, &put_over(everyone, own));
        for problem in merged.into_problems() {
            // A problem of the policy itself is reported once, at its line. Others come from the tenant's lines, even
            // where only the combination with the policy's lines is wrong.
            let at = own_path(name, own, &problem.path);
            if at.is_none() && everyone_wrong.contains(&problem) {
                continue;
            }
            let path = at.unwrap_or_else(|| join(&join("tenants", name), &problem.path));
            reader.problem(path, problem.what, problem.way_out);
        }
        if let Some(rules) = rules {
            tenants.insert(TenantId::new(name.as_str()), TenantEntry { rules, own: own.clone() });
        }
    }
    Some(tenants)
}

/// The path in the tenant's own entry for a path of the merged document, if the entry has it.
pub(in crate::policy) fn own_path(tenant: &str, own: &Json, path: &str) -> Option<String> {
    let mut keys = path.splitn(3, '.');
    let (key, entry) = (keys.next()?, keys.next());
    let there = own.get(key)?;
    let is_own = match entry {
        Some(entry) if TABLES.contains(&key) => there.get(entry).is_some(),
        _ => true,
    };
    is_own.then(|| join(&join("tenants", tenant), path))
}
