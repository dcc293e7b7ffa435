//! Reason codes: why a person decided something.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The maximum number of characters in a code.
const MOST: usize = 64;

/// Why a person waived a step or cancelled a case: a short code, such as `wrong-profile` or `ticket-4711`. The ledger
/// keeps the code for good. So the code has room for a reference, but not for a sentence. The host records what the
/// code means.
///
/// ```
/// use relinquish::plan::ReasonCode;
///
/// assert_eq!("ticket-4711".parse::<ReasonCode>()?.as_str(), "ticket-4711");
/// assert!("Maud Ash asked for it".parse::<ReasonCode>().is_err());
/// # Ok::<(), relinquish::plan::NotAReasonCode>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReasonCode(Arc<str>);

impl ReasonCode {
    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The error for a text that is not a reason code. The message does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a reason is a code of 1 to {MOST} characters, of a-z, 0-9, - and . alone, such as ticket-4711; the ledger keeps it for \
     good, so write the rest down elsewhere"
)]
pub struct NotAReasonCode;

impl FromStr for ReasonCode {
    type Err = NotAReasonCode;

    fn from_str(text: &str) -> Result<Self, NotAReasonCode> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        let is_code = (1..=MOST).contains(&text.len()) && text.chars().all(fits);
        if is_code { Ok(Self(text.into())) } else { Err(NotAReasonCode) }
    }
}

impl TryFrom<String> for ReasonCode {
    type Error = NotAReasonCode;

    fn try_from(text: String) -> Result<Self, NotAReasonCode> {
        text.parse()
    }
}

impl From<ReasonCode> for String {
    fn from(code: ReasonCode) -> Self {
        code.as_str().to_owned()
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_no_room_for_a_sentence_or_an_address() {
        for fits in ["a", "ticket-4711", "2026.11-3", &"x".repeat(MOST)] {
            assert!(fits.parse::<ReasonCode>().is_ok(), "{fits}");
        }
        let long = "x".repeat(MOST + 1);
        for not in ["", " ", "Ticket", "a b", "maud@ash.org", "maud%40ash.org", "å", long.as_str()] {
            assert_eq!(not.parse::<ReasonCode>(), Err(NotAReasonCode), "{not}");
            assert!(serde_json::from_value::<ReasonCode>(not.into()).is_err(), "{not}");
        }
    }
}
