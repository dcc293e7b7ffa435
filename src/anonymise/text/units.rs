//! Finds parts of a house that belong to an address: `Flat 2`, `Ste 4`, `lgh 1101`, `2. OG`, `#4`.

use super::people::is_word;
use super::scan::{word_before, word_behind};

/// Words before the number of a part of a house.
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
/// Those of them that are also ordinary words. They count only with a number of the person.
const WORDS: [&str; 14] = [
    "unit", "floor", "room", "level", "lot", "block", "building", "app", "int", "bus", "as", "m", "d", "esc",
];
/// Words after the number of a floor: `2. OG`, `3 tr`, `2nd floor`.
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
/// The endings of ordinal numbers of floors: `2nd`, `3e`, `2o`.
const ORDINALS: [&str; 12] = ["", "st", "nd", "rd", "th", "e", "er", "eme", "o", "a", "de", "ste"];
/// The maximum number of consecutive parts of a house: building, floor, door.
const MOST: usize = 3;
/// The maximum number of letters and digits in the number of a part.
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

/// Reads a part of a house at the start of a list of words. Returns how many words it takes, and its number.
pub(super) fn read<'w>(words: &[&'w [u8]]) -> Option<(usize, &'w [u8])> {
    match words {
        [word, number, ..] if is_in(&LEADING, word) && is_number(number) => Some((2, number)),
        [number, word, ..] if is_in(&BEHIND, word) => ordinal(number).map(|number| (2, number)),
        [word, ..] if is_in(&ALONE, word) => Some((1, word)),
        _ => None,
    }
}

/// Whether a word announces a part of a house.
pub(super) fn is_designator(word: &[u8]) -> bool {
    is_in(&LEADING, word)
}

/// The parts around an address, and the range of the address with them. `own` says whether a number belongs to people
/// of the house.
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

/// Whether these signs may be between an address and a part of the house.
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
    // A number may follow directly: `5/12`. In `5 A 12` it counts only if it belongs to a person of the house.
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
    // Between the number of a floor and its word there is a full stop or a space: `2. OG`.
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
