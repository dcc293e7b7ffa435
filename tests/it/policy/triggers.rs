//! How the decision depends on triggers, time zones, tenants and earlier treatments.

use chrono::{DateTime, NaiveDate, Utc};
use relinquish::customer::{Moment, Status};
use relinquish::data_map::{Fact, Field, Kind, RecordClass};
use relinquish::plan::{Missing, Nothing, Reason, Rest, TreatedBefore, decide, explain};
use relinquish::policy::{Origin, Trigger};
use relinquish::treatment::TreatmentName;
use relinquish::{Asked, Customer, DataMap, Decision, Policy, PolicyDocument, Problems, TenantId};

fn map() -> DataMap {
    DataMap::builder(
        RecordClass::new("customer")
            .field(Field::key("id").token_part())
            .field(Field::personal("name", Kind::Name))
            .field(Field::personal("postcode", Kind::Postcode)),
    )
    .class(
        RecordClass::new("call")
            .field(Field::key("id"))
            .field(Field::personal("number", Kind::Communication)),
    )
    .knows(Fact::Status)
    .knows(Fact::Tenants)
    .date("created")
    .date("cancelled")
    .date("deleted")
    .date("last_transaction")
    .date("service_ended")
    .date("handed_over")
    .gateway("stripe")
    .build()
    .unwrap()
}

const POLICY: &str = r#"
version = 1
name = "Nordic Commerce"
time_zone = "Europe/Stockholm"
sweep = true

[triggers]
requested = { treatment = "clear" }
cancelled = { after = "90 days", treatment = "clear" }
inactive = { since = ["last_transaction", "created"], after = "4 years", treatment = "marketing" }
listed = { treatment = "marketing" }
service_ended = { after = "1 month", hand_over = "handed_over", treatment = "clear" }

[guards]
active_subscription = { ignore = "none" }
not_archived = { ignore = "archived by each case" }

[anonymise]
name = "remove"
postcode = "remove"

[treatments.clear]
customer = "anonymise"
call = "delete"
gateway.stripe = "erase"

[treatments.marketing]
customer = { action = "anonymise", keep = { postcode = "reporting" } }
call = { keep = "statistics" }
gateway.stripe = { keep = "it pays" }

[tenants.acme]
triggers.inactive = { since = ["last_transaction", "created"], after = "P3Y", treatment = "clear" }
triggers.cancelled = "off"

[tenants.bolt]
sweep = false

[tenants.cusp]
time_zone = "America/New_York"
guards.several_tenants = { ignore = "they share" }
anonymise.postcode = { keep = "theirs" }
"#;

fn parse(text: &str) -> Result<Policy, Problems> {
    PolicyDocument::from_toml(text)?.check(&map())
}

fn policy() -> Policy {
    parse(POLICY).unwrap_or_else(|problems| panic!("{problems}"))
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn customer(tenant: &str, dates: &[(&str, &str)]) -> Customer {
    let mut customer = Customer::new("7", tenant);
    for (name, date) in dates {
        let moment = date.parse().map_or_else(|_| Moment::Instant(at(date)), Moment::Day);
        customer.dates.insert((*name).to_owned(), moment);
    }
    customer
}

#[track_caller]
fn assert_says(customer: &Customer, asked: &Asked, now: &str, wanted: &str) {
    let found = decide(&policy(), customer, asked, &[], at(now)).to_string();
    assert!(found.starts_with(wanted), "{found}\nwanted {wanted}");
}

#[test]
fn inactivity_counts_from_the_first_date_that_there_is() {
    let bought = customer("x", &[("created", "2015-01-01"), ("last_transaction", "2022-06-01")]);
    assert_says(
        &bought,
        &Asked::Sweep,
        "2026-05-31T12:00:00Z",
        "not yet: inactive makes the customer due on 2026-06-01",
    );
    assert_says(
        &bought,
        &Asked::Sweep,
        "2026-06-01T12:00:00Z",
        "due (inactive), treatment marketing, since 2026-06-01",
    );
    let never = customer("x", &[("created", "2022-02-28")]);
    assert_says(
        &never,
        &Asked::Sweep,
        "2026-06-01T12:00:00Z",
        "due (inactive), treatment marketing, since 2026-02-28",
    );
    let unknown = customer("x", &[]);
    assert_says(&unknown, &Asked::Sweep, "2026-06-01T12:00:00Z", "nothing to do: ");
}

#[test]
fn who_came_back_starts_anew() {
    let mut customer = customer("x", &[("cancelled", "2026-01-01"), ("last_transaction", "2026-05-01")]);
    customer.status = Status::Cancelled;
    assert_says(&customer, &Asked::Sweep, "2026-06-01T12:00:00Z", "due (cancelled)");
    customer.status = Status::Active;
    assert_says(&customer, &Asked::Sweep, "2026-06-01T12:00:00Z", "not yet: inactive");
}

#[test]
fn the_trigger_that_is_due_first_wins() {
    let mut customer = customer("x", &[("cancelled", "2026-05-01"), ("last_transaction", "2022-07-01")]);
    customer.status = Status::Cancelled;
    assert_says(
        &customer,
        &Asked::Sweep,
        "2026-06-15T12:00:00Z",
        "not yet: inactive makes the customer due on 2026-07-01",
    );
    assert_says(
        &customer,
        &Asked::Sweep,
        "2026-09-15T12:00:00Z",
        "due (inactive), treatment marketing, since 2026-07-01",
    );
}

#[test]
fn a_list_is_the_operators_and_no_request() {
    let listed = customer("x", &[]);
    assert_says(&listed, &Asked::List, "2026-06-01T12:00:00Z", "due (listed), treatment marketing");
    assert_says(
        &customer("bolt", &[]),
        &Asked::List,
        "2026-06-01T12:00:00Z",
        "nothing to do: the policy's sweep is off",
    );
    let mut shared = customer("x", &[]);
    shared.tenants = 2;
    assert_says(&shared, &Asked::List, "2026-06-01T12:00:00Z", "refused: the account is connected");
    // The schedule lists nobody.
    let text =
        POLICY.replace("inactive = {", "# ").replace("[tenants.acme]\ntriggers.# ", "[tenants.acme]\n# ");
    let without = parse(&text).unwrap();
    let found = decide(&without, &listed, &Asked::Sweep, &[], at("2026-06-01T12:00:00Z"));
    assert!(!matches!(found, Decision::Due(_)), "{found}");
}

#[test]
fn a_list_may_wait_too() {
    let waiting = POLICY.replace(
        "listed = { treatment = \"marketing\" }",
        "listed = { since = \"last_transaction\", after = \"3 years\", treatment = \"marketing\" }",
    );
    let policy = parse(&waiting).unwrap();
    let said = |dates: &[(&str, &str)]| {
        decide(&policy, &customer("x", dates), &Asked::List, &[], at("2026-06-01T12:00:00Z")).to_string()
    };
    assert!(said(&[("last_transaction", "2023-06-01")]).starts_with("due (listed)"));
    assert!(said(&[("last_transaction", "2023-06-02")]).starts_with("not yet: listed"));
    assert!(said(&[]).starts_with("nothing to do: listed counts from last_transaction"));
}

#[test]
fn a_whole_tenant_goes_when_its_service_ended_and_its_data_were_handed_over() {
    let now = "2026-06-01T12:00:00Z";
    let ended = [("service_ended", "2026-04-30")];
    assert_says(
        &customer("x", &ended),
        &Asked::Sweep,
        now,
        "refused: nobody has confirmed that tenant x has its data",
    );
    let handed = |date| customer("x", &[ended[0], ("handed_over", date)]);
    assert_says(&handed("2026-06-02"), &Asked::Sweep, now, "refused: nobody has confirmed");
    assert_says(
        &handed("2026-06-01"),
        &Asked::Sweep,
        now,
        "due (service_ended), treatment clear, since 2026-05-30",
    );
    // A request does not wait for the period.
    assert_says(&customer("x", &ended), &Asked::request(), now, "due (requested)");
}

#[test]
fn days_are_those_of_the_policys_zone() {
    let mut customer = customer("x", &[("cancelled", "2026-02-28T23:30:00Z")]);
    customer.status = Status::Cancelled;
    // In Stockholm it was already 1 March.
    assert_says(
        &customer,
        &Asked::Sweep,
        "2026-05-29T21:59:59Z",
        "not yet: cancelled makes the customer due on 2026-05-30",
    );
    assert_says(
        &customer,
        &Asked::Sweep,
        "2026-05-29T22:00:00Z",
        "due (cancelled), treatment clear, since 2026-05-30",
    );
    customer.tenant = "cusp".into();
    assert_says(
        &customer,
        &Asked::Sweep,
        "2026-05-29T03:59:59Z",
        "not yet: cancelled makes the customer due on 2026-05-29",
    );
    assert_says(
        &customer,
        &Asked::Sweep,
        "2026-05-29T04:00:00Z",
        "due (cancelled), treatment clear, since 2026-05-29",
    );
}

#[test]
fn a_tenants_entry_replaces_the_one_of_the_same_name_whole() {
    let mut theirs = customer("acme", &[("cancelled", "2020-01-01"), ("last_transaction", "2023-06-01")]);
    theirs.status = Status::Cancelled;
    assert_says(
        &theirs,
        &Asked::Sweep,
        "2026-05-31T12:00:00Z",
        "not yet: inactive makes the customer due on 2026-06-01",
    );
    assert_says(&theirs, &Asked::Sweep, "2026-06-01T12:00:00Z", "due (inactive), treatment clear");
    assert_says(
        &customer("bolt", &[("created", "2000-01-01")]),
        &Asked::Sweep,
        "2026-06-01T12:00:00Z",
        "nothing to do: the policy's sweep is off",
    );
    assert_says(&customer("bolt", &[]), &Asked::request(), "2026-06-01T12:00:00Z", "due (requested)");
    let policy = policy();
    let kept = |tenant: &str| {
        policy.effective(&tenant.into()).treatments()["clear"]
            .class("customer")
            .unwrap()
            .kept()
            .contains_key("postcode")
    };
    assert!(kept("cusp") && !kept("acme") && !kept("anybody"));
    let mut entries: Vec<_> = policy.tenants().map(TenantId::as_str).collect();
    entries.sort_unstable();
    assert_eq!(entries, ["acme", "bolt", "cusp"]);
}

#[test]
fn what_is_in_force_is_printed_with_its_origin() {
    let policy = policy();
    let acme = policy.effective(&"acme".into());
    let printed = acme.to_string();
    for line in [
        "# in force for tenant acme",
        "triggers.inactive = { after = \"P3Y\", since = [\"last_transaction\", \"created\"], treatment = \"clear\" }  # tenants.acme",
        "# triggers.cancelled is off: tenants.acme",
        "triggers.listed = { treatment = \"marketing\" }\n",
        "sweep = true\n",
    ] {
        assert!(printed.contains(line), "{line} is missing in\n{printed}");
    }
    let from = |path: &str| acme.lines().iter().find(|line| line.path == path).unwrap().origin.clone();
    assert_eq!(from("triggers.inactive"), Origin::Tenant("acme".into()));
    assert_eq!(from("triggers.cancelled"), Origin::Dropped("acme".into()));
    assert_eq!(from("treatments.clear"), Origin::Policy);
    assert!(
        policy.effective(&"anybody".into()).to_string().starts_with("# in force for every tenant without")
    );
    // The printed text can be read again, with the same meaning.
    let again = PolicyDocument::from_toml(&printed).unwrap().check(&map()).unwrap();
    assert_eq!(again.triggers(), acme.triggers());
    assert_eq!(again.treatments(), acme.treatments());
}

/// An entry of another tenant must not invalidate an approval for this one.
#[test]
fn a_tenants_entry_touches_no_other_tenant() {
    let before = policy();
    let after = parse(&POLICY.replace("after = \"P3Y\"", "after = \"P2Y\"")).unwrap();
    let digest = |policy: &Policy, tenant: &str| policy.effective(&TenantId::new(tenant)).digest();
    for other in ["bolt", "cusp", "anybody"] {
        assert_eq!(digest(&before, other), digest(&after, other), "{other}");
    }
    assert_ne!(digest(&before, "acme"), digest(&after, "acme"));
    assert_ne!(before.digest(), after.digest());
    let alone = parse(POLICY.split("[tenants.acme]").next().unwrap()).unwrap();
    assert_eq!(alone.digest(), alone.everyone().digest());
    assert_eq!(alone.digest(), digest(&before, "anybody"));
}

#[test]
fn what_is_wrong_with_a_tenants_entry_is_said_where_it_is() {
    let faults = |edits: &[(&str, &str)]| {
        let text = edits.iter().fold(POLICY.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        let problems = parse(&text).unwrap_err();
        problems.iter().map(|problem| problem.path.clone()).collect::<Vec<_>>()
    };
    assert_eq!(faults(&[("\"P3Y\"", "\"P3H\"")]), ["tenants.acme.triggers.inactive.after"]);
    assert_eq!(
        faults(&[("[tenants.bolt]\nsweep = false", "[tenants.bolt]\nswep = false")]),
        ["tenants.bolt.swep"]
    );
    assert_eq!(faults(&[("America/New_York", "America/New_Yorc")]), ["tenants.cusp.time_zone"]);
    assert_eq!(
        faults(&[("triggers.cancelled = \"off\"", "triggers.cancelled = \"of\"")]),
        ["tenants.acme.triggers.cancelled"]
    );
    // It is reported once, and not once per tenant.
    assert_eq!(
        faults(&[(
            "[treatments.clear]\ncustomer = \"anonymise\"\ncall = \"delete\"",
            "[treatments.clear]\ncustomer = \"anonymise\""
        )]),
        ["treatments.clear.call"]
    );
    assert_eq!(faults(&[("after = \"90 days\"", "after = \"soon\"")]), ["triggers.cancelled.after"]);
    assert_eq!(
        faults(&[("hand_over = \"handed_over\"", "hand_over = 7")]),
        ["triggers.service_ended.hand_over"],
        "not of those who have other triggers of their own"
    );
    // The policy is possible for everyone, but not with the tenant's own line.
    assert_eq!(
        faults(&[(
            "anonymise.postcode = { keep = \"theirs\" }",
            "anonymise.postcode = { placeholder = \"x\" }\nguards.open_disput = \"block\""
        )]),
        ["tenants.cusp.guards.open_disput"]
    );
    let no_name =
        POLICY.replace("triggers.cancelled = \"off\"", "triggers.requested = { treatment = \"wipe\" }");
    let problems = parse(&no_name).unwrap_err().to_string();
    assert_eq!(
        problems,
        "tenants.acme.triggers.requested.treatment: wipe is no treatment; there is: clear, marketing"
    );
}

#[test]
fn what_a_trigger_needs_is_asked_for() {
    for (from, to, path) in [
        (
            "inactive = { since = [\"last_transaction\", \"created\"], ",
            "inactive = { ",
            "triggers.inactive.since",
        ),
        ("hand_over = \"handed_over\", ", "hand_over = \"handed\", ", "triggers.service_ended.hand_over"),
        ("listed = { ", "listed = { since = \"created\", ", "triggers.listed.after"),
        ("listed = { ", "listed = { after = \"1 day\", ", "triggers.listed.since"),
        ("cancelled = { ", "cancelled = { hand_over = \"x\", ", "triggers.cancelled.hand_over"),
        ("Europe/Stockholm", "Stockholm", "time_zone"),
    ] {
        let text = POLICY.replacen(from, to, 1);
        assert_ne!(text, POLICY, "{from}");
        let text = text.split("[tenants.acme]").next().unwrap();
        let problems = parse(text).unwrap_err();
        assert_eq!(
            problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(),
            [path],
            "{problems}"
        );
    }
}

fn treated(policy: &Policy, treatment: &str, anything_left: bool) -> TreatedBefore {
    TreatedBefore {
        case: "c-1".into(),
        at: at("2026-01-01T00:00:00Z"),
        trigger: Trigger::Requested,
        name: treatment.into(),
        treatment: policy.treatments()[treatment].digest(),
        anything_left,
        rows: std::collections::BTreeMap::new(),
        rest: None,
    }
}

#[test]
fn who_was_treated_is_due_for_what_is_missing_and_only_that() {
    let policy = policy();
    let mut customer = customer("x", &[]);
    let decided = |customer: &Customer, asked: &str, before: &[TreatedBefore]| {
        let asked = Asked::Request { treatment: Some(TreatmentName::new(asked)) };
        decide(&policy, customer, &asked, before, at("2026-06-01T12:00:00Z"))
    };
    let missing = |decision: &Decision| match decision {
        Decision::Due(due) => due.again.as_ref().map(|again| again.because),
        Decision::Nothing(Nothing::TreatedBefore { case, .. }) => {
            assert_eq!(case.as_str(), "c-1");
            None
        }
        other => panic!("{other}"),
    };
    let is_due = |decision: &Decision| matches!(decision, Decision::Due(_));
    // The treatment is the same, and no records were added since.
    let found = decided(&customer, "clear", &[treated(&policy, "clear", false)]);
    assert!(!is_due(&found), "{found}");
    // A record was added since.
    let found = decided(&customer, "clear", &[treated(&policy, "clear", true)]);
    assert_eq!(missing(&found), Some(Missing::Changed), "{found}");
    // The treatment reaches further now.
    let found = decided(&customer, "clear", &[treated(&policy, "marketing", true)]);
    assert_eq!(missing(&found), Some(Missing::Grown), "{found}");
    // Another treatment that has nothing to do, so there is no case.
    let found = decided(&customer, "clear", &[treated(&policy, "marketing", false)]);
    assert!(!is_due(&found), "{found}");
    // But this treatment erases at a gateway that the first one did not name. Records at a gateway are not counted.
    customer.gateway_profiles.push(relinquish::customer::GatewayProfile::new("stripe", "cus_1"));
    let found = decided(&customer, "clear", &[treated(&policy, "marketing", false)]);
    assert_eq!(missing(&found), Some(Missing::Grown), "{found}");
    let found = decided(&customer, "marketing", &[treated(&policy, "clear", false)]);
    assert!(!is_due(&found), "marketing leaves the gateway alone: {found}");
    let found = decided(
        &customer,
        "clear",
        &[treated(&policy, "clear", false), treated(&policy, "marketing", false)],
    );
    assert!(!is_due(&found), "{found}");
}

/// Records that a duty deferred wait for their day. If a person had asked, they need neither a trigger nor the
/// switch. The decision distinguishes them from a new choice.
#[test]
fn what_was_deferred_is_due_by_itself_unless_the_customer_came_back() {
    let policy = policy();
    let now = "2026-06-01T12:00:00Z";
    let of = |trigger, from: Option<&str>| TreatedBefore {
        trigger,
        rest: Some(Rest {
            from: from.map(day),
            archived: true,
            anything_left: true,
            kept: std::collections::BTreeMap::default(),
        }),
        ..treated(&policy, "clear", true)
    };
    let decided =
        |one: &Customer, before: &[TreatedBefore]| decide(&policy, one, &Asked::Sweep, before, at(now));
    let mut one = customer("bolt", &[]);
    one.status = Status::Archived;
    for from in [None, Some("2026-06-01")] {
        let Decision::Due(due) = decided(&one, &[of(Trigger::Requested, from)]) else { panic!("{from:?}") };
        assert!(due.is_deferred());
        assert_eq!((due.trigger, due.since), (Trigger::Requested, from.map(day)));
    }
    let waits = decided(&one, &[of(Trigger::Requested, Some("2026-06-02"))]);
    assert_eq!(waits.to_string(), "not yet: requested makes the customer due on 2026-06-02");
    let off = decided(&one, &[of(Trigger::Cancelled, None)]);
    assert!(
        matches!(off, Decision::Nothing(Nothing::SweepOff)),
        "the switch is off, and nobody had asked: {off}"
    );
    // A request is a new choice, for all records that exist.
    let asked = decide(&policy, &one, &Asked::request(), &[of(Trigger::Requested, None)], at(now));
    assert!(matches!(&asked, Decision::Due(due) if !due.is_deferred() && due.again.is_some()), "{asked}");
    let first = decide(&policy, &one, &Asked::request(), &[], at(now));
    assert!(matches!(&first, Decision::Due(due) if !due.is_deferred()), "{first}");
    // A later case under the same treatment has taken over the deferred records.
    let later = TreatedBefore { case: "c-2".into(), rest: None, ..of(Trigger::Requested, None) };
    let taken = decided(&one, &[of(Trigger::Requested, None), later]);
    assert!(matches!(taken, Decision::Nothing(Nothing::SweepOff)), "{taken}");
    // The customer has returned: no longer archived, or with a purchase after the case, if the policy recognises
    // inactive customers by purchases.
    let back =
        explain(&policy, &customer("bolt", &[]), &Asked::Sweep, &[of(Trigger::Requested, None)], at(now));
    assert!(
        matches!(back.decision, Decision::Nothing(_))
            && back.to_string().contains("came back after case c-1"),
        "{back}"
    );
    for (bought, comes_back) in [("2026-01-01", false), ("2026-01-02", true)] {
        let mut one = customer("acme", &[("last_transaction", bought)]);
        one.status = Status::Archived;
        let found = decided(&one, &[of(Trigger::Requested, None)]);
        assert_eq!(matches!(found, Decision::Due(_)), !comes_back, "{bought}: {found}");
    }
    // A treatment that the policy no longer has cannot be carried out, but it is still reported.
    let gone = TreatedBefore { name: "wipe".into(), ..of(Trigger::Requested, None) };
    let found = decided(&one, &[gone]);
    assert!(matches!(&found, Decision::Nothing(Nothing::NoSuchTreatment { .. })), "{found}");
}

#[test]
fn every_decision_says_why() {
    let mut one = customer("acme", &[("last_transaction", "2020-02-29")]);
    one.status = Status::Cancelled;
    one.tenants = 2;
    let found = explain(&policy(), &one, &Asked::Sweep, &[], at("2026-06-01T12:00:00Z"));
    assert_eq!(found.decision, decide(&policy(), &one, &Asked::Sweep, &[], at("2026-06-01T12:00:00Z")));
    let text = found.to_string();
    for line in [
        "tenant acme has an entry of its own; it is 2026-06-01 in Europe/Stockholm",
        "inactive counts 3 years from last_transaction, 2020-02-29: due on 2023-02-28",
        "service_ended counts from service_ended, and the customer has no such date",
        "inactive chooses treatment clear, due since 2023-02-28",
        "guard several_tenants applies: it forbids",
        "guard not_archived applies: the policy does not look",
        "so: refused: the account is connected to more than one tenant; disconnect the account",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    let json = serde_json::to_value(&found).unwrap();
    assert!(json["reasons"].as_array().unwrap().len() == found.reasons.len(), "{json}");
    let counted = found.reasons.iter().find_map(|reason| match reason {
        Reason::Counted { due, .. } => Some(*due),
        _ => None,
    });
    assert_eq!(counted, Some(day("2023-02-28")));
}
