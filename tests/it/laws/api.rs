//! What the Rust API Guidelines ask of every public type. The type can be sent between threads (C-SEND-SYNC) and has
//! a debug form (C-DEBUG). Errors implement the error trait (C-GOOD-ERR).

use std::fmt::Debug;

use relinquish::anonymise::Strategy;
use relinquish::backup::{BackupError, MemoryBackups};
use relinquish::case::{Event, Progress, Step};
use relinquish::engine::{EngineBuilder, Sweep, Worker};
use relinquish::gateway::{GatewayError, MemoryGateway};
use relinquish::ledger::{Entry, KeyRingError, LedgerError};
use relinquish::plan::letter::{Letter, LetterError};
use relinquish::plan::review::Review;
use relinquish::plan::{ApprovalError, ExpiryPlan, RequestClock};
use relinquish::recipient::RecipientError;
use relinquish::request::Request;
use relinquish::store::{MemoryStore, StoreError};
use relinquish::treatment::{Tally, Treatment};
use relinquish::{
    Approval, ApprovedPlan, Certificate, Customer, DataMap, Decision, Digest, Engine, Error, FileKeyRing,
    MemoryLedger, Outcome, Plan, Planned, Policy, PolicyDocument, Problems, SqlMap, SqliteLedger,
    SqliteStore,
};

fn crosses_threads<T: Send + Sync + Debug>() {}

fn is_send<T: Send>() {}

fn is_an_error<E: std::error::Error + Send + Sync + 'static>() {}

/// A type that is no longer `Send` or `Sync` breaks hosts, although no signature changes. This test fails first.
#[test]
fn what_a_host_meets_crosses_threads() {
    crosses_threads::<(Engine, EngineBuilder, Error, Outcome, Planned, Plan, ApprovedPlan, Approval)>();
    crosses_threads::<(Policy, PolicyDocument, DataMap, SqlMap, Digest, Problems, Decision, Customer)>();
    crosses_threads::<(SqliteStore, SqliteLedger, MemoryStore, MemoryLedger, FileKeyRing, MemoryGateway)>();
    crosses_threads::<(Certificate, Entry, Request, RequestClock, Letter, Review, ExpiryPlan)>();
    crosses_threads::<(Event, Progress, Step, Treatment, Tally, Strategy, MemoryBackups)>();
    is_send::<(Worker, Sweep)>();
}

#[test]
fn errors_are_errors() {
    is_an_error::<Error>();
    is_an_error::<Problems>();
    is_an_error::<StoreError>();
    is_an_error::<LedgerError>();
    is_an_error::<KeyRingError>();
    is_an_error::<GatewayError>();
    is_an_error::<RecipientError>();
    is_an_error::<BackupError>();
    is_an_error::<LetterError>();
    is_an_error::<ApprovalError>();
}
