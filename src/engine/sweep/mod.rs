//! The sweep: surveys all customers of the store, and erases those who are due, under a mandate.
//!
//! ```text
//! survey, page by page ─► counts ─► blast radius ─► plan again ─► mandate ─► erase, batch by batch
//! ```
//!
//! * Nothing is touched before the survey is complete. By then the number of customers to erase is known.
//! * Memory is bounded by the batch. In addition, the ids of due customers stay in memory.
//! * A sweep can be dropped or stopped at any time. [`Engine::resume`] finishes the cases in progress. The next sweep
//!   finds the customers who are left, because erased customers are not due any more.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use futures_util::stream::{Stream, StreamExt};

use super::{Engine, Error};
use crate::digest::Digest;
use crate::hex;
use crate::plan::review::{ApprovedReview, Column, ReviewCsv};
use crate::plan::{Plan, StandingApproval};

mod event;
mod limits;
mod page;
mod place;
mod run;
mod survey;

pub use event::{
    Exceeded, Hit, LeftCustomer, RunProgress, SurveyProgress, SweepCounts, SweepEnd, SweepEvent,
    TenantCounts, TooFar, WhyLeft,
};
pub use page::ReviewPage;
pub use place::SweepPlace;

use place::{At, DueCustomer, Found};

/// The mandate of a sweep.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SweepUnder {
    /// A standing approval. The sweep erases every due customer whom it covers, within its limits.
    Standing(Box<StandingApproval>),
    /// An approved review. The sweep carries out exactly the confirmed plans.
    Review(Box<ApprovedReview>),
}

impl SweepUnder {
    /// The digest of the approval or review.
    fn digest(&self) -> Digest {
        match self {
            Self::Standing(standing) => standing.digest(),
            Self::Review(review) => review.approval().digest(),
        }
    }
}

impl From<StandingApproval> for SweepUnder {
    fn from(standing: StandingApproval) -> Self {
        Self::Standing(Box::new(standing))
    }
}

impl From<ApprovedReview> for SweepUnder {
    fn from(review: ApprovedReview) -> Self {
        Self::Review(Box::new(review))
    }
}

/// Stops a sweep. The batches in progress are finished, and no other batch is begun.
#[derive(Clone, Debug, Default)]
pub struct StopHandle {
    stopped: Arc<AtomicBool>,
}

impl StopHandle {
    /// Stops the sweep. Unless everything is done by then, the last event is [`SweepEnd::Stopped`] with the place
    /// where the sweep can continue.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// A sweep in progress: a [`Stream`] of events. The sweep runs only while it is polled. It works with any async
/// runtime.
///
/// Dropping it interrupts the cases in progress; [`Engine::resume`] finishes them.
pub struct Sweep {
    driver: Option<BoxFuture<'static, Result<(), Error>>>,
    events: Events,
    /// Events that were taken from the driver together.
    taken: VecDeque<SweepEvent>,
    stop: StopHandle,
}

impl fmt::Debug for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep").field("ended", &self.driver.is_none()).finish_non_exhaustive()
    }
}

impl Sweep {
    /// The next event, or `None` after the last one.
    ///
    /// # Errors
    /// A store or ledger out of reach. A mandate that is not valid any more. A tenant of the policy without customers
    /// ([`Error::NoSuchTenant`]). After an error the sweep has ended. Open cases can be resumed, and a new sweep does
    /// the rest.
    pub async fn next(&mut self) -> Option<Result<SweepEvent, Error>> {
        StreamExt::next(self).await
    }

    fn pop(&mut self) -> Option<SweepEvent> {
        if self.taken.is_empty() {
            std::mem::swap(&mut self.taken, &mut *self.events.lock());
        }
        self.taken.pop_front()
    }

    /// A handle with which another task stops the sweep.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }
}

impl Stream for Sweep {
    type Item = Result<SweepEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(event) = self.pop() {
            return Poll::Ready(Some(Ok(event)));
        }
        let Some(driver) = &mut self.driver else { return Poll::Ready(None) };
        let polled = driver.as_mut().poll(context);
        let ended = match polled {
            Poll::Ready(ended) => {
                self.driver = None;
                Some(ended)
            }
            Poll::Pending => None,
        };
        match ended {
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            Some(Ok(())) => Poll::Ready(self.pop().map(Ok)),
            None => self.pop().map_or(Poll::Pending, |event| Poll::Ready(Some(Ok(event)))),
        }
    }
}

/// Events that were not taken yet: those of a page, or of the batches in progress.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<VecDeque<SweepEvent>>>);

impl Events {
    fn lock(&self) -> MutexGuard<'_, VecDeque<SweepEvent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of a sweep that does the work and sends the events.
struct Driver {
    engine: Engine,
    under: Option<SweepUnder>,
    run: String,
    events: Events,
    stop: StopHandle,
}

impl Driver {
    async fn drive(self, at: At) -> Result<(), Error> {
        self.is_mandated()?;
        let found = match at {
            At::Run { found } => *found,
            // The plans of a review are known without a survey.
            At::Survey { .. } if matches!(self.under, Some(SweepUnder::Review(_))) => self.confirmed(),
            At::Survey { after, found } => {
                let Some(found) = self.survey(after, *found).await? else { return Ok(()) };
                self.tell(SweepEvent::Counted(Box::new(found.counts.clone())));
                self.breathe().await;
                found
            }
        };
        if let Some(under) = &self.under {
            return self.run(under, found).await;
        }
        self.tell(SweepEvent::Ended(SweepEnd::Complete));
        Ok(())
    }

    /// Checks the mandate before anything is read.
    fn is_mandated(&self) -> Result<(), Error> {
        let now = self.engine.parts.clock.now();
        let policy = &self.engine.parts.policy;
        match &self.under {
            None => Ok(()),
            Some(SweepUnder::Review(review)) => Ok(review.approval().valid_at(now)?),
            Some(SweepUnder::Standing(standing)) => {
                let mandate = crate::plan::Mandate::Standing((**standing).clone());
                mandate.valid_at(now)?;
                if standing.tenants().iter().any(|tenant| policy.effective(tenant).four_eyes()) {
                    mandate.by_two(None)?;
                }
                Ok(())
            }
        }
    }

    /// The plans of the review.
    fn confirmed(&self) -> Found {
        let Some(SweepUnder::Review(review)) = &self.under else { return Found::default() };
        let due = review.review().plans().iter().map(DueCustomer::reviewed).collect();
        Found { due, ..Found::default() }
    }

    fn tell(&self, event: SweepEvent) {
        self.events.lock().push_back(event);
    }

    fn tell_all(&self, events: Vec<SweepEvent>) {
        self.events.lock().extend(events);
    }

    fn left(&self, one: DueCustomer, why: WhyLeft) {
        let DueCustomer { customer, tenant, since, .. } = one;
        self.tell(SweepEvent::Left(Box::new(LeftCustomer { customer, tenant, since, why })));
    }

    fn stopped(&self, at: At) {
        let place = SweepPlace::new(&self.engine, self.under.as_ref(), self.run.clone(), at);
        self.tell(SweepEvent::Ended(SweepEnd::Stopped(Box::new(place))));
    }

    /// Waits until every event was taken, so that events do not pile up. The driver is polled only when no event is
    /// left.
    async fn breathe(&self) {
        std::future::poll_fn(|_| if self.events.lock().is_empty() { Poll::Ready(()) } else { Poll::Pending })
            .await;
    }

    /// Customers per second since an instant.
    fn rate(&self, customers: u64, since: DateTime<Utc>) -> Option<u64> {
        let passed = self.engine.parts.clock.now().signed_duration_since(since).num_milliseconds();
        let passed = u64::try_from(passed).ok().filter(|passed| *passed > 0)?;
        Some(customers.saturating_mul(1_000) / passed)
    }
}

impl Engine {
    /// Surveys all customers: finds out who is due, who is due later, and who is blocked and why. Touches nothing.
    ///
    /// ```no_run
    /// # async fn list(engine: relinquish::Engine) -> Result<(), relinquish::Error> {
    /// use relinquish::engine::SweepEvent;
    ///
    /// let mut survey = engine.survey_all();
    /// while let Some(event) = survey.next().await {
    ///     match event? {
    ///         SweepEvent::Due(plan) => println!("due: {}", plan.digest()),
    ///         SweepEvent::Counted(counts) => println!("{counts}"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn survey_all(&self) -> Sweep {
        self.begin_sweep(None, None)
    }

    /// Starts a sweep. Under a [standing approval](StandingApproval), it surveys all customers and erases those who
    /// are due. Under an [approved review](ApprovedReview), it carries out exactly the confirmed plans.
    ///
    /// Each customer is planned again right before the case is opened. If a customer is not due any more, or the
    /// mandate does not cover the plan any more, the customer is left. An event tells the reason.
    ///
    /// If the run would hit more customers than the policy's [blast radius](crate::policy::BlastRadius) allows, it ends
    /// with [`SweepEnd::Asks`] before anything is touched.
    ///
    /// If the policy has `sweep = false` for a tenant, nobody of this tenant is due. The exception is the rest of a
    /// request that a duty had deferred.
    pub fn sweep(&self, under: impl Into<SweepUnder>) -> Sweep {
        self.begin_sweep(Some(under.into()), None)
    }

    /// Continues a sweep that was stopped. If the policy, the data map or the mandate has changed, the survey begins
    /// again from the start.
    pub fn sweep_from(&self, place: SweepPlace, under: impl Into<SweepUnder>) -> Sweep {
        self.begin_sweep(Some(under.into()), Some(place))
    }

    /// Continues a survey that was stopped.
    pub fn survey_from(&self, place: SweepPlace) -> Sweep {
        self.begin_sweep(None, Some(place))
    }

    fn begin_sweep(&self, under: Option<SweepUnder>, place: Option<SweepPlace>) -> Sweep {
        let beginning = || {
            let at = At::Survey { after: None, found: Box::default() };
            SweepPlace::new(self, under.as_ref(), self.run_name(), at)
        };
        let place = place.map_or_else(beginning, |place| place.for_engine(self, under.as_ref()));
        let (events, stop) = (Events::default(), StopHandle::default());
        let SweepPlace { run, at, .. } = place;
        let driver = Driver { engine: self.clone(), under, run, events: events.clone(), stop: stop.clone() };
        Sweep { driver: Some(Box::pin(driver.drive(at))), events, taken: VecDeque::new(), stop }
    }

    /// Begins a CSV for a review, with the columns that an operator asks for: see [`review`](crate::plan::review).
    ///
    /// # Errors
    /// No random bytes for the name of the review.
    pub fn review_csv(&self, columns: impl IntoIterator<Item = Column>) -> Result<ReviewCsv, Error> {
        let mut name = [0; 16];
        self.parts.entropy.fill(&mut name)?;
        Ok(ReviewCsv::new(hex::encode(name), columns))
    }

    /// The lines of a review for some plans. Personal values are read from the store only if a column asks for them.
    ///
    /// # Errors
    /// A store out of reach, or a customer whose values cannot be read.
    pub async fn review_lines(&self, csv: &ReviewCsv, plans: &[Plan]) -> Result<String, Error> {
        let mut lines = String::new();
        if !csv.is_personal() {
            lines.extend(plans.iter().map(|plan| csv.line(plan, None)));
            return Ok(lines);
        }
        for plans in plans.chunks(self.parts.batch) {
            let customers: Vec<_> = plans.iter().map(|plan| plan.customer().clone()).collect();
            let found = self.parts.store.identifiers(&customers).await?;
            for (plan, identifiers) in plans.iter().zip(found) {
                lines.push_str(&csv.line(plan, Some(&identifiers?)));
            }
        }
        Ok(lines)
    }
}
