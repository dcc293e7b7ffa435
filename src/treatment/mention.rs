//! The treatment of mentions of a person in the texts of others, and the counts.

use serde::{Deserialize, Serialize};

/// The treatment of mentions of the person in texts of others, for one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MentionAction {
    /// Certain mentions are replaced by this text. The rest of each text stays.
    Redact(String),
    /// The texts are not searched.
    Keep {
        /// The reason from the policy.
        reason: String,
    },
}

/// The counts for one person in a pass over the texts of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MentionCounts {
    /// The number of texts of the person's tenant that were read.
    pub read: u64,
    /// The number of texts from which mentions were removed.
    pub changed: u64,
    /// The number of mentions that may mean the person, and stay. An operator should check them.
    pub uncertain: u64,
    /// The number of texts that could not be read. They were not changed. In a text in another encoding, whoever is
    /// named in what can be read counts as uncertain.
    pub unreadable: u64,
    /// The number of texts that mention the person, but could not be written. If it is not 0, the case does not
    /// continue.
    pub refused: u64,
    /// The number of texts that mention the person, but that a hold on another person keeps. If it is not 0, the case
    /// does not continue.
    pub held: u64,
}

impl MentionCounts {
    /// Adds the counts of another part.
    pub(crate) fn add(&mut self, more: &Self) {
        let Self { read, changed, uncertain, unreadable, refused, held } = more;
        self.read = self.read.saturating_add(*read);
        self.changed = self.changed.saturating_add(*changed);
        self.uncertain = self.uncertain.saturating_add(*uncertain);
        self.unreadable = self.unreadable.saturating_add(*unreadable);
        self.refused = self.refused.saturating_add(*refused);
        self.held = self.held.saturating_add(*held);
    }
}
