//! The fields that a treatment writes, with their new values.

use std::collections::{BTreeMap, BTreeSet};

use super::{GroupScript, Statement};
use crate::anonymise::Strategy;
use crate::anonymise::json::Pointer;
use crate::data_map::{ClassName, DataMap, FieldName, Role};
use crate::store::sql::bind::{Bound, BoundClass};
use crate::store::sql::dialect::{Computed, Dialect};
use crate::store::sql::spelling::{flag, quoted};
use crate::store::sql::values::{Place, Slot};
use crate::store::sql::whose::Touched;
use crate::treatment::{ClassTreatment, marks};

/// A field of a row, and its new value.
#[derive(Clone)]
pub(super) struct Target<'t> {
    pub(super) slot: usize,
    /// The column with its table.
    pub(super) column: String,
    /// The column alone.
    pub(super) name: String,
    pub(super) in_json: bool,
    pub(super) strategy: &'t Strategy,
    /// The condition that the field stays as it is.
    pub(super) unless: Option<String>,
}

/// The fields that a treatment writes. Fields inside a document are left out if the whole document is replaced. If
/// the rest of a document is redacted, the redaction skips the fields inside it, which have their own rules.
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
        // A deeper value is a field of its own.
        let deeper = |pointer: &Pointer| -> Vec<Pointer> {
            let of_column = class.json.values().filter(|json| json.column == column);
            of_column
                .map(|json| &json.pointer)
                .filter(|other| other.is_deeper_than(pointer))
                .cloned()
                .collect()
        };
        let place = match (json, strategy) {
            (Some(json), _) => {
                let all = class.json.values().filter(|json| json.column == column && of_column.is_none());
                let shape = all.map(|json| json.pointer.clone()).collect();
                Some(Place { others: deeper(&json.pointer), pointer: json.pointer.clone(), shape })
            }
            (None, Strategy::Redact { .. }) => {
                let others = deeper(&Pointer::whole());
                let shape = [].into();
                (!others.is_empty()).then(|| Place { pointer: Pointer::whole(), others, shape })
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

/// Whether the key of a class's records is not personal: it is classified so, and it is not a customer's key.
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

    /// The slot of a field in a column.
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

/// The condition that a record shows that it was treated before. `None` if no field can show it.
pub(super) fn is_marked(dialect: &dyn Dialect, targets: &[Target<'_>]) -> Option<String> {
    let conditions: Vec<String> = targets
        .iter()
        .filter(|target| !target.in_json && marks(target.strategy))
        .map(|Target { slot, column, .. }| dialect.computed(&Computed::Holds { slot: *slot, value: column }))
        .collect();
    (!conditions.is_empty()).then(|| format!("({})", conditions.join(" OR ")))
}

/// Per customer of the batch, whether the customer's own values are erased: the customer's record is as the treatment
/// leaves it.
pub(super) fn are_erased(
    bound: &Bound,
    number: usize,
    class: &BoundClass,
    targets: &[Target<'_>],
) -> Option<Statement> {
    let dialect = bound.dialect;
    let (mut statement, key) = (Statement::default(), key_of_row(class));
    let written = targets.iter().filter(|target| !matches!(target.strategy, Strategy::Redact { .. }));
    let conditions: Vec<String> = written
        .map(|Target { slot, column: value, in_json, strategy, .. }| match strategy {
            _ if *in_json => dialect.computed(&Computed::JsonHolds { slot: *slot, value, key: &key }),
            Strategy::Clear => format!("{value} IS NULL"),
            Strategy::Constant(constant) => dialect.is(value, &statement.bind(dialect, constant)),
            _ => dialect.computed(&Computed::Holds { slot: *slot, value }),
        })
        .collect();
    if conditions.is_empty() {
        return None;
    }
    let condition = conditions.join(" AND ");
    statement.sql = Touched::in_set(bound, class, number).held(&format!("({condition})"), false);
    Some(statement)
}

/// The condition that a searched text still has to be treated, or the new value of the text. The new value comes from
/// the search. If the record does not show that it was treated before, it comes from the rule for texts that a duty
/// has released.
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

/// The number of uncertain mentions in a row, by each searched field. `None` if no field is searched. In tombstones,
/// the fields that are searched for now count.
pub(super) fn uncertain_in(
    dialect: &dyn Dialect,
    slots: &[Slot],
    fields: &[Target<'_>],
    meanwhile: Option<&Vec<Target<'_>>>,
) -> Option<(Vec<String>, Vec<FieldName>)> {
    let meanwhile = meanwhile.into_iter().flatten().map(|field| (field, "relinquish_r.needed = 1"));
    let searched = fields.iter().map(|field| (field, "TRUE")).chain(meanwhile);
    let searched = searched.filter(|(field, _)| matches!(field.strategy, Strategy::Redact { .. }));
    let (counts, names): (Vec<String>, Vec<FieldName>) = searched
        .filter_map(|(Target { slot, column, .. }, when)| {
            let mentions = Computed::Uncertain { slot: *slot, value: column, n: "relinquish_r.n" };
            let count = format!("CASE WHEN {when} THEN {} ELSE 0 END", dialect.computed(&mentions));
            Some((count, slots.get(*slot)?.field.clone()))
        })
        .unzip();
    (!counts.is_empty()).then_some((counts, names))
}

/// For each column whose new value depends on its old one: the number of what the value becomes. In tombstones, the
/// fields that are written for now count.
pub(super) fn by_content(
    dialect: &dyn Dialect,
    slots: &[Slot],
    fields: &[Target<'_>],
    meanwhile: Option<&Vec<Target<'_>>>,
) -> Vec<(FieldName, String)> {
    let now = if meanwhile.is_some() { "relinquish_r.needed = 0" } else { "TRUE" };
    let meanwhile = meanwhile.into_iter().flatten().map(|field| (field, "relinquish_r.needed = 1"));
    let mut counted: Vec<(FieldName, String)> = Vec::new();
    let mut seen = BTreeSet::new();
    for (Target { slot, column, name, strategy, .. }, when) in
        fields.iter().map(|field| (field, now)).chain(meanwhile)
    {
        let otherwise = slots.get(*slot).is_some_and(|slot| slot.otherwise.is_some());
        // A document that cannot be read is replaced once, whatever fields are inside it.
        if (otherwise || matches!(strategy, Strategy::Blank { .. })) && seen.insert((name, when)) {
            let code = dialect.computed(&Computed::ByContent { slot: *slot, value: column });
            let code = if when == "TRUE" { code } else { format!("CASE WHEN {when} THEN {code} ELSE 0 END") };
            counted.push((FieldName::new(name.as_str()), code));
        }
    }
    counted
}

/// The columns that are written, each once, with its new value.
pub(super) fn assignments(
    dialect: &dyn Dialect,
    statement: &mut Statement,
    class: &BoundClass,
    slots: &[Slot],
    fields: &[Target<'_>],
    group: Option<&GroupScript>,
) -> Vec<(String, String)> {
    let table = quoted(&class.table);
    let key = key_of_row(class);
    let marked = is_marked(dialect, fields);
    let mut values: Vec<(&str, String)> = Vec::with_capacity(fields.len());
    for target @ Target { slot, column, in_json, strategy, .. } in fields {
        // For several values of one document, the result of one is the input of the next.
        let before = values.iter().position(|(name, _)| name == column).map(|at| values.remove(at).1);
        let old = before.as_ref().unwrap_or(column);
        let value = match strategy {
            Strategy::Redact { .. } => {
                let search = if *in_json {
                    Computed::Json { slot: *slot, old, key: &key }
                } else {
                    Computed::Redacted { slot: *slot, old, key: &key }
                };
                let released = dialect.computed(&Computed::Release { slot: *slot, old, key: &key });
                unless_marked(target, slots, marked.as_deref(), dialect.computed(&search), &released)
            }
            _ if *in_json => dialect.computed(&Computed::Json { slot: *slot, old, key: &key }),
            Strategy::Clear => "NULL".to_owned(),
            Strategy::Constant(value) => statement.bind(dialect, value),
            _ => dialect.computed(&Computed::Value { slot: *slot, old: column, key: &key }),
        };
        let value = match &target.unless {
            Some(unless) => format!("CASE WHEN {unless} THEN {old} ELSE {value} END"),
            None => value,
        };
        values.push((column, value));
    }
    if let Some(group) = group {
        group.put_into(dialect, &mut values, &key);
    }
    let own = format!("{table}.");
    let sets = values.into_iter();
    sets.map(|(column, value)| (column.strip_prefix(&own).unwrap_or(column).to_owned(), value)).collect()
}

/// The condition that a field of a row is not erased yet.
pub(super) fn pending(
    dialect: &dyn Dialect,
    statement: &mut Statement,
    class: &BoundClass,
    slots: &[Slot],
    fields: &[Target<'_>],
) -> String {
    let key = key_of_row(class);
    let marked = is_marked(dialect, fields);
    // Conditions in SQL alone, conditions computed in Rust, and conditions that may find an unreadable value.
    let [mut plain, mut computed, mut conditions] = [Vec::new(), Vec::new(), Vec::new()];
    for target @ Target { slot, column: value, in_json, strategy, .. } in fields {
        let slot = *slot;
        let is_pending = match strategy {
            Strategy::Redact { .. } => {
                let n = "relinquish_r.n";
                let search = dialect.computed(&Computed::Mentions { slot, value, n, key: &key });
                let released = dialect.computed(&Computed::Released { slot, value, n, key: &key });
                unless_marked(target, slots, marked.as_deref(), search, &released)
            }
            _ if *in_json => {
                format!("NOT {}", dialect.computed(&Computed::JsonHolds { slot, value, key: &key }))
            }
            Strategy::Clear => format!("{value} IS NOT NULL"),
            Strategy::Constant(constant) => dialect.is_not(value, &statement.bind(dialect, constant)),
            Strategy::Placeholder(template) if !template.is_unique() => {
                format!("NOT {}", dialect.computed(&Computed::HoldsOfDay { slot, value }))
            }
            _ => format!("NOT {}", dialect.computed(&Computed::Holds { slot, value })),
        };
        let list = match strategy {
            Strategy::Redact { .. } => &mut conditions,
            _ if *in_json => &mut conditions,
            Strategy::Clear | Strategy::Constant(_) => &mut plain,
            _ => &mut computed,
        };
        list.push(match &target.unless {
            Some(unless) => format!("(NOT ({unless}) AND {is_pending})"),
            None => is_pending,
        });
    }
    plain.append(&mut computed);
    match plain.as_slice() {
        [] => {}
        [one] => conditions.insert(0, one.clone()),
        several => conditions.insert(0, format!("({})", several.join(" OR "))),
    }
    match conditions.as_slice() {
        [] => "FALSE".to_owned(),
        [one] => one.clone(),
        // Added up, so that the database evaluates each of them. With OR it may stop at the first true one, and would
        // miss an unreadable value further on.
        several => {
            let each: Vec<String> = several.iter().map(|condition| flag(condition)).collect();
            format!("({}) > 0", each.join(" + "))
        }
    }
}
