//! Text without case.

/// A text without the difference of upper and lower case: full case folding (CaseFolding.txt of Unicode), by way of
/// the standard library. `Straße` and `STRASSE` become the same text, and so do `ς` and `σ`.
pub(crate) fn case_folded(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().flat_map(folded_char).collect() }
}

/// A character without case, which may be several.
pub(crate) fn folded_char(c: char) -> impl Iterator<Item = char> {
    // The capital of the dotless i is the I of everybody else. Without this line, `ı` would become `i`.
    let dotless = (c == 'ı').then_some(c);
    // `ẞ` has no upper case of its own. Its lower case has one, of two letters.
    let cased =
        (c != 'ı').then(|| c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase));
    dotless.into_iter().chain(cased.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use caseless::Caseless as _;

    use super::*;

    /// Characters that the library folds alike are folded alike here, and no others.
    #[test]
    fn it_finds_the_same_characters_alike_as_the_library() {
        let mut ours_of = BTreeMap::new();
        let mut theirs_of = BTreeMap::new();
        for c in '\0'..=char::MAX {
            let ours: String = folded_char(c).collect();
            let theirs: String = std::iter::once(c).default_case_fold().collect();
            let known = ours_of.entry(theirs.clone()).or_insert_with(|| ours.clone());
            assert_eq!(*known, ours, "{c:?} ({:x}) is told apart", c as u32);
            // The library's table is older. What it does not know yet, it leaves as it is.
            if theirs.chars().eq([c]) {
                continue;
            }
            let known = theirs_of.entry(ours).or_insert_with(|| theirs.clone());
            assert_eq!(*known, theirs, "{c:?} ({:x}) is taken for another", c as u32);
        }
    }

    #[test]
    fn texts_that_differ_by_case_alone_are_alike() {
        for (one, other) in [("Straße", "STRASSE"), ("STRAẞE", "strasse"), ("ΟΔΟΣ", "οδος"), ("ANNA", "anna")]
        {
            assert_eq!(case_folded(one), case_folded(other));
        }
        assert_ne!(case_folded("ışık"), case_folded("işik"));
    }
}
