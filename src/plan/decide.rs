//! The decision: what the policy says of one customer at one instant.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize, Serializer};

use super::explain::{Listener, Reason, Silent};
use super::{CaseId, Deferred};
use crate::customer::{Customer, GatewayProfile, Moment};
use crate::digest::Digest;
use crate::policy::{Effective, Ground, Guard, GuardRule, Policy, Trigger, TriggerRule};
use crate::treatment::{GatewayAction, Tally, Treatment, TreatmentName};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// The person, or an operator on their behalf. Overrides waiting and the switch, and no guard that
    /// blocks.
    Request {
        /// Another treatment than that of the trigger `requested`.
        treatment: Option<TreatmentName>,
    },
    /// An operator, with a list of customers. The switch, the guards and the trigger `listed` count as for the
    /// schedule: nobody on the list asked for it.
    List,
    /// The schedule.
    Sweep,
}

impl Asked {
    /// A request, under the treatment that the policy has for one.
    pub fn request() -> Self {
        Self::Request { treatment: None }
    }
}

/// What was done to the customer before: a closed case in which they were erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreatedBefore {
    /// The case.
    pub case: CaseId,
    /// When it was closed.
    pub at: DateTime<Utc>,
    /// What had made the customer due.
    pub trigger: Trigger,
    /// The treatment that was chosen, by name.
    pub name: TreatmentName,
    /// [`Treatment::digest`](crate::treatment::Treatment::digest) of what was done.
    pub treatment: Digest,
    /// The store holds something that the treatment chosen *now* would still change.
    pub anything_left: bool,
    /// What duties deferred then, if they did.
    pub rest: Option<Rest>,
}

/// What duties deferred in a case. The schedule does it once they have ended, and nobody has to ask again: it is part of
/// what was chosen then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The first day on which any of it may be free. None: not known, so every day is looked.
    pub from: Option<NaiveDate>,
    /// The customer was archived when the case was closed. One who is not archived any more came back.
    pub archived: bool,
    /// The store holds something of it that is free now.
    pub anything_left: bool,
}

/// What the policy says of one customer at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// To be erased now.
    Due(Due),
    /// Not before a day.
    NotYet(NotYet),
    /// Due, but guards forbid it.
    Blocked(Blocked),
    /// Nothing is to be done.
    Nothing(Nothing),
}

/// Due: why, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Due {
    /// What made the customer due.
    pub trigger: Trigger,
    /// The treatment it chose.
    pub treatment: TreatmentName,
    /// The first day on which it was due. None for a request, and where no day is known.
    pub since: Option<NaiveDate>,
    /// What the guards found.
    pub guards: BTreeMap<Guard, GuardFinding>,
    /// The customer was treated before, and only what is missing is due.
    pub again: Option<Again>,
    /// What duties defer of it, class by class.
    #[serde(skip_serializing_if = "is_none")]
    pub deferred: Arc<[Deferred]>,
}

/// That a customer who was treated before is due again, for what is missing and only that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Again {
    /// The case.
    pub case: CaseId,
    /// When it was closed.
    pub at: DateTime<Utc>,
    /// Why something is missing.
    pub because: Missing,
}

/// Why something is missing from what was done before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Missing {
    /// The treatment is another one now: it reaches what it did not reach then.
    Grown,
    /// The treatment is the same; the facts or the records changed since.
    Changed,
    /// A duty had deferred it, and has ended.
    Deferred,
}

/// What a guard found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardFinding {
    /// It looked, and nothing forbids.
    Clear,
    /// The customer is in that state, and the policy lets this pass.
    Passed,
    /// The policy does not look.
    Ignored,
}

/// Not yet due: from which day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotYet {
    /// What will make the customer due.
    pub trigger: Trigger,
    /// The first day on which it is due.
    pub until: NaiveDate,
}

/// Blocked: by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// What made the customer due. None where nobody can tell: a fact that cannot be read may have made the customer due,
    /// or may forbid it.
    pub trigger: Option<Trigger>,
    /// The guards, or facts that could not be read. Never empty.
    pub by: Vec<BlockedBy>,
    /// What duties would defer even if nothing blocked.
    #[serde(skip_serializing_if = "is_none")]
    pub deferred: Arc<[Deferred]>,
}

/// One thing that forbids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlockedBy {
    /// The guard, if it is one.
    pub guard: Option<Guard>,
    /// Why.
    pub why: Cow<'static, str>,
    /// The ground in law on which a request is refused. None where nothing is refused in law: something has to be
    /// put right first, and the clock of a request runs on.
    pub ground: Option<Ground>,
    /// What would lift it.
    pub way_out: Cow<'static, str>,
}

/// Why nothing is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Nothing {
    /// The policy's switch is off, and nobody asked.
    SweepOff,
    /// No trigger of the policy applies to this customer.
    NoTrigger,
    /// The customer has no date from which the trigger could count.
    NoDate {
        /// The trigger.
        trigger: Trigger,
        /// The dates it looks for.
        #[serde(serialize_with = "texts")]
        since: Arc<[String]>,
    },
    /// The period ends beyond the calendar.
    Never {
        /// The trigger.
        trigger: Trigger,
    },
    /// The policy has no such treatment.
    NoSuchTreatment {
        /// The name that was asked for.
        treatment: TreatmentName,
    },
    /// Treated before, and nothing is missing: nothing has come since, and the treatment reaches no further.
    TreatedBefore {
        /// The case.
        case: CaseId,
        /// When.
        at: DateTime<Utc>,
        /// What duties still defer.
        #[serde(skip_serializing_if = "is_none")]
        deferred: Arc<[Deferred]>,
    },
    /// This is the tenant's "Unknown Customer".
    StandIn,
}

/// Decides. Pure and total: the facts, the policy and the instant are all it looks at.
pub fn decide(
    policy: &Policy,
    customer: &Customer,
    asked: &Asked,
    before: &[TreatedBefore],
    at: DateTime<Utc>,
) -> Decision {
    decide_aloud(policy, customer, asked, before, at, &mut Silent)
}

/// The same, saying why at each step.
pub(super) fn decide_aloud(
    policy: &Policy,
    customer: &Customer,
    asked: &Asked,
    before: &[TreatedBefore],
    at: DateTime<Utc>,
    why: &mut impl Listener,
) -> Decision {
    let policy = policy.effective(&customer.tenant);
    let today = policy.time_zone().day(at);
    why.hears(|| Reason::InForce {
        tenant: policy.tenant().cloned(),
        today,
        time_zone: policy.time_zone().to_string(),
    });
    if customer.stand_in {
        return Decision::Nothing(Nothing::StandIn);
    }
    let is_readable = customer.is_readable_on(today);
    if !is_readable {
        why.hears(|| Reason::Unreadable {
            facts: customer.unreadable_on(today).map(Cow::into_owned).collect(),
        });
    }
    let chosen = match triggered(policy, customer, asked, (today, is_readable), why) {
        Ok((trigger, treatment, since)) => {
            let is_request = matches!(asked, Asked::Request { .. });
            Chosen { trigger, treatment, since, is_request }
        }
        Err(decision) => {
            // Which triggers apply, and when, may rest on what cannot be read.
            let rests_on_facts = policy.sweeps() && !matches!(asked, Asked::Request { .. });
            let decision = if rests_on_facts && !is_readable {
                let by = unreadable(customer, today).collect();
                Decision::Blocked(Blocked { trigger: None, by, deferred: Arc::default() })
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
    why.hears(|| Reason::Due {
        trigger: chosen.trigger,
        treatment: chosen.treatment.clone(),
        since: chosen.since,
    });
    let decision = weigh(policy, customer, &chosen, before, today, why);
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
    /// A person asked, then or now.
    is_request: bool,
}

/// What comes of a choice, for one who may have been treated before.
fn weigh(
    policy: &Effective,
    customer: &Customer,
    chosen: &Chosen<'_>,
    before: &[TreatedBefore],
    today: NaiveDate,
    why: &mut impl Listener,
) -> Decision {
    let treatment = chosen.treatment;
    let Some(treated) = policy.treatments().get(treatment) else {
        return Decision::Nothing(Nothing::NoSuchTreatment { treatment: treatment.clone() });
    };
    if before.is_empty() {
        return guarded(policy, customer, chosen, treated, None, today, why);
    }
    let Some(digest) = policy.treatment_digest(treatment) else {
        return Decision::Nothing(Nothing::NoSuchTreatment { treatment: treatment.clone() });
    };
    match treated_before(treated, digest, customer, before) {
        Ok(again) => guarded(policy, customer, chosen, treated, again, today, why),
        Err((case, at)) => {
            let deferred = deferred(policy, treated, today, why);
            Decision::Nothing(Nothing::TreatedBefore { case, at, deferred })
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
        why.hears(|| Reason::Deferred(deferred.clone()));
    }
    deferred
}

/// Nothing is deferred.
fn is_none(deferred: &Arc<[Deferred]>) -> bool {
    deferred.is_empty()
}

/// Whether anything forbids what was chosen.
fn guarded(
    policy: &Effective,
    customer: &Customer,
    chosen: &Chosen<'_>,
    treated: &Treatment,
    again: Option<Again>,
    today: NaiveDate,
    why: &mut impl Listener,
) -> Decision {
    let Chosen { trigger, treatment, since, is_request } = *chosen;
    let deferred = deferred(policy, treated, today, why);
    if let Some(again) = &again {
        why.hears(|| Reason::Again(again.clone()));
    }
    let mut by = obstacles(policy, customer, trigger, treated, today);
    let finding = |guard: &Guard, rule: &GuardRule| {
        let is_up = guard.is_up(customer);
        let finding = match (rule, is_up) {
            (GuardRule::Ignore { .. }, _) => Some(GuardFinding::Ignored),
            (_, false) => Some(GuardFinding::Clear),
            (GuardRule::BlockSweep, true) if is_request => Some(GuardFinding::Passed),
            (GuardRule::Block | GuardRule::BlockBecause { .. } | GuardRule::BlockSweep, true) => None,
        };
        (is_up, finding)
    };
    for (guard, rule) in policy.guards() {
        let (is_up, finding) = finding(guard, rule);
        why.hears(|| Reason::Guard { guard: guard.clone(), is_up, finding });
        if finding.is_none() {
            by.push(BlockedBy::guard(guard, rule));
        }
    }
    if !by.is_empty() {
        return Decision::Blocked(Blocked { trigger: Some(trigger), by, deferred });
    }
    let mut guards = BTreeMap::new();
    for (guard, rule) in policy.guards() {
        if let (_, Some(finding)) = finding(guard, rule) {
            guards.insert(guard.clone(), finding);
        }
    }
    Decision::Due(Due { trigger, treatment: treatment.clone(), since, guards, again, deferred })
}

/// What the schedule decides where nothing is due anew: duties may have deferred something in a case before, and have
/// ended since. That is part of what was chosen then: no trigger has to apply again, and what a person asked for needs no
/// switch.
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
        // A later case under the same treatment has taken it up.
        let is_latest = before.iter().all(|other| other.name != done.name || order(other) <= order(done));
        if !is_latest || !(is_request || policy.sweeps()) {
            continue;
        }
        // Who cannot be read is blocked, whether or not they came back.
        if customer.is_readable_on(today) && came_back(policy, customer, done, rest) {
            why.hears(|| Reason::CameBack { case: done.case.clone() });
            continue;
        }
        let found = match rest.from.filter(|from| *from > today) {
            Some(until) => Decision::NotYet(NotYet { trigger: done.trigger, until }),
            None if !rest.anything_left => continue,
            None => {
                let Some(treated) = policy.treatments().get(&done.name) else {
                    let treatment = done.name.clone();
                    decided = sooner(decided, Decision::Nothing(Nothing::NoSuchTreatment { treatment }));
                    continue;
                };
                let (case, at) = (done.case.clone(), done.at);
                let again = Some(Again { case, at, because: Missing::Deferred });
                let chosen =
                    Chosen { trigger: done.trigger, treatment: &done.name, since: rest.from, is_request };
                guarded(policy, customer, &chosen, treated, again, today, why)
            }
        };
        decided = sooner(decided, found);
    }
    decided
}

/// Of two decisions the one that leads to an erasure, or comes nearer to it; the first of two that are alike.
fn sooner(first: Decision, second: Decision) -> Decision {
    let rank = |decision: &Decision| match decision {
        Decision::Due(_) => (0, None),
        Decision::Blocked(_) => (1, None),
        Decision::NotYet(not_yet) => (2, Some(not_yet.until)),
        // What can never be done has to be said.
        Decision::Nothing(Nothing::NoSuchTreatment { .. }) => (3, None),
        Decision::Nothing(_) => (4, None),
    };
    if rank(&second) < rank(&first) { second } else { first }
}

/// Whether a customer has come back since a case, and starts anew: they are archived no more, or one of the dates by which
/// the policy tells who is inactive is later than the case.
fn came_back(policy: &Effective, customer: &Customer, done: &TreatedBefore, rest: &Rest) -> bool {
    let closed = policy.time_zone().day(done.at);
    let signs = policy.triggers().get(&Trigger::Inactive).map_or(&[][..], TriggerRule::since);
    let mut dates = signs.iter().filter_map(|sign| customer.dates.get(sign));
    rest.archived && !customer.status.is_archived()
        || dates.any(|moment| policy.time_zone().day_of(*moment) > closed)
}

impl Due {
    /// Whether only what a duty had deferred before is due, and nobody chose anew.
    pub fn is_deferred(&self) -> bool {
        self.again.as_ref().is_some_and(|again| again.because == Missing::Deferred)
    }
}

impl Decision {
    /// What duties defer: none of it is done before the day that each names. Before anybody has counted, it is what they
    /// may defer at most; [`Engine::plan`](crate::Engine::plan) and [`Engine::explain`](crate::Engine::explain) count.
    pub fn deferred(&self) -> &[Deferred] {
        match self {
            Self::Due(Due { deferred, .. })
            | Self::Blocked(Blocked { deferred, .. })
            | Self::Nothing(Nothing::TreatedBefore { deferred, .. }) => deferred,
            Self::NotYet(_) | Self::Nothing(_) => &[],
        }
    }

    /// The same decision, once the records are counted.
    pub(crate) fn counted(&mut self, policy: &Effective, tally: &Tally) {
        match self {
            Self::Due(Due { deferred, .. })
            | Self::Blocked(Blocked { deferred, .. })
            | Self::Nothing(Nothing::TreatedBefore { deferred, .. }) => {
                *deferred = Deferred::counted(policy, tally).into();
            }
            Self::NotYet(_) | Self::Nothing(_) => {}
        }
    }
}

impl Due {
    /// Blocked by a record that cannot be read: nobody can say whether the customer is in it.
    pub(crate) fn blocked_by_a_record(&self, what: &str, way_out: &str) -> Blocked {
        let by = vec![BlockedBy::fact(what.to_owned(), way_out.to_owned())];
        Blocked { trigger: Some(self.trigger), by, deferred: self.deferred.clone() }
    }
}

impl BlockedBy {
    fn guard(guard: &Guard, rule: &GuardRule) -> Self {
        let (why, ground, way_out) = match rule {
            GuardRule::BlockBecause { reason, ground, way_out } => {
                (Some(Cow::Owned(reason.clone())), Some(*ground), way_out.clone().map(Cow::Owned))
            }
            GuardRule::Block | GuardRule::BlockSweep | GuardRule::Ignore { .. } => {
                (None, guard.ground(), None)
            }
        };
        Self {
            guard: Some(guard.clone()),
            why: why.unwrap_or_else(|| guard.why()),
            ground,
            way_out: way_out.unwrap_or_else(|| guard.way_out()),
        }
    }

    /// Something that is no guard: it has to be put right, and refuses nobody.
    fn fact(why: impl Into<Cow<'static, str>>, way_out: impl Into<Cow<'static, str>>) -> Self {
        Self { guard: None, why: why.into(), ground: None, way_out: way_out.into() }
    }
}

/// The facts that cannot be read.
fn unreadable(customer: &Customer, today: NaiveDate) -> impl Iterator<Item = BlockedBy> {
    customer.unreadable_on(today).map(|fact| {
        let is_date = fact == "registered" || fact.starts_with("date ");
        let more = if is_date {
            "how its dates are stored (stored, zone), or which values mean that there is none (none)"
        } else {
            "which values it may have"
        };
        BlockedBy::fact(
            format!("the store has {fact} in a form that cannot be read"),
            format!("mend {fact} of this customer in the host's database, or say in the data map {more}"),
        )
    })
}

/// What forbids beside the guards: facts that cannot be read, a gateway that the map does not name, a hand-over that
/// nobody confirmed.
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
    let unknown = |profile: &&GatewayProfile| !treatment.gateways().contains_key(&profile.gateway);
    by.extend(customer.gateway_profiles.iter().filter(unknown).map(|profile| {
        BlockedBy::fact(
            format!("the customer has a profile at {}, which the data map does not name", profile.gateway),
            "name the gateway in the data map and in the policy",
        )
    }));
    let hand_over = policy.triggers().get(&trigger).and_then(TriggerRule::hand_over);
    if let Some(date) = hand_over {
        // Of a date that cannot be read it was said above.
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

/// Whether there is anything to do for one who was treated before: the whole (`None`), what is missing, or nothing since
/// that case.
fn treated_before(
    treatment: &Treatment,
    digest: Digest,
    customer: &Customer,
    before: &[TreatedBefore],
) -> Result<Option<Again>, (CaseId, DateTime<Utc>)> {
    // The latest speaks, unless an earlier one was under this very treatment.
    let Some(last) = before.iter().max_by_key(|done| (done.treatment == digest, done.at)) else {
        return Ok(None);
    };
    let is_same = last.treatment == digest;
    // Counted once, under the treatment of now: it is the same for all of them.
    let anything_left = before.iter().all(|done| done.anything_left);
    // What is in the store was counted; a gateway that the treatment names now was perhaps not named then.
    let erases = |profile: &GatewayProfile| {
        matches!(treatment.gateways().get(&profile.gateway), Some(GatewayAction::Erase))
    };
    let at_gateways = !is_same && customer.gateway_profiles.iter().any(erases);
    if !anything_left && !at_gateways {
        return Err((last.case.clone(), last.at));
    }
    let because = if is_same { Missing::Changed } else { Missing::Grown };
    Ok(Some(Again { case: last.case.clone(), at: last.at, because }))
}

type Found<'p> = (Trigger, &'p TreatmentName, Option<NaiveDate>);

/// The trigger that makes the customer due today, or the decision that none does.
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
    if !policy.sweeps() {
        return Err(Decision::Nothing(Nothing::SweepOff));
    }
    let mut earliest: Option<(NaiveDate, Trigger, &TreatmentName)> = None;
    let mut nothing = Nothing::NoTrigger;
    for (trigger, rule) in policy.triggers() {
        let trigger = *trigger;
        let applies = match asked {
            Asked::List => trigger == Trigger::Listed,
            Asked::Request { .. } | Asked::Sweep => trigger.applies(customer),
        };
        if !applies {
            if customer.is_status_known() {
                why.hears(|| Reason::DoesNotApply { trigger, status: customer.status });
            }
            continue;
        }
        // A list that is worked off at once.
        let Some(after) = rule.after() else { return Ok((trigger, rule.treatment(), None)) };
        let mut dates = rule.since().iter();
        // The first date that the customer has. One that cannot be read may be that date, so no other is taken.
        let date = |name: &String| {
            if is_readable {
                customer.dates.get(name).copied().map(Ok)
            } else {
                customer.date_on(name, today).transpose()
            }
        };
        let found = dates.find_map(|name| Some((name, date(name)?)));
        let Some((name, moment)) = found else {
            why.hears(|| Reason::NoDate { trigger, since: rule.since().to_vec() });
            nothing = Nothing::NoDate { trigger, since: Arc::clone(&rule.since) };
            continue;
        };
        let Ok(moment) = moment else { continue };
        let start = policy.time_zone().day_of(moment);
        let Some(end) = after.end(start) else {
            nothing = Nothing::Never { trigger };
            continue;
        };
        why.hears(|| Reason::Counted {
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

fn texts<S: Serializer>(list: &Arc<[String]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.iter())
}

/// On one line; a refusal has a line for each thing that forbids the erasure, and for each class that a duty keeps anyway.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut besides = "; ";
        match self {
            Self::Due(due) => {
                write!(f, "due ({}), treatment {}", due.trigger, due.treatment)?;
                due.since.map_or(Ok(()), |day| write!(f, ", since {day}"))?;
                due.again.as_ref().map_or(Ok(()), |again| write!(f, ", {again}"))?;
            }
            Self::NotYet(not_yet) => {
                write!(f, "not yet: {} makes the customer due on {}", not_yet.trigger, not_yet.until)?;
            }
            Self::Blocked(Blocked { by, .. }) => {
                let begins = if by.len() > 1 { "\n  * " } else { " " };
                f.write_str("refused:")?;
                for by in by {
                    write!(f, "{begins}{}; {}", by.why, by.way_out)?;
                }
                besides = "\n  in any case ";
            }
            Self::Nothing(nothing) => write!(f, "nothing to do: {nothing}")?,
        }
        self.deferred().iter().try_for_each(|deferred| write!(f, "{besides}{deferred}"))
    }
}

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, at, because } = self;
        write!(f, "for what is missing: treated on {} (case {case}), and {because}", at.date_naive())
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grown => "the treatment is another one now",
            Self::Changed => "something has come since",
            Self::Deferred => "a duty that had deferred it has ended",
        })
    }
}

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SweepOff => f.write_str("the policy's sweep is off, and nobody asked"),
            Self::NoTrigger => f.write_str("no trigger of the policy applies"),
            Self::NoDate { trigger, since } => {
                write!(f, "{trigger} counts from {}, and the customer has no such date", since.join(" or "))
            }
            Self::Never { trigger } => write!(f, "the period of {trigger} ends beyond the calendar"),
            Self::NoSuchTreatment { treatment } => write!(f, "the policy has no treatment {treatment}"),
            Self::TreatedBefore { case, at, .. } => {
                write!(f, "treated the same way on {} (case {case}), and nothing is missing", at.date_naive())
            }
            Self::StandIn => {
                f.write_str("this is the tenant's \"Unknown Customer\", which stands for nobody")
            }
        }
    }
}
