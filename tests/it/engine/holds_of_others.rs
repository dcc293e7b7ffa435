//! A hold keeps a customer's records, whichever customer is erased.

use std::sync::Arc;

use relinquish::anonymise::Seed;
use relinquish::customer::HoldGround;
use relinquish::engine::NewHold;
use relinquish::plan::{Authority, ReasonCode};
use relinquish::store::{
    CustomerStore as _, EraseRequest, Erased, RecordStore as _, StoreError, TallyRequest, Target,
};
use relinquish::{Asked, Error, Outcome, Planned};
use rusqlite::Connection;

use crate::hosts;
use crate::shop::{CUSTOMERS, Shop, changes};

const FORUM: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, mail TEXT, held TEXT);
    CREATE TABLE follows (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES clients, target INTEGER NOT NULL REFERENCES clients);
    CREATE TABLE letters (id INTEGER PRIMARY KEY, sender INTEGER REFERENCES clients, reader INTEGER REFERENCES clients, body TEXT);
    CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES clients, editor INTEGER REFERENCES clients, nick TEXT);
    CREATE TABLE quotes (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES clients, post INTEGER REFERENCES posts);
    INSERT INTO clients VALUES (1, 'Quillon Zandervik', 'q@z.org', NULL), (2, 'Bo', 'bo@x.org', NULL), (3, 'Runa', 'r@x.org', NULL);";

fn shop(rows: &str) -> Shop {
    let map = format!(
        "{CUSTOMERS}holds = 'held'\nfields = {{ name = 'name', mail = 'email' }}\n\
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

/// Records of Bo that the erasure of customer 1 would change, each with the class that the error names.
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

/// A former bug: a legal claim kept Bo's data. But the erasure of another customer deleted his follow, rewrote his
/// letter and removed a name from his post, without a report.
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
            // A customer with whom Bo shares no records is erased.
            assert!(matches!(shop.erase("3").await, Outcome::Erased(_)));
            // When the hold is lifted, the erasure continues.
            run(&shop, "UPDATE clients SET held = NULL");
            assert!(matches!(shop.erase("1").await, Outcome::Erased(_)), "{rows}");
            assert_ne!(shop.cells(), before);
        }
    }
}

/// A hold that is placed between the plan and the erasure also keeps the records.
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

/// A former bug: two customers share a post, and a quote of a person with a hold leads to the post. Each of the two
/// alone can be erased, because the other one still has the post. But in one batch both were blocked after earlier
/// steps.
#[tokio::test]
async fn who_would_be_last_only_in_a_batch_is_erased_without_the_others() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, mail TEXT, held TEXT);
        CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER REFERENCES clients, editor INTEGER REFERENCES clients, body TEXT);
        CREATE TABLE quotes (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES clients, post INTEGER REFERENCES posts);
        INSERT INTO clients VALUES (1, 'Quillon', 'q@z.org', NULL), (2, 'Bo', 'bo@x.org', NULL), (3, 'Runa', 'r@x.org', 'legal_claim'),
            (4, 'Tove', 't@x.org', NULL);
        INSERT INTO posts VALUES (1, 1, 2, 'pears'), (2, 4, 4, 'slugs');
        INSERT INTO quotes VALUES (1, 3, 1);";
    let map = format!(
        "{CUSTOMERS}holds = 'held'\nfields = {{ name = 'name', mail = 'email' }}\n\
         [records.post]\ntable = 'posts'\nshared = ['author', 'editor']\nends = {{ author = 'clear', editor = 'clear' }}\n\
         nobody = 'of people who left'\nfields.body = 'free_text'\n\
         [records.quote]\ntable = 'quotes'\nowner = 'author'\nends.post = 'clear'\n"
    );
    let shop = Shop::new(sql, &map, "customer = 'anonymise'\npost = 'delete'\nquote = 'delete'\n");
    let policy = relinquish::PolicyDocument::from_toml(&shop.policy).unwrap();
    let store = shop.store().unwrap();
    let policy = policy.check(store.data_map()).unwrap();
    let treatment = policy.dated(&"here".into(), &policy.treatments()["x"], hosts::now());
    let ids: Vec<relinquish::CustomerId> = ["1", "4", "2"].map(Into::into).to_vec();
    let tally = TallyRequest::new(ids.clone(), Arc::clone(&treatment)).at(hosts::now());
    assert!(store.tally(&tally).await.unwrap().iter().all(Result::is_ok), "each alone is free");
    let facts = store.facts(&ids).await.unwrap();
    let target = |id: &relinquish::CustomerId| {
        let facts = facts.iter().find(|facts| facts.id == *id).unwrap();
        Target { customer: id.clone(), tenant: facts.tenant.clone(), expected: facts.expected() }
    };
    let targets = ids.iter().map(target).collect();
    let request = EraseRequest::new(targets, treatment, Seed::new([7; 32]), hosts::now());
    let answers = store.erase(&request).await.unwrap();
    let [first, beside, last] = answers.as_slice() else { panic!("{answers:?}") };
    assert!(matches!((first, beside), (Ok(Erased::Done(_)), Ok(Erased::Done(_)))), "{answers:?}");
    // The other customer has left by then, so the post would be deleted.
    assert!(matches!(last, Err(StoreError::Held { .. })), "{last:?}");
    assert_eq!(shop.text("SELECT group_concat(name) FROM clients WHERE name IS NOT NULL"), "Bo,Runa");
    assert_eq!(shop.text("SELECT group_concat(body) FROM posts"), "pears");
    assert_eq!(shop.text("SELECT group_concat(post) FROM quotes"), "1");
}
