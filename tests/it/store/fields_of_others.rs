//! Fields of somebody else than the owner of their record: only the erasure of whoever the link leads to writes them, and it
//! searches them.

use relinquish::Asked;
use serde_json::json;

use crate::hosts;
use crate::shop::{CUSTOMERS, Shop, changes};

const BY_MAIL: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE);
    CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES clients, editor TEXT, nick TEXT, body TEXT);
    INSERT INTO clients VALUES (1, 'Anna Alm', 'anna@x.org'), (2, 'Bo Berg', 'bo@x.org');
    INSERT INTO posts VALUES (1, 1, 'bo@x.org', 'Bo Berg', 'a'), (2, 2, 'anna@x.org', 'Anna', 'b'), (3, 1, NULL, 'somebody', 'c'),
        (4, 1, 'guest@x.org', 'a guest', 'd'), (5, 1, 'anna@x.org', 'Anna', 'e');";

fn by_mail(compare: &str) -> Shop {
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name', email = 'email' }}\n\
         [records.post]\ntable = 'posts'\nowner = 'author'\n\
         ends.editor = {{ to = 'customer.email', compare = '{compare}', gone = 'clear' }}\n\
         fields = {{ editor = 'email', nick = {{ kind = 'username', of = 'editor' }}, body = 'free_text' }}\n"
    );
    Shop::new(BY_MAIL, &map, "customer = 'anonymise'\npost = 'anonymise'\n")
}

/// The address and the name of whoever edited a post went with the author, and the editor's own erasure found nothing.
#[tokio::test]
async fn a_link_by_value_protects_the_fields_of_whoever_it_leads_to() {
    for compare in ["exact", "nocase", "normalised"] {
        let shop = by_mail(compare);
        let plan = hosts::plan(&shop.engine(), &"1".into(), &Asked::request()).await;
        let plan = plan.to_json();
        let records = plan["records"].as_array().unwrap();
        let post = records.iter().find(|record| record["class"] == "post").unwrap();
        assert_eq!(post["names_others"], json!({ "editor": 1 }), "{compare}: {plan}");
        // One is nobody's, and one a guest's.
        assert_eq!(post["fields_of_nobody"], json!({ "editor": 2 }), "{compare}: {plan}");
        let before = shop.cells();
        let outcome = shop.erase("1").await;
        assert_eq!(
            Vec::from_iter(changes(&before, &shop.cells())),
            [
                "clients[1].email",
                "clients[1].name",
                "posts[1].body",
                "posts[2].editor",
                "posts[2].nick",
                "posts[3].body",
                "posts[4].body",
                "posts[5].body",
                "posts[5].editor",
                "posts[5].nick"
            ],
            "{compare}"
        );
        let text = outcome.certificate().unwrap_or_else(|| panic!("{outcome}")).to_string();
        assert!(text.contains("1 of these named another customer in editor"), "{text}");
        assert!(
            text.contains("2 of these keep the fields of whoever editor led to: it led nowhere"),
            "{text}"
        );
        let before = shop.cells();
        shop.erase("2").await;
        assert_eq!(
            Vec::from_iter(changes(&before, &shop.cells())),
            ["clients[2].email", "clients[2].name", "posts[1].editor", "posts[1].nick", "posts[2].body"],
            "{compare}"
        );
    }
}

/// The policy with this rule for free texts.
fn redacting(mut shop: Shop) -> Shop {
    shop.policy = shop.policy.replace("free_text = 'remove'", "free_text = 'redact'");
    shop
}

/// A text of the editor in the post of somebody else was never searched, although plan and certificate said so: with the name
/// gone, nobody could find it any more.
#[tokio::test]
async fn a_text_of_somebody_in_the_record_of_another_is_searched_for_that_person() {
    let sql = |link: &str| {
        format!(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE);
             CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES clients, editor {link}, note TEXT, doc TEXT,
                body TEXT);
             INSERT INTO clients VALUES (1, 'Anna Almgren', 'anna@x.org'), (2, 'Bo Bergqvist', 'bo@x.org');
             INSERT INTO posts SELECT p.column1, p.column2, {}, p.column4, p.column5, p.column6 FROM (VALUES
                (1, 2, 1, 'Anna Almgren fixed a typo', '{{\"n\":\"Anna Almgren\"}}', 'by Bo Bergqvist'),
                (2, 1, 2, 'Bo Bergqvist fixed what Anna Almgren wrote', '{{\"n\":\"Bo Bergqvist\"}}', 'by Anna Almgren'),
                (3, 1, 1, 'self: Anna Almgren', '{{\"n\":\"anna@x.org\"}}', 'x')) AS p;",
            if link == "TEXT" { "(SELECT email FROM clients WHERE id = p.column3)" } else { "p.column3" }
        )
    };
    for (link, ends) in
        [("INTEGER REFERENCES clients", "'clear'"), ("TEXT", "{ to = 'customer.email', gone = 'clear' }")]
    {
        let own = if link == "TEXT" { "editor = 'email', " } else { "" };
        let map = format!(
            "{CUSTOMERS}fields = {{ name = 'name', email = 'email' }}\n\
             [records.post]\ntable = 'posts'\nowner = 'author'\nends.editor = {ends}\n\
             fields = {{ {own}note = {{ kind = 'free_text', of = 'editor' }}, doc = {{ kind = 'free_text', of = 'editor' }}, \
             body = 'free_text' }}\n"
        );
        let shop = redacting(Shop::new(&sql(link), &map, "customer = 'anonymise'\npost = 'anonymise'\n"));
        let outcome = shop.erase("1").await;
        assert!(outcome.certificate().is_some(), "{outcome}");
        let texts = "SELECT group_concat(note || '|' || doc || '|' || body, ';') FROM (SELECT * FROM posts ORDER BY id)";
        assert_eq!(
            shop.text(texts),
            "[erased] fixed a typo|{\"n\":\"[erased]\"}|by Bo Bergqvist;\
             Bo Bergqvist fixed what Anna Almgren wrote|{\"n\":\"Bo Bergqvist\"}|by [erased];\
             self: [erased]|{\"n\":\"[erased]\"}|x",
            "{link}"
        );
        // The text of post 2 is his: it is searched for him, in her record.
        shop.erase("2").await;
        assert_eq!(
            shop.text(texts),
            "[erased] fixed a typo|{\"n\":\"[erased]\"}|by [erased];\
             [erased] fixed what Anna Almgren wrote|{\"n\":\"[erased]\"}|by [erased];\
             self: [erased]|{\"n\":\"[erased]\"}|x",
            "{link}"
        );
    }
}

/// A pen name that stands only in the posts of others was erased there, and left in the person's own texts, unsaid.
#[tokio::test]
async fn what_fields_of_a_person_hold_is_looked_for_in_the_persons_texts() {
    let sql = "
        CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES clients, editor INTEGER REFERENCES clients,
            ed_name TEXT, ed_mail TEXT, body TEXT, memo TEXT);
        INSERT INTO clients VALUES (1, 'Anna Almgren'), (2, 'Bo Bergqvist');
        INSERT INTO posts VALUES (1, 2, 1, 'Moosehunter Zwei', 'old.anna@x.org', 'by Bo', NULL),
            (2, 1, NULL, NULL, NULL, 'I am Moosehunter Zwei, write old.anna@x.org', 'also old.anna@x.org'),
            (3, 1, 1, 'Annie Ogre', 'ogre@x.org', 'signed Annie Ogre ogre@x.org', NULL),
            (4, 1, 2, 'Bosse Fiskare', 'bosse@x.org', 'thanks to Bosse Fiskare', NULL);";
    let map = format!(
        "{CUSTOMERS}fields.name = 'name'\n\
         [records.post]\ntable = 'posts'\nowner = 'author'\nends.editor = 'clear'\n\
         fields = {{ ed_name = {{ kind = 'name', of = 'editor' }}, ed_mail = {{ kind = 'email', of = 'editor' }}, \
         body = 'free_text', memo = 'not personal' }}\n"
    );
    let shop = redacting(Shop::new(sql, &map, "customer = 'anonymise'\npost = 'anonymise'\n"));
    let outcome = shop.erase("1").await;
    let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}"));
    assert_eq!(
        shop.text("SELECT group_concat(body, ';') FROM (SELECT * FROM posts ORDER BY id)"),
        // What stands in her post of him is not hers.
        "by Bo;I am [erased], write [erased];signed [erased] [erased];thanks to Bosse Fiskare"
    );
    let text = certificate.to_string();
    assert!(text.contains("post.memo still holds an erased value in 1 record: 2"), "{text}");
}

/// A message of two people was counted twice: as a record of others with fields of the person, and as also somebody else's.
#[tokio::test]
async fn a_shared_record_with_a_field_of_the_person_counts_once() {
    let sql = "
        CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE messages (id INTEGER PRIMARY KEY, sender INTEGER REFERENCES clients, reader INTEGER REFERENCES clients, nick TEXT,
            body TEXT);
        INSERT INTO clients VALUES (1, 'Anna Almgren'), (2, 'Bo Bergqvist');
        INSERT INTO messages VALUES (1, 1, 2, 'anna', 'a'), (2, 2, 1, 'bo', 'b'), (3, 1, 1, 'anna', 'c'), (4, 1, NULL, 'anna', 'd');";
    let map = format!(
        "{CUSTOMERS}fields.name = 'username'\n\
         [records.message]\ntable = 'messages'\nshared = ['sender', 'reader']\nends = {{ sender = 'clear', reader = 'clear' }}\n\
         nobody = 'of clients who left'\nfields = {{ nick = {{ kind = 'username', of = 'sender' }}, body = 'free_text' }}\n"
    );
    let shop = Shop::new(sql, &map, "customer = 'anonymise'\nmessage = 'anonymise'\n");
    let plan = hosts::plan(&shop.engine(), &"1".into(), &Asked::request()).await;
    let text = plan.to_string();
    assert!(text.contains("2 rows"), "{text}");
    assert!(text.contains("1 more row of others: only fields of this person are treated there"), "{text}");
    // The second message has nothing of hers that is a field.
    assert!(text.contains("1 more is also somebody else's"), "{text}");
    let outcome = shop.erase("1").await;
    let text = outcome.certificate().unwrap_or_else(|| panic!("{outcome}")).to_string();
    assert!(text.contains("1 record of others: only fields of this person were treated there"), "{text}");
    assert!(text.contains("1 more record is also somebody else's"), "{text}");
}
