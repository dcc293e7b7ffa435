//! The suppression list in PostgreSQL: its contract, and several processes at the same time.

use std::sync::Arc;

use chrono::NaiveDate;
use relinquish::ledger::{PostgresLedger, SuppressionKey, SuppressionList as _, SuppressionToken};
use relinquish::testing;

use crate::server::Database;

#[tokio::test(flavor = "multi_thread")]
async fn the_contract() {
    let open = async || PostgresLedger::open(Database::with("").pool()).await.unwrap();
    testing::suppression_list(open).await.unwrap();
}

fn token(number: u8) -> SuppressionToken {
    serde_json::from_value(format!("1:{}", format!("{number:02x}").repeat(32)).into()).unwrap()
}

/// Processes that add and remove the same tokens in different orders never block each other.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_write_the_same_tokens_do_not_stop_each_other() {
    let database = Database::with("");
    let list = Arc::new(PostgresLedger::open(database.pool()).await.unwrap());
    let key: SuppressionKey =
        serde_json::from_value(serde_json::json!({ "epoch": 1, "check": "0a" })).unwrap();
    let until: NaiveDate = "2030-12-31".parse().unwrap();
    let work = (0..8_u8).map(|n| {
        let (list, key) = (Arc::clone(&list), key.clone());
        tokio::spawn(async move {
            for round in 0..20_u8 {
                let mut tokens: Vec<SuppressionToken> = (0..60).map(token).collect();
                if (n + round) % 2 == 0 {
                    tokens.reverse();
                }
                list.suppress(&key, &tokens, until).await?;
                list.unsuppress(&tokens).await?;
                list.suppress(&key, &tokens, until).await?;
            }
            Ok::<(), relinquish::ledger::LedgerError>(())
        })
    });
    for done in work.collect::<Vec<_>>() {
        done.await.unwrap().unwrap();
    }
    let all: Vec<SuppressionToken> = (0..60).map(token).collect();
    assert_eq!(list.suppressed(&all, until).await.unwrap(), [true; 60]);
}
