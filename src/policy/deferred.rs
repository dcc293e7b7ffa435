//! What duties defer: which records stay for now, by which law, and until when.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{Months, NaiveDate};
use serde::{Serialize, Serializer};

use super::{Duty, Effective, Ground, Period, StartRule};
use crate::data_map::{ClassName, FieldName};
use crate::treatment::Treatment;

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

/// One duty that defers, with what a refusal has to name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeferredBy {
    /// Its name in the policy.
    pub duty: Arc<str>,
    /// For how long and from when.
    pub terms: DutyTerms,
    /// The law that requires it.
    pub law: Arc<str>,
    /// The code of the statute, if it is one of the [table](crate::policy::statute).
    pub statute: Option<&'static str>,
    /// The ground on which it stands against a request.
    pub ground: Ground,
    /// The last day on which it keeps any of the records: known as that of [`Deferred::until`].
    pub until: Option<NaiveDate>,
}

/// For how long a duty keeps, and from when. `Display` has it in words, and so has JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DutyTerms {
    /// For how long.
    pub period: Period,
    /// From when.
    pub start: StartRule,
}

impl fmt::Display for DutyTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.period, self.start.describe())
    }
}

impl Serialize for DutyTerms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl DeferredBy {
    pub(crate) fn new(duty: &Duty, until: Option<NaiveDate>) -> Self {
        Self {
            duty: Arc::clone(&duty.name),
            terms: DutyTerms { period: duty.period(), start: duty.start() },
            law: Arc::clone(&duty.law),
            statute: duty.statute().map(|statute| statute.code),
            ground: duty.ground(),
            until,
        }
    }
}

impl fmt::Display for DeferredBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { duty, terms, law, ground, .. } = self;
        write!(f, "{duty}: {terms}, by {law} ({ground})")
    }
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

impl Effective {
    /// What the duties of a policy may defer of one of its own treatments, before anybody has counted: they keep a record
    /// dated today the longest. It is the same for every customer.
    pub(crate) fn deferred_at_most(&self, treatment: &Treatment, today: NaiveDate) -> Arc<[Deferred]> {
        if self.duties.is_empty() {
            return Arc::default();
        }
        self.at_most.get(today, treatment.name(), || self.compute_at_most(treatment, today))
    }

    fn compute_at_most(&self, treatment: &Treatment, today: NaiveDate) -> Arc<[Deferred]> {
        // The last day of a record's own fiscal year may lie ahead: one that begins today has up to eighteen months.
        let ahead = today.checked_add_months(Months::new(18));
        let latest = |duty: &Duty| if duty.is_by_fiscal_year() { ahead } else { Some(today) };
        let classes = treatment.classes().iter().filter(|(_, class)| class.is_deferred());
        let each = classes.map(|(class, _)| {
            let on_class = self.duties.iter().filter(|duty| duty.classes().contains_key(class));
            let duties: Vec<DeferredBy> = on_class
                .map(|duty| {
                    let ends = |date| duty.kept_until(date, self.fiscal_year_ends);
                    DeferredBy::new(duty, latest(duty).and_then(ends))
                })
                .collect();
            let until = duties.iter().filter_map(|duty| duty.until).max();
            let (class, duties, unreadable) = (class.clone(), duties.into(), BTreeMap::new());
            Deferred { class, rows: None, duties, until, free_from: None, unreadable, for_others: false }
        });
        each.collect()
    }
}
