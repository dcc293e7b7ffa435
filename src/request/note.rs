//! What a person notes about a request, and the events that follow from the note.

use chrono::NaiveDate;

use super::{Answer, Identity, LetterKind, OutOfTurn, PlanApproval, Request, RequestEvent, SentLetter};
use crate::digest::Digest;
use crate::plan::letter::Language;
use crate::plan::{ExtensionReason, Holidays, ReasonCode, StopReason};

/// What a person notes about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The person was asked for proof of identity. The clock stops if the law allows it.
    AskIdentity,
    /// The identity of the person was confirmed. If the clock was stopped for that, it continues.
    ConfirmIdentity {
        /// The host's own reference for how the identity was confirmed.
        reference: ReasonCode,
    },
    /// The person was asked what the request refers to. The clock stops.
    AskMeaning,
    /// The person was reminded of the question.
    Remind,
    /// The person has answered what the request refers to. The clock continues.
    Answered,
    /// The person was told that the answer takes longer.
    Extend {
        /// Why.
        reason: ExtensionReason,
    },
    /// A plan was approved. The worker carries it out.
    Approve(PlanApproval),
    /// The request was decided.
    Decide {
        /// The answer.
        answer: Answer,
    },
    /// A letter was sent.
    Send {
        /// The kind.
        kind: LetterKind,
        /// The language.
        language: Language,
        /// The digest of the text, if the host keeps the text.
        digest: Option<Digest>,
    },
    /// The person has the answer. The request ends, and the identity of the person is deleted.
    End,
}

impl Request {
    /// The events that follow from a note on a day.
    ///
    /// # Errors
    /// [`OutOfTurn`] if the note does not fit the present state.
    pub fn events_of(
        &self,
        note: &Note,
        on: NaiveDate,
        holidays: &Holidays,
    ) -> Result<Vec<RequestEvent>, OutOfTurn> {
        let due = || self.clock.due(holidays).ok_or(crate::plan::ClockError::Suspended);
        let stopped = |reason| Ok::<_, OutOfTurn>(RequestEvent::Stopped { from: on, reason, due: due()? });
        let open = self.clock.suspensions().last().filter(|last| last.to.is_none());
        Ok(match note {
            // There may be no clock to stop.
            Note::AskIdentity if !self.has_period() || !self.clock.regime().has_stops() => {
                vec![RequestEvent::IdentityAsked { on }]
            }
            Note::AskIdentity if self.identity == Identity::Unknown => {
                vec![RequestEvent::IdentityAsked { on }, stopped(StopReason::Identity)?]
            }
            Note::AskIdentity => vec![RequestEvent::IdentityAsked { on }],
            Note::ConfirmIdentity { reference } => {
                let confirmed = RequestEvent::IdentityConfirmed { on, reference: reference.clone() };
                match open {
                    Some(stop) if stop.reason == StopReason::Identity => {
                        vec![RequestEvent::Resumed { to: on }, confirmed]
                    }
                    _ => vec![confirmed],
                }
            }
            Note::AskMeaning => vec![stopped(StopReason::Clarification)?],
            Note::Remind => vec![RequestEvent::Reminded { on }],
            Note::Answered => vec![RequestEvent::Resumed { to: on }],
            Note::Extend { reason } => {
                vec![RequestEvent::Extended { told: on, reason: *reason, due: due()? }]
            }
            Note::Approve(approved) => vec![RequestEvent::Approved(approved.clone())],
            Note::Decide { answer } => vec![RequestEvent::Decided { on, answer: *answer }],
            Note::Send { kind, language, digest } => {
                let letter = SentLetter { kind: *kind, language: *language, on, digest: *digest };
                vec![RequestEvent::Sent(letter)]
            }
            Note::End => vec![RequestEvent::Ended { on }],
        })
    }
}
