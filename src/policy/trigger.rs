//! Triggers: what makes a customer due, and after how long.

use std::fmt;
use std::str::FromStr;

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use super::TreatmentName;

/// What makes a customer due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trigger {
    /// The person asked for it.
    Requested,
    /// The customer cancelled, and has not come back.
    Cancelled,
    /// The host deleted the customer, in its own words, with the row still there.
    Deleted,
}

impl Trigger {
    pub(crate) const NAMES: [&'static str; 3] = ["requested", "cancelled", "deleted"];

    /// As the policy spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Cancelled => "cancelled",
            Self::Deleted => "deleted",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Requested, Self::Cancelled, Self::Deleted].into_iter().find(|trigger| trigger.as_str() == name)
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A number of days.
///
/// The day of the event is not counted, and a period never ends early: what happened on 1 March, at whatever
/// hour, is "30 days" ago from the start of 31 March, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    days: u32,
}

impl Period {
    /// So many days.
    pub fn days(days: u32) -> Self {
        Self { days }
    }

    /// The first day on which it is over; `None` beyond the end of the calendar.
    pub fn end(self, start: NaiveDate) -> Option<NaiveDate> {
        start.checked_add_days(Days::new(u64::from(self.days)))
    }
}

impl FromStr for Period {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split_whitespace();
        match (words.next().map(str::parse), words.next(), words.next()) {
            (Some(Ok(days)), Some("day" | "days"), None) if days <= 36_525 => Ok(Self { days }),
            _ => Err(NotAPeriod),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.days, if self.days == 1 { "day" } else { "days" })
    }
}

/// A text that is no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a period is a number of days of at most 36525, such as \"90 days\"")]
pub struct NotAPeriod;

/// One line of a policy's `triggers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerRule {
    pub(crate) since: Vec<String>,
    pub(crate) after: Option<Period>,
    pub(crate) treatment: TreatmentName,
}

impl TriggerRule {
    /// The dates from which it counts; the first that a customer has is taken.
    pub fn since(&self) -> &[String] {
        &self.since
    }

    /// How long after that.
    pub fn after(&self) -> Option<Period> {
        self.after
    }

    /// Which treatment it chooses.
    pub fn treatment(&self) -> &TreatmentName {
        &self.treatment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_counts_from_the_day_after() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        for (period, start, end) in [
            ("30 days", "2026-03-01", "2026-03-31"),
            ("1 day", "2028-02-28", "2028-02-29"),
            ("0 days", "2026-01-01", "2026-01-01"),
            ("365 days", "2027-03-01", "2028-02-29"),
        ] {
            assert_eq!(period.parse::<Period>().unwrap().end(day(start)), Some(day(end)));
            assert_eq!(period.parse::<Period>().unwrap().to_string(), period);
        }
        assert_eq!(Period::days(1).end(NaiveDate::MAX), None);
    }

    #[test]
    fn what_is_no_number_of_days_is_refused() {
        for wrong in ["", "90", "days", "-1 days", "90 d", "1.5 days", "90 days ago", "99999 days"] {
            assert_eq!(wrong.parse::<Period>(), Err(NotAPeriod), "{wrong}");
        }
    }
}
