//! The clock of a request: the day by which the person must have an answer.
//!
//! Art. 12(3) GDPR sets the period: one month from receipt. Two further months are allowed where necessary, if the
//! person is told so within the first month. Regulation (EEC, Euratom) 1182/71 says how to count the days. No guard
//! and no refusal stops this clock: a refusal, too, must be sent in time (Art. 12(4)). The clock stops only while the
//! person's identity is not confirmed. Each stop is recorded with its reason.

use std::collections::BTreeSet;

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};
use serde::{Deserialize, Serialize};

/// Days other than Saturdays and Sundays on which nobody works. The host supplies them, because they depend on the
/// place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holidays(BTreeSet<NaiveDate>);

impl Holidays {
    /// These days are holidays.
    pub fn new(days: impl IntoIterator<Item = NaiveDate>) -> Self {
        Self(days.into_iter().collect())
    }

    /// Whether a day is a working day.
    pub fn is_working_day(&self, day: NaiveDate) -> bool {
        !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) && !self.0.contains(&day)
    }

    /// The day itself, or the next working day (Regulation 1182/71, Art. 3(4)).
    fn on_or_after(&self, day: NaiveDate) -> Option<NaiveDate> {
        day.iter_days().find(|day| self.is_working_day(*day))
    }
}

/// A stop of the clock: the person was asked for proof of identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// The day on which the person was asked.
    pub from: NaiveDate,
    /// The day on which the identity was confirmed. `None`: not confirmed yet.
    pub to: Option<NaiveDate>,
    /// Why the identity was not clear.
    pub reason: String,
}

/// The extension by two months. The person was told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// The day on which the person was told.
    pub told: NaiveDate,
    /// Why more time is needed: complexity, or the number of requests.
    pub reason: String,
}

/// The clock of one request.
///
/// ```
/// use relinquish::plan::{Holidays, RequestClock};
///
/// let mut clock = RequestClock::received("2026-01-31".parse()?);
/// let holidays = Holidays::default();
/// // February has no 31st, and the 28th is a Saturday.
/// assert_eq!(clock.due(&holidays), Some("2026-03-02".parse()?));
/// clock.extend("2026-02-20".parse()?, "two thousand documents", &holidays)?;
/// // From the receipt, and not from the end of the first month: 30 April, not 28 April.
/// assert_eq!(clock.due(&holidays), Some("2026-04-30".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestClock {
    received: NaiveDate,
    suspensions: Vec<Suspension>,
    extension: Option<Extension>,
}

impl RequestClock {
    /// Starts on the day of receipt. That day itself does not count (Art. 3(1)).
    pub fn received(on: NaiveDate) -> Self {
        Self { received: on, suspensions: Vec::new(), extension: None }
    }

    /// The day of receipt.
    pub fn received_on(&self) -> NaiveDate {
        self.received
    }

    /// The times when the clock was stopped.
    pub fn suspensions(&self) -> &[Suspension] {
        &self.suspensions
    }

    /// The extension by two months, if there is one.
    pub fn extension(&self) -> Option<&Extension> {
        self.extension.as_ref()
    }

    /// The last day on which the person must have an answer. `None` while the identity is not confirmed, or if the
    /// day is after the end of the calendar.
    ///
    /// The period ends on the day of the month that has the same number as the day of receipt. If the month has no
    /// such day, the period ends on the month's last day (Art. 3(2)(c)). Days on which the clock was stopped are
    /// added. If the result is a Saturday, a Sunday or a holiday, the period ends on the next working day (Art.
    /// 3(4)).
    pub fn due(&self, holidays: &Holidays) -> Option<NaiveDate> {
        self.after(if self.extension.is_some() { 3 } else { 1 }, holidays)
    }

    fn after(&self, months: u32, holidays: &Holidays) -> Option<NaiveDate> {
        let mut still = 0;
        for suspension in &self.suspensions {
            still += u64::try_from((suspension.to? - suspension.from).num_days()).ok()?;
        }
        let end = self.received.checked_add_months(Months::new(months))?;
        holidays.on_or_after(end.checked_add_days(Days::new(still))?)
    }

    /// Stops the clock: the person was asked for proof of identity.
    ///
    /// # Errors
    /// [`ClockError`]: the clock is stopped already, or the day is before the receipt or after the answer was due.
    pub fn suspend(
        &mut self,
        from: NaiveDate,
        reason: impl Into<String>,
        holidays: &Holidays,
    ) -> Result<(), ClockError> {
        let Some(due) = self.due(holidays) else { return Err(ClockError::Suspended) };
        let earliest = self.suspensions.last().and_then(|last| last.to).unwrap_or(self.received);
        if from < earliest {
            return Err(ClockError::TooEarly { day: from, earliest });
        }
        if from > due {
            return Err(ClockError::TooLate { day: from, due });
        }
        self.suspensions.push(Suspension { from, to: None, reason: reason.into() });
        Ok(())
    }

    /// Restarts the clock: the identity is confirmed.
    ///
    /// # Errors
    /// [`ClockError`]: the clock is not stopped, or the day is before the day of the stop.
    pub fn resume(&mut self, to: NaiveDate) -> Result<(), ClockError> {
        let suspended = self.suspensions.last_mut().filter(|last| last.to.is_none());
        let suspended = suspended.ok_or(ClockError::NotSuspended)?;
        if to < suspended.from {
            return Err(ClockError::TooEarly { day: to, earliest: suspended.from });
        }
        suspended.to = Some(to);
        Ok(())
    }

    /// Extends the period to three months from receipt. The person was told so.
    ///
    /// # Errors
    /// [`ClockError`]: the period was extended before, the clock is stopped, or the person was told outside the first
    /// month.
    pub fn extend(
        &mut self,
        told: NaiveDate,
        reason: impl Into<String>,
        holidays: &Holidays,
    ) -> Result<(), ClockError> {
        if self.extension.is_some() {
            return Err(ClockError::Extended);
        }
        let due = self.due(holidays).ok_or(ClockError::Suspended)?;
        if told < self.received {
            return Err(ClockError::TooEarly { day: told, earliest: self.received });
        }
        if told > due {
            return Err(ClockError::TooLate { day: told, due });
        }
        self.extension = Some(Extension { told, reason: reason.into() });
        Ok(())
    }
}

/// Why a clock cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// The clock is stopped.
    #[error(
        "the clock is stopped, or its end is after the end of the calendar; first record when the identity was confirmed"
    )]
    Suspended,
    /// The clock is not stopped.
    #[error("the clock is not stopped")]
    NotSuspended,
    /// The period was extended before. Only one extension is allowed.
    #[error("the request was extended before; three months from receipt is the most")]
    Extended,
    /// The day is too early.
    #[error("{day} is before {earliest}, the earliest day that is possible")]
    TooEarly {
        /// The day.
        day: NaiveDate,
        /// The earliest possible day.
        earliest: NaiveDate,
    },
    /// The answer was due earlier.
    #[error("{day} is after {due}, when the answer was due")]
    TooLate {
        /// The day.
        day: NaiveDate,
        /// When the answer was due.
        due: NaiveDate,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// The year, month, day and weekday (Monday is 0), counted day by day.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    struct Counted {
        year: i32,
        month: u32,
        day: u32,
        weekday: u32,
    }

    fn days_of(year: i32, month: u32) -> u32 {
        match month {
            2 if year % 400 == 0 || (year % 4 == 0 && year % 100 != 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    impl Counted {
        fn next(self) -> Self {
            let weekday = (self.weekday + 1) % 7;
            match self {
                Self { year, month: 12, day: 31, .. } => Self { year: year + 1, month: 1, day: 1, weekday },
                Self { year, month, day, .. } if day == days_of(year, month) => {
                    Self { year, month: month + 1, day: 1, weekday }
                }
                Self { year, month, day, .. } => Self { year, month, day: day + 1, weekday },
            }
        }
    }

    /// A whole cycle of the calendar, compared with a calendar that counts day by day and never adds.
    #[test]
    fn every_day_of_the_four_hundred_year_cycle_is_due_by_the_regulation() {
        // 1 January 2000 was a Saturday.
        let first = Counted { year: 2000, month: 1, day: 1, weekday: 5 };
        let calendar: Vec<Counted> =
            std::iter::successors(Some(first), |day| Some(day.next())).take(146_097 + 100).collect();
        assert_eq!(calendar[146_097], Counted { year: 2400, ..first }, "the cycle closes");
        let start = day("2000-01-01");
        let holidays = Holidays::default();
        let mut clock = RequestClock::received(start);
        for (n, received) in start.iter_days().take(146_097).enumerate() {
            clock.received = received;
            for months in [1, 3] {
                let today = calendar[n];
                let (year, month) = match today.month + months {
                    month if month > 12 => (today.year + 1, month - 12),
                    month => (today.year, month),
                };
                let wanted_day = today.day.min(days_of(year, month));
                let mut end = n;
                while (calendar[end].year, calendar[end].month, calendar[end].day)
                    != (year, month, wanted_day)
                {
                    end += 1;
                }
                while calendar[end].weekday >= 5 {
                    end += 1;
                }
                let Counted { year, month, day, .. } = calendar[end];
                assert_eq!(
                    clock.after(months, &holidays),
                    NaiveDate::from_ymd_opt(year, month, day),
                    "{received} + {months} months"
                );
            }
        }
    }

    #[test]
    fn what_ends_on_a_holiday_ends_with_the_next_working_day() {
        // Easter 2026: Good Friday 3 April, Easter Monday 6 April.
        let holidays = Holidays::new([day("2026-04-03"), day("2026-04-06")]);
        assert_eq!(RequestClock::received(day("2026-03-03")).due(&holidays), Some(day("2026-04-07")));
        assert_eq!(RequestClock::received(day("2026-03-02")).due(&holidays), Some(day("2026-04-02")));
        assert_eq!(RequestClock::received(NaiveDate::MAX).due(&holidays), None);
    }

    #[test]
    fn an_extension_counts_from_the_receipt() {
        let holidays = Holidays::default();
        let mut clock = RequestClock::received(day("2026-01-31"));
        assert_eq!(
            clock.extend(day("2026-03-03"), "late", &holidays),
            Err(ClockError::TooLate { day: day("2026-03-03"), due: day("2026-03-02") })
        );
        assert!(matches!(
            clock.extend(day("2026-01-30"), "early", &holidays),
            Err(ClockError::TooEarly { .. })
        ));
        clock.extend(day("2026-03-02"), "many documents", &holidays).unwrap();
        assert_eq!(clock.due(&holidays), Some(day("2026-04-30")));
        assert_eq!(clock.extend(day("2026-03-02"), "again", &holidays), Err(ClockError::Extended));
        assert_eq!(clock.extension().unwrap().reason, "many documents");
    }

    /// The first and the last day of a period belong to the period.
    #[test]
    fn a_clock_is_stopped_or_extended_on_the_first_day_and_on_the_last() {
        let holidays = Holidays::default();
        let received = RequestClock::received(day("2026-06-01"));
        for told in ["2026-06-01", "2026-07-01"] {
            let mut clock = received.clone();
            assert_eq!(clock.extend(day(told), "x", &holidays), Ok(()), "{told}");
            let mut clock = received.clone();
            assert_eq!(clock.suspend(day(told), "x", &holidays), Ok(()), "{told}");
            assert_eq!(clock.resume(day(told)), Ok(()), "it was clear on the same day");
            assert_eq!(clock.due(&holidays), received.due(&holidays));
        }
    }

    #[test]
    fn it_stands_still_while_it_is_not_clear_who_asks_and_only_then() {
        let holidays = Holidays::default();
        let mut clock = RequestClock::received(day("2026-06-01"));
        assert_eq!(clock.resume(day("2026-06-02")), Err(ClockError::NotSuspended));
        assert!(matches!(clock.suspend(day("2026-05-31"), "x", &holidays), Err(ClockError::TooEarly { .. })));
        assert!(matches!(clock.suspend(day("2026-07-02"), "x", &holidays), Err(ClockError::TooLate { .. })));
        clock.suspend(day("2026-06-03"), "the mail address is not one we know", &holidays).unwrap();
        assert_eq!(clock.due(&holidays), None);
        assert_eq!(clock.suspend(day("2026-06-04"), "x", &holidays), Err(ClockError::Suspended));
        assert_eq!(clock.extend(day("2026-06-04"), "x", &holidays), Err(ClockError::Suspended));
        assert!(matches!(clock.resume(day("2026-06-02")), Err(ClockError::TooEarly { .. })));
        clock.resume(day("2026-06-13")).unwrap();
        // 1 July, ten days later, is a Saturday.
        assert_eq!(clock.due(&holidays), Some(day("2026-07-13")));
        assert!(matches!(clock.suspend(day("2026-06-12"), "x", &holidays), Err(ClockError::TooEarly { .. })));
        clock.suspend(day("2026-06-20"), "nor is the number", &holidays).unwrap();
        clock.resume(day("2026-06-21")).unwrap();
        assert_eq!(clock.due(&holidays), Some(day("2026-07-13")), "12 July is a Sunday");
        assert_eq!(clock.suspensions().len(), 2);
        let json = serde_json::to_string(&clock).unwrap();
        assert_eq!(serde_json::from_str::<RequestClock>(&json).unwrap(), clock);
    }
}
