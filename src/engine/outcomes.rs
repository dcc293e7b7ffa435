//! The outcomes of plans, one by one, while the next plans are carried out.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::stream::{self, BoxStream, StreamExt};

use super::{Engine, Error, Outcome};
use crate::plan::ApprovedPlan;

/// The number of batches in progress at once: one batch erases records, the batch before it is being closed, and the
/// next one is opened and decided again.
pub(super) const BATCHES_AT_ONCE: usize = 3;

/// The lock on erasing. Only one batch at a time erases and reads back records; the others prepare or close. Without
/// the lock, all batches would wait for the store at the same time. The store would then be idle while all of them
/// are closed. Each run has its own lock: two runs must not block each other if only one of them is polled.
pub(super) type Turns = futures_util::lock::Mutex<()>;

/// The outcomes of [`Engine::execute_each`], in the order of the plans.
///
/// Dropping this interrupts the cases in progress; [`Engine::resume`] finishes them.
pub struct Outcomes<'e> {
    batches: BoxStream<'e, Result<Vec<Outcome>, Error>>,
    ready: VecDeque<Outcome>,
}

impl fmt::Debug for Outcomes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcomes").field("ready", &self.ready.len()).finish_non_exhaustive()
    }
}

impl<'e> Outcomes<'e> {
    /// `admitted`: when all plans were checked. `None`: each batch is checked before it is opened.
    pub(super) fn new(
        engine: &'e Engine,
        mut plans: impl Iterator<Item = ApprovedPlan> + Send + 'e,
        admitted: Option<DateTime<Utc>>,
    ) -> Self {
        let batch = move || {
            let batch: Vec<ApprovedPlan> = plans.by_ref().take(engine.parts.batch).collect();
            (!batch.is_empty()).then_some(batch)
        };
        let turns = Arc::new(Turns::default());
        let run: Arc<str> = engine.run_name().into();
        let batches = stream::iter(std::iter::from_fn(batch))
            .map(move |plans| engine.run_batch(plans, admitted, Arc::clone(&turns), Arc::clone(&run)))
            .buffered(BATCHES_AT_ONCE);
        Self { batches: batches.boxed(), ready: VecDeque::new() }
    }

    /// The next plan's outcome, or `None` after the last plan.
    ///
    /// # Errors
    /// [`Error::Approval`] or [`Error::OtherRules`] if any plan of a batch cannot be executed now. Nothing of this
    /// batch is touched. The batches before it are done, and later batches can still be asked for. Otherwise: errors
    /// that prevent writes to the ledger. Open cases can be resumed.
    pub async fn next(&mut self) -> Option<Result<Outcome, Error>> {
        while self.ready.is_empty() {
            match self.batches.next().await? {
                Ok(outcomes) => self.ready.extend(outcomes),
                Err(error) => return Some(Err(error)),
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

impl Engine {
    async fn run_batch(
        &self,
        plans: Vec<ApprovedPlan>,
        admitted: Option<DateTime<Utc>>,
        turns: Arc<Turns>,
        run: Arc<str>,
    ) -> Result<Vec<Outcome>, Error> {
        let now = admitted.unwrap_or_else(|| self.parts.clock.now());
        if admitted.is_none() {
            self.admit_all(&plans, now).await?;
            self.count_standing(&plans, &run).await?;
        }
        self.open_and_run(&plans, now, &turns).await
    }
}
