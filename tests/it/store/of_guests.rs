//! Records without an owner that lead to a row which others share.

use relinquish::{Asked, Outcome, Planned};

use crate::shop::{CUSTOMERS, Shop};

fn shop(thread: &str, ends: &str, treatment: &str) -> Shop {
    let sql = format!(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE threads (id INTEGER PRIMARY KEY, opener INTEGER REFERENCES clients, title TEXT);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER REFERENCES clients, thread INTEGER{thread} REFERENCES threads, body TEXT);
         INSERT INTO clients VALUES (1, 'Anna Almgren'), (2, 'Bo Bergqvist');
         INSERT INTO threads VALUES (1, 1, 'pears');
         INSERT INTO posts VALUES (1, 1, 1, 'a'), (2, NULL, 1, 'of a guest');"
    );
    let map = format!(
        "{CUSTOMERS}fields.name = 'username'\n\
         [records.thread]\ntable = 'threads'\nshared = ['opener', 'post.thread']\nends = {{ opener = 'clear' }}\nnobody = 'of guests'\n\
         fields.title = 'free_text'\n\
         [records.post]\ntable = 'posts'\nowner = 'author'\nnobody = 'of guests'\n{ends}fields.body = 'free_text'\n"
    );
    Shop::new(&sql, &map, treatment)
}

/// The post of a guest leads to the thread and stays: every erasure was blocked for good, after its approval.
#[tokio::test]
async fn a_shared_row_to_which_records_of_nobody_lead_is_not_deleted_unsaid() {
    let deletes = "customer = 'anonymise'\nthread = 'delete'\npost = 'delete'\n";
    let said = shop(" NOT NULL", "", deletes).policy_refused();
    for part in [
        "treatments.x.thread",
        "post.thread may lead to it from records without an owner, which stay",
        "ends.thread = \"goes\"",
        "anonymise this class",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // Each way out works. The last one needs a link that takes NULL.
    let anonymises = "customer = 'anonymise'\nthread = 'anonymise'\npost = 'delete'\n";
    for (shop, posts) in [
        (shop(" NOT NULL", "", anonymises), "2:1"),
        (shop(" NOT NULL", "ends.thread = 'goes'\n", deletes), ""),
        (shop("", "ends.thread = 'clear'\n", deletes), "2:-"),
    ] {
        let outcome = shop.erase("1").await;
        assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
        assert_eq!(shop.text("SELECT group_concat(id || ':' || coalesce(thread, '-')) FROM posts"), posts);
    }
}

/// An order of a guest, or of no class, kept leading to an address that was erased, and nobody said so.
#[tokio::test]
async fn records_of_nobody_that_use_a_treated_shared_record_are_counted_or_block() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE addresses (id INTEGER PRIMARY KEY, street TEXT);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients, kind TEXT NOT NULL,
             address INTEGER REFERENCES addresses);
         INSERT INTO clients VALUES (1, 'Anna Almgren'), (2, 'Bo Bergqvist');
         INSERT INTO addresses VALUES (1, 'Lille Øvregate 3'), (2, 'Storgata 7'), (3, 'Torget 9');
         INSERT INTO orders VALUES (1, 1, 'sale', 1), (2, NULL, 'sale', 1), (3, NULL, 'sale', 1), (4, 1, 'sale', 2),
             (5, 2, 'sale', 2), (6, NULL, 'sale', 2), (7, 1, 'sale', 3);";
    let shop = |more: &str, delete: &str, ignore: &str| {
        let map = format!(
            "{CUSTOMERS}fields.name = 'username'\n[records.address]\ntable = 'addresses'\nshared = ['order.address']\n\
             nobody = 'that no order uses'\nfields.street = 'address'\n\
             [records.order]\ntable = 'orders'\nwhen = {{ kind = 'sale' }}\nowner = 'client'\nnobody = 'of guests'\n\
             fields.kind = 'not personal'\n{ignore}"
        );
        let treatment = format!("customer = 'anonymise'\norder = 'delete'\naddress = '{delete}'\n");
        Shop::new(&format!("{sql}{more}"), &map, &treatment)
    };
    for action in ["anonymise", "delete"] {
        // Address 1 goes, and two guests use it. Address 2 stays with Bo.
        let shop_of = shop("", action, "");
        let engine = shop_of.engine();
        let plan = match engine.plan(&"1".into(), &Asked::request()).await.unwrap() {
            Planned::Plan(plan) => plan.to_string(),
            Planned::Nothing(nothing) => panic!("{nothing:?}"),
            other => panic!("{other:?}"),
        };
        assert!(
            plan.contains("2 rows of nobody lead here in order.address: they lose what is erased here"),
            "{plan}"
        );
        let outcome = shop_of.erase("1").await;
        let text = outcome.certificate().unwrap_or_else(|| panic!("{outcome}")).to_string();
        assert!(text.contains("2 records of nobody led to these in order.address, and lost what"), "{text}");
        assert_eq!(shop_of.text("SELECT street FROM addresses WHERE id = 2"), "Storgata 7");
    }
    // A row that no class claims, and that came in since the census.
    let late = "INSERT INTO orders VALUES (8, NULL, 'purchase', 3);";
    let without = shop("", "anonymise", "");
    let engine = without.engine();
    rusqlite::Connection::open(without.path()).unwrap().execute_batch(late).unwrap();
    let before = without.cells();
    let error = engine.plan(&"1".into(), &Asked::request()).await.unwrap_err().to_string();
    assert!(error.contains("1 row of orders"), "{error}");
    assert!(error.contains("leads to a record that would be erased with the customer"), "{error}");
    assert_eq!(before, without.cells());
    // The map gives a reason: such rows keep nothing, and are counted.
    let with = shop(late, "anonymise", "[ignore]\norders = { rest = 'of suppliers' }\n");
    let outcome = with.erase("1").await;
    let text = outcome.certificate().unwrap_or_else(|| panic!("{outcome}")).to_string();
    assert!(text.contains("1 record of nobody led to these in orders.address, and lost what"), "{text}");
}

/// A comment that somebody wrote after the erasure, with the customer's name in it, was "nothing missing".
#[tokio::test]
async fn a_text_that_came_after_the_erasure_is_said() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE calls (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, note TEXT);
         INSERT INTO clients VALUES (1, 'Anna Almgren');
         INSERT INTO calls VALUES (1, 1, 'Anna Almgren rang');";
    let map = format!(
        "{CUSTOMERS}fields.name = 'name'\n[records.call]\ntable = 'calls'\nowner = 'client'\nfields.note = 'free_text'\n"
    );
    let treatment = "customer = 'anonymise'\ncall = { action = 'anonymise', fields = { note = { redact = '[erased]' } } }\n";
    let shop = Shop::new(sql, &map, treatment);
    let engine = shop.engine();
    let plan = crate::hosts::approved(&engine, &"1".into(), &Asked::request()).await;
    let outcome = engine.erase(plan).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    let again = async || match engine.plan(&"1".into(), &Asked::request()).await.unwrap() {
        Planned::Nothing(nothing) => nothing.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(again().await.ends_with("and nothing is missing"));
    let late = "INSERT INTO calls VALUES (2, 1, 'told Anna Almgren that all is erased'), (3, 1, 'x')";
    rusqlite::Connection::open(shop.path()).unwrap().execute_batch(late).unwrap();
    let said = again().await;
    assert!(
        said.contains("2 of call came since") && said.ends_with("look at them, or delete them"),
        "{said}"
    );
}

/// A record that somebody has over another link than its owner counted as one without an owner: the start was refused, or the
/// certificate said that no erasure reaches what it had just erased.
#[tokio::test]
async fn a_record_that_is_shared_has_an_owner_although_its_owner_link_is_empty() {
    let sql = "CREATE TABLE addresses (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients, street TEXT);
         CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, home INTEGER REFERENCES addresses);
         CREATE TABLE phones (id INTEGER PRIMARY KEY, address INTEGER NOT NULL REFERENCES addresses, note TEXT);
         INSERT INTO clients VALUES (1, 'Anna', NULL), (2, 'Bo', NULL);
         INSERT INTO addresses VALUES (1, 1, 'Lille Øvregate 3'), (3, NULL, 'Torget 9');
         UPDATE clients SET home = id * 2 - 1;
         INSERT INTO phones VALUES (1, 3, 'x');";
    let map = format!(
        "{CUSTOMERS}ends.home = 'clear'\nfields.name = 'username'\n[records.address]\ntable = 'addresses'\nowner = 'client'\n\
         shared = ['customer.home']\nends.client = 'clear'\nfields.street = 'address'\n\
         [records.phone]\ntable = 'phones'\nowner = 'address'\nfields.note = 'not personal'\n"
    );
    let shop = Shop::new(sql, &map, "customer = 'anonymise'\naddress = 'delete'\nphone = 'delete'\n");
    let outcome = shop.erase("2").await;
    let text = outcome.certificate().unwrap_or_else(|| panic!("{outcome}")).to_string();
    assert!(!text.contains("without an owner"), "{text}");
    assert_eq!(shop.text("SELECT group_concat(id) FROM addresses"), "1");
    // Where nobody has it, it is said as before.
    let lost = Shop::new(
        &format!("{sql} UPDATE clients SET home = NULL;"),
        &map,
        "customer = 'anonymise'\naddress = 'delete'\nphone = 'delete'\n",
    );
    let census = lost.engine().census().await.unwrap();
    let addresses = &census.tables["addresses"].classes["address"];
    assert_eq!((addresses.nobody.rows, census.tables["phones"].classes["phone"].nobody.rows), (1, 1));
}
