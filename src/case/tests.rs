//! Property tests over random sequences of events. Only allowed events are accepted, every case ends, and no
//! irreversible step is repeated.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::customer::{FormerStatus, Status};
use crate::digest::Digest;
use crate::plan::{ExpiredOf, ExpiryPart, ExpiryPlace, RecordsOf};
use crate::treatment::{Counts, MentionCounts};

fn profile(n: u8) -> Digest {
    Digest::of_bytes(&[n])
}

fn counts(rows: u64) -> Counts {
    Counts { classes: BTreeMap::from([("order".into(), rows)]), ..Counts::default() }
}

fn answer(n: u8) -> Proof {
    Proof::Answer { profile: profile(n), answer: GatewayOutcome::Erased.into() }
}

fn texts(changed: u64) -> Proof {
    Proof::Mentions(MentionCounts { changed, ..MentionCounts::default() })
}

fn told() -> Proof {
    Proof::Told(RecipientOutcome::Confirmed.into())
}

fn expired(found: u64) -> Proof {
    let place = ExpiryPlace::Customers { stand_ins: false, after: None };
    let of = ExpiredOf { customers: found, ..ExpiredOf::default() };
    Proof::Expired(Box::new(ExpiryPart { place, found, of: vec![(RecordsOf::Nobody, of)] }))
}

/// The steps of a case: an erasure in the order of its plan, an expiry, or a single profile.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![
        4 => erasure(),
        1 => Just(vec![Step::Expire]),
        1 => Just(vec![Step::Copies]),
        1 => Just(vec![Step::Gateway("cards".into())]),
    ]
}

fn erasure() -> impl Strategy<Value = Vec<Step>> {
    (any::<[bool; 2]>(), 0_usize..3, 0_usize..3).prop_map(
        |([deactivates, searches], gateways, recipients)| {
            let gateways =
                ["cards", "debits"].into_iter().take(gateways).map(|name| Step::Gateway(name.into()));
            let told =
                ["mail", "search"].into_iter().take(recipients).map(|name| Step::Recipient(name.into()));
            let first = deactivates.then_some(Step::Deactivate).into_iter();
            let texts = searches.then_some(Step::Mentions);
            first.chain(gateways).chain(told).chain(texts).chain([Step::Records, Step::Verify]).collect()
        },
    )
}

/// Any step, even if the case does not have it.
fn step() -> impl Strategy<Value = Step> {
    prop::sample::select(vec![
        Step::Deactivate,
        Step::Gateway("cards".into()),
        Step::Gateway("debits".into()),
        Step::Recipient("mail".into()),
        Step::Recipient("mail".into()),
        Step::Recipient("search".into()),
        Step::Mentions,
        Step::Records,
        Step::Records,
        Step::Verify,
        Step::Expire,
        Step::Expire,
    ])
}

fn proof() -> impl Strategy<Value = Proof> {
    prop_oneof![
        Just(Proof::Deactivated(DeactivationOutcome::Done)),
        (0_u8..3).prop_map(answer),
        (0_u64..3).prop_map(|rows| Proof::Records(counts(rows))),
        Just(Proof::Lost),
        Just(told()),
        (0_u64..3).prop_map(texts),
        (0_u64..3).prop_map(expired),
    ]
}

fn before() -> impl Strategy<Value = Option<Before>> {
    let former = FormerStatus::new("active");
    let records = Before::Records {
        uncertain: BTreeMap::new(),
        keeping: BTreeMap::new(),
        suppress: Vec::new(),
        profiles: BTreeSet::new(),
    };
    prop_oneof![
        4 => Just(None),
        1 => Just(Some(Before::Status { status: Status::Active, former })),
        1 => Just(Some(records)),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (step(), before()).prop_map(|(step, before)| Event::Begun { step, before }),
        4 => (step(), proof()).prop_map(|(step, proof)| Event::Part { step, proof }),
        2 => (step(), 0_u8..3).prop_map(|(step, item)| {
            Event::Accepted { step, item: profile(item), receipt: "later".into() }
        }),
        4 => (step(), proof()).prop_map(|(step, proof)| Event::Done { step, proof }),
        2 => step().prop_map(|step| Event::Refused { step }),
        2 => (step(), any::<bool>()).prop_map(|(step, waivable)| {
            Event::Blocked(Obstacle { step, reason: Hindrance::Changed, waivable })
        }),
        2 => (step(), 0_u32..3).prop_map(|(step, tries)| {
            let at = chrono::DateTime::UNIX_EPOCH;
            Event::PutOff(PutOff { step, since: at, tries, until: at })
        }),
        3 => Just(Event::Retried),
        2 => step().prop_map(|step| Event::Waived(Waiver {
            step,
            operator: "op-1".into(),
            reason: "why".parse().unwrap(),
            at: chrono::DateTime::UNIX_EPOCH,
        })),
        2 => step().prop_map(|step| Event::ByHand(ByHand {
            step,
            operator: "op-1".into(),
            evidence: "ticket-1".parse().unwrap(),
            at: chrono::DateTime::UNIX_EPOCH,
        })),
    ]
}

/// An independent model of the rules. It looks at the whole history instead of one event.
struct History<'h> {
    steps: &'h [Step],
    events: &'h [Event],
}

impl History<'_> {
    fn blocks(&self) -> Option<&Obstacle> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Blocked(obstacle) => Some(Some(obstacle)),
            Event::Retried | Event::Waived(_) | Event::ByHand(_) => Some(None),
            _ => None,
        })?
    }

    fn place(&self, step: &Step) -> Option<usize> {
        self.steps.iter().position(|known| known == step)
    }

    /// Whether a step is done, and was not reopened after a failed verification.
    fn is_done(&self, step: &Step) -> bool {
        let is_end = |event: &Event| matches!(event, Event::Done { step: done, .. } if done == step);
        let Some(done) = self.events.iter().rposition(is_end) else { return false };
        let since = self.events.get(done..).unwrap_or_default();
        let unverified = since.windows(2).any(|two| {
            let [Event::Blocked(obstacle), Event::Retried] = two else { return false };
            obstacle.step == Step::Verify
        });
        !(unverified && *step == Step::Records)
    }

    fn is_decided(&self, step: &Step) -> bool {
        self.events.iter().any(|event| match event {
            Event::Waived(Waiver { step: decided, .. }) | Event::ByHand(ByHand { step: decided, .. }) => {
                decided == step
            }
            _ => false,
        })
    }

    fn is_open(&self, step: &Step) -> bool {
        let Some(place) = self.place(step) else { return false };
        let later = self.steps.iter().skip(place + 1);
        !self.is_decided(step)
            && !self.is_told(step)
            && !self.is_done(step)
            && !later.into_iter().any(|later| *later != Step::Mentions && self.is_done(later))
    }

    fn comes_in_order(&self, step: &Step) -> bool {
        let earlier = self.steps.iter().take(self.place(step).unwrap_or_default());
        earlier.into_iter().all(|earlier| match earlier {
            // After the records are erased, the values by which the recipient knows the person are gone.
            Step::Recipient(_) if *step == Step::Records => self.is_told(earlier) || self.is_decided(earlier),
            Step::Mentions if *step == Step::Records => self.is_done(earlier) || self.is_decided(earlier),
            earlier => earlier.is_irreversible() || self.is_done(earlier),
        })
    }

    fn is_told(&self, step: &Step) -> bool {
        self.has_accepted(step) || self.has_answered(step)
    }

    fn has_accepted(&self, step: &Step) -> bool {
        let is = |event: &Event| matches!(event, Event::Accepted { step: at, .. } if at == step);
        matches!(step, Step::Recipient(_)) && self.events.iter().any(is)
    }

    fn has_answered(&self, step: &Step) -> bool {
        let is =
            |event: &Event| matches!(event, Event::Part { step: at, proof: Proof::Told(_) } if at == step);
        self.events.iter().any(is)
    }

    /// Whether a step has begun and was not refused. Each part of an expiry begins separately.
    fn is_begun(&self, step: &Step) -> bool {
        let is_part = |event: &Event| {
            *step == Step::Expire && matches!(event, Event::Part { step: at, .. } if at == step)
        };
        let since = self.events.iter().rposition(is_part).map_or(0, |part| part + 1);
        let sum = self.events.iter().skip(since).map(|event| match event {
            Event::Begun { step: begun, .. } if begun == step => 1,
            Event::Refused { step: refused } if refused == step && step.is_irreversible() => -1,
            _ => 0,
        });
        sum.sum::<i32>() > 0
    }

    fn is_answered(&self, step: &Step, item: &Digest) -> bool {
        self.events.iter().any(|event| match event {
            Event::Part { step: at, proof: Proof::Answer { profile, .. } } => at == step && profile == item,
            _ => false,
        })
    }

    fn allows(&self, event: &Event) -> bool {
        if let Some(obstacle) = self.blocks() {
            return match event {
                Event::Retried => true,
                Event::Waived(waiver) => {
                    let outside =
                        matches!(waiver.step, Step::Gateway(_) | Step::Recipient(_) | Step::Mentions);
                    outside && obstacle.waivable && obstacle.step == waiver.step
                }
                Event::ByHand(done) => {
                    let outside = matches!(done.step, Step::Gateway(_) | Step::Recipient(_));
                    outside && obstacle.waivable && obstacle.step == done.step
                }
                _ => false,
            };
        }
        let is_late = |step| self.has_accepted(step) && !self.has_answered(step) && !self.is_decided(step);
        let under_way =
            |step| is_late(step) || (self.is_open(step) && (!step.is_irreversible() || self.is_begun(step)));
        match event {
            Event::Begun { step, before } => {
                let fits = match before {
                    None => true,
                    Some(Before::Status { .. }) => *step == Step::Deactivate,
                    Some(Before::Records { .. }) => *step == Step::Records,
                };
                fits && self.is_open(step) && self.comes_in_order(step)
            }
            Event::Part { step, proof } => {
                under_way(step)
                    && match (step, proof) {
                        (Step::Gateway(_), Proof::Answer { profile, .. }) => !self.is_answered(step, profile),
                        (Step::Records, Proof::Records(_))
                        | (Step::Mentions, Proof::Mentions(_))
                        | (Step::Expire, Proof::Expired(_))
                        | (Step::Copies, Proof::Removed(_))
                        | (Step::Recipient(_), Proof::Told(_)) => true,
                        _ => false,
                    }
            }
            Event::Accepted { step, item, .. } => {
                under_way(step)
                    && matches!(step, Step::Gateway(_) | Step::Recipient(_))
                    && !self.is_answered(step, item)
            }
            Event::Done { step, proof } => {
                let fits = match proof {
                    Proof::Deactivated(_) => *step == Step::Deactivate,
                    Proof::Records(_) | Proof::Lost => *step == Step::Records,
                    Proof::Expired(_) => *step == Step::Expire,
                    Proof::Removed(_) => *step == Step::Copies,
                    Proof::Mentions(_) => *step == Step::Mentions,
                    Proof::Answer { .. } | Proof::Told(_) => false,
                };
                fits && under_way(step) && self.comes_in_order(step)
            }
            Event::Refused { step } => under_way(step),
            Event::PutOff(put_off) => self.place(&put_off.step).is_some(),
            Event::Blocked(obstacle) => self.place(&obstacle.step).is_some(),
            Event::Retried | Event::Waived(_) | Event::ByHand(_) => false,
        }
    }
}

/// Applies the events, and returns the accepted ones. An error if `Progress` and the model disagree about an event.
fn run(
    steps: &[Step],
    events: &[Event],
    apply: impl Fn(&mut Progress, &Event) -> bool,
) -> Result<(Progress, Vec<Event>), String> {
    let mut progress = Progress::of(steps);
    let mut accepted = Vec::new();
    for event in events {
        let may = History { steps, events: &accepted }.allows(event);
        let unchanged = progress.clone();
        let applied = apply(&mut progress, event);
        if applied != may {
            return Err(format!("{event:?} was accepted: {applied}, and may come to pass: {may}"));
        }
        if applied {
            accepted.push(event.clone());
        } else if progress != unchanged {
            return Err(format!("{event:?} was refused, and changed the progress"));
        }
    }
    Ok((progress, accepted))
}

fn apply(progress: &mut Progress, event: &Event) -> bool {
    progress.apply(event).is_ok()
}

/// Performs the next action of the case with success. `false` when the case is closed.
fn oblige(progress: &mut Progress, turn: &mut Turn) -> bool {
    let next = next(progress, turn);
    let mut happens = |event: Event| progress.apply(&event).unwrap();
    match next {
        Next::Rest => happens(Event::Retried),
        Next::Decide => turn.decided(),
        Next::Take(step) => match &step {
            Step::Deactivate => {
                let proof = Proof::Deactivated(DeactivationOutcome::Done);
                happens(Event::Done { step, proof });
            }
            Step::Gateway(_) => {
                let is_answered =
                    progress.step(&step).is_some_and(|step| step.answers.contains_key(&profile(0)));
                if !is_answered {
                    progress.apply(&Event::Begun { step: step.clone(), before: None }).unwrap();
                    progress.apply(&Event::Part { step: step.clone(), proof: answer(0) }).unwrap();
                }
                turn.settled(step);
            }
            Step::Recipient(_) => {
                if !progress.step(&step).is_some_and(StepProgress::is_told) {
                    progress.apply(&Event::Begun { step: step.clone(), before: None }).unwrap();
                }
                progress.apply(&Event::Part { step, proof: told() }).unwrap();
            }
            Step::Records => {
                happens(Event::Begun { step: step.clone(), before: None });
                progress.apply(&Event::Done { step, proof: Proof::Records(counts(1)) }).unwrap();
            }
            Step::Mentions => {
                happens(Event::Begun { step: step.clone(), before: None });
                progress.apply(&Event::Done { step, proof: texts(1) }).unwrap();
            }
            Step::Verify => turn.settled(step),
            Step::Copies => {
                happens(Event::Begun { step: step.clone(), before: None });
                progress.apply(&Event::Done { step, proof: Proof::Removed(1) }).unwrap();
            }
            Step::Expire => {
                happens(Event::Begun { step: step.clone(), before: None });
                progress.apply(&Event::Done { step, proof: expired(1) }).unwrap();
            }
        },
        Next::Close => return false,
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_what_may_come_to_pass_is_accepted(steps in steps(), events in prop::collection::vec(event(), 0..60)) {
        let ran = run(&steps, &events, apply);
        prop_assert!(ran.is_ok(), "{}", ran.unwrap_err());
    }

    #[test]
    fn the_same_events_give_the_same_progress(steps in steps(), events in prop::collection::vec(event(), 0..60)) {
        let (progress, accepted) = run(&steps, &events, apply).unwrap();
        let text = serde_json::to_string(&accepted).unwrap();
        let mut again = Progress::of(&steps);
        for event in serde_json::from_str::<Vec<Event>>(&text).unwrap() {
            prop_assert_eq!(again.apply(&event), Ok(()));
        }
        prop_assert_eq!(again, progress);
    }

    #[test]
    fn every_beginning_leads_to_an_end(steps in steps(), events in prop::collection::vec(event(), 0..60)) {
        let (mut progress, _) = run(&steps, &events, apply).unwrap();
        let mut turn = Turn::default();
        let mut turns = 0;
        while oblige(&mut progress, &mut turn) {
            turns += 1;
            prop_assert!(turns <= steps.len() + 2, "{progress:?}");
        }
        let is_done = |step: &Step| progress.step(step).is_none_or(StepProgress::is_done);
        prop_assert!(is_done(&Step::Records) && is_done(&Step::Expire), "closed with records that are not done");
        prop_assert_eq!(progress.unanswered().next(), None, "closed while a recipient has not answered");
    }

    #[test]
    fn what_is_done_for_good_is_never_taken_again(
        steps in steps(),
        events in prop::collection::vec(event(), 0..60),
        settled in prop::collection::vec(step(), 0..3),
    ) {
        let (progress, _) = run(&steps, &events, apply).unwrap();
        let mut turn = Turn::default();
        turn.decided();
        for step in settled {
            turn.settled(step);
        }
        if let Next::Take(taken) = next(&progress, &turn) {
            prop_assert!(!progress.step(&taken).unwrap().is_done());
            prop_assert!(!progress.is_decided(&taken));
            if progress.step(&taken).unwrap().is_told() && matches!(taken, Step::Recipient(_)) {
                // A notified recipient is asked for its answer at the end. It is not notified again.
                let begins = Event::Begun { step: taken.clone(), before: None };
                prop_assert!(progress.clone().apply(&begins).is_err());
                return Ok(());
            }
            let after = steps.iter().skip_while(|step| **step != taken).skip(1);
            let ends = |step: &Step| *step != Step::Mentions && progress.step(step).unwrap().is_done();
            prop_assert!(!after.into_iter().any(ends));
            // Reversible steps come first.
            let begins = Event::Begun { step: taken.clone(), before: None };
            prop_assert_eq!(progress.clone().apply(&begins), Ok(()));
        }
    }
}

type Apply = fn(&mut Progress, &Event) -> bool;

/// Saboteurs: the first law finds a progress that accepts everything, one that ignores a block, and one that does not
/// check whether a step has begun.
#[test]
fn a_careless_progress_is_found() {
    let careless: [(&str, Apply); 3] = [
        ("takes everything", |progress, event| {
            let _ = progress.apply(event);
            true
        }),
        ("goes on while blocked", |progress, event| {
            if !matches!(event, Event::Waived(_) | Event::ByHand(_) | Event::Retried) {
                let _ = progress.apply(&Event::Retried);
            }
            progress.apply(event).is_ok()
        }),
        ("takes what was never begun", |progress, event| {
            if let Event::Done { step, .. } = event {
                let _ = progress.apply(&Event::Begun { step: step.clone(), before: None });
            }
            progress.apply(event).is_ok()
        }),
    ];
    for (what, careless) in careless {
        let mut runner = TestRunner::deterministic();
        let generator = (steps(), prop::collection::vec(event(), 0..60));
        let found = (0..500).any(|_| {
            let (steps, events) = generator.new_tree(&mut runner).unwrap().current();
            run(&steps, &events, careless).is_err()
        });
        assert!(found, "nothing found one that {what}");
    }
}
