//! The main job on PostgreSQL: decide, plan, approve, execute, verify, certify, and scrub the files.

use std::path::Path;

use relinquish::engine::{Engine, PlannedExpiry};
use relinquish::ledger::{Certificate, Count, FileSlack};
use relinquish::store::{Deactivated, Reactivated};
use relinquish::{Approval, Asked, Decision, Outcome, Planned, TenantId};

use crate::crm;
use crate::hosts::{Host, approved, keys, plan, request};

async fn engine(host: &Host) -> Engine {
    let builder = host.builder(relinquish::MemoryLedger::new(), keys());
    let engine = builder.census_at_most(u32::MAX).build().unwrap();
    engine.ensure_census().await.unwrap();
    engine
}

async fn erase(host: &Host, engine: &Engine) -> Certificate {
    let plan = approved(engine, &host.due, &Asked::Sweep).await;
    match engine.erase(plan).await.unwrap() {
        Outcome::Erased(certificate) => *certificate,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_customer_is_erased_and_nobody_else_is_touched() {
    let (host, ..) = crm::host("").await;
    let engine = engine(&host).await;
    let (before, revenue) = ((host.dump)(), (host.revenue)());
    let again = approved(&engine, &host.due, &Asked::Sweep).await;
    let certificate = erase(&host, &engine).await;
    host.check_erased(&before);
    assert_eq!((host.revenue)(), revenue);
    assert_eq!(certificate.outcome(), "pseudonymised", "the row has the customer's key");
    for class in &certificate.records() {
        assert!(matches!(class.treated, Some(Count::Exact(_)) | None), "{class:?}");
    }
    let text = format!("{certificate}{}", serde_json::to_string(&certificate).unwrap());
    for value in &host.values {
        assert!(!text.contains(value.as_str()), "{value} is in the certificate");
    }
    let after = (host.dump)();
    // The same approval is used a second time.
    let outcome = engine.erase(again).await.unwrap();
    assert!(matches!(outcome, Outcome::Superseded { .. }), "{outcome}");
    let decision = engine.decide(&host.due, &Asked::request()).await.unwrap();
    assert!(matches!(decision, Decision::Nothing(_)), "{decision}");
    assert_eq!((host.dump)(), after);
}

#[tokio::test]
async fn planning_touches_nothing_and_counts_what_is_there() {
    let (host, ..) = crm::host("").await;
    let engine = engine(&host).await;
    let before = (host.dump)();
    let plan = plan(&engine, &host.due, &Asked::Sweep).await;
    assert_eq!(plan.tally().classes["call_record"].rows, 20);
    assert_eq!(plan.tally().classes["invoice"].due, 3);
    assert_eq!(plan.tally().classes["subscription"].due, 0);
    match engine.plan(&host.active, &Asked::request()).await.unwrap() {
        Planned::Refused(blocked) => assert!(blocked.by[0].why.contains("subscription")),
        other => panic!("{other:?}"),
    }
    assert_eq!((host.dump)(), before);
}

#[tokio::test]
async fn complete_removal_leaves_orders_with_the_one_unknown_customer() {
    let (host, database, _) = crm::host("").await;
    let engine = engine(&host).await;
    let revenue = (host.revenue)();
    for id in ["17", "1", "5"] {
        let plan = approved(&engine, &id.into(), &request("remove")).await;
        let outcome = engine.erase(plan).await.unwrap();
        let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}")).clone();
        assert_eq!(certificate.outcome(), "anonymised", "the orders stay, and lead to nobody");
    }
    let lines = |sql: &str| database.lines(sql).concat();
    let unknown = lines("SELECT id FROM clients WHERE is_unknown");
    assert_eq!(lines("SELECT count(*) FROM clients WHERE is_unknown"), "1", "made once");
    assert_eq!(lines("SELECT count(*) FROM clients WHERE id IN (1, 5, 17)"), "0");
    assert_eq!(lines(&format!("SELECT count(*) FROM orders WHERE client_id = {unknown}")), "9");
    assert_eq!(lines(&format!("SELECT count(*) FROM invoices WHERE client_id = {unknown}")), "9");
    assert_eq!((host.revenue)(), revenue);
}

#[tokio::test]
async fn an_archived_customer_can_be_brought_back_until_erased() {
    let (host, ..) = crm::host("").await;
    let engine = engine(&host).await;
    let before = (host.dump)();
    let Deactivated::Done { before: former } = engine.deactivate(&host.due).await.unwrap() else {
        panic!("not deactivated")
    };
    assert_eq!(engine.deactivate(&host.due).await.unwrap(), Deactivated::Already);
    assert_eq!(engine.reactivate(&host.due, former.clone()).await.unwrap(), Reactivated::Done);
    assert_eq!((host.dump)(), before);
    assert_eq!(engine.reactivate(&host.due, former).await.unwrap(), Reactivated::Changed);
}

/// The values that are found in the files of a folder.
fn found(folder: &Path, values: &[String]) -> Vec<String> {
    let mut list = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        for value in values {
            if bytes.windows(value.len()).any(|window| window == value.as_bytes()) {
                list.push(format!("{value} in {}", file.file_name().display()));
            }
        }
    }
    list
}

#[tokio::test]
async fn a_scrub_takes_the_old_bytes_out_of_every_file() {
    let (host, database, _) = crm::host("CREATE INDEX by_phone ON clients (phone); ANALYZE;").await;
    let engine = engine(&host).await;
    database.run("CHECKPOINT");
    let files = database.files();
    assert!(!found(&files, &host.values).is_empty(), "the values are there to begin with");
    let certificate = erase(&host, &engine).await;
    assert_eq!(certificate.file_slack(), FileSlack::Pending);
    database.run("CHECKPOINT");
    assert!(!found(&files, &host.values).is_empty(), "an erasure alone leaves old bytes");
    engine.scrub().await.unwrap();
    assert_eq!(found(&files, &host.values), Vec::<String>::new());
    let certificate = engine.certificate(certificate.case()).await.unwrap().unwrap();
    assert!(matches!(certificate.file_slack(), FileSlack::Scrubbed { .. }));
}

#[tokio::test]
async fn records_expire_by_their_own_age() {
    let (host, database, _) = crm::host("").await;
    // One call of a client with a subscription is old, and one date is not plausible.
    database.run("UPDATE call_records SET started_at = '2020-01-01' WHERE id = (SELECT min(id) FROM call_records WHERE client_id = 18)");
    let engine = engine(&host).await;
    let old = "SELECT count(*) FROM call_records WHERE started_at < '2024-11-21'";
    let (before, all) =
        (database.lines(old).concat(), database.lines("SELECT count(*) FROM call_records").concat());
    assert_ne!(before, "0");
    let PlannedExpiry::Plan(plan) = engine.plan_expiry([TenantId::from("1")]).await.unwrap() else {
        panic!("something expires")
    };
    let digest = plan.digest();
    let hour = chrono::TimeDelta::hours(1);
    let approval = Approval::new("operator-7", [TenantId::from("1")], digest, crate::hosts::now(), hour);
    let expired = crate::hosts::expired(engine.expire(&plan.approve(approval).unwrap()).await.unwrap());
    assert!(crate::hosts::touched(&expired) > 0);
    assert_eq!(database.lines(old).concat(), "0");
    let (all, gone): (u64, u64) = (all.parse().unwrap(), before.parse().unwrap());
    assert_eq!(database.lines("SELECT count(*) FROM call_records").concat(), (all - gone).to_string());
}
