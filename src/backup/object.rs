//! Backup copies in an object store: S3, GCS, Azure, or a directory.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::layout::{Found, Set};
use super::{AfterRemoval, BackupCopy, BackupError, BackupRetention, Layout, Removed, Schedule};

/// Backup copies below a prefix of an object store.
///
/// A [`Layout`] says which keys are copies. Keys are compared without the prefix. A folder consists of all keys that
/// begin with its path.
///
/// Many object stores keep deleted objects for some time, as old versions or by soft delete. The store's interface
/// does not show them, so the host declares this time in the [schedule](Schedule::after_removal). It is a parameter
/// of [`new`](Self::new), so that it is not forgotten. With [`AfterRemoval::Unknown`] no horizon is known, and
/// certificates say so.
#[derive(Debug)]
pub struct ObjectBackups {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    layout: Layout,
    schedule: Schedule,
}

impl ObjectBackups {
    /// The copies below a prefix. The prefix may be empty.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        prefix: impl Into<Path>,
        layout: Layout,
        schedule: Schedule,
        after_removal: AfterRemoval,
    ) -> Self {
        let schedule = layout.schedule(schedule.after_removal(after_removal));
        Self { store, prefix: prefix.into(), layout, schedule }
    }

    fn place(&self) -> String {
        let slash = if self.prefix.as_ref().is_empty() { "" } else { "/" };
        format!("{}{slash}", self.prefix)
    }

    fn failed(&self, doing: &'static str, source: object_store::Error) -> BackupError {
        BackupError::Io { doing, place: self.place(), source: io::Error::other(source) }
    }

    /// The copies, and the keys of each path.
    async fn sets(&self) -> Result<(Vec<Set>, BTreeMap<String, Vec<Path>>), BackupError> {
        let prefix = (!self.prefix.as_ref().is_empty()).then_some(&self.prefix);
        let mut listing = self.store.list(prefix);
        let mut found = BTreeMap::<String, (Found, Vec<Path>)>::new();
        while let Some(object) = listing.next().await {
            let object = object.map_err(|error| self.failed("reading", error))?;
            let whole = object.location.as_ref();
            let inside =
                whole.strip_prefix(self.place().as_str()).ok_or_else(|| BackupError::Unrecognised {
                    name: whole.to_owned(),
                    place: self.place(),
                    pattern: self.layout.describe(),
                })?;
            // The first folder in the path that is a copy as a whole.
            let mut folders = inside.match_indices('/').filter_map(|(at, _)| inside.get(..=at));
            let path = folders.find(|folder| self.layout.is_copy_folder(folder)).unwrap_or(inside).to_owned();
            let modified = object.last_modified;
            let new = || (Found { path: path.clone(), modified }, Vec::new());
            let (one, keys) = found.entry(path.clone()).or_insert_with(new);
            one.modified = one.modified.max(modified);
            keys.push(object.location);
        }
        let (found, keys): (Vec<Found>, Vec<(String, Vec<Path>)>) =
            found.into_iter().map(|(path, (one, keys))| (one, (path, keys))).unzip();
        Ok((self.layout.sets(&found, &self.place())?, keys.into_iter().collect()))
    }

    async fn remove_set(
        &self,
        set: &Set,
        keys: &BTreeMap<String, Vec<Path>>,
    ) -> Result<Removed, BackupError> {
        let mut removed = Removed::Already;
        for key in set.paths.iter().flat_map(|path| keys.get(path).into_iter().flatten()) {
            match self.store.delete(key).await {
                Ok(()) => removed = Removed::Done,
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed("removing a copy in", error)),
            }
        }
        Ok(removed)
    }
}

#[async_trait]
impl BackupRetention for ObjectBackups {
    async fn schedule(&self) -> Result<Schedule, BackupError> {
        Ok(self.schedule.clone())
    }

    async fn copies(&self) -> Result<Vec<BackupCopy>, BackupError> {
        Ok(self.sets().await?.0.into_iter().map(|set| set.copy).collect())
    }

    async fn remove(&self, copies: &[BackupCopy]) -> Result<Vec<Result<Removed, BackupError>>, BackupError> {
        let (sets, keys) = self.sets().await?;
        let mut answers = Vec::with_capacity(copies.len());
        for copy in copies {
            answers.push(match self.layout.pick(&sets, copy, &self.place()) {
                Ok(Some(set)) => self.remove_set(set, &keys).await,
                Ok(None) => Ok(Removed::Already),
                Err(error) => Err(error),
            });
        }
        Ok(answers)
    }
}
