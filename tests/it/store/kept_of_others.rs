//! A duty keeps records of other people that have fields of a person. These fields count as deferred, and are erased
//! when the duty has ended.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use relinquish::ledger::MemoryLedger;
use relinquish::testing::ManualClock;
use relinquish::{Approval, Asked, Engine, Outcome, Planned, PolicyDocument};

use crate::hosts::{self, BuildCounted as _};
use crate::shop::{CUSTOMERS, Shop, changes};

const BOOKS: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE bills (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, made TEXT,
        checker INTEGER REFERENCES clients, checker_nick TEXT, payee TEXT);
    INSERT INTO clients VALUES (1, 'Vigdis'), (2, 'Bo');
    INSERT INTO bills VALUES (1, 2, '2020-03-01', 1, 'vig', 'Bo'), (2, 2, '2022-03-01', 1, 'vig', 'Bo'),
        (3, 1, '2022-03-01', 1, 'vig', 'Vigdis'), (4, 2, '2005-03-01', 1, 'vig', 'Bo');";

const DUTY: &str = "[duties.books]\nclasses = ['bill']\nneeds = []\nperiod = '7 years'\nstart = 'record_date'\nfrom = 'made'\n\
    law = 'a law'\nground = '17(3)(b)'\n";

fn shop(fields: &str, treatment: &str) -> Shop {
    let map = format!(
        "{CUSTOMERS}fields.name = 'name'\n\
         [records.bill]\ntable = 'bills'\nowner = 'client'\nends.checker = 'clear'\n\
         fields = {{ made = 'not personal', payee = 'name'{fields} }}\n"
    );
    let mut shop = Shop::new(BOOKS, &map, treatment);
    shop.policy += DUTY;
    shop
}

fn engine(shop: &Shop) -> (Engine, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(hosts::now()));
    let policy = PolicyDocument::from_toml(&shop.policy).unwrap();
    let engine = Engine::builder(shop.store().unwrap(), policy, MemoryLedger::new(), hosts::keys())
        .clock(Arc::clone(&clock))
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"));
    (engine, clock)
}

async fn erased(engine: &Engine, clock: &ManualClock, asked: &Asked) -> relinquish::Certificate {
    let plan = hosts::plan(engine, &"1".into(), asked).await;
    let hour = chrono::TimeDelta::hours(1);
    let approval = Approval::new("operator-7", [plan.tenant().clone()], plan.digest(), clock.now(), hour);
    match engine.erase(plan.approve(approval).unwrap()).await.unwrap() {
        Outcome::Erased(certificate) => *certificate,
        other => panic!("{other}"),
    }
}

fn turn_to(clock: &ManualClock, day: &str) {
    let then: DateTime<Utc> = format!("{day}T12:00:00Z").parse().unwrap();
    clock.turn(then - clock.now());
}

/// Nothing is due on this day, and the answer names the day of the next check.
async fn not_yet(engine: &Engine) -> String {
    match engine.plan(&"1".into(), &Asked::Sweep).await.unwrap() {
        Planned::NotYet(not_yet) => not_yet.until.to_string(),
        other => panic!("{other:?}"),
    }
}

/// A former bug: her name in another person's bill was kept with the bill. The certificate did not mention it, no
/// sweep checked it again, and it stayed for ever.
#[tokio::test]
async fn a_field_in_somebody_elses_kept_record_is_deferred_and_goes_when_the_duty_has_ended() {
    let nick = ", checker_nick = { kind = 'username', of = 'checker' }";
    let shop = shop(nick, "customer = 'anonymise'\nbill = 'anonymise'\n");
    let before = shop.cells();
    let (engine, clock) = engine(&shop);

    let plan = hosts::plan(&engine, &"1".into(), &Asked::request()).await;
    let deferred = &plan.deferred()[0];
    // Her own bill, and two of his.
    assert_eq!(deferred.rows, Some(3), "{plan}");
    let certificate = erased(&engine, &clock, &Asked::request()).await;
    let text = certificate.to_string();
    assert!(text.contains("3 records kept as they are until 2029-03-01"), "{text}");
    let changed = changes(&before, &shop.cells());
    assert_eq!(changed.into_iter().collect::<Vec<_>>(), ["bills[4].checker_nick", "clients[1].name"]);

    assert_eq!(not_yet(&engine).await, "2027-03-02", "the first of the bills is his");
    turn_to(&clock, "2027-03-02");
    engine.census().await.unwrap();
    let before = shop.cells();
    let certificate = erased(&engine, &clock, &Asked::Sweep).await;
    let text = certificate.to_string();
    assert!(text.contains("2 records kept as they are until 2029-03-01"), "{text}");
    assert_eq!(changes(&before, &shop.cells()).into_iter().collect::<Vec<_>>(), ["bills[1].checker_nick"]);

    assert_eq!(not_yet(&engine).await, "2029-03-02");
    turn_to(&clock, "2029-03-02");
    engine.census().await.unwrap();
    let before = shop.cells();
    erased(&engine, &clock, &Asked::Sweep).await;
    let changed = changes(&before, &shop.cells());
    assert_eq!(
        changed.into_iter().collect::<Vec<_>>(),
        ["bills[2].checker_nick", "bills[3].checker_nick", "bills[3].payee"]
    );
    assert!(matches!(engine.plan(&"1".into(), &Asked::Sweep).await.unwrap(), Planned::Nothing(_)));
}

/// A former bug: a row without personal values stayed only because another person's kept record leads to it. No sweep
/// checked it again, and the row stayed for ever.
#[tokio::test]
async fn a_tombstone_that_somebody_elses_kept_record_needs_goes_with_that_record() {
    let shop = shop(", checker_nick = 'not personal'", "customer = 'delete'\nbill = 'delete'\n");
    rusqlite::Connection::open(shop.path())
        .unwrap()
        .execute_batch("DELETE FROM bills WHERE id IN (3, 4); UPDATE bills SET checker_nick = NULL")
        .unwrap();
    let (engine, clock) = engine(&shop);
    let text = erased(&engine, &clock, &Asked::request()).await.to_string();
    assert!(text.contains("1 row of customer stays as a tombstone"), "{text}");
    assert!(text.contains("deleted with the last of them"), "{text}");
    assert!(matches!(engine.plan(&"1".into(), &Asked::Sweep).await.unwrap(), Planned::Nothing(_)));

    // His bills are deleted years later.
    turn_to(&clock, "2030-01-01");
    rusqlite::Connection::open(shop.path()).unwrap().execute_batch("DELETE FROM bills").unwrap();
    engine.census().await.unwrap();
    let before = shop.cells();
    erased(&engine, &clock, &Asked::Sweep).await;
    assert_eq!(changes(&before, &shop.cells()).into_iter().collect::<Vec<_>>(), ["- clients[1]"]);
}
