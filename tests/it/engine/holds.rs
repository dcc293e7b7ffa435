//! Holds: a hold that is placed before a step stops this step, in every process on the ledger. When the hold is
//! lifted, the case can continue.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use relinquish::customer::{HoldGround, HoldKind, Status};
use relinquish::engine::{NewHold, PlannedExpiry};
use relinquish::gateway::{MemoryGateway, PaymentGatewayEraser, Review};
use relinquish::ledger::{CaseBook as _, Closing, Hold, HoldId, HoldOn, Ledger as _, WhichHolds};
use relinquish::plan::letter::LetterError;
use relinquish::plan::{ApprovedExpiry, Authority, BlockedBy, Decision, ReasonCode, RecordsOf};
use relinquish::policy::{Ground, Guard};
use relinquish::testing::{Faulty, Interfere, ManualClock};
use relinquish::{
    Approval, Asked, Engine, Error, Outcome, Planned, PolicyDocument, SqlMap, SqliteLedger, SqliteStore,
};
use rusqlite::Connection;

use crate::gateway::profile_cases::{csv_of, listing};
use crate::hosts::{self, Host, ResumeAll as _, approved, request};
use crate::shop::{CUSTOMERS, Shop};
use crate::words::letters;

/// The tenant of the quickstart's CRM.
const FJORD: &str = "1";

fn reference() -> ReasonCode {
    "file-2026-7".parse().unwrap()
}

fn operator() -> Authority {
    Authority::new("operator-7", [FJORD.into()])
}

fn on_customer(host: &Host) -> NewHold {
    NewHold::on_customer(host.due.clone(), HoldGround::LegalClaim, reference())
}

/// Records the boundaries of a run: before a call, or after it took effect. At one chosen boundary, something else
/// happens.
struct Trace {
    at: usize,
    passed: Mutex<Vec<(&'static str, &'static str)>>,
    meanwhile: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

/// The boundaries of one port.
struct Wire {
    before: &'static str,
    after: &'static str,
    trace: Arc<Trace>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Trace {
    fn never() -> Arc<Self> {
        Self::at(usize::MAX, async {})
    }

    fn at(at: usize, what: impl Future<Output = ()> + Send + 'static) -> Arc<Self> {
        Arc::new(Self { at, passed: Mutex::default(), meanwhile: Mutex::new(Some(Box::pin(what))) })
    }

    async fn pass(&self, when: &'static str, call: &'static str) {
        let passed = {
            let mut passed = self.passed.lock().unwrap();
            passed.push((when, call));
            passed.len() - 1
        };
        let meanwhile = if passed == self.at { self.meanwhile.lock().unwrap().take() } else { None };
        if let Some(what) = meanwhile {
            what.await;
        }
    }

    /// The boundaries from the chosen one up to the erasure of the records.
    fn until_erased(&self) -> Vec<(&'static str, &'static str)> {
        let passed = self.passed.lock().unwrap();
        let since = passed.iter().skip(self.at).copied();
        since.take_while(|boundary| *boundary != ("before the store", "erase")).collect()
    }
}

#[async_trait]
impl Interfere for Wire {
    async fn before(&self, call: &'static str) -> bool {
        self.trace.pass(self.before, call).await;
        false
    }

    async fn after(&self, call: &'static str) -> bool {
        self.trace.pass(self.after, call).await;
        false
    }
}

/// A separate process, with its own connections to the database and to the ledger.
fn process(host: &Host, name: &str, trace: &Arc<Trace>) -> Engine {
    let path = host.folder.path().join("ledger.sqlite");
    let store = SqliteStore::open(host.path(), &SqlMap::from_toml(hosts::CRM_MAP).unwrap()).unwrap();
    let policy = PolicyDocument::from_toml(&host.policy).unwrap();
    let wire = |before, after| Arc::new(Wire { before, after, trace: Arc::clone(trace) });
    let ledger = SqliteLedger::open(&path).unwrap();
    let ledger = Faulty::new(ledger, wire("before the ledger", "after the ledger"));
    let store = Faulty::new(store, wire("before the store", "after the store"));
    let gateway = host.gateway.clone().unwrap();
    Engine::builder(store, policy, ledger, hosts::keys_beside(&path))
        .gateway(Faulty::new(gateway, wire("before the gateway", "after the gateway")))
        .clock(ManualClock::at(hosts::now()))
        .worker(name)
        .build()
        .unwrap()
}

async fn counted(host: &Host, name: &str) -> Engine {
    let engine = process(host, name, &Trace::never());
    engine.ensure_census().await.unwrap();
    engine
}

fn ledger(host: &Host) -> SqliteLedger {
    SqliteLedger::open(host.folder.path().join("ledger.sqlite")).unwrap()
}

/// The state of the irreversible things: whether the profile is at the gateway, and the customer's own rows.
async fn irreversible(host: &Host) -> [String; 2] {
    let gateway = host.gateway.clone().unwrap();
    let profile = gateway.state(&"cus_000017".into()).await.unwrap();
    let connection = Connection::open(host.path()).unwrap();
    let row = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let values = row("SELECT coalesce(first_name, '') || email FROM clients WHERE id = 17");
    let calls = row("SELECT CAST(count(*) AS TEXT) FROM call_records WHERE client_id = 17");
    [format!("{profile:?}"), format!("{values} {calls}")]
}

#[tokio::test]
async fn a_hold_placed_at_any_moment_stops_the_next_irreversible_step_and_its_release_puts_the_case_back() {
    for everything in [false, true] {
        let (mut rested, mut too_late) = (0, 0);
        for boundary in (0..).step_by(if everything { 4 } else { 1 }) {
            let host = hosts::sqlite();
            let before = (host.dump)();
            let planner = counted(&host, "planner").await;
            let approved = approved(&planner, &host.due, &request("clear")).await;
            let new = if everything {
                NewHold::on_everything(HoldGround::Incident, reference())
            } else {
                on_customer(&host)
            };
            // Another process places the hold while the first process works.
            let placed = Arc::new(Mutex::new(None));
            let (place, kept, at) = (planner.clone(), Arc::clone(&placed), boundary);
            let gateway = host.gateway.clone().unwrap();
            let path = host.path();
            let trace = Trace::at(boundary, async move {
                let hold = place.place_hold(&new, &operator()).await.unwrap();
                let profile = format!("{:?}", gateway.state(&"cus_000017".into()).await.unwrap());
                let email: String = Connection::open(path)
                    .unwrap()
                    .query_row("SELECT email FROM clients WHERE id = 17", [], |row| row.get(0))
                    .unwrap();
                *kept.lock().unwrap() = Some((hold, profile, email));
            });
            let outcome = process(&host, "one", &trace).erase(approved).await;
            if trace.passed.lock().unwrap().len() <= boundary {
                break;
            }
            let (hold, profile, email) = placed.lock().unwrap().take().unwrap();
            match outcome.unwrap() {
                Outcome::Held { holds, .. } => {
                    rested += 1;
                    assert_eq!(holds, std::slice::from_ref(&hold.id), "at {at}");
                    // At most the step that was running was finished.
                    let [now, values] = irreversible(&host).await;
                    let finished = [now != profile, !values.contains(&email)];
                    assert!(!finished.iter().all(|finished| *finished), "at {at}: both were done after it");
                    // The case waits as long as the hold is in force, whichever process tries to continue it.
                    let still = irreversible(&host).await;
                    let outcomes = process(&host, "two", &Trace::never()).resumed().await;
                    assert!(matches!(outcomes[..], [Outcome::Held { .. }]), "at {at}: {outcomes:?}");
                    assert_eq!(irreversible(&host).await, still, "at {at}");
                    planner.lift_hold(&hold.id, &operator()).await.unwrap();
                    let outcomes = process(&host, "two", &Trace::never()).resumed().await;
                    assert!(matches!(outcomes[..], [Outcome::Erased(_)]), "at {at}: {outcomes:?}");
                }
                // The records were already erased, or the hold was placed after the last check of the holds before
                // the erasure.
                Outcome::Erased(_) => {
                    too_late += 1;
                    let between = trace.until_erased();
                    let is_erased = between.len() + boundary == trace.passed.lock().unwrap().len();
                    let looked = [("after the ledger", "standing_holds")];
                    assert!(is_erased || between.is_empty() || between == looked, "at {at}: {between:?}");
                }
                other => panic!("at {at}: {other}"),
            }
            let ledger = ledger(&host);
            let entries = ledger.entries(0, 100).await.unwrap();
            let closed = entries.iter().filter_map(|entry| entry.closed());
            let erased = closed.filter(|case| matches!(case.closing, Closing::Erased(_))).count();
            assert_eq!(erased, 1, "at {at}");
            assert!(ledger.list(None, 10).await.unwrap().is_empty(), "at {at}");
            host.check_erased(&before);
        }
        assert!(rested > 10 && too_late > 1, "{rested} held, {too_late} too late");
    }
}

#[tokio::test]
async fn a_held_customer_is_refused_on_the_ground_of_the_hold() {
    let host = hosts::sqlite();
    let engine = counted(&host, "one").await;
    let before = (host.dump)();
    let hold = engine.place_hold(&on_customer(&host), &operator()).await.unwrap();
    let Planned::Refused(blocked) = engine.plan(&host.due, &Asked::request()).await.unwrap() else {
        panic!("the customer is held")
    };
    let [by] = &blocked.by[..] else { panic!("{blocked:?}") };
    let BlockedBy { guard, ground, hold: of, data, .. } = by;
    assert_eq!(*guard, Some(Guard::Hold(HoldKind::LegalClaim)));
    assert_eq!(ground.map(Ground::as_str), Some("17(3)(e)"));
    assert_eq!((of.as_ref(), data.is_empty()), (Some(&hold.id), true));
    let decision = Decision::Blocked(blocked);
    let said = decision.to_string();
    assert!(said.contains(&format!("held for a legal claim (hold {})", hold.id)), "{said}");
    // The explanation says the same.
    let explained = engine.explain(&host.due, &Asked::request()).await.unwrap();
    assert_eq!(explained.decision, decision);
    // The other customers are not affected.
    assert!(matches!(engine.plan(&"5".into(), &Asked::request()).await.unwrap(), Planned::Plan(_)));
    assert_eq!((host.dump)(), before);
    engine.lift_hold(&hold.id, &operator()).await.unwrap();
    assert!(matches!(engine.plan(&host.due, &Asked::request()).await.unwrap(), Planned::Plan(_)));
}

/// The policy may ignore holds that the host's own database has. A hold that an operator places here always counts.
#[tokio::test]
async fn no_line_of_the_policy_lets_a_hold_pass_that_an_operator_placed() {
    let shop = Shop::new(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, held TEXT);
         INSERT INTO clients VALUES (1, 'Maud', 'restriction'), (2, 'Theo', 'restriction');",
        &format!("{CUSTOMERS}holds = 'held'\nfields = {{ name = 'name' }}\n"),
        "customer = 'anonymise'\n[guards.restriction]\nignore = 'asked for by nobody here'\n",
    );
    let engine = shop.engine();
    let by = Authority::new("op", ["here".into()]);
    let hold = NewHold::on_customer("2", HoldGround::Restriction, reference());
    engine.place_hold(&hold, &by).await.unwrap();
    assert!(matches!(engine.plan(&"1".into(), &Asked::request()).await.unwrap(), Planned::Plan(_)));
    assert!(matches!(engine.plan(&"2".into(), &Asked::request()).await.unwrap(), Planned::Refused(_)));
}

#[tokio::test]
async fn a_hold_on_a_tenant_holds_its_customers_and_nobody_else() {
    let host = hosts::sqlite_after(
        "INSERT INTO organisations (id, name) VALUES (2, 'Other'); UPDATE clients SET organisation_id = 2 WHERE id = 5;",
    );
    let engine = counted(&host, "one").await;
    let hold = NewHold::on_tenant(FJORD, HoldGround::AuthorityOrder, reference());
    let hold = engine.place_hold(&hold, &operator()).await.unwrap();
    assert!(matches!(engine.plan(&host.due, &Asked::request()).await.unwrap(), Planned::Refused(_)));
    assert!(matches!(engine.plan(&"5".into(), &Asked::request()).await.unwrap(), Planned::Plan(_)));
    engine.lift_hold(&hold.id, &operator()).await.unwrap();
    assert!(matches!(engine.plan(&host.due, &Asked::request()).await.unwrap(), Planned::Plan(_)));
}

/// A hold on invoices does not keep call records.
#[tokio::test]
async fn a_hold_on_record_classes_stops_only_treatments_that_touch_them() {
    let mut host = hosts::sqlite();
    host.policy.push_str(
        "\n[treatments.all_but_invoices]\ncustomer = \"anonymise\"\nsubscription = { keep = \"numbers\" }\n\
         delivery_address = \"delete\"\ncontact = \"anonymise\"\norder = \"anonymise\"\n\
         invoice = { keep = \"a claim is open\" }\ninvoice_line = { keep = \"turnover\" }\n\
         call_record = \"delete\"\nactivity = \"delete\"\ngateway.stripe = \"erase\"\n",
    );
    let engine = counted(&host, "one").await;
    let hold = on_customer(&host).classes(["invoice"]);
    let hold = engine.place_hold(&hold, &operator()).await.unwrap();
    let Planned::Refused(blocked) = engine.plan(&host.due, &request("clear")).await.unwrap() else {
        panic!("the treatment changes invoices")
    };
    assert_eq!(blocked.by[0].data, BTreeSet::from(["invoice".into()]));
    let said = Decision::Blocked(blocked).to_string();
    assert!(said.contains("on invoice)"), "{said}");
    let sql = "SELECT group_concat(billing_name) FROM invoices WHERE client_id = 17";
    let invoices =
        || -> String { Connection::open(host.path()).unwrap().query_row(sql, [], |row| row.get(0)).unwrap() };
    let before = invoices();
    let kept = approved(&engine, &host.due, &request("all_but_invoices")).await;
    let outcome = engine.erase(kept).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    assert_eq!(invoices(), before);
    let calls = hosts::sum(&host.path(), "SELECT count(*) FROM call_records WHERE client_id = 17");
    assert_eq!(calls, 0, "the hold does not keep them");
    // When the hold is lifted, the invoices are due.
    assert!(matches!(engine.plan(&host.due, &request("clear")).await.unwrap(), Planned::Refused(_)));
    engine.lift_hold(&hold.id, &operator()).await.unwrap();
    let outcome = engine.erase(approved(&engine, &host.due, &request("clear")).await).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    assert_ne!(invoices(), before);
}

/// The grounds of a hold on invoices do not cover the call records. So their erasure cannot be refused.
#[tokio::test]
async fn a_letter_refuses_on_the_ground_of_a_hold_only_what_it_covers() {
    let host = hosts::sqlite();
    let engine = counted(&host, "one").await;
    let letter = async || {
        let decision = engine.decide(&host.due, &Asked::request()).await.unwrap();
        letters::refusal(engine.policy(), &decision)
    };
    let part = engine.place_hold(&on_customer(&host).classes(["invoice"]), &operator()).await.unwrap();
    let error = letter().await.unwrap_err();
    assert!(
        matches!(&error, LetterError::Unfounded { classes } if classes.contains("call_record")),
        "{error}"
    );
    engine.lift_hold(&part.id, &operator()).await.unwrap();
    // A legal claim never needs all data, and the person has a right to know which data it needs.
    let whole = engine.place_hold(&on_customer(&host), &operator()).await.unwrap();
    let error = letter().await.unwrap_err();
    assert!(matches!(&error, LetterError::WhichData { .. }), "{error}");
    assert!(error.to_string().contains("or place the hold on them"), "{error}");
    engine.lift_hold(&whole.id, &operator()).await.unwrap();
    let classes: Vec<_> = engine.data_map().classes().map(|class| class.name().clone()).collect();
    let on_each = engine.place_hold(&on_customer(&host).classes(classes), &operator()).await.unwrap();
    let text = letter().await.unwrap();
    assert!(text.contains("legal claim"), "{text}");
    engine.lift_hold(&on_each.id, &operator()).await.unwrap();
    // An incident is not a ground for a refusal, so the clock of the request continues.
    let stop = NewHold::on_everything(HoldGround::Incident, reference());
    engine.place_hold(&stop, &operator()).await.unwrap();
    let error = letter().await.unwrap_err();
    assert!(matches!(error, LetterError::NoGround), "{error}");
}

#[tokio::test]
async fn nothing_of_the_customer_is_left_of_a_hold_that_was_lifted_but_the_token() {
    let host = hosts::sqlite_after(
        "INSERT INTO clients (id, organisation_id, first_name, last_name, email, password_hash, status, created_at)
         VALUES (70000017, 1, 'A', 'B', 'a@b.example', '!', 'active', '2024-01-01 00:00:00');",
    );
    let engine = counted(&host, "one").await;
    let hold = NewHold::on_customer("70000017", HoldGround::LegalClaim, reference());
    let hold = engine.place_hold(&hold, &operator()).await.unwrap();
    let rows = || -> String {
        let connection = Connection::open(host.folder.path().join("ledger.sqlite")).unwrap();
        let sql = "SELECT id || ' ' || coalesce(key, '') || ' ' || body FROM hold";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert!(rows().contains("70000017"));
    assert!(!format!("{hold:?}").contains("70000017"), "its Debug shows nobody");
    let lifted = engine.lift_hold(&hold.id, &operator()).await.unwrap();
    assert!(!rows().contains("70000017"), "{}", rows());
    let HoldOn::Subject { subject, .. } = &lifted.on else { panic!("{lifted:?}") };
    assert!(rows().contains(&subject.to_string()) && rows().contains("file-2026-7"));
    // When the write-ahead log is empty, the files contain no byte of it.
    drop(engine);
    let ledger = ledger(&host);
    assert!(ledger.standing_holds_of("70000017").await.is_empty());
    drop(ledger);
    // The ledger's thread closes the file a moment after the ledger is dropped, and then the log goes.
    let log = host.folder.path().join("ledger.sqlite-wal");
    for _ in 0..500 {
        if !log.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(!log.exists(), "the last connection removes the log");
    for file in std::fs::read_dir(host.folder.path()).unwrap().map(|file| file.unwrap().path()) {
        if file.file_name().unwrap().to_string_lossy().starts_with("ledger.sqlite") {
            let bytes = std::fs::read(&file).unwrap();
            assert!(!bytes.windows(8).any(|window| window == b"70000017"), "{}", file.display());
        }
    }
}

trait StandingHoldsOf {
    async fn standing_holds_of(&self, customer: &str) -> Vec<Hold>;
}

impl StandingHoldsOf for SqliteLedger {
    async fn standing_holds_of(&self, customer: &str) -> Vec<Hold> {
        use relinquish::ledger::HoldBook as _;
        let key = format!("[\"customer\",\"{FJORD}\",\"{customer}\"]");
        self.standing_holds(&BTreeSet::from([key])).await.unwrap()
    }
}

#[tokio::test]
async fn an_expiry_leaves_what_is_held_and_takes_it_when_the_hold_is_lifted() {
    let host = hosts::sqlite_after(
        "UPDATE call_records SET started_at = '2024-01-02 10:00:00' WHERE client_id IN (3, 4) AND seconds > 200",
    );
    let engine = counted(&host, "one").await;
    let expire = async || {
        let PlannedExpiry::Plan(plan) = engine.plan_expiry([FJORD.into()]).await.unwrap() else {
            panic!("records expire")
        };
        let now = hosts::now();
        let approval = Approval::new("op", [FJORD.into()], plan.digest(), now, TimeDelta::hours(1));
        let approved: ApprovedExpiry = plan.approve(approval).unwrap();
        engine.expire(&approved).await.unwrap()
    };
    let old = |id: u32| {
        let sql =
            format!("SELECT count(*) FROM call_records WHERE client_id = {id} AND started_at < '2024-11-20'");
        hosts::sum(&host.path(), &sql)
    };
    let (held_id, free) = (3, 4);
    assert!(old(held_id) > 0 && old(free) > 0);
    // A hold on the invoices does not keep the calls: the expiry does not touch invoices.
    let invoices = NewHold::on_customer(held_id.to_string(), HoldGround::LegalClaim, reference());
    let invoices = engine.place_hold(&invoices.classes(["invoice"]), &operator()).await.unwrap();
    let calls = NewHold::on_customer(free.to_string(), HoldGround::LegalClaim, reference());
    let calls = engine.place_hold(&calls.classes(["call_record"]), &operator()).await.unwrap();
    let outcome = expire().await;
    let expired = outcome.expired().unwrap();
    let of = &expired.of[&RecordsOf::Tenant(FJORD.into())];
    assert_eq!(of.held.get("hold legal_claim"), Some(&1), "{of:?}");
    assert_eq!((old(held_id), old(free) > 0), (0, true));
    for hold in [invoices.id, calls.id] {
        engine.lift_hold(&hold, &operator()).await.unwrap();
    }
    expire().await;
    assert_eq!(old(free), 0);
}

#[tokio::test]
async fn the_emergency_stop_halts_an_expiry() {
    let host = hosts::sqlite_after(
        "UPDATE call_records SET started_at = '2024-01-02 10:00:00' WHERE client_id = 3 AND seconds > 200",
    );
    let engine = counted(&host, "one").await;
    let PlannedExpiry::Plan(plan) = engine.plan_expiry([FJORD.into()]).await.unwrap() else {
        panic!("records expire")
    };
    let approval = Approval::new("op", [FJORD.into()], plan.digest(), hosts::now(), TimeDelta::hours(1));
    let approved: ApprovedExpiry = plan.approve(approval).unwrap();
    let stop = NewHold::on_everything(HoldGround::Incident, reference());
    // Anybody may stop everything.
    let stop = engine.place_hold(&stop, &Authority::new("night-shift", [])).await.unwrap();
    let before = (host.dump)();
    let outcome = engine.expire(&approved).await.unwrap();
    assert!(matches!(&outcome, Outcome::Held { holds, .. } if *holds == [stop.id.clone()]), "{outcome}");
    assert!(outcome.to_string().contains("rests before expire"), "{outcome}");
    assert_eq!((host.dump)(), before);
    engine.lift_hold(&stop.id, &operator()).await.unwrap();
    let outcomes = engine.resumed().await;
    assert!(matches!(outcomes[..], [Outcome::Expired(_)]), "{outcomes:?}");
    assert_ne!((host.dump)(), before);
}

#[tokio::test]
async fn a_profile_of_a_held_customer_stays_at_the_gateway() {
    let shop = crate::gateways::Shop::new(&[("1", &[])]);
    shop.put("2", Status::Archived, &[("stripe", "cus_2")]);
    let gateway = Arc::new(MemoryGateway::new("stripe"));
    gateway.insert("cus_2", Some("2".into()), 0);
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(folder.path().join("ledger.sqlite")).unwrap();
    let other: Arc<dyn PaymentGatewayEraser> = Arc::new(MemoryGateway::new("authorize_net"));
    let builder = shop.builder_with(Arc::new(ledger));
    let engine = builder.gateway(Arc::clone(&gateway)).gateway(other).build().unwrap();
    let csv = csv_of(&engine, &listing(&[("cus_2", Some("2"))])).await;
    let review = Review::from_csv(csv.replace("\n,stripe", "\nerase,stripe").as_bytes()).unwrap();
    let approval = Approval::new("op", ["shop".into()], review.digest(), hosts::now(), TimeDelta::hours(1));
    let review = review.approve(approval).unwrap();
    let by = Authority::new("op", ["shop".into()]);
    let hold = NewHold::on_customer("2", HoldGround::Restriction, reference());
    let hold = engine.place_hold(&hold, &by).await.unwrap();
    let outcomes = engine.erase_profiles(&review).await.unwrap();
    assert!(matches!(outcomes[0].outcome, Outcome::Held { .. }), "{}", outcomes[0].outcome);
    assert!(format!("{:?}", gateway.state(&"cus_2".into()).await.unwrap()).contains("Present"));
    engine.lift_hold(&hold.id, &by).await.unwrap();
    let outcomes = engine.resumed().await;
    assert!(matches!(outcomes[..], [Outcome::Profile { .. }]), "{outcomes:?}");
    assert!(!format!("{:?}", gateway.state(&"cus_2".into()).await.unwrap()).contains("Present"));
}

#[tokio::test]
async fn bad_input_places_nothing_and_says_the_way_out() {
    let host = hosts::sqlite();
    let engine = counted(&host, "one").await;
    let customer = |id: &str| NewHold::on_customer(id, HoldGround::LegalClaim, reference());
    let tenant = |id: &str| NewHold::on_tenant(id, HoldGround::LegalClaim, reference());
    let stranger = Authority::new("op", ["elsewhere".into()]);
    let wide = Authority::new("op", [FJORD.into(), "fjord".into()]);
    for (new, by, says) in [
        (customer("4711"), operator(), "there is no such customer"),
        (customer("17").classes(["invoices"]), operator(), "no record class invoices; did you mean invoice?"),
        (customer("17"), stranger.clone(), "elsewhere"),
        (tenant(FJORD), stranger.clone(), "authority"),
        (tenant("fjord"), wide, "no customer of the store has this tenant"),
        (customer("17"), Authority::new("maud@example.org", [FJORD.into()]), "e-mail"),
    ] {
        let error = engine.place_hold(&new, &by).await.unwrap_err();
        let text = error.to_string();
        let fits = text.contains(says) || says == "elsewhere" && matches!(error, Error::Approval(_));
        assert!(fits, "{text} does not say {says}");
    }
    assert!(engine.holds(WhichHolds::All, None, 10).await.unwrap().is_empty());
    let error = engine.lift_hold(&HoldId::new("none"), &operator()).await.unwrap_err();
    assert!(matches!(error, Error::NoSuchHold { .. }), "{error}");
    let hold = engine.place_hold(&customer("17"), &operator()).await.unwrap();
    let error = engine.lift_hold(&hold.id, &stranger).await.unwrap_err();
    assert!(matches!(error, Error::Approval(_)), "{error}");
    // Lifting a hold a second time returns the first lifting.
    let first = engine.lift_hold(&hold.id, &operator()).await.unwrap();
    assert_eq!(engine.lift_hold(&hold.id, &operator()).await.unwrap(), first);
}
