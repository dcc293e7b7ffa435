//! The present state of a request, which follows from its events.

use chrono::NaiveDate;

use super::{Answer, CaseEnd, NewRequest, PlanApproval, RequestEvent, RequestKind, SentLetter};
use crate::plan::{CaseId, ClockError, ComplaintClock, Holidays, Regime, RequestClock};

/// An event that cannot happen in the request's present state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutOfTurn {
    /// The request has ended.
    #[error("the request has ended; receive a new one")]
    Ended,
    /// The event is before the receipt.
    #[error("{day} is before the receipt on {received}")]
    BeforeReceipt {
        /// The day of the event.
        day: NaiveDate,
        /// The day of the receipt.
        received: NaiveDate,
    },
    /// The identity was already confirmed, or the person was already asked for it.
    #[error("the identity was asked for or confirmed before; remind the person instead")]
    IdentityAsked,
    /// The identity of the person is not confirmed.
    #[error("nobody has confirmed who asks; note how the identity was confirmed first")]
    NotIdentified,
    /// Only an erasure has a plan.
    #[error("a request for {kind} has no plan to approve; only an erasure has one")]
    NoPlan {
        /// The kind of the request.
        kind: RequestKind,
    },
    /// The law sets no day for the answer, so there is nothing to stop or to extend.
    #[error(
        "the law sets no day for the answer to a {kind}, so there is nothing to stop or to extend; answer it soon"
    )]
    NoPeriod {
        /// The kind of the request.
        kind: RequestKind,
    },
    /// A case is open.
    #[error("case {case} is open; wait until it is closed, or cancel it")]
    CaseOpen {
        /// The case.
        case: CaseId,
    },
    /// The customer was erased.
    #[error("case {case} has erased the customer; decide and end the request")]
    Erased {
        /// The case.
        case: CaseId,
    },
    /// Nobody approved a plan.
    #[error("nobody has approved a plan; approve one first")]
    NothingApproved,
    /// The request has no such open case.
    #[error("the request has no open case {case}")]
    OtherCase {
        /// The case.
        case: CaseId,
    },
    /// Nobody has decided.
    #[error("nobody has decided the request; note the answer first")]
    NotDecided,
    /// The clock forbids it.
    #[error(transparent)]
    Clock(#[from] ClockError),
}

/// Whether the identity of the person is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// Nobody has looked.
    #[default]
    Unknown,
    /// The person was asked for proof.
    Asked,
    /// The identity was confirmed.
    Confirmed,
}

/// The stage of a request, for lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// A person has to act.
    Open,
    /// A plan was approved, and the worker carries it out.
    Approved,
    /// A case is open.
    Running,
    /// The request has ended.
    Ended,
}

impl Stage {
    /// The name of the stage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Running => "running",
            Self::Ended => "ended",
        }
    }
}

/// A request in its present state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The request as it was received.
    pub new: NewRequest,
    /// The clock.
    pub clock: RequestClock,
    /// Whether the identity of the person is known.
    pub identity: Identity,
    /// The approval of a plan, and the treatment that it names, until its case is closed.
    pub approved: Option<PlanApproval>,
    /// The open case.
    pub running: Option<CaseId>,
    /// The case that erased the customer.
    pub erased: Option<CaseId>,
    /// The answer, and the day of the decision.
    pub answer: Option<(Answer, NaiveDate)>,
    /// The letters that were sent, in order.
    pub letters: Vec<SentLetter>,
    /// The day on which the request ended.
    pub ended: Option<NaiveDate>,
}

impl Request {
    /// A request without any event yet.
    pub fn of(new: &NewRequest) -> Self {
        Self {
            new: new.clone(),
            clock: RequestClock::under(
                new.regime.unwrap_or_default(),
                new.received_on.unwrap_or_else(|| new.received_at.date_naive()),
            ),
            identity: Identity::Unknown,
            approved: None,
            running: None,
            erased: None,
            answer: None,
            letters: Vec::new(),
            ended: None,
        }
    }

    /// Adds an event.
    ///
    /// # Errors
    /// [`OutOfTurn`] if the event cannot happen in the present state. Then nothing has changed.
    pub fn apply(&mut self, event: &RequestEvent) -> Result<(), OutOfTurn> {
        if self.ended.is_some() {
            return Err(OutOfTurn::Ended);
        }
        match event {
            RequestEvent::Stopped { .. } | RequestEvent::Extended { .. } if !self.has_period() => {
                return Err(OutOfTurn::NoPeriod { kind: self.new.kind });
            }
            RequestEvent::IdentityAsked { on } => {
                self.not_before(*on)?;
                if self.identity != Identity::Unknown {
                    return Err(OutOfTurn::IdentityAsked);
                }
                self.identity = Identity::Asked;
            }
            RequestEvent::IdentityConfirmed { on, .. } => {
                self.not_before(*on)?;
                if self.identity == Identity::Confirmed {
                    return Err(OutOfTurn::IdentityAsked);
                }
                self.identity = Identity::Confirmed;
            }
            RequestEvent::Stopped { from, reason, due } => self.clock.stop(*from, *reason, *due)?,
            RequestEvent::Reminded { on } => self.clock.remind(*on)?,
            RequestEvent::Resumed { to } => self.clock.resume(*to)?,
            RequestEvent::Extended { told, reason, due } => {
                self.clock.lengthen(*told, *reason, *due)?;
            }
            RequestEvent::Approved(approved) => {
                self.may_run()?;
                self.approved = Some(approved.clone());
            }
            RequestEvent::NotApproved => {
                self.no_case()?;
                self.approved.take().ok_or(OutOfTurn::NothingApproved)?;
            }
            RequestEvent::Opened { case } => {
                self.may_run()?;
                // The approval stays, because a process may die before it opens the case.
                self.approved.as_ref().ok_or(OutOfTurn::NothingApproved)?;
                self.running = Some(case.clone());
            }
            RequestEvent::Closed { case, end } => {
                if self.running.as_ref() != Some(case) {
                    return Err(OutOfTurn::OtherCase { case: case.clone() });
                }
                (self.running, self.approved) = (None, None);
                if *end == CaseEnd::Erased {
                    self.erased = Some(case.clone());
                }
            }
            RequestEvent::Decided { on, answer } => {
                self.not_before(*on)?;
                self.no_case()?;
                self.answer = Some((*answer, *on));
                // If the request is refused, the person must not be erased.
                self.approved = None;
            }
            RequestEvent::Sent(letter) => {
                self.not_before(letter.on)?;
                self.letters.push(letter.clone());
            }
            RequestEvent::Ended { on } => {
                self.not_before(*on)?;
                self.no_case()?;
                if self.answer.is_none() {
                    return Err(OutOfTurn::NotDecided);
                }
                (self.ended, self.approved, self.new.who) = (Some(*on), None, None);
            }
        }
        Ok(())
    }

    /// Whether a plan may be approved, or a case opened.
    fn may_run(&self) -> Result<(), OutOfTurn> {
        if self.new.kind != RequestKind::Erasure {
            return Err(OutOfTurn::NoPlan { kind: self.new.kind });
        }
        if self.identity != Identity::Confirmed {
            return Err(OutOfTurn::NotIdentified);
        }
        match &self.erased {
            Some(case) => Err(OutOfTurn::Erased { case: case.clone() }),
            None => self.no_case(),
        }
    }

    fn no_case(&self) -> Result<(), OutOfTurn> {
        match &self.running {
            Some(case) => Err(OutOfTurn::CaseOpen { case: case.clone() }),
            None => Ok(()),
        }
    }

    fn not_before(&self, day: NaiveDate) -> Result<(), OutOfTurn> {
        let received = self.clock.received_on();
        if day < received { Err(OutOfTurn::BeforeReceipt { day, received }) } else { Ok(()) }
    }

    /// The last day on which the person must have an answer. `None` when the request has ended, while the clock is stopped,
    /// and for a complaint: the law sets no day for its answer.
    pub fn due(&self, holidays: &Holidays) -> Option<NaiveDate> {
        if self.ended.is_some() || !self.has_period() { None } else { self.clock.due(holidays) }
    }

    /// The last day on which the person must be told that the request was received. `None` if the law asks for no such
    /// letter, and once a letter was sent or the request has ended. California: ten business days. A complaint in the UK:
    /// 30 days.
    pub fn confirm_by(&self, holidays: &Holidays) -> Option<NaiveDate> {
        if self.ended.is_some() || !self.letters.is_empty() {
            return None;
        }
        match (self.has_period(), self.clock.regime()) {
            (true, _) => self.clock.confirm_by(holidays),
            (false, Regime::Uk) => ComplaintClock::received(self.clock.received_on()).acknowledge_by(),
            (false, _) => None,
        }
    }

    /// The day on which to remind the person, while the clock is stopped because the person has not answered.
    pub fn remind_on(&self) -> Option<NaiveDate> {
        if self.ended.is_some() { None } else { self.clock.remind_on() }
    }

    /// The last day of what the law demands next: that the receipt is confirmed, or that the request is answered.
    pub fn must_by(&self, holidays: &Holidays) -> Option<NaiveDate> {
        self.confirm_by(holidays).into_iter().chain(self.due(holidays)).min()
    }

    /// The day by which somebody has to act: what the law demands next, or a reminder.
    pub fn act_by(&self, holidays: &Holidays) -> Option<NaiveDate> {
        self.must_by(holidays).into_iter().chain(self.remind_on()).min()
    }

    /// Whether the law sets a day for the answer.
    pub(super) fn has_period(&self) -> bool {
        self.new.kind != RequestKind::Complaint
    }

    /// Where the request stands.
    pub fn stage(&self) -> Stage {
        match (&self.ended, &self.running, &self.approved) {
            (Some(_), ..) => Stage::Ended,
            (None, Some(_), _) => Stage::Running,
            (None, None, Some(_)) => Stage::Approved,
            (None, None, None) => Stage::Open,
        }
    }
}
