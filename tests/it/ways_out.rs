//! Every way out that a problem names is one: the next check lets it pass.

use relinquish::{PolicyDocument, RecordStore as _};

use crate::shop::{CUSTOMERS, Shop};

fn notes(null: &str, end: &str, treatment: &str) -> Shop {
    let sql = format!(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, settings TEXT NOT NULL);
         CREATE TABLE topics (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients(id), title TEXT);
         CREATE TABLE notes (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients(id),
             topic INTEGER {null} REFERENCES topics(id), body TEXT);
         INSERT INTO clients VALUES (1, 'Ragna', '{{}}'), (2, 'Bo', 'no JSON');
         INSERT INTO topics VALUES (1, 1, 'a');
         INSERT INTO notes VALUES (1, 2, 1, 'x');"
    );
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name', settings = {{ json = {{ '/name' = 'name' }}, rest = 'not personal' }} }}\n\
         [records.topic]\ntable = 'topics'\nowner = 'client'\nfields.title = 'free_text'\n\
         [records.note]\ntable = 'notes'\nowner = 'client'\nfields.body = 'free_text'\nends.topic = {end}\n"
    );
    Shop::new(&sql, &map, treatment)
}

fn passes(shop: &Shop) {
    let policy = PolicyDocument::from_toml(&shop.policy).unwrap();
    let store = shop.store().unwrap_or_else(|error| panic!("{error}"));
    policy.check(store.data_map()).unwrap_or_else(|problems| panic!("{problems}"));
}

/// "clear" was offered for a link that takes no NULL, and "goes", which works, was not.
#[tokio::test]
async fn a_link_is_offered_the_words_that_it_takes() {
    let treatment = "customer = 'anonymise'\ntopic = 'delete'\nnote = 'delete'\n";
    let said = notes("NOT NULL", "{ keep = 'no need' }", treatment).policy_refused();
    assert!(said.contains("ends.topic = \"goes\"") && !said.contains("\"clear\""), "{said}");
    assert!(said.contains("anonymise this class"), "{said}");
    passes(&notes("NOT NULL", "'goes'", treatment));
    passes(&notes(
        "NOT NULL",
        "{ keep = 'no need' }",
        &treatment.replace("topic = 'delete'", "topic = 'anonymise'"),
    ));
    let said = notes("", "{ keep = 'no need' }", treatment).policy_refused();
    assert!(said.contains("ends.topic = \"goes\"") && said.contains("ends.topic = \"clear\""), "{said}");
    let clears = notes("", "'clear'", treatment);
    passes(&clears);
    clears.erase("1").await;
    assert_eq!(clears.text("SELECT coalesce(topic, '-') || '' FROM notes"), "-");
    // Where the customer's own record goes, the topic cannot stay.
    let gone = treatment.replace("customer = 'anonymise'", "customer = 'delete'");
    let said = notes("NOT NULL", "{ keep = 'no need' }", &gone).policy_refused();
    assert!(!said.contains("anonymise this class"), "{said}");
    passes(&notes("NOT NULL", "'goes'", &gone));
}

/// "reassign" was offered where no "Unknown Customer" is mapped, and "anonymise" for what hangs from a record that goes.
#[test]
fn a_class_is_offered_the_actions_that_it_takes() {
    let said = notes("", "'clear'", "customer = 'delete'\ntopic = 'delete'\n").policy_refused();
    assert!(said.contains("treatments.x.note: is not covered; write \"delete\""), "{said}");
    assert!(!said.contains("anonymise") && !said.contains("reassign") && !said.contains("keep"), "{said}");
    passes(&notes("", "'clear'", "customer = 'delete'\ntopic = 'delete'\nnote = 'delete'\n"));
    let said = notes("", "'clear'", "customer = 'anonymise'\ntopic = 'delete'\n").policy_refused();
    assert!(said.contains("write \"delete\", \"anonymise\" or { keep = \"reason\" }"), "{said}");
    for action in ["'delete'", "'anonymise'", "{ keep = 'law' }"] {
        passes(&notes(
            "",
            "'clear'",
            &format!("customer = 'anonymise'\ntopic = 'delete'\nnote = {action}\n"),
        ));
    }
}

/// For a document that takes no NULL, a placeholder was offered and "leave the field out: it is not personal".
#[tokio::test]
async fn a_document_that_cannot_be_read_becomes_a_document() {
    let treatment = |otherwise: &str| {
        format!(
            "customer = {{ action = 'anonymise', otherwise = {otherwise} }}\ntopic = 'delete'\nnote = 'delete'\n"
        )
    };
    let said = notes("", "'clear'", &treatment("'clear'")).policy_refused();
    assert!(said.contains("for values that cannot be read: write { constant = \"{}\" }"), "{said}");
    let shop = notes("", "'clear'", &treatment("{ constant = '{}' }"));
    shop.erase("2").await;
    assert_eq!(shop.text("SELECT settings FROM clients WHERE id = 2"), "{}");
}

/// `shared = ["a+b", …]` was offered for a foreign key of two columns: there is no such column.
#[test]
fn a_key_of_several_columns_is_offered_no_column_of_a_joined_name() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE places (shop INTEGER, no INTEGER, client INTEGER REFERENCES clients(id), PRIMARY KEY (shop, no));
        CREATE TABLE calls (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients(id), shop INTEGER, no INTEGER,
            FOREIGN KEY (shop, no) REFERENCES places(shop, no));";
    let map = |end: &str| {
        format!(
            "{CUSTOMERS}fields.name = 'name'\n[records.place]\ntable = 'places'\nowner = 'client'\n\
             [records.call]\ntable = 'calls'\nowner = 'client'\n{end}"
        )
    };
    let said = Shop::new(sql, &map(""), "").refused();
    assert!(
        said.contains("ends.\"shop+no\" = \"goes\"") && !said.contains("shared = [\"shop+no\""),
        "{said}"
    );
    for word in ["goes", "clear"] {
        let end = format!("ends.\"shop+no\" = \"{word}\"\n");
        passes(&Shop::new(sql, &map(&end), "customer = 'delete'\nplace = 'delete'\ncall = 'delete'\n"));
    }
}
