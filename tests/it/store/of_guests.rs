//! Records without an owner that lead to a row which others share.

use relinquish::Outcome;

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
