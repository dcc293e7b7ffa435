//! Conditions to which a store holds the values of a field.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::Value;

type Accepts = dyn Fn(&Value) -> Option<bool> + Send + Sync;

/// A condition to which a store holds a field's values, beyond its [`Constraints`](super::Constraints): a CHECK of an SQL
/// table, or a rule of the host's own code.
///
/// A policy is held against it before anything runs: what it refuses is never written. It is known by its text, so a text
/// that stays the same has to mean the same.
///
/// ```
/// use relinquish::data_map::{Check, Field, Kind, Value};
///
/// let check = Check::new("a code in capitals", |value| {
///     value.as_text().is_none_or(|code| !code.bytes().any(|b| b.is_ascii_lowercase()))
/// });
/// let field = Field::personal("code", Kind::CustomerNumber).required().held_to(check);
/// assert_eq!(field.checks()[0].accepts(&Value::from("Anonymised 2026-11-25")), Some(false));
/// ```
#[derive(Clone)]
pub struct Check {
    text: String,
    accepts: Arc<Accepts>,
}

impl Check {
    /// A condition in words, and whether a value meets it. NULL is asked about too, where the field takes it.
    pub fn new(text: impl Into<String>, accepts: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        Self::perhaps(text, move |value| Some(accepts(value)))
    }

    /// One of which it may not be known whether a value meets it.
    pub(crate) fn perhaps(
        text: impl Into<String>,
        accepts: impl Fn(&Value) -> Option<bool> + Send + Sync + 'static,
    ) -> Self {
        Self { text: text.into(), accepts: Arc::new(accepts) }
    }

    /// In words, or as the schema says it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a value meets it; `None` where that is not known before the store is asked to write it.
    pub fn accepts(&self, value: &Value) -> Option<bool> {
        (self.accepts)(value)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.text).finish()
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// By the text.
impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Check {}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}
