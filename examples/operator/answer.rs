//! The result of a command: an answer or a failure, each as text and as JSON, and the exit code.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use relinquish::engine::Expired;
use relinquish::ledger::{KeyRingError, LedgerError};
use relinquish::plan::Step;
use relinquish::store::StoreError;
use relinquish::{Outcome, Problem, Problems};
use serde::Serialize;
use serde_json::{Value, json};

/// How a command ended. Scripts see it as the exit code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    /// Done: 0.
    Done,
    /// Exit code 2: the policy, a guard or the approval forbids the command, and nothing was erased.
    Refused,
    /// Exit code 1: the command failed.
    Failed,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(match ending {
            Ending::Done => 0,
            Ending::Failed => 1,
            Ending::Refused => 2,
        })
    }
}

/// The answer of a command.
pub(crate) struct Answer {
    pub(crate) ending: Ending,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Answer {
    /// It is done.
    pub(crate) fn done(text: impl Into<String>, json: Value) -> Self {
        Self { ending: Ending::Done, text: text.into(), json }
    }

    /// A refusal: the reason as JSON for programs, and the text for people.
    pub(crate) fn refused(reason: &impl Serialize, text: impl Into<String>) -> Self {
        let text = text.into();
        let mut reason = json!(reason);
        if let Some(table) = reason.as_object_mut() {
            table.insert("text".to_owned(), json!(text));
        }
        Self { ending: Ending::Refused, text, json: json!({ "refused": reason }) }
    }

    /// The answer about one case: its certificate if it is closed, otherwise its state and what to do.
    pub(crate) fn of_case(outcome: &Outcome) -> Self {
        let text = case_text(outcome);
        match outcome {
            Outcome::Erased(certificate) => Self::done(text, json!(certificate)),
            Outcome::Waiting { .. } => {
                let mut json = case_json(outcome);
                if let Some(table) = json.as_object_mut() {
                    table.insert("error".to_owned(), json!(text));
                }
                Self { ending: Ending::Failed, text, json }
            }
            Outcome::Expired(expired) => Self::of_expired(expired),
            Outcome::Profile { .. } => Self::done(text, case_json(outcome)),
            Outcome::Copies(removed) if removed.is_complete() => Self::done(text, case_json(outcome)),
            Outcome::Superseded { .. }
            | Outcome::Copies(_)
            | Outcome::Held { .. }
            | Outcome::Cancelled { .. }
            | Outcome::Blocked { .. }
            | Outcome::TakenOver { .. }
            | Outcome::OtherRules { .. }
            | Outcome::Conflict { .. } => Self::refused(&case_json(outcome), text),
        }
    }

    /// The answer about an expiry. It is not a failure if a guard holds a customer back. It is a failure if the
    /// records of a customer could not be erased, and a refusal if a customer changed in the meantime.
    pub(crate) fn of_expired(expired: &Expired) -> Self {
        let (text, mut json) = (expired.to_string(), expired.to_json());
        if expired.of.values().any(|of| !of.failed.is_empty()) {
            if let Some(table) = json.as_object_mut() {
                table.insert("error".to_owned(), json!(text));
            }
            return Self { ending: Ending::Failed, text, json };
        }
        if expired.ended_early.is_some() || expired.of.values().any(|of| of.changed > 0) {
            Self::refused(&json, text)
        } else {
            Self::done(text, json)
        }
    }

    /// The answer about several cases. The exit code is that of the worst case.
    pub(crate) fn of_cases(outcomes: &[Outcome], none: &str) -> Self {
        let ending = outcomes.iter().map(case_ending).max().unwrap_or(Ending::Done);
        let texts: Vec<String> = outcomes.iter().map(case_text).collect();
        let text = if texts.is_empty() { none.to_owned() } else { texts.join("\n\n") };
        let cases: Vec<Value> = outcomes.iter().map(case_json).collect();
        Self { ending, text, json: json!({ "cases": cases }) }
    }

    /// Prints the answer and returns the exit code.
    pub(crate) fn print(&self, as_json: bool) -> ExitCode {
        let shown = if as_json { pretty(&self.json) } else { self.text.clone() };
        let written = if !as_json && self.ending == Ending::Failed {
            writeln!(io::stderr(), "{shown}")
        } else {
            writeln!(io::stdout(), "{shown}")
        };
        // If the answer could not be printed, the user must not believe that the command succeeded.
        if written.is_ok() { self.ending.into() } else { ExitCode::FAILURE }
    }
}

fn pretty(json: &Value) -> String {
    format!("{json:#}")
}

fn case_ending(outcome: &Outcome) -> Ending {
    match outcome {
        Outcome::Erased(_) | Outcome::Profile { .. } => Ending::Done,
        Outcome::Expired(expired) if expired.is_complete() => Ending::Done,
        Outcome::Copies(removed) if removed.is_complete() => Ending::Done,
        Outcome::Waiting { .. } => Ending::Failed,
        Outcome::Superseded { .. }
        | Outcome::Expired(_)
        | Outcome::Copies(_)
        | Outcome::Held { .. }
        | Outcome::Cancelled { .. }
        | Outcome::Blocked { .. }
        | Outcome::TakenOver { .. }
        | Outcome::OtherRules { .. }
        | Outcome::Conflict { .. } => Ending::Refused,
    }
}

fn case_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Erased(_)
        | Outcome::Expired(_)
        | Outcome::Copies(_)
        | Outcome::Profile { .. }
        | Outcome::Cancelled { .. } => outcome.to_string(),
        Outcome::Superseded { .. } => format!("{outcome}; plan again"),
        Outcome::Blocked { case, step, reversible, .. } => {
            let by_hand = if matches!(step, Step::Gateway(_) | Step::Recipient(_)) {
                format!(
                    "\n  when a person has done it by hand: by-hand --case {case} --step {step} --approver … --reason …"
                )
            } else {
                String::new()
            };
            let cancel = if *reversible {
                format!("\n  to give it up: cancel --case {case} --approver … --reason …")
            } else {
                String::new()
            };
            format!("{outcome}\n  when the cause is gone: retry --case {case}{by_hand}{cancel}")
        }
        Outcome::Waiting { retry_after, .. } => {
            let when = retry_after.map_or_else(String::new, |time| format!(" in {} s", time.as_secs()));
            format!("{outcome}\n  to go on: resume{when}")
        }
        Outcome::Held { .. } => format!("{outcome}\n  to go on: hold lift, then resume"),
        Outcome::TakenOver { .. } => format!("{outcome}\n  see how far it is: status"),
        Outcome::OtherRules { case, .. } => {
            format!("{outcome}\n  to give it up: cancel --case {case} --approver … --reason …")
        }
        Outcome::Conflict { .. } => {
            format!("{outcome}\n  see how far it is: status; then resume, retry or cancel it")
        }
    }
}

fn case_json(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Erased(certificate) => json!({ "outcome": "erased", "certificate": certificate }),
        Outcome::Expired(expired) => json!({ "outcome": "expired", "expiry": expired.to_json() }),
        Outcome::Copies(removed) => json!({ "outcome": "copies", "certificate": removed }),
        Outcome::Profile { case, gateway, answer } => {
            json!({ "outcome": "profile", "case": case, "gateway": gateway, "answer": answer })
        }
        Outcome::Superseded { case, because } => {
            let reason = because.to_string();
            json!({ "outcome": "superseded", "case": case, "because": because, "reason": reason })
        }
        Outcome::Cancelled { case } => json!({ "outcome": "cancelled", "case": case }),
        Outcome::Blocked { case, step, reason, reversible } => {
            json!({ "outcome": "blocked", "case": case, "step": step, "reason": reason, "reversible": reversible })
        }
        Outcome::Held { case, step, holds } => {
            json!({ "outcome": "held", "case": case, "step": step, "holds": holds })
        }
        Outcome::TakenOver { case } => json!({ "outcome": "taken_over", "case": case }),
        Outcome::OtherRules { case, what, opened_under } => {
            json!({ "outcome": "other_rules", "case": case, "what": what, "opened_under": opened_under })
        }
        Outcome::Waiting { case, step, reason, retry_after } => json!({
            "outcome": "waiting",
            "case": case,
            "step": step,
            "reason": reason,
            "retry_after_seconds": retry_after.map(|time| time.as_secs()),
        }),
        Outcome::Conflict { case } => json!({ "outcome": "conflict", "case": case }),
    }
}

/// Why a command could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A file cannot be read.
    #[error("{} cannot be read", .file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    /// A file cannot be written, or exists already.
    #[error("{} cannot be written", .file.display())]
    Unwritable { file: PathBuf, source: io::Error },
    /// A file has no holidays.
    #[error("{}", .file.display())]
    NotHolidays { file: PathBuf, source: relinquish::plan::NotHolidays },
    /// A file is no approval.
    #[error("{} is no approval; give the file that approve or stand wrote", .file.display())]
    NoApproval { file: PathBuf, source: serde_json::Error },
    /// A document has errors, or does not fit the database.
    #[error("{}", listed(.0))]
    Misfits(Vec<Misfit>),
    /// The database cannot be opened.
    #[error("{}", .file.display())]
    Database { file: PathBuf, source: StoreError },
    /// The ledger cannot be opened or read.
    #[error("{}", .file.display())]
    Ledger { file: PathBuf, source: LedgerError },
    /// The named ledger does not exist.
    #[error("there is no ledger {}; check the path, the first erasure makes the ledger", .file.display())]
    NoLedger { file: PathBuf },
    /// A proof of the ledger cannot be made.
    #[cfg(feature = "checkpoints")]
    #[error("{}", .file.display())]
    Proof { file: PathBuf, source: relinquish::ledger::proof::ProofError },
    /// The keys of the ledger cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    /// The mark of the ledger in the database cannot be read.
    #[error(
        "the database has no mark of the ledger; say with --since when the backup was made, or an earlier instant"
    )]
    NoMark,
    /// Any other error of the engine.
    #[error(transparent)]
    Engine(relinquish::Error),
    /// No async runtime.
    #[error("no runtime could be started")]
    Runtime(#[source] io::Error),
}

/// Something wrong in one of the documents.
#[derive(Debug)]
pub(crate) struct Misfit {
    pub(crate) file: PathBuf,
    pub(crate) problem: Problem,
}

/// All errors of one document.
pub(crate) fn misfits(file: &Path, problems: &Problems) -> Vec<Misfit> {
    problems.iter().map(|problem| Misfit { file: file.to_owned(), problem: problem.clone() }).collect()
}

fn listed(misfits: &[Misfit]) -> String {
    let mut text = match misfits.len() {
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    for Misfit { file, problem } in misfits {
        let shown = file.display();
        // Writing to a `String` never fails.
        let _ = write!(text, "\n  {shown}: {problem}");
    }
    let problems: Problems = misfits.iter().map(|misfit| misfit.problem.clone()).collect();
    let pasted = problems.to_paste();
    if !pasted.is_empty() {
        let _ = write!(text, "\n\nLines to paste:\n\n{}", pasted.trim_end());
    }
    text
}

impl From<relinquish::Error> for Failure {
    fn from(error: relinquish::Error) -> Self {
        match error {
            relinquish::Error::NoMark => Self::NoMark,
            error => Self::Engine(error),
        }
    }
}

impl Failure {
    /// The text of the error and of its causes, each text only once.
    fn text(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let said = error.to_string();
            if !text.contains(&said) {
                text.push_str(": ");
                text.push_str(&said);
            }
            cause = error.source();
        }
        text
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        let text = failure.text();
        let mut json = json!({ "error": text });
        if let (Failure::Misfits(misfits), Some(table)) = (&failure, json.as_object_mut()) {
            let problems = misfits
                .iter()
                .map(|Misfit { file, problem }| {
                    json!({
                        "file": file.display().to_string(),
                        "path": problem.path,
                        "what": problem.what,
                        "way_out": problem.way_out,
                        "paste": problem.paste,
                    })
                })
                .collect();
            table.insert("problems".to_owned(), problems);
        }
        Self { ending: Ending::Failed, text: format!("error: {text}"), json }
    }
}
