//! How fast one pass over the texts of other people is: `cargo bench --bench mentions`.
//!
//! There are 10,000 people and 1,000,000 comments of about 200 bytes in an SQLite file. One in fifty comments
//! mentions somebody. The pass is compared with a loop that reads the same rows with the same statement and does
//! nothing with them. `RELINQUISH_BENCH_COMMENTS` sets another number of comments. The peak of memory is that of the
//! whole process.

// This program prints rounded figures.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a benchmark prints figures, and stops where it cannot go on"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use relinquish::customer::Identifiers;
use relinquish::data_map::Kind;
use relinquish::store::{Mentioned, MentionsRequest, RedactMentions as _};
use relinquish::{SqlMap, SqliteStore};
use rusqlite::{Connection, params};

const MAP: &str = r#"
version = 1
[customers]
table = "clients"
key = "id"
tenant = { is = "acme" }
deactivate = { none = "a benchmark" }
fields = { name = "name" }
[records.comment]
table = "comments"
owner = "client"
fields = { body = "free_text" }
[mentions]
comment = "body"
"#;

const WORDS: &str = "customer called about the invoice again and wants it sent to another address before the end of the month parcel \
    was late we agreed on a refund please check with the warehouse whether it is still there";

/// Numbers that look random and are the same in every run (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    }

    fn word(&mut self, syllables: usize) -> String {
        const SYLLABLES: [&str; 16] = [
            "ber", "lin", "sto", "ka", "mo", "ri", "ten", "wal", "ash", "fen", "gro", "hil", "jo", "kel",
            "lar", "mil",
        ];
        (0..syllables).map(|_| SYLLABLES[self.below(SYLLABLES.len())]).collect()
    }
}

fn people(count: usize) -> Vec<Identifiers> {
    let mut dice = Dice(1);
    (0..count)
        .map(|n| {
            let (given, surname) = (dice.word(3), dice.word(4));
            let mut all = Identifiers::new();
            all.insert(Kind::Name, given.as_str());
            all.insert(Kind::Name, surname.as_str());
            all.insert(Kind::Email, format!("{given}.{surname}{n}@example.org"));
            all.insert(Kind::Phone, format!("+46 70 {:07}", dice.below(10_000_000)));
            all
        })
        .collect()
}

/// Makes the database, and returns the number of comments that mention somebody.
fn create(path: &Path, comments: usize, people: &[Identifiers]) -> usize {
    let mut connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
             CREATE TABLE comments (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients, body TEXT);
             CREATE INDEX of_client ON comments (client);",
        )
        .unwrap();
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let (mut dice, mut planted) = (Dice(2), 0);
    let transaction = connection.transaction().unwrap();
    {
        let mut client = transaction.prepare("INSERT INTO clients VALUES (?1, ?2)").unwrap();
        for n in 0..i64::try_from(people.len()).unwrap() {
            client.execute(params![n, format!("client {n}")]).unwrap();
        }
        let mut comment = transaction.prepare("INSERT INTO comments VALUES (?1, ?2, ?3)").unwrap();
        for n in 0..i64::try_from(comments).unwrap() {
            let mut text = String::with_capacity(256);
            while text.len() < 200 {
                text.push_str(words[dice.below(words.len())]);
                text.push(' ');
            }
            if dice.below(50) == 0 {
                planted += 1;
                let person = &people[dice.below(people.len())];
                text.extend(person.iter().take(3).flat_map(|(_, value)| [value, " "]));
            }
            let client = i64::try_from(dice.below(people.len())).unwrap();
            comment.execute(params![n, client, text]).unwrap();
        }
    }
    transaction.commit().unwrap();
    planted
}

/// Reads every text page by page, as the pass does, and does nothing with it. The fastest of three rounds counts.
fn read(path: &Path) -> f64 {
    let connection = Connection::open(path).unwrap();
    let sql = "SELECT id, NULL, body FROM comments WHERE id > ?1 ORDER BY id LIMIT 2000";
    (0..3)
        .map(|_| {
            let start = Instant::now();
            let (mut last, mut bytes) = (-1_i64, 0);
            loop {
                let mut statement = connection.prepare_cached(sql).unwrap();
                let mut rows = statement.query([last]).unwrap();
                let before = last;
                while let Some(row) = rows.next().unwrap() {
                    last = row.get(0).unwrap();
                    bytes += std::str::from_utf8(row.get_ref(2).unwrap().as_bytes().unwrap()).unwrap().len();
                }
                if last == before {
                    break;
                }
            }
            black_box(bytes);
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

/// The peak of the process's memory, in MiB.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

fn main() {
    let comments: usize = std::env::var("RELINQUISH_BENCH_COMMENTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000);
    let people = people(10_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forum.sqlite");
    let planted = create(&path, comments, &people);
    let reading = read(&path);
    let store = SqliteStore::open(&path, &SqlMap::from_toml(MAP).unwrap()).unwrap();
    let with = BTreeMap::from([("comment".into(), "[removed]".to_owned())]);
    let start = Instant::now();
    let sought: Vec<Mentioned> =
        people.into_iter().map(|person| Mentioned::new("acme", person, with.clone())).collect();
    let request = MentionsRequest::new(&sought).unwrap();
    drop(sought);
    println!("{comments} comments, {planted} of which mention somebody; 10000 people are sought");
    println!("preparing the search: {:.2} s", start.elapsed().as_secs_f64());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // The first pass also writes. The others find nothing more, and only read and search.
    for (name, writes) in [("pass that writes", true), ("pass again", false), ("pass again", false)] {
        let start = Instant::now();
        let (mut read, mut changed, mut after) = (0, 0, None);
        loop {
            let part = runtime.block_on(store.redact_mentions(&request, after.as_ref())).unwrap();
            read += part.read.values().sum::<u64>();
            changed += part.of.values().map(|counts| counts.changed).sum::<u64>();
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        let took = start.elapsed().as_secs_f64();
        println!("{name}: {took:.2} s, {:.2} times reading; {read} read, {changed} changed", took / reading);
        assert_eq!(changed > 0, writes);
    }
    println!("reading alone: {reading:.2} s");
    println!("peak of memory: {} MiB", peak().unwrap_or_default());
}
