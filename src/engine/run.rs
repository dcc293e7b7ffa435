//! A case while it runs.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Claim, Error, Outcome};
use crate::case::{DeactivationOutcome, Event, Next, Obstacle, Progress, Turn, next};
use crate::customer::{Customer, Expected, Status};
use crate::digest::Digest;
use crate::gateway::GatewayError;
use crate::ledger::{Certificate, Closing, Entry, Fence, LedgerError, NewCase, SavedCase};
use crate::plan::{Binding, CaseId, GuardFinding, Step, Tally};
use crate::policy::{Guard, Treatment};
use crate::store::{StoreError, Target};

/// A step that is not taken because a guard forbids the whole erasure. Nobody can do without a guard.
pub(super) fn by_a_guard(step: Step, reason: impl Into<String>) -> Obstacle {
    Obstacle { step, reason: reason.into(), waivable: false }
}

/// A step that is not taken because of what was found at it. A person may decide to do without it.
pub(super) fn at_the_step(step: Step, reason: impl Into<String>) -> Obstacle {
    Obstacle { step, reason: reason.into(), waivable: true }
}

/// A case while it runs.
pub(super) struct Run<'e> {
    pub(super) new: NewCase,
    pub(super) progress: Progress,
    /// What was looked at since it was taken up.
    pub(super) turn: Turn,
    /// Fresh facts; none once the customer's own record is gone.
    pub(super) facts: Option<Customer>,
    /// The treatment as it stood on the day on which the case was opened, and its digest.
    pub(super) dated: Option<(Digest, Arc<Treatment>)>,
    /// Records per class that were read back at the end.
    pub(super) verified: Tally,
    pub(super) outcome: Option<Outcome>,
    /// What happened and is not recorded yet: it goes into the next write, or is found again by whoever resumes.
    pub(super) unsaved: Vec<Event>,
    /// By which it is this worker's.
    pub(super) fence: Fence,
    /// When the lease began anew, by the engine's clock.
    pub(super) renewed: DateTime<Utc>,
    _claim: Claim<'e>,
}

impl<'e> Run<'e> {
    pub(super) fn new(
        saved: SavedCase,
        fence: Fence,
        renewed: DateTime<Utc>,
        claim: Claim<'e>,
    ) -> Result<Self, LedgerError> {
        Ok(Self {
            progress: saved.progress()?,
            new: saved.new,
            turn: Turn::default(),
            facts: None,
            dated: None,
            verified: Tally::default(),
            outcome: None,
            unsaved: Vec::new(),
            fence,
            renewed,
            _claim: claim,
        })
    }

    pub(super) fn id(&self) -> &CaseId {
        &self.new.id
    }

    pub(super) fn binding(&self) -> &Binding {
        &self.new.binding
    }

    pub(super) fn is_active(&self) -> bool {
        self.outcome.is_none()
    }

    /// Nothing is to be recorded of it any more: its working memory is wiped, or another worker has it.
    pub(super) fn is_closed(&self) -> bool {
        matches!(
            self.outcome,
            Some(Outcome::Erased(_) | Outcome::Superseded { .. } | Outcome::TakenOver { .. })
        )
    }

    /// What it does from here. None once this run of it has ended.
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

    /// Takes in what happened and is recorded.
    pub(super) fn take_in(&mut self, event: &Event) -> Result<(), Error> {
        let out_of_order = |source| LedgerError::OutOfOrder { case: self.new.id.clone(), source };
        Ok(self.progress.apply(event).map_err(out_of_order)?)
    }

    /// Takes in what happened. [`Engine::save`](super::Engine::save) records it.
    pub(super) fn note(&mut self, event: Event) -> Result<(), Error> {
        self.take_in(&event)?;
        self.unsaved.push(event);
        Ok(())
    }

    /// How often the records were begun.
    pub(super) fn records_begun(&self) -> u32 {
        self.progress.step(&Step::Records).map_or(0, |step| step.begun)
    }

    /// Whether a profile at a gateway may be erased already.
    pub(super) fn gateway_begun(&self) -> bool {
        let mut steps = self.progress.steps();
        steps.any(|(step, progress)| matches!(step, Step::Gateway(_)) && progress.may_have_touched())
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
    pub(super) fn changed(&self, facts: &Customer) -> Option<String> {
        let binding = self.binding();
        if facts.registered != binding.registered() || facts.tenant != *binding.tenant() {
            return Some("another customer has this id now, and must not be touched".to_owned());
        }
        if let Some(guard) = self.guard_up(facts) {
            return Some(format!("{}; {}", guard.why(), guard.way_out()));
        }
        let archived =
            self.progress.deactivation().is_some_and(|done| done != DeactivationOutcome::Unsupported);
        (archived && !facts.status.is_archived())
            .then(|| "the customer was brought back while the case was open".to_owned())
    }

    /// Whom the store is to erase, and how they are expected to be.
    pub(super) fn target(&self) -> Target {
        let gone = || Expected { revision: Customer::new("", "").revision(), status: Status::Archived };
        Target {
            customer: self.new.customer().clone(),
            tenant: self.new.tenant().clone(),
            expected: self.facts.as_ref().map_or_else(gone, Customer::expected),
        }
    }
}

/// How a case ended that is closed.
pub(super) fn outcome_of(entry: &Entry, case: &NewCase) -> Option<Outcome> {
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

/// The case that is open no more, or is another worker's by now. Everything else is an error.
pub(super) fn lost_case(error: LedgerError) -> Result<CaseId, Error> {
    match error {
        LedgerError::NoSuchCase { case } | LedgerError::LostClaim { case } => Ok(case),
        error => Err(error.into()),
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
