//! Finds numbers with any grouping of digits: telephone numbers, accounts, cards, personal numbers, dates of birth.
//!
//! A number is looked up by its last digits. Letters between and after them are skipped, as in an account that ends
//! in `13M02606`, or a personal number `12345678Z`. Then all letters and digits are compared.

use std::collections::HashMap;

use super::phones::{self, Prefix};
use super::telling::{is_amount_or_day, is_written_as_other};
use crate::data_map::Kind;

/// The number of last digits for the look-up. Shorter numbers are looked up by all their digits.
const MOST_DIGITS: usize = 7;
pub(super) const LEAST_DIGITS: usize = 4;
/// The maximum number of separators between two digits of a number: `) -`.
const GAP: usize = 3;
/// The maximum number of letters and separators between two digits of an account.
const LETTERS: usize = 12;
/// The maximum number of letters and digits of a number.
const LONGEST: usize = 40;

/// How a number is compared.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// By the national number, and the digits before it.
    Phone(Prefix),
    /// By all letters and digits. The century of a personal number is optional.
    Whole { century: bool },
}

pub(super) struct Number {
    pub(super) kind: Kind,
    pub(super) people: Vec<u32>,
    pub(super) is_certain: bool,
    /// Letters and digits, folded.
    text: Box<[u8]>,
    /// The end of the last digit.
    digits_end: usize,
    rule: Rule,
}

/// The numbers of all people, by their last digits.
#[derive(Default)]
pub(super) struct Numbers {
    list: Vec<Number>,
    /// The key is the count of last digits, and their value.
    by_end: HashMap<(u8, u32), Vec<u32>>,
    /// A filter with a bit for each of these keys. It rejects nearly all numbers in texts without a look-up.
    ends: Vec<u64>,
    /// Whether there are numbers with only this number of digits.
    has_short: [bool; MOST_DIGITS],
}

/// A digit of a run, and its position.
#[derive(Clone, Copy)]
pub(super) struct Digit {
    pub(super) value: u8,
    pub(super) at: usize,
    /// Whether there are only separators between this digit and the digit before.
    pub(super) is_joined: bool,
}

pub(super) fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'_' | b':' | b'\t' | b'\n' | b'\r')
}

/// Labels that may be directly before a number: `Tel0207946018`, `IBANGB29…`.
const LABELS: [&str; 38] = [
    "tel", "telefon", "phone", "ph", "mob", "mobil", "mobile", "cell", "fax", "handy", "no", "nr", "num",
    "number", "nummer", "id", "pnr", "pn", "kd", "kdnr", "kundnr", "kundennr", "konto", "kto", "acct",
    "account", "iban", "ref", "cust", "customer", "nif", "dni", "cf", "ssn", "ni", "pesel", "vat", "ust",
];

impl Numbers {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds the telephone numbers of a field. Returns whether there is one.
    pub(super) fn add_phones(&mut self, person: u32, kind: &Kind, folded: &str) -> bool {
        let mut found = false;
        for (national, prefix) in phones::in_field(folded) {
            found |= self.insert(person, kind, national.as_bytes(), Rule::Phone(prefix), true);
        }
        found
    }

    /// Adds a number. Returns whether it has enough digits for a look-up.
    pub(super) fn add(&mut self, person: u32, kind: &Kind, folded: &str) -> bool {
        let text: Vec<u8> = folded.bytes().filter(u8::is_ascii_alphanumeric).collect();
        if folded.bytes().any(|b| !b.is_ascii()) {
            return false;
        }
        let is_digits = text.iter().all(u8::is_ascii_digit);
        // A column of numbers drops zeros in front, so they may be there or not.
        let zeros = text.iter().take_while(|byte| **byte == b'0').count();
        let zeros = if is_digits { zeros.min(text.len().saturating_sub(LEAST_DIGITS)) } else { 0 };
        let Some(text) = text.get(zeros..) else { return false };
        let is_certain = if is_digits { !is_amount_or_day(text) } else { text.len() >= 5 };
        let century =
            *kind == Kind::NationalId && (is_digits && text.len() <= 10 || matches!(text.len(), 10 | 12));
        self.insert(person, kind, text, Rule::Whole { century }, is_certain)
    }

    /// Adds a date of birth, with its digits in one of the usual orders.
    pub(super) fn add_date(&mut self, person: u32, digits: &str) {
        self.insert(person, &Kind::BirthDate, digits.as_bytes(), Rule::Whole { century: false }, false);
    }

    fn insert(&mut self, person: u32, kind: &Kind, text: &[u8], rule: Rule, is_certain: bool) -> bool {
        let digits: Vec<u8> = text.iter().filter(|b| b.is_ascii_digit()).copied().collect();
        let count = digits.len().min(MOST_DIGITS);
        if count < LEAST_DIGITS || text.len() > LONGEST {
            return false;
        }
        let value = |count: usize| {
            digits.iter().rev().take(count).rev().fold(0, |key, b| key * 10 + u32::from(b - b'0'))
        };
        let Some(key) = u8::try_from(count).ok().map(|len| (len, value(count))) else { return false };
        self.has_short.get_mut(count).into_iter().for_each(|known| *known = true);
        let ids = self.by_end.entry(key).or_default();
        let known = ids.iter().find(|id| {
            self.list.get(**id as usize).is_some_and(|number| {
                *number.text == *text && number.kind == *kind && number.rule.is_like(rule)
            })
        });
        if let Some(number) = known.and_then(|id| self.list.get_mut(*id as usize)) {
            if number.people.last() != Some(&person) {
                number.people.push(person);
            }
            return true;
        }
        let Ok(id) = u32::try_from(self.list.len()) else { return false };
        ids.push(id);
        let digits_end = text.iter().rposition(u8::is_ascii_digit).map_or(0, |at| at + 1);
        let (kind, people, text) = (kind.clone(), vec![person], text.into());
        self.list.push(Number { kind, people, is_certain, text, digits_end, rule });
        true
    }

    /// Prepares the search. Call this after all numbers were added.
    pub(super) fn finish(&mut self) {
        self.ends = vec![0; (self.by_end.len() / 4).next_power_of_two().max(64)];
        let keys: Vec<(u8, u32)> = self.by_end.keys().copied().collect();
        for (count, key) in keys {
            let (at, bit) = self.end(count.into(), key);
            self.ends.get_mut(at).into_iter().for_each(|known| *known |= bit);
        }
    }

    fn end(&self, count: usize, key: u32) -> (usize, u64) {
        let number = (u64::from(key) << 3 | count as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let at = usize::try_from(number >> 40).unwrap_or_default() & self.ends.len().wrapping_sub(1);
        (at, 1 << (number >> 34 & 63))
    }

    /// Calls a closure for every number in a text, with its range.
    pub(super) fn find<'m>(
        &'m self,
        text: &[u8],
        run: &mut Vec<Digit>,
        mut tell: impl FnMut(&'m Number, usize, usize),
    ) {
        if self.list.is_empty() {
            return;
        }
        let mut at = 0;
        while let Some(first) = next_digit(text, at) {
            at = read_run(text, first, run);
            if run.len() < LEAST_DIGITS {
                continue;
            }
            let mut key = 0_u32;
            for (n, digit) in run.iter().enumerate() {
                key = (key * 10 + u32::from(digit.value)) % 10_u32.pow(7);
                if n + 1 < LEAST_DIGITS {
                    continue;
                }
                let mut power = 10_u32.pow(3);
                for count in LEAST_DIGITS..=MOST_DIGITS.min(n + 1) {
                    power *= 10;
                    let is_known =
                        count == MOST_DIGITS || self.has_short.get(count).copied().unwrap_or_default();
                    let (at, bit) = self.end(count, key % power);
                    if !is_known || self.ends.get(at).is_none_or(|known| known & bit == 0) {
                        continue;
                    }
                    let Ok(len) = u8::try_from(count) else { continue };
                    for id in self.by_end.get(&(len, key % power)).into_iter().flatten() {
                        if let Some(number) = self.list.get(*id as usize)
                            && let Some((start, end)) = number.place(text, run, n)
                        {
                            tell(number, start, end);
                        }
                    }
                }
            }
        }
    }
}

impl Rule {
    fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::Phone(one), Self::Phone(other)) => one == other,
            (Self::Whole { .. }, Self::Whole { .. }) => true,
            _ => false,
        }
    }
}

impl Number {
    /// Whether it is certain where it stands here: with enough digits, and not written as a day or an amount.
    pub(super) fn is_certain_in(&self, text: &[u8], start: usize, end: usize) -> bool {
        let own = text.get(start..end).unwrap_or_default();
        let is_short = || own.iter().filter(|byte| byte.is_ascii_digit()).count() < MOST_DIGITS;
        let is_doubtful = self.text.iter().all(u8::is_ascii_digit)
            && (matches!(self.rule, Rule::Whole { .. }) && is_short()
                || is_written_as_other(text, start, end));
        self.is_certain && !is_doubtful
    }

    /// The range of the number in a text, if its last digit is the `n`th digit of the run.
    fn place(&self, text: &[u8], run: &[Digit], n: usize) -> Option<(usize, usize)> {
        match self.rule {
            Rule::Phone(prefix) => phones::place(text, run, n, &self.text, prefix),
            Rule::Whole { century } => {
                let last = run.get(n)?.at;
                let end = self.end(text, last + 1)?;
                self.start(text, last, century).map(|start| (start, end))
            }
        }
    }

    /// The end of the number, including the letters after its last digit.
    fn end(&self, text: &[u8], from: usize) -> Option<usize> {
        let mut end = from;
        for wanted in self.text.get(self.digits_end..)? {
            let gap = text.get(end..)?.iter().take(GAP).take_while(|byte| is_separator(**byte)).count();
            if text.get(end + gap) != Some(wanted) {
                return None;
            }
            end += gap + 1;
        }
        // A number ends with its last digit or letter. Letters of another script do not belong to it.
        let goes_on = text.get(end).is_some_and(u8::is_ascii_alphanumeric);
        (!goes_on).then_some(end)
    }

    /// The start of the number, if its last digit is at this position and all of it is equal.
    fn start(&self, text: &[u8], last: usize, century: bool) -> Option<usize> {
        let number = self.text.get(..self.digits_end)?;
        let is_century =
            century && number.len() == 12 && (number.starts_with(b"19") || number.starts_with(b"20"));
        let (mut at, mut start, mut left) = (last, last, number.len());
        while text.get(at)? == number.get(left.checked_sub(1)?)? {
            (start, left) = (at, left - 1);
            let Some(mut before) = at.checked_sub(1) else { break };
            let mut gap = 0;
            while gap < GAP && before > 0 && text.get(before).copied().is_some_and(is_separator) {
                (before, gap) = (before - 1, gap + 1);
            }
            if left == 0 {
                break;
            }
            at = before;
        }
        if left != 0 && !(is_century && left == 2) {
            return None;
        }
        if begins(text, start, number.first().is_some_and(u8::is_ascii_digit)) {
            return Some(start);
        }
        self.start_behind_zeros(text, start, century)
    }

    /// Where it starts with what the stored number lacks: zeros in front, and the century before the year.
    fn start_behind_zeros(&self, text: &[u8], start: usize, century: bool) -> Option<usize> {
        let (mut from, mut digits) = (start, self.text.len());
        let may_lack = self.text.iter().all(u8::is_ascii_digit);
        loop {
            // Of ten digits of a personal number the first two are the year.
            let before = from.checked_sub(2).filter(|_| century && digits == 10);
            if let Some(at) = before
                && matches!(text.get(at..from), Some(b"19" | b"20"))
                && begins(text, at, true)
            {
                return Some(at);
            }
            let mut before = from.checked_sub(1)?;
            let mut gap = 0;
            while gap < GAP && before > 0 && text.get(before).copied().is_some_and(is_separator) {
                (before, gap) = (before - 1, gap + 1);
            }
            if !may_lack || text.get(before) != Some(&b'0') {
                return None;
            }
            (from, digits) = (before, digits + 1);
            if begins(text, from, true) {
                return Some(from);
            }
        }
    }
}

/// Whether a number can begin here: there is no letter or digit before it, or its first character is a digit and a
/// label is before it.
fn begins(text: &[u8], start: usize, is_digit: bool) -> bool {
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    if before.is_none_or(|byte| !byte.is_ascii_alphanumeric()) {
        return true;
    }
    let label = letters_before(text, start);
    (is_digit || label == b"iban")
        && std::str::from_utf8(label).is_ok_and(|label| LABELS.contains(&label))
        && !starts_in_word(text, start - label.len())
}

/// The letters directly before a position, up to the length of a label.
pub(super) fn letters_before(text: &[u8], at: usize) -> &[u8] {
    let before = text.get(..at).unwrap_or_default();
    let len = before.iter().rev().take(LETTERS).take_while(|byte| byte.is_ascii_alphabetic()).count();
    before.get(at - len..).unwrap_or_default()
}

fn starts_in_word(text: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphanumeric)
}

/// The next digit from this position. The search works on blocks, so that the compiler can vectorise it.
fn next_digit(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    for block in text.get(from..)?.chunks(64) {
        if block.iter().fold(false, |any, byte| any | byte.is_ascii_digit()) {
            return block.iter().position(u8::is_ascii_digit).map(|n| at + n);
        }
        at += block.len();
    }
    None
}

/// Reads a run of digits with few separators and letters between them. Returns the end of the run.
fn read_run(text: &[u8], first: usize, run: &mut Vec<Digit>) -> usize {
    run.clear();
    let mut at = first;
    let (mut gap, mut separators, mut is_joined) = (0, 0, true);
    while let Some(byte) = text.get(at).copied() {
        if byte.is_ascii_digit() {
            run.push(Digit { value: byte - b'0', at, is_joined });
            (gap, separators, is_joined) = (0, 0, true);
        } else if gap < LETTERS && is_separator(byte) {
            (gap, separators) = (gap + 1, separators + 1);
            is_joined &= separators <= GAP;
        } else if gap < LETTERS && byte.is_ascii_alphabetic() {
            (gap, is_joined) = (gap + 1, false);
        } else {
            break;
        }
        at += 1;
    }
    at
}
