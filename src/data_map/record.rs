//! One record and its values, as a store reads and writes them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ClassName, FieldName};

/// A value of a field. Its `Debug` shows the type and nothing else.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// No value.
    Null,
    /// A whole number. Booleans are 0 and 1.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    /// The text, if the value is a text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Integer(_) => "Integer(…)",
            Self::Real(_) => "Real(…)",
            Self::Text(_) => "Text(…)",
            Self::Blob(_) => "Blob(…)",
        })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The key of a record within its class.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey(String);

impl RecordKey {
    /// Makes a key from the host's spelling.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The key in the host's spelling. It may identify a person, so do not log it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordKey(…)")
    }
}

/// A record: its class, its key, and the values of its fields.
#[derive(Clone, PartialEq)]
pub struct Record {
    /// The record's class.
    pub class: ClassName,
    /// The record's key.
    pub key: RecordKey,
    /// The record's values. A field that is missing here counts as [`Value::Null`].
    pub fields: BTreeMap<FieldName, Value>,
}

impl Record {
    /// A record with no fields yet.
    pub fn new(class: impl Into<ClassName>, key: impl Into<String>) -> Self {
        Self { class: class.into(), key: RecordKey::new(key), fields: BTreeMap::new() }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, field: impl Into<FieldName>, value: impl Into<Value>) -> Self {
        self.fields.insert(field.into(), value.into());
        self
    }

    /// The value of a field.
    pub fn get(&self, field: &str) -> &Value {
        self.fields.get(field).unwrap_or(&Value::Null)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("class", &self.class)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}
