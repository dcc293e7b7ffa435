//! Removes a customer from texts that other people wrote: the invoice text on the customer's card, and comments about
//! the customer. `cargo run --example free_text`
//!
//! The texts themselves stay, because they say what was agreed. Issued invoices are kept as they are.

// An example may print.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use relinquish::anonymise::text::Matcher;
use relinquish::customer::Identifiers;
use relinquish::data_map::Kind;
use relinquish::{
    Approval, Asked, Engine, FileKeyRing, Planned, PolicyDocument, SqlMap, SqliteLedger, SqliteStore,
};
use rusqlite::Connection;

const SCHEMA: &str = "
    CREATE TABLE clients (
        id INTEGER PRIMARY KEY, state TEXT NOT NULL, name TEXT NOT NULL, email TEXT UNIQUE NOT NULL, phone TEXT,
        invoice_text TEXT
    );
    CREATE TABLE comments (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, body TEXT NOT NULL);
    CREATE TABLE invoices (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, addressee TEXT);
    INSERT INTO clients VALUES
        (7, 'active', 'Gisbert Straußberger', 'gisbert@example.org', '+49 30 901820',
         'z. Hd. Herrn Straußberger, 30 Tage netto'),
        (8, 'active', 'Grace Will', 'grace@example.org', '+44 20 7946 0018', NULL);
    INSERT INTO comments VALUES
        (1, 7, 'STRAUSSBERGER, G. rang from 030/90 18 20: parcel 88 came damaged. Refund agreed.'),
        (2, 7, 'Sent the papers to Gisbert@Example.org again.'),
        (3, 8, 'With grace and patience it will be settled, said Grace Will.');
    INSERT INTO invoices VALUES (1, 7, 'Gisbert Straußberger');";

const MAP: &str = r#"
    version = 1
    [customers]
    table = "clients"
    key = "id"
    tenant = { is = "the shop" }
    status = { column = "state", active = "active", archived = "archived" }
    deactivate = { state = "archived" }
    [customers.fields]
    name = "name"
    email = "email"
    phone = "phone"
    invoice_text = "free_text"
    [records.comment]
    table = "comments"
    key = "id"
    owner = "client_id"
    fields = { body = "free_text" }
    [records.invoice]
    table = "invoices"
    key = "id"
    owner = "client_id"
    fields = { addressee = "name" }"#;

const POLICY: &str = r#"
    version = 1
    sweep = false
    [triggers]
    requested = { treatment = "clear" }
    [guards]
    active_subscription = { ignore = "the shop sells none" }
    not_archived = { ignore = "each case archives first" }
    [anonymise]
    name = "remove"
    email = "token"
    phone = "clear"
    free_text = { redact = "[erased]" }
    [treatments.clear]
    customer = "anonymise"
    comment = "anonymise"
    invoice = { keep = "issued invoices are vouchers" }"#;

fn show(database: &Connection) -> Result<(), Box<dyn Error>> {
    let sql = "SELECT 'card ' || id, invoice_text FROM clients WHERE invoice_text IS NOT NULL
               UNION ALL SELECT 'comment ' || id, body FROM comments
               UNION ALL SELECT 'invoice ' || id, addressee FROM invoices";
    let mut statement = database.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        println!("  {:<10} {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?);
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (path, ledger) = (folder.path().join("shop.sqlite"), folder.path().join("ledger.sqlite"));
    let database = Connection::open(&path)?;
    database.execute_batch(SCHEMA)?;
    println!("Before:");
    show(&database)?;

    let store = Arc::new(SqliteStore::open(&path, &SqlMap::from_toml(MAP)?)?);
    let engine = Engine::builder(
        Arc::clone(&store),
        PolicyDocument::from_toml(POLICY)?,
        SqliteLedger::open(&ledger)?,
        FileKeyRing::create_beside(&ledger)?,
    )
    .scrub(store)
    .build()?;
    engine.census().await?;
    let Planned::Plan(plan) = engine.plan(&"7".into(), &Asked::request()).await? else {
        return Err("nothing stands in the way".into());
    };
    let now = Utc::now();
    let approval =
        Approval::new("operator-7", [plan.tenant().clone()], plan.digest(), now, TimeDelta::hours(1));
    let outcome = engine.erase(plan.approve(approval)?).await?;
    println!("\n{outcome}\n\nAfter:");
    show(&database)?;

    // The same without a store. A mention that is not certain is for a person to check.
    let mut grace = Identifiers::new();
    grace.insert(Kind::Name, "Grace Will");
    let matcher = Matcher::new([&grace])?;
    let note = "With grace and patience it will be settled, said Grace Will.";
    let redacted = matcher.redact(note, "[erased]");
    println!("\n  {}", redacted.text.as_deref().unwrap_or(note));
    for mention in redacted.review {
        println!("  to look at: {:?}", note.get(mention.range).unwrap_or_default());
    }
    Ok(())
}
