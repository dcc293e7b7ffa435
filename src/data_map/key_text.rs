//! Spells keys as one text.
//!
//! | a part of a key holds | the text |
//! |---|---|
//! | a whole number | its digits |
//! | text | the text |
//! | 16 bytes | a UUID: `0190aabb-ccdd-7000-8000-000000000001` |
//! | other bytes | `0x` and hexadecimal digits |
//!
//! The parts of a composite key are joined by a colon. A colon or a percent sign inside a part is written `%3A` or
//! `%25`.

use super::Value;
use crate::hex;

/// The text of a key. `None` if a part is NULL.
pub(crate) fn spelled_key(parts: &[Value]) -> Option<String> {
    if let [one] = parts {
        return part(one);
    }
    let texts: Option<Vec<String>> = parts.iter().map(part).collect();
    let texts = texts?;
    let escaped: Vec<String> =
        texts.iter().map(|part| part.replace('%', "%25").replace(':', "%3A")).collect();
    Some(escaped.join(":"))
}

fn part(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(number) => Some(format!("{number:?}")),
        Value::Text(text) => Some(text.clone()),
        Value::Blob(bytes) => Some(match <[u8; 16]>::try_from(bytes.as_slice()) {
            Ok(uuid) => {
                let digits = hex::encode(uuid);
                let parts =
                    [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| digits.get(range).unwrap_or_default());
                parts.join("-")
            }
            Err(_) => format!("0x{}", hex::encode(bytes)),
        }),
    }
}
