//! A running case.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::drive::Batch;
use super::steps::Perform;
use super::{Claim, Engine, Error, Outcome};
use crate::case::{Event, Hindrance, Next, Obstacle, OutOfOrder, Progress, Turn, next};
use crate::gateway::GatewayError;
use crate::ledger::{Entry, Fence, LedgerError, NewCase, SavedCase};
use crate::plan::{CaseId, Step};
use crate::store::StoreError;

/// An obstacle: a guard forbids the whole erasure. A guard cannot be skipped.
pub(super) fn by_a_guard(step: Step, reason: impl Into<Hindrance>) -> Obstacle {
    Obstacle { step, reason: reason.into(), waivable: false }
}

/// An obstacle found at the step itself. A person may decide to skip the step.
pub(super) fn at_the_step(step: Step, reason: impl Into<Hindrance>) -> Obstacle {
    Obstacle { step, reason: reason.into(), waivable: true }
}

/// What a kind of case does: how it is decided again, who performs its steps, and how it is closed.
#[async_trait]
pub(super) trait Work: Sized + Send + Sync + 'static {
    /// Who performs a step. `None` for a step that this kind of case never has.
    fn performer(step: &Step) -> Option<&'static dyn Perform<Self>>;

    /// Checks whether the approved plan is still valid. Valid cases are marked as decided; the others end.
    async fn decide(
        engine: &Engine,
        batch: &mut Batch<'_>,
        runs: Vec<&mut Run<'_, Self>>,
    ) -> Result<(), Error>;

    /// Closes cases that are complete.
    async fn close(engine: &Engine, runs: Vec<&mut Run<'_, Self>>) -> Result<(), Error>;

    /// The outcome of a closed case. `None` if another worker closed it and the entry does not say enough.
    fn outcome(run: &Run<'_, Self>, entry: &Entry) -> Option<Outcome>;
}

/// A running case.
pub(super) struct Run<'e, W> {
    pub(super) new: NewCase,
    /// The data of this kind of case.
    pub(super) work: W,
    pub(super) progress: Progress,
    /// What was checked since this worker claimed the case.
    pub(super) turn: Turn,
    pub(super) outcome: Option<Outcome>,
    /// Events that are not recorded yet. The next write records them. If the process dies before, the next resume
    /// finds the same result again.
    pub(super) unsaved: Vec<Event>,
    /// Whether anything happened since this was last set to false.
    pub(super) moved: bool,
    /// The fence of this worker's claim.
    pub(super) fence: Fence,
    /// When the lease was last renewed, by the engine's clock.
    pub(super) renewed: DateTime<Utc>,
    _claim: Claim<'e>,
}

impl<'e, W> Run<'e, W> {
    pub(super) fn new(
        saved: SavedCase,
        work: W,
        fence: Fence,
        renewed: DateTime<Utc>,
        claim: Claim<'e>,
    ) -> Result<Self, LedgerError> {
        Ok(Self {
            progress: saved.progress()?,
            new: saved.new,
            work,
            turn: Turn::default(),
            outcome: None,
            unsaved: Vec::new(),
            moved: false,
            fence,
            renewed,
            _claim: claim,
        })
    }

    pub(super) fn id(&self) -> &CaseId {
        &self.new.id
    }

    pub(super) fn is_active(&self) -> bool {
        self.outcome.is_none()
    }

    /// Whether nothing more may be recorded: the working memory is wiped, or another worker has claimed the case.
    pub(super) fn is_closed(&self) -> bool {
        match &self.outcome {
            Some(
                Outcome::Erased(_)
                | Outcome::Expired(_)
                | Outcome::Copies(_)
                | Outcome::Profile { .. }
                | Outcome::Superseded { .. }
                | Outcome::Cancelled { .. }
                | Outcome::TakenOver { .. },
            ) => true,
            Some(
                Outcome::Blocked { .. }
                | Outcome::Waiting { .. }
                | Outcome::Held { .. }
                | Outcome::OtherRules { .. }
                | Outcome::Conflict { .. },
            )
            | None => false,
        }
    }

    /// The next action of the case. `None` after this run of the case has ended.
    pub(super) fn next(&self) -> Option<Next> {
        self.is_active().then(|| next(&self.progress, &self.turn))
    }

    pub(super) fn end(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    pub(super) fn wait(&mut self, step: Step, error: &Error, retry_after: Option<Duration>) {
        self.end(Outcome::Waiting { case: self.id().clone(), step, reason: error.to_string(), retry_after });
    }

    pub(super) fn wait_for_gateway(&mut self, step: Step, error: GatewayError) {
        let retry_after = error.retry_after();
        self.wait(step, &error.into(), retry_after);
    }

    /// Applies an event that is recorded already.
    pub(super) fn take_in(&mut self, event: &Event) -> Result<(), Error> {
        self.progress.apply(event).map_err(|source| self.out_of_order(source))?;
        self.moved = true;
        Ok(())
    }

    pub(super) fn out_of_order(&self, source: OutOfOrder) -> Error {
        LedgerError::OutOfOrder { case: self.new.id.clone(), source }.into()
    }

    /// Applies an event. [`Engine::save`](super::Engine::save) records it later.
    pub(super) fn note(&mut self, event: Event) -> Result<(), Error> {
        self.take_in(&event)?;
        self.unsaved.push(event);
        Ok(())
    }
}

/// The id of a case that is no longer open, or that another worker has claimed. Every other error is returned.
pub(super) fn lost_case(error: LedgerError) -> Result<CaseId, Error> {
    match error {
        LedgerError::NoSuchCase { case } | LedgerError::LostClaim { case } => Ok(case),
        error => Err(error.into()),
    }
}

pub(super) fn not_tried() -> StoreError {
    StoreError::failed("answering", "the store did not answer for this customer; it was not tried")
}

/// Lets all cases wait, because the store cannot be reached or fails. They stay as they are, and can be resumed.
pub(super) fn wait_all<'r, 'e: 'r, W: 'r>(
    runs: impl IntoIterator<Item = &'r mut Run<'e, W>>,
    step: &Step,
    error: StoreError,
) {
    let error = Error::from(error);
    for run in runs {
        run.wait(step.clone(), &error, None);
    }
}
