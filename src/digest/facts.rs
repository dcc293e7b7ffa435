//! Digests cover facts, never prose: a digested document contains no sentence of this crate.
//!
//! In a test build [`Digest::of`] stores each document under its digest. So every digest that a host can see leads to
//! its document, and the tests check each text in that document. A text is fine if it is a word without a space, or
//! if the host wrote it in its map, policy or schema. A sentence of this crate is neither. Rewording such a sentence
//! would change the digest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::Digest;
use crate::policy::{Period, Statute};

static DIGESTED: Mutex<BTreeMap<Digest, Value>> = Mutex::new(BTreeMap::new());

/// Stores a document under its digest.
pub(super) fn remember(digest: Digest, document: &Value) {
    DIGESTED.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, document.clone());
}

/// The document of a digest.
fn document(digest: Digest) -> Value {
    let digested = DIGESTED.lock().unwrap_or_else(PoisonError::into_inner);
    digested.get(&digest).cloned().unwrap_or_else(|| panic!("nothing was digested as {digest}"))
}

/// The output of "remove". It is a fact, because a different text is a different erasure and needs a new approval.
const WRITTEN: &str = "Anonymised {date}";

/// Whether a text is a period or the name of a statute of the table. These are facts of a duty, and not sentences.
fn is_of_a_law(text: &str) -> bool {
    let is_named =
        |statute: &Statute| text.strip_prefix(statute.title) == Some(&format!(" ({})", statute.code));
    text.parse::<Period>().is_ok() || Statute::all().iter().any(is_named)
}

/// Every text of a document that is not a single word and that the host did not write.
fn prose(document: &Value, host: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut todo = vec![document];
    while let Some(value) = todo.pop() {
        let mut look = |text: &str| {
            let is_number = text.strip_prefix("integer ").is_some_and(|rest| rest.parse::<i128>().is_ok());
            let is_the_hosts = text == WRITTEN || host.contains(text);
            if text.contains(char::is_whitespace) && !is_number && !is_the_hosts && !is_of_a_law(text) {
                found.insert(text.to_owned());
            }
        };
        match value {
            Value::String(text) => look(text),
            Value::Array(items) => todo.extend(items),
            Value::Object(table) => {
                table.keys().for_each(|key| look(key));
                todo.extend(table.values());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    found
}

/// The test must be able to find a sentence.
#[test]
fn a_sentence_among_facts_is_seen() {
    let host = "ignore.audit = \"hashes only\"";
    let facts = serde_json::json!({
        "what": { "table": "audit" }, "reason": "hashes only", "at": "2026-11-21T12:00:00Z", "n": "integer 9007199254740993",
    });
    assert_eq!(prose(&facts, host), BTreeSet::new());
    for sentence in ["backup copies, until they age out", "while a duty keeps it"] {
        let mut with_prose = facts.clone();
        with_prose["what"]["deep"] = serde_json::json!([["x", sentence]]);
        assert_eq!(prose(&with_prose, host), BTreeSet::from([sentence.to_owned()]));
        let as_key = serde_json::json!({ sentence: 1 });
        assert_eq!(prose(&as_key, host), BTreeSet::from([sentence.to_owned()]));
    }
}

/// Every file that computes a digest is in one of these lists.
#[test]
fn every_place_that_digests_is_looked_at() {
    // The digests that the tests below check. The other list has digests of no document: idempotency keys and ids.
    const LOOKED_AT: [&str; 15] = [
        "backup/plan.rs",
        "data_map/builder.rs",
        "data_map/mod.rs",
        "gateway/review.rs",
        "ledger/entry.rs",
        "plan/binding.rs",
        "plan/expiry.rs",
        "plan/mandate.rs",
        "plan/review/csv.rs",
        "plan/review/mod.rs",
        "plan/standing.rs",
        "policy/check/mod.rs",
        "policy/document/mod.rs",
        "treatment/mod.rs",
        "store/sql/shape.rs",
    ];
    const OTHERS: [&str; 8] = [
        // The map of several databases: names, digests of the single maps, and the facts of a map.
        "data_map/stores.rs",
        // The schemas of several databases: names and digests of the single schemas.
        "store/stores.rs",
        // A key of the cache of statements: what treatments write. It is never stored.
        "store/sql/run/mod.rs",
        // The digest of the map as the host wrote it. The digest of the data map includes it as the source.
        "store/sql/map.rs",
        // An idempotency key, by which a gateway recognises a repeated call: names and digests.
        "engine/steps/gateway.rs",
        // The id of a notice, by which a recipient recognises a repeated call: the id of the case and a name.
        "engine/steps/recipient.rs",
        "digest.rs",
        "plan/approval.rs",
    ];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs")
                && std::fs::read_to_string(&path).unwrap().contains("Digest::of(")
                && path.file_name().is_some_and(|name| name != "facts.rs")
            {
                let path = path.strip_prefix(&root).unwrap();
                let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
                found.insert(parts.join("/"));
            }
        }
    }
    let known: BTreeSet<String> = LOOKED_AT.iter().chain(&OTHERS).map(|&path| path.to_owned()).collect();
    assert_eq!(found, known, "look at what it digests in a test of this file");
}

#[test]
fn a_review_of_profiles_is_digested_without_a_sentence() {
    use crate::gateway::{Finding, MatchedBy, Review, ReviewRow, ReviewWriter};

    let row = ReviewRow {
        gateway: "stripe".into(),
        account: Some("acct_1".into()),
        profile: "cus_1".into(),
        findings: BTreeSet::from([Finding::OwnerArchived, Finding::SubscriptionsEnded]),
        customer: Some(("1".into(), "acme".into(), MatchedBy::Link)),
        named_owner: Some("1".into()),
        active_subscriptions: Some(0),
        ended_subscriptions: Some(1),
        email: Some("ann@berg.example".to_owned()),
    };
    let mut writer = ReviewWriter::new(Vec::new(), false).unwrap();
    writer.write(&[row]).unwrap();
    let csv = String::from_utf8(writer.finish().unwrap()).unwrap();
    let review = Review::from_csv(csv.replace("\n,", "\nerase,").as_bytes()).unwrap();
    let of_review = document(review.digest());
    assert_eq!(prose(&of_review, ""), BTreeSet::new());
    let rows = of_review[2].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    for row in rows {
        assert_eq!(prose(&document(row.as_str().unwrap().parse().unwrap()), ""), BTreeSet::new());
    }
}

#[cfg(feature = "sqlite")]
mod in_a_whole_run {
    use std::sync::Arc;

    use chrono::{DateTime, TimeDelta, Utc};
    use rusqlite::Connection;

    use super::*;
    use crate::backup::{DirectoryBackups, Schedule};
    use crate::engine::{Engine, PlannedExpiry};
    use crate::ledger::{Ledger as _, MemoryKeyRing, TokenKey};
    use crate::plan::review::{Column, Review};
    use crate::plan::{Approval, Asked, Authority, Limits, ReplayPlan, StandingApproval};
    use crate::policy::Trigger;
    use crate::store::TakeCensus as _;
    use crate::testing::{ManualClock, RepeatableEntropy};
    use crate::{MemoryLedger, Outcome, Plan, Planned, PolicyDocument, SqlMap, SqliteStore};

    const BACKUPS: Schedule = Schedule::new(Some(3), Some(30));

    const SCHEMA: &str = "
        PRAGMA foreign_keys = OFF;
        CREATE TABLE clients (
            id INTEGER PRIMARY KEY, org TEXT NOT NULL, name TEXT NOT NULL, mail TEXT NOT NULL, code TEXT CHECK (length(code) <= 12),
            postcode TEXT, folded TEXT GENERATED ALWAYS AS (lower(mail)), left_at TEXT, created_at TEXT NOT NULL
        );
        CREATE UNIQUE INDEX one_mail ON clients (org, mail) WHERE left_at IS NULL;
        CREATE UNIQUE INDEX one_code ON clients (lower(code));
        CREATE UNIQUE INDEX one_folded ON clients (folded);
        CREATE TABLE orders (
            id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients ON DELETE SET NULL, note TEXT, made_on TEXT
        );
        CREATE TABLE bills (
            id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, order_id INTEGER REFERENCES orders,
            day TEXT, buyer TEXT
        );
        CREATE TABLE calls (
            id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, kind TEXT, number TEXT, made_on TEXT
        );
        CREATE TABLE audit (id INTEGER PRIMARY KEY, said TEXT);
        CREATE TABLE beside (id INTEGER PRIMARY KEY, x TEXT);
        CREATE TRIGGER noted AFTER UPDATE ON orders BEGIN INSERT INTO audit (said) VALUES (old.note); END;
        INSERT INTO clients (id, org, name, mail, code, postcode, created_at)
            VALUES (1, 't1', 'Ann Berg', 'ann@berg.example', 'AB', 'SW1A 1AA', '2015-01-01'),
                   (2, 't2', 'Bo Ek', 'bo@ek.example', 'CD', NULL, '2015-01-01');
        INSERT INTO orders VALUES (1, 1, 'for Ann Berg', '2019-02-28'), (2, NULL, x'ff', '2019-02-28'), (3, 9, 'x', 'nonsense');
        INSERT INTO bills VALUES (1, 1, 1, '2024-02-28', 'Ann Berg'), (2, 1, NULL, '2010-02-28', 'Ann Berg');
        INSERT INTO calls VALUES (1, 1, 'call', '070', '2010-01-01'), (2, 1, 'test', '071', '2010-01-01');";

    const MAP: &str = r#"
version = 1
[customers]
table = "clients"
key = "id"
tenant = "org"
registered = "created_at"
status = { sql = "'archived'", active = "active", archived = "archived" }
deactivate = { none = "there is no such status" }
[customers.fields]
name = "name"
mail = "email"
code = "customer_number"
postcode = "postcode"
folded = "email"
left_at = "not personal"
[records.order]
table = "orders"
key = "id"
owner = "client_id"
nobody = { none = "guests of the shop", gone = "clients of the old shop" }
fields = { note = "free_text", made_on = "not personal" }
[records.bill]
table = "bills"
key = "id"
owner = "client_id"
ends.order_id = "goes"
fields = { day = "not personal", buyer = "name" }
[records.call]
table = "calls"
key = "id"
owner = "client_id"
when = { kind = "call" }
fields = { number = "phone", made_on = "not personal" }
[ignore]
audit = "a log of ours"
calls = { rest = "calls of our own tests" }
triggers.noted = "the log is deleted each night"
"#;

    const POLICY: &str = r#"
version = 1
name = "The shop"
sweep = true
[triggers]
requested = { treatment = "clear" }
[guards]
active_subscription = { ignore = "nothing is sold so" }
several_tenants = { ignore = "there is one tenant" }
not_archived = { ignore = "there is no such status" }
[anonymise]
name = "remove"
email = "token"
customer_number = "remove"
phone = "remove"
postcode = "remove"
free_text = { redact = "[removed]", otherwise = "remove" }
[treatments.clear]
customer = { action = "anonymise", keep = { postcode = "for the statistics" }, smallest_group = 3 }
order = "delete"
bill = "delete"
call = "delete"
[treatments.least]
customer = "anonymise"
order = { keep = "all of it is needed" }
bill = { keep = "the law says so" }
call = { keep = "calls are kept by the carrier" }
[duties.bookkeeping]
classes = ["bill"]
statute = "SE/BFL/7:2"
from = "day"
needs = []
[expire]
call = { from = "made_on", after = "1 year", action = "delete" }
[tenants.t2]
sweep = false
"#;

    /// The digests of a review with one plan.
    fn of_review(engine: &Engine, plan: &Plan) -> [(&'static str, Digest); 2] {
        let csv = engine.review_csv(Column::plain()).unwrap();
        let line = csv.line(&plan.clone().planned_by("op"), None);
        let review = Review::from_csv(format!("{}{line}", csv.header()).as_bytes()).unwrap();
        let row = line.trim().rsplit(',').next().unwrap().trim_start_matches('\'');
        [("review", review.digest()), ("row of a review", row.parse().unwrap())]
    }

    #[tokio::test]
    #[expect(clippy::too_many_lines, reason = "one digest after another")]
    async fn no_digest_covers_a_sentence_of_this_crate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.sqlite");
        Connection::open(&path).unwrap().execute_batch(SCHEMA).unwrap();
        let now: DateTime<Utc> = "2026-12-01T12:00:00Z".parse().unwrap();
        let store = Arc::new(SqliteStore::open(&path, &SqlMap::from_toml(MAP).unwrap()).unwrap());
        let policy = PolicyDocument::from_toml(POLICY).unwrap();
        let ledger = Arc::new(MemoryLedger::new());
        let engine = Engine::builder(
            Arc::clone(&store),
            policy,
            Arc::clone(&ledger),
            MemoryKeyRing::new(TokenKey::new([7; 32])),
        )
        .clock(Arc::new(ManualClock::at(now)))
        .entropy(RepeatableEntropy::new(1))
        .backups("gone", DirectoryBackups::new("/nowhere/at/all", "%Y-%m-%d", BACKUPS).unwrap())
        .build()
        .unwrap_or_else(|problems| panic!("{problems}"));
        engine.census().await.unwrap();
        let approval = |digest| Approval::new("op", ["t1".into()], digest, now, TimeDelta::hours(1));

        let Planned::Plan(plan) = engine.plan(&"1".into(), &Asked::request()).await.unwrap() else {
            panic!("not due")
        };
        let mut digests = BTreeMap::from([
            ("plan", plan.digest()),
            ("schema", store.schema().await.unwrap()),
            ("treatment kept", engine.policy().treatments()["least"].digest()),
            ("policy of a tenant", engine.policy().effective(&"t2".into()).digest()),
        ]);
        let said = plan.to_string();
        let PlannedExpiry::Plan(expiry) = engine.plan_expiry(["t1".into()]).await.unwrap() else {
            panic!("nothing expires")
        };
        digests.insert("expiry", expiry.digest());
        let of_expiry = engine.policy().everyone().expiry().unwrap().treatment().digest();
        digests.insert("treatment of expiry", of_expiry);
        let approved = plan.clone().approve(approval(plan.digest())).unwrap();
        let Outcome::Erased(certificate) = engine.erase(approved.clone()).await.unwrap() else {
            panic!("not erased")
        };
        let again = engine.erase(approved).await.unwrap();
        assert!(matches!(again, Outcome::Superseded { .. }), "{again}");
        let approved = expiry.clone().approve(approval(expiry.digest())).unwrap();
        let expired = engine.expire(&approved).await.unwrap();
        assert!(expired.expired().is_some(), "{expired}");
        let by = Authority::new("op", ["t1".into()]);
        let long = TimeDelta::days(300);
        let standing =
            StandingApproval::new(&by, engine.policy(), [Trigger::Inactive], Limits::new(10, 10), now, long);
        digests.insert("standing approval", standing.digest());
        digests.extend(of_review(&engine, &plan));
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("2020-01-01"), "").unwrap();
        let backups = DirectoryBackups::new(place.path(), "%Y-%m-%d", BACKUPS).unwrap();
        let listed = crate::BackupRetention::copies(&backups).await.unwrap();
        let copies =
            crate::backup::CopiesPlan::new("nightly".to_owned(), BACKUPS, listed, BTreeSet::new(), now);
        assert!(!copies.is_nothing());
        digests.insert("copies", copies.planned_by("op").digest());
        let replay = ReplayPlan::new(vec![(certificate.case().clone(), (*plan).clone())]);
        digests.insert("replay", replay.digest());
        digests.extend(certificate.digests().into_iter().filter(|(name, _)| *name != "plan"));

        let host = format!("{SCHEMA}\n{MAP}\n{POLICY}");
        let one_line = host.split_whitespace().collect::<Vec<_>>().join(" ");
        for (name, digest) in &digests {
            let found = prose(&document(*digest), &format!("{host}\n{one_line}"));
            assert_eq!(found, BTreeSet::new(), "in what is digested of the {name}");
        }
        let entries = ledger.entries(0, 100).await.unwrap();
        assert_eq!(entries.len(), 5, "two censuses, and three cases");
        for entry in entries {
            let text: Value = serde_json::from_str(&entry.body.to_text().unwrap()).unwrap();
            assert_eq!(prose(&text, &host), BTreeSet::new(), "in the text of {entry:?}");
        }
        let names: Vec<&str> = digests.keys().copied().collect();
        assert_eq!(
            names,
            [
                "circumstances",
                "copies",
                "data_map",
                "expiry",
                "plan",
                "policy",
                "policy of a tenant",
                "replay",
                "review",
                "row of a review",
                "schema",
                "standing approval",
                "treatment",
                "treatment kept",
                "treatment of expiry"
            ]
        );
        // The sentences exist for a person who reads a plan or a certificate.
        for sentence in [
            "backup copies, until they age out",
            "invoice (while a duty keeps it)",
            "ignored by the data map: a log of ours",
            "tables that the data map does not name: beside",
            "what trigger noted on table orders writes to audit",
            "1 record of order without an owner: guests of the shop (census of",
        ] {
            let sentence = sentence.replace("invoice", "bill");
            assert!(said.contains(&sentence), "{sentence} is missing in {said}");
            assert!(certificate.to_string().contains(&sentence), "{sentence} is missing in {certificate}");
        }
    }
}
