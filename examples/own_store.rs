//! A host with its own repository code, without an SQL map and without SQL.
//!
//! `cargo run --example own_store`
//!
//! A box office keeps its buyers in its own types. So that they can be erased by policy, it implements
//! [`Repository`]: the data map, the facts of the buyers, load one buyer, save one buyer. [`ByRecord`] turns this
//! into a complete store. The adapter in this file is everything that a host has to write.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{NaiveDate, TimeDelta, Utc};
use relinquish::customer::{FormerStatus, Moment, Status};
use relinquish::data_map::{Datatype, Fact, Field, Kind, Record, RecordClass, Value};
use relinquish::ledger::{MemoryKeyRing, TokenKey};
use relinquish::store::{Changes, Cursor, Loaded, Page, PageRequest, Saved, StatusChange, StoreError};
use relinquish::treatment::RecordChange;
use relinquish::{
    Approval, Asked, ByRecord, Customer, CustomerId, DataMap, Engine, MemoryLedger, Outcome, Planned,
    PolicyDocument, Problems, Repository,
};

// ── The host's own types ───────────────────────────────────────────────────────────────────────────────────────

#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) number: u64,
    pub(crate) seat: String,
    pub(crate) name_on_it: Option<String>,
    pub(crate) price: i64,
}

#[derive(Clone)]
pub(crate) struct Buyer {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) phone: Option<String>,
    pub(crate) season_passes: u32,
    pub(crate) left_on: Option<NaiveDate>,
    pub(crate) locked: bool,
    pub(crate) tickets: Vec<Ticket>,
    pub(crate) edits: u64,
}

/// Buyers by number.
pub(crate) type Buyers = BTreeMap<u64, Buyer>;

// ── The adapter ────────────────────────────────────────────────────────────────────────────────────────────────

pub(crate) struct BoxOffice {
    map: DataMap,
    buyers: Mutex<Buyers>,
}

/// The debug form shows no person, because every program that has an engine may print it.
impl std::fmt::Debug for BoxOffice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BoxOffice")
    }
}

impl BoxOffice {
    pub(crate) fn new(buyers: Buyers) -> Result<Self, Problems> {
        let map = DataMap::builder(
            RecordClass::new("buyer")
                .field(Field::key("number").datatype(Datatype::Integer).token_part())
                .field(Field::personal("name", Kind::Name).required().max_chars(60))
                .field(Field::personal("email", Kind::Email).required().unique())
                .field(Field::personal("phone", Kind::Phone)),
        )
        .class(
            RecordClass::new("ticket")
                .field(Field::key("number").datatype(Datatype::Integer))
                .field(Field::plain("seat"))
                .field(Field::personal("name_on_it", Kind::Name))
                .field(Field::plain("price").datatype(Datatype::Integer))
                .needs_owner(),
        )
        .knows(Fact::ActiveSubscriptions)
        .knows(Fact::Status)
        .date("left")
        .build()?;
        Ok(Self { map, buyers: Mutex::new(buyers) })
    }

    pub(crate) fn buyers(&self) -> MutexGuard<'_, Buyers> {
        self.buyers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(id: &CustomerId) -> Option<u64> {
    // "007" is not an id: an id must be spelled exactly as the box office spells it.
    id.as_str().parse().ok().filter(|number: &u64| number.to_string() == id.as_str())
}

fn facts(number: u64, buyer: &Buyer) -> Customer {
    let mut facts = Customer::new(number.to_string(), "box office");
    facts.status = match (buyer.locked, buyer.left_on) {
        (true, _) => Status::Archived,
        (false, Some(_)) => Status::Cancelled,
        (false, None) => Status::Active,
    };
    facts.active_subscriptions = buyer.season_passes;
    facts.dates.extend(buyer.left_on.map(|day| ("left".to_owned(), Moment::Day(day))));
    facts.former_status = FormerStatus::new(if buyer.locked { "locked" } else { "open" });
    facts
}

fn records(number: u64, buyer: &Buyer) -> Vec<Record> {
    let own = Record::new("buyer", number.to_string())
        .with("name", buyer.name.as_str())
        .with("email", buyer.email.as_str())
        .with("phone", buyer.phone.clone());
    let tickets = buyer.tickets.iter().map(|ticket| {
        Record::new("ticket", ticket.number.to_string()).with("name_on_it", ticket.name_on_it.clone())
    });
    std::iter::once(own).chain(tickets).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_text().map(str::to_owned)
}

fn write(buyer: &mut Buyer, record: &Record, field: &str, value: &Value) {
    match (record.class.as_str(), field) {
        ("buyer", "name") => buyer.name = text(value).unwrap_or_default(),
        ("buyer", "email") => buyer.email = text(value).unwrap_or_default(),
        ("buyer", "phone") => buyer.phone = text(value),
        ("ticket", "name_on_it") => {
            let of_record = |ticket: &&mut Ticket| ticket.number.to_string() == record.key.as_str();
            if let Some(ticket) = buyer.tickets.iter_mut().find(of_record) {
                ticket.name_on_it = text(value);
            }
        }
        _ => {}
    }
}

#[async_trait]
impl Repository for BoxOffice {
    fn data_map(&self) -> &DataMap {
        &self.map
    }

    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        let buyers = self.buyers();
        let found =
            customers.iter().filter_map(number).filter_map(|number| Some((number, buyers.get(&number)?)));
        Ok(found.map(|(number, buyer)| facts(number, buyer)).collect())
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        // No record is ever handed over to an "Unknown Customer" here.
        if request.stand_ins {
            return Ok(Page::default());
        }
        // A cursor that is not a buyer's number is an error. To start again at the first page would loop for ever.
        let foreign = |_| StoreError::failed("listing buyers", "the cursor is not the box office's");
        let after = request
            .after
            .as_ref()
            .map(|cursor| cursor.as_str().parse::<u64>())
            .transpose()
            .map_err(foreign)?;
        let buyers = self.buyers();
        let rest = buyers.iter().filter(|(number, _)| after.is_none_or(|after| **number > after));
        let page: Vec<_> = rest.take(request.limit).collect();
        let next = page
            .last()
            .filter(|_| page.len() == request.limit)
            .map(|(last, _)| Cursor::new(last.to_string()));
        Ok(Page::new(page.into_iter().map(|(number, buyer)| facts(*number, buyer)).collect(), next))
    }

    async fn load(&self, customer: &CustomerId) -> Result<Option<Loaded>, StoreError> {
        let buyers = self.buyers();
        let found = number(customer).and_then(|number| Some((number, buyers.get(&number)?)));
        Ok(found.map(|(number, buyer)| Loaded { version: buyer.edits, records: records(number, buyer) }))
    }

    async fn save(&self, changes: &Changes) -> Result<Saved, StoreError> {
        let mut buyers = self.buyers();
        let Some(number) = number(&changes.customer) else { return Ok(Saved::Stale) };
        let Some(buyer) = buyers.get_mut(&number).filter(|buyer| buyer.edits == changes.version) else {
            return Ok(Saved::Stale);
        };
        let mut gone = false;
        for one in &changes.writes {
            match &one.change {
                RecordChange::Write(fields) => {
                    for (field, value) in fields {
                        write(buyer, &one.record, field.as_str(), value);
                    }
                }
                RecordChange::Delete if one.record.class.as_str() == "buyer" => gone = true,
                RecordChange::Delete => {
                    buyer.tickets.retain(|ticket| ticket.number.to_string() != one.record.key.as_str());
                }
                RecordChange::Nothing | RecordChange::Reassign(_) => {
                    return Err(StoreError::failed("saving a buyer", "the box office has no unknown buyer"));
                }
            }
        }
        match &changes.status {
            Some(StatusChange::Archive) => buyer.locked = true,
            Some(StatusChange::Restore(before)) => buyer.locked = before.as_str() == "locked",
            None => {}
        }
        buyer.edits += 1;
        if gone {
            buyers.remove(&number);
        }
        Ok(Saved::Done)
    }
}

// ── What it is good for ────────────────────────────────────────────────────────────────────────────────────────

pub(crate) const POLICY: &str = r#"
version = 1
name = "The box office"
sweep = true

[triggers]
requested = { treatment = "clear" }
cancelled = { since = "left", after = "30 days", treatment = "clear" }

[guards]
active_subscription = "block"
several_tenants = { ignore = "there is one box office" }
not_archived = { ignore = "each case locks the account first" }

[anonymise]
name = "remove"
email = "token"
phone = "remove"

[treatments.clear]
buyer = "anonymise"
ticket = "anonymise"
"#;

/// Two buyers: number 1 has left, number 2 has a season pass.
pub(crate) fn buyers() -> Buyers {
    let ticket = |number, name: &str, price| Ticket {
        number,
        seat: format!("{}-{}", number % 20, number % 7),
        name_on_it: Some(name.to_owned()),
        price,
    };
    let buyer = |name: &str, email: &str, season_passes, left_on, tickets| Buyer {
        name: name.to_owned(),
        email: email.to_owned(),
        phone: Some(format!("+44 20 7946 0{season_passes}18")),
        season_passes,
        left_on,
        locked: false,
        tickets,
        edits: 0,
    };
    let left = NaiveDate::from_ymd_opt(2025, 2, 3);
    let tickets = vec![ticket(100, "Maud Ashworth", 4500), ticket(101, "Percy Ashworth", 4500)];
    Buyers::from([
        (1, buyer("Maud Ashworth", "maud@ashworth.example", 0, left, tickets)),
        (2, buyer("Theo Brandt", "theo@brandt.example", 1, None, vec![ticket(102, "Theo Brandt", 9900)])),
    ])
}

#[tokio::main]
#[allow(clippy::print_stdout)] // It is a program that talks to whoever runs it.
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let office = Arc::new(BoxOffice::new(buyers())?);
    // In production the key comes from a permanent key ring, and the ledger is a file.
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|_| "the operating system gives no randomness")?;
    let engine = Engine::builder(
        ByRecord::new(Arc::clone(&office)),
        PolicyDocument::from_toml(POLICY)?,
        MemoryLedger::new(),
        MemoryKeyRing::new(TokenKey::new(key)),
    )
    .build()?;

    let planned = engine.plan(&CustomerId::from("2"), &Asked::request()).await?;
    println!("buyer 2: {planned}\n");
    let Planned::Plan(plan) = engine.plan(&CustomerId::from("1"), &Asked::Sweep).await? else {
        return Err("buyer 1 left long ago".into());
    };
    println!("{plan}\n");
    let now = Utc::now();
    let approval =
        Approval::new("cashier-3", [plan.tenant().clone()], plan.digest(), now, TimeDelta::hours(1));
    let outcome = engine.erase(plan.approve(approval)?).await?;
    println!("{outcome}\n");
    for ticket in office.buyers().values().flat_map(|buyer| &buyer.tickets) {
        println!(
            "seat {:<6} {:>5}  {}",
            ticket.seat,
            ticket.price,
            ticket.name_on_it.as_deref().unwrap_or("—")
        );
    }
    if matches!(outcome, Outcome::Erased(_)) { Ok(()) } else { Err("not erased".into()) }
}

// ── The test that goes with it ─────────────────────────────────────────────────────────────────────────────────

#[cfg(test)]
mod tests {
    #[tokio::test]
    #[allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
    async fn the_box_office_keeps_every_promise_of_its_port() {
        use super::{BoxOffice, POLICY, buyers};
        use relinquish::PolicyDocument;
        use relinquish::testing::{self, Stocked};

        let policy = || PolicyDocument::from_toml(POLICY).unwrap();
        let fresh = || async { Stocked::new(BoxOffice::new(buyers()).unwrap(), policy()) };
        testing::repository(fresh).await.unwrap();
    }
}
