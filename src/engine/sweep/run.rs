//! Carries out the erasures of a sweep: plans the due customers again, batch by batch, and erases them under the
//! mandate.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_channel::oneshot;
use futures_util::stream::{self, StreamExt};

use super::event::{RunProgress, SweepEnd, SweepEvent, TooFar, WhyLeft};
use super::place::{At, DueCustomer, Found};
use super::{Driver, SweepUnder};
use crate::customer::{CustomerId, TenantId};
use crate::engine::outcomes::{BATCHES_AT_ONCE, Turns};
use crate::engine::{Error, Planned};
use crate::plan::review::ApprovedReview;
use crate::plan::{ApprovalError, ApprovedPlan, Asked, Mandate, Plan, StandingApproval};

/// What the batches of a run share.
#[derive(Default)]
struct Shared {
    turns: Turns,
    /// Whether a limit is reached.
    exhausted: AtomicBool,
}

/// The place of a batch in the order in which batches are counted.
struct Order {
    /// Receives a message when the previous batch is counted.
    before: Option<oneshot::Receiver<()>>,
    /// Tells the next batch.
    counted: oneshot::Sender<()>,
}

/// A batch in progress. It is planned again, then counted, then carried out.
#[derive(Default)]
struct Batch {
    /// Customers who may be erased, each with the plan.
    ready: Vec<(DueCustomer, ApprovedPlan)>,
    closed: u64,
    left: u64,
    /// Customers who were not begun, because somebody stopped the sweep.
    not_begun: Vec<DueCustomer>,
}

impl Driver {
    /// Erases the due customers, unless there are more than the policy's blast radius allows.
    pub(super) async fn run(&self, under: &SweepUnder, mut found: Found) -> Result<(), Error> {
        if self.stop.is_stopped() {
            self.stopped(At::Run { found: Box::new(found) });
            return Ok(());
        }
        if let Some(too_far) = self.too_far(under, &found).await? {
            self.tell(SweepEvent::Ended(SweepEnd::Asks(Box::new(too_far))));
            return Ok(());
        }
        // The customers who have been due for the longest time come first.
        found.due.sort_by_key(|one| one.since.unwrap_or(chrono::NaiveDate::MAX));
        let of_run = match under {
            SweepUnder::Standing(standing) => {
                standing.limits().of_run(Some(found.counts.customers_of(standing.tenants())))
            }
            SweepUnder::Review(_) => u64::MAX,
        };
        let shared = &Shared::default();
        let began = self.engine.parts.clock.now();
        let total = found.due.len() as u64;
        let mut chunks = Vec::new();
        let mut due = std::mem::take(&mut found.due).into_iter().peekable();
        while due.peek().is_some() {
            chunks.push(due.by_ref().take(self.engine.parts.batch).collect::<Vec<_>>());
        }
        // Batches are counted one after the other, in order, so that the customers who wait longest are erased first.
        // The rest of the work runs concurrently.
        let mut before = None;
        let mut batches = stream::iter(chunks)
            .map(|chunk| {
                let (counted, next) = oneshot::channel();
                let order = Order { before: before.replace(next), counted };
                self.run_batch(under, chunk, of_run, order, shared)
            })
            .buffered(BATCHES_AT_ONCE);
        let mut progress = RunProgress { remaining: total, ..RunProgress::default() };
        while let Some(batch) = batches.next().await {
            let Batch { closed, left, not_begun, .. } = batch?;
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

    /// Whom the run would hit, if that is more than the policy allows.
    async fn too_far(&self, under: &SweepUnder, found: &Found) -> Result<Option<TooFar>, Error> {
        let engine = &self.engine;
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
        if exceeded.is_empty() {
            return Ok(None);
        }
        Ok(Some(TooFar { exceeded, hits: DueCustomer::hits(&found.due) }))
    }

    async fn run_batch(
        &self,
        under: &SweepUnder,
        due: Vec<DueCustomer>,
        of_run: u64,
        order: Order,
        shared: &Shared,
    ) -> Result<Batch, Error> {
        let mut batch = self.plan_again(under, due, shared).await?;
        if let Some(before) = order.before {
            // A batch that failed counts nothing.
            let _ = before.await;
        }
        self.count_batch(under, &mut batch, of_run, shared).await?;
        // The next batch may have been dropped.
        let _ = order.counted.send(());
        self.erase_batch(&mut batch, shared).await?;
        Ok(batch)
    }

    /// Plans a batch again. Leaves customers who are not due or not covered any more.
    async fn plan_again(
        &self,
        under: &SweepUnder,
        due: Vec<DueCustomer>,
        shared: &Shared,
    ) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        if self.stop.is_stopped() {
            return Ok(Batch { not_begun: due, ..batch });
        }
        if shared.exhausted.load(Ordering::Relaxed) {
            for one in due {
                self.leave(&mut batch, one, WhyLeft::Limit);
            }
            return Ok(batch);
        }
        let customers: Vec<CustomerId> = due.iter().map(|one| one.customer.clone()).collect();
        let planned = self.engine.plan_batch(&customers, &Asked::Sweep).await?;
        for (one, planned) in due.into_iter().zip(planned) {
            let why = match planned {
                Ok(Planned::Plan(plan)) => match approve(under, &one, *plan) {
                    Ok(plan) => {
                        batch.ready.push((one, plan));
                        continue;
                    }
                    Err(why) => WhyLeft::NotCovered(why),
                },
                Ok(no_plan) => WhyLeft::NotDue(Box::new(no_plan.decision())),
                Err(Error::NoSuchCustomer) => WhyLeft::Gone,
                Err(error) => WhyLeft::NotPlanned(error.to_string()),
            };
            self.leave(&mut batch, one, why);
        }
        Ok(batch)
    }

    /// Counts a batch under the standing approval. Leaves customers beyond its limits.
    async fn count_batch(
        &self,
        under: &SweepUnder,
        batch: &mut Batch,
        of_run: u64,
        shared: &Shared,
    ) -> Result<(), Error> {
        if self.stop.is_stopped() {
            batch.not_begun.extend(batch.ready.drain(..).map(|(one, _)| one));
        }
        let SweepUnder::Standing(standing) = under else { return Ok(()) };
        let wanted = batch.ready.len();
        if wanted == 0 {
            return Ok(());
        }
        let taken = self.engine.take_rations(standing, &self.run, of_run, wanted, 0).await?.taken;
        let taken = usize::try_from(taken).unwrap_or(usize::MAX);
        if taken < wanted {
            shared.exhausted.store(true, Ordering::Relaxed);
            for (one, _) in batch.ready.split_off(taken) {
                self.leave(batch, one, WhyLeft::Limit);
            }
        }
        Ok(())
    }

    /// Opens a batch and carries it out.
    async fn erase_batch(&self, batch: &mut Batch, shared: &Shared) -> Result<(), Error> {
        let (customers, plans): (Vec<DueCustomer>, Vec<ApprovedPlan>) =
            std::mem::take(&mut batch.ready).into_iter().unzip();
        if plans.is_empty() {
            return Ok(());
        }
        let now = self.engine.parts.clock.now();
        self.engine.admit_all(&plans, now).await?;
        self.tell(SweepEvent::Running { customers: plans.len() as u64 });
        let outcomes = self.engine.open_and_run(&plans, now, &shared.turns).await?;
        for (one, outcome) in customers.into_iter().zip(outcomes) {
            if outcome.certificate().is_some() {
                batch.closed += 1;
                let DueCustomer { customer, tenant, .. } = one;
                self.tell(SweepEvent::Closed { customer, tenant, outcome: Box::new(outcome) });
            } else {
                self.leave(batch, one, WhyLeft::Case(Box::new(outcome)));
            }
        }
        Ok(())
    }

    fn leave(&self, batch: &mut Batch, one: DueCustomer, why: WhyLeft) {
        batch.left += 1;
        self.left(one, why);
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
