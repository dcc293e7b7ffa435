//! Records that expire, against a brute-force oracle: which rows go, which stay byte for byte, and who has to say yes.

use crate::hosts::{BuildCounted as _, acts};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use proptest::prelude::*;
use relinquish::anonymise::Seed;
use relinquish::customer::{HoldGround, HoldKind};
use relinquish::data_map::{Fact, Field, FieldName, Kind, Link, Record, RecordClass, Value};
use relinquish::engine::{Advance, Clock, Expired, NewHold, PlannedExpiry};
use relinquish::gateway::{
    AccountId, GatewayAnswer, GatewayError, GatewayName, MemoryGateway, PaymentGatewayEraser, ProfileErasure,
    ProfileFacts, ProfileId, ProfileState, Receipt,
};
use relinquish::ledger::{
    CaseBook as _, Closing, EndedEarly, KeyRing, KeyRingError, Ledger, Mac, MacRequest, MemoryKeyRing, Rules,
    Task, TokenKey,
};
use relinquish::plan::{
    ApprovalError, ApprovedExpiry, Authority, ExpiryPlan, NothingExpires, RecordsOf, Step,
};
use relinquish::store::{
    ByRecord, Cursor, MemoryRepository, OwnerlessErased, OwnerlessRecords, OwnerlessRequest, StoreError,
    Tally,
};
use relinquish::testing::{Faulty, ManualClock, RepeatableEntropy};
use relinquish::treatment::{Ownerless, Standing};
use relinquish::{
    Approval, Asked, Customer, CustomerStore, DataMap, Engine, Error, MemoryLedger, MemoryStore, Outcome,
    PolicyDocument, SqlMap, SqliteLedger, SqliteStore, TenantId,
};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use crate::engine::refusal::{Liar, Lie};
use crate::hosts::{self, trusting_triggers};
use crate::policy::tombstones::{Dump, dump_of, dump_of_memory};
use crate::wired::{Tripwire, until_death};

const POLICY: &str = r#"
version = 1
sweep = true
[triggers]
requested = { treatment = "clear" }
[guards]
active_subscription = { ignore = "x" }
several_tenants = { ignore = "x" }
not_archived = { ignore = "x" }
restriction = { ignore = "records that expire are no longer needed for anything" }
[anonymise]
name = "remove"
free_text = "clear"
[treatments.clear]
customer = "anonymise"
call = "delete"
order = "delete"
line = "delete"
invoice = "anonymise"
[duties.bookkeeping]
needs = []
classes = ["invoice"]
statute = "SE/BFL/7:2"
from = "booked_on"
[expire]
call = { from = "made_on", after = "12 months", action = "delete" }
order = { from = "placed_on", after = "3 years", action = "delete" }
line = { from = "placed_on", after = "3 years", action = "delete" }
invoice = { after = "duty", action = "anonymise" }
[tenants.patient]
expire.call = { from = "made_on", after = "24 months", action = "delete" }
expire.invoice = "off"
[tenants.asleep]
sweep = false
"#;

const SCHEMA: &str = "
    PRAGMA foreign_keys = on;
    CREATE TABLE customers (
        id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, name TEXT, held TEXT, is_unknown INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE calls (
        id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, number TEXT, made_on TEXT
    );
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, note TEXT, placed_on TEXT
    );
    CREATE TABLE lines (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders, text TEXT);
    CREATE TABLE invoices (
        id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, name TEXT, booked_on TEXT
    );";

const MAP: &str = r#"
version = 1
[customers]
table = "customers"
key = "id"
tenant = "tenant"
holds = "held"
deactivate = { none = "there is no such status" }
unknown_customer = { find = { is_unknown = 1 } }
fields = { name = "name", is_unknown = "not personal" }
[records.call]
table = "calls"
key = "id"
owner = "customer_id"
fields = { number = "communication", made_on = "not personal" }
[records.order]
table = "orders"
key = "id"
owner = "customer_id"
fields = { note = "free_text", placed_on = "not personal" }
[records.line]
table = "lines"
key = "id"
owner = ["order_id", "customer_id"]
fields = { text = "free_text" }
[records.invoice]
table = "invoices"
key = "id"
owner = "customer_id"
fields = { name = "name", booked_on = "not personal" }
"#;

const CLASSES: [(&str, &str); 5] = [
    ("customer", "customers"),
    ("call", "calls"),
    ("order", "orders"),
    ("line", "lines"),
    ("invoice", "invoices"),
];

/// Id, tenant, hold, and whether it is the tenant's "Unknown Customer".
const CUSTOMERS: [(i64, &str, Option<&str>, bool); 6] = [
    (1, "usual", None, false),
    (2, "patient", None, false),
    (3, "asleep", None, false),
    (4, "usual", Some("legal_claim"), false),
    (5, "usual", Some("restriction"), false),
    (9, "usual", None, true),
];

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// One record of a customer, dated or not.
#[derive(Clone, Debug)]
struct Row {
    customer: usize,
    class: usize,
    date: Option<NaiveDate>,
}

impl Row {
    fn tenant(&self) -> &'static str {
        CUSTOMERS[self.customer].1
    }

    /// The oracle: whether the policy above says that this record has expired.
    fn has_expired(&self, today: NaiveDate) -> bool {
        let Some(date) = self.date else { return false };
        let over = |months: u32| date.checked_add_months(Months::new(months)).unwrap() <= today;
        match (self.class, self.tenant()) {
            (_, "asleep") | (3, "patient") => false,
            (1, "patient") => over(24),
            (1, _) => over(12),
            (2, _) => over(36),
            (3, _) => NaiveDate::from_ymd_opt(date.year() + 7, 12, 31).unwrap() < today,
            _ => unreachable!("{self:?}"),
        }
    }

    fn is_held(&self) -> bool {
        CUSTOMERS[self.customer].2 == Some("legal_claim")
    }
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    // Days around the ends of the periods, and others.
    let near = prop::sample::select(vec![0_i64, 364, 365, 366, 730, 731, 1095, 1096, 1097]);
    let date = prop_oneof![
        near.prop_map(|days| day("2026-06-30") - TimeDelta::days(days)),
        (2010..2027_i32, 1..13_u32, 1..29_u32)
            .prop_map(|(year, month, day)| NaiveDate::from_ymd_opt(year, month, day).unwrap()),
    ];
    let row = (0..CUSTOMERS.len(), 1..4_usize, prop::option::weighted(0.9, date))
        .prop_map(|(customer, class, date)| Row { customer, class, date });
    prop::collection::vec(row, 0..24)
}

fn records(rows: &[Row], customer: usize) -> Vec<Record> {
    let id = CUSTOMERS[customer].0;
    let mut list = vec![Record::new("customer", id.to_string()).with("id", id).with("name", "Maud")];
    for (n, row) in rows.iter().enumerate().filter(|(_, row)| row.customer == customer) {
        let n = i64::try_from(n).unwrap();
        let date = row.date.map(|day| day.to_string());
        let record = |class: &str| Record::new(class, n.to_string()).with("id", n);
        match row.class {
            1 => list.push(
                record("call").with("customer_id", id).with("number", "+44 20 7946").with("made_on", date),
            ),
            2 => {
                list.push(record("line").with("order_id", n).with("text", "for Maud"));
                list.push(
                    record("order").with("customer_id", id).with("note", "for Maud").with("placed_on", date),
                );
            }
            _ => list
                .push(record("invoice").with("customer_id", id).with("name", "Maud").with("booked_on", date)),
        }
    }
    list
}

fn sqlite(path: &Path, rows: &[Row]) -> SqliteStore {
    let database = Connection::open(path).unwrap();
    database.execute_batch(SCHEMA).unwrap();
    for (id, tenant, held, unknown) in CUSTOMERS {
        let held = held.map(|held| format!("[\"{held}\"]"));
        let sql =
            "INSERT INTO customers (id, tenant, name, held, is_unknown) VALUES (?1, ?2, 'Maud', ?3, ?4)";
        database.execute(sql, (id, tenant, held, unknown)).unwrap();
    }
    let all = (0..CUSTOMERS.len()).flat_map(|customer| records(rows, customer));
    let order = |record: &Record| (record.class.as_str() == "line", record.key.clone());
    let mut all: Vec<Record> = all.filter(|record| record.class.as_str() != "customer").collect();
    all.sort_by_key(order);
    for record in all {
        let (_, table) = CLASSES.into_iter().find(|(class, _)| record.class.as_str() == *class).unwrap();
        let columns: Vec<&str> = record.fields.keys().map(FieldName::as_str).collect();
        let values: Vec<String> = record
            .fields
            .values()
            .map(|value| match value {
                Value::Integer(number) => number.to_string(),
                Value::Text(text) => format!("'{text}'"),
                _ => "NULL".to_owned(),
            })
            .collect();
        let sql = format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", "));
        database.execute(&sql, []).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    SqliteStore::open(path, &SqlMap::from_toml(MAP).unwrap()).unwrap_or_else(|error| panic!("{error}"))
}

fn memory(rows: &[Row]) -> MemoryStore {
    let link = |to: &str, field: &str| Link::owner(to, [field]);
    let owned = |name: &str| {
        RecordClass::new(name)
            .field(Field::key("id"))
            .field(Field::owner("customer_id"))
            .link(link("customer", "customer_id"))
    };
    let map = DataMap::builder(
        RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name)),
    )
    .class(
        owned("call")
            .field(Field::personal("number", Kind::Communication))
            .field(Field::plain("made_on").dated()),
    )
    .class(
        owned("order")
            .field(Field::personal("note", Kind::FreeText))
            .field(Field::plain("placed_on").dated()),
    )
    .class(
        RecordClass::new("line")
            .field(Field::key("id"))
            .field(Field::owner("order_id"))
            .field(Field::personal("text", Kind::FreeText))
            .link(link("order", "order_id")),
    )
    .class(
        owned("invoice").field(Field::personal("name", Kind::Name)).field(Field::plain("booked_on").dated()),
    )
    .knows(Fact::Holds)
    .without_deactivation("there is no such status")
    .build()
    .unwrap();
    let repository = MemoryRepository::new(map);
    for (n, (id, tenant, held, unknown)) in CUSTOMERS.into_iter().enumerate() {
        let mut facts = Customer::new(id.to_string(), tenant);
        facts.stand_in = unknown;
        facts.holds.extend(held.map(|held| match held {
            "legal_claim" => HoldKind::LegalClaim,
            _ => HoldKind::Restriction,
        }));
        repository.insert(facts, records(rows, n));
    }
    ByRecord::new(repository)
}

fn engine_with(
    store: impl CustomerStore,
    policy: &str,
    ledger: impl Ledger,
    clock: &Arc<ManualClock>,
) -> Engine {
    let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
    Engine::builder(store, PolicyDocument::from_toml(policy).unwrap(), ledger, keys)
        .clock(Arc::clone(clock))
        // Two engines on one ledger give their cases different ids; a process that is started anew has the name it had.
        .entropy(RepeatableEntropy::new(ENGINES.fetch_add(1, Ordering::SeqCst)))
        .worker("one")
        .batch(2)
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"))
}

static ENGINES: AtomicU64 = AtomicU64::new(1);

fn clock(today: &str) -> Arc<ManualClock> {
    Arc::new(ManualClock::at(format!("{today}T12:00:00Z").parse().unwrap()))
}

fn everyone() -> Vec<TenantId> {
    ["usual", "patient", "asleep"].map(TenantId::from).to_vec()
}

async fn plan(engine: &Engine) -> ExpiryPlan {
    match engine.plan_expiry(everyone()).await.unwrap() {
        PlannedExpiry::Plan(plan) => *plan,
        PlannedExpiry::Nothing(why) => panic!("{why}"),
    }
}

fn approve(plan: ExpiryPlan, now: DateTime<Utc>) -> ApprovedExpiry {
    let approval = Approval::new("operator-7", everyone(), plan.digest(), now, TimeDelta::hours(1));
    plan.approve(approval).unwrap()
}

async fn expire(engine: &Engine, clock: &ManualClock) -> Expired {
    let plan = plan(engine).await;
    hosts::expired(engine.expire(&approve(plan, clock.now())).await.unwrap())
}

fn dump_sqlite(path: &Path) -> Dump {
    dump_of(path, &CLASSES)
}

fn dump_memory(store: &MemoryStore) -> Dump {
    dump_of_memory(store, CUSTOMERS.map(|(id, ..)| id), &CLASSES)
}

/// Every record is as the oracle says: gone, emptied, or byte for byte as it was.
fn assert_as_the_oracle_says(rows: &[Row], today: NaiveDate, before: &Dump, after: &Dump) {
    for ((class, id), was) in before {
        let is = after.get(&(*class, *id));
        let row = if *class == "customer" { None } else { Some(&rows[usize::try_from(*id).unwrap()]) };
        let expired = row.is_some_and(|row| row.has_expired(today) && !row.is_held());
        match (*class, expired) {
            (_, false) => assert_eq!(is, Some(was), "{class} {id} stays byte for byte: {row:?}"),
            ("invoice", true) => {
                let is = is.unwrap_or_else(|| panic!("{class} {id} stays"));
                assert_ne!(is["name"], was["name"], "{class} {id}: {row:?}");
                assert!(!is["name"].contains("Maud"), "{class} {id}");
                assert_eq!(is["booked_on"], was["booked_on"]);
            }
            (_, true) => assert_eq!(is, None, "{class} {id} has expired: {row:?}"),
        }
    }
    assert!(after.keys().all(|key| before.contains_key(key)), "nothing is made");
}

/// What the ledger has to say, by tenant and class: what has expired, and whom nothing was touched of.
fn counted(rows: &[Row], today: NaiveDate) -> BTreeMap<(String, String), u64> {
    let mut counted = BTreeMap::new();
    for row in rows.iter().filter(|row| row.has_expired(today) && !row.is_held()) {
        let classes: &[&str] = match row.class {
            1 => &["call"],
            2 => &["line", "order"],
            _ => &["invoice"],
        };
        for class in classes {
            *counted.entry((row.tenant().to_owned(), (*class).to_owned())).or_default() += 1;
        }
    }
    counted
}

fn said(expired: &Expired) -> BTreeMap<(String, String), u64> {
    let of = expired.of.iter().flat_map(|(tenant, of)| {
        let tenant = tenant.tenant().unwrap().as_str().to_owned();
        of.records.iter().map(move |(class, count)| ((tenant.clone(), class.to_string()), *count))
    });
    of.filter(|(_, count)| *count > 0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever they belong to, and whatever else the customer has: what has expired goes, and nothing else is touched. A
    /// second run on the same day finds nothing, and a later one what has expired since.
    #[test]
    fn what_has_expired_goes_and_nothing_else_changes(rows in any_rows()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("shop.sqlite");
            let on_file = sqlite(&path, &rows);
            let by_record = Arc::new(memory(&rows));
            for (name, store) in [
                ("SQLite", Arc::new(on_file) as Arc<dyn CustomerStore>),
                ("by record", Arc::clone(&by_record) as Arc<dyn CustomerStore>),
            ] {
                let dump = || if name == "SQLite" { dump_sqlite(&path) } else { dump_memory(&by_record) };
                let clock = clock("2026-06-30");
                let engine = engine_with(store, POLICY, MemoryLedger::new(), &clock);
                let before = dump();
                let expired = expire(&engine, &clock).await;
                let after = dump();
                assert_as_the_oracle_says(&rows, day("2026-06-30"), &before, &after);
                assert_eq!(said(&expired), counted(&rows, day("2026-06-30")), "{name}: {expired}");
                assert!(expired.of.values().all(|of| of.failed.is_empty() && of.changed == 0), "{name}: {expired}");

                let again = expire(&engine, &clock).await;
                assert_eq!(hosts::touched(&again), 0, "{name}: {again}");
                assert_eq!(dump(), after, "{name}: a second run changes nothing");

                clock.turn(TimeDelta::days(400));
                let later = clock.now().date_naive();
                expire(&engine, &clock).await;
                assert_as_the_oracle_says(&rows, later, &before, &dump());
            }
        });
    }
}

fn rows(list: &[(usize, usize, &str)]) -> Vec<Row> {
    let row = |(customer, class, date): &(usize, usize, &str)| Row {
        customer: *customer,
        class: *class,
        date: Some(day(date)),
    };
    list.iter().map(row).collect()
}

/// A call and an order of each customer that have expired, and a call that has not.
fn old_and_new() -> Vec<Row> {
    let of =
        |customer| [(customer, 1, "2020-01-01"), (customer, 2, "2020-01-01"), (customer, 1, "2026-06-01")];
    rows(&(0..CUSTOMERS.len()).flat_map(of).collect::<Vec<_>>())
}

#[tokio::test]
async fn the_plan_says_what_would_go_whom_a_hold_keeps_and_who_is_left_out() {
    let clock = clock("2026-06-30");
    let engine = engine_with(memory(&old_and_new()), POLICY, MemoryLedger::new(), &clock);
    let plan = plan(&engine).await;
    assert_eq!(
        plan.to_string(),
        format!(
            "Expiry {}
  records that have expired are erased; this CANNOT be taken back
    call                 delete     1 year after made_on, or 2 years after made_on
    invoice              anonymise  when the last duty has ended
      name                         cleared
    line                 delete     3 years after placed_on
    order                delete     3 years after placed_on
  tenant patient: 1 customer of whom something expires
    call                      2 rows, 1 expired, 1 to do
    line                      1 row, 1 expired, 1 to do
    order                     1 row, 1 expired, 1 to do
  tenant usual: 3 customers of whom something expires
    call                      6 rows, 3 expired, 3 to do
    invoice                   0 rows, 0 expired, 0 to do
    line                      3 rows, 3 expired, 3 to do
    order                     3 rows, 3 expired, 3 to do
    1 customer held back: legal_claim
  not of tenant asleep: the policy's switch is off (sweep = false)
  copies in backups and other systems are not reached",
            plan.digest()
        )
    );
    assert_eq!(plan.due(), 12);
    assert_eq!(
        plan.expiring().keys().cloned().collect::<Vec<_>>(),
        ["patient", "usual"].map(|tenant| RecordsOf::Tenant(tenant.into()))
    );
    assert_eq!(plan.expiring()[&RecordsOf::Tenant("usual".into())].customers, 3);
    assert_eq!(plan.left_out()[&TenantId::from("asleep")], NothingExpires::SweepOff);
    let json = plan.to_json();
    assert_eq!(json["expiring"][1]["counted"]["held"]["legal_claim"], 1);
    assert_eq!(json["left_out"]["asleep"], "sweep_off");
    assert_eq!(json["treatments"][1]["invoice"]["fields"]["name"], "cleared");
    let bytes = serde_json_canonicalizer::to_vec(&json["binds"]).unwrap();
    assert_eq!(hex::encode(Sha256::digest(&bytes)), json["digest"].as_str().unwrap());
}

/// The digest binds rules, and no counts: a record more is no other plan, another line of the policy is.
#[tokio::test]
async fn an_approval_holds_for_its_plan_its_tenants_and_its_time_alone() {
    let clock = clock("2026-06-30");
    let now = clock.now();
    let engine = engine_with(memory(&old_and_new()), POLICY, MemoryLedger::new(), &clock);
    let few = engine_with(memory(&[]), POLICY, MemoryLedger::new(), &clock);
    assert_eq!(plan(&engine).await.digest(), plan(&few).await.digest());

    let approval = |digest| Approval::new("operator-7", everyone(), digest, now, TimeDelta::hours(1));
    let one = plan(&engine).await;
    let digest = one.digest();
    let PlannedExpiry::Plan(of_one) = engine.plan_expiry([TenantId::from("usual")]).await.unwrap() else {
        panic!("something expires")
    };
    let other = approval(of_one.digest());
    let refused = one.approve(other).unwrap_err();
    assert!(matches!(refused.why, ApprovalError::OtherPlan { .. }), "{refused}");
    let narrow = Approval::new("operator-7", [TenantId::from("usual")], digest, now, TimeDelta::hours(1));
    let refused = refused.given.approve(narrow).unwrap_err();
    assert!(matches!(refused.why, ApprovalError::OtherTenant { .. }), "{refused}");
    let one = refused.given;

    // Approved in time, and carried out too late; or under a policy that has changed.
    let approved = one.approve(approval(digest)).unwrap();
    let shorter = POLICY.replace("\"12 months\"", "\"11 months\"");
    let changed = engine_with(memory(&old_and_new()), &shorter, MemoryLedger::new(), &clock);
    assert!(matches!(changed.expire(&approved).await, Err(Error::OtherRules { what: "policy", .. })));
    clock.turn(TimeDelta::hours(2));
    assert!(matches!(engine.expire(&approved).await, Err(Error::Approval(ApprovalError::Expired { .. }))));
    assert_eq!(plan(&engine).await.due(), 12, "nothing was touched");
}

#[tokio::test]
async fn where_nothing_can_expire_the_answer_says_why() {
    let clock = clock("2026-06-30");
    let engine = engine_with(memory(&old_and_new()), POLICY, MemoryLedger::new(), &clock);
    let planned = engine.plan_expiry([TenantId::from("asleep")]).await.unwrap();
    assert!(matches!(planned, PlannedExpiry::Nothing(NothingExpires::SweepOff)), "{planned:?}");
    let planned = engine.plan_ownerless().await.unwrap();
    assert!(matches!(planned, PlannedExpiry::Nothing(NothingExpires::NoRule)), "{planned:?}");
}

/// The ledger says what came of an expiry, with no word of whom it concerned. It can be read back from its file.
#[tokio::test]
async fn the_ledger_says_what_came_of_an_expiry() {
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (folder.path().join("shop.sqlite"), folder.path().join("ledger.sqlite"));
    let clock = clock("2026-06-30");
    let engine =
        engine_with(sqlite(&path, &old_and_new()), POLICY, SqliteLedger::open(&file).unwrap(), &clock);
    let expired = expire(&engine, &clock).await;
    drop(engine);
    let entries = acts(&SqliteLedger::open_existing(&file).unwrap()).await;
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    let closed = entry.closed().unwrap();
    let Closing::Expired(result) = &closed.closing else { panic!("{closed:?}") };
    assert_eq!(closed.case, expired.case);
    let Rules::Expiry { policies, .. } = &closed.under().rules else { panic!("{closed:?}") };
    let operator = closed.under().operator.get().unwrap();
    assert_eq!((operator.as_str(), policies.len()), ("operator-7", 2));
    assert!(result.exact && result.ended_early.is_none(), "{result:?}");
    let usual = result.expired.iter().find(|of| of.of == RecordsOf::Tenant("usual".into())).unwrap();
    assert_eq!((usual.records["call"], usual.records["order"], usual.left), (3, 3, 1));
    assert!(!expired.is_complete(), "one customer was held back");
    let text = entry.body.to_text().unwrap();
    assert!(!text.contains("Maud") && !text.contains("7946"), "{text}");
}

/// A key ring that nobody can reach.
#[derive(Debug)]
struct OutOfReach;

#[async_trait]
impl KeyRing for OutOfReach {
    async fn epochs(&self) -> Result<Vec<u32>, KeyRingError> {
        Err(KeyRingError::unreachable("no route to the keys"))
    }

    async fn macs(&self, _: &MacRequest) -> Result<Vec<Mac>, KeyRingError> {
        Err(KeyRingError::unreachable("no route to the keys"))
    }
}

/// The entry of an expiry names nobody, so an expiry needs no key: it is planned, carried out and closed without one.
#[tokio::test]
async fn an_expiry_needs_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let (clock, ledger) = (clock("2026-06-30"), Arc::new(MemoryLedger::new()));
    let engine = Engine::builder(
        sqlite(&path, &old_and_new()),
        PolicyDocument::from_toml(POLICY).unwrap(),
        Arc::clone(&ledger),
        OutOfReach,
    )
    .clock(Arc::clone(&clock))
    .batch(2)
    .counted()
    .unwrap();
    let expired = expire(&engine, &clock).await;
    assert!(expired.exact && expired.of.values().any(|of| !of.records.is_empty()), "{expired}");
    let entries = acts(&ledger).await;
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    let closed = entry.closed().unwrap();
    assert!(closed.under().key.is_none(), "{closed:?}");
    // What names a customer waits for the keys.
    let error = engine.plan(&"1".into(), &Asked::request()).await.unwrap_err();
    assert!(matches!(error, Error::Keys(_)), "{error}");
}

/// Wherever an expiry dies, a resume does the rest, or the same plan once more; and the case book never lacks the beginning of
/// what was done.
#[tokio::test]
async fn an_interrupted_expiry_is_resumed() {
    let (whole, counted) = {
        let clock = clock("2026-06-30");
        let store = Arc::new(memory(&old_and_new()));
        let engine = engine_with(Arc::clone(&store), POLICY, MemoryLedger::new(), &clock);
        let expired = expire(&engine, &clock).await;
        (dump_memory(&store), expired.of)
    };
    let untouched = dump_memory(&memory(&old_and_new()));
    let (mut interrupted, mut exact) = (0, 0);
    for at in 0.. {
        let wire = Tripwire::at(at);
        let clock = clock("2026-06-30");
        let store = Arc::new(memory(&old_and_new()));
        let ledger = Arc::new(MemoryLedger::new());
        let engine = engine_with(Arc::clone(&store), POLICY, Arc::clone(&ledger), &clock);
        let approved = approve(plan(&engine).await, clock.now());
        let wired = engine_with(
            Faulty::new(Arc::clone(&store), Arc::clone(&wire)),
            POLICY,
            Faulty::new(Arc::clone(&ledger), Arc::clone(&wire)),
            &clock,
        );
        let died = until_death(&wire, wired.expire(&approved)).await.is_none();
        let open = engine.open_cases(None, 10).await.unwrap();
        let begun = !open.is_empty() || !acts(&*ledger).await.is_empty();
        assert!(begun || dump_memory(&store) == untouched, "at {at}: touched before the ledger knew");
        if !died {
            assert!(at > 20, "only {at} boundaries");
            break;
        }
        interrupted += 1;
        // By turns: a resume, and the plan once more.
        let ended = if at % 2 == 0 && !open.is_empty() {
            let mut resumed = engine.resume().await.unwrap();
            assert!(matches!(&resumed[0].task, Task::Expiry(_)), "{resumed:?}");
            hosts::expired(resumed.remove(0).outcome)
        } else {
            hosts::expired(engine.expire(&approved).await.unwrap())
        };
        assert_eq!(dump_memory(&store), whole, "interrupted at {at}");
        assert!(engine.open_cases(None, 10).await.unwrap().is_empty());
        // What is said to be all of it is all of it.
        if ended.exact && !open.is_empty() {
            exact += 1;
            assert_eq!(ended.of, counted, "interrupted at {at}");
        }
    }
    assert!(interrupted > 20 && exact > 5 && exact < interrupted, "{interrupted} {exact}");
}

/// An expiry that was interrupted, and whose approval has run out meanwhile, ends as it is; the next one, newly approved, does the
/// rest in the same call.
#[tokio::test]
async fn an_interrupted_expiry_whose_approval_has_run_out_gives_way_to_the_next() {
    let wire = Tripwire::at(20);
    let clock = clock("2026-06-30");
    let store = Arc::new(memory(&old_and_new()));
    let ledger = Arc::new(MemoryLedger::new());
    let engine = engine_with(Arc::clone(&store), POLICY, Arc::clone(&ledger), &clock);
    let first = approve(plan(&engine).await, clock.now());
    let wired = engine_with(
        Faulty::new(Arc::clone(&store), Arc::clone(&wire)),
        POLICY,
        Faulty::new(Arc::clone(&ledger), Arc::clone(&wire)),
        &clock,
    );
    assert!(until_death(&wire, wired.expire(&first)).await.is_none());
    let case = engine.open_cases(None, 10).await.unwrap().remove(0).case;
    clock.turn(TimeDelta::hours(2));
    let expired = expire(&engine, &clock).await;
    assert!(expired.ended_early.is_none() && expired.case != case, "{expired}");
    assert_eq!(plan(&engine).await.due(), 0);
    let entries = acts(&*ledger).await;
    let Closing::Expired(result) = &entries[0].closed().unwrap().closing else { panic!("{entries:?}") };
    assert!(matches!(result.ended_early, Some(EndedEarly::Mandate { expired: Some(_) })), "{result:?}");
    assert_eq!((entries.len(), &entries[0].closed().unwrap().case), (2, &case));
}

/// A person ends an expiry at any time: what was done stays done, and the ledger says who ended it.
#[tokio::test]
async fn an_expiry_can_be_cancelled_between_its_parts() {
    let clock = clock("2026-06-30");
    let store = Arc::new(memory(&old_and_new()));
    let ledger = Arc::new(MemoryLedger::new());
    let wire = Tripwire::at(24);
    let wired = engine_with(
        Faulty::new(Arc::clone(&store), Arc::clone(&wire)),
        POLICY,
        Faulty::new(Arc::clone(&ledger), Arc::clone(&wire)),
        &clock,
    );
    let engine = engine_with(Arc::clone(&store), POLICY, Arc::clone(&ledger), &clock);
    let approved = approve(plan(&engine).await, clock.now());
    assert!(until_death(&wire, wired.expire(&approved)).await.is_none());
    let case = engine.open_cases(None, 10).await.unwrap().remove(0).case;
    let foreign = engine
        .cancel(&case, &Authority::new("op", ["usual".into()]), "no".parse().unwrap())
        .await
        .unwrap_err();
    assert!(matches!(foreign, Error::Approval(ApprovalError::OtherTenant { .. })), "{foreign}");
    let before = dump_memory(&store);
    engine.cancel(&case, &Authority::new("op", everyone()), "a-wrong-rule".parse().unwrap()).await.unwrap();
    assert_eq!(dump_memory(&store), before);
    let entry = acts(&*ledger).await.remove(0);
    let Closing::Expired(result) = &entry.closed().unwrap().closing else { panic!("{entry:?}") };
    let Some(EndedEarly::Cancelled { operator, reason }) = &result.ended_early else { panic!("{result:?}") };
    assert_eq!((operator.get(), reason.as_str()), (Some(&"op".into()), "a-wrong-rule"));
    assert!(engine.open_cases(None, 10).await.unwrap().is_empty());
}

/// Of very many customers nothing may be due. The worker gives signs of life all the same, and a resume does not begin anew.
#[tokio::test]
async fn an_expiry_in_which_nothing_is_due_is_recorded_part_by_part() {
    let clock = clock("2026-06-30");
    let store = memory(&old_and_new());
    for id in 1_000..1_100 {
        store.repository().insert(Customer::new(id.to_string(), "usual"), Vec::new());
    }
    let store = Arc::new(store);
    let ledger = Arc::new(MemoryLedger::new());
    let calm = engine_with(Arc::clone(&store), POLICY, Arc::clone(&ledger), &clock);
    let approved = approve(plan(&calm).await, clock.now());
    expire(&calm, &clock).await;
    let mut places = BTreeSet::new();
    for at in (0..600).step_by(20) {
        let wire = Tripwire::at(at);
        let engine = engine_with(
            Faulty::new(Arc::clone(&store), Arc::clone(&wire)),
            POLICY,
            Faulty::new(Arc::clone(&ledger), Arc::clone(&wire)),
            &clock,
        );
        if until_death(&wire, engine.expire(&approved)).await.is_some() {
            break;
        }
        for open in ledger.list(None, 10).await.unwrap() {
            let progress = open.saved.progress().unwrap();
            places.extend(
                progress.step(&Step::Expire).unwrap().expired.place.iter().map(|place| format!("{place:?}")),
            );
            let case = open.saved.new.id;
            calm.cancel(&case, &Authority::new("op", everyone()), "the-next".parse().unwrap()).await.unwrap();
        }
    }
    assert!(!places.is_empty(), "whatever was looked at would be looked at again");
}

/// A host with a scheduler takes an expiry part by part.
#[tokio::test]
async fn an_expiry_is_taken_part_by_part() {
    let clock = clock("2026-06-30");
    let (one, other) = (Arc::new(memory(&old_and_new())), Arc::new(memory(&old_and_new())));
    expire(&engine_with(Arc::clone(&one), POLICY, MemoryLedger::new(), &clock), &clock).await;
    let ledger = Arc::new(MemoryLedger::new());
    let engine = engine_with(Arc::clone(&other), POLICY, Arc::clone(&ledger), &clock);
    let approved = approve(plan(&engine).await, clock.now());
    let wire = Tripwire::at(8);
    let wired =
        engine_with(Faulty::new(Arc::clone(&other), Arc::clone(&wire)), POLICY, Arc::clone(&ledger), &clock);
    assert!(until_death(&wire, wired.expire(&approved)).await.is_none());
    let case = engine.open_cases(None, 10).await.unwrap().remove(0).case;
    let mut turns = 0;
    let outcome = loop {
        turns += 1;
        match engine.advance(&case).await.unwrap() {
            Advance::Again => assert!(turns < 50, "it never ends"),
            Advance::NotBefore(at) => panic!("it waits until {at}"),
            Advance::Ended(outcome) => break outcome,
        }
    };
    assert!(turns > 2, "{turns}");
    assert!(hosts::expired(outcome).ended_early.is_none());
    assert_eq!(dump_memory(&other), dump_memory(&one));
}

/// A hold that is placed between the look and the act stops the act.
#[tokio::test]
async fn who_is_held_meanwhile_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let store = Arc::new(sqlite(&path, &rows(&[(0, 1, "2020-01-01"), (1, 1, "2020-01-01")])));
    let clock = clock("2026-06-30");
    let engine = engine_with(Arc::clone(&store), POLICY, MemoryLedger::new(), &clock);
    let approved = approve(plan(&engine).await, clock.now());
    let before = dump_sqlite(&path);
    let hold = {
        let path = path.clone();
        async move {
            let database = Connection::open(path).unwrap();
            database.execute("UPDATE customers SET held = '[\"authority_order\"]' WHERE id = 1", []).unwrap();
        }
    };
    // Facts of the first page, its counts, and then the erasure: the hold comes right before that.
    let wire = Tripwire::meanwhile(4, hold);
    let wired = engine_with(Faulty::new(Arc::clone(&store), wire), POLICY, MemoryLedger::new(), &clock);
    let expired = hosts::expired(wired.expire(&approved).await.unwrap());
    assert_eq!(expired.of[&RecordsOf::Tenant("usual".into())].changed, 1, "{expired}");
    let after = dump_sqlite(&path);
    assert_eq!(after.get(&("call", 0)), before.get(&("call", 0)));
    assert_eq!(after.get(&("call", 1)), None, "the neighbour's has expired all the same");
}

/// A policy in which comments, and the replies that hang from them, go with their owner.
const LEFT_BEHIND: &str = r#"
version = 1
sweep = true
[triggers]
requested = { treatment = "clear" }
[guards]
active_subscription = { ignore = "x" }
several_tenants = { ignore = "x" }
not_archived = { ignore = "x" }
[anonymise]
name = "remove"
free_text = "clear"
[treatments.clear]
customer = "anonymise"
comment = "delete"
reply = "delete"
receipt = "anonymise"
note = "delete"
[duties.bookkeeping]
needs = []
classes = ["receipt"]
statute = "SE/BFL/7:2"
from = "booked_on"
[expire]
comment = { ownerless = "gone", action = "delete" }
reply = { ownerless = "gone", action = "delete" }
receipt = { ownerless = "gone or none", action = "anonymise" }
note = { ownerless = "gone", action = "delete" }
"#;

const LEFT_BEHIND_SCHEMA: &str = "
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, is_unknown INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE comments (id INTEGER PRIMARY KEY, customer_id INTEGER, text TEXT);
    CREATE TABLE replies (id INTEGER PRIMARY KEY, comment_id INTEGER REFERENCES comments, text TEXT);
    CREATE TABLE receipts (id INTEGER PRIMARY KEY, customer_id INTEGER, name TEXT NOT NULL, booked_on TEXT);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, about_type TEXT, about_id INTEGER, text TEXT);";

const LEFT_BEHIND_MAP: &str = r#"
version = 1
ignore.notes = { rest = "about goods" }
[customers]
table = "customers"
key = "id"
tenant = { is = "here" }
deactivate = { none = "there is no such status" }
unknown_customer = { find = { is_unknown = 1 } }
fields = { name = "name", is_unknown = "not personal" }
[records.comment]
table = "comments"
key = "id"
owner = "customer_id"
nobody = { none = "of visitors" }
fields = { text = "free_text" }
[records.reply]
table = "replies"
key = "id"
owner = ["comment_id", "customer_id"]
nobody = { none = "to visitors" }
fields = { text = "free_text" }
[records.receipt]
table = "receipts"
key = "id"
owner = "customer_id"
fields = { name = "name", booked_on = "not personal" }
[records.note]
table = "notes"
key = "id"
owner = { column = "about_id", when = { about_type = "customer" } }
fields = { text = "free_text" }
"#;

fn left_behind(
    path: &Path,
    rows: &str,
    policy: &str,
    clock: &Arc<ManualClock>,
) -> (Engine, Arc<MemoryLedger>) {
    let database = Connection::open(path).unwrap();
    // Only where nobody holds the links is anything left behind.
    database.execute_batch("PRAGMA foreign_keys = off").unwrap();
    database.execute_batch(LEFT_BEHIND_SCHEMA).unwrap();
    database
        .execute_batch(
            "INSERT INTO customers VALUES (1, 'Maud', 0), (2, 'Edda', 0), (9, 'Unknown Customer', 1)",
        )
        .unwrap();
    database.execute_batch(rows).unwrap();
    let map = SqlMap::from_toml(&trusting_triggers(LEFT_BEHIND_MAP, rows)).unwrap();
    let store = Arc::new(SqliteStore::open(path, &map).unwrap());
    let ledger = Arc::new(MemoryLedger::new());
    let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
    let policy = PolicyDocument::from_toml(policy).unwrap();
    let engine = Engine::builder(Arc::clone(&store), policy, Arc::clone(&ledger), keys)
        .ownerless(store)
        .clock(Arc::clone(clock))
        .entropy(RepeatableEntropy::new(1))
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"));
    (engine, ledger)
}

async fn expire_ownerless(engine: &Engine, clock: &ManualClock) -> Expired {
    let plan = match engine.plan_ownerless().await.unwrap() {
        PlannedExpiry::Plan(plan) => *plan,
        PlannedExpiry::Nothing(why) => panic!("{why}"),
    };
    hosts::expired(engine.expire(&approve(plan, clock.now())).await.unwrap())
}

fn ids(path: &Path, table: &str) -> Vec<i64> {
    let database = Connection::open(path).unwrap();
    let mut statement = database.prepare(&format!("SELECT id FROM {table} ORDER BY id")).unwrap();
    let ids = statement.query_map([], |row| row.get(0)).unwrap();
    ids.map(Result::unwrap).collect()
}

/// What a hard-deleted customer left behind is found by the links that lead nowhere; what is somebody's stays, and so
/// does what was never a customer's.
#[tokio::test]
async fn what_a_deleted_customer_left_behind_goes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let clock = clock("2026-06-30");
    let (engine, ledger) = left_behind(
        &path,
        "INSERT INTO comments VALUES (1, 1, 'x'), (2, 77, 'left behind'), (3, NULL, 'a guest'), (4, 9, 'handed over');
         INSERT INTO replies VALUES (1, 1, 'x'), (2, 2, 'to what was left behind'), (3, 55, 'to nothing'),
            (4, 3, 'to a guest'), (5, NULL, 'to nobody knows what');
         INSERT INTO receipts VALUES (1, 2, 'Edda', '2015-01-01'), (2, 77, 'Gone', '2015-01-01'),
            (3, 77, 'Kept', '2020-01-01'), (4, NULL, 'Guest', '2015-01-01'), (5, 77, 'Undated', NULL);
         INSERT INTO notes VALUES (1, 'customer', 1, 'x'), (2, 'customer', 77, 'left behind'), (3, 'staff', 77, 'not ours'),
            (4, 'staff', 1, 'not ours')",
        LEFT_BEHIND,
        &clock,
    );
    let expired = expire_ownerless(&engine, &clock).await;
    assert!(expired.is_complete(), "{expired}");
    assert_eq!(ids(&path, "comments"), [1, 3, 4]);
    // 4 hangs from a guest's comment, which names nobody: no one is gone.
    assert_eq!(ids(&path, "replies"), [1, 4, 5]);
    assert_eq!(ids(&path, "notes"), [1, 3, 4]);
    let names: Vec<String> = {
        let database = Connection::open(&path).unwrap();
        let mut statement = database.prepare("SELECT name FROM receipts ORDER BY id").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!((names[0].as_str(), names[2].as_str(), names[4].as_str()), ("Edda", "Kept", "Undated"));
    assert!(names[1].starts_with("Anonymised") && names[3].starts_with("Anonymised"), "{names:?}");
    let of = &expired.of[&RecordsOf::Nobody];
    let counts: Vec<u64> = ["comment", "reply", "receipt", "note"].map(|class| of.records[class]).to_vec();
    assert_eq!(counts, [1, 2, 2, 1]);
    let again = expire_ownerless(&engine, &clock).await;
    assert_eq!(again.of[&RecordsOf::Nobody].records["comment"], 0, "{again}");
    assert_eq!(acts(&*ledger).await.len(), 2, "what came of each");
}

/// A hold outlives the row of the customer. What the customer left behind has no owner then, and once expired all the same.
#[tokio::test]
async fn what_a_held_customer_left_behind_stays_until_the_hold_is_lifted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let clock = clock("2026-06-30");
    let rows = "INSERT INTO comments VALUES (1, 1, 'x'), (2, 77, 'left behind')";
    let (engine, _) = left_behind(&path, rows, LEFT_BEHIND, &clock);
    let by = Authority::new("operator-7", [engine.customer(&"1".into()).await.unwrap().tenant]);
    let hold =
        |customer: &str| NewHold::on_customer(customer, HoldGround::LegalClaim, "claim-1".parse().unwrap());
    let gone = engine.place_hold(&hold("1"), &by).await.unwrap();
    let there = engine.place_hold(&hold("2"), &by).await.unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch("PRAGMA foreign_keys = off; DELETE FROM customers WHERE id = 1")
        .unwrap();
    let PlannedExpiry::Plan(plan) = engine.plan_ownerless().await.unwrap() else { panic!("there is a plan") };
    let outcome = engine.expire(&approve(*plan, clock.now())).await.unwrap();
    assert!(matches!(&outcome, Outcome::Held { holds, .. } if *holds == [gone.id.clone()]), "{outcome}");
    assert_eq!(ids(&path, "comments"), [1, 2]);
    engine.lift_hold(&gone.id, &by).await.unwrap();
    let outcomes = engine.resume().await.unwrap();
    assert!(matches!(outcomes[0].outcome, Outcome::Expired(_)), "{:?}", outcomes[0].outcome);
    assert!(
        ids(&path, "comments").is_empty(),
        "a hold on somebody who is there keeps nothing of others: {}",
        there.id
    );
}

/// However many there are, each transaction takes a bounded part, and rows that others point at wait for those.
#[tokio::test]
async fn many_records_without_an_owner_go_part_by_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let clock = clock("2026-06-30");
    let (engine, _) = left_behind(
        &path,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10050)
         INSERT INTO comments SELECT i, 77, 'x' FROM n;
         INSERT INTO replies SELECT id, id, 'x' FROM comments UNION ALL SELECT id + 100000, id, 'x' FROM comments;
         INSERT INTO receipts SELECT id, 77, 'Gone', '2015-01-01' FROM comments;
         INSERT INTO comments VALUES (20000, 1, 'stays'); INSERT INTO replies VALUES (20000, 20000, 'stays')",
        LEFT_BEHIND,
        &clock,
    );
    let expired = expire_ownerless(&engine, &clock).await;
    assert!(expired.is_complete(), "{expired}");
    let of = &expired.of[&RecordsOf::Nobody];
    assert_eq!((of.records["comment"], of.records["reply"], of.records["receipt"]), (10_050, 20_100, 10_050));
    assert_eq!((ids(&path, "comments"), ids(&path, "replies")), (vec![20_000], vec![20_000]));
}

/// Whose tenant's it was nobody can say: every tenant has to want it, and every tenant's duties keep it.
#[tokio::test]
async fn a_record_without_an_owner_may_be_any_tenants() {
    let rows = "INSERT INTO receipts VALUES (1, 77, 'Gone', '2015-01-01')";
    let name = |path: &Path| -> String {
        let database = Connection::open(path).unwrap();
        database.query_row("SELECT name FROM receipts", [], |row| row.get(0)).unwrap()
    };
    let clock = clock("2026-06-30");
    let folder = tempfile::tempdir().unwrap();
    // A tenant keeps longer, by a duty of its own.
    let longer = format!(
        "{LEFT_BEHIND}\n[tenants.careful.duties.claims]\nneeds = []\nclasses = [\"receipt\"]\nperiod = \"15 years\"\n\
         start = \"record_date\"\nlaw = \"a limitation period\"\nground = \"17(3)(e)\"\nfrom = \"booked_on\"\n"
    );
    let path = folder.path().join("longer.sqlite");
    let (engine, _) = left_behind(&path, rows, &longer, &clock);
    let everyone = [TenantId::from("careful")];
    let PlannedExpiry::Plan(plan) = engine.plan_ownerless().await.unwrap() else { panic!("there is a plan") };
    assert_eq!(plan.due(), 0, "{plan}");
    // Somebody of another tenant cannot say yes for this one.
    let now = clock.now();
    let approval = |tenants: &[TenantId]| {
        Approval::new("operator-7", tenants.to_vec(), plan.digest(), now, TimeDelta::hours(1))
    };
    let refused = plan.clone().approve(approval(&["here".into()]));
    assert!(matches!(refused.unwrap_err().why, ApprovalError::OtherTenant { .. }));
    engine.expire(&plan.clone().approve(approval(&everyone)).unwrap()).await.unwrap();
    assert_eq!(name(&path), "Gone");
    clock.turn(TimeDelta::days(4 * 366));
    let now = clock.now();
    let PlannedExpiry::Plan(plan) = engine.plan_ownerless().await.unwrap() else { panic!("there is a plan") };
    let approval = Approval::new("operator-7", everyone, plan.digest(), now, TimeDelta::hours(1));
    engine.expire(&plan.approve(approval).unwrap()).await.unwrap();
    assert!(name(&path).starts_with("Anonymised"));

    // A tenant that is switched off switches it off for all.
    let off = format!("{LEFT_BEHIND}\n[tenants.careful]\nsweep = false\n");
    let (engine, _) = left_behind(&folder.path().join("off.sqlite"), rows, &off, &clock);
    let planned = engine.plan_ownerless().await.unwrap();
    assert!(matches!(planned, PlannedExpiry::Nothing(NothingExpires::SweepOff)), "{planned:?}");
}

/// What is impossible is said before anything runs, each with its path and a way out.
#[test]
fn every_rule_that_cannot_hold_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder.path().join("shop.sqlite"), &[]);
    let map = relinquish::RecordStore::data_map(&store);
    let refused = |expire: &str| {
        let (head, _) = POLICY.split_once("[expire]").unwrap();
        let text = format!("{head}[expire]\n{expire}");
        let checked = PolicyDocument::from_toml(&text).and_then(|policy| policy.check(map));
        checked.map(drop).expect_err(expire).to_string()
    };
    for (expire, says) in [
        ("call = 'delete'", "expire.call: does not say when its records expire"),
        ("call = { action = 'delete' }", "expire.call: does not say when its records expire"),
        ("call = { from = 'made_on', action = 'delete' }", "expire.call.after: is missing"),
        ("call = { after = '1 year', action = 'delete' }", "expire.call.from: is missing"),
        ("call = { from = 'made_on', after = '1 year' }", "expire.call.action: is missing"),
        ("call = { from = 'made_on', after = '1 yr', action = 'delete' }", "expire.call.after: is no period"),
        ("call = { from = 'made_on', after = '0 days', action = 'delete' }", "expire.call.after: is no age"),
        (
            "call = { from = 'made', after = '1 year', action = 'delete' }",
            "expire.call.from: call has no field made",
        ),
        ("call = { from = 'made', after = '1 year', action = 'delete' }", "; there is: number, made_on"),
        (
            "call = { after = 'duty', action = 'delete' }",
            "expire.call.after: has no duty whose end it could wait for",
        ),
        (
            "invoice = { after = 'duty', from = 'booked_on', action = 'anonymise' }",
            "expire.invoice.from: is said by the duties",
        ),
        (
            "call = { from = 'made_on', after = '1 year', action = 'reassign' }",
            "expire.call.action: hands records over",
        ),
        (
            "call = { from = 'made_on', after = '1 year', action = 'delete', smallest_group = 3 }",
            "expire.call.smallest_group: ",
        ),
        (
            "cal = { from = 'made_on', after = '1 year', action = 'delete' }",
            "expire.cal: is no record class of the data map; did you mean call?",
        ),
        (
            "customer = { from = 'made_on', after = '1 year', action = 'delete' }",
            "expire.customer: is the customers' own record",
        ),
        (
            "call = { ownerless = 'yes', action = 'delete' }",
            "expire.call.ownerless: does not say which records have no owner",
        ),
        (
            "order = { from = 'placed_on', after = '3 years', action = 'delete' }",
            "expire.order: cannot be deleted: line.order_id leads to it and stays (keep)",
        ),
        (
            "order = { ownerless = 'gone', action = 'delete' }\nline = { ownerless = 'gone or none', action = 'delete' }",
            "expire.line.ownerless: ",
        ),
        (
            "call = { from = 'made_on', after = '1 year', action = 'anonymise' }",
            "expire.call.number: holds personal data of kind communication, which nothing covers",
        ),
        (
            "invoice = { from = 'booked_on', after = '9 years', action = 'anonymise', fields = { booked_on = 'clear' } }",
            "expire.invoice.booked_on: would be written over",
        ),
        (
            "line = { ownerless = 'gone', action = 'anonymise', fields = { text = 'redact' } }",
            "expire.line.text: cannot be searched when it expires",
        ),
        (
            "call = { ownerless = 'gone', action = 'delete' }\n[tenants.other]\nexpire.call = 'off'",
            "tenants.other.expire.call: says something else of records without an owner",
        ),
    ] {
        let found = refused(expire);
        assert!(found.contains(says), "{expire}\n{says}\nis missing in\n{found}");
    }
    // Who may be mentioned in a text is not known any more: of one who was anonymised long ago nothing was found, and it was
    // said that the record had expired.
    let redacts = "order = { from = 'placed_on', after = '3 years', action = 'anonymise', fields = { note = 'redact' } }";
    assert!(
        refused(redacts).contains("expire.order.note: cannot be searched when it expires"),
        "{}",
        refused(redacts)
    );
    // Everything at once, and nothing twice.
    let found = refused(
        "call = { from = 'made_on', after = '1 year', ownerless = 'gone', action = 'anonymise' }\n\
         customer = { from = 'x', after = '1 year', action = 'delete' }",
    );
    assert_eq!(found.matches("expire.call.number: holds").count(), 1, "{found}");
    assert!(found.contains("expire.customer: "), "{found}");
}

/// A record that another one needs which has not expired stays, anonymised, until nothing needs it.
#[tokio::test]
async fn what_a_younger_record_needs_stays_until_that_has_expired() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let schema = SCHEMA.replace("text TEXT);", "text TEXT, shipped_on TEXT);");
    let database = Connection::open(&path).unwrap();
    database.execute_batch(&schema).unwrap();
    database
        .execute_batch(
            "INSERT INTO customers VALUES (1, 'usual', 'Maud', NULL, 0);
             INSERT INTO orders VALUES (1, 1, 'for Maud', '2020-01-01'), (2, 1, 'for Maud', '2020-01-01');
             INSERT INTO lines VALUES (1, 1, 'x', '2024-06-01'), (2, 2, 'x', '2020-01-01')",
        )
        .unwrap();
    bystanders(&database);
    let map = MAP.replace(
        "fields = { text = \"free_text\" }",
        "fields = { text = \"free_text\", shipped_on = \"not personal\" }",
    );
    let policy = POLICY.replace(
        "line = { from = \"placed_on\", after = \"3 years\"",
        "line = { from = \"shipped_on\", after = \"3 years\"",
    );
    let store = SqliteStore::open(&path, &SqlMap::from_toml(&map).unwrap()).unwrap();
    let clock = clock("2026-06-30");
    let engine = engine_with(store, &policy, MemoryLedger::new(), &clock);
    let planned = plan(&engine).await;
    assert_eq!(planned.expiring()[&RecordsOf::Tenant("usual".into())].classes["order"].needed, 1);
    let says = "2 rows, 2 expired, 2 to do, 1 anonymised until nothing needs them";
    assert!(planned.to_string().contains(says), "{planned}");
    assert!(!planned.to_string().contains("0 anonymised"), "{planned}");
    expire(&engine, &clock).await;
    let note = |id: i64| -> Option<Option<String>> {
        database.query_row("SELECT note FROM orders WHERE id = ?1", [id], |row| row.get(0)).ok()
    };
    assert_eq!((note(1), note(2)), (Some(None), None), "emptied while a line needs it, and gone");
    assert_eq!(ids(&path, "lines"), [1]);
    let again = expire(&engine, &clock).await;
    assert_eq!(hosts::touched(&again), 0, "{again}");
    clock.turn(TimeDelta::days(400));
    expire(&engine, &clock).await;
    assert_eq!((note(1), ids(&path, "lines").len()), (None, 0), "the line has expired, and nothing needs it");
}

/// Documents beside the database expire by the day on which they were written.
#[cfg(all(feature = "object-store", feature = "pdf"))]
#[tokio::test]
async fn documents_in_an_object_store_expire_too() {
    use relinquish::store::documents::WithDocuments;
    use relinquish::store::documents::object_store::memory::InMemory;
    use relinquish::store::documents::object_store::{Error, ObjectStoreExt as _};

    let folder = tempfile::tempdir().unwrap();
    let objects = Arc::new(InMemory::new());
    for customer in [1, 4] {
        objects.put(&format!("letters/{customer}/a.txt").into(), "Dear Maud".into()).await.unwrap();
    }
    let store = WithDocuments::new(sqlite(&folder.path().join("shop.sqlite"), &[]))
        .documents("letter", Arc::clone(&objects) as _, "letters/{customer}")
        .unwrap();
    let policy = POLICY.replace("[treatments.clear]", "[treatments.clear]\nletter = \"delete\"").replace(
        "[expire]",
        "[expire]\nletter = { from = \"written\", after = \"2 years\", action = \"delete\" }",
    );
    let there = async |customer: i64| match objects.head(&format!("letters/{customer}/a.txt").into()).await {
        Err(Error::NotFound { .. }) => false,
        found => found.map(|_| true).unwrap(),
    };
    // The documents are as old as this test.
    let clock = Arc::new(ManualClock::at(Utc::now() + TimeDelta::days(700)));
    let engine = engine_with(store, &policy, MemoryLedger::new(), &clock);
    let expired = expire(&engine, &clock).await;
    assert!(expired.of.values().all(|of| of.records.values().all(|count| *count == 0)), "{expired}");
    assert!(there(1).await && there(4).await);
    clock.turn(TimeDelta::days(60));
    let expired = expire(&engine, &clock).await;
    assert_eq!(expired.of[&RecordsOf::Tenant("usual".into())].records["letter"], 1, "{expired}");
    assert!(!there(1).await && there(4).await, "a hold keeps the other customer's letter");
}

/// What the ledger says does not depend on what was in the fields: a name that was empty already counts as one that was
/// not.
#[tokio::test]
async fn the_ledger_does_not_tell_which_fields_were_empty() {
    let mut told = Vec::new();
    for name in ["'Maud'", "NULL"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.sqlite");
        let of_two = rows(&[(0, 3, "2015-01-01"), (4, 3, "2015-01-01"), (0, 1, "2015-01-01")]);
        let store = sqlite(&path, &of_two);
        let sql = format!("UPDATE invoices SET name = {name} WHERE id = 0");
        Connection::open(&path).unwrap().execute(&sql, []).unwrap();
        let clock = clock("2026-06-30");
        let ledger = Arc::new(MemoryLedger::new());
        let engine = engine_with(store, POLICY, Arc::clone(&ledger), &clock);
        expire(&engine, &clock).await;
        let entry = acts(&*ledger).await.remove(0);
        // The ids of the two cases are random, and so are their salts.
        told.push(format!("{:?}", entry.closed().unwrap().closing));
    }
    assert_eq!(told[0], told[1]);
    assert!(told[0].contains("invoice"), "{}", told[0]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A duty more, or a longer age, never lets more expire.
    #[test]
    fn a_duty_more_or_a_longer_age_never_lets_more_expire(
        days in 0..4_000_i64, months in 1..60_u32, longer in 0..60_u32, years in 0..12_u32,
    ) {
        let store = memory(&[]);
        let map = relinquish::RecordStore::data_map(&store);
        let now: DateTime<Utc> = "2026-06-30T12:00:00Z".parse().unwrap();
        let made = (now - TimeDelta::days(days)).date_naive().to_string();
        let record = Record::new("call", "1").with("id", 1).with("customer_id", 1).with("made_on", made.as_str());
        let expires = |months: u32, duty: &str| {
            let text = format!(
                "{}{duty}[expire]\ncall = {{ from = 'made_on', after = '{months} months', action = 'delete' }}",
                POLICY.split_once("[expire]").unwrap().0
            );
            let policy = PolicyDocument::from_toml(&text).unwrap().check(map).unwrap();
            let treatment = policy.everyone().expiry_at(now).unwrap();
            treatment.standings(std::slice::from_ref(&record), map)[0] == Standing::Free
        };
        let duty = format!(
            "[duties.calls]\nneeds = []\nclasses = ['call']\nperiod = '{years} years'\nstart = 'record_date'\nlaw = 'a law'\n\
             ground = '17(3)(b)'\nfrom = 'made_on'\n"
        );
        let plain = expires(months, "");
        prop_assert!(plain || !expires(months + longer, ""));
        prop_assert!(plain || !expires(months, &duty));
        let kept_until = (now - TimeDelta::days(days)).date_naive().checked_add_months(Months::new(12 * years)).unwrap();
        prop_assert_eq!(expires(months, &duty), plain && kept_until < now.date_naive());
    }
}

/// What a store says it did is not believed: it is read back, and what is not done is said, and left to the next run.
#[tokio::test]
async fn a_store_that_lies_about_what_expired_is_found_out() {
    for lie in [Lie::SaysDone, Lie::More, Lie::NoAnswer, Lie::Fails] {
        let store = Arc::new(memory(&rows(&[(0, 1, "2020-01-01")])));
        let clock = clock("2026-06-30");
        let ledger = Arc::new(MemoryLedger::new());
        let engine = engine_with(Liar::new(store.clone(), lie), POLICY, Arc::clone(&ledger), &clock);
        let approved = approve(plan(&engine).await, clock.now());
        let outcome = engine.expire(&approved).await.unwrap();
        let says = match lie {
            Lie::SaysDone => "are there still",
            Lie::NoAnswer => "it was not tried",
            Lie::Fails => "the disk is on fire",
            _ => {
                assert!(matches!(outcome, Outcome::Waiting { .. }), "{outcome}");
                assert!(acts(&*ledger).await.is_empty(), "it is open, and no end of it is told");
                let honest = engine_with(store, POLICY, Arc::clone(&ledger), &clock);
                let resumed = honest.resume().await.unwrap().remove(0).outcome;
                let expired = hosts::expired(resumed);
                assert!(
                    expired.is_complete() && !expired.exact,
                    "what the liar did nobody can count: {expired}"
                );
                continue;
            }
        };
        let expired = hosts::expired(outcome);
        assert!(!expired.is_complete(), "{lie:?}: {expired}");
        let of = &expired.of[&RecordsOf::Tenant("usual".into())];
        assert_eq!(of.customers, 0, "{lie:?}");
        assert!(of.failed.keys().any(|why| why.contains(says)), "{lie:?}: {expired}");
        let honest = engine_with(store, POLICY, Arc::clone(&ledger), &clock);
        assert!(hosts::expired(honest.expire(&approved).await.unwrap()).is_complete());
    }
}

/// A gateway that answers for some profiles: one payment is disputed, and of another it says nothing.
#[derive(Debug)]
struct Silent {
    inner: MemoryGateway,
}

#[async_trait]
impl PaymentGatewayEraser for Silent {
    fn gateway(&self) -> &GatewayName {
        self.inner.gateway()
    }

    fn longest_call(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }

    async fn account(&self) -> Result<Option<AccountId>, GatewayError> {
        self.inner.account().await
    }

    async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError> {
        if profile.as_str() == "silent" {
            let gateway = self.gateway().clone();
            return Err(GatewayError::Refused { gateway, what: "the key is of no use".to_owned() });
        }
        self.inner.state(profile).await
    }

    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError> {
        self.inner.erase(erasure).await
    }

    async fn poll(&self, receipt: &Receipt) -> Result<GatewayAnswer, GatewayError> {
        self.inner.poll(receipt).await
    }
}

/// Where the policy has disputes block, the gateway is asked about those of whom something has expired; of whom it says
/// nothing, nothing is touched, and the others' records go.
#[tokio::test]
async fn a_dispute_at_the_gateway_holds_back_and_its_silence_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let schema = SCHEMA.replace("held TEXT,", "held TEXT, stripe TEXT,");
    let database = Connection::open(&path).unwrap();
    database.execute_batch(&schema).unwrap();
    for (id, profile) in [(1, "clear"), (2, "disputed"), (3, "silent")] {
        let sql = "INSERT INTO customers (id, tenant, name, stripe) VALUES (?1, 'usual', 'Maud', ?2)";
        database.execute(sql, (id, profile)).unwrap();
        database.execute("INSERT INTO calls VALUES (?1, ?1, '+44', '2020-01-01')", [id]).unwrap();
    }
    bystanders(&database);
    let map = MAP.replace("holds = \"held\"", "holds = \"held\"\ngateways.stripe = \"stripe\"");
    let policy = POLICY
        .replace("[treatments.clear]", "[treatments.clear]\ngateway.stripe = \"erase\"")
        .replace("[anonymise]", "open_dispute = \"block\"\n[anonymise]\npayment_profile = \"remove\"");
    let store = SqliteStore::open(&path, &SqlMap::from_toml(&map).unwrap()).unwrap();
    let inner = MemoryGateway::new("stripe");
    inner.insert("clear", Some("1".into()), 0);
    let mut disputed = ProfileFacts::new(Some("2".into()), 0);
    disputed.open_disputes = 1;
    inner.insert_facts("disputed", disputed);
    let clock = clock("2026-06-30");
    let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
    let engine =
        Engine::builder(store, PolicyDocument::from_toml(&policy).unwrap(), MemoryLedger::new(), keys)
            .gateway(Silent { inner })
            .clock(Arc::clone(&clock))
            .counted()
            .unwrap_or_else(|problems| panic!("{problems}"));
    let plan = plan(&engine).await;
    let text = plan.to_string();
    assert!(text.contains("1 customer held back: open_dispute"), "{text}");
    assert!(text.contains("1 customer not counted: ") && text.contains("the key is of no use"), "{text}");
    let expired = hosts::expired(engine.expire(&approve(plan, clock.now())).await.unwrap());
    assert!(!expired.is_complete(), "{expired}");
    assert_eq!(ids(&path, "calls"), [2, 3]);
}

/// A tenant without any customer is an error, so each has somebody of whom nothing expires.
fn bystanders(database: &Connection) {
    for (id, tenant) in (9_001..).zip(["usual", "patient", "asleep"]) {
        let sql = "INSERT INTO customers (id, tenant, name) SELECT ?1, ?2, 'Bystander'
                   WHERE NOT EXISTS (SELECT 1 FROM customers WHERE tenant = ?2)";
        database.execute(sql, (id, tenant)).unwrap();
    }
}

/// A shop of a test's own, with an engine over its file.
fn world(
    path: &Path,
    schema: &str,
    map: &str,
    policy: &str,
    clock: &Arc<ManualClock>,
) -> (Engine, Arc<MemoryLedger>) {
    let database = Connection::open(path).unwrap();
    database.execute_batch(schema).unwrap();
    if schema.contains("tenant TEXT") {
        bystanders(&database);
    }
    drop(database);
    let store = Arc::new(SqliteStore::open(path, &SqlMap::from_toml(map).unwrap()).unwrap());
    let ledger = Arc::new(MemoryLedger::new());
    let policy = PolicyDocument::from_toml(policy).unwrap();
    let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
    let engine = Engine::builder(Arc::clone(&store), policy, Arc::clone(&ledger), keys)
        .ownerless(store)
        .clock(Arc::clone(clock))
        .entropy(RepeatableEntropy::new(1))
        .batch(2)
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"));
    (engine, ledger)
}

async fn expire_of(engine: &Engine, clock: &ManualClock, tenants: &[&str]) -> Expired {
    let tenants: Vec<TenantId> = tenants.iter().map(|tenant| TenantId::from(*tenant)).collect();
    let PlannedExpiry::Plan(plan) = engine.plan_expiry(tenants.clone()).await.unwrap() else {
        panic!("there is a plan")
    };
    let now = clock.now();
    let approval = Approval::new("operator-7", tenants, plan.digest(), now, TimeDelta::hours(1));
    hosts::expired(engine.expire(&plan.approve(approval).unwrap()).await.unwrap())
}

/// An account that several tenants share expired under the rule of one of them, which the others had never said yes to.
#[tokio::test]
async fn who_is_connected_to_a_tenant_that_has_not_said_yes_is_held_back() {
    let map = MAP.replace("holds = \"held\"", "holds = \"held\"\ntenants = \"connected\"");
    let schema = format!(
        "{} INSERT INTO customers (id, tenant, name, connected) VALUES
           (1, 'usual', 'Maud', '[\"usual\",\"patient\"]'), (2, 'usual', 'Edda', '[\"usual\",\"asleep\"]'),
           (3, 'usual', 'Rose', '[\"usual\"]'), (4, 'usual', 'Will', 3);
         INSERT INTO calls VALUES (1, 1, 'x', '2020-12-31'), (2, 2, 'x', '2020-12-31'), (3, 3, 'x', '2020-12-31'),
           (4, 4, 'x', '2020-12-31')",
        SCHEMA.replace("held TEXT,", "held TEXT, connected,")
    );
    let clock = clock("2026-06-30");
    let blocks = POLICY.replace("several_tenants = { ignore = \"x\" }", "several_tenants = \"block\"");
    for (policy, tenants, stay) in [
        (POLICY, &["usual"][..], &[1, 2][..]),
        // Both have said yes; the third is asleep.
        (POLICY, &["usual", "patient"], &[2]),
        (&*blocks, &["usual", "patient"], &[1, 2, 4]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.sqlite");
        let (engine, _) = world(&path, &schema, &map, policy, &clock);
        let expired = expire_of(&engine, &clock, tenants).await;
        assert_eq!(ids(&path, "calls"), stay, "{tenants:?}: {expired}");
        let held = expired.of[&RecordsOf::Tenant("usual".into())].held["several_tenants"];
        assert_eq!(held, stay.len() as u64, "{tenants:?}: {expired}");
    }
}

/// Customers whose tenant cannot be read were passed over without a word.
#[tokio::test]
async fn whose_tenant_cannot_be_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let schema = format!(
        "{} INSERT INTO customers (id, tenant, name) VALUES (1, NULL, 'Maud'); INSERT INTO calls VALUES (1, 1, 'x', '2020-12-31')",
        SCHEMA.replace("tenant TEXT NOT NULL", "tenant TEXT")
    );
    let clock = clock("2026-06-30");
    let (engine, _) = world(&path, &schema, MAP, POLICY, &clock);
    let expired = expire_of(&engine, &clock, &["usual", "patient"]).await;
    assert!(!expired.is_complete(), "{expired}");
    assert!(plan(&engine).await.to_string().contains("1 customer held back: unreadable"));
}

/// A plan of a few records was good for all of them: when the customers' table was emptied, everything seemed left behind.
#[tokio::test]
async fn far_more_than_was_planned_is_not_erased() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock("2026-06-30");
    for (count, goes) in [(100, true), (101, false)] {
        let path = folder.path().join(format!("{count}.sqlite"));
        let rows = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
             INSERT INTO comments SELECT i, 1, 'x' FROM n"
        );
        let (engine, ledger) = left_behind(&path, &rows, LEFT_BEHIND, &clock);
        let PlannedExpiry::Plan(plan) = engine.plan_ownerless().await.unwrap() else { panic!("a plan") };
        assert_eq!(plan.due(), 0);
        let approved = approve(*plan, clock.now());
        Connection::open(&path).unwrap().execute_batch("DELETE FROM customers").unwrap();
        let expired = hosts::expired(engine.expire(&approved).await.unwrap());
        assert_eq!(ids(&path, "comments").is_empty(), goes, "{expired:?}");
        if !goes {
            assert_eq!(expired.ended_early, Some(EndedEarly::MoreThanPlanned { planned: 0, found: 101 }));
            assert!(!expired.is_complete() && expired.exact && expired.of.is_empty(), "{expired:?}");
            assert_eq!(acts(&*ledger).await.len(), 1, "the ledger says why");
        }
    }
    // The same for records that expire by their age: a clock may be wrong.
    let path = folder.path().join("by-age.sqlite");
    let schema = format!(
        "{SCHEMA} INSERT INTO customers (id, tenant, name) VALUES (1, 'usual', 'Maud');
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 101)
         INSERT INTO calls SELECT i, 1, 'x', '2025-07-15' FROM n"
    );
    let (engine, _) = world(&path, &schema, MAP, POLICY, &clock);
    let PlannedExpiry::Plan(plan) = engine.plan_expiry(everyone()).await.unwrap() else { panic!("a plan") };
    let now = clock.now();
    let approval = Approval::new("operator-7", everyone(), plan.digest(), now, TimeDelta::days(30));
    let approved = plan.approve(approval).unwrap();
    clock.turn(TimeDelta::days(29));
    let expired = hosts::expired(engine.expire(&approved).await.unwrap());
    assert_eq!(expired.ended_early, Some(EndedEarly::MoreThanPlanned { planned: 0, found: 101 }));
    assert_eq!(ids(&path, "calls").len(), 101);
}

/// A store that cannot count any more once it has erased.
#[derive(Debug)]
struct GoesBlind {
    inner: Arc<SqliteStore>,
    has_erased: AtomicBool,
}

#[async_trait]
impl OwnerlessRecords for GoesBlind {
    async fn count_ownerless(&self, request: &OwnerlessRequest) -> Result<Tally, StoreError> {
        if self.has_erased.load(Ordering::SeqCst) {
            return Err(StoreError::Busy { doing: "counting" });
        }
        self.inner.count_ownerless(request).await
    }

    async fn erase_ownerless(
        &self,
        request: &OwnerlessRequest,
        seed: &Seed,
        after: Option<&Cursor>,
    ) -> Result<OwnerlessErased, StoreError> {
        self.has_erased.store(true, Ordering::SeqCst);
        self.inner.erase_ownerless(request, seed, after).await
    }
}

/// What went was forgotten when nothing could be read back. The case waits, and its end counts what went before.
#[tokio::test]
async fn what_went_is_counted_even_if_nothing_can_be_read_back_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let clock = clock("2026-06-30");
    // Makes the file.
    drop(left_behind(&path, "INSERT INTO comments VALUES (1, 77, 'a'), (2, 77, 'b')", LEFT_BEHIND, &clock));
    let store = Arc::new(SqliteStore::open(&path, &SqlMap::from_toml(LEFT_BEHIND_MAP).unwrap()).unwrap());
    let ledger = Arc::new(MemoryLedger::new());
    let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
    let policy = PolicyDocument::from_toml(LEFT_BEHIND).unwrap();
    let blind = Arc::new(GoesBlind { inner: Arc::clone(&store), has_erased: AtomicBool::new(false) });
    let engine = Engine::builder(Arc::clone(&store), policy, Arc::clone(&ledger), keys)
        .ownerless(Arc::clone(&blind))
        .clock(Arc::clone(&clock))
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"));
    let PlannedExpiry::Plan(plan) = engine.plan_ownerless().await.unwrap() else { panic!("a plan") };
    let outcome = engine.expire(&approve(*plan, clock.now())).await.unwrap();
    assert!(matches!(outcome, Outcome::Waiting { .. }), "{outcome}");
    assert!(acts(&*ledger).await.is_empty());
    blind.has_erased.store(false, Ordering::SeqCst);
    let expired = hosts::expired(engine.resume().await.unwrap().remove(0).outcome);
    assert!(expired.is_complete() && expired.exact, "{expired}");
    assert_eq!(expired.of[&RecordsOf::Nobody].records["comment"], 2, "{expired}");
    let entry = acts(&*ledger).await.remove(0);
    let Closing::Expired(result) = &entry.closed().unwrap().closing else { panic!("{entry:?}") };
    assert_eq!(result.expired[0].records["comment"], 2, "{result:?}");
}

/// A duty with the name that an age has within the crate hid that the two differ, and a line that it kept went with its
/// order.
#[tokio::test]
async fn a_duty_is_no_age_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let policy = POLICY.replace(
        "[duties.bookkeeping]",
        "[duties.\"3 years after placed_on\"]\nneeds = []\nclasses = ['line']\nperiod = '10 years'\nstart = 'record_date'\nlaw = 'y'\n\
         ground = '17(3)(e)'\nfrom = 'placed_on'\n[duties.bookkeeping]",
    );
    let schema = format!(
        "{} INSERT INTO customers (id, tenant, name) VALUES (1, 'usual', 'Maud');
         INSERT INTO orders VALUES (1, 1, 'x', '2020-01-01'); INSERT INTO lines VALUES (1, 1, 'kept')",
        SCHEMA.replace(
            "order_id INTEGER NOT NULL REFERENCES orders",
            "order_id INTEGER NOT NULL REFERENCES orders ON DELETE CASCADE"
        )
    );
    let clock = clock("2026-06-30");
    let (engine, _) = world(&path, &schema, MAP, &policy, &clock);
    expire_of(&engine, &clock, &["usual"]).await;
    assert_eq!((ids(&path, "orders"), ids(&path, "lines")), (vec![1], vec![1]));
}

/// What comes out as it was is not counted as expired.
#[tokio::test]
async fn what_a_trigger_brings_back_is_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let schema = format!(
        "{SCHEMA} INSERT INTO customers (id, tenant, name) VALUES (1, 'usual', 'M'), (2, 'usual', 'B');
         INSERT INTO invoices VALUES (1, 1, 'Maud', '2010-01-01'), (2, 2, 'Bea', '2010-01-01');"
    );
    let clock = clock("2026-06-30");
    let trigger = "CREATE TRIGGER again AFTER UPDATE OF name ON invoices WHEN NEW.id = 1
             BEGIN UPDATE invoices SET name = OLD.name WHERE id = NEW.id; END;";
    let map = trusting_triggers(MAP, trigger);
    let (engine, _) = world(&path, &format!("{schema}{trigger}"), &map, POLICY, &clock);
    let expired = expire_of(&engine, &clock, &["usual"]).await;
    let of = &expired.of[&RecordsOf::Tenant("usual".into())];
    assert_eq!((of.records["invoice"], of.failed.values().sum::<u64>()), (1, 1), "{expired}");
}

/// One row that the database refuses stopped all the others, for ever.
#[tokio::test]
async fn one_row_without_an_owner_that_is_refused_stops_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let clock = clock("2026-06-30");
    let (engine, ledger) = left_behind(
        &path,
        "INSERT INTO comments VALUES (1, 77, 'a'), (2, 77, 'b'), (3, 77, 'c'), (4, 77, 'd');
         INSERT INTO receipts VALUES (2, 77, 'Gone', '2015-01-01');
         CREATE TRIGGER sealed BEFORE DELETE ON comments WHEN OLD.id = 2
             BEGIN SELECT RAISE(ABORT, 'sealed'); END;",
        LEFT_BEHIND,
        &clock,
    );
    let expired = expire_ownerless(&engine, &clock).await;
    assert_eq!(ids(&path, "comments"), [2], "{expired}");
    let of = &expired.of[&RecordsOf::Nobody];
    assert_eq!((of.records["comment"], of.records["receipt"]), (3, 1), "{expired}");
    assert!(
        of.failed.keys().any(|why| why.contains("refused: a trigger"))
            && of.failed.values().sum::<u64>() == 1,
        "{expired}"
    );
    assert_eq!(acts(&*ledger).await.len(), 1, "what came of it");
}

/// Rows that a trigger writes over again as often as they are emptied were taken up again without end.
#[tokio::test]
async fn rows_that_are_never_done_are_looked_at_once_a_round() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let clock = clock("2026-06-30");
    let (engine, _) = left_behind(
        &path,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
         INSERT INTO receipts SELECT i, 77, 'Gone', '2015-01-01' FROM n;
         CREATE TRIGGER again AFTER UPDATE OF name ON receipts WHEN NEW.name <> 'again'
             BEGIN UPDATE receipts SET name = 'again' WHERE id = NEW.id; END;",
        LEFT_BEHIND,
        &clock,
    );
    let expired = expire_ownerless(&engine, &clock).await;
    let of = &expired.of[&RecordsOf::Nobody];
    assert!(
        !expired.is_complete() && of.failed.keys().any(|why| why.contains("are there still")),
        "{expired}"
    );
    assert_eq!(of.records["receipt"], 0, "none of them is done");
}

/// A trigger that keeps a history would move the record instead: there it has to expire as well.
#[test]
fn what_a_trigger_copies_elsewhere_has_to_expire_there_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.sqlite");
    let history = format!(
        "{SCHEMA} CREATE TABLE history (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers, number TEXT, made_on TEXT);
         CREATE TRIGGER keeps AFTER DELETE ON calls
             BEGIN INSERT INTO history (customer_id, number) VALUES (OLD.customer_id, OLD.number); END;"
    );
    Connection::open(&path).unwrap().execute_batch(&history).unwrap();
    let map = format!(
        "{MAP}\n[records.history]\ntable = \"history\"\nkey = \"id\"\nowner = \"customer_id\"\n\
         fields = {{ number = \"communication\", made_on = \"not personal\" }}"
    );
    let store = SqliteStore::open(&path, &SqlMap::from_toml(&map).unwrap()).unwrap();
    let policy = POLICY.replace("call = \"delete\"", "call = \"delete\"\nhistory = \"delete\"");
    let check = |policy: &str| {
        PolicyDocument::from_toml(policy).unwrap().check(relinquish::RecordStore::data_map(&store))
    };
    let found = check(&policy).unwrap_err().to_string();
    assert!(found.contains("expire.call: goes, and a trigger writes to history as it goes"), "{found}");
    let both = "[expire]\nhistory = { from = \"made_on\", after = \"12 months\", action = \"delete\" }";
    check(&policy.replace("[expire]", both)).unwrap();
}

/// Records expire whoever they belong to: of one who is a customer still, too, whatever the policy says of erasing them.
#[tokio::test]
async fn what_expires_goes_while_its_customer_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let schema = format!(
        "{} INSERT INTO customers (id, tenant, name, state, plans) VALUES (1, 'usual', 'Maud', 'active', 1);
         INSERT INTO calls VALUES (1, 1, 'x', '2020-12-31'), (2, 1, 'x', '2026-06-01')",
        SCHEMA.replace("held TEXT,", "held TEXT, state TEXT, plans INTEGER,")
    );
    let map = MAP.replace("holds = \"held\"", "holds = \"held\"\nactive_subscriptions = \"plans\"\nstatus = { column = \"state\", active = \"active\", archived = \"archived\" }")
        .replace("deactivate = { none = \"there is no such status\" }", "deactivate = { state = \"archived\" }");
    let policy = POLICY
        .replace("active_subscription = { ignore = \"x\" }", "active_subscription = \"block\"")
        .replace("not_archived = { ignore = \"x\" }", "not_archived = \"block\"");
    let clock = clock("2026-06-30");
    let (engine, _) = world(&path, &schema, &map, &policy, &clock);
    let expired = expire_of(&engine, &clock, &["usual"]).await;
    assert!(expired.is_complete(), "{expired}");
    assert_eq!(ids(&path, "calls"), [2]);
}

/// A record without an owner may be of a tenant who counts days in another zone: there it was made a day later, and that
/// tenant's duty keeps it a day longer.
#[tokio::test]
async fn a_duty_of_any_tenant_counts_by_that_tenants_days() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let (before, after) = LEFT_BEHIND.split_once("[duties.bookkeeping]").unwrap();
    let (_, after) = after.split_once("[expire]").unwrap();
    let policy = format!(
        "{before}[expire]{after}\n[tenants.ahead]\ntime_zone = 'Pacific/Kiritimati'\n[tenants.ahead.duties.brief]\n\
         classes = ['receipt']\nperiod = '1 day'\nstart = 'record_date'\nlaw = 'y'\nground = '17(3)(e)'\nfrom = 'booked_on'\n"
    );
    let clock = clock("2026-06-30");
    let rows = "INSERT INTO receipts VALUES (1, 77, 'Kept', '2026-06-29T11:00:00Z'), (2, 77, 'Gone', '2026-06-29T09:00:00Z')";
    let (engine, _) = left_behind(&path, rows, &policy, &clock);
    let PlannedExpiry::Plan(plan) = engine.plan_ownerless().await.unwrap() else { panic!("there is a plan") };
    let now = clock.now();
    let approval = Approval::new("op", [TenantId::from("ahead")], plan.digest(), now, TimeDelta::hours(1));
    engine.expire(&plan.approve(approval).unwrap()).await.unwrap();
    let database = Connection::open(&path).unwrap();
    let name = |id: i64| -> String {
        database.query_row("SELECT name FROM receipts WHERE id = ?1", [id], |row| row.get(0)).unwrap()
    };
    assert_eq!(name(1), "Kept", "in Kiritimati it is of the 30th, and the 1st is not over");
    assert!(name(2).starts_with("Anonymised"));
}

/// Two tenants may give duties of their own the same name: what one of them keeps is needed all the same.
#[tokio::test]
async fn duties_of_tenants_with_one_name_are_two() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    let duty = |table: &str, classes: &str, years: u32| {
        format!(
            "[{table}.keep]\nneeds = []\nclasses = [{classes}]\nperiod = '{years} years'\nstart = 'record_date'\nlaw = 'y'\n\
             ground = '17(3)(e)'\nfrom = 'made_on'\n"
        )
    };
    let policy = format!(
        "{LEFT_BEHIND}\n{}{}",
        duty("duties", "'comment', 'reply'", 1),
        duty("tenants.careful.duties", "'reply'", 10)
    );
    let clock = clock("2026-06-30");
    let schema = LEFT_BEHIND_SCHEMA.replace(
        "CREATE TABLE comments (id INTEGER PRIMARY KEY, customer_id INTEGER, text TEXT)",
        "CREATE TABLE comments (id INTEGER PRIMARY KEY, customer_id INTEGER, text TEXT, made_on TEXT)",
    );
    let map = LEFT_BEHIND_MAP.replacen(
        "fields = { text = \"free_text\" }",
        "fields = { text = \"free_text\", made_on = \"not personal\" }",
        1,
    );
    let rows = "INSERT INTO comments VALUES (1, 77, 'Maud wrote', '2020-01-01'); INSERT INTO replies VALUES (1, 1, 'kept')";
    let schema = format!("PRAGMA foreign_keys = off; {schema} {rows}");
    let (engine, _) = world(&path, &schema, &map, &policy, &clock);
    let PlannedExpiry::Plan(plan) = engine.plan_ownerless().await.unwrap() else { panic!("there is a plan") };
    let now = clock.now();
    let approval = Approval::new("op", [TenantId::from("careful")], plan.digest(), now, TimeDelta::hours(1));
    let expired = hosts::expired(engine.expire(&plan.approve(approval).unwrap()).await.unwrap());
    let text: Option<String> = Connection::open(&path)
        .unwrap()
        .query_row("SELECT text FROM comments WHERE id = 1", [], |row| row.get(0))
        .unwrap_or_else(|error| panic!("the comment stays for its reply: {error}\n{expired}"));
    assert_eq!((text, ids(&path, "replies")), (None, vec![1]));
}

/// An order that goes before its line stays anonymised until then: a rule for that has to be there.
#[test]
fn what_has_to_stay_for_a_younger_record_needs_a_rule() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder.path().join("shop.sqlite"), &[]);
    let map = relinquish::RecordStore::data_map(&store);
    let (head, _) = POLICY.split_once("[expire]").unwrap();
    let text = format!(
        "{}[expire]\norder = {{ from = 'placed_on', after = '3 years', action = 'delete' }}\n\
         line = {{ from = 'placed_on', after = '4 years', action = 'delete' }}",
        head.replace("free_text = \"clear\"\n", "")
    );
    let found = PolicyDocument::from_toml(&text).unwrap().check(map).unwrap_err().to_string();
    let says =
        "expire.order.note: cannot go at once, because line needs it, and may not have expired by then";
    assert!(found.contains(says), "{found}");
    assert_eq!(Ownerless::GoneOrNone.to_string(), "gone or none");
}
