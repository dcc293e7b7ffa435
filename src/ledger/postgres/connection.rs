//! A transaction of the ledger, on a connection of the pool.

use std::future::Future;
use std::time::{Duration, Instant};

use deadpool_postgres::{Object, Pool, PoolError};
use futures_timer::Delay;
use futures_util::future::{self, BoxFuture, Either};
use futures_util::pin_mut;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row, SimpleQueryMessage};

use super::PostgresLedger;
use crate::ledger::LedgerError;
use crate::store::postgres::fault;
use crate::store::sql::{Constraint, ConstraintKind, Fault};

/// The maximum number of attempts of a transaction that conflicts with another transaction.
const ATTEMPTS: u32 = 8;

/// The time between the statement timeout on the server and the timeout on this side.
const GRACE: Duration = Duration::from_secs(10);

/// How long to ask the server for the result of a COMMIT during which the connection was lost.
const FATE: Duration = Duration::from_secs(10);

/// How long statements may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) lock: Duration,
    pub(super) statement: Duration,
}

/// What a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The transaction reads one consistent state.
    Read,
    /// The transaction writes. Rows are locked before they are compared.
    Write,
}

/// Why a transaction failed.
pub(super) enum Trouble {
    /// An error of the server or the connection.
    Server(fault::Trouble),
    /// The ledger itself.
    Ledger(LedgerError),
    /// Another transaction changed the rows that this transaction read. This transaction has to be repeated.
    Overtaken,
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Server(fault::Trouble::of(&error))
    }
}

impl Trouble {
    fn lost(what: &str) -> Self {
        Self::Server(fault::Trouble::lost(what))
    }

    fn is_lost(&self) -> bool {
        matches!(self, Self::Server(trouble) if trouble.is_lost)
    }

    /// Whether a retry of the transaction may succeed. For example, two workers may insert the same row at the same
    /// time, or one may reference a row that the other deletes.
    fn is_again(&self) -> bool {
        let Self::Server(trouble) = self else { return matches!(self, Self::Overtaken) };
        let overtaken = [ConstraintKind::Unique, ConstraintKind::ForeignKey];
        trouble.is_again
            || matches!(&trouble.fault, Fault::Constraint(Constraint { kind, .. }) if overtaken.contains(kind))
    }

    pub(super) fn into_error(self, doing: &'static str) -> LedgerError {
        let fault = match self {
            Self::Ledger(error) => return error,
            Self::Overtaken => Fault::Busy,
            Self::Server(trouble) => trouble.fault,
        };
        match fault {
            Fault::Busy => LedgerError::Busy { doing },
            Fault::ReadOnly => LedgerError::ReadOnly { doing },
            Fault::Corrupt => LedgerError::Corrupt { doing },
            Fault::NotFound => LedgerError::NotFound { doing },
            Fault::Lost(what) => LedgerError::Unavailable { doing, what },
            Fault::Drift(changes) => LedgerError::Failed { doing, what: changes.join("; ") },
            Fault::Constraint(Constraint { what, .. }) | Fault::Other(what) => {
                LedgerError::Failed { doing, what }
            }
        }
    }
}

/// A parameter of a statement, with its type.
pub(super) type Parameter<'p> = (&'p (dyn ToSql + Sync), Type);

/// An open transaction. If it is dropped, its connection is closed, and the server rolls it back.
pub(super) struct Transaction {
    client: Option<Object>,
    limits: Limits,
    /// The server's id of the transaction, if it writes.
    number: Option<String>,
}

impl Drop for Transaction {
    fn drop(&mut self) {
        drop(self.client.take().map(Object::take));
    }
}

impl Transaction {
    async fn begin(ledger: &PostgresLedger, purpose: Purpose) -> Result<Self, Trouble> {
        // The pool may contain connections that the server has closed. Each failed attempt removes one of them.
        let mut attempt = 0;
        loop {
            attempt += 1;
            match Self::begin_once(ledger, purpose).await {
                Err(trouble) if trouble.is_lost() && attempt <= ledger.pool.status().max_size => {}
                begun => return begun,
            }
        }
    }

    async fn begin_once(ledger: &PostgresLedger, purpose: Purpose) -> Result<Self, Trouble> {
        let limits = ledger.limits;
        let client = connection(&ledger.pool, limits.statement).await?;
        let (begins, number) = match purpose {
            Purpose::Read => ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", ""),
            Purpose::Write => {
                ("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", "; SELECT pg_current_xact_id()::text")
            }
        };
        let begins = format!(
            "{begins}; SET LOCAL search_path = {}, pg_temp; SET LOCAL client_min_messages = error; SET LOCAL jit = off; \
             SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}{number}",
            ledger.schema,
            limits.lock.as_millis(),
            limits.statement.as_millis()
        );
        let mut begun = Self { client: Some(client), limits, number: None };
        let answers = begun.wait(begun.client()?.simple_query(&begins)).await?;
        begun.number = answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        Ok(begun)
    }

    /// Waits for an answer of the server. After a timeout the connection counts as lost.
    async fn wait<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Trouble> {
        pin_mut!(answer);
        match future::select(answer, Delay::new(self.limits.statement + GRACE)).await {
            Either::Left((answer, _)) => Ok(answer?),
            Either::Right(_) => Err(Trouble::lost("the server did not answer in time")),
        }
    }

    fn client(&self) -> Result<&Object, Trouble> {
        self.client.as_ref().ok_or_else(|| Trouble::lost("there is no connection"))
    }

    /// Runs statements without parameters.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Trouble> {
        self.wait(self.client()?.batch_execute(sql)).await
    }

    /// Runs an unnamed statement, and reads its rows.
    pub(super) async fn rows(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Trouble> {
        self.wait(self.client()?.query_typed(sql, parameters)).await
    }

    async fn end(mut self, pool: &Pool) -> Result<(), Trouble> {
        let committed = self.batch("COMMIT").await;
        let number = self.number.take();
        match (&committed, number) {
            (Ok(()), _) => drop(self.client.take()),
            (Err(trouble), Some(number)) if trouble.is_lost() => {
                return fate(pool, self.limits, &number).await;
            }
            (Err(_), _) => {}
        }
        committed
    }

    async fn undo(mut self) {
        // If that fails, the connection is closed, and the server rolls the transaction back as well.
        if self.batch("ROLLBACK").await.is_ok() {
            drop(self.client.take());
        }
    }
}

async fn connection(pool: &Pool, limit: Duration) -> Result<Object, Trouble> {
    let get = pool.get();
    pin_mut!(get);
    match future::select(get, Delay::new(limit)).await {
        Either::Left((got, _)) => got.map_err(|error| match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Closed => Trouble::lost("the pool is closed"),
            _ => Trouble::lost("the pool gave no connection"),
        }),
        Either::Right(_) => Err(Trouble::lost("the pool gave no connection in time")),
    }
}

/// Finds out whether a transaction was committed, if the connection was lost during COMMIT. Asks the server over
/// another connection.
async fn fate(pool: &Pool, limits: Limits, number: &str) -> Result<(), Trouble> {
    let until = Instant::now() + FATE;
    while Instant::now() < until {
        match status(pool, limits, number).await.ok().flatten().as_deref() {
            Some("committed") => return Ok(()),
            Some("aborted") => return Err(Trouble::lost("the connection was cut, and nothing was written")),
            // "in progress": the server has not noticed the loss yet. `None`: the server cannot be reached yet.
            Some(_) | None => Delay::new(Duration::from_millis(100)).await,
        }
    }
    Err(Trouble::lost(
        "the connection was cut during COMMIT, and the server cannot say what became of the transaction",
    ))
}

async fn status(pool: &Pool, limits: Limits, number: &str) -> Result<Option<String>, Trouble> {
    let asks = Transaction { client: Some(connection(pool, limits.lock).await?), limits, number: None };
    let rows = asks.rows("SELECT pg_xact_status($1::text::xid8)", &[(&number, Type::TEXT)]).await?;
    let status = rows.first().map(|row| row.try_get(0)).transpose()?;
    // No transaction is open on this connection, so it can go back to the pool.
    let mut asks = asks;
    drop(asks.client.take());
    Ok(status.flatten())
}

impl PostgresLedger {
    /// Runs work in a transaction. Retries it after a conflict with another transaction.
    pub(super) async fn within<G: Sync, T: Send>(
        &self,
        doing: &'static str,
        purpose: Purpose,
        given: &G,
        work: for<'t> fn(&'t Transaction, &'t G) -> BoxFuture<'t, Result<T, Trouble>>,
    ) -> Result<T, LedgerError> {
        let mut attempt = 0;
        loop {
            let worked = self.once(purpose, given, work).await;
            attempt += 1;
            match worked {
                Err(trouble) if trouble.is_again() && attempt < ATTEMPTS => {
                    Delay::new(Duration::from_millis(5 << attempt)).await;
                }
                worked => return worked.map_err(|trouble| trouble.into_error(doing)),
            }
        }
    }

    async fn once<G: Sync, T: Send>(
        &self,
        purpose: Purpose,
        given: &G,
        work: for<'t> fn(&'t Transaction, &'t G) -> BoxFuture<'t, Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        let transaction = Transaction::begin(self, purpose).await?;
        match work(&transaction, given).await {
            Ok(worked) => transaction.end(&self.pool).await.map(|()| worked),
            Err(trouble) => {
                transaction.undo().await;
                Err(trouble)
            }
        }
    }
}
