//! Erases a customer at Authorize.Net. It also shows what happens when the gateway is busy, and when it refuses.
//!
//! `cargo run --example authorize_net --features authorize-net`
//!
//! It starts an imitation of Authorize.Net on loopback and sends it HTTP requests, so it needs no account and deletes
//! nothing real. In production leave out `base_url`, and take the keys from the place where your service keeps its
//! secrets.

use chrono::{TimeDelta, Utc};
use relinquish::customer::{GatewayProfile, Status};
use relinquish::data_map::{Fact, Field, Kind, Record, RecordClass};
use relinquish::gateway::AuthorizeNet;
use relinquish::gateway::http::Mode;
use relinquish::ledger::{MemoryKeyRing, TokenKey};
use relinquish::store::MemoryRepository;
use relinquish::{
    Approval, Asked, ByRecord, Customer, CustomerId, DataMap, Engine, MemoryLedger, Outcome, Planned,
    PolicyDocument,
};

use fakes::server::Fault;

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

[treatments.clear]
customer = "anonymise"
gateway.authorize_net = "erase"
"#;

fn shop() -> Result<MemoryRepository, Box<dyn std::error::Error>> {
    let customer = RecordClass::new("customer")
        .field(Field::key("id").token_part())
        .field(Field::personal("name", Kind::Name).required());
    let map = DataMap::builder(customer)
        .knows(Fact::ActiveSubscriptions)
        .knows(Fact::Status)
        .gateway("authorize_net")
        .build()?;
    let shop = MemoryRepository::new(map);
    for (id, name, profile) in [("1", "Maud", "39931060"), ("2", "Theo", "39931061")] {
        let mut facts = Customer::new(id, "shop");
        facts.status = Status::Cancelled;
        facts.gateway_profiles.push(GatewayProfile::new("authorize_net", profile));
        shop.insert(facts, vec![Record::new("customer", id).with("name", name)]);
    }
    Ok(shop)
}

async fn erase(engine: &Engine, customer: &CustomerId) -> Result<Outcome, Box<dyn std::error::Error>> {
    let Planned::Plan(plan) = engine.plan(customer, &Asked::request()).await? else {
        return Err("nothing stands in the way".into());
    };
    let now = Utc::now();
    let approval =
        Approval::new("operator-7", [plan.tenant().clone()], plan.digest(), now, TimeDelta::hours(1));
    Ok(engine.erase(plan.approve(approval)?).await?)
}

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout)] // It is a program that talks to whoever runs it.
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let imitation = fakes::authorize_net::start().await;
    imitation.gateway.insert("39931060", Some("1"));
    imitation.gateway.insert("39931061", Some("2"));

    let authorize_net =
        AuthorizeNet::builder(fakes::authorize_net::LOGIN, fakes::authorize_net::KEY, Mode::Test)
            .account(fakes::authorize_net::ACCOUNT)
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
    .gateway(authorize_net)
    .build()?;

    println!("── Maud: the gateway is busy, then its answer is lost ──");
    imitation.fault("erase", Fault::TooMany(None));
    imitation.fault("erase", Fault::ResetAfter);
    let outcome = erase(&engine, &"1".into()).await?;
    println!("{outcome}\n");
    outcome.certificate().ok_or("not erased")?;

    println!("── Theo: the gateway refuses ──");
    imitation.gateway.refuse_with("E00106");
    let outcome = erase(&engine, &"2".into()).await?;
    println!("{outcome}\n");
    let Outcome::Blocked { case, .. } = outcome else { return Err("it should be blocked".into()) };

    println!("── Theo: a person has cancelled the recurring billing, and tries again ──");
    let outcome = engine.retry(&case).await?;
    println!("{outcome}");
    outcome.certificate().ok_or("not erased")?;
    Ok(())
}
