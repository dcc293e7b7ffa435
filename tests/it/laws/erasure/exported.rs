//! An export contains every cell of the person, or names it as left out. It contains nothing of other people.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use proptest::prelude::*;
use relinquish::data_map::{ClassName, FieldName, Value as Stored};
use relinquish::engine::export::{Export, write_json};
use relinquish::engine::{Access, MemoryAccessLog, Purpose};
use relinquish::plan::Authority;
use relinquish::store::{ReadRecords, ReadRequest, RecordPage, StoreError};
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::{
    ByRecord, CustomerStore, Engine, MemoryLedger, PolicyDocument, RecordStore, SqlMap, SqliteStore,
};
use rusqlite::types::Value as Sql;
use serde_json::Value as Json;

use super::generated::{Row, Shop, TARGET, shop};
use super::run::{Backend, repository};
use super::{Verdict, block_on, cases, kept};
use crate::hosts;

/// Wraps the store before the engine gets it.
type Tamper<'t> = &'t dyn Fn(Arc<dyn ReadRecords>) -> Arc<dyn ReadRecords>;

fn untouched(store: Arc<dyn ReadRecords>) -> Arc<dyn ReadRecords> {
    store
}

fn engine(
    shop: &Shop,
    store: Arc<dyn CustomerStore>,
    reads: Arc<dyn ReadRecords>,
    log: &Arc<MemoryAccessLog>,
) -> Engine {
    let policy = PolicyDocument::from_toml(&shop.policy()).unwrap();
    Engine::builder(store, policy, MemoryLedger::new(), hosts::keys())
        .clock(ManualClock::at(hosts::now()))
        .entropy(RepeatableEntropy::new(5))
        .records(reads)
        .access_log(Arc::clone(log))
        .build()
        .unwrap()
}

fn access() -> Access {
    let operator = Authority::new("operator-7", ["odd".into(), "even".into()]);
    Access::new(operator, Purpose::Reason("test".parse().unwrap()))
}

/// The target's export as JSON, by class and key: each record with its values and with what is left out.
fn exported(shop: &Shop, rows: &[Row], backend: Backend, page: usize, tamper: Tamper<'_>) -> Json {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap());
    let path = folder.path().join("shop.sqlite");
    let in_file = backend == Backend::Sqlite;
    shop.create(&path, if in_file { rows } else { &[] });
    let store = Arc::new(SqliteStore::open(&path, &SqlMap::from_toml(&shop.map()).unwrap()).unwrap());
    let log = Arc::new(MemoryAccessLog::new());
    let engine = if in_file {
        engine(shop, store.clone(), tamper(store), &log)
    } else {
        let repository = repository(shop, rows, store.data_map());
        let store = Arc::new(ByRecord::new(repository));
        engine(shop, store.clone(), tamper(store), &log)
    };
    let mut written = Vec::new();
    block_on(async {
        let export = Export::customer(shop.target()).page(page);
        write_json(engine.export(&export, &access()).await.unwrap(), &mut written).await.unwrap();
    });
    assert_eq!(log.events().len(), 1);
    serde_json::from_slice(&written).unwrap()
}

fn class_of(table: &str) -> String {
    match table {
        "customers" => "customer".to_owned(),
        "addresses" => "address".to_owned(),
        "residents" => "resident".to_owned(),
        table => table.replacen('t', "r", 1),
    }
}

fn said(value: &Sql) -> Json {
    match value {
        Sql::Null => Json::Null,
        Sql::Integer(number) => (*number).into(),
        Sql::Text(text) => text.as_str().into(),
        other => panic!("{other:?}"),
    }
}

/// Why a cell has to be left out. `None` if the export has to contain it.
fn must_be_left_out(shop: &Shop, row: &Row, column: &str, value: &Sql) -> Option<&'static str> {
    if *value == Sql::Null {
        return None;
    }
    let columns = match row.table.strip_prefix('t').and_then(|n| n.parse::<usize>().ok()) {
        Some(n) => &shop.tables[n].columns,
        None => &shop.columns,
    };
    let number = column.strip_prefix('c').and_then(|n| n.parse::<usize>().ok());
    let is_secret = |n: usize| columns[n].holds == super::generated::Holds::Personal("password");
    match (row.table.as_str(), number) {
        ("addresses", Some(_)) => None,
        (_, Some(n)) if is_secret(n) => Some("secret"),
        _ if column == "other" && *value != Sql::Integer(shop.id(TARGET)) => Some("of_somebody_else"),
        _ if row.table == "addresses" && row.customer.is_none() && column == "street" => Some("shared"),
        _ => None,
    }
}

fn every_cell(shop: &Shop, backend: Backend, page: usize, tamper: Tamper<'_>) -> Verdict {
    let rows = shop.rows(0);
    let export = exported(shop, &rows, backend, page, tamper);
    let mut records: BTreeMap<(String, String), &Json> = BTreeMap::new();
    for class in export["classes"].as_array().unwrap() {
        let name = class["class"].as_str().unwrap();
        for record in class["records"].as_array().unwrap() {
            let value = |field: &str| {
                let value = &record["values"][field];
                value.as_str().map_or_else(|| value.to_string(), str::to_owned)
            };
            let key = match name {
                "resident" => format!("{},{}", value("client"), value("address")),
                _ if record["values"].get("part").is_some() => format!("{},{}", value("part"), value("id")),
                _ => value("id"),
            };
            let place = (name.to_owned(), key);
            ensure!(records.insert(place.clone(), record).is_none(), "{place:?} is there twice");
        }
    }
    let is_theirs = |row: &&Row| row.customer == Some(TARGET) || (row.table == "addresses" && row.key == "2");
    let mut count = 0;
    for row in rows.iter().filter(is_theirs) {
        count += 1;
        let place = (class_of(&row.table), row.key.clone());
        let Some(record) = records.get(&place) else { return Err(format!("{place:?} is missing")) };
        let is_held = |column: &str| {
            backend == Backend::Sqlite || column == "id" || column == "amount" || column.starts_with('c')
        };
        for cell in row.cells.iter().filter(|cell| is_held(&cell.column)) {
            let (value, why) = (&record["values"][&cell.column], &record["left_out"][&cell.column]);
            match must_be_left_out(shop, row, &cell.column, &cell.value) {
                Some(reason) => {
                    ensure!(*why == reason && value.is_null(), "{place:?} {}: not {reason}", cell.column);
                }
                None if backend == Backend::ByRecord && cell.column == "id" => {}
                None => ensure!(
                    why.is_null() && *value == said(&cell.value),
                    "{place:?} {}: {value} and not {}",
                    cell.column,
                    said(&cell.value)
                ),
            }
        }
    }
    ensure!(records.len() == count, "{} records, and not {count}", records.len());
    let left_out: u64 = export["report"]["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|left| left["records"].as_u64().unwrap())
        .sum();
    let named: usize =
        records.values().filter_map(|record| record["left_out"].as_object()).map(serde_json::Map::len).sum();
    ensure!(left_out == named as u64, "the report counts {left_out} cells, and {named} are left out");
    Ok(())
}

/// A store that replaces the values of a record, or loses the whole record.
#[derive(Debug)]
struct Losing {
    store: Arc<dyn ReadRecords>,
    record: bool,
}

#[async_trait]
impl ReadRecords for Losing {
    async fn read_records(&self, request: &ReadRequest) -> Result<RecordPage, StoreError> {
        let mut page = self.store.read_records(request).await?;
        if self.record {
            page.records.pop();
        } else if let Some(record) = page.records.first_mut() {
            // All values, because a single one may be a secret, and no export contains secrets.
            record.values.fill(Stored::from("somebody else's"));
        }
        Ok(page)
    }

    fn finds_by(&self, class: &ClassName, field: &FieldName) -> bool {
        self.store.finds_by(class, field)
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn every_cell_of_a_person_is_in_the_export_or_named_as_left_out(shop in shop(), page in 1_usize..6) {
        kept(every_cell(&shop, Backend::Sqlite, page, &untouched))?;
    }

    #[test]
    fn every_cell_is_in_the_export_record_by_record(shop in shop(), page in 1_usize..6) {
        kept(every_cell(&shop.of_records(), Backend::ByRecord, page, &untouched))?;
    }

    #[test]
    fn a_store_that_loses_a_cell_or_a_record_is_found_out(shop in shop(), record in any::<bool>()) {
        let losing = |store| -> Arc<dyn ReadRecords> { Arc::new(Losing { store, record }) };
        prop_assert!(every_cell(&shop, Backend::Sqlite, 100, &losing).is_err());
    }
}
