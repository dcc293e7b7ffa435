//! The request behind a case, as the entry of the ledger records it.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{LedgerError, SavedRequest, Sealed};
use crate::plan::{CaseId, Holidays, ReasonCode, RequestClock};
use crate::request::{Channel, RequestEvent, RequestId, SentLetter, Stage};

/// The request that a case carried out: how it was received, its clock, and the letters that were sent before the
/// case was closed. It does not name the requester.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intake {
    /// The id of the request. It is sealed, because a host may use ids that reveal personal data.
    pub request: Sealed<RequestId>,
    /// How it was received.
    pub channel: Channel,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// When and how the identity of the requester was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<ConfirmedIdentity>,
    /// The clock: the day of receipt, stops, extension.
    pub clock: RequestClock,
    /// The last day for the answer. Public holidays where the controller is are taken into account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<NaiveDate>,
    /// The letters that were sent before the case was closed, in order. The confirmation is not among them: it is
    /// written from the certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub letters: Vec<SentLetter>,
}

/// When and how the identity of the requester was confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmedIdentity {
    /// The day.
    pub on: NaiveDate,
    /// How it was confirmed: the host's own reference.
    pub reference: ReasonCode,
}

/// A request with an open case, before its id is sealed.
pub(crate) struct Running {
    pub(crate) case: CaseId,
    pub(crate) id: RequestId,
    said: Said,
}

struct Said {
    channel: Channel,
    received_at: DateTime<Utc>,
    identity: Option<ConfirmedIdentity>,
    clock: RequestClock,
    due: Option<NaiveDate>,
    letters: Vec<SentLetter>,
}

impl Running {
    /// A request of the register, if a case is open for it.
    pub(crate) fn of(saved: SavedRequest, holidays: &Holidays) -> Result<Option<Self>, LedgerError> {
        let request = saved.request()?;
        if request.stage() != Stage::Running {
            return Ok(None);
        }
        let due = request.due(holidays);
        let Some(case) = request.running else { return Ok(None) };
        let identity = saved.notes.into_iter().find_map(|note| match note.event {
            RequestEvent::IdentityConfirmed { on, reference } => Some(ConfirmedIdentity { on, reference }),
            _ => None,
        });
        let said = Said {
            channel: request.new.channel,
            received_at: request.new.received_at,
            identity,
            clock: request.clock,
            due,
            letters: request.letters,
        };
        Ok(Some(Self { case, id: request.new.id, said }))
    }

    pub(crate) fn sealed(&self, request: Sealed<RequestId>) -> Intake {
        let Said { channel, received_at, identity, clock, due, letters } = &self.said;
        Intake {
            request,
            channel: *channel,
            received_at: *received_at,
            identity: identity.clone(),
            clock: clock.clone(),
            due: *due,
            letters: letters.clone(),
        }
    }
}

/// Prints the request on one line, for a terminal.
impl fmt::Display for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (clock, request) = (&self.clock, &self.request);
        write!(f, "{request}, received on {} ({})", clock.received_on(), self.channel)?;
        match &self.identity {
            Some(identity) => write!(f, ", identity confirmed on {} ({})", identity.on, identity.reference)?,
            None => write!(f, ", identity not confirmed")?,
        }
        for stop in clock.suspensions() {
            write!(f, ", suspended from {}", stop.from)?;
            stop.to.map_or(Ok(()), |to| write!(f, " to {to}"))?;
        }
        if let Some(extension) = clock.extension() {
            write!(f, ", extended on {}", extension.told)?;
        }
        self.due.map_or(Ok(()), |due| write!(f, ", answer due on {due}"))?;
        for letter in &self.letters {
            write!(f, ", letter {} ({}) sent on {}", letter.kind, letter.language, letter.on)?;
        }
        Ok(())
    }
}
