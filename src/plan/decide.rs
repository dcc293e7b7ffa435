//! The decision: what the policy says of one customer at one instant.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::CaseId;
use crate::customer::{Customer, Status};
use crate::digest::Digest;
use crate::policy::{Ground, Guard, GuardRule, Policy, TreatmentName, Trigger};

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
    /// The store holds something that the treatment would still change: facts changed since.
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
        since: Vec<String>,
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
    /// Treated the same way before, and nothing has come since.
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
    if customer.stand_in {
        return Decision::Nothing(Nothing::StandIn);
    }
    let (trigger, treatment, since) = match triggered(policy, customer, asked, at.date_naive()) {
        Ok(found) => found,
        Err(decision) => return decision,
    };
    let Some(digest) = policy.treatment_digest(&treatment) else {
        return Decision::Nothing(Nothing::NoSuchTreatment { treatment });
    };
    if let Some(done) = before.iter().find(|done| done.treatment == digest && !done.anything_left) {
        return Decision::Nothing(Nothing::TreatedBefore { case: done.case.clone(), at: done.at });
    }
    let mut by: Vec<BlockedBy> = customer
        .unreadable
        .iter()
        .map(|fact| BlockedBy {
            guard: None,
            ground: None,
            why: format!("the store holds {fact} in a form that cannot be read"),
            way_out: format!(
                "mend {fact} of this customer in the host's database, or teach the data map to read it"
            ),
        })
        .collect();
    let known = policy.treatments().get(&treatment).map(|treatment| treatment.gateways());
    for profile in &customer.gateway_profiles {
        if known.is_none_or(|known| !known.contains_key(&profile.gateway)) {
            by.push(BlockedBy {
                guard: None,
                ground: None,
                why: format!(
                    "the customer has a profile at {}, which the data map does not name",
                    profile.gateway
                ),
                way_out: "name the gateway in the data map and in the policy".to_owned(),
            });
        }
    }
    let mut guards = BTreeMap::new();
    for (guard, rule) in policy.guards() {
        let finding = match (rule, guard.is_up(customer)) {
            (GuardRule::Ignore { .. }, _) => GuardFinding::Ignored,
            (_, false) => GuardFinding::Clear,
            (GuardRule::BlockSweep, true) if matches!(asked, Asked::Request { .. }) => GuardFinding::Passed,
            (GuardRule::BlockBecause { reason, ground, way_out }, true) => {
                by.push(BlockedBy {
                    guard: Some(guard.clone()),
                    why: reason.clone(),
                    ground: Some(*ground),
                    way_out: way_out.clone().unwrap_or_else(|| guard.way_out().into_owned()),
                });
                continue;
            }
            (GuardRule::Block | GuardRule::BlockSweep, true) => {
                by.push(BlockedBy {
                    guard: Some(guard.clone()),
                    why: guard.why().into_owned(),
                    ground: guard.ground(),
                    way_out: guard.way_out().into_owned(),
                });
                continue;
            }
        };
        guards.insert(guard.clone(), finding);
    }
    if by.is_empty() {
        Decision::Due(Due { trigger, treatment, since, guards })
    } else {
        Decision::Blocked(Blocked { trigger, by })
    }
}

type Found = (Trigger, TreatmentName, Option<NaiveDate>);

/// The trigger that makes the customer due today, or the decision that none does.
fn triggered(
    policy: &Policy,
    customer: &Customer,
    asked: &Asked,
    today: NaiveDate,
) -> Result<Found, Decision> {
    if let Asked::Request { treatment } = asked {
        let rule = policy.triggers().get(&Trigger::Requested).map(|rule| rule.treatment().clone());
        return match treatment.clone().or(rule) {
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
        let applies = match trigger {
            Trigger::Requested => false,
            Trigger::Cancelled => customer.status != Status::Active,
            Trigger::Deleted => customer.status == Status::Deleted,
        };
        let Some(after) = rule.after().filter(|_| applies) else { continue };
        let Some(start) = rule.since().iter().find_map(|name| customer.dates.get(name)) else {
            nothing = Nothing::NoDate { trigger: *trigger, since: rule.since().to_vec() };
            continue;
        };
        let Some(end) = after.end(start.day()) else {
            nothing = Nothing::Never { trigger: *trigger };
            continue;
        };
        if earliest.is_none_or(|(day, ..)| end < day) {
            earliest = Some((end, *trigger, rule.treatment()));
        }
    }
    match earliest {
        Some((day, trigger, treatment)) if day <= today => Ok((trigger, treatment.clone(), Some(day))),
        Some((until, trigger, _)) => Err(Decision::NotYet(NotYet { trigger, until })),
        None => Err(Decision::Nothing(nothing)),
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Due(due) => {
                write!(f, "due ({}), treatment {}", due.trigger, due.treatment)?;
                due.since.map_or(Ok(()), |day| write!(f, ", since {day}"))
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
                write!(
                    f,
                    "treated the same way on {} (case {case}), and nothing has come since",
                    at.date_naive()
                )
            }
            Self::StandIn => {
                f.write_str("this is the tenant's \"Unknown Customer\", which stands for nobody")
            }
        }
    }
}
