//! Whether a recipient of a customer's data is told of the erasure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether a recipient is told (Art. 19 GDPR).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecipientAction {
    /// The recipient is told, until it confirms.
    Tell,
    /// The recipient is not told.
    NotTold {
        /// Why, as the law has it.
        why: WhyNotTold,
        /// Why, in the policy's words.
        reason: String,
    },
}

/// Why a recipient is not told. The first two are the exceptions of Art. 19 GDPR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyNotTold {
    /// It is impossible to tell the recipient.
    Impossible,
    /// It would take a disproportionate effort.
    Disproportionate,
    /// The recipient has nothing of what this treatment erases.
    Unconcerned,
}

impl WhyNotTold {
    pub(crate) const ALL: [Self; 3] = [Self::Impossible, Self::Disproportionate, Self::Unconcerned];

    /// The word of the policy: `impossible`, `disproportionate` or `unconcerned`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Impossible => "impossible",
            Self::Disproportionate => "disproportionate",
            Self::Unconcerned => "unconcerned",
        }
    }
}

impl fmt::Display for WhyNotTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
