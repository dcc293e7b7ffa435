//! Says what a value becomes if that depends on the value: a document that is blanked, and a value that cannot be
//! read.

use super::{Strategy, document};
use crate::data_map::Value;

/// What a value becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Becomes {
    /// A blank document with as many pages.
    Blank,
    /// Another value: an image of a single pixel, or what the policy writes instead.
    Other,
    /// An empty file or text.
    Empty,
    /// Nothing: the value is removed.
    Nothing,
}

/// What a value becomes, and whether the reason is that it cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByContent {
    pub(crate) becomes: Becomes,
    pub(crate) is_unreadable: bool,
}

/// The digit of an unreadable value in a [code](ByContent::code).
const UNREADABLE: u64 = 10;

impl ByContent {
    /// The outcome for a document that is blanked. `None` if there is no document, if it is blank already, or if the
    /// strategy blanks nothing.
    pub(crate) fn of_document(strategy: &Strategy, old: &Value) -> Option<Self> {
        let Strategy::Blank { otherwise } = strategy else { return None };
        if *old == Value::Null || strategy.holds(old) {
            return None;
        }
        let blank = match old {
            Value::Blob(file) => document::blank(file).ok(),
            Value::Null | Value::Integer(_) | Value::Real(_) | Value::Text(_) => None,
        };
        let Some(file) = blank else { return Some(Self::unreadable(otherwise)) };
        let becomes = match file.as_slice() {
            [] => Becomes::Empty,
            file if document::is_one_pixel(file) => Becomes::Other,
            _ => Becomes::Blank,
        };
        Some(Self { becomes, is_unreadable: false })
    }

    /// The outcome for a value that cannot be read: it becomes what another strategy writes.
    pub(crate) fn unreadable(otherwise: &Strategy) -> Self {
        let becomes = match otherwise {
            Strategy::Clear | Strategy::Constant(Value::Null) => Becomes::Nothing,
            Strategy::Constant(Value::Blob(bytes)) if bytes.is_empty() => Becomes::Empty,
            Strategy::Constant(Value::Text(text)) if text.is_empty() => Becomes::Empty,
            _ => Becomes::Other,
        };
        Self { becomes, is_unreadable: true }
    }

    /// The outcome as a number that a database counts. 0 is no outcome.
    #[cfg_attr(not(any(feature = "sqlite", feature = "postgres")), allow(dead_code, reason = "SQL counts"))]
    pub(crate) fn code(outcome: Option<Self>) -> u64 {
        outcome.map_or(0, |Self { becomes, is_unreadable }| {
            let digit = match becomes {
                Becomes::Blank => 1,
                Becomes::Other => 2,
                Becomes::Empty => 3,
                Becomes::Nothing => 4,
            };
            digit + if is_unreadable { UNREADABLE } else { 0 }
        })
    }

    /// The outcome of a number.
    #[cfg_attr(not(any(feature = "sqlite", feature = "postgres")), allow(dead_code, reason = "SQL counts"))]
    pub(crate) fn of_code(code: u64) -> Option<Self> {
        let becomes = match code % UNREADABLE {
            1 => Becomes::Blank,
            2 => Becomes::Other,
            3 => Becomes::Empty,
            4 => Becomes::Nothing,
            _ => return None,
        };
        Some(Self { becomes, is_unreadable: code >= UNREADABLE })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_gives_its_outcome_back() {
        for becomes in [Becomes::Blank, Becomes::Other, Becomes::Empty, Becomes::Nothing] {
            for is_unreadable in [false, true] {
                let outcome = Some(ByContent { becomes, is_unreadable });
                assert_eq!(ByContent::of_code(ByContent::code(outcome)), outcome);
            }
        }
        assert_eq!(ByContent::of_code(ByContent::code(None)), None);
    }
}
