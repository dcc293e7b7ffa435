//! Problems as lines to paste, and one mistake as one problem.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use relinquish::store::StoreError;
use relinquish::store::sql::Note;
use relinquish::{Problem, Problems, SqlMap, SqliteStore};
use rusqlite::Connection;

use crate::shop::CUSTOMERS;

/// What is wrong with a map, its grammar or its fit.
pub(super) fn problems(path: &std::path::Path, map: &str) -> Vec<Problem> {
    let read = match SqlMap::from_toml(map) {
        Ok(read) => read,
        Err(problems) => return problems.iter().cloned().collect(),
    };
    match SqliteStore::open(path, &read) {
        Ok(_) => Vec::new(),
        Err(StoreError::Map(problems)) => problems.iter().cloned().collect(),
        Err(other) => panic!("{other}"),
    }
}

pub(super) struct Database {
    folder: tempfile::TempDir,
}

impl Database {
    pub(super) fn new(sql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("shop.sqlite")).unwrap();
        connection.execute_batch(sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
        Self { folder }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("shop.sqlite")
    }

    pub(super) fn problems(&self, map: &str) -> Vec<Problem> {
        problems(&self.path(), map)
    }

    pub(super) fn notes(&self, map: &str) -> Vec<Note> {
        let store = SqliteStore::open(self.path(), &SqlMap::from_toml(map).unwrap());
        store.unwrap_or_else(|error| panic!("{error}")).notes().to_vec()
    }
}

/// A map with lines pasted where they belong: below the header that is there already, or at the end. A line for a key that is
/// there takes its place.
fn pasted(map: &str, lines: &str) -> String {
    let mut text: Vec<String> = map.lines().map(str::to_owned).collect();
    let mut header = String::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        if line.starts_with('[') {
            line.clone_into(&mut header);
            if !text.contains(&header) {
                text.push(header.clone());
            }
            continue;
        }
        let at = text.iter().position(|known| *known == header).unwrap() + 1;
        let end = text[at..].iter().position(|line| line.starts_with('[')).map_or(text.len(), |n| at + n);
        let key = line.split('=').next().unwrap().trim();
        let same = |known: &String| {
            !line.starts_with('#') && known.split_once('=').is_some_and(|(k, _)| k.trim() == key)
        };
        match text[at..end].iter().position(same) {
            Some(n) => line.clone_into(&mut text[at + n]),
            None => text.insert(end, line.to_owned()),
        }
    }
    text.join("\n")
}

/// The lines with each mark filled in by one of the choices that stand beside it.
pub(super) fn filled_in(lines: &str, choice: usize) -> String {
    let fill = |line: &str| {
        let Some((value, comment)) = line.split_once("  # ").filter(|(value, _)| value.contains("\"TODO\""))
        else {
            return line.to_owned();
        };
        let choices: Vec<&str> = comment.split('"').skip(1).step_by(2).collect();
        assert!(!choices.is_empty(), "{line}");
        value.replace("\"TODO\"", &format!("\"{}\"", choices[choice % choices.len()]))
    };
    lines.lines().map(fill).collect::<Vec<_>>().join("\n")
}

/// An alternative that stands as comments beside lines: `# or, in [place]…: line`, and `#   and, in [place]: line`.
struct Alternative {
    /// What stands between the place and the line.
    instead: String,
    /// Each with its header.
    lines: Vec<(String, String)>,
}

fn alternatives(paste: &str) -> Vec<Alternative> {
    let mut all: Vec<Alternative> = Vec::new();
    for line in paste.lines() {
        let (rest, is_new) = match (line.strip_prefix("# or, in "), line.strip_prefix("#   and, in ")) {
            (Some(rest), _) => (rest, true),
            (_, Some(rest)) => (rest, false),
            (None, None) => {
                assert!(!line.starts_with("# or"), "{line}");
                continue;
            }
        };
        // A quoted key may hold a bracket.
        let end = rest.find("]:").or_else(|| rest.find("],")).unwrap_or_else(|| panic!("{line}")) + 1;
        let (header, rest) = rest.split_at(end);
        let (instead, line) = rest.split_once(": ").unwrap_or_else(|| panic!("{line}"));
        if is_new {
            all.push(Alternative { instead: instead.to_owned(), lines: Vec::new() });
        }
        all.last_mut().unwrap().lines.push((header.to_owned(), line.to_owned()));
    }
    all
}

impl Alternative {
    /// The map with the alternative in place of what a person would have to choose.
    fn pasted(&self, map: &str, paste: &str) -> String {
        let is_ignored = self.lines.iter().any(|(header, _)| header == "[ignore]");
        // What is not the choice itself is pasted all the same.
        let (mut kept, mut header) = (String::new(), "");
        for line in paste.lines().filter(|line| !line.starts_with('#') && !is_ignored) {
            if line.starts_with('[') {
                header = line;
            }
            let of_fields = self.lines.iter().any(|(_, line)| line.starts_with("rest = "));
            let is_choice =
                line.contains("\"TODO\"") && header.ends_with(if of_fields { ".fields]" } else { ".ends]" });
            if !is_choice {
                let _ = writeln!(kept, "{line}");
            }
        }
        let mut mended = pasted(map, &filled_in(&kept, 0));
        for (header, line) in &self.lines {
            mended = pasted(&mended, &format!("{header}\n{line}"));
            if self.instead == ", instead of owner" && line.starts_with("shared = ") {
                mended = without_owner(&mended, header);
            }
        }
        mended
    }
}

/// A class without the line of its owner.
fn without_owner(map: &str, header: &str) -> String {
    let (mut at, mut lines) = ("", Vec::new());
    for line in map.lines() {
        if line.starts_with('[') {
            at = line;
        }
        if at != header || !line.starts_with("owner = ") {
            lines.push(line);
        }
    }
    assert_ne!(lines.len(), map.lines().count(), "{header} has no owner in a line of its own\n{map}");
    lines.join("\n")
}

fn said(problems: &[Problem]) -> BTreeSet<(String, String)> {
    problems.iter().map(|problem| (problem.path.clone(), problem.what.clone())).collect()
}

/// Each problem's lines make that problem go away, whatever is chosen, and bring no other.
fn assert_lines_mend(database: &Database, map: &str) -> usize {
    let before = database.problems(map);
    let known = said(&before);
    let mut lines = 0;
    for problem in &before {
        let Some(paste) = &problem.paste else { continue };
        lines += 1;
        if paste.lines().any(|line| line.contains("\"TODO\"")) {
            let left = database.problems(&pasted(map, paste));
            assert!(!left.is_empty() && left.iter().all(|left| left.what.contains("filled in")), "{left:?}");
        }
        let chosen = (0..3).map(|choice| pasted(map, &filled_in(paste, choice)));
        let instead: Vec<Alternative> = alternatives(paste);
        for mended in chosen.chain(instead.iter().map(|other| other.pasted(map, paste))) {
            let after = said(&database.problems(&mended));
            assert!(
                !after.contains(&(problem.path.clone(), problem.what.clone())),
                "{problem}\n{paste}\n{after:?}"
            );
            // What is said of a class or a table already may be said otherwise.
            let is_new = |(path, _): &&(String, String)| known.iter().all(|(known, _)| known != path);
            let new: Vec<_> = after.iter().filter(is_new).collect();
            assert!(new.is_empty(), "{problem}\n{paste}\n{new:?}\n{mended}");
        }
    }
    lines
}

const CLIENTS: &str = "CREATE TABLE clients (id INTEGER PRIMARY KEY, mail TEXT UNIQUE, code TEXT UNIQUE);";

/// The map of a database in which only the customers are there.
fn draft(fields: &str) -> String {
    format!("version = 1\n{CUSTOMERS}[customers.fields]\n{fields}")
}

const KNOWN: &str = "mail = 'email'\ncode = 'customer_number'";

#[test]
fn every_problem_with_lines_goes_away_when_they_are_pasted() {
    let order = "[records.order_row]\ntable = 'orders'\nowner = 'client_id'\n[records.order_row.fields]\n";
    let cases = [
        ("columns of the customers", "", ""),
        ("a table", "CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, note TEXT);", KNOWN),
        (
            "a table that leads to several customers, and to itself",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients,
                paid_by INTEGER NOT NULL REFERENCES clients, gift_for INTEGER REFERENCES clients,
                former INTEGER REFERENCES orders, phone TEXT, Größe TEXT);",
            KNOWN,
        ),
        (
            "over tables that nobody mapped, by keys of several columns",
            "CREATE TABLE orders (shop TEXT, no INTEGER, client_id INTEGER REFERENCES clients, PRIMARY KEY (shop, no));
             CREATE TABLE lines (shop TEXT, no INTEGER, n INTEGER, PRIMARY KEY (shop, no, n), FOREIGN KEY (shop, no) REFERENCES orders);
             CREATE TABLE notes (shop TEXT, no INTEGER, n INTEGER, body TEXT, FOREIGN KEY (shop, no, n) REFERENCES lines);",
            KNOWN,
        ),
        (
            "keys of another type, and in another comparison",
            "CREATE TABLE a (id INTEGER PRIMARY KEY, client TEXT REFERENCES clients);
             CREATE TABLE b (id TEXT PRIMARY KEY, client INTEGER REFERENCES clients, at TEXT);
             CREATE TABLE c (id INTEGER PRIMARY KEY, client TEXT COLLATE NOCASE REFERENCES clients (code));
             CREATE TABLE d (id INTEGER PRIMARY KEY, client TEXT REFERENCES clients (code));",
            KNOWN,
        ),
        (
            "tables and names that are hard to write",
            "CREATE TABLE \"sent mails\" (id INTEGER PRIMARY KEY, \"to whom\" INTEGER REFERENCES clients, \"a.b\" TEXT);
             CREATE TABLE gateway (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, ip_address TEXT);
             CREATE TABLE customer (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, name TEXT);
             CREATE TABLE bare (client_id INTEGER REFERENCES clients, name TEXT);",
            KNOWN,
        ),
        (
            "what triggers copy, and what cannot be seen",
            "CREATE TABLE log (text TEXT); CREATE VIRTUAL TABLE words USING fts5 (text);
             CREATE TRIGGER copied AFTER UPDATE ON clients BEGIN INSERT INTO log VALUES (old.mail); END;
             CREATE TRIGGER again AFTER DELETE ON clients BEGIN INSERT INTO log VALUES (old.mail); END;",
            KNOWN,
        ),
    ];
    for (law, sql, fields) in cases {
        let database = Database::new(&format!("{CLIENTS}{sql}"));
        let lines = assert_lines_mend(&database, &draft(fields));
        assert!(lines > 0, "{law}");
        // All of them at once, as they are printed.
        let mut map = draft(fields);
        for _ in 0..4 {
            let problems: Problems = database.problems(&map).into_iter().collect();
            let lines = problems.to_paste();
            toml::from_str::<toml::Table>(&lines).unwrap_or_else(|error| panic!("{law}: {error}\n{lines}"));
            map = pasted(&map, &filled_in(&lines, 1));
        }
        assert_eq!(database.problems(&map), [], "{law}\n{map}");
    }
    let orders = "CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, other INTEGER REFERENCES clients, \
                  note TEXT, part TEXT);";
    let database = Database::new(&format!("{CLIENTS}{orders}"));
    for (law, record) in [
        ("columns and a foreign key", order.to_owned()),
        ("a key", order.replace("owner", "key = 'part'\nowner")),
        ("a table", order.replace("'orders'", "'order'")),
        ("an owner", order.replace("'client_id'", "'clientid'")),
    ] {
        assert!(assert_lines_mend(&database, &format!("{}\n{record}", draft(KNOWN))) > 0, "{law}");
    }
    let sql = "CREATE TABLE a (id INTEGER PRIMARY KEY, client TEXT REFERENCES clients, payer TEXT REFERENCES clients);";
    let other = Database::new(&format!("{CLIENTS}{sql}"));
    let typed = "[records.a]\nowner = 'client'\n[records.a.ends]\npayer = 'goes'";
    assert_eq!(assert_lines_mend(&other, &format!("{}\n{typed}", draft(KNOWN))), 2, "ends of two types");
    for (law, from, to) in [
        ("the customers' table", "'clients'", "'client'"),
        ("the customers' key", "key = 'id'", "key = 'no'"),
    ] {
        let map = format!(
            "{}\n{order}other = 'not personal'\nnote = 'free_text'\npart = 'not personal'",
            draft(KNOWN)
        );
        let map = map.replace(from, to).replace(
            "[records.order_row.fields]",
            "[records.order_row.ends]\nother = 'goes'\n[records.order_row.fields]",
        );
        assert_eq!(assert_lines_mend(&database, &map), 1, "{law}");
    }
}

/// A generator of numbers that repeats itself.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Tables with foreign keys to the customers, to one another and to themselves.
pub(super) fn random_schema(dice: &mut Dice) -> String {
    let mut sql = CLIENTS.to_owned();
    let mut keys: Vec<(String, &str)> = vec![("clients".to_owned(), "INTEGER")];
    let words = ["email", "note", "phone", "total", "billing_city", "Größe", "ip_address", "label"];
    for n in 0..=dice.below(6) {
        let name = format!("t{n}");
        let kind = if dice.below(4) == 0 { "TEXT" } else { "INTEGER" };
        let mut columns = vec![format!("id {kind} PRIMARY KEY")];
        if dice.below(6) == 0 {
            keys.push((name.clone(), kind));
        }
        for link in 0..dice.below(4) {
            let (to, of) = &keys[usize::try_from(dice.below(keys.len() as u64)).unwrap()];
            let of = if dice.below(8) == 0 { "TEXT" } else { of };
            let filled = if dice.below(2) == 0 { " NOT NULL" } else { "" };
            let gone =
                ["", " ON DELETE CASCADE", " ON DELETE SET NULL"][usize::try_from(dice.below(3)).unwrap()];
            columns.push(format!("f{link} {of}{filled} REFERENCES {to}{gone}"));
        }
        for word in words {
            if dice.below(4) == 0 {
                columns.push(format!("\"{word}\" TEXT"));
            }
        }
        let _ = write!(sql, "CREATE TABLE {name} ({});", columns.join(", "));
        if keys.iter().all(|(known, _)| *known != name) {
            keys.push((name, kind));
        }
    }
    sql
}

#[test]
fn any_schema_is_mapped_by_pasting_alone() {
    let mut dice = Dice(45);
    let mut mended = 0;
    for round in 0..60 {
        let sql = random_schema(&mut dice);
        let database = Database::new(&sql);
        let mut map = draft("");
        if round % 2 == 0 {
            map = map.replace("version = 1\n", "version = 1\nends = 'schema'\n");
        }
        for step in 0.. {
            let problems = database.problems(&map);
            if problems.is_empty() {
                break;
            }
            assert!(step < 6, "{sql}\n{map}\n{problems:#?}");
            mended += assert_lines_mend(&database, &map);
            let problems: Problems = problems.into_iter().collect();
            map = pasted(&map, &filled_in(&problems.to_paste(), round));
        }
    }
    assert!(mended > 200, "{mended}");
}

/// Lines never say by themselves that something is not personal or not a customer's.
#[test]
fn no_line_decides_for_a_person() {
    let database = Database::new(&format!(
        "{CLIENTS}CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, note TEXT, email TEXT, name TEXT);
         CREATE TABLE log (text TEXT);
         CREATE TRIGGER copied AFTER UPDATE ON clients BEGIN INSERT INTO log VALUES (old.mail); END;"
    ));
    let problems: Problems = database.problems(&draft("")).into_iter().collect();
    let lines = problems.to_paste();
    let read: toml::Table = toml::from_str(&lines).unwrap();
    let fields = &read["records"]["orders"]["fields"];
    assert_eq!(fields["email"].as_str(), Some("email"));
    assert_eq!(fields["note"].as_str(), Some("TODO"));
    assert_eq!(fields["name"].as_str(), Some("TODO"), "of what is not said");
    assert_eq!(read["customers"]["fields"]["mail"].as_str(), Some("email"));
    assert_eq!(read["ignore"]["log"].as_str(), Some("TODO"));
    for line in lines.lines().filter(|line| !line.starts_with('#')) {
        let live = line.split('#').next().unwrap();
        assert!(!live.contains("not personal"), "{line}");
    }
    assert!(lines.contains("# or, in [ignore]: orders = \"the reason\""), "{lines}");
    assert!(lines.contains("rest = \"not personal\""), "{lines}");
}

pub(super) const SHOP: &str = "
CREATE TABLE clients (id INTEGER PRIMARY KEY, tenant TEXT, name TEXT, email TEXT, state TEXT, ended_on TEXT, made TEXT, profile TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, payer_id INTEGER REFERENCES clients, note TEXT);
CREATE TABLE order_lines (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders, text TEXT);
CREATE TABLE parcels (id INTEGER PRIMARY KEY, line_id INTEGER NOT NULL REFERENCES order_lines, sign TEXT);
CREATE TABLE addresses (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, street TEXT);
CREATE TABLE visits (id INTEGER PRIMARY KEY, account_no INTEGER, page TEXT);
CREATE TABLE clicks (id INTEGER PRIMARY KEY, account_no INTEGER, page TEXT);
CREATE TABLE views (id INTEGER PRIMARY KEY, account_no INTEGER, page TEXT);
CREATE TABLE wishes (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, note TEXT);
CREATE TABLE likes (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, note TEXT);
CREATE TABLE marks (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients);
";

pub(super) const MAP: &str = r#"
version = 1

[links]
account = { column = "account_no", to = "customer" }

[customers]
table = "clients"
key = "id"
tenant = "tenant"
registered = "made"
status = { column = "state", active = "on", archived = "off" }
dates = { cancelled = "ended_on" }
gateways = { stripe = "profile" }
deactivate = { state = "off" }
unknown_customer = { find = { name = "Unknown" }, create = { email = "x@y.z" } }
fields = { name = "name", email = "email" }

[[alike]]
tables = ["wishes", "likes"]
owner = "client_id"
fields = { note = "free_text" }

[records]
order = { table = "orders", key = "id", owner = "client_id", ends = { payer_id = "clear" }, fields = { note = "free_text" } }
line = { table = "order_lines", owner = ["order_id", "client_id"], fields = { text = "free_text" } }
parcel = { table = "parcels", owner = "line_id", fields = { sign = "name" } }
address = { table = "addresses", owner = "client_id", fields = { street = "address" } }
visits = { owner = "account", rest = "not personal" }
clicks = { owner = "account", rest = "not personal" }
views = { owner = "account", rest = "not personal" }

[ignore]
marks = "numbers only"
"#;

const ORDER: &str = r#"order = { table = "orders", key = "id", owner = "client_id", ends = { payer_id = "clear" }, fields = { note = "free_text" } }
"#;
const LINE: &str = r#"line = { table = "order_lines", owner = ["order_id", "client_id"], fields = { text = "free_text" } }
"#;

#[test]
fn one_mistake_is_one_problem() {
    let database = Database::new(SHOP);
    assert_eq!(database.problems(MAP), []);
    for (from, to) in [
        // Tables.
        ("table = \"clients\"", "table = \"cleints\""),
        ("table = \"orders\"", "table = \"oders\""),
        ("table = \"orders\"", "table = \"sales\""),
        ("table = \"order_lines\"", "table = \"positions\""),
        ("table = \"order_lines\"", "table = \"orderlines\""),
        ("table = \"addresses\"", "table = \"somewhere else\""),
        ("\"likes\"]", "\"lieks\"]"),
        ("marks =", "mark ="),
        // Classes that are gone, and to which others lead.
        (ORDER, ""),
        (LINE, ""),
        // Keys, owners and other links.
        ("key = \"id\"\n", "key = \"uid\"\n"),
        ("key = \"id\"\n", "key = \"number\"\n"),
        ("key = \"id\", owner", "key = \"number\", owner"),
        ("owner = \"client_id\", ends", "owner = \"clientid\", ends"),
        ("owner = \"client_id\", ends", "owner = \"buyer\", ends"),
        ("owner = \"client_id\"\n", "owner = \"client\"\n"),
        ("owner = \"client_id\"\n", "owner = \"whose\"\n"),
        ("owner = \"client_id\", fields = { street", "owner = \"whose\", fields = { street"),
        ("owner = \"line_id\"", "owner = \"lineid\""),
        ("owner = \"line_id\"", "owner = \"x\""),
        ("[\"order_id\", \"client_id\"]", "[\"order_no\", \"client_id\"]"),
        ("[\"order_id\", \"client_id\"]", "[\"order_id\", \"customer\"]"),
        ("payer_id = \"clear\"", "payer = \"clear\""),
        ("payer_id = \"clear\"", "who_paid = \"clear\""),
        // A named link, which three classes use.
        ("column = \"account_no\"", "column = \"acount_no\""),
        ("column = \"account_no\"", "column = \"who\""),
        ("to = \"customer\"", "to = \"custmer\""),
        ("to = \"customer\"", "to = \"anybody\""),
        ("to = \"customer\"", "to = \"customer.idd\""),
        ("to = \"customer\"", "table = \"client\", key = \"id\""),
        ("to = \"customer\"", "table = \"clients\", key = \"ident\""),
        ("to = \"customer\"", "to = \"customer.email\""),
        // Where facts come from.
        ("tenant = \"tenant\"", "tenant = \"tennant\""),
        ("tenant = \"tenant\"", "tenant = \"organisation\""),
        ("registered = \"made\"", "registered = \"created_at\""),
        ("column = \"state\"", "column = \"stat\""),
        ("cancelled = \"ended_on\"", "cancelled = \"ended\""),
        ("stripe = \"profile\"", "stripe = \"stripe_id\""),
        ("deactivate = { state", "deactivate = { stat"),
        ("find = { name", "find = { nme"),
        ("create = { email", "create = { emial"),
        // Fields.
        ("email = \"email\"", "emial = \"email\""),
        ("fields = { street", "fields = { stret"),
        ("fields = { note = \"free_text\" }\n\n", "fields = { nota = \"free_text\" }\n\n"),
        ("fields = { note = \"free_text\" }\n\n", "\n"),
        ("fields = { note = \"free_text\" } }", "fields = { memo = \"free_text\" } }"),
    ] {
        let map = MAP.replacen(from, to, 1);
        assert_ne!(map, MAP, "{from}");
        let found = database.problems(&map);
        assert_eq!(found.len(), 1, "{from} -> {to}: {found:#?}");
    }
}

/// Addresses that orders share, a table that two classes divide, owners that come first, and tables of one shape.
pub(super) const SHARED: &str = "
CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT, home_id INTEGER REFERENCES addresses);
CREATE TABLE addresses (id INTEGER PRIMARY KEY, street TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, billing_email TEXT, billing_id INTEGER REFERENCES addresses);
CREATE TABLE files (id INTEGER PRIMARY KEY, owner_type TEXT, owner_id INTEGER, title TEXT);
CREATE TABLE a (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, by_id INTEGER REFERENCES clients, word TEXT);
CREATE TABLE b (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, by_id INTEGER REFERENCES clients, word TEXT);
CREATE TABLE c (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, by_id INTEGER REFERENCES clients, word TEXT);
CREATE TABLE log (text TEXT);
CREATE TRIGGER copied AFTER UPDATE ON clients BEGIN INSERT INTO log VALUES (old.email); END;
CREATE TRIGGER again AFTER DELETE ON clients BEGIN INSERT INTO log VALUES (old.email); END;
";

pub(super) const SHARED_MAP: &str = r#"
version = 1
[customers]
table = "clients"
key = "id"
tenant = { is = "here" }
deactivate = { none = "no status" }
fields = { email = "email" }
[records.address]
table = "addresses"
shared = ["order.billing_id", "customer.home_id"]
fields = { street = "address" }
[records.order]
table = "orders"
owner = { first = ["client_id", { column = "billing_email", to = "customer.email", compare = "nocase" }] }
fields = { billing_email = "email" }
[records.file]
table = "files"
when = { owner_type = "client" }
owner = { column = "owner_id", to = "customer" }
fields = { title = "free_text" }
[records.other_file]
table = "files"
when = "rest"
owner = { column = "owner_id", to = "order" }
fields = { title = "free_text" }
[[alike]]
tables = ["a", "b", "c"]
owner = "client_id"
ends = { by_id = "clear" }
fields = { word = "free_text" }
[ignore]
log = "words only"
"#;

const ORDERS: &str = r#"[records.order]
table = "orders"
owner = { first = ["client_id", { column = "billing_email", to = "customer.email", compare = "nocase" }] }
fields = { billing_email = "email" }
"#;

#[test]
fn one_mistake_is_one_problem_where_records_are_shared() {
    let database = Database::new(SHARED);
    assert_eq!(database.problems(SHARED_MAP), []);
    let mut wrong = Vec::new();
    for (from, to) in [
        (ORDERS, ""),
        ("[\"order.billing_id\", \"customer.home_id\"]", "[[\"order.billing_id\", \"customer.home_id\"]]"),
        ("\"order.billing_id\",", "[\"order.billing_id\"],"),
        ("\"addresses\"", "\"adresses\""),
        ("\"addresses\"", "\"places\""),
        ("table = \"orders\"", "table = \"order\""),
        ("table = \"orders\"", "table = \"purchases\""),
        ("order.billing_id", "ordr.billing_id"),
        ("order.billing_id", "purchase.billing_id"),
        ("order.billing_id", "order.biling_id"),
        ("order.billing_id", "order.place"),
        ("order.billing_id", "order.client_id"),
        ("customer.home_id", "customer.hom_id"),
        ("[\"client_id\", {", "[\"clientid\", {"),
        ("column = \"billing_email\"", "column = \"biling_email\""),
        ("column = \"billing_email\"", "column = \"x\""),
        ("to = \"customer.email\"", "to = \"customer.emial\""),
        ("to = \"customer.email\"", "to = \"customer.address\""),
        ("to = \"customer.email\"", "to = \"somebody.email\""),
        ("compare = \"nocase\"", "compare = \"nocas\""),
        ("owner_type = \"client\"", "ownertype = \"client\""),
        ("owner_type = \"client\"", "kind = \"client\""),
        ("when = \"rest\"\n", ""),
        ("{ column = \"owner_id\", to = \"customer\" }", "{ column = \"owner\", to = \"customer\" }"),
        ("to = \"order\"", "to = \"oder\""),
        ("to = \"order\"", "to = \"thing\""),
        // What is wrong with a shape is wrong with each of its tables.
        ("owner = \"client_id\"", "owner = \"clientid\""),
        ("owner = \"client_id\"", "owner = \"whose\""),
        ("owner = \"client_id\"", "owner = \"word\""),
        ("by_id = \"clear\"", "byid = \"clear\""),
        ("by_id = \"clear\"", "by_id = \"stand-in\""),
        ("ends = { by_id = \"clear\" }\n", ""),
        ("fields = { word = \"free_text\" }\n", ""),
        ("word = \"free_text\"", "wird = \"free_text\""),
        ("word = \"free_text\"", "word = \"free_txt\""),
        ("[\"a\", \"b\", \"c\"]", "[\"a\", \"b\"]"),
        // Two triggers write to one table.
        ("log = \"words only\"", ""),
        ("log = ", "lgo = "),
    ] {
        let map = SHARED_MAP.replacen(from, to, 1);
        assert_ne!(map, SHARED_MAP, "{from}");
        let found = database.problems(&map);
        if found.len() != 1 {
            wrong.push(format!("{from} -> {to}: {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A mistake does not hide another one in the same class.
#[test]
fn two_mistakes_are_two_problems() {
    let database = Database::new(SHOP);
    let map = MAP
        .replacen("owner = \"client_id\", ends", "owner = \"clientid\", ends", 1)
        .replacen(", fields = { note = \"free_text\" } }", " }", 1)
        .replacen("registered = \"made\"", "registered = \"mad\"", 1)
        .replacen("email = \"email\" }", "}", 1);
    let paths: BTreeSet<String> = database.problems(&map).into_iter().map(|problem| problem.path).collect();
    let wanted = ["customers.fields", "customers.registered", "records.order.fields", "records.order.owner"];
    assert_eq!(paths.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
}

/// Lines for one class of several that are mapped alike stand under the class's own name.
#[test]
fn classes_that_are_mapped_alike_may_have_lines_of_their_own() {
    let database = Database::new(&format!(
        "{SHOP}ALTER TABLE likes ADD COLUMN why TEXT; ALTER TABLE likes ADD COLUMN by INTEGER REFERENCES clients;"
    ));
    assert_eq!(database.problems(MAP).len(), 2);
    assert_eq!(assert_lines_mend(&database, MAP), 2);
    let own = "[records.likes]\nends = { by = 'clear' }\nfields = { why = 'free_text' }";
    assert_eq!(database.problems(&format!("{MAP}\n{own}")), []);
    // Two owners cannot both be meant.
    let twice = format!("{MAP}\n{}", own.replace("]\n", "]\nowner = 'by'\n"));
    assert_eq!(database.problems(&twice).len(), 1);
}

#[test]
fn a_mark_that_is_left_is_one_problem_for_a_class() {
    let map = MAP.replace("street = \"address\"", "street = \"TODO\", city = \"TODO\"");
    let found = SqlMap::from_toml(&map).unwrap_err().to_string();
    assert!(
        found.starts_with("records.address.fields: still have to be filled in: city, street;"),
        "{found}"
    );
    assert_eq!(found.lines().count(), 1, "{found}");
}

#[test]
fn notes_list_what_no_line_of_the_map_names() {
    let database = Database::new(&format!(
        "{SHOP}
         CREATE TABLE threads (id INTEGER PRIMARY KEY, opener INTEGER NOT NULL REFERENCES clients, title TEXT, shelf INTEGER REFERENCES shelves);
         CREATE TABLE shelves (id INTEGER PRIMARY KEY);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL REFERENCES threads, author_id INTEGER NOT NULL REFERENCES clients);
         CREATE INDEX by_opener ON threads (opener);
         CREATE INDEX by_thread ON posts (thread_id) WHERE thread_id > 0;
         CREATE INDEX by_author ON posts (author_id, thread_id);
         CREATE INDEX nocase ON visits (page COLLATE NOCASE);"
    ));
    let map = format!(
        "{MAP}\n[records.thread]\ntable = 'threads'\nowner = 'opener'\nrest = 'free_text'\n\
         [records.post]\ntable = 'posts'\nowner = 'thread_id'\nends = {{ author_id = 'goes' }}\n"
    );
    let notes = database.notes(&map);
    let said: Vec<String> = notes.iter().map(ToString::to_string).collect();
    let has = |part: &str| said.iter().filter(|note| note.contains(part)).count();
    assert_eq!(has("visits: rest = \"not personal\" covers page"), 1, "{said:#?}");
    // The shelf is a number that leads to no mapped table.
    assert_eq!(has("thread: rest = \"free_text\" covers title, shelf"), 1, "{said:#?}");
    assert_eq!(has("thread.shelf: leads to table shelves, which nobody mapped"), 1, "{said:#?}");
    assert_eq!(
        has(
            "post: belongs to whoever has the thread to which thread_id leads, and author_id leads to a customer"
        ),
        1
    );
    assert!(notes.iter().filter(|note| matches!(note, Note::LongerWay { .. })).count() == 1, "{said:#?}");
    // An index for some rows serves no search along the link.
    assert_eq!(has("CREATE INDEX \"posts_thread_id_idx\" ON \"posts\" (\"thread_id\");"), 1, "{said:#?}");
    assert_eq!(has("(\"opener\")") + has("(\"author_id\")"), 0, "{said:#?}");
    // The statements can be run, and then nothing is left of them.
    let statements: Vec<&String> = notes
        .iter()
        .filter_map(|note| if let Note::NoIndex { statement, .. } = note { Some(statement) } else { None })
        .collect();
    assert!(statements.len() > 5, "{said:#?}");
    let connection = Connection::open(database.path()).unwrap();
    for statement in statements {
        connection.execute_batch(statement).unwrap();
    }
    assert!(!database.notes(&map).iter().any(|note| matches!(note, Note::NoIndex { .. })));
}

/// An index that compares otherwise than the column serves no search, and some links no index can serve.
#[test]
fn an_index_counts_in_the_same_comparison_only() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, mail TEXT UNIQUE, code TEXT UNIQUE);
         CREATE TABLE a (id INTEGER PRIMARY KEY, code TEXT);
         CREATE TABLE b (id INTEGER PRIMARY KEY, mail TEXT);
         CREATE INDEX a_code ON a (code COLLATE NOCASE); CREATE INDEX b_mail ON b (lower(mail));";
    let map = format!(
        "{}\n[records.a]\nowner = {{ column = 'code', to = 'customer.code' }}\nfields = {{ code = 'customer_number' }}\n\
         [records.b]\nowner = {{ column = 'mail', to = 'customer.mail', compare = 'nocase' }}\nfields = {{ mail = 'email' }}",
        draft(KNOWN)
    );
    let database = Database::new(sql);
    let mut notes = database.notes(&map);
    notes.retain(|note| !matches!(note, Note::LosesOwner { .. } | Note::ReusedIds { .. }));
    assert!(
        matches!(&notes[..], [Note::NoIndex { statement, .. }, Note::ReadsWholeTable { .. }]
        if statement == "CREATE INDEX \"a_code_idx\" ON \"a\" (\"code\");"),
        "{notes:?}"
    );
}
