//! A hold keeps a customer's records, whoever is erased.

use relinquish::customer::HoldGround;
use relinquish::engine::NewHold;
use relinquish::plan::{Authority, ReasonCode};
use relinquish::store::StoreError;
use relinquish::{Asked, Error, Outcome, Planned};
use rusqlite::Connection;

use crate::hosts;
use crate::shop::{CUSTOMERS, Shop, changes};

const FORUM: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, held TEXT);
    CREATE TABLE follows (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES clients, target INTEGER NOT NULL REFERENCES clients);
    CREATE TABLE letters (id INTEGER PRIMARY KEY, sender INTEGER REFERENCES clients, reader INTEGER REFERENCES clients, body TEXT);
    CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES clients, editor INTEGER REFERENCES clients, nick TEXT);
    CREATE TABLE quotes (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES clients, post INTEGER REFERENCES posts);
    INSERT INTO clients VALUES (1, 'Quillon Zandervik', NULL), (2, 'Bo', NULL), (3, 'Runa', NULL);";

fn shop(rows: &str) -> Shop {
    let map = format!(
        "{CUSTOMERS}holds = 'held'\nfields.name = 'name'\n\
         [records.follow]\ntable = 'follows'\nowner = 'owner'\nends.target = 'goes'\n\
         [records.letter]\ntable = 'letters'\nshared = ['sender', 'reader']\nends = {{ sender = 'clear', reader = 'clear' }}\n\
         fields.body = 'free_text'\n\
         [records.post]\ntable = 'posts'\nowner = 'author'\nends.editor = 'clear'\n\
         fields.nick = {{ kind = 'username', of = 'editor' }}\n\
         [records.quote]\ntable = 'quotes'\nowner = 'author'\nends.post = 'clear'\n"
    );
    let treatment = "customer = 'anonymise'\nfollow = 'delete'\nletter = 'anonymise'\npost = 'delete'\nquote = 'delete'\n";
    let mut shop = Shop::new(&format!("{FORUM}{rows}"), &map, treatment);
    shop.policy = shop.policy.replace("free_text = 'remove'", "free_text = 'redact'");
    shop
}

/// What is Bo's and would be changed as customer 1 leaves, with the class that is named.
const REACHED: [(&str, &str); 4] = [
    ("INSERT INTO follows VALUES (1, 2, 1);", "1 record of follow belongs to somebody on whom a hold stands"),
    ("INSERT INTO letters VALUES (1, 2, 1, 'I, Quillon Zandervik, owe it');", "1 record of letter belongs"),
    ("INSERT INTO posts VALUES (1, 2, 1, 'quill');", "1 record of post belongs"),
    (
        "INSERT INTO posts VALUES (1, 1, NULL, NULL); INSERT INTO quotes VALUES (1, 2, 1);",
        "1 record of quote belongs",
    ),
];

fn run(shop: &Shop, sql: &str) {
    Connection::open(shop.path()).unwrap().execute_batch(sql).unwrap();
}

/// Bo's follow went, his letter was rewritten and his post lost a name while a legal claim kept his data: the erasure of
/// somebody else reached them, and nothing was said.
#[tokio::test]
async fn nobody_elses_erasure_changes_what_a_hold_keeps() {
    for (rows, says) in REACHED {
        for kind in ["legal_claim", "", "a kind that nobody knows"] {
            let shop = shop(rows);
            run(&shop, &format!("UPDATE clients SET held = '{kind}' WHERE id = 2"));
            let before = shop.cells();
            let refused = shop.engine().plan(&"1".into(), &Asked::request()).await.unwrap_err();
            assert!(refused.to_string().contains(says), "{kind:?}: {refused}");
            assert!(matches!(refused, Error::Store(StoreError::Held { rows: 1, .. })), "{refused:?}");
            assert_eq!(shop.cells(), before);
            // Somebody of whom he has nothing is erased.
            assert!(matches!(shop.erase("3").await, Outcome::Erased(_)));
            // When the hold is lifted, the erasure goes on.
            run(&shop, "UPDATE clients SET held = NULL");
            assert!(matches!(shop.erase("1").await, Outcome::Erased(_)), "{rows}");
            assert_ne!(shop.cells(), before);
        }
    }
}

/// A hold that comes between the plan and the erasure keeps the records, too.
#[tokio::test]
async fn a_hold_that_comes_later_stops_the_erasure_before_anything_is_touched() {
    let (rows, says) = REACHED[0];
    let shop = shop(rows);
    let engine = shop.engine();
    let plan = hosts::approved(&engine, &"1".into(), &Asked::request()).await;
    run(&shop, "UPDATE clients SET held = 'authority_order' WHERE id = 2");
    let before = shop.cells();
    let outcome = engine.erase(plan).await.unwrap();
    assert!(matches!(outcome, Outcome::Blocked { .. }), "{outcome}");
    assert!(outcome.to_string().contains(says), "{outcome}");
    assert!(changes(&before, &shop.cells()).is_empty());
}

/// The same for a hold that an operator placed through the engine. A hold on other classes keeps nothing here.
#[tokio::test]
async fn a_hold_of_the_engine_keeps_the_classes_that_it_names_from_everybody() {
    let reference: ReasonCode = "file-2026-7".parse().unwrap();
    let operator = Authority::new("operator-7", ["here".into()]);
    for (classes, keeps) in [(vec![], true), (vec!["follow"], true), (vec!["post"], false)] {
        let shop = shop(REACHED[0].0);
        let engine = shop.engine();
        let hold =
            NewHold::on_customer("2", HoldGround::LegalClaim, reference.clone()).classes(classes.clone());
        let hold = engine.place_hold(&hold, &operator).await.unwrap();
        let planned = engine.plan(&"1".into(), &Asked::request()).await;
        if !keeps {
            assert!(matches!(planned, Ok(Planned::Plan(_))), "{classes:?}: {planned:?}");
            continue;
        }
        assert!(matches!(planned, Err(Error::Store(StoreError::Held { rows: 1, .. }))), "{planned:?}");
        engine.lift_hold(&hold.id, &operator).await.unwrap();
        assert!(matches!(engine.plan(&"1".into(), &Asked::request()).await, Ok(Planned::Plan(_))));
    }
}
