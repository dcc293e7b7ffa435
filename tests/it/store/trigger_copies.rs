//! Rows that a trigger writes while a customer is erased: they belong to the customer, or the erasure stops.

use relinquish::{Asked, Outcome};
use rusqlite::Connection;

use crate::hosts;
use crate::shop::{CUSTOMERS, Shop};

const AUDIT: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, changed_by INTEGER);
    CREATE TABLE audits (id INTEGER PRIMARY KEY, actor INTEGER REFERENCES clients, old_name TEXT);
    CREATE TRIGGER renamed AFTER UPDATE OF name ON clients BEGIN INSERT INTO audits (actor, old_name) VALUES (old.changed_by, old.name); END;
    CREATE TRIGGER removed AFTER DELETE ON clients BEGIN INSERT INTO audits (actor, old_name) VALUES (old.changed_by, old.name); END;
    INSERT INTO clients VALUES (1, 'Quillon', 1), (2, 'Bo', 2);
    INSERT INTO audits VALUES (7, 2, 'Bobby');";

fn shop(changed_by: &str, audit: &str, ignored: &str) -> Shop {
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name', changed_by = 'not personal' }}\n\
         [records.audit]\ntable = 'audits'\nowner = 'actor'\nnobody = 'of programs'\nfields.old_name = 'name'\n{ignored}"
    );
    let shop = Shop::new(AUDIT, &map, &format!("customer = 'anonymise'\naudit = {audit}\n"));
    Connection::open(shop.path())
        .unwrap()
        .execute_batch(&format!(
            "DROP TRIGGER renamed; UPDATE clients SET changed_by = {changed_by} WHERE id = 1;
             CREATE TRIGGER renamed AFTER UPDATE OF name ON clients BEGIN
                 INSERT INTO audits (actor, old_name) VALUES (old.changed_by, old.name); END;"
        ))
        .unwrap();
    shop
}

/// A former bug: a trigger copied the name into a record of the last editor of the row, or into a record of nobody.
/// The certificate said that everything was erased, but the name was in the database again.
#[tokio::test]
async fn a_copy_that_is_not_the_customers_stops_the_erasure() {
    for (changed_by, audit) in [("2", "'anonymise'"), ("NULL", "'anonymise'"), ("1", "{ keep = 'books' }")] {
        let shop = shop(changed_by, audit, "");
        let engine = shop.engine();
        let plan = hosts::approved(&engine, &"1".into(), &Asked::request()).await;
        // The deactivation writes nothing here.
        let before = shop.cells();
        let outcome = engine.erase(plan).await.unwrap();
        assert!(matches!(outcome, Outcome::Blocked { .. }), "{changed_by}, {audit}: {outcome}");
        let says = outcome.to_string();
        assert!(
            says.contains(
                "the triggers removed and renamed added 1 row to audit that is not this customer's to treat"
            ),
            "{says}"
        );
        assert!(says.contains("write a reason for each of them under ignore.triggers"), "{says}");
        assert_eq!(shop.cells(), before, "{changed_by}");
    }
}

#[tokio::test]
async fn a_copy_of_the_customers_own_is_treated_and_a_trigger_with_a_reason_is_trusted() {
    let own = shop("1", "'anonymise'", "");
    assert!(matches!(own.erase("1").await, Outcome::Erased(_)));
    assert_eq!(own.text("SELECT group_concat(old_name) FROM audits"), "Bobby");
    let trusted =
        shop("2", "'anonymise'", "[ignore.triggers]\nrenamed = 'a code name'\nremoved = 'a code name'\n");
    assert!(matches!(trusted.erase("1").await, Outcome::Erased(_)));
}

const ARCHIVE: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, status TEXT NOT NULL DEFAULT 'on');
    INSERT INTO clients (id, name) VALUES (1, 'Quillon'), (2, 'Bo');";

/// A host with a deactivation, and an archive to which a trigger copies.
fn archived(archive: &str, trigger: &str) -> Shop {
    let map = "[customers]\ntable = 'clients'\nkey = 'id'\ntenant = { is = 'here' }\n\
         status = { column = 'status', active = 'on', archived = 'off' }\ndeactivate = { status = 'off' }\n\
         fields = { name = 'name' }\n\
         [records.archive]\ntable = 'archive'\nowner = 'client'\nnobody = 'of programs'\nfields.name = 'name'\n";
    let sql = format!("{ARCHIVE}{archive}");
    let shop = Shop::new(&sql, map, "customer = 'anonymise'\narchive = 'anonymise'\n");
    Connection::open(shop.path()).unwrap().execute_batch(trigger).unwrap();
    shop
}

/// Two former bugs: a copy had the number of its original, which was lower than the numbers in the archive, so it was
/// not recognised as new. And a table without row numbers was not checked.
#[tokio::test]
async fn a_copy_is_seen_whatever_its_key_is() {
    for archive in [
        "CREATE TABLE archive (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients, name TEXT);
         INSERT INTO archive VALUES (99, 2, 'Bobby');",
        "CREATE TABLE archive (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients, name TEXT) WITHOUT ROWID;
         INSERT INTO archive VALUES (99, 2, 'Bobby');",
    ] {
        let copies = "CREATE TRIGGER copies AFTER UPDATE OF name ON clients BEGIN
                INSERT INTO archive VALUES (old.id, NULL, old.name); END;";
        let shop = archived(archive, copies);
        let outcome = shop.erase("1").await;
        let says = outcome.to_string();
        assert!(matches!(outcome, Outcome::Blocked { .. }), "{says}");
        assert!(says.contains("the trigger copies added 1 row to archive"), "{says}");
        assert_eq!(shop.text("SELECT group_concat(name) FROM archive"), "Bobby");
        assert_eq!(shop.text("SELECT name FROM clients WHERE id = 1"), "Quillon");
    }
}

/// A former bug: the first step of an erasure also fired a trigger, and the rows that it wrote for others were not
/// checked.
#[tokio::test]
async fn a_copy_that_the_deactivation_makes_stops_it() {
    let archive =
        "CREATE TABLE archive (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients, name TEXT);";
    for (client, is_own) in [("NULL", false), ("2", false), ("old.id", true)] {
        let copies = format!(
            "CREATE TRIGGER copies AFTER UPDATE OF status ON clients BEGIN
                INSERT INTO archive (client, name) VALUES ({client}, old.name); END;"
        );
        let shop = archived(archive, &copies);
        let before = shop.cells();
        let outcome = shop.erase("1").await;
        let says = outcome.to_string();
        if is_own {
            // The row belongs to the customer, and is treated with the other rows.
            assert!(matches!(outcome, Outcome::Erased(_)), "{says}");
            assert_eq!(shop.text("SELECT coalesce(group_concat(name), 'none') FROM archive"), "none");
            continue;
        }
        assert!(matches!(outcome, Outcome::Blocked { .. }), "{client}: {says}");
        assert!(
            says.contains("the trigger copies added 1 row to archive that is not this customer's"),
            "{says}"
        );
        assert!(says.contains("ignore.triggers.copies"), "{says}");
        assert_eq!(shop.cells(), before, "{client}");
    }
}
