//! Random events in random order, checked against rules over the whole history. Only events that may happen are
//! accepted, and every request can be ended.

use chrono::{Days, NaiveDate};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::digest::Digest;
use crate::plan::{Approval, CaseId, ClockError, ExtensionReason, Holidays, StopReason};

fn received() -> NaiveDate {
    "2026-11-02".parse().unwrap()
}

fn day(n: u64) -> NaiveDate {
    received() + Days::new(n)
}

fn new_request(kind: RequestKind, regime: Regime) -> NewRequest {
    let who = Who::Customer { customer: "4711".into() };
    let at = received().and_hms_opt(9, 0, 0).unwrap().and_utc();
    NewRequest::new("r-1", kind, Channel::Web, who, at).under(regime)
}

fn approval(n: u8) -> Approval {
    let at = received().and_hms_opt(10, 0, 0).unwrap().and_utc();
    let digest = Digest::of_bytes(&[n]);
    Approval::new("op-1", ["acme".into()], digest, at, chrono::TimeDelta::hours(1))
}

fn case() -> impl Strategy<Value = CaseId> {
    prop::sample::select(vec!["case-1", "case-2"]).prop_map(CaseId::from)
}

/// A random event on the day of receipt, or shortly before or after.
fn event() -> impl Strategy<Value = RequestEvent> {
    let on = || prop_oneof![9 => (0_u64..40).prop_map(day), 1 => Just(received() - Days::new(1))];
    let due = || (20_u64..45).prop_map(day);
    let reason = prop::sample::select(vec![StopReason::Identity, StopReason::Clarification]);
    let answer = prop::sample::select(vec![Answer::Granted, Answer::Refused, Answer::Withdrawn]);
    let end = prop::sample::select(vec![CaseEnd::Erased, CaseEnd::WithoutEffect]);
    prop_oneof![
        2 => on().prop_map(|on| RequestEvent::IdentityAsked { on }),
        3 => on().prop_map(|on| RequestEvent::IdentityConfirmed { on, reference: "seen".parse().unwrap() }),
        2 => (on(), reason, due()).prop_map(|(from, reason, due)| RequestEvent::Stopped { from, reason, due }),
        1 => on().prop_map(|on| RequestEvent::Reminded { on }),
        2 => on().prop_map(|to| RequestEvent::Resumed { to }),
        1 => (on(), due()).prop_map(|(told, due)| {
            RequestEvent::Extended { told, reason: ExtensionReason::Complexity, due }
        }),
        4 => (0_u8..2).prop_map(|n| RequestEvent::Approved(PlanApproval::new(approval(n)))),
        1 => Just(RequestEvent::NotApproved),
        4 => case().prop_map(|case| RequestEvent::Opened { case }),
        4 => (case(), end).prop_map(|(case, end)| RequestEvent::Closed { case, end }),
        2 => (on(), answer).prop_map(|(on, answer)| RequestEvent::Decided { on, answer }),
        1 => on().prop_map(|on| {
            let language = crate::plan::letter::Language::Swedish;
            RequestEvent::Sent(SentLetter { kind: LetterKind::Receipt, language, on, digest: None })
        }),
        1 => on().prop_map(|on| RequestEvent::Ended { on }),
    ]
}

fn start() -> impl Strategy<Value = NewRequest> {
    let kinds = vec![RequestKind::Erasure, RequestKind::Erasure, RequestKind::Access, RequestKind::Complaint];
    let regimes = Regime::ALL.to_vec();
    (prop::sample::select(kinds), prop::sample::select(regimes))
        .prop_map(|(kind, regime)| new_request(kind, regime))
}

/// The same rules, but expressed over the whole history instead of event by event. The rules of the clock have their
/// own tests.
struct History<'h> {
    new: &'h NewRequest,
    events: &'h [RequestEvent],
}

impl History<'_> {
    fn last(&self, is: impl Fn(&RequestEvent) -> bool) -> Option<usize> {
        self.events.iter().rposition(is)
    }

    fn any(&self, is: impl Fn(&RequestEvent) -> bool) -> bool {
        self.last(is).is_some()
    }

    fn open_case(&self) -> Option<&CaseId> {
        let opened = self.last(|event| matches!(event, RequestEvent::Opened { .. }))?;
        let closed = self.last(|event| matches!(event, RequestEvent::Closed { .. }));
        let RequestEvent::Opened { case } = &self.events[opened] else { return None };
        closed.is_none_or(|closed| closed < opened).then_some(case)
    }

    fn is_approved(&self) -> bool {
        let approved = self.last(|event| matches!(event, RequestEvent::Approved(_)));
        let over = self.last(|event| {
            matches!(
                event,
                RequestEvent::NotApproved | RequestEvent::Closed { .. } | RequestEvent::Decided { .. }
            )
        });
        approved.is_some_and(|approved| over.is_none_or(|over| over < approved))
    }

    fn may_run(&self) -> bool {
        let is_confirmed = |event: &RequestEvent| matches!(event, RequestEvent::IdentityConfirmed { .. });
        let is_erased =
            |event: &RequestEvent| matches!(event, RequestEvent::Closed { end: CaseEnd::Erased, .. });
        self.new.kind == RequestKind::Erasure
            && self.any(is_confirmed)
            && !self.any(is_erased)
            && self.open_case().is_none()
    }

    /// Whether an event may happen. `None` if the clock decides.
    fn allows(&self, event: &RequestEvent) -> Option<bool> {
        if self.any(|event| matches!(event, RequestEvent::Ended { .. })) {
            return Some(false);
        }
        let asked = |event: &RequestEvent| matches!(event, RequestEvent::IdentityAsked { .. });
        let confirmed = |event: &RequestEvent| matches!(event, RequestEvent::IdentityConfirmed { .. });
        let decided = |event: &RequestEvent| matches!(event, RequestEvent::Decided { .. });
        let in_time = |on: &NaiveDate| *on >= received();
        Some(match event {
            RequestEvent::IdentityAsked { on } => in_time(on) && !self.any(asked) && !self.any(confirmed),
            RequestEvent::IdentityConfirmed { on, .. } => in_time(on) && !self.any(confirmed),
            RequestEvent::Stopped { .. } | RequestEvent::Extended { .. }
                if self.new.kind == RequestKind::Complaint =>
            {
                false
            }
            RequestEvent::Stopped { .. }
                if matches!(self.new.regime, Some(Regime::Switzerland | Regime::California)) =>
            {
                false
            }
            RequestEvent::Stopped { .. }
            | RequestEvent::Reminded { .. }
            | RequestEvent::Resumed { .. }
            | RequestEvent::Extended { .. } => return None,
            RequestEvent::Approved(_) => self.may_run(),
            RequestEvent::NotApproved => self.is_approved() && self.open_case().is_none(),
            RequestEvent::Opened { .. } => self.may_run() && self.is_approved(),
            RequestEvent::Closed { case, .. } => self.open_case() == Some(case),
            RequestEvent::Decided { on, .. } => in_time(on) && self.open_case().is_none(),
            RequestEvent::Sent(letter) => in_time(&letter.on),
            RequestEvent::Ended { on } => in_time(on) && self.open_case().is_none() && self.any(decided),
        })
    }
}

type Apply = fn(&mut Request, &RequestEvent) -> bool;

fn apply(request: &mut Request, event: &RequestEvent) -> bool {
    request.apply(event).is_ok()
}

/// Applies the accepted events. An error if the request accepts or refuses another event than the rules.
fn run(
    new: &NewRequest,
    events: &[RequestEvent],
    apply: Apply,
) -> Result<(Request, Vec<RequestEvent>), String> {
    let mut request = Request::of(new);
    let mut accepted = Vec::new();
    for event in events {
        let may = History { new, events: &accepted }.allows(event);
        let unchanged = request.clone();
        let applied = apply(&mut request, event);
        if may.is_some_and(|may| may != applied) {
            return Err(format!("{event:?} was accepted: {applied}, and may happen: {may:?}"));
        }
        if applied {
            accepted.push(event.clone());
        } else if request != unchanged {
            return Err(format!("{event:?} was refused, and changed the request"));
        }
    }
    Ok((request, accepted))
}

fn events() -> impl Strategy<Value = Vec<RequestEvent>> {
    prop::collection::vec(event(), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_what_may_happen_is_accepted(new in start(), events in events()) {
        let ran = run(&new, &events, apply);
        prop_assert!(ran.is_ok(), "{}", ran.unwrap_err());
    }

    #[test]
    fn the_same_events_give_the_same_request(new in start(), events in events()) {
        let (request, accepted) = run(&new, &events, apply).unwrap();
        let text = serde_json::to_string(&accepted).unwrap();
        let mut again = Request::of(&new);
        for event in serde_json::from_str::<Vec<RequestEvent>>(&text).unwrap() {
            prop_assert_eq!(again.apply(&event), Ok(()));
        }
        prop_assert_eq!(again, request);
    }

    #[test]
    fn every_request_can_come_to_its_end_and_then_knows_nobody(new in start(), events in events()) {
        let (mut request, _) = run(&new, &events, apply).unwrap();
        if request.ended.is_none() {
            if let Some(case) = request.running.clone() {
                request.apply(&RequestEvent::Closed { case, end: CaseEnd::WithoutEffect }).unwrap();
            }
            request.apply(&RequestEvent::Decided { on: day(50), answer: Answer::Withdrawn }).unwrap();
            request.apply(&RequestEvent::Ended { on: day(50) }).unwrap();
        }
        prop_assert_eq!(request.new.who.as_ref(), None);
        prop_assert_eq!((request.stage(), request.due(&Holidays::default())), (Stage::Ended, None));
    }

    /// A note leads to events that are accepted, or to an error. The events are also accepted later, under any other
    /// holidays.
    #[test]
    fn what_was_noted_under_some_holidays_is_read_under_any(on in 0_u64..28, holidays in prop::collection::vec(0_u64..60, 0..8)) {
        let new = new_request(RequestKind::Erasure, Regime::Eu);
        let holidays = Holidays::new(holidays.into_iter().map(day));
        let mut request = Request::of(&new);
        let mut accepted = Vec::new();
        let reference = "seen".parse().unwrap();
        for note in [
            Note::AskIdentity,
            Note::Remind,
            Note::ConfirmIdentity { reference },
            Note::AskMeaning,
            Note::Answered,
            Note::Extend { reason: ExtensionReason::NumberOfRequests },
        ] {
            for event in request.events_of(&note, day(on), &holidays).unwrap() {
                request.apply(&event).unwrap();
                accepted.push(event);
            }
        }
        let mut again = Request::of(&new);
        for event in accepted {
            prop_assert_eq!(again.apply(&event), Ok(()));
        }
        prop_assert_eq!(again, request);
    }
}

/// Saboteurs: the first law has to find three broken requests. One accepts everything, one ends with an open case,
/// and one runs before the person is identified.
#[test]
fn a_careless_request_is_found() {
    let careless: [(&str, Apply); 4] = [
        ("stops a clock that nothing stops", |request, event| {
            let mut free = request.clone();
            if let (RequestEvent::Stopped { .. }, RequestKind::Complaint) = (event, request.new.kind) {
                free.new.kind = RequestKind::Access;
                return free.apply(event).is_ok();
            }
            request.apply(event).is_ok()
        }),
        ("takes everything", |request, event| {
            let _ = request.apply(event);
            true
        }),
        ("ends with an open case", |request, event| {
            if let (RequestEvent::Ended { .. }, Some(case)) = (event, request.running.clone()) {
                let _ = request.apply(&RequestEvent::Closed { case, end: CaseEnd::WithoutEffect });
            }
            request.apply(event).is_ok()
        }),
        ("asks nobody who they are", |request, event| {
            if let RequestEvent::Approved(_) = event {
                request.identity = Identity::Confirmed;
            }
            request.apply(event).is_ok()
        }),
    ];
    for (what, careless) in careless {
        let mut runner = TestRunner::deterministic();
        let generator = (start(), events());
        let found = (0..500).any(|_| {
            let (new, events) = generator.new_tree(&mut runner).unwrap().current();
            run(&new, &events, careless).is_err()
        });
        assert!(found, "nothing found one that {what}");
    }
}

#[test]
fn the_clock_stands_still_while_nobody_knows_who_asks() {
    let holidays = Holidays::default();
    let mut request = Request::of(&new_request(RequestKind::Erasure, Regime::Eu));
    let mut note = |note: Note, on: u64| {
        let mut changed = request.clone();
        for event in changed.events_of(&note, day(on), &holidays)? {
            changed.apply(&event)?;
        }
        request = changed;
        Ok::<_, OutOfTurn>(request.due(&holidays))
    };
    assert_eq!(note(Note::AskIdentity, 2), Ok(None));
    assert_eq!(note(Note::AskIdentity, 3), Err(OutOfTurn::IdentityAsked));
    assert_eq!(note(Note::AskMeaning, 3), Err(OutOfTurn::Clock(ClockError::Suspended)));
    let approve = Note::Approve(PlanApproval::new(approval(1)));
    assert_eq!(note(approve.clone(), 3), Err(OutOfTurn::NotIdentified));
    // Ten days after 2 December is a Saturday, so the period ends on the Monday after it.
    let reference = "passport-seen".parse().unwrap();
    assert_eq!(note(Note::ConfirmIdentity { reference }, 12), Ok(Some("2026-12-14".parse().unwrap())));
    assert!(note(approve, 12).is_ok());
    assert_eq!(note(Note::End, 13), Err(OutOfTurn::NotDecided));
    let late = note(Note::Extend { reason: ExtensionReason::Complexity }, 60);
    assert!(matches!(late, Err(OutOfTurn::Clock(ClockError::TooLate { .. }))), "{late:?}");
}

/// What the law demands next, and by when. A complaint has no day for its answer, and no clock to stop.
#[test]
fn the_receipt_is_confirmed_and_the_person_is_reminded_in_time() {
    let holidays = Holidays::new([day(9)]);
    let of = |kind, regime| Request::of(&new_request(kind, regime));
    let noted = |mut request: Request, note: Note, on: u64| {
        for event in request.events_of(&note, day(on), &holidays)? {
            request.apply(&event)?;
        }
        Ok::<_, OutOfTurn>(request)
    };
    let receipt = Note::Send {
        kind: LetterKind::Receipt,
        language: crate::plan::letter::Language::English,
        digest: None,
    };
    // In the UK: 30 days, which no holiday moves.
    let complaint = of(RequestKind::Complaint, Regime::Uk);
    assert_eq!((complaint.due(&holidays), complaint.must_by(&holidays)), (None, Some(day(30))));
    let stopped = noted(complaint.clone(), Note::AskMeaning, 2).map(drop);
    assert_eq!(stopped, Err(OutOfTurn::NoPeriod { kind: RequestKind::Complaint }));
    let longer = noted(complaint.clone(), Note::Extend { reason: ExtensionReason::Complexity }, 2).map(drop);
    assert_eq!(longer, Err(OutOfTurn::NoPeriod { kind: RequestKind::Complaint }));
    let asked = noted(complaint.clone(), Note::AskIdentity, 2).unwrap();
    assert_eq!(
        (asked.identity, asked.must_by(&holidays)),
        (Identity::Asked, Some(day(30))),
        "nothing stops it"
    );
    assert_eq!(noted(complaint, receipt.clone(), 3).unwrap().act_by(&holidays), None, "acknowledged");
    assert_eq!(of(RequestKind::Complaint, Regime::Eu).act_by(&holidays), None, "a law of the UK");
    // In California: ten business days, of which one is a holiday.
    let deletion = of(RequestKind::Erasure, Regime::California);
    assert_eq!((deletion.confirm_by(&holidays), deletion.due(&holidays)), (Some(day(15)), Some(day(45))));
    assert_eq!(noted(deletion, receipt, 3).unwrap().act_by(&holidays), Some(day(45)));
    // In the EU: a reminder after two weeks, and again after two weeks. It is no day that the law demands.
    let open = noted(of(RequestKind::Erasure, Regime::Eu), Note::AskIdentity, 2).unwrap();
    assert_eq!((open.must_by(&holidays), open.act_by(&holidays)), (None, Some(day(16))));
    let reminded = noted(open, Note::Remind, 17).unwrap();
    assert_eq!(reminded.act_by(&holidays), Some(day(31)));
    let reference = "seen".parse().unwrap();
    let known = noted(reminded, Note::ConfirmIdentity { reference }, 20).unwrap();
    assert_eq!((known.remind_on(), known.act_by(&holidays)), (None, known.due(&holidays)));
}
