//! What duties defer: which records stay for now, by which law, and until when.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{Months, NaiveDate};
use serde::{Serialize, Serializer};

use super::{Duty, Effective, Ground, Period, PrivacyLaw, StartRule};
use crate::data_map::{ClassName, FieldName};
use crate::treatment::Treatment;

/// Records of a class that must be kept for now. The treatment is applied when the last duty on them has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Deferred {
    /// The record class.
    pub class: ClassName,
    /// The number of records that are kept for now. `None` if nobody has counted: then there may be some.
    pub rows: Option<u64>,
    /// Every duty on these records.
    pub duties: Arc<[DeferredBy]>,
    /// The last day on which one of these records is kept. Of several duties the latest end counts.
    ///
    /// * If the records were counted, this is the day of the latest record, as far as the dates are known.
    /// * If nobody has counted, this is the day for a record dated today. Only a record with a future date can be
    ///   kept longer.
    /// * `None` if no end is known.
    pub until: Option<NaiveDate>,
    /// The first day on which one of the counted records may be free. `None` if nobody has counted, or if no record
    /// has a date.
    pub free_from: Option<NaiveDate>,
    /// The number of counted records whose date cannot be read, by field. The end of their duty is unknown.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<FieldName, u64>,
    /// Whether no duty names the class: its records are kept because kept records need them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub for_others: bool,
}

/// One duty that defers, with everything that a refusal has to name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeferredBy {
    /// The duty's name in the policy.
    pub duty: Arc<str>,
    /// The period, and its start.
    pub terms: DutyTerms,
    /// The law that requires it.
    pub law: Arc<str>,
    /// The code of the statute, if the duty names one from the [table](crate::policy::statute).
    pub statute: Option<&'static str>,
    /// The ground on which the duty overrides a request for erasure.
    pub ground: Ground,
    /// The data protection law that the ground belongs to.
    pub privacy_law: PrivacyLaw,
    /// The last day on which the duty keeps one of the records. Calculated like [`Deferred::until`].
    pub until: Option<NaiveDate>,
}

/// The period of a duty and its start. `Display` and JSON show it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DutyTerms {
    /// The length of the period.
    pub period: Period,
    /// The start of the period.
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
            privacy_law: duty.privacy_law(),
            until,
        }
    }
}

impl fmt::Display for DeferredBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { duty, terms, law, .. } = self;
        write!(f, "{duty}: {terms}, by {law} ({})", self.privacy_law.cite(self.ground))
    }
}

/// Prints a line such as `3 rows of invoice must be kept until 2033-12-31 at the latest: bookkeeping: 7 years from …,
/// by … (Art. 17(3)(b) GDPR)`.
impl fmt::Display for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, rows, duties, until, unreadable, .. } = self;
        match (rows, until) {
            (Some(1), _) => write!(f, "1 row of {class} must be kept")?,
            (Some(rows), _) => write!(f, "{rows} rows of {class} must be kept")?,
            (None, _) => write!(f, "{class} must be kept, if there is any,")?,
        }
        match (rows, until) {
            // A record whose date cannot be read has no end that is known.
            (Some(_), Some(until)) if !unreadable.is_empty() => {
                write!(f, " until {until}, or with no known end")?;
            }
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
    /// The most that duties may defer of one of the policy's own treatments, before anybody has counted. A record
    /// dated today is kept the longest. The result is the same for every customer.
    pub(crate) fn deferred_at_most(&self, treatment: &Treatment, today: NaiveDate) -> Arc<[Deferred]> {
        if self.duties.is_empty() {
            return Arc::default();
        }
        self.at_most.get(today, treatment.name(), || self.compute_at_most(treatment, today))
    }

    fn compute_at_most(&self, treatment: &Treatment, today: NaiveDate) -> Arc<[Deferred]> {
        // The last day of a record's own fiscal year may be in the future. A fiscal year that begins today has up to
        // eighteen months.
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
