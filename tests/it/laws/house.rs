//! Architecture tests: the pure modules do no I/O, and each module imports only from the modules to its left.

use std::fs;
use std::path::{Path, PathBuf};

/// The code lines of a room, each with its place. Tests and comments are left out. A room is a top-level module.
fn code(room: &str) -> Vec<(String, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let (file, folder) = (source.join(format!("{room}.rs")), source.join(room));
    if file.exists() {
        files.push(file);
    }
    gather(&folder, &mut files);
    assert!(!files.is_empty(), "there is no room {room}");
    let mut lines = Vec::new();
    let is_test = |file: &&PathBuf| file.ends_with("tests.rs") || file.iter().any(|part| part == "tests");
    for file in files.iter().filter(|file| !is_test(file)) {
        let text = fs::read_to_string(file).unwrap();
        for (n, line) in text.split("#[cfg(test)]").next().unwrap().lines().enumerate() {
            let line = line.trim();
            if !line.starts_with("//") {
                lines.push((format!("{}:{}", file.display(), n + 1), line.to_owned()));
            }
        }
    }
    lines
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

fn never(room: &str, words: &[&str]) {
    for (place, line) in code(room) {
        for word in words {
            assert!(!line.contains(word), "{place}: {room} must not have {word}: {line}");
        }
    }
}

const PURE: [&str; 9] =
    ["policy", "treatment", "anonymise", "plan", "case", "data_map", "customer", "document", "request"];

#[test]
fn the_pure_rooms_have_no_async_no_clock_and_no_io() {
    let words = [
        "async ",
        "await",
        "::now()",
        "std::fs",
        "std::io",
        "std::net",
        "std::thread",
        "rusqlite",
        "getrandom",
    ];
    for room in PURE {
        never(room, &words);
    }
}

/// The rooms that a room's code imports from or names in a path, each with its place. Nested `use` trees are read
/// too.
fn imports(room: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut tree: Option<(String, String)> = None;
    for (place, line) in code(room) {
        let is_use = line.starts_with("use ") || line.starts_with("pub") && line.contains(" use ");
        if is_use && tree.is_none() {
            tree = Some((place.clone(), String::new()));
        }
        if let Some((place, text)) = &mut tree {
            text.push_str(line.split("//").next().unwrap());
            if text.contains(';') {
                let path = text.split_once("use ").unwrap().1;
                found.extend(rooms_of(path).into_iter().map(|room| (place.clone(), room)));
                tree = None;
            }
            continue;
        }
        for path in line.split("crate::").skip(1) {
            found.push((place.clone(), word(path)));
        }
    }
    assert!(tree.is_none(), "{room}: a `use` without an end");
    found
}

/// The rooms of this crate that a `use` tree names: the first word after each `crate::`, or the first of each branch after
/// `crate::{`.
fn rooms_of(path: &str) -> Vec<String> {
    let Some(rest) = path.trim().strip_prefix("crate::") else { return Vec::new() };
    let Some(branches) = rest.trim().strip_prefix('{') else { return vec![word(rest)] };
    let (mut depth, mut rooms, mut starts) = (0, Vec::new(), true);
    for (at, letter) in branches.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => starts = true,
            letter if starts && letter.is_alphabetic() => {
                rooms.push(word(&branches[at..]));
                starts = false;
            }
            _ => {}
        }
    }
    rooms
}

fn word(path: &str) -> String {
    path.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[test]
fn a_nested_use_tree_is_read() {
    assert_eq!(rooms_of("crate::policy::{Policy, Duty};"), ["policy"]);
    assert_eq!(
        rooms_of("crate::{plan::{Plan, letter::{self, Letter}}, store, policy::Duty as D};"),
        ["plan", "store", "policy"]
    );
    assert_eq!(rooms_of("std::{fmt, collections::BTreeMap};"), [""; 0]);
}

/// What each room must not import from, tests aside.
const CLOSED: [(&str, &[&str]); 12] = [
    (
        "customer",
        &["anonymise", "policy", "treatment", "plan", "case", "store", "gateway", "ledger", "engine"],
    ),
    (
        "data_map",
        &[
            "customer",
            "anonymise",
            "policy",
            "treatment",
            "plan",
            "case",
            "store",
            "gateway",
            "backup",
            "ledger",
            "engine",
        ],
    ),
    ("anonymise", &["policy", "treatment", "plan", "case", "store", "gateway", "backup", "ledger", "engine"]),
    ("treatment", &["policy", "plan", "case", "store", "gateway", "backup", "ledger", "engine"]),
    ("policy", &["plan", "case", "store", "gateway", "backup", "ledger", "engine"]),
    ("plan", &["case", "store", "gateway", "backup", "ledger", "engine", "sqlite"]),
    ("case", &["store", "gateway", "backup", "ledger", "engine", "sqlite"]),
    ("document", &["policy", "treatment", "plan", "case", "store", "gateway", "backup", "ledger", "engine"]),
    ("store", &["policy", "plan", "case", "gateway", "backup", "ledger", "engine"]),
    ("gateway", &["policy", "store", "backup", "ledger", "engine"]),
    ("backup", &["policy", "treatment", "case", "store", "gateway", "ledger", "engine"]),
    ("ledger", &["engine"]),
];

#[test]
fn rooms_import_from_the_left_only() {
    let mut wrong = Vec::new();
    for (room, closed) in CLOSED {
        for (place, from) in imports(room) {
            if closed.contains(&from.as_str()) {
                wrong.push(format!("{place}: {room} imports from {from}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Another database uses the same SQL code. So the code that SQL stores share must not depend on SQLite.
#[test]
fn what_sql_stores_share_knows_no_database() {
    never("store/sql", &["rusqlite", "sqlite::", "::sqlite", "Sqlite", "tokio"]);
}

/// SQL that differs between databases belongs into the dialect, and not into the statements.
#[test]
fn statements_are_spelled_by_the_dialect() {
    let words = [
        "json_each",
        "json_extract",
        "json_type",
        "CROSS JOIN",
        "\"main.",
        " main.",
        "temp.",
        "INSERT OR",
        "COLLATE",
        "quote(",
        "PRAGMA",
        "\"?",
        " ?1",
        " IS {",
        " IS NOT {",
        "WHERE 1",
        "AS INTEGER",
        "relinquish_value(",
        "relinquish_holds(",
        "relinquish_kept(",
        "relinquish_nocase(",
    ];
    for room in ["store/sql/whose", "store/sql/script", "store/sql/run"] {
        never(room, &words);
    }
}

fn reads_the_clock(text: &str) -> bool {
    let code = text.lines().filter(|line| !line.trim().starts_with("//"));
    code.into_iter()
        .any(|line| ["Utc::now()", "SystemTime::now", "Local::now"].iter().any(|clock| line.contains(clock)))
}

#[test]
fn the_clock_is_read_in_one_place() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    gather(&source, &mut files);
    let reading: Vec<_> =
        files.into_iter().filter(|file| reads_the_clock(&fs::read_to_string(file).unwrap())).collect();
    assert_eq!(reading, [source.join("engine/clock.rs")]);
}

/// Sample code of a pure room that reads the clock instead of taking the time as an argument.
#[test]
fn code_that_reads_the_clock_is_found_out() {
    for honest in [
        "fn due(at: DateTime<Utc>) -> bool {\n    at > self.until\n}",
        "    // not Utc::now(): a test turns it",
    ] {
        assert!(!reads_the_clock(honest), "{honest}");
    }
    for now in ["Utc::now()", "std::time::SystemTime::now()", "chrono::Local::now().date_naive()"] {
        let broken = format!("fn due(&self) -> bool {{\n    {now} > self.until\n}}");
        assert!(reads_the_clock(&broken), "{broken}");
    }
}
