//! Runs one SQLite connection on a separate thread, and classifies its errors. The store and the ledger use it.

use std::fmt;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;
use rusqlite::ffi::{self, ErrorCode};
use rusqlite::{Connection, OpenFlags};

pub(crate) use crate::store::sql::Fault;
use crate::store::sql::{Constraint, ConstraintKind};

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The idle time after which a worker tidies up.
const A_MOMENT: Duration = Duration::from_millis(50);

/// A connection on its own thread, so that no async executor waits for a disk.
///
/// A submitted job is finished even if nobody waits for its answer any more. The thread ends when the worker is
/// dropped and its last job is done.
pub(crate) struct Worker {
    jobs: mpsc::Sender<Job>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Worker")
    }
}

impl Worker {
    pub(crate) fn spawn(connection: Connection) -> Result<Self, Fault> {
        Self::spawn_tidying(connection, |_| ())
    }

    /// Starts a worker that tidies up once whenever it is idle for a moment.
    pub(crate) fn spawn_tidying(
        mut connection: Connection,
        mut tidy: impl FnMut(&mut Connection) + Send + 'static,
    ) -> Result<Self, Fault> {
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::Builder::new()
            .name("relinquish-sqlite".to_owned())
            .spawn(move || {
                while let Ok(job) = queue.recv() {
                    let mut next = Ok(job);
                    while let Ok(job) = next {
                        job(&mut connection);
                        next = queue.recv_timeout(A_MOMENT);
                    }
                    tidy(&mut connection);
                }
            })
            .map_err(|_| Fault::Other("no thread could be started".to_owned()))?;
        Ok(Self { jobs })
    }

    /// Runs a job on the connection's thread.
    pub(crate) async fn call<T: Send + 'static, E: From<Fault> + Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let (answer, wait) = oneshot::channel();
        let job = Box::new(move |connection: &mut Connection| {
            // The caller may not wait any more. The job is done all the same.
            drop(answer.send(work(connection)));
        });
        let stopped = || E::from(Fault::Other("the thread of the database has stopped".to_owned()));
        self.jobs.send(job).map_err(|_| stopped())?;
        wait.await.map_err(|_| stopped())?
    }
}

/// The error of preparing a statement. The text quotes the statement, which contains no value.
pub(crate) fn unprepared(error: rusqlite::Error) -> Fault {
    match error {
        rusqlite::Error::SqliteFailure(code, Some(message)) if code.extended_code == ffi::SQLITE_ERROR => {
            Fault::Other(message)
        }
        other => other.into(),
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let (code, message, preparing) = match error {
            rusqlite::Error::SqliteFailure(code, message) => (code, message, false),
            // A value has another type than expected. The error names only the column and the type.
            rusqlite::Error::InvalidColumnType(_, column, kind) => {
                return Self::Other(format!("{column} holds a value of type {kind}, which was not expected"));
            }
            other => match prepared(&other) {
                Some((code, message)) => (code, Some(message), true),
                None => return Self::Other(kind_of(&other).to_owned()),
            },
        };
        let plain = || ffi::code_to_str(code.extended_code).to_owned();
        match code.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::ReadOnly,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Corrupt,
            ErrorCode::CannotOpen => Self::NotFound,
            ErrorCode::ConstraintViolation => {
                let kind = match code.extended_code {
                    ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
                        ConstraintKind::Unique
                    }
                    ffi::SQLITE_CONSTRAINT_NOTNULL => ConstraintKind::NotNull,
                    ffi::SQLITE_CONSTRAINT_CHECK => ConstraintKind::Check,
                    ffi::SQLITE_CONSTRAINT_FOREIGNKEY => ConstraintKind::ForeignKey,
                    ffi::SQLITE_CONSTRAINT_TRIGGER => ConstraintKind::Trigger,
                    _ => ConstraintKind::Other,
                };
                // The texts name tables, columns and expressions. A trigger's own text may name anything.
                Self::Constraint(match kind {
                    ConstraintKind::Trigger => Constraint::new(kind, "a trigger"),
                    ConstraintKind::Other => Constraint::new(kind, plain()),
                    _ => Constraint::new(kind, message.unwrap_or_else(plain)),
                })
            }
            // "no such column", "syntax error": while a statement is prepared, the text quotes only the statement,
            // which contains no value. While a statement runs, the text may quote a value from a trigger or a
            // function, so it is not used.
            ErrorCode::Unknown if preparing && code.extended_code == ffi::SQLITE_ERROR => {
                Self::Other(message.unwrap_or_else(plain))
            }
            _ => Self::Other(plain()),
        }
    }
}

/// The code and the message of a statement that could not be prepared.
///
/// In old releases of rusqlite, the variant `SqlInputError` exists only with a feature that the host may turn on. So
/// this function recognises the variant by its source and its text: the message, ` in `, and the statement.
fn prepared(error: &rusqlite::Error) -> Option<(ffi::Error, String)> {
    let code = *std::error::Error::source(error)?.downcast_ref::<ffi::Error>()?;
    let text = error.to_string();
    let starts = ["SELECT", "WITH", "UPDATE", "DELETE", "INSERT", "REPLACE", "CREATE", "PRAGMA", "EXPLAIN"];
    let at = starts
        .iter()
        .filter_map(|start| text.find(&format!(" in {start}")))
        .min()
        .or_else(|| text.find(" in "))
        .unwrap_or(text.len());
    Some((code, text.get(..at).unwrap_or_default().to_owned()))
}

fn kind_of(error: &rusqlite::Error) -> &'static str {
    match error {
        rusqlite::Error::QueryReturnedNoRows => "a query gave no row",
        rusqlite::Error::InvalidPath(_) => "the path is none",
        rusqlite::Error::FromSqlConversionFailure(..) => "a value was not of the type expected",
        rusqlite::Error::IntegralValueOutOfRange(..) => "a number was out of range",
        rusqlite::Error::Utf8Error(..) => "a text is not UTF-8",
        rusqlite::Error::UserFunctionError(_) => "a function of ours failed",
        rusqlite::Error::MultipleStatement => "more than one statement",
        _ => "SQLite failed",
    }
}

/// Names the main database, for releases of rusqlite without `DatabaseName`.
#[allow(dead_code, reason = "releases of rusqlite that still have a DatabaseName use theirs")]
struct DatabaseName;

#[allow(dead_code, non_upper_case_globals, reason = "it is spelled as the variant of rusqlite's enum")]
impl DatabaseName {
    const Main: &std::ffi::CStr = c"main";
}

/// Whether the main database is read-only.
pub(crate) fn is_read_only(connection: &Connection) -> rusqlite::Result<bool> {
    // Old releases of rusqlite take their own `DatabaseName`, new releases take a name. If rusqlite has a
    // `DatabaseName`, this import replaces the one above.
    #[allow(unused_imports, clippy::wildcard_imports, reason = "the name is there in old releases only")]
    use rusqlite::*;
    connection.is_readonly(DatabaseName::Main)
}

/// The oldest supported SQLite: it has `pragma_table_list` and strict tables, which the store needs.
const OLDEST: i32 = 3_037_000;

/// Whether the SQLite that is linked is new enough.
pub(crate) fn check_release() -> Result<(), Fault> {
    if rusqlite::version_number() < OLDEST {
        return Err(Fault::Other(format!(
            "SQLite {} is older than 3.37; turn on the feature `bundled`, or link a newer SQLite",
            rusqlite::version()
        )));
    }
    Ok(())
}

/// Opens a file for reading and writing, with a busy timeout of five seconds.
pub(crate) fn open(path: &Path, create: bool) -> Result<Connection, Fault> {
    check_release()?;
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "secure_delete", true)?;
    Ok(connection)
}
