//! Values that cannot be read, and texts that a duty deferred until nobody can be looked for.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use super::statements::{Statement, Target, quoted};
use super::touched::Touched;
use super::working::{Place, Slot, holds};
use crate::anonymise::Strategy;
use crate::anonymise::readable::{self, Unread};
use crate::data_map::{ClassName, DataMap, FieldName, Role};
use crate::policy::{ClassTreatment, marks};
use crate::store::sql::{Bound, BoundClass, Cell};

/// A value that cannot be read, in words: the class, the field, why, and a way out. Nothing of the value is in it.
#[derive(Clone, Debug)]
pub(super) struct Unreadable {
    pub(super) what: String,
    pub(super) way_out: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.way_out)
    }
}

impl Unreadable {
    /// Of a value in a slot. The key, with its values, is named where it is nothing personal.
    pub(super) fn new<'v>(
        slot: &Slot,
        why: &dyn std::fmt::Display,
        key: impl Iterator<Item = Cell<'v>>,
    ) -> Self {
        let key = slot.shows_key.then(|| shown(key)).flatten();
        let record = key.map_or_else(String::new, |key| format!(" (key {key})"));
        let doing = if slot.place.is_some() { "erased within its document" } else { "searched" };
        // The name of a field within a document begins with the column's.
        let what = format!("{} of {}{record} cannot be {doing}: {why}", slot.field, slot.class);
        Self { what, way_out: readable::way_out(&slot.class) }
    }
}

/// A key as it is shown: numbers and short plain texts.
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

/// Whether the key of a class's records is nothing personal: it is classified so, and it is no customer's key.
fn shows_key(map: &DataMap, class: &BoundClass) -> bool {
    let Some(described) = map.class(class.name.as_str()) else { return false };
    let is_a_link = |name: &FieldName| described.links().iter().any(|link| link.fields().contains(name));
    let key = described.fields().iter().filter(|field| field.role() == Role::Key);
    !class.is_root
        && key
            .into_iter()
            .all(|field| field.kind().is_none() && !field.is_token_part() && !is_a_link(field.name()))
}

/// How the slots of a class are read.
pub(super) struct Reading<'t> {
    class: &'t ClassName,
    treated: &'t ClassTreatment,
    shows_key: bool,
}

impl<'t> Reading<'t> {
    pub(super) fn new(bound: &Bound, class: &'t BoundClass, treated: &'t ClassTreatment) -> Self {
        Self { class: &class.name, treated, shows_key: shows_key(&bound.data_map, class) }
    }

    /// A slot for a field of a column.
    pub(super) fn slot(
        &self,
        field: &FieldName,
        column: &str,
        strategy: Strategy,
        place: Option<Place>,
    ) -> Slot {
        Slot {
            otherwise: self.treated.unreadable().get(column).cloned(),
            after_duty: self.treated.after_duty().get(field).cloned(),
            shows_key: self.shows_key,
            ..Slot::plain(self.class, field, strategy, place)
        }
    }
}

/// The condition on which a record shows that it was treated before. None where no field can show it.
pub(super) fn is_marked(targets: &[Target<'_>]) -> Option<String> {
    let conditions: Vec<String> = targets
        .iter()
        .filter(|target| !target.in_json && marks(target.strategy))
        .map(|Target { slot, column, .. }| format!("relinquish_holds({slot}, {column})"))
        .collect();
    (!conditions.is_empty()).then(|| format!("({})", conditions.join(" OR ")))
}

/// Per customer of the batch, whether their own values are erased: their record is as the treatment leaves it.
pub(super) fn are_erased(number: usize, class: &BoundClass, targets: &[Target<'_>]) -> Option<Statement> {
    let (mut statement, key) = (Statement::default(), key_of_row(class));
    let written = targets.iter().filter(|target| !matches!(target.strategy, Strategy::Redact { .. }));
    let conditions: Vec<String> = written
        .map(|Target { slot, column, in_json, strategy, .. }| match strategy {
            _ if *in_json => format!("relinquish_json_holds({slot}, {column}, {key})"),
            Strategy::Clear => format!("{column} IS NULL"),
            Strategy::Constant(value) => format!("{column} IS {}", statement.bind(value)),
            _ => format!("relinquish_holds({slot}, {column})"),
        })
        .collect();
    if conditions.is_empty() {
        return None;
    }
    let condition = conditions.join(" AND ");
    statement.sql = Touched::in_set(class, number).held(&format!("({condition})"), false);
    Some(statement)
}

/// What is searched: a column's text, or its document. NULL and an empty document mention nobody.
pub(super) fn searched<'v>(slot: &Slot, value: Cell<'v>) -> Result<Option<Cow<'v, str>>, Unread> {
    if slot.place.is_some() {
        return document(value).map(|text| text.map(Cow::Borrowed));
    }
    match value {
        Cell::Null => Ok(None),
        Cell::Text(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| Unread::Encoding)?;
            readable::redactable(text).map(|text| Some(text.into()))
        }
        Cell::Integer(number) => Ok(Some(number.to_string().into())),
        Cell::Real(number) => Ok(Some(number.to_string().into())),
        Cell::Blob(bytes) => {
            if bytes.is_empty() {
                Ok(None)
            } else {
                Err(Unread::Bytes)
            }
        }
    }
}

/// The JSON document of a column. An empty or blank text holds nothing; a number holds no text and no member.
pub(super) fn document(value: Cell<'_>) -> Result<Option<&str>, Unread> {
    match value {
        Cell::Text(bytes) => std::str::from_utf8(bytes).map(readable::document).map_err(|_| Unread::Encoding),
        Cell::Blob(bytes) if !bytes.is_empty() => Err(Unread::Bytes),
        Cell::Null | Cell::Integer(_) | Cell::Real(_) | Cell::Blob(_) => Ok(None),
    }
}

/// A text by which a person is found, in a column of its own.
pub(super) fn identifier(value: Cell<'_>) -> Result<Option<String>, Unread> {
    match value {
        Cell::Text(bytes) | Cell::Blob(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| Unread::Encoding)?;
            readable::searchable(text).map(|text| Some(text.to_owned()))
        }
        Cell::Null | Cell::Integer(_) | Cell::Real(_) => Ok(None),
    }
}

impl Slot {
    /// A slot of which nothing more is said.
    pub(super) fn plain(
        class: &ClassName,
        field: &FieldName,
        strategy: Strategy,
        place: Option<Place>,
    ) -> Self {
        let (class, field) = (class.clone(), field.clone());
        Self { class, field, strategy, place, otherwise: None, after_duty: None, shows_key: false }
    }

    /// Whether a value that cannot be read is what stands in place of one already.
    pub(super) fn is_replaced(&self, value: Cell<'_>) -> Option<bool> {
        self.otherwise.as_ref().map(|otherwise| holds(otherwise, value))
    }
}

/// True of a record in which a searched text is still to be treated, or the value that a text gets: by the search, or,
/// where the record does not show that it was treated before, as one that a duty has released.
pub(super) fn unless_marked(
    target: &Target<'_>,
    slots: &[Slot],
    marked: Option<&str>,
    search: String,
    released: &str,
) -> String {
    let is_deferred = slots.get(target.slot).is_some_and(|slot| slot.after_duty.is_some());
    match marked.filter(|_| is_deferred) {
        Some(marked) => format!("CASE WHEN {marked} THEN {search} ELSE {released} END"),
        None => search,
    }
}

/// The columns of a key, as arguments of a function.
pub(super) fn key_of_row(class: &BoundClass) -> String {
    let table = quoted(&class.table);
    let key: Vec<String> = class.key.iter().map(|column| format!("{table}.{}", quoted(column))).collect();
    key.join(", ")
}
