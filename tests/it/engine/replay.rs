//! After a restore, the customers who were erased after the backup are erased again, and no other customer is
//! touched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use relinquish::engine::{CaughtUp, NotReplayed, PlannedReplay, RestoredFrom, ToldApart, WhyNotReplayed};
use relinquish::ledger::{KeyRingError, Ledger as _, MemoryKeyRing, MemoryLedger, TokenKey};
use relinquish::plan::{MandateKind, ReplayPlan};
use relinquish::policy::Trigger;
use relinquish::store::sql::{MARK_TABLE, Note};
use relinquish::testing::ManualClock;
use relinquish::{
    Approval, Asked, Engine, Error, Outcome, Planned, PolicyDocument, SqlMap, SqliteLedger, SqliteStore,
};
use rusqlite::Connection;

use crate::hosts::{self, BuildCounted as _};

const SCHEMA: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, email TEXT, joined TEXT, seen TEXT, plans INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, note TEXT, made TEXT);
    CREATE TABLE messages (id INTEGER PRIMARY KEY, sender INTEGER REFERENCES clients, recipient INTEGER REFERENCES clients, body TEXT);
    CREATE TABLE calls (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients, number TEXT, made TEXT);";

const MAP: &str = "version = 1
[customers]
table = 'clients'
key = 'id'
tenant = { is = 'here' }
registered = 'joined'
active_subscriptions = 'plans'
dates.seen = 'seen'
deactivate = { none = 'no status' }
fields = { name = 'name', email = 'email' }
[records.order]
table = 'orders'
owner = 'client'
fields = { note = 'free_text', made = 'not personal' }
[records.message]
table = 'messages'
shared = ['sender', 'recipient']
ends = { sender = 'clear', recipient = 'clear' }
nobody = 'both have left'
fields = { body = 'free_text' }
[records.call]
table = 'calls'
owner = 'client'
nobody = 'of those who have left'
fields = { number = 'phone', made = 'not personal' }
";

const POLICY: &str = "version = 1
sweep = true
[triggers]
requested = { treatment = 'clear' }
inactive = { after = '3 years', since = ['seen'], treatment = 'remove' }
[guards]
active_subscription = 'block'
several_tenants = { ignore = 'one' }
not_archived = { ignore = 'none' }
[anonymise]
name = { placeholder = 'Anonymised {date}' }
email = 'token'
free_text = 'remove'
phone = 'remove'
[treatments.clear]
customer = 'anonymise'
order = 'anonymise'
message = 'delete'
call = 'anonymise'
[treatments.remove]
customer = 'delete'
order = 'delete'
message = 'delete'
call = 'delete'
[expire]
call = { from = 'made', after = '1 year', action = 'anonymise' }
";

/// A shop with a ledger that is never restored.
struct Shop {
    folder: tempfile::TempDir,
    ledger: Arc<MemoryLedger>,
    clock: Arc<ManualClock>,
    map: String,
    policy: String,
    /// Whether the database has a mark.
    marked: bool,
}

impl Shop {
    fn new(rows: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shop = Self {
            folder,
            ledger: Arc::new(MemoryLedger::new()),
            clock: Arc::new(ManualClock::at(hosts::now())),
            map: MAP.to_owned(),
            policy: POLICY.to_owned(),
            marked: true,
        };
        shop.sql(&format!("{SCHEMA}\n{MARK_TABLE};\n{rows}"));
        shop
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("shop.sqlite")
    }

    fn sql(&self, sql: &str) {
        Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
    }

    fn text(&self, sql: &str) -> String {
        let connection = Connection::open(self.path()).unwrap();
        connection
            .query_row(sql, [], |row| row.get::<_, Option<String>>(0))
            .unwrap_or_default()
            .unwrap_or_default()
    }

    fn engine_on(&self, path: &Path) -> Engine {
        let store = Arc::new(SqliteStore::open(path, &SqlMap::from_toml(&self.map).unwrap()).unwrap());
        let policy = PolicyDocument::from_toml(&self.policy).unwrap();
        let builder = Engine::builder(Arc::clone(&store), policy, Arc::clone(&self.ledger), hosts::keys())
            .clock(Arc::clone(&self.clock));
        let builder = if self.marked { builder.mark(store) } else { builder };
        builder.counted().unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn engine(&self) -> Engine {
        self.engine_on(&self.path())
    }

    /// Makes a copy of the database.
    fn back_up(&self, name: &str) -> PathBuf {
        let copy = self.folder.path().join(name);
        self.sql(&format!("VACUUM INTO '{}'", copy.display()));
        copy
    }

    /// Replaces the database by a copy.
    fn restore(&self, copy: &Path) {
        for file in ["", "-wal", "-shm"] {
            let path = format!("{}{file}", self.path().display());
            if Path::new(&path).exists() {
                std::fs::remove_file(path).unwrap();
            }
        }
        std::fs::copy(copy, self.path()).unwrap();
    }
}

/// Erases a customer if there is something to erase. Returns whether there was.
async fn erase(engine: &Engine, clock: &ManualClock, customer: u64, asked: Asked) -> bool {
    let plan = match engine.plan(&customer.to_string().as_str().into(), &asked).await {
        Ok(Planned::Plan(plan)) => plan,
        Ok(_) | Err(Error::NoSuchCustomer) => return false,
        Err(error) => panic!("{error}"),
    };
    let approval =
        Approval::new("operator-7", ["here".into()], plan.digest(), clock.now(), TimeDelta::hours(1));
    let outcome = engine.erase(plan.approve(approval).unwrap()).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    true
}

async fn carry_out(engine: &Engine, replay: ReplayPlan, now: DateTime<Utc>) -> Vec<Outcome> {
    let approval = Approval::new("operator-9", ["here".into()], replay.digest(), now, TimeDelta::hours(1));
    let outcomes = engine.execute(replay.approve(&approval).unwrap()).await.unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Erased(_))), "{outcomes:?}");
    outcomes
}

/// Plans, approves and executes until nothing is left.
async fn replay(engine: &Engine, clock: &ManualClock, from: RestoredFrom) -> usize {
    let mut customers = 0;
    loop {
        let planned = engine.finish_replay(from).await.unwrap();
        assert!(planned.refused.is_empty(), "{planned}");
        if planned.is_nothing() {
            return customers;
        }
        customers += planned.plan.of().len();
        carry_out(engine, planned.plan, clock.now()).await;
        for plan in planned.expiries {
            let approval =
                Approval::new("operator-9", ["here".into()], plan.digest(), clock.now(), TimeDelta::hours(1));
            engine.expire(&plan.approve(approval).unwrap()).await.unwrap();
        }
    }
}

/// Every cell of the customers' tables: by table, key and column.
fn cells(path: &Path) -> BTreeMap<(String, i64, String), String> {
    let connection = Connection::open(path).unwrap();
    let mut cells = BTreeMap::new();
    for table in ["clients", "orders", "messages", "calls"] {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let name = |n| statement.column_name(n).unwrap().to_owned();
        let names: Vec<String> = (0..statement.column_count()).map(name).collect();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for (n, name) in names.iter().enumerate().skip(1) {
                let value = format!("{:?}", row.get::<_, rusqlite::types::Value>(n).unwrap());
                cells.insert((table.to_owned(), row.get(0).unwrap(), name.clone()), value);
            }
        }
    }
    cells
}

/// The same, but an erased cell is shown only as erased, because each erasure writes another token, and a placeholder
/// with another day.
fn as_erased(value: &str) -> &str {
    if value.contains("erased-") {
        "a token"
    } else if value.contains("Anonymised ") {
        "a placeholder"
    } else {
        value
    }
}

#[derive(Clone, Debug)]
enum Act {
    /// Adds a customer with an order and a message to another customer.
    Join {
        to: u64,
    },
    Clear(u64),
    Remove(u64),
    Expire,
}

fn act(erases_only: bool) -> impl Strategy<Value = Act> {
    let customer = 1..7_u64;
    let join = (1..7_u64).prop_map(|to| Act::Join { to });
    prop_oneof![
        if erases_only { 0 } else { 4 } => join,
        3 => customer.clone().prop_map(Act::Clear),
        2 => customer.prop_map(Act::Remove),
        1 => Just(Act::Expire),
    ]
}

async fn expire(engine: &Engine, clock: &ManualClock) {
    if let relinquish::engine::PlannedExpiry::Plan(plan) = engine.plan_expiry(["here".into()]).await.unwrap()
    {
        let approval =
            Approval::new("operator-9", ["here".into()], plan.digest(), clock.now(), TimeDelta::hours(1));
        engine.expire(&plan.approve(approval).unwrap()).await.unwrap();
    }
}

async fn perform(shop: &Shop, engine: &Engine, act: &Act) {
    shop.clock.turn(TimeDelta::hours(20));
    match act {
        Act::Join { to } => {
            let (joined, old) =
                (shop.clock.now().to_rfc3339(), (shop.clock.now() - TimeDelta::days(365)).to_rfc3339());
            shop.sql(&format!(
                "INSERT INTO clients (name, email, joined) VALUES ('Anna', 'a@x.test', '{joined}');
                 INSERT INTO orders (client, note, made) SELECT max(id), 'for Anna', '{joined}' FROM clients;
                 INSERT INTO calls (client, number, made) SELECT max(id), '0701', '{old}' FROM clients;
                 INSERT INTO messages (sender, recipient, body)
                     SELECT max(id), (SELECT id FROM clients WHERE id = {to}), 'Hello' FROM clients;"
            ));
        }
        Act::Clear(customer) => {
            erase(engine, &shop.clock, *customer, hosts::request("clear")).await;
        }
        Act::Remove(customer) => {
            erase(engine, &shop.clock, *customer, hosts::request("remove")).await;
        }
        // Without customers it is unknown whether the tenant exists.
        Act::Expire if shop.text("SELECT count(*) || '' FROM clients") != "0" => {
            expire(engine, &shop.clock).await;
        }
        Act::Expire => {}
    }
}

/// The number of histories: `RELINQUISH_HISTORIES=2000 cargo test --release --all-features --test it -- equals_its_twin`.
fn histories() -> u32 {
    std::env::var("RELINQUISH_HISTORIES").ok().and_then(|number| number.parse().ok()).unwrap_or(32)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: histories(), failure_persistence: None, ..ProptestConfig::default() })]

    /// A database is restored at a random point of a random history, and then replayed. It equals its twin, which was
    /// never restored.
    #[test]
    fn a_restored_database_equals_its_twin(
        before in prop::collection::vec(act(false), 1..14), after in prop::collection::vec(act(true), 0..6), by_mark: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let shop = Shop::new("");
            let engine = shop.engine();
            assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::Yes);
            for act in &before {
                perform(&shop, &engine, act).await;
            }
            let backed_up_at = shop.clock.now();
            let copy = shop.back_up("copy.sqlite");
            let old = cells(&copy);
            for act in &after {
                perform(&shop, &engine, act).await;
            }
            drop(engine);
            let twin = cells(&shop.path());
            shop.restore(&copy);
            shop.clock.turn(TimeDelta::days(2));
            let engine = shop.engine();
            let from = if by_mark { RestoredFrom::Mark } else { RestoredFrom::Backup(backed_up_at) };
            replay(&engine, &shop.clock, from).await;
            prop_assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::Yes);
            let replayed = cells(&shop.path());
            prop_assert_eq!(
                replayed.iter().map(|(cell, value)| (cell, as_erased(value))).collect::<Vec<_>>(),
                twin.iter().map(|(cell, value)| (cell, as_erased(value))).collect::<Vec<_>>()
            );
            for (cell, value) in replayed.iter().filter(|(_, value)| value.contains("Anonymised ")) {
                if old.get(cell).is_some_and(|old| old.contains("Anonymised ")) {
                    prop_assert_eq!(value, &old[cell], "a placeholder keeps its first day");
                }
            }
            Ok(())
        })?;
    }
}

const THREE: &str = "INSERT INTO clients (id, name, email, joined, seen) VALUES
        (1, 'Anna', 'a@x.test', '2019-01-01', NULL), (2, 'Bo', 'b@x.test', '2019-01-02', '2020-01-01'), (3, 'Cilla', 'c@x.test', '2019-01-03', NULL);
    INSERT INTO orders VALUES (1, 1, 'for Anna', '2026-01-01'), (2, 2, 'for Bo', '2026-01-01'), (3, 3, 'for Cilla', '2026-01-01');";

/// Anna was erased on request, and Bo by a sweep. Then the backup was restored.
async fn restored() -> Shop {
    restored_with(MAP).await
}

async fn restored_with(map: &str) -> Shop {
    let mut shop = Shop::new(THREE);
    map.clone_into(&mut shop.map);
    let copy = {
        let engine = shop.engine();
        assert!(erase(&engine, &shop.clock, 3, Asked::request()).await);
        let copy = shop.back_up("copy.sqlite");
        shop.clock.turn(TimeDelta::days(1));
        assert!(erase(&engine, &shop.clock, 1, Asked::request()).await);
        assert!(erase(&engine, &shop.clock, 2, Asked::Sweep).await);
        assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::Yes);
        copy
    };
    shop.restore(&copy);
    shop
}

#[tokio::test]
async fn a_restored_database_says_so_until_the_replay_is_through() {
    let shop = restored().await;
    let engine = shop.engine();
    assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::No { cases: 2 });
    let planned = engine.plan_replay(RestoredFrom::Mark).await.unwrap();
    let says = planned.to_string();
    assert!(says.contains("2 customers to erase again"), "{says}");
    assert!(says.contains("here, treatment remove: 1 customer"), "{says}");
    // The trigger is still that of the closed case.
    let triggers: Vec<(&str, Trigger)> =
        planned.plan.of().iter().map(|(_, plan)| (plan.customer().as_str(), plan.trigger())).collect();
    assert_eq!(triggers, [("1", Trigger::Requested), ("2", Trigger::Inactive)]);
    // A replay of only one of them is not complete: the mark stays, and the other customer is still there.
    let (first, all) = (planned.plan.of()[0].clone(), planned.plan.clone());
    carry_out(&engine, ReplayPlan::new(vec![first]), shop.clock.now()).await;
    assert!(matches!(engine.caught_up().await.unwrap(), CaughtUp::No { .. }));
    let left = engine.finish_replay(RestoredFrom::Mark).await.unwrap();
    assert_eq!(left.plan.of().len(), 1, "{left}");
    assert!(matches!(engine.caught_up().await.unwrap(), CaughtUp::No { .. }));
    assert_eq!(shop.text("SELECT name FROM clients WHERE id = 2"), "Bo");
    carry_out(&engine, left.plan, shop.clock.now()).await;
    assert!(engine.finish_replay(RestoredFrom::Mark).await.unwrap().is_nothing());
    assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::Yes);
    assert_eq!(shop.text("SELECT group_concat(id) FROM clients"), "1,3");
    // An approval of a replay is for exactly these plans.
    let approval =
        Approval::new("operator-9", ["here".into()], all.digest(), shop.clock.now(), TimeDelta::hours(1));
    assert!(ReplayPlan::new(Vec::new()).approve(&approval).is_err());
    // The ledger records what was replayed.
    let entries = shop.ledger.entries(0, usize::MAX).await.unwrap();
    let replays: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry.closed())
        .filter(|closed| matches!(closed.under().mandate, MandateKind::Replay { .. }))
        .map(|closed| closed.erasure().unwrap().trigger)
        .collect();
    assert_eq!(replays, [Trigger::Requested, Trigger::Inactive]);
}

/// Lost or destroyed keys: a replay that cannot recognise customers never counts as complete.
#[tokio::test]
async fn a_replay_without_the_keys_says_whom_it_cannot_recognise() {
    let shop = restored().await;
    let with = |keys: MemoryKeyRing| {
        let store = Arc::new(SqliteStore::open(shop.path(), &SqlMap::from_toml(MAP).unwrap()).unwrap());
        let policy = PolicyDocument::from_toml(&shop.policy).unwrap();
        let builder = Engine::builder(Arc::clone(&store), policy, Arc::clone(&shop.ledger), keys);
        builder.clock(Arc::clone(&shop.clock)).mark(store).build().unwrap()
    };
    // Lost keys: a different key ring does not belong to this ledger.
    let other = MemoryKeyRing::new(TokenKey::new([1; 32]));
    let error = with(other).plan_replay(RestoredFrom::Mark).await.unwrap_err();
    assert!(matches!(error, Error::Keys(KeyRingError::KeyMismatch { epoch: 1 })), "{error}");
    // Keys that were destroyed on purpose: nobody of that epoch is found, and the mark stays.
    let destroyed = hosts::keys().with_next(TokenKey::new([2; 32])).without(1);
    let engine = with(destroyed);
    let planned = engine.finish_replay(RestoredFrom::Mark).await.unwrap();
    assert_eq!((planned.plan.of().len(), planned.unrecognised), (0, 2), "{planned}");
    assert!(
        !planned.is_nothing() && planned.to_string().contains("2 closed cases, whose key was destroyed"),
        "{planned}"
    );
    assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::No { cases: 2 });
    // When the keys are there again, everybody is found.
    let engine = with(hosts::keys());
    assert_eq!(engine.plan_replay(RestoredFrom::Mark).await.unwrap().plan.of().len(), 2);
}

/// Work that happens before the replay must not hide what the replay has to do.
#[tokio::test]
async fn an_erasure_before_the_replay_does_not_raise_the_mark() {
    let shop = restored().await;
    let engine = shop.engine();
    shop.sql("INSERT INTO clients (id, name, email, joined) VALUES (9, 'Dan', 'd@x.test', '2026-01-01')");
    assert!(erase(&engine, &shop.clock, 9, Asked::request()).await);
    assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::No { cases: 3 });
    assert_eq!(replay(&engine, &shop.clock, RestoredFrom::Mark).await, 2);
    assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::Yes);
    // After the replay, the mark is raised again.
    shop.sql("INSERT INTO clients (id, name, email, joined) VALUES (10, 'Eva', 'e@x.test', '2026-01-01')");
    assert!(erase(&engine, &shop.clock, 10, Asked::request()).await);
    assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::Yes);
}

/// The database is restored while the engine runs. The next erasure notices this.
#[tokio::test]
async fn a_restore_below_a_running_engine_does_not_raise_the_mark() {
    let shop = Shop::new(THREE);
    let engine = shop.engine();
    assert_eq!(shop.text("SELECT entry || '' FROM relinquish_mark"), "");
    assert!(erase(&engine, &shop.clock, 1, Asked::request()).await);
    assert_ne!(shop.text("SELECT entry || '' FROM relinquish_mark"), "0");
    // Like a restore of single rows: the mark and Anna's row are as before.
    shop.sql(
        "DELETE FROM relinquish_mark; UPDATE clients SET name = 'Anna', email = 'a@x.test' WHERE id = 1",
    );
    assert!(erase(&engine, &shop.clock, 2, Asked::request()).await);
    assert_eq!(shop.text("SELECT count(*) || '' FROM relinquish_mark"), "0");
    assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::Unknown);
}

#[tokio::test]
async fn somebody_else_with_the_row_id_is_left_alone() {
    let shop = restored().await;
    shop.sql("UPDATE clients SET joined = '2026-02-02', name = 'Stranger' WHERE id = 1");
    let engine = shop.engine();
    assert_eq!(replay(&engine, &shop.clock, RestoredFrom::Mark).await, 1);
    assert_eq!(shop.text("SELECT name FROM clients WHERE id = 1"), "Stranger");
    assert_eq!(shop.text("SELECT count(*) || '' FROM clients WHERE id = 2"), "0");
}

/// A later customer with the number of a deleted one was erased as that one.
#[tokio::test]
async fn without_a_registration_nobody_is_erased_for_the_number_of_a_deleted_row() {
    let map = MAP.replace("registered = 'joined'\n", "fields.joined = 'not personal'\n").replace(
        "fields = { name = 'name', email = 'email' }\n[records.order]",
        "fields.name = 'name'\nfields.email = 'email'\n[records.order]",
    );
    let shop = restored_with(&map).await;
    let notes = SqliteStore::open(shop.path(), &SqlMap::from_toml(&map).unwrap()).unwrap().notes().to_vec();
    assert!(matches!(&notes[0], Note::ReusedIds { .. }), "{notes:?}");
    assert!(notes[0].to_string().contains("write customers.registered"), "{}", notes[0]);
    shop.sql("UPDATE clients SET name = 'Stranger' WHERE id = 2");
    let engine = shop.engine();
    // The row of customer 1 was never deleted, so nobody else can have that number.
    let planned = engine.plan_replay(RestoredFrom::Mark).await.unwrap();
    assert_eq!(planned.plan.of().len(), 1);
    let [NotReplayed { customer, why: WhyNotReplayed::CannotBeToldApart, .. }] = &planned.refused[..] else {
        panic!("{planned}");
    };
    assert_eq!(customer.as_str(), "2");
    assert!(planned.to_string().contains("this may be somebody else"), "{planned}");
    carry_out(&engine, planned.plan, shop.clock.now()).await;
    assert!(!engine.finish_replay(RestoredFrom::Mark).await.unwrap().is_nothing());
    // A person looks, and says who that is.
    let same = ToldApart::default().same("2");
    assert_eq!(engine.plan_replay_told(RestoredFrom::Mark, &same).await.unwrap().plan.of().len(), 1);
    let other = ToldApart::default().other("2");
    assert!(engine.finish_replay_told(RestoredFrom::Mark, &other).await.unwrap().is_nothing());
    assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::Yes);
    assert_eq!(shop.text("SELECT name FROM clients WHERE id = 2"), "Stranger");
}

#[tokio::test]
async fn what_cannot_be_replayed_is_named() {
    // A guard blocks because of the restored facts.
    let shop = restored().await;
    shop.sql("UPDATE clients SET plans = 1 WHERE id = 1");
    let engine = shop.engine();
    let planned = engine.plan_replay(RestoredFrom::Mark).await.unwrap();
    let why = |planned: &PlannedReplay| {
        planned.refused.iter().map(|refused| refused.why.clone()).collect::<Vec<_>>()
    };
    assert!(matches!(&why(&planned)[..], [WhyNotReplayed::Decided(_)]), "{planned}");
    assert!(planned.to_string().contains("cannot be erased again: customer 1, case"), "{planned}");
    drop(engine);

    // The treatment does less now, or does not exist any more.
    let mut shop = restored().await;
    shop.policy = POLICY.replace("order = 'anonymise'", "order = { keep = 'needed for tax' }");
    let planned = shop.engine().plan_replay(RestoredFrom::Mark).await.unwrap();
    assert!(matches!(&why(&planned)[..], [WhyNotReplayed::Less(_)]), "{planned}");
    assert!(planned.to_string().contains("order.note was erased, and would stay now"), "{planned}");
    shop.policy = POLICY
        .replace("[treatments.remove]", "[treatments.away]")
        .replace("treatment = 'remove'", "treatment = 'away'");
    let planned = shop.engine().plan_replay(RestoredFrom::Mark).await.unwrap();
    assert!(matches!(&why(&planned)[..], [WhyNotReplayed::NoTreatment(_)]), "{planned}");
    // A treatment that does more is carried out.
    shop.policy = POLICY.replace(
        "[treatments.clear]\ncustomer = 'anonymise'\norder = 'anonymise'",
        "[treatments.clear]\ncustomer = 'anonymise'\norder = 'delete'",
    );
    let engine = shop.engine();
    assert_eq!(replay(&engine, &shop.clock, RestoredFrom::Mark).await, 2);
    assert_eq!(shop.text("SELECT group_concat(id) FROM orders"), "3");
}

#[tokio::test]
async fn without_a_mark_the_host_says_when_the_backup_was_made() {
    let mut shop = Shop::new(THREE);
    shop.marked = false;
    let engine = shop.engine();
    assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::Unknown);
    let (copy, at) = (shop.back_up("copy.sqlite"), shop.clock.now());
    assert!(erase(&engine, &shop.clock, 1, Asked::request()).await);
    drop(engine);
    shop.restore(&copy);
    let engine = shop.engine();
    let error = engine.plan_replay(RestoredFrom::Mark).await.unwrap_err();
    assert!(matches!(error, Error::NoMark), "{error}");
    shop.clock.turn(TimeDelta::days(1));
    let later = RestoredFrom::Backup(at + TimeDelta::seconds(1));
    let planned = engine.plan_replay(later).await.unwrap();
    assert!(planned.is_nothing() && planned.before == 1);
    assert!(planned.to_string().contains("not looked at: 1 case, closed before the instant"), "{planned}");
    // The bug: with an instant in the future nobody was found, and the mark was raised.
    let future = RestoredFrom::Backup(shop.clock.now() + TimeDelta::hours(2));
    let error = engine.finish_replay(future).await.unwrap_err();
    assert!(matches!(error, Error::BackupInFuture { .. }), "{error}");
    assert_eq!(replay(&engine, &shop.clock, RestoredFrom::Backup(at)).await, 1);
    assert!(shop.text("SELECT name FROM clients WHERE id = 1").starts_with("Anonymised"));
}

/// A wrong time must not make the database look complete.
#[tokio::test]
async fn an_instant_that_is_too_late_hides_nothing_behind_the_mark() {
    let shop = restored().await;
    let engine = shop.engine();
    shop.clock.turn(TimeDelta::days(30));
    let late = RestoredFrom::Backup(shop.clock.now());
    let planned = engine.finish_replay(late).await.unwrap();
    assert_eq!((planned.plan.of().len(), planned.before), (2, 0));
    assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::No { cases: 2 });
}

#[tokio::test]
async fn a_database_without_the_table_names_the_statement() {
    let shop = Shop::new(THREE);
    shop.sql("DROP TABLE relinquish_mark");
    let engine = shop.engine();
    let error = engine.caught_up().await.unwrap_err().to_string();
    assert!(error.contains("add store::sql::MARK_TABLE to your migrations"), "{error}");
    // No case is opened if the mark could not be raised.
    let plan = hosts::approved(&engine, &"1".into(), &Asked::request()).await;
    assert!(engine.erase(plan).await.unwrap_err().to_string().contains("MARK_TABLE"));
    assert_eq!(shop.text("SELECT name FROM clients WHERE id = 1"), "Anna");
}

/// A ledger from a backup does not contain the later erasures, so the erased customers would come back.
#[tokio::test]
async fn a_ledger_that_was_restored_is_refused() {
    let shop = Shop::new(THREE);
    let path = shop.folder.path().join("ledger.sqlite");
    let engine = |ledger: &Path| {
        let store = Arc::new(SqliteStore::open(shop.path(), &SqlMap::from_toml(MAP).unwrap()).unwrap());
        Engine::builder(
            Arc::clone(&store),
            PolicyDocument::from_toml(POLICY).unwrap(),
            SqliteLedger::open(ledger).unwrap(),
            hosts::keys(),
        )
        .clock(Arc::clone(&shop.clock))
        .mark(store)
        .worker("one")
        .counted()
        .unwrap()
    };
    let copy = shop.folder.path().join("ledger-copy.sqlite");
    {
        let engine = engine(&path);
        assert!(erase(&engine, &shop.clock, 1, Asked::request()).await);
        Connection::open(&path).unwrap().execute_batch(&format!("VACUUM INTO '{}'", copy.display())).unwrap();
        assert!(erase(&engine, &shop.clock, 2, Asked::request()).await);
    }
    {
        let engine = engine(&copy);
        let plan = hosts::approved(&engine, &"3".into(), &Asked::request()).await;
        let error = engine.erase(plan).await.unwrap_err();
        assert!(matches!(error, Error::OldLedger { .. }), "{error}");
        assert!(matches!(engine.plan_replay(RestoredFrom::Mark).await, Err(Error::OldLedger { .. })));
        assert_eq!(shop.text("SELECT name FROM clients WHERE id = 3"), "Cilla");
    }
    // Another history of the same length, with other entries.
    let other = shop.folder.path().join("other.sqlite");
    let engine = engine(&other);
    for _ in 0..4 {
        engine.census().await.unwrap();
    }
    let error = engine.caught_up().await.unwrap_err();
    assert!(matches!(error, Error::OtherLedger { .. }), "{error}");
}

/// A former bug: a ledger with a lost entry returned no entry before its last one, so the database counted as
/// complete.
#[tokio::test]
async fn a_ledger_that_lost_an_entry_is_refused() {
    let shop = Shop::new(THREE);
    let path = shop.folder.path().join("ledger.sqlite");
    let engine = |path: &Path| {
        let store = Arc::new(SqliteStore::open(shop.path(), &SqlMap::from_toml(MAP).unwrap()).unwrap());
        let policy = PolicyDocument::from_toml(POLICY).unwrap();
        let ledger = SqliteLedger::open(path).unwrap();
        Engine::builder(Arc::clone(&store), policy, ledger, hosts::keys())
            .clock(Arc::clone(&shop.clock))
            .mark(store)
            .worker("one")
            .build()
            .unwrap()
    };
    let copy = {
        let engine = engine(&path);
        engine.census().await.unwrap();
        assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::Yes);
        let copy = shop.back_up("copy.sqlite");
        assert!(erase(&engine, &shop.clock, 1, Asked::request()).await);
        assert!(erase(&engine, &shop.clock, 2, Asked::request()).await);
        copy
    };
    shop.restore(&copy);
    let is_corrupt =
        |error: &Error| matches!(error, Error::Ledger(relinquish::ledger::LedgerError::Corrupt { .. }));
    // First the entry after the mark is lost, then all entries except the last, then also the entry of the mark.
    for lost in ["seq = 2", "seq < 3", "seq = 1"] {
        let copy = shop.folder.path().join(format!("{lost}.sqlite"));
        let copied = format!("VACUUM INTO '{}'", copy.display());
        Connection::open(&path).unwrap().execute_batch(&copied).unwrap();
        let loses =
            format!("PRAGMA foreign_keys = OFF; DROP TRIGGER entry_stays; DELETE FROM entry WHERE {lost}");
        Connection::open(&copy).unwrap().execute_batch(&loses).unwrap();
        let engine = engine(&copy);
        let error = engine.caught_up().await.unwrap_err();
        assert!(is_corrupt(&error), "{lost}: {error}");
        let error = engine.plan_replay(RestoredFrom::Mark).await.unwrap_err();
        assert!(is_corrupt(&error), "{lost}: {error}");
        let error = engine.finish_replay(RestoredFrom::Backup(hosts::now())).await.unwrap_err();
        assert!(is_corrupt(&error), "{lost}: {error}");
    }
    assert_eq!(engine(&path).caught_up().await.unwrap(), CaughtUp::No { cases: 2 });
}

/// Expired records are in the restored database again.
#[tokio::test]
async fn what_had_expired_expires_again() {
    let shop = Shop::new(&format!(
        "{THREE} INSERT INTO calls VALUES (1, 1, '0701', '2020-01-01'), (2, 1, '0702', '2026-11-01')"
    ));
    let copy = {
        let engine = shop.engine();
        assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::Yes);
        let copy = shop.back_up("copy.sqlite");
        expire(&engine, &shop.clock).await;
        assert_eq!(shop.text("SELECT group_concat(coalesce(number, '-')) FROM calls"), "-,0702");
        copy
    };
    shop.restore(&copy);
    let engine = shop.engine();
    assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::No { cases: 1 });
    let planned = engine.plan_replay(RestoredFrom::Mark).await.unwrap();
    assert!(planned.to_string().contains("expired again: 1 record under plan"), "{planned}");
    assert_eq!(replay(&engine, &shop.clock, RestoredFrom::Mark).await, 0);
    assert_eq!(shop.text("SELECT group_concat(coalesce(number, '-')) FROM calls"), "-,0702");
    assert_eq!(engine.caught_up().await.unwrap(), CaughtUp::Yes);
}
