//! The mandate of a case: an approval, a standing approval, or the replay of a closed case.

use std::sync::Arc;

use chrono::TimeDelta;
use relinquish::ledger::{Ledger as _, NewCase, SavedCase};
use relinquish::plan::{
    ApprovalError, Authority, CaseId, Limits, Mandate, MandateKind, NotStanding, ReplayPlan, StandingApproval,
};
use relinquish::policy::Trigger;
use relinquish::{
    Approval, ApprovedPlan, Asked, Engine, Error, Outcome, Plan, PolicyDocument, SqlMap, SqliteLedger,
    SqliteStore,
};

use crate::hosts::{self, BuildCounted as _, Host, ResumeAll as _};
use crate::wired::{Tripwire, until_death};
use relinquish::testing::Faulty;

fn standing(engine: &Engine, triggers: &[Trigger], at_most: u64) -> StandingApproval {
    let by = Authority::new("operator-7", ["1".into()]);
    let triggers = triggers.iter().copied();
    let limits = Limits::new(at_most, at_most);
    StandingApproval::new(&by, engine.policy(), triggers, limits, hosts::now(), TimeDelta::days(200))
}

async fn swept(engine: &Engine, host: &Host) -> Plan {
    hosts::plan(engine, &host.due, &Asked::Sweep).await
}

#[tokio::test]
async fn a_standing_approval_lets_what_it_covers_run() {
    let host = hosts::sqlite();
    let ledger = Arc::new(SqliteLedger::open(host.folder.path().join("ledger.sqlite")).unwrap());
    let engine = host.builder(Arc::clone(&ledger), hosts::keys()).counted().unwrap();
    let standing = standing(&engine, &[Trigger::Cancelled], 1);
    let plan = swept(&engine, &host).await;
    let approved = standing.admit(vec![plan]).unwrap();
    let before = (host.dump)();
    let outcomes = engine.execute(approved).await.unwrap();
    let [Outcome::Erased(certificate)] = &outcomes[..] else { panic!("{outcomes:?}") };
    host.check_erased(&before);
    let entry = ledger.entry(certificate.case()).await.unwrap().unwrap();
    let under = entry.closed().unwrap().under();
    assert_eq!(under.mandate, MandateKind::Standing { digest: standing.digest() });
    assert_eq!(under.operator.get(), Some(&"operator-7".into()));
}

#[tokio::test]
async fn a_standing_approval_covers_nothing_else() {
    let host = hosts::sqlite();
    let engine = host.engine();
    let plan = swept(&engine, &host).await;
    let now = hosts::now();
    let admit = |standing: &StandingApproval, plans: Vec<Plan>| {
        standing.admit(plans).map(drop).map_err(ApprovalError::from)
    };

    let cancelled = standing(&engine, &[Trigger::Cancelled], 1);
    assert_eq!(
        admit(&cancelled, vec![plan.clone(), plan.clone()]),
        Err(ApprovalError::TooMany { plans: 2, at_most: 1 })
    );
    let inactive = standing(&engine, &[Trigger::Inactive], 1);
    let error = admit(&inactive, vec![plan.clone()]).unwrap_err();
    assert_eq!(error, ApprovalError::NotStanding(NotStanding::Trigger(Trigger::Cancelled)));
    assert!(error.to_string().contains("due by cancelled"), "{error}");
    // The error returns every plan, and the plans can be approved in another way.
    let refused = inactive.admit(vec![plan.clone()]).unwrap_err();
    assert_eq!(refused.given.iter().map(Plan::digest).collect::<Vec<_>>(), [plan.digest()]);
    // The engine itself checks its clock, so the caller does not have to.
    for (at, is_early) in [(now + TimeDelta::days(201), false), (now - TimeDelta::days(1), true)] {
        let clock = relinquish::testing::ManualClock::at(at);
        let builder = host.builder(relinquish::MemoryLedger::new(), hosts::keys());
        let engine = builder.clock(clock).counted().unwrap();
        let before = (host.dump)();
        let error = engine.execute(cancelled.admit(vec![plan.clone()]).unwrap()).await.unwrap_err();
        let refused = if is_early {
            matches!(error, Error::Approval(ApprovalError::NotYet { .. }))
        } else {
            matches!(error, Error::Approval(ApprovalError::Expired { .. }))
        };
        assert!(refused, "{at}: {error}");
        assert_eq!((host.dump)(), before);
    }

    // A standing approval does not cover a policy that was changed later.
    let other = PolicyDocument::from_toml(&host.policy.replace("\"90 days\"", "\"80 days\"")).unwrap();
    let map = SqlMap::from_toml(hosts::CRM_MAP).unwrap();
    let store = SqliteStore::open(host.path(), &map).unwrap();
    let changed = Engine::builder(store, other, relinquish::MemoryLedger::new(), hosts::keys())
        .gateway(host.gateway.clone().unwrap())
        .clock(relinquish::testing::ManualClock::at(now))
        .counted()
        .unwrap();
    let error = admit(&cancelled, vec![swept(&changed, &host).await]).unwrap_err();
    assert_eq!(error, ApprovalError::NotStanding(NotStanding::Policy));

    let by = Authority::new("operator-7", ["2".into()]);
    let elsewhere = StandingApproval::new(
        &by,
        engine.policy(),
        [Trigger::Cancelled],
        Limits::new(1, 1),
        now,
        TimeDelta::days(1),
    );
    assert!(matches!(admit(&elsewhere, vec![plan.clone()]), Err(ApprovalError::OtherTenant { .. })));
    let by = Authority::new("vera@lund.test", ["1".into()]);
    let named = StandingApproval::new(
        &by,
        engine.policy(),
        [Trigger::Cancelled],
        Limits::new(1, 1),
        now,
        TimeDelta::days(1),
    );
    assert!(matches!(admit(&named, vec![plan.clone()]), Err(ApprovalError::Operator(_))));
    let by = Authority::new("operator-7", ["1".into()]);
    let long = StandingApproval::LONGEST + TimeDelta::days(1);
    let for_ever =
        StandingApproval::new(&by, engine.policy(), [Trigger::Cancelled], Limits::new(1, 1), now, long);
    let error = admit(&for_ever, vec![plan]).unwrap_err();
    assert!(error.to_string().contains("400 days is the longest"), "{error}");
}

/// For each kind of mandate, a case is unchanged when it is read from a ledger's file, and from a host's own JSON.
#[tokio::test]
async fn a_case_keeps_its_mandate() {
    use relinquish::ledger::{CaseBook as _, Lease};

    let host = hosts::sqlite();
    let engine = host.engine();
    let plan = swept(&engine, &host).await;
    let now = hosts::now();
    let replay = ReplayPlan::new(vec![(CaseId::from("before"), plan.clone())]);
    let of_replay = approval(&replay, now);
    let approved: Vec<ApprovedPlan> = vec![
        plan.clone().approve(hosts::approval(&plan)).unwrap(),
        standing(&engine, &[Trigger::Cancelled], 1).admit(vec![plan]).unwrap().remove(0),
        replay.approve(&of_replay).unwrap().remove(0),
    ];
    for (n, approved) in approved.iter().enumerate() {
        let case = NewCase::new(CaseId::new(format!("{n}")), approved, now);
        let ledger = SqliteLedger::open(host.folder.path().join(format!("{n}.sqlite"))).unwrap();
        let lease = Lease::new("one", std::time::Duration::from_secs(60));
        ledger.open(std::slice::from_ref(&case), &lease).await.unwrap();
        let SavedCase { new: saved, .. } = ledger.list(None, 10).await.unwrap().remove(0).saved;
        let text = serde_json::to_string(&case).unwrap();
        for read in [saved, serde_json::from_str::<NewCase>(&text).unwrap()] {
            assert_eq!((&read.mandate, read.opened_at), (&case.mandate, case.opened_at));
            assert_eq!(read.task.digest(), case.task.digest());
            assert_eq!(read.is_mandated(), Ok(()));
        }
    }
}

fn approval(replay: &ReplayPlan, now: chrono::DateTime<chrono::Utc>) -> Approval {
    Approval::new("operator-9", ["1".into()], replay.digest(), now, TimeDelta::hours(1))
}

/// A shop that was restored from a copy from before the erasure, and the case in which the customer was erased.
struct Restored {
    host: Host,
    engine: Engine,
    ledger: Arc<SqliteLedger>,
    closed: CaseId,
}

impl Restored {
    async fn new() -> Self {
        let host = hosts::sqlite();
        let ledger = Arc::new(SqliteLedger::open(host.folder.path().join("ledger.sqlite")).unwrap());
        let copy = host.folder.path().join("copy.sqlite");
        let backup = format!("VACUUM INTO '{}'", copy.display());
        rusqlite::Connection::open(host.path()).unwrap().execute(&backup, []).unwrap();
        let profile = host.gateway.clone().unwrap();
        let engine = host.builder(Arc::clone(&ledger), hosts::keys()).counted().unwrap();
        let plan = hosts::approved(&engine, &host.due, &hosts::request("clear")).await;
        let outcome = engine.erase(plan).await.unwrap();
        let closed = outcome.certificate().unwrap().case().clone();
        drop(engine);
        for file in ["", "-wal", "-shm"] {
            let path = format!("{}{file}", host.path().display());
            let _ = std::fs::remove_file(path);
        }
        std::fs::copy(copy, host.path()).unwrap();
        let store = SqliteStore::open(host.path(), &SqlMap::from_toml(hosts::CRM_MAP).unwrap()).unwrap();
        let policy = PolicyDocument::from_toml(&host.policy).unwrap();
        let engine = Engine::builder(store, policy, Arc::clone(&ledger), hosts::keys())
            .gateway(profile)
            .clock(relinquish::testing::ManualClock::at(hosts::now()))
            .counted()
            .unwrap();
        Self { host, engine, ledger, closed }
    }
}

#[tokio::test]
async fn a_closed_case_is_carried_out_again_after_a_restore() {
    let Restored { host, engine, ledger, closed } = Restored::new().await;
    let plan = hosts::plan(&engine, &host.due, &hosts::request("clear")).await;
    let replay = ReplayPlan::new(vec![(closed.clone(), plan.clone())]);
    let digest = replay.digest();
    let refused = replay.clone().approve(&hosts::approval(&plan));
    assert!(
        matches!(refused.unwrap_err().why, ApprovalError::OtherPlan { .. }),
        "the plan's own digest is not the replay's"
    );
    let approved = replay.clone().approve(&approval(&replay, hosts::now())).unwrap();
    let before = (host.dump)();
    let outcomes = engine.execute(approved.clone()).await.unwrap();
    let [Outcome::Erased(certificate)] = &outcomes[..] else { panic!("{outcomes:?}") };
    host.check_erased(&before);
    let entry = ledger.entry(certificate.case()).await.unwrap().unwrap();
    let under = entry.closed().unwrap().under();
    assert_eq!(under.mandate, MandateKind::Replay { of: closed, digest });
    assert_eq!(under.operator.get(), Some(&"operator-9".into()));
    // Once is enough.
    let outcome = engine.execute(approved).await.unwrap().remove(0);
    assert!(matches!(outcome, Outcome::Superseded { .. }), "{outcome}");
}

#[tokio::test]
async fn a_replay_is_of_this_customer_who_was_erased_so() {
    let Restored { host, engine, closed, .. } = Restored::new().await;
    let plan = hosts::plan(&engine, &host.due, &hosts::request("clear")).await;
    let before = (host.dump)();
    let removed = hosts::plan(&engine, &host.due, &hosts::request("remove")).await;
    for (case, plan, says) in [
        (CaseId::from("00ff"), plan.clone(), "no such closed case"),
        (closed.clone(), removed, "another treatment"),
    ] {
        let replay = ReplayPlan::new(vec![(case, plan)]);
        let approved = replay.clone().approve(&approval(&replay, hosts::now())).unwrap();
        let error = engine.execute(approved).await.unwrap_err();
        assert!(matches!(error, Error::Replay { .. }), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    // Somebody else's case.
    rusqlite::Connection::open(host.path())
        .unwrap()
        .execute("UPDATE clients SET created_at = '2001-01-01T00:00:00Z' WHERE id = 17", [])
        .unwrap();
    let other = hosts::plan(&engine, &host.due, &hosts::request("clear")).await;
    let replay = ReplayPlan::new(vec![(closed, other)]);
    let approved = replay.clone().approve(&approval(&replay, hosts::now())).unwrap();
    let error = engine.execute(approved).await.unwrap_err();
    assert!(error.to_string().contains("another customer"), "a row id that was used again: {error}");
    let after = (host.dump)();
    assert_eq!(before.len(), after.len(), "nothing was touched");
}

/// A cancelled case erased nobody, so it cannot be carried out again.
#[tokio::test]
async fn a_case_that_was_cancelled_is_not_replayed() {
    let host = hosts::sqlite();
    host.gateway.as_ref().unwrap().insert("cus_000017", Some("4711".into()), 0);
    let engine = host.engine();
    let plan = hosts::plan(&engine, &host.due, &hosts::request("clear")).await;
    let approved = plan.clone().approve(hosts::approval(&plan)).unwrap();
    let Outcome::Blocked { case, .. } = engine.erase(approved).await.unwrap() else { panic!("not blocked") };
    engine.cancel(&case, &Authority::new("op", ["1".into()]), "a-mistake".parse().unwrap()).await.unwrap();
    let replay = ReplayPlan::new(vec![(case, plan)]);
    let approved = replay.clone().approve(&approval(&replay, hosts::now())).unwrap();
    let error = engine.execute(approved).await.unwrap_err();
    assert!(error.to_string().contains("nobody was erased in it"), "{error}");
}

/// An interrupted case under a standing approval is resumed under this approval.
#[tokio::test]
async fn an_interrupted_case_goes_on_under_its_standing_approval() {
    let mut resumed = 0;
    for at in 0..30 {
        let host = hosts::sqlite();
        let ledger = Arc::new(relinquish::MemoryLedger::new());
        let calm = host.builder(Arc::clone(&ledger), hosts::keys()).worker("one").counted().unwrap();
        let plan = swept(&calm, &host).await;
        let approved = standing(&calm, &[Trigger::Cancelled], 1).admit(vec![plan]).unwrap();
        assert!(matches!(approved[0].mandate(), Mandate::Standing(_)));
        let wire = Tripwire::at(at);
        let wired = Faulty::new(Arc::clone(&ledger), Arc::clone(&wire));
        let engine = host.builder(wired, hosts::keys()).worker("one").build().unwrap();
        let before = (host.dump)();
        if until_death(&wire, engine.execute(approved)).await.is_some() {
            break;
        }
        drop(engine);
        for outcome in calm.resumed().await {
            assert!(matches!(outcome, Outcome::Erased(_)), "at {at}: {outcome}");
            host.check_erased(&before);
            resumed += 1;
        }
    }
    assert!(resumed > 3, "{resumed}");
}
