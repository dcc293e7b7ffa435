//! The statements of a treatment: their number depends on the record classes, never on the rows.

use std::fmt::Write as _;
use std::sync::Arc;

use super::functions::Slot;
use crate::anonymise::Strategy;
use crate::data_map::{ClassName, Datatype, Value};
use crate::policy::{ClassTreatment, RecordAction, Treatment};
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

/// Makes the batch table. Its customer column takes keys as the customers' own key column does.
pub(super) fn create_batch(key: Datatype) -> String {
    let affinity = match key {
        Datatype::Text => "TEXT",
        Datatype::Integer => "INTEGER",
        Datatype::Real => "REAL",
        Datatype::Numeric => "NUMERIC",
        Datatype::Blob | Datatype::Any => "",
    };
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
    /// Per customer: rows.
    pub(super) rows: Statement,
    /// Per customer: rows, and rows to which there is something to do.
    pub(super) tally: Statement,
    /// What does it. None where nothing is ever to be done.
    pub(super) act: Option<Statement>,
    pub(super) reassigns: bool,
}

/// A statement and what is bound to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) parameters: Vec<Value>,
}

impl Statement {
    fn bind(&mut self, value: &Value) -> String {
        self.parameters.push(value.clone());
        format!("?{}", self.parameters.len())
    }
}

/// A treatment as statements.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) classes: Vec<ClassScript>,
    pub(super) slots: Arc<[Slot]>,
}

impl Script {
    pub(super) fn new(bound: &Bound, treatment: &Treatment) -> Self {
        let mut slots = Vec::new();
        let classes = bound
            .classes
            .iter()
            .filter_map(|class| {
                let treated = treatment.class(class.name.as_str())?;
                Some(class_script(class, treated, &mut slots))
            })
            .collect();
        Self { classes, slots: slots.into() }
    }
}

fn class_script(class: &BoundClass, treated: &ClassTreatment, slots: &mut Vec<Slot>) -> ClassScript {
    let table = quoted(&class.table);
    let first_slot = slots.len();
    slots.extend(treated.fields().iter().map(|(field, strategy)| Slot {
        class: class.name.clone(),
        field: field.clone(),
        strategy: strategy.clone(),
    }));
    let fields: Vec<(usize, String, &Strategy)> = (first_slot..)
        .zip(treated.fields())
        .map(|(slot, (field, strategy))| (slot, format!("{table}.{}", quoted(field.as_str())), strategy))
        .collect();

    let mut tally = Statement::default();
    let due = match treated.action() {
        RecordAction::Keep { .. } => "0".to_owned(),
        RecordAction::Delete | RecordAction::Reassign => "1".to_owned(),
        RecordAction::Anonymise => pending(&mut tally, &fields),
    };
    let joins = joins(class);
    tally.sql = format!(
        "SELECT relinquish_b.relinquish_n, count(*), coalesce(sum({due}), 0) FROM {BATCH} AS relinquish_b {joins} GROUP BY relinquish_b.relinquish_n"
    );
    let rows = format!(
        "SELECT relinquish_b.relinquish_n, count(*), count(*) FROM {BATCH} AS relinquish_b {joins} GROUP BY relinquish_b.relinquish_n"
    );
    let rows = Statement { sql: rows, parameters: Vec::new() };

    let mut act = Statement::default();
    let owned = owned(class);
    match treated.action() {
        RecordAction::Keep { .. } => {}
        RecordAction::Delete => act.sql = format!("DELETE FROM main.{table} WHERE {owned}"),
        RecordAction::Anonymise if fields.is_empty() => {}
        RecordAction::Anonymise => {
            // Every row is written, and what is erased already comes out as it went in: whether a row was written
            // must not tell what was in it.
            let sets = assignments(&mut act, class, &fields);
            act.sql = format!("UPDATE main.{table} SET {sets} WHERE {owned}");
        }
        RecordAction::Reassign => {
            let link = class.path.first().map_or("", |link| link.column.as_str());
            let mut sets = format!(
                "{} = (SELECT relinquish_b.relinquish_stand_in FROM {BATCH} AS relinquish_b WHERE relinquish_b.relinquish_customer = {table}.{})",
                quoted(link),
                quoted(link)
            );
            let fields = assignments(&mut act, class, &fields);
            if !fields.is_empty() {
                let _ = write!(sets, ", {fields}");
            }
            act.sql = format!("UPDATE main.{table} SET {sets} WHERE {owned}");
        }
    }
    ClassScript {
        class: class.name.clone(),
        rows,
        tally,
        act: (!act.sql.is_empty()).then_some(act),
        reassigns: *treated.action() == RecordAction::Reassign,
    }
}

/// `field = value, …`
fn assignments(
    statement: &mut Statement,
    class: &BoundClass,
    fields: &[(usize, String, &Strategy)],
) -> String {
    let table = quoted(&class.table);
    let key: Vec<String> = class.key.iter().map(|column| format!("{table}.{}", quoted(column))).collect();
    let sets: Vec<String> = fields
        .iter()
        .map(|(slot, column, strategy)| {
            let value = match strategy {
                Strategy::Clear => "NULL".to_owned(),
                Strategy::Constant(value) => statement.bind(value),
                Strategy::Placeholder(_)
                | Strategy::Token(_)
                | Strategy::Invalidate(_)
                | Strategy::Generalise { .. } => {
                    format!("relinquish_value({slot}, {column}, {})", key.join(", "))
                }
            };
            let name = column.strip_prefix(&format!("{table}.")).unwrap_or(column);
            format!("{name} = {value}")
        })
        .collect();
    sets.join(", ")
}

/// True of a row in which a field is not erased yet.
fn pending(statement: &mut Statement, fields: &[(usize, String, &Strategy)]) -> String {
    let conditions: Vec<String> = fields
        .iter()
        .map(|(slot, column, strategy)| match strategy {
            Strategy::Clear => format!("{column} IS NOT NULL"),
            Strategy::Constant(value) => format!("{column} IS NOT {}", statement.bind(value)),
            Strategy::Placeholder(_)
            | Strategy::Token(_)
            | Strategy::Invalidate(_)
            | Strategy::Generalise { .. } => {
                format!("NOT relinquish_holds({slot}, {column})")
            }
        })
        .collect();
    if conditions.is_empty() { "0".to_owned() } else { conditions.join(" OR ") }
}

/// From the batch down to the class's rows.
fn joins(class: &BoundClass) -> String {
    let mut sql = String::new();
    let mut inner = "relinquish_b.relinquish_customer".to_owned();
    for (n, link) in class.path.iter().enumerate().rev() {
        let (table, alias) = if n == 0 {
            (quoted(&class.table), quoted(&class.table))
        } else {
            let table = class.path.get(n - 1).map_or("", |before| before.to_table.as_str());
            (quoted(table), format!("way{n}"))
        };
        let _ = write!(sql, "JOIN main.{table} AS {alias} ON {alias}.{} = {inner} ", quoted(&link.column));
        if let Some(before) = n.checked_sub(1).and_then(|n| class.path.get(n)) {
            inner = format!("{alias}.{}", quoted(&before.to_column));
        }
    }
    if class.path.is_empty() {
        let key = class.key.first().map_or("", String::as_str);
        let table = quoted(&class.table);
        let _ = write!(sql, "JOIN main.{table} AS {table} ON {table}.{} = {inner}", quoted(key));
    }
    sql
}

/// True of the rows that belong to customers of the batch.
fn owned(class: &BoundClass) -> String {
    let mut set = format!("SELECT relinquish_customer FROM {BATCH}");
    for (n, link) in class.path.iter().enumerate().skip(1).rev() {
        let before = class.path.get(n - 1);
        let (table, key) =
            before.map_or(("", ""), |before| (before.to_table.as_str(), before.to_column.as_str()));
        set = format!(
            "SELECT {} FROM main.{} WHERE {} IN ({set})",
            quoted(key),
            quoted(table),
            quoted(&link.column)
        );
    }
    let column = class
        .path
        .first()
        .map_or_else(|| class.key.first().map_or("", String::as_str), |link| link.column.as_str());
    format!("{}.{} IN ({set})", quoted(&class.table), quoted(column))
}

/// Columns of the class's rows that belong to customers of the batch, the customer's number first.
pub(super) fn select_owned(class: &BoundClass, columns: &str) -> String {
    format!("SELECT relinquish_b.relinquish_n, {columns} FROM {BATCH} AS relinquish_b {}", joins(class))
}
