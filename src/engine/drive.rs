//! The loop that carries out cases: *next → perform → record*, one batch at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;

use chrono::{DateTime, NaiveDate, Utc};
use futures_util::lock::MutexGuard;

use super::outcomes::Turns;
use super::run::{Run, Work, lost_case};
use super::steps;
use super::work::ErasureWork;
use super::{Engine, Error, Outcome};
use crate::case::{Event, Next, Obstacle, OutOfOrder, SupersedeReason};
use crate::customer::TenantId;
use crate::digest::Digest;
use crate::hex;
use crate::ledger::{CaseEvent, Closing, NewCase, Opened, OpenedCases, SavedCase, Task};
use crate::plan::{ApprovedPlan, CaseId, Step};
use crate::treatment::Treatment;

/// What the cases of a batch share while they run.
pub(super) struct Batch<'t> {
    turns: &'t Turns,
    /// The lock on erasing. The batch holds it from the first erased record until all records are read back.
    turn: Option<MutexGuard<'t, ()>>,
    /// Dated treatments, by tenant, by the plain treatment's digest, and by day.
    dated: BTreeMap<(TenantId, Digest, NaiveDate), (Digest, Arc<Treatment>)>,
}

impl<'t> Batch<'t> {
    fn new(turns: &'t Turns) -> Self {
        Self { turns, turn: None, dated: BTreeMap::new() }
    }

    /// Waits until no other batch is erasing or reading back records.
    pub(super) async fn take_turn(&mut self) {
        if self.turn.is_none() {
            self.turn = Some(self.turns.lock().await);
        }
    }

    /// Lets the next batch erase its records before this batch is closed.
    pub(super) async fn end_turn(&mut self) {
        if self.turn.take().is_some() {
            after_the_others().await;
        }
    }

    /// A case's treatment, dated for the day on which the case was opened, with its digest. Records that a duty kept
    /// on that day are kept until the case ends, even if the case waits for a long time.
    pub(super) fn date(
        &mut self,
        engine: &Engine,
        run: &mut Run<'_, ErasureWork>,
    ) -> (Digest, Arc<Treatment>) {
        if let Some(dated) = &run.work.dated {
            return dated.clone();
        }
        let (tenant, opened_at) = (run.binding().tenant(), run.new.opened_at);
        let plain = run.binding().treatment_digest();
        let key = (tenant.clone(), plain, run.work.treatment.day(opened_at));
        let dated = self.dated.entry(key).or_insert_with(|| {
            let dated = engine.parts.policy.dated(tenant, &run.work.treatment, opened_at);
            (if dated.has_duties() { dated.digest() } else { plain }, dated)
        });
        let dated = dated.clone();
        run.work.dated.insert(dated).clone()
    }
}

impl Engine {
    pub(super) async fn open_and_run(
        &self,
        plans: &[ApprovedPlan],
        now: DateTime<Utc>,
        turns: &Turns,
    ) -> Result<Vec<Outcome>, Error> {
        let mut cases = Vec::with_capacity(plans.len());
        for plan in plans {
            cases.push(NewCase::new(self.case_id()?, plan, now));
        }
        self.open_and_drive(cases, now, turns).await
    }

    /// Opens cases of erasures under their ids, and carries them out.
    pub(super) async fn open_and_drive(
        &self,
        cases: Vec<NewCase>,
        now: DateTime<Utc>,
        turns: &Turns,
    ) -> Result<Vec<Outcome>, Error> {
        let work = |case: &NewCase| match &case.task {
            Task::Erasure(erasure) => Some(ErasureWork::new(erasure)),
            _ => None,
        };
        let (runs, outcomes) = self.open(cases, now, work).await?;
        let mut ran = self.drive(runs, turns).await?.into_iter().map(|(_, outcome)| outcome);
        Ok(outcomes.into_iter().filter_map(|outcome| outcome.or_else(|| ran.next())).collect())
    }

    /// Opens cases. Returns the runs of the open cases, and one outcome per case, in order. The outcome is `None` for
    /// a case that runs.
    pub(super) async fn open<W: Work>(
        &self,
        cases: Vec<NewCase>,
        now: DateTime<Utc>,
        mut work: impl FnMut(&NewCase) -> Option<W>,
    ) -> Result<(Vec<Run<'_, W>>, Vec<Option<Outcome>>), Error> {
        self.begin_marking().await?;
        // The cases are claimed before they are opened, so that a simultaneous resume ignores them.
        let claims: Vec<_> = cases.iter().map(|case| self.claim(&case.id)).collect();
        let OpenedCases { fence, cases: opened } = self.parts.ledger.open(&cases, &self.parts.lease).await?;
        let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(cases.len());
        let mut runs = Vec::with_capacity(cases.len());
        for ((case, opened), claim) in cases.into_iter().zip(opened).zip(claims) {
            match (opened, claim, work(&case)) {
                (Opened::Open, Some(claim), Some(work)) => {
                    outcomes.push(None);
                    let saved = SavedCase { new: case, events: Vec::new() };
                    runs.push(Run::new(saved, work, fence, now, claim)?);
                }
                (Opened::Conflict { case }, _, _) => outcomes.push(Some(Outcome::Conflict { case })),
                (Opened::Open, _, _) => outcomes.push(Some(Outcome::Conflict { case: case.id })),
            }
        }
        Ok((runs, outcomes))
    }

    /// Carries out cases until each has ended or rests.
    pub(super) async fn drive<W: Work>(
        &self,
        mut runs: Vec<Run<'_, W>>,
        turns: &Turns,
    ) -> Result<Vec<(NewCase, Outcome)>, Error> {
        self.drive_to(&mut runs, turns, |_| false).await?;
        self.let_go(&mut runs).await?;
        let ended = |run: Run<'_, W>| run.outcome.map(|outcome| (run.new, outcome));
        Ok(runs.into_iter().filter_map(ended).collect())
    }

    /// Carries out cases until each has ended, rests, or has reached an action before which it must stop.
    pub(super) async fn drive_to<W: Work>(
        &self,
        runs: &mut [Run<'_, W>],
        turns: &Turns,
        is_end: impl Fn(&Next) -> bool,
    ) -> Result<(), Error> {
        let mut batch = Batch::new(turns);
        // Cases at earlier steps go first, so that one request can serve the whole batch where possible.
        let next = |run: &Run<'_, W>| run.next().filter(|next| !is_end(next));
        while let Some(next) = runs.iter().filter_map(next).min() {
            let mut waiting: Vec<_> = runs.iter_mut().filter(|run| is_now(run, &next)).collect();
            for run in &mut waiting {
                run.moved = false;
            }
            self.perform(&next, waiting, &mut batch).await?;
            for run in runs.iter_mut().filter(|run| !run.moved && run.next().as_ref() == Some(&next)) {
                run.end(Outcome::Waiting {
                    case: run.id().clone(),
                    step: if let Next::Take(step) = &next { step.clone() } else { Step::Verify },
                    reason: "the step came to no end".to_owned(),
                    retry_after: None,
                });
            }
        }
        Ok(())
    }

    /// Makes the checks before one step of a case, and carries out the step. Returns the outcome, or `None` if there
    /// is more to do.
    pub(super) async fn one_step<W: Work>(&self, run: Run<'_, W>) -> Result<Option<Outcome>, Error> {
        let turns = Turns::default();
        let mut batch = Batch::new(&turns);
        let mut runs = [run];
        while let [run] = &mut runs
            && let Some(next) = run.next()
        {
            let before = run.progress.clone();
            self.perform(&next, vec![run], &mut batch).await?;
            // A step with nothing to do does not count as the one step.
            if run.progress != before && run.next() != Some(Next::Close) {
                break;
            }
        }
        drop(batch);
        self.let_go(&mut runs).await?;
        let [run] = runs;
        Ok(run.outcome)
    }

    /// Records all events that are not recorded yet, and releases the claims on open cases.
    pub(super) async fn let_go<W: Work>(&self, runs: &mut [Run<'_, W>]) -> Result<(), Error> {
        self.save(runs.iter_mut().filter(|run| !run.is_closed())).await?;
        let open: Vec<_> = runs.iter().filter(|run| !run.is_closed()).collect();
        if let Some(fence) = open.first().map(|run| run.fence) {
            let cases: Vec<_> = open.iter().map(|run| run.id().clone()).collect();
            self.parts.ledger.release(fence, &cases).await?;
        }
        Ok(())
    }

    async fn perform<W: Work>(
        &self,
        next: &Next,
        mut runs: Vec<&mut Run<'_, W>>,
        batch: &mut Batch<'_>,
    ) -> Result<(), Error> {
        if let Next::Decide | Next::Take(_) = next {
            self.rest_held(runs.iter_mut().map(|run| &mut **run)).await?;
            runs.retain(|run| run.is_active());
        }
        match next {
            Next::Rest => {
                for run in runs {
                    if let Some(Obstacle { step, reason, .. }) = run.progress.blocked().cloned() {
                        run.end(Outcome::Blocked {
                            case: run.id().clone(),
                            step,
                            reason: reason.to_string(),
                            reversible: !run.progress.is_irreversible(),
                        });
                    }
                }
                Ok(())
            }
            Next::Decide => W::decide(self, batch, runs).await,
            Next::Take(step) => {
                if let Some(performer) = W::performer(step) {
                    return performer.perform(self, batch, runs).await;
                }
                let none = || OutOfOrder::NoSuchStep { step: step.clone() };
                runs.first().map_or(Ok(()), |run| Err(run.out_of_order(none())))
            }
            Next::Close => {
                batch.end_turn().await;
                W::close(self, runs).await
            }
        }
    }

    /// Stops a case because something forbids the step. If no irreversible step was begun, the case is superseded.
    /// Otherwise it is blocked.
    pub(super) async fn stop<W: Work>(
        &self,
        run: &mut Run<'_, W>,
        step: Step,
        because: SupersedeReason,
    ) -> Result<(), Error> {
        if run.progress.is_irreversible() {
            // A person may skip a step at an outside party that has no adapter. No other step can be skipped.
            let waivable =
                matches!(because, SupersedeReason::NoAdapter { .. } | SupersedeReason::NoRecipient { .. });
            self.block(run, Obstacle { step, reason: because.into(), waivable }).await
        } else {
            self.supersede(run, because).await
        }
    }

    pub(super) async fn block<W: Work>(&self, run: &mut Run<'_, W>, obstacle: Obstacle) -> Result<(), Error> {
        run.note(Event::Blocked(obstacle.clone()))?;
        self.save([&mut *run]).await?;
        if !run.is_active() {
            return Ok(());
        }
        let Obstacle { step, reason, .. } = obstacle;
        let reason = reason.to_string();
        tracing::warn!(case = %run.id(), %step, "case blocked");
        let reversible = !run.progress.is_irreversible();
        run.end(Outcome::Blocked { case: run.id().clone(), step, reason, reversible });
        Ok(())
    }

    /// Ends a case in which nothing irreversible was begun.
    pub(super) async fn supersede<W: Work>(
        &self,
        run: &mut Run<'_, W>,
        because: SupersedeReason,
    ) -> Result<(), Error> {
        if let Err(error) = self.take_back(&run.new, &run.progress).await {
            run.wait(Step::Deactivate, &error, None);
            return Ok(());
        }
        let closed = self.closed(&run.new, Closing::Superseded { because }).await?;
        self.close_all(vec![(run, closed)]).await
    }

    /// Records what happened in these cases, in one write. If another worker has closed a case in the meantime, the
    /// case ends as that worker recorded it. This also happens if a write of a dropped engine arrives late.
    pub(super) async fn save<'r, 'e: 'r, W: Work>(
        &self,
        runs: impl IntoIterator<Item = &'r mut Run<'e, W>>,
    ) -> Result<(), Error> {
        let at = self.parts.clock.now();
        let mut runs: Vec<&mut Run<'_, W>> = runs.into_iter().filter(|run| !run.unsaved.is_empty()).collect();
        while !runs.is_empty() {
            let mut events = Vec::new();
            for run in &runs {
                let event = |event: &Event| CaseEvent { case: run.id().clone(), at, event: event.clone() };
                events.extend(run.unsaved.iter().map(event));
            }
            let Some(fence) = runs.first().map(|run| run.fence) else { return Ok(()) };
            let lost = match self.parts.ledger.record(fence, &events).await {
                Ok(()) => {
                    for run in &mut runs {
                        run.unsaved.clear();
                        run.renewed = at;
                    }
                    return Ok(());
                }
                Err(error) => lost_case(error)?,
            };
            let (mine, others): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| *run.id() == lost);
            for run in mine {
                self.end_as_found(run).await?;
            }
            runs = others;
        }
        Ok(())
    }

    /// Ends the run of a case that another worker has claimed or closed. The outcome is the other worker's result, or
    /// "taken over".
    pub(super) async fn end_as_found<W: Work>(&self, run: &mut Run<'_, W>) -> Result<(), Error> {
        let entry = self.parts.ledger.entry(run.id()).await?;
        let ended = entry.as_ref().and_then(|entry| W::outcome(run, entry));
        run.end(ended.unwrap_or_else(|| Outcome::TakenOver { case: run.id().clone() }));
        run.unsaved.clear();
        Ok(())
    }

    pub(super) fn case_id(&self) -> Result<CaseId, Error> {
        let mut bytes = [0; 16];
        self.parts.entropy.fill(&mut bytes)?;
        Ok(CaseId::new(hex::encode(bytes)))
    }
}

/// Whether a case takes part in the next step. All gateways are asked together, even if the cases begin with
/// different gateways.
fn is_now<W>(run: &Run<'_, W>, next: &Next) -> bool {
    match (run.next(), next) {
        (Some(Next::Take(mine)), Next::Take(step)) => steps::are_alike(&mine, step),
        (mine, next) => mine.as_ref() == Some(next),
    }
}

/// Lets other tasks that are ready continue first.
async fn after_the_others() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
