//! Backups: lists and removes backup copies, and computes how long they may contain erased data.
//!
//! Nothing is erased inside a backup. Instead, copies are removed by a rule: a maximum number of copies, or a maximum
//! number of days. Until then the certificate reports that copies remain, and until which day. Rotated logs are
//! treated in the same way.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::data_map::TimeZone;
use crate::name::open_name;

mod directory;
mod layout;
mod memory;
#[cfg(feature = "object-store")]
mod object;
mod plan;

pub use directory::DirectoryBackups;
pub use layout::Layout;
pub use memory::MemoryBackups;
#[cfg(feature = "object-store")]
pub use object::ObjectBackups;
pub(crate) use plan::not_as_planned;
pub use plan::{ApprovedCopies, CopiesPlan, CopiesTerms};

open_name! {
    /// The name of a copy in its place: a file name or an object key.
    CopyName
}

/// One backup copy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BackupCopy {
    /// The latest time at which the copy was finished. A copy with only a day counts as finished at the end of the
    /// day.
    pub taken_at: DateTime<Utc>,
    /// The earliest time at which the copy was begun. Data that were erased after this instant may be in the copy.
    pub begun_at: DateTime<Utc>,
    /// Its name.
    pub name: CopyName,
}

impl BackupCopy {
    /// A copy that was taken at one instant.
    pub fn new(taken_at: DateTime<Utc>, name: impl Into<CopyName>) -> Self {
        Self { taken_at, begun_at: taken_at, name: name.into() }
    }

    /// Whether the copy may contain data that were erased at this instant.
    pub fn may_hold(&self, erased_at: DateTime<Utc>) -> bool {
        self.begun_at <= erased_at
    }
}

/// How long a removed copy can still be restored: from old versions of an object, a soft delete, or a snapshot of the
/// file system. Only the host knows this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterRemoval {
    /// Not at all: a removed copy is gone.
    #[default]
    Gone,
    /// A removed copy can be restored for this number of days.
    Days(u32),
    /// Not declared. Then no horizon is known.
    Unknown,
}

/// The rule by which copies are removed. A copy is removed as soon as one part of the rule says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The maximum number of copies. Only the newest copies stay.
    pub newest: Option<u32>,
    /// The maximum age of a copy in days.
    pub days: Option<u32>,
    /// How long a removed copy can still be restored.
    #[serde(default)]
    pub after_removal: AfterRemoval,
    /// The longest period from which one copy may contain data, such as one day for a daily log, or for a dump with
    /// only a day in its name. This matters because a copy that was begun before an erasure contains the erased data,
    /// and its age counts from its end.
    #[serde(default)]
    pub covers: Duration,
}

impl Schedule {
    /// Makes a rule with a maximum number of copies and a maximum age in days. Removed copies cannot be restored.
    pub const fn new(newest: Option<u32>, days: Option<u32>) -> Self {
        Self { newest, days, after_removal: AfterRemoval::Gone, covers: Duration::ZERO }
    }

    /// Declares how long a removed copy can still be restored.
    #[must_use]
    pub const fn after_removal(mut self, keeps: AfterRemoval) -> Self {
        self.after_removal = keeps;
        self
    }

    /// Declares the longest period that one copy covers.
    #[must_use]
    pub const fn covering(mut self, time: Duration) -> Self {
        self.covers = time;
        self
    }

    /// The copies that the rule no longer allows at this instant. A copy that is more than two days ahead, by its name or its
    /// clock, is not among the newest: a wrong date must not take the place of a real copy.
    pub fn expired<'c>(&self, copies: &'c [BackupCopy], at: DateTime<Utc>) -> Vec<&'c BackupCopy> {
        // A name with a day alone counts to the end of that day, in any time zone.
        let latest = at.checked_add_days(Days::new(2)).unwrap_or(at);
        let mut newest_first: Vec<_> = copies.iter().filter(|copy| copy.taken_at <= latest).collect();
        newest_first.sort_by(|a, b| b.cmp(a));
        newest_first
            .into_iter()
            .enumerate()
            .filter(|(n, copy)| {
                let too_many = self.newest.is_some_and(|newest| *n >= newest as usize);
                let too_old = self.days.is_some_and(|days| {
                    copy.taken_at.checked_add_days(Days::new(u64::from(days))).is_some_and(|end| end <= at)
                });
                too_many || too_old
            })
            .map(|(_, copy)| copy)
            .collect()
    }

    /// Until when copies may contain data that were erased at this instant. The last day is a day of the time zone.
    pub fn horizon(&self, erased_at: DateTime<Utc>, zone: TimeZone) -> Horizon {
        let more = match self.after_removal {
            AfterRemoval::Gone => 0,
            AfterRemoval::Days(days) => days,
            AfterRemoval::Unknown => return Horizon::Unknown { because: NoHorizon::AfterRemoval },
        };
        match (self.days, self.newest) {
            (Some(days), _) => TimeDelta::from_std(self.covers)
                .ok()
                .and_then(|covers| erased_at.checked_add_signed(covers))
                .and_then(|ended| ended.checked_add_days(Days::new(u64::from(days) + u64::from(more))))
                .map_or(Horizon::Unbounded, |end| Horizon::Until { day: zone.day(end) }),
            // A copy that is in progress at the erasure is a newer one, and holds the old data.
            (None, Some(copies)) if self.covers.is_zero() => Horizon::AfterCopies { copies },
            (None, Some(copies)) => Horizon::AfterCopies { copies: copies.saturating_add(1) },
            (None, None) => Horizon::Unbounded,
        }
    }
}

/// Until when copies may contain erased data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Horizon {
    /// After this day no copy contains the data.
    Until {
        /// The day.
        day: NaiveDate,
    },
    /// Until this number of copies were finished after the erasure. The rule has no number of days. The number is one more
    /// than the rule keeps if a copy takes time, because one may be in progress at the erasure. Copies must not overlap.
    AfterCopies {
        /// How many.
        copies: u32,
    },
    /// The rule never removes copies.
    Unbounded,
    /// The rule could not be read when the case was closed.
    Unknown {
        /// Why not.
        because: NoHorizon,
    },
}

/// Why it is unknown until when copies remain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoHorizon {
    /// The place of the copies could not be read.
    OutOfReach {
        /// The place.
        place: String,
    },
    /// The name of something in the place is not the name of a copy.
    Unrecognised {
        /// The place.
        place: String,
        /// How copies are named.
        pattern: String,
    },
    /// The pattern of the copies' names does not contain a day.
    Pattern {
        /// The pattern.
        pattern: String,
    },
    /// The host has not declared how long a removed copy can still be restored.
    AfterRemoval,
    /// The host's adapter gave an error. Its text is not kept.
    Failed,
}

impl fmt::Display for NoHorizon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfReach { place } => write!(f, "{place} could not be read"),
            Self::Unrecognised { place, pattern } => {
                write!(f, "something in {place} does not have the name of a copy ({pattern})")
            }
            Self::Pattern { pattern } => {
                write!(f, "the pattern {pattern} does not contain the day of a copy")
            }
            Self::AfterRemoval => {
                f.write_str("the host has not declared how long removed copies can be restored")
            }
            Self::Failed => f.write_str("the backups could not be asked"),
        }
    }
}

impl From<&BackupError> for NoHorizon {
    fn from(error: &BackupError) -> Self {
        match error {
            BackupError::Io { place, .. } => Self::OutOfReach { place: place.clone() },
            BackupError::Unrecognised { place, pattern, .. } => {
                Self::Unrecognised { place: place.clone(), pattern: pattern.clone() }
            }
            BackupError::Pattern { pattern } => Self::Pattern { pattern: pattern.clone() },
            BackupError::Changed { .. } | BackupError::StillThere { .. } | BackupError::Failed(_) => {
                Self::Failed
            }
        }
    }
}

impl fmt::Display for Horizon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Until { day } => write!(f, "until {day} at the latest"),
            Self::AfterCopies { copies } => write!(f, "until {copies} newer copies have been taken"),
            Self::Unbounded => f.write_str("without end: the rule never removes a copy"),
            Self::Unknown { because } => write!(f, "until when is not known: {because}"),
        }
    }
}

/// The result of removing a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Done,
    /// It was gone already.
    Already,
}

/// What can go wrong with backups.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The place of the copies cannot be read or written.
    #[error("{doing} {place} failed")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The place.
        place: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The name of something in the place is not the name of a copy, so its age is unknown.
    #[error(
        "{name} in {place} does not have the name of a copy ({pattern}); move it away, or correct the pattern"
    )]
    Unrecognised {
        /// Its name.
        name: String,
        /// The place.
        place: String,
        /// How copies are named.
        pattern: String,
    },
    /// The copy was replaced by an older or a younger copy with the same name.
    #[error("{name} in {place} is another copy than before; list the copies again, and plan again")]
    Changed {
        /// Its name.
        name: String,
        /// The place.
        place: String,
    },
    /// A copy was removed, but it exists again.
    #[error("{name} in {place} was removed, but it exists again; find out which program restores it")]
    StillThere {
        /// Its name.
        name: String,
        /// The place.
        place: String,
    },
    /// The pattern does not contain the day.
    #[error(
        "the pattern {pattern} does not contain the day of a copy; write one such as crm-%Y-%m-%d.sqlite"
    )]
    Pattern {
        /// The pattern.
        pattern: String,
    },
    /// Anything else, with the way out.
    #[error("{0}")]
    Failed(String),
}

/// A place with backup copies: lists them, removes them, and knows the rule for them.
#[async_trait]
pub trait BackupRetention: Debug + Send + Sync + 'static {
    /// The rule by which copies are removed.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`BackupError`].
    async fn schedule(&self) -> Result<Schedule, BackupError>;

    /// All copies in the place, the oldest first.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. Anything that is no copy is an error, because its age
    /// is unknown. **Cancel safety:** safe. **Errors:** [`BackupError`].
    async fn copies(&self) -> Result<Vec<BackupCopy>, BackupError>;

    /// Removes copies: one answer each, in order.
    ///
    /// **Idempotency:** a repeated call answers [`Removed::Already`]. **Partial failure:** per copy. **Cancel
    /// safety:** each copy is there or gone. **Errors:** [`BackupError`].
    async fn remove(&self, copies: &[BackupCopy]) -> Result<Vec<Result<Removed, BackupError>>, BackupError>;
}

macro_rules! forward_backups {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: BackupRetention + ?Sized> BackupRetention for $pointer<T> {
            async fn schedule(&self) -> Result<Schedule, BackupError> {
                (**self).schedule().await
            }

            async fn copies(&self) -> Result<Vec<BackupCopy>, BackupError> {
                (**self).copies().await
            }

            async fn remove(
                &self,
                copies: &[BackupCopy],
            ) -> Result<Vec<Result<Removed, BackupError>>, BackupError> {
                (**self).remove(copies).await
            }
        }
    )*};
}

forward_backups!(Arc, Box);

#[cfg(feature = "mock")]
mockall::mock! {
    /// A mock of [`BackupRetention`], for a host's own unit tests.
    #[derive(Debug)]
    pub BackupRetention {}

    #[async_trait]
    impl BackupRetention for BackupRetention {
        async fn schedule(&self) -> Result<Schedule, BackupError>;
        async fn copies(&self) -> Result<Vec<BackupCopy>, BackupError>;
        async fn remove(&self, copies: &[BackupCopy]) -> Result<Vec<Result<Removed, BackupError>>, BackupError>;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn copy(day: u32) -> BackupCopy {
        BackupCopy::new(at(&format!("2026-03-{day:02}T23:59:59Z")), day.to_string())
    }

    #[test]
    fn copies_go_by_number_and_by_age_whichever_is_first() {
        let copies: Vec<_> = (1..=5).map(copy).collect();
        let names = |newest, days| {
            let schedule = Schedule::new(newest, days);
            let mut names: Vec<_> = schedule
                .expired(&copies, at("2026-03-06T00:00:00Z"))
                .into_iter()
                .map(|copy| copy.name.to_string())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(Some(2), None), ["1", "2", "3"]);
        assert_eq!(
            names(None, Some(3)),
            ["1", "2"],
            "three days after the end of the day are not over for 3"
        );
        assert_eq!(names(Some(4), Some(3)), ["1", "2"]);
        assert_eq!(names(Some(0), None).len(), 5);
        assert!(names(None, None).is_empty());
    }

    /// The bug: a copy with a wrong year in its name took the place of the newest real one.
    #[test]
    fn a_copy_of_the_future_takes_no_place_of_a_real_one() {
        let copies = [copy(5), copy(6), BackupCopy::new(at("2028-05-05T23:59:59Z"), "wrong")];
        let expired = Schedule::new(Some(1), None).expired(&copies, at("2026-03-06T04:00:00Z")).len();
        assert_eq!(expired, 1, "today's copy stays, and yesterday's goes");
    }

    #[test]
    fn the_horizon_names_a_day_only_where_the_rule_names_days() {
        let erased = at("2026-03-01T12:00:00Z");
        let horizon = |newest, days| Schedule::new(newest, days).horizon(erased, TimeZone::UTC);
        let day = NaiveDate::from_ymd_opt(2026, 3, 31).unwrap();
        assert_eq!(horizon(Some(7), Some(30)), Horizon::Until { day });
        assert_eq!(horizon(Some(7), None), Horizon::AfterCopies { copies: 7 });
        assert_eq!(horizon(None, None), Horizon::Unbounded);
        // The bug: the copy in progress counted as one of the newer ones that push it out.
        let nightly = Schedule::new(Some(7), None).covering(Duration::from_secs(3_600));
        assert_eq!(nightly.horizon(erased, TimeZone::UTC), Horizon::AfterCopies { copies: 8 });
        // Late in the evening in UTC, it is already the next day in Stockholm.
        let late = Schedule::new(None, Some(30))
            .horizon(at("2026-03-01T22:30:00Z"), "Europe/Stockholm".parse().unwrap());
        let day = NaiveDate::from_ymd_opt(2026, 4, 1).unwrap();
        assert_eq!(late, Horizon::Until { day });
    }

    /// A former bug: the days were counted from the erasure, but the copy that was being made at that time stays
    /// longer.
    #[test]
    fn no_copy_that_was_begun_before_the_erasure_stays_beyond_the_horizon() {
        let erased = at("2026-03-01T12:00:00Z");
        for (begun, taken) in [
            ("2026-03-01T06:25:00Z", "2026-03-08T06:25:00Z"),
            ("2026-03-01T00:00:00Z", "2026-03-01T23:59:59Z"),
            ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        ] {
            let (begun_at, taken_at) = (at(begun), at(taken));
            let copy = BackupCopy { begun_at, ..BackupCopy::new(taken_at, "copy") };
            let covers = taken_at.signed_duration_since(begun_at).to_std().unwrap();
            let schedule = Schedule::new(None, Some(30)).covering(covers);
            for zone in ["UTC", "Europe/Stockholm", "Pacific/Auckland"] {
                let zone: TimeZone = zone.parse().unwrap();
                let Horizon::Until { day } = schedule.horizon(erased, zone) else { panic!("a day") };
                let there = (0..).map(|hour| taken_at + TimeDelta::hours(hour));
                let there =
                    there.take_while(|at| schedule.expired(std::slice::from_ref(&copy), *at).is_empty());
                assert!(there.map(|at| zone.day(at)).all(|kept| kept <= day), "{begun} {day}");
            }
        }
    }
}
