//! The suppression list in the ledger's file: one row per token.

use async_trait::async_trait;
use chrono::NaiveDate;
use rusqlite::{TransactionBehavior, params};

use super::{SqliteLedger, from_json, number_of, to_json};
use crate::ledger::{LedgerError, SuppressionKey, SuppressionList, SuppressionToken};

/// The table has no row ids, so that the order of the rows does not show which tokens were added together.
pub(super) const TABLES: &str = "
    CREATE TABLE suppression_key (epoch INTEGER PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE suppressed (token TEXT PRIMARY KEY, until TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX suppressed_until ON suppressed (until);
";

#[async_trait]
impl SuppressionList for SqliteLedger {
    async fn suppress(
        &self,
        key: &SuppressionKey,
        tokens: &[SuppressionToken],
        until: NaiveDate,
    ) -> Result<(), LedgerError> {
        let (key, tokens) = (key.clone(), tokens.to_vec());
        self.call("adding to the suppression list", move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction
                .prepare_cached(
                    "INSERT INTO suppression_key (epoch, body) VALUES (?1, ?2) ON CONFLICT (epoch) DO NOTHING",
                )?
                .execute(params![key.epoch, to_json(&key)?])?;
            transaction
                .prepare_cached(
                    "INSERT INTO suppressed (token, until) SELECT value, ?2 FROM json_each(?1) WHERE true
                     ON CONFLICT (token) DO UPDATE SET until = max(until, excluded.until)",
                )?
                .execute(params![to_json(&tokens)?, until.to_string()])?;
            Ok(transaction.commit()?)
        })
        .await
    }

    async fn suppressed(
        &self,
        tokens: &[SuppressionToken],
        today: NaiveDate,
    ) -> Result<Vec<bool>, LedgerError> {
        let tokens = tokens.to_vec();
        self.call("reading the suppression list", move |connection| {
            connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM suppressed WHERE token = asked.value AND until >= ?2)
                     FROM json_each(?1) AS asked ORDER BY asked.key",
                )?
                .query_map(params![to_json(&tokens)?, today.to_string()], |row| row.get(0))?
                .map(|known| Ok(known?))
                .collect()
        })
        .await
    }

    async fn unsuppress(&self, tokens: &[SuppressionToken]) -> Result<u64, LedgerError> {
        let tokens = tokens.to_vec();
        self.call("taking out of the suppression list", move |connection| {
            let removed = connection
                .prepare_cached("DELETE FROM suppressed WHERE token IN (SELECT value FROM json_each(?1))")?
                .execute([to_json(&tokens)?])?;
            Ok(removed as u64)
        })
        .await
    }

    async fn forget_suppressed(&self, ended_before: NaiveDate, limit: usize) -> Result<u64, LedgerError> {
        self.call("forgetting suppressed identifiers", move |connection| {
            let removed = connection
                .prepare_cached(
                    "DELETE FROM suppressed WHERE token IN (SELECT token FROM suppressed WHERE until < ?1 LIMIT ?2)",
                )?
                .execute(params![ended_before.to_string(), number_of(limit)])?;
            Ok(removed as u64)
        })
        .await
    }

    async fn suppression_keys(&self) -> Result<Vec<SuppressionKey>, LedgerError> {
        self.call("reading the suppression list", |connection| {
            connection
                .prepare_cached("SELECT body FROM suppression_key ORDER BY epoch")?
                .query_map([], |row| row.get::<_, String>(0))?
                .map(|body| from_json(&body?))
                .collect()
        })
        .await
    }
}
