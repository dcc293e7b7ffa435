//! How the decision is made: triggers, what was done before, guards and duties.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use super::decision::{
    Again, Asked, Blocked, BlockedBy, Decision, Due, GuardFinding, Missing, NotYet, Nothing, Rest,
    TreatedBefore,
};
use super::explain::{Listener, Reason, Silent};
use super::{CaseId, Deferred};
use crate::customer::{Customer, GatewayProfile, Moment};
use crate::digest::Digest;
use crate::policy::{Effective, Guard, GuardRule, Policy, Trigger, TriggerRule};
use crate::treatment::{GatewayAction, KeptBefore, Treatment, TreatmentName};

/// Decides what to do with a customer. Pure and total: the result depends only on the facts, the policy and the
/// instant.
pub fn decide(
    policy: &Policy,
    customer: &Customer,
    asked: &Asked,
    before: &[TreatedBefore],
    at: DateTime<Utc>,
) -> Decision {
    decide_and_explain(policy, customer, asked, before, at, &mut Silent)
}

/// Decides, and reports a reason at each step.
pub(super) fn decide_and_explain(
    policy: &Policy,
    customer: &Customer,
    asked: &Asked,
    before: &[TreatedBefore],
    at: DateTime<Utc>,
    why: &mut impl Listener,
) -> Decision {
    let policy = policy.effective(&customer.tenant);
    let today = policy.time_zone().day(at);
    why.receive(|| Reason::InForce {
        tenant: policy.tenant().cloned(),
        today,
        time_zone: policy.time_zone().to_string(),
    });
    if customer.stand_in {
        return Decision::Nothing(Nothing::StandIn);
    }
    let is_readable = customer.is_readable_on(today);
    if !is_readable {
        why.receive(|| Reason::Unreadable {
            facts: customer.unreadable_on(today).map(Cow::into_owned).collect(),
        });
    }
    let chosen = match triggered(policy, customer, asked, (today, is_readable), why) {
        Ok((trigger, treatment, since)) => {
            let is_request = trigger == Trigger::Requested;
            Chosen { trigger, treatment, since, is_request }
        }
        Err(decision) => {
            // The choice of the trigger may depend on facts that cannot be read.
            let rests_on_facts = policy.sweeps() && matches!(asked, Asked::List | Asked::Sweep);
            let decision = if rests_on_facts && !is_readable {
                let by = unreadable(customer, today).collect();
                Decision::Blocked(Blocked { trigger: None, since: None, by, deferred: Arc::default() })
            } else {
                decision
            };
            return if before.is_empty() {
                decision
            } else {
                with_rest(policy, customer, asked, before, decision, today, why)
            };
        }
    };
    why.receive(|| Reason::Due {
        trigger: chosen.trigger,
        treatment: chosen.treatment.clone(),
        since: chosen.since,
    });
    let decision = decide_treatment(policy, customer, &chosen, before, today, why);
    if before.is_empty() {
        return decision;
    }
    with_rest(policy, customer, asked, before, decision, today, why)
}

/// What was chosen for a customer who is due.
struct Chosen<'p> {
    trigger: Trigger,
    treatment: &'p TreatmentName,
    since: Option<NaiveDate>,
    /// Whether a person asked, now or in the earlier case.
    is_request: bool,
}

/// The decision for a chosen treatment. The customer may have been treated before.
fn decide_treatment(
    policy: &Effective,
    customer: &Customer,
    chosen: &Chosen<'_>,
    before: &[TreatedBefore],
    today: NaiveDate,
    why: &mut impl Listener,
) -> Decision {
    let treatment = chosen.treatment;
    let kept = kept_before(policy, customer, treatment, before, today);
    let Some((treated, digest)) = policy.releasing(treatment, &kept.over, today) else {
        return Decision::Nothing(Nothing::NoSuchTreatment { treatment: treatment.clone() });
    };
    if before.is_empty() {
        return guarded(policy, customer, chosen, &treated, (None, kept), today, why);
    }
    match treated_before(&treated, digest, customer, before) {
        Ok(again) => guarded(policy, customer, chosen, &treated, (again, kept), today, why),
        Err((case, at, treatment)) => {
            let deferred = deferred(policy, &treated, today, why);
            Decision::Nothing(Nothing::TreatedBefore {
                case,
                at,
                treatment,
                deferred,
                added: BTreeMap::new(),
            })
        }
    }
}

fn deferred(
    policy: &Effective,
    treatment: &Treatment,
    today: NaiveDate,
    why: &mut impl Listener,
) -> Arc<[Deferred]> {
    let deferred = policy.deferred_at_most(treatment, today);
    for deferred in deferred.iter() {
        why.receive(|| Reason::Deferred(deferred.clone()));
    }
    deferred
}

/// Whether anything forbids the chosen erasure.
fn guarded(
    policy: &Effective,
    customer: &Customer,
    chosen: &Chosen<'_>,
    treated: &Treatment,
    (again, kept): (Option<Again>, KeptBefore),
    today: NaiveDate,
    why: &mut impl Listener,
) -> Decision {
    let Chosen { trigger, treatment, since, is_request } = *chosen;
    let deferred = deferred(policy, treated, today, why);
    if let Some(again) = &again {
        why.receive(|| Reason::Again(again.clone()));
    }
    let mut by = obstacles(policy, customer, trigger, treated, today);
    let finding = |guard: &Guard, rule: &GuardRule| {
        let applies = guard.applies_to(customer);
        let finding = match (rule, applies) {
            (GuardRule::Ignore { .. }, _) => Some(GuardFinding::Ignored),
            (_, false) => Some(GuardFinding::Clear),
            (GuardRule::BlockSweep, true) if is_request => Some(GuardFinding::Passed),
            (GuardRule::Block | GuardRule::BlockBecause { .. } | GuardRule::BlockSweep, true) => None,
        };
        (applies, finding)
    };
    for (guard, rule) in policy.guards() {
        let (applies, finding) = finding(guard, rule);
        why.receive(|| Reason::Guard { guard: guard.clone(), applies, finding });
        if finding.is_none() {
            by.push(BlockedBy::guard(guard, rule));
        }
    }
    if !by.is_empty() {
        return Decision::Blocked(Blocked { trigger: Some(trigger), since, by, deferred });
    }
    let mut guards = BTreeMap::new();
    for (guard, rule) in policy.guards() {
        if let (_, Some(finding)) = finding(guard, rule) {
            guards.insert(guard.clone(), finding);
        }
    }
    Decision::Due(Due {
        trigger,
        treatment: treatment.clone(),
        since,
        guards,
        again,
        kept: Arc::new(kept),
        deferred,
    })
}

/// The sweep's decision for a customer for whom no trigger applies. Duties may have deferred something in an earlier
/// case, and may have ended since. What they deferred belongs to the earlier choice: no trigger has to apply again.
/// If a person had asked, it is done even if the switch is off.
fn with_rest(
    policy: &Effective,
    customer: &Customer,
    asked: &Asked,
    before: &[TreatedBefore],
    decision: Decision,
    today: NaiveDate,
    why: &mut impl Listener,
) -> Decision {
    let mut decided = decision;
    if *asked != Asked::Sweep {
        return decided;
    }
    let order = |done: &TreatedBefore| (done.at, done.case.clone());
    let mut open: Vec<(&TreatedBefore, &Rest)> =
        before.iter().filter_map(|done| Some((done, done.rest.as_ref()?))).collect();
    open.sort_by_cached_key(|(done, _)| order(done));
    for (done, rest) in open {
        if let Decision::Due(_) = decided {
            break;
        }
        let is_request = done.trigger == Trigger::Requested;
        // A later case under the same treatment has taken the rest over.
        let is_latest = before.iter().all(|other| other.name != done.name || order(other) <= order(done));
        if !is_latest || !(is_request || policy.sweeps()) {
            continue;
        }
        // A customer with unreadable facts is blocked, whether or not the customer has returned.
        if customer.is_readable_on(today) && came_back(policy, customer, done, rest) {
            why.receive(|| Reason::CameBack { case: done.case.clone() });
            continue;
        }
        let found = match rest.from.filter(|from| *from > today) {
            Some(until) => Decision::NotYet(NotYet { trigger: done.trigger, until }),
            None if !rest.anything_left => continue,
            None => {
                let kept = kept_before(policy, customer, &done.name, before, today);
                let Some((treated, _)) = policy.releasing(&done.name, &kept.over, today) else {
                    let treatment = done.name.clone();
                    decided = sooner(decided, Decision::Nothing(Nothing::NoSuchTreatment { treatment }));
                    continue;
                };
                let (case, at) = (done.case.clone(), done.at);
                let because = if kept.over.is_empty() { Missing::Deferred } else { Missing::Kept };
                let again = Some(Again { case, at, because });
                let chosen =
                    Chosen { trigger: done.trigger, treatment: &done.name, since: rest.from, is_request };
                guarded(policy, customer, &chosen, &treated, (again, kept), today, why)
            }
        };
        decided = sooner(decided, found);
    }
    decided
}

/// The more urgent of two decisions: the one that erases, or is closer to erasing. If both are equal, the first.
fn sooner(first: Decision, second: Decision) -> Decision {
    let rank = |decision: &Decision| match decision {
        Decision::Due(_) => (0, None),
        Decision::Blocked(_) => (1, None),
        Decision::NotYet(not_yet) => (2, Some(not_yet.until)),
        // A treatment that does not exist must be reported.
        Decision::Nothing(Nothing::NoSuchTreatment { .. }) => (3, None),
        Decision::Nothing(_) => (4, None),
    };
    if rank(&second) < rank(&first) { second } else { first }
}

/// The fields that earlier cases under a treatment kept for a time. If the customer has returned since, the time starts
/// again.
fn kept_before(
    policy: &Effective,
    customer: &Customer,
    treatment: &TreatmentName,
    before: &[TreatedBefore],
    today: NaiveDate,
) -> KeptBefore {
    let rests = before.iter().filter(|done| done.name == *treatment);
    let rests = rests.filter_map(|done| Some((done, done.rest.as_ref()?)));
    let is_readable = customer.is_readable_on(today);
    let stays = rests.filter(|(done, rest)| !(is_readable && came_back(policy, customer, done, rest)));
    KeptBefore::on(today, stays.map(|(_, rest)| &rest.kept))
}

/// Whether a customer has returned since a case, so that all periods start again. That is so if the customer is not
/// archived any more, or if one of the dates of the trigger `inactive` is later than the case.
fn came_back(policy: &Effective, customer: &Customer, done: &TreatedBefore, rest: &Rest) -> bool {
    let closed = policy.time_zone().day(done.at);
    let signs = policy.triggers().get(&Trigger::Inactive).map_or(&[][..], TriggerRule::since);
    let mut dates = signs.iter().filter_map(|sign| customer.dates.get(sign));
    rest.archived && !customer.status.is_archived()
        || dates.any(|moment| policy.time_zone().day_of(*moment) > closed)
}

/// The facts that cannot be read.
fn unreadable(customer: &Customer, today: NaiveDate) -> impl Iterator<Item = BlockedBy> {
    customer.unreadable_on(today).map(|fact| {
        let more = if fact == "registered" || fact.starts_with("date ") {
            ", or say in the data map how its dates are stored (stored, zone), or which values mean that there is none (none)"
        } else if fact == "status" || fact.starts_with("state ") {
            ", or say in the data map which values it may have"
        } else if fact == "holds" {
            ": the kind of a hold is legal_claim, restriction or authority_order"
        } else {
            ""
        };
        BlockedBy::fact(
            format!("the store has {fact} in a form that cannot be read"),
            format!("mend {fact} of this customer in the host's database{more}"),
        )
    })
}

/// What blocks besides the guards: facts that cannot be read, holds that an operator placed through the engine, a
/// gateway that the map does not name, a hand-over that nobody confirmed.
fn obstacles(
    policy: &Effective,
    customer: &Customer,
    trigger: Trigger,
    treatment: &Treatment,
    today: NaiveDate,
) -> Vec<BlockedBy> {
    let mut by: Vec<BlockedBy> = Vec::new();
    if !customer.is_readable_on(today) {
        by.extend(unreadable(customer, today));
    }
    let holds = customer.held.iter().filter(|held| treatment.touches(&held.classes));
    by.extend(holds.map(|held| BlockedBy::held(policy, held)));
    let unknown = |profile: &&GatewayProfile| !treatment.gateways().contains_key(&profile.gateway);
    by.extend(customer.gateway_profiles.iter().filter(unknown).map(|profile| {
        BlockedBy::fact(
            format!("the customer has a profile at {}, which the data map does not name", profile.gateway),
            "name the gateway in the data map and in the policy",
        )
    }));
    let hand_over = policy.triggers().get(&trigger).and_then(TriggerRule::hand_over);
    if let Some(date) = hand_over {
        // A date that cannot be read is reported above.
        let confirmed = customer.date_on(date, today);
        let is_confirmed =
            |moment: Option<Moment>| moment.is_some_and(|moment| policy.time_zone().day_of(moment) <= today);
        if confirmed.is_ok_and(|moment| !is_confirmed(moment)) {
            by.push(BlockedBy::fact(
                format!("nobody has confirmed that tenant {} has its data", customer.tenant),
                format!("hand the data over, and set the date {date} when a person confirms it"),
            ));
        }
    }
    by
}

/// What to do for a customer who may have been treated before: everything (`None`), or what is missing. If there is
/// nothing to do, the error is the earlier case.
fn treated_before(
    treatment: &Treatment,
    digest: Digest,
    customer: &Customer,
    before: &[TreatedBefore],
) -> Result<Option<Again>, (CaseId, DateTime<Utc>, TreatmentName)> {
    // The latest case counts, but a case under this same treatment comes first.
    let Some(last) = before.iter().max_by_key(|done| (done.treatment == digest, done.at)) else {
        return Ok(None);
    };
    let is_same = last.treatment == digest;
    // Counted once, under today's treatment: the count is the same for all cases.
    let anything_left = before.iter().all(|done| done.anything_left);
    // The store was counted. But today's treatment may erase at a gateway that the earlier treatment did not name.
    let erases = |profile: &GatewayProfile| {
        matches!(treatment.gateways().get(&profile.gateway), Some(GatewayAction::Erase))
    };
    let at_gateways = !is_same && customer.gateway_profiles.iter().any(erases);
    if !anything_left && !at_gateways {
        return Err((last.case.clone(), last.at, last.name.clone()));
    }
    let because = if is_same { Missing::Changed } else { Missing::Grown };
    Ok(Some(Again { case: last.case.clone(), at: last.at, because }))
}

type Found<'p> = (Trigger, &'p TreatmentName, Option<NaiveDate>);

/// The trigger that makes the customer due today, or the decision if there is none.
fn triggered<'p>(
    policy: &'p Effective,
    customer: &Customer,
    asked: &'p Asked,
    (today, is_readable): (NaiveDate, bool),
    why: &mut impl Listener,
) -> Result<Found<'p>, Decision> {
    if let Asked::Request { treatment } = asked {
        let rule = policy.triggers().get(&Trigger::Requested).map(TriggerRule::treatment);
        return match treatment.as_ref().or(rule) {
            Some(treatment) => Ok((Trigger::Requested, treatment, None)),
            None => Err(Decision::Nothing(Nothing::NoTrigger)),
        };
    }
    if let Asked::Replay { trigger, treatment } = asked {
        return Ok((*trigger, treatment, None));
    }
    if !policy.sweeps() {
        return Err(Decision::Nothing(Nothing::SweepOff));
    }
    let mut earliest: Option<(NaiveDate, Trigger, &TreatmentName)> = None;
    let mut nothing = Nothing::NoTrigger;
    for (trigger, rule) in policy.triggers() {
        let trigger = *trigger;
        let applies = match asked {
            Asked::List => trigger == Trigger::Listed,
            Asked::Request { .. } | Asked::Replay { .. } | Asked::Sweep => trigger.applies(customer),
        };
        if !applies {
            if customer.is_status_known() {
                why.receive(|| Reason::DoesNotApply { trigger, status: customer.status });
            }
            continue;
        }
        // The trigger `listed` without a period: due at once.
        let Some(after) = rule.after() else { return Ok((trigger, rule.treatment(), None)) };
        let mut dates = rule.since().iter();
        // The first date that the customer has. An unreadable date may be that date, so no later date is used.
        let date = |name: &String| {
            if is_readable {
                customer.dates.get(name).copied().map(Ok)
            } else {
                customer.date_on(name, today).transpose()
            }
        };
        let found = dates.find_map(|name| Some((name, date(name)?)));
        let Some((name, moment)) = found else {
            why.receive(|| Reason::NoDate { trigger, since: rule.since().to_vec() });
            nothing = Nothing::NoDate { trigger, since: Arc::clone(&rule.since) };
            continue;
        };
        let Ok(moment) = moment else { continue };
        let start = policy.time_zone().day_of(moment);
        let Some(end) = after.end(start) else {
            nothing = Nothing::Never { trigger };
            continue;
        };
        why.receive(|| Reason::Counted {
            trigger,
            since: name.clone(),
            start,
            after: after.to_string(),
            due: end,
        });
        if earliest.is_none_or(|(day, ..)| end < day) {
            earliest = Some((end, trigger, rule.treatment()));
        }
    }
    match earliest {
        Some((day, trigger, treatment)) if day <= today => Ok((trigger, treatment, Some(day))),
        Some((until, trigger, _)) => Err(Decision::NotYet(NotYet { trigger, until })),
        None => Err(Decision::Nothing(nothing)),
    }
}
