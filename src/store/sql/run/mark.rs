//! The mark of the ledger, in a table that the host has made.

use super::Frame;
use crate::data_map::Value;
use crate::digest::Digest;
use crate::store::Mark;
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::session::{Purpose, Session};

/// The name of the table.
pub(crate) const MARK: &str = "relinquish_mark";

/// The statement that makes the table for the [mark](crate::store::KeepsMark) of the ledger. Add it to the migrations
/// of your own database.
pub const MARK_TABLE: &str = "CREATE TABLE relinquish_mark (\n    \
     id INTEGER PRIMARY KEY CHECK (id = 1),\n    entry BIGINT NOT NULL,\n    leaf TEXT\n)";

/// There is no table for the mark, or it has other columns.
pub(crate) struct NoTable;

impl Frame {
    /// The mark. `None` if there was never one, and an error if there is no table for it.
    pub(crate) fn ledger_mark(
        &self,
        session: &mut dyn Session,
    ) -> Result<Result<Option<Mark>, NoTable>, Trouble> {
        let mut transaction = session.transaction(Purpose::Read)?;
        let mark = self.read_mark(&mut *transaction)?;
        transaction.commit()?;
        Ok(mark)
    }

    fn read_mark(&self, session: &mut dyn Session) -> Result<Result<Option<Mark>, NoTable>, Trouble> {
        let sql = format!("SELECT entry, leaf FROM {} WHERE id = 1", self.bound.dialect.table(MARK));
        match session.prepare(&sql) {
            Err(Fault::Other(_)) => return Ok(Err(NoTable)),
            other => other?,
        }
        let unreadable = || Fault::Other(format!("{MARK}.leaf holds no digest"));
        let mut marks = session.rows(&sql, &[], |row| {
            let leaf = match row.cell(1)?.to_value() {
                Value::Null => None,
                Value::Text(text) => Some(text.parse::<Digest>().map_err(|_| unreadable())?),
                _ => return Err(unreadable()),
            };
            Ok(Mark { entry: row.natural(0)?, leaf })
        })?;
        Ok(Ok(marks.pop()))
    }

    /// Raises the mark, unless it is lower than `from`.
    pub(crate) fn raise_ledger_mark(
        &self,
        session: &mut dyn Session,
        from: u64,
        to: Mark,
    ) -> Result<Result<bool, NoTable>, Trouble> {
        let mut transaction = session.transaction(Purpose::Write)?;
        let present = match self.read_mark(&mut *transaction)? {
            Ok(present) => present,
            Err(no_table) => return Ok(Err(no_table)),
        };
        if present.map_or(0, |mark| mark.entry) < from {
            return Ok(Ok(false));
        }
        let dialect = self.bound.dialect;
        let (table, first, second) = (dialect.table(MARK), dialect.parameter(1), dialect.parameter(2));
        let sql = match present {
            Some(mark) if mark.entry >= to.entry => return Ok(Ok(true)),
            Some(_) => {
                let sets = [("entry".to_owned(), first), ("leaf".to_owned(), second)];
                dialect.update(&table, MARK, &sets, &format!("{MARK}.id = 1"))
            }
            None => dialect.insert(&table, "id, entry, leaf", &format!("SELECT 1, {first}, {second}")),
        };
        let entry = i64::try_from(to.entry).map_err(|_| Fault::Other("the mark is too large".to_owned()))?;
        let leaf = to.leaf.map_or(Value::Null, |leaf| Value::Text(leaf.to_string()));
        transaction.execute(&sql, &[Value::Integer(entry), leaf])?;
        transaction.commit()?;
        Ok(Ok(true))
    }
}
