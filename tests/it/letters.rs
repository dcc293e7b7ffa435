//! Statements, letters, an operator's choice, and what a changed policy would hit.

use chrono::{DateTime, NaiveDate, Utc};
use proptest::prelude::*;
use relinquish::customer::{HoldKind, Moment, Status};
use relinquish::data_map::{Fact, Field, FieldName, Kind, RecordClass};
use relinquish::plan::letter::{self, Language, Letterhead, Lingering};
use relinquish::plan::{Holidays, Impact, RequestClock, TreatedBefore, decide, impact};
use relinquish::policy::{Choice, Trigger};
use relinquish::{Asked, Customer, DataMap, Decision, Policy, PolicyDocument};

const POLICY: &str = r#"
version = 1
name = "Northern Stages"
sweep = true
[triggers]
requested = { treatment = "remove" }
cancelled = { after = "1 year 6 months", treatment = "marketing" }
inactive = { since = ["last_transaction", "created"], after = "4 years", treatment = "marketing" }
[guards]
active_subscription = "block"
several_tenants = "block sweep"
not_archived = { ignore = "each case archives first" }
not_white_label = { block = "the *theatre* shares its guests", ground = "17(1)(a)", way_out = "ask the theatre" }
[anonymise]
name = "remove"
postcode = "remove"
city = "remove"
[treatments.remove]
customer = "delete"
ticket = "delete"
gateway.stripe = "erase"
[treatments.marketing]
customer = { action = "anonymise", keep = { postcode = "where the audience comes from" } }
ticket = { keep = "the hall's statistics" }
gateway.stripe = { keep = "refunds" }
[tenants.playhouse]
sweep = false
"#;

fn map() -> DataMap {
    DataMap::builder(
        RecordClass::new("customer")
            .field(Field::key("id"))
            .field(Field::personal("name", Kind::Name))
            .field(Field::personal("postcode", Kind::Postcode))
            .field(Field::personal("city", Kind::City)),
    )
    .class(RecordClass::new("ticket").field(Field::key("id")).field(Field::plain("seat")))
    .knows(Fact::Status)
    .knows(Fact::Tenants)
    .knows(Fact::ActiveSubscriptions)
    .knows(Fact::Holds)
    .state("not_white_label")
    .date("created")
    .date("cancelled")
    .date("last_transaction")
    .gateway("stripe")
    .build()
    .unwrap()
}

fn checked(text: &str) -> Policy {
    let checked = PolicyDocument::from_toml(text).and_then(|policy| policy.check(&map()));
    checked.unwrap_or_else(|problems| panic!("{problems}"))
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn head() -> Letterhead {
    Letterhead::new("Northern Stages", "the Information Commissioner", "R-17", day("2026-06-02"))
}

fn customer() -> Customer {
    let mut customer = Customer::new("canary@example.org", "any");
    customer.states.insert("not_white_label".into(), false);
    customer
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}\nis missing in\n{text}");
    }
    assert!(!text.contains('{') && !text.contains('}'), "something was not filled in:\n{text}");
}

#[test]
fn the_statement_says_what_the_policy_in_force_says() {
    let policy = checked(POLICY);
    let text = letter::statement(Language::English, &head(), policy.everyone(), &Lingering::Days(30));
    assert_says(
        &text,
        &[
            "# How long Northern Stages keeps your personal data",
            "Our reference: R-17. 2 June 2026",
            "* When you ask us to.",
            "* 1 year 6 months after you have ended being our customer.",
            "* 4 years after we last heard of you (counted from: last transaction, created).",
            "## What happens then (marketing)",
            "* **customer**: kept, and everything in it that says who you are is removed.",
            "* **postcode** (customer): kept. Reason: where the audience comes from.",
            "* **ticket**: kept as it is. Reason: the hall's statistics.",
            "* Your profile at the payment service **stripe**: erased.",
            "Afterwards you are no longer in our records.",
            "pseudonymised, and not anonymous: something still leads to you through customer: postcode and gateway: stripe, \
             for as long as that is kept.",
            "* If you have a subscription that still runs, and we need your data to provide it (Art. 17(1)(a) GDPR).",
            // A host's own words are text, and no Markdown of theirs.
            "* If the \\*theatre\\* shares its guests (Art. 17(1)(a) GDPR).",
            "Copies remain in our backups for at most 30 days after that",
            "lodge a complaint with the Information Commissioner",
        ],
    );
    assert!(!text.contains("connected to other companies"), "a request passes that guard:\n{text}");
    // Of a tenant whose switch is off, other words are true.
    let text = letter::statement(
        Language::English,
        &head(),
        policy.effective(&"playhouse".into()),
        &Lingering::Unknown,
    );
    assert_says(&text, &["Nothing is erased by itself", "How long cannot be said"]);
    assert!(!text.contains("last heard of you") && !text.contains("(marketing)"), "{text}");
}

#[test]
fn the_statement_is_told_in_swedish_too() {
    let mut head = head();
    head.names.insert("ticket".to_owned(), "biljetter".to_owned());
    let text = letter::statement(
        Language::Swedish,
        &head,
        checked(POLICY).everyone(),
        &Lingering::Until(day("2026-07-01")),
    );
    assert_says(
        &text,
        &[
            "# Hur länge Northern Stages sparar dina personuppgifter",
            "Vår referens: R-17. den 2 juni 2026",
            "* 1 år och 6 månader efter att du har slutat vara kund hos oss.",
            "* 4 år efter att vi senast hörde av dig (räknat från: senaste köpet, registreringen).",
            "* **kunduppgifter**: sparas, och allt som säger vem du är tas bort.",
            "* **biljetter**: sparas som de är.",
            "pseudonymiserade och inte anonyma: något leder fortfarande till dig genom kunduppgifter: postnummer och \
             betaltjänst: stripe, så länge som detta sparas.",
            "till och med den 1 juli 2026",
        ],
    );
}

#[test]
fn a_refusal_names_ground_remedy_and_way_out_and_nobody() {
    let policy = checked(POLICY);
    let mut one = customer();
    one.active_subscriptions = 1;
    one.holds.insert(HoldKind::LegalClaim);
    one.states.insert("not_white_label".into(), true);
    let Decision::Blocked(blocked) = decide(&policy, &one, &Asked::request(), &[], now()) else { panic!() };
    let text = letter::refusal(Language::English, &head(), &blocked).unwrap();
    assert_says(
        &text,
        &[
            "you have a subscription that still runs, and we need your data to provide it (Art. 17(1)(a) GDPR). What \
             would change that: end the subscription.",
            "the data are needed for a legal claim (Art. 17(3)(e) GDPR)",
            "the \\*theatre\\* shares its guests (Art. 17(1)(a) GDPR). What would change that: ask the theatre.",
            "lodge a complaint with the Information Commissioner and seek a judicial remedy",
        ],
    );
    assert!(!text.contains("canary"));
    let text = letter::refusal(Language::Swedish, &head(), &blocked).unwrap();
    assert_says(&text, &["Vad som skulle ändra detta: säg upp abonnemanget.", "väcka talan vid domstol"]);
    // What cannot be read is ours to mend, and no ground for a refusal.
    let mut unreadable = customer();
    unreadable.unreadable.insert("status".to_owned());
    let Decision::Blocked(blocked) = decide(&policy, &unreadable, &Asked::request(), &[], now()) else {
        panic!()
    };
    assert_eq!(letter::refusal(Language::English, &head(), &blocked), None);
}

#[test]
fn an_extension_says_by_when_and_why() {
    let holidays = Holidays::default();
    let mut clock = RequestClock::received(day("2026-01-31"));
    assert_eq!(letter::extension(Language::English, &head(), &clock, &holidays), None, "not extended");
    clock.suspend(day("2026-02-02"), "the mail address is new to us", &holidays).unwrap();
    clock.resume(day("2026-02-05")).unwrap();
    clock.extend(day("2026-02-20"), "two thousand documents", &holidays).unwrap();
    let text = letter::extension(Language::English, &head(), &clock, &holidays).unwrap();
    assert_says(
        &text,
        &[
            "received your request on 31 January 2026",
            "two thousand documents. You will have our answer by 4 May 2026",
            "From 2 February 2026 to 5 February 2026 the time stood still: the mail address is new to us.",
        ],
    );
    let text = letter::extension(Language::Swedish, &head(), &clock, &holidays).unwrap();
    assert_says(&text, &["senast den 4 maj 2026"]);
}

#[test]
fn a_confirmation_uses_the_honest_word_with_its_date() {
    let policy = checked(POLICY);
    let confirm = |treatment: &str, until| {
        let treatment = &policy.treatments()[treatment];
        letter::confirmation(
            Language::English,
            &head(),
            treatment,
            day("2026-06-01"),
            until,
            &Lingering::Nowhere,
        )
    };
    assert_says(
        &confirm("remove", None),
        &["carried out on 1 June 2026", "no longer in our records", "There are no backup copies."],
    );
    assert_says(
        &confirm("marketing", Some(day("2033-12-31"))),
        &[
            "pseudonymised, and not anonymous",
            "customer: postcode and gateway: stripe, until 31 December 2033",
        ],
    );
}

#[test]
fn an_operators_choice_goes_through_the_same_check() {
    let document = PolicyDocument::from_toml(POLICY).unwrap();
    let choice = Choice::of("marketing", "campaign")
        .keep("customer", "city", "planned by city")
        .erase("customer", "postcode");
    let chosen = document.choose(&choice).unwrap().check(&map()).unwrap();
    let class = chosen.treatments()["campaign"].class("customer").unwrap();
    assert_eq!(class.kept().keys().map(FieldName::as_str).collect::<Vec<_>>(), ["city"]);
    assert_eq!(class.fields().keys().map(FieldName::as_str).collect::<Vec<_>>(), ["name", "postcode"]);
    assert_eq!(chosen.treatments()["campaign"].links(), ["customer.city", "gateway.stripe"]);
    assert_ne!(chosen.digest(), document.clone().check(&map()).unwrap().digest());
    assert!(
        chosen.effective(&"playhouse".into()).treatments().contains_key("campaign"),
        "tenants keep their entries"
    );
    assert!(!chosen.effective(&"playhouse".into()).sweeps());
    let asked = Asked::Request { treatment: Some("campaign".into()) };
    assert!(matches!(decide(&chosen, &customer(), &asked, &[], now()), Decision::Due(_)));
    for (choice, part) in [
        (Choice::of("marketin", "x"), "treatments.x: marketin is no treatment; did you mean marketing?"),
        (Choice::of("marketing", "remove"), "treatments.remove: is there already"),
        (
            Choice::of("remove", "x").keep("customer", "city", "why"),
            "treatments.x.customer: is not anonymised",
        ),
    ] {
        let problems = document.choose(&choice).unwrap_err().to_string();
        assert!(problems.contains(part), "{problems}");
    }
    for (choice, part) in [
        (
            Choice::of("marketing", "x").keep("customer", "town", "why"),
            "treatments.x.customer.keep.town: is no field",
        ),
        (
            Choice::of("marketing", "x").keep("customer", "id", "why"),
            "treatments.x.customer.keep.id: is not personal",
        ),
        (
            Choice::of("marketing", "x").erase("customer", "id"),
            "treatments.x.customer.fields.id: is the record's key",
        ),
    ] {
        let problems = document.choose(&choice).unwrap().check(&map()).unwrap_err().to_string();
        assert!(problems.contains(part), "{problems}");
    }
}

fn changed() -> Policy {
    checked(
        &POLICY
            .replace(
                "after = \"4 years\", treatment = \"marketing\"",
                "after = \"3 years\", treatment = \"remove\"",
            )
            .replace("after = \"1 year 6 months\"", "after = \"2 years\"")
            .replace("several_tenants = \"block sweep\"", "several_tenants = { ignore = \"allowed now\" }"),
    )
}

#[test]
fn what_a_change_would_hit_is_told_by_trigger_tenant_and_class() {
    let (old, new) = (checked(POLICY), changed());
    let of = |tenant: &str, last: &str, tenants: u32| {
        let mut one = customer();
        one.tenant = tenant.into();
        one.tenants = tenants;
        one.dates.insert("last_transaction".to_owned(), Moment::Day(day(last)));
        one
    };
    let cancelled = |on: &str| {
        let mut one = customer();
        one.status = Status::Cancelled;
        one.dates.insert("cancelled".to_owned(), Moment::Day(day(on)));
        one
    };
    let customers = [
        of("any", "2020-01-01", 1),       // due under both, and removed now
        of("other", "2023-01-01", 1),     // becomes due
        of("other", "2025-01-01", 1),     // not yet under either
        of("any", "2020-01-01", 2),       // was blocked, becomes due
        of("playhouse", "2020-01-01", 1), // switched off under both
        cancelled("2024-08-01"),          // was due after a year and a half, and is released
    ];
    let found = impact(&old, &new, &customers, now());
    assert_eq!((found.customers, found.due_before, found.at_once), (6, 2, 3));
    assert_eq!((found.total.due, found.total.treated_otherwise, found.total.released), (2, 1, 1), "{found}");
    assert_eq!(found.total.blocked, 0);
    assert_eq!(found.triggers[&Trigger::Inactive].due, 2);
    assert_eq!(found.triggers[&Trigger::Cancelled].released, 1);
    assert_eq!(found.tenants["other"].due, 1);
    assert!(!found.tenants.contains_key("playhouse"));
    assert_eq!(found.classes["customer"].due, 2);
    assert_eq!(found.classes["ticket"].due, 2, "it is deleted now");
    assert_eq!((found.classes["customer"].released, found.classes["ticket"].treated_otherwise), (1, 1));
    let back = impact(&new, &old, &customers, now());
    assert_eq!((back.total.blocked, back.total.due, back.total.released), (1, 1, 1), "{back}");
    assert!(
        found.to_string().starts_with("of 6 customers the new policy would erase 3 at once; 2 are due now\n")
    );
}

/// A changed policy reaches those who were treated before.
#[test]
fn who_was_treated_before_counts_if_the_treatment_is_another_one_now() {
    let (old, new) = (checked(POLICY), changed());
    let mut one = customer();
    one.dates.insert("last_transaction".to_owned(), Moment::Day(day("2020-01-01")));
    let done = |policy: &Policy, treatment: &str| TreatedBefore {
        case: "c".into(),
        at: now(),
        treatment: policy.treatments()[treatment].digest(),
        anything_left: false,
    };
    let added = |before: &[TreatedBefore]| {
        let mut impact = Impact::default();
        impact.add(&old, &new, &one, before, now());
        impact
    };
    assert_eq!(added(&[done(&old, "marketing")]).total.due, 1);
    assert_eq!(
        added(&[done(&old, "marketing"), done(&new, "remove")]),
        Impact { customers: 1, ..Impact::default() }
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn an_impact_is_the_sum_of_its_customers(
        people in prop::collection::vec((0..3_u32, 0..4_000_i64, 0..4_000_i64, any::<bool>()), 0..40),
    ) {
        let (old, new) = (checked(POLICY), changed());
        let customers: Vec<Customer> = people.iter().map(|(tenants, bought, left, cancelled)| {
            let mut one = customer();
            let ago = |days: i64| Moment::Instant(now() - chrono::TimeDelta::days(days));
            one.tenants = *tenants;
            one.tenant = ["any", "other", "playhouse"][*tenants as usize].into();
            one.dates.insert("last_transaction".to_owned(), ago(*bought));
            one.dates.insert("cancelled".to_owned(), ago(*left));
            one.status = if *cancelled { Status::Cancelled } else { Status::Active };
            one
        }).collect();
        let found = impact(&old, &new, &customers, now());
        let is_due = |policy: &Policy, one: &Customer| {
            matches!(decide(policy, one, &Asked::Sweep, &[], now()), Decision::Due(_))
        };
        let count = |test: &dyn Fn(&Customer) -> bool| customers.iter().filter(|one| test(one)).count() as u64;
        prop_assert_eq!(found.at_once, count(&|one| is_due(&new, one)));
        prop_assert_eq!(found.due_before, count(&|one| is_due(&old, one)));
        prop_assert_eq!(found.total.due, count(&|one| is_due(&new, one) && !is_due(&old, one)));
        let by = |sum: fn(&relinquish::plan::Shift) -> u64| {
            (found.triggers.values().map(sum).sum::<u64>(), found.tenants.values().map(sum).sum::<u64>())
        };
        prop_assert_eq!(by(|shift| shift.due), (found.total.due, found.total.due));
        prop_assert_eq!(by(|shift| shift.released), (found.total.released, found.total.released));
        prop_assert_eq!(by(|shift| shift.blocked), (found.total.blocked, found.total.blocked));
    }
}
