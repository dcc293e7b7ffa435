//! Backup copies in memory.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{BackupCopy, BackupError, BackupRetention, Removed, Schedule};

/// Backup copies in memory.
#[derive(Debug)]
pub struct MemoryBackups {
    schedule: Schedule,
    copies: Mutex<BTreeSet<BackupCopy>>,
}

impl MemoryBackups {
    /// Creates a place with these copies and this rule.
    pub fn new(schedule: Schedule, copies: impl IntoIterator<Item = BackupCopy>) -> Self {
        Self { schedule, copies: Mutex::new(copies.into_iter().collect()) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<BackupCopy>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl BackupRetention for MemoryBackups {
    async fn schedule(&self) -> Result<Schedule, BackupError> {
        Ok(self.schedule.clone())
    }

    async fn copies(&self) -> Result<Vec<BackupCopy>, BackupError> {
        Ok(self.lock().iter().cloned().collect())
    }

    async fn remove(&self, copies: &[BackupCopy]) -> Result<Vec<Result<Removed, BackupError>>, BackupError> {
        let mut held = self.lock();
        Ok(copies
            .iter()
            .map(|copy| Ok(if held.remove(copy) { Removed::Done } else { Removed::Already }))
            .collect())
    }
}
