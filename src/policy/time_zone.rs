//! The zone in which a policy counts days.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Days, LocalResult, NaiveDate, NaiveDateTime, Utc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::customer::Moment;

/// The zone in which a policy counts days, by its name in the IANA database: `Europe/Stockholm`. UTC, unless the policy
/// says otherwise.
///
/// It says on which day an instant falls. A date that the store holds as a day stays that day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeZone(chrono_tz::Tz);

impl TimeZone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(chrono_tz::Tz::UTC);

    /// The day on which an instant falls.
    pub fn day(self, at: DateTime<Utc>) -> NaiveDate {
        // A conversion costs more than a decision, and in UTC there is nothing to convert.
        if self.0 == chrono_tz::Tz::UTC {
            return at.date_naive();
        }
        // At the ends of the calendar there is no other day to go to.
        let naive = at.naive_utc();
        let offset = chrono::TimeZone::offset_from_utc_datetime(&self.0, &naive);
        naive.checked_add_offset(chrono::Offset::fix(&offset)).unwrap_or(naive).date()
    }

    /// The day that a store's date means.
    pub fn day_of(self, moment: Moment) -> NaiveDate {
        match moment {
            Moment::Day(day) => day,
            Moment::Instant(at) => self.day(at),
        }
    }

    /// What the clock of the zone shows at an instant.
    pub(crate) fn wall(self, at: DateTime<Utc>) -> NaiveDateTime {
        let naive = at.naive_utc();
        let offset = chrono::TimeZone::offset_from_utc_datetime(&self.0, &naive);
        naive.checked_add_offset(chrono::Offset::fix(&offset)).unwrap_or(naive)
    }

    /// The instant at which the clock of the zone shows a time. The later one, where the clock showed the time twice. Where
    /// the clock skipped the time, as if it had been put forward later. None beyond the calendar.
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

    /// The names of the zones, for a slip of the pen.
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

/// A text that is no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a time zone has its name in the IANA database, such as \"Europe/Stockholm\"")]
pub struct NotATimeZone;

#[cfg(test)]
mod tests {
    use super::*;

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
            // A whole day that nobody in Samoa had.
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
