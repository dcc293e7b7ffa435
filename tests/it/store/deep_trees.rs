//! Trees of records: each level is read once.

use std::time::Instant;

use relinquish::PolicyDocument;
use relinquish::store::{RecordStore as _, TallyRequest};

use crate::hosts;
use crate::shop::{CUSTOMERS, Shop};

/// Posts that answer each other. The first one belongs to customer 1.
fn thread(depth: u32, shape: &str) -> Shop {
    let sql = format!(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES posts, author INTEGER REFERENCES clients, body TEXT);
         CREATE INDEX posts_parent ON posts (parent);
         CREATE INDEX posts_author ON posts (author);
         INSERT INTO clients VALUES (1, 'Vigdis'), (2, 'Bo');
         WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {depth})
         INSERT INTO posts SELECT n, nullif(n - 1, 0), CASE WHEN n = 1 THEN 1 END, 'words' FROM n;"
    );
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name' }}\n[records.post]\ntable = 'posts'\n{shape}\nnobody = 'of guests'\n\
         fields.body = 'free_text'\n"
    );
    let mut shop = Shop::new(&sql, &map, "customer = 'anonymise'\npost = 'delete'\n");
    shop.policy = shop.policy.replace("name = 'remove'", "name = { placeholder = 'Anonymised {date}' }");
    shop
}

/// A former bug: each round read all rows of the earlier rounds again. A thread of 800 posts took five seconds to
/// plan, and a thread four times as long took sixteen times as long.
#[tokio::test]
async fn a_deep_tree_takes_time_as_it_is_deep() {
    let mut took = Vec::new();
    for depth in [300, 2_400] {
        let shop = thread(depth, "owner = { first = ['parent', 'author'] }");
        let (store, policy) = (shop.store().unwrap(), PolicyDocument::from_toml(&shop.policy).unwrap());
        let policy = policy.check(store.data_map()).unwrap();
        let treatment = policy.dated(&"here".into(), &policy.treatments()["x"], hosts::now());
        let request = TallyRequest::new(vec!["1".into()], treatment).at(hosts::now());
        let start = Instant::now();
        let tally = store.tally(&request).await.unwrap().remove(0).unwrap();
        took.push(start.elapsed());
        assert_eq!(tally.classes["post"].due, u64::from(depth));
    }
    // The tree is eight times as deep. Quadratic time would be a factor of sixty-four. The limit allows for a busy
    // machine.
    assert!(took[1] < took[0] * 32, "{took:?}");
}
