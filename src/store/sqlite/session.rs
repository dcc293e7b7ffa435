//! An SQLite connection as a [`Session`].

use rusqlite::Connection;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use super::dialect::SqliteDialect;
use super::introspect;
use crate::data_map::Value;
use crate::sqlite::{Fault, unprepared};
use crate::store::sql::{Cell, Dialect, Purpose, Row, Schema, Session};

/// The connection, on the thread that owns it.
pub(super) struct SqliteSession<'c> {
    pub(super) connection: &'c Connection,
}

impl Session for SqliteSession<'_> {
    fn begin(&mut self, purpose: Purpose) -> Result<(), Fault> {
        let sql = match purpose {
            Purpose::Read => "BEGIN DEFERRED",
            Purpose::Write | Purpose::Erase => "BEGIN IMMEDIATE",
        };
        self.connection.execute_batch(sql)?;
        if purpose == Purpose::Erase {
            self.defer_foreign_keys()?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Fault> {
        Ok(self.connection.execute_batch("COMMIT")?)
    }

    fn rollback(&mut self) -> Result<(), Fault> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        Ok(self.connection.execute_batch("ROLLBACK")?)
    }

    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, Fault> {
        let mut statement = self.connection.prepare_cached(sql).map_err(unprepared)?;
        bind(&mut statement, parameters)?;
        Ok(u64::try_from(statement.raw_execute()?).unwrap_or(u64::MAX))
    }

    fn query(
        &mut self,
        sql: &str,
        parameters: &[Value],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut statement = self.connection.prepare_cached(sql).map_err(unprepared)?;
        bind(&mut statement, parameters)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            each(row)?;
        }
        Ok(())
    }

    fn prepare(&mut self, sql: &str) -> Result<(), Fault> {
        self.connection.prepare(sql).map(drop).map_err(unprepared)
    }

    /// SQLite counts the changes of a schema. VACUUM counts as a change.
    fn schema_version(&mut self) -> Result<i64, Fault> {
        Ok(self.connection.query_row("PRAGMA main.schema_version", [], |row| row.get(0))?)
    }

    /// SQLite says only that some foreign key leads nowhere.
    fn broken_link(&mut self, table: &str) -> Result<Option<String>, Fault> {
        let first = |sql: &str, of: &dyn ToSql| -> rusqlite::Result<Option<i64>> {
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query([of])?;
            rows.next()?.map(|row| row.get(0)).transpose()
        };
        let Some(key) = first("SELECT fkid FROM pragma_foreign_key_check(?1) LIMIT 1", &table)? else {
            return Ok(None);
        };
        let mut statement = self.connection.prepare(
            "SELECT \"from\", \"table\" FROM pragma_foreign_key_list(?1) WHERE id = ?2 ORDER BY seq",
        )?;
        let links = statement
            .query_map(rusqlite::params![table, key], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(String, String)>>>()?;
        let columns: Vec<String> = links.iter().map(|(column, _)| format!("{table}.{column}")).collect();
        let to = links.first().map_or("", |(_, to)| to.as_str());
        Ok(Some(format!(
            "FOREIGN KEY constraint failed: {} would lead to no row of {to}",
            columns.join(", ")
        )))
    }

    fn dialect(&self) -> &'static dyn Dialect {
        &SqliteDialect
    }

    fn schema(&mut self) -> Result<Schema, Fault> {
        Ok(introspect::schema(self.connection)?)
    }
}

impl SqliteSession<'_> {
    /// Lets SQLite check foreign keys when the transaction commits. SQLite resets this at the end of the transaction.
    ///
    /// SQLite sets a flag already when it prepares the pragma. Running the pragma also makes SQLite prepare all
    /// statements of the connection again, which costs more than one customer. So the pragma is run only if preparing
    /// had no effect.
    fn defer_foreign_keys(&self) -> Result<(), Fault> {
        const DEFER: &str = "PRAGMA defer_foreign_keys = ON";
        drop(self.connection.prepare(DEFER)?);
        let is_on: bool = self.connection.query_row("PRAGMA defer_foreign_keys", [], |row| row.get(0))?;
        if is_on { Ok(()) } else { Ok(self.connection.execute_batch(DEFER)?) }
    }
}

fn bind(statement: &mut rusqlite::Statement<'_>, parameters: &[Value]) -> Result<(), Fault> {
    for (n, value) in parameters.iter().enumerate() {
        statement.raw_bind_parameter(n + 1, Parameter(value))?;
    }
    Ok(())
}

impl Row for rusqlite::Row<'_> {
    fn cell(&self, column: usize) -> Result<Cell<'_>, Fault> {
        Ok(cell(self.get_ref(column)?))
    }
}

/// A value from SQLite.
pub(super) fn cell(value: ValueRef<'_>) -> Cell<'_> {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(bytes) => Cell::Text(bytes),
        ValueRef::Blob(bytes) => Cell::Blob(bytes),
    }
}

/// A value for SQLite.
pub(super) struct Parameter<'v>(pub(super) &'v Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(work: impl FnOnce(&Connection, &mut dyn Session)) {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (x)").unwrap();
        work(&connection, &mut SqliteSession { connection: &connection });
    }

    fn rows(session: &mut dyn Session) -> u64 {
        session.one("SELECT count(*) FROM t", &[], |row| row.natural(0)).unwrap()
    }

    #[test]
    fn a_transaction_that_is_dropped_is_undone() {
        with(|connection, session| {
            for purpose in [Purpose::Read, Purpose::Write, Purpose::Erase] {
                let mut transaction = session.transaction(purpose).unwrap();
                assert_eq!(transaction.execute("INSERT INTO t VALUES (?1)", &[Value::from("x")]).unwrap(), 1);
                drop(transaction);
                assert!(connection.is_autocommit());
                assert_eq!(rows(session), 0, "{purpose:?}");
            }
            let mut transaction = session.transaction(Purpose::Erase).unwrap();
            transaction.execute("INSERT INTO t VALUES (1)", &[]).unwrap();
            transaction.commit().unwrap();
            assert_eq!(rows(session), 1);
        });
    }

    #[test]
    fn an_erasure_holds_foreign_keys_at_its_end_and_has_nothing_prepared_anew() {
        with(|connection, session| {
            connection
                .execute_batch(
                    "PRAGMA foreign_keys = ON; CREATE TABLE head (id INTEGER PRIMARY KEY);
                     CREATE TABLE foot (id INTEGER PRIMARY KEY, head INTEGER NOT NULL REFERENCES head);
                     INSERT INTO head VALUES (1), (2); INSERT INTO foot VALUES (1, 1), (2, 2)",
                )
                .unwrap();
            let mut other = connection.prepare("SELECT count(*) FROM head").unwrap();
            let mut heads = || other.query_row([], |row| row.get::<_, i64>(0)).unwrap();
            assert_eq!(heads(), 2);
            // The second time, the statements are cached.
            for n in [1_i64, 2] {
                let mut transaction = session.transaction(Purpose::Erase).unwrap();
                transaction.execute("DELETE FROM head WHERE id = ?1", &[Value::Integer(n)]).unwrap();
                transaction.execute("DELETE FROM foot WHERE head = ?1", &[Value::Integer(n)]).unwrap();
                transaction.commit().unwrap();
                assert_eq!(heads(), 2 - n);
            }
            assert_eq!(other.get_status(rusqlite::StatementStatus::RePrepare), 0);
            connection.execute_batch("INSERT INTO head VALUES (3); INSERT INTO foot VALUES (3, 3)").unwrap();
            let mut transaction = session.transaction(Purpose::Erase).unwrap();
            transaction.execute("DELETE FROM head WHERE id = ?1", &[Value::Integer(3)]).unwrap();
            assert_eq!(transaction.broken_link("head").unwrap(), None);
            let broken = transaction.broken_link("foot").unwrap().unwrap();
            assert_eq!(broken, "FOREIGN KEY constraint failed: foot.head would lead to no row of head");
            assert!(matches!(transaction.try_commit(), Err(Fault::Constraint(_))));
            // The transaction is still open, so that it can be looked at.
            assert!(transaction.broken_link("foot").unwrap().is_some());
            drop(transaction);
            // In other transactions foreign keys are checked at once.
            let mut transaction = session.transaction(Purpose::Write).unwrap();
            assert!(transaction.execute("DELETE FROM head WHERE id = 3", &[]).is_err());
        });
    }

    #[test]
    fn an_error_half_way_through_the_rows_ends_the_statement() {
        with(|connection, session| {
            session.execute("INSERT INTO t VALUES (1), (-1), (2)", &[]).unwrap();
            let error = session.rows("SELECT x FROM t", &[], |row| row.natural::<u64>(0)).unwrap_err();
            assert!(matches!(error, Fault::Other(_)), "{error:?}");
            // A running statement would prevent dropping the table.
            connection.execute_batch("DROP TABLE t").unwrap();
        });
    }

    #[test]
    fn what_cannot_be_prepared_is_told_in_sqlites_own_words() {
        with(|_, session| {
            let Err(Fault::Other(what)) = session.execute("UPDATE t SET y = 1", &[]) else {
                panic!("it ran")
            };
            assert!(what.contains("no such column: y"), "{what}");
            assert!(session.prepare("SELECT x FROM t").is_ok());
            assert!(session.prepare("SELECT x FROM u").is_err());
        });
    }
}
