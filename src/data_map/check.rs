//! Conditions that a store enforces on the values of a field.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::Value;

type Accepts = dyn Fn(&Value) -> Option<bool> + Send + Sync;

/// A condition that a store enforces on a field's values, in addition to its [`Constraints`](super::Constraints): a
/// CHECK of an SQL table, or a rule of the host's own code.
///
/// A policy is checked against the condition before anything runs. So a value that the store would refuse is never
/// written. The text identifies the condition: the same text must always mean the same condition.
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
    /// A condition in words, and a function that tells whether a value meets it. If the field is nullable, the
    /// function is called for NULL, too.
    pub fn new(text: impl Into<String>, accepts: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        Self::perhaps(text, move |value| Some(accepts(value)))
    }

    /// A condition whose result may be unknown for some values.
    pub(crate) fn perhaps(
        text: impl Into<String>,
        accepts: impl Fn(&Value) -> Option<bool> + Send + Sync + 'static,
    ) -> Self {
        Self { text: text.into(), accepts: Arc::new(accepts) }
    }

    /// The condition in words, or as in the schema.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a value meets the condition. `None` if only the store can tell.
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

/// Compares the text only.
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
