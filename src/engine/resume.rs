//! Continues open cases: after an interruption, after a person's decision, or turn by turn.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use super::outcomes::Turns;
use super::run::{Run, Work};
use super::work::{CopiesWork, ErasureWork, ExpiryWork, ProfileWork};
use super::{Claim, Engine, Error, Outcome};
use crate::case::{ByHand, Event, Obstacle, Progress, Waiver};
use crate::customer::{CustomerId, TenantId};
use crate::ledger::{
    CaseEvent, Closing, EndedEarly, Entry, EntryKey, Erasure, Fence, Find, LedgerError, ListedCase, NewCase,
    SavedCase, Task, TokenOf, WorkerId,
};
use crate::plan::{ApprovalError, Authority, CaseId, ExpiryOf, ReasonCode, Step};

/// The default time until a waiting case gets another turn.
const A_WHILE: TimeDelta = TimeDelta::seconds(60);

/// An open case, for a host that monitors the open cases.
#[derive(Clone, Debug)]
pub struct OpenCase {
    /// The case.
    pub case: CaseId,
    /// What the case has to do.
    pub task: Task,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// What blocks the case, if anything. `None`: the case was interrupted, and can be resumed.
    pub blocked: Option<Obstacle>,
    /// Whether an irreversible step was begun.
    pub irreversible: bool,
    /// The worker who has claimed the case, if any.
    pub held_by: Option<WorkerId>,
    /// How far each step is.
    pub progress: Progress,
}

impl OpenCase {
    pub(super) fn of(listed: ListedCase) -> Result<Self, LedgerError> {
        let progress = listed.saved.progress()?;
        let NewCase { id: case, task, opened_at, .. } = listed.saved.new;
        let (blocked, irreversible) = (progress.blocked().cloned(), progress.is_irreversible());
        Ok(Self { case, task, opened_at, blocked, irreversible, held_by: listed.held_by, progress })
    }
}

/// The result of an open case that was taken up again.
#[derive(Clone, Debug)]
pub struct ResumedCase {
    /// What the case had to do. [`Task::customer`] gives the customer, by the host's own id.
    pub task: Task,
    /// The result.
    pub outcome: Outcome,
}

/// The result of one turn of a case.
#[derive(Clone, Debug)]
pub enum Advance {
    /// There is more to do now.
    Again,
    /// Something cannot be reached. Give the case its next turn at this instant or later.
    NotBefore(DateTime<Utc>),
    /// The case has ended, or waits until a person decides.
    Ended(Outcome),
}

/// The open cases of [`Engine::resume_each`], page by page.
#[derive(Debug)]
pub struct Resumed<'e> {
    engine: &'e Engine,
    after: Option<CaseId>,
    ended: bool,
    ready: VecDeque<ResumedCase>,
}

impl Resumed<'_> {
    /// The result of the next case, or `None` when there are no more cases.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn next(&mut self) -> Option<Result<ResumedCase, Error>> {
        while self.ready.is_empty() && !self.ended {
            match self.engine.resume_page(&mut self.after, None).await {
                Ok(Some(page)) => self.ready.extend(page),
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

fn resumed(saved: &SavedCase, outcome: Outcome) -> ResumedCase {
    ResumedCase { task: saved.new.task.clone(), outcome }
}

impl Engine {
    /// Continues every open case that was interrupted, and returns the results. Three kinds of cases are left alone:
    ///
    /// * Blocked cases are reported, and not continued.
    /// * Cases that were opened under rules which this engine does not run are reported, and not continued.
    /// * Cases that another worker has claimed are left to that worker.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn resume(&self) -> Result<Vec<ResumedCase>, Error> {
        let mut each = self.resume_each();
        let mut all = Vec::new();
        while let Some(one) = each.next().await {
            all.push(one?);
        }
        Ok(all)
    }

    /// Does the same as [`resume`](Self::resume), but returns the results one by one. Memory does not grow with the
    /// number of cases.
    pub fn resume_each(&self) -> Resumed<'_> {
        Resumed { engine: self, after: None, ended: false, ready: VecDeque::new() }
    }

    /// `due_at`: leaves out cases whose next attempt is after this instant, and blocked cases.
    pub(super) async fn resume_page(
        &self,
        after: &mut Option<CaseId>,
        due_at: Option<DateTime<Utc>>,
    ) -> Result<Option<Vec<ResumedCase>>, Error> {
        let mut outcomes = Vec::new();
        let sorted = self.claim_page(after, |listed, progress| {
            let case = &listed.saved.new.id;
            if due_at.is_some_and(|now| {
                progress.blocked().is_some() || progress.put_off().is_some_and(|put_off| put_off.until > now)
            }) {
                return Ok(false);
            }
            if let Some(Obstacle { step, reason, .. }) = progress.blocked().cloned() {
                let reason = reason.to_string();
                let (case, reversible) = (case.clone(), !progress.is_irreversible());
                outcomes.push(resumed(&listed.saved, Outcome::Blocked { case, step, reason, reversible }));
            } else if listed.held_by.as_ref().is_some_and(|worker| *worker != self.parts.lease.worker) {
                tracing::debug!(case = %case, "left to the worker who has it");
            } else if let Some(outcome) = self.other_rules(&listed.saved)? {
                outcomes.push(resumed(&listed.saved, outcome));
            } else {
                return Ok(true);
            }
            Ok(false)
        });
        let Some(sorted) = sorted.await? else { return Ok(None) };
        outcomes.extend(self.drive_all(sorted).await?);
        Ok(Some(outcomes))
    }

    /// Claims the wanted cases of the next page of open cases. `None` after the last page.
    async fn claim_page(
        &self,
        after: &mut Option<CaseId>,
        mut wants: impl FnMut(&ListedCase, &Progress) -> Result<bool, Error> + Send,
    ) -> Result<Option<Sorted<'_>>, Error> {
        let page = self.parts.ledger.list(after.as_ref(), self.parts.batch).await?;
        let Some(last) = page.last() else { return Ok(None) };
        *after = Some(last.saved.new.id.clone());
        let mut claims = BTreeMap::new();
        for listed in page {
            let progress = listed.saved.progress()?;
            if wants(&listed, &progress)?
                && let Some(claim) = self.claim(&listed.saved.new.id)
            {
                claims.insert(listed.saved.new.id.clone(), claim);
            }
        }
        let mut sorted = Sorted::default();
        let wanted: Vec<CaseId> = claims.keys().cloned().collect();
        if wanted.is_empty() {
            return Ok(Some(sorted));
        }
        self.begin_marking().await?;
        let now = self.parts.clock.now();
        let claimed = self.parts.ledger.claim(&wanted, &self.parts.lease).await?;
        for saved in claimed.cases {
            // A case may have moved on since it was listed.
            if let Some(claim) = claims.remove(&saved.new.id) {
                sorted.add(as_mandated(saved)?, claimed.fence, now, claim)?;
            }
        }
        Ok(Some(sorted))
    }

    /// Claims those erasures of the next page that wait only for a pass over the texts of others. `None` after the
    /// last page.
    pub(super) async fn claim_waiting_for_mentions(
        &self,
        after: &mut Option<CaseId>,
    ) -> Result<Option<Vec<Run<'_, ErasureWork>>>, Error> {
        let sorted = self.claim_page(after, |listed, progress| {
            let is_others = listed.held_by.as_ref().is_some_and(|worker| *worker != self.parts.lease.worker);
            Ok(progress.waits_for_mentions() && !is_others && self.other_rules(&listed.saved)?.is_none())
        });
        Ok(sorted.await?.map(|sorted| sorted.erasures))
    }

    /// Carries out cases of every kind.
    async fn drive_all(&self, sorted: Sorted<'_>) -> Result<Vec<ResumedCase>, Error> {
        let turns = Turns::default();
        let mut ran = self.drive(sorted.erasures, &turns).await?;
        ran.extend(self.drive(sorted.profiles, &turns).await?);
        ran.extend(self.drive(sorted.expiries, &turns).await?);
        ran.extend(self.drive(sorted.copies, &turns).await?);
        Ok(ran.into_iter().map(|(case, outcome)| ResumedCase { task: case.task, outcome }).collect())
    }

    /// Carries out the only case that was opened.
    pub(super) async fn drive_one<W: Work>(&self, runs: Vec<Run<'_, W>>) -> Result<Outcome, Error> {
        let doing = "carrying out a case";
        let lost = || LedgerError::Failed { doing, what: "the case book opened none".to_owned() };
        let (_, outcome) = self.drive(runs, &Turns::default()).await?.pop().ok_or_else(lost)?;
        Ok(outcome)
    }

    /// Whether a case was opened under rules that this engine does not run. After an irreversible step, the case
    /// itself contains what has to be done. Then only the data map has to be the same. If the case's approval has
    /// expired, the rules do not matter: any engine ends the case.
    fn other_rules(&self, saved: &SavedCase) -> Result<Option<Outcome>, Error> {
        let irreversible = saved.progress()?.is_irreversible();
        let policy = &self.parts.policy;
        let other = match &saved.new.task {
            Task::Erasure(Erasure { binding, .. }) => {
                let rules = [
                    ("data map", binding.data_map(), policy.map_digest()),
                    ("policy", binding.policy(), policy.effective(binding.tenant()).digest()),
                ];
                let matters = |what: &str| !(irreversible && what == "policy");
                rules.into_iter().find(|(what, theirs, ours)| theirs != ours && matters(what))
            }
            Task::Expiry(expiry) => self.other_expiry_rules(&expiry.terms),
            // The review says what is erased. A guard of today's policy may forbid it.
            Task::Profile(_) => None,
            Task::Copies(terms) => {
                let here = self.backups_of(terms.place());
                here.is_err().then(|| ("backups", saved.new.task.digest(), policy.digest()))
            }
        };
        let now = self.parts.clock.now();
        let has_begun = irreversible && matches!(saved.new.task, Task::Erasure(_) | Task::Copies(_));
        Ok(other.filter(|_| has_begun || saved.new.mandate.valid_at(now).is_ok()).map(
            |(what, opened_under, _)| Outcome::OtherRules { case: saved.new.id.clone(), what, opened_under },
        ))
    }

    /// Claims an open case before it is read, so that no other worker changes it in the meantime.
    pub(super) async fn take(&self, case: &CaseId) -> Result<Taken<'_>, Error> {
        let running = || Error::Running { case: case.clone() };
        let claim: Claim<'_> = self.claim(case).ok_or_else(running)?;
        let since = self.parts.clock.now();
        let mut claimed = self.parts.ledger.claim(std::slice::from_ref(case), &self.parts.lease).await?;
        let Some(saved) = claimed.cases.pop() else {
            let missing = LedgerError::NoSuchCase { case: case.clone() };
            return Err(if claimed.held.is_empty() { missing.into() } else { running() });
        };
        let saved = as_mandated(saved)?;
        let progress = saved.progress()?;
        Ok(Taken { saved, progress, fence: claimed.fence, since, claim })
    }

    /// Releases the claim on a case, and returns the error.
    pub(super) async fn refuse<T>(&self, taken: &Taken<'_>, error: Error) -> Result<T, Error> {
        self.parts.ledger.release(taken.fence, std::slice::from_ref(&taken.saved.new.id)).await?;
        Err(error)
    }

    /// Tries a blocked case again.
    ///
    /// # Errors
    /// [`Error::NotBlocked`], no such case, or a ledger out of reach.
    pub async fn retry(&self, case: &CaseId) -> Result<Outcome, Error> {
        let taken = self.take(case).await?;
        if taken.progress.blocked().is_none() {
            return self.refuse(&taken, Error::NotBlocked { case: case.clone() }).await;
        }
        self.go_on(taken, Some(Event::Retried)).await
    }

    /// Continues an open case, blocked or not, because the same work was requested again. If another worker has
    /// claimed the case, that worker keeps it.
    pub(super) async fn go_on_with(&self, case: &CaseId) -> Result<Outcome, Error> {
        let taken = match self.take(case).await {
            Ok(taken) => taken,
            Err(Error::Running { case }) => return Ok(Outcome::Conflict { case }),
            Err(error) => return Err(error),
        };
        if let Some(outcome) = self.other_rules(&taken.saved)? {
            self.parts.ledger.release(taken.fence, std::slice::from_ref(case)).await?;
            return Ok(outcome);
        }
        let retried = taken.progress.blocked().map(|_| Event::Retried);
        self.go_on(taken, retried).await
    }

    /// Continues a blocked case without the step that blocks it. Only a step that a gateway or a recipient refuses
    /// can be waived. A guard cannot be waived. The certificate then says who decided this and why, and that the
    /// outside party may still hold data.
    ///
    /// # Errors
    /// [`Error::NotWaivable`], [`Error::Approval`] for an operator of other tenants, no such case, or a ledger out of
    /// reach.
    pub async fn waive(
        &self,
        case: &CaseId,
        step: Step,
        by: &Authority,
        reason: ReasonCode,
    ) -> Result<Outcome, Error> {
        let taken = self.take(case).await?;
        if let Err(error) = self.has_authority(by, &taken.saved.new.task) {
            return self.refuse(&taken, error.into()).await;
        }
        let may = |obstacle: &Obstacle| obstacle.is_waivable() && obstacle.step == step;
        if !taken.progress.blocked().is_some_and(may) {
            return self.refuse(&taken, Error::NotWaivable { case: case.clone(), step }).await;
        }
        let operator = by.operator().clone();
        let waiver = Waiver { step, operator, reason, at: self.parts.clock.now() };
        self.go_on(taken, Some(Event::Waived(waiver))).await
    }

    /// Continues a blocked case after a person did the step by hand, at a gateway or a recipient that has no
    /// interface, or that refused. The certificate says who did the step, when, and where the evidence is. The
    /// profile then counts as erased, or the recipient as notified. Call this only after the operator has seen the
    /// evidence.
    ///
    /// A [`ManualRecipient`](crate::recipient::ManualRecipient) blocks a case before the customer's own records are
    /// erased. So the person who has to act can still find the customer in the host's database.
    /// [`open_cases`](Self::open_cases) gives the customer's id.
    ///
    /// # Errors
    /// [`Error::NotByHand`], [`Error::Approval`] for an operator of other tenants, no such case, or a ledger out of
    /// reach.
    pub async fn done_by_hand(
        &self,
        case: &CaseId,
        step: Step,
        by: &Authority,
        evidence: ReasonCode,
    ) -> Result<Outcome, Error> {
        let taken = self.take(case).await?;
        if let Err(error) = self.has_authority(by, &taken.saved.new.task) {
            return self.refuse(&taken, error.into()).await;
        }
        let may = |obstacle: &Obstacle| obstacle.can_be_done_by_hand() && obstacle.step == step;
        if !taken.progress.blocked().is_some_and(may) {
            return self.refuse(&taken, Error::NotByHand { case: case.clone(), step }).await;
        }
        let operator = by.operator().clone();
        let by_hand = ByHand { step, operator, evidence, at: self.parts.clock.now() };
        self.go_on(taken, Some(Event::ByHand(by_hand))).await
    }

    async fn go_on(&self, taken: Taken<'_>, event: Option<Event>) -> Result<Outcome, Error> {
        let Taken { mut saved, fence, since, claim, .. } = taken;
        let case = saved.new.id.clone();
        if let Some(event) = event {
            // The decision is recorded at once, so that it is not lost if the next turn fails.
            let at = self.parts.clock.now();
            let decided = CaseEvent { case: case.clone(), at, event: event.clone() };
            self.parts.ledger.record(fence, &[decided]).await?;
            saved.events.push(event);
        }
        let mut sorted = Sorted::default();
        sorted.add(saved, fence, since, claim)?;
        let resumed = self.drive_all(sorted).await?.pop().ok_or(Error::Running { case })?;
        Ok(resumed.outcome)
    }

    /// Takes one turn of a case: one step, and the checks before the step. For hosts with their own scheduler: the
    /// scheduler gives the case its next turn. [`resume`](Self::resume) takes all turns of all cases.
    ///
    /// # Errors
    /// [`Error::Running`] if another worker has claimed the case. No such open case, or a ledger out of reach.
    pub async fn advance(&self, case: &CaseId) -> Result<Advance, Error> {
        let taken = self.take(case).await?;
        if let Some(outcome) = self.other_rules(&taken.saved)? {
            self.parts.ledger.release(taken.fence, std::slice::from_ref(case)).await?;
            return Ok(Advance::Ended(outcome));
        }
        let now = self.parts.clock.now();
        Ok(match self.one_turn(taken).await? {
            None => Advance::Again,
            Some(Outcome::Waiting { retry_after, .. }) => {
                let wait = retry_after.and_then(|wait| TimeDelta::from_std(wait).ok()).unwrap_or(A_WHILE);
                Advance::NotBefore(now.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC))
            }
            Some(outcome) => Advance::Ended(outcome),
        })
    }

    async fn one_turn(&self, taken: Taken<'_>) -> Result<Option<Outcome>, Error> {
        let Taken { saved, fence, since, claim, .. } = taken;
        let mut sorted = Sorted::default();
        sorted.add(saved, fence, since, claim)?;
        if let Some(run) = sorted.erasures.pop() {
            return self.one_step(run).await;
        }
        if let Some(run) = sorted.profiles.pop() {
            return self.one_step(run).await;
        }
        if let Some(run) = sorted.expiries.pop() {
            return self.one_step(run).await;
        }
        match sorted.copies.pop() {
            Some(run) => self.one_step(run).await,
            None => Ok(None),
        }
    }

    /// Cancels a case before any irreversible step. The customer is as before. The ledger says who cancelled and why.
    /// An expiry or a removal of copies can be cancelled at any time. What was done stays done.
    ///
    /// # Errors
    /// [`Error::TooLate`], [`Error::Approval`] for an operator of other tenants, no such case, or a store or ledger
    /// out of reach.
    pub async fn cancel(&self, case: &CaseId, by: &Authority, reason: ReasonCode) -> Result<(), Error> {
        let taken = self.take(case).await?;
        if let Err(error) = self.has_authority(by, &taken.saved.new.task) {
            return self.refuse(&taken, error.into()).await;
        }
        let operator = self.sealed(by.operator())?;
        if let Task::Expiry(_) | Task::Copies(_) = &taken.saved.new.task {
            let Taken { saved, fence, since, claim, .. } = taken;
            let mut sorted = Sorted::default();
            sorted.add(saved, fence, since, claim)?;
            for run in &mut sorted.expiries {
                let why = EndedEarly::Cancelled { operator: operator.clone(), reason: reason.clone() };
                self.end_early(run, why).await?;
            }
            for run in &mut sorted.copies {
                let why = EndedEarly::Cancelled { operator: operator.clone(), reason: reason.clone() };
                self.end_copies(run, why).await?;
            }
            return Ok(());
        }
        if taken.progress.is_irreversible() {
            return self.refuse(&taken, Error::TooLate { case: case.clone() }).await;
        }
        if let Err(error) = self.take_back(&taken.saved.new, &taken.progress).await {
            return self.refuse(&taken, error).await;
        }
        let closed = self.closed(&taken.saved.new, Closing::Cancelled { operator, reason }).await?;
        self.parts.ledger.close(taken.fence, &[closed]).await?;
        Ok(())
    }

    /// Whether a person has authority over every customer whom a case concerns.
    fn has_authority(&self, by: &Authority, task: &Task) -> Result<(), ApprovalError> {
        match task {
            Task::Erasure(erasure) => by.over_all(&erasure.binding),
            Task::Expiry(_) | Task::Profile(_) | Task::Copies(_) => {
                by.operator().check()?;
                task.tenants().iter().try_for_each(|tenant| by.over(tenant))?;
                match task {
                    // The records, or the data in the copies, may belong to any tenant.
                    Task::Expiry(expiry) if *expiry.terms.of() == ExpiryOf::Ownerless => {
                        self.parts.policy.tenants().try_for_each(|tenant| by.over(tenant))
                    }
                    Task::Copies(_) => self.parts.policy.tenants().try_for_each(|tenant| by.over(tenant)),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Up to `limit` open cases in the order of their ids, after the given id.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn open_cases(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<OpenCase>, Error> {
        let listed = self.parts.ledger.list(after, limit).await?;
        Ok(listed.into_iter().map(OpenCase::of).collect::<Result<_, _>>()?)
    }

    /// Every entry of the ledger about one customer, in order: what was done to the customer, and when. Databases
    /// reuse row ids, so the caller also gives the instant of registration, exactly as the store does. The customer's
    /// row need not exist: erased customers are found as well.
    ///
    /// # Errors
    /// Keys or a ledger out of reach.
    pub async fn of_customer(
        &self,
        tenant: &TenantId,
        customer: &CustomerId,
        registered: Option<DateTime<Utc>>,
    ) -> Result<Vec<Entry>, Error> {
        let of = TokenOf::Customer { tenant: tenant.clone(), customer: customer.clone(), registered };
        let tokens = self.all_tokens(&[of]).await?;
        let tokens = tokens.into_iter().map(|(token, _)| EntryKey::subject(token));
        Ok(self.parts.ledger.find(&Find::all(tokens)).await?)
    }
}

/// A case that this engine has claimed.
pub(super) struct Taken<'e> {
    pub(super) saved: SavedCase,
    pub(super) progress: Progress,
    pub(super) fence: Fence,
    since: DateTime<Utc>,
    claim: Claim<'e>,
}

/// Cases by their kind.
#[derive(Default)]
struct Sorted<'e> {
    erasures: Vec<Run<'e, ErasureWork>>,
    profiles: Vec<Run<'e, ProfileWork>>,
    expiries: Vec<Run<'e, ExpiryWork>>,
    copies: Vec<Run<'e, CopiesWork>>,
}

impl<'e> Sorted<'e> {
    fn add(
        &mut self,
        saved: SavedCase,
        fence: Fence,
        since: DateTime<Utc>,
        claim: Claim<'e>,
    ) -> Result<(), LedgerError> {
        match &saved.new.task {
            Task::Erasure(erasure) => {
                let work = ErasureWork::new(erasure);
                self.erasures.push(Run::new(saved, work, fence, since, claim)?);
            }
            Task::Profile(profile) => {
                let work = ProfileWork::new(profile, None);
                self.profiles.push(Run::new(saved, work, fence, since, claim)?);
            }
            Task::Expiry(expiry) => {
                let work = ExpiryWork::new(expiry);
                self.expiries.push(Run::new(saved, work, fence, since, claim)?);
            }
            Task::Copies(terms) => {
                let work = CopiesWork::new(terms);
                self.copies.push(Run::new(saved, work, fence, since, claim)?);
            }
        }
        Ok(())
    }
}

/// A case from the case book, after the check that its mandate is for its task.
fn as_mandated(saved: SavedCase) -> Result<SavedCase, Error> {
    match saved.new.is_mandated() {
        Ok(()) => Ok(saved),
        Err(_) => Err(LedgerError::Corrupt { doing: "reading the mandate of an open case" }.into()),
    }
}
