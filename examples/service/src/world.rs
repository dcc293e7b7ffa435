//! The environment of the quickstart: a provider's CRM, a payment gateway in memory, nightly backups, a ledger and
//! its keys. There are also some requests, so that there is something to do.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{Days, Utc};
use relinquish::backup::{DirectoryBackups, Schedule};
use relinquish::engine::{AccessEvent, AccessLog, AccessLogError};
use relinquish::gateway::MemoryGateway;
use relinquish::ledger::proof::{FileSigner, KeepsTree, Signer};
use relinquish::plan::letter::{Authority, Controller};
use relinquish::request::{Address, Channel, NewRequest, RequestKind, Who};
use relinquish::{CustomerId, Engine, FileKeyRing, PolicyDocument, SqlMap, SqliteLedger, SqliteStore};
use rusqlite::Connection;
use tempfile::TempDir;

#[allow(dead_code)]
#[path = "../../quickstart/crm.rs"]
mod crm;

const CLIENTS: i64 = 300;

/// The access log for personal values: here it is the terminal. It names the operator who looked, but not the
/// customer.
#[derive(Debug)]
struct Terminal;

#[async_trait]
impl AccessLog for Terminal {
    async fn record(&self, event: &AccessEvent) -> Result<(), AccessLogError> {
        println!("{} looked at personal values: {}", event.operator, event.purpose);
        Ok(())
    }
}

/// Everything that the service needs. The folder is deleted when this is dropped.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) ledger: Arc<dyn KeepsTree>,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) controller: Controller,
    pub(crate) authority: Authority,
    _folder: TempDir,
}

/// Creates everything in a temporary folder.
pub(crate) async fn build() -> Result<World, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let database = folder.path().join("crm.sqlite");
    crm::create(&database, CLIENTS)?;
    spread(&database)?;
    let backups = nightly_backups(folder.path(), &database)?;
    let map = SqlMap::from_toml(include_str!("../../quickstart/map.toml"))?;
    let policy = PolicyDocument::from_toml(include_str!("../../quickstart/policy.toml"))?;
    let store = Arc::new(SqliteStore::open(&database, &map)?);
    let path = folder.path().join("ledger.sqlite");
    let ledger = Arc::new(SqliteLedger::open(&path)?);
    let engine =
        Engine::builder(Arc::clone(&store), policy, Arc::clone(&ledger), FileKeyRing::create_beside(&path)?)
            .gateway(gateway())
            .backups("nightly", backups)
            .records(Arc::clone(&store))
            .access_log(Terminal)
            .scrub(store)
            .worker("service")
            .build()?;
    engine.census().await?;
    requests(&engine).await?;
    let signer = FileSigner::create(folder.path().join("signer"), "fjord.example/ledger")?;
    Ok(World {
        engine,
        ledger,
        signer: Arc::new(signer),
        controller: Controller::new("Fjord Broadband", "privacy@fjord.example"),
        authority: Authority::new("Datatilsynet", "Postboks 458 Sentrum, 0105 Oslo"),
        _folder: folder,
    })
}

/// Lets some clients cancel in these weeks, so that the chart of the coming months shows something.
fn spread(database: &Path) -> Result<(), rusqlite::Error> {
    Connection::open(database)?.execute_batch(
        "UPDATE clients SET cancelled_on = date('now', '-' || (id * 7 % 89) || ' days') WHERE id % 8 = 5;
         UPDATE clients SET status = 'cancelled', cancelled_on = date('now', '-200 days') WHERE id % 50 = 4;",
    )
}

/// A week of nightly copies. The newest thirty stay, and no copy stays longer than thirty days.
fn nightly_backups(folder: &Path, database: &Path) -> Result<DirectoryBackups, Box<dyn Error>> {
    let directory = folder.join("backups");
    fs::create_dir(&directory)?;
    for night in 1..=7 {
        let day = Utc::now().date_naive() - Days::new(night);
        fs::copy(database, directory.join(format!("crm-{day}.sqlite")))?;
    }
    let schedule = Schedule::new(Some(30), Some(30));
    Ok(DirectoryBackups::new(directory, "crm-%Y-%m-%d.sqlite", schedule)?)
}

/// A payment gateway with the profiles that the clients' rows name.
fn gateway() -> MemoryGateway {
    let gateway = MemoryGateway::new("stripe");
    for id in (1..=CLIENTS).filter(|id| id % 3 != 0) {
        gateway.insert(format!("cus_{id:06}"), Some(CustomerId::new(id.to_string())), u32::from(id % 4 != 1));
    }
    gateway
}

/// Some requests: a new one, one with three days until its deadline, and one that is overdue.
async fn requests(engine: &Engine) -> Result<(), Box<dyn Error>> {
    let now = Utc::now();
    let customer = |id: &str| Who::Customer { customer: id.into() };
    let person = Who::Person { address: Address::new("guest@example.org") };
    for (id, kind, channel, who, days) in [
        ("r-7f3a", RequestKind::Erasure, Channel::Web, customer("21"), 2),
        ("r-19c4", RequestKind::Erasure, Channel::Email, customer("33"), 27),
        ("r-b802", RequestKind::Access, Channel::Post, person, 40),
    ] {
        let received = now - Days::new(days);
        engine.receive(NewRequest::new(id, kind, channel, who, received)).await?;
    }
    Ok(())
}
