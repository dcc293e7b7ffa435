//! What a policy's duties defer at most: what of it depends on the day alone, and is the same for every customer.

use std::fmt;
use std::sync::Arc;

use chrono::{Months, NaiveDate};
use serde::{Serialize, Serializer};

use super::{Duty, Effective, Ground, Period, StartRule, Treatment};
use crate::data_map::ClassName;

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
    /// The last day on which it keeps any of the records: known as that of [`Deferred::until`](crate::plan::Deferred::until).
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

/// What duties defer of a class at most: they keep a record dated today the longest.
#[derive(Debug)]
pub(crate) struct DeferredAtMost {
    pub(crate) class: ClassName,
    pub(crate) duties: Arc<[DeferredBy]>,
    pub(crate) until: Option<NaiveDate>,
}

impl Effective {
    /// What duties defer at most of one of the policy's own treatments.
    pub(crate) fn deferred_at_most(&self, treatment: &Treatment, today: NaiveDate) -> Arc<[DeferredAtMost]> {
        self.at_most.get(today, treatment.name(), || self.compute_at_most(treatment, today))
    }

    fn compute_at_most(&self, treatment: &Treatment, today: NaiveDate) -> Arc<[DeferredAtMost]> {
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
            DeferredAtMost { class: class.clone(), duties: duties.into(), until }
        });
        each.collect()
    }
}
