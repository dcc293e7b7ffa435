//! An SQLite connection as a [`Session`].

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use super::dialect::{CAME, GONE, SEEN, SqliteDialect};
use super::introspect;
use crate::data_map::Value;
use crate::sqlite::{Fault, unprepared};
use crate::store::sql::{ByTriggers, Cell, Dialect, Purpose, Row, Schema, Session};

/// The connection, on the thread that owns it.
pub(super) struct SqliteSession<'c> {
    connection: &'c Connection,
    /// Whether the database [notes](Dialect::note_changed) what is written, once that is known.
    is_noted: Option<bool>,
    /// What triggers did in this transaction, by table: rows beyond those that our statements changed or deleted.
    beyond: BTreeMap<String, u64>,
    /// The rows that our statements added in this transaction, by table.
    added: BTreeMap<String, u64>,
}

/// What a statement of ours does to rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writes {
    Adds,
    Changes,
    Deletes,
}

/// The first column of a row: the name of a table.
fn host(row: &dyn Row) -> Result<String, Fault> {
    let name = row.cell(0)?.to_value();
    name.as_text().map(str::to_owned).ok_or_else(|| Fault::Other("a note names no table".to_owned()))
}

/// What a statement does to which table of the host.
fn written(sql: &str) -> Option<(Writes, &str)> {
    let kinds =
        [("INSERT INTO ", Writes::Adds), ("UPDATE ", Writes::Changes), ("DELETE FROM ", Writes::Deletes)];
    let (writes, rest) =
        kinds.into_iter().find_map(|(begins, writes)| Some((writes, sql.strip_prefix(begins)?)))?;
    let name = rest.strip_prefix("main.\"")?;
    // A quote within the name is doubled.
    let mut quotes = name.match_indices('"').map(|(at, _)| at).peekable();
    while let Some(at) = quotes.next() {
        if quotes.next_if_eq(&(at + 1)).is_none() {
            return Some((writes, rest.get(.."main.\"".len() + at + 1)?));
        }
    }
    None
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
        if purpose != Purpose::Read && self.is_noted()? {
            (self.beyond, self.added) = (BTreeMap::new(), BTreeMap::new());
            self.run(&format!("DELETE FROM temp.{CAME}"), &[])?;
            self.run(&format!("DELETE FROM temp.{SEEN}"), &[])?;
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
        let rows = self.run(sql, parameters)?;
        if let Some((writes, table)) = written(sql)
            && self.is_noted()?
        {
            self.look_beyond(writes, table, rows)?;
        }
        Ok(rows)
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

    /// A file has no identity that stays when it is moved.
    fn database(&mut self) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    fn by_triggers(&mut self, tables: &[String]) -> Result<Vec<(String, ByTriggers)>, Fault> {
        if !self.is_noted()? {
            return Ok(Vec::new());
        }
        let mut by = BTreeMap::<String, ByTriggers>::new();
        let session: &mut dyn Session = self;
        let sql = format!("SELECT host, count(*) FROM temp.{CAME} GROUP BY host");
        let counted: Vec<(String, u64)> = session.rows(&sql, &[], |row| Ok((host(row)?, row.natural(1)?)))?;
        for (table, came) in counted {
            let own = self.added.get(&table).copied().unwrap_or_default();
            by.entry(table).or_default().added = came.saturating_sub(own);
        }
        for (table, changed) in &self.beyond {
            by.entry(table.clone()).or_default().changed = *changed;
        }
        by.retain(|table, by| tables.contains(table) && *by != ByTriggers::default());
        Ok(by.into_iter().collect())
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

impl<'c> SqliteSession<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, is_noted: None, beyond: BTreeMap::new(), added: BTreeMap::new() }
    }

    fn run(&self, sql: &str, parameters: &[Value]) -> Result<u64, Fault> {
        let mut statement = self.connection.prepare_cached(sql).map_err(unprepared)?;
        bind(&mut statement, parameters)?;
        Ok(u64::try_from(statement.raw_execute()?).unwrap_or(u64::MAX))
    }

    /// Whether the database notes what is written.
    fn is_noted(&mut self) -> Result<bool, Fault> {
        if let Some(is_noted) = self.is_noted {
            return Ok(is_noted);
        }
        let mut tables = self
            .connection
            .prepare_cached("SELECT 1 FROM temp.sqlite_schema WHERE type = 'table' AND name = ?1")?;
        let is_noted = tables.exists([SEEN])?;
        self.is_noted = Some(is_noted);
        Ok(is_noted)
    }

    /// Counts the rows that were changed or deleted with a statement of ours and that it did not change or delete itself.
    ///
    /// A statement writes a row once, so as many rows were noted as it wrote, unless something else wrote another one. A
    /// trigger may write the same rows again, such as the date of the last change; and rows that triggers have added.
    fn look_beyond(&mut self, writes: Writes, table: &str, own: u64) -> Result<(), Fault> {
        if writes == Writes::Adds {
            *self.added.entry(table.to_owned()).or_default() += own;
        }
        // A row that was changed and then deleted is a deleted one.
        let sql = format!(
            "SELECT s.host, s.op = {GONE}, count(*), \
             count(*) FILTER (WHERE NOT EXISTS (SELECT 1 FROM temp.{CAME} AS c WHERE c.host = s.host AND c.row = s.row)) \
             FROM temp.{SEEN} AS s WHERE s.op = {GONE} OR NOT EXISTS \
             (SELECT 1 FROM temp.{SEEN} AS g WHERE g.host = s.host AND g.op = {GONE} AND g.row = s.row) GROUP BY s.host, s.op"
        );
        let session: &mut dyn Session = self;
        let seen: Vec<(String, bool, u64, u64)> = session
            .rows(&sql, &[], |row| Ok((host(row)?, row.flag(1)?, row.natural(2)?, row.natural(3)?)))?;
        for (host, is_gone, all, old) in &seen {
            let is_own = host == table
                && match writes {
                    Writes::Adds => false,
                    Writes::Changes => !is_gone,
                    Writes::Deletes => *is_gone,
                };
            let beyond = if is_own { all.saturating_sub(own) } else { *old };
            if beyond > 0 {
                *self.beyond.entry(host.clone()).or_default() += beyond;
            }
        }
        if !seen.is_empty() {
            self.run(&format!("DELETE FROM temp.{SEEN}"), &[])?;
        }
        Ok(())
    }

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
        work(&connection, &mut SqliteSession::new(&connection));
    }

    fn rows(session: &mut dyn Session) -> u64 {
        session.one("SELECT count(*) FROM t", &[], |row| row.natural(0)).unwrap()
    }

    /// The guard: what a statement of ours does is its own, and whatever a trigger or a foreign key does besides is seen.
    #[test]
    fn what_triggers_do_beyond_a_statement_is_counted() {
        let tables = "PRAGMA foreign_keys = ON;
            CREATE TABLE a (id INTEGER PRIMARY KEY, x, friend INTEGER, at);
            CREATE TABLE b (code TEXT PRIMARY KEY, a INTEGER REFERENCES a ON DELETE CASCADE, x) WITHOUT ROWID;
            CREATE TABLE q (e);
            CREATE VIEW v AS SELECT * FROM b;
            INSERT INTO a VALUES (1, 'x', 2, 0), (2, 'y', 1, 0), (3, 'z', NULL, 0);
            INSERT INTO b VALUES ('b1', 1, 'x'), ('b2', 2, 'y'); INSERT INTO q VALUES ('e');";
        let seen = |triggers: &str, sql: &str| {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(&format!("{tables}{triggers}")).unwrap();
            let session: &mut dyn Session = &mut SqliteSession::new(&connection);
            for (n, (table, key)) in [("main.\"a\"", "id"), ("main.\"b\"", "code")].into_iter().enumerate() {
                for create in SqliteDialect.note_changed(n, table, &[key.to_owned()]) {
                    session.execute(&create, &[]).unwrap();
                }
            }
            let mut transaction = session.transaction(Purpose::Write).unwrap();
            transaction.execute(sql, &[]).unwrap();
            let names = ["main.\"a\"".to_owned(), "main.\"b\"".to_owned()];
            let by = transaction.by_triggers(&names).unwrap();
            let by = by.iter().map(|(table, by)| format!("{table} +{} ~{}", by.added, by.changed));
            by.collect::<Vec<_>>().join(", ").replace(['"'], "").replace("main.", "")
        };
        let renames = "UPDATE main.\"a\" SET x = 'new' WHERE id = 1";
        let trigger = |body: &str| format!("CREATE TRIGGER t AFTER UPDATE OF x ON a BEGIN {body}; END;");
        for (body, wanted) in [
            ("SELECT 1", ""),
            ("UPDATE a SET at = 1 WHERE id = new.id", ""),
            ("UPDATE a SET at = 1 WHERE id = new.friend", "a +0 ~1"),
            ("UPDATE a SET at = 1", "a +0 ~2"),
            ("DELETE FROM a WHERE id = new.id", "a +0 ~1, b +0 ~1"),
            ("DELETE FROM a WHERE id = 3", "a +0 ~1"),
            ("UPDATE b SET x = old.x WHERE code = 'b2'", "b +0 ~1"),
            (
                "INSERT INTO b VALUES ('b2', 1, old.x) ON CONFLICT (code) DO UPDATE SET x = excluded.x",
                "b +0 ~1",
            ),
            (
                "INSERT INTO b VALUES ('b3', 1, old.x) ON CONFLICT (code) DO UPDATE SET x = excluded.x",
                "b +1 ~0",
            ),
            ("INSERT OR IGNORE INTO b VALUES ('b2', 1, old.x)", ""),
            (
                "INSERT INTO b VALUES ('b3', 1, old.x); UPDATE OR ABORT b SET x = 1 WHERE code = 'b3'",
                "b +1 ~0",
            ),
            (
                "UPDATE OR ABORT a SET at = 1 WHERE id = new.id; UPDATE OR ABORT a SET at = 2 WHERE id = new.id",
                "",
            ),
            ("UPDATE q SET e = old.x", ""),
        ] {
            assert_eq!(seen(&trigger(body), renames), wanted, "{body}");
        }
        let through =
            "CREATE TRIGGER vv AFTER UPDATE ON q BEGIN UPDATE b SET x = new.e WHERE code = 'b2'; END;";
        assert_eq!(seen(&format!("{through}{}", trigger("UPDATE q SET e = old.x")), renames), "b +0 ~1");
        let view = "CREATE TRIGGER vv INSTEAD OF UPDATE ON v BEGIN UPDATE b SET x = new.x WHERE code = old.code; END;";
        assert_eq!(seen(&format!("{view}{}", trigger("UPDATE v SET x = old.x")), renames), "b +0 ~2");
        let deletes = "DELETE FROM main.\"a\" WHERE id = 1";
        assert_eq!(seen("", deletes), "b +0 ~1", "the foreign key deletes it");
        let soft = "CREATE TRIGGER t BEFORE DELETE ON a BEGIN UPDATE a SET at = 1 WHERE id = old.id; END;";
        assert_eq!(seen(soft, "DELETE FROM main.\"a\" WHERE id = 3"), "");
        let adds = "INSERT INTO main.\"a\" (id) SELECT 9";
        assert_eq!(
            seen(
                "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET at = 1 WHERE id = new.id; END;",
                adds
            ),
            ""
        );
        assert_eq!(
            seen("CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET at = 1; END;", adds),
            "a +0 ~3"
        );
    }

    #[test]
    fn a_statement_tells_to_which_table_it_writes() {
        assert_eq!(
            written("UPDATE main.\"a \"\" b\" SET x = \"y\""),
            Some((Writes::Changes, "main.\"a \"\" b\""))
        );
        assert_eq!(written("DELETE FROM main.\"a\" WHERE x"), Some((Writes::Deletes, "main.\"a\"")));
        assert_eq!(written("INSERT INTO main.\"a\" (x) SELECT 1"), Some((Writes::Adds, "main.\"a\"")));
        for other in [
            "INSERT INTO temp.a SELECT 1",
            "SELECT 1",
            "UPDATE main.\"a",
            "INSERT OR IGNORE INTO temp.x (a) SELECT 1",
        ] {
            assert_eq!(written(other), None, "{other}");
        }
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
