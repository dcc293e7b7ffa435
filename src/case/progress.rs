//! How far a case is: what its events add up to.

use std::collections::BTreeMap;

use super::{Before, DeactivationOutcome, Event, GatewayAnswer, Obstacle, Proof, Receipt, Waiver};
use crate::customer::{FormerStatus, Status};
use crate::digest::Digest;
use crate::plan::{ExpiredOf, ExpiryPart, ExpiryPlace, RecordsOf, Step};
use crate::treatment::Counts;

/// An event that cannot come to pass where a case stands. A case book that holds one was written to by somebody else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutOfOrder {
    /// The case has no such step.
    #[error("the case has no step {step}")]
    NoSuchStep {
        /// The step.
        step: Step,
    },
    /// Something came of a step before it was recorded that it would be taken.
    #[error("something came of step {step} before it was begun")]
    NotBegun {
        /// The step.
        step: Step,
    },
    /// The step is done, or waived, or a later one is done.
    #[error("step {step} was over by then")]
    Over {
        /// The step.
        step: Step,
    },
    /// What cannot be taken back was begun before the reversible step was done.
    #[error("step {step} was begun before step {first} was done")]
    TooEarly {
        /// The step.
        step: Step,
        /// The one that comes first.
        first: Step,
    },
    /// Nothing comes to pass in a blocked case until a person decides.
    #[error("the case is blocked at {step}, and nobody had decided")]
    Blocked {
        /// The step that blocks it.
        step: Step,
    },
    /// A person decided about a case that is not blocked, or about another step than the one that blocks it, or wanted to do
    /// without one that has to be taken.
    #[error("there was nothing to decide")]
    NothingToDecide,
    /// A proof that a step of this kind cannot have.
    #[error("step {step} cannot have such a proof")]
    NoProof {
        /// The step.
        step: Step,
    },
}

/// How far one step is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepProgress {
    /// How often it was begun, less the tries that touched nothing. Of an expiry: since the last part that was recorded.
    pub begun: u32,
    /// What was known right before it was first begun.
    pub before: Option<Before>,
    /// What was accepted outside and is not finished, by item.
    pub accepted: BTreeMap<Digest, Receipt>,
    /// What was answered outside, by item.
    pub answers: BTreeMap<Digest, GatewayAnswer>,
    /// Records treated so far.
    pub counts: Counts,
    /// What came of an expiry so far.
    pub expired: Expiries,
    /// Done; for records, whether the counts are exact.
    done: Option<Ended>,
}

/// What came of an expiry so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expiries {
    /// Where it goes on. None: from the start.
    pub place: Option<ExpiryPlace>,
    /// Records that had something to do, as they were counted before.
    pub found: u64,
    /// What came of it for each tenant; under none, of records whose owner is gone.
    pub of: BTreeMap<RecordsOf, ExpiredOf>,
    /// What came of a part was lost, so that the counts may be too small.
    pub lost: bool,
}

impl Expiries {
    /// Adds what came of a part. `begun`: how often it was begun.
    fn add(&mut self, part: &ExpiryPart, begun: u32) {
        self.place = Some(part.place.clone());
        self.found = self.found.saturating_add(part.found);
        for (tenant, of) in &part.of {
            self.of.entry(tenant.clone()).or_default().and(of.clone());
        }
        self.lost |= begun > 1;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Deactivated(DeactivationOutcome),
    Counted,
    Lost,
}

impl StepProgress {
    /// Whether it is done.
    pub fn is_done(&self) -> bool {
        self.done.is_some()
    }

    /// Whether anything may have come of it already.
    pub fn may_have_touched(&self) -> bool {
        self.begun > 0
            || self.counts != Counts::default()
            || !self.answers.is_empty()
            || self.expired.place.is_some()
            || self.done.is_some()
    }
}

/// How far a case is: a map from step to its progress, and who has to decide what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    steps: Vec<(Step, StepProgress)>,
    blocked: Option<Obstacle>,
    waived: Vec<Waiver>,
}

impl Progress {
    /// A case of these steps in which nothing has come to pass.
    pub fn of(steps: &[Step]) -> Self {
        let steps = steps.iter().map(|step| (step.clone(), StepProgress::default())).collect();
        Self { steps, ..Self::default() }
    }

    /// Takes one more event in.
    ///
    /// # Errors
    /// [`OutOfOrder`] if it cannot come to pass where the case stands. Then nothing has changed.
    pub fn apply(&mut self, event: &Event) -> Result<(), OutOfOrder> {
        if let Some(obstacle) = &self.blocked
            && !matches!(event, Event::Retried | Event::Waived(_))
        {
            return Err(OutOfOrder::Blocked { step: obstacle.step.clone() });
        }
        match event {
            Event::Begun { step, before } => {
                self.still_open(step)?;
                self.in_order(step)?;
                fits_before(step, before.as_ref())?;
                let progress = self.at(step)?;
                progress.begun += 1;
                if progress.before.is_none() {
                    progress.before.clone_from(before);
                }
            }
            Event::Part { step, proof } => {
                self.under_way(step)?;
                let progress = self.at(step)?;
                match (step, proof) {
                    (Step::Gateway(_), Proof::Answer { profile, answer }) => {
                        if progress.answers.contains_key(profile) {
                            return Err(OutOfOrder::Over { step: step.clone() });
                        }
                        progress.accepted.remove(profile);
                        progress.answers.insert(*profile, answer.clone());
                    }
                    (Step::Records, Proof::Records(counts)) => progress.counts.add(counts),
                    (Step::Expire, Proof::Expired(part)) => {
                        progress.expired.add(part, std::mem::take(&mut progress.begun));
                    }
                    _ => return Err(OutOfOrder::NoProof { step: step.clone() }),
                }
            }
            Event::Accepted { step, item, receipt } => {
                self.under_way(step)?;
                let progress = self.at(step)?;
                if !matches!(step, Step::Gateway(_)) {
                    return Err(OutOfOrder::NoProof { step: step.clone() });
                }
                if progress.answers.contains_key(item) {
                    return Err(OutOfOrder::Over { step: step.clone() });
                }
                progress.accepted.insert(*item, receipt.clone());
            }
            Event::Done { step, proof } => {
                self.under_way(step)?;
                self.in_order(step)?;
                let progress = self.at(step)?;
                progress.done = Some(match (step, proof) {
                    (Step::Deactivate, Proof::Deactivated(outcome)) => Ended::Deactivated(*outcome),
                    (Step::Records, Proof::Records(counts)) => {
                        progress.counts.add(counts);
                        // A second try cannot tell what the first one did.
                        if progress.begun > 1 { Ended::Lost } else { Ended::Counted }
                    }
                    (Step::Records, Proof::Lost) => Ended::Lost,
                    (Step::Expire, Proof::Expired(part)) => {
                        progress.expired.add(part, progress.begun);
                        if progress.expired.lost { Ended::Lost } else { Ended::Counted }
                    }
                    _ => return Err(OutOfOrder::NoProof { step: step.clone() }),
                });
            }
            Event::Refused { step } => {
                self.under_way(step)?;
                // This try does not count; an earlier one whose answer was lost does.
                let progress = self.at(step)?;
                progress.begun = progress.begun.saturating_sub(1);
            }
            Event::Blocked(obstacle) => {
                self.at(&obstacle.step)?;
                self.blocked = Some(obstacle.clone());
            }
            Event::Retried => {
                let obstacle = self.blocked.take().ok_or(OutOfOrder::NothingToDecide)?;
                for (step, progress) in &mut self.steps {
                    // What was accepted and then refused is asked for anew.
                    progress.accepted.clear();
                    // What could not be verified is done again before it is verified again.
                    if obstacle.step == Step::Verify && *step == Step::Records {
                        progress.done = None;
                    }
                }
            }
            Event::Waived(waiver) => {
                let may = |obstacle: &Obstacle| obstacle.is_waivable() && obstacle.step == waiver.step;
                if !self.blocked.as_ref().is_some_and(may) {
                    return Err(OutOfOrder::NothingToDecide);
                }
                self.blocked = None;
                self.waived.push(waiver.clone());
            }
        }
        Ok(())
    }

    fn at(&mut self, step: &Step) -> Result<&mut StepProgress, OutOfOrder> {
        let found = self.steps.iter_mut().find(|(known, _)| known == step);
        found.map(|(_, progress)| progress).ok_or_else(|| OutOfOrder::NoSuchStep { step: step.clone() })
    }

    /// Neither done nor waived, and nothing that comes later is done.
    fn still_open(&mut self, step: &Step) -> Result<(), OutOfOrder> {
        let over = self.at(step)?.is_done() || self.is_waived(step);
        let later = self.steps.iter().skip_while(|(known, _)| known != step).skip(1);
        if over || later.into_iter().any(|(_, progress)| progress.is_done()) {
            return Err(OutOfOrder::Over { step: step.clone() });
        }
        Ok(())
    }

    /// What cannot be taken back comes after what can.
    fn in_order(&self, step: &Step) -> Result<(), OutOfOrder> {
        let earlier = self.steps.iter().take_while(|(known, _)| known != step);
        let mut open = earlier.filter(|(known, progress)| !known.is_irreversible() && !progress.is_done());
        match open.next() {
            Some((first, _)) => Err(OutOfOrder::TooEarly { step: step.clone(), first: first.clone() }),
            None => Ok(()),
        }
    }

    /// Open; and what cannot be taken back was begun before anything came of it.
    fn under_way(&mut self, step: &Step) -> Result<(), OutOfOrder> {
        self.still_open(step)?;
        if step.is_irreversible() && self.at(step)?.begun == 0 {
            return Err(OutOfOrder::NotBegun { step: step.clone() });
        }
        Ok(())
    }

    /// How far a step is. None if the case has no such step.
    pub fn step(&self, step: &Step) -> Option<&StepProgress> {
        self.steps.iter().find(|(known, _)| known == step).map(|(_, progress)| progress)
    }

    /// The steps, in order, and how far each is.
    pub fn steps(&self) -> impl Iterator<Item = (&Step, &StepProgress)> {
        self.steps.iter().map(|(step, progress)| (step, progress))
    }

    /// Whether something that cannot be taken back may have come to pass. From then on a case only goes forward.
    pub fn is_irreversible(&self) -> bool {
        self.steps.iter().any(|(step, progress)| step.is_irreversible() && progress.may_have_touched())
    }

    /// The customer's status before it was touched, and what undoes that.
    pub fn former_status(&self) -> Option<(Status, &FormerStatus)> {
        match self.step(&Step::Deactivate)?.before.as_ref()? {
            Before::Status { status, former } => Some((*status, former)),
            Before::Records { .. } => None,
        }
    }

    /// How the first step ended, if it has.
    pub fn deactivation(&self) -> Option<DeactivationOutcome> {
        match self.step(&Step::Deactivate)?.done? {
            Ended::Deactivated(outcome) => Some(outcome),
            Ended::Counted | Ended::Lost => None,
        }
    }

    /// Whether the records are done and the counts are all of what was done. None while they are not done.
    pub fn counts_are_exact(&self) -> Option<bool> {
        Some(self.step(&Step::Records)?.done? == Ended::Counted)
    }

    /// What blocks the case, if anything does.
    pub fn blocked(&self) -> Option<&Obstacle> {
        self.blocked.as_ref()
    }

    /// Steps that a person decided to do without.
    pub fn waived(&self) -> &[Waiver] {
        &self.waived
    }

    /// Whether a person decided to do without a step.
    pub fn is_waived(&self, step: &Step) -> bool {
        self.waived.iter().any(|waiver| waiver.step == *step)
    }
}

fn fits_before(step: &Step, before: Option<&Before>) -> Result<(), OutOfOrder> {
    match (step, before) {
        (_, None)
        | (Step::Deactivate, Some(Before::Status { .. }))
        | (Step::Records, Some(Before::Records { .. })) => Ok(()),
        _ => Err(OutOfOrder::NoProof { step: step.clone() }),
    }
}
