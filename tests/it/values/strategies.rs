//! Every strategy, through policy, check and stores: what is written, what stays, and what counts as erased.

use std::path::Path;

use relinquish::anonymise::Seed;
use relinquish::data_map::{Datatype, Fact, Field, Kind, Record, RecordClass, Value};
use relinquish::store::{EraseRequest, Erased, MemoryRepository, RecordStore as _, TallyRequest, Target};
use relinquish::{Customer, CustomerStore, DataMap, MemoryStore, PolicyDocument, SqlMap, SqliteStore};

use crate::hosts;

/// The field, its declared type, kind and rule; the first customer's value and its result (a prefix); and the second
/// customer's value, which cannot be read.
const FIELDS: [(&str, &str, Kind, &str, &str, &str, &str); 13] = [
    (
        "postcode",
        "TEXT",
        Kind::Postcode,
        "{ generalise = 'uk_postcode' }",
        "SW1A 2AA",
        "SW1A",
        "near the park",
    ),
    ("zip", "TEXT NOT NULL", Kind::Region, "{ generalise = 'us_zip' }", "03601-1234", "000", "n/a"),
    ("plz", "VARCHAR(5)", Kind::City, "{ generalise = { prefix = 2 } }", "80331", "80", "?????"),
    ("born", "DATE", Kind::BirthDate, "{ generalise = 'year' }", "1984-05-12", "1984-01-01", "12.05.1984"),
    (
        "seen",
        "TEXT",
        Kind::Device,
        "{ generalise = 'month' }",
        "2026-03-04 05:06:07",
        "2026-03-01",
        "yesterday",
    ),
    ("age", "TEXT", Kind::Gender, "{ generalise = 'age_band' }", "1984-05-12", "40-49", "old"),
    (
        "ip",
        "TEXT",
        Kind::IpAddress,
        "{ generalise = 'ip_network' }",
        "203.0.113.77",
        "203.0.113.0",
        "localhost",
    ),
    ("area", "VARCHAR(8)", Kind::Location, "{ generalise = 'uk_area' }", "sw1a 2aa", "SW", "MA"),
    ("years", "TEXT", Kind::CustomAnswer, "{ generalise = 'wide_age_band' }", "42", "40-59", "45-54"),
    (
        "network",
        "TEXT",
        Kind::Communication,
        "{ generalise = 'wide_network' }",
        "203.0.113.77",
        "203.0.0.0",
        "localhost",
    ),
    ("initial", "TEXT NOT NULL", Kind::Name, "{ truncate = 1 }", "Maud", "M", "Ed"),
    (
        "number",
        "TEXT UNIQUE NOT NULL",
        Kind::CustomerNumber,
        "{ token = { digits = 16 } }",
        "4711",
        "000",
        "4712",
    ),
    (
        "login",
        "TEXT NOT NULL",
        Kind::Username,
        "{ placeholder = 'gone {year} {token}' }",
        "maud84",
        "gone 2026 ",
        "ed",
    ),
];

const GUARDS: &str = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
    guards.active_subscription = { ignore = 'none is sold' }\nguards.several_tenants = { ignore = 'one tenant' }\n\
    guards.not_archived = { ignore = 'archived first' }\n";

fn policy() -> PolicyDocument {
    let rules: String = FIELDS
        .iter()
        .flat_map(|(_, _, kind, rule, ..)| {
            ["anonymise.", kind.as_str(), " = ", rule, "\n"].map(str::to_owned)
        })
        .collect();
    PolicyDocument::from_toml(&format!("{GUARDS}{rules}treatments.t.customer = 'anonymise'")).unwrap()
}

fn sqlite(path: &Path) -> SqliteStore {
    let connection = rusqlite::Connection::open(path).unwrap();
    let columns: String =
        FIELDS.iter().map(|(name, declared, ..)| [", ", name, " ", declared].concat()).collect();
    let ones: String = FIELDS.iter().map(|field| [", '", field.4, "'"].concat()).collect();
    let others: String = FIELDS.iter().map(|field| [", '", field.6, "'"].concat()).collect();
    connection
        .execute_batch(&format!(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, state TEXT{columns});
             INSERT INTO people VALUES (1, 'archived'{ones}), (2, 'archived'{others});"
        ))
        .unwrap();
    let fields: String =
        FIELDS.iter().map(|(name, _, kind, ..)| [name, " = '", kind.as_str(), "'\n"].concat()).collect();
    let map = format!(
        "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = {{ is = 'us' }}\n\
         status = {{ column = 'state', active = 'active', archived = 'archived' }}\n\
         deactivate = {{ state = 'archived' }}\n[customers.fields]\n{fields}"
    );
    SqliteStore::open(path, &SqlMap::from_toml(&map).unwrap()).unwrap()
}

fn memory() -> MemoryStore {
    let class = FIELDS.iter().fold(
        RecordClass::new("customer").field(Field::key("id").token_part()),
        |class, (name, declared, kind, ..)| {
            let mut field = Field::personal(*name, kind.clone());
            if declared.contains("NOT NULL") {
                field = field.required();
            }
            if declared.contains("UNIQUE") {
                field = field.unique();
            }
            if *declared == "DATE" {
                field = field.datatype(Datatype::Numeric);
            }
            class.field(field)
        },
    );
    let map = DataMap::builder(class).knows(Fact::ActiveSubscriptions).knows(Fact::Status).build().unwrap();
    let repository = MemoryRepository::new(map);
    for (id, which) in [("1", 4), ("2", 6)] {
        let own = FIELDS.iter().fold(Record::new("customer", id).with("id", id), |record, field| {
            record.with(field.0, if which == 4 { field.4 } else { field.6 })
        });
        repository.insert(Customer::new(id, "us"), vec![own]);
    }
    MemoryStore::new(repository)
}

/// Erases both, and returns what was due before and after.
async fn erase(store: &dyn CustomerStore) -> (u64, u64) {
    let policy = policy().check(store.data_map()).unwrap();
    let treatment = policy.treatments()["t"].clone();
    let ids = vec!["1".into(), "2".into()];
    let tally = TallyRequest::new(ids.clone(), treatment.clone());
    let due = async || -> u64 {
        let tallies = store.tally(&tally).await.unwrap();
        tallies.iter().map(|tally| tally.as_ref().unwrap().classes["customer"].due).sum()
    };
    let before = due().await;
    let facts = store.facts(&ids).await.unwrap();
    let targets = facts
        .iter()
        .map(|facts| Target {
            customer: facts.id.clone(),
            tenant: facts.tenant.clone(),
            expected: facts.expected(),
        })
        .collect();
    let request = EraseRequest::new(targets, treatment, Seed::new([7; 32]), hosts::now());
    for erased in store.erase(&request).await.unwrap() {
        assert!(matches!(erased, Ok(Erased::Done(_))), "{erased:?}");
    }
    (before, due().await)
}

fn check(name: &str, declared: &str, one: &Value, expected: &str, other: &Value, unreadable: &str) {
    let one = one.as_text().unwrap();
    let is_drawn = matches!(name, "number" | "login");
    assert!(if is_drawn { one.starts_with(expected) } else { one == expected }, "{name}: {one}");
    match name {
        "initial" => assert_eq!(other.as_text(), Some("E")),
        "number" | "login" => assert!(other.as_text().unwrap().starts_with(expected)),
        _ if declared.contains("NOT NULL") => assert!(other.as_text().unwrap().starts_with("Anonymised ")),
        _ => assert!(*other == Value::Null, "{name}: {unreadable} could not be read, so it goes"),
    }
}

#[tokio::test]
async fn sqlite_writes_what_the_policy_says_and_clears_what_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.sqlite");
    assert_eq!(erase(&sqlite(&path)).await, (2, 0));
    let connection = rusqlite::Connection::open(&path).unwrap();
    for (name, declared, _, _, _, expected, unreadable) in FIELDS {
        let value = |id: i64| {
            let sql = format!("SELECT {name} FROM people WHERE id = {id}");
            let text: Option<String> = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
            Value::from(text)
        };
        check(name, declared, &value(1), expected, &value(2), unreadable);
    }
}

#[tokio::test]
async fn memory_writes_the_same() {
    let store = memory();
    assert_eq!(erase(&store).await, (2, 0));
    let record = |id: &str| store.repository().records(&id.into()).remove(0);
    let (one, two) = (record("1"), record("2"));
    for (name, declared, _, _, _, expected, unreadable) in FIELDS {
        check(name, declared, one.get(name), expected, two.get(name), unreadable);
    }
}

#[test]
fn a_rule_that_is_none_is_refused_with_the_way_out() {
    for (rule, path, way_out) in [
        ("{ generalise = 'years' }", "generalise", "did you mean year?"),
        ("{ generalise = { prefix = 0 } }", "generalise", "prefix = 2"),
        ("{ generalise = { suffix = 2 } }", "generalise", ""),
        ("{ generalise = 4 }", "generalise", "prefix = 2"),
        ("{ truncate = 0 }", "truncate", "from 1 to 65535"),
        ("{ truncate = 'x' }", "truncate", "from 1 to 65535"),
        ("{ token = 'guid' }", "token", "did you mean uuid?"),
        ("{ token = { digits = 9 } }", "token", "from 10 digits to 38"),
        ("{ token = { digits = 300 } }", "token", "from 10 digits to 38"),
        ("{ placeholder = 'x {week}' }", "placeholder", "{year}"),
        ("{ placeholder = '{year}' }", "placeholder", "write a word beside it"),
        ("'generalise'", "", "{ generalise = \"year\" }"),
    ] {
        let text = format!("{GUARDS}anonymise.name = {rule}\ntreatments.t.customer = 'anonymise'");
        let problems = PolicyDocument::from_toml(&text).unwrap_err();
        let path =
            if path.is_empty() { "anonymise.name".to_owned() } else { format!("anonymise.name.{path}") };
        let found = problems
            .iter()
            .any(|problem| problem.path.starts_with(&path) && problem.way_out.contains(way_out));
        assert!(found, "{rule}: {problems}");
    }
}

/// The constraints of a column, against the value that a rule would write.
#[test]
fn a_rule_that_the_column_cannot_take_is_refused_before_anything_runs() {
    let with = |field: Field, rule: &str| {
        let map = DataMap::builder(RecordClass::new("customer").field(Field::key("id")).field(field))
            .knows(Fact::ActiveSubscriptions)
            .knows(Fact::Status)
            .build()
            .unwrap();
        let text = format!("{GUARDS}anonymise.name = {rule}\ntreatments.t.customer = 'anonymise'");
        PolicyDocument::from_toml(&text)
            .unwrap()
            .check(&map)
            .map(|_| ())
            .map_err(|problems| problems.to_string())
    };
    let name = || Field::personal("x", Kind::Name);
    for (field, rule, reason) in [
        (name().max_chars(9), "{ generalise = 'year' }", "takes 9 characters, and that is 10"),
        (name().max_chars(4), "{ generalise = 'age_band' }", "takes 4 characters, and that is 5"),
        (name().unique(), "{ generalise = 'uk_postcode' }", "values must differ"),
        (name().datatype(Datatype::Integer), "{ generalise = 'us_zip' }", "another type"),
        (name().datatype(Datatype::Blob), "{ truncate = 3 }", "another type"),
        (name().datatype(Datatype::Integer).required(), "{ generalise = 'age_band' }", "it is no text"),
        (name().unique(), "{ token = { digits = 15 } }", "values must differ"),
        (name().max_chars(11), "{ token = { digits = 12 } }", "too few"),
        (name().max_chars(35), "{ token = 'uuid' }", "too few"),
        (name().unique(), "{ placeholder = 'gone in {year}' }", "{ placeholder = \"Erased {token}\" }"),
    ] {
        let refused = with(field, rule).unwrap_err();
        assert!(refused.contains(reason), "{rule}: {refused}");
    }
    for (field, rule) in [
        (name().max_chars(10), "{ generalise = 'year' }"),
        (name().datatype(Datatype::Numeric), "{ generalise = 'month' }"),
        (name().datatype(Datatype::Integer), "{ generalise = 'age_band' }"),
        (name().unique().required(), "{ placeholder = 'gone {token}' }"),
        (name().max_chars(36).unique().required(), "{ token = 'uuid' }"),
        (name().unique(), "{ token = { digits = 16 } }"),
    ] {
        assert_eq!(with(field, rule), Ok(()), "{rule}");
    }
}

/// An invoice as PDF, a scan, a spreadsheet, and a file that does not exist any more.
#[cfg(feature = "pdf")]
#[tokio::test]
async fn documents_in_a_column_become_blank_and_stay_readable() {
    use relinquish::RecordStore as _;
    use relinquish::anonymise::document::is_blank;

    type Paper<'p> = (i64, i64, Option<&'p [u8]>, &'p [u8]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("documents.sqlite");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, state TEXT);
             CREATE TABLE papers (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people, number TEXT, file BLOB,
                 scan BLOB NOT NULL);
             INSERT INTO people VALUES (1, 'archived'), (2, 'archived'), (3, 'archived');",
        )
        .unwrap();
    let pdf = b"%PDF-1.4 1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Kids[3 0 R]/MediaBox[0 0 595 842]>>endobj \
        3 0 obj<</Type/Page/Contents 4 0 R>>endobj 4 0 obj<</Length 6>>stream\n(Maud)\nendstream endobj trailer<</Root 1 0 R>>";
    let papers: [Paper<'_>; 5] = [
        (5, 2, Some(b"number,name\n1,Maud\n"), b"Dear Maud"),
        (1, 1, Some(pdf), b"\xff\xd8\xff Maud"),
        (2, 1, Some(b"PK\x03\x04 Maud"), b"PK\x03\x04 Maud"),
        (3, 2, None, b"%PDF-1.4 Maud"),
        (4, 3, Some(pdf), b"somebody else's"),
    ];
    for (id, person, file, scan) in papers {
        let sql = "INSERT INTO papers VALUES (?1, ?2, 'A-' || ?1, ?3, ?4)";
        connection.execute(sql, rusqlite::params![id, person, file, scan]).unwrap();
    }
    let map = "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = { is = 'us' }\n\
         status = { column = 'state', active = 'active', archived = 'archived' }\n\
         deactivate = { state = 'archived' }\n[records.paper]\ntable = 'papers'\nkey = 'id'\nowner = 'person'\n\
         fields = { number = 'not personal', file = 'document', scan = 'image' }";
    let store = SqliteStore::open(&path, &SqlMap::from_toml(map).unwrap()).unwrap();
    let policy = format!("{GUARDS}treatments.t.customer = 'anonymise'\ntreatments.t.paper = 'blank'");
    let policy = PolicyDocument::from_toml(&policy).unwrap().check(store.data_map()).unwrap();
    let treatment = policy.treatments()["t"].clone();
    let ids = vec!["1".into(), "2".into()];
    let due = async || -> u64 {
        let tallies = store.tally(&TallyRequest::new(ids.clone(), treatment.clone())).await.unwrap();
        tallies.iter().map(|tally| tally.as_ref().unwrap().classes["paper"].due).sum()
    };
    assert_eq!(due().await, 4);
    let facts = store.facts(&ids).await.unwrap();
    let target = |facts: &Customer| Target {
        customer: facts.id.clone(),
        tenant: facts.tenant.clone(),
        expected: facts.expected(),
    };
    let targets = facts.iter().map(target).collect();
    let request = EraseRequest::new(targets, treatment.clone(), Seed::new([7; 32]), hosts::now());
    for erased in store.erase(&request).await.unwrap() {
        assert!(matches!(erased, Ok(Erased::Done(_))), "{erased:?}");
    }
    assert_eq!(due().await, 0);
    let read = |id: i64| -> (String, Option<Vec<u8>>, Vec<u8>) {
        let sql = "SELECT number, file, scan FROM papers WHERE id = ?1";
        connection.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
    };
    let (number, file, scan) = read(1);
    assert!(number == "A-1" && is_blank(&file.unwrap()) && is_blank(&scan));
    let (_, file, scan) = read(2);
    assert_eq!((file, scan), (None, Vec::new()), "what cannot be blanked goes, or is an empty file");
    assert_eq!((read(3).1, read(3).2), (None, Vec::new()), "a PDF without pages is damaged");
    assert_eq!(read(4).1.as_deref(), Some(pdf.as_slice()), "others keep theirs");
    assert_eq!((read(5).1, read(5).2), (Some(Vec::new()), Vec::new()), "an empty text is a valid one");
}

/// `blank` says what happens to a file that cannot be blanked, for a class and for a field.
#[cfg(feature = "pdf")]
#[tokio::test]
async fn a_policy_says_what_becomes_of_a_file_that_cannot_be_blanked() {
    use relinquish::RecordStore as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("files.sqlite");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, state TEXT, file BLOB, scan BLOB NOT NULL);
             INSERT INTO people VALUES (1, 'archived', x'504b0304', x'504b0304');",
        )
        .unwrap();
    let map = "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = { is = 'us' }\n\
         status = { column = 'state', active = 'active', archived = 'archived' }\n\
         deactivate = { state = 'archived' }\nfields = { file = 'document', scan = 'image' }";
    let store = SqliteStore::open(&path, &SqlMap::from_toml(map).unwrap()).unwrap();
    let check = |lines: &str| {
        PolicyDocument::from_toml(&format!("{GUARDS}{lines}"))
            .and_then(|policy| policy.check(store.data_map()))
    };
    let class = |otherwise: &str| format!("treatments.t.customer = {{ action = 'blank'{otherwise} }}");
    for (lines, wanted) in [
        (class(", otherwise = 'delete'"), "customer.scan: has to go where it holds no document"),
        (class(", otherwise = 'emtpy'"), "t.customer.otherwise: says nothing of what cannot be blanked"),
        (class("").replace("blank'", "anonymise', otherwise = 'empty'"), "and nothing is blanked"),
        ("anonymise.document = { blank = {} }".to_owned(), "anonymise.document.blank"),
        (
            "anonymise.document = { blank = { otherwise = 'gone' } }".to_owned(),
            "blank.otherwise: says nothing",
        ),
    ] {
        let problems = check(&lines).unwrap_err().to_string();
        assert!(problems.contains(wanted), "{lines}: {problems}");
    }
    let both = "anonymise.document = { blank = { otherwise = 'empty' } }\nanonymise.image = 'blank'\n\
        treatments.t.customer = 'anonymise'";
    let written = |policy: &relinquish::Policy| -> Vec<String> {
        let treatment = policy.treatments()["t"].clone();
        treatment
            .class("customer")
            .unwrap()
            .fields()
            .values()
            .map(relinquish::anonymise::Strategy::describe)
            .collect()
    };
    let empty = "a blank document; what is none: an empty file".to_owned();
    let policy = check(both).unwrap();
    assert_eq!(written(&policy), [empty.clone(), empty.clone()], "the plan says so");
    assert_eq!(written(&check(&class(", otherwise = 'empty'")).unwrap()), [empty.clone(), empty.clone()]);
    let cleared = "a blank document; what is none: cleared".to_owned();
    assert_eq!(written(&check(&class("")).unwrap()), [cleared, empty]);

    let facts = store.facts(&["1".into()]).await.unwrap().remove(0);
    let target =
        Target { customer: facts.id.clone(), tenant: facts.tenant.clone(), expected: facts.expected() };
    let treatment = policy.treatments()["t"].clone();
    let request = EraseRequest::new(vec![target], treatment, Seed::new([7; 32]), hosts::now());
    assert!(matches!(store.erase(&request).await.unwrap()[0], Ok(Erased::Done(_))));
    let left: (Vec<u8>, Vec<u8>) = connection
        .query_row("SELECT file, scan FROM people", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(left, (Vec::new(), Vec::new()));
}

const NOTES: [(i64, i64, &str, &str); 6] = [
    (
        1,
        1,
        "Maud Ashworth rang from 020 7946 0018 about parcel 88.",
        "[gone] rang from [gone] about parcel 88.",
    ),
    (
        2,
        1,
        "ASHWORTH, M. wants ma\u{200b}ud@example.org off the list – twice.",
        "[gone] wants [gone] off the list – twice.",
    ),
    (3, 1, "Nobody is mentioned here, in Edinburgh.", "Nobody is mentioned here, in Edinburgh."),
    (4, 2, "Ed Featherstone met Maud Ashworth.", "[gone] met Maud Ashworth."),
    (5, 3, "Of Gisbert Löwenthal and of Maud Ashworth.", "Of Gisbert Löwenthal and of Maud Ashworth."),
    (6, 1, "", ""),
];

const NOTES_POLICY: &str = "anonymise.name = 'remove'\nanonymise.email = 'token'\nanonymise.phone = 'clear'\n\
    anonymise.free_text = { redact = '[gone]' }\ntreatments.t.customer = 'anonymise'\ntreatments.t.note = 'anonymise'\n\
    treatments.t.invoice = { keep = 'bookkeeping' }";

const PEOPLE: [(i64, &str, &str, &str); 3] = [
    (1, "Maud Ashworth", "maud@example.org", "+44 20 7946 0018"),
    (2, "Ed Featherstone", "ed@example.org", "+44 20 7946 0019"),
    (3, "Gisbert Löwenthal", "gisbert@example.org", "+49 30 123456"),
];

/// Each customer's identifiers are removed from the customer's own texts: the invoice text on the customer's card,
/// and the comments. Issued invoices do not change.
#[tokio::test]
async fn customers_are_taken_out_of_the_texts_of_their_own_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.sqlite");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, state TEXT, name TEXT NOT NULL, email TEXT UNIQUE, phone TEXT,
                 invoice_text VARCHAR(40) CHECK (length(invoice_text) <= 40));
             CREATE TABLE notes (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people, body TEXT NOT NULL);
             CREATE TABLE invoices (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people, addressee TEXT);",
        )
        .unwrap();
    for (id, name, email, phone) in PEOPLE {
        let sql = "INSERT INTO people VALUES (?1, 'archived', ?2, ?3, ?4, 'Att: ' || ?2 || ', net 30')";
        connection.execute(sql, rusqlite::params![id, name, email, phone]).unwrap();
        let sql = "INSERT INTO invoices VALUES (?1, ?1, ?2)";
        connection.execute(sql, rusqlite::params![id, name]).unwrap();
    }
    for (id, person, body, _) in NOTES {
        connection
            .execute("INSERT INTO notes VALUES (?1, ?2, ?3)", rusqlite::params![id, person, body])
            .unwrap();
    }
    let map = "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = { is = 'us' }\n\
         status = { column = 'state', active = 'active', archived = 'archived' }\n\
         deactivate = { state = 'archived' }\n[customers.fields]\nname = 'name'\nemail = 'email'\nphone = 'phone'\n\
         invoice_text = 'free_text'\n[records.note]\ntable = 'notes'\nkey = 'id'\nowner = 'person'\n\
         fields = { body = 'free_text' }\n[records.invoice]\ntable = 'invoices'\nkey = 'id'\nowner = 'person'\n\
         fields = { addressee = 'name' }";
    let store = SqliteStore::open(&path, &SqlMap::from_toml(map).unwrap()).unwrap();
    let due = erase_notes(&store).await;
    // Before, two cards and three of the notes mention their customers.
    assert_eq!(due, [(2, 3), (0, 0)]);
    let read = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let expected: Vec<&str> = NOTES.iter().map(|(.., left)| *left).collect();
    assert_eq!(read("SELECT body FROM notes ORDER BY id"), expected);
    assert_eq!(
        read("SELECT invoice_text FROM people ORDER BY id"),
        ["Att: [gone], net 30", "Att: [gone], net 30", "Att: Gisbert Löwenthal, net 30"]
    );
    assert_eq!(read("SELECT addressee FROM invoices ORDER BY id"), PEOPLE.map(|(_, name, ..)| name));
}

/// Erases the first two customers, and returns how many cards and notes were due before and after.
async fn erase_notes(store: &dyn CustomerStore) -> [(u64, u64); 2] {
    let policy = PolicyDocument::from_toml(&format!("{GUARDS}{NOTES_POLICY}")).unwrap();
    let treatment = policy.check(store.data_map()).unwrap().treatments()["t"].clone();
    let ids = vec!["1".into(), "2".into()];
    let tally = TallyRequest::new(ids.clone(), treatment.clone());
    let due = async || -> (u64, u64) {
        let tallies = store.tally(&tally).await.unwrap();
        let of = |class: &str| tallies.iter().map(|tally| tally.as_ref().unwrap().classes[class].due).sum();
        (of("customer"), of("note"))
    };
    let before = due().await;
    let facts = store.facts(&ids).await.unwrap();
    let target = |facts: &Customer| Target {
        customer: facts.id.clone(),
        tenant: facts.tenant.clone(),
        expected: facts.expected(),
    };
    let targets: Vec<Target> = facts.iter().map(target).collect();
    let request = EraseRequest::new(targets, treatment, Seed::new([7; 32]), hosts::now());
    for erased in store.erase(&request).await.unwrap() {
        assert!(matches!(erased, Ok(Erased::Done(_))), "{erased:?}");
    }
    [before, due().await]
}

#[tokio::test]
async fn so_are_they_record_by_record() {
    let person = RecordClass::new("customer")
        .field(Field::key("id").token_part())
        .field(Field::personal("name", Kind::Name).required())
        .field(Field::personal("email", Kind::Email).unique())
        .field(Field::personal("phone", Kind::Phone))
        .field(Field::personal("invoice_text", Kind::FreeText).max_chars(18));
    let note = RecordClass::new("note")
        .field(Field::key("id"))
        .field(Field::personal("body", Kind::FreeText).required())
        .needs_owner();
    let invoice =
        RecordClass::new("invoice").field(Field::key("id")).field(Field::personal("addressee", Kind::Name));
    let map = DataMap::builder(person)
        .class(note)
        .class(invoice)
        .knows(Fact::ActiveSubscriptions)
        .knows(Fact::Status)
        .build()
        .unwrap();
    let repository = MemoryRepository::new(map);
    for (id, name, email, phone) in PEOPLE {
        let key = id.to_string();
        let own = Record::new("customer", key.as_str())
            .with("id", key.as_str())
            .with("name", name)
            .with("email", email)
            .with("phone", phone)
            .with("invoice_text", format!("Att: {name}, net 30"));
        let notes = NOTES.iter().filter(|(_, person, ..)| *person == id).map(|(note, _, body, _)| {
            Record::new("note", note.to_string()).with("id", note.to_string()).with("body", *body)
        });
        let invoice = Record::new("invoice", key.as_str()).with("id", key.as_str()).with("addressee", name);
        let records = [own, invoice].into_iter().chain(notes).collect();
        repository.insert(Customer::new(key.as_str(), "us"), records);
    }
    let store = MemoryStore::new(repository);
    assert_eq!(erase_notes(&store).await, [(2, 3), (0, 0)]);
    let mut bodies: Vec<(i64, String)> = Vec::new();
    for (id, name, ..) in PEOPLE {
        for record in store.repository().records(&id.to_string().as_str().into()) {
            match record.class.as_str() {
                "note" => bodies.push((
                    record.get("id").as_text().unwrap().parse().unwrap(),
                    record.get("body").as_text().unwrap().to_owned(),
                )),
                "invoice" => assert_eq!(record.get("addressee").as_text(), Some(name)),
                // The column is so short that only an asterisk fits.
                _ if id < 3 => assert_eq!(record.get("invoice_text").as_text(), Some("Att: *, net 30")),
                _ => assert_eq!(record.get("name").as_text(), Some(name)),
            }
        }
    }
    bodies.sort();
    let expected: Vec<(i64, String)> = NOTES.iter().map(|(id, .., left)| (*id, (*left).to_owned())).collect();
    assert_eq!(bodies, expected);
}

/// A repository says which of its fields contain documents. A value that is not a document fails only its own
/// customer.
#[tokio::test]
async fn documents_stay_documents_record_by_record() {
    let person = RecordClass::new("customer")
        .field(Field::key("id").token_part())
        .field(Field::personal("name", Kind::Name))
        .field(Field::personal("log", Kind::FreeText).json());
    let map = DataMap::builder(person).knows(Fact::ActiveSubscriptions).knows(Fact::Status).build().unwrap();
    let repository = MemoryRepository::new(map);
    let logs = [
        r#"{"said":["Ashw\u006frth rang\n", 1.0], "by":"M\u00fcller"}"#,
        r#"{"said":["Featherstone rang"]"#,
        r#"["Ashworth and Featherstone"]"#,
    ];
    for ((id, name, ..), log) in PEOPLE.into_iter().zip(logs) {
        let key = id.to_string();
        let own = Record::new("customer", key.as_str()).with("id", key.as_str()).with("name", name);
        repository.insert(Customer::new(key.as_str(), "us"), vec![own.with("log", log)]);
    }
    let store = MemoryStore::new(repository);
    let text = format!(
        "{GUARDS}anonymise.name = 'remove'\nanonymise.free_text = {{ redact = '\"x\"' }}\ntreatments.t.customer = 'anonymise'"
    );
    let policy = PolicyDocument::from_toml(&text).unwrap().check(store.data_map()).unwrap();
    let facts = store.facts(&["1".into(), "2".into()]).await.unwrap();
    let target =
        |facts: Customer| Target { expected: facts.expected(), customer: facts.id, tenant: facts.tenant };
    let targets = facts.into_iter().map(target).collect();
    let treatment = policy.treatments()["t"].clone();
    let request = EraseRequest::new(targets, treatment, Seed::new([7; 32]), hosts::now());
    let answers = store.erase(&request).await.unwrap();
    assert!(matches!(&answers[0], Ok(Erased::Done(_))), "{answers:?}");
    let said = answers[1].as_ref().unwrap_err().to_string();
    assert!(said.contains("log of customer cannot be searched") && said.contains("no JSON"), "{said}");
    assert!(!said.contains("Featherstone"), "{said}");
    let log = |id: &str| store.repository().records(&id.into())[0].get("log").as_text().unwrap().to_owned();
    assert_eq!(log("1"), r#"{"said":["\"x\" rang\n", 1.0], "by":"M\u00fcller"}"#);
    assert_eq!([log("2"), log("3")], [logs[1], logs[2]]);
}
