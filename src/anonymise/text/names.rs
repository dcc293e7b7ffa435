//! Names as words: their spellings, the particles and titles around them, and the weak names.

use std::sync::LazyLock;

use super::common_names::is_common;
use super::fold::folded;
use super::people::words;

/// Particles: words before and between names that are no names.
const PARTICLES: [&str; 51] = [
    "ab", "af", "av", "bin", "bint", "d", "da", "dal", "das", "de", "degli", "dei", "del", "della", "den",
    "der", "des", "di", "do", "dos", "du", "e", "el", "frau", "fru", "herr", "het", "ibn", "la", "las", "le",
    "los", "mac", "miss", "mr", "mrs", "ms", "och", "op", "prof", "sir", "t", "ten", "ter", "van", "vom",
    "von", "y", "zu", "zum", "zur",
];
/// Words before a name that do not identify a person: titles, and relations such as *aunt*.
const TITLES: [&str; 66] = [
    "mr",
    "mrs",
    "ms",
    "miss",
    "dr",
    "prof",
    "professor",
    "sir",
    "madam",
    "lord",
    "lady",
    "herr",
    "herrn",
    "frau",
    "fru",
    "froken",
    "hr",
    "fr",
    "m",
    "mm",
    "mme",
    "mlle",
    "monsieur",
    "madame",
    "sr",
    "sra",
    "srta",
    "senor",
    "senora",
    "don",
    "dona",
    "sig",
    "signor",
    "signora",
    "dott",
    "pan",
    "pani",
    "panu",
    "pana",
    "rouva",
    "herra",
    "neiti",
    "bay",
    "bayan",
    "dhr",
    "mevr",
    "mevrouw",
    "meneer",
    "customer",
    "client",
    "user",
    "contact",
    "kunde",
    "kunden",
    "kundin",
    "kund",
    "klant",
    "klient",
    "cliente",
    "asiakas",
    "familie",
    "family",
    "господин",
    "госпожа",
    "κυριοσ",
    "κυρια",
];

/// Whether a folded word is a particle.
pub(super) fn is_particle(word: &[u8]) -> bool {
    PARTICLES.iter().any(|particle| particle.as_bytes() == word)
}

/// Particles that are parts of titles, or conjunctions. Between two names they belong to neither name.
const NOT_BETWEEN: [&str; 14] =
    ["ab", "e", "frau", "fru", "herr", "miss", "mr", "mrs", "ms", "och", "op", "prof", "sir", "y"];

/// Whether a folded word is a title, and never a name, even alone.
pub(super) fn is_never_name(word: &[u8]) -> bool {
    matches!(word, b"mr" | b"mrs" | b"ms" | b"miss" | b"herr" | b"frau" | b"fru" | b"prof" | b"sir" | b"och")
}

/// Whether a folded word between two names of a person is a part of the name, for any person.
pub(super) fn is_particle_between(word: &[u8]) -> bool {
    is_particle(word) && !NOT_BETWEEN.iter().any(|other| other.as_bytes() == word)
}

pub(super) fn is_title(word: &[u8]) -> bool {
    TITLES.iter().any(|title| title.as_bytes() == word) || word == "κ".as_bytes() || word == "г".as_bytes()
}

/// English words that are also names, and frequent words of other languages. The English words are from SCOWL
/// (Copyright 2000-2016 Kevin Atkinson), as far as they are names in the United States census of 1990. The others are
/// from stopwords-iso (MIT, Copyright 2016 Gene Diaz). Their licences are in `LICENSE-WORDS`.
static WORDS: LazyLock<Vec<&str>> =
    LazyLock::new(|| include_str!("words_of_languages.txt").lines().collect());

/// English words that dictionaries write with a capital, but people often do not.
const CAPITALISED: [&str; 24] = [
    "april",
    "august",
    "christian",
    "dutch",
    "english",
    "french",
    "friday",
    "german",
    "greek",
    "holland",
    "irish",
    "january",
    "june",
    "latin",
    "london",
    "may",
    "monday",
    "paris",
    "polish",
    "roman",
    "scottish",
    "sunday",
    "swedish",
    "welsh",
];

/// Whether a folded name is also a word.
pub(super) fn is_also_word(name: &str) -> bool {
    WORDS.binary_search(&name).is_ok() || CAPITALISED.binary_search(&name).is_ok()
}

/// Whether a folded name is weak: it identifies nobody on its own.
pub(super) fn is_weak(name: &str) -> bool {
    name.chars().count() <= 4 || is_common(name) || is_also_word(name)
}

/// A name with spelled-out accents removed: `mueller` and `muller` are the same name.
pub(super) fn collapsed(word: &str) -> String {
    let short = word.replace("ae", "a").replace("oe", "o").replace("ue", "u").replace("aa", "a");
    if short.chars().count() < 3 { word.to_owned() } else { short }
}

/// The spelling for keyboards without accented letters.
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

/// All spellings of a value, folded.
pub(super) fn spellings(value: &str) -> Vec<String> {
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

/// The maximum number of vowels that may be spelled out.
const MOST_VOWELS: usize = 5;

/// The spelled-out forms of a name that was stored without accents: `mueller` for `muller`.
pub(super) fn written_out(name: &str) -> Vec<String> {
    if !name.is_ascii() {
        return Vec::new();
    }
    let vowels = name.char_indices().filter(|(_, c)| matches!(c, 'a' | 'o' | 'u')).take(MOST_VOWELS);
    let mut list: Vec<String> = Vec::new();
    for (at, vowel) in vowels {
        let (before, behind) = (name.get(..=at).unwrap_or_default(), name.get(at + 1..).unwrap_or_default());
        list.push(format!("{before}e{behind}"));
        if vowel == 'a' {
            list.push(format!("{before}a{behind}"));
        }
    }
    list
}
