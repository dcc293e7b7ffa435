//! The sweep goes through all customers of the store, page by page, under a standing approval.

use chrono::TimeDelta;
use futures_util::StreamExt as _;
use relinquish::customer::HoldGround;
use relinquish::engine::{NewHold, SweepEnd, SweepEvent, SweepPlace};
use relinquish::plan::{Authority, Limits, StandingApproval};
use relinquish::policy::Trigger;
use relinquish::{Approval, Asked, CustomerId, Error, Outcome, Planned};

use super::sweeping::{Shop, Told, day, invoices, now};
use crate::hosts::ResumeAll as _;

fn wide() -> Limits {
    Limits::new(1_000, 1_000)
}

#[tokio::test]
async fn a_sweep_erases_who_is_due_and_tells_of_everybody() {
    let shop = Shop::new([Some(100), Some(10), None, Some(400), Some(91), Some(95)]);
    shop.sql("UPDATE customers SET held = 'legal_claim' WHERE id = 4; UPDATE customers SET cancelled_at = 'soon' WHERE id = 6");
    let engine = shop.engine("one");
    let told = Told::of(engine.sweep(shop.standing(&engine, wide()))).await;
    assert_eq!((&told.due, &told.closed), (&vec![1, 5], &vec![1, 5]), "the one that waits longest first");
    assert_eq!(told.not_yet, [(2, day(10) + TimeDelta::days(90))]);
    assert_eq!(told.blocked, [(4, Some(day(400) + TimeDelta::days(90)))], "overdue, and since when");
    assert_eq!(told.unreadable, [6]);
    let counts = told.counts.clone().unwrap();
    assert_eq!((counts.customers, counts.due, counts.not_yet, counts.nothing), (6, 2, 1, 1));
    assert_eq!((counts.blocked, counts.unreadable), (1, 1));
    assert_eq!(counts.oldest, Some(day(100) + TimeDelta::days(90)));
    assert_eq!(counts.months.values().sum::<u64>(), 1);
    assert!(told.is_complete() && told.left.is_empty(), "{told:?}");
    assert_eq!(shop.named(), [2, 3, 4, 6]);
    let again = Told::of(engine.sweep(shop.standing(&engine, wide()))).await;
    assert!(again.due.is_empty() && again.is_complete(), "{again:?}");
}

/// For every customer, the quick survey gives the same decision as a plan for this customer.
#[tokio::test]
async fn a_survey_says_of_everybody_what_planning_each_says() {
    let shop = Shop::new((0..40).map(|n| (n % 4 != 0).then_some(60 + n)));
    shop.sql("UPDATE customers SET held = 'restriction' WHERE id % 7 = 0; UPDATE customers SET cancelled_at = NULL WHERE id % 11 = 0");
    // A quarter of the customers have invoices, and some of the invoices are under a duty.
    shop.sql(&invoices((1..=40).filter(|id| id % 4 == 1).flat_map(|id| [(id, 1_050 + id), (id, 3_000)])));
    let engine = shop.engine("one");
    for later in [0, 20, 60, 400, 2_000] {
        shop.clock.turn(TimeDelta::days(later));
        let before = shop.named();
        let told = Told::of(engine.survey_all()).await;
        assert_eq!(shop.named(), before, "a survey touches nothing");
        let ids: Vec<i64> = (1..=40).collect();
        let customers: Vec<CustomerId> = ids.iter().map(|id| CustomerId::new(id.to_string())).collect();
        let planned = engine.plan_batch(&customers, &Asked::Sweep).await.unwrap();
        let (mut due, mut not_yet, mut blocked, mut nothing) = (vec![], vec![], vec![], 0);
        for (id, planned) in ids.iter().zip(planned) {
            match planned.unwrap() {
                Planned::Plan(_) => due.push(*id),
                Planned::NotYet(on) => not_yet.push((*id, on.until)),
                Planned::Refused(by) => blocked.push((*id, by.since)),
                Planned::Nothing(_) => nothing += 1,
            }
        }
        assert_eq!((told.due, told.blocked), (due, blocked), "after {later} days");
        let mut told_not_yet = told.not_yet;
        told_not_yet.sort_unstable();
        assert_eq!((told_not_yet, told.counts.unwrap().nothing), (not_yet, nothing), "after {later} days");
        if later == 60 {
            let swept = Told::of(engine.sweep(shop.standing(&engine, wide()))).await;
            assert!(!swept.closed.is_empty());
        }
    }
}

#[tokio::test]
async fn what_a_duty_has_released_is_found_long_after_the_erasure() {
    let shop = Shop::new([Some(100), None]);
    shop.sql(&invoices([(1, 1_000), (1, 20)]));
    let engine = shop.engine("one");
    assert_eq!(Told::of(engine.sweep(shop.standing(&engine, wide()))).await.closed, [1]);
    let kept = "SELECT count(*) FROM invoices WHERE billing_name LIKE 'Maud%'";
    let kept = || crate::hosts::sum(&shop.path("shop.sqlite"), kept);
    assert_eq!(kept(), 2, "the duty keeps both");
    let told = Told::of(engine.sweep(shop.standing(&engine, wide()))).await;
    assert_eq!((told.due.len(), told.not_yet.len()), (0, 1), "the day on which the first one is free");
    shop.clock.turn(TimeDelta::days(200));
    assert_eq!(Told::of(engine.sweep(shop.standing(&engine, wide()))).await.closed, [1]);
    assert_eq!(kept(), 1);
    shop.clock.turn(TimeDelta::days(1_000));
    assert_eq!(Told::of(engine.sweep(shop.standing(&engine, wide()))).await.closed, [1]);
    assert_eq!(kept(), 0);
    let told = Told::of(engine.sweep(shop.standing(&engine, wide()))).await;
    assert_eq!(told.counts.unwrap().nothing, 2, "nobody is treated twice");
}

/// No trigger applies to a customer who asked but never cancelled. Only the ledger knows that a duty deferred
/// something.
#[tokio::test]
async fn what_a_duty_has_released_of_a_request_is_found_where_no_trigger_applies() {
    let shop = Shop::new([None, None]);
    shop.sql(&invoices([(1, 1_000)]));
    let engine = shop.engine("one");
    let plan = crate::hosts::plan(&engine, &"1".into(), &Asked::request()).await;
    let (digest, hour) = (plan.digest(), TimeDelta::hours(1));
    let approval = Approval::new("operator-7", ["north".into()], digest, now(), hour);
    let outcome = engine.erase(plan.approve(approval).unwrap()).await.unwrap();
    assert!(outcome.certificate().is_some(), "{outcome}");
    let told = Told::of(engine.survey_all()).await;
    assert_eq!(
        (told.due.len(), told.not_yet.len()),
        (0, 1),
        "the day on which the invoice is free: {told:?}"
    );
    shop.clock.turn(TimeDelta::days(200));
    let told = Told::of(engine.sweep(shop.standing(&engine, wide()))).await;
    assert_eq!(told.closed, [1], "{told:?}");
    let told = Told::of(engine.sweep(shop.standing(&engine, wide()))).await;
    assert_eq!(told.counts.unwrap().nothing, 2);
}

#[tokio::test]
async fn a_sweep_that_is_stopped_at_any_event_goes_on_and_erases_everybody_once() {
    let ago = || (0..25).map(|n| (n % 3 != 0).then_some(95 + n));
    let due = ago().flatten().count();
    let mut stopped_in = (0, 0);
    for at in 0.. {
        let mut shop = Shop::new(ago());
        shop.batch = 4;
        let engine = shop.engine("one");
        let standing = shop.standing(&engine, wide());
        let mut sweep = engine.sweep(standing.clone());
        let handle = sweep.stop_handle();
        let (mut told, mut heard) = (Told::default(), 0);
        while let Some(event) = sweep.next().await {
            if heard == at {
                handle.stop();
            }
            heard += 1;
            told.hear(event.unwrap());
        }
        let closed = told.closed.len();
        let Some(SweepEnd::Stopped(place)) = told.end.clone() else {
            assert!(told.is_complete());
            assert_eq!(closed, due, "everything was done before it was stopped");
            break;
        };
        if told.counts.is_none() {
            stopped_in.0 += 1;
        } else {
            stopped_in.1 += 1;
        }
        // Another process goes on.
        let text = serde_json::to_string(&*place).unwrap();
        let place: SweepPlace = serde_json::from_str(&text).unwrap();
        drop(engine);
        let engine = shop.engine("two");
        let rest = Told::of(engine.sweep_from(place, standing)).await;
        assert!(rest.is_complete() && rest.left.is_empty(), "at {at}: {rest:?}");
        assert_eq!(closed + rest.closed.len(), due, "at {at}");
        assert_eq!(shop.erasures().await, due, "at {at}: once each");
    }
    assert!(stopped_in.0 > 3 && stopped_in.1 > 3, "in the survey and in the run: {stopped_in:?}");
}

#[tokio::test]
async fn a_sweep_that_is_dropped_at_any_event_leaves_nothing_undone_for_the_next() {
    let due = 18;
    for at in (0..120).step_by(3) {
        let mut shop = Shop::new((0..due).map(|n| Some(95 + n)));
        shop.batch = 3;
        let engine = shop.engine("one");
        let standing = shop.standing(&engine, wide());
        let mut sweep = engine.sweep(standing.clone()).boxed();
        for _ in 0..=at {
            if sweep.next().await.is_none() {
                break;
            }
        }
        drop(sweep);
        drop(engine);
        let engine = shop.engine("one");
        for outcome in engine.resumed().await {
            assert!(matches!(outcome, Outcome::Erased(_)), "at {at}: {outcome}");
        }
        let rest = Told::of(engine.sweep(standing)).await;
        assert!(rest.is_complete() && rest.left.is_empty(), "at {at}: {rest:?}");
        assert!(shop.named().is_empty(), "at {at}");
        assert_eq!(shop.erasures().await, usize::try_from(due).unwrap(), "at {at}: once each");
    }
}

#[tokio::test]
async fn a_policy_that_was_changed_in_between_supersedes_what_has_not_begun() {
    let mut shop = Shop::new((0..12).map(|n| Some(95 + n)));
    shop.batch = 2;
    let engine = shop.engine("one");
    let standing = shop.standing(&engine, wide());
    let mut sweep = engine.sweep(standing.clone());
    let (handle, mut told) = (sweep.stop_handle(), Told::default());
    while let Some(event) = sweep.next().await {
        let event = event.unwrap();
        if matches!(event, SweepEvent::Closed { .. }) {
            handle.stop();
        }
        told.hear(event);
    }
    let Some(SweepEnd::Stopped(place)) = told.end.clone() else { panic!("{told:?}") };
    let (before, left) = (shop.named(), place.remaining());
    assert_eq!(before.len(), left);
    assert!((1..12).contains(&left), "{left}");
    drop(engine);
    shop.policy = shop.policy.replace("90 days", "98 days");
    let engine = shop.engine("one");
    let rest = Told::of(engine.sweep_from((*place).clone(), standing)).await;
    assert_eq!(shop.named(), before, "the old approval covers nothing of the new policy");
    assert!(!rest.left.is_empty() && rest.closed.is_empty(), "{rest:?}");
    assert!(rest.left.iter().all(|left| left.why.to_string().contains("the policy is another one")));
    assert!(!rest.not_yet.is_empty(), "they were surveyed again, under the new period");
    let rest = Told::of(engine.sweep_from(*place, shop.standing(&engine, wide()))).await;
    assert!(rest.is_complete() && rest.left.is_empty(), "{rest:?}");
    assert_eq!(shop.named(), rest.not_yet.iter().map(|(id, _)| *id).collect::<Vec<_>>());
}

/// A position from a survey has no customers to erase. A sweep that starts there must not miss the customers of the
/// earlier pages.
#[tokio::test]
async fn a_place_of_another_mandate_begins_anew() {
    let mut shop = Shop::new((0..9).map(|n| Some(100 + n)));
    shop.batch = 3;
    let engine = shop.engine("one");
    let mut survey = engine.survey_all();
    let (handle, mut told) = (survey.stop_handle(), Told::default());
    while let Some(event) = survey.next().await {
        handle.stop();
        told.hear(event.unwrap());
    }
    let Some(SweepEnd::Stopped(place)) = told.end else { panic!("{told:?}") };
    let rest = Told::of(engine.survey_from((*place).clone())).await;
    assert_eq!((told.due.len() + rest.due.len(), rest.pages), (9, 3), "the survey goes on: {rest:?}");
    let swept = Told::of(engine.sweep_from(*place, shop.standing(&engine, wide()))).await;
    assert_eq!(swept.closed.len(), 9, "{swept:?}");
}

#[tokio::test]
async fn a_hold_that_comes_late_a_return_and_new_rows_are_heeded() {
    let mut shop = Shop::new((0..12).map(|n| Some(100 + n)));
    shop.batch = 3;
    let engine = shop.engine("one");
    let mut sweep = engine.sweep(shop.standing(&engine, wide()));
    let mut told = Told::default();
    while let Some(event) = sweep.next().await {
        let event = event.unwrap();
        if matches!(event, SweepEvent::Counted(_)) {
            shop.sql("UPDATE customers SET held = 'legal_claim' WHERE id = 2");
            shop.sql(
                "UPDATE customers SET status = 'active' WHERE id = 5; DELETE FROM customers WHERE id = 7",
            );
            shop.insert(20, "north", Some(500));
        }
        told.hear(event);
    }
    assert!(told.is_complete());
    assert_eq!(shop.named(), [2, 5, 20], "who was inserted is for the next sweep");
    assert!(told.why(2).contains("legal"), "{}", told.why(2));
    assert!(told.why(5).contains("nothing to do"), "{}", told.why(5));
    assert!(told.why(7).contains("no such customer"), "{}", told.why(7));
    let next = Told::of(engine.sweep(shop.standing(&engine, wide()))).await;
    assert_eq!((next.closed, next.blocked.len()), (vec![20], 1));
}

/// Rows are added while pages are read. No customer who existed before is missed.
#[tokio::test]
async fn rows_that_are_inserted_meanwhile_hide_nobody() {
    let mut shop = Shop::new([]);
    shop.batch = 4;
    (0..30).for_each(|n| shop.insert(n * 10, "north", Some(100)));
    let engine = shop.engine("one");
    let (mut sweep, mut told, mut n) = (engine.survey_all(), Told::default(), 0);
    while let Some(event) = sweep.next().await {
        let event = event.unwrap();
        if matches!(event, SweepEvent::Surveyed(_)) {
            n += 1;
            shop.insert(n * 7 + 1_000 * (n % 2), "north", Some(100));
            shop.sql(&format!("DELETE FROM customers WHERE id = {}", n * 40 - 10));
        }
        told.hear(event);
    }
    for id in (0..30).map(|n| n * 10).filter(|id| id % 40 != 30) {
        assert_eq!(told.due.iter().filter(|due| **due == id).count(), 1, "{id}");
    }
}

#[tokio::test]
async fn the_switch_of_a_tenant_holds_and_other_tenants_are_left() {
    let mut shop = Shop::new([Some(100)]);
    shop.insert(2, "south", Some(100));
    shop.insert(3, "west", Some(100));
    shop.policy.push_str("[tenants.south]\nsweep = false\n");
    let engine = shop.engine("one");
    let told = Told::of(engine.sweep(shop.standing(&engine, wide()))).await;
    assert_eq!((&told.due, &told.closed, told.left()), (&vec![1, 3], &vec![1], vec![3]));
    assert!(told.why(3).contains("no authority over tenant west"), "{}", told.why(3));
    assert_eq!(told.counts.unwrap().nothing, 1, "the switch of south is off");
    // A policy for a tenant without customers is probably a spelling error, so nobody is touched.
    shop.insert(4, "north", Some(100));
    shop.policy.push_str("[tenants.noorth]\nsweep = false\n");
    let engine = shop.engine("one");
    let mut sweep = engine.sweep(shop.standing(&engine, wide()));
    let mut error = None;
    while let Some(event) = sweep.next().await {
        error = event.err();
    }
    assert!(matches!(error, Some(Error::NoSuchTenant(_))), "{error:?}");
    assert!(sweep.next().await.is_none(), "and stays at its end");
    assert_eq!(shop.named(), [2, 3, 4]);
}

#[tokio::test]
async fn no_standing_approval_covers_a_request() {
    let shop = Shop::new([Some(10)]);
    let engine = shop.engine("one");
    let plan = crate::hosts::plan(&engine, &"1".into(), &Asked::request()).await;
    let by = Authority::new("operator-7", ["north".into()]);
    let triggers = [Trigger::Requested, Trigger::Cancelled];
    let standing = StandingApproval::new(&by, engine.policy(), triggers, wide(), now(), TimeDelta::days(1));
    let refused = standing.admit(vec![plan]).unwrap_err();
    assert!(refused.to_string().contains("a person has to approve it"), "{refused}");
}

/// The worker sweeps once a day. After missed days it sweeps once, and it reports when it is not allowed to sweep.
#[tokio::test]
async fn a_worker_sweeps_every_day_under_a_standing_approval() {
    // The second customer is due in three days, the third in thirty.
    let shop = Shop::new([Some(100), Some(87), Some(60)]);
    let engine = shop.engine("one");
    let in_an_hour = now() + TimeDelta::hours(1);
    let mut worker = engine.worker().sweep_daily(in_an_hour, shop.standing(&engine, wide()));
    let swept = async |worker: &mut relinquish::engine::Worker| {
        let turned = worker.turn().await.unwrap();
        (turned.swept, turned.ended)
    };
    assert_eq!(swept(&mut worker).await, (0, 0), "it is too early");
    shop.clock.turn(TimeDelta::hours(1));
    assert_eq!(swept(&mut worker).await, (1, 1));
    assert_eq!(shop.named(), [2, 3]);
    shop.clock.turn(TimeDelta::hours(23));
    assert_eq!(swept(&mut worker).await, (0, 0), "once a day");
    shop.clock.turn(TimeDelta::days(5));
    assert_eq!(swept(&mut worker).await, (1, 1), "what was missed is made up for once");
    assert_eq!(swept(&mut worker).await, (0, 0));
    assert_eq!(shop.named(), [3]);
    // The worker is stopped. The sweep begins again in the next turn, and a worker that does not run does nothing.
    shop.clock.turn(TimeDelta::days(30));
    engine.worker().sweep_daily(now(), shop.standing(&engine, wide())).run(std::future::ready(())).await;
    assert_eq!(shop.named(), [3]);
    assert_eq!(swept(&mut worker).await, (1, 1));
    // With an expired standing approval nobody is touched, and there is one error a day.
    shop.insert(9, "north", Some(200));
    shop.clock.turn(TimeDelta::days(400));
    assert!(matches!(worker.turn().await, Err(Error::Approval(_))));
    assert_eq!(swept(&mut worker).await, (0, 0));
    assert!(shop.named().contains(&9));
}

/// The survey sees a hold that an operator placed, and reports the customer as blocked and overdue.
#[tokio::test]
async fn whom_an_operator_holds_is_told_as_blocked() {
    let shop = Shop::new([Some(100), Some(101), Some(10)]);
    let engine = shop.engine("one");
    let by = Authority::new("operator-7", ["north".into(), "south".into()]);
    let hold = NewHold::on_customer("1", HoldGround::LegalClaim, "file-7".parse().unwrap());
    let hold = engine.place_hold(&hold, &by).await.unwrap();
    let told = Told::of(engine.sweep(shop.standing(&engine, wide()))).await;
    assert_eq!((told.due, told.closed), (vec![2], vec![2]));
    assert_eq!(told.blocked, [(1, Some(day(100) + TimeDelta::days(90)))]);
    assert_eq!(shop.named(), [1, 3]);
    engine.lift_hold(&hold.id, &by).await.unwrap();
    let told = Told::of(engine.sweep(shop.standing(&engine, wide()))).await;
    assert_eq!((told.closed, told.blocked), (vec![1], Vec::new()));
}
