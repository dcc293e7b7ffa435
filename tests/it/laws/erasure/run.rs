//! An engine over a generated shop, in a real SQLite file or in the record-by-record store. A test can put its own
//! code between the engine and the store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use relinquish::customer::{Identifiers, Status};
use relinquish::data_map::{Record, Value};
use relinquish::ledger::SqliteLedger;
use relinquish::store::{
    Batch, Deactivated, Deactivation, EraseRequest, Erased, MemoryRepository, Page, PageRequest, Reactivated,
    Reactivation, StoreError, TakeCensus, Tally, TallyRequest,
};
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::{
    ApprovedPlan, Asked, ByRecord, Customer, CustomerId, CustomerStore, DataMap, Engine, PolicyDocument,
    RecordStore, SqlMap, SqliteStore,
};
use rusqlite::Connection;
use rusqlite::types::Value as Sql;

use super::generated::{Action, Cell, Row, Rule, Shop, TARGET, insert};
use crate::hosts::{self, BuildCounted as _, approved};

/// What holds the customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    Sqlite,
    ByRecord,
}

/// The content of a database: every row by table and key, every cell by column.
pub(super) type Cells = BTreeMap<(String, String), BTreeMap<String, Sql>>;

/// Wraps the honest store in another one. It gets the path of the database too.
pub(super) type Tamper<'t> = &'t (dyn Fn(Arc<dyn CustomerStore>, &Path) -> Arc<dyn CustomerStore> + Sync);

/// Wraps the honest store in one that also makes the host change its own data.
pub(super) type Environment<'t> =
    &'t (dyn Fn(Arc<dyn CustomerStore>, &Host) -> Arc<dyn CustomerStore> + Sync);

pub(super) fn honest(store: Arc<dyn CustomerStore>, _: &Path) -> Arc<dyn CustomerStore> {
    store
}

/// An engine over a shop, with an approved plan for the target.
pub(super) struct Run {
    pub(super) folder: tempfile::TempDir,
    pub(super) engine: Engine,
    pub(super) store: Arc<dyn CustomerStore>,
    pub(super) ledger: Arc<SqliteLedger>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) plan: ApprovedPlan,
    /// The content before the first call of the engine.
    pub(super) before: Cells,
    host: Host,
}

/// The host's direct access to its data. It is cheap to clone.
#[derive(Clone)]
pub(super) enum Host {
    Sqlite(PathBuf),
    ByRecord(Shop, Arc<MemoryRepository>),
}

impl Run {
    pub(super) fn cells(&self) -> Cells {
        self.host.cells()
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    pub(super) fn ledger_file(&self) -> PathBuf {
        self.folder.path().join("ledger.sqlite")
    }

    /// The path of the database, if the host has one.
    pub(super) fn database(&self) -> Option<&Path> {
        match &self.host {
            Host::Sqlite(path) => Some(path),
            Host::ByRecord(..) => None,
        }
    }
}

impl Host {
    pub(super) fn cells(&self) -> Cells {
        match self {
            Self::Sqlite(path) => cells(path),
            Self::ByRecord(shop, repository) => dump(shop, repository),
        }
    }

    /// Moves the target to the other tenant.
    pub(super) fn move_target(&self, target: i64) {
        match self {
            Self::Sqlite(path) => {
                edit(path, &format!("UPDATE customers SET tenant = 'even' WHERE id = {target}"));
            }
            Self::ByRecord(_, repository) => {
                repository.update(&CustomerId::new(target.to_string()), |facts| facts.tenant = "even".into());
            }
        }
    }
}

/// Writes to a database directly, without the engine, and with foreign keys switched off.
pub(super) fn edit(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    connection.execute_batch(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
}

/// A folder in memory, if the system has one. These laws do not test the disk.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// Creates the shop and plans the target's erasure. `environment` wraps the honest store, and `tamper` wraps the
/// result.
pub(super) async fn prepare_in(
    shop: &Shop,
    rows: &[Row],
    backend: Backend,
    environment: Environment<'_>,
    tamper: Tamper<'_>,
) -> Run {
    let folder = folder();
    let path = folder.path().join("shop.sqlite");
    let in_file = backend == Backend::Sqlite;
    shop.create(&path, if in_file { rows } else { &[] });
    let store = SqliteStore::open(&path, &SqlMap::from_toml(&shop.map()).unwrap())
        .unwrap_or_else(|error| panic!("{error}\n{}\n{}", shop.schema(), shop.map()));
    let (store, host): (Arc<dyn CustomerStore>, Host) = if in_file {
        (Arc::new(store), Host::Sqlite(path.clone()))
    } else {
        let repository = Arc::new(repository(shop, rows, store.data_map()));
        let store = Arc::new(ByRecord::new(Arc::clone(&repository)));
        (store, Host::ByRecord(shop.clone(), repository))
    };
    let store = tamper(environment(store, &host), &path);
    let ledger = Arc::new(SqliteLedger::open(folder.path().join("ledger.sqlite")).unwrap());
    let clock = Arc::new(ManualClock::at(hosts::now()));
    let policy = PolicyDocument::from_toml(&shop.policy()).unwrap();
    let engine = Engine::builder(Arc::clone(&store), policy, Arc::clone(&ledger), hosts::keys())
        .clock(Arc::clone(&clock))
        .entropy(RepeatableEntropy::new(5))
        .counted()
        .unwrap_or_else(|problems| {
            panic!("{problems}\n{}\n{}\n{}", shop.schema(), shop.map(), shop.policy())
        });
    let before = host.cells();
    let plan = approved(&engine, &CustomerId::new(shop.target()), &Asked::request()).await;
    Run { folder, engine, store, ledger, clock, plan, before, host }
}

pub(super) async fn prepare(shop: &Shop, rows: &[Row], backend: Backend, tamper: Tamper<'_>) -> Run {
    prepare_in(shop, rows, backend, &|store, _| store, tamper).await
}

fn cells(path: &Path) -> Cells {
    let connection = Connection::open(path).unwrap();
    let mut names = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut cells = Cells::new();
    for table in tables {
        let mut keys =
            connection.prepare("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk").unwrap();
        let keys: Vec<String> =
            keys.query_map([&table], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: BTreeMap<String, Sql> =
                columns.iter().enumerate().map(|(n, column)| (column.clone(), row.get(n).unwrap())).collect();
            let key: Vec<String> = keys.iter().map(|key| shown(&values[key])).collect();
            cells.insert((table.clone(), key.join(",")), values);
        }
    }
    cells
}

fn shown(value: &Sql) -> String {
    match value {
        Sql::Integer(number) => number.to_string(),
        Sql::Text(text) => text.clone(),
        other => panic!("a key holds {other:?}"),
    }
}

/// The same shop in memory, with the data map of the SQL store.
pub(super) fn repository(shop: &Shop, rows: &[Row], map: &DataMap) -> MemoryRepository {
    let repository = MemoryRepository::new(map.clone());
    for customer in 1..=i64::try_from(shop.customers).unwrap() {
        let own = rows.iter().filter(|row| row.customer == Some(customer)).map(record).collect();
        let tenant = if customer % 2 == 0 { "even" } else { "odd" };
        repository.insert(Customer::new(shop.id(customer).to_string(), tenant), own);
    }
    repository
}

fn record(row: &Row) -> Record {
    let class = row.table.strip_prefix('t').map_or("customer".to_owned(), |n| format!("r{n}"));
    let mut record = Record::new(class.as_str(), row.key.as_str());
    let is_field = |column: &str| column.starts_with('c') || column == "amount";
    for cell in row.cells.iter().filter(|cell| is_field(&cell.column)) {
        let value = match &cell.value {
            Sql::Text(text) => Value::from(text.as_str()),
            Sql::Integer(number) => Value::from(*number),
            _ => Value::Null,
        };
        record = record.with(cell.column.as_str(), value);
    }
    record
}

/// The records as rows. The holder of a record is its owner.
fn dump(shop: &Shop, repository: &MemoryRepository) -> Cells {
    let mut dump = Cells::new();
    let stand_ins = ["even", "odd"].map(|tenant| format!("unknown customer of {tenant}"));
    let ids = (1..=i64::try_from(shop.customers).unwrap()).map(|customer| shop.id(customer).to_string());
    for id in ids.chain(stand_ins) {
        for record in repository.records(&CustomerId::new(id.as_str())) {
            let mut cells: BTreeMap<String, Sql> = record
                .fields
                .iter()
                .map(|(field, value)| {
                    let value = match value {
                        Value::Text(text) => Sql::Text(text.clone()),
                        Value::Integer(number) => Sql::Integer(*number),
                        _ => Sql::Null,
                    };
                    (field.as_str().to_owned(), value)
                })
                .collect();
            let own = id.parse().map_or_else(|_| Sql::Text(id.clone()), Sql::Integer);
            let table = match record.class.as_str().strip_prefix('r') {
                None => {
                    cells.insert("id".to_owned(), own);
                    cells.insert("stand_in".to_owned(), Sql::Integer(id.starts_with("unknown").into()));
                    "customers".to_owned()
                }
                Some(n) => {
                    if shop.tables[n.parse::<usize>().unwrap()].parent.is_none() {
                        cells.insert("owner".to_owned(), own);
                    }
                    format!("t{n}")
                }
            };
            dump.insert((table, record.key.as_str().to_owned()), cells);
        }
    }
    dump
}

/// One kind of call of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Facts,
    Tally,
    Deactivate,
    Erase,
}

/// The moment when something happens: which call, its number among the calls of its kind (from 0), and whether before
/// or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) call: Call,
    pub(super) nth: usize,
    pub(super) after: bool,
}

/// An answer of a store that a test may change.
pub(super) enum Answer<'a> {
    Facts(&'a mut Vec<Customer>),
    Tally(&'a mut Batch<Tally>),
    Erased(&'a mut Batch<Erased>),
}

type Hook = Box<dyn Fn(Moment) -> Result<(), StoreError> + Send + Sync>;
type Falsify = Box<dyn Fn(Answer<'_>) + Send + Sync>;

/// Wraps a store. It runs a hook before and after each call, and may change the answers.
pub(super) struct Between {
    inner: Arc<dyn CustomerStore>,
    calls: [AtomicUsize; 4],
    hook: Hook,
    falsify: Falsify,
}

impl Between {
    pub(super) fn new(
        inner: Arc<dyn CustomerStore>,
        hook: impl Fn(Moment) -> Result<(), StoreError> + Send + Sync + 'static,
    ) -> Self {
        Self { inner, calls: Default::default(), hook: Box::new(hook), falsify: Box::new(|_| {}) }
    }

    pub(super) fn falsify(mut self, falsify: impl Fn(Answer<'_>) + Send + Sync + 'static) -> Self {
        self.falsify = Box::new(falsify);
        self
    }

    async fn around<T: Send>(
        &self,
        call: Call,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let nth = self.calls[call as usize].fetch_add(1, Ordering::SeqCst);
        (self.hook)(Moment { call, nth, after: false })?;
        let answer = work.await;
        (self.hook)(Moment { call, nth, after: true })?;
        answer
    }
}

impl fmt::Debug for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Between").finish_non_exhaustive()
    }
}

#[async_trait]
impl RecordStore for Between {
    fn data_map(&self) -> &DataMap {
        self.inner.data_map()
    }

    fn takes_census(&self) -> Option<&dyn TakeCensus> {
        self.inner.takes_census()
    }

    async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError> {
        let mut answer = self.around(Call::Tally, self.inner.tally(request)).await?;
        (self.falsify)(Answer::Tally(&mut answer));
        Ok(answer)
    }

    async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError> {
        let mut answer = self.around(Call::Erase, self.inner.erase(request)).await?;
        (self.falsify)(Answer::Erased(&mut answer));
        Ok(answer)
    }
}

#[async_trait]
impl CustomerStore for Between {
    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        let mut answer = self.around(Call::Facts, self.inner.facts(customers)).await?;
        (self.falsify)(Answer::Facts(&mut answer));
        Ok(answer)
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        let mut page = self.around(Call::Facts, self.inner.page(request)).await?;
        (self.falsify)(Answer::Facts(&mut page.customers));
        Ok(page)
    }

    async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError> {
        self.inner.identifiers(customers).await
    }

    async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError> {
        self.around(Call::Deactivate, self.inner.deactivate(batch)).await
    }

    async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError> {
        self.inner.reactivate(batch).await
    }
}

/// The target's status, according to the store's facts.
pub(super) async fn status(run: &Run, shop: &Shop) -> Option<Status> {
    let ids = [CustomerId::new(shop.target())];
    run.store.facts(&ids).await.unwrap().first().map(|facts| facts.status)
}

/// Describes each cell that differs between two databases.
pub(super) fn differences(before: &Cells, after: &Cells) -> Vec<String> {
    let places: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let mut list = Vec::new();
    for place in places {
        match (before.get(place), after.get(place)) {
            (Some(was), Some(is)) => {
                let changed = was.iter().filter(|(column, value)| is.get(*column) != Some(value));
                list.extend(changed.map(|(column, value)| {
                    format!("{place:?}.{column} was {value:?} and is {:?}", is.get(column))
                }));
            }
            (Some(_), None) => list.push(format!("{place:?} is gone")),
            (None, _) => list.push(format!("{place:?} is new")),
        }
    }
    list
}

/// Restores one thing that an erasure changed: a personal cell, or a row that its customer no longer has. For a row,
/// the rows between it and its customer are restored too. `None` if there is nothing to restore.
pub(super) fn put_back(
    shop: &Shop,
    rows: &[Row],
    before: &Cells,
    path: &Path,
    choice: u64,
) -> Option<String> {
    let after = cells(path);
    let mut choices = Vec::new();
    for row in rows.iter().filter(|row| row.customer == Some(TARGET)) {
        let Some(is) = after.get(&row.place()) else {
            choices.push((row, None));
            continue;
        };
        let personal = |cell: &&Cell| matches!(cell.rule, Rule::Personal | Rule::Document(_));
        let changed =
            row.cells.iter().filter(personal).filter(|cell| is.get(&cell.column) != Some(&cell.value));
        choices.extend(changed.map(|cell| (row, Some(cell))));
    }
    let at = usize::try_from(choice % u64::try_from(choices.len()).unwrap().max(1)).unwrap();
    let (row, cell) = choices.get(at)?;
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    let place = row.place();
    // Without the rows between them, nobody could see whose row it is. So deleted rows are restored, and rows that
    // now lead to the stand-in get their old link back.
    let cut = |row: &&Row| !after.contains_key(&row.place()) || row.fate() == Action::Reassign;
    for row in shop.above(rows, row).into_iter().filter(cut) {
        put(&connection, &row.table, &before[&row.place()]);
    }
    let Some(cell) = cell.filter(|_| row.fate() == Action::Anonymise) else {
        put(&connection, &row.table, &before[&place]);
        return Some(format!("{place:?}"));
    };
    let mut cells = after[&place].clone();
    cells.insert(cell.column.clone(), cell.value.clone());
    put(&connection, &row.table, &cells);
    Some(format!("{place:?}.{}", cell.column))
}

/// Inserts a row, or replaces it.
fn put(connection: &Connection, table: &str, cells: &BTreeMap<String, Sql>) {
    insert(connection, table, cells.iter().map(|(column, value)| (column.as_str(), value)));
}

/// Restores everything that belonged to the target.
pub(super) fn put_all_back(rows: &[Row], before: &Cells, path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    for row in rows.iter().filter(|row| row.customer == Some(TARGET)) {
        put(&connection, &row.table, &before[&row.place()]);
    }
}
