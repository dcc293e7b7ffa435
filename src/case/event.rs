//! What comes to pass in a case.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Hindrance;
use super::{GatewayAnswer, Receipt};
use crate::customer::{FormerStatus, Status};
use crate::data_map::ClassName;
use crate::digest::Digest;
use crate::plan::{ExpiryPart, OperatorId, ReasonCode, Step};
use crate::treatment::{Counts, Kept, Uncertain};

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
    /// Why: it goes into the certificate.
    pub reason: ReasonCode,
    /// When.
    pub at: DateTime<Utc>,
}

/// What is known right before a step, and by nobody afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Before {
    /// How the customer is who will be deactivated.
    Status {
        /// The status.
        status: Status,
        /// What undoes the deactivation.
        former: FormerStatus,
    },
    /// Records that will stay, and that nobody can tell any more once the customer's own values are gone.
    Records {
        /// Mentions in texts that are not certain to mean the customer.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        uncertain: Uncertain,
        /// What duties keep of records that are found by a value.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        keeping: BTreeMap<ClassName, Kept>,
    },
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// How the customer was deactivated.
    Deactivated(DeactivationOutcome),
    /// What a gateway answered for one profile.
    Answer {
        /// Which profile, by the digest of its id. The case book is wiped when the case closes.
        profile: Digest,
        /// What it answered.
        answer: GatewayAnswer,
    },
    /// So many records were treated.
    Records(Counts),
    /// It is done, and the answer that said how much was lost.
    Lost,
    /// Some of what has expired was treated, and what was left.
    Expired(Box<ExpiryPart>),
}

/// Why a step is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// Which step.
    pub step: Step,
    /// Why.
    pub reason: Hindrance,
    /// Whether it lies in the step alone. It does not where a guard forbids the whole erasure.
    pub waivable: bool,
}

impl Obstacle {
    /// Whether a person may do without the step: only without what others hold.
    pub fn is_waivable(&self) -> bool {
        self.waivable && matches!(self.step, Step::Gateway(_))
    }
}

/// Something that came to pass in a case. What is about to be done is recorded before it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A step is about to be taken.
    Begun {
        /// Which step.
        step: Step,
        /// What nobody can tell afterwards.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Before>,
    },
    /// A part of a step is done: one of several profiles, or some of the records.
    Part {
        /// Which step.
        step: Step,
        /// What came of it.
        proof: Proof,
    },
    /// Somebody outside accepted an item, and will finish it later.
    Accepted {
        /// Which step.
        step: Step,
        /// Which item, by the digest of its id.
        item: Digest,
        /// By which name to ask for it.
        receipt: Receipt,
    },
    /// A step is done.
    Done {
        /// Which step.
        step: Step,
        /// What came of it.
        proof: Proof,
    },
    /// A step was refused by whoever takes it, and nothing was touched by this try.
    Refused {
        /// Which step.
        step: Step,
    },
    /// The case cannot go on; a person has to look.
    Blocked(Obstacle),
    /// A person wants it tried again.
    Retried,
    /// A person decided to do without a step.
    Waived(Waiver),
}
