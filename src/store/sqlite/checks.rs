//! Asks SQLite itself about the CHECKs of a schema, on a private in-memory database, before the host's database is
//! written.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, ffi, params_from_iter};

use super::session::Parameter;
use crate::data_map::{Check, Datatype, Value};
use crate::store::sql::{Column, RowRule, Table, UniqueIndex, quoted};

/// The maximum number of cached answers: a policy with a thousand tenants asks the same questions for each of them.
const ANSWERS: usize = 4_096;

/// The code `SQLITE_CONSTRAINT_DATATYPE`, which old releases of rusqlite lack: a strict table refuses a value of
/// another type.
const SQLITE_CONSTRAINT_DATATYPE: i32 = 3_091;

/// A column with a CHECK.
pub(super) struct Held<'c> {
    pub(super) table: &'c str,
    pub(super) column: &'c Column,
    pub(super) declared: &'c str,
    pub(super) is_strict: bool,
}

impl Held<'_> {
    /// The column in the spelling of CREATE TABLE.
    fn spelled(&self) -> String {
        // The few types of a strict table are keywords.
        let declared = if self.is_strict { self.declared.to_owned() } else { quoted(self.declared) };
        let declared = if self.declared.is_empty() { String::new() } else { declared };
        let collation = self.column.collation.as_ref();
        let collate = collation.map_or_else(String::new, |name| format!(" COLLATE {}", quoted(name)));
        format!("{} {declared}{collate}", quoted(&self.column.name))
    }

    /// The check for an expression. The private table has this one column, declared like the host's column, so that
    /// values are converted and compared in the same way. If the private database cannot evaluate the expression, for
    /// example because it calls one of the host's functions, the answer is unknown.
    pub(super) fn to(&self, expression: &str) -> Check {
        let table = quoted(self.table);
        let strict = if self.is_strict { " STRICT" } else { "" };
        let scratch = Mutex::new(Scratch {
            create: format!("CREATE TABLE {table} ({} CHECK ({expression}\n)){strict}", self.spelled()),
            insert: format!("INSERT INTO {table} VALUES (?1)"),
            connection: None,
            answers: HashMap::new(),
        });
        Check::perhaps(format!("CHECK ({expression})"), move |value| {
            scratch.lock().unwrap_or_else(PoisonError::into_inner).accepts(value)
        })
    }
}

/// A CHECK over several columns, on a private table with these columns.
pub(super) fn check_of_several(columns: &[Held<'_>], expression: &str) -> Option<RowRule> {
    let first = columns.first()?;
    let each: Vec<String> = columns.iter().map(Held::spelled).collect();
    let strict = if first.is_strict { " STRICT" } else { "" };
    let create =
        format!("CREATE TABLE {} ({}, CHECK ({expression}\n)){strict}", quoted(first.table), each.join(", "));
    let names: Vec<String> = columns.iter().map(|held| held.column.name.clone()).collect();
    let insert = insert(first.table, &names);
    Some(RowRule {
        text: format!("CHECK ({expression})"),
        columns: names,
        is_unique: false,
        accepts: Arc::new(move |values| {
            let connection = Connection::open_in_memory().ok()?;
            connection.execute_batch(&create).ok()?;
            takes(&connection, &insert, values, ffi::SQLITE_CONSTRAINT_CHECK)
        }),
    })
}

/// A unique index that is not plain, on a private copy of the table. Columns with unknown values differ from row to
/// row.
pub(super) fn index_of_several(
    table: &Table,
    created: &str,
    index: &UniqueIndex,
    created_index: &str,
) -> RowRule {
    let is_stored = |name: &&String| table.column(name).is_some_and(|column| !column.computed);
    let mut names: Vec<String> = Vec::new();
    for name in index.columns.iter().chain(&index.through).filter(is_stored) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let is_known = |column: &Column| names.contains(&column.name);
    let must_be_given =
        table.columns.iter().filter(|column| !column.computed && !column.nullable && !is_known(column));
    let filled: Vec<(String, Datatype)> =
        must_be_given.map(|column| (column.name.clone(), column.datatype)).collect();
    let all: Vec<String> = names.iter().cloned().chain(filled.iter().map(|(name, _)| name.clone())).collect();
    let insert = insert(&table.name, &all);
    let create = format!("PRAGMA ignore_check_constraints = 1; {created}; {created_index}");
    RowRule {
        text: index.rule.to_string(),
        columns: names,
        is_unique: true,
        accepts: Arc::new(move |values| {
            let connection = Connection::open_in_memory().ok()?;
            connection.execute_batch(&create).ok()?;
            let row = |n: i64| -> Vec<Value> {
                let others = filled.iter().map(|(_, datatype)| match datatype {
                    Datatype::Text => Value::Text(n.to_string()),
                    Datatype::Blob => Value::Blob(n.to_be_bytes().to_vec()),
                    Datatype::Integer | Datatype::Real | Datatype::Numeric | Datatype::Any => {
                        Value::Integer(n)
                    }
                });
                values.iter().cloned().chain(others).collect()
            };
            takes(&connection, &insert, &row(1), ffi::SQLITE_CONSTRAINT_UNIQUE)
                .filter(|takes| *takes)
                .and_then(|_| takes(&connection, &insert, &row(2), ffi::SQLITE_CONSTRAINT_UNIQUE))
        }),
    }
}

fn insert(table: &str, columns: &[String]) -> String {
    let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    let places: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
    format!("INSERT INTO {} ({}) VALUES ({})", quoted(table), names.join(", "), places.join(", "))
}

/// Whether a row is accepted. `None` if it is refused for another reason than this rule.
fn takes(connection: &Connection, insert: &str, values: &[Value], refusal: i32) -> Option<bool> {
    let inserted = connection
        .prepare_cached(insert)
        .and_then(|mut insert| insert.execute(params_from_iter(values.iter().map(Parameter))));
    match inserted {
        Ok(_) => Some(true),
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.extended_code == refusal => Some(false),
        Err(_) => None,
    }
}

/// A private database, created on first use.
struct Scratch {
    create: String,
    insert: String,
    connection: Option<Connection>,
    answers: HashMap<String, Option<bool>>,
}

impl Scratch {
    fn accepts(&mut self, value: &Value) -> Option<bool> {
        let Some(text) = value.as_text() else { return self.ask(value) };
        if let Some(answer) = self.answers.get(text) {
            return *answer;
        }
        let answer = self.ask(value);
        if self.answers.len() >= ANSWERS {
            self.answers.clear();
        }
        self.answers.insert(text.to_owned(), answer);
        answer
    }

    fn ask(&mut self, value: &Value) -> Option<bool> {
        if self.connection.is_none() {
            let connection = Connection::open_in_memory().ok()?;
            connection.execute_batch(&self.create).ok()?;
            self.connection = Some(connection);
        }
        // Every insert is undone.
        let transaction = self.connection.as_mut()?.transaction().ok()?;
        let inserted = transaction
            .prepare_cached(&self.insert)
            .and_then(|mut insert| insert.execute([Parameter(value)]));
        match inserted {
            Ok(_) => Some(true),
            Err(rusqlite::Error::SqliteFailure(error, _))
                if matches!(
                    error.extended_code,
                    ffi::SQLITE_CONSTRAINT_CHECK | SQLITE_CONSTRAINT_DATATYPE
                ) =>
            {
                Some(false)
            }
            Err(_) => None,
        }
    }
}
