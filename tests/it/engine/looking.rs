//! A case that is begun and left to other processes; and reading one customer, one open case or one entry.

use chrono::TimeDelta;
use relinquish::engine::{Advance, Begun};
use relinquish::ledger::MemoryLedger;
use relinquish::plan::CaseId;
use relinquish::store::StoreError;
use relinquish::{Error, Outcome};

use crate::hosts::{self, approved, request};

#[tokio::test]
async fn a_case_that_was_begun_is_open_and_untouched_until_somebody_works_on_it() {
    for host in hosts::all() {
        let engine = host.engine();
        engine.ensure_census().await.unwrap();
        let before = (host.dump)();
        let plan = approved(&engine, &host.due, &request("clear")).await;
        let Begun::Case(case) = engine.begin(plan).await.unwrap() else {
            panic!("{}: no case is open", host.name)
        };
        assert_eq!((host.dump)(), before, "{}: nothing is touched", host.name);
        let open = engine.open_case(&case).await.unwrap().unwrap();
        assert_eq!(open.held_by, None, "{}: anybody may take it", host.name);
        assert!(open.progress.steps().all(|(_, step)| step.begun == 0), "{}", host.name);

        let again = approved(&engine, &host.due, &request("clear")).await;
        assert_eq!(engine.begin(again).await.unwrap(), Begun::AlreadyOpen(case.clone()), "{}", host.name);
        let outcome = loop {
            if let Advance::Ended(outcome) = engine.advance(&case).await.unwrap() {
                break outcome;
            }
        };
        assert!(matches!(outcome, Outcome::Erased(_)), "{}: {outcome}", host.name);
        assert!(engine.open_case(&case).await.unwrap().is_none(), "{}", host.name);
        let entry = engine.entry(&case).await.unwrap().unwrap();
        assert_eq!(engine.last_entry().await.unwrap(), entry.seq, "{}", host.name);
        host.check_erased(&before);
    }
}

#[tokio::test]
async fn a_plan_whose_approval_has_ended_is_not_begun() {
    let host = hosts::memory();
    let engine = host.engine();
    let plan = hosts::plan(&engine, &host.due, &request("clear")).await;
    let long_ago = hosts::now() - TimeDelta::days(2);
    let (tenants, digest) = ([plan.tenant().clone()], plan.digest());
    let approval = relinquish::Approval::new("operator-7", tenants, digest, long_ago, TimeDelta::hours(1));
    let refused = engine.begin(plan.approve(approval).unwrap()).await;
    assert!(matches!(refused, Err(Error::Approval(_))), "{refused:?}");
    assert!(engine.open_cases(None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_open_case_is_found_among_many_whatever_its_id() {
    let host = hosts::memory();
    let ledger = std::sync::Arc::new(MemoryLedger::new());
    let engine = host.builder(std::sync::Arc::clone(&ledger), hosts::keys()).build().unwrap();
    let plan = approved(&engine, &host.due, &request("clear")).await;
    let Begun::Case(case) = engine.begin(plan).await.unwrap() else { panic!("no case is open") };
    let prefix = &case.as_str()[..case.as_str().len() - 1];
    for other in ["", "0", "zzz", prefix, &format!("{case}0"), "\u{10ffff}"] {
        assert!(engine.open_case(&CaseId::new(other)).await.unwrap().is_none(), "{other}");
    }
    assert_eq!(engine.open_case(&case).await.unwrap().unwrap().case, case);
}

#[tokio::test]
async fn a_census_is_valid_until_the_schema_changes() {
    let host = hosts::sqlite();
    let engine = host.builder(MemoryLedger::new(), hosts::keys()).build().unwrap();
    let none = engine.valid_census().await;
    assert!(matches!(none, Err(Error::Census { .. })), "{none:?}");
    let taken = engine.census().await.unwrap();
    assert_eq!(engine.valid_census().await.unwrap().unwrap().at, taken.at);
    rusqlite::Connection::open(host.path())
        .unwrap()
        .execute_batch("ALTER TABLE clients ADD COLUMN shoe_size TEXT")
        .unwrap();
    let changed = engine.valid_census().await;
    assert!(matches!(changed, Err(Error::Store(StoreError::Drift { .. }))), "{changed:?}");
}
