//! `[expire]`: records that expire by their own age, when their last duty ends, or because their owner is gone.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::ClassRule;
use super::treatments::read_class_rule;
use crate::data_map::{ClassName, FieldName};
use crate::document::{Reader, join, suggest};
use crate::policy::{After, Period};
use crate::treatment::{Ownerless, RecordAction};

/// The rule for the expiring records of a class.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::policy) struct ExpireRule {
    pub(in crate::policy) after: Option<After>,
    pub(in crate::policy) ownerless: Option<Ownerless>,
    /// What is done to the expired records.
    pub(in crate::policy) class: ClassRule,
}

/// The keys that say what is done, as in a treatment.
const CLASS_KEYS: [&str; 4] = ["action", "otherwise", "keep", "fields"];
const KEYS: [&str; 7] = ["action", "otherwise", "keep", "fields", "from", "after", "ownerless"];
const WAY_OUT: &str = "write { action = \"delete\", from = \"created_on\", after = \"2 years\" }";
const DUTY: &str = "duty";

pub(super) fn read_expire(reader: &mut Reader, value: &Json) -> Option<BTreeMap<ClassName, ExpireRule>> {
    let mut rules = BTreeMap::new();
    for (name, value) in reader.open_table("expire", value)? {
        // A tenant switches off an entry that it would inherit.
        if value.as_str() == Some("off") {
            continue;
        }
        if let Some(rule) = read_rule(reader, &join("expire", name), value) {
            rules.insert(name.as_str().into(), rule);
        }
    }
    Some(rules)
}

fn read_rule(reader: &mut Reader, path: &str, value: &Json) -> Option<ExpireRule> {
    if !value.is_object() {
        reader.problem(path, "does not say when its records expire", WAY_OUT);
        return None;
    }
    let table = reader.table(path, value, &KEYS)?;
    let after = read_after(reader, path, table);
    let ownerless =
        table.get("ownerless").and_then(|value| read_ownerless(reader, &join(path, "ownerless"), value));
    if !table.contains_key("after") && !table.contains_key("ownerless") {
        reader.problem(path, "does not say when its records expire", WAY_OUT);
    }
    let class = read_class(reader, path, table);
    Some(ExpireRule { after, ownerless, class: class? })
}

/// Reads when records expire: at an age, or at the end of their last duty. `None` if the rule does not say, or if
/// there was a problem.
fn read_after(reader: &mut Reader, path: &str, table: &Map<String, Json>) -> Option<After> {
    let from = table.get("from").map(|value| reader.text(&join(path, "from"), value).map(FieldName::from));
    let Some(after) = table.get("after") else {
        if from.is_some() {
            reader.problem(join(path, "after"), "is missing", "write a period, such as \"2 years\"");
        }
        return None;
    };
    let after_path = join(path, "after");
    let text = reader.text(&after_path, after)?;
    if text == DUTY {
        if from.is_some() {
            reader.problem(join(path, "from"), "is said by the duties", "leave it out");
        }
        return Some(After::Duty);
    }
    let period = match text.parse::<Period>() {
        // Every record with a date would expire at once.
        Ok(period) if period == Period::days(0) => {
            reader.problem(&after_path, "is no age", "write a period of a day at least");
            None
        }
        Ok(period) => Some(period),
        Err(error) => {
            reader.problem(&after_path, "is no period", format!("{error}; or write \"duty\""));
            None
        }
    };
    let Some(from) = from else {
        reader.problem(join(path, "from"), "is missing", "name the field that holds the record's date");
        return None;
    };
    Some(After::Age { from: from?, period: period? })
}

fn read_ownerless(reader: &mut Reader, path: &str, value: &Json) -> Option<Ownerless> {
    let text = reader.text(path, value)?;
    let found = Ownerless::ALL.into_iter().find(|which| which.as_str() == text);
    if found.is_none() {
        reader.problem(
            path,
            "does not say which records have no owner",
            suggest(text, Ownerless::ALL.map(Ownerless::as_str)),
        );
    }
    found
}

fn read_class(reader: &mut Reader, path: &str, table: &Map<String, Json>) -> Option<ClassRule> {
    if !table.contains_key("action") {
        reader.problem(join(path, "action"), "is missing", "write \"delete\", \"anonymise\" or \"blank\"");
        return None;
    }
    let own = table.iter().filter(|(key, _)| CLASS_KEYS.contains(&key.as_str()));
    let own: Map<String, Json> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
    let class = read_class_rule(reader, path, &Json::Object(own))?;
    if class.action == RecordAction::Reassign {
        reader.problem(
            join(path, "action"),
            "hands records over, and does not make them expire",
            "write \"delete\", \"anonymise\" or \"blank\"",
        );
        return None;
    }
    Some(class)
}
