//! What is left of a person after a treatment, and the word for it.

use std::fmt;

use super::Lead;

/// What is left of a person after a treatment. `as_str` is the word that plans and certificates use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Residue {
    /// Every record of the person is deleted: *erased*.
    Nothing,
    /// Records stay, some perhaps handed over to the "Unknown Customer". Nothing that the host can reach leads from them to
    /// the person: *anonymised*.
    Anonymous,
    /// Records stay that do not name the person, and a separate link leads to the person: *pseudonymised*.
    Pseudonymous,
    /// Records or profiles stay that name the person: *erased in part*.
    InPart,
}

impl Residue {
    /// The word: `erased`, `anonymised`, `pseudonymised` or `erased in part`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "erased",
            Self::Anonymous => "anonymised",
            Self::Pseudonymous => "pseudonymised",
            Self::InPart => "erased in part",
        }
    }

    /// What is left, given the leads to the person and whether treated records stay.
    pub(crate) fn of<'l>(links: impl IntoIterator<Item = &'l Lead>, records_stay: bool) -> Self {
        let worst =
            links.into_iter().map(|link| if link.names_person() { Self::InPart } else { Self::Pseudonymous });
        worst.max().unwrap_or(if records_stay { Self::Anonymous } else { Self::Nothing })
    }

    /// The word. If mapped tables have rows that no record class claims, `as far as mapped` is added, because such
    /// rows may name the person. It is not added if the word already says that something names the person.
    pub(crate) fn word(self, is_all_claimed: bool) -> &'static str {
        match (self, is_all_claimed) {
            (Self::Nothing, false) => "erased as far as mapped",
            (Self::Anonymous, false) => "anonymised as far as mapped",
            (Self::Pseudonymous, false) => "pseudonymised as far as mapped",
            (Self::InPart, false) | (_, true) => self.as_str(),
        }
    }
}

impl fmt::Display for Residue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
