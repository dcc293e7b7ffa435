//! A store over an SQLite database that a host has already: set by set, one transaction a batch.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::NaiveDate;
use rusqlite::Connection;

use super::by_record::fits;
use super::sql::{
    A_TRIGGER, Bound, CustomersMap, Fault, Note, Purpose, Row, Session, SqlMap, Trouble, bind, keys,
    refused_by, unprepared,
};
use super::{
    Batch, ClassTally, CustomerStore, Deactivated, Deactivation, EraseRequest, Erased, Kept, Page,
    PageRequest, Reactivated, Reactivation, RecordStore, Scrub, StoreError, TakeCensus, Tally, TallyRequest,
};
use crate::anonymise::Seed;
use crate::anonymise::json::Pointer;
use crate::customer::{Customer, CustomerId, Identifiers};
use crate::data_map::{ClassName, DataMap, Datatype, FieldName, Kind, Value};
use crate::digest::Digest;
use crate::document::Problems;
use crate::policy::Treatment;
use crate::sqlite::{self, Worker};

use erase::Work;
use facts::Facts;
use find::{Finder, Finding};
use reading::Unreadable;
use rounds::Readings;
use session::SqliteSession;
use statements::{BATCH, ClassScript, Script, Statement, quoted};
use touched::Touched;
use working::{Bench, Working};

mod census;
mod checks;
mod connection;
mod drift;
mod erase;
mod facts;
mod find;
mod functions;
mod groups;
mod introspect;
mod json_fields;
mod mentions;
mod ownerless;
mod ownership;
mod paging;
mod reading;
mod rounds;
mod scrub;
mod session;
mod statements;
mod status;
mod touched;
mod unclaimed;
mod working;

/// How many treatments are kept as statements.
const SCRIPTS: usize = 256;

/// Customers in an SQLite database, described by a [`SqlMap`].
///
/// The database is worked on by one connection on a thread of its own: one that the store [opens](Self::open), with a busy
/// time-out of five seconds, or one that the host has opened and [hands over](Self::over). Foreign keys and `secure_delete` are
/// on. A batch of customers is one transaction, and the number of its statements depends on the record classes, not on the rows.
#[derive(Debug)]
pub struct SqliteStore {
    worker: Worker,
    shared: Arc<Shared>,
}

/// What the connection's thread needs.
#[derive(Debug)]
struct Shared {
    bound: Bound,
    facts: Facts,
    bench: Bench,
    scripts: Mutex<BTreeMap<Digest, Arc<Script>>>,
    /// What customers have, whatever is done to it.
    held: Finding,
    /// The schema that the map was held against.
    watch: drift::Watch,
    /// Tables in which rows may be of no class.
    unclaimed: Vec<unclaimed::Unclaimed>,
}

impl SqliteStore {
    /// Opens a database and holds the map against its live schema.
    ///
    /// # Errors
    /// [`StoreError::Map`] with everything that does not fit, at once: tables and columns that do not exist,
    /// columns that nobody classified, tables that a foreign key ties to a customer and nobody mapped or
    /// ignored. Otherwise that the file is missing, locked, read-only or no database.
    pub fn open(path: impl AsRef<Path>, map: &SqlMap) -> Result<Self, StoreError> {
        let doing = "opening the database";
        let connection = sqlite::open(path.as_ref(), false).map_err(|fault| fault.into_error(doing))?;
        Self::on(connection, map, doing)
    }

    /// Works over a connection that the host has opened: in memory, encrypted, over a VFS of its own, with pragmas, functions
    /// and collations that the database needs. The connection is the store's from now on, and moves to the store's own thread.
    ///
    /// ```
    /// use relinquish::{SqlMap, SqliteStore};
    /// use rusqlite::Connection;
    /// use rusqlite::functions::FunctionFlags;
    ///
    /// let connection = Connection::open_in_memory()?;
    /// // The key of an encrypted file would be said here, before anything else.
    /// connection.create_scalar_function("is_code", 1, FunctionFlags::SQLITE_UTF8, |context| {
    ///     Ok(context.get::<Option<String>>(0)?.is_none_or(|code| code.len() == 4))
    /// })?;
    /// connection.execute_batch(
    ///     "CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT, code TEXT CHECK (is_code(code)));",
    /// )?;
    /// let map = SqlMap::from_toml(
    ///     r#"
    ///     version = 1
    ///     [customers]
    ///     table = "clients"
    ///     key = "id"
    ///     tenant = { is = "shop" }
    ///     deactivate = { none = "clients have no state" }
    ///     fields = { email = "email", code = "customer_number" }
    ///     "#,
    /// )?;
    /// let store = SqliteStore::over(connection, &map)?;
    /// # drop(store);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// | of the connection | |
    /// |---|---|
    /// | `foreign_keys`, `secure_delete` of the main database | are turned on: an erasure relies on both |
    /// | `temp_store` | becomes `MEMORY`, so that no key of a customer comes into a file beside the database |
    /// | an open transaction | is refused: no erasure is a part of a transaction of the host's |
    /// | a read-only database, `query_only` | is refused |
    /// | `journal_mode = OFF`, triggers turned off | is refused: nothing could be undone, a full-text index would keep what is erased |
    /// | tables, views and triggers in `temp` | are refused: they stand before the database's own, and would run with each erasure |
    /// | functions whose names begin with `relinquish_` | are refused |
    /// | time-out, busy handler | stay. Where the host set neither, another one who writes is an error at once: [`StoreError::Busy`] |
    /// | functions, collations, hooks, authorizer, tracer | stay, and see the store's statements; a tracer that expands them sees keys |
    /// | attached databases | stay. Scalar SQL of the map can read them; nothing in them is looked at or erased, and erasing takes their write locks too |
    /// | everything else, such as the journal's mode and `synchronous` | stays |
    ///
    /// # Errors
    /// [`StoreError::Connection`] with what keeps the connection from being used, [`StoreError::ReadOnly`], and what
    /// [`open`](Self::open) gives.
    pub fn over(connection: Connection, map: &SqlMap) -> Result<Self, StoreError> {
        Self::on(connection, map, "taking over the connection")
    }

    fn on(connection: Connection, map: &SqlMap, doing: &'static str) -> Result<Self, StoreError> {
        connection::take_over(&connection, doing)?;
        let failed = |fault: Fault| fault.into_error(doing);
        let session: &mut dyn Session = &mut SqliteSession { connection: &connection };
        // Read before the schema: the first transaction finds a change in between.
        let version = session.schema_version().map_err(failed)?;
        let schema = session.schema().map_err(failed)?;
        let bound = bind(map, &schema);
        // Scalar SQL is looked at even where the map does not fit: everything is said at once.
        let facts = match schema.table(&map.customers.table) {
            Some(_) => Facts::new(session, &map.customers),
            None => Err(Problems::default()),
        };
        let (bound, facts) = match (bound, facts) {
            (Ok(bound), Ok(facts)) => (bound, facts),
            (bound, facts) => {
                let all = bound.err().into_iter().chain(facts.err());
                return Err(all.fold(Problems::default(), Problems::and).into());
            }
        };
        let failed_sql = |error: rusqlite::Error| failed(error.into());
        connection.execute_batch(&ownership::create_batch(&bound)).map_err(failed_sql)?;
        connection.execute_batch(&ownership::create_sets(&bound)).map_err(failed_sql)?;
        connection.execute_batch(&groups::create_rare()).map_err(failed_sql)?;
        let bench = Bench::default();
        functions::register(&connection, &bench).map_err(failed_sql)?;
        functions::register_census(&connection, &bound).map_err(failed_sql)?;
        connection.set_prepared_statement_cache_capacity(1_024);
        let held = {
            let without_set = touched::need_no_set(&bound);
            Finder::new(&bound, None, without_set, BTreeMap::new(), BTreeMap::new(), None).held()
        };
        let watch = drift::Watch::new(map, &bound, &schema, version);
        let unclaimed = unclaimed::tables(&bound, map);
        let shared =
            Arc::new(Shared { unclaimed, bound, facts, bench, scripts: Mutex::default(), held, watch });
        Ok(Self { worker: Worker::spawn(connection).map_err(failed)?, shared })
    }

    /// What a person should know of the map although it fits: columns that `rest` covers, links without an index, links to
    /// tables that nobody mapped, and owners that are further away than another customer. As it was when the store was opened.
    pub fn notes(&self) -> &[Note] {
        &self.shared.bound.notes
    }

    /// Does a piece of work over the database, on the connection's thread.
    async fn call<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Shared, &mut dyn Session) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.call_connection(doing, |shared, connection| work(shared, &mut SqliteSession { connection }))
            .await
    }

    /// The same of what only SQLite has.
    async fn call_connection<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Shared, &mut Connection) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        let worked: Result<T, Trouble> = self.worker.call(move |connection| work(&shared, connection)).await;
        worked
            .map_err(|trouble| trouble.into_error(doing, self.shared.bound.data_map.root()))
            .map_err(|error| named(&self.shared.bound, error))
    }

    /// Answers of which each error says which triggers may have refused a statement.
    fn naming_in<T>(&self, answers: Batch<T>) -> Batch<T> {
        answers.into_iter().map(|answer| answer.map_err(|error| named(&self.shared.bound, error))).collect()
    }
}

/// An error that says which triggers may have refused a statement.
fn named(bound: &Bound, error: StoreError) -> StoreError {
    match error {
        StoreError::Constraint { doing, class, constraint } if constraint == A_TRIGGER => {
            let constraint = refused_by(bound, &class);
            StoreError::Constraint { doing, class, constraint }
        }
        other => other,
    }
}

impl Shared {
    /// A statement of a class that the database does not take, with the trigger that is the cause if one is.
    fn refused_at(&self, class: &ClassName) -> impl Fn(Fault) -> Trouble {
        move |fault| {
            let fault = match fault {
                Fault::Other(message) => Fault::Other(unprepared(&self.bound, message)),
                other => other,
            };
            Trouble { class: Some(class.clone()), fault }
        }
    }

    fn customers(&self) -> &CustomersMap {
        &self.bound.customers
    }

    fn script(&self, treatment: &Treatment) -> Arc<Script> {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        // One a day for each tenant with a duty: yesterday's are not asked for again.
        if scripts.len() >= SCRIPTS {
            scripts.clear();
        }
        let script = scripts
            .entry(treatment.digest())
            .or_insert_with(|| Arc::new(Script::new(&self.bound, treatment)));
        Arc::clone(script)
    }

    /// Puts customers into the batch table, numbered from 0. An id that is not spelled as the key columns spell it belongs
    /// to nobody.
    fn fill<'i>(
        &self,
        session: &mut dyn Session,
        customers: impl Iterator<Item = &'i CustomerId>,
    ) -> Result<(), Trouble> {
        let types = self.key_types();
        let spelled = |value: &Value| match value {
            Value::Blob(bytes) => serde_json::json!(["b", hex::encode(bytes)]),
            Value::Integer(number) => serde_json::json!(["i", number]),
            Value::Real(number) => serde_json::json!(["r", number]),
            Value::Text(text) => serde_json::json!(["t", text]),
            Value::Null => serde_json::json!(["n", null]),
        };
        let ways: Vec<Vec<Vec<Value>>> =
            customers.map(|customer| keys::read(customer.as_str(), &types).unwrap_or_default()).collect();
        session.execute(&format!("DELETE FROM {BATCH}"), &[])?;
        if let Some(keys) = plain_keys(&ways) {
            return fill_plain(session, types.len(), &keys);
        }
        let mut ids = Vec::new();
        for (n, ways) in ways.iter().enumerate() {
            if ways.is_empty() {
                ids.push(serde_json::json!({ "n": n, "way": 0, "key": [] }));
            }
            for (way, parts) in ways.iter().enumerate() {
                let key: Vec<serde_json::Value> = parts.iter().map(spelled).collect();
                ids.push(serde_json::json!({ "n": n, "way": way, "key": key }));
            }
        }
        let ids =
            serde_json::to_string(&ids).map_err(|_| Fault::Other("ids cannot be written".to_owned()))?;
        let parts = 0..types.len();
        let names: Vec<String> = parts.clone().map(|part| format!("k{part}")).collect();
        let values: Vec<String> = parts
            .map(|part| {
                let at = |n: usize| format!("json_extract(value, '$.key[{part}][{n}]')");
                format!(
                    "CASE {} WHEN 'b' THEN relinquish_bytes({}) ELSE {} END AS k{part}",
                    at(0),
                    at(1),
                    at(1)
                )
            })
            .collect();
        let map = self.customers();
        let is_there: Vec<String> =
            map.key.iter().zip(&names).map(|(key, name)| format!("x.{} = way.{name}", quoted(key))).collect();
        // Of several ways to read an id the one counts that is somebody's.
        let sql = format!(
            "INSERT OR REPLACE INTO {BATCH} (n, {names}) SELECT n, {names} FROM (
                 SELECT json_extract(value, '$.n') AS n, json_extract(value, '$.way') AS way, {values} FROM json_each(?1)
             ) AS way ORDER BY n, EXISTS (SELECT 1 FROM main.{table} AS x WHERE way.way > 0 AND {is_there}), way DESC",
            names = names.join(", "),
            values = values.join(", "),
            table = quoted(&map.table),
            is_there = is_there.join(" AND "),
        );
        session.execute(&sql, &[Value::Text(ids)])?;
        Ok(())
    }

    /// The types of the columns of the customers' key.
    fn key_types(&self) -> Vec<Datatype> {
        let root = self.bound.data_map.class(self.bound.data_map.root().as_str());
        let datatype = |column: &String| {
            root.and_then(|root| root.find(column))
                .map_or(Datatype::Any, |field| field.constraints().datatype)
        };
        self.bound.root().map_or_else(Vec::new, |root| root.key.iter().map(datatype).collect())
    }

    /// True of the rows of customers of the batch.
    fn in_batch(&self, which: &str) -> String {
        let map = self.customers();
        let names: Vec<String> = (0..map.key.len()).map(|part| format!("k{part}")).collect();
        let own = self.bound.root().map_or(&[][..], |root| &root.key);
        format!(
            "{} IN (SELECT {} FROM {BATCH}{which})",
            ownership::columns(&quoted(&map.table), own),
            names.join(", ")
        )
    }

    /// Takes customers out of the batch table again.
    fn leave_out(session: &mut dyn Session, numbers: &[usize]) -> Result<(), Trouble> {
        if numbers.is_empty() {
            return Ok(());
        }
        let list = format!("{numbers:?}");
        let sql = format!("DELETE FROM {BATCH} WHERE n IN (SELECT value FROM json_each(?1))");
        session.execute(&sql, &[Value::Text(list)])?;
        Ok(())
    }

    /// The facts of the batch, by number.
    fn batch_facts(&self, session: &mut dyn Session) -> Result<HashMap<usize, Customer>, Trouble> {
        let table = quoted(&self.customers().table);
        let Some(root) = self.bound.root() else { return Ok(HashMap::new()) };
        let same: Vec<String> = root
            .key
            .iter()
            .enumerate()
            .map(|(part, key)| format!("{table}.{} = relinquish_b.relinquish_{part}", quoted(key)))
            .collect();
        let parts: Vec<String> =
            (0..root.key.len()).map(|part| format!("k{part} AS relinquish_{part}")).collect();
        // Names that scalar SQL of the host's cannot mean.
        let sql = format!(
            "SELECT relinquish_b.relinquish_n, {} FROM (SELECT n AS relinquish_n, {} FROM {BATCH}) AS relinquish_b
             CROSS JOIN main.{table} AS {table} ON {}{}",
            self.facts.columns(),
            parts.join(", "),
            same.join(" AND "),
            ownership::of_class(&table, &root.rows),
        );
        let facts = session.rows(&sql, &[], |row| Ok((row.natural(0)?, self.facts.read(row, 1)?)))?;
        Ok(facts.into_iter().collect())
    }

    fn work(&self, script: &Script, seed: Option<Seed>, date: NaiveDate, attempt: u32) {
        working::set(
            &self.bench,
            Some(Working::new(Arc::clone(&script.slots), Arc::clone(&script.duties), seed, date, attempt)),
        );
    }

    /// Rows and rows with something to do, per customer of the batch, for one class.
    fn count(
        session: &mut dyn Session,
        class: &ClassName,
        statement: &Statement,
    ) -> Result<Vec<(usize, ClassTally)>, Trouble> {
        let read =
            |row: &dyn Row| Ok((row.natural(0)?, ClassTally { rows: row.natural(1)?, due: row.natural(2)? }));
        session.rows(&statement.sql, &statement.parameters, read).map_err(Trouble::at(class))
    }

    /// Rows that will be treated, per customer of the batch, for one class.
    fn count_rows(
        session: &mut dyn Session,
        class: &ClassName,
        sql: &str,
    ) -> Result<Vec<(usize, u64)>, Trouble> {
        session.rows(sql, &[], |row| Ok((row.natural(0)?, row.natural(1)?))).map_err(Trouble::at(class))
    }

    /// Rows that a duty keeps, per customer of the batch, for one class.
    fn kept(
        session: &mut dyn Session,
        class: &ClassName,
        statement: &Statement,
        fields: &[FieldName],
    ) -> Result<Vec<(usize, Kept)>, Trouble> {
        let read = |row: &dyn Row| {
            let mut kept = Kept { rows: row.natural(1)?, ..Kept::default() };
            for (n, field) in fields.iter().enumerate() {
                for column in [3 * n + 2, 3 * n + 3] {
                    kept.add(field, row.text(column)?.and_then(|day| day.parse().ok()));
                }
                // By the same field a record may be kept for several tenants.
                if !kept.unreadable.contains_key(field) {
                    kept.add_unreadable(field, row.natural(3 * n + 4)?);
                }
            }
            Ok((row.natural(0)?, kept))
        };
        session.rows(&statement.sql, &statement.parameters, read).map_err(Trouble::at(class))
    }

    /// Mentions that are not certain, per customer of the batch and field, for one class.
    fn uncertain(
        session: &mut dyn Session,
        class: &ClassName,
        statement: &Statement,
        fields: &[FieldName],
        tallies: &mut [Tally],
    ) -> Result<(), Trouble> {
        let mut each = |row: &dyn Row| {
            let Some(tally) = tallies.get_mut(row.natural::<usize>(0)?) else { return Ok(()) };
            for (n, field) in fields.iter().enumerate() {
                let count: u64 = row.natural(n + 1)?;
                if count > 0 {
                    tally.uncertain.entry(class.clone()).or_default().insert(field.clone(), count);
                }
            }
            Ok(())
        };
        session.query(&statement.sql, &statement.parameters, &mut each).map_err(Trouble::at(class))
    }

    fn tally_together(
        &self,
        session: &mut dyn Session,
        customers: &[CustomerId],
        treatment: &Treatment,
        day: NaiveDate,
    ) -> Result<Batch<Tally>, Trouble> {
        let script = self.script(treatment);
        let mut transaction = session.transaction(Purpose::Read)?;
        self.same_schema(&mut *transaction)?;
        // Each plan is of one customer who leaves alone. What goes along with others is worked out for each by itself.
        let most = if script.finding.goes_along() { 1 } else { customers.len().max(1) };
        let mut tallies = Vec::with_capacity(customers.len());
        for part in customers.chunks(most) {
            tallies.extend(self.tally_part(&mut *transaction, part, treatment, &script, day)?);
        }
        transaction.commit()?;
        Ok(tallies)
    }

    /// Together if that works; where a value cannot be read, in halves, so that one customer's broken record says nothing
    /// of the others.
    fn tally(
        &self,
        session: &mut dyn Session,
        customers: &[CustomerId],
        treatment: &Treatment,
        day: NaiveDate,
        answers: &mut Batch<Tally>,
    ) -> Result<(), Trouble> {
        let counted = self.tally_together(session, customers, treatment, day);
        let unread = working::take_unreadable(&self.bench);
        working::set(&self.bench, None);
        let trouble = match counted {
            Ok(tallies) => {
                answers.extend(tallies);
                return Ok(());
            }
            Err(trouble) => trouble,
        };
        match (&trouble.fault, customers) {
            (Fault::Constraint(_) | Fault::Other(_), [_]) => {
                let doing = "counting records";
                answers.push(Err(match unread {
                    Some(Unreadable { what, way_out }) => StoreError::Unreadable { doing, what, way_out },
                    None => trouble.into_error(doing, self.bound.data_map.root()),
                }));
                Ok(())
            }
            (Fault::Constraint(_) | Fault::Other(_), [_, ..]) => {
                let (first, second) = customers.split_at(customers.len() / 2);
                self.tally(session, first, treatment, day, answers)?;
                self.tally(session, second, treatment, day, answers)
            }
            _ => Err(trouble),
        }
    }

    fn tally_part(
        &self,
        session: &mut dyn Session,
        customers: &[CustomerId],
        treatment: &Treatment,
        script: &Script,
        day: NaiveDate,
    ) -> Result<Batch<Tally>, Trouble> {
        self.fill(session, customers.iter())?;
        self.work(script, None, day, 0);
        let mut unclear = self.unclear_customers(session, script)?;
        let out: Vec<usize> = unclear.keys().copied().collect();
        Self::leave_out(session, &out)?;
        let find = |session: &mut dyn Session| {
            if script.finding.goes_along() {
                self.find(session, &script.finding, script.counts())
            } else {
                self.find_each(session, &script.finding, script.counts())
            }
        };
        let mut readings = find(session)?;
        let unclaimed = self.unclaimed(session, treatment)?;
        if !unclaimed.is_empty() {
            let out: Vec<usize> = unclaimed.keys().copied().collect();
            Self::leave_out(session, &out)?;
            unclear.extend(unclaimed);
            readings = find(session)?;
        }
        working::stop_at_unreadable(&self.bench);
        self.look_for(session, customers.len(), treatment, script)?;
        Self::find_rare(session, script)?;
        let tallies = self.count_by(session, &script.classes, customers.len(), &mut readings)?;
        let each = tallies.into_iter().enumerate();
        Ok(each.map(|(n, tally)| unclear.remove(&n).map_or(Ok(tally), Err)).collect())
    }

    /// The customers of the batch of whom not everything can be told, each with the first reason.
    fn unclear_customers(
        &self,
        session: &mut dyn Session,
        script: &Script,
    ) -> Result<HashMap<usize, StoreError>, Trouble> {
        let mut customers = HashMap::new();
        for (n, class, link, rows) in self.unclear(session, &script.finding)? {
            customers.entry(n).or_insert_with(|| StoreError::Unclear { class, link, rows });
        }
        Ok(customers)
    }

    /// What a treatment's statements count, for so many.
    fn count_by(
        &self,
        session: &mut dyn Session,
        classes: &[ClassScript],
        customers: usize,
        readings: &mut Readings<'_>,
    ) -> Result<Vec<Tally>, Trouble> {
        let mut nothing = Tally::default();
        nothing.classes.extend(classes.iter().map(|class| (class.class.clone(), ClassTally::default())));
        let mut tallies = vec![nothing; customers];
        for class in classes {
            for (n, counted) in Self::count(session, &class.class, &class.tally)? {
                let tally = tallies.get_mut(n).and_then(|tally| tally.classes.get_mut(&class.class));
                if let Some(tally) = tally {
                    *tally = counted;
                }
            }
            let theirs = self.count_theirs(session, class, readings)?;
            let mentioned = match &class.mentioned {
                Some(mentioned) => Self::count(session, &class.class, mentioned)?,
                None => Vec::new(),
            };
            for (n, counted) in theirs.into_iter().chain(mentioned) {
                let tally = tallies.get_mut(n).and_then(|tally| tally.classes.get_mut(&class.class));
                if let Some(tally) = tally {
                    tally.rows += counted.rows;
                    tally.due += counted.due;
                }
            }
            if let Some(others) = &class.others {
                for (n, others) in Self::count_rows(session, &class.class, others)? {
                    if let Some(tally) = tallies.get_mut(n) {
                        tally.others.insert(class.class.clone(), others);
                    }
                }
            }
            if let Some((statement, fields)) = &class.uncertain {
                Self::uncertain(session, &class.class, statement, fields, &mut tallies)?;
            }
            if let Some(group) = &class.group {
                for (n, rare) in Self::count(session, &class.class, &group.tally)? {
                    if let Some(tally) = tallies.get_mut(n).filter(|_| rare.rows > 0) {
                        tally.rare.insert(class.class.clone(), rare.rows);
                        if rare.due > 0 {
                            tally.alone.insert(class.class.clone(), rare.due);
                        }
                    }
                }
            }
            if let Some(tombstone) = &class.tombstone {
                for (n, counted) in Self::count(session, &class.class, &tombstone.rows)? {
                    if let Some(tally) = tallies.get_mut(n) {
                        tally.tombstones.insert(class.class.clone(), counted.rows);
                    }
                }
            }
            if let Some((statement, fields)) = &class.kept {
                for (n, kept) in Self::kept(session, &class.class, statement, fields)? {
                    if let Some(tally) = tallies.get_mut(n) {
                        tally.kept.insert(class.class.clone(), kept);
                    }
                }
            }
            for (statement, fields) in &class.keepers {
                for (n, keepers) in Self::kept(session, &class.class, statement, fields)? {
                    let kept = tallies.get_mut(n).and_then(|tally| tally.kept.get_mut(&class.class));
                    if let Some(kept) = kept {
                        kept.and(&keepers);
                    }
                }
            }
        }
        Ok(tallies)
    }

    /// Rows in which fields belong to customers of the batch, beyond the rows that these customers have themselves.
    fn count_theirs(
        &self,
        session: &mut dyn Session,
        class: &ClassScript,
        readings: &mut Readings<'_>,
    ) -> Result<Vec<(usize, ClassTally)>, Trouble> {
        let mut all = Vec::new();
        for elsewhere in &class.theirs {
            if readings.is_empty(elsewhere.from) {
                continue;
            }
            let is_picked = self.pick(session, elsewhere.reads.as_ref(), elsewhere.from, readings)?;
            all.extend(Self::count(session, &class.class, &elsewhere.over(is_picked))?);
        }
        Ok(all)
    }

    /// Text values of the fields by which a person is found. One of whom something cannot be read gets an error.
    fn identifiers(
        &self,
        session: &mut dyn Session,
        customers: &[CustomerId],
    ) -> Result<Batch<Identifiers>, Trouble> {
        let mut transaction = session.transaction(Purpose::Read)?;
        self.fill(&mut *transaction, customers.iter())?;
        self.find_each(&mut *transaction, &self.held, std::iter::empty())?;
        let list = self.batch_identifiers(&mut *transaction, customers.len(), |_, _, _| true)?;
        transaction.commit()?;
        let doing = "reading identifiers";
        let answer = |(identifiers, unread): (Identifiers, Unread)| match unread.value.or(unread.document) {
            None => Ok(identifiers),
            Some(what) => Err(StoreError::Unreadable { doing, what, way_out: "mend the record".to_owned() }),
        };
        Ok(list.into_iter().map(answer).collect())
    }

    /// Of everybody in the batch, as far as a value of a class's field counts.
    fn batch_identifiers(
        &self,
        session: &mut dyn Session,
        customers: usize,
        counts: impl Fn(&str, &str, &Value) -> bool,
    ) -> Result<Vec<(Identifiers, Unread)>, Trouble> {
        let mut list = vec![(Identifiers::new(), Unread::default()); customers];
        for (number, class) in self.bound.classes.iter().enumerate() {
            let Some(described) = self.bound.data_map.class(class.name.as_str()) else { continue };
            let fields: Vec<(&Kind, &str, Option<&Pointer>, &str, bool)> = described
                .fields()
                .iter()
                .filter_map(|field| {
                    let json = class.json.get(field.name());
                    let column = json.map_or(field.name().as_str(), |json| &json.column);
                    let is_binary = field.constraints().datatype == Datatype::Blob;
                    Some((
                        field.kind()?,
                        column,
                        json.map(|json| &json.pointer),
                        field.name().as_str(),
                        is_binary,
                    ))
                })
                .filter(|(kind, _, _, field, _)| kind.identifies() && !class.is_of_others(field))
                .collect();
            if fields.is_empty() {
                continue;
            }
            let table = quoted(&class.table);
            let columns: Vec<String> =
                fields.iter().map(|(_, column, ..)| format!("{table}.{}", quoted(column))).collect();
            let sql = Touched::by_link(&self.bound, class, number).held(&columns.join(", "), false);
            session.query(&sql, &[], &mut |row| {
                let Some((identifiers, unread)) = list.get_mut(row.natural::<usize>(0)?) else {
                    return Ok(());
                };
                for (n, (kind, _, pointer, field, is_binary)) in fields.iter().enumerate() {
                    let counts = |value: &Value| counts(class.name.as_str(), field, value);
                    let value = row.cell(n + 1)?;
                    let found = match pointer {
                        Some(pointer) => json_fields::texts(value, pointer),
                        None => reading::identifier(value)
                            .map(|text| text.into_iter().collect())
                            .map_err(|why| why.to_string()),
                    };
                    match found {
                        Ok(texts) => {
                            for text in texts.into_iter().map(Value::Text).filter(&counts) {
                                identifiers.insert((*kind).clone(), text.as_text().unwrap_or_default());
                            }
                        }
                        // A column of bytes holds no text by which anybody is found.
                        Err(_) if *is_binary => {}
                        Err(_) if pointer.is_none() && !counts(&value.to_value()) => {}
                        Err(why) => {
                            let place =
                                if pointer.is_some() { &mut unread.document } else { &mut unread.value };
                            place.get_or_insert_with(|| {
                                format!("{field} of {} cannot be read: {why}", class.name)
                            });
                        }
                    }
                }
                Ok(())
            })?;
        }
        Ok(list)
    }
}

/// What of a customer cannot be read, in words: a value, or a document.
#[derive(Clone, Default)]
struct Unread {
    value: Option<String>,
    document: Option<String>,
}

/// The keys of a batch as JSON says them, NULL for nobody's; where each id is read in one way at most, and as what JSON
/// has.
fn plain_keys(ways: &[Vec<Vec<Value>>]) -> Option<Vec<serde_json::Value>> {
    let plain = |value: &Value| match value {
        Value::Integer(number) => Some(serde_json::json!(number)),
        Value::Text(text) => Some(serde_json::json!(text)),
        Value::Blob(_) | Value::Real(_) | Value::Null => None,
    };
    let key = |ways: &Vec<Vec<Value>>| match ways.as_slice() {
        [] => Some(serde_json::Value::Null),
        [key] => match key.as_slice() {
            [part] => plain(part),
            parts => parts.iter().map(plain).collect::<Option<Vec<_>>>().map(serde_json::Value::Array),
        },
        _ => None,
    };
    ways.iter().map(key).collect()
}

/// Puts such keys into the batch table, each under its place in the list.
fn fill_plain(session: &mut dyn Session, parts: usize, keys: &[serde_json::Value]) -> Result<(), Trouble> {
    let keys = serde_json::to_string(keys).map_err(|_| Fault::Other("ids cannot be written".to_owned()))?;
    let names: Vec<String> = (0..parts).map(|part| format!("k{part}")).collect();
    let values: Vec<String> = if parts == 1 {
        vec!["value".to_owned()]
    } else {
        (0..parts).map(|part| format!("json_extract(value, '$[{part}]')")).collect()
    };
    let sql = format!(
        "INSERT INTO {BATCH} (n, {}) SELECT key, {} FROM json_each(?1)",
        names.join(", "),
        values.join(", ")
    );
    session.execute(&sql, &[Value::Text(keys)])?;
    Ok(())
}

#[async_trait]
impl RecordStore for SqliteStore {
    fn data_map(&self) -> &DataMap {
        &self.shared.bound.data_map
    }

    fn takes_census(&self) -> Option<&dyn TakeCensus> {
        Some(self)
    }

    async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError> {
        fits(&request.treatment, self.data_map())?;
        let request = request.clone();
        self.call("counting records", move |shared, session| {
            let day = request.at.map_or(NaiveDate::MIN, |at| at.date_naive());
            let mut answers = Vec::with_capacity(request.customers.len());
            shared.tally(session, &request.customers, &request.treatment, day, &mut answers)?;
            Ok(answers)
        })
        .await
    }

    async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError> {
        fits(&request.treatment, self.data_map())?;
        let request = request.clone();
        self.call("erasing records", move |shared, session| {
            let work = Work {
                script: shared.script(&request.treatment),
                treatment: request.treatment,
                seed: request.seed,
                at: request.at,
            };
            let mut answers = Vec::with_capacity(request.targets.len());
            match shared.erase(session, &request.targets, &work, &mut answers) {
                // Those answered so far are committed; the others count as not tried.
                Err(trouble) if answers.is_empty() => Err(trouble),
                Ok(()) | Err(_) => Ok(answers),
            }
        })
        .await
        .map(|answers| self.naming_in(answers))
    }
}

#[async_trait]
impl CustomerStore for SqliteStore {
    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        let customers = customers.to_vec();
        self.call("reading customers", move |shared, session| {
            let mut transaction = session.transaction(Purpose::Read)?;
            shared.fill(&mut *transaction, customers.iter())?;
            let facts = shared.batch_facts(&mut *transaction)?;
            transaction.commit()?;
            Ok(facts.into_values().collect())
        })
        .await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        let request = request.clone();
        self.call("reading customers", move |shared, session| shared.page(session, &request)).await
    }

    async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError> {
        let customers = customers.to_vec();
        self.call("reading identifiers", move |shared, session| shared.identifiers(session, &customers)).await
    }

    async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError> {
        let batch = batch.to_vec();
        self.call("deactivating customers", move |shared, session| {
            let mut answers = Vec::with_capacity(batch.len());
            match shared.deactivate(session, &batch, &mut answers) {
                Err(trouble) if answers.is_empty() => Err(trouble),
                Ok(()) | Err(_) => Ok(answers),
            }
        })
        .await
        .map(|answers| self.naming_in(answers))
    }

    async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError> {
        let batch = batch.to_vec();
        self.call("reactivating customers", move |shared, session| shared.reactivate(session, &batch)).await
    }
}

#[async_trait]
impl Scrub for SqliteStore {
    async fn scrub(&self) -> Result<(), StoreError> {
        self.call_connection("scrubbing the database's files", |shared, connection| {
            Ok(scrub::scrub(connection, &shared.bound.indexes)?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use chrono::DateTime;

    use super::*;
    use crate::policy::PolicyDocument;
    use crate::store::Target;

    const SCHEMA: &str = "
        CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT, state TEXT NOT NULL DEFAULT 'active');
        CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers, note TEXT);
        CREATE TABLE lines (id INTEGER PRIMARY KEY, the_order INTEGER REFERENCES orders, text TEXT)";
    const MAP: &str = "
        version = 1
        [customers]
        table = 'customers'
        key = 'id'
        tenant = { is = 'here' }
        status = { column = 'state', active = 'active', archived = 'archived' }
        deactivate = { state = 'archived' }
        fields = { name = 'name', city = 'city' }
        [records.order]
        table = 'orders'
        key = 'id'
        owner = 'customer'
        fields = { note = 'free_text' }
        [records.line]
        table = 'lines'
        key = 'id'
        owner = ['the_order', 'customer']
        fields = { text = 'free_text' }";
    const POLICY: &str = "
        version = 1
        sweep = false
        triggers.requested = { treatment = 'x' }
        guards = { active_subscription = { ignore = 'none' }, not_archived = { ignore = 'it is' } }
        anonymise = { name = 'token', free_text = 'remove' }
        treatments.x.customer = { action = 'anonymise', keep = { city = 'reporting' }, smallest_group.customers = 3, smallest_group.coarser = { city = { prefix = 4 } } }
        treatments.x.order = 'anonymise'
        treatments.x.line = 'delete'";

    static STATEMENTS: AtomicUsize = AtomicUsize::new(0);

    /// Statements that erasing so many customers with so many orders each takes.
    async fn statements(customers: i64, orders: usize) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.sqlite");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        connection.execute_batch("BEGIN").unwrap();
        for id in 1..=customers {
            // Two share a city at most, which is one too few, and all of them its first four letters.
            let sql = "INSERT INTO customers (id, name, city) VALUES (?1, 'Maud', 'City ' || (?1 % 100))";
            connection.execute(sql, [id]).unwrap();
            for _ in 0..orders {
                connection
                    .execute("INSERT INTO orders (customer, note) VALUES (?1, 'for Maud')", [id])
                    .unwrap();
                connection
                    .execute("INSERT INTO lines (the_order, text) VALUES (last_insert_rowid(), 'x')", [])
                    .unwrap();
            }
        }
        connection.execute_batch("COMMIT").unwrap();
        let store = SqliteStore::open(&path, &SqlMap::from_toml(MAP).unwrap()).unwrap();
        let policy = PolicyDocument::from_toml(POLICY).unwrap().check(store.data_map()).unwrap();
        let ids: Vec<_> = (1..=customers).map(|id| CustomerId::new(id.to_string())).collect();
        let facts = store.facts(&ids).await.unwrap();
        let targets: Vec<_> = facts
            .into_iter()
            .map(|facts| Target { expected: facts.expected(), customer: facts.id, tenant: facts.tenant })
            .collect();
        let treatment = Arc::clone(&policy.treatments()["x"]);
        let request = EraseRequest::new(targets, treatment, Seed::new([1; 32]), DateTime::UNIX_EPOCH);
        let traced: Result<(), StoreError> = store
            .call_connection("tracing", |_, connection| {
                let count = |_: rusqlite::trace::TraceEvent<'_>| {
                    STATEMENTS.fetch_add(1, Ordering::SeqCst);
                };
                connection
                    .trace_v2(rusqlite::trace::TraceEventCodes::SQLITE_TRACE_STMT, Some(count))
                    .map_err(|error| Trouble::from(Fault::from(error)))
            })
            .await;
        traced.unwrap();
        STATEMENTS.store(0, Ordering::SeqCst);
        let answers = store.erase(&request).await.unwrap();
        assert!(answers.iter().all(|answer| matches!(answer, Ok(Erased::Done(_)))), "{answers:?}");
        let erased: i64 = connection
            .query_row("SELECT count(*) FROM orders WHERE note IS NOT NULL", [], |row| row.get(0))
            .unwrap();
        assert_eq!(erased, 0);
        let sql = "SELECT count(*) FROM customers WHERE city IS NOT NULL AND city <> 'City'";
        let singled_out: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(singled_out, 0);
        STATEMENTS.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn the_number_of_statements_does_not_depend_on_the_rows() {
        let few = statements(1, 1).await;
        let many = statements(200, 20).await;
        assert!(few > 3, "{few}");
        assert_eq!(few, many);
    }
}
