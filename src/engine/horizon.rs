//! When the last backup copy of erased data is gone. This is what the engine saw in the backups, not what a rule
//! promises.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::Serialize;

use super::copies::listed;
use super::{Engine, Error};
use crate::backup::{AfterRemoval, BackupCopy, Horizon, NoHorizon, Schedule};
use crate::data_map::TimeZone;
use crate::ledger::{
    BackupResidue, Certificate, CopiesSeen, EntryBody, EntryKey, FileSlack, Find, PlaceSeen,
};

use crate::plan::CaseId;

/// Where the data that one case erased may still be. This is what the engine saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseHorizon {
    /// The case.
    pub case: CaseId,
    /// When the case was closed. A copy that was begun before this may contain erased data.
    pub closed_at: DateTime<Utc>,
    /// Each place of backups that was known when the case was closed, or is known now.
    pub places: BTreeMap<String, PlaceHorizon>,
    /// The store's own files: old bytes may remain until they are scrubbed.
    pub files: FileSlack,
}

/// Whether a place still has old copies: copies that were begun before a case was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceHorizon {
    /// No old copy is there.
    Gone {
        /// When this was first seen.
        seen: DateTime<Utc>,
        /// The last day on which a deleted version can be restored, if the place keeps versions and this day is not
        /// over.
        versions_until: Option<NaiveDate>,
    },
    /// Old copies are there, and the rule still allows them.
    Lingers {
        /// How many.
        copies: u64,
        /// Until when the rule allows them.
        until: Horizon,
    },
    /// Old copies are there, and the rule no longer allows them. Somebody has to remove them.
    Overdue {
        /// How many.
        copies: u64,
        /// The name of the oldest.
        oldest: String,
    },
    /// Nobody can tell.
    Unknown {
        /// Why it is not known. `None`: the engine has no backups of this name any more.
        because: Option<NoHorizon>,
    },
}

impl CaseHorizon {
    /// Whether no copy and no file of the store contains the erased data any more, as far as this engine can see.
    pub fn is_over(&self) -> bool {
        let is_gone = |place: &PlaceHorizon| matches!(place, PlaceHorizon::Gone { versions_until: None, .. });
        self.places.values().all(is_gone) && matches!(self.files, FileSlack::Scrubbed { .. })
    }

    /// The day on which the engine saw that the last copy was gone. `None` while a copy is left.
    pub fn last_gone(&self) -> Option<NaiveDate> {
        let days = self.places.values().map(|place| match place {
            PlaceHorizon::Gone { seen, versions_until: None } => Some(seen.date_naive()),
            _ => None,
        });
        days.collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

impl fmt::Display for CaseHorizon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Copies from before case {} was closed at {}",
            self.case,
            self.closed_at.format("%F %T UTC")
        )?;
        for (place, horizon) in &self.places {
            writeln!(f, "  {place:<10} {horizon}")?;
        }
        match self.files {
            FileSlack::Pending => writeln!(f, "  files      old bytes may lie there until the next scrub")?,
            FileSlack::Scrubbed { at } => writeln!(f, "  files      scrubbed at {}", at.format("%F %T UTC"))?,
            FileSlack::NotKnown => writeln!(f, "  files      not known: this store has no scrub")?,
        }
        write!(
            f,
            "  not seen   replicas, archives of write-ahead logs and snapshots that are no place of backups here"
        )
    }
}

impl fmt::Display for PlaceHorizon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { seen, versions_until } => {
                write!(f, "gone: no such copy was there on {}", seen.date_naive())?;
                match versions_until {
                    Some(day) => write!(f, "; old versions can be brought back until {day}"),
                    None => Ok(()),
                }
            }
            Self::Lingers { copies, until } => {
                write!(f, "{copies} such {} there, {until}", plural_are(*copies))
            }
            Self::Overdue { copies, oldest } => write!(
                f,
                "{copies} such {} there although the rule no longer allows it, the oldest is {oldest}; plan their removal",
                plural_are(*copies)
            ),
            Self::Unknown { because: Some(because) } => write!(f, "not known: {because}"),
            Self::Unknown { because: None } => {
                f.write_str("not known: the engine has no backups of this name")
            }
        }
    }
}

fn plural_are(copies: u64) -> &'static str {
    if copies == 1 { "copy is" } else { "copies are" }
}

impl Engine {
    /// Looks at every place of backups, and records in the ledger when its oldest copy was begun, if this has
    /// changed. Call this from time to time. The ledger then shows when the last copy of an erased customer was gone.
    /// The [worker](Self::worker) does this once a day.
    ///
    /// # Errors
    /// A ledger out of reach. A place out of reach is recorded as not known.
    pub async fn look_at_copies(&self) -> Result<CopiesSeen, Error> {
        let mut places = BTreeMap::new();
        for (place, backups) in &self.parts.backups {
            places.insert(
                place.clone(),
                match listed(&**backups).await {
                    Ok((_, copies)) => {
                        PlaceSeen::Listed { oldest: copies.iter().map(|copy| copy.begun_at).min() }
                    }
                    Err(error) => {
                        tracing::warn!(backups = %place, %error, "backups out of reach");
                        PlaceSeen::Unknown { because: (&error).into() }
                    }
                },
            );
        }
        let sighting = CopiesSeen { at: self.parts.clock.now(), places };
        let last = self.parts.ledger.find(&Find::last(EntryKey::copies())).await?;
        // Customers who were erased after the last look need a newer one.
        let newest = self.parts.ledger.last().await?;
        let is_known = last.iter().any(|entry| {
            let is_same = matches!(&entry.body, EntryBody::Copies(last) if last.places == sighting.places);
            is_same && entry.seq == newest
        });
        if !sighting.places.is_empty() && !is_known {
            self.parts.ledger.append(&[EntryBody::Copies(Arc::new(sighting.clone()))]).await?;
        }
        Ok(sighting)
    }

    /// Where the data that a case erased may still be: in copies that were begun before the case was closed, and in
    /// the store's files. `None` if there is no such case, or if it did not end in an erasure.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn horizon(&self, case: &CaseId) -> Result<Option<CaseHorizon>, Error> {
        let Some(certificate) = Certificate::read(&*self.parts.ledger, case).await? else { return Ok(None) };
        let after = Find::all([EntryKey::copies()]).after(certificate.entry());
        let sightings = self.parts.ledger.find(&after).await?;
        let sightings: Vec<&CopiesSeen> = sightings
            .iter()
            .filter_map(|entry| if let EntryBody::Copies(seen) = &entry.body { Some(&**seen) } else { None })
            .collect();
        let mut places = BTreeMap::new();
        for BackupResidue { backups, .. } in certificate.backups() {
            places.insert(backups.clone(), PlaceHorizon::Unknown { because: None });
        }
        let (closed_at, now) = (certificate.closed_at(), self.parts.clock.now());
        let zone = self.parts.policy.effective(certificate.tenant()).time_zone();
        for (place, backups) in &self.parts.backups {
            let horizon = match listed(&**backups).await {
                Ok((schedule, copies)) => {
                    let first = CopiesSeen::first_gone(&sightings, place, closed_at).unwrap_or(now);
                    place_horizon(&schedule, &copies, (closed_at, first, now), zone)
                }
                Err(error) => PlaceHorizon::Unknown { because: Some((&error).into()) },
            };
            places.insert(place.clone(), horizon);
        }
        Ok(Some(CaseHorizon { case: case.clone(), closed_at, places, files: certificate.file_slack() }))
    }
}

/// The state of one place. `first_gone`: when the engine first saw that no old copy is there, or now.
fn place_horizon(
    schedule: &Schedule,
    copies: &[BackupCopy],
    (closed_at, first_gone, now): (DateTime<Utc>, DateTime<Utc>, DateTime<Utc>),
    zone: TimeZone,
) -> PlaceHorizon {
    let before: Vec<&BackupCopy> = copies.iter().filter(|copy| copy.may_hold(closed_at)).collect();
    let Some(oldest) = before.iter().min() else {
        let versions_until = match schedule.after_removal {
            AfterRemoval::Gone => None,
            AfterRemoval::Days(days) => zone.day(first_gone).checked_add_days(Days::new(days.into())),
            AfterRemoval::Unknown => {
                return PlaceHorizon::Unknown { because: Some(NoHorizon::AfterRemoval) };
            }
        };
        let versions_until = versions_until.filter(|day| *day >= zone.day(now));
        return PlaceHorizon::Gone { seen: first_gone, versions_until };
    };
    let overdue = schedule.expired(copies, now);
    if before.iter().any(|copy| overdue.contains(copy)) {
        let count = before.iter().filter(|copy| overdue.contains(copy)).count() as u64;
        return PlaceHorizon::Overdue { copies: count, oldest: oldest.name.to_string() };
    }
    PlaceHorizon::Lingers { copies: before.len() as u64, until: schedule.horizon(closed_at, zone) }
}
