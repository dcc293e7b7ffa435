//! The step before the records: removes mentions of the customer from the texts of others.
//!
//! Reading all texts for one customer takes as long as for ten thousand customers. So a case waits at this step, and
//! [`Engine::redact_mentions`] makes one pass for all waiting cases. Until then the customer is deactivated, but the
//! customer's own records stay: they contain the name to look for.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::Perform;
use crate::case::{Event, Hindrance, Next, Proof, PutOff};
use crate::customer::{CustomerId, Identifiers};
use crate::engine::drive::Batch;
use crate::engine::outcomes::Turns;
use crate::engine::run::{Run, at_the_step, not_tried, wait_all};
use crate::engine::work::ErasureWork;
use crate::engine::{Engine, Error, Outcome};
use crate::plan::{CaseId, Step};
use crate::store::{Mentioned, MentionsRequest, RedactMentions, StoreError};
use crate::treatment::MentionCounts;

/// The largest number of people in one pass. The others wait for the next pass.
const MOST_PEOPLE: usize = 50_000;

/// Lets cases wait for the next pass over the texts of others.
pub(in crate::engine) struct Mentions;

#[async_trait]
impl Perform<ErasureWork> for Mentions {
    async fn look(
        &self,
        engine: &Engine,
        _: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, ErasureWork>],
    ) -> Result<(), Error> {
        let now = engine.parts.clock.now();
        for run in &mut *runs {
            // The approval may expire from now on: the case was ready in time.
            if !run.progress.waits_for_mentions() {
                let step = Step::Mentions;
                run.note(Event::PutOff(PutOff { step, since: now, tries: 0, until: now }))?;
            }
        }
        engine.save(runs.iter_mut().map(|run| &mut **run)).await?;
        for run in runs.iter_mut().filter(|run| run.is_active()) {
            run.end(Outcome::Waiting {
                case: run.id().clone(),
                step: Step::Mentions,
                reason:
                    "the case waits for the next pass over the texts of others; see Engine::redact_mentions"
                        .to_owned(),
                // The pass ends the wait. There is no need to look before.
                retry_after: Some(Duration::from_secs(24 * 60 * 60)),
            });
        }
        Ok(())
    }

    async fn act(
        &self,
        _: &Engine,
        _: &mut Batch<'_>,
        _: &mut [&mut Run<'_, ErasureWork>],
    ) -> Result<(), Error> {
        Ok(())
    }
}

/// The result of a pass over the texts of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MentionsPass {
    /// Cases whose customers were removed from the texts of others. They continue with the next resume.
    pub done: usize,
    /// Cases that still wait, or are blocked: a text of a held customer mentions the person, a text could not be written,
    /// or too many people waited.
    pub left: usize,
    /// Texts that were read.
    pub read: u64,
}

type Runs<'e> = Vec<Run<'e, ErasureWork>>;

impl Engine {
    /// Makes one pass over the texts of others, for all cases that wait for it. Removes the mentions of their
    /// customers. Call this when the database has little load, but often enough for the deadlines of the requests.
    /// Then [`resume`](Self::resume), or a [worker](Self::worker), continues the cases.
    ///
    /// The texts are those that the data map names as [mentions](crate::DataMap::mentions). They are read once, in
    /// parts, for all waiting cases together. If the process dies during a pass, each text is either unchanged or
    /// done. The next pass begins from the start.
    ///
    /// # Errors
    /// A store, keys or a ledger out of reach. The cases wait for the next pass.
    pub async fn redact_mentions(&self) -> Result<MentionsPass, Error> {
        let mut pass = MentionsPass::default();
        let Some(texts) = self.parts.mentions.clone() else { return Ok(pass) };
        let mut runs = self.waiting_for_texts(&mut pass).await?;
        if runs.is_empty() {
            return Ok(pass);
        }
        let made = self.pass(&*texts, &mut runs, &mut pass).await;
        let let_go = self.let_go(&mut runs).await;
        let is_done = |run: &&Run<'_, ErasureWork>| {
            run.progress.step(&Step::Mentions).is_some_and(crate::case::StepProgress::is_done)
        };
        pass.done = runs.iter().filter(is_done).count();
        pass.left += runs.len() - pass.done;
        made.and(let_go)?;
        tracing::info!(cases = pass.done, texts = pass.read, "a pass over the texts of others");
        Ok(pass)
    }

    /// The cases that wait for a pass, decided again.
    async fn waiting_for_texts(&self, pass: &mut MentionsPass) -> Result<Runs<'_>, Error> {
        let mut waiting: Runs<'_> = Vec::new();
        let mut after: Option<CaseId> = None;
        let turns = Turns::default();
        while let Some(mut runs) = self.claim_waiting_for_mentions(&mut after).await? {
            if waiting.len() + runs.len() > MOST_PEOPLE {
                pass.left += runs.len();
                self.let_go(&mut runs).await?;
                continue;
            }
            // The earlier steps come first: the decision on fresh facts, and new profiles at gateways.
            self.drive_to(&mut runs, &turns, |next| *next == Next::Take(Step::Mentions)).await?;
            self.rest_held(runs.iter_mut()).await?;
            let is_next = |run: &Run<'_, ErasureWork>| run.next() == Some(Next::Take(Step::Mentions));
            let (ready, mut others): (Runs<'_>, Runs<'_>) = runs.into_iter().partition(is_next);
            pass.left += others.len();
            self.let_go(&mut others).await?;
            waiting.extend(ready);
        }
        Ok(waiting)
    }

    /// One pass for these cases.
    async fn pass(
        &self,
        texts: &dyn RedactMentions,
        runs: &mut Runs<'_>,
        pass: &mut MentionsPass,
    ) -> Result<(), Error> {
        let mut people = Vec::with_capacity(runs.len());
        let mut searched: Vec<&mut Run<'_, ErasureWork>> = Vec::with_capacity(runs.len());
        let batch = self.parts.batch.max(1);
        for page in runs.chunks_mut(batch) {
            let ids: Vec<CustomerId> = page.iter().map(|run| run.binding().customer().clone()).collect();
            let found = match self.parts.store.identifiers(&ids).await {
                Ok(found) => found,
                Err(error) => {
                    wait_all(page.iter_mut(), &Step::Mentions, error);
                    continue;
                }
            };
            let found = found.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
            for (run, found) in page.iter_mut().zip(found) {
                match found.unwrap_or_else(|| Err(not_tried())) {
                    Ok(identifiers) => {
                        people.push(mentioned(run, identifiers));
                        searched.push(run);
                    }
                    Err(error) if error.is_transient() => run.wait(Step::Mentions, &error.into(), None),
                    Err(error) => {
                        let reason = Hindrance::Refused(error.to_string());
                        self.block(run, at_the_step(Step::Mentions, reason)).await?;
                    }
                }
            }
        }
        for run in &mut searched {
            run.note(Event::Begun { step: Step::Mentions, before: None })?;
        }
        self.save_in_pages(&mut searched).await?;
        let failed = |error: crate::anonymise::text::TooManyPeople| {
            StoreError::failed("searching texts for people", error.to_string())
        };
        let mut request = MentionsRequest::new(&people).map_err(failed)?;
        drop(people);
        let mut counts = vec![MentionCounts::default(); searched.len()];
        let (mut of_tenants, mut refused) = (BTreeMap::new(), None::<String>);
        let mut after = None;
        loop {
            // A pass may take hours. A hold that is placed in the meantime is respected from the next part on.
            self.rest_held(searched.iter_mut().map(|run| &mut **run)).await?;
            if searched.iter().any(|run| !run.is_active()) {
                // The search would still remove the mentions of a customer who is held now. So this pass ends. The
                // next pass is for the others.
                let reason = "a hold was placed during the pass; the next pass begins from the start";
                for run in searched.into_iter().filter(|run| run.is_active()) {
                    let (case, step) = (run.id().clone(), Step::Mentions);
                    run.end(Outcome::Waiting { case, step, reason: reason.to_owned(), retry_after: None });
                }
                return Ok(());
            }
            request = request.held(self.held_customers().await?);
            let part = match texts.redact_mentions(&request, after.as_ref()).await {
                Ok(part) => part,
                Err(error) => {
                    wait_all(searched, &Step::Mentions, error);
                    return Ok(());
                }
            };
            for (tenant, read) in &part.read {
                pass.read = pass.read.saturating_add(*read);
                let of: &mut MentionCounts = of_tenants.entry(tenant.clone()).or_default();
                of.read = of.read.saturating_add(*read);
                of.unreadable =
                    of.unreadable.saturating_add(part.unreadable.get(tenant).copied().unwrap_or_default());
            }
            for (person, more) in &part.of {
                if let Some(counts) = counts.get_mut(*person) {
                    counts.add(more);
                }
            }
            refused = refused.or(part.refused);
            self.renew(&mut searched, &mut counts).await?;
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        for (run, mut counts) in searched.iter_mut().zip(counts).filter(|(run, _)| run.is_active()) {
            counts.add(&of_tenants.get(run.binding().tenant()).copied().unwrap_or_default());
            let step = Step::Mentions;
            if counts.refused > 0 {
                let reason = Hindrance::Refused(refused.clone().unwrap_or_default());
                self.block(run, at_the_step(step, reason)).await?;
            } else if counts.held > 0 {
                run.end(Outcome::Waiting {
                    case: run.id().clone(),
                    step,
                    reason: format!(
                        "{} texts that mention the person are held for somebody else",
                        counts.held
                    ),
                    retry_after: None,
                });
            } else {
                run.note(Event::Done { step, proof: Proof::Mentions(counts) })?;
            }
        }
        self.save_in_pages(&mut searched).await
    }

    /// Writes something for every case when half of the lease has passed, so that no other worker takes the cases up.
    async fn renew(
        &self,
        runs: &mut [&mut Run<'_, ErasureWork>],
        counts: &mut [MentionCounts],
    ) -> Result<(), Error> {
        let now = self.parts.clock.now();
        let is_old = |run: &Run<'_, ErasureWork>| {
            let since = now.signed_duration_since(run.renewed).to_std().unwrap_or_default();
            since >= self.parts.lease.lasts / 2
        };
        if !runs.iter().any(|run| run.is_active() && is_old(run)) {
            return Ok(());
        }
        for (run, counts) in runs.iter_mut().zip(counts).filter(|(run, _)| run.is_active()) {
            // Texts that stop the case are counted until the end of the pass.
            let (refused, held) = (counts.refused, counts.held);
            let part = MentionCounts { refused: 0, held: 0, ..std::mem::take(counts) };
            *counts = MentionCounts { refused, held, ..MentionCounts::default() };
            run.note(Event::Part { step: Step::Mentions, proof: Proof::Mentions(part) })?;
        }
        self.save_in_pages(runs).await
    }

    async fn save_in_pages(&self, runs: &mut [&mut Run<'_, ErasureWork>]) -> Result<(), Error> {
        for page in runs.chunks_mut(self.parts.batch.max(1)) {
            self.save(page.iter_mut().map(|run| &mut **run).filter(|run| !run.is_closed())).await?;
        }
        Ok(())
    }
}

fn mentioned(run: &Run<'_, ErasureWork>, identifiers: Identifiers) -> Mentioned {
    let with = run.work.treatment.redacted_mentions();
    let with = with.map(|(class, with)| (class.clone(), with.to_owned())).collect();
    Mentioned::new(run.binding().tenant().clone(), identifiers, with)
}
