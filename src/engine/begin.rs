//! Opening a case without carrying it out.

use super::work::ErasureWork;
use super::{Engine, Error, Outcome};
use crate::ledger::{NewCase, Task};
use crate::plan::{ApprovedPlan, CaseId};

/// What became of a plan that was to [begin](Engine::begin).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Begun {
    /// The case is open, and nobody works on it yet.
    Case(CaseId),
    /// The customer has an open case already. Nothing was opened.
    AlreadyOpen(CaseId),
}

impl Engine {
    /// Opens the case of an approved plan, and leaves the work to others: to a [worker](Self::worker), to
    /// [`resume`](Self::resume), or to a host that calls [`advance`](Self::advance). For a caller that must not wait, such
    /// as a request of a browser: the case has its id before anything is touched.
    ///
    /// # Errors
    /// Nothing is opened: [`Error::Approval`], [`Error::OtherRules`] or [`Error::Census`], as for
    /// [`execute`](Self::execute). A ledger out of reach: the case may be open. Begin again, and the answer is
    /// [`Begun::AlreadyOpen`] if it is.
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
