//! Records that are treated although they name another customer: the plan counts them, so that a map with the wrong owner is seen
//! before it takes other people's records.

use std::collections::BTreeMap;

use chrono::Utc;
use relinquish::Asked;
use relinquish::store::{CensusRequest, TakeCensus as _};

use crate::hosts;
use crate::shop::{CUSTOMERS, Shop};

const THREADS: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE threads (id INTEGER PRIMARY KEY, opener INTEGER NOT NULL REFERENCES clients ON DELETE CASCADE, title TEXT);
    CREATE TABLE posts (id INTEGER PRIMARY KEY, thread INTEGER NOT NULL REFERENCES threads ON DELETE CASCADE,
        author INTEGER REFERENCES clients ON DELETE CASCADE, body TEXT);
    INSERT INTO clients VALUES (1, 'Vigdis'), (2, 'Bo'), (3, 'Runa');
    INSERT INTO threads VALUES (1, 1, 'pears'), (2, 2, 'slugs');
    INSERT INTO posts VALUES (1, 1, 1, 'a'), (2, 1, 2, 'b'), (3, 1, 3, 'c'), (4, 1, NULL, 'd'), (5, 2, 1, 'e');";

async fn said(shop: &Shop, customer: &str) -> (String, serde_json::Value) {
    let plan = hosts::plan(&shop.engine(), &customer.into(), &Asked::request()).await;
    (plan.to_string(), plan.to_json())
}

fn of_class(plan: &serde_json::Value, class: &str) -> serde_json::Value {
    let records = plan["records"].as_array().unwrap();
    let record = records.iter().find(|record| record["class"] == class).unwrap();
    record["names_others"].clone()
}

/// The posts of others went with the thread, and nothing in the plan said whose they were.
#[tokio::test]
async fn posts_that_go_with_the_thread_of_somebody_else_are_counted() {
    let map = |post: &str| {
        format!(
            "{CUSTOMERS}fields = {{ name = 'name' }}\n\
             [records.thread]\ntable = 'threads'\nowner = 'opener'\nfields.title = 'free_text'\n\
             [records.post]\ntable = 'posts'\n{post}\nfields.body = 'free_text'\n"
        )
    };
    let treatment = "customer = 'delete'\nthread = 'delete'\npost = 'delete'\n";
    let shop = Shop::new(THREADS, &map("owner = 'thread'\nends = { author = 'goes' }"), treatment);
    let (text, json) = said(&shop, "1").await;
    // Posts 1 to 4 go with the thread, post 5 with its author; nobody is named by post 4, and the customer by post 1.
    assert!(text.contains("      2 of these name another customer in author"), "{text}");
    // Post 5 is in the thread of somebody else.
    assert_eq!(of_class(&json, "post"), serde_json::json!({ "author": 2, "thread": 1 }));
    // Her one post is in the thread of somebody else.
    let (text, json) = said(&shop, "3").await;
    assert!(text.contains("      1 of these names another customer in thread"), "{text}");
    assert_eq!(of_class(&json, "post"), serde_json::json!({ "thread": 1 }));
    // Where the author has the post, it still goes with the thread of whoever opened that.
    let right = "owner = 'author'\nnobody = 'of authors who left'\nends = { thread = 'goes' }";
    let shop = Shop::new(THREADS, &map(right), treatment);
    let (text, json) = said(&shop, "1").await;
    assert!(text.contains("      2 of these name another customer in author"), "{text}");
    assert_eq!(of_class(&json, "post"), serde_json::json!({ "author": 2 }));
    let (text, _) = said(&shop, "3").await;
    assert!(!text.contains("another customer"), "{text}");
}

const TOPICS: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES clients, editor INTEGER REFERENCES clients,
        editor_nick TEXT, body TEXT);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, quoted INTEGER REFERENCES posts,
        quoted_nick TEXT, text TEXT);
    INSERT INTO clients VALUES (1, 'Vigdis'), (2, 'Bo'), (3, 'Runa');
    INSERT INTO posts VALUES (1, 1, 2, 'bo', 'a'), (2, 1, 1, 'vig', 'b'), (3, 1, NULL, NULL, 'c'), (4, 2, 1, 'vig', 'd');
    INSERT INTO notes VALUES (1, 1, 4, 'bo', 'x'), (2, 1, 1, 'vig', 'y'), (3, 3, 1, 'vig', 'z');";

/// A field of somebody else goes with the record in which it stands.
#[tokio::test]
async fn records_with_a_field_of_somebody_else_are_counted() {
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name' }}\n\
         [records.post]\ntable = 'posts'\nowner = 'author'\nends = {{ editor = 'clear' }}\n\
         fields = {{ body = 'free_text', editor_nick = {{ kind = 'username', of = 'editor' }} }}\n\
         [records.note]\ntable = 'notes'\nowner = 'client'\nends = {{ quoted = 'clear' }}\n\
         fields = {{ text = 'free_text', quoted_nick = {{ kind = 'username', of = 'quoted' }} }}\n"
    );
    for action in ["delete", "anonymise"] {
        let shop = Shop::new(
            TOPICS,
            &map,
            &format!("customer = 'anonymise'\npost = '{action}'\nnote = '{action}'\n"),
        );
        let (text, json) = said(&shop, "1").await;
        assert!(text.contains("      1 of these names another customer in editor"), "{text}");
        assert_eq!(of_class(&json, "post"), serde_json::json!({ "editor": 1 }), "{action}");
        // The note quotes a post that somebody else has.
        assert_eq!(of_class(&json, "note"), serde_json::json!({ "quoted": 1 }), "{action}");
        let (_, json) = said(&shop, "3").await;
        assert_eq!(of_class(&json, "note"), serde_json::json!({ "quoted": 1 }), "{action}");
    }
    let shop =
        Shop::new(TOPICS, &map, "customer = 'anonymise'\npost = { keep = 'they stay' }\nnote = 'delete'\n");
    let (_, json) = said(&shop, "1").await;
    assert!(of_class(&json, "post").is_null(), "what stays is not treated: {json}");
}

/// A post that hangs from the thread of somebody else, and has an author of its own, went with the thread, and no plan said
/// whose it was.
#[tokio::test]
async fn posts_whose_author_comes_second_are_counted_as_well() {
    let map = |post: &str| {
        format!(
            "{CUSTOMERS}fields = {{ name = 'name' }}\n\
             [records.thread]\ntable = 'threads'\nowner = 'opener'\nfields.title = 'free_text'\n\
             [records.post]\ntable = 'posts'\n{post}\nfields.body = 'free_text'\n"
        )
    };
    for post in [
        "owner = { first = ['thread', 'author'] }\nends.author = 'clear'",
        "shared = ['thread', 'author']\nends = { thread = 'goes', author = 'clear' }",
    ] {
        let treatment = "customer = { action = 'anonymise' }\nthread = 'delete'\npost = 'delete'\n";
        let shop = Shop::new(THREADS, &map(post).replace("name = 'name'", "name = 'username'"), treatment);
        let (text, json) = said(&shop, "1").await;
        assert!(text.contains("      2 of these name another customer in author"), "{post}: {text}");
        assert_eq!(of_class(&json, "post")["author"], 2, "{post}: {json}");
    }
}

/// The certificate said nothing of the posts of others that went along: how many there were, never who.
#[tokio::test]
async fn the_certificate_says_how_many_records_named_somebody_else() {
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name' }}\n\
         [records.thread]\ntable = 'threads'\nowner = 'opener'\nfields.title = 'free_text'\n\
         [records.post]\ntable = 'posts'\nowner = 'author'\nnobody = 'of authors who left'\nends = {{ thread = 'goes' }}\n\
         fields.body = 'free_text'\n"
    );
    for action in ["delete", "anonymise"] {
        let treatment = format!("customer = 'delete'\nthread = 'delete'\npost = '{action}'\n");
        let nullable = THREADS.replace("thread INTEGER NOT NULL", "thread INTEGER");
        let shop = Shop::new(&nullable, &map.replace("ends = {", "ends = { author = 'clear',"), &treatment);
        let outcome = shop.erase("1").await;
        let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}"));
        let text = certificate.to_string();
        assert!(text.contains("    2 of these named another customer in author"), "{text}");
        let page = certificate.to_html(relinquish::policy::Language::English, None);
        assert!(page.contains("of these, author named another customer: 2"), "{page}");
        // Whoever they are stands nowhere.
        let json = serde_json::to_value(certificate).unwrap();
        let post =
            json["records"].as_array().unwrap().iter().find(|record| record["class"] == "post").unwrap();
        assert_eq!(post["otherwise"]["named_others"], serde_json::json!({ "author": 2 }));
        // Her one post is left, or is in no thread of somebody else.
        let outcome = shop.erase("2").await;
        let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}"));
        assert!(!certificate.to_string().contains("another customer"), "{certificate}");
    }
}

/// The plan said "in records of others too" of links in records that are the customer's alone.
#[tokio::test]
async fn records_of_others_are_mentioned_only_where_there_can_be_some() {
    let sql = "
        CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE tickets (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients, seen_by INTEGER REFERENCES clients, text TEXT);
        CREATE TABLE replies (id INTEGER PRIMARY KEY, ticket INTEGER REFERENCES tickets, text TEXT);
        INSERT INTO clients VALUES (1, 'Vigdis'), (2, 'Bo');
        INSERT INTO tickets VALUES (1, 1, 2, 'a'), (2, 2, 1, 'b');
        INSERT INTO replies VALUES (1, 1, 'x'), (2, 2, 'y');";
    let map = format!(
        "{CUSTOMERS}fields.name = 'name'\n\
         [records.ticket]\ntable = 'tickets'\nowner = 'client'\nends = {{ client = 'clear', seen_by = 'clear' }}\n\
         nobody = 'of clients who left'\nfields.text = 'free_text'\n\
         [records.reply]\ntable = 'replies'\nowner = 'ticket'\nends.ticket = 'clear'\nnobody = 'of tickets that went'\n\
         fields.text = 'free_text'\n"
    );
    let lines = |text: &str| -> Vec<String> {
        let cut = text.lines().filter(|line| line.contains(" cut where "));
        cut.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let shop = Shop::new(sql, &map, "customer = 'delete'\nticket = 'anonymise'\nreply = 'anonymise'\n");
    let (text, _) = said(&shop, "1").await;
    assert_eq!(
        lines(&text),
        [
            "ticket.client cut where it leads to a row that goes",
            "ticket.seen_by cut where it leads to a row that goes, in records of others too"
        ],
        "{text}"
    );
    // A reply that is deleted with its ticket has no link to cut, and one that stays is the customer's own.
    let shop = Shop::new(sql, &map, "customer = 'delete'\nticket = 'delete'\nreply = 'delete'\n");
    let (text, _) = said(&shop, "1").await;
    assert_eq!(
        lines(&text),
        ["ticket.seen_by cut where it leads to a row that goes, in records of others too"],
        "{text}"
    );
    let shop = Shop::new(sql, &map, "customer = 'delete'\nticket = 'delete'\nreply = 'anonymise'\n");
    let (text, _) = said(&shop, "1").await;
    assert!(
        lines(&text).contains(&"reply.ticket cut where it leads to a row that goes".to_owned()),
        "{text}"
    );
    // Whoever has an order has the address on it: no order of somebody else loses its address.
    let orders = "
        CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE addresses (id INTEGER PRIMARY KEY, street TEXT);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, bill_to INTEGER REFERENCES addresses);
        INSERT INTO clients VALUES (1, 'Vigdis'); INSERT INTO addresses VALUES (1, 'a'); INSERT INTO orders VALUES (1, 1, 1);";
    let of_orders = format!(
        "{CUSTOMERS}fields.name = 'username'\n[records.order]\ntable = 'orders'\nowner = 'client'\n\
         [records.address]\ntable = 'addresses'\nshared = ['order.bill_to']\nfields.street = 'address'\n"
    );
    let shop = Shop::new(
        orders,
        &of_orders,
        "customer = 'anonymise'\norder = { keep = 'books' }\naddress = 'delete'\n",
    );
    let (text, _) = said(&shop, "1").await;
    assert_eq!(lines(&text), ["order.bill_to cut where it leads to a row that goes"], "{text}");
    // Where a ticket goes with whoever has seen it, a reply to it may be somebody else's.
    let along = map.replace("seen_by = 'clear'", "seen_by = 'goes'");
    let shop = Shop::new(sql, &along, "customer = 'delete'\nticket = 'delete'\nreply = 'anonymise'\n");
    let (text, _) = said(&shop, "1").await;
    assert!(
        lines(&text).contains(
            &"reply.ticket cut where it leads to a row that goes, in records of others too".to_owned()
        ),
        "{text}"
    );
}

/// The name of whoever edited a post stands beside a link that leads nowhere. No erasure writes it, and nobody said so.
#[tokio::test]
async fn fields_of_nobody_are_counted() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES clients, editor INTEGER, nick TEXT, body TEXT);
        INSERT INTO clients VALUES (1, 'Vigdis'), (2, 'Bo');
        INSERT INTO posts VALUES (1, 1, 2, 'bo', 'a'), (2, 1, NULL, 'gone', 'b'), (3, 1, 99, 'gone too', 'c'), (4, 1, 0, 'zero', 'd'),
            (5, 1, NULL, NULL, 'e'), (6, 2, NULL, 'of another post', 'f');";
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name' }}\n[records.post]\ntable = 'posts'\nowner = 'author'\n\
         ends = {{ editor = {{ to = 'customer', none = 0, gone = {{ keep = 'it shows nothing' }} }} }}\n\
         fields = {{ nick = {{ kind = 'username', of = 'editor' }}, body = 'free_text' }}\n"
    );
    let in_plan = |json: &serde_json::Value| {
        let records = json["records"].as_array().unwrap();
        records.iter().find(|record| record["class"] == "post").unwrap()["fields_of_nobody"].clone()
    };
    let shop = Shop::new(sql, &map, "customer = 'anonymise'\npost = 'anonymise'\n");
    let plan = hosts::plan(&shop.engine(), &"1".into(), &Asked::request()).await;
    assert_eq!(in_plan(&plan.to_json()), serde_json::json!({ "editor": 3 }));
    assert!(
        plan.to_string().contains("      3 of these keep the fields of whoever editor leads to"),
        "{plan}"
    );
    // The census counts them in everybody's records, and the plan quotes it.
    let census = shop.store().unwrap().census(&CensusRequest::new(Utc::now())).await.unwrap();
    let counted = &census.tables["posts"].classes["post"].nobodys_fields;
    assert_eq!(counted, &BTreeMap::from([("editor".to_owned(), 4)]));
    assert!(census.to_string().contains("4 records with fields of whoever editor leads to"), "{census}");
    let quoted = census.not_covered();
    assert!(
        quoted.iter().any(|what| what.to_string().starts_with("4 records of post with fields of whoever"))
    );
    let outcome = shop.erase("1").await;
    let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}"));
    let text = certificate.to_string();
    let page = certificate.to_html(relinquish::policy::Language::English, None);
    assert!(
        text.contains("    3 of these keep the fields of whoever editor led to: it led nowhere"),
        "{text}"
    );
    assert!(page.contains("fields of whoever editor led to stay, because it led nowhere: 3"), "{page}");
    assert_eq!(shop.text("SELECT group_concat(nick) FROM posts"), "bo,gone,gone too,zero,of another post");
    // What is deleted takes its fields with it.
    let shop = Shop::new(sql, &map, "customer = 'anonymise'\npost = 'delete'\n");
    let plan = hosts::plan(&shop.engine(), &"1".into(), &Asked::request()).await;
    assert_eq!(in_plan(&plan.to_json()), serde_json::Value::Null);
}
