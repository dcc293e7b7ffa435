//! A PostgreSQL connection as a [`Session`], on a thread that may block.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use futures_util::future::{self, Either};
use futures_util::{StreamExt as _, pin_mut};
use tokio::runtime::Handle;
use tokio_postgres::types::Type;

use super::cells::{self, Kind, Kinds, Parameter, Record, Unread};
use super::computed::{Computing, Refusals};
use super::dialect::{PARTS, PostgresDialect};
use super::fault::Trouble;
use super::{introspect, own};
use crate::data_map::Value;
use crate::hex;
use crate::store::sql::{Bound, ByTriggers, Cell, Dialect, Fault, Purpose, Row, Schema, Session, SqlMap};

/// The data that all sessions of a store share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    owns: Mutex<own::Owns>,
    kinds: Mutex<Kinds>,
    /// The search path with which the store was opened.
    search_path: Mutex<Option<String>>,
    /// Tables to which triggers may write: the map ignores them for a reason, or treats them after the triggers.
    pub(super) echoes: Mutex<BTreeSet<String>>,
}

impl Shared {
    /// Notes the tables to which triggers may write: those that the map ignores, and those that are treated again
    /// after the triggers.
    pub(super) fn expect(&self, map: &SqlMap, bound: &Bound) {
        let again = bound.classes.iter().filter(|class| class.is_written_by_triggers);
        let mut echoes = locked(&self.echoes);
        echoes.extend(again.map(|class| class.table.clone()));
        echoes.extend(map.ignored_tables().map(str::to_owned));
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long statements may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) lock: Duration,
    pub(super) statement: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { lock: Duration::from_secs(5), statement: Duration::from_secs(300) }
    }
}

/// Which database it is: the server's own number, the database and the schema.
const DATABASE: &str = "SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()), \
    (SELECT oid FROM pg_database WHERE datname = current_database()), \
    (SELECT oid FROM pg_namespace WHERE nspname = current_schema()))";

/// How long an answer is awaited after the server's own time limit for the statement.
const GRACE: Duration = Duration::from_secs(10);

pub(super) struct PostgresSession<'s> {
    handle: Handle,
    pool: Pool,
    client: Option<Object>,
    pub(super) shared: &'s Shared,
    limits: Limits,
    pub(super) computing: Option<Computing>,
    pub(super) open: Option<Open>,
    /// Whether the last fault may disappear when the transaction is repeated.
    pub(super) is_again: bool,
}

/// Rows that were written to a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Writes {
    pub(super) added: i64,
    /// Rows that were changed or deleted.
    pub(super) changed: i64,
}

/// An open transaction.
pub(super) struct Open {
    purpose: Purpose,
    /// The store's own tables and functions that the transaction has created.
    pub(super) has: BTreeSet<String>,
    /// The tables of the host to which it has written, with the rows that its own statements wrote.
    pub(super) written: BTreeMap<String, Writes>,
    /// The writes of earlier transactions, by table, that the server has not added to its counts yet.
    pub(super) before: BTreeMap<i64, Writes>,
    pub(super) refusals: Refusals,
    /// The state of computing for which results are known.
    pub(super) version: Option<u64>,
}

impl<'s> PostgresSession<'s> {
    pub(super) fn new(
        handle: Handle,
        pool: Pool,
        shared: &'s Shared,
        limits: Limits,
        computing: Option<Computing>,
    ) -> Self {
        Self { handle, pool, client: None, shared, limits, computing, open: None, is_again: false }
    }

    /// Checks that the server is new enough, and that it counts writes. These counts show what triggers wrote.
    pub(super) fn check_server(&mut self) -> Result<(), Fault> {
        let sql = "SELECT current_setting('server_version_num')::bigint, current_setting('server_version'),
                          current_setting('track_counts') = 'on'";
        let rows = self.within(|session| session.read(sql, &[]))?;
        match rows.first().map(Vec::as_slice) {
            Some([Value::Integer(..140_000), Value::Text(version), _]) => {
                Err(Fault::Other(format!("PostgreSQL {version} is older than 14")))
            }
            Some([_, _, Value::Integer(0)]) => Err(Fault::Other(
                "track_counts is off, so nobody can see to which tables triggers write; turn it on"
                    .to_owned(),
            )),
            Some(_) => Ok(()),
            None => Err(Fault::Other("the server did not tell its version".to_owned())),
        }
    }

    /// Waits for an answer of the server, up to a time after which the connection counts as cut.
    fn wait<T>(
        &mut self,
        work: impl AsyncFnOnce(&tokio_postgres::Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Fault> {
        let (limit, handle) = (self.limits.statement + GRACE, self.handle.clone());
        let Some(client) = &self.client else {
            return Err(Fault::Lost("there is no connection".to_owned()));
        };
        let answered = handle.block_on(async {
            let work = work(client);
            pin_mut!(work);
            match future::select(work, futures_timer::Delay::new(limit)).await {
                Either::Left((answer, _)) => answer.map_err(|error| Trouble::of(&error)),
                Either::Right(_) => Err(Trouble::lost("the server did not answer in time")),
            }
        });
        answered.map_err(|trouble| {
            self.is_again = trouble.is_again;
            if trouble.is_lost {
                self.give_up();
            }
            trouble.fault
        })
    }

    /// Closes the connection, so that the pool cannot give it to anybody else.
    fn give_up(&mut self) {
        drop(self.client.take().map(Object::take));
    }

    fn connect(&mut self) -> Result<(), Fault> {
        let (pool, limit) = (self.pool.clone(), self.limits.statement);
        let got = self.handle.block_on(async move {
            let get = pool.get();
            pin_mut!(get);
            match future::select(get, futures_timer::Delay::new(limit)).await {
                Either::Left((got, _)) => got.map_err(|error| match error {
                    deadpool_postgres::PoolError::Backend(error) => Trouble::of(&error).fault,
                    deadpool_postgres::PoolError::Closed => Fault::Other("the pool is closed".to_owned()),
                    _ => Fault::Lost("the pool gave no connection".to_owned()),
                }),
                Either::Right(_) => Err(Fault::Lost("the pool gave no connection in time".to_owned())),
            }
        })?;
        self.client = Some(got);
        Ok(())
    }

    pub(super) fn batch(&mut self, sql: &str) -> Result<(), Fault> {
        self.wait(async |client| client.batch_execute(sql).await)
    }

    /// The search path of the store. Temporary tables come last, so that none hides a table of the host.
    fn search_path(&mut self) -> Result<String, Fault> {
        if let Some(path) = &*locked(&self.shared.search_path) {
            return Ok(path.clone());
        }
        let rows = self.read("SELECT current_setting('search_path')", &[])?;
        let set =
            rows.first().and_then(|row| row.first()).and_then(Value::as_text).unwrap_or_default().trim();
        let has_temp = set.split(',').any(|part| part.trim() == "pg_temp");
        let path = match (set, has_temp) {
            ("", _) => "pg_temp".to_owned(),
            (set, true) => set.to_owned(),
            (set, false) => format!("{set}, pg_temp"),
        };
        *locked(&self.shared.search_path) = Some(path.clone());
        Ok(path)
    }

    fn begin_on(&mut self, purpose: Purpose) -> Result<(), Fault> {
        self.batch("BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL client_min_messages = error")?;
        let path = self.search_path()?;
        let (lock, statement) = (self.limits.lock.as_millis(), self.limits.statement.as_millis());
        let deferred = if purpose == Purpose::Erase { "; SET CONSTRAINTS ALL DEFERRED" } else { "" };
        self.batch(&format!(
            "SET LOCAL search_path = {path}; SET LOCAL row_security = off; SET LOCAL bytea_output = hex; \
             SET LOCAL standard_conforming_strings = on; SET LOCAL jit = off; SET LOCAL lock_timeout = {lock}; \
             SET LOCAL statement_timeout = {statement}{deferred}"
        ))
    }

    /// The rows of a select, as records.
    pub(super) fn raw(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Record>, Fault> {
        let sql = format!("SELECT one FROM ({sql}) AS one");
        let parameters: Vec<(Parameter, Type)> =
            parameters.iter().map(|value| (Parameter::of(value), Type::UNKNOWN)).collect();
        self.wait(async |client| {
            let rows = client.query_typed_raw(&sql, parameters).await?;
            pin_mut!(rows);
            let mut list = Vec::new();
            while let Some(row) = rows.next().await {
                list.push(row?.try_get(0)?);
            }
            Ok(list)
        })
    }

    /// The values of a record. Asks the server for types that are not known yet.
    pub(super) fn decoded(&mut self, record: &Record) -> Result<Vec<Value>, Fault> {
        loop {
            let read = cells::record(record, &locked(&self.shared.kinds));
            let of = match read {
                Ok(values) => return Ok(values),
                Err(Unread::Type(of)) => of,
                Err(Unread::Unknown(name)) => {
                    return Err(Fault::Other(format!(
                        "a value of the type {name} cannot be read; where the map has SQL of its own, cast it to text"
                    )));
                }
                Err(Unread::Damaged) => {
                    return Err(Fault::Other("an answer of the server cannot be read".to_owned()));
                }
            };
            let kind = self.kind(of)?;
            locked(&self.shared.kinds).insert(of, kind);
        }
    }

    fn kind(&mut self, of: u32) -> Result<Kind, Fault> {
        let sql = format!(
            "SELECT t.typname::text, t.typtype::text, t.typbasetype::bigint, t.typsend::text FROM pg_catalog.pg_type AS t \
             WHERE t.oid = {of}"
        );
        let unknown = || Kind::Other(of.to_string());
        let Some(record) = self.raw(&sql, &[])?.into_iter().next() else { return Ok(unknown()) };
        let read = cells::record(&record, &Kinds::new()).unwrap_or_default();
        let text = |n: usize| read.get(n).and_then(Value::as_text).unwrap_or_default();
        let base = match read.get(2) {
            Some(Value::Integer(base)) => u32::try_from(*base).unwrap_or(0),
            _ => 0,
        };
        Ok(match (text(1), text(3)) {
            ("e", _) | (_, "textsend" | "citextsend" | "varcharsend" | "citext_send") => Kind::Text,
            ("d", _) if base != 0 => Kind::Domain(base),
            _ if text(0).is_empty() => unknown(),
            _ => Kind::Other(text(0).to_owned()),
        })
    }

    /// The rows of a select, with their values.
    pub(super) fn read(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, Fault> {
        self.create(sql)?;
        let records = self.raw(sql, parameters)?;
        records.iter().map(|record| self.decoded(record)).collect()
    }

    /// Creates the store's own tables and functions that a statement names.
    pub(super) fn create(&mut self, sql: &str) -> Result<(), Fault> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let creates = locked(&self.shared.owns).missing(sql, &mut open.has).join("; ");
        if creates.is_empty() { Ok(()) } else { self.batch(&creates) }
    }

    /// Prepares a statement: computes the results that it needs from Rust, and notes its table. Returns the statement
    /// itself.
    fn prepared<'q>(&mut self, sql: &'q str, parameters: &[Value]) -> Result<&'q str, Fault> {
        let mut parts = sql.split(PARTS);
        let (statement, table, select) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        if let Some(select) = select.filter(|select| !select.is_empty()) {
            // The probe counts the values, so that the server computes every one of them.
            let probe = format!("SELECT count(probe) FROM ({select}) AS probe");
            self.settled(&probe, parameters)?;
        }
        if let (Some(table), Some(open)) = (table.filter(|table| !table.is_empty()), &mut self.open) {
            open.written.entry(table.to_owned()).or_default();
        }
        Ok(statement)
    }

    /// Notes the rows that a statement of ours wrote.
    fn wrote(&mut self, sql: &str, rows: u64) {
        let table = sql.split(PARTS).nth(1).filter(|table| !table.is_empty());
        let Some(written) =
            table.zip(self.open.as_mut()).map(|(table, open)| open.written.entry(table.to_owned()))
        else {
            return;
        };
        let (writes, rows) = (written.or_default(), i64::try_from(rows).unwrap_or(i64::MAX));
        if sql.starts_with("INSERT") {
            writes.added += rows;
        } else {
            writes.changed += rows;
        }
    }

    /// The numbers from a statement that returns one row of numbers. A statement that writes cannot be inside another
    /// one.
    fn counts_of(&mut self, sql: &str) -> Result<Vec<u64>, Fault> {
        let numbers: Vec<i64> = self.wait(async |client| {
            let rows = client.query_typed_raw(sql, Vec::<(Parameter, Type)>::new()).await?;
            pin_mut!(rows);
            let mut numbers = Vec::new();
            while let Some(row) = rows.next().await {
                let row = row?;
                for n in 0..row.len() {
                    numbers.push(row.try_get(n)?);
                }
            }
            Ok(numbers)
        })?;
        Ok(numbers.into_iter().map(|number| u64::try_from(number).unwrap_or(0)).collect())
    }

    /// Runs a statement that writes. Returns the number of rows.
    pub(super) fn write(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, Fault> {
        self.create(sql)?;
        let parameters: Vec<(Parameter, Type)> =
            parameters.iter().map(|value| (Parameter::of(value), Type::UNKNOWN)).collect();
        self.wait(async |client| {
            let rows = client.query_typed_raw(sql, parameters).await?;
            pin_mut!(rows);
            while let Some(row) = rows.next().await {
                row?;
            }
            Ok(rows.rows_affected().unwrap_or(0))
        })
    }

    /// Runs work in the open transaction. If there is none, it runs in a new transaction that only reads.
    pub(super) fn within<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.open.is_some() {
            return work(self);
        }
        self.begin(Purpose::Read)?;
        let worked = work(self);
        // Nothing was written, so an error at the end of the transaction does not matter.
        drop(self.rollback());
        worked
    }

    /// Runs a statement by itself, outside any transaction.
    pub(super) fn alone(&mut self, sql: &str) -> Result<(), Fault> {
        if self.client.is_none() {
            self.connect()?;
        }
        self.batch(sql)
    }
}

impl Session for PostgresSession<'_> {
    fn begin(&mut self, purpose: Purpose) -> Result<(), Fault> {
        let had = self.client.is_some();
        if !had {
            self.connect()?;
        }
        self.is_again = false;
        let mut begun = self.begin_on(purpose);
        // The connection may come from the pool or from an earlier transaction, and the server may have closed it
        // since.
        if matches!(begun, Err(Fault::Lost(_))) {
            self.connect()?;
            begun = self.begin_on(purpose);
        }
        begun?;
        let (has, written) = (BTreeSet::new(), BTreeMap::new());
        let (before, refusals) = (BTreeMap::new(), Refusals::new());
        self.open = Some(Open { purpose, has, written, before, refusals, version: None });
        if purpose != Purpose::Read {
            let before = self.counted()?;
            if let Some(open) = &mut self.open {
                open.before = before;
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Fault> {
        let Some(open) = &self.open else { return Ok(()) };
        if open.purpose == Purpose::Read {
            return self.rollback();
        }
        self.check()?;
        let number = self.number()?;
        let Some(open) = &self.open else { return Ok(()) };
        let drops = locked(&self.shared.owns).drops(&open.has).join("; ");
        if !drops.is_empty() {
            self.batch(&drops)?;
        }
        let committed = self.batch("COMMIT");
        if let (Err(Fault::Lost(_)), Some(number)) = (&committed, number) {
            self.open = None;
            return self.fate(&number);
        }
        if committed.is_ok() {
            self.open = None;
        }
        committed
    }

    fn rollback(&mut self) -> Result<(), Fault> {
        if self.open.take().is_none() || self.client.is_none() {
            return Ok(());
        }
        let is_again = self.is_again;
        let undone = self.batch("ROLLBACK");
        if undone.is_err() {
            // A closed connection undoes its transaction as well.
            self.give_up();
        }
        self.is_again = is_again;
        Ok(())
    }

    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, Fault> {
        if locked(&self.shared.owns).learn(sql) {
            return Ok(0);
        }
        self.within(|session| {
            let statement = session.prepared(sql, parameters)?;
            let written = session.write(statement, parameters)?;
            session.found_all(statement)?;
            session.wrote(sql, written);
            Ok(written)
        })
    }

    /// All deletes are one statement. So foreign keys that cannot be deferred are checked only at its end.
    fn delete_together(&mut self, statements: &[&str]) -> Result<Vec<u64>, Fault> {
        if let [only] = statements {
            return Ok(vec![self.execute(only, &[])?]);
        }
        self.within(|session| {
            let mut deletes = Vec::with_capacity(statements.len());
            for (n, sql) in statements.iter().enumerate() {
                deletes.push(format!("gone{n} AS ({} RETURNING 1)", session.prepared(sql, &[])?));
            }
            let counts = (0..statements.len()).map(|n| format!("(SELECT count(*) FROM gone{n})"));
            let sql = format!("WITH {} SELECT {}", deletes.join(", "), counts.collect::<Vec<_>>().join(", "));
            session.create(&sql)?;
            let counted = session.counts_of(&sql)?;
            session.found_all(&sql)?;
            for (sql, rows) in statements.iter().zip(&counted) {
                session.wrote(sql, *rows);
            }
            Ok(counted)
        })
    }

    fn query(
        &mut self,
        sql: &str,
        parameters: &[Value],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let rows = self.within(|session| session.settled(sql, parameters))?;
        rows.iter().try_for_each(|row| each(&Values(row)))
    }

    /// The statement returns no row. A savepoint makes sure that a refused statement does not end the transaction.
    fn prepare(&mut self, sql: &str) -> Result<(), Fault> {
        self.within(|session| {
            session.batch("SAVEPOINT relinquish")?;
            let prepared = session.read(sql, &[]);
            match prepared {
                Err(fault @ Fault::Lost(_)) => Err(fault),
                prepared => {
                    session.batch("ROLLBACK TO SAVEPOINT relinquish; RELEASE SAVEPOINT relinquish")?;
                    prepared.map(drop)
                }
            }
        })
    }

    fn schema_version(&mut self) -> Result<i64, Fault> {
        self.within(introspect::version)
    }

    fn database(&mut self) -> Result<Option<String>, Fault> {
        let session: &mut dyn Session = self;
        let rows = session.rows(DATABASE, &[], |row| Ok(row.cell(0)?.to_value()))?;
        Ok(rows.into_iter().find_map(|value| value.as_text().map(str::to_owned)))
    }

    fn by_triggers(&mut self, tables: &[String]) -> Result<Vec<(String, ByTriggers)>, Fault> {
        self.done_by_triggers(tables)
    }

    fn dialect(&self) -> &'static dyn Dialect {
        &PostgresDialect
    }

    fn schema(&mut self) -> Result<Schema, Fault> {
        self.within(introspect::schema)
    }
}

impl Drop for PostgresSession<'_> {
    fn drop(&mut self) {
        drop(self.rollback());
    }
}

/// A row of a result.
struct Values<'r>(&'r [Value]);

impl Row for Values<'_> {
    fn cell(&self, column: usize) -> Result<Cell<'_>, Fault> {
        let value = self.0.get(column).map(Cell::from);
        value.ok_or_else(|| Fault::Other(format!("a result has no column {}", column + 1)))
    }
}

/// The bytes of a digest as a whole number.
pub(super) fn number_of(digest: &str) -> i64 {
    let bytes = hex::decode(digest).unwrap_or_default();
    let first = bytes.first_chunk::<8>().copied().unwrap_or_default();
    i64::from_be_bytes(first)
}
