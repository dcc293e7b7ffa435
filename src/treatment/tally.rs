//! What a store counts: before, while it treats, and after.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::data_map::{ClassName, FieldName};

/// How many records of a class a customer has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassTally {
    /// Records that belong to the customer.
    pub rows: u64,
    /// Those to which the treatment would still do something.
    pub due: u64,
}

/// How many records a customer has, per class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// By class.
    pub classes: BTreeMap<ClassName, ClassTally>,
    /// By class, records that a duty keeps for now. They are among the rows, and not among those that are due.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: BTreeMap<ClassName, Kept>,
    /// By class, records of which fewer customers share what would stay than the treatment's [smallest
    /// group](crate::treatment::SmallestGroup) takes, and of which it is there still: it is made more general or cleared. Not
    /// among those that are due; a group may grow smaller when others leave.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rare: BTreeMap<ClassName, u64>,
    /// By class, those among the rare ones of which too few share even what is one step more general: they are cleared.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alone: BTreeMap<ClassName, u64>,
    /// By class and field, mentions in texts that may mean the customer and are not certain: they stay, and a person
    /// should look at them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub uncertain: Uncertain,
    /// By class, records of the customer that somebody else has too who stays: they stay with that one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<ClassName, u64>,
    /// By class and link, records that are treated although the link leads to another customer: a field of such a record belongs to
    /// that customer, or the record belongs to somebody over other records only. The plan says so, because a map with the wrong
    /// owner would take other people's records.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub named_others: BTreeMap<ClassName, BTreeMap<String, u64>>,
    /// By class, records of others in which only fields belong to the customer. They are among the rows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<ClassName, u64>,
    /// By class, records that would go and that a record needs which stays. They are due only as long as they are not
    /// anonymised.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tombstones: BTreeMap<ClassName, u64>,
}

/// How many records of each class were treated, as the store did it.
///
/// Every record of the class counts that the customer has, whatever was in its fields: a count of those that were
/// written to would tell which fields were empty before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// By class, the customer's records that were treated as the action of the class says.
    pub classes: BTreeMap<ClassName, u64>,
    /// By class, what was done otherwise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub otherwise: BTreeMap<ClassName, Otherwise>,
}

/// What was done to records of a class otherwise than the action of the class says. A record is counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Otherwise {
    /// The customer's records that were deleted and not handed over, because the "Unknown Customer" had an equal one.
    #[serde(skip_serializing_if = "is_zero")]
    pub deleted: u64,
    /// The customer's records that were anonymised and stay for now, because a record needs them that stays.
    #[serde(skip_serializing_if = "is_zero")]
    pub meanwhile: u64,
    /// Records of others that stay as they are but for the fields that belong to the customer.
    #[serde(skip_serializing_if = "is_zero")]
    pub fields: u64,
    /// By link, records that stay and whose link to a deleted record was cut.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cut: BTreeMap<String, u64>,
    /// By link, records that stay and whose link to a deleted record leads to the "Unknown Customer" now.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub handed_over: BTreeMap<String, u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Otherwise {
    fn add(&mut self, other: &Self) {
        self.deleted += other.deleted;
        self.meanwhile += other.meanwhile;
        self.fields += other.fields;
        for (mine, others) in [(&mut self.cut, &other.cut), (&mut self.handed_over, &other.handed_over)] {
            for (link, count) in others {
                *mine.entry(link.clone()).or_default() += count;
            }
        }
    }
}

impl Counts {
    /// Adds others to these.
    pub fn add(&mut self, other: &Self) {
        for (class, count) in &other.classes {
            *self.classes.entry(class.clone()).or_default() += count;
        }
        for (class, otherwise) in &other.otherwise {
            self.otherwise.entry(class.clone()).or_default().add(otherwise);
        }
    }

    /// Whether nothing was done to any record.
    pub fn is_nothing(&self) -> bool {
        self.classes.values().all(|count| *count == 0)
            && self.otherwise.values().all(|otherwise| *otherwise == Otherwise::default())
    }

    /// By class, the customer's records to which something was done, and those of others of which fields were written.
    pub(crate) fn touched(&self) -> BTreeMap<ClassName, u64> {
        let mut all = self.classes.clone();
        for (class, Otherwise { deleted, meanwhile, fields, .. }) in &self.otherwise {
            *all.entry(class.clone()).or_default() += deleted + meanwhile + fields;
        }
        all
    }
}

/// How many mentions are not certain, by class and field.
pub type Uncertain = BTreeMap<ClassName, BTreeMap<FieldName, u64>>;

/// Records of a class that a duty keeps for now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// How many.
    pub rows: u64,
    /// The latest date among them, by the field that holds it.
    pub latest: BTreeMap<FieldName, NaiveDate>,
    /// The earliest date by which one of them is kept, by the field that holds it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub earliest: BTreeMap<FieldName, NaiveDate>,
    /// How many of them hold a date that cannot be read, by the field that holds it. Nobody can tell when their duty ends.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<FieldName, u64>,
}

impl Kept {
    /// Adds records whose date cannot be read.
    pub fn add_unreadable(&mut self, field: &FieldName, rows: u64) {
        if rows > 0 {
            *self.unreadable.entry(field.clone()).or_default() += rows;
        }
    }

    /// Adds what is known of the dates of others.
    #[cfg(feature = "sqlite")]
    pub(crate) fn and(&mut self, other: &Self) {
        self.rows += other.rows;
        for (field, date) in other.latest.iter().chain(&other.earliest) {
            self.add(field, Some(*date));
        }
        for (field, rows) in &other.unreadable {
            self.add_unreadable(field, *rows);
        }
    }

    /// Adds a record, with its date if it has one.
    pub fn add(&mut self, field: &FieldName, date: Option<NaiveDate>) {
        if let Some(date) = date {
            let latest = self.latest.entry(field.clone()).or_insert(date);
            *latest = date.max(*latest);
            let earliest = self.earliest.entry(field.clone()).or_insert(date);
            *earliest = date.min(*earliest);
        }
    }
}

impl Tally {
    /// Records to which the treatment would still do something.
    pub fn due(&self) -> u64 {
        self.classes.values().map(|class| class.due).sum()
    }

    /// Whether there is anything left to do, what singles the customer out among it.
    pub(crate) fn is_anything_left(&self) -> bool {
        self.due() > 0 || self.rare.values().any(|rows| *rows > 0)
    }
}
