//! The chain of reasons behind a decision, as data and as text.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::decide::{Again, Asked, Decision, GuardFinding, TreatedBefore, decide_aloud};
use super::{CaseId, Deferred};
use crate::customer::{Customer, Status, TenantId};
use crate::policy::{Effective, Guard, Policy, Trigger};
use crate::treatment::{Tally, TreatmentName};

/// Hears the reasons while a decision is made. The silent one costs nothing.
pub(super) trait Listener {
    fn hears(&mut self, reason: impl FnOnce() -> Reason);
}

pub(super) struct Silent;

impl Listener for Silent {
    fn hears(&mut self, _: impl FnOnce() -> Reason) {}
}

impl Listener for Vec<Reason> {
    fn hears(&mut self, reason: impl FnOnce() -> Reason) {
        self.push(reason());
    }
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// Which policy is in force, and which day it is there.
    InForce {
        /// The tenant whose own entry it is; none for everyone else's.
        tenant: Option<TenantId>,
        /// The day.
        today: NaiveDate,
        /// The zone in which it is that day.
        time_zone: String,
    },
    /// Facts that cannot be read. Nothing that rests on them is known, so the customer is blocked.
    Unreadable {
        /// The facts, by name.
        facts: Vec<String>,
    },
    /// A trigger that does not apply to a customer who stands where this one does.
    DoesNotApply {
        /// The trigger.
        trigger: Trigger,
        /// Where the customer stands.
        status: Status,
    },
    /// A trigger that has no date from which to count.
    NoDate {
        /// The trigger.
        trigger: Trigger,
        /// The dates it looks for.
        since: Vec<String>,
    },
    /// A trigger that counts.
    Counted {
        /// The trigger.
        trigger: Trigger,
        /// The date from which it counts.
        since: String,
        /// That day.
        start: NaiveDate,
        /// How long it waits.
        after: String,
        /// The first day on which the customer is due.
        due: NaiveDate,
    },
    /// The trigger that was due first.
    Due {
        /// The trigger.
        trigger: Trigger,
        /// The treatment that it chose, or the one that was asked for.
        treatment: TreatmentName,
        /// Since when. None for a request.
        since: Option<NaiveDate>,
    },
    /// Duties defer what is done to a record class.
    Deferred(Deferred),
    /// The customer was treated before, and something is missing.
    Again(Again),
    /// What duties deferred in a case before waits no more by itself: the customer came back.
    CameBack {
        /// The case.
        case: CaseId,
    },
    /// What a guard found.
    Guard {
        /// The guard.
        guard: Guard,
        /// Whether the customer is in that state.
        is_up: bool,
        /// What comes of it. None: it forbids.
        finding: Option<GuardFinding>,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InForce { tenant, today, time_zone } => {
                match tenant {
                    Some(tenant) => write!(f, "tenant {tenant} has an entry of its own")?,
                    None => f.write_str("the policy is in force as it stands for everyone")?,
                }
                write!(f, "; it is {today} in {time_zone}")
            }
            Self::Unreadable { facts } => {
                write!(f, "what the store holds of this customer cannot be read: {}", facts.join(", "))
            }
            Self::DoesNotApply { trigger, status } => {
                write!(f, "{trigger} does not apply: the customer is {status}")
            }
            Self::NoDate { trigger, since } => {
                write!(f, "{trigger} counts from {}, and the customer has no such date", since.join(" or "))
            }
            Self::Counted { trigger, since, start, after, due } => {
                write!(f, "{trigger} counts {after} from {since}, {start}: due on {due}")
            }
            Self::Due { trigger, treatment, since } => {
                write!(f, "{trigger} chooses treatment {treatment}")?;
                since.map_or(Ok(()), |since| write!(f, ", due since {since}"))
            }
            Self::Deferred(deferred) => write!(f, "{deferred}"),
            Self::Again(again) => write!(f, "{again}"),
            Self::CameBack { case } => {
                write!(f, "the customer came back after case {case}: what it deferred is not done by itself")
            }
            Self::Guard { guard, is_up, finding } => {
                let state = if *is_up { "is up" } else { "is down" };
                let outcome = match finding {
                    Some(GuardFinding::Clear) => "nothing forbids",
                    Some(GuardFinding::Passed) => "the policy lets a request pass",
                    Some(GuardFinding::Ignored) => "the policy does not look",
                    None => "it forbids",
                };
                write!(f, "guard {guard} {state}: {outcome}")
            }
        }
    }
}

/// A decision with the chain of reasons that led to it.
///
/// `Display` prints one reason per line, and the decision last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The reasons, in the order in which they were weighed.
    pub reasons: Vec<Reason>,
    /// What was decided.
    pub decision: Decision,
}

impl Explanation {
    /// The same, once the records are counted: what is not there is not deferred.
    pub(crate) fn counted(&mut self, policy: &Effective, tally: &Tally) {
        self.decision.counted(policy, tally);
        let counted = self.decision.deferred();
        self.reasons.retain_mut(|reason| {
            let Reason::Deferred(deferred) = reason else { return true };
            let found = counted.iter().find(|found| found.class == deferred.class);
            found.inspect(|found| Deferred::clone_from(deferred, found)).is_some()
        });
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for reason in &self.reasons {
            writeln!(f, "{reason}")?;
        }
        write!(f, "so: {}", self.decision)
    }
}

/// Decides as [`decide`](super::decide) does, and says why.
pub fn explain(
    policy: &Policy,
    customer: &Customer,
    asked: &Asked,
    before: &[TreatedBefore],
    at: DateTime<Utc>,
) -> Explanation {
    let mut reasons = Vec::new();
    let decision = decide_aloud(policy, customer, asked, before, at, &mut reasons);
    Explanation { reasons, decision }
}
