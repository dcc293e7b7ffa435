//! Taking open cases up again: after an interruption, on a person's word, or turn by turn.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use super::outcomes::Turns;
use super::run::Run;
use super::{Claim, Engine, Error, Outcome};
use crate::case::{Event, Obstacle, Waiver};
use crate::customer::{CustomerId, TenantId};
use crate::ledger::{CaseEvent, Closing, Entry, EntryKey, Find, LedgerError, SavedCase, TokenOf, WorkerId};
use crate::plan::{Authority, CaseId, Step};

/// After how long a case that waits is worth another turn, where nobody says otherwise.
const A_WHILE: TimeDelta = TimeDelta::seconds(60);

/// An open case, for whoever watches over them.
#[derive(Clone, Debug)]
pub struct OpenCase {
    /// The case.
    pub case: CaseId,
    /// Whose data. The host's own id.
    pub customer: CustomerId,
    /// Whose customer.
    pub tenant: TenantId,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// What blocks it, if anything does. None: it was interrupted, and can be resumed.
    pub blocked: Option<Obstacle>,
    /// Whether something that cannot be taken back was begun.
    pub irreversible: bool,
    /// The worker who has it, if one does.
    pub held_by: Option<WorkerId>,
}

/// What came of an open case that was taken up again.
#[derive(Clone, Debug)]
pub struct ResumedCase {
    /// Whose data. The host's own id.
    pub customer: CustomerId,
    /// Whose customer.
    pub tenant: TenantId,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of one turn of a case.
#[derive(Clone, Debug)]
pub enum Advance {
    /// There is more to do now.
    Again,
    /// Something is out of reach. It is worth another turn from this instant on.
    NotBefore(DateTime<Utc>),
    /// It has ended, or rests until a person decides.
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
    /// What came of the next case; none once there are no more.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn next(&mut self) -> Option<Result<ResumedCase, Error>> {
        while self.ready.is_empty() && !self.ended {
            match self.engine.resume_page(&mut self.after).await {
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
    ResumedCase { customer: saved.new.customer().clone(), tenant: saved.new.tenant().clone(), outcome }
}

impl Engine {
    /// Goes on with every open case that was interrupted, and gives what came of them. Blocked cases are reported and left
    /// alone, and so are those that were opened under rules which this engine does not run. What another worker has is
    /// left to that one.
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

    /// The same, and gives what came of the cases as it comes about: memory does not grow with their number.
    pub fn resume_each(&self) -> Resumed<'_> {
        Resumed { engine: self, after: None, ended: false, ready: VecDeque::new() }
    }

    async fn resume_page(&self, after: &mut Option<CaseId>) -> Result<Option<Vec<ResumedCase>>, Error> {
        let page = self.parts.ledger.list(after.as_ref(), self.parts.batch).await?;
        let Some(last) = page.last() else { return Ok(None) };
        *after = Some(last.saved.new.id.clone());
        let mut outcomes = Vec::new();
        let mut claims = BTreeMap::new();
        for listed in page {
            let case = &listed.saved.new.id;
            if let Some(Obstacle { step, reason, .. }) = listed.saved.progress()?.blocked().cloned() {
                outcomes.push(resumed(&listed.saved, Outcome::Blocked { case: case.clone(), step, reason }));
            } else if listed.held_by.is_some_and(|worker| worker != self.parts.lease.worker) {
                tracing::debug!(case = %case, "left to the worker who has it");
            } else if let Some(outcome) = self.other_rules(&listed.saved)? {
                outcomes.push(resumed(&listed.saved, outcome));
            } else if let Some(claim) = self.claim(case) {
                claims.insert(case.clone(), claim);
            }
        }
        let wanted: Vec<CaseId> = claims.keys().cloned().collect();
        if wanted.is_empty() {
            return Ok(Some(outcomes));
        }
        let now = self.parts.clock.now();
        let claimed = self.parts.ledger.claim(&wanted, &self.parts.lease).await?;
        let mut runs = Vec::with_capacity(claimed.cases.len());
        for saved in claimed.cases {
            // One may have moved on since it was listed.
            if let Some(claim) = claims.remove(&saved.new.id) {
                runs.push(Run::new(as_approved(saved)?, claimed.fence, now, claim)?);
            }
        }
        for (case, outcome) in self.drive(runs, &Turns::default()).await? {
            let (customer, tenant) = (case.customer().clone(), case.tenant().clone());
            outcomes.push(ResumedCase { customer, tenant, outcome });
        }
        Ok(Some(outcomes))
    }

    /// Whether a case was opened under rules that this engine does not run. Once something cannot be taken back, what is
    /// done is in the case, and only the data map has to be the same. A case whose approval has run out is nobody's under
    /// any rules: whoever finds it ends it.
    fn other_rules(&self, saved: &SavedCase) -> Result<Option<Outcome>, Error> {
        let irreversible = saved.progress()?.is_irreversible();
        let binding = &saved.new.binding;
        let policy = &self.parts.policy;
        let rules = [
            ("data map", binding.data_map(), policy.map_digest()),
            ("policy", binding.policy(), policy.effective(binding.tenant()).digest()),
        ];
        let now = self.parts.clock.now();
        let other = rules
            .into_iter()
            .find(|(what, theirs, ours)| theirs != ours && !(irreversible && *what == "policy"));
        Ok(other.filter(|_| irreversible || saved.new.approval.valid_at(now).is_ok()).map(
            |(what, opened_under, _)| Outcome::OtherRules { case: saved.new.id.clone(), what, opened_under },
        ))
    }

    /// An open case, taken for this engine's work before it is read, so that nobody else changes it meanwhile.
    async fn take(&self, case: &CaseId) -> Result<(SavedCase, Run<'_>), Error> {
        let running = || Error::Running { case: case.clone() };
        let claim: Claim<'_> = self.claim(case).ok_or_else(running)?;
        let now = self.parts.clock.now();
        let mut claimed = self.parts.ledger.claim(std::slice::from_ref(case), &self.parts.lease).await?;
        let Some(saved) = claimed.cases.pop() else {
            let missing = LedgerError::NoSuchCase { case: case.clone() };
            return Err(if claimed.held.is_empty() { missing.into() } else { running() });
        };
        let saved = as_approved(saved)?;
        let run = Run::new(saved.clone(), claimed.fence, now, claim)?;
        Ok((saved, run))
    }

    /// Gives a case back that was taken, and the error because of which.
    async fn refuse<T>(&self, run: &Run<'_>, error: Error) -> Result<T, Error> {
        self.parts.ledger.release(run.fence, std::slice::from_ref(run.id())).await?;
        Err(error)
    }

    /// Tries a blocked case again.
    ///
    /// # Errors
    /// [`Error::NotBlocked`], no such case, or a ledger out of reach.
    pub async fn retry(&self, case: &CaseId) -> Result<Outcome, Error> {
        let (_, run) = self.take(case).await?;
        if run.progress.blocked().is_none() {
            return self.refuse(&run, Error::NotBlocked { case: case.clone() }).await;
        }
        self.go_on(run, Event::Retried).await
    }

    /// Goes on with a blocked case without the step that blocks it. Only what a gateway refuses can be waived, and
    /// no guard: the certificate then says who decided so and why, and that the gateway may still hold the profile.
    ///
    /// # Errors
    /// [`Error::NotWaivable`], [`Error::Approval`] for an operator of other tenants, no such case, or a ledger out of
    /// reach.
    pub async fn waive(
        &self,
        case: &CaseId,
        step: Step,
        by: &Authority,
        reason: impl Into<String> + Send,
    ) -> Result<Outcome, Error> {
        let (saved, run) = self.take(case).await?;
        if let Err(error) = by.over_all(&saved.new.binding) {
            return self.refuse(&run, error.into()).await;
        }
        let may = |obstacle: &Obstacle| obstacle.is_waivable() && obstacle.step == step;
        if !run.progress.blocked().is_some_and(may) {
            return self.refuse(&run, Error::NotWaivable { case: case.clone(), step }).await;
        }
        let operator = by.operator().clone();
        let waiver = Waiver { step, operator, reason: reason.into(), at: self.parts.clock.now() };
        self.go_on(run, Event::Waived(waiver)).await
    }

    async fn go_on(&self, mut run: Run<'_>, event: Event) -> Result<Outcome, Error> {
        let case = run.id().clone();
        let at = self.parts.clock.now();
        // Recorded at once: what a person decided is not lost with what comes of it.
        let decided = CaseEvent { case: case.clone(), at, event: event.clone() };
        self.parts.ledger.record(run.fence, &[decided]).await?;
        run.take_in(&event)?;
        let (_, outcome) =
            self.drive(vec![run], &Turns::default()).await?.pop().ok_or(Error::Running { case })?;
        Ok(outcome)
    }

    /// Takes one turn of a case: one step, and what has to be looked at before it. For hosts with a scheduler of their own,
    /// which gives the case its next turn. [`resume`](Self::resume) takes all turns of all cases.
    ///
    /// # Errors
    /// [`Error::Running`] if another worker has it, no such open case, or a ledger out of reach.
    pub async fn advance(&self, case: &CaseId) -> Result<Advance, Error> {
        let (saved, run) = self.take(case).await?;
        if let Some(outcome) = self.other_rules(&saved)? {
            self.parts.ledger.release(run.fence, std::slice::from_ref(case)).await?;
            return Ok(Advance::Ended(outcome));
        }
        let now = self.parts.clock.now();
        Ok(match self.one_step(run).await? {
            None => Advance::Again,
            Some(Outcome::Waiting { retry_after, .. }) => {
                let wait = retry_after.and_then(|wait| TimeDelta::from_std(wait).ok()).unwrap_or(A_WHILE);
                Advance::NotBefore(now.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC))
            }
            Some(outcome) => Advance::Ended(outcome),
        })
    }

    /// Gives a case up before anything that cannot be taken back: the customer is as before, and the ledger
    /// says who cancelled and why.
    ///
    /// # Errors
    /// [`Error::TooLate`], [`Error::Approval`] for an operator of other tenants, no such case, or a store or ledger
    /// out of reach.
    pub async fn cancel(
        &self,
        case: &CaseId,
        by: &Authority,
        reason: impl Into<String> + Send,
    ) -> Result<(), Error> {
        let (saved, run) = self.take(case).await?;
        if let Err(error) = by.over_all(&saved.new.binding) {
            return self.refuse(&run, error.into()).await;
        }
        if run.progress.is_irreversible() {
            return self.refuse(&run, Error::TooLate { case: case.clone() }).await;
        }
        if let Err(error) = self.take_back(&saved.new, &run.progress).await {
            return self.refuse(&run, error).await;
        }
        let closing = Closing::Cancelled { operator: by.operator().clone(), reason: reason.into() };
        let closed = self.closed(&saved.new, closing).await?;
        self.parts.ledger.close(run.fence, &[closed]).await?;
        Ok(())
    }

    /// So many open cases in the order of their ids, after one.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn open_cases(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<OpenCase>, Error> {
        let mut open = Vec::new();
        for listed in self.parts.ledger.list(after, limit).await? {
            let progress = listed.saved.progress()?;
            let case = listed.saved.new;
            open.push(OpenCase {
                customer: case.customer().clone(),
                tenant: case.tenant().clone(),
                opened_at: case.opened_at,
                case: case.id,
                blocked: progress.blocked().cloned(),
                irreversible: progress.is_irreversible(),
                held_by: listed.held_by,
            });
        }
        Ok(open)
    }

    /// Every entry of the ledger about one customer, in order: what was done to them, and when. The instant of registration
    /// is part of who they are, as the store gives it: row ids are reused. It needs no row: a customer who is gone is found
    /// as well.
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

/// A case from the case book, once it is known that its plan is the one that was approved.
fn as_approved(saved: SavedCase) -> Result<SavedCase, Error> {
    if saved.new.binding.digest() == saved.new.approval.digest() {
        Ok(saved)
    } else {
        Err(LedgerError::Corrupt { doing: "reading the plan of an open case" }.into())
    }
}
