//! Step 5: the customer's records in the root store. This is the last irreversible step.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDate;

use super::Perform;
use crate::anonymise::Seed;
use crate::case::{Before, Event, Hindrance, Proof, SupersedeReason};
use crate::customer::SuppressionToken;
use crate::data_map::{Link, RecordClass};
use crate::digest::Digest;
use crate::engine::drive::Batch;
use crate::engine::run::{Run, at_the_step, by_a_guard, not_tried, wait_all};
use crate::engine::work::ErasureWork;
use crate::engine::{Engine, Error};
use crate::plan::Step;
use crate::store::{EraseRequest, Erased, Parts, StoreError};
use crate::treatment::{Signs, Tally, Treatment, knowing};

/// The maximum number of parts of one customer's records. After that the case waits for a resume.
pub(in crate::engine) const MOST_ROUNDS: u32 = 10_000;

/// Erases records. All cases with the same treatment and day are in one request.
pub(in crate::engine) struct Records;

/// Cases with the same treatment, dated for the same day.
pub(super) type Group<'g, 'e> = (Arc<Treatment>, Vec<&'g mut Run<'e, ErasureWork>>);

/// Groups cases by treatment and day.
pub(super) fn groups<'g, 'e>(
    engine: &Engine,
    batch: &mut Batch<'_>,
    runs: &'g mut [&mut Run<'e, ErasureWork>],
    signs: &Signs,
) -> Vec<Group<'g, 'e>> {
    let mut groups = BTreeMap::<(Digest, NaiveDate), Group<'g, 'e>>::new();
    for run in runs {
        let (digest, treatment) = batch.date(engine, run);
        let key = (digest, treatment.day(run.new.opened_at));
        groups.entry(key).or_insert_with(|| (knowing(&treatment, signs), Vec::new())).1.push(run);
    }
    groups.into_values().collect()
}

#[async_trait]
impl Perform<ErasureWork> for Records {
    /// Checks the guards again and records what will be erased, before this batch gets the lock.
    async fn look(
        &self,
        engine: &Engine,
        batch: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, ErasureWork>],
    ) -> Result<(), Error> {
        let signs = engine.signs().await?;
        for (treatment, group) in groups(engine, batch, runs, &signs) {
            let mut todo = Vec::with_capacity(group.len());
            for run in group {
                // After the first irreversible step the decision is not repeated, but a guard still stops a step.
                match run.work.facts.as_ref().and_then(|facts| run.changed(facts)) {
                    Some(because) => engine.stop(run, Step::Records, because).await?,
                    None => todo.push(run),
                }
            }
            engine.count_before(&treatment, todo).await?;
        }
        engine.save(runs.iter_mut().map(|run| &mut **run)).await
    }

    async fn act(
        &self,
        engine: &Engine,
        batch: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, ErasureWork>],
    ) -> Result<(), Error> {
        let signs = engine.signs().await?;
        batch.take_turn().await;
        for (treatment, group) in groups(engine, batch, runs, &signs) {
            engine.erase_group(&treatment, group).await?;
        }
        Ok(())
    }
}

impl Engine {
    /// Erases the records of a group, part by part.
    async fn erase_group(
        &self,
        treatment: &Arc<Treatment>,
        mut todo: Vec<&mut Run<'_, ErasureWork>>,
    ) -> Result<(), Error> {
        let mut seed = [0; 32];
        self.parts.entropy.fill(&mut seed)?;
        let seed = Seed::new(seed);
        let mut rounds = 0_u32;
        // Only the parts of this attempt. Another attempt also treats records that came since.
        let mut parts = Parts::new();
        while let Some(opened_at) = todo.first().map(|run| run.new.opened_at) {
            rounds += 1;
            if rounds > MOST_ROUNDS {
                // The case stays open and can be resumed. So a store that never finishes becomes visible.
                wait_all(
                    todo,
                    &Step::Records,
                    StoreError::Contended { doing: "erasing records, part by part" },
                );
                return Ok(());
            }
            let held = self.held_customers().await?;
            // The last check for holds before the records are erased.
            todo = self.without_held(todo, rounds == 1).await?;
            if todo.is_empty() {
                return Ok(());
            }
            let targets = todo.iter().map(|run| run.target()).collect();
            let request = EraseRequest::new(targets, Arc::clone(treatment), seed.clone(), opened_at)
                .held(held)
                .in_parts(parts.clone());
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
            for (run, answer) in todo.iter().zip(&answers) {
                if let Ok(Erased::More(counts)) = answer {
                    let treated = parts.entry(run.binding().customer().clone()).or_default();
                    treated.extend(counts.classes.keys().cloned());
                }
            }
            todo = self.take_answers(todo, answers).await?;
        }
        Ok(())
    }

    /// The cases that no hold keeps from the next part of their records.
    async fn without_held<'r, 'e>(
        &self,
        mut runs: Vec<&'r mut Run<'e, ErasureWork>>,
        is_first: bool,
    ) -> Result<Vec<&'r mut Run<'e, ErasureWork>>, Error> {
        self.rest_held(runs.iter_mut().map(|run| &mut **run)).await?;
        for run in runs.iter_mut().filter(|run| !run.is_active() && is_first) {
            // The beginning of the step was recorded, but nothing was touched.
            run.note(Event::Refused { step: Step::Records })?;
        }
        runs.retain(|run| run.is_active());
        Ok(runs)
    }

    /// Whether a duty may keep records that are found by a value. After the customer's own value is erased, they
    /// cannot be found any more.
    fn keeps_by_value(&self, treatment: &Treatment) -> bool {
        let keeps = treatment.classes().values().any(|class| !class.under_duty().is_empty());
        keeps && self.data_map().classes().flat_map(RecordClass::links).any(Link::is_by_value)
    }

    /// Records that the erasure begins, together with facts that cannot be found out afterwards. These are uncertain
    /// mentions, kept records that are found by a value, and tokens for the suppression list.
    async fn count_before(
        &self,
        treatment: &Arc<Treatment>,
        runs: Vec<&mut Run<'_, ErasureWork>>,
    ) -> Result<(), Error> {
        let by_value = self.keeps_by_value(treatment);
        let begun = |before| Event::Begun { step: Step::Records, before };
        let (first, again): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| run.records_begun() == 0);
        // For these cases the facts were recorded in an earlier attempt.
        for run in again {
            run.note(begun(None))?;
        }
        if first.is_empty() {
            return Ok(());
        }
        let (tallies, tokens) = match self.known_before(treatment, &first, by_value).await {
            Ok(found) => found,
            Err(Error::Store(error)) => {
                wait_all(first, &Step::Records, error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut answers = tallies.into_iter().zip(tokens);
        for run in first {
            let answer = answers.next().map(|(tally, tokens)| Ok((tally?, tokens?)));
            match answer {
                Some(Ok((tally, suppress))) => {
                    let keeping = if by_value { tally.kept_in_all() } else { BTreeMap::new() };
                    let keeps = keeping.values().any(|kept| kept.rows > 0);
                    let keeping = if keeps { keeping } else { BTreeMap::new() };
                    let uncertain = tally.uncertain;
                    let profiles = run.kept_profiles();
                    let is_nothing = uncertain.is_empty()
                        && keeping.is_empty()
                        && suppress.is_empty()
                        && profiles.is_empty();
                    let records = Before::Records { uncertain, keeping, suppress, profiles };
                    let before = (!is_nothing).then_some(records);
                    run.note(begun(before))?;
                }
                Some(Err(error)) if StoreError::is_transient(&error) => {
                    run.wait(Step::Records, &error.into(), None);
                }
                // Reading an unreadable record again later does not help.
                Some(Err(error)) => {
                    self.block(run, at_the_step(Step::Records, Hindrance::Refused(error.to_string())))
                        .await?;
                }
                None => run.wait(Step::Records, &not_tried().into(), None),
            }
        }
        Ok(())
    }

    /// The counts before the records are erased, if they are needed, and the tokens for the suppression list. One
    /// answer per case, in order.
    async fn known_before(
        &self,
        treatment: &Arc<Treatment>,
        runs: &[&mut Run<'_, ErasureWork>],
        by_value: bool,
    ) -> Result<(crate::store::Batch<Tally>, crate::store::Batch<Vec<SuppressionToken>>), Error> {
        let tallies = if treatment.redacts() || by_value {
            let customers = runs.iter().map(|run| run.binding().customer().clone()).collect();
            self.tally(customers, treatment).await?
        } else {
            runs.iter().map(|_| Ok(Tally::default())).collect()
        };
        Ok((tallies, self.tokens_to_suppress(treatment, runs).await?))
    }

    /// Processes the store's answers, and returns the cases with more to do.
    async fn take_answers<'r, 'e>(
        &self,
        runs: Vec<&'r mut Run<'e, ErasureWork>>,
        answers: crate::store::Batch<Erased>,
    ) -> Result<Vec<&'r mut Run<'e, ErasureWork>>, Error> {
        let touched = runs
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| matches!(answer, Ok(Erased::Done(_) | Erased::More(_) | Erased::Missing)));
        self.suppress_erased(touched.map(|(run, _)| &**run)).await?;
        let mut answers = answers.into_iter();
        let mut more = Vec::new();
        for run in runs {
            // A second attempt cannot tell what the first attempt did.
            let first_try = run.records_begun() == 1;
            // A part is done, so the case cannot end as if nothing was touched.
            let has_parts = run.has_record_parts();
            let proof = match answers.next() {
                Some(Ok(Erased::Done(counts))) => Proof::Records(counts),
                Some(Ok(Erased::More(counts))) if !counts.is_nothing() => {
                    run.note(Event::Part { step: Step::Records, proof: Proof::Records(counts) })?;
                    more.push(run);
                    continue;
                }
                Some(Ok(Erased::More(_))) => {
                    self.block(run, at_the_step(Step::Records, Hindrance::NothingDone)).await?;
                    continue;
                }
                Some(Ok(Erased::Missing)) if !first_try || run.work.facts.is_none() => Proof::Lost,
                // The store has touched nothing. The case has not touched anything either, unless an outside party
                // was asked or this is a second attempt.
                Some(Ok(Erased::Changed)) if first_try && !has_parts && !run.outside_begun() => {
                    self.supersede(run, SupersedeReason::CustomerChanged).await?;
                    continue;
                }
                Some(Ok(answer @ (Erased::Changed | Erased::Missing))) => {
                    let reason = match answer {
                        Erased::Missing => Hindrance::Gone,
                        _ => Hindrance::Changed,
                    };
                    self.block(run, by_a_guard(Step::Records, reason)).await?;
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
            // The event is recorded when the case is closed. A resume before that erases again, finds nothing to do,
            // and reads back.
            run.note(Event::Done { step: Step::Records, proof })?;
        }
        self.save(more.iter_mut().map(|run| &mut **run)).await?;
        more.retain(|run| run.is_active());
        Ok(more)
    }

    /// The store refused a customer's records and, by its contract, touched none of them.
    async fn refused(&self, run: &mut Run<'_, ErasureWork>, reason: String) -> Result<(), Error> {
        run.note(Event::Refused { step: Step::Records })?;
        self.block(run, by_a_guard(Step::Records, Hindrance::Refused(reason))).await
    }
}
