//! The counts of a store: before, during and after a treatment.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::by_content::ContentsOfFields;
use super::leftover::{self, Leftovers};
use crate::data_map::{ClassName, FieldName};

/// The number of a customer's records of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassTally {
    /// Records that belong to the customer.
    pub rows: u64,
    /// Records that the treatment would still change or delete.
    pub due: u64,
}

/// The number of a customer's records, per class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The counts, by class.
    pub classes: BTreeMap<ClassName, ClassTally>,
    /// Records that a duty keeps for now, by class. They are included in `rows`, but not in `due`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: BTreeMap<ClassName, Kept>,
    /// Records whose kept values are shared by fewer customers than the treatment's [smallest
    /// group](crate::treatment::SmallestGroup) requires, by class. Only records whose values are still there count:
    /// the values are made more general or cleared. These records are not included in `due`, because a group may
    /// shrink when others leave.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rare: BTreeMap<ClassName, u64>,
    /// Records among the `rare` whose more general values are shared by too few customers, too, by class. They are
    /// cleared.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alone: BTreeMap<ClassName, u64>,
    /// Uncertain mentions in texts, by class and field. They may mean the customer. They stay, and an operator should
    /// check them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub uncertain: Uncertain,
    /// What documents and unreadable values would become, by class and field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contents: BTreeMap<ClassName, ContentsOfFields>,
    /// Records that another, remaining customer also owns, by class. They stay with that customer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<ClassName, u64>,
    /// Records that are treated although one of their links leads to another customer, by class and link. Either a
    /// field of the record belongs to that customer, or the record's owner is found only over other records. The plan
    /// reports them, because a map with the wrong owner would erase other people's records.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub named_others: BTreeMap<ClassName, BTreeMap<String, u64>>,
    /// Records that are treated, and stay with fields that no erasure will ever write, by class and link. The fields
    /// belong to the person at the other end of the link, but the link leads nowhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nobodys_fields: BTreeMap<ClassName, BTreeMap<String, u64>>,
    /// Records that nobody who stays has, and that lead to treated, shared records, by the class of these and by class and
    /// link. They lose what is erased there: the address of a guest's order, for example.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nobodys_records: BTreeMap<ClassName, BTreeMap<String, u64>>,
    /// Records of other owners in which some fields belong to the customer, by class. They are included in `rows`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<ClassName, u64>,
    /// Records of other owners that a duty keeps for now, and in which some fields belong to the customer, by class.
    /// They are not included in `rows`. The fields are due when the duty ends.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept_fields: BTreeMap<ClassName, Kept>,
    /// Records that would be deleted if no retained record referenced them, by class. They are included in `due`
    /// until they are anonymised.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tombstones: BTreeMap<ClassName, u64>,
}

/// The number of treated records of each class, as the store treated them.
///
/// Every record of the customer counts, even if its fields were empty. A count of only the changed records would
/// reveal which fields were empty before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The customer's records that were treated with the action of their class, by class.
    pub classes: BTreeMap<ClassName, u64>,
    /// What was done instead of the action, by class.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub otherwise: BTreeMap<ClassName, Otherwise>,
    /// Records that stay and still contained an erased value, if the store [searches for
    /// them](crate::store::RecordStore).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub leftovers: Leftovers,
}

/// What else was done to records of a class, beside the class's action. Except for `named_others`, `nobodys_fields`,
/// `nobodys_records` and `contents`, each record counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Otherwise {
    /// The customer's records that were deleted instead of handed over, because the "Unknown Customer" had an equal
    /// record.
    #[serde(skip_serializing_if = "is_zero")]
    pub deleted: u64,
    /// The customer's records that were anonymised and stay for now, because a retained record references them.
    #[serde(skip_serializing_if = "is_zero")]
    pub meanwhile: u64,
    /// Records of other owners in which only the customer's fields were erased.
    #[serde(skip_serializing_if = "is_zero")]
    pub fields: u64,
    /// The customer's records that another, remaining customer also owns. They are not changed, and stay with that
    /// customer.
    #[serde(skip_serializing_if = "is_zero")]
    pub shared: u64,
    /// The number of records that were treated although one of their links led to another customer, by link. The
    /// customers are not recorded.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub named_others: BTreeMap<String, u64>,
    /// Records that were treated and stay with fields that no erasure writes, by link. The fields belong to the person at
    /// the far end of the link, and the link led nowhere.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub nobodys_fields: BTreeMap<String, u64>,
    /// What documents and unreadable values became, by field. They were counted in the transaction that wrote them,
    /// right before it wrote them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub contents: ContentsOfFields,
    /// Records that nobody who stayed had, and that led to treated records of this class, by class and link. They lost what
    /// was erased there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub nobodys_records: BTreeMap<String, u64>,
    /// Records that stay and whose link to a deleted record was cut, by link.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cut: BTreeMap<String, u64>,
    /// Records that stay and whose link now leads to the "Unknown Customer", by link.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub handed_over: BTreeMap<String, u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(super) fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Otherwise {
    /// Whether nothing was done. A shared record that stays with its other owner is no deed. Records that named others,
    /// records with fields of nobody, records of nobody, and values by what they became are counted where something was
    /// treated.
    fn is_nothing(&self) -> bool {
        let Self { shared, named_others, nobodys_fields, contents, nobodys_records, .. } = self.clone();
        *self == Self { shared, named_others, nobodys_fields, contents, nobodys_records, ..Self::default() }
    }

    fn add(&mut self, other: &Self) {
        self.deleted += other.deleted;
        self.meanwhile += other.meanwhile;
        self.fields += other.fields;
        self.shared += other.shared;
        for (mine, others) in [
            (&mut self.named_others, &other.named_others),
            (&mut self.nobodys_fields, &other.nobodys_fields),
            (&mut self.nobodys_records, &other.nobodys_records),
            (&mut self.cut, &other.cut),
            (&mut self.handed_over, &other.handed_over),
        ] {
            for (link, count) in others {
                *mine.entry(link.clone()).or_default() += count;
            }
        }
        for (field, contents) in &other.contents {
            self.contents.entry(field.clone()).or_default().add(contents);
        }
    }
}

impl Counts {
    /// Adds other counts.
    pub fn add(&mut self, other: &Self) {
        for (class, count) in &other.classes {
            *self.classes.entry(class.clone()).or_default() += count;
        }
        for (class, otherwise) in &other.otherwise {
            self.otherwise.entry(class.clone()).or_default().add(otherwise);
        }
        leftover::add(&mut self.leftovers, &other.leftovers);
    }

    /// Whether nothing was done to any record.
    pub fn is_nothing(&self) -> bool {
        self.classes.values().all(|count| *count == 0) && self.otherwise.values().all(Otherwise::is_nothing)
    }

    /// The number of touched records, by class: the customer's records, and records of others in which fields were
    /// written.
    pub(crate) fn touched(&self) -> BTreeMap<ClassName, u64> {
        let mut all = self.classes.clone();
        for (class, Otherwise { deleted, meanwhile, fields, .. }) in &self.otherwise {
            *all.entry(class.clone()).or_default() += deleted + meanwhile + fields;
        }
        all
    }
}

/// The number of uncertain mentions, by class and field.
pub type Uncertain = BTreeMap<ClassName, BTreeMap<FieldName, u64>>;

/// Records of a class that a duty keeps for now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The number of records.
    pub rows: u64,
    /// The latest date of these records, by the field with the date.
    pub latest: BTreeMap<FieldName, NaiveDate>,
    /// The earliest date that keeps one of them, by the field with the date.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub earliest: BTreeMap<FieldName, NaiveDate>,
    /// The number of these records whose date cannot be read, by the field with the date. The end of their duty is
    /// unknown.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<FieldName, u64>,
    /// The number of these records that no duty on their own class keeps. They stay only because records of other
    /// classes need them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub for_others: u64,
    /// The records under a duty that need some of these records. Empty if their dates are unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keepers: Vec<Keepers>,
}

/// Records under a duty that keeps other records with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keepers {
    /// The class of these records.
    pub class: ClassName,
    /// The links over which the duty keeps other records: class and link.
    pub needs: BTreeSet<(ClassName, String)>,
    /// The dates of these records. Their number is not counted.
    pub dates: Kept,
}

impl Kept {
    /// Adds records whose date cannot be read.
    pub fn add_unreadable(&mut self, field: &FieldName, rows: u64) {
        if rows > 0 {
            *self.unreadable.entry(field.clone()).or_default() += rows;
        }
    }

    /// Adds the counts and dates of other records.
    pub(crate) fn and(&mut self, other: &Self) {
        self.rows += other.rows;
        for (field, date) in other.latest.iter().chain(&other.earliest) {
            self.add(field, Some(*date));
        }
        for (field, rows) in &other.unreadable {
            self.add_unreadable(field, *rows);
        }
        self.for_others += other.for_others;
        self.keepers.extend(other.keepers.iter().cloned());
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
    /// Adds the counts of another store. No class is in both stores.
    pub(crate) fn join(&mut self, other: Self) {
        self.classes.extend(other.classes);
        self.kept.extend(other.kept);
        self.rare.extend(other.rare);
        self.alone.extend(other.alone);
        self.uncertain.extend(other.uncertain);
        self.contents.extend(other.contents);
        self.others.extend(other.others);
        self.named_others.extend(other.named_others);
        self.nobodys_fields.extend(other.nobodys_fields);
        self.nobodys_records.extend(other.nobodys_records);
        self.fields.extend(other.fields);
        self.kept_fields.extend(other.kept_fields);
        self.tombstones.extend(other.tombstones);
    }

    /// Records that the treatment would still change or delete.
    pub fn due(&self) -> u64 {
        self.classes.values().map(|class| class.due).sum()
    }

    /// The records that duties keep, by class: the customer's own, and those of others that hold fields of the customer.
    pub fn kept_in_all(&self) -> BTreeMap<ClassName, Kept> {
        let mut all = self.kept.clone();
        for (class, kept) in &self.kept_fields {
            all.entry(class.clone()).or_default().and(kept);
        }
        all
    }

    /// Whether anything is left to do, including values that identify the customer because too few customers share
    /// them.
    pub(crate) fn is_anything_left(&self) -> bool {
        self.due() > 0 || self.rare.values().any(|rows| *rows > 0)
    }
}
