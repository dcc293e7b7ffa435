//! Statements, letters, an operator's choice, and what a changed policy would hit.

use chrono::{DateTime, NaiveDate, Utc};
use proptest::prelude::*;
use relinquish::customer::{HoldKind, Moment, Status};
use relinquish::data_map::{DataMapBuilder, Fact, Field, FieldName, Kind, RecordClass};
use relinquish::plan::letter::{
    self, Authority, Controller, Language, LetterError, Letterhead, Lingering, Request,
};
use relinquish::plan::{
    Due, ExtensionReason, Holidays, Impact, Reason, Regime, RequestClock, StopReason, TreatedBefore, decide,
    explain, impact,
};
use relinquish::policy::{Choice, Guard, PrivacyLaw, Trigger};
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

/// What the classes and the texts of the policy are called in Swedish.
const SWEDISH: &str = r#"
[words.sv.names]
customer = "kunduppgifter"
ticket = "biljetter"
"customer.postcode" = "postnummer"
cancelled = "uppsägningen"
created = "registreringen"
last_transaction = "senaste köpet"
[words.sv.texts]
"where the audience comes from" = "varifrån publiken kommer"
"the hall's statistics" = "salongens statistik"
"refunds" = "återbetalningar"
"the *theatre* shares its guests" = "*teatern* delar sina gäster"
"ask the theatre" = "fråga teatern"
"#;

fn letterhead(policy: &Policy, language: Language) -> Result<Letterhead, LetterError> {
    let controller = Controller::new("Northern Stages", "1 Quay Street, Newcastle");
    let authority = Authority::new("the Data Protection Authority", "Box 1, Stockholm");
    Letterhead::new(policy, language, controller, authority, day("2026-06-02"))
}

fn head(policy: &Policy) -> Letterhead {
    letterhead(policy, Language::English).unwrap()
}

fn request() -> Request {
    Request::new("R-17", day("2026-05-20"))
}

pub(crate) fn refusal(policy: &Policy, decision: &Decision) -> Result<String, LetterError> {
    let letter = letter::refusal(&head(policy), &request(), policy.everyone(), decision)?;
    Ok(letter.to_string())
}

fn statement(head: &Letterhead, policy: &Policy, tenant: &str) -> String {
    letter::statement(head, policy, Some(&tenant.into())).unwrap().to_string()
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
    let head = head(&policy).with_backups(Lingering::Days(30));
    let text = statement(&head, &policy, "any");
    assert_says(
        &text,
        &[
            "# How long Northern Stages keeps your personal data",
            "* Date: 2 June 2026",
            "* Controller: Northern Stages, 1 Quay Street, Newcastle",
            "This notice is generated from the rules in force in our systems.",
            "### Case 1",
            "* 1 year and 6 months after you stop being our customer.",
            "* 4 years after we last heard from you (counted from the first of these dates that we have: last transaction, \
             created).",
            "* **customer**: kept, and the fields that identify you directly are removed.",
            "* **postcode** (customer): kept as long as the record. Reason: where the audience comes from.",
            "* **ticket**: kept unchanged. Reason: the hall's statistics.",
            "What can still be linked to you, or names you:\n\n* postcode (customer)\n* the payment service stripe\n",
            "* When you ask us to.",
            "* Your profile at the payment service **stripe**: deleted.",
            "* You have a subscription that is still running, and we need your data to provide it (Art. 17(1)(a) GDPR).",
            // A host's own words are text, and no Markdown of theirs. They begin a sentence.
            "* The \\*theatre\\* shares its guests (Art. 17(1)(a) GDPR).",
            "Backup copies are deleted at most 30 days after the erasure.",
            "lodge a complaint with the Data Protection Authority, Box 1, Stockholm (Art. 77 GDPR)",
        ],
    );
    // Each trigger stands with the treatment to which it leads.
    let order = [
        "Case 1",
        "heard from you",
        "the hall's statistics",
        "Case 2",
        "When you ask",
        "**stripe**: deleted",
    ];
    let places: Vec<usize> = order.iter().map(|part| text.find(part).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    // A request passes that guard, and the sweep waits.
    let waits = "connected to other companies as well. Until this changes, we erase nothing automatically.";
    assert!(text.contains(waits), "{text}");
    assert!(!text.contains("What we delete automatically"), "nothing expires:\n{text}");
    assert_eq!(text.matches("lodge a complaint").count(), 1, "{text}");
    // Of a tenant whose switch is off, other words are true.
    let text = statement(&head.clone().with_backups(Lingering::Unknown), &policy, "playhouse");
    assert_says(&text, &["We erase nothing automatically", "cannot be said at present"]);
    assert!(!text.contains("heard from you") && !text.contains("Case 1"), "{text}");
}

/// A list at once, no period at all, a hand-over, records of nobody and a maximum: the statement names each.
#[test]
fn the_statement_tells_every_rule_that_erases() {
    let policy = checked(&format!(
        "{}\n[expire]\nticket = {{ from = \"seen_on\", after = \"18 months\", action = \"delete\" }}\n\
         [duties.tickets]\nclasses = [\"ticket\"]\nperiod = \"1 year\"\nstart = \"record_date\"\nlaw = \"a law\"\n\
         ground = \"17(3)(e)\"\nfrom = \"seen_on\"\n\
         [limits.seats]\nclasses = [\"ticket\"]\nfrom = \"seen_on\"\nat_most = \"2 years\"\nlaw = \"the Theatres Act.\"\n\
         [words.en.names]\nseen_on = \"the evening of the play\"\n\
         [tenants.strict]\nexpire.ticket = {{ after = \"duty\", action = \"anonymise\" }}\nlimits.seats = \"off\"",
        POLICY
            .replace(
                "[guards]",
                "listed = { treatment = \"remove\" }\nservice_ended = { after = \"30 days\", hand_over = \
                     \"last_transaction\", since = [\"created\"], treatment = \"remove\" }\n[guards]"
            )
            .replace("after = \"1 year 6 months\"", "after = \"0 days\"")
    ));
    let text = statement(&head(&policy), &policy, "any");
    assert_says(
        &text,
        &[
            "* As soon as you stop being our customer.",
            "* When we list you for erasure, for example because the data are no longer needed.",
            "* 30 days after our service for the company whose customer you are has ended (counted from the first of these dates \
             that we have: created). Before that, the company gets the data.",
            "* **ticket**: we keep these for 1 year, counted from the date of the record, so that we can establish, exercise or defend \
             legal claims (a law; Art. 17(3)(e) GDPR).",
            "## What we delete automatically\n\n* **ticket**: deleted 1 year and 6 months after the date of the record (the evening of \
             the play), even while you are our customer.",
            "* **ticket**: kept for 2 years at most, counted from the date of the record (the evening of the play; the Theatres Act).",
        ],
    );
    assert!(!text.contains(" 0 days"), "{text}");
    assert_says(
        &statement(&head(&policy), &policy, "strict"),
        &[
            "* **ticket**: the fields that identify you directly are removed when we no longer keep them for the reasons above.",
        ],
    );
    let off = statement(&head(&policy), &policy, "playhouse");
    assert!(!off.contains("What we delete automatically"), "its switch is off: {off}");
    // The policy looks at no hold of the host's own. A hold of the hold book stands against an erasure all the same.
    let open = POLICY
        .replace("active_subscription = \"block\"", "active_subscription = { ignore = \"x\" }")
        .replace(
            "not_white_label = {",
            "unpaid_invoice = { ignore = \"x\" }\nopen_dispute = { ignore = \"x\" }\nlegal_claim = { ignore = \"x\" }\nrestriction = { ignore = \"x\" }\n\
                 authority_order = { ignore = \"x\" }\nnot_white_label = \"block sweep\" #",
        );
    let policy = checked(&open);
    let text = statement(&head(&policy), &policy, "any");
    assert!(!text.contains("unpaid") && !text.contains("disputed"), "{text}");
    assert_says(
        &text,
        &["legal claim (Art. 17(3)(e) GDPR).", "ordered us to keep the data (Art. 17(3)(b) GDPR)."],
    );
}

#[test]
fn a_limit_is_an_error_where_nothing_keeps_it() {
    let limited = |at_most: &str, expire: &str, duty: &str| {
        let text = format!(
            "{POLICY}\n[limits.seats]\nclasses = ['ticket']\nfrom = 'seen_on'\nat_most = '{at_most}'\nlaw = 'x'\n{expire}\n{duty}"
        );
        PolicyDocument::from_toml(&text)
            .and_then(|policy| policy.check(&map()))
            .map(drop)
            .map_err(|e| e.to_string())
    };
    let expire = "[expire]\nticket = { from = 'seen_on', after = '6 months', action = 'delete' }";
    let duty = "[duties.d]\nclasses = ['ticket']\nperiod = '1 year'\nstart = 'record_date'\nlaw = 'x'\nground = '17(3)(b)'\nfrom = 'seen_on'";
    assert_eq!(limited("6 months", expire, ""), Ok(()));
    assert_eq!(limited("1 year", expire, duty), Ok(()));
    let error = limited("5 months", expire, "").unwrap_err();
    assert!(
        error.contains("limits.seats.classes: ticket does not expire within 5 months after seen_on"),
        "{error}"
    );
    assert!(limited("6 months", "", "").is_err());
    let error = limited("6 months", expire, duty).unwrap_err();
    assert!(error.contains("ticket is kept by duty d for 1 year, which is longer"), "{error}");
    assert!(limited("soon", expire, "").unwrap_err().contains("limits.seats.at_most: is no period"));
}

#[test]
fn a_letter_in_another_language_needs_its_words_and_the_check_names_what_is_missing() {
    let policy = checked(POLICY);
    assert_eq!(
        letterhead(&policy, Language::Swedish).unwrap_err(),
        LetterError::NoWords { language: Language::Swedish }
    );
    let policy = checked(&format!("{POLICY}{SWEDISH}"));
    let head =
        letterhead(&policy, Language::Swedish).unwrap().with_backups(Lingering::Until(day("2026-07-01")));
    let text = statement(&head, &policy, "any");
    assert_says(
        &text,
        &[
            "# Hur länge Northern Stages sparar dina personuppgifter",
            "* Datum: 2 juni 2026",
            "* 1 år och 6 månader efter att du har slutat vara kund hos oss.",
            "* 4 år efter att vi senast hade kontakt med dig (räknat från det första av dessa datum som finns: senaste köpet, \
             registreringen).",
            "* **kunduppgifter**: sparas, och de uppgifter som direkt visar vem du är tas bort.",
            "* **postnummer** (kunduppgifter): sparas lika länge som de övriga uppgifterna i samma post. Skäl: varifrån publiken kommer.",
            "* **biljetter**: sparas oförändrat. Skäl: salongens statistik.",
            "* \\*Teatern\\* delar sina gäster (artikel 17.1 a i GDPR).",
            "längst till och med den 1 juli 2026",
        ],
    );
    for line in SWEDISH.lines().filter(|line| line.contains(" = ")) {
        let less = format!("{POLICY}{SWEDISH}").replace(&format!("{line}\n"), "");
        let problems = PolicyDocument::from_toml(&less).and_then(|policy| policy.check(&map())).unwrap_err();
        let problem = problems.iter().next().unwrap();
        assert!(problem.path.starts_with("words.sv."), "{line}: {problems}");
        assert!(
            problem.what == "is missing, and a letter may need it" && problems.iter().count() == 1,
            "{problems}"
        );
        // The way out is to write that line again.
        let key = line.split(" = ").next().unwrap().trim_matches('"').rsplit('.').next().unwrap();
        assert!(problem.way_out.contains(key), "{line}: {problem}");
    }
    // Words decide nothing: plans keep their digest.
    let plain = checked(POLICY);
    assert_eq!(plain.everyone().digest(), policy.everyone().digest());
    for (wrong, part) in [
        (
            "[words.fi.names]\nx = 'y'",
            "words.fi: is no language in which there are letters; write en, sv or de",
        ),
        ("[words.sv]\nname = {}", "words.sv.name: is no key of this table; did you mean names?"),
        (
            "[owners]\ntickets = 'x'",
            "owners.tickets: tickets is no record class of the data map; did you mean ticket?",
        ),
    ] {
        let problems =
            PolicyDocument::from_toml(&format!("{POLICY}{wrong}")).and_then(|policy| policy.check(&map()));
        let problems = problems.unwrap_err().to_string();
        assert!(problems.contains(part), "{problems}");
    }
    let own = checked(&POLICY.replace("sweep = true", "sweep = true\nlanguage = 'de'"));
    assert!(own.words(Language::German).is_some() && own.words(Language::English).is_none());
}

#[test]
fn what_every_letter_has_to_say_is_never_left_out() {
    let policy = checked(POLICY);
    let made = |name: &str, contact: &str, authority: &str, address: &str| {
        let (controller, authority) = (Controller::new(name, contact), Authority::new(authority, address));
        Letterhead::new(&policy, Language::English, controller, authority, day("2026-06-02")).map(drop)
    };
    assert_eq!(made("a", "b", "c", "d"), Ok(()));
    for (n, what) in [
        "the controller's name",
        "the controller's contact",
        "the authority's name",
        "the authority's address",
    ]
    .into_iter()
    .enumerate()
    {
        let mut parts = ["a", "b", "c", "d"];
        parts[n] = " ";
        let [a, b, c, d] = parts;
        assert_eq!(made(a, b, c, d), Err(LetterError::Empty { what }));
    }
    let mut one = customer();
    one.active_subscriptions = 1;
    let blocked = decide(&policy, &one, &Asked::request(), &[], now());
    let nameless = Request::new("", day("2026-05-20"));
    assert_eq!(
        letter::refusal(&head(&policy), &nameless, policy.everyone(), &blocked),
        Err(LetterError::Empty { what: "the reference of the request" })
    );
    let mut head = head(&policy).with_objection().with_consent();
    head.controller = head.controller.with_officer("dpo@stages.example");
    let text = letter::refusal(&head, &request(), policy.everyone(), &blocked).unwrap().to_string();
    assert_says(
        &text,
        &[
            "* Our reference: R-17",
            "* Data protection officer: dpo@stages.example",
            "We received your request on 20 May 2026.",
            "You can object to the processing of your data at any time",
            "you can withdraw the consent at any time (Art. 7(3) GDPR)",
        ],
    );
}

#[test]
fn a_refusal_names_ground_data_remedy_and_way_out_and_nobody() {
    // A claim that does not say which data it needs has no letter.
    let mut one = customer();
    one.holds.insert(HoldKind::LegalClaim);
    let blocked = decide(&checked(POLICY), &one, &Asked::request(), &[], now());
    let guard = Some(Guard::Hold(HoldKind::LegalClaim));
    assert_eq!(refusal(&checked(POLICY), &blocked), Err(LetterError::WhichData { guard }));
    let named = POLICY.replace("[guards]", "[guards]\nlegal_claim = { data = [\"customer\", \"ticket\"] }");
    let policy = checked(&named);
    one.holds.clear();
    one.active_subscriptions = 1;
    one.holds.insert(HoldKind::LegalClaim);
    one.states.insert("not_white_label".into(), true);
    let blocked = decide(&policy, &one, &Asked::request(), &[], now());
    assert!(matches!(blocked, Decision::Blocked(_)));
    let text = refusal(&policy, &blocked).unwrap();
    assert_says(
        &text,
        &[
            "* You have a subscription that is still running, and we need your data to provide it (Art. 17(1)(a) GDPR). This concerns \
             all data that we hold about you. What can change this: ending the subscription.",
            "* We need the data to establish, exercise or defend a legal claim (Art. 17(3)(e) GDPR). This concerns: \
             customer and ticket.",
            "* The \\*theatre\\* shares its guests (Art. 17(1)(a) GDPR). This concerns all data that we hold about you. What can change \
             this: ask the theatre.",
            "lodge a complaint with the Data Protection Authority, Box 1, Stockholm (Art. 77 GDPR), and seek a judicial remedy",
        ],
    );
    assert!(!text.contains("canary"));
    for promise in ["You do not have to ask again", "by itself", "at the latest", "will be"] {
        assert!(!text.contains(promise), "{promise}: a guard has no end that anybody knows\n{text}");
    }
}

/// Art. 18(2) is no exception from Art. 17, other companies' needs are none of this controller's, and what cannot be read
/// is the controller's to mend. Nothing is refused, and the time for the answer goes on.
#[test]
fn what_is_no_ground_in_law_refuses_nothing() {
    let text = POLICY.replace("several_tenants = \"block sweep\"", "several_tenants = \"block\"");
    let policy = checked(&text);
    let mut restricted = customer();
    restricted.holds.insert(HoldKind::Restriction);
    let mut shared = customer();
    shared.tenants = 2;
    let mut unreadable = customer();
    unreadable.unreadable.insert("status".to_owned());
    for one in [restricted, shared, unreadable] {
        let blocked = decide(&policy, &one, &Asked::request(), &[], now());
        assert!(matches!(blocked, Decision::Blocked(_)));
        assert_eq!(refusal(&policy, &blocked), Err(LetterError::NoGround), "{blocked}");
    }
    let due = decide(&policy, &customer(), &Asked::request(), &[], now());
    assert_eq!(refusal(&policy, &due), Err(LetterError::NothingRefused));
}

/// A ground that the policy limits to some classes refuses only those: for the rest there is no refusal.
#[test]
fn a_ground_that_covers_some_classes_refuses_no_others() {
    let limited = |data: &str| {
        let text = POLICY.replace("way_out = \"ask the theatre\" }", &format!("data = {data} }}"));
        let policy = PolicyDocument::from_toml(&text).and_then(|policy| policy.check(&map()));
        let policy = policy.unwrap_or_else(|problems| panic!("{problems}"));
        let mut one = customer();
        one.states.insert("not_white_label".into(), true);
        let blocked = decide(&policy, &one, &Asked::request(), &[], now());
        refusal(&policy, &blocked)
    };
    let text = limited("[\"customer\", \"ticket\"]").unwrap();
    // The sentence for the host's own staff ("end the state …") is none for the person.
    assert_says(&text, &["This concerns: customer and ticket. You can ask us what can change this."]);
    assert!(!text.contains("not\\_white") && !text.contains("end the state"), "{text}");
    let classes = ["ticket".into()].into();
    assert_eq!(limited("\"customer\""), Err(LetterError::Unfounded { classes }));
    let wrong = POLICY.replace("way_out = \"ask the theatre\" }", "data = \"tickets\" }");
    let problems = PolicyDocument::from_toml(&wrong).and_then(|policy| policy.check(&map())).unwrap_err();
    assert!(
        problems.to_string().contains("guards.not_white_label.data: tickets is no record class"),
        "{problems}"
    );
}

/// A letter that was dated before the request came in was written without a word.
#[test]
fn no_letter_is_dated_before_the_request_that_it_answers() {
    let policy = checked(POLICY);
    let mut one = customer();
    one.active_subscriptions = 1;
    let blocked = decide(&policy, &one, &Asked::request(), &[], now());
    let mut head = head(&policy);
    let refused = |head: &Letterhead, received: &str| {
        let request = Request::new("R-17", day(received));
        letter::refusal(head, &request, policy.everyone(), &blocked).map(drop)
    };
    assert_eq!(refused(&head, "2026-06-02"), Ok(()), "on the same day");
    let early = refused(&head, "2026-06-03").unwrap_err();
    assert_eq!(
        early.to_string(),
        "the letter is dated on 2026-06-02, before the request was received on 2026-06-03; give the right day of each"
    );
    let mut clock = RequestClock::received(day("2026-05-20"));
    clock.extend(day("2026-05-25"), ExtensionReason::Complexity, &Holidays::default()).unwrap();
    head.date = day("2026-05-19");
    let early = letter::extension(&head, "R-17", policy.everyone(), &clock, &Holidays::default()).map(drop);
    assert!(matches!(early, Err(LetterError::Early { .. })), "{early:?}");
}

#[test]
fn an_extension_says_by_when_and_why() {
    let policy = checked(&format!("{POLICY}{SWEDISH}"));
    let holidays = Holidays::default();
    let mut clock = RequestClock::received(day("2026-01-31"));
    let under = |law: &str| checked(&format!("privacy_law = '{law}'\n{POLICY}{SWEDISH}"));
    let told = |policy: &Policy, language, clock: &RequestClock| {
        let head = letterhead(policy, language).unwrap();
        letter::extension(&head, "R-17", policy.everyone(), clock, &holidays)
    };
    let extension = |language, clock: &RequestClock| told(&policy, language, clock);
    assert_eq!(extension(Language::English, &clock), Err(LetterError::NotExtended));
    clock.suspend(day("2026-02-02"), StopReason::Identity, &holidays).unwrap();
    clock.resume(day("2026-02-05")).unwrap();
    clock.extend(day("2026-02-20"), ExtensionReason::Complexity, &holidays).unwrap();
    assert_says(
        &extension(Language::English, &clock).unwrap().to_string(),
        &[
            "received your request on 31 January 2026",
            "Your request is complex. You will have our answer by 4 May 2026 at the latest (Art. 12(3) GDPR).",
            "The time limit was suspended from 2 February 2026 to 5 February 2026. We had to ask you to confirm your identity.",
        ],
    );
    assert_says(
        &extension(Language::Swedish, &clock).unwrap().to_string(),
        &["senast den 4 maj 2026 (artikel 12.3 i GDPR)", "löpte inte svarsfristen"],
    );
    // The law is the policy's, and the clock has to count by it.
    let of_swiss = told(&under("fadp"), Language::English, &clock);
    assert_eq!(of_swiss, Err(LetterError::Regime { law: PrivacyLaw::Fadp }));
    let of_california = told(&under("ccpa"), Language::English, &clock);
    assert_eq!(of_california, Err(LetterError::NoLetters { law: PrivacyLaw::Ccpa }));
    // Before February 2026 the period of the United Kingdom was that of the Union.
    let of_british = told(&under("uk_gdpr"), Language::English, &clock).unwrap().to_string();
    assert_says(&of_british, &["(Art. 12(3) UK GDPR)", "section 164A"]);
    let mut swiss = RequestClock::under(Regime::Switzerland, day("2026-03-02"));
    swiss.extend(day("2026-03-20"), ExtensionReason::Complexity, &holidays).unwrap();
    assert_says(
        &told(&under("fadp"), Language::English, &swiss).unwrap().to_string(),
        &["We cannot answer within 30 days.", "(Art. 32 FADP), and report the matter"],
    );
    let mut clock = RequestClock::under(Regime::Uk, day("2026-06-01"));
    clock.extend(day("2026-06-20"), ExtensionReason::NumberOfRequests, &holidays).unwrap();
    assert_eq!(extension(Language::English, &clock), Err(LetterError::Regime { law: PrivacyLaw::Gdpr }));
    assert_says(
        &told(&under("uk_gdpr"), Language::English, &clock).unwrap().to_string(),
        &["You have made a number of requests.", "(Art. 12A UK GDPR)", "section 164A"],
    );
}

/// The statutes of the duties decide under which law a letter is written.
#[test]
fn articles_and_remedies_are_those_of_the_law_that_applies() {
    let under = |statute: &str| {
        format!("{POLICY}\n[duties.d]\nclasses = ['ticket']\nstatute = '{statute}'\nfrom = 'seen_on'")
    };
    for (statute, parts, never) in [
        (
            "UK/TAX",
            &[
                "(Finance Act 1998, Sch. 18 para. 21; Art. 17(3)(b) UK GDPR)",
                "you can complain to us first: 1 Quay Street, Newcastle (section 164A of the Data Protection Act 2018)",
                "(section 165 of that Act), and apply to a court (section 167 of that Act)",
            ][..],
            "Art. 77",
        ),
        (
            "CH/OR/958f",
            &[
                "(article 958f of the Swiss Code of Obligations; Art. 31(1) FADP)",
                "(Art. 31(2)(a) FADP)",
                "(Art. 32 FADP), and report the matter to the Data Protection Authority",
            ][..],
            "GDPR",
        ),
        ("SE/BFL/7:2", &["(Art. 77 GDPR), and seek a judicial remedy (Art. 79 GDPR)"][..], "164A"),
    ] {
        let policy = checked(&under(statute));
        let mut one = customer();
        one.active_subscriptions = 1;
        let blocked = decide(&policy, &one, &Asked::request(), &[], now());
        let text = refusal(&policy, &blocked).unwrap();
        assert_says(&text, parts);
        assert!(!text.contains(never), "{statute}\n{text}");
    }
    let read = |text: &str| PolicyDocument::from_toml(text).and_then(|policy| policy.check(&map()));
    let both =
        under("UK/TAX") + "\n[duties.e]\nclasses = ['ticket']\nstatute = 'SE/BFL/7:2'\nfrom = 'seen_on'";
    let problems = read(&both).unwrap_err().to_string();
    assert!(
        problems
            .contains("write the law of the controller: privacy_law = \"gdpr\" or privacy_law = \"uk_gdpr\""),
        "{problems}"
    );
    let said = read(&both.replace("sweep = true", "sweep = true\nprivacy_law = 'uk_gdpr'")).unwrap();
    assert_eq!(said.everyone().privacy_law(), PrivacyLaw::UkGdpr);
    let said = read(&POLICY.replace("sweep = true", "sweep = true\nprivacy_law = 'dpdp'")).unwrap();
    assert_eq!(
        letter::statement(&head(&said), &said, None),
        Err(LetterError::NoLetters { law: PrivacyLaw::Dpdp })
    );
}

/// What a host writes stays within its sentence, and is no Markdown of its own.
#[test]
fn a_reason_of_several_lines_is_one_line_of_text() {
    let text = POLICY.replace("the hall's statistics", "seats\\n\\n# sold\\tin `all`..");
    let policy = checked(&text);
    let text = statement(&head(&policy), &policy, "any");
    assert_says(&text, &["* **ticket**: kept unchanged. Reason: seats  \\# sold in \\`all\\`.\n"]);
}

#[test]
fn a_language_is_written_as_it_is_read() {
    for (language, tag) in [(Language::English, "en"), (Language::Swedish, "sv"), (Language::German, "de")] {
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
    // Nobody has counted, so no day is named: the period and its start are.
    let text = refusal(&policy, &due).unwrap();
    assert_says(
        &text,
        &[
            "We cannot erase the following data yet:",
            "* **ticket**: we have to keep these for 7 years from the end of the calendar year in which the financial year ended \
             (chapter 7, section 2 of the Swedish Accounting Act (1999:1078); Art. 17(3)(b) GDPR).",
            "* **ticket**: we keep these for 10 years from the date of the record, so that we can establish, exercise or defend legal \
             claims (a \\*limitation\\* period; Art. 17(3)(e) GDPR).",
            "You will get a confirmation that says what was erased.",
            "seek a judicial remedy",
        ],
    );
    assert!(!text.contains("2036") && !text.contains("2033"), "{text}");
    // What the treatment keeps anyway needs no duty. It is refused, too, with the reason of the policy.
    let asked = Asked::Request { treatment: Some("marketing".into()) };
    let kept = decide(&policy, &customer(), &asked, &[], now());
    assert!(matches!(kept, Decision::Due(_)) && kept.deferred().is_empty(), "{kept}");
    let text = refusal(&policy, &kept).unwrap();
    assert_says(
        &text,
        &[
            "In any case we keep the following, if we hold any of it:",
            "* **postcode** (customer): kept as long as the record. Reason: where the audience comes from.",
            "* **ticket**: kept unchanged. Reason: the hall's statistics.",
            "* Your profile at the payment service **stripe**: kept. Reason: refunds.",
            "You will get a confirmation that says what was erased.",
            "(Art. 77 GDPR), and seek a judicial remedy",
        ],
    );
    assert!(!text.contains("We cannot erase the following data yet"), "no duty keeps anything:\n{text}");
    let waits = decide(&policy, &customer(), &Asked::Sweep, &[], now());
    assert_eq!(refusal(&policy, &waits), Err(LetterError::NothingRefused));
    assert_eq!(waits.deferred(), &[]);
}

/// Whoever asks again is told what is still kept, and when the rest was erased.
#[test]
fn whoever_asks_again_is_refused_what_is_still_kept() {
    let policy = with_duties();
    let done = TreatedBefore {
        case: "c".into(),
        at: "2026-03-31T23:30:00Z".parse().unwrap(),
        trigger: Trigger::Requested,
        name: "remove".into(),
        treatment: policy.treatments()["remove"].digest(),
        anything_left: false,
        rows: std::collections::BTreeMap::new(),
        rest: None,
    };
    let again = decide(&policy, &customer(), &Asked::request(), std::slice::from_ref(&done), now());
    assert!(matches!(again, Decision::Nothing(_)), "{again}");
    let text = refusal(&policy, &again).unwrap();
    assert_says(
        &text,
        &[
            "We cannot erase the following data yet:",
            "* **ticket**: we have to keep these for 7 years",
            "On 31 March 2026 we carried out the erasure of your other data.",
            "(Art. 77 GDPR), and seek a judicial remedy",
        ],
    );
    assert!(!text.contains("You will get a confirmation"), "{text}");
    // Without anything that is kept there is nothing to refuse.
    let policy = checked(POLICY);
    let done = TreatedBefore { treatment: policy.treatments()["remove"].digest(), ..done };
    let again = decide(&policy, &customer(), &Asked::request(), &[done], now());
    assert!(matches!(again, Decision::Nothing(_)), "{again}");
    assert_eq!(refusal(&policy, &again), Err(LetterError::NothingRefused));
}

#[test]
fn a_refusal_names_what_would_have_to_be_kept_even_then() {
    let policy = with_duties();
    let mut one = customer();
    one.active_subscriptions = 1;
    let blocked = decide(&policy, &one, &Asked::request(), &[], now());
    assert!(matches!(blocked, Decision::Blocked(_)));
    assert_eq!(blocked.deferred().len(), 1);
    let text = refusal(&policy, &blocked).unwrap();
    let order = [
        "ending the subscription",
        "Nothing was erased",
        "In any case we keep the following",
        "**ticket**: we have to keep these for 7 years",
    ];
    let places: Vec<_> =
        order.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part}\n{text}"))).collect();
    assert!(places.is_sorted(), "{text}");
    // A day later the same letter says the same: it names no last day, because the customer goes on buying.
    let later = decide(&policy, &one, &Asked::request(), &[], now() + chrono::TimeDelta::days(365));
    assert_eq!(refusal(&policy, &later).unwrap(), text);
    let found = explain(&policy, &one, &Asked::request(), &[], now());
    let reasons = found.reasons.iter().filter(|reason| matches!(reason, Reason::Deferred(_))).count();
    assert_eq!(reasons, 1);
    assert!(
        found.to_string().contains("\nticket must be kept, if there is any, until 2036-06-01 at most"),
        "{found}"
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
    assert_eq!(
        links.collect::<Vec<_>>(),
        ["customer.city", "gateway.stripe", "ledger.token (while the key of its epoch exists)"]
    );
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
        rows: std::collections::BTreeMap::new(),
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
