//! Prepares the identifiers of people for the search in texts.

use std::collections::{HashMap, HashSet};

use super::TooManyPeople;
use super::births::Birth;
use super::endings::{endings, stems};
use super::fold::folded;
use super::known_names::is_given_name;
use super::names::{collapsed, is_never_name, is_particle, is_weak, spellings, written_out};
use super::numbers::Numbers;
use super::streets::{self, Line, Streets, street};
use super::telling::{is_amount_or_day, is_common};
use super::units::Units;
use super::unspaced::{Unspaced, is_unspaced};
use super::words::Beginning;
use crate::customer::Identifiers;
use crate::data_map::Kind;

/// The maximum length of a word. Longer words are ignored.
pub(super) const LONGEST_WORD: usize = 64;
/// The maximum number of names of one person that are searched in pairs. Names in the same value are always searched
/// in pairs.
const MOST_NAMES: usize = 16;
/// The maximum number of names in one value that are searched in pairs.
const MOST_IN_VALUE: usize = 8;
/// Initials alone are searched only for people with at most this number of names, and only if at most `FEW` people
/// have the same initials.
const MOST_INITIALS: usize = 4;
/// A name with an initial is certain only if at most this number of people have the name.
pub(super) const FEW: usize = 8;
/// The number of first bytes of a name's form that the filter knows.
const BEGINNING: usize = 6;

/// Words of a phrase before and behind the longest of them.
const MOST_WORDS: u8 = 24;

/// The maximum number of letters and digits of a postcode.
const LONGEST_POSTCODE: usize = 10;

/// Legal forms of companies. People often omit them.
const LEGAL_FORMS: [&str; 16] = [
    "ab", "ag", "as", "bv", "co", "company", "corp", "gmbh", "hb", "inc", "kg", "limited", "llc", "ltd",
    "ohg", "plc",
];

/// The identifiers of people, prepared for the search.
#[derive(Default)]
pub(super) struct People {
    /// The words to search, each with its roles.
    pub(super) words: HashMap<Box<[u8]>, Vec<Role>>,
    pub(super) names: Vec<Name>,
    pub(super) name_ids: HashMap<Box<[u8]>, u32>,
    /// User names, and numbers with letters. They are compared exactly.
    pub(super) exact: HashMap<Box<[u8]>, Identifier>,
    /// E-mail addresses without their tags.
    pub(super) mails: HashMap<Box<[u8]>, Identifier>,
    /// Phrases of several words: companies, cities and lines of addresses.
    pub(super) phrases: HashMap<Box<[u8]>, Identifier>,
    /// Two names of the same person.
    pub(super) pairs: HashMap<(u32, u32), Vec<u32>>,
    /// Pairs that are only a part of the name, which others may have, too: `Anna-Karin`, `Klaus Dieter`.
    pub(super) doubles: HashSet<(u32, u32)>,
    /// The first letter of each name of each person, with the name.
    pub(super) initials: Vec<Vec<(char, u32)>>,
    /// The initials of people, in alphabetical order.
    pub(super) monograms: HashMap<Box<[u8]>, Vec<u32>>,
    /// The names of each person as they are spelled, and whether they are known to be given names.
    pub(super) spelled: Vec<Vec<(Box<str>, bool)>>,
    /// The particles in each person's name: `van`, `der`.
    pub(super) particles: Vec<Vec<Box<[u8]>>>,
    pub(super) numbers: Numbers,
    pub(super) streets: Streets,
    pub(super) births: Vec<(Birth, Vec<u32>)>,
    birth_ids: HashMap<Birth, u32>,
    pub(super) unspaced: Unspaced,
    /// The beginnings of names that may be inflected or written as one word.
    beginnings: HashSet<Beginning>,
    /// Additional spellings of names, for the filter.
    other_forms: Vec<Box<[u8]>>,
}

/// The possible roles of a word in a text.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Role {
    Name(u32),
    /// A name behind so many bytes of another word: `وأحمد`.
    Behind(u32, u8),
    /// The stem of a name, and the rule for its endings.
    Stem(u32, u16),
    /// A word of an exact identifier: the distance in bytes from the identifier's start, and the identifier's length.
    Exact(u16, u16),
    /// The same for an e-mail address, up to its tag or its `@`.
    Mail(u16, u16),
    /// A word of a phrase: the number of words before and after it.
    Phrase(u8, u8),
    Street(u32),
    /// The year of a date of birth.
    Year(u32),
}

#[allow(clippy::struct_excessive_bools, reason = "four independent facts")]
pub(super) struct Name {
    pub(super) people: Vec<u32>,
    /// Whether the name is weak: short, common, or the name of several people. A weak name identifies nobody on its
    /// own.
    pub(super) is_weak: bool,
    /// Whether the name is also a word.
    pub(super) is_word: bool,
    /// Whether it is the given name, or the surname, of one of the people. Both are false if the records do not say.
    pub(super) is_given: bool,
    pub(super) is_surname: bool,
}

pub(super) struct Identifier {
    pub(super) kind: Kind,
    pub(super) people: Vec<u32>,
    pub(super) is_weak: bool,
}

/// Whether a byte belongs to a word. In a folded text, every non-ASCII character is a letter.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// The words of a folded text.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

/// The e-mail addresses in a field, as they are written there.
pub(super) fn mails(value: &str) -> impl Iterator<Item = &str> {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '"' | '(' | ')');
    value.split(is_end).filter(|part| part.contains('@'))
}

/// Words of one letter that are written as one with the word behind them: *and*, *with*, *to* in Arabic and in Hebrew.
fn prefixes(name: &str) -> &'static [&'static str] {
    match name.chars().next() {
        Some('\u{621}'..='\u{64a}') => &["و", "ب", "ل", "ف", "ك"],
        Some('\u{5d0}'..='\u{5ea}') => &["ו", "ב", "ל", "מ", "ה", "ש", "כ"],
        _ => &[],
    }
}

/// An e-mail address, folded and without its tag, in two halves: `maud+shop@example.org` is an address of
/// `maud@example.org`.
pub(super) fn mail_form(value: &str) -> Option<(String, String)> {
    let text = folded(value);
    let text = text.strip_prefix("mailto:").unwrap_or(&text).trim_matches(['.', ':', '\'']);
    let (local, domain) = text.rsplit_once('@')?;
    let local = local.split_once('+').map_or(local, |(local, _)| local);
    (!local.is_empty() && !domain.is_empty()).then(|| (local.to_owned(), domain.to_owned()))
}

fn insert(people: &mut Vec<u32>, person: u32) {
    if people.last() != Some(&person) {
        people.push(person);
    }
}

/// The state while the identifiers of one person are added.
#[derive(Default)]
struct Draft {
    /// The names, in the order of the values.
    names: Vec<u32>,
    /// Pairs of names that are only a part of the name, which others may have, too: `Anna-Karin`, `Klaus Dieter`.
    doubles: Vec<(u32, u32)>,
    /// The names of each value, in order.
    values: Vec<Vec<u32>>,
    /// The names as they are spelled, folded.
    texts: Vec<(u32, String)>,
    /// Groups of names that are searched in pairs.
    pairs: Vec<Vec<u32>>,
    unspaced: Vec<String>,
    /// The spellings of these names.
    spelled: Vec<String>,
    lines: Vec<(Kind, String, Line)>,
    numbers: Vec<Line>,
    units: Units,
}

impl Draft {
    /// Finds the pairs of these names that are only a part of the name: two given names, or a second given name and
    /// the surname.
    fn add_partial(&mut self, names: &[u32]) {
        for (n, one) in names.iter().enumerate() {
            for other in names.iter().skip(n + 1) {
                let pair = (*one.min(other), *one.max(other));
                let is_new = one != other && !self.doubles.contains(&pair);
                if is_new && self.are_in_values(*one, *other) && !self.is_whole(*one, *other) {
                    self.doubles.push(pair);
                }
            }
        }
    }

    fn are_in_values(&self, one: u32, other: u32) -> bool {
        [one, other].iter().all(|name| self.values.iter().any(|value| value.contains(name)))
    }

    /// Whether two names identify the person: the first and the last name of one value, or the first given name and a
    /// surname.
    fn is_whole(&self, one: u32, other: u32) -> bool {
        let place = |value: &[u32], name: u32| value.iter().position(|known| *known == name);
        // If one value has several names and the other only one, they are given names and a surname: `Klaus Dieter`
        // and `Stroh`. Two longer values are two whole names.
        let is_rest = |value: &[u32], other: &[u32]| matches!(other, [name] if value.len() > 1 && !value.contains(name));
        let is_alone =
            |value: &[u32]| self.values.len() != 2 || !self.values.iter().any(|other| is_rest(value, other));
        let pairs = [(one, other), (other, one)];
        pairs.iter().any(|(first, last)| {
            let in_one = self.values.iter().filter(|value| is_alone(value)).any(|value| {
                place(value, *first) == Some(0) && place(value, *last).is_some_and(|at| at + 1 == value.len())
            });
            let given = self.values.iter().position(|value| place(value, *first) == Some(0));
            in_one
                || given.is_some_and(|at| {
                    self.values.iter().enumerate().any(|(n, value)| {
                        let is_end = |place: usize| place == 0 || place + 1 == value.len();
                        n > at && !value.contains(first) && place(value, *last).is_some_and(is_end)
                    })
                })
        })
    }
}

impl People {
    pub(super) fn add(&mut self, identifiers: &Identifiers) -> Result<(), TooManyPeople> {
        let person = u32::try_from(self.initials.len()).map_err(|_| TooManyPeople)?;
        self.initials.push(Vec::new());
        self.particles.push(Vec::new());
        self.spelled.push(Vec::new());
        let mut draft = Draft::default();
        for (kind, value) in identifiers.iter() {
            self.add_value(person, kind, value, &mut draft);
        }
        for (kind, spelling, line) in &draft.lines {
            if let Some((word, id)) = self.streets.add(person, kind, line, &draft.numbers, &draft.units) {
                self.role(&word, Role::Street(id));
            }
            // As it stands in the field it is found, whatever was read of it.
            self.add_place(person, kind, spelling, line, false);
        }
        self.add_roles(&draft);
        self.unspaced.join(person, &draft.unspaced);
        draft.spelled.truncate(MOST_NAMES);
        for short in draft.spelled.iter().filter(|name| name.len() < 4) {
            let joined =
                draft.spelled.iter().map(|other| Beginning::of(format!("{short}{other}").as_bytes()));
            self.beginnings.extend(joined);
        }
        draft.names.truncate(MOST_NAMES);
        for names in std::mem::take(&mut draft.pairs).iter().chain([&draft.names.clone()]) {
            draft.add_partial(names);
            self.add_pairs(person, names, &draft.doubles);
        }
        for double in &draft.doubles {
            if !self.pairs.contains_key(double) {
                self.doubles.insert(*double);
            }
            insert(self.pairs.entry(*double).or_default(), person);
        }
        self.add_monograms(person);
        Ok(())
    }

    fn add_value(&mut self, person: u32, kind: &Kind, value: &str, draft: &mut Draft) {
        match kind {
            Kind::Name => self.add_names(person, value, draft),
            Kind::Email => self.add_mails(person, kind, value, draft),
            Kind::Username if value.contains('@') => self.add_mails(person, kind, value, draft),
            Kind::Address | Kind::Location => {
                self.unspaced.add_place(person, kind, value);
                Self::add_lines(kind, value, draft);
                for spelling in spellings(value) {
                    let line = Line::read(&spelling, true);
                    self.add_place(person, kind, &spelling, &line, true);
                }
            }
            Kind::CompanyName => self.add_company(person, value),
            Kind::City => {
                self.unspaced.add_place(person, kind, value);
                for spelling in spellings(value) {
                    let parts: Vec<&[u8]> = words(&spelling).map(|word| street(word.as_bytes())).collect();
                    self.add_phrase(person, kind, &parts, true);
                }
            }
            Kind::Postcode => self.add_code(person, kind, value, true),
            Kind::BirthDate => self.add_birth(person, value),
            Kind::Phone | Kind::Communication => {
                let text = folded(value);
                let is_found = self.numbers.add_phones(person, kind, &text);
                // A text may quote the number with its label or extension, exactly as it is stored.
                if !is_found || text.bytes().any(|byte| byte.is_ascii_alphabetic()) {
                    self.add_exact(person, kind, value);
                }
            }
            Kind::NationalId | Kind::BankAccount | Kind::PaymentCard | Kind::TaxId | Kind::CustomerNumber => {
                self.add_code(person, kind, value, false);
            }
            _ => self.add_exact(person, kind, value),
        }
    }

    fn role(&mut self, word: &[u8], role: Role) {
        let roles = self.words.entry(word.into()).or_default();
        if !roles.contains(&role) {
            roles.push(role);
        }
    }

    fn add_names(&mut self, person: u32, value: &str, draft: &mut Draft) {
        // `Maud Ashworth <maud@example.org>`
        let value = value.replace(',', " , ");
        let (mails, names): (Vec<&str>, Vec<&str>) =
            value.split([' ', ';', '<', '>', '(', ')', '"']).partition(|part| part.contains('@'));
        for mail in mails {
            self.add_mail(person, &Kind::Email, mail);
        }
        let value = names.join(" ");
        let is_turned = value.trim_end_matches([' ', ',']).contains(',');
        let mut here = Vec::new();
        for spelling in spellings(&value) {
            let tokens: Vec<&str> = spelling.split([' ', ',']).filter(|token| !token.is_empty()).collect();
            for (n, token) in tokens.iter().copied().enumerate() {
                let first = here.len();
                let is_last = n + 1 == tokens.len() && (n == 0 || !is_turned);
                for name in words(token) {
                    if let Some(id) = self.add_name(person, name, is_last) {
                        here.push(id);
                        draft.spelled.push(name.to_owned());
                    }
                }
                let parts = here.get(first..).unwrap_or_default();
                for (n, one) in parts.iter().enumerate() {
                    let others = parts.iter().skip(n + 1).filter(|other| *other != one);
                    draft.doubles.extend(others.map(|other| (*one.min(other), *one.max(other))));
                }
                // Also search `Anna-Karin` and `O'Brien` written as one word.
                if token.contains(['-', '\'']) {
                    here.extend(self.add_name(person, &token.replace(['-', '\''], ""), is_last));
                }
            }
        }
        self.add_whole_name(person, &value);
        for token in value.split(|c: char| !c.is_alphanumeric() && !is_unspaced(c)) {
            if token.chars().any(is_unspaced) {
                self.add_unspaced(person, token, draft, &mut here);
            }
        }
        let mut in_value: Vec<u32> = Vec::new();
        for name in here {
            if !in_value.contains(&name) {
                in_value.push(name);
            }
            if !draft.names.contains(&name) {
                draft.names.push(name);
            }
        }
        in_value.truncate(MOST_IN_VALUE);
        let text = folded(&value);
        let ids = words(&text).filter_map(|name| {
            Some((self.name_ids.get(collapsed(name).as_bytes()).copied()?, name.to_owned()))
        });
        draft.texts.extend(ids);
        draft.values.push(self.tokens(&value));
        draft.pairs.push(in_value);
    }

    /// A name that ends in a single letter has no pair of names, so it is looked for as it stands: `Trần Văn B`.
    fn add_whole_name(&mut self, person: u32, value: &str) {
        let text = folded(value);
        let parts: Vec<&str> = words(&text).collect();
        let is_letter = |word: &&str| word.chars().count() == 1;
        if parts.len() > 1 && parts.iter().any(is_letter) {
            let is_weak =
                parts.iter().filter(|word| !is_letter(word)).all(|word| super::names::is_also_word(word));
            let parts: Vec<&[u8]> = parts.iter().map(|word| street(word.as_bytes())).collect();
            self.add_phrase(person, &Kind::Name, &parts, is_weak);
        }
    }

    /// The names of a value, in order, without their other spellings. Given names come first, also for `Ashworth,
    /// Maud Ann`.
    fn tokens(&self, value: &str) -> Vec<u32> {
        let text = folded(value);
        let (last, first) = text.split_once(',').map_or(("", text.as_str()), |(last, first)| (last, first));
        let names = words(first).chain(words(last));
        names.filter_map(|name| self.name_ids.get(collapsed(name).as_bytes()).copied()).collect()
    }

    /// Notes which names are given names, and which are surnames. The order of a host's fields need not be that of the
    /// names, so the list of given names decides if it knows only the name in the last place.
    fn add_roles(&mut self, draft: &Draft) {
        let mut values: Vec<&[u32]> = Vec::new();
        for value in draft.values.iter().filter(|value| !value.is_empty()) {
            if !values.contains(&value.as_slice()) {
                values.push(value);
            }
        }
        let ends = |value: &[u32]| match value {
            [first, .., last] => Some((vec![*first], vec![*last])),
            _ => None,
        };
        let pairs: Vec<(Vec<u32>, Vec<u32>)> = match values.as_slice() {
            [one, other] if !one.iter().any(|name| other.contains(name)) => {
                vec![(one.to_vec(), other.to_vec())]
            }
            [first, .., last] if values.iter().all(|value| value.len() == 1) => {
                vec![(first.to_vec(), last.to_vec())]
            }
            all => all.iter().filter_map(|value| ends(value)).collect(),
        };
        let is_known = |names: &[u32]| {
            names.iter().any(|id| draft.texts.iter().any(|(known, text)| known == id && is_given_name(text)))
        };
        for (first, last) in pairs {
            let is_turned = !is_known(&first) && is_known(&last);
            let (given, surnames) = if is_turned { (last, first) } else { (first, last) };
            // A name that no list knows may be a surname after all.
            let given = if is_known(&given) { given } else { Vec::new() };
            for id in &given {
                self.names.get_mut(*id as usize).into_iter().for_each(|name| name.is_given = true);
            }
            for id in &surnames {
                self.names.get_mut(*id as usize).into_iter().for_each(|name| name.is_surname = true);
            }
            let known = draft.texts.iter().map(|(id, text)| (text.as_str().into(), !surnames.contains(id)));
            if let Some(spelled) = self.spelled.last_mut() {
                spelled.extend(known);
            }
        }
        if let Some(spelled) = self.spelled.last_mut() {
            spelled.sort_unstable();
            spelled.dedup();
        }
    }

    fn add_unspaced(&mut self, person: u32, token: &str, draft: &mut Draft, here: &mut Vec<u32>) {
        if !draft.unspaced.iter().any(|known| known == token) {
            draft.unspaced.push(token.to_owned());
        }
        let Some(id) = self.name_id(person, &folded(token)) else { return };
        here.push(id);
        self.unspaced.add(person, token, id, false);
        for part in Unspaced::parts(token) {
            if let Some(id) = self.name_id(person, &folded(&part)) {
                here.push(id);
                self.unspaced.add(person, &part, id, true);
            }
        }
    }

    fn add_pairs(&mut self, person: u32, names: &[u32], doubles: &[(u32, u32)]) {
        for (n, one) in names.iter().enumerate() {
            for other in names.iter().skip(n + 1) {
                let pair = (*one.min(other), *one.max(other));
                if !doubles.contains(&pair) {
                    self.doubles.remove(&pair);
                    insert(self.pairs.entry(pair).or_default(), person);
                }
            }
        }
    }

    /// The number of a name. A new name gets a new number.
    fn name_id(&mut self, person: u32, name: &str) -> Option<u32> {
        let short = collapsed(name);
        let next = u32::try_from(self.names.len()).ok()?;
        let id = *self.name_ids.entry(short.as_bytes().into()).or_insert(next);
        if id == next {
            let is_word = super::names::is_also_word(&short);
            let (is_given, is_surname) = (false, false);
            self.names.push(Name {
                people: Vec::new(),
                is_weak: is_weak(&short),
                is_word,
                is_given,
                is_surname,
            });
        }
        let known = self.names.get_mut(id as usize)?;
        insert(&mut known.people, person);
        known.is_weak |= is_weak(name) || known.people.len() > 1;
        known.is_word |= super::names::is_also_word(name);
        Some(id)
    }

    /// Adds a word of a name. The last word is a name even if it looks like a particle: `Anh Le`, `Das`.
    fn add_name(&mut self, person: u32, name: &str, is_last: bool) -> Option<u32> {
        if name.len() > LONGEST_WORD
            || name.bytes().all(|b| b.is_ascii_digit())
            || name.chars().any(is_unspaced)
        {
            return None;
        }
        if is_particle(name.as_bytes()) && (!is_last || is_never_name(name.as_bytes())) {
            let known = self.particles.last_mut()?;
            if !known.iter().any(|known| **known == *name.as_bytes()) {
                known.push(name.as_bytes().into());
            }
            return None;
        }
        let is_new = !self
            .words
            .get(name.as_bytes())
            .is_some_and(|roles| roles.iter().any(|role| matches!(role, Role::Name(_))));
        let id = self.name_id(person, name)?;
        // A single letter is only searched beside the other names.
        if name.chars().count() > 1 {
            self.role(name.as_bytes(), Role::Name(id));
            for prefix in prefixes(name) {
                if let Ok(len) = u8::try_from(prefix.len()) {
                    self.role(format!("{prefix}{name}").as_bytes(), Role::Behind(id, len));
                }
            }
            if is_new {
                self.add_forms(name, id);
            }
        }
        if let (Some(initials), Some(first)) = (self.initials.last_mut(), name.chars().next())
            && !initials.contains(&(first, id))
        {
            initials.push((first, id));
        }
        Some(id)
    }

    /// Adds the other forms of a name: inflected, with spelled-out accents, and as a part of a word of several names.
    fn add_forms(&mut self, name: &str, id: u32) {
        self.other_forms.extend(written_out(name).into_iter().map(|form| form.into_bytes().into()));
        for (stem, rule) in stems(name) {
            let is_long = stem.len() >= if stem.is_ascii() { 4 } else { BEGINNING };
            if is_long {
                self.beginnings.insert(Beginning::of(stem.as_bytes()));
            } else {
                for ending in endings(rule) {
                    self.beginnings.insert(Beginning::of([&stem, *ending].concat().as_bytes()));
                }
            }
            self.role(stem.as_bytes(), Role::Stem(id, rule));
        }
        self.beginnings.insert(Beginning::of(name.as_bytes()));
    }

    /// Adds the initials of a person with few names: `MA`, `M.A.`
    fn add_monograms(&mut self, person: u32) {
        let Some(initials) = self.initials.last() else { return };
        let mut letters: Vec<(u8, u32)> = Vec::new();
        for (letter, name) in initials {
            if let Ok(letter) = u8::try_from(*letter)
                && letter.is_ascii_lowercase()
                && letters.iter().all(|(_, known)| known != name)
            {
                letters.push((letter, *name));
            }
        }
        if !(2..=MOST_INITIALS).contains(&letters.len()) {
            return;
        }
        let mut monograms: Vec<Vec<u8>> = vec![letters.iter().map(|(letter, _)| *letter).collect()];
        for (n, (one, _)) in letters.iter().enumerate() {
            for (other, _) in letters.iter().skip(n + 1) {
                monograms.push(vec![*one, *other]);
            }
        }
        for mut monogram in monograms {
            monogram.sort_unstable();
            let people = self.monograms.entry(monogram.into()).or_default();
            if people.len() <= FEW {
                insert(people, person);
            }
        }
    }

    /// Adds each line of an address separately, because people often write only the street.
    fn add_lines(kind: &Kind, value: &str, draft: &mut Draft) {
        for (n, line) in value.split([',', '\n', ';']).filter(|line| !line.trim().is_empty()).enumerate() {
            for spelling in spellings(line) {
                let read = Line::read(&spelling, n == 0);
                if read.is_number() {
                    draft.numbers.push(read);
                } else if read.is_unit() {
                    draft.units.extend(read.units);
                } else {
                    draft.lines.push((kind.clone(), spelling, read));
                }
            }
        }
        draft.units.sort();
        draft.units.dedup();
    }

    /// An address or a line of it, as it stands. A postcode, a town, a country are those of many.
    fn add_place(&mut self, person: u32, kind: &Kind, spelling: &str, line: &Line, is_whole: bool) {
        let parts: Vec<&[u8]> = words(spelling).map(|word| street(word.as_bytes())).collect();
        let tells = line.tells(spelling, is_whole);
        let has_digits = spelling.bytes().any(|byte| byte.is_ascii_digit());
        // A street without its number is looked for as such.
        if !tells && !has_digits && line.is_street() {
            return;
        }
        let kind = if has_digits || tells { kind } else { &Kind::City };
        self.add_phrase(person, kind, &parts, !tells);
    }

    fn add_company(&mut self, person: u32, value: &str) {
        for spelling in spellings(value) {
            let all: Vec<&[u8]> = words(&spelling).map(|word| street(word.as_bytes())).collect();
            let core: Vec<&[u8]> = words(&spelling)
                .filter(|word| !LEGAL_FORMS.contains(word))
                .map(|word| street(word.as_bytes()))
                .collect();
            let is_plain = |word: &str| LEGAL_FORMS.contains(&word) || is_common(word);
            let is_weak = words(&spelling).all(is_plain)
                || match core.as_slice() {
                    [one] => one.len() < 6 || std::str::from_utf8(one).is_ok_and(is_weak),
                    _ => false,
                };
            // `Apple Inc`: with its legal form it is a name.
            let has_form = all.len() > core.len();
            self.add_phrase(person, &Kind::CompanyName, &all, is_weak && !has_form);
            self.add_phrase(person, &Kind::CompanyName, &core, is_weak);
        }
    }

    fn add_phrase(&mut self, person: u32, kind: &Kind, parts: &[&[u8]], is_weak: bool) {
        let Some((anchor, word)) = parts.iter().enumerate().max_by_key(|(_, word)| word.len()) else {
            return;
        };
        let shape = (anchor, parts.len() - anchor - 1);
        let (Ok(before), Ok(behind)) = (u8::try_from(shape.0), u8::try_from(shape.1)) else { return };
        if parts.iter().any(|word| word.len() > LONGEST_WORD) || before > MOST_WORDS || behind > MOST_WORDS {
            return;
        }
        self.role(word, Role::Phrase(before, behind));
        let found = self.phrases.entry(parts.join(&b' ').into()).or_insert_with(|| Identifier {
            kind: kind.clone(),
            people: Vec::new(),
            is_weak,
        });
        // The town of one may be a part of another's address.
        if found.is_weak && !is_weak {
            (found.is_weak, found.kind) = (false, kind.clone());
        }
        insert(&mut found.people, person);
    }

    /// Adds a number, or a code with too few digits for a number: as it is written, and without separators.
    fn add_code(&mut self, person: u32, kind: &Kind, value: &str, is_weak: bool) {
        let text = folded(value.trim());
        if !is_weak && self.numbers.add(person, kind, &text) {
            return;
        }
        let parts: Vec<&[u8]> = words(&text).map(str::as_bytes).collect();
        let piece = parts.concat();
        // Numbers of three digits and codes of two letters are too frequent.
        if piece.len() < 4 && piece.iter().all(u8::is_ascii_digit) || piece.len() < 3 {
            return;
        }
        let is_weak = is_weak || piece.len() < 5 || is_common(&text);
        self.add_phrase(person, kind, &parts, is_weak);
        self.add_phrase(person, kind, &[&piece], is_weak);
        // Also search the spelling with or without a space: `SW1A1AA` and `SW1A 1AA`, `12345` and `123 45`.
        if *kind == Kind::Postcode && piece.len() <= LONGEST_POSTCODE {
            for at in 2..piece.len().saturating_sub(1) {
                let (first, last) = piece.split_at(at);
                self.add_phrase(person, kind, &[first, last], is_weak);
            }
        }
    }

    fn add_birth(&mut self, person: u32, value: &str) {
        let Some(birth) = Birth::read(value) else { return };
        for digits in birth.digits() {
            self.numbers.add_date(person, &digits);
        }
        let Ok(next) = u32::try_from(self.births.len()) else { return };
        let id = *self.birth_ids.entry(birth).or_insert(next);
        if id == next {
            self.births.push((birth, Vec::new()));
        }
        if let Some((_, people)) = self.births.get_mut(id as usize) {
            insert(people, person);
        }
        self.role(birth.year.to_string().as_bytes(), Role::Year(id));
    }

    fn add_mails(&mut self, person: u32, kind: &Kind, value: &str, draft: &mut Draft) {
        if mails(value).next().is_none() {
            self.add_exact(person, kind, value);
            return;
        }
        for mail in mails(value) {
            self.add_mail(person, kind, mail);
        }
        // `Maud Ashworth <maud@example.org>`
        if let Some((name, _)) = value.split_once('<')
            && !name.contains('@')
        {
            self.add_names(person, name, draft);
        }
    }

    fn add_mail(&mut self, person: u32, kind: &Kind, value: &str) {
        let Some((local, domain)) = mail_form(value) else { return };
        let Some(anchor) = words(&local).max_by_key(|word| word.len()) else { return };
        let at = anchor.as_ptr() as usize - local.as_ptr() as usize;
        let (Ok(before), Ok(len)) = (u16::try_from(at), u16::try_from(local.len())) else { return };
        if anchor.len() > LONGEST_WORD {
            return;
        }
        self.role(anchor.as_bytes(), Role::Mail(before, len));
        let found = self
            .mails
            .entry(format!("{local}@{domain}").into_bytes().into())
            .or_insert_with(|| Identifier { kind: kind.clone(), people: Vec::new(), is_weak: false });
        insert(&mut found.people, person);
    }

    fn add_exact(&mut self, person: u32, kind: &Kind, value: &str) {
        let text = folded(value.trim());
        let Some(anchor) = words(&text).max_by_key(|word| word.len()) else { return };
        let at = anchor.as_ptr() as usize - text.as_ptr() as usize;
        let (Ok(before), Ok(len)) = (u16::try_from(at), u16::try_from(text.len())) else { return };
        let chars = text.chars().count();
        let is_digits = text.bytes().all(|b| b.is_ascii_digit());
        if anchor.len() > LONGEST_WORD || is_digits && chars < 4 {
            return;
        }
        self.role(anchor.as_bytes(), Role::Exact(before, len));
        let has_digit = text.bytes().any(|b| b.is_ascii_digit());
        let is_weak = (chars < 5 || (!has_digit && (chars < 6 || is_weak(&text) || is_common(&text))))
            || is_digits && (chars < 7 || is_amount_or_day(text.as_bytes()));
        let found = self.exact.entry(text.as_bytes().into()).or_insert_with(|| Identifier {
            kind: kind.clone(),
            people: Vec::new(),
            is_weak,
        });
        insert(&mut found.people, person);
    }

    /// All words and beginnings of words that need a look-up. The filter is made from them.
    pub(super) fn forms(&mut self) -> (Vec<Box<[u8]>>, HashSet<Beginning>) {
        let mut forms = std::mem::take(&mut self.other_forms);
        for (word, roles) in &self.words {
            if roles.iter().any(|role| matches!(role, Role::Phrase(..) | Role::Street(_))) {
                forms.extend(streets::written_out(word));
            }
            forms.push(word.clone());
        }
        self.numbers.finish();
        self.monograms.retain(|_, people| people.len() <= FEW);
        (forms, std::mem::take(&mut self.beginnings))
    }
}
