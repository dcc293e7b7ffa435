//! Duties: record classes that must be kept, by which law, for how long, and from when.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use chrono::NaiveDate;

use super::{FiscalYearEnd, Ground, Period, PrivacyLaw, StartRule, Statute};
use crate::data_map::{ClassName, FieldName};

/// A duty to keep records. A duty defers the treatment of a record, and never cancels it.
#[derive(Clone, Debug, PartialEq)]
pub struct Duty {
    pub(crate) name: Arc<str>,
    /// The field that holds the record's date, by class.
    pub(super) classes: BTreeMap<ClassName, FieldName>,
    /// Whether that field holds the last day of the record's fiscal year.
    pub(super) by_fiscal_year: bool,
    pub(super) period: Period,
    pub(super) start: StartRule,
    pub(crate) law: Arc<str>,
    pub(super) statute: Option<&'static Statute>,
    pub(super) ground: Ground,
    /// The data protection law that the ground belongs to.
    pub(super) under: PrivacyLaw,
    /// Links over which a kept record keeps other records unchanged. `None`: the policy does not say.
    pub(super) needs: Option<Vec<(ClassName, String)>>,
}

impl Duty {
    /// The duty's name in the policy.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The record classes, each with the field that holds the record's date. The field is on the record itself, or on
    /// the record from which it hangs.
    pub fn classes(&self) -> &BTreeMap<ClassName, FieldName> {
        &self.classes
    }

    /// The links over which a kept record keeps other records unchanged. Each comes with the class that has the link.
    pub fn needs(&self) -> BTreeSet<(ClassName, String)> {
        self.needs.iter().flatten().cloned().collect()
    }

    /// Whether the date field holds the last day of the record's own fiscal year. Then the tenant's fiscal year does
    /// not matter.
    pub fn is_by_fiscal_year(&self) -> bool {
        self.by_fiscal_year
    }

    /// The length of the period.
    pub fn period(&self) -> Period {
        self.period
    }

    /// The start of the period.
    pub fn start(&self) -> StartRule {
        self.start
    }

    /// The law that requires the duty.
    pub fn law(&self) -> &str {
        &self.law
    }

    /// The statute of the table, if the duty names one.
    pub fn statute(&self) -> Option<&'static Statute> {
        self.statute
    }

    /// The ground on which the duty overrides a request for erasure.
    pub fn ground(&self) -> Ground {
        self.ground
    }

    /// The data protection law that the ground belongs to: the [basis](Statute::basis) of the statute, or else the law
    /// of the policy.
    pub fn privacy_law(&self) -> PrivacyLaw {
        self.under
    }

    /// The last day on which a record with this date has to be kept. `None` after the end of the calendar.
    pub fn kept_until(&self, date: NaiveDate, fiscal_year: FiscalYearEnd) -> Option<NaiveDate> {
        let start = if self.by_fiscal_year {
            self.start.start_of_fiscal_year(date)
        } else {
            self.start.start(date, fiscal_year)
        };
        self.start.last_day(self.period, start?)
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} from {}, by {}", self.name, self.period, self.start.describe(), self.law)
    }
}

#[cfg(test)]
mod tests {
    use super::super::keeper::Keeper as _;
    use super::*;
    use crate::customer::Moment;
    use crate::data_map::{DateForm, TimeZone};
    use crate::treatment::UnderDuty;

    fn duty(period: &str, start: StartRule) -> Duty {
        Duty {
            name: "x".into(),
            classes: BTreeMap::new(),
            by_fiscal_year: false,
            period: period.parse().unwrap(),
            start,
            law: "y".into(),
            statute: None,
            ground: Ground::LegalObligation,
            under: PrivacyLaw::Gdpr,
            needs: None,
        }
    }

    /// One date describes the duty exactly.
    #[test]
    fn a_duty_comes_down_to_one_date() {
        let first: NaiveDate = "2024-01-01".parse().unwrap();
        for start in StartRule::ALL {
            for period in ["0 days", "30 days", "1 month", "3 years", "7 years", "100 years"] {
                let years = ["12-31", "06-30", "02-29"].map(|end| (end, false)).into_iter();
                let own = start.counts_fiscal_years().then_some(("12-31", true));
                for (fiscal_year, by_fiscal_year) in years.chain(own) {
                    let duty = Duty { by_fiscal_year, ..duty(period, start) };
                    let fiscal_year = fiscal_year.parse().unwrap();
                    for today in first.iter_days().step_by(37).take(40) {
                        let keep_from = duty.keep_from(today, fiscal_year);
                        let until = |date: NaiveDate| duty.kept_until(date, fiscal_year).unwrap();
                        assert!(until(keep_from) >= today, "{start:?} {period} {today}");
                        assert!(until(keep_from.pred_opt().unwrap()) < today, "{start:?} {period} {today}");
                    }
                }
            }
        }
    }

    /// A record is kept equally long by its own date and by the last day of its fiscal year.
    #[test]
    fn the_end_of_the_fiscal_year_says_the_same_as_a_day_within_it() {
        for start in StartRule::ALL.into_iter().filter(|start| start.counts_fiscal_years()) {
            let by_date = duty("7 years", start);
            let by_fiscal_year = Duty { by_fiscal_year: true, ..by_date.clone() };
            for end in ["12-31", "06-30", "02-29"] {
                let tenants: FiscalYearEnd = end.parse().unwrap();
                let first: NaiveDate = "2019-01-01".parse().unwrap();
                for day in first.iter_days().take(1_500) {
                    let ended = tenants.of(day).unwrap();
                    let until = by_fiscal_year.kept_until(ended, FiscalYearEnd::CALENDAR);
                    assert_eq!(until, by_date.kept_until(day, tenants), "{start:?} {end} {day}");
                }
            }
        }
        // A first fiscal year of eighteen months, which a month and a day cannot describe.
        let statute = Statute::find("SE/BFL/7:2").unwrap();
        let mut duty = duty("7 years", statute.start);
        let (booked, ended) = ("2024-03-15".parse().unwrap(), "2025-06-30".parse().unwrap());
        assert_eq!(duty.kept_until(booked, "06-30".parse().unwrap()), Some("2031-12-31".parse().unwrap()));
        duty.by_fiscal_year = true;
        assert_eq!(duty.kept_until(ended, "06-30".parse().unwrap()), Some("2032-12-31".parse().unwrap()));
    }

    /// The bug: a bare year, or a day spelled as a number, was read as seconds of 1970, so the record seemed free for
    /// a long time.
    #[test]
    fn a_number_that_is_no_instant_is_no_date() {
        let under = UnderDuty {
            field: "year".into(),
            through: Vec::new(),
            keep_from: Some("2018-01-01".parse().unwrap()),
            time_zone: TimeZone::UTC,
            needs: BTreeSet::new(),
            form: DateForm::new(),
        };
        for (number, kept) in [(2025, true), (20_250_630, true), (0, true), (1_262_304_000, false)] {
            let read = under.form.read(&crate::data_map::Value::Integer(number), None);
            assert_eq!(under.keeps(read.moment()), kept, "{number}");
        }
    }

    #[test]
    fn what_has_no_date_is_kept() {
        let mut under = UnderDuty {
            field: "day".into(),
            through: Vec::new(),
            keep_from: None,
            time_zone: TimeZone::UTC,
            needs: BTreeSet::new(),
            form: DateForm::new(),
        };
        let moment = |text: &str| Some(Moment::Day(text.parse().unwrap()));
        assert!(under.keeps(moment("1990-01-01")), "not dated yet");
        under.keep_from = Some("2020-01-01".parse().unwrap());
        for (date, kept) in [
            (None, true),
            (moment("2019-12-31"), false),
            (moment("2020-01-01"), true),
            (moment("2030-01-01"), true),
        ] {
            assert_eq!(under.keeps(date), kept, "{date:?}");
        }
    }
}
