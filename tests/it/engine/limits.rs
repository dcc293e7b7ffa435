//! Limits of a run: the limits of a standing approval, the policy's blast radius, and four eyes.

use chrono::TimeDelta;
use futures_util::future::join;
use relinquish::engine::SweepEnd;
use relinquish::ledger::Ledger as _;
use relinquish::plan::review::{Column, Review};
use relinquish::plan::{ApprovalError, Limits};
use relinquish::policy::Trigger;
use relinquish::{Approval, Asked, Engine, Error, Plan, Planned};

use super::sweeping::{Shop, Told, now};

async fn plans(engine: &Engine, customers: &[i64], asked: &Asked) -> Vec<Plan> {
    let ids: Vec<_> = customers.iter().map(|id| id.to_string().into()).collect();
    let planned = engine.plan_batch(&ids, asked).await.unwrap();
    let plan = |planned: Result<Planned, Error>| match planned.unwrap() {
        Planned::Plan(plan) => *plan,
        no_plan => panic!("{no_plan}"),
    };
    planned.into_iter().map(plan).collect()
}

#[tokio::test]
async fn a_run_and_a_day_have_a_limit_and_the_rest_waits() {
    let mut shop = Shop::new((0..30).map(|n| Some(100 + n)));
    shop.batch = 4;
    let engine = shop.engine("one");
    let standing = shop.standing(&engine, Limits::new(7, 10));
    let told = Told::of(engine.sweep(standing.clone())).await;
    assert_eq!((told.closed.len(), told.left.len()), (7, 23), "{told:?}");
    assert!(told.is_complete() && told.left.iter().all(|left| left.why.to_string().contains("a limit")));
    assert_eq!(shop.named(), (1..=23).collect::<Vec<_>>(), "those who wait longest go first");
    assert_eq!(Told::of(engine.sweep(standing.clone())).await.closed.len(), 3, "the rest of the day");
    assert_eq!(Told::of(engine.sweep(standing.clone())).await.closed.len(), 0);
    // For another approval or another day, the count starts again.
    assert_eq!(Told::of(engine.sweep(shop.standing(&engine, Limits::new(2, 2)))).await.closed.len(), 2);
    shop.clock.turn(TimeDelta::days(1));
    assert_eq!(Told::of(engine.sweep(standing.clone())).await.closed.len(), 7);
    // 5 % of 30 customers, rounded up.
    let of_all = shop.standing(&engine, Limits::new(100, 100).share("5 %".parse().unwrap()));
    assert_eq!(Told::of(engine.sweep(of_all)).await.closed.len(), 2);
}

#[tokio::test]
async fn two_processes_on_one_ledger_never_exceed_the_limit_of_a_day() {
    let mut shop = Shop::new((0..40).map(|n| Some(100 + n)));
    shop.batch = 3;
    let (one, two) = (shop.engine("one"), shop.engine("two"));
    let standing = shop.standing(&one, Limits::new(15, 20));
    let (first, second) =
        join(Told::of(one.sweep(standing.clone())), Told::of(two.sweep(standing.clone()))).await;
    let closed = first.closed.len() + second.closed.len();
    assert_eq!(shop.erasures().await, closed);
    // A customer whom both runs wanted counts for both. So the limit is never exceeded, but perhaps not reached.
    assert!((8..=20).contains(&closed), "{closed}");
    let opened = shop
        .ledger()
        .entries(0, usize::MAX)
        .await
        .unwrap()
        .iter()
        .filter(|entry| entry.closed().is_some())
        .count();
    assert!(opened <= 20, "{opened}");
    for engine in [&one, &two, &shop.engine("three")] {
        assert!(
            Told::of(engine.sweep(standing.clone())).await.closed.is_empty(),
            "nothing is left of the day"
        );
    }
    shop.clock.turn(TimeDelta::days(1));
    assert_eq!(Told::of(two.sweep(standing)).await.closed.len(), 15);
}

#[tokio::test]
async fn plans_that_are_executed_under_a_standing_approval_are_counted_too() {
    let shop = Shop::new((0..6).map(|n| Some(100 + n)));
    let engine = shop.engine("one");
    let standing = shop.standing(&engine, Limits::new(3, 4));
    let plans = plans(&engine, &[1, 2, 3, 4, 5, 6], &Asked::Sweep).await;
    let erased = engine.execute(standing.admit(plans[..3].to_vec()).unwrap()).await.unwrap();
    assert_eq!(erased.len(), 3);
    let approved = standing.admit(plans[3..5].to_vec()).unwrap();
    let error = engine.execute(approved.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Approval(ApprovalError::LimitReached { wanted: 2, left: 1 })), "{error}");
    let mut each = engine.execute_each(approved);
    assert!(matches!(each.next().await, Some(Err(Error::Approval(ApprovalError::LimitReached { .. })))));
    assert_eq!(shop.named(), [4, 5, 6], "nothing was touched");
    // A limit by share needs a survey.
    let of_all = shop.standing(&engine, Limits::new(3, 4).share("50 %".parse().unwrap()));
    let error = engine.execute(of_all.admit(plans[3..4].to_vec()).unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::Approval(ApprovalError::LimitReached { left: 0, .. })), "{error}");
}

#[tokio::test]
async fn an_expiry_runs_under_a_standing_approval_that_covers_it() {
    let mut shop = Shop::new([None, None, None]);
    shop.policy.push_str("[expire]\ninvoice = { after = \"duty\", action = \"delete\" }\n");
    shop.sql(&super::sweeping::invoices([(1, 2_000), (2, 2_000), (3, 10)]));
    let engine = shop.engine("one");
    let plan = async || {
        let planned = engine.plan_expiry(["north".into()]).await.unwrap();
        let relinquish::engine::PlannedExpiry::Plan(plan) = planned else { panic!("{planned:?}") };
        *plan
    };
    let standing = shop.standing(&engine, Limits::new(10, 3));
    let refused = standing.admit_expiry(plan().await).unwrap_err();
    assert!(refused.to_string().contains("records that expire"), "{refused}");
    let standing = standing.with_expiries();
    assert_eq!(plan().await.customers(), 2);
    let outcome = engine.expire(&standing.admit_expiry(plan().await).unwrap()).await.unwrap();
    assert_eq!(crate::hosts::touched(&crate::hosts::expired(outcome)), 2);
    shop.sql(&super::sweeping::invoices([(1, 2_000), (2, 2_000)]));
    let error = engine.expire(&standing.admit_expiry(plan().await).unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::Approval(ApprovalError::LimitReached { wanted: 2, left: 1 })), "{error}");
}

#[tokio::test]
async fn a_run_beyond_the_blast_radius_touches_nothing_and_asks() {
    let mut shop = Shop::new((0..10).map(|n| Some(100 + n)));
    (11..=60).for_each(|id| shop.insert(id, "south", None));
    shop.insert(61, "south", Some(100));
    let policy = shop.policy.clone();
    for (line, stops) in [
        ("blast_radius = { customers = 11 }", false),
        ("blast_radius = { customers = 10 }", true),
        ("blast_radius = { share = \"18.03 %\" }", false),
        ("blast_radius = { share = \"16 %\" }", true),
        ("blast_radius = { customers = 100 }\n[tenants.north]\nblast_radius = { customers = 9 }", true),
        ("[tenants.north]\nblast_radius = { share = \"90 %\" }", true),
        ("[tenants.south]\nblast_radius = { customers = 1 }", false),
    ] {
        // The line is a top-level key, so it comes first; a tenant's entry comes last.
        let (first, last) = line
            .split_once("[tenants")
            .map_or((line, String::new()), |(first, rest)| (first, format!("[tenants{rest}\n")));
        shop.policy = format!("{first}\n{policy}{last}");
        let engine = shop.engine("one");
        let mut sweep = engine.sweep(shop.standing(&engine, Limits::new(1_000, 1_000)));
        let mut asked = None;
        while let Some(event) = sweep.next().await {
            match event.unwrap() {
                relinquish::engine::SweepEvent::Running { .. } => break,
                relinquish::engine::SweepEvent::Ended(SweepEnd::Asks(too_far)) => asked = Some(too_far),
                _ => {}
            }
        }
        assert_eq!(asked.is_some(), stops, "{line}: {asked:?}");
        let Some(too_far) = asked else { continue };
        let hits: Vec<_> = too_far.hits.iter().map(|hit| (hit.tenant.as_str(), hit.customers)).collect();
        assert_eq!(hits, [("north", 10), ("south", 1)]);
        assert!(too_far.hits.iter().all(|hit| hit.trigger == Some(Trigger::Cancelled)));
        let text = too_far.to_string();
        assert!(text.contains("10 of tenant north: trigger cancelled, treatment clear"), "{text}");
        assert_eq!(shop.named().len(), 61, "{line}");
    }
}

#[tokio::test]
async fn a_review_beyond_the_blast_radius_asks_until_somebody_says_the_number() {
    let mut shop = Shop::new((0..10).map(|n| Some(100 + n)));
    shop.policy = format!("blast_radius = {{ share = \"50 %\" }}\n{}", shop.policy);
    let engine = shop.engine("one");
    let plans = plans(&engine, &[1, 2, 3, 4, 5, 6], &Asked::Sweep).await;
    let csv = engine.review_csv([Column::Trigger]).unwrap();
    let lines = engine.review_lines(&csv, &plans).await.unwrap();
    let review = Review::from_csv(format!("{}{lines}", csv.header()).as_bytes()).unwrap();
    let approval = Approval::new("operator-7", ["north".into()], review.digest(), now(), TimeDelta::hours(1));
    for (up_to, asks) in [(None, true), (Some(5), true), (Some(6), false)] {
        let approval = up_to.map_or(approval.clone(), |number| approval.clone().up_to(number));
        let told = Told::of(engine.sweep(review.clone().approve(approval).unwrap())).await;
        let asked = matches!(&told.end, Some(SweepEnd::Asks(too_far)) if too_far.exceeded[0].allowed == 5);
        assert_eq!(asked, asks, "{up_to:?}: {told:?}");
        assert_eq!(shop.named().len(), if asks { 10 } else { 4 });
    }
}

#[tokio::test]
async fn whoever_made_a_plan_must_not_approve_it_where_the_policy_says_so() {
    let mut shop = Shop::new([Some(100), Some(100)]);
    shop.policy = format!("four_eyes = true\n{}", shop.policy);
    let engine = shop.engine("one");
    let plan = plans(&engine, &[1], &Asked::request()).await.remove(0);
    let approve = |plan: Plan, by: &str| {
        let approval = Approval::new(by, ["north".into()], plan.digest(), now(), TimeDelta::hours(1));
        plan.approve(approval).unwrap()
    };
    let error = engine.erase(approve(plan.clone(), "op-1")).await.unwrap_err();
    assert!(matches!(error, Error::Approval(ApprovalError::NoPlanner)), "{error}");
    let mine = plan.clone().planned_by("op-1");
    assert_ne!(mine.digest(), plan.digest(), "who planned is part of what is approved");
    assert_eq!(mine.planner(), Some(&"op-1".into()));
    assert!(mine.to_string().contains("planned by op-1"), "{mine}");
    let error = engine.erase(approve(mine.clone(), "op-1")).await.unwrap_err();
    assert!(matches!(error, Error::Approval(ApprovalError::SamePerson { .. })), "{error}");
    assert_eq!(shop.named(), [1, 2]);
    let outcome = engine.erase(approve(mine, "op-2")).await.unwrap();
    assert!(outcome.certificate().is_some(), "{outcome}");
    // A standing approval needs the operator who drafted it.
    let standing = shop.standing(&engine, Limits::new(9, 9));
    for standing in [standing.clone(), standing.clone().drafted_by("operator-7")] {
        let mut sweep = engine.sweep(standing);
        let error = sweep.next().await.unwrap().unwrap_err();
        assert!(error.to_string().contains("four eyes"), "{error}");
    }
    let told = Told::of(engine.sweep(standing.drafted_by("operator-8"))).await;
    assert_eq!(told.closed, [2]);
}
