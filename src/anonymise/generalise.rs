//! Makes values less exact: removes the part that identifies a person, and keeps the part that statistics need.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::data_map::Value;

/// How a value is made less exact. The result depends only on the part that stays. So two customers with the same
/// outward code, year or band get the same result.
///
/// The result is not anonymous by itself. A rare postcode, together with a year of birth, can still identify one
/// person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Generalisation {
    /// A UK postcode to its outward code: `SW1A 2AA` becomes `SW1A`. An area alone, which is more general, stays.
    UkPostcode,
    /// A UK postcode to its area: `SW1A 2AA` becomes `SW`.
    UkArea,
    /// A US ZIP code to its first three digits: `02139-4307` becomes `021`; `000` where too few people live under
    /// the three digits.
    UsZip,
    /// A text to this number of first letters and digits. Spaces and hyphens are removed and not counted. For
    /// postcodes of other countries.
    Prefix(u8),
    /// A date to the first day of its year: `1984-05-12` becomes `1984-01-01`.
    Year,
    /// A date to the first day of its month: `1984-05-12` becomes `1984-05-01`.
    Month,
    /// A date of birth or an age to a band of ten years: `40-49`. From 90 on, the band is `90+`. An age that is
    /// stored as a number becomes the lower end of the band: 40, or 90. A band of twenty years stays.
    AgeBand,
    /// A date of birth or an age to a band of twenty years: `40-59`. From 80 on, the band is `80+`. Only for texts:
    /// as a number, the lower end would look like the lower end of a band of ten years.
    WideAgeBand,
    /// An IP address to its network: the first 24 bits of IPv4, the first 48 of IPv6.
    IpNetwork,
    /// An IP address to a larger network: the first 16 bits of IPv4, the first 32 of IPv6.
    WideNetwork,
    /// A text to this number of first characters.
    Truncate(u16),
}

/// The three-digit ZIP codes with 20,000 inhabitants or fewer at the census of 2000. The list is from the guidance of
/// the US Department of Health and Human Services on de-identification under HIPAA (45 CFR 164.514(b)(2)(i)(B)). The
/// guidance is of 26 November 2012, and was looked up in November 2026.
const SMALL_ZIPS: [&str; 17] = [
    "036", "059", "063", "102", "203", "556", "692", "790", "821", "823", "830", "831", "878", "879", "884",
    "890", "893",
];

/// The areas of UK postcodes: Royal Mail's 121, and those of Guernsey, Jersey and the Isle of Man. BF and BX are left
/// out, because they are no places (Wikipedia, List of postcode districts in the United Kingdom, looked up in
/// November 2026). Other letters are no area.
const UK_AREAS: [&str; 124] = [
    "AB", "AL", "B", "BA", "BB", "BD", "BH", "BL", "BN", "BR", "BS", "BT", "CA", "CB", "CF", "CH", "CM",
    "CO", "CR", "CT", "CV", "CW", "DA", "DD", "DE", "DG", "DH", "DL", "DN", "DT", "DY", "E", "EC", "EH",
    "EN", "EX", "FK", "FY", "G", "GL", "GU", "GY", "HA", "HD", "HG", "HP", "HR", "HS", "HU", "HX", "IG",
    "IM", "IP", "IV", "JE", "KA", "KT", "KW", "KY", "L", "LA", "LD", "LE", "LL", "LN", "LS", "LU", "M", "ME",
    "MK", "ML", "N", "NE", "NG", "NN", "NP", "NR", "NW", "OL", "OX", "PA", "PE", "PH", "PL", "PO", "PR",
    "RG", "RH", "RM", "S", "SA", "SE", "SG", "SK", "SL", "SM", "SN", "SO", "SP", "SR", "SS", "ST", "SW",
    "SY", "TA", "TD", "TF", "TN", "TQ", "TR", "TS", "TW", "UB", "W", "WA", "WC", "WD", "WF", "WN", "WR",
    "WS", "WV", "YO", "ZE",
];

/// The greatest age. A greater number is not read as an age.
const OLDEST: i64 = 150;

impl Generalisation {
    /// The generalisations without a number, by their names in a policy.
    pub(crate) const NAMED: [(&'static str, Self); 9] = [
        ("uk_postcode", Self::UkPostcode),
        ("uk_area", Self::UkArea),
        ("us_zip", Self::UsZip),
        ("year", Self::Year),
        ("month", Self::Month),
        ("age_band", Self::AgeBand),
        ("wide_age_band", Self::WideAgeBand),
        ("ip_network", Self::IpNetwork),
        ("wide_network", Self::WideNetwork),
    ];

    /// The generalised value. `None` if the value does not have the form that this generalisation expects. A value that
    /// is general already stays as it is. `day` is the day of the erasure: ages are computed for this day.
    pub fn apply(self, value: &Value, day: NaiveDate) -> Option<Value> {
        match (self, value) {
            (Self::AgeBand, Value::Integer(age)) => band(*age).map(Value::Integer),
            (_, Value::Text(text)) => self.apply_text(text, day).map(Value::Text),
            _ => None,
        }
    }

    fn apply_text(self, text: &str, day: NaiveDate) -> Option<String> {
        match self {
            Self::UkPostcode => area_alone(text).or_else(|| outward_code(text)),
            Self::UkArea => area_alone(text).or_else(|| area(&outward_code(text)?)),
            Self::UsZip => zip_prefix(text),
            Self::Prefix(count) => prefix(text, count.into()),
            Self::Year => Some(spell(date(text)?.with_ordinal(1)?)),
            Self::Month => Some(spell(date(text)?.with_day(1)?)),
            Self::AgeBand if is_wide_band(text) => Some(text.to_owned()),
            Self::AgeBand => age_band(text, day),
            Self::WideAgeBand => wide_age_band(text, day),
            Self::IpNetwork => network(text, 24, 48),
            Self::WideNetwork => network(text, 16, 32),
            Self::Truncate(count) => Some(text.chars().take(count.into()).collect()),
        }
    }

    /// Whether a value is general already, so that nothing has to be done.
    pub(super) fn holds(self, value: &Value) -> bool {
        match (self, value) {
            (Self::AgeBand, Value::Integer(age)) => band(*age) == Some(*age),
            (_, Value::Text(text)) => self.holds_text(text),
            _ => false,
        }
    }

    pub(super) fn holds_text(self, text: &str) -> bool {
        match self {
            // A text with only a number is an exact age, even if it is a multiple of ten.
            Self::AgeBand => is_band(text) || is_wide_band(text),
            Self::WideAgeBand => is_wide_band(text),
            Self::Truncate(count) => text.chars().nth(count.into()).is_none(),
            // Only the age bands depend on the day. So any day can be used here.
            _ => self.apply_text(text, NaiveDate::MIN).is_some_and(|general| general == text),
        }
    }

    /// The length of the longest result, in characters. `None` if a result is never longer than the original value.
    pub fn chars(self) -> Option<usize> {
        match self {
            Self::Year | Self::Month => Some(10),
            Self::AgeBand | Self::WideAgeBand => Some(5),
            Self::UkPostcode
            | Self::UkArea
            | Self::UsZip
            | Self::Prefix(_)
            | Self::IpNetwork
            | Self::WideNetwork
            | Self::Truncate(_) => None,
        }
    }

    /// The next coarser generalisation, if there is one. Three rules guarantee that no value is generalised twice,
    /// and that customers who share a coarser value always share it:
    ///
    /// * A value and its generalised form have the same coarser form.
    /// * This generalisation does not change a coarser form.
    /// * The coarser generalisation does not change a coarser form.
    pub fn coarser(self) -> Option<Self> {
        match self {
            Self::UkPostcode => Some(Self::UkArea),
            Self::Prefix(count @ 2..) => Some(Self::Prefix(count - 1)),
            Self::Truncate(count @ 2..) => Some(Self::Truncate(count - 1)),
            Self::Month => Some(Self::Year),
            Self::AgeBand => Some(Self::WideAgeBand),
            Self::IpNetwork => Some(Self::WideNetwork),
            Self::UkArea
            | Self::UsZip
            | Self::Prefix(_)
            | Self::Truncate(_)
            | Self::Year
            | Self::WideAgeBand
            | Self::WideNetwork => None,
        }
    }

    /// Examples of results, as text or as numbers, to test whether a field accepts them. Empty if there are no typical
    /// results.
    pub(crate) fn examples(self, is_text: bool) -> Vec<Value> {
        let texts: &[&str] = match self {
            Self::UkPostcode => &["SW1A", "M1", "B33", "DN55", "SW"],
            Self::UkArea => &["SW", "M"],
            Self::UsZip => &["021", "945", "000"],
            Self::Year => &["1934-01-01", "1984-01-01", "2009-01-01", "2024-01-01"],
            Self::Month => &["1934-02-01", "1984-12-01", "2009-06-01", "2024-10-01"],
            Self::IpNetwork => &["203.0.113.0", "2001:db8:1::"],
            Self::WideNetwork => &["203.0.0.0", "2001:db8::"],
            Self::AgeBand if !is_text => return (0..=9).map(|tens| Value::Integer(tens * 10)).collect(),
            Self::AgeBand => return (0..=9).map(|tens| Value::Text(spell_band(tens * 10))).collect(),
            Self::WideAgeBand => return (0..=4).map(|n| Value::Text(spell_wide_band(n * 20))).collect(),
            Self::Prefix(count) => {
                let cycles = ["1234567890", "ABCDEFGHIJ", "A1B2C3D4E5"].iter();
                return cycles
                    .map(|part| Value::Text(part.chars().cycle().take(count.into()).collect()))
                    .collect();
            }
            Self::Truncate(_) => &[],
        };
        texts.iter().map(|text| Value::from(*text)).collect()
    }

    /// Describes the part of the value that is left, for plans and certificates.
    pub fn describe(self) -> String {
        match self {
            Self::UkPostcode => "the outward code".to_owned(),
            Self::UkArea => "the postcode area".to_owned(),
            Self::UsZip => "the first three digits of the ZIP code".to_owned(),
            Self::Prefix(count) => format!("the first {count} letters and digits"),
            Self::Year => "the year".to_owned(),
            Self::Month => "year and month".to_owned(),
            Self::AgeBand => "an age band of ten years".to_owned(),
            Self::WideAgeBand => "an age band of twenty years".to_owned(),
            Self::IpNetwork => "the network".to_owned(),
            Self::WideNetwork => "the larger network".to_owned(),
            Self::Truncate(count) => format!("the first {count} characters"),
        }
    }
}

/// The outward code of a UK postcode. The inward code, a digit and two letters, is removed. An outward code alone
/// stays.
fn outward_code(text: &str) -> Option<String> {
    let code: String = text.split_whitespace().collect::<String>().to_ascii_uppercase();
    let outward = match code.len().checked_sub(3).and_then(|at| code.split_at_checked(at)) {
        Some((outward, inward)) if is_inward(inward) && !outward.is_empty() => outward,
        // `E1 1` is an incomplete postcode, and does not mean E11.
        _ if text.split_whitespace().nth(1).is_some() => return None,
        _ => code.as_str(),
    };
    is_outward(outward).then(|| outward.to_owned())
}

/// The area in which an outward code lies.
fn area(outward: &str) -> Option<String> {
    let letters = outward.bytes().take_while(u8::is_ascii_uppercase).count();
    outward.get(..letters).filter(|area| UK_AREAS.contains(area)).map(str::to_owned)
}

fn area_alone(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_uppercase();
    UK_AREAS.contains(&text.as_str()).then_some(text)
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

/// Reads a day in ISO 8601, with or without a time after it. Another order of day and month is not read, because it
/// would be a guess.
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

/// The band of twenty years in which a band of ten years, or an age, lies.
fn wide_age_band(text: &str, day: NaiveDate) -> Option<String> {
    if is_wide_band(text) {
        return Some(text.to_owned());
    }
    let ten = age_band(text, day)?;
    let low = (0..=9).map(|tens| tens * 10).find(|low| spell_band(*low) == ten)?;
    Some(spell_wide_band(low / 20 * 20))
}

fn spell_wide_band(low: i64) -> String {
    if low == 80 { "80+".to_owned() } else { format!("{low}-{}", low + 19) }
}

fn is_wide_band(text: &str) -> bool {
    (0..=4).any(|twenties| spell_wide_band(twenties * 20) == text)
}

fn spell_band(low: i64) -> String {
    if low == 90 { "90+".to_owned() } else { format!("{low}-{}", low + 9) }
}

fn is_band(text: &str) -> bool {
    (0..=9).any(|tens| spell_band(tens * 10) == text)
}

/// Keeps the first `of_four` bits of an IPv4 address, or the first `of_six` bits of an IPv6 address.
fn network(text: &str, of_four: u32, of_six: u32) -> Option<String> {
    let address = text.trim().parse::<IpAddr>().ok()?.to_canonical();
    Some(match address {
        IpAddr::V4(address) => {
            Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << (32 - of_four))).to_string()
        }
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - of_six))).to_string()
        }
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
        use Generalisation::{
            AgeBand, IpNetwork, Month, Prefix, Truncate, UkArea, UkPostcode, UsZip, WideAgeBand, WideNetwork,
            Year,
        };
        for (how, text, left) in [
            (UkPostcode, "SW1A 2AA", Some("SW1A")),
            (UkPostcode, "sw1a2aa", Some("SW1A")),
            (UkPostcode, " m1  1ae", Some("M1")),
            (UkPostcode, "CR2 6XH", Some("CR2")),
            (UkPostcode, "DN55 1PT", Some("DN55")),
            (UkPostcode, "W1A", Some("W1A")),
            (UkPostcode, " sw", Some("SW")),
            (UkPostcode, "QQ", None),
            (UkArea, "SW1A 2AA", Some("SW")),
            (UkArea, "m11ae", Some("M")),
            (UkArea, "SW1A", Some("SW")),
            (UkArea, "SW", Some("SW")),
            (UkArea, "QQ1 1AA", None),
            (UkArea, "Maud", None),
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
            (AgeBand, "40-59", Some("40-59")),
            (WideAgeBand, "1984-11-21", Some("40-59")),
            (WideAgeBand, "50-59", Some("40-59")),
            (WideAgeBand, "0", Some("0-19")),
            (WideAgeBand, "80-89", Some("80+")),
            (WideAgeBand, "90+", Some("80+")),
            (WideAgeBand, "45-54", None),
            (IpNetwork, "203.0.113.77", Some("203.0.113.0")),
            (IpNetwork, "2001:db8:1:2:3:4:5:6", Some("2001:db8:1::")),
            (IpNetwork, "::ffff:203.0.113.77", Some("203.0.113.0")),
            (WideNetwork, "203.0.113.77", Some("203.0.0.0")),
            (WideNetwork, "2001:db8:1:2:3:4:5:6", Some("2001:db8::")),
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

    /// What [`Generalisation::coarser`] promises.
    #[test]
    fn a_coarser_value_is_general_and_is_made_so_once() {
        use Generalisation::{AgeBand, IpNetwork, Month, Prefix, Truncate, UkPostcode};
        let values = [
            "SW1A 2AA",
            "sw1a",
            "SW",
            "M1 1AE",
            "QQ1 1AA",
            "114 55",
            "11",
            "1",
            "1984-05-12",
            "1984-01-01",
            "90+",
            "42",
            "40-49",
            "40-59",
            "1930-02-03",
            "203.0.113.77",
            "203.0.0.0",
            "2001:db8:1:2::3",
            "::1",
            "Maud",
            "",
            " - ",
        ];
        for fine in [UkPostcode, Prefix(3), Prefix(2), Truncate(3), Month, AgeBand, IpNetwork] {
            let coarse = fine.coarser().unwrap();
            for value in values {
                let coarser = general(coarse, value);
                if let Some(made_general) = general(fine, value) {
                    assert_eq!(general(coarse, &made_general), coarser, "{fine:?} {value}");
                }
                if let Some(coarser) = coarser {
                    assert_eq!(general(fine, &coarser).as_ref(), Some(&coarser), "{fine:?} {value}");
                    assert_eq!(general(coarse, &coarser).as_ref(), Some(&coarser), "{fine:?} {value}");
                    assert!(fine.holds_text(&coarser) && coarse.holds_text(&coarser), "{fine:?} {value}");
                }
            }
        }
        assert!([Prefix(1), Truncate(1), Generalisation::UsZip].iter().all(|last| last.coarser().is_none()));
        assert!(UK_AREAS.is_sorted());
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
