//! Case book and ledger in a separate SQLite file.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::lease_clock::LeaseClock;
use super::{
    CaseBook, CaseEvent, Circumstances, Claimed, ClosedCase, Entry, EntryBody, Fence, Find, Lease, Ledger,
    LedgerError, ListedCase, NewCase, OpenedCases,
};
use crate::digest::Digest;
use crate::plan::CaseId;
use crate::sqlite::{self, Fault, Worker};
use crate::store::sql::Constraint;
use crate::treatment::Treatment;

use book::Numbers;

mod book;
mod holds;
mod ration;
mod register;
mod suppression;
#[cfg(feature = "checkpoints")]
mod tree;

/// The file's `application_id`, "rlnq", so that no other database is mistaken for a ledger.
const APPLICATION: i64 = 0x726c_6e71;

/// The migrations of the file format. The first one starts from an empty file. The file's `user_version` is the
/// number of migrations it has had. A migration that was released is never changed.
const FORMATS: [&str; 4] = [FIRST, holds::TABLE, register::TABLES, suppression::TABLES];

/// Triggers refuse every change or deletion of an entry. Data that many cases share are stored once: the terms of
/// open cases, the circumstances of closed cases, and an event of a whole batch.
const FIRST: &str = "
    CREATE TABLE treatment (digest TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE terms (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE open_case (
        no INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        holds TEXT NOT NULL UNIQUE,
        own TEXT NOT NULL,
        plan BLOB NOT NULL,
        terms INTEGER NOT NULL REFERENCES terms (id),
        fence INTEGER
    );
    CREATE TABLE claim (
        fence INTEGER PRIMARY KEY AUTOINCREMENT,
        worker TEXT NOT NULL,
        lasts INTEGER NOT NULL,
        until INTEGER NOT NULL,
        cases INTEGER NOT NULL
    );
    CREATE TABLE event (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        body TEXT NOT NULL
    );
    CREATE INDEX event_cases ON event (last, first);
    CREATE TABLE circumstances (digest TEXT PRIMARY KEY, body TEXT NOT NULL, beside TEXT) WITHOUT ROWID;
    CREATE TABLE entry (seq INTEGER PRIMARY KEY, case_id TEXT UNIQUE, body TEXT NOT NULL, beside TEXT);
    CREATE TABLE entry_key (
        key BLOB NOT NULL,
        seq INTEGER NOT NULL REFERENCES entry (seq),
        PRIMARY KEY (key, seq)
    ) WITHOUT ROWID;
    CREATE TABLE tree (seq INTEGER PRIMARY KEY REFERENCES entry (seq), hashes BLOB NOT NULL);
    CREATE TABLE ration (name TEXT PRIMARY KEY, taken INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TRIGGER entry_key_stays BEFORE DELETE ON entry_key
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER entry_key_unchanged BEFORE UPDATE ON entry_key
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER entry_stays BEFORE DELETE ON entry
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER entry_unchanged BEFORE UPDATE ON entry
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER circumstances_stay BEFORE DELETE ON circumstances
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER circumstances_unchanged BEFORE UPDATE ON circumstances
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
";

/// Case book and ledger in one SQLite file. Keep the file apart from the backups of the customers.
///
/// Every write is on disk before it is confirmed (write-ahead log, `synchronous = FULL`). Deleted rows are
/// overwritten (`secure_delete`). The log is emptied as soon as there is nothing to write for a moment.
#[derive(Debug)]
pub struct SqliteLedger {
    worker: Worker,
    numbers: Arc<Numbers>,
    clock: Option<LeaseClock>,
}

impl SqliteLedger {
    /// Opens a ledger. Creates the file if it does not exist.
    ///
    /// # Errors
    /// [`LedgerError`]: locked, read-only, damaged, not a ledger, or of a later release.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        Self::with(path.as_ref(), true)
    }

    /// Opens an existing ledger.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`LedgerError::NotFound`] if the file does not exist.
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        Self::with(path.as_ref(), false)
    }

    fn with(path: &Path, create: bool) -> Result<Self, LedgerError> {
        let failed = |fault: Fault| failure("opening the ledger", fault);
        let mut connection = sqlite::open(path, create).map_err(failed)?;
        prepare(&mut connection, create, &FORMATS)?;
        let tidy = |connection: &mut Connection| {
            // While another connection reads the ledger, the log cannot be emptied. It is emptied next time.
            if let Err(error) = empty_log(connection) {
                tracing::warn!(error = ?Fault::from(error), "the ledger's log could not be emptied");
            }
        };
        let worker = Worker::spawn_tidying(connection, tidy).map_err(failed)?;
        Ok(Self { worker, numbers: Arc::default(), clock: None })
    }

    /// Replaces the clock for the leases. The default is SQLite's clock, which is the machine's clock. All processes
    /// on one ledger need the same clock.
    #[must_use]
    pub fn lease_clock(self, now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self { clock: Some(LeaseClock::by(now)), ..self }
    }

    async fn call<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.worker.call(work).await.map_err(|trouble| match trouble {
            Trouble::Fault(fault) => failure(doing, fault),
            Trouble::Ledger(error) => error,
        })
    }
}

/// An error on the connection's thread.
enum Trouble {
    Fault(Fault),
    Ledger(LedgerError),
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Fault(error.into())
    }
}

fn failure(doing: &'static str, fault: Fault) -> LedgerError {
    match fault {
        Fault::Busy => LedgerError::Busy { doing },
        Fault::ReadOnly => LedgerError::ReadOnly { doing },
        Fault::Corrupt => LedgerError::Corrupt { doing },
        Fault::NotFound => LedgerError::NotFound { doing },
        #[cfg(feature = "postgres")]
        Fault::Lost(what) => LedgerError::Unavailable { doing, what },
        Fault::Drift(changes) => LedgerError::Failed { doing, what: changes.join("; ") },
        Fault::Constraint(Constraint { what, .. }) | Fault::Other(what) => {
            LedgerError::Failed { doing, what }
        }
    }
}

/// Creates a ledger in an empty file, or migrates a ledger of an earlier release.
fn prepare(connection: &mut Connection, create: bool, formats: &[&str]) -> Result<(), LedgerError> {
    let doing = "opening the ledger";
    let failed = |error: rusqlite::Error| failure(doing, error.into());
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    let (application, format) =
        (pragma("application_id").map_err(failed)?, pragma("user_version").map_err(failed)?);
    let known = number_of(formats.len());
    let is_ledger = application == APPLICATION && format > 0;
    let is_empty = (tables, application, format) == (0, 0, 0);
    if !(is_ledger || (is_empty && create)) {
        return Err(LedgerError::Corrupt { doing });
    }
    if format > known {
        return Err(LedgerError::Newer { found: format, known });
    }
    let had = usize::try_from(format).unwrap_or_default();
    for step in formats.iter().skip(had) {
        transaction.execute_batch(step).map_err(failed)?;
    }
    if format < known {
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(failed)?;
        transaction.pragma_update(None, "user_version", known).map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    // Only now it is certain that the file is a ledger. If the file system does not support shared memory, SQLite
    // keeps its other journal mode.
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).map_err(failed)?;
    empty_log(connection).map_err(failed)
}

fn to_json<T: Serialize>(value: &T) -> Result<String, Trouble> {
    serde_json::to_string(value).map_err(|_| Trouble::Fault(Fault::Other("cannot be written".to_owned())))
}

/// Reads JSON that the ledger wrote. Other JSON means that another program wrote it.
fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Trouble> {
    serde_json::from_str(text).map_err(|_| Trouble::Fault(Fault::Corrupt))
}

/// A row of the table of entries: number, text and openings.
type EntryRow = (i64, String, Option<String>);

fn entry(row: &Row<'_>) -> Result<EntryRow, rusqlite::Error> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn to_entry(connection: &Connection, (seq, body, beside): EntryRow) -> Result<Entry, Trouble> {
    let read = |digest| read_circumstances(connection, digest);
    let body = EntryBody::from_text(&body, beside.as_deref(), read)?;
    Ok(Entry { seq: seq_of(seq)?, body })
}

fn seq_of(seq: i64) -> Result<u64, Trouble> {
    u64::try_from(seq).map_err(|_| Trouble::Fault(Fault::Corrupt))
}

/// The circumstances with a digest.
fn read_circumstances(
    connection: &Connection,
    digest: Digest,
) -> Result<Option<Arc<Circumstances>>, Trouble> {
    let kept: Option<(String, Option<String>)> = connection
        .prepare_cached("SELECT body, beside FROM circumstances WHERE digest = ?1")?
        .query_row([digest.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((body, beside)) = kept else { return Ok(None) };
    Ok(Some(Arc::new(Circumstances::from_text(&body, beside.as_deref())?)))
}

/// Adds one entry per case, and deletes the cases from the case book.
fn close(
    connection: &mut Connection,
    numbers: &Numbers,
    fence: Fence,
    cases: &[Arc<ClosedCase>],
) -> Result<Vec<Entry>, Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut entries = Vec::with_capacity(cases.len());
    {
        let mut last = last(&transaction)?;
        let mut keep = transaction.prepare_cached(
            "INSERT OR IGNORE INTO circumstances (digest, body, beside) VALUES (?1, ?2, ?3)",
        )?;
        let mut select =
            transaction.prepare_cached("SELECT seq, body, beside FROM entry WHERE case_id = ?1")?;
        let mut kept = None;
        let held = book::held(&transaction, numbers, cases.iter().map(|case| &case.case))?;
        for (case, held) in cases.iter().zip(held) {
            if let Some(closed) = select.query_row([case.case.as_str()], entry).optional()? {
                entries.push(to_entry(&transaction, closed)?);
                continue;
            }
            book::is_ours(held, fence, &case.case)?;
            let circumstances = case.circumstances();
            if kept != Some(circumstances) {
                let (body, beside) = case.under().to_text()?;
                keep.execute(params![circumstances.to_string(), body, beside])?;
                kept = Some(circumstances);
            }
            last += 1;
            let body = EntryBody::Closed(Arc::clone(case));
            insert(&transaction, last, &body)?;
            entries.push(Entry { seq: seq_of(last)?, body });
        }
        book::wipe(&transaction, numbers, fence, cases.iter().map(|case| &case.case))?;
    }
    transaction.commit()?;
    Ok(entries)
}

fn last(connection: &Connection) -> Result<i64, Trouble> {
    Ok(connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM entry")?
        .query_row([], |row| row.get(0))?)
}

fn insert(connection: &Connection, seq: i64, body: &EntryBody) -> Result<(), Trouble> {
    let case = body.closed().map(|case| case.case.as_str());
    connection
        .prepare_cached("INSERT INTO entry (seq, case_id, body, beside) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![seq, case, body.to_text()?, body.beside()])?;
    for key in body.keys() {
        connection
            .prepare_cached("INSERT OR IGNORE INTO entry_key (key, seq) VALUES (?1, ?2)")?
            .execute(params![key.as_bytes(), seq])?;
    }
    Ok(())
}

/// Removes deleted data from the write-ahead log, too.
fn empty_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn number_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn read_treatment(connection: &Connection, digest: Digest) -> Result<Option<Arc<Treatment>>, Trouble> {
    let body: Option<String> = connection
        .prepare_cached("SELECT body FROM treatment WHERE digest = ?1")?
        .query_row([digest.to_string()], |row| row.get(0))
        .optional()?;
    let Some(body) = body else { return Ok(None) };
    let treatment: Treatment = from_json(&body)?;
    if treatment.digest() != digest {
        return Err(Trouble::Fault(Fault::Corrupt));
    }
    Ok(Some(Arc::new(treatment)))
}

#[async_trait]
impl CaseBook for SqliteLedger {
    async fn open(&self, cases: &[NewCase], lease: &Lease) -> Result<OpenedCases, LedgerError> {
        let (cases, lease) = (cases.to_vec(), lease.clone());
        let (numbers, clock) = (Arc::clone(&self.numbers), self.clock.clone());
        self.call("opening cases", move |connection| {
            book::open(connection, &numbers, clock.as_ref(), &cases, &lease)
        })
        .await
    }

    async fn claim(&self, cases: &[CaseId], lease: &Lease) -> Result<Claimed, LedgerError> {
        let (cases, lease, clock) = (cases.to_vec(), lease.clone(), self.clock.clone());
        self.call("claiming cases", move |connection| book::claim(connection, clock.as_ref(), &cases, &lease))
            .await
    }

    async fn record(&self, fence: Fence, events: &[CaseEvent]) -> Result<(), LedgerError> {
        let (events, numbers, clock) = (events.to_vec(), Arc::clone(&self.numbers), self.clock.clone());
        self.call("recording what happened", move |connection| {
            book::record(connection, &numbers, clock.as_ref(), fence, &events)
        })
        .await
    }

    async fn release(&self, fence: Fence, cases: &[CaseId]) -> Result<(), LedgerError> {
        let cases = cases.to_vec();
        self.call("giving cases back", move |connection| book::release(connection, fence, &cases)).await
    }

    async fn list(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<ListedCase>, LedgerError> {
        let (after, clock) = (after.map(|case| case.as_str().to_owned()), self.clock.clone());
        self.call("reading open cases", move |connection| {
            let transaction = connection.transaction()?;
            book::list(&transaction, clock.as_ref(), after.as_deref(), limit)
        })
        .await
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn close(&self, fence: Fence, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError> {
        let (cases, numbers) = (cases.to_vec(), Arc::clone(&self.numbers));
        self.call("closing cases", move |connection| close(connection, &numbers, fence, &cases)).await
    }

    async fn append(&self, entries: &[EntryBody]) -> Result<Vec<Entry>, LedgerError> {
        super::of_no_case(entries)?;
        let entries = entries.to_vec();
        self.call("appending entries", move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut seq = last(&transaction)?;
            let mut appended = Vec::with_capacity(entries.len());
            for body in entries {
                seq += 1;
                insert(&transaction, seq, &body)?;
                appended.push(Entry { seq: seq_of(seq)?, body });
            }
            transaction.commit()?;
            Ok(appended)
        })
        .await
    }

    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        self.call("reading the ledger", move |connection| {
            connection
                .prepare_cached("SELECT seq, body, beside FROM entry WHERE seq > ?1 ORDER BY seq LIMIT ?2")?
                .query_map([number(after), number_of(limit)], entry)?
                .map(|row| to_entry(connection, row?))
                .collect()
        })
        .await
    }

    async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError> {
        let case = case.clone();
        self.call("reading the ledger", move |connection| {
            connection
                .prepare_cached("SELECT seq, body, beside FROM entry WHERE case_id = ?1")?
                .query_row([case.as_str()], entry)
                .optional()?
                .map(|row| to_entry(connection, row))
                .transpose()
        })
        .await
    }

    async fn find(&self, find: &Find) -> Result<Vec<Entry>, LedgerError> {
        let find = find.clone();
        self.call("looking for entries", move |connection| {
            // One transaction reads one consistent state, and locks the file once instead of once per key.
            let connection = connection.transaction()?;
            let mut of_key =
                connection.prepare_cached("SELECT seq FROM entry_key WHERE key = ?1 AND seq > ?2")?;
            let mut found = BTreeSet::new();
            for key in &find.keys {
                let rows = of_key.query_map(params![key.as_bytes(), number(find.after)], |row| row.get(0))?;
                for seq in rows {
                    let seq: i64 = seq?;
                    found.insert(seq);
                }
            }
            let mut found: Vec<i64> = found.into_iter().collect();
            if find.last_first {
                found.reverse();
            }
            let mut read = connection.prepare_cached("SELECT seq, body, beside FROM entry WHERE seq = ?1")?;
            found
                .into_iter()
                .take(find.limit)
                .map(|seq| to_entry(&connection, read.query_row([seq], entry)?))
                .collect()
        })
        .await
    }

    async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError> {
        self.call("reading a treatment", move |connection| read_treatment(connection, digest)).await
    }

    async fn treatments(&self) -> Result<Vec<Arc<Treatment>>, LedgerError> {
        self.call("reading the treatments", |connection| {
            let mut list = connection.prepare_cached("SELECT body FROM treatment ORDER BY digest")?;
            let bodies: Vec<String> =
                list.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            bodies.iter().map(|body| Ok(Arc::new(from_json(body)?))).collect()
        })
        .await
    }

    async fn last(&self) -> Result<u64, LedgerError> {
        self.call("reading the ledger", move |connection| seq_of(last(connection)?)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_of_an_earlier_format_is_brought_to_the_one_of_today_and_keeps_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let formats = [FIRST, "ALTER TABLE entry ADD COLUMN noted TEXT"];
        let version = |connection: &Connection| {
            connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap()
        };
        let mut connection = Connection::open(&path).unwrap();
        prepare(&mut connection, true, &formats[..1]).unwrap();
        connection.execute("INSERT INTO entry (seq, body) VALUES (1, 'kept')", []).unwrap();
        assert_eq!(version(&connection), 1);
        drop(connection);
        let mut connection = Connection::open(&path).unwrap();
        prepare(&mut connection, false, &formats).unwrap();
        let kept: (String, Option<String>) = connection
            .query_row("SELECT body, noted FROM entry", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!((kept, version(&connection)), (("kept".to_owned(), None), 2));
        prepare(&mut connection, false, &formats).unwrap();
        // An earlier release does not touch the file.
        let error = prepare(&mut connection, true, &formats[..1]).unwrap_err();
        assert!(matches!(error, LedgerError::Newer { found: 2, known: 1 }), "{error}");
        // If one migration fails, the file stays as it was.
        let broken = [formats[0], formats[1], "CREATE TABLE more (x); nonsense"];
        prepare(&mut connection, true, &broken).unwrap_err();
        assert_eq!(version(&connection), 2);
        assert!(connection.prepare("SELECT * FROM more").is_err());
    }
}
