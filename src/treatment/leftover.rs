//! Leftovers: copies of erased values in records that stay, in columns where nobody expects them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ClassTreatment, RecordAction, Treatment};
use crate::data_map::{ClassName, Datatype, Field, FieldName, Kind, RecordClass, Role};

/// What happens if a record that stays still contains an erased value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLeftover {
    /// The certificate lists the class, the field and the records.
    #[default]
    List,
    /// The transaction is rolled back, and the case is blocked.
    Block,
}

impl OnLeftover {
    /// Both.
    pub const ALL: [Self; 2] = [Self::List, Self::Block];

    /// The name in the policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Block => "block",
        }
    }
}

/// Records of a class in which a field still contained an erased value.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// The number of records.
    pub rows: u64,
    /// The keys of the first [`MOST_KEYS`](Self::MOST_KEYS) of these records. Only numeric keys are listed, because
    /// they identify nobody. Empty for customers' own records, and for keys that lead to a customer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

/// By class and field.
pub type Leftovers = BTreeMap<ClassName, BTreeMap<FieldName, Leftover>>;

impl Leftover {
    /// The number of keys that are kept.
    pub const MOST_KEYS: usize = 20;

    /// Adds a record, with its key if the key identifies nobody.
    pub fn add(&mut self, key: Option<String>) {
        self.rows += 1;
        if self.keys.len() < Self::MOST_KEYS {
            self.keys.extend(key);
        }
    }
}

/// A key may identify a person, so it is not shown.
impl fmt::Debug for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leftover").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// Adds the leftovers of another part of the same erasure.
pub(super) fn add(to: &mut Leftovers, other: &Leftovers) {
    for (class, fields) in other {
        for (field, found) in fields {
            let mine = to.entry(class.clone()).or_default().entry(field.clone()).or_default();
            mine.rows += found.rows;
            let room = Leftover::MOST_KEYS.saturating_sub(mine.keys.len());
            mine.keys.extend(found.keys.iter().take(room).cloned());
        }
    }
}

impl Treatment {
    /// What happens if a record that stays still contains an erased value.
    pub fn on_leftover(&self) -> OnLeftover {
        self.on_leftover
    }

    /// Whether the treatment erases the values of a field: the record is deleted, or the field is overwritten.
    pub(crate) fn erases(&self, class: &str, field: &str) -> bool {
        self.classes.get(class).is_some_and(|class| match class.action() {
            RecordAction::Delete => true,
            RecordAction::Keep { .. } => false,
            RecordAction::Anonymise | RecordAction::Reassign => class.fields().contains_key(field),
        })
    }

    /// The fields whose erased values are searched for, by class. These are the fields that identify a person.
    pub(crate) fn sought<'m>(
        &self,
        classes: impl Iterator<Item = &'m RecordClass>,
    ) -> BTreeMap<ClassName, Vec<FieldName>> {
        let mut sought = BTreeMap::new();
        for class in classes {
            let is_sought = |field: &&Field| {
                field.kind().is_some_and(Kind::identifies)
                    && self.erases(class.name().as_str(), field.name().as_str())
            };
            let fields: Vec<FieldName> =
                class.fields().iter().filter(is_sought).map(|field| field.name().clone()).collect();
            if !fields.is_empty() {
                sought.insert(class.name().clone(), fields);
            }
        }
        sought
    }
}

#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    allow(dead_code, reason = "only stores over SQL search what stays")
)]
impl ClassTreatment {
    /// The fields in which an erased value may be left. These are texts that the treatment does not change, and that
    /// the map classifies as not personal, or as too general to name a person. Fields that the policy keeps on
    /// purpose are not included: plan and certificate list them.
    pub(crate) fn may_be_left<'f>(&'f self, class: &'f RecordClass) -> impl Iterator<Item = &'f Field> {
        let stays = match self.action() {
            RecordAction::Delete => self.tombstone().is_some(),
            RecordAction::Keep { .. } | RecordAction::Anonymise | RecordAction::Reassign => true,
        };
        let written = match (self.action(), self.tombstone()) {
            (RecordAction::Delete, Some(tombstone)) => Some(tombstone.fields()),
            (RecordAction::Keep { .. } | RecordAction::Delete, _) => None,
            (RecordAction::Anonymise | RecordAction::Reassign, _) => Some(self.fields()),
        };
        class.fields().iter().filter(move |field| {
            let is_text = matches!(field.constraints().datatype, Datatype::Text | Datatype::Any);
            let is_known = field.kind().is_some_and(Kind::names_person);
            let is_written = written.is_some_and(|written| written.contains_key(field.name()));
            stays && is_text && !is_known && !is_written && field.role() == Role::Value
        })
    }
}
