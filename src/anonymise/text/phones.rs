//! Telephone numbers: parses fields, and finds numbers in texts.
//!
//! A number consists of its national part and, if known, the country code. In a text, the national part must be
//! complete. Before it there may be the country code (with a plus, two zeros or nothing), and the zero for calls
//! within a country.

use core::ops::RangeInclusive;

use super::numbers::{Digit, letters_before};

/// The minimum number of digits of a national number.
const LEAST: usize = 7;
/// The maximum number of digits of an international number (ITU-T E.164).
const MOST: usize = 15;
/// The maximum number of digits before the national number: `011`, a country code, a zero.
const LONGEST_PREFIX: usize = 7;

/// The country code of a number, if it is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    code: Option<u16>,
    /// Whether this reading of the number is uncertain. Then a text must contain the country code, too.
    is_guess: bool,
}

/// Countries where calls within the country do not begin with a single zero. Each has the prefix, the country code,
/// and the number of digits of a national number.
const TRUNKS: [(&str, u16, RangeInclusive<usize>); 4] =
    [("06", 36, 8..=9), ("8", 370, 8..=8), ("80", 375, 9..=9), ("01", 52, 10..=10)];

/// The numbers in a folded field. It may contain several numbers, labels and extensions: `mobile: 07700 900123 / 020
/// 7946 0018 x12`.
pub(super) fn in_field(folded: &str) -> Vec<(String, Prefix)> {
    // In `+46 (0)70`, the zero is only dialled within the country.
    let field = folded.replace("(0)", " ");
    let mut found = Vec::new();
    for part in parts(&field) {
        let digits: String = part.chars().filter(char::is_ascii_digit).collect();
        let is_long = (LEAST..=MOST + 3).contains(&digits.len());
        if is_long {
            for number in readings(part, &digits) {
                if !found.contains(&number) {
                    found.push(number);
                }
            }
        }
    }
    found
}

/// Splits a field at letters, at commas, and before every plus. A slash splits only if it is between two complete
/// numbers.
fn parts(field: &str) -> Vec<&str> {
    let is_cut = |c: char| {
        !c.is_ascii()
            || c.is_ascii_alphabetic()
            || matches!(c, ',' | ';' | '|' | '\n' | '#' | '=' | '<' | '>')
    };
    let mut parts = Vec::new();
    for part in field.split(is_cut) {
        let mut rest = part;
        while let Some(at) = rest.get(1..).and_then(|behind| behind.find('+')) {
            let (one, behind) = rest.split_at(at + 1);
            parts.push(one);
            rest = behind;
        }
        let halves: Vec<&str> = rest.split('/').collect();
        let count = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
        if halves.iter().all(|half| count(half) >= LEAST) { parts.extend(halves) } else { parts.push(rest) }
    }
    parts
}

/// The possible readings of a number. With a plus there is only one. Without a plus, the number may or may not begin
/// with a country code.
fn readings(part: &str, digits: &str) -> Vec<(String, Prefix)> {
    let has_plus = part.trim_start_matches([' ', '(', '.', '-', ':']).starts_with('+');
    let dialled =
        digits.strip_prefix("011").filter(|rest| rest.len() >= 10).or_else(|| digits.strip_prefix("00"));
    let international = if has_plus { Some(digits) } else { dialled };
    if let Some(number) = international {
        return with_code(number.trim_start_matches('0')).map_or_else(Vec::new, |number| vec![number]);
    }
    let national = digits.trim_start_matches('0');
    let mut list = Vec::new();
    if national.len() >= LEAST {
        list.push((national.to_owned(), Prefix { code: None, is_guess: false }));
    }
    for (trunk, code, length) in TRUNKS {
        if let Some(rest) = digits.strip_prefix(trunk).filter(|rest| length.contains(&rest.len())) {
            list.push((rest.to_owned(), Prefix { code: Some(code), is_guess: true }));
        }
    }
    if national.len() == digits.len() && digits.len() >= 10 {
        list.extend(with_code(digits));
        // In Russia and Kazakhstan, calls within the country begin with 8.
        if let Some(rest) = digits.strip_prefix('8').filter(|rest| rest.len() == 10) {
            list.push((rest.to_owned(), Prefix { code: Some(7), is_guess: false }));
        }
    }
    list
}

/// Splits a number that begins with a country code.
fn with_code(number: &str) -> Option<(String, Prefix)> {
    let len = code_len(number.as_bytes())?;
    let (code, national) = number.split_at_checked(len)?;
    let national = national.trim_start_matches('0');
    (national.len() >= LEAST - 1)
        .then(|| (national.to_owned(), Prefix { code: code.parse().ok(), is_guess: false }))
}

/// The length of the country code at the start of a number (ITU-T E.164, list of assigned codes).
fn code_len(number: &[u8]) -> Option<usize> {
    match number {
        [b'1' | b'7', ..] => Some(1),
        [b'2', b'0' | b'7', ..]
        | [b'3', b'0'..=b'4' | b'6' | b'9', ..]
        | [b'4', b'0' | b'1' | b'3'..=b'9', ..]
        | [b'5', b'1'..=b'8', ..]
        | [b'6', b'0'..=b'6', ..]
        | [b'8', b'1' | b'2' | b'4' | b'6', ..]
        | [b'9', b'0'..=b'5' | b'8', ..] => Some(2),
        [b'2' | b'3' | b'4' | b'5' | b'6' | b'8' | b'9', _, _, ..] => Some(3),
        _ => None,
    }
}

/// The range of a number in a text, if its last digit is the `n`th digit of the run.
pub(super) fn place(
    text: &[u8],
    run: &[Digit],
    n: usize,
    national: &[u8],
    prefix: Prefix,
) -> Option<(usize, usize)> {
    let first = (n + 1).checked_sub(national.len())?;
    let own = run.get(first..=n)?;
    let is_same = own.iter().zip(national).all(|(digit, wanted)| digit.value + b'0' == *wanted);
    let is_joined = own.iter().skip(1).all(|digit| digit.is_joined);
    let last = own.last()?.at;
    if !is_same || !is_joined || !ends(text, last + 1) {
        return None;
    }
    let before = run.get(..first)?;
    // The joined digits before the national number, in order.
    let mut joined = own.first()?.is_joined;
    let mut longest = 0;
    for digit in before.iter().rev().take(LONGEST_PREFIX) {
        if !joined {
            break;
        }
        longest += 1;
        joined = digit.is_joined;
    }
    let start = (0..=longest).rev().find_map(|len| {
        let digits = before.get(first - len..)?;
        let at = digits.first().or(own.first())?.at;
        (prefix.allows(digits) && begins(text, at)).then_some(at)
    })?;
    // After another country code, it is another number.
    let mut others = before.iter().rev().take(longest).filter(|digit| digit.at < start);
    if others.any(|digit| plus_before(text, digit.at) < digit.at) {
        return None;
    }
    let start = plus_before(text, start);
    let closes = text.get(start..last).is_some_and(|own| own.contains(&b')') && !own.contains(&b'('));
    let bracket = start.checked_sub(1).filter(|at| closes && text.get(*at) == Some(&b'('));
    Some((bracket.unwrap_or(start), last + 1))
}

impl Prefix {
    /// The country code, if it is known.
    pub(super) fn number(self) -> Option<u16> {
        self.code
    }

    /// Whether this reading of the number is uncertain.
    pub(super) fn is_guess(self) -> bool {
        self.is_guess
    }

    /// Whether these digits may be before the national number.
    fn allows(self, digits: &[Digit]) -> bool {
        let mut value = [0_u8; LONGEST_PREFIX];
        let Some(value) = value.get_mut(..digits.len()) else { return false };
        value.iter_mut().zip(digits).for_each(|(into, digit)| *into = digit.value + b'0');
        let value = &*value;
        let own = TRUNKS.iter().find(|(_, code, _)| Some(*code) == self.code);
        let trunk = match self.code {
            Some(7) => b"8",
            _ => own.map_or(&b"0"[..], |(trunk, ..)| trunk.as_bytes()),
        };
        if value.is_empty() || value == b"0" || value == trunk {
            return !self.is_guess;
        }
        let code = value.strip_prefix(b"00").or_else(|| value.strip_prefix(b"011")).unwrap_or(value);
        let own = match self.code {
            Some(code) => code.checked_ilog10().map_or(1, |log| log as usize + 1),
            None => code_len(code).unwrap_or(usize::MAX),
        };
        let Some((code_digits, rest)) = code.split_at_checked(own) else { return false };
        let is_own = self.code.is_none_or(|own| {
            let value = code_digits.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0'));
            value == own
        });
        // A country code is written without separators.
        let from = digits.len() - code.len();
        let is_one_piece = digits
            .get(from..from + own)
            .is_some_and(|piece| piece.windows(2).all(|two| matches!(two, [a, b] if a.at + 1 == b.at)));
        is_own && is_one_piece && (rest.is_empty() || rest == b"0" || rest == trunk)
    }
}

/// Whether a number can end here. A label and an extension may follow, as in `0018x12`. A digit may not follow, and neither may the
/// rest of a code, as in `18f3`.
fn ends(text: &[u8], end: usize) -> bool {
    let behind = text.get(end..).unwrap_or_default();
    if behind.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let label = behind.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let goes_on = behind.get(label).is_some_and(u8::is_ascii_digit);
    let label = behind.get(..label).unwrap_or_default();
    !goes_on
        || label.is_empty()
        || matches!(label, b"x" | b"ext" | b"extn" | b"app" | b"dw" | b"int" | b"poste" | b"kl" | b"h")
}

/// Whether a number can start here. Letters may stand before it, as in `Tel020`. Digits may not, and a code with letters
/// may not.
fn begins(text: &[u8], start: usize) -> bool {
    let letters = letters_before(text, start).len();
    let before = start.checked_sub(letters + 1).and_then(|at| text.get(at));
    before.is_none_or(|byte| !byte.is_ascii_alphanumeric())
}

/// Extends a range by the plus before a country code: `+46`, `+(46)`.
fn plus_before(text: &[u8], at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    match before {
        [.., b'+', b'(' | b' '] => at - 2,
        [.., b'+'] => at - 1,
        _ => at,
    }
}
