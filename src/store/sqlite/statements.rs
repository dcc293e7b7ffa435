//! The statements of a treatment: their number depends on the record classes, never on the rows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::functions::{Place, Slot};
use super::groups::GroupScript;
use super::ownership::{self, Whose};
use super::reading::{self, Reading};
use super::staying::Staying;
use crate::anonymise::Strategy;
use crate::anonymise::json::Pointer;
use crate::data_map::{ClassName, Datatype, FieldName, Value};
use crate::policy::{ClassTreatment, RecordAction, Treatment, UnderDuty};
use crate::store::sql::{Bound, BoundClass, Source};

/// The customers of a batch, in a table of the connection's own.
pub(super) const BATCH: &str = "temp.relinquish_batch";

/// A name as SQL quotes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A source as an expression over the customers' table.
pub(super) fn source_sql(table: &str, source: &Source) -> String {
    match source {
        Source::Column(column) => format!("{}.{}", quoted(table), quoted(column)),
        // A sub-select of its own: an aggregate stays in it, and a second column is an error.
        Source::Sql(sql) => format!("(SELECT ({sql}))"),
    }
}

/// What a column is declared as to take keys as the customers' own key column does.
pub(super) fn affinity(key: Datatype) -> &'static str {
    match key {
        Datatype::Text => "TEXT",
        Datatype::Integer => "INTEGER",
        Datatype::Real => "REAL",
        Datatype::Numeric => "NUMERIC",
        Datatype::Blob | Datatype::Any => "",
    }
}

/// Makes the batch table. Its customer column takes keys as the customers' own key column does.
pub(super) fn create_batch(key: Datatype) -> String {
    let affinity = affinity(key);
    format!(
        "CREATE TABLE IF NOT EXISTS {BATCH} (
             relinquish_n INTEGER PRIMARY KEY, relinquish_asked TEXT NOT NULL, relinquish_customer {affinity},
             relinquish_tenant TEXT, relinquish_stand_in {affinity}
         )"
    )
}

/// What is done to one class.
#[derive(Clone, Debug)]
pub(super) struct ClassScript {
    pub(super) class: ClassName,
    /// Per customer: rows, those that a duty keeps left out.
    pub(super) rows: String,
    /// Per customer: rows, and rows to which there is something to do.
    pub(super) tally: Statement,
    /// Per customer: rows that a duty keeps, and their latest date by each of the fields. None where there is no duty.
    pub(super) kept: Option<(Statement, Vec<FieldName>)>,
    /// Per customer: mentions that are not certain, by each of the fields. None where no text is searched.
    pub(super) uncertain: Option<(Statement, Vec<FieldName>)>,
    /// Who is counted, where what stays has to be shared.
    pub(super) group: Option<GroupScript>,
    /// Rows that a row needs which a duty keeps. None where there can be none.
    pub(super) tombstone: Option<Tombstone>,
    /// How many rows it will be, where customers share them and the rows per customer do not add up.
    pub(super) distinct: Option<String>,
    /// What is done before: links that are cut.
    pub(super) cuts: Vec<String>,
    /// What does it. None where nothing is ever to be done.
    pub(super) act: Option<Statement>,
    pub(super) reassigns: bool,
    /// Triggers may have written to it by the end: it is done once more.
    pub(super) again: bool,
    /// Rows may have gone with others.
    pub(super) may_shrink: bool,
    /// Where nobody owns the rows: what is done is done from a key to another, which come after the parameters.
    pub(super) parts: Option<Parts>,
}

/// What is done to rows that go only with the last row that needs them.
#[derive(Clone, Debug)]
pub(super) struct Tombstone {
    /// Per customer: rows.
    pub(super) rows: Statement,
    /// What anonymises them meanwhile. None where nothing in them is personal.
    pub(super) act: Option<Statement>,
    /// How many they are.
    pub(super) distinct: String,
}

/// A statement and what is bound to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) parameters: Vec<Value>,
}

impl Statement {
    pub(super) fn bind(&mut self, value: &Value) -> String {
        self.parameters.push(value.clone());
        format!("?{}", self.parameters.len())
    }

    /// Places for values that are bound after the parameters: so many, after some others.
    fn places(&self, after: usize, count: usize) -> String {
        let first = self.parameters.len() + after + 1;
        let places: Vec<String> = (first..first + count).map(|place| format!("?{place}")).collect();
        if count == 1 { places.concat() } else { format!("({})", places.join(", ")) }
    }
}

/// How the rows that nobody owns are taken part by part.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    /// The keys of the first part. After the parameters comes how many.
    pub(super) first: Statement,
    /// Those of the part after a key, which comes next.
    pub(super) after: Statement,
}

/// A treatment as statements.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) classes: Vec<ClassScript>,
    pub(super) slots: Arc<[Slot]>,
    /// The duties that rows are held against.
    pub(super) duties: Arc<[UnderDuty]>,
    /// Per customer, whether their own values are erased, where texts are treated by that.
    pub(super) erased: Option<(ClassName, Statement)>,
}

impl Script {
    /// Whose rows are treated, and for those that nobody owns how many at most at once: their number has no bound.
    pub(super) fn new(bound: &Bound, treatment: &Treatment, whose: &Whose) -> Self {
        let mut slots = Vec::new();
        let mut staying = Staying::new(bound, treatment, whose);
        let classes = bound
            .classes
            .iter()
            .filter_map(|class| {
                let treated = treatment.class(class.name.as_str())?;
                let (mut script, goes) = class_script(class, treated, &mut slots, &mut staying);
                if *treated.action() == RecordAction::Delete {
                    let cuts = bound.cuts.iter().filter(|cut| cut.of == class.name);
                    script.cuts = cuts.map(|cut| ownership::cut(class, cut, &goes)).collect();
                }
                Some(script)
            })
            .collect();
        let erased = erased(bound, treatment, &mut slots);
        Self { classes, slots: slots.into(), duties: staying.duties.into(), erased }
    }
}

/// Whether the customers' own values are erased, where a text is treated by that.
fn erased(bound: &Bound, treatment: &Treatment, slots: &mut Vec<Slot>) -> Option<(ClassName, Statement)> {
    treatment.classes().values().find(|class| !class.after_duty().is_empty())?;
    let class = bound.class(treatment.root())?;
    let treated = treatment.class(class.name.as_str())?;
    let fields = treated.tombstone().map_or(treated.fields(), |tombstone| tombstone.fields());
    let written = targets(class, &Reading::new(bound, class, treated), fields, slots);
    Some((class.name.clone(), reading::are_erased(class, &written)?))
}

/// A field of a row, and what is written there.
pub(super) struct Target<'t> {
    pub(super) slot: usize,
    pub(super) column: String,
    pub(super) in_json: bool,
    pub(super) strategy: &'t Strategy,
}

/// The fields that a treatment writes to. What is within a document is left out where the whole document is replaced; where
/// the rest of it is redacted, that is done within it too, and leaves the fields in it to their own rules.
fn targets<'t>(
    class: &BoundClass,
    reading: &Reading<'_>,
    fields: &'t BTreeMap<FieldName, Strategy>,
    slots: &mut Vec<Slot>,
) -> Vec<Target<'t>> {
    let table = quoted(&class.table);
    let mut targets = Vec::new();
    for (field, strategy) in fields {
        let json = class.json.get(field);
        let column = json.map_or(field.as_str(), |json| json.column.as_str());
        let of_column = fields.get(column);
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
            in_json: place.is_some(),
            strategy,
        });
        slots.push(reading.slot(field, column, treated_so, place));
    }
    targets
}

fn class_script(
    class: &BoundClass,
    treated: &ClassTreatment,
    slots: &mut Vec<Slot>,
    staying: &mut Staying<'_>,
) -> (ClassScript, String) {
    let table = quoted(&class.table);
    let from = staying.whose.from(class);
    let counted = |columns: &str, of: &str| {
        let sql = format!(
            "SELECT relinquish_b.relinquish_n, count(*){columns} {from} WHERE {of} GROUP BY relinquish_b.relinquish_n"
        );
        Statement { sql, parameters: Vec::new() }
    };
    let unless = |condition: Option<&str>| {
        condition.map_or_else(String::new, |condition| format!(" AND NOT ({condition})"))
    };
    let kept = staying.kept(class, &table);
    let unless_kept = unless(kept.as_ref().map(|(kept, _)| kept.as_str()));
    let needed = staying.needed(class, &table);
    let unless_needed = unless(needed.as_deref());
    let reading = Reading::new(staying.bound, class, treated);
    let fields = targets(class, &reading, treated.fields(), slots);
    let group = GroupScript::new(staying.bound, class, treated, &fields, slots);
    let meanwhile = needed.as_deref().zip(treated.tombstone());
    let meanwhile =
        meanwhile.map(|(needed, tombstone)| (needed, targets(class, &reading, tombstone.fields(), slots)));

    let mut tally = Statement::default();
    let due = match (treated.action(), &meanwhile) {
        (RecordAction::Keep { .. }, _) => "0".to_owned(),
        (RecordAction::Delete, Some((needed, fields))) => {
            format!("CASE WHEN {needed} THEN {} ELSE 1 END", pending(&mut tally, class, slots, fields))
        }
        (RecordAction::Delete | RecordAction::Reassign, _) => "1".to_owned(),
        (RecordAction::Anonymise, _) => pending(&mut tally, class, slots, &fields),
    };
    tally.sql = count_due(&from, &due, kept.as_ref().map(|(kept, _)| kept.as_str()));
    let uncertain = uncertain_in(slots, &fields, meanwhile.as_ref());
    let uncertain = uncertain.map(|(counts, names)| {
        let sql = format!(
            "SELECT relinquish_b.relinquish_n, {counts} {from} WHERE 1{unless_kept} GROUP BY relinquish_b.relinquish_n"
        );
        (Statement { sql, parameters: Vec::new() }, names)
    });

    let owned = format!("{}{unless_kept}", staying.whose.owned(class));
    let mut act = Statement::default();
    let goes = within(staying.whose, class, format!("{owned}{unless_needed}"), &act);
    match treated.action() {
        RecordAction::Keep { .. } => {}
        RecordAction::Delete => act.sql = format!("DELETE FROM main.{table} WHERE {goes}"),
        RecordAction::Anonymise if fields.is_empty() && group.is_none() => {}
        RecordAction::Anonymise => {
            // Every row is written, and what is erased already comes out as it went in: whether a row was written
            // must not tell what was in it.
            let sets = assignments(&mut act, class, slots, &fields, group.as_ref());
            let which = within(staying.whose, class, owned.clone(), &act);
            act.sql = format!("UPDATE main.{table} SET {sets} WHERE {which}");
        }
        RecordAction::Reassign => {
            let link = class.path.first().and_then(|link| link.columns.first()).map_or("", String::as_str);
            let mut sets = format!(
                "{} = (SELECT relinquish_b.relinquish_stand_in FROM {BATCH} AS relinquish_b WHERE relinquish_b.relinquish_customer = {table}.{})",
                quoted(link),
                quoted(link)
            );
            let fields = assignments(&mut act, class, slots, &fields, None);
            if !fields.is_empty() {
                let _ = write!(sets, ", {fields}");
            }
            act.sql = format!("UPDATE main.{table} SET {sets} WHERE {owned}");
        }
    }
    let tombstone = meanwhile.as_ref().map(|(needed, fields)| {
        let mut act = Statement::default();
        let sets = assignments(&mut act, class, slots, fields, None);
        let which = format!("{owned} AND {needed}");
        let which = within(staying.whose, class, which, &act);
        act.sql = format!("UPDATE main.{table} SET {sets} WHERE {which}");
        Tombstone {
            rows: counted(", count(*)", &format!("{needed}{unless_kept}")),
            act: (!fields.is_empty()).then_some(act),
            distinct: format!("SELECT count(*) FROM main.{table} WHERE {owned} AND {needed}"),
        }
    });
    let parts = matches!(staying.whose, Whose::Nobody(_)).then(|| parts(class, &owned, &due, &tally));
    let script = ClassScript {
        class: class.name.clone(),
        rows: staying.whose.count_rows(class, &unless_kept),
        tally,
        uncertain,
        group,
        kept: kept.map(|(kept, dates)| {
            let fields = treated.under_duty().iter().map(|under| under.field.clone()).collect();
            (counted(&dates, &kept), fields)
        }),
        tombstone,
        distinct: class.is_shared().then(|| format!("SELECT count(*) FROM main.{table} WHERE {owned}")),
        cuts: Vec::new(),
        act: (!act.sql.is_empty()).then_some(act),
        reassigns: *treated.action() == RecordAction::Reassign,
        again: class.is_written_by_triggers,
        may_shrink: class.is_cascaded_to,
        parts,
    };
    (script, goes)
}

/// Rows, and rows with something to do, per customer. What a duty keeps is not read.
fn count_due(from: &str, due: &str, kept: Option<&str>) -> String {
    let due =
        kept.map_or_else(|| format!("({due})"), |kept| format!("CASE WHEN {kept} THEN 0 ELSE ({due}) END"));
    format!(
        "SELECT relinquish_b.relinquish_n, count(*), coalesce(sum({due}), 0) {from} GROUP BY relinquish_b.relinquish_n"
    )
}

/// The rows that are treated at once: of customers all of theirs, so that nobody is left half treated; of those that nobody
/// owns a part, from a key to another.
fn within(whose: &Whose, class: &BoundClass, which: String, statement: &Statement) -> String {
    match whose {
        Whose::Batch => which,
        Whose::Nobody(_) => {
            let key = ownership::columns(&quoted(&class.table), &class.key);
            let (first, last) =
                (statement.places(0, class.key.len()), statement.places(class.key.len(), class.key.len()));
            format!("{which} AND {key} >= {first} AND {key} <= {last}")
        }
    }
}

/// The keys of a part of the rows to which there is something to do. Each is looked at once, so that what is refused, or
/// written over by a trigger, holds up nothing.
fn parts(class: &BoundClass, owned: &str, due: &str, tally: &Statement) -> Parts {
    let table = quoted(&class.table);
    let (key, listed) = (ownership::columns(&table, &class.key), ownership::listed(&table, &class.key));
    let is_there: Vec<String> =
        class.key.iter().map(|column| format!("{table}.{} IS NOT NULL", quoted(column))).collect();
    let part = |after: &str, limit: &str| Statement {
        sql: format!(
            "SELECT {listed} FROM main.{table} AS {table} WHERE {owned} AND ({due}) AND {}{after} ORDER BY {listed} \
             LIMIT {limit}",
            is_there.join(" AND ")
        ),
        parameters: tally.parameters.clone(),
    };
    let columns = class.key.len();
    Parts {
        first: part("", &tally.places(0, 1)),
        after: part(&format!(" AND {key} > {}", tally.places(1, columns)), &tally.places(0, 1)),
    }
}

/// How many mentions are not certain, by each field that is searched. None where none is. In rows that stay only for now,
/// those count that are searched meanwhile.
fn uncertain_in(
    slots: &[Slot],
    fields: &[Target<'_>],
    meanwhile: Option<&(&str, Vec<Target<'_>>)>,
) -> Option<(String, Vec<FieldName>)> {
    let meanwhile =
        meanwhile.into_iter().flat_map(|(needed, fields)| fields.iter().map(|field| (field, *needed)));
    let searched = fields.iter().map(|field| (field, "1")).chain(meanwhile);
    let searched = searched.filter(|(field, _)| matches!(field.strategy, Strategy::Redact { .. }));
    let (counts, names): (Vec<String>, Vec<FieldName>) = searched
        .filter_map(|(Target { slot, column, .. }, when)| {
            let count = format!(
                "sum(CASE WHEN {when} THEN relinquish_uncertain({slot}, {column}, relinquish_b.relinquish_n) ELSE 0 END)"
            );
            Some((count, slots.get(*slot)?.field.clone()))
        })
        .unzip();
    (!counts.is_empty()).then(|| (counts.join(", "), names))
}

/// `field = value, …`, each column once.
fn assignments(
    statement: &mut Statement,
    class: &BoundClass,
    slots: &[Slot],
    fields: &[Target<'_>],
    group: Option<&GroupScript>,
) -> String {
    let table = quoted(&class.table);
    let key = reading::key_of_row(class);
    let marked = reading::is_marked(fields);
    let mut values: Vec<(&str, String)> = Vec::with_capacity(fields.len());
    for target @ Target { slot, column, in_json, strategy } in fields {
        // Several values of one document: what became of it goes into the next.
        let before = values.iter().position(|(name, _)| name == column).map(|at| values.remove(at).1);
        let old = before.as_ref().unwrap_or(column);
        let value = match strategy {
            Strategy::Redact { .. } => {
                let name = if *in_json { "json" } else { "value" };
                let search = format!("relinquish_{name}({slot}, {old}, {key})");
                let released = format!("relinquish_release({slot}, {old}, {key})");
                reading::unless_marked(target, slots, marked.as_deref(), search, &released)
            }
            _ if *in_json => format!("relinquish_json({slot}, {old}, {key})"),
            Strategy::Clear => "NULL".to_owned(),
            Strategy::Constant(value) => statement.bind(value),
            _ => format!("relinquish_value({slot}, {column}, {key})"),
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
fn pending(statement: &mut Statement, class: &BoundClass, slots: &[Slot], fields: &[Target<'_>]) -> String {
    let key = reading::key_of_row(class);
    let marked = reading::is_marked(fields);
    let conditions: Vec<String> = fields
        .iter()
        .map(|target @ Target { slot, column, in_json, strategy }| match strategy {
            Strategy::Redact { .. } => {
                let arguments = format!("{slot}, {column}, relinquish_b.relinquish_n, {key}");
                let search = format!("relinquish_mentions({arguments})");
                let released = format!("relinquish_released({arguments})");
                reading::unless_marked(target, slots, marked.as_deref(), search, &released)
            }
            _ if *in_json => format!("NOT relinquish_json_holds({slot}, {column}, {key})"),
            Strategy::Clear => format!("{column} IS NOT NULL"),
            Strategy::Constant(value) => format!("{column} IS NOT {}", statement.bind(value)),
            // Read back, nearly every row has this very text: SQLite compares it without a call for each of them.
            Strategy::Placeholder(template) if !template.is_unique() => format!(
                "({column} COLLATE BINARY IS NOT relinquish_of_day({slot}) AND NOT relinquish_holds({slot}, {column}))"
            ),
            _ => format!("NOT relinquish_holds({slot}, {column})"),
        })
        .collect();
    if conditions.is_empty() { "0".to_owned() } else { conditions.join(" OR ") }
}
