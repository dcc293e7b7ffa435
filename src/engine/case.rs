//! The durable execution of approved plans, a batch at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};

use super::gateways::Accounts;
use super::outcomes::Turns;
use super::survey::{Before, CALLS, Surveyed};
use super::{Claim, Engine, Error, Outcome};
use crate::anonymise::{Seed, Unbound};
use crate::customer::{Customer, Expected, Status};
use crate::data_map::{Link, RecordClass};
use crate::digest::Digest;
use crate::gateway::GatewayError;
use crate::ledger::{
    CaseEvent, Certificate, Closing, DeactivationOutcome, Entry, Event, LedgerError, NewCase, Opened,
    Progress, SavedCase,
};
use crate::plan::{ApprovedPlan, Asked, Binding, CaseId, Decision, GuardFinding, Step, Tally};
use crate::policy::{Guard, Treatment, Trigger};
use crate::store::{Batch, Deactivated, Deactivation, EraseRequest, Erased, Reactivated, StoreError, Target};

/// How many parts of one customer's records are erased before the case is left to a resume.
pub(super) const MOST_ROUNDS: u32 = 10_000;

/// Why a step is not taken.
pub(super) struct Obstacle {
    pub(super) reason: String,
    /// A person may decide to do without the step. Not where a guard forbids the whole erasure.
    pub(super) waivable: bool,
}

impl Obstacle {
    pub(super) fn by_a_guard(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), waivable: false }
    }

    pub(super) fn at_the_step(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), waivable: true }
    }
}

/// Cases whose records are erased by the same treatment, as it stood on the same day.
type Group<'r, 'e> = (Arc<Treatment>, Vec<&'r mut Run<'e>>);

/// A case while it runs.
pub(super) struct Run<'e> {
    pub(super) new: NewCase,
    pub(super) progress: Progress,
    /// Fresh facts; none once the customer's own record is gone.
    pub(super) facts: Option<Customer>,
    /// Records per class that were read back at the end.
    pub(super) verified: Tally,
    outcome: Option<Outcome>,
    /// What happened and is not recorded yet: it goes into the next write, or is found again by whoever resumes.
    unsaved: Vec<Event>,
    _claim: Claim<'e>,
}

impl Run<'_> {
    pub(super) fn id(&self) -> &CaseId {
        &self.new.id
    }

    pub(super) fn binding(&self) -> &Binding {
        &self.new.binding
    }

    pub(super) fn is_active(&self) -> bool {
        self.outcome.is_none()
    }

    /// Its working memory is wiped.
    fn is_closed(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Erased(_) | Outcome::Superseded { .. }))
    }

    pub(super) fn end(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    pub(super) fn wait(&mut self, step: Step, error: &Error, retry_after: Option<Duration>) {
        self.end(Outcome::Waiting { case: self.id().clone(), step, reason: error.to_string(), retry_after });
    }

    /// Takes in what happened. [`Engine::save`] records it.
    pub(super) fn note(&mut self, event: Event) {
        self.progress.apply(&event);
        self.unsaved.push(event);
    }

    /// A guard that was clear when the plan was made, and forbids now.
    pub(super) fn guard_up(&self, facts: &Customer) -> Option<Guard> {
        self.binding()
            .guards()
            .iter()
            .find(|(guard, finding)| **finding == GuardFinding::Clear && guard.is_up(facts))
            .map(|(guard, _)| guard.clone())
    }

    /// Why the customer cannot be erased now: it is another one, a guard, or somebody brought them back.
    pub(super) fn changed(&self, facts: &Customer) -> Option<Obstacle> {
        let binding = self.binding();
        if facts.registered != binding.registered() || facts.tenant != *binding.tenant() {
            return Some(Obstacle::by_a_guard("another customer has this id now, and must not be touched"));
        }
        if let Some(guard) = self.guard_up(facts) {
            return Some(Obstacle::by_a_guard(format!("{}; {}", guard.why(), guard.way_out())));
        }
        let archived =
            self.progress.deactivation.is_some_and(|done| done != DeactivationOutcome::Unsupported);
        (archived && !facts.status.is_archived())
            .then(|| Obstacle::by_a_guard("the customer was brought back while the case was open"))
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
        // Claimed before they are open, so that a resume at the same time leaves them alone.
        let claims: Vec<_> = cases.iter().map(|case| self.claim(&case.id)).collect();
        let opened = self.parts.ledger.open(&cases).await?;
        let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(cases.len());
        let mut runs = Vec::with_capacity(cases.len());
        for ((case, opened), claim) in cases.into_iter().zip(opened).zip(claims) {
            match (opened, claim) {
                (Opened::Open, Some(claim)) => {
                    outcomes.push(None);
                    runs.push(run(SavedCase { new: case, events: Vec::new() }, claim));
                }
                (Opened::Conflict { case }, _) => outcomes.push(Some(Outcome::Conflict { case })),
                (Opened::Open, None) => outcomes.push(Some(Outcome::Conflict { case: case.id })),
            }
        }
        let mut ran = self.carry_out(runs, turns).await?.into_iter();
        Ok(outcomes.into_iter().filter_map(|outcome| outcome.or_else(|| ran.next())).collect())
    }

    pub(super) async fn carry_out(
        &self,
        mut runs: Vec<Run<'_>>,
        turns: &Turns,
    ) -> Result<Vec<Outcome>, Error> {
        if runs.is_empty() {
            return Ok(Vec::new());
        }
        self.bind_strategies(&mut runs).await?;
        self.decide_again(&mut runs).await?;
        self.stop_uncounted(&mut runs).await?;
        self.deactivate_all(&mut runs).await?;
        self.erase_at_gateways(&mut runs).await?;
        let groups = self.begin_records(&mut runs).await?;
        let turn = turns.lock().await;
        for (treatment, group) in groups {
            self.erase_group(&treatment, group).await?;
        }
        self.verify(&mut runs, turn).await?;
        self.close(&mut runs).await?;
        self.save(runs.iter_mut().filter(|run| !run.is_closed())).await?;
        Ok(runs
            .into_iter()
            .map(|run| {
                let unfinished = || Outcome::Waiting {
                    case: run.new.id.clone(),
                    step: Step::Verify,
                    reason: "it did not come to an end".to_owned(),
                    retry_after: None,
                };
                run.outcome.clone().unwrap_or_else(unfinished)
            })
            .collect())
    }

    /// A treatment that was saved gets the host's own strategies back. Where this program does not have them, a case
    /// that has begun is blocked, and one that has not is superseded when it is decided again.
    async fn bind_strategies(&self, runs: &mut [Run<'_>]) -> Result<(), Error> {
        let mut found = BTreeMap::<Digest, Result<Arc<Treatment>, Unbound>>::new();
        for run in runs.iter_mut().filter(|run| run.new.treatment.is_unbound()) {
            let treatment = &run.new.treatment;
            let bound = found
                .entry(run.new.binding.treatment_digest())
                .or_insert_with(|| treatment.bind(&self.parts.strategies).map(Arc::new));
            match bound {
                Ok(bound) => run.new.treatment = Arc::clone(bound),
                Err(unbound) if run.progress.irreversible => {
                    let obstacle = Obstacle::by_a_guard(unbound.to_string());
                    self.block(run, Step::Records, obstacle).await?;
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// What the census does not allow waits until one does: nothing more is touched.
    async fn stop_uncounted(&self, runs: &mut [Run<'_>]) -> Result<(), Error> {
        let counted = match self.counted(self.parts.clock.now()).await {
            Ok(counted) => counted,
            Err(Error::Store(error)) => {
                wait_all(runs, &Step::Deactivate, error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for run in runs.iter_mut().filter(|run| run.is_active()) {
            if let Err(error) = counted.allows(&run.new.treatment) {
                run.wait(Step::Deactivate, &error, None);
            }
        }
        Ok(())
    }

    /// Step 2: the decision on fresh facts has to be the one that was approved.
    async fn decide_again(&self, runs: &mut [Run<'_>]) -> Result<(), Error> {
        let ids: Vec<_> = runs.iter().map(|run| run.new.customer().clone()).collect();
        let mut facts = match self.facts(&ids).await {
            Ok(facts) => facts,
            Err(error) => {
                wait_all(runs, &Step::Deactivate, error);
                return Ok(());
            }
        };
        let accounts = Accounts::of(self);
        let accounts = &accounts;
        let mut asking: Vec<BoxFuture<'_, Result<Option<Customer>, GatewayError>>> =
            Vec::with_capacity(runs.len());
        for run in runs.iter() {
            asking.push(match facts.remove(run.new.customer()) {
                Some(facts) if !run.progress.irreversible => {
                    Box::pin(async move { self.with_gateways(facts, accounts).await.map(Some) })
                }
                facts => Box::pin(std::future::ready(Ok(facts))),
            });
        }
        let fresh: Vec<_> = stream::iter(asking).buffered(CALLS).collect().await;
        for (run, facts) in runs.iter_mut().zip(fresh) {
            match facts {
                // From here on it only goes forward, and by the map under which it was begun.
                Ok(_)
                    if run.progress.irreversible
                        && run.binding().data_map() != self.parts.policy.map_digest() =>
                {
                    let reason =
                        "the data map is not the one under which this case was begun; bring that one back";
                    self.block(run, Step::Records, Obstacle::by_a_guard(reason)).await?;
                }
                Ok(facts) => run.facts = facts,
                Err(error) => wait_for_gateway(run, Step::Deactivate, error),
            }
        }
        let keys = self.keys().await?;
        let undecided = |run: &&mut Run<'_>| run.is_active() && !run.progress.irreversible;
        let mut before = self
            .treated_before(&keys, &runs.iter().filter_map(|run| run.facts.as_ref()).collect::<Vec<_>>())
            .await?;
        for run in runs.iter_mut().filter(undecided) {
            let done = run.facts.as_ref().and_then(|facts| before.remove(&facts.id)).unwrap_or_default();
            // Somebody else has closed this very case since it was read.
            let is_this = |entry: &&Entry| entry.closed().is_some_and(|closed| closed.case == *run.id());
            let ended = done.entries.iter().find(is_this).and_then(|entry| outcome_of(entry, &run.new));
            if let Some(outcome) = ended {
                run.end(outcome);
                continue;
            }
            match self.decide_one(run, done).await {
                Ok(Some(reason)) => self.supersede(run, reason).await?,
                Ok(None) => {}
                // One whose records cannot be counted says nothing of the others.
                Err(error @ Error::Store(_)) => run.wait(Step::Deactivate, &error, None),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The reason why the plan no longer holds, if it does not.
    async fn decide_one(&self, run: &Run<'_>, before: Before) -> Result<Option<String>, Error> {
        let Some(mut facts) = run.facts.clone() else {
            return Ok(Some("there is no such customer any more".to_owned()));
        };
        let now = self.parts.clock.now();
        // An approval that has expired while the case waited is none, and one is used once.
        if let Err(error) = run.new.approval.valid_at(now) {
            return Ok(Some(error.to_string()));
        }
        let approval = &run.new.approval;
        if before.used.contains(&(approval.digest(), approval.approved_at())) {
            return Ok(Some("the approval was used for another case before; approve a new plan".to_owned()));
        }
        if run.new.treatment.is_unbound()
            && let Err(unbound) = run.new.treatment.bind(&self.parts.strategies)
        {
            return Ok(Some(format!("{unbound}, or plan again under the policy of today")));
        }
        let binding = run.binding();
        // Our own deactivation, found after an interruption, is no change.
        if let Some((status, _)) = run.progress.before.as_ref().filter(|_| facts.status == Status::Archived) {
            facts.status = *status;
        }
        let asked = match binding.trigger() {
            // Nobody has asked anew, and the schedule comes back for it.
            _ if binding.is_deferred() => Asked::Sweep,
            Trigger::Requested => Asked::Request { treatment: Some(binding.treatment().clone()) },
            Trigger::Listed => Asked::List,
            _ => Asked::Sweep,
        };
        let mut surveyed = [Ok(Surveyed::new(&self.parts.policy, facts, &asked, before.treated, now))];
        if surveyed.iter().flatten().any(|one| !one.before.is_empty()) {
            self.settle(&mut surveyed, &asked, now).await?;
        }
        let [one] = surveyed;
        let Surveyed { decision, facts, .. } = one?;
        let due = match decision {
            Decision::Due(due) => due,
            other => return Ok(Some(other.to_string())),
        };
        // The approval is of the binding's digest: bindings that are equal have the same one.
        let now_binds = Binding::draft(&self.parts.policy, self.data_map(), &facts, &due);
        let holds = now_binds.is_some_and(|now_binds| now_binds == *binding);
        let changed = "what the decision depended on has changed; plan again and approve the new plan";
        Ok((!holds).then(|| changed.to_owned()))
    }

    /// Ends a case in which nothing irreversible was begun.
    async fn supersede(&self, run: &mut Run<'_>, reason: String) -> Result<(), Error> {
        if let Err(error) = self.take_back(&run.new, &run.progress).await {
            run.wait(Step::Deactivate, &error, None);
            return Ok(());
        }
        let key = self.current_key().await?;
        let closed = self.closed(&run.new, Closing::Superseded { reason: reason.clone() }, &key);
        self.parts.ledger.close(&[closed]).await?;
        run.end(Outcome::Superseded { case: run.id().clone(), reason });
        Ok(())
    }

    /// Takes our own deactivation back, if there was one.
    pub(super) async fn take_back(&self, case: &NewCase, progress: &Progress) -> Result<(), Error> {
        let ours = match progress.deactivation {
            Some(outcome) => outcome == DeactivationOutcome::Done,
            // The intent is there and the answer was lost.
            None => true,
        };
        let Some((_, before)) = progress.before.as_ref().filter(|_| ours) else { return Ok(()) };
        match self.reactivate(case.customer(), before.clone()).await? {
            // Not archived: the write never came, or somebody brought the customer back. Both are as wished.
            Reactivated::Done | Reactivated::Changed | Reactivated::Missing | Reactivated::Unsupported => {
                Ok(())
            }
        }
    }

    /// Step 3.
    async fn deactivate_all(&self, runs: &mut [Run<'_>]) -> Result<(), Error> {
        let at = self.parts.clock.now();
        let mut todo: Vec<&mut Run<'_>> =
            runs.iter_mut().filter(|run| run.is_active() && run.progress.deactivation.is_none()).collect();
        if !self.supports_deactivation() {
            for run in todo {
                run.progress.deactivation = Some(DeactivationOutcome::Unsupported);
            }
            return Ok(());
        }
        let mut batch = Vec::new();
        // An intent from before an interruption: our own write may have come through.
        let interrupted: BTreeSet<CaseId> =
            todo.iter().filter(|run| run.progress.before.is_some()).map(|run| run.id().clone()).collect();
        for run in &mut todo {
            let Some(facts) = run.facts.as_ref() else { continue };
            if run.progress.before.is_none() && !facts.status.is_archived() {
                let event = Event::Deactivating { status: facts.status, before: facts.former_status.clone() };
                run.note(event);
            }
        }
        self.save(todo.iter_mut().map(|run| &mut **run)).await?;
        todo.retain(|run| run.is_active());
        for run in &todo {
            if let Some(facts) = run.facts.as_ref() {
                let customer = run.new.customer().clone();
                batch.push(Deactivation { customer, expected: facts.expected(), at });
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        let answers = match self.parts.store.deactivate(&batch).await {
            Ok(answers) => answers,
            Err(error) => {
                wait_all(todo, &Step::Deactivate, error);
                return Ok(());
            }
        };
        let mut answers = answers.into_iter();
        for run in todo.into_iter().filter(|run| run.facts.is_some()) {
            let outcome = match answers.next() {
                Some(Ok(Deactivated::Done { .. })) => DeactivationOutcome::Done,
                // With our intent recorded, an archived customer is our own write, found after a crash.
                Some(Ok(Deactivated::Already)) if interrupted.contains(run.id()) => DeactivationOutcome::Done,
                Some(Ok(Deactivated::Already)) => DeactivationOutcome::Already,
                Some(Ok(Deactivated::Unsupported)) => DeactivationOutcome::Unsupported,
                Some(Ok(Deactivated::Changed)) => {
                    self.supersede(run, "the customer changed in the meantime; plan again".to_owned())
                        .await?;
                    continue;
                }
                Some(Ok(Deactivated::Missing)) => {
                    self.supersede(run, "there is no such customer any more".to_owned()).await?;
                    continue;
                }
                Some(Err(error)) if error.is_transient() => {
                    run.wait(Step::Deactivate, &error.into(), None);
                    continue;
                }
                Some(Err(error)) => {
                    self.block(run, Step::Deactivate, Obstacle::at_the_step(error.to_string())).await?;
                    continue;
                }
                None => {
                    run.wait(Step::Deactivate, &not_tried().into(), None);
                    continue;
                }
            };
            if let Some(facts) = run.facts.as_mut().filter(|_| outcome == DeactivationOutcome::Done) {
                facts.status = Status::Archived;
            }
            tracing::info!(case = %run.id(), "deactivated");
            // Recorded with the next intent. Whoever resumes before that finds the intent, and our own write.
            run.note(Event::Deactivated(outcome));
        }
        Ok(())
    }

    /// The beginning of step 5: guards are looked at once more, and it is recorded what will be erased, before it is this
    /// batch's turn. Gives the cases that go on, in groups that share treatment and day.
    async fn begin_records<'r, 'e>(&self, runs: &'r mut [Run<'e>]) -> Result<Vec<Group<'r, 'e>>, Error> {
        let mut groups = BTreeMap::<(Digest, NaiveDate), Group<'r, 'e>>::new();
        for run in runs.iter_mut().filter(|run| run.is_active() && run.progress.records_done.is_none()) {
            let (digest, treatment) = self.dated(&run.new);
            let key = (digest, run.new.opened_at.date_naive());
            groups.entry(key).or_insert_with(|| (treatment, Vec::new())).1.push(run);
        }
        let mut begun = Vec::with_capacity(groups.len());
        for (treatment, group) in groups.into_values() {
            let mut todo = Vec::with_capacity(group.len());
            for run in group {
                // From the first irreversible step on nothing is decided again, but guards still stop a step.
                match run.facts.as_ref().and_then(|facts| run.changed(facts)) {
                    Some(obstacle) => self.stop(run, Step::Records, obstacle).await?,
                    None => todo.push(run),
                }
            }
            if treatment.redacts() || self.keeps_by_value(&treatment) {
                todo = self.count_before(&treatment, todo).await?;
            }
            for run in &mut todo {
                run.note(Event::Erasing(Step::Records));
            }
            self.save(todo.iter_mut().map(|run| &mut **run)).await?;
            todo.retain(|run| run.is_active());
            begun.push((treatment, todo));
        }
        Ok(begun)
    }

    /// Step 5, for a group.
    async fn erase_group(
        &self,
        treatment: &Arc<Treatment>,
        mut todo: Vec<&mut Run<'_>>,
    ) -> Result<(), Error> {
        let mut seed = [0; 32];
        self.parts.entropy.fill(&mut seed)?;
        let seed = Seed::new(seed);
        let mut rounds = 0_u32;
        while let Some(first) = todo.first() {
            rounds += 1;
            if rounds > MOST_ROUNDS {
                // The case stays open and resumes from here; a store that never comes to an end is seen.
                wait_all(
                    todo,
                    &Step::Records,
                    StoreError::Contended { doing: "erasing records, part by part" },
                );
                return Ok(());
            }
            let targets = todo.iter().map(|run| target(run)).collect();
            let request =
                EraseRequest::new(targets, Arc::clone(treatment), seed.clone(), first.new.opened_at);
            let answers = match self.parts.store.erase(&request).await {
                Ok(answers) => answers,
                Err(error @ StoreError::Treatment { .. }) => {
                    for run in todo {
                        self.refused(run, error.to_string()).await?;
                    }
                    return Ok(());
                }
                Err(error) => {
                    wait_all(todo, &Step::Records, error);
                    return Ok(());
                }
            };
            todo = self.take_answers(todo, answers).await?;
        }
        Ok(())
    }

    /// Whether a duty may keep records that are found by a value. Once the customer's own value is gone, they are not found.
    fn keeps_by_value(&self, treatment: &Treatment) -> bool {
        let keeps = treatment.classes().values().any(|class| !class.under_duty().is_empty());
        keeps && self.data_map().classes().flat_map(RecordClass::links).any(Link::is_by_value)
    }

    /// Counts for the certificate what nobody can tell afterwards: mentions that are not certain, and what duties keep of
    /// records that are found by a value. Gives back those of whom it was counted.
    async fn count_before<'r, 'e>(
        &self,
        treatment: &Arc<Treatment>,
        runs: Vec<&'r mut Run<'e>>,
    ) -> Result<Vec<&'r mut Run<'e>>, Error> {
        let by_value = self.keeps_by_value(treatment);
        // Of the others it was recorded before they were erased.
        let (uncounted, mut counted): (Vec<_>, Vec<_>) =
            runs.into_iter().partition(|run| run.progress.records_begun == 0);
        if uncounted.is_empty() {
            return Ok(counted);
        }
        let customers = uncounted.iter().map(|run| run.new.customer().clone()).collect();
        let mut answers = match self.tally(customers, treatment).await {
            Ok(answers) => answers.into_iter(),
            Err(Error::Store(error)) => {
                wait_all(uncounted, &Step::Records, error);
                return Ok(counted);
            }
            Err(error) => return Err(error),
        };
        for run in uncounted {
            match answers.next() {
                Some(Ok(tally)) => {
                    if !tally.uncertain.is_empty() {
                        run.note(Event::Uncertain(tally.uncertain));
                    }
                    if by_value && tally.kept.values().any(|kept| kept.rows > 0) {
                        run.note(Event::Keeping(tally.kept));
                    }
                    counted.push(run);
                }
                Some(Err(error)) if error.is_transient() => run.wait(Step::Records, &error.into(), None),
                // A record that cannot be read is no better read later.
                Some(Err(error)) => {
                    self.block(run, Step::Records, Obstacle::at_the_step(error.to_string())).await?;
                }
                None => run.wait(Step::Records, &not_tried().into(), None),
            }
        }
        Ok(counted)
    }

    /// Takes the store's answers in, and gives back those of whom there is more to do.
    async fn take_answers<'r, 'e>(
        &self,
        runs: Vec<&'r mut Run<'e>>,
        answers: Batch<Erased>,
    ) -> Result<Vec<&'r mut Run<'e>>, Error> {
        let mut answers = answers.into_iter();
        let mut more = Vec::new();
        for run in runs {
            // A second try cannot tell what the first one did.
            let first_try = run.progress.records_begun == 1;
            let event = match answers.next() {
                Some(Ok(Erased::Done(counts))) => Event::RecordsDone(first_try.then_some(counts)),
                Some(Ok(Erased::More(counts))) if counts.classes.values().any(|count| *count > 0) => {
                    run.note(Event::RecordsPart(counts));
                    more.push(run);
                    continue;
                }
                Some(Ok(Erased::More(_))) => {
                    let reason = "the store says there is more to do, and does none of it";
                    self.block(run, Step::Records, Obstacle::at_the_step(reason)).await?;
                    continue;
                }
                Some(Ok(Erased::Missing)) if !first_try || run.facts.is_none() => Event::RecordsDone(None),
                // The store has touched nothing. Nor have we, unless a gateway was asked or this is a second try.
                Some(Ok(Erased::Changed)) if first_try && !run.progress.gateway_begun => {
                    self.supersede(run, "the customer changed in the meantime; plan again".to_owned())
                        .await?;
                    continue;
                }
                Some(Ok(answer @ (Erased::Changed | Erased::Missing))) => {
                    let reason = match answer {
                        Erased::Missing => {
                            "there is no such customer any more, and it was not this case that erased them"
                        }
                        _ => "the customer changed in the meantime",
                    };
                    self.block(run, Step::Records, Obstacle::by_a_guard(reason)).await?;
                    continue;
                }
                Some(Err(error)) if error.is_transient() => {
                    run.wait(Step::Records, &error.into(), None);
                    continue;
                }
                Some(Err(error)) => {
                    self.refused(run, error.to_string()).await?;
                    continue;
                }
                None => {
                    run.wait(Step::Records, &not_tried().into(), None);
                    continue;
                }
            };
            tracing::info!(case = %run.id(), "records erased");
            // Recorded by the close. Whoever resumes before that erases again, which does nothing, and reads back.
            run.note(event);
        }
        self.save(more.iter_mut().map(|run| &mut **run)).await?;
        more.retain(|run| run.is_active());
        Ok(more)
    }

    /// The store refused a customer's records and, as its contract says, has touched none of them.
    async fn refused(&self, run: &mut Run<'_>, reason: String) -> Result<(), Error> {
        run.note(Event::RecordsRefused);
        run.note(Event::Blocked { step: Step::Records, reason: reason.clone(), waivable: false });
        self.save([&mut *run]).await?;
        if !run.is_active() {
            return Ok(());
        }
        tracing::warn!(case = %run.id(), "the store refused");
        run.end(Outcome::Blocked { case: run.id().clone(), step: Step::Records, reason });
        Ok(())
    }

    /// A guard went up: superseded if nothing was begun, blocked otherwise.
    pub(super) async fn stop(&self, run: &mut Run<'_>, step: Step, obstacle: Obstacle) -> Result<(), Error> {
        if run.progress.irreversible {
            self.block(run, step, obstacle).await
        } else {
            self.supersede(run, obstacle.reason).await
        }
    }

    pub(super) async fn block(&self, run: &mut Run<'_>, step: Step, obstacle: Obstacle) -> Result<(), Error> {
        let Obstacle { reason, waivable } = obstacle;
        run.note(Event::Blocked { step: step.clone(), reason: reason.clone(), waivable });
        self.save([&mut *run]).await?;
        if !run.is_active() {
            return Ok(());
        }
        tracing::warn!(case = %run.id(), %step, "case blocked");
        run.end(Outcome::Blocked { case: run.id().clone(), step, reason });
        Ok(())
    }

    /// Records what happened in these cases, in one write. One that somebody else has closed meanwhile ends as they
    /// ended it: a write of an engine that was dropped may still have been on its way.
    pub(super) async fn save<'r, 'e: 'r>(
        &self,
        runs: impl IntoIterator<Item = &'r mut Run<'e>>,
    ) -> Result<(), Error> {
        let at = self.parts.clock.now();
        let mut runs: Vec<&mut Run<'_>> = runs.into_iter().filter(|run| !run.unsaved.is_empty()).collect();
        while !runs.is_empty() {
            let mut events = Vec::new();
            for run in &runs {
                let event = |event: &Event| CaseEvent { case: run.id().clone(), at, event: event.clone() };
                events.extend(run.unsaved.iter().map(event));
            }
            let gone = match self.parts.ledger.record(&events).await {
                Ok(()) => {
                    for run in &mut runs {
                        run.unsaved.clear();
                    }
                    return Ok(());
                }
                Err(LedgerError::NoSuchCase { case }) => case,
                Err(error) => return Err(error.into()),
            };
            let entry = self.parts.ledger.entry(&gone).await?;
            let (mine, others): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| *run.id() == gone);
            for run in mine {
                let ended = entry.as_ref().and_then(|entry| outcome_of(entry, &run.new));
                run.end(ended.ok_or_else(|| LedgerError::NoSuchCase { case: gone.clone() })?);
                run.unsaved.clear();
            }
            runs = others;
        }
        Ok(())
    }

    pub(super) fn case_id(&self) -> Result<CaseId, Error> {
        let mut bytes = [0; 16];
        self.parts.entropy.fill(&mut bytes)?;
        Ok(CaseId::new(hex::encode(bytes)))
    }
}

/// Lets whatever else is ready go on first.
pub(super) async fn after_the_others() {
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

pub(super) fn run(saved: SavedCase, claim: Claim<'_>) -> Run<'_> {
    let progress = saved.progress();
    Run {
        new: saved.new,
        progress,
        facts: None,
        verified: Tally::default(),
        outcome: None,
        unsaved: Vec::new(),
        _claim: claim,
    }
}

/// How a case ended that is closed.
fn outcome_of(entry: &Entry, case: &NewCase) -> Option<Outcome> {
    let closed = entry.closed()?;
    Some(match &closed.closing {
        Closing::Erased(_) => {
            Outcome::Erased(Box::new(Certificate::of(entry.seq, closed, &case.treatment, None)?))
        }
        Closing::Superseded { reason } | Closing::Cancelled { reason, .. } => {
            Outcome::Superseded { case: closed.case.clone(), reason: reason.clone() }
        }
    })
}

fn target(run: &Run<'_>) -> Target {
    let gone = || Expected { revision: Customer::new("", "").revision(), status: Status::Archived };
    Target {
        customer: run.new.customer().clone(),
        tenant: run.new.tenant().clone(),
        expected: run.facts.as_ref().map_or_else(gone, Customer::expected),
    }
}

pub(super) fn not_tried() -> StoreError {
    StoreError::failed("answering", "the store did not answer for this customer; it was not tried")
}

/// The store cannot be reached, or fails: every case stays as it is, to be resumed.
pub(super) fn wait_all<'r, 'e: 'r>(
    runs: impl IntoIterator<Item = &'r mut Run<'e>>,
    step: &Step,
    error: StoreError,
) {
    let error = Error::from(error);
    for run in runs {
        run.wait(step.clone(), &error, None);
    }
}

pub(super) fn wait_for_gateway(run: &mut Run<'_>, step: Step, error: GatewayError) {
    let retry_after = error.retry_after();
    run.wait(step, &error.into(), retry_after);
}
