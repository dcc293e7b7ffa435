//! What becomes of a person in the texts of others, and what is counted.

use serde::{Deserialize, Serialize};

/// What becomes of mentions of the person in the texts of a class that belong to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MentionAction {
    /// Certain mentions are replaced by this text. The rest of each text stays.
    Redact(String),
    /// The texts are not searched.
    Keep {
        /// Why, in the policy's words.
        reason: String,
    },
}

/// What a pass over the texts of others found of one person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MentionCounts {
    /// Texts of the person's tenant that were read.
    pub read: u64,
    /// Texts from which the person was taken out.
    pub changed: u64,
    /// Mentions that may mean the person, and stay. A person should look at them.
    pub uncertain: u64,
    /// Texts that cannot be read, and were not searched.
    pub unreadable: u64,
    /// Texts that mention the person, and that the store could not write. The case does not go on while there are any.
    pub refused: u64,
    /// Texts that mention the person, and that a hold on somebody else keeps. The case does not go on while there are
    /// any.
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
