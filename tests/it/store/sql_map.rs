//! A map of a database: its grammar, and the check against real SQLite files.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use relinquish::data_map::{
    Constraints, Datatype, DeactivationSupport, Fact, IgnoredPart, Kind, Link, RecordClass, Role,
};
use relinquish::store::{
    CustomerStore, Deactivated, Deactivation, EraseRequest, Erased, RecordStore, StoreError, Target,
};
use relinquish::{PolicyDocument, Problems, SqlMap, SqliteStore, anonymise::Seed};
use rusqlite::Connection;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

const SCHEMA: &str = "
CREATE TABLE clients (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    name VARCHAR(40) NOT NULL,
    email TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'customer',
    archived_at TEXT,
    ended_on TEXT,
    created_at TEXT NOT NULL DEFAULT '2020-01-01',
    stripe_id TEXT
);
CREATE TABLE invoices (
    id INTEGER PRIMARY KEY,
    client_id INTEGER NOT NULL REFERENCES clients (id),
    text TEXT
);
CREATE TABLE invoice_lines (
    invoice_id INTEGER NOT NULL REFERENCES invoices,
    line INTEGER NOT NULL,
    text TEXT,
    PRIMARY KEY (invoice_id, line)
);
";

const MAP: &str = r#"
version = 1

[customers]
table = "clients"
key = "id"
tenant = "tenant"
registered = "created_at"
active_subscriptions = { sql = "SELECT 0" }
status = { column = "state", active = ["lead", "customer"], cancelled = "ended", archived = "archived" }
dates = { cancelled = "ended_on", created = "created_at" }
gateways.stripe = "stripe_id"
deactivate = { state = "archived", archived_at = "{now}" }

[customers.unknown_customer]
find = { email = "unknown@example.invalid" }
create = { name = "Unknown Customer" }

[customers.fields]
name = "name"
email = "email"

[records.invoice]
table = "invoices"
key = "id"
owner = "client_id"
fields.text = "free_text"

[records.invoice_line]
table = "invoice_lines"
key = ["invoice_id", "line"]
owner = ["invoice_id", "client_id"]
fields.text = "free_text"
"#;

type Edits<'a> = &'a [(&'a str, &'a str)];

/// A text with some parts replaced. An empty part means that the new text is added at the end.
fn edited(text: &str, edits: Edits<'_>) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        if from.is_empty() { format!("{text}\n{to}") } else { text.replace(from, to) }
    })
}

fn database(schema: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("shop.sqlite");
    Connection::open(&path).unwrap().execute_batch(schema).unwrap();
    (folder, path)
}

fn open(schema: &str, map: &str) -> Result<SqliteStore, StoreError> {
    let (_folder, path) = database(schema);
    let map = SqlMap::from_toml(map).unwrap_or_else(|problems| panic!("{map}\n{problems}"));
    SqliteStore::open(path, &map)
}

/// The path and the text of each problem, in the order of the paths.
fn listed(problems: &Problems) -> Vec<String> {
    let mut list: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.path, p.what)).collect();
    list.sort();
    list
}

fn faults(schema: Edits<'_>, map: Edits<'_>) -> Vec<String> {
    match open(&edited(SCHEMA, schema), &edited(MAP, map)) {
        Ok(_) => Vec::new(),
        Err(StoreError::Map(problems)) => listed(&problems),
        Err(other) => panic!("{other}"),
    }
}

// ---- grammar ----

fn as_json() -> Json {
    json!({
        "version": 1,
        "customers": {
            "class": "customer",
            "table": "clients",
            "key": "id",
            "tenant": { "is": "acme" },
            "tenants": { "sql": "SELECT 1" },
            "registered": "created_at",
            "active_subscriptions": { "sql": "SELECT 0" },
            "status": { "column": "state", "active": ["lead", 1], "archived": "archived" },
            "dates": { "cancelled": "ended_on" },
            "gateways": { "stripe": "stripe_id" },
            "deactivate": { "state": "archived" },
            "unknown_customer": { "find": { "is_unknown": 1 }, "create": { "name": "Unknown" } },
            "fields": { "name": "name", "phone": { "kind": "phone", "max_chars": 20 } },
        },
        "records": {
            "invoice": { "table": "invoices", "key": "id", "owner": "client_id", "fields": { "text": "free_text" } },
            "line": {
                "table": "lines",
                "key": ["a", "b"],
                "owner": [{ "column": "no", "table": "invoices", "key": "no" }, "client_id"],
            },
        },
        "ignore": { "marks": "row numbers only" },
    })
}

fn with(mut document: Json, pointer: &str, value: Json) -> Json {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.to_owned(), value);
    document
}

fn paths(map: &Json) -> Vec<String> {
    let mut paths: Vec<String> = match SqlMap::from_json(&map.to_string()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|problem| problem.path.clone()).collect(),
    };
    paths.sort();
    paths
}

#[test]
fn a_slip_of_the_pen_is_an_error_with_its_path() {
    assert!(paths(&as_json()).is_empty());
    for (pointer, wrong, at) in [
        ("/version", json!(2), "version"),
        ("/customer", json!({}), "customer"),
        ("/customers", json!("clients"), "customers"),
        ("/customers/class", json!(1), "customers.class"),
        ("/customers/tabel", json!("clients"), "customers.tabel"),
        ("/customers/table", json!(["clients"]), "customers.table"),
        ("/customers/key", json!(["id", 1]), "customers.key[1]"),
        ("/customers/when", json!("some"), "customers.when"),
        ("/customers/rest", json!("nonsense"), "customers.rest"),
        ("/ends", json!("cascade"), "ends"),
        ("/links", json!({ "x": { "to": 1 } }), "links.x.to"),
        ("/records/invoice/when", json!({ "kind": [] }), "records.invoice.when.kind"),
        ("/records/invoice/ends", json!({ "client_id": "gone" }), "records.invoice.ends.client_id"),
        ("/records/invoice/shared", json!([]), "records.invoice.shared"),
        ("/records/invoice/owner", json!({ "first": [] }), "records.invoice.owner.first"),
        (
            "/records/invoice/owner",
            json!({ "column": "x", "compare": "about" }),
            "records.invoice.owner[0].compare",
        ),
        ("/alike", json!([{ "owner": "x" }]), "alike[0].tables"),
        ("/ignore/marks", json!({ "rest": "" }), "ignore.marks.rest"),
        ("/customers/tenant", json!(1), "customers.tenant"),
        ("/customers/tenant", json!({ "is": "" }), "customers.tenant.is"),
        ("/customers/tenant/sql", json!("SELECT 1"), "customers.tenant.sql"),
        ("/customers/tenants", json!({ "sql": "SELECT 1", "column": "x" }), "customers.tenants.column"),
        ("/customers/registered", json!(true), "customers.registered"),
        ("/customers/active_subscriptions/sql", json!(1), "customers.active_subscriptions.sql"),
        ("/customers/status", json!("state"), "customers.status"),
        ("/customers/status/sql", json!("SELECT 1"), "customers.status"),
        ("/customers/status/inactive", json!("x"), "customers.status.inactive"),
        ("/customers/status/active", json!([]), "customers.status.active"),
        ("/customers/status/cancelled", json!("lead"), "customers.status.cancelled"),
        ("/customers/status/cancelled", json!([{}]), "customers.status.cancelled"),
        ("/customers/dates/created", json!(3), "customers.dates.created"),
        ("/customers/gateways/stripe", json!(null), "customers.gateways.stripe"),
        ("/customers/deactivate", json!({}), "customers.deactivate"),
        ("/customers/deactivate", json!("archived"), "customers.deactivate"),
        ("/customers/deactivate", json!({ "none": 1 }), "customers.deactivate.none"),
        ("/customers/deactivate/none", json!("and a status"), "customers.deactivate.state"),
        ("/customers/deactivate/state", json!([]), "customers.deactivate.state"),
        ("/customers/deactivate/state", json!("{today}"), "customers.deactivate.state"),
        ("/customers/deactivate/state", json!("of {tenant}"), "customers.deactivate.state"),
        ("/customers/unknown_customer", json!({ "create": {} }), "customers.unknown_customer.find"),
        ("/customers/unknown_customer/find", json!({}), "customers.unknown_customer.find"),
        ("/customers/unknown_customer/find/x", json!([]), "customers.unknown_customer.find.x"),
        ("/customers/unknown_customer/create/x", json!("{a}"), "customers.unknown_customer.create.x"),
        (
            "/customers/unknown_customer/create/x",
            json!("{tenant}{tenant}"),
            "customers.unknown_customer.create.x",
        ),
        ("/customers/fields/name", json!("nmae"), "customers.fields.name"),
        ("/customers/fields/name", json!("personal"), "customers.fields.name"),
        ("/customers/fields/phone/max_chars", json!(0), "customers.fields.phone.max_chars"),
        ("/customers/fields/phone/max_chars", json!("20"), "customers.fields.phone.max_chars"),
        ("/customers/fields/phone/max", json!(20), "customers.fields.phone.max"),
        ("/customers/fields/phone", json!({ "max_chars": 20 }), "customers.fields.phone.kind"),
        ("/records", json!([]), "records"),
        ("/records/invoice", json!("invoices"), "records.invoice"),
        ("/records/invoice/key", json!([]), "records.invoice.key"),
        ("/records/invoice/key", json!(["id", 1]), "records.invoice.key[1]"),
        ("/records/invoice/owner", json!([1]), "records.invoice.owner[0]"),
        ("/records/invoice/owner", json!([]), "records.invoice.owner[0]"),
        ("/records/invoice/owners", json!("x"), "records.invoice.owners"),
        ("/records/line/owner", json!([{ "column": "a", "table": "b" }]), "records.line.owner[0].key"),
        ("/ignore", json!(["marks"]), "ignore"),
        ("/ignore/marks", json!(""), "ignore.marks"),
    ] {
        assert_eq!(paths(&with(as_json(), pointer, wrong.clone())), [at], "{pointer} = {wrong}");
    }
}

#[test]
fn the_nearest_name_is_suggested() {
    for (pointer, wrong, hint) in [
        ("/customers/tabel", json!("x"), "did you mean table?"),
        ("/customers/fields/name", json!("nmae"), "did you mean name?"),
        ("/customers/fields/name", json!("not persnal"), "did you mean not personal?"),
        ("/records/invoice/ower", json!("x"), "did you mean owner?"),
    ] {
        let text = with(as_json(), pointer, wrong).to_string();
        let problems = SqlMap::from_json(&text).unwrap_err().to_string();
        assert!(problems.contains(hint), "{problems}");
    }
}

/// An error in one line hides no other error, neither below it nor in the same table or list.
#[test]
fn every_fault_of_a_map_is_said_at_once() {
    let wrong = json!({
        "version": "1",
        "customers": {
            "class": 1,
            "key": 2,
            "tenant": 3,
            "status": { "active": [], "archived": {} },
            "dates": { "cancelled": 4 },
            "deactivate": {},
            "unknown_customer": { "found": {} },
            "fields": { "name": "nmae", "phone": { "kind": "phon", "max_chars": 0 } },
        },
        "records": {
            "invoice": { "key": [1, 2], "owner": [3, "client_id", 4], "fields": { "text": 5 } },
            "line": "lines",
        },
        "ignore": { "marks": 6 },
    });
    assert_eq!(
        paths(&wrong),
        [
            "customers.class",
            "customers.dates.cancelled",
            "customers.deactivate",
            "customers.fields.name",
            "customers.fields.phone",
            "customers.fields.phone.max_chars",
            "customers.key",
            "customers.status",
            "customers.status.active",
            "customers.status.archived",
            "customers.table",
            "customers.tenant",
            "customers.unknown_customer.found",
            "ignore.marks",
            "records.invoice.fields.text",
            "records.invoice.key[0]",
            "records.invoice.key[1]",
            "records.invoice.owner[0]",
            "records.invoice.owner[2]",
            "records.line",
            "version",
        ]
    );
}

// ---- the map against the schema ----

#[test]
fn a_map_that_fits_is_taken() {
    assert!(faults(&[], &[]).is_empty());
    let store = open(SCHEMA, MAP).unwrap();
    let map = store.data_map();
    let names: Vec<&str> = map.classes().map(|class| class.name().as_str()).collect();
    assert_eq!(names, ["customer", "invoice", "invoice_line"]);
    assert!([Fact::ActiveSubscriptions, Fact::Status].iter().all(|fact| map.knows(*fact)));
    assert!(!map.knows(Fact::Tenants), "nobody said how many");
    assert_eq!(map.dates().iter().collect::<Vec<_>>(), ["cancelled", "created"]);
    assert_eq!(*map.deactivation(), DeactivationSupport::Supported);
    let root = map.class("customer").unwrap();
    let token: Vec<&str> = root
        .fields()
        .iter()
        .filter(|field| field.is_token_part())
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(token, ["id", "tenant", "created_at"]);
    assert_eq!(root.find("stripe_id").unwrap().kind(), Some(&Kind::PaymentProfile));
    assert_eq!(root.find("id").unwrap().role(), Role::Key);
    let reassignable: Vec<bool> = map.classes().map(RecordClass::is_reassignable).collect();
    assert_eq!(reassignable, [false, true, false], "only what belongs to a customer directly");
    let line = map.class("invoice_line").unwrap();
    assert!(line.links().iter().any(|link| link.is_owner() && link.to().as_str() == "invoice"));
}

/// A rule, the change of schema and map, and the store's answer.
type Case<'a> = (&'a str, Edits<'a>, Edits<'a>, &'a [&'a str]);

#[track_caller]
fn assert_cases(cases: &[Case<'_>]) {
    for (law, schema, map, wanted) in cases {
        assert_eq!(&faults(schema, map), wanted, "{law}");
    }
}

#[test]
fn a_table_or_column_that_is_not_there_is_found() {
    assert_cases(&[
        (
            "the customers' table",
            &[],
            &[("\"clients\"", "\"client\"")],
            &["customers.table: there is no table client"],
        ),
        (
            "a record's table",
            &[],
            &[("table = \"invoice_lines\"", "table = \"lines\"")],
            &["records.invoice_line.table: there is no table lines"],
        ),
        (
            "columns from which facts come",
            &[],
            &[
                ("= \"ended_on\"", "= \"ended\""),
                ("registered = \"created_at\"", "registered = \"made\""),
                ("column = \"state\"", "column = \"stat\""),
                ("\"stripe_id\"", "\"stripe\""),
                ("tenant = \"tenant\"", "tenant = \"org\""),
            ],
            &[
                "customers.dates.cancelled: table clients has no column ended",
                "customers.gateways.stripe: table clients has no column stripe",
                "customers.registered: table clients has no column made",
                "customers.status: table clients has no column stat",
                "customers.tenant: table clients has no column org",
            ],
        ),
        (
            "keys, owners and fields",
            &[],
            &[
                ("key = \"id\"\nowner", "key = \"no\"\nowner"),
                ("owner = \"client_id\"", "owner = \"customer_id\""),
                ("email = \"email\"", "email = \"email\"\nmail = \"email\""),
            ],
            &[
                "customers.fields.mail: table clients has no column mail",
                "records.invoice.key: table invoices has no column no",
                "records.invoice.owner: table invoices has no column customer_id",
            ],
        ),
        (
            "a table to ignore",
            &[],
            &[("", "[ignore]\nmarks = 'x'")],
            &["ignore.marks: there is no such table"],
        ),
        (
            "a view is no table",
            &[("", "CREATE VIEW bills AS SELECT * FROM invoices;")],
            &[("table = \"invoices\"", "table = \"bills\"")],
            &["records.invoice.table: there is no table bills"],
        ),
    ]);
}

#[test]
fn a_column_that_nobody_classified_is_found() {
    assert_cases(&[
        (
            "of the customers",
            &[("stripe_id TEXT", "stripe_id TEXT, phone TEXT")],
            &[],
            &["customers.fields: nobody classified this column of clients: phone"],
        ),
        (
            "of records",
            &[("line INTEGER NOT NULL,", "line INTEGER NOT NULL, note TEXT, price REAL,")],
            &[],
            &["records.invoice_line.fields: nobody classified these columns of invoice_lines: note, price"],
        ),
        (
            "computed",
            &[("stripe_id TEXT", "stripe_id TEXT, label TEXT AS (name || email), tag TEXT AS (name) STORED")],
            &[],
            &["customers.fields: nobody classified these columns of clients: label, tag"],
        ),
        (
            "classified in so many words",
            &[("stripe_id TEXT", "stripe_id TEXT, phone TEXT, points INTEGER")],
            &[("name = \"name\"", "name = \"name\"\nphone = 'phone'\npoints = 'not personal'")],
            &[],
        ),
    ]);
}

/// Column names are case-insensitive, so these are two lines for one column.
#[test]
fn a_column_that_is_classified_twice_is_found() {
    let found = faults(&[], &[("name = \"name\"", "name = \"name\"\nNAME = \"not personal\"")]);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_table_that_a_foreign_key_ties_to_a_customer_is_mapped_or_ignored() {
    let notes = "CREATE TABLE notes (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients, text TEXT);";
    let marks = "CREATE TABLE marks (id INTEGER PRIMARY KEY, note INTEGER REFERENCES Notes (id));";
    let both = format!("{notes}{marks}");
    let seals = "CREATE TABLE seals (line INTEGER, inv INTEGER, \
                 FOREIGN KEY (inv, line) REFERENCES invoice_lines (invoice_id, line));";
    let free = "CREATE TABLE countries (code TEXT PRIMARY KEY, name TEXT);";
    let to_notes = "notes: a foreign key ties this table to clients, and nobody mapped it";
    let to_marks = "marks: a foreign key ties this table to Notes, and nobody mapped it";
    let to_seals = "seals: a foreign key ties this table to invoice_lines, and nobody mapped it";
    assert_cases(&[
        ("directly", &[("", notes)], &[], &[to_notes]),
        ("through another table that is not mapped", &[("", &both)], &[], &[to_marks, to_notes]),
        ("through one that is ignored", &[("", &both)], &[("", "[ignore]\nnotes = 'x'")], &[to_marks]),
        ("both ignored", &[("", &both)], &[("", "[ignore]\nNOTES = 'x'\nmarks = 'y'")], &[]),
        ("through a mapped one, by two columns", &[("", seals)], &[], &[to_seals]),
        ("not tied at all", &[("", free)], &[], &[]),
        (
            "a circle",
            &[
                ("", &both),
                (
                    "text TEXT);CREATE TABLE marks",
                    "text TEXT, mark INTEGER REFERENCES marks);CREATE TABLE marks",
                ),
            ],
            &[],
            &[to_marks, to_notes],
        ),
        (
            "ignored and mapped",
            &[],
            &[("", "[ignore]\nINVOICES = 'x'")],
            &["ignore.INVOICES: is mapped as well"],
        ),
    ]);
    let store =
        open(&edited(SCHEMA, &[("", notes)]), &edited(MAP, &[("", "[ignore]\nnotes = 'hashes'")])).unwrap();
    assert_eq!(store.data_map().ignored()[&IgnoredPart::Table("notes".to_owned())], "hashes");
    assert_eq!(
        store.data_map().class("customer").unwrap().needed(),
        ["notes"],
        "so nothing deletes the customers"
    );
}

#[test]
fn a_table_is_one_record_class() {
    let again =
        "[records.bill]\ntable = 'Invoices'\nkey = 'id'\nowner = 'client_id'\nfields.text = 'free_text'";
    let root = "[records.person]\ntable = 'clients'\nkey = 'id'\nowner = 'id'\n\
                fields = { tenant = 'not personal', name = 'name', email = 'email', state = 'not personal', \
                archived_at = 'not personal', ended_on = 'not personal', created_at = 'not personal', \
                stripe_id = 'payment_profile' }";
    for (map, part) in [(again, "table invoices is mapped twice"), (root, "table clients is mapped twice")] {
        let found = faults(&[], &[("", map)]);
        assert!(found.iter().any(|fault| fault.to_lowercase().contains(part)), "{part}: {found:?}");
    }
    let found = faults(&[], &[("[customers]", "[customers]\nclass = \"invoice\"")]);
    assert_eq!(found, ["records.invoice: has the name of the customers' own class"]);
    for word in ["gateway", "recipient"] {
        let renamed = format!("[records.{word}]");
        let found = faults(&[], &[("[records.invoice]", &renamed)]);
        assert_eq!(found, [format!("{word}: is a word of the policy's own")]);
    }
}

#[test]
fn a_key_tells_rows_apart() {
    let not_apart = |table: &str, key: &str| format!("{key} does not tell the rows of {table} apart");
    let line = format!("records.invoice_line.key: {}", not_apart("invoice_lines", "line"));
    let part = format!("records.invoice_line.key: {}", not_apart("invoice_lines", "invoice_id, line, text"));
    let tenant = format!("customers.key: {}", not_apart("clients", "tenant"));
    let keys = ("key = [\"invoice_id\", \"line\"]", "");
    assert_cases(&[
        ("a part of the key", &[], &[(keys.0, "key = 'line'")], &[&line]),
        ("more than the key", &[], &[(keys.0, "key = ['invoice_id', 'line', 'text']")], &[&part]),
        ("the key in any order", &[], &[(keys.0, "key = ['LINE', 'invoice_id']")], &[]),
        (
            "a unique index will do",
            &[("text TEXT,\n    PRIMARY KEY", "text TEXT NOT NULL UNIQUE,\n    PRIMARY KEY")],
            &[(keys.0, "key = 'text'"), ("fields.text = \"free_text\"\n", "fields.text = 'free_text'\n")],
            &["records.invoice_line.fields: nobody classified this column of invoice_lines: line"],
        ),
    ]);
    let found = faults(&[], &[("key = \"id\"\ntenant", "key = \"tenant\"\ntenant")]);
    assert!(found.contains(&tenant), "{found:?}");
}

/// The index does not cover all rows, so two customers could have the same id.
#[test]
fn an_index_over_some_of_the_rows_makes_no_key() {
    let schema = "CREATE TABLE calls (no INTEGER NOT NULL, client_id INTEGER NOT NULL REFERENCES clients, at TEXT);\n\
                  CREATE UNIQUE INDEX live ON calls (no) WHERE at IS NULL;";
    let map = "[records.call]\ntable = 'calls'\nkey = 'no'\nowner = 'client_id'\nfields.at = 'not personal'";
    let found = faults(&[("", schema)], &[("", map)]);
    assert_eq!(found, ["records.call.key: no does not tell the rows of calls apart"]);
}

#[test]
fn the_way_to_the_customer_is_walked_to_its_end() {
    let owner = "owner = [\"invoice_id\", \"client_id\"]";
    let invoice = "owner = \"client_id\"";
    assert_cases(&[
        ("at a mapped table its first link is enough", &[], &[(owner, "owner = 'invoice_id'")], &[]),
        (
            "it says of a mapped table what that one does not say of itself",
            &[],
            &[(owner, "owner = ['invoice_id', 'text']")],
            &[
                "records.invoice_line.owner: goes on from invoices over text, which is not the owner of invoice",
            ],
        ),
        (
            "it goes on behind the customers",
            &[],
            &[(invoice, "owner = ['client_id', 'name']")],
            &["records.invoice.owner: reaches the customers at client_id and goes on"],
        ),
        (
            "no foreign key starts there",
            &[],
            &[(owner, "owner = ['line', 'client_id']")],
            &["records.invoice_line.owner: no foreign key of invoice_lines starts at line"],
        ),
        (
            "a column on the way is missing",
            &[],
            &[(owner, "owner = ['invoice_id', 'customer']")],
            &["records.invoice_line.owner: table invoices has no column customer"],
        ),
        (
            "a foreign key to another column of the customers finds them by its value",
            &[(
                "client_id INTEGER NOT NULL REFERENCES clients (id)",
                "client_id TEXT NOT NULL REFERENCES clients (email)",
            )],
            &[],
            &["records.invoice.fields: nobody classified this column of invoices: client_id"],
        ),
        (
            "without any foreign key, the last link leads to the customers' key",
            &[(" REFERENCES clients (id)", "")],
            &[],
            &[],
        ),
        (
            "written in full",
            &[(" REFERENCES invoices,", ",")],
            &[(owner, "owner = [{ column = 'invoice_id', table = 'Invoices', key = 'ID' }, 'CLIENT_ID']")],
            &[],
        ),
        (
            "written in full, and wrong",
            &[],
            &[(owner, "owner = [{ column = 'invoice_id', table = 'bills', key = 'id' }, 'client_id']")],
            &["records.invoice_line.owner: there is no table bills"],
        ),
    ]);
}

#[test]
fn a_deactivation_that_would_not_work_is_found() {
    let deactivate = "deactivate = { state = \"archived\", archived_at = \"{now}\" }";
    assert_cases(&[
        (
            "a column that is not there",
            &[],
            &[(deactivate, "deactivate = { stat = 'archived', archived_at = '{now}' }")],
            &["customers.deactivate.stat: table clients has no column stat"],
        ),
        (
            "a personal column, whose former value would go into the case book",
            &[],
            &[(deactivate, "deactivate = { state = 'archived', archived_at = '{now}', email = 'x' }")],
            &[
                "customers.deactivate.email: is classified as personal, and its former value would go into the case book",
            ],
        ),
        (
            "no status says that it was done",
            &[],
            &[(", archived = \"archived\" }", " }")],
            &["customers.status.archived: is missing, so nothing would tell that a customer is deactivated"],
        ),
        (
            "no status at all, and a reason",
            &[],
            &[
                (deactivate, "deactivate = { none = 'we have no such status' }"),
                (", archived = \"archived\" }", " }"),
                ("name = \"name\"", "name = \"name\"\narchived_at = 'not personal'"),
            ],
            &[],
        ),
    ]);
    let map = edited(
        MAP,
        &[
            (deactivate, "deactivate = { none = 'a reason' }"),
            ("name = \"name\"", "name = \"name\"\narchived_at = 'not personal'"),
        ],
    );
    let store = open(SCHEMA, &map).unwrap();
    assert_eq!(*store.data_map().deactivation(), DeactivationSupport::None { reason: "a reason".to_owned() });
}

/// Otherwise the store cannot see that the customer is archived, and the case can neither continue nor be undone.
#[test]
fn a_deactivation_that_does_not_read_as_archived_is_found() {
    let written = ("deactivate = { state = \"archived\"", "deactivate = { state = 'inactive'");
    let elsewhere = ("deactivate = { state = \"archived\", archived_at", "deactivate = { archived_at");
    for edit in [written, elsewhere] {
        let found = faults(&[], &[edit]);
        assert_eq!(found.len(), 1, "{edit:?}: {found:?}");
        assert!(found[0].starts_with("customers.deactivate"), "{found:?}");
    }
    // The result of an SQL expression is not known beforehand.
    let sql = ("column = \"state\"", "sql = \"iif(archived_at IS NULL, clients.state, 'archived')\"");
    assert!(
        faults(&[], &[elsewhere, sql, ("name = \"name\"", "name = 'name'\nstate = 'not personal'")])
            .is_empty()
    );
}

#[test]
fn an_unknown_customer_that_could_not_be_made_is_found() {
    let create = "create = { name = \"Unknown Customer\" }";
    let missing = |column: &str| {
        format!(
            "customers.unknown_customer.create.{column}: is missing: the column takes no NULL and has no default"
        )
    };
    let text_key = [
        ("    id INTEGER PRIMARY KEY,\n    tenant", "    id TEXT PRIMARY KEY,\n    tenant"),
        ("client_id INTEGER", "client_id TEXT"),
    ];
    assert_cases(&[
        ("a column without NULL or default", &[], &[(create, "")], &[&missing("name")]),
        (
            "another that the host added",
            &[("stripe_id TEXT", "stripe_id TEXT, grade INTEGER NOT NULL, rank INTEGER NOT NULL DEFAULT 0")],
            &[("email = \"email\"", "email = \"email\"\ngrade = 'not personal'\nrank = 'not personal'")],
            &[&missing("grade")],
        ),
        (
            "columns that are not there",
            &[],
            &[(create, "create = { name = 'x', nickname = 'y' }"), ("find = {", "find = { mail = 'z',")],
            &[
                "customers.unknown_customer.create.nickname: table clients has no column nickname",
                "customers.unknown_customer.find.mail: table clients has no column mail",
            ],
        ),
        (
            "the tenant is no column",
            &[],
            &[
                ("tenant = \"tenant\"", "tenant = { sql = \"SELECT tenant\" }"),
                (create, "create = { name = 'x', tenant = 'y' }"),
                ("email = \"email\"", "email = \"email\"\ntenant = 'not personal'"),
            ],
            &[
                "customers.unknown_customer: cannot be made, because the tenant comes from SQL and is no column to write",
            ],
        ),
        (
            "a key of text that is given",
            &text_key,
            &[
                (create, "create = { name = 'x', id = 'unknown of {tenant}' }"),
                ("name = \"name\"", "name = 'name'\nid = 'not personal'"),
            ],
            &[],
        ),
    ]);
    // SQLite accepts NULL in every key except a column declared exactly `INTEGER PRIMARY KEY`. No link could lead to
    // a stand-in with such a key.
    for key in ["TEXT PRIMARY KEY", "INT PRIMARY KEY", "INTEGER UNIQUE"] {
        let found =
            faults(&[("id INTEGER PRIMARY KEY,\n    tenant", &format!("id {key},\n    tenant"))], &[]);
        let missing = |fault: &String| fault.starts_with("customers.unknown_customer.create.id: is missing");
        assert!(found.iter().any(missing), "{key}: {found:?}");
    }
}

#[test]
fn sql_that_is_no_scalar_expression_is_found() {
    let found = faults(
        &[],
        &[
            ("{ sql = \"SELECT 0\" }", "{ sql = \"SELECT count(*) FROM subscriptions\" }"),
            ("cancelled = \"ended_on\"", "cancelled = { sql = \"SELEC ended_on\" }"),
            ("gateways.stripe = \"stripe_id\"", "gateways.stripe = { sql = \"SELECT stripe_id, id\" }"),
            ("tenant = \"tenant\"", "tenant = \"tenant\"\ntenants = { sql = \"clients.void\" }"),
            ("name = \"name\"", "name = \"name\"\nended_on = 'not personal'\nstripe_id = 'payment_profile'"),
        ],
    );
    let wanted = [
        "customers.active_subscriptions.sql: SQLite refuses (SELECT count(*) FROM subscriptions): no such table",
        "customers.dates.cancelled.sql: SQLite refuses (SELEC ended_on): near \"ended_on\"",
        "customers.gateways.stripe.sql: SQLite refuses (SELECT stripe_id, id): ",
        "customers.tenants.sql: SQLite refuses (clients.void): no such column",
    ];
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(found.starts_with(wanted), "{found}");
    }
}

#[test]
fn everything_that_does_not_fit_is_said_at_once() {
    let found = faults(
        &[
            ("stripe_id TEXT", "stripe_id TEXT, phone TEXT"),
            ("", "CREATE TABLE notes (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients);"),
        ],
        &[
            ("{ sql = \"SELECT 0\" }", "{ sql = \"SELECT count(*) FROM subscriptions\" }"),
            ("created = \"created_at\"", "created = \"made_at\""),
            ("archived_at = \"{now}\"", "archived_at = \"{now}\", name = 'x'"),
            ("create = { name = \"Unknown Customer\" }", ""),
            ("email = \"email\"", "email = \"email\"\nfax = 'phone'"),
            ("owner = [\"invoice_id\", \"client_id\"]", "owner = 'invoice'"),
            ("", "[ignore]\nnothing = 'x'"),
        ],
    );
    let paths: Vec<&str> = found.iter().filter_map(|fault| Some(fault.split_once(": ")?.0)).collect();
    assert_eq!(
        paths,
        [
            "customers.active_subscriptions.sql",
            "customers.dates.created",
            "customers.deactivate.name",
            "customers.fields.fax",
            "customers.unknown_customer.create.name",
            "ignore.nothing",
            "notes",
            "records.invoice_line.owner",
        ],
        "{found:#?}"
    );
}

// ---- what is read from the database ----

/// The constraints of a column, each in a separate table.
fn constraints(columns: &str, fields: &str) -> Vec<(String, Constraints)> {
    let schema = format!(
        "{SCHEMA}CREATE TABLE things (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients, {columns}"
    );
    let map = format!(
        "{MAP}\n[records.thing]\ntable = 'things'\nkey = 'id'\nowner = 'client'\n[records.thing.fields]\n{fields}"
    );
    let store = open(&schema, &map).unwrap_or_else(|error| panic!("{error}"));
    let class = store.data_map().class("thing").unwrap();
    class.fields().iter().skip(2).map(|f| (f.name().to_string(), f.constraints().clone())).collect()
}

#[test]
fn constraints_are_those_of_the_database() {
    use Datatype::{Any, Blob, Integer, Numeric, Real, Text};
    // The declaration and the addition of the map; then nullable, unique, maximum length and type.
    for (declared, kind, nullable, unique, max_chars, datatype) in [
        ("x TEXT)", "'name'", true, false, None, Text),
        ("x TEXT NOT NULL)", "'name'", false, false, None, Text),
        ("x TEXT UNIQUE)", "'name'", true, true, None, Text),
        ("x TEXT);CREATE UNIQUE INDEX u ON things (x);", "'name'", true, true, None, Text),
        ("x TEXT);CREATE UNIQUE INDEX u ON things (client, x);", "'name'", true, true, None, Text),
        ("x TEXT, UNIQUE (client, x))", "'name'", true, true, None, Text),
        ("x TEXT);CREATE UNIQUE INDEX u ON things (lower(x));", "'name'", true, true, None, Text),
        ("x TEXT);CREATE UNIQUE INDEX u ON things (client, lower(X));", "'name'", true, true, None, Text),
        ("x TEXT);CREATE UNIQUE INDEX u ON things (x) WHERE x <> '';", "'name'", true, true, None, Text),
        ("x TEXT);CREATE INDEX u ON things (x);", "'name'", true, false, None, Text),
        ("x VARCHAR(40))", "'name'", true, false, Some(40), Text),
        ("x nvarchar ( 7 ) NOT NULL)", "'name'", false, false, Some(7), Text),
        ("x TEXT CHECK (length(x) <= 12))", "'name'", true, false, Some(12), Text),
        ("x TEXT CHECK (length(\"x\") < 12))", "'name'", true, false, Some(11), Text),
        ("x TEXT CHECK (LENGTH(x) BETWEEN 0 AND 12))", "'name'", true, false, Some(12), Text),
        ("x TEXT CHECK (length(x) BETWEEN 2 AND 12))", "'name'", true, false, Some(12), Text),
        ("x TEXT, CHECK (12 >= length(x)))", "'name'", true, false, Some(12), Text),
        ("x VARCHAR(40) CHECK (length(x) <= 12))", "'name'", true, false, Some(12), Text),
        ("x VARCHAR(9) CHECK (length(x) <= 12))", "'name'", true, false, Some(9), Text),
        ("x TEXT)", "{ kind = 'name', max_chars = 20 }", true, false, Some(20), Text),
        ("x VARCHAR(40))", "{ kind = 'name', max_chars = 20 }", true, false, Some(20), Text),
        ("x VARCHAR(9))", "{ kind = 'name', max_chars = 20 }", true, false, Some(9), Text),
        ("x BIGINT NOT NULL)", "'name'", false, false, None, Integer),
        ("x DOUBLE PRECISION)", "'name'", true, false, None, Real),
        ("x DECIMAL(10,2))", "'name'", true, false, None, Numeric),
        ("x DATETIME)", "'name'", true, false, None, Numeric),
        ("x BLOB)", "'name'", true, false, None, Blob),
        ("x)", "'name'", true, false, None, Any),
    ] {
        let found = constraints(declared, &format!("x = {kind}"));
        let wanted = Constraints { nullable, unique, max_chars, datatype };
        assert_eq!(found, [("x".to_owned(), wanted)], "{declared}");
    }
    let computed = constraints("x TEXT, y TEXT AS (upper(x)))", "x = 'name'\ny = 'name'");
    assert_eq!(computed.len(), 2, "computed columns are part of the map");
}

#[test]
fn constraints_of_quoted_columns_are_seen_as_well() {
    for (declared, unique, max_chars) in [
        ("{x} TEXT UNIQUE)", true, None),
        ("{x} VARCHAR(30))", false, Some(30)),
        ("{x} TEXT CHECK (length({x}) <= 12))", false, Some(12)),
        ("{x} TEXT);CREATE UNIQUE INDEX u ON things (lower({x}));", true, None),
    ] {
        for column in ["full name", "it's", "say \"hi\"", "order"] {
            let quoted = format!("\"{}\"", column.replace('"', "\"\""));
            let fields = format!("{} = 'name'", json!(column));
            let found = constraints(&declared.replace("{x}", &quoted), &fields);
            assert_eq!(
                (found[0].1.unique, found[0].1.max_chars),
                (unique, max_chars),
                "{column}: {declared}"
            );
        }
    }
}

/// Two keys that share a column lead to the same customer. This holds only for links that end at the customer's own
/// record.
#[test]
fn a_foreign_key_of_several_columns_that_holds_the_owner_is_the_owners() {
    let schema = edited(
        SCHEMA,
        &[
            ("stripe_id TEXT\n", "stripe_id TEXT,\n UNIQUE (tenant, id)\n"),
            (
                "client_id INTEGER NOT NULL REFERENCES clients (id),",
                "client_id INTEGER NOT NULL, tenant TEXT,",
            ),
            (
                "text TEXT\n);\nCREATE TABLE invoice_lines",
                "text TEXT, FOREIGN KEY (tenant, client_id) REFERENCES clients (tenant, id)\n);\nCREATE TABLE invoice_lines",
            ),
        ],
    );
    let map = edited(
        MAP,
        &[("owner = \"client_id\"\n", "owner = \"client_id\"\nfields.tenant = 'not personal'\n")],
    );
    let store = open(&schema, &map).unwrap_or_else(|error| panic!("{error}"));
    let invoice = store.data_map().class("invoice").unwrap();
    assert!(invoice.links().iter().all(Link::is_owner), "{:?}", invoice.links());
}

#[test]
fn names_are_the_same_in_any_case() {
    let map = edited(
        MAP,
        &[
            ("table = \"clients\"\nkey = \"id\"", "table = \"CLIENTS\"\nkey = \"ID\""),
            ("column = \"state\"", "column = \"State\""),
            ("{ state = \"archived\"", "{ STATE = \"archived\""),
            ("email = \"email\"", "EMail = \"email\""),
            ("table = \"invoices\"", "table = \"Invoices\""),
            ("[\"invoice_id\", \"line\"]", "[\"INVOICE_ID\", \"Line\"]"),
            ("[\"invoice_id\", \"client_id\"]", "[\"Invoice_Id\", \"Client_ID\"]"),
        ],
    );
    let (upper, lower) = (open(SCHEMA, &map).unwrap(), open(SCHEMA, MAP).unwrap());
    let classes = |store: &SqliteStore| store.data_map().classes().cloned().collect::<Vec<_>>();
    assert_eq!(classes(&upper), classes(&lower), "the database's own spelling counts");
}

/// Tables and columns whose names are SQL keywords or contain blanks and quotation marks: they are opened, counted
/// and erased.
#[tokio::test]
async fn reserved_and_quoted_names_are_names_like_any_other() {
    let (_folder, path) = database(
        r#"
        CREATE TABLE "user accounts" (
            "primary key" INTEGER PRIMARY KEY, "from" TEXT NOT NULL, "say ""hi""" TEXT NOT NULL,
            "select" TEXT NOT NULL DEFAULT 'on', "it's" TEXT
        );
        CREATE TABLE "order" (
            "group" INTEGER PRIMARY KEY, "the client" INTEGER REFERENCES "user accounts", "where" TEXT
        );
        CREATE TABLE "a ""b"" c" (
            "index" INTEGER, "in order" INTEGER REFERENCES "order", "table" TEXT UNIQUE, PRIMARY KEY ("index")
        );
        INSERT INTO "user accounts" VALUES (1, 'acme', 'Ann', 'on', 'x'), (2, 'acme', 'Bob', 'on', 'x');
        INSERT INTO "order" VALUES (10, 1, 'here'), (20, 2, 'there');
        INSERT INTO "a ""b"" c" VALUES (100, 10, 'this'), (200, 20, 'that');
        "#,
    );
    let map = SqlMap::from_toml(
        r#"
        version = 1
        [customers]
        table = "user accounts"
        key = "primary key"
        tenant = "from"
        status = { column = "select", active = "on", archived = "off" }
        deactivate = { select = "off", "it's" = "{now}" }
        unknown_customer = { find = { 'say "hi"' = "it's nobody" } }
        active_subscriptions = { sql = '''SELECT count(*) FROM "order" WHERE "the client" = "user accounts"."primary key" AND 0''' }
        fields = { 'say "hi"' = "name" }
        [records.order]
        table = "order"
        key = "group"
        owner = "the client"
        fields.where = "address"
        [records.line]
        table = 'a "b" c'
        key = "index"
        owner = ["in order", "the client"]
        fields.table = "free_text"
        "#,
    );
    let store = SqliteStore::open(&path, &map.unwrap()).unwrap_or_else(|error| panic!("{error}"));
    let document = PolicyDocument::from_toml(
        r#"
        version = 1
        sweep = true
        triggers = {}
        guards.several_tenants = { ignore = "x" }
        anonymise = { name = { placeholder = "It's \"{date}\"" }, address = "clear", free_text = "token" }
        treatments.clear = { customer = "anonymise", order = "reassign", line = "anonymise" }
        "#,
    );
    let policy = document.unwrap().check(store.data_map()).unwrap();
    let facts = store.facts(&["1".into()]).await.unwrap().remove(0);
    let (customer, at) = (facts.id.clone(), "2018-12-15T08:00:00Z".parse().unwrap());
    let deactivation = Deactivation { customer: customer.clone(), expected: facts.expected(), at };
    let deactivated = store.deactivate(&[deactivation]).await.unwrap().remove(0).unwrap();
    assert!(matches!(deactivated, Deactivated::Done { .. }), "{deactivated:?}");
    let facts = store.facts(&["1".into()]).await.unwrap().remove(0);
    let target = Target { customer, tenant: facts.tenant.clone(), expected: facts.expected() };
    let treatment = policy.treatments()["clear"].clone();
    let erase = EraseRequest::new(vec![target], treatment, Seed::new([1; 32]), at);
    let Erased::Done(counts) = store.erase(&erase).await.unwrap().remove(0).unwrap() else {
        panic!("not done")
    };
    assert!(counts.classes.values().all(|count| *count == 1) && counts.classes.len() == 3, "{counts:?}");
    let rows = rows(&path, r#"SELECT "primary key", "say ""hi""", "select", "it's" FROM "user accounts""#);
    assert_eq!(
        rows,
        ["1|It's \"2018-12-15\"|off|2018-12-15 08:00:00", "2|Bob|on|x", "3|it's nobody|on|NULL",]
    );
    let orders = self::rows(&path, r#"SELECT "group", "the client", "where" FROM "order""#);
    assert_eq!(orders, ["10|3|NULL", "20|2|there"]);
    let lines = self::rows(&path, r#"SELECT "index", substr("table", 1, 4) FROM "a ""b"" c""#);
    assert_eq!(lines, ["100|eras", "200|that"]);
}

fn rows(path: &PathBuf, sql: &str) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cells = (0..columns).map(|n| {
            row.get::<_, rusqlite::types::Value>(n).map(|value| match value {
                rusqlite::types::Value::Text(text) => text,
                rusqlite::types::Value::Integer(number) => number.to_string(),
                _ => "NULL".to_owned(),
            })
        });
        Ok(cells.collect::<Result<Vec<_>, _>>()?.join("|"))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

// ---- files ----

#[test]
fn a_file_that_is_no_database_is_said_to_be_none() {
    let (folder, path) = database(SCHEMA);
    let map = SqlMap::from_toml(MAP).unwrap();
    let opened = |name: &str| SqliteStore::open(folder.path().join(name), &map).unwrap_err();
    fs::write(folder.path().join("garbage"), "no database, but long enough to be read as one. ".repeat(200))
        .unwrap();
    fs::write(folder.path().join("empty"), "").unwrap();
    let mut torn = fs::read(&path).unwrap();
    torn.truncate(4096);
    torn[100..].fill(0xff);
    fs::write(folder.path().join("torn"), torn).unwrap();
    assert!(matches!(opened("garbage"), StoreError::Corrupt { .. }));
    assert!(matches!(opened("torn"), StoreError::Corrupt { .. }));
    assert!(matches!(opened("missing"), StoreError::NotFound { .. }));
    assert!(!folder.path().join("missing").exists(), "opening makes no database");
    assert!(matches!(opened("no/such/folder"), StoreError::NotFound { .. }));
    assert!(matches!(SqliteStore::open(folder.path(), &map).unwrap_err(), StoreError::NotFound { .. }));
    let StoreError::Map(problems) = opened("empty") else {
        panic!("an empty file is a database without tables")
    };
    assert!(
        listed(&problems).contains(&"customers.table: there is no table clients".to_owned()),
        "{problems}"
    );
    assert!(!opened("garbage").is_transient() && opened("missing").to_string().contains("check its path"));
}

#[test]
fn a_file_that_somebody_locks_is_busy_and_worth_another_try() {
    let (_folder, path) = database(SCHEMA);
    let map = SqlMap::from_toml(MAP).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = SqliteStore::open(&path, &map).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }) && error.is_transient(), "{error}");
    // The lock is released within the time for which a store waits.
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        other.execute_batch("ROLLBACK").unwrap();
    });
    assert!(SqliteStore::open(&path, &map).is_ok());
    release.join().unwrap();
}
