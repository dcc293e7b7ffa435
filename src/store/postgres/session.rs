//! A PostgreSQL connection as a [`Session`], on a thread that may wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

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
use crate::store::sql::values;
use crate::store::sql::{Bound, Cell, Dialect, Fault, Purpose, Row, Schema, Session, SqlMap, json_rows};

/// What all sessions of a store share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    owns: Mutex<own::Owns>,
    kinds: Mutex<Kinds>,
    /// The search path with which the store was opened.
    search_path: Mutex<Option<String>>,
    /// Tables to which triggers may write: the map ignores them for a reason, or treats them after the triggers.
    echoes: Mutex<BTreeSet<String>>,
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

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long statements may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) lock: Duration,
    pub(super) statement: Duration,
}

/// How long an answer may come after the server has given the statement up.
const GRACE: Duration = Duration::from_secs(10);
/// How long the fate of a transaction is asked for whose commit was cut.
const FATE: Duration = Duration::from_secs(10);

pub(super) struct PostgresSession<'s> {
    handle: Handle,
    pool: Pool,
    client: Option<Object>,
    shared: &'s Shared,
    limits: Limits,
    computing: Option<Computing>,
    open: Option<Open>,
    /// Whether the last fault may disappear when the transaction is repeated.
    pub(super) is_again: bool,
}

/// An open transaction.
struct Open {
    purpose: Purpose,
    /// What of ours it has created.
    has: BTreeSet<String>,
    /// The tables of the host to which it has written.
    written: BTreeSet<String>,
    /// The writes of earlier transactions, by table, which the server has not counted up yet.
    before: BTreeMap<i64, i64>,
    refusals: Refusals,
    /// The state of computing for which results are known.
    version: Option<u64>,
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

    /// Checks that the server is new enough, and that it counts writes: by these counts triggers are seen.
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

    /// Closes the connection, so that nobody gets it from the pool.
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

    fn batch(&mut self, sql: &str) -> Result<(), Fault> {
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
    fn raw(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Record>, Fault> {
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

    /// The values of a record. Asks for the types of which nothing is known yet.
    fn decoded(&mut self, record: &Record) -> Result<Vec<Value>, Fault> {
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

    /// Creates what a statement names of ours.
    fn create(&mut self, sql: &str) -> Result<(), Fault> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let creates = locked(&self.shared.owns).missing(sql, &mut open.has).join("; ");
        if creates.is_empty() { Ok(()) } else { self.batch(&creates) }
    }

    /// The rows of a select, once everything that it asks of Rust is known.
    fn settled(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, Fault> {
        if !own::is_computed(sql) {
            return self.read(sql, parameters);
        }
        self.forget()?;
        loop {
            let rows = self.read(sql, parameters)?;
            let asked = self.asked()?;
            if asked.is_empty() {
                return Ok(rows);
            }
            self.answer(&asked)?;
        }
    }

    /// Forgets the results of another state of computing: other people to search for, for example.
    fn forget(&mut self) -> Result<(), Fault> {
        let version = self.computing.as_ref().and_then(|computing| values::version(&computing.bench));
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.version == version {
            return Ok(());
        }
        open.version = version;
        open.refusals.clear();
        if !open.has.contains(own::KNOWN) {
            return Ok(());
        }
        let (known, asked) = (own::spelled(own::KNOWN), own::spelled(own::ASKED));
        self.batch(&format!("DELETE FROM {known}; DELETE FROM {asked}"))
    }

    /// Checks after a statement that writes that it found every result: a trigger of its own may have changed a row
    /// since the select.
    fn found_all(&mut self, sql: &str) -> Result<(), Fault> {
        if !own::is_computed(sql) || self.asked()?.is_empty() {
            return Ok(());
        }
        let what = "a row came between reading and writing, and its new value was not computed";
        Err(Fault::Other(what.to_owned()))
    }

    /// What was asked and not known: digests, and the question. A question that failed before has no text.
    fn asked(&mut self) -> Result<Vec<(String, Option<String>)>, Fault> {
        let sql = format!("SELECT encode(key, 'hex'), asked FROM {}", own::spelled(own::ASKED));
        let rows = self.read(&sql, &[])?;
        let text = |value: Option<&Value>| value.and_then(Value::as_text).map(str::to_owned);
        Ok(rows.iter().filter_map(|row| Some((text(row.first())?, text(row.get(1))))).collect())
    }

    /// Computes what was asked, and makes it known. If nothing is new, a failure is all that is left.
    fn answer(&mut self, asked: &[(String, Option<String>)]) -> Result<(), Fault> {
        let Some(computing) = self.computing.clone() else {
            return Err(Fault::Other("nothing can be computed before the store is open".to_owned()));
        };
        let Some(open) = &mut self.open else { return Ok(()) };
        if asked.iter().all(|(_, question)| question.is_none()) {
            let refusal = asked.iter().find_map(|(key, _)| open.refusals.get(key));
            let what = refusal.map_or("a value was not computed", |refusal| refusal.what);
            if let Some(why) = refusal.and_then(|refusal| refusal.unreadable.clone()) {
                values::put_unreadable(&computing.bench, why);
            }
            return Err(Fault::Other(what.to_owned()));
        }
        let mut known = Vec::with_capacity(asked.len());
        for (key, question) in asked {
            let Some(question) = question else { continue };
            let (value, failed) = match computing.compute(question) {
                Ok(value) => (value.map_or(Value::Null, Value::Text), 0),
                Err(refusal) => {
                    open.refusals.insert(key.clone(), refusal);
                    (Value::Null, 1)
                }
            };
            known.push(vec![Value::from(key.as_str()), value, Value::Integer(failed)]);
        }
        let (table, asked) = (own::spelled(own::KNOWN), own::spelled(own::ASKED));
        self.batch(&format!("DELETE FROM {asked}"))?;
        let sql = format!(
            "INSERT INTO {table} SELECT decode(one.line ->> 0, 'hex'), one.line ->> 1, one.line ->> 2 = '1' \
             FROM jsonb_array_elements($1::jsonb) AS one(line) ON CONFLICT DO NOTHING"
        );
        self.write(&sql, &[json_rows(known)])?;
        Ok(())
    }

    /// The statement itself, once everything that it asks of Rust is known and its table is noted.
    fn prepared<'q>(&mut self, sql: &'q str, parameters: &[Value]) -> Result<&'q str, Fault> {
        let mut parts = sql.split(PARTS);
        let (statement, table, select) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        if let Some(select) = select.filter(|select| !select.is_empty()) {
            // Every value is counted, so that every value is computed.
            let probe = format!("SELECT count(probe) FROM ({select}) AS probe");
            self.settled(&probe, parameters)?;
        }
        if let (Some(table), Some(open)) = (table.filter(|table| !table.is_empty()), &mut self.open) {
            open.written.insert(table.to_owned());
        }
        Ok(statement)
    }

    /// The numbers of a statement that returns one row of them. A statement that writes cannot be within another one.
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
    fn write(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, Fault> {
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

    /// Runs work in the open transaction, or in one of its own that only reads.
    pub(super) fn within<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.open.is_some() {
            return work(self);
        }
        self.begin(Purpose::Read)?;
        let worked = work(self);
        // Nothing was written, so nothing is lost if the end of it fails.
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

    /// The writes to tables of the host that the server counts for this connection, by the number of the table.
    fn counted(&mut self) -> Result<BTreeMap<i64, i64>, Fault> {
        let rows = self.read(
            "SELECT relid::bigint, (n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_catalog.pg_stat_xact_user_tables \
             WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND schemaname !~ '^pg_temp'",
            &[],
        )?;
        let pair = |row: Vec<Value>| match row.as_slice() {
            [Value::Integer(table), Value::Integer(rows)] => Some((*table, *rows)),
            _ => None,
        };
        Ok(rows.into_iter().filter_map(pair).collect())
    }

    /// Checks before a commit that only the expected tables were written to.
    fn check(&mut self) -> Result<(), Fault> {
        let counted = self.counted()?;
        let Some(open) = &self.open else { return Ok(()) };
        let is_new = |(table, rows): &(&i64, &i64)| open.before.get(table).is_none_or(|before| before < rows);
        let tables: Vec<Vec<Value>> =
            counted.iter().filter(is_new).map(|(table, _)| vec![Value::Integer(*table)]).collect();
        let echoes = locked(&self.shared.echoes).clone();
        let expected =
            open.written.iter().cloned().chain(echoes.iter().map(|name| PostgresDialect.table(name)));
        let expected: Vec<Vec<Value>> = expected.map(|name| vec![Value::from(name)]).collect();
        if !tables.is_empty() {
            // A partition or an inheriting table counts as the table above it.
            let unexpected = self.read(
                "WITH RECURSIVE above(relid, top) AS (
                     SELECT t::text::oid, t::text::oid FROM jsonb_array_elements($1::jsonb) AS t
                     UNION SELECT above.relid, i.inhparent FROM above JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = above.top
                 )
                 SELECT DISTINCT relid::regclass::text FROM above AS own WHERE NOT EXISTS (
                     SELECT 1 FROM above JOIN jsonb_array_elements_text($2::jsonb) AS expected ON above.top = to_regclass(expected)
                     WHERE above.relid = own.relid
                 ) ORDER BY 1",
                &[json_rows(tables), json_rows(expected)],
            )?;
            if let Some(table) = unexpected.first().and_then(|row| row.first()).and_then(Value::as_text) {
                return Err(Fault::Other(format!(
                    "a trigger wrote to {table}, which the map does not expect, so nothing was written; map the table, or write \
                     ignore.{table} = \"reason\", and open the store again"
                )));
            }
        }
        Ok(())
    }

    /// The number of the transaction, if it has written something.
    fn number(&mut self) -> Result<Option<String>, Fault> {
        let rows = self.read("SELECT pg_current_xact_id_if_assigned()::text", &[])?;
        Ok(rows.first().and_then(|row| row.first()).and_then(Value::as_text).map(str::to_owned))
    }

    /// What became of a transaction whose commit was cut: asks the server over another connection.
    fn fate(&mut self, number: &str) -> Result<(), Fault> {
        let unknown = "the connection was cut during COMMIT, and the server cannot say what became of the transaction; \
                       whoever reads the records again sees it";
        let until = Instant::now() + FATE;
        while Instant::now() < until {
            let sql = "SELECT pg_xact_status($1::text::xid8)";
            let asked = self.within(|session| session.read(sql, &[Value::from(number)]));
            let status = asked.ok().and_then(|rows| rows.into_iter().next()?.into_iter().next());
            match status.as_ref().and_then(Value::as_text) {
                Some("committed") => return Ok(()),
                Some("aborted") => {
                    return Err(Fault::Lost("the connection was cut, and nothing was written".to_owned()));
                }
                // In progress: the server has not noticed yet. Or it cannot be reached yet.
                Some(_) | None => std::thread::sleep(Duration::from_millis(100)),
            }
        }
        Err(Fault::Lost(unknown.to_owned()))
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
        // The pool, or an earlier transaction, may have left a connection that the server has closed since.
        if matches!(begun, Err(Fault::Lost(_))) {
            self.connect()?;
            begun = self.begin_on(purpose);
        }
        begun?;
        let (has, written) = (BTreeSet::new(), BTreeSet::new());
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
            Ok(written)
        })
    }

    /// One statement: foreign keys that cannot be deferred are checked when it ends.
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

    /// The statement returns no row. A statement that is refused does not end the transaction.
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
