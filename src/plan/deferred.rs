//! What duties defer: which records stay for now, by which law, and until when.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Serialize, Serializer};

use super::{Kept, Tally};
use crate::data_map::{ClassName, FieldName};
use crate::policy::{DeferredBy, Duty, Effective, Treatment};

/// Records of a class that must be kept for now. What the treatment says of them is done when the last duty on them has
/// ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Deferred {
    /// The record class.
    pub class: ClassName,
    /// How many records are kept for now. None where nobody has counted them: then there may be some.
    pub rows: Option<u64>,
    /// Every duty on them.
    #[serde(serialize_with = "each")]
    pub duties: Arc<[DeferredBy]>,
    /// The last day on which any of them is kept: of several duties the latest end wins. Of records that were counted it
    /// is the day of the latest, as far as their dates are known; where nobody has counted, it is that of a record dated
    /// today, and there can be none that is kept longer but one dated ahead. None where no end is known.
    pub until: Option<NaiveDate>,
    /// The first day on which any of the records that were counted may be free. None where nobody has counted, and where
    /// none has a date.
    pub free_from: Option<NaiveDate>,
    /// How many of the records that were counted hold a date that cannot be read, by field. Their duty has no end that is
    /// known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<FieldName, u64>,
    /// No duty names the class: its records are kept because records need them that a duty keeps.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub for_others: bool,
}

fn each<S: Serializer>(duties: &Arc<[DeferredBy]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(duties.iter())
}

impl Deferred {
    /// What the duties of a policy may defer, before anybody has counted: they keep a record dated today the longest.
    pub(super) fn at_most(policy: &Effective, treatment: &Treatment, today: NaiveDate) -> Vec<Self> {
        if policy.duties().is_empty() {
            return Vec::new();
        }
        let at_most = policy.deferred_at_most(treatment, today);
        let each = at_most.iter().map(|at_most| Self {
            class: at_most.class.clone(),
            rows: None,
            duties: Arc::clone(&at_most.duties),
            until: at_most.until,
            free_from: None,
            unreadable: BTreeMap::new(),
            for_others: false,
        });
        each.collect()
    }

    /// What they do defer, by the records that were counted.
    pub(crate) fn counted(policy: &Effective, tally: &Tally) -> Vec<Self> {
        let kept = tally.kept.iter().filter(|(_, kept)| kept.rows > 0);
        kept.map(|(class, kept)| {
            let latest = |_: &Duty, field: &FieldName| kept.latest.get(field).copied();
            let free_from = free_from(policy, class, kept);
            let unreadable = kept.unreadable.clone();
            Self { free_from, unreadable, ..Self::of(policy, class, kept.rows, latest) }
        })
        .collect()
    }

    fn of(
        policy: &Effective,
        class: &ClassName,
        rows: u64,
        latest: impl Fn(&Duty, &FieldName) -> Option<NaiveDate>,
    ) -> Self {
        let on_class = policy.duties().iter().filter_map(|duty| Some((duty, duty.classes().get(class)?)));
        let mut duties: Vec<DeferredBy> = on_class
            .map(|(duty, field)| {
                let ends = |date| duty.kept_until(date, policy.fiscal_year_ends());
                DeferredBy::new(duty, latest(duty, field).and_then(ends))
            })
            .collect();
        let for_others = duties.is_empty();
        if for_others {
            // They are kept with records of other classes, perhaps of others, for as long as these are kept.
            let with_others = policy.duties().iter().filter(|duty| !duty.needs().is_empty());
            duties.extend(with_others.map(|duty| {
                let latest = duty.classes().values().filter_map(|field| latest(duty, field)).max();
                DeferredBy::new(
                    duty,
                    latest.and_then(|date| duty.kept_until(date, policy.fiscal_year_ends())),
                )
            }));
            // Where the dates of those records are known, so is by which duties they are kept.
            if duties.iter().any(|duty| duty.until.is_some()) {
                duties.retain(|duty| duty.until.is_some());
            }
        }
        let until = duties.iter().filter_map(|duty| duty.until).max();
        let unreadable = BTreeMap::new();
        let (class, rows, duties) = (class.clone(), Some(rows), duties.into());
        Self { class, rows, duties, until, free_from: None, unreadable, for_others }
    }
}

/// No record is free before this day. Of the duties on one field the latest end counts; and every record that has a date
/// is kept by one of the fields.
fn free_from(policy: &Effective, class: &ClassName, kept: &Kept) -> Option<NaiveDate> {
    let ends = kept.earliest.iter().filter_map(|(field, earliest)| {
        let duties = policy.duties_on(class.as_str(), field.as_str());
        let ends = duties.map(|duty| duty.kept_until(*earliest, policy.fiscal_year_ends()));
        // One that has no end keeps the record for ever.
        ends.collect::<Option<Vec<_>>>()?.into_iter().max()
    });
    ends.min()?.succ_opt()
}

/// `3 rows of invoice must be kept until 2033-12-31 at the latest: bookkeeping: 7 years from …, by … (Art. 17(3)(b) GDPR)`
impl fmt::Display for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, rows, duties, until, unreadable, .. } = self;
        match (rows, until) {
            (Some(1), _) => write!(f, "1 row of {class} must be kept")?,
            (Some(rows), _) => write!(f, "{rows} rows of {class} must be kept")?,
            (None, _) => write!(f, "{class} must be kept, if there is any,")?,
        }
        match (rows, until) {
            (Some(_), Some(until)) => write!(f, " until {until} at the latest")?,
            (None, Some(until)) => write!(f, " until {until} at most")?,
            (_, None) => write!(f, " with no end that is known")?,
        }
        for (n, (field, rows)) in unreadable.iter().enumerate() {
            let (before, after) =
                (if n == 0 { " (" } else { ", " }, if n + 1 == unreadable.len() { ")" } else { "" });
            write!(f, "{before}{field} of {rows} cannot be read{after}")?;
        }
        for (n, duty) in duties.iter().enumerate() {
            write!(f, "{} {duty}", if n == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}
