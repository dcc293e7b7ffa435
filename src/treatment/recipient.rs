//! Whether a recipient of a customer's data is notified of the erasure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether a recipient is notified (Art. 19 GDPR).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecipientAction {
    /// The recipient is notified, until it confirms.
    Tell,
    /// The recipient is not notified.
    NotTold {
        /// The legal reason.
        why: WhyNotTold,
        /// The reason from the policy.
        reason: String,
    },
}

/// Why a recipient is not notified. The first two reasons are the exceptions of Art. 19 GDPR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyNotTold {
    /// It is impossible to notify the recipient.
    Impossible,
    /// It would take a disproportionate effort.
    Disproportionate,
    /// The recipient has none of the data that this treatment erases.
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
