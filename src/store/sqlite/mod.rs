//! A store over an SQLite database that a host has already: set by set, one transaction a batch.
//!
//! What is done is said in [`sql`](super::sql). Here is what only SQLite has: its connection, its functions, its schema.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use super::StoreError;
use super::sql::{Fault, Frame, Note, Session, SqlMap, Trouble};
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
/// The database is worked on by one connection on a thread of its own: one that the store [opens](Self::open), with a busy
/// time-out of five seconds, or one that the host has opened and [hands over](Self::over). Foreign keys and `secure_delete` are
/// on. A batch of customers is one transaction, and the number of its statements depends on the record classes, not on the rows.
#[derive(Debug)]
pub struct SqliteStore {
    worker: Worker,
    frame: Arc<Frame>,
}

impl SqliteStore {
    /// Opens a database and holds the map against its live schema.
    ///
    /// # Errors
    /// [`StoreError::Map`] with everything that does not fit, at once: tables and columns that do not exist,
    /// columns that nobody classified, tables that a foreign key ties to a customer and nobody mapped or
    /// ignored. Otherwise that the file is missing, locked, read-only or no database.
    pub fn open(path: impl AsRef<Path>, map: &SqlMap) -> Result<Self, StoreError> {
        let doing = "opening the database";
        let connection = sqlite::open(path.as_ref(), false).map_err(|fault| fault.into_error(doing))?;
        Self::on(connection, map, doing)
    }

    /// Works over a connection that the host has opened: in memory, encrypted, over a VFS of its own, with pragmas, functions
    /// and collations that the database needs. The connection is the store's from now on, and moves to the store's own thread.
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
    /// | of the connection | |
    /// |---|---|
    /// | `foreign_keys`, `secure_delete` of the main database | are turned on: an erasure relies on both |
    /// | `temp_store` | becomes `MEMORY`, so that no key of a customer comes into a file beside the database |
    /// | an open transaction | is refused: no erasure is a part of a transaction of the host's |
    /// | a read-only database, `query_only` | is refused |
    /// | `journal_mode = OFF`, triggers turned off | is refused: nothing could be undone, a full-text index would keep what is erased |
    /// | tables, views and triggers in `temp` | are refused: they stand before the database's own, and would run with each erasure |
    /// | functions whose names begin with `relinquish_` | are refused |
    /// | time-out, busy handler | stay. Where the host set neither, another one who writes is an error at once: [`StoreError::Busy`] |
    /// | functions, collations, hooks, authorizer, tracer | stay, and see the store's statements; a tracer that expands them sees keys |
    /// | attached databases | stay. Scalar SQL of the map can read them; nothing in them is looked at or erased, and erasing takes their write locks too |
    /// | everything else, such as the journal's mode and `synchronous` | stays |
    ///
    /// # Errors
    /// [`StoreError::Connection`] with what keeps the connection from being used, [`StoreError::ReadOnly`], and what
    /// [`open`](Self::open) gives.
    pub fn over(connection: Connection, map: &SqlMap) -> Result<Self, StoreError> {
        Self::on(connection, map, "taking over the connection")
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

    /// What a person should know of the map although it fits: columns that `rest` covers, links without an index, links to
    /// tables that nobody mapped, and owners that are further away than another customer. As it was when the store was opened.
    pub fn notes(&self) -> &[Note] {
        &self.frame.bound.notes
    }

    /// Does a piece of work over the database, on the connection's thread.
    async fn call<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Frame, &mut dyn Session) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.call_connection(doing, |frame, connection| work(frame, &mut SqliteSession { connection })).await
    }

    /// The same of what only SQLite has.
    async fn call_connection<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Frame, &mut Connection) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreError> {
        let frame = Arc::clone(&self.frame);
        let worked: Result<T, Trouble> = self.worker.call(move |connection| work(&frame, connection)).await;
        worked.map_err(|trouble| trouble.into_error(doing, &self.frame.bound))
    }

    /// What has changed in the database's schema since the store was opened, as far as it matters to the map: a list of
    /// sentences, empty where everything is as it was.
    ///
    /// Every count and every erasure asks the same by itself, and stops with [`StoreError::Drift`] where the list is not
    /// empty. The store has to be opened again then.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn drift(&self) -> Result<Vec<String>, StoreError> {
        self.call("comparing the schema", |frame, session| frame.drift(session)).await
    }
}
