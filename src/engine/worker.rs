//! The worker: the engine runs by itself, in the host's process, until it is told to stop.

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

/// When a case that waits for something gets its next attempt, and when a person has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// The pause after the first attempt that came to nothing. Each further pause is twice as long, and a quarter longer
    /// or shorter by chance, so that cases do not all come back together.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// A step at which every attempt has come to nothing for so long blocks the case.
    pub failing_for: Duration,
    /// The same, for a step at which a gateway has accepted something and does not finish it.
    pub accepted_for: Duration,
}

impl Default for Retries {
    /// One minute, at most one hour; three days, and thirty days for what a gateway has accepted.
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
    /// What became of the rows of the inbox.
    pub inbox: Moved,
    /// Requests for which a case was opened.
    pub opened: usize,
    /// Requests whose approved plan does not fit any more. They need another approval.
    pub not_approved: usize,
    /// Cases that ended: erased, expired, superseded, cancelled.
    pub ended: usize,
    /// Cases that wait for something that cannot be reached.
    pub waiting: usize,
    /// Cases that were blocked in this turn.
    pub blocked: usize,
    /// Cases that a hold keeps from their next step.
    pub held: usize,
    /// Requests whose answer is due soon, or overdue. They are counted and logged once a day.
    pub due_soon: usize,
    /// Cases whose customers were taken out of the texts of others.
    pub redacted: usize,
    /// Requests that were forgotten.
    pub forgotten: usize,
    /// Tokens of the suppression list that were deleted because their last day was over.
    pub unsuppressed: u64,
    /// Sweeps that came to their end.
    pub swept: usize,
    /// Sweeps that would have hit more customers than the policy's blast radius allows. They touched nothing, and a person
    /// has to look.
    pub asking: usize,
    /// Customers who were due and whom a sweep left, each for a reason that the log names.
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
            // Another process has the case, or has to take it.
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
    /// When the next pass over the texts of others is due, if the worker makes any.
    mentions: Option<DateTime<Utc>>,
    sweeps: Vec<DailySweep>,
    /// The last day on which the work of a day was done.
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
    /// A worker for this engine. Any number of workers, in any number of processes, share the work on one ledger.
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

    /// Sets when a case that waits is tried again, and when it is given up.
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

    /// Takes everybody who waits for it [out of the texts of others](Engine::redact_mentions) at an instant, and every day
    /// after it at the same time (UTC). A pass that was missed is made up for once.
    pub fn redact_mentions_daily(self, from: DateTime<Utc>) -> Self {
        Self { mentions: Some(from), ..self }
    }

    /// Sweeps at an instant, and every day after it at the same time (UTC), under a standing approval.
    ///
    /// The limits of the approval hold for all processes on the ledger together. A sweep that was missed is made up for
    /// once. A sweep that would hit more customers than the policy's blast radius allows touches nothing; the log says so,
    /// and the next one asks again.
    pub fn sweep_daily(mut self, from: DateTime<Utc>, under: StandingApproval) -> Self {
        self.sweeps.push(DailySweep { next: from, under });
        self
    }

    /// Takes turns until `stop` is ready. Then the worker finishes the case or the batch on which it works, and returns.
    ///
    /// Nothing that fails ends the worker: an error is logged, and the next turn tries again. Dropping the future
    /// interrupts the cases in progress. Another worker finishes them when the lease has run out; a worker under the
    /// same [name](super::EngineBuilder::worker) finishes them at once.
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

    /// Takes one turn. For hosts with a scheduler of their own.
    ///
    /// # Errors
    /// The first error. What does not depend on it was done.
    pub async fn turn(&mut self) -> Result<Turned, Error> {
        self.round(&mut || false).await
    }

    /// What can be done now. If a part fails, the others are done all the same.
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
                // It is open: it goes on with the other cases.
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
            // It goes on when the holds are lifted.
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
        // Recorded before the case is opened, so that a process that dies in between opens no second one.
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

    /// The approved plan does not fit any more: a person has to look.
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

    /// Notes an event, unless another worker or a person has noted something since the request was read: then this
    /// worker leaves the request alone. `true`: it is noted.
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

    /// The pass over the texts of others, if its time has come. The cases then go on in the same turn.
    async fn mentions(&mut self, turned: &mut Turned) -> Result<(), Error> {
        let now = self.engine.parts.clock.now();
        let Some(due) = self.mentions.filter(|due| *due <= now) else { return Ok(()) };
        turned.redacted = self.engine.redact_mentions().await?.done;
        self.mentions = Some(next_day(due, now));
        Ok(())
    }

    /// Open cases whose time has come: those that were interrupted, and those that were put off.
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

    /// Records when the case is tried again. A case that waits for too long is blocked. `true`: it is blocked.
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
            // Another worker has the case by now, or it is closed.
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
            // A case that waits for a pass over the texts of others does not fail.
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
            // Whatever a party asks for: at the limit the case is looked at, and blocked.
            let last = TimeDelta::from_std(limit).ok().and_then(|limit| since.checked_add_signed(limit));
            let until = now.checked_add_signed(pause).unwrap_or(DateTime::<Utc>::MAX_UTC);
            let until = last.map_or(until, |last| until.min(last.max(now)));
            Event::PutOff(PutOff { step, since, tries: tries.saturating_add(1), until })
        };
        let event = CaseEvent { case: case.clone(), at: now, event };
        engine.parts.ledger.record(taken.fence, &[event]).await?;
        engine.parts.ledger.release(taken.fence, std::slice::from_ref(case)).await?;
        if is_over {
            tracing::warn!(%case, "case blocked: every attempt came to nothing");
        }
        Ok(is_over)
    }

    /// Work for which the host has named an instant.
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
                // From here on it is an open case like any other.
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

    /// The sweeps whose time has come.
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
                    // A mandate that does not hold any more does not hold in the next turn either.
                    if matches!(error, Error::Approval(_) | Error::NoSuchTenant { .. }) {
                        sweep.next = sweep.next_after(now);
                    }
                    tracing::error!(%error, "a sweep came to nothing");
                    first = first.and(Err(error));
                }
            }
        }
        self.sweeps = sweeps;
        first
    }

    /// One sweep. `false`: the worker was told to stop, and the next turn begins again.
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

    /// What is done once a day: warnings of what is due, and forgetting what need not be kept.
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
    /// A pause that is a quarter longer or shorter by chance. Without randomness it is as long as it is.
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
