//! Fields that are values within a JSON document, as SQL functions: every other byte of the document stays.

use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use serde_json::Value as Json;

use super::functions::{Place, Slot, Working, from_sql};
use crate::anonymise::json::{Edit, Found, NotJson, edit, values};
use crate::anonymise::{Draw, Strategy};
use crate::data_map::{RecordKey, Value};

/// A document that cannot be read: no JSON, or in SQLite's binary form.
pub(super) struct Unreadable(pub(super) String);

impl Unreadable {
    pub(super) fn new(slot: &Slot, why: &str) -> Self {
        // The field's name begins with the column's.
        Self(format!("{} of {} cannot be erased within its document: {why}", slot.field, slot.class))
    }
}

pub(super) fn document<'v>(slot: &Slot, value: ValueRef<'v>) -> Result<Option<&'v str>, Unreadable> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Text(bytes) => {
            std::str::from_utf8(bytes).map(Some).map_err(|_| Unreadable::new(slot, "it is not UTF-8"))
        }
        ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => {
            Err(Unreadable::new(slot, "the column holds something else than text; store JSON as text"))
        }
    }
}

/// What becomes of a document.
pub(super) fn treat(
    working: &Working,
    slot: &Slot,
    value: ValueRef<'_>,
    key: &str,
) -> Result<ToSqlOutput<'static>, Unreadable> {
    if matches!(slot.strategy, Strategy::Redact { .. }) {
        let redacted = working.people.redact(slot, value, key)?;
        return Ok(ToSqlOutput::Owned(redacted.map_or_else(|| from_same(value), SqlValue::Text)));
    }
    let Some((text, Place { pointer, .. })) = document(slot, value)?.zip(slot.place.as_ref()) else {
        return Ok(ToSqlOutput::Owned(from_same(value)));
    };
    let seed = working.seed.as_ref().ok_or_else(|| Unreadable::new(slot, "there is no seed"))?;
    let mut n = 0_usize;
    let edited = edit(text, pointer, |found| {
        let old = value_of(&found);
        n += 1;
        if slot.strategy.holds(&old) {
            return None;
        }
        // Several places that a wildcard leads to are drawn for one by one.
        let key = RecordKey::new(format!("{key}#{n}"));
        let draw = Draw {
            seed,
            class: &slot.class,
            key: &key,
            field: &slot.field,
            attempt: working.attempt,
            date: working.date,
        };
        Some(Edit::Write(json_of(slot.strategy.fresh(&old, &draw))))
    });
    match edited {
        Ok(Some(edited)) => Ok(ToSqlOutput::Owned(SqlValue::Text(edited))),
        Ok(None) => Ok(ToSqlOutput::Owned(from_same(value))),
        Err(error) => Err(Unreadable::new(slot, &error.to_string())),
    }
}

/// Whether everything that the field names in a document is erased. One that cannot be read is not.
pub(super) fn holds(slot: &Slot, value: ValueRef<'_>) -> bool {
    match (document(slot, value), &slot.place) {
        (Ok(None), _) => true,
        (Ok(Some(text)), Some(Place { pointer, .. })) => values(text, pointer)
            .is_ok_and(|found| found.iter().all(|found| slot.strategy.holds(&value_of(found)))),
        (Ok(Some(_)), None) | (Err(_), _) => false,
    }
}

/// The texts that a field names in a document.
pub(super) fn texts(
    value: ValueRef<'_>,
    pointer: &crate::anonymise::json::Pointer,
) -> Result<Vec<String>, NotJson> {
    let ValueRef::Text(bytes) = value else { return Ok(Vec::new()) };
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(Vec::new()) };
    let found = values(text, pointer)?;
    Ok(found
        .iter()
        .filter_map(|found| match value_of(found) {
            Value::Text(text) => Some(text),
            _ => None,
        })
        .collect())
}

fn from_same(value: ValueRef<'_>) -> SqlValue {
    match from_sql(value) {
        Value::Text(text) => SqlValue::Text(text),
        Value::Integer(number) => SqlValue::Integer(number),
        Value::Real(number) => SqlValue::Real(number),
        Value::Blob(bytes) => SqlValue::Blob(bytes),
        Value::Null => SqlValue::Null,
    }
}

/// A value as a strategy sees it. An array or an object is the text that it is spelled with.
fn value_of(found: &Found<'_>) -> Value {
    match found {
        Found::Null => Value::Null,
        Found::Bool(flag) => Value::Integer(i64::from(*flag)),
        Found::Number(number) => match (number.parse(), number.parse()) {
            (Ok(number), _) => Value::Integer(number),
            (Err(_), Ok(number)) => Value::Real(number),
            (Err(_), Err(_)) => Value::Text((*number).to_owned()),
        },
        Found::Text(text) => Value::Text(text.clone().into_owned()),
        Found::Array(text) | Found::Object(text) => Value::Text((*text).to_owned()),
    }
}

fn json_of(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Integer(number) => Json::from(number),
        Value::Real(number) => Json::from(number),
        Value::Text(text) => Json::String(text),
        Value::Blob(bytes) => Json::String(hex::encode(bytes)),
    }
}
