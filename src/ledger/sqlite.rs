//! Case book and ledger in one SQLite file of their own.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{
    CaseBook, CaseEvent, Circumstances, ClosedCase, Entry, EntryBody, ExpiryEvent, Ledger, LedgerError,
    NewCase, Opened, ProfileErased, SavedCase, SubjectToken,
};
use crate::digest::Digest;
use crate::plan::CaseId;
use crate::policy::Treatment;
use crate::sqlite::{self, Fault, Worker};
use crate::store::Census;

use book::Numbers;

mod book;

/// The format of the file, in its `user_version`.
const FORMAT: i64 = 1;
/// "rlnq", in the file's `application_id`, so that no other database is taken for a ledger.
const APPLICATION: i64 = 0x726c_6e71;

/// Entries are never changed or removed: triggers refuse it, whoever tries. What many cases share is kept once: the
/// terms of open ones, the circumstances of closed ones, and an event that came to a whole batch.
const SCHEMA: &str = "
    CREATE TABLE treatment (digest TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE terms (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE open_case (
        no INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        tenant TEXT NOT NULL,
        customer TEXT NOT NULL,
        registered TEXT,
        plan BLOB NOT NULL,
        terms INTEGER NOT NULL REFERENCES terms (id),
        UNIQUE (tenant, customer)
    );
    CREATE TABLE event (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        body TEXT NOT NULL
    );
    CREATE INDEX event_cases ON event (last, first);
    CREATE TABLE circumstances (digest TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE entry (
        seq INTEGER PRIMARY KEY,
        case_id TEXT UNIQUE,
        subject BLOB,
        scrubbed_through INTEGER,
        counted TEXT,
        body TEXT NOT NULL
    );
    CREATE INDEX entry_subject ON entry (subject) WHERE subject IS NOT NULL;
    CREATE INDEX entry_scrubbed ON entry (scrubbed_through) WHERE scrubbed_through IS NOT NULL;
    CREATE INDEX entry_counted ON entry (counted) WHERE counted IS NOT NULL;
    CREATE TABLE entry_profile (
        profile TEXT NOT NULL,
        seq INTEGER NOT NULL REFERENCES entry (seq),
        PRIMARY KEY (profile, seq)
    ) WITHOUT ROWID;
    CREATE TRIGGER entry_profile_stays BEFORE DELETE ON entry_profile
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER entry_profile_unchanged BEFORE UPDATE ON entry_profile
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

/// Case book and ledger in one SQLite file. Keep it outside of what is backed up with the customers.
///
/// Every write is on disk before it is answered (write-ahead log, `synchronous = FULL`). What the case book wipes is
/// overwritten (`secure_delete`); the log is emptied as soon as nothing is to be written for a moment.
#[derive(Debug)]
pub struct SqliteLedger {
    worker: Worker,
    numbers: Arc<Numbers>,
}

impl SqliteLedger {
    /// Opens a ledger, or makes one if the file is not there.
    ///
    /// # Errors
    /// [`LedgerError`]: locked, read-only, damaged, not a ledger, or of a later release.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        Self::with(path.as_ref(), true)
    }

    /// Opens a ledger that must be there.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`LedgerError::NotFound`] if the file is not there.
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        Self::with(path.as_ref(), false)
    }

    fn with(path: &Path, create: bool) -> Result<Self, LedgerError> {
        let failed = |fault: Fault| failure("opening the ledger", fault);
        let mut connection = sqlite::open(path, create).map_err(failed)?;
        prepare(&mut connection, create)?;
        let tidy = |connection: &mut Connection| {
            // Where somebody reads the ledger right now, it stays until the next time.
            if let Err(error) = empty_log(connection) {
                tracing::warn!(error = ?Fault::from(error), "the ledger's log could not be emptied");
            }
        };
        let worker = Worker::spawn_tidying(connection, tidy).map_err(failed)?;
        Ok(Self { worker, numbers: Arc::default() })
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

/// What goes wrong while working on the connection's thread.
enum Trouble {
    Fault(Fault),
    Ledger(LedgerError),
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
        Fault::Drift(changes) => LedgerError::Failed { doing, what: changes.join("; ") },
        Fault::Constraint(what) | Fault::Other(what) => LedgerError::Failed { doing, what },
    }
}

fn prepare(connection: &mut Connection, create: bool) -> Result<(), LedgerError> {
    let doing = "opening the ledger";
    let failed = |error: rusqlite::Error| failure(doing, error.into());
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    let (application, format) =
        (pragma("application_id").map_err(failed)?, pragma("user_version").map_err(failed)?);
    match (tables, application, format) {
        (0, 0, 0) if create => {
            transaction.execute_batch(SCHEMA).map_err(failed)?;
            transaction.pragma_update(None, "application_id", APPLICATION).map_err(failed)?;
            transaction.pragma_update(None, "user_version", FORMAT).map_err(failed)?;
        }
        (_, APPLICATION, FORMAT) => {}
        (_, APPLICATION, found) => return Err(LedgerError::Newer { found, known: FORMAT }),
        _ => return Err(LedgerError::Corrupt { doing }),
    }
    transaction.commit().map_err(failed)?;
    // Only now is it known to be a ledger. Where the file system cannot share memory, SQLite keeps its other journal.
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).map_err(failed)?;
    empty_log(connection).map_err(failed)
}

fn to_json<T: Serialize>(value: &T) -> Result<String, Trouble> {
    serde_json::to_string(value).map_err(|_| Trouble::Fault(Fault::Other("cannot be written".to_owned())))
}

/// What the ledger wrote, read back. Anything else means that somebody else wrote there.
fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Trouble> {
    serde_json::from_str(text).map_err(|_| Trouble::Fault(Fault::Corrupt))
}

fn instant(text: &str) -> Result<DateTime<Utc>, Trouble> {
    text.parse().map_err(|_| Trouble::Fault(Fault::Corrupt))
}

/// What an entry about a scrub says.
#[derive(Serialize, Deserialize)]
struct Scrubbed {
    through: u64,
    at: DateTime<Utc>,
}

/// What an entry says that is of no case.
#[derive(Deserialize)]
#[serde(untagged)]
enum Beside {
    Counted(Box<Census>),
    Expiry(Box<ExpiryEvent>),
    Scrubbed(Scrubbed),
    Profile(Box<ProfileErased>),
}

const NAME_PROFILE: &str = "INSERT OR IGNORE INTO entry_profile (profile, seq) VALUES (?1, ?2)";

/// A row of entries: its number, whether it is of a case, its text.
fn entry(row: &Row<'_>) -> Result<(i64, bool, String), rusqlite::Error> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn to_entry(connection: &Connection, (seq, of_a_case, body): (i64, bool, String)) -> Result<Entry, Trouble> {
    let corrupt = || Trouble::Fault(Fault::Corrupt);
    let seq = u64::try_from(seq).map_err(|_| corrupt())?;
    if !of_a_case {
        let body = match from_json(&body)? {
            Beside::Counted(census) => EntryBody::Counted(Arc::new(*census)),
            Beside::Expiry(event) => EntryBody::Expiry(Arc::new(*event)),
            Beside::Scrubbed(Scrubbed { through, at }) => EntryBody::Scrubbed { through, at },
            Beside::Profile(profile) => EntryBody::Profile(Arc::new(*profile)),
        };
        return Ok(Entry { seq, body });
    }
    let mut trouble = None;
    let case = ClosedCase::from_text(&body, |digest| {
        read_circumstances(connection, digest).unwrap_or_else(|error| {
            trouble = Some(error);
            None
        })
    });
    match (trouble, case) {
        (Some(trouble), _) => Err(trouble),
        (None, case) => Ok(Entry { seq, body: EntryBody::Closed(Arc::new(case.ok_or_else(corrupt)?)) }),
    }
}

/// Circumstances by their digest. None if they are not those that the digest names.
fn read_circumstances(
    connection: &Connection,
    digest: Digest,
) -> Result<Option<Arc<Circumstances>>, Trouble> {
    let body: Option<String> = connection
        .prepare_cached("SELECT body FROM circumstances WHERE digest = ?1")?
        .query_row([digest.to_string()], |row| row.get(0))
        .optional()?;
    let Some(body) = body else { return Ok(None) };
    let circumstances: Circumstances = from_json(&body)?;
    Ok((circumstances.digest() == digest).then(|| Arc::new(circumstances)))
}

/// One entry per case, and their working memory wiped.
fn close(
    connection: &mut Connection,
    numbers: &Numbers,
    cases: &[Arc<ClosedCase>],
) -> Result<Vec<Entry>, Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut entries = Vec::with_capacity(cases.len());
    {
        let last = transaction.query_row("SELECT coalesce(max(seq), 0) FROM entry", [], |row| row.get(0))?;
        let mut last: i64 = last;
        let mut keep = transaction
            .prepare_cached("INSERT OR IGNORE INTO circumstances (digest, body) VALUES (?1, ?2)")?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO entry (seq, case_id, subject, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (case_id) DO NOTHING",
        )?;
        let mut select = transaction
            .prepare_cached("SELECT seq, case_id IS NOT NULL, body FROM entry WHERE case_id = ?1")?;
        let mut kept = None;
        for case in cases {
            let circumstances = case.circumstances();
            if kept != Some(circumstances) {
                keep.execute(params![circumstances.to_string(), to_json(&**case.under())?])?;
                kept = Some(circumstances);
            }
            let id = case.case.as_str();
            let appended = insert.execute(params![last + 1, id, case.subject.to_bytes(), case.text()])?;
            entries.push(if appended == 1 {
                last += 1;
                for profile in case.profiles() {
                    transaction.prepare_cached(NAME_PROFILE)?.execute(params![profile.to_string(), last])?;
                }
                let body = EntryBody::Closed(Arc::clone(case));
                Entry { seq: u64::try_from(last).unwrap_or_default(), body }
            } else {
                to_entry(&transaction, select.query_row([&id], entry)?)?
            });
        }
        book::wipe(&transaction, numbers, cases.iter().map(|case| &case.case))?;
    }
    transaction.commit()?;
    Ok(entries)
}

/// What was wiped leaves the write-ahead log too.
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
    async fn open(&self, cases: &[NewCase]) -> Result<Vec<Opened>, LedgerError> {
        let (cases, numbers) = (cases.to_vec(), Arc::clone(&self.numbers));
        self.call("opening cases", move |connection| book::open(connection, &numbers, &cases)).await
    }

    async fn record(&self, events: &[CaseEvent]) -> Result<(), LedgerError> {
        let (events, numbers) = (events.to_vec(), Arc::clone(&self.numbers));
        self.call("recording what happened", move |connection| book::record(connection, &numbers, &events))
            .await
    }

    async fn open_cases(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<SavedCase>, LedgerError> {
        let after = after.map(|case| case.as_str().to_owned());
        self.call("reading open cases", move |connection| {
            let transaction = connection.transaction()?;
            book::saved(&transaction, "?1 IS NULL OR id > ?1", after.as_deref(), limit)
        })
        .await
    }

    async fn open_case(&self, case: &CaseId) -> Result<Option<SavedCase>, LedgerError> {
        let case = case.clone();
        self.call("reading an open case", move |connection| {
            let transaction = connection.transaction()?;
            Ok(book::saved(&transaction, "id = ?1", Some(case.as_str()), 1)?.pop())
        })
        .await
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn close(&self, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError> {
        let (cases, numbers) = (cases.to_vec(), Arc::clone(&self.numbers));
        self.call("closing cases", move |connection| close(connection, &numbers, &cases)).await
    }

    async fn scrubbed(&self, through: u64, at: DateTime<Utc>) -> Result<(), LedgerError> {
        self.call("recording a scrub", move |connection| {
            let body = to_json(&Scrubbed { through, at })?;
            connection.execute(
                "INSERT INTO entry (seq, scrubbed_through, body)
                 VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM entry), ?1, ?2)",
                params![number(through), body],
            )?;
            Ok(())
        })
        .await
    }

    async fn profiles_erased(&self, profiles: &[ProfileErased]) -> Result<(), LedgerError> {
        let profiles = profiles.to_vec();
        self.call("recording erased profiles", move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for profile in &profiles {
                let seq: i64 = transaction
                    .prepare_cached(
                        "INSERT INTO entry (seq, body) VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM entry), ?1)
                         RETURNING seq",
                    )?
                    .query_row([to_json(profile)?], |row| row.get(0))?;
                transaction
                    .prepare_cached(NAME_PROFILE)?
                    .execute(params![profile.profile.to_string(), seq])?;
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    async fn of_profiles(&self, profiles: &[SubjectToken]) -> Result<Vec<Entry>, LedgerError> {
        let profiles: Vec<String> = profiles.iter().map(ToString::to_string).collect();
        self.call("looking for erased profiles", move |connection| {
            connection
                .prepare_cached(
                    "SELECT seq, case_id IS NOT NULL, body FROM entry WHERE seq IN (
                         SELECT seq FROM entry_profile WHERE profile IN (SELECT value FROM json_each(?1))
                     ) ORDER BY seq",
                )?
                .query_map([to_json(&profiles)?], entry)?
                .map(|row| to_entry(connection, row?))
                .collect()
        })
        .await
    }

    async fn expiry(&self, event: &ExpiryEvent) -> Result<u64, LedgerError> {
        let event = event.clone();
        self.call("recording an expiry", move |connection| {
            let seq: i64 = connection
                .prepare_cached(
                    "INSERT INTO entry (seq, body) VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM entry), ?1)
                     RETURNING seq",
                )?
                .query_row([to_json(&event)?], |row| row.get(0))?;
            Ok(u64::try_from(seq).unwrap_or_default())
        })
        .await
    }

    async fn counted(&self, census: &Census) -> Result<u64, LedgerError> {
        let census = census.for_the_ledger();
        self.call("recording a census", move |connection| {
            let seq: i64 = connection
                .prepare_cached(
                    "INSERT INTO entry (seq, counted, body)
                     VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM entry), ?1, ?2) RETURNING seq",
                )?
                .query_row(params![census.data_map.to_string(), to_json(&census)?], |row| row.get(0))?;
            Ok(u64::try_from(seq).unwrap_or_default())
        })
        .await
    }

    async fn last_census(&self, data_map: Digest) -> Result<Option<Arc<Census>>, LedgerError> {
        self.call("reading the ledger", move |connection| {
            let body: Option<String> = connection
                .prepare_cached("SELECT body FROM entry WHERE counted = ?1 ORDER BY seq DESC LIMIT 1")?
                .query_row([data_map.to_string()], |row| row.get(0))
                .optional()?;
            Ok(body.as_deref().map(from_json).transpose()?.map(Arc::new))
        })
        .await
    }

    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        self.call("reading the ledger", move |connection| {
            connection
                .prepare_cached(
                    "SELECT seq, case_id IS NOT NULL, body FROM entry WHERE seq > ?1 ORDER BY seq LIMIT ?2",
                )?
                .query_map([number(after), number_of(limit)], entry)?
                .map(|row| to_entry(connection, row?))
                .collect()
        })
        .await
    }

    async fn last(&self) -> Result<u64, LedgerError> {
        self.call("reading the ledger", move |connection| {
            let last: i64 =
                connection.query_row("SELECT coalesce(max(seq), 0) FROM entry", [], |row| row.get(0))?;
            Ok(u64::try_from(last).unwrap_or_default())
        })
        .await
    }

    async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError> {
        let case = case.clone();
        self.call("reading the ledger", move |connection| {
            connection
                .prepare_cached("SELECT seq, case_id IS NOT NULL, body FROM entry WHERE case_id = ?1")?
                .query_row([case.as_str()], entry)
                .optional()?
                .map(|row| to_entry(connection, row))
                .transpose()
        })
        .await
    }

    async fn of_subjects(&self, subjects: &[SubjectToken]) -> Result<Vec<Entry>, LedgerError> {
        let subjects: Vec<String> = subjects.iter().map(|subject| hex::encode(subject.to_bytes())).collect();
        self.call("looking for earlier cases", move |connection| {
            connection
                .prepare_cached(
                    "SELECT seq, case_id IS NOT NULL, body FROM entry
                     WHERE subject IN (SELECT unhex(value) FROM json_each(?1)) ORDER BY seq",
                )?
                .query_map([to_json(&subjects)?], entry)?
                .map(|row| to_entry(connection, row?))
                .collect()
        })
        .await
    }

    async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError> {
        self.call("reading a treatment", move |connection| read_treatment(connection, digest)).await
    }

    async fn scrubbed_after(&self, seq: u64) -> Result<Option<DateTime<Utc>>, LedgerError> {
        self.call("reading the ledger", move |connection| {
            let body: Option<String> = connection
                .prepare_cached("SELECT body FROM entry WHERE scrubbed_through >= ?1 ORDER BY seq LIMIT 1")?
                .query_row([number(seq)], |row| row.get(0))
                .optional()?;
            let scrubbed: Option<Scrubbed> = body.as_deref().map(from_json).transpose()?;
            Ok(scrubbed.map(|scrubbed| scrubbed.at))
        })
        .await
    }
}
