//! What the proof of the ledger costs: appends with the tree and a signature beside appends without, and the proof of one
//! entry among very many.
//!
//! `cargo bench --bench proof --features checkpoints`; `LEAVES=100000` in the environment for a short look.
//!
//! * Appends: so many entries in batches. With the tree, a checkpoint follows: all entries are hashed, the hashes are kept and
//!   the root is signed. The figure is the median over rounds of the wall time, disk included.
//! * Proof: one erasure is closed in a ledger, and leaves that nobody wrote follow it up to the number. The figures are the
//!   time for reading the certificate with its proof, and the bytes of the path and of the checkpoint in its text.

// It is a program that prints figures.
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints figures, and stops where it cannot go on"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use relinquish::ledger::proof::{Checkpoint, FileSigner, ProvenCertificate, Signer};
use relinquish::ledger::{EntryBody, Ledger as _, MemoryKeyRing, Scrubbed, TokenKey};
use relinquish::plan::CaseId;
use relinquish::{
    Approval, Asked, CustomerId, Engine, Outcome, Planned, PolicyDocument, SqlMap, SqliteLedger, SqliteStore,
};
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

/// The entries of a round of appends, and of one batch.
const APPENDED: usize = 20_000;
const BATCH: usize = 500;
const ROUNDS: usize = 5;

const MAP: &str = r#"
version = 1
[customers]
table = "customers"
key = "id"
tenant = { is = "shop" }
deactivate = { none = "there is no such status" }
fields = { name = "name" }
"#;

const POLICY: &str = r#"
version = 1
sweep = false
[triggers]
requested = { treatment = "clear" }
[guards]
active_subscription = { ignore = "none are sold" }
not_archived = { ignore = "there is no such status" }
[anonymise]
name = "remove"
[treatments.clear]
customer = "anonymise"
"#;

fn main() {
    let leaves = std::env::var("LEAVES").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000_000_u64);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let signer = FileSigner::create(folder.path().join("signer"), "erasures.example.com").unwrap();
    let (mut ratios, mut same) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let time = |name: &str, signer: Option<&FileSigner>| {
            let path = folder.path().join(format!("{name}{round}.sqlite"));
            runtime.block_on(append(&path, signer))
        };
        let (first, with, second) = (time("first", None), time("with", Some(&signer)), time("second", None));
        ratios.push(ratio(with, (first + second) / 2));
        same.push(ratio(first, second));
    }
    println!("{APPENDED} appends with tree and signature vs without: {:.3}", median(ratios));
    println!("A/A: {:.3}", median(same));
    prove(&runtime, folder.path(), &signer, leaves);
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64().max(1e-9)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn append(path: &Path, signer: Option<&FileSigner>) -> Duration {
    let ledger = SqliteLedger::open(path).unwrap();
    let at = Utc::now();
    let start = Instant::now();
    for batch in 0..APPENDED / BATCH {
        let first = u64::try_from(batch * BATCH).unwrap();
        let entries = (first..first + 500).map(|through| EntryBody::Scrubbed(Scrubbed { through, at }));
        ledger.append(&entries.collect::<Vec<_>>()).await.unwrap();
    }
    if let Some(signer) = signer {
        let checkpoint = Checkpoint::take(&ledger, signer, None).await.unwrap();
        assert_eq!(checkpoint.size(), u64::try_from(APPENDED).unwrap());
    }
    start.elapsed()
}

fn prove(runtime: &Runtime, folder: &Path, signer: &FileSigner, leaves: u64) {
    let path = folder.join("ledger.sqlite");
    let case = runtime.block_on(erase(folder, &path, signer));
    let began = Instant::now();
    grow(&path, leaves);
    println!("{leaves} leaves were made in {:.0} s", began.elapsed().as_secs_f64());
    let ledger = SqliteLedger::open_existing(&path).unwrap();
    let checkpoint = runtime.block_on(Checkpoint::take(&ledger, signer, None)).unwrap();
    assert_eq!(checkpoint.size(), leaves);
    let mut times = Vec::new();
    let mut proven = None;
    for _ in 0..101 {
        let start = Instant::now();
        proven = runtime.block_on(ProvenCertificate::read(&ledger, &case, &checkpoint)).unwrap();
        times.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    // The first one reads from the disk.
    let first = times.first().copied().unwrap_or(f64::NAN);
    let text = proven.unwrap().to_text().unwrap();
    let written: serde_json::Value = serde_json::from_str(&text).unwrap();
    let (path, checkpoint) = (&written["entry"]["path"], &written["checkpoint"]);
    println!("certificate with proof among {leaves}: {:.2} ms, the first {first:.2} ms", median(times));
    println!(
        "path of {} hashes and checkpoint: {} bytes",
        path.as_array().unwrap().len(),
        path.to_string().len() + checkpoint.to_string().len()
    );
    // Whoever has the public key can check it.
    ProvenCertificate::verify(&text, signer.public_key()).unwrap();
}

/// Erases one customer, and hashes the entries so far.
async fn erase(folder: &Path, ledger: &Path, signer: &FileSigner) -> CaseId {
    let database = folder.join("shop.sqlite");
    Connection::open(&database)
        .unwrap()
        .execute_batch(
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO customers VALUES (7, 'Maud Ashworth');",
        )
        .unwrap();
    let engine = Engine::builder(
        SqliteStore::open(&database, &SqlMap::from_toml(MAP).unwrap()).unwrap(),
        PolicyDocument::from_toml(POLICY).unwrap(),
        SqliteLedger::open(ledger).unwrap(),
        MemoryKeyRing::new(TokenKey::new([42; 32])),
    )
    .build()
    .unwrap();
    engine.census().await.unwrap();
    let Planned::Plan(plan) = engine.plan(&CustomerId::from("7"), &Asked::request()).await.unwrap() else {
        unreachable!("the customer is due")
    };
    let approval =
        Approval::new("operator-7", ["shop".into()], plan.digest(), Utc::now(), TimeDelta::hours(1));
    let Outcome::Erased(certificate) = engine.erase(plan.approve(approval).unwrap()).await.unwrap() else {
        unreachable!("the customer is erased")
    };
    let opened = SqliteLedger::open_existing(ledger).unwrap();
    Checkpoint::take(&opened, signer, None).await.unwrap();
    certificate.case().clone()
}

/// Adds the hashes of leaves that nobody wrote, up to a number of entries.
fn grow(path: &Path, leaves: u64) {
    let mut connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF").unwrap();
    let transaction = connection.transaction().unwrap();
    // The complete subtrees at the right edge, the largest first.
    let mut peaks: Vec<[u8; 32]> = Vec::new();
    let mut size = 0_u64;
    {
        let mut kept = transaction.prepare("SELECT hashes FROM tree ORDER BY seq").unwrap();
        let rows = kept.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        for row in rows {
            size += 1;
            let row = row.unwrap();
            let (hashes, _) = row.as_chunks::<32>();
            peaks.truncate(peaks.len() - size.trailing_zeros() as usize);
            peaks.push(*hashes.last().unwrap());
        }
        let mut keep = transaction.prepare("INSERT INTO tree (seq, hashes) VALUES (?1, ?2)").unwrap();
        while size < leaves {
            size += 1;
            let mut hash: [u8; 32] = Sha256::digest([&[0][..], &size.to_be_bytes()].concat()).into();
            let mut row = hash.to_vec();
            for _ in 0..size.trailing_zeros() {
                let left = peaks.pop().unwrap();
                hash = Sha256::digest([&[1][..], &left, &hash].concat()).into();
                row.extend(hash);
            }
            peaks.push(hash);
            keep.execute(params![i64::try_from(size).unwrap(), row]).unwrap();
        }
        // The last entry says how many there are. Nobody reads what is hashed already.
        let last = "INSERT INTO entry (seq, case_id, body, beside) SELECT ?1, NULL, body, beside FROM entry WHERE case_id IS NULL LIMIT 1";
        assert_eq!(transaction.execute(last, [i64::try_from(leaves).unwrap()]).unwrap(), 1);
    }
    transaction.commit().unwrap();
}
