//! The progress of a case: the sum of its events.

use std::collections::BTreeMap;

use super::{
    Before, ByHand, DeactivationOutcome, Event, GatewayAnswer, Obstacle, Proof, PutOff, Receipt,
    RecipientAnswer, Waiver,
};
use crate::customer::{FormerStatus, Status};
use crate::digest::Digest;
use crate::plan::{ExpiredOf, ExpiryPart, ExpiryPlace, RecordsOf, Step};
use crate::treatment::{Counts, MentionCounts};

/// The error of an event that cannot happen in the case's present state. If a case book contains such an event,
/// another program wrote to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutOfOrder {
    /// The case has no such step.
    #[error("the case has no step {step}")]
    NoSuchStep {
        /// The step.
        step: Step,
    },
    /// The step has a result, but no event says that the step began.
    #[error("step {step} has a result, but had not begun")]
    NotBegun {
        /// The step.
        step: Step,
    },
    /// The step is done or waived, or a later step is done.
    #[error("step {step} was over already")]
    Over {
        /// The step.
        step: Step,
    },
    /// A step began too early: an irreversible step before the reversible step was done, or the records before a
    /// recipient was notified.
    #[error("step {step} was begun before step {first} was done")]
    TooEarly {
        /// The step.
        step: Step,
        /// The step that comes first.
        first: Step,
    },
    /// A blocked case has no events until a person decides.
    #[error("the case is blocked at {step}, and no person has decided yet")]
    Blocked {
        /// The step that blocks it.
        step: Step,
    },
    /// A person's decision does not fit: the case is not blocked, another step blocks it, or the step cannot be
    /// skipped.
    #[error("there was nothing to decide")]
    NothingToDecide,
    /// A step of this kind cannot have such a result.
    #[error("step {step} cannot have such a proof")]
    NoProof {
        /// The step.
        step: Step,
    },
}

/// The progress of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepProgress {
    /// How often the step began, without attempts that touched nothing. For an expiry: since the last recorded part.
    pub begun: u32,
    /// What was known right before the step first began.
    pub before: Option<Before>,
    /// The items that an outside party has accepted but not finished, each with its receipt.
    pub accepted: BTreeMap<Digest, Receipt>,
    /// The answers of an outside party, by item.
    pub answers: BTreeMap<Digest, GatewayAnswer>,
    /// The answer of a recipient.
    pub told: Option<RecipientAnswer>,
    /// The counts of the passes over the texts of others.
    pub mentions: MentionCounts,
    /// Records treated so far.
    pub counts: Counts,
    /// The results of an expiry so far.
    pub expired: Expiries,
    /// Set if the step is done. For records it also says whether the counts are exact.
    done: Option<Ended>,
}

/// The results of an expiry so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expiries {
    /// The place where the expiry continues. `None`: from the start.
    pub place: Option<ExpiryPlace>,
    /// The number of records that still had to be treated when they were counted.
    pub found: u64,
    /// The results for each tenant, or for ownerless records.
    pub of: BTreeMap<RecordsOf, ExpiredOf>,
    /// Whether the result of a part was lost, so that the counts may be too small.
    pub lost: bool,
}

impl Expiries {
    /// Adds the result of a part. `begun`: how often the part began.
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
    /// Whether the step is done.
    pub fn is_done(&self) -> bool {
        self.done.is_some()
    }

    /// Removes an attempt that touched nothing. An earlier attempt whose answer was lost still counts.
    fn refused(&mut self, step: &Step) {
        self.begun = self.begun.saturating_sub(1);
        // The facts from before the records will be read again. The former status cannot be read again.
        if *step == Step::Records && self.begun == 0 && self.counts == Counts::default() {
            self.before = None;
        }
    }

    /// Whether the recipient of the step was notified: it has answered, or will finish later.
    pub fn is_told(&self) -> bool {
        self.told.is_some() || !self.accepted.is_empty()
    }

    /// Adds the result of a part.
    fn add_part(&mut self, step: &Step, proof: &Proof) -> Result<(), OutOfOrder> {
        match (step, proof) {
            (Step::Gateway(_), Proof::Answer { profile, answer }) => {
                if self.answers.contains_key(profile) {
                    return Err(OutOfOrder::Over { step: step.clone() });
                }
                self.accepted.remove(profile);
                self.answers.insert(*profile, answer.clone());
            }
            (Step::Recipient(_), Proof::Told(answer)) => {
                self.accepted.clear();
                self.told = Some(answer.clone());
            }
            (Step::Mentions, Proof::Mentions(counts)) => self.mentions.add(counts),
            (Step::Records, Proof::Records(counts)) => self.counts.add(counts),
            (Step::Copies, Proof::Removed(_)) => {}
            (Step::Expire, Proof::Expired(part)) => {
                self.expired.add(part, std::mem::take(&mut self.begun));
            }
            _ => return Err(OutOfOrder::NoProof { step: step.clone() }),
        }
        Ok(())
    }

    /// Adds the last result.
    fn end(&mut self, step: &Step, proof: &Proof) -> Result<(), OutOfOrder> {
        // After a second attempt it is unknown what the first attempt did.
        let counted = if self.begun > 1 { Ended::Lost } else { Ended::Counted };
        self.done = Some(match (step, proof) {
            (Step::Deactivate, Proof::Deactivated(outcome)) => Ended::Deactivated(*outcome),
            (Step::Records, Proof::Records(counts)) => {
                self.counts.add(counts);
                counted
            }
            (Step::Mentions, Proof::Mentions(counts)) => {
                self.mentions.add(counts);
                counted
            }
            (Step::Records, Proof::Lost) => Ended::Lost,
            (Step::Copies, Proof::Removed(_)) => Ended::Counted,
            (Step::Expire, Proof::Expired(part)) => {
                self.expired.add(part, self.begun);
                if self.expired.lost { Ended::Lost } else { Ended::Counted }
            }
            _ => return Err(OutOfOrder::NoProof { step: step.clone() }),
        });
        Ok(())
    }

    fn is_told_to(&self, step: &Step) -> bool {
        matches!(step, Step::Recipient(_)) && self.is_told()
    }

    /// Whether the step may have had an effect already.
    pub fn may_have_touched(&self) -> bool {
        self.begun > 0
            || self.counts != Counts::default()
            || !self.answers.is_empty()
            || self.expired.place.is_some()
            || self.done.is_some()
    }
}

/// The progress of a case: each step with its progress, and the decisions of people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    steps: Vec<(Step, StepProgress)>,
    blocked: Option<Obstacle>,
    put_off: Option<PutOff>,
    waived: Vec<Waiver>,
    by_hand: Vec<ByHand>,
}

impl Progress {
    /// A case with these steps and no events.
    pub fn of(steps: &[Step]) -> Self {
        let steps = steps.iter().map(|step| (step.clone(), StepProgress::default())).collect();
        Self { steps, ..Self::default() }
    }

    /// Adds an event.
    ///
    /// # Errors
    /// [`OutOfOrder`] if the event cannot happen in the case's present state. Then nothing has changed.
    pub fn apply(&mut self, event: &Event) -> Result<(), OutOfOrder> {
        if let Some(obstacle) = &self.blocked
            && !matches!(event, Event::Retried | Event::Waived(_) | Event::ByHand(_))
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
                self.at(step)?.add_part(step, proof)?;
            }
            Event::Accepted { step, item, receipt } => {
                self.under_way(step)?;
                let progress = self.at(step)?;
                if !matches!(step, Step::Gateway(_) | Step::Recipient(_)) {
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
                self.at(step)?.end(step, proof)?;
            }
            Event::Refused { step } => {
                self.under_way(step)?;
                self.at(step)?.refused(step);
            }
            Event::PutOff(put_off) => {
                self.at(&put_off.step)?;
                self.put_off = Some(put_off.clone());
            }
            Event::Blocked(obstacle) => {
                self.at(&obstacle.step)?;
                self.blocked = Some(obstacle.clone());
            }
            Event::Retried => {
                let obstacle = self.blocked.take().ok_or(OutOfOrder::NothingToDecide)?;
                for (step, progress) in &mut self.steps {
                    // If a gateway refuses an item that it had accepted, the item is submitted again. A recipient
                    // cannot be notified again, because the values by which it knows the person may be erased by
                    // then.
                    if !matches!(step, Step::Recipient(_)) {
                        progress.accepted.clear();
                    }
                    // If the verification fails, the records are treated again before the next verification.
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
            Event::ByHand(by_hand) => {
                let may =
                    |obstacle: &Obstacle| obstacle.can_be_done_by_hand() && obstacle.step == by_hand.step;
                if !self.blocked.as_ref().is_some_and(may) {
                    return Err(OutOfOrder::NothingToDecide);
                }
                self.blocked = None;
                self.by_hand.push(by_hand.clone());
            }
        }
        // After a success, or after a person's decision, the failed attempts are forgotten.
        if let Event::Part { .. }
        | Event::Done { .. }
        | Event::Retried
        | Event::Waived(_)
        | Event::ByHand(_) = event
        {
            self.put_off = None;
        }
        Ok(())
    }

    fn at(&mut self, step: &Step) -> Result<&mut StepProgress, OutOfOrder> {
        let found = self.steps.iter_mut().find(|(known, _)| known == step);
        found.map(|(_, progress)| progress).ok_or_else(|| OutOfOrder::NoSuchStep { step: step.clone() })
    }

    /// Checks that the step is neither done nor decided by a person, and that no later step is done.
    fn still_open(&mut self, step: &Step) -> Result<(), OutOfOrder> {
        let progress = self.at(step)?;
        let over = progress.is_done() || progress.is_told_to(step) || self.is_decided(step);
        let later = self.steps.iter().skip_while(|(known, _)| known != step).skip(1);
        let ends = |(known, progress): &(Step, StepProgress)| progress.is_done() && *known != Step::Mentions;
        if over || later.into_iter().any(ends) {
            return Err(OutOfOrder::Over { step: step.clone() });
        }
        Ok(())
    }

    /// Checks that irreversible steps come after reversible steps, and the records after the recipients. The records
    /// contain the values by which a recipient knows the person.
    fn in_order(&self, step: &Step) -> Result<(), OutOfOrder> {
        let earlier = self.steps.iter().take_while(|(known, _)| known != step);
        let mut open = earlier.filter(|(known, progress)| match known {
            Step::Recipient(_) => *step == Step::Records && !progress.is_told() && !self.is_decided(known),
            // They also contain the values by which the person is found in texts.
            Step::Mentions => *step == Step::Records && !progress.is_done() && !self.is_decided(known),
            known => !known.is_irreversible() && !progress.is_done(),
        });
        match open.next() {
            Some((first, _)) => Err(OutOfOrder::TooEarly { step: step.clone(), first: first.clone() }),
            None => Ok(()),
        }
    }

    /// Checks that the step is open. An irreversible step must have begun before it has a result.
    fn under_way(&mut self, step: &Step) -> Result<(), OutOfOrder> {
        // A recipient that has accepted a notice may answer at any time.
        if self.unanswered().any(|told| told == step) && self.at(step)?.is_told_to(step) {
            return Ok(());
        }
        self.still_open(step)?;
        if step.is_irreversible() && self.at(step)?.begun == 0 {
            return Err(OutOfOrder::NotBegun { step: step.clone() });
        }
        Ok(())
    }

    /// The progress of a step. `None` if the case has no such step.
    pub fn step(&self, step: &Step) -> Option<&StepProgress> {
        self.steps.iter().find(|(known, _)| known == step).map(|(_, progress)| progress)
    }

    /// The steps in order, each with its progress.
    pub fn steps(&self) -> impl Iterator<Item = (&Step, &StepProgress)> {
        self.steps.iter().map(|(step, progress)| (step, progress))
    }

    /// The recipients that were notified and have not answered yet.
    pub fn unanswered(&self) -> impl Iterator<Item = &Step> {
        let recipients = self.steps.iter().filter(|(step, _)| matches!(step, Step::Recipient(_)));
        let open = recipients.filter(|(step, progress)| progress.told.is_none() && !self.is_decided(step));
        open.map(|(step, _)| step)
    }

    /// Whether an irreversible step may have had an effect. From then on a case only goes forward.
    pub fn is_irreversible(&self) -> bool {
        // What a person did by hand is done, although this crate has begun nothing.
        !self.by_hand.is_empty()
            || self.steps.iter().any(|(step, progress)| step.is_irreversible() && progress.may_have_touched())
    }

    /// The customer's status before the deactivation, and what the store needs to undo it.
    pub fn former_status(&self) -> Option<(Status, &FormerStatus)> {
        match self.step(&Step::Deactivate)?.before.as_ref()? {
            Before::Status { status, former } => Some((*status, former)),
            Before::Records { .. } => None,
        }
    }

    /// How the deactivation ended, if it has.
    pub fn deactivation(&self) -> Option<DeactivationOutcome> {
        match self.step(&Step::Deactivate)?.done? {
            Ended::Deactivated(outcome) => Some(outcome),
            Ended::Counted | Ended::Lost => None,
        }
    }

    /// Whether the counts of the records are complete. `None` while the records are not done.
    pub fn counts_are_exact(&self) -> Option<bool> {
        Some(self.step(&Step::Records)?.done? == Ended::Counted)
    }

    /// Whether the case waits only for a pass over the texts of others. The steps before it are done, and this was
    /// recorded.
    pub fn waits_for_mentions(&self) -> bool {
        let is_open = self.step(&Step::Mentions).is_some_and(|step| !step.is_done());
        let waits = self.put_off.as_ref().is_some_and(|put_off| put_off.step == Step::Mentions);
        is_open && waits && self.blocked.is_none() && !self.is_decided(&Step::Mentions)
    }

    /// The counts of the passes over the texts of others, and whether they are complete. `None` while the step is not
    /// done.
    pub fn mentions(&self) -> Option<(&MentionCounts, bool)> {
        let step = self.step(&Step::Mentions)?;
        Some((&step.mentions, step.done? == Ended::Counted))
    }

    /// What blocks the case, if anything.
    pub fn blocked(&self) -> Option<&Obstacle> {
        self.blocked.as_ref()
    }

    /// The next attempt, after a failed one. Until then workers leave the case alone.
    pub fn put_off(&self) -> Option<&PutOff> {
        self.put_off.as_ref()
    }

    /// Steps that a person did by hand.
    pub fn by_hand(&self) -> &[ByHand] {
        &self.by_hand
    }

    /// Steps that a person decided to skip.
    pub fn waived(&self) -> &[Waiver] {
        &self.waived
    }

    /// Whether a person decided about a step: skipped it, or did it by hand.
    pub fn is_decided(&self, step: &Step) -> bool {
        let waived = self.waived.iter().map(|waiver| &waiver.step);
        waived.chain(self.by_hand.iter().map(|done| &done.step)).any(|decided| decided == step)
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
