//! Decides which values can be read as text. A value that cannot be searched must not count as a value without
//! mentions.

use std::borrow::Cow;
use std::fmt;

use super::php;
use crate::data_map::{ClassName, Value};

/// Why a value cannot be read. It contains nothing of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is bytes, but text was expected.
    Bytes,
    /// It is text in another encoding than UTF-8.
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "postgres")),
        expect(dead_code, reason = "a host's own values are UTF-8")
    )]
    Encoding,
    /// It has NUL characters between letters. This happens if UTF-16 was stored as another encoding.
    Nul,
    /// It begins like data serialised by PHP, but is invalid. After a change, PHP could not read it.
    Php,
    /// Its document has another shape than the map says.
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "postgres")),
        expect(dead_code, reason = "only a column's document is described by pointers")
    )]
    Shape,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "it holds bytes, not text",
            Self::Encoding => "its text is not UTF-8",
            Self::Php => "it starts like data that PHP serialised, and cannot be read as such to its end",
            Self::Shape => {
                "its document has another shape there: a value, or an array, where the map's path goes on"
            }
            Self::Nul => "it has NUL characters between letters, as text in another encoding has",
        })
    }
}

/// The way out if a value of a class cannot be read.
pub(crate) fn way_out(class: &ClassName) -> String {
    format!("mend the record, or write otherwise = \"remove\" beside the action of {class} in the policy")
}

/// The way out if an identifier of a person cannot be read.
pub(crate) const IDENTIFIER_WAY_OUT: &str =
    "store it as text in UTF-8, or have texts removed where the policy has them redacted";

/// Checks that a text can be searched.
pub(crate) fn searchable(text: &str) -> Result<&str, Unread> {
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let is_within = |at: usize| {
        let (before, after) = (text.get(..at), text.get(at + 1..));
        is_letter(before.and_then(|before| before.chars().next_back()))
            && is_letter(after.and_then(|after| after.chars().next()))
    };
    if text.match_indices('\0').any(|(at, _)| is_within(at)) { Err(Unread::Nul) } else { Ok(text) }
}

/// Checks that a text can be redacted. In data serialised by PHP, the names of properties may contain NUL characters.
pub(crate) fn redactable(text: &str) -> Result<&str, Unread> {
    match php::is_php(text) {
        Some(Ok(())) => Ok(text),
        Some(Err(_)) => Err(Unread::Php),
        None => searchable(text),
    }
}

/// Stands before each character of a [`marked`] text that was a byte outside UTF-8. It has no width, so that a search
/// reads over it.
const MARK: char = '\u{206b}';

/// The characters of Windows-1252 for the bytes from 0x80 to 0x9f. Its other characters have the numbers of their
/// bytes.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// A text with bytes that are not UTF-8, in a form that can be searched: these bytes are read as Windows-1252, the
/// most frequent other encoding. [`unmarked`] gives the bytes back. `None` if the text has the mark already.
#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    allow(dead_code, reason = "SQLite has such texts")
)]
pub(crate) fn marked(bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        if chunk.valid().contains(MARK) {
            return None;
        }
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let place = usize::from(byte.wrapping_sub(0x80));
            text.extend([MARK, WINDOWS_1252.get(place).copied().unwrap_or(char::from(*byte))]);
        }
    }
    Some(text)
}

/// The bytes of a [`marked`] text, or of what a search has left of the text.
#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    allow(dead_code, reason = "SQLite has such texts")
)]
pub(crate) fn unmarked(text: &str) -> Vec<u8> {
    let byte_of = |c: char| {
        let of_table = WINDOWS_1252.iter().position(|known| *known == c);
        let byte = of_table.map_or_else(|| u8::try_from(c).ok(), |at| u8::try_from(at + 0x80).ok());
        byte.filter(|byte| *byte >= 0x80)
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let next = if c == MARK { chars.next() } else { Some(c) };
        match next.filter(|_| c == MARK).and_then(byte_of) {
            Some(byte) => bytes.push(byte),
            // A mark whose character was replaced goes, too.
            None => bytes.extend(next.into_iter().flat_map(|c| c.to_string().into_bytes())),
        }
    }
    bytes
}

/// The text of a value that is searched. A number is searched as its digits. NULL has no text.
pub(crate) fn text_in(value: &Value) -> Result<Option<Cow<'_, str>>, Unread> {
    match value {
        Value::Null => Ok(None),
        Value::Text(text) => redactable(text).map(|text| Some(text.into())),
        Value::Integer(number) => Ok(Some(number.to_string().into())),
        Value::Real(number) => Ok(Some(number.to_string().into())),
        // Bytes that are valid text are searched as text.
        Value::Blob(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| Unread::Bytes)?;
            redactable(text).map(|text| (!text.is_empty()).then(|| text.into()))
        }
    }
}

/// The JSON document in a value. An empty or blank text contains no document. A number contains no text.
pub(crate) fn document_in(value: &Value) -> Result<Option<&str>, Unread> {
    match value {
        Value::Text(text) => Ok(document(text)),
        Value::Blob(bytes) if !bytes.is_empty() => Err(Unread::Bytes),
        Value::Null | Value::Integer(_) | Value::Real(_) | Value::Blob(_) => Ok(None),
    }
}

/// A text with a JSON document. `None` if it is empty or blank, because many programs write this for "no document".
pub(crate) fn document(text: &str) -> Option<&str> {
    (!text.trim().is_empty()).then_some(text)
}

/// The identifier in a value. Bytes count if they are valid UTF-8.
pub(crate) fn identifier_in(value: &Value) -> Result<Option<Cow<'_, str>>, Unread> {
    match value {
        Value::Text(text) => searchable(text).map(|text| Some(text.into())),
        Value::Blob(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| Unread::Bytes)?;
            searchable(text).map(|text| Some(text.into()))
        }
        // A database may convert digits into a number.
        Value::Integer(number) => Ok(Some(number.to_string().into())),
        Value::Real(number) => Ok(whole(*number).map(Cow::Owned)),
        Value::Null => Ok(None),
    }
}

/// The digits of a whole number that was stored as a floating-point number. A number with a fraction is no
/// identifier.
pub(crate) fn whole(number: f64) -> Option<String> {
    (number.fract() == 0.0 && number.abs() < 1e15).then(|| format!("{number:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_searched_is_told_from_what_mentions_nobody() {
        assert_eq!(text_in(&Value::Null), Ok(None));
        assert_eq!(text_in(&Value::from(46_701)).unwrap().as_deref(), Some("46701"));
        assert_eq!(text_in(&Value::from("a \0 b\0")).unwrap().as_deref(), Some("a \0 b\0"));
        assert_eq!(text_in(&Value::from("S\0i\0g\0")), Err(Unread::Nul));
        assert_eq!(text_in(&Value::Blob(b"Sigrid".to_vec())).unwrap().as_deref(), Some("Sigrid"));
        assert_eq!(text_in(&Value::Blob(vec![0xff, 0xd8])), Err(Unread::Bytes));
        assert_eq!(text_in(&Value::Blob(Vec::new())), Ok(None));
    }

    #[test]
    fn bytes_that_are_not_utf_8_come_back_as_they_were() {
        let every: Vec<u8> = (0..=u8::MAX).chain(*b"\xc3\xa5 caf\xe9 \xff\xfe").collect();
        assert_eq!(unmarked(&marked(&every).unwrap()), every);
        assert_eq!(marked("\u{206b}é".as_bytes()), None);
        // The name behind the mark was replaced.
        let less = marked(b"\xc5ke ringde").unwrap().replace("Åke", "[x]");
        assert_eq!(unmarked(&less), b"[x] ringde");
    }

    #[test]
    fn an_empty_text_is_no_document() {
        for nothing in ["", " ", "\n\t "] {
            assert_eq!(document_in(&Value::from(nothing)), Ok(None));
        }
        assert_eq!(document_in(&Value::from("--- yaml")), Ok(Some("--- yaml")));
        assert_eq!(document_in(&Value::Blob(vec![1])), Err(Unread::Bytes));
    }
}
