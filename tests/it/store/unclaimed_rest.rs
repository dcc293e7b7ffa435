//! Rows of a divided table that no class claims, with a foreign key to rows that a treatment deletes.

use crate::shop::{CUSTOMERS, Shop, changes};

fn shop(on_delete: &str, records: &str, ignore: &str, treatment: &str) -> Shop {
    let sql = format!(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE facts (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients(id) {on_delete}, what TEXT NOT NULL, v TEXT);
         INSERT INTO clients VALUES (1, 'Ragna'), (2, 'Bo');
         INSERT INTO facts VALUES (1, 1, 'street', 'Lille Øvregate 3'), (2, 1, 'hobby', 'chess'), (3, 2, 'hobby', 'go');"
    );
    let map = format!(
        "{CUSTOMERS}fields.name = 'name'\n[records.street]\ntable = 'facts'\nowner = 'client'\nwhen = {{ what = 'street' }}\n\
         fields.v = 'address'\n{records}{ignore}"
    );
    Shop::new(&sql, &map, treatment)
}

const IGNORE: &str = "[ignore]\nfacts = { rest = 'harmless' }\n";
const REST: &str =
    "[records.other]\ntable = 'facts'\nwhen = 'rest'\nowner = 'client'\nfields.v = 'not personal'\n";

/// A former bug: the check passed, and the database deleted rows by CASCADE. No plan counted these rows, and the
/// certificate called them "not covered". With a plain foreign key every such customer was blocked at run time
/// instead.
#[test]
fn an_ignored_rest_that_a_foreign_key_ties_to_deleted_rows_is_refused() {
    for (on_delete, so) in [
        ("ON DELETE CASCADE", "(ON DELETE CASCADE), so the database would delete rows that nobody counted"),
        ("ON DELETE SET NULL", "(ON DELETE SET NULL), so the database would write to rows"),
        ("", "(ON DELETE NO ACTION), so such rows would block"),
    ] {
        let said = shop(on_delete, "", IGNORE, "customer = 'delete'\nstreet = 'delete'\n").policy_refused();
        for part in
            ["treatments.x.customer", "rows of table facts", "foreign key on client", so, "when = \"rest\""]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[tokio::test]
async fn each_way_out_of_an_ignored_rest_works() {
    for on_delete in ["ON DELETE CASCADE", "ON DELETE SET NULL", ""] {
        let stays = shop(on_delete, "", IGNORE, "customer = 'anonymise'\nstreet = 'delete'\n");
        let before = stays.cells();
        stays.erase("1").await;
        assert_eq!(
            Vec::from_iter(changes(&before, &stays.cells())),
            ["- facts[1]", "clients[1].name"],
            "{on_delete}"
        );
        for ignore in [IGNORE, ""] {
            let treatment = "customer = 'delete'\nstreet = 'delete'\nother = 'delete'\n";
            let claimed = shop(on_delete, REST, ignore, treatment);
            let before = claimed.cells();
            claimed.erase("1").await;
            assert_eq!(
                Vec::from_iter(changes(&before, &claimed.cells())),
                ["- clients[1]", "- facts[1]", "- facts[2]"],
                "{on_delete}"
            );
        }
    }
}

/// A robot's document had its number cut, or handed to the stand-in, because a client had the same number.
#[tokio::test]
async fn a_link_without_a_foreign_key_is_no_link_in_a_row_that_no_class_claims() {
    for gone in ["clear", "stand-in"] {
        let sql = "
            CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, email TEXT);
            CREATE TABLE docs (id INTEGER PRIMARY KEY, type TEXT NOT NULL, owner INTEGER, reader INTEGER, title TEXT);
            INSERT INTO clients VALUES (1, 'Ragna', 'ragna@x.org'), (2, 'Bo', 'bo@x.org');
            INSERT INTO docs VALUES (1, 'client', 1, 2, 'a'), (2, 'client', 2, 1, 'b'), (3, 'robot', 1, 1, 'c'), (4, 'robot', 2, 1, 'd');";
        let map = format!(
            "{CUSTOMERS}fields = {{ name = 'name', email = 'email' }}\n\
             unknown_customer = {{ find = {{ email = 'gone@x.invalid' }}, create = {{ name = 'Gone' }} }}\n\
             [records.doc]\ntable = 'docs'\nwhen = {{ type = 'client' }}\nowner = {{ column = 'owner', to = 'customer' }}\n\
             nobody = 'of clients who left'\nends = {{ owner = 'clear', reader = {{ to = 'customer', gone = '{gone}' }} }}\n\
             fields.title = 'free_text'\n[ignore]\ndocs = {{ rest = 'of robots' }}\n"
        );
        let shop = Shop::new(sql, &map, "customer = 'delete'\ndoc = 'anonymise'\n");
        let before = shop.cells();
        let outcome = shop.erase("1").await;
        let mut changed = vec!["- clients[1]", "docs[1].owner", "docs[1].title", "docs[2].reader"];
        if gone == "stand-in" {
            changed.insert(0, "+ clients[3]");
        }
        let mut found = Vec::from_iter(changes(&before, &shop.cells()));
        found.sort();
        changed.sort_unstable();
        assert_eq!(found, changed, "{gone}");
        // Plan and certificate count only what was written.
        let text = outcome.certificate().unwrap_or_else(|| panic!("{outcome}")).to_string();
        assert!(!text.contains("in 2 records") && !text.contains("in 3 records"), "{gone}: {text}");
    }
}
