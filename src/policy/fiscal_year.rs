//! When a fiscal year ends.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};

/// The last day of every fiscal year, as month and day: `06-30`. The default is the calendar year.
///
/// `02-29` is the last day of February in every year. `02-28` is always the 28th. If the fiscal year ends with
/// February, write `02-29`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FiscalYearEnd {
    month: u32,
    day: u32,
}

impl FiscalYearEnd {
    /// The end of the calendar year: 31 December.
    pub const CALENDAR: Self = Self { month: 12, day: 31 };

    /// 30 June.
    pub(super) const MIDSUMMER: Self = Self { month: 6, day: 30 };

    /// The last day of the fiscal year that contains a day. `None` after the end of the calendar.
    pub fn of(self, day: NaiveDate) -> Option<NaiveDate> {
        let this = self.in_year(day.year())?;
        if day <= this { Some(this) } else { self.in_year(day.year().checked_add(1)?) }
    }

    fn in_year(self, year: i32) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(year, self.month, self.day)
            .or_else(|| NaiveDate::from_ymd_opt(year, self.month, self.day.checked_sub(1)?))
    }
}

impl fmt::Display for FiscalYearEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

impl FromStr for FiscalYearEnd {
    type Err = NotAFiscalYearEnd;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Parsed in a leap year, so that 29 February is valid.
        let day: NaiveDate = format!("2000-{text}").parse().map_err(|_| NotAFiscalYearEnd)?;
        let end = Self { month: day.month(), day: day.day() };
        if end.to_string() == text { Ok(end) } else { Err(NotAFiscalYearEnd) }
    }
}

/// The error for a text that is not the end of a fiscal year.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the end of a fiscal year is a month and a day, such as \"06-30\"")]
pub struct NotAFiscalYearEnd;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_falls_into_the_fiscal_year_that_ends_next() {
        for (end, day, wanted) in [
            ("12-31", "2025-01-01", "2025-12-31"),
            ("12-31", "2025-12-31", "2025-12-31"),
            ("06-30", "2025-06-30", "2025-06-30"),
            ("06-30", "2025-07-01", "2026-06-30"),
            ("02-29", "2027-02-28", "2027-02-28"),
            ("02-29", "2028-02-28", "2028-02-29"),
            ("02-29", "2028-03-01", "2029-02-28"),
            ("02-28", "2028-02-29", "2029-02-28"),
        ] {
            let end: FiscalYearEnd = end.parse().unwrap();
            assert_eq!(end.of(day.parse().unwrap()).unwrap().to_string(), wanted, "{end} {day}");
        }
        assert_eq!("06-30".parse::<FiscalYearEnd>().unwrap().of(NaiveDate::MAX), None);
        for wrong in ["", "6-30", "06-31", "13-01", "00-10", "06-30 ", "2025-06-30"] {
            assert_eq!(wrong.parse::<FiscalYearEnd>(), Err(NotAFiscalYearEnd), "{wrong}");
        }
    }
}
