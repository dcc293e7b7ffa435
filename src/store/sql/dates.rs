//! Reads the form of stored dates: `{ stored = "milliseconds", none = [0], zone = "…", from = "1950-01-01" }`.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::map::{CustomersMap, FieldMap, Source};
use crate::data_map::TimeZone;
use crate::data_map::{DateForm, NoDate, StoredAs};
use crate::document::{Reader, join, nearest, suggest};
use crate::json_schema::object;

const KEYS: [&str; 4] = ["stored", "none", "zone", "from"];

/// Reads a table that contains only the form.
pub(super) fn read_form(reader: &mut Reader, path: &str, value: &Json) -> Option<DateForm> {
    let table = reader.table(path, value, &KEYS)?;
    Some(form_in(reader, path, table))
}

/// Reads the form from a table that may contain other keys.
fn form_in(reader: &mut Reader, path: &str, table: &Map<String, Json>) -> DateForm {
    let mut form = DateForm::new();
    if let Some(text) = table.get("stored").and_then(|value| reader.text(&join(path, "stored"), value)) {
        if let Some(stored) = StoredAs::ALL.into_iter().find(|stored| stored.as_str() == text) {
            form = form.stored(stored);
        } else {
            let known = StoredAs::ALL.map(StoredAs::as_str);
            // A word in another case would count as different in every letter, so it is compared without case first.
            let same = known.into_iter().find(|word| word.eq_ignore_ascii_case(text));
            let way_out = same.map_or_else(|| suggest(text, known), |word| format!("did you mean {word}?"));
            reader.problem(join(path, "stored"), format!("{text} is no form of dates"), way_out);
        }
    }
    if let Some(value) = table.get("none") {
        let path = join(path, "none");
        let items = match value {
            Json::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        for item in items {
            let none = match item {
                Json::String(text) => Some(NoDate::from(text.as_str())),
                item => item.as_i64().map(NoDate::from),
            };
            match none {
                Some(none) => form = form.none(none),
                None => reader.problem(
                    &path,
                    "holds something that is no text and no whole number",
                    "write the values that stand for no date, such as [0, \"0001-01-01\"]; a date stands in quotes",
                ),
            }
        }
    }
    if let Some(text) = table.get("zone").and_then(|value| reader.text(&join(path, "zone"), value)) {
        match text.parse::<TimeZone>() {
            Ok(zone) => form = form.zone(zone),
            Err(error) => {
                let near = nearest(text, TimeZone::names());
                let way_out = near.map_or_else(
                    || "write one such as \"America/New_York\"".to_owned(),
                    |name| format!("did you mean {name}?"),
                );
                reader.problem(join(path, "zone"), format!("{text} is no time zone: {error}"), way_out);
            }
        }
    }
    if let Some(text) = table.get("from").and_then(|value| reader.text(&join(path, "from"), value)) {
        match text.parse::<chrono::NaiveDate>() {
            Ok(day) if text.len() == 10 => form = form.from(day),
            Ok(_) | Err(_) => reader.problem(
                join(path, "from"),
                "is no day",
                "write the first day that may be true, such as \"1950-01-01\"",
            ),
        }
    }
    form
}

/// Reads the source of a customer's date: a column, or `{ column = "…", stored = … }`, or `{ sql = "…", stored = …
/// }`.
pub(super) fn read_date_source(
    reader: &mut Reader,
    path: &str,
    value: &Json,
) -> Option<(Source, Option<DateForm>)> {
    if let Json::String(_) = value {
        return reader.text(path, value).map(|text| (Source::Column(text.to_owned()), None));
    }
    if !value.is_object() {
        let way_out = "write a column, { column = \"…\", stored = \"milliseconds\" }, or { sql = \"a scalar expression\" }";
        reader.problem(path, "is no source of a date", way_out);
        return None;
    }
    let table = reader.table(path, value, &["column", "sql", "stored", "none", "zone", "from"])?;
    let form = form_in(reader, path, table);
    let source = match (table.get("column"), table.get("sql")) {
        (Some(column), None) => {
            reader.text(&join(path, "column"), column).map(|column| Source::Column(column.to_owned()))
        }
        (None, Some(sql)) => reader.text(&join(path, "sql"), sql).map(|sql| Source::Sql(sql.to_owned())),
        (None, None) if reader.is_strange(path, Some("column or sql")) => None,
        _ => {
            reader.problem(path, "has no source, or two", "write column = \"…\" or sql = \"…\"");
            None
        }
    };
    let is_said = KEYS.iter().any(|key| table.contains_key(*key));
    source.map(|source| (source, is_said.then_some(form)))
}

/// The form of a fact's date: the form given for the fact, or for its column.
pub(super) fn form_of_fact(
    reader: &mut Reader,
    path: &str,
    source: &Source,
    said: Option<DateForm>,
    fields: &BTreeMap<String, FieldMap>,
) -> DateForm {
    let Source::Column(column) = source else { return said.unwrap_or_default() };
    let of_column = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(column));
    match (said, of_column.and_then(|(_, field)| field.date.clone())) {
        (Some(said), Some(other)) if said != other => {
            reader.problem(
                path,
                format!("says another form of its dates than customers.fields.{column}"),
                format!("say it once, in customers.fields.{column}"),
            );
            other
        }
        (said, other) => said.or(other).unwrap_or_default(),
    }
}

impl CustomersMap {
    /// The form in which a column of the customers' table stores dates. Written dates use the same form.
    pub(crate) fn form_of(&self, column: &str) -> DateForm {
        let is =
            |source: &Source| matches!(source, Source::Column(name) if name.eq_ignore_ascii_case(column));
        let field = self.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(column));
        let said = field.and_then(|(_, field)| field.date.clone());
        let registered =
            || self.registered.as_ref().filter(|source| is(source)).map(|_| &self.registered_form);
        let fact = || {
            self.dates.iter().find(|(_, source)| is(source)).and_then(|(name, _)| self.date_forms.get(name))
        };
        said.or_else(|| registered().cloned()).or_else(|| fact().cloned()).unwrap_or_default()
    }
}

/// The JSON Schemas of a form, of a fact's date, and of a time zone.
pub(super) fn schemas(text: &Json) -> (Json, Json, Json) {
    let stored: Vec<&str> = StoredAs::ALL.iter().map(|stored| stored.as_str()).collect();
    let item = json!({ "type": ["string", "integer"] });
    let form = [
        ("stored", json!({ "enum": stored })),
        ("none", json!({ "oneOf": [item, { "type": "array", "items": item }] })),
        ("zone", json!({ "$ref": "#/$defs/zone" })),
        ("from", json!({ "type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}$" })),
    ];
    let with = |key: &'static str| object(&[&[(key, text.clone())], &form[..]].concat(), &[key]);
    let source = json!({
        "description": "A column of the customers' table, or scalar SQL that may name it, and how the dates are stored",
        "oneOf": [text, with("column"), with("sql")],
    });
    (object(&form, &[]), source, json!({ "enum": TimeZone::names().collect::<Vec<_>>() }))
}
