//! The only step of a removal of copies. It is recorded before the first copy is removed. At the end the place is
//! listed again.

use async_trait::async_trait;

use super::Perform;
use crate::backup::{BackupCopy, BackupError};
use crate::case::{Event, Proof};
use crate::engine::drive::Batch;
use crate::engine::run::Run;
use crate::engine::work::CopiesWork;
use crate::engine::{Engine, Error};
use crate::plan::Step;

/// The number of copies that are removed between two writes to the case book. Each write renews the lease.
const AT_ONCE: usize = 50;

/// Removes copies.
pub(in crate::engine) struct Copies;

#[async_trait]
impl Perform<CopiesWork> for Copies {
    /// Records that the planned copies will be removed.
    async fn look(
        &self,
        engine: &Engine,
        _: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, CopiesWork>],
    ) -> Result<(), Error> {
        for run in &mut *runs {
            run.note(Event::Begun { step: Step::Copies, before: None })?;
        }
        engine.save(runs.iter_mut().map(|run| &mut **run)).await
    }

    async fn act(
        &self,
        engine: &Engine,
        _: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, CopiesWork>],
    ) -> Result<(), Error> {
        for run in runs {
            match engine.remove_each(run).await {
                Ok(()) => {}
                Err(error @ Error::Backup(_)) => run.wait(Step::Copies, &error, None),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Engine {
    async fn remove_each(&self, run: &mut Run<'_, CopiesWork>) -> Result<(), Error> {
        let terms = std::sync::Arc::clone(&run.work.terms);
        let backups = self.backups_of(terms.place())?;
        let planned: Vec<BackupCopy> = terms.copies().iter().cloned().collect();
        for some in planned.chunks(AT_ONCE) {
            let answers = backups.remove(some).await?;
            let count = answers.len() as u64;
            answers.into_iter().collect::<Result<Vec<_>, BackupError>>()?;
            if count < some.len() as u64 {
                return Err(BackupError::Failed("the place did not answer for every copy".to_owned()).into());
            }
            run.note(Event::Part { step: Step::Copies, proof: Proof::Removed(count) })?;
            self.save([&mut *run]).await?;
            if !run.is_active() {
                return Ok(());
            }
        }
        if let Some(there) = self.left_of(&terms).await?.into_iter().next() {
            let (name, place) = (there.name.to_string(), terms.place().to_owned());
            return Err(BackupError::StillThere { name, place }.into());
        }
        tracing::info!(case = %run.id(), copies = planned.len(), "copies removed");
        run.note(Event::Done { step: Step::Copies, proof: Proof::Removed(0) })
    }
}
