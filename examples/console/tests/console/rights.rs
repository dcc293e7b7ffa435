//! Tests of rights, of forged forms, and of personal values in addresses.

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use relinquish::engine::Accessed;
use relinquish_console::{Operator, Right};

use crate::support::{EVERYTHING, Visitor, World};

/// Every page that needs no customer.
pub(crate) const PAGES: [&str; 12] = [
    "/",
    "/requests",
    "/requests/new",
    "/review",
    "/review/run",
    "/cases",
    "/holds",
    "/holds?which=all",
    "/expiry",
    "/policy",
    "/data",
    "/ledger",
];

#[tokio::test]
async fn without_an_operator_no_route_answers() {
    let world = World::new().await;
    let nobody = Visitor::new(&world, None);
    for path in PAGES.iter().chain(&["/style.css", "/person/x", "/nowhere"]) {
        let answer = nobody.get(path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(!answer.body.contains("<form"), "{path}");
    }
    let (path, page) = Visitor::of(&world, "ann", &EVERYTHING).plan("17").await;
    let sent = nobody.fill(&page, &path, &[("typed", "17")]).await;
    assert_eq!(sent.status, StatusCode::UNAUTHORIZED, "the log-in has ended half-way");
    assert!(sent.body.contains("Nothing was changed"), "{}", sent.body);
    assert!(world.engine.open_cases(None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn each_right_opens_what_it_is_for() {
    let world = World::new().await;
    let all = Visitor::of(&world, "ann", &EVERYTHING);
    let (plan, page) = all.plan("17").await;
    let (person, person_page) = all.person("17").await;
    let stop = all.get("/holds").await;

    let sees = Visitor::of(&world, "eve", &[Right::See]);
    assert_eq!(sees.get("/").await.status, StatusCode::OK);
    assert!(!sees.get("/").await.body.contains("action=\"/person\""), "no form that would be refused");
    for path in ["/review", "/requests/new", &person, &plan] {
        assert_eq!(sees.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let plans = Visitor::of(&world, "eve", &[Right::See, Right::Plan]);
    let shown = plans.get(&plan).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(!shown.body.contains("name=\"typed\""), "who may not approve gets no form");
    assert_eq!(plans.fill(&page, &plan, &[("typed", "17")]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(plans.get(&format!("{person}/hold")).await.status, StatusCode::FORBIDDEN);
    assert!(person_page.body.contains(&format!("{person}/hold")));

    // Every operator may stop everything, but only an operator with the right to hold may lift the stop.
    let token = stop.fields("/holds/stop");
    assert!(!token.is_empty());
    let own = sees.get("/holds").await;
    let stopped = sees.fill(&own, "/holds/stop", &[("stop_reference", "alarm-1"), ("typed", "stop")]).await;
    let shown = sees.follow(&stopped).await;
    assert!(shown.body.contains("alarm-1") && !shown.body.contains("/lift"), "{}", shown.body);
    assert!(world.engine.health().await.unwrap().stopped);
}

#[tokio::test]
async fn of_another_tenant_nothing_is_said() {
    let world = World::new().await;
    let (person, _) = Visitor::of(&world, "ann", &EVERYTHING).person("17").await;
    let stranger = Visitor::new(&world, Some(Operator::new("eve", ["2".into()], EVERYTHING)));
    assert_eq!(stranger.get(&person).await.status, StatusCode::NOT_FOUND);
    let home = stranger.get("/").await;
    let there = stranger.fill(&home, "/person", &[("key", "17")]).await;
    let not_there = stranger.fill(&home, "/person", &[("key", "99999")]).await;
    assert_eq!(there.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(not_there.status, there.status);
    for answer in [there, not_there] {
        assert!(
            answer.body.contains("No customer has this key"),
            "the same words whether there is one or not"
        );
    }
}

#[tokio::test]
async fn a_form_is_good_for_one_operator_and_one_matter() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let (path, page) = ann.plan("17").await;
    let (other_path, other) = ann.plan("25").await;
    let token = |page: &crate::support::Answer, path: &str| page.fields(path)[0].1.clone();
    let (mine, others) = (token(&page, &path), token(&other, &other_path));
    for (visitor, token, what) in [
        (Visitor::of(&world, "ben", &EVERYTHING), mine.as_str(), "another operator"),
        (Visitor::of(&world, "ann", &EVERYTHING), others.as_str(), "another plan"),
        (Visitor::of(&world, "ann", &EVERYTHING), "", "no token"),
        (Visitor::of(&world, "ann", &EVERYTHING), "9999999999.AAAA", "a made-up token"),
    ] {
        let answer = visitor.fill(&page, &path, &[("token", token), ("typed", "17")]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
        assert!(answer.body.contains("Nothing was changed"), "{what}");
    }
    assert!(world.engine.open_cases(None, 9).await.unwrap().is_empty());
    assert_eq!(ann.fill(&page, &path, &[("typed", "17")]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_form_from_another_origin_changes_nothing() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let fields = ann.get("/holds").await.fields("/holds/stop");
    let body: Vec<String> = fields
        .iter()
        .map(|(name, value)| match name.as_str() {
            "stop_reference" => "stop_reference=alarm-1".to_owned(),
            "typed" => "typed=stop".to_owned(),
            _ => format!("{name}={}", crate::support::encode(value)),
        })
        .collect();
    let body = body.join("&");
    let send = |lines: Vec<(&'static str, &'static str)>| {
        let mut request = Request::post("/holds/stop").header(header::HOST, "console.example");
        for (name, value) in lines {
            request = request.header(name, value);
        }
        request.body(Full::<Bytes>::from(body.clone())).unwrap()
    };
    for lines in [
        vec![],
        vec![("origin", "https://evil.example")],
        vec![("origin", "null")],
        vec![("origin", "https://console.example"), ("sec-fetch-site", "cross-site")],
    ] {
        let answer = ann.send(send(lines.clone())).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{lines:?}");
    }
    assert!(!world.engine.health().await.unwrap().stopped);
    let ours = vec![("origin", "https://console.example"), ("sec-fetch-site", "same-origin")];
    assert_eq!(ann.send(send(ours)).await.status, StatusCode::SEE_OTHER);
    assert!(world.engine.health().await.unwrap().stopped);
}

#[tokio::test]
async fn every_answer_forbids_scripts_frames_and_caches() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    for path in PAGES.iter().chain(&["/nowhere"]) {
        let answer = ann.get(path).await;
        let csp = &answer.headers["content-security-policy"];
        for part in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
        {
            assert!(csp.contains(part), "{path}: {csp}");
        }
        assert!(!csp.contains("script-src") && !csp.contains("unsafe"), "{path}: {csp}");
        assert_eq!(answer.headers["x-frame-options"], "DENY");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
        for forbidden in ["<script", " style=\"", "javascript:", " onclick"] {
            assert!(!answer.body.contains(forbidden), "{path} has {forbidden}");
        }
    }
}

#[tokio::test]
async fn no_address_and_no_title_names_a_person() {
    let world = World::new().await;
    world.execute(
        "INSERT INTO clients (id, organisation_id, first_name, last_name, email, password_hash, status, created_at, cancelled_on)
         VALUES (4711017, 1, 'Maud', 'Ash', 'maud@example.org', 'x', 'cancelled', '2020-01-01 09:00:00', '2025-01-01')",
    );
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let (path, page) = ann.person("4711017").await;
    assert!(!path.contains("4711017"));
    let titles =
        |body: &str| body.split("<title>").nth(1).unwrap().split("</title>").next().unwrap().to_owned();
    assert!(!titles(&page.body).contains("4711017"));
    for href in page.body.split("href=\"").skip(1).chain(page.body.split("action=\"").skip(1)) {
        let href = href.split('"').next().unwrap();
        assert!(!href.contains("4711017"), "{href}");
    }
    for wrong in [
        "/person/17",
        "/person/4711017",
        "/person/AAAA",
        &format!("{path}x"),
        &path.replace("person", "plan"),
    ] {
        assert_eq!(ann.get(wrong).await.status, StatusCode::NOT_FOUND, "{wrong}");
    }
}

#[tokio::test]
async fn names_are_shown_on_demand_and_each_look_is_told_first() {
    let world = World::new().await;
    let name: String = world.sql("SELECT last_name FROM clients WHERE id = 17");
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let (path, page) = ann.person("17").await;
    assert!(!page.body.contains(&name), "nobody asked for the name");
    assert!(world.looks.seen.lock().unwrap().is_empty());

    let shown = ann.fill(&page, &path, &[]).await;
    assert!(shown.body.contains(&name));
    {
        let seen = world.looks.seen.lock().unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].operator.as_str(), "ann");
        assert!(matches!(&seen[0].what, Accessed::Identity { customer } if customer.as_str() == "17"));
    }
    *world.looks.fails.lock().unwrap() = true;
    let refused = ann.fill(&page, &path, &[]).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!refused.body.contains(&name), "what cannot be recorded is not shown");
}

#[tokio::test]
async fn an_export_needs_a_reason_and_is_told_first() {
    let world = World::new().await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    let (person, _) = ann.person("17").await;
    let path = format!("{person}/export");
    let form = ann.get(&path).await;
    let without = ann.fill(&form, &path, &[]).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    let wrong = ann.fill(&form, &path, &[("purpose", "Maud asked")]).await;
    assert!(wrong.body.contains("value=\"Maud asked\""));
    assert!(world.looks.seen.lock().unwrap().is_empty());
    let file = ann.fill(&form, &path, &[("purpose", "ticket-4711")]).await;
    assert_eq!(file.status, StatusCode::OK, "{}", file.body);
    let name: String = world.sql("SELECT last_name FROM clients WHERE id = 17");
    let other: String = world.sql("SELECT email FROM clients WHERE id = 18");
    let secret: String = world.sql("SELECT password_hash FROM clients WHERE id = 17");
    assert!(file.body.contains(&name) && !file.body.contains(&other) && !file.body.contains(&secret));
    assert!(!file.headers["content-disposition"].contains("17."), "the name of the file names nobody");
    {
        let seen = world.looks.seen.lock().unwrap();
        assert_eq!(seen[0].purpose.to_string(), "ticket-4711");
        assert!(matches!(&seen[0].what, Accessed::Customer { customer } if customer.as_str() == "17"));
    }
    *world.looks.fails.lock().unwrap() = true;
    let refused = ann.fill(&form, &path, &[("purpose", "ticket-4711")]).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!refused.body.contains(&name));
}

#[tokio::test]
async fn a_page_is_small_however_many_are_due() {
    let world = World::with(crate::support::POLICY, 1_500).await;
    let ann = Visitor::of(&world, "ann", &EVERYTHING);
    crate::walks::survey(&ann).await;
    let review = ann.get("/review").await;
    assert!(review.body.matches("<tr").count() > 50, "the first page is full");
    for path in PAGES {
        let size = ann.get(path).await.body.len();
        assert!(size <= 100_000, "{path} has {size} bytes");
    }
}
