//! Checkpoints, exports and certificates that stand alone: whatever somebody changes is noticed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use relinquish::ledger::proof::{
    self, Checkpoint, FileSigner, KeepsTree as _, ProofError, ProvenCertificate, PublicKey, Signer as _,
    SignerError,
};
use relinquish::ledger::{Ledger as _, LedgerError};
use relinquish::plan::CaseId;
use relinquish::testing::ManualClock;
use relinquish::{Asked, Engine, Outcome, PolicyDocument, SqlMap, SqliteLedger, SqliteStore};
use rusqlite::Connection;

use crate::hosts::{self, BuildCounted as _, approved};

const MAP: &str = "version = 1
[customers]
table = 'clients'
key = 'id'
tenant = { is = 'here' }
registered = 'joined'
deactivate = { none = 'no status' }
fields = { name = 'name', email = 'email' }
";

const POLICY: &str = "version = 1
sweep = false
triggers.requested = { treatment = 'clear' }
guards.active_subscription = { ignore = 'none is sold' }
guards.several_tenants = { ignore = 'one' }
guards.not_archived = { ignore = 'no status' }
anonymise = { name = 'remove', email = 'token' }
treatments.clear.customer = 'anonymise'
";

/// A shop whose ledger is a file, with a signer.
struct Shop {
    folder: tempfile::TempDir,
    ledger: Arc<SqliteLedger>,
    signer: FileSigner,
}

impl Shop {
    /// A shop with as many customers, and nobody erased.
    fn new(customers: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Connection::open(folder.path().join("shop.sqlite"))
            .unwrap()
            .execute_batch(&format!(
                "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE, joined TEXT);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {customers})
                 INSERT INTO clients SELECT i, 'Anna ' || i, i || '@x.test', '2019-01-01' FROM n"
            ))
            .unwrap();
        let ledger = Arc::new(SqliteLedger::open(folder.path().join("ledger.sqlite")).unwrap());
        let signer = FileSigner::create(folder.path().join("signer"), "erasures.example.com").unwrap();
        Self { folder, ledger, signer }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn engine(&self) -> Engine {
        let store =
            Arc::new(SqliteStore::open(self.path("shop.sqlite"), &SqlMap::from_toml(MAP).unwrap()).unwrap());
        let policy = PolicyDocument::from_toml(POLICY).unwrap();
        Engine::builder(Arc::clone(&store), policy, Arc::clone(&self.ledger), hosts::keys())
            .scrub(store)
            .clock(ManualClock::at(hosts::now()))
            .counted()
            .unwrap()
    }

    /// Erases customers one by one.
    async fn erase(&self, customers: std::ops::RangeInclusive<u32>) -> Vec<CaseId> {
        let (engine, mut cases) = (self.engine(), Vec::new());
        for id in customers {
            let plan = approved(&engine, &id.to_string().as_str().into(), &Asked::request()).await;
            match engine.erase(plan).await.unwrap() {
                Outcome::Erased(certificate) => cases.push(certificate.case().clone()),
                other => panic!("{other}"),
            }
        }
        cases
    }

    async fn checkpoint(&self, earlier: Option<&Checkpoint>) -> Result<Checkpoint, ProofError> {
        Checkpoint::take(&*self.ledger, &self.signer, earlier).await
    }

    async fn export(&self) -> Vec<u8> {
        let mut exported = Vec::new();
        proof::export(&*self.ledger, &mut exported).await.unwrap();
        exported
    }

    /// Changes the file past the ledger, as somebody may who owns it.
    fn tamper(&self, sql: &str) {
        let connection = Connection::open(self.path("ledger.sqlite")).unwrap();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection
            .execute_batch(&format!(
                "DROP TRIGGER IF EXISTS entry_stays; DROP TRIGGER IF EXISTS entry_unchanged;
                 DROP TRIGGER IF EXISTS circumstances_unchanged; {sql}"
            ))
            .unwrap();
    }
}

fn other_key() -> PublicKey {
    let folder = tempfile::tempdir().unwrap();
    FileSigner::create(folder.path().join("other"), "erasures.example.com").unwrap().public_key().clone()
}

/// A text with one bit turned.
fn flipped(text: &[u8], byte: usize, bit: u32) -> Vec<u8> {
    let mut changed = text.to_vec();
    changed[byte] ^= 1 << bit;
    changed
}

/// How many bits are turned: more in a campaign.
fn flips() -> usize {
    std::env::var("RELINQUISH_FLIPS").map_or(1_500, |flips| flips.parse().unwrap())
}

#[tokio::test]
async fn every_bit_of_an_export_counts() {
    let shop = Shop::new(6);
    shop.erase(1..=5).await;
    shop.engine().scrub().await.unwrap();
    let checkpoint = shop.checkpoint(None).await.unwrap();
    let export = shop.export().await;
    let verified = proof::verify_export(export.as_slice(), &checkpoint).unwrap();
    assert_eq!((verified.entries, verified.unprotected), (checkpoint.size(), 0));
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..flips() {
        let (byte, bit) = (random.usize(..export.len()), random.u32(..8));
        let changed = flipped(&export, byte, bit);
        let noticed = proof::verify_export(changed.as_slice(), &checkpoint);
        assert!(noticed.is_err(), "bit {bit} of byte {byte} of {}", export.len());
    }
    // Lines left out, doubled and exchanged.
    let lines: Vec<&[u8]> = export.split_inclusive(|byte| *byte == b'\n').collect();
    for n in 0..lines.len() {
        let without: Vec<u8> = [&lines[..n], &lines[n + 1..]].concat().concat();
        assert!(proof::verify_export(without.as_slice(), &checkpoint).is_err(), "without line {n}");
        let doubled: Vec<u8> = [&lines[..n], &lines[n..=n], &lines[n..]].concat().concat();
        assert!(proof::verify_export(doubled.as_slice(), &checkpoint).is_err(), "line {n} twice");
        let mut exchanged = lines.clone();
        exchanged.swap(n, (n + 1) % lines.len());
        assert!(
            proof::verify_export(exchanged.concat().as_slice(), &checkpoint).is_err(),
            "line {n} elsewhere"
        );
        let cut = lines[..n].concat();
        assert!(proof::verify_export(cut.as_slice(), &checkpoint).is_err(), "cut off before line {n}");
    }
    // What came after the checkpoint is said to be unprotected.
    shop.erase(6..=6).await;
    let verified = proof::verify_export(shop.export().await.as_slice(), &checkpoint).unwrap();
    assert_eq!((verified.entries, verified.unprotected), (checkpoint.size() + 1, 1));
}

/// An edited count got another leaf and passed, and a removed last entry went unnoticed.
#[tokio::test]
async fn whoever_owns_the_file_cannot_change_it_unnoticed() {
    type Noticed = fn(&ProofError) -> bool;
    let is_other: Noticed = |error| matches!(error, ProofError::OtherEntries { .. });
    let is_cut: Noticed = |error| matches!(error, ProofError::CutOff { .. });
    let is_damaged: Noticed = |error| matches!(error, ProofError::Ledger(LedgerError::Corrupt { .. }));
    for (change, export, next) in [
        (
            "UPDATE entry SET body = replace(body, '\"customer\":1', '\"customer\":0') WHERE seq = 3",
            is_other,
            None,
        ),
        // With the hashes made anew from what is there now.
        (
            "UPDATE entry SET body = replace(body, '\"customer\":1', '\"customer\":0') WHERE seq = 3; DELETE FROM tree",
            is_other,
            Some(is_other),
        ),
        ("DELETE FROM tree WHERE seq = 5; DELETE FROM entry WHERE seq = 5", is_cut, Some(is_cut)),
        ("DELETE FROM entry WHERE seq = 5", is_cut, Some(is_cut)),
        ("DELETE FROM entry WHERE seq = 3", is_damaged, None),
        (
            "UPDATE entry SET seq = 99 WHERE seq = 3; UPDATE entry SET seq = 3 WHERE seq = 4;
             UPDATE entry SET seq = 4 WHERE seq = 99",
            is_other,
            None,
        ),
    ] {
        let shop = Shop::new(4);
        let cases = shop.erase(1..=4).await;
        let held = shop.checkpoint(None).await.unwrap();
        assert_eq!(held.size(), 5, "a census and four cases");
        let proven = ProvenCertificate::read(&*shop.ledger, &cases[1], &held).await.unwrap().unwrap();
        ProvenCertificate::verify(&proven.to_text().unwrap(), shop.signer.public_key()).unwrap();
        let before = shop.export().await;
        shop.tamper(change);
        let mut exported = Vec::new();
        let error = match proof::export(&*shop.ledger, &mut exported).await {
            Ok(()) if exported == before => panic!("{change} changed nothing"),
            Ok(()) => proof::verify_export(exported.as_slice(), &held).unwrap_err(),
            Err(error) => error,
        };
        assert!(export(&error), "{change}: {error}");
        match (shop.checkpoint(Some(&held)).await, next) {
            (Ok(_), None) => {}
            (Err(error), Some(next)) => assert!(next(&error), "{change}: {error}"),
            (taken, _) => panic!("{change}: {taken:?}"),
        }
        if change.contains("UPDATE entry SET") {
            let error = ProvenCertificate::read(&*shop.ledger, &cases[1], &held).await.unwrap_err();
            assert!(is_other(&error), "{change}: {error}");
        }
    }
}

#[tokio::test]
async fn checkpoints_follow_each_other_and_say_what_they_cover() {
    let shop = Shop::new(9);
    let nothing = shop.checkpoint(None).await.unwrap();
    let mut earlier = vec![nothing];
    for id in 1..=9 {
        shop.erase(id..=id).await;
        for before in &earlier {
            shop.checkpoint(Some(before)).await.unwrap();
        }
        let now = shop.checkpoint(earlier.last()).await.unwrap();
        assert_eq!(now.size(), shop.ledger.last().await.unwrap());
        assert_eq!(shop.ledger.hashed().await.unwrap(), now.size());
        let text = now.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["erasures.example.com", now.size().to_string().as_str()]);
        assert!(lines[4].starts_with("\u{2014} erasures.example.com "), "{text}");
        assert_eq!(Checkpoint::read(&text, shop.signer.public_key()).unwrap(), now);
        earlier.push(now);
    }
    let last = earlier.pop().unwrap();
    let text = last.to_string();
    // Somebody else's signature beside it is left aside; without the own one nothing is signed.
    let witnessed = format!("{text}\u{2014} witness.example.org AAAAAAAA\n");
    assert_eq!(Checkpoint::read(&witnessed, shop.signer.public_key()).unwrap().size(), last.size());
    let error = Checkpoint::read(&text, &other_key()).unwrap_err();
    assert!(matches!(error, ProofError::NotSigned { .. }), "{error}");
    for byte in 0..text.len() {
        for bit in 0..8 {
            let Ok(changed) = String::from_utf8(flipped(text.as_bytes(), byte, bit)) else { continue };
            assert!(
                Checkpoint::read(&changed, shop.signer.public_key()).is_err(),
                "bit {bit} of byte {byte}"
            );
        }
    }
}

#[tokio::test]
async fn a_certificate_stands_alone_and_every_bit_of_it_counts() {
    let shop = Shop::new(12);
    let cases = shop.erase(1..=10).await;
    shop.engine().scrub().await.unwrap();
    let checkpoint = shop.checkpoint(None).await.unwrap();
    let key = shop.signer.public_key();
    for case in &cases {
        let proven = ProvenCertificate::read(&*shop.ledger, case, &checkpoint).await.unwrap().unwrap();
        let verified = ProvenCertificate::verify(&proven.to_text().unwrap(), key).unwrap();
        let read = shop.engine().certificate(case).await.unwrap().unwrap();
        assert_eq!(verified.certificate, read);
        assert_eq!(verified.checkpoint, checkpoint);
    }
    let proven = ProvenCertificate::read(&*shop.ledger, &cases[6], &checkpoint).await.unwrap().unwrap();
    let text = proven.to_text().unwrap();
    let error = ProvenCertificate::verify(&text, &other_key()).unwrap_err();
    assert!(matches!(error, ProofError::NotSigned { .. }), "{error}");
    let mut random = fastrand::Rng::with_seed(8);
    for _ in 0..flips() {
        let (byte, bit) = (random.usize(..text.len()), random.u32(..8));
        let Ok(changed) = String::from_utf8(flipped(text.as_bytes(), byte, bit)) else { continue };
        assert!(
            ProvenCertificate::verify(&changed, key).is_err(),
            "bit {bit} of byte {byte} of {}",
            text.len()
        );
    }
    // The parts of two certificates do not fit together.
    let other = ProvenCertificate::read(&*shop.ledger, &cases[2], &checkpoint).await.unwrap().unwrap();
    let of = |proven: &ProvenCertificate| -> serde_json::Value {
        serde_json::from_str(&proven.to_text().unwrap()).unwrap()
    };
    for part in ["entry", "certificate"] {
        let mut mixed = of(&proven);
        mixed[part] = of(&other)[part].clone();
        let error = ProvenCertificate::verify(&mixed.to_string(), key).unwrap_err();
        let is_other = matches!(error, ProofError::OtherCertificate { what: "the facts for reading" });
        assert_eq!(is_other, part == "certificate", "{part}: {error}");
    }
    // A case that was closed afterwards.
    let later = shop.erase(11..=11).await;
    let error = ProvenCertificate::read(&*shop.ledger, &later[0], &checkpoint).await.unwrap_err();
    assert!(matches!(error, ProofError::NotCovered { .. }), "{error}");
    assert!(error.to_string().contains("take another checkpoint"), "{error}");
    let next = shop.checkpoint(Some(&checkpoint)).await.unwrap();
    assert!(ProvenCertificate::read(&*shop.ledger, &later[0], &next).await.unwrap().is_some());
    assert!(ProvenCertificate::read(&*shop.ledger, &"no such case".into(), &next).await.unwrap().is_none());
}

/// A verifier in another language, which shares no code with the library, reads a certificate by its documented format.
#[tokio::test]
async fn another_verifier_agrees() {
    let shop = Shop::new(7);
    let cases = shop.erase(1..=7).await;
    shop.engine().scrub().await.unwrap();
    let checkpoint = shop.checkpoint(None).await.unwrap();
    let key = shop.signer.public_key();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/ledger/verify.py");
    let python = |text: &str, key: &PublicKey| {
        let path = shop.path("certificate.json");
        std::fs::write(&path, text).unwrap();
        let ran = Command::new("python3").arg(script).arg(&path).arg(key.to_string()).output().unwrap();
        let said = if ran.status.success() { ran.stdout } else { ran.stderr };
        (ran.status.success(), String::from_utf8(said).unwrap())
    };
    let proven = ProvenCertificate::read(&*shop.ledger, &cases[4], &checkpoint).await.unwrap().unwrap();
    let text = proven.to_text().unwrap();
    let (passed, said) = python(&text, key);
    assert!(passed, "{said}");
    assert!(text.len() < 20_000, "{} bytes", text.len());
    assert_eq!(said.trim(), format!("proved: case {}, among {} entries", cases[4], checkpoint.size()));
    assert!(!python(&text, &other_key()).0);
    let mut changed: serde_json::Value = serde_json::from_str(&text).unwrap();
    let entry = changed["entry"]["text"].as_str().unwrap().replace("\"customer\":1", "\"customer\":0");
    changed["entry"]["text"] = entry.into();
    let (passed, said) = python(&changed.to_string(), key);
    assert!(!passed && said.contains("the entry is not in the tree"), "{said}");
}

#[test]
fn a_signer_is_a_file_that_only_its_owner_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signer");
    let made = FileSigner::create(&path, "erasures.example.com").unwrap();
    let error = FileSigner::create(&path, "erasures.example.com").unwrap_err();
    assert!(matches!(error, SignerError::Exists { .. }), "{error}");
    let opened = FileSigner::open(&path).unwrap();
    assert_eq!(opened.public_key(), made.public_key());
    let secret = std::fs::read_to_string(&path).unwrap();
    let digits = secret.trim().split(' ').nth(1).unwrap();
    assert!(!format!("{opened:?}").contains(&digits[..16]), "the Debug shows the key");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = FileSigner::open(&path).unwrap_err();
    assert!(
        matches!(error, SignerError::Permissions { .. }) && error.to_string().contains("chmod 600"),
        "{error}"
    );
    for text in ["", "name", "name 00", "two words 00\n"] {
        let path = folder.path().join("wrong");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let error = FileSigner::open(&path).unwrap_err();
        assert!(matches!(error, SignerError::Malformed { .. }), "{text:?}: {error}");
    }
}
