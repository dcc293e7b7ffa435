//! Step 2: the decision on fresh facts has to be the one that was approved.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};

use super::drive::Batch;
use super::run::{Run, by_a_guard, outcome_of, wait_all};
use super::steps::Accounts;
use super::survey::{Before, CALLS, Surveyed};
use super::{Engine, Error};
use crate::anonymise::Unbound;
use crate::case::{DeactivationOutcome, Progress};
use crate::customer::{Customer, Status};
use crate::digest::Digest;
use crate::gateway::GatewayError;
use crate::ledger::{Entry, NewCase};
use crate::plan::{Asked, Decision, Step};
use crate::policy::{Treatment, Trigger};
use crate::store::Reactivated;

impl Engine {
    /// Decides again on fresh facts. Whoever may go on is marked so.
    pub(super) async fn decide_again(
        &self,
        mut runs: Vec<&mut Run<'_>>,
        _: &mut Batch<'_>,
    ) -> Result<(), Error> {
        self.bind_strategies(&mut runs).await?;
        self.still_due(&mut runs).await?;
        self.stop_uncounted(&mut runs).await?;
        for run in runs.iter_mut().filter(|run| run.is_active()) {
            run.turn.decided();
        }
        Ok(())
    }

    /// A treatment that was saved gets the host's own strategies back. Where this program does not have them, a case
    /// that has begun is blocked, and one that has not is superseded when it is decided again.
    async fn bind_strategies(&self, runs: &mut [&mut Run<'_>]) -> Result<(), Error> {
        let mut found = BTreeMap::<Digest, Result<Arc<Treatment>, Unbound>>::new();
        for run in runs.iter_mut().filter(|run| run.new.treatment.is_unbound()) {
            let treatment = &run.new.treatment;
            let bound = found
                .entry(run.new.binding.treatment_digest())
                .or_insert_with(|| treatment.bind(&self.parts.strategies).map(Arc::new));
            match bound {
                Ok(bound) => run.new.treatment = Arc::clone(bound),
                Err(unbound) if run.progress.is_irreversible() => {
                    self.block(run, by_a_guard(Step::Records, unbound.to_string())).await?;
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// What the census does not allow waits until one does: nothing more is touched.
    async fn stop_uncounted(&self, runs: &mut [&mut Run<'_>]) -> Result<(), Error> {
        let counted = match self.counted(self.parts.clock.now()).await {
            Ok(counted) => counted,
            Err(Error::Store(error)) => {
                wait_all(runs.iter_mut().map(|run| &mut **run), &Step::Deactivate, error);
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

    /// Ends those whose decision is not the one that was approved.
    async fn still_due(&self, runs: &mut [&mut Run<'_>]) -> Result<(), Error> {
        let ids: Vec<_> = runs.iter().map(|run| run.new.customer().clone()).collect();
        let mut facts = match self.facts(&ids).await {
            Ok(facts) => facts,
            Err(error) => {
                wait_all(runs.iter_mut().map(|run| &mut **run), &Step::Deactivate, error);
                return Ok(());
            }
        };
        let accounts = Accounts::of(self);
        let accounts = &accounts;
        let mut asking: Vec<BoxFuture<'_, Result<Option<Customer>, GatewayError>>> =
            Vec::with_capacity(runs.len());
        for run in runs.iter() {
            asking.push(match facts.remove(run.new.customer()) {
                Some(facts) if !run.progress.is_irreversible() => {
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
                    if run.progress.is_irreversible()
                        && run.binding().data_map() != self.parts.policy.map_digest() =>
                {
                    let reason =
                        "the data map is not the one under which this case was begun; bring that one back";
                    self.block(run, by_a_guard(Step::Records, reason)).await?;
                }
                Ok(facts) => run.facts = facts,
                Err(error) => run.wait_for_gateway(Step::Deactivate, error),
            }
        }
        let undecided = |run: &Run<'_>| run.is_active() && !run.progress.is_irreversible();
        let mut before = self
            .treated_before(&runs.iter().filter_map(|run| run.facts.as_ref()).collect::<Vec<_>>())
            .await?;
        for run in runs.iter_mut().filter(|run| undecided(run)) {
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
        if let Some((status, _)) = run.progress.former_status().filter(|_| facts.status == Status::Archived) {
            facts.status = status;
        }
        let asked = match binding.trigger() {
            // Nobody has asked anew, and the schedule comes back for it.
            _ if binding.is_deferred() => Asked::Sweep,
            Trigger::Requested => Asked::Request { treatment: Some(binding.treatment().clone()) },
            Trigger::Listed => Asked::List,
            _ => Asked::Sweep,
        };
        let mut surveyed = [Ok(Surveyed::new(&self.parts.policy, facts, &asked, before.treated, now))];
        let may_keep_less = binding.may_keep_less(&self.parts.policy, now);
        if may_keep_less || surveyed.iter().flatten().any(|one| !one.before.is_empty()) {
            self.settle(&mut surveyed, &asked, now).await?;
        }
        let [one] = surveyed;
        let one = one?;
        let due = match &one.decision {
            Decision::Due(due) => due,
            other => return Ok(Some(other.to_string())),
        };
        let changed = binding.changed(&self.parts.policy, self.data_map(), &one.facts, due, one.tally());
        Ok(changed.map(|changed| changed.to_string()))
    }

    /// Takes our own deactivation back, if there was one.
    pub(super) async fn take_back(&self, case: &NewCase, progress: &Progress) -> Result<(), Error> {
        let ours = match progress.deactivation() {
            Some(outcome) => outcome == DeactivationOutcome::Done,
            // The intent is there and the answer was lost.
            None => true,
        };
        let Some((_, before)) = progress.former_status().filter(|_| ours) else { return Ok(()) };
        match self.reactivate(case.customer(), before.clone()).await? {
            // Not archived: the write never came, or somebody brought the customer back. Both are as wished.
            Reactivated::Done | Reactivated::Changed | Reactivated::Missing | Reactivated::Unsupported => {
                Ok(())
            }
        }
    }
}
