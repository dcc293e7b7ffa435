//! A policy as it is written: TOML or JSON, grammar checked, not yet held against a data map.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Guard, GuardRule, Policy, TreatmentName, Trigger, TriggerRule, check};
use crate::data_map::{DataMap, Kind};
use crate::digest::Digest;
use crate::document::{Problems, Reader};

mod anonymise;
mod guards;
mod treatments;
mod triggers;

pub(in crate::policy) use anonymise::FieldRule;
pub(in crate::policy) use treatments::{ClassRule, TreatmentRule};

use anonymise::read_anonymise;
use guards::read_guards;
use treatments::read_treatments;
use triggers::read_triggers;

/// A policy as it is written. It says what must happen; whether that is possible, only
/// [`check`](Self::check) can tell, which holds it against a data map.
#[derive(Clone, Debug)]
pub struct PolicyDocument {
    pub(in crate::policy) name: Option<String>,
    pub(in crate::policy) sweep: bool,
    pub(in crate::policy) triggers: BTreeMap<Trigger, TriggerRule>,
    pub(in crate::policy) guards: BTreeMap<Guard, GuardRule>,
    pub(in crate::policy) anonymise: BTreeMap<Kind, FieldRule>,
    pub(in crate::policy) treatments: BTreeMap<TreatmentName, TreatmentRule>,
    pub(in crate::policy) digest: Digest,
}

impl PolicyDocument {
    /// Reads a policy from TOML.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path: unknown keys, wrong types, missing lines.
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

    /// Holds the policy against what is there: the result can be carried out as it stands.
    ///
    /// # Errors
    /// Everything that is impossible or left open, all at once: a class or a personal field that nothing
    /// covers, NULL where it is not allowed, a placeholder where values must differ or longer than the column,
    /// a delete that a kept record forbids, a guard or a date that the store cannot tell, and more.
    pub fn check(&self, map: &DataMap) -> Result<Policy, Problems> {
        check::check(self, map)
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

fn read_document(reader: &mut Reader, value: &Json) -> Option<PolicyDocument> {
    let keys = ["version", "name", "sweep", "triggers", "guards", "anonymise", "treatments"];
    let table = reader.table("", value, &keys)?;
    reader.version(table);
    let name = table.get("name").and_then(|name| reader.text("name", name)).map(str::to_owned);
    let sweep = reader.required("", table, "sweep").and_then(|value| reader.boolean("sweep", value));
    let triggers = reader.required("", table, "triggers").and_then(|value| read_triggers(reader, value));
    let guards = table.get("guards").map_or(Some(BTreeMap::new()), |value| read_guards(reader, value));
    let anonymise =
        table.get("anonymise").map_or(Some(BTreeMap::new()), |value| read_anonymise(reader, value));
    let treatments =
        reader.required("", table, "treatments").and_then(|value| read_treatments(reader, value));
    Some(PolicyDocument {
        name,
        sweep: sweep?,
        triggers: triggers?,
        guards: guards?,
        anonymise: anonymise?,
        treatments: treatments?,
        digest: Digest::of(value),
    })
}
