//! The hashes of the tree: one row for each entry.

use std::collections::HashMap;

use async_trait::async_trait;
use tokio_postgres::types::Type;

use super::PostgresLedger;
use super::book::{number, seq_of};
use super::connection::{Purpose, Transaction, Trouble};
use crate::digest::Digest;
use crate::ledger::LedgerError;
use crate::ledger::proof::{KeepsTree, known};
use crate::ledger::tree::{from_bytes, to_bytes};

const READING: &str = "reading the tree";

async fn hashed(on: &Transaction) -> Result<u64, Trouble> {
    let rows = on.rows("SELECT coalesce(max(seq), 0) FROM tree", &[]).await?;
    let row = rows.first().ok_or(LedgerError::Corrupt { doing: READING })?;
    Ok(seq_of(row.try_get(0)?, READING)?)
}

async fn keep(on: &Transaction, after: u64, hashes: &[Vec<Digest>]) -> Result<(), Trouble> {
    // Only one process at a time inserts. The others then find that the rows exist.
    on.batch("LOCK TABLE tree IN SHARE ROW EXCLUSIVE MODE").await?;
    let known = known(after, hashed(on).await?)?;
    let new = (after + 1..).zip(hashes).skip(known);
    let (numbers, rows): (Vec<i64>, Vec<Vec<u8>>) =
        new.map(|(seq, row)| (number(seq), to_bytes(row))).unzip();
    let sql = "INSERT INTO tree (seq, hashes) SELECT * FROM unnest($1, $2)";
    on.rows(sql, &[(&numbers, Type::INT8_ARRAY), (&rows, Type::BYTEA_ARRAY)]).await?;
    Ok(())
}

async fn read(on: &Transaction, entries: &[u64]) -> Result<Vec<Vec<Digest>>, Trouble> {
    let numbers: Vec<i64> = entries.iter().copied().map(number).collect();
    let rows =
        on.rows("SELECT seq, hashes FROM tree WHERE seq = ANY($1)", &[(&numbers, Type::INT8_ARRAY)]).await?;
    let mut found = HashMap::<i64, Vec<Digest>>::new();
    for row in rows {
        let hashes = from_bytes(row.try_get(1)?).ok_or(LedgerError::Corrupt { doing: READING })?;
        found.insert(row.try_get(0)?, hashes);
    }
    Ok(numbers.iter().map(|number| found.get(number).cloned().unwrap_or_default()).collect())
}

#[async_trait]
impl KeepsTree for PostgresLedger {
    async fn hashed(&self) -> Result<u64, LedgerError> {
        self.within(READING, Purpose::Read, &(), |on, ()| Box::pin(hashed(on))).await
    }

    async fn keep_hashes(&self, after: u64, hashes: &[Vec<Digest>]) -> Result<(), LedgerError> {
        let doing = "keeping hashes of the tree";
        self.within(doing, Purpose::Write, &(after, hashes), |on, (after, hashes)| {
            Box::pin(keep(on, *after, hashes))
        })
        .await
    }

    async fn hashes(&self, entries: &[u64]) -> Result<Vec<Vec<Digest>>, LedgerError> {
        self.within(READING, Purpose::Read, &entries, |on, entries| Box::pin(read(on, entries))).await
    }
}
