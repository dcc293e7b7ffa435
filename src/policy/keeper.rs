//! What keeps a record for now: a duty, or an age that the record has not reached.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{Days, NaiveDate};

use super::{Duty, FiscalYearEnd, Period};
use crate::data_map::{ClassName, FieldName};

/// The greatest age of a record that may be kept: the longest period, and a fiscal year in addition.
const REACH: Days = Days::new(110 * 366);

/// Keeps records until a day that depends on the date of the record.
pub(super) trait Keeper: fmt::Debug {
    /// The record classes, each with the field that holds the record's date.
    fn classes(&self) -> &BTreeMap<ClassName, FieldName>;

    /// The links over which a kept record keeps other records unchanged.
    fn needs(&self) -> BTreeSet<(ClassName, String)>;

    /// The last day on which a record with this date is kept. `None` after the end of the calendar. Monotone: a later date
    /// never gives an earlier day.
    fn kept_until(&self, date: NaiveDate, fiscal_year: FiscalYearEnd) -> Option<NaiveDate>;

    /// Why a record of a class may have to stay, for an error message.
    fn because(&self, class: &ClassName) -> String;

    /// The earliest record date that is kept on a day: a record with this date or a later one is kept.
    fn keep_from(&self, today: NaiveDate, fiscal_year: FiscalYearEnd) -> NaiveDate {
        let is_kept = |date| self.kept_until(date, fiscal_year).is_none_or(|until| until >= today);
        // A record dated today is kept today. A record older than `REACH` is not.
        let mut kept = today;
        let Some(mut free) = today.checked_sub_days(REACH) else { return NaiveDate::MIN };
        while (kept - free).num_days() > 1 {
            let half = Days::new((kept - free).num_days().unsigned_abs() / 2);
            let Some(middle) = free.checked_add_days(half) else { return NaiveDate::MIN };
            if is_kept(middle) { kept = middle } else { free = middle }
        }
        kept
    }
}

impl Keeper for Duty {
    fn classes(&self) -> &BTreeMap<ClassName, FieldName> {
        self.classes()
    }

    fn needs(&self) -> BTreeSet<(ClassName, String)> {
        self.needs()
    }

    fn kept_until(&self, date: NaiveDate, fiscal_year: FiscalYearEnd) -> Option<NaiveDate> {
        self.kept_until(date, fiscal_year)
    }

    fn because(&self, class: &ClassName) -> String {
        format!("{class} needs it, and duty {} may keep that", self.name())
    }
}

/// An age that records have to reach before they expire.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Age {
    pub(super) classes: BTreeMap<ClassName, FieldName>,
    pub(super) period: Period,
}

impl Keeper for Age {
    fn classes(&self) -> &BTreeMap<ClassName, FieldName> {
        &self.classes
    }

    fn needs(&self) -> BTreeSet<(ClassName, String)> {
        BTreeSet::new()
    }

    /// A record expires on the first day after the period, so it is kept through the day before.
    fn kept_until(&self, date: NaiveDate, _fiscal_year: FiscalYearEnd) -> Option<NaiveDate> {
        self.period.end(date)?.pred_opt()
    }

    fn because(&self, class: &ClassName) -> String {
        format!("{class} needs it, and may not have expired by then")
    }
}

/// Duties and ages together.
pub(super) fn keepers<'k>(duties: &'k [Duty], ages: &'k [Age]) -> Vec<&'k dyn Keeper> {
    let duties = duties.iter().map(|duty| duty as &dyn Keeper);
    duties.chain(ages.iter().map(|age| age as &dyn Keeper)).collect()
}
