//! Importers that ask whether an identifier was erased: what is known of whom, from when, until when, and by which key.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{NaiveDate, TimeDelta};
use relinquish::customer::Identifier;
use relinquish::data_map::Kind;
use relinquish::engine::{EngineBuilder, RestoredFrom};
use relinquish::ledger::{
    CaseBook as _, KeyRing, KeyRingError, Ledger as _, LedgerError, MemoryKeyRing, SuppressionKey,
    SuppressionList, SuppressionToken, TokenKey,
};
use relinquish::plan::letter;
use relinquish::testing::{Faulty, Interfere, ManualClock};
use relinquish::{
    Approval, ApprovedPlan, Asked, Engine, Error, Outcome, PolicyDocument, SqlMap, SqliteLedger, SqliteStore,
};
use rusqlite::Connection;

use crate::hosts::{self, Host, ResumeAll as _, approved, request};
use crate::wired::{NEVER, Tripwire, until_death};

const RULE: &str =
    "suppress = { kinds = ['email', 'phone'], treatments = ['clear', 'remove'], for = '3 years' }";
/// The tenant of the quickstart's CRM.
const FJORD: &str = "1";

fn own_keys() -> MemoryKeyRing {
    MemoryKeyRing::new(TokenKey::new([9; 32]))
}

fn host() -> Host {
    let mut host = hosts::sqlite();
    host.policy = host.policy.replacen("sweep = true", &format!("sweep = true\n{RULE}"), 1);
    host
}

fn ledger(host: &Host) -> SqliteLedger {
    SqliteLedger::open(host.folder.path().join("ledger.sqlite")).unwrap()
}

/// An engine over the host's files, opened anew, whose calls pass a wire.
fn builder(host: &Host, wire: impl Interfere + Clone) -> EngineBuilder {
    let map = SqlMap::from_toml(hosts::CRM_MAP).unwrap();
    let store = Faulty::new(SqliteStore::open(host.path(), &map).unwrap(), wire.clone());
    let policy = PolicyDocument::from_toml(&host.policy).unwrap();
    let path = host.folder.path().join("ledger.sqlite");
    let keys = hosts::keys_beside(&path);
    Engine::builder(store, policy, Faulty::new(ledger(host), wire.clone()), keys)
        .gateway(Faulty::new(host.gateway.clone().unwrap(), wire))
        .clock(ManualClock::at(hosts::now()))
        .worker("one")
}

fn over(host: &Host, wire: &Arc<Tripwire>) -> Engine {
    let list = Faulty::new(ledger(host), Arc::clone(wire));
    builder(host, Arc::clone(wire)).suppression(list, own_keys()).build().unwrap()
}

async fn engine(host: &Host) -> Engine {
    let engine = over(host, &Tripwire::at(NEVER));
    engine.ensure_census().await.unwrap();
    engine
}

async fn planned(host: &Host, treatment: &str) -> ApprovedPlan {
    approved(&engine(host).await, &host.due, &request(treatment)).await
}

fn text(host: &Host, sql: &str) -> String {
    Connection::open(host.path()).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// The mail address and the telephone number of a client.
fn of(host: &Host, client: &str) -> [Identifier; 2] {
    let read = |column: &str| text(host, &format!("SELECT {column} FROM clients WHERE id = {client}"));
    [Identifier::new(FJORD, Kind::Email, read("email")), Identifier::new(FJORD, Kind::Phone, read("phone"))]
}

/// The tokens in the list.
fn tokens(host: &Host) -> Vec<(String, String)> {
    let connection = Connection::open(host.folder.path().join("ledger.sqlite")).unwrap();
    let mut read = connection.prepare("SELECT * FROM suppressed ORDER BY token").unwrap();
    assert!(read.column_names().eq(["token", "until"]), "nothing else is beside a token");
    let rows = read.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[tokio::test]
async fn who_was_erased_is_known_however_spelled_and_nobody_else_is() {
    let host = host();
    let before = engine(&host).await;
    let [mail, phone] = of(&host, host.due.as_str());
    let others: Vec<Identifier> = (1..=30)
        .filter(|id| id.to_string() != host.due.as_str())
        .flat_map(|id| of(&host, &id.to_string()))
        .collect();
    assert!(!before.was_erased(&mail).await.unwrap(), "not yet");
    let plan = hosts::plan(&before, &host.due, &request("clear")).await;
    let says = "keyed tokens of email and phone, as far as there are any, until 2029-12-31";
    assert!(plan.to_string().contains(says), "{plan}");
    let approval = hosts::approval(&plan);
    let Outcome::Erased(certificate) = before.erase(plan.approve(approval).unwrap()).await.unwrap() else {
        panic!("erased")
    };
    assert!(certificate.to_string().contains(says), "{certificate}");
    assert_eq!(serde_json::to_value(&certificate).unwrap()["suppressing"]["until"], "2029-12-31");
    let until: NaiveDate = "2029-12-31".parse().unwrap();
    assert_eq!(certificate.letter_facts().suppressing.unwrap().until, until);

    let engine = engine(&host).await;
    let (local, domain) = mail.value.split_once('@').unwrap();
    let national = phone.value.replacen("+46 ", "0", 1);
    let spelled = [
        mail.clone(),
        Identifier::new(FJORD, Kind::Email, mail.value.to_uppercase()),
        Identifier::new(FJORD, Kind::Email, format!("Somebody <{local}+news@{domain}>")),
        phone.clone(),
        Identifier::new(FJORD, Kind::Phone, national.replace(' ', "-")),
        Identifier::new(FJORD, Kind::Phone, phone.value.replacen("+46 ", "0046", 1)),
    ];
    assert_eq!(engine.were_erased(&spelled).await.unwrap(), [true; 6]);
    let mixed = [&others[..], std::slice::from_ref(&mail)].concat();
    let answers = engine.were_erased(&mixed).await.unwrap();
    assert_eq!(answers.iter().position(|known| *known), Some(others.len()), "in order, and nobody else");
    // Another controller learns nothing.
    let elsewhere = Identifier { tenant: "2".into(), ..mail.clone() };
    assert!(!engine.was_erased(&elsewhere).await.unwrap());
    // Neither a no nor a yes where the list cannot know.
    let unnamed = Identifier::new(FJORD, Kind::Username, mail.value.clone());
    assert!(matches!(engine.was_erased(&unnamed).await, Err(Error::NotSuppressed { .. })));
    let nothing = Identifier::new(FJORD, Kind::Email, "none");
    let error = engine.was_erased(&nothing).await.unwrap_err();
    assert!(matches!(error, Error::NotComparable { .. }), "{error}");

    // Nothing that leads to the person is in the file.
    assert!(tokens(&host).iter().all(|(_, until)| until == "2029-12-31"));
    for file in ["ledger.sqlite", "ledger.sqlite-wal"] {
        let bytes = std::fs::read(host.folder.path().join(file)).unwrap_or_default();
        for value in [&mail.value, &phone.value] {
            assert!(!bytes.windows(value.len()).any(|part| part == value.as_bytes()), "{file}");
        }
    }
    for shown in [format!("{mail:?}"), format!("{engine:?}"), format!("{error:?} {error}")] {
        assert!(!shown.contains(&mail.value), "{shown}");
    }
}

/// What must hold after a death and a resume: whoever is erased is known, and whoever is not erased is not.
async fn told(host: &Host, mail: &Identifier) -> Result<(), String> {
    let email = text(host, &format!("SELECT count(*) || '' FROM clients WHERE email = '{}'", mail.value));
    let (is_erased, is_known) = (email == "0", engine(host).await.was_erased(mail).await.unwrap());
    if is_erased == is_known { Ok(()) } else { Err(format!("erased: {is_erased}, known: {is_known}")) }
}

#[tokio::test]
async fn whoever_is_erased_is_known_wherever_a_process_dies() {
    for dies_at in 0.. {
        // Both treatments have the same boundaries. After one of them the client's row is gone.
        let treatment = if dies_at % 2 == 0 { "clear" } else { "remove" };
        let host = host();
        let [mail, _] = of(&host, host.due.as_str());
        let plan = planned(&host, treatment).await;
        let wire = Tripwire::at(dies_at);
        let first = over(&host, &wire);
        let finished = until_death(&wire, first.erase(plan)).await;
        drop(first);
        engine(&host).await.resumed().await;
        assert!(ledger(&host).list(None, 10).await.unwrap().is_empty());
        told(&host, &mail).await.unwrap_or_else(|why| panic!("{treatment} at {dies_at}: {why}"));
        if finished.is_some() {
            assert!(dies_at > 20, "{dies_at} boundaries");
            break;
        }
    }
}

/// A list that forgets what it was given.
#[derive(Debug)]
struct Sieve(SqliteLedger);

#[async_trait]
impl SuppressionList for Sieve {
    async fn suppress(
        &self,
        _: &SuppressionKey,
        _: &[SuppressionToken],
        _: NaiveDate,
    ) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn suppressed(
        &self,
        tokens: &[SuppressionToken],
        today: NaiveDate,
    ) -> Result<Vec<bool>, LedgerError> {
        self.0.suppressed(tokens, today).await
    }

    async fn unsuppress(&self, tokens: &[SuppressionToken]) -> Result<u64, LedgerError> {
        self.0.unsuppress(tokens).await
    }

    async fn forget_suppressed(&self, ended_before: NaiveDate, limit: usize) -> Result<u64, LedgerError> {
        self.0.forget_suppressed(ended_before, limit).await
    }

    async fn suppression_keys(&self) -> Result<Vec<SuppressionKey>, LedgerError> {
        self.0.suppression_keys().await
    }
}

#[tokio::test]
async fn a_list_that_loses_tokens_is_found_out() {
    let host = host();
    let [mail, _] = of(&host, host.due.as_str());
    let plan = planned(&host, "clear").await;
    let engine = builder(&host, Tripwire::at(NEVER)).suppression(Sieve(ledger(&host)), own_keys());
    engine.build().unwrap().erase(plan).await.unwrap();
    assert_eq!(told(&host, &mail).await, Err("erased: true, known: false".to_owned()));
}

#[tokio::test]
async fn a_list_out_of_reach_keeps_the_case_open() {
    let host = host();
    let [mail, _] = of(&host, host.due.as_str());
    let plan = planned(&host, "clear").await;
    let faults = Arc::new(relinquish::testing::Faults::at("suppress", 1, relinquish::testing::Fault::Error));
    let list = Faulty::new(ledger(&host), faults);
    let engine = builder(&host, Tripwire::at(NEVER)).suppression(list, own_keys()).build().unwrap();
    engine.erase(plan).await.unwrap_err();
    assert!(!ledger(&host).list(None, 10).await.unwrap().is_empty(), "the case is open");
    drop(engine);
    let outcomes = self::engine(&host).await.resumed().await;
    assert!(matches!(outcomes.as_slice(), [Outcome::Erased(_)]), "{outcomes:?}");
    told(&host, &mail).await.unwrap();
}

/// Something happens right before the records are erased, after the tokens were computed.
#[derive(Clone)]
struct AtErase(Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for AtErase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AtErase")
    }
}

#[async_trait]
impl Interfere for AtErase {
    async fn before(&self, call: &'static str) -> bool {
        if call == "erase" {
            (self.0)();
        }
        false
    }

    async fn after(&self, _: &'static str) -> bool {
        false
    }
}

#[tokio::test]
async fn whoever_was_not_erased_after_all_is_not_in_the_list() {
    let host = host();
    let plan = planned(&host, "clear").await;
    let path = host.path();
    let meanwhile = AtErase(Arc::new(move || {
        let sql = "UPDATE clients SET created_at = '2026-11-20 00:00:00' WHERE id = 17";
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    }));
    let engine = builder(&host, meanwhile).suppression(ledger(&host), own_keys()).build().unwrap();
    let outcome = engine.erase(plan).await.unwrap();
    assert!(!matches!(outcome, Outcome::Erased(_)), "{outcome}");
    assert_eq!(tokens(&host), []);
}

#[tokio::test]
async fn a_person_who_returns_and_a_stranger_with_a_shared_address_are_let_in() {
    let host = host();
    let [_, phone] = of(&host, "18");
    // A family has one telephone.
    let sql = format!("UPDATE clients SET phone = '{}' WHERE id IN (17, 18)", phone.value);
    Connection::open(host.path()).unwrap().execute_batch(&sql).unwrap();
    let [mail, _] = of(&host, "17");
    engine(&host).await.erase(planned(&host, "clear").await).await.unwrap();
    let engine = engine(&host).await;
    // Nobody can tell the two apart.
    assert!(engine.was_erased(&phone).await.unwrap());
    assert!(engine.let_in(std::slice::from_ref(&phone)).await.unwrap() > 0);
    assert_eq!(engine.were_erased(&[phone.clone(), mail.clone()]).await.unwrap(), [false, true]);
    assert_eq!(engine.let_in(std::slice::from_ref(&phone)).await.unwrap(), 0, "once");
    engine.let_in(std::slice::from_ref(&mail)).await.unwrap();
    assert_eq!(tokens(&host), []);
}

#[tokio::test]
async fn a_replay_adds_nothing_to_the_list() {
    let host = host();
    let [mail, _] = of(&host, "17");
    let plan = planned(&host, "clear").await;
    let copy = host.folder.path().join("copy.sqlite");
    std::fs::copy(host.path(), &copy).unwrap();
    engine(&host).await.erase(plan).await.unwrap();
    // The person has returned.
    engine(&host).await.let_in(std::slice::from_ref(&mail)).await.unwrap();
    let kept = tokens(&host);
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(host.folder.path().join(format!("crm.sqlite{end}")));
    }
    std::fs::copy(&copy, host.path()).unwrap();
    let engine = engine(&host).await;
    let planned = engine.plan_replay(RestoredFrom::Backup(hosts::now() - TimeDelta::days(1))).await.unwrap();
    let approval =
        Approval::new("operator-9", [FJORD.into()], planned.plan.digest(), hosts::now(), TimeDelta::hours(1));
    let outcomes = engine.execute(planned.plan.approve(&approval).unwrap()).await.unwrap();
    assert!(matches!(outcomes.as_slice(), [Outcome::Erased(_)]), "{outcomes:?}");
    assert_eq!(tokens(&host), kept);
    let entry = ledger(&host)
        .entries(0, 100)
        .await
        .unwrap()
        .into_iter()
        .rev()
        .find_map(|entry| entry.closed().map(|closed| closed.erasure().unwrap().suppressing.clone()));
    assert_eq!(entry, Some(None), "the certificate says so");
}

#[tokio::test]
async fn what_a_treatment_wrote_is_nobodys_identifier() {
    let host = host();
    engine(&host).await.erase(planned(&host, "clear").await).await.unwrap();
    let once = tokens(&host);
    assert!(!once.is_empty());
    // Something came since, so the client is erased again.
    let sql = "INSERT INTO delivery_addresses (client_id, recipient, street, postcode, city)
        VALUES (17, 'A', 'B', 'C', 'D')";
    Connection::open(host.path()).unwrap().execute_batch(sql).unwrap();
    let tomorrow = hosts::now() + TimeDelta::days(1);
    let engine = builder(&host, Tripwire::at(NEVER)).clock(ManualClock::at(tomorrow));
    let engine = engine.suppression(ledger(&host), own_keys()).build().unwrap();
    engine.ensure_census().await.unwrap();
    let plan = hosts::plan(&engine, &host.due, &request("clear")).await;
    let approval = Approval::new("op", [FJORD.into()], plan.digest(), tomorrow, TimeDelta::hours(1));
    let outcome = engine.erase(plan.approve(approval).unwrap()).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    assert_eq!(tokens(&host), once);
}

#[tokio::test]
async fn a_token_is_known_to_its_last_day_and_forgotten_after_it() {
    let host = host();
    let [mail, _] = of(&host, "17");
    engine(&host).await.erase(planned(&host, "clear").await).await.unwrap();
    let on = |day: &str| {
        let clock = ManualClock::at(format!("{day}T12:00:00Z").parse().unwrap());
        builder(&host, Tripwire::at(NEVER))
            .clock(clock)
            .suppression(ledger(&host), own_keys())
            .build()
            .unwrap()
    };
    assert!(on("2029-12-31").was_erased(&mail).await.unwrap());
    assert_eq!(on("2029-12-31").forget_suppressed().await.unwrap(), 0);
    assert!(!on("2030-01-01").was_erased(&mail).await.unwrap());
    assert_eq!(on("2030-01-01").forget_suppressed().await.unwrap(), 3, "a mail, and a phone in two forms");
    assert_eq!(tokens(&host), []);
}

#[tokio::test]
async fn the_list_has_keys_of_its_own_and_with_other_keys_there_is_no_answer() {
    let host = host();
    let [mail, _] = of(&host, "17");
    engine(&host).await.erase(planned(&host, "clear").await).await.unwrap();
    let with = |keys: Arc<dyn KeyRing>| {
        builder(&host, Tripwire::at(NEVER)).suppression(ledger(&host), keys).build().unwrap()
    };
    let other = MemoryKeyRing::new(TokenKey::new([8; 32]));
    let error = with(Arc::new(other)).was_erased(&mail).await.unwrap_err();
    assert!(matches!(error, Error::Keys(KeyRingError::ListKeyMismatch { epoch: 1 })), "{error}");
    let ledgers = hosts::keys_beside(&host.folder.path().join("ledger.sqlite"));
    let error = with(Arc::new(ledgers)).was_erased(&mail).await.unwrap_err();
    assert!(matches!(error, Error::Keys(KeyRingError::SharedKey { epoch: 1 })), "{error}");
    // With a new key, the old tokens are still known. Once the old key is destroyed, nobody is.
    let next = own_keys().with_next(TokenKey::new([10; 32]));
    assert!(with(Arc::new(next.clone())).was_erased(&mail).await.unwrap());
    assert!(!with(Arc::new(next.clone().without(1))).was_erased(&mail).await.unwrap());
    // A ring that is older than the list.
    let plan = approved(&with(Arc::new(next.clone())), &"21".into(), &request("clear")).await;
    with(Arc::new(next)).erase(plan).await.unwrap();
    let error = with(Arc::new(own_keys())).was_erased(&mail).await.unwrap_err();
    assert!(matches!(error, Error::Keys(KeyRingError::ListKeyMismatch { epoch: 2 })), "{error}");
}

#[tokio::test]
async fn a_sweep_fills_the_list_for_many_at_once() {
    let host = host();
    let engine = engine(&host).await;
    let mut due = Vec::new();
    for id in 1..=30 {
        let found = engine.plan(&id.to_string().into(), &Asked::Sweep).await.unwrap();
        if let relinquish::Planned::Plan(plan) = found {
            let approval = hosts::approval(&plan);
            due.push((of(&host, &id.to_string()), plan.approve(approval).unwrap()));
        }
    }
    assert!(due.len() > 3);
    let (identifiers, plans): (Vec<_>, Vec<_>) = due.into_iter().unzip();
    for outcome in engine.execute(plans).await.unwrap() {
        assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    }
    let all: Vec<Identifier> = identifiers.into_iter().flatten().collect();
    assert!(engine.were_erased(&all).await.unwrap().into_iter().all(|known| known));
}

#[test]
fn a_rule_that_cannot_be_carried_out_is_refused_with_a_way_out() {
    let problems = |rule: &str| {
        let mut host = hosts::sqlite();
        host.policy = host.policy.replacen("sweep = true", &format!("sweep = true\n{rule}"), 1);
        let policy = PolicyDocument::from_toml(&host.policy);
        let checked = policy.and_then(|policy| policy.check(host.store.data_map()));
        checked.map_or_else(|problems| problems.to_string(), |_| String::new())
    };
    assert_eq!(problems(RULE), "");
    assert_eq!(problems("suppress = 'off'"), "");
    for (rule, part, says) in [
        (RULE.replace("'phone'", "'name'"), "suppress.kinds", "strangers have the same one"),
        (RULE.replace("'phone'", "'tax_id'"), "suppress.kinds", "no field of the data map holds tax_id"),
        (RULE.replace("'phone'", "'emial'"), "suppress.kinds", "no such kind"),
        (RULE.replace("'remove'", "'wipe'"), "suppress.treatments", "wipe is no treatment"),
        (RULE.replace("3 years", "soon"), "suppress.for", "is no period"),
        (RULE.replace(", for = '3 years'", ""), "suppress", "for"),
    ] {
        let found = problems(&rule);
        assert!(found.contains(part) && found.contains(says), "{rule}: {found}");
    }
    // A policy that suppresses needs a list.
    let host = host();
    let error = builder(&host, Tripwire::at(NEVER)).build().unwrap_err().to_string();
    assert!(error.contains("EngineBuilder::suppression"), "{error}");
}

/// What a person reads before: which identifiers, and for how long.
#[tokio::test]
async fn the_statement_of_the_rules_says_what_stays() {
    let host = host();
    let engine = engine(&host).await;
    let controller = letter::Controller::new("Fjord Broadband", "1 Quay Street, Bergen");
    let authority = letter::Authority::new("the Data Protection Authority", "Box 1, Oslo");
    let head = letter::Letterhead::new(
        engine.policy(),
        letter::Language::English,
        controller,
        authority,
        hosts::now().date_naive(),
    )
    .unwrap();
    let statement = letter::statement(&head, engine.policy(), None).unwrap();
    let line = statement.lines().find(|(fact, _)| **fact == letter::Fact::WillBeSuppressed).unwrap().1;
    assert!(line.contains("e-mail addresses and telephone numbers") && line.contains("3 years"), "{line}");
}
