//! `[anonymise]`: what happens to each kind of personal data, and to single fields.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::duties::read_period;
use crate::anonymise::text::{Detector, first_of};
use crate::anonymise::{Generalisation, Template, TokenForm};
use crate::data_map::{Kind, Period, Value};
use crate::document::{Reader, join, meant_or, suggest};

/// The policy's rule for a kind of personal data, or for one field.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::policy) enum FieldRule {
    Remove,
    Clear,
    /// The form of the token. `None`: the form that fits the field's kind.
    Token(Option<TokenForm>),
    Invalidate,
    Generalise(Generalisation),
    /// A blank document, and what replaces a document that cannot be blanked. `None`: such a document is deleted if
    /// the field accepts that.
    Blank(Option<Otherwise>),
    /// Mentions of the customer are replaced by a text. Matches of some detectors are replaced, too.
    Redact {
        with: String,
        also: BTreeSet<Detector>,
        /// Whether a name alone is certain.
        names_alone: bool,
        /// What replaces a value that cannot be searched.
        otherwise: Option<Box<FieldRule>>,
    },
    Constant(Value),
    Placeholder(Template),
    /// A strategy of the host's own, by name.
    Own(String),
    Keep(KeepRule),
}

/// Why a personal field stays, and for how long. Without a period it stays as long as its record.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::policy) struct KeepRule {
    pub(in crate::policy) reason: String,
    pub(in crate::policy) period: Option<Period>,
}

/// What happens to a file that cannot be blanked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Otherwise {
    /// The file is deleted.
    Delete,
    /// The file becomes empty.
    Empty,
}

pub(super) fn read_otherwise(reader: &mut Reader, path: &str, value: &Json) -> Option<Otherwise> {
    match value.as_str() {
        Some("delete") => Some(Otherwise::Delete),
        Some("empty") => Some(Otherwise::Empty),
        _ => {
            let way_out = meant_or(value, ["delete", "empty"], "write \"delete\" or \"empty\"");
            reader.problem(path, "says nothing of what cannot be blanked", way_out);
            None
        }
    }
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

const FIELD_RULES: &str = "write \"remove\", \"clear\", \"token\", \"invalidate\", \"blank\", \"redact\", { constant = … }, \
                           { placeholder = \"… {date}\" }, { token = \"uuid\" }, { generalise = \"year\" }, \
                           { truncate = 3 }, { redact = \"[removed]\", also = [\"email\"] }, { blank = { otherwise = \"delete\" } }, { own = \"name\" }, { keep = \"reason\" } or { keep = \"reason\", for = \"2 years\" }";

pub(super) fn read_field_rule(reader: &mut Reader, path: &str, value: &Json) -> Option<FieldRule> {
    let table = match value {
        Json::String(text) => {
            let rule = match text.as_str() {
                "remove" => Some(FieldRule::Remove),
                "clear" => Some(FieldRule::Clear),
                "token" => Some(FieldRule::Token(None)),
                "invalidate" => Some(FieldRule::Invalidate),
                "blank" => Some(FieldRule::Blank(None)),
                "redact" => Some(FieldRule::Redact {
                    with: "[erased]".to_owned(),
                    also: BTreeSet::new(),
                    names_alone: false,
                    otherwise: None,
                }),
                _ => None,
            };
            if rule.is_none() {
                let words = ["remove", "clear", "token", "invalidate", "blank", "redact"];
                reader.problem(path, "is no rule for a field", meant_or(value, words, FIELD_RULES));
            }
            return rule;
        }
        Json::Object(table) if table.contains_key("redact") => return read_redact(reader, path, value),
        Json::Object(table) if table.contains_key("keep") => {
            return read_kept(reader, path, value, "keep").map(FieldRule::Keep);
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
        "blank" => {
            let table = reader.table(&path, value, &["otherwise"])?;
            let otherwise = reader.required(&path, table, "otherwise")?;
            read_otherwise(reader, &join(&path, "otherwise"), otherwise)
                .map(|otherwise| FieldRule::Blank(Some(otherwise)))
        }
        "own" => reader.text(&path, value).map(|name| FieldRule::Own(name.to_owned())),
        "token" => read_form(reader, &path, value).map(|form| FieldRule::Token(Some(form))),
        "generalise" => read_generalisation(reader, &path, value).map(FieldRule::Generalise),
        "truncate" => {
            let count = value.as_u64().and_then(|count| u16::try_from(count).ok()).filter(|count| *count > 0);
            if count.is_none() {
                reader.problem(path, "is no number of characters", "write a number from 1 to 65535");
            }
            count.map(|count| FieldRule::Generalise(Generalisation::Truncate(count)))
        }
        _ => {
            reader.problem(path, "is no rule for a field", FIELD_RULES);
            None
        }
    }
}

/// Reads why a field stays, and for how long.
pub(super) fn read_kept(reader: &mut Reader, path: &str, value: &Json, key: &str) -> Option<KeepRule> {
    let table = reader.table(path, value, &[key, "for"])?;
    let reason = reader.required_text(path, table, key)?.to_owned();
    let Some(value) = table.get("for") else { return Some(KeepRule { reason, period: None }) };
    let path = join(path, "for");
    let period = read_period(reader, &path, value)?;
    if period == Period::days(0) {
        reader.problem(path, "is no time to keep a field", "write a period of a day at least");
        return None;
    }
    Some(KeepRule { reason, period: Some(period) })
}

/// Reads the replacement of a mention, and the detectors.
fn read_redact(reader: &mut Reader, path: &str, value: &Json) -> Option<FieldRule> {
    let table = reader.table(path, value, &["redact", "also", "names", "otherwise"])?;
    let with = reader.required_text(path, table, "redact")?;
    let mut also = BTreeSet::new();
    if let Some(names) = table.get("also") {
        let at = join(path, "also");
        for name in reader.texts(&at, names)? {
            match name.parse() {
                Ok(detector) => {
                    also.insert(detector);
                }
                Err(error) => {
                    let near = suggest(name, Detector::ALL.map(Detector::as_str));
                    reader.problem(&at, format!("{name}: {error}"), near);
                }
            }
        }
    }
    if let Some(detector) = first_of(with, &also) {
        let what = format!("would be taken for something that {detector} finds, again and again");
        reader.problem(join(path, "redact"), what, "write a word in brackets, such as \"[removed]\"");
        return None;
    }
    let names = table.get("names");
    if names.is_some_and(|names| names.as_str() != Some("certain")) {
        reader.problem(
            join(path, "names"),
            "is not \"certain\"",
            "leave it out, or write names = \"certain\"",
        );
    }
    let otherwise =
        table.get("otherwise").and_then(|value| read_instead(reader, &join(path, "otherwise"), value));
    let (with, otherwise) = (with.to_owned(), otherwise.map(Box::new));
    Some(FieldRule::Redact { with, also, names_alone: names.is_some(), otherwise })
}

/// What can replace a whole value.
const INSTEAD: &str = "write \"remove\", \"clear\", { constant = … } or { placeholder = \"… {date}\" }";

/// Reads what replaces a whole value that cannot be searched.
pub(super) fn read_instead(reader: &mut Reader, path: &str, value: &Json) -> Option<FieldRule> {
    let known = match value {
        Json::String(word) => matches!(word.as_str(), "remove" | "clear"),
        Json::Object(table) => {
            table.len() == 1 && (table.contains_key("constant") || table.contains_key("placeholder"))
        }
        _ => false,
    };
    if known {
        return read_field_rule(reader, path, value);
    }
    reader.problem(
        path,
        "does not say what is written in place of the whole value",
        meant_or(value, ["remove", "clear"], INSTEAD),
    );
    None
}

fn read_form(reader: &mut Reader, path: &str, value: &Json) -> Option<TokenForm> {
    const WAY_OUT: &str =
        "write \"email\", \"username\", \"plain\", \"uuid\" or { digits = 16 }, from 10 digits to 38";
    let form = match value {
        Json::String(text) => match text.as_str() {
            "email" => Some(TokenForm::Email),
            "username" => Some(TokenForm::Username),
            "plain" => Some(TokenForm::Plain),
            "uuid" => Some(TokenForm::Uuid),
            _ => None,
        },
        Json::Object(_) => reader
            .table(path, value, &["digits"])
            .and_then(|table| table.get("digits")?.as_u64())
            .and_then(|count| u8::try_from(count).ok())
            .filter(|count| (10..=38).contains(count))
            .map(TokenForm::Digits),
        _ => None,
    };
    if form.is_none() {
        let way_out = meant_or(value, ["email", "username", "plain", "uuid"], WAY_OUT);
        reader.problem(path, "is no form of a token", way_out);
    }
    form
}

pub(super) fn read_generalisation(reader: &mut Reader, path: &str, value: &Json) -> Option<Generalisation> {
    let found = match value {
        Json::String(text) => {
            Generalisation::NAMED.iter().find(|(name, _)| name == text).map(|(_, how)| *how)
        }
        Json::Object(_) => reader
            .table(path, value, &["prefix"])
            .and_then(|table| table.get("prefix")?.as_u64())
            .and_then(|count| u8::try_from(count).ok())
            .filter(|count| *count > 0)
            .map(Generalisation::Prefix),
        _ => None,
    };
    if found.is_none() {
        let near = value.as_str().map_or_else(String::new, |text| {
            format!("{}; or ", suggest(text, Generalisation::NAMED.iter().map(|(name, _)| *name)))
        });
        reader.problem(path, "is no generalisation", format!("{near}write {{ prefix = 2 }}"));
    }
    found
}
