//! Case book and ledger in one SQLite file of their own.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    CaseBook, CaseEvent, ClosedCase, Entry, EntryBody, Ledger, LedgerError, NewCase, Opened, SavedCase,
    SubjectToken,
};
use crate::digest::Digest;
use crate::plan::CaseId;
use crate::policy::Treatment;
use crate::sqlite::{self, Fault, Worker};

/// The format of the file, in its `user_version`.
const FORMAT: i64 = 1;
/// "rlnq", in the file's `application_id`, so that no other database is taken for a ledger.
const APPLICATION: i64 = 0x726c_6e71;

/// Entries are never changed or removed: triggers refuse it, whoever tries.
const SCHEMA: &str = "
    CREATE TABLE treatment (digest TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE open_case (
        id TEXT PRIMARY KEY,
        tenant TEXT NOT NULL,
        customer TEXT NOT NULL,
        opened_at TEXT NOT NULL,
        binding TEXT NOT NULL,
        approval TEXT NOT NULL,
        UNIQUE (tenant, customer)
    ) WITHOUT ROWID;
    CREATE TABLE event (
        case_id TEXT NOT NULL REFERENCES open_case (id) ON DELETE CASCADE,
        n INTEGER NOT NULL,
        at TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (case_id, n)
    ) WITHOUT ROWID;
    CREATE TABLE entry (
        seq INTEGER PRIMARY KEY,
        case_id TEXT UNIQUE,
        subject TEXT,
        scrubbed_through INTEGER,
        body TEXT NOT NULL
    );
    CREATE INDEX entry_subject ON entry (subject) WHERE subject IS NOT NULL;
    CREATE INDEX entry_scrubbed ON entry (scrubbed_through) WHERE scrubbed_through IS NOT NULL;
    CREATE TRIGGER entry_stays BEFORE DELETE ON entry
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER entry_unchanged BEFORE UPDATE ON entry
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
";

/// Case book and ledger in one SQLite file. Keep it outside of what is backed up with the customers.
///
/// Every write is on disk before it is answered (`synchronous = FULL`), and what the case book wipes is
/// overwritten (`secure_delete`).
#[derive(Debug)]
pub struct SqliteLedger {
    worker: Worker,
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
        Ok(Self { worker: Worker::spawn(connection).map_err(failed)? })
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
    transaction.commit().map_err(failed)
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

fn entry(row: &Row<'_>) -> Result<(i64, String), rusqlite::Error> {
    Ok((row.get(0)?, row.get(1)?))
}

fn to_entry((seq, body): (i64, String)) -> Result<Entry, Trouble> {
    let seq = u64::try_from(seq).map_err(|_| Trouble::Fault(Fault::Corrupt))?;
    Ok(Entry { seq, body: from_json(&body)? })
}

fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn saved_cases(
    connection: &Connection,
    condition: &str,
    parameter: Option<&str>,
    limit: usize,
) -> Result<Vec<SavedCase>, Trouble> {
    let mut cases = connection.prepare_cached(&format!(
        "SELECT id, opened_at, binding, approval FROM open_case WHERE {condition} ORDER BY id LIMIT ?2"
    ))?;
    let mut events = connection.prepare_cached("SELECT body FROM event WHERE case_id = ?1 ORDER BY n")?;
    let mut treatments = std::collections::BTreeMap::new();
    let rows = cases
        .query_map(params![parameter, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<Result<Vec<(String, String, String, String)>, _>>()?;
    let mut list = Vec::with_capacity(rows.len());
    for (id, opened_at, binding, approval) in rows {
        let binding: crate::plan::Binding = from_json(&binding)?;
        let digest = binding.treatment_digest();
        let treatment = match treatments.get(&digest) {
            Some(treatment) => Arc::clone(treatment),
            None => read_treatment(connection, digest)?.ok_or(Trouble::Fault(Fault::Corrupt))?,
        };
        treatments.insert(digest, treatment.clone());
        let events = events
            .query_map([&id], |row| row.get::<_, String>(0))?
            .map(|body| from_json(&body?))
            .collect::<Result<_, Trouble>>()?;
        list.push(SavedCase {
            new: NewCase {
                id: CaseId::new(id),
                binding: Arc::new(binding),
                approval: from_json(&approval)?,
                treatment,
                opened_at: instant(&opened_at)?,
            },
            events,
        });
    }
    Ok(list)
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
        let cases = cases.to_vec();
        self.call("opening cases", move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut answers = Vec::with_capacity(cases.len());
            {
                let mut treatment = transaction
                    .prepare_cached("INSERT OR IGNORE INTO treatment (digest, body) VALUES (?1, ?2)")?;
                let mut insert = transaction.prepare_cached(
                    "INSERT INTO open_case (id, tenant, customer, opened_at, binding, approval)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (tenant, customer) DO NOTHING",
                )?;
                let mut holder = transaction
                    .prepare_cached("SELECT id FROM open_case WHERE tenant = ?1 AND customer = ?2")?;
                let mut last = None;
                for case in &cases {
                    let digest = case.binding.treatment_digest();
                    if last != Some(digest) {
                        treatment.execute(params![digest.to_string(), to_json(&*case.treatment)?])?;
                        last = Some(digest);
                    }
                    let (tenant, customer) = (case.tenant().as_str(), case.customer().as_str());
                    let inserted = insert.execute(params![
                        case.id.as_str(),
                        tenant,
                        customer,
                        case.opened_at.to_rfc3339(),
                        to_json(&*case.binding)?,
                        to_json(&case.approval)?,
                    ])?;
                    let holder = if inserted == 1 {
                        case.id.as_str().to_owned()
                    } else {
                        holder.query_row([tenant, customer], |row| row.get(0))?
                    };
                    answers.push(if holder == case.id.as_str() {
                        Opened::Open
                    } else {
                        Opened::Conflict { case: CaseId::new(holder) }
                    });
                }
            }
            transaction.commit()?;
            Ok(answers)
        })
        .await
    }

    async fn record(&self, events: &[CaseEvent]) -> Result<(), LedgerError> {
        let events = events.to_vec();
        self.call("recording what happened", move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            {
                let mut insert = transaction.prepare_cached(
                    "INSERT INTO event (case_id, n, at, body)
                     SELECT id, (SELECT coalesce(max(n), 0) + 1 FROM event WHERE case_id = ?1), ?2, ?3
                     FROM open_case WHERE id = ?1",
                )?;
                for event in &events {
                    let body = to_json(&event.event)?;
                    if insert.execute(params![event.case.as_str(), event.at.to_rfc3339(), body])? != 1 {
                        return Err(Trouble::Ledger(LedgerError::NoSuchCase { case: event.case.clone() }));
                    }
                }
            }
            transaction.commit()?;
            Ok(())
        })
        .await
    }

    async fn open_cases(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<SavedCase>, LedgerError> {
        let after = after.map(|case| case.as_str().to_owned());
        self.call("reading open cases", move |connection| {
            saved_cases(connection, "?1 IS NULL OR id > ?1", after.as_deref(), limit)
        })
        .await
    }

    async fn open_case(&self, case: &CaseId) -> Result<Option<SavedCase>, LedgerError> {
        let case = case.clone();
        self.call("reading an open case", move |connection| {
            Ok(saved_cases(connection, "id = ?1", Some(case.as_str()), 1)?.pop())
        })
        .await
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn close(&self, cases: &[ClosedCase]) -> Result<Vec<Entry>, LedgerError> {
        let cases = cases.to_vec();
        self.call("closing cases", move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut entries = Vec::with_capacity(cases.len());
            {
                let mut insert = transaction.prepare_cached(
                    "INSERT INTO entry (seq, case_id, subject, body)
                     VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM entry), ?1, ?2, ?3)
                     ON CONFLICT (case_id) DO NOTHING",
                )?;
                let mut wipe = transaction.prepare_cached("DELETE FROM open_case WHERE id = ?1")?;
                let mut select =
                    transaction.prepare_cached("SELECT seq, body FROM entry WHERE case_id = ?1")?;
                for case in cases {
                    let id = case.case.as_str().to_owned();
                    let subject = case.subject.to_string();
                    let body = EntryBody::Closed(Box::new(case));
                    let appended = insert.execute(params![id, subject, to_json(&body)?])?;
                    wipe.execute([&id])?;
                    entries.push(if appended == 1 {
                        let seq = transaction.last_insert_rowid();
                        Entry { seq: u64::try_from(seq).unwrap_or_default(), body }
                    } else {
                        to_entry(select.query_row([&id], entry)?)?
                    });
                }
            }
            transaction.commit()?;
            Ok(entries)
        })
        .await
    }

    async fn scrubbed(&self, through: u64, at: DateTime<Utc>) -> Result<(), LedgerError> {
        self.call("recording a scrub", move |connection| {
            let body = to_json(&EntryBody::Scrubbed { through, at })?;
            connection.execute(
                "INSERT INTO entry (seq, scrubbed_through, body)
                 VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM entry), ?1, ?2)",
                params![number(through), body],
            )?;
            Ok(())
        })
        .await
    }

    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        self.call("reading the ledger", move |connection| {
            connection
                .prepare_cached("SELECT seq, body FROM entry WHERE seq > ?1 ORDER BY seq LIMIT ?2")?
                .query_map(params![number(after), i64::try_from(limit).unwrap_or(i64::MAX)], entry)?
                .map(|row| to_entry(row?))
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
                .prepare_cached("SELECT seq, body FROM entry WHERE case_id = ?1")?
                .query_row([case.as_str()], entry)
                .optional()?
                .map(to_entry)
                .transpose()
        })
        .await
    }

    async fn of_subjects(&self, subjects: &[SubjectToken]) -> Result<Vec<Entry>, LedgerError> {
        let subjects: Vec<String> = subjects.iter().map(ToString::to_string).collect();
        self.call("looking for earlier cases", move |connection| {
            connection
                .prepare_cached(
                    "SELECT seq, body FROM entry
                     WHERE subject IN (SELECT value FROM json_each(?1)) ORDER BY seq",
                )?
                .query_map([to_json(&subjects)?], entry)?
                .map(|row| to_entry(row?))
                .collect()
        })
        .await
    }

    async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError> {
        self.call("reading a treatment", move |connection| read_treatment(connection, digest)).await
    }

    async fn scrubbed_after(&self, seq: u64) -> Result<Option<DateTime<Utc>>, LedgerError> {
        self.call("reading the ledger", move |connection| {
            let body: Option<(i64, String)> = connection
                .prepare_cached(
                    "SELECT seq, body FROM entry WHERE scrubbed_through >= ?1 ORDER BY seq LIMIT 1",
                )?
                .query_row([number(seq)], entry)
                .optional()?;
            let Some(found) = body else { return Ok(None) };
            match to_entry(found)?.body {
                EntryBody::Scrubbed { at, .. } => Ok(Some(at)),
                EntryBody::Closed(_) => Err(Trouble::Fault(Fault::Corrupt)),
            }
        })
        .await
    }
}
