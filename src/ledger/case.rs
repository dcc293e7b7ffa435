//! Open cases: what the working memory holds of them, and who works on them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::LedgerError;
use crate::case::{Event, Progress};
use crate::customer::{CustomerId, TenantId};
use crate::digest::Digest;
use crate::format::Format;
use crate::gateway::ReviewRow;
use crate::name::open_name;
use crate::plan::{ApprovalError, ApprovedPlan, Binding, CaseId, ExpiryOf, ExpiryTerms, Mandate, Step};
use crate::treatment::Treatment;

/// A case to open: what is to be done, and on whose word.
///
/// As JSON it has a `format`: a host's own case book can keep it so.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NewCase {
    format: Format<1>,
    /// Its id.
    pub id: CaseId,
    /// What is to be done.
    pub task: Task,
    /// On whose word.
    pub mandate: Mandate,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
}

/// What a case is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Task {
    /// Erase a customer.
    Erasure(Erasure),
    /// Treat what has expired.
    Expiry(Expiry),
    /// Erase a profile by itself, under a review.
    Profile(ReviewedProfile),
}

/// The erasure of a customer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Erasure {
    /// What the plan's digest is made of. Holds the host's own customer id.
    pub binding: Arc<Binding>,
    /// The treatment that the plan names. Many cases share it.
    pub treatment: Arc<Treatment>,
    /// The plan's digest. [`NewCase::is_mandated`] holds it against the binding.
    pub plan: Digest,
}

/// An expiry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// What the plan's digest is made of.
    pub terms: Arc<ExpiryTerms>,
    /// How many records there were to treat by the plan. Far more of them end it.
    pub planned: u64,
}

/// The erasure of a profile by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewedProfile {
    /// The review that was approved, by its digest.
    pub review: Digest,
    /// Its row. Holds the profile's id at the gateway.
    pub row: Arc<ReviewRow>,
}

impl Task {
    /// The digest of what was approved: of the plan, or of the review.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Erasure(erasure) => erasure.plan,
            Self::Expiry(expiry) => expiry.terms.digest(),
            Self::Profile(profile) => profile.review,
        }
    }

    /// Its steps, in order.
    pub fn steps(&self) -> Vec<Step> {
        match self {
            Self::Erasure(erasure) => erasure.binding.steps().to_vec(),
            Self::Expiry(_) => vec![Step::Expire],
            Self::Profile(profile) => vec![Step::Gateway(profile.row.gateway.clone())],
        }
    }

    /// The customer and their tenant, if it is about one.
    pub fn customer(&self) -> Option<(&CustomerId, &TenantId)> {
        match self {
            Self::Erasure(erasure) => Some((erasure.binding.customer(), erasure.binding.tenant())),
            Self::Expiry(_) | Self::Profile(_) => None,
        }
    }

    /// The tenants whom it concerns, as far as they are named: none where the owners of what expires are gone, or where nobody
    /// has the profile.
    pub fn tenants(&self) -> BTreeSet<TenantId> {
        match self {
            Self::Erasure(erasure) => erasure.binding.tenants().cloned().collect(),
            Self::Expiry(expiry) => match expiry.terms.of() {
                ExpiryOf::Tenants(tenants) => tenants.clone(),
                ExpiryOf::Ownerless => BTreeSet::new(),
            },
            Self::Profile(profile) => {
                profile.row.customer.iter().map(|(_, tenant, _)| tenant.clone()).collect()
            }
        }
    }

    /// What the case has for itself while it is open, as text: a customer, an expiry of the same records, or a profile. A case
    /// book opens no two cases of the same.
    pub fn holds(&self) -> String {
        let json = match self {
            Self::Erasure(erasure) => {
                serde_json::json!(["customer", erasure.binding.tenant(), erasure.binding.customer()])
            }
            Self::Expiry(expiry) => serde_json::json!(["expiry", expiry.terms.of()]),
            Self::Profile(profile) => {
                serde_json::json!(["profile", profile.row.gateway, profile.row.profile])
            }
        };
        json.to_string()
    }
}

/// Without the ids of a customer or a profile.
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
            Self::Profile(profile) => write!(f, "erasure of a profile at gateway {}", profile.row.gateway),
        }
    }
}

impl NewCase {
    /// A case for an approved plan.
    pub fn new(id: CaseId, plan: &ApprovedPlan, opened_at: DateTime<Utc>) -> Self {
        let erasure = Erasure {
            binding: Arc::clone(plan.plan.binding()),
            treatment: Arc::clone(plan.plan.treatment()),
            plan: plan.plan.digest(),
        };
        Self::of(id, Task::Erasure(erasure), plan.mandate.clone(), opened_at)
    }

    /// A case for a task.
    pub(crate) fn of(id: CaseId, task: Task, mandate: Mandate, opened_at: DateTime<Utc>) -> Self {
        Self { format: Format, id, task, mandate, opened_at }
    }

    /// Whether the mandate is for this very task.
    ///
    /// # Errors
    /// [`ApprovalError`]: it is for something else.
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
            // They are for customers alone.
            Mandate::Standing(standing) => {
                Err(ApprovalError::OtherPlan { approved: standing.digest(), plan })
            }
            Mandate::Replay(replay) => Err(ApprovalError::OtherPlan { approved: replay.plan(), plan }),
        }
    }

    /// Whether two cases differ in nothing but the customer, or the profile: same rules, mandate and opening.
    pub(crate) fn shares_terms(&self, other: &Self) -> bool {
        let alike = match (&self.task, &other.task) {
            (Task::Erasure(one), Task::Erasure(other)) => one.binding.shares_terms(&other.binding),
            (Task::Expiry(one), Task::Expiry(other)) => one == other,
            (Task::Profile(one), Task::Profile(other)) => one.review == other.review,
            _ => false,
        };
        alike && self.opened_at == other.opened_at && self.mandate.given_with(&other.mandate)
    }
}

/// What came of opening a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is open.
    Open,
    /// The customer, the profile or the records have another open case.
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
        let mut progress = Progress::of(&self.new.task.steps());
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
