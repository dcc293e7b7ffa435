//! The worker: runs the engine in the host's process, until the host stops it.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use futures_util::FutureExt;
use futures_util::future::{self, Either};

use super::outcomes::Turns;
use super::{Engine, Error, Moved, Outcome, Planned, RequestList, SweepEnd, SweepEvent};
use crate::case::{Event, Hindrance, Obstacle, PutOff};
use crate::ledger::{CaseEvent, Closing, Entry, LedgerError, NewCase};
use crate::plan::{ApprovedExpiry, Asked, CaseId, Plan, StandingApproval, Step};
use crate::request::{CaseEnd, Request, RequestEvent, RequestId, Stage, Who};

/// When a waiting case is retried, and after what time it is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// The pause after the first failed attempt. Each further pause is twice as long. Each pause is also up to a
    /// quarter longer or shorter at random, so that not all cases are retried at the same time.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// If every attempt at a step has failed for this long, the case is blocked.
    pub failing_for: Duration,
    /// The same limit for a step that a gateway has accepted but does not finish.
    pub accepted_for: Duration,
}

impl Default for Retries {
    /// The first pause is one minute, the longest one hour. A case is blocked after three days, or after thirty days
    /// if a gateway has accepted the step.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            first: Duration::from_secs(60),
            longest: Duration::from_secs(60 * 60),
            failing_for: DAY * 3,
            accepted_for: DAY * 30,
        }
    }
}

/// What a worker did in one turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Turned {
    /// The rows of the inbox that were moved.
    pub inbox: Moved,
    /// Requests for which a case was opened.
    pub opened: usize,
    /// Requests whose approved plan does not fit the facts any more. They need a new approval.
    pub not_approved: usize,
    /// Cases that ended: erased, expired, superseded, cancelled.
    pub ended: usize,
    /// Cases that wait for something that cannot be reached.
    pub waiting: usize,
    /// Cases that were blocked in this turn.
    pub blocked: usize,
    /// Cases that a hold stops before their next step.
    pub held: usize,
    /// Requests whose answer is due soon, or overdue. They are counted and logged once a day.
    pub due_soon: usize,
    /// Cases whose customers were removed from the texts of others.
    pub redacted: usize,
    /// Requests that were forgotten.
    pub forgotten: usize,
    /// Tokens of the suppression list that were deleted because their last day was over.
    pub unsuppressed: u64,
    /// Sweeps that came to their end.
    pub swept: usize,
    /// Sweeps that would have hit more customers than the policy's blast radius allows. They touched nothing. A
    /// person has to check.
    pub asking: usize,
    /// Customers who were due but not erased by a sweep. The log names the reason for each.
    pub left: usize,
}

impl Turned {
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Waiting { .. } => self.waiting += 1,
            Outcome::Blocked { .. } => self.blocked += 1,
            Outcome::Held { .. } => self.held += 1,
            Outcome::Erased(_)
            | Outcome::Expired(_)
            | Outcome::Copies(_)
            | Outcome::Profile { .. }
            | Outcome::Superseded { .. }
            | Outcome::Cancelled { .. } => self.ended += 1,
            // Another process works on the case, or has to do so.
            Outcome::TakenOver { .. } | Outcome::OtherRules { .. } | Outcome::Conflict { .. } => {}
        }
    }
}

/// Runs an engine. Made by [`Engine::worker`].
#[derive(Debug)]
#[must_use = "a worker does nothing until it is run"]
pub struct Worker {
    engine: Engine,
    every: Duration,
    retries: Retries,
    warn_within: u32,
    expiries: Vec<(DateTime<Utc>, ApprovedExpiry)>,
    /// When the next pass over the texts of others is due. `None`: this worker makes no pass.
    mentions: Option<DateTime<Utc>>,
    sweeps: Vec<DailySweep>,
    /// The last day on which the daily work was done.
    done_on: Option<NaiveDate>,
}

/// A sweep under a standing approval, every day.
#[derive(Debug)]
struct DailySweep {
    next: DateTime<Utc>,
    under: StandingApproval,
}

impl DailySweep {
    /// The next time at the same hour that is still to come.
    fn next_after(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        next_day(self.next, now)
    }
}

/// The next time at the same hour that is still to come.
fn next_day(last: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    let days = now.signed_duration_since(last).num_days().saturating_add(1).max(1);
    TimeDelta::try_days(days).and_then(|days| last.checked_add_signed(days)).unwrap_or(now)
}

/// Whether the worker was told to stop.
struct Told<'f, F> {
    stop: Pin<&'f mut F>,
    is_told: bool,
}

impl<F: Future<Output = ()>> Told<'_, F> {
    fn is_told(&mut self) -> bool {
        self.is_told = self.is_told || self.stop.as_mut().now_or_never().is_some();
        self.is_told
    }
}

type Stop<'s> = &'s mut (dyn FnMut() -> bool + Send);

impl Engine {
    /// Makes a worker for this engine. Any number of workers, in any number of processes, can share the work on one
    /// ledger.
    ///
    /// ```no_run
    /// # async fn run(engine: relinquish::Engine, stop: impl Future<Output = ()> + Send) {
    /// engine.worker().run(stop).await;
    /// # }
    /// ```
    pub fn worker(&self) -> Worker {
        Worker {
            engine: self.clone(),
            every: Duration::from_secs(60),
            retries: Retries::default(),
            warn_within: 7,
            expiries: Vec::new(),
            mentions: None,
            sweeps: Vec::new(),
            done_on: None,
        }
    }
}

impl Worker {
    /// Sets the pause between two turns. The default is one minute.
    pub fn every(self, pause: Duration) -> Self {
        Self { every: pause, ..self }
    }

    /// Sets when a waiting case is retried, and after what time it is blocked.
    pub fn retries(self, retries: Retries) -> Self {
        Self { retries, ..self }
    }

    /// Sets how many days before the last day for the answer the worker begins to warn. The default is seven.
    pub fn warn_within(self, days: u32) -> Self {
        Self { warn_within: days, ..self }
    }

    /// Carries out an approved expiry at an instant.
    pub fn expire_at(mut self, at: DateTime<Utc>, approved: ApprovedExpiry) -> Self {
        self.expiries.push((at, approved));
        self
    }

    /// Makes a [pass over the texts of others](Engine::redact_mentions) at this instant, and every day after it at
    /// the same time (UTC). If passes were missed, one pass makes up for them.
    pub fn redact_mentions_daily(self, from: DateTime<Utc>) -> Self {
        Self { mentions: Some(from), ..self }
    }

    /// Sweeps under a standing approval: at this instant, and every day after it at the same time (UTC).
    ///
    /// The limits of the approval apply to all processes on the ledger together. If sweeps were missed, one sweep
    /// makes up for them. A sweep that would hit more customers than the policy's blast radius allows touches
    /// nothing. The log says so, and the next sweep checks again.
    pub fn sweep_daily(mut self, from: DateTime<Utc>, under: StandingApproval) -> Self {
        self.sweeps.push(DailySweep { next: from, under });
        self
    }

    /// Takes turns until `stop` is ready. Then the worker finishes the case or the batch on which it works, and returns.
    ///
    /// An error does not end the worker. It is logged, and the next turn tries again. Dropping the future interrupts
    /// the cases in progress. A worker with the same [name](super::EngineBuilder::worker) continues them at once. Any
    /// other worker continues them after the lease has expired.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send) {
        let stop = pin!(stop);
        let mut told = Told { stop, is_told: false };
        while !told.is_told() {
            if let Err(error) = self.round(&mut || told.is_told()).await {
                tracing::error!(%error, "the worker tries again after a pause");
            }
            if told.is_told() {
                return;
            }
            let pause = self.engine.about(self.every);
            let sleep = self.engine.parts.clock.sleep(pause);
            if let Either::Right(_) = future::select(sleep, told.stop.as_mut()).await {
                return;
            }
        }
    }

    /// Takes one turn. For hosts with their own scheduler.
    ///
    /// # Errors
    /// The first error. All work that does not depend on the failed part was done.
    pub async fn turn(&mut self) -> Result<Turned, Error> {
        self.round(&mut || false).await
    }

    /// Does everything that can be done now. If a part fails, the other parts are still done.
    async fn round(&mut self, told: Stop<'_>) -> Result<Turned, Error> {
        let mut turned = Turned::default();
        let mut first = Ok(());
        if self.engine.parts.inbox.is_some() {
            match self.engine.move_inbox().await {
                Ok(moved) => turned.inbox = moved,
                Err(error) => first = Err(error),
            }
        }
        first = first.and(self.requests(&mut turned, told).await);
        first = first.and(self.mentions(&mut turned).await);
        first = first.and(self.cases(&mut turned, told).await);
        first = first.and(self.scheduled(&mut turned, told).await);
        first = first.and(self.sweeps(&mut turned, told).await);
        first = first.and(self.of_the_day(&mut turned).await);
        first.map(|()| turned)
    }

    /// Requests with an approved plan, and requests with an open case.
    async fn requests(&self, turned: &mut Turned, told: Stop<'_>) -> Result<(), Error> {
        let mut first = Ok(());
        for stage in [Stage::Running, Stage::Approved] {
            let mut after: Option<RequestId> = None;
            loop {
                let of = RequestList::At(stage);
                let page = self.engine.requests(of, after.as_ref(), self.engine.parts.batch).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.new.id.clone());
                for request in page {
                    if told() {
                        return first;
                    }
                    let id = request.new.id.clone();
                    if let Err(error) = self.request(&request, turned).await {
                        tracing::warn!(request = %id, %error, "a request is tried again in the next turn");
                        first = first.and(Err(error));
                    }
                }
            }
        }
        first
    }

    async fn request(&self, request: &Request, turned: &mut Turned) -> Result<(), Error> {
        let engine = &self.engine;
        if let Some(case) = &request.running {
            if let Some(end) = engine.parts.ledger.entry(case).await?.as_ref().and_then(end_of) {
                self.note(request, RequestEvent::Closed { case: case.clone(), end }).await?;
                return Ok(());
            }
            match engine.take(case).await {
                // The case is open. It continues with the other cases.
                Ok(taken) => {
                    engine.parts.ledger.release(taken.fence, std::slice::from_ref(case)).await?;
                    return Ok(());
                }
                Err(Error::Running { .. }) => return Ok(()),
                // A process died before it opened the case.
                Err(Error::Ledger(LedgerError::NoSuchCase { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        let (Some(approved), Some(Who::Customer { customer })) = (&request.approved, &request.new.who) else {
            return Ok(());
        };
        let asked = Asked::Request { treatment: approved.treatment.clone() };
        let plan: Plan = match engine.plan(customer, &asked).await {
            Ok(Planned::Plan(plan)) => match &approved.planned_by {
                Some(operator) => plan.planned_by(operator.clone()),
                None => *plan,
            },
            // The request continues when the holds are lifted.
            Ok(Planned::Refused(blocked)) if blocked.by.iter().all(|by| by.hold.is_some()) => {
                turned.held += 1;
                return Ok(());
            }
            Ok(_) | Err(Error::NoSuchCustomer | Error::NoSuchTreatment { .. }) => {
                return self.not_approved(request, turned).await;
            }
            Err(error) => return Err(error),
        };
        let Ok(approved) = plan.approve(approved.approval.clone()) else {
            return self.not_approved(request, turned).await;
        };
        let now = engine.parts.clock.now();
        match engine.admit_all(std::slice::from_ref(&approved), now).await {
            Ok(()) => {}
            Err(Error::Approval(_)) => return self.not_approved(request, turned).await,
            Err(error) => return Err(error),
        }
        // The case's id is recorded before the case is opened. So no second case is opened if the process dies in
        // between.
        let case = if let Some(case) = &request.running {
            case.clone()
        } else {
            let case = engine.case_id()?;
            if !self.note(request, RequestEvent::Opened { case: case.clone() }).await? {
                return Ok(());
            }
            case
        };
        turned.opened += 1;
        let new = NewCase::new(case.clone(), &approved, now);
        for outcome in engine.open_and_drive(vec![new], now, &Turns::default()).await? {
            self.came_to(outcome, turned).await?;
        }
        if let Some(end) = engine.parts.ledger.entry(&case).await?.as_ref().and_then(end_of) {
            let running = Request { running: Some(case.clone()), ..request.clone() };
            self.note(&running, RequestEvent::Closed { case, end }).await?;
        }
        Ok(())
    }

    /// Notes that the approved plan does not fit the facts any more. A person has to decide.
    async fn not_approved(&self, request: &Request, turned: &mut Turned) -> Result<(), Error> {
        let event = match &request.running {
            Some(case) => RequestEvent::Closed { case: case.clone(), end: CaseEnd::WithoutEffect },
            None => RequestEvent::NotApproved,
        };
        if self.note(request, event).await? {
            turned.not_approved += 1;
            tracing::warn!(request = %request.new.id, "the approved plan does not fit any more; approve a new one");
        }
        Ok(())
    }

    /// Notes an event. If somebody else has written a note since the request was read, nothing is noted, and the
    /// answer is `false`.
    async fn note(&self, request: &Request, event: RequestEvent) -> Result<bool, Error> {
        let noted = AtomicBool::new(false);
        let events = |now: &Request| {
            let is_same = now.approved == request.approved && now.running == request.running;
            let may = is_same && now.clone().apply(&event).is_ok();
            noted.store(may, Ordering::Relaxed);
            Ok(if may { vec![event.clone()] } else { Vec::new() })
        };
        self.engine.append(&request.new.id, None, events).await?;
        Ok(noted.into_inner())
    }

    /// Makes the pass over the texts of others, if it is due. The cases then continue in the same turn.
    async fn mentions(&mut self, turned: &mut Turned) -> Result<(), Error> {
        let now = self.engine.parts.clock.now();
        let Some(due) = self.mentions.filter(|due| *due <= now) else { return Ok(()) };
        turned.redacted = self.engine.redact_mentions().await?.done;
        self.mentions = Some(next_day(due, now));
        Ok(())
    }

    /// Continues the open cases that are due: interrupted cases, and waiting cases whose pause is over.
    async fn cases(&self, turned: &mut Turned, told: Stop<'_>) -> Result<(), Error> {
        let now = self.engine.parts.clock.now();
        let mut after = None;
        while !told()
            && let Some(page) = self.engine.resume_page(&mut after, Some(now)).await?
        {
            for resumed in page {
                self.came_to(resumed.outcome, turned).await?;
            }
        }
        Ok(())
    }

    async fn came_to(&self, outcome: Outcome, turned: &mut Turned) -> Result<(), Error> {
        if let Outcome::Waiting { case, step, reason, retry_after } = outcome {
            let blocked = self.put_off(&case, &step, reason, retry_after).await?;
            if blocked {
                turned.blocked += 1;
            } else {
                turned.waiting += 1;
            }
        } else {
            turned.add(&outcome);
        }
        Ok(())
    }

    /// Records when the case is retried. A case that has waited for too long is blocked. Returns whether it is
    /// blocked.
    async fn put_off(
        &self,
        case: &CaseId,
        step: &Step,
        what: String,
        retry_after: Option<Duration>,
    ) -> Result<bool, Error> {
        let engine = &self.engine;
        let taken = match engine.take(case).await {
            Ok(taken) => taken,
            // Another worker has claimed the case in the meantime, or it is closed.
            Err(Error::Running { .. } | Error::Ledger(LedgerError::NoSuchCase { .. })) => return Ok(false),
            Err(error) => return Err(error),
        };
        let progress = &taken.progress;
        let open = progress.steps().find(|(_, done)| !done.is_done()).map(|(step, _)| step);
        let step = if progress.step(step).is_some() { Some(step) } else { open };
        let Some(step) = step.cloned() else {
            engine.parts.ledger.release(taken.fence, std::slice::from_ref(case)).await?;
            return Ok(false);
        };
        let now = engine.parts.clock.now();
        let before = progress.put_off().filter(|put_off| put_off.step == step);
        let (since, tries) = before.map_or((now, 0), |put_off| (put_off.since, put_off.tries));
        let is_accepted = progress.step(&step).is_some_and(|step| !step.accepted.is_empty());
        let Retries { first, longest, failing_for, accepted_for } = self.retries;
        let limit = match (&step, is_accepted) {
            // Waiting for a pass over the texts of others is no failure.
            (Step::Mentions, _) => Duration::MAX,
            (_, true) => accepted_for,
            (_, false) => failing_for,
        };
        let is_over = now.signed_duration_since(since).to_std().is_ok_and(|since| since >= limit);
        let event = if is_over {
            let reason = Hindrance::GivenUp { since, what };
            Event::Blocked(Obstacle { step, reason, waivable: true })
        } else {
            let pause = first.saturating_mul(2_u32.saturating_pow(tries)).min(longest);
            let pause = engine.about(pause).max(retry_after.unwrap_or_default());
            let pause = TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX);
            // An outside party may ask for a longer pause. The case is still looked at when the limit is reached, and
            // then blocked.
            let last = TimeDelta::from_std(limit).ok().and_then(|limit| since.checked_add_signed(limit));
            let until = now.checked_add_signed(pause).unwrap_or(DateTime::<Utc>::MAX_UTC);
            let until = last.map_or(until, |last| until.min(last.max(now)));
            Event::PutOff(PutOff { step, since, tries: tries.saturating_add(1), until })
        };
        let event = CaseEvent { case: case.clone(), at: now, event };
        engine.parts.ledger.record(taken.fence, &[event]).await?;
        engine.parts.ledger.release(taken.fence, std::slice::from_ref(case)).await?;
        if is_over {
            tracing::warn!(%case, "case blocked: every attempt failed");
        }
        Ok(is_over)
    }

    /// Carries out the expiries for which the host has set an instant.
    async fn scheduled(&mut self, turned: &mut Turned, told: Stop<'_>) -> Result<(), Error> {
        let now = self.engine.parts.clock.now();
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.expiries).into_iter().partition(|(at, _)| *at <= now);
        self.expiries = later;
        let mut first = Ok(());
        for (at, approved) in due {
            if told() {
                self.expiries.push((at, approved));
                continue;
            }
            match self.engine.expire(&approved).await {
                // From now on the expiry is an open case like any other case.
                Ok(outcome) => self.came_to(outcome, turned).await?,
                Err(error @ (Error::Approval(_) | Error::OtherRules { .. })) => {
                    tracing::error!(%error, "an expiry is not carried out");
                    first = first.and(Err(error));
                }
                Err(error) => {
                    self.expiries.push((at, approved));
                    first = first.and(Err(error));
                }
            }
        }
        first
    }

    /// Makes the sweeps that are due.
    async fn sweeps(&mut self, turned: &mut Turned, told: Stop<'_>) -> Result<(), Error> {
        let now = self.engine.parts.clock.now();
        let mut first = Ok(());
        let mut sweeps = std::mem::take(&mut self.sweeps);
        for sweep in sweeps.iter_mut().filter(|sweep| sweep.next <= now) {
            match self.sweep(&sweep.under, turned, told).await {
                Ok(is_through) => {
                    if is_through {
                        sweep.next = sweep.next_after(now);
                    }
                }
                Err(error) => {
                    // A mandate that is not valid any more will not be valid in the next turn either.
                    if matches!(error, Error::Approval(_) | Error::NoSuchTenant { .. }) {
                        sweep.next = sweep.next_after(now);
                    }
                    tracing::error!(%error, "a sweep failed");
                    first = first.and(Err(error));
                }
            }
        }
        self.sweeps = sweeps;
        first
    }

    /// Makes one sweep. `false`: the worker was stopped, and the next turn begins again.
    async fn sweep(
        &self,
        under: &StandingApproval,
        turned: &mut Turned,
        told: Stop<'_>,
    ) -> Result<bool, Error> {
        let mut sweep = self.engine.sweep(under.clone());
        let stop = sweep.stop_handle();
        let mut is_through = false;
        while let Some(event) = sweep.next().await {
            if told() {
                stop.stop();
            }
            match event? {
                SweepEvent::Closed { outcome, .. } => self.came_to(*outcome, turned).await?,
                SweepEvent::Left(left) => {
                    turned.left += 1;
                    tracing::info!(tenant = %left.tenant, why = %left.why, "a customer is due and was left");
                }
                SweepEvent::Ended(SweepEnd::Complete) => {
                    turned.swept += 1;
                    is_through = true;
                }
                SweepEvent::Ended(SweepEnd::Asks(too_far)) => {
                    turned.asking += 1;
                    is_through = true;
                    tracing::error!(%too_far, "a sweep touched nothing, and asks");
                }
                _ => {}
            }
        }
        Ok(is_through)
    }

    /// The daily work: warns of due requests, and deletes what need not be kept.
    async fn of_the_day(&mut self, turned: &mut Turned) -> Result<(), Error> {
        let today = self.engine.today();
        if self.done_on == Some(today) {
            return Ok(());
        }
        let mut after = None;
        loop {
            let of = RequestList::DueWithin(self.warn_within);
            let page = self.engine.requests(of, after.as_ref(), self.engine.parts.batch).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.new.id.clone());
            for request in page {
                turned.due_soon += 1;
                self.warn(&request);
            }
        }
        turned.forgotten = self.engine.forget_requests().await?;
        turned.unsuppressed = self.engine.forget_suppressed().await?;
        self.engine.look_at_copies().await?;
        self.done_on = Some(today);
        Ok(())
    }

    /// Warns of what somebody has to do for a request.
    fn warn(&self, request: &Request) {
        let parts = &self.engine.parts;
        let today = self.engine.rules_for(&request.new).time_zone().day(parts.clock.now());
        let (id, holidays) = (&request.new.id, &parts.holidays);
        for (day, what) in [
            (request.due(holidays), "the answer to a request"),
            (request.confirm_by(holidays), "the confirmation that a request was received"),
            (request.remind_on(), "a reminder to a person who was asked something"),
        ] {
            let Some(due) = day else { continue };
            if due < today {
                tracing::error!(request = %id, %due, "{what} is overdue");
            } else if due
                <= today.checked_add_days(Days::new(self.warn_within.into())).unwrap_or(NaiveDate::MAX)
            {
                tracing::warn!(request = %id, %due, "{what} is due soon");
            }
        }
    }
}

/// How a request's case ended, if the entry is of a closed case.
fn end_of(entry: &Entry) -> Option<CaseEnd> {
    Some(match &entry.closed()?.closing {
        Closing::Erased(_) => CaseEnd::Erased,
        Closing::Superseded { .. }
        | Closing::Cancelled { .. }
        | Closing::Expired(_)
        | Closing::Copies(_)
        | Closing::Profile(_) => CaseEnd::WithoutEffect,
    })
}

impl Engine {
    /// A pause, made up to a quarter longer or shorter at random. Without randomness the pause is not changed.
    fn about(&self, pause: Duration) -> Duration {
        let mut drawn = [128];
        match self.parts.entropy.fill(&mut drawn) {
            Ok(()) => {
                let [byte] = drawn;
                pause.saturating_mul(384 + u32::from(byte)) / 512
            }
            Err(_) => pause,
        }
    }
}
