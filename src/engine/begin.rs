//! Opening a case without carrying it out.

use super::work::ErasureWork;
use super::{Engine, Error, Outcome};
use crate::ledger::{NewCase, Task};
use crate::plan::{ApprovedPlan, CaseId};

/// The result of [`Engine::begin`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Begun {
    /// The case is open, and nobody works on it yet.
    Case(CaseId),
    /// The customer has an open case already. Nothing was opened.
    AlreadyOpen(CaseId),
}

impl Engine {
    /// Opens the case of an approved plan, and returns at once. The case is carried out later: by a
    /// [worker](Self::worker), by [`resume`](Self::resume), or by a host that calls [`advance`](Self::advance). Use
    /// this where a caller must not wait, such as a web request. The caller gets the case's id before anything is
    /// touched.
    ///
    /// # Errors
    /// [`Error::Approval`], [`Error::OtherRules`] or [`Error::Census`], as for [`execute`](Self::execute): no case is
    /// opened. A ledger out of reach: the case may be open. Call `begin` again. If the case is open, the answer is
    /// [`Begun::AlreadyOpen`].
    pub async fn begin(&self, plan: ApprovedPlan) -> Result<Begun, Error> {
        let now = self.parts.clock.now();
        let plans = [plan];
        self.admit_all(&plans, now).await?;
        self.within_blast_radius(&plans).await?;
        self.count_standing(&plans, &self.run_name()).await?;
        let [plan] = plans;
        let case = NewCase::new(self.case_id()?, &plan, now);
        let id = case.id.clone();
        let work = |case: &NewCase| match &case.task {
            Task::Erasure(erasure) => Some(ErasureWork::new(erasure)),
            _ => None,
        };
        let (runs, opened) = self.open(vec![case], now, work).await?;
        if let Some(Outcome::Conflict { case }) = opened.into_iter().flatten().next() {
            return Ok(Begun::AlreadyOpen(case));
        }
        for run in &runs {
            self.parts.ledger.release(run.fence, std::slice::from_ref(run.id())).await?;
        }
        Ok(Begun::Case(id))
    }
}
