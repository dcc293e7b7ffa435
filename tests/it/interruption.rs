//! A case that is interrupted anywhere is finished by `resume`.
//!
//! Every call that the engine makes to a port is a boundary. At each of them the process "dies": before the call, or
//! after it took effect and before its answer arrived. The future is dropped there, a new engine is made over the
//! same files, and resumes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::{self, Either};
use relinquish::customer::Identifiers;
use relinquish::gateway::{
    AccountId, GatewayAnswer, GatewayError, MemoryGateway, ProfileErasure, ProfileId, ProfileState, Receipt,
};
use relinquish::ledger::{
    CaseBook, CaseEvent, ClosedCase, Closing, Entry, Ledger, LedgerError, NewCase, Opened, ProfileErased,
    SavedCase, SubjectToken,
};
use relinquish::plan::CaseId;
use relinquish::policy::Treatment;
use relinquish::store::{
    Batch, Deactivated, Deactivation, EraseRequest, Erased, Reactivated, Reactivation, Select, StoreError,
    Tally, TallyRequest,
};
use relinquish::{
    ApprovedPlan, Asked, Customer, CustomerId, CustomerStore, DataMap, Digest, Engine, FileKeyRing,
    GatewayName, Outcome, PaymentGatewayEraser, PolicyDocument, RecordStore, SqlMap, SqliteLedger,
    SqliteStore,
};
use tokio::sync::Notify;

use crate::hosts::{self, Host, approved, request};

/// Counts boundaries and never lets the chosen one pass.
#[derive(Debug)]
struct Tripwire {
    passed: AtomicUsize,
    dies_at: usize,
    died: Notify,
}

impl Tripwire {
    fn at(dies_at: usize) -> Arc<Self> {
        Arc::new(Self { passed: AtomicUsize::new(0), dies_at, died: Notify::new() })
    }

    /// One call: a boundary before it, and one between its effect and its answer.
    async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        self.boundary().await;
        let answer = call.await;
        self.boundary().await;
        answer
    }

    async fn boundary(&self) {
        if self.passed.fetch_add(1, Ordering::SeqCst) == self.dies_at {
            self.died.notify_one();
            future::pending::<()>().await;
        }
    }
}

#[derive(Debug)]
struct Wired<T> {
    inner: T,
    wire: Arc<Tripwire>,
}

#[async_trait]
impl<T: CustomerStore> RecordStore for Wired<T> {
    fn data_map(&self) -> &DataMap {
        self.inner.data_map()
    }

    async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError> {
        self.wire.around(self.inner.tally(request)).await
    }

    async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError> {
        self.wire.around(self.inner.erase(request)).await
    }
}

#[async_trait]
impl<T: CustomerStore> CustomerStore for Wired<T> {
    async fn facts(&self, select: &Select) -> Result<Vec<Customer>, StoreError> {
        self.wire.around(self.inner.facts(select)).await
    }

    async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError> {
        self.wire.around(self.inner.identifiers(customers)).await
    }

    async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError> {
        self.wire.around(self.inner.deactivate(batch)).await
    }

    async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError> {
        self.wire.around(self.inner.reactivate(batch)).await
    }
}

#[async_trait]
impl<T: PaymentGatewayEraser> PaymentGatewayEraser for Wired<T> {
    fn gateway(&self) -> &GatewayName {
        self.inner.gateway()
    }

    async fn account(&self) -> Result<Option<AccountId>, GatewayError> {
        self.wire.around(self.inner.account()).await
    }

    async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError> {
        self.wire.around(self.inner.state(profile)).await
    }

    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError> {
        self.wire.around(self.inner.erase(erasure)).await
    }

    async fn poll(&self, receipt: &Receipt) -> Result<GatewayAnswer, GatewayError> {
        self.wire.around(self.inner.poll(receipt)).await
    }
}

#[async_trait]
impl<T: Ledger> CaseBook for Wired<T> {
    async fn open(&self, cases: &[NewCase]) -> Result<Vec<Opened>, LedgerError> {
        self.wire.around(self.inner.open(cases)).await
    }

    async fn record(&self, events: &[CaseEvent]) -> Result<(), LedgerError> {
        self.wire.around(self.inner.record(events)).await
    }

    async fn open_cases(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<SavedCase>, LedgerError> {
        self.wire.around(self.inner.open_cases(after, limit)).await
    }

    async fn open_case(&self, case: &CaseId) -> Result<Option<SavedCase>, LedgerError> {
        self.wire.around(self.inner.open_case(case)).await
    }
}

#[async_trait]
impl<T: Ledger> Ledger for Wired<T> {
    async fn close(&self, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError> {
        self.wire.around(self.inner.close(cases)).await
    }

    async fn scrubbed(&self, through: u64, at: DateTime<Utc>) -> Result<(), LedgerError> {
        self.wire.around(self.inner.scrubbed(through, at)).await
    }

    async fn profiles_erased(&self, profiles: &[ProfileErased]) -> Result<(), LedgerError> {
        self.wire.around(self.inner.profiles_erased(profiles)).await
    }

    async fn of_profiles(&self, profiles: &[SubjectToken]) -> Result<Vec<Entry>, LedgerError> {
        self.wire.around(self.inner.of_profiles(profiles)).await
    }

    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        self.wire.around(self.inner.entries(after, limit)).await
    }

    async fn last(&self) -> Result<u64, LedgerError> {
        self.wire.around(self.inner.last()).await
    }

    async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError> {
        self.wire.around(self.inner.entry(case)).await
    }

    async fn of_subjects(&self, subjects: &[SubjectToken]) -> Result<Vec<Entry>, LedgerError> {
        self.wire.around(self.inner.of_subjects(subjects)).await
    }

    async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError> {
        self.wire.around(self.inner.treatment(digest)).await
    }

    async fn scrubbed_after(&self, seq: u64) -> Result<Option<DateTime<Utc>>, LedgerError> {
        self.wire.around(self.inner.scrubbed_after(seq)).await
    }
}

/// An engine over the host's files, opened anew, that dies at a boundary.
fn engine(host: &Host, gateway: &Arc<MemoryGateway>, wire: &Arc<Tripwire>) -> Engine {
    let map = SqlMap::from_toml(hosts::CRM_MAP).unwrap();
    let ledger = host.folder.path().join("ledger.sqlite");
    let wire = || Arc::clone(wire);
    let store = Wired { inner: SqliteStore::open(host.path(), &map).unwrap(), wire: wire() };
    let policy = PolicyDocument::from_toml(&host.policy).unwrap();
    let keys = FileKeyRing::beside(&ledger).unwrap();
    let ledger = Wired { inner: SqliteLedger::open(&ledger).unwrap(), wire: wire() };
    Engine::builder(store, policy, ledger, keys)
        .gateway(Wired { inner: Arc::clone(gateway), wire: wire() })
        .clock(relinquish::testing::ManualClock::at(hosts::now()))
        .build()
        .unwrap()
}

/// Works until it is done or dies.
async fn until_death<T>(wire: &Tripwire, work: impl Future<Output = T>) -> Option<T> {
    let work = std::pin::pin!(work);
    let died = std::pin::pin!(wire.died.notified());
    match future::select(work, died).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}

const NEVER: usize = usize::MAX;

struct Trial {
    host: Host,
    gateway: Arc<MemoryGateway>,
    plan: ApprovedPlan,
}

async fn trial(treatment: &str) -> Trial {
    let host = hosts::sqlite();
    let gateway = host.gateway.clone().unwrap();
    let engine = engine(&host, &gateway, &Tripwire::at(NEVER));
    let plan = approved(&engine, &host.due, &request(treatment)).await;
    Trial { host, gateway, plan }
}

/// At rest: untouched with no case, or erased as planned with one entry in the ledger and no working memory.
async fn check(trial: &Trial, before: &hosts::Dump, what: &str) -> bool {
    let ledger = SqliteLedger::open(trial.host.folder.path().join("ledger.sqlite")).unwrap();
    assert!(ledger.open_cases(None, 10).await.unwrap().is_empty(), "{what}: working memory is wiped");
    let entries = ledger.entries(0, 10).await.unwrap();
    if entries.is_empty() {
        assert_eq!((trial.host.dump)(), *before, "{what}: untouched");
        return false;
    }
    assert_eq!(entries.len(), 1, "{what}: one leaf");
    let closed = entries[0].closed().unwrap();
    assert!(matches!(closed.closing, Closing::Erased(_)), "{what}: {:?}", closed.closing);
    let values = hosts::dump_sqlite(&trial.host.path());
    for value in &trial.host.values {
        assert!(!values.values().any(|row| row.contains(value.as_str())), "{what}: {value} is left");
    }
    for (row, content) in before.iter().filter(|(row, _)| !trial.host.owned.contains(row)) {
        // With `remove` the subscription goes too, and the customer's records have another owner.
        let mine = *row == "subscriptions/17";
        assert!(mine || values.get(row) == Some(content), "{what}: {row} is somebody else's");
    }
    assert_eq!(trial.gateway.len(), 19, "{what}: one profile is gone");
    true
}

#[tokio::test]
async fn a_case_that_dies_at_any_boundary_is_finished_by_resume() {
    for treatment in ["clear", "remove"] {
        let mut deaths = 0;
        for dies_at in 0.. {
            let trial = trial(treatment).await;
            let before = (trial.host.dump)();
            let wire = Tripwire::at(dies_at);
            let first = engine(&trial.host, &trial.gateway, &wire);
            let finished = until_death(&wire, first.erase(trial.plan.clone())).await;
            drop(first);
            if let Some(outcome) = finished {
                assert!(matches!(outcome.unwrap(), Outcome::Erased(_)));
                break;
            }
            deaths += 1;
            let second = engine(&trial.host, &trial.gateway, &Tripwire::at(NEVER));
            let outcomes = second.resume().await.unwrap();
            for outcome in &outcomes {
                assert!(matches!(outcome, Outcome::Erased(_)), "{treatment} at {dies_at}: {outcome}");
            }
            let erased = check(&trial, &before, &format!("{treatment} at {dies_at}")).await;
            // Nothing to resume: it died before the case was open, or after it was closed.
            assert!(erased || outcomes.is_empty(), "{treatment} at {dies_at}");
            assert!(second.resume().await.unwrap().is_empty());
        }
        assert!(deaths > 20, "{deaths} boundaries");
    }
}

#[tokio::test]
async fn a_resume_that_dies_is_finished_by_the_next_one() {
    // Dies once after the records are gone from the database and before anybody wrote that down, and again at
    // every boundary of the recovery.
    let lost_answer = {
        let trial = trial("clear").await;
        let wire = Tripwire::at(NEVER);
        engine(&trial.host, &trial.gateway, &wire).erase(trial.plan.clone()).await.unwrap();
        // The last calls are: erase, record, tally, close; each with two boundaries.
        wire.passed.load(Ordering::SeqCst) - 7
    };
    for dies_at in 0.. {
        let trial = trial("clear").await;
        let before = (trial.host.dump)();
        let wire = Tripwire::at(lost_answer);
        let first = engine(&trial.host, &trial.gateway, &wire);
        assert!(until_death(&wire, first.erase(trial.plan.clone())).await.is_none());
        drop(first);
        assert_ne!((trial.host.dump)(), before, "the erasure took effect");
        let wire = Tripwire::at(dies_at);
        let second = engine(&trial.host, &trial.gateway, &wire);
        let survived = until_death(&wire, second.resume()).await.is_some();
        drop(second);
        engine(&trial.host, &trial.gateway, &Tripwire::at(NEVER)).resume().await.unwrap();
        assert!(check(&trial, &before, &format!("recovery at {dies_at}")).await);
        if survived {
            break;
        }
    }
}

#[tokio::test]
async fn counts_are_unknown_after_a_lost_answer_and_never_invented() {
    use relinquish::ledger::Count;
    let mut unknown = 0;
    for dies_at in 0.. {
        let trial = trial("clear").await;
        let wire = Tripwire::at(dies_at);
        let first = engine(&trial.host, &trial.gateway, &wire);
        if until_death(&wire, first.erase(trial.plan.clone())).await.is_some() {
            break;
        }
        drop(first);
        let outcomes = engine(&trial.host, &trial.gateway, &Tripwire::at(NEVER)).resume().await.unwrap();
        for certificate in outcomes.iter().filter_map(Outcome::certificate) {
            let calls = certificate
                .records()
                .into_iter()
                .find(|class| class.class.as_str() == "call_record")
                .unwrap();
            match calls.treated {
                Some(Count::Exact(count)) => assert_eq!(count, 20, "at {dies_at}"),
                Some(Count::Unknown) => unknown += 1,
                None => panic!("call records are deleted"),
            }
        }
    }
    assert!(unknown > 0, "a lost answer is among the boundaries");
}

#[tokio::test]
async fn a_customer_who_changes_while_the_case_is_interrupted_is_not_erased() {
    // Dies right after the deactivation; meanwhile the customer takes out a new subscription.
    let sql = "UPDATE subscriptions SET active = 1 WHERE client_id = 17";
    let mut superseded = 0;
    let mut blocked = 0;
    for dies_at in 0.. {
        let trial = trial("clear").await;
        let wire = Tripwire::at(dies_at);
        let first = engine(&trial.host, &trial.gateway, &wire);
        if until_death(&wire, first.erase(trial.plan.clone())).await.is_some() {
            break;
        }
        drop(first);
        let started = trial.gateway.len() < 20;
        let erased = hosts::sum(
            &trial.host.path(),
            "SELECT count(*) FROM clients WHERE id = 17 AND email LIKE 'erased-%'",
        ) == 1;
        rusqlite::Connection::open(trial.host.path()).unwrap().execute(sql, []).unwrap();
        let before = (trial.host.dump)();
        for outcome in engine(&trial.host, &trial.gateway, &Tripwire::at(NEVER)).resume().await.unwrap() {
            match outcome {
                Outcome::Superseded { reason, .. } => {
                    assert!(!started && !erased, "at {dies_at}");
                    assert!(reason.contains("subscription"), "{reason}");
                    superseded += 1;
                    let status = "SELECT count(*) FROM clients WHERE id = 17 AND status = 'cancelled'";
                    assert_eq!(hosts::sum(&trial.host.path(), status), 1, "brought back: at {dies_at}");
                }
                Outcome::Blocked { reason, .. } => {
                    assert!(reason.contains("subscription"), "{reason}");
                    assert_eq!((trial.host.dump)(), before, "at {dies_at}");
                    blocked += 1;
                }
                // The records were erased before the subscription came.
                Outcome::Erased(_) => assert!(erased, "at {dies_at}"),
                other => panic!("at {dies_at}: {other}"),
            }
        }
    }
    assert!(superseded > 0 && blocked > 0, "{superseded} {blocked}");
}

#[tokio::test]
async fn two_resumes_at_once_do_the_work_once() {
    let trial = trial("clear").await;
    let wire = Tripwire::at(9);
    let first = engine(&trial.host, &trial.gateway, &wire);
    assert!(until_death(&wire, first.erase(trial.plan.clone())).await.is_none());
    drop(first);
    let before_resume = (trial.host.dump)();
    let engine = engine(&trial.host, &trial.gateway, &Tripwire::at(NEVER));
    let (one, other) = future::join(engine.resume(), engine.resume()).await;
    let outcomes: Vec<Outcome> = one.unwrap().into_iter().chain(other.unwrap()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.certificate().is_some()).count(), 1, "{outcomes:?}");
    assert!(check(&trial, &before_resume, "two resumes").await);
    // Asking again finds nothing.
    let decision = engine.decide(&trial.host.due, &Asked::request()).await.unwrap();
    assert!(decision.to_string().contains("treated the same way"), "{decision}");
}
