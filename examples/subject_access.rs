//! A person asks which data is held about them (Art. 15 GDPR). The example shows the request, the identity check, the
//! search, the archive and the access log.
//!
//! `cargo run --example subject_access --features export`

use std::sync::Arc;

use chrono::Utc;
use relinquish::data_map::Kind;
use relinquish::engine::export::{Export, ZipExport};
use relinquish::engine::{Access, Certainty, MemoryAccessLog, Purpose, Search, TracesOf};
use relinquish::plan::Authority;
use relinquish::plan::letter::{self, Controller, Language, Letterhead};
use relinquish::request::{Channel, NewRequest, Note, RequestKind, Who};
use relinquish::{Engine, FileKeyRing, PolicyDocument, SqlMap, SqliteLedger, SqliteStore};

#[path = "quickstart/crm.rs"]
#[expect(dead_code, reason = "the quickstart erases somebody in it")]
mod crm;

const MAP: &str = include_str!("quickstart/map.toml");
const POLICY: &str = include_str!("quickstart/policy.toml");

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example tells what it does")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let (database, ledger) = (folder.path().join("crm.sqlite"), folder.path().join("ledger.sqlite"));
    crm::create(&database, 30)?;
    let store = Arc::new(SqliteStore::open(&database, &SqlMap::from_toml(MAP)?)?);
    let log = Arc::new(MemoryAccessLog::new());
    let keys = FileKeyRing::create_beside(&ledger)?;
    let engine = Engine::builder(
        Arc::clone(&store),
        PolicyDocument::from_toml(POLICY)?,
        SqliteLedger::open(&ledger)?,
        keys,
    )
    .gateway(relinquish::gateway::MemoryGateway::new("stripe"))
    .records(store) // what is searched and exported
    .access_log(Arc::clone(&log)) // who looked, and why: before anything is read
    .build()?;

    // The operator looks for the customer who wrote.
    let operator = Authority::new("operator-7", ["1".into()]);
    let looks = Access::new(operator.clone(), Purpose::Reason("ticket-4711".parse()?));
    let search = Search::new().alike(Kind::Name, "ANDERSSON, Greta").reading_whole_tables();
    let found = engine.search(&search, &looks).await?.found;
    for place in &found {
        println!("found      {} {}: {}", place.class, place.key.as_str(), place.field);
    }
    let is_customer = found.iter().find(|place| place.class.as_str() == "customer");
    let customer = is_customer.map_or("17", |place| place.key.as_str()).to_owned();

    // The request is recorded. Nothing is exported before the person's identity is confirmed.
    let who = Who::Customer { customer: customer.as_str().into() };
    engine.receive(NewRequest::new("r-1", RequestKind::Access, Channel::Email, who, Utc::now())).await?;
    let answers = Access::new(operator.clone(), Purpose::Request("r-1".into()));
    let export = Export::customer(customer.as_str());
    if let Err(refused) = engine.export(&export, &answers).await {
        println!("refused    {refused}");
    }
    let confirmed = Note::ConfirmIdentity { reference: "passport".parse()? };
    engine.note(&"r-1".into(), &confirmed, Utc::now().date_naive(), &operator).await?;

    // Checks whether the person is in the database a second time.
    let mut tracing = engine.traces(&TracesOf::Customer(customer.as_str().into()), &answers).await?;
    while let Some(traces) = tracing.next().await? {
        for trace in traces.iter().filter(|trace| trace.certainty >= Certainty::Likely) {
            println!(
                "appears    {} {}: {:?}, {:?}",
                trace.class,
                trace.key.as_str(),
                trace.certainty,
                trace.reason
            );
        }
    }

    // An archive with a page for the person, in the person's language.
    let controller = Controller::new("Fjord Broadband", "privacy@fjord.example");
    let authority = letter::Authority::new("The authority", "Street 1, 0105 Oslo");
    let today = Utc::now().date_naive();
    let head = Letterhead::new(engine.policy(), Language::English, controller, authority, today)?;
    let path = folder.path().join("your-data.zip");
    let exporting = engine.export(&export, &answers).await?;
    let exported = ZipExport::at(&path).with_index(&head).write(exporting).await?;
    for (class, records) in &exported.report().records {
        println!("exported   {:<18}{records:>4} records", class.as_str());
    }
    for left in &exported.report().left_out {
        println!("left out   {}.{}: {}", left.class, left.field, left.why);
    }
    println!("archive    {} bytes", std::fs::metadata(&path)?.len());
    for event in log.events() {
        println!("logged     {} looked, because of {}", event.operator, event.purpose);
    }
    Ok(())
}
