//! Statements, letters, an operator's choice, and what a changed policy would hit.

use chrono::{DateTime, NaiveDate, Utc};
use proptest::prelude::*;
use relinquish::customer::{HoldKind, Moment, Status};
use relinquish::data_map::{DataMapBuilder, Fact, Field, FieldName, Kind, RecordClass};
use relinquish::plan::letter::{self, Language, Letterhead, Lingering};
use relinquish::plan::{Due, Holidays, Impact, Reason, RequestClock, TreatedBefore, decide, explain, impact};
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
    .class(
        RecordClass::new("ticket")
            .field(Field::key("id"))
            .field(Field::plain("seat"))
            .field(Field::plain("seen_on").dated()),
    )
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
    Letterhead::new(
        Language::English,
        "Northern Stages",
        "the Information Commissioner",
        "R-17",
        day("2026-06-02"),
    )
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
    let text = letter::statement(&head(), policy.everyone(), &Lingering::Days(30));
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
    assert!(!text.contains("goes by itself"), "nothing expires:\n{text}");
    // Of a tenant whose switch is off, other words are true.
    let text = letter::statement(&head(), policy.effective(&"playhouse".into()), &Lingering::Unknown);
    assert_says(&text, &["Nothing is erased by itself", "How long cannot be said"]);
    assert!(!text.contains("last heard of you") && !text.contains("(marketing)"), "{text}");
}

/// What expires by its own age goes while the person is a customer still: the statement says so, in both languages, unless
/// the switch is off.
#[test]
fn the_statement_says_what_goes_by_itself_at_a_certain_age() {
    let policy = checked(&format!(
        "{POLICY}\n[expire]\nticket = {{ from = \"seen_on\", after = \"18 months\", action = \"delete\" }}\n\
         [duties.tickets]\nclasses = [\"ticket\"]\nperiod = \"1 year\"\nstart = \"record_date\"\nlaw = \"a law\"\n\
         ground = \"17(3)(b)\"\nfrom = \"seen_on\"\n[tenants.strict]\nexpire.ticket = {{ after = \"duty\", action = \"anonymise\" }}"
    ));
    let mut head = head();
    head.names.insert("seen_on".to_owned(), "the evening of the play".to_owned());
    let told = |language, tenant: &str| {
        letter::statement(
            &head.clone().in_language(language),
            policy.effective(&tenant.into()),
            &Lingering::Nowhere,
        )
    };
    let text = told(Language::English, "any");
    assert_says(
        &text,
        &[
            "## What goes by itself, even while you are our customer",
            "* **ticket**: deleted 1 year 6 months after the date of each record (the evening of the play).",
        ],
    );
    assert_says(
        &told(Language::English, "strict"),
        &[
            "* **ticket**: everything in it that says who you are is removed when the law no longer requires us to keep it.",
        ],
    );
    assert_says(
        &told(Language::Swedish, "any"),
        &[
            "## Vad som försvinner av sig självt, även medan du är kund",
            "* **ticket**: raderas 1 år och 6 månader efter varje posts datum (the evening of the play).",
        ],
    );
    assert!(!told(Language::English, "playhouse").contains("goes by itself"), "its switch is off");
}

#[test]
fn the_statement_is_told_in_swedish_too() {
    let mut head = head();
    head.names.insert("ticket".to_owned(), "biljetter".to_owned());
    let text = letter::statement(
        &head.clone().in_language(Language::Swedish),
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
    let blocked = decide(&policy, &one, &Asked::request(), &[], now());
    assert!(matches!(blocked, Decision::Blocked(_)));
    let text = letter::refusal(&head(), &blocked).unwrap();
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
    let text = letter::refusal(&head().in_language(Language::Swedish), &blocked).unwrap();
    assert_says(&text, &["Vad som skulle ändra detta: säg upp abonnemanget.", "väcka talan vid domstol"]);
    // What cannot be read is ours to mend, and no ground for a refusal.
    let mut unreadable = customer();
    unreadable.unreadable.insert("status".to_owned());
    let blocked = decide(&policy, &unreadable, &Asked::request(), &[], now());
    assert!(matches!(blocked, Decision::Blocked(_)));
    assert_eq!(letter::refusal(&head(), &blocked), None);
}

#[test]
fn an_extension_says_by_when_and_why() {
    let holidays = Holidays::default();
    let mut clock = RequestClock::received(day("2026-01-31"));
    assert_eq!(letter::extension(&head(), &clock, &holidays), None, "not extended");
    clock.suspend(day("2026-02-02"), "the mail address is new to us", &holidays).unwrap();
    clock.resume(day("2026-02-05")).unwrap();
    clock.extend(day("2026-02-20"), "two thousand documents", &holidays).unwrap();
    let text = letter::extension(&head(), &clock, &holidays).unwrap();
    assert_says(
        &text,
        &[
            "received your request on 31 January 2026",
            "two thousand documents. You will have our answer by 4 May 2026",
            "From 2 February 2026 to 5 February 2026 the time stood still: the mail address is new to us.",
        ],
    );
    let text = letter::extension(&head().in_language(Language::Swedish), &clock, &holidays).unwrap();
    assert_says(&text, &["senast den 4 maj 2026"]);
}

#[test]
fn a_confirmation_uses_the_honest_word_with_its_date() {
    let policy = checked(POLICY);
    let confirm = |treatment: &str, until| {
        let treatment = &policy.treatments()[treatment];
        letter::confirmation(
            &head(),
            &letter::Done {
                treatment,
                deferred: &[],
                on: day("2026-06-01"),
                link_until: until,
                lingering: &Lingering::Nowhere,
            },
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

/// Where nothing leads to the person any more and their row stays, it is anonymised: neither gone nor pseudonymised.
#[test]
fn a_confirmation_says_anonymised_where_nothing_leads_back_and_the_row_stays() {
    let text = POLICY.replacen("customer = \"delete\"", "customer = \"anonymise\"", 1);
    let policy = checked(&text);
    let confirm = |language, lingering| {
        let (head, treatment) = (head(), &policy.treatments()["remove"]);
        letter::confirmation(
            &head.clone().in_language(language),
            &letter::Done {
                treatment,
                deferred: &[],
                on: day("2026-06-01"),
                link_until: None,
                lingering: &lingering,
            },
        )
    };
    let english = confirm(Language::English, Lingering::Days(0));
    assert_says(
        &english,
        &["Afterwards nothing in our records says who you are: they are anonymised.", "for at most 0 days"],
    );
    let swedish = confirm(Language::Swedish, Lingering::Days(0));
    assert_says(&swedish, &["de är anonymiserade.", "i högst 0 dagar därefter"]);
}

/// What a host writes stays within its sentence, and is no Markdown of its own.
#[test]
fn a_reason_of_several_lines_is_one_line_of_text() {
    let text = POLICY.replace("the hall's statistics", "seats\\n\\n# sold\\tin `all`");
    let text = letter::statement(&head(), checked(&text).everyone(), &Lingering::Nowhere);
    assert_says(&text, &["* **ticket**: kept as it is. Reason: seats  \\# sold in \\`all\\`.\n"]);
}

#[test]
fn a_language_is_written_as_it_is_read() {
    for (language, tag) in [(Language::English, "en"), (Language::Swedish, "sv")] {
        assert_eq!((language.to_string().as_str(), tag.parse()), (tag, Ok(language)));
    }
}

const DUTIES: &str = r#"
[duties.bookkeeping]
classes = ["ticket"]
statute = "SE/BFL/7:2"
from = "sold_on"
[duties.claims]
classes = ["ticket"]
period = "10 years"
start = "record_date"
law = "a *limitation* period"
ground = "17(3)(e)"
from = "sold_on"
"#;

/// The policy and the map with duties on the tickets.
fn with_duties() -> Policy {
    with(DUTIES)
}

fn with(duties: &str) -> Policy {
    let text = POLICY.replace("[tenants", &format!("{duties}[tenants"));
    let text = text.replacen("customer = \"delete\"", "customer = \"anonymise\"", 1);
    let ticket = RecordClass::new("ticket")
        .field(Field::key("id"))
        .field(Field::personal("name", Kind::Name))
        .field(Field::plain("sold_on").dated());
    let builder = DataMap::builder(
        RecordClass::new("customer")
            .field(Field::key("id"))
            .field(Field::personal("name", Kind::Name))
            .field(Field::personal("postcode", Kind::Postcode)),
    );
    let builder = [Fact::Status, Fact::Tenants, Fact::ActiveSubscriptions]
        .into_iter()
        .fold(builder.class(ticket), DataMapBuilder::knows);
    let builder =
        ["created", "cancelled", "last_transaction"].into_iter().fold(builder, DataMapBuilder::date);
    let map = builder.state("not_white_label").gateway("stripe").build().unwrap();
    let checked = PolicyDocument::from_toml(&text).and_then(|policy| policy.check(&map));
    checked.unwrap_or_else(|problems| panic!("{problems}"))
}

/// The decision names every duty, and so does the letter: the part that is refused, with its ground and its last day.
#[test]
fn a_request_is_refused_in_the_part_that_a_duty_defers() {
    let policy = with_duties();
    let due = decide(&policy, &customer(), &Asked::request(), &[], now());
    let Decision::Due(Due { deferred, .. }) = &due else { panic!("{due}") };
    let [tickets] = &deferred[..] else { panic!("{deferred:?}") };
    assert_eq!((tickets.class.as_str(), tickets.rows), ("ticket", None), "nobody has counted");
    // A record dated today: seven years after the end of its calendar year, and ten years to the day.
    assert_eq!(tickets.until, Some(day("2036-06-01")), "of several duties the latest end wins");
    let named: Vec<_> = tickets
        .duties
        .iter()
        .map(|by| (&*by.duty, by.statute, by.ground.as_str(), by.until.unwrap()))
        .collect();
    assert_eq!(
        named,
        [
            ("bookkeeping", Some("SE/BFL/7:2"), "17(3)(b)", day("2033-12-31")),
            ("claims", None, "17(3)(e)", day("2036-06-01")),
        ]
    );
    assert!(due.to_string().contains(
        "; ticket must be kept, if there is any, until 2036-06-01 at most: bookkeeping: 7 years from"
    ));
    let text = letter::refusal(&head(), &due).unwrap();
    assert_says(
        &text,
        &[
            "We erase your data, except for what the law requires us to keep for now:",
            "* **ticket**: kept until 1 June 2036 at the latest, if there is any, because of the following law: ",
            "(SE/BFL/7:2) (Art. 17(3)(b) GDPR), until 31 December 2033 at the latest, if there is any; a \\*limitation\\* period \
             (Art. 17(3)(e) GDPR), until 1 June 2036 at the latest",
            "erased by itself when that time is over. You do not have to ask again.",
            "seek a judicial remedy",
        ],
    );
    let text = letter::refusal(&head().in_language(Language::Swedish), &due).unwrap();
    assert_says(
        &text,
        &[
            "Vi raderar dina uppgifter, utom det som lagen kräver att vi sparar tills vidare:",
            "* **ticket**: sparas längst till och med den 1 juni 2036, om det finns något, på grund av följande lag:",
            "raderas av sig självt när den tiden är slut",
            "väcka talan vid domstol",
        ],
    );
    // What the treatment keeps anyway needs no duty, and is not refused because of one.
    let asked = Asked::Request { treatment: Some("marketing".into()) };
    let kept = decide(&policy, &customer(), &asked, &[], now());
    assert!(matches!(kept, Decision::Due(_)) && kept.deferred().is_empty(), "{kept}");
    assert_eq!(letter::refusal(&head(), &kept), None);
    let waits = decide(&policy, &customer(), &Asked::Sweep, &[], now());
    assert_eq!((letter::refusal(&head(), &waits), waits.deferred()), (None, &[][..]));
}

#[test]
fn a_refusal_names_what_would_have_to_be_kept_even_then() {
    let policy = with_duties();
    let mut one = customer();
    one.active_subscriptions = 1;
    let blocked = decide(&policy, &one, &Asked::request(), &[], now());
    assert!(matches!(blocked, Decision::Blocked(_)));
    assert_eq!(blocked.deferred().len(), 1);
    let text = letter::refusal(&head(), &blocked).unwrap();
    let order =
        ["end the subscription", "Once this has changed", "Even then the law requires us", "**ticket**"];
    let places: Vec<_> =
        order.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part}\n{text}"))).collect();
    assert!(places.is_sorted(), "{text}");
    let found = explain(&policy, &one, &Asked::request(), &[], now());
    let reasons = found.reasons.iter().filter(|reason| matches!(reason, Reason::Deferred(_))).count();
    assert_eq!(reasons, 1);
    assert!(
        found.to_string().contains("\nticket must be kept, if there is any, until 2036-06-01 at most"),
        "{found}"
    );
}

#[test]
fn a_confirmation_says_what_was_kept_by_which_law_and_what_happens_then() {
    let policy = with_duties();
    let due = decide(&policy, &customer(), &Asked::request(), &[], now());
    let confirm = |language| {
        letter::confirmation(
            &head().in_language(language),
            &letter::Done {
                treatment: &policy.treatments()["remove"],
                deferred: due.deferred(),
                on: day("2026-06-01"),
                link_until: None,
                lingering: &Lingering::Nowhere,
            },
        )
    };
    assert_says(
        &confirm(Language::English),
        &[
            "* **ticket**: deleted.",
            "Of that, the law requires us to keep the following for now. It was not touched:",
            "* **ticket**: kept until 1 June 2036",
            "by itself when that time is over",
            "seek a judicial remedy",
            "ask Northern Stages for access",
        ],
    );
    assert_says(
        &confirm(Language::Swedish),
        &["Av detta kräver lagen att vi sparar följande tills vidare.", "väcka talan vid domstol"],
    );
}

/// What is dated by the last day of its own fiscal year may be dated ahead.
#[test]
fn the_latest_bound_knows_that_a_fiscal_year_may_end_later_than_today() {
    let own = DUTIES.replacen("from = \"sold_on\"", "fiscal_year_ends = { field = \"sold_on\" }", 1);
    let policy = with(&own);
    let due = decide(&policy, &customer(), &Asked::request(), &[], now());
    let [tickets] = due.deferred() else { panic!("{due}") };
    // A year of eighteen months that begins today ends on 1 December 2027.
    assert_eq!(tickets.duties[0].until, Some(day("2034-12-31")));
}

/// A duty with no end that anybody knows is named without a date, and none is made up.
#[test]
fn a_duty_that_ends_beyond_the_calendar_has_no_date() {
    let policy = with_duties();
    let at = DateTime::<Utc>::MAX_UTC - chrono::TimeDelta::days(400);
    let due = decide(&policy, &customer(), &Asked::request(), &[], at);
    assert!(
        due.to_string().contains("ticket must be kept, if there is any, with no end that is known"),
        "{due}"
    );
    assert_says(
        &letter::refusal(&head(), &due).unwrap(),
        &["kept for as long as the law requires, to a date that is not yet known, because"],
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
    let links = chosen.treatments()["campaign"].links().iter().map(ToString::to_string);
    assert_eq!(links.collect::<Vec<_>>(), ["customer.city", "gateway.stripe"]);
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
        trigger: Trigger::Inactive,
        name: treatment.into(),
        treatment: policy.treatments()[treatment].digest(),
        anything_left: false,
        rest: None,
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
