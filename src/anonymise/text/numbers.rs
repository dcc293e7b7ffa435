//! Numbers, however their digits are grouped: telephones, accounts, cards, personal numbers.

use std::collections::HashMap;

use super::people::is_word;
use crate::data_map::Kind;

/// By so many last digits a number is looked up; shorter ones are looked for as words.
const KEY_DIGITS: usize = 7;
/// Bytes between two digits of a number: `) -`.
const GAP: usize = 3;
/// Digits that can stand before the national number: a country code.
const COUNTRY_CODE: usize = 3;

/// How a number can be written shorter.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// With a country code or without; `code` digits of the number are one.
    Phone { code: usize },
    /// Whole; a Swedish personal number of twelve digits also without the century.
    Whole { century: bool },
}

impl Rule {
    pub(super) fn of(kind: &Kind) -> Self {
        Self::Whole { century: *kind == Kind::NationalId }
    }
}

pub(super) struct Number {
    pub(super) kind: Kind,
    pub(super) people: Vec<u32>,
    /// Letters and digits, folded.
    text: Box<[u8]>,
    rule: Rule,
}

/// Everybody's numbers by their last digits.
#[derive(Default)]
pub(super) struct Numbers {
    list: Vec<Number>,
    by_end: HashMap<u32, Vec<u32>>,
}

/// A digit of a run and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Digit {
    value: u8,
    at: usize,
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'\t' | b'\n' | b'\r')
}

impl Numbers {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether there are enough digits for a telephone number.
    pub(super) fn add_phone(&mut self, person: u32, kind: &Kind, value: &str) -> bool {
        let value = super::fold::folded(value);
        // `+46 (0)70`: the zero is dialled within the country only.
        let value = value.replace("(0)", "");
        if value.bytes().any(|b| b.is_ascii_alphabetic()) {
            return false;
        }
        let digits: String = value.chars().filter(char::is_ascii_digit).collect();
        let is_international =
            value.trim_start_matches([' ', '(']).starts_with('+') || digits.starts_with("00");
        let number = digits.trim_start_matches('0');
        let code = if is_international { country_code(number) } else { 0 };
        self.add(person, kind, number, Rule::Phone { code })
    }

    /// Whether it ends with enough digits to be looked up by.
    pub(super) fn add(&mut self, person: u32, kind: &Kind, folded: &str, rule: Rule) -> bool {
        let text: Vec<u8> = folded.bytes().filter(|b| !is_separator(*b)).collect();
        let digits = text.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        if digits < KEY_DIGITS || text.len() > 40 || !text.iter().all(u8::is_ascii_alphanumeric) {
            return false;
        }
        let key = text.iter().rev().take(KEY_DIGITS).rev().fold(0, |key, b| key * 10 + u32::from(b - b'0'));
        let ids = self.by_end.entry(key).or_default();
        let known = ids.iter().find(|id| {
            self.list.get(**id as usize).is_some_and(|number| *number.text == *text && number.kind == *kind)
        });
        if let Some(number) = known.and_then(|id| self.list.get_mut(*id as usize)) {
            if number.people.last() != Some(&person) {
                number.people.push(person);
            }
            return true;
        }
        let Ok(id) = u32::try_from(self.list.len()) else { return false };
        ids.push(id);
        self.list.push(Number { kind: kind.clone(), people: vec![person], text: text.into(), rule });
        true
    }

    /// Tells of every number in a text: which, and from where to where.
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
            if run.len() < KEY_DIGITS {
                continue;
            }
            let mut key = 0;
            for (n, digit) in run.iter().enumerate() {
                key = (key * 10 + u32::from(digit.value)) % 10_u32.pow(7);
                // A number ends where its digits end.
                let goes_on = text.get(digit.at + 1).is_some_and(|byte| is_word(*byte));
                if n + 1 < KEY_DIGITS || goes_on {
                    continue;
                }
                for id in self.by_end.get(&key).into_iter().flatten() {
                    let Some(number) = self.list.get(*id as usize) else { continue };
                    let start = match number.rule {
                        Rule::Phone { code } => phone_start(text, run, n, &number.text, code),
                        Rule::Whole { century } => whole_start(text, digit.at, &number.text, century),
                    };
                    if let Some(start) = start {
                        tell(number, start, digit.at + 1);
                    }
                }
            }
        }
    }
}

/// The next digit from here, looked for in blocks that the processor takes at once.
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

/// Reads digits with few separators between them; gives where the run is over.
fn read_run(text: &[u8], first: usize, run: &mut Vec<Digit>) -> usize {
    run.clear();
    let mut at = first;
    let mut gap = 0;
    while let Some(byte) = text.get(at).copied() {
        if byte.is_ascii_digit() {
            run.push(Digit { value: byte - b'0', at });
            gap = 0;
        } else if is_separator(byte) && gap < GAP {
            gap += 1;
        } else {
            break;
        }
        at += 1;
    }
    at
}

/// Digits of the country code with which an international number starts (ITU-T E.164, list of assigned codes).
fn country_code(number: &str) -> usize {
    const TWO: [&str; 43] = [
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48",
        "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81",
        "82", "84", "86", "90", "91", "92", "93", "94", "95",
    ];
    match number {
        _ if number.starts_with(['1', '7']) => 1,
        _ if number.starts_with("98") || TWO.iter().any(|code| number.starts_with(code)) => 2,
        _ => 3,
    }
}

/// Where a telephone number starts whose last digit is the `n`th of the run.
fn phone_start(text: &[u8], run: &[Digit], n: usize, number: &[u8], code: usize) -> Option<usize> {
    let same = number
        .iter()
        .rev()
        .zip(run.get(..=n)?.iter().rev())
        .take_while(|(wanted, digit)| **wanted == digit.value + b'0')
        .count();
    let left = number.len() - same;
    if left > 0 && left != code {
        return None;
    }
    // Where the national number starts, as far as it is known.
    let national = n + 1 - same;
    let value = |at: usize| run.get(at).map(|digit| digit.value);
    let trunk = national.checked_sub(1).filter(|at| value(*at) == Some(0));
    // A country code, which is ours if we know one, and before it a plus or two zeros.
    let with_code = |end: usize, len: usize| -> Option<usize> {
        let from = end.checked_sub(len)?;
        let is_ours = code == 0 || (0..code).all(|n| value(from + n) == number.get(n).map(|b| b - b'0'));
        if !is_ours {
            return None;
        }
        plus_before(text, run.get(from)?.at).or_else(|| {
            let zeros = from.checked_sub(2)?;
            (value(zeros) == Some(0) && value(zeros + 1) == Some(0)).then(|| starts_at(text, run, zeros))?
        })
    };
    let lengths = if code == 0 { 1..=COUNTRY_CODE } else { code..=code };
    let (ends, lengths): (&[Option<usize>], _) = match left {
        // Its country code is part of what was compared.
        0 if code > 0 => (&[Some(national + code)], lengths),
        _ => (&[trunk, Some(national)], lengths),
    };
    for end in ends.iter().copied().flatten() {
        if let Some(start) = lengths.clone().rev().find_map(|len| with_code(end, len)) {
            return Some(start);
        }
    }
    // As it is dialled within the country, the area code in brackets or not.
    let start = trunk.and_then(|at| starts_at(text, run, at)).or_else(|| starts_at(text, run, national))?;
    let closes = text.get(start..run.get(n)?.at).is_some_and(|own| own.contains(&b')'));
    let bracket = start.checked_sub(1).filter(|at| closes && text.get(*at) == Some(&b'('));
    Some(bracket.unwrap_or(start))
}

/// Where a digit of the run stands, if a number can start with it.
fn starts_at(text: &[u8], run: &[Digit], n: usize) -> Option<usize> {
    let at = run.get(n)?.at;
    let before = at.checked_sub(1).and_then(|at| text.get(at)).copied();
    before.is_none_or(|byte| !is_word(byte)).then_some(at)
}

/// Where the plus stands before a digit: `+46`, `+(46)`.
fn plus_before(text: &[u8], at: usize) -> Option<usize> {
    let one = at.checked_sub(1)?;
    match text.get(one)? {
        b'+' => Some(one),
        b'(' => one.checked_sub(1).filter(|at| text.get(*at) == Some(&b'+')),
        _ => None,
    }
}

/// Where a number starts whose last digit stands here, all of it compared.
fn whole_start(text: &[u8], last: usize, number: &[u8], century: bool) -> Option<usize> {
    let is_century =
        century && number.len() == 12 && (number.starts_with(b"19") || number.starts_with(b"20"));
    let mut at = last;
    let mut start = last;
    let mut left = number.len();
    loop {
        if text.get(at)?.to_ascii_lowercase() != *number.get(left.checked_sub(1)?)? {
            break;
        }
        start = at;
        left -= 1;
        let mut gap = 0;
        let Some(mut before) = at.checked_sub(1) else { break };
        while gap < GAP && text.get(before).copied().is_some_and(is_separator) && before > 0 {
            before -= 1;
            gap += 1;
        }
        if left == 0 {
            break;
        }
        at = before;
    }
    let is_all = left == 0 || (is_century && left == 2);
    let starts_there = start.checked_sub(1).and_then(|at| text.get(at)).is_none_or(|byte| !is_word(*byte));
    (is_all && starts_there).then_some(start)
}
