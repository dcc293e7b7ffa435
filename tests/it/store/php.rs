//! Texts that PHP serialised: redacted so that PHP can still read them, or their customer is blocked.

use relinquish::{Asked, Planned};

use crate::shop::{CUSTOMERS, Shop};

fn shop(text: &str, treatment: &str) -> Shop {
    let sql = format!(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, mail TEXT);
         CREATE TABLE notes (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients(id), body TEXT);
         INSERT INTO clients VALUES (1, 'Ylva Åsen', 'ylva@ask.test'), (2, 'Bo', 'b@ask.test');
         INSERT INTO notes VALUES (1, 1, '{text}');"
    );
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name', mail = 'email' }}\n[records.note]\ntable = 'notes'\nowner = 'client'\n\
         fields.body = 'free_text'\n"
    );
    Shop::new(&sql, &map, treatment)
}

const REDACT: &str =
    "customer = 'anonymise'\nnote = { action = 'anonymise', fields = { body = 'redact' } }\n";

/// The length stayed as it was, and PHP could not read the value any more: `s:13:"[erased]"`.
#[tokio::test]
async fn a_redacted_string_of_php_gets_its_new_length() {
    for (text, redacted) in [
        (r#"s:13:"ylva@ask.test";"#.to_owned(), r#"s:8:"[erased]";"#),
        (
            r#"a:2:{s:4:"mail";s:13:"ylva@ask.test";s:2:"by";s:18:"från Ylva Åsen é";}"#
                .replace("s:18", "s:19"),
            r#"a:2:{s:4:"mail";s:8:"[erased]";s:2:"by";s:17:"från [erased] é";}"#,
        ),
        (
            r#"a:1:{i:0;s:31:"a:1:{i:0;s:13:"ylva@ask.test";}";}"#.to_owned(),
            r#"a:1:{i:0;s:25:"a:1:{i:0;s:8:"[erased]";}";}"#,
        ),
        (
            r#"O:8:"stdClass":2:{s:4:"mail";s:13:"ylva@ask.test";s:1:"n";i:7;}"#.to_owned(),
            r#"O:8:"stdClass":2:{s:4:"mail";s:8:"[erased]";s:1:"n";i:7;}"#,
        ),
        (r#"a:1:{i:0;s:2:"hi";}"#.to_owned(), r#"a:1:{i:0;s:2:"hi";}"#),
        ("a: ylva@ask.test".to_owned(), "a: [erased]"),
    ] {
        let shop = shop(&text, REDACT);
        shop.erase("1").await;
        assert_eq!(shop.text("SELECT body FROM notes"), redacted, "{text}");
    }
}

/// A value that only starts like serialised data was redacted all the same.
#[tokio::test]
async fn what_php_cannot_read_blocks_its_customer_until_the_policy_says_more() {
    for text in [
        r#"a:1:{i:0;s:9:"ylva@ask.test";}"#,
        r#"a:1:{i:0;s:13:"ylva@ask.test";"#,
        r#"C:3:"Own":13:{ylva@ask.test}"#,
        r#"a:1:{i:0;s:9:"s:9:"ylva@";}"#,
    ] {
        let blocked = shop(text, REDACT).engine().plan(&"1".into(), &Asked::request()).await.unwrap();
        let Planned::Refused(blocked) = blocked else { panic!("{blocked:?}") };
        let said = format!("{}; {}", blocked.by[0].why, blocked.by[0].way_out);
        for part in [
            "body of note",
            "starts like data that PHP serialised",
            "otherwise = \"remove\" beside the action of note",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let removes = "customer = 'anonymise'\nnote = { action = 'anonymise', otherwise = 'remove', fields = { body = 'redact' } }\n";
        let shop = shop(text, removes);
        shop.erase("1").await;
        assert_eq!(shop.text("SELECT body FROM notes"), "", "{text}");
    }
}

fn in_json(document: &str, treatment: &str) -> Shop {
    let sql = format!(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, mail TEXT);
         CREATE TABLE notes (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients(id), body TEXT);
         INSERT INTO clients VALUES (1, 'Ylva Åsen', 'ylva@ask.test'), (2, 'Bo', 'b@ask.test');
         INSERT INTO notes VALUES (1, 1, '{document}');"
    );
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name', mail = 'email' }}\n[records.note]\ntable = 'notes'\nowner = 'client'\n\
         fields.body = {{ json = {{ '/v' = 'free_text' }}, rest = 'free_text' }}\n"
    );
    Shop::new(&sql, &map, treatment)
}

const REDACT_JSON: &str = "customer = 'anonymise'\n\
    note = { action = 'anonymise', fields = { body = 'redact', 'body/v' = 'redact' } }\n";

/// Within a JSON document the lengths stayed as they were.
#[tokio::test]
async fn a_redacted_string_of_php_within_json_gets_its_new_length() {
    for (text, redacted) in [
        (r#"{"v": "s:13:\"ylva@ask.test\";", "n": 1.0}"#, r#"{"v": "s:8:\"[erased]\";", "n": 1.0}"#),
        (
            r#"{"v": 1, "w": ["a:1:{i:0;s:13:\"ylva@ask.test\";}", "ylva@ask.test"]}"#,
            r#"{"v": 1, "w": ["a:1:{i:0;s:8:\"[erased]\";}", "[erased]"]}"#,
        ),
        // A member's name, and escapes: the length counts the bytes of what is meant.
        (r#"{"s:14:\"ylva@ask.test\u0020\";": 1}"#, r#"{"s:9:\"[erased] \";": 1}"#),
        (r#"{"v": "s:16:\"\u00e9 ylva@ask.test\";"}"#, r#"{"v": "s:11:\"é [erased]\";"}"#),
        (r#"{"v": "s:2:\"hi\";"}"#, r#"{"v": "s:2:\"hi\";"}"#),
    ] {
        let shop = in_json(text, REDACT_JSON);
        shop.erase("1").await;
        assert_eq!(shop.text("SELECT body FROM notes"), redacted, "{text}");
    }
}

/// What PHP could not read any more, or nobody can search, passed for a text without a mention.
#[tokio::test]
async fn a_text_within_json_that_cannot_be_searched_blocks_its_customer() {
    for (text, why) in [
        (r#"{"v": "a:1:{i:0;s:9:\"ylva@ask.test\";}"}"#, "starts like data that PHP serialised"),
        (r#"{"w": ["x", "s:3:\"ylva@ask.test\";"]}"#, "starts like data that PHP serialised"),
        (r#"{"v": "y\u0000l\u0000v\u0000a"}"#, "NUL characters between letters"),
    ] {
        let blocked = in_json(text, REDACT_JSON).engine().plan(&"1".into(), &Asked::request()).await.unwrap();
        let Planned::Refused(blocked) = blocked else { panic!("{text}: {blocked:?}") };
        let said = format!("{}; {}", blocked.by[0].why, blocked.by[0].way_out);
        for part in ["of note", "a text in it cannot be searched", why, "otherwise = \"remove\""] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("ylva"), "{said}");
        let shop = in_json(text, &REDACT_JSON.replace("fields", "otherwise = 'remove', fields"));
        shop.erase("1").await;
        assert_eq!(shop.text("SELECT body FROM notes"), "", "{text}");
    }
}
