//! A census counts what nobody claims or owns, and nothing of it is left unsaid.

use chrono::{DateTime, TimeDelta, Utc};
use relinquish::ledger::MemoryLedger;
use relinquish::store::{Census, StoreError, TakeCensus};
use relinquish::testing::ManualClock;
use relinquish::{Asked, CustomerId, Engine, Error, Outcome, PolicyDocument};
use rusqlite::Connection;

use crate::hosts::{self, approved};
use crate::shop::{CUSTOMERS, Shop};

const SCHEMA: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE meta (id INTEGER PRIMARY KEY, client_id INTEGER, k TEXT, v TEXT);
    INSERT INTO clients VALUES (1, 'Maud Ash'), (2, 'Bob Elm');
    INSERT INTO meta VALUES
        (1, 1, 'phone', '555 0101'), (2, 2, 'phone', '555 0202'), (3, 9, 'phone', '555 0909'),
        (4, NULL, 'phone', '555 0404'), (5, 1, 'sku', 'A'), (6, 1, 'sku', 'B'), (7, 2, 'weight', '3'), (8, 2, NULL, 'x');";
const META: &str = "
    [records.phone]
    table = 'meta'
    when = { k = 'phone' }
    owner = 'client_id'
    fields = { k = 'not personal', v = 'free_text' }
    ";
const TREATMENT: &str = "customer = 'anonymise'\nphone = 'anonymise'";

fn shop(more: &str) -> Shop {
    Shop::new(SCHEMA, &format!("{CUSTOMERS}fields.name = 'name'\n{META}{more}"), TREATMENT)
}

async fn census(shop: &Shop) -> Census {
    shop.store().unwrap().census(hosts::now()).await.unwrap()
}

fn problems(census: &Census) -> Vec<String> {
    census.problems().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn rows_that_no_class_claims_and_records_of_nobody_are_counted() {
    let census = census(&shop("")).await;
    let meta = &census.tables["meta"];
    assert_eq!((meta.rows, meta.unclaimed.rows), (8, 4));
    let phone = &meta.classes["phone"];
    assert_eq!((phone.rows, phone.nobody.rows, phone.gone.rows), (4, 1, 1));
    let sku = [("sku", 2), ("NULL", 1), ("weight", 1)].map(|(value, rows)| (value.to_owned(), rows));
    assert_eq!(meta.by_value["k"], sku);
    let customers = &census.tables["clients"];
    assert_eq!((customers.rows, customers.classes["customer"].rows, customers.unclaimed.rows), (2, 2, 0));

    let problems = problems(&census);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].contains("no record class claims 4 rows (k: sku 2, NULL 1, weight 1)"),
        "{problems:?}"
    );
    assert!(
        problems[1].contains("1 record names no owner, 1 record names an owner that is not there"),
        "{problems:?}"
    );
    assert!(census.to_string().contains("no class: 4 rows (k: sku 2"), "{census}");
    let again: Census = serde_json::from_str(&serde_json::to_string(&census).unwrap()).unwrap();
    assert_eq!(census, again);
}

/// What the problems say can be written, and the problem is gone then.
#[tokio::test]
async fn each_way_out_leads_out() {
    let ignored = "nobody = { none = 'of visitors', gone = 'of clients who left' }\n[ignore]\nmeta = { rest = 'of goods' }";
    let explained = census(&shop(ignored)).await;
    assert!(explained.is_clean(), "{:?}", problems(&explained));
    let lines = explained.not_covered();
    for line in [
        "4 rows of meta that no record class claims: of goods",
        "1 record of phone without an owner: of visitors",
        "1 record of phone whose owner is not there: of clients who left",
    ] {
        assert!(lines.iter().any(|said| said.starts_with(line)), "{line} is missing in {lines:?}");
    }
    assert!(lines.iter().all(|line| line.ends_with("(census of 2026-11-21 12:00 UTC)")), "{lines:?}");

    let half = census(&shop("nobody = 'of visitors'")).await;
    let said = problems(&half).join("\n");
    assert!(said.contains("nobody = { none = \"of visitors\", gone = \"reason\" }"), "{said}");

    let rest = "[records.other]\ntable = 'meta'\nwhen = 'rest'\nowner = 'client_id'\nrest = 'not personal'";
    let shop = shop(rest);
    assert_eq!(census(&shop).await.tables["meta"].unclaimed.rows, 0);
    assert_eq!(census(&shop).await.tables["meta"].classes["other"].rows, 4);
}

/// A value may be anything where nobody said that the column holds nothing personal.
#[tokio::test]
async fn values_of_a_column_that_nobody_called_not_personal_are_not_shown() {
    for kind in ["", "k = 'free_text', "] {
        let map = META.replace("k = 'not personal', ", kind);
        let shop = Shop::new(SCHEMA, &format!("{CUSTOMERS}fields.name = 'name'\n{map}"), TREATMENT);
        let census = census(&shop).await;
        assert_eq!(census.tables["meta"].unclaimed.rows, 4);
        assert!(census.tables["meta"].by_value.is_empty());
        let all = format!("{census}\n{census:?}\n{:?}", problems(&census));
        assert!(!all.contains("sku"), "{all}");
    }
}

#[tokio::test]
async fn texts_that_cannot_be_searched_are_counted() {
    let shop = shop("");
    let connection = Connection::open(shop.path()).unwrap();
    connection.execute_batch("UPDATE meta SET v = x'00ff' WHERE id = 1; UPDATE meta SET v = CAST(x'ff41' AS TEXT) WHERE id = 2; UPDATE meta SET v = x'00' WHERE id = 5").unwrap();
    let census = census(&shop).await;
    assert_eq!(census.tables["meta"].classes["phone"].unsearchable["v"], 2);
    assert!(census.not_covered().iter().any(|line| line.starts_with("2 values of phone.v: bytes")));
}

/// A record that several people have is nobody's when none of them is there.
#[tokio::test]
async fn shared_records_that_nobody_has_are_counted() {
    let shop = Shop::new(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE addresses (id INTEGER PRIMARY KEY, street TEXT);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients,
             bill_to INTEGER REFERENCES addresses, ship_to INTEGER REFERENCES addresses);
         CREATE TABLE messages (id INTEGER PRIMARY KEY, sender INTEGER, recipient INTEGER, text TEXT);
         INSERT INTO clients VALUES (1, 'Maud Ash'), (2, 'Bob Elm');
         INSERT INTO addresses VALUES (1, 'A'), (2, 'B'), (3, 'C');
         INSERT INTO orders VALUES (1, 1, 1, NULL), (2, 2, 1, 2);
         INSERT INTO messages VALUES (1, 1, 2, 'a'), (2, 1, 9, 'b'), (3, 8, 9, 'c'), (4, NULL, NULL, 'd');",
        &format!(
            "{CUSTOMERS}fields.name = 'name'
             [records.address]
             table = 'addresses'
             shared = ['order.bill_to', 'order.ship_to']
             fields = {{ street = 'address' }}
             [records.order]
             table = 'orders'
             owner = 'client_id'
             [records.message]
             table = 'messages'
             shared = [{{ column = 'sender', to = 'customer' }}, {{ column = 'recipient', to = 'customer' }}]
             fields = {{ text = 'free_text' }}"
        ),
        "customer = 'anonymise'\naddress = 'anonymise'\norder = { keep = 'x' }\nmessage = 'delete'",
    );
    let census = census(&shop).await;
    let address = &census.tables["addresses"].classes["address"];
    assert_eq!((address.rows, address.nobody.rows, address.gone.rows), (3, 1, 0));
    let message = &census.tables["messages"].classes["message"];
    assert_eq!((message.rows, message.nobody.rows, message.gone.rows), (4, 1, 1));
}

fn engine(shop: &Shop, last: Option<Census>, now: DateTime<Utc>, days: Option<u32>) -> Engine {
    let store = std::sync::Arc::new(shop.store().unwrap());
    let policy = PolicyDocument::from_toml(&shop.policy).unwrap();
    let mut builder = Engine::builder(store.clone(), policy, MemoryLedger::new(), hosts::keys())
        .clock(ManualClock::at(now))
        .takes_census(store);
    if let Some(last) = last {
        builder = builder.last_census(last);
    }
    if let Some(days) = days {
        builder = builder.census_at_most(days);
    }
    builder.build().unwrap()
}

const EXPLAINED: &str =
    "nobody = { none = 'of visitors', gone = 'of clients who left' }\n[ignore]\nmeta = { rest = 'of goods' }";

#[tokio::test]
async fn plans_and_certificates_quote_the_census() {
    let shop = shop(EXPLAINED);
    let engine = engine(&shop, None, hosts::now(), None);
    let maud = CustomerId::from("1");
    let earlier = approved(&engine, &maud, &Asked::request()).await;
    assert!(!earlier.plan().to_string().contains("census"), "none was taken");
    engine.census().await.unwrap();
    let plan = approved(&engine, &maud, &Asked::request()).await;
    let quoted = "4 rows of meta that no record class claims: of goods (census of 2026-11-21 12:00 UTC)";
    assert!(plan.plan().to_string().contains(quoted), "{}", plan.plan());
    assert_eq!(earlier.plan().digest(), plan.plan().digest(), "a census is no part of what is approved");
    let Outcome::Erased(certificate) = engine.erase(plan).await.unwrap() else { panic!("not erased") };
    assert!(certificate.not_covered().contains(&quoted), "{certificate}");
}

#[tokio::test]
async fn runs_stop_where_a_census_is_demanded_and_none_does() {
    let shop = shop(EXPLAINED);
    let maud = CustomerId::from("1");
    let taken = census(&shop).await;
    let refused = async |engine: &Engine, why: &str| {
        let error = engine.plan(&maud, &Asked::request()).await.unwrap_err();
        assert!(matches!(error, Error::Census { .. }), "{error}");
        assert!(error.to_string().contains(why), "{why} is missing in {error}");
    };
    refused(&engine(&shop, None, hosts::now(), Some(7)), "no census was taken").await;
    let later = hosts::now() + TimeDelta::days(8);
    let old = engine(&shop, Some(taken.clone()), later, Some(7));
    refused(&old, "may be at most 7 days old").await;
    old.census().await.unwrap();
    let plan = approved(&old, &maud, &Asked::request()).await;
    engine(&shop, Some(taken.clone()), later - TimeDelta::days(1), Some(7))
        .plan(&maud, &Asked::request())
        .await
        .unwrap();

    // Plans that were made in time are executed in time, too.
    let before = shop.cells();
    let late = engine(&shop, Some(taken.clone()), later, Some(7));
    let error = late.execute(vec![plan]).await.unwrap_err();
    assert!(matches!(error, Error::Census { .. }), "{error}");
    assert_eq!(before, shop.cells());

    // A census with problems, and one of another schema.
    let unexplained = self::shop("");
    let found = census(&unexplained).await;
    let engine_of = engine(&unexplained, Some(found), hosts::now(), Some(7));
    refused(&engine_of, "ignore.meta = { rest = \"reason\" }").await;
    let change = |sql: &str| Connection::open(shop.path()).unwrap().execute_batch(sql).unwrap();
    change("CREATE TRIGGER look BEFORE INSERT ON meta BEGIN SELECT 1; END");
    refused(&engine(&shop, Some(taken.clone()), hosts::now(), Some(7)), "of another schema").await;
    change("CREATE UNIQUE INDEX one ON meta (id, k)");
    refused(&engine(&shop, Some(taken), hosts::now(), Some(7)), "under another data map").await;
}

#[tokio::test]
async fn a_census_stops_where_the_schema_has_changed_since_the_store_was_opened() {
    let shop = shop("");
    let store = shop.store().unwrap();
    Connection::open(shop.path())
        .unwrap()
        .execute_batch("ALTER TABLE clients ADD COLUMN email TEXT")
        .unwrap();
    let error = store.census(hosts::now()).await.unwrap_err();
    assert!(matches!(error, StoreError::Drift { .. }), "{error}");
}

/// Where clients and their contacts divide one table, a client has no parent and is no contact without an owner: the invoices
/// of clients were taken for records of nobody.
#[tokio::test]
async fn records_of_those_who_share_a_table_with_others_have_an_owner() {
    let shop = Shop::new(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES clients, kind TEXT NOT NULL, name TEXT);
         CREATE TABLE invoices (id INTEGER PRIMARY KEY, client_id INTEGER REFERENCES clients);
         INSERT INTO clients VALUES (1, NULL, 'person', 'Maud'), (2, 1, 'contact', 'Edda'), (3, NULL, 'contact', 'Ash');
         INSERT INTO invoices VALUES (1, 1), (2, 2), (3, 3), (4, NULL);",
        &format!(
            "{CUSTOMERS}when = {{ kind = 'person' }}\nends = {{ parent_id = 'clear' }}\n\
             fields = {{ name = 'name', kind = 'not personal' }}\n\
             [records.contact]\ntable = 'clients'\nkey = 'id'\nwhen = 'rest'\nowner = 'parent_id'\n\
             fields = {{ name = 'name', kind = 'not personal' }}\n\
             [records.invoice]\ntable = 'invoices'\nkey = 'id'\nowner = 'client_id'"
        ),
        "customer = 'anonymise'\ncontact = 'anonymise'\ninvoice = { keep = 'bookkeeping' }",
    );
    let census = census(&shop).await;
    let invoices = &census.tables["invoices"].classes["invoice"];
    // Of a contact who is nobody's, and of no one.
    assert_eq!((invoices.rows, invoices.nobody.rows, invoices.gone.rows), (4, 2, 0));
    let contacts = &census.tables["clients"].classes["contact"];
    assert_eq!((contacts.rows, contacts.nobody.rows), (2, 1));
}

/// A guest's order names nobody who has gone: with `ownerless = "gone"` it would have been deleted.
#[tokio::test]
async fn an_address_that_no_customer_has_is_a_guests() {
    let shop = Shop::new(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER, email TEXT);
         INSERT INTO clients VALUES (1, 'maud@x.org');
         INSERT INTO orders VALUES (1, 1, 'maud@x.org'), (2, NULL, 'Maud@x.org'), (3, NULL, 'guest@x.org'), (4, NULL, NULL),
             (5, 9, 'bob@x.org');",
        &format!(
            "{CUSTOMERS}fields.email = 'email'\n[records.order]\ntable = 'orders'\nkey = 'id'\n\
             owner = {{ first = ['client_id', {{ column = 'email', to = 'customer.email', compare = 'nocase' }}] }}\n\
             nobody = 'of guests'\nfields = {{ email = 'email' }}"
        ),
        "customer = 'anonymise'\norder = 'anonymise'",
    );
    let census = census(&shop).await;
    let orders = &census.tables["orders"].classes["order"];
    assert_eq!((orders.rows, orders.nobody.rows, orders.gone.rows), (5, 2, 1));
}
