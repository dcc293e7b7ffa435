//! Runs the example `operator` on a shop with the schema of the Chinook sample database.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

#[cfg(feature = "checkpoints")]
use relinquish::ledger::proof::{Checkpoint, ProvenCertificate, verify_export};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

mod copies;
mod holds;
mod mentions;
mod recipients;
mod requests;

/// The stored values of customer 1. None of them may be printed, recorded, or left in a file after a scrub.
const PERSON: [&str; 16] = [
    "Zuzannah",
    "Quirkwell",
    "Quirkwell Zithers",
    "7 Vexing Lane",
    "Blorktown",
    "Xylshire",
    "Freedonia",
    "QX7 9ZZ",
    "+99 555 010 2030",
    "+99 555 010 2031",
    "zuzannah@quirkwell.example",
    "8 Billing Mews",
    "Billborough",
    "Billshire",
    "Sylvania",
    "BX1 1XB",
];

/// The names and types are those of the published schema.
const SCHEMA: &str = "
    CREATE TABLE Employee (
        EmployeeId INTEGER NOT NULL, LastName NVARCHAR(20) NOT NULL, FirstName NVARCHAR(20) NOT NULL,
        Email NVARCHAR(60), CONSTRAINT PK_Employee PRIMARY KEY (EmployeeId)
    );
    CREATE TABLE Customer (
        CustomerId INTEGER NOT NULL, FirstName NVARCHAR(40) NOT NULL, LastName NVARCHAR(20) NOT NULL,
        Company NVARCHAR(80), Address NVARCHAR(70), City NVARCHAR(40), State NVARCHAR(40),
        Country NVARCHAR(40), PostalCode NVARCHAR(10), Phone NVARCHAR(24), Fax NVARCHAR(24),
        Email NVARCHAR(60) NOT NULL, SupportRepId INTEGER,
        CONSTRAINT PK_Customer PRIMARY KEY (CustomerId),
        FOREIGN KEY (SupportRepId) REFERENCES Employee (EmployeeId)
    );
    CREATE TABLE Invoice (
        InvoiceId INTEGER NOT NULL, CustomerId INTEGER NOT NULL, InvoiceDate DATETIME NOT NULL,
        BillingAddress NVARCHAR(70), BillingCity NVARCHAR(40), BillingState NVARCHAR(40),
        BillingCountry NVARCHAR(40), BillingPostalCode NVARCHAR(10), Total NUMERIC(10,2) NOT NULL,
        CONSTRAINT PK_Invoice PRIMARY KEY (InvoiceId),
        FOREIGN KEY (CustomerId) REFERENCES Customer (CustomerId)
    );
    CREATE TABLE InvoiceLine (
        InvoiceLineId INTEGER NOT NULL, InvoiceId INTEGER NOT NULL, TrackId INTEGER NOT NULL,
        UnitPrice NUMERIC(10,2) NOT NULL, Quantity INTEGER NOT NULL,
        CONSTRAINT PK_InvoiceLine PRIMARY KEY (InvoiceLineId),
        FOREIGN KEY (InvoiceId) REFERENCES Invoice (InvoiceId)
    );
    CREATE INDEX IFK_InvoiceCustomerId ON Invoice (CustomerId);
    CREATE INDEX CustomerEmail ON Customer (Email);
    INSERT INTO Employee VALUES (3, 'Peacock', 'Jane', 'jane@chinook.example');
";

const OTHERS: &str = "
    INSERT INTO Customer VALUES
        (2, 'Leonie', 'K', NULL, 'Street 34', 'Stuttgart', NULL, 'Germany', '70174', '+49', NULL, 'l@k.example', 3),
        (3, 'Frank', 'T', 'T Ltd', 'Road 1', 'Oslo', NULL, 'Norway', '0171', NULL, NULL, 'f@t.example', NULL);
    INSERT INTO Invoice VALUES
        (12, 2, '2021-01-01 00:00:00', 'Street 34', 'Stuttgart', NULL, 'Germany', '70174', 1.98),
        (13, 3, '2021-01-02 00:00:00', 'Road 1', 'Oslo', NULL, 'Norway', '0171', 13.86);
    INSERT INTO InvoiceLine VALUES (1, 10, 2, 0.99, 1), (2, 10, 4, 0.99, 3), (3, 11, 6, 0.99, 6), (4, 12, 8, 0.99, 2);
";

/// The example, as `cargo test` builds it. With `--test it`, cargo does not build examples. So an example that is
/// missing or older than its sources is built here.
pub(super) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let own = std::env::current_exe().unwrap();
        let profile = own.parent().and_then(Path::parent).unwrap();
        let name = format!("operator{}", std::env::consts::EXE_SUFFIX);
        let path = profile.join("examples").join(name);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let changed = newest(&root.join("src")).max(newest(&root.join("examples/operator")));
        let built = fs::metadata(&path).and_then(|file| file.modified());
        if built.is_ok_and(|built| built >= changed) {
            return path;
        }
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(root).args(["build", "--example", "operator", "--target-dir"]);
        cargo.arg(profile.parent().unwrap());
        if cfg!(feature = "checkpoints") {
            cargo.args(["--features", "checkpoints"]);
        }
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let done = cargo.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        path
    })
}

fn newest(folder: &Path) -> SystemTime {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(
            |path| {
                if path.is_dir() { newest(&path) } else { fs::metadata(&path).unwrap().modified().unwrap() }
            },
        )
        .max()
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

fn chinook(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/chinook").join(file)
}

/// The result of a run of the example.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let ran = Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        for value in PERSON {
            assert!(!ran.out.contains(value) && !ran.err.contains(value), "{value} was printed");
        }
        ran
    }

    #[track_caller]
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("out: {}\nerr: {}", self.out, self.err))
    }

    /// Checks that the run fails with this text on standard error.
    #[track_caller]
    fn fails(self, what: &str) {
        let ran = self.ends(1);
        assert!(ran.err.contains(what) && ran.out.is_empty(), "out: {}\nerr: {}", ran.out, ran.err);
    }
}

fn operator<const N: usize>(arguments: [&str; N]) -> Ran {
    Ran::of(Command::new(binary()).args(arguments))
}

/// A shop with three customers, in a separate folder.
struct Shop {
    folder: TempDir,
    map: PathBuf,
    policy: PathBuf,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shop = Self { folder, map: chinook("map.toml"), policy: chinook("policy.toml") };
        let database = shop.connect();
        database.execute_batch(SCHEMA).unwrap();
        let sql = "INSERT INTO Customer VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 3)";
        database.execute(sql, rusqlite::params_from_iter(&PERSON[..11])).unwrap();
        let sql = "INSERT INTO Invoice VALUES (?6, 1, '2021-01-01 00:00:00', ?1, ?2, ?3, ?4, ?5, 3.96)";
        for invoice in ["10", "11"] {
            let values = PERSON[11..].iter().copied().chain([invoice]);
            database.execute(sql, rusqlite::params_from_iter(values)).unwrap();
        }
        database.execute_batch(OTHERS).unwrap();
        shop
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn connect(&self) -> Connection {
        Connection::open(self.file("shop.sqlite")).unwrap()
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(binary());
        command.current_dir(self.folder.path()).args(name.split(' ')).args(["--database", "shop.sqlite"]);
        command.arg("--map").arg(&self.map).arg("--policy").arg(&self.policy);
        command
    }

    fn run<const N: usize>(&self, name: &str, arguments: [&str; N]) -> Ran {
        Ran::of(self.command(name).args(arguments))
    }

    fn digest(&self, customer: &str) -> String {
        let plan = self.run("plan", ["--customer", customer, "--json"]).ends(0).json();
        plan["digest"].as_str().unwrap().to_owned()
    }

    fn erase(&self, customer: &str, digest: &str) -> Ran {
        let arguments = ["--customer", customer, "--digest", digest, "--approver", "op-17", "--json"];
        Ran::of(self.command("erase").args(arguments).args(["--ledger", "ledger.sqlite"]))
    }

    fn status(&self) -> Value {
        let ledger = self.file("ledger.sqlite");
        operator(["status", "--json", "--ledger", ledger.to_str().unwrap()]).ends(0).json()
    }

    /// Every row of a query, as text.
    fn rows(&self, query: &str) -> Vec<String> {
        let database = self.connect();
        let mut statement = database.prepare(query).unwrap();
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            (0..columns)
                .map(|n| row.get::<_, rusqlite::types::Value>(n).map(|value| format!("{value:?}")))
                .collect()
        };
        statement.query_map([], row).unwrap().collect::<Result<Vec<Vec<String>>, _>>().unwrap().concat()
    }

    /// The data that a treatment of customer 1 must not change.
    fn of_others(&self) -> Vec<String> {
        [
            "SELECT * FROM Employee",
            "SELECT * FROM Customer WHERE CustomerId <> 1",
            "SELECT * FROM Invoice WHERE CustomerId <> 1",
            "SELECT InvoiceId, CustomerId, InvoiceDate, Total, typeof(Total) FROM Invoice",
            "SELECT * FROM InvoiceLine",
            "SELECT sum(Total), count(*), avg(Total) FROM Invoice",
            "SELECT CustomerId, SupportRepId FROM Customer",
        ]
        .map(|query| self.rows(query))
        .concat()
    }

    /// The values of the person that are left in any file: database, journal, log, ledger, keys.
    fn left_in_files(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let holds =
            |bytes: &[u8], value: &str| bytes.windows(value.len()).any(|part| part == value.as_bytes());
        files
            .flat_map(|path| {
                let bytes = fs::read(&path).unwrap();
                let left = PERSON.into_iter().filter(|value| holds(&bytes, value)).collect::<Vec<_>>();
                left.into_iter().map(move |value| format!("{value} in {}", path.display()))
            })
            .collect()
    }

    fn everything(&self) -> Vec<String> {
        ["Employee", "Customer", "Invoice", "InvoiceLine"]
            .map(|table| self.rows(&format!("SELECT * FROM {table}")))
            .concat()
    }
}

#[test]
fn a_map_and_a_policy_that_fit_are_summed_up() {
    let shop = Shop::new();
    let text = shop.run("check", []).ends(0).out;
    for part in ["2 record classes", "16 of them personal", "requested: treatment clear", "pseudonymised"] {
        assert!(text.contains(part), "{text}");
    }
    let json = shop.run("check", ["--json"]).ends(0).json();
    assert_eq!(json["treatments"][0]["outcome"], "pseudonymised");
}

#[test]
fn a_check_lists_what_rest_covers_and_notices_when_it_changes() {
    let mut shop = Shop::new();
    let map = fs::read_to_string(chinook("map.toml")).unwrap();
    let map = map.replace("InvoiceDate = \"not personal\"\n", "").replace("Total = \"not personal\"\n", "");
    let map = map.replace("owner = \"CustomerId\"", "owner = \"CustomerId\"\nrest = \"not personal\"");
    shop.map = shop.write("map.toml", &map);
    shop.connect().execute_batch("DROP INDEX IFK_InvoiceCustomerId").unwrap();
    let text = shop.run("check", []).ends(0).out;
    assert!(
        text.contains("note       invoice: rest = \"not personal\" covers InvoiceDate, Total\n"),
        "{text}"
    );
    assert!(
        text.contains("CREATE INDEX \"Invoice_CustomerId_idx\" ON \"Invoice\" (\"CustomerId\");"),
        "{text}"
    );
    assert!(text.contains("customer.SupportRepId: leads to table Employee, which nobody mapped"), "{text}");
    let json = shop.run("check", ["--json"]).ends(0).json();
    assert!(json["notes"].as_array().unwrap().iter().any(|note| note["note"] == "rest"), "{json}");
    let schema = json["census"]["schema"].as_str().unwrap().to_owned();
    shop.run("check", ["--schema", &schema]).ends(0);
    shop.connect().execute_batch("ALTER TABLE Invoice ADD COLUMN Remark TEXT").unwrap();
    let drift = shop.run("check", ["--schema", &schema]).ends(2).out;
    assert!(drift.contains("has changed since that check") && drift.contains("Total, Remark"), "{drift}");
    let text = shop.run("check", []).ends(0).out;
    assert!(text.contains("covers InvoiceDate, Total, Remark"), "{text}");
}

/// A former bug: the check passed, but the entry applied to nobody.
#[test]
fn a_misspelled_tenant_does_not_fit() {
    let mut shop = Shop::new();
    let policy = fs::read_to_string(chinook("policy.toml")).unwrap();
    shop.policy = shop.write("policy.toml", &format!("{policy}\n[tenants.chinok]\nsweep = true\n"));
    shop.run("check", [])
        .fails("tenants.chinok: no customer of the store has this tenant; did you mean chinook?");
    shop.policy = shop.write("policy.toml", &format!("{policy}\n[tenants.chinook]\nsweep = true\n"));
    shop.run("check", []).ends(0);
}

#[test]
fn everything_that_does_not_fit_is_said_at_once() {
    let mut shop = Shop::new();
    let map = fs::read_to_string(chinook("map.toml")).unwrap();
    let map = map.replace("Email =", "Emial =").replace("[ignore]", "").replace("InvoiceLine =", "#");
    shop.map = shop.write("map.toml", &map);
    let json = shop.run("check", ["--json"]).ends(1).json();
    let problems = json["problems"].as_array().unwrap();
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "one slip is one problem: {texts:#?}");
    for what in ["did you mean Email", "InvoiceLine"] {
        assert!(texts.iter().any(|text| text.contains(what)), "{what}: {texts:#?}");
    }
    shop.run("check", []).fails("map.toml: customers.fields.Emial");
    shop.run("check", [])
        .fails("Lines to paste:\n\n[records.InvoiceLine]\n# InvoiceLine: a foreign key ties");
    assert!(
        problems
            .iter()
            .any(|problem| problem["paste"].as_str().is_some_and(|lines| lines.contains("owner =")))
    );

    shop.map = shop.write("map.toml", &map.replace("\"email\"", "\"emial\""));
    shop.policy = shop.write("policy.toml", "version = 1\nsweep = maybe");
    let err = shop.run("check", []).ends(1).err;
    assert!(err.contains("map.toml: ") && err.contains("policy.toml: "), "{err}");
}

#[test]
fn a_policy_that_leaves_a_class_open_does_not_fit() {
    let mut shop = Shop::new();
    let policy = fs::read_to_string(chinook("policy.toml")).unwrap();
    shop.policy = shop.write("policy.toml", &policy.replace("invoice = \"anonymise\"", ""));
    shop.run("check", []).fails("treatments.clear.invoice: is not covered");
    shop.run("plan", ["--customer", "1"]).fails("treatments.clear.invoice: is not covered");
}

#[test]
fn the_text_and_the_json_of_a_plan_name_the_same_digest() {
    let shop = Shop::new();
    let before = fs::read(shop.file("shop.sqlite")).unwrap();
    let text = shop.run("plan", ["--customer", "1"]).ends(0).out;
    let digest = shop.digest("1");
    assert!(text.starts_with(&format!("Plan {digest}\n")), "{text}");
    assert_ne!(digest, shop.digest("2"));
    assert_eq!(before, fs::read(shop.file("shop.sqlite")).unwrap(), "a plan touches nothing");
    assert_eq!(fs::read_dir(shop.folder.path()).unwrap().count(), 1, "a plan makes no file");
}

#[test]
fn without_an_approval_of_exactly_this_plan_nothing_is_touched() {
    let shop = Shop::new();
    let (rows, bytes) = (shop.everything(), fs::read(shop.file("shop.sqlite")).unwrap());
    let digest = shop.digest("1");
    for wrong in [&shop.digest("2"), &"0".repeat(64), &digest[..63], ""] {
        let refused = shop.erase("1", wrong).ends(2).json();
        assert!(refused["refused"]["text"].as_str().unwrap().contains("digest"), "{refused}");
    }
    let arguments =
        ["--customer", "1", "--digest", &digest, "--approver", "op-17", "--ledger", "ledger.sqlite"];
    let refused =
        Ran::of(shop.command("erase").args(arguments).args(["--tenant", "other", "--tenant", "another"]));
    assert!(refused.ends(2).out.contains("no authority over tenant chinook"));
    assert_eq!(rows, shop.everything());
    assert_eq!(bytes, fs::read(shop.file("shop.sqlite")).unwrap());
    assert_eq!(shop.status()["closed"]["erased"], 0);
}

#[test]
fn an_erasure_is_certified_and_what_stays_is_identical() {
    let shop = Shop::new();
    let before = shop.of_others();
    let certificate = shop.erase("1", &shop.digest("1")).ends(0).json();
    assert_eq!(certificate["outcome"], "pseudonymised");
    assert_eq!(certificate["approved_by"], "op-17");
    assert_eq!(certificate["file_slack"], "pending");
    let treated = |class: &str| {
        let records = certificate["records"].as_array().unwrap();
        records.iter().find(|record| record["class"] == class).unwrap()["treated"]["exact"].clone()
    };
    assert_eq!((treated("customer"), treated("invoice")), (1.into(), 2.into()));
    assert_eq!(before, shop.of_others());
    let rest = shop.everything().concat();
    assert_eq!(PERSON.into_iter().filter(|value| rest.contains(value)).collect::<Vec<_>>(), [""; 0]);
    let status = shop.status();
    assert_eq!((&status["closed"]["erased"], &status["not_scrubbed"]), (&1.into(), &1.into()));
    assert_eq!(status["open"], Value::Array(vec![]));
}

#[test]
fn who_was_erased_is_refused_with_the_day() {
    let shop = Shop::new();
    let digest = shop.digest("1");
    let case = shop.erase("1", &digest).ends(0).json()["case"].clone();
    let after = shop.everything();
    for refused in [
        shop.erase("1", &digest).ends(2).json(),
        shop.run("plan", ["--customer", "1", "--ledger", "ledger.sqlite", "--json"]).ends(2).json(),
    ] {
        let before = &refused["refused"]["nothing"]["treated_before"];
        assert_eq!(before["case"], case);
        let day = &before["at"].as_str().unwrap()[..10];
        assert!(refused["refused"]["text"].as_str().unwrap().contains(day), "{refused}");
    }
    assert_eq!(after, shop.everything());
    shop.erase("2", &shop.digest("2")).ends(0);
}

#[test]
fn whoever_cannot_be_read_is_listed() {
    let mut shop = Shop::new();
    shop.connect()
        .execute_batch(
            "CREATE TABLE client (id TEXT PRIMARY KEY NOT NULL, name TEXT, ended_on TEXT);
             INSERT INTO client VALUES ('a', 'Zuzannah', '2020-01-01'), ('b', 'Zuzannah', 'in spring')",
        )
        .unwrap();
    shop.map = shop.write(
        "map.toml",
        r#"version = 1
        [customers]
        table = "client"
        key = "id"
        tenant = { is = "one" }
        dates.cancelled = "ended_on"
        deactivate = { none = "no such status" }
        fields = { id = "not personal", name = "name" }"#,
    );
    shop.policy = shop.write(
        "policy.toml",
        r#"version = 1
        sweep = true
        triggers.requested = { treatment = "clear" }
        guards.active_subscription = { ignore = "none are sold" }
        guards.not_archived = { ignore = "no such status" }
        anonymise.name = "remove"
        treatments.clear.customer = "anonymise""#,
    );
    let list = |arguments: &[&str]| Ran::of(shop.command("unreadable").args(arguments));
    assert_eq!(list(&[]).ends(0).out.trim(), "b: date cancelled");
    let wanted = json!([{ "customer": "b", "tenant": "one", "facts": ["date cancelled"] }]);
    assert_eq!(list(&["--json"]).ends(0).json()["unreadable"], wanted);
    shop.connect().execute_batch("UPDATE client SET ended_on = NULL").unwrap();
    assert_eq!(list(&[]).ends(0).out.trim(), "every customer can be read");
}

#[test]
fn not_yet_names_the_day_and_as_of_looks_ahead() {
    let mut shop = Shop::new();
    shop.connect()
        .execute_batch(
            "CREATE TABLE client (id TEXT PRIMARY KEY NOT NULL, name TEXT, state TEXT, ended_on TEXT);
             INSERT INTO client VALUES ('a', 'Zuzannah', 'ended', '2099-01-01'),
                 ('b', 'Zuzannah', 'ended', '2020-01-01'), ('c', 'Zuzannah', 'active', NULL)",
        )
        .unwrap();
    shop.map = shop.write(
        "map.toml",
        r#"version = 1
        [customers]
        table = "client"
        key = "id"
        tenant = { is = "one" }
        status = { column = "state", active = "active", cancelled = "ended" }
        dates.cancelled = "ended_on"
        deactivate = { none = "no such status" }
        fields = { id = "not personal", name = "name" }"#,
    );
    shop.policy = shop.write(
        "policy.toml",
        r#"version = 1
        sweep = true
        triggers.cancelled = { after = "90 days", treatment = "clear" }
        guards.active_subscription = { ignore = "none are sold" }
        guards.not_archived = { ignore = "no such status" }
        anonymise.name = "remove"
        treatments.clear.customer = "anonymise""#,
    );
    let plan = |arguments: &[&str]| Ran::of(shop.command("plan").args(arguments));
    let refused = plan(&["--customer", "a", "--json"]).ends(2).json();
    assert_eq!(refused["refused"]["not_yet"]["until"], "2099-04-01");
    assert!(plan(&["--customer", "a"]).ends(2).out.contains("2099-04-01"));
    plan(&["--customer", "a", "--as-of", "2099-03-31"]).ends(2);
    plan(&["--customer", "a", "--as-of", "2099-04-01"]).ends(0);
    plan(&["--customer", "a", "--as-of", "2099-04-01T00:00:00+02:00"]).ends(2);
    assert_eq!(plan(&["--customer", "c", "--json"]).ends(2).json()["refused"]["nothing"], "no_trigger");
    let requested = plan(&["--customer", "c", "--treatment", "clear", "--json"]).ends(0).json();
    assert_eq!(requested["binds"]["terms"]["trigger"], "requested");
    plan(&["--customer", "c", "--treatment", "cler"]).fails("did you mean clear?");
    shop.erase("b", &shop.digest("b")).ends(0);
}

#[test]
fn what_cannot_be_done_is_an_error_and_no_refusal() {
    let mut shop = Shop::new();
    shop.run("plan", ["--customer", "999"]).fails("no such customer");
    shop.run("plan", ["--customer", "01"]).fails("no such customer");
    let json = shop.run("plan", ["--customer", "999", "--json"]).ends(1).json();
    assert!(json["error"].as_str().unwrap().contains("no such customer"), "{json}");
    shop.run("resume", ["--ledger", "none.sqlite"]).fails("there is no ledger none.sqlite");

    fs::remove_file(shop.file("shop.sqlite")).unwrap();
    shop.run("plan", ["--customer", "1"]).fails("cannot be opened");
    assert!(!shop.file("shop.sqlite").exists(), "an error makes no database");
    shop.write(
        "shop.sqlite",
        "This is no database, and long enough to be looked at as one. ".repeat(9).as_str(),
    );
    shop.run("plan", ["--customer", "1"]).fails("damaged or no database");

    shop.map = shop.write("map.toml", "version = 1\n[customers\n");
    shop.run("check", []).fails("map.toml: not TOML");
    shop.map = shop.file("missing.toml");
    shop.run("check", []).fails("missing.toml cannot be read");
}

#[test]
fn a_damaged_page_is_an_error() {
    let shop = Shop::new();
    let path = shop.file("shop.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    shop.run("plan", ["--customer", "1"]).fails("damaged");
}

#[test]
fn a_locked_database_is_an_error_that_says_so() {
    let shop = Shop::new();
    let other = shop.connect();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    shop.run("plan", ["--customer", "1"]).fails("locked by another connection");
}

#[test]
fn a_case_that_met_a_lock_is_resumed() {
    let shop = Shop::new();
    let before = shop.of_others();
    let digest = shop.digest("1");
    let other = shop.connect();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = shop.erase("1", &digest).ends(1).json();
    assert!(waiting["error"].as_str().unwrap().contains("to go on: resume"), "{waiting}");
    assert_eq!(shop.status()["open"][0]["state"], "interrupted");
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    let resumed = shop.run("resume", ["--ledger", "ledger.sqlite", "--json"]).ends(0).json();
    assert_eq!(resumed["cases"][0]["certificate"]["case"], waiting["case"]);
    assert_eq!(before, shop.of_others());
    assert!(shop.run("resume", ["--ledger", "ledger.sqlite"]).ends(0).out.contains("nothing to resume"));
}

#[test]
fn a_certificate_can_be_had_again_and_says_when_the_files_were_scrubbed() {
    let shop = Shop::new();
    let digest = shop.digest("1");
    let erased = shop.erase("1", &digest).ends(0).json();
    let case = erased["case"].as_str().unwrap().to_owned();
    let again = || {
        let ledger = shop.file("ledger.sqlite");
        operator(["certificate", "--json", "--ledger", ledger.to_str().unwrap(), "--case", &case])
            .ends(0)
            .json()
    };
    assert_eq!(again(), erased);
    shop.run("scrub", ["--ledger", "ledger.sqlite"]).ends(0);
    assert!(again()["file_slack"]["scrubbed"]["at"].is_string());
    let ledger = shop.file("ledger.sqlite");
    operator(["certificate", "--ledger", ledger.to_str().unwrap(), "--case", "nothing"]).ends(2);
}

#[test]
fn an_approver_is_an_opaque_id() {
    let shop = Shop::new();
    let digest = shop.digest("1");
    for id in ["", " ", "ada@example.org"] {
        let mut command = shop.command("erase");
        command.args(["--customer", "1", "--approver", id, "--digest", &digest, "--ledger", "ledger.sqlite"]);
        Ran::of(&mut command).ends(1);
    }
}

#[test]
fn a_blocked_case_is_listed_and_can_be_retried() {
    let mut shop = Shop::new();
    shop.connect()
        .execute_batch(
            "CREATE TRIGGER frozen BEFORE UPDATE ON Invoice BEGIN SELECT RAISE(ABORT, 'Zuzannah'); END",
        )
        .unwrap();
    shop.run("check", []).fails("trigger frozen of table Invoice (BEFORE UPDATE) refuses the statement");
    let map = fs::read_to_string(chinook("map.toml")).unwrap();
    shop.map = shop.write(
        "map.toml",
        &map.replace("[ignore]", "[ignore]\ntriggers.frozen = \"it is dropped for a run\""),
    );
    let digest = shop.digest("1");
    let before = shop.everything();
    let refused = shop.erase("1", &digest).ends(2).json();
    assert_eq!(refused["refused"]["outcome"], "blocked");
    assert_eq!(before, shop.everything(), "all of a customer is erased or nothing");
    let case = refused["refused"]["case"].as_str().unwrap();
    let open = &shop.status()["open"][0];
    assert_eq!((&open["case"], &open["customer"]), (&case.into(), &"1".into()));
    assert!(open["reason"].as_str().unwrap().contains("trigger"), "{open}");
    let again = shop.erase("1", &digest).ends(2).json();
    assert_eq!(again["refused"]["outcome"], "conflict");
    shop.run("resume", ["--ledger", "ledger.sqlite"]).ends(2);

    shop.connect().execute_batch("DROP TRIGGER frozen").unwrap();
    let done = shop.run("retry", ["--ledger", "ledger.sqlite", "--case", case, "--json"]).ends(0).json();
    assert_eq!(done["outcome"], "pseudonymised");
    shop.run("retry", ["--ledger", "ledger.sqlite", "--case", case]).fails("no open case");
    let cancel = ["--ledger", "ledger.sqlite", "--case", case, "--approver", "op-17", "--reason", "mistake"];
    shop.run("cancel", cancel).fails("no open case");
}

#[cfg(unix)]
#[test]
fn a_database_without_the_right_to_write_is_an_error_that_says_so() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;

    let shop = Shop::new();
    // A copy of all needed files, in a place where another user can read them.
    let binary_here = shop.file("operator");
    fs::copy(binary(), &binary_here).unwrap();
    for (file, mode) in [("", 0o755), ("operator", 0o755), ("shop.sqlite", 0o444)] {
        fs::set_permissions(shop.file(file), fs::Permissions::from_mode(mode)).unwrap();
    }
    for file in ["map.toml", "policy.toml"] {
        let copy = shop.write(file, &fs::read_to_string(chinook(file)).unwrap());
        fs::set_permissions(copy, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let mut command = Command::new(binary_here);
    command.current_dir(shop.folder.path()).args(["plan", "--customer", "1", "--database", "shop.sqlite"]);
    command.args(["--map", "map.toml", "--policy", "policy.toml"]);
    if fs::metadata(shop.folder.path()).unwrap().uid() == 0 {
        // Permission bits have no effect for root.
        command.uid(65_534).gid(65_534);
    }
    Ran::of(&mut command).fails("read-only");
}

#[test]
fn a_command_line_that_is_wrong_is_an_error_and_help_is_none() {
    for wrong in [&["bogus"][..], &[], &["plan"], &["status", "--ledger"]] {
        let ran = Ran::of(Command::new(binary()).args(wrong));
        assert!(ran.ends(1).err.contains("--help"), "{wrong:?}");
    }
    let json = operator(["plan", "--json"]).ends(1).json();
    assert!(json["error"].as_str().unwrap().contains("--customer"), "{json}");
    assert!(operator(["--help"]).ends(0).out.contains("2 refused"));
    let shop = Shop::new();
    let both = ["--customer", "1", "--treatment", "clear", "--sweep"];
    shop.run("plan", both).fails("cannot be used with");
    shop.run("plan", ["--customer", "1", "--as-of", "soon"]).fails("--as-of");
}

#[test]
fn the_status_of_a_fresh_ledger_is_empty_and_no_ledger_is_made_by_looking() {
    let shop = Shop::new();
    let ledger = shop.file("ledger.sqlite");
    let ledger = ledger.to_str().unwrap();
    operator(["status", "--ledger", ledger]).fails("there is no ledger");
    assert!(!Path::new(ledger).exists());
    shop.write("ledger.sqlite", "");
    shop.erase("1", "none").ends(2);
    let text = operator(["status", "--ledger", ledger]).ends(0).out;
    assert_eq!(text, "no open case\nclosed: 0 erased, 0 superseded, 0 cancelled\n");
    let database = shop.file("shop.sqlite");
    operator(["status", "--ledger", database.to_str().unwrap()]).fails("no ledger");
}

#[test]
fn a_ledger_whose_keys_are_lost_is_an_error_and_gets_no_new_ones() {
    let shop = Shop::new();
    shop.erase("1", &shop.digest("1")).ends(0);
    let keys = shop.file("ledger.sqlite.keys");
    fs::remove_file(&keys).unwrap();
    let error = shop.erase("2", &shop.digest("2")).ends(1).json();
    assert!(error["error"].as_str().unwrap().contains("ledger.sqlite.keys"), "{error}");
    assert!(!keys.exists());
}

#[test]
fn after_a_scrub_no_byte_of_the_person_is_left() {
    for mode in ["DELETE", "WAL", "PERSIST"] {
        let shop = Shop::new();
        let host = shop.connect();
        host.query_row(&format!("PRAGMA journal_mode = {mode}"), [], |_| Ok(())).unwrap();
        // Moved rows, an index, and statistics with sample values leave copies of old values.
        host.execute_batch("UPDATE Customer SET Fax = Fax || ''; ANALYZE; PRAGMA wal_checkpoint").unwrap();
        shop.erase("1", &shop.digest("1")).ends(0);
        assert!(mode != "WAL" || !shop.left_in_files().is_empty(), "the log holds the old bytes until then");
        let scrubbed = shop.run("scrub", ["--ledger", "ledger.sqlite", "--json"]).ends(0).json();
        assert_eq!(scrubbed["ledger"], "ledger.sqlite");
        assert_eq!(shop.status()["not_scrubbed"], 0);
        assert_eq!(shop.left_in_files(), [""; 0], "{mode}");
        drop(host);
        assert!(shop.run("scrub", []).ends(0).out.contains("no ledger"));
    }
}

// ---- texts from the policy ----

#[test]
fn a_decision_is_explained_and_a_changed_policy_is_weighed() {
    let shop = Shop::new();
    let decided = shop.run("decide", ["--customer", "1", "--explain"]).ends(0);
    assert!(decided.out.contains("guard several_tenants does not apply: nothing forbids"), "{}", decided.out);
    assert!(decided.out.trim_end().ends_with("so: due (requested), treatment clear"), "{}", decided.out);
    let alone = shop.run("decide", ["--customer", "1"]).ends(0);
    assert_eq!(alone.out.trim_end(), "due (requested), treatment clear");
    let json = shop.run("decide", ["--customer", "1", "--explain", "--json"]).ends(0).json();
    assert!(json["reasons"].as_array().unwrap().len() > 3, "{json}");
    shop.run("decide", ["--customer", "1", "--sweep"]).ends(2);
    let text = fs::read_to_string(chinook("policy.toml")).unwrap();
    let new = shop.write("new.toml", &text.replace("sweep = false", "sweep = true"));
    let weigh = |old: &Path, new: &Path| {
        let mut command = Command::new(binary());
        command.current_dir(shop.folder.path()).args(["impact", "--database", "shop.sqlite", "--map"]);
        Ran::of(command.arg(&shop.map).arg("--old").arg(old).arg("--new").arg(new))
    };
    let found = weigh(&shop.policy, &new).ends(0);
    assert!(found.out.starts_with("of 3 customers the new policy would erase 0 at once; 0 are due now"));
    let wrong = shop.write("wrong.toml", &text.replace("several_tenants", "several_tenant"));
    weigh(&shop.policy, &wrong).fails("wrong.toml");
}

#[test]
fn the_statement_and_the_letters_are_made_from_the_policy_and_the_case() {
    let mut shop = Shop::new();
    let text = fs::read_to_string(chinook("policy.toml")).unwrap();
    let swedish = "\n[words.sv.names]\ncustomer = 'kunduppgifter'\ninvoice = 'fakturor'\n[words.sv.texts]\n\
                   \"tracks, prices and quantities; nothing in it names a person\" = 'låtar, priser och antal; ingen person'\n";
    shop.policy = shop.write("worded.toml", &format!("{text}{swedish}"));
    let sender = [
        "--contact",
        "1 Main Street",
        "--authority",
        "the Authority",
        "--authority-address",
        "2 Main Street",
    ];
    let statement = |more: &[&str]| {
        let mut command = shop.command("statement");
        Ran::of(command.args(sender).args(more))
    };
    for (lang, title) in [("en", "# How long Chinook"), ("sv", "# Hur länge Chinook")] {
        let told = statement(&["--lang", lang, "--backup-days", "30"]).ends(0);
        assert!(told.out.starts_with(title) && told.out.contains("30 da"), "{}", told.out);
    }
    assert!(statement(&["--lang", "de"]).ends(2).out.contains("the policy has no words in de"));
    let bare = shop.run("statement", []).ends(2).out;
    assert!(bare.contains("the controller's contact is empty") && bare.contains("give --contact"), "{bare}");
    let letter = |kind: &str, more: &[&str]| {
        let mut command = shop.command("letter");
        // The erasure is carried out today, and no confirmation is dated before it.
        let date: &[&str] = if kind == "confirmation" { &[] } else { &["--date", "2026-02-20"] };
        Ran::of(command.args(["--kind", kind]).args(date).args(sender).args(more))
    };
    let (of_one, request) = (["--customer", "1"], ["--reference", "R-1", "--received", "2026-01-31"]);
    let asked = [&of_one[..], &request].concat();
    // The policy keeps the lines of invoices, because they name nobody.
    let ledger = ["--ledger", "ledger.sqlite"];
    let with_ledger = |more: &[&'static str]| [more, &ledger].concat();
    assert!(letter("refusal", &with_ledger(&asked)).ends(2).out.contains("there is nothing to refuse"));
    let without = letter("refusal", &with_ledger(&of_one)).ends(2).out;
    assert!(without.contains("give the reference and the day of receipt"), "{without}");
    // The bug: a refusal without the ledger knew no hold, and nothing that was erased before.
    for kind in ["confirmation", "refusal"] {
        assert!(letter(kind, &asked).ends(2).out.contains("give --ledger"), "{kind}");
    }
    let none = letter("confirmation", &[&asked[..], &ledger].concat()).ends(2).out;
    assert!(none.contains("there is nothing to confirm"), "{none}");
    let gone = [&["--customer", "4711"], &request[..], &ledger].concat();
    assert!(letter("confirmation", &gone).ends(2).out.contains("name the closed case: --case"));
    assert!(letter("extension", &of_one).ends(2).out.contains("needs --reference, --received and --reason"));
    let longer = letter("extension", &[&asked[..], &["--reason", "complexity"]].concat()).ends(0);
    assert!(longer.out.contains("by 30 April 2026 at the latest"), "{}", longer.out);
    letter("extension", &[&asked[..], &["--reason", "we would rather not"]].concat()).fails("--reason");
    shop.write("holidays.txt", "2026-04-30 # a day off\n");
    let moved = ["--reason", "requests", "--holidays", "holidays.txt"];
    let moved = letter("extension", &[&asked[..], &moved].concat()).ends(0);
    assert!(moved.out.contains("by 1 May 2026 at the latest (Art. 12(3) GDPR)"), "{}", moved.out);
    shop.write("wrong.txt", "30.4.2026\n");
    let wrong = ["--reason", "requests", "--holidays", "wrong.txt"];
    letter("extension", &[&asked[..], &wrong].concat()).fails("wrong.txt");
    let certificate = shop.erase("1", &shop.digest("1")).ends(0).json();
    let done = letter("confirmation", &[&asked[..], &ledger].concat()).ends(0).out;
    assert!(done.starts_with("# Your data were pseudonymised"), "{done}");
    let early =
        letter("confirmation", &[&asked[..], &ledger, &["--date", "2026-02-20"]].concat()).ends(2).out;
    assert!(
        early.contains("the letter is dated on 2026-02-20, before the erasure was carried out on"),
        "{early}"
    );
    let early = letter(
        "refusal",
        &[&of_one[..], &["--reference", "R-1", "--received", "2026-02-21"], &ledger].concat(),
    )
    .ends(2)
    .out;
    assert!(early.contains("before the request was received on 2026-02-21"), "{early}");
    // The case names the person, and the person's row may be gone.
    shop.connect()
        .execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM Customer WHERE CustomerId = 1")
        .unwrap();
    let of_case = [&["--case", certificate["case"].as_str().unwrap()][..], &request, &ledger].concat();
    assert_eq!(letter("confirmation", &of_case).ends(0).out, done, "the case says the same");
    let concept = shop.run("concept", ["--csv"]).ends(0).out;
    assert!(concept.starts_with("cluster,personal data,deletion class,standard period"), "{concept}");
}

/// A day is a day in the policy's time zone: on 1 January in UTC it is still 31 December in New York for five hours.
#[test]
fn a_day_is_counted_in_the_zone_of_the_policy() {
    let shop = Shop::new();
    let text = fs::read_to_string(chinook("policy.toml")).unwrap();
    for zone in ["UTC", "America/New_York", "Pacific/Kiritimati"] {
        let zoned = text.replace("sweep = false", &format!("sweep = false\ntime_zone = \"{zone}\""));
        let policy = shop.write("zoned.toml", &zoned);
        let mut command = Command::new(binary());
        command.current_dir(shop.folder.path()).args(["decide", "--database", "shop.sqlite", "--map"]);
        command.arg(&shop.map).arg("--policy").arg(&policy).args(["--customer", "1", "--explain"]);
        let said = Ran::of(command.args(["--as-of", "2027-01-01"])).ends(0).out;
        assert!(said.contains(&format!("it is 2027-01-01 in {zone}")), "{said}");
    }
}

/// An expiry is shown first. It is carried out only with the digest of that plan.
#[test]
fn what_has_expired_is_shown_and_goes_under_its_digest() {
    let shop = Shop::new();
    let text = fs::read_to_string(chinook("policy.toml")).unwrap().replace("sweep = false", "sweep = true");
    let expire =
        "\n[expire]\ninvoice = { from = \"InvoiceDate\", after = \"4 years\", action = \"anonymise\" }\n";
    let policy = shop.write("expiring.toml", &format!("{text}{expire}"));
    let run = |policy: &Path, arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.current_dir(shop.folder.path()).args(["expire", "--database", "shop.sqlite", "--map"]);
        command.arg(&shop.map).arg("--policy").arg(policy).args(["--ledger", "ledger.sqlite"]);
        Ran::of(command.args(arguments))
    };
    let tenant = ["--tenant", "chinook"];
    let nothing = run(&shop.policy, &tenant).ends(2);
    assert!(nothing.out.contains("says of no record class that its records expire so"), "{}", nothing.out);
    let before = shop.everything();
    let plan = run(&policy, &["--tenant", "chinook", "--json"]).ends(0).json();
    let due = &plan["expiring"][0]["counted"]["classes"]["invoice"]["due"];
    assert!(due.as_u64().unwrap() >= 2, "{plan}");
    let wrong =
        run(&policy, &["--tenant", "chinook", "--approver", "op-17", "--digest", &"0".repeat(64)]).ends(2);
    assert!(wrong.out.starts_with("refused: the approval is for plan"), "{}", wrong.out);
    assert_eq!(shop.everything(), before, "nothing was touched");
    let digest = plan["digest"].as_str().unwrap();
    let done = run(&policy, &["--tenant", "chinook", "--approver", "op-17", "--digest", digest]).ends(0);
    assert!(done.out.starts_with("Expiry, case "), "{}", done.out);
    let named =
        shop.rows("SELECT count(*) FROM Invoice WHERE CustomerId = 1 AND BillingAddress = '8 Billing Mews'");
    assert_eq!(named, ["Integer(0)"]);
    let again = run(&policy, &["--tenant", "chinook", "--approver", "op-17", "--digest", digest]).ends(0);
    assert!(
        again.out.contains("invoice                   4 expired"),
        "those that stay, anonymised: {}",
        again.out
    );
    assert!(run(&policy, &["--ownerless"]).ends(2).out.contains("says of no record class"));
    run(&policy, &[]).fails("--tenant");
}

/// A restored database brings a customer back. The replay shows this, and erases the customer only with its digest.
#[test]
fn after_a_restore_the_replay_is_shown_and_goes_under_its_digest() {
    let shop = Shop::new();
    let database = shop.folder.path().join("shop.sqlite");
    let copy = fs::read(&database).unwrap();
    shop.erase("1", &shop.digest("1")).ends(0);
    let erased = shop.rows("SELECT FirstName FROM Customer WHERE CustomerId = 1");
    fs::write(&database, copy).unwrap();
    let before = shop.everything();
    assert_ne!(shop.rows("SELECT FirstName FROM Customer WHERE CustomerId = 1"), erased);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.current_dir(shop.folder.path()).args(["replay", "--database", "shop.sqlite", "--map"]);
        command.arg(&shop.map).arg("--policy").arg(&shop.policy).args(["--ledger", "ledger.sqlite"]);
        Ran::of(command.args(arguments))
    };
    run(&[]).fails("the database has no mark of the ledger; say with --since when the backup was made");
    let since = ["--since", "2000-01-01T00:00:00Z"];
    let shown = run(&since).ends(0);
    assert!(shown.out.contains("1 customer to erase again"), "{}", shown.out);
    let planned = run(&["--since", "2000-01-01T00:00:00Z", "--json"]).ends(0).json();
    let digest = planned["digest"].as_str().unwrap();
    let wrong = run(&[&since[..], &["--approver", "op-17", "--digest", &"0".repeat(64)]].concat()).ends(2);
    assert!(wrong.out.starts_with("refused: the approval is for plan"), "{}", wrong.out);
    assert_eq!(shop.everything(), before, "nothing was touched");
    let done = run(&[&since[..], &["--approver", "op-17", "--digest", digest]].concat()).ends(0);
    assert!(done.out.contains("nobody has to be erased again"), "{}", done.out);
    assert_eq!(shop.rows("SELECT FirstName FROM Customer WHERE CustomerId = 1"), erased);
    run(&["--ledger", "other.sqlite"]).fails("");
}

#[test]
fn the_schema_is_printed_as_it_is_shipped() {
    for of in ["policy", "map"] {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/schema/{of}.schema.json"));
        assert!(operator(["schema", "--of", of]).ends(0).out == fs::read_to_string(shipped).unwrap(), "{of}");
    }
}

/// A checkpoint, an export and a certificate from the command line. Later somebody changes the ledger.
#[test]
#[cfg(feature = "checkpoints")]
fn the_ledger_is_proved_on_the_command_line() {
    let shop = Shop::new();
    let erased = shop.erase("1", &shop.digest("1")).ends(0).json();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        Ran::of(command.current_dir(shop.folder.path()).arg("ledger").args(arguments))
    };
    let signer = ["signer", "--out", "ledger.signer", "--name", "erasures.example.com"];
    let key = run(&signer).ends(0).out.trim().to_owned();
    run(&signer).fails("ledger.signer: ledger.signer exists already; name another file, or open this one");
    let checkpoint = ["checkpoint", "--ledger", "ledger.sqlite", "--signer", "ledger.signer"];
    let text = run(&checkpoint).ends(0).out;
    assert!(text.starts_with("erasures.example.com\n2\n"), "{text}");
    std::fs::write(shop.folder.path().join("held"), &text).unwrap();
    run(&[&checkpoint[..], &["--after", "held"]].concat()).ends(0);
    run(&["export", "--ledger", "ledger.sqlite", "--out", "export"]).ends(0);
    let export = std::fs::read(shop.folder.path().join("export")).unwrap();
    let held = Checkpoint::read(&text, &key.parse().unwrap()).unwrap();
    assert_eq!(verify_export(export.as_slice(), &held).unwrap().entries, 2);
    let case = erased["case"].as_str().unwrap();
    let certificate =
        ["certificate", "--ledger", "ledger.sqlite", "--case", case, "--checkpoint", "held", "--key", &key];
    let proven = run(&certificate).ends(0).out;
    ProvenCertificate::verify(&proven, &key.parse().unwrap()).unwrap();
    let ledger = Connection::open(shop.folder.path().join("ledger.sqlite")).unwrap();
    ledger
        .execute_batch(
            "PRAGMA foreign_keys = OFF; DROP TRIGGER entry_stays; DELETE FROM tree WHERE seq = 2; DELETE FROM entry WHERE seq = 2",
        )
        .unwrap();
    drop(ledger);
    run(&[&checkpoint[..], &["--after", "held"]].concat())
        .fails("the ledger ends with entry 1, and the checkpoint covers 2");
}
