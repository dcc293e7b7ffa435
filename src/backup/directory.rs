//! A directory of backup files, each named by its day.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::{BackupCopy, BackupError, BackupRetention, CopyName, Removed, Schedule};

/// Backup files in one directory, named by the day on which they were taken: `crm-2026-03-01.sqlite`.
///
/// The name tells the age, not the time stamp of the file: copying a backup to another disk makes it no
/// younger. Whatever else lies in the directory is an error; it may be a copy whose age nobody knows.
#[derive(Debug)]
pub struct DirectoryBackups {
    directory: PathBuf,
    pattern: String,
    schedule: Schedule,
}

impl DirectoryBackups {
    /// The files in a directory that are named by a pattern with the day in it, as `strftime` writes it:
    /// `crm-%Y-%m-%d.sqlite`.
    ///
    /// # Errors
    /// [`BackupError::Pattern`] if the pattern does not tell the day.
    pub fn new(
        directory: impl AsRef<Path>,
        pattern: impl Into<String>,
        schedule: Schedule,
    ) -> Result<Self, BackupError> {
        let backups = Self { directory: directory.as_ref().to_owned(), pattern: pattern.into(), schedule };
        let wrong = || BackupError::Pattern { pattern: backups.pattern.clone() };
        let items = chrono::format::StrftimeItems::new(&backups.pattern);
        if items.clone().any(|item| matches!(item, chrono::format::Item::Error)) {
            return Err(wrong());
        }
        // A day with twelve different digits' worth of month and day shows whether the name tells it.
        let day = NaiveDate::from_ymd_opt(2019, 11, 23).ok_or_else(wrong)?;
        let midnight = day.and_time(NaiveTime::MIN).and_utc();
        let name = midnight.format_with_items(items).to_string();
        if backups.day(&name) == Some(day) { Ok(backups) } else { Err(wrong()) }
    }

    fn day(&self, name: &str) -> Option<NaiveDate> {
        NaiveDate::parse_from_str(name, &self.pattern).ok()
    }

    fn io(&self, doing: &'static str, source: io::Error) -> BackupError {
        BackupError::Io { doing, place: self.directory.display().to_string(), source }
    }

    fn copy(&self, entry: &fs::DirEntry) -> Result<BackupCopy, BackupError> {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_file = entry.file_type().map_err(|error| self.io("reading", error))?.is_file();
        match self.day(&name).filter(|_| is_file) {
            Some(day) => Ok(BackupCopy { taken_at: end_of(day), name: CopyName::new(name) }),
            None => Err(BackupError::Unrecognised {
                name,
                place: self.directory.display().to_string(),
                pattern: self.pattern.clone(),
            }),
        }
    }
}

/// The last second of a day: a copy of that day may have been taken as late as that.
fn end_of(day: NaiveDate) -> DateTime<Utc> {
    let last = NaiveTime::from_hms_opt(23, 59, 59).unwrap_or(NaiveTime::MIN);
    day.and_time(last).and_utc()
}

#[async_trait]
impl BackupRetention for DirectoryBackups {
    async fn schedule(&self) -> Result<Schedule, BackupError> {
        Ok(self.schedule.clone())
    }

    async fn copies(&self) -> Result<Vec<BackupCopy>, BackupError> {
        let entries = fs::read_dir(&self.directory).map_err(|error| self.io("reading", error))?;
        let mut copies = Vec::new();
        for entry in entries {
            copies.push(self.copy(&entry.map_err(|error| self.io("reading", error))?)?);
        }
        copies.sort();
        Ok(copies)
    }

    async fn remove(&self, copies: &[BackupCopy]) -> Result<Vec<Result<Removed, BackupError>>, BackupError> {
        Ok(copies
            .iter()
            .map(|copy| {
                if self.day(copy.name.as_str()).is_none() || copy.name.as_str().contains(['/', '\\']) {
                    return Err(BackupError::Unrecognised {
                        name: copy.name.to_string(),
                        place: self.directory.display().to_string(),
                        pattern: self.pattern.clone(),
                    });
                }
                match fs::remove_file(self.directory.join(copy.name.as_str())) {
                    Ok(()) => Ok(Removed::Done),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Removed::Already),
                    Err(error) => Err(self.io("removing a copy in", error)),
                }
            })
            .collect())
    }
}
