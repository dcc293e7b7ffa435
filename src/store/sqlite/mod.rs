//! A store over an existing SQLite database. It works set by set, with one transaction per batch.
//!
//! [`sql`](super::sql) defines what is done. This module adds what only SQLite has: its connection, its functions,
//! its schema.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use super::sql::{Fault, Frame, MapDraft, Note, Samples, Session, SqlMap, Trouble, draft};
use super::{Beside, StoreError};
use crate::sqlite::{self, Worker};

use session::SqliteSession;

mod checks;
mod connection;
mod dialect;
mod functions;
mod introspect;
mod ports;
mod scrub;
mod session;
#[cfg(test)]
mod tests;

/// Customers in an SQLite database, described by a [`SqlMap`].
///
/// One connection on its own thread works on the database. Either the store [opens](Self::open) the connection, with
/// a busy time-out of five seconds, or the host opens it and [hands it over](Self::over). Foreign keys and
/// `secure_delete` are on. A batch of customers is one transaction. The number of its statements depends on the
/// record classes, not on the rows.
#[derive(Debug)]
pub struct SqliteStore {
    worker: Worker,
    frame: Arc<Frame>,
}

/// The size of the page cache of a connection that the store has opened itself, in KiB. Each batch is read several times:
/// it is counted, erased and read back. SQLite's own default of 2 MB does not hold the pages of a usual batch.
const CACHE: i64 = 16 << 10;

fn open(path: &Path) -> Result<Connection, Fault> {
    let connection = sqlite::open(path, false)?;
    // SQLite takes a negative number for KiB.
    connection.pragma_update(None, "cache_size", -CACHE)?;
    Ok(connection)
}

impl SqliteStore {
    /// Opens a database and checks the map against its live schema.
    ///
    /// # Errors
    /// [`StoreError::Map`] with everything that does not match, at once: tables and columns that do not exist,
    /// columns that nobody classified, and tables that a foreign key ties to a customer and that nobody mapped or
    /// ignored. Other errors: the file is missing, locked, read-only, or not a database.
    pub fn open(path: impl AsRef<Path>, map: &SqlMap) -> Result<Self, StoreError> {
        let doing = "opening the database";
        let connection = open(path.as_ref()).map_err(|fault| fault.into_error(doing))?;
        map.is_of_root()?;
        Self::on(connection, map, doing)
    }

    /// Opens a database beside the root store: its map has `[beside]` in place of `[customers]`.
    ///
    /// # Errors
    /// As [`open`](Self::open); also for a map with `[customers]`.
    pub fn beside(path: impl AsRef<Path>, map: &SqlMap) -> Result<Beside<Self>, StoreError> {
        let doing = "opening the database";
        let connection = open(path.as_ref()).map_err(|fault| fault.into_error(doing))?;
        map.is_beside()?;
        Ok(Beside::new(Self::on(connection, map, doing)?))
    }

    /// Drafts the map of a database whose customers are in a table: whose the records of every other table are, what
    /// each column holds, and what speaks for each guess. [`MapDraft`] shows one. Nothing is written.
    ///
    /// # Errors
    /// The database cannot be read; or it has no such table, or the table has no primary key.
    pub fn draft(path: impl AsRef<Path>, customers: &str, samples: Samples) -> Result<MapDraft, StoreError> {
        let doing = "drafting a map";
        let connection = sqlite::open(path.as_ref(), false).map_err(|fault| fault.into_error(doing))?;
        draft(&mut SqliteSession { connection: &connection }, customers, samples, doing)
    }

    /// Uses a connection that the host has opened: in memory, encrypted, with its own VFS, or with pragmas, functions
    /// and collations that the database needs. The connection then belongs to the store, and moves to the store's own
    /// thread.
    ///
    /// ```
    /// use relinquish::{SqlMap, SqliteStore};
    /// use rusqlite::Connection;
    /// use rusqlite::functions::FunctionFlags;
    ///
    /// let connection = Connection::open_in_memory()?;
    /// // The key of an encrypted file would be said here, before anything else.
    /// connection.create_scalar_function("is_code", 1, FunctionFlags::SQLITE_UTF8, |context| {
    ///     Ok(context.get::<Option<String>>(0)?.is_none_or(|code| code.len() == 4))
    /// })?;
    /// connection.execute_batch(
    ///     "CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT, code TEXT CHECK (is_code(code)));",
    /// )?;
    /// let map = SqlMap::from_toml(
    ///     r#"
    ///     version = 1
    ///     [customers]
    ///     table = "clients"
    ///     key = "id"
    ///     tenant = { is = "shop" }
    ///     deactivate = { none = "clients have no state" }
    ///     fields = { email = "email", code = "customer_number" }
    ///     "#,
    /// )?;
    /// let store = SqliteStore::over(connection, &map)?;
    /// # drop(store);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// | of the connection | what happens |
    /// |---|---|
    /// | `foreign_keys`, `secure_delete` of the main database | are turned on: an erasure needs both |
    /// | `temp_store` | becomes `MEMORY`, so that no customer key is written to a file beside the database |
    /// | an open transaction | is refused: an erasure must not be a part of the host's transaction |
    /// | a read-only database, `query_only` | is refused |
    /// | `journal_mode = OFF`, triggers turned off | is refused: nothing could be undone, and a full-text index would keep erased text |
    /// | tables, views and triggers in `temp` | are refused: they hide the database's own, and would run with each erasure |
    /// | functions whose names begin with `relinquish_` | are refused |
    /// | time-out, busy handler | stay. If the host set neither, another writer is an error at once: [`StoreError::Busy`] |
    /// | functions, collations, hooks, authorizer, tracer | stay, and see the store's statements. A tracer that expands statements sees keys |
    /// | attached databases | stay. Scalar SQL of the map can read them. Nothing in them is checked or erased, but an erasure takes their write locks, too |
    /// | everything else, such as the journal's mode and `synchronous` | stays |
    ///
    /// # Errors
    /// [`StoreError::Connection`] if the connection cannot be used, [`StoreError::ReadOnly`], and the errors of
    /// [`open`](Self::open).
    pub fn over(connection: Connection, map: &SqlMap) -> Result<Self, StoreError> {
        map.is_of_root()?;
        Self::on(connection, map, "taking over the connection")
    }

    /// As [`beside`](Self::beside), over a connection that the host has opened; see [`over`](Self::over).
    ///
    /// # Errors
    /// As [`over`](Self::over); also for a map with `[customers]`.
    pub fn beside_over(connection: Connection, map: &SqlMap) -> Result<Beside<Self>, StoreError> {
        map.is_beside()?;
        Ok(Beside::new(Self::on(connection, map, "taking over the connection")?))
    }

    fn on(connection: Connection, map: &SqlMap, doing: &'static str) -> Result<Self, StoreError> {
        connection::take_over(&connection, doing)?;
        let failed = |error: rusqlite::Error| Fault::from(error).into_error(doing);
        connection.set_prepared_statement_cache_capacity(1_024);
        let frame = Frame::new(&mut SqliteSession { connection: &connection }, map, doing)?;
        functions::register(&connection, &frame.bench).map_err(failed)?;
        functions::register_census(&connection, &frame.bound).map_err(failed)?;
        let worker = Worker::spawn(connection).map_err(|fault| fault.into_error(doing))?;
        Ok(Self { worker, frame: Arc::new(frame) })
    }

    /// Notes about a valid map, as of the time when the store was opened: columns that `rest` covers, links without
    /// an index, links to tables that nobody mapped, and owners that are further away than another customer.
    pub fn notes(&self) -> &[Note] {
        &self.frame.bound.notes
    }

    /// Runs work on the database, on the connection's thread.
    async fn call<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Frame, &mut dyn Session) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.call_connection(doing, |frame, connection| work(frame, &mut SqliteSession { connection })).await
    }

    /// The same, for work that needs SQLite's own connection.
    async fn call_connection<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Frame, &mut Connection) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreError> {
        let frame = Arc::clone(&self.frame);
        let worked: Result<T, Trouble> = self.worker.call(move |connection| work(&frame, connection)).await;
        worked.map_err(|trouble| trouble.into_error(doing, &self.frame.bound))
    }

    /// What has changed in the database's schema since the store was opened, as far as it matters to the map: a list
    /// of sentences. The list is empty if nothing has changed.
    ///
    /// Every count and every erasure makes the same check, and stops with [`StoreError::Drift`] if the list is not
    /// empty. Then open the store again.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn drift(&self) -> Result<Vec<String>, StoreError> {
        self.call("comparing the schema", |frame, session| frame.drift(session)).await
    }
}
