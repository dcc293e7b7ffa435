//! Backup copies: real files, their rule, and the certificate.

use std::fs;
use std::sync::Arc;

use chrono::NaiveDate;
use relinquish::backup::{
    BackupCopy, BackupError, DirectoryBackups, Horizon, MemoryBackups, Removed, Schedule,
};
use relinquish::{Asked, BackupRetention, MemoryLedger};

use crate::hosts::{self, BuildCounted as _, approved};

const SCHEDULE: Schedule = Schedule::new(Some(3), Some(30));

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for day in ["2026-10-01", "2026-11-18", "2026-11-19", "2026-11-20"] {
        fs::write(folder.path().join(format!("crm-{day}.sqlite")), day).unwrap();
    }
    folder
}

fn directory(folder: &tempfile::TempDir) -> DirectoryBackups {
    DirectoryBackups::new(folder.path(), "crm-%Y-%m-%d.sqlite", SCHEDULE).unwrap()
}

#[tokio::test]
async fn both_adapters_list_and_remove_copies_alike() {
    let folder = folder();
    let directory = directory(&folder);
    let copies = directory.copies().await.unwrap();
    let memory = MemoryBackups::new(SCHEDULE, copies.clone());
    for backups in [&directory as &dyn BackupRetention, &memory] {
        let copies = backups.copies().await.unwrap();
        let names: Vec<_> = copies.iter().map(|copy| copy.name.to_string()).collect();
        assert_eq!(names[0], "crm-2026-10-01.sqlite", "oldest first");
        assert_eq!(names.len(), 4);
        let schedule = backups.schedule().await.unwrap();
        let old: Vec<BackupCopy> = schedule.expired(&copies, hosts::now()).into_iter().cloned().collect();
        assert_eq!(old.len(), 1);
        assert_eq!(backups.remove(&old).await.unwrap()[0].as_ref().unwrap(), &Removed::Done);
        assert_eq!(backups.remove(&old).await.unwrap()[0].as_ref().unwrap(), &Removed::Already);
        assert_eq!(backups.copies().await.unwrap().len(), 3);
    }
    assert!(!folder.path().join("crm-2026-10-01.sqlite").exists());
    assert!(folder.path().join("crm-2026-11-18.sqlite").exists());
}

#[tokio::test]
async fn what_is_no_copy_by_its_name_is_an_error_and_never_removed() {
    let folder = folder();
    let directory = directory(&folder);
    fs::write(folder.path().join("crm-latest.sqlite"), "who knows").unwrap();
    let error = directory.copies().await.unwrap_err();
    assert!(
        matches!(&error, BackupError::Unrecognised { name, .. } if name == "crm-latest.sqlite"),
        "{error}"
    );
    for name in ["crm-latest.sqlite", "../crm-2026-11-18.sqlite"] {
        let copy = BackupCopy::new(hosts::now(), name);
        assert!(
            directory.remove(std::slice::from_ref(&copy)).await.is_err(),
            "{name}: nothing is removed here"
        );
        fs::rename(folder.path().join("crm-latest.sqlite"), folder.path().join("../moved-away")).unwrap();
        assert!(directory.remove(&[copy]).await.unwrap()[0].is_err(), "{name}");
        fs::rename(folder.path().join("../moved-away"), folder.path().join("crm-latest.sqlite")).unwrap();
    }
    assert!(folder.path().join("crm-latest.sqlite").exists());
}

#[test]
fn a_pattern_that_does_not_tell_the_day_is_refused() {
    for pattern in ["crm.sqlite", "crm-%Y-%m.sqlite", "crm-%d.sqlite", "%Q", "crm-%H.sqlite"] {
        let error = DirectoryBackups::new("/nowhere", pattern, SCHEDULE).unwrap_err();
        assert!(matches!(error, BackupError::Pattern { .. }), "{pattern}: {error}");
    }
    for pattern in ["crm-%Y-%m-%d.sqlite", "%Y%m%d.tar.gz", "crm-%F"] {
        assert!(DirectoryBackups::new("/nowhere", pattern, SCHEDULE).is_ok(), "{pattern}");
    }
}

#[tokio::test]
async fn the_certificate_says_until_when_copies_linger() {
    let folder = folder();
    let host = hosts::sqlite();
    let engine = host
        .builder(MemoryLedger::new(), hosts::keys())
        .backups("nightly", Arc::new(directory(&folder)))
        .backups("gone", DirectoryBackups::new("/nowhere/at/all", "%Y-%m-%d", SCHEDULE).unwrap())
        .counted()
        .unwrap();
    let plan = approved(&engine, &host.due, &Asked::Sweep).await;
    let outcome = engine.erase(plan).await.unwrap();
    let backups = &outcome.certificate().unwrap().backups();
    let day = NaiveDate::from_ymd_opt(2026, 12, 22).unwrap();
    assert_eq!((backups[0].copies, &backups[0].horizon), (Some(4), &Horizon::Until { day }));
    // If the backups cannot be reached, the case is still closed, and the certificate says so.
    assert!(matches!(&backups[1].horizon, Horizon::Unknown { .. }), "{:?}", backups[1]);
}
