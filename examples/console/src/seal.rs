//! Sealed references: the encrypted text that replaces a customer's id in the address of a page.
//!
//! A reference is encrypted and authenticated with the console's key. On the same day the same text gives the same
//! reference, so links and the browser's history work. On another day the reference is different.
//!
//! The method is a synthetic initialisation vector (RFC 5297), made with HMAC-SHA-256. The tag covers the text and
//! starts the key stream. So the method needs no random number, and no number can be used twice.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::secret::{ConsoleKey, is_same};

const TAG: usize = 16;
/// For how many days a reference can be opened.
const DAYS: i64 = 7;
/// The text is padded to a multiple of this length, so that the reference does not show the length of an id.
const BLOCK: usize = 32;

/// Seals something for the address of a page.
pub(crate) fn seal(key: &ConsoleKey, purpose: &str, what: &impl Serialize, now: DateTime<Utc>) -> String {
    // Only structs of texts are sealed, and JSON can always write them.
    let mut text = serde_json::to_vec(what).unwrap_or_default();
    text.resize(text.len().next_multiple_of(BLOCK), b' ');
    let day = day(now).to_be_bytes();
    let tag = tag(key, purpose, day, &text);
    stream(key, &tag, &mut text);
    let mut sealed = day.to_vec();
    sealed.extend_from_slice(&tag);
    sealed.extend_from_slice(&text);
    BASE64_URL_SAFE_NO_PAD.encode(sealed)
}

/// Opens a reference. `None` if it was not made with this key for this purpose, or is too old.
pub(crate) fn open<T: DeserializeOwned>(
    key: &ConsoleKey,
    purpose: &str,
    sealed: &str,
    now: DateTime<Utc>,
) -> Option<T> {
    let sealed = BASE64_URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (made, rest) = sealed.split_first_chunk::<8>()?;
    let (given, text) = rest.split_first_chunk::<TAG>()?;
    let mut text = text.to_vec();
    stream(key, given, &mut text);
    let is_ours = is_same(given, &tag(key, purpose, *made, &text));
    let age = day(now).checked_sub(i64::from_be_bytes(*made))?;
    (is_ours && (0..=DAYS).contains(&age)).then(|| serde_json::from_slice(&text).ok())?
}

fn day(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(86_400)
}

fn tag(key: &ConsoleKey, purpose: &str, day: [u8; 8], text: &[u8]) -> [u8; TAG] {
    let mac = key.mac("reference: tag", &[purpose.as_bytes(), &day, text]);
    let mut tag = [0; TAG];
    tag.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
    tag
}

/// Encrypts or decrypts. Both are the same operation.
fn stream(key: &ConsoleKey, tag: &[u8; TAG], text: &mut [u8]) {
    for (block, part) in text.chunks_mut(32).enumerate() {
        let pad = key.mac("reference: stream", &[tag, &(block as u64).to_be_bytes()]);
        part.iter_mut().zip(pad).for_each(|(to, from)| *to ^= from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_reference_opens_to_what_was_sealed_and_shows_nothing_of_it() {
        let key = ConsoleKey::new([7; 32]);
        let now = at("2026-11-02T09:30:00Z");
        for id in ["17", "anna@example.org", "", "a longer key: with 40 letters and a few more of them", "Å"]
        {
            let sealed = seal(&key, "customer", &id, now);
            assert_eq!(open::<String>(&key, "customer", &sealed, now).as_deref(), Some(id));
            assert!(id.len() < 3 || !sealed.contains(id));
            assert_eq!(sealed, seal(&key, "customer", &id, at("2026-11-02T23:59:59Z")), "the same all day");
            assert_ne!(sealed, seal(&key, "customer", &id, at("2026-11-03T00:00:00Z")));
            assert_eq!(
                open::<String>(&key, "customer", &sealed, at("2026-11-09T23:00:00Z")).as_deref(),
                Some(id)
            );
            assert_eq!(
                open::<String>(&key, "customer", &sealed, at("2026-11-10T00:00:00Z")),
                None,
                "too old"
            );
            assert_eq!(
                open::<String>(&key, "customer", &sealed, at("2026-11-01T00:00:00Z")),
                None,
                "too early"
            );
            assert_eq!(open::<String>(&key, "plan", &sealed, now), None, "another purpose");
            assert_eq!(
                open::<String>(&ConsoleKey::new([8; 32]), "customer", &sealed, now),
                None,
                "another key"
            );
        }
        let length = |id: &str| seal(&key, "customer", &id, now).len();
        assert_eq!(length("1"), length("123456789"), "the length tells nothing");
    }

    #[test]
    fn no_changed_byte_opens() {
        let key = ConsoleKey::new([7; 32]);
        let now = at("2026-11-02T09:30:00Z");
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(seal(&key, "customer", &"17", now)).unwrap();
        for n in 0..sealed.len() {
            let mut other = sealed.clone();
            other[n] ^= 1;
            assert_eq!(
                open::<String>(&key, "customer", &BASE64_URL_SAFE_NO_PAD.encode(other), now),
                None,
                "{n}"
            );
        }
        assert_eq!(open::<String>(&key, "customer", "", now), None);
        assert_eq!(open::<String>(&key, "customer", "no base64!", now), None);
    }
}
