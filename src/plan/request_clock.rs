//! The clock of a request: the day by which the person must have an answer.
//!
//! | regime | answer within | extension | stops |
//! |---|---|---|---|
//! | [EU](Regime::Eu): Art. 12(3) GDPR | one month from receipt | two further months, told within the first | while identity or subject of the request is not clear |
//! | [UK](Regime::Uk): Art. 12A UK GDPR, since 5 February 2026 | one month from the latest of receipt, proof of identity and fee | two further months, told within the first | while the subject of the request is not clear |
//! | [Switzerland](Regime::Switzerland): Art. 18 of the Data Protection Ordinance | 30 days from receipt | told within the first 30 days; 30 more days | never |
//! | [California](Regime::California): CCPA | 45 days from receipt; receipt confirmed within 10 business days | once by 45 days, told within the first 45 | never |
//!
//! The Swiss ordinance sets the 30 days for access, and no period for erasure: the crate counts the same days for both. It sets
//! no length for the extension: the person must be told by when the answer comes. 30 more days are the crate's choice.
//!
//! What was read for this table, in November and December 2026:
//!
//! * Switzerland: Art. 18 of the ordinance, as [reproduced](https://www.datenschutzpartner.ch/dsv/dsv-18/). A refusal, too, must
//!   be sent within the 30 days.
//! * California: the regulation, 11 CCR § 7021, as [reproduced](https://advisori.com/cpra/): 10 business days, 45 calendar days,
//!   90 at most from the day of receipt. Civil Code § 1798.130(a)(2)(A) was read in quotations only.
//! * United Kingdom: section 164A of the Data Protection Act 2018 in
//!   [section 103 of the Data (Use and Access) Act 2025](https://www.legislation.gov.uk/ukpga/2025/18/section/103). The days from
//!   which Art. 12A and section 164A apply come from secondary sources.
//!
//! Regulation (EEC, Euratom) 1182/71 says how to count the days of the EU and of the UK. No guard and no refusal stops
//! a clock: a refusal, too, must be sent in time (Art. 12(4)). Each stop has one of a few reasons and is recorded.

use std::collections::BTreeSet;

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};
use serde::{Deserialize, Serialize};

use crate::policy::PrivacyLaw;

/// Holidays: days that are no working days, besides Saturdays and Sundays. The host supplies them, because they depend
/// on the place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holidays(BTreeSet<NaiveDate>);

impl Holidays {
    /// These days are holidays.
    pub fn new(days: impl IntoIterator<Item = NaiveDate>) -> Self {
        Self(days.into_iter().collect())
    }

    /// Reads holidays from the text of a file: one day per line, as `2026-12-25`. Empty lines are ignored. The text
    /// after a `#` is a comment.
    ///
    /// # Errors
    /// [`NotHolidays`]: a line is not a day.
    pub fn parse(text: &str) -> Result<Self, NotHolidays> {
        let mut days = BTreeSet::new();
        for (n, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                days.insert(line.parse().map_err(|_| NotHolidays { line: n + 1 })?);
            }
        }
        Ok(Self(days))
    }

    /// Whether a day is a working day.
    pub fn is_working_day(&self, day: NaiveDate) -> bool {
        !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) && !self.0.contains(&day)
    }

    /// The day itself, or the next working day (Regulation 1182/71, Art. 3(4)).
    fn on_or_after(&self, day: NaiveDate) -> Option<NaiveDate> {
        day.iter_days().find(|day| self.is_working_day(*day))
    }

    /// The working day that is `count` working days after a day.
    fn working_days_after(&self, day: NaiveDate, count: usize) -> Option<NaiveDate> {
        day.iter_days().skip(1).filter(|day| self.is_working_day(*day)).nth(count.checked_sub(1)?)
    }
}

/// The error for a text that is no list of holidays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no day; write one day per line, such as 2026-12-25")]
pub struct NotHolidays {
    /// The line.
    pub line: usize,
}

/// The law that sets the period.
///
/// [`Regime::of`] takes it from the data protection law of the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Regime {
    /// The European Union and the EEA: Art. 12(3) GDPR.
    #[default]
    Eu,
    /// The United Kingdom: Art. 12A UK GDPR, in force since 5 February 2026.
    Uk,
    /// Switzerland: Art. 18 of the Data Protection Ordinance.
    Switzerland,
    /// California: California Consumer Privacy Act, § 1798.130.
    California,
}

impl Regime {
    /// Every regime.
    pub const ALL: [Self; 4] = [Self::Eu, Self::Uk, Self::Switzerland, Self::California];

    /// The name, as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eu => "eu",
            Self::Uk => "uk",
            Self::Switzerland => "switzerland",
            Self::California => "california",
        }
    }

    /// The regime with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|regime| regime.as_str() == name)
    }

    /// The regime of a data protection law on the day of receipt. A request that a controller in the United Kingdom
    /// received before 5 February 2026 counts as in the EU, because Art. 12A did not exist. The period of the EU, too, is
    /// counted for India: its act leaves the period to the controller.
    pub fn of(law: PrivacyLaw, received: NaiveDate) -> Self {
        match law {
            PrivacyLaw::UkGdpr if since(received, 2026, 2, 5) => Self::Uk,
            PrivacyLaw::Gdpr | PrivacyLaw::UkGdpr | PrivacyLaw::Dpdp => Self::Eu,
            PrivacyLaw::Fadp => Self::Switzerland,
            PrivacyLaw::Ccpa => Self::California,
        }
    }

    /// Whether a question to the person stops the clock.
    pub fn has_stops(self) -> bool {
        matches!(self, Self::Eu | Self::Uk)
    }

    /// The days of the period, where the regime counts calendar days and not months.
    fn days(self, is_extended: bool) -> Option<u64> {
        match (self, is_extended) {
            (Self::Eu | Self::Uk, _) => None,
            (Self::Switzerland, false) => Some(30),
            (Self::Switzerland, true) => Some(60),
            (Self::California, false) => Some(45),
            (Self::California, true) => Some(90),
        }
    }
}

/// Whether a law of this day is in force.
fn since(day: NaiveDate, year: i32, month: u32, of_month: u32) -> bool {
    (day.year(), day.month(), day.day()) >= (year, month, of_month)
}

/// Why a clock is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It is not clear who asks: the person was asked for proof of identity (Art. 12(6)), or in the UK for a fee.
    Identity,
    /// It is not clear to what the request refers: the person was asked for more information.
    Clarification,
}

/// Why an answer takes longer. The law accepts no other reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtensionReason {
    /// The request is complex.
    Complexity,
    /// There are many requests.
    NumberOfRequests,
}

/// A stop of the clock: the person was asked for something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Suspension {
    /// The day on which the person was asked.
    pub from: NaiveDate,
    /// The day on which the person answered. `None`: not answered yet.
    pub to: Option<NaiveDate>,
    /// Why.
    pub reason: StopReason,
    /// The days on which the person was reminded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reminded: Vec<NaiveDate>,
    /// The last day for the answer, as it was when the person was asked.
    pub due: NaiveDate,
}

/// The extension. The person was told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Extension {
    /// The day on which the person was told.
    pub told: NaiveDate,
    /// Why more time is needed.
    pub reason: ExtensionReason,
    /// The last day for the answer, as it was when the person was told.
    pub due: NaiveDate,
}

/// The clock of one request.
///
/// ```
/// use relinquish::plan::{ExtensionReason, Holidays, RequestClock};
///
/// let mut clock = RequestClock::received("2026-01-31".parse()?);
/// let holidays = Holidays::default();
/// // February has no 31st, and the 28th is a Saturday.
/// assert_eq!(clock.due(&holidays), Some("2026-03-02".parse()?));
/// clock.extend("2026-02-20".parse()?, ExtensionReason::Complexity, &holidays)?;
/// // From the receipt, and not from the end of the first month: 30 April, not 28 April.
/// assert_eq!(clock.due(&holidays), Some("2026-04-30".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct RequestClock {
    regime: Regime,
    received: NaiveDate,
    suspensions: Vec<Suspension>,
    extension: Option<Extension>,
}

/// A saved clock. Somebody may have changed the saved data, so every rule of the clock is checked again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    #[serde(default)]
    regime: Regime,
    received: NaiveDate,
    suspensions: Vec<Suspension>,
    extension: Option<Extension>,
}

/// The days after which a person who has not answered is reminded.
const REMIND_AFTER: Days = Days::new(14);

/// The most days by which weekends and holidays can move the end of a period. No place has more of them in a row.
const MOVED_AT_MOST: Days = Days::new(31);

impl RequestClock {
    /// Starts on the day of receipt, under the GDPR. The day of receipt does not count (Regulation 1182/71, Art. 3(1)).
    pub fn received(on: NaiveDate) -> Self {
        Self::under(Regime::Eu, on)
    }

    /// Starts on the day of receipt, under a regime.
    pub fn under(regime: Regime, received: NaiveDate) -> Self {
        Self { regime, received, suspensions: Vec::new(), extension: None }
    }

    /// The regime.
    pub fn regime(&self) -> Regime {
        self.regime
    }

    /// The day of receipt.
    pub fn received_on(&self) -> NaiveDate {
        self.received
    }

    /// The times when the clock was stopped.
    pub fn suspensions(&self) -> &[Suspension] {
        &self.suspensions
    }

    /// The stops on which the last day for the answer depends. In the UK, the period begins with the last proof of identity,
    /// so earlier stops do not count.
    pub(crate) fn stops_that_count(&self) -> &[Suspension] {
        let begins = |stop: &Suspension| self.regime == Regime::Uk && stop.reason == StopReason::Identity;
        let first = self.suspensions.iter().rposition(begins).unwrap_or(0);
        self.suspensions.get(first..).unwrap_or_default()
    }

    /// The extension, if there is one.
    pub fn extension(&self) -> Option<&Extension> {
        self.extension.as_ref()
    }

    /// The last day on which the person must have an answer. `None` while the clock is stopped, or if the day is after
    /// the end of the calendar.
    ///
    /// The period ends on the day of the month that has the same number as the day of receipt. If the month has no
    /// such day, the period ends on the month's last day (Art. 3(2)(c)). Days on which the clock was stopped are
    /// added. If the result is a Saturday, a Sunday or a holiday, the period ends on the next working day (Art.
    /// 3(4)). The days of California and Switzerland are calendar days, and end on any day.
    pub fn due(&self, holidays: &Holidays) -> Option<NaiveDate> {
        self.moved(end(self.regime, self.received, &self.suspensions, self.extension.is_some())?, holidays)
    }

    /// The last day for the answer in the most cautious reading of the law. In this reading, an extension counts from
    /// the end of the first month. So a request of 31 January is due on 28 April, and not on 30 April.
    /// [`due`](Self::due) counts from the receipt.
    pub fn due_at_the_earliest(&self, holidays: &Holidays) -> Option<NaiveDate> {
        let due = self.due(holidays)?;
        if self.extension.is_none() || self.regime.days(true).is_some() {
            return Some(due);
        }
        let first = end(self.regime, self.received, &self.suspensions, false)?;
        let cautious = self.moved(first.checked_add_months(Months::new(2))?, holidays)?;
        Some(cautious.min(due))
    }

    /// The last day on which the receipt must be confirmed. `None` if the regime asks for no confirmation.
    pub fn confirm_by(&self, holidays: &Holidays) -> Option<NaiveDate> {
        match self.regime {
            Regime::California => holidays.working_days_after(self.received, 10),
            Regime::Eu | Regime::Uk | Regime::Switzerland => None,
        }
    }

    /// Checks that `day` is not after `due`, and that `due` is the end of the present period, perhaps moved by weekends
    /// or holidays.
    fn is_end(&self, day: NaiveDate, due: NaiveDate) -> Result<(), ClockError> {
        let end = end(self.regime, self.received, &self.suspensions, self.extension.is_some());
        let end = end.ok_or(ClockError::Suspended)?;
        if day > due { Err(ClockError::TooLate { day, due }) } else { in_time(day, due, end) }
    }

    /// The end of a period, moved to a working day where the regime does so.
    fn moved(&self, end: NaiveDate, holidays: &Holidays) -> Option<NaiveDate> {
        match self.regime {
            Regime::Eu | Regime::Uk => holidays.on_or_after(end),
            Regime::Switzerland | Regime::California => Some(end),
        }
    }

    /// Stops the clock: the person was asked for something.
    ///
    /// # Errors
    /// [`ClockError`]: the regime has no stop, the clock is stopped already, the day is before the receipt or the end
    /// of the last stop, or the day is after the last day for the answer.
    pub fn suspend(
        &mut self,
        from: NaiveDate,
        reason: StopReason,
        holidays: &Holidays,
    ) -> Result<(), ClockError> {
        if !self.regime.has_stops() {
            return Err(ClockError::NoStop);
        }
        let Some(due) = self.due(holidays) else { return Err(ClockError::Suspended) };
        self.stop(from, reason, due)
    }

    /// Stops the clock. `due` is the last day for the answer, computed with the holidays that were known at that time.
    pub(crate) fn stop(
        &mut self,
        from: NaiveDate,
        reason: StopReason,
        due: NaiveDate,
    ) -> Result<(), ClockError> {
        if !self.regime.has_stops() {
            return Err(ClockError::NoStop);
        }
        let earliest = self.suspensions.last().and_then(|last| last.to).unwrap_or(self.received);
        not_before(from, earliest)?;
        self.is_end(from, due)?;
        self.suspensions.push(Suspension { from, to: None, reason, reminded: Vec::new(), due });
        Ok(())
    }

    /// The day on which to remind the person, while the clock is stopped: two weeks after the question or the last
    /// reminder. Without reminders, a question could be misused to leave a request unanswered.
    pub fn remind_on(&self) -> Option<NaiveDate> {
        let open = self.suspensions.last().filter(|last| last.to.is_none())?;
        open.reminded.last().unwrap_or(&open.from).checked_add_days(REMIND_AFTER)
    }

    /// Records a reminder.
    ///
    /// # Errors
    /// [`ClockError`]: the clock is not stopped, or the day is before the question or the last reminder.
    pub fn remind(&mut self, on: NaiveDate) -> Result<(), ClockError> {
        let open = self.suspensions.last_mut().filter(|last| last.to.is_none());
        let open = open.ok_or(ClockError::NotSuspended)?;
        let earliest = *open.reminded.last().unwrap_or(&open.from);
        if on < earliest {
            return Err(ClockError::TooEarly { day: on, earliest });
        }
        open.reminded.push(on);
        Ok(())
    }

    /// Restarts the clock: the person answered.
    ///
    /// # Errors
    /// [`ClockError`]: the clock is not stopped, or the day is before the stop or the last reminder.
    pub fn resume(&mut self, to: NaiveDate) -> Result<(), ClockError> {
        let suspended = self.suspensions.last_mut().filter(|last| last.to.is_none());
        let suspended = suspended.ok_or(ClockError::NotSuspended)?;
        let earliest = *suspended.reminded.last().unwrap_or(&suspended.from);
        if to < earliest {
            return Err(ClockError::TooEarly { day: to, earliest });
        }
        suspended.to = Some(to);
        Ok(())
    }

    /// Extends the period: to three months from receipt, in California to 90 days, in Switzerland to 60. The person was told
    /// so.
    ///
    /// # Errors
    /// [`ClockError`]: the period was extended before, the clock is stopped, or the person was told before the receipt,
    /// before the end of the last stop, or after the end of the first period.
    pub fn extend(
        &mut self,
        told: NaiveDate,
        reason: ExtensionReason,
        holidays: &Holidays,
    ) -> Result<(), ClockError> {
        if self.extension.is_some() {
            return Err(ClockError::Extended);
        }
        let due = self.due(holidays).ok_or(ClockError::Suspended)?;
        self.lengthen(told, reason, due)
    }

    /// Extends the period. `due` is the last day for the answer, computed with the holidays that were known at that
    /// time.
    pub(crate) fn lengthen(
        &mut self,
        told: NaiveDate,
        reason: ExtensionReason,
        due: NaiveDate,
    ) -> Result<(), ClockError> {
        if self.extension.is_some() {
            return Err(ClockError::Extended);
        }
        let earliest = self.suspensions.last().and_then(|last| last.to).unwrap_or(self.received);
        not_before(told, earliest)?;
        self.is_end(told, due)?;
        self.extension = Some(Extension { told, reason, due });
        Ok(())
    }
}

/// The end of the period, before weekends and holidays. `None` while the clock is stopped.
fn end(
    regime: Regime,
    received: NaiveDate,
    suspensions: &[Suspension],
    is_extended: bool,
) -> Option<NaiveDate> {
    if let Some(days) = regime.days(is_extended) {
        return received.checked_add_days(Days::new(days));
    }
    let (mut start, mut still) = (received, 0);
    for stop in suspensions {
        let to = stop.to?;
        if regime == Regime::Uk && stop.reason == StopReason::Identity {
            // The month begins when the person has proved the identity. Earlier stops lie before the month.
            (start, still) = (to, 0);
        } else {
            still += u64::try_from((to - stop.from).num_days()).ok()?;
        }
    }
    let end = start.checked_add_months(Months::new(if is_extended { 3 } else { 1 }))?;
    end.checked_add_days(Days::new(still))
}

impl TryFrom<Saved> for RequestClock {
    type Error = ClockError;

    fn try_from(saved: Saved) -> Result<Self, ClockError> {
        let Saved { regime, received, suspensions, extension } = saved;
        if !regime.has_stops() && !suspensions.is_empty() {
            return Err(ClockError::NoStop);
        }
        let mut earliest = received;
        for (n, stop) in suspensions.iter().enumerate() {
            let before = suspensions.get(..n).unwrap_or_default();
            not_before(stop.from, earliest)?;
            let is_extended = extension.as_ref().is_some_and(|extension| extension.told <= stop.from);
            let first = end(regime, received, before, is_extended).ok_or(ClockError::Suspended)?;
            in_time(stop.from, stop.due, first)?;
            let mut last = stop.from;
            for reminded in &stop.reminded {
                not_before(*reminded, last)?;
                last = *reminded;
            }
            match stop.to {
                Some(to) => not_before(to, last)?,
                None if n + 1 < suspensions.len() => return Err(ClockError::Suspended),
                None => {}
            }
            earliest = stop.to.unwrap_or(last);
        }
        if let Some(Extension { told, due, .. }) = &extension {
            not_before(*told, received)?;
            let before = suspensions.iter().take_while(|stop| stop.from < *told).count();
            let before = suspensions.get(..before).unwrap_or_default();
            if before.last().is_some_and(|last| last.to.is_none_or(|to| to > *told)) {
                return Err(ClockError::Suspended);
            }
            let first = end(regime, received, before, false).ok_or(ClockError::Suspended)?;
            in_time(*told, *due, first)?;
        }
        Ok(Self { regime, received, suspensions, extension })
    }
}

fn not_before(day: NaiveDate, earliest: NaiveDate) -> Result<(), ClockError> {
    if day < earliest { Err(ClockError::TooEarly { day, earliest }) } else { Ok(()) }
}

/// Checks that `day` is not after `due`, and that `due` is `end`, perhaps moved by weekends or holidays.
fn in_time(day: NaiveDate, due: NaiveDate, end: NaiveDate) -> Result<(), ClockError> {
    let is_end = due >= end && end.checked_add_days(MOVED_AT_MOST).is_none_or(|latest| due <= latest);
    if day > due || !is_end { Err(ClockError::TooLate { day, due: end }) } else { Ok(()) }
}

/// The clock of a complaint to the controller, in the UK since 19 June 2026 (section 164A of the Data Protection Act
/// 2018).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComplaintClock {
    received: NaiveDate,
}

impl ComplaintClock {
    /// Starts on the day of receipt.
    pub fn received(on: NaiveDate) -> Self {
        Self { received: on }
    }

    /// The day of receipt.
    pub fn received_on(&self) -> NaiveDate {
        self.received
    }

    /// The last day on which the receipt must be acknowledged: within 30 days. No weekend and no holiday moves this day.
    /// The law sets no number of days for the answer: it must come without undue delay. `None` for a complaint that was
    /// received before 19 June 2026.
    pub fn acknowledge_by(&self) -> Option<NaiveDate> {
        self.received.checked_add_days(Days::new(30)).filter(|_| since(self.received, 2026, 6, 19))
    }
}

/// Why a clock cannot be changed, or why saved data are not a valid clock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// The regime has no stop.
    #[error("under this law nothing stops the clock; answer in time, or extend it once")]
    NoStop,
    /// The clock is stopped.
    #[error(
        "the clock is stopped, or its end is after the end of the calendar; first record when the person answered"
    )]
    Suspended,
    /// The clock is not stopped.
    #[error("the clock is not stopped")]
    NotSuspended,
    /// The period was extended before. Only one extension is allowed.
    #[error("the request was extended before; one extension is the most")]
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

    const COMPLEX: ExtensionReason = ExtensionReason::Complexity;

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

    /// Compares all days of 400 years with a simple calendar that only counts from day to day.
    #[test]
    fn every_day_of_the_four_hundred_year_cycle_is_due_by_the_regulation() {
        // 1 January 2000 was a Saturday.
        let first = Counted { year: 2000, month: 1, day: 1, weekday: 5 };
        let calendar: Vec<Counted> =
            std::iter::successors(Some(first), |day| Some(day.next())).take(146_097 + 100).collect();
        assert_eq!(calendar[146_097], Counted { year: 2400, ..first }, "the cycle closes");
        let start = day("2000-01-01");
        let holidays = Holidays::default();
        let told = Extension { told: start, reason: ExtensionReason::Complexity, due: start };
        let mut clock = RequestClock::received(start);
        for (n, received) in start.iter_days().take(146_097).enumerate() {
            clock.received = received;
            for months in [1, 3] {
                clock.extension = (months == 3).then(|| told.clone());
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
                    clock.due(&holidays),
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
            clock.extend(day("2026-03-03"), COMPLEX, &holidays),
            Err(ClockError::TooLate { day: day("2026-03-03"), due: day("2026-03-02") })
        );
        assert!(matches!(
            clock.extend(day("2026-01-30"), COMPLEX, &holidays),
            Err(ClockError::TooEarly { .. })
        ));
        clock.extend(day("2026-03-02"), COMPLEX, &holidays).unwrap();
        assert_eq!(clock.due(&holidays), Some(day("2026-04-30")));
        assert_eq!(clock.extend(day("2026-03-02"), COMPLEX, &holidays), Err(ClockError::Extended));
        assert_eq!(clock.extension().unwrap().reason, COMPLEX);
        assert_eq!(
            clock.due_at_the_earliest(&holidays),
            Some(day("2026-04-28")),
            "on the most cautious reading"
        );
    }

    /// The first and the last day of a period belong to the period.
    #[test]
    fn a_clock_is_stopped_or_extended_on_the_first_day_and_on_the_last() {
        let holidays = Holidays::default();
        let received = RequestClock::received(day("2026-06-01"));
        for told in ["2026-06-01", "2026-07-01"] {
            let mut clock = received.clone();
            assert_eq!(clock.extend(day(told), COMPLEX, &holidays), Ok(()), "{told}");
            let mut clock = received.clone();
            assert_eq!(clock.suspend(day(told), StopReason::Identity, &holidays), Ok(()), "{told}");
            assert_eq!(clock.resume(day(told)), Ok(()), "it was clear on the same day");
            assert_eq!(clock.due(&holidays), received.due(&holidays));
        }
    }

    #[test]
    fn it_stands_still_while_it_is_not_clear_who_asks_and_only_then() {
        let holidays = Holidays::default();
        let mut clock = RequestClock::received(day("2026-06-01"));
        assert_eq!(clock.resume(day("2026-06-02")), Err(ClockError::NotSuspended));
        assert!(matches!(
            clock.suspend(day("2026-05-31"), StopReason::Identity, &holidays),
            Err(ClockError::TooEarly { .. })
        ));
        assert!(matches!(
            clock.suspend(day("2026-07-02"), StopReason::Identity, &holidays),
            Err(ClockError::TooLate { .. })
        ));
        clock.suspend(day("2026-06-03"), StopReason::Identity, &holidays).unwrap();
        assert_eq!(clock.due(&holidays), None);
        assert_eq!(
            clock.suspend(day("2026-06-04"), StopReason::Identity, &holidays),
            Err(ClockError::Suspended)
        );
        assert_eq!(clock.extend(day("2026-06-04"), COMPLEX, &holidays), Err(ClockError::Suspended));
        assert!(matches!(clock.resume(day("2026-06-02")), Err(ClockError::TooEarly { .. })));
        clock.resume(day("2026-06-13")).unwrap();
        // 1 July, ten days later, is a Saturday.
        assert_eq!(clock.due(&holidays), Some(day("2026-07-13")));
        assert!(matches!(
            clock.suspend(day("2026-06-12"), StopReason::Identity, &holidays),
            Err(ClockError::TooEarly { .. })
        ));
        clock.suspend(day("2026-06-20"), StopReason::Clarification, &holidays).unwrap();
        clock.resume(day("2026-06-21")).unwrap();
        assert_eq!(clock.due(&holidays), Some(day("2026-07-13")), "12 July is a Sunday");
        assert_eq!(clock.suspensions().len(), 2);
        let json = serde_json::to_string(&clock).unwrap();
        assert_eq!(serde_json::from_str::<RequestClock>(&json).unwrap(), clock);
    }
    /// Since 5 February 2026 the month runs from the latest of request, identity and fee.
    #[test]
    fn in_the_uk_the_month_begins_when_it_is_known_who_asks() {
        let holidays = Holidays::default();
        let mut clock = RequestClock::under(Regime::Uk, day("2026-06-01"));
        assert_eq!(clock.due(&holidays), Some(day("2026-07-01")));
        clock.suspend(day("2026-06-03"), StopReason::Identity, &holidays).unwrap();
        clock.resume(day("2026-06-15")).unwrap();
        assert_eq!(clock.due(&holidays), Some(day("2026-07-15")));
        clock.suspend(day("2026-06-20"), StopReason::Clarification, &holidays).unwrap();
        clock.resume(day("2026-06-22")).unwrap();
        assert_eq!(clock.due(&holidays), Some(day("2026-07-17")), "two days later");
        clock.extend(day("2026-07-17"), COMPLEX, &holidays).unwrap();
        assert_eq!(clock.due(&holidays), Some(day("2026-09-17")));
        for (received, by) in [
            ("2026-06-18", None),
            ("2026-06-19", Some(day("2026-07-19"))),
            ("2026-06-20", Some(day("2026-07-20"))),
        ] {
            assert_eq!(ComplaintClock::received(day(received)).acknowledge_by(), by, "{received}");
        }
    }

    /// The law of the policy decides, and the day on which the British law changed.
    #[test]
    fn the_law_of_the_controller_sets_the_regime() {
        for (law, received, regime) in [
            (PrivacyLaw::Gdpr, "2026-03-01", Regime::Eu),
            (PrivacyLaw::UkGdpr, "2026-02-04", Regime::Eu),
            (PrivacyLaw::UkGdpr, "2026-02-05", Regime::Uk),
            (PrivacyLaw::Fadp, "2026-03-01", Regime::Switzerland),
            (PrivacyLaw::Ccpa, "2026-03-01", Regime::California),
            (PrivacyLaw::Dpdp, "2026-03-01", Regime::Eu),
        ] {
            assert_eq!(Regime::of(law, day(received)), regime, "{law} {received}");
        }
        for regime in Regime::ALL {
            assert_eq!(Regime::named(regime.as_str()), Some(regime));
            assert_eq!(serde_json::to_value(regime).unwrap(), regime.as_str());
        }
    }

    #[test]
    fn in_switzerland_thirty_days_are_counted() {
        let holidays = Holidays::new([day("2026-08-28")]);
        let mut clock = RequestClock::under(Regime::Switzerland, day("2026-07-31"));
        assert_eq!(
            clock.due(&holidays),
            Some(day("2026-08-30")),
            "a Sunday: no day moves it, and a month would be longer"
        );
        assert_eq!(
            clock.suspend(day("2026-08-01"), StopReason::Identity, &holidays),
            Err(ClockError::NoStop)
        );
        clock.extend(day("2026-08-30"), COMPLEX, &holidays).unwrap();
        assert_eq!(clock.due(&holidays), Some(day("2026-09-29")));
        assert_eq!(clock.due_at_the_earliest(&holidays), clock.due(&holidays));
    }

    #[test]
    fn in_california_days_are_counted_and_nothing_stops_the_clock() {
        let holidays = Holidays::parse("2026-07-03  # Independence Day, observed\n\n").unwrap();
        let mut clock = RequestClock::under(Regime::California, day("2026-06-26"));
        assert_eq!(clock.confirm_by(&holidays), Some(day("2026-07-13")), "ten business days");
        assert_eq!(clock.due(&holidays), Some(day("2026-08-10")));
        assert_eq!(
            clock.suspend(day("2026-06-27"), StopReason::Identity, &holidays),
            Err(ClockError::NoStop)
        );
        clock.extend(day("2026-08-10"), ExtensionReason::NumberOfRequests, &holidays).unwrap();
        assert_eq!(clock.due(&holidays), Some(day("2026-09-24")), "ninety days");
        assert_eq!(RequestClock::received(day("2026-06-26")).confirm_by(&holidays), None);
    }

    #[test]
    fn whoever_does_not_answer_is_reminded() {
        let holidays = Holidays::default();
        let mut clock = RequestClock::received(day("2026-06-01"));
        assert_eq!(
            (clock.remind_on(), clock.remind(day("2026-06-01"))),
            (None, Err(ClockError::NotSuspended))
        );
        clock.suspend(day("2026-06-03"), StopReason::Identity, &holidays).unwrap();
        assert_eq!(clock.remind_on(), Some(day("2026-06-17")));
        clock.remind(day("2026-06-18")).unwrap();
        assert_eq!(clock.remind_on(), Some(day("2026-07-02")));
        assert!(matches!(clock.resume(day("2026-06-17")), Err(ClockError::TooEarly { .. })));
        clock.resume(day("2026-06-20")).unwrap();
        assert_eq!(clock.remind_on(), None);
    }

    #[test]
    fn holidays_are_read_from_the_text_of_a_file() {
        let read = Holidays::parse("# Sweden\n2026-12-25 # juldagen\n\n2026-12-26\n").unwrap();
        assert_eq!(read, Holidays::new([day("2026-12-25"), day("2026-12-26")]));
        // Received on 25 November: the 25th is a holiday, and the 26th and the 27th are a weekend.
        let mut clock = RequestClock::received(day("2026-11-25"));
        assert_eq!(clock.due(&read), Some(day("2026-12-28")));
        assert_eq!(clock.extend(day("2026-12-28"), COMPLEX, &read), Ok(()));
        assert_eq!(Holidays::parse("2026-12-25\n25.12.2026"), Err(NotHolidays { line: 2 }));
    }

    /// Saved data may have been changed. Reading them checks the same rules as building a clock.
    #[test]
    fn what_is_saved_is_checked_as_it_was_when_it_was_built() {
        let holidays = Holidays::new([day("2026-07-01")]);
        let mut clock = RequestClock::received(day("2026-06-01"));
        clock.suspend(day("2026-06-10"), StopReason::Identity, &holidays).unwrap();
        clock.remind(day("2026-06-12")).unwrap();
        clock.resume(day("2026-06-13")).unwrap();
        clock.extend(day("2026-07-06"), COMPLEX, &holidays).unwrap();
        clock.suspend(day("2026-07-20"), StopReason::Clarification, &holidays).unwrap();
        let saved = serde_json::to_value(&clock).unwrap();
        assert_eq!(serde_json::from_value::<RequestClock>(saved.clone()).unwrap(), clock);
        for (path, value) in [
            ("/received", "2026-06-11"),
            ("/suspensions/0/from", "2026-05-31"),
            ("/suspensions/0/from", "2026-07-02"),
            ("/suspensions/0/to", "2026-06-11"),
            ("/suspensions/0/to", "2026-07-21"),
            ("/suspensions/0/due", "2027-01-01"),
            ("/suspensions/0/due", "2026-06-30"),
            ("/suspensions/0/reminded/0", "2026-06-09"),
            ("/suspensions/1/from", "2026-06-12"),
            ("/suspensions/1/from", "2026-12-12"),
            ("/extension/told", "2026-05-31"),
            ("/extension/told", "2026-06-11"),
            ("/extension/told", "2026-07-07"),
            ("/extension/due", "2026-12-31"),
            ("/regime", "california"),
            ("/extension/reason", "we would rather not"),
        ] {
            let mut changed = saved.clone();
            *changed.pointer_mut(path).unwrap() = value.into();
            assert!(serde_json::from_value::<RequestClock>(changed).is_err(), "{path}: {value}");
        }
        let mut open = saved;
        *open.pointer_mut("/suspensions/0/to").unwrap() = serde_json::Value::Null;
        assert!(serde_json::from_value::<RequestClock>(open).is_err(), "only the last stop may be open");
    }
}
