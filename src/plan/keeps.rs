//! What duties keep of a customer's records: the facts that an approval binds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Deferred;
use crate::data_map::{ClassName, FieldName};
use crate::policy::Effective;
use crate::treatment::Tally;
use crate::words::plural;

/// What duties keep of one class, as counted for a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeptClass {
    /// The number of kept records.
    pub rows: u64,
    /// By duty, the last day on which the duty keeps one of the records. `None` if no end is known.
    pub duties: BTreeMap<String, Option<NaiveDate>>,
    /// The first day on which one of the records may be free. `None` if no end is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_from: Option<NaiveDate>,
    /// By field, the number of kept records whose date in this field cannot be read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<FieldName, u64>,
}

/// Prints a line such as `1 row (bookkeeping until 2026-12-31)`.
impl fmt::Display for KeptClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duties: Vec<String> = self
            .duties
            .iter()
            .map(|(duty, until)| match until {
                Some(until) => format!("{duty} until {until}"),
                None => format!("{duty} with no end that is known"),
            })
            .collect();
        write!(f, "{} {}", self.rows, plural(self.rows, "row"))?;
        if duties.is_empty() { Ok(()) } else { write!(f, " ({})", duties.join(", ")) }
    }
}

/// What stays of a customer because of duties.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Keeps {
    /// Records that duties keep, by class.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    classes: BTreeMap<ClassName, KeptClass>,
    /// The number of tombstones, by class: records that stay, anonymised, because a kept record needs them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tombstones: BTreeMap<ClassName, u64>,
}

impl Keeps {
    /// What duties keep, calculated from a count.
    pub(crate) fn counted(policy: &Effective, tally: &Tally) -> Self {
        let classes = Deferred::counted(policy, tally).into_iter().map(|deferred| {
            let duties = deferred.duties.iter().map(|by| (by.duty.to_string(), by.until)).collect();
            let kept = KeptClass {
                rows: deferred.rows.unwrap_or_default(),
                duties,
                free_from: deferred.free_from,
                unreadable: deferred.unreadable,
            };
            (deferred.class, kept)
        });
        let some = tally.tombstones.iter().filter(|(_, rows)| **rows > 0);
        Self {
            classes: classes.collect(),
            tombstones: some.map(|(class, rows)| (class.clone(), *rows)).collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.classes.is_empty() && self.tombstones.is_empty()
    }

    /// Whether a kept record may be free on a day. Tombstones may always be free, because another customer's record
    /// may need them, and its dates are not known.
    pub(super) fn may_end_by(&self, day: NaiveDate) -> bool {
        let is_over = |kept: &KeptClass| kept.free_from.is_some_and(|from| from <= day);
        !self.tombstones.is_empty() || self.classes.values().any(is_over)
    }

    /// The first class of which duties keep something else now.
    pub(super) fn changed(&self, now: &Self) -> Option<Changed> {
        let names: BTreeSet<&ClassName> = self.classes.keys().chain(now.classes.keys()).collect();
        let kept = names.into_iter().find_map(|class| {
            let (approved, now) = (self.classes.get(class), now.classes.get(class));
            (approved != now).then(|| Changed::Kept {
                class: class.clone(),
                approved: approved.cloned(),
                now: now.cloned(),
            })
        });
        kept.or_else(|| {
            let rows = |keeps: &Self, class: &ClassName| keeps.tombstones.get(class).copied().unwrap_or(0);
            let names: BTreeSet<&ClassName> = self.tombstones.keys().chain(now.tombstones.keys()).collect();
            let class = names.into_iter().find(|class| rows(self, class) != rows(now, class))?;
            let (approved, now) = (rows(self, class), rows(now, class));
            Some(Changed::Needed { class: class.clone(), approved, now })
        })
    }
}

/// What has changed since a plan was approved. The plan is void, and nothing was touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Changed {
    /// Duties keep other records of a class than planned: a duty has ended, or records were added or deleted.
    Kept {
        /// The class.
        class: ClassName,
        /// What duties kept when the plan was made. `None`: nothing.
        approved: Option<KeptClass>,
        /// What duties keep now. `None`: nothing.
        now: Option<KeptClass>,
    },
    /// The number of tombstones of a class has changed.
    Needed {
        /// The class.
        class: ClassName,
        /// The number when the plan was made.
        approved: u64,
        /// The number now.
        now: u64,
    },
    /// Facts of the customer, the policy or the data map have changed.
    Terms,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept { class, approved, now } => {
                let says = |kept: &Option<KeptClass>| {
                    kept.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
                };
                write!(
                    f,
                    "what duties keep of {class} has changed: the plan keeps {}, and now they keep {}",
                    says(approved),
                    says(now)
                )?;
            }
            Self::Needed { class, approved, now } => write!(
                f,
                "what stays of {class} for records that duties keep has changed: the plan keeps {approved} {}, and now \
                 {now} {} needed",
                plural(*approved, "row"),
                if *now == 1 { "is" } else { "are" }
            )?,
            Self::Terms => f.write_str("what the decision depended on has changed")?,
        }
        f.write_str("; plan again and approve the new plan")
    }
}
