//! Searches for values that must not appear anywhere, in every spelling in which they might leak.

use std::fmt::Write as _;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The name of a spelling, and the bytes of a value in this spelling.
type Spelling = (&'static str, Vec<u8>);

/// All spellings in which a value might leak.
fn spellings(value: &str) -> Vec<Spelling> {
    let bytes = value.as_bytes();
    let (lower, upper) = (hex::encode(bytes), hex::encode_upper(bytes));
    let mut list = vec![
        ("raw", bytes.to_vec()),
        ("hex", lower.into_bytes()),
        ("upper-case hex", upper.into_bytes()),
        ("JSON", json(value, None)),
        ("JSON in ASCII", json(value, Some(|unit| format!("\\u{unit:04x}")))),
        ("JSON in upper-case ASCII", json(value, Some(|unit| format!("\\u{unit:04X}")))),
        ("Debug", format!("{value:?}").trim_matches('"').as_bytes().to_vec()),
        ("SQL", value.replace('\'', "''").into_bytes()),
        ("UTF-16 LE", value.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("UTF-16 BE", value.encode_utf16().flat_map(u16::to_be_bytes).collect()),
    ];
    for space in ["%20", "+"] {
        list.push(("percent", percent(value, space, |byte| format!("%{byte:02X}"))));
        list.push(("lower-case percent", percent(value, space, |byte| format!("%{byte:02x}"))));
    }
    for before in 0..3 {
        let inner = |text: String| inner_base64(&text, before, bytes.len());
        let shifted = [&vec![0; before][..], bytes].concat();
        list.push(("base64", inner(STANDARD_NO_PAD.encode(&shifted))));
        list.push(("base64 for URLs", inner(URL_SAFE_NO_PAD.encode(&shifted))));
    }
    list
}

/// The value as JSON writes it inside quotes. If an `escape` is given, it is used for every character outside ASCII.
fn json(value: &str, escape: Option<fn(u16) -> String>) -> Vec<u8> {
    let quoted = serde_json::to_string(value).unwrap();
    let inner = &quoted[1..quoted.len() - 1];
    let mut spelled = String::new();
    for letter in inner.chars() {
        match escape {
            Some(escape) if !letter.is_ascii() => {
                spelled.extend(letter.encode_utf16(&mut [0; 2]).iter().map(|unit| escape(*unit)));
            }
            _ => spelled.push(letter),
        }
    }
    spelled.into_bytes()
}

fn percent(value: &str, space: &str, escape: fn(u8) -> String) -> Vec<u8> {
    let mut spelled = String::new();
    for byte in value.bytes() {
        match byte {
            b' ' => spelled.push_str(space),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                spelled.push(char::from(byte));
            }
            _ => spelled.push_str(&escape(byte)),
        }
    }
    spelled.into_bytes()
}

/// The part of a base64 text that depends on the value alone. `before` is the number of bytes before the value; any
/// bytes may follow.
fn inner_base64(text: &str, before: usize, bytes: usize) -> Vec<u8> {
    let (from, to) = ((before * 8).div_ceil(6), (before + bytes) * 8 / 6);
    text.as_bytes()[from..to].to_vec()
}

/// The values to search for. One search looks for all spellings of all values.
pub(super) struct Canaries {
    named: Vec<String>,
    search: AhoCorasick,
}

impl Canaries {
    /// Each value has to be so long that it is not found by chance.
    pub(super) fn new<'v>(values: impl IntoIterator<Item = &'v str>) -> Self {
        let (mut named, mut needles) = (Vec::new(), Vec::new());
        for value in values {
            assert!(value.chars().count() >= 12, "{value} may be found by accident");
            for (how, needle) in spellings(value) {
                named.push(format!("{value} ({how})"));
                needles.push(needle);
            }
        }
        Self { named, search: AhoCorasick::new(&needles).unwrap() }
    }

    /// An error says which value was found, in which spelling, in which place, and the text around it.
    pub(super) fn search(&self, place: &str, bytes: &[u8]) -> Result<(), String> {
        let Some(found) = self.search.find(bytes) else { return Ok(()) };
        let around = &bytes[found.start().saturating_sub(60)..bytes.len().min(found.end() + 60)];
        let name = &self.named[found.pattern().as_usize()];
        Err(format!("{name} is in {place}: …{}…", String::from_utf8_lossy(around)))
    }
}

const VALUES: [&str; 4] =
    ["v0123456789abcdef", "Zoë \"Zo\" O'Ash-𝄞", "v77 Åsa/Ö?~ö\\n+& %20", "plain.name@example.org"];

#[test]
fn a_value_is_found_in_every_spelling_and_whatever_is_around_it() {
    for value in VALUES {
        let canaries = Canaries::new([value]);
        let written: Vec<Vec<u8>> = vec![
            value.into(),
            hex::encode(value).into(),
            hex::encode_upper(value).into(),
            serde_json::to_vec(value).unwrap(),
            serde_json::to_vec(&serde_json::json!({ "said": value }).to_string()).unwrap()[1..].to_vec(),
            format!("{value:?}").into(),
            value.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            value.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        ];
        for (n, bytes) in written.into_iter().enumerate() {
            // A text that is quoted twice is JSON inside JSON. Only a value without quotes is spelled there as in
            // simple JSON.
            if n == 4 && value.contains(['"', '\\']) {
                continue;
            }
            let bytes = [b"before ", &bytes[..], b" after"].concat();
            assert!(canaries.search("the test", &bytes).is_err(), "{value} as {n}");
        }
        for before in ["", "a", "ab", "abc"] {
            for after in ["", "x", "xy"] {
                let text = format!("{before}{value}{after}");
                for spelled in [
                    STANDARD_NO_PAD.encode(&text),
                    URL_SAFE_NO_PAD.encode(&text),
                    base64::engine::general_purpose::STANDARD.encode(&text),
                ] {
                    assert!(canaries.search("the test", spelled.as_bytes()).is_err(), "{text} as {spelled}");
                }
            }
        }
    }
}

/// The expected spellings are worked out by hand, so that the code is not compared with itself.
#[test]
fn the_spellings_are_those_of_the_standards() {
    let canaries = Canaries::new(["Zoë \"Zo\" O'Ash"]);
    for spelled in [
        "Zo\\u00eb \\\"Zo\\\" O'Ash",
        "Zo\\u00EB \\\"Zo\\\" O'Ash",
        "Zoë \\\"Zo\\\" O'Ash",
        "Zoë \"Zo\" O''Ash",
        "Zo%C3%AB%20%22Zo%22%20O%27Ash",
        "Zo%c3%ab+%22Zo%22+O%27Ash",
        "5a6fc3ab20225a6f22204f27417368",
        "5A6FC3AB20225A6F22204F27417368",
        "Wm/DqyAiWm8iIE8nQXNo",
        "Wm_DqyAiWm8iIE8nQXNo",
    ] {
        assert!(canaries.search("the test", spelled.as_bytes()).is_err(), "{spelled}");
    }
    let wide: Vec<u8> = "Zoë \"Zo\" O'Ash".chars().flat_map(|letter| [letter as u8, 0]).collect();
    assert!(canaries.search("the test", &wide).is_err());
    for other in ["Zoe \"Zo\" O'Ash", "Wm8iIE8nQXNo", "5a6fc3ab2022", ""] {
        assert_eq!(canaries.search("the test", other.as_bytes()), Ok(()));
    }
}

#[test]
fn what_is_found_is_named_with_its_spelling_and_its_place() {
    let mut text = String::from("the log says ");
    let _ = write!(text, "{}", hex::encode(VALUES[0]));
    let found = Canaries::new(VALUES).search("the log", text.as_bytes()).unwrap_err();
    assert!(found.contains("v0123456789abcdef (hex) is in the log: …the log says"), "{found}");
}
