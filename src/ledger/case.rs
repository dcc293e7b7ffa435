//! Open cases: what the working memory holds of them, and who works on them.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::LedgerError;
use crate::case::{Event, Progress};
use crate::customer::{CustomerId, TenantId};
use crate::name::open_name;
use crate::plan::{Approval, ApprovedPlan, Binding, CaseId};
use crate::policy::Treatment;

/// A case to open: the plan, by what its digest is made of, and its approval.
#[derive(Clone, Debug)]
pub struct NewCase {
    /// Its id.
    pub id: CaseId,
    /// What the plan's digest is made of. Holds the host's own customer id.
    pub binding: Arc<Binding>,
    /// The approval.
    pub approval: Approval,
    /// The treatment that the plan names. Saved once, however many cases share it.
    pub treatment: Arc<Treatment>,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
}

impl NewCase {
    /// A case for an approved plan.
    pub fn new(id: CaseId, plan: &ApprovedPlan, opened_at: DateTime<Utc>) -> Self {
        Self {
            id,
            binding: Arc::clone(plan.plan.binding()),
            approval: plan.approval.clone(),
            treatment: Arc::clone(plan.plan.treatment()),
            opened_at,
        }
    }

    /// Whether two cases differ in nothing but the customer: same tenant, rules, approval and opening.
    pub(crate) fn shares_terms(&self, other: &Self) -> bool {
        self.opened_at == other.opened_at
            && self.binding.shares_terms(&other.binding)
            && self.approval.given_with(&other.approval)
    }

    /// Whose data.
    pub fn customer(&self) -> &CustomerId {
        self.binding.customer()
    }

    /// Whose customer.
    pub fn tenant(&self) -> &TenantId {
        self.binding.tenant()
    }
}

/// What came of opening a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is open.
    Open,
    /// The customer has another open case.
    Conflict {
        /// That one.
        case: CaseId,
    },
}

/// An event of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseEvent {
    /// Which case.
    pub case: CaseId,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub event: Event,
}

/// An open case as it was saved.
#[derive(Clone, Debug)]
pub struct SavedCase {
    /// The case.
    pub new: NewCase,
    /// What happened since, in order.
    pub events: Vec<Event>,
}

impl SavedCase {
    /// How far it is.
    ///
    /// # Errors
    /// [`LedgerError::OutOfOrder`]: somebody else wrote to the case book.
    pub fn progress(&self) -> Result<Progress, LedgerError> {
        let mut progress = Progress::of(self.new.binding.steps());
        for event in &self.events {
            let out_of_order = |source| LedgerError::OutOfOrder { case: self.new.id.clone(), source };
            progress.apply(event).map_err(out_of_order)?;
        }
        Ok(progress)
    }
}

open_name! {
    /// Who works on cases: one process at a time. A process that is started anew under the same name goes on with its cases
    /// at once; under another name it waits until the lease of the old one has run out.
    WorkerId
}

/// For how long a worker has cases for itself. Each [record](super::CaseBook::record) begins that time anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The worker.
    pub worker: WorkerId,
    /// How long.
    pub lasts: Duration,
}

impl Lease {
    /// A lease of a worker.
    pub fn new(worker: impl Into<WorkerId>, lasts: Duration) -> Self {
        Self { worker: worker.into(), lasts }
    }
}

/// The number of a claim. Each claim has a higher one than all before it, so that a worker that was passed over is told from
/// the one that came after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(u64);

impl Fence {
    /// A claim of this number.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// What came of opening cases, which belong to the worker from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedCases {
    /// The claim on those that are open now.
    pub fence: Fence,
    /// One answer each, in order.
    pub cases: Vec<Opened>,
}

/// Cases that a worker has for itself.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The claim.
    pub fence: Fence,
    /// Those of the cases asked for that are this worker's now, as they stand.
    pub cases: Vec<SavedCase>,
    /// Those that are open, and that another worker has.
    pub held: Vec<CaseId>,
}

/// An open case in a list.
#[derive(Clone, Debug)]
pub struct ListedCase {
    /// The case, as it stands.
    pub saved: SavedCase,
    /// Who has it. None where nobody does, or where the lease has run out.
    pub held_by: Option<WorkerId>,
}
