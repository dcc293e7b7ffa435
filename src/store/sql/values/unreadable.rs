//! Values that cannot be read, and the part of a value that is searched.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use super::working::{Place, Slot, holds};
use crate::anonymise::Strategy;
use crate::anonymise::json::{Pointer, fits};
use crate::anonymise::readable::{self, Unread};
use crate::data_map::{ClassName, FieldName};
use crate::store::sql::cell::Cell;

/// A value that cannot be read, in words: the class, the field, the reason, and a way out. Contains nothing of the
/// value.
#[derive(Clone, Debug)]
pub(crate) struct Unreadable {
    pub(crate) what: String,
    pub(crate) way_out: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.way_out)
    }
}

impl Unreadable {
    /// The description of a value in a slot. Names the record's key with its values, if the key is not personal.
    pub(crate) fn new<'v>(
        slot: &Slot,
        why: &dyn std::fmt::Display,
        key: impl Iterator<Item = Cell<'v>>,
    ) -> Self {
        let key = slot.shows_key.then(|| shown(key)).flatten();
        let record = key.map_or_else(String::new, |key| format!(" (key {key})"));
        let doing = if slot.place.is_some() { "erased within its document" } else { "searched" };
        // The name of a field inside a document begins with the column's name.
        let what = format!("{} of {}{record} cannot be {doing}: {why}", slot.field, slot.class);
        Self { what, way_out: readable::way_out(&slot.class) }
    }
}

/// A key for display: numbers and short plain texts.
fn shown<'v>(key: impl Iterator<Item = Cell<'v>>) -> Option<String> {
    let mut text = String::new();
    for value in key {
        let comma = if text.is_empty() { "" } else { ", " };
        match value {
            Cell::Integer(number) => {
                // Writing to a String never fails.
                let _ = write!(text, "{comma}{number}");
            }
            Cell::Text(bytes) => {
                let part = std::str::from_utf8(bytes).ok()?;
                let is_plain = part.len() <= 64
                    && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'));
                let _ = write!(text, "{comma}{}", is_plain.then_some(part)?);
            }
            Cell::Null | Cell::Real(_) | Cell::Blob(_) => return None,
        }
    }
    (!text.is_empty()).then_some(text)
}

/// What is searched: a column's text, or its document. NULL and an empty document mention nobody.
pub(crate) fn searched<'v>(slot: &Slot, value: Cell<'v>) -> Result<Option<Cow<'v, str>>, Unread> {
    if slot.place.is_some() {
        return document_of(slot, value).map(|text| text.map(Cow::Borrowed));
    }
    match value {
        Cell::Text(bytes) if is_searched_in_part(slot, value) => {
            readable_part(bytes).map(|text| Some(text.into()))
        }
        _ => readable_text(value),
    }
}

/// A text that is not UTF-8, [marked](readable::marked) for the search.
pub(crate) fn readable_part(bytes: &[u8]) -> Result<String, Unread> {
    let marked = readable::marked(bytes).ok_or(Unread::Encoding)?;
    readable::redactable(&marked)?;
    Ok(marked)
}

/// Whether a text is searched although it has bytes that are not UTF-8. If the policy says what replaces a text that
/// cannot be read, the text is replaced. A document has to be read as a whole.
pub(crate) fn is_searched_in_part(slot: &Slot, value: Cell<'_>) -> bool {
    matches!(value, Cell::Text(bytes) if std::str::from_utf8(bytes).is_err())
        && matches!(slot.strategy, Strategy::Redact { .. })
        && slot.place.is_none()
        && slot.otherwise.is_none()
}

/// The document of a slot's column, if its shape is what the map says.
pub(crate) fn document_of<'v>(slot: &Slot, value: Cell<'v>) -> Result<Option<&'v str>, Unread> {
    let text = document(value)?;
    let place = slot.place.as_ref().filter(|place| !place.shape.is_empty());
    if let (Some(text), Some(place)) = (text, place)
        && has_another_shape(text, &place.pointer, &place.shape)
    {
        return Err(Unread::Shape);
    }
    Ok(text)
}

/// Whether a value stands where a pointer goes on. What is no JSON is found by whoever reads it.
pub(crate) fn has_another_shape(text: &str, pointer: &Pointer, all: &[Pointer]) -> bool {
    matches!(fits(text, pointer, all), Ok(false))
}

/// The searched text of a column. NULL mentions nobody.
pub(crate) fn readable_text(value: Cell<'_>) -> Result<Option<Cow<'_, str>>, Unread> {
    match value {
        Cell::Null => Ok(None),
        Cell::Text(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| Unread::Encoding)?;
            readable::redactable(text).map(|text| Some(text.into()))
        }
        Cell::Integer(number) => Ok(Some(number.to_string().into())),
        Cell::Real(number) => Ok(Some(number.to_string().into())),
        // Bytes that are text are searched as such.
        Cell::Blob(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| Unread::Bytes)?;
            readable::redactable(text).map(|text| (!text.is_empty()).then(|| text.into()))
        }
    }
}

/// The JSON document of a column. An empty or blank text contains nothing. A number contains no text and no member.
pub(crate) fn document(value: Cell<'_>) -> Result<Option<&str>, Unread> {
    match value {
        Cell::Text(bytes) => std::str::from_utf8(bytes).map(readable::document).map_err(|_| Unread::Encoding),
        Cell::Blob(bytes) if !bytes.is_empty() => Err(Unread::Bytes),
        Cell::Null | Cell::Integer(_) | Cell::Real(_) | Cell::Blob(_) => Ok(None),
    }
}

/// What a person is found by, in its own column: a text, bytes that are text, or digits that the database keeps as a number.
pub(crate) fn identifier(value: Cell<'_>) -> Result<Option<String>, Unread> {
    match value {
        Cell::Text(bytes) | Cell::Blob(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| Unread::Encoding)?;
            readable::searchable(text).map(|text| Some(text.to_owned()))
        }
        Cell::Integer(number) => Ok(Some(number.to_string())),
        Cell::Real(number) => Ok(readable::whole(number)),
        Cell::Null => Ok(None),
    }
}

impl Slot {
    /// A slot with default settings.
    pub(crate) fn plain(
        class: &ClassName,
        field: &FieldName,
        strategy: Strategy,
        place: Option<Place>,
    ) -> Self {
        let (class, field) = (class.clone(), field.clone());
        Self { class, field, strategy, of: None, place, otherwise: None, after_duty: None, shows_key: false }
    }

    /// Whether an unreadable value is already the replacement.
    pub(crate) fn is_replaced(&self, value: Cell<'_>) -> Option<bool> {
        self.otherwise.as_ref().map(|otherwise| holds(otherwise, value))
    }
}
