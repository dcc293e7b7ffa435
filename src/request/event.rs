//! The events that are recorded for a request.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::plan::letter::Language;
use crate::plan::{Approval, CaseId, ExtensionReason, OperatorId, ReasonCode, StopReason};
use crate::treatment::TreatmentName;

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Answer {
    /// The controller does what the person asked for.
    Granted,
    /// The controller does a part, and refuses or defers the rest.
    GrantedInPart,
    /// The request is refused (Art. 12(4) GDPR).
    Refused,
    /// There is nothing to do: the controller holds no data of the person.
    NothingHeld,
    /// The person has taken the request back.
    Withdrawn,
    /// The person could not be identified (Art. 12(2) GDPR).
    NotIdentified,
}

/// A kind of letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LetterKind {
    /// The receipt is confirmed.
    Receipt,
    /// A question to the person: for proof of identity, or about the meaning of the request.
    Question,
    /// The notice of extension (Art. 12(3) GDPR).
    Extension,
    /// What was done.
    Confirmation,
    /// The refusal (Art. 12(4) GDPR).
    Refusal,
}

/// A letter that was sent. The text is not kept, because it may contain data that the register must not keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentLetter {
    /// The kind.
    pub kind: LetterKind,
    /// The language.
    pub language: Language,
    /// The day on which it was sent.
    pub on: NaiveDate,
    /// The digest of the text, if the host keeps the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// The approval of the plan that answers a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlanApproval {
    /// The approval.
    pub approval: Approval,
    /// The treatment, if it is not that of the trigger `requested`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub treatment: Option<TreatmentName>,
    /// The operator who made the plan, if the plan names one. A policy with `four_eyes` asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_by: Option<OperatorId>,
}

impl PlanApproval {
    /// The approval of a plan with the treatment of the trigger `requested`. The planner is not named.
    pub fn new(approval: Approval) -> Self {
        Self { approval, treatment: None, planned_by: None }
    }

    /// Sets another treatment.
    #[must_use]
    pub fn treatment(self, treatment: Option<TreatmentName>) -> Self {
        Self { treatment, ..self }
    }

    /// Sets the operator who made the plan: [`Plan::planned_by`](crate::Plan::planned_by).
    #[must_use]
    pub fn planned_by(self, operator: Option<OperatorId>) -> Self {
        Self { planned_by: operator, ..self }
    }
}

/// How the case of a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseEnd {
    /// The customer was erased as planned.
    Erased,
    /// The case ended before anything was touched: the plan did not fit the facts any more, or a person cancelled it.
    /// The request needs another approval.
    WithoutEffect,
}

/// An event of a request. Every day is a day in the controller's time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestEvent {
    /// The person was asked for proof of identity.
    IdentityAsked {
        /// The day.
        on: NaiveDate,
    },
    /// The identity of the person was confirmed.
    IdentityConfirmed {
        /// The day.
        on: NaiveDate,
        /// The host's own reference for how the identity was confirmed.
        reference: ReasonCode,
    },
    /// The clock was stopped.
    Stopped {
        /// The day.
        from: NaiveDate,
        /// Why.
        reason: StopReason,
        /// The last day for the answer, as it was on that day.
        due: NaiveDate,
    },
    /// The person was reminded of the question.
    Reminded {
        /// The day.
        on: NaiveDate,
    },
    /// The clock continues, because the person has answered.
    Resumed {
        /// The day.
        to: NaiveDate,
    },
    /// The period was extended, and the person was told.
    Extended {
        /// The day on which the person was told.
        told: NaiveDate,
        /// Why.
        reason: ExtensionReason,
        /// The last day for the answer, as it was on that day.
        due: NaiveDate,
    },
    /// A person approved the plan of the erasure. The worker carries it out.
    Approved(PlanApproval),
    /// The approved plan does not fit any more, so no case was opened. The request needs another approval.
    NotApproved,
    /// A case is about to be opened under this id.
    Opened {
        /// The case.
        case: CaseId,
    },
    /// The case is closed.
    Closed {
        /// The case.
        case: CaseId,
        /// How it ended.
        end: CaseEnd,
    },
    /// The request was decided.
    Decided {
        /// The day.
        on: NaiveDate,
        /// The answer.
        answer: Answer,
    },
    /// A letter was sent.
    Sent(SentLetter),
    /// The request has ended: the person has the answer. The identity of the person is deleted.
    Ended {
        /// The day.
        on: NaiveDate,
    },
}
