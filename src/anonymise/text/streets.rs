//! Streets and house numbers: `12 Oak Street`, `Oak St 12a`, `ul. Długa 5`, `Hauptstr. Nr. 5`.
//!
//! A street is known by its own words. Words that say what kind of street it is may be abbreviated, and stand before or
//! behind. With the house number beside it the address is certain; with another number it is somebody else's; without a
//! number it is reported.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::people::{LONGEST_WORD, is_word, words};
use super::scan::{Step, word_before, word_behind};
use crate::data_map::Kind;

/// Kinds of streets, each with the ways to write it. The first is how it is compared.
const KINDS: [&[&str]; 47] = [
    &["st", "street", "str", "strasse", "saint", "straat"],
    &["rd", "road"],
    &["ave", "avenue", "av", "aven", "avenida", "avda", "avd"],
    &["blvd", "boulevard", "bd", "boul", "bulevar", "bulvar", "bul", "blv"],
    &["ln", "lane", "laan"],
    &["dr", "drive", "drv"],
    &["sq", "square"],
    &["ct", "court", "crt"],
    &["pl", "place", "platz", "plac", "plaza", "plein", "pln", "plads", "plass", "pza", "plz", "площадь"],
    &["ter", "terrace", "terr"],
    &["cres", "crescent", "cr", "crsnt"],
    &["cl", "close"],
    &["gdns", "gardens", "gdn", "garden"],
    &["gr", "grove", "grv", "grand"],
    &["pkwy", "parkway", "pky"],
    &["hwy", "highway"],
    &["cir", "circle", "circ"],
    &["way", "wy", "weg", "vag", "vagen", "vej", "veien", "vei", "v"],
    &["ul", "ulica", "ulice", "улица", "ул", "вулиця", "вул"],
    &["al", "aleja", "allee", "alle", "aleje", "all", "alley"],
    &["os", "osiedle"],
    &["c", "calle", "cl"],
    &["po", "paseo", "pso"],
    &["ctra", "carretera"],
    &["cno", "camino"],
    &["via", "v"],
    &["vle", "viale"],
    &["pza", "piazza", "p"],
    &["cso", "corso"],
    &["lgo", "largo"],
    &["r", "rue", "rua"],
    &["ch", "chemin", "che"],
    &["imp", "impasse"],
    &["rte", "route"],
    &["qu", "quai"],
    &["пр", "проспект", "просп", "пркт"],
    &["пер", "переулок"],
    &["οδοσ", "οδ"],
    &["λεωφοροσ", "λεωφ"],
    &["sk", "sokak", "sok", "sokagi"],
    &["cd", "cadde", "caddesi", "cad"],
    &["mah", "mahalle", "mahallesi", "mh"],
    &["k", "katu", "gatan", "gata", "g", "gade", "gaten", "gt"],
    &["u", "utca", "ut", "utja"],
    &["ring"],
    &["tie", "t", "torg", "torget"],
    &["trg", "nam", "namesti", "namestie", "ter"],
];
/// Kinds that stand before the name, and are left out in speech.
const LEADING: [&str; 19] = [
    "ul", "al", "os", "c", "po", "ctra", "cno", "via", "vle", "pza", "cso", "lgo", "r", "ch", "imp", "пр",
    "пер", "οδοσ", "ave",
];
/// Kinds at the end of a word: how much of the word is left when they are abbreviated.
const ENDS: [(&str, usize); 15] = [
    ("strasse", 3),
    ("straat", 3),
    ("platz", 2),
    ("plein", 2),
    ("gatan", 1),
    ("gaten", 1),
    ("gata", 1),
    ("gade", 1),
    ("vagen", 1),
    ("veien", 1),
    ("vej", 1),
    ("torget", 1),
    ("katu", 1),
    ("gasse", 1),
    ("allee", 2),
];
/// Words within the name of a street that come and go.
const FILLERS: [&str; 26] = [
    "the", "of", "am", "an", "der", "dem", "den", "de", "la", "le", "les", "du", "des", "del", "los", "las",
    "el", "da", "do", "dos", "di", "dello", "della", "van", "auf", "im",
];
/// What stands before a house number.
const LABELS: [&str; 15] = [
    "no", "nr", "num", "number", "nummer", "numero", "n", "н", "д", "дом", "hus", "huis", "house", "haus",
    "nro",
];
/// Parts of a house, each before or behind its number.
const UNITS: [&str; 32] = [
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
    "lgh",
    "wohnung",
    "whg",
    "og",
    "eg",
    "etage",
    "m",
    "lok",
    "кв",
    "appt",
    "app",
    "piso",
    "puerta",
    "scala",
    "int",
    "lejl",
    "bus",
    "building",
    "bldg",
    "block",
    "staircase",
    "lok",
];

/// A word of so many letters is the name of a street without its kind.
const LONG_NAME: usize = 8;

/// A house number: digits, and a letter or none.
#[derive(Clone, PartialEq, Eq, Hash)]
struct House {
    number: u32,
    letter: Option<u8>,
}

struct Street {
    /// Its own words, and which of them is looked up.
    words: Vec<Box<[u8]>>,
    anchor: usize,
    kinds: Vec<&'static str>,
    is_compound: bool,
    kind: Kind,
    houses: HashMap<House, Vec<u32>>,
    people: Vec<u32>,
}

/// The own words of a street, and the kinds.
type Own = (Vec<Box<[u8]>>, Vec<&'static str>);

#[derive(Default)]
pub(super) struct Streets {
    list: Vec<Street>,
    ids: HashMap<Own, u32>,
}

/// A street that was found.
pub(super) struct Found<'m> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: &'m Kind,
    pub(super) people: &'m [u32],
    pub(super) is_certain: bool,
}

/// The kind of each way to write one. Where several are written so, the first.
static KIND_OF: LazyLock<HashMap<&[u8], &str>> = LazyLock::new(|| {
    let mut kinds = HashMap::new();
    for kind in KINDS {
        for (first, way) in
            kind.first().into_iter().flat_map(|first| kind.iter().map(move |way| (first, way)))
        {
            kinds.entry(way.as_bytes()).or_insert(*first);
        }
    }
    kinds
});

fn kind_of(word: &[u8]) -> Option<&'static str> {
    KIND_OF.get(word).copied()
}

/// Some short ways stand for several kinds.
fn is_same_kind(one: &str, word: &[u8]) -> bool {
    KINDS.iter().any(|kind| kind.first() == Some(&one) && kind.iter().any(|way| way.as_bytes() == word))
}

fn is_in(list: &[&str], word: &[u8]) -> bool {
    list.iter().any(|known| known.as_bytes() == word)
}

/// A word that ends in the kind of a street is abbreviated in many ways and in one here.
pub(super) fn street(word: &[u8]) -> &[u8] {
    for (end, kept) in ENDS {
        if let Some(stem) = word.strip_suffix(end.as_bytes())
            && stem.len() >= 2
        {
            return word.get(..stem.len() + kept).unwrap_or(word);
        }
    }
    kind_of(word).map_or(word, str::as_bytes)
}

/// Every other word that is abbreviated so.
pub(super) fn written_out(short: &[u8]) -> impl Iterator<Item = Box<[u8]>> {
    let whole = KINDS.iter().filter(move |kind| kind.first().is_some_and(|first| first.as_bytes() == short));
    let whole = whole.flat_map(|kind| kind.iter().skip(1).map(|way| way.as_bytes().into()));
    let ends = ENDS.iter().filter_map(move |(end, kept)| {
        let stem = short.strip_suffix(end.as_bytes().get(..*kept)?).filter(|stem| stem.len() >= 2)?;
        Some([stem, end.as_bytes()].concat().into())
    });
    whole.chain(ends)
}

/// Digits and at most two letters: `5`, `12a`; not `5th`.
fn house(word: &[u8]) -> Option<House> {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let letters = word.get(digits..)?;
    let is_house =
        (1..=5).contains(&digits) && letters.len() <= 1 && letters.iter().all(u8::is_ascii_alphabetic);
    let number = std::str::from_utf8(word.get(..digits)?).ok()?.parse().ok()?;
    is_house.then(|| House { number, letter: letters.first().copied() })
}

/// A line of an address taken apart.
#[derive(Default)]
pub(super) struct Line {
    words: Vec<Box<[u8]>>,
    kinds: Vec<&'static str>,
    houses: Vec<House>,
    /// Whether a word of its own ends in a kind: `Hauptstraße`.
    is_compound: bool,
}

impl Line {
    /// Of one spelling. A number of five digits behind the street is a postcode, and ends it.
    pub(super) fn read(spelling: &str) -> Self {
        let list: Vec<&[u8]> = words(spelling).map(str::as_bytes).collect();
        let mut line = Self::default();
        let mut n = 0;
        while let Some(word) = list.get(n).copied() {
            n += 1;
            let is_number = |word: &&&[u8]| word.first().is_some_and(u8::is_ascii_digit);
            if word.len() >= 4 && n > 1 && word.iter().all(u8::is_ascii_digit) {
                break;
            }
            if is_in(&UNITS, word) && list.get(n).as_ref().is_some_and(is_number) {
                n += 1;
            } else if let Some(mut house) = house(word) {
                // `5 a`: the letter stands apart.
                if let Some([letter]) = list.get(n)
                    && house.letter.is_none()
                    && letter.is_ascii_alphabetic()
                    && n + 1 >= list.len()
                {
                    house.letter = Some(*letter);
                    n += 1;
                }
                line.houses.push(house);
            } else if let Some(kind) = kind_of(word) {
                line.kinds.push(kind);
            } else if !is_in(&FILLERS, word) && !is_in(&LABELS, word) && !is_in(&UNITS, word) {
                line.is_compound |= street(word) != word;
                line.words.push(street(word).into());
            }
        }
        line
    }

    /// Whether it is a number alone: the house number in a field of its own.
    pub(super) fn is_number(&self) -> bool {
        self.words.is_empty() && self.kinds.is_empty() && self.houses.len() == 1
    }
}

impl Streets {
    /// Adds a line; gives the word by which the street is looked up and its number. `numbers` are lines that are a number.
    pub(super) fn add(
        &mut self,
        person: u32,
        kind: &Kind,
        line: &Line,
        numbers: &[Line],
    ) -> Option<(Box<[u8]>, u32)> {
        let (anchor, word) = line.words.iter().enumerate().max_by_key(|(_, word)| word.len())?;
        let is_street = !line.houses.is_empty() || !line.kinds.is_empty();
        if !is_street || line.words.len() > 6 || line.words.iter().any(|word| word.len() > LONGEST_WORD) {
            return None;
        }
        let next = u32::try_from(self.list.len()).ok()?;
        let id = *self.ids.entry((line.words.clone(), line.kinds.clone())).or_insert(next);
        if id == next {
            let (words, kinds) = (line.words.clone(), line.kinds.clone());
            let (houses, people, is_compound) = (HashMap::new(), Vec::new(), line.is_compound);
            self.list.push(Street { words, anchor, kinds, is_compound, kind: kind.clone(), houses, people });
        }
        let street = self.list.get_mut(id as usize)?;
        if street.people.last() != Some(&person) {
            street.people.push(person);
        }
        let apart = numbers.iter().filter(|_| line.houses.is_empty()).flat_map(|line| &line.houses);
        for house in line.houses.iter().chain(apart) {
            let people = street.houses.entry(house.clone()).or_default();
            if people.last() != Some(&person) {
                people.push(person);
            }
        }
        Some((word.clone(), id))
    }

    /// The street of this number, if it stands around this word.
    pub(super) fn at<'m>(&'m self, text: &[u8], (start, end): (usize, usize), id: u32) -> Option<Found<'m>> {
        let street = self.list.get(id as usize)?;
        let (before, behind) = street.words.split_at_checked(street.anchor)?;
        let (mut start, mut end) = (start, end);
        for wanted in before.iter().rev() {
            start = next(text, start, wanted, word_before)?.0;
        }
        for wanted in behind.iter().skip(1) {
            end = next(text, end, wanted, word_behind)?.1;
        }
        let (mut has_kind, mut is_kind) = (false, street.kinds.is_empty());
        for is_before in [true, false] {
            let place = if is_before {
                kind_beside(text, start, word_before)
            } else {
                kind_beside(text, end, word_behind)
            };
            let Some((from, to)) = place else { continue };
            let word = text.get(from..to)?;
            has_kind = true;
            is_kind |= street.kinds.iter().any(|kind| is_same_kind(kind, word));
            if is_before {
                start = from;
            } else {
                end = to;
            }
        }
        if has_kind && !is_kind {
            return None;
        }
        let may_lack_kind = street.kinds.iter().all(|kind| LEADING.contains(kind));
        Self::with_number(text, street, (start, end), has_kind || may_lack_kind)
    }

    fn with_number<'m>(
        text: &[u8],
        street: &'m Street,
        (start, end): (usize, usize),
        has_kind: bool,
    ) -> Option<Found<'m>> {
        let found =
            |start, end, people, is_certain| Found { start, end, kind: &street.kind, people, is_certain };
        let numbers = [number_before(text, start), number_behind(text, end)];
        for (house, from, to) in numbers.iter().flatten() {
            let (from, to) = (start.min(*from), end.max(*to));
            if let Some(people) = street.houses.get(house) {
                return Some(found(from, to, people, has_kind));
            }
            // `5` and `5a` are two doors of one house.
            let near = street.houses.iter().find(|(known, _)| known.number == house.number);
            if let Some((_, people)) = near {
                return Some(found(from, to, people, false));
            }
        }
        let has_other = numbers.iter().flatten().any(|(_, from, to)| {
            let gap = if *to <= start { text.get(*to..start) } else { text.get(end..*from) };
            gap.is_some_and(|gap| !gap.contains(&b','))
        });
        let is_other = has_other && !street.houses.is_empty();
        // A single word that says nothing of a street may be any word: `Studio 5`.
        let is_told = !street.kinds.is_empty()
            || street.is_compound
            || street.words.len() > 1
            || street.words.first().is_some_and(|word| word.len() >= LONG_NAME);
        (!is_other && has_kind && is_told).then(|| found(start, end, &street.people, false))
    }
}

/// The word beside a place, with at most three bytes between.
fn beside(text: &[u8], at: usize, step: Step) -> Option<(usize, usize)> {
    step(text, at).filter(|(from, to)| from.saturating_sub(at).max(at.saturating_sub(*to)) <= 3)
}

/// The kind of a street beside its name, over words that come and go.
fn kind_beside(text: &[u8], at: usize, step: Step) -> Option<(usize, usize)> {
    let mut at = at;
    for _ in 0..3 {
        let (from, to) = beside(text, at, step)?;
        let word = text.get(from..to)?;
        if kind_of(word).is_some() {
            return Some((from, to));
        }
        if !is_in(&FILLERS, word) {
            return None;
        }
        at = if from < at { from } else { to };
    }
    None
}

/// The wanted word beside a place, over words that come and go.
fn next(text: &[u8], at: usize, wanted: &[u8], step: Step) -> Option<(usize, usize)> {
    let mut at = at;
    for _ in 0..3 {
        let (from, to) = beside(text, at, step)?;
        let word = text.get(from..to)?;
        if street(word) == wanted {
            return Some((from, to));
        }
        if !is_in(&FILLERS, word) && kind_of(word).is_none() {
            return None;
        }
        at = if from < at { from } else { to };
    }
    None
}

fn number_before(text: &[u8], start: usize) -> Option<(House, usize, usize)> {
    let (mut from, mut to) = beside(text, start, word_before)?;
    if is_in(&FILLERS, text.get(from..to)?) {
        (from, to) = beside(text, from, word_before)?;
    }
    // `12 a Oak Street`
    if let Some([letter]) = text.get(from..to)
        && letter.is_ascii_alphabetic()
        && let Some((first, last)) = beside(text, from, word_before)
        && let Some(mut house) = house(text.get(first..last)?)
    {
        house.letter = Some(*letter);
        return Some((house, first, to));
    }
    Some((house(text.get(from..to)?)?, from, to))
}

fn number_behind(text: &[u8], end: usize) -> Option<(House, usize, usize)> {
    let (mut from, mut to) = beside(text, end, word_behind)?;
    while is_in(&LABELS, text.get(from..to)?) {
        (from, to) = beside(text, to, word_behind)?;
    }
    let mut house = house(text.get(from..to)?)?;
    // `5 a`: the letter stands apart, and nothing of its word behind it.
    if let Some((at, last)) = beside(text, to, word_behind)
        && let Some([letter @ b'a'..=b'h']) = text.get(at..last)
        && at - to <= 1
        && text.get(to).is_none_or(|byte| !is_word(*byte))
        && house.letter.is_none()
        && text.get(last..).is_none_or(|rest| rest.first().is_none_or(|byte| *byte != b'\''))
    {
        house.letter = Some(*letter);
        to = last;
    }
    Some((house, from, to))
}
