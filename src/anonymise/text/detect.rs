//! Detectors: find texts that look like an address or a number of any person.
//!
//! A detector knows forms and checksums, but no people. So its findings are only used if a policy asks for it. A
//! policy that redacts a text can name detectors. Their findings are then removed as well, even if they belong to
//! another person: `{ redact = "[removed]", also = ["email", "iban"] }`.

use core::net::IpAddr;
use core::ops::Range;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use regex_automata::meta::Regex;
use serde::{Deserialize, Serialize};

/// The detectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Detector {
    /// A mail address.
    Email,
    /// A telephone number with a plus or a leading zero, 8 to 15 digits (ITU-T E.164).
    Phone,
    /// An international bank account number with a valid checksum (ISO 13616, mod 97).
    Iban,
    /// A payment card number with a valid check digit (ISO/IEC 7812, Luhn).
    Card,
    /// An IP address.
    IpAddress,
    /// A Swedish personal number with a valid check digit.
    SwedishPersonalNumber,
    /// A UK national insurance number with allowed letters.
    NationalInsuranceNumber,
    /// A German tax identification number with a valid check digit (ISO 7064, mod 11,10).
    GermanTaxId,
}

impl Detector {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Email,
        Self::Phone,
        Self::Iban,
        Self::Card,
        Self::IpAddress,
        Self::SwedishPersonalNumber,
        Self::NationalInsuranceNumber,
        Self::GermanTaxId,
    ];

    /// As policies spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Iban => "iban",
            Self::Card => "card",
            Self::IpAddress => "ip_address",
            Self::SwedishPersonalNumber => "swedish_personal_number",
            Self::NationalInsuranceNumber => "national_insurance_number",
            Self::GermanTaxId => "german_tax_id",
        }
    }
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The error for a name that is no detector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no such detector")]
pub struct UnknownDetector;

impl FromStr for Detector {
    type Err = UnknownDetector;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|detector| detector.as_str() == name).ok_or(UnknownDetector)
    }
}

/// A finding of a detector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// What it looks like.
    pub detector: Detector,
    /// The bytes.
    pub range: Range<usize>,
}

type Check = fn(&str) -> bool;

static DETECTORS: LazyLock<Vec<(Detector, Regex, Check)>> = LazyLock::new(|| {
    let list: [(Detector, &str, Check); 9] = [
        (
            Detector::Email,
            r"(?i)\b[a-z0-9][a-z0-9._%+-]{0,63}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}\b",
            |_| true,
        ),
        (Detector::Iban, r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b", is_iban),
        (Detector::Card, r"\b[0-9](?:[ -]?[0-9]){12,18}\b", is_card),
        (Detector::IpAddress, r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b", is_address),
        (Detector::IpAddress, r"(?i)\b(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}\b", is_address),
        (
            Detector::SwedishPersonalNumber,
            r"\b(?:19|20)?[0-9]{2}(?:0[1-9]|1[0-2])(?:[06][1-9]|[1278][0-9]|[39][01])[-+ ]?[0-9]{4}\b",
            is_personal_number,
        ),
        (
            Detector::NationalInsuranceNumber,
            r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]\b",
            is_insurance_number,
        ),
        (Detector::GermanTaxId, r"\b[1-9][0-9](?: ?[0-9]{3}){3}\b", is_tax_id),
        (Detector::Phone, r"(?:\+|\b0)[0-9(](?:[ ()/.-]{0,2}[0-9]){6,13}\b", is_phone),
    ];
    // An invalid pattern in this list would fail every test.
    list.into_iter()
        .filter_map(|(detector, pattern, check)| Some((detector, Regex::new(pattern).ok()?, check)))
        .collect()
});

/// All findings in a text, in order. If two detectors find the same text, only the stricter one reports it.
pub fn detect(text: &str) -> Vec<Detected> {
    let mut found: Vec<Detected> = Vec::new();
    each(
        text,
        |_| true,
        |detector, range| {
            let is_told =
                found.iter().any(|told| told.range.start < range.end && range.start < told.range.end);
            if !is_told {
                found.push(Detected { detector, range });
            }
        },
    );
    found.sort_by_key(|detected| detected.range.start);
    found
}

/// The ranges that these detectors find, each detector separately. So a range may appear twice.
pub(super) fn ranges(text: &str, wanted: &BTreeSet<Detector>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    each(text, |detector| wanted.contains(&detector), |_, range| found.push(range));
    found
}

/// The first of these detectors that finds something in a text.
pub(crate) fn first_of(text: &str, wanted: &BTreeSet<Detector>) -> Option<Detector> {
    let mut found = None;
    each(
        text,
        |detector| wanted.contains(&detector),
        |detector, _| {
            found.get_or_insert(detector);
        },
    );
    found
}

fn each(text: &str, wanted: impl Fn(Detector) -> bool, mut tell: impl FnMut(Detector, Range<usize>)) {
    for (detector, regex, check) in DETECTORS.iter().filter(|(detector, ..)| wanted(*detector)) {
        for hit in regex.find_iter(text) {
            // A match always begins and ends at a character boundary.
            let seen = text.get(hit.range()).unwrap_or_default();
            if check(seen) {
                tell(*detector, hit.range());
            } else if let Some(part) = narrowed(*detector, seen, *check) {
                tell(*detector, hit.start() + part.start..hit.start() + part.end);
            }
        }
    }
}

/// Narrows a match, because a pattern may include neighbouring text. Words after an account number are removed, and
/// also numbers before a card number. A part counts as a card number only if it is grouped like one, because one in
/// ten numbers has a valid check digit by chance.
fn narrowed(detector: Detector, text: &str, check: Check) -> Option<Range<usize>> {
    let is_gap = |c: char| c == ' ' || c == '-';
    let gaps = || text.char_indices().filter(|(_, c)| is_gap(*c)).map(|(at, _)| at);
    let starts: Vec<usize> = match detector {
        Detector::Card => std::iter::once(0).chain(gaps().map(|at| at + 1)).collect(),
        Detector::Iban => vec![0],
        _ => return None,
    };
    let ends: Vec<usize> =
        std::iter::once(text.len()).chain(gaps().collect::<Vec<_>>().into_iter().rev()).collect();
    starts.iter().find_map(|start| {
        let mut parts = ends.iter().filter(|end| *end > start).map(|end| *start..*end);
        parts.find(|range| {
            let part = text.get(range.clone()).unwrap_or_default();
            let lengths: Vec<usize> = part.split(is_gap).map(str::len).collect();
            let is_grouped = match (detector, lengths.as_slice()) {
                (Detector::Card, [4, 6, 4 | 5] | [13..=19]) => true,
                (Detector::Card, [first @ .., last]) => {
                    first.len() > 2 && *last <= 4 && first.iter().all(|len| *len == 4)
                }
                (Detector::Card, []) => false,
                _ => true,
            };
            is_grouped && check(part)
        })
    })
}

fn digits(text: &str) -> Vec<u32> {
    text.chars().filter_map(|c| c.to_digit(10)).collect()
}

/// The Luhn check: every second digit from the right is doubled, and the sum must be a multiple of ten.
fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(n, digit)| if n % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    sum.is_multiple_of(10)
}

fn is_card(text: &str) -> bool {
    let digits = digits(text);
    (13..=19).contains(&digits.len()) && digits.iter().any(|digit| *digit > 0) && luhn(&digits)
}

fn is_iban(text: &str) -> bool {
    let text: String = text.chars().filter(|c| *c != ' ').collect();
    let Some((front, back)) = text.split_at_checked(4).filter(|_| (15..=34).contains(&text.len())) else {
        return false;
    };
    let rest = back
        .chars()
        .chain(front.chars())
        .filter_map(|c| c.to_digit(36))
        .fold(0, |rest, digit| (rest * if digit > 9 { 100 } else { 10 } + digit) % 97);
    rest == 1
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

fn is_personal_number(text: &str) -> bool {
    let digits = digits(text);
    digits.len().checked_sub(10).and_then(|from| digits.get(from..)).is_some_and(luhn)
}

/// The prefixes that are never issued: HM Revenue & Customs, NIM39110.
fn is_insurance_number(text: &str) -> bool {
    !["BG", "GB", "KN", "NK", "NT", "TN", "ZZ"].iter().any(|prefix| text.starts_with(prefix))
}

/// Eleven digits. Among the first ten, exactly one digit appears two or three times. The last is a check digit.
fn is_tax_id(text: &str) -> bool {
    let digits = digits(text);
    let Some((check, ten)) = digits.split_last().filter(|(_, ten)| ten.len() == 10) else { return false };
    let counts: Vec<usize> = (0..10).map(|d| ten.iter().filter(|digit| **digit == d).count()).collect();
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let product = ten.iter().fold(10, |product, digit| {
        let sum = (digit + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    repeated == 1 && counts.iter().all(|count| *count < 4) && (11 - product) % 10 == *check
}

fn is_phone(text: &str) -> bool {
    (8..=15).contains(&digits(text).len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one() {
        assert_eq!(DETECTORS.len(), 9);
    }

    #[test]
    fn every_detector_is_read_back_by_its_name() {
        for detector in Detector::ALL {
            assert_eq!(detector.as_str().parse(), Ok(detector));
            assert_eq!(serde_json::to_value(detector).unwrap(), detector.as_str());
        }
        assert_eq!("mail".parse::<Detector>(), Err(UnknownDetector));
    }

    #[test]
    fn a_table_of_what_is_detected() {
        use Detector::{
            Card, Email, GermanTaxId, Iban, IpAddress, NationalInsuranceNumber, Phone, SwedishPersonalNumber,
        };
        for (text, wanted) in [
            ("write to maud.ashworth+x@mail.example.org.", Some((Email, "maud.ashworth+x@mail.example.org"))),
            ("to GB29 NWBK 6016 1331 9268 19 please", Some((Iban, "GB29 NWBK 6016 1331 9268 19"))),
            ("DE89370400440532013000", Some((Iban, "DE89370400440532013000"))),
            ("DE88370400440532013000", None),
            ("card 4111 1111 1111 1111.", Some((Card, "4111 1111 1111 1111"))),
            ("card 4111 1111 1111 1112", None),
            ("2 x card 7 4111 1111 1111 1111 12 pieces", Some((Card, "4111 1111 1111 1111"))),
            ("paid 3782 822463 10005 1", Some((Card, "3782 822463 10005"))),
            ("1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7", None),
            ("to GB29 NWBK 6016 1331 9268 19 WILL DO", Some((Iban, "GB29 NWBK 6016 1331 9268 19"))),
            ("from 203.0.113.77:", Some((IpAddress, "203.0.113.77"))),
            ("from 2001:db8::1 now", Some((IpAddress, "2001:db8::1"))),
            ("at 10:30:45", None),
            ("version 1.2.3", None),
            ("pnr 811218-9876", Some((SwedishPersonalNumber, "811218-9876"))),
            ("pnr 19811218-9876", Some((SwedishPersonalNumber, "19811218-9876"))),
            ("pnr 811218-9875", None),
            ("NI number AB 12 34 56 C", Some((NationalInsuranceNumber, "AB 12 34 56 C"))),
            ("BG123456A", None),
            ("IdNr 86 095 742 719", Some((GermanTaxId, "86 095 742 719"))),
            ("IdNr 86095742718", None),
            ("ring +46 (0)70-123 45 67 today", Some((Phone, "+46 (0)70-123 45 67"))),
            ("ring 020 7946 0018", Some((Phone, "020 7946 0018"))),
            ("order 12345, 3 pieces at 199.00", None),
        ] {
            let found = detect(text);
            let found = found.first().map(|found| (found.detector, &text[found.range.clone()]));
            assert_eq!(found, wanted, "{text}");
        }
    }
}
