//! The decision: what the policy says of one customer at one instant.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize, Serializer};

use super::CaseId;
use super::explain::{Listener, Reason, Silent};
use crate::customer::{Customer, GatewayProfile};
use crate::digest::Digest;
use crate::policy::{
    Effective, GatewayAction, Ground, Guard, GuardRule, Policy, Treatment, TreatmentName, Trigger,
    TriggerRule,
};

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
    /// [`Treatment::digest`](crate::policy::Treatment::digest) of what was done.
    pub treatment: Digest,
    /// The store holds something that the treatment chosen *now* would still change.
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
    /// The first day on which it was due. None for a request.
    pub since: Option<NaiveDate>,
    /// What the guards found.
    pub guards: BTreeMap<Guard, GuardFinding>,
    /// The customer was treated before, and only what is missing is due.
    pub again: Option<Again>,
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
    /// What made the customer due.
    pub trigger: Trigger,
    /// The guards, or facts that could not be read. Never empty.
    pub by: Vec<BlockedBy>,
}

/// One thing that forbids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlockedBy {
    /// The guard, if it is one.
    pub guard: Option<Guard>,
    /// Why.
    pub why: String,
    /// The ground in law on which a request is refused. None where nothing is refused in law: something has to be
    /// put right first, and the clock of a request runs on.
    pub ground: Option<Ground>,
    /// What would lift it.
    pub way_out: String,
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
    let (trigger, treatment, since) = match triggered(policy, customer, asked, today, why) {
        Ok(found) => found,
        Err(decision) => return decision,
    };
    why.hears(|| Reason::Due { trigger, treatment: treatment.clone(), since });
    let Some((treated, digest)) = policy.treatments().get(treatment).zip(policy.treatment_digest(treatment))
    else {
        return Decision::Nothing(Nothing::NoSuchTreatment { treatment: treatment.clone() });
    };
    let again = match treated_before(treated, digest, customer, before) {
        Ok(again) => again,
        Err(done) => return Decision::Nothing(done),
    };
    if let Some(again) = &again {
        why.hears(|| Reason::Again(again.clone()));
    }
    let mut by = obstacles(policy, customer, trigger, treated, today);
    let mut guards = BTreeMap::new();
    for (guard, rule) in policy.guards() {
        let is_up = guard.is_up(customer);
        let finding = match (rule, is_up) {
            (GuardRule::Ignore { .. }, _) => Some(GuardFinding::Ignored),
            (_, false) => Some(GuardFinding::Clear),
            (GuardRule::BlockSweep, true) if matches!(asked, Asked::Request { .. }) => {
                Some(GuardFinding::Passed)
            }
            (GuardRule::Block | GuardRule::BlockBecause { .. } | GuardRule::BlockSweep, true) => None,
        };
        why.hears(|| Reason::Guard { guard: guard.clone(), is_up, finding });
        match finding {
            Some(finding) => drop(guards.insert(guard.clone(), finding)),
            None => by.push(BlockedBy::guard(guard, rule)),
        }
    }
    if by.is_empty() {
        Decision::Due(Due { trigger, treatment: treatment.clone(), since, guards, again })
    } else {
        Decision::Blocked(Blocked { trigger, by })
    }
}

impl BlockedBy {
    fn guard(guard: &Guard, rule: &GuardRule) -> Self {
        let (why, ground, way_out) = match rule {
            GuardRule::BlockBecause { reason, ground, way_out } => {
                (Some(reason.clone()), Some(*ground), way_out.clone())
            }
            GuardRule::Block | GuardRule::BlockSweep | GuardRule::Ignore { .. } => {
                (None, guard.ground(), None)
            }
        };
        Self {
            guard: Some(guard.clone()),
            why: why.unwrap_or_else(|| guard.why().into_owned()),
            ground,
            way_out: way_out.unwrap_or_else(|| guard.way_out().into_owned()),
        }
    }

    /// Something that is no guard: it has to be put right, and refuses nobody.
    fn fact(why: String, way_out: impl Into<String>) -> Self {
        Self { guard: None, why, ground: None, way_out: way_out.into() }
    }
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
    let mut by: Vec<BlockedBy> = customer
        .unreadable
        .iter()
        .map(|fact| {
            BlockedBy::fact(
                format!("the store holds {fact} in a form that cannot be read"),
                format!(
                    "mend {fact} of this customer in the host's database, or teach the data map to read it"
                ),
            )
        })
        .collect();
    let unknown = |profile: &&GatewayProfile| !treatment.gateways().contains_key(&profile.gateway);
    by.extend(customer.gateway_profiles.iter().filter(unknown).map(|profile| {
        BlockedBy::fact(
            format!("the customer has a profile at {}, which the data map does not name", profile.gateway),
            "name the gateway in the data map and in the policy",
        )
    }));
    let hand_over = policy.triggers().get(&trigger).and_then(TriggerRule::hand_over);
    if let Some(date) = hand_over {
        let confirmed = customer.dates.get(date).map(|moment| policy.time_zone().day_of(*moment));
        if confirmed.is_none_or(|day| day > today) {
            by.push(BlockedBy::fact(
                format!("nobody has confirmed that tenant {} has its data", customer.tenant),
                format!("hand the data over, and set the date {date} when a person confirms it"),
            ));
        }
    }
    by
}

/// Whether there is anything to do for one who was treated before: nothing, the whole (`None`), or what is missing.
fn treated_before(
    treatment: &Treatment,
    digest: Digest,
    customer: &Customer,
    before: &[TreatedBefore],
) -> Result<Option<Again>, Nothing> {
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
        return Err(Nothing::TreatedBefore { case: last.case.clone(), at: last.at });
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
    today: NaiveDate,
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
            why.hears(|| Reason::DoesNotApply { trigger, status: customer.status });
            continue;
        }
        // A list that is worked off at once.
        let Some(after) = rule.after() else { return Ok((trigger, rule.treatment(), None)) };
        let mut dates = rule.since().iter();
        let found = dates.find_map(|name| Some((name, customer.dates.get(name.as_str())?)));
        let Some((name, moment)) = found else {
            why.hears(|| Reason::NoDate { trigger, since: rule.since().to_vec() });
            nothing = Nothing::NoDate { trigger, since: Arc::clone(&rule.since) };
            continue;
        };
        let start = policy.time_zone().day_of(*moment);
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

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Due(due) => {
                write!(f, "due ({}), treatment {}", due.trigger, due.treatment)?;
                due.since.map_or(Ok(()), |day| write!(f, ", since {day}"))?;
                due.again.as_ref().map_or(Ok(()), |again| write!(f, ", {again}"))
            }
            Self::NotYet(not_yet) => {
                write!(f, "not yet: {} makes the customer due on {}", not_yet.trigger, not_yet.until)
            }
            Self::Blocked(blocked) => {
                write!(f, "refused: ")?;
                for (n, by) in blocked.by.iter().enumerate() {
                    let separator = if n > 0 { "; also: " } else { "" };
                    write!(f, "{separator}{}; {}", by.why, by.way_out)?;
                }
                Ok(())
            }
            Self::Nothing(nothing) => write!(f, "nothing to do: {nothing}"),
        }
    }
}

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because = match self.because {
            Missing::Grown => "the treatment is another one now",
            Missing::Changed => "something has come since",
        };
        let Self { case, at, .. } = self;
        write!(f, "for what is missing: treated on {} (case {case}), and {because}", at.date_naive())
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
            Self::TreatedBefore { case, at } => {
                write!(f, "treated the same way on {} (case {case}), and nothing is missing", at.date_naive())
            }
            Self::StandIn => {
                f.write_str("this is the tenant's \"Unknown Customer\", which stands for nobody")
            }
        }
    }
}
