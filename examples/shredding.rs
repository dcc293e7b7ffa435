//! Crypto-shredding: an append-only event log with a separate encryption key for each person, and a key management
//! service in memory.
//!
//! ```sh
//! cargo run --example shredding
//! ```
//!
//! The log cannot delete anything, so erasing a customer destroys the customer's key. The case waits until the last
//! copy of the key is gone. Here this takes seven days: the waiting period of the service and the age of the backups
//! of the wrapped keys.

// An example may print.
#![allow(clippy::print_stdout, reason = "an example prints what it does")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use relinquish::data_map::{Field, IdentifiedBy, Kind, Record, RecordClass};
use relinquish::engine::Clock;
use relinquish::ledger::{MemoryKeyRing, TokenKey};
use relinquish::recipient::{
    KeyCopies, KeyCopy, KeyLocation, Notice, PersonKeys, Receipt, RecipientError, ShreddingRecipient,
};
use relinquish::store::MemoryRepository;
use relinquish::{
    Approval, Asked, ByRecord, Customer, DataMap, Engine, MemoryLedger, Outcome, Planned, PolicyDocument,
};
use sha2::Sha256;

const POLICY: &str = r#"
# policy.toml
version = 1
sweep = false
triggers.requested = { treatment = "clear" }
anonymise = { name = "clear", email = "clear" }

[guards]
active_subscription = { ignore = "nobody subscribes here" }
several_tenants = { ignore = "there is one tenant" }
not_archived = { ignore = "customers have no status here" }

[treatments.clear]
customer = "delete"
recipient.events = "tell"
"#;

/// How long a destroyed key can still be restored.
const WAIT: TimeDelta = TimeDelta::days(7);

/// A key management service. Each person has one key, with an id that reveals nothing about the person.
#[derive(Debug, Default)]
struct Kms(Mutex<BTreeMap<String, Key>>);

struct Key {
    id: String,
    bytes: [u8; 32],
    /// When the key was destroyed. Its copies are gone after [`WAIT`].
    destroyed: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Kms {
    /// The key of a person. It is created at the first use. `None` if the key is destroyed.
    fn key(&self, customer: &str) -> Result<Option<[u8; 32]>, Box<dyn Error>> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.get(customer) {
            return Ok(key.destroyed.is_none().then_some(key.bytes));
        }
        let (mut bytes, mut id) = ([0; 32], [0; 8]);
        getrandom::fill(&mut bytes)?;
        getrandom::fill(&mut id)?;
        keys.insert(
            customer.to_owned(),
            Key { id: format!("key-{}", u64::from_le_bytes(id)), bytes, destroyed: None },
        );
        Ok(Some(bytes))
    }
}

/// The keys, and the clock that decides when their copies are gone.
#[derive(Debug)]
struct Keys(Arc<Kms>, Arc<Calendar>);

#[async_trait]
impl PersonKeys for Keys {
    async fn destroy(&self, notice: &Notice) -> Result<Option<Receipt>, RecipientError> {
        let customer = notice.customer.as_ref().map_or("", |customer| customer.as_str());
        let mut keys = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A customer who never had an event never had a key.
        let Some(key) = keys.get_mut(customer) else { return Ok(None) };
        // A key that was already destroyed keeps its date.
        key.destroyed.get_or_insert(self.1.now());
        Ok(Some(key.id.as_str().into()))
    }

    async fn copies(&self, receipt: &Receipt, now: DateTime<Utc>) -> Result<KeyCopies, RecipientError> {
        let mut keys = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = keys
            .values()
            .find(|key| key.id == receipt.as_str())
            .and_then(|key| key.destroyed)
            .map(|at| at + WAIT);
        let Some(until) = until.filter(|until| *until > now) else {
            // Now the row of the wrapped key is deleted too.
            keys.retain(|_, key| key.id != receipt.as_str());
            return Ok(Vec::new());
        };
        let copy = |location| KeyCopy { location, until: Some(until) };
        Ok(vec![copy(KeyLocation::WaitingPeriod), copy(KeyLocation::Backups)])
    }
}

/// An event log: events are only ever added. Each is encrypted with the key of its person.
#[derive(Debug, Default)]
struct Log(Vec<Event>);

#[derive(Debug)]
struct Event {
    customer: String,
    number: u64,
    sealed: Vec<u8>,
}

/// A stream of bytes from a key, for one event. In a real log, use an authenticated cipher such as AES-GCM.
fn stream(key: &[u8; 32], number: u64, length: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = Vec::new();
    for block in 0_u64.. {
        if bytes.len() >= length {
            break;
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
        mac.update(&number.to_le_bytes());
        mac.update(&block.to_le_bytes());
        bytes.extend_from_slice(&mac.finalize().into_bytes());
    }
    bytes.truncate(length);
    Ok(bytes)
}

impl Log {
    fn add(&mut self, kms: &Kms, customer: &str, text: &str) -> Result<(), Box<dyn Error>> {
        let key = kms.key(customer)?.ok_or("the customer's key is destroyed")?;
        let number = self.0.len() as u64;
        let pad = stream(&key, number, text.len())?;
        let sealed = text.bytes().zip(pad).map(|(byte, pad)| byte ^ pad).collect();
        self.0.push(Event { customer: customer.to_owned(), number, sealed });
        Ok(())
    }

    /// The events of a customer: each is the text, or `None` if nobody can read the text any more.
    fn read(&self, kms: &Kms, customer: &str) -> Result<Vec<Option<String>>, Box<dyn Error>> {
        let mut texts = Vec::new();
        for event in self.0.iter().filter(|event| event.customer == customer) {
            let text = match kms.key(customer)? {
                Some(key) => {
                    let pad = stream(&key, event.number, event.sealed.len())?;
                    let bytes = event.sealed.iter().zip(pad).map(|(byte, pad)| byte ^ pad).collect();
                    String::from_utf8(bytes).ok()
                }
                None => None,
            };
            texts.push(text);
        }
        Ok(texts)
    }
}

/// A clock that the example sets forward, so that seven days pass at once.
#[derive(Debug)]
struct Calendar(Mutex<DateTime<Utc>>);

#[async_trait]
impl Clock for Calendar {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sleep(&self, time: Duration) {
        if let Ok(time) = TimeDelta::from_std(time) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) += time;
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let clock = Arc::new(Calendar(Mutex::new(Utc::now())));
    let (kms, mut log) = (Arc::new(Kms::default()), Log::default());
    for text in ["ordered two tickets", "asked for a refund"] {
        log.add(&kms, "17", text)?;
    }
    log.add(&kms, "18", "ordered a poster")?;

    // The root store has the customers. The map names the event log as a recipient that knows people by their key.
    let customers = RecordClass::new("customer")
        .field(Field::key("id").token_part())
        .field(Field::personal("name", Kind::Name))
        .field(Field::personal("email", Kind::Email));
    let map = DataMap::builder(customers)
        .recipient("events", IdentifiedBy::key())
        .without_deactivation("customers have no status here")
        .build()?;
    let repository = Arc::new(MemoryRepository::new(map));
    for (id, name) in [("17", "Maud Ashworth"), ("18", "Theo Quill")] {
        let record =
            Record::new("customer", id).with("name", name).with("email", format!("{id}@example.org"));
        repository.insert(Customer::new(id, "acme"), vec![record]);
    }
    let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
    let events =
        ShreddingRecipient::new("events", Keys(Arc::clone(&kms), Arc::clone(&clock)), Duration::from_secs(5));
    let policy = PolicyDocument::from_toml(POLICY)?;
    let engine = Engine::builder(ByRecord::new(repository), policy, MemoryLedger::new(), keys)
        .recipient(events)
        .clock(Arc::clone(&clock))
        .build()?;
    engine.ensure_census().await?;

    println!("before: {:?}", log.read(&kms, "17")?);
    let Planned::Plan(plan) = engine.plan(&"17".into(), &Asked::request()).await? else {
        return Err("nothing to do".into());
    };
    let approval =
        Approval::new("operator-7", [plan.tenant().clone()], plan.digest(), clock.now(), TimeDelta::hours(1));
    let outcome = engine.erase(plan.approve(approval)?).await?;
    // The record is gone, and the events cannot be read. But the key could still be restored.
    println!("at once: {outcome}");
    println!("the events: {:?}", log.read(&kms, "17")?);
    let Outcome::Waiting { .. } = outcome else { return Err("the case must wait".into()) };

    clock.sleep(Duration::from_secs(8 * 24 * 60 * 60)).await;
    for resumed in engine.resume().await? {
        println!("after eight days: {}", resumed.outcome);
        let Some(certificate) = resumed.outcome.certificate() else {
            return Err("the case must be closed".into());
        };
        println!("{certificate}");
    }
    println!("somebody else: {:?}", log.read(&kms, "18")?);
    Ok(())
}
