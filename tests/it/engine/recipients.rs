//! Recipients of a customer's data are notified of the erasure, until they confirm it (Art. 19 GDPR).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use relinquish::case::RecipientOutcome;
use relinquish::data_map::{DataMap, Field, IdentifiedBy, Kind, RecipientName, RecordClass};
use relinquish::engine::{EngineBuilder, NewHold};
use relinquish::gateway::MemoryGateway;
use relinquish::ledger::{CaseBook as _, HoldGround, Verified};
use relinquish::plan::letter::{
    self, Authority as Office, Controller, Letterhead, Recipients, ToldGateway, ToldRecipient, WhatWasTold,
};
use relinquish::plan::{Authority, Step};
use relinquish::policy::Language;
use relinquish::recipient::{Answers, FunctionRecipient, ManualRecipient, Notice, Pending, RecipientError};
use relinquish::testing::{Fault, Faults, Faulty, ManualClock};
use relinquish::{
    Engine, Error, MemoryLedger, Outcome, PolicyDocument, Recipient, SqlMap, SqliteLedger, SqliteStore,
};

use crate::hosts::{self, BuildCounted as _, Host, ResumeAll as _, approved, request};
use crate::wired::{NEVER, Tripwire, until_death};

const MAP: &str = "\n[recipients]\nnewsletter = \"email\"\nsearch = \"key\"\nprint = [\"key\", \"name\"]\n";
const TOLD: &str = "recipient.newsletter = \"tell\"\nrecipient.search = \"tell\"\n\
                    recipient.print = { impossible = \"the directory is on paper\" }\n";

fn map() -> String {
    format!("{}{MAP}", hosts::CRM_MAP)
}

fn policy() -> String {
    let clear = hosts::CRM_POLICY.replace("[treatments.remove] ", &format!("{TOLD}\n[treatments.remove] "));
    format!("{clear}{TOLD}")
}

/// A recipient that keeps all notices in memory.
#[derive(Debug)]
struct Partner {
    name: RecipientName,
    people: Mutex<BTreeMap<String, Notice>>,
    /// Every received notice, also repeated ones.
    heard: Mutex<Vec<Notice>>,
    /// The answers to a notice and to a question.
    answers: Mutex<[RecipientOutcome; 2]>,
    most: usize,
}

impl Partner {
    fn new(name: &str, told: RecipientOutcome, asked: RecipientOutcome) -> Arc<Self> {
        let (people, heard) = (Mutex::default(), Mutex::default());
        Arc::new(Self { name: name.into(), people, heard, answers: Mutex::new([told, asked]), most: 3 })
    }

    fn confirms(name: &str) -> Arc<Self> {
        Self::new(name, RecipientOutcome::Confirmed, RecipientOutcome::Confirmed)
    }

    fn accepts(name: &str) -> Arc<Self> {
        let later = || RecipientOutcome::accepted("job-7");
        Self::new(name, later(), later())
    }

    fn heard(&self) -> Vec<Notice> {
        self.heard.lock().unwrap().clone()
    }

    fn answers(&self, place: usize, outcome: RecipientOutcome) {
        self.answers.lock().unwrap()[place] = outcome;
    }
}

#[async_trait]
impl Recipient for Partner {
    fn recipient(&self) -> &RecipientName {
        &self.name
    }

    fn max_batch(&self) -> usize {
        self.most
    }

    fn longest_call(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn tell(&self, notices: &[Notice], _: DateTime<Utc>) -> Answers {
        self.heard.lock().unwrap().extend_from_slice(notices);
        let mut people = self.people.lock().unwrap();
        people.extend(notices.iter().map(|notice| (notice.id.to_string(), notice.clone())));
        notices.iter().map(|_| Ok(self.answers.lock().unwrap()[0].clone().into())).collect()
    }

    async fn poll(&self, pending: &[Pending], _: DateTime<Utc>) -> Answers {
        let known = |task: &Pending| self.people.lock().unwrap().contains_key(task.id.as_str());
        let answer = |task: &Pending| {
            if known(task) {
                Ok(self.answers.lock().unwrap()[1].clone().into())
            } else {
                Ok(RecipientOutcome::Refused { reason: "no_such_task".to_owned() }.into())
            }
        };
        pending.iter().map(answer).collect()
    }
}

struct Telling {
    host: Host,
    clock: Arc<ManualClock>,
    newsletter: Arc<Partner>,
    search: Arc<Partner>,
}

impl Telling {
    fn new(newsletter: Arc<Partner>, search: Arc<Partner>) -> Self {
        Self { host: hosts::sqlite(), clock: Arc::new(ManualClock::at(hosts::now())), newsletter, search }
    }

    fn ledger(&self) -> SqliteLedger {
        SqliteLedger::open(self.host.folder.path().join("ledger.sqlite")).unwrap()
    }

    /// A new engine over the same files, as after a restart of the process.
    fn builder(&self, wire: &Arc<Tripwire>) -> EngineBuilder {
        let wire = || Arc::clone(wire);
        let map = SqlMap::from_toml(&map()).unwrap();
        let store = Faulty::new(SqliteStore::open(self.host.path(), &map).unwrap(), wire());
        let keys = hosts::keys_beside(&self.host.folder.path().join("ledger.sqlite"));
        let gateway: Arc<MemoryGateway> = self.host.gateway.clone().unwrap();
        Engine::builder(
            store,
            PolicyDocument::from_toml(&policy()).unwrap(),
            Faulty::new(self.ledger(), wire()),
            keys,
        )
        .gateway(gateway)
        .clock(Arc::clone(&self.clock))
        .worker("one")
    }

    fn engine_at(&self, wire: &Arc<Tripwire>) -> Engine {
        self.builder(wire)
            .recipient(Faulty::new(Arc::clone(&self.newsletter), Arc::clone(wire)))
            .recipient(Faulty::new(Arc::clone(&self.search), Arc::clone(wire)))
            .build()
            .unwrap()
    }

    async fn engine(&self) -> Engine {
        let engine = self.engine_at(&Tripwire::at(NEVER));
        engine.ensure_census().await.unwrap();
        engine
    }

    async fn erase(&self, engine: &Engine) -> Outcome {
        let plan = approved(engine, &self.host.due, &request("clear")).await;
        engine.erase(plan).await.unwrap()
    }

    fn is_erased(&self) -> bool {
        let erased = "SELECT count(*) FROM clients WHERE id = 17 AND email LIKE 'erased-%'";
        hosts::sum(&self.host.path(), erased) == 1
    }
}

fn email(host: &Host) -> &str {
    host.values.iter().find(|value| value.contains('@')).unwrap()
}

#[tokio::test]
async fn a_recipient_hears_what_the_map_says_and_the_ledger_hears_nothing_of_the_person() {
    let telling = Telling::new(Partner::confirms("newsletter"), Partner::confirms("search"));
    let engine = telling.engine().await;
    let plan = hosts::plan(&engine, &telling.host.due, &request("clear")).await;
    let shown = plan.to_string();
    assert!(shown.contains("tell recipient newsletter, identifying the person by email"), "{shown}");
    assert!(
        shown.contains("recipient.print      not told: impossible: the directory is on paper"),
        "{shown}"
    );
    let Outcome::Erased(certificate) = telling.erase(&engine).await else { panic!("not erased") };
    let [notice] = &telling.newsletter.heard()[..] else { panic!("heard once") };
    assert_eq!(notice.customer, None);
    let values: Vec<_> = notice.identifiers.iter().collect();
    assert_eq!(values, [(&Kind::Email, email(&telling.host))]);
    let [notice] = &telling.search.heard()[..] else { panic!("heard once") };
    assert_eq!(notice.customer.as_ref(), Some(&telling.host.due));
    assert!(notice.identifiers.is_empty());
    // The id of the notice is random, and may have any digits.
    let shown = format!("{notice:?}").replace(notice.id.as_str(), "");
    assert_eq!(shown.find("17"), None, "{shown}");
    let told = certificate.recipients();
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|told| told.answer.outcome == RecipientOutcome::Confirmed));
    let shown = certificate.to_string();
    assert!(shown.contains("recipient.newsletter was told, and confirms"), "{shown}");
    assert!(shown.contains("was not told: impossible: the directory is on paper"), "{shown}");
    let written = std::fs::read(telling.host.folder.path().join("ledger.sqlite")).unwrap();
    let person = email(&telling.host).as_bytes();
    assert!(!written.windows(person.len()).any(|bytes| bytes == person), "the ledger holds an address");
}

/// Wherever the process dies, every recipient was notified before the row was erased, and always with the same id.
#[tokio::test]
async fn a_case_that_dies_at_any_boundary_tells_every_recipient_before_the_records_go() {
    let mut deaths = 0;
    for dies_at in 0.. {
        let telling = Telling::new(Partner::confirms("newsletter"), Partner::accepts("search"));
        let first = telling.engine().await;
        let plan = approved(&first, &telling.host.due, &request("clear")).await;
        drop(first);
        let wire = Tripwire::at(dies_at);
        let dying = telling.engine_at(&wire);
        let survived = until_death(&wire, dying.erase(plan)).await;
        drop(dying);
        let told = |partner: &Partner| !partner.heard().is_empty();
        assert!(!telling.is_erased() || (told(&telling.newsletter) && told(&telling.search)), "at {dies_at}");
        telling.search.answers(1, RecipientOutcome::Confirmed);
        let outcomes = telling.engine().await.resumed().await;
        if survived.is_none() {
            deaths += 1;
        }
        let closed = hosts::acts(&telling.ledger()).await.iter().any(|entry| entry.closed().is_some());
        assert_eq!(closed, telling.is_erased(), "at {dies_at}: {outcomes:?}");
        if closed {
            for partner in [&telling.newsletter, &telling.search] {
                let heard = partner.heard();
                assert!(heard.iter().all(|notice| notice.id == heard[0].id), "at {dies_at}: another id");
            }
            let [notice] = &telling.newsletter.heard()[..1] else { panic!("not told") };
            assert_eq!(notice.identifiers.iter().next(), Some((&Kind::Email, email(&telling.host))));
        }
        assert!(telling.ledger().list(None, 10).await.unwrap().is_empty(), "at {dies_at}: working memory");
        if survived.is_some() {
            break;
        }
    }
    assert!(deaths > 30, "{deaths} boundaries");
}

#[tokio::test]
async fn a_recipient_that_finishes_later_holds_up_the_certificate_and_not_the_erasure() {
    let telling = Telling::new(Partner::confirms("newsletter"), Partner::accepts("search"));
    telling.search.answers(
        1,
        RecipientOutcome::Accepted {
            receipt: "job-7".into(),
            ask_again: Some(Duration::from_secs(86_400)),
            waits_for: Some("reindexing".to_owned()),
        },
    );
    let engine = telling.engine().await;
    let outcome = telling.erase(&engine).await;
    let Outcome::Waiting { step, reason, retry_after, .. } = &outcome else { panic!("{outcome}") };
    assert_eq!(*step, Step::Recipient("search".into()));
    assert!(reason.contains("it waits for reindexing"), "{reason}");
    assert_eq!(*retry_after, Some(Duration::from_secs(86_400)));
    assert!(telling.is_erased(), "the records do not wait");
    assert!(matches!(&engine.resumed().await[..], [Outcome::Waiting { .. }]));
    telling.search.answers(1, RecipientOutcome::Confirmed);
    let outcomes = engine.resumed().await;
    let [Outcome::Erased(certificate)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(certificate.recipients().len(), 2);
    assert_eq!((telling.search.heard().len(), telling.newsletter.heard().len()), (1, 1), "told once");
}

#[tokio::test]
async fn a_recipient_that_fails_for_a_while_is_told_again_in_the_same_turn() {
    for fault in [Fault::Error, Fault::Lost] {
        let telling = Telling::new(Partner::confirms("newsletter"), Partner::confirms("search"));
        let faults = Arc::new(Faults::at("tell", 1, fault));
        let engine = telling
            .builder(&Tripwire::at(NEVER))
            .recipient(Faulty::new(Arc::clone(&telling.newsletter), Arc::clone(&faults)))
            .recipient(Arc::clone(&telling.search))
            .build()
            .unwrap();
        engine.ensure_census().await.unwrap();
        assert!(matches!(telling.erase(&engine).await, Outcome::Erased(_)));
        assert!(faults.have_happened());
    }
}

#[tokio::test]
async fn while_a_recipient_cannot_be_reached_the_others_are_told_and_the_records_stay() {
    let telling = Telling::new(Partner::confirms("newsletter"), Partner::confirms("search"));
    let down =
        |_: Notice| async { Err(RecipientError::Busy { recipient: "newsletter".into(), retry_after: None }) };
    let engine = telling
        .builder(&Tripwire::at(NEVER))
        .recipient(FunctionRecipient::new("newsletter", Duration::from_secs(1), down))
        .recipient(Arc::clone(&telling.search))
        .build()
        .unwrap();
    engine.ensure_census().await.unwrap();
    let outcome = telling.erase(&engine).await;
    assert!(
        matches!(&outcome, Outcome::Waiting { step: Step::Recipient(name), .. } if name.as_str() == "newsletter"),
        "{outcome}"
    );
    assert_eq!(telling.search.heard().len(), 1);
    assert!(!telling.is_erased(), "nobody could tell the newsletter any more");
    drop(engine);
    let outcomes = telling.engine().await.resumed().await;
    assert!(matches!(&outcomes[..], [Outcome::Erased(_)]), "{outcomes:?}");
    assert_eq!(telling.search.heard().len(), 1, "told once");
}

fn refused() -> RecipientOutcome {
    RecipientOutcome::Refused { reason: "wrong_tenant".to_owned() }
}

#[tokio::test]
async fn a_refusal_blocks_until_a_person_waives_it_and_the_certificate_says_so() {
    let telling = Telling::new(Partner::new("newsletter", refused(), refused()), Partner::confirms("search"));
    let engine = telling.engine().await;
    let outcome = telling.erase(&engine).await;
    let Outcome::Blocked { case, step, reason, .. } = &outcome else { panic!("{outcome}") };
    assert!(reason.contains("wrong_tenant"), "{reason}");
    assert!(!telling.is_erased());
    let by = Authority::new("operator-7", ["1".into()]);
    let outcome = engine.waive(case, step.clone(), &by, "no-answer".parse().unwrap()).await.unwrap();
    let Outcome::Erased(certificate) = outcome else { panic!("{outcome}") };
    assert_eq!(certificate.outcome(), "erased in part");
    let shown = certificate.to_string();
    assert!(shown.contains("waived     recipient.newsletter by operator-7: no-answer"), "{shown}");
    let told = certificate.letter_facts().recipients;
    assert!(told.contains(&ToldRecipient::new("newsletter", WhatWasTold::Unconfirmed)), "{told:?}");
}

/// The records are erased only after the person has done the step by hand, because that person has to find the
/// customer. `done_by_hand` is refused for another tenant, for another step, and for a case that is not blocked.
#[tokio::test]
async fn a_step_that_only_a_person_can_take_waits_for_evidence_and_the_certificate_names_it() {
    let telling = Telling::new(Partner::confirms("newsletter"), Partner::confirms("search"));
    let archive = ManualRecipient::new("newsletter", "shred the folder in the archive");
    let engine = telling.builder(&Tripwire::at(NEVER)).recipient(archive.clone());
    let engine = engine.recipient(Arc::clone(&telling.search)).build().unwrap();
    engine.ensure_census().await.unwrap();
    let outcome = telling.erase(&engine).await;
    let Outcome::Blocked { case, step, reason, .. } = &outcome else { panic!("{outcome}") };
    assert_eq!(reason, "a person has to do this by hand: shred the folder in the archive");
    assert!(!telling.is_erased());
    assert_eq!(telling.search.heard().len(), 1, "the others are told meanwhile");
    assert_eq!(engine.open_cases(None, 10).await.unwrap()[0].progress.blocked().unwrap().step, *step);

    let (by, evidence) = (Authority::new("operator-7", ["1".into()]), || "ticket-4711".parse().unwrap());
    let stranger = Authority::new("operator-8", ["2".into()]);
    let error = engine.done_by_hand(case, step.clone(), &stranger, evidence()).await.unwrap_err();
    assert!(matches!(error, Error::Approval(_)), "{error}");
    for other in [Step::Records, Step::Recipient("search".into())] {
        let error = engine.done_by_hand(case, other, &by, evidence()).await.unwrap_err();
        assert!(matches!(error, Error::NotByHand { .. }), "{error}");
    }
    assert!(!telling.is_erased());

    // Another process uses the decision, and asks nobody again.
    let again =
        telling.builder(&Tripwire::at(NEVER)).recipient(archive).recipient(Arc::clone(&telling.search));
    let engine = again.build().unwrap();
    let outcome = engine.done_by_hand(case, step.clone(), &by, evidence()).await.unwrap();
    let Outcome::Erased(certificate) = outcome else { panic!("{outcome}") };
    assert!(telling.is_erased());
    assert_eq!(telling.search.heard().len(), 1);
    let [done] = certificate.by_hand() else { panic!("{certificate}") };
    assert_eq!((&done.step, done.at, done.evidence.as_str()), (step, telling.clock.now(), "ticket-4711"));
    assert!(certificate.waived().is_empty());
    let shown = certificate.to_string();
    assert!(shown.contains("by hand    recipient.newsletter by operator-7 at 2026-"), "{shown}");
    let told = certificate.letter_facts().recipients;
    assert!(told.contains(&ToldRecipient::new("newsletter", WhatWasTold::ByHand)), "{told:?}");
    let error = engine.done_by_hand(case, step.clone(), &by, evidence()).await.unwrap_err();
    assert!(matches!(error, Error::Ledger(_)), "a closed case: {error}");
}

/// A recipient that only asks a person has done nothing yet. A former bug: its step counted as begun, so the case
/// could not be cancelled.
#[tokio::test]
async fn a_case_that_only_waits_for_a_person_can_be_cancelled_until_the_person_has_acted() {
    let refuses = || Partner::new("search", refused(), refused());
    let by = Authority::new("operator-7", ["1".into()]);
    for acted in [false, true] {
        let telling = Telling::new(Partner::confirms("newsletter"), refuses());
        let archive = ManualRecipient::new("newsletter", "shred the folder in the archive");
        let engine = telling.builder(&Tripwire::at(NEVER)).recipient(archive).recipient(refuses());
        let engine = engine.build().unwrap();
        engine.ensure_census().await.unwrap();
        let database = rusqlite::Connection::open(telling.host.path()).unwrap();
        database.execute_batch("UPDATE clients SET stripe_id = NULL WHERE id = 17").unwrap();
        let before = (telling.host.dump)();
        let outcome = telling.erase(&engine).await;
        let Outcome::Blocked { case, step, reversible: true, .. } = &outcome else { panic!("{outcome:?}") };
        if acted {
            let outcome = engine.done_by_hand(case, step.clone(), &by, "ticket-1".parse().unwrap()).await;
            assert!(matches!(outcome.unwrap(), Outcome::Blocked { reversible: false, .. }));
            let error = engine.cancel(case, &by, "mistake".parse().unwrap()).await.unwrap_err();
            assert!(matches!(error, Error::TooLate { .. }), "{error}");
        } else {
            engine.cancel(case, &by, "mistake".parse().unwrap()).await.unwrap();
            assert_eq!((telling.host.dump)(), before, "the customer is as before");
        }
    }
}

/// The same with a gateway that refuses: a person erases the profile on the gateway's own web pages.
#[tokio::test]
async fn a_profile_that_a_person_erased_by_hand_counts_as_erased_with_the_evidence() {
    let telling = Telling::new(Partner::confirms("newsletter"), Partner::confirms("search"));
    let engine = telling.engine().await;
    telling.host.gateway.as_ref().unwrap().insert("cus_000017", Some("4711".into()), 0);
    let outcome = telling.erase(&engine).await;
    let Outcome::Blocked { case, step, .. } = &outcome else { panic!("{outcome}") };
    assert!(matches!(step, Step::Gateway(_)), "{step}");
    let by = Authority::new("operator-7", ["1".into()]);
    let outcome = engine.done_by_hand(case, step.clone(), &by, "ticket-4711".parse().unwrap()).await.unwrap();
    let Outcome::Erased(certificate) = outcome else { panic!("{outcome}") };
    assert_eq!(certificate.by_hand().len(), 1);
    let told = certificate.letter_facts().gateways;
    assert!(matches!(&told[..], [ToldGateway::Erased { .. }]), "{told:?}");
}

/// Nobody asks a gateway again after a step by hand. So the certificate must not say that each gateway was asked again, even
/// if another gateway was.
#[tokio::test]
async fn after_a_step_by_hand_the_certificate_does_not_say_that_each_gateway_was_asked_again() {
    for (owner, by_hand) in [("1", false), ("2", true)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.sqlite");
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, stripe TEXT, swish TEXT);
                 INSERT INTO people VALUES (1, 'Maud', 'cus_1', 'sw_1'), (2, 'Bo', NULL, NULL);",
            )
            .unwrap();
        let map = "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = { is = 'shop' }\n\
                   status = { sql = \"'active'\", active = 'active' }\ndeactivate = { none = 'no such status' }\n\
                   gateways = { stripe = 'stripe', swish = 'swish' }\nfields = { name = 'name' }\n";
        let policy = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
                      anonymise = { name = 'remove', payment_profile = 'remove' }\n\
                      guards = { active_subscription = { ignore = 'x' }, several_tenants = { ignore = 'x' }, \
                      not_archived = { ignore = 'x' } }\n\
                      treatments.t = { customer = 'anonymise', gateway.stripe = 'erase', gateway.swish = 'erase' }\n";
        let (stripe, swish) = (MemoryGateway::new("stripe"), MemoryGateway::new("swish"));
        stripe.insert("cus_1", Some("1".into()), 0);
        swish.insert("sw_1", Some(owner.into()), 0);
        let store = SqliteStore::open(&path, &SqlMap::from_toml(map).unwrap()).unwrap();
        let policy = PolicyDocument::from_toml(policy).unwrap();
        let engine = Engine::builder(store, policy, MemoryLedger::new(), hosts::keys())
            .clock(ManualClock::at(hosts::now()))
            .gateway(stripe)
            .gateway(swish)
            .counted()
            .unwrap_or_else(|problems| panic!("{problems}"));
        let plan = approved(&engine, &"1".into(), &relinquish::Asked::request()).await;
        let mut outcome = engine.erase(plan).await.unwrap();
        if let Outcome::Blocked { case, step, .. } = &outcome {
            let by = Authority::new("operator-7", ["shop".into()]);
            outcome = engine.done_by_hand(case, step.clone(), &by, "t-1".parse().unwrap()).await.unwrap();
        }
        let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}"));
        assert_eq!(certificate.by_hand().len(), usize::from(by_hand));
        let says = certificate.verifications().contains(&Verified::Gateways);
        assert_eq!(says, !by_hand, "{certificate}");
    }
}

#[tokio::test]
async fn a_task_that_is_refused_after_the_records_are_gone_is_asked_for_again_and_never_told_again() {
    let telling = Telling::new(Partner::confirms("newsletter"), Partner::accepts("search"));
    telling.search.answers(1, refused());
    let engine = telling.engine().await;
    let outcome = telling.erase(&engine).await;
    let Outcome::Blocked { case, .. } = &outcome else { panic!("{outcome}") };
    assert!(telling.is_erased());
    telling.search.answers(1, RecipientOutcome::Confirmed);
    let outcome = engine.retry(case).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    assert_eq!(telling.search.heard().len(), 1);
}

#[tokio::test]
async fn whoever_has_none_of_the_values_is_not_told_about_and_the_certificate_says_why() {
    let telling = Telling::new(Partner::confirms("newsletter"), Partner::confirms("search"));
    let database = rusqlite::Connection::open(telling.host.path()).unwrap();
    database
        .execute_batch(
            "UPDATE clients SET email = '' WHERE id = 17; DELETE FROM contacts WHERE client_id = 17",
        )
        .unwrap();
    let engine = telling.engine().await;
    let outcome = telling.erase(&engine).await;
    let Outcome::Erased(certificate) = outcome else { panic!("{outcome}") };
    assert!(telling.newsletter.heard().is_empty());
    assert_eq!(certificate.recipients()[0].answer.outcome, RecipientOutcome::Unidentified);
    let shown = certificate.to_string();
    assert!(shown.contains("was not told: the host has no value by which it knows the person"), "{shown}");
}

/// Places a hold right before the first notice.
#[derive(Debug)]
struct Holding(Mutex<Option<(Engine, relinquish::CustomerId)>>);
#[async_trait]
impl relinquish::testing::Interfere for Holding {
    async fn before(&self, call: &'static str) -> bool {
        let taken = if call == "identifiers" { self.0.lock().unwrap().take() } else { None };
        if let Some((engine, due)) = taken {
            let by = Authority::new("operator-7", ["1".into()]);
            let hold = NewHold::on_customer(due, HoldGround::LegalClaim, "claim-1".parse().unwrap());
            engine.place_hold(&hold, &by).await.unwrap();
        }
        false
    }
    async fn after(&self, _: &'static str) -> bool {
        false
    }
}

#[tokio::test]
async fn a_hold_stops_the_case_before_anybody_is_told() {
    let telling = Telling::new(Partner::confirms("newsletter"), Partner::confirms("search"));
    let engine = telling.engine().await;
    let plan = approved(&engine, &telling.host.due, &request("clear")).await;
    let (holding, due) = (engine.clone(), telling.host.due.clone());
    let around = Holding(Mutex::new(Some((holding, due))));
    let store = SqliteStore::open(telling.host.path(), &SqlMap::from_toml(&map()).unwrap()).unwrap();
    let keys = hosts::keys_beside(&telling.host.folder.path().join("ledger.sqlite"));
    let policy = PolicyDocument::from_toml(&policy()).unwrap();
    let held = Engine::builder(Faulty::new(store, around), policy, telling.ledger(), keys)
        .gateway(telling.host.gateway.clone().unwrap())
        .recipient(Arc::clone(&telling.newsletter))
        .recipient(Arc::clone(&telling.search))
        .clock(Arc::clone(&telling.clock))
        .worker("two")
        .build()
        .unwrap();
    let outcome = held.erase(plan).await.unwrap();
    assert!(matches!(outcome, Outcome::Held { .. }), "{outcome}");
    assert!(telling.newsletter.heard().is_empty() && telling.search.heard().is_empty());
    assert!(!telling.is_erased());
}

#[tokio::test]
async fn the_letter_names_the_recipients_if_the_person_asks() {
    let telling = Telling::new(
        Partner::confirms("newsletter"),
        Partner::new(
            "search",
            RecipientOutcome::Retained { what: "logs".to_owned(), until: None },
            refused(),
        ),
    );
    let engine = telling.engine().await;
    let Outcome::Erased(certificate) = telling.erase(&engine).await else { panic!("not erased") };
    let told = certificate.letter_facts().recipients;
    assert_eq!(
        told,
        [
            ToldRecipient::new("newsletter", WhatWasTold::Told),
            ToldRecipient::new("search", WhatWasTold::Retained { until: None }),
            ToldRecipient::new("print", WhatWasTold::NotTold { reason: "the directory is on paper".into() }),
        ]
    );
    assert_eq!(certificate.outcome(), "erased in part");
    let head = letterhead(&engine).with_recipients(Recipients::Named);
    let request = letter::Request::new("R-1", "2026-11-20".parse().unwrap());
    let letter = letter::confirmation(&head, Some(&request), &certificate.letter_facts()).unwrap();
    let text = letter.to_string();
    for part in [
        "The recipients to whom your data were disclosed:",
        "**newsletter**: told of the erasure. Nothing of you is left there, it says.",
        "**search**: told of the erasure. It keeps a part of your data.",
        "**print**: not told. Reason: the directory is on paper.",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    // Without a question about the recipients, the letter offers to name them.
    let letter =
        letter::confirmation(&letterhead(&engine), Some(&request), &certificate.letter_facts()).unwrap();
    assert!(!letter.to_string().contains("newsletter"));
}

#[test]
fn a_map_and_a_policy_say_what_is_wrong_with_recipients() {
    let customer =
        || RecordClass::new("customer").field(Field::key("id")).field(Field::personal("mail", Kind::Email));
    let problems = DataMap::builder(customer())
        .recipient("ads", IdentifiedBy::kinds([Kind::Phone]))
        .recipient("maps", IdentifiedBy::kinds([Kind::City]))
        .recipient("none", IdentifiedBy::default())
        .build()
        .unwrap_err()
        .to_string();
    for part in [
        "recipients.ads: no field of this map holds phone",
        "recipients.maps: nobody is known by city alone",
        "recipients.none: names nothing by which the recipient knows a person",
    ] {
        assert!(problems.contains(part), "{part} is missing in\n{problems}");
    }
    let map = DataMap::builder(customer()).recipient("search", IdentifiedBy::key()).build().unwrap();
    let policy = |line: &str| {
        let text = format!(
            "version = 1\nsweep = false\n[triggers]\nrequested = {{ treatment = 'clear' }}\n\
             [guards]\nactive_subscription = {{ ignore = 'x' }}\n\
             several_tenants = {{ ignore = 'x' }}\nnot_archived = {{ ignore = 'x' }}\n\
             [anonymise]\nemail = 'remove'\n[treatments.clear]\ncustomer = 'delete'\n{line}"
        );
        PolicyDocument::from_toml(&text).and_then(|policy| policy.check(&map)).map(|_| ())
    };
    policy("recipient.search = 'tell'").unwrap();
    policy("recipient.search = { disproportionate = 'ten thousand people' }").unwrap();
    for (line, part) in [
        ("", "treatments.clear.recipient.search: is not covered"),
        (
            "recipient = { search = 'tell', serch = 'tell' }",
            "treatments.clear.recipient.serch: is no recipient of the data map",
        ),
        ("recipient.search = 'say'", "treatments.clear.recipient.search: is no rule for a recipient"),
        ("recipient.search = { impossible = 'a', disproportionate = 'b' }", "does not say why in one way"),
        ("recipient.search = { impossible = '' }", "is empty"),
    ] {
        let problems = policy(line).unwrap_err().to_string();
        assert!(problems.contains(part), "{part} is missing in\n{problems}");
    }
}

#[test]
fn an_engine_wants_one_adapter_for_each_recipient_that_is_told() {
    let telling = Telling::new(Partner::confirms("newsletter"), Partner::confirms("search"));
    let wire = Tripwire::at(NEVER);
    let problems = telling
        .builder(&wire)
        .lease(Duration::from_secs(1))
        .recipient(Arc::clone(&telling.search))
        .recipient(Arc::clone(&telling.search))
        .build()
        .unwrap_err()
        .to_string();
    for part in [
        "recipient newsletter: is to be told, and has no adapter",
        "recipient search: has two adapters",
        "recipient search: may take 1 s for one call, and a worker has a case for 1 s",
    ] {
        assert!(problems.contains(part), "{part} is missing in\n{problems}");
    }
}

/// A recipient with a maximum batch gets many people in several batches.
#[tokio::test]
async fn many_customers_are_told_about_in_as_few_calls_as_the_recipient_allows() {
    let telling = Telling::new(Partner::confirms("newsletter"), Partner::confirms("search"));
    let database = rusqlite::Connection::open(telling.host.path()).unwrap();
    database
        .execute_batch(
            "UPDATE subscriptions SET active = 0; UPDATE clients SET status = 'cancelled', stripe_id = NULL",
        )
        .unwrap();
    let faults = Arc::new(Faults::none());
    let engine = telling
        .builder(&Tripwire::at(NEVER))
        .recipient(Faulty::new(Arc::clone(&telling.newsletter), Arc::clone(&faults)))
        .recipient(Arc::clone(&telling.search))
        .build()
        .unwrap();
    engine.ensure_census().await.unwrap();
    let mut plans = Vec::new();
    for id in 1..=8 {
        plans.push(approved(&engine, &id.to_string().as_str().into(), &request("clear")).await);
    }
    let outcomes = engine.execute(plans).await.unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Erased(_))), "{outcomes:?}");
    assert_eq!((telling.newsletter.heard().len(), faults.calls("tell")), (8, 3), "three at a time");
    let ids: std::collections::BTreeSet<_> =
        telling.search.heard().iter().map(|notice| notice.id.clone()).collect();
    assert_eq!(ids.len(), 8, "each person has another id");
}

#[tokio::test]
async fn a_worker_waits_as_long_as_the_recipient_says() {
    let telling = Telling::new(Partner::confirms("newsletter"), Partner::accepts("search"));
    telling.search.answers(
        1,
        RecipientOutcome::Accepted {
            receipt: "job-7".into(),
            ask_again: Some(Duration::from_secs(10 * 86_400)),
            waits_for: None,
        },
    );
    let engine = telling.engine().await;
    telling.erase(&engine).await;
    let mut worker = engine.worker();
    assert_eq!(worker.turn().await.unwrap().waiting, 1);
    telling.search.answers(1, RecipientOutcome::Confirmed);
    telling.clock.turn(TimeDelta::days(9));
    let turned = worker.turn().await.unwrap();
    assert_eq!((turned.waiting, turned.ended), (0, 0), "too early");
    telling.clock.turn(TimeDelta::days(2));
    assert_eq!(worker.turn().await.unwrap().ended, 1);
}

fn letterhead(engine: &Engine) -> Letterhead {
    let controller = Controller::new("Fjord Broadband", "privacy@fjord.example");
    let office = Office::new("The authority", "Street 1");
    let day = "2026-11-22".parse().unwrap();
    Letterhead::new(engine.policy(), Language::English, controller, office, day).unwrap()
}
