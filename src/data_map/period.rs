//! Calendar periods: "90 days", "4 years", or ISO 8601.

use std::fmt;
use std::str::FromStr;

use chrono::{Days, Months, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest period: a century.
const MOST_MONTHS: u32 = 1_200;
const MOST_DAYS: u32 = 36_525;

/// A calendar period: a number of months, and a number of days after that.
///
/// Policies write a period in words (`"90 days"`, `"4 years"`, `"1 year 6 months"`, `"2 weeks"`) or in ISO 8601
/// (`"P90D"`, `"P4Y"`, `"P1Y6M"`). A week is seven days and a year is twelve months, so `"12 months"` and `"1 year"`
/// are the same. A month is not a fixed number of days.
///
/// * The day of the event is not counted. For an event on 1 March, at any hour, "30 days" are over from the start of
///   31 March.
/// * A period of months ends on the same day of the month. If the month has no such day, the period ends on the
///   month's last day (Regulation 1182/71, Art. 3(2)(c)). One month after 31 January is 28 February, or 29 February
///   in a leap year. One year after 29 February 2028 is 28 February 2029, and four years after it is 29 February
///   2032.
/// * Months are added first, and days after that. A longer period never ends earlier, and neither does a period that
///   starts later.
/// * The policy's [time zone](crate::data_map::TimeZone) decides on which day an event was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    months: u32,
    days: u32,
}

impl Period {
    /// A period of days.
    pub fn days(days: u32) -> Self {
        Self { months: 0, days }
    }

    /// Makes a period of calendar months.
    pub fn months(months: u32) -> Self {
        Self { months, days: 0 }
    }

    /// Makes a period of calendar years.
    pub fn years(years: u32) -> Self {
        Self::months(years.saturating_mul(12))
    }

    /// The years, the months below twelve, and the days.
    pub fn parts(self) -> (u32, u32, u32) {
        (self.months / 12, self.months % 12, self.days)
    }

    /// The first day after the period. `None` after the end of the calendar.
    pub fn end(self, start: NaiveDate) -> Option<NaiveDate> {
        start.checked_add_months(Months::new(self.months))?.checked_add_days(Days::new(u64::from(self.days)))
    }

    /// Whether this period ends before another for every common start day. For "1 month" and "30 days" this is false
    /// both ways.
    pub fn is_shorter_than(self, other: Self) -> bool {
        // A month has 28 to 31 days.
        let longest = u64::from(self.months) * 31 + u64::from(self.days);
        let shortest = u64::from(other.months) * 28 + u64::from(other.days);
        longest < shortest || (self.months <= other.months && self.days <= other.days && self != other)
    }

    fn add(self, count: u32, unit: &str) -> Option<Self> {
        let Self { months, days } = self;
        match unit {
            "year" | "years" | "Y" => {
                Some(Self { months: months.checked_add(count.checked_mul(12)?)?, days })
            }
            "month" | "months" | "M" => Some(Self { months: months.checked_add(count)?, days }),
            "week" | "weeks" | "W" => Some(Self { months, days: days.checked_add(count.checked_mul(7)?)? }),
            "day" | "days" | "D" => Some(Self { months, days: days.checked_add(count)? }),
            _ => None,
        }
    }

    fn in_words(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().peekable();
        words.peek()?;
        let mut period = Self { months: 0, days: 0 };
        while let Some(count) = words.next() {
            period = period.add(number(count)?, words.next()?)?;
        }
        Some(period)
    }

    fn in_iso_8601(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut units = "YMWD";
        let mut period = Self { months: 0, days: 0 };
        while !rest.is_empty() {
            let unit = rest.find(|c: char| !c.is_ascii_digit())?;
            let (count, after) = rest.split_at(unit);
            let letter = after.get(..1)?;
            // Each unit at most once, greater units first.
            units = units.split_once(letter)?.1;
            period = period.add(number(count)?, letter)?;
            rest = after.get(1..)?;
        }
        Some(period)
    }
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl FromStr for Period {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let period = match text.strip_prefix('P') {
            Some(rest) if !rest.is_empty() => Self::in_iso_8601(rest),
            _ => Self::in_words(text),
        };
        period.filter(|period| period.months <= MOST_MONTHS && period.days <= MOST_DAYS).ok_or(NotAPeriod)
    }
}

/// As text: `"7 years"`.
impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (years, months, days) = self.parts();
        let parts = [(years, "year"), (months, "month"), (days, "day")];
        let mut separator = "";
        for (count, unit) in parts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{count} {unit}{}", if count == 1 { "" } else { "s" })?;
            separator = " ";
        }
        if separator.is_empty() { f.write_str("0 days") } else { Ok(()) }
    }
}

/// The error for a text that is no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a period is such as \"90 days\", \"18 months\", \"4 years\" or \"P1Y6M\", and at most a hundred years"
)]
pub struct NotAPeriod;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn period(text: &str) -> Period {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_period_ends_on_the_day_that_the_calendar_says() {
        for (text, start, end) in [
            ("30 days", "2026-03-01", "2026-03-31"),
            ("1 day", "2028-02-28", "2028-02-29"),
            ("0 days", "2026-01-01", "2026-01-01"),
            ("365 days", "2027-03-01", "2028-02-29"),
            ("2 weeks", "2026-12-20", "2027-01-03"),
            ("1 month", "2026-01-31", "2026-02-28"),
            ("1 month", "2028-01-31", "2028-02-29"),
            ("1 month", "2026-02-28", "2026-03-28"),
            ("1 month", "2026-03-31", "2026-04-30"),
            ("3 months", "2026-11-30", "2027-02-28"),
            ("12 months", "2028-02-29", "2029-02-28"),
            ("1 year", "2028-02-29", "2029-02-28"),
            ("4 years", "2028-02-29", "2032-02-29"),
            ("7 years", "2025-12-31", "2032-12-31"),
            ("100 years", "2000-02-29", "2100-02-28"),
            ("1 month 1 day", "2026-01-31", "2026-03-01"),
            ("1 year 6 months", "2026-08-31", "2028-02-29"),
        ] {
            assert_eq!(period(text).end(day(start)), Some(day(end)), "{text} from {start}");
        }
        assert_eq!(Period::days(1).end(NaiveDate::MAX), None);
        assert_eq!(Period::months(1).end(NaiveDate::MAX), None);
    }

    #[test]
    fn words_and_iso_8601_say_the_same() {
        for (words, iso, shown) in [
            ("90 days", "P90D", "90 days"),
            ("4 years", "P4Y", "4 years"),
            ("18 months", "P1Y6M", "1 year 6 months"),
            ("3 weeks", "P3W", "21 days"),
            ("1 year 1 month 1 week 1 day", "P1Y1M1W1D", "1 year 1 month 8 days"),
            ("0 days", "P0D", "0 days"),
        ] {
            assert_eq!(period(words), period(iso));
            assert_eq!(period(words).to_string(), shown);
            assert_eq!(period(shown), period(iso));
        }
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for wrong in [
            "",
            "90",
            "days",
            "-1 days",
            "+1 days",
            "90 d",
            "1.5 days",
            "90 days ago",
            "99999 days",
            "101 years",
            "P",
            "P1",
            "PD",
            "P1D1Y",
            "P1Y1Y",
            "PT1H",
            "P1H",
            "p1y",
            "99999999999 years",
            "400000000 years",
            "På1D",
            "1 år",
        ] {
            assert_eq!(wrong.parse::<Period>(), Err(NotAPeriod), "{wrong}");
        }
    }

    fn any_period() -> impl Strategy<Value = Period> {
        (0..=MOST_MONTHS, 0..=MOST_DAYS).prop_map(|(months, days)| Period { months, days })
    }

    fn any_day() -> impl Strategy<Value = NaiveDate> {
        (0..146_097_u64).prop_map(|days| day("1900-01-01").checked_add_days(Days::new(days)).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_starts_later_never_ends_earlier(period in any_period(), a in any_day(), b in any_day()) {
            let (first, last) = (a.min(b), a.max(b));
            prop_assert!(period.end(first) <= period.end(last));
            prop_assert!(period.end(first) >= Some(first));
            prop_assert_eq!(period.to_string().parse::<Period>(), Ok(period));
        }

        #[test]
        fn a_shorter_period_never_ends_later(
            a in any_period(), b in any_period(), near in -40..40_i64, start in any_day(),
        ) {
            let days = (i64::from(a.days) + near).clamp(0, i64::from(MOST_DAYS));
            let near = Period { months: a.months, days: u32::try_from(days).unwrap() };
            for other in [b, near] {
                if a.is_shorter_than(other) {
                    prop_assert!(a.end(start) <= other.end(start));
                    prop_assert!(!other.is_shorter_than(a));
                }
            }
        }
    }
}
