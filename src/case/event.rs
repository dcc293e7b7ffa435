//! The events of a case.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Hindrance;
use super::{GatewayAnswer, Receipt, RecipientAnswer};
use crate::customer::{FormerStatus, GatewayName, Status, SuppressionToken};
use crate::data_map::ClassName;
use crate::digest::Digest;
use crate::plan::{ExpiryPart, OperatorId, ReasonCode, Step};
use crate::treatment::{Counts, Kept, MentionCounts, Uncertain};

/// How the deactivation ended: the reversible first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeactivationOutcome {
    /// The customer was deactivated by this case.
    Done,
    /// The customer was archived already.
    Already,
    /// The host has no status for archived customers.
    Unsupported,
}

/// A step that a person decided to skip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// The skipped step.
    pub step: Step,
    /// The person who decided.
    pub operator: OperatorId,
    /// Why. The certificate shows this reason.
    pub reason: ReasonCode,
    /// When the person decided.
    pub at: DateTime<Utc>,
}

/// A step at an outside party that a person did by hand, with evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByHand {
    /// The step.
    pub step: Step,
    /// The person who did it.
    pub operator: OperatorId,
    /// Where the evidence is: the host's own reference, such as `ticket-4711`. The certificate shows it.
    pub evidence: ReasonCode,
    /// When the person reported it.
    pub at: DateTime<Utc>,
}

/// Facts that are known right before a step, and cannot be found out afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Before {
    /// The customer before the deactivation.
    Status {
        /// The status.
        status: Status,
        /// What the store needs to undo the deactivation.
        former: FormerStatus,
    },
    /// Records that stay. They cannot be found any more once the customer's own values are erased.
    Records {
        /// Mentions in texts that may mean the customer, but are uncertain.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        uncertain: Uncertain,
        /// Records that duties keep and that are found by a value.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        keeping: BTreeMap<ClassName, Kept>,
        /// Tokens of the customer's identifiers, for the suppression list. They are added to the list when the
        /// records are erased. When the case is closed, they are deleted here.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        suppress: Vec<SuppressionToken>,
        /// Gateways at which the customer has profiles that the policy keeps.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        profiles: BTreeSet<GatewayName>,
    },
}

/// The result of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// How the customer was deactivated.
    Deactivated(DeactivationOutcome),
    /// A gateway's answer for one profile.
    Answer {
        /// The profile, by the digest of its id. The case book is wiped when the case closes.
        profile: Digest,
        /// The answer.
        answer: GatewayAnswer,
    },
    /// A recipient was notified, and answered.
    Told(RecipientAnswer),
    /// The person's mentions were removed from texts of others, in a part of a pass or in the last part.
    Mentions(MentionCounts),
    /// The number of records that were treated.
    Records(Counts),
    /// The step is done, but the answer with the counts was lost.
    Lost,
    /// The number of copies that were removed, or were gone already.
    Removed(u64),
    /// Some of the expired records were treated. Gives the results, and the place where the expiry continues.
    Expired(Box<ExpiryPart>),
}

/// Why a step cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// The step.
    pub step: Step,
    /// Why.
    pub reason: Hindrance,
    /// Whether the obstacle concerns only the step. `false` if a guard forbids the whole erasure.
    pub waivable: bool,
}

impl Obstacle {
    /// Whether a person may skip the step. Only steps at an outside party, and the texts of others, can be skipped.
    pub fn is_waivable(&self) -> bool {
        self.waivable && (self.is_at_a_party() || self.step == Step::Mentions)
    }

    /// Whether a person may do the step by hand. Only steps at an outside party can be done by hand.
    pub fn can_be_done_by_hand(&self) -> bool {
        self.waivable && self.is_at_a_party()
    }

    fn is_at_a_party(&self) -> bool {
        matches!(self.step, Step::Gateway(_) | Step::Recipient(_))
    }
}

/// The next attempt of a case that waits for something that cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutOff {
    /// The step at which the case waits.
    pub step: Step,
    /// When the first of these attempts failed. No part of the step has succeeded since.
    pub since: DateTime<Utc>,
    /// The number of attempts since then.
    pub tries: u32,
    /// When the worker tries again.
    pub until: DateTime<Utc>,
}

/// An event of a case. The event [`Begun`](Self::Begun) is recorded before a step is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A step is about to be taken.
    Begun {
        /// The step.
        step: Step,
        /// Facts that cannot be found out afterwards.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Before>,
    },
    /// A part of a step is done: one of several profiles, or some of the records.
    Part {
        /// The step.
        step: Step,
        /// The result.
        proof: Proof,
    },
    /// An outside party accepted an item, and will finish it later.
    Accepted {
        /// The step.
        step: Step,
        /// The item, by the digest of its id.
        item: Digest,
        /// The name under which to ask for the item.
        receipt: Receipt,
    },
    /// A step is done.
    Done {
        /// The step.
        step: Step,
        /// The result.
        proof: Proof,
    },
    /// The store or the outside party refused the step. This attempt touched nothing.
    Refused {
        /// The step.
        step: Step,
    },
    /// An attempt failed, because something cannot be reached. The worker retries later.
    PutOff(PutOff),
    /// The case cannot continue until a person decides.
    Blocked(Obstacle),
    /// A person asked for another attempt.
    Retried,
    /// A person decided to skip a step.
    Waived(Waiver),
    /// A person did a step by hand.
    ByHand(ByHand),
}
