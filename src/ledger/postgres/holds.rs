//! Holds, one row each.

use std::collections::BTreeSet;

use async_trait::async_trait;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::PostgresLedger;
use super::book::{from_json, limit, to_json};
use super::connection::{Purpose, Transaction, Trouble};
use crate::ledger::{Hold, HoldBook, HoldId, LedgerError, WhichHolds};

const READING: &str = "reading the holds";

async fn place(on: &Transaction, hold: &Hold) -> Result<(), Trouble> {
    let (id, key, stands) = (hold.id.as_str(), hold.on.key(), hold.stands());
    let body = to_json(hold, "placing a hold")?;
    let sql = "INSERT INTO hold (id, key, stands, body) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING";
    on.rows(sql, &[(&id, Type::TEXT), (&key, Type::TEXT), (&stands, Type::BOOL), (&body, Type::TEXT)])
        .await?;
    Ok(())
}

async fn lift(on: &Transaction, lifted: &Hold) -> Result<bool, Trouble> {
    let (id, body) = (lifted.id.as_str(), to_json(lifted, "lifting a hold")?);
    let sql = "UPDATE hold SET key = NULL, stands = false, body = $2 WHERE id = $1 AND stands RETURNING id";
    Ok(!on.rows(sql, &[(&id, Type::TEXT), (&body, Type::TEXT)]).await?.is_empty())
}

fn holds(rows: &[Row]) -> Result<Vec<Hold>, Trouble> {
    rows.iter().map(|row| Ok(from_json(row.try_get(0)?, READING)?)).collect()
}

async fn standing(on: &Transaction, keys: &BTreeSet<String>) -> Result<Vec<Hold>, Trouble> {
    let keys: Vec<&String> = keys.iter().collect();
    let sql = "SELECT body FROM hold WHERE stands AND key = ANY($1) ORDER BY id";
    holds(&on.rows(sql, &[(&keys, Type::TEXT_ARRAY)]).await?)
}

async fn one(on: &Transaction, id: &HoldId) -> Result<Option<Hold>, Trouble> {
    let id = id.as_str();
    Ok(holds(&on.rows("SELECT body FROM hold WHERE id = $1", &[(&id, Type::TEXT)]).await?)?.pop())
}

async fn list(
    on: &Transaction,
    which: WhichHolds,
    after: Option<&HoldId>,
    most: usize,
) -> Result<Vec<Hold>, Trouble> {
    let (after, most) = (after.map(HoldId::as_str).unwrap_or_default(), limit(most));
    let sql = match which {
        WhichHolds::Standing => "SELECT body FROM hold WHERE stands AND id > $1 ORDER BY id LIMIT $2",
        WhichHolds::All => "SELECT body FROM hold WHERE id > $1 ORDER BY id LIMIT $2",
    };
    holds(&on.rows(sql, &[(&after, Type::TEXT), (&most, Type::INT8)]).await?)
}

#[async_trait]
impl HoldBook for PostgresLedger {
    async fn place_hold(&self, hold: &Hold) -> Result<(), LedgerError> {
        self.within("placing a hold", Purpose::Write, hold, |on, hold| Box::pin(place(on, hold))).await
    }

    async fn lift_hold(&self, lifted: &Hold) -> Result<bool, LedgerError> {
        self.within("lifting a hold", Purpose::Write, lifted, |on, lifted| Box::pin(lift(on, lifted))).await
    }

    async fn standing_holds(&self, keys: &BTreeSet<String>) -> Result<Vec<Hold>, LedgerError> {
        self.within(READING, Purpose::Read, keys, |on, keys| Box::pin(standing(on, keys))).await
    }

    async fn hold(&self, id: &HoldId) -> Result<Option<Hold>, LedgerError> {
        self.within(READING, Purpose::Read, id, |on, id| Box::pin(one(on, id))).await
    }

    async fn list_holds(
        &self,
        which: WhichHolds,
        after: Option<&HoldId>,
        limit: usize,
    ) -> Result<Vec<Hold>, LedgerError> {
        self.within(READING, Purpose::Read, &(which, after, limit), |on, (which, after, limit)| {
            Box::pin(list(on, *which, *after, *limit))
        })
        .await
    }
}
