//! Takes over a connection that a host has opened: checks what is required, and sets what is needed.

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::sqlite::{self, Fault};
use crate::store::StoreError;

/// The prefix of everything that the store creates on its connection: functions, and tables in `temp`.
const OURS: &str = "relinquish\\_%";

/// Makes a connection suitable for erasing, or returns an error that says why it is not. The database itself does not
/// change.
pub(super) fn take_over(connection: &Connection, doing: &'static str) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| Fault::from(error).into_error(doing);
    sqlite::check_release().map_err(|fault| fault.into_error(doing))?;
    if !connection.is_autocommit() {
        return Err(unfit(
            doing,
            "a transaction is open on the connection, and no erasure is a part of a host's transaction",
            "commit it or roll it back, then hand the connection over",
        ));
    }
    let journal: String =
        connection.query_row("PRAGMA main.journal_mode", [], |row| row.get(0)).map_err(failed)?;
    let reads_only: bool = connection.query_row("PRAGMA query_only", [], |row| row.get(0)).map_err(failed)?;
    if reads_only || sqlite::is_read_only(connection).map_err(failed)? {
        return Err(StoreError::ReadOnly { doing });
    }
    if journal.eq_ignore_ascii_case("off") {
        return Err(unfit(
            doing,
            "journal_mode is off on the connection, so nothing that goes wrong half-way can be undone",
            "set another journal_mode",
        ));
    }
    if !connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER).map_err(failed)? {
        return Err(unfit(
            doing,
            "triggers are turned off on the connection, so what they keep current, a full-text index above all, would keep \
             what is erased",
            "turn SQLITE_DBCONFIG_ENABLE_TRIGGER on again",
        ));
    }
    if let Some(what) = temporary(connection).map_err(failed)? {
        return Err(unfit(
            doing,
            format!(
                "the connection has {what} in temp. What is there stands before the database's own tables, its triggers would \
                 run with each erasure, and setting temp_store drops it"
            ),
            "drop it, or hand over a connection of its own",
        ));
    }
    if let Some(name) = function(connection).map_err(failed)? {
        return Err(unfit(
            doing,
            format!("the connection has a function {name}, and the store registers its own under such names"),
            "give it a name that does not begin with relinquish_",
        ));
    }
    for pragma in ["foreign_keys", "main.secure_delete"] {
        turn_on(connection, pragma).map_err(|fault| fault.into_error(doing))?;
    }
    connection.pragma_update(None, "temp_store", "MEMORY").map_err(failed)
}

fn unfit(doing: &'static str, what: impl Into<String>, way_out: &'static str) -> StoreError {
    StoreError::Connection { doing, what: what.into(), way_out }
}

/// Something that the host created in `temp`.
fn temporary(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let mut first = connection.prepare("SELECT type, name FROM temp.sqlite_schema ORDER BY rowid LIMIT 1")?;
    let named = |row: &rusqlite::Row<'_>| {
        Ok(format!("the {} {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    };
    first.query_map([], named)?.next().transpose()
}

/// A function of the host whose name may clash with one of the store's functions.
fn function(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let mut first =
        connection.prepare("SELECT name FROM pragma_function_list WHERE name LIKE ?1 ESCAPE '\\' LIMIT 1")?;
    first.query_map([OURS], |row| row.get(0))?.next().transpose()
}

/// Turns a pragma on, and checks that it is on. If SQLite was compiled without it, the pragma silently does nothing.
fn turn_on(connection: &Connection, pragma: &str) -> Result<(), Fault> {
    connection.execute_batch(&format!("PRAGMA {pragma} = ON"))?;
    let mut asked = connection.prepare(&format!("PRAGMA {pragma}"))?;
    let is_on = asked.query_map([], |row| row.get::<_, i64>(0))?.next().transpose()?;
    if is_on == Some(1) {
        return Ok(());
    }
    Err(Fault::Other(format!("this SQLite does not turn {pragma} on; link one that was compiled with it")))
}
