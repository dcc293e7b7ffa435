//! Policies from the text to the plan: grammar, check, decision, digest, approval.

use crate::hosts::BuildCounted as _;
use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use proptest::prelude::*;
use relinquish::customer::{GatewayProfile, Moment, Status};
use relinquish::data_map::{DataMap, DataMapBuilder, Fact, Field, Kind, Record, RecordClass};
use relinquish::gateway::MemoryGateway;
use relinquish::ledger::{MemoryKeyRing, TokenKey};
use relinquish::plan::{
    Approval, ApprovalError, Asked, BlockedBy, Decision, GuardFinding, Mandate, Nothing, Plan, TreatedBefore,
    decide,
};
use relinquish::policy::{Guard, GuardRule, Policy, PolicyDocument, Trigger};
use relinquish::store::{ByRecord, MemoryRepository};
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::{Customer, Digest, Engine, MemoryLedger, Planned, Problems};
use serde_json::{Value as Json, json};

const POLICY: &str = r#"
version = 1
name = "Acme"
sweep = true

[triggers]
requested = { treatment = "clear" }
cancelled = { since = ["cancelled", "created"], after = "90 days", treatment = "clear" }
deleted = { after = "30 days", treatment = "wipe" }

[guards]
active_subscription = "block"
several_tenants = { ignore = "every customer is ours alone" }
not_archived = "block sweep"

[anonymise]
name = { placeholder = "Anonymised {date}" }
email = "token"
free_text = "remove"

[treatments.clear]
customer = { action = "anonymise", keep = { city = "statistics" }, fields = { state = { constant = "gone" } } }
order = "delete"
total = { keep = "turnover; no personal field" }
gateway.stripe = "erase"

[treatments.wipe]
customer = "delete"
order = "delete"
total = "delete"
gateway.stripe = { keep = "a duty of the gateway's own" }
"#;

fn data_map() -> DataMap {
    rest(DataMap::builder(
        RecordClass::new("customer")
            .field(Field::key("id").token_part())
            .field(Field::personal("name", Kind::Name).required())
            .field(Field::personal("email", Kind::Email).required().unique())
            .field(Field::personal("city", Kind::City))
            .field(Field::plain("state")),
    ))
}

fn rest(builder: DataMapBuilder) -> DataMap {
    let order = RecordClass::new("order").field(Field::key("id")).needs_owner();
    builder
        .class(order.field(Field::personal("note", Kind::FreeText)))
        .class(RecordClass::new("total").field(Field::key("id")).field(Field::plain("sum")))
        .knows(Fact::ActiveSubscriptions)
        .knows(Fact::Tenants)
        .knows(Fact::Status)
        .date("created")
        .date("cancelled")
        .date("deleted")
        .gateway("stripe")
        .build()
        .unwrap()
}

fn parse(json: &Json) -> Result<PolicyDocument, Problems> {
    PolicyDocument::from_json(&json.to_string())
}

fn as_json() -> Json {
    json!({
        "treatments": {
            "wipe": {
                "total": "delete",
                "order": "delete",
                "customer": "delete",
                "gateway": { "stripe": { "keep": "a duty of the gateway's own" } },
            },
            "clear": {
                "customer": {
                    "action": "anonymise",
                    "keep": { "city": "statistics" },
                    "fields": { "state": { "constant": "gone" } },
                },
                "order": "delete",
                "total": { "keep": "turnover; no personal field" },
                "gateway": { "stripe": "erase" },
            },
        },
        "anonymise": {
            "free_text": "remove",
            "name": { "placeholder": "Anonymised {date}" },
            "email": "token",
        },
        "guards": {
            "not_archived": "block sweep",
            "several_tenants": { "ignore": "every customer is ours alone" },
            "active_subscription": "block",
        },
        "triggers": {
            "requested": { "treatment": "clear" },
            "cancelled": { "since": ["cancelled", "created"], "after": "90 days", "treatment": "clear" },
            "deleted": { "after": "30 days", "treatment": "wipe" },
        },
        "sweep": true,
        "name": "Acme",
        "version": 1,
    })
}

const GUARDS: [Guard; 3] = [Guard::ActiveSubscription, Guard::SeveralTenants, Guard::NotArchived];

/// The map, but with a column of numbers for which the policy writes a text.
fn numeric_state() -> DataMap {
    let state = Field::plain("state").datatype(relinquish::data_map::Datatype::Integer);
    let root = RecordClass::new("customer")
        .field(Field::key("id").token_part())
        .field(Field::personal("city", Kind::City))
        .field(state);
    rest(DataMap::builder(root))
}

/// A document with one value replaced, by JSON pointer.
fn with(mut document: Json, pointer: &str, value: Json) -> Json {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.to_owned(), value);
    document
}

fn without(mut document: Json, pointer: &str) -> Json {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
    document
}

fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

fn paths(problems: &Problems) -> Vec<String> {
    let mut paths: Vec<String> = problems.iter().map(|problem| problem.path.clone()).collect();
    paths.sort();
    paths
}

// ---- grammar ----

#[test]
fn toml_and_json_of_the_same_content_have_the_same_digest() {
    let toml = PolicyDocument::from_toml(POLICY).unwrap().check(&data_map()).unwrap();
    let json = parse(&as_json()).unwrap().check(&data_map()).unwrap();
    assert_eq!(toml.digest(), json.digest());
    assert_eq!(toml.name(), Some("Acme"));
    for (pointer, value) in [
        ("/sweep", json!(false)),
        ("/name", json!("Acme Ltd")),
        ("/triggers/cancelled/after", json!("91 days")),
        ("/guards/not_archived", json!("block")),
        ("/anonymise/name", json!("remove")),
        ("/treatments/clear/total", json!({ "keep": "another reason" })),
    ] {
        let other = parse(&with(as_json(), pointer, value)).unwrap().check(&data_map()).unwrap();
        assert_ne!(other.digest(), toml.digest(), "{pointer}");
    }
}

#[test]
fn the_order_of_keys_and_what_is_written_around_them_change_no_digest() {
    let plain = PolicyDocument::from_toml(POLICY).unwrap().check(&data_map()).unwrap();
    let commented = format!("# A comment.\n{}", POLICY.replace(" = ", "   =  "));
    let again = PolicyDocument::from_toml(&commented).unwrap().check(&data_map()).unwrap();
    assert_eq!(plain.digest(), again.digest());
    assert_eq!(plain.map_digest(), data_map().digest());
}

/// RFC 8785 has no whole numbers above 2^53. Without special care, such a constant would share its digest, and so its
/// approval, with neighbouring numbers.
#[test]
fn constants_that_differ_never_share_a_digest() {
    let digests = |constant: i64| {
        let text =
            with(as_json(), "/treatments/clear/customer/fields/state", json!({ "constant": constant }));
        let policy = parse(&text)?.check(&numeric_state())?;
        Ok::<_, Problems>((policy.digest(), policy.treatments()["clear"].digest()))
    };
    for (one, other) in [(1, 2), (9_007_199_254_740_992, 9_007_199_254_740_993), (i64::MAX, i64::MAX - 1)] {
        if let (Ok(one), Ok(other)) = (digests(one), digests(other)) {
            assert_ne!(one.0, other.0);
            assert_ne!(one.1, other.1);
        } else {
            assert!(one > 2, "small constants are no fault");
        }
    }
}

#[test]
fn an_unknown_key_is_an_error_with_its_path_and_the_nearest_name() {
    let slips = [
        ("/swep", "did you mean sweep?"),
        ("/triggers/canceled", "did you mean cancelled?"),
        ("/triggers/birthday", "there is: requested, cancelled, deleted, inactive, listed, service_ended"),
        ("/triggers/requested/after", "treatment"),
        ("/triggers/cancelled/sinse", "did you mean since?"),
        ("/triggers/deleted/treatmnt", "did you mean treatment?"),
        ("/guards/several_tenant", "did you mean several_tenants?"),
        ("/guards/several_tenants/ignor", "did you mean ignore?"),
        ("/anonymise/emial", "did you mean email?"),
        ("/anonymise/Name", "did you mean name?"),
        ("/treatments/clear/customer/feilds", "did you mean fields?"),
        ("/treatments/clear/total/kep", "did you mean keep?"),
        ("/treatments/wipe/gateway/stripe/kep", "did you mean keep?"),
    ];
    let mut all = as_json();
    for (pointer, hint) in slips {
        all = with(all, pointer, json!("x"));
        let problems = parse(&with(as_json(), pointer, json!("x"))).unwrap_err();
        let list: Vec<_> = problems.iter().collect();
        assert_eq!(list.len(), 1, "{pointer}\n{problems}");
        assert_eq!(list[0].path, dotted(pointer));
        assert!(list[0].way_out.contains(hint), "{problems}");
    }
    let mut wanted: Vec<String> = slips.iter().map(|(pointer, _)| dotted(pointer)).collect();
    wanted.sort();
    assert_eq!(paths(&parse(&all).unwrap_err()), wanted, "all at once");
}

#[test]
fn a_wrong_type_is_an_error_with_its_path_and_a_way_out() {
    for (pointer, wrong, at) in [
        ("/version", json!(2), "version"),
        ("/version", json!("1"), "version"),
        ("/version", json!(1.5), "version"),
        ("/name", json!(3), "name"),
        ("/name", json!("  "), "name"),
        ("/sweep", json!("on"), "sweep"),
        ("/sweep", json!(1), "sweep"),
        ("/triggers", json!([]), "triggers"),
        ("/triggers/requested", json!("clear"), "triggers.requested"),
        ("/triggers/requested/treatment", json!(["clear"]), "triggers.requested.treatment"),
        ("/triggers/cancelled", json!("90 days"), "triggers.cancelled"),
        ("/triggers/cancelled/after", json!(90), "triggers.cancelled.after"),
        ("/triggers/cancelled/after", json!("3 moons"), "triggers.cancelled.after"),
        ("/triggers/cancelled/after", json!("-1 days"), "triggers.cancelled.after"),
        ("/triggers/cancelled/since", json!([]), "triggers.cancelled.since"),
        ("/triggers/cancelled/since", json!(["created", 1]), "triggers.cancelled.since[1]"),
        ("/guards", json!("block"), "guards"),
        ("/guards/not_archived", json!("blocks"), "guards.not_archived"),
        ("/guards/not_archived", json!(true), "guards.not_archived"),
        ("/guards/several_tenants", json!({}), "guards.several_tenants.ignore"),
        ("/guards/several_tenants/ignore", json!(""), "guards.several_tenants.ignore"),
        ("/anonymise", json!([]), "anonymise"),
        ("/anonymise/email", json!("delete"), "anonymise.email"),
        ("/anonymise/email", json!(null), "anonymise.email"),
        ("/anonymise/email", json!({}), "anonymise.email"),
        ("/anonymise/email", json!({ "constant": "a", "keep": "b" }), "anonymise.email.constant"),
        ("/anonymise/email", json!({ "erase": "x" }), "anonymise.email.erase"),
        ("/anonymise/email", json!({ "constant": null }), "anonymise.email.constant"),
        ("/anonymise/email", json!({ "constant": ["x"] }), "anonymise.email.constant"),
        ("/anonymise/email", json!({ "keep": "" }), "anonymise.email.keep"),
        ("/anonymise/name", json!({ "placeholder": "{name}" }), "anonymise.name.placeholder"),
        ("/anonymise/name", json!({ "placeholder": "{date} {date}" }), "anonymise.name.placeholder"),
        ("/treatments", json!("delete"), "treatments"),
        ("/treatments/clear", json!("delete"), "treatments.clear"),
        ("/treatments/clear/order", json!("erase"), "treatments.clear.order"),
        ("/treatments/clear/order", json!(true), "treatments.clear.order"),
        ("/treatments/clear/total/keep", json!(true), "treatments.clear.total.keep"),
        ("/treatments/clear/total", json!({}), "treatments.clear.total.keep"),
        ("/treatments/clear/customer/action", json!("keep"), "treatments.clear.customer.action"),
        ("/treatments/clear/customer/keep", json!("city"), "treatments.clear.customer.keep"),
        ("/treatments/clear/customer/keep/city", json!(""), "treatments.clear.customer.keep.city"),
        ("/treatments/clear/customer/fields", json!("clear"), "treatments.clear.customer.fields"),
        ("/treatments/clear/customer/fields/state", json!("x"), "treatments.clear.customer.fields.state"),
        ("/treatments/clear/gateway", json!("erase"), "treatments.clear.gateway"),
        ("/treatments/clear/gateway/stripe", json!("delete"), "treatments.clear.gateway.stripe"),
    ] {
        let problems = parse(&with(as_json(), pointer, wrong.clone())).unwrap_err();
        assert_eq!(paths(&problems), [at], "{pointer} = {wrong}\n{problems}");
        assert!(problems.iter().all(|problem| !problem.way_out.is_empty()), "{problems}");
    }
}

#[test]
fn what_is_missing_is_an_error_with_its_path() {
    let needed = [
        "/version",
        "/sweep",
        "/triggers/requested/treatment",
        "/triggers/cancelled/after",
        "/triggers/deleted/treatment",
        "/guards/several_tenants/ignore",
    ];
    let mut empty = as_json();
    for pointer in needed {
        let problems = parse(&without(as_json(), pointer)).unwrap_err();
        assert_eq!(paths(&problems), [dotted(pointer)], "{problems}");
        empty = without(empty, pointer);
    }
    assert_eq!(parse(&empty).unwrap_err().iter().count(), needed.len(), "all at once");
    for pointer in ["/triggers", "/treatments"] {
        assert_eq!(paths(&parse(&without(as_json(), pointer)).unwrap_err()), [dotted(pointer)]);
    }
    for optional in ["/name", "/guards", "/anonymise", "/triggers/cancelled/since"] {
        assert!(parse(&without(as_json(), optional)).is_ok(), "{optional}");
    }
}

/// An error in one line hides no other error, neither before it nor in the same table.
#[test]
fn every_fault_of_grammar_is_said_at_once() {
    let wrong = json!({
        "version": 3,
        "name": 7,
        "sweep": "yes",
        "swep": true,
        "triggers": {
            "requested": { "after": "1 day" },
            "cancelled": { "since": [1, "created", 2], "after": "soon", "treatment": "" },
            "deleted": { "since": 4, "treatment": 5 },
        },
        "guards": { "not_archived": "no", "several_tenants": { "reason": "x" } },
        "anonymise": { "name": "gone", "email": { "constant": [] }, "mail": "remove" },
        "treatments": {
            "clear": {
                "customer": {
                    "action": "anonymize",
                    "keep": { "city": 1 },
                    "fields": { "state": "x" },
                    "field": {},
                },
                "order": { "action": 1, "keep": { "note": "" } },
                "gateway": { "stripe": "delete" },
            },
            "wipe": "delete",
        },
    });
    assert_eq!(
        paths(&parse(&wrong).unwrap_err()),
        [
            "anonymise.email.constant",
            "anonymise.mail",
            "anonymise.name",
            "guards.not_archived",
            "guards.several_tenants.reason",
            "name",
            "sweep",
            "swep",
            "treatments.clear.customer.action",
            "treatments.clear.customer.field",
            "treatments.clear.customer.fields.state",
            "treatments.clear.customer.keep.city",
            "treatments.clear.gateway.stripe",
            "treatments.clear.order.action",
            "treatments.clear.order.keep.note",
            "treatments.wipe",
            "triggers.cancelled.after",
            "triggers.cancelled.since[0]",
            "triggers.cancelled.since[2]",
            "triggers.cancelled.treatment",
            "triggers.deleted.after",
            "triggers.deleted.since",
            "triggers.deleted.treatment",
            "triggers.requested.after",
            "version",
        ]
    );
}

#[test]
fn what_is_no_document_is_one_problem() {
    for text in ["", "[]", "1", "{", "\"version = 1\""] {
        assert_eq!(PolicyDocument::from_json(text).unwrap_err().iter().count(), 1, "{text}");
    }
    assert!(
        PolicyDocument::from_toml("version = = 1").unwrap_err().to_string().contains("line 1, column 11")
    );
    assert!(PolicyDocument::from_toml("sweep = true\nsweep = false").is_err(), "a key twice");
}

/// JSON allows two entries with the same name, and the second one would silently win.
#[test]
fn a_key_that_is_there_twice_is_an_error_in_json_too() {
    let twice = as_json().to_string().replacen("\"sweep\":true", "\"sweep\":false,\"sweep\":true", 1);
    assert!(twice.contains("\"sweep\":false"), "{twice}");
    assert!(PolicyDocument::from_json(&twice).is_err());
}

#[test]
fn a_period_is_one_of_the_calendar() {
    for (text, fine) in [
        ("P1Y6M", true),
        ("100 years", true),
        ("101 years", false),
        ("0 days", true),
        ("1 day", true),
        ("36525 days", true),
        ("36526 days", false),
    ] {
        assert_eq!(parse(&with(as_json(), "/triggers/cancelled/after", json!(text))).is_ok(), fine, "{text}");
    }
    let document = PolicyDocument::from_toml(POLICY).unwrap().check(&data_map()).unwrap();
    let rule = &document.triggers()[&Trigger::Deleted];
    assert_eq!(rule.since(), ["deleted"], "its own date by default");
    assert_eq!(rule.after().unwrap().to_string(), "30 days");
}

#[test]
fn a_message_names_no_value_of_the_document() {
    let wrong = with(as_json(), "/treatments/clear/customer/fields/state", json!({ "constant": "canary" }));
    let problems = parse(&wrong).unwrap().check(&numeric_state()).unwrap_err();
    assert!(!problems.to_string().contains("canary"), "{problems}");
}

// ---- the check from outside; its other tests are next to the code ----

#[test]
fn a_bad_policy_is_refused_whole_and_a_good_one_is_what_it_says() {
    let good = PolicyDocument::from_toml(POLICY).unwrap().check(&data_map()).unwrap();
    assert!(good.sweeps());
    assert_eq!(*good.guard(&Guard::ActiveSubscription), GuardRule::Block);
    assert_eq!(*good.guard(&Guard::NotArchived), GuardRule::BlockSweep);
    assert_eq!(good.treatments()["clear"].outcome(), "pseudonymised");
    assert_eq!(good.treatments()["clear"].links()[0].to_string(), "customer.city");
    assert!(good.treatments()["wipe"].deletes_root());

    let bad = POLICY
        .replace("email = \"token\"", "email = \"clear\"")
        .replace("free_text = \"remove\"", "")
        .replace("cancelled = {", "cancelled = {  ")
        .replace("\"created\"]", "\"registered\"]")
        .replace("order = \"delete\"\ntotal = { keep", "order = \"anonymise\"\ntotl = { keep");
    let problems = PolicyDocument::from_toml(&bad).unwrap().check(&data_map()).unwrap_err();
    assert_eq!(
        paths(&problems),
        [
            "treatments.clear.customer.email",
            "treatments.clear.order.note",
            "treatments.clear.total",
            "treatments.clear.totl",
            "triggers.cancelled.since",
        ],
        "{problems}"
    );
}

// ---- decide ----

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn policy(edits: &[(&str, &str)]) -> Policy {
    let text = edits.iter().fold(POLICY.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    PolicyDocument::from_toml(&text).unwrap().check(&data_map()).unwrap()
}

/// An archived customer with these dates.
fn archived(dates: &[(&str, &str)]) -> Customer {
    let mut customer = Customer::new("7", "acme");
    customer.status = Status::Archived;
    for (name, date) in dates {
        customer.dates.insert((*name).to_owned(), Moment::Day(day(date)));
    }
    customer
}

/// A decision as one line of text.
fn short(decision: &Decision) -> String {
    let name = |by: &BlockedBy| by.guard.as_ref().map_or_else(|| by.why.to_string(), Guard::to_string);
    match decision {
        Decision::Due(due) => {
            let since = due.since.map_or(String::new(), |day| format!(" since {day}"));
            format!("due {} {}{since}", due.trigger, due.treatment)
        }
        Decision::NotYet(not_yet) => format!("not yet {} until {}", not_yet.trigger, not_yet.until),
        Decision::Blocked(blocked) => {
            let by: Vec<String> = blocked.by.iter().map(name).collect();
            format!("blocked {} by {}", blocked.trigger.map_or("?", Trigger::as_str), by.join(", "))
        }
        Decision::Nothing(nothing) => {
            format!("nothing {nothing:?}").split([' ', '{']).take(2).collect::<Vec<_>>().join(" ")
        }
    }
}

#[track_caller]
fn assert_decided(policy: &Policy, customer: &Customer, asked: &Asked, wanted: &str) {
    let decision = decide(policy, customer, asked, &[], now());
    assert_eq!(short(&decision), wanted, "{decision}");
}

#[test]
fn a_trigger_makes_a_customer_due_on_the_day_and_not_before() {
    let policy = policy(&[]);
    let cancelled = |date| archived(&[("cancelled", date)]);
    for (customer, wanted) in [
        (Customer::new("7", "acme"), "nothing NoTrigger"),
        (cancelled("2026-03-03"), "due cancelled clear since 2026-06-01"),
        (cancelled("2026-03-04"), "not yet cancelled until 2026-06-02"),
        (cancelled("2019-01-01"), "due cancelled clear since 2019-04-01"),
        (cancelled("2030-01-01"), "not yet cancelled until 2030-04-01"),
        (archived(&[]), "nothing NoDate"),
        // The first date of `since` that exists counts, not the earliest one.
        (archived(&[("created", "2010-01-01")]), "due cancelled clear since 2010-04-01"),
        (
            archived(&[("created", "2010-01-01"), ("cancelled", "2026-05-31")]),
            "not yet cancelled until 2026-08-29",
        ),
    ] {
        assert_decided(&policy, &customer, &Asked::Sweep, wanted);
    }
}

#[test]
fn of_several_triggers_the_first_that_is_due_decides() {
    let policy = policy(&[]);
    for (dates, wanted) in [
        (vec![("deleted", "2026-05-02")], "due deleted wipe since 2026-06-01"),
        (vec![("deleted", "2026-05-03")], "not yet deleted until 2026-06-02"),
        (
            vec![("cancelled", "2026-01-01"), ("deleted", "2026-05-03")],
            "due cancelled clear since 2026-04-01",
        ),
        (vec![("cancelled", "2026-05-30"), ("deleted", "2026-04-01")], "due deleted wipe since 2026-05-01"),
        (vec![("cancelled", "2026-05-30"), ("deleted", "2026-05-30")], "not yet deleted until 2026-06-29"),
        (
            vec![("cancelled", "+262142-12-31"), ("deleted", "2026-05-02")],
            "blocked deleted by the store has date cancelled in a form that cannot be read",
        ),
        (vec![], "nothing NoDate"),
    ] {
        let mut customer = archived(&dates);
        customer.status = Status::Deleted;
        assert_decided(&policy, &customer, &Asked::Sweep, wanted);
    }
    // An archived customer does not count as deleted, whatever the dates are.
    assert_decided(&policy, &archived(&[("deleted", "2020-01-01")]), &Asked::Sweep, "nothing NoDate");
    let mut never = archived(&[]);
    never.dates.insert("cancelled".to_owned(), Moment::Day(NaiveDate::MAX));
    let wanted = "blocked ? by the store has date cancelled in a form that cannot be read";
    assert_decided(&policy, &never, &Asked::Sweep, wanted);
}

#[test]
fn an_instant_counts_by_its_day_in_utc() {
    let mut customer = archived(&[]);
    let late: DateTime<Utc> = "2026-03-03T23:59:59Z".parse().unwrap();
    customer.dates.insert("cancelled".to_owned(), Moment::Instant(late));
    let policy = policy(&[]);
    let midnight: DateTime<Utc> = "2026-06-01T00:00:00Z".parse().unwrap();
    let before = midnight - TimeDelta::nanoseconds(1);
    for (at, wanted) in
        [(midnight, "due cancelled clear since 2026-06-01"), (before, "not yet cancelled until 2026-06-01")]
    {
        assert_eq!(short(&decide(&policy, &customer, &Asked::Sweep, &[], at)), wanted);
    }
}

#[test]
fn with_the_switch_off_only_a_request_erases() {
    let off = policy(&[("sweep = true", "sweep = false")]);
    let customer = archived(&[("cancelled", "2020-01-01")]);
    assert_decided(&off, &customer, &Asked::Sweep, "nothing SweepOff");
    assert_decided(&off, &customer, &Asked::request(), "due requested clear");
}

#[test]
fn a_request_waits_for_no_date_and_can_choose_its_treatment() {
    let wipe = |name: &str| Asked::Request { treatment: Some(name.into()) };
    let with = policy(&[]);
    let without = policy(&[("requested = { treatment = \"clear\" }", "")]);
    let customer = archived(&[("cancelled", "2026-05-31")]);
    assert_decided(&with, &customer, &Asked::request(), "due requested clear");
    assert_decided(&with, &customer, &wipe("wipe"), "due requested wipe");
    assert_decided(&with, &customer, &wipe("wpe"), "nothing NoSuchTreatment");
    assert_decided(&without, &customer, &Asked::request(), "nothing NoTrigger");
    assert_decided(&without, &customer, &wipe("wipe"), "due requested wipe");
}

/// A change of a customer's facts.
type Change = fn(&mut Customer);

#[test]
fn a_guard_that_is_up_blocks_as_the_policy_says() {
    let up: [(Guard, Change); 9] = [
        (Guard::ActiveSubscription, |customer| customer.active_subscriptions = 1),
        (Guard::ActiveSubscription, |customer| customer.gateway_subscriptions = 1),
        (Guard::SeveralTenants, |customer| customer.tenants = 2),
        (Guard::SeveralTenants, |customer| customer.tenants = 0),
        (Guard::NotArchived, |customer| customer.status = Status::Cancelled),
        (Guard::UnpaidInvoice, |customer| customer.unpaid_invoices = 1),
        (Guard::UnpaidInvoice, |customer| customer.gateway_unpaid_invoices = 1),
        (Guard::OpenDispute, |customer| customer.open_disputes = 1),
        (Guard::OpenDispute, |customer| customer.gateway_disputes = 1),
    ];
    for (guard, raise) in up {
        for (rule, sweep, request) in [
            ("\"block\"", None, None),
            ("\"block sweep\"", None, Some(GuardFinding::Passed)),
            ("{ ignore = \"x\" }", Some(GuardFinding::Ignored), Some(GuardFinding::Ignored)),
        ] {
            let policy = guarded(&[(guard.clone(), rule)].into());
            for (asked, finding) in [(Asked::Sweep, sweep), (Asked::request(), request)] {
                let mut customer = archived(&[("cancelled", "2020-01-01")]);
                let Decision::Due(due) = decide(&policy, &customer, &asked, &[], now()) else {
                    panic!("{guard} is down, {rule}");
                };
                let down = if rule.contains("ignore") { GuardFinding::Ignored } else { GuardFinding::Clear };
                assert_eq!(due.guards[&guard], down);
                raise(&mut customer);
                match (decide(&policy, &customer, &asked, &[], now()), finding) {
                    (Decision::Due(due), Some(finding)) => assert_eq!(due.guards[&guard], finding, "{rule}"),
                    (Decision::Blocked(blocked), None) => {
                        let by: Vec<_> = blocked.by.iter().map(|by| by.guard.clone()).collect();
                        assert_eq!(by, [Some(guard.clone())], "{rule}");
                        assert!(blocked.by.iter().all(|by| !by.why.is_empty() && !by.way_out.is_empty()));
                    }
                    (decision, _) => panic!("{guard} {rule}: {decision}"),
                }
            }
        }
    }
}

/// All guards block, except the named ones.
fn guarded(rules: &BTreeMap<Guard, &str>) -> Policy {
    let rule = |guard| rules.get(&guard).copied().unwrap_or("\"block\"");
    policy(&[
        (
            "active_subscription = \"block\"",
            &format!("active_subscription = {}", rule(Guard::ActiveSubscription)),
        ),
        (
            "several_tenants = { ignore = \"every customer is ours alone\" }",
            &format!("several_tenants = {}", rule(Guard::SeveralTenants)),
        ),
        (
            "not_archived = \"block sweep\"",
            &format!(
                "not_archived = {}\nunpaid_invoice = {}\nopen_dispute = {}",
                rule(Guard::NotArchived),
                rule(Guard::UnpaidInvoice),
                rule(Guard::OpenDispute)
            ),
        ),
    ])
}

#[test]
fn what_cannot_be_read_or_is_not_in_the_map_blocks_everything() {
    let all_ignored = guarded(&GUARDS.map(|guard| (guard, "{ ignore = \"x\" }")).into());
    let ready = || archived(&[("cancelled", "2020-01-01")]);
    let mut unreadable = ready();
    unreadable.unreadable.insert("status".to_owned());
    let mut elsewhere = ready();
    elsewhere.gateway_profiles.push(GatewayProfile::new("adyen", "canary"));
    let mut known = ready();
    known.gateway_profiles.push(GatewayProfile::new("stripe", "canary"));
    for asked in [Asked::Sweep, Asked::request()] {
        let decided = |customer| decide(&all_ignored, customer, &asked, &[], now());
        let text = decided(&unreadable).to_string();
        assert!(text.contains("status in a form that cannot be read"), "{text}");
        let text = decided(&elsewhere).to_string();
        assert!(text.contains("a profile at adyen") && !text.contains("canary"), "{text}");
        assert!(matches!(decided(&known), Decision::Due(_)));
    }
}

#[test]
fn everything_that_blocks_is_said_at_once() {
    let policy = guarded(&BTreeMap::new());
    let mut customer = Customer::new("7", "acme");
    customer.tenants = 2;
    customer.active_subscriptions = 1;
    customer.unreadable = ["date created".to_owned(), "tenant".to_owned()].into();
    customer.gateway_profiles.push(GatewayProfile::new("adyen", "p"));
    let Decision::Blocked(blocked) = decide(&policy, &customer, &Asked::request(), &[], now()) else {
        panic!("not blocked");
    };
    let guards: Vec<_> = blocked.by.iter().filter_map(|by| by.guard.clone()).collect();
    assert_eq!(guards, GUARDS);
    assert_eq!(blocked.by.len(), 6);
}

#[test]
fn the_unknown_customer_is_nobodys_to_erase() {
    let mut stand_in = archived(&[("cancelled", "2020-01-01")]);
    stand_in.stand_in = true;
    for asked in [Asked::Sweep, Asked::request(), Asked::Request { treatment: Some("wipe".into()) }] {
        assert_decided(&policy(&[]), &stand_in, &asked, "nothing StandIn");
    }
}

#[test]
fn treated_once_is_not_due_again_unless_something_is_left() {
    let policy = policy(&[]);
    let customer = archived(&[("cancelled", "2020-01-01")]);
    let done = |treatment: Digest, anything_left: bool| TreatedBefore {
        case: "c-1".into(),
        at: now(),
        trigger: Trigger::Requested,
        name: "clear".into(),
        treatment,
        anything_left,
        rows: BTreeMap::new(),
        rest: None,
    };
    let clear = policy.treatments()["clear"].digest();
    let wipe = policy.treatments()["wipe"].digest();
    for (before, nothing) in [
        (vec![], false),
        (vec![done(clear, false)], true),
        (vec![done(clear, true)], false),
        (vec![done(wipe, true)], false),
        (vec![done(wipe, false)], true),
        (vec![done(wipe, false), done(clear, false)], true),
        (vec![done(clear, true), done(clear, false)], true),
    ] {
        for asked in [Asked::Sweep, Asked::request()] {
            let decision = decide(&policy, &customer, &asked, &before, now());
            let found = matches!(decision, Decision::Nothing(Nothing::TreatedBefore { .. }));
            assert_eq!(found, nothing, "{before:?}: {decision}");
            assert!(nothing || matches!(decision, Decision::Due(_)), "{decision}");
        }
    }
}

fn any_customer() -> impl Strategy<Value = Customer> {
    let date = prop_oneof![
        (-40_000_i64..40_000).prop_map(|days| {
            let moment =
                DateTime::UNIX_EPOCH + TimeDelta::days(days) + TimeDelta::seconds(days.abs() % 86_400);
            if days % 2 == 0 { Moment::Day(moment.date_naive()) } else { Moment::Instant(moment) }
        }),
        Just(Moment::Day(NaiveDate::MAX)),
        Just(Moment::Day(NaiveDate::MIN)),
        Just(Moment::Instant(DateTime::<Utc>::MAX_UTC)),
    ];
    let status =
        prop::sample::select(vec![Status::Active, Status::Cancelled, Status::Archived, Status::Deleted]);
    let names = prop::sample::select(vec!["created", "cancelled", "deleted", "other"]);
    (
        (status, 0..3_u32, 0..3_u32, 0..3_u32, prop::bool::weighted(0.1)),
        prop::collection::btree_map(names, date, 0..4),
        prop::collection::vec(prop::sample::select(vec!["stripe", "stripe", "adyen"]), 0..2),
        prop::collection::btree_set(prop::sample::select(vec!["tenant", "status"]), 0..2),
    )
        .prop_map(|((status, tenants, own, gateway, stand_in), dates, profiles, unreadable)| {
            let mut customer = Customer::new("7", "acme");
            (customer.status, customer.tenants, customer.stand_in) = (status, tenants, stand_in);
            (customer.active_subscriptions, customer.gateway_subscriptions) = (own, gateway);
            customer.dates = dates.into_iter().map(|(name, at)| (name.to_owned(), at)).collect();
            customer.gateway_profiles = profiles.into_iter().map(|at| GatewayProfile::new(at, "p")).collect();
            customer.unreadable = unreadable.into_iter().map(str::to_owned).collect();
            customer
        })
}

fn any_asked() -> impl Strategy<Value = Asked> {
    let treatment = prop::option::of(prop::sample::select(vec!["clear", "wipe", "none"]));
    prop_oneof![
        Just(Asked::Sweep),
        treatment.prop_map(|name| Asked::Request { treatment: name.map(Into::into) })
    ]
}

/// From the weakest to the strongest.
const RULES: [&str; 3] = ["{ ignore = \"x\" }", "\"block sweep\"", "\"block\""];

fn ruled(rules: [usize; 3]) -> Policy {
    guarded(&GUARDS.into_iter().zip(rules.map(|rule| RULES[rule])).collect())
}

fn any_instant() -> impl Strategy<Value = DateTime<Utc>> {
    (-4_000_000_000_i64..4_000_000_000).prop_map(|at| DateTime::from_timestamp(at, 0).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn time_only_moves_a_customer_from_not_yet_to_due(
        customer in any_customer(), asked in any_asked(), rules in any::<[u8; 3]>(),
        at in any_instant(), days in 0..100_000_i64,
    ) {
        let policy = ruled(rules.map(|rule| usize::from(rule % 3)));
        let later = at + TimeDelta::days(days);
        // A date that was too far in the future may be plausible by then.
        let unreadable = |at: DateTime<Utc>| customer.unreadable_on(at.date_naive()).collect::<Vec<_>>();
        if unreadable(at) != unreadable(later) {
            return Ok(());
        }
        let first = decide(&policy, &customer, &asked, &[], at);
        let second = decide(&policy, &customer, &asked, &[], later);
        match &first {
            Decision::NotYet(not_yet) if later.date_naive() >= not_yet.until => {
                prop_assert!(at.date_naive() < not_yet.until);
                match second {
                    Decision::Due(due) => prop_assert_eq!(due.since, Some(not_yet.until)),
                    Decision::Blocked(blocked) => prop_assert_eq!(blocked.trigger, Some(not_yet.trigger)),
                    other => prop_assert!(false, "{}", other),
                }
            }
            // The trigger was not known.
            Decision::Blocked(blocked) if blocked.trigger.is_none() => {
                prop_assert!(matches!(second, Decision::Blocked(_)), "{}", second);
            }
            _ => prop_assert_eq!(first, second),
        }
    }

    #[test]
    fn a_blocking_guard_never_makes_more_erasable(
        customer in any_customer(), asked in any_asked(), rules in any::<[u8; 3]>(), which in 0..3_usize,
        at in any_instant(),
    ) {
        let loose = rules.map(|rule| usize::from(rule % 3));
        let mut strict = loose;
        strict[which] = (strict[which] + 1).min(2);
        if let Decision::Due(due) = decide(&ruled(strict), &customer, &asked, &[], at) {
            let Decision::Due(other) = decide(&ruled(loose), &customer, &asked, &[], at) else {
                return Err(TestCaseError::fail("due under the stricter policy alone"));
            };
            prop_assert_eq!((due.trigger, due.treatment, due.since), (other.trigger, other.treatment, other.since));
        }
    }

    #[test]
    fn a_fact_that_raises_a_guard_never_makes_more_erasable(
        customer in any_customer(), asked in any_asked(), rules in any::<[u8; 3]>(), which in 0..5_usize,
        at in any_instant(),
    ) {
        let policy = ruled(rules.map(|rule| usize::from(rule % 3)));
        let mut raised = customer.clone();
        match which {
            0 => raised.active_subscriptions += 1,
            1 => raised.gateway_subscriptions += 1,
            2 => raised.tenants = 2,
            3 => raised.gateway_profiles.push(GatewayProfile::new("adyen", "p")),
            _ => drop(raised.unreadable.insert("status".to_owned())),
        }
        if matches!(decide(&policy, &raised, &asked, &[], at), Decision::Due(_)) {
            prop_assert!(matches!(decide(&policy, &customer, &asked, &[], at), Decision::Due(_)));
        }
    }

    #[test]
    fn a_decision_is_always_there_and_says_why(
        customer in any_customer(), asked in any_asked(), sweep in any::<bool>(),
        at in prop_oneof![Just(DateTime::<Utc>::MIN_UTC), Just(DateTime::<Utc>::MAX_UTC), any_instant()],
    ) {
        let policy = policy(&[("sweep = true", if sweep { "sweep = true" } else { "sweep = false" })]);
        let decision = decide(&policy, &customer, &asked, &[], at);
        prop_assert!(!decision.to_string().is_empty());
        match &decision {
            Decision::Due(due) => {
                prop_assert_eq!(due.guards.len(), 5, "a gateway tells of invoices and disputes");
                prop_assert!(policy.treatments().contains_key(&due.treatment));
                prop_assert!(!customer.stand_in && customer.unreadable_on(at.date_naive()).count() == 0);
                prop_assert!(sweep || due.trigger == Trigger::Requested);
            }
            Decision::NotYet(not_yet) => prop_assert!(not_yet.until > at.date_naive()),
            Decision::Blocked(blocked) => prop_assert!(!blocked.by.is_empty()),
            Decision::Nothing(_) => {}
        }
    }
}

// ---- the plan's digest ----

/// The input of a plan.
struct Case {
    customer: Customer,
    notes: Vec<&'static str>,
    policy: String,
    map: DataMap,
    at: DateTime<Utc>,
    asked: Asked,
    seed: u64,
}

fn case() -> Case {
    let mut customer = archived(&[("cancelled", "2020-01-01")]);
    customer.registered = Some("2010-01-01T00:00:00Z".parse().unwrap());
    customer.gateway_profiles.push(GatewayProfile::new("stripe", "cus_canary"));
    let policy = POLICY.replace("active_subscription = \"block\"", "active_subscription = \"block sweep\"");
    Case { customer, notes: vec!["a"], policy, map: data_map(), at: now(), asked: Asked::request(), seed: 1 }
}

async fn plan(case: Case) -> Plan {
    let store = MemoryRepository::new(case.map);
    let id = case.customer.id.clone();
    let own = Record::new("customer", id.as_str()).with("name", "Canary").with("email", "canary@example.org");
    let notes = case.notes.iter().enumerate();
    let records = notes.map(|(n, note)| Record::new("order", n.to_string()).with("note", *note)).chain([own]);
    store.insert(case.customer, records.collect());
    let document = PolicyDocument::from_toml(&case.policy).unwrap();
    let keys = MemoryKeyRing::new(TokenKey::new([7; 32]));
    let engine = Engine::builder(ByRecord::new(store), document, MemoryLedger::new(), keys)
        .gateway(MemoryGateway::new("stripe"))
        .clock(ManualClock::at(case.at))
        .entropy(RepeatableEntropy::new(case.seed))
        .counted()
        .unwrap();
    match engine.plan(&id, &case.asked).await.unwrap() {
        Planned::Plan(plan) => *plan,
        no_plan => panic!("{no_plan}"),
    }
}

#[tokio::test]
async fn the_digest_of_a_plan_is_the_same_whatever_does_not_decide() {
    let first = plan(case()).await;
    let same: [fn(&mut Case); 7] = [
        |case| case.at += TimeDelta::days(40),
        |case| case.notes = vec!["a", "b", "c"],
        |case| case.customer.gateway_profiles = vec![GatewayProfile::new("stripe", "cus_other")],
        |case| case.customer.gateway_profiles.clear(),
        |case| case.seed = 2,
        |case| case.customer.status = Status::Deleted,
        |case| {
            case.customer.dates.insert("created".to_owned(), Moment::Day(day("2001-01-01")));
        },
    ];
    for (n, change) in same.iter().enumerate() {
        let mut changed = case();
        change(&mut changed);
        assert_eq!(plan(changed).await.digest(), first.digest(), "change {n}");
    }
}

#[tokio::test]
async fn the_digest_of_a_plan_is_another_when_what_decides_is_another() {
    let changes: [fn(&mut Case); 12] = [
        |_| {},
        |case| case.customer.tenants = 2,
        |case| case.customer.id = "8".into(),
        |case| case.customer.tenant = "umbrella".into(),
        |case| case.customer.registered = None,
        |case| case.customer.registered = case.customer.registered.map(|at| at + TimeDelta::seconds(1)),
        |case| case.policy = case.policy.replace("Acme", "Umbrella"),
        |case| case.policy = case.policy.replace("statistics", "other statistics"),
        |case| {
            let root = RecordClass::new("customer")
                .field(Field::key("id").token_part())
                .field(Field::personal("name", Kind::Name).required())
                .field(Field::personal("email", Kind::Email).required().unique().max_chars(60))
                .field(Field::personal("city", Kind::City))
                .field(Field::plain("state"));
            case.map = rest(DataMap::builder(root));
        },
        |case| case.customer.active_subscriptions = 1,
        |case| case.asked = Asked::Request { treatment: Some("wipe".into()) },
        |case| case.asked = Asked::Sweep,
    ];
    let mut digests = BTreeMap::new();
    for (n, change) in changes.iter().enumerate() {
        let mut case = case();
        change(&mut case);
        if let Some(other) = digests.insert(plan(case).await.digest(), n) {
            panic!("changes {other} and {n} give the same digest");
        }
    }
}

/// Anybody can compute the digest again from the JSON. All keys are ASCII and all numbers are small. So the JSON with
/// sorted keys and without blanks is the canonical form.
#[tokio::test]
async fn the_digest_of_a_plan_is_that_of_what_it_binds() {
    use sha2::Digest as _;
    let plan = plan(case()).await;
    let json = plan.to_json();
    let digest =
        |canonical: &serde_json::Value| hex::encode(sha2::Sha256::digest(canonical.to_string().as_bytes()));
    let mut binds = json["binds"].clone();
    binds["terms"] = json!(digest(&binds["terms"]));
    let hex = digest(&binds);
    assert_eq!(plan.digest().to_string(), hex, "{binds}");
    assert_eq!(json["digest"], json!(hex));
    assert_eq!(json["records"][1]["rows"], json!(1));
}

#[tokio::test]
async fn a_plan_shows_nothing_of_the_person_but_the_id() {
    let plan = plan(case()).await;
    for text in [plan.to_string(), plan.to_json().to_string(), format!("{plan:?}")] {
        assert!(!text.to_lowercase().contains("canary"), "{text}");
    }
    let text = plan.to_string();
    for part in ["pseudonymised", "customer.city", "CANNOT be taken back", "Anonymised {date}", "erased-…"]
    {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let steps: Vec<String> = plan.steps().iter().map(ToString::to_string).collect();
    assert_eq!(steps, ["deactivate", "gateway.stripe", "records", "verify"]);
}

// ---- approval ----

#[tokio::test]
async fn an_approval_holds_for_one_plan_its_tenant_and_its_time() {
    let plan = plan(case()).await;
    let other =
        Digest::to_string(&plan.digest()).replace(['0', '1', '2', '3'], "f").parse::<Digest>().unwrap();
    let hours = |n| now() + TimeDelta::hours(n);
    let approve = |tenants: &[&str], digest, from, until: DateTime<Utc>, at| {
        let tenants = tenants.iter().map(|tenant| (*tenant).into());
        let approval = Approval::new("op-1", tenants, digest, from, until - from);
        plan.clone().approve(approval).map_err(ApprovalError::from)?.mandate().valid_at(at)
    };
    let own = plan.digest();
    let acme: &[&str] = &["acme"];
    for (found, wanted) in [
        (approve(acme, own, hours(0), hours(2), hours(1)), Ok(())),
        (approve(&["umbrella", "acme"], own, hours(0), hours(2), hours(1)), Ok(())),
        (approve(acme, own, hours(1), hours(2), hours(1)), Ok(())),
        (
            approve(acme, other, hours(0), hours(2), hours(1)),
            Err(ApprovalError::OtherPlan { approved: other, plan: own }),
        ),
        (
            approve(&["umbrella"], own, hours(0), hours(2), hours(1)),
            Err(ApprovalError::OtherTenant { operator: "op-1".into(), tenant: "acme".into() }),
        ),
        (
            approve(&[], own, hours(0), hours(2), hours(1)),
            Err(ApprovalError::OtherTenant { operator: "op-1".into(), tenant: "acme".into() }),
        ),
        (
            approve(acme, own, hours(0), hours(1), hours(1)),
            Err(ApprovalError::Expired { expires_at: hours(1) }),
        ),
        (
            approve(acme, own, hours(2), hours(3), hours(1)),
            Err(ApprovalError::NotYet { approved_at: hours(2) }),
        ),
    ] {
        assert_eq!(found, wanted);
    }
    let approval = Approval::new("op-1", ["acme".into()], own, now(), TimeDelta::hours(1));
    let approved = plan.clone().approve(approval.clone()).unwrap();
    assert_eq!((approved.plan().digest(), approved.mandate()), (own, &Mandate::Approval(approval)));
}
