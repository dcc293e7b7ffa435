//! What has to hold of any bytes at all: the entry points for a fuzzer.
//!
//! Each function takes bytes that nobody vouches for and panics where a law is broken. The example `fuzz` feeds them for
//! as long as it is told; a coverage-guided fuzzer can call them as they are.

use crate::anonymise::json::{Edit, Pointer, edit, values};
use crate::anonymise::text::{Matcher, detect};
use crate::customer::Identifiers;
use crate::data_map::Kind;

/// Somebody whose identifiers are a part of the bytes, looked for in the rest: ranges are within the text and between
/// characters, and what is outside a mention stays.
///
/// # Panics
/// Where that does not hold.
pub fn text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(5, '\n');
    let mut who = Identifiers::new();
    for kind in [Kind::Name, Kind::Email, Kind::Phone, Kind::Address] {
        who.insert(kind, parts.next().unwrap_or_default());
    }
    let searched = parts.next().unwrap_or_default();
    let Ok(matcher) = Matcher::new([&who]) else { return };
    let found = matcher.find(searched);
    for mention in &found {
        assert!(searched.get(mention.range.clone()).is_some_and(|own| !own.is_empty()), "a range is no part");
    }
    let is_certain = found.iter().any(|mention| mention.is_certain);
    let redacted = matcher.redact(searched, "\u{1}");
    assert_eq!(redacted.text.is_some(), is_certain, "what is certain is replaced");
    let left = redacted.text.unwrap_or_else(|| searched.to_owned());
    let mut rest = searched;
    for part in left.split('\u{1}').filter(|part| !part.is_empty() && !searched.contains('\u{1}')) {
        let at = rest.find(part);
        assert!(at.is_some(), "what is left is no part of what was there");
        rest = at.and_then(|at| rest.get(at + part.len()..)).unwrap_or_default();
    }
    for detected in detect(searched) {
        assert!(searched.get(detected.range).is_some(), "a range is no part");
    }
}

/// A pointer and a document: an answer, and what was edited is JSON as before.
///
/// # Panics
/// Where that does not hold.
pub fn json(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (pointer, document) = text.split_once('\n').unwrap_or(("/*", &text));
    let Ok(pointer) = pointer.parse::<Pointer>() else { return };
    let found = values(document, &pointer).map(|found| found.len());
    let unchanged = edit(document, &pointer, |_| None);
    assert!(!matches!(unchanged, Ok(Some(_))), "nothing was to be changed");
    for change in [Edit::Remove, Edit::Write(serde_json::Value::Null)] {
        let edited = edit(document, &pointer, |_| Some(change.clone()));
        assert_eq!(edited.is_ok(), found.is_ok(), "reading and editing agree");
        if let (Ok(Some(edited)), Ok(count)) = (edited, &found) {
            assert!(*count > 0, "something was edited that was not found");
            assert!(values(&edited, &pointer).is_ok(), "an edited document is a document");
            if change != Edit::Remove {
                let again = values(&edited, &pointer).map(|found| found.len());
                assert_eq!(again.as_ref(), Ok(count), "as much is found as before");
            }
        }
    }
}

/// A file: an answer, and a blank document is one and stays so.
///
/// # Panics
/// Where that does not hold.
pub fn document(data: &[u8]) {
    use crate::anonymise::document::{blank, is_blank};

    if let Ok(blanked) = blank(data) {
        assert!(is_blank(&blanked), "a blank document is told as such");
        assert_eq!(blank(&blanked).as_ref(), Ok(&blanked), "blanked twice is blanked once");
    }
}
