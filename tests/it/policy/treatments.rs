//! What the lines of a policy mean for each field and each record class, without a store.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use relinquish::anonymise::Seed;
use relinquish::customer::Moment;
use relinquish::data_map::{Datatype, Fact, Field, Kind, Link, Record, RecordClass, WhenGone};
use relinquish::plan::impact;
use relinquish::policy::{Period, StartRule};
use relinquish::treatment::{RecordChange, Standing};
use relinquish::{Customer, DataMap, Policy, PolicyDocument, Problems};

const POLICY: &str = r#"
version = 1
sweep = false
time_zone = "Europe/Stockholm"
[triggers]
requested = { treatment = "clear" }
inactive = { since = "created", after = "4 years", treatment = "clear" }
[guards]
active_subscription = { ignore = "x" }
several_tenants = { ignore = "x" }
not_archived = { ignore = "x" }
[anonymise]
name = "clear"
email = "token"
[treatments.clear]
customer = "anonymise"
invoice = "delete"
receipt = "anonymise"
card = "delete"
link = "delete"
total = { keep = "turnover" }
[duties.bookkeeping]
classes = ["invoice", "receipt"]
statute = "SE/BFL/7:2"
from = "booked_on"
"#;

fn map() -> DataMap {
    let dated = |name: &str| {
        RecordClass::new(name)
            .field(Field::key("id"))
            .field(Field::personal("name", Kind::Name))
            .field(Field::plain("booked_on").dated())
    };
    DataMap::builder(
        RecordClass::new("customer")
            .field(Field::key("id"))
            .field(Field::personal("name", Kind::Name))
            .field(Field::personal("email", Kind::Email).required().unique())
            .field(Field::plain("note"))
            .field(Field::plain("short").max_chars(9))
            .field(Field::plain("fits").max_chars(10))
            .field(Field::plain("age").datatype(Datatype::Integer).max_chars(2)),
    )
    .class(dated("invoice"))
    .class(dated("receipt"))
    .class(
        RecordClass::new("link")
            .field(Field::key("id"))
            .link(Link::end("card", ["card_id"], WhenGone::Clear).holding()),
    )
    .class(RecordClass::new("card").field(Field::key("id")))
    .class(RecordClass::new("total").field(Field::key("id")).field(Field::plain("sum")))
    .knows(Fact::Status)
    .date("created")
    .tells_who_shares()
    .build()
    .unwrap()
}

fn read(text: &str) -> Result<Policy, Problems> {
    PolicyDocument::from_toml(text).and_then(|policy| policy.check(&map()))
}

fn policy() -> Policy {
    read(POLICY).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The problems of the policy after an edit.
#[track_caller]
fn faults(from: &str, to: &str) -> String {
    assert!(POLICY.contains(from), "{from}");
    read(&POLICY.replacen(from, to, 1)).err().map_or_else(String::new, |problems| problems.to_string())
}

/// The policy with a rule for one field of the customer.
fn with_rule(field: &str, rule: &str) -> Result<Policy, Problems> {
    let to = format!("customer = {{ action = \"anonymise\", fields = {{ {field} = {rule} }} }}");
    read(&POLICY.replacen("customer = \"anonymise\"", &to, 1))
}

fn now() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// Each spelling of a rule is read, and has its own meaning.
#[test]
fn no_two_rules_for_a_field_mean_the_same() {
    let mut meanings = BTreeSet::new();
    for rule in [
        "\"clear\"",
        "\"invalidate\"",
        "{ constant = \"gone\" }",
        "{ placeholder = \"Erased {date}\" }",
        "{ token = \"email\" }",
        "{ token = \"username\" }",
        "{ token = \"plain\" }",
        "{ token = \"uuid\" }",
        "{ token = { digits = 10 } }",
        "{ token = { digits = 38 } }",
        "{ generalise = \"uk_postcode\" }",
        "{ generalise = \"us_zip\" }",
        "{ generalise = \"uk_area\" }",
        "{ generalise = \"wide_age_band\" }",
        "{ generalise = \"wide_network\" }",
        "{ generalise = \"year\" }",
        "{ generalise = \"month\" }",
        "{ generalise = \"age_band\" }",
        "{ generalise = \"ip_network\" }",
        "{ generalise = { prefix = 1 } }",
        "{ truncate = 1 }",
        "{ truncate = 65535 }",
        "\"redact\"",
        "{ redact = \"[x]\" }",
    ] {
        let policy = with_rule("note", rule).unwrap_or_else(|problems| panic!("{rule}\n{problems}"));
        let strategy = policy.treatments()["clear"].class("customer").unwrap().fields()["note"].clone();
        assert!(meanings.insert(format!("{strategy:?}")), "{rule} means what another does");
    }
    for (rule, part) in [
        ("{ token = { digits = 9 } }", "is no form of a token"),
        ("{ token = { digits = 39 } }", "is no form of a token"),
        ("{ token = \"mail\" }", "is no form of a token"),
        ("{ generalise = { prefix = 0 } }", "is no generalisation"),
        ("{ generalise = \"zip\" }", "is no generalisation"),
        ("{ truncate = 0 }", "is no number of characters"),
        ("{ truncate = 65536 }", "is no number of characters"),
        ("\"erase\"", "is no rule for a field"),
    ] {
        let problems = with_rule("note", rule).unwrap_err().to_string();
        assert!(problems.contains(part), "{rule}: {problems}");
    }
    // Whether a document can be blank depends on the field, and not on the grammar.
    let blank =
        with_rule("note", "\"blank\"").err().map_or_else(String::new, |problems| problems.to_string());
    assert!(!blank.contains("is no rule for a field"), "{blank}");
}

#[test]
fn a_general_value_has_to_fit_its_field() {
    let fault = |field: &str, rule: &str| {
        with_rule(field, rule).err().map_or_else(String::new, |problems| problems.to_string())
    };
    assert_eq!(fault("fits", "{ generalise = \"year\" }"), "", "ten characters in ten");
    assert!(fault("short", "{ generalise = \"year\" }").contains("it takes 9 characters, and that is 10"));
    assert_eq!(fault("age", "{ generalise = \"age_band\" }"), "", "a number is no text");
    assert!(fault("age", "{ generalise = \"year\" }").contains("it is of another type"));
    let unique = fault("email", "{ generalise = \"uk_postcode\" }");
    assert!(unique.contains("its values must differ"), "{unique}");
}

#[test]
fn what_is_kept_or_done_is_not_due_and_everything_else_is() {
    let policy = policy();
    let map = map();
    let clear = policy.dated(&"any".into(), &policy.treatments()["clear"], now());
    let of = |class: &str, booked: &str| {
        Record::new(class, booked).with("name", "Maud Ashworth").with("booked_on", booked)
    };
    let records = [
        of("invoice", "2018-12-31"),
        of("invoice", "2019-01-01"),
        of("receipt", "2018-12-31"),
        of("receipt", "2019-01-01"),
        Record::new("receipt", "undated").with("name", "Maud Ashworth"),
        Record::new("customer", "1").with("name", "Maud Ashworth").with("email", "maud@example.org"),
        Record::new("total", "1").with("sum", 7),
        Record::new("unknown", "1").with("name", "Maud Ashworth"),
    ];
    let standings = clear.standings(&records, &map);
    let kept: Vec<bool> = standings.iter().map(|standing| *standing == Standing::Kept).collect();
    assert_eq!(kept, [false, true, false, true, true, false, false, false]);
    let due: Vec<bool> =
        records.iter().zip(&standings).map(|(record, standing)| clear.is_due(record, *standing)).collect();
    assert_eq!(due, [true, false, true, false, false, true, false, false]);
    let today: NaiveDate = "2026-06-01".parse().unwrap();
    for ((record, standing), due) in records.iter().zip(standings).zip(due) {
        let change = clear.treat(record, standing, &Seed::new([7; 32]), today, 0);
        match (&change, record.class.as_str()) {
            (RecordChange::Delete, "invoice") => {}
            (RecordChange::Write(fields), "receipt" | "customer") => {
                assert!(!fields.contains_key("booked_on"));
                let mut after = record.clone();
                for (field, value) in fields {
                    after = after.with(field.clone(), value.clone());
                }
                assert!(!clear.is_due(&after, standing), "done once, and not again");
                let again = clear.treat(&after, standing, &Seed::new([8; 32]), today, 0);
                assert_eq!(again, RecordChange::Nothing);
            }
            (change, class) => assert_eq!((change, due), (&RecordChange::Nothing, false), "{class}"),
        }
        assert_eq!(change == RecordChange::Nothing, !due, "{:?}", record.class);
    }
}

#[test]
fn what_is_shared_goes_with_the_last_who_leaves_and_that_has_to_show() {
    assert_eq!(faults("link = \"delete\"", "link = \"delete\""), "");
    assert_eq!(faults("link = \"delete\"", "link = { keep = \"x\" }"), "", "the links may stay");
    let no_sign = faults("email = \"token\"", "email = { generalise = \"uk_postcode\" }");
    assert!(no_sign.contains("treatments.clear.customer: leaves no sign"), "{no_sign}");
}

#[test]
fn what_a_tenant_makes_impossible_is_said_of_that_tenant() {
    let email = "[tenants.acme]\nanonymise.email = { generalise = \"uk_postcode\" }\n";
    let policy = POLICY.replacen("card = \"delete\"", "card = { keep = \"x\" }", 1);
    let found = read(&format!("{policy}{email}")).unwrap_err().to_string();
    assert!(found.contains("(for tenant acme)") && found.contains("its values must differ"), "{found}");
    // A problem that is the same for everyone is reported once, in the policy for everyone.
    let wrong = policy.replacen("email = \"token\"", "email = { generalise = \"uk_postcode\" }", 1);
    let found = read(&format!("{wrong}[tenants.acme]\nsweep = true\n")).unwrap_err();
    assert_eq!(found.iter().count(), 1, "{found}");
}

#[test]
fn a_name_that_toml_has_to_quote_is_printed_so_that_it_can_be_read() {
    let named = |name: &str| {
        POLICY.replace("[treatments.clear]", &format!("[treatments.{name}]")).replace(
            "treatment = \"clear\"",
            &format!(
                "treatment = {}",
                if name.starts_with('"') { name.to_owned() } else { format!("{name:?}") }
            ),
        )
    };
    for (name, printed) in [
        ("clear", "treatments.clear ="),
        ("a-b_c", "treatments.a-b_c ="),
        ("\"a b\"", "treatments.\"a b\" ="),
    ] {
        let policy = read(&named(name)).unwrap_or_else(|problems| panic!("{problems}"));
        let text = policy.everyone().to_string();
        assert!(text.contains(printed), "{text}");
        let again = read(&text).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
        assert_eq!(again.treatments(), policy.treatments());
    }
}

#[test]
fn a_duty_and_its_start_are_told_in_words() {
    let policy = policy();
    assert!(!policy.sweeps() && !policy.everyone().sweeps());
    let told = policy.everyone().duties()[0].to_string();
    assert!(told.starts_with("bookkeeping: 7 years from the end of the calendar year in which"), "{told}");
    assert!(told.ends_with("(SE/BFL/7:2)"), "{told}");
    let words: BTreeSet<&str> = StartRule::ALL.into_iter().map(StartRule::describe).collect();
    assert_eq!(words.len(), StartRule::ALL.len(), "each start has words of its own");
    assert!(words.iter().all(|words| words.starts_with("the ")));
    let slip = faults("Europe/Stockholm", "Europe/Stokholm");
    assert!(slip.contains("did you mean Europe/Stockholm?"), "{slip}");
    let same = faults("statute = \"SE/BFL/7:2\"", "statute = \"SE/BFL/7:2\"\nperiod = \"7 years\"");
    assert_eq!(same, "", "the statute's own period");
}

#[test]
fn a_period_is_shorter_only_if_it_is_in_every_month() {
    let shorter =
        |one: &str, other: &str| one.parse::<Period>().unwrap().is_shorter_than(other.parse().unwrap());
    assert!(shorter("27 days", "1 month") && !shorter("28 days", "1 month"), "February");
    assert!(shorter("1 month", "32 days") && !shorter("1 month", "31 days"), "January");
    assert!(!shorter("1 month", "1 month") && shorter("1 month", "1 month 1 day"));
}

/// A customer who is due under both policies and treated in the same way is not a change.
#[test]
fn an_impact_counts_only_what_changes() {
    let on = |after: &str| {
        read(&POLICY.replacen("sweep = false", "sweep = true", 1).replacen("4 years", after, 1)).unwrap()
    };
    let mut customer = Customer::new("1", "any");
    customer.dates.insert("created".to_owned(), Moment::Day("2020-01-01".parse().unwrap()));
    let found = impact(&on("4 years"), &on("3 years"), [&customer], now());
    assert_eq!((found.due_before, found.at_once), (1, 1));
    assert_eq!(found.total, relinquish::plan::Shift::default());
    assert!(found.triggers.is_empty() && found.tenants.is_empty() && found.classes.is_empty());
}
