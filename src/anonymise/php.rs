//! Redacts data that PHP's `serialize` wrote. Each string has its length in bytes before it, so a redacted string
//! needs a new length.
//!
//! `a:1:{s:4:"mail";s:13:"ylva@ask.test";}` becomes `a:1:{s:4:"mail";s:8:"[erased]";}`. A string that contains such
//! data itself is treated in the same way. A whole number that belongs to a person becomes a string. If two array
//! keys would become the same, they are numbered. Other numbers, classes and property names stay. A text that begins
//! like such data but is invalid is not changed, because PHP could not read the result.

use std::collections::HashSet;
use std::fmt::Write as _;

/// The maximum depth of nested arrays, objects and strings.
const MAX_DEPTH: usize = 256;

/// The minimum number of digits of a searched number.
const SHORTEST: usize = 4;

/// The error for a text that begins like serialised data, but is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotPhp;

/// Whether a text is serialised data. `None`: it does not begin like such data.
pub(crate) fn is_php(text: &str) -> Option<Result<(), NotPhp>> {
    strings(text, &mut |_| None).map(|walked| walked.map(drop))
}

/// Changes each string of serialised data with a closure, and updates the lengths. `Ok(None)`: nothing was changed.
/// `None`: the text does not begin like serialised data.
pub(crate) fn strings(
    text: &str,
    change: &mut dyn FnMut(&str) -> Option<String>,
) -> Option<Result<Option<String>, NotPhp>> {
    starts_like(text).then(|| changed(text, 0, change))
}

/// Whether a text begins with `a:2:{`, `s:5:"`, `O:8:"`, `C:8:"` or `E:8:"`. Other values contain no string.
fn starts_like(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let (kind, length, rest) =
        (parts.next(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    is_number
        && match kind {
            Some("a") => rest.starts_with('{'),
            Some("s" | "O" | "C" | "E") => rest.starts_with('"'),
            _ => false,
        }
}

fn changed(
    text: &str,
    depth: usize,
    change: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<Option<String>, NotPhp> {
    let mut walk = Walk { text, at: 0, out: String::new(), copied: 0, change, keys: None };
    walk.value(depth, false)?;
    if walk.at != text.len() {
        return Err(NotPhp);
    }
    if walk.copied == 0 {
        return Ok(None);
    }
    let rest = text.get(walk.copied..).ok_or(NotPhp)?;
    walk.out.push_str(rest);
    Ok(Some(walk.out))
}

/// All strings of the data, including keys. If the data are invalid, the strings before the error.
fn every_string(text: &str) -> HashSet<String> {
    let mut all = HashSet::new();
    let _ = changed(text, 0, &mut |words| {
        all.insert(words.to_owned());
        None
    });
    all
}

struct Walk<'t, 'c> {
    text: &'t str,
    at: usize,
    out: String,
    /// The text up to this position is in `out`.
    copied: usize,
    change: &'c mut dyn FnMut(&str) -> Option<String>,
    /// All strings of the data. Computed when the first key is changed, because no two keys may become the same.
    keys: Option<HashSet<String>>,
}

impl<'t> Walk<'t, '_> {
    fn rest(&self) -> Result<&'t str, NotPhp> {
        self.text.get(self.at..).ok_or(NotPhp)
    }

    fn take(&mut self, expected: &str) -> Result<(), NotPhp> {
        if !self.rest()?.starts_with(expected) {
            return Err(NotPhp);
        }
        self.at += expected.len();
        Ok(())
    }

    /// Reads the text before an end mark, and skips the mark.
    fn until(&mut self, end: char) -> Result<&'t str, NotPhp> {
        let (found, _) = self.rest()?.split_once(end).ok_or(NotPhp)?;
        self.at += found.len() + end.len_utf8();
        Ok(found)
    }

    fn number(&mut self, end: char) -> Result<usize, NotPhp> {
        let digits = self.until(end)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotPhp);
        }
        digits.parse().map_err(|_| NotPhp)
    }

    /// Reads `5:"words"`. The length is in bytes.
    fn quoted(&mut self) -> Result<&'t str, NotPhp> {
        let length = self.number(':')?;
        self.take("\"")?;
        let words = self.rest()?.get(..length).ok_or(NotPhp)?;
        self.at += length;
        self.take("\"")?;
        Ok(words)
    }

    /// Reads a string, and changes it if necessary.
    fn string(&mut self, depth: usize, is_key: bool) -> Result<(), NotPhp> {
        let start = self.at;
        let words = self.quoted()?;
        let new = if starts_like(words) {
            if depth >= MAX_DEPTH {
                return Err(NotPhp);
            }
            changed(words, depth + 1, &mut *self.change)?
        } else {
            (self.change)(words)
        };
        self.write(start, "", new, is_key)
    }

    /// Replaces the text from `start` on with a new string.
    fn write(&mut self, start: usize, kind: &str, new: Option<String>, is_key: bool) -> Result<(), NotPhp> {
        let Some(mut new) = new else { return Ok(()) };
        if is_key {
            let keys = self.keys.get_or_insert_with(|| every_string(self.text));
            let (name, mut n) = (new.clone(), 1_usize);
            while !keys.insert(new.clone()) {
                n += 1;
                new = format!("{name} {n}");
            }
        }
        self.out.push_str(self.text.get(self.copied..start).ok_or(NotPhp)?);
        // Writing to a String never fails.
        let _ = write!(self.out, "{kind}{}:\"{new}\"", new.len());
        self.copied = self.at;
        Ok(())
    }

    fn value(&mut self, depth: usize, is_key: bool) -> Result<(), NotPhp> {
        if depth > MAX_DEPTH {
            return Err(NotPhp);
        }
        let rest = self.rest()?;
        if rest.starts_with("N;") {
            return self.take("N;");
        }
        let (kind, start) = (rest.get(..2).ok_or(NotPhp)?, self.at);
        self.at += 2;
        match kind {
            "b:" | "i:" | "d:" | "r:" | "R:" => {
                let number = self.until(';')?;
                let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
                if number.is_empty() || !number.bytes().all(is_part) {
                    return Err(NotPhp);
                }
                if kind == "i:" && number.len() >= SHORTEST {
                    let new = (self.change)(number);
                    let end = self.at;
                    // The semicolon stays.
                    self.at -= 1;
                    self.write(start, "s:", new, is_key)?;
                    self.at = end;
                }
                Ok(())
            }
            "s:" => {
                self.string(depth, is_key)?;
                self.take(";")
            }
            "E:" => {
                self.quoted()?;
                self.take(";")
            }
            "a:" => {
                let count = self.number(':')?;
                self.members(count, depth, true)
            }
            "O:" => {
                self.quoted()?;
                self.take(":")?;
                let count = self.number(':')?;
                self.members(count, depth, false)
            }
            // A class with its own serialisation has an unknown format.
            _ => Err(NotPhp),
        }
    }

    /// Reads `{key value key value}`. The keys of an array may be data. The keys of an object are names in a program.
    fn members(&mut self, count: usize, depth: usize, keys_are_data: bool) -> Result<(), NotPhp> {
        self.take("{")?;
        for _ in 0..count {
            if self.rest()?.starts_with("s:") && !keys_are_data {
                self.at += 2;
                self.quoted()?;
                self.take(";")?;
            } else if self.rest()?.starts_with("s:") || self.rest()?.starts_with("i:") {
                self.value(depth + 1, true)?;
            } else {
                return Err(NotPhp);
            }
            self.value(depth + 1, false)?;
        }
        self.take("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(text: &str) -> Option<Result<Option<String>, NotPhp>> {
        strings(text, &mut |words| words.contains("Ylva").then(|| words.replace("Ylva", "[erased]")))
    }

    #[test]
    fn a_string_gets_its_new_length_in_bytes_at_every_depth() {
        let inner = r#"a:1:{s:2:"by";s:11:"Ylva Åsen é";}"#.replace("s:11:", "s:13:");
        let text = format!(
            r#"a:3:{{s:2:"Hé";b:1;i:7;s:{}:"{inner}";s:4:"Ylva";O:8:"stdClass":1:{{s:4:"Ylva";d:1.5E+25;}}}}"#,
            inner.len()
        )
        .replace(r#"s:2:"Hé""#, r#"s:3:"Hé""#);
        let less = without(&text).unwrap().unwrap().unwrap();
        let inner = r#"a:1:{s:2:"by";s:17:"[erased] Åsen é";}"#;
        assert_eq!(
            less,
            format!(
                r#"a:3:{{s:3:"Hé";b:1;i:7;s:{}:"{inner}";s:8:"[erased]";O:8:"stdClass":1:{{s:4:"Ylva";d:1.5E+25;}}}}"#,
                inner.len()
            )
        );
        assert_eq!(is_php(&less), Some(Ok(())));
        assert_eq!(without(&less), Some(Ok(None)));
    }

    #[test]
    fn keys_do_not_become_the_same_and_numbers_become_strings() {
        let text = r#"a:3:{s:4:"Ylva";i:1;s:8:"[erased]";i:2;i:46701234567;i:46701234567;}"#;
        let less = strings(text, &mut |words| {
            matches!(words, "Ylva" | "46701234567").then(|| "[erased]".to_owned())
        });
        let wanted = r#"a:3:{s:10:"[erased] 2";i:1;s:8:"[erased]";i:2;s:10:"[erased] 3";s:8:"[erased]";}"#;
        assert_eq!(less, Some(Ok(Some(wanted.to_owned()))));
        assert_eq!(is_php(wanted), Some(Ok(())));
    }

    #[test]
    fn what_only_starts_like_serialised_data_is_told_apart() {
        for text in [
            r#"s:5:"Ylva";"#,
            r#"s:4:"Ylva"; "#,
            r#"a:2:{i:0;s:4:"Ylva";}"#,
            r#"a:1:{i:0;s:4:"Ylv"#,
            r#"C:3:"Own":4:{Ylva}"#,
            r#"s:1:"é";"#,
            "a:99999999999999999999:{",
        ] {
            assert_eq!(without(text), Some(Err(NotPhp)), "{text}");
        }
        for text in ["", "Ylva", "a: Ylva", "i:5;", "s:x:\"Ylva\";", "b:1;", "a:1:Ylva", "N;"] {
            assert_eq!(without(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        /// For any text, the output can be read in the same way as the input.
        #[test]
        fn what_comes_out_can_be_read_again(words in proptest::collection::vec("[a-zé\"; {}:0-9]{0,6}|Ylva", 0..6), nested: bool) {
            let members: Vec<String> =
                words.iter().enumerate().map(|(n, word)| format!("i:{n};s:{}:\"{word}\";", word.len())).collect();
            let members = members.concat();
            let mut text = format!("a:{}:{{{members}}}", words.len());
            if nested {
                text = format!("a:1:{{s:1:\"x\";s:{}:\"{text}\";}}", text.len());
            }
            let less = without(&text).unwrap();
            // A word may begin like serialised data by chance.
            if let Ok(less) = less {
                let less = less.unwrap_or(text);
                proptest::prop_assert!(!less.contains("Ylva"));
                proptest::prop_assert_eq!(is_php(&less), Some(Ok(())));
            }
        }
    }
}
