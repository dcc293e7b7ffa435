//! An open case: what the working memory holds of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::customer::{CustomerId, FormerStatus, GatewayName, Status, TenantId};
use crate::data_map::ClassName;
use crate::digest::Digest;
use crate::gateway::{GatewayAnswer, Receipt};
use crate::ledger::Count;
use crate::plan::{Approval, ApprovedPlan, Binding, CaseId, Kept, OperatorId, Step};
use crate::policy::Treatment;
use crate::store::{Counts, Uncertain};

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

/// How the reversible first step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeactivationOutcome {
    /// The customer was deactivated by this case.
    Done,
    /// The customer was archived before.
    Already,
    /// The host has no such status.
    Unsupported,
}

/// A step that a person decided to do without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// Which step.
    pub step: Step,
    /// Who decided.
    pub operator: OperatorId,
    /// Why, with nothing of the customer in it: it goes into the certificate.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Something that happened in a case. What is about to be done is recorded before it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The customer is about to be deactivated; this is how they were.
    Deactivating {
        /// The status.
        status: Status,
        /// What undoes it.
        before: FormerStatus,
    },
    /// The customer is deactivated.
    Deactivated(DeactivationOutcome),
    /// Texts are about to be searched for the customer: mentions that are not certain, and will stay. Counted now,
    /// because nobody can tell once the customer's own values are gone.
    Uncertain(Uncertain),
    /// Records are about to be treated: what duties keep. Counted now where records are found by a value, because nobody finds
    /// them once the customer's own value is gone.
    Keeping(BTreeMap<ClassName, Kept>),
    /// An irreversible step is about to be taken.
    Erasing(Step),
    /// A gateway answered for one of the customer's profiles there.
    Gateway {
        /// Which gateway.
        gateway: GatewayName,
        /// Which of the profiles, by the digest of its id. The case book is wiped when the case closes.
        profile: Digest,
        /// What it answered.
        answer: GatewayAnswer,
    },
    /// A gateway accepted the erasure of a profile, and will finish it later.
    GatewayAccepted {
        /// Which gateway.
        gateway: GatewayName,
        /// Which of the profiles, by the digest of its id.
        profile: Digest,
        /// By which name to ask for it.
        receipt: Receipt,
    },
    /// A part of the records is done.
    RecordsPart(Counts),
    /// The records are done. The counts are of the last part, and there are none where the answer was lost.
    RecordsDone(Option<Counts>),
    /// The store refused the records by itself, and has touched nothing.
    RecordsRefused,
    /// A step was refused; a person has to look.
    Blocked {
        /// Which step.
        step: Step,
        /// Why.
        reason: String,
        /// Whether a person may decide to do without the step.
        waivable: bool,
    },
    /// A person wants it tried again.
    Retried,
    /// A person decided to do without a step.
    Waived(Waiver),
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
    pub fn progress(&self) -> Progress {
        let mut progress = Progress::default();
        for event in &self.events {
            progress.apply(event);
        }
        progress
    }
}

/// How far a case is: what its events add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The customer's status before we touched it, and what undoes that.
    pub before: Option<(Status, FormerStatus)>,
    /// How the first step ended, if it has.
    pub deactivation: Option<DeactivationOutcome>,
    /// A step that cannot be taken back was begun.
    pub irreversible: bool,
    /// A profile at a gateway may be erased already.
    pub gateway_begun: bool,
    /// What gateways answered, by the digest of the profile's id.
    pub gateways: BTreeMap<GatewayName, BTreeMap<Digest, GatewayAnswer>>,
    /// What gateways accepted and have not finished, by the digest of the profile's id.
    pub accepted: BTreeMap<GatewayName, BTreeMap<Digest, Receipt>>,
    /// How often the records were begun.
    pub records_begun: u32,
    /// Mentions that are not certain, and stay.
    pub uncertain: Uncertain,
    /// What duties keep, as far as it had to be counted before the records were treated.
    pub keeping: BTreeMap<ClassName, Kept>,
    /// Counts so far.
    pub counts: Counts,
    /// The records are done; whether the counts are exact.
    pub records_done: Option<bool>,
    /// The step that was refused, and why.
    pub blocked: Option<(Step, String)>,
    /// Whether a person may decide to do without that step.
    pub waivable: bool,
    /// Steps that a person decided to do without.
    pub waived: Vec<Waiver>,
}

impl Progress {
    /// Takes one more event in.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Deactivating { status, before } => {
                self.before.get_or_insert((*status, before.clone()));
            }
            Event::Deactivated(outcome) => self.deactivation = Some(*outcome),
            Event::Uncertain(counts) => self.uncertain.clone_from(counts),
            Event::Keeping(kept) => self.keeping.clone_from(kept),
            Event::Erasing(step) => {
                self.irreversible |= step.is_irreversible();
                self.gateway_begun |= matches!(step, Step::Gateway(_));
                self.records_begun += u32::from(*step == Step::Records);
            }
            Event::Gateway { gateway, profile, answer } => {
                self.gateways.entry(gateway.clone()).or_default().insert(*profile, answer.clone());
            }
            Event::GatewayAccepted { gateway, profile, receipt } => {
                self.accepted.entry(gateway.clone()).or_default().insert(*profile, receipt.clone());
            }
            Event::RecordsPart(counts) => self.counts.add(counts),
            Event::RecordsDone(counts) => {
                if let Some(counts) = counts {
                    self.counts.add(counts);
                }
                self.records_done = Some(counts.is_some() && self.records_done != Some(false));
            }
            Event::RecordsRefused => {
                // This try does not count; an earlier one whose answer was lost does.
                self.records_begun = self.records_begun.saturating_sub(1);
                self.irreversible =
                    self.gateway_begun || self.records_begun > 0 || !self.counts.classes.is_empty();
            }
            Event::Blocked { step, reason, waivable } => {
                self.blocked = Some((step.clone(), reason.clone()));
                self.waivable = *waivable;
            }
            Event::Retried => {
                // What was accepted and then refused is asked for anew.
                self.accepted.clear();
                // What could not be verified is done again before it is verified again.
                if self.blocked.take().is_some_and(|(step, _)| step == Step::Verify) {
                    self.records_done = None;
                }
            }
            Event::Waived(waiver) => {
                self.blocked = None;
                self.waived.push(waiver.clone());
            }
        }
    }

    /// Whether a person decided to do without a step.
    pub fn is_waived(&self, step: &Step) -> bool {
        self.waived.iter().any(|waiver| waiver.step == *step)
    }

    /// How many records of a class were treated.
    pub(crate) fn count(&self, class: &str) -> Count {
        match self.records_done {
            Some(true) => Count::Exact(self.counts.classes.get(class).copied().unwrap_or(0)),
            Some(false) | None => Count::Unknown,
        }
    }
}
