//! Why a step of a case cannot be taken: as a fact, and as a sentence for a person.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::SupersedeReason;
use crate::anonymise::Unbound;
use crate::data_map::ClassName;

/// Why a step cannot be taken. The case book keeps the fact; `Display` makes the sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Hindrance {
    /// The approved plan does not fit the facts any more, and an irreversible step was begun.
    Because(SupersedeReason),
    /// The data map has changed since the case began.
    OtherDataMap,
    /// The customer does not exist any more, and this case did not erase the customer.
    Gone,
    /// The customer changed in the meantime.
    Changed,
    /// The store says that there is more to do, but does nothing.
    NothingDone,
    /// The store says that it is done, but some records are unchanged. Gives their number, by class.
    LeftAsTheyWere(BTreeMap<ClassName, u64>),
    /// The profile names another customer as its owner.
    OtherOwner,
    /// The gateway says that the profile is gone, but still has it.
    StillThere,
    /// This program lacks one of the host's own strategies with which the case began.
    NoStrategy {
        /// The strategy.
        name: String,
        /// The version with which the case began.
        version: u32,
        /// The registered version, if any.
        found: Option<u32>,
    },
    /// All attempts of a worker have failed for too long. The text is that of the last error.
    GivenUp {
        /// Since when.
        since: DateTime<Utc>,
        /// What the case waited for.
        what: String,
    },
    /// A port refused. The text is that of its own error or answer. It contains no personal values.
    Refused(String),
}

impl From<SupersedeReason> for Hindrance {
    fn from(because: SupersedeReason) -> Self {
        Self::Because(because)
    }
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Because(because) => write!(f, "{because}"),
            Self::OtherDataMap => {
                f.write_str("this case was begun under another data map; use that data map again")
            }
            Self::Gone => {
                f.write_str("the customer does not exist any more, but this case did not erase the customer")
            }
            Self::Changed => f.write_str("the customer changed in the meantime"),
            Self::NothingDone => f.write_str("the store says that there is more to do, but does nothing"),
            Self::LeftAsTheyWere(classes) => {
                let left: Vec<String> =
                    classes.iter().map(|(name, records)| format!("{records} of {name}")).collect();
                write!(
                    f,
                    "the store says that it is done, but these records are unchanged: {}",
                    left.join(", ")
                )
            }
            Self::OtherOwner => {
                f.write_str("the profile names another customer as its owner; correct the link")
            }
            Self::StillThere => f.write_str("the gateway says that the profile is gone, but still has it"),
            Self::NoStrategy { name, version, found } => {
                let unbound = Unbound { name: name.clone(), version: *version, found: *found };
                write!(f, "{unbound}")
            }
            Self::GivenUp { since, what } => {
                write!(
                    f,
                    "every attempt since {since} has failed: {what}; remove the cause, then retry the case"
                )
            }
            Self::Refused(said) => f.write_str(said),
        }
    }
}
