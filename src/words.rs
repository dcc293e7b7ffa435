//! Words for numbers.

/// A word, with an s where there is not exactly one.
pub(crate) fn plural(count: u64, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}
