//! Rations: one row per name.

use std::collections::HashMap;

use async_trait::async_trait;
use tokio_postgres::types::Type;

use super::PostgresLedger;
use super::book::{number, seq_of};
use super::connection::{Purpose, Transaction, Trouble};
use crate::ledger::ration::share_out;
use crate::ledger::{LedgerError, Ration, Rations, Taken};

const DOING: &str = "counting against a limit";

#[async_trait]
impl Rations for PostgresLedger {
    async fn take(&self, rations: &[Ration], wanted: u64, least: u64) -> Result<Taken, LedgerError> {
        self.within(DOING, Purpose::Write, &(rations, wanted, least), |on, (rations, wanted, least)| {
            Box::pin(take(on, rations, *wanted, *least))
        })
        .await
    }
}

async fn take(on: &Transaction, rations: &[Ration], wanted: u64, least: u64) -> Result<Taken, Trouble> {
    let names: Vec<&str> = rations.iter().map(|ration| ration.name.as_str()).collect();
    // In the order of the names, to avoid deadlocks.
    let sql = "INSERT INTO ration (name, taken) SELECT name, 0 FROM unnest($1) AS of (name) ORDER BY name
        ON CONFLICT DO NOTHING";
    on.rows(sql, &[(&names, Type::TEXT_ARRAY)]).await?;
    let sql = "SELECT name, taken FROM ration WHERE name = ANY($1) ORDER BY name FOR UPDATE";
    let mut known = HashMap::<String, u64>::new();
    for row in on.rows(sql, &[(&names, Type::TEXT_ARRAY)]).await? {
        known.insert(row.try_get(0)?, seq_of(row.try_get(1)?, DOING)?);
    }
    let before: Vec<u64> = names.iter().map(|name| known.get(*name).copied().unwrap_or_default()).collect();
    let taken = share_out(rations, &before, wanted, least);
    let more = number(taken.taken);
    let sql = "UPDATE ration SET taken = taken + $2 WHERE name = ANY($1)";
    on.rows(sql, &[(&names, Type::TEXT_ARRAY), (&more, Type::INT8)]).await?;
    Ok(taken)
}
