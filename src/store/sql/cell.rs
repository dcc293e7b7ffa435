//! A value as read from a database.

use crate::data_map::{Stored, Value};

/// A value of a row, or an argument of a function. It has no `Debug`, because it may be personal.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Cell<'v> {
    Null,
    Integer(i64),
    Real(f64),
    /// The bytes of a text. SQLite stores any bytes; other databases store UTF-8.
    Text(&'v [u8]),
    Blob(&'v [u8]),
}

impl<'v> Cell<'v> {
    /// An owned value. Invalid UTF-8 in a text is replaced.
    pub(crate) fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => Value::Integer(number),
            Self::Real(number) => Value::Real(number),
            Self::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
            Self::Blob(bytes) => Value::Blob(bytes.to_vec()),
        }
    }

    /// The bytes of a text or of bytes. Empty for other values.
    pub(crate) fn bytes(self) -> &'v [u8] {
        match self {
            Self::Text(bytes) | Self::Blob(bytes) => bytes,
            Self::Null | Self::Integer(_) | Self::Real(_) => &[],
        }
    }

    /// An owned value that can be written back. `None` for a text that is not UTF-8.
    pub(crate) fn to_exact_value(self) -> Option<Value> {
        match self {
            Self::Text(bytes) => std::str::from_utf8(bytes).ok().map(Value::from),
            other => Some(other.to_value()),
        }
    }

    /// The value for reading as a date, without a copy of its text.
    pub(crate) fn stored(self) -> Stored<'v> {
        match self {
            Self::Null => Stored::Null,
            Self::Integer(number) => Stored::Integer(number),
            Self::Real(number) => Stored::Real(number),
            Self::Text(bytes) => std::str::from_utf8(bytes).map_or(Stored::Bytes, Stored::Text),
            Self::Blob(_) => Stored::Bytes,
        }
    }
}

impl<'v> From<&'v Value> for Cell<'v> {
    fn from(value: &'v Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Integer(number) => Self::Integer(*number),
            Value::Real(number) => Self::Real(*number),
            Value::Text(text) => Self::Text(text.as_bytes()),
            Value::Blob(bytes) => Self::Blob(bytes),
        }
    }
}
