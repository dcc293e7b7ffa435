//! Splits open cases for a database: the part that cases share is stored once.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Erasure, Expiry, NewCase, ReviewedProfile, SavedCase, Task};
use crate::backup::CopiesTerms;
use crate::customer::{CustomerId, TenantId};
use crate::digest::Digest;
use crate::gateway::ReviewRow;
use crate::plan::{Binding, CaseId, Keeps, Mandate, Terms};
use crate::treatment::Treatment;

/// The part that open cases share.
#[derive(Serialize, Deserialize)]
pub(super) struct Shared {
    task: SharedTask,
    mandate: Mandate,
    opened_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SharedTask {
    Erasure(Arc<Terms>),
    Expiry(Expiry),
    Review(Digest),
    Copies(Arc<CopiesTerms>),
}

/// The part that a case does not share.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Own<'c> {
    Erasure(Box<OwnErasure<'c>>),
    Expiry,
    Profile(Cow<'c, ReviewRow>),
    Copies,
}

#[derive(Serialize, Deserialize)]
pub(super) struct OwnErasure<'c> {
    tenant: Cow<'c, TenantId>,
    customer: Cow<'c, CustomerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registered: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "keeps_nothing")]
    keeps: Cow<'c, Keeps>,
}

fn keeps_nothing(keeps: &Keeps) -> bool {
    keeps.is_empty()
}

impl Shared {
    pub(super) fn of(case: &NewCase) -> Self {
        let task = match &case.task {
            Task::Erasure(erasure) => SharedTask::Erasure(Arc::clone(erasure.binding.terms())),
            Task::Expiry(expiry) => SharedTask::Expiry(expiry.clone()),
            Task::Profile(profile) => SharedTask::Review(profile.review),
            Task::Copies(terms) => SharedTask::Copies(Arc::clone(terms)),
        };
        Self { task, mandate: case.mandate.clone(), opened_at: case.opened_at }
    }

    /// The digest of the treatment, which is stored separately.
    pub(super) fn treatment(&self) -> Option<Digest> {
        if let SharedTask::Erasure(terms) = &self.task { Some(terms.treatment_digest()) } else { None }
    }
}

impl<'c> Own<'c> {
    pub(super) fn of(case: &'c NewCase) -> Self {
        match &case.task {
            Task::Erasure(Erasure { binding, .. }) => Self::Erasure(Box::new(OwnErasure {
                tenant: Cow::Borrowed(binding.tenant()),
                customer: Cow::Borrowed(binding.customer()),
                registered: binding.registered(),
                keeps: Cow::Borrowed(binding.keeps()),
            })),
            Task::Expiry(_) => Self::Expiry,
            Task::Copies(_) => Self::Copies,
            Task::Profile(profile) => Self::Profile(Cow::Borrowed(&profile.row)),
        }
    }

    /// The case, from its own part and the shared part. `None` if the parts do not belong together.
    pub(super) fn saved(
        self,
        id: String,
        plan: Digest,
        shared: &Shared,
        treatment: Option<&Arc<Treatment>>,
    ) -> Option<SavedCase> {
        let task = match (self, &shared.task, treatment) {
            (Self::Erasure(own), SharedTask::Erasure(terms), Some(treatment)) => Task::Erasure(Erasure {
                binding: Arc::new(Binding::from_parts(
                    own.customer.into_owned(),
                    own.tenant.into_owned(),
                    own.registered,
                    own.keeps.into_owned(),
                    Arc::clone(terms),
                )),
                treatment: Arc::clone(treatment),
                plan,
            }),
            (Self::Expiry, SharedTask::Expiry(expiry), _) => Task::Expiry(expiry.clone()),
            (Self::Copies, SharedTask::Copies(terms), _) => Task::Copies(Arc::clone(terms)),
            (Self::Profile(row), SharedTask::Review(review), _) => {
                Task::Profile(ReviewedProfile { review: *review, row: Arc::new(row.into_owned()) })
            }
            _ => return None,
        };
        let new = NewCase::of(CaseId::new(id), task, shared.mandate.of_plan(plan), shared.opened_at);
        Some(SavedCase { new, events: Vec::new() })
    }
}
