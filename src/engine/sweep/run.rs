//! The erasures of a sweep: what is due is planned again, batch by batch, and carried out under the mandate.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{self, StreamExt};

use super::event::{RunProgress, SweepEnd, SweepEvent, TooFar, WhyLeft};
use super::place::{At, DueCustomer, Found};
use super::{Driver, SweepUnder};
use crate::customer::{CustomerId, TenantId};
use crate::engine::outcomes::{BATCHES_AT_ONCE, Turns};
use crate::engine::{Error, Planned};
use crate::plan::review::ApprovedReview;
use crate::plan::{ApprovalError, ApprovedPlan, Asked, Mandate, Plan, StandingApproval};

/// What became of a batch.
struct Done {
    closed: u64,
    left: u64,
    /// Customers who were not begun, because somebody stopped the sweep.
    not_begun: Vec<DueCustomer>,
}

/// What the batches of a run share.
struct Shared {
    turns: Turns,
    /// What the limits allow the run.
    of_run: u64,
    /// Whether a limit is reached.
    exhausted: AtomicBool,
}

impl Driver<'_> {
    /// Carries out what is due, unless it is more than the policy's blast radius allows.
    pub(super) async fn run(&self, under: &SweepUnder, mut found: Found) -> Result<(), Error> {
        if self.stop.is_stopped() {
            self.stopped(At::Run { found: Box::new(found) });
            return Ok(());
        }
        if let Some(too_far) = self.too_far(under, &found).await? {
            self.tell(SweepEvent::Ended(SweepEnd::Asks(Box::new(too_far))));
            return Ok(());
        }
        // Whoever waits longest comes first.
        found.due.sort_by_key(|one| one.since.unwrap_or(chrono::NaiveDate::MAX));
        let of_run = match under {
            SweepUnder::Standing(standing) => {
                standing.limits().of_run(Some(found.counts.customers_of(standing.tenants())))
            }
            SweepUnder::Review(_) => u64::MAX,
        };
        let shared = Shared { turns: Turns::default(), of_run, exhausted: AtomicBool::new(false) };
        let began = self.engine.parts.clock.now();
        let total = found.due.len() as u64;
        let mut chunks = Vec::new();
        let mut due = std::mem::take(&mut found.due).into_iter().peekable();
        while due.peek().is_some() {
            chunks.push(due.by_ref().take(self.engine.parts.batch).collect::<Vec<_>>());
        }
        let shared = &shared;
        let mut batches = stream::iter(chunks)
            .map(|chunk| self.run_batch(under, chunk, shared))
            .buffered(BATCHES_AT_ONCE);
        let mut progress = RunProgress { remaining: total, ..RunProgress::default() };
        while let Some(done) = batches.next().await {
            let Done { closed, left, not_begun } = done?;
            progress.closed += closed;
            progress.left += left;
            progress.remaining = total - progress.closed - progress.left;
            progress.per_second = self.rate(total - progress.remaining, began);
            found.due.extend(not_begun);
            if closed + left > 0 {
                self.tell(SweepEvent::Ran(progress));
            }
            self.breathe().await;
        }
        if found.due.is_empty() {
            self.tell(SweepEvent::Ended(SweepEnd::Complete));
        } else {
            self.stopped(At::Run { found: Box::new(found) });
        }
        Ok(())
    }

    /// What the run would hit, if that is more than the policy allows.
    async fn too_far(&self, under: &SweepUnder, found: &Found) -> Result<Option<TooFar>, Error> {
        let engine = self.engine;
        let mut hits = BTreeMap::<&TenantId, u64>::new();
        for one in &found.due {
            *hits.entry(&one.tenant).or_default() += 1;
        }
        let (counts, up_to) = match under {
            SweepUnder::Standing(_) => (found.counts.clone(), None),
            SweepUnder::Review(review) => {
                let counted = engine.needs_shares() && found.counts.customers == 0;
                let counts = if counted { engine.count_customers().await? } else { found.counts.clone() };
                (counts, review.approval().most())
            }
        };
        let exceeded = engine.exceeded(&hits, &counts, up_to);
        let too_far = || TooFar { exceeded, hits: DueCustomer::hits(&found.due) };
        Ok((!engine.exceeded(&hits, &counts, up_to).is_empty()).then(too_far))
    }

    async fn run_batch(
        &self,
        under: &SweepUnder,
        batch: Vec<DueCustomer>,
        shared: &Shared,
    ) -> Result<Done, Error> {
        let mut done = Done { closed: 0, left: 0, not_begun: Vec::new() };
        if self.stop.is_stopped() {
            return Ok(Done { not_begun: batch, ..done });
        }
        let mut left = |one: DueCustomer, why| {
            done.left += 1;
            self.left(one, why);
        };
        if shared.exhausted.load(Ordering::Relaxed) {
            batch.into_iter().for_each(|one| left(one, WhyLeft::Limit));
            return Ok(done);
        }
        let engine = self.engine;
        let customers: Vec<CustomerId> = batch.iter().map(|one| one.customer.clone()).collect();
        let (mut ready, mut plans) = (Vec::new(), Vec::new());
        for (one, planned) in batch.into_iter().zip(engine.plan_batch(&customers, &Asked::Sweep).await?) {
            match planned {
                Ok(Planned::Plan(plan)) => match approve(under, &one, *plan) {
                    Ok(plan) => {
                        ready.push(one);
                        plans.push(plan);
                    }
                    Err(why) => left(one, WhyLeft::NotCovered(why)),
                },
                Ok(no_plan) => left(one, WhyLeft::NotDue(Box::new(no_plan.decision()))),
                Err(Error::NoSuchCustomer) => left(one, WhyLeft::Gone),
                Err(error) => left(one, WhyLeft::NotPlanned(error.to_string())),
            }
        }
        let now = engine.parts.clock.now();
        engine.admit_all(&plans, now).await?;
        if let SweepUnder::Standing(standing) = under {
            let taken = engine.take_rations(standing, &self.run, shared.of_run, plans.len(), 0).await?;
            let taken = usize::try_from(taken.taken).unwrap_or(usize::MAX);
            if taken < plans.len() {
                shared.exhausted.store(true, Ordering::Relaxed);
                plans.truncate(taken);
                ready.drain(taken..).for_each(|one| left(one, WhyLeft::Limit));
            }
        }
        if plans.is_empty() {
            return Ok(done);
        }
        self.tell(SweepEvent::Running { customers: plans.len() as u64 });
        let outcomes = engine.open_and_run(&plans, now, &shared.turns).await?;
        for (one, outcome) in ready.into_iter().zip(outcomes) {
            if outcome.certificate().is_some() {
                done.closed += 1;
                let DueCustomer { customer, tenant, .. } = one;
                self.tell(SweepEvent::Closed { customer, tenant, outcome: Box::new(outcome) });
            } else {
                done.left += 1;
                self.left(one, WhyLeft::Case(Box::new(outcome)));
            }
        }
        Ok(done)
    }
}

/// The plan under the mandate of the sweep.
fn approve(under: &SweepUnder, one: &DueCustomer, plan: Plan) -> Result<ApprovedPlan, ApprovalError> {
    match under {
        SweepUnder::Standing(standing) => by_standing(standing, plan),
        SweepUnder::Review(review) => by_review(review, one, plan),
    }
}

fn by_standing(standing: &StandingApproval, plan: Plan) -> Result<ApprovedPlan, ApprovalError> {
    standing.covers(plan.binding())?;
    Ok(ApprovedPlan { plan, mandate: Mandate::Standing(standing.clone()) })
}

fn by_review(review: &ApprovedReview, one: &DueCustomer, plan: Plan) -> Result<ApprovedPlan, ApprovalError> {
    let Some((confirmed, planner)) = &one.reviewed else {
        return Err(ApprovalError::OtherPlan { approved: review.approval().digest(), plan: plan.digest() });
    };
    let plan = match planner {
        Some(operator) => plan.planned_by(operator.clone()),
        None => plan,
    };
    if plan.digest() != *confirmed {
        return Err(ApprovalError::OtherPlan { approved: *confirmed, plan: plan.digest() });
    }
    let reviewed = review.mandate(*confirmed);
    reviewed.approval().over(plan.binding())?;
    Ok(ApprovedPlan { plan, mandate: Mandate::Review(reviewed) })
}
