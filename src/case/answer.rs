//! The answers of gateways: the proof of what a gateway did.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::name::open_name;

open_name! {
    /// The gateway's own name for a task that it accepted and will finish later.
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
    /// The gateway refuses for now.
    Blocked {
        /// The reason. It must contain nothing about the person.
        reason: String,
    },
    /// The gateway keeps something.
    Retained {
        /// What the gateway keeps.
        what: String,
        /// The last day, if the gateway says so.
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

/// A gateway's answer, for the certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayAnswer {
    /// The result.
    pub outcome: GatewayOutcome,
    /// The gateway's own id of the request. With it, the gateway finds the request again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The gateway's words: a status or a code. Never free text, because free text may quote an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

impl GatewayAnswer {
    /// An outcome with the gateway's own id of the request and the gateway's words.
    pub fn new(outcome: GatewayOutcome, request_id: Option<String>, said: impl Into<String>) -> Self {
        Self { outcome, request_id, said: Some(said.into()) }
    }
}

impl From<GatewayOutcome> for GatewayAnswer {
    fn from(outcome: GatewayOutcome) -> Self {
        Self { outcome, request_id: None, said: None }
    }
}

impl std::fmt::Display for GatewayAnswer {
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
