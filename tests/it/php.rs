//! Texts that PHP serialised: redacted so that PHP can still read them, or their customer is blocked.

use relinquish::{Asked, Decision, Planned};

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
        let Planned::Refused(Decision::Blocked(blocked)) = blocked else { panic!("{blocked:?}") };
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
