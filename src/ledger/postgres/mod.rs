//! Case book and ledger in a PostgreSQL database: for several processes, on one machine or on many.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deadpool_postgres::Pool;

use super::lease_clock::LeaseClock;
use super::{
    CaseBook, CaseEvent, Claimed, ClosedCase, Entry, EntryBody, Fence, Find, Lease, Ledger, LedgerError,
    ListedCase, NewCase, OpenedCases,
};
use crate::digest::Digest;
use crate::plan::CaseId;
use crate::treatment::Treatment;

use connection::{Limits, Purpose};

mod book;
mod connection;
mod entries;
mod format;
mod holds;
mod ration;
mod register;
mod suppression;
#[cfg(feature = "checkpoints")]
mod tree;

/// Case book and ledger in a PostgreSQL database, in a separate schema. For PostgreSQL 14 or later; tested on 15.
///
/// Any number of processes on any number of machines share the work. Keep this database out of the backups of the
/// customers: a restore of customers must not remove the proof that they were erased.
///
/// The host makes the pool, with its own TLS settings. Each call takes a connection from the pool and returns it. A
/// call is one transaction. Its number of statements does not depend on the number of cases, only on the number of
/// different treatments among them.
///
/// ```no_run
/// use deadpool_postgres::tokio_postgres::NoTls;
/// use deadpool_postgres::{Config, Runtime};
/// use relinquish::PostgresLedger;
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = Config::new();
/// config.url = Some("postgresql://eraser@localhost/erasures".to_owned());
/// let pool = config.create_pool(Some(Runtime::Tokio1), NoTls)?;
/// let ledger = PostgresLedger::open(pool).await?;
/// # drop(ledger);
/// # Ok(())
/// # }
/// ```
///
/// | what | how |
/// |---|---|
/// | tables | [`open`](Self::open) creates and migrates them, in the schema `relinquish` |
/// | the role | must own the schema, or have `CREATE` on the database for the first `open`; it then owns its tables |
/// | leases | use the server's clock |
/// | claims | skip cases that another worker has locked at that moment |
/// | numbers of entries | have no gaps: one row has the last number, and each transaction that appends locks this row |
/// | a transaction that conflicts with another one | is tried up to eight times |
/// | a connection that is lost during COMMIT | the server is asked over another connection whether the transaction was committed |
/// | entries | triggers refuse every change, every deletion and `TRUNCATE` |
/// | a pooler such as `PgBouncer` | works in transaction mode: there is no session state, and no prepared statement has a name |
///
/// Closed cases are deleted from the case book. But PostgreSQL keeps the old bytes in its files until the table is
/// rewritten (`VACUUM FULL`). It also keeps them in the write-ahead log and its archive, as long as these are kept.
#[derive(Debug)]
pub struct PostgresLedger {
    pool: Pool,
    /// The schema, in quotes.
    schema: String,
    clock: Option<LeaseClock>,
    limits: Limits,
}

impl PostgresLedger {
    /// Opens the ledger in the schema `relinquish`. Creates schema and tables if they do not exist.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] if no connection can be made. [`LedgerError::Corrupt`] if the schema exists and is no
    /// ledger. [`LedgerError::Newer`] if a later release wrote it. [`LedgerError::Failed`] if the server is older than
    /// 14, or if the role may not create the tables.
    ///
    /// # Panics
    /// Panics outside a Tokio runtime, like the pool.
    pub async fn open(pool: Pool) -> Result<Self, LedgerError> {
        Self::open_in(pool, "relinquish").await
    }

    /// Opens the ledger in another schema, so that one database can hold several ledgers.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_in(pool: Pool, schema: &str) -> Result<Self, LedgerError> {
        let limits = Limits { lock: Duration::from_secs(30), statement: Duration::from_secs(60) };
        let quoted = format!("\"{}\"", schema.replace('"', "\"\""));
        let ledger = Self { pool, schema: quoted, clock: None, limits };
        ledger.prepare(schema, &format::FORMATS).await?;
        Ok(ledger)
    }

    /// Replaces the clock for the leases. The default is the server's clock. All processes on one ledger need the same
    /// clock.
    #[must_use]
    pub fn lease_clock(self, now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self { clock: Some(LeaseClock::by(now)), ..self }
    }

    /// Sets the longest time that a statement waits for a lock. The default is 30 seconds.
    #[must_use]
    pub fn lock_timeout(mut self, limit: Duration) -> Self {
        self.limits.lock = limit;
        self
    }

    /// Sets the longest time that a statement may take. The default is 60 seconds.
    #[must_use]
    pub fn statement_timeout(mut self, limit: Duration) -> Self {
        self.limits.statement = limit;
        self
    }

    fn clock(&self) -> Option<&LeaseClock> {
        self.clock.as_ref()
    }
}

#[async_trait]
impl CaseBook for PostgresLedger {
    async fn open(&self, cases: &[NewCase], lease: &Lease) -> Result<OpenedCases, LedgerError> {
        let given = (self.clock(), cases, lease);
        self.within("opening cases", Purpose::Write, &given, |on, (clock, cases, lease)| {
            Box::pin(book::open(on, *clock, cases, lease))
        })
        .await
    }

    async fn claim(&self, cases: &[CaseId], lease: &Lease) -> Result<Claimed, LedgerError> {
        let given = (self.clock(), cases, lease);
        self.within("claiming cases", Purpose::Write, &given, |on, (clock, cases, lease)| {
            Box::pin(book::claim(on, *clock, cases, lease))
        })
        .await
    }

    async fn record(&self, fence: Fence, events: &[CaseEvent]) -> Result<(), LedgerError> {
        if events.is_empty() {
            return Ok(());
        }
        let given = (self.clock(), fence, events);
        self.within("recording what happened", Purpose::Write, &given, |on, (clock, fence, events)| {
            Box::pin(book::record(on, *clock, *fence, events))
        })
        .await
    }

    async fn release(&self, fence: Fence, cases: &[CaseId]) -> Result<(), LedgerError> {
        self.within("giving cases back", Purpose::Write, &(fence, cases), |on, (fence, cases)| {
            Box::pin(book::release(on, *fence, cases))
        })
        .await
    }

    async fn list(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<ListedCase>, LedgerError> {
        let given = (self.clock(), after, limit);
        self.within("reading open cases", Purpose::Read, &given, |on, (clock, after, limit)| {
            Box::pin(book::list(on, *clock, *after, *limit))
        })
        .await
    }
}

#[async_trait]
impl Ledger for PostgresLedger {
    async fn close(&self, fence: Fence, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError> {
        self.within("closing cases", Purpose::Write, &(fence, cases), |on, (fence, cases)| {
            Box::pin(entries::close(on, *fence, cases))
        })
        .await
    }

    async fn append(&self, entries: &[EntryBody]) -> Result<Vec<Entry>, LedgerError> {
        super::of_no_case(entries)?;
        self.within("appending entries", Purpose::Write, &entries, |on, entries| {
            Box::pin(entries::append(on, entries))
        })
        .await
    }

    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        self.within("reading the ledger", Purpose::Read, &(after, limit), |on, (after, limit)| {
            Box::pin(entries::page(on, *after, *limit))
        })
        .await
    }

    async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError> {
        self.within("reading the ledger", Purpose::Read, &case, |on, case| {
            Box::pin(entries::of_case(on, case))
        })
        .await
    }

    async fn find(&self, find: &Find) -> Result<Vec<Entry>, LedgerError> {
        self.within("looking for entries", Purpose::Read, find, |on, find| Box::pin(entries::find(on, find)))
            .await
    }

    async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError> {
        self.within("reading a treatment", Purpose::Read, &digest, |on, digest| {
            Box::pin(book::treatment(on, *digest))
        })
        .await
    }

    async fn treatments(&self) -> Result<Vec<Arc<Treatment>>, LedgerError> {
        self.within("reading the treatments", Purpose::Read, &(), |on, ()| Box::pin(book::treatments(on)))
            .await
    }

    async fn last(&self) -> Result<u64, LedgerError> {
        self.within("reading the ledger", Purpose::Read, &(), |on, ()| Box::pin(entries::last(on))).await
    }
}
