//! A shop for sweeps: a real SQLite file with customers who are due, not yet due, held, or have invoices under a
//! duty.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use relinquish::engine::{LeftCustomer, Sweep, SweepCounts, SweepEnd, SweepEvent};
use relinquish::ledger::{Closing, Ledger as _};
use relinquish::plan::{Authority, Limits, StandingApproval};
use relinquish::policy::Trigger;
use relinquish::testing::ManualClock;
use relinquish::{Engine, PolicyDocument, SqlMap, SqliteLedger, SqliteStore};
use rusqlite::Connection;

use crate::hosts::BuildCounted as _;

pub(crate) const MAP: &str = r#"
version = 1
[customers]
table = "customers"
key = "id"
tenant = "shop"
registered = "created_at"
status = { column = "status", active = "active", cancelled = "cancelled", archived = "archived" }
deactivate = { status = "archived" }
holds = "held"
dates = { cancelled = "cancelled_at" }
[customers.fields]
name = "name"
email = "email"
cancelled_at = "not personal"
held = "not personal"
[records.invoice]
table = "invoices"
key = "id"
owner = "customer_id"
fields = { billing_name = "name", dated = "not personal" }
"#;

pub(crate) const POLICY: &str = r#"
version = 1
sweep = true
triggers.requested = { treatment = "clear" }
triggers.cancelled = { after = "90 days", treatment = "clear" }
guards = { not_archived = { ignore = "each case archives" }, active_subscription = { ignore = "there are none" }, several_tenants = { ignore = "a customer has one" }, legal_claim = "block", restriction = "block", authority_order = "block" }
anonymise = { name = "remove", email = "token" }
treatments.clear = { customer = "anonymise", invoice = "anonymise" }
[duties.books]
classes = ["invoice"]
period = "3 years"
start = "record_date"
law = "a law on books"
ground = "17(3)(b)"
from = "dated"
needs = []
"#;

pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(crate) fn day(days_ago: i64) -> NaiveDate {
    (now() - TimeDelta::days(days_ago)).date_naive()
}

pub(crate) struct Shop {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) policy: String,
    pub(crate) batch: usize,
}

impl Shop {
    /// Customers 1, 2, 3 …: each with the number of days since the cancellation, or `None` for an active one.
    pub(crate) fn new(cancelled: impl IntoIterator<Item = Option<i64>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shop =
            Self { folder, clock: Arc::new(ManualClock::at(now())), policy: POLICY.to_owned(), batch: 10 };
        shop.sql(
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, shop TEXT NOT NULL, name TEXT, email TEXT, status TEXT NOT NULL,
                 cancelled_at TEXT, held TEXT, created_at TEXT NOT NULL);
             CREATE TABLE invoices (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers,
                 billing_name TEXT, dated TEXT);",
        );
        for (n, ago) in (1..).zip(cancelled) {
            shop.insert(n, "north", ago);
        }
        shop
    }

    pub(crate) fn insert(&self, id: i64, tenant: &str, cancelled: Option<i64>) {
        let (status, at) = match cancelled {
            Some(ago) => ("cancelled", format!("'{}'", day(ago))),
            None => ("active", "NULL".to_owned()),
        };
        self.sql(&format!(
            "INSERT INTO customers VALUES ({id}, '{tenant}', 'Maud {id}', 'maud.{id}@shop.test', '{status}', {at}, NULL, '2020-01-01')"
        ));
    }

    pub(crate) fn sql(&self, sql: &str) {
        Connection::open(self.path("shop.sqlite")).unwrap().execute_batch(sql).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn ledger(&self) -> SqliteLedger {
        SqliteLedger::open(self.path("ledger.sqlite")).unwrap()
    }

    /// A separate process on the same ledger.
    pub(crate) fn engine(&self, worker: &str) -> Engine {
        let store = SqliteStore::open(self.path("shop.sqlite"), &SqlMap::from_toml(MAP).unwrap()).unwrap();
        let keys = crate::hosts::keys_beside(&self.path("ledger.sqlite"));
        Engine::builder(store, PolicyDocument::from_toml(&self.policy).unwrap(), self.ledger(), keys)
            .clock(Arc::clone(&self.clock))
            .batch(self.batch)
            .worker(worker)
            .counted()
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The customers who still have a name.
    pub(crate) fn named(&self) -> Vec<i64> {
        let connection = Connection::open(self.path("shop.sqlite")).unwrap();
        let mut statement =
            connection.prepare("SELECT id FROM customers WHERE name LIKE 'Maud%' ORDER BY id").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// The number of cases that erased a customer.
    pub(crate) async fn erasures(&self) -> usize {
        let entries = self.ledger().entries(0, usize::MAX).await.unwrap();
        let closed = entries.iter().filter_map(|entry| entry.closed());
        closed.filter(|case| matches!(case.closing, Closing::Erased(_))).count()
    }

    pub(crate) fn standing(&self, engine: &Engine, limits: Limits) -> StandingApproval {
        let by = Authority::new("operator-7", ["north".into(), "south".into()]);
        let year = TimeDelta::days(365);
        StandingApproval::new(&by, engine.policy(), [Trigger::Cancelled], limits, self.clock.now(), year)
    }
}

/// All events of a sweep.
#[derive(Default, Debug)]
pub(crate) struct Told {
    pub(crate) pages: usize,
    pub(crate) due: Vec<i64>,
    pub(crate) not_yet: Vec<(i64, NaiveDate)>,
    pub(crate) blocked: Vec<(i64, Option<NaiveDate>)>,
    pub(crate) unreadable: Vec<i64>,
    pub(crate) unsurveyed: Vec<String>,
    pub(crate) counts: Option<SweepCounts>,
    pub(crate) closed: Vec<i64>,
    pub(crate) left: Vec<LeftCustomer>,
    pub(crate) end: Option<SweepEnd>,
}

fn number(customer: &relinquish::CustomerId) -> i64 {
    customer.as_str().parse().unwrap()
}

impl Told {
    pub(crate) fn hear(&mut self, event: SweepEvent) {
        assert!(self.end.is_none(), "an event after the end: {event:?}");
        match event {
            SweepEvent::Surveyed(_) => self.pages += 1,
            SweepEvent::Due(plan) => self.due.push(number(plan.customer())),
            SweepEvent::NotYet { customer, not_yet, .. } => {
                self.not_yet.push((number(&customer), not_yet.until));
            }
            SweepEvent::Blocked { customer, blocked, .. } => {
                self.blocked.push((number(&customer), blocked.since));
            }
            SweepEvent::Unreadable(one) => self.unreadable.push(number(&one.customer)),
            SweepEvent::Unsurveyed { why, .. } => self.unsurveyed.push(why),
            SweepEvent::Counted(counts) => self.counts = Some(*counts),
            SweepEvent::Closed { customer, .. } => self.closed.push(number(&customer)),
            SweepEvent::Left(left) => self.left.push(*left),
            SweepEvent::Ended(end) => self.end = Some(end),
            SweepEvent::Running { .. } | SweepEvent::Ran(_) => {}
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn of(mut sweep: Sweep) -> Self {
        let mut told = Self::default();
        while let Some(event) = sweep.next().await {
            told.hear(event.unwrap());
        }
        assert!(told.end.is_some(), "a sweep says how it ended: {told:?}");
        told
    }

    pub(crate) fn left(&self) -> Vec<i64> {
        self.left.iter().map(|left| number(&left.customer)).collect()
    }

    /// Why a customer was left.
    pub(crate) fn why(&self, customer: i64) -> String {
        let left = self.left.iter().find(|left| number(&left.customer) == customer);
        left.unwrap_or_else(|| panic!("{customer} is not left: {self:?}")).why.to_string()
    }

    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.end, Some(SweepEnd::Complete))
    }
}

/// The SQL of many invoices.
pub(crate) fn invoices(of: impl IntoIterator<Item = (i64, i64)>) -> String {
    let mut sql = String::new();
    for (customer, ago) in of {
        writeln!(
            sql,
            "INSERT INTO invoices (customer_id, billing_name, dated) VALUES ({customer}, 'Maud {customer}', '{}');",
            day(ago)
        )
        .unwrap();
    }
    sql
}
