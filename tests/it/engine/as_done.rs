//! A certificate says what the store did with each record if this differs from the action of the class.

use std::collections::BTreeMap;

use relinquish::anonymise::Seed;
use relinquish::ledger::{CertifiedClass, Count};
use relinquish::store::{
    Counts, CustomerStore as _, EraseRequest, Erased, Otherwise, RecordStore as _, Target,
};
use relinquish::{Asked, Certificate, Outcome, PolicyDocument};

use crate::hosts;
use crate::shop::{CUSTOMERS, Shop, changes};

async fn certificate(shop: &Shop, customer: &str) -> Box<Certificate> {
    match shop.erase(customer).await {
        Outcome::Erased(certificate) => certificate,
        other => panic!("{other}"),
    }
}

fn of_class(certificate: &Certificate, name: &str) -> CertifiedClass {
    certificate.records().into_iter().find(|class| class.class.as_str() == name).unwrap()
}

/// The numbers of records that were treated as the action says, and of those that were treated otherwise.
fn done(certificate: &Certificate, name: &str) -> (Option<Count>, Otherwise) {
    let class = of_class(certificate, name);
    (class.treated, class.otherwise.unwrap_or_default())
}

fn links(link: &str, count: u64) -> std::collections::BTreeMap<String, u64> {
    [(link.to_owned(), count)].into()
}

const STAND_IN: &str =
    "[customers.unknown_customer]\nfind = { is_ghost = 1 }\ncreate = { name = 'Former member' }\n";

/// A former bug: the certificate said that all records were handed over.
#[tokio::test]
async fn what_is_deleted_instead_of_handed_over_is_counted_as_deleted() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, is_ghost INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE thanks (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, post INTEGER, UNIQUE (client, post));
        INSERT INTO clients VALUES (1, 'Otto', 0), (2, 'Runa', 0);
        INSERT INTO thanks VALUES (1, 1, 10), (2, 2, 10), (3, 2, 11), (4, 2, 12);";
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name', is_ghost = 'not personal' }}\n{STAND_IN}\
         [records.thanks]\ntable = 'thanks'\nowner = 'client'\nfields.post = 'not personal'\n"
    );
    let shop =
        Shop::new(sql, &map, "customer = 'delete'\nthanks = { action = 'reassign', else = 'delete' }\n");
    let first = certificate(&shop, "1").await;
    assert_eq!(done(&first, "thanks"), (Some(Count::Exact(1)), Otherwise::default()));
    let second = certificate(&shop, "2").await;
    let otherwise = Otherwise { deleted: 1, ..Otherwise::default() };
    assert_eq!(done(&second, "thanks"), (Some(Count::Exact(2)), otherwise));
    let said = second.to_string();
    assert!(
        said.contains("    1 more record deleted: the \"Unknown Customer\" had an equal one\n"),
        "{said}"
    );
    assert!(serde_json::to_string(&*second).unwrap().contains("\"otherwise\":{\"deleted\":1}"));
    assert_eq!(
        shop.text("SELECT group_concat(post) FROM (SELECT post FROM thanks ORDER BY post)"),
        "10,11,12"
    );
}

const FORUM: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, is_ghost INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE topics (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients,
        last INTEGER REFERENCES clients, last_nick TEXT);
    CREATE TABLE posts (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, editor INTEGER REFERENCES clients,
        editor_nick TEXT, body TEXT);
    INSERT INTO clients VALUES (1, 'Vigdis', 0), (2, 'Bo', 0), (3, 'Runa', 0);
    INSERT INTO topics VALUES (5, 2, 1, 'vig'), (6, 1, 1, 'vig'), (7, 3, 2, 'bo');
    INSERT INTO posts VALUES (20, 2, 1, 'vig', 'a'), (21, 1, 2, 'bo', 'b'), (22, 1, 1, 'vig', 'c'), (23, 3, 1, 'vig', 'd');";

fn forum(editor: &str, stand_in: &str, treatment: &str) -> Shop {
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name', is_ghost = 'not personal' }}\n{stand_in}\
         [records.topic]\ntable = 'topics'\nowner = 'client'\nends.last = 'clear'\n\
         fields.last_nick = {{ kind = 'username', of = 'last' }}\n\
         [records.post]\ntable = 'posts'\nowner = 'client'\nends.editor = '{editor}'\n\
         fields = {{ body = 'free_text', editor_nick = {{ kind = 'username', of = 'editor' }} }}\n"
    );
    Shop::new(FORUM, &map, treatment)
}

/// A former bug: a topic of another person, in which one field was erased and a link was cut, counted as deleted.
#[tokio::test]
async fn fields_and_links_in_records_of_others_are_counted_as_such() {
    let shop = forum("clear", "", "customer = 'delete'\ntopic = 'delete'\npost = 'delete'\n");
    let before = shop.cells();
    let first = certificate(&shop, "1").await;
    let topic = Otherwise { fields: 1, cut: links("last", 1), ..Otherwise::default() };
    assert_eq!(done(&first, "topic"), (Some(Count::Exact(1)), topic));
    let named_others = links("editor", 1);
    let post = Otherwise { fields: 2, cut: links("editor", 2), named_others, ..Otherwise::default() };
    assert_eq!(done(&first, "post"), (Some(Count::Exact(2)), post));
    let said = first.to_string();
    assert!(
        said.contains("    2 records of others: only fields of this person were treated there\n"),
        "{said}"
    );
    assert!(said.contains("cut in 2 records, which led to a record that went\n"), "{said}");
    // It is what happened.
    let mut changed = changes(&before, &shop.cells());
    for cell in [
        "- topics[6]",
        "- posts[21]",
        "- posts[22]",
        "topics[5].last",
        "posts[20].editor",
        "posts[23].editor",
    ] {
        assert!(changed.remove(cell), "{cell}: {changed:?}");
    }
    // If no other customer is named in the records, the certificate says nothing about this.
    let third = certificate(&shop, "3").await;
    let topic = Otherwise { named_others: links("last", 1), ..Otherwise::default() };
    assert_eq!(done(&third, "topic"), (Some(Count::Exact(1)), topic));
}

/// Each customer of a batch gets the counts of what was done for this customer.
#[tokio::test]
async fn several_at_once_are_counted_apart() {
    let shop = forum("clear", "", "customer = 'delete'\ntopic = 'delete'\npost = 'delete'\n");
    let store = shop.store().unwrap();
    let ids: Vec<_> = ["1", "2"].map(Into::into).into();
    let mut facts = store.facts(&ids).await.unwrap();
    facts.sort_by(|a, b| a.id.as_str().cmp(b.id.as_str()));
    let target = |facts: relinquish::Customer| Target {
        expected: facts.expected(),
        customer: facts.id,
        tenant: facts.tenant,
    };
    let policy = PolicyDocument::from_toml(&shop.policy).unwrap().check(store.data_map()).unwrap();
    let treatment = std::sync::Arc::clone(&policy.treatments()["x"]);
    let targets = facts.into_iter().map(target).collect();
    let request = EraseRequest::new(targets, treatment, Seed::new([1; 32]), hosts::now());
    let counts: Vec<Counts> = store
        .erase(&request)
        .await
        .unwrap()
        .into_iter()
        .map(|answer| match answer.unwrap() {
            Erased::Done(counts) => counts,
            other => panic!("{other:?}"),
        })
        .collect();
    // Topic 5 and post 20 are deleted with the second customer, so no link is cut there.
    assert_eq!(counts[0].classes["topic"], 1);
    assert!(counts[0].otherwise["topic"].cut.is_empty(), "{counts:?}");
    assert_eq!(counts[0].otherwise["post"].cut, links("editor", 1));
    assert_eq!(counts[1].otherwise["topic"].cut, links("last", 1));
    assert!(
        !counts[1].otherwise.contains_key("post") || counts[1].otherwise["post"].cut.is_empty(),
        "{counts:?}"
    );
}

/// A former bug: a link that is changed to the stand-in was called cut, and the stand-in was created although no
/// record was handed over.
#[tokio::test]
async fn a_link_that_is_handed_over_is_not_called_cut() {
    let shop = forum("stand-in", STAND_IN, "customer = 'delete'\ntopic = 'delete'\npost = 'delete'\n");
    let plan = hosts::plan(&shop.engine(), &"3".into(), &Asked::request()).await;
    let (said, json) = (plan.to_string(), plan.to_json());
    assert!(
        said.contains("handed over to the \"Unknown Customer\" where it leads to a row that goes"),
        "{said}"
    );
    assert_eq!(json["links_cut"], serde_json::json!(["topic.last"]));
    assert_eq!(json["links_handed_over"], serde_json::json!(["post.editor"]));
    // No record of the third customer leads to another one.
    let third = certificate(&shop, "3").await;
    let post = Otherwise { named_others: links("editor", 1), ..Otherwise::default() };
    assert_eq!(done(&third, "post"), (Some(Count::Exact(1)), post));
    assert_eq!(shop.text("SELECT count(*) || '' FROM clients WHERE is_ghost = 1"), "0");
    let first = certificate(&shop, "1").await;
    let post = done(&first, "post").1;
    assert_eq!((post.handed_over, post.cut), (links("editor", 1), BTreeMap::default()));
    assert_eq!(shop.text("SELECT count(*) || '' FROM clients WHERE is_ghost = 1"), "1");
    assert!(first.to_string().contains("handed over to the \"Unknown Customer\" in 1 record"), "{first}");
}

/// A former bug: the plan said what happens to a text that cannot be read, but the certificate did not.
#[tokio::test]
async fn what_becomes_of_what_cannot_be_read_is_in_the_certificate() {
    let treatment = "customer = 'delete'\ntopic = 'delete'\n\
                     post = { action = 'anonymise', fields = { body = 'redact' }, otherwise = 'clear' }\n";
    let shop = forum("clear", "", &treatment.replace("customer = 'delete'", "customer = 'anonymise'"));
    rusqlite::Connection::open(shop.path())
        .unwrap()
        .execute_batch("UPDATE posts SET body = x'00ff' WHERE id = 21")
        .unwrap();
    let first = certificate(&shop, "1").await;
    let says = &of_class(&first, "post").unreadable["body"];
    assert!(first.to_string().contains(&format!("what could not be read: {says}\n")), "{first}");
    assert_eq!(shop.text("SELECT body FROM posts WHERE id = 21"), "");
}

/// A former bug: a record that stays for now also counted as deleted.
#[tokio::test]
async fn what_stays_for_now_is_not_counted_as_deleted() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE bills (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, on_day TEXT);
        INSERT INTO clients VALUES (1, 'Otto'), (2, 'Runa');
        INSERT INTO bills VALUES (1, 1, '2026-01-01'), (2, 1, '2001-01-01'), (3, 2, '2001-01-01');";
    let map = format!(
        "{CUSTOMERS}fields.name = 'name'\n[records.bill]\ntable = 'bills'\nowner = 'client'\nfields.on_day = 'not personal'\n"
    );
    let mut shop = Shop::new(sql, &map, "customer = 'delete'\nbill = 'delete'\n");
    shop.policy.push_str("[duties.books]\nclasses = ['bill']\nstatute = 'SE/BFL/7:2'\nfrom = 'on_day'\n");
    let first = certificate(&shop, "1").await;
    let stays = Otherwise { meanwhile: 1, ..Otherwise::default() };
    assert_eq!(done(&first, "customer"), (Some(Count::Exact(0)), stays));
    assert_eq!(done(&first, "bill"), (Some(Count::Exact(1)), Otherwise::default()));
    let second = certificate(&shop, "2").await;
    assert_eq!(done(&second, "customer"), (Some(Count::Exact(1)), Otherwise::default()));
}

/// A former bug: the result was called "erased" although rows with an unknown owner stayed.
#[tokio::test]
async fn rows_that_no_class_claims_are_part_of_the_outcome() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE meta (id INTEGER PRIMARY KEY, client INTEGER, k TEXT, v TEXT);
        INSERT INTO clients VALUES (1, 'Otto'), (2, 'Runa');
        INSERT INTO meta VALUES (1, 1, 'phone', '1'), (2, 1, 'nick', 'o');";
    let map = format!(
        "ignore.meta = {{ rest = 'settings' }}\n{CUSTOMERS}fields.name = 'name'\n[records.phone]\ntable = 'meta'\n\
         owner = 'client'\nwhen = {{ k = 'phone' }}\nfields = {{ k = 'not personal', v = 'free_text' }}\n"
    );
    for (action, word) in [("delete", "erased"), ("anonymise", "pseudonymised")] {
        let shop = Shop::new(sql, &map, &format!("customer = '{action}'\nphone = '{action}'\n"));
        let plan = hosts::plan(&shop.engine(), &"1".into(), &Asked::request()).await;
        assert_eq!(plan.to_json()["outcome"], format!("{word} as far as mapped"));
        let first = certificate(&shop, "1").await;
        assert_eq!(first.outcome(), format!("{word} as far as mapped"), "{first}");
        rusqlite::Connection::open(shop.path())
            .unwrap()
            .execute_batch("DELETE FROM meta WHERE k = 'nick'")
            .unwrap();
        assert_eq!(certificate(&shop, "2").await.outcome(), word);
    }
}
