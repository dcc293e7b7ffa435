//! Requests of data subjects: when each was received, what happened since, and by when the person must have an
//! answer.
//!
//! A request consists of what was [received](NewRequest) and of the [events](RequestEvent) since. Together they give
//! the present state, a [`Request`]. Nothing in this module waits, reads a clock or calls another system. The
//! [register](crate::ledger::Register) keeps requests, and the [engine](crate::Engine::receive) notes events.
//!
//! ```
//! use relinquish::request::{Channel, NewRequest, Note, Request, RequestKind, Who};
//! use relinquish::plan::Holidays;
//!
//! let who = Who::Customer { customer: "4711".into() };
//! let received = "2026-11-02T09:30:00Z".parse()?;
//! let new = NewRequest::new("r-1", RequestKind::Erasure, Channel::Web, who, received);
//! let mut request = Request::of(&new);
//! let holidays = Holidays::default();
//! assert_eq!(request.due(&holidays), Some("2026-12-02".parse()?));
//!
//! // No erasure may be approved before the person is identified.
//! for event in request.events_of(&Note::AskIdentity, "2026-11-04".parse()?, &holidays)? {
//!     request.apply(&event)?;
//! }
//! assert_eq!(request.due(&holidays), None, "the clock stands still until the person has answered");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::customer::{CustomerId, TenantId};
use crate::format::Format;
use crate::name::{closed_name, looks_like_email, open_name};
use crate::plan::Regime;
use crate::policy::Effective;

mod event;
mod note;
mod state;
#[cfg(test)]
mod tests;

pub use event::{Answer, CaseEnd, LetterKind, PlanApproval, RequestEvent, SentLetter};
pub use note::Note;
pub use state::{Identity, OutOfTurn, Request, Stage};

open_name! {
    /// The id of a request. It must reveal nothing about the person, and must never be used again. Use a random id.
    RequestId
}

closed_name! {
    /// The e-mail address of a person who is not a customer. Its `Debug` shows nothing.
    Address
}

/// What a person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RequestKind {
    /// Erasure (Art. 17 GDPR).
    Erasure,
    /// Access (Art. 15 GDPR).
    Access,
    /// Portability (Art. 20 GDPR).
    Portability,
    /// Restriction (Art. 18 GDPR).
    Restriction,
    /// Objection (Art. 21 GDPR).
    Objection,
    /// A complaint to the controller: in the UK, section 164A of the Data Protection Act 2018. Its receipt must be
    /// [acknowledged](Request::confirm_by) in time. The law sets no day for the answer.
    Complaint,
}

/// How a request was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Channel {
    /// In the host's own service: a form, a button.
    Web,
    /// By e-mail.
    Email,
    /// By post.
    Post,
    /// By telephone.
    Phone,
    /// In person.
    InPerson,
}

/// Writes and reads each value of an enum by its name.
macro_rules! named {
    ($name:ident { $($value:ident = $text:literal),* $(,)? }) => {
        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$value),*];

            /// The name, as it is written.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text),* }
            }

            /// The value with this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

named!(RequestKind {
    Erasure = "erasure",
    Access = "access",
    Portability = "portability",
    Restriction = "restriction",
    Objection = "objection",
    Complaint = "complaint",
});

named!(LetterKind {
    Receipt = "receipt",
    Question = "question",
    Extension = "extension",
    Confirmation = "confirmation",
    Refusal = "refusal",
});

named!(Channel { Web = "web", Email = "email", Post = "post", Phone = "phone", InPerson = "in_person" });

/// The person who asks. The register knows nothing else about the person. It deletes this when the request ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// A customer, by the host's own id.
    Customer {
        /// The id.
        customer: CustomerId,
    },
    /// A person who is not a customer, by an address.
    Person {
        /// The address.
        address: Address,
    },
}

/// A request as it was received.
///
/// Its JSON has a `format`, so a host's own register can store this JSON. The JSON names nobody, because
/// [`who`](Self::who) is stored separately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NewRequest {
    format: Format<1>,
    /// The id of the request.
    pub id: RequestId,
    /// What the person asks for.
    pub kind: RequestKind,
    /// How the request was received.
    pub channel: Channel,
    /// When the request was received.
    pub received_at: DateTime<Utc>,
    /// The day on which the request was received, where the controller is. The clock counts from this day. `None`:
    /// [`Engine::receive`](crate::Engine::receive) takes the day in the time zone of the customer's tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_on: Option<NaiveDate>,
    /// The law that sets the period. `None`: [`Engine::receive`](crate::Engine::receive) takes it from the data protection
    /// law in force for the customer's tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regime: Option<Regime>,
    /// The tenant, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The token that stands for the person when the request has ended. `None` if no token was made with the ledger's
    /// key ring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The person who asks. `None` when the request has ended.
    #[serde(skip)]
    pub who: Option<Who>,
}

/// Why a request is not recorded. The message repeats no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotARequest {
    /// The id looks like an e-mail address, and the register would keep this address for good.
    #[error(
        "the request's id looks like an e-mail address, and the register would keep the address after the request has ended; \
         give each request a new random id"
    )]
    Email,
    /// The request was received in the future. Its time limit would begin too late.
    #[error("the request was received on a day that is in the future; give the day on which it arrived")]
    Future,
}

impl NewRequest {
    /// Checks that the request can be recorded at this instant. A day of receipt may be one day ahead, because a day begins
    /// earlier in other time zones.
    ///
    /// # Errors
    /// [`NotARequest`]: the id looks like an e-mail address, or the request was received in the future.
    pub fn check(&self, now: DateTime<Utc>) -> Result<(), NotARequest> {
        let tomorrow = now.date_naive().succ_opt();
        let is_ahead = self.received_on.zip(tomorrow).is_some_and(|(day, tomorrow)| day > tomorrow);
        if looks_like_email(self.id.as_str()) {
            Err(NotARequest::Email)
        } else if self.received_at > now || is_ahead {
            Err(NotARequest::Future)
        } else {
            Ok(())
        }
    }

    /// A request. The policy says on which day and under which law its clock starts, unless the other methods do.
    pub fn new(
        id: impl Into<RequestId>,
        kind: RequestKind,
        channel: Channel,
        who: Who,
        received_at: DateTime<Utc>,
    ) -> Self {
        Self {
            format: Format,
            id: id.into(),
            kind,
            channel,
            received_at,
            received_on: None,
            regime: None,
            tenant: None,
            subject: None,
            who: Some(who),
        }
    }

    /// Sets the day from which the clock counts: for a letter that came on an earlier day than the host recorded it.
    #[must_use]
    pub fn received_on(self, day: NaiveDate) -> Self {
        Self { received_on: Some(day), ..self }
    }

    /// Sets the law that sets the period: for a person whom another law protects than the one of the policy.
    #[must_use]
    pub fn under(self, regime: Regime) -> Self {
        Self { regime: Some(regime), ..self }
    }

    /// The same request with the day and the law that the policy in force says, where nobody has said them.
    #[must_use]
    pub(crate) fn by(self, rules: &Effective) -> Self {
        let day = self.received_on.unwrap_or_else(|| rules.time_zone().day(self.received_at));
        let regime = self.regime.unwrap_or_else(|| Regime::of(rules.privacy_law(), day));
        self.received_on(day).under(regime)
    }

    /// The same request without the person, as the register keeps it when the request has ended.
    #[must_use]
    pub fn without_who(self) -> Self {
        Self { who: None, ..self }
    }

    /// Whether another request with the same id is the same request. Only data that do not name the person are
    /// compared.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.kind, self.channel, self.received_at) == (other.kind, other.channel, other.received_at)
    }
}
