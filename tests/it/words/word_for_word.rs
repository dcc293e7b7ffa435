//! What people read: whole plans, explanations and letters, word for word.

use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use relinquish::customer::{HoldKind, Moment, Status};
use relinquish::data_map::{DataMapBuilder, Fact, Field, Kind, Record, RecordClass};
use relinquish::gateway::MemoryGateway;
use relinquish::plan::letter::{self, Language, Letterhead, Lingering};
use relinquish::plan::{Holidays, RequestClock, TreatedBefore, decide, explain};
use relinquish::policy::Trigger;
use relinquish::store::{ByRecord, MemoryRepository};
use relinquish::testing::ManualClock;
use relinquish::{
    Asked, Customer, CustomerId, DataMap, Engine, MemoryLedger, Policy, PolicyDocument, SqlMap, SqliteStore,
};
use serde_json::Value as Json;

use crate::hosts::{self, BuildCounted as _};

const POLICY: &str = r#"
version = 1
name = "Northern Stages"
sweep = true
time_zone = "Europe/Stockholm"
[triggers]
requested = { treatment = "wipe" }
inactive = { since = ["last_visit"], after = "2 years", treatment = "clear" }
[guards]
active_subscription = { ignore = "tickets are sold one by one" }
several_tenants = { ignore = "one house" }
not_archived = { ignore = "each case archives first" }
[anonymise]
name = "remove"
email = "token"
postcode = { keep = "where the audience comes from" }
payment_profile = "remove"
birth_date = { generalise = "year" }
free_text = "redact"
[treatments.clear]
customer = { action = "anonymise", smallest_group = 3 }
booking = "anonymise"
invoice = "anonymise"
seat = { keep = "how full the house was" }
gateway.stripe = "erase"
gateway.swish = { keep = "refunds" }
[treatments.wipe]
customer = "delete"
booking = "delete"
invoice = "delete"
seat = "delete"
gateway.stripe = "erase"
gateway.swish = "erase"
[duties.bookkeeping]
needs = []
classes = ["invoice"]
statute = "SE/BFL/7:2"
from = "booked_on"
"#;

const SCHEMA: &str = "
    CREATE TABLE members (
        id INTEGER PRIMARY KEY, state TEXT, name TEXT, email TEXT UNIQUE, postcode TEXT, born DATE, last_visit TEXT,
        stripe TEXT, swish TEXT
    );
    CREATE TABLE bookings (
        id INTEGER PRIMARY KEY, member INTEGER NOT NULL REFERENCES members, invited_by INTEGER REFERENCES members, note TEXT
    );
    CREATE TABLE invoices (
        id INTEGER PRIMARY KEY, booking INTEGER NOT NULL REFERENCES bookings, billed_to TEXT, booked_on TEXT
    );
    CREATE TABLE seats (id INTEGER PRIMARY KEY, booking INTEGER NOT NULL REFERENCES bookings, place TEXT);
    INSERT INTO members VALUES
        (1, 'active', 'Grace Will', 'grace@example.org', '411 09', '1984-05-12', '2023-10-01', 'cus_1', '0701'),
        (2, 'active', 'Olle Bergqvist', 'olle@example.org', '411 09', '1984-02-01', '2026-10-01', NULL, NULL),
        (3, 'active', 'Pia Lund', 'pia@example.org', '411 09', '1984-11-30', '2026-10-01', NULL, NULL),
        (4, 'active', 'Tor Berg', 'tor@example.org', '903 25', '1984-11-30', '2023-10-01', NULL, NULL);
    INSERT INTO bookings VALUES
        (10, 1, NULL, 'Grace Will sits in front.'), (11, 1, 2, 'With grace and patience.'),
        (20, 2, 1, 'Came with a friend.'), (40, 4, NULL, 'With a friend.');
    INSERT INTO invoices VALUES (10, 10, 'Grace Will', '2023-03-01'), (11, 11, 'Grace Will', '2015-03-01');
    INSERT INTO seats VALUES (10, 10, 'A1'), (11, 10, 'A2'), (20, 20, 'B1');";

const MAP: &str = r#"
version = 1
[customers]
table = "members"
key = "id"
tenant = { is = "playhouse" }
status = { column = "state", active = "active", archived = "archived" }
dates = { last_visit = "last_visit" }
gateways = { stripe = "stripe", swish = "swish" }
deactivate = { state = "archived" }
fields = { name = "name", email = "email", postcode = "postcode", born = "birth_date" }
[records.booking]
table = "bookings"
key = "id"
owner = "member"
ends.invited_by = "clear"
fields = { note = "free_text" }
[records.invoice]
table = "invoices"
key = "id"
owner = ["booking", "member"]
fields = { billed_to = "name", booked_on = "not personal" }
[records.seat]
table = "seats"
key = "id"
owner = ["booking", "member"]
fields = { place = "not personal" }
[ignore]
members_old = "a copy that the night clears"
"#;

fn engine(folder: &Path, map: &str) -> Engine {
    let path = folder.join("house.sqlite");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    connection.execute_batch("CREATE TABLE members_old (id INTEGER)").unwrap();
    let store = SqliteStore::open(&path, &SqlMap::from_toml(map).unwrap()).unwrap();
    let (stripe, swish) = (MemoryGateway::new("stripe"), MemoryGateway::new("swish"));
    stripe.insert("cus_1", Some(CustomerId::from("1")), 0);
    swish.insert("0701", Some(CustomerId::from("1")), 0);
    Engine::builder(store, PolicyDocument::from_toml(POLICY).unwrap(), MemoryLedger::new(), hosts::keys())
        .clock(ManualClock::at(hosts::now()))
        .gateway(stripe)
        .gateway(swish)
        .counted()
        .unwrap()
}

/// What a house of this policy says in its letters: with every kind of trigger, guard, action and duty.
const LETTERS: &str = r#"
version = 1
name = "Northern Stages"
sweep = true
time_zone = "Europe/Stockholm"
[triggers]
requested = { treatment = "clear" }
cancelled = { after = "1 year 6 months", treatment = "clear" }
deleted = { after = "1 month 1 day", treatment = "remove" }
inactive = { since = ["last_transaction", "created"], after = "4 years", treatment = "clear" }
listed = { since = ["created"], after = "2 years 1 month", treatment = "clear" }
service_ended = { since = ["service_ended"], after = "30 days", hand_over = "handed_over", treatment = "clear" }
[guards]
active_subscription = "block"
several_tenants = "block"
not_archived = { ignore = "each case archives first" }
unpaid_invoice = "block"
open_dispute = "block sweep"
not_white_label = { block = "the *theatre* shares its guests", ground = "17(1)(a)", way_out = "ask the theatre" }
[anonymise]
name = "remove"
postcode = "remove"
city = "remove"
[treatments.clear]
customer = { action = "anonymise", keep = { postcode = "where the audience comes from" } }
ticket = "anonymise"
invoice = "reassign"
letter = "delete"
seat = { keep = "how full the *house* was" }
gateway.stripe = "erase"
gateway.swish = { keep = "refunds" }
[treatments.remove]
customer = "anonymise"
ticket = "delete"
invoice = "anonymise"
letter = "delete"
seat = "delete"
gateway.stripe = "erase"
gateway.swish = "erase"
[treatments.unused]
customer = "anonymise"
ticket = "delete"
invoice = "delete"
letter = "delete"
seat = "delete"
gateway.stripe = "erase"
gateway.swish = "erase"
[duties.bookkeeping]
needs = []
classes = ["ticket", "invoice"]
statute = "SE/BFL/7:2"
from = "sold_on"
[duties.claims]
classes = ["ticket"]
period = "10 years"
start = "record_date"
law = "a *limitation* period"
ground = "17(3)(e)"
from = "sold_on"
[tenants.playhouse]
sweep = false
triggers.cancelled = "off"
guards.unpaid_invoice = { ignore = "paid at the door" }
"#;

fn map() -> DataMap {
    let sold = |class: &str| {
        RecordClass::new(class)
            .field(Field::key("id"))
            .field(Field::personal("name", Kind::Name))
            .field(Field::plain("sold_on").dated())
            .reassignable()
    };
    let plain = |class: &str| RecordClass::new(class).field(Field::key("id"));
    let customer = RecordClass::new("customer")
        .field(Field::key("id"))
        .field(Field::personal("name", Kind::Name))
        .field(Field::personal("postcode", Kind::Postcode))
        .field(Field::personal("city", Kind::City));
    let builder = DataMap::builder(customer).class(sold("ticket")).class(sold("invoice"));
    let builder = builder.class(plain("letter")).class(plain("seat"));
    let facts = [
        Fact::Status,
        Fact::Tenants,
        Fact::ActiveSubscriptions,
        Fact::UnpaidInvoices,
        Fact::OpenDisputes,
        Fact::Holds,
    ];
    let builder = facts.into_iter().fold(builder, DataMapBuilder::knows);
    let dates = ["created", "cancelled", "deleted", "last_transaction", "service_ended", "handed_over"];
    let builder = dates.into_iter().fold(builder, DataMapBuilder::date);
    builder.state("not_white_label").gateway("stripe").gateway("swish").build().unwrap()
}

fn policy() -> Policy {
    let checked = PolicyDocument::from_toml(LETTERS).and_then(|policy| policy.check(&map()));
    checked.unwrap_or_else(|problems| panic!("{problems}"))
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-06-01T22:30:00Z".parse().unwrap()
}

fn head() -> Letterhead {
    Letterhead::new(
        Language::English,
        "Northern Stages",
        "the Information Commissioner",
        "R-17",
        day("2026-06-02"),
    )
}

fn customer() -> Customer {
    let mut customer = Customer::new("1", "any");
    customer.states.insert("not_white_label".into(), false);
    customer
}

fn blocked() -> Customer {
    let mut one = customer();
    one.active_subscriptions = 1;
    one.tenants = 2;
    one.unpaid_invoices = 1;
    one.open_disputes = 1;
    one.holds.extend([HoldKind::LegalClaim, HoldKind::Restriction, HoldKind::AuthorityOrder]);
    one.states.insert("not_white_label".into(), true);
    one
}

/// Fails with the first line that is another one.
#[track_caller]
fn assert_reads(found: &str, wanted: &str) {
    for (n, (found, wanted)) in found.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(found, wanted, "line {}", n + 1);
    }
    assert_eq!(found.trim_end_matches('\n'), wanted.trim_end_matches('\n'), "one of them goes on");
}

// ---- plans ----

/// What a plan reads like. Its digest is held elsewhere.
async fn planned(map: &str, customer: &str, asked: &Asked) -> (String, Json) {
    let folder = tempfile::tempdir().unwrap();
    let plan = hosts::plan(&engine(folder.path(), map), &customer.into(), asked).await;
    let mut json = plan.to_json();
    for digest in ["/digest", "/binds/terms/policy", "/binds/terms/data_map", "/binds/terms/treatment_digest"]
    {
        let digest = json.pointer_mut(digest).unwrap();
        assert_eq!(digest.as_str().unwrap().len(), 64);
        *digest = "…".into();
    }
    (plan.to_string().replace(&plan.digest().to_string(), "…"), json)
}

#[tokio::test]
async fn a_plan_says_what_goes_what_stays_and_why() {
    let (text, _) = planned(MAP, "1", &Asked::Sweep).await;
    assert_reads(&text, include_str!("word_for_word/plan_clear.txt"));
}

#[tokio::test]
async fn a_plan_says_what_goes_where_too_few_share_it() {
    let (text, json) = planned(MAP, "4", &Asked::Sweep).await;
    let line = text.lines().find(|line| line.contains("born + postcode")).unwrap();
    let wanted = "born + postcode: fewer than 3 customers share what would stay, so it goes: born: cleared, postcode: cleared";
    assert_eq!(line.trim(), wanted);
    assert!(text.contains("    booking              anonymise       1 row\n"), "{text}");
    assert_eq!(json["records"][1]["smallest_group"]["too_small"], 1);
}

#[tokio::test]
async fn a_plan_says_what_stays_as_a_tombstone_for_whose_sake_and_until_when() {
    let map = MAP.replace("{ state = \"archived\" }", "{ none = \"nobody logs in\" }");
    let (text, json) = planned(&map, "1", &Asked::request()).await;
    assert_reads(&text, include_str!("word_for_word/plan_wipe.txt"));
    assert_reads(&format!("{json:#}"), include_str!("word_for_word/plan_wipe.json"));
}

/// A receipt that a duty keeps names nobody. Only its owner's row has to stay for its sake, and says what the policy
/// leaves in it.
#[tokio::test]
async fn a_plan_says_the_honest_word_for_what_it_leaves() {
    let receipt = RecordClass::new("receipt")
        .field(Field::key("id"))
        .field(Field::plain("booked_on").dated())
        .needs_owner();
    let customer = RecordClass::new("customer")
        .field(Field::key("id"))
        .field(Field::personal("name", Kind::Name))
        .field(Field::personal("city", Kind::City));
    let map =
        DataMap::builder(customer).class(receipt).without_deactivation("nobody logs in").build().unwrap();
    let policy = |city: &str| {
        format!(
            "version = 1\nsweep = false\ntriggers.requested = {{ treatment = 'wipe' }}\n\
             guards.active_subscription = {{ ignore = 'x' }}\nguards.several_tenants = {{ ignore = 'x' }}\n\
             guards.not_archived = {{ ignore = 'x' }}\nanonymise = {{ name = 'clear', city = {city} }}\n\
             treatments.wipe = {{ customer = 'delete', receipt = 'delete' }}\n\
             duties.books = {{ classes = 'receipt', statute = 'SE/BFL/7:2', from = 'booked_on' }}"
        )
    };
    for (city, booked, words) in [
        ("'clear'", "2024-03-01", "anonymised"),
        ("'clear'", "2014-03-01", "erased"),
        (
            "{ keep = 'statistics' }",
            "2024-03-01",
            "pseudonymised, because these stay: customer.city (while a duty keeps it)",
        ),
        ("{ keep = 'statistics' }", "2014-03-01", "erased"),
    ] {
        let repository = MemoryRepository::new(map.clone());
        let own = Record::new("customer", "1").with("id", "1").with("name", "Maud").with("city", "London");
        let receipt = Record::new("receipt", "1").with("id", "1").with("booked_on", booked);
        repository.insert(Customer::new("1", "here"), vec![own, receipt]);
        let document = PolicyDocument::from_toml(&policy(city)).unwrap();
        let engine = Engine::builder(ByRecord::new(repository), document, MemoryLedger::new(), hosts::keys());
        let engine = engine.clock(ManualClock::at(hosts::now())).counted().unwrap();
        let plan = hosts::plan(&engine, &"1".into(), &Asked::request()).await.to_string();
        let found = plan.lines().find_map(|line| line.trim().strip_prefix("afterwards the person is "));
        assert_eq!(found, Some(words), "{city} {booked}\n{plan}");
    }
}

// ---- letters ----

fn statement(language: Language, tenant: &str, lingering: &Lingering) -> String {
    letter::statement(&head().in_language(language), policy().effective(&tenant.into()), lingering)
}

#[test]
fn the_statement_reads_as_a_person_would_write_it() {
    assert_reads(
        &statement(Language::English, "any", &Lingering::Days(30)),
        include_str!("word_for_word/statement.en.md"),
    );
    assert_reads(
        &statement(Language::Swedish, "any", &Lingering::Days(30)),
        include_str!("word_for_word/statement.sv.md"),
    );
}

#[test]
fn the_statement_of_a_tenant_who_erases_on_request_alone_says_so() {
    assert_reads(
        &statement(Language::English, "playhouse", &Lingering::Unknown),
        include_str!("word_for_word/statement_on_request.en.md"),
    );
    assert_reads(
        &statement(Language::Swedish, "playhouse", &Lingering::Unknown),
        include_str!("word_for_word/statement_on_request.sv.md"),
    );
}

/// By every guard that there is, with a duty that would keep something even then.
#[test]
fn a_refusal_reads_as_a_person_would_write_it() {
    let decision = decide(&policy(), &blocked(), &Asked::request(), &[], now());
    let refusal = |language| letter::refusal(&head().in_language(language), &decision).unwrap();
    assert_reads(&refusal(Language::English), include_str!("word_for_word/refusal.en.md"));
    assert_reads(&refusal(Language::Swedish), include_str!("word_for_word/refusal.sv.md"));
}

#[test]
fn an_extension_reads_as_a_person_would_write_it() {
    let (mut clock, holidays) = (RequestClock::received(day("2026-01-31")), Holidays::default());
    clock.suspend(day("2026-02-02"), "the mail *address* is new to us", &holidays).unwrap();
    clock.resume(day("2026-02-05")).unwrap();
    clock.extend(day("2026-02-20"), "two thousand documents", &holidays).unwrap();
    let extension = |language| letter::extension(&head().in_language(language), &clock, &holidays).unwrap();
    assert_reads(&extension(Language::English), include_str!("word_for_word/extension.en.md"));
    assert_reads(&extension(Language::Swedish), include_str!("word_for_word/extension.sv.md"));
}

#[test]
fn a_confirmation_reads_as_a_person_would_write_it() {
    let policy = policy();
    let decision = decide(&policy, &customer(), &Asked::request(), &[], now());
    let confirmation = |language| {
        letter::confirmation(
            &head().in_language(language),
            &letter::Done {
                treatment: &policy.treatments()["clear"],
                deferred: decision.deferred(),
                on: day("2026-06-01"),
                link_until: Some(day("2036-06-02")),
                lingering: &Lingering::Until(day("2026-07-01")),
            },
        )
    };
    assert_reads(&confirmation(Language::English), include_str!("word_for_word/confirmation.en.md"));
    assert_reads(&confirmation(Language::Swedish), include_str!("word_for_word/confirmation.sv.md"));
}

// ---- explanations ----

#[test]
fn an_explanation_says_every_reason_in_the_order_in_which_it_was_weighed() {
    let policy = policy();
    let mut left = customer();
    left.status = Status::Cancelled;
    left.dates.insert("cancelled".to_owned(), Moment::Day(day("2024-12-01")));
    let before = TreatedBefore {
        case: "c-1".into(),
        at: "2026-05-01T12:00:00Z".parse().unwrap(),
        trigger: Trigger::Requested,
        name: "remove".into(),
        treatment: policy.treatments()["remove"].digest(),
        anything_left: true,
        rest: None,
    };
    assert_reads(
        &explain(&policy, &left, &Asked::Sweep, &[], now()).to_string(),
        include_str!("word_for_word/explained_sweep.txt"),
    );
    assert_reads(
        &explain(&policy, &blocked(), &Asked::request(), &[before], now()).to_string(),
        include_str!("word_for_word/explained_request.txt"),
    );
}

#[test]
fn the_policy_in_force_for_a_tenant_is_printed_with_where_each_line_comes_from() {
    let policy = policy();
    assert_reads(
        &policy.effective(&"playhouse".into()).to_string(),
        include_str!("word_for_word/in_force.txt"),
    );
    let everyone = policy.everyone().to_string();
    assert!(everyone.starts_with("# in force for every tenant without an entry of its own\n"), "{everyone}");
}

/// A tombstone keeps its texts as long as it stays: what may mean the customer there has to be looked at, and the plan as
/// text must say so as its JSON does (`records[].uncertain_mentions`).
#[tokio::test]
async fn a_plan_says_where_to_look_in_what_stays_as_a_tombstone() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), MAP);
    let note = "UPDATE bookings SET note = 'With grace and patience.' WHERE id = 10";
    rusqlite::Connection::open(folder.path().join("house.sqlite")).unwrap().execute(note, []).unwrap();
    let plan = hosts::plan(&engine, &"1".into(), &Asked::request()).await;
    assert_eq!(plan.to_json()["records"][0]["uncertain_mentions"]["note"], 1);
    assert!(plan.to_string().contains("1 mention is not certain to mean this person"), "{plan}");
}

/// A duty that keeps nothing of this customer leaves no link: the plan and the certificate say "anonymised", and the
/// letter must not say "pseudonymised" through records that are not there.
#[test]
fn a_confirmation_names_no_link_that_is_not_there() {
    let policy = policy();
    let letter = letter::confirmation(
        &head(),
        &letter::Done {
            treatment: &policy.treatments()["remove"],
            deferred: &[],
            on: day("2026-06-01"),
            link_until: None,
            lingering: &Lingering::Nowhere,
        },
    );
    assert!(!letter.contains("pseudonymised"), "{letter}");
}

/// The confirmation names what duties keep of this person, and nothing that they keep of others; where the row stays for
/// the sake of a record that says nothing of anybody, the person is anonymised, and not erased.
#[test]
fn a_confirmation_speaks_of_what_is_kept_of_this_person() {
    let map = DataMap::builder(
        RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name)),
    )
    .class(
        RecordClass::new("invoice")
            .field(Field::key("id"))
            .field(Field::personal("billed_to", Kind::Name))
            .field(Field::plain("booked_on").dated())
            .needs_owner(),
    )
    .class(
        RecordClass::new("total")
            .field(Field::key("id"))
            .field(Field::plain("cents"))
            .field(Field::plain("booked_on").dated())
            .needs_owner(),
    )
    .knows(Fact::Status)
    .build()
    .unwrap();
    let policy = "version = 1\nsweep = false\ntriggers.requested = { treatment = 'wipe' }\n\
         guards = { active_subscription = { ignore = 'x' }, several_tenants = { ignore = 'x' }, not_archived = { ignore = 'x' } }\n\
         anonymise.name = 'clear'\ntreatments.wipe = { customer = 'delete', invoice = 'delete', total = 'delete' }\n\
         [duties.bookkeeping]\nneeds = []\nclasses = ['invoice', 'total']\nstatute = 'SE/BFL/7:2'\nfrom = 'booked_on'";
    let policy = PolicyDocument::from_toml(policy).and_then(|policy| policy.check(&map));
    let policy = policy.unwrap_or_else(|problems| panic!("{problems}"));
    let decision = decide(&policy, &Customer::new("1", "any"), &Asked::request(), &[], now());
    let confirmation = |kept: &[&str]| {
        let deferred = decision.deferred().iter().filter(|deferred| kept.contains(&deferred.class.as_str()));
        let deferred: Vec<_> = deferred.cloned().collect();
        assert_eq!(deferred.len(), kept.len());
        let treatment = &policy.treatments()["wipe"];
        let (head, done) = (head(), day("2026-06-01"));
        letter::confirmation(
            &head,
            &letter::Done {
                treatment,
                deferred: &deferred,
                on: done,
                link_until: None,
                lingering: &Lingering::Nowhere,
            },
        )
    };
    for (kept, says) in [
        (&[][..], "Afterwards you are no longer in our records."),
        (&["total"], "Afterwards nothing in our records says who you are: they are anonymised."),
        (
            &["invoice"],
            "something still leads to you through invoice (only what the law requires to be kept)",
        ),
        (&["invoice", "total"], "through invoice (only what the law requires to be kept)"),
    ] {
        let letter = confirmation(kept);
        assert!(letter.contains(says), "{kept:?}: {says}\nis missing in\n{letter}");
    }
}
