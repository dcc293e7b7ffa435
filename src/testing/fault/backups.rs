//! Injects faults into calls to backups.

use async_trait::async_trait;

use super::{Fault, Faulty, said};
use crate::backup::{BackupCopy, BackupError, BackupRetention, Removed, Schedule};

fn lost(fault: Fault) -> BackupError {
    BackupError::Failed(said(fault).to_owned())
}

#[async_trait]
impl<T: BackupRetention> BackupRetention for Faulty<T> {
    async fn schedule(&self) -> Result<Schedule, BackupError> {
        self.call("schedule", self.inner.schedule(), lost).await
    }

    async fn copies(&self) -> Result<Vec<BackupCopy>, BackupError> {
        self.call("copies", self.inner.copies(), lost).await
    }

    async fn remove(&self, copies: &[BackupCopy]) -> Result<Vec<Result<Removed, BackupError>>, BackupError> {
        self.call("remove", self.inner.remove(copies), lost).await
    }
}
