//! Open cases, as the case book stores them, and the claims of workers.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::LedgerError;
use crate::backup::CopiesTerms;
use crate::case::{Event, Progress};
use crate::customer::{CustomerId, TenantId};
use crate::digest::Digest;
use crate::format::Format;
use crate::gateway::ReviewRow;
use crate::name::open_name;
use crate::plan::{ApprovalError, ApprovedPlan, Binding, CaseId, ExpiryOf, ExpiryTerms, Mandate, Step};
use crate::treatment::Treatment;

/// A case to open: the task and its mandate.
///
/// Its JSON has a `format`, so a host's own case book can store this JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NewCase {
    format: Format<1>,
    /// The id of the case.
    pub id: CaseId,
    /// The task.
    pub task: Task,
    /// The mandate.
    pub mandate: Mandate,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
}

/// What a case has to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Task {
    /// Erase a customer.
    Erasure(Erasure),
    /// Treat expired records.
    Expiry(Expiry),
    /// Erase a single profile, under a review.
    Profile(ReviewedProfile),
    /// Remove backup copies that are older than their rule allows.
    Copies(Arc<CopiesTerms>),
}

/// The erasure of a customer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Erasure {
    /// The facts from which the plan's digest is computed. Contains the host's own customer id.
    pub binding: Arc<Binding>,
    /// The treatment that the plan names. Many cases share it.
    pub treatment: Arc<Treatment>,
    /// The plan's digest. [`NewCase::is_mandated`] checks it against the binding.
    pub plan: Digest,
}

/// An expiry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// The facts from which the plan's digest is computed.
    pub terms: Arc<ExpiryTerms>,
    /// The number of records that the plan counted. The expiry ends early if it finds far more.
    pub planned: u64,
}

/// The erasure of a single profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewedProfile {
    /// The digest of the approved review.
    pub review: Digest,
    /// The row of the review. Contains the profile's id at the gateway.
    pub row: Arc<ReviewRow>,
}

impl Task {
    /// The digest of the approved plan or review.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Erasure(erasure) => erasure.plan,
            Self::Expiry(expiry) => expiry.terms.digest(),
            Self::Profile(profile) => profile.review,
            Self::Copies(terms) => terms.digest(),
        }
    }

    /// The steps of the task, in order.
    pub fn steps(&self) -> Vec<Step> {
        match self {
            Self::Erasure(erasure) => erasure.binding.steps().to_vec(),
            Self::Expiry(_) => vec![Step::Expire],
            Self::Copies(_) => vec![Step::Copies],
            Self::Profile(profile) => vec![Step::Gateway(profile.row.gateway.clone())],
        }
    }

    /// The customer and the tenant, if the task is about a customer.
    pub fn customer(&self) -> Option<(&CustomerId, &TenantId)> {
        match self {
            Self::Erasure(erasure) => Some((erasure.binding.customer(), erasure.binding.tenant())),
            Self::Expiry(_) | Self::Profile(_) | Self::Copies(_) => None,
        }
    }

    /// The tenants whom the task concerns, as far as they are named. Empty for ownerless records, for a profile that
    /// belongs to nobody, and for copies.
    pub fn tenants(&self) -> BTreeSet<TenantId> {
        match self {
            Self::Erasure(erasure) => erasure.binding.tenants().cloned().collect(),
            Self::Expiry(expiry) => match expiry.terms.of() {
                ExpiryOf::Tenants(tenants) => tenants.clone(),
                ExpiryOf::Ownerless => BTreeSet::new(),
            },
            Self::Copies(_) => BTreeSet::new(),
            Self::Profile(profile) => {
                profile.row.customer.iter().map(|(_, tenant, _)| tenant.clone()).collect()
            }
        }
    }

    /// A text that names the object of the case: a customer, an expiry of the same records, a profile, or a place of
    /// copies. It is a unique key: a case book never opens two cases with the same text.
    pub fn unique_key(&self) -> String {
        let json = match self {
            Self::Erasure(erasure) => {
                serde_json::json!(["customer", erasure.binding.tenant(), erasure.binding.customer()])
            }
            Self::Expiry(expiry) => serde_json::json!(["expiry", expiry.terms.of()]),
            Self::Copies(terms) => serde_json::json!(["copies", terms.place()]),
            Self::Profile(profile) => {
                serde_json::json!(["profile", profile.row.gateway, profile.row.profile])
            }
        };
        json.to_string()
    }
}

/// Prints the task without the ids of a customer or a profile.
impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Erasure(erasure) => {
                write!(f, "erasure of a customer of tenant {}", erasure.binding.tenant())
            }
            Self::Expiry(expiry) => match expiry.terms.of() {
                ExpiryOf::Tenants(tenants) => {
                    let tenants: Vec<&str> = tenants.iter().map(TenantId::as_str).collect();
                    write!(f, "expiry of records of tenants {}", tenants.join(", "))
                }
                ExpiryOf::Ownerless => f.write_str("expiry of records without an owner"),
            },
            Self::Copies(terms) => write!(f, "removal of copies of {}", terms.place()),
            Self::Profile(profile) => write!(f, "erasure of a profile at gateway {}", profile.row.gateway),
        }
    }
}

impl NewCase {
    /// Makes a case for an approved plan.
    pub fn new(id: CaseId, plan: &ApprovedPlan, opened_at: DateTime<Utc>) -> Self {
        let erasure = Erasure {
            binding: Arc::clone(plan.plan.binding()),
            treatment: Arc::clone(plan.plan.treatment()),
            plan: plan.plan.digest(),
        };
        Self::of(id, Task::Erasure(erasure), plan.mandate.clone(), opened_at)
    }

    /// Makes a case for a task.
    pub(crate) fn of(id: CaseId, task: Task, mandate: Mandate, opened_at: DateTime<Utc>) -> Self {
        Self { format: Format, id, task, mandate, opened_at }
    }

    /// Checks that the mandate is for this task.
    ///
    /// # Errors
    /// [`ApprovalError`]: the mandate is for something else.
    pub fn is_mandated(&self) -> Result<(), ApprovalError> {
        if let Task::Erasure(erasure) = &self.task {
            let plan = erasure.binding.digest();
            if plan != erasure.plan {
                return Err(ApprovalError::OtherPlan { approved: erasure.plan, plan });
            }
            return self.mandate.covers(&erasure.binding, plan);
        }
        let plan = self.task.digest();
        match &self.mandate {
            Mandate::Approval(approval) if approval.digest() == plan => Ok(()),
            Mandate::Approval(approval) => {
                Err(ApprovalError::OtherPlan { approved: approval.digest(), plan })
            }
            Mandate::Standing(standing) => match &self.task {
                Task::Expiry(expiry) => standing.covers_expiry(&expiry.terms),
                Task::Erasure(_) | Task::Profile(_) | Task::Copies(_) => {
                    Err(ApprovalError::OtherPlan { approved: standing.digest(), plan })
                }
            },
            // Only erasures of customers can run under a review with many plans.
            Mandate::Review(reviewed) => {
                Err(ApprovalError::OtherPlan { approved: reviewed.approval().digest(), plan })
            }
            Mandate::Replay(replay) => Err(ApprovalError::OtherPlan { approved: replay.plan(), plan }),
        }
    }

    /// Whether two cases differ only in the customer or the profile: same rules, mandate and opening.
    pub(crate) fn shares_terms(&self, other: &Self) -> bool {
        let alike = match (&self.task, &other.task) {
            (Task::Erasure(one), Task::Erasure(other)) => one.binding.shares_terms(&other.binding),
            (Task::Expiry(one), Task::Expiry(other)) => one == other,
            (Task::Profile(one), Task::Profile(other)) => one.review == other.review,
            (Task::Copies(one), Task::Copies(other)) => one == other,
            _ => false,
        };
        alike && self.opened_at == other.opened_at && self.mandate.given_with(&other.mandate)
    }
}

/// The result of opening a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The case is open.
    Open,
    /// The customer, the profile or the records have another open case.
    Conflict {
        /// The other case.
        case: CaseId,
    },
}

/// An event of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseEvent {
    /// The case.
    pub case: CaseId,
    /// When the event happened.
    pub at: DateTime<Utc>,
    /// The event.
    pub event: Event,
}

/// An open case as saved.
#[derive(Clone, Debug)]
pub struct SavedCase {
    /// The case.
    pub new: NewCase,
    /// The events of the case, in order.
    pub events: Vec<Event>,
}

impl SavedCase {
    /// The progress of the case.
    ///
    /// # Errors
    /// [`LedgerError::OutOfOrder`]: another program wrote to the case book.
    pub fn progress(&self) -> Result<Progress, LedgerError> {
        let mut progress = Progress::of(&self.new.task.steps());
        for event in &self.events {
            let out_of_order = |source| LedgerError::OutOfOrder { case: self.new.id.clone(), source };
            progress.apply(event).map_err(out_of_order)?;
        }
        Ok(progress)
    }
}

open_name! {
    /// The name of a worker. Only one process at a time may have this name. A process that restarts under the same
    /// name continues its cases at once. Under another name it waits until the old lease has expired.
    WorkerId
}

/// How long a worker's claim on cases lasts. Each [record](super::CaseBook::record) restarts this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The worker.
    pub worker: WorkerId,
    /// The duration.
    pub lasts: Duration,
}

impl Lease {
    /// A lease for a worker.
    pub fn new(worker: impl Into<WorkerId>, lasts: Duration) -> Self {
        Self { worker: worker.into(), lasts }
    }
}

/// The number of a claim (a fencing token). Each claim has a higher number than all earlier claims. So a write of a
/// worker that lost its claim is recognised and refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(u64);

impl Fence {
    /// A claim with this number.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// The result of opening cases. The worker has claimed them from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedCases {
    /// The claim on the cases that are open now.
    pub fence: Fence,
    /// One answer each, in order.
    pub cases: Vec<Opened>,
}

/// Cases that a worker has claimed.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The claim.
    pub fence: Fence,
    /// The cases that this worker has claimed now, in their present state.
    pub cases: Vec<SavedCase>,
    /// The open cases that another worker has claimed.
    pub held: Vec<CaseId>,
}

/// An open case in a list.
#[derive(Clone, Debug)]
pub struct ListedCase {
    /// The case in its present state.
    pub saved: SavedCase,
    /// The worker with the claim. `None` if there is no claim, or if its lease has expired.
    pub held_by: Option<WorkerId>,
}
