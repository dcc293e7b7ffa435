//! What people read: whole plans, explanations and letters, word for word.

use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use relinquish::customer::{HoldKind, Moment, Status};
use relinquish::data_map::{DataMapBuilder, Fact, Field, Kind, Record, RecordClass};
use relinquish::gateway::MemoryGateway;
use relinquish::plan::letter::{
    self, Authority, Controller, Language, Letter, Letterhead, Lingering, Recipients, Request,
};
use relinquish::plan::{ExtensionReason, Holidays, RequestClock, StopReason, TreatedBefore, decide, explain};
use relinquish::policy::{Concept, Trigger};
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
        (10, 1, NULL, 'Grace Will sits in front.'), (11, 1, 2, 'With Grace and patience.'),
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
    engine_with(folder, map, POLICY)
}

fn engine_with(folder: &Path, map: &str, policy: &str) -> Engine {
    let path = folder.join("house.sqlite");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    connection.execute_batch("CREATE TABLE members_old (id INTEGER)").unwrap();
    let store = SqliteStore::open(&path, &SqlMap::from_toml(map).unwrap()).unwrap();
    let (stripe, swish) = (MemoryGateway::new("stripe"), MemoryGateway::new("swish"));
    stripe.insert("cus_1", Some(CustomerId::from("1")), 0);
    swish.insert("0701", Some(CustomerId::from("1")), 0);
    Engine::builder(store, PolicyDocument::from_toml(policy).unwrap(), MemoryLedger::new(), hosts::keys())
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
unpaid_invoice = { data = ["customer", "invoice"] }
legal_claim = { data = ["customer"] }
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
[owners]
default = "box office"
invoice = "accounts"
[words.sv.names]
customer = "kunduppgifter"
ticket = "biljetter"
invoice = "fakturor"
letter = "brev"
seat = "platser"
postcode = "postnummer"
cancelled = "uppsägningen"
created = "registreringen"
deleted = "borttagningen"
last_transaction = "senaste köpet"
service_ended = "tjänstens slut"
[words.sv.texts]
"where the audience comes from" = "varifrån publiken kommer"
"how full the *house* was" = "hur fullt *huset* var"
refunds = "återbetalningar"
"the *theatre* shares its guests" = "*teatern* delar sina gäster"
"ask the theatre" = "fråga teatern"
"a *limitation* period" = "en *preskriptionstid*"
[words.de.names]
customer = "Kundendaten"
ticket = "Eintrittskarten"
invoice = "Rechnungen"
letter = "Briefe"
seat = "Plätze"
postcode = "Postleitzahl"
cancelled = "Kündigung"
created = "Anmeldung"
deleted = "Löschung des Kontos"
last_transaction = "letzter Kauf"
service_ended = "Ende der Leistung"
[words.de.texts]
"where the audience comes from" = "woher das Publikum kommt"
"how full the *house* was" = "wie voll das *Haus* war"
refunds = "Erstattungen"
"the *theatre* shares its guests" = "das *Theater* teilt seine Gäste"
"ask the theatre" = "eine Nachfrage beim Theater"
"a *limitation* period" = "eine *Verjährungsfrist*"
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

fn head(policy: &Policy, language: Language) -> Letterhead {
    let controller =
        Controller::new("Northern Stages", "1 Quay Street, Newcastle").with_officer("dpo@stages.example");
    let authority = Authority::new("the Data Protection Authority", "Box 1, Stockholm");
    Letterhead::new(policy, language, controller, authority, day("2026-06-02")).unwrap()
}

fn request() -> Request {
    Request::new("R-17", day("2026-05-20"))
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

/// Holds a text against the one that is kept. `RELINQUISH_BLESS=1` keeps the new one.
#[track_caller]
fn assert_kept(name: &str, found: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/words/word_for_word").join(name);
    if std::env::var_os("RELINQUISH_BLESS").is_some() {
        std::fs::write(&file, found).unwrap();
    }
    let wanted = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    for (n, (found, wanted)) in found.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(found, wanted, "{name}, line {}", n + 1);
    }
    assert_eq!(found.trim_end_matches('\n'), wanted.trim_end_matches('\n'), "{name}: one of them goes on");
}

/// Holds a letter in every language against the letters that are kept.
#[track_caller]
fn assert_letters(name: &str, letter: impl Fn(Language) -> Letter) {
    for language in Language::ALL {
        assert_kept(&format!("{name}.{language}.md"), &letter(language).to_string());
    }
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
    assert_kept("plan_clear.txt", &text);
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
    assert_kept("plan_wipe.txt", &text);
    assert_kept("plan_wipe.json", &format!("{json:#}"));
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
        (
            "'clear'",
            "2024-03-01",
            "pseudonymised, because these stay: ledger.token (while the key of its epoch exists)",
        ),
        ("'clear'", "2014-03-01", "erased"),
        (
            "{ keep = 'statistics' }",
            "2024-03-01",
            "pseudonymised, because these stay: customer.city (while a duty keeps it), ledger.token (while the key of its epoch \
             exists)",
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

#[test]
fn the_statement_reads_as_a_person_would_write_it() {
    let policy = policy();
    assert_letters("statement", |language| {
        let head = head(&policy, language).with_backups(Lingering::Days(30)).with_objection().with_consent();
        letter::statement(&head, &policy, None).unwrap()
    });
}

#[test]
fn the_statement_of_a_tenant_who_erases_on_request_alone_says_so() {
    let policy = policy();
    assert_letters("statement_on_request", |language| {
        letter::statement(&head(&policy, language), &policy, Some(&"playhouse".into())).unwrap()
    });
}

/// By every guard that refuses, with a duty that would keep something even then.
#[test]
fn a_refusal_reads_as_a_person_would_write_it() {
    let policy = policy();
    let decision = decide(&policy, &blocked(), &Asked::request(), &[], now());
    assert_letters("refusal", |language| {
        letter::refusal(&head(&policy, language), &request(), policy.everyone(), &decision).unwrap()
    });
}

#[test]
fn an_extension_reads_as_a_person_would_write_it() {
    let policy = policy();
    let (mut clock, holidays) = (RequestClock::received(day("2026-01-31")), Holidays::default());
    clock.suspend(day("2026-02-02"), StopReason::Identity, &holidays).unwrap();
    clock.resume(day("2026-02-05")).unwrap();
    clock.extend(day("2026-02-20"), ExtensionReason::Complexity, &holidays).unwrap();
    assert_letters("extension", |language| {
        letter::extension(&head(&policy, language), "R-17", policy.everyone(), &clock, &holidays).unwrap()
    });
}

/// What the classes and texts of the house are called elsewhere.
const HOUSE: &str = r#"
[words.sv.names]
customer = "kunduppgifter"
booking = "bokningar"
invoice = "fakturor"
seat = "platser"
postcode = "postnummer"
born = "födelsedatum"
note = "anteckning"
last_visit = "senaste besöket"
[words.sv.texts]
"where the audience comes from" = "varifrån publiken kommer"
"how full the house was" = "hur fullt huset var"
refunds = "återbetalningar"
"a copy that the night clears" = "en kopia som rensas varje natt"
[words.de.names]
customer = "Kundendaten"
booking = "Buchungen"
invoice = "Rechnungen"
seat = "Plätze"
postcode = "Postleitzahl"
born = "Geburtsdatum"
note = "Vermerk"
last_visit = "letzter Besuch"
[words.de.texts]
"where the audience comes from" = "woher das Publikum kommt"
"how full the house was" = "wie voll das Haus war"
refunds = "Erstattungen"
"a copy that the night clears" = "eine Kopie, die jede Nacht gelöscht wird"
"#;

/// A real case, and the letters that its certificate gives.
async fn confirmed(name: &str, asked: &Asked, request: Option<&Request>) {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine_with(folder.path(), MAP, &format!("{POLICY}{HOUSE}"));
    let outcome = engine.erase(hosts::approved(&engine, &"1".into(), asked).await).await.unwrap();
    let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}"));
    let told = certificate.letter_facts();
    assert_letters(name, |language| {
        let mut head = head(engine.policy(), language).with_backups(Lingering::Days(30));
        head.date = told.on;
        let head = head.with_recipients(Recipients::Named);
        letter::confirmation(&head, request, &told).unwrap()
    });
    let dated = |date: chrono::NaiveDate, request: Option<&Request>| {
        let mut head = head(engine.policy(), Language::English);
        head.date = date;
        letter::confirmation(&head, request, &told).map(drop)
    };
    let english = |request| dated(told.on, request);
    let Err(letter::LetterError::Early { later, .. }) = dated(told.on.pred_opt().unwrap(), request) else {
        panic!("a letter tells what has not happened yet")
    };
    assert_eq!(later, "the letter is dated");
    if request.is_some() {
        let late = Request::new("R-9", told.on.succ_opt().unwrap());
        let Err(letter::LetterError::Early { later, .. }) = dated(late.received, Some(&late)) else {
            panic!("an erasure answers a request that came later")
        };
        assert_eq!(later, "the erasure was carried out");
    }
    let other = if request.is_some() { None } else { Some(self::request()) };
    let asked = request.is_some();
    assert_eq!(english(other.as_ref()), Err(letter::LetterError::Request { asked }));
}

#[tokio::test]
async fn a_confirmation_reads_as_a_person_would_write_it() {
    confirmed("confirmation", &Asked::request(), Some(&request())).await;
}

/// A sweep is no request, and the letter does not say so.
#[tokio::test]
async fn a_letter_about_a_sweep_says_that_nobody_asked() {
    confirmed("confirmation_of_a_sweep", &Asked::Sweep, None).await;
}

#[test]
fn the_deletion_concept_is_printed_from_map_and_policy() {
    let concept = Concept::of(&policy(), None, &map());
    assert_kept("concept.md", &concept.to_markdown());
    assert_kept("concept.csv", &concept.to_csv());
    assert_eq!(concept.without_owner().count(), 0);
    let nobody = LETTERS.replace("default = \"box office\"\n", "");
    let nobody = PolicyDocument::from_toml(&nobody).and_then(|policy| policy.check(&map())).unwrap();
    let concept = Concept::of(&nobody, Some(&"playhouse".into()), &map());
    let unowned: Vec<&str> = concept.without_owner().collect();
    assert_eq!(unowned, ["customer", "letter", "seat", "ticket", "gateway.stripe", "gateway.swish"]);
    assert!(concept.to_markdown().starts_with("# Deletion concept: Northern Stages, tenant playhouse\n"));
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
        rows: std::collections::BTreeMap::new(),
        rest: None,
    };
    let explained = explain(&policy, &left, &Asked::Sweep, &[], now()).to_string();
    assert_kept("explained_sweep.txt", &explained);
    let explained = explain(&policy, &blocked(), &Asked::request(), &[before], now()).to_string();
    assert_kept("explained_request.txt", &explained);
}

#[test]
fn the_policy_in_force_for_a_tenant_is_printed_with_where_each_line_comes_from() {
    let policy = policy();
    assert_kept("in_force.txt", &policy.effective(&"playhouse".into()).to_string());
    let everyone = policy.everyone().to_string();
    assert!(everyone.starts_with("# in force for every tenant without an entry of its own\n"), "{everyone}");
}

/// A tombstone keeps its texts as long as it stays: what may mean the customer there has to be looked at, and the plan as
/// text must say so as its JSON does (`records[].uncertain_mentions`).
#[tokio::test]
async fn a_plan_says_where_to_look_in_what_stays_as_a_tombstone() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), MAP);
    let note = "UPDATE bookings SET note = 'With Grace and patience.' WHERE id = 10";
    rusqlite::Connection::open(folder.path().join("house.sqlite")).unwrap().execute(note, []).unwrap();
    let plan = hosts::plan(&engine, &"1".into(), &Asked::request()).await;
    assert_eq!(plan.to_json()["records"][0]["uncertain_mentions"]["note"], 1);
    assert!(plan.to_string().contains("1 mention is not certain to mean this person"), "{plan}");
}
