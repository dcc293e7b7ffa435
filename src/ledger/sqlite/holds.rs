//! Holds, one row each.

use std::collections::BTreeSet;

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};

use super::{SqliteLedger, from_json, number_of, to_json};
use crate::ledger::{Hold, HoldBook, HoldId, LedgerError, WhichHolds};

/// `key` is the index key of a hold in force. It is set to NULL when the hold is lifted.
pub(super) const TABLE: &str = "
    CREATE TABLE hold (id TEXT PRIMARY KEY, key TEXT, stands INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX hold_key ON hold (key) WHERE stands;
    CREATE INDEX hold_stands ON hold (id) WHERE stands;
";

#[async_trait]
impl HoldBook for SqliteLedger {
    async fn place_hold(&self, hold: &Hold) -> Result<(), LedgerError> {
        let hold = hold.clone();
        self.call("placing a hold", move |connection| {
            let (key, body) = (hold.on.key(), to_json(&hold)?);
            connection
                .prepare_cached(
                    "INSERT INTO hold (id, key, stands, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO NOTHING",
                )?
                .execute(params![hold.id.as_str(), key, hold.stands(), body])?;
            Ok(())
        })
        .await
    }

    async fn lift_hold(&self, lifted: &Hold) -> Result<bool, LedgerError> {
        let lifted = lifted.clone();
        self.call("lifting a hold", move |connection| {
            let changed = connection
                .prepare_cached("UPDATE hold SET key = NULL, stands = 0, body = ?2 WHERE id = ?1 AND stands")?
                .execute(params![lifted.id.as_str(), to_json(&lifted)?])?;
            Ok(changed == 1)
        })
        .await
    }

    async fn standing_holds(&self, keys: &BTreeSet<String>) -> Result<Vec<Hold>, LedgerError> {
        let keys = keys.clone();
        self.call("reading the holds", move |connection| {
            connection
                .prepare_cached(
                    "SELECT body FROM hold
                     WHERE stands AND key IN (SELECT value FROM json_each(?1)) ORDER BY id",
                )?
                .query_map([to_json(&keys)?], |row| row.get::<_, String>(0))?
                .map(|body| from_json(&body?))
                .collect()
        })
        .await
    }

    async fn hold(&self, id: &HoldId) -> Result<Option<Hold>, LedgerError> {
        let id = id.clone();
        self.call("reading a hold", move |connection| {
            connection
                .prepare_cached("SELECT body FROM hold WHERE id = ?1")?
                .query_row([id.as_str()], |row| row.get::<_, String>(0))
                .optional()?
                .map(|body| from_json(&body))
                .transpose()
        })
        .await
    }

    async fn list_holds(
        &self,
        which: WhichHolds,
        after: Option<&HoldId>,
        limit: usize,
    ) -> Result<Vec<Hold>, LedgerError> {
        let after = after.map(|id| id.as_str().to_owned()).unwrap_or_default();
        self.call("listing the holds", move |connection| {
            let sql = match which {
                WhichHolds::Standing => "SELECT body FROM hold WHERE stands AND id > ?1 ORDER BY id LIMIT ?2",
                WhichHolds::All => "SELECT body FROM hold WHERE id > ?1 ORDER BY id LIMIT ?2",
            };
            connection
                .prepare_cached(sql)?
                .query_map(params![after, number_of(limit)], |row| row.get::<_, String>(0))?
                .map(|body| from_json(&body?))
                .collect()
        })
        .await
    }
}
