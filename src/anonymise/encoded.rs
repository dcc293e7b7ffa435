//! Decodes encoded texts for the search, and replaces mentions without changing any other byte.

use core::ops::Range;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::data_map::Encoding;

/// A decoded text, with the position of each byte in the encoded text.
#[derive(Default)]
pub(super) struct Decoded {
    pub(super) text: String,
    parts: Vec<Part>,
}

/// The start in the decoded text.
struct Part {
    decoded: usize,
    raw: Range<usize>,
    /// Whether the part is not encoded. Otherwise all its bytes are one encoded character.
    is_plain: bool,
}

impl Decoded {
    fn plain(&mut self, raw: usize, text: &str) {
        let end = raw + text.len();
        match self.parts.last_mut() {
            Some(last) if last.is_plain && last.raw.end == raw => last.raw.end = end,
            _ if text.is_empty() => {}
            _ => self.parts.push(Part { decoded: self.text.len(), raw: raw..end, is_plain: true }),
        }
        self.text.push_str(text);
    }

    fn one(&mut self, raw: Range<usize>, c: char) {
        self.parts.push(Part { decoded: self.text.len(), raw, is_plain: false });
        self.text.push(c);
    }

    fn part(&self, decoded: usize) -> Option<&Part> {
        let at = self.parts.partition_point(|part| part.decoded <= decoded);
        at.checked_sub(1).and_then(|at| self.parts.get(at))
    }

    /// The range in the encoded text for a range in the decoded text.
    pub(super) fn raw(&self, place: &Range<usize>) -> Range<usize> {
        let start = self
            .part(place.start)
            .map_or(0, |part| part.raw.start + if part.is_plain { place.start - part.decoded } else { 0 });
        let end = place.end.checked_sub(1).and_then(|last| self.part(last)).map_or(start, |part| {
            if part.is_plain { part.raw.start + (place.end - part.decoded) } else { part.raw.end }
        });
        start..end.max(start)
    }
}

/// The decoded text.
pub(super) fn read(encoding: Encoding, text: &str) -> Cow<'_, str> {
    decoded(encoding, text).map_or(Cow::Borrowed(text), |decoded| decoded.text.into())
}

/// Decodes a text, and keeps the positions in the encoded text. `None`: nothing in it is encoded.
pub(super) fn decoded(encoding: Encoding, text: &str) -> Option<Decoded> {
    match encoding {
        Encoding::Html if text.contains('&') => Some(html(text)),
        Encoding::QuotedPrintable if text.contains('=') => Some(quoted_printable(text)),
        _ => None,
    }
}

/// Encodes the text that replaces a mention.
pub(super) fn encoded(encoding: Encoding, text: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len());
    match encoding {
        Encoding::Plain => return text.into(),
        Encoding::Html => {
            for c in text.chars() {
                match c {
                    '&' => out.push_str("&amp;"),
                    '<' => out.push_str("&lt;"),
                    '>' => out.push_str("&gt;"),
                    '"' => out.push_str("&quot;"),
                    '\'' => out.push_str("&#39;"),
                    c => out.push(c),
                }
            }
        }
        Encoding::QuotedPrintable => {
            for byte in text.bytes() {
                match byte {
                    b' '..=b'~' if byte != b'=' => out.push(char::from(byte)),
                    // Writing to a String never fails.
                    byte => drop(write!(out, "={byte:02X}")),
                }
            }
        }
    }
    out.into()
}

/// The named characters of HTML that are letters, or signs in names, addresses and numbers (HTML Living Standard,
/// 13.5).
static NAMED: LazyLock<Vec<(&str, char)>> = LazyLock::new(|| {
    let lines = include_str!("html_entities.txt").lines();
    lines
        .filter_map(|line| {
            let (name, code) = line.split_once(' ')?;
            Some((name, char::from_u32(u32::from_str_radix(code, 16).ok()?)?))
        })
        .collect()
});

/// The length of the longest name or number.
const LONGEST_ENTITY: usize = 12;

fn html(text: &str) -> Decoded {
    let mut decoded = Decoded::default();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let sign = rest.find('&').unwrap_or(rest.len());
        decoded.plain(at, rest.get(..sign).unwrap_or_default());
        let Some(behind) = rest.get(sign + 1..) else { break };
        at += sign;
        if let Some((len, c)) = entity(behind) {
            decoded.one(at..at + 1 + len, c);
            at += 1 + len;
        } else {
            decoded.plain(at, "&");
            at += 1;
        }
    }
    decoded
}

/// The character at the start of `ouml;…` or `#246;…`, and the length of its spelling.
fn entity(text: &str) -> Option<(usize, char)> {
    let len = text.bytes().take(LONGEST_ENTITY + 1).position(|byte| byte == b';')?;
    let name = text.get(..len)?;
    let c = if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        match code.ok()? {
            code @ 0x80..=0x9f => windows(u8::try_from(code).ok()?),
            code => char::from_u32(code)?,
        }
    } else {
        let at = NAMED.binary_search_by_key(&name, |(name, _)| name).ok()?;
        NAMED.get(at)?.1
    };
    Some((len + 1, c))
}

/// The characters of Windows-1252 that are not in Latin-1.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Reads a byte that is no valid UTF-8 as Windows-1252, a superset of Latin-1.
fn windows(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS.get(usize::from(byte - 0x80)).copied().unwrap_or(char::from(byte)),
        byte => char::from(byte),
    }
}

fn quoted_printable(text: &str) -> Decoded {
    let bytes = text.as_bytes();
    let (mut read, mut places): (Vec<u8>, Vec<Range<usize>>) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        let behind = bytes.get(at + 1..).unwrap_or_default();
        let (byte, len) = match (byte, behind) {
            // A soft line break: the line continues.
            (b'=', [b'\r', b'\n', ..]) => (None, 3),
            (b'=', [b'\n', ..]) => (None, 2),
            (b'=', [high, low, ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (Some(high << 4 | low), 3),
                _ => (Some(byte), 1),
            },
            _ => (Some(byte), 1),
        };
        if let Some(byte) = byte {
            read.push(byte);
            places.push(at..at + len);
        }
        at += len;
    }
    let mut decoded = Decoded::default();
    let mut n = 0;
    let place = |n: usize, len: usize| {
        let first = places.get(n).map_or(0, |place| place.start);
        first..places.get(n + len - 1).map_or(first, |place| place.end)
    };
    for chunk in read.utf8_chunks() {
        for c in chunk.valid().chars() {
            let raw = place(n, c.len_utf8());
            if raw.len() == c.len_utf8() {
                decoded.plain(raw.start, c.encode_utf8(&mut [0; 4]));
            } else {
                decoded.one(raw, c);
            }
            n += c.len_utf8();
        }
        for byte in chunk.invalid() {
            decoded.one(place(n, 1), windows(*byte));
            n += 1;
        }
    }
    decoded
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The maximum number of characters in a line (RFC 2045, 6.7).
const LINE: usize = 76;

/// Adds soft line breaks to lines of quoted-printable text that have become too long.
pub(super) fn wrapped(encoding: Encoding, before: &str, text: String) -> String {
    let is_long = |line: &str| line.trim_end_matches('\r').len() > LINE;
    if encoding != Encoding::QuotedPrintable
        || before.split('\n').any(is_long)
        || !text.split('\n').any(is_long)
    {
        return text;
    }
    let soft_break = if before.contains("\r\n") { "=\r\n" } else { "=\n" };
    let mut out = String::with_capacity(text.len() + 8);
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            out.push('\n');
        }
        let (mut rest, end) = match line.strip_suffix('\r') {
            Some(line) => (line, "\r"),
            None => (line, ""),
        };
        while rest.len() > LINE {
            // Do not break within an escaped character such as `=C3`.
            let sign = rest.get(..LINE - 1).and_then(|line| line.rfind('=')).filter(|at| at + 3 > LINE - 1);
            let mut cut = sign.unwrap_or(LINE - 1);
            while !rest.is_char_boundary(cut) {
                cut -= 1;
            }
            let (line, behind) = rest.split_at(cut);
            out.push_str(line);
            out.push_str(soft_break);
            rest = behind;
        }
        out.push_str(rest);
        out.push_str(end);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::text::{Matcher, Sought};
    use super::*;
    use crate::customer::Identifiers;
    use crate::data_map::Kind;

    fn without(encoding: Encoding, text: &str, with: &str) -> Option<String> {
        let mut who = Identifiers::new();
        who.insert(Kind::Name, "Björn Åkerblad");
        who.insert(Kind::Email, "bjorn@example.org");
        let people = Matcher::new([&who]).unwrap();
        let also = BTreeSet::new();
        Sought { people: &people, also: &also, names_alone: false, encoding }.redact(text, with)
    }

    #[test]
    fn the_names_of_characters_are_in_order() {
        assert!(NAMED.is_sorted_by_key(|(name, _)| *name) && NAMED.len() > 300);
    }

    #[test]
    fn a_table_of_encoded_texts_and_what_is_left_of_them() {
        let (html, quoted) = (Encoding::Html, Encoding::QuotedPrintable);
        for (encoding, text, wanted) in [
            (html, "<p>Bj&ouml;rn &Aring;kerblad &amp; co</p>", "<p>&lt;x&gt; &amp; co</p>"),
            (html, "Bj&#246;rn&nbsp;&#xC5;kerblad&hellip;", "&lt;x&gt;&hellip;"),
            (html, "<a href=\"mailto:bjorn&#64;example.org\">", "<a href=\"mailto:&lt;x&gt;\">"),
            (html, "AT&T, Björn Åkerblad", "AT&T, &lt;x&gt;"),
            (quoted, "Hej Bj=C3=B6rn =C3=85kerblad=2E", "Hej <x>=2E"),
            (quoted, "Hej Bj=F6rn =C5kerblad, =\r\nja", "Hej <x>, =\r\nja"),
            (quoted, "Hej Bj=C3=B6rn =C3=\r\n=85kerb=\r\nlad=\r\n.", "Hej <x>=\r\n."),
            (quoted, "1 =3D 1, bjorn=40example.org", "1 =3D 1, <x>"),
        ] {
            assert_eq!(without(encoding, text, "<x>").as_deref(), Some(wanted), "{text}");
            assert_eq!(without(encoding, wanted, "<x>"), None, "{wanted}");
        }
        assert_eq!(without(quoted, "Björn Åkerblad", "a=b").as_deref(), Some("a=3Db"));
    }

    #[test]
    fn a_line_that_becomes_too_long_is_broken() {
        let text = format!("{} Bj=C3=B6rn =C3=85kerblad {}\r\nend", "x".repeat(30), "y".repeat(18));
        let less = without(Encoding::QuotedPrintable, &text, &"[erased] ".repeat(6)).unwrap();
        assert!(less.split("\r\n").all(|line| line.len() <= LINE), "{less}");
        assert!(less.replace("=\r\n", "").ends_with(&format!(" {}\r\nend", "y".repeat(18))), "{less}");
    }

    /// Writes each character in one of the possible spellings of an encoding.
    fn spelled(encoding: Encoding, text: &str, ways: &[u8]) -> String {
        let mut ways = ways.iter().copied().cycle();
        let mut out = String::new();
        for c in text.chars() {
            let way = ways.next().unwrap_or_default();
            match encoding {
                Encoding::Html if way == 1 || c == '&' => write!(out, "&#{};", u32::from(c)).unwrap(),
                Encoding::Html if way == 2 => write!(out, "&#x{:X};", u32::from(c)).unwrap(),
                Encoding::QuotedPrintable if way > 0 || !c.is_ascii() || c == '=' => {
                    c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| write!(out, "={byte:02X}").unwrap());
                    if way == 2 {
                        out.push_str("=\n");
                    }
                }
                _ => out.push(c),
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// With any encoding of any characters, the same mentions are found as in the plain text, and all other bytes
        /// stay unchanged.
        #[test]
        fn the_same_is_found_as_in_the_text_that_people_read(
            parts in prop::collection::vec("[a-zåé&;=# ]{0,6}|Björn Åkerblad|bjorn@example\\.org", 0..6),
            ways in prop::collection::vec(0..3_u8, 1..9), is_html: bool,
        ) {
            let encoding = if is_html { Encoding::Html } else { Encoding::QuotedPrintable };
            let text = parts.join(" ");
            let raw = spelled(encoding, &text, &ways);
            prop_assert_eq!(&*read(encoding, &raw), &*text);
            let plain = without(Encoding::Plain, &text, "\u{1}");
            let less = without(encoding, &raw, "\u{1}");
            prop_assert_eq!(less.as_deref().map(|less| read(encoding, less).into_owned()), plain);
            // The rest of the raw text consists of parts of the original, in order.
            let mark = encoded(encoding, "\u{1}").into_owned();
            let mut from = 0;
            for part in less.as_deref().unwrap_or(&raw).split(mark.as_str()) {
                let at = raw[from..].find(part);
                prop_assert!(at.is_some(), "{:?} is no part of {:?}", part, raw);
                from += at.unwrap() + part.len();
            }
        }
    }
}
