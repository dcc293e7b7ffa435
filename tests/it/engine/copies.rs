//! Copies and rotated logs in real directories and in an object store: which are removed, which stay, and how a
//! removal runs as a case.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt as _};
use relinquish::backup::{
    AfterRemoval, BackupCopy, BackupError, CopiesPlan, DirectoryBackups, Horizon, Layout, NoHorizon,
    ObjectBackups, Removed, Schedule,
};
use relinquish::case::SupersedeReason;
use relinquish::data_map::TimeZone;
use relinquish::engine::{CopiesRemoved, PlaceHorizon};
use relinquish::ledger::{CaseBook as _, Ledger as _};
use relinquish::plan::{Authority, CopiesChanged};
use relinquish::testing::{self, Copies, Fault, Faults, Faulty, ManualClock};
use relinquish::{Approval, Asked, BackupRetention, Engine, MemoryLedger, Outcome, SqliteLedger};

use crate::hosts::{self, BuildCounted as _, Host, ResumeAll as _, approved};
use crate::wired::{NEVER, Tripwire, until_death};

const RULE: Schedule = Schedule::new(Some(2), Some(30));

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Writes files, each with the given time stamp. A path that ends in `/` is a folder with a file in it.
fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, time) in files {
        let whole = root.join(path);
        let file = if path.ends_with('/') {
            fs::create_dir_all(&whole).unwrap();
            fs::create_dir_all(whole.join("deep")).unwrap();
            fs::write(whole.join("deep/data"), path).unwrap();
            whole.join("toc.dat")
        } else {
            fs::create_dir_all(whole.parent().unwrap()).unwrap();
            whole.clone()
        };
        fs::write(&file, path).unwrap();
        fs::File::options().write(true).open(&file).unwrap().set_modified(at(time).into()).unwrap();
    }
}

/// Every file and link below a folder.
fn there(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![root.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                todo.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

async fn names(backups: &dyn BackupRetention) -> Vec<String> {
    backups.copies().await.unwrap().iter().map(|copy| copy.name.to_string()).collect()
}

async fn remove_expired(backups: &dyn BackupRetention, now: &str) -> usize {
    let copies = backups.copies().await.unwrap();
    let rule = backups.schedule().await.unwrap();
    let old: Vec<BackupCopy> = rule.expired(&copies, at(now)).into_iter().cloned().collect();
    for answer in backups.remove(&old).await.unwrap() {
        assert_eq!(answer.unwrap(), Removed::Done);
    }
    old.len()
}

/// Folders as `pg_dump --format=directory` writes them, each with its checksum.
#[tokio::test]
async fn folders_of_pg_dump_age_out_whole() {
    let folder = tempfile::tempdir().unwrap();
    let time = "2026-11-20T02:00:00Z";
    for day in ["2026-10-01", "2026-11-19", "2026-11-20", "2026-11-21"] {
        write(folder.path(), &[(&format!("crm-{day}/"), time), (&format!("crm-{day}.sha256"), time)]);
    }
    let layout = Layout::dated("crm-%Y-%m-%d/").unwrap().beside(".sha256");
    let dumps = DirectoryBackups::laid_out(folder.path(), layout, RULE);
    assert_eq!(names(&dumps).await.len(), 4);
    assert_eq!(remove_expired(&dumps, "2026-11-21T12:00:00Z").await, 2);
    assert_eq!(names(&dumps).await, ["crm-2026-11-20/", "crm-2026-11-21/"]);
    assert!(there(folder.path()).iter().all(|path| path.contains("11-20") || path.contains("11-21")));
}

/// Base backups as `pg_basebackup` writes them, and the archive to which `archive_command` copies.
#[tokio::test]
async fn a_base_backup_goes_with_its_logs_and_the_next_one_keeps_all_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        &[
            ("base/2026-11-01T020000/", "2026-11-01T02:09:00Z"),
            ("base/2026-11-08T020000/", "2026-11-08T02:09:00Z"),
            ("base/2026-11-15T020000/", "2026-11-15T02:09:00Z"),
            ("wal/000000010000000000000001", "2026-11-01T02:00:30Z"),
            ("wal/000000010000000000000002", "2026-11-08T01:59:00Z"),
            // It was begun before the second base backup, and contains the start of that backup.
            ("wal/000000010000000000000003", "2026-11-08T02:00:30Z"),
            ("wal/000000010000000000000003.00000028.backup", "2026-11-08T02:09:00Z"),
            ("wal/000000010000000000000004", "2026-11-16T00:00:00Z"),
            ("wal/00000002.history", "2026-10-01T00:00:00Z"),
        ],
    );
    let layout = Layout::dated("base/%Y-%m-%dT%H%M%S/")
        .unwrap()
        .following("wal/*", TimeDelta::zero())
        .leaves("wal/*.history");
    let archive = DirectoryBackups::laid_out(folder.path(), layout, RULE);
    assert_eq!(remove_expired(&archive, "2026-11-21T12:00:00Z").await, 1);
    let left: Vec<String> =
        there(folder.path()).into_iter().filter(|path| path.starts_with("wal/")).collect();
    assert_eq!(
        left,
        [
            "wal/000000010000000000000003",
            "wal/000000010000000000000003.00000028.backup",
            "wal/000000010000000000000004",
            "wal/00000002.history",
        ]
    );
    assert!(!folder.path().join("base/2026-11-01T020000").exists());
    assert!(folder.path().join("base/2026-11-08T020000/deep/data").exists());
}

/// Logs as `logrotate` names them: by number with `rotate`, by date with `dateext`.
#[tokio::test]
async fn rotated_logs_age_out_and_the_one_that_is_written_stays() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        &[
            ("app.log", "2026-11-21T11:59:00Z"),
            ("app.log.1", "2026-11-21T00:00:00Z"),
            ("app.log.2.gz", "2026-11-20T00:00:00Z"),
            ("app.log.3.gz", "2026-11-13T23:00:00Z"),
        ],
    );
    let rule = Schedule::new(None, Some(7));
    let layout = Layout::by_file_time("app.log.*", TimeDelta::days(1)).leaves("app.log");
    let logs = DirectoryBackups::laid_out(folder.path(), layout, rule.clone());
    let copies = logs.copies().await.unwrap();
    // Data that were erased on the evening of the 20th may be in the log that was rotated at midnight, but not in an
    // older one.
    let erased = at("2026-11-20T18:00:00Z");
    let holds: Vec<&str> =
        copies.iter().filter(|copy| copy.may_hold(erased)).map(|copy| copy.name.as_str()).collect();
    assert_eq!(holds, ["app.log.3.gz", "app.log.2.gz", "app.log.1"]);
    assert!(!copies.iter().any(|copy| copy.may_hold(at("2026-11-12T00:00:00Z"))));
    assert_eq!(remove_expired(&logs, "2026-11-21T12:00:00Z").await, 1);
    assert_eq!(there(folder.path()), ["app.log", "app.log.1", "app.log.2.gz"]);
    // Rotation has renamed the logs since they were listed, so the second name now belongs to a different log.
    fs::remove_file(folder.path().join("app.log.2.gz")).unwrap();
    fs::rename(folder.path().join("app.log.1"), folder.path().join("app.log.2.gz")).unwrap();
    let second = copies.iter().find(|copy| copy.name.as_str() == "app.log.2.gz").unwrap();
    let answers = logs.remove(std::slice::from_ref(second)).await.unwrap();
    assert!(matches!(answers.as_slice(), [Err(BackupError::Changed { .. })]), "{answers:?}");

    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        &[
            ("app.log", "2026-11-21T11:59:00Z"),
            ("app.log-20261120.gz", "2026-11-21T00:00:00Z"),
            ("app.log-20261101.gz", "2026-11-21T00:00:00Z"),
        ],
    );
    let layout = Layout::dated("app.log-%Y%m%d.gz").unwrap().leaves("app.log");
    let logs = DirectoryBackups::laid_out(folder.path(), layout, rule);
    assert_eq!(remove_expired(&logs, "2026-11-21T12:00:00Z").await, 1);
    assert_eq!(there(folder.path()), ["app.log", "app.log-20261120.gz"]);
}

#[cfg(unix)]
#[tokio::test]
async fn no_link_is_followed_and_nothing_outside_is_touched() {
    use std::os::unix::fs::symlink;

    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), &[("crm-2026-01-01/", "2026-01-01T00:00:00Z"), ("keep", "2026-01-01T00:00:00Z")]);
    let before = there(outside.path());
    let layout = || Layout::dated("crm-%Y-%m-%d/").unwrap().following("wal/*", TimeDelta::zero());
    let now = "2026-11-21T12:00:00Z";
    // A symbolic link with the name of a copy, and a symbolic link in the place of a folder.
    for (link, to) in [("crm-2026-02-01", "crm-2026-01-01"), ("wal", ".")] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[("crm-2026-03-01/", now)]);
        symlink(outside.path().join(to), folder.path().join(link)).unwrap();
        let backups = DirectoryBackups::laid_out(folder.path(), layout(), RULE);
        let error = backups.copies().await.unwrap_err();
        assert!(matches!(error, BackupError::Unrecognised { .. }), "{error}");
        let copy = BackupCopy::new(at("2026-02-01T23:59:59Z"), "crm-2026-02-01/");
        assert!(backups.remove(&[copy]).await.is_err());
        assert!(folder.path().join("crm-2026-03-01/toc.dat").exists());
    }
    // A symbolic link inside a copy: the link is removed, and its target stays.
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("crm-2026-03-01/", now)]);
    symlink(outside.path(), folder.path().join("crm-2026-03-01/tablespace")).unwrap();
    let backups = DirectoryBackups::laid_out(folder.path(), layout(), RULE);
    assert_eq!(remove_expired(&backups, now).await, 1);
    assert_eq!(there(folder.path()), [""; 0]);
    assert_eq!(there(outside.path()), before);
}

fn put(store: &InMemory, key: &str) {
    let key = key.into();
    let put = store.put(&key, "an object".into());
    futures_util::FutureExt::now_or_never(put).unwrap().unwrap();
}

fn objects(files: &[(&str, &str)]) -> Arc<InMemory> {
    let store = Arc::new(InMemory::new());
    for (path, _) in files {
        put(&store, path);
    }
    store
}

#[tokio::test]
async fn an_object_store_keeps_the_contract_and_nothing_beside_the_prefix_is_touched() {
    let days = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"];
    let mut keys = vec!["dumps-of-others/crm-2026-01-01/toc.dat".to_owned(), "other".to_owned()];
    for day in days {
        keys.push(format!("dumps/crm-{day}/toc.dat"));
        keys.push(format!("dumps/crm-{day}/deep/data"));
        keys.push(format!("dumps/crm-{day}.sha256"));
    }
    let files: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "")).collect();
    let store = objects(&files);
    let layout = || Layout::dated("crm-%Y-%m-%d/").unwrap().beside(".sha256");
    let rule = Schedule::new(Some(7), Some(30));
    let over = |store: &Arc<InMemory>, after| {
        ObjectBackups::new(Arc::clone(store) as Arc<dyn ObjectStore>, "dumps", layout(), rule.clone(), after)
    };
    let stray = Arc::clone(&store);
    let fresh = || async {
        Copies::new(over(&store, AfterRemoval::Gone)).stray(move || {
            put(&stray, "dumps/notes.txt");
        })
    };
    testing::backups(fresh).await.unwrap();
    for key in ["dumps-of-others/crm-2026-01-01/toc.dat", "other", "dumps/notes.txt"] {
        store.head(&key.into()).await.unwrap();
    }
    for key in
        ["dumps/crm-2026-03-01/toc.dat", "dumps/crm-2026-03-01/deep/data", "dumps/crm-2026-03-01.sha256"]
    {
        assert!(matches!(store.head(&key.into()).await, Err(object_store::Error::NotFound { .. })), "{key}");
    }
    // Only the host knows whether the store keeps something of removed objects.
    let erased = at("2026-03-01T12:00:00Z");
    let horizon = async |after| over(&store, after).schedule().await.unwrap().horizon(erased, TimeZone::UTC);
    // The copy of the day of the erasure may have been begun before the erasure. It is finished by the end of that
    // day.
    assert_eq!(horizon(AfterRemoval::Gone).await, Horizon::Until { day: "2026-04-01".parse().unwrap() });
    assert_eq!(horizon(AfterRemoval::Days(14)).await, Horizon::Until { day: "2026-04-15".parse().unwrap() });
    assert_eq!(horizon(AfterRemoval::Unknown).await, Horizon::Unknown { because: NoHorizon::AfterRemoval });
}

/// A host with nightly copies, and an engine over its files. The engine's calls go through a tripwire.
struct Nightly {
    host: Host,
}

impl Nightly {
    fn new() -> Self {
        let host = hosts::sqlite();
        for day in ["2026-10-01", "2026-10-02", "2026-11-18", "2026-11-19", "2026-11-20"] {
            let time = "2026-11-20T00:00:00Z";
            let [copy, sum] = ["", ".sha256"].map(|end| format!("nightly/crm-{day}.sqlite{end}"));
            write(host.folder.path(), &[(&copy, time), (&sum, time)]);
        }
        Self { host }
    }

    fn backups(&self, rule: Schedule) -> DirectoryBackups {
        let layout = Layout::dated("crm-%Y-%m-%d.sqlite").unwrap().beside(".sha256");
        DirectoryBackups::laid_out(self.host.folder.path().join("nightly"), layout, rule)
    }

    fn ledger(&self) -> SqliteLedger {
        SqliteLedger::open(self.host.folder.path().join("ledger.sqlite")).unwrap()
    }

    fn engine(&self, wire: &Arc<Tripwire>) -> Engine {
        self.over(Faulty::new(self.backups(RULE), Arc::clone(wire)), wire)
    }

    fn over(&self, backups: impl BackupRetention, wire: &Arc<Tripwire>) -> Engine {
        self.host
            .builder(Faulty::new(self.ledger(), Arc::clone(wire)), hosts::keys())
            .backups("nightly", backups)
            .worker("one")
            .build()
            .unwrap()
    }

    fn there(&self) -> Vec<String> {
        there(&self.host.folder.path().join("nightly"))
    }
}

fn still() -> Arc<Tripwire> {
    Tripwire::at(NEVER)
}

fn approval(plan: &CopiesPlan) -> Approval {
    Approval::new("operator-7", ["1".into()], plan.digest(), hosts::now(), TimeDelta::hours(1))
}

#[tokio::test]
async fn copies_go_by_plan_and_approval_and_the_certificate_says_which() {
    let nightly = Nightly::new();
    let engine = nightly.engine(&still());
    let plan = engine.plan_copies("nightly").await.unwrap();
    let says = plan.to_string();
    for part in [
        "the newest 2, and none longer than 30 days",
        "3 copies are removed",
        "crm-2026-11-18.sqlite",
        "2 copies are kept",
    ] {
        assert!(says.contains(part), "{part}: {says}");
    }
    let before = nightly.there();
    let other = CopiesPlan::clone(&plan).planned_by("operator-3");
    assert!(plan.clone().approve(approval(&other)).is_err(), "the approval is for another plan");
    assert_eq!(nightly.there(), before);
    let approved = plan.clone().approve(approval(&plan)).unwrap();
    let outcome = engine.remove_copies(&approved).await.unwrap();
    let Outcome::Copies(removed) = &outcome else { panic!("{outcome}") };
    assert!(removed.is_complete() && removed.gone == *plan.copies(), "{removed}");
    assert_eq!(nightly.there().len(), 4, "two copies, each with its checksum");
    let again = CopiesRemoved::read(&nightly.ledger(), &removed.case).await.unwrap().unwrap();
    assert_eq!(again, **removed);
    assert_eq!(again.plan, plan.digest());
    assert!(again.to_string().contains("gone       crm-2026-10-01.sqlite"), "{again}");
    assert!(engine.plan_copies("nightly").await.unwrap().is_nothing());
    let error = engine.plan_copies("nigthly").await.unwrap_err().to_string();
    assert!(error.contains("did you mean nightly"), "{error}");
}

#[tokio::test]
async fn a_removal_that_dies_at_any_boundary_is_finished_by_resume() {
    for dies_at in 0.. {
        let nightly = Nightly::new();
        let before = nightly.there();
        let plan = nightly.engine(&still()).plan_copies("nightly").await.unwrap();
        let approved = plan.clone().approve(approval(&plan)).unwrap();
        let wire = Tripwire::at(dies_at);
        let engine = nightly.engine(&wire);
        let finished = until_death(&wire, engine.remove_copies(&approved)).await;
        drop(engine);
        let open = nightly.ledger().list(None, 10).await.unwrap();
        if nightly.there() != before && finished.is_none() {
            let closed = nightly.ledger().last().await.unwrap() > 0;
            assert!(closed || open.len() == 1, "at {dies_at}: it was recorded before anything went");
        }
        let was_open = !open.is_empty();
        let second = nightly.engine(&still());
        let outcomes = second.resumed().await;
        assert_eq!(outcomes.len(), usize::from(was_open), "at {dies_at}");
        for outcome in &outcomes {
            let Outcome::Copies(removed) = outcome else { panic!("at {dies_at}: {outcome}") };
            assert_eq!((&removed.gone, removed.is_complete()), (plan.copies(), true));
        }
        let is_over = was_open || nightly.ledger().last().await.unwrap() > 0;
        assert_eq!(nightly.there().len(), if is_over { 4 } else { before.len() }, "at {dies_at}");
        if finished.is_some() {
            assert!(dies_at > 8, "{dies_at} boundaries");
            break;
        }
    }
}

#[tokio::test]
async fn copies_that_have_changed_since_the_plan_stay() {
    let gone = |nightly: &Nightly, day: &str| {
        fs::remove_file(nightly.host.folder.path().join(format!("nightly/crm-{day}.sqlite"))).unwrap();
        fs::remove_file(nightly.host.folder.path().join(format!("nightly/crm-{day}.sqlite.sha256"))).unwrap();
    };
    // The newest copies are gone, so only the copies that were to be removed are left.
    let nightly = Nightly::new();
    let plan = nightly.engine(&still()).plan_copies("nightly").await.unwrap();
    let approved = plan.clone().approve(approval(&plan)).unwrap();
    gone(&nightly, "2026-11-20");
    let before = nightly.there();
    let outcome = nightly.engine(&still()).remove_copies(&approved).await.unwrap();
    let needed = SupersedeReason::Copies(CopiesChanged::Needed);
    assert!(matches!(&outcome, Outcome::Superseded { because, .. } if *because == needed), "{outcome}");
    assert_eq!(nightly.there(), before);
    // Another rule.
    let nightly = Nightly::new();
    let before = nightly.there();
    let engine = nightly.over(nightly.backups(Schedule::new(Some(1), None)), &still());
    let outcome = engine.remove_copies(&approved).await.unwrap();
    let rule = SupersedeReason::Copies(CopiesChanged::Rule);
    assert!(matches!(&outcome, Outcome::Superseded { because, .. } if *because == rule), "{outcome}");
    assert_eq!(nightly.there(), before);
    // There is an unknown file, so nothing is removed.
    let nightly = Nightly::new();
    fs::write(nightly.host.folder.path().join("nightly/crm-latest.sqlite"), "?").unwrap();
    let before = nightly.there();
    let outcome = nightly.engine(&still()).remove_copies(&approved).await.unwrap();
    assert!(
        matches!(&outcome, Outcome::Waiting { reason, .. } if reason.contains("crm-latest")),
        "{outcome}"
    );
    assert_eq!(nightly.there(), before);
    // The approval has expired when the case is continued.
    let late = nightly
        .host
        .builder(nightly.ledger(), hosts::keys())
        .clock(ManualClock::at(hosts::now() + TimeDelta::days(2)))
        .backups("nightly", nightly.backups(RULE))
        .worker("one")
        .build()
        .unwrap();
    let outcomes = late.resumed().await;
    assert!(matches!(outcomes.as_slice(), [Outcome::Superseded { .. }]), "{outcomes:?}");
    assert_eq!(nightly.there(), before);
}

#[tokio::test]
async fn a_removal_can_be_cancelled_and_says_what_is_left() {
    let nightly = Nightly::new();
    let plan = nightly.engine(&still()).plan_copies("nightly").await.unwrap();
    let approved = plan.clone().approve(approval(&plan)).unwrap();
    let faults = Arc::new(Faults::at("remove", 1, Fault::Error));
    let engine = nightly.over(Faulty::new(nightly.backups(RULE), faults), &still());
    let outcome = engine.remove_copies(&approved).await.unwrap();
    let Outcome::Waiting { case, .. } = outcome else { panic!("{outcome}") };
    gone_by_hand(&nightly);
    let by = Authority::new("operator-8", ["1".into()]);
    engine.cancel(&case, &by, "ticket-9".parse().unwrap()).await.unwrap();
    let removed = CopiesRemoved::read(&nightly.ledger(), &case).await.unwrap().unwrap();
    assert_eq!((removed.gone.len(), removed.left.len()), (1, 2));
    assert!(removed.to_string().contains("cancelled by operator-8: ticket-9"), "{removed}");
}

/// A former bug: a copy that had a new name or a new time counted as gone, but still existed.
#[tokio::test]
async fn what_may_be_there_under_another_name_is_not_called_gone() {
    let host = hosts::sqlite();
    let logs = host.folder.path().join("logs");
    let day = |day: u32| format!("2026-10-{day:02}T00:00:00Z");
    for log in 1..=5 {
        write(&logs, &[(&format!("app.log.{log}"), &day(20 - log))]);
    }
    let layout = || Layout::by_file_time("app.log.*", TimeDelta::days(1));
    let place = || DirectoryBackups::laid_out(&logs, layout(), Schedule::new(None, Some(30)));
    let ledger = || SqliteLedger::open(host.folder.path().join("ledger.sqlite")).unwrap();
    let engine = |backups: Box<dyn BackupRetention>| {
        host.builder(ledger(), hosts::keys()).backups("logs", backups).worker("one").build().unwrap()
    };
    let plan = engine(Box::new(place())).plan_copies("logs").await.unwrap();
    assert_eq!(plan.copies().len(), 5);
    let approved = plan.clone().approve(approval(&plan)).unwrap();
    let faults = Arc::new(Faults::at("remove", 1, Fault::Error));
    let outcome = engine(Box::new(Faulty::new(place(), faults))).remove_copies(&approved).await.unwrap();
    let Outcome::Waiting { case, .. } = outcome else { panic!("{outcome}") };
    // At night every log is renamed to the next number.
    for log in (1..=5).rev() {
        fs::rename(logs.join(format!("app.log.{log}")), logs.join(format!("app.log.{}", log + 1))).unwrap();
    }
    let engine = engine(Box::new(place()));
    assert!(matches!(&engine.resumed().await[..], [Outcome::Copies(_)]));
    let removed = CopiesRemoved::read(&ledger(), &case).await.unwrap().unwrap();
    assert_eq!((removed.gone.len(), removed.left.len()), (0, 5), "{removed}");
}

fn gone_by_hand(nightly: &Nightly) {
    for end in ["", ".sha256"] {
        let name = format!("nightly/crm-2026-10-01.sqlite{end}");
        fs::remove_file(nightly.host.folder.path().join(name)).unwrap();
    }
}

/// Backups that report the removal of a copy but keep the copy.
#[derive(Debug)]
struct Hoarder(DirectoryBackups);

#[async_trait]
impl BackupRetention for Hoarder {
    async fn schedule(&self) -> Result<Schedule, BackupError> {
        self.0.schedule().await
    }

    async fn copies(&self) -> Result<Vec<BackupCopy>, BackupError> {
        self.0.copies().await
    }

    async fn remove(&self, copies: &[BackupCopy]) -> Result<Vec<Result<Removed, BackupError>>, BackupError> {
        Ok(copies.iter().map(|_| Ok(Removed::Done)).collect())
    }
}

#[tokio::test]
async fn whoever_keeps_what_is_said_to_be_gone_gets_no_certificate() {
    let nightly = Nightly::new();
    let engine = nightly.over(Hoarder(nightly.backups(RULE)), &still());
    let plan = engine.plan_copies("nightly").await.unwrap();
    let outcome = engine.remove_copies(&plan.clone().approve(approval(&plan)).unwrap()).await.unwrap();
    assert!(
        matches!(&outcome, Outcome::Waiting { reason, .. } if reason.contains("but it exists again")),
        "{outcome}"
    );
    assert_eq!(nightly.ledger().last().await.unwrap(), 0, "no entry");
}

/// The engine looks at the copies and assumes nothing. It sees which copies exist and which are overdue. It also sees
/// since when none is left.
#[tokio::test]
async fn the_horizon_of_a_case_is_what_was_seen() {
    let nightly = Nightly::new();
    let clock = Arc::new(ManualClock::at(hosts::now()));
    let rule = Schedule::new(None, Some(30));
    let engine = nightly
        .host
        .builder(nightly.ledger(), hosts::keys())
        .clock(Arc::clone(&clock))
        .backups("nightly", nightly.backups(rule.clone()))
        .counted()
        .unwrap();
    let plan = approved(&engine, &nightly.host.due, &Asked::Sweep).await;
    let outcome = engine.erase(plan).await.unwrap();
    let case = outcome.certificate().unwrap().case().clone();
    let place = async || engine.horizon(&case).await.unwrap().unwrap().places.remove("nightly").unwrap();
    // Two copies are older than the rule allows, and the rule allows three.
    let overdue = place().await;
    assert!(matches!(&overdue, PlaceHorizon::Overdue { copies: 2, .. }), "{overdue}");
    assert_eq!(engine.health().await.unwrap().copies_expired, 2);
    let plan = engine.plan_copies("nightly").await.unwrap();
    engine.remove_copies(&plan.clone().approve(approval(&plan)).unwrap()).await.unwrap();
    let lingers = place().await;
    assert!(
        matches!(&lingers, PlaceHorizon::Lingers { copies: 3, until: Horizon::Until { .. } }),
        "{lingers}"
    );
    engine.look_at_copies().await.unwrap();
    let entries = nightly.ledger().last().await.unwrap();
    engine.look_at_copies().await.unwrap();
    assert_eq!(nightly.ledger().last().await.unwrap(), entries, "nothing has changed");
    // A month later a person has removed the last of them, and there is a new copy.
    clock.turn(TimeDelta::days(31));
    for day in ["2026-11-18", "2026-11-19", "2026-11-20"] {
        for end in ["", ".sha256"] {
            let name = format!("nightly/crm-{day}.sqlite{end}");
            fs::remove_file(nightly.host.folder.path().join(name)).unwrap();
        }
    }
    write(nightly.host.folder.path(), &[("nightly/crm-2026-12-21.sqlite", "2026-12-21T00:00:00Z")]);
    engine.look_at_copies().await.unwrap();
    let seen_at = hosts::now() + TimeDelta::days(31);
    clock.turn(TimeDelta::days(5));
    let gone = place().await;
    assert_eq!(gone, PlaceHorizon::Gone { seen: seen_at, versions_until: None }, "since it was seen");
    let certificate = engine.certificate(&case).await.unwrap().unwrap();
    assert_eq!(certificate.copies_gone().get("nightly"), Some(&seen_at));
    let says = "nightly: no copy from before the case was there on 2026-12-22";
    assert!(certificate.to_string().contains(says), "{certificate}");
    let horizon = engine.horizon(&case).await.unwrap().unwrap();
    assert_eq!((horizon.last_gone(), horizon.is_over()), (Some(seen_at.date_naive()), false), "{horizon}");
    engine.scrub().await.unwrap();
    assert!(engine.horizon(&case).await.unwrap().unwrap().is_over());
    // Somebody restores an old copy.
    write(nightly.host.folder.path(), &[("nightly/crm-2026-11-01.sqlite", "2026-11-01T00:00:00Z")]);
    assert!(matches!(place().await, PlaceHorizon::Overdue { copies: 1, .. }));
    engine.look_at_copies().await.unwrap();
    assert!(engine.certificate(&case).await.unwrap().unwrap().copies_gone().is_empty());
    // If a place contains an unknown file, nobody knows which copies it has.
    fs::write(nightly.host.folder.path().join("nightly/notes"), "?").unwrap();
    assert!(matches!(place().await, PlaceHorizon::Unknown { because: Some(_) }));
    assert_eq!(engine.health().await.unwrap().backups_unknown, 1);
}

#[test]
fn two_places_of_one_name_are_refused() {
    let nightly = Nightly::new();
    let builder = nightly.host.builder(MemoryLedger::new(), hosts::keys());
    let builder = builder.backups("nightly", nightly.backups(RULE)).backups("nightly", nightly.backups(RULE));
    let error = builder.build().unwrap_err().to_string();
    assert!(error.contains("the name of two places"), "{error}");
}
