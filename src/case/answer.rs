//! The answers of outside parties. They prove what a gateway or a recipient did.

use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::name::open_name;

open_name! {
    /// An outside party's own name for a task that it accepted and will finish later.
    Receipt
}

/// The result of erasing a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayOutcome {
    /// The profile is erased.
    Erased,
    /// The gateway says that the profile did not exist.
    AlreadyAbsent,
    /// The gateway will finish the task later. Ask with
    /// [`PaymentGatewayEraser::poll`](crate::gateway::PaymentGatewayEraser::poll).
    Accepted {
        /// The name of the task.
        receipt: Receipt,
    },
    /// The gateway refuses for now. It has erased nothing of the profile.
    Blocked {
        /// The reason. It must contain nothing about the person.
        reason: String,
    },
    /// The gateway keeps something.
    Retained {
        /// What the gateway keeps.
        what: String,
        /// The last day on which the gateway keeps this, if the gateway says so.
        until: Option<NaiveDate>,
    },
}

impl std::fmt::Display for GatewayOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Erased => f.write_str("erased"),
            Self::AlreadyAbsent => f.write_str("was not there any more"),
            Self::Accepted { .. } => f.write_str("accepted, to be finished by the gateway"),
            Self::Blocked { reason } => write!(f, "refused: {reason}"),
            Self::Retained { what, until: Some(until) } => write!(f, "keeps {what} until {until}"),
            Self::Retained { what, until: None } => write!(f, "keeps {what}"),
        }
    }
}

/// The result of notifying a recipient of an erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecipientOutcome {
    /// The recipient says that it has erased the person's data.
    Confirmed,
    /// The recipient says that it has nothing of the person.
    NothingThere,
    /// The host has none of the values by which the recipient knows a person, so nothing was sent. Only the engine
    /// gives this answer, never an adapter.
    Unidentified,
    /// The recipient will finish the task later. Ask with [`Recipient::poll`](crate::recipient::Recipient::poll).
    Accepted {
        /// The name of the task.
        receipt: Receipt,
        /// The pause before the recipient wants to be asked again, if it says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask_again: Option<Duration>,
        /// What the recipient waits for. It must contain nothing about the person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waits_for: Option<String>,
    },
    /// The recipient refuses for now. It has done nothing, so a case that has done nothing else can be cancelled.
    Refused {
        /// The reason. It must contain nothing about the person.
        reason: String,
    },
    /// The recipient keeps something.
    Retained {
        /// What the recipient keeps.
        what: String,
        /// The last day on which the recipient keeps this, if the recipient says so.
        until: Option<NaiveDate>,
    },
}

impl RecipientOutcome {
    /// A task that the recipient will finish later.
    pub fn accepted(receipt: impl Into<Receipt>) -> Self {
        Self::Accepted { receipt: receipt.into(), ask_again: None, waits_for: None }
    }
}

impl std::fmt::Display for RecipientOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Confirmed => f.write_str("was told, and confirms"),
            Self::NothingThere => f.write_str("was told, and has nothing of the person"),
            Self::Unidentified => {
                f.write_str("was not told: the host has no value by which it knows the person")
            }
            Self::Accepted { waits_for: Some(what), .. } => {
                write!(f, "was told, and will confirm later; it waits for {what}")
            }
            Self::Accepted { waits_for: None, .. } => f.write_str("was told, and will confirm later"),
            Self::Refused { reason } => write!(f, "refused: {reason}"),
            Self::Retained { what, until: Some(until) } => {
                write!(f, "was told, and keeps {what} until {until}")
            }
            Self::Retained { what, until: None } => write!(f, "was told, and keeps {what}"),
        }
    }
}

/// The answer of an outside party, for the certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer<O> {
    /// The result.
    pub outcome: O,
    /// The party's own id of the request. With it, the party finds the request again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The party's words: a status or a code. Never free text, because free text may quote an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// A gateway's answer for one profile.
pub type GatewayAnswer = Answer<GatewayOutcome>;

/// A recipient's answer for one person.
pub type RecipientAnswer = Answer<RecipientOutcome>;

impl<O> Answer<O> {
    /// Makes an answer from an outcome, the party's own id of the request, and the party's words.
    pub fn new(outcome: O, request_id: Option<String>, said: impl Into<String>) -> Self {
        Self { outcome, request_id, said: Some(said.into()) }
    }
}

impl<O> From<O> for Answer<O> {
    fn from(outcome: O) -> Self {
        Self { outcome, request_id: None, said: None }
    }
}

impl<O: std::fmt::Display> std::fmt::Display for Answer<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.outcome)?;
        match (&self.said, &self.request_id) {
            (Some(said), Some(id)) => write!(f, " (it said {said}, request {id})"),
            (Some(said), None) => write!(f, " (it said {said})"),
            (None, Some(id)) => write!(f, " (request {id})"),
            (None, None) => Ok(()),
        }
    }
}
