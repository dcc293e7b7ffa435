//! What a gateway answers: the proof of what was done there.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::name::open_name;

open_name! {
    /// A gateway's own name for something it has accepted and will finish later.
    Receipt
}

/// What came of erasing a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayOutcome {
    /// It is erased.
    Erased,
    /// The gateway says that it was not there.
    AlreadyAbsent,
    /// The gateway will finish it later: ask with [`PaymentGatewayEraser::poll`](crate::gateway::PaymentGatewayEraser::poll).
    Accepted {
        /// By which name to ask.
        receipt: Receipt,
    },
    /// The gateway refuses for now.
    Blocked {
        /// Why, with nothing of the person in it.
        reason: String,
    },
    /// The gateway keeps something.
    Retained {
        /// What.
        what: String,
        /// Until when, if it says so.
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
    /// What came of it.
    pub outcome: GatewayOutcome,
    /// The gateway's own name for the request, by which it finds it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What it said, in its own words: a status or a code, never free text, which may quote an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

impl GatewayAnswer {
    /// An outcome with the gateway's own name for the request and its own words.
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
