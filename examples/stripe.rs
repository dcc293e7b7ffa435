//! Erases customers at Stripe: one by a plan, and a forgotten profile by a review.
//!
//! `cargo run --example stripe --features stripe`
//!
//! It starts an imitation of Stripe on loopback and sends it HTTP requests, so it needs no account and deletes
//! nothing real. In production leave out `base_url`, and take the key from the place where your service keeps its
//! secrets.

use chrono::{TimeDelta, Utc};
use relinquish::customer::{GatewayProfile, Status};
use relinquish::data_map::{Fact, Field, Kind, Record, RecordClass};
use relinquish::gateway::http::Mode;
use relinquish::gateway::stripe::EventSubject;
use relinquish::gateway::{Review, ReviewWriter, Stripe};
use relinquish::ledger::{MemoryKeyRing, TokenKey};
use relinquish::store::MemoryRepository;
use relinquish::{
    Approval, Asked, ByRecord, Customer, DataMap, Engine, MemoryLedger, Outcome, Planned, PolicyDocument,
    TenantId,
};

mod fakes;

const POLICY: &str = r#"
version = 1
sweep = false

[triggers]
requested = { treatment = "clear" }

[guards]
several_tenants = { ignore = "there is one shop" }
not_archived = { ignore = "each case archives first" }

[anonymise]
name = "remove"
email = "remove"

[treatments.clear]
customer = "anonymise"
gateway.stripe = "erase"
"#;

/// Maud has left. Theo has a subscription at Stripe that the shop does not know. Ines pays each order separately.
fn shop() -> Result<MemoryRepository, Box<dyn std::error::Error>> {
    let customer = RecordClass::new("customer")
        .field(Field::key("id").token_part())
        .field(Field::personal("name", Kind::Name).required())
        .field(Field::personal("email", Kind::Email).required());
    let map = DataMap::builder(customer)
        .knows(Fact::ActiveSubscriptions)
        .knows(Fact::Status)
        .gateway("stripe")
        .build()?;
    let shop = MemoryRepository::new(map);
    for (id, name, profile) in
        [("1", "Maud", Some("cus_maud")), ("2", "Theo", Some("cus_theo")), ("3", "Ines", None)]
    {
        let mut facts = Customer::new(id, "shop");
        facts.status = Status::Cancelled;
        facts.gateway_profiles.extend(profile.map(|profile| GatewayProfile::new("stripe", profile)));
        let email = format!("{}@example.org", name.to_lowercase());
        shop.insert(facts, vec![Record::new("customer", id).with("name", name).with("email", email)]);
    }
    Ok(shop)
}

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout)] // It is a program that talks to whoever runs it.
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let imitation = fakes::stripe::start().await;
    imitation.gateway.insert("cus_maud", Some("1"));
    imitation.gateway.insert("cus_theo", Some("2"));
    imitation.gateway.change("cus_theo", |customer| customer.subscriptions = vec!["active".to_owned()]);
    imitation.gateway.insert("cus_of_2019", None);

    let stripe = Stripe::builder(fakes::stripe::KEY, Mode::Test)
        .account(fakes::stripe::ACCOUNT)
        .owner_key("customer_id")
        .base_url(imitation.url())
        .build()?;
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|_| "the operating system gives no randomness")?;
    let engine = Engine::builder(
        ByRecord::new(shop()?),
        PolicyDocument::from_toml(POLICY)?,
        MemoryLedger::new(),
        MemoryKeyRing::new(TokenKey::new(key)),
    )
    .gateway(stripe.clone())
    .build()?;

    println!("── Theo ──\n{}\n", engine.decide(&"2".into(), &Asked::request()).await?);

    println!("── Maud ──");
    let Planned::Plan(plan) = engine.plan(&"1".into(), &Asked::request()).await? else {
        return Err("nothing stands in the way".into());
    };
    println!("{plan}\n");
    let now = Utc::now();
    let an_hour = TimeDelta::hours(1);
    let approval = Approval::new("operator-7", [plan.tenant().clone()], plan.digest(), now, an_hour);
    let outcome = engine.erase(plan.approve(approval)?).await?;
    println!("{outcome}\n");
    outcome.certificate().ok_or("not erased")?;

    println!("── An event about Maud that comes late ──");
    let event = r#"{"object":"event","data":{"object":{"object":"charge","customer":"cus_maud"}}}"#;
    let about = EventSubject::of(event.as_bytes(), "customer_id")?;
    let erased =
        engine.concerns_erased(&"stripe".into(), about.profile.as_ref(), about.owner.as_ref()).await?;
    println!("concerns somebody who was erased: {erased}\n");

    println!("── What was forgotten ──");
    let mut writer = ReviewWriter::new(Vec::new(), false)?;
    let mut reconciliation = engine.reconcile(&stripe).await?;
    while let Some(rows) = reconciliation.next().await? {
        writer.write(&rows)?;
    }
    let csv = String::from_utf8(writer.finish()?)?;
    println!("{csv}");
    // A person opens the file, checks each row, and writes "erase" into the rows that should be erased.
    let review = Review::from_csv(csv.replace("\n,stripe", "\nerase,stripe").as_bytes())?;
    let approval = Approval::new("operator-7", [TenantId::from("shop")], review.digest(), now, an_hour);
    for one in engine.erase_profiles(&review.approve(approval)?).await? {
        println!("a profile nobody knew of: {}", one.outcome);
        let Outcome::Profile { answer: Some(_), .. } = one.outcome else { return Err("not erased".into()) };
    }
    Ok(())
}
