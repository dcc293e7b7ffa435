//! `[anonymise]`: what happens to each kind of personal data, and to single fields.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::anonymise::Template;
use crate::data_map::{Kind, Value};
use crate::document::{Reader, join, suggest};

/// What a policy says of a kind of personal data, or of one field.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::policy) enum FieldRule {
    Remove,
    Clear,
    Token,
    Invalidate,
    Constant(Value),
    Placeholder(Template),
    Keep(String),
}

pub(super) fn read_anonymise(reader: &mut Reader, value: &Json) -> Option<BTreeMap<Kind, FieldRule>> {
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

pub(super) fn read_field_rule(reader: &mut Reader, path: &str, value: &Json) -> Option<FieldRule> {
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
