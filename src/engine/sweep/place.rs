//! The place of a stopped sweep. A host keeps it to continue later.

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::SweepUnder;
use super::event::{Hit, SweepCounts};
use crate::customer::{Cursor, CustomerId, TenantId};
use crate::digest::Digest;
use crate::engine::Engine;
use crate::format::Format;
use crate::plan::review::ReviewedPlan;
use crate::plan::{OperatorId, Plan};
use crate::policy::Trigger;
use crate::treatment::TreatmentName;

/// The place where a stopped sweep continues. It can be serialised, so that another process can continue.
///
/// It contains the host's own ids of the customers who are still to be processed. So protect it as you protect the
/// database. Under another policy, data map or mandate, the survey begins again from the start.
#[derive(Clone, Serialize, Deserialize)]
pub struct SweepPlace {
    format: Format<1>,
    /// The name of the run, under which the ledger counts.
    pub(super) run: String,
    policy: Digest,
    data_map: Digest,
    /// The mandate, if the sweep has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    under: Option<Digest>,
    pub(super) at: At,
}

/// The part of a sweep.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum At {
    /// The survey, after a cursor.
    Survey {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Cursor>,
        found: Box<Found>,
    },
    /// The erasures.
    Run { found: Box<Found> },
}

/// What a survey found so far.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) counts: SweepCounts,
    /// Customers who are due and still to be processed.
    pub(super) due: Vec<DueCustomer>,
}

/// A customer who is due, with only the data that are needed to plan again.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct DueCustomer {
    pub(super) customer: CustomerId,
    pub(super) tenant: TenantId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trigger: Option<Trigger>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) treatment: Option<TreatmentName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<NaiveDate>,
    /// The plan that a person confirmed, and the operator who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reviewed: Option<(Digest, Option<OperatorId>)>,
}

impl DueCustomer {
    pub(super) fn of_plan(plan: &Plan) -> Self {
        Self {
            customer: plan.customer().clone(),
            tenant: plan.tenant().clone(),
            trigger: Some(plan.trigger()),
            treatment: Some(plan.treatment().name().clone()),
            since: plan.due().since,
            reviewed: None,
        }
    }

    pub(super) fn reviewed(plan: &ReviewedPlan) -> Self {
        Self {
            customer: plan.customer.clone(),
            tenant: plan.tenant.clone(),
            trigger: plan.trigger,
            treatment: plan.treatment.clone(),
            since: None,
            reviewed: Some((plan.plan, plan.planned_by.clone())),
        }
    }

    /// Counts the customers by tenant, trigger and treatment.
    pub(super) fn hits(due: &[Self]) -> Vec<Hit> {
        let mut hits = std::collections::BTreeMap::new();
        for one in due {
            *hits.entry((&one.tenant, one.trigger, &one.treatment)).or_default() += 1;
        }
        let hit =
            |((tenant, trigger, treatment), customers): ((&TenantId, _, &Option<TreatmentName>), u64)| Hit {
                tenant: tenant.clone(),
                trigger,
                treatment: treatment.clone(),
                customers,
            };
        hits.into_iter().map(hit).collect()
    }
}

impl SweepPlace {
    pub(super) fn new(engine: &Engine, under: Option<&SweepUnder>, run: String, at: At) -> Self {
        let policy = &engine.parts.policy;
        let (policy, data_map) = (policy.digest(), policy.map_digest());
        Self { format: Format, run, policy, data_map, under: under.map(SweepUnder::digest), at }
    }

    /// The place for an engine and a mandate. It is the place itself, or the beginning of the same run if the policy,
    /// the data map or the mandate has changed.
    pub(super) fn for_engine(self, engine: &Engine, under: Option<&SweepUnder>) -> Self {
        let beginning = At::Survey { after: None, found: Box::default() };
        let anew = Self::new(engine, under, self.run.clone(), beginning);
        let is_same = (self.policy, self.data_map, self.under) == (anew.policy, anew.data_map, anew.under);
        if is_same { self } else { anew }
    }

    /// The number of customers who are still to be processed, as far as the survey has found them.
    pub fn remaining(&self) -> usize {
        match &self.at {
            At::Survey { found, .. } | At::Run { found } => found.due.len(),
        }
    }
}

/// Shows no customer.
impl fmt::Debug for SweepPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.at {
            At::Survey { .. } => "survey",
            At::Run { .. } => "run",
        };
        f.debug_struct("SweepPlace")
            .field("at", &part)
            .field("due", &self.remaining())
            .finish_non_exhaustive()
    }
}
