//! An importer and a webhook handler that do not store erased people again.
//!
//! `cargo run --example importer`
//!
//! Maud asked to be erased. The next night the old CRM sends her again, and the payment gateway sends an event about
//! her. Importer and handler ask the suppression list before they write. Later Maud becomes a customer again, and is
//! stored.

// An example may print.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use relinquish::customer::Identifier;
use relinquish::data_map::Kind;
use relinquish::{
    Approval, Asked, Engine, FileKeyRing, Outcome, Planned, PolicyDocument, SqlMap, SqliteLedger, SqliteStore,
};
use rusqlite::{Connection, params};

const MAP: &str = r#"
version = 1
[customers]
table = "people"
key = "id"
tenant = { is = "shop" }
registered = "joined"
deactivate = { none = "people have no status here" }
fields = { name = "name", email = "email", phone = "phone" }
"#;

const POLICY: &str = r#"
version = 1
sweep = false
suppress = { kinds = ["email", "phone"], treatments = ["remove"], for = "3 years" }
triggers.requested = { treatment = "remove" }
guards = { active_subscription = { ignore = "there are none" }, several_tenants = { ignore = "one shop" }, not_archived = { ignore = "no status" } }
treatments.remove.customer = "delete"
"#;

/// What the old CRM sends every night: name, mail address, telephone number.
const NIGHTLY: [[&str; 3]; 3] = [
    ["Theo Blake", "theo@example.org", "+44 20 7946 0111"],
    ["Maud Ashworth", "MAUD+news@example.org", ""],
    ["Ashworth", "m.ashworth@example.com", "020 7946 0018"],
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let database = folder.path().join("shop.sqlite");
    Connection::open(&database)?.execute_batch(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, email TEXT, phone TEXT, joined TEXT);
         INSERT INTO people VALUES (1, 'Maud Ashworth', 'maud@example.org', '+44 20 7946 0018', '2024-02-01');",
    )?;
    let engine = open(folder.path(), &database)?;
    erase(&engine, "1").await?;
    println!("Maud is erased; {} people in the shop", people(&database)?);

    println!("\nThe nightly import:");
    import(&engine, &database).await?;

    println!("\nThe gateway sends events:");
    for mail in ["Maud@Example.org", "ines@example.org"] {
        println!("  {}", webhook(&engine, &database, mail).await?);
    }

    println!("\nMaud returns: she signs up herself.");
    engine.let_in(&[mail_of("maud@example.org")]).await?;
    println!("  {}", webhook(&engine, &database, "maud@example.org").await?);
    Ok(())
}

/// The list can be in the ledger. Its key is in a separate file. Without that file, nobody can read anything from the
/// list.
fn open(folder: &Path, database: &Path) -> Result<Engine, Box<dyn Error>> {
    let store = SqliteStore::open(database, &SqlMap::from_toml(MAP)?)?;
    let path = folder.join("ledger.sqlite");
    let (ledger, keys) = (Arc::new(SqliteLedger::open(&path)?), FileKeyRing::create_beside(&path)?);
    let keys_of_list = FileKeyRing::create(folder.join("suppression.keys"))?;
    let engine = Engine::builder(store, PolicyDocument::from_toml(POLICY)?, Arc::clone(&ledger), keys)
        .suppression(ledger, keys_of_list)
        .build()?;
    Ok(engine)
}

fn mail_of(address: &str) -> Identifier {
    Identifier::new("shop", Kind::Email, address)
}

/// The importer asks for the whole file at once. It leaves out a row if one of its identifiers is in the list.
async fn import(engine: &Engine, database: &Path) -> Result<(), Box<dyn Error>> {
    let mut asked = Vec::new();
    for (row, [_, email, phone]) in NIGHTLY.iter().enumerate() {
        // An empty field identifies nobody, and the list does not accept it.
        for (kind, value) in [(Kind::Email, email), (Kind::Phone, phone)] {
            if !value.is_empty() {
                asked.push((row, Identifier::new("shop", kind, *value)));
            }
        }
    }
    let (rows, identifiers): (Vec<usize>, Vec<Identifier>) = asked.into_iter().unzip();
    let answers = engine.were_erased(&identifiers).await?;
    for (n, [name, email, phone]) in NIGHTLY.iter().enumerate() {
        if rows.iter().zip(&answers).any(|(row, erased)| *row == n && *erased) {
            println!("  row {}: left out, an identifier is in the suppression list", n + 1);
            continue;
        }
        add(database, name, email, phone)?;
        println!("  row {}: imported", n + 1);
    }
    Ok(())
}

/// The handler asks the list for each event. It answers the gateway with success in both cases. Otherwise the gateway
/// would send the event again.
async fn webhook(engine: &Engine, database: &Path, email: &str) -> Result<&'static str, Box<dyn Error>> {
    if engine.was_erased(&mail_of(email)).await? {
        return Ok("customer.updated: dropped");
    }
    add(database, "", email, "")?;
    Ok("customer.updated: written")
}

fn add(database: &Path, name: &str, email: &str, phone: &str) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO people (name, email, phone, joined) VALUES (?1, ?2, ?3, ?4)";
    let today = Utc::now().date_naive().to_string();
    Connection::open(database)?.execute(sql, params![name, email, phone, today]).map(drop)
}

fn people(database: &Path) -> Result<i64, rusqlite::Error> {
    Connection::open(database)?.query_row("SELECT count(*) FROM people", [], |row| row.get(0))
}

async fn erase(engine: &Engine, customer: &str) -> Result<(), Box<dyn Error>> {
    engine.census().await?;
    let Planned::Plan(plan) = engine.plan(&customer.into(), &Asked::request()).await? else {
        return Err("nothing stands in the way".into());
    };
    let (tenants, digest) = ([plan.tenant().clone()], plan.digest());
    let approval = Approval::new("operator-7", tenants, digest, Utc::now(), TimeDelta::hours(1));
    match engine.erase(plan.approve(approval)?).await? {
        Outcome::Erased(_) => Ok(()),
        other => Err(other.to_string().into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn nobody_is_brought_back_and_nobody_else_is_kept_out() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("shop.sqlite");
        Connection::open(&database)
            .unwrap()
            .execute_batch(
                "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, email TEXT, phone TEXT, joined TEXT);
                 INSERT INTO people VALUES (1, 'Maud Ashworth', 'maud@example.org', '+44 20 7946 0018', '2024-02-01');",
            )
            .unwrap();
        let engine = open(folder.path(), &database).unwrap();
        erase(&engine, "1").await.unwrap();
        import(&engine, &database).await.unwrap();
        // Only Theo is stored. Maud is recognised by her address with a tag, and by her telephone number.
        assert_eq!(people(&database).unwrap(), 1);
        assert_eq!(
            webhook(&engine, &database, "maud@example.org").await.unwrap(),
            "customer.updated: dropped"
        );
        engine.let_in(&[mail_of("maud@example.org")]).await.unwrap();
        assert_eq!(
            webhook(&engine, &database, "maud@example.org").await.unwrap(),
            "customer.updated: written"
        );
    }
}
