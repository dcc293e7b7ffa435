//! A store over an existing PostgreSQL database. It works with sets of rows, in one transaction per batch.
//!
//! [`sql`](super::sql) defines what is done. This module adds what only PostgreSQL has: its connections, its types,
//! its schema.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::sql::{
    Fault, Frame, MapDraft, Note, Samples, SqlMap, Trouble, date_forms, document_shapes, draft,
};
use super::{Beside, StoreError};

use computed::Computing;
use session::{Limits, PostgresSession, Shared};

mod cells;
mod computed;
mod dialect;
mod ending;
pub(crate) mod fault;
mod introspect;
mod own;
mod ports;
mod scrub;
mod session;
mod settle;
mod types;

/// How many times a transaction is tried if it fails in a conflict with another one.
const ATTEMPTS: u32 = 5;

/// Customers in a PostgreSQL database, described by a [`SqlMap`]. It is made for PostgreSQL 14 or later, and tested
/// on 15.
///
/// The host creates the pool and chooses its TLS. Each call takes a connection from the pool and returns it. A batch
/// of customers is one transaction. The number of its statements depends on the number of record classes, and not on
/// the number of rows.
///
/// ```no_run
/// use deadpool_postgres::tokio_postgres::NoTls;
/// use deadpool_postgres::{Config, Runtime};
/// use relinquish::{PostgresStore, SqlMap};
///
/// # async fn open(map: SqlMap) -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = Config::new();
/// config.url = Some("postgresql://eraser@localhost/shop".to_owned());
/// let pool = config.create_pool(Some(Runtime::Tokio1), NoTls)?;
/// let store = PostgresStore::over(pool, &map).await?;
/// # drop(store);
/// # Ok(())
/// # }
/// ```
///
/// | what | how |
/// |---|---|
/// | a table | `orders` for a table of the search path, `archive.orders` for any other |
/// | a view | cannot be mapped: map its tables instead |
/// | a partitioned table | is one table; its partitions are not mapped |
/// | a key | the primary key, or a unique index without NULL. A table without either cannot be mapped |
/// | transactions | `REPEATABLE READ`. The customers' rows are locked and compared before anything is written |
/// | a transaction that fails in a conflict with another one | is tried up to five times |
/// | a connection that is cut during COMMIT | the server is asked over another connection whether the transaction was committed |
/// | row-level security | is turned off for the transaction: a role gets an error if a policy would hide rows from it |
/// | triggers | before a commit the server's own counts show to which tables they wrote. If the map does not expect one of these tables, the transaction is undone |
/// | a pooler such as `PgBouncer` | works in transaction mode, because nothing lives longer than a transaction |
///
/// The role needs `TEMPORARY` on the database, because the store keeps its results in temporary tables of the
/// transaction. `track_counts` has to be on, which is the default.
///
/// One store works on one batch at a time. Several processes, or several stores, share the work.
#[derive(Debug)]
pub struct PostgresStore {
    pool: Pool,
    frame: Arc<Frame>,
    shared: Arc<Shared>,
    computing: Computing,
    limits: Limits,
    /// A lock that lets only one call work at a time.
    turn: Arc<Mutex<()>>,
}

impl PostgresStore {
    /// Opens the database with a pool of the host, and checks the map against the live schema.
    ///
    /// # Errors
    /// [`StoreError::Map`] with all differences together: tables and columns that do not exist, columns that are not
    /// classified, and tables with a foreign key to a customer that are neither mapped nor ignored.
    /// [`StoreError::Unavailable`] if no connection can be made.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn over(pool: Pool, map: &SqlMap) -> Result<Self, StoreError> {
        map.is_of_root()?;
        Self::on(pool, map).await
    }

    /// Opens a database beside the root store. Its map has `[beside]` instead of `[customers]`.
    ///
    /// # Errors
    /// As [`over`](Self::over); also for a map with `[customers]`.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn beside(pool: Pool, map: &SqlMap) -> Result<Beside<Self>, StoreError> {
        map.is_beside()?;
        Ok(Beside::new(Self::on(pool, map).await?))
    }

    async fn on(pool: Pool, map: &SqlMap) -> Result<Self, StoreError> {
        let doing = "opening the database";
        let limits = Limits::default();
        let (shared, map) = (Arc::new(Shared::default()), map.clone());
        let frame = {
            let (pool, shared, handle) = (pool.clone(), Arc::clone(&shared), Handle::current());
            blocking(move || {
                let mut session = PostgresSession::new(handle, pool, &shared, limits, None);
                session.check_server().map_err(|fault| fault.into_error(doing))?;
                Frame::new(&mut session, &map, doing)
            })
            .await
            .unwrap_or_else(|| Err(Fault::Other(STOPPED.to_owned()).into_error(doing)))?
        };
        shared.expect(&frame.watch.map, &frame.bound);
        let forms = date_forms(&frame.bound).into();
        let shapes = document_shapes(&frame.bound).into();
        let computing = Computing { bench: Arc::clone(&frame.bench), forms, shapes };
        let (frame, turn) = (Arc::new(frame), Arc::new(Mutex::new(())));
        Ok(Self { pool, frame, shared, computing, limits, turn })
    }

    /// Drafts the map of a database whose customers are in a table, as
    /// [`MapDraft`] shows. Nothing is written.
    ///
    /// # Errors
    /// The database cannot be read, it has no such table, or the table has no primary key.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn draft(pool: Pool, customers: &str, samples: Samples) -> Result<MapDraft, StoreError> {
        let doing = "drafting a map";
        let limits = Limits::default();
        let (shared, handle, customers) =
            (Arc::new(Shared::default()), Handle::current(), customers.to_owned());
        blocking(move || {
            let mut session = PostgresSession::new(handle, pool, &shared, limits, None);
            session.check_server().map_err(|fault| fault.into_error(doing))?;
            draft(&mut session, &customers, samples, doing)
        })
        .await
        .unwrap_or_else(|| Err(Fault::Other(STOPPED.to_owned()).into_error(doing)))
    }

    /// Sets the longest time that a statement waits for a lock. The default is five seconds.
    #[must_use]
    pub fn lock_timeout(mut self, limit: Duration) -> Self {
        self.limits.lock = limit;
        self
    }

    /// Sets the longest time that a statement may take. The default is five minutes.
    #[must_use]
    pub fn statement_timeout(mut self, limit: Duration) -> Self {
        self.limits.statement = limit;
        self
    }

    /// Notes about a valid map, from the time when the store was opened: columns that `rest` covers, links without an
    /// index, links to tables that are not mapped, and owners that are further away than another customer.
    pub fn notes(&self) -> &[Note] {
        &self.frame.bound.notes
    }

    /// The changes of the database's schema since the store was opened that matter to the map, as sentences. The list
    /// is empty if nothing has changed.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn drift(&self) -> Result<Vec<String>, StoreError> {
        self.call("comparing the schema", |frame, session| frame.drift(session)).await
    }

    /// Runs work on a connection of the pool, on a thread that may block. Work that was started is finished, even if
    /// nobody waits for its answer any more.
    async fn call<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl Fn(&Frame, &mut PostgresSession<'_>) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (pool, shared, handle) = (self.pool.clone(), Arc::clone(&self.shared), Handle::current());
        let (frame, computing, limits) = (Arc::clone(&self.frame), self.computing.clone(), self.limits);
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let worked = blocking(move || {
            let mut session = PostgresSession::new(handle, pool, &shared, limits, Some(computing));
            let mut attempt = 0;
            let worked = loop {
                let worked = work(&frame, &mut session);
                attempt += 1;
                if worked.is_ok() || !session.is_again || attempt == ATTEMPTS {
                    break worked;
                }
                std::thread::sleep(Duration::from_millis(10 << attempt));
            };
            drop(turn);
            worked
        });
        let stopped = || Err(Fault::Other(STOPPED.to_owned()).into());
        let worked: Result<T, Trouble> = worked.await.unwrap_or_else(stopped);
        worked.map_err(|trouble| trouble.into_error(doing, &self.frame.bound))
    }
}

const STOPPED: &str = "the thread of the database has stopped";

/// Runs work on a thread that may block. `None` if the work panicked.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
