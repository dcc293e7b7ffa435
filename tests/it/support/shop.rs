//! A small database with its map and its policy. It can compare two states, cell by cell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use relinquish::ledger::MemoryLedger;
use relinquish::store::{RecordStore, StoreError};
use relinquish::testing::ManualClock;
use relinquish::{Asked, Engine, Outcome, PolicyDocument, SqlMap, SqliteStore};
use rusqlite::Connection;

use crate::hosts::{self, BuildCounted as _, approved};

/// The content of a database: the values as SQL literals, by row and column.
pub(crate) type Cells = BTreeMap<(String, String), String>;

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The differences: `table[key].column` for a changed cell, `- table[key]` for a deleted row, `+ table[key]` for a
/// new row.
pub(crate) fn changes(before: &Cells, after: &Cells) -> BTreeSet<String> {
    let rows = |cells: &Cells| cells.keys().map(|(row, _)| row.clone()).collect::<BTreeSet<_>>();
    let (old, new) = (rows(before), rows(after));
    let mut list: BTreeSet<String> = old.difference(&new).map(|row| format!("- {row}")).collect();
    list.extend(new.difference(&old).map(|row| format!("+ {row}")));
    for ((row, column), value) in before {
        if after.get(&(row.clone(), column.clone())).is_some_and(|now| now != value) {
            list.insert(format!("{row}.{column}"));
        }
    }
    list
}

/// A small database with its map and policy. Each test writes them itself.
pub(crate) struct Shop {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) map: String,
    pub(crate) policy: String,
}

pub(crate) const CUSTOMERS: &str = "[customers]\ntable = 'clients'\nkey = 'id'\ntenant = { is = 'here' }\ndeactivate = { none = 'no status' }\n";
const RULES: &str = "version = 1\nsweep = true\n[triggers]\nrequested = { treatment = 'x' }\n[guards]\n\
    active_subscription = { ignore = 'none' }\nseveral_tenants = { ignore = 'one' }\nnot_archived = { ignore = 'none' }\n\
    [anonymise]\nname = 'remove'\nemail = 'token'\nfree_text = 'remove'\naddress = 'remove'\nusername = 'token'\ncustomer_number = 'token'\n[treatments.x]\n";

impl Shop {
    pub(crate) fn new(sql: &str, map: &str, treatment: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Connection::open(folder.path().join("shop.sqlite")).unwrap().execute_batch(sql).unwrap();
        let map = format!("version = 1\n{map}");
        Self { folder, map, policy: format!("{RULES}{treatment}") }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("shop.sqlite")
    }

    pub(crate) fn store(&self) -> Result<SqliteStore, StoreError> {
        SqliteStore::open(self.path(), &SqlMap::from_toml(&self.map).unwrap())
    }

    pub(crate) fn refused(&self) -> String {
        self.store().map(|_| ()).unwrap_err().to_string()
    }

    pub(crate) fn engine(&self) -> Engine {
        let policy = PolicyDocument::from_toml(&self.policy).unwrap();
        let store = self.store().unwrap_or_else(|error| panic!("{error}"));
        Engine::builder(store, policy, MemoryLedger::new(), hosts::keys())
            .clock(ManualClock::at(hosts::now()))
            .counted()
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    pub(crate) async fn erase(&self, id: &str) -> Outcome {
        let engine = self.engine();
        let plan = approved(&engine, &id.into(), &Asked::request()).await;
        engine.erase(plan).await.unwrap()
    }

    /// The error that the policy gets when it is checked against the map.
    pub(crate) fn policy_refused(&self) -> String {
        let policy = PolicyDocument::from_toml(&self.policy).unwrap();
        let store = self.store().unwrap_or_else(|error| panic!("{error}"));
        policy.check(store.data_map()).map(|_| ()).unwrap_err().to_string()
    }

    /// Every cell of every table: `table[key].column` and its value as an SQL literal.
    pub(crate) fn cells(&self) -> Cells {
        let connection = Connection::open(self.path()).unwrap();
        let mut tables = connection
            .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%'")
            .unwrap();
        let tables: Vec<String> =
            tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let mut cells = Cells::new();
        for table in tables {
            let columns: Vec<(String, i64)> = connection
                .prepare("SELECT name, pk FROM pragma_table_xinfo(?1)")
                .unwrap()
                .query_map([&table], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            let list: Vec<String> =
                columns.iter().map(|(name, _)| format!("quote({})", quoted(name))).collect();
            let sql = format!("SELECT {} FROM main.{}", list.join(", "), quoted(&table));
            let mut statement = connection.prepare(&sql).unwrap();
            let mut rows = statement.query([]).unwrap();
            let mut n = 0;
            while let Some(row) = rows.next().unwrap() {
                n += 1;
                let values: Vec<String> = (0..columns.len()).map(|n| row.get(n).unwrap()).collect();
                let key: Vec<&str> = columns
                    .iter()
                    .zip(&values)
                    .filter(|((_, place), _)| *place > 0)
                    .map(|(_, value)| value.trim_matches('\''))
                    .collect();
                let key = if key.is_empty() { format!("#{n}") } else { key.join(",") };
                for ((column, _), value) in columns.iter().zip(&values) {
                    cells.insert((format!("{table}[{key}]"), column.clone()), value.clone());
                }
            }
        }
        cells
    }

    pub(crate) fn text(&self, sql: &str) -> String {
        Connection::open(self.path())
            .unwrap()
            .query_row(sql, [], |row| row.get::<_, Option<String>>(0))
            .unwrap()
            .unwrap_or_default()
    }
}
