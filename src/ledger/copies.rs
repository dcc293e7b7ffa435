//! What the ledger keeps of backup copies: those that a case removed, and what was seen in their places.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::EndedEarly;
use crate::backup::{BackupCopy, NoHorizon};

/// The result of removing backup copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiesResult {
    /// The planned copies that are gone. This was read back.
    pub gone: BTreeSet<BackupCopy>,
    /// The planned copies that are left, because the removal ended early.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub left: BTreeSet<BackupCopy>,
    /// Why the removal ended before it was complete, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_early: Option<EndedEarly>,
}

/// What was seen in the places of backups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiesSeen {
    /// When.
    pub at: DateTime<Utc>,
    /// Each place, by the host's name.
    pub places: BTreeMap<String, PlaceSeen>,
}

/// What was seen in one place of backups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceSeen {
    /// The copies were listed.
    Listed {
        /// When the oldest copy was begun at the earliest. `None`: there was no copy.
        oldest: Option<DateTime<Utc>>,
    },
    /// The copies could not be listed.
    Unknown {
        /// Why not.
        because: NoHorizon,
    },
}

impl CopiesSeen {
    /// Whether no copy that may hold what was erased at an instant was in a place.
    pub fn is_gone(&self, place: &str, erased_at: DateTime<Utc>) -> bool {
        match self.places.get(place) {
            Some(PlaceSeen::Listed { oldest }) => oldest.is_none_or(|oldest| oldest > erased_at),
            Some(PlaceSeen::Unknown { .. }) | None => false,
        }
    }

    /// Since when no such copy was seen in a place any more. `None`: one was there at the last sighting.
    pub(crate) fn first_gone(
        sightings: &[&Self],
        place: &str,
        erased_at: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let gone = sightings.iter().rev().take_while(|seen| seen.is_gone(place, erased_at));
        gone.last().map(|seen| seen.at)
    }
}
