//! Real processes on one ledger, killed (SIGKILL) and stopped beyond their lease (SIGSTOP) at random moments.
//!
//! Two workers plan, execute and resume on the same files. Sometimes one of them is killed and restarted with the
//! same name, or is stopped until the other one may take its cases. In the end a third worker does the rest. The
//! database has to be the same as after a run without interruptions, and the ledger has one entry for each customer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use relinquish::gateway::{
    AccountId, GatewayAnswer, GatewayError, GatewayName, GatewayOutcome, ProfileErasure, ProfileFacts,
    ProfileId, ProfileState, Receipt,
};
use relinquish::ledger::{CaseBook as _, Closing, Ledger as _};
use relinquish::{
    Approval, Asked, CustomerId, Engine, PaymentGatewayEraser, Planned, PolicyDocument, SqlMap, SqliteLedger,
    SqliteStore,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::plans::{self, Canonical};
use crate::shop::{Shop, changes};

/// The number of processes that are killed.
const KILLS: usize = 1_000;
const LEASE: Duration = Duration::from_millis(400);

/// A gateway that keeps each profile in a file, so that all processes see an erasure.
#[derive(Debug)]
struct Files {
    name: GatewayName,
    folder: PathBuf,
}

#[async_trait]
impl PaymentGatewayEraser for Files {
    fn gateway(&self) -> &GatewayName {
        &self.name
    }

    fn longest_call(&self) -> Duration {
        Duration::from_millis(100)
    }

    async fn account(&self) -> Result<Option<AccountId>, GatewayError> {
        Ok(None)
    }

    async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError> {
        Ok(match std::fs::read_to_string(self.folder.join(profile.as_str())) {
            Ok(owner) => {
                let owner = Some(owner).filter(|owner| !owner.is_empty()).map(CustomerId::new);
                ProfileState::Present(ProfileFacts::new(owner, 0))
            }
            Err(_) => ProfileState::Absent,
        })
    }

    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError> {
        Ok(match std::fs::remove_file(self.folder.join(erasure.profile.as_str())) {
            Ok(()) => GatewayOutcome::Erased.into(),
            Err(_) => GatewayOutcome::AlreadyAbsent.into(),
        })
    }

    async fn poll(&self, _: &Receipt) -> Result<GatewayAnswer, GatewayError> {
        Ok(GatewayOutcome::Erased.into())
    }
}

fn engine(canonical: &Canonical, folder: &Path, name: &str) -> Engine {
    let map = SqlMap::from_toml(&canonical.map).unwrap();
    let ledger = folder.join("ledger.sqlite");
    Engine::builder(
        SqliteStore::open(folder.join("shop.sqlite"), &map).unwrap(),
        PolicyDocument::from_toml(&canonical.policy).unwrap(),
        SqliteLedger::open(&ledger).unwrap(),
        crate::keys_beside(&ledger),
    )
    .gateway(Files { name: "pay".into(), folder: folder.join("pay") })
    .worker(name)
    .lease(LEASE)
    .build()
    .unwrap()
}

/// Plans, approves and executes for all customers, and continues open cases. After an error it tries again, because
/// the other worker may have the case.
async fn work(engine: &Engine, canonical: &Canonical) {
    for id in &canonical.customers {
        let Ok(Planned::Plan(plan)) = engine.plan(&CustomerId::from(*id), &Asked::request()).await else {
            continue;
        };
        let now = Utc::now();
        let an_hour = chrono::TimeDelta::hours(1);
        let approval = Approval::new("operator-7", [plan.tenant().clone()], plan.digest(), now, an_hour);
        if let Ok(approved) = plan.approve(approval) {
            drop(engine.erase(approved).await);
        }
    }
    drop(engine.resume().await);
}

/// The work of a child process: `--work <plan> <folder> <name>`.
pub(crate) fn as_worker() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, flag, plan, folder, name] = arguments.as_slice() else { return None };
    if flag != "--work" {
        return None;
    }
    let canonical = plans::all().into_iter().find(|canonical| canonical.name == plan).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for _ in 0..20 {
            work(&engine(&canonical, Path::new(folder), name), &canonical).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    Some(ExitCode::SUCCESS)
}

fn start(canonical: &Canonical, folder: &Path, name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--work", canonical.name])
        .arg(folder)
        .arg(name)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // The process may have ended by itself.
        kill_process(pid, signal).ok();
    }
}

/// The state at the end: changed cells, profiles at the gateway, and how many times each customer was erased.
#[derive(Debug, PartialEq, Eq)]
struct End {
    changes: BTreeSet<String>,
    profiles: usize,
    entries: usize,
    subjects: usize,
    open: usize,
}

/// Runs one trial. Returns the number of kills and the state at the end.
async fn trial(canonical: &Canonical, random: &mut fastrand::Rng, disturbed: bool) -> (usize, End) {
    let folder = tempfile::tempdir().unwrap();
    let made = Shop::new(&canonical.sql, &canonical.map, "");
    std::fs::copy(made.path(), folder.path().join("shop.sqlite")).unwrap();
    let gateway = folder.path().join("pay");
    std::fs::create_dir(&gateway).unwrap();
    for (profile, owner, _) in &canonical.profiles {
        std::fs::write(gateway.join(profile), owner.unwrap_or_default()).unwrap();
    }
    let before = made.cells();
    engine(canonical, folder.path(), "set-up").ensure_census().await.unwrap();
    let mut kills = 0;
    if disturbed {
        let names = ["a", "b"];
        let mut workers = names.map(|name| start(canonical, folder.path(), name));
        for _ in 0..random.usize(2..6) {
            tokio::time::sleep(Duration::from_millis(random.u64(0..80))).await;
            let n = random.usize(0..2);
            if random.u8(0..6) == 0 {
                signal(&workers[n], Signal::STOP);
                tokio::time::sleep(LEASE + Duration::from_millis(random.u64(0..100))).await;
                signal(&workers[n], Signal::CONT);
            } else {
                workers[n].kill().unwrap();
                workers[n].wait().unwrap();
                kills += 1;
                workers[n] = start(canonical, folder.path(), names[n]);
            }
        }
        for worker in &mut workers {
            worker.kill().unwrap();
            worker.wait().unwrap();
            kills += 1;
        }
        tokio::time::sleep(LEASE).await;
    }
    let last = engine(canonical, folder.path(), "last");
    work(&last, canonical).await;
    let ledger = SqliteLedger::open(folder.path().join("ledger.sqlite")).unwrap();
    let entries = ledger.entries(0, usize::MAX).await.unwrap();
    let erased: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry.closed())
        .filter(|case| matches!(case.closing, Closing::Erased(_)))
        .collect();
    let end = End {
        profiles: std::fs::read_dir(&gateway).unwrap().count(),
        entries: erased.len(),
        subjects: erased.iter().filter_map(|case| case.subject()).collect::<BTreeSet<_>>().len(),
        open: ledger.list(None, 100).await.unwrap().len(),
        changes: changes(&before, &Shop { folder, map: String::new(), policy: String::new() }.cells()),
    };
    (kills, end)
}

/// Runs trials until enough workers were killed. Returns the number of violations.
pub(crate) fn campaign(wanted: &[String]) -> usize {
    let is_wanted =
        |canonical: &Canonical| wanted.is_empty() || wanted.iter().any(|name| canonical.name.contains(name));
    let plans: Vec<Canonical> =
        plans::all().into_iter().filter(|canonical| canonical.blocked == 0 && is_wanted(canonical)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let (mut kills, mut trials, mut violations) = (0, 0, 0);
    let planned: Vec<End> =
        plans.iter().map(|canonical| runtime.block_on(trial(canonical, &mut random, false)).1).collect();
    while kills < KILLS && !plans.is_empty() {
        for (canonical, planned) in plans.iter().zip(&planned) {
            let (killed, end) = runtime.block_on(trial(canonical, &mut random, true));
            kills += killed;
            trials += 1;
            if end != *planned {
                violations += 1;
                println!("{}: {end:?} instead of {planned:?}", canonical.name);
            }
        }
    }
    println!("processes killed: {kills} in {trials} trials, {violations} violations");
    violations
}
