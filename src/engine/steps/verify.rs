//! Step 6: reads the records back. The store's answer is not enough: the stored records must be as planned.

use async_trait::async_trait;

use super::Perform;
use super::records::groups;
use crate::case::Hindrance;
use crate::engine::drive::Batch;
use crate::engine::run::{Run, at_the_step, not_tried, wait_all};
use crate::engine::work::ErasureWork;
use crate::engine::{Engine, Error};
use crate::plan::Step;
use crate::store::{StoreError, TallyRequest};

/// Reads back. The batch keeps its lock until this is done.
pub(in crate::engine) struct Verify;

#[async_trait]
impl Perform<ErasureWork> for Verify {
    async fn look(
        &self,
        _: &Engine,
        batch: &mut Batch<'_>,
        _: &mut [&mut Run<'_, ErasureWork>],
    ) -> Result<(), Error> {
        batch.take_turn().await;
        Ok(())
    }

    async fn act(
        &self,
        engine: &Engine,
        batch: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, ErasureWork>],
    ) -> Result<(), Error> {
        let mut read_back = Vec::new();
        let signs = engine.signs().await?;
        for (treatment, group) in groups(engine, batch, runs, &signs) {
            let customers = group.iter().map(|run| run.binding().customer().clone()).collect();
            let request = TallyRequest::new(customers, treatment).at(engine.parts.clock.now());
            read_back.push((group, engine.parts.store.tally(&request).await));
        }
        batch.end_turn().await;
        for (group, answers) in read_back {
            let mut answers = match answers {
                Ok(answers) => answers.into_iter(),
                Err(error) => {
                    wait_all(group, &Step::Verify, error);
                    continue;
                }
            };
            for run in group {
                match answers.next() {
                    Some(Ok(tally)) if tally.due() == 0 => {
                        tracing::info!(case = %run.id(), "read back: nothing is left to do");
                        run.work.verified = tally;
                        run.turn.settled(Step::Verify);
                    }
                    Some(Ok(tally)) => {
                        let left = tally.classes.into_iter().filter(|(_, class)| class.due > 0);
                        let left = left.map(|(name, class)| (name, class.due)).collect();
                        engine.block(run, at_the_step(Step::Verify, Hindrance::LeftAsTheyWere(left))).await?;
                    }
                    // Reading an unreadable record again later does not help.
                    Some(Err(error @ StoreError::Unreadable { .. })) => {
                        engine
                            .block(run, at_the_step(Step::Verify, Hindrance::Refused(error.to_string())))
                            .await?;
                    }
                    Some(Err(error)) => run.wait(Step::Verify, &error.into(), None),
                    None => run.wait(Step::Verify, &not_tried().into(), None),
                }
            }
        }
        Ok(())
    }
}
