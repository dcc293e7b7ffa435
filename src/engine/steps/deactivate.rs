//! Step 3: deactivating the customer, the reversible first step.

use async_trait::async_trait;

use super::Perform;
use crate::case::{Before, DeactivationOutcome, Event, Hindrance, Proof, SupersedeReason};
use crate::customer::Status;
use crate::engine::drive::Batch;
use crate::engine::run::{Run, at_the_step, not_tried, wait_all};
use crate::engine::work::ErasureWork;
use crate::engine::{Engine, Error};
use crate::plan::Step;
use crate::store::{Deactivated, Deactivation};

/// Archives customers, if the store supports it.
pub(in crate::engine) struct Deactivate;

/// Whether the customer may have been archived by this same case, before an interruption.
fn may_be_ours(run: &Run<'_, ErasureWork>) -> bool {
    let begun = run.progress.step(&Step::Deactivate).map_or(0, |step| step.begun);
    let was_archived = run.work.facts.as_ref().is_some_and(|facts| facts.status.is_archived());
    begun > 1 || (begun == 1 && was_archived)
}

#[async_trait]
impl Perform<ErasureWork> for Deactivate {
    async fn look(
        &self,
        engine: &Engine,
        _: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, ErasureWork>],
    ) -> Result<(), Error> {
        for run in &mut *runs {
            let Some(facts) = run.work.facts.as_ref() else { continue };
            if !facts.status.is_archived() {
                let before = Before::Status { status: facts.status, former: facts.former_status.clone() };
                run.note(Event::Begun { step: Step::Deactivate, before: Some(before) })?;
            }
        }
        engine.save(runs.iter_mut().map(|run| &mut **run)).await
    }

    async fn act(
        &self,
        engine: &Engine,
        _: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, ErasureWork>],
    ) -> Result<(), Error> {
        let at = engine.parts.clock.now();
        let step = Step::Deactivate;
        let mut todo: Vec<&mut Run<'_, ErasureWork>> = runs.iter_mut().map(|run| &mut **run).collect();
        todo.retain(|run| run.work.facts.is_some());
        let batch: Vec<Deactivation> = todo
            .iter()
            .filter_map(|run| {
                let expected = run.work.facts.as_ref()?.expected();
                Some(Deactivation { customer: run.binding().customer().clone(), expected, at })
            })
            .collect();
        let answers = match engine.parts.store.deactivate(&batch).await {
            Ok(answers) => answers,
            Err(error) => {
                wait_all(todo, &step, error);
                return Ok(());
            }
        };
        let mut answers = answers.into_iter();
        for run in todo {
            let outcome = match answers.next() {
                Some(Ok(Deactivated::Done { .. })) => DeactivationOutcome::Done,
                Some(Ok(Deactivated::Already)) if may_be_ours(run) => DeactivationOutcome::Done,
                Some(Ok(Deactivated::Already)) => DeactivationOutcome::Already,
                Some(Ok(Deactivated::Unsupported)) => DeactivationOutcome::Unsupported,
                Some(Ok(Deactivated::Changed)) => {
                    engine.supersede(run, SupersedeReason::CustomerChanged).await?;
                    continue;
                }
                Some(Ok(Deactivated::Missing)) => {
                    engine.supersede(run, SupersedeReason::NoCustomer).await?;
                    continue;
                }
                Some(Err(error)) if error.is_transient() => {
                    run.wait(step.clone(), &error.into(), None);
                    continue;
                }
                Some(Err(error)) => {
                    engine
                        .block(run, at_the_step(step.clone(), Hindrance::Refused(error.to_string())))
                        .await?;
                    continue;
                }
                None => {
                    run.wait(step.clone(), &not_tried().into(), None);
                    continue;
                }
            };
            if let Some(facts) = run.work.facts.as_mut().filter(|_| outcome == DeactivationOutcome::Done) {
                facts.status = Status::Archived;
            }
            tracing::info!(case = %run.id(), "deactivated");
            // The event is recorded together with the next event. If the process dies before, a resume finds the
            // recorded intent and the archived customer.
            run.note(Event::Done { step: step.clone(), proof: Proof::Deactivated(outcome) })?;
        }
        Ok(())
    }
}
