//! Control texts: they do not mention the person, but look as if they did.

use relinquish::customer::Identifiers;
use relinquish::data_map::Kind;

use super::classes::CLASSES;
use super::people::{Dice, Language, Person};

/// A kind of text in which the person must not be found.
#[derive(Clone, Copy)]
pub(crate) struct Control {
    pub(crate) name: &'static str,
    pub(crate) write: fn(&Person, &mut Dice) -> Option<(Identifiers, String)>,
}

fn named(given: &str, surname: &str) -> Identifiers {
    let mut all = Identifiers::new();
    all.insert(Kind::Name, given);
    all.insert(Kind::Name, surname);
    all
}

/// Another person with names of the same language.
fn another(p: &Person, dice: &mut Dice) -> Option<Person> {
    let other = Person::new(p.language, dice);
    let own = |p: &Person| p.surname.rsplit(' ').next().unwrap_or_default().to_owned();
    let is_alike = |one: &str, other: &str| one.contains(other) || other.contains(one);
    (!is_alike(&other.given, &p.given) && !is_alike(&own(&other), &own(p))).then_some(other)
}

/// A text that mentions another person, in any of the ways.
fn stranger(p: &Person, dice: &mut Dice) -> Option<(Identifiers, String)> {
    let other = another(p, dice).filter(|other| other.city != p.city && other.street != p.street)?;
    let class = CLASSES[dice.below(CLASSES.len())];
    let text = super::plant(&other, &class, dice)?.text;
    Some((p.identifiers(), text))
}

const WORD_NAMES: [(&str, &str); 14] = [
    ("Ian", "Will"),
    ("Irene", "Hope"),
    ("Arnold", "Price"),
    ("Agnes", "Long"),
    ("Alma", "Day"),
    ("Iris", "French"),
    ("Ed", "Cross"),
    ("Eve", "Summers"),
    ("Jo", "Powers"),
    ("Al", "Grant"),
    ("Bea", "Gates"),
    ("Tom", "Parks"),
    ("Ivy", "Rivers"),
    ("Otto", "Banks"),
];

fn word_name(dice: &mut Dice) -> (&'static str, &'static str) {
    WORD_NAMES[dice.below(WORD_NAMES.len())]
}

pub(crate) const CONTROLS: &[Control] = &[
    Control { name: "texts about others", write: stranger },
    Control {
        name: "texts about nobody",
        write: |p, d| Some((p.identifiers(), super::nobody(p.language, d))),
    },
    Control {
        name: "a one-letter word before a name that is a word",
        write: |p, d| {
            if p.language != Language::English {
                return None;
            }
            let (given, surname) = word_name(d);
            let word = surname.to_lowercase();
            let letter = if given.starts_with('I') { "I" } else { "a" };
            let texts = [
                format!("Yes, {letter} {word} tomorrow at ten."),
                format!("Well: {} {word} of all things.", letter.to_uppercase()),
                format!("{} {word} is what we said.", letter.to_uppercase()),
            ];
            let text = texts[d.below(texts.len())].clone();
            Some((named(given, surname), text))
        },
    },
    Control {
        name: "surnames that are words, in lower case",
        write: |p, d| {
            if p.language != Language::English {
                return None;
            }
            let (given, surname) = word_name(d);
            let word = surname.to_lowercase();
            let texts = [
                format!("He said that {word} were mentioned."),
                format!("It stood beside the {word}."),
                format!("{} – no {word} at all; call 7781-2290.", "ok"),
            ];
            let text = texts[d.below(texts.len())].clone();
            Some((named(given, surname), text))
        },
    },
    Control {
        name: "a relative of the same surname",
        write: |p, d| {
            let other = another(p, d).filter(|_| p.language.has_spaces())?;
            let text = format!(
                "{} – {} {} called about the bill.",
                super::nobody(p.language, d),
                other.given,
                p.surname
            );
            Some((p.identifiers(), text))
        },
    },
    Control {
        name: "the same first name, another surname",
        write: |p, d| {
            let other = another(p, d).filter(|_| p.language.has_spaces())?;
            let text = format!(
                "{} – {} {} called about the bill.",
                super::nobody(p.language, d),
                p.given,
                other.surname
            );
            Some((p.identifiers(), text))
        },
    },
    Control {
        name: "somebody else's mail with the name in it",
        write: |p, d| {
            if !p.language.is_latin() {
                return None;
            }
            let (local, _) = p.email.split_once('@')?;
            let name = local.split('.').next_back()?.trim_end_matches(|c: char| c.is_ascii_digit());
            let text = format!(
                "Copy sent to {name}{}@other.example yesterday.",
                d.pick(&[".office", "-shop", "_77", ""])
            );
            Some((p.identifiers(), text))
        },
    },
];
