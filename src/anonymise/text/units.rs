//! Parts of a house: `Flat 2`, `Ste 4`, `lgh 1101`, `2. OG`, `#4`, and which of them belongs to an address.

use super::people::is_word;
use super::scan::{word_before, word_behind};

/// What stands before the number of a part of a house.
const LEADING: [&str; 52] = [
    "flat",
    "apt",
    "apartment",
    "unit",
    "suite",
    "ste",
    "floor",
    "fl",
    "room",
    "rm",
    "building",
    "bldg",
    "block",
    "staircase",
    "level",
    "lot",
    "lgh",
    "lagenhet",
    "wohnung",
    "whg",
    "etage",
    "appt",
    "app",
    "appartement",
    "apto",
    "apartamento",
    "piso",
    "puerta",
    "planta",
    "escalera",
    "esc",
    "scala",
    "interno",
    "int",
    "piano",
    "lejl",
    "lejlighed",
    "bus",
    "huisnr",
    "kamer",
    "lok",
    "m",
    "mieszkanie",
    "asunto",
    "as",
    "daire",
    "kat",
    "d",
    "кв",
    "квартира",
    "корп",
    "подъезд",
];
/// Those of them that are words of a language too: they count only with a number that the person has.
const WORDS: [&str; 14] = [
    "unit", "floor", "room", "level", "lot", "block", "building", "app", "int", "bus", "as", "m", "d", "esc",
];
/// What stands behind the number of a floor: `2. OG`, `3 tr`, `2nd floor`.
const BEHIND: [&str; 20] = [
    "og",
    "ug",
    "etage",
    "stock",
    "obergeschoss",
    "tr",
    "trappor",
    "van",
    "vaning",
    "sal",
    "floor",
    "fl",
    "tv",
    "th",
    "mf",
    "piso",
    "planta",
    "kerros",
    "kat",
    "этаж",
];
/// Floors without a number.
const ALONE: [&str; 8] = ["eg", "dg", "erdgeschoss", "dachgeschoss", "nb", "stuen", "izq", "dcha"];
/// What a number ends in that counts floors: `2nd`, `3e`, `2o`.
const ORDINALS: [&str; 12] = ["", "st", "nd", "rd", "th", "e", "er", "eme", "o", "a", "de", "ste"];
/// Parts of a house one behind the other: building, floor, door.
const MOST: usize = 3;
/// Letters and digits of the number of a part.
const LONGEST: usize = 6;

/// The numbers of the parts of a house, in order.
pub(super) type Units = Vec<Box<[u8]>>;

fn is_in(list: &[&str], word: &[u8]) -> bool {
    list.iter().any(|known| known.as_bytes() == word)
}

/// `4`, `2b`, `1101`, `b`.
fn is_number(word: &[u8]) -> bool {
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_plain = word.iter().all(u8::is_ascii_alphanumeric);
    is_plain && word.len() <= LONGEST && (digits > 0 && word.len() - digits <= 2 || word.len() == 1)
}

/// The digits of `2`, `2nd`, `2e`.
fn ordinal(word: &[u8]) -> Option<&[u8]> {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = word.split_at_checked(digits)?;
    ((1..=2).contains(&digits) && is_in(&ORDINALS, rest)).then_some(number)
}

/// A part of a house at the start of a list of words: how many words it takes, and its number.
pub(super) fn read<'w>(words: &[&'w [u8]]) -> Option<(usize, &'w [u8])> {
    match words {
        [word, number, ..] if is_in(&LEADING, word) && is_number(number) => Some((2, number)),
        [number, word, ..] if is_in(&BEHIND, word) => ordinal(number).map(|number| (2, number)),
        [word, ..] if is_in(&ALONE, word) => Some((1, word)),
        _ => None,
    }
}

/// Whether a word says that a part of a house follows.
pub(super) fn is_designator(word: &[u8]) -> bool {
    is_in(&LEADING, word)
}

/// The parts that stand around an address, and from where to where it goes with them. `own` are the numbers that people of
/// the house have.
pub(super) fn around(
    text: &[u8],
    (start, end): (usize, usize),
    own: &dyn Fn(&[u8]) -> bool,
) -> (usize, usize, Units) {
    let (mut from, mut to, mut units) = (start, end, Vec::new());
    while units.len() < MOST
        && let Some((last, number)) = behind(text, to, own)
    {
        to = last;
        units.push(number.into());
    }
    while units.len() < MOST
        && let Some((first, number)) = before(text, from, own)
    {
        from = first;
        units.push(number.into());
    }
    (from, to, units)
}

/// Whether these signs may stand between an address and a part of the house.
fn is_gap(gap: &[u8]) -> bool {
    gap.len() <= 3 && gap.iter().all(|byte| matches!(byte, b' ' | b',' | b'-' | b'/' | b'(' | b'\n' | b'.'))
}

fn behind<'t>(text: &'t [u8], at: usize, own: &dyn Fn(&[u8]) -> bool) -> Option<(usize, &'t [u8])> {
    let (from, to) = word_behind(text, at)?;
    let (gap, word) = (text.get(at..from)?, text.get(from..to)?);
    // `Oak Street 12 #4`
    if gap.strip_suffix(b"#").is_some_and(is_gap) {
        return is_number(word).then_some((to, word));
    }
    if !is_gap(gap) {
        return None;
    }
    // `5/12`, and `5 A 12` where it is theirs.
    if is_number(word) && word.len() <= 4 && word.iter().all(u8::is_ascii_digit) {
        let is_behind_letter =
            matches!(text.get(..at)?, [.., b' ' | b'0'..=b'9', letter] if letter.is_ascii_lowercase());
        if gap == b"/" || own(word) && (gap == b"-" || gap == b" " && is_behind_letter) {
            return Some((to, word));
        }
    }
    if is_in(&ALONE, word) && own(word) {
        return Some((to, word));
    }
    let (first, last) = word_behind(text, to)?;
    let next = text.get(first..last)?;
    let between = text.get(to..first)?;
    if is_in(&LEADING, word)
        && matches!(between, b" " | b". " | b"." | b": " | b":" | b" #")
        && is_number(next)
    {
        let is_sure = !is_in(&WORDS, word) && next.iter().any(u8::is_ascii_digit);
        return (is_sure || own(next)).then_some((last, next));
    }
    // `2. OG`: between the number of a floor and what says so stands a full stop or nothing but a space.
    let number = ordinal(word)?;
    let is_floor = is_in(&BEHIND, next) && matches!(between, b" " | b". " | b".");
    let is_sure = between.contains(&b'.') || word.len() > number.len();
    (is_floor && (is_sure || own(number))).then_some((last, number))
}

fn before<'t>(text: &'t [u8], at: usize, own: &dyn Fn(&[u8]) -> bool) -> Option<(usize, &'t [u8])> {
    let (first, last) = word_before(text, at)?;
    let number = text.get(first..last)?;
    if !is_gap(text.get(last..at)?) || !is_number(number) {
        return None;
    }
    let (from, to) = word_before(text, first)?;
    let word = text.get(from..to)?;
    let is_near = matches!(text.get(to..first)?, b" " | b". " | b"." | b" #");
    let is_sure = !is_in(&WORDS, word) && number.iter().any(u8::is_ascii_digit);
    let begins = from.checked_sub(1).and_then(|at| text.get(at)).is_none_or(|byte| !is_word(*byte));
    (is_near && begins && is_in(&LEADING, word) && (is_sure || own(number))).then_some((from, number))
}
