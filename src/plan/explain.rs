//! The chain of reasons behind a decision, as data and as text.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::decide::decide_and_explain;
use super::decision::{Again, Asked, Decision, GuardFinding, TreatedBefore};
use super::{CaseId, Deferred};
use crate::customer::{Customer, Status, TenantId};
use crate::policy::{Effective, Guard, Policy, Trigger};
use crate::treatment::{Tally, TreatmentName};

/// Receives the reasons while a decision is made. [`Silent`] ignores them and costs nothing.
pub(super) trait Listener {
    fn receive(&mut self, reason: impl FnOnce() -> Reason);
}

pub(super) struct Silent;

impl Listener for Silent {
    fn receive(&mut self, _: impl FnOnce() -> Reason) {}
}

impl Listener for Vec<Reason> {
    fn receive(&mut self, reason: impl FnOnce() -> Reason) {
        self.push(reason());
    }
}

/// One reason in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The policy in force, and the day under that policy.
    InForce {
        /// The tenant, if the tenant has its own entry. `None`: the rules for everyone apply.
        tenant: Option<TenantId>,
        /// The day.
        today: NaiveDate,
        /// The time zone of that day.
        time_zone: String,
    },
    /// Facts that cannot be read. Nothing that depends on them is known, so the customer is blocked.
    Unreadable {
        /// The facts, by name.
        facts: Vec<String>,
    },
    /// A trigger that does not apply to a customer with this status.
    DoesNotApply {
        /// The trigger.
        trigger: Trigger,
        /// The customer's status.
        status: Status,
    },
    /// A trigger for which the customer has no date.
    NoDate {
        /// The trigger.
        trigger: Trigger,
        /// The dates that the trigger looks for.
        since: Vec<String>,
    },
    /// A trigger that has a date and a period.
    Counted {
        /// The trigger.
        trigger: Trigger,
        /// The name of the date from which the period counts.
        since: String,
        /// The day of that date.
        start: NaiveDate,
        /// The period.
        after: String,
        /// The first day on which the customer is due.
        due: NaiveDate,
    },
    /// The trigger that was due first.
    Due {
        /// The trigger.
        trigger: Trigger,
        /// The treatment that the trigger chose, or that was asked for.
        treatment: TreatmentName,
        /// The day since when the customer is due. `None` for a request.
        since: Option<NaiveDate>,
    },
    /// Duties defer the treatment of a record class.
    Deferred(Deferred),
    /// The customer was treated before, and something is missing.
    Again(Again),
    /// What duties deferred in an earlier case is not done any more, because the customer has returned.
    CameBack {
        /// The earlier case.
        case: CaseId,
    },
    /// The result of a guard.
    Guard {
        /// The guard.
        guard: Guard,
        /// Whether the customer is in the guard's state.
        applies: bool,
        /// The result. `None`: the guard forbids the erasure.
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
            Self::DoesNotApply { trigger: Trigger::Requested, .. } => {
                f.write_str("requested does not apply: nobody asked")
            }
            Self::DoesNotApply { trigger: Trigger::Listed, .. } => {
                f.write_str("listed does not apply: nobody has listed the customer")
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
            Self::Guard { guard, applies, finding } => {
                let state = if *applies { "applies" } else { "does not apply" };
                let outcome = match finding {
                    Some(finding) => finding.describe(),
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
    /// The reasons, in the order in which they were considered.
    pub reasons: Vec<Reason>,
    /// The decision.
    pub decision: Decision,
}

impl Explanation {
    /// Updates the explanation when the records are counted: a class without kept records is not deferred.
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
    let decision = decide_and_explain(policy, customer, asked, before, at, &mut reasons);
    Explanation { reasons, decision }
}
