//! The main job on every host: decide, plan, approve, execute, verify, certify.

use relinquish::ledger::{Certificate, Count, FileSlack};
use relinquish::{Asked, Decision, Outcome, Planned};

use crate::hosts::{self, BuildCounted as _, Host, approved, plan, request};

async fn erase(host: &Host, engine: &relinquish::Engine) -> Certificate {
    let plan = approved(engine, &host.due, &Asked::Sweep).await;
    match engine.erase(plan).await.unwrap() {
        Outcome::Erased(certificate) => *certificate,
        other => panic!("{}: {other}", host.name),
    }
}

#[tokio::test]
async fn a_customer_is_erased_and_nobody_else_is_touched() {
    for host in hosts::all() {
        let engine = host.engine();
        let (before, revenue) = ((host.dump)(), (host.revenue)());
        let certificate = erase(&host, &engine).await;
        host.check_erased(&before);
        assert_eq!((host.revenue)(), revenue, "{}", host.name);
        assert_eq!(certificate.outcome(), "pseudonymised", "the row has the customer's key");
        assert_eq!(certificate.links(), ["ledger.token (while the key of its epoch exists)"]);
        for class in &certificate.records() {
            assert!(matches!(class.treated, Some(Count::Exact(_)) | None), "{}: {class:?}", host.name);
        }
        let text = format!("{certificate}{}", serde_json::to_string(&certificate).unwrap());
        for value in &host.values {
            assert!(!text.contains(value.as_str()), "{}: {value} is in the certificate", host.name);
        }
    }
}

#[tokio::test]
async fn erasing_twice_is_erasing_once() {
    for host in hosts::all() {
        let engine = host.engine();
        let again = approved(&engine, &host.due, &Asked::Sweep).await;
        erase(&host, &engine).await;
        let after = (host.dump)();
        // The same approval is used a second time.
        let outcome = engine.erase(again).await.unwrap();
        assert!(matches!(outcome, Outcome::Superseded { .. }), "{}: {outcome}", host.name);
        for asked in [Asked::Sweep, Asked::request()] {
            let decision = engine.decide(&host.due, &asked).await.unwrap();
            assert!(matches!(decision, Decision::Nothing(_)), "{}: {decision}", host.name);
        }
        assert_eq!((host.dump)(), after, "{}", host.name);
    }
}

#[tokio::test]
async fn a_customer_with_a_subscription_is_refused_and_untouched() {
    for host in hosts::all() {
        let engine = host.engine();
        let before = (host.dump)();
        match engine.plan(&host.active, &Asked::request()).await.unwrap() {
            Planned::Refused(blocked) => {
                assert!(blocked.by[0].why.contains("subscription"), "{}", host.name);
                assert!(!blocked.by[0].way_out.is_empty());
            }
            other => panic!("{}: {other:?}", host.name),
        }
        assert_eq!((host.dump)(), before, "{}", host.name);
    }
}

#[tokio::test]
async fn planning_touches_nothing_and_counts_what_is_there() {
    let host = hosts::sqlite();
    let before = (host.dump)();
    let plan = plan(&host.engine(), &host.due, &Asked::Sweep).await;
    assert_eq!(plan.tally().classes["call_record"].rows, 20);
    assert_eq!(plan.tally().classes["invoice"].due, 3);
    assert_eq!(plan.tally().classes["subscription"].due, 0);
    assert_eq!((host.dump)(), before);
    assert_eq!(plan.to_json()["digest"], plan.digest().to_string());
}

#[tokio::test]
async fn complete_removal_leaves_orders_with_the_one_unknown_customer() {
    let host = hosts::sqlite();
    let engine = host.engine();
    let (before, revenue) = ((host.dump)(), (host.revenue)());
    for id in ["17", "1", "5"] {
        let plan = approved(&engine, &id.into(), &request("remove")).await;
        let outcome = engine.erase(plan).await.unwrap();
        let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}")).clone();
        assert_eq!(certificate.outcome(), "anonymised", "the orders stay, and lead to nobody");
        assert!(certificate.verified().join("\n").contains("handed over"), "and what was not read back");
    }
    let sum = |sql: &str| hosts::sum(&host.path(), sql);
    let unknown = sum("SELECT id FROM clients WHERE is_unknown");
    assert_eq!(sum("SELECT count(*) FROM clients WHERE is_unknown"), 1, "made once");
    assert_eq!(sum("SELECT count(*) FROM clients WHERE id IN (1, 5, 17)"), 0);
    assert_eq!(sum(&format!("SELECT count(*) FROM orders WHERE client_id = {unknown}")), 9);
    assert_eq!(sum(&format!("SELECT count(*) FROM invoices WHERE client_id = {unknown}")), 9);
    assert_eq!(sum("SELECT count(*) FROM invoice_lines"), 90, "kept, with the invoices they belong to");
    assert_eq!(
        sum(
            "SELECT count(*) FROM orders WHERE note IS NOT NULL AND client_id = (SELECT id FROM clients WHERE is_unknown)"
        ),
        0
    );
    assert_eq!((host.revenue)(), revenue);
    let after = (host.dump)();
    for (row, content) in before.iter().filter(|(row, _)| row.starts_with("clients/")) {
        if !["clients/1", "clients/5", "clients/17"].contains(&row.as_str()) {
            assert_eq!(after.get(row), Some(content));
        }
    }
    // The "Unknown Customer" itself can never be selected.
    match engine.plan(&unknown.to_string().as_str().into(), &Asked::request()).await.unwrap() {
        Planned::Plan(_) => panic!("the unknown customer was planned"),
        no_plan => assert!(no_plan.to_string().contains("stands for nobody"), "{no_plan}"),
    }
}

#[tokio::test]
async fn an_archived_customer_can_be_brought_back_until_erased() {
    use relinquish::store::{Deactivated, Reactivated};
    for host in hosts::all() {
        let engine = host.engine();
        let before = (host.dump)();
        let Deactivated::Done { before: former } = engine.deactivate(&host.due).await.unwrap() else {
            panic!("{}", host.name)
        };
        assert_eq!(engine.deactivate(&host.due).await.unwrap(), Deactivated::Already);
        assert_eq!(engine.reactivate(&host.due, former.clone()).await.unwrap(), Reactivated::Done);
        assert_eq!((host.dump)(), before, "{}", host.name);
        assert_eq!(engine.reactivate(&host.due, former).await.unwrap(), Reactivated::Changed);
    }
}

#[tokio::test]
async fn erasing_who_is_not_archived_can_be_refused() {
    let mut host = hosts::sqlite();
    host.policy = host.policy.replace(
        "not_archived = { ignore = \"each case archives the client first\" }",
        "not_archived = \"block\"",
    );
    let engine = host.engine();
    let decision = engine.decide(&host.due, &Asked::request()).await.unwrap();
    assert!(decision.to_string().contains("not archived"), "{decision}");
    engine.deactivate(&host.due).await.unwrap();
    let before = (host.dump)();
    erase(&host, &engine).await;
    host.check_erased(&before);
}

#[tokio::test]
async fn the_login_of_an_erased_customer_stops_working() {
    let host = hosts::sqlite();
    erase(&host, &host.engine()).await;
    let sum = |sql: &str| hosts::sum(&host.path(), sql);
    assert_eq!(sum("SELECT count(*) FROM clients WHERE id = 17 AND password_hash LIKE '!%'"), 1);
    assert_eq!(sum("SELECT count(*) FROM clients WHERE id = 17 AND status = 'archived'"), 1);
    assert_eq!(sum("SELECT count(*) FROM contacts WHERE client_id = 17 AND password_hash LIKE '!%'"), 1);
    assert_eq!(sum("SELECT count(*) FROM contacts WHERE client_id = 17 AND username LIKE 'erased-%'"), 1);
}

#[tokio::test]
async fn a_scrub_takes_the_old_bytes_out_of_every_file() {
    for mode in ["DELETE", "WAL", "PERSIST", "TRUNCATE"] {
        let host = hosts::sqlite();
        let connection = rusqlite::Connection::open(host.path()).unwrap();
        connection.query_row(&format!("PRAGMA journal_mode = {mode}"), [], |_| Ok(())).unwrap();
        connection
            .execute_batch("CREATE INDEX by_phone ON clients (phone); CREATE INDEX by_name ON clients (last_name); ANALYZE")
            .unwrap();
        let samples = "SELECT count(*) FROM sqlite_stat4 WHERE sample IS NOT NULL";
        assert!(hosts::sum(&host.path(), samples) > 0, "there are statistics that sample values");
        drop(connection);
        let engine = host.engine();
        assert!(!found(&host).is_empty(), "{mode}: the values are there to begin with");
        let certificate = erase(&host, &engine).await;
        assert_eq!(certificate.file_slack(), FileSlack::Pending);
        engine.scrub().await.unwrap();
        assert_eq!(found(&host), Vec::<String>::new(), "{mode}");
        let certificate = engine.certificate(certificate.case()).await.unwrap().unwrap();
        assert!(matches!(certificate.file_slack(), FileSlack::Scrubbed { .. }), "{mode}");
    }
}

/// The values of the erased client that are still in the database's files.
fn found(host: &Host) -> Vec<String> {
    let mut list = Vec::new();
    for end in ["", "-wal", "-journal"] {
        let bytes = std::fs::read(format!("{}{end}", host.path().display())).unwrap_or_default();
        for value in &host.values {
            if bytes.windows(value.len()).any(|window| window == value.as_bytes()) {
                list.push(format!("{value} in {end}"));
            }
        }
    }
    list
}

#[tokio::test]
async fn what_is_closed_after_a_scrub_is_pending_again() {
    let host = hosts::sqlite();
    let engine = host.engine();
    engine.scrub().await.unwrap();
    let certificate = erase(&host, &engine).await;
    let certificate = engine.certificate(certificate.case()).await.unwrap().unwrap();
    assert_eq!(certificate.file_slack(), FileSlack::Pending);
}

#[tokio::test]
async fn a_customer_without_a_profile_at_any_gateway_is_no_error() {
    let host = hosts::sqlite();
    // Client 9 has cancelled, and has paid once.
    let engine = host.engine();
    let plan = approved(&engine, &"9".into(), &Asked::request()).await;
    let outcome = engine.erase(plan).await.unwrap();
    let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}"));
    assert_eq!(certificate.gateways(), []);
}

#[tokio::test]
async fn many_customers_are_erased_in_batches() {
    let host = hosts::sqlite();
    let engine = host.builder(relinquish::MemoryLedger::new(), hosts::keys()).batch(3).counted().unwrap();
    let mut plans = Vec::new();
    for id in (1..=29).step_by(4) {
        plans.push(approved(&engine, &id.to_string().as_str().into(), &Asked::Sweep).await);
    }
    let count = plans.len();
    let outcomes = engine.execute(plans).await.unwrap();
    assert_eq!(outcomes.len(), count);
    for outcome in outcomes {
        assert!(outcome.certificate().is_some(), "{outcome}");
    }
    let erased =
        hosts::sum(&host.path(), "SELECT count(*) FROM clients WHERE email LIKE 'erased-%@erased.invalid'");
    assert_eq!(erased, 8);
    assert_eq!(hosts::sum(&host.path(), "SELECT count(DISTINCT email) FROM clients"), 30);
}
