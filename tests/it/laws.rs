//! The laws of erasure as properties: over generated schemas, customers, values and policies, on real SQLite files, and
//! on the record-by-record store with the same data.
//!
//! A [`Shop`] is generated: customers of two tenants, tables that hang from them directly or through one another,
//! columns of every kind with and without NOT NULL, UNIQUE and a length, and a treatment that is possible. The oracle
//! knows whose each row is because it made them, and works out cell by cell what may change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use relinquish::data_map::{Record, Value};
use relinquish::ledger::{Ledger, MemoryLedger, SqliteLedger};
use relinquish::store::MemoryRepository;
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::{
    ApprovedPlan, Asked, ByRecord, Customer, CustomerId, CustomerStore, Engine, Outcome, PolicyDocument,
    SqlMap, SqliteStore,
};
use rusqlite::Connection;
use rusqlite::types::Value as Sql;

use crate::hosts::{self, approved};

/// What a column holds, and what the database demands of it.
#[derive(Clone, Debug)]
struct Column {
    kind: Option<&'static str>,
    required: bool,
    unique: bool,
    longest: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Delete,
    Anonymise,
    Keep,
    Reassign,
}

#[derive(Clone, Debug)]
struct Table {
    /// The table it hangs from; none: the customers.
    parent: Option<usize>,
    columns: Vec<Column>,
    /// Rows for each row of the parent.
    rows: usize,
    action: Action,
    without_rowid: bool,
}

/// A generated shop.
#[derive(Clone, Debug)]
struct Shop {
    customers: usize,
    columns: Vec<Column>,
    delete_customers: bool,
    tables: Vec<Table>,
    /// Decides what the values are.
    salt: u64,
}

const TARGET: i64 = 1;

fn column() -> impl Strategy<Value = Column> {
    let kind = prop::sample::select(vec![
        Some("name"),
        Some("email"),
        Some("phone"),
        Some("username"),
        Some("password"),
        Some("free_text"),
        None,
    ]);
    let longest = prop::sample::select(vec![None, Some(20), Some(45)]);
    (kind, any::<bool>(), any::<bool>(), longest).prop_map(|(kind, required, unique, longest)| Column {
        kind,
        required,
        unique,
        longest,
    })
}

fn table() -> impl Strategy<Value = Table> {
    let action =
        prop::sample::select(vec![Action::Delete, Action::Anonymise, Action::Keep, Action::Reassign]);
    let parent = prop::option::of(0_usize..4);
    (parent, prop::collection::vec(column(), 0..3), 0_usize..3, action, any::<bool>()).prop_map(
        |(parent, columns, rows, action, without_rowid)| Table {
            parent,
            columns,
            rows,
            action,
            without_rowid,
        },
    )
}

fn shop() -> impl Strategy<Value = Shop> {
    let tables = prop::collection::vec(table(), 1..5);
    (2_usize..5, prop::collection::vec(column(), 1..4), any::<bool>(), tables, any::<u64>()).prop_map(
        |(customers, columns, delete_customers, tables, salt)| {
            let mut shop = Shop { customers, columns, delete_customers, tables, salt };
            shop.make_possible();
            shop
        },
    )
}

impl Shop {
    /// A table hangs from an earlier one, and a delete takes with it what hangs from it.
    fn make_possible(&mut self) {
        for n in 0..self.tables.len() {
            let parent = self.tables[n].parent.filter(|parent| *parent < n);
            let of_parent = parent.map(|parent| self.tables[parent].action);
            let table = &mut self.tables[n];
            table.parent = parent;
            match (of_parent, table.action) {
                (Some(Action::Delete), _) => table.action = Action::Delete,
                (Some(_), Action::Reassign) => table.action = Action::Keep,
                (None, Action::Keep | Action::Anonymise) if self.delete_customers => {
                    table.action = Action::Reassign;
                }
                _ => {}
            }
        }
    }

    fn schema(&self) -> String {
        let mut sql = String::from(
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, state TEXT NOT NULL, \
             stand_in INTEGER NOT NULL DEFAULT 0",
        );
        columns_sql(&mut sql, &self.columns);
        sql.push_str(");\n");
        for (n, table) in self.tables.iter().enumerate() {
            let parent = table.parent.map_or_else(|| "customers".to_owned(), |parent| format!("t{parent}"));
            let _ = write!(
                sql,
                "CREATE TABLE t{n} (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES {parent} (id), amount INTEGER"
            );
            columns_sql(&mut sql, &table.columns);
            sql.push_str(if table.without_rowid { ") WITHOUT ROWID;\n" } else { ");\n" });
        }
        sql
    }

    fn map(&self) -> String {
        let mut toml = String::from(
            "version = 1\n[customers]\ntable = 'customers'\nkey = 'id'\ntenant = 'tenant'\n\
             active_subscriptions = { sql = '0' }\ntenants = { sql = '1' }\n\
             status = { column = 'state', active = 'active', archived = 'archived' }\n\
             deactivate = { state = 'archived' }\n[customers.unknown_customer]\nfind = { stand_in = 1 }\n\
             create = { state = 'active'",
        );
        for (n, column) in self.columns.iter().enumerate().filter(|(_, column)| column.required) {
            let _ = write!(toml, ", c{n} = '{}'", if column.unique { "u{tenant}" } else { "unknown" });
        }
        toml.push_str(" }\n[customers.fields]\nstand_in = 'not personal'\n");
        fields_toml(&mut toml, &self.columns);
        for (n, table) in self.tables.iter().enumerate() {
            let mut way = vec!["'owner'"];
            let mut parent = table.parent;
            while let Some(n) = parent {
                way.push("'owner'");
                parent = self.tables[n].parent;
            }
            let _ = write!(
                toml,
                "[records.r{n}]\ntable = 't{n}'\nkey = 'id'\nowner = [{}]\n[records.r{n}.fields]\namount = 'not personal'\n",
                way.join(", ")
            );
            fields_toml(&mut toml, &table.columns);
        }
        toml
    }

    fn policy(&self) -> String {
        let mut toml = String::from(
            "version = 1\nsweep = true\n[triggers]\nrequested = { treatment = 'x' }\n[guards]\nnot_archived = { ignore = 'x' }\n\
             [anonymise]\nname = 'remove'\nemail = 'remove'\nphone = 'remove'\nusername = 'token'\n\
             password = 'invalidate'\nfree_text = 'remove'\n[treatments.x]\n",
        );
        let _ = writeln!(toml, "customer = '{}'", if self.delete_customers { "delete" } else { "anonymise" });
        for (n, table) in self.tables.iter().enumerate() {
            let action = match table.action {
                Action::Delete => "'delete'",
                Action::Anonymise => "'anonymise'",
                Action::Reassign => "'reassign'",
                Action::Keep => "{ keep = 'the books' }",
            };
            let _ = writeln!(toml, "r{n} = {action}");
        }
        toml
    }

    /// Every row: table, whose it is, and its values. `twist` alters what is erased of the target, and nothing else.
    fn rows(&self, twist: u64) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut made = vec![Vec::new(); self.tables.len()];
        for id in 1..=i64::try_from(self.customers).unwrap() {
            let tenant = if id % 2 == 0 { "even" } else { "odd" };
            let erased = id == TARGET;
            let mut values =
                vec![Sql::Text(tenant.to_owned()), Sql::Text("active".to_owned()), Sql::Integer(0)];
            values.extend(self.values(&self.columns, &format!("customers/{id}"), erased.then_some(twist)));
            rows.push(Row { table: "customers".to_owned(), id, customer: id, values });
        }
        for (n, table) in self.tables.iter().enumerate() {
            let parents: Vec<(i64, i64)> = match table.parent {
                None => (1..=i64::try_from(self.customers).unwrap()).map(|id| (id, id)).collect(),
                Some(parent) => made[parent].clone(),
            };
            for (parent, customer) in parents {
                for _ in 0..table.rows {
                    let id = i64::try_from(made[n].len()).unwrap() + 1;
                    let erased = customer == TARGET && table.action != Action::Keep;
                    let mut values = vec![Sql::Integer(parent), Sql::Integer(id * 7)];
                    values.extend(self.values(
                        &table.columns,
                        &format!("t{n}/{id}"),
                        erased.then_some(twist),
                    ));
                    made[n].push((id, customer));
                    rows.push(Row { table: format!("t{n}"), id, customer, values });
                }
            }
        }
        rows
    }

    /// Values that are all different, within the length of their column. A plain column never twists.
    fn values(&self, columns: &[Column], row: &str, twist: Option<u64>) -> Vec<Sql> {
        let value = |n: usize, column: &Column| {
            let twist = twist.filter(|_| column.kind.is_some()).unwrap_or(0);
            let hash = hash(&format!("{}/{row}/{n}/{twist}", self.salt));
            if !column.required && hash.is_multiple_of(5) && twist == 0 {
                return Sql::Null;
            }
            let short = format!("v{hash:016x}");
            // Another length too, where there is room: it must not show afterwards either.
            Sql::Text(if hash.is_multiple_of(3) { short } else { short[..13].to_owned() })
        };
        columns.iter().enumerate().map(|(n, column)| value(n, column)).collect()
    }

    fn action(&self, table: &str) -> Action {
        match table.strip_prefix('t').and_then(|n| n.parse::<usize>().ok()) {
            Some(n) => self.tables[n].action,
            None if self.delete_customers => Action::Delete,
            None => Action::Anonymise,
        }
    }

    /// Columns before the generated ones: for the customers tenant, state and stand-in; otherwise owner and amount.
    fn columns(&self, table: &str) -> (usize, &[Column]) {
        match table.strip_prefix('t').and_then(|n| n.parse::<usize>().ok()) {
            Some(n) => (2, &self.tables[n].columns),
            None => (3, &self.columns),
        }
    }

    fn create(&self, path: &Path, rows: &[Row]) {
        let mut connection = Connection::open(path).unwrap();
        connection.execute_batch(&self.schema()).unwrap();
        let transaction = connection.transaction().unwrap();
        for row in rows {
            let marks = vec!["?"; row.values.len() + 1].join(", ");
            let values = std::iter::once(Sql::Integer(row.id)).chain(row.values.iter().cloned());
            let sql = format!("INSERT INTO {} VALUES ({marks})", row.table);
            transaction.execute(&sql, rusqlite::params_from_iter(values)).unwrap();
        }
        transaction.commit().unwrap();
    }
}

fn hash(text: &str) -> u64 {
    // FNV-1a: plain, and the same everywhere.
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn columns_sql(sql: &mut String, columns: &[Column]) {
    for (n, column) in columns.iter().enumerate() {
        let declared = column.longest.map_or("TEXT".to_owned(), |longest| format!("VARCHAR({longest})"));
        let required = if column.required { " NOT NULL" } else { "" };
        let unique = if column.unique { " UNIQUE" } else { "" };
        let _ = write!(sql, ", c{n} {declared}{required}{unique}");
    }
}

fn fields_toml(toml: &mut String, columns: &[Column]) {
    for (n, column) in columns.iter().enumerate() {
        let _ = writeln!(toml, "c{n} = '{}'", column.kind.unwrap_or("not personal"));
    }
}

#[derive(Clone, Debug)]
struct Row {
    table: String,
    id: i64,
    customer: i64,
    values: Vec<Sql>,
}

/// A database as it is: every row by table and id.
type Cells = BTreeMap<(String, i64), Vec<Sql>>;

fn cells(path: &Path) -> Cells {
    let connection = Connection::open(path).unwrap();
    let mut names = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut cells = Cells::new();
    for table in tables {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let width = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values = (1..width).map(|n| row.get(n).unwrap()).collect();
            cells.insert((table.clone(), row.get(0).unwrap()), values);
        }
    }
    cells
}

/// A run over one database, and everything that came of it.
struct Run {
    folder: tempfile::TempDir,
    engine: Engine,
    ledger: Arc<SqliteLedger>,
    plan: ApprovedPlan,
}

impl Run {
    fn database(&self) -> PathBuf {
        self.folder.path().join("shop.sqlite")
    }
}

fn engine(store: impl CustomerStore, shop: &Shop, ledger: impl Ledger) -> Engine {
    let policy = PolicyDocument::from_toml(&shop.policy()).unwrap();
    Engine::builder(store, policy, ledger, hosts::keys())
        .clock(ManualClock::at(hosts::now()))
        .entropy(RepeatableEntropy::new(5))
        .build()
        .unwrap_or_else(|problems| panic!("{problems}\n{}\n{}\n{}", shop.schema(), shop.map(), shop.policy()))
}

async fn prepare(shop: &Shop, rows: &[Row]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    shop.create(&path, rows);
    let store = SqliteStore::open(&path, &SqlMap::from_toml(&shop.map()).unwrap())
        .unwrap_or_else(|error| panic!("{error}\n{}", shop.schema()));
    let ledger = Arc::new(SqliteLedger::open(folder.path().join("ledger.sqlite")).unwrap());
    let engine = engine(store, shop, Arc::clone(&ledger));
    let plan = approved(&engine, &CustomerId::new(TARGET.to_string()), &Asked::request()).await;
    Run { folder, engine, ledger, plan }
}

async fn erase(run: &Run) -> Outcome {
    run.engine.erase(run.plan.clone()).await.unwrap()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// The brute-force oracle: goes through every cell and says whether it is as it may be.
fn check_cells(shop: &Shop, rows: &[Row], after: &Cells) {
    let mut expected: BTreeSet<(String, i64)> = BTreeSet::new();
    let stand_in =
        after.iter().find(|((table, _), values)| table == "customers" && values[2] == Sql::Integer(1));
    let stand_in_id = stand_in.map(|((_, id), _)| *id);
    for row in rows {
        let place = (row.table.clone(), row.id);
        let found = after.get(&place);
        let action = if row.customer == TARGET { shop.action(&row.table) } else { Action::Keep };
        let (fixed, columns) = shop.columns(&row.table);
        if action == Action::Delete {
            assert_eq!(found, None, "{place:?} is to be deleted");
            continue;
        }
        let found = found.unwrap_or_else(|| panic!("{place:?} is gone"));
        expected.insert(place.clone());
        for (n, (was, is)) in row.values.iter().zip(found).enumerate() {
            let personal = n >= fixed && columns[n - fixed].kind.is_some();
            let may_change = match action {
                Action::Keep | Action::Delete => false,
                Action::Anonymise | Action::Reassign if personal => {
                    let cleared = *is == Sql::Null;
                    assert!(was != is || cleared, "{place:?} column {n} is as it was: {is:?}");
                    true
                }
                // The status is written by the deactivation, the owner by reassigning.
                Action::Anonymise => row.table == "customers" && n == 1,
                Action::Reassign => {
                    assert!(
                        n != 0 || Some(is) == stand_in_id.map(Sql::Integer).as_ref(),
                        "{place:?} has no new owner"
                    );
                    n == 0
                }
            };
            assert!(may_change || was == is, "{place:?} column {n} was {was:?} and is {is:?}");
        }
    }
    let new: Vec<_> = after.keys().filter(|place| !expected.contains(place)).collect();
    let reassigned = |row: &Row| row.customer == TARGET && shop.action(&row.table) == Action::Reassign;
    let wanted = rows.iter().any(reassigned);
    assert_eq!(new.len(), usize::from(wanted), "only the stand-in may be new: {new:?}");
}

/// Values that are to be erased of the target.
fn erased_values(shop: &Shop, rows: &[Row]) -> Vec<String> {
    let mine = rows.iter().filter(|row| row.customer == TARGET && shop.action(&row.table) != Action::Keep);
    mine.flat_map(|row| {
        let (fixed, columns) = shop.columns(&row.table);
        let deleted = shop.action(&row.table) == Action::Delete;
        row.values[fixed..].iter().zip(columns).filter_map(move |(value, column)| match value {
            Sql::Text(text) if deleted || column.kind.is_some() => Some(text.clone()),
            _ => None,
        })
    })
    .collect()
}

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn only_what_the_plan_names_changes_and_all_of_it_does(shop in shop()) {
        block_on(async {
            let rows = shop.rows(0);
            let run = prepare(&shop, &rows).await;
            let outcome = erase(&run).await;
            prop_assert!(outcome.certificate().is_some(), "{}", outcome);
            let after = cells(&run.database());
            check_cells(&shop, &rows, &after);
            let left = format!("{after:?}");
            for value in erased_values(&shop, &rows) {
                prop_assert!(!left.contains(&value), "{value} is left");
            }
            // Aggregates over what is kept: the sum of amounts of every table whose rows stay.
            for (n, table) in shop.tables.iter().enumerate().filter(|(_, table)| table.action != Action::Delete) {
                let before: i64 = rows
                    .iter()
                    .filter(|row| row.table == format!("t{n}"))
                    .map(|row| if let Sql::Integer(amount) = row.values[1] { amount } else { 0 })
                    .sum();
                let sum = format!("SELECT coalesce(sum(amount), 0) FROM t{n}");
                prop_assert_eq!(hosts::sum(&run.database(), &sum), before, "{:?}", table.action);
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_comes_out_never_depends_on_what_was_erased(shop in shop(), twist in 1_u64..) {
        block_on(async {
            let (one, other) = (shop.rows(0), shop.rows(twist));
            let (one, other) = (prepare(&shop, &one).await, prepare(&shop, &other).await);
            prop_assert_eq!(one.plan.plan().digest(), other.plan.plan().digest());
            prop_assert!(erase(&one).await.certificate().is_some());
            prop_assert!(erase(&other).await.certificate().is_some());
            prop_assert_eq!(cells(&one.database()), cells(&other.database()));
            prop_assert_eq!(
                one.ledger.entries(0, 10).await.unwrap(),
                other.ledger.entries(0, 10).await.unwrap()
            );
            Ok(())
        })?;
    }

    #[test]
    fn twice_is_once(shop in shop()) {
        block_on(async {
            let run = prepare(&shop, &shop.rows(0)).await;
            erase(&run).await;
            let after = cells(&run.database());
            let outcome = erase(&run).await;
            prop_assert!(matches!(outcome, Outcome::Superseded { .. }), "{}", outcome);
            prop_assert_eq!(cells(&run.database()), after);
            Ok(())
        })?;
    }

    #[test]
    fn what_is_refused_or_superseded_touches_nothing(shop in shop()) {
        block_on(async {
            let run = prepare(&shop, &shop.rows(0)).await;
            let before = cells(&run.database());
            // The customer moves to the other tenant after the approval.
            let sql = "UPDATE customers SET tenant = 'even' WHERE id = 1";
            Connection::open(run.database()).unwrap().execute(sql, []).unwrap();
            let mut moved = before.clone();
            moved.get_mut(&("customers".to_owned(), TARGET)).unwrap()[0] = Sql::Text("even".to_owned());
            let outcome = erase(&run).await;
            prop_assert!(matches!(outcome, Outcome::Superseded { .. }), "{}", outcome);
            prop_assert_eq!(cells(&run.database()), moved);
            Ok(())
        })?;
    }

    #[test]
    fn nothing_personal_leaves_the_store(shop in shop()) {
        block_on(async {
            let rows = shop.rows(0);
            let logged = logged();
            logged.0.lock().unwrap().clear();
            let run = prepare(&shop, &rows).await;
            let mut said = format!("{} {:?} {}", run.plan.plan(), run.plan, run.plan.plan().to_json());
            let outcome = erase(&run).await;
            let _ = write!(said, "{outcome} {outcome:?} {}", serde_json::to_string(&outcome).unwrap());
            let _ = write!(said, "{:?} {:?}", run.ledger.entries(0, 10).await.unwrap(), run.engine);
            let mut bytes = said.into_bytes();
            let log = logged.0.lock().unwrap().clone();
            prop_assert!(!log.is_empty(), "something is logged");
            bytes.extend(log);
            for end in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-journal"] {
                bytes.extend(std::fs::read(run.folder.path().join(end)).unwrap_or_default());
            }
            for value in rows.iter().flat_map(|row| &row.values) {
                let Sql::Text(value) = value else { continue };
                if value.starts_with('v') {
                    for spelled in spellings(value) {
                        let found = bytes.windows(spelled.len()).any(|window| window == spelled);
                        prop_assert!(!found, "{value} was said");
                    }
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_record_by_record_store_keeps_the_same_laws(shop in shop(), twist in 1_u64..) {
        block_on(async {
            let one = by_record(&shop, &shop.rows(0)).await;
            let other = by_record(&shop, &shop.rows(twist)).await;
            // Non-interference.
            prop_assert_eq!(&one.after, &other.after);
            prop_assert_eq!(one.digest, other.digest);
            // Nobody else, nothing kept, and all that is to go.
            for row in shop.rows(0) {
                let action = if row.customer == TARGET { shop.action(&row.table) } else { Action::Keep };
                let (was, is) = (one.before.get(&(row.table.clone(), row.id)), one.after.get(&(row.table.clone(), row.id)));
                match action {
                    Action::Keep => prop_assert_eq!(was, is),
                    Action::Delete => prop_assert_eq!(is, None),
                    Action::Anonymise | Action::Reassign => prop_assert!(is.is_some()),
                }
            }
            let left: Vec<String> = one.after.values().flatten().cloned().collect();
            for value in erased_values(&shop, &shop.rows(0)) {
                prop_assert!(!left.contains(&value), "{value} is left");
            }
            Ok(())
        })?;
    }
}

/// The log of this whole process, on every thread: the store works on one of its own.
fn logged() -> &'static Logged {
    static LOGGED: std::sync::OnceLock<Logged> = std::sync::OnceLock::new();
    LOGGED.get_or_init(|| {
        let logged = Logged::default();
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_writer(logged.clone())
            .init();
        logged
    })
}

/// What is logged, kept for reading.
#[derive(Clone, Default)]
struct Logged(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Logged {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A value as it might be spelled when it leaks.
fn spellings(value: &str) -> Vec<Vec<u8>> {
    let bytes = value.as_bytes();
    let hex = hex::encode(bytes);
    let wide: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![bytes.to_vec(), hex.clone().into_bytes(), hex.to_uppercase().into_bytes(), wide]
}

struct ByRecordRun {
    before: BTreeMap<(String, i64), Vec<String>>,
    after: BTreeMap<(String, i64), Vec<String>>,
    digest: relinquish::Digest,
}

/// The same shop in memory, under the data map that the SQL map gave.
async fn by_record(shop: &Shop, rows: &[Row]) -> ByRecordRun {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sqlite");
    shop.create(&path, &[]);
    let map = {
        use relinquish::RecordStore;
        SqliteStore::open(&path, &SqlMap::from_toml(&shop.map()).unwrap()).unwrap().data_map().clone()
    };
    let repository = Arc::new(MemoryRepository::new(map));
    for id in 1..=i64::try_from(shop.customers).unwrap() {
        let tenant = if id % 2 == 0 { "even" } else { "odd" };
        let own: Vec<Record> =
            rows.iter().filter(|row| row.customer == id).map(|row| record(shop, row)).collect();
        repository.insert(Customer::new(id.to_string(), tenant), own);
    }
    let before = dump(shop, &repository);
    let engine = engine(ByRecord::new(Arc::clone(&repository)), shop, MemoryLedger::new());
    let plan = approved(&engine, &CustomerId::new(TARGET.to_string()), &Asked::request()).await;
    let digest = plan.plan().digest();
    let outcome = engine.erase(plan).await.unwrap();
    assert!(outcome.certificate().is_some(), "{outcome}");
    ByRecordRun { before, after: dump(shop, &repository), digest }
}

fn record(shop: &Shop, row: &Row) -> Record {
    let class = row.table.strip_prefix('t').map_or("customer".to_owned(), |n| format!("r{n}"));
    let (fixed, columns) = shop.columns(&row.table);
    let mut record = Record::new(class.as_str(), row.id.to_string());
    for (n, value) in row.values[fixed..].iter().enumerate().take(columns.len()) {
        let value = match value {
            Sql::Text(text) => Value::from(text.as_str()),
            _ => Value::Null,
        };
        record = record.with(format!("c{n}").as_str(), value);
    }
    record
}

fn dump(shop: &Shop, repository: &MemoryRepository) -> BTreeMap<(String, i64), Vec<String>> {
    let mut dump = BTreeMap::new();
    let stand_ins = ["even", "odd"].map(|tenant| format!("unknown customer of {tenant}"));
    let ids = (1..=shop.customers).map(|id| id.to_string()).chain(stand_ins);
    for record in ids.flat_map(|id| repository.records(&CustomerId::new(id))) {
        let Ok(id) = record.key.as_str().parse() else { continue };
        let table =
            record.class.as_str().strip_prefix('r').map_or("customers".to_owned(), |n| format!("t{n}"));
        let values = record.fields.values().map(|value| value.as_text().unwrap_or("").to_owned()).collect();
        dump.insert((table, id), values);
    }
    dump
}
