//! Maps that are drafted from a schema. They open when a person has removed the marks, their guesses are cautious,
//! and they contain no value of a row.

use std::collections::BTreeMap;

use relinquish::store::StoreError;
use relinquish::store::sql::{MapDraft, Risk, Samples};
use relinquish::{SqlMap, SqliteStore};
use rusqlite::Connection;

use super::paste::{Dice, random_schema};

struct Database(tempfile::TempDir);

impl Database {
    fn new(sql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("host.sqlite")).unwrap();
        connection.execute_batch(sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
        Self(folder)
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("host.sqlite")
    }

    fn draft(&self, customers: &str, samples: Samples) -> MapDraft {
        SqliteStore::draft(self.path(), customers, samples).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Opens the store with the draft after all marks were removed.
    fn opens(&self, draft: &MapDraft) -> String {
        let map = looked_at(draft);
        let read = SqlMap::from_toml(&map).unwrap_or_else(|problems| panic!("{problems}\n{map}"));
        SqliteStore::open(self.path(), &read).unwrap_or_else(|error| panic!("{error}\n{map}"));
        map
    }
}

/// The draft after a person has accepted every guess.
fn looked_at(draft: &MapDraft) -> String {
    draft.to_string().replace("?\"", "\"").replace("\"TODO\"", "\"a reason\"")
}

const FORUM: &str = "
CREATE TABLE members (id INTEGER PRIMARY KEY, login TEXT NOT NULL UNIQUE, mail TEXT NOT NULL, crypted TEXT, is_admin INTEGER NOT NULL,
    last_seen_at TEXT, created_at TEXT NOT NULL, active INTEGER NOT NULL DEFAULT 1, home_id INTEGER REFERENCES places);
CREATE TABLE places (id INTEGER PRIMARY KEY, street TEXT, postal_code TEXT, phone TEXT);
CREATE TABLE hats (id INTEGER PRIMARY KEY, granted_by INTEGER NOT NULL REFERENCES members, user_id INTEGER NOT NULL REFERENCES members, hat TEXT);
CREATE TABLE threads (id INTEGER PRIMARY KEY, author_id INTEGER REFERENCES members ON DELETE SET NULL, title TEXT, state TEXT);
CREATE TABLE posts (id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL REFERENCES threads ON DELETE CASCADE,
    author_id INTEGER NOT NULL REFERENCES members, editor_id INTEGER REFERENCES members, body TEXT, from_ip TEXT, likes INTEGER);
CREATE TABLE visits (member_id INTEGER, path TEXT, seen_on TEXT);
CREATE TABLE messages (id INTEGER PRIMARY KEY, sender_id INTEGER NOT NULL REFERENCES members, recipient_id INTEGER NOT NULL REFERENCES members, body TEXT);
CREATE TABLE newsletter (email TEXT PRIMARY KEY, topic TEXT);
CREATE TABLE staff (id INTEGER PRIMARY KEY, first_name TEXT, phone TEXT);
CREATE TABLE goods (id INTEGER PRIMARY KEY, title TEXT);";

#[test]
fn a_draft_places_every_table_that_leads_to_a_person() {
    let database = Database::new(FORUM);
    let draft = database.draft("members", Samples::None);
    let text = draft.to_string();
    for line in [
        "owner = \"user_id?\"  # a foreign key to members; or \"granted_by\"",
        "granted_by = \"goes?\"  # the column takes no NULL, so the row cannot stay",
        "owner = \"author_id?\"  # a foreign key to members; or \"editor_id\"",
        "owner = \"member_id?\"  # named like the key of members, and nothing in the schema says so",
        "shared = [\"customer.home_id?\"]",
        "login = \"username?\"",
        "mail = \"email?\"",
        "postal_code = \"postcode?\"",
        "from_ip = \"ip_address?\"",
        "status = { column = \"active\", active = \"1?\", archived = \"0?\" }",
        "registered = \"created_at?\"",
        "last_seen = \"last_seen_at?\"",
    ] {
        assert!(text.contains(line), "{line}\n\n{text}");
    }
    assert!(
        text.contains("# or, if each of them has the record: shared = [\"sender_id\", \"recipient_id\"]"),
        "{text}"
    );
    // An employee is not a customer. Only a person can give the reason why such a table has no data of customers.
    assert!(
        text.contains("staff = \"TODO\"  # nothing ties it to a customer, and it has first_name, phone"),
        "{text}"
    );
    assert!(!text.contains("goods"), "{text}");
    // A person on the mailing list may be a member, with the same address.
    assert!(
        text.contains("owner = { column = \"email?\", to = \"customer.mail\", compare = \"normalised\" }"),
        "{text}"
    );
    database.opens(&draft);
}

/// The most dangerous guesses come first, and every guess gives its reason.
#[test]
fn the_riskiest_guesses_come_first_with_what_speaks_for_them() {
    let draft = Database::new(FORUM).draft("members", Samples::None);
    let risks: Vec<Risk> = draft.guesses().iter().map(|guess| guess.risk).collect();
    assert!(risks.is_sorted_by(|one, other| one >= other) && risks.contains(&Risk::High), "{risks:?}");
    assert!(draft.guesses().iter().all(|guess| !guess.why.is_empty() && !guess.path.is_empty()));
    let state = draft.guesses().iter().find(|guess| guess.path == "records.threads.fields.state").unwrap();
    assert_eq!((state.value.as_str(), state.risk), ("not personal", Risk::High));
    let text = draft.to_string();
    let (head, _) = text.split_once("version = 1").unwrap();
    assert!(
        head.contains("#   records.threads.fields.state = not personal: named like a code of your own"),
        "{head}"
    );
}

#[test]
fn nothing_starts_while_a_mark_remains() {
    let database = Database::new(FORUM);
    let draft = database.draft("members", Samples::None);
    let refused = SqlMap::from_toml(&draft.to_string()).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("values are still guesses of a draft"), "{refused}");
    assert!(refused.contains("still has to be filled in"), "{refused}");
    let mut map = looked_at(&draft);
    SqlMap::from_toml(&map).unwrap();
    map = map.replace("\nmail = \"email\"", "\nmail = \"email?\"");
    let refused = SqlMap::from_toml(&map).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("1 value is still the guess of a draft: customers.fields.mail"), "{refused}");
    assert!(refused.contains("take the ? at its end away where it is right"), "{refused}");
}

/// For every schema, the draft without its marks is a map that opens.
#[test]
fn any_schema_is_drafted_into_a_map_that_opens() {
    let mut dice = Dice(2_026);
    for _ in 0..120 {
        let sql = random_schema(&mut dice);
        let database = Database::new(&sql);
        let draft = database.draft("clients", Samples::None);
        database.opens(&draft);
    }
}

#[test]
fn samples_decide_where_names_say_nothing_and_no_value_is_shown() {
    let rows: Vec<String> = (0..40)
        .map(|n| format!("({n}, {n}, 'maud{n}@ash.example', '+46 8 123 4{n:02}', '10.1.2.{n}', 'new', '{{\"zip\":\"QX{n}\"}}', 'for Zuzannah')"))
        .collect();
    let database = Database::new(&format!(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, label TEXT);
         CREATE TABLE records (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, a TEXT, b TEXT, c TEXT, d TEXT, e TEXT, f TEXT);
         INSERT INTO clients VALUES {};
         INSERT INTO records VALUES {};",
        (0..40).map(|n| format!("({n}, 'x{n}')")).collect::<Vec<_>>().join(", "),
        rows.join(", ")
    ));
    let draft = database.draft("clients", Samples::Rows(200));
    let text = draft.to_string();
    for line in [
        "a = \"email?\"  # 40 of 40 samples are e-mail addresses",
        "b = \"phone?\"  # 40 of 40 samples are spelled like telephone numbers",
        "c = \"ip_address?\"  # 40 of 40 samples are IP addresses",
        "d = \"not personal?\"  # 1 different value in 40 samples",
        "e = \"free_text?\"  # 40 of 40 samples are JSON: name what is in it, if some of it stays",
    ] {
        assert!(text.contains(line), "{line}\n\n{text}");
    }
    for value in ["maud", "ash.example", "123 4", "10.1.2", "QX", "Zuzannah"] {
        assert!(!format!("{text}{draft:?}").contains(value), "{value}\n{text}");
    }
    database.opens(&draft);
}

#[test]
fn a_table_that_is_not_there_is_named_with_the_nearest() {
    let database = Database::new(FORUM);
    let refused = |customers: &str| match SqliteStore::draft(database.path(), customers, Samples::None) {
        Err(StoreError::Map(problems)) => problems.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(refused("member").contains("members"), "{}", refused("member"));
    assert!(refused("visits").contains("has no primary key"), "{}", refused("visits"));
}

/// What a map says about each column of each table.
fn columns(connection: &Connection, map: &str) -> BTreeMap<(String, String), String> {
    let read: toml::Table = toml::from_str(map).unwrap();
    let mut classes: Vec<(String, toml::Table)> = Vec::new();
    let customers = read["customers"].as_table().unwrap().clone();
    classes.push((customers["table"].as_str().unwrap().to_owned(), customers));
    for (name, class) in read["records"].as_table().unwrap() {
        let class = class.as_table().unwrap().clone();
        let table = class.get("table").and_then(toml::Value::as_str).unwrap_or(name).to_owned();
        classes.push((table, class));
    }
    for group in read.get("alike").and_then(toml::Value::as_array).into_iter().flatten() {
        for table in group["tables"].as_array().unwrap() {
            let table = table.as_str().unwrap();
            if classes.iter().all(|(known, _)| known != table) {
                classes.push((table.to_owned(), group.as_table().unwrap().clone()));
            }
        }
    }
    let mut all = BTreeMap::new();
    for (table, class) in classes {
        let mut statement = connection.prepare("SELECT name FROM pragma_table_xinfo(?1)").unwrap();
        let names: Vec<String> =
            statement.query_map([&table], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let fields = class.get("fields").and_then(toml::Value::as_table);
        let rest = class.get("rest").and_then(toml::Value::as_str).unwrap_or("not personal");
        for name in names {
            let kind = match fields.and_then(|fields| fields.get(&name)) {
                Some(toml::Value::String(kind)) => kind.clone(),
                Some(toml::Value::Table(kind)) => {
                    kind.get("kind").and_then(toml::Value::as_str).unwrap_or("free_text").to_owned()
                }
                _ => rest.to_owned(),
            };
            all.insert((table.to_ascii_lowercase(), name), kind);
        }
    }
    all
}

/// Compares the draft with the map that a person wrote for the shop with 45 tables: how many columns need no change,
/// and how many personal columns the draft misses.
#[test]
fn few_columns_of_a_draft_need_a_change_and_hardly_any_personal_one_is_missed() {
    let database = Database::new(super::shop45::SCHEMA);
    let draft = database.draft("customers", Samples::None);
    let drafted = database.opens(&draft);
    let connection = Connection::open(database.path()).unwrap();
    let (by_hand, drafted) = (columns(&connection, super::shop45::MAP), columns(&connection, &drafted));
    let is_personal = |kind: &String| kind != "not personal";
    let (mut same, mut missed, mut personal, mut wrong) = (0, Vec::new(), 0, Vec::new());
    for (column, kind) in &by_hand {
        let guess = drafted.get(column);
        // It is not a dangerous mistake to treat more columns as personal. The kind decides what is written.
        let fits = guess == Some(kind) || (guess.is_some_and(is_personal) && is_personal(kind));
        same += usize::from(fits);
        if !fits {
            wrong.push((column, kind, guess));
        }
        personal += usize::from(is_personal(kind));
        if is_personal(kind) && !guess.is_some_and(is_personal) {
            missed.push(column);
        }
    }
    assert!(same * 100 >= by_hand.len() * 92, "{same} of {}: {wrong:?}", by_hand.len());
    assert!(missed.len() * 100 <= personal, "{missed:?} of {personal}");
}

/// The draft gave the editor's name to the author of the post: it was erased with the author, and stayed when the editor left.
#[test]
fn a_name_beside_a_link_to_somebody_else_is_drafted_as_theirs() {
    let database = Database::new(
        "CREATE TABLE members (id INTEGER PRIMARY KEY, login TEXT NOT NULL UNIQUE);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL REFERENCES members, editor_id INTEGER REFERENCES members,
             author_nickname TEXT, editor_nickname TEXT, lastEditorId INTEGER REFERENCES members, lastEditorEmail TEXT, editors INTEGER);",
    );
    let draft = database.draft("members", Samples::None);
    let text = draft.to_string();
    for line in [
        "editor_nickname = { kind = \"username?\", of = \"editor_id?\" }",
        "lastEditorEmail = { kind = \"email?\", of = \"lastEditorId?\" }",
        "author_nickname = \"username?\"",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    let risky =
        draft.guesses().iter().find(|guess| guess.path == "records.posts.fields.editor_nickname").unwrap();
    assert_eq!((risky.value.as_str(), risky.risk), ("username of editor_id", Risk::High));
    database.opens(&draft);
}
