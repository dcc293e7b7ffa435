//! The time zone in which a policy counts days.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Days, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Moment;

/// The time zone in which a policy counts days, by its name in the IANA database: `Europe/Stockholm`. The default is
/// UTC.
///
/// The zone determines the day of an instant. If the store has a date without a time, this day is not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeZone(chrono_tz::Tz);

/// A cache entry for one UTC day in a zone: the local day at its start, the next local day, and the second at which
/// the next local day begins.
#[derive(Clone, Copy)]
struct Turn {
    zone: TimeZone,
    day: i64,
    at: i64,
    before: NaiveDate,
    after: NaiveDate,
    /// Whether the clock keeps the same offset all day. If not, the other fields are not valid.
    is_steady: bool,
}

/// The seconds of a day.
const SECONDS: i64 = 86_400;

/// The number of cached days, each in its own slot: about eleven years, less than 200 KiB.
const REMEMBERED: usize = 4_096;
/// The bits of a day that choose its slot.
const PLACES: i64 = 4_095;

thread_local! {
    /// A look-up in the zone's table takes as long as the rest of a decision, and customers' dates fall on only a few
    /// days. So each thread caches the days that it looked up.
    static TURNS: RefCell<Vec<Option<Turn>>> = const { RefCell::new(Vec::new()) };
}

impl TimeZone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(chrono_tz::Tz::UTC);

    /// The day on which an instant falls.
    pub fn day(self, at: DateTime<Utc>) -> NaiveDate {
        // A conversion takes longer than a decision, and UTC needs none.
        if self.0 == chrono_tz::Tz::UTC {
            return at.date_naive();
        }
        // A thread that is ending has no cache.
        TURNS
            .try_with(|turns| self.remembered(&mut *turns.try_borrow_mut().ok()?, at))
            .ok()
            .flatten()
            .unwrap_or_else(|| self.convert(at))
    }

    /// The day from this thread's cache, which is filled on demand. `None` on a day on which the offset changes, and
    /// at the ends of the calendar.
    fn remembered(self, turns: &mut Vec<Option<Turn>>, at: DateTime<Utc>) -> Option<NaiveDate> {
        if turns.is_empty() {
            turns.resize(REMEMBERED, None);
        }
        let seconds = at.timestamp();
        let day = seconds.div_euclid(SECONDS);
        let known = turns.get_mut(usize::try_from(day & PLACES).ok()?)?;
        if known.as_ref().is_none_or(|turn| turn.day != day || turn.zone != self) {
            *known = Some(self.turn(day)?);
        }
        let turn = known.as_ref().filter(|turn| turn.is_steady)?;
        Some(if seconds < turn.at { turn.before } else { turn.after })
    }

    /// The day from the zone's table.
    fn convert(self, at: DateTime<Utc>) -> NaiveDate {
        // At the ends of the calendar there is no neighbouring day.
        let naive = at.naive_utc();
        let offset = chrono::TimeZone::offset_from_utc_datetime(&self.0, &naive);
        naive.checked_add_offset(chrono::Offset::fix(&offset)).unwrap_or(naive).date()
    }

    /// The cache entry of a UTC day. `None` at the ends of the calendar.
    fn turn(self, day: i64) -> Option<Turn> {
        let start = DateTime::from_timestamp(day.checked_mul(SECONDS)?, 0)?;
        let offset = |at: DateTime<Utc>| {
            let offset = chrono::TimeZone::offset_from_utc_datetime(&self.0, &at.naive_utc());
            i64::from(chrono::Offset::fix(&offset).local_minus_utc())
        };
        let now = offset(start);
        // No zone has ever changed its offset twice within six hours.
        let is_steady = [6, 12, 18, 24].iter().all(|hours| {
            // The last second of the day, before the next day begins.
            let at = start.checked_add_signed(TimeDelta::hours(*hours) - TimeDelta::seconds(1));
            at.map(offset) == Some(now)
        });
        let before = self.convert(start);
        let after = before.succ_opt()?;
        let at = start.timestamp() + SECONDS - now.rem_euclid(SECONDS);
        Some(Turn { zone: self, day, at, before, after, is_steady })
    }

    /// The day of a date that the store holds.
    pub fn day_of(self, moment: Moment) -> NaiveDate {
        match moment {
            Moment::Day(day) => day,
            Moment::Instant(at) => self.day(at),
        }
    }

    /// The local time at an instant.
    pub(crate) fn wall(self, at: DateTime<Utc>) -> NaiveDateTime {
        let naive = at.naive_utc();
        let offset = chrono::TimeZone::offset_from_utc_datetime(&self.0, &naive);
        naive.checked_add_offset(chrono::Offset::fix(&offset)).unwrap_or(naive)
    }

    /// The instant of a local time. If the clock showed this time twice, the later instant. If the clock skipped this
    /// time, the instant as if the clock had been changed later. `None` after the end of the calendar.
    pub(crate) fn instant(self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        let at = |offset: chrono_tz::TzOffset| {
            Some(wall.checked_sub_offset(chrono::Offset::fix(&offset))?.and_utc())
        };
        match chrono::TimeZone::offset_from_local_datetime(&self.0, &wall) {
            LocalResult::Single(offset) => at(offset),
            LocalResult::Ambiguous(one, other) => Some(at(one)?.max(at(other)?)),
            LocalResult::None => {
                let before = wall.checked_sub_days(Days::new(2))?;
                at(chrono::TimeZone::offset_from_utc_datetime(&self.0, &before))
            }
        }
    }

    /// The names of the zones, for suggestions after a typing error.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> + Clone {
        chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.name())
    }
}

impl FromStr for TimeZone {
    type Err = NotATimeZone;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| NotATimeZone)
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The error for a text that is no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a time zone has its name in the IANA database, such as \"Europe/Stockholm\"")]
pub struct NotATimeZone;

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache entry never affects another day or another zone.
    #[test]
    fn a_day_that_is_remembered_is_the_day_that_is_computed() {
        let start: DateTime<Utc> = "2026-03-27T00:00:00Z".parse().unwrap();
        for (n, name) in TimeZone::names().enumerate() {
            let zone: TimeZone = name.parse().unwrap();
            let other = TimeZone::from_str(["Europe/Stockholm", "Pacific/Apia"][n % 2]).unwrap();
            // Over the days on which clocks change, in odd steps, forwards and backwards.
            for season in [0, 217] {
                let mut at = start + TimeDelta::days(season);
                for step in [5_003, -1_009, 12_007, 1, 86_399].into_iter().cycle().take(60) {
                    at += TimeDelta::seconds(step);
                    assert_eq!(zone.day(at), zone.convert(at), "{name} {at}");
                    assert_eq!(other.day(at), other.convert(at), "{other} {at}");
                }
                let midnight = zone.instant(zone.convert(at).and_time(chrono::NaiveTime::MIN)).unwrap();
                for second in [-1, 0, 1, 86_399, 86_400] {
                    let at = midnight + TimeDelta::seconds(second);
                    assert_eq!(zone.day(at), zone.convert(at), "{name} {at}");
                }
            }
        }
        for end in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let zone: TimeZone = "Pacific/Apia".parse().unwrap();
            assert_eq!(zone.day(end), zone.convert(end));
        }
    }

    #[test]
    fn a_day_begins_at_midnight_of_the_zone() {
        for (zone, at, day) in [
            ("UTC", "2026-06-30T23:59:59Z", "2026-06-30"),
            ("Europe/Stockholm", "2026-06-30T21:59:59Z", "2026-06-30"),
            ("Europe/Stockholm", "2026-06-30T22:00:00Z", "2026-07-01"),
            ("Europe/Stockholm", "2026-12-31T22:59:59Z", "2026-12-31"),
            ("Europe/Stockholm", "2026-12-31T23:00:00Z", "2027-01-01"),
            ("America/New_York", "2026-03-01T04:59:59Z", "2026-02-28"),
            ("America/New_York", "2026-03-01T05:00:00Z", "2026-03-01"),
            // Samoa left out 30 December 2011.
            ("Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29"),
            ("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31"),
        ] {
            let zone: TimeZone = zone.parse().unwrap();
            assert_eq!(zone.day(at.parse().unwrap()).to_string(), day, "{zone} {at}");
            assert_eq!(zone.to_string().parse(), Ok(zone));
        }
    }

    #[test]
    fn the_ends_of_the_calendar_are_days_too() {
        for zone in ["Pacific/Apia", "America/New_York", "Europe/Stockholm"] {
            let zone: TimeZone = zone.parse().unwrap();
            assert!(zone.day(DateTime::<Utc>::MAX_UTC) >= zone.day(DateTime::<Utc>::MIN_UTC));
        }
        assert_eq!("Europe/Atlantis".parse::<TimeZone>(), Err(NotATimeZone));
    }

    #[test]
    fn a_clock_that_showed_a_time_twice_or_never_means_the_later_instant() {
        for (zone, wall, at) in [
            ("America/New_York", "2020-01-01T02:00:00", "2020-01-01T07:00:00Z"),
            ("America/New_York", "2026-11-01T01:30:00", "2026-11-01T06:30:00Z"),
            ("America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:30:00Z"),
            ("Europe/Stockholm", "2026-10-25T02:30:00", "2026-10-25T01:30:00Z"),
            // A whole day that did not exist in Samoa.
            ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T22:00:00Z"),
        ] {
            let zone: TimeZone = zone.parse().unwrap();
            let expected: DateTime<Utc> = at.parse().unwrap();
            assert_eq!(zone.instant(wall.parse().unwrap()), Some(expected), "{zone} {wall}");
        }
    }

    #[test]
    fn a_day_stays_the_day_that_the_store_holds() {
        let zone: TimeZone = "Pacific/Apia".parse().unwrap();
        let day = "2026-01-01".parse().unwrap();
        assert_eq!(zone.day_of(Moment::Day(day)), day);
    }
}
