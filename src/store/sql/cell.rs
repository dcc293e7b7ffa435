//! A value as a database gives it.

use crate::data_map::{Stored, Value};

/// A value of a row, or an argument of a function. It has no `Debug`: it may be personal.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Cell<'v> {
    Null,
    Integer(i64),
    Real(f64),
    /// The bytes of a text. SQLite stores any; in other databases they are UTF-8.
    Text(&'v [u8]),
    Blob(&'v [u8]),
}

impl<'v> Cell<'v> {
    /// A value of its own. What is no UTF-8 in a text is replaced.
    pub(crate) fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => Value::Integer(number),
            Self::Real(number) => Value::Real(number),
            Self::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
            Self::Blob(bytes) => Value::Blob(bytes.to_vec()),
        }
    }

    /// The same, to be written back. None of a text that is no UTF-8.
    pub(crate) fn to_exact_value(self) -> Option<Value> {
        match self {
            Self::Text(bytes) => std::str::from_utf8(bytes).ok().map(Value::from),
            other => Some(other.to_value()),
        }
    }

    /// A value to be read as a date, without taking a copy of a text.
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
