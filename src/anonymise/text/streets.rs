//! Finds streets with house numbers: `12 Oak Street`, `Oak St 12a`, `ul. Długa 5`, `Hauptstr. Nr. 5`.
//!
//! A street is recognised by its own words. The words for the kind of street may be abbreviated, and may come before
//! or after. With the house number the address is certain. With another number it is another person's address.
//! Without a number it is only reported.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::people::{LONGEST_WORD, is_word, words};
use super::scan::{Step, word_before, word_behind};
use super::telling::{goes_on, is_common_word};
use super::units::{self, Units};
use crate::data_map::Kind;

/// The kinds of streets, each with its spellings. The first spelling is used for comparison.
const KINDS: [&[&str]; 52] = [
    &["st", "street", "str", "strasse", "saint", "straat"],
    &["rd", "road"],
    &["ave", "avenue", "av", "aven", "avenida", "avda", "avd"],
    &["blvd", "boulevard", "bd", "boul", "bulevar", "bulvar", "bul", "blv", "бульвар", "бул"],
    &["ln", "lane", "laan"],
    &["dr", "drive", "drv"],
    &["sq", "square"],
    &["ct", "court", "crt"],
    &[
        "pl",
        "place",
        "platz",
        "plac",
        "plaza",
        "plein",
        "pln",
        "plads",
        "plass",
        "pza",
        "plz",
        "площадь",
        "площа",
        "пл",
    ],
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
    &["пер", "переулок", "провулок", "пров"],
    &["наб", "набережная", "набережна"],
    &["шоссе", "ш", "шосе"],
    &["проезд", "проїзд"],
    &["алл", "аллея", "алея"],
    &["nabr", "nabrezi", "nabrezie"],
    &["οδοσ", "οδ"],
    &["λεωφοροσ", "λεωφ"],
    &["sk", "sokak", "sok", "sokagi"],
    &["cd", "cadde", "caddesi", "cad"],
    &["mah", "mahalle", "mahallesi", "mh"],
    &["k", "katu", "gatan", "gata", "g", "gade", "gaten", "gate", "gt"],
    &["u", "utca", "ut", "utja"],
    &["ring"],
    &["tie", "t", "torg", "torget"],
    &["trg", "nam", "namesti", "namestie", "ter"],
];
/// Kinds that come before the name, and are often omitted.
const LEADING: [&str; 23] = [
    "ul",
    "al",
    "os",
    "c",
    "po",
    "ctra",
    "cno",
    "via",
    "vle",
    "pza",
    "cso",
    "lgo",
    "r",
    "ch",
    "imp",
    "пр",
    "пер",
    "οδοσ",
    "ave",
    "blvd",
    "наб",
    "шоссе",
    "алл",
];
/// Kinds at the end of a word, each with the number of its letters that stay in an abbreviation.
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
/// Other ends of words that are streets.
const COMPOUNDS: [&str; 40] = [
    "str", "weg", "laan", "hof", "ring", "dreef", "dijk", "kade", "singel", "steeg", "gracht", "damm",
    "ufer", "markt", "steig", "stieg", "chaussee", "torg", "grand", "backen", "stigen", "leden", "ringen",
    "gardet", "vangen", "parken", "svinget", "svingen", "bakken", "stien", "alle", "tie", "kuja", "polku",
    "raitti", "rinne", "utca", "ulica", "sokagi", "caddesi",
];
/// Optional words in the name of a street.
const FILLERS: [&str; 26] = [
    "the", "of", "am", "an", "der", "dem", "den", "de", "la", "le", "les", "du", "des", "del", "los", "las",
    "el", "da", "do", "dos", "di", "dello", "della", "van", "auf", "im",
];
/// Labels before a house number.
const LABELS: [&str; 15] = [
    "no", "nr", "num", "number", "nummer", "numero", "n", "н", "д", "дом", "hus", "huis", "house", "haus",
    "nro",
];
/// The minimum length in bytes of a capitalised word that may be the name of a street without its kind.
const SHORT_NAME: usize = 5;

/// Letters of a word that can be a name.
const LEAST_LETTERS: usize = 3;
/// Digits of a number that is nobody else's.
const LONG_NUMBER: usize = 7;

/// A house number: digits, and an optional letter.
#[derive(Clone, PartialEq, Eq, Hash)]
struct House {
    number: u32,
    letter: Option<u8>,
}

/// The kind of a street, and whether the kind comes before the name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Way {
    kind: &'static str,
    is_leading: bool,
}

struct Street {
    /// Its own words, and the index of the word for the look-up.
    words: Vec<Box<[u8]>>,
    anchor: usize,
    /// Short words at its start: `Am Markt`, `La Rambla`.
    front: Vec<Box<[u8]>>,
    ways: Vec<Way>,
    is_compound: bool,
    kind: Kind,
    houses: HashMap<House, Household>,
    people: Vec<u32>,
}

/// The people who live in a house, and the parts of the house in which they live.
#[derive(Default)]
struct Household {
    people: Vec<u32>,
    parts: Vec<(Units, Vec<u32>)>,
}

impl Household {
    fn add(&mut self, person: u32, units: &Units) {
        insert(&mut self.people, person);
        match self.parts.iter_mut().find(|(known, _)| known == units) {
            Some((_, people)) => insert(people, person),
            None => self.parts.push((units.clone(), vec![person])),
        }
    }

    /// Whether a person lives in the part with this number.
    fn knows(&self, number: &[u8]) -> bool {
        self.parts.iter().any(|(units, _)| units.iter().any(|unit| **unit == *number))
    }

    /// The people whom an address with these parts of the house means, and whether this is certain.
    fn of(&self, written: &Units) -> (&[u32], bool) {
        let found = if written.is_empty() {
            None
        } else {
            let shares = |units: &Units| units.iter().any(|unit| written.contains(unit));
            self.parts
                .iter()
                .find(|(units, _)| shares(units))
                .or_else(|| self.parts.iter().find(|(units, _)| units.is_empty()))
        };
        let is_certain = written.is_empty() || found.is_some();
        (found.map_or(&self.people, |(_, people)| people), is_certain)
    }
}

fn insert(people: &mut Vec<u32>, person: u32) {
    if people.last() != Some(&person) {
        people.push(person);
    }
}

/// The own words of a street, and its kinds.
type Own = (Vec<Box<[u8]>>, Vec<Way>);

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
    /// Whether it counts only if it is written with a capital.
    pub(super) needs_capital: bool,
}

/// The kind for each spelling. If several kinds have the same spelling, the first.
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

/// Some abbreviations mean several kinds.
fn is_same_kind(one: &str, word: &[u8]) -> bool {
    KINDS.iter().any(|kind| kind.first() == Some(&one) && kind.iter().any(|way| way.as_bytes() == word))
}

fn is_in(list: &[&str], word: &[u8]) -> bool {
    list.iter().any(|known| known.as_bytes() == word)
}

/// Normalises a word that ends in a kind of street: all abbreviations become the same.
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

/// All words with this abbreviation.
pub(super) fn written_out(short: &[u8]) -> impl Iterator<Item = Box<[u8]>> {
    let whole = KINDS.iter().filter(move |kind| kind.first().is_some_and(|first| first.as_bytes() == short));
    let whole = whole.flat_map(|kind| kind.iter().skip(1).map(|way| way.as_bytes().into()));
    let ends = ENDS.iter().filter_map(move |(end, kept)| {
        let stem = short.strip_suffix(end.as_bytes().get(..*kept)?).filter(|stem| stem.len() >= 2)?;
        Some([stem, end.as_bytes()].concat().into())
    });
    whole.chain(ends)
}

/// Parses a house number: digits and at most two letters. `5` and `12a` are house numbers, `5th` is not.
fn house(word: &[u8]) -> Option<House> {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let letters = word.get(digits..)?;
    let is_house =
        (1..=5).contains(&digits) && letters.len() <= 1 && letters.iter().all(u8::is_ascii_alphabetic);
    let number = std::str::from_utf8(word.get(..digits)?).ok()?.parse().ok()?;
    is_house.then(|| House { number, letter: letters.first().copied() })
}

fn ends_in(word: &[u8], end: &[u8]) -> bool {
    word.len() >= end.len() + 2 && word.ends_with(end)
}

/// Whether a house number is before this word, but not at the start of the line.
fn is_house_behind(list: &[&[u8]], next: usize) -> bool {
    let before = list.get(..next.saturating_sub(1)).unwrap_or_default();
    before.len() > 1 && before.last().is_some_and(|word| house(word).is_some())
}

/// A parsed line of an address.
#[derive(Clone, Default)]
pub(super) struct Line {
    words: Vec<Box<[u8]>>,
    front: Vec<Box<[u8]>>,
    ways: Vec<Way>,
    houses: Vec<House>,
    pub(super) units: Units,
    /// Whether one of its own words ends in a kind: `Hauptstraße`.
    is_compound: bool,
    /// Whether no line of the address stands before it.
    is_first: bool,
    /// Words of the line, and whether the first is a number.
    count: usize,
    leads: bool,
}

impl Line {
    /// Of one spelling. A number of four digits and more behind the house is a postcode, and ends it.
    pub(super) fn read(spelling: &str, is_first: bool) -> Self {
        // `Oak Street 12 #4`
        let spelling = spelling.replace('#', " unit ");
        let list: Vec<&[u8]> = words(&spelling).map(str::as_bytes).collect();
        let mut line = Self { count: list.len(), is_first, ..Self::default() };
        line.leads = list.first().is_some_and(|word| house(word).is_some());
        let mut n = 0;
        while let Some(word) = list.get(n).copied() {
            if let Some((taken, number)) = units::read(list.get(n..).unwrap_or_default()) {
                line.units.push(number.into());
                n += taken;
                continue;
            }
            n += 1;
            if word.len() >= 4 && n > 1 && word.iter().all(u8::is_ascii_digit) {
                // `Rua Augusta 1234`: of a street without a house it may be the house.
                line.houses.extend(house(word).filter(|_| line.houses.is_empty()));
                break;
            }
            let is_house = house(word).filter(|_| !line.is_in_name(&list, n));
            if let Some(mut house) = is_house {
                // The letter may be separate, and the number of the flat may follow: `5 a`, `5 A 12`.
                let is_number = |word: &&[u8]| word.iter().all(u8::is_ascii_digit);
                if let Some([letter]) = list.get(n)
                    && house.letter.is_none()
                    && letter.is_ascii_alphabetic()
                    && !units::is_designator(&[*letter])
                    && list.get(n + 1).is_none_or(is_number)
                {
                    house.letter = Some(*letter);
                    n += 1;
                    if let Some(flat) = list.get(n).filter(|flat| flat.len() < 4) {
                        line.units.push((*flat).into());
                        n += 1;
                    }
                }
                line.houses.push(house);
            } else if let Some(kind) = kind_of(word) {
                line.ways.push(Way { kind, is_leading: line.words.is_empty() });
            } else if is_in(&FILLERS, word) {
                if line.words.is_empty() && line.ways.is_empty() {
                    line.front.push(word.into());
                }
            } else if !is_in(&LABELS, word) && !units::is_designator(word) {
                // After the street and its number comes the town.
                if !line.words.is_empty() && !line.houses.is_empty() && is_house_behind(&list, n) {
                    break;
                }
                line.is_compound |=
                    street(word) != word || COMPOUNDS.iter().any(|end| ends_in(word, end.as_bytes()));
                line.words.push(street(word).into());
            }
        }
        if line.words.is_empty() && line.ways.is_empty() {
            line.words = std::mem::take(&mut line.front);
        }
        // `6-10-1 Roppongi`: the numbers of a district, a block and a house are one number.
        if line.houses.len() > 2 {
            line.houses.truncate(usize::from(!line.leads));
        }
        line
    }

    /// Whether a number before a word is a part of the street's name, because another number is the house number: `60
    /// let Oktyabrya 29`, `Floru 3-y 11`.
    fn is_in_name(&self, list: &[&[u8]], next: usize) -> bool {
        let is_own = |word: &[u8]| {
            house(word).is_none()
                && kind_of(word).is_none()
                && !is_in(&LABELS, word)
                && !units::is_designator(word)
        };
        let before_word = list.get(next).is_some_and(|word| is_own(word) && word.len() > 1);
        let others =
            list.iter().enumerate().filter(|(at, word)| at + 1 != next && house(word).is_some()).count();
        // `10-12 High Street`
        if next.checked_sub(2).and_then(|at| list.get(at)).is_some_and(|word| house(word).is_some()) {
            return false;
        }
        let leads = next == 1
            && list
                .get(next..)
                .unwrap_or_default()
                .iter()
                .any(|word| kind_of(word).is_some_and(|kind| !LEADING.contains(&kind)));
        before_word && others > 0 && !leads && self.ways.iter().all(|way| way.is_leading)
    }

    /// Whether the line is only a number: a house number in a separate field.
    pub(super) fn is_number(&self) -> bool {
        self.words.is_empty() && self.ways.is_empty() && self.houses.len() == 1
    }

    /// Whether it is a kind of street and a house number, without a name: `The Avenue 5`. `12 ter` is none.
    fn is_door(&self) -> bool {
        self.words.is_empty() && !self.ways.is_empty() && !self.houses.is_empty() && self.count > 2
    }

    /// Whether it is a street by its words: one of them says so, or it leads the address and no text about others holds it.
    /// `3º B`, `ap. 7` and `Page 5` are none.
    pub(super) fn is_street(&self) -> bool {
        let letters = |word: &[u8]| word.iter().filter(|byte| !byte.is_ascii_digit()).count();
        let is_named = self.words.iter().any(|word| letters(word) >= LEAST_LETTERS);
        if self.is_compound || !self.ways.is_empty() {
            return is_named
                || self.words.iter().any(|word| word.len() >= LEAST_LETTERS && letters(word) > 0);
        }
        is_named && self.is_first && !self.houses.is_empty() && !self.has_postcode() && !self.is_common()
    }

    fn is_common(&self) -> bool {
        let mut words = self.words.iter().filter_map(|word| std::str::from_utf8(word).ok());
        words.all(|word| word.len() < LEAST_LETTERS || is_common_word(word))
    }

    fn has_postcode(&self) -> bool {
        self.houses.iter().any(|house| house.number > if self.leads { 999 } else { 9999 })
    }

    /// Whether nobody else has the line, as it stands: a street, a number as long as a telephone's, or, of a whole address,
    /// many words.
    pub(super) fn tells(&self, spelling: &str, is_whole: bool) -> bool {
        let digits = spelling.bytes().filter(u8::is_ascii_digit).count();
        let is_mixed = |word: &str| {
            word.bytes().any(|byte| byte.is_ascii_digit()) && word.bytes().any(|byte| !byte.is_ascii_digit())
        };
        let has_way = self.is_compound || !self.ways.is_empty();
        let is_long = is_whole
            && (self.count > 3 && (has_way || digits > 0) || self.count > 2 && words(spelling).any(is_mixed));
        digits > 0 && (self.is_street() || self.is_door()) || digits >= LONG_NUMBER || is_long
    }

    /// Whether the line is only a part of a house: a flat in a separate field.
    pub(super) fn is_unit(&self) -> bool {
        self.words.is_empty() && self.ways.is_empty() && self.houses.is_empty() && !self.units.is_empty()
    }
}

impl Streets {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds a line. Returns the word for the look-up, and the number of the street. `numbers` are lines with only a
    /// number, `units` are parts of a house in separate lines.
    pub(super) fn add(
        &mut self,
        person: u32,
        kind: &Kind,
        line: &Line,
        numbers: &[Line],
        units: &Units,
    ) -> Option<(Box<[u8]>, u32)> {
        let (anchor, word) = line.words.iter().enumerate().max_by_key(|(_, word)| word.len())?;
        if !line.is_street()
            || line.words.len() > 6
            || line.words.iter().any(|word| word.len() > LONGEST_WORD)
        {
            return None;
        }
        let next = u32::try_from(self.list.len()).ok()?;
        let id = *self.ids.entry((line.words.clone(), line.ways.clone())).or_insert(next);
        if id == next {
            let Line { words, front, ways, is_compound, .. } = line.clone();
            let (houses, people, kind) = (HashMap::new(), Vec::new(), kind.clone());
            self.list.push(Street { words, anchor, front, ways, is_compound, kind, houses, people });
        }
        let street = self.list.get_mut(id as usize)?;
        insert(&mut street.people, person);
        let parts: Units = line.units.iter().chain(units).cloned().collect();
        let apart = numbers.iter().filter(|_| line.houses.is_empty()).flat_map(|line| &line.houses);
        for house in line.houses.iter().chain(apart) {
            street.houses.entry(house.clone()).or_default().add(person, &parts);
        }
        Some((word.clone(), id))
    }

    /// The street with this number, if the text around this word contains it.
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
        let mut has_way = false;
        for way in &street.ways {
            // The kind may be on its usual side or on the other side: `улица Ленина`, `Ленина улица`.
            for is_leading in [way.is_leading, !way.is_leading] {
                let at = if is_leading { start } else { end };
                let Some((from, to)) = kind_beside(text, at, is_leading) else { continue };
                if is_same_kind(way.kind, text.get(from..to)?) {
                    (start, end, has_way) = (start.min(from), end.max(to), true);
                    break;
                }
            }
        }
        // Another kind is another street: `Oak Road` is not Oak Street.
        if !has_way && !street.ways.is_empty() && kind_beside(text, end, false).is_some() {
            return None;
        }
        // A kind before the name is often omitted.
        let may_lack = street.ways.iter().all(|way| LEADING.contains(&way.kind));
        // With another kind, it may be another street: `al. Długa` and `ul. Długa`.
        let is_sure = has_way || street.ways.is_empty() || kind_beside(text, start, true).is_none();
        for word in street.front.iter().rev() {
            match beside(text, start, word_before) {
                Some((from, to)) if text.get(from..to)? == &**word => start = from,
                _ => break,
            }
        }
        Self::with_number(text, street, (start, end), has_way || may_lack, is_sure)
    }

    fn with_number<'m>(
        text: &[u8],
        street: &'m Street,
        (start, end): (usize, usize),
        has_way: bool,
        is_sure: bool,
    ) -> Option<Found<'m>> {
        let found = |start, end, people, is_certain| Found {
            start,
            end,
            kind: &street.kind,
            people,
            is_certain,
            needs_capital: false,
        };
        let numbers = [number_before(text, start), number_behind(text, end)];
        for (house, from, to) in numbers.iter().flatten() {
            let (from, to) = (start.min(*from), end.max(*to));
            if let Some(household) = street.houses.get(house) {
                let (from, to, units) = units::around(text, (from, to), &|unit| household.knows(unit));
                let (people, is_certain) = household.of(&units);
                let is_whole = !goes_on(text, from, to);
                return Some(found(from, to, people, has_way && is_sure && is_certain && is_whole));
            }
            // `5` and `5a` may be two doors of the same house.
            let near = street.houses.iter().find(|(known, _)| known.number == house.number);
            if let Some((_, household)) = near {
                return Some(found(from, to, &household.people, false));
            }
        }
        let has_other = numbers.iter().flatten().any(|(_, from, to)| {
            let gap = if *to <= start { text.get(*to..start) } else { text.get(end..*from) };
            gap.is_some_and(|gap| !gap.contains(&b','))
        });
        let is_other = has_other && !street.houses.is_empty();
        // A single word without a kind of street may be any word: `Studio 5`.
        let is_plain = street.ways.is_empty() && !street.is_compound && street.words.len() < 2;
        let is_told = street.words.first().is_none_or(|word| word.len() >= SHORT_NAME);
        (!is_other && has_way && (is_told || !is_plain))
            .then(|| Found { needs_capital: is_plain, ..found(start, end, &street.people, false) })
    }
}

/// The word beside a position, with at most three bytes between them.
fn beside(text: &[u8], at: usize, step: Step) -> Option<(usize, usize)> {
    step(text, at).filter(|(from, to)| from.saturating_sub(at).max(at.saturating_sub(*to)) <= 3)
}

/// The kind of street beside its name. Before the name, optional words are skipped.
fn kind_beside(text: &[u8], at: usize, is_leading: bool) -> Option<(usize, usize)> {
    let mut at = at;
    for _ in 0..3 {
        let (from, to) = beside(text, at, if is_leading { word_before } else { word_behind })?;
        let word = text.get(from..to)?;
        if kind_of(word).is_some() {
            return Some((from, to));
        }
        if !is_leading || !is_in(&FILLERS, word) {
            return None;
        }
        at = from;
    }
    None
}

/// The wanted word beside a position. Optional words are skipped.
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
    // A separate letter belongs to the number if it is a whole word: `5 a`.
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
