//! CHECKs of a schema, asked of SQLite itself: on a private database in memory, before the host's own is written to.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, ffi};

use super::session::Parameter;
use crate::data_map::{Check, Value};
use crate::store::sql::{Column, quoted};

/// So many answers are kept: a policy of a thousand tenants asks the same of each of them.
const ANSWERS: usize = 4_096;

/// `SQLITE_CONSTRAINT_DATATYPE`, which old releases of rusqlite do not name: a strict table refuses a value of another type.
const SQLITE_CONSTRAINT_DATATYPE: i32 = 3_091;

/// A column that a CHECK holds alone.
pub(super) struct Held<'c> {
    pub(super) table: &'c str,
    pub(super) column: &'c Column,
    pub(super) declared: &'c str,
    pub(super) is_strict: bool,
}

impl Held<'_> {
    /// The CHECK. The private table has this one column, declared as the host's: so values are converted and compared as
    /// they will be. What the private database does not know, a function of the host's own above all, is not known.
    pub(super) fn to(&self, expression: &str) -> Check {
        let Self { column, is_strict, .. } = self;
        let (table, name) = (quoted(self.table), quoted(&column.name));
        // The few types of a strict table are keywords.
        let declared = if *is_strict { self.declared.to_owned() } else { quoted(self.declared) };
        let declared = if self.declared.is_empty() { String::new() } else { declared };
        let collate =
            column.collation.as_ref().map_or_else(String::new, |name| format!(" COLLATE {}", quoted(name)));
        let strict = if *is_strict { " STRICT" } else { "" };
        let scratch = Mutex::new(Scratch {
            create: format!(
                "CREATE TABLE {table} ({name} {declared}{collate} CHECK ({expression}\n)){strict}"
            ),
            insert: format!("INSERT INTO {table} VALUES (?1)"),
            connection: None,
            answers: HashMap::new(),
        });
        Check::perhaps(format!("CHECK ({expression})"), move |value| {
            scratch.lock().unwrap_or_else(PoisonError::into_inner).accepts(value)
        })
    }
}

/// A private database, made when it is asked first.
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
        // Whatever came of it is undone.
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
