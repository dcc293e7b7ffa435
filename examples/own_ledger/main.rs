//! A host with its own ledger. Everything that the host has to write is in `text_ledger.rs`.
//!
//! `cargo run --example own_ledger`

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use relinquish::customer::Status;
use relinquish::data_map::{Fact, Field, Kind, Record, RecordClass};
use relinquish::ledger::{Ledger as _, MemoryKeyRing, TokenKey};
use relinquish::store::MemoryRepository;
use relinquish::{
    Approval, Asked, ByRecord, Certificate, Customer, DataMap, Engine, Outcome, Planned, PolicyDocument,
};

use text_ledger::TextLedger;

mod text_ledger;

const POLICY: &str = r#"
version = 1
sweep = true
[triggers]
requested = { treatment = "clear" }
[guards]
active_subscription = { ignore = "nothing is sold by subscription" }
[anonymise]
name = "remove"
[treatments.clear]
customer = "anonymise"
"#;

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout)] // It is a program that talks to whoever runs it.
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let map = DataMap::builder(
        RecordClass::new("customer")
            .field(Field::key("id"))
            .field(Field::personal("name", Kind::Name).required()),
    )
    .knows(Fact::Status)
    .knows(Fact::Tenants)
    .build()?;
    let repository = MemoryRepository::new(map);
    let mut maud = Customer::new("1", "shop");
    maud.status = Status::Archived;
    repository.insert(maud, vec![Record::new("customer", "1").with("id", 1).with("name", "Maud")]);

    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    let ledger = Arc::new(TextLedger::new(Utc::now));
    let engine = Engine::builder(
        ByRecord::new(repository),
        PolicyDocument::from_toml(POLICY)?,
        Arc::clone(&ledger),
        MemoryKeyRing::new(TokenKey::new(key)),
    )
    .build()?;
    let Planned::Plan(plan) = engine.plan(&"1".into(), &Asked::request()).await? else {
        return Err("nothing stands in the way".into());
    };
    let now = Utc::now();
    let approval = Approval::new("operator-7", ["shop".into()], plan.digest(), now, TimeDelta::hours(1));
    let Outcome::Erased(certificate) = engine.erase(plan.approve(approval)?).await? else {
        return Err("not erased".into());
    };
    println!("── What the ledger keeps ──");
    for entry in ledger.entries(0, 100).await? {
        println!("{}\n{}", entry.seq, entry.body.to_text()?);
        println!("beside it: {}\n", entry.body.beside().unwrap_or("nothing"));
    }
    let read = Certificate::read(&*ledger, certificate.case()).await?.ok_or("no such case")?;
    println!("{read}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use relinquish::testing;

    use super::text_ledger::TextLedger;

    #[tokio::test]
    #[allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
    async fn the_ledger_keeps_every_promise_of_its_port() {
        let open =
            |clock: std::sync::Arc<testing::ManualClock>| async { TextLedger::new(move || clock.now()) };
        testing::ledger(open).await.unwrap();
    }
}
