//! The end of a transaction: to which tables it wrote, and whether it was committed if its connection was cut.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::dialect::PostgresDialect;
use super::session::{PostgresSession, Writes, locked};
use crate::data_map::Value;
use crate::store::sql::{ByTriggers, Dialect as _, Fault, json_rows};

/// How long the store asks for the result of a transaction if the connection was cut during its commit.
const FATE: Duration = Duration::from_secs(10);

impl PostgresSession<'_> {
    /// The writes to tables of the host that the server counts for this connection, by the number of the table.
    pub(super) fn counted(&mut self) -> Result<BTreeMap<i64, Writes>, Fault> {
        let rows = self.read(
            "SELECT relid::bigint, n_tup_ins::bigint, (n_tup_upd + n_tup_del)::bigint FROM pg_catalog.pg_stat_xact_user_tables \
             WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND schemaname !~ '^pg_temp'",
            &[],
        )?;
        let pair = |row: Vec<Value>| match row.as_slice() {
            [Value::Integer(table), Value::Integer(added), Value::Integer(changed)] => {
                Some((*table, Writes { added: *added, changed: *changed }))
            }
            _ => None,
        };
        Ok(rows.into_iter().filter_map(pair).collect())
    }

    /// What triggers did to these tables: the rows that the server counts beyond those of our statements. A partition or an
    /// inheriting table counts as the table above it.
    pub(super) fn done_by_triggers(&mut self, tables: &[String]) -> Result<Vec<(String, ByTriggers)>, Fault> {
        let counted = self.counted()?;
        let Some(open) = &self.open else { return Ok(Vec::new()) };
        let mut now = BTreeMap::new();
        for (table, writes) in counted {
            let before = open.before.get(&table).copied().unwrap_or_default();
            let writes =
                Writes { added: writes.added - before.added, changed: writes.changed - before.changed };
            if writes != Writes::default() {
                now.insert(table, writes);
            }
        }
        let written = open.written.clone();
        // If the server counts exactly the rows of our statements, no table has to be looked up.
        let sum = |all: &mut dyn Iterator<Item = &Writes>| {
            all.fold((0, 0), |(added, changed), one| (added + one.added, changed + one.changed))
        };
        if sum(&mut now.values()) == sum(&mut written.values()) {
            return Ok(Vec::new());
        }
        let names: Vec<Vec<Value>> = tables.iter().map(|name| vec![Value::from(name.as_str())]).collect();
        let rows = self.read(
            "WITH RECURSIVE below(top, relid) AS (
                 SELECT name, to_regclass(name)::oid FROM jsonb_array_elements_text($1::jsonb) AS name
                 UNION SELECT below.top, i.inhrelid FROM below JOIN pg_catalog.pg_inherits AS i ON i.inhparent = below.relid
             ) SELECT top, relid::bigint FROM below WHERE relid IS NOT NULL",
            &[json_rows(names)],
        )?;
        let mut by_table = BTreeMap::<String, Writes>::new();
        for row in rows {
            let [Value::Text(top), Value::Integer(table)] = row.as_slice() else { continue };
            let Some(writes) = now.get(table) else { continue };
            let sum = by_table.entry(top.clone()).or_default();
            sum.added += writes.added;
            sum.changed += writes.changed;
        }
        let beyond = by_table.into_iter().map(|(table, writes)| {
            let own = written.get(&table).copied().unwrap_or_default();
            let beyond = |counted: i64, own: i64| u64::try_from(counted - own).unwrap_or(0);
            let added = beyond(writes.added, own.added);
            (table, ByTriggers { added, changed: beyond(writes.changed, own.changed) })
        });
        Ok(beyond.filter(|(_, by)| *by != ByTriggers::default()).collect())
    }

    /// Checks before a commit that only the expected tables were written to.
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        let counted = self.counted()?;
        let Some(open) = &self.open else { return Ok(()) };
        let is_new = |(table, writes): &(&i64, &Writes)| open.before.get(table) != Some(writes);
        let tables: Vec<Vec<Value>> =
            counted.iter().filter(is_new).map(|(table, _)| vec![Value::Integer(*table)]).collect();
        let echoes = locked(&self.shared.echoes).clone();
        let expected =
            open.written.keys().cloned().chain(echoes.iter().map(|name| PostgresDialect.table(name)));
        let expected: Vec<Vec<Value>> = expected.map(|name| vec![Value::from(name)]).collect();
        if !tables.is_empty() {
            // A partition or an inheriting table counts as the table above it.
            let unexpected = self.read(
                "WITH RECURSIVE above(relid, top) AS (
                     SELECT t::text::oid, t::text::oid FROM jsonb_array_elements($1::jsonb) AS t
                     UNION SELECT above.relid, i.inhparent FROM above JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = above.top
                 )
                 SELECT DISTINCT relid::regclass::text FROM above AS own WHERE NOT EXISTS (
                     SELECT 1 FROM above JOIN jsonb_array_elements_text($2::jsonb) AS expected ON above.top = to_regclass(expected)
                     WHERE above.relid = own.relid
                 ) ORDER BY 1",
                &[json_rows(tables), json_rows(expected)],
            )?;
            if let Some(table) = unexpected.first().and_then(|row| row.first()).and_then(Value::as_text) {
                return Err(Fault::Other(format!(
                    "a trigger wrote to {table}, which the map does not expect, so nothing was written; map the table, or write \
                     ignore.{table} = \"reason\", and open the store again"
                )));
            }
        }
        Ok(())
    }

    /// The number of the transaction, if it has written something.
    pub(super) fn number(&mut self) -> Result<Option<String>, Fault> {
        let rows = self.read("SELECT pg_current_xact_id_if_assigned()::text", &[])?;
        Ok(rows.first().and_then(|row| row.first()).and_then(Value::as_text).map(str::to_owned))
    }

    /// Asks the server over another connection whether a transaction was committed whose connection was cut.
    pub(super) fn fate(&mut self, number: &str) -> Result<(), Fault> {
        let unknown = "the connection was cut during COMMIT, and the server cannot say what became of the transaction; \
                       whoever reads the records again sees it";
        let until = Instant::now() + FATE;
        while Instant::now() < until {
            let sql = "SELECT pg_xact_status($1::text::xid8)";
            let asked = self.within(|session| session.read(sql, &[Value::from(number)]));
            let status = asked.ok().and_then(|rows| rows.into_iter().next()?.into_iter().next());
            match status.as_ref().and_then(Value::as_text) {
                Some("committed") => return Ok(()),
                Some("aborted") => {
                    return Err(Fault::Lost("the connection was cut, and nothing was written".to_owned()));
                }
                // In progress: the server has not noticed yet. Or it cannot be reached yet.
                Some(_) | None => std::thread::sleep(Duration::from_millis(100)),
            }
        }
        Err(Fault::Lost(unknown.to_owned()))
    }
}
