//! What is refused, blocked or out of reach touches nothing that it should not, and says the way out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::TimeDelta;
use relinquish::customer::Identifiers;
use relinquish::gateway::{
    AccountId, GatewayAnswer, GatewayError, GatewayOutcome, MemoryGateway, ProfileErasure, ProfileId,
    ProfileState, Receipt,
};
use relinquish::ledger::{Closing, Count, Ledger, MemoryLedger};
use relinquish::plan::{ApprovalError, Authority, Step};
use relinquish::store::{
    Batch, Counts, Deactivated, Deactivation, EraseRequest, Erased, Page, PageRequest, Reactivated,
    Reactivation, StoreError, TakeCensus, Tally, TallyRequest,
};
use relinquish::{
    Approval, Asked, Customer, CustomerId, CustomerStore, DataMap, Engine, Error, GatewayName, Outcome,
    PaymentGatewayEraser, Planned, PolicyDocument, RecordStore, TenantId,
};

use crate::hosts::ResumeAll as _;
use crate::hosts::{self, BuildCounted as _, Host, approval, approved, plan, request};

#[tokio::test]
async fn an_approval_that_does_not_fit_touches_nothing() {
    for host in hosts::all() {
        let engine = host.engine();
        let before = (host.dump)();
        let planned = plan(&engine, &host.due, &Asked::Sweep).await;
        let digest = planned.digest();
        let tenant = planned.tenant().clone();
        let (now, hour) = (hosts::now(), TimeDelta::hours(1));
        let another = Approval::new("op", [tenant.clone()], engine.policy().digest(), now, hour);
        let foreign = Approval::new("op", [TenantId::from("another")], digest, now, hour);
        let expired = Approval::new("op", [tenant.clone()], digest, now - hour, hour);
        let early = Approval::new("op", [tenant], digest, now + hour, hour);
        let refused = planned.approve(another).unwrap_err();
        assert!(matches!(refused.why, ApprovalError::OtherPlan { .. }), "{refused}");
        let refused = refused.given.approve(foreign).unwrap_err();
        assert!(matches!(refused.why, ApprovalError::OtherTenant { .. }), "{refused}");
        let planned = *refused.given;
        assert_eq!(planned.digest(), digest, "the plan comes back whole");
        // Whether an approval is valid at the time is for the engine, whose clock counts.
        let refused = engine.erase(planned.clone().approve(expired).unwrap()).await.unwrap_err();
        assert!(matches!(refused, Error::Approval(ApprovalError::Expired { .. })), "{refused}");
        let refused = engine.erase(planned.approve(early).unwrap()).await.unwrap_err();
        assert!(matches!(refused, Error::Approval(ApprovalError::NotYet { .. })), "{refused}");
        assert_eq!((host.dump)(), before);
    }
}

#[tokio::test]
async fn an_approval_that_expires_before_it_is_used_is_refused() {
    let host = hosts::sqlite();
    let clock = Arc::new(relinquish::testing::ManualClock::at(hosts::now()));
    let ledger = Arc::new(MemoryLedger::new());
    let engine =
        host.builder(Arc::clone(&ledger), hosts::keys()).clock(Arc::clone(&clock)).counted().unwrap();
    let plan = approved(&engine, &host.due, &Asked::Sweep).await;
    clock.turn(TimeDelta::hours(2));
    let before = (host.dump)();
    let error = engine.erase(plan).await.unwrap_err();
    assert!(matches!(error, Error::Approval(ApprovalError::Expired { .. })), "{error}");
    assert_eq!((host.dump)(), before);
    assert!(hosts::acts(&*ledger).await.is_empty(), "no case was opened");
}

#[tokio::test]
async fn a_plan_under_another_policy_is_refused() {
    let mut host = hosts::sqlite();
    let plan = approved(&host.engine(), &host.due, &Asked::Sweep).await;
    host.policy = host.policy.replace("90 days", "91 days");
    let before = (host.dump)();
    let error = host.engine().erase(plan).await.unwrap_err();
    assert!(matches!(error, Error::OtherRules { what: "policy", .. }), "{error}");
    assert_eq!((host.dump)(), before);
}

#[tokio::test]
async fn a_new_subscription_voids_an_approval_and_a_new_call_record_does_not() {
    let host = hosts::sqlite();
    let engine = host.engine();
    let plan = approved(&engine, &host.due, &Asked::Sweep).await;
    let connection = rusqlite::Connection::open(host.path()).unwrap();
    let call = "INSERT INTO call_records (client_id, called, started_at, seconds) VALUES (17, '+1', '2026-01-01', 1)";
    connection.execute(call, []).unwrap();
    assert_eq!(
        plan.plan().digest(),
        hosts::plan(&engine, &host.due, &Asked::Sweep).await.digest(),
        "a call record is no part of the decision"
    );
    connection.execute("UPDATE subscriptions SET active = 1 WHERE client_id = 17", []).unwrap();
    let before = (host.dump)();
    let outcome = engine.erase(plan).await.unwrap();
    let Outcome::Superseded { because, .. } = &outcome else { panic!("{outcome}") };
    assert!(because.to_string().contains("subscription"), "{because}");
    assert_eq!((host.dump)(), before);
}

#[tokio::test]
async fn a_missing_customer_and_an_unknown_treatment_are_typed_errors() {
    for host in hosts::all() {
        let engine = host.engine();
        for id in ["999", "", "017", "17 ", "1 OR 1=1", "'; DROP TABLE clients; --"] {
            let error = engine.plan(&CustomerId::from(id), &Asked::request()).await.unwrap_err();
            assert!(matches!(error, Error::NoSuchCustomer), "{}: {id}: {error}", host.name);
        }
        let error = engine.plan(&host.due, &request("clera")).await.unwrap_err();
        assert!(error.to_string().contains("did you mean clear?"), "{error}");
    }
}

#[tokio::test]
async fn a_customer_has_one_open_case_at_most() {
    let host = gateway_that_refuses();
    let engine = host.engine();
    let plan = approved(&engine, &host.due, &request("clear")).await;
    let Outcome::Blocked { case: first, .. } = engine.erase(plan.clone()).await.unwrap() else { panic!() };
    let Outcome::Conflict { case } = engine.erase(plan).await.unwrap() else { panic!() };
    assert_eq!(first, case);
}

/// An operator of the CRM's one tenant.
fn somebody() -> Authority {
    Authority::new("operator-9", [TenantId::from("1")])
}

/// The CRM, with client 17's profile owned by somebody else.
fn gateway_that_refuses() -> Host {
    let host = hosts::sqlite();
    host.gateway.as_ref().unwrap().insert("cus_000017", Some(CustomerId::from("4711")), 0);
    host
}

#[tokio::test]
async fn a_refusal_at_a_gateway_blocks_the_case_with_the_step_and_the_reason() {
    let host = gateway_that_refuses();
    let engine = host.engine();
    let plan = approved(&engine, &host.due, &Asked::Sweep).await;
    let before = (host.dump)();
    let outcome = engine.erase(plan).await.unwrap();
    let Outcome::Blocked { case, step, reason, .. } = &outcome else { panic!("{outcome}") };
    assert_eq!(step.to_string(), "gateway.stripe");
    assert!(reason.contains("another customer"), "{reason}");
    // Deactivated, and otherwise as before.
    let after = (host.dump)();
    for (row, content) in before.iter().filter(|(row, _)| *row != "clients/17") {
        assert_eq!(after.get(row), Some(content));
    }
    assert!(after["clients/17"].contains("archived"));
    assert_eq!(host.gateway.as_ref().unwrap().len(), 20);
    let open = engine.open_cases(None, 10).await.unwrap();
    assert_eq!((open.len(), open[0].case == *case, open[0].irreversible), (1, true, false));
    // A resume leaves it alone.
    assert!(matches!(engine.resumed().await[..], [Outcome::Blocked { .. }]));
    // Put right at the gateway and tried again, it is done.
    host.gateway.as_ref().unwrap().insert("cus_000017", Some(host.due.clone()), 0);
    assert!(engine.retry(case).await.unwrap().certificate().is_some());
    host.check_erased(&before);
    assert!(matches!(engine.retry(case).await, Err(Error::Ledger(_))), "it is closed");
}

#[tokio::test]
async fn a_blocked_case_can_be_cancelled_and_the_customer_is_as_before() {
    let host = gateway_that_refuses();
    let ledger = Arc::new(MemoryLedger::new());
    let engine = host.builder(Arc::clone(&ledger), hosts::keys()).counted().unwrap();
    let plan = approved(&engine, &host.due, &Asked::Sweep).await;
    let before = (host.dump)();
    let Outcome::Blocked { case, .. } = engine.erase(plan).await.unwrap() else { panic!() };
    engine.cancel(&case, &somebody(), "wrong-customer-at-the-gateway".parse().unwrap()).await.unwrap();
    assert_eq!((host.dump)(), before);
    let entry = ledger.entry(&case).await.unwrap().unwrap();
    assert!(
        matches!(&entry.closed().unwrap().closing, Closing::Cancelled { operator, .. } if operator.get() == Some(&"operator-9".into()))
    );
    assert!(engine.certificate(&case).await.unwrap().is_none(), "nothing was erased");
}

#[tokio::test]
async fn a_waived_step_stands_in_the_certificate() {
    let host = gateway_that_refuses();
    let engine = host.engine();
    let plan = approved(&engine, &host.due, &Asked::Sweep).await;
    let before = (host.dump)();
    let Outcome::Blocked { case, step, .. } = engine.erase(plan).await.unwrap() else { panic!() };
    let foreign = Authority::new("operator-9", [TenantId::from("another")]);
    let error = engine.waive(&case, step.clone(), &foreign, "no".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::Approval(ApprovalError::OtherTenant { .. })), "{error}");
    let error = engine.waive(&case, Step::Records, &somebody(), "no".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::NotWaivable { .. }), "{error}");
    let outcome = engine
        .waive(&case, step, &somebody(), "the-profile-belongs-to-a-name-sake".parse().unwrap())
        .await
        .unwrap();
    let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}"));
    assert_eq!(certificate.waived()[0].operator.get(), Some(somebody().operator()));
    assert_eq!(certificate.outcome(), "erased in part", "the gateway may still hold the profile");
    assert!(certificate.to_string().contains("name-sake"));
    host.check_erased(&before);
    assert_eq!(host.gateway.as_ref().unwrap().len(), 20);
}

/// A gateway that does as it is told.
#[derive(Debug)]
struct Scripted {
    inner: MemoryGateway,
    /// What happens at the n-th erasure.
    faults: Vec<Fault>,
    calls: AtomicUsize,
    effects: AtomicUsize,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Busy,
    LostBefore,
    LostAfter,
    Refuses,
    SaysSoAndDoesNot,
    Accepts,
}

impl Scripted {
    fn new(faults: &[Fault]) -> Arc<Self> {
        let inner = MemoryGateway::new("stripe");
        inner.insert("cus_000017", None, 0);
        let faults = faults.to_vec();
        Arc::new(Self { inner, faults, calls: AtomicUsize::new(0), effects: AtomicUsize::new(0) })
    }

    async fn really(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError> {
        self.effects.fetch_add(1, Ordering::SeqCst);
        self.inner.erase(erasure).await
    }
}

#[async_trait]
impl PaymentGatewayEraser for Scripted {
    fn gateway(&self) -> &GatewayName {
        self.inner.gateway()
    }

    fn longest_call(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }

    async fn account(&self) -> Result<Option<AccountId>, GatewayError> {
        self.inner.account().await
    }

    async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError> {
        self.inner.state(profile).await
    }

    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError> {
        let gateway = || self.gateway().clone();
        match self.faults.get(self.calls.fetch_add(1, Ordering::SeqCst)) {
            None => self.really(erasure).await,
            Some(Fault::Busy) => Err(GatewayError::Busy { gateway: gateway(), retry_after: None }),
            Some(Fault::LostBefore) => Err(GatewayError::Unknown { gateway: gateway(), source: None }),
            Some(Fault::LostAfter) => {
                self.really(erasure).await?;
                Err(GatewayError::Unknown { gateway: gateway(), source: None })
            }
            Some(Fault::Refuses) => {
                Err(GatewayError::Refused { gateway: gateway(), what: "a key".to_owned() })
            }
            Some(Fault::SaysSoAndDoesNot) => Ok(GatewayOutcome::Erased.into()),
            Some(Fault::Accepts) => Ok(GatewayOutcome::Accepted { receipt: Receipt::from("r1") }.into()),
        }
    }

    async fn poll(&self, _: &Receipt) -> Result<GatewayAnswer, GatewayError> {
        let erasure = ProfileErasure {
            profile: ProfileId::from("cus_000017"),
            owner: Some(CustomerId::from("17")),
            idempotency_key: String::new(),
        };
        self.really(&erasure).await
    }
}

#[tokio::test]
async fn what_a_gateway_answers_is_never_assumed() {
    use Fault::{Accepts, Busy, LostAfter, LostBefore, Refuses, SaysSoAndDoesNot};
    // What it does in turn, whether the case ends, and how often the profile was really erased.
    for (faults, ends, effects) in [
        (&[Busy, Busy][..], true, 1),
        (&[LostBefore], true, 1),
        (&[LostAfter], true, 1),
        (&[Busy, LostAfter], true, 1),
        (&[Accepts], true, 1),
        (&[Refuses], false, 0),
        (&[SaysSoAndDoesNot], false, 0),
        (&[Busy; 9], false, 0),
    ] {
        let mut host = hosts::sqlite();
        host.gateway = None;
        let gateway = Scripted::new(faults);
        let engine =
            host.builder(MemoryLedger::new(), hosts::keys()).gateway(Arc::clone(&gateway)).counted().unwrap();
        let plan = approved(&engine, &host.due, &Asked::Sweep).await;
        let outcome = engine.erase(plan).await.unwrap();
        assert_eq!(outcome.certificate().is_some(), ends, "{faults:?}: {outcome}");
        assert_eq!(gateway.effects.load(Ordering::SeqCst), effects, "{faults:?}");
        if !ends {
            let left = hosts::sum(&host.path(), "SELECT count(*) FROM call_records WHERE client_id = 17");
            assert_eq!(left, 20, "{faults:?}: the records wait for the gateway");
        }
    }
}

#[tokio::test]
async fn a_case_that_waits_for_a_gateway_goes_on_when_it_is_back() {
    let mut host = hosts::sqlite();
    host.gateway = None;
    let gateway = Scripted::new(&[Fault::Busy; 5]);
    let engine =
        host.builder(MemoryLedger::new(), hosts::keys()).gateway(Arc::clone(&gateway)).counted().unwrap();
    let before = (host.dump)();
    let plan = approved(&engine, &host.due, &Asked::Sweep).await;
    let outcome = engine.erase(plan).await.unwrap();
    assert!(matches!(outcome, Outcome::Waiting { .. }), "{outcome}");
    let outcomes = engine.resumed().await;
    assert!(matches!(outcomes[..], [Outcome::Erased(_)]), "{outcomes:?}");
    host.check_erased(&before);
}

#[tokio::test]
async fn a_subscription_that_only_the_gateway_knows_of_is_a_guard() {
    let host = hosts::sqlite();
    host.gateway.as_ref().unwrap().insert("cus_000017", Some(host.due.clone()), 1);
    match host.engine().plan(&host.due, &Asked::request()).await.unwrap() {
        refused @ Planned::Refused(_) => assert!(refused.to_string().contains("subscription"), "{refused}"),
        other => panic!("the gateway says that a subscription runs: {other}"),
    }
}

#[tokio::test]
async fn an_engine_without_an_adapter_for_a_gateway_is_not_built() {
    let mut host = hosts::sqlite();
    host.gateway = None;
    let problems = host.builder(MemoryLedger::new(), hosts::keys()).counted().unwrap_err();
    assert!(
        problems.to_string().contains("gateway stripe: is to be erased at, and has no adapter"),
        "{problems}"
    );
}

/// A store that lies in one way or another.
#[derive(Debug)]
pub(crate) struct Liar {
    inner: Arc<dyn CustomerStore>,
    lie: Lie,
    asked: AtomicUsize,
}

impl Liar {
    pub(crate) fn new(inner: Arc<dyn CustomerStore>, lie: Lie) -> Self {
        Self { inner, lie, asked: AtomicUsize::new(0) }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Lie {
    SaysDone,
    More,
    NoAnswer,
    Fails,
    /// No lie: two parts first, one record each, then the rest.
    InParts,
    /// No lie: out of reach at first.
    BusyOnce,
}

#[async_trait]
impl RecordStore for Liar {
    fn data_map(&self) -> &DataMap {
        self.inner.data_map()
    }

    fn takes_census(&self) -> Option<&dyn TakeCensus> {
        self.inner.takes_census()
    }

    async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError> {
        self.inner.tally(request).await
    }

    async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError> {
        let one = || Counts { classes: [("call".into(), 1)].into(), ..Counts::default() };
        Ok(match self.lie {
            Lie::InParts if self.asked.fetch_add(1, Ordering::SeqCst) < 2 => {
                request.targets.iter().map(|_| Ok(Erased::More(one()))).collect()
            }
            Lie::BusyOnce if self.asked.fetch_add(1, Ordering::SeqCst) == 0 => {
                return Err(StoreError::Busy { doing: "erasing" });
            }
            Lie::InParts | Lie::BusyOnce => return self.inner.erase(request).await,
            Lie::SaysDone => request.targets.iter().map(|_| Ok(Erased::Done(Counts::default()))).collect(),
            Lie::More => request.targets.iter().map(|_| Ok(Erased::More(Counts::default()))).collect(),
            Lie::NoAnswer => Vec::new(),
            Lie::Fails => vec![Err(StoreError::failed("erasing", "the disk is on fire"))],
        })
    }
}

#[async_trait]
impl CustomerStore for Liar {
    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        self.inner.facts(customers).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        self.inner.page(request).await
    }

    async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError> {
        self.inner.identifiers(customers).await
    }

    async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError> {
        self.inner.deactivate(batch).await
    }

    async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError> {
        self.inner.reactivate(batch).await
    }
}

#[tokio::test]
async fn a_store_that_lies_gets_no_certificate() {
    for lie in [Lie::SaysDone, Lie::More, Lie::NoAnswer, Lie::Fails] {
        let host = hosts::sqlite();
        let ledger = Arc::new(MemoryLedger::new());
        let policy = PolicyDocument::from_toml(&host.policy).unwrap();
        let liar = Liar::new(Arc::clone(&host.store), lie);
        let engine = Engine::builder(liar, policy, Arc::clone(&ledger), hosts::keys())
            .gateway(Arc::clone(host.gateway.as_ref().unwrap()))
            .clock(relinquish::testing::ManualClock::at(hosts::now()))
            .counted()
            .unwrap();
        let plan = approved(&engine, &host.due, &Asked::Sweep).await;
        let outcome = engine.erase(plan).await.unwrap();
        match (lie, &outcome) {
            (Lie::SaysDone, Outcome::Blocked { step: Step::Verify, reason, .. }) => {
                assert!(reason.contains("20 of call_record"), "{reason}");
            }
            (Lie::More | Lie::Fails, Outcome::Blocked { step: Step::Records, .. })
            | (Lie::NoAnswer, Outcome::Waiting { .. }) => {}
            _ => panic!("{lie:?}: {outcome}"),
        }
        assert!(hosts::acts(&*ledger).await.is_empty(), "{lie:?}: nothing is closed");
    }
}

#[tokio::test]
async fn a_store_that_works_in_parts_is_asked_until_it_is_done() {
    let host = hosts::memory();
    let policy = PolicyDocument::from_toml(&host.policy).unwrap();
    let parts = Liar::new(Arc::clone(&host.store), Lie::InParts);
    let engine = Engine::builder(parts, policy, MemoryLedger::new(), hosts::keys())
        .gateway(Arc::clone(host.gateway.as_ref().unwrap()))
        .clock(relinquish::testing::ManualClock::at(hosts::now()))
        .counted()
        .unwrap();
    let plan = approved(&engine, &host.due, &Asked::Sweep).await;
    let before = (host.dump)();
    let outcome = engine.erase(plan).await.unwrap();
    let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}"));
    let calls = certificate.records().into_iter().find(|class| class.class.as_str() == "call").unwrap();
    assert_eq!(calls.treated, Some(Count::Exact(3)), "two parts of one, and the one that was left");
    host.check_erased(&before);
}

#[tokio::test]
async fn a_profile_that_came_while_the_records_waited_is_erased_too() {
    let host = hosts::sqlite();
    let gateway = host.gateway.clone().unwrap();
    let policy = PolicyDocument::from_toml(&host.policy).unwrap();
    let busy = Liar::new(Arc::clone(&host.store), Lie::BusyOnce);
    let engine = Engine::builder(busy, policy, MemoryLedger::new(), hosts::keys())
        .gateway(Arc::clone(&gateway))
        .clock(relinquish::testing::ManualClock::at(hosts::now()))
        .counted()
        .unwrap();
    let plan = approved(&engine, &host.due, &Asked::Sweep).await;
    assert!(matches!(engine.erase(plan).await.unwrap(), Outcome::Waiting { step: Step::Records, .. }));
    // The gateway's webhook writes a new profile before the case is resumed.
    gateway.insert("cus_new", Some(host.due.clone()), 0);
    let sql = "UPDATE clients SET stripe_id = 'cus_new' WHERE id = 17";
    rusqlite::Connection::open(host.path()).unwrap().execute(sql, []).unwrap();
    let outcomes = engine.resumed().await;
    let [Outcome::Erased(certificate)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(certificate.gateways().len(), 2);
    assert_eq!(gateway.state(&ProfileId::from("cus_new")).await.unwrap(), ProfileState::Absent);
}

#[tokio::test]
async fn two_who_decide_at_once_do_not_both_go_on() {
    let host = gateway_that_refuses();
    let engine = host.engine();
    let plan = approved(&engine, &host.due, &Asked::Sweep).await;
    let Outcome::Blocked { case, step, .. } = engine.erase(plan).await.unwrap() else { panic!() };
    host.gateway.as_ref().unwrap().insert("cus_000017", Some(host.due.clone()), 0);
    let by = somebody();
    let (retried, waived) = futures_util::future::join(
        engine.retry(&case),
        engine.waive(&case, step, &by, "in-a-hurry".parse().unwrap()),
    )
    .await;
    let certificate = retried.unwrap().certificate().cloned().unwrap();
    assert!(waived.is_err(), "{waived:?}");
    assert_eq!(certificate.waived(), [], "the waiver that came too late is none");
}

#[tokio::test]
async fn one_poisoned_customer_fails_nobody_else() {
    // A trigger holds on to client 13.
    let host = hosts::sqlite_after(
        "CREATE TRIGGER escrow BEFORE DELETE ON clients WHEN OLD.id = 13 BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    let connection = rusqlite::Connection::open(host.path()).unwrap();
    let engine = host.engine();
    let mut plans = Vec::new();
    for id in ["5", "9", "13", "17", "21"] {
        plans.push(approved(&engine, &id.into(), &request("remove")).await);
    }
    for (outcome, id) in engine.execute(plans).await.unwrap().iter().zip([5, 9, 13, 17, 21]) {
        if id == 13 {
            let Outcome::Blocked { step: Step::Records, reason, .. } = outcome else { panic!("{outcome}") };
            assert!(reason.contains("a trigger"), "{reason}");
        } else {
            assert!(outcome.certificate().is_some(), "{id}: {outcome}");
        }
    }
    let count =
        |table: &str| hosts::sum(&host.path(), &format!("SELECT count(*) FROM {table} WHERE client_id = 13"));
    assert_eq!((count("call_records"), count("orders")), (20, 3), "the poisoned one is as before");
    // Put right and tried again, it is done, and its counts are exact: the refused try has touched nothing.
    let open = engine.open_cases(None, 10).await.unwrap();
    assert_eq!((open.len(), open[0].task.customer().unwrap().0.as_str()), (1, "13"));
    connection.execute_batch("DROP TRIGGER escrow").unwrap();
    let outcome = engine.retry(&open[0].case).await.unwrap();
    let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}"));
    assert!(certificate.records().iter().all(|class| class.treated != Some(Count::Unknown)), "{certificate}");
}

#[tokio::test]
async fn a_case_that_the_database_refuses_can_be_cancelled() {
    let host = hosts::sqlite_after(
        "CREATE TRIGGER no BEFORE DELETE ON call_records BEGIN SELECT RAISE(ABORT, OLD.called); END",
    );
    let engine = host.engine();
    // Client 9 has no profile at the gateway, so nothing irreversible was begun.
    let plan = approved(&engine, &"9".into(), &Asked::request()).await;
    let before = (host.dump)();
    let outcome = engine.erase(plan).await.unwrap();
    let Outcome::Blocked { case, reason, .. } = &outcome else { panic!("{outcome}") };
    assert!(reason.contains("a trigger"), "{reason}");
    assert!(!reason.contains("+47"), "a trigger's own text may hold anything: {reason}");
    engine.cancel(case, &somebody(), "the-trigger-has-to-go-first".parse().unwrap()).await.unwrap();
    assert_eq!((host.dump)(), before);
}

#[tokio::test]
async fn a_database_that_is_locked_is_waited_for_and_resumed() {
    let host = hosts::sqlite();
    let engine = host.engine();
    let plan = plan(&engine, &host.due, &Asked::Sweep).await;
    let approval = approval(&plan);
    let plan = plan.approve(approval).unwrap();
    let before = (host.dump)();
    let other = rusqlite::Connection::open(host.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let outcome = engine.erase(plan).await.unwrap();
    let Outcome::Waiting { step: Step::Deactivate, reason, .. } = &outcome else { panic!("{outcome}") };
    assert!(reason.contains("locked"), "{reason}");
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    assert_eq!((host.dump)(), before);
    assert!(matches!(engine.resumed().await[..], [Outcome::Erased(_)]));
    host.check_erased(&before);
}
