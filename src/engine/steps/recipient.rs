//! Step 4: notifies the recipients of the customer's data of the erasure.
//!
//! Every recipient is notified before the records are erased, because the records contain the values by which the
//! recipient knows the person. A recipient may finish later. The records are erased all the same, and the recipient
//! is asked again at the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use async_trait::async_trait;

use super::Perform;
use super::gateway::{AtGateways as _, LONGEST, PAUSE, TRIES};
use crate::case::{Event, Hindrance, Obstacle, Proof, SupersedeReason};
use crate::customer::{CustomerId, Identifiers};
use crate::data_map::{IdentifiedBy, RecipientName};
use crate::digest::Digest;
use crate::engine::drive::Batch;
use crate::engine::run::{Run, at_the_step, not_tried, wait_all};
use crate::engine::work::ErasureWork;
use crate::engine::{Engine, Error, Outcome};
use crate::hex;
use crate::plan::Step;
use crate::recipient::{
    Answers, Notice, NoticeId, Pending, Recipient, RecipientAnswer, RecipientError, RecipientOutcome,
};
use crate::store::StoreError;

/// Notifies recipients: all cases of a batch in as few calls as a recipient allows.
pub(in crate::engine) struct Recipients;

type Runs<'r, 'e> = Vec<&'r mut Run<'e, ErasureWork>>;

/// Why a case stops at a recipient. It is applied after the other recipients were notified.
enum Trouble {
    Waits { step: Step, reason: String, retry_after: Option<Duration> },
    Blocks(Obstacle),
}

/// The most important trouble of each case. A trouble that blocks replaces a trouble that only waits, because a
/// person has to act.
type Troubles = BTreeMap<crate::plan::CaseId, Trouble>;

fn add(troubles: &mut Troubles, run: &Run<'_, ErasureWork>, trouble: Trouble) {
    let is_worse = matches!(
        (troubles.get(run.id()), &trouble),
        (None, _) | (Some(Trouble::Waits { .. }), Trouble::Blocks(_))
    );
    if is_worse {
        troubles.insert(run.id().clone(), trouble);
    }
}

/// What a call to a recipient is about: a notice, or a task whose state is asked.
trait Item: Send + Sync + Sized {
    async fn call(recipient: &dyn Recipient, items: &[Self], engine: &Engine) -> Answers;
}

impl Item for Notice {
    async fn call(recipient: &dyn Recipient, items: &[Self], engine: &Engine) -> Answers {
        recipient.tell(items, engine.parts.clock.now()).await
    }
}

impl Item for Pending {
    async fn call(recipient: &dyn Recipient, items: &[Self], engine: &Engine) -> Answers {
        recipient.poll(items, engine.parts.clock.now()).await
    }
}

#[async_trait]
impl Perform<ErasureWork> for Recipients {
    /// Checks the guards again for customers about whom a recipient has to be notified. For notices that were sent
    /// before, the recipient is only asked for the state.
    async fn look(
        &self,
        engine: &Engine,
        _: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, ErasureWork>],
    ) -> Result<(), Error> {
        let mut telling: Runs<'_, '_> = runs.iter_mut().map(|run| &mut **run).collect();
        telling.retain(|run| untold(run).next().is_some());
        if telling.is_empty() { Ok(()) } else { ErasureWork::look_again(engine, &mut telling).await }
    }

    async fn act(
        &self,
        engine: &Engine,
        _: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, ErasureWork>],
    ) -> Result<(), Error> {
        let mut troubles = Troubles::new();
        let (mut telling, mut asking): (Runs<'_, '_>, Runs<'_, '_>) =
            runs.iter_mut().map(|run| &mut **run).partition(|run| untold(run).next().is_some());
        let names: BTreeSet<RecipientName> = telling.iter().flat_map(|run| untold(run)).cloned().collect();
        if let Some(identifiers) = engine.identifiers_for(&names, &mut telling).await? {
            for name in &names {
                engine.tell(name, &mut telling, &identifiers, &mut troubles).await?;
            }
        }
        let names: BTreeSet<RecipientName> = asking.iter().flat_map(|run| unanswered(run)).cloned().collect();
        for name in &names {
            engine.ask(name, &mut asking, &mut troubles).await?;
        }
        for run in runs.iter_mut().filter(|run| run.is_active()) {
            match troubles.remove(run.id()) {
                Some(Trouble::Blocks(obstacle)) => engine.block(run, obstacle).await?,
                Some(Trouble::Waits { step, reason, retry_after }) => {
                    run.end(Outcome::Waiting { case: run.id().clone(), step, reason, retry_after });
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// The recipients that have not answered and were not waived.
fn unanswered<'r>(run: &'r Run<'_, ErasureWork>) -> impl Iterator<Item = &'r RecipientName> {
    run.progress.unanswered().filter_map(|step| match step {
        Step::Recipient(name) => Some(name),
        _ => None,
    })
}

/// The unanswered recipients that were not notified yet.
fn untold<'r>(run: &'r Run<'_, ErasureWork>) -> impl Iterator<Item = &'r RecipientName> {
    unanswered(run).filter(|name| {
        let progress = run.progress.step(&Step::Recipient((*name).clone()));
        !progress.is_some_and(crate::case::StepProgress::is_told)
    })
}

/// Takes up to `most` items, and leaves the rest.
fn take_some<T>(from: &mut Vec<T>, most: usize) -> Vec<T> {
    let rest = from.split_off(most.clamp(1, from.len().max(1)).min(from.len()));
    std::mem::replace(from, rest)
}

impl Engine {
    /// The values by which recipients know the customers. `None`: the store cannot be read, and the cases wait.
    async fn identifiers_for(
        &self,
        names: &BTreeSet<RecipientName>,
        runs: &mut Runs<'_, '_>,
    ) -> Result<Option<HashMap<CustomerId, Result<Identifiers, StoreError>>>, Error> {
        let known = self.data_map().recipients();
        if !names.iter().any(|name| known.get(name).is_some_and(IdentifiedBy::has_values)) {
            return Ok(Some(HashMap::new()));
        }
        let ids: Vec<CustomerId> = runs.iter().map(|run| run.binding().customer().clone()).collect();
        match self.parts.store.identifiers(&ids).await {
            Ok(answers) => {
                let answers = answers.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
                let each = ids.into_iter().zip(answers);
                Ok(Some(each.map(|(id, answer)| (id, answer.unwrap_or_else(|| Err(not_tried())))).collect()))
            }
            Err(error) => {
                let step = names.first().map_or(Step::Records, |name| Step::Recipient(name.clone()));
                wait_all(std::mem::take(runs), &step, error);
                Ok(None)
            }
        }
    }

    /// Notifies one recipient of all customers of whom it was not notified before.
    async fn tell(
        &self,
        name: &RecipientName,
        runs: &mut Runs<'_, '_>,
        identifiers: &HashMap<CustomerId, Result<Identifiers, StoreError>>,
        troubles: &mut Troubles,
    ) -> Result<(), Error> {
        let step = Step::Recipient(name.clone());
        let mut todo: Runs<'_, '_> = runs.iter_mut().map(|run| &mut **run).collect();
        todo.retain(|run| run.is_active() && untold(run).any(|untold| untold == name));
        let Some(recipient) = self.parts.recipients.get(name) else {
            for run in todo {
                self.stop(run, step.clone(), SupersedeReason::NoRecipient { recipient: name.clone() })
                    .await?;
            }
            return Ok(());
        };
        let mut notices = Vec::with_capacity(todo.len());
        for run in todo {
            match identifiers.get(run.binding().customer()) {
                Some(Err(error)) if error.is_transient() => {
                    let (step, reason) = (step.clone(), error.to_string());
                    add(troubles, run, Trouble::Waits { step, reason, retry_after: None });
                }
                Some(Err(error)) => {
                    let reason = Hindrance::Refused(error.to_string());
                    add(troubles, run, Trouble::Blocks(at_the_step(step.clone(), reason)));
                }
                found => {
                    let notice = self.notice(name, run, found.and_then(|found| found.as_ref().ok()));
                    notices.push((run, notice));
                }
            }
        }
        while !notices.is_empty() {
            let mut some = take_some(&mut notices, recipient.max_batch());
            self.rest_held(some.iter_mut().map(|(run, _)| &mut **run)).await?;
            for (run, notice) in some.iter_mut().filter(|(run, _)| run.is_active()) {
                run.note(Event::Begun { step: step.clone(), before: None })?;
                if notice.is_none() {
                    let proof = Proof::Told(RecipientOutcome::Unidentified.into());
                    run.note(Event::Part { step: step.clone(), proof })?;
                }
            }
            self.save(some.iter_mut().map(|(run, _)| &mut **run).filter(|run| run.is_active())).await?;
            let some = some.into_iter().filter_map(|(run, notice)| Some((run, notice?)));
            let (runs, notices): (Vec<_>, Vec<_>) = some.filter(|(run, _)| run.is_active()).unzip();
            self.call(&**recipient, runs, notices, troubles).await?;
        }
        Ok(())
    }

    /// Asks one recipient for the state of all notices that it has accepted but not answered.
    async fn ask(
        &self,
        name: &RecipientName,
        runs: &mut Runs<'_, '_>,
        troubles: &mut Troubles,
    ) -> Result<(), Error> {
        let step = Step::Recipient(name.clone());
        let mut todo: Runs<'_, '_> = runs.iter_mut().map(|run| &mut **run).collect();
        todo.retain(|run| run.is_active() && unanswered(run).any(|open| open == name));
        let Some(recipient) = self.parts.recipients.get(name) else {
            for run in todo {
                self.stop(run, step.clone(), SupersedeReason::NoRecipient { recipient: name.clone() })
                    .await?;
            }
            return Ok(());
        };
        while !todo.is_empty() {
            let some = take_some(&mut todo, recipient.max_batch());
            let (mut asking, mut tasks) = (Vec::with_capacity(some.len()), Vec::with_capacity(some.len()));
            for run in some {
                let accepted = run.progress.step(&step).and_then(|step| step.accepted.values().next());
                let Some(receipt) = accepted.cloned() else { continue };
                tasks.push(Pending { id: notice_id(run, name), receipt });
                asking.push(run);
            }
            self.call(&**recipient, asking, tasks, troubles).await?;
        }
        Ok(())
    }

    /// Calls a recipient for some cases, and records the answers. Temporary failures are retried a few times.
    async fn call<I: Item>(
        &self,
        recipient: &dyn Recipient,
        runs: Runs<'_, '_>,
        items: Vec<I>,
        troubles: &mut Troubles,
    ) -> Result<(), Error> {
        let step = Step::Recipient(recipient.recipient().clone());
        let busy = || RecipientError::Busy { recipient: recipient.recipient().clone(), retry_after: None };
        let mut open: Vec<_> = runs.into_iter().zip(items).collect();
        let mut told = Vec::with_capacity(open.len());
        let mut pause = PAUSE;
        for attempt in 1..=TRIES {
            // A case whose lease would expire during the call is left to the next turn, because another worker may
            // claim it.
            let lasts =
                |run: &Run<'_, ErasureWork>| self.lease_outlasts(run.renewed, recipient.longest_call());
            let (lasting, late): (Vec<_>, Vec<_>) = open.into_iter().partition(|(run, _)| lasts(run));
            for (run, _) in late {
                add(troubles, run, waits(step.clone(), &busy()));
            }
            if lasting.is_empty() {
                break;
            }
            let (runs, items): (Vec<_>, Vec<_>) = lasting.into_iter().unzip();
            let answers = I::call(recipient, &items, self).await;
            let answers = answers.into_iter().chain(std::iter::repeat_with(|| Err(busy())));
            let mut wait = pause;
            open = Vec::new();
            for ((run, item), answer) in runs.into_iter().zip(items).zip(answers) {
                match answer {
                    Err(error) if error.is_transient() => {
                        let asked = error.retry_after().unwrap_or_default();
                        if attempt < TRIES && asked <= LONGEST {
                            wait = wait.max(asked);
                            open.push((run, item));
                        } else {
                            add(troubles, run, waits(step.clone(), &error));
                        }
                    }
                    answer => {
                        self.heard(run, &step, answer, troubles)?;
                        told.push(run);
                    }
                }
            }
            if open.is_empty() {
                break;
            }
            self.parts.clock.sleep(wait).await;
            pause *= 2;
        }
        self.save(told).await
    }

    /// Notes what a recipient answered for one case.
    #[allow(clippy::unused_self, reason = "one of the engine's turns, as its neighbours are")]
    fn heard(
        &self,
        run: &mut Run<'_, ErasureWork>,
        step: &Step,
        answer: Result<RecipientAnswer, RecipientError>,
        troubles: &mut Troubles,
    ) -> Result<(), Error> {
        let blocks = |reason: String| Trouble::Blocks(at_the_step(step.clone(), Hindrance::Refused(reason)));
        let known = run.progress.step(step).and_then(|step| step.accepted.values().next()).cloned();
        // A recipient that refuses at once has done nothing. One that accepted first may have begun.
        let refuses = |run: &mut Run<'_, ErasureWork>| match known {
            None => run.note(Event::Refused { step: step.clone() }),
            Some(_) => Ok(()),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                add(troubles, run, blocks(error.to_string()));
                return refuses(run);
            }
        };
        match &answer.outcome {
            RecipientOutcome::Confirmed
            | RecipientOutcome::NothingThere
            | RecipientOutcome::Retained { .. } => {
                tracing::info!(case = %run.id(), %step, "recipient told");
                run.note(Event::Part { step: step.clone(), proof: Proof::Told(answer) })
            }
            RecipientOutcome::Accepted { receipt, ask_again, .. } => {
                if known.is_some() {
                    // The recipient was asked at the end of the case, and is not ready.
                    let (step, reason) = (step.clone(), answer.outcome.to_string());
                    add(troubles, run, Trouble::Waits { step, reason, retry_after: *ask_again });
                }
                if known.as_ref() == Some(receipt) {
                    return Ok(());
                }
                let item = Digest::of_bytes(step.to_string().as_bytes());
                run.note(Event::Accepted { step: step.clone(), item, receipt: receipt.clone() })
            }
            RecipientOutcome::Refused { reason } => {
                add(troubles, run, blocks(reason.clone()));
                refuses(run)
            }
            RecipientOutcome::Unidentified => {
                add(
                    troubles,
                    run,
                    blocks("its adapter gave an answer that only the engine gives".to_owned()),
                );
                Ok(())
            }
        }
    }

    /// The notice about a customer for a recipient. `None`: the host has no value by which the recipient knows the
    /// person.
    fn notice(
        &self,
        name: &RecipientName,
        run: &Run<'_, ErasureWork>,
        identifiers: Option<&Identifiers>,
    ) -> Option<Notice> {
        let by = self.data_map().recipients().get(name)?;
        let mut notice = Notice::new(notice_id(run, name), run.binding().tenant().clone(), run.new.opened_at);
        notice.customer = by.has_key().then(|| run.binding().customer().clone());
        for (kind, value) in identifiers.iter().flat_map(|found| found.iter()) {
            if by.has(kind) {
                notice.identifiers.insert(kind.clone(), value);
            }
        }
        (notice.customer.is_some() || !notice.identifiers.is_empty()).then_some(notice)
    }
}

fn waits(step: Step, error: &RecipientError) -> Trouble {
    Trouble::Waits { step, reason: error.to_string(), retry_after: error.retry_after() }
}

/// The id of a notice: a UUID of version 4, from the random id of the case. The same for every attempt.
fn notice_id(run: &Run<'_, ErasureWork>, name: &RecipientName) -> NoticeId {
    let digest = Digest::of(&(run.id(), name));
    let mut bytes = [0; 16];
    for (byte, drawn) in bytes.iter_mut().zip(digest.as_bytes()) {
        *byte = *drawn;
    }
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = 0x40 | (*version & 0x0f);
    *variant = 0x80 | (*variant & 0x3f);
    let text = hex::encode(bytes);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| text.get(part).unwrap_or_default());
    parts.join("-").into()
}
