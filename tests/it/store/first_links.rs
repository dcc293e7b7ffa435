//! Of several owner links, the first that is not empty counts.

use relinquish::Outcome;

use crate::shop::{CUSTOMERS, Shop, changes};

const TREE: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES notes, author INTEGER REFERENCES clients, body TEXT);
    INSERT INTO clients VALUES (1, 'Vigdis'), (2, 'Bo');
    INSERT INTO notes VALUES (1, NULL, 1, 'a'), (2, 1, 1, 'b'), (3, 2, NULL, 'c'), (4, NULL, 2, 'd'), (5, 4, 2, 'e');";

/// A former bug: the check refused to delete in the shape from the manual. It said that a note stays while another
/// person has it, although only the owner of the parent note has it.
#[tokio::test]
async fn a_tree_is_deleted_with_the_one_who_has_its_root() {
    let map = format!(
        "{CUSTOMERS}fields.name = 'name'\n\
         [records.note]\ntable = 'notes'\nowner = {{ first = ['parent', 'author'] }}\nends.author = 'clear'\n\
         fields.body = 'free_text'\n"
    );
    let shop = Shop::new(TREE, &map, "customer = 'delete'\nnote = 'delete'\n");
    let before = shop.cells();
    assert!(matches!(shop.erase("1").await, Outcome::Erased(_)));
    let gone: Vec<String> = changes(&before, &shop.cells()).into_iter().collect();
    assert_eq!(gone, ["- clients[1]", "- notes[1]", "- notes[2]", "- notes[3]"]);
}

/// If a later link counts, a record may stay with the person to whom an earlier link leads.
#[test]
fn what_a_later_link_leads_to_cannot_go_before_the_record() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, payer INTEGER REFERENCES clients, client INTEGER NOT NULL REFERENCES clients);";
    let map = format!(
        "{CUSTOMERS}fields.name = 'name'\n[records.order]\ntable = 'orders'\nowner = {{ first = ['payer', 'client'] }}\n"
    );
    let shop = Shop::new(sql, &map, "customer = 'delete'\norder = 'delete'\n");
    let refused = shop.policy_refused();
    assert!(
        refused.contains("order.client leads to it, and such a record stays while somebody else has it"),
        "{refused}"
    );
    assert!(!refused.contains("order.payer"), "{refused}");
}
