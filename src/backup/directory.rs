//! Backup files or rotated logs in a directory.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::layout::{Found, Set};
use super::{BackupCopy, BackupError, BackupRetention, Layout, Removed, Schedule};

/// Backup copies, or rotated logs, in a directory.
///
/// A [`Layout`] says which names are copies and which files belong together. Any other file is an error: it may be a
/// copy of unknown age. A file that does not match is never removed. Symbolic links below the directory are not
/// followed, and a link is never treated as a copy.
///
/// Directories are read and written on the calling thread. For a large directory, use a thread that may block.
#[derive(Debug)]
pub struct DirectoryBackups {
    directory: PathBuf,
    layout: Layout,
    schedule: Schedule,
}

impl DirectoryBackups {
    /// Copies whose file names contain the day. The pattern is a `strftime` format: `crm-%Y-%m-%d.sqlite`. Does the
    /// same as [`laid_out`](Self::laid_out) with [`Layout::dated`].
    ///
    /// # Errors
    /// [`BackupError::Pattern`] if the pattern does not contain the day.
    pub fn new(
        directory: impl AsRef<Path>,
        pattern: impl Into<String>,
        schedule: Schedule,
    ) -> Result<Self, BackupError> {
        Ok(Self::laid_out(directory, Layout::dated(pattern)?, schedule))
    }

    /// The copies in a directory, as a layout describes them.
    pub fn laid_out(directory: impl AsRef<Path>, layout: Layout, schedule: Schedule) -> Self {
        let schedule = layout.schedule(schedule);
        Self { directory: directory.as_ref().to_owned(), layout, schedule }
    }

    fn io(&self, doing: &'static str, source: io::Error) -> BackupError {
        BackupError::Io { doing, place: self.place(), source }
    }

    fn place(&self) -> String {
        self.directory.display().to_string()
    }

    fn sets(&self) -> Result<Vec<Set>, BackupError> {
        let mut found = Vec::new();
        self.walk("", &mut found)?;
        self.layout.sets(&found, &self.place())
    }

    /// Lists a folder, and the folders below it that may contain copies. A path ends in `/` or is empty.
    fn walk(&self, below: &str, found: &mut Vec<Found>) -> Result<(), BackupError> {
        let reading = |error| self.io("reading", error);
        for entry in fs::read_dir(self.directory.join(below)).map_err(reading)? {
            let entry = entry.map_err(reading)?;
            let name = entry.file_name();
            let unrecognised = || BackupError::Unrecognised {
                name: format!("{below}{}", entry.file_name().to_string_lossy()),
                place: self.place(),
                pattern: self.layout.describe(),
            };
            let name = name.to_str().ok_or_else(unrecognised)?;
            // These are the metadata of the entry itself: a symbolic link is neither a file nor a folder.
            let metadata = match entry.metadata() {
                // The entry was removed after the folder was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata.map_err(reading)?,
            };
            let kind = metadata.file_type();
            let modified = DateTime::<Utc>::from(metadata.modified().map_err(reading)?);
            let folder = format!("{below}{name}/");
            if kind.is_file() {
                found.push(Found { path: format!("{below}{name}"), modified });
            } else if kind.is_dir() && self.layout.is_copy_folder(&folder) {
                found.push(Found { path: folder, modified });
            } else if kind.is_dir() && self.layout.descends(&folder) {
                self.walk(&folder, found)?;
            } else {
                return Err(unrecognised());
            }
        }
        Ok(())
    }

    fn remove_set(&self, set: &Set) -> Result<Removed, BackupError> {
        let removing = |error| self.io("removing a copy in", error);
        let mut folders = BTreeSet::new();
        let mut removed = Removed::Already;
        for path in &set.paths {
            // Remove the `/` at the end of a folder's path. With it, the system would follow a symbolic link.
            let whole = self.directory.join(path.trim_end_matches('/'));
            let Some(folder) = whole.parent() else { continue };
            self.stays_inside(folder)?;
            // Neither call follows a symbolic link. If a link has replaced a copy, the link is removed, and its
            // target stays.
            let gone = if path.ends_with('/') { fs::remove_dir_all(&whole) } else { fs::remove_file(&whole) };
            match gone {
                Ok(()) => removed = Removed::Done,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(removing(error)),
            }
            folders.insert(folder.to_owned());
        }
        folders.iter().try_for_each(|folder| sync(folder)).map_err(removing)?;
        Ok(removed)
    }

    /// Checks right before a removal that no folder in the path has become a symbolic link.
    fn stays_inside(&self, folder: &Path) -> Result<(), BackupError> {
        let mut on_the_way = folder;
        while on_the_way != self.directory {
            let metadata =
                fs::symlink_metadata(on_the_way).map_err(|error| self.io("removing a copy in", error))?;
            let Some(parent) = on_the_way.parent().filter(|_| metadata.is_dir()) else {
                return Err(BackupError::Unrecognised {
                    name: on_the_way.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                    place: self.place(),
                    pattern: self.layout.describe(),
                });
            };
            on_the_way = parent;
        }
        Ok(())
    }
}

/// Makes removals durable. After a crash, a copy that was reported as removed must not exist again.
#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// A former bug: the path of a folder ended in `/`, so the system followed a symbolic link.
    #[test]
    fn a_link_in_the_place_of_a_folder_is_not_followed() {
        let root = std::env::temp_dir().join(format!(
            "relinquish-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let (place, elsewhere) = (root.join("place"), root.join("elsewhere"));
        fs::create_dir_all(place.join("crm-2026-03-01")).unwrap();
        fs::create_dir_all(&elsewhere).unwrap();
        fs::write(elsewhere.join("precious"), "data").unwrap();
        let layout = Layout::dated("crm-%Y-%m-%d/").unwrap();
        let backups = DirectoryBackups::laid_out(&place, layout, Schedule::new(Some(0), None));
        let sets = backups.sets().unwrap();
        fs::remove_dir(place.join("crm-2026-03-01")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, place.join("crm-2026-03-01")).unwrap();
        let _ = backups.remove_set(&sets[0]);
        assert!(elsewhere.join("precious").exists());
        fs::remove_dir_all(&root).unwrap();
    }
}

#[async_trait]
impl BackupRetention for DirectoryBackups {
    async fn schedule(&self) -> Result<Schedule, BackupError> {
        Ok(self.schedule.clone())
    }

    async fn copies(&self) -> Result<Vec<BackupCopy>, BackupError> {
        Ok(self.sets()?.into_iter().map(|set| set.copy).collect())
    }

    async fn remove(&self, copies: &[BackupCopy]) -> Result<Vec<Result<Removed, BackupError>>, BackupError> {
        let sets = self.sets()?;
        let each = copies.iter().map(|copy| match self.layout.pick(&sets, copy, &self.place())? {
            Some(set) => self.remove_set(set),
            None => Ok(Removed::Already),
        });
        Ok(each.collect())
    }
}
