//! A review of plans is written as CSV, read back strictly, and carried out exactly as confirmed.

use chrono::TimeDelta;
use relinquish::data_map::Kind;
use relinquish::engine::{Sweep, SweepEvent};
use relinquish::ledger::Ledger as _;
use relinquish::plan::MandateKind;
use relinquish::plan::review::{ApprovedReview, Column, Review, ReviewCsv};
use relinquish::{Approval, Engine, Plan};

use super::sweeping::{Shop, Told, invoices, now};

async fn due(mut survey: Sweep) -> Vec<Plan> {
    let mut plans = Vec::new();
    while let Some(event) = survey.next().await {
        if let SweepEvent::Due(plan) = event.unwrap() {
            plans.push(*plan);
        }
    }
    plans
}

async fn written(engine: &Engine, csv: &ReviewCsv) -> String {
    let plans = due(engine.survey_all()).await;
    format!("{}{}", csv.header(), engine.review_lines(csv, &plans).await.unwrap())
}

fn approved(review: Review) -> ApprovedReview {
    let digest = review.digest();
    review.approve(Approval::new("operator-7", ["north".into()], digest, now(), TimeDelta::hours(1))).unwrap()
}

#[tokio::test]
async fn exactly_what_was_confirmed_is_erased() {
    let shop = Shop::new((0..8).map(|n| Some(100 + n)));
    shop.sql(&invoices([(1, 5_000), (2, 10)]));
    let engine = shop.engine("one");
    let text = written(&engine, &engine.review_csv(Column::plain()).unwrap()).await;
    let whole = Review::from_csv(text.as_bytes()).unwrap();
    assert_eq!(whole.plans().len(), 8);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // Customer 3 is struck out by deleting the row, customer 5 by a mark, and a spreadsheet has sorted the other
    // rows.
    lines.remove(3);
    assert!(lines[4].starts_with(",5,"), "{}", lines[4]);
    lines[4].insert(0, 'x');
    lines[1..].reverse();
    let text = lines.join("\r\n");
    let review = Review::from_csv(text.as_bytes()).unwrap();
    assert_ne!(review.digest(), whole.digest());
    let told = Told::of(engine.sweep(approved(review.clone()))).await;
    let mut closed = told.closed.clone();
    closed.sort_unstable();
    assert_eq!((closed, shop.named()), (vec![1, 2, 4, 6, 7, 8], vec![3, 5]), "{told:?}");
    let entries = shop.ledger().entries(0, 100).await.unwrap();
    let mandates: Vec<_> =
        entries.iter().filter_map(|entry| entry.closed()).map(|case| &case.under().mandate).collect();
    assert_eq!(mandates.len(), 6);
    let digest = review.digest();
    assert!(mandates.iter().all(|mandate| **mandate == MandateKind::Review { digest }), "{mandates:?}");
    // The approval is used.
    let again = Told::of(engine.sweep(approved(review))).await;
    assert!(again.closed.is_empty() && again.left.len() == 6, "{again:?}");
}

#[tokio::test]
async fn whoever_has_changed_since_the_review_is_left() {
    let shop = Shop::new((0..4).map(|n| Some(100 + n)));
    shop.sql(&invoices([(3, 1_090)]));
    let engine = shop.engine("one");
    let text = written(&engine, &engine.review_csv([]).unwrap()).await;
    shop.sql("UPDATE customers SET status = 'active' WHERE id = 1; UPDATE customers SET held = 'legal_claim' WHERE id = 2");
    // A duty ends, so more would be erased than was confirmed.
    shop.clock.turn(TimeDelta::days(20));
    let review = Review::from_csv(text.as_bytes()).unwrap();
    let digest = review.digest();
    let approval =
        Approval::new("operator-7", ["north".into()], digest, shop.clock.now(), TimeDelta::hours(1));
    let told = Told::of(engine.sweep(review.approve(approval).unwrap())).await;
    assert_eq!((&told.closed, shop.named()), (&vec![4], vec![1, 2, 3]));
    assert!(told.why(3).contains("something changed since"), "{}", told.why(3));
}

#[tokio::test]
async fn a_row_that_is_not_as_it_was_written_is_refused_with_its_line() {
    let shop = Shop::new((0..3).map(|n| Some(100 + n)));
    let engine = shop.engine("one");
    let text = written(&engine, &engine.review_csv([Column::Trigger, Column::Since]).unwrap()).await;
    let other = written(&engine, &engine.review_csv([Column::Trigger, Column::Since]).unwrap()).await;
    let lines: Vec<&str> = text.lines().collect();
    let with = |line: &str| [lines[0], lines[1], line, lines[3]].join("\n");
    let second = lines[2];
    let plan = |line: &str| line.split(',').nth(6).unwrap().to_owned();
    for (changed, says) in [
        (with(&second.replace(",2,", ",4,")), "line 3, column row"),
        (with(&second.replace("north", "south")), "line 3, column row"),
        (with(&second.replace("cancelled", "deleted")), "line 3, column row"),
        (with(&second.replace("'2026", "2026")), ""),
        (with(&second.replace("'2026-", "21.11.")), "line 3, column row"),
        (with(&second.replace(&plan(second), &plan(lines[1]))), "line 3, column row"),
        (with(lines[1]), "line 3, column customer: is there twice"),
        (with(other.lines().nth(2).unwrap()), "line 3, column review: is another one"),
        (with(&format!("y{second}")), "line 3, column strike_out: is not x"),
        (with(&second.replacen(',', ",,", 1)), "line 3, column row: the line has another number of cells"),
        (with(",9,north,cancelled,,,00,00,1,00"), "line 3, column plan: is no digest"),
        (text.replace(",plan,", ",plam,"), "line 1, column plan: is missing; did you mean plam?"),
        (lines[0].to_owned(), "the file: the review has no row"),
        (with(&format!("x{second}")).replace("\n,", "\nx,"), "every row of the review is struck out"),
        (String::new(), "line 1, column strike_out: is missing"),
    ] {
        let read = Review::from_csv(changed.as_bytes());
        if says.is_empty() {
            assert_eq!(read.unwrap().plans().len(), 3, "an apostrophe that a spreadsheet took away");
            continue;
        }
        let problems = read.expect_err(says).to_string();
        assert!(problems.contains(says), "{problems}\n{changed}");
        assert!(!problems.contains("Maud"), "{problems}");
    }
    assert!(Review::from_csv(b"\xff\xfe,\n").is_err());
}

/// Every change of one character in a cell that the digest covers is noticed, or has no effect.
#[tokio::test]
async fn no_change_of_a_single_character_goes_unnoticed() {
    let shop = Shop::new((0..2).map(|n| Some(100 + n)));
    let engine = shop.engine("one");
    let text = written(&engine, &engine.review_csv(Column::plain()).unwrap()).await;
    let whole = Review::from_csv(text.as_bytes()).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let (mut refused, mut same) = (0, 0);
    for _ in 0..3_000 {
        let mut changed: Vec<char> = text.chars().collect();
        let at = random.usize(..changed.len());
        match random.u8(..3) {
            0 => drop(changed.remove(at)),
            1 => changed.insert(at, random.char('!'..'z')),
            _ => changed[at] = random.char('!'..'z'),
        }
        let changed: String = changed.into_iter().collect();
        match Review::from_csv(changed.as_bytes()) {
            Err(_) => refused += 1,
            Ok(review) => {
                assert!(
                    review.digest() == whole.digest() || review.plans().len() < 2,
                    "{changed}\nis read as it was not written"
                );
                assert!(review.plans().iter().all(|plan| whole.plans().contains(plan)), "{changed}");
                same += 1;
            }
        }
    }
    assert!(refused > 2_000 && same > 10, "{refused} refused, {same} the same");
}

#[tokio::test]
async fn a_spreadsheet_runs_nothing_and_personal_values_are_there_only_if_asked_for() {
    let shop = Shop::new([Some(100), Some(100)]);
    shop.sql(
        "UPDATE customers SET name = '=HYPERLINK(\"http://x\"; \"y\")', email = '@SUM(1)' WHERE id = 1;
         UPDATE customers SET name = 'Ünal, \"Ö\"' WHERE id = 2",
    );
    let engine = shop.engine("one");
    let plain = written(&engine, &engine.review_csv(Column::plain()).unwrap()).await;
    for value in ["HYPERLINK", "SUM(1)", "Ünal"] {
        assert!(!plain.contains(value), "{plain}");
    }
    let columns = ["personal.name", "personal.email"].map(|name| name.parse::<Column>().unwrap());
    assert_eq!(columns[0], Column::Personal(Kind::Name));
    let csv = engine.review_csv(columns).unwrap();
    assert!(csv.is_personal());
    for csv in [csv.clone(), csv.clone().with_semicolons(), csv.with_semicolons().with_byte_order_mark()] {
        let text = written(&engine, &csv).await;
        assert!(text.contains("'=HYPERLINK") && text.contains("'@SUM(1)"), "{text}");
        assert!(!text.contains(",=") && !text.contains(";=") && !text.contains("\"="), "{text}");
        let review = Review::from_csv(text.as_bytes()).unwrap();
        assert_eq!(review.plans().len(), 2);
        assert_eq!(review.digest(), Review::from_csv(plain.as_bytes()).unwrap().digest(), "the same plans");
        // No digest contains a personal value. So personal values may be removed before the file is passed on.
        let blackened = text.replace("Ünal", "####");
        assert_eq!(Review::from_csv(blackened.as_bytes()).unwrap().digest(), review.digest());
    }
    let error = "personal.emial".parse::<Column>().unwrap_err();
    assert!(error.to_string().contains("did you mean email?"), "{error}");
    assert!("since_when".parse::<Column>().unwrap_err().to_string().contains("since"));
}
