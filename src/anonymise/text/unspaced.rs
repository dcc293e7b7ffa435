//! Finds names in scripts without spaces between words: Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese.
//!
//! A name is searched at every letter. In Korean, a case ending follows without a space.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::fold::folded;
use crate::data_map::Kind;

/// The maximum number of names of one person that are searched side by side.
const MOST_NAMES: usize = 8;
/// The minimum number of letters of a given name and a surname written as one word.
const FULL: usize = 3;

/// A name in the form that is searched.
pub(super) struct Form {
    pub(super) kind: Kind,
    pub(super) people: Vec<u32>,
    pub(super) name: Option<u32>,
    pub(super) is_certain: bool,
}

/// The names, and their lengths by first letter.
#[derive(Default)]
pub(super) struct Unspaced {
    forms: HashMap<Box<[u8]>, Form>,
    lengths: HashMap<char, Vec<usize>>,
}

/// Whether this letter's script has no spaces between words.
pub(super) fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF | 0x1000..=0x11FF | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF)
}

impl Unspaced {
    pub(super) fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// The parts of a name that count as separate names, if a surname and a given name are written as one word.
    pub(super) fn parts(token: &str) -> Vec<String> {
        let letters: Vec<char> = token.nfc().collect();
        let text = |letters: &[char]| letters.iter().collect::<String>();
        match letters.as_slice() {
            [_, given @ ..] if given.len() == 2 => vec![text(given)],
            [a, b, c, d] => vec![text(&[*a, *b]), text(&[*c, *d])],
            _ => Vec::new(),
        }
    }

    /// Adds a name. A single letter is only searched beside the other names.
    pub(super) fn add(&mut self, person: u32, token: &str, name: u32, is_part: bool) {
        let letters = token.nfc().count();
        if letters >= 2 {
            self.insert(person, &Kind::Name, token, Some(name), letters >= FULL && !is_part);
        }
    }

    /// Adds the names of one person side by side, in both orders.
    pub(super) fn join(&mut self, person: u32, names: &[String]) {
        let few = names.get(..names.len().min(MOST_NAMES)).unwrap_or_default();
        for (n, one) in few.iter().enumerate() {
            for other in few.iter().skip(n + 1) {
                let is_certain = one.nfc().count() + other.nfc().count() >= FULL;
                for (first, second) in [(one, other), (other, one)] {
                    self.insert(person, &Kind::Name, &format!("{first}{second}"), None, is_certain);
                    self.insert(person, &Kind::Name, &format!("{first} {second}"), None, is_certain);
                }
            }
        }
    }

    /// Adds the words of a place in such a script. An address with its number is certain.
    pub(super) fn add_place(&mut self, person: u32, kind: &Kind, value: &str) {
        let value = folded(value);
        let is_cut = |(at, c): (usize, char)| {
            let is_digit =
                |text: &str, c: Option<char>| !text.is_empty() && c.is_some_and(|c| c.is_ascii_digit());
            let (before, behind) =
                (value.get(..at).unwrap_or_default(), value.get(at + 1..).unwrap_or_default());
            let joins = c == '-'
                && is_digit(before, before.chars().next_back())
                && is_digit(behind, behind.chars().next());
            !joins && !c.is_alphanumeric() && !is_unspaced(c) && !is_combining_mark(c)
        };
        let mut from = 0;
        for (at, c) in value.char_indices().chain([(value.len(), ' ')]).filter(|place| is_cut(*place)) {
            let token = value.get(from..at).unwrap_or_default();
            from = at + c.len_utf8();
            if !token.starts_with(is_unspaced) || token.nfc().count() < 2 {
                continue;
            }
            let has_number = token.chars().any(char::is_numeric);
            for spelling in numbered(token) {
                self.insert(person, kind, &spelling, None, has_number && *kind != Kind::City);
            }
            let town = token.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default();
            if town.len() < token.len() && town.nfc().count() >= 2 {
                self.insert(person, &Kind::City, town, None, false);
            }
        }
    }

    fn insert(&mut self, person: u32, kind: &Kind, token: &str, name: Option<u32>, is_certain: bool) {
        let text = folded(token);
        let Some(first) = text.chars().next() else { return };
        let lengths = self.lengths.entry(first).or_default();
        if !lengths.contains(&text.len()) {
            lengths.push(text.len());
        }
        let form = self.forms.entry(text.into_bytes().into()).or_insert_with(|| Form {
            kind: kind.clone(),
            people: Vec::new(),
            name,
            is_certain,
        });
        form.is_certain |= is_certain;
        form.name = form.name.or(name);
        if form.people.last() != Some(&person) {
            form.people.push(person);
        }
    }

    /// Calls a closure for every name in a folded text, with its range.
    pub(super) fn find<'m>(&'m self, text: &[u8], mut tell: impl FnMut(&'m Form, usize, usize)) {
        if self.forms.is_empty() {
            return;
        }
        let mut at = 0;
        while let Some(byte) = text.get(at).copied() {
            // Characters of these scripts have three bytes or more.
            if byte < 0xE0 {
                at += 1;
                continue;
            }
            let len = if byte < 0xF0 { 3 } else { 4 };
            let letter = text.get(at..at + len).and_then(|letter| std::str::from_utf8(letter).ok());
            let lengths = letter.and_then(|letter| self.lengths.get(&letter.chars().next()?));
            for length in lengths.into_iter().flatten() {
                let end = at + length;
                let form = text.get(at..end).and_then(|name| self.forms.get(name));
                if let Some(form) = form.filter(|_| !goes_on(text, end)) {
                    tell(form, at, end);
                }
            }
            at += len;
        }
    }
}

/// What stands behind the numbers of a district, a block and a house in Japan.
const COUNTERS: [&str; 4] = ["丁目", "番地", "番", "号"];

/// An address that ends in numbers, in the ways in which they are written: `六本木6-10-1`, `六本木6丁目10番1号`.
fn numbered(token: &str) -> Vec<String> {
    let mut plain = token.to_owned();
    for counter in COUNTERS {
        plain = plain.replace(counter, "-");
    }
    let plain = plain.trim_end_matches('-');
    let (town, numbers) = plain.split_at(plain.find(|c: char| c.is_ascii_digit()).unwrap_or(plain.len()));
    let parts: Vec<&str> = numbers.split('-').collect();
    let mut list = vec![token.to_owned()];
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if let [district, block, house] = parts.as_slice()
        && parts.iter().all(is_number)
    {
        list.push(format!("{town}{district}-{block}-{house}"));
        list.push(format!("{town}{district}丁目{block}-{house}"));
        list.push(format!("{town}{district}丁目{block}番{house}号"));
        list.push(format!("{town}{district}丁目{block}番地{house}"));
    }
    list.dedup();
    list
}

/// Whether the last syllable continues after this position. Korean syllables are folded into sounds, and one more
/// sound makes another syllable. In other scripts, a mark does the same.
fn goes_on(text: &[u8], at: usize) -> bool {
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let sign = usize::from(matches!(text.get(at), Some(b'-' | b'.' | b':')));
    if is_digit(at + sign) && at.checked_sub(1).is_some_and(is_digit) {
        return true;
    }
    let letter = text.get(at..at + 3).and_then(|letter| std::str::from_utf8(letter).ok());
    letter.is_some_and(|letter| {
        letter.starts_with(|c| matches!(c, '\u{11a8}'..='\u{11ff}') || is_combining_mark(c))
    })
}
