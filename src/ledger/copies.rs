//! Entries about backup copies: those that a case removed, and those that were seen in the places of backups.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::EndedEarly;
use crate::backup::{BackupCopy, NoHorizon};

/// The result of removing backup copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiesResult {
    /// The planned copies that are gone. The place was listed again to check this.
    pub gone: BTreeSet<BackupCopy>,
    /// The planned copies that are left, because the removal ended early.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub left: BTreeSet<BackupCopy>,
    /// Why the removal ended before it was complete, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_early: Option<EndedEarly>,
}

/// The state of all places of backups, as seen at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiesSeen {
    /// When.
    pub at: DateTime<Utc>,
    /// Each place, by the host's name.
    pub places: BTreeMap<String, PlaceSeen>,
}

/// The state of one place of backups, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceSeen {
    /// The copies were listed.
    Listed {
        /// The earliest instant at which the oldest copy may have been begun. `None`: there was no copy.
        oldest: Option<DateTime<Utc>>,
    },
    /// The copies could not be listed.
    Unknown {
        /// Why not.
        because: NoHorizon,
    },
}

impl CopiesSeen {
    /// Whether the place had no copy that may contain data erased at this instant.
    pub fn is_gone(&self, place: &str, erased_at: DateTime<Utc>) -> bool {
        match self.places.get(place) {
            Some(PlaceSeen::Listed { oldest }) => oldest.is_none_or(|oldest| oldest > erased_at),
            Some(PlaceSeen::Unknown { .. }) | None => false,
        }
    }

    /// When it was first seen that a place had no such copy any more. `None`: the last look still found one.
    pub(crate) fn first_gone(
        sightings: &[&Self],
        place: &str,
        erased_at: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let gone = sightings.iter().rev().take_while(|seen| seen.is_gone(place, erased_at));
        gone.last().map(|seen| seen.at)
    }
}
