//! Fields that are values inside a JSON document, and their new values. Every other byte of the document stays.

use serde_json::Value as Json;

use super::people::without;
use super::unreadable::{Unreadable, document, document_of, is_searched_in_part, searched};
use super::working::{Place, Slot, Working, holds, key_of};
use crate::anonymise::by_content::ByContent;
use crate::anonymise::json::{Edit, Found, Pointer, edit, values};
use crate::anonymise::readable::{self, Unread, whole};
use crate::anonymise::text::Matcher;
use crate::anonymise::{Draw, Seed, Strategy};
use crate::data_map::{RecordKey, Value};
use crate::hex;
use crate::store::sql::cell::Cell;

impl Working {
    /// The new value of a document, or of a value inside it.
    pub(crate) fn treated<'v>(
        &self,
        slot: &Slot,
        value: Cell<'v>,
        key: impl Iterator<Item = Cell<'v>> + Clone,
    ) -> Result<Value, Unreadable> {
        if matches!(slot.strategy, Strategy::Redact { .. }) {
            return self.redacted(slot, value, key);
        }
        self.written(slot, &slot.strategy, value, key.clone())
            .or_else(|why| self.instead(slot, value, key, why))
    }

    /// A text or a document without its customers.
    pub(crate) fn redacted<'v>(
        &self,
        slot: &Slot,
        value: Cell<'v>,
        key: impl Iterator<Item = Cell<'v>> + Clone,
    ) -> Result<Value, Unreadable> {
        match self.people.redact(slot, value, &key) {
            Ok(text) if is_searched_in_part(slot, value) => {
                let bytes = text.map_or_else(|| value.bytes().to_vec(), |text| readable::unmarked(&text));
                Ok(Value::Blob(bytes))
            }
            Ok(Some(text)) if matches!(value, Cell::Blob(_)) => Ok(Value::Blob(text.into_bytes())),
            Ok(Some(text)) => Ok(Value::Text(text)),
            Ok(None) => as_it_is(slot, value, key),
            Err(why) => self.instead(slot, value, key, why),
        }
    }

    /// A text that a duty has released. If nobody can be searched for any more, the whole text is replaced.
    pub(crate) fn released<'v>(
        &self,
        slot: &Slot,
        value: Cell<'v>,
        key: impl Iterator<Item = Cell<'v>> + Clone,
    ) -> Result<Value, Unreadable> {
        let after = slot.after_duty.as_ref().filter(|_| self.people.is_of_erased(slot, key.clone()));
        let Some(after) = after else { return self.redacted(slot, value, key) };
        if value == Cell::Null {
            return Ok(Value::Null);
        }
        match &slot.place {
            Some(Place { pointer, .. }) if !pointer.as_str().is_empty() => {
                let written = self.written(slot, after, value, key.clone());
                written.or_else(|why| self.instead(slot, value, key, why))
            }
            Some(_) | None => self.replaced(slot, after, value, key),
        }
    }

    /// The output of a strategy at the place of a slot inside a document.
    fn written<'v>(
        &self,
        slot: &Slot,
        strategy: &Strategy,
        value: Cell<'v>,
        key: impl Iterator<Item = Cell<'v>> + Clone,
    ) -> Result<Value, Unreadable> {
        let document = document_of(slot, value).map_err(|why| Unreadable::new(slot, &why, key.clone()))?;
        let Some((text, Place { pointer, .. })) = document.zip(slot.place.as_ref()) else {
            return as_it_is(slot, value, key);
        };
        let seed =
            self.seed.as_ref().ok_or_else(|| Unreadable::new(slot, &"there is no seed", key.clone()))?;
        let row = key_of(key.clone());
        let mut n = 0_usize;
        let edited = edit(text, pointer, |found| {
            let old = value_of(&found);
            n += 1;
            let is_nothing = old == Value::Null && slot.after_duty.as_ref() == Some(strategy);
            if is_nothing || strategy.holds(&old) {
                return None;
            }
            // If a wildcard matches several places, each gets its own random value.
            Some(Edit::Write(json_of(self.fresh(slot, strategy, &format!("{row}#{n}"), seed, &old))))
        });
        match edited {
            Ok(Some(edited)) => Ok(Value::Text(edited)),
            Ok(None) => as_it_is(slot, value, key),
            Err(why) => Err(Unreadable::new(slot, &why, key)),
        }
    }

    fn fresh(&self, slot: &Slot, strategy: &Strategy, key: &str, seed: &Seed, old: &Value) -> Value {
        let key = RecordKey::new(key);
        let (class, field) = (&slot.class, &slot.field);
        strategy.fresh(old, &Draw { seed, class, key: &key, field, attempt: self.attempt, date: self.date })
    }

    /// The replacement of a whole value that cannot be read, if the policy has one.
    fn instead<'v>(
        &self,
        slot: &Slot,
        value: Cell<'v>,
        key: impl Iterator<Item = Cell<'v>> + Clone,
        why: Unreadable,
    ) -> Result<Value, Unreadable> {
        match &slot.otherwise {
            Some(otherwise) => self.replaced(slot, otherwise, value, key),
            None => Err(why),
        }
    }

    /// The output of a strategy for a whole value.
    fn replaced<'v>(
        &self,
        slot: &Slot,
        strategy: &Strategy,
        value: Cell<'v>,
        key: impl Iterator<Item = Cell<'v>> + Clone,
    ) -> Result<Value, Unreadable> {
        if holds(strategy, value) {
            return as_it_is(slot, value, key);
        }
        let seed =
            self.seed.as_ref().ok_or_else(|| Unreadable::new(slot, &"there is no seed", key.clone()))?;
        Ok(self.fresh(slot, strategy, &key_of(key), seed, &value.to_value()))
    }

    /// Whether something still has to be done to a value. An unreadable value stops a count, unless the policy says
    /// what replaces it.
    pub(crate) fn is_pending(
        &self,
        slot: &Slot,
        value: Cell<'_>,
        pending: Result<bool, Unreadable>,
    ) -> Result<bool, Unreadable> {
        match (pending, slot.is_replaced(value)) {
            (Ok(pending), _) => Ok(pending),
            (Err(_), Some(is_replaced)) => Ok(!is_replaced),
            (Err(why), None) if self.stops_at_unreadable => Err(why),
            (Err(_), None) => Ok(true),
        }
    }
}

/// The unchanged value, in a form that can be written back.
fn as_it_is<'v>(
    slot: &Slot,
    value: Cell<'v>,
    key: impl Iterator<Item = Cell<'v>>,
) -> Result<Value, Unreadable> {
    value.to_exact_value().ok_or_else(|| Unreadable::new(slot, &Unread::Encoding, key))
}

/// Whether everything that a field names has its final value: the values inside a document, or the whole value.
pub(crate) fn is_held<'v>(
    slot: &Slot,
    strategy: &Strategy,
    value: Cell<'v>,
    key: impl Iterator<Item = Cell<'v>> + Clone,
) -> Result<bool, Unreadable> {
    let is_released = slot.after_duty.as_ref() == Some(strategy);
    let Some(Place { pointer, .. }) = slot.place.as_ref().filter(|place| !place.pointer.as_str().is_empty())
    else {
        return Ok((is_released && value == Cell::Null) || holds(strategy, value));
    };
    let Some(text) = document_of(slot, value).map_err(|why| Unreadable::new(slot, &why, key.clone()))? else {
        return Ok(true);
    };
    let found = values(text, pointer).map_err(|why| Unreadable::new(slot, &why, key))?;
    Ok(found
        .iter()
        .map(value_of)
        .all(|value| (is_released && value == Value::Null) || strategy.holds(&value)))
}

/// What a value becomes, if that depends on the value. The fields of one document have the same answer if the document
/// cannot be read.
pub(crate) fn by_content(slot: &Slot, value: Cell<'_>) -> Option<ByContent> {
    let is_searched = matches!(slot.strategy, Strategy::Redact { .. });
    if !is_searched && slot.place.is_none() {
        return ByContent::of_document(&slot.strategy, &value.to_value());
    }
    let otherwise = slot.otherwise.as_ref()?;
    let is_read = if is_searched {
        searched(slot, value)
            .is_ok_and(|text| text.is_none_or(|text| without(slot, &text, &Matcher::nobody()).is_ok()))
    } else {
        is_held(slot, &slot.strategy, value, std::iter::empty()).is_ok()
    };
    (!is_read && !holds(otherwise, value)).then(|| ByContent::unreadable(otherwise))
}

/// The texts that a field names in a document. The error says in words why they cannot be read.
pub(crate) fn texts(value: Cell<'_>, pointer: &Pointer) -> Result<Vec<String>, String> {
    let Some(text) = document(value).map_err(|why| why.to_string())? else { return Ok(Vec::new()) };
    let found = values(text, pointer).map_err(|why| why.to_string())?;
    Ok(found
        .iter()
        .filter_map(|found| match value_of(found) {
            Value::Text(text) => Some(text),
            Value::Integer(number) => Some(number.to_string()),
            Value::Real(number) => whole(number),
            Value::Null | Value::Blob(_) => None,
        })
        .collect())
}

/// A value as a strategy sees it. An array or an object becomes its JSON text.
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
