//! The fields that a treatment writes to, and what is written there.

use std::collections::BTreeMap;

use super::{GroupScript, Statement};
use crate::anonymise::Strategy;
use crate::anonymise::json::Pointer;
use crate::data_map::{ClassName, DataMap, FieldName, Role};
use crate::policy::{ClassTreatment, marks};
use crate::store::sql::bind::{Bound, BoundClass};
use crate::store::sql::spelling::quoted;
use crate::store::sql::values::{Place, Slot};
use crate::store::sql::whose::Touched;

/// A field of a row, and what is written there.
#[derive(Clone)]
pub(super) struct Target<'t> {
    pub(super) slot: usize,
    /// The column with its table.
    pub(super) column: String,
    /// The column alone.
    pub(super) name: String,
    pub(super) in_json: bool,
    pub(super) strategy: &'t Strategy,
    /// True of rows in which the field is left as it is.
    pub(super) unless: Option<String>,
}

/// The fields that a treatment writes to. What is within a document is left out where the whole document is replaced; where
/// the rest of it is redacted, that is done within it too, and leaves the fields in it to their own rules.
pub(super) fn targets<'t>(
    class: &BoundClass,
    reading: &Reading<'_>,
    fields: impl IntoIterator<Item = (&'t FieldName, &'t Strategy)>,
    slots: &mut Vec<Slot>,
) -> Vec<Target<'t>> {
    let fields: BTreeMap<&FieldName, &'t Strategy> = fields.into_iter().collect();
    let table = quoted(&class.table);
    let mut targets = Vec::new();
    for (field, strategy) in &fields {
        let (field, strategy): (&FieldName, &'t Strategy) = (field, strategy);
        let json = class.json.get(field);
        let column = json.map_or(field.as_str(), |json| json.column.as_str());
        let of_column =
            fields.iter().find(|(name, _)| name.as_str() == column).map(|(_, strategy)| *strategy);
        if json.is_some() && of_column.is_some_and(|whole| !matches!(whole, Strategy::Redact { .. })) {
            continue;
        }
        // What lies deeper is a field of its own.
        let deeper = |pointer: &Pointer| -> Vec<Pointer> {
            let of_column = class.json.values().filter(|json| json.column == column);
            of_column
                .map(|json| &json.pointer)
                .filter(|other| other.is_deeper_than(pointer))
                .cloned()
                .collect()
        };
        let place = match (json, strategy) {
            (Some(json), _) => Some(Place { others: deeper(&json.pointer), pointer: json.pointer.clone() }),
            (None, Strategy::Redact { .. }) => {
                let others = deeper(&Pointer::whole());
                (!others.is_empty()).then(|| Place { pointer: Pointer::whole(), others })
            }
            (None, _) => None,
        };
        let mut treated_so = strategy.clone();
        if let (Strategy::Redact { max_chars, .. }, Some(json)) = (&mut treated_so, json) {
            *max_chars = json.max_chars;
        }
        targets.push(Target {
            slot: slots.len(),
            column: format!("{table}.{}", quoted(column)),
            name: column.to_owned(),
            in_json: place.is_some(),
            strategy,
            unless: None,
        });
        slots.push(reading.slot(field, column, treated_so, place));
    }
    targets
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

/// How many mentions are not certain, by each field that is searched. None where none is. In rows that stay only for now,
/// those count that are searched meanwhile.
pub(super) fn uncertain_in(
    slots: &[Slot],
    fields: &[Target<'_>],
    meanwhile: Option<&Vec<Target<'_>>>,
) -> Option<(String, Vec<FieldName>)> {
    let meanwhile = meanwhile.into_iter().flatten().map(|field| (field, "relinquish_r.needed"));
    let searched = fields.iter().map(|field| (field, "1")).chain(meanwhile);
    let searched = searched.filter(|(field, _)| matches!(field.strategy, Strategy::Redact { .. }));
    let (counts, names): (Vec<String>, Vec<FieldName>) = searched
        .filter_map(|(Target { slot, column, .. }, when)| {
            let count = format!(
                "sum(CASE WHEN {when} THEN relinquish_uncertain({slot}, {column}, relinquish_r.n) ELSE 0 END)"
            );
            Some((count, slots.get(*slot)?.field.clone()))
        })
        .unzip();
    (!counts.is_empty()).then(|| (counts.join(", "), names))
}

/// `field = value, …`, each column once.
pub(super) fn assignments(
    statement: &mut Statement,
    class: &BoundClass,
    slots: &[Slot],
    fields: &[Target<'_>],
    group: Option<&GroupScript>,
) -> String {
    let table = quoted(&class.table);
    let key = key_of_row(class);
    let marked = is_marked(fields);
    let mut values: Vec<(&str, String)> = Vec::with_capacity(fields.len());
    for target @ Target { slot, column, in_json, strategy, .. } in fields {
        // Several values of one document: what became of it goes into the next.
        let before = values.iter().position(|(name, _)| name == column).map(|at| values.remove(at).1);
        let old = before.as_ref().unwrap_or(column);
        let value = match strategy {
            Strategy::Redact { .. } => {
                let name = if *in_json { "json" } else { "value" };
                let search = format!("relinquish_{name}({slot}, {old}, {key})");
                let released = format!("relinquish_release({slot}, {old}, {key})");
                unless_marked(target, slots, marked.as_deref(), search, &released)
            }
            _ if *in_json => format!("relinquish_json({slot}, {old}, {key})"),
            Strategy::Clear => "NULL".to_owned(),
            Strategy::Constant(value) => statement.bind(value),
            _ => format!("relinquish_value({slot}, {column}, {key})"),
        };
        let value = match &target.unless {
            Some(unless) => format!("CASE WHEN {unless} THEN {old} ELSE {value} END"),
            None => value,
        };
        values.push((column, value));
    }
    if let Some(group) = group {
        group.put_into(&mut values, &key);
    }
    let own = format!("{table}.");
    let sets: Vec<String> = values
        .into_iter()
        .map(|(column, value)| format!("{} = {value}", column.strip_prefix(&own).unwrap_or(column)))
        .collect();
    sets.join(", ")
}

/// True of a row in which a field is not erased yet.
pub(super) fn pending(
    statement: &mut Statement,
    class: &BoundClass,
    slots: &[Slot],
    fields: &[Target<'_>],
) -> String {
    let key = key_of_row(class);
    let marked = is_marked(fields);
    let conditions: Vec<String> = fields
        .iter()
        .map(|target @ Target { slot, column, in_json, strategy, .. }| (target, match strategy {
            Strategy::Redact { .. } => {
                let arguments = format!("{slot}, {column}, relinquish_r.n, {key}");
                let search = format!("relinquish_mentions({arguments})");
                let released = format!("relinquish_released({arguments})");
                unless_marked(target, slots, marked.as_deref(), search, &released)
            }
            _ if *in_json => format!("NOT relinquish_json_holds({slot}, {column}, {key})"),
            Strategy::Clear => format!("{column} IS NOT NULL"),
            Strategy::Constant(value) => format!("{column} IS NOT {}", statement.bind(value)),
            // Read back, nearly every row has this very text: SQLite compares it without a call for each of them.
            Strategy::Placeholder(template) if !template.is_unique() => format!(
                "({column} COLLATE BINARY IS NOT relinquish_of_day({slot}) AND NOT relinquish_holds({slot}, {column}))"
            ),
            _ => format!("NOT relinquish_holds({slot}, {column})"),
        }))
        .map(|(target, is_pending)| match &target.unless {
            Some(unless) => format!("(NOT ({unless}) AND {is_pending})"),
            None => is_pending,
        })
        .collect();
    if conditions.is_empty() { "0".to_owned() } else { conditions.join(" OR ") }
}
