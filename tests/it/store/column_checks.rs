//! CHECK constraints: values that they refuse are found before anything runs, and they accept what is written.

use chrono::NaiveDate;
use relinquish::anonymise::Strategies;
use relinquish::data_map::{Check, Fact, Field, Kind, Record, RecordClass, Value};
use relinquish::store::{EraseRequest, MemoryRepository, RecordStore as _, StoreError, Target};
use relinquish::{Customer, CustomerStore as _, DataMap, MemoryStore, Outcome, PolicyDocument, SqlMap};
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use crate::shop::{CUSTOMERS, Shop};
use crate::values::own_strategies::Void;

/// A table with one column of this declaration, a value of the customer, and one rule for the column.
fn shop(declared: &str, value: &str, rule: &str) -> Shop {
    let strict = if declared.contains("/* strict */") { " STRICT" } else { "" };
    Shop::new(
        &format!(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, code {declared}){strict};
             INSERT INTO clients VALUES (1, {value});"
        ),
        &format!("{CUSTOMERS}fields.code = 'x_code'"),
        &format!("customer = {{ action = 'anonymise', fields = {{ code = {rule} }} }}"),
    )
}

#[tokio::test]
async fn what_is_written_is_accepted_and_nobody_has_to_be_refused_for_it() {
    // The declaration, the value before, the rule, and a condition for the value afterwards.
    for (declared, value, rule, wanted) in [
        (
            "TEXT NOT NULL CHECK (code GLOB '[0-9]*' AND length(code) = 16)",
            "'1234567890123456'",
            "'remove'",
            "code LIKE '000%'",
        ),
        (
            "TEXT NOT NULL CHECK (code = upper(code))",
            "'MAUD'",
            "'remove'",
            "code GLOB '000*' AND length(code) = 16",
        ),
        (
            "TEXT NOT NULL CHECK (length(code) = 36)",
            "printf('%36s', 'Maud')",
            "'remove'",
            "code LIKE '%-%-%-%-%'",
        ),
        ("TEXT CHECK (code IS NOT NULL)", "'Maud'", "'remove'", "code LIKE 'Anonymised %'"),
        ("TEXT NOT NULL CHECK (code NOT GLOB '*[0-9]*')", "'Maud'", "'remove'", "code = 'Erased'"),
        ("TEXT NOT NULL CHECK (code IN ('-', 'Maud'))", "'Maud'", "'remove'", "code = '-'"),
        (
            "TEXT NOT NULL CHECK (code IN ('red', 'green'))",
            "'red'",
            "{ constant = 'green' }",
            "code = 'green'",
        ),
        (
            "TEXT NOT NULL COLLATE NOCASE CHECK (code IN ('y', 'n'))",
            "'y'",
            "{ constant = 'N' }",
            "code = 'n'",
        ),
        (
            "TEXT NOT NULL CHECK (code LIKE '%@%')",
            "'m@x.org'",
            "{ token = 'email' }",
            "code LIKE '%.invalid'",
        ),
        ("NUMERIC NOT NULL CHECK (typeof(code) = 'integer')", "5", "{ constant = '7' }", "code = 7"),
        ("INTEGER CHECK (code BETWEEN 0 AND 150)", "42", "{ generalise = 'age_band' }", "code = 40"),
        (
            "TEXT CHECK (length(code) BETWEEN 2 AND 8)",
            "'SW1A 2AA'",
            "{ generalise = 'uk_postcode' }",
            "code = 'SW1A'",
        ),
        (
            "TEXT NOT NULL, CHECK (clients.code <> '' /* ) */)",
            "'Maud'",
            "'remove'",
            "code LIKE 'Anonymised %'",
        ),
        (
            "TEXT NOT NULL /* strict */ CHECK (length(code) > 1)",
            "'Maud'",
            "{ token = 'uuid' }",
            "length(code) = 36",
        ),
    ] {
        let shop = shop(declared, value, rule);
        let outcome = shop.erase("1").await;
        assert!(matches!(outcome, Outcome::Erased(_)), "{declared}: {outcome}");
        let is_so =
            shop.text(&format!("SELECT CASE WHEN {wanted} THEN 'yes' ELSE quote(code) END FROM clients"));
        assert_eq!(is_so, "yes", "{declared}");
    }
}

#[test]
fn what_a_check_refuses_is_said_with_its_path_before_anything_runs() {
    let colours = "TEXT NOT NULL CHECK (code IN ('red', 'green'))";
    for (declared, value, rule, wanted) in [
        (
            "TEXT CHECK (code IS NOT NULL)",
            "'x'",
            "'clear'",
            "cannot be cleared: CHECK (code IS NOT NULL) refuses NULL",
        ),
        (
            colours,
            "'red'",
            "'remove'",
            "cannot be removed: NULL, placeholders, tokens and a dash are all refused",
        ),
        (
            colours,
            "'red'",
            "{ constant = 'blue' }",
            "cannot take that constant: CHECK (code IN ('red', 'green')) refuses it",
        ),
        (
            "TEXT CHECK (code LIKE '%@%')",
            "'m@x.org'",
            "'token'",
            "cannot take what would be written (random, like ",
        ),
        (
            "TEXT CHECK (code LIKE '$2_$%')",
            "'$2b$'",
            "'invalidate'",
            "cannot take what would be written (invalidated)",
        ),
        (
            "TEXT CHECK (code NOT GLOB '*[0-9]*')",
            "'x'",
            "{ placeholder = 'gone {date}' }",
            "(\"gone {date}\"): CHECK",
        ),
        // Only some of the random values begin with a vowel.
        ("TEXT CHECK (code GLOB 'erased-[^ae]*')", "'erased-1'", "'token'", "refuses it"),
        (
            "TEXT CHECK (length(code) >= 5)",
            "'SW1A 2AA'",
            "{ generalise = 'uk_postcode' }",
            "to the outward code: CHECK",
        ),
        (
            "INTEGER CHECK (code % 10 > 0)",
            "42",
            "{ generalise = 'age_band' }",
            "an age band of ten years: CHECK",
        ),
        (
            "NOT NULL CHECK (typeof(code) = 'integer')",
            "5",
            "{ constant = '7' }",
            "cannot take that constant: CHECK",
        ),
        (
            "BLOB NOT NULL CHECK (length(code) > 9)",
            "zeroblob(10)",
            "'blank'",
            "an empty file): CHECK (length(code) > 9)",
        ),
    ] {
        if rule == "'blank'" && cfg!(not(feature = "pdf")) {
            continue;
        }
        let refused = shop(declared, value, rule).policy_refused();
        assert!(refused.contains("treatments.x.customer.fields.code"), "{declared}: {refused}");
        assert!(refused.contains(wanted), "{declared}: {refused}");
    }
}

/// A constraint over several columns cannot be checked with the rule of one column. SQLite refuses the write, and
/// nothing is written.
#[tokio::test]
async fn a_check_over_several_columns_blocks_the_case_and_nothing_is_written() {
    let shop = Shop::new(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, login TEXT, CHECK (name IS NOT NULL OR login IS NOT NULL));
         INSERT INTO clients VALUES (1, 'Maud', 'maud84');",
        &format!("{CUSTOMERS}fields = {{ name = 'name', login = 'x_login' }}"),
        "customer = { action = 'anonymise', fields = { login = 'clear' } }",
    );
    let before = shop.cells();
    let outcome = shop.erase("1").await;
    assert!(!matches!(outcome, Outcome::Erased(_)), "{outcome}");
    assert_eq!(shop.cells(), before);
    let store = shop.store().unwrap();
    let fields = store.data_map().class("customer").unwrap().fields();
    assert!(fields.iter().all(|field| field.checks().is_empty()));
}

/// A function that only the host's program has.
#[tokio::test]
async fn a_check_that_cannot_be_evaluated_is_not_known_and_blocks_the_case() {
    let shop = shop("TEXT NOT NULL", "'MAUD'", "'remove'");
    let connection = Connection::open(shop.path()).unwrap();
    connection
        .create_scalar_function(
            "shouts",
            1,
            FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS,
            |context| {
                let text: String = context.get(0)?;
                Ok(text == text.to_uppercase())
            },
        )
        .unwrap();
    connection
        .execute_batch(
            "DROP TABLE clients; CREATE TABLE clients (id INTEGER PRIMARY KEY, code TEXT NOT NULL CHECK (shouts(code)));
             INSERT INTO clients VALUES (1, 'MAUD');",
        )
        .unwrap();
    let store = shop.store().unwrap();
    let check = &store.data_map().class("customer").unwrap().find("code").unwrap().checks()[0];
    assert_eq!((check.text(), check.accepts(&Value::from("MAUD"))), ("CHECK (shouts(code))", None));
    let before = shop.cells();
    let outcome = shop.erase("1").await;
    assert!(!matches!(outcome, Outcome::Erased(_)), "{outcome}");
    assert_eq!(shop.cells(), before);
}

const POLICY: &str = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
    guards.active_subscription = { ignore = 'none is sold' }\nguards.several_tenants = { ignore = 'one tenant' }\n\
    guards.not_archived = { ignore = 'archived first' }\n";

fn capitals() -> Check {
    Check::new("in capitals", |value| value.as_text().is_none_or(|text| text == text.to_uppercase()))
}

fn map(field: Field) -> DataMap {
    let class = RecordClass::new("customer").field(Field::key("id").token_part()).field(field);
    DataMap::builder(class).knows(Fact::ActiveSubscriptions).knows(Fact::Status).build().unwrap()
}

/// The checks of a host's own code are tested in the same way, also with its own strategies. They change the map's
/// digest.
#[tokio::test]
async fn a_host_without_sql_says_what_it_holds_its_values_to() {
    let field = || Field::personal("code", Kind::CustomerNumber).required();
    let held = map(field().held_to(capitals()));
    assert_ne!(held.digest(), map(field()).digest());
    let check = |rule: &str| {
        let policy =
            format!("{POLICY}anonymise.customer_number = {rule}\ntreatments.t.customer = 'anonymise'");
        PolicyDocument::from_toml(&policy).unwrap().check_with(&held, &Strategies::new().with(Void))
    };
    let refused = check("{ own = 'void' }").unwrap_err().to_string();
    assert!(refused.contains("(a void number (void, version 1)): in capitals refuses it"), "{refused}");
    let policy = check("{ token = { digits = 12 } }").unwrap();

    let repository = MemoryRepository::new(held.clone());
    let record = Record::new("customer", "1").with("id", "1").with("code", "MAUD");
    repository.insert(Customer::new("1", "us"), vec![record]);
    let store = MemoryStore::new(repository);
    let facts = store.facts(&["1".into()]).await.unwrap().remove(0);
    let target =
        Target { customer: facts.id.clone(), tenant: facts.tenant.clone(), expected: facts.expected() };
    let erase = async |policy: relinquish::Policy| {
        let treatment = policy.treatments()["t"].clone();
        let seed = relinquish::anonymise::Seed::new([7; 32]);
        let at = NaiveDate::from_ymd_opt(2026, 11, 25).unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc();
        store.erase(&EraseRequest::new(vec![target.clone()], treatment, seed, at)).await.unwrap().remove(0)
    };
    // With a map without these checks, the repository refuses the write.
    let unaware =
        format!("{POLICY}anonymise.customer_number = 'remove'\ntreatments.t.customer = 'anonymise'");
    let unaware = PolicyDocument::from_toml(&unaware).unwrap().check(&map(field())).unwrap();
    let error = erase(unaware).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Constraint { constraint, .. } if constraint == "CHECK on code"),
        "{error}"
    );
    erase(policy).await.unwrap();
    let code = store.repository().records(&"1".into())[0].get("code").as_text().unwrap().to_owned();
    assert!(code.len() == 12 && code.starts_with("000"), "{code}");
}

/// A field that too few customers share is cleared, and the cleared value has to be accepted.
#[test]
fn a_group_is_cleared_to_what_is_accepted_too() {
    let shop = Shop::new(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, city TEXT NOT NULL CHECK (city IN ('Oslo', 'Bergen')))",
        &format!("{CUSTOMERS}fields.city = 'city'"),
        "customer = { action = 'anonymise', keep = { city = 'reporting' }, smallest_group = 3 }",
    );
    let refused = shop.policy_refused();
    assert!(refused.contains("customer.keep.city: has to go where too few customers share it"), "{refused}");
    assert!(SqlMap::from_toml(&shop.map).is_ok());
}

/// A CHECK refuses the value that a link takes when its other end goes: every erasure was blocked after its approval, and the error
/// named the treatment, which could not help.
#[tokio::test]
async fn a_check_that_refuses_what_a_cleared_link_takes_is_found_before_anything_runs() {
    let shop = |declared: &str, gone: &str, customer: &str| {
        let sql = format!(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
             CREATE TABLE notes (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, by INTEGER {declared}, body TEXT);
             INSERT INTO clients VALUES (1, 'Ragna'), (2, 'Bo'); INSERT INTO notes VALUES (1, 2, 1, 'a');"
        );
        let map = format!(
            "{CUSTOMERS}fields.name = 'name'\n[records.note]\ntable = 'notes'\nowner = 'client'\n\
             ends.by = {{ to = 'customer', gone = {gone} }}\nfields.body = 'free_text'\n"
        );
        Shop::new(&sql, &map, &format!("customer = '{customer}'\nnote = 'delete'\n"))
    };
    for (declared, gone, check) in [
        ("NOT NULL CHECK (by > 0)", "{ clear = 0 }", "by > 0"),
        ("CHECK (by IS NOT NULL)", "'clear'", "by IS NOT NULL"),
    ] {
        let said = shop(declared, gone, "delete").policy_refused();
        for part in [
            "treatments.x.customer",
            "note.by",
            check,
            "anonymise this class",
            "ends.by = \"goes\"",
            "clear =",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        // The ways out: the customer stays, the map writes another value, or the record goes.
        let other = shop("NOT NULL CHECK (by <> 0)", "{ clear = -1 }", "delete");
        for (shop, by) in [
            (shop(declared, gone, "anonymise"), "1"),
            (other, "-1"),
            (shop(declared, "'goes'", "delete"), ""),
        ] {
            let outcome = shop.erase("1").await;
            assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
            assert_eq!(shop.text("SELECT group_concat(by) FROM notes"), by, "{declared}");
        }
    }
}
