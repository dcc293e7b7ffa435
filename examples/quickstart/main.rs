//! Erases a client of a small internet provider, from the first look to the certificate.
//!
//! `cargo run --example quickstart`
//!
//! Everything lies in a temporary folder: an SQLite database with a few hundred clients, a payment gateway in
//! memory, a week of nightly backups, and the ledger. One client has cancelled; another has a subscription that
//! still runs, and is refused.

// An example may print.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use chrono::{Days, TimeDelta, Utc};
use relinquish::backup::{DirectoryBackups, Schedule};
use relinquish::gateway::MemoryGateway;
use relinquish::{
    Approval, Asked, BackupRetention, CustomerId, Engine, FileKeyRing, Outcome, Planned, PolicyDocument,
    SqlMap, SqliteLedger, SqliteStore,
};
use rusqlite::Connection;

mod crm;

const CLIENTS: i64 = 300;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    show_progress();
    let folder = tempfile::tempdir()?;
    let database = folder.path().join("crm.sqlite");
    crm::create(&database, CLIENTS)?;
    let backups = nightly_backups(folder.path(), &database)?;
    let gateway = gateway();

    // The adapters: the database with its map, the ledger in a separate file, and the keys in a file next to it.
    let map = SqlMap::from_toml(include_str!("map.toml"))?;
    let store = Arc::new(SqliteStore::open(&database, &map)?);
    let ledger = folder.path().join("ledger.sqlite");
    let policy = PolicyDocument::from_toml(include_str!("policy.toml"))?;
    let engine = Engine::builder(
        store.clone(),
        policy,
        SqliteLedger::open(&ledger)?,
        FileKeyRing::create_beside(&ledger)?,
    )
    .gateway(Arc::clone(&gateway))
    .backups("nightly", backups)
    .scrub(store)
    .build()?;
    // Counts all rows. Nothing can be planned while there are rows that the map does not explain.
    let census = engine.census().await?;
    heading("A provider with 300 clients");
    println!("database   {}", database.display());
    println!("revenue    {}", revenue(&database)?);
    println!("gateway    {} profiles at stripe", gateway.len());
    println!("{census}");

    heading("Client 18 asks to be erased, and still has a subscription");
    match engine.plan(&CustomerId::from(crm::ACTIVE), &Asked::request()).await? {
        refused @ Planned::Refused(_) => println!("{refused}"),
        other => return Err(format!("a client with a subscription must be refused: {other}").into()),
    }

    heading("Client 17 cancelled last year");
    let customer = CustomerId::from(crm::CANCELLED);
    show_client(&database)?;
    let Planned::Plan(plan) = engine.plan(&customer, &Asked::Sweep).await? else {
        return Err("client 17 is due".into());
    };
    println!("\n{plan}");

    heading("An operator reviews the plan and approves its digest");
    let now = Utc::now();
    let approval =
        Approval::new("operator-7", [plan.tenant().clone()], plan.digest(), now, TimeDelta::hours(1));
    println!("approved by {} until {}", approval.operator(), approval.expires_at().format("%F %H:%M UTC"));
    let approved = plan.approve(approval)?;

    heading("The case runs");
    let Outcome::Erased(certificate) = engine.erase(approved).await? else {
        return Err("nothing stands in the way of this erasure".into());
    };

    heading("The files are scrubbed of the old bytes, and the certificate is issued");
    engine.scrub().await?;
    let certificate = engine.certificate(certificate.case()).await?.ok_or("the ledger has the case")?;
    println!("{certificate}");

    heading("Afterwards");
    show_client(&database)?;
    println!("revenue    {}", revenue(&database)?);
    println!("gateway    {} profiles at stripe", gateway.len());
    for residue in certificate.backups() {
        println!(
            "backups    {} {} copies may still hold the old data, {}",
            residue.copies.unwrap_or_default(),
            residue.backups,
            residue.horizon
        );
    }
    match engine.plan(&customer, &Asked::request()).await? {
        Planned::Plan(_) => return Err("who is erased is not due again".into()),
        no_plan => println!("asked again: {no_plan}"),
    }
    Ok(())
}

/// Shows the engine's log of its steps. It names cases, but never a customer.
fn show_progress() {
    tracing_subscriber::fmt().without_time().with_target(false).with_level(false).with_ansi(false).init();
}

fn heading(text: &str) {
    println!("\n── {text} {}", "─".repeat(90_usize.saturating_sub(text.chars().count())));
}

/// A week of nightly copies. The newest thirty stay, and no copy stays longer than thirty days.
fn nightly_backups(folder: &Path, database: &Path) -> Result<impl BackupRetention, Box<dyn Error>> {
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
fn gateway() -> Arc<MemoryGateway> {
    let gateway = MemoryGateway::new("stripe");
    for id in (1..=CLIENTS).filter(|id| id % 3 != 0) {
        let running = u32::from(id % 4 != 1);
        gateway.insert(format!("cus_{id:06}"), Some(CustomerId::new(id.to_string())), running);
    }
    Arc::new(gateway)
}

fn revenue(database: &Path) -> Result<String, rusqlite::Error> {
    let (count, cents): (i64, i64) = Connection::open(database)?.query_row(
        "SELECT count(*), sum(total_cents) FROM invoices",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(format!("{}.{:02} € in {count} invoices", cents / 100, cents % 100))
}

fn show_client(database: &Path) -> Result<(), rusqlite::Error> {
    let connection = Connection::open(database)?;
    connection.query_row("SELECT * FROM clients WHERE id = ?1", [crm::CANCELLED], |row| {
        for n in 0..row.as_ref().column_count() {
            let column = row.as_ref().column_name(n)?;
            let value = match row.get_ref(n)? {
                rusqlite::types::ValueRef::Null => "—".to_owned(),
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                other => format!("{:?}", other.data_type()),
            };
            println!("  {column:<16} {value}");
        }
        Ok(())
    })
}
