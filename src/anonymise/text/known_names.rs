//! Lists of given names and of surnames. They show that the word beside a name is a name, too.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::names::collapsed;

/// Given names of some 60 countries, from Faker (MIT, Copyright 2022-2025 the Faker contributors) and from Faker for
/// Python (MIT, Copyright 2012 Daniele Faraglia). The licences are in `LICENSE-WORDS`.
static GIVEN_NAMES: LazyLock<Vec<String>> = LazyLock::new(|| unpacked(include_str!("given_names.txt")));

/// Surnames from the same sources. Only for languages in which a capital does not show that a word is a name: German,
/// where nouns have capitals, and languages whose script has none. Turkish names are frequent in German texts.
static SURNAMES: LazyLock<Vec<String>> = LazyLock::new(|| unpacked(include_str!("surnames.txt")));

/// The words of a sorted list. Each line begins with a digit to base 36: the number of bytes that the word shares with
/// the word before it.
fn unpacked(list: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for line in list.lines() {
        let shared = line.get(..1).and_then(|digit| usize::from_str_radix(digit, 36).ok()).unwrap_or(0);
        let start = words.last().and_then(|last| last.get(..shared)).unwrap_or_default();
        let word = format!("{start}{}", line.get(1..).unwrap_or_default());
        words.push(word);
    }
    words
}

fn is_in(list: &[String], word: &str) -> bool {
    let short = collapsed(word);
    list.binary_search_by(|known| known.as_str().cmp(&short)).is_ok()
}

/// Whether a folded word is a frequent given name of some country. It may be a word, too.
pub(super) fn is_given_name(word: &str) -> bool {
    is_in(&GIVEN_NAMES, word)
}

/// Names and the nicknames that are not similar to them: *Bill* for William. From nicknames (Apache-2.0, Carlton Northern and
/// Nick Crews), and some of other languages.
static NICKNAMES: LazyLock<HashMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let mut known = HashMap::<_, Vec<_>>::new();
    for line in include_str!("nicknames.txt").lines() {
        let mut names = line.split(' ');
        let Some(name) = names.next() else { continue };
        for nickname in names {
            known.entry(name).or_default().push(nickname);
            known.entry(nickname).or_default().push(name);
        }
    }
    known
});

/// Whether one of two folded given names is a nickname of the other.
pub(super) fn are_nicknames(one: &str, other: &str) -> bool {
    NICKNAMES.get(one).is_some_and(|known| known.contains(&other))
}

/// Whether a folded word is a frequent surname.
pub(super) fn is_surname(word: &str) -> bool {
    is_in(&SURNAMES, word)
}

#[cfg(test)]
mod tests {
    use super::super::fold::folded;
    use super::*;

    #[test]
    fn the_lists_are_in_order_and_hold_what_they_should() {
        for list in [&GIVEN_NAMES, &SURNAMES] {
            assert!(list.is_sorted_by(|one, next| one < next));
        }
        for name in ["maud", "jurgen", "juergen", "grzegorz", "мария", "ελενη", "أحمد", "सुनीता"]
        {
            assert!(is_given_name(&folded(name)), "{name}");
        }
        for word in ["ashworth", "rechnung", "called", "ringde"] {
            assert!(!is_given_name(word), "{word}");
        }
        for (name, nickname) in
            [("william", "bill"), ("karl", "kalle"), ("александр", "саша"), ("giuseppe", "beppe")]
        {
            assert!(are_nicknames(name, nickname) && are_nicknames(nickname, name), "{nickname}");
        }
        assert!(!are_nicknames("william", "tom"));
        assert!(is_surname("muller") && is_surname(&folded("शर्मा")) && !is_surname("termin"));
    }
}
