//! Duties to keep, compared with a brute-force oracle: which rows are under a duty, which are treated, and what plan
//! and certificate say.

use crate::hosts::BuildCounted as _;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use proptest::prelude::*;
use relinquish::customer::Status;
use relinquish::data_map::{Field, Kind, Link, Record, RecordClass, Value};
use relinquish::engine::Clock;
use relinquish::ledger::{MemoryKeyRing, TokenKey};
use relinquish::plan::Reason;
use relinquish::policy::Trigger;
use relinquish::store::{ByRecord, MemoryRepository};
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::{
    Approval, Asked, Customer, CustomerStore, DataMap, Decision, Engine, MemoryLedger, MemoryStore, Outcome,
    Plan, Planned, PolicyDocument, RecordStore, SqlMap, SqliteStore,
};
use rusqlite::Connection;

const POLICY: &str = r#"
version = 1
sweep = true
time_zone = "Europe/Stockholm"
fiscal_year_ends = "06-30"
[triggers]
requested = { treatment = "clear" }
[guards]
active_subscription = { ignore = "x" }
several_tenants = { ignore = "x" }
not_archived = { ignore = "x" }
[anonymise]
name = "remove"
[treatments.clear]
customer = "anonymise"
invoice = "delete"
receipt = "anonymise"
line = "delete"
[duties.bookkeeping]
classes = ["invoice", "receipt", "line"]
statute = "SE/BFL/7:2"
from = "booked_on"
[duties.claims]
classes = ["invoice"]
period = "10 years"
start = "record_date"
law = "a limitation period"
ground = "17(3)(e)"
from = "issued_on"
[tenants.late]
fiscal_year_ends = "12-31"
"#;

const SCHEMA: &str = "
    CREATE TABLE customers (id INTEGER PRIMARY KEY, tenant TEXT, name TEXT);
    CREATE TABLE invoices (
        id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, name TEXT, booked_on, issued_on
    );
    CREATE TABLE receipts (
        id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, name TEXT NOT NULL, booked_on
    );
    CREATE TABLE lines (id INTEGER PRIMARY KEY, invoice_id INTEGER NOT NULL REFERENCES invoices, name TEXT);";

const MAP: &str = r#"
version = 1
[customers]
table = "customers"
key = "id"
tenant = "tenant"
status = { sql = "'active'", active = "active" }
deactivate = { none = "there is no such status" }
fields = { name = "name" }
[records.invoice]
table = "invoices"
key = "id"
owner = "customer_id"
fields = { name = "name", booked_on = "not personal", issued_on = "not personal" }
[records.line]
table = "lines"
key = "id"
owner = ["invoice_id", "customer_id"]
fields = { name = "name" }
[records.receipt]
table = "receipts"
key = "id"
owner = "customer_id"
fields = { name = "name", booked_on = "not personal" }
"#;

/// A date as a host may hold it.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    Day(NaiveDate),
    Instant(DateTime<Utc>),
    Seconds(DateTime<Utc>),
    Nothing,
    Nonsense,
}

impl Held {
    fn value(&self) -> Value {
        match self {
            Self::Day(day) => day.to_string().into(),
            Self::Instant(at) => at.to_rfc3339().into(),
            Self::Seconds(at) => at.timestamp().into(),
            Self::Nothing => Value::Null,
            Self::Nonsense => "some day".into(),
        }
    }

    /// The day in Stockholm. Summer time follows the rule of the last Sundays.
    pub(crate) fn day(&self) -> Option<NaiveDate> {
        match self {
            Self::Day(day) => Some(*day),
            Self::Instant(at) | Self::Seconds(at) => Some(stockholm(*at)),
            Self::Nothing | Self::Nonsense => None,
        }
    }
}

pub(crate) fn stockholm(at: DateTime<Utc>) -> NaiveDate {
    let switch = |month| {
        let mut day = NaiveDate::from_ymd_opt(at.year(), month, 31).unwrap();
        while day.weekday() != chrono::Weekday::Sun {
            day = day.pred_opt().unwrap();
        }
        day.and_hms_opt(1, 0, 0).unwrap().and_utc()
    };
    let hours = if at >= switch(3) && at < switch(10) { 2 } else { 1 };
    (at + TimeDelta::hours(hours)).date_naive()
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) invoice: bool,
    pub(crate) booked: Held,
    pub(crate) issued: Held,
}

/// The oracle: the day until which a row must be kept. The inner `None` means for ever, because no end is known.
pub(crate) fn kept_until(row: &Row, late: bool) -> Option<NaiveDate> {
    let fiscal_year_end = |day: NaiveDate| {
        let year = if late || day.month() <= 6 { day.year() } else { day.year() + 1 };
        NaiveDate::from_ymd_opt(year, 12, 31).unwrap()
    };
    let booked = row.booked.day().map(|day| {
        let year = fiscal_year_end(day).year();
        NaiveDate::from_ymd_opt(year + 7, 12, 31).unwrap()
    });
    if !row.invoice {
        return booked;
    }
    let issued = row.issued.day().map(|day| {
        NaiveDate::from_ymd_opt(day.year() + 10, day.month(), day.day())
            .unwrap_or_else(|| NaiveDate::from_ymd_opt(day.year() + 10, day.month(), 28).unwrap())
    });
    Some(booked?.max(issued?))
}

/// The same for a line that belongs to an invoice. It has no own date, and only the first duty applies to it.
pub(crate) fn line_kept_until(row: &Row, late: bool) -> Option<NaiveDate> {
    kept_until(&Row { invoice: false, ..row.clone() }, late)
}

fn any_held() -> impl Strategy<Value = Held> {
    // A day between 2009 and 2029, often near the end of a year.
    let day = (0..7_300_i64, any::<bool>()).prop_map(|(days, near)| {
        let at =
            DateTime::from_timestamp(1_230_768_000 + days * 86_400 + (days * 7_919) % 86_400, 0).unwrap();
        if near {
            NaiveDate::from_ymd_opt(at.year(), 12, 31).unwrap().and_hms_opt(22, 59, 59).unwrap().and_utc()
                + TimeDelta::seconds(days % 3)
        } else {
            at
        }
    });
    prop_oneof![
        4 => day.clone().prop_map(|at| Held::Day(at.date_naive())),
        3 => day.clone().prop_map(Held::Instant),
        2 => day.prop_map(Held::Seconds),
        1 => Just(Held::Nothing),
        1 => Just(Held::Nonsense),
    ]
}

pub(crate) fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (any::<bool>(), any_held(), any_held()).prop_map(|(invoice, booked, issued)| Row {
        invoice,
        booked,
        issued,
    });
    prop::collection::vec(row, 0..8)
}

fn sql(value: &Value) -> rusqlite::types::Value {
    match value {
        Value::Text(text) => rusqlite::types::Value::Text(text.clone()),
        Value::Integer(number) => rusqlite::types::Value::Integer(*number),
        _ => rusqlite::types::Value::Null,
    }
}

/// Customer 1 with these rows, and customer 2 with the same ones.
pub(crate) fn sqlite(path: &Path, tenant: &str, rows: &[Row]) -> SqliteStore {
    let database = Connection::open(path).unwrap();
    database.execute_batch(SCHEMA).unwrap();
    for customer in [1_i64, 2] {
        database
            .execute("INSERT INTO customers VALUES (?1, ?2, 'Maud Ashworth')", (customer, tenant))
            .unwrap();
        for (n, row) in rows.iter().enumerate() {
            let id = i64::try_from(n).unwrap() * 10 + customer;
            let (booked, issued) = (sql(&row.booked.value()), sql(&row.issued.value()));
            if row.invoice {
                database
                    .execute(
                        "INSERT INTO invoices VALUES (?1, ?2, 'Maud Ashworth', ?3, ?4)",
                        (id, customer, booked, issued),
                    )
                    .unwrap();
                database.execute("INSERT INTO lines VALUES (?1, ?1, 'Maud Ashworth')", [id]).unwrap();
            } else {
                database
                    .execute(
                        "INSERT INTO receipts VALUES (?1, ?2, 'Maud Ashworth', ?3)",
                        (id, customer, booked),
                    )
                    .unwrap();
            }
        }
    }
    SqliteStore::open(path, &SqlMap::from_toml(MAP).unwrap()).unwrap()
}

fn memory_map() -> DataMap {
    DataMap::builder(
        RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name)),
    )
    .class(
        RecordClass::new("invoice")
            .field(Field::key("id"))
            .field(Field::personal("name", Kind::Name))
            .field(Field::plain("booked_on").dated())
            .field(Field::plain("issued_on").dated()),
    )
    .class(
        RecordClass::new("line")
            .field(Field::key("id"))
            .field(Field::owner("invoice_id"))
            .field(Field::personal("name", Kind::Name))
            .link(Link::owner("invoice", ["invoice_id"])),
    )
    .class(
        RecordClass::new("receipt")
            .field(Field::key("id"))
            .field(Field::personal("name", Kind::Name).required())
            .field(Field::plain("booked_on").dated()),
    )
    .without_deactivation("there is no such status")
    .build()
    .unwrap()
}

pub(crate) fn memory(tenant: &str, rows: &[Row]) -> MemoryStore {
    let repository = MemoryRepository::new(memory_map());
    for customer in ["1", "2"] {
        let mut records =
            vec![Record::new("customer", customer).with("id", customer).with("name", "Maud Ashworth")];
        for (n, row) in rows.iter().enumerate() {
            let key = format!("{}", n * 10 + customer.parse::<usize>().unwrap());
            let class = if row.invoice { "invoice" } else { "receipt" };
            let mut record =
                Record::new(class, key.as_str()).with("id", key.as_str()).with("name", "Maud Ashworth");
            record = record.with("booked_on", row.booked.value());
            if row.invoice {
                record = record.with("issued_on", row.issued.value());
                let line = Record::new("line", key.as_str()).with("id", key.as_str());
                records.push(line.with("invoice_id", key.as_str()).with("name", "Maud Ashworth"));
            }
            records.push(record);
        }
        let mut facts = Customer::new(customer, tenant);
        facts.status = Status::Active;
        repository.insert(facts, records);
    }
    ByRecord::new(repository)
}

pub(crate) fn engine(store: impl CustomerStore, clock: &Arc<ManualClock>) -> Engine {
    let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
    Engine::builder(store, PolicyDocument::from_toml(POLICY).unwrap(), MemoryLedger::new(), keys)
        .clock(Arc::clone(clock))
        .entropy(RepeatableEntropy::new(1))
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"))
}

pub(crate) async fn plan(engine: &Engine) -> Result<Box<Plan>, String> {
    match engine.plan(&"1".into(), &Asked::request()).await.unwrap() {
        Planned::Plan(plan) => Ok(plan),
        no_plan => Err(no_plan.to_string()),
    }
}

async fn erase(engine: &Engine, plan: Plan, now: DateTime<Utc>) {
    let deferred = plan.deferred().to_vec();
    let approval = Approval::new("op", [plan.tenant().clone()], plan.digest(), now, TimeDelta::hours(1));
    let outcome = engine.erase(plan.approve(approval).unwrap()).await.unwrap();
    let Outcome::Erased(certificate) = outcome else { panic!("{outcome}") };
    let records = certificate.records();
    let kept = records.iter().filter_map(|class| Some((&class.class, class.deferred.as_ref()?)));
    let kept: Vec<_> = kept.map(|(class, kept)| (class, Some(kept.rows), kept.until)).collect();
    let planned: Vec<_> = deferred.iter().map(|found| (&found.class, found.rows, found.until)).collect();
    assert_eq!(kept, planned, "what was read back is what was planned");
    // Exactly as long as a kept record leads to the person.
    let kept = if deferred.is_empty() { "pseudonymised" } else { "erased in part" };
    assert_eq!(certificate.outcome(), kept, "{certificate}");
    // Each duty is recorded with its law, ground, period and start, as they were in force.
    for duty in certificate.duties().values() {
        assert!(certificate.to_string().contains(&duty.to_string()), "{certificate}");
    }
    for deferred in records.iter().filter_map(|class| class.deferred.as_ref()) {
        assert!(deferred.duties.keys().all(|name| certificate.duties().contains_key(name)), "{certificate}");
    }
}

/// Every row as text, by class and key.
pub(crate) type Dump = BTreeMap<(&'static str, String), String>;

pub(crate) fn dump_sqlite(path: &Path) -> Dump {
    let database = Connection::open(path).unwrap();
    let mut dump = Dump::new();
    let tables =
        [("customer", "customers"), ("invoice", "invoices"), ("receipt", "receipts"), ("line", "lines")];
    for (class, table) in tables {
        let mut statement = database.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<String> =
                (0..columns).map(|n| format!("{:?}", row.get_ref(n).unwrap())).collect();
            dump.insert((class, row.get::<_, i64>(0).unwrap().to_string()), values.join(" "));
        }
    }
    dump
}

pub(crate) fn dump_memory(store: &MemoryStore) -> Dump {
    let mut dump = Dump::new();
    for customer in ["1", "2"] {
        for record in store.repository().records(&customer.into()) {
            let class = match record.class.as_str() {
                "customer" => "customer",
                "invoice" => "invoice",
                "line" => "line",
                _ => "receipt",
            };
            let fields: Vec<String> = record
                .fields
                .iter()
                .map(|(name, value)| format!("{name}={}", serde_json::to_string(value).unwrap()))
                .collect();
            dump.insert((class, record.key.as_str().to_owned()), fields.join(" "));
        }
    }
    dump
}

/// Checks the rows after an erasure on a day, row by row, with the oracle.
pub(crate) fn assert_as_the_oracle_says(
    rows: &[Row],
    late: bool,
    today: NaiveDate,
    before: &Dump,
    after: &Dump,
) {
    for ((class, key), was) in before {
        let is = after.get(&(*class, key.clone()));
        let n: usize = key.parse().unwrap();
        if *class == "customer" {
            if n == 1 {
                assert!(!is.unwrap().contains("Maud"), "{is:?}");
            } else {
                assert_eq!(is, Some(was), "another customer");
            }
            continue;
        }
        if n % 10 == 2 {
            assert_eq!(is, Some(was), "another customer's {class}");
            continue;
        }
        let row = &rows[n / 10];
        let until = if *class == "line" { line_kept_until(row, late) } else { kept_until(row, late) };
        let kept = until.is_none_or(|until| until >= today);
        match (kept, row.invoice) {
            (true, _) => assert_eq!(is, Some(was), "{row:?} is under a duty on {today}"),
            (false, true) => assert_eq!(is, None, "{row:?} is free on {today}"),
            (false, false) => assert!(!is.unwrap().contains("Maud"), "{row:?} is free on {today}"),
        }
    }
    assert!(after.keys().all(|key| before.contains_key(key)));
}

/// The deferred rows according to the plan.
fn assert_said(plan: &Plan, rows: &[Row], late: bool, today: NaiveDate) {
    for (class, is_invoice) in [("invoice", true), ("receipt", false), ("line", true)] {
        let of_class = || rows.iter().filter(|row| row.invoice == is_invoice);
        let kept_until = if class == "line" { line_kept_until } else { kept_until };
        let kept: Vec<&Row> =
            of_class().filter(|row| kept_until(row, late).is_none_or(|until| until >= today)).collect();
        let tally = plan.tally().classes[class];
        assert_eq!(
            (tally.rows, tally.due),
            (of_class().count() as u64, (of_class().count() - kept.len()) as u64)
        );
        let said = plan.deferred().iter().find(|deferred| deferred.class.as_str() == class);
        assert_eq!(said.map_or(0, |said| said.rows.unwrap()), kept.len() as u64);
        let Some(said) = said else { continue };
        assert_eq!(said.duties.len(), if class == "invoice" { 2 } else { 1 }, "every duty is named");
        assert_eq!(said.duties[0].statute, Some("SE/BFL/7:2"));
        if kept.iter().all(|row| row.booked.day().is_some() && row.issued.day().is_some()) {
            let until = kept.iter().filter_map(|row| kept_until(row, late)).max();
            assert_eq!(said.until, until, "the latest end wins");
            assert!(plan.to_string().contains(&format!("until {} at the latest", until.unwrap())), "{plan}");
        }
    }
}

pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_a_duty_keeps_stays_byte_for_byte_and_everything_else_is_treated(
        rows in any_rows(), late in any::<bool>(), days in 0..4_000_i64, wait in 0..6_000_i64,
    ) {
        run(async move {
            let tenant = if late { "late" } else { "early" };
            let start: DateTime<Utc> = "2018-12-31T22:59:59Z".parse().unwrap();
            let first = start + TimeDelta::days(days);
            let second = first + TimeDelta::days(wait);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("host.sqlite");
            let clock = Arc::new(ManualClock::at(first));
            let in_sqlite = engine(sqlite(&path, tenant, &rows), &clock);
            let store = Arc::new(memory(tenant, &rows));
            let in_memory = engine(Arc::clone(&store), &clock);
            for (engine, dump) in [
                (in_sqlite, Box::new(|| dump_sqlite(&path)) as Box<dyn Fn() -> Dump>),
                (in_memory, Box::new(|| dump_memory(&store))),
            ] {
                let clock_now = engine.plan(&"2".into(), &Asked::request()).await;
                assert!(clock_now.is_ok());
                let before = dump();
                let planned = plan(&engine).await.unwrap();
                assert_said(&planned, &rows, late, stockholm(first));
                // The explanation and the decision agree: both have the counted records, and not the possible ones.
                let found = engine.explain(&"1".into(), &Asked::request()).await.unwrap();
                assert_eq!(found.decision.deferred(), planned.deferred());
                let named = found.reasons.iter().filter(|reason| matches!(reason, Reason::Deferred(_))).count();
                assert_eq!(named, planned.deferred().len());
                erase(&engine, *planned, first).await;
                let after = dump();
                assert_as_the_oracle_says(&rows, late, stockholm(first), &before, &after);
                // While every duty lasts, nothing is missing.
                let again = plan(&engine).await.unwrap_err();
                assert!(again.contains("nothing is missing"), "{again}");
                for deferred in engine.decide(&"1".into(), &Asked::request()).await.unwrap().deferred() {
                    assert!(again.contains(&deferred.to_string()), "{deferred} is missing in {again}");
                }
            }
            // Years later, only the deferred records are due.
            clock.turn(TimeDelta::days(wait));
            let freed = rows.iter().any(|row| {
                let mut untils = vec![kept_until(row, late)];
                untils.extend(row.invoice.then(|| line_kept_until(row, late)));
                let is_between = |until: NaiveDate| until >= stockholm(first) && until < stockholm(second);
                untils.into_iter().flatten().any(is_between)
            });
            let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
            let later = Engine::builder(Arc::clone(&store), PolicyDocument::from_toml(POLICY).unwrap(), MemoryLedger::new(), keys)
                .clock(Arc::clone(&clock))
                .counted()
                .unwrap();
            let before = dump_memory(&store);
            let planned = plan(&later).await.unwrap();
            assert_eq!(planned.tally().due() > 0, freed);
            erase(&later, *planned, second).await;
            let after = dump_memory(&store);
            for (key, was) in &before {
                let row = (key.0 != "customer").then(|| &rows[key.1.parse::<usize>().unwrap() / 10]);
                let until = if key.0 == "line" { line_kept_until } else { kept_until };
                let kept = row.is_none_or(|row| until(row, late).is_none_or(|until| until >= stockholm(second)));
                if kept {
                    assert_eq!(after.get(key), Some(was));
                }
            }
            assert_as_the_oracle_says(&rows, late, stockholm(second), &before, &after);
        });
    }
}

/// A treatment with duties but without a day keeps everything, so nothing is erased by mistake.
#[tokio::test]
async fn a_treatment_that_nobody_dated_keeps_everything_under_a_duty() {
    let row = Row {
        invoice: true,
        booked: Held::Day("1990-01-01".parse().unwrap()),
        issued: Held::Day("1990-01-01".parse().unwrap()),
    };
    let policy = PolicyDocument::from_toml(POLICY).unwrap().check(&memory_map()).unwrap();
    let undated = Arc::clone(&policy.treatments()["clear"]);
    let request = relinquish::store::TallyRequest::new(vec!["1".into()], Arc::clone(&undated));
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder.path().join("host.sqlite"), "early", std::slice::from_ref(&row));
    for tally in
        [memory("early", std::slice::from_ref(&row)).tally(&request).await, store.tally(&request).await]
    {
        let tally = tally.unwrap().remove(0).unwrap();
        assert_eq!((tally.classes["invoice"].due, tally.kept["invoice"].rows), (0, 1));
    }
    let dated = policy.dated(&"early".into(), &undated, "2026-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(undated.digest(), policy.treatments()["clear"].digest());
    assert_ne!(dated.digest(), undated.digest());
    let request = relinquish::store::TallyRequest::new(vec!["1".into()], dated);
    let tally = store.tally(&request).await.unwrap().remove(0).unwrap();
    assert_eq!((tally.classes["invoice"].due, tally.kept.len()), (1, 0));
}

/// The record has a field with the last day of its own fiscal year. This field counts, and not the tenant's fiscal
/// year, which ends in June. With the tenant's year, the first of these rows would be kept a year longer.
#[tokio::test]
async fn the_fiscal_year_of_the_record_beats_that_of_the_tenant() {
    let policy = POLICY.replace("from = \"booked_on\"", "fiscal_year_ends = { field = \"booked_on\" }");
    let policy = PolicyDocument::from_toml(&policy).unwrap();
    let row = |year_end: Held| Row { invoice: false, booked: year_end, issued: Held::Nothing };
    let day = |text: &str| Held::Day(text.parse().unwrap());
    let rows = [row(day("2018-12-31")), row(day("2019-06-30")), row(Held::Nothing)];
    let folder = tempfile::tempdir().unwrap();
    let in_sqlite = sqlite(&folder.path().join("host.sqlite"), "early", &rows);
    let (in_memory, customers) = (memory("early", &rows), vec!["1".into()]);
    for store in [&in_sqlite as &dyn RecordStore, &in_memory] {
        let policy = policy.check(store.data_map()).unwrap();
        for (at, due, kept) in
            [("2025-12-31T12:00:00Z", 0, 3), ("2025-12-31T23:00:00Z", 1, 2), ("2030-01-01T00:00:00Z", 2, 1)]
        {
            let dated = policy.dated(&"early".into(), &policy.treatments()["clear"], at.parse().unwrap());
            let request = relinquish::store::TallyRequest::new(customers.clone(), dated);
            let tally = store.tally(&request).await.unwrap().remove(0).unwrap();
            assert_eq!((tally.classes["receipt"].due, tally.kept["receipt"].rows), (due, kept), "{at}");
        }
    }
}

/// A host has to say which field of a record refers to other records. Otherwise a record cannot be kept by the date
/// of those.
#[test]
fn a_date_that_no_field_leads_to_is_found_before_anything_runs() {
    let point = |fields: &[&str]| {
        let own = RecordClass::new("customer").field(Field::key("id"));
        let invoice =
            RecordClass::new("invoice").field(Field::key("id")).field(Field::plain("booked_on").dated());
        let line = RecordClass::new("line")
            .field(Field::key("id"))
            .field(Field::owner("invoice_id"))
            .link(Link::owner("invoice", fields.iter().copied()));
        let map =
            DataMap::builder(own).class(invoice).class(line).without_deactivation("none").build().unwrap();
        let text = POLICY.replace("name = \"remove\"", "").replace("receipt = \"anonymise\"\n", "");
        let text = text.replace("[\"invoice\", \"receipt\", \"line\"]", "\"line\"");
        let (text, _) = text.split_once("[duties.claims]").unwrap();
        let text = text.replace(
            "customer = \"anonymise\"\ninvoice = \"delete\"",
            "customer = \"anonymise\"\ninvoice = \"anonymise\"",
        );
        PolicyDocument::from_toml(&text).unwrap().check(&map)
    };
    let checked = point(&["invoice_id"]).unwrap();
    let under = checked.treatments()["clear"].class("line").unwrap().under_duty();
    assert_eq!(
        (under[0].field.as_str(), under[0].through.as_slice()),
        ("booked_on", &["invoice".into()][..])
    );
    let problems = point(&[]).unwrap_err().to_string();
    assert!(problems.contains("duties.bookkeeping.from: line has no field booked_on"), "{problems}");
    assert!(problems.contains("name in the data map the fields of line that point at invoice"), "{problems}");
}

/// Rows take their date from the record to which they belong: over several links, with a composite key, and with only
/// one kind of owner.
#[tokio::test]
async fn rows_are_kept_by_the_date_of_what_they_hang_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.sqlite");
    let database = Connection::open(&path).unwrap();
    database
        .execute_batch(
            "CREATE TABLE customers (id INTEGER PRIMARY KEY);
             CREATE TABLE invoices (
                 year INTEGER, number INTEGER, customer_id INTEGER NOT NULL REFERENCES customers, booked_on TEXT,
                 PRIMARY KEY (year, number)
             );
             CREATE TABLE lines (
                 id INTEGER PRIMARY KEY, year INTEGER, number INTEGER,
                 FOREIGN KEY (year, number) REFERENCES invoices
             );
             CREATE TABLE comments (id INTEGER PRIMARY KEY, of_type TEXT, of_id INTEGER);
             INSERT INTO customers VALUES (1), (2);
             INSERT INTO invoices VALUES (2010, 1, 1, '2010-05-05'), (2024, 1, 1, '2024-05-05'), (2024, 2, 1, NULL),
                 (2010, 9, 2, '2010-05-05');
             INSERT INTO lines VALUES (1, 2010, 1), (2, 2024, 1), (3, 2024, 1), (4, 2024, 2), (9, 2010, 9);
             INSERT INTO comments VALUES (1, 'line', 1), (2, 'line', 2), (3, 'line', 3), (4, 'line', 4),
                 (9, 'line', 9), (10, 'invoice', 1);",
        )
        .unwrap();
    let map = r#"
        version = 1
        [customers]
        table = "customers"
        key = "id"
        tenant = { is = "here" }
        deactivate = { none = "there is no such status" }
        [records.invoice]
        table = "invoices"
        key = ["year", "number"]
        owner = "customer_id"
        fields = { booked_on = "not personal" }
        [records.line]
        table = "lines"
        key = "id"
        owner = [{ column = ["year", "number"] }, "customer_id"]
        [records.comment]
        table = "comments"
        key = "id"
        owner = [
            { column = "of_id", table = "lines", key = "id", when = { of_type = "line" } },
            { column = ["year", "number"] }, "customer_id",
        ]
        [ignore]
        comments = { rest = "of invoices" }
    "#;
    let store =
        SqliteStore::open(&path, &SqlMap::from_toml(map).unwrap_or_else(|problems| panic!("{problems}")))
            .unwrap_or_else(|error| panic!("{error}"));
    let policy = r#"
        version = 1
        sweep = false
        triggers.requested = { treatment = "clear" }
        guards.active_subscription = { ignore = "x" }
        guards.not_archived = { ignore = "x" }
        treatments.clear = { customer = "anonymise", invoice = "anonymise", line = "anonymise", comment = "delete" }
        [duties.bookkeeping]
        classes = "comment"
        statute = "SE/BFL/7:2"
        from = "booked_on"
    "#;
    let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
    let now: DateTime<Utc> = "2026-01-01T12:00:00Z".parse().unwrap();
    let engine =
        Engine::builder(store, PolicyDocument::from_toml(policy).unwrap(), MemoryLedger::new(), keys)
            .clock(Arc::new(ManualClock::at(now)))
            .counted()
            .unwrap_or_else(|problems| panic!("{problems}"));
    let planned = plan(&engine).await.unwrap();
    assert_eq!(
        planned.tally().classes["comment"].rows,
        4,
        "of the line's own, and of no invoice with its number"
    );
    assert_eq!(planned.deferred()[0].rows, Some(3), "two of 2024, and one whose date nobody knows");
    assert_eq!(planned.deferred()[0].until, Some("2031-12-31".parse().unwrap()));
    let approval =
        Approval::new("op", [planned.tenant().clone()], planned.digest(), now, TimeDelta::hours(1));
    engine.erase(planned.approve(approval).unwrap()).await.unwrap();
    let left: Vec<i64> = database
        .prepare("SELECT id FROM comments ORDER BY id")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(left, [2, 3, 4, 9, 10]);
}

/// The problems of the policy with one line replaced.
fn faults(edits: &[(&str, &str)]) -> Vec<String> {
    let text = edits.iter().fold(POLICY.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    let checked = PolicyDocument::from_toml(&text).and_then(|document| document.check(&memory_map()));
    checked.err().map_or_else(Vec::new, |problems| {
        problems.iter().map(|p| format!("{}: {}", p.path, p.what)).collect()
    })
}

#[test]
fn what_is_wrong_with_the_date_of_a_duty_is_found_before_anything_runs() {
    for (from, to, wanted) in [
        (
            "from = \"booked_on\"",
            "fiscal_year_ends = { field = \"year_end\" }",
            "duties.bookkeeping.fiscal_year_ends.field: invoice has no field year_end",
        ),
        (
            "from = \"booked_on\"",
            "fiscal_year_ends = { field = \"name\" }",
            "duties.bookkeeping.fiscal_year_ends.field: invoice.name is no date",
        ),
        (
            "from = \"booked_on\"",
            "fiscal_year_ends = \"06-30\"",
            "duties.bookkeeping.fiscal_year_ends: is the record's own here",
        ),
        (
            "from = \"booked_on\"",
            "from = \"booked_on\"\nfiscal_year_ends = { field = \"booked_on\" }",
            "duties.bookkeeping.from: is not needed",
        ),
        (
            "from = \"issued_on\"",
            "fiscal_year_ends = { field = \"issued_on\" }",
            "duties.claims.fiscal_year_ends: counts for nothing",
        ),
        ("from = \"booked_on\"", "", "duties.bookkeeping.from: is missing"),
    ] {
        let found = faults(&[(from, to)]);
        assert!(found.iter().any(|fault| fault.starts_with(wanted)), "{from} → {to}: {found:#?}");
    }
}

#[test]
fn what_is_wrong_with_a_duty_is_found_before_anything_runs() {
    assert_eq!(faults(&[]), Vec::<String>::new());
    for (from, to, wanted) in [
        ("statute = \"SE/BFL/7:2\"", "", "duties.bookkeeping: has no basis in law"),
        (
            "statute = \"SE/BFL/7:2\"",
            "statute = \"SE/BFL/7:3\"",
            "duties.bookkeeping.statute: SE/BFL/7:3 is no statute",
        ),
        (
            "statute = \"SE/BFL/7:2\"",
            "statute = \"SE/BFL/7:2\"\nperiod = \"6 years\"",
            "duties.bookkeeping.statute: requires 7 years",
        ),
        (
            "statute = \"SE/BFL/7:2\"",
            "statute = \"SE/BFL/7:2\"\nlaw = \"x\"",
            "duties.bookkeeping.law: is said by the statute",
        ),
        ("law = \"a limitation period\"", "", "duties.claims.law: is missing"),
        (
            "ground = \"17(3)(e)\"",
            "ground = \"17(1)(a)\"",
            "duties.claims.ground: is no ground on which data must be kept",
        ),
        ("ground = \"17(3)(e)\"", "ground = \"a contract\"", "duties.claims.ground: is no ground"),
        ("start = \"record_date\"", "start = \"record_day\"", "duties.claims.start: is no start"),
        ("from = \"issued_on\"", "from = \"issued\"", "duties.claims.from: invoice has no field issued"),
        ("from = \"issued_on\"", "from = \"name\"", "duties.claims.from: invoice.name is no date"),
        (
            "classes = [\"invoice\", \"receipt\", \"line\"]",
            "classes = [\"invoice\", \"receipt\", \"customer\"]",
            "duties.bookkeeping.from: customer has no field booked_on, and no record that it hangs from",
        ),
        (
            "receipt = \"anonymise\"",
            "receipt = { action = \"anonymise\", fields = { booked_on = \"clear\" } }",
            "treatments.clear.receipt.booked_on: would be written over, and is the date by which receipt is kept",
        ),
        (
            "classes = [\"invoice\"]",
            "classes = [\"invoices\"]",
            "duties.claims.classes: invoices is no record class",
        ),
        (
            "classes = [\"invoice\"]\nperiod",
            "classes = [\"customer\"]\nperiod",
            "duties.claims.classes: customer is the customers' own record",
        ),
        (
            "fiscal_year_ends = \"06-30\"",
            "fiscal_year_ends = \"30 June\"",
            "fiscal_year_ends: is no end of a fiscal year",
        ),
        (
            "fiscal_year_ends = \"12-31\"",
            "duties.bookkeeping = \"off\"",
            "tenants.late.duties.bookkeeping: is not a table",
        ),
        (
            "customer = \"anonymise\"\ninvoice = \"delete\"",
            "customer = \"reassign\"\ninvoice = \"delete\"",
            "treatments.clear.customer: the customers themselves cannot be reassigned",
        ),
    ] {
        let found = faults(&[(from, to)]);
        assert!(found.iter().any(|fault| fault.starts_with(wanted)), "{from} → {to}: {found:#?}");
    }
}

/// A request is carried out completely. The records that a duty deferred become due when the duty has ended, even
/// with the switch off and without a new request. Nothing else becomes due. The same holds for every trigger, until
/// nothing is left.
#[tokio::test]
async fn what_a_duty_deferred_is_done_by_itself_when_the_duty_has_ended() {
    let receipt = |booked: &str| Row {
        invoice: false,
        booked: Held::Day(booked.parse().unwrap()),
        issued: Held::Nothing,
    };
    let rows = [receipt("2018-03-01"), receipt("2020-03-01"), receipt("2010-01-01")];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.sqlite");
    let clock = Arc::new(ManualClock::at("2019-06-01T12:00:00Z".parse().unwrap()));
    let by_map = sqlite(&path, "late", &rows);
    let store = Arc::new(memory("late", &rows));
    let policy = POLICY.replace("sweep = true", "sweep = false");
    let start = |store: Arc<dyn CustomerStore>| {
        let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
        Engine::builder(store, PolicyDocument::from_toml(&policy).unwrap(), MemoryLedger::new(), keys)
            .clock(Arc::clone(&clock))
            .counted()
            .unwrap_or_else(|problems| panic!("{problems}"))
    };
    for (engine, dump) in [
        (start(Arc::new(by_map)), Box::new(|| dump_sqlite(&path)) as Box<dyn Fn() -> Dump>),
        (start(Arc::clone(&store) as Arc<dyn CustomerStore>), Box::new(|| dump_memory(&store))),
    ] {
        let turn = |to: &str| {
            let to: DateTime<Utc> = to.parse().unwrap();
            clock.turn(to - clock.now());
            to
        };
        let swept = async || engine.plan(&"1".into(), &Asked::Sweep).await.unwrap();
        let said = async || match swept().await {
            Planned::Plan(plan) => panic!("{plan}"),
            no_plan => no_plan.to_string(),
        };
        let now = turn("2019-06-01T12:00:00Z");
        assert!(said().await.contains("the policy's sweep is off"), "nobody asked yet");
        let planned = plan(&engine).await.unwrap();
        assert_eq!((planned.tally().due(), planned.deferred()[0].rows), (2, Some(2)));
        assert_eq!(planned.deferred()[0].free_from, Some("2026-01-01".parse().unwrap()));
        erase(&engine, *planned, now).await;
        let requested = dump();
        // The record is kept until the end of the last day.
        turn("2025-12-31T22:59:59Z");
        assert_eq!(said().await, "not yet: requested makes the customer due on 2026-01-01");
        let found = engine.decide(&"1".into(), &Asked::request()).await.unwrap();
        assert!(matches!(&found, Decision::Nothing(_)), "a new request would find nothing: {found}");
        let now = turn("2025-12-31T23:00:00Z");
        let Planned::Plan(planned) = swept().await else { panic!() };
        assert_eq!((planned.tally().due(), planned.trigger()), (1, Trigger::Requested));
        assert!(planned.due().is_deferred() && planned.deferred()[0].rows == Some(1));
        assert!(
            planned.to_string().contains("requested, a duty that had deferred it has ended"),
            "{planned}"
        );
        let found = engine.explain(&"1".into(), &Asked::Sweep).await.unwrap();
        assert!(found.to_string().contains("and a duty that had deferred it has ended"), "{found}");
        erase(&engine, *planned, now).await;
        let first = dump();
        let changed: Vec<_> = first.iter().filter(|(key, is)| requested.get(*key) != Some(*is)).collect();
        assert_eq!(changed.len(), 1, "one receipt, and nothing else: {changed:?}");
        assert!(!changed[0].1.contains("Maud") && changed[0].0.1 == "1");
        // The last deferred records.
        turn("2027-12-31T12:00:00Z");
        assert_eq!(said().await, "not yet: requested makes the customer due on 2028-01-01");
        let now = turn("2028-01-01T12:00:00Z");
        let Planned::Plan(planned) = swept().await else { panic!() };
        erase(&engine, *planned, now).await;
        assert!(dump().iter().all(|((_, key), is)| key.ends_with('2') || !is.contains("Maud")));
        turn("2040-01-01T12:00:00Z");
        assert!(said().await.contains("the policy's sweep is off"), "nothing is left to come back for");
    }
}

/// If the customer has returned, everything starts again: the deferred records wait for a trigger or a request.
#[tokio::test]
async fn what_was_deferred_of_one_who_came_back_is_not_done_by_itself() {
    let receipt =
        Row { invoice: false, booked: Held::Day("2018-03-01".parse().unwrap()), issued: Held::Nothing };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.sqlite");
    let clock = Arc::new(ManualClock::at("2019-06-01T12:00:00Z".parse().unwrap()));
    let engine = engine(sqlite(&path, "late", &[receipt]), &clock);
    let planned = plan(&engine).await.unwrap();
    erase(&engine, *planned, clock.now()).await;
    clock.turn(TimeDelta::days(3_000));
    let Planned::Plan(planned) = engine.plan(&"1".into(), &Asked::Sweep).await.unwrap() else { panic!() };
    let approval =
        Approval::new("op", [planned.tenant().clone()], planned.digest(), clock.now(), TimeDelta::hours(1));
    let approved = planned.approve(approval).unwrap();
    // Between the approval and the execution, somebody writes new values into the record.
    let database = Connection::open(&path).unwrap();
    database.execute("UPDATE customers SET name = 'Maud Ashworth' WHERE id = 1", []).unwrap();
    let outcome = engine.erase(approved).await.unwrap();
    assert!(matches!(&outcome, Outcome::Superseded { .. }), "{outcome}");
    let planned = engine.plan(&"1".into(), &Asked::Sweep).await.unwrap();
    assert!(matches!(planned, Planned::Nothing(_)), "{planned}");
    let planned = plan(&engine).await.unwrap();
    assert_eq!(planned.tally().due(), 2, "a request is for all that is there");
}
