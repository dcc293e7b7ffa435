//! Difficult schemas. Each test lists by hand which cells may change. Every other cell of the database has to stay
//! the same.

use std::collections::BTreeSet;

use chrono::DateTime;
use relinquish::anonymise::Seed;
use relinquish::customer::CustomerId;
use relinquish::store::{CustomerStore, EraseRequest, Erased, RecordStore, Scrub, Target};
use relinquish::{Asked, Customer, Outcome, PolicyDocument};
use rusqlite::Connection;

use crate::hosts::approved;
use crate::shop::{CUSTOMERS, Shop, changes};

/// Erases customers one after the other, and returns what has changed. Afterwards the given values must not be found
/// anywhere, and a second erasure has nothing to do.
async fn erase(shop: &Shop, ids: &[&str], secrets: &[&str]) -> BTreeSet<String> {
    let before = shop.cells();
    let engine = shop.engine();
    for id in ids {
        let plan = approved(&engine, &CustomerId::from(*id), &Asked::request()).await;
        let outcome = engine.erase(plan).await.unwrap();
        assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
        match engine.plan(&CustomerId::from(*id), &Asked::request()).await {
            Ok(relinquish::Planned::Nothing(_)) => {}
            Ok(other) => panic!("there is something left to do: {other}"),
            Err(error) => assert!(matches!(error, relinquish::Error::NoSuchCustomer), "{error}"),
        }
    }
    let after = shop.cells();
    for secret in secrets {
        let found: Vec<_> = after.iter().filter(|(_, value)| value.contains(secret)).collect();
        assert!(found.is_empty(), "{secret} is still in {found:?}");
    }
    changes(&before, &after)
}

fn set(changes: &[&str]) -> BTreeSet<String> {
    changes.iter().map(|change| (*change).to_owned()).collect()
}

/// The error that blocks a customer before anything is done.
async fn blocked(engine: &relinquish::Engine, id: &str) -> String {
    let planned = engine.plan(&id.into(), &Asked::request()).await.unwrap();
    match planned {
        refused @ relinquish::Planned::Refused(_) => refused.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn values_inside_a_json_document_go_and_every_other_byte_stays() {
    let shop = Shop::new(
        r#"CREATE TABLE clients (id INTEGER PRIMARY KEY, profile TEXT);
         INSERT INTO clients VALUES
           (1, '{"v":1.0, "name":"Maud Ash", "contacts":[{"email":"m@x.org","vip":true},{"email":null}], "name":"Maud again"}'),
           (2, '{"name":"Bob","contacts":[]}'), (3, NULL), (4, '{"plan":"gold"}');"#,
        &format!(
            "{CUSTOMERS}fields.profile = {{ json = {{ '/name' = 'name', '/contacts/*/email' = 'email' }}, rest = 'not personal' }}"
        ),
        "customer = 'anonymise'",
    );
    assert_eq!(erase(&shop, &["1"], &["Maud", "m@x"]).await, set(&["clients[1].profile"]));
    let profile = shop.text("SELECT profile FROM clients WHERE id = 1");
    let (before, rest) = profile.split_once("\"email\":\"").unwrap();
    assert_eq!(before, r#"{"v":1.0, "name":null, "contacts":[{"#, "number, spaces and order stay");
    assert!(
        rest.contains(r#"","vip":true},{"email":""#) && rest.ends_with(r#"}], "name":null}"#),
        "{profile}"
    );
    // If the value does not exist, there is nothing to do. A text that is not a document is not changed, but
    // reported.
    assert!(erase(&shop, &["3", "4"], &[]).await.is_empty());
    let broken = Shop::new(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, profile TEXT); INSERT INTO clients VALUES (1, '{\"name\": Maud')",
        &format!("{CUSTOMERS}fields.profile = {{ json = {{ '/name' = 'name' }}, rest = 'not personal' }}"),
        "customer = 'anonymise'",
    );
    let before = broken.cells();
    let said = blocked(&broken.engine(), "1").await;
    assert!(said.contains("profile/name of customer") && said.contains("no JSON"), "{said}");
    assert!(!said.contains("Maud"), "{said}");
    assert_eq!(broken.cells(), before);
}

/// In texts inside documents only the mentions of the erased person are replaced. Spelling, order, numbers and other
/// people stay.
#[tokio::test]
async fn texts_inside_a_json_document_lose_the_customer_and_no_other_byte() {
    let shop = Shop::new(
        r#"CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, card TEXT);
         CREATE TABLE visits (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, report TEXT NOT NULL);
         INSERT INTO clients VALUES
           (1, 'Maud Ashworth', '{"v":1.0, "note":"z. Hd. Ashworth, \u0033\u0030 Tage", "sum":1.50}'),
           (2, 'Bob Featherstone', '{"note":"Featherstone and Ashworth"}');
         INSERT INTO visits VALUES
           (1, 1, '{"log":[{"text":"Maud Ashworth let us in\n","min":5E0},{"text":"ASHWORTH, M. away","by":"Ashworth desk"}], "by":"Ashworth"}'),
           (2, 1, '{"log":[{"text":["Maud",{"to":"Ashw\u006frth"}]}]}'),
           (3, 1, '{"log":[]}'), (4, 1, 'null'),
           (5, 2, '{"log":[{"text":"Maud Ashworth"}]}');"#,
        &format!(
            "{CUSTOMERS}fields = {{ name = 'name', card = {{ json = {{ '/note' = 'free_text' }}, rest = 'not personal' }} }}\n\
             [records.visit]\ntable = 'visits'\nkey = 'id'\nowner = 'client_id'\n\
             fields.report = {{ json = {{ '/log/*/text' = 'free_text' }}, rest = 'not personal' }}"
        ),
        "customer = { action = 'anonymise', fields = { 'card/note' = { redact = '[\"x\"]' } } }\n\
         visit = { action = 'anonymise', fields = { 'report/log/*/text' = 'redact' } }",
    );
    assert_eq!(
        erase(&shop, &["1"], &["Maud Ashworth let"]).await,
        set(&["clients[1].name", "clients[1].card", "visits[1].report", "visits[2].report"])
    );
    let card = shop.text("SELECT card FROM clients WHERE id = 1");
    assert_eq!(card, r#"{"v":1.0, "note":"z. Hd. [\"x\"], \u0033\u0030 Tage", "sum":1.50}"#);
    let report = shop.text("SELECT report FROM visits WHERE id = 1");
    assert_eq!(
        report,
        r#"{"log":[{"text":"[erased] let us in\n","min":5E0},{"text":"[erased] away","by":"Ashworth desk"}], "by":"Ashworth"}"#
    );
    let nested = shop.text("SELECT report FROM visits WHERE id = 2");
    assert_eq!(nested, r#"{"log":[{"text":["Maud",{"to":"[erased]"}]}]}"#);
}

/// A former bug: if the rest of a document was redacted, the fields inside it were not treated at all.
#[tokio::test]
async fn where_the_rest_of_a_document_is_redacted_its_fields_keep_their_own_rules() {
    let shop = Shop::new(
        r#"CREATE TABLE clients (id INTEGER PRIMARY KEY, profile TEXT);
         INSERT INTO clients VALUES
           (1, '{"name":"Grace Ashworth","seen":["Grace Ashworth, 3pm"],"team":{"name":"Ashworth & Sons"}}'),
           (2, '{"name":"Bob","seen":["Ashworth"]}');"#,
        &format!(
            "{CUSTOMERS}fields.profile = {{ json = {{ '/name' = 'name', '/team/name' = 'company_name' }}, rest = 'free_text' }}"
        ),
        "customer = { action = 'anonymise', keep = { 'profile/team/name' = 'a public register' }, \
         fields = { profile = { redact = 'N. N.' } } }",
    );
    assert_eq!(erase(&shop, &["1"], &["Grace"]).await, set(&["clients[1].profile"]));
    let profile = shop.text("SELECT profile FROM clients WHERE id = 1");
    assert_eq!(profile, r#"{"name":null,"seen":["N. N., 3pm"],"team":{"name":"Ashworth & Sons"}}"#);
}

#[tokio::test]
async fn a_document_that_cannot_be_searched_blocks_and_one_without_room_gets_an_asterisk() {
    let create =
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, card TEXT CHECK (length(card) <= 26))";
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name', card = {{ json = {{ '/note' = 'free_text' }}, rest = 'not personal' }} }}"
    );
    let treatment =
        "customer = { action = 'anonymise', fields = { 'card/note' = { redact = '[somebody who left]' } } }";
    let shop = |card: &str| {
        Shop::new(
            &format!("{create}; INSERT INTO clients VALUES (1, 'Maud Ashworth', '{card}')"),
            &map,
            treatment,
        )
    };
    for broken in [r#"{"note": "Ashworth""#, "Ashworth"] {
        let shop = shop(broken);
        let before = shop.cells();
        let said = blocked(&shop.engine(), "1").await;
        assert!(said.contains("card/note of customer") && said.contains("no JSON"), "{said}");
        assert!(!said.contains("Ashworth"), "{said}");
        assert_eq!(shop.cells(), before);
    }
    let tight = shop(r#"{"note": "Ashworth, away"}"#);
    erase(&tight, &["1"], &["Ashworth"]).await;
    assert_eq!(tight.text("SELECT card FROM clients"), r#"{"note": "*, away"}"#);
}

/// A row of several customers is still searched for each of them.
#[tokio::test]
async fn a_shared_document_loses_all_who_share_it() {
    let shop = Shop::new(
        r#"CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE homes (id INTEGER PRIMARY KEY, notes TEXT);
         CREATE TABLE residents (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, home_id INTEGER REFERENCES homes);
         INSERT INTO clients VALUES (1, 'Maud Ashworth'), (2, 'Bob Featherstone'), (3, 'Eve Quillfeather');
         INSERT INTO homes VALUES (1, '["Ashworth, then Featherstone, never Quillfeather"]'), (2, '["Ashworth"]');
         INSERT INTO residents VALUES (1, 1, 1), (2, 2, 1), (3, 3, 2);"#,
        &format!(
            "{CUSTOMERS}fields.name = 'name'\n\
             [records.home]\ntable = 'homes'\nkey = 'id'\n\
             shared = ['resident.home_id']\n\
             fields.notes = {{ json = {{ '/*' = 'free_text' }}, rest = 'not personal' }}\n\
             [records.resident]\ntable = 'residents'\nkey = 'id'\nowner = 'client_id'\n"
        ),
        "customer = { action = 'anonymise', fields = { name = { placeholder = 'Gone {date}' } } }\nresident = 'delete'\n\
         home = { action = 'anonymise', fields = { 'notes/*' = { redact = 'x' } } }",
    );
    let store = shop.store().unwrap();
    let policy = PolicyDocument::from_toml(&shop.policy).unwrap().check(store.data_map()).unwrap();
    let facts = store.facts(&["1".into(), "2".into()]).await.unwrap();
    let target =
        |facts: Customer| Target { expected: facts.expected(), customer: facts.id, tenant: facts.tenant };
    let targets = facts.into_iter().map(target).collect();
    let request = EraseRequest::new(
        targets,
        policy.treatments()["x"].clone(),
        Seed::new([7; 32]),
        DateTime::UNIX_EPOCH,
    );
    for answer in store.erase(&request).await.unwrap() {
        assert!(matches!(answer, Ok(Erased::Done(_))), "{answer:?}");
    }
    assert_eq!(
        shop.text("SELECT group_concat(notes) FROM homes"),
        r#"["x, then x, never Quillfeather"],["Ashworth"]"#
    );
}

#[tokio::test]
async fn a_document_that_is_personal_as_a_whole_is_replaced_as_a_whole() {
    let shop = Shop::new(
        r#"CREATE TABLE clients (id INTEGER PRIMARY KEY, profile TEXT);
         INSERT INTO clients VALUES (1, '{"name":"Maud","notes":"calls at night"}'), (2, '{"name":"Bob"}');"#,
        &format!("{CUSTOMERS}fields.profile = {{ json = {{ '/name' = 'name' }}, rest = 'free_text' }}"),
        "customer = 'anonymise'",
    );
    assert_eq!(erase(&shop, &["1"], &["Maud", "night"]).await, set(&["clients[1].profile"]));
    assert_eq!(shop.text("SELECT coalesce(profile, 'null') FROM clients WHERE id = 1"), "null");
}

#[tokio::test]
async fn composite_keys_lead_to_the_rows_of_one_customer_alone() {
    let shop = Shop::new(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE orders (shop TEXT NOT NULL, no INTEGER NOT NULL, client_id INTEGER NOT NULL REFERENCES clients,
                              note TEXT, PRIMARY KEY (shop, no)) WITHOUT ROWID;
         CREATE TABLE lines (shop TEXT NOT NULL, order_no INTEGER NOT NULL, line INTEGER NOT NULL, text TEXT,
                             PRIMARY KEY (shop, order_no, line), FOREIGN KEY (shop, order_no) REFERENCES orders (shop, no));
         INSERT INTO clients VALUES (1, 'Maud'), (2, 'Bob');
         INSERT INTO orders VALUES ('a', 1, 1, 'for Maud'), ('b', 1, 2, 'for Bob'), ('a', 2, 2, 'for Bob');
         INSERT INTO lines VALUES ('a', 1, 1, 'Maud x'), ('b', 1, 1, 'Bob x'), ('a', 2, 1, 'Bob y');",
        &format!(
            "{CUSTOMERS}fields = {{ name = 'name' }}\n[records.order]\ntable = 'orders'\nkey = ['shop', 'no']\nowner = 'client_id'\n\
             fields = {{ shop = 'not personal', note = 'free_text' }}\n\
             [records.line]\ntable = 'lines'\nkey = ['shop', 'order_no', 'line']\nowner = [['shop', 'order_no'], 'client_id']\n\
             fields = {{ shop = 'not personal', text = 'free_text' }}"
        ),
        "customer = 'delete'\norder = 'delete'\nline = 'delete'",
    );
    assert_eq!(
        erase(&shop, &["1"], &["Maud"]).await,
        set(&["- clients[1]", "- orders[a,1]", "- lines[a,1,1]"])
    );
}

#[tokio::test]
async fn strict_tables_without_rowid_and_generated_columns_are_treated_by_their_rules() {
    let shop = Shop::new(
        "CREATE TABLE clients (
           id TEXT PRIMARY KEY NOT NULL, email TEXT NOT NULL, name TEXT, age INTEGER,
           lower_email TEXT GENERATED ALWAYS AS (lower(email)) STORED UNIQUE,
           initial TEXT AS (substr(name, 1, 1)) VIRTUAL
         ) STRICT, WITHOUT ROWID;
         INSERT INTO clients (id, email, name, age) VALUES
           ('k1', 'Maud@x.org', 'Maud', 40), ('k2', 'Bob@x.org', 'Bob', 41), ('k3', 'Eve@x.org', 'Eve', 42);",
        &format!(
            "{CUSTOMERS}fields = {{ id = 'not personal', email = 'email', name = 'name', age = 'not personal', lower_email = 'email', initial = 'name' }}"
        ),
        // A placeholder would work for one row, but the column that is generated from it is unique.
        "customer = { action = 'anonymise', fields = { email = 'remove' } }",
    );
    let changed = erase(&shop, &["k1", "k2"], &["Maud", "maud", "Bob", "bob"]).await;
    let mut expected = BTreeSet::new();
    for id in ["k1", "k2"] {
        for column in ["email", "name", "lower_email", "initial"] {
            expected.insert(format!("clients[{id}].{column}"));
        }
    }
    assert_eq!(changed, expected);
    assert_eq!(shop.text("SELECT count(DISTINCT lower_email) || '' FROM clients"), "3");
}

const AUDITED: &str = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
     CREATE TABLE audit (id INTEGER PRIMARY KEY, client_id INTEGER, was TEXT);
     INSERT INTO clients VALUES (1, 'Maud'), (2, 'Bob');
     INSERT INTO audit VALUES (1, 1, 'Maudie'), (2, 2, 'Bobby');
     CREATE TRIGGER keep AFTER UPDATE ON clients
       BEGIN INSERT INTO audit (client_id, was) VALUES (old.id, old.name); END;";

#[tokio::test]
async fn a_trigger_that_copies_old_values_elsewhere_is_refused_or_mapped() {
    let fields = "fields = { name = 'name' }";
    let shop = Shop::new(AUDITED, &format!("{CUSTOMERS}{fields}"), "customer = 'anonymise'");
    let refused = shop.refused();
    assert!(refused.contains("clients.keep") && refused.contains("ignore.audit"), "{refused}");
    // If the table is mapped, the rows that the trigger writes during the erasure are deleted too.
    let shop = Shop::new(
        AUDITED,
        &format!(
            "{CUSTOMERS}{fields}\n[records.audit]\ntable = 'audit'\nkey = 'id'\nowner = 'client_id'\nfields = {{ was = 'name' }}"
        ),
        "customer = 'anonymise'\naudit = 'delete'",
    );
    assert_eq!(erase(&shop, &["1"], &["Maud"]).await, set(&["clients[1].name", "- audit[1]"]));
    // If the class is anonymised instead of deleted, the new rows are anonymised too.
    let shop = Shop::new(
        AUDITED,
        &format!(
            "{CUSTOMERS}{fields}\n[records.audit]\ntable = 'audit'\nkey = 'id'\nowner = 'client_id'\nfields = {{ was = 'name' }}"
        ),
        "customer = 'anonymise'\naudit = 'anonymise'",
    );
    let changed = erase(&shop, &["1"], &["Maud"]).await;
    assert_eq!(changed, set(&["clients[1].name", "audit[1].was", "+ audit[3]"]));
    // If the table is ignored with a reason, the certificate says so.
    let shop = Shop::new(
        AUDITED,
        &format!("{CUSTOMERS}{fields}\n[ignore]\naudit = 'another law'"),
        "customer = 'anonymise'",
    );
    let outcome = shop.erase("1").await;
    let not_covered = outcome
        .certificate()
        .unwrap()
        .not_covered()
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n");
    assert!(not_covered.contains("trigger keep on table clients writes to audit"), "{not_covered}");
}

#[tokio::test]
async fn what_triggers_write_through_one_another_is_followed() {
    let shop = Shop::new(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE steps (id INTEGER PRIMARY KEY, client_id INTEGER, was TEXT);
         CREATE TABLE audit (id INTEGER PRIMARY KEY, was TEXT);
         CREATE TRIGGER one AFTER UPDATE ON clients BEGIN INSERT INTO steps (client_id, was) VALUES (old.id, old.name); END;
         CREATE TRIGGER two AFTER INSERT ON steps BEGIN INSERT INTO audit (was) VALUES (new.was); END;",
        &format!(
            "{CUSTOMERS}fields = {{ name = 'name' }}\n[records.step]\ntable = 'steps'\nkey = 'id'\nowner = 'client_id'\nfields = {{ was = 'name' }}"
        ),
        "customer = 'anonymise'\nstep = 'delete'",
    );
    let refused = shop.refused();
    assert!(refused.contains("steps.two") && refused.contains("audit"), "{refused}");
}

const BOUGHT: &str = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
     CREATE TABLE orders (id INTEGER PRIMARY KEY, buyer INTEGER NOT NULL REFERENCES clients,
                          referrer INTEGER NULLABLE REFERENCES clients ACTION, note TEXT);
     INSERT INTO clients VALUES (1, 'Maud'), (2, 'Bob'), (3, 'Eve');
     INSERT INTO orders VALUES (10, 2, 1, 'Bob through her'), (11, 1, 2, 'Maud'), (12, 3, NULL, 'Eve'), (13, 1, 1, 'Maud');";

#[tokio::test]
async fn a_row_with_two_links_to_customers_is_its_owners_to_delete_and_nobody_elses() {
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name' }}\n[records.order]\ntable = 'orders'\nkey = 'id'\nowner = 'buyer'\n\
         ends.referrer = 'clear'\nfields = {{ note = 'free_text' }}"
    );
    for action in ["", "ON DELETE CASCADE", "ON DELETE SET NULL", "DEFERRABLE INITIALLY DEFERRED"] {
        let sql = BOUGHT.replace("NULLABLE", "").replace("ACTION", action);
        let shop = Shop::new(&sql, &map, "customer = 'delete'\norder = 'delete'");
        let said = approved(&shop.engine(), &"1".into(), &Asked::request()).await.plan().to_string();
        assert!(said.contains("order.referrer") && said.contains("cut where it leads"), "{said}");
        assert_eq!(
            erase(&shop, &["1"], &["Maud"]).await,
            set(&["- clients[1]", "- orders[11]", "- orders[13]", "orders[10].referrer"]),
            "{action}"
        );
        assert_eq!(shop.text("SELECT coalesce(referrer, 'nobody') FROM orders WHERE id = 10"), "nobody");
        // If the customer's row stays, the link stays too.
        let shop = Shop::new(&sql, &map, "customer = 'anonymise'\norder = 'anonymise'");
        assert_eq!(
            erase(&shop, &["1"], &["Maud"]).await,
            set(&["clients[1].name", "orders[11].note", "orders[13].note"]),
            "{action}"
        );
    }
    // A link that cannot be cleared is refused before anything is done.
    let sql = BOUGHT
        .replace("NULLABLE", "NOT NULL DEFAULT 3")
        .replace("ACTION", "ON DELETE CASCADE")
        .replace("NULL,", "3,");
    let sql = sql.replace("buyer INTEGER NOT 3,", "buyer INTEGER NOT NULL,");
    let shop = Shop::new(&sql, &map, "customer = 'delete'\norder = 'delete'");
    let refused = shop.refused();
    assert!(refused.contains("records.order.ends.referrer: cannot be cleared"), "{refused}");
    // With `goes`, the record is deleted with either end.
    let both = map.replace("'clear'", "'goes'");
    let shop = Shop::new(&sql, &both, "customer = 'delete'\norder = 'delete'");
    assert_eq!(
        erase(&shop, &["1"], &["Maud"]).await,
        set(&["- clients[1]", "- orders[10]", "- orders[11]", "- orders[13]"])
    );
    // Without a line, the map is refused, with the lines that are possible.
    let unsaid = map.replace("ends.referrer = 'clear'\n", "");
    let shop =
        Shop::new(&BOUGHT.replace("NULLABLE", "").replace("ACTION", ""), &unsaid, "customer = 'delete'");
    let refused = shop.refused();
    for way_out in ["ends.referrer = \"goes\"", "ends.referrer = \"clear\""] {
        assert!(refused.contains(way_out), "{refused}");
    }
    // `shared` is suggested only if each link can be released when its person leaves.
    assert!(!refused.contains("shared = "), "{refused}");
    let either = BOUGHT.replace("buyer INTEGER NOT NULL", "buyer INTEGER");
    let either = either.replace("NULLABLE", "").replace("ACTION", "");
    let refused = Shop::new(&either, &unsaid, "customer = 'delete'").refused();
    let way_out = "shared = [\"buyer\", \"referrer\"] instead of owner, with ends.buyer = \"clear\" and ends.referrer = \"clear\"";
    assert!(refused.contains(way_out), "{refused}");
    // For a row that stays without its owner, the map needs a line.
    let shop = Shop::new(
        &BOUGHT.replace("NULLABLE", "").replace("ACTION", ""),
        &map,
        "customer = 'delete'\norder = { keep = 'the books' }",
    );
    let refused = shop.policy_refused();
    assert!(refused.contains("order.buyer leads to it and stays (keep)"), "{refused}");
}

#[tokio::test]
async fn rows_that_point_at_rows_of_their_own_table_do_not_drag_one_another_along() {
    for action in ["", "ON DELETE CASCADE", "ON DELETE SET NULL"] {
        let shop = Shop::new(
            &format!(
                "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, invited_by INTEGER REFERENCES clients {action});
                 CREATE TABLE comments (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients,
                                        reply_to INTEGER REFERENCES comments {action}, text TEXT);
                 INSERT INTO clients VALUES (1, 'Maud', NULL), (2, 'Bob', 1), (3, 'Eve', 2);
                 INSERT INTO comments VALUES (10, 1, NULL, 'Maud says'), (11, 2, 10, 'Bob answers'), (12, 1, 11, 'Maud again'),
                                             (13, 3, 11, 'Eve too'), (14, 1, 12, 'Maud to herself');"
            ),
            &format!(
                "{CUSTOMERS}ends.invited_by = 'clear'\nfields = {{ name = 'name' }}\n[records.comment]\ntable = 'comments'\n\
                 key = 'id'\nowner = 'client_id'\nends.reply_to = 'clear'\nfields = {{ text = 'free_text' }}"
            ),
            "customer = 'delete'\ncomment = 'delete'",
        );
        assert_eq!(
            erase(&shop, &["1"], &["Maud"]).await,
            set(&[
                "- clients[1]",
                "clients[2].invited_by",
                "- comments[10]",
                "- comments[12]",
                "- comments[14]",
                "comments[11].reply_to"
            ]),
            "{action}"
        );
    }
}

#[tokio::test]
async fn a_membership_goes_and_what_others_are_members_of_stays() {
    let shop = Shop::new(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE clubs (id INTEGER PRIMARY KEY, title TEXT);
         CREATE TABLE members (club INTEGER NOT NULL REFERENCES clubs, client INTEGER NOT NULL REFERENCES clients ON DELETE CASCADE,
                               nick TEXT, PRIMARY KEY (club, client)) WITHOUT ROWID;
         INSERT INTO clients VALUES (1, 'Maud'), (2, 'Bob');
         INSERT INTO clubs VALUES (7, 'Chess'), (8, 'Choir');
         INSERT INTO members VALUES (7, 1, 'Mau'), (7, 2, 'Bo'), (8, 1, 'Mau');",
        &format!(
            "{CUSTOMERS}fields = {{ name = 'name' }}\n[records.member]\ntable = 'members'\nkey = ['club', 'client']\nowner = 'client'\n\
             fields = {{ nick = 'username' }}"
        ),
        "customer = 'delete'\nmember = 'delete'",
    );
    assert_eq!(
        erase(&shop, &["1"], &["Mau"]).await,
        set(&["- clients[1]", "- members[7,1]", "- members[8,1]"])
    );
}

#[tokio::test]
async fn rows_with_a_polymorphic_owner_belong_to_whom_their_type_says() {
    let shop = Shop::new(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients);
         CREATE TABLE notes (id INTEGER PRIMARY KEY, owner_type TEXT NOT NULL, owner_id INTEGER NOT NULL, text TEXT);
         INSERT INTO clients VALUES (1, 'Maud'), (2, 'Bob');
         INSERT INTO orders VALUES (1, 2), (2, 1);
         INSERT INTO notes VALUES (1, 'client', 1, 'on Maud'), (2, 'order', 1, 'on an order of Bob'),
                                  (3, 'order', 2, 'on an order of Maud'), (4, 'supplier', 1, 'on a supplier'), (5, 'client', 2, 'on Bob');",
        &format!(
            "{CUSTOMERS}fields = {{ name = 'name' }}\n[records.order]\ntable = 'orders'\nkey = 'id'\nowner = 'client_id'\n\
             [records.note]\ntable = 'notes'\nkey = 'id'\nowner = {{ column = 'owner_id', when = {{ owner_type = 'client' }} }}\n\
             fields = {{ text = 'free_text' }}\n\
             [records.order_note]\ntable = 'notes'\nkey = 'id'\n\
             owner = [{{ column = 'owner_id', table = 'orders', key = 'id', when = {{ owner_type = 'order' }} }}, 'client_id']\n\
             fields = {{ text = 'free_text' }}\n[ignore]\nnotes = {{ rest = 'about goods' }}"
        ),
        "customer = 'anonymise'\norder = { keep = 'the books' }\nnote = 'delete'\norder_note = 'anonymise'",
    );
    assert_eq!(
        erase(&shop, &["1"], &["Maud"]).await,
        set(&["clients[1].name", "- notes[1]", "notes[3].text"])
    );
    // Without a condition, or with the same condition twice, the owner of the rows would be unknown.
    let map = shop.map.replace("owner_type = 'order'", "owner_type = 'client'");
    let twice = Shop { map, ..shop };
    assert!(twice.refused().contains("mapped twice"), "{}", twice.refused());
}

const SHARED: &str = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
     CREATE TABLE addresses (id INTEGER PRIMARY KEY, street TEXT);
     CREATE TABLE residents (client INTEGER NOT NULL REFERENCES clients, address INTEGER NOT NULL REFERENCES addresses ACTION,
                             since TEXT, PRIMARY KEY (client, address, since));
     INSERT INTO clients VALUES (1, 'Maud'), (2, 'Bob'), (3, 'Eve');
     INSERT INTO addresses VALUES (7, 'Mill Lane'), (8, 'Maud''s own'), (9, 'nobody''s');
     INSERT INTO residents VALUES (1, 7, 'a'), (1, 7, 'b'), (2, 7, 'a'), (1, 8, 'a');";

fn shared(action: &str, treatment: &str) -> Shop {
    Shop::new(
        &SHARED.replace("ACTION", action),
        &format!(
            "{CUSTOMERS}fields = {{ name = 'name' }}\n[records.resident]\ntable = 'residents'\nkey = ['client', 'address', 'since']\n\
             owner = 'client'\nfields = {{ since = 'not personal' }}\n[records.address]\ntable = 'addresses'\nkey = 'id'\n\
             shared = ['resident.address']\nnobody = 'of houses that stand empty'\nfields = {{ street = 'address' }}"
        ),
        treatment,
    )
}

#[tokio::test]
async fn a_row_that_several_customers_share_is_treated_with_the_last_who_leaves() {
    for (action, treatment) in [("", "delete"), ("ON DELETE CASCADE", "delete"), ("", "anonymise")] {
        let treatment = format!("customer = 'delete'\nresident = 'delete'\naddress = '{treatment}'");
        let shop = shared(action, &treatment);
        let gone =
            if treatment.contains("address = 'delete'") { "- addresses[8]" } else { "addresses[8].street" };
        assert_eq!(
            erase(&shop, &["1"], &["Maud"]).await,
            set(&["- clients[1]", "- residents[1,7,a]", "- residents[1,7,b]", "- residents[1,8,a]", gone]),
            "Bob still lives there"
        );
        let gone = gone.replace('8', "7");
        assert_eq!(
            erase(&shop, &["2"], &["Mill"]).await,
            set(&["- clients[2]", "- residents[2,7,a]", &gone]),
            "he was the last"
        );
    }
}

#[tokio::test]
async fn customers_who_leave_in_one_batch_leave_what_they_shared_together() {
    let shop = shared("", "customer = 'delete'\nresident = 'delete'\naddress = 'delete'");
    let before = shop.cells();
    let engine = shop.engine();
    let mut plans = Vec::new();
    for id in ["1", "2"] {
        plans.push(approved(&engine, &id.into(), &Asked::request()).await);
    }
    let outcomes = engine.execute(plans).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.certificate().is_some()), "{outcomes:?}");
    assert_eq!(
        changes(&before, &shop.cells()),
        set(&[
            "- clients[1]",
            "- clients[2]",
            "- residents[1,7,a]",
            "- residents[1,7,b]",
            "- residents[1,8,a]",
            "- residents[2,7,a]",
            "- addresses[7]",
            "- addresses[8]"
        ])
    );
}

/// A shop keeps its orders, and removes name and street from them.
#[tokio::test]
async fn what_is_shared_goes_with_the_last_who_leaves_though_the_links_to_it_stay() {
    let shop = shared(
        "",
        "customer = { action = 'anonymise', fields = { name = { placeholder = 'Anonymised {date}' } } }\n\
         resident = { keep = 'statistics' }\naddress = 'anonymise'",
    );
    assert_eq!(erase(&shop, &["1"], &["own"]).await, set(&["clients[1].name", "addresses[8].street"]));
    assert_eq!(erase(&shop, &["2"], &["Mill"]).await, set(&["clients[2].name", "addresses[7].street"]));
    // Without a sign in the customer's own record, nobody could see who has left.
    let shop =
        shared("", "customer = 'anonymise'\nresident = { keep = 'statistics' }\naddress = 'anonymise'");
    let refused = shop.policy_refused();
    assert!(refused.contains("treatments.x.customer: leaves no sign"), "{refused}");
}

#[tokio::test]
async fn a_cascade_that_would_take_what_nobody_mapped_is_an_error() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE wishes (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients ON DELETE CASCADE, what TEXT);
         CREATE TABLE marks (id INTEGER PRIMARY KEY, wish INTEGER REFERENCES wishes ON DELETE CASCADE);
         INSERT INTO clients VALUES (1, 'Maud'); INSERT INTO wishes VALUES (1, 1, 'a boat'); INSERT INTO marks VALUES (1, 1);";
    let shop = Shop::new(sql, &format!("{CUSTOMERS}fields = {{ name = 'name' }}"), "customer = 'delete'");
    let refused = shop.refused();
    assert!(refused.contains("wishes") && refused.contains("marks"), "also what hangs from that: {refused}");
    // Ignoring the table does not stop the cascade.
    let map = format!("{CUSTOMERS}fields = {{ name = 'name' }}\n[ignore]\nwishes = 'x'\nmarks = 'x'");
    let shop = Shop::new(sql, &map, "customer = 'delete'");
    assert!(
        shop.policy_refused().contains("wishes points at it and is ignored"),
        "{}",
        shop.policy_refused()
    );
    let shop = Shop::new(sql, &map, "customer = 'anonymise'");
    assert_eq!(erase(&shop, &["1"], &["Maud"]).await, set(&["clients[1].name"]));
}

#[tokio::test]
async fn names_that_have_to_be_quoted_are() {
    let shop = Shop::new(
        r#"CREATE TABLE "Select" ("Order" INTEGER PRIMARY KEY, "from ""here""" TEXT, [group by] TEXT, Straße TEXT);
         CREATE TABLE "table; DROP" ("index" INTEGER PRIMARY KEY, "Where" INTEGER REFERENCES "Select", "va'lue" TEXT, "values/1" TEXT);
         INSERT INTO "Select" VALUES (1, 'Maud', 'Maud', 'Maudstraße'), (2, 'Bob', 'Bob', 'Bobstraße');
         INSERT INTO "table; DROP" VALUES (5, 1, 'Maud', 'Maud'), (6, 2, 'Bob', 'Bob');"#,
        "[customers]\ntable = 'select'\nkey = 'ORDER'\ntenant = { is = 'here' }\ndeactivate = { none = 'no status' }\n\
         [customers.fields]\n'FROM \"here\"' = 'name'\n'group BY' = 'email'\n'Straße' = 'address'\n\
         [records.thing]\ntable = 'TABLE; drop'\nkey = 'INDEX'\nowner = 'where'\n[records.thing.fields]\n\"va'lue\" = 'name'\n'values/1' = 'name'",
        "customer = { action = 'anonymise', fields = { 'Straße' = 'remove' } }\nthing = 'anonymise'",
    );
    assert_eq!(
        erase(&shop, &["1"], &["Maud"]).await,
        set(&[
            "Select[1].from \"here\"",
            "Select[1].group by",
            "Select[1].Straße",
            "table; DROP[5].va'lue",
            "table; DROP[5].values/1"
        ])
    );
}

const SEARCHED: &str = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, note TEXT);
     CREATE VIRTUAL TABLE found USING fts5 (name, note, content='clients', content_rowid='id');
     CREATE TRIGGER found_new AFTER INSERT ON clients
       BEGIN INSERT INTO found (rowid, name, note) VALUES (new.id, new.name, new.note); END;
     CREATE TRIGGER found_gone AFTER DELETE ON clients
       BEGIN INSERT INTO found (found, rowid, name, note) VALUES ('delete', old.id, old.name, old.note); END;";
const SEARCH_FOLLOWS: &str = "CREATE TRIGGER found_other AFTER UPDATE ON clients BEGIN
       INSERT INTO found (found, rowid, name, note) VALUES ('delete', old.id, old.name, old.note);
       INSERT INTO found (rowid, name, note) VALUES (new.id, new.name, new.note); END;";

#[tokio::test]
async fn words_leave_a_full_text_index_and_after_a_scrub_its_files() {
    let map = format!("{CUSTOMERS}fields = {{ name = 'name', note = 'free_text' }}");
    for treatment in ["customer = 'anonymise'", "customer = 'delete'"] {
        let shop = Shop::new(
            &format!(
                "{SEARCHED}{SEARCH_FOLLOWS} INSERT INTO clients VALUES (1, 'Maudelinda', 'zanzibarquest'), (2, 'Bob', 'calm')"
            ),
            &map,
            treatment,
        );
        erase(&shop, &["1"], &["Maudelinda", "zanzibarquest"]).await;
        let hits =
            |word: &str| shop.text(&format!("SELECT count(*) || '' FROM found WHERE found MATCH '{word}'"));
        assert_eq!(
            (hits("maudelinda"), hits("zanzibarquest"), hits("bob")),
            ("0".into(), "0".into(), "1".into())
        );
        shop.store().unwrap().scrub().await.unwrap();
        let bytes = std::fs::read(shop.path()).unwrap();
        for word in ["maudelinda", "zanzibarquest"] {
            assert!(
                !bytes.windows(word.len()).any(|window| window == word.as_bytes()),
                "{word} is in the file"
            );
        }
        assert_eq!(hits("calm"), "1", "the index still finds the others");
    }
    let shop = Shop::new(SEARCHED, &map, "customer = 'anonymise'");
    assert!(shop.refused().contains("no triggers take the old words of every row out"), "{}", shop.refused());
    // The usual mistake: after the update the index reads the new words from the table, and keeps the old ones.
    let late = "CREATE TRIGGER found_other AFTER UPDATE ON clients BEGIN DELETE FROM found WHERE rowid = old.id; END;";
    let shop = Shop::new(&format!("{SEARCHED}{late}"), &map, "customer = 'anonymise'");
    assert!(shop.refused().contains("write the command 'delete'"), "{}", shop.refused());
    let own = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT); CREATE VIRTUAL TABLE letters USING fts5 (text);";
    let shop = Shop::new(own, &format!("{CUSTOMERS}fields = {{ name = 'name' }}"), "customer = 'anonymise'");
    assert!(shop.refused().contains("letters") && shop.refused().contains("fts5"), "{}", shop.refused());
}

#[tokio::test]
async fn a_database_in_use_attached_elsewhere_and_in_wal_mode_is_erased_all_the_same() {
    let shop = Shop::new(
        "PRAGMA journal_mode = WAL; CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
         INSERT INTO clients VALUES (1, 'Maud'), (2, 'Bob');",
        &format!("{CUSTOMERS}fields = {{ name = 'name' }}"),
        "customer = 'anonymise'",
    );
    let other = Connection::open_in_memory().unwrap();
    other.execute("ATTACH ?1 AS shop", [shop.path().to_str().unwrap()]).unwrap();
    // A reader that began before still sees the old data.
    other.execute_batch("BEGIN").unwrap();
    let name = || {
        other.query_row("SELECT name FROM shop.clients WHERE id = 1", [], |row| {
            row.get::<_, Option<String>>(0)
        })
    };
    assert_eq!(name().unwrap().as_deref(), Some("Maud"));
    assert_eq!(erase(&shop, &["1"], &["Maud"]).await, set(&["clients[1].name"]));
    assert_eq!(name().unwrap().as_deref(), Some("Maud"));
    // While a reader still sees the old bytes, a scrub cannot remove them from the files, and it reports this.
    assert!(shop.store().unwrap().scrub().await.unwrap_err().is_transient());
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(name().unwrap(), None);
    drop(other);
    shop.store().unwrap().scrub().await.unwrap();
    for end in ["", "-wal"] {
        let bytes = std::fs::read(format!("{}{end}", shop.path().display())).unwrap_or_default();
        assert!(!bytes.windows(4).any(|window| window == b"Maud"), "the file{end}");
    }
}

#[tokio::test]
async fn values_within_documents_tell_who_somebody_is() {
    let shop = Shop::new(
        r#"CREATE TABLE clients (id INTEGER PRIMARY KEY, profile TEXT);
         INSERT INTO clients VALUES (1, '{"name":"Maud Ash","mails":["m@x.org","n@x.org"]}');"#,
        &format!(
            "{CUSTOMERS}fields.profile = {{ json = {{ '/name' = 'name', '/mails/*' = 'email' }}, rest = 'not personal' }}"
        ),
        "customer = 'anonymise'",
    );
    let found = shop.store().unwrap().identifiers(&["1".into()]).await.unwrap().remove(0).unwrap();
    let text = format!("{:?}", found.iter().map(|(_, value)| value).collect::<Vec<_>>());
    for value in ["Maud Ash", "m@x.org", "n@x.org"] {
        assert!(text.contains(value), "{value} in {text}");
    }
}

/// A former bug: two orders were erased, but the certificate counted none. Their only personal value was the address
/// by which they were found.
#[tokio::test]
async fn orders_of_guests_are_found_by_their_address_and_counted() {
    let shop = Shop::new(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients, email TEXT, total INTEGER);
         INSERT INTO clients VALUES (1, 'Maud@x.org'), (2, 'bob@x.org');
         INSERT INTO orders VALUES (1, 1, 'maud@x.org', 5), (2, NULL, ' maud@X.org', 7), (3, 2, 'bob@x.org', 9), (4, NULL, 'guest@x.org', 1);",
        &format!(
            "{CUSTOMERS}fields.email = 'email'\n[records.order]\ntable = 'orders'\nkey = 'id'\n\
             owner = {{ first = ['client_id', {{ column = 'email', to = 'customer.email', compare = 'normalised' }}] }}\n\
             nobody = 'of guests who are no clients'\nfields = {{ email = 'email', total = 'not personal' }}"
        ),
        "customer = 'anonymise'\norder = 'anonymise'",
    );
    let before = shop.cells();
    let engine = shop.engine();
    let plan = approved(&engine, &CustomerId::from("1"), &Asked::request()).await;
    let outcome = engine.erase(plan).await.unwrap();
    let certificate = outcome.certificate().unwrap_or_else(|| panic!("{outcome}")).to_string();
    let line = certificate.lines().find(|line| line.trim_start().starts_with("order ")).unwrap();
    assert!(line.ends_with(" 2"), "{certificate}");
    assert_eq!(
        changes(&before, &shop.cells()),
        set(&["clients[1].email", "orders[1].email", "orders[2].email"])
    );
}

/// Two spellings of a floating-point number may mean one key, or one spelling may mean two keys.
#[test]
fn a_key_of_floating_point_numbers_is_refused() {
    let map = |key: &str| {
        format!(
            "{CUSTOMERS}fields = {{ name = 'name' }}\n[records.note]\ntable = 'notes'\n{key}owner = 'client'\n"
        )
    };
    let refused = |clients: &str, notes: &str| {
        let sql = format!(
            "CREATE TABLE clients (id {clients} PRIMARY KEY, name TEXT);
             CREATE TABLE notes (id {notes} PRIMARY KEY, client {clients} REFERENCES clients);"
        );
        Shop::new(&sql, &map(""), "customer = 'anonymise'\nnote = 'delete'\n").refused()
    };
    let said = refused("REAL", "INTEGER");
    assert!(said.contains("customers.key: id of clients is a floating-point number"), "{said}");
    let said = refused("INTEGER", "DOUBLE");
    assert!(said.contains("records.note.key: id of notes is a floating-point number"), "{said}");
}

/// `ON DELETE SET DEFAULT` says what happens to a link, as `SET NULL` does.
#[tokio::test]
async fn a_link_that_the_schema_sets_to_its_default_is_cleared_to_it() {
    let sql = |default: &str| {
        format!(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, is_nobody INTEGER NOT NULL DEFAULT 0);
             CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES clients ON DELETE CASCADE,
                 editor INTEGER {default} REFERENCES clients ON DELETE SET DEFAULT);
             INSERT INTO clients VALUES (1, 'Vigdis', 0), (2, 'Bo', 0), (-1, 'nobody', 1);
             INSERT INTO posts (id, author, editor) VALUES (1, 2, 1), (2, 1, 2);"
        )
    };
    let map = format!(
        "ends = 'schema'\n{CUSTOMERS}fields = {{ name = 'name' }}\nwhen = {{ is_nobody = 0 }}\n\
         [records.post]\ntable = 'posts'\nowner = 'author'\n[ignore]\nclients = {{ rest = 'stands for nobody' }}\n"
    );
    let treatment = "customer = 'delete'\npost = 'delete'\n";
    for (default, becomes) in [("NOT NULL DEFAULT -1", "-1"), ("NOT NULL DEFAULT (-1)", "-1"), ("", "")] {
        let shop = Shop::new(&sql(default), &map, treatment);
        let outcome = shop.erase("1").await;
        assert!(matches!(outcome, Outcome::Erased(_)), "{default}: {outcome}");
        assert_eq!(shop.text("SELECT CAST(editor AS TEXT) FROM posts"), becomes, "{default}");
    }
    // If the default is not a constant, the map has to say what happens.
    let said = Shop::new(&sql("NOT NULL DEFAULT (1 + 1)"), &map, treatment).refused();
    assert!(
        said.contains("post.editor leads to customer, and the map does not say what that means"),
        "{said}"
    );
}
