//! How long the server takes for the first page and for a page of the review, with many customers.
//!
//! `cargo bench -p relinquish-console`; `CUSTOMERS=1000000` for more than the 100,000 of the default.

// It is a program that talks to whoever runs it.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic, missing_docs)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use relinquish::{Engine, FileKeyRing, PolicyDocument, SqlMap, SqliteLedger, SqliteStore};
use relinquish_console::{Console, ConsoleKey, Operator, Right};
use tower_service::Service as _;

const RIGHTS: [Right; 5] = [Right::See, Right::Plan, Right::Approve, Right::Hold, Right::Administrate];
/// How often each page is asked for.
const TIMES: u32 = 50;

#[tokio::main]
async fn main() {
    let customers: u64 =
        std::env::var("CUSTOMERS").ok().and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("shop.sqlite");
    // Every fourth customer has been cancelled long enough.
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection
        .execute_batch(&format!(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL, cancelled_on TEXT);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {customers})
             INSERT INTO clients SELECT i, 'Client ' || i, CASE WHEN i % 2 THEN 'active' ELSE 'cancelled' END,
                CASE WHEN i % 2 THEN NULL ELSE date('now', '-' || (CASE WHEN i % 4 THEN i % 89 ELSE 200 END) || ' days') END
             FROM n;"
        ))
        .unwrap();
    drop(connection);
    let map = SqlMap::from_toml(
        r#"
        version = 1
        [customers]
        table = "clients"
        key = "id"
        tenant = { is = "shop" }
        status = { column = "state", active = "active", cancelled = "cancelled", archived = "archived" }
        dates = { cancelled = "cancelled_on" }
        deactivate = { state = "archived" }
        [customers.fields]
        name = "name"
        "#,
    )
    .unwrap();
    let policy = PolicyDocument::from_toml(
        r#"
        version = 1
        sweep = true
        [triggers]
        cancelled = { after = "90 days", treatment = "clear" }
        [guards]
        active_subscription = { ignore = "the shop sells none" }
        not_archived = { ignore = "each case archives first" }
        [anonymise]
        name = "remove"
        [treatments.clear]
        customer = "anonymise"
        "#,
    )
    .unwrap();
    let store = Arc::new(SqliteStore::open(&database, &map).unwrap());
    let ledger = folder.path().join("ledger.sqlite");
    let keys = FileKeyRing::create_beside(&ledger).unwrap();
    let engine = Engine::builder(store, policy, SqliteLedger::open(&ledger).unwrap(), keys).build().unwrap();
    engine.census().await.unwrap();
    let spawner = |work| {
        tokio::spawn(work);
    };
    let console = Console::builder(engine, ConsoleKey::new([7; 32]), spawner).build();

    let began = Instant::now();
    let home = get(&console, "/").await;
    let token = home
        .split("action=\"/survey\"")
        .nth(1)
        .unwrap()
        .split("value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let survey = Request::post("/survey").header(header::HOST, "a").header(header::ORIGIN, "https://a");
    call(&console, survey.body(Full::from(format!("token={token}&back=/"))).unwrap()).await;
    while !get(&console, "/").await.contains("<svg") {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("{customers} customers surveyed in {:.1} s", began.elapsed().as_secs_f64());
    for path in [
        "/",
        "/review",
        &format!("/review?from={}", customers / 8),
        "/review/approve",
        "/requests",
        "/cases",
        "/ledger",
    ] {
        let mut times = Vec::new();
        let mut size = 0;
        for _ in 0..TIMES {
            let began = Instant::now();
            size = get(&console, path).await.len();
            times.push(began.elapsed());
        }
        times.sort();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        let worst = times.last().copied().unwrap_or_default();
        println!(
            "{path:<24} median {:>7.2} ms  worst {:>7.2} ms  {size:>6} bytes",
            median.as_secs_f64() * 1e3,
            worst.as_secs_f64() * 1e3
        );
    }
}

async fn get(console: &Console, path: &str) -> String {
    call(console, Request::get(path).body(Full::default()).unwrap()).await
}

async fn call(console: &Console, mut request: Request<Full<Bytes>>) -> String {
    request.extensions_mut().insert(Operator::new("bench", ["shop".into()], RIGHTS));
    let response: Response<Full<Bytes>> = console.clone().call(request).await.unwrap();
    assert!(
        !response.status().is_client_error() && !response.status().is_server_error(),
        "{}",
        response.status()
    );
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}
