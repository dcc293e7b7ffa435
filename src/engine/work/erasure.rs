//! The erasure of a customer. The decision on fresh facts must equal the approved decision.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::anonymise::Unbound;
use crate::case::{DeactivationOutcome, Hindrance, Progress, SupersedeReason};
use crate::customer::{Customer, Expected, GatewayName, HoldId, Status};
use crate::digest::Digest;
use crate::engine::drive::Batch;
use crate::engine::run::{Run, Work, by_a_guard, wait_all};
use crate::engine::steps::{self, Perform};
use crate::engine::survey::{Before, Surveyed};
use crate::engine::{Engine, Error, Outcome};
use crate::ledger::{Certificate, Closing, Entry, Erasure, NewCase};
use crate::plan::{Asked, Binding, Decision, GuardFinding, Mandate, Step};
use crate::policy::{Guard, Trigger};
use crate::store::{Reactivated, Target};
use crate::treatment::{Counts, GatewayAction, Tally, Treatment};

/// The data of a running erasure.
pub(in crate::engine) struct ErasureWork {
    pub(in crate::engine) binding: Arc<Binding>,
    pub(in crate::engine) treatment: Arc<Treatment>,
    /// Fresh facts. `None` if the customer's own record is gone.
    pub(in crate::engine) facts: Option<Customer>,
    /// The treatment, dated for the day on which the case was opened, and its digest.
    pub(in crate::engine) dated: Option<(Digest, Arc<Treatment>)>,
    /// The counts by which the records were verified at the end.
    pub(in crate::engine) verified: Tally,
}

impl ErasureWork {
    pub(in crate::engine) fn new(erasure: &Erasure) -> Self {
        Self {
            binding: Arc::clone(&erasure.binding),
            treatment: Arc::clone(&erasure.treatment),
            facts: None,
            dated: None,
            verified: Tally::default(),
        }
    }
}

#[async_trait]
impl Work for ErasureWork {
    fn performer(step: &Step) -> Option<&'static dyn Perform<Self>> {
        match step {
            Step::Deactivate => Some(&steps::Deactivate),
            Step::Gateway(_) => Some(&steps::Gateways),
            Step::Recipient(_) => Some(&steps::Recipients),
            Step::Mentions => Some(&steps::Mentions),
            Step::Records => Some(&steps::Records),
            Step::Verify => Some(&steps::Verify),
            Step::Expire | Step::Copies => None,
        }
    }

    async fn decide(
        engine: &Engine,
        _: &mut Batch<'_>,
        mut runs: Vec<&mut Run<'_, Self>>,
    ) -> Result<(), Error> {
        engine.bind_strategies(&mut runs).await?;
        engine.still_due(&mut runs).await?;
        engine.stop_uncounted(&mut runs).await?;
        for run in runs.iter_mut().filter(|run| run.is_active()) {
            run.turn.decided();
        }
        Ok(())
    }

    async fn close(engine: &Engine, runs: Vec<&mut Run<'_, Self>>) -> Result<(), Error> {
        engine.close_erased(runs).await
    }

    fn outcome(run: &Run<'_, Self>, entry: &Entry) -> Option<Outcome> {
        let closed = entry.closed()?;
        match &closed.closing {
            Closing::Erased(_) => {
                let certificate = Certificate::of(entry.seq, closed, &run.work.treatment, None)?;
                Some(Outcome::Erased(Box::new(certificate)))
            }
            other => Outcome::without_effect(&closed.case, other),
        }
    }
}

impl Run<'_, ErasureWork> {
    pub(in crate::engine) fn binding(&self) -> &Binding {
        &self.work.binding
    }

    /// How often the step of the records began.
    pub(in crate::engine) fn records_begun(&self) -> u32 {
        self.progress.step(&Step::Records).map_or(0, |step| step.begun)
    }

    /// Whether some of the records are treated already.
    pub(in crate::engine) fn has_record_parts(&self) -> bool {
        self.progress.step(&Step::Records).is_some_and(|step| step.counts != Counts::default())
    }

    /// Whether something may be erased already at an outside party or in the texts of others.
    pub(in crate::engine) fn outside_begun(&self) -> bool {
        let mut steps = self.progress.steps();
        let is_outside = |step: &Step| matches!(step, Step::Gateway(_) | Step::Recipient(_) | Step::Mentions);
        steps.any(|(step, progress)| is_outside(step) && progress.may_have_touched())
    }

    /// Why the customer cannot be erased now, if so. Another customer has the id, a guard forbids it, or somebody
    /// reactivated the customer.
    pub(in crate::engine) fn changed(&self, facts: &Customer) -> Option<SupersedeReason> {
        let binding = self.binding();
        if facts.registered != binding.registered() || facts.tenant != *binding.tenant() {
            return Some(SupersedeReason::AnotherCustomer);
        }
        let applies = |(guard, finding): &(&Guard, &GuardFinding)| {
            **finding == GuardFinding::Clear && guard.applies_to(facts)
        };
        if let Some((guard, _)) = binding.guards().iter().find(applies) {
            return Some(SupersedeReason::Guard(guard.clone()));
        }
        let archived =
            self.progress.deactivation().is_some_and(|done| done != DeactivationOutcome::Unsupported);
        (archived && !facts.status.is_archived()).then_some(SupersedeReason::BroughtBack)
    }

    /// The gateways at which the customer has profiles that the policy keeps.
    pub(in crate::engine) fn kept_profiles(&self) -> BTreeSet<GatewayName> {
        let profiles = self.work.facts.iter().flat_map(|facts| &facts.gateway_profiles);
        let names = profiles.map(|profile| &profile.gateway);
        let actions = self.work.treatment.gateways();
        let is_kept = |name: &&GatewayName| matches!(actions.get(*name), Some(GatewayAction::Keep { .. }));
        names.filter(is_kept).cloned().collect()
    }

    /// The holds in the facts that forbid this case.
    fn held(&self) -> Vec<HoldId> {
        let held = self.work.facts.iter().flat_map(|facts| &facts.held);
        held.filter(|held| self.work.treatment.touches(&held.classes)).map(|held| held.hold.clone()).collect()
    }

    /// The customer to erase, and the expected facts.
    pub(in crate::engine) fn target(&self) -> Target {
        let gone = || Expected { revision: Customer::new("", "").revision(), status: Status::Archived };
        Target {
            customer: self.binding().customer().clone(),
            tenant: self.binding().tenant().clone(),
            expected: self.work.facts.as_ref().map_or_else(gone, Customer::expected),
        }
    }
}

/// The obstacle that this program lacks a strategy with which the case began.
fn no_strategy(unbound: &Unbound) -> Hindrance {
    Hindrance::NoStrategy { name: unbound.name.clone(), version: unbound.version, found: unbound.found }
}

impl Engine {
    /// Restores the host's own strategies in loaded treatments. If this program lacks one, a case that has begun is
    /// blocked. A case that has not begun is superseded when it is decided again.
    async fn bind_strategies(&self, runs: &mut [&mut Run<'_, ErasureWork>]) -> Result<(), Error> {
        let mut found = BTreeMap::<Digest, Result<Arc<Treatment>, Unbound>>::new();
        for run in runs.iter_mut().filter(|run| run.work.treatment.is_unbound()) {
            let treatment = &run.work.treatment;
            let bound = found
                .entry(run.binding().treatment_digest())
                .or_insert_with(|| treatment.bind(&self.parts.strategies).map(Arc::new));
            match bound {
                Ok(bound) => run.work.treatment = Arc::clone(bound),
                Err(unbound) if run.progress.is_irreversible() => {
                    self.block(run, by_a_guard(Step::Records, no_strategy(unbound))).await?;
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Stops cases that the census does not allow. They wait for a valid census, and nothing more is touched.
    async fn stop_uncounted(&self, runs: &mut [&mut Run<'_, ErasureWork>]) -> Result<(), Error> {
        let mut counted = match self.counted(self.parts.clock.now()).await {
            Ok(counted) => counted,
            Err(Error::Store(error)) => {
                wait_all(runs.iter_mut().map(|run| &mut **run), &Step::Deactivate, error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for run in runs.iter_mut().filter(|run| run.is_active()) {
            if let Err(error) = counted.allows(&run.work.treatment) {
                run.wait(Step::Deactivate, &error, None);
            }
        }
        Ok(())
    }

    /// Ends cases whose decision differs from the approved one.
    async fn still_due(&self, runs: &mut [&mut Run<'_, ErasureWork>]) -> Result<(), Error> {
        let ids: Vec<_> = runs.iter().map(|run| run.binding().customer().clone()).collect();
        let mut facts = match self.facts(&ids).await {
            Ok(facts) => facts,
            Err(Error::Store(error)) => {
                wait_all(runs.iter_mut().map(|run| &mut **run), &Step::Deactivate, error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for run in runs.iter_mut() {
            let facts = facts.remove(run.binding().customer());
            // The case can only go forward, under the data map with which it began.
            if run.progress.is_irreversible() && run.binding().data_map() != self.parts.policy.map_digest() {
                self.block(run, by_a_guard(Step::Records, Hindrance::OtherDataMap)).await?;
            } else {
                run.work.facts = facts;
                // A hold was placed a moment ago, so the new decision would not fit the plan. But the case has to
                // continue when the hold is lifted, so it rests here.
                if !run.progress.is_irreversible() {
                    run.rest(run.held());
                }
            }
        }
        let known: Vec<&Customer> = runs.iter().filter_map(|run| run.work.facts.as_ref()).collect();
        let mut before = self.treated_before(&known).await?;
        let now = self.parts.clock.now();
        let mut deciding = Vec::with_capacity(runs.len());
        let mut surveyed = Vec::with_capacity(runs.len());
        for run in runs.iter_mut().filter(|run| run.is_active() && !run.progress.is_irreversible()) {
            let facts = run.work.facts.clone();
            let done = facts.as_ref().and_then(|facts| before.remove(&facts.id)).unwrap_or_default();
            // Another worker has closed this same case in the meantime.
            let is_this = |entry: &&Entry| entry.closed().is_some_and(|closed| closed.case == *run.id());
            let ended = done.entries.iter().find(is_this);
            if let Some(outcome) = ended.and_then(|entry| ErasureWork::outcome(run, entry)) {
                run.end(outcome);
                continue;
            }
            match (self.not_mandated(run, &done, now), facts) {
                (Some(because), _) => self.supersede(run, because).await?,
                (None, None) => self.supersede(run, SupersedeReason::NoCustomer).await?,
                (None, Some(facts)) => {
                    surveyed.push(Ok(self.survey_again(run, facts, done, now)));
                    deciding.push(run);
                }
            }
        }
        self.settle(&mut surveyed, now).await?;
        for (run, one) in deciding.into_iter().zip(surveyed) {
            match one {
                Ok(one) => {
                    if let Some(because) = self.differs(run, &one, now) {
                        self.supersede(run, because).await?;
                        continue;
                    }
                    // The new facts have the gateways' answers. The status stays the present one.
                    let status = run.work.facts.take().map_or(one.facts.status, |facts| facts.status);
                    run.work.facts = Some(Customer { status, ..one.facts });
                }
                // If a customer's records cannot be counted, or a gateway cannot be asked, the others are not
                // affected.
                Err(Error::Gateway(error)) => run.wait_for_gateway(Step::Deactivate, error),
                Err(error @ Error::Store(_)) => run.wait(Step::Deactivate, &error, None),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Why the mandate is no longer valid for a case, if so. A mandate for a single plan is used once.
    fn not_mandated(
        &self,
        run: &Run<'_, ErasureWork>,
        done: &Before,
        now: DateTime<Utc>,
    ) -> Option<SupersedeReason> {
        let mandate = &run.new.mandate;
        // If a case was ready in time, the approval may expire while it waits for a pass over the texts of others.
        if let Err(error) = mandate.valid_at(now)
            && !run.progress.waits_for_mentions()
        {
            return Some(SupersedeReason::mandate(&error));
        }
        let this = || (run.new.task.digest(), mandate.given_at(), mandate.kind());
        if mandate.is_used_once() && !done.used.is_empty() && done.used.contains(&this()) {
            return Some(SupersedeReason::Used);
        }
        let unbound =
            run.work.treatment.is_unbound().then(|| run.work.treatment.bind(&self.parts.strategies));
        let Some(Err(Unbound { name, version, found })) = unbound else { return None };
        Some(SupersedeReason::Strategy { name, version, found })
    }

    /// Surveys a case's customer again.
    fn survey_again(
        &self,
        run: &Run<'_, ErasureWork>,
        mut facts: Customer,
        done: Before,
        now: DateTime<Utc>,
    ) -> Surveyed {
        let binding = run.binding();
        // This case's own deactivation, found after an interruption, is not a change.
        if let Some((status, _)) = run.progress.former_status().filter(|_| facts.status == Status::Archived) {
            facts.status = status;
        }
        let asked = match binding.trigger() {
            trigger if matches!(run.new.mandate, Mandate::Replay(_)) => {
                Asked::Replay { trigger, treatment: binding.treatment().clone() }
            }
            // This is no new request: the sweep continues an earlier treatment.
            _ if binding.is_deferred() => Asked::Sweep,
            Trigger::Requested => Asked::Request { treatment: Some(binding.treatment().clone()) },
            Trigger::Listed => Asked::List,
            _ => Asked::Sweep,
        };
        let counts = binding.may_keep_less(&self.parts.policy, now) || !done.treated.is_empty();
        let one = Surveyed::new(&self.parts.policy, facts, &asked, done.treated, now);
        if counts { one } else { one.uncounted() }
    }

    /// Why the plan is no longer valid, if so.
    fn differs(
        &self,
        run: &Run<'_, ErasureWork>,
        one: &Surveyed,
        now: DateTime<Utc>,
    ) -> Option<SupersedeReason> {
        let Decision::Due(due) = &one.decision else { return Some(SupersedeReason::not_due(&one.decision)) };
        let binding = run.binding();
        let policy = &self.parts.policy;
        let today = policy.effective(&one.facts.tenant).time_zone().day(now);
        let changed = binding.changed(policy, self.data_map(), &one.facts, due, one.tally(), today);
        changed.map(SupersedeReason::Plan)
    }

    /// Undoes this case's own deactivation, if there was one.
    pub(in crate::engine) async fn take_back(
        &self,
        case: &NewCase,
        progress: &Progress,
    ) -> Result<(), Error> {
        let ours = match progress.deactivation() {
            Some(outcome) => outcome == DeactivationOutcome::Done,
            // The intent is recorded, but the answer was lost.
            None => true,
        };
        let former = progress.former_status().filter(|_| ours);
        let (Some((_, before)), Some((customer, _))) = (former, case.task.customer()) else { return Ok(()) };
        match self.reactivate(customer, before.clone()).await? {
            // Not archived: the write never happened, or somebody reactivated the customer. Both are fine.
            Reactivated::Done | Reactivated::Changed | Reactivated::Missing | Reactivated::Unsupported => {
                Ok(())
            }
        }
    }
}
