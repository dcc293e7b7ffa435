//! Rations in the ledger's file: one row per name.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{SqliteLedger, Trouble, number, seq_of};
use crate::ledger::ration::share_out;
use crate::ledger::{LedgerError, Ration, Rations, Taken};

#[async_trait]
impl Rations for SqliteLedger {
    async fn take(&self, rations: &[Ration], wanted: u64, least: u64) -> Result<Taken, LedgerError> {
        let rations = rations.to_vec();
        self.call("counting against a limit", move |connection| take(connection, &rations, wanted, least))
            .await
    }
}

fn take(connection: &mut Connection, rations: &[Ration], wanted: u64, least: u64) -> Result<Taken, Trouble> {
    // Lock the file before reading the counts, so that no other process writes in between.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut before = Vec::with_capacity(rations.len());
    {
        let mut read = transaction.prepare_cached("SELECT taken FROM ration WHERE name = ?1")?;
        for ration in rations {
            let taken: Option<i64> = read.query_row([&ration.name], |row| row.get(0)).optional()?;
            before.push(seq_of(taken.unwrap_or_default())?);
        }
    }
    let taken = share_out(rations, &before, wanted, least);
    if taken.taken > 0 {
        let mut write = transaction.prepare_cached(
            "INSERT INTO ration (name, taken) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET taken = taken + excluded.taken",
        )?;
        for ration in rations {
            write.execute(params![ration.name, number(taken.taken)])?;
        }
    }
    transaction.commit()?;
    Ok(taken)
}
