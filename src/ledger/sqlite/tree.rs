//! The hashes of the tree: one row for each entry.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, TransactionBehavior, params};

use super::{SqliteLedger, Trouble, number, seq_of};
use crate::digest::Digest;
use crate::ledger::LedgerError;
use crate::ledger::proof::{KeepsTree, known};
use crate::ledger::tree::{from_bytes, to_bytes};
use crate::sqlite::Fault;

fn hashed(connection: &rusqlite::Connection) -> Result<u64, Trouble> {
    let last = connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM tree")?
        .query_row([], |row| row.get(0))?;
    seq_of(last)
}

#[async_trait]
impl KeepsTree for SqliteLedger {
    async fn hashed(&self) -> Result<u64, LedgerError> {
        self.call("reading the tree", |connection| hashed(connection)).await
    }

    async fn keep_hashes(&self, after: u64, hashes: &[Vec<Digest>]) -> Result<(), LedgerError> {
        let rows: Vec<Vec<u8>> = hashes.iter().map(|hashes| to_bytes(hashes)).collect();
        self.call("keeping hashes of the tree", move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let known = known(after, hashed(&transaction)?)?;
            {
                let mut keep =
                    transaction.prepare_cached("INSERT INTO tree (seq, hashes) VALUES (?1, ?2)")?;
                for (seq, row) in (after + 1..).zip(&rows).skip(known) {
                    keep.execute(params![number(seq), row])?;
                }
            }
            transaction.commit()?;
            Ok(())
        })
        .await
    }

    async fn hashes(&self, entries: &[u64]) -> Result<Vec<Vec<Digest>>, LedgerError> {
        let entries = entries.to_vec();
        self.call("reading the tree", move |connection| {
            let connection = connection.transaction()?;
            let mut read = connection.prepare_cached("SELECT hashes FROM tree WHERE seq = ?1")?;
            let mut found = Vec::with_capacity(entries.len());
            for entry in entries {
                let bytes: Option<Vec<u8>> = read.query_row([number(entry)], |row| row.get(0)).optional()?;
                let hashes = from_bytes(&bytes.unwrap_or_default());
                found.push(hashes.ok_or(Trouble::Fault(Fault::Corrupt))?);
            }
            Ok(found)
        })
        .await
    }
}
