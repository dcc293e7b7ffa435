//! The screens that are not about one customer: letters, expiry, policy, data map, cases and the ledger.

use std::time::Duration;

use http::StatusCode;
use relinquish::ledger::proof::{Checkpoint, PublicKey};
use relinquish::request::{Channel, NewRequest, RequestKind, Who};

use crate::support::{Answer, EVERYTHING, POLICY, Visitor, World};

/// Opens a page again and again until it shows a text.
async fn until(visitor: &Visitor, path: &str, text: &str) -> Answer {
    for _ in 0..400 {
        let page = visitor.get(path).await;
        if page.body.contains(text) {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{path} never shows {text}: {}", visitor.get(path).await.body);
}

#[tokio::test]
async fn an_expiry_is_planned_shown_and_approved_by_its_number() {
    let world = World::new().await;
    world.execute("UPDATE activity_log SET at = '2020-01-01 08:00:00' WHERE client_id <= 10");
    let before: i64 = world.sql("SELECT count(*) FROM activity_log");
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let page = ann.get("/expiry").await;
    assert!(page.body.contains("2 years after started_at"), "{}", page.body);
    ann.follow(&ann.fill(&page, "/expiry/plan", &[]).await).await;
    let planned = until(&ann, "/expiry", "action=\"/expiry/approve\"").await;
    let wrong = ann.fill(&planned, "/expiry/approve", &[("typed", "7")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let due = planned.body.split("records will be erased").next().unwrap();
    let due: String = due.chars().rev().skip(1).take_while(|c| c.is_ascii_digit() || *c == ',').collect();
    let due: String = due.chars().rev().filter(char::is_ascii_digit).collect();
    let due_rows: i64 = due.parse().unwrap();
    assert!(due_rows >= 30, "{due}");
    ann.follow(&ann.fill(&planned, "/expiry/approve", &[("typed", &due)]).await).await;
    until(&ann, "/ledger", ">Expired<").await;
    assert!(
        until(&ann, "/expiry", "Approved ").await.body.contains("activity"),
        "the page shows what came of it"
    );
    let after: i64 = world.sql("SELECT count(*) FROM activity_log");
    assert!(after < before, "{before} {after}");
}

#[tokio::test]
async fn another_policy_is_checked_and_counted_and_stays_out_of_force() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let page = ann.get("/policy").await;
    assert!(page.body.contains("triggers.cancelled"), "{}", page.body);
    let wrong = POLICY.replace("treatment = \"clear\"", "treatment = \"claer\"");
    let refused = ann.fill(&page, "/policy/try", &[("policy", &wrong)]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.body.contains("did you mean clear") || refused.body.contains("claer"),
        "{}",
        refused.body
    );
    assert!(refused.body.contains("Fjord Broadband"), "what was typed stays");

    let shorter = POLICY.replace("\"90 days\"", "\"2000 days\"");
    ann.follow(&ann.fill(&page, "/policy/try", &[("policy", &shorter)]).await).await;
    let tried = until(&ann, "/policy", "Changed lines").await;
    assert!(tried.body.contains("2000 days") && tried.body.contains("Not due any more"), "{}", tried.body);
    assert!(world.engine.policy().everyone().to_string().contains("90 days"), "the old policy is in force");
}

#[tokio::test]
async fn the_data_map_says_when_the_schema_has_changed_since_the_census() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let page = ann.get("/data").await;
    assert!(page.body.contains(">Valid<") && page.body.contains("Every row is explained"), "{}", page.body);
    assert!(page.body.contains("call_record") && page.body.contains("called"));
    world.execute(
        "PRAGMA foreign_keys = OFF;
         INSERT INTO call_records (client_id, called, started_at, seconds) VALUES (999999, 'x', '2025-01-01', 1)",
    );
    ann.follow(&ann.fill(&page, "/data/census", &[]).await).await;
    until(&ann, "/data", "Some rows are not explained").await;
    world.execute("ALTER TABLE clients ADD COLUMN shoe_size TEXT");
    let changed = ann.get("/data").await;
    assert!(changed.body.contains(">Not valid<"), "{}", changed.body);
}

#[tokio::test]
async fn the_ledger_names_nobody_and_its_checkpoint_can_be_verified() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let (path, plan) = ann.plan("17").await;
    ann.follow(&ann.fill(&plan, &path, &[("typed", "17")]).await).await;
    let page = ann.get("/ledger").await;
    assert!(page.body.contains(">Erased<") && !page.body.contains(">17<"), "{}", page.body);
    let signed = ann.fill(&page, "/ledger/checkpoint", &[]).await;
    assert_eq!(signed.status, StatusCode::OK);
    assert!(signed.headers["content-disposition"].contains("checkpoint-2.txt"), "{:?}", signed.headers);
    let key = page.body.split("Public key").nth(1).unwrap().split("<code>").nth(1).unwrap();
    let key: PublicKey = key.split("</code>").next().unwrap().parse().unwrap();
    assert_eq!(Checkpoint::read(&signed.body, &key).unwrap().size(), 2);
}

#[tokio::test]
async fn a_letter_is_written_from_the_request_and_noted_as_sent() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let form = ann.get("/requests/new").await;
    let sent = [
        ("kind", "erasure"),
        ("channel", "email"),
        ("received", "2026-11-05"),
        ("customer", "18"),
        ("regime", "eu"),
    ];
    let path = ann.fill(&form, "/requests/new", &sent).await.location().to_owned();
    let none = ann.get(&format!("{path}/letter?kind=extension&language=en")).await;
    assert!(none.body.contains("There is no such letter now"), "{}", none.body);
    let refusal = ann.get(&format!("{path}/letter?kind=refusal&language=en")).await;
    assert!(refusal.body.contains("Datatilsynet"), "{}", refusal.body);
    let file = ann.get(&format!("{path}/letter?kind=refusal&language=en&file=1")).await;
    assert!(file.headers["content-type"].starts_with("text/markdown") && file.body.contains("subscription"));
    let noted = ann.fill(&refusal, &format!("{path}/letter"), &[]).await;
    assert!(ann.follow(&noted).await.body.contains("Letter sent: Refusal"));
}

#[tokio::test]
async fn a_case_that_a_hold_stops_can_be_cancelled_before_the_point_of_no_return() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let (path, plan) = ann.plan("17").await;
    let holds = ann.get("/holds").await;
    ann.fill(&holds, "/holds/stop", &[("stop_reference", "alarm-1"), ("typed", "stop")]).await;
    // The plan that was shown is no longer due, because the emergency stop holds every customer.
    let sent = ann.fill(&plan, &path, &[("typed", "17")]).await;
    assert_eq!(sent.status, StatusCode::CONFLICT);
    assert!(ann.get("/").await.body.contains("Everything is stopped"));
    assert!(ann.get("/cases").await.body.contains("No case is open"));
}

#[tokio::test]
async fn a_blocked_case_waits_for_a_person_who_decides() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    *world.refuses.lock().unwrap() = true;
    let (path, plan) = ann.plan("17").await;
    let opened = ann.fill(&plan, &path, &[("typed", "17")]).await;
    let blocked = ann.follow(&opened).await;
    assert!(blocked.body.contains("The case is blocked.") && blocked.body.contains("Payment gateway stripe"));
    assert!(ann.get("/").await.body.contains("Cases that wait for a person"));
    let case = opened.location().split('?').next().unwrap().to_owned();

    let wrong = ann.fill(&blocked, &format!("{case}/waive"), &[("reason", "Maud wants it")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let again = ann.fill(&blocked, &format!("{case}/retry"), &[]).await;
    assert!(ann.follow(&again).await.body.contains("The case is blocked."), "the gateway still refuses");
    let waived = ann.fill(&blocked, &format!("{case}/waive"), &[("reason", "ticket-4711")]).await;
    let certificate = ann.follow(&waived).await;
    assert!(certificate.body.contains("Certificate of erasure") && certificate.body.contains("ticket-4711"));
    // Sending the form again leads to the closed case.
    let late = ann.fill(&blocked, &format!("{case}/retry"), &[]).await;
    assert!(ann.follow(&late).await.body.contains("Certificate of erasure"));
}

#[tokio::test]
async fn a_blocked_case_goes_on_when_a_person_has_done_the_step_by_hand() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    *world.refuses.lock().unwrap() = true;
    let (path, plan) = ann.plan("17").await;
    let opened = ann.fill(&plan, &path, &[("typed", "17")]).await;
    let blocked = ann.follow(&opened).await;
    let case = opened.location().split('?').next().unwrap().to_owned();
    let without = ann.fill(&blocked, &format!("{case}/by-hand"), &[("reason", "")]).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY, "evidence is asked for");
    // The form was opened when another step blocked the case.
    for what in ["by-hand", "waive"] {
        let typed = [("reason", "ticket-4711"), ("step", "recipient.archive")];
        let late = ann.fill(&blocked, &format!("{case}/{what}"), &typed).await;
        assert_eq!(
            late.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{what}: the decision is about another step"
        );
    }
    let done = ann.fill(&blocked, &format!("{case}/by-hand"), &[("reason", "ticket-4711")]).await;
    let certificate = ann.follow(&done).await;
    assert!(certificate.body.contains("Certificate of erasure") && certificate.body.contains("ticket-4711"));
}

#[tokio::test]
async fn a_blocked_case_is_cancelled_while_nothing_irreversible_was_begun() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    *world.refuses.lock().unwrap() = true;
    let (path, plan) = ann.plan("17").await;
    let opened = ann.fill(&plan, &path, &[("typed", "17")]).await;
    let blocked = ann.follow(&opened).await;
    let case = opened.location().split('?').next().unwrap().to_owned();
    if blocked.body.contains("can only go forward") {
        assert!(!blocked.body.contains(&format!("{case}/cancel")), "what cannot be done is not offered");
        return;
    }
    let cancelled = ann.fill(&blocked, &format!("{case}/cancel"), &[("reason", "ticket-1")]).await;
    assert!(ann.follow(&cancelled).await.body.contains("Cancelled"));
    let status: String = world.sql("SELECT status FROM clients WHERE id = 17");
    assert_eq!(status, "cancelled", "as before");
}

/// A former bug: the link to a request was encoded, but the path was not decoded.
#[tokio::test]
async fn a_request_of_any_id_can_be_opened() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    for id in ["DSR:2026-17", "2026/17", "a+b%41"] {
        let who = Who::Customer { customer: "17".into() };
        let at = "2026-11-20T09:30:00Z".parse().unwrap();
        let new = NewRequest::new(id, RequestKind::Erasure, Channel::Email, who, at);
        world.engine.receive(new).await.unwrap();
    }
    let list = ann.get("/requests").await;
    let links: Vec<&str> = list.body.split("href=\"").filter_map(|rest| rest.split('"').next()).collect();
    let requests = links.iter().filter(|link| link.contains("/requests/") && !link.ends_with("/new"));
    let mut opened = 0;
    for link in requests {
        let page = ann.get(&link[link.find("/requests/").unwrap()..]).await;
        assert_eq!(page.status, StatusCode::OK, "{link}");
        opened += 1;
    }
    assert_eq!(opened, 3, "{links:?}");
}
