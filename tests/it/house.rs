//! The house keeps its rooms: what is pure stays pure, and nothing on the left knows anything on the right.

use std::fs;
use std::path::{Path, PathBuf};

/// The lines of a room's code, without tests and comments, with the place of each.
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

const PURE: [&str; 7] = ["policy", "anonymise", "plan", "case", "data_map", "customer", "document"];

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

#[test]
fn the_pure_rooms_know_nothing_of_the_hosts_systems() {
    let words = [
        "crate::store",
        "crate::gateway",
        "crate::backup",
        "crate::ledger",
        "crate::engine",
        "crate::sqlite",
    ];
    for room in PURE {
        never(room, &words);
    }
    never("anonymise", &["crate::policy", "crate::plan"]);
    never("policy", &["crate::plan", "crate::case"]);
    never("plan", &["crate::case"]);
}

#[test]
fn stores_know_no_policy_and_no_engine() {
    for room in ["store", "gateway", "backup"] {
        never(room, &["crate::engine", "crate::ledger", "policy::Policy", "PolicyDocument"]);
    }
    never("ledger", &["crate::engine"]);
}

/// Another database stands on the same frame: what SQL stores share must not come to lean on SQLite again.
#[test]
fn what_sql_stores_share_knows_no_database() {
    never("store/sql", &["rusqlite", "sqlite::", "::sqlite", "Sqlite", "tokio"]);
}

/// What another database spells otherwise is in the dialect, and nowhere in the statements themselves.
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

#[test]
fn the_clock_is_read_in_one_place() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    gather(&source, &mut files);
    let reading: Vec<_> = files
        .into_iter()
        .filter(|file| {
            let text = fs::read_to_string(file).unwrap();
            let code = text.lines().filter(|line| !line.trim().starts_with("//"));
            code.into_iter().any(|line| {
                ["Utc::now()", "SystemTime::now", "Local::now"].iter().any(|clock| line.contains(clock))
            })
        })
        .collect();
    assert_eq!(reading, [source.join("engine/clock.rs")]);
}
