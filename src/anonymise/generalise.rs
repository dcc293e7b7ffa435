//! Values that lose what singles a person out and keep what statistics need.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::data_map::Value;

/// How a value is made general. What comes out depends on nothing of the value but this: two customers with the same
/// outward code, year or band come out the same.
///
/// General is not anonymous by itself. A rare postcode, together with a year of birth, can still be one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Generalisation {
    /// A UK postcode to its outward code: `SW1A 2AA` becomes `SW1A`.
    UkPostcode,
    /// A US ZIP code to its first three digits: `02139-4307` becomes `021`; `000` where too few people live under
    /// the three digits.
    UsZip,
    /// A text of letters and digits to its first so many, spaces and hyphens not counted: for the postcodes of other
    /// countries.
    Prefix(u8),
    /// A date to the first day of its year: `1984-05-12` becomes `1984-01-01`.
    Year,
    /// A date to the first day of its month: `1984-05-12` becomes `1984-05-01`.
    Month,
    /// A date of birth or an age to ten years: `40-49`, or 40 where a number stands; from 90 on `90+`, or 90.
    AgeBand,
    /// An IP address to its network: the first 24 bits of IPv4, the first 48 of IPv6.
    IpNetwork,
    /// A text to its first so many characters.
    Truncate(u16),
}

/// Three-digit ZIP codes under which 20,000 people or fewer lived at the census of 2000: the list of the US Department
/// of Health and Human Services' guidance on de-identification under HIPAA (45 CFR 164.514(b)(2)(i)(B)), of
/// 26 November 2012, looked up in November 2026.
const SMALL_ZIPS: [&str; 17] = [
    "036", "059", "063", "102", "203", "556", "692", "790", "821", "823", "830", "831", "878", "879", "884",
    "890", "893",
];

/// Nobody is older; a greater number is no age.
const OLDEST: i64 = 150;

impl Generalisation {
    /// The general value, or `None` where the value cannot be read as what this generalises. A general value stays
    /// as it is. The day is that of the erasure: an age depends on it.
    pub fn apply(self, value: &Value, day: NaiveDate) -> Option<Value> {
        match (self, value) {
            (Self::AgeBand, Value::Integer(age)) => band(*age).map(Value::Integer),
            (_, Value::Text(text)) => self.apply_text(text, day).map(Value::Text),
            _ => None,
        }
    }

    fn apply_text(self, text: &str, day: NaiveDate) -> Option<String> {
        match self {
            Self::UkPostcode => outward_code(text),
            Self::UsZip => zip_prefix(text),
            Self::Prefix(count) => prefix(text, count.into()),
            Self::Year => Some(spell(date(text)?.with_ordinal(1)?)),
            Self::Month => Some(spell(date(text)?.with_day(1)?)),
            Self::AgeBand => age_band(text, day),
            Self::IpNetwork => network(text),
            Self::Truncate(count) => Some(text.chars().take(count.into()).collect()),
        }
    }

    /// Whether a value is general already.
    pub(super) fn holds(self, value: &Value) -> bool {
        match (self, value) {
            (Self::AgeBand, Value::Integer(age)) => band(*age) == Some(*age),
            (_, Value::Text(text)) => self.holds_text(text),
            _ => false,
        }
    }

    pub(super) fn holds_text(self, text: &str) -> bool {
        match self {
            // A bare number of years is an age still, also where it is a multiple of ten.
            Self::AgeBand => is_band(text),
            Self::Truncate(count) => text.chars().nth(count.into()).is_none(),
            // No date but a date goes in, so no other day matters.
            _ => self.apply_text(text, NaiveDate::MIN).is_some_and(|general| general == text),
        }
    }

    /// Characters of the longest text that comes out; `None` where that is never longer than what went in.
    pub fn chars(self) -> Option<usize> {
        match self {
            Self::Year | Self::Month => Some(10),
            Self::AgeBand => Some(5),
            Self::UkPostcode | Self::UsZip | Self::Prefix(_) | Self::IpNetwork | Self::Truncate(_) => None,
        }
    }

    /// What is left of the value, for plans and certificates.
    pub fn describe(self) -> String {
        match self {
            Self::UkPostcode => "the outward code".to_owned(),
            Self::UsZip => "the first three digits of the ZIP code".to_owned(),
            Self::Prefix(count) => format!("the first {count} letters and digits"),
            Self::Year => "the year".to_owned(),
            Self::Month => "year and month".to_owned(),
            Self::AgeBand => "an age band of ten years".to_owned(),
            Self::IpNetwork => "the network".to_owned(),
            Self::Truncate(count) => format!("the first {count} characters"),
        }
    }
}

/// The inward code, a digit and two letters, is what goes. An outward code alone is general already.
fn outward_code(text: &str) -> Option<String> {
    let code: String = text.split_whitespace().collect::<String>().to_ascii_uppercase();
    let outward = match code.len().checked_sub(3).and_then(|at| code.split_at_checked(at)) {
        Some((outward, inward)) if is_inward(inward) && !outward.is_empty() => outward,
        // `E1 1` is a part of a code, and no E11.
        _ if text.split_whitespace().nth(1).is_some() => return None,
        _ => code.as_str(),
    };
    is_outward(outward).then(|| outward.to_owned())
}

fn is_inward(code: &str) -> bool {
    matches!(code.as_bytes(), [digit, one, two]
        if digit.is_ascii_digit() && one.is_ascii_uppercase() && two.is_ascii_uppercase())
}

/// One or two letters, a digit, and perhaps one more letter or digit.
fn is_outward(code: &str) -> bool {
    let letters = code.bytes().take_while(u8::is_ascii_uppercase).count();
    let rest = code.as_bytes().get(letters..).unwrap_or_default();
    (1..=2).contains(&letters)
        && match rest {
            [digit] => digit.is_ascii_digit(),
            [digit, last] => digit.is_ascii_digit() && (last.is_ascii_digit() || last.is_ascii_uppercase()),
            _ => false,
        }
}

fn zip_prefix(text: &str) -> Option<String> {
    let text = text.trim();
    let (five, four) = text.split_once('-').map_or((text, None), |(five, four)| (five, Some(four)));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let fits = match four {
        Some(four) => five.len() == 5 && four.len() == 4 && all_digits(four),
        None => matches!(five.len(), 3 | 5 | 9),
    };
    let prefix = five.get(..3).filter(|_| fits && all_digits(five))?;
    Some(if SMALL_ZIPS.contains(&prefix) { "000".to_owned() } else { prefix.to_owned() })
}

fn prefix(text: &str, count: usize) -> Option<String> {
    let is_code = |c: char| c.is_alphanumeric() || c == ' ' || c == '-';
    if !text.trim().chars().all(is_code) {
        return None;
    }
    let kept: String = text.chars().filter(|c| c.is_alphanumeric()).take(count).collect();
    (!kept.is_empty()).then_some(kept)
}

/// A day in ISO 8601, alone or with a time behind it. Day and month in another order are a guess, and not made.
fn date(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    let (day, rest) = text.split_at_checked(10)?;
    let is_spelled =
        day.bytes().enumerate().all(|(n, b)| if n == 4 || n == 7 { b == b'-' } else { b.is_ascii_digit() });
    let has_time = rest.is_empty() || rest.starts_with(['T', 't', ' ']);
    if is_spelled && has_time { day.parse().ok() } else { None }
}

fn spell(day: NaiveDate) -> String {
    day.format("%Y-%m-%d").to_string()
}

/// The lower end of a band.
fn band(age: i64) -> Option<i64> {
    (0..=OLDEST).contains(&age).then(|| (age / 10 * 10).min(90))
}

fn age_band(text: &str, day: NaiveDate) -> Option<String> {
    if is_band(text) {
        return Some(text.to_owned());
    }
    let age = match text.trim().parse::<i64>() {
        Ok(age) => age,
        Err(_) => i64::from(day.years_since(date(text)?)?),
    };
    band(age).map(spell_band)
}

fn spell_band(low: i64) -> String {
    if low == 90 { "90+".to_owned() } else { format!("{low}-{}", low + 9) }
}

fn is_band(text: &str) -> bool {
    (0..=9).any(|tens| spell_band(tens * 10) == text)
}

fn network(text: &str) -> Option<String> {
    let address = text.trim().parse::<IpAddr>().ok()?.to_canonical();
    Some(match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8)).to_string(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80)).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, 21).unwrap()
    }

    fn general(how: Generalisation, text: &str) -> Option<String> {
        match how.apply(&Value::from(text), day()) {
            Some(Value::Text(text)) => Some(text),
            None => None,
            Some(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_table_of_values_and_what_is_left_of_them() {
        use Generalisation::{AgeBand, IpNetwork, Month, Prefix, Truncate, UkPostcode, UsZip, Year};
        for (how, text, left) in [
            (UkPostcode, "SW1A 2AA", Some("SW1A")),
            (UkPostcode, "sw1a2aa", Some("SW1A")),
            (UkPostcode, " m1  1ae", Some("M1")),
            (UkPostcode, "CR2 6XH", Some("CR2")),
            (UkPostcode, "DN55 1PT", Some("DN55")),
            (UkPostcode, "W1A", Some("W1A")),
            (UkPostcode, "E1 1", None),
            (UkPostcode, "12345", None),
            (UkPostcode, "1AA", None),
            (UkPostcode, "Flat 2, SW1A 2AA", None),
            (UkPostcode, "ÅÄ1 1AA", None),
            (UkPostcode, "", None),
            (UsZip, "02139", Some("021")),
            (UsZip, "02139-4307", Some("021")),
            (UsZip, "021394307", Some("021")),
            (UsZip, "03601", Some("000")),
            (UsZip, "89345-1234", Some("000")),
            (UsZip, "2139", None),
            (UsZip, "02139-43", None),
            (UsZip, "SW1A 2AA", None),
            (UsZip, "٠٢١٣٩", None),
            (Prefix(2), "114 55", Some("11")),
            (Prefix(2), "D-80331", Some("D8")),
            (Prefix(2), "1", Some("1")),
            (Prefix(2), "1234, Storgatan", None),
            (Prefix(2), " - ", None),
            (Year, "1984-05-12", Some("1984-01-01")),
            (Year, "1984-05-12T08:30:00+02:00", Some("1984-01-01")),
            (Year, "1984-05-12 08:30", Some("1984-01-01")),
            (Year, "12.05.1984", None),
            (Year, "1984-02-30", None),
            (Year, "1984-05-123", None),
            (Month, "1984-05-12", Some("1984-05-01")),
            (AgeBand, "1984-11-21", Some("40-49")),
            (AgeBand, "1936-11-21", Some("90+")),
            (AgeBand, "1936-11-22", Some("80-89")),
            (AgeBand, "42", Some("40-49")),
            (AgeBand, "40", Some("40-49")),
            (AgeBand, "0", Some("0-9")),
            (AgeBand, "107", Some("90+")),
            (AgeBand, "151", None),
            (AgeBand, "-1", None),
            (AgeBand, "2027-01-01", None),
            (AgeBand, "40-49", Some("40-49")),
            (IpNetwork, "203.0.113.77", Some("203.0.113.0")),
            (IpNetwork, "2001:db8:1:2:3:4:5:6", Some("2001:db8:1::")),
            (IpNetwork, "::ffff:203.0.113.77", Some("203.0.113.0")),
            (IpNetwork, "203.0.113.77:443", None),
            (IpNetwork, "fe80::1%eth0", None),
            (Truncate(3), "Åsa Berg", Some("Åsa")),
            (Truncate(0), "Åsa", Some("")),
        ] {
            assert_eq!(general(how, text).as_deref(), left, "{how:?} {text}");
        }
        for (age, left) in
            [(42, Some(40)), (97, Some(90)), (90, Some(90)), (9, Some(0)), (151, None), (-1, None)]
        {
            let left = left.map(Value::Integer);
            assert!(Generalisation::AgeBand.apply(&Value::Integer(age), day()) == left, "{age}");
        }
    }

    #[test]
    fn the_small_zips_are_those_of_the_census_of_2000() {
        assert_eq!(SMALL_ZIPS.len(), 17);
        for prefix in SMALL_ZIPS {
            assert_eq!(general(Generalisation::UsZip, &format!("{prefix}99")).as_deref(), Some("000"));
            assert!(!Generalisation::UsZip.holds_text(prefix), "{prefix} is not general");
        }
        assert!(Generalisation::UsZip.holds_text("000") && Generalisation::UsZip.holds_text("021"));
    }
}
