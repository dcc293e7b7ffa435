//! The worker: from the inbox to the erasure by itself, with pauses that end, and nothing stuck.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use relinquish::customer::HoldGround;
use relinquish::engine::{NewHold, PlannedExpiry, RequestList, Retries, Worker};
use relinquish::gateway::{
    AccountId, GatewayAnswer, GatewayError, GatewayName, GatewayOutcome, MemoryGateway, PaymentGatewayEraser,
    ProfileErasure, ProfileId, ProfileState, Receipt,
};
use relinquish::ledger::{Closing, Ledger as _};
use relinquish::plan::ExtensionReason;
use relinquish::plan::letter::Language;
use relinquish::request::{Answer, Channel, LetterKind, Note, PlanApproval, Request, RequestId, Stage};
use relinquish::testing::Faulty;
use relinquish::{Approval, Asked, Engine, Outcome, Plan, PolicyDocument, SqlMap, SqliteLedger, SqliteStore};
use rusqlite::Connection;
use tokio::sync::Notify;

use super::requests::{Trial, day, insert, note, operator};
use crate::hosts;
use crate::wired::{NEVER, Tripwire, until_death};

/// What a gateway does at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Works,
    Down,
    /// It takes the task, and does not finish it.
    Accepts,
}

/// A gateway whose mood a test changes.
#[derive(Debug)]
struct Moody {
    inner: Arc<MemoryGateway>,
    mood: Mutex<Mood>,
    /// How often it was asked to erase, and how often it was asked for a task.
    asked: Mutex<(u32, u32)>,
    last: Mutex<Option<ProfileErasure>>,
}

impl Moody {
    fn over(trial: &Trial) -> Arc<Self> {
        Arc::new(Self {
            inner: trial.host.gateway.clone().unwrap(),
            mood: Mutex::new(Mood::Works),
            asked: Mutex::default(),
            last: Mutex::default(),
        })
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn up(&self) -> Result<Mood, GatewayError> {
        match *self.mood.lock().unwrap() {
            Mood::Down => {
                Err(GatewayError::Busy { gateway: self.inner.gateway().clone(), retry_after: None })
            }
            mood => Ok(mood),
        }
    }
}

#[async_trait]
impl PaymentGatewayEraser for Moody {
    fn gateway(&self) -> &GatewayName {
        self.inner.gateway()
    }

    fn longest_call(&self) -> Duration {
        Duration::ZERO
    }

    async fn account(&self) -> Result<Option<AccountId>, GatewayError> {
        self.up()?;
        self.inner.account().await
    }

    async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError> {
        self.up()?;
        self.inner.state(profile).await
    }

    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError> {
        let mood = self.up()?;
        self.asked.lock().unwrap().0 += 1;
        if mood == Mood::Accepts {
            *self.last.lock().unwrap() = Some(erasure.clone());
            return Ok(GatewayOutcome::Accepted { receipt: "task-7".into() }.into());
        }
        self.inner.erase(erasure).await
    }

    async fn poll(&self, receipt: &Receipt) -> Result<GatewayAnswer, GatewayError> {
        let mood = self.up()?;
        self.asked.lock().unwrap().1 += 1;
        let erasure = self.last.lock().unwrap().clone().unwrap();
        match mood {
            Mood::Accepts => Ok(GatewayOutcome::Accepted { receipt: receipt.clone() }.into()),
            Mood::Works | Mood::Down => self.inner.erase(&erasure).await,
        }
    }
}

/// An engine whose gateway has moods.
fn moody_engine(trial: &Trial, gateway: &Arc<Moody>) -> Engine {
    let path = trial.host.folder.path().join("ledger.sqlite");
    let map = SqlMap::from_toml(hosts::CRM_MAP).unwrap();
    let store = SqliteStore::open(trial.host.path(), &map).unwrap();
    let policy = PolicyDocument::from_toml(&trial.host.policy).unwrap();
    let (clock, ledger) = (Arc::clone(&trial.clock), SqliteLedger::open(&path).unwrap());
    let leases = Arc::clone(&trial.clock);
    Engine::builder(store, policy, ledger.lease_clock(move || leases.now()), hosts::keys_beside(&path))
        .gateway(Arc::clone(gateway))
        .worker("one")
        .clock(clock)
        .build()
        .unwrap()
}

async fn plan(engine: &Engine, customer: &str) -> Plan {
    engine.ensure_census().await.unwrap();
    hosts::plan(engine, &customer.into(), &Asked::request()).await
}

/// A request that somebody has identified, and whose plan somebody has approved.
async fn approved_request(trial: &Trial, engine: &Engine, id: &str, customer: &str) {
    let at = "2026-11-02T09:30:00Z";
    engine.receive(super::requests::of_customer(id, customer, at)).await.unwrap();
    approve(trial, engine, id, customer).await;
}

async fn approve(trial: &Trial, engine: &Engine, id: &str, customer: &str) {
    let reference = "logged-in".parse().unwrap();
    note(engine, id, Note::ConfirmIdentity { reference }, "2026-11-03").await.unwrap();
    approve_plan(trial, engine, id, customer).await;
}

/// Approves the plan that answers a request of somebody who is identified.
async fn approve_plan(trial: &Trial, engine: &Engine, id: &str, customer: &str) {
    let (digest, now) = (plan(engine, customer).await.digest(), trial.clock.now());
    let approval = Approval::new("operator-7", ["1".into()], digest, now, TimeDelta::days(30));
    note(engine, id, Note::Approve(PlanApproval::new(approval)), "2026-11-21").await.unwrap();
}

async fn request(engine: &Engine, id: &str) -> Request {
    engine.request(&id.into()).await.unwrap().unwrap()
}

async fn erased(engine: &Engine, trial: &Trial) -> usize {
    let ledger = SqliteLedger::open(trial.host.folder.path().join("ledger.sqlite")).unwrap();
    let entries = ledger.entries(0, 1_000).await.unwrap();
    assert!(engine.open_cases(None, 10).await.unwrap().is_empty());
    let closed = entries.iter().filter_map(|entry| entry.closed());
    closed.filter(|case| matches!(case.closing, Closing::Erased(_))).count()
}

#[tokio::test]
async fn a_request_goes_from_the_inbox_to_the_erasure_by_itself() {
    let trial = Trial::new();
    let engine = trial.engine();
    let mut worker = engine.worker();
    let before = (trial.host.dump)();
    trial.sql(&insert("r-1", "17"));
    let turned = worker.turn().await.unwrap();
    assert_eq!((turned.inbox.received, turned.opened), (1, 0));
    assert_eq!(request(&engine, "r-1").await.stage(), Stage::Open, "a person has to act");
    approve(&trial, &engine, "r-1", "17").await;
    assert_eq!(request(&engine, "r-1").await.stage(), Stage::Approved);
    let turned = worker.turn().await.unwrap();
    assert_eq!((turned.opened, turned.ended, turned.not_approved), (1, 1, 0), "{turned:?}");
    let done = request(&engine, "r-1").await;
    let case = done.erased.clone().unwrap();
    assert!(engine.certificate(&case).await.unwrap().is_some());
    trial.host.check_erased(&before);
    note(&engine, "r-1", Note::Decide { answer: Answer::Granted }, "2026-11-21").await.unwrap();
    note(&engine, "r-1", Note::End, "2026-11-21").await.unwrap();
    assert_eq!(worker.turn().await.unwrap(), relinquish::engine::Turned::default());
    let health = engine.health().await.unwrap();
    assert_eq!(health, relinquish::engine::Health::default());
}

/// The certificate of a case that was opened by hand tells no request. That of a request tells it, and not who asked.
#[tokio::test]
async fn the_certificate_tells_the_request_with_its_identity_its_clock_and_its_letters() {
    let trial = Trial::new();
    let engine = trial.engine();
    engine.receive(super::requests::of_customer("r-1", "17", "2026-11-02T09:30:00Z")).await.unwrap();
    note(&engine, "r-1", Note::AskIdentity, "2026-11-04").await.unwrap();
    let reference = "passport-seen".parse().unwrap();
    note(&engine, "r-1", Note::ConfirmIdentity { reference }, "2026-11-14").await.unwrap();
    note(&engine, "r-1", Note::Extend { reason: ExtensionReason::Complexity }, "2026-11-20").await.unwrap();
    let letter = Note::Send { kind: LetterKind::Extension, language: Language::German, digest: None };
    note(&engine, "r-1", letter, "2026-11-20").await.unwrap();
    approve_plan(&trial, &engine, "r-1", "17").await;
    assert_eq!(engine.worker().turn().await.unwrap().ended, 1);

    let case = request(&engine, "r-1").await.erased.unwrap();
    let certificate = engine.certificate(&case).await.unwrap().unwrap();
    let intake = certificate.intake().unwrap();
    assert_eq!(intake.request.get().map(RequestId::as_str), Some("r-1"));
    assert_eq!(
        (intake.channel, intake.received_at),
        (Channel::Email, "2026-11-02T09:30:00Z".parse().unwrap())
    );
    let identity = intake.identity.as_ref().map(|identity| (identity.on, identity.reference.to_string()));
    assert_eq!(identity, Some((day("2026-11-14"), "passport-seen".to_owned())));
    assert_eq!(intake.clock.suspensions().len(), 1);
    assert_eq!((intake.due, intake.letters.len()), (Some(day("2027-02-12")), 1));
    let line = "request    r-1, received on 2026-11-02 (email), identity confirmed on 2026-11-14 (passport-seen), \
                suspended from 2026-11-04 to 2026-11-14, extended on 2026-11-20, answer due on 2027-02-12, \
                letter extension (de) sent on 2026-11-20\n";
    assert!(certificate.to_string().contains(line), "{certificate}");
    let json = serde_json::to_value(&certificate).unwrap();
    assert_eq!(json["request"]["letters"][0]["on"], "2026-11-20");
    assert_eq!(json["request"]["clock"], serde_json::to_value(&intake.clock).unwrap());

    let approved = hosts::approved(&engine, &"5".into(), &Asked::request()).await;
    let outcomes = engine.execute(vec![approved]).await.unwrap();
    let by_hand = outcomes[0].certificate().unwrap();
    assert_eq!(by_hand.intake(), None);
    assert!(!by_hand.to_string().contains("request    "), "{by_hand}");
}

#[tokio::test]
async fn a_worker_that_dies_anywhere_opens_one_case_and_the_next_one_finishes_it() {
    let mut deaths = 0;
    for boundary in 0.. {
        let trial = Trial::new();
        let before = (trial.host.dump)();
        approved_request(&trial, &trial.engine(), "r-1", "17").await;
        let wire = Tripwire::at(boundary);
        let turned = until_death(&wire, trial.engine_on(&wire).worker().turn()).await;
        deaths += usize::from(turned.is_none());
        let engine = trial.engine();
        for _ in 0..3 {
            engine.worker().turn().await.unwrap();
        }
        assert_eq!(erased(&engine, &trial).await, 1, "at {boundary}");
        let done = request(&engine, "r-1").await;
        assert!(done.erased.is_some() && done.running.is_none(), "at {boundary}: {done:?}");
        trial.host.check_erased(&before);
        if turned.is_some() {
            break;
        }
    }
    assert!(deaths > 30, "{deaths}");
}

#[tokio::test]
async fn two_workers_at_once_open_one_case() {
    let trial = Trial::new();
    approved_request(&trial, &trial.engine(), "r-1", "17").await;
    approved_request(&trial, &trial.engine(), "r-2", "5").await;
    let (one, two) = (trial.engine(), trial.engine());
    let (mut first, mut second) = (one.worker(), two.worker());
    let (first, second) = futures_util::future::join(first.turn(), second.turn()).await;
    let opened = first.unwrap().opened + second.unwrap().opened;
    assert!((2..=3).contains(&opened), "{opened}");
    one.worker().turn().await.unwrap();
    assert_eq!(erased(&one, &trial).await, 2);
    for id in ["r-1", "r-2"] {
        assert!(request(&one, id).await.erased.is_some());
    }
}

#[tokio::test]
async fn a_plan_that_changed_since_its_approval_needs_another_one() {
    let trial = Trial::new();
    let engine = trial.engine();
    approved_request(&trial, &engine, "r-1", "17").await;
    trial.sql("UPDATE subscriptions SET active = 1 WHERE client_id = 17");
    let before = (trial.host.dump)();
    let turned = engine.worker().turn().await.unwrap();
    assert_eq!((turned.opened, turned.not_approved), (0, 1));
    assert_eq!(request(&engine, "r-1").await.stage(), Stage::Open);
    assert_eq!((trial.host.dump)(), before);
    trial.sql("UPDATE subscriptions SET active = 0 WHERE client_id = 17");
    let (digest, now) = (plan(&engine, "17").await.digest(), trial.clock.now());
    let approval = Approval::new("operator-7", ["1".into()], digest, now, TimeDelta::hours(1));
    note(&engine, "r-1", Note::Approve(PlanApproval::new(approval)), "2026-11-21").await.unwrap();
    assert_eq!(engine.worker().turn().await.unwrap().ended, 1);
}

#[tokio::test]
async fn a_held_request_goes_on_by_itself_when_the_hold_is_lifted() {
    let trial = Trial::new();
    let engine = trial.engine();
    approved_request(&trial, &engine, "r-1", "17").await;
    let hold = NewHold::on_everything(HoldGround::Incident, "ticket-7".parse().unwrap());
    let hold = engine.place_hold(&hold, &operator()).await.unwrap();
    let turned = engine.worker().turn().await.unwrap();
    assert_eq!((turned.held, turned.opened, turned.not_approved), (1, 0, 0));
    assert!(engine.health().await.unwrap().stopped);
    engine.lift_hold(&hold.id, &operator()).await.unwrap();
    assert_eq!(engine.worker().turn().await.unwrap().ended, 1);
    assert!(request(&engine, "r-1").await.erased.is_some());
}

/// A gateway that is down is asked less and less often, and in the end a person has to look.
#[tokio::test]
async fn pauses_grow_and_nothing_is_tried_for_ever() {
    let trial = Trial::new();
    let gateway = Moody::over(&trial);
    let engine = moody_engine(&trial, &gateway);
    approved_request(&trial, &engine, "r-1", "17").await;
    let wait = async |worker: &mut Worker, time: TimeDelta| {
        trial.clock.turn(time);
        worker.turn().await.unwrap()
    };
    let two_days = Duration::from_secs(2 * 24 * 60 * 60);
    let mut worker = engine.worker().retries(Retries { accepted_for: two_days, ..Retries::default() });
    // It fails between the plan and the step.
    gateway.is(Mood::Accepts);
    assert_eq!(worker.turn().await.unwrap().waiting, 1);
    gateway.is(Mood::Down);
    let (mut tries, mut pauses) = (0, Vec::new());
    let mut since = trial.clock.now();
    let blocked = loop {
        let turned = wait(&mut worker, TimeDelta::seconds(20)).await;
        if turned.waiting + turned.blocked > 0 {
            tries += 1;
            pauses.push(trial.clock.now() - since);
            since = trial.clock.now();
        }
        if turned.blocked > 0 {
            break turned;
        }
        assert!(tries < 200, "it is tried for ever");
        // Two days in steps of twenty seconds are too many turns.
        trial.clock.turn(TimeDelta::minutes(if pauses.len() > 7 { 30 } else { 0 }));
    };
    assert_eq!(blocked.waiting, 0);
    assert!(pauses[0] < TimeDelta::minutes(3) && pauses[6] > TimeDelta::minutes(20), "{pauses:?}");
    assert!((40..100).contains(&tries), "two days, because the gateway had accepted the task: {tries}");
    let health = engine.health().await.unwrap();
    assert_eq!((health.cases_open, health.cases_blocked, health.cases_waiting), (1, 1, 0));
    let open = engine.open_cases(None, 10).await.unwrap().remove(0);
    assert!(open.blocked.unwrap().reason.to_string().contains("has failed"));
    // It is left alone, and is found again when the cause is gone.
    let turned = wait(&mut worker, TimeDelta::days(2)).await;
    assert_eq!((turned.waiting, turned.blocked, turned.ended), (0, 0, 0));
    gateway.is(Mood::Works);
    let outcome = engine.retry(&open.case).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    worker.turn().await.unwrap();
    assert!(request(&engine, "r-1").await.erased.is_some());
}

#[tokio::test]
async fn a_step_that_fails_for_too_long_blocks_the_case() {
    let trial = Trial::new();
    let gateway = Moody::over(&trial);
    let engine = moody_engine(&trial, &gateway);
    let plan = plan(&engine, "17").await;
    let (digest, now) = (plan.digest(), trial.clock.now());
    let approval = Approval::new("op", ["1".into()], digest, now, TimeDelta::days(30));
    let approved = plan.approve(approval).unwrap();
    gateway.is(Mood::Down);
    let outcome = engine.erase(approved).await.unwrap();
    assert!(matches!(outcome, Outcome::Waiting { .. }), "{outcome}");
    let retries = Retries { failing_for: Duration::from_secs(3 * 60 * 60), ..Retries::default() };
    let mut worker = engine.worker().retries(retries);
    let mut turns = 0;
    loop {
        let turned = worker.turn().await.unwrap();
        if turned.blocked > 0 {
            break;
        }
        turns += 1;
        assert!(turns < 40);
        trial.clock.turn(TimeDelta::minutes(30));
    }
    let passed = trial.clock.now() - hosts::now();
    assert!(passed >= TimeDelta::hours(3) && passed < TimeDelta::hours(6), "{passed}");
}

#[tokio::test]
async fn what_a_gateway_has_accepted_is_asked_for_until_it_is_done_and_never_submitted_again() {
    let trial = Trial::new();
    let gateway = Moody::over(&trial);
    let engine = moody_engine(&trial, &gateway);
    approved_request(&trial, &engine, "r-1", "17").await;
    gateway.is(Mood::Accepts);
    let mut worker = engine.worker();
    for _ in 0..20 {
        worker.turn().await.unwrap();
        trial.clock.turn(TimeDelta::hours(2));
    }
    assert!(request(&engine, "r-1").await.running.is_some());
    gateway.is(Mood::Works);
    assert_eq!(worker.turn().await.unwrap().ended, 1);
    worker.turn().await.unwrap();
    assert!(request(&engine, "r-1").await.erased.is_some());
    let (submitted, polled) = *gateway.asked.lock().unwrap();
    assert!(submitted == 1 && polled > 20, "{submitted} {polled}");
}

#[tokio::test]
async fn an_expiry_runs_at_the_time_that_the_host_names() {
    let trial = Trial::new();
    trial.sql("UPDATE call_records SET started_at = '2024-01-02 10:00:00' WHERE client_id = 3");
    let engine = trial.engine();
    engine.ensure_census().await.unwrap();
    let PlannedExpiry::Plan(plan) = engine.plan_expiry(["1".into()]).await.unwrap() else {
        panic!("records expire")
    };
    let now = trial.clock.now();
    let approval = Approval::new("op", ["1".into()], plan.digest(), now, TimeDelta::days(7));
    let mut worker = engine.worker().expire_at(now + TimeDelta::hours(2), plan.approve(approval).unwrap());
    let left = || hosts::sum(&trial.host.path(), "SELECT count(*) FROM call_records WHERE client_id = 3");
    assert_eq!((worker.turn().await.unwrap().ended, left() > 0), (0, true));
    trial.clock.turn(TimeDelta::hours(2));
    assert_eq!((worker.turn().await.unwrap().ended, left()), (1, 0));
    assert_eq!(worker.turn().await.unwrap().ended, 0, "once");
}

#[tokio::test]
async fn deadlines_are_warned_of_once_a_day_and_old_requests_are_forgotten() {
    let trial = Trial::new();
    let engine = trial.engine();
    engine.receive(super::requests::of_customer("r-1", "17", "2026-11-02T09:30:00Z")).await.unwrap();
    let mut worker = engine.worker();
    assert_eq!(worker.turn().await.unwrap().due_soon, 0, "due on 2 December");
    trial.clock.turn(TimeDelta::days(4));
    assert_eq!(worker.turn().await.unwrap().due_soon, 1);
    assert_eq!(worker.turn().await.unwrap().due_soon, 0, "once a day");
    trial.clock.turn(TimeDelta::days(30));
    assert_eq!(worker.turn().await.unwrap().due_soon, 1, "it is overdue");
    let health = engine.health().await.unwrap();
    assert_eq!((health.requests_open, health.requests_overdue), (1, 1));
    let today = engine.requests(RequestList::Overdue, None, 10).await.unwrap();
    assert_eq!(today.len(), 1);
    note(&engine, "r-1", Note::Decide { answer: Answer::NotIdentified }, "2026-12-25").await.unwrap();
    note(&engine, "r-1", Note::End, "2026-12-25").await.unwrap();
    trial.clock.turn(TimeDelta::days(182));
    assert_eq!(worker.turn().await.unwrap().forgotten, 1, "after six months");
    assert_eq!(day("2026-12-25") + chrono::Months::new(6), day("2027-06-25"));
}

#[tokio::test]
async fn a_worker_runs_until_it_is_told_to_stop_and_may_be_dropped() {
    let trial = Trial::new();
    let engine = trial.engine();
    approved_request(&trial, &engine, "r-1", "17").await;
    // Told before it begins: it does nothing.
    engine.worker().run(std::future::ready(())).await;
    assert_eq!(request(&engine, "r-1").await.stage(), Stage::Approved);
    // The pause of a real clock is ended by the stop.
    let path = trial.host.folder.path().join("ledger.sqlite");
    let map = SqlMap::from_toml(hosts::CRM_MAP).unwrap();
    let store = SqliteStore::open(trial.host.path(), &map).unwrap();
    let policy = PolicyDocument::from_toml(&trial.host.policy).unwrap();
    let real = Engine::builder(store, policy, SqliteLedger::open(&path).unwrap(), hosts::keys_beside(&path))
        .gateway(Faulty::new(trial.host.gateway.clone().unwrap(), Tripwire::at(NEVER)))
        .worker("one")
        .build()
        .unwrap();
    let stop = Arc::new(Notify::new());
    let told = Arc::clone(&stop);
    let running = tokio::spawn(real.worker().every(Duration::from_secs(3_600)).run(async move {
        told.notified().await;
    }));
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.notify_one();
    tokio::time::timeout(Duration::from_secs(20), running).await.unwrap().unwrap();
    // Dropped in the middle of a turn, it leaves everything to the next one.
    drop(engine.worker().run(std::future::pending()));
    let turned = engine.worker().turn().await.unwrap();
    let wiped: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM open_case", [], |row| row.get(0))
        .unwrap();
    assert_eq!(wiped, 0, "{turned:?}");
}
