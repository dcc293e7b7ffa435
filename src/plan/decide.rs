//! The decision: what the policy requires for one customer at one instant.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize, Serializer};

use super::explain::{Listener, Reason, Silent};
use super::{CaseId, Deferred};
use crate::customer::{Customer, GatewayProfile, Held, HoldId, Moment};
use crate::data_map::ClassName;
use crate::digest::Digest;
use crate::policy::{Effective, Ground, Guard, GuardRule, Policy, Trigger, TriggerRule};
use crate::treatment::{GatewayAction, KeptBefore, KeptUntil, Tally, Treatment, TreatmentName};

/// Who asks for a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// The person, or an operator on the person's behalf. A request waits for no period, and needs no sweep. A guard
    /// that blocks still blocks.
    Request {
        /// Another treatment than the treatment of the trigger `requested`.
        treatment: Option<TreatmentName>,
    },
    /// An operator, with a list of customers. The switch, the guards and the trigger `listed` apply as in a sweep,
    /// because nobody on the list asked for the erasure.
    List,
    /// The scheduled sweep.
    Sweep,
    /// A closed case that is carried out again, because the database was restored from a backup. No period is waited for
    /// again, and no sweep is needed. The guards apply as they did to the closed case.
    Replay {
        /// What had made the customer due.
        trigger: Trigger,
        /// The treatment of the closed case, by name.
        treatment: TreatmentName,
    },
}

impl Asked {
    /// A request, under the treatment that the policy gives for requests.
    pub fn request() -> Self {
        Self::Request { treatment: None }
    }
}

/// What was done to the customer before: a closed case that erased the customer.
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
    /// Whether the store holds something that the treatment chosen *now* would still change.
    pub anything_left: bool,
    /// What was left for later then, if anything.
    pub rest: Option<Rest>,
}

/// What was left for later in a case: what duties deferred, and fields that stay for a time. The sweep does it when the duties
/// or the time have ended. Nobody has to ask again: it belongs to the earlier choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The first day on which something may be done. `None`: the day is not known, so every sweep checks.
    pub from: Option<NaiveDate>,
    /// Whether the customer was archived when the case was closed. If the customer is not archived now, the customer
    /// has returned.
    pub archived: bool,
    /// Whether the store holds something of it that may be done now.
    pub anything_left: bool,
    /// The last day of each field that the case kept for a time.
    pub kept: KeptUntil,
}

/// What the policy requires for one customer at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The customer has to be erased now.
    Due(Due),
    /// The customer is due on a later day.
    NotYet(NotYet),
    /// The customer is due, but guards forbid the erasure.
    Blocked(Blocked),
    /// There is nothing to do.
    Nothing(Nothing),
}

/// Why a customer is due, and what is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Due {
    /// What made the customer due.
    pub trigger: Trigger,
    /// The treatment that the trigger chose.
    pub treatment: TreatmentName,
    /// The first day on which the customer was due. `None` for a request, and if no day is known.
    pub since: Option<NaiveDate>,
    /// What the guards found.
    pub guards: BTreeMap<Guard, GuardFinding>,
    /// Set if the customer was treated before. Then only what is missing is due.
    pub again: Option<Again>,
    /// Fields that earlier cases kept for a time: which of them stay, and which are treated now.
    #[serde(default, skip_serializing_if = "KeptBefore::is_empty")]
    pub kept: KeptBefore,
    /// What duties defer, class by class.
    #[serde(skip_serializing_if = "is_none")]
    pub deferred: Arc<[Deferred]>,
}

/// Why a customer who was treated before is due again. Only what is missing is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Again {
    /// The earlier case.
    pub case: CaseId,
    /// When it was closed.
    pub at: DateTime<Utc>,
    /// Why something is missing.
    pub because: Missing,
}

/// Why something is missing from an earlier treatment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Missing {
    /// The treatment has changed: it reaches more than it did then.
    Grown,
    /// The treatment is the same, but the facts or the records have changed since.
    Changed,
    /// A duty had deferred it, and the duty has ended.
    Deferred,
    /// A field was kept for a time, and that time is over.
    Kept,
}

/// The result of a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardFinding {
    /// The guard looked, and forbids nothing.
    Clear,
    /// The customer is in the guard's state, but the policy lets this case pass.
    Passed,
    /// The policy ignores the guard.
    Ignored,
}

impl GuardFinding {
    /// The finding, in words.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Clear => "nothing forbids",
            Self::Passed => "the policy lets a request pass",
            Self::Ignored => "the policy does not look",
        }
    }
}

/// When a customer becomes due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotYet {
    /// What will make the customer due.
    pub trigger: Trigger,
    /// The first day on which the customer is due.
    pub until: NaiveDate,
}

/// What blocks a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// What made the customer due. `None` if this is unknown, because a fact that decides it cannot be read.
    pub trigger: Option<Trigger>,
    /// The first day on which the customer was due. `None` for a request, and if no day is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<NaiveDate>,
    /// The guards and unreadable facts that block. Never empty.
    pub by: Vec<BlockedBy>,
    /// What duties would defer if nothing blocked.
    #[serde(skip_serializing_if = "is_none")]
    pub deferred: Arc<[Deferred]>,
}

/// One reason why the erasure is blocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlockedBy {
    /// The guard, if a guard blocks.
    pub guard: Option<Guard>,
    /// Why it blocks.
    pub why: Cow<'static, str>,
    /// The ground in law on which a request is refused. `None` if nothing is refused in law: something has to be
    /// corrected first, and the clock of a request continues.
    pub ground: Option<Ground>,
    /// What would remove the block.
    pub way_out: Cow<'static, str>,
    /// The record classes that the ground covers. Empty: all of them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub data: BTreeSet<ClassName>,
    /// The hold, if an operator placed one [through the engine](crate::Engine::place_hold).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldId>,
}

/// Why there is nothing to do.
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
        /// The dates that the trigger looks for.
        #[serde(serialize_with = "texts")]
        since: Arc<[String]>,
    },
    /// The period ends after the end of the calendar.
    Never {
        /// The trigger.
        trigger: Trigger,
    },
    /// The policy has no such treatment.
    NoSuchTreatment {
        /// The name that was asked for.
        treatment: TreatmentName,
    },
    /// The customer was treated before, and nothing is missing: no records were added since, and the treatment
    /// reaches no further.
    TreatedBefore {
        /// The case.
        case: CaseId,
        /// When the case was closed.
        at: DateTime<Utc>,
        /// What duties still defer.
        #[serde(skip_serializing_if = "is_none")]
        deferred: Arc<[Deferred]>,
    },
    /// This is the tenant's "Unknown Customer".
    StandIn,
}

/// Decides what to do with a customer. Pure and total: the result depends only on the facts, the policy and the
/// instant.
pub fn decide(
    policy: &Policy,
    customer: &Customer,
    asked: &Asked,
    before: &[TreatedBefore],
    at: DateTime<Utc>,
) -> Decision {
    decide_aloud(policy, customer, asked, before, at, &mut Silent)
}

/// Decides, and reports a reason at each step.
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
    /// Whether a person asked, now or in the earlier case.
    is_request: bool,
}

/// The decision for a chosen treatment. The customer may have been treated before.
fn weigh(
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
        Err((case, at)) => {
            let deferred = deferred(policy, &treated, today, why);
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

/// Whether nothing is deferred.
fn is_none(deferred: &Arc<[Deferred]>) -> bool {
    deferred.is_empty()
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
        return Decision::Blocked(Blocked { trigger: Some(trigger), since, by, deferred });
    }
    let mut guards = BTreeMap::new();
    for (guard, rule) in policy.guards() {
        if let (_, Some(finding)) = finding(guard, rule) {
            guards.insert(guard.clone(), finding);
        }
    }
    Decision::Due(Due { trigger, treatment: treatment.clone(), since, guards, again, kept, deferred })
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
            why.hears(|| Reason::CameBack { case: done.case.clone() });
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

impl Due {
    /// Whether only what an earlier case left for later is due, and nobody made a new choice.
    pub fn is_deferred(&self) -> bool {
        self.again.as_ref().is_some_and(|again| matches!(again.because, Missing::Deferred | Missing::Kept))
    }
}

impl Decision {
    /// What duties defer. Each entry names the day before which nothing is done. Before the records are counted, this
    /// is the most that duties may defer. [`Engine::plan`](crate::Engine::plan) and
    /// [`Engine::explain`](crate::Engine::explain) count.
    pub fn deferred(&self) -> &[Deferred] {
        match self {
            Self::Due(Due { deferred, .. })
            | Self::Blocked(Blocked { deferred, .. })
            | Self::Nothing(Nothing::TreatedBefore { deferred, .. }) => deferred,
            Self::NotYet(_) | Self::Nothing(_) => &[],
        }
    }

    /// Updates the decision when the records are counted.
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
    /// The decision when a record cannot be read: nobody can say whether the record names the customer.
    pub(crate) fn blocked_by_a_record(&self, what: &str, way_out: &str) -> Blocked {
        let by = vec![BlockedBy::fact(what.to_owned(), way_out.to_owned())];
        Blocked { trigger: Some(self.trigger), since: self.since, by, deferred: self.deferred.clone() }
    }
}

impl BlockedBy {
    fn guard(guard: &Guard, rule: &GuardRule) -> Self {
        let (why, ground, way_out) = match rule {
            GuardRule::BlockBecause { reason, ground, way_out, .. } => {
                (Some(Cow::Owned(reason.clone())), Some(*ground), way_out.clone().map(Cow::Owned))
            }
            GuardRule::Block | GuardRule::BlockSweep | GuardRule::Ignore { .. } => {
                (None, guard.ground(), None)
            }
        };
        let data = match rule {
            GuardRule::BlockBecause { data, .. } => data.clone(),
            GuardRule::Block | GuardRule::BlockSweep | GuardRule::Ignore { .. } => BTreeSet::new(),
        };
        Self {
            data,
            hold: None,
            guard: Some(guard.clone()),
            why: why.unwrap_or_else(|| guard.why()),
            ground,
            way_out: way_out.unwrap_or_else(|| guard.way_out()),
        }
    }

    /// A block that is not a guard. It has to be corrected, and is no refusal.
    fn fact(why: impl Into<Cow<'static, str>>, way_out: impl Into<Cow<'static, str>>) -> Self {
        let (why, way_out) = (why.into(), way_out.into());
        Self { guard: None, why, ground: None, way_out, data: BTreeSet::new(), hold: None }
    }

    /// A hold that an operator placed through the engine. No line of the policy lets it pass; the policy may only say
    /// the reason in its own words.
    fn held(policy: &Effective, held: &Held) -> Self {
        let by = match held.ground.kind().map(Guard::Hold) {
            Some(guard) => match policy.guard(&guard) {
                rule @ GuardRule::BlockBecause { .. } => Self::guard(&guard, rule),
                GuardRule::Block | GuardRule::BlockSweep | GuardRule::Ignore { .. } => {
                    Self::guard(&guard, &GuardRule::Block)
                }
            },
            None => Self::fact(
                "an operator has stopped it because of an incident",
                "whoever placed the hold has to lift it first",
            ),
        };
        // A hold on everything that a customer has may still be for some record classes, as the policy says.
        let data = if held.classes.is_empty() { by.data.clone() } else { held.classes.clone() };
        Self { data, hold: Some(held.hold.clone()), ..by }
    }
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
) -> Result<Option<Again>, (CaseId, DateTime<Utc>)> {
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
        return Err((last.case.clone(), last.at));
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
                why.hears(|| Reason::DoesNotApply { trigger, status: customer.status });
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

/// On one line. If several things block the erasure, each has its own line, and so has each class that a duty keeps anyway.
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
                    write!(f, "{begins}{}", by.why)?;
                    if let Some(hold) = &by.hold {
                        write!(f, " (hold {hold}")?;
                        for (n, class) in by.data.iter().enumerate() {
                            write!(f, "{}{class}", if n == 0 { " on " } else { ", " })?;
                        }
                        f.write_str(")")?;
                    }
                    write!(f, "; {}", by.way_out)?;
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
        write!(
            f,
            "for what is missing: treated at {} (case {case}), and {because}",
            at.format("%F %H:%M UTC")
        )
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grown => "the treatment is another one now",
            Self::Changed => "something has come since",
            Self::Deferred => "a duty that had deferred it has ended",
            Self::Kept => "a field has been kept for as long as the policy said",
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
                let at = at.format("%F %H:%M UTC");
                write!(f, "treated the same way at {at} (case {case}), and nothing is missing")
            }
            Self::StandIn => {
                f.write_str("this is the tenant's \"Unknown Customer\", which stands for nobody")
            }
        }
    }
}
