//! From what is known of people to what is looked for in a text.

use std::collections::HashMap;

use super::TooManyPeople;
use super::common_names::is_common;
use super::fold::folded;
use super::numbers::{Numbers, Rule};
use crate::customer::Identifiers;
use crate::data_map::Kind;

/// Longer words are no names and no words.
pub(super) const LONGEST_WORD: usize = 64;
/// Names of one person that are looked for in pairs.
const MOST_NAMES: usize = 8;

/// What stands before and between names and is none.
const PARTICLES: [&str; 33] = [
    "af", "av", "da", "das", "de", "del", "den", "der", "des", "di", "dos", "dr", "du", "frau", "fru",
    "herr", "la", "le", "miss", "mr", "mrs", "ms", "och", "prof", "sir", "ten", "ter", "van", "vom", "von",
    "zu", "zum", "zur",
];
/// Whether a folded word stands between names and is none.
pub(super) fn is_particle(word: &[u8]) -> bool {
    PARTICLES.iter().any(|particle| particle.as_bytes() == word)
}

/// Legal forms, which people leave out.
const LEGAL_FORMS: [&str; 16] = [
    "ab", "ag", "as", "bv", "co", "company", "corp", "gmbh", "hb", "inc", "kg", "limited", "llc", "ltd",
    "ohg", "plc",
];

/// People's identifiers, ready to be looked for.
#[derive(Default)]
pub(super) struct People {
    /// What is looked for, and what can stand around it.
    pub(super) words: HashMap<Box<[u8]>, Word>,
    pub(super) names: Vec<Name>,
    name_ids: HashMap<Box<[u8]>, u32>,
    /// Mail addresses, user names and numbers with letters: as they are.
    pub(super) exact: HashMap<Box<[u8]>, Identifier>,
    /// Addresses and companies: words in a row.
    pub(super) phrases: HashMap<Box<[u8]>, Identifier>,
    /// Two names of the same person.
    pub(super) pairs: HashMap<(u32, u32), Vec<u32>>,
    /// The first letters of each person's names, with the name.
    pub(super) initials: Vec<Vec<(u8, u32)>>,
    pub(super) numbers: Numbers,
}

/// A word that is looked for.
#[derive(Default)]
pub(super) struct Word {
    pub(super) name: Option<u32>,
    /// How many bytes before it an identifier starts, and how long that is.
    pub(super) exact: Vec<(u16, u16)>,
    /// How many words of a phrase stand before it and behind it.
    pub(super) phrases: Vec<(u8, u8)>,
}

pub(super) struct Name {
    pub(super) people: Vec<u32>,
    /// Alone it says nothing: short, common, or the name of several.
    pub(super) is_weak: bool,
}

pub(super) struct Identifier {
    pub(super) kind: Kind,
    pub(super) people: Vec<u32>,
    pub(super) is_weak: bool,
}

/// A byte of a word; in a folded text every character beyond ASCII is a letter.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// The words of a folded text.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

/// Words of streets, and as they are abbreviated.
const WHOLE: [(&[u8], &[u8]); 14] = [
    (b"street", b"st"),
    (b"road", b"rd"),
    (b"avenue", b"ave"),
    (b"boulevard", b"blvd"),
    (b"lane", b"ln"),
    (b"drive", b"dr"),
    (b"square", b"sq"),
    (b"court", b"ct"),
    (b"place", b"pl"),
    (b"terrace", b"ter"),
    (b"saint", b"st"),
    (b"apartment", b"apt"),
    (b"floor", b"fl"),
    (b"strasse", b"str"),
];
/// `Hauptstraße` and `Hauptstr.`, `Storgatan` and `Storg.`: cut, so that a part of the word is left.
const ENDS: [(&[u8], usize); 3] = [(b"strasse", 3), (b"gatan", 1), (b"vagen", 1)];

/// A street is abbreviated in many ways and in one here.
pub(super) fn street(word: &[u8]) -> &[u8] {
    if let Some((_, short)) = WHOLE.iter().find(|(whole, _)| *whole == word) {
        return short;
    }
    for (end, kept) in ENDS {
        if let Some(stem) = word.strip_suffix(end)
            && !stem.is_empty()
        {
            return word.get(..stem.len() + kept).unwrap_or(word);
        }
    }
    word
}

/// Every other word that is abbreviated so.
fn written_out(short: &[u8]) -> impl Iterator<Item = Box<[u8]>> {
    let whole = WHOLE.iter().filter(move |(_, known)| *known == short).map(|(whole, _)| (*whole).into());
    let ends = ENDS.iter().filter_map(move |(end, kept)| {
        let stem = short.strip_suffix(end.get(..*kept)?).filter(|stem| !stem.is_empty())?;
        Some([stem, *end].concat().into())
    });
    whole.chain(ends)
}

/// `mueller` and `muller` are one name.
fn collapsed(word: &str) -> String {
    let short = word.replace("ae", "a").replace("oe", "o").replace("ue", "u").replace("aa", "a");
    if short.chars().count() < 4 { word.to_owned() } else { short }
}

/// As it is typed where a keyboard has no such letters.
fn spelled_out(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 4);
    for c in value.chars() {
        match c {
            'ä' | 'Ä' | 'æ' | 'Æ' => text.push_str("ae"),
            'ö' | 'Ö' | 'ø' | 'Ø' => text.push_str("oe"),
            'ü' | 'Ü' => text.push_str("ue"),
            'å' | 'Å' => text.push_str("aa"),
            c => text.push(c),
        }
    }
    folded(&text)
}

/// A value folded, in each of its spellings.
fn spellings(value: &str) -> Vec<String> {
    use unicode_normalization::UnicodeNormalization as _;

    let composed: String = value.nfc().collect();
    let mut list = vec![folded(value), spelled_out(&composed)];
    for short in list.clone().iter().map(|text| words(text).map(collapsed).collect::<Vec<_>>().join(" ")) {
        list.push(short);
    }
    list.sort();
    list.dedup();
    list.retain(|text| !text.trim().is_empty());
    list
}

fn insert(people: &mut Vec<u32>, person: u32) {
    if people.last() != Some(&person) {
        people.push(person);
    }
}

impl People {
    pub(super) fn add(&mut self, identifiers: &Identifiers) -> Result<(), TooManyPeople> {
        let person = u32::try_from(self.initials.len()).map_err(|_| TooManyPeople)?;
        self.initials.push(Vec::new());
        for (kind, value) in identifiers.iter() {
            match kind {
                Kind::Name => self.add_names(person, value),
                Kind::Address | Kind::Location => self.add_lines(person, kind, value),
                Kind::CompanyName => self.add_company(person, value),
                Kind::Phone | Kind::Communication if self.numbers.add_phone(person, kind, value) => {}
                Kind::NationalId
                | Kind::BankAccount
                | Kind::PaymentCard
                | Kind::TaxId
                | Kind::CustomerNumber
                    if self.numbers.add(person, kind, &folded(value), Rule::of(kind)) => {}
                _ => self.add_exact(person, kind, value),
            }
        }
        let mut names: Vec<u32> = self.initials.last().into_iter().flatten().map(|(_, name)| *name).collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(MOST_NAMES);
        for (n, one) in names.iter().enumerate() {
            for other in names.iter().skip(n + 1) {
                insert(self.pairs.entry((*one, *other)).or_default(), person);
            }
        }
        Ok(())
    }

    fn add_names(&mut self, person: u32, value: &str) {
        for spelling in spellings(value) {
            for name in words(&spelling) {
                self.add_name(person, name);
            }
            // `Anna-Karin` and `O'Brien`, written as one word.
            for name in spelling.split([' ', ',']).filter(|part| part.contains(['-', '\''])) {
                self.add_name(person, &name.replace(['-', '\''], ""));
            }
        }
    }

    fn add_name(&mut self, person: u32, name: &str) {
        if name.len() > LONGEST_WORD || PARTICLES.contains(&name) || name.bytes().all(|b| b.is_ascii_digit())
        {
            return;
        }
        let short = collapsed(name);
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let id = *self.name_ids.entry(short.as_bytes().into()).or_insert(next);
        if id == next {
            let is_weak = short.chars().count() <= 4 || is_common(name) || is_common(&short);
            self.names.push(Name { people: Vec::new(), is_weak });
        }
        if let Some(known) = self.names.get_mut(id as usize) {
            insert(&mut known.people, person);
            known.is_weak |= is_common(name) || known.people.len() > 1;
        }
        // A single letter is found beside the other names, never alone.
        if name.chars().count() > 1 {
            self.words.entry(name.as_bytes().into()).or_default().name = Some(id);
        }
        if let (Some(initials), Some(first)) = (self.initials.last_mut(), name.bytes().next())
            && !initials.contains(&(first, id))
        {
            initials.push((first, id));
        }
    }

    /// Each line of an address on its own: people quote the street and leave out the rest.
    fn add_lines(&mut self, person: u32, kind: &Kind, value: &str) {
        for line in value.split([',', '\n', ';']) {
            for spelling in spellings(line) {
                let parts: Vec<&[u8]> = words(&spelling).map(|word| street(word.as_bytes())).collect();
                let has_digit = spelling.bytes().any(|b| b.is_ascii_digit());
                let is_weak = parts.len() < 2 || !(has_digit || spelling.chars().count() >= 10);
                self.add_phrase(person, kind, &parts, is_weak);
            }
        }
    }

    fn add_company(&mut self, person: u32, value: &str) {
        for spelling in spellings(value) {
            let all: Vec<&[u8]> = words(&spelling).map(|word| street(word.as_bytes())).collect();
            let core: Vec<&[u8]> = words(&spelling)
                .filter(|word| !LEGAL_FORMS.contains(word))
                .map(|word| street(word.as_bytes()))
                .collect();
            let is_weak = |parts: &[&[u8]]| match parts {
                [one] => one.len() < 6 || std::str::from_utf8(one).is_ok_and(is_common),
                _ => false,
            };
            self.add_phrase(person, &Kind::CompanyName, &all, is_weak(&all));
            self.add_phrase(person, &Kind::CompanyName, &core, is_weak(&core));
        }
    }

    fn add_phrase(&mut self, person: u32, kind: &Kind, parts: &[&[u8]], is_weak: bool) {
        let Some((anchor, word)) = parts.iter().enumerate().max_by_key(|(_, word)| word.len()) else {
            return;
        };
        let shape = (anchor, parts.len() - anchor - 1);
        let (Ok(before), Ok(behind)) = (u8::try_from(shape.0), u8::try_from(shape.1)) else { return };
        if parts.iter().any(|word| word.len() > LONGEST_WORD) || before > 12 || behind > 12 {
            return;
        }
        let known = self.words.entry((*word).into()).or_default();
        if !known.phrases.contains(&(before, behind)) {
            known.phrases.push((before, behind));
        }
        let found = self.phrases.entry(parts.join(&b' ').into()).or_insert_with(|| Identifier {
            kind: kind.clone(),
            people: Vec::new(),
            is_weak,
        });
        insert(&mut found.people, person);
    }

    fn add_exact(&mut self, person: u32, kind: &Kind, value: &str) {
        let text = folded(value.trim());
        // A part before the @ tells more than a domain.
        let searched = text.split_once('@').map_or(text.as_str(), |(local, _)| local);
        let Some(anchor) = words(searched).max_by_key(|word| word.len()) else { return };
        let at = anchor.as_ptr() as usize - text.as_ptr() as usize;
        let (Ok(before), Ok(len)) = (u16::try_from(at), u16::try_from(text.len())) else { return };
        if anchor.len() > LONGEST_WORD {
            return;
        }
        let known = self.words.entry(anchor.as_bytes().into()).or_default();
        if !known.exact.contains(&(before, len)) {
            known.exact.push((before, len));
        }
        let chars = text.chars().count();
        let has_digit = text.bytes().any(|b| b.is_ascii_digit());
        let is_weak = !text.contains('@') && (chars < 5 || (!has_digit && (chars < 6 || is_common(&text))))
            || text.bytes().all(|b| b.is_ascii_digit()) && chars < 7;
        let found = self.exact.entry(text.as_bytes().into()).or_insert_with(|| Identifier {
            kind: kind.clone(),
            people: Vec::new(),
            is_weak,
        });
        insert(&mut found.people, person);
    }

    /// Every word of a text that there is something to look up for.
    pub(super) fn forms(&self) -> Vec<Box<[u8]>> {
        let mut forms = Vec::with_capacity(self.words.len() * 2);
        for (word, known) in &self.words {
            if known.name.is_some() {
                // `Ashworths`: the genitive of Swedish and German.
                forms.push([word, b"s".as_slice()].concat().into());
            }
            if !known.phrases.is_empty() {
                forms.extend(written_out(word));
            }
            forms.push(word.clone());
        }
        forms
    }
}
