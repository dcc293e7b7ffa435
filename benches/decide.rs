//! Measures three things: how fast the policy decides, compared with a chain of `if`s that is written by hand for
//! this one policy; what a customer who is not due costs; and how much memory the impact of a policy change needs for
//! a million customers.
//!
//! Run it with `cargo bench --bench decide`. Set `CUSTOMERS=10000` in the environment for a short run.
//!
//! The policy is realistic: 5 triggers, 12 record classes, 4 duties, 3 guards that block, and 50 tenants with their
//! own lines. The chain has the same rules and reads the same facts. The program checks that both answers agree for
//! every customer.

// This program prints figures.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark prints figures, and stops where it cannot go on"
)]

use std::alloc::System;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use cap::Cap;
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, Utc};
use relinquish::customer::{Moment, Status};
use relinquish::data_map::{Fact, Field, Kind, RecordClass};
use relinquish::plan::{Deferred, decide, impact};
use relinquish::{Asked, Customer, DataMap, Decision, Policy, PolicyDocument};

/// Counts the allocated memory and its peak.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const CLASSES: [&str; 11] = [
    "address",
    "contact",
    "order",
    "order_line",
    "invoice",
    "payment",
    "call",
    "comment",
    "activity",
    "login",
    "document",
];

/// The duties: name, class, and the number of years from the end of the calendar year.
const DUTIES: [(&str, &str, i32); 4] =
    [("bookkeeping", "invoice", 7), ("tax", "payment", 10), ("orders", "order", 7), ("calls", "call", 1)];

fn map() -> DataMap {
    let class = |name: &str| {
        RecordClass::new(name)
            .field(Field::key("id"))
            .field(Field::personal("note", Kind::FreeText))
            .field(Field::plain("dated").dated())
    };
    let root = RecordClass::new("customer")
        .field(Field::key("id"))
        .field(Field::personal("name", Kind::Name))
        .field(Field::personal("email", Kind::Email));
    let mut builder =
        CLASSES.into_iter().fold(DataMap::builder(root), |builder, name| builder.class(class(name)));
    for fact in [Fact::ActiveSubscriptions, Fact::Tenants, Fact::Status] {
        builder = builder.knows(fact);
    }
    for date in ["cancelled", "deleted", "created", "last_transaction", "service_ended"] {
        builder = builder.date(date);
    }
    builder.build().unwrap()
}

fn policy(inactive: &str) -> Policy {
    let mut text = format!(
        "version = 1\nsweep = true\ntime_zone = 'Europe/Stockholm'\n\
         [triggers]\nrequested = {{ treatment = 'clear' }}\n\
         cancelled = {{ after = '90 days', treatment = 'clear' }}\n\
         deleted = {{ after = '30 days', treatment = 'clear' }}\n\
         inactive = {{ since = ['last_transaction', 'created'], after = '{inactive}', treatment = 'marketing' }}\n\
         service_ended = {{ after = '1 month', treatment = 'clear' }}\n\
         [guards]\nactive_subscription = 'block'\nseveral_tenants = 'block'\nnot_archived = 'block sweep'\n\
         [anonymise]\nname = 'remove'\nemail = 'token'\nfree_text = 'remove'\n"
    );
    for (treatment, action) in [("clear", "'delete'"), ("marketing", "'anonymise'")] {
        writeln!(text, "[treatments.{treatment}]\ncustomer = 'anonymise'").unwrap();
        for class in CLASSES {
            writeln!(text, "{class} = {action}").unwrap();
        }
    }
    for (duty, class, years) in DUTIES {
        writeln!(
            text,
            "[duties.{duty}]\nclasses = ['{class}']\nperiod = '{years} years'\nstart = 'calendar_year'\nlaw = 'a law'\n\
             ground = '17(3)(b)'\nfrom = 'dated'"
        )
        .unwrap();
    }
    for tenant in 0..50 {
        writeln!(
            text,
            "[tenants.t{tenant}]\ntriggers.cancelled = {{ after = '{} days', treatment = 'clear' }}",
            60 + tenant
        )
        .unwrap();
    }
    PolicyDocument::from_toml(&text).unwrap().check(&map()).unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-06-15T12:00:00Z".parse().unwrap()
}

/// The n-th customer: most are not due yet.
fn customer(n: u64) -> Customer {
    let ago = |days: u64| Moment::Instant(now() - TimeDelta::days(i64::try_from(days).unwrap()));
    let mut customer = Customer::new(n.to_string(), format!("t{}", n % 100));
    customer.dates.insert("created".to_owned(), ago(400 + n % 3_000));
    if !n.is_multiple_of(3) {
        customer.dates.insert("last_transaction".to_owned(), ago(n * 7 % 1_600));
    }
    if n.is_multiple_of(5) {
        customer.status = Status::Archived;
        customer.dates.insert("cancelled".to_owned(), ago(n * 3 % 120));
    }
    customer.active_subscriptions = u32::from(n.is_multiple_of(7));
    customer
}

/// What the chain says.
#[derive(Debug, PartialEq, Eq)]
enum ByHand {
    /// The day since when the customer is due; and for each class, the day until which a duty may defer it.
    Due(NaiveDate, Vec<(&'static str, NaiveDate)>),
    NotYet(NaiveDate),
    Blocked(Vec<(&'static str, NaiveDate)>),
    Nothing,
}

/// A record dated today is kept until the end of a calendar year.
fn deferred_by_hand(today: NaiveDate) -> Vec<(&'static str, NaiveDate)> {
    let until = |years: i32| NaiveDate::from_ymd_opt(today.year() + years, 12, 31).unwrap();
    DUTIES.iter().map(|(_, class, years)| (*class, until(*years))).collect()
}

/// The same policy as code, written only for this policy.
fn by_hand(days: &HashMap<String, u64>, customer: &Customer, at: DateTime<Utc>) -> ByHand {
    let zone = chrono_tz::Europe::Stockholm;
    let day = |moment: &Moment| match moment {
        Moment::Day(day) => *day,
        Moment::Instant(at) => at.with_timezone(&zone).date_naive(),
    };
    let today = at.with_timezone(&zone).date_naive();
    let mut due: Option<NaiveDate> = None;
    let mut earliest = |day: NaiveDate| due = Some(due.map_or(day, |due| due.min(day)));
    if customer.status != Status::Active
        && let Some(cancelled) = customer.dates.get("cancelled")
    {
        let after = days.get(customer.tenant.as_str()).copied().unwrap_or(90);
        earliest(day(cancelled) + Days::new(after));
    }
    if customer.status == Status::Deleted
        && let Some(deleted) = customer.dates.get("deleted")
    {
        earliest(day(deleted) + Days::new(30));
    }
    if let Some(last) = customer.dates.get("last_transaction").or_else(|| customer.dates.get("created")) {
        earliest(day(last) + Months::new(48));
    }
    if let Some(ended) = customer.dates.get("service_ended") {
        earliest(day(ended) + Months::new(1));
    }
    match due {
        None => ByHand::Nothing,
        Some(day) if day > today => ByHand::NotYet(day),
        Some(_)
            if customer.active_subscriptions > 0
                || customer.tenants != 1
                || !customer.status.is_archived() =>
        {
            ByHand::Blocked(deferred_by_hand(today))
        }
        Some(day) => ByHand::Due(day, deferred_by_hand(today)),
    }
}

/// Whether the decision and the chain have the same day for every duty.
fn same_days(deferred: &[Deferred], until: &[(&str, NaiveDate)]) -> bool {
    let said = |class: &str| deferred.iter().find(|deferred| deferred.class.as_str() == class)?.until;
    deferred.len() == until.len() && until.iter().all(|(class, day)| said(class) == Some(*day))
}

/// Measures the memory of an impact over `count` customers. No customer is kept in memory.
fn weigh(policy_now: &Policy, count: u64) {
    let stricter = policy("3 years");
    let held = ALLOCATOR.allocated();
    let start = Instant::now();
    let found = impact(policy_now, &stricter, (0..count).map(customer), now());
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(found.customers, count);
    println!("impact over {count} customers: {seconds:.2} s, {} become due", found.total.due);
    let most = ALLOCATOR.max_allocated();
    let mib = |bytes: usize| f64::from(u32::try_from(bytes).unwrap()) / 1_048_576.0;
    println!("memory of that impact, in MiB: {:.2} ({:.2} with the policies)", mib(most - held), mib(most));
    assert!(most < 32 << 20, "the impact stays under 32 MiB, the policies included");
}

fn main() {
    let count: u64 = std::env::var("CUSTOMERS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let policy_now = policy("4 years");
    // This runs first, so that nothing else counts towards the peak.
    weigh(&policy_now, count);
    let days: HashMap<String, u64> = (0..50).map(|tenant| (format!("t{tenant}"), 60 + tenant)).collect();
    let customers: Vec<Customer> = (0..20_000).map(customer).collect();
    let at = now();
    let said = |customer: &Customer| decide(&policy_now, customer, &Asked::Sweep, &[], at);

    // Both decide the same for every customer.
    let mut kinds = [0_u64; 4];
    for customer in &customers {
        let (decision, hand) = (said(customer), by_hand(&days, customer, at));
        let same = match &decision {
            Decision::Due(due) => {
                matches!(&hand, ByHand::Due(day, until) if Some(*day) == due.since && same_days(&due.deferred, until))
            }
            Decision::NotYet(not_yet) => hand == ByHand::NotYet(not_yet.until),
            Decision::Blocked(blocked) => {
                matches!(&hand, ByHand::Blocked(until) if same_days(&blocked.deferred, until))
            }
            Decision::Nothing(_) => hand == ByHand::Nothing,
        };
        assert!(same, "{decision} / {hand:?}");
        kinds[match hand {
            ByHand::Due(..) => 0,
            ByHand::NotYet(_) => 1,
            ByHand::Blocked(_) => 2,
            ByHand::Nothing => 3,
        }] += 1;
    }
    println!("due, not yet, blocked, nothing: {kinds:?} of {}", customers.len());

    // Many short rounds, of which the fastest counts. Other work on the machine can only make a round slower, never
    // faster.
    let passes = 10;
    let mut best = [f64::MAX; 3];
    let mut time = |which: usize, work: &dyn Fn(&Customer)| {
        let start = Instant::now();
        for customer in (0..passes).flat_map(|_| &customers) {
            work(black_box(customer));
        }
        best[which] = best[which].min(start.elapsed().as_secs_f64());
    };
    for _ in 0..25 {
        time(1, &|customer| drop(black_box(by_hand(&days, customer, at))));
        time(0, &|customer| drop(black_box(said(customer))));
        time(2, &|customer| drop(black_box(by_hand(&days, customer, at))));
    }
    // The figure is rounded when it is printed.
    #[allow(clippy::cast_precision_loss, reason = "figures are printed with a few digits")]
    let decided = (passes * customers.len()) as f64;
    let by_hand_best = best[1].min(best[2]);
    println!("decisions per second: {:.0}", decided / best[0]);
    println!("decisions per second, by hand: {:.0}", decided / by_hand_best);
    println!("decisions beside the chain by hand: {:.2} of its rate", by_hand_best / best[0]);
    println!("A/A: {:.3}", best[1] / best[2]);

    let not_due: Vec<&Customer> =
        customers.iter().filter(|customer| matches!(said(customer), Decision::NotYet(_))).collect();
    let before = ALLOCATOR.total_allocated();
    for customer in &not_due {
        black_box(said(black_box(customer)));
    }
    let bytes = ALLOCATOR.total_allocated() - before;
    println!("bytes allocated for {} customers who are not due: {bytes}", not_due.len());
    assert_eq!(bytes, 0, "a customer who is not due costs no allocation");
}
