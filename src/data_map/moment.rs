//! Dates as a host stores them, and the spellings of ISO 8601 that databases and programs write.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

/// A date as a host stores it: a day, or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Moment {
    /// A calendar day, with no time of day.
    Day(NaiveDate),
    /// An instant.
    Instant(DateTime<Utc>),
}

impl Moment {
    /// The calendar day. For an instant, the day in UTC.
    pub fn day(self) -> NaiveDate {
        match self {
            Self::Day(day) => day,
            Self::Instant(instant) => instant.date_naive(),
        }
    }
}

/// The meaning of a text in ISO 8601.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelled {
    /// A calendar day.
    Day(NaiveDate),
    /// A day and a time without an offset. The instant depends on the time zone of the program that wrote the text.
    Wall(NaiveDateTime),
    /// An instant.
    Instant(DateTime<Utc>),
}

/// Reads `2020-01-31`, with or without a time: `2020-01-31 10:00:00`. The separator may be `T`. Seconds may be
/// missing, or have a fraction. The offset may be `Z`, `UTC`, `+02:00`, `+0200` or `+02`. The year has four digits;
/// month, day and hour have one or two.
///
/// Allocates no memory, because every run reads the dates of every record several times.
pub(super) fn spelled(text: &str) -> Option<Spelled> {
    let mut rest = Rest(text.trim_ascii().as_bytes());
    let year = rest.number(4, 4)?;
    rest.skip(b'-')?;
    let month = rest.number(1, 2)?;
    rest.skip(b'-')?;
    let day = rest.number(1, 2)?;
    let day = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    if rest.0.is_empty() {
        return Some(Spelled::Day(day));
    }
    match rest.next()? {
        b'T' | b't' | b' ' => {}
        _ => return None,
    }
    rest.blanks();
    let wall = day.and_time(rest.time()?);
    rest.blanks();
    match rest.0 {
        [] => Some(Spelled::Wall(wall)),
        [b'Z' | b'z'] => Some(Spelled::Instant(wall.and_utc())),
        word if word.eq_ignore_ascii_case(b"UTC") || word.eq_ignore_ascii_case(b"GMT") => {
            Some(Spelled::Instant(wall.and_utc()))
        }
        _ => {
            let offset = rest.offset()?;
            Some(Spelled::Instant(wall.checked_sub_offset(offset)?.and_utc()))
        }
    }
}

/// The rest of a text.
struct Rest<'t>(&'t [u8]);

impl Rest<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn skip(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn blanks(&mut self) {
        while let [b' ', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    /// Reads a number with at least `least` and at most `most` digits.
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let (mut number, mut digits) = (0, 0);
        while let [digit @ b'0'..=b'9', rest @ ..] = self.0
            && digits < most
        {
            number = number * 10 + u32::from(digit - b'0');
            digits += 1;
            self.0 = rest;
        }
        (digits >= least).then_some(number)
    }

    /// Reads `10:00`, `10:00:00` or `10:00:00.123`.
    fn time(&mut self) -> Option<NaiveTime> {
        let hour = self.number(1, 2)?;
        self.skip(b':')?;
        let minute = self.number(2, 2)?;
        let (mut second, mut nanos) = (0, 0);
        if let [b':', rest @ ..] = self.0 {
            self.0 = rest;
            second = self.number(2, 2)?;
            if let [b'.' | b',', rest @ ..] = self.0 {
                self.0 = rest;
                nanos = self.fraction()?;
            }
        }
        // A leap second. chrono stores it as second 59 with more than a second of nanoseconds.
        if second == 60 {
            (second, nanos) = (59, nanos + 1_000_000_000);
        }
        NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)
    }

    /// Reads a fraction of a second, in nanoseconds. Further digits are ignored.
    fn fraction(&mut self) -> Option<u32> {
        let (mut nanos, mut worth, mut digits) = (0, 100_000_000, 0);
        while let [digit @ b'0'..=b'9', rest @ ..] = self.0 {
            nanos += worth * u32::from(digit - b'0');
            worth /= 10;
            digits += 1;
            self.0 = rest;
        }
        (digits > 0).then_some(nanos)
    }

    /// Reads `+02:00`, `+0200` or `+02`, to the end of the text.
    fn offset(&mut self) -> Option<chrono::FixedOffset> {
        let is_east = match self.next()? {
            b'+' => true,
            b'-' => false,
            _ => return None,
        };
        let hours = self.number(2, 2)?;
        if let [b':', rest @ ..] = self.0 {
            self.0 = rest;
            // A colon with nothing after it is no offset.
            if rest.is_empty() {
                return None;
            }
        }
        let minutes = if self.0.is_empty() { 0 } else { self.number(2, 2)? };
        if !self.0.is_empty() || minutes > 59 {
            return None;
        }
        let seconds = i32::try_from(hours * 3_600 + minutes * 60).ok()?;
        chrono::FixedOffset::east_opt(if is_east { seconds } else { -seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_spelling_is_read() {
        let ten = |text: &str| spelled(text);
        let wall = Some(Spelled::Wall("2020-01-31T10:00:00".parse().unwrap()));
        for text in [
            "2020-01-31 10:00:00",
            "2020-01-31T10:00:00",
            "2020-01-31t10:00:00",
            "2020-01-31 10:00",
            "2020-01-31T10:00",
            "2020-1-31 10:00",
            "2020-01-31  10:00",
            "2020-01-31 10:00:00.000",
            "2020-01-31 10:00:00,000000",
            "  2020-01-31 10:00:00\n",
        ] {
            assert_eq!(ten(text), wall, "{text}");
        }
        let instant = Some(Spelled::Instant("2020-01-31T10:00:00Z".parse().unwrap()));
        for text in [
            "2020-01-31T10:00:00Z",
            "2020-01-31T10:00Z",
            "2020-01-31 10:00:00z",
            "2020-01-31 10:00:00 UTC",
            "2020-01-31 10:00:00UTC",
            "2020-01-31 10:00 GMT",
            "2020-01-31 10:00:00+00",
            "2020-01-31 10:00:00 +0000",
            "2020-01-31T12:00:00+02:00",
            "2020-01-31T12:00:00+0200",
            "2020-01-31T12:00:00+02",
            "2020-01-31T12:00+02",
            "2020-01-31T12:00:00.000 +0200",
            "2020-01-31 04:30:00-05:30",
            "2020-01-31 04:30-0530",
        ] {
            assert_eq!(ten(text), instant, "{text}");
        }
        for text in ["2020-01-31", "2020-1-31", " 2020-01-31 "] {
            assert_eq!(ten(text), Some(Spelled::Day("2020-01-31".parse().unwrap())), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_not_read() {
        for text in [
            "",
            " ",
            "2020",
            "2020-01",
            "2020-02-30",
            "0000-00-00",
            "2020-00-10",
            "20-01-31",
            "12020-01-31",
            "+2020-01-31",
            "-2020-01-31",
            "2020/01/31",
            "31.01.2020",
            "20200131",
            "2020-01-31 ",
            "2020-01-31T",
            "2020-01-31 10",
            "2020-01-31 24:00",
            "2020-01-31 10:60",
            "2020-01-31 10:00:61",
            "2020-01-31 10:00:00.",
            "2020-01-31 10:00 PM",
            "2020-01-31 10:00 EST",
            "2020-01-31 10:00+",
            "2020-01-31 10:00+2",
            "2020-01-31 10:00+02:",
            "2020-01-31 10:00+02:0",
            "2020-01-31 10:00+02:60",
            "2020-01-31 10:00+99:00",
            "2020-01-31 10:00Z now",
            "1577836800",
            "infinity",
            "now",
            "٢٠٢٠-٠١-٣١",
        ] {
            let read = spelled(text);
            if text == "2020-01-31 " {
                assert!(read.is_some(), "blanks around it say nothing");
            } else {
                assert_eq!(read, None, "{text}");
            }
        }
    }
}
