//! Personal fields that stay for a limited time, and are treated afterwards.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{ClassTreatment, Lead, RecordAction, Treatment};
use crate::anonymise::Strategy;
use crate::data_map::{ClassName, FieldName, Period};

/// How long a personal field stays in a treated record, and what is written to the field after that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptFor {
    pub(crate) period: Period,
    pub(crate) then: Strategy,
}

impl KeptFor {
    /// How long the field stays, counted from the day on which the case was closed.
    pub fn period(&self) -> Period {
        self.period
    }

    /// The strategy that is written to the field after that.
    pub fn then(&self) -> &Strategy {
        &self.then
    }
}

/// The last day on which each field of a treated record stays.
pub type KeptUntil = BTreeMap<ClassName, BTreeMap<FieldName, NaiveDate>>;

/// Fields that earlier cases kept for a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeptBefore {
    /// The fields that stay, each with its last day.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub until: KeptUntil,
    /// The fields whose time is over. They are treated now.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub over: BTreeMap<ClassName, BTreeSet<FieldName>>,
}

impl KeptBefore {
    /// The state on one day of the fields that cases kept. If a field has several last days, the first of them
    /// counts.
    pub(crate) fn on<'k>(today: NaiveDate, kept: impl IntoIterator<Item = &'k KeptUntil>) -> Self {
        let mut until = KeptUntil::new();
        for (class, fields) in kept.into_iter().flatten() {
            for (field, day) in fields {
                let of_class = until.entry(class.clone()).or_default();
                let first = of_class.entry(field.clone()).or_insert(*day);
                *first = (*first).min(*day);
            }
        }
        let mut over = BTreeMap::<ClassName, BTreeSet<FieldName>>::new();
        for (class, fields) in &mut until {
            let ended = fields.iter().filter(|(_, day)| **day < today).map(|(field, _)| field.clone());
            over.insert(class.clone(), ended.collect());
            fields.retain(|_, day| *day >= today);
        }
        until.retain(|_, fields| !fields.is_empty());
        over.retain(|_, fields| !fields.is_empty());
        Self { until, over }
    }

    /// Whether no earlier case kept a field for a time.
    pub fn is_empty(&self) -> bool {
        self.until.is_empty() && self.over.is_empty()
    }
}

impl ClassTreatment {
    /// The [kept](Self::kept) fields that stay only for a time. The others stay as long as their record.
    pub fn kept_for(&self) -> &BTreeMap<FieldName, KeptFor> {
        &self.kept_for
    }

    /// The reason of a kept field, with the time for which it stays.
    pub(crate) fn describe_kept(&self, field: &FieldName, reason: &str) -> String {
        match self.kept_for.get(field) {
            Some(kept) => {
                format!(
                    "stays for {} after the erasure ({reason}), then: {}",
                    kept.period,
                    kept.then.describe()
                )
            }
            None => format!("stays as long as the record: {reason}"),
        }
    }

    /// Treats fields whose time is over.
    fn release(&mut self, fields: &BTreeSet<FieldName>) {
        for field in fields {
            let Some(kept) = self.kept_for.remove(field) else { continue };
            self.kept.remove(field);
            self.fields.insert(field.clone(), kept.then);
            self.kept_before.insert(field.clone());
            if let Some(group) = &mut self.smallest_group {
                group.fields.remove(field);
                group.coarser.remove(field);
            }
        }
        if self.smallest_group.as_ref().is_some_and(|group| group.fields.is_empty()) {
            self.smallest_group = None;
        }
    }
}

impl Treatment {
    /// The treatment of a customer for whom the time of some kept fields is over. These fields are treated like the
    /// others.
    pub(crate) fn releasing(&self, over: &BTreeMap<ClassName, BTreeSet<FieldName>>) -> Self {
        let mut released = self.clone();
        for (class, fields) in over {
            if let Some(treated) = released.classes.get_mut(class) {
                treated.release(fields);
            }
        }
        let stays = |lead: &Lead| match lead {
            Lead::Field { class, field, while_kept: false, .. } => {
                released.classes.get(class).is_none_or(|treated| treated.kept.contains_key(field))
            }
            _ => true,
        };
        released.links = self.links.iter().filter(|lead| stays(lead)).cloned().collect();
        released
    }

    /// The last day of each field that stays for a time, if the case is closed on this day. If an earlier case kept a
    /// field, the field keeps the day of that case.
    pub(crate) fn kept_until(
        &self,
        closed_on: NaiveDate,
        before: &KeptUntil,
        is_left: impl Fn(&ClassName) -> bool,
    ) -> KeptUntil {
        let mut until = KeptUntil::new();
        for (class, treated) in self.classes.iter().filter(|(class, _)| is_left(class)) {
            if treated.action != RecordAction::Anonymise {
                continue;
            }
            for (field, kept) in &treated.kept_for {
                let known = before.get(class).and_then(|fields| fields.get(field)).copied();
                // A period beyond the end of the calendar has no last day.
                let ends = || kept.period.end(closed_on)?.pred_opt();
                if let Some(day) = known.or_else(ends) {
                    until.entry(class.clone()).or_default().insert(field.clone(), day);
                }
            }
        }
        until
    }
}
