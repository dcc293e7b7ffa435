//! What the policy requires for one customer at one instant: who asks, what was done before, and the answer.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize, Serializer};

use super::{CaseId, Deferred};
use crate::customer::{Held, HoldId};
use crate::data_map::ClassName;
use crate::digest::Digest;
use crate::policy::{Effective, Ground, Guard, GuardRule, Trigger};
use crate::treatment::{KeptBefore, KeptUntil, Tally, TreatmentName};

/// Who asks for a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// The person, or an operator for the person. A request does not wait for a period, and does not need the sweep's
    /// switch. A guard that blocks still blocks.
    Request {
        /// The treatment, if it is not that of the trigger `requested`.
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
    /// The records of each class that the customer still had when everything was read back.
    pub rows: BTreeMap<ClassName, u64>,
    /// What was left for later then, if anything.
    pub rest: Option<Rest>,
}

/// What a case left for later: what duties deferred, and fields that stay for a time. The sweep does it when the
/// duties or the time have ended. Nobody has to ask again, because it belongs to the earlier choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The first day on which something may be done. `None`: the day is not known, so every sweep checks.
    pub from: Option<NaiveDate>,
    /// Whether the customer was archived when the case was closed. If the customer is not archived now, the customer
    /// has returned.
    pub archived: bool,
    /// Whether the store has records for which something of it may be done now.
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
    pub kept: Arc<KeptBefore>,
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
    /// The policy's switch is off, and there is no request.
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
    /// The customer was treated before, and nothing is missing: the treatment reaches no further.
    TreatedBefore {
        /// The case.
        case: CaseId,
        /// When the case was closed.
        at: DateTime<Utc>,
        /// The treatment of the case, by name.
        treatment: TreatmentName,
        /// What duties still defer.
        #[serde(skip_serializing_if = "is_none")]
        deferred: Arc<[Deferred]>,
        /// Records with searched texts that were added since, by class. Their texts can be searched only for what is still
        /// known of the customer, so somebody has to look at them.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        added: BTreeMap<ClassName, u64>,
    },
    /// This is the tenant's "Unknown Customer".
    StandIn,
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
    pub(super) fn guard(guard: &Guard, rule: &GuardRule) -> Self {
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
    pub(super) fn fact(why: impl Into<Cow<'static, str>>, way_out: impl Into<Cow<'static, str>>) -> Self {
        let (why, way_out) = (why.into(), way_out.into());
        Self { guard: None, why, ground: None, way_out, data: BTreeSet::new(), hold: None }
    }

    /// A hold that an operator placed through the engine. No line of the policy lets it pass; the policy may only say
    /// the reason in its own words.
    pub(super) fn held(policy: &Effective, held: &Held) -> Self {
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

/// Whether nothing is deferred.
fn is_none(deferred: &Arc<[Deferred]>) -> bool {
    deferred.is_empty()
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
            Self::TreatedBefore { case, at, added, .. } => {
                let at = at.format("%F %H:%M UTC");
                write!(f, "treated the same way at {at} (case {case}), and ")?;
                if added.is_empty() {
                    return f.write_str("nothing is missing");
                }
                let each: Vec<String> =
                    added.iter().map(|(class, rows)| format!("{rows} of {class}")).collect();
                write!(
                    f,
                    "nothing else is missing; but {} came since, and their texts can be searched only for what is still known of \
                     this customer: look at them, or delete them",
                    each.join(", ")
                )
            }
            Self::StandIn => {
                f.write_str("this is the tenant's \"Unknown Customer\", which stands for nobody")
            }
        }
    }
}
