//! A word of a short list has one letter too few or too many. The check names the intended word, once.

use relinquish::{PolicyDocument, Problems, SqlMap};
use toml::Value;

const POLICY: &str = r#"
version = 1
sweep = true
leftovers = "block"
time_zone = "Europe/Stockholm"
privacy_law = "uk_gdpr"
[triggers]
requested = { treatment = "clear" }
[guards]
active_subscription = "block"
several_tenants = "block sweep"
[duties.books]
classes = ["order"]
period = "7 years"
start = "calendar_year"
law = "book-keeping act"
ground = "17(3)(b)"
from = "placed_on"
[expire.visit]
from = "at"
after = "2 years"
action = "delete"
ownerless = "gone or none"
[suppress]
kinds = ["email", "phone"]
treatments = ["clear"]
for = "3 years"
[anonymise]
name = "remove"
phone = "clear"
username = "token"
email = { token = "uuid" }
postcode = { generalise = "uk_postcode" }
password = "invalidate"
communication = "redact"
free_text = { redact = "[removed]", also = ["email", "iban"], otherwise = "remove" }
[treatments.clear]
customer = { action = "anonymise", otherwise = "remove" }
order = "reassign"
visit = "delete"
doc = { action = "blank", otherwise = "empty" }
gateway.stripe = "erase"
recipient.search = "tell"
"#;

const MAP: &str = r#"
version = 1
ends = "schema"
[customers]
table = "clients"
key = "id"
tenant = { is = "shop" }
deactivate = { none = "no state" }
[customers.fields]
name = "name"
seen = { kind = "ip_address", date = { stored = "milliseconds" } }
[records.follow]
table = "follows"
owner = { column = "client_id", to = "customer", compare = "nocase" }
ends = { a = "goes", b = "clear", c = "same", d = "stand-in" }
rest = "not personal"
"#;

/// The words of short lists, by their places.
fn words(value: &Value, at: &str, found: &mut Vec<(String, String)>) {
    let free = [
        "law",
        "period",
        "from",
        "for",
        "after",
        "time_zone",
        "classes",
        "treatments",
        "treatment",
        "ground",
        "redact",
        "table",
        "key",
        "column",
        "tenant",
        "deactivate",
        "to",
    ];
    match value {
        Value::Table(table) => table
            .iter()
            .filter(|(key, _)| !free.contains(&key.as_str()))
            .for_each(|(key, value)| words(value, &format!("{at}.{key}"), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| words(value, &format!("{at}.{n}"), found));
        }
        Value::String(word) => found.push((at.trim_start_matches('.').to_owned(), word.clone())),
        _ => {}
    }
}

fn replaced(value: &Value, at: &str, word: &str) -> String {
    let mut value = value.clone();
    let mut place = &mut value;
    for key in at.split('.') {
        place = match place {
            Value::Table(table) => table.get_mut(key).unwrap(),
            Value::Array(items) => items.get_mut(key.parse::<usize>().unwrap()).unwrap(),
            _ => unreachable!("{at}"),
        };
    }
    *place = Value::String(word.to_owned());
    toml::to_string(&value).unwrap()
}

fn each_word_is_meant(document: &str, read: impl Fn(&str) -> Result<(), Problems>) -> usize {
    read(document).unwrap_or_else(|problems| panic!("{problems}"));
    let value: Value = Value::Table(toml::from_str(document).unwrap());
    let mut all = Vec::new();
    words(&value, "", &mut all);
    let mut wrong = Vec::new();
    for (at, word) in &all {
        let middle = word.len() / 2;
        for slip in [
            format!("{}{}", &word[..middle], &word[middle + 1..]),
            format!("{}q{}", &word[..middle], &word[middle..]),
        ] {
            let found = match read(&replaced(&value, at, &slip)) {
                Ok(()) => Vec::new(),
                Err(problems) => problems.iter().map(ToString::to_string).collect(),
            };
            if found.len() != 1 || !found[0].contains(&format!("did you mean {word}?")) {
                wrong.push(format!("{at}: {word} -> {slip}: {found:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    all.len()
}

#[test]
fn a_mistyped_word_of_a_policy_is_one_problem_that_names_the_word() {
    let words = each_word_is_meant(POLICY, |text| PolicyDocument::from_toml(text).map(drop));
    assert!(words > 17, "{words} words");
}

#[test]
fn a_mistyped_word_of_a_map_is_one_problem_that_names_the_word() {
    let words = each_word_is_meant(MAP, |text| SqlMap::from_toml(text).map(drop));
    assert!(words > 9, "{words} words");
}
