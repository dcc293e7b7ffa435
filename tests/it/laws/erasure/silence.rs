//! Nothing that identifies a customer leaves the store. The tests collect all output and search it.

use std::error::Error as _;
use std::fmt::{Debug, Display, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use relinquish::ledger::Ledger;
use relinquish::{Asked, CustomerId, Outcome};

use super::Verdict;
use super::canary::Canaries;
use super::generated::{Cell, Shop};
use super::run::{Backend, Tamper, prepare};

static LISTENS: AtomicBool = AtomicBool::new(false);
static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static PANICS: Mutex<String> = Mutex::new(String::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records every log line of this process, from every thread, and every panic. Only one test at a time can use it.
pub(super) struct Ear {
    _alone: MutexGuard<'static, ()>,
}

impl Ear {
    pub(super) fn open() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        static READY: OnceLock<()> = OnceLock::new();
        READY.get_or_init(|| {
            tracing_subscriber::fmt()
                .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
                .with_writer(|| Heard)
                .init();
            let previous = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                if LISTENS.load(Ordering::SeqCst) {
                    let _ = writeln!(lock(&PANICS), "{panic}");
                }
                previous(panic);
            }));
        });
        let ear = Self { _alone: lock(&ALONE) };
        LISTENS.store(true, Ordering::SeqCst);
        ear
    }

    fn forget() {
        lock(&LOGGED).clear();
        lock(&PANICS).clear();
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        LISTENS.store(false, Ordering::SeqCst);
    }
}

/// Where the log goes.
struct Heard;

impl std::io::Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if LISTENS.load(Ordering::SeqCst) {
            lock(&LOGGED).extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The collected output, by place.
#[derive(Default)]
struct Said(Vec<(String, Vec<u8>)>);

impl Said {
    fn add(&mut self, place: &str, what: impl Into<Vec<u8>>) {
        self.0.push((place.to_owned(), what.into()));
    }

    fn shown(&mut self, place: &str, what: &(impl Display + Debug)) {
        self.add(&format!("the text of {place}"), what.to_string());
        self.add(&format!("the Debug of {place}"), format!("{what:?} {what:#?}"));
    }

    fn error(&mut self, place: &str, error: &relinquish::Error) {
        self.shown(place, error);
        let mut source = error.source();
        while let Some(error) = source {
            self.shown(&format!("the source of {place}"), &error);
            source = error.source();
        }
    }

    fn search(&self, canaries: &Canaries, but: &[&str]) -> Verdict {
        let mut elsewhere = self.0.iter().filter(|(place, _)| !but.contains(&place.as_str()));
        elsewhere.try_for_each(|(place, bytes)| canaries.search(place, bytes))
    }
}

fn files(ledger: &Path) -> Said {
    let mut said = Said::default();
    for end in ["", "-wal", "-journal"] {
        let path = format!("{}{end}", ledger.display());
        said.add(&format!("the ledger's file{end}"), std::fs::read(path).unwrap_or_default());
    }
    said
}

/// Plans and erases, and then searches all output. It searches for every personal value of every customer, and for
/// the customer's id where the id is not allowed. The answer is the outcome, so that a test knows which output was
/// searched. `None` if the code panicked.
pub(super) async fn nothing_personal_leaves(
    _ear: &Ear,
    shop: &Shop,
    backend: Backend,
    tamper: Tamper<'_>,
) -> Result<Option<Outcome>, String> {
    Ear::forget();
    let rows = shop.rows(0);
    let run = prepare(shop, &rows, backend, tamper).await;
    let mut said = Said::default();
    let plan = run.plan.plan();
    said.shown("the plan", plan);
    said.add("the JSON of the plan", plan.to_json().to_string());
    said.add("the Debug of the approved plan", format!("{:?}", run.plan));
    said.add("the Debug of the engine", format!("{:?} {:?} {:?}", run.engine, run.store, run.ledger));
    // A second plan, because this one may fail.
    match run.engine.plan(&CustomerId::new(shop.target()), &Asked::request()).await {
        Ok(planned) => said.add("the Debug of the second plan", format!("{planned:?}")),
        Err(error) => said.error("the error of the second plan", &error),
    }
    let (engine, plan) = (run.engine.clone(), run.plan.clone());
    let outcome = match tokio::spawn(async move { engine.erase(plan).await }).await {
        Ok(Ok(outcome)) => {
            said.shown("the outcome", &outcome);
            said.add("the JSON of the outcome", serde_json::to_string(&outcome).unwrap());
            Some(outcome)
        }
        Ok(Err(error)) => {
            said.error("the error", &error);
            None
        }
        Err(_) => None,
    };
    if let Some(certificate) = outcome.as_ref().and_then(Outcome::certificate) {
        ensure!(!lock(&LOGGED).is_empty(), "nothing is logged at all");
        said.shown("the certificate", certificate);
        said.add("the JSON of the certificate", serde_json::to_string(certificate).unwrap());
    }
    said.add("the Debug of the entries", format!("{:?}", run.ledger.entries(0, 10).await));
    said.add("the log", lock(&LOGGED).clone());
    said.add("a panic", lock(&PANICS).clone());

    let values: Vec<String> = rows.iter().flat_map(|row| row.cells.iter().flat_map(Cell::secrets)).collect();
    let values = Canaries::new(values.iter().map(String::as_str));
    said.search(&values, &[])?;
    files(&run.ledger_file()).search(&values, &[])?;
    // The id may appear only in the plan, and in the case book while the case is open.
    let id = shop.target();
    let id = Canaries::new([id.as_str()]);
    said.search(&id, &["the text of the plan", "the JSON of the plan"])?;
    if outcome.as_ref().is_some_and(|outcome| outcome.certificate().is_some()) {
        // SQLite empties the ledger's write-ahead log a little later.
        let log = run.ledger_file().with_extension("sqlite-wal");
        let patience = Instant::now() + Duration::from_secs(30);
        while std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            ensure!(Instant::now() < patience, "the ledger's log was never emptied");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        files(&run.ledger_file()).search(&id, &[])?;
    }
    Ok(outcome)
}
