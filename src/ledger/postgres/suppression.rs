//! The suppression list: one row per token.

use async_trait::async_trait;
use chrono::NaiveDate;
use tokio_postgres::types::Type;

use super::PostgresLedger;
use super::book::{from_json, limit, to_json};
use super::connection::{Purpose, Transaction, Trouble};
use crate::ledger::{LedgerError, SuppressionKey, SuppressionList, SuppressionToken};

/// The primary key is the token itself, so it does not show in which order tokens were added.
pub(super) const TABLES: &str = r#"
    CREATE TABLE suppression_key (epoch bigint PRIMARY KEY, body text NOT NULL);
    CREATE TABLE suppressed (token text COLLATE "C" PRIMARY KEY, until text COLLATE "C" NOT NULL);
    CREATE INDEX suppressed_until ON suppressed (until);
"#;

const READING: &str = "reading the suppression list";
const ADDING: &str = "adding to the suppression list";

/// The tokens as the database stores them, sorted. All statements write them in this order, to avoid deadlocks.
fn texts(tokens: &[SuppressionToken]) -> Vec<String> {
    tokens.iter().map(ToString::to_string).collect()
}

async fn add(
    on: &Transaction,
    key: &SuppressionKey,
    tokens: &[SuppressionToken],
    until: NaiveDate,
) -> Result<(), Trouble> {
    let (epoch, body, until) = (i64::from(key.epoch), to_json(key, ADDING)?, until.to_string());
    let sql = "INSERT INTO suppression_key (epoch, body) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    on.rows(sql, &[(&epoch, Type::INT8), (&body, Type::TEXT)]).await?;
    let sql = "INSERT INTO suppressed (token, until)
        SELECT DISTINCT token, $2 FROM unnest($1) AS of (token) ORDER BY token
        ON CONFLICT (token) DO UPDATE SET until = greatest(suppressed.until, excluded.until)";
    on.rows(sql, &[(&texts(tokens), Type::TEXT_ARRAY), (&until, Type::TEXT)]).await?;
    Ok(())
}

async fn known(
    on: &Transaction,
    tokens: &[SuppressionToken],
    today: NaiveDate,
) -> Result<Vec<bool>, Trouble> {
    let sql = "SELECT EXISTS (SELECT FROM suppressed WHERE suppressed.token = asked.token AND until >= $2)
        FROM unnest($1) WITH ORDINALITY AS asked (token, n) ORDER BY asked.n";
    let rows = on.rows(sql, &[(&texts(tokens), Type::TEXT_ARRAY), (&today.to_string(), Type::TEXT)]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

async fn remove(on: &Transaction, tokens: &[SuppressionToken]) -> Result<u64, Trouble> {
    let sql = "DELETE FROM suppressed WHERE token IN
        (SELECT token FROM suppressed WHERE token = ANY($1) ORDER BY token FOR UPDATE) RETURNING 1";
    Ok(on.rows(sql, &[(&texts(tokens), Type::TEXT_ARRAY)]).await?.len() as u64)
}

async fn forget(on: &Transaction, before: NaiveDate, most: usize) -> Result<u64, Trouble> {
    let sql = "DELETE FROM suppressed WHERE token IN
        (SELECT token FROM suppressed WHERE until < $1 ORDER BY token LIMIT $2 FOR UPDATE) RETURNING 1";
    let (before, most) = (before.to_string(), limit(most));
    Ok(on.rows(sql, &[(&before, Type::TEXT), (&most, Type::INT8)]).await?.len() as u64)
}

async fn keys(on: &Transaction) -> Result<Vec<SuppressionKey>, Trouble> {
    let rows = on.rows("SELECT body FROM suppression_key ORDER BY epoch", &[]).await?;
    rows.iter().map(|row| Ok(from_json(row.try_get(0)?, READING)?)).collect()
}

#[async_trait]
impl SuppressionList for PostgresLedger {
    async fn suppress(
        &self,
        key: &SuppressionKey,
        tokens: &[SuppressionToken],
        until: NaiveDate,
    ) -> Result<(), LedgerError> {
        self.within(ADDING, Purpose::Write, &(key, tokens, until), |on, (key, tokens, until)| {
            Box::pin(add(on, key, tokens, *until))
        })
        .await
    }

    async fn suppressed(
        &self,
        tokens: &[SuppressionToken],
        today: NaiveDate,
    ) -> Result<Vec<bool>, LedgerError> {
        self.within(READING, Purpose::Read, &(tokens, today), |on, (tokens, today)| {
            Box::pin(known(on, tokens, *today))
        })
        .await
    }

    async fn unsuppress(&self, tokens: &[SuppressionToken]) -> Result<u64, LedgerError> {
        self.within("taking out of the suppression list", Purpose::Write, &tokens, |on, tokens| {
            Box::pin(remove(on, tokens))
        })
        .await
    }

    async fn forget_suppressed(&self, ended_before: NaiveDate, limit: usize) -> Result<u64, LedgerError> {
        self.within(
            "forgetting suppressed identifiers",
            Purpose::Write,
            &(ended_before, limit),
            |on, (before, limit)| Box::pin(forget(on, *before, *limit)),
        )
        .await
    }

    async fn suppression_keys(&self) -> Result<Vec<SuppressionKey>, LedgerError> {
        self.within(READING, Purpose::Read, &(), |on, ()| Box::pin(keys(on))).await
    }
}
