//! Tells whether a name in a text belongs to somebody else: `Tom Ashworth` is not Maud Ashworth.
//!
//! There are two answers. A capitalised word beside the name is a doubt: the name is then not certain, and it is
//! reported. Only better evidence shows that somebody else is meant. Such a name is no mention:
//!
//! * Beside a surname: a given name that is on a list of given names, and is not similar to the person's own.
//! * Behind a given name: a surname. It is known as one, or it is a capitalised word that is not on a list of words,
//!   in a language that does not capitalise nouns.
//!
//! A surname alone, or a given name alone, may always mean the person.

use super::context::{Case, View};
use super::known_names::{are_nicknames, is_given_name, is_surname};
use super::names::{is_particle, is_title};
use super::people::{FEW, People, Role, words};
use super::scan::{Form, Hit, Step, range, word_before, word_behind};
use super::telling::is_common_word;
use crate::edits::edits;

/// The maximum number of particles between two names of one person.
const PARTICLES_BETWEEN: usize = 3;
/// The maximum number of further names between a given name and the surname.
const NAMES_BETWEEN: usize = 4;
/// A text with fewer words does not show its language.
const WORDS_OF_A_LANGUAGE: usize = 6;

/// Frequent words of German texts. Other languages have some of them, too. German capitalises all nouns, so a capital
/// does not show a name there.
const GERMAN: [&str; 33] = [
    "auch", "auf", "bei", "beim", "bitte", "das", "dem", "ein", "eine", "einen", "einer", "fur", "habe",
    "haben", "ich", "ihre", "im", "ist", "kein", "keine", "mit", "nach", "nicht", "oder", "sich", "sie",
    "und", "vom", "wegen", "wird", "wurde", "zum", "zur",
];

/// Endings that are frequent in German surnames, and rare in other nouns.
const GERMAN_ENDINGS: [&str; 16] = [
    "bauer", "berger", "feld", "hofer", "huber", "inger", "maier", "mann", "mayer", "meier", "meyer",
    "muller", "schmidt", "stein", "thal", "wald",
];

/// Endings of names that say who somebody's father is. A surname may follow.
const PATRONYMS: [&str; 8] = ["вич", "вна", "ична", "инична", "ovich", "ovna", "evich", "evna"];

impl People {
    /// Whether a word beside a name may be another person's name, so that the name is not certain.
    pub(super) fn is_doubtful(&self, view: &View<'_>, hit: &Hit<'_>, case: Case) -> bool {
        if case == Case::Lower {
            return false;
        }
        let is_name = |(from, to): (usize, usize)| {
            let word = range(view.folded.text(), from, to);
            let is_letters = !word.iter().any(u8::is_ascii_digit) && to - from >= 2;
            is_letters && !is_title(word) && view.case(from, to) == Case::Title
        };
        let beside = |at, step| self.beside(view, hit, at, step).is_some_and(is_name);
        beside(hit.start, word_before) || beside(hit.end, word_behind)
    }

    /// The next word beside a name that is neither a particle nor another name of the person: `Tom` in `Tom van der
    /// Berg`.
    fn beside(&self, view: &View<'_>, hit: &Hit<'_>, at: usize, step: Step) -> Option<(usize, usize)> {
        let text = view.folded.text();
        let mut at = at;
        for _ in 0..=PARTICLES_BETWEEN {
            let (from, to) = step(text, at)?;
            let gap = if to <= at { range(text, to, at) } else { range(text, at, from) };
            if !matches!(gap, b" " | b"-" | b"'" | b" '" | b"' ") {
                return None;
            }
            let word = range(text, from, to);
            // An apostrophe may be inside a name: `Mar'yana`, `van 't Riet`. But *Łaś* is no particle.
            let is_small = view.case(from, to) == Case::Lower;
            let is_within = is_small && from.checked_sub(1).and_then(|at| text.get(at)) == Some(&b'\'');
            let is_passed = is_particle(word) && (is_small || self.is_particle_of(hit, word));
            if !is_within && !is_passed && !self.is_own(hit, word) {
                return Some((from, to));
            }
            at = if to <= at { from } else { to };
        }
        None
    }

    /// Whether the words beside a name show that somebody else is meant.
    pub(super) fn is_anothers(&self, view: &View<'_>, hit: &Hit<'_>, case: Case) -> bool {
        let name = hit.name.and_then(|name| self.names.get(name as usize));
        if case == Case::Lower || hit.form != Form::Plain {
            return false;
        }
        match name.map(|name| (name.is_given, name.is_surname)) {
            Some((false, true)) => self.has_other_given_name(view, hit, case),
            Some((true, false)) => self.has_other_surname(view, hit, case),
            // The record does not say which of the two the name is.
            _ => false,
        }
    }

    /// Whether another given name is before a surname.
    fn has_other_given_name(&self, view: &View<'_>, hit: &Hit<'_>, case: Case) -> bool {
        let text = view.folded.text();
        let Some((from, to)) = self.beside(view, hit, hit.start, word_before) else { return false };
        let Ok(word) = std::str::from_utf8(range(text, from, to)) else { return false };
        // *Mark Ashworth as paid*
        let may_be_word = || is_common_word(word) && super::context::begins_sentence(text, from);
        let is_written = match view.case(from, to) {
            Case::Title => true,
            Case::Upper => case == Case::Upper,
            Case::None => case == Case::None,
            Case::Lower => false,
        };
        is_written
            && is_given_name(word)
            && !is_title(word.as_bytes())
            && !may_be_word()
            && !self.is_like_own(hit, word)
    }

    /// Whether another surname is behind a given name. Further given names may be between them: `Anna Maria Berg`.
    fn has_other_surname(&self, view: &View<'_>, hit: &Hit<'_>, case: Case) -> bool {
        let text = view.folded.text();
        let mut at = hit.end;
        let mut is_behind_initial = false;
        for _ in 0..NAMES_BETWEEN {
            let Some((from, to)) = word_behind(text, at) else { return false };
            let gap = range(text, at, from);
            if !(matches!(gap, b" " | b"-") || gap == b". " && is_behind_initial) {
                return false;
            }
            let Ok(word) = std::str::from_utf8(range(text, from, to)) else { return false };
            let how = view.case(from, to);
            is_behind_initial = word.chars().count() == 1 && how != Case::Lower;
            let is_further_name = how != Case::Lower
                && (is_given_name(word) || PATRONYMS.iter().any(|end| word.ends_with(end)));
            let is_small_particle = is_particle(word.as_bytes()) && how == Case::Lower;
            let is_own = self.is_own(hit, word.as_bytes());
            if !(is_behind_initial || is_further_name || is_small_particle || is_own || gap == b"-") {
                let is_known = is_surname(word) && !is_common_word(word);
                let is_written = match how {
                    Case::Title => is_known || is_unknown_word(text, word),
                    Case::Upper => case == Case::Upper && is_known,
                    Case::None => case == Case::None && is_known,
                    Case::Lower => false,
                };
                return is_written && !is_title(word.as_bytes()) && !self.is_like_own(hit, word);
            }
            at = to;
        }
        false
    }

    /// Whether a word may be written for a name of the person: a nickname, a short form, another spelling, an inflected
    /// form or a typing error.
    fn is_like_own(&self, hit: &Hit<'_>, word: &str) -> bool {
        hit.people.iter().take(FEW).any(|person| {
            let known = self.spelled.get(*person as usize).into_iter().flatten();
            known.into_iter().any(|(name, is_given)| {
                is_like(word, name, *is_given) || *is_given && are_nicknames(word, name)
            })
        })
    }

    /// Whether a word is another name of the same person.
    fn is_own(&self, hit: &Hit<'_>, word: &[u8]) -> bool {
        self.words.get(word).into_iter().flatten().any(|role| {
            let Role::Name(id) = role else { return false };
            let people = self.names.get(*id as usize).map_or(&[][..], |name| name.people.as_slice());
            hit.people.iter().take(FEW).any(|person| people.binary_search(person).is_ok())
        })
    }
}

/// Whether a capitalised word is no word of the text's language, as far as the lists know the language.
fn is_unknown_word(text: &[u8], word: &str) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let is_german = words(text).any(|word| GERMAN.binary_search(&word).is_ok());
    let is_long = words(text).count() >= WORDS_OF_A_LANGUAGE;
    let may_be_surname =
        !is_german || GERMAN_ENDINGS.iter().any(|end| word.ends_with(end) && word.len() > end.len());
    is_long && may_be_surname && word.chars().count() >= 3 && !is_common_word(word)
}

/// Whether two folded names are so similar that one may be written for the other.
fn is_like(word: &str, name: &str, is_given: bool) -> bool {
    let [in_word, in_name] = [word, name].map(|name| name.chars().count());
    let shared = word.chars().zip(name.chars()).take_while(|(one, other)| one == other).count();
    let (short, long) = (in_word.min(in_name), in_word.max(in_name));
    let is_part = short >= 3 && (word.contains(name) || name.contains(word));
    let is_begun = if is_given {
        // `Kate` for Katherine, `Gosia` is not found so.
        shared >= 2
    } else {
        // `Kowalska` for Kowalski, `Kazlauskienė` for Kazlauskas.
        shared >= 4 && short - shared <= 2 && long - shared <= 4
    };
    is_part || is_begun || edits(word, name) <= usize::from(short >= 5) + 1 && short >= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_in_order() {
        assert!(GERMAN.is_sorted());
    }

    #[test]
    fn a_table_of_names_that_may_be_written_for_each_other() {
        for (word, name, is_given, like) in [
            ("liz", "elizabeth", true, true),
            ("kasia", "katarzyna", true, true),
            ("jon", "john", true, true),
            ("tom", "maud", true, false),
            ("eva", "maud", true, false),
            ("kowalska", "kowalski", false, true),
            ("kazlauskiene", "kazlauskas", false, true),
            ("ashwort", "ashworth", false, true),
            ("thornley", "thornstone", false, false),
        ] {
            assert_eq!(is_like(word, name, is_given), like, "{word} {name}");
        }
    }
}
