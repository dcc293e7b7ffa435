//! The backup adapters of this crate, and one saboteur per law.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use relinquish::BackupRetention;
use relinquish::backup::{BackupCopy, BackupError, DirectoryBackups, MemoryBackups, Removed, Schedule};
use relinquish::testing::{self, Copies, Law};

use super::assert_caught;

const DAYS: [&str; 4] = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"];

fn schedule() -> Schedule {
    Schedule::new(Some(7), Some(30))
}

pub(super) fn memory_backups() -> MemoryBackups {
    let copies = DAYS.map(|day| BackupCopy::new(format!("{day}T23:59:59Z").parse().unwrap(), day));
    MemoryBackups::new(schedule(), copies)
}

#[tokio::test]
async fn memory() {
    testing::backups(|| async { Copies::new(memory_backups()) }).await.unwrap();
}

#[tokio::test]
async fn a_directory() {
    let folder = tempfile::tempdir().unwrap();
    for day in DAYS {
        std::fs::write(folder.path().join(format!("crm-{day}.sqlite")), "a copy").unwrap();
    }
    let stray = folder.path().join("notes.txt");
    let fresh = || async {
        let backups = DirectoryBackups::new(folder.path(), "crm-%Y-%m-%d.sqlite", schedule()).unwrap();
        Copies::new(backups).stray(move || std::fs::write(&stray, "no copy").unwrap())
    };
    testing::backups(fresh).await.unwrap();
}

pub(super) const CAUGHT: &[Law] = &[
    Law::ScheduleStays,
    Law::CopiesOldestFirst,
    Law::CopiesOnlyReads,
    Law::CopyRemoved,
    Law::CopyRemovedAgain,
    Law::RemoveInOrder,
    Law::CopiesUntouched,
    Law::StrayIsSaid,
];

#[tokio::test]
async fn whoever_breaks_a_law_is_caught_at_it() {
    for law in CAUGHT {
        let fresh = || async {
            let backups = Wrong { inner: memory_backups(), law: *law, asked: AtomicU32::new(0) };
            // The adapter in memory has only copies.
            Copies::new(backups).stray(|| ())
        };
        assert_caught(*law, testing::backups(fresh).await);
    }
}

/// Backups in memory that break one law.
#[derive(Debug)]
struct Wrong {
    inner: MemoryBackups,
    law: Law,
    asked: AtomicU32,
}

#[async_trait]
impl BackupRetention for Wrong {
    async fn schedule(&self) -> Result<Schedule, BackupError> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let schedule = self.inner.schedule().await?;
        Ok(if self.law == Law::ScheduleStays { Schedule { days: Some(asked), ..schedule } } else { schedule })
    }

    async fn copies(&self) -> Result<Vec<BackupCopy>, BackupError> {
        let mut copies = self.inner.copies().await?;
        match self.law {
            Law::CopiesOldestFirst => copies.reverse(),
            Law::CopiesOnlyReads => {
                self.inner.remove(&copies[..1]).await?;
            }
            _ => {}
        }
        Ok(copies)
    }

    async fn remove(&self, copies: &[BackupCopy]) -> Result<Vec<Result<Removed, BackupError>>, BackupError> {
        if self.law == Law::CopyRemoved {
            return Ok(copies.iter().map(|_| Ok(Removed::Done)).collect());
        }
        let mut answers = self.inner.remove(copies).await?;
        match self.law {
            Law::CopyRemovedAgain => answers.iter_mut().for_each(|answer| *answer = Ok(Removed::Done)),
            Law::RemoveInOrder => answers.reverse(),
            Law::CopiesUntouched => {
                let left = self.inner.copies().await?;
                self.inner.remove(&left[..1]).await?;
            }
            _ => {}
        }
        Ok(answers)
    }
}
