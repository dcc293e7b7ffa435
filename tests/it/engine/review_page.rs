//! The review as a page: in every language it has the numbers of the database, and it names nobody.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use relinquish::engine::{ReviewPage, SweepEvent};
use relinquish::plan::letter::Language;
use relinquish::plan::review::{Review, ReviewedPlan};
use relinquish::plan::{Blocked, BlockedBy};
use relinquish::{Engine, Plan};

use super::sweeping::{Shop, Told, day, invoices, now};
use crate::support::html::{assert_balanced, is_prose, table, texts};

/// The page of a survey, and its plans.
async fn page(engine: &Engine) -> (ReviewPage, Vec<Plan>) {
    let (mut page, mut plans, mut survey) = (ReviewPage::new(), Vec::new(), engine.survey_all());
    while let Some(event) = survey.next().await {
        let event = event.unwrap();
        if !matches!(event, SweepEvent::Ended(_)) && plans.is_empty() {
            // There is no page before the survey is complete.
            let is_counted = matches!(event, SweepEvent::Counted(_));
            assert_eq!(page.to_html(Language::English, engine.policy(), now()), None, "{is_counted}");
        }
        page.add(&event);
        if let SweepEvent::Due(plan) = event {
            plans.push(*plan);
        }
    }
    (page, plans)
}

fn sum(rows: &[Vec<String>], column: usize) -> u64 {
    rows.iter().map(|row| row[column].replace(['.', ',', '\u{a0}'], "").parse::<u64>().unwrap()).sum()
}

/// A shop with everything that the page can show.
fn shop(random: &mut fastrand::Rng) -> Shop {
    let shop = Shop::new([]);
    for id in 1..=60 {
        let cancelled = random.bool().then(|| random.i64(0..500));
        shop.insert(id, if random.u8(..3) == 0 { "south" } else { "north" }, cancelled);
        match random.u8(..10) {
            0 => shop.sql(&format!("UPDATE customers SET held = 'legal_claim' WHERE id = {id}")),
            1 => shop.sql(&format!("UPDATE customers SET held = 'restriction' WHERE id = {id}")),
            2 => shop.sql(&format!("UPDATE customers SET cancelled_at = 'soon' WHERE id = {id}")),
            _ => {}
        }
        shop.sql(&invoices((0..random.i64(0..4)).map(|_| (id, random.i64(0..2_000)))));
    }
    shop
}

#[tokio::test]
async fn the_page_of_a_review_has_the_numbers_of_the_database() {
    for seed in 0..8 {
        let shop = shop(&mut fastrand::Rng::with_seed(seed));
        let engine = shop.engine("one");
        let told = Told::of(engine.survey_all()).await;
        let (page, plans) = page(&engine).await;
        let html = page.to_html(Language::English, engine.policy(), now()).unwrap();
        let counts = told.counts.clone().unwrap();

        let runs = table(&html, "What would be done");
        assert_eq!(sum(&runs, 4), told.due.len() as u64, "seed {seed}");
        let list = told.due.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let free = format!(
            "SELECT (SELECT count(*) FROM customers WHERE id IN ({list}))
                + (SELECT count(*) FROM invoices WHERE customer_id IN ({list}) AND dated < '{}')",
            now().date_naive() - chrono::Months::new(36)
        );
        let in_database =
            |sql: &str| u64::try_from(crate::hosts::sum(&shop.path("shop.sqlite"), sql)).unwrap();
        assert_eq!(sum(&runs, 5), in_database(&free), "seed {seed}: {runs:?}");
        let stays = table(&html, "What stays of those who are due");
        let kept = format!(
            "SELECT count(*) FROM invoices WHERE customer_id IN ({list}) AND dated >= '{}'",
            now().date_naive() - chrono::Months::new(36)
        );
        assert_eq!((&*stays[0][0], sum(&stays, 4)), ("invoice", in_database(&kept)), "seed {seed}");
        assert!(stays[0][1].contains("books: a law on books"), "{stays:?}");
        let of_tenants = table(&html, "By tenant");
        assert_eq!((sum(&of_tenants, 1), sum(&of_tenants, 2)), (60, told.due.len() as u64));
        let blocked = table(&html, "Blocked");
        assert_eq!(sum(&blocked, 2), told.blocked.len() as u64, "seed {seed}: {blocked:?}");
        let unreadable = table(&html, "Facts that cannot be read");
        assert_eq!(sum(&unreadable, 1), told.unreadable.len() as u64, "seed {seed}");
        let months = table(&html, "The coming months");
        assert_eq!(sum(&months, 1), counts.due + counts.not_yet, "seed {seed}: each of them within a year");
        let oldest = counts.oldest.unwrap();
        assert!(html.contains(&oldest.format("%-d %B %Y").to_string()), "seed {seed}: {oldest}");

        let review = Review::new(plans.iter().map(ReviewedPlan::of));
        assert_eq!(page.digest(), review.digest());
        assert!(html.contains(&review.digest().to_string()));
    }
}

#[tokio::test]
async fn the_page_of_a_review_names_nobody_and_is_whole_in_every_language() {
    let shop = shop(&mut fastrand::Rng::with_seed(1));
    shop.sql("PRAGMA foreign_keys = OFF; UPDATE customers SET id = id + 700000; UPDATE invoices SET customer_id = customer_id + 700000");
    let engine = shop.engine("one");
    let (page, _) = page(&engine).await;
    let in_english = page.to_html(Language::English, engine.policy(), now()).unwrap();
    let english: BTreeSet<&str> = texts(&in_english).into_iter().filter(|text| is_prose(text)).collect();
    assert!(english.len() > 20, "{english:?}");
    for (language, title) in [
        (Language::English, "Review before an erasure"),
        (Language::Swedish, "Granskning före radering"),
        (Language::German, "Prüfung vor der Löschung"),
    ] {
        let html = page.to_html(language, engine.policy(), now()).unwrap();
        if let Some(folder) = std::env::var_os("RELINQUISH_PAGES") {
            std::fs::write(std::path::Path::new(&folder).join(format!("review.{language}.html")), &html)
                .unwrap();
        }
        assert_balanced(&html);
        let body = html.split_once("</style>").unwrap().1;
        assert!(
            body.contains(&format!("<h1>{title}</h1>")) && body.contains("<rect class=\"bar\""),
            "{language}"
        );
        assert!(!body.contains('{'), "{language}: something was not filled in");
        if language != Language::English {
            // A page speaks one language. What the policy says itself stands as the policy says it.
            let of_page = |text: &&str| english.contains(text) && !text.contains("a law on books");
            let foreign: Vec<_> = texts(&html).into_iter().filter(of_page).collect();
            assert!(foreign.is_empty(), "{language}: {foreign:?}");
        }
        for never in ["Maud", "shop.test", "7000", "<script", "http:", "https:", "url("] {
            assert!(!html.contains(never), "{language}: {never}");
        }
    }
}

/// Two bugs. The page named one law for the records of all tenants, though the duty of one name has another law for
/// another tenant. And a field that is kept for a time had no end.
#[tokio::test]
async fn what_stays_is_told_by_law_and_with_its_end() {
    let mut shop = Shop::new([]);
    shop.insert(1, "north", Some(100));
    shop.insert(2, "south", Some(100));
    shop.sql(&invoices([(1, 10), (2, 10), (2, 20)].into_iter()));
    let books = |law: &str| {
        format!(
            "[tenants.south.duties.books]\nclasses = ['invoice']\nperiod = '9 years'\nstart = 'record_date'\n\
             law = '{law}'\nground = '17(3)(b)'\nfrom = 'dated'\nneeds = []\n"
        )
    };
    shop.policy = shop.policy.replace(
        "customer = \"anonymise\"",
        "customer = { action = \"anonymise\", keep = { name = { reason = \"counted\", for = \"2 years\" } } }",
    ) + &books("a southern law");
    let engine = shop.engine("one");
    let (page, _) = page(&engine).await;
    let html = page.to_html(Language::English, engine.policy(), now()).unwrap();
    let stays = table(&html, "What stays of those who are due");
    let of = |law: &str| stays.iter().find(|row| row[1].contains(law)).unwrap_or_else(|| panic!("{stays:?}"));
    assert_eq!((&*of("a law on books")[4], &*of("a southern law")[4]), ("1", "2"));
    assert!(
        of("a law on books")[2].contains("2029") && of("a southern law")[2].contains("2035"),
        "{stays:?}"
    );
    assert_eq!(of("counted")[2], "2 years after the erasure");
}

#[tokio::test]
async fn a_page_without_anybody_due_says_so() {
    let shop = Shop::new([None, None]);
    let engine = shop.engine("one");
    let (page, plans) = page(&engine).await;
    assert!(plans.is_empty());
    let html = page.to_html(Language::English, engine.policy(), now()).unwrap();
    assert!(html.contains("0 of 2 customers are due") && html.contains("The plans keep nothing."));
    assert!(html.contains("Nobody becomes due in the coming twelve months."), "{html}");
    assert!(!html.contains("Digest of all plans"), "there is nothing to approve");
}

/// A small share is not shown as zero, and customers who become due after more than a year are counted.
#[tokio::test]
async fn small_shares_and_late_months_are_told() {
    let shop = Shop::new((0..1_200).map(|n| (n == 0).then_some(100)));
    shop.insert(1_201, "north", Some(-400));
    let engine = shop.engine("one");
    let (page, _) = page(&engine).await;
    let html = page.to_html(Language::German, engine.policy(), now()).unwrap();
    assert!(html.contains("1 von 1.201 Kunden"), "{html}");
    assert!(html.contains("&lt; 0,1 %") && html.contains("Danach: 1."), "{html}");
    assert!(day(-400) + TimeDelta::days(90) > day(-365));
}

/// The bug: the reason of a record that cannot be read names the record's key, and the page showed a line for each.
#[tokio::test]
async fn records_that_cannot_be_read_are_one_line_without_their_keys() {
    let shop = Shop::new([Some(100)]);
    let engine = shop.engine("one");
    let (mut page, _) = page(&engine).await;
    for key in ["order 700123", "order 700124"] {
        let by = BlockedBy {
            guard: None,
            why: format!("{key} cannot be read").into(),
            ground: None,
            way_out: "mend the record".into(),
            data: [].into(),
            hold: None,
        };
        let blocked = Blocked { trigger: None, since: None, by: vec![by], deferred: [].into() };
        page.add(&SweepEvent::Blocked {
            customer: "1".into(),
            tenant: "north".into(),
            blocked: Box::new(blocked),
        });
    }
    for language in Language::ALL {
        let html = page.to_html(language, engine.policy(), now()).unwrap();
        assert!(!html.contains("7001") && !html.contains("cannot be read</td>"), "{language}: {html}");
    }
    let html = page.to_html(Language::English, engine.policy(), now()).unwrap();
    let blocked = table(&html, "Blocked");
    assert_eq!((blocked.len(), &*blocked[0][2]), (1, "2"), "{blocked:?}");
    assert!(blocked[0][1].starts_with("a fact or a record has to be corrected"), "{blocked:?}");
}
