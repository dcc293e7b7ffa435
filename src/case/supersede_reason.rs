//! Why a case ended before anything was touched: as data, and as a sentence for a person.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::customer::{AccountId, GatewayName};
use crate::data_map::RecipientName;
use crate::plan::{ApprovalError, CaseId, Changed, CopiesChanged, Decision, Nothing};
use crate::policy::{Guard, Trigger};
use crate::treatment::TreatmentName;

/// Why a case is superseded: the approved plan does not fit the facts any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SupersedeReason {
    /// The customer does not exist any more.
    NoCustomer,
    /// Another customer has the same id now.
    AnotherCustomer,
    /// Somebody reactivated the customer.
    BroughtBack,
    /// Facts of the customer changed between the check and the write.
    CustomerChanged,
    /// A guard forbids the erasure now. When the plan was made, the guard did not.
    Guard(Guard),
    /// The mandate has expired, is not valid yet, or is for another plan.
    Mandate {
        /// When the mandate expired. `None` if it is for another plan, or not valid yet.
        expired: Option<DateTime<Utc>>,
    },
    /// The approval was already used for another case.
    Used,
    /// This program lacks one of the host's own strategies, or has another version of it.
    Strategy {
        /// The strategy.
        name: String,
        /// The version that the plan names.
        version: u32,
        /// The registered version, if any.
        found: Option<u32>,
    },
    /// The policy's decision for the customer is now another one.
    NotDue(NotDue),
    /// The customer is due for the same reason, but the plan would differ.
    Plan(Changed),
    /// The gateway's adapter uses the key of another account than the plan or the review.
    Account {
        /// The gateway.
        gateway: GatewayName,
        /// The account of the plan.
        planned: Option<AccountId>,
    },
    /// The engine has no adapter for the gateway.
    NoAdapter {
        /// The gateway.
        gateway: GatewayName,
    },
    /// The engine has no adapter for the recipient.
    NoRecipient {
        /// The recipient.
        recipient: RecipientName,
    },
    /// A profile of a review has changed since the review.
    Profile(ProfileChanged),
    /// Backup copies have changed since their removal was planned.
    Copies(CopiesChanged),
}

/// The policy's decision for a customer who is not due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NotDue {
    /// The customer is due on a later day.
    NotYet {
        /// The trigger that will make the customer due.
        trigger: Trigger,
        /// That day.
        until: NaiveDate,
    },
    /// Something blocks the erasure.
    Blocked {
        /// The guards that block.
        guards: BTreeSet<Guard>,
        /// Whether facts or records cannot be read.
        unreadable: bool,
    },
    /// The policy says `sweep = false`, and nobody requested the erasure.
    SweepOff,
    /// No trigger applies.
    NoTrigger,
    /// The customer has no date from which the trigger could count.
    NoDate(Trigger),
    /// The period ends later than the last date that can be computed.
    Never(Trigger),
    /// The policy has no such treatment.
    NoSuchTreatment(TreatmentName),
    /// The customer was treated before in the same way, and nothing is left to do.
    TreatedBefore(CaseId),
    /// The customer is the tenant's "Unknown Customer".
    StandIn,
}

/// What has changed about a profile since a person reviewed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProfileChanged {
    /// The profile may belong to several customers.
    Ambiguous,
    /// The profile belongs to another customer, or to nobody.
    Customer,
    /// The customer is no longer archived or erased.
    Findings,
    /// The profile names another owner at the gateway.
    Owner,
}

impl SupersedeReason {
    /// The reason for a mandate that is not valid.
    pub(crate) fn mandate(error: &ApprovalError) -> Self {
        let expired =
            if let ApprovalError::Expired { expires_at } = error { Some(*expires_at) } else { None };
        Self::Mandate { expired }
    }

    /// The reason for a decision that differs from the approved one.
    pub(crate) fn not_due(decision: &Decision) -> Self {
        match decision {
            Decision::Due(_) => Self::Plan(Changed::Terms),
            Decision::NotYet(not_yet) => {
                Self::NotDue(NotDue::NotYet { trigger: not_yet.trigger, until: not_yet.until })
            }
            Decision::Blocked(blocked) => Self::NotDue(NotDue::Blocked {
                guards: blocked.by.iter().filter_map(|by| by.guard.clone()).collect(),
                unreadable: blocked.by.iter().any(|by| by.guard.is_none()),
            }),
            Decision::Nothing(nothing) => Self::NotDue(match nothing {
                Nothing::SweepOff => NotDue::SweepOff,
                Nothing::NoTrigger => NotDue::NoTrigger,
                Nothing::NoDate { trigger, .. } => NotDue::NoDate(*trigger),
                Nothing::Never { trigger } => NotDue::Never(*trigger),
                Nothing::NoSuchTreatment { treatment } => NotDue::NoSuchTreatment(treatment.clone()),
                Nothing::TreatedBefore { case, .. } => NotDue::TreatedBefore(case.clone()),
                Nothing::StandIn => NotDue::StandIn,
            }),
        }
    }
}

impl fmt::Display for SupersedeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCustomer => f.write_str("there is no such customer any more"),
            Self::AnotherCustomer => f.write_str("another customer has this id now, and must not be touched"),
            Self::BroughtBack => f.write_str("somebody reactivated the customer while the case was open"),
            Self::CustomerChanged => f.write_str("the customer changed in the meantime; plan again"),
            Self::Guard(guard) => write!(f, "{}; {}", guard.why(), guard.way_out()),
            Self::Mandate { expired: Some(at) } => {
                write!(f, "the approval expired at {at}; approve the plan again")
            }
            Self::Mandate { expired: None } => {
                f.write_str("the approval is not valid for this plan now; approve the plan again")
            }
            Self::Used => f.write_str("the approval was already used for another case; approve a new plan"),
            Self::Strategy { name, version, found } => {
                write!(f, "this program has no strategy {name}, version {version}")?;
                if let Some(found) = found {
                    write!(f, ", but has version {found} of this strategy")?;
                }
                f.write_str("; give it to EngineBuilder::strategies, or plan again under today's policy")
            }
            Self::NotDue(not_due) => write!(f, "{not_due}"),
            Self::Plan(changed) => write!(f, "{changed}"),
            Self::Account { gateway, planned: Some(planned) } => write!(
                f,
                "the adapter of {gateway} uses the key of another account; the plan was made with account {planned}: give the adapter \
                 that account's key"
            ),
            Self::Account { gateway, planned: None } => write!(
                f,
                "the adapter of {gateway} uses the key of another account than before; give it the former key, or \
                 plan again"
            ),
            Self::NoAdapter { gateway } => {
                write!(f, "the engine has no adapter for gateway {gateway}; give the builder one")
            }
            Self::NoRecipient { recipient } => {
                write!(f, "the engine has no adapter for recipient {recipient}; give the builder one")
            }
            Self::Profile(changed) => write!(f, "{changed}; reconcile again"),
            Self::Copies(changed) => write!(f, "{changed}"),
        }
    }
}

impl fmt::Display for NotDue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYet { trigger, until } => {
                write!(f, "not yet: {trigger} makes the customer due on {until}")
            }
            Self::Blocked { guards, unreadable } => {
                f.write_str("refused: ")?;
                let mut several = false;
                for guard in guards {
                    write!(f, "{}{}; {}", separator(&mut several), guard.why(), guard.way_out())?;
                }
                if *unreadable {
                    write!(
                        f,
                        "{}facts or records of the customer cannot be read; plan again to see which",
                        separator(&mut several)
                    )?;
                }
                Ok(())
            }
            Self::SweepOff => {
                f.write_str("nothing to do: the policy's sweep is off, and there is no request")
            }
            Self::NoTrigger => f.write_str("nothing to do: no trigger of the policy applies"),
            Self::NoDate(trigger) => {
                write!(f, "nothing to do: the customer has no date from which {trigger} counts")
            }
            Self::Never(trigger) => {
                write!(f, "nothing to do: the period of {trigger} ends beyond the calendar")
            }
            Self::NoSuchTreatment(treatment) => {
                write!(f, "nothing to do: the policy has no treatment {treatment}")
            }
            Self::TreatedBefore(case) => {
                write!(
                    f,
                    "nothing to do: case {case} treated the customer in the same way, and nothing is left"
                )
            }
            Self::StandIn => f.write_str("nothing to do: the customer is the tenant's \"Unknown Customer\""),
        }
    }
}

fn separator(several: &mut bool) -> &'static str {
    if std::mem::replace(several, true) { "; also: " } else { "" }
}

impl fmt::Display for ProfileChanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ambiguous => "the profile may now belong to several customers",
            Self::Customer => "the profile now belongs to another customer, or to nobody",
            Self::Findings => "the customer has changed since the review",
            Self::Owner => "the gateway now names another owner of the profile",
        })
    }
}
