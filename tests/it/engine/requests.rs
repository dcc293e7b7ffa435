//! The register of requests and the inbox, on real SQLite files.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use relinquish::engine::RequestList;
use relinquish::ledger::Register as _;
use relinquish::plan::letter::Language;
use relinquish::plan::{Authority, ExtensionReason, Holidays, Regime};
use relinquish::request::{
    Address, Answer, Channel, LetterKind, NewRequest, NotARequest, Note, OutOfTurn, Request, RequestId,
    RequestKind, Stage, Who,
};
use relinquish::store::sql::INBOX_TABLE;
use relinquish::testing::{Faulty, ManualClock};
use relinquish::{Engine, Error, PolicyDocument, SqlMap, SqliteLedger, SqliteStore};
use rusqlite::Connection;

use crate::hosts::{self, Host};
use crate::wired::{NEVER, Tripwire, until_death};

pub(super) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(super) fn operator() -> Authority {
    Authority::new("operator-7", ["1".into()])
}

/// A CRM with an inbox, and a clock that tests can set forward.
pub(super) struct Trial {
    pub(super) host: Host,
    pub(super) clock: Arc<ManualClock>,
}

impl Trial {
    pub(super) fn new() -> Self {
        let mut host = hosts::sqlite_after(&format!("{INBOX_TABLE};"));
        host.policy = host.policy.replacen("sweep = true", "sweep = true\nrequests_kept = \"6 months\"", 1);
        Self { host, clock: Arc::new(ManualClock::at(hosts::now())) }
    }

    pub(super) fn engine_on(&self, wire: &Arc<Tripwire>) -> Engine {
        let path = self.host.folder.path().join("ledger.sqlite");
        let map = SqlMap::from_toml(hosts::CRM_MAP).unwrap();
        let store = Arc::new(SqliteStore::open(self.host.path(), &map).unwrap());
        let ledger = SqliteLedger::open(&path).unwrap();
        Engine::builder(
            Arc::clone(&store),
            PolicyDocument::from_toml(&self.host.policy).unwrap(),
            Faulty::new(ledger, Arc::clone(wire)),
            hosts::keys_beside(&path),
        )
        .gateway(Faulty::new(self.host.gateway.clone().unwrap(), Arc::clone(wire)))
        .worker("one")
        .inbox(Faulty::new(store, Arc::clone(wire)))
        .holidays(Holidays::new([day("2026-12-25")]))
        .clock(Arc::clone(&self.clock))
        .build()
        .unwrap()
    }

    pub(super) fn engine(&self) -> Engine {
        self.engine_on(&Tripwire::at(NEVER))
    }

    pub(super) fn sql(&self, sql: &str) {
        Connection::open(self.host.path()).unwrap().execute_batch(sql).unwrap();
    }

    pub(super) fn rows(&self) -> i64 {
        hosts::sum(&self.host.path(), "SELECT count(*) FROM relinquish_inbox")
    }

    /// All texts in the tables of the register.
    fn register(&self) -> String {
        let ledger = Connection::open(self.host.folder.path().join("ledger.sqlite")).unwrap();
        let text = |sql: &str| -> String {
            ledger.query_row(sql, [], |row| row.get::<_, Option<String>>(0)).unwrap().unwrap_or_default()
        };
        text("SELECT group_concat(coalesce(id, '') || coalesce(body, '') || coalesce(who, '')) FROM request")
            + &text("SELECT group_concat(body) FROM request_note")
    }
}

pub(super) fn of_customer(id: &str, customer: &str, at: &str) -> NewRequest {
    let who = Who::Customer { customer: customer.into() };
    NewRequest::new(id, RequestKind::Erasure, Channel::Email, who, at.parse().unwrap())
}

pub(super) async fn note(engine: &Engine, id: &str, note: Note, on: &str) -> Result<Request, Error> {
    engine.note(&id.into(), &note, day(on), &operator()).await
}

pub(super) fn insert(id: &str, customer: &str) -> String {
    format!(
        "INSERT INTO relinquish_inbox (id, kind, channel, received_at, customer)
         VALUES ('{id}', 'erasure', 'web', '2026-11-02T09:30:00Z', '{customer}');"
    )
}

#[tokio::test]
async fn a_request_is_kept_with_its_clock_its_letters_and_its_outcome_and_forgets_who_asked() {
    let trial = Trial::new();
    let engine = trial.engine();
    let request = engine.receive(of_customer("r-1", "17", "2026-11-02T09:30:00Z")).await.unwrap();
    assert_eq!(request.due(engine.holidays()), Some(day("2026-12-02")));
    assert_eq!(request.new.tenant, Some("1".into()));
    let token = request.new.subject.clone().unwrap();
    note(&engine, "r-1", Note::AskIdentity, "2026-11-04").await.unwrap();
    let reference = "passport-seen".parse().unwrap();
    note(&engine, "r-1", Note::ConfirmIdentity { reference }, "2026-11-14").await.unwrap();
    let extend = Note::Extend { reason: ExtensionReason::Complexity };
    let request = note(&engine, "r-1", extend, "2026-11-20").await.unwrap();
    assert_eq!(request.due(engine.holidays()), Some(day("2027-02-12")));
    let letter = Note::Send { kind: LetterKind::Extension, language: Language::German, digest: None };
    note(&engine, "r-1", letter, "2026-11-20").await.unwrap();
    let error = note(&engine, "r-1", Note::End, "2026-11-21").await.unwrap_err();
    assert!(matches!(error, Error::OutOfTurn { source: OutOfTurn::NotDecided, .. }), "{error}");
    note(&engine, "r-1", Note::Decide { answer: Answer::Refused }, "2026-11-21").await.unwrap();
    assert!(trial.register().contains("{\"customer\":\"17\"}"), "{}", trial.register());
    let ended = note(&engine, "r-1", Note::End, "2026-11-21").await.unwrap();
    assert_eq!((ended.stage(), &ended.new.who), (Stage::Ended, &None));
    // Another process reads the same request.
    let read = trial.engine().request(&"r-1".into()).await.unwrap().unwrap();
    assert_eq!(read, ended);
    assert_eq!((read.letters.len(), read.answer), (1, Some((Answer::Refused, day("2026-11-21")))));
    assert!(trial.register().contains(&token) && !trial.register().contains("{\"customer\""));
    let notes = trial.engine().notes_of(&"r-1".into()).await.unwrap();
    assert_eq!(notes.len(), 8);
    assert!(notes.iter().all(|note| note.by.as_ref().is_some_and(|by| by.as_str() == "operator-7")));
    // The request is kept exactly as long as the policy says, to the day.
    trial.clock.turn(TimeDelta::days(180));
    assert_eq!(trial.engine().forget_requests().await.unwrap(), 0, "2027-05-20");
    trial.clock.turn(TimeDelta::days(1));
    assert_eq!(trial.engine().forget_requests().await.unwrap(), 1, "2027-05-21");
    assert_eq!(trial.engine().request(&"r-1".into()).await.unwrap(), None);
    assert_eq!(trial.register(), "r-1");
}

#[tokio::test]
async fn what_is_due_and_what_is_overdue_is_listed_by_the_days_of_the_regulation() {
    let trial = Trial::new();
    let engine = trial.engine();
    // Due on 2 and 28 December: the 25th is a holiday, and then it is a weekend. The third waits for the person.
    for (id, customer, at) in [
        ("r-1", "17", "2026-11-02T09:30:00Z"),
        ("r-2", "18", "2026-11-25T00:00:00Z"),
        ("r-3", "5", "2026-11-03T09:30:00Z"),
    ] {
        let at = at.parse::<DateTime<Utc>>().unwrap();
        if at > hosts::now() {
            trial.clock.turn(at - trial.clock.now());
        }
        engine.receive(of_customer(id, customer, &at.to_rfc3339())).await.unwrap();
    }
    note(&engine, "r-3", Note::AskIdentity, "2026-11-26").await.unwrap();
    let listed = async |list: RequestList, limit| {
        let found = engine.requests(list, None, limit).await.unwrap();
        found.iter().map(|request| request.new.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(listed(RequestList::Open, 10).await, ["r-1", "r-2", "r-3"]);
    assert_eq!(listed(RequestList::Open, 2).await, ["r-1", "r-2"]);
    assert_eq!(listed(RequestList::DueWithin(6), 10).await, [""; 0], "2026-12-01");
    assert_eq!(listed(RequestList::DueWithin(7), 10).await, ["r-1"]);
    assert_eq!(listed(RequestList::DueWithin(14), 10).await, ["r-1"]);
    assert_eq!(listed(RequestList::DueWithin(15), 10).await, ["r-1", "r-3"], "a reminder after two weeks");
    assert_eq!(listed(RequestList::DueWithin(32), 10).await, ["r-1", "r-3"], "the holiday moves the day");
    assert_eq!(listed(RequestList::DueWithin(33), 10).await, ["r-1", "r-2", "r-3"]);
    assert_eq!(listed(RequestList::Overdue, 10).await, [""; 0]);
    trial.clock.turn(TimeDelta::days(8));
    assert_eq!(listed(RequestList::Overdue, 10).await, ["r-1"]);
    let after = engine.requests(RequestList::Open, Some(&"r-1".into()), 1).await.unwrap();
    assert_eq!(after[0].new.id.as_str(), "r-2");
}

/// The law and the zone of the customer's own tenant set the clock, in the register as in the inbox.
#[tokio::test]
async fn a_request_counts_by_the_law_and_the_zone_of_its_tenant() {
    // Late on 31 July in London, and 1 August further east.
    let at = "2026-07-31T22:30:00Z";
    for (law, zone, regime, received, due, confirm) in [
        ("gdpr", "Europe/Stockholm", Regime::Eu, "2026-08-01", "2026-09-01", None),
        ("uk_gdpr", "Europe/London", Regime::Uk, "2026-07-31", "2026-08-31", None),
        ("fadp", "Europe/Zurich", Regime::Switzerland, "2026-08-01", "2026-08-31", None),
        ("ccpa", "America/Los_Angeles", Regime::California, "2026-07-31", "2026-09-14", Some("2026-08-14")),
    ] {
        let mut trial = Trial::new();
        // The rules for everyone are others.
        let tenant = format!("\n[tenants.1]\nprivacy_law = '{law}'\ntime_zone = '{zone}'\n");
        trial.host.policy.push_str(&tenant);
        trial.sql(&insert("r-2", "17").replace("2026-11-02T09:30:00Z", at));
        let engine = trial.engine();
        engine.receive(of_customer("r-1", "17", at)).await.unwrap();
        assert_eq!(engine.move_inbox().await.unwrap().received, 1, "{law}");
        for id in ["r-1", "r-2"] {
            let request = engine.request(&id.into()).await.unwrap().unwrap();
            assert_eq!(request.new.tenant, Some("1".into()));
            assert_eq!(
                (request.clock.regime(), request.clock.received_on()),
                (regime, day(received)),
                "{law}"
            );
            assert_eq!(request.due(engine.holidays()), Some(day(due)), "{law} {id}");
            assert_eq!(request.confirm_by(engine.holidays()), confirm.map(day), "{law} {id}");
        }
        // A person who is no customer counts by the rules for everyone; and a host may know better.
        let who = Who::Person { address: Address::new("maud@guest.example") };
        let guest = NewRequest::new("r-3", RequestKind::Access, Channel::Post, who, at.parse().unwrap());
        let guest = engine.receive(guest).await.unwrap();
        assert_eq!((guest.clock.regime(), guest.clock.received_on()), (Regime::Eu, day("2026-07-31")));
        let said = of_customer("r-4", "17", at).under(Regime::California).received_on(day("2026-07-30"));
        let said = engine.receive(said).await.unwrap();
        assert_eq!(said.due(engine.holidays()), Some(day("2026-09-13")), "{law}");
    }
}

/// A complaint in the UK is acknowledged within 30 days. Until then it is listed and counted.
#[tokio::test]
async fn a_complaint_is_listed_until_its_receipt_is_confirmed() {
    let mut trial = Trial::new();
    trial.host.policy += "\n[tenants.1]\nprivacy_law = 'uk_gdpr'\n";
    let engine = trial.engine();
    let who = Who::Customer { customer: "17".into() };
    let at = "2026-11-02T09:30:00Z".parse().unwrap();
    let complaint = NewRequest::new("r-1", RequestKind::Complaint, Channel::Email, who, at);
    let complaint = engine.receive(complaint).await.unwrap();
    assert_eq!((complaint.due(engine.holidays()), complaint.stage()), (None, Stage::Open));
    let listed = async |of| engine.requests(of, None, 10).await.unwrap().len();
    assert_eq!(listed(RequestList::DueWithin(10)).await, 0, "2026-12-01");
    assert_eq!(listed(RequestList::DueWithin(11)).await, 1, "2026-12-02");
    trial.clock.turn(TimeDelta::days(12));
    assert_eq!((listed(RequestList::Overdue).await, engine.health().await.unwrap().requests_overdue), (1, 1));
    let letter = Note::Send { kind: LetterKind::Receipt, language: Language::English, digest: None };
    note(&engine, "r-1", letter, "2026-12-03").await.unwrap();
    assert_eq!((listed(RequestList::Overdue).await, listed(RequestList::DueWithin(900)).await), (0, 0));
    let error = note(&engine, "r-1", Note::AskMeaning, "2026-12-03").await.unwrap_err();
    assert!(matches!(error, Error::OutOfTurn { source: OutOfTurn::NoPeriod { .. }, .. }), "{error}");
}

#[tokio::test]
async fn bad_input_records_nothing_and_says_the_way_out() {
    let trial = Trial::new();
    let engine = trial.engine();
    let error = engine.receive(of_customer("r-1", "4711", "2026-11-02T09:30:00Z")).await.unwrap_err();
    assert!(matches!(error, Error::NoSuchCustomer), "{error}");
    // Two bugs: the register kept an address that was given as the id, and a request of 2030 was never overdue.
    let error =
        engine.receive(of_customer("vera@fjord.example", "17", "2026-11-02T09:30:00Z")).await.unwrap_err();
    assert!(
        matches!(error, Error::NotARequest(NotARequest::Email)) && !error.to_string().contains("vera"),
        "{error}"
    );
    let error = engine.receive(of_customer("r-1", "17", "2030-01-01T09:30:00Z")).await.unwrap_err();
    assert!(matches!(error, Error::NotARequest(NotARequest::Future)), "{error}");
    let error = note(&engine, "r-1", Note::AskIdentity, "2026-11-04").await.unwrap_err();
    assert!(matches!(error, Error::NoSuchRequest { .. }), "{error}");
    let first = engine.receive(of_customer("r-1", "17", "2026-11-02T09:30:00Z")).await.unwrap();
    assert_eq!(engine.receive(of_customer("r-1", "17", "2026-11-02T09:30:00Z")).await.unwrap(), first);
    let error = engine.receive(of_customer("r-1", "18", "2026-11-03T09:30:00Z")).await.unwrap_err();
    assert!(error.to_string().contains("a new random id"), "{error}");
    let stranger = Authority::new("op", ["elsewhere".into()]);
    let error =
        engine.note(&"r-1".into(), &Note::AskIdentity, day("2026-11-04"), &stranger).await.unwrap_err();
    assert!(matches!(error, Error::Approval(_)), "{error}");
    let error = note(&engine, "r-1", Note::AskIdentity, "2026-11-01").await.unwrap_err();
    assert!(error.to_string().contains("before the receipt"), "{error}");
    assert_eq!(engine.notes_of(&"r-1".into()).await.unwrap(), []);
}

#[tokio::test]
async fn a_request_in_the_hosts_own_transaction_is_received_if_the_transaction_is() {
    let trial = Trial::new();
    let engine = trial.engine();
    let mut host = Connection::open(trial.host.path()).unwrap();
    for (id, commits) in [("r-1", true), ("r-2", false)] {
        let transaction = host.transaction().unwrap();
        transaction.execute_batch(&insert(id, "17")).unwrap();
        transaction
            .execute("UPDATE clients SET invoice_text = 'asked to be erased' WHERE id = 17", [])
            .unwrap();
        if commits {
            transaction.commit().unwrap();
        }
    }
    let address = "INSERT INTO relinquish_inbox VALUES ('r-3', 'access', 'email', '2026-11-02T23:30:00Z', NULL, 'Maud@Guest.example')";
    trial.sql(address);
    let moved = engine.move_inbox().await.unwrap();
    assert_eq!((moved.received, moved.known, moved.refused.len()), (2, 0, 0));
    assert_eq!(trial.rows(), 0);
    let request = engine.request(&"r-1".into()).await.unwrap().unwrap();
    assert_eq!(request.new.who, Some(Who::Customer { customer: "17".into() }));
    assert!(request.new.subject.is_some());
    assert_eq!(engine.request(&"r-2".into()).await.unwrap(), None);
    let guest = engine.request(&"r-3".into()).await.unwrap().unwrap();
    assert!(guest.new.subject.is_some());
    assert!(!format!("{guest:?} {request:?}").to_lowercase().contains("maud"));
}

#[tokio::test]
async fn a_row_is_received_once_wherever_a_process_dies_and_whatever_a_restore_brings_back() {
    let mut deaths = 0;
    for boundary in 0.. {
        let trial = Trial::new();
        trial.sql(&(insert("r-1", "17") + &insert("r-2", "18")));
        let wire = Tripwire::at(boundary);
        let moved = until_death(&wire, trial.engine_on(&wire).move_inbox()).await;
        deaths += usize::from(moved.is_none());
        // The next process continues. After that, a restore brings the old rows back.
        trial.engine().move_inbox().await.unwrap();
        assert_eq!(trial.rows(), 0, "at {boundary}");
        let engine = trial.engine();
        note(&engine, "r-1", Note::Decide { answer: Answer::Withdrawn }, "2026-11-21").await.unwrap();
        note(&engine, "r-1", Note::End, "2026-11-21").await.unwrap();
        trial.sql(&(insert("r-1", "17") + &insert("r-2", "18")));
        let again = engine.move_inbox().await.unwrap();
        assert_eq!((again.received, again.known, trial.rows()), (0, 2, 0), "at {boundary}");
        let all = engine.requests(RequestList::All, None, 10).await.unwrap();
        assert_eq!(all.len(), 2, "at {boundary}");
        assert_eq!(all[0].new.who, None, "who asked does not come back");
        if moved.is_some() {
            break;
        }
    }
    assert!(deaths >= 6, "{deaths}");
}

#[tokio::test]
async fn rows_that_nobody_understands_stay_with_a_reason_and_hinder_no_others() {
    let trial = Trial::new();
    let engine = trial.engine();
    let row = |id: &str, kind: &str, channel: &str, at: &str| {
        format!("INSERT INTO relinquish_inbox VALUES ('{id}', '{kind}', '{channel}', '{at}', '17', NULL);")
    };
    trial.sql(&row("r-1", "deletion", "web", "2026-11-02T09:30:00Z"));
    trial.sql(&row("r-2", "erasure", "fax", "2026-11-02T09:30:00Z"));
    trial.sql(&row("r-3", "erasure", "web", "yesterday"));
    trial.sql(&row("r-4", "erasure", "web", "2036-11-02T09:30:00Z"));
    trial.sql(&insert("r-5", "17"));
    let moved = engine.move_inbox().await.unwrap();
    assert_eq!((moved.received, trial.rows()), (1, 4));
    let why: Vec<&str> = moved.refused.iter().map(|(_, why)| why.as_str()).collect();
    for (why, says) in why.iter().zip(["kind", "channel", "received_at", "in the future"]) {
        assert!(why.contains(says) && why.ends_with("correct it"), "{why}");
    }
    trial.sql("UPDATE relinquish_inbox SET kind = 'erasure' WHERE id = 'r-1'");
    assert_eq!(engine.move_inbox().await.unwrap().received, 1);
    // A different request with an id that was used before.
    trial.sql(&row("r-1", "access", "web", "2026-11-09T09:30:00Z"));
    let moved = engine.move_inbox().await.unwrap();
    let is_first = |id: &Option<RequestId>| id.as_ref().is_some_and(|id| id.as_str() == "r-1");
    assert!(moved.refused.iter().any(|(id, why)| is_first(id) && why.contains("new random id")));
    // An id that is an address is refused, and repeated nowhere.
    trial.sql(&row("vera@fjord.example", "erasure", "web", "2026-11-02T09:30:00Z"));
    let moved = engine.move_inbox().await.unwrap();
    assert!(
        moved.refused.iter().any(|(id, why)| id.is_none() && why.contains("e-mail address")),
        "{moved:?}"
    );
    assert!(!format!("{moved:?}").contains("vera"), "{moved:?}");
    // One bad cell stopped all requests.
    trial.sql("DELETE FROM relinquish_inbox; PRAGMA ignore_check_constraints = 1;
         INSERT INTO relinquish_inbox VALUES ('r-6', 'erasure', 'web', x'ff', '17', NULL), ('r-7', 'erasure', x'00', '2026-11-02T09:30:00Z', '17', NULL),
             ('r-8', 'erasure', 'web', '2026-11-02T09:30:00Z', x'0102', NULL), (x'aa', 'erasure', 'web', '2026-11-02T09:30:00Z', '17', NULL),
             (CAST(x'30ff' AS TEXT), 'erasure', 'web', '2026-11-02T09:30:00Z', '17', NULL)");
    trial.sql(&insert("r-9", "17"));
    let moved = engine.move_inbox().await.unwrap();
    assert_eq!((moved.received, trial.rows()), (1, 5));
    let refused: Vec<(&str, &str)> = moved
        .refused
        .iter()
        .map(|(id, why)| (id.as_ref().map_or("?", RequestId::as_str), why.as_str()))
        .collect();
    for (says, (id, why)) in
        [("r-6", "received_at"), ("r-7", "channel"), ("r-8", "customer"), ("?", "id")].iter().zip(&refused)
    {
        assert!(says.0 == *id && why.contains(&format!("column {} ", says.1)), "{refused:?}");
    }
    assert_eq!(refused.len(), 4, "{refused:?}");
    trial.sql("DROP TABLE relinquish_inbox");
    let error = trial.engine().move_inbox().await.unwrap_err();
    assert!(error.to_string().contains("add store::sql::INBOX_TABLE"), "{error}");
}

#[tokio::test]
async fn two_who_note_at_once_both_are_noted() {
    let trial = Trial::new();
    let engine = trial.engine();
    engine.receive(of_customer("r-1", "17", "2026-11-02T09:30:00Z")).await.unwrap();
    let letter = |kind| Note::Send { kind, language: Language::English, digest: None };
    let (one, two) = (trial.engine(), trial.engine());
    let both = futures_util::future::join(
        note(&one, "r-1", letter(LetterKind::Receipt), "2026-11-03"),
        note(&two, "r-1", letter(LetterKind::Question), "2026-11-03"),
    );
    let (first, second) = both.await;
    first.unwrap();
    second.unwrap();
    let ledger = SqliteLedger::open(trial.host.folder.path().join("ledger.sqlite")).unwrap();
    let id: RequestId = "r-1".into();
    let saved = relinquish::ledger::Register::request(&ledger, &id).await.unwrap().unwrap();
    assert_eq!(saved.notes.len(), 2);
    assert_eq!(ledger.forget_requests(day("2036-01-01"), 10).await.unwrap(), 0, "it has not ended");
}
