//! Stable formats: every later release reads the data of earlier releases.
//!
//! `tests/it/ledger/formats/<release>` contains what that release wrote: ledgers with their case books as SQL, a
//! review, approvals and a certificate. These files never change after the release. This release has to write exactly
//! its own files. Before the release, run the test with `RELINQUISH_BLESS=1` to write them again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::TimeDelta;
use relinquish::customer::Status;
use relinquish::gateway::{MemoryGateway, Review};
use relinquish::ledger::{CaseBook as _, Closing, Entry, Ledger as _, NewCase, SubjectToken, Task};
use relinquish::plan::{Authority, Limits, StandingApproval};
use relinquish::policy::Trigger;
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::{Approval, Certificate, Engine, Outcome, PolicyDocument, SqlMap, SqliteLedger, SqliteStore};
use rusqlite::Connection;

use crate::gateway::profile_cases::{csv_of, listing};
use crate::hosts::{self, BuildCounted as _, approved, request};

/// The release that is being developed.
const TODAY: &str = "0.1";

fn kept(release: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/ledger/formats").join(release)
}

fn ledger(path: &Path) -> SqliteLedger {
    // The clock of the leases stands still.
    SqliteLedger::open(path).unwrap().lease_clock(hosts::now)
}

/// A file as SQL: tables, triggers, rows, and the values of its header.
fn dump(path: &Path) -> String {
    let file = Connection::open(path).unwrap();
    let list = |sql: &str| -> Vec<String> {
        let mut statement = file.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let mut lines = vec!["PRAGMA foreign_keys = OFF;".to_owned(), "BEGIN;".to_owned()];
    let made = "FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'";
    lines.extend(list(&format!("SELECT sql || ';' {made} AND type = 'table' ORDER BY name")));
    let mut tables = list(&format!("SELECT name {made} AND type = 'table' ORDER BY name"));
    tables.push("sqlite_sequence".to_owned());
    for table in tables {
        let columns = list(&format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"));
        let quoted: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
        let rows =
            list(&format!("SELECT {} FROM {table} ORDER BY {}", quoted.join(" || ', ' || "), columns[0]));
        lines.extend(rows.into_iter().map(|row| format!("INSERT INTO {table} VALUES ({row});")));
    }
    lines.extend(list(&format!("SELECT sql || ';' {made} AND type IN ('index', 'trigger') ORDER BY name")));
    for pragma in ["application_id", "user_version"] {
        let value: i64 = file.pragma_query_value(None, pragma, |row| row.get(0)).unwrap();
        lines.push(format!("PRAGMA {pragma} = {value};"));
    }
    lines.push("COMMIT;\n".to_owned());
    lines.join("\n")
}

/// The files that this release writes, by name.
async fn written_today() -> BTreeMap<&'static str, String> {
    let mut written = BTreeMap::new();
    let host = hosts::sqlite();
    let path = host.folder.path().join("ledger.sqlite");
    let now = hosts::now();
    let engine = host.builder(ledger(&path), hosts::keys()).worker("one").counted().unwrap();
    let plan = approved(&engine, &host.due, &request("clear")).await;
    let relinquish::plan::Mandate::Approval(approval) = plan.mandate() else { panic!("{plan:?}") };
    written.insert("approval.json", serde_json::to_string_pretty(approval).unwrap() + "\n");
    let by = Authority::new("operator-7", ["1".into()]);
    let long = TimeDelta::days(300);
    let standing =
        StandingApproval::new(&by, engine.policy(), [Trigger::Cancelled], Limits::new(10, 20), now, long);
    written.insert("standing_approval.json", serde_json::to_string_pretty(&standing).unwrap() + "\n");
    let outcome = engine.erase(plan.clone()).await.unwrap();
    let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}"));
    written.insert("certificate.json", serde_json::to_string_pretty(certificate).unwrap() + "\n");
    let again = engine.erase(plan).await.unwrap();
    assert!(matches!(again, Outcome::Superseded { .. }), "{again}");
    // A case that stays open, because its profile names another customer.
    host.gateway.as_ref().unwrap().insert("cus_000013", Some("4711".into()), 0);
    let blocked = engine.erase(approved(&engine, &"13".into(), &request("clear")).await).await.unwrap();
    assert!(matches!(blocked, Outcome::Blocked { .. }), "{blocked}");
    drop(engine);
    written.insert("ledger_erasures.sql", dump(&path));

    let shop = crate::gateways::Shop::new(&[("1", &[])]);
    shop.put("2", Status::Archived, &[("stripe", "cus_2")]);
    let gateway = Arc::new(MemoryGateway::new("stripe"));
    gateway.insert("cus_a", None, 0);
    gateway.insert("cus_2", Some("2".into()), 0);
    let path = host.folder.path().join("profiles.sqlite");
    let engine = shop
        .builder_with(Arc::new(ledger(&path)))
        .gateway(Arc::clone(&gateway))
        .gateway(MemoryGateway::new("authorize_net"))
        .entropy(RepeatableEntropy::new(3))
        .worker("one")
        .build()
        .unwrap();
    let csv = csv_of(&engine, &listing(&[("cus_a", None), ("cus_2", Some("2"))])).await;
    let confirmed = csv.replace("\n,stripe", "\nerase,stripe");
    let review = Review::from_csv(confirmed.as_bytes()).unwrap();
    written.insert("review.csv", confirmed);
    let approval = Approval::new("operator-7", ["shop".into()], review.digest(), now, TimeDelta::hours(1));
    engine.erase_profiles(&review.approve(approval).unwrap()).await.unwrap();
    drop(engine);
    written.insert("ledger_profiles.sql", dump(&path));

    let path = host.folder.path().join("expiry.sqlite");
    let store = SqliteStore::open(host.path(), &SqlMap::from_toml(hosts::CRM_MAP).unwrap()).unwrap();
    let engine = Engine::builder(
        store,
        PolicyDocument::from_toml(&host.policy).unwrap(),
        ledger(&path),
        hosts::keys(),
    )
    .gateway(Arc::clone(host.gateway.as_ref().unwrap()))
    .clock(ManualClock::at(now))
    .entropy(RepeatableEntropy::new(5))
    .worker("one")
    .counted()
    .unwrap_or_else(|problems| panic!("{problems}"));
    let planned = engine.plan_expiry(["1".into()]).await.unwrap();
    let relinquish::engine::PlannedExpiry::Plan(plan) = planned else { panic!("{planned:?}") };
    let approval = Approval::new("operator-7", ["1".into()], plan.digest(), now, TimeDelta::hours(1));
    let outcome = engine.expire(&plan.approve(approval).unwrap()).await.unwrap();
    assert!(outcome.expired().is_some(), "{outcome}");
    drop(engine);
    written.insert("ledger_expiry.sql", dump(&path));
    written
}

/// A change of a format needs a new format number, and the old files have to be kept.
#[tokio::test]
async fn what_is_written_today_is_what_is_kept_of_this_release() {
    let folder = kept(TODAY);
    let bless = std::env::var_os("RELINQUISH_BLESS").is_some();
    for (name, text) in written_today().await {
        let file = folder.join(name);
        if bless {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &text).unwrap();
        }
        let kept =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let differs = kept.lines().zip(text.lines()).find(|(kept, written)| kept != written);
        assert_eq!(differs, None, "{name} is written in another way");
        assert_eq!(kept.lines().count(), text.lines().count(), "{name} is written in another way");
    }
}

/// A ledger from the files of a release.
fn restored(folder: &Path, sql: &Path) -> SqliteLedger {
    let path = folder.join(sql.file_stem().unwrap()).with_extension("sqlite");
    Connection::open(&path).unwrap().execute_batch(&std::fs::read_to_string(sql).unwrap()).unwrap();
    SqliteLedger::open_existing(&path).unwrap()
}

#[tokio::test]
async fn what_each_release_wrote_is_read() {
    let mut releases = 0;
    for release in std::fs::read_dir(kept("")).unwrap() {
        let release = release.unwrap().path();
        let read = |name: &str| std::fs::read_to_string(release.join(name)).unwrap();
        let folder = tempfile::tempdir().unwrap();

        let erasures = restored(folder.path(), &release.join("ledger_erasures.sql"));
        let entries = erasures.entries(0, 100).await.unwrap();
        let closed: Vec<_> = entries.iter().filter_map(|entry| entry.closed()).collect();
        assert!(
            matches!(closed[0].closing, Closing::Erased(_))
                && matches!(closed[1].closing, Closing::Superseded { .. })
        );
        assert!(closed.iter().all(|case| case.subject().as_ref().map(SubjectToken::epoch) == Some(1)));
        assert!(closed.iter().all(|case| case.under().operator.get().is_some()));
        let certificate = Certificate::read(&erasures, &closed[0].case).await.unwrap().unwrap();
        let told: serde_json::Value = serde_json::from_str(&read("certificate.json")).unwrap();
        let now = serde_json::to_value(&certificate).unwrap();
        for field in ["leaf", "digests", "records", "gateways", "approved_by", "subject", "closed_at"] {
            assert_eq!(now[field], told[field], "{field}");
        }
        let open = erasures.list(None, 10).await.unwrap().remove(0).saved;
        assert!(open.progress().unwrap().blocked().is_some());
        assert_eq!(open.new.is_mandated(), Ok(()));
        let again: NewCase = serde_json::from_str(&serde_json::to_string(&open.new).unwrap()).unwrap();
        assert_eq!(again.task.digest(), open.new.task.digest());
        assert!(matches!(again.task, Task::Erasure(_)));

        let profiles = restored(folder.path(), &release.join("ledger_profiles.sql"));
        let entries = profiles.entries(0, 100).await.unwrap();
        assert_eq!(entries.iter().flat_map(Entry::profiles).count(), 2);
        let expiry = restored(folder.path(), &release.join("ledger_expiry.sql"));
        let entries = expiry.entries(0, 100).await.unwrap();
        let expired = entries.iter().filter_map(|entry| entry.closed());
        assert!(expired.into_iter().any(|case| matches!(case.closing, Closing::Expired(_))));

        assert_eq!(Review::from_csv(read("review.csv").as_bytes()).unwrap().rows().len(), 2);
        let approval: Approval = serde_json::from_str(&read("approval.json")).unwrap();
        assert_eq!(approval.operator().as_str(), "operator-7");
        serde_json::from_str::<StandingApproval>(&read("standing_approval.json")).unwrap();
        releases += 1;
    }
    assert!(releases > 0);
}

/// Data of a later release are refused, with what to do, and not partly understood.
#[tokio::test]
async fn what_a_later_release_wrote_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let release = kept(TODAY);
    let read = |name: &str| std::fs::read_to_string(release.join(name)).unwrap();
    for name in ["approval.json", "standing_approval.json"] {
        let later = read(name).replace("\"format\": 1", "\"format\": 2");
        let error = serde_json::from_str::<Approval>(&later).unwrap_err().to_string();
        assert!(error.contains("it has format 2, and this release reads 1; use a later release"), "{error}");
    }
    let row = read("review.csv").replace(",1,", ",2,");
    let error = Review::from_csv(row.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("column format: is not 1"), "{error}");
    let path = folder.path().join("later.sqlite");
    let later = read("ledger_erasures.sql").replace("PRAGMA user_version = ", "PRAGMA user_version = 90");
    Connection::open(&path).unwrap().execute_batch(&later).unwrap();
    let error = SqliteLedger::open_existing(&path).unwrap_err().to_string();
    assert!(error.contains("the ledger has format 90"), "{error}");
    assert!(error.contains("and this release reads"), "{error}");
    let path = folder.path().join("entry.sqlite");
    let later = read("ledger_erasures.sql").replace("'{\"format\":1,", "'{\"format\":7,");
    Connection::open(&path).unwrap().execute_batch(&later).unwrap();
    let error = SqliteLedger::open_existing(&path).unwrap().entries(0, 10).await.unwrap_err().to_string();
    assert!(error.contains("format 7"), "{error}");
}

/// When a name is destroyed, the entry keeps the rest, and its leaf is the same.
#[tokio::test]
async fn a_name_can_be_destroyed_and_the_leaf_stays() {
    let folder = tempfile::tempdir().unwrap();
    let sql = kept(TODAY).join("ledger_erasures.sql");
    let before = restored(folder.path(), &sql);
    let whole = before.entries(0, 100).await.unwrap();
    drop(before);
    let path = folder.path().join("ledger_erasures.sqlite");
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "DROP TRIGGER entry_unchanged; DROP TRIGGER circumstances_unchanged;
             UPDATE entry SET beside = NULL; UPDATE circumstances SET beside = NULL",
        )
        .unwrap();
    let without = SqliteLedger::open_existing(&path).unwrap();
    let entries = without.entries(0, 100).await.unwrap();
    for (with, without) in whole.iter().zip(&entries) {
        assert_eq!(with.body.leaf().unwrap(), without.body.leaf().unwrap());
    }
    let closed = entries.iter().find_map(|entry| entry.closed()).unwrap();
    assert_eq!((closed.subject(), closed.under().operator.get()), (None, None));
    let certificate = Certificate::read(&without, &closed.case).await.unwrap().unwrap();
    let text = certificate.to_string();
    assert!(text.contains("subject    destroyed") && text.contains("by destroyed at"), "{text}");
    assert!(!format!("{entries:?}").contains("operator-7"), "nobody is named");
}
