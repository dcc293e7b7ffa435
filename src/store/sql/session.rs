//! The port that executes statements: one connection of a database. It is synchronous, on a thread that may wait.
//!
//! The control flow of counting and erasing is plain code over a [`Session`], and exists once. SQLite's session runs
//! on the thread that owns the connection. A database with an asynchronous client runs its session on a blocking
//! thread that waits for it.

use std::ops::{Deref, DerefMut};

use chrono::NaiveDate;

use super::cell::Cell;
use super::dialect::Dialect;
use super::fault::Fault;
use super::schema::Schema;
use crate::data_map::Value;

/// The purpose of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Reads one consistent state.
    Read,
    /// Takes the write lock at once, so that what was read stays true until it is written.
    Write,
    /// As `Write`, but foreign keys are checked when the transaction commits.
    Erase,
}

/// The numbers of rows to which triggers did something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ByTriggers {
    pub(crate) added: u64,
    /// Rows that were changed or deleted.
    pub(crate) changed: u64,
}

/// A connection that executes statements.
pub(crate) trait Session {
    /// Begins a transaction. Call it only through [`Transaction`].
    fn begin(&mut self, purpose: Purpose) -> Result<(), Fault>;

    fn commit(&mut self) -> Result<(), Fault>;

    /// Undoes the transaction, if one is open. A database may have undone it already.
    fn rollback(&mut self) -> Result<(), Fault>;

    /// Runs a statement. Returns the number of rows that it wrote.
    ///
    /// The statement is cached in prepared form, because the same text is used again. If it cannot be prepared, the
    /// fault is [`Fault::Other`] with the database's own words. They quote the statement and contain no value.
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, Fault>;

    /// Runs statements that delete, so that foreign keys between their rows are checked when all rows are gone.
    /// Returns the number of rows of each statement. SQLite checks foreign keys when the transaction commits, so it
    /// runs them one after the other.
    fn delete_together(&mut self, statements: &[&str]) -> Result<Vec<u64>, Fault> {
        statements.iter().map(|sql| self.execute(sql, &[])).collect()
    }

    /// Runs a statement and passes each of its rows to a closure.
    fn query(
        &mut self,
        sql: &str,
        parameters: &[Value],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), Fault>,
    ) -> Result<(), Fault>;

    /// Prepares a statement without running it, to check that the database accepts it.
    fn prepare(&mut self, sql: &str) -> Result<(), Fault>;

    /// A number that changes with each change of the schema.
    fn schema_version(&mut self) -> Result<i64, Fault>;

    /// A text that tells the database from others. `None` if nothing can: a database in memory.
    fn database(&mut self) -> Result<Option<String>, Fault>;

    /// What triggers and foreign keys did to tables of the host in this transaction: the rows beyond those that statements
    /// of this session wrote, for each of these tables. Tables to which they did nothing are left out.
    fn by_triggers(&mut self, tables: &[String]) -> Result<Vec<(String, ByTriggers)>, Fault>;

    /// A foreign key of a table that leads nowhere at present, by its columns. For an error at the end of a
    /// transaction, while the transaction is open. A database whose own error names the table has no need of this.
    fn broken_link(&mut self, _table: &str) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    /// The SQL dialect.
    fn dialect(&self) -> &'static dyn Dialect;

    /// The live schema.
    fn schema(&mut self) -> Result<Schema, Fault>;
}

impl dyn Session + '_ {
    /// Begins a transaction that is undone unless it is committed.
    pub(crate) fn transaction(&mut self, purpose: Purpose) -> Result<Transaction<'_>, Fault> {
        let transaction = Transaction { session: self, is_open: true };
        transaction.session.begin(purpose)?;
        Ok(transaction)
    }

    /// The rows of a statement, one by one.
    pub(crate) fn rows<T>(
        &mut self,
        sql: &str,
        parameters: &[Value],
        mut read: impl FnMut(&dyn Row) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut list = Vec::new();
        self.query(sql, parameters, &mut |row| {
            list.push(read(row)?);
            Ok(())
        })?;
        Ok(list)
    }

    /// The result of a statement that returns one row.
    pub(crate) fn one<T>(
        &mut self,
        sql: &str,
        parameters: &[Value],
        read: impl FnMut(&dyn Row) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let first = self.rows(sql, parameters, read)?.into_iter().next();
        first.ok_or_else(|| Fault::Other("a query gave no row".to_owned()))
    }
}

/// A row of a result. Columns are counted from 0.
pub(crate) trait Row {
    fn cell(&self, column: usize) -> Result<Cell<'_>, Fault>;
}

impl dyn Row + '_ {
    /// A non-negative whole number.
    pub(crate) fn natural<T: TryFrom<i64>>(&self, column: usize) -> Result<T, Fault> {
        match self.cell(column)? {
            Cell::Integer(number) => {
                T::try_from(number).map_err(|_| Fault::Other("a number was out of range".to_owned()))
            }
            _ => Err(unexpected(column, "whole number")),
        }
    }

    /// A day, counted from the year 1; or NULL.
    pub(crate) fn day(&self, column: usize) -> Result<Option<NaiveDate>, Fault> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Integer(number) => {
                let day = i32::try_from(number).ok().and_then(NaiveDate::from_num_days_from_ce_opt);
                day.map(Some).ok_or_else(|| Fault::Other("a day was out of range".to_owned()))
            }
            _ => Err(unexpected(column, "day")),
        }
    }

    /// Whether a condition is true.
    pub(crate) fn flag(&self, column: usize) -> Result<bool, Fault> {
        match self.cell(column)? {
            Cell::Integer(number) => Ok(number != 0),
            _ => Err(unexpected(column, "condition")),
        }
    }
}

fn unexpected(column: usize, wanted: &str) -> Fault {
    Fault::Other(format!("column {} of a result holds no {wanted}", column + 1))
}

/// A transaction that is undone when it is dropped without a commit.
pub(crate) struct Transaction<'s> {
    session: &'s mut (dyn Session + 's),
    is_open: bool,
}

impl Transaction<'_> {
    pub(crate) fn commit(mut self) -> Result<(), Fault> {
        self.try_commit()
    }

    /// Commits. The transaction stays open if that fails.
    pub(crate) fn try_commit(&mut self) -> Result<(), Fault> {
        self.session.commit()?;
        self.is_open = false;
        Ok(())
    }
}

impl<'s> Deref for Transaction<'s> {
    type Target = dyn Session + 's;

    fn deref(&self) -> &Self::Target {
        self.session
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.session
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // If the rollback fails, the next transaction cannot begin, and that error is reported.
            drop(self.session.rollback());
        }
    }
}
