//! Rows that a kept row needs stay as tombstones, and are deleted with the last row that needs them. Compared with a
//! brute-force oracle, on real files and record by record.

use crate::hosts::BuildCounted as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use proptest::prelude::*;
use relinquish::data_map::{Field, FieldName, Kind, Link, Record, RecordClass, Value, WhenGone};
use relinquish::engine::{Clock, PlannedExpiry};
use relinquish::ledger::{Certificate, MemoryKeyRing, TokenKey};
use relinquish::store::{ByRecord, MemoryRepository};
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::{
    Approval, Asked, Customer, CustomerId, CustomerStore, DataMap, Engine, Error, MemoryLedger, MemoryStore,
    Outcome, Plan, Planned, PolicyDocument, SqlMap, SqliteStore,
};
use rusqlite::Connection;

const POLICY: &str = r#"
version = 1
sweep = false
[triggers]
requested = { treatment = "wipe" }
[guards]
active_subscription = { ignore = "x" }
several_tenants = { ignore = "x" }
not_archived = { ignore = "x" }
[anonymise]
name = "remove"
address = "remove"
free_text = "clear"
[treatments.wipe]
customer = "delete"
address = "delete"
order = "delete"
invoice = "delete"
line = "delete"
comment = "delete"
[duties.bookkeeping]
needs = []
classes = ["invoice"]
statute = "SE/BFL/7:2"
from = "booked_on"
[duties.liability]
needs = []
classes = ["line"]
period = "10 years"
start = "record_date"
law = "a limitation period"
ground = "17(3)(e)"
from = "shipped_on"
"#;

const SCHEMA: &str = "
    PRAGMA foreign_keys = on;
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE addresses (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, street TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, note TEXT);
    CREATE TABLE invoices (
        id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders, address_id INTEGER REFERENCES addresses,
        name TEXT, booked_on TEXT
    );
    CREATE TABLE lines (
        id INTEGER PRIMARY KEY, invoice_id INTEGER NOT NULL REFERENCES invoices, text TEXT, shipped_on TEXT
    );
    CREATE TABLE comments (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, text TEXT);";

const MAP: &str = r#"
version = 1
[customers]
table = "customers"
key = "id"
tenant = { is = "here" }
deactivate = { none = "there is no such status" }
fields = { name = "name" }
[records.address]
table = "addresses"
key = "id"
owner = "customer_id"
fields = { street = "address" }
[records.order]
table = "orders"
key = "id"
owner = "customer_id"
fields = { note = "free_text" }
[records.invoice]
table = "invoices"
key = "id"
owner = ["order_id", "customer_id"]
ends.address_id = "clear"
fields = { name = "name", booked_on = "not personal" }
[records.line]
table = "lines"
key = "id"
owner = ["invoice_id", "order_id", "customer_id"]
fields = { text = "free_text", shipped_on = "not personal" }
[records.comment]
table = "comments"
key = "id"
owner = "customer_id"
fields = { text = "free_text" }
"#;

const CLASSES: [(&str, &str); 6] = [
    ("customer", "customers"),
    ("address", "addresses"),
    ("order", "orders"),
    ("invoice", "invoices"),
    ("line", "lines"),
    ("comment", "comments"),
];

/// Customers 1 and 2 leave, customer 3 stays. Customer `n` has the orders and addresses with the numbers `10 n` and
/// `10 n + 1`, and a comment.
const CUSTOMERS: [i64; 3] = [1, 2, 3];

#[derive(Clone, Debug)]
struct Invoice {
    customer: i64,
    order: i64,
    address: Option<i64>,
    booked: Option<NaiveDate>,
    /// The invoice's only line, with its own date and its own duty.
    shipped: Option<NaiveDate>,
}

impl Invoice {
    fn kept_until(&self) -> Option<NaiveDate> {
        self.booked.and_then(|day| NaiveDate::from_ymd_opt(day.year() + 7, 12, 31))
    }

    fn line_kept_until(&self) -> Option<NaiveDate> {
        self.shipped.and_then(|day| NaiveDate::from_ymd_opt(day.year() + 10, day.month(), day.day()))
    }

    fn line_is_kept(&self, today: NaiveDate) -> bool {
        self.line_kept_until().is_some_and(|until| until >= today)
    }

    /// Whether the invoice stays: because of its own duty, or because of its line.
    fn stays(&self, today: NaiveDate) -> bool {
        self.is_kept(today) || self.line_is_kept(today)
    }

    /// A record without a date is kept for ever, because no end is known.
    fn is_kept(&self, today: NaiveDate) -> bool {
        self.kept_until().is_none_or(|until| until >= today)
    }
}

fn any_invoices() -> impl Strategy<Value = Vec<Invoice>> {
    let day = (2010..2027_i32).prop_map(|year| NaiveDate::from_ymd_opt(year, 12, 31).unwrap());
    let own = (prop::option::weighted(0.9, day.clone()), prop::option::weighted(0.3, day));
    let invoice = (1..4_i64, 0..2_i64, prop::option::of(0..2_i64), own).prop_map(
        |(customer, order, address, (booked, shipped))| Invoice {
            customer,
            order: customer * 10 + order,
            address: address.map(|address| customer * 10 + address),
            booked,
            shipped,
        },
    );
    prop::collection::vec(invoice, 0..7)
}

fn records(invoices: &[Invoice], customer: i64) -> Vec<Record> {
    let owned = |class: &str, id: i64| {
        Record::new(class, id.to_string()).with("id", id).with("customer_id", customer)
    };
    let mut list = vec![
        Record::new("customer", customer.to_string()).with("id", customer).with("name", "Maud"),
        owned("comment", customer).with("text", "Maud called"),
    ];
    for id in [customer * 10, customer * 10 + 1] {
        list.push(owned("address", id).with("street", "Maud's lane 1"));
        list.push(owned("order", id).with("note", "for Maud"));
    }
    for (n, invoice) in invoices.iter().enumerate().filter(|(_, invoice)| invoice.customer == customer) {
        let id = i64::try_from(n).unwrap();
        list.push(
            Record::new("invoice", id.to_string())
                .with("id", id)
                .with("order_id", invoice.order)
                .with("address_id", invoice.address)
                .with("name", "Maud")
                .with("booked_on", invoice.booked.map(|day| day.to_string())),
        );
        if let Some(day) = invoice.shipped {
            let line = Record::new("line", id.to_string()).with("id", id).with("invoice_id", id);
            list.push(line.with("text", "for Maud").with("shipped_on", day.to_string()));
        }
    }
    list
}

fn sqlite(path: &Path, invoices: &[Invoice]) -> SqliteStore {
    let database = Connection::open(path).unwrap();
    database.execute_batch(SCHEMA).unwrap();
    for record in CUSTOMERS.into_iter().flat_map(|customer| records(invoices, customer)) {
        let (_, table) = CLASSES.into_iter().find(|(class, _)| record.class.as_str() == *class).unwrap();
        let columns: Vec<&str> = record.fields.keys().map(FieldName::as_str).collect();
        let values: Vec<String> = record
            .fields
            .values()
            .map(|value| match value {
                Value::Integer(number) => number.to_string(),
                Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
                _ => "NULL".to_owned(),
            })
            .collect();
        let sql = format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", "));
        database.execute(&sql, []).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    SqliteStore::open(path, &SqlMap::from_toml(MAP).unwrap()).unwrap_or_else(|error| panic!("{error}"))
}

fn link(to: &str, field: &str, owner: bool) -> Link {
    if owner { Link::owner(to, [field]) } else { Link::end(to, [field], WhenGone::Clear) }
}

fn memory_map() -> DataMap {
    let owned = |name: &str| {
        RecordClass::new(name).field(Field::key("id")).field(Field::owner("customer_id")).link(link(
            "customer",
            "customer_id",
            true,
        ))
    };
    DataMap::builder(
        RecordClass::new("customer")
            .field(Field::key("id"))
            .field(Field::personal("name", Kind::Name).required()),
    )
    .class(owned("address").field(Field::personal("street", Kind::Address)))
    .class(owned("order").field(Field::personal("note", Kind::FreeText)))
    .class(owned("comment").field(Field::personal("text", Kind::FreeText)))
    .class(
        RecordClass::new("invoice")
            .field(Field::key("id"))
            .field(Field::owner("order_id"))
            .field(Field::plain("address_id"))
            .field(Field::personal("name", Kind::Name))
            .field(Field::plain("booked_on").dated())
            .link(link("order", "order_id", true))
            .link(link("address", "address_id", false)),
    )
    .class(
        RecordClass::new("line")
            .field(Field::key("id"))
            .field(Field::owner("invoice_id"))
            .field(Field::personal("text", Kind::FreeText))
            .field(Field::plain("shipped_on").dated())
            .link(link("invoice", "invoice_id", true)),
    )
    .without_deactivation("there is no such status")
    .build()
    .unwrap()
}

fn memory(invoices: &[Invoice]) -> MemoryStore {
    let repository = MemoryRepository::new(memory_map());
    for customer in CUSTOMERS {
        repository.insert(Customer::new(customer.to_string(), "here"), records(invoices, customer));
    }
    ByRecord::new(repository)
}

fn engine(store: impl CustomerStore, clock: &Arc<ManualClock>) -> Engine {
    engine_of(store, POLICY, clock)
}

fn engine_of(store: impl CustomerStore, policy: &str, clock: &Arc<ManualClock>) -> Engine {
    let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
    Engine::builder(store, PolicyDocument::from_toml(policy).unwrap(), MemoryLedger::new(), keys)
        .clock(Arc::clone(clock))
        .entropy(RepeatableEntropy::new(1))
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// Every row, by class and id.
pub(crate) type Dump = BTreeMap<(&'static str, i64), BTreeMap<String, String>>;

/// Every row of the tables of these classes. It first checks that no row refers to a deleted one.
pub(crate) fn dump_of(path: &Path, classes: &[(&'static str, &str)]) -> Dump {
    let database = Connection::open(path).unwrap();
    let violations: i64 =
        database.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(violations, 0, "nothing points at a row that is gone");
    let mut dump = Dump::new();
    for (class, table) in classes {
        let mut statement = database.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let fields = names.iter().enumerate().map(|(n, name)| {
                let value = row.get_ref(n).unwrap();
                (name.clone(), format!("{:?}", rusqlite::types::Value::try_from(value).unwrap()))
            });
            dump.insert((class, row.get("id").unwrap()), fields.collect());
        }
    }
    dump
}

/// Every record of these customers.
pub(crate) fn dump_of_memory(
    store: &MemoryStore,
    customers: impl IntoIterator<Item = i64>,
    classes: &[(&'static str, &str)],
) -> Dump {
    let mut dump = Dump::new();
    for customer in customers {
        for record in store.repository().records(&customer.to_string().as_str().into()) {
            let (class, _) = classes.iter().find(|(class, _)| record.class.as_str() == *class).unwrap();
            let fields = record.fields.iter();
            let fields =
                fields.map(|(name, value)| (name.to_string(), serde_json::to_string(value).unwrap()));
            dump.insert((class, record.key.as_str().parse().unwrap()), fields.collect());
        }
    }
    dump
}

fn dump_sqlite(path: &Path) -> Dump {
    dump_of(path, &CLASSES)
}

fn dump_memory(store: &MemoryStore) -> Dump {
    dump_of_memory(store, CUSTOMERS, &CLASSES)
}

/// The oracle: the rows that a kept invoice or line needs.
fn needed(invoices: &[Invoice], customer: i64, today: NaiveDate) -> BTreeSet<(&'static str, i64)> {
    let theirs = invoices.iter().enumerate().filter(|(_, invoice)| invoice.customer == customer);
    theirs
        .filter(|(_, invoice)| invoice.stays(today))
        .flat_map(|(n, invoice)| {
            let address = invoice.address.map(|address| ("address", address));
            let own = (!invoice.is_kept(today)).then(|| ("invoice", i64::try_from(n).unwrap()));
            [("customer", customer), ("order", invoice.order)].into_iter().chain(address).chain(own)
        })
        .collect()
}

fn assert_as_the_oracle_says(invoices: &[Invoice], today: NaiveDate, before: &Dump, after: &Dump) {
    for ((class, id), was) in before {
        let is = after.get(&(*class, *id));
        let customer = match *class {
            "invoice" | "line" => invoices[usize::try_from(*id).unwrap()].customer,
            "customer" | "comment" => *id,
            _ => *id / 10,
        };
        let kept = match *class {
            "invoice" => invoices[usize::try_from(*id).unwrap()].is_kept(today),
            "line" => invoices[usize::try_from(*id).unwrap()].line_is_kept(today),
            _ => false,
        };
        if customer == 3 || kept {
            assert_eq!(is, Some(was), "{class} {id} stays byte for byte on {today}");
        } else if needed(invoices, customer, today).contains(&(*class, *id)) {
            let is = is.unwrap_or_else(|| panic!("{class} {id} is needed on {today}"));
            assert!(!is.values().any(|value| value.contains("Maud")), "{class} {id}: {is:?}");
            let plain = |row: &BTreeMap<String, String>| {
                let plain = row.iter().filter(|(name, _)| name.ends_with("id"));
                plain.map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
            };
            assert_eq!(plain(is), plain(was));
        } else {
            assert_eq!(is, None, "{class} {id} is needed by nothing on {today}");
        }
    }
    assert!(after.keys().all(|key| before.contains_key(key)));
}

async fn plans(engine: &Engine, customers: &[i64]) -> Vec<Result<Plan, String>> {
    let ids: Vec<CustomerId> = customers.iter().map(|id| id.to_string().as_str().into()).collect();
    let planned = engine.plan_batch(&ids, &Asked::request()).await.unwrap();
    planned
        .into_iter()
        .map(|planned| match planned {
            Ok(Planned::Plan(plan)) => Ok(*plan),
            Ok(no_plan) => Err(no_plan.to_string()),
            Err(Error::NoSuchCustomer) => Err("nobody".to_owned()),
            Err(error) => panic!("{error}"),
        })
        .collect()
}

async fn erase(engine: &Engine, plans: Vec<Plan>, now: DateTime<Utc>) -> Vec<Certificate> {
    let approve = |plan: Plan| {
        let approval = Approval::new("op", [plan.tenant().clone()], plan.digest(), now, TimeDelta::hours(1));
        plan.approve(approval).unwrap()
    };
    let outcomes = engine.execute(plans.into_iter().map(approve).collect()).await.unwrap();
    outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Outcome::Erased(certificate) => *certificate,
            other => panic!("{other}"),
        })
        .collect()
}

/// What plan and certificate say about one customer.
fn assert_said(
    invoices: &[Invoice],
    customer: i64,
    today: NaiveDate,
    plan: &Plan,
    certificate: &Certificate,
) {
    let stay = needed(invoices, customer, today);
    assert_eq!(plan.tombstones(), certificate.tombstones());
    for class in ["customer", "address", "order", "invoice"] {
        let rows = stay.iter().filter(|(of, _)| *of == class).count();
        let said = plan.tombstones().iter().find(|stays| stays.class.as_str() == class);
        assert_eq!(said.map_or(0, |said| said.rows), rows as u64, "{class}");
    }
    let (text, proof) = (plan.to_string(), certificate.to_string());
    assert_eq!(text.contains("as a tombstone"), !stay.is_empty(), "{text}");
    assert_eq!(proof.contains("as a tombstone"), !stay.is_empty(), "{proof}");
    let word = if stay.is_empty() { "erased" } else { "erased in part" };
    assert_eq!(certificate.outcome(), word, "{proof}");
    assert!(text.contains(&format!("afterwards the person is {word}")), "{text}");
    let theirs = || invoices.iter().filter(|invoice| invoice.customer == customer);
    let untils = theirs().filter(|invoice| invoice.is_kept(today)).map(Invoice::kept_until);
    let lines = theirs().filter(|invoice| invoice.line_is_kept(today)).map(Invoice::line_kept_until);
    let untils: Vec<Option<NaiveDate>> = untils.chain(lines).collect();
    if let (Some(until), true) = (untils.iter().flatten().max(), untils.iter().all(Option::is_some)) {
        for text in [text, proof] {
            let line =
                text.lines().find(|line| line.contains("1 row of customer stays as a tombstone")).unwrap();
            assert!(line.contains(&format!("until {until} at the latest")), "{line}");
        }
    }
}

/// Two customers leave together. Years later the deferred records are treated.
async fn leave(
    engine: &Engine,
    invoices: &[Invoice],
    dump: &dyn Fn() -> Dump,
    clock: &ManualClock,
    wait: i64,
) {
    let first = clock.now();
    let before = dump();
    let planned: Vec<Plan> = plans(engine, &[1, 2]).await.into_iter().map(Result::unwrap).collect();
    let certificates = erase(engine, planned.clone(), first).await;
    for ((customer, plan), certificate) in [1, 2].into_iter().zip(&planned).zip(&certificates) {
        assert_said(invoices, customer, first.date_naive(), plan, certificate);
    }
    let after = dump();
    assert_as_the_oracle_says(invoices, first.date_naive(), &before, &after);
    for (customer, again) in [1, 2].into_iter().zip(plans(engine, &[1, 2]).await) {
        let is_there = !needed(invoices, customer, first.date_naive()).is_empty();
        let again = again.unwrap_err();
        assert!(again.contains(if is_there { "nothing is missing" } else { "nobody" }), "{again}");
    }
    clock.turn(TimeDelta::days(wait));
    let second = clock.now();
    let due: Vec<Plan> = plans(engine, &[1, 2]).await.into_iter().filter_map(Result::ok).collect();
    erase(engine, due, second).await;
    assert_as_the_oracle_says(invoices, second.date_naive(), &before, &dump());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_a_kept_row_needs_stays_without_the_person_and_goes_with_the_last_of_them(
        invoices in any_invoices(), days in 0..3_000_i64, wait in 0..5_000_i64,
    ) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async move {
            let start: DateTime<Utc> = "2018-12-31T12:00:00Z".parse().unwrap();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("host.sqlite");
            let clock = Arc::new(ManualClock::at(start + TimeDelta::days(days)));
            let in_sqlite = engine(sqlite(&path, &invoices), &clock);
            leave(&in_sqlite, &invoices, &|| dump_sqlite(&path), &clock, wait).await;
            let clock = Arc::new(ManualClock::at(start + TimeDelta::days(days)));
            let store = Arc::new(memory(&invoices));
            let in_memory = engine(Arc::clone(&store), &clock);
            leave(&in_memory, &invoices, &|| dump_memory(&store), &clock, wait).await;
        });
    }
}

/// The path and the text of each problem of the policy with one line replaced.
fn faults(from: &str, to: &str) -> Vec<String> {
    assert!(POLICY.contains(from), "{from}");
    let checked = PolicyDocument::from_toml(&POLICY.replacen(from, to, 1))
        .and_then(|policy| policy.check(&memory_map()));
    let list = checked.err();
    list.iter()
        .flat_map(relinquish::Problems::iter)
        .map(|p| format!("{}: {}; {}", p.path, p.what, p.way_out))
        .collect()
}

#[test]
fn a_row_that_has_to_stay_and_cannot_be_anonymised_is_found_before_anything_runs() {
    assert_eq!(faults("sweep = false", "sweep = false"), Vec::<String>::new());
    let line = "write a rule under anonymise that it takes, or treat the class with { action = \"anonymise\"";
    for (from, to, path, what) in [
        ("name = \"remove\"\n", "", "treatments.wipe.customer.name", "holds personal data of kind name"),
        ("name = \"remove\"", "name = \"clear\"", "treatments.wipe.customer.name", "cannot be cleared"),
    ] {
        let found = faults(from, to);
        let wanted = |fault: &&String| {
            fault.starts_with(path) && fault.contains("cannot go at once, because") && fault.contains(what)
        };
        assert_eq!(found.iter().filter(wanted).count(), 1, "{found:#?}");
        assert!(found.iter().all(|fault| fault.contains(line)), "{found:#?}");
        assert!(found[0].contains("duty bookkeeping may keep that"), "{found:#?}");
    }
    // Without a duty the row is deleted, and no line for its fields is needed.
    let (without, _) = POLICY.split_once("[duties.bookkeeping]").unwrap();
    let without = without.replace("name = \"remove\"\n", "");
    assert!(PolicyDocument::from_toml(&without).unwrap().check(&memory_map()).is_ok());
}

/// The sweep alone deletes what is left of a customer, together with the last record that needed it. No new request
/// is needed. This happens when the duty has ended, or when the invoice has expired before.
#[tokio::test]
async fn a_tombstone_goes_by_the_sweep_alone_with_the_last_record_that_needs_it() {
    let expiring = format!(
        "{}\n[expire]\ninvoice = {{ after = \"duty\", action = \"delete\" }}\nline = {{ after = \"duty\", action = \"delete\" }}\n",
        POLICY.replace("sweep = false", "sweep = true")
    );
    let invoices = [Invoice {
        customer: 1,
        order: 10,
        address: None,
        booked: NaiveDate::from_ymd_opt(2018, 6, 30),
        shipped: NaiveDate::from_ymd_opt(2018, 6, 30),
    }];
    for expires_first in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host.sqlite");
        let clock = Arc::new(ManualClock::at("2020-01-01T12:00:00Z".parse().unwrap()));
        let engine = engine_of(sqlite(&path, &invoices), &expiring, &clock);
        let asked = plans(&engine, &[1]).await.pop().unwrap().unwrap();
        erase(&engine, vec![asked], clock.now()).await;
        let rows = |dump: &Dump| {
            dump.keys()
                .filter(|(class, id)| *class != "customer" || *id == 1)
                .map(|(class, _)| *class)
                .collect::<Vec<_>>()
        };
        let there = |class: &str| rows(&dump_sqlite(&path)).contains(&class);
        assert!(there("customer") && there("invoice") && there("line"));

        // Nine and a half years later the invoice is free, but not the line that needs it.
        let sweep = || async {
            match engine.plan(&"1".into(), &Asked::Sweep).await.unwrap() {
                Planned::Plan(plan) => Ok(*plan),
                no_plan => Err(no_plan.to_string()),
            }
        };
        clock.turn(TimeDelta::days(8 * 365));
        if let Ok(plan) = sweep().await {
            erase(&engine, vec![plan], clock.now()).await;
        }
        assert!(there("customer") && there("line"), "the line's own duty runs on");
        clock.turn(TimeDelta::days(365));
        if expires_first {
            let planned = engine.plan_expiry(["here".into()]).await.unwrap();
            let PlannedExpiry::Plan(plan) = planned else { panic!("{planned:?}") };
            let now = clock.now();
            let approval = Approval::new("op", ["here".into()], plan.digest(), now, TimeDelta::hours(1));
            let expired =
                crate::hosts::expired(engine.expire(&plan.approve(approval).unwrap()).await.unwrap());
            assert!(expired.is_complete(), "{expired}");
            assert!(there("customer") && !there("line") && !there("invoice"));
        }
        let plan = sweep().await.unwrap();
        assert_eq!(plan.tombstones(), [], "{plan}");
        let certificate = erase(&engine, vec![plan], clock.now()).await.pop().unwrap();
        assert_eq!(certificate.outcome(), "erased", "{certificate}");
        assert!(!there("customer"), "nothing needs it any more");
        assert!(matches!(engine.plan(&"1".into(), &Asked::Sweep).await, Err(Error::NoSuchCustomer)));
    }
}
