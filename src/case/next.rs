//! What a case does from here.

use std::collections::BTreeSet;

use super::Progress;
use crate::plan::Step;

/// What a case does from here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// A person has to decide.
    Rest,
    /// Look at fresh facts, and decide again whether the plan still holds.
    Decide,
    /// Take this step.
    Take(Step),
    /// Everything is done: close it.
    Close,
}

/// What was looked at since a case was last taken up. It is never recorded: whoever takes the case up later looks again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    decided: bool,
    settled: BTreeSet<Step>,
}

impl Turn {
    /// Fresh facts were looked at, and the plan holds.
    pub fn decided(&mut self) {
        self.decided = true;
    }

    /// As far as can be told now, there is nothing to do at a step: each profile was answered for, or all was read back.
    pub fn settled(&mut self, step: Step) {
        self.settled.insert(step);
    }
}

/// What a case does from here.
///
/// A step that cannot be taken back and is done is never taken again. At a gateway it is looked again each time that the case
/// is taken up, until the records are done: a profile may have come since.
pub fn next(progress: &Progress, turn: &Turn) -> Next {
    if progress.blocked().is_some() {
        return Next::Rest;
    }
    if !turn.decided {
        return Next::Decide;
    }
    // Nothing comes before a step that is done.
    let done = progress.steps().enumerate().filter(|(_, (_, step))| step.is_done());
    let after = done.map(|(n, _)| n + 1).last().unwrap_or_default();
    let mut steps = progress.steps().map(|(step, _)| step).skip(after);
    // Only a look at what others hold settles a step for a while. What we do ourselves is done or it is not.
    let is_settled = |step: &Step| match step {
        Step::Gateway(_) | Step::Verify => turn.settled.contains(step),
        Step::Deactivate | Step::Records | Step::Expire => false,
    };
    steps
        .find(|step| !progress.is_waived(step) && !is_settled(step))
        .map_or(Next::Close, |step| Next::Take(step.clone()))
}
