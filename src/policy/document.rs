//! A policy as it is written: TOML or JSON, grammar checked, not yet held against a data map.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{Guard, GuardRule, Period, Policy, RecordAction, Trigger, TriggerRule, check};
use crate::anonymise::Template;
use crate::customer::GatewayName;
use crate::data_map::{ClassName, DataMap, Kind, Value};
use crate::digest::Digest;
use crate::document::{Problems, Reader, join, suggest};

use super::{GatewayAction, TreatmentName};

/// What a policy says of a kind of personal data, or of one field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum FieldRule {
    Remove,
    Clear,
    Token,
    Invalidate,
    Constant(Value),
    Placeholder(Template),
    Keep(String),
}

/// What a policy says of a record class under one treatment.
#[derive(Clone, Debug)]
pub(super) struct ClassRule {
    pub(super) action: RecordAction,
    pub(super) keep: BTreeMap<String, String>,
    pub(super) fields: BTreeMap<String, FieldRule>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct TreatmentRule {
    pub(super) classes: BTreeMap<ClassName, ClassRule>,
    pub(super) gateways: BTreeMap<GatewayName, GatewayAction>,
}

/// A policy as it is written. It says what must happen; whether that is possible, only
/// [`check`](Self::check) can tell, which holds it against a data map.
#[derive(Clone, Debug)]
pub struct PolicyDocument {
    pub(super) name: Option<String>,
    pub(super) sweep: bool,
    pub(super) triggers: BTreeMap<Trigger, TriggerRule>,
    pub(super) guards: BTreeMap<Guard, GuardRule>,
    pub(super) anonymise: BTreeMap<Kind, FieldRule>,
    pub(super) treatments: BTreeMap<TreatmentName, TreatmentRule>,
    pub(super) digest: Digest,
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

fn read_triggers(reader: &mut Reader, value: &Json) -> Option<BTreeMap<Trigger, TriggerRule>> {
    let table = reader.table("triggers", value, &Trigger::NAMES)?;
    let mut triggers = BTreeMap::new();
    for (name, rule) in table {
        let Some(trigger) = Trigger::named(name) else { continue };
        let path = join("triggers", name);
        let keys: &[&str] = match trigger {
            Trigger::Requested => &["treatment"],
            Trigger::Cancelled | Trigger::Deleted => &["since", "after", "treatment"],
        };
        let Some(table) = reader.table(&path, rule, keys) else { continue };
        let treatment = reader.required_text(&path, table, "treatment").map(TreatmentName::from);
        let since = match table.get("since") {
            Some(value) => reader.texts(&join(&path, "since"), value),
            None if trigger == Trigger::Requested => Some(Vec::new()),
            None => Some(vec![trigger.as_str()]),
        };
        let after = match trigger {
            Trigger::Requested => Some(None),
            Trigger::Cancelled | Trigger::Deleted => read_period(reader, &path, table).map(Some),
        };
        if let (Some(treatment), Some(since), Some(after)) = (treatment, since, after) {
            let since = since.into_iter().map(str::to_owned).collect();
            triggers.insert(trigger, TriggerRule { since, after, treatment });
        }
    }
    Some(triggers)
}

fn read_period(reader: &mut Reader, path: &str, table: &Map<String, Json>) -> Option<Period> {
    let path = join(path, "after");
    let Some(value) = table.get("after") else {
        reader.problem(path, "is missing", "write a period, such as \"90 days\"");
        return None;
    };
    match reader.text(&path, value)?.parse::<Period>() {
        Ok(period) => Some(period),
        Err(error) => {
            reader.problem(path, "is no period", error.to_string());
            None
        }
    }
}

fn read_guards(reader: &mut Reader, value: &Json) -> Option<BTreeMap<Guard, GuardRule>> {
    let table = reader.table("guards", value, &Guard::NAMES)?;
    let mut guards = BTreeMap::new();
    for (name, rule) in table {
        let Some(guard) = Guard::named(name) else { continue };
        let path = join("guards", name);
        let rule = match rule {
            Json::String(text) if text == "block" => GuardRule::Block,
            Json::String(text) if text == "block sweep" => GuardRule::BlockSweep,
            Json::Object(_) => {
                let reason = reader
                    .table(&path, rule, &["ignore"])
                    .and_then(|table| reader.required_text(&path, table, "ignore"));
                match reason {
                    Some(reason) => GuardRule::Ignore { reason: reason.to_owned() },
                    None => continue,
                }
            }
            _ => {
                reader.problem(
                    path,
                    "is no rule for a guard",
                    "write \"block\", \"block sweep\" or { ignore = \"reason\" }",
                );
                continue;
            }
        };
        guards.insert(guard, rule);
    }
    Some(guards)
}

fn read_anonymise(reader: &mut Reader, value: &Json) -> Option<BTreeMap<Kind, FieldRule>> {
    let table = reader.open_table("anonymise", value)?;
    let mut rules = BTreeMap::new();
    for (name, rule) in table {
        let path = join("anonymise", name);
        match name.parse::<Kind>() {
            Ok(kind) => {
                if let Some(rule) = read_field_rule(reader, &path, rule) {
                    rules.insert(kind, rule);
                }
            }
            Err(error) => {
                let near = suggest(name, Kind::KNOWN.iter().copied());
                reader.problem(path, error.to_string(), near);
            }
        }
    }
    Some(rules)
}

const FIELD_RULES: &str = "write \"remove\", \"clear\", \"token\", \"invalidate\", { constant = … }, \
                           { placeholder = \"… {date}\" } or { keep = \"reason\" }";

fn read_field_rule(reader: &mut Reader, path: &str, value: &Json) -> Option<FieldRule> {
    let table = match value {
        Json::String(text) => {
            let rule = match text.as_str() {
                "remove" => Some(FieldRule::Remove),
                "clear" => Some(FieldRule::Clear),
                "token" => Some(FieldRule::Token),
                "invalidate" => Some(FieldRule::Invalidate),
                _ => None,
            };
            if rule.is_none() {
                reader.problem(path, "is no rule for a field", FIELD_RULES);
            }
            return rule;
        }
        Json::Object(table) if table.len() == 1 => table,
        _ => {
            reader.problem(path, "is no rule for a field", FIELD_RULES);
            return None;
        }
    };
    let (key, value) = table.iter().next()?;
    let path = join(path, key);
    match key.as_str() {
        "keep" => reader.text(&path, value).map(|reason| FieldRule::Keep(reason.to_owned())),
        "constant" => {
            let constant = match value {
                Json::String(text) => Some(Value::Text(text.clone())),
                Json::Bool(flag) => Some(Value::Integer((*flag).into())),
                Json::Number(number) => {
                    number.as_i64().map(Value::Integer).or_else(|| number.as_f64().map(Value::Real))
                }
                _ => None,
            };
            if constant.is_none() {
                reader.problem(path, "is no constant", "write a text, a number, true or false");
            }
            constant.map(FieldRule::Constant)
        }
        "placeholder" => match reader.text(&path, value)?.parse() {
            Ok(template) => Some(FieldRule::Placeholder(template)),
            Err(error) => {
                reader.problem(path, "is no placeholder", format!("{error}"));
                None
            }
        },
        _ => {
            reader.problem(path, "is no rule for a field", FIELD_RULES);
            None
        }
    }
}

fn read_treatments(reader: &mut Reader, value: &Json) -> Option<BTreeMap<TreatmentName, TreatmentRule>> {
    let table = reader.open_table("treatments", value)?;
    let mut treatments = BTreeMap::new();
    for (name, rule) in table {
        let path = join("treatments", name);
        let Some(table) = reader.open_table(&path, rule) else { continue };
        let mut treatment = TreatmentRule::default();
        for (key, rule) in table {
            let path = join(&path, key);
            if key == "gateway" {
                treatment.gateways = read_gateways(reader, &path, rule);
            } else if let Some(rule) = read_class_rule(reader, &path, rule) {
                treatment.classes.insert(key.as_str().into(), rule);
            }
        }
        treatments.insert(name.as_str().into(), treatment);
    }
    Some(treatments)
}

fn read_gateways(reader: &mut Reader, path: &str, value: &Json) -> BTreeMap<GatewayName, GatewayAction> {
    let mut gateways = BTreeMap::new();
    for (name, rule) in reader.open_table(path, value).into_iter().flatten() {
        let path = join(path, name);
        let action = match rule {
            Json::String(text) if text == "erase" => Some(GatewayAction::Erase),
            Json::Object(_) => read_reason(reader, &path, rule).map(|reason| GatewayAction::Keep { reason }),
            _ => {
                reader.problem(&path, "is no rule for a gateway", "write \"erase\" or { keep = \"reason\" }");
                None
            }
        };
        if let Some(action) = action {
            gateways.insert(name.as_str().into(), action);
        }
    }
    gateways
}

fn read_reason(reader: &mut Reader, path: &str, value: &Json) -> Option<String> {
    let table = reader.table(path, value, &["keep"])?;
    reader.required_text(path, table, "keep").map(str::to_owned)
}

fn read_action(reader: &mut Reader, path: &str, text: &str) -> Option<RecordAction> {
    match text {
        "delete" => Some(RecordAction::Delete),
        "anonymise" => Some(RecordAction::Anonymise),
        "reassign" => Some(RecordAction::Reassign),
        _ => {
            let way_out = format!(
                "{}; or write {{ keep = \"reason\" }}",
                suggest(text, ["delete", "anonymise", "reassign"])
            );
            reader.problem(path, "is no action", way_out);
            None
        }
    }
}

fn read_class_rule(reader: &mut Reader, path: &str, value: &Json) -> Option<ClassRule> {
    let plain = |action| ClassRule { action, keep: BTreeMap::new(), fields: BTreeMap::new() };
    match value {
        Json::String(text) => read_action(reader, path, text).map(plain),
        Json::Object(table) if table.contains_key("action") => {
            reader.table(path, value, &["action", "keep", "fields"]);
            let action = reader
                .required_text(path, table, "action")
                .and_then(|text| read_action(reader, &join(path, "action"), text));
            let keep = read_keep(reader, &join(path, "keep"), table);
            let mut fields = BTreeMap::new();
            if let Some(value) = table.get("fields") {
                let path = join(path, "fields");
                for (name, rule) in reader.open_table(&path, value).into_iter().flatten() {
                    if let Some(rule) = read_field_rule(reader, &join(&path, name), rule) {
                        fields.insert(name.clone(), rule);
                    }
                }
            }
            Some(ClassRule { action: action?, keep, fields })
        }
        Json::Object(_) => {
            read_reason(reader, path, value).map(|reason| plain(RecordAction::Keep { reason }))
        }
        _ => {
            reader.problem(
                path,
                "is no rule for a record class",
                "write \"delete\", \"anonymise\", \"reassign\" or { keep = \"reason\" }",
            );
            None
        }
    }
}

fn read_keep(reader: &mut Reader, path: &str, table: &Map<String, Json>) -> BTreeMap<String, String> {
    let mut keep = BTreeMap::new();
    if let Some(value) = table.get("keep") {
        for (field, reason) in reader.open_table(path, value).into_iter().flatten() {
            if let Some(reason) = reader.text(&join(path, field), reason) {
                keep.insert(field.clone(), reason.to_owned());
            }
        }
    }
    keep
}
