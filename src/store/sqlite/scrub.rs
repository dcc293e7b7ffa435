//! Removes old bytes from the files: statistics, free pages, logs.

use rusqlite::Connection;

use crate::store::sql::{Fault, quoted};

/// Rebuilds full-text indexes and statistics that sample values, rewrites the whole file, and empties the logs.
pub(super) fn scrub(connection: &Connection, indexes: &[String]) -> Result<(), Fault> {
    let mode: String = connection.query_row("PRAGMA main.journal_mode", [], |row| row.get(0))?;
    // A journal that is kept between transactions is truncated at the next commit.
    connection.query_row("PRAGMA main.journal_size_limit = 0", [], |_| Ok(()))?;
    for index in indexes {
        // Removed text stays in an index's segments until they are merged.
        let index = quoted(index);
        connection.execute(&format!("INSERT INTO main.{index} ({index}) VALUES ('rebuild')"), [])?;
    }
    let analysed: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name IN ('sqlite_stat1', 'sqlite_stat4'))",
        [],
        |row| row.get(0),
    )?;
    if analysed {
        connection.execute_batch("ANALYZE main")?;
    }
    connection.execute_batch("VACUUM main")?;
    if mode.eq_ignore_ascii_case("wal") {
        let busy: bool =
            connection.query_row("PRAGMA main.wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy {
            return Err(Fault::Busy);
        }
    }
    Ok(())
}
