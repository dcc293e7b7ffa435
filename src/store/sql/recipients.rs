//! `[recipients]`: who else has customers' data, and by what each of them knows a person.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::data_map::{IdentifiedBy, Kind, RECIPIENT_KEY, RecipientName};
use crate::document::{Reader, join};

/// Reads `search = "key"` and `newsletter = ["key", "email"]`.
pub(super) fn read_recipients(reader: &mut Reader, value: &Json) -> BTreeMap<RecipientName, IdentifiedBy> {
    let path = "recipients";
    let mut recipients = BTreeMap::new();
    for (name, value) in reader.open_table(path, value).into_iter().flatten() {
        let path = join(path, name);
        let Some(words) = reader.texts(&path, value) else { continue };
        let mut by = IdentifiedBy::default();
        for word in words {
            match word.parse::<Kind>() {
                _ if word == RECIPIENT_KEY => by = by.and_key(),
                Ok(kind) => by = by.and(kind),
                Err(_) => reader.problem(
                    &path,
                    format!("has no kind of personal data that is called {word}"),
                    "write \"key\" for the customer's key, or a kind that identifies a person, such as \"email\"",
                ),
            }
        }
        recipients.insert(name.as_str().into(), by);
    }
    recipients
}
