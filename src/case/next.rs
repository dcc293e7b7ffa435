//! The next action of a case.

use std::collections::BTreeSet;

use super::{Progress, StepProgress};
use crate::plan::Step;

/// The next action of a case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// Wait until a person decides.
    Rest,
    /// Read the facts again, and decide whether the plan is still valid.
    Decide,
    /// Take this step.
    Take(Step),
    /// Close the case: everything is done.
    Close,
}

/// The checks made since a worker claimed the case. They are never recorded: the next worker checks again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    decided: bool,
    settled: BTreeSet<Step>,
}

impl Turn {
    /// Marks that the facts were read again, and that the plan is still valid.
    pub fn decided(&mut self) {
        self.decided = true;
    }

    /// Marks that a step has nothing to do for now: every profile has an answer, or everything was read back.
    pub fn settled(&mut self, step: Step) {
        self.settled.insert(step);
    }
}

/// The next action of a case.
///
/// An irreversible step that is done is never repeated. Until the records are done, each worker that claims the case
/// checks the gateway steps again, because a new profile may exist. A recipient may finish later. The records do not
/// wait for it. The case asks the recipient again at the end, and closes when every recipient has answered.
pub fn next(progress: &Progress, turn: &Turn) -> Next {
    if progress.blocked().is_some() {
        return Next::Rest;
    }
    if !turn.decided {
        return Next::Decide;
    }
    // Steps before a step that is done are over, too. The texts of others are an exception: after them a new profile
    // may still have to be erased.
    let ends = |step: &Step, done: &StepProgress| done.is_done() && *step != Step::Mentions;
    let done = progress.steps().enumerate().filter(|(_, (step, done))| ends(step, done));
    let after = done.map(|(n, _)| n + 1).last().unwrap_or_default();
    let mut steps = progress.steps().map(|(step, _)| step).skip(after);
    // Only gateways and the verification can be settled for a while. The other steps are either done or not.
    let is_settled = |step: &Step| match step {
        Step::Gateway(_) | Step::Verify => turn.settled.contains(step),
        Step::Recipient(_) => progress.step(step).is_some_and(StepProgress::is_told),
        Step::Mentions => progress.step(step).is_some_and(StepProgress::is_done),
        Step::Deactivate | Step::Records | Step::Expire | Step::Copies => false,
    };
    steps
        .find(|step| !progress.is_decided(step) && !is_settled(step))
        .or_else(|| progress.unanswered().next())
        .map_or(Next::Close, |step| Next::Take(step.clone()))
}
