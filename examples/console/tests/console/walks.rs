//! Whole tasks from the first page to the last, with forms that are sent, and the mistakes on the way.

use std::time::Duration;

use http::StatusCode;
use relinquish::ledger::WhichHolds;

use crate::support::{Answer, EVERYTHING, POLICY, Visitor, World};

/// Takes a survey, and waits for its end.
pub(crate) async fn survey(visitor: &Visitor) -> Answer {
    let page = visitor.get("/review").await;
    visitor.follow(&visitor.fill(&page, "/survey", &[]).await).await;
    for _ in 0..600 {
        let page = visitor.get("/review").await;
        if page.body.contains("action=\"/survey\"") && page.body.contains("Surveyed ") {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the survey does not end");
}

#[tokio::test]
async fn one_customer_from_the_key_to_the_certificate() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let (path, plan) = ann.plan("17").await;
    assert!(plan.body.contains("call_record") && plan.body.contains("There is no way back."));
    let approved = ann.fill(&plan, &path, &[("typed", "17")]).await;
    let certificate = ann.follow(&approved).await;
    assert_eq!(certificate.status, StatusCode::OK);
    assert!(certificate.body.contains("Certificate of erasure"), "{}", certificate.body);
    let name: String = world.sql("SELECT last_name FROM clients WHERE id = 17");
    assert!(name.starts_with("Anonymised"), "{name}");

    let case = approved.location().split('?').next().unwrap().to_owned();
    let text = ann.get(&format!("{case}/certificate.txt")).await;
    assert!(text.headers["content-disposition"].starts_with("attachment"));
    assert!(text.body.starts_with("Certificate of erasure"), "{}", text.body);
    let json: serde_json::Value =
        serde_json::from_str(&ann.get(&format!("{case}/certificate.json")).await.body).unwrap();
    assert_eq!(json["case"], case.trim_start_matches("/cases/"));

    let (_, person) = ann.person("17").await;
    assert!(person.body.contains(&case), "the page of the person knows the case");
    assert!(person.body.contains("Nothing to do"), "{}", person.body);
}

#[tokio::test]
async fn what_is_typed_wrong_stays_and_nothing_happens() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let home = ann.get("/").await;
    let empty = ann.fill(&home, "/person", &[("key", " ")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    let wrong = ann.fill(&home, "/person", &[("key", "no-such-key")]).await;
    assert!(wrong.body.contains("value=\"no-such-key\"") && wrong.body.contains("aria-invalid=\"true\""));
    assert!(wrong.body.contains("<title>Error: "), "the title says it first");

    let (path, plan) = ann.plan("17").await;
    let mistyped = ann.fill(&plan, &path, &[("typed", "18")]).await;
    assert_eq!(mistyped.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(mistyped.body.contains("value=\"18\"") && mistyped.body.contains("href=\"#f-typed\""));
    assert!(world.engine.open_cases(None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_plan_that_has_changed_since_is_shown_again_and_not_carried_out() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let (path, plan) = ann.plan("17").await;
    world.execute("UPDATE subscriptions SET active = 1 WHERE client_id = 17");
    let sent = ann.fill(&plan, &path, &[("typed", "17")]).await;
    assert_eq!(sent.status, StatusCode::CONFLICT);
    assert!(
        sent.body.contains("Something has changed") && sent.body.contains("Active subscription"),
        "{}",
        sent.body
    );
    assert_eq!(world.engine.last_entry().await.unwrap(), 1, "only the census");
}

#[tokio::test]
async fn two_operators_who_approve_at_once_open_one_case() {
    let world = World::new().await;
    let (ann, ben) = (Visitor::of(&world, "ann", &EVERYTHING), Visitor::of(&world, "ben", &EVERYTHING));
    let (path, of_ann) = ann.plan("17").await;
    let of_ben = ben.get(&path).await;
    let (first, second) = tokio::join!(
        ann.fill(&of_ann, &path, &[("typed", "17")]),
        ben.fill(&of_ben, &path, &[("typed", "17")]),
    );
    let cases: Vec<&str> = [&first, &second]
        .into_iter()
        .filter(|answer| answer.status == StatusCode::SEE_OTHER)
        .map(Answer::location)
        .collect();
    assert!(!cases.is_empty());
    assert!(cases.iter().all(|case| *case == cases[0]), "both are led to the same case: {cases:?}");
    ann.get(cases[0]).await;
    let entries = world.engine.entries(0, 99).await.unwrap();
    let closed = entries.iter().filter_map(relinquish::ledger::Entry::closed);
    assert_eq!(closed.count(), 1);
}

#[tokio::test]
async fn four_eyes_are_asked_for_and_the_second_pair_approves_the_same_plan() {
    let world = World::with(&format!("four_eyes = true\n{POLICY}"), 40).await;
    let (ann, ben) = (Visitor::of(&world, "ann", &EVERYTHING), Visitor::of(&world, "ben", &EVERYTHING));
    let (path, of_ann) = ann.plan("17").await;
    assert!(of_ann.body.contains("four eyes") && !of_ann.body.contains("name=\"typed\""));
    let of_ben = ben.get(&path).await;
    let done = ben.follow(&ben.fill(&of_ben, &path, &[("typed", "17")]).await).await;
    assert!(done.body.contains("Certificate of erasure"), "{}", done.body);
}

#[tokio::test]
async fn a_refusal_says_what_blocks_and_the_way_out() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let (_, page) = ann.plan("18").await;
    assert!(page.body.contains("There is no plan.") && page.body.contains("Active subscription"));
    assert!(page.body.contains("end the subscription first"), "{}", page.body);
    assert!(!page.body.contains("name=\"typed\""));
}

#[tokio::test]
async fn a_review_of_many_erases_those_who_were_left_in() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let page = survey(&ann).await;
    let due = page.body.matches("name=\"in\"").count();
    assert!(due > 3, "{due}");

    // The first row is unchecked: the browser sends only the others.
    let mut fields = page.fields("/review");
    let first = fields.iter().position(|(name, _)| name == "in").unwrap();
    fields.remove(first);
    fields.push(("next".to_owned(), "approve".to_owned()));
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let confirm = ann.follow(&ann.post("/review", &fields).await).await;
    let count = (due - 1).to_string();
    assert!(confirm.body.contains(&format!("{count} customers will be erased")), "{}", confirm.body);

    let wrong = ann.fill(&confirm, "/review/approve", &[("typed", &due.to_string())]).await;
    assert_eq!(
        wrong.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "the number of all is not the number of the rest"
    );
    ann.follow(&ann.fill(&confirm, "/review/approve", &[("typed", &count)]).await).await;
    for _ in 0..600 {
        let run = ann.get("/review/run").await;
        if run.body.contains(">Done<") {
            let anonymised: i64 =
                world.sql("SELECT count(*) FROM clients WHERE last_name LIKE 'Anonymised%'");
            assert_eq!(anonymised.to_string(), count, "{}", run.body);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the run does not end");
}

#[tokio::test]
async fn a_review_that_somebody_has_changed_is_shown_again() {
    let world = World::new().await;
    let (ann, ben) = (Visitor::of(&world, "ann", &EVERYTHING), Visitor::of(&world, "ben", &EVERYTHING));
    let page = survey(&ann).await;
    let confirm = ann.get("/review/approve").await;
    let due = page.body.matches("name=\"in\"").count().to_string();
    let of_ben = ben.get("/review").await;
    let mut fields = of_ben.fields("/review");
    fields.retain(|(name, _)| name != "in");
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    ben.follow(&ben.post("/review", &fields).await).await;
    let sent = ann.fill(&confirm, "/review/approve", &[("typed", &due)]).await;
    assert_eq!(sent.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(sent.body.contains("has changed since you saw it"), "{}", sent.body);
}

#[tokio::test]
async fn a_request_from_receipt_to_the_end() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let form = ann.get("/requests/new").await;
    let wrong =
        ann.fill(&form, "/requests/new", &[("kind", "erasure"), ("channel", "web"), ("received", "")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("Say who asks") && wrong.body.contains("day of receipt"));
    let sent = [
        ("kind", "erasure"),
        ("channel", "email"),
        ("received", "2026-01-05"),
        ("customer", "17"),
        ("regime", "eu"),
    ];
    let received = ann.fill(&form, "/requests/new", &sent).await;
    let path = received.location().to_owned();
    let page = ann.get(&path).await;
    assert!(
        page.body.contains("Overdue") && !page.body.contains("/plan/"),
        "no plan before it is known who asks"
    );
    let confirmed = ann.fill(&page, &format!("{path}/confirm"), &[("reference", "passport-1")]).await;
    let page = ann.follow(&confirmed).await;
    let plan = format!("/plan/{}", page.after("href=\"/plan/"));
    let shown = ann.get(&plan).await;
    let approved = ann.fill(&shown, &plan, &[("typed", "17")]).await;
    assert_eq!(approved.location(), path, "back at the request");
    assert!(ann.follow(&approved).await.body.contains("Plan approved"));
    // The host's worker runs one turn.
    world.engine.worker().turn().await.unwrap();
    let page = ann.get(&path).await;
    assert!(page.body.contains("Case closed"), "{}", page.body);
    let decided = ann.fill(&page, &format!("{path}/decide"), &[("answer", "granted")]).await;
    let page = ann.follow(&decided).await;
    let ended = ann.fill(&page, &format!("{path}/end"), &[]).await;
    let page = ann.follow(&ended).await;
    assert!(page.body.contains("Wiped when the request ended"), "{}", page.body);
}

#[tokio::test]
async fn four_eyes_hold_for_a_request_too() {
    let world = World::with(&format!("four_eyes = true\n{POLICY}"), 40).await;
    let (ann, ben) = (Visitor::of(&world, "ann", &EVERYTHING), Visitor::of(&world, "ben", &EVERYTHING));
    let form = ann.get("/requests/new").await;
    let sent = [
        ("kind", "erasure"),
        ("channel", "web"),
        ("received", "2026-11-05"),
        ("customer", "17"),
        ("regime", "eu"),
    ];
    let path = ann.fill(&form, "/requests/new", &sent).await.location().to_owned();
    let page = ann.get(&path).await;
    let page =
        ann.follow(&ann.fill(&page, &format!("{path}/confirm"), &[("reference", "in-person")]).await).await;
    let plan = format!("/plan/{}", page.after("href=\"/plan/"));
    assert!(!ann.get(&plan).await.body.contains("name=\"typed\""), "who plans does not approve");
    let of_ben = ben.get(&plan).await;
    assert_eq!(ben.fill(&of_ben, &plan, &[("typed", "17")]).await.location(), path);
    world.engine.worker().turn().await.unwrap();
    let page = ann.get(&path).await;
    assert!(page.body.contains("Case closed"), "{}", page.body);
}

#[tokio::test]
async fn an_address_in_a_request_is_shown_on_demand() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let form = ann.get("/requests/new").await;
    let sent = [
        ("kind", "access"),
        ("channel", "post"),
        ("received", "2026-11-05"),
        ("address", "guest@example.org"),
    ];
    let path = ann.fill(&form, "/requests/new", &sent).await.location().to_owned();
    let page = ann.get(&path).await;
    assert!(!page.body.contains("guest@example.org"));
    let shown = ann.fill(&page, &path, &[]).await;
    assert!(shown.body.contains("guest@example.org"));
    assert_eq!(world.looks.seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_hold_keeps_a_customer_until_it_is_lifted() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let (person, _) = ann.person("17").await;
    let path = format!("{person}/hold");
    let form = ann.get(&path).await;
    let wrong = ann.fill(&form, &path, &[("ground", "legal_claim"), ("reference", "Maud asked")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("value=\"Maud asked\""));
    let placed = ann.fill(&form, &path, &[("ground", "legal_claim"), ("reference", "claim-7")]).await;
    let page = ann.follow(&placed).await;
    assert!(page.body.contains("Blocked") && page.body.contains("Legal claim"), "{}", page.body);
    let holds = ann.get("/holds").await;
    let id = world.engine.holds(WhichHolds::Standing, None, 9).await.unwrap()[0].id.clone();
    assert!(!holds.body.contains(">17<"), "a list of holds names nobody");
    ann.follow(&ann.fill(&holds, &format!("/holds/{id}/lift"), &[]).await).await;
    assert!(ann.person("17").await.1.body.contains(">Due<"));
}

#[tokio::test]
async fn the_console_speaks_the_language_of_the_browser() {
    let world = World::new().await;
    for (language, html, says) in [
        ("sv-SE,sv;q=0.9", "lang=\"sv\"", "Sök en kund"),
        ("de", "lang=\"de\"", "Kunden suchen"),
        ("fr", "lang=\"en\"", "Find a customer"),
    ] {
        let mut visitor = Visitor::of(&world, "ann", &EVERYTHING);
        visitor.language = language;
        let home = visitor.get("/").await;
        assert!(home.body.contains(html) && home.body.contains(says), "{language}");
    }
}
