//! Random histories of a shop, compared with a small model. Customers leave and return, holds are placed and lifted,
//! and days pass. Several processes sweep, stop, die and continue. Reviews are approved late, and policies change.
//!
//! The model has three laws. An erased customer was due and not blocked at that moment. No daily limit is exceeded.
//! Every survey lists all customers who are due or blocked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::{NaiveDate, TimeDelta};
use fastrand::Rng;
use relinquish::engine::{SweepEnd, SweepEvent};
use relinquish::ledger::{Closing, Ledger as _};
use relinquish::plan::review::{Column, Review};
use relinquish::plan::{Authority, Limits, MandateKind, StandingApproval};
use relinquish::policy::Trigger;
use relinquish::{Approval, Engine};

use super::sweeping::{Shop, Told};
use crate::hosts::ResumeAll as _;

/// A customer of the model.
#[derive(Clone, Debug)]
struct Known {
    cancelled: Option<NaiveDate>,
    held: bool,
    erased: bool,
}

/// The shop, and the state of the model.
struct World {
    shop: Shop,
    known: BTreeMap<i64, Known>,
    days: i64,
    /// The number of customers who were erased under a standing approval, by day and by the policy's period, because
    /// another policy needs another approval.
    spent: BTreeMap<(NaiveDate, i64), usize>,
    per_day: u64,
    stopped: Option<Box<relinquish::engine::SweepPlace>>,
    /// The review that was confirmed but not run yet.
    review: Option<Review>,
}

impl World {
    fn new(random: &mut Rng) -> Self {
        let mut shop = Shop::new([]);
        shop.batch = random.usize(1..5);
        let mut world = Self {
            shop,
            known: BTreeMap::new(),
            days: 90,
            spent: BTreeMap::new(),
            per_day: random.u64(2..7),
            stopped: None,
            review: None,
        };
        (0..12).for_each(|_| world.comes(random));
        world
    }

    fn today(&self) -> NaiveDate {
        self.shop.clock.now().date_naive()
    }

    fn comes(&mut self, random: &mut Rng) {
        let id = i64::try_from(self.known.len()).unwrap() + 1;
        self.known.insert(id, Known { cancelled: None, held: false, erased: false });
        self.shop.insert(id, "north", None);
        if random.bool() {
            self.leaves(id, random.i64(0..200));
        }
    }

    fn leaves(&mut self, id: i64, ago: i64) {
        let day = self.today() - TimeDelta::days(ago);
        self.known.get_mut(&id).unwrap().cancelled = Some(day);
        self.shop.sql(&format!(
            "UPDATE customers SET status = 'cancelled', cancelled_at = '{day}' WHERE id = {id}"
        ));
    }

    fn any(&self, random: &mut Rng) -> i64 {
        random.i64(1..=i64::try_from(self.known.len()).unwrap())
    }

    fn due(&self, known: &Known) -> bool {
        let days = TimeDelta::days(self.days);
        !known.erased && known.cancelled.is_some_and(|day| day + days <= self.today())
    }

    fn engine(&mut self, worker: &str) -> Engine {
        self.shop.policy = super::sweeping::POLICY.replace("90 days", &format!("{} days", self.days));
        self.shop.engine(worker)
    }

    /// A random event in the shop.
    fn happens(&mut self, what: usize, random: &mut Rng) {
        match what {
            0 => self.comes(random),
            1 => {
                let id = self.any(random);
                if !self.known[&id].erased {
                    self.leaves(id, random.i64(0..150));
                }
            }
            2 => {
                let id = self.any(random);
                if !self.known[&id].erased {
                    self.known.get_mut(&id).unwrap().cancelled = None;
                    self.shop.sql(&format!("UPDATE customers SET status = 'active' WHERE id = {id}"));
                }
            }
            3 | 4 => {
                let id = self.any(random);
                let known = self.known.get_mut(&id).unwrap();
                if !known.erased {
                    known.held = !known.held;
                    let hold = if known.held { "'legal_claim'" } else { "NULL" };
                    self.shop.sql(&format!("UPDATE customers SET held = {hold} WHERE id = {id}"));
                }
            }
            5 => self.shop.clock.turn(TimeDelta::days(random.i64(0..40))),
            _ => self.days = random.i64(60..120),
        }
    }

    /// A survey, of which a part is confirmed.
    async fn confirms(&mut self, random: &mut Rng) {
        let engine = self.engine("one");
        let csv = engine.review_csv([Column::Since]).unwrap();
        let (mut text, mut survey) = (csv.header(), engine.survey_all());
        while let Some(event) = survey.next().await {
            if let SweepEvent::Due(plan) = event.unwrap()
                && random.u8(0..3) > 0
            {
                text.push_str(&csv.line(&plan, None));
            }
        }
        self.review = Review::from_csv(text.as_bytes()).ok();
    }

    /// Reads which customers were erased and under which mandate, and checks that this was allowed.
    async fn look(&mut self, before: &BTreeMap<i64, Known>, allowed: Option<&BTreeSet<i64>>, history: &str) {
        let named: BTreeSet<i64> = self.shop.named().into_iter().collect();
        let mut gone = 0;
        for (id, known) in &mut self.known {
            if known.erased || named.contains(id) {
                continue;
            }
            known.erased = true;
            gone += 1;
            let was = &before[id];
            assert!(!was.held, "{id} was erased under a hold: {history}");
            assert!(allowed.is_none_or(|allowed| allowed.contains(id)), "{id} was not confirmed: {history}");
        }
        let erased = self.known.values().filter(|known| known.erased).count();
        let entries = self.shop.ledger().entries(0, usize::MAX).await.unwrap();
        let closed: Vec<_> = entries.iter().filter_map(|entry| entry.closed()).collect();
        let of = |case: &&std::sync::Arc<relinquish::ledger::ClosedCase>| {
            matches!(case.closing, Closing::Erased(_))
        };
        assert_eq!(closed.iter().copied().filter(of).count(), erased, "one mandate for each: {history}");
        if allowed.is_none() {
            *self.spent.entry((self.today(), self.days)).or_default() += gone;
        }
        let standing = |kind: &MandateKind| matches!(kind, MandateKind::Standing { .. });
        let under = closed.iter().copied().filter(of).filter(|case| standing(&case.under().mandate)).count();
        assert_eq!(under, self.spent.values().sum::<usize>(), "{history}");
        for ((day, _), spent) in &self.spent {
            assert!(*spent <= usize::try_from(self.per_day).unwrap(), "{spent} on {day}: {history}");
        }
    }

    /// Checks that exactly the customers who are due are listed, as due or as blocked.
    fn check_survey(&self, told: &Told, history: &str) {
        let listed = |held: bool| -> Vec<i64> {
            let due = self.known.iter().filter(|(_, known)| self.due(known) && known.held == held);
            due.map(|(id, _)| *id).collect()
        };
        assert_eq!(told.due, listed(false), "due: {history}");
        let blocked: Vec<i64> = told.blocked.iter().map(|(id, _)| *id).collect();
        assert_eq!(blocked, listed(true), "blocked: {history}");
    }
}

async fn history(seed: u64) -> [usize; 6] {
    let mut random = Rng::with_seed(seed);
    let mut world = World::new(&mut random);
    let mut history = format!("seed {seed}, {} a day, batch {}", world.per_day, world.shop.batch);
    let mut did = [0; 6];
    for _ in 0..14 {
        let before = world.known.clone();
        let limits = Limits::new(100, world.per_day);
        let what = random.usize(0..12);
        write!(history, "; {what}").unwrap();
        match what {
            0..=6 => {
                world.happens(what, &mut random);
                did[0] += usize::from(what == 6);
            }
            7 => {
                let engine = world.engine("one");
                world.check_survey(&Told::of(engine.survey_all()).await, &history);
                did[1] += 1;
            }
            // A complete sweep by one of several processes, or by two at the same time.
            8 => {
                let (one, two) = (world.engine("one"), world.engine("two"));
                // The daily limits belong to one approval, so on one day the approval is always the same.
                let standing = standing(&one, limits);
                let both = futures_util::future::join(
                    Told::of(one.sweep(standing.clone())),
                    Told::of(two.sweep(standing)),
                );
                let (first, _) = both.await;
                assert!(first.is_complete(), "{history}");
                drop((one, two));
                finish(&mut world).await;
                world.look(&before, None, &history).await;
                did[2] += 1;
            }
            // A sweep that is stopped or dropped at a random point.
            9 => {
                let engine = world.engine("one");
                let standing = standing(&engine, limits);
                let mut sweep = match world.stopped.take() {
                    Some(place) => engine.sweep_from(*place, standing),
                    None => engine.sweep(standing),
                };
                let (stop, at, drops) = (sweep.stop_handle(), random.usize(0..30), random.bool());
                let mut heard = 0;
                while let Some(event) = sweep.next().await {
                    let event = event.unwrap_or_else(|error| panic!("{error}: {history}"));
                    if let SweepEvent::Ended(SweepEnd::Stopped(place)) = event {
                        world.stopped = Some(place);
                        did[3] += 1;
                    }
                    heard += 1;
                    if heard == at && drops {
                        break;
                    } else if heard == at {
                        stop.stop();
                    }
                }
                drop(sweep);
                drop(engine);
                finish(&mut world).await;
                world.look(&before, None, &history).await;
            }
            // A review is written, and a part of it confirmed.
            10 => world.confirms(&mut random).await,
            // … and run, whatever has happened since.
            _ => {
                let Some(review) = world.review.take() else { continue };
                let now = world.shop.clock.now();
                let hour = TimeDelta::hours(1);
                let approval = Approval::new("operator-7", ["north".into()], review.digest(), now, hour);
                let confirmed: BTreeSet<i64> =
                    review.plans().iter().map(|plan| plan.customer.as_str().parse().unwrap()).collect();
                let engine = world.engine("one");
                let told = Told::of(engine.sweep(review.approve(approval).unwrap())).await;
                assert_eq!(told.closed.len() + told.left.len(), confirmed.len(), "{history}");
                did[4] += told.closed.len();
                drop(engine);
                world.look(&before, Some(&confirmed), &history).await;
            }
        }
        // Nobody was erased who was not due. The model decides by the state before the sweep.
        for (id, known) in &world.known {
            if known.erased && before.get(id).is_some_and(|was| !was.erased) {
                assert!(
                    world.due(&Known { erased: false, ..before[id].clone() }),
                    "{id} was not due: {history}"
                );
                did[5] += 1;
            }
        }
    }
    did
}

/// The standing approval for the current policy. It always has the same instant, so it is the same approval.
fn standing(engine: &Engine, limits: Limits) -> StandingApproval {
    let by = Authority::new("operator-7", ["north".into()]);
    let (now, long) = (super::sweeping::now(), TimeDelta::days(400));
    StandingApproval::new(&by, engine.policy(), [Trigger::Cancelled], limits, now, long)
}

/// Cases that were interrupted are finished.
async fn finish(world: &mut World) {
    let engine = world.engine("one");
    engine.resumed().await;
    drop(engine);
    world.engine("two").resumed().await;
}

#[tokio::test]
async fn whatever_happens_nobody_is_erased_without_a_mandate_limits_hold_and_whoever_is_due_is_listed() {
    let mut did = [0; 6];
    // Takes some seconds. Set `SEEDS=500` in the environment for a long run.
    let seeds = std::env::var("SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    for seed in 0..seeds {
        for (sum, count) in did.iter_mut().zip(history(seed).await) {
            *sum += count;
        }
    }
    assert!(did.iter().all(|count| *count > 1), "every kind of thing has happened: {did:?}");
}
