//! Trees of records: each level is read once.

use std::time::{Duration, Instant};

use relinquish::PolicyDocument;
use relinquish::store::{CensusRequest, RecordStore as _, TakeCensus as _, TallyRequest};

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

/// How long it takes to plan, and to take a census.
async fn took(depth: u32, shape: &str) -> Duration {
    let shop = thread(depth, shape);
    let (store, policy) = (shop.store().unwrap(), PolicyDocument::from_toml(&shop.policy).unwrap());
    let policy = policy.check(store.data_map()).unwrap();
    let treatment = policy.dated(&"here".into(), &policy.treatments()["x"], hosts::now());
    let request = TallyRequest::new(vec!["1".into()], treatment).at(hosts::now());
    let start = Instant::now();
    let tally = store.tally(&request).await.unwrap().remove(0).unwrap();
    let census = store.census(&CensusRequest::new(hosts::now())).await.unwrap();
    let took = start.elapsed();
    assert_eq!(tally.classes["post"].due, u64::from(depth));
    assert_eq!(census.tables["posts"].classes["post"].gone.rows, 0);
    took
}

/// Each round read all rows that the rounds before had found, or all rows that others may have. The census went up from each
/// row. So the time grew with the square of the depth.
#[tokio::test]
async fn a_deep_tree_takes_time_as_it_is_deep() {
    for shape in [
        "owner = { first = ['parent', 'author'] }",
        "owner = 'author'\nshared = ['parent']\nends = { author = 'clear', parent = 'clear' }",
    ] {
        let took = [took(300, shape).await, took(2_400, shape).await];
        // Eight times as deep: the square would be sixty-four. A machine may be busy.
        assert!(took[1] < took[0] * 32, "{shape}: {took:?}");
    }
}

/// Posts that answer each other in a circle have an owner each, and yet nobody has them, nor what hangs from them.
#[tokio::test]
async fn a_circle_that_no_customer_is_in_is_counted() {
    let shop = thread(6, "owner = { first = ['parent', 'author'] }");
    let connection = rusqlite::Connection::open(shop.path()).unwrap();
    // 1 and 2 answer each other, 3 to 6 hang from them; 7 is Bo's, and so is 8 below it; 9 answers nobody who is there.
    connection
        .execute_batch(
            "PRAGMA foreign_keys = OFF; UPDATE posts SET parent = 2, author = NULL WHERE id = 1;
             INSERT INTO posts (id, parent, author) VALUES (7, NULL, 2), (8, 7, NULL), (9, 99, NULL), (10, NULL, NULL);",
        )
        .unwrap();
    let census = shop.store().unwrap().census(&CensusRequest::new(hosts::now())).await.unwrap();
    let post = &census.tables["posts"].classes["post"];
    assert_eq!((post.rows, post.nobody.rows, post.gone.rows, post.gone.hanging), (10, 1, 7, 0));
}
