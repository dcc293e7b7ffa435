//! Hosts for tests: the CRM of the quickstart in a real SQLite file, the box office with its own repository code, and
//! customers in memory. Each host has one customer who is due, one with a subscription, and others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use relinquish::customer::{GatewayProfile, Moment, Status};
use relinquish::data_map::{Fact, Field, Kind, Record, RecordClass};
use relinquish::engine::{EngineBuilder, Expired};
use relinquish::gateway::MemoryGateway;
use relinquish::ledger::{Entry, EntryBody, KeyRing, Ledger, MemoryKeyRing, TokenKey};
use relinquish::store::{MemoryRepository, Scrub};
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::{
    Approval, ApprovedPlan, Asked, ByRecord, Customer, CustomerId, CustomerStore, DataMap, Engine,
    FileKeyRing, MemoryLedger, Outcome, Plan, Planned, PolicyDocument, Problems, SqlMap, SqliteStore,
};
use rusqlite::Connection;
use tempfile::TempDir;

#[path = "../../../examples/quickstart/crm.rs"]
pub(crate) mod crm;
#[path = "../../../examples/own_store.rs"]
#[expect(dead_code, reason = "the example's main is not called here")]
pub(crate) mod own_store;

pub(crate) const CRM_MAP: &str = include_str!("../../../examples/quickstart/map.toml");
pub(crate) const CRM_POLICY: &str = include_str!("../../../examples/quickstart/policy.toml");

/// Every row of a host: its name and its content.
pub(crate) type Dump = BTreeMap<String, String>;

pub(crate) struct Host {
    pub(crate) name: &'static str,
    pub(crate) store: Arc<dyn CustomerStore>,
    pub(crate) scrub: Option<Arc<dyn Scrub>>,
    pub(crate) policy: String,
    pub(crate) gateway: Option<Arc<MemoryGateway>>,
    /// A customer who is due.
    pub(crate) due: CustomerId,
    pub(crate) values: Vec<String>,
    /// A customer with a subscription.
    pub(crate) active: CustomerId,
    pub(crate) dump: Box<dyn Fn() -> Dump>,
    /// The rows that belong to the customer who is due.
    pub(crate) owned: Vec<String>,
    /// The sum that must not change.
    pub(crate) revenue: Box<dyn Fn() -> i64>,
    pub(crate) folder: TempDir,
}

pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(crate) fn all() -> Vec<Host> {
    vec![sqlite(), own_store(), memory()]
}

impl Host {
    pub(crate) fn builder(&self, ledger: impl Ledger, keys: impl KeyRing) -> EngineBuilder {
        let policy = PolicyDocument::from_toml(&self.policy).unwrap();
        let mut builder = Engine::builder(Arc::clone(&self.store), policy, ledger, keys)
            .clock(ManualClock::at(now()))
            .entropy(RepeatableEntropy::new(7));
        if let Some(gateway) = &self.gateway {
            builder = builder.gateway(Arc::clone(gateway));
        }
        if let Some(scrub) = &self.scrub {
            builder = builder.scrub(Arc::clone(scrub));
        }
        builder
    }

    pub(crate) fn engine(&self) -> Engine {
        self.builder(MemoryLedger::new(), keys()).counted().unwrap()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("crm.sqlite")
    }

    /// Checks an erasure. No row of another customer may change, appear or disappear. No value of the customer may be
    /// left.
    pub(crate) fn check_erased(&self, before: &Dump) {
        let after = (self.dump)();
        for (row, content) in before.iter().filter(|(row, _)| !self.owned.contains(row)) {
            assert_eq!(Some(content), after.get(row), "{}: {row} is somebody else's", self.name);
        }
        for row in after.keys() {
            assert!(before.contains_key(row), "{}: {row} is new", self.name);
        }
        let others: Vec<&String> = after.values().collect();
        for value in &self.values {
            let found = others.iter().filter(|content| content.contains(value.as_str())).count();
            assert_eq!(found, 0, "{}: {value} is still there", self.name);
        }
    }
}

/// Builds an engine that can plan and erase. It makes a census first, unless the ledger already has a valid one.
pub(crate) trait BuildCounted {
    fn counted(self) -> Result<Engine, Problems>;
}

impl BuildCounted for EngineBuilder {
    fn counted(self) -> Result<Engine, Problems> {
        let engine = self.census_at_most(u32::MAX).build()?;
        // The census runs on its own thread, because the test's runtime is busy with the caller.
        let counting = engine.clone();
        let count = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(counting.ensure_census()).unwrap();
        };
        std::thread::spawn(count).join().unwrap();
        Ok(engine)
    }
}

/// Continues all open cases, and returns their outcomes.
pub(crate) trait ResumeAll {
    async fn resumed(&self) -> Vec<Outcome>;
}

impl ResumeAll for Engine {
    async fn resumed(&self) -> Vec<Outcome> {
        self.resume().await.unwrap().into_iter().map(|case| case.outcome).collect()
    }
}

/// The entries of a ledger, without the censuses.
pub(crate) async fn acts(ledger: &dyn Ledger) -> Vec<Entry> {
    let mut entries = ledger.entries(0, usize::MAX).await.unwrap();
    entries.retain(|entry| !matches!(entry.body, EntryBody::Counted(_)));
    entries
}

/// The keys in a file next to a ledger. A new ledger gets a new file.
pub(crate) fn keys_beside(ledger: &Path) -> FileKeyRing {
    match FileKeyRing::open_beside(ledger) {
        Err(error) if error.is_missing() => FileKeyRing::create_beside(ledger).unwrap(),
        opened => opened.unwrap(),
    }
}

pub(crate) fn keys() -> MemoryKeyRing {
    MemoryKeyRing::new(TokenKey::new([42; 32]))
}

pub(crate) async fn plan(engine: &Engine, customer: &CustomerId, asked: &Asked) -> Plan {
    match engine.plan(customer, asked).await.unwrap() {
        Planned::Plan(plan) => *plan,
        no_plan => panic!("{no_plan}"),
    }
}

pub(crate) fn approval(plan: &Plan) -> Approval {
    Approval::new("operator-7", [plan.tenant().clone()], plan.digest(), now(), chrono::TimeDelta::hours(1))
}

/// The number of customers whose records expired.
pub(crate) fn touched(expired: &Expired) -> u64 {
    expired.of.values().map(|of| of.customers).sum()
}

/// The result of an expiry that has ended.
pub(crate) fn expired(outcome: Outcome) -> Expired {
    if let Outcome::Expired(expired) = outcome { *expired } else { panic!("{outcome}") }
}

pub(crate) async fn approved(engine: &Engine, customer: &CustomerId, asked: &Asked) -> ApprovedPlan {
    let plan = plan(engine, customer, asked).await;
    let approval = approval(&plan);
    plan.approve(approval).unwrap()
}

pub(crate) fn request(treatment: &str) -> Asked {
    Asked::Request { treatment: Some(treatment.into()) }
}

/// The CRM of the quickstart, with thirty clients.
pub(crate) fn sqlite() -> Host {
    sqlite_after("")
}

/// Adds to a map that every trigger in some SQL allows what a treatment does. In fact the trigger may refuse it.
pub(crate) fn trusting_triggers(map: &str, sql: &str) -> String {
    let names = sql.split("CREATE TRIGGER ").skip(1).filter_map(|rest| rest.split_whitespace().next());
    let ignored: Vec<String> =
        names.map(|name| format!("ignore.triggers.{name} = 'it lets pass'\n")).collect();
    format!("{}{map}", ignored.concat())
}

/// The CRM of the quickstart. Some SQL changes its database before the store is opened.
pub(crate) fn sqlite_after(sql: &str) -> Host {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.sqlite");
    crm::create(&path, 30).unwrap();
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let map = SqlMap::from_toml(&trusting_triggers(CRM_MAP, sql)).unwrap();
    let store = Arc::new(SqliteStore::open(&path, &map).unwrap());
    let gateway = MemoryGateway::new("stripe");
    for id in (1..=30).filter(|id| id % 3 != 0) {
        let running = u32::from(id % 4 != 1);
        gateway.insert(format!("cus_{id:06}"), Some(CustomerId::new(id.to_string())), running);
    }
    let (dumped, summed) = (path.clone(), path.clone());
    Host {
        name: "sqlite",
        scrub: Some(store.clone()),
        store,
        policy: CRM_POLICY.to_owned(),
        gateway: Some(Arc::new(gateway)),
        due: CustomerId::from(crm::CANCELLED),
        values: personal_values(&path),
        active: CustomerId::from(crm::ACTIVE),
        dump: Box::new(move || dump_sqlite(&dumped)),
        owned: owned_rows(&path),
        revenue: Box::new(move || sum(&summed, "SELECT sum(total_cents) FROM invoices")),
        folder,
    }
}

pub(crate) fn sum(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn tables(connection: &Connection) -> Vec<String> {
    let mut statement = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

pub(crate) fn dump_sqlite(path: &Path) -> Dump {
    let connection = Connection::open(path).unwrap();
    let mut dump = Dump::new();
    for table in tables(&connection) {
        let mut statement = connection.prepare(&format!("SELECT rowid, * FROM \"{table}\"")).unwrap();
        let width = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let id: i64 = row.get(0).unwrap();
            let values: Vec<String> = (1..width).map(|n| format!("{:?}", row.get_ref(n).unwrap())).collect();
            // The debug form of a text shows its bytes. Here they are read as text.
            let values: Vec<String> = values
                .into_iter()
                .zip(1..width)
                .map(|(shown, n)| row.get::<_, Option<String>>(n).ok().flatten().unwrap_or(shown))
                .collect();
            dump.insert(format!("{table}/{id}"), values.join("|"));
        }
    }
    dump
}

/// Rows of the CRM that belong to the client who is due.
fn owned_rows(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut rows = vec![format!("clients/{}", crm::CANCELLED)];
    for table in ["delivery_addresses", "contacts", "orders", "invoices", "call_records", "activity_log"] {
        let mut statement = connection
            .prepare(&format!("SELECT id FROM {table} WHERE client_id = {}", crm::CANCELLED))
            .unwrap();
        let ids = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
        rows.extend(ids.map(|id| format!("{table}/{}", id.unwrap())));
    }
    rows
}

/// The values of the client who is due that no other client has.
fn personal_values(path: &Path) -> Vec<String> {
    Connection::open(path)
        .unwrap()
        .query_row(
            "SELECT email, phone, password_hash, invoice_text, stripe_id, first_name || ' ' || last_name
             FROM clients WHERE id = ?1",
            [crm::CANCELLED],
            |row| (0..6).map(|n| row.get(n)).collect(),
        )
        .unwrap()
}

/// The box office of the example.
pub(crate) fn own_store() -> Host {
    let office = Arc::new(own_store::BoxOffice::new(own_store::buyers()).unwrap());
    let (dumped, summed) = (Arc::clone(&office), Arc::clone(&office));
    let dump = move || {
        let mut dump = Dump::new();
        for (number, buyer) in &*dumped.buyers() {
            dump.insert(
                format!("buyer/{number}"),
                format!(
                    "{} {} {:?} {} {}",
                    buyer.name, buyer.email, buyer.phone, buyer.season_passes, buyer.locked
                ),
            );
            for ticket in &buyer.tickets {
                dump.insert(format!("ticket/{}", ticket.number), format!("{ticket:?}"));
            }
        }
        dump
    };
    Host {
        name: "own store",
        store: Arc::new(ByRecord::new(office)),
        scrub: None,
        policy: own_store::POLICY.to_owned(),
        gateway: None,
        due: CustomerId::from("1"),
        values: ["Maud Ashworth", "Percy Ashworth", "maud@ashworth.example"].map(str::to_owned).to_vec(),
        active: CustomerId::from("2"),
        dump: Box::new(dump),
        owned: ["buyer/1", "ticket/100", "ticket/101"].map(str::to_owned).to_vec(),
        revenue: Box::new(move || {
            summed.buyers().values().flat_map(|buyer| &buyer.tickets).map(|ticket| ticket.price).sum()
        }),
        folder: tempfile::tempdir().unwrap(),
    }
}

/// The data map of the memory store, for hosts that a test builds itself.
pub(crate) fn memory_map() -> DataMap {
    DataMap::builder(
        RecordClass::new("customer")
            .field(Field::key("id").token_part())
            .field(Field::personal("name", Kind::Name).required().max_chars(20))
            .field(Field::personal("email", Kind::Email).required().unique()),
    )
    .class(
        RecordClass::new("order")
            .field(Field::key("id"))
            .field(Field::personal("note", Kind::FreeText))
            .field(Field::plain("total"))
            .needs_owner()
            .reassignable(),
    )
    .class(RecordClass::new("call").field(Field::key("id")).field(Field::plain("seconds")))
    .knows(Fact::ActiveSubscriptions)
    .knows(Fact::Status)
    .knows(Fact::Tenants)
    .date("cancelled")
    .gateway("stripe")
    .build()
    .unwrap()
}

pub(crate) const MEMORY_POLICY: &str = r#"
version = 1
sweep = true
[triggers]
requested = { treatment = "clear" }
cancelled = { after = "30 days", treatment = "clear" }
[guards]
not_archived = { ignore = "each case archives first" }
[anonymise]
name = "remove"
email = "remove"
free_text = "remove"
[treatments.clear]
customer = "anonymise"
order = "anonymise"
call = "delete"
gateway.stripe = "erase"
[treatments.remove]
customer = "delete"
order = "reassign"
call = "delete"
gateway.stripe = "erase"
"#;

pub(crate) fn memory_customer(id: &str, name: &str, active: bool) -> (Customer, Vec<Record>) {
    let mut customer = Customer::new(id, "acme");
    if active {
        customer.active_subscriptions = 1;
    } else {
        customer.status = Status::Cancelled;
        let day = NaiveDate::from_ymd_opt(2026, 1, 31).unwrap();
        customer.dates.insert("cancelled".to_owned(), Moment::Day(day));
        customer.gateway_profiles.push(GatewayProfile::new("stripe", format!("cus_{id}").as_str()));
    }
    let records = vec![
        Record::new("customer", id).with("name", name).with("email", format!("{name}@example.org")),
        Record::new("order", format!("{id}-1")).with("note", format!("for {name}")).with("total", 1200),
        Record::new("order", format!("{id}-2")).with("total", 3400),
        Record::new("call", format!("{id}-1")).with("seconds", 65),
    ];
    (customer, records)
}

/// Customers in memory.
pub(crate) fn memory() -> Host {
    let repository = Arc::new(MemoryRepository::new(memory_map()));
    for (id, name, active) in [("1", "maud", false), ("2", "theo", true), ("3", "ines", false)] {
        let (customer, records) = memory_customer(id, name, active);
        repository.insert(customer, records);
    }
    let gateway = MemoryGateway::new("stripe");
    gateway.insert("cus_1", Some(CustomerId::from("1")), 0);
    gateway.insert("cus_3", None, 0);
    let (dumped, summed) = (Arc::clone(&repository), Arc::clone(&repository));
    Host {
        name: "memory",
        store: Arc::new(ByRecord::new(repository)),
        scrub: None,
        policy: MEMORY_POLICY.to_owned(),
        gateway: Some(Arc::new(gateway)),
        due: CustomerId::from("1"),
        values: ["maud", "for maud", "maud@example.org"].map(str::to_owned).to_vec(),
        active: CustomerId::from("2"),
        dump: Box::new(move || dump_memory(&dumped)),
        owned: ["customer/1", "order/1-1", "order/1-2", "call/1-1"].map(str::to_owned).to_vec(),
        revenue: Box::new(move || {
            let ids = ["1", "2", "3"].map(CustomerId::from);
            ids.iter()
                .flat_map(|id| summed.records(id))
                .map(|record| match record.get("total") {
                    relinquish::data_map::Value::Integer(total) => *total,
                    _ => 0,
                })
                .sum()
        }),
        folder: tempfile::tempdir().unwrap(),
    }
}

pub(crate) fn dump_memory(repository: &MemoryRepository) -> Dump {
    let mut dump = Dump::new();
    for id in ["1", "2", "3"] {
        for record in repository.records(&CustomerId::from(id)) {
            let fields: Vec<String> = record
                .fields
                .iter()
                .map(|(name, value)| {
                    format!("{name}={}", value.as_text().map_or(format!("{value:?}"), str::to_owned))
                })
                .collect();
            dump.insert(format!("{}/{}", record.class, record.key.as_str()), fields.join("|"));
        }
    }
    dump
}
