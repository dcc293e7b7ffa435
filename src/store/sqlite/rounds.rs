//! Running the statements that find rows: in rounds, until nothing new is found, and with one reading of a table for several
//! of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::find::{Fill, Finding, Place};
use super::ownership::{Reads, Set, listed, picked};
use super::statements::quoted;
use super::{Shared, Trouble};
use crate::data_map::ClassName;
use crate::store::sql::Session;

/// What has been found so far, and which tables were read for it.
#[derive(Debug, Default)]
pub(super) struct Readings<'f> {
    grown: Grown,
    /// Everything for which a table may have to be read, with the set that it starts from.
    wanted: Vec<(&'f Reads, Option<Place>)>,
    /// What was picked: from which table, the condition on the rows, and how often the set had grown by then.
    picked: HashSet<(usize, String, u64)>,
    /// The same of statements that have read the table themselves.
    read: HashSet<(usize, String, u64)>,
    /// Tables of which rows were picked.
    filled: BTreeSet<usize>,
}

impl<'f> Readings<'f> {
    fn of(finding: &'f Finding, ends: impl Iterator<Item = (&'f Reads, Option<Place>)>) -> Self {
        let Finding { start, along, touch, duties, sharing, goes, .. } = finding;
        let duties = [&duties.near, &duties.whole, &duties.needs, &duties.needed];
        let sharing = [&sharing.above, &sharing.stay, &sharing.had];
        let fills = [start, along, touch, goes].into_iter().chain(duties).chain(sharing).flatten();
        let wanted = fills.filter_map(Fill::reading).chain(ends).collect();
        Self { wanted, ..Self::default() }
    }

    /// Whether nothing was found from which a statement starts.
    pub(super) fn is_empty(&self, from: Option<Place>) -> bool {
        self.grown.version(from) == 0
    }
}

/// How often each set has grown.
#[derive(Clone, Debug, Default)]
struct Grown {
    of: BTreeMap<Place, u64>,
    seen: HashSet<(usize, usize, u64)>,
}

impl Grown {
    fn version(&self, place: Option<Place>) -> u64 {
        place.map_or(1, |place| self.of.get(&place).copied().unwrap_or(0))
    }
}

impl Shared {
    /// Finds everything that the treatment has to know of the batch, when all of it leaves; `ends` are the statements that
    /// will follow links afterwards.
    pub(super) fn find<'f>(
        &self,
        session: &mut dyn Session,
        finding: &'f Finding,
        ends: impl Iterator<Item = (&'f Reads, Option<Place>)>,
    ) -> Result<Readings<'f>, Trouble> {
        let mut readings = Readings::of(finding, ends);
        empty(session, &finding.used)?;
        self.find_from(session, finding, &mut readings, &finding.sharing.stay)?;
        Ok(readings)
    }

    /// The same where each customer of the batch leaves alone.
    pub(super) fn find_each<'f>(
        &self,
        session: &mut dyn Session,
        finding: &'f Finding,
        ends: impl Iterator<Item = (&'f Reads, Option<Place>)>,
    ) -> Result<Readings<'f>, Trouble> {
        let mut readings = Readings::of(finding, ends);
        empty(session, &finding.used)?;
        self.find_from(session, finding, &mut readings, &finding.sharing.anybody)?;
        Ok(readings)
    }

    /// The same over what was found before: what triggers have written since is added.
    pub(super) fn find_more(&self, session: &mut dyn Session, finding: &Finding) -> Result<(), Trouble> {
        let mut readings = Readings::of(finding, std::iter::empty());
        readings.grown.of = finding.used.iter().map(|place| (*place, 1)).collect();
        self.find_from(session, finding, &mut readings, &finding.sharing.stay)
    }

    /// What hangs together with rows that are touched already: nobody's, when these expire.
    pub(super) fn find_around<'f>(
        &self,
        session: &mut dyn Session,
        finding: &'f Finding,
        touched: usize,
        ends: impl Iterator<Item = (&'f Reads, Option<Place>)>,
    ) -> Result<Readings<'f>, Trouble> {
        let mut readings = Readings::of(finding, ends);
        readings.grown.of.insert((Set::Touched, touched), 1);
        self.spread(session, 4, &finding.touch, &mut readings)?;
        let duties = &finding.duties;
        for (phase, fills) in
            [&duties.near, &duties.whole, &duties.needs, &duties.needed].into_iter().enumerate()
        {
            self.spread(session, phase, fills, &mut readings)?;
        }
        self.mark(session, finding)?;
        Ok(readings)
    }

    /// Empties the sets and the batch.
    pub(super) fn forget(session: &mut dyn Session, finding: &Finding) -> Result<(), Trouble> {
        session.execute(&format!("DELETE FROM {}", super::statements::BATCH), &[])?;
        empty(session, &finding.used)
    }

    fn mark(&self, session: &mut dyn Session, finding: &Finding) -> Result<(), Trouble> {
        for ((_, number), sql) in &finding.marks {
            self.run(session, sql, *number)?;
        }
        Ok(())
    }

    fn find_from(
        &self,
        session: &mut dyn Session,
        finding: &Finding,
        readings: &mut Readings<'_>,
        stay: &[Fill],
    ) -> Result<(), Trouble> {
        self.spread(session, 0, &finding.start, readings)?;
        if let Some(name_people) = &finding.name_people {
            session.execute(name_people, &[])?;
        }
        self.spread(session, 1, &finding.touch, readings)?;
        self.spread(session, 10, &finding.along, readings)?;
        loop {
            self.spread(session, 1, &finding.touch, readings)?;
            let (duties, sharing) = (&finding.duties, &finding.sharing);
            self.spread(session, 2, &sharing.above, readings)?;
            self.spread(session, 3, &duties.near, readings)?;
            self.spread(session, 4, &duties.whole, readings)?;
            self.spread(session, 5, &duties.needs, readings)?;
            self.spread(session, 6, &duties.needed, readings)?;
            let had: BTreeSet<Place> =
                sharing.stay.iter().chain(&sharing.had).map(|fill| fill.into).collect();
            empty(session, &had)?;
            let before = readings.grown.clone();
            readings.grown.seen.clear();
            self.spread(session, 7, stay, readings)?;
            self.spread(session, 8, &sharing.had, readings)?;
            // Which rows go may have changed, whatever has grown.
            readings.grown = Grown { of: before.of.clone(), seen: HashSet::new() };
            self.spread(session, 9, &finding.goes, readings)?;
            let is_settled = readings.grown.of == before.of;
            readings.grown.seen = before.seen;
            if is_settled {
                break;
            }
        }
        self.mark(session, finding)
    }

    /// Only what the customers of the batch have, and what of it somebody else has too.
    pub(super) fn unclear(
        &self,
        session: &mut dyn Session,
        finding: &Finding,
    ) -> Result<Vec<(usize, ClassName, String, u64)>, Trouble> {
        let unclear = &finding.unclear;
        if unclear.found.is_empty() {
            return Ok(Vec::new());
        }
        empty(session, &unclear.used)?;
        let wanted = unclear.near.iter().filter_map(Fill::reading).collect();
        let mut readings = Readings { wanted, ..Readings::default() };
        let root: BTreeSet<Place> = finding.start.first().map(|fill| fill.into).into_iter().collect();
        empty(session, &root)?;
        let start: Vec<Fill> = finding.start.first().cloned().into_iter().collect();
        self.spread(session, 0, &start, &mut readings)?;
        self.spread(session, 1, &unclear.near, &mut readings)?;
        let mut list = Vec::new();
        for (class, link, _, sql) in &unclear.found {
            let at = Trouble::at(class);
            let found = session.rows(sql, &[], |row| Ok((row.natural(0)?, row.natural(1)?))).map_err(&at)?;
            list.extend(found.into_iter().map(|(n, rows)| (n, class.clone(), link.clone(), rows)));
        }
        Ok(list)
    }

    /// Runs statements until nothing is added any more. One whose source has not grown since is passed over.
    fn spread(
        &self,
        session: &mut dyn Session,
        phase: usize,
        fills: &[Fill],
        readings: &mut Readings<'_>,
    ) -> Result<(), Trouble> {
        loop {
            let mut is_new = false;
            for (n, fill) in fills.iter().enumerate() {
                let version = readings.grown.version(fill.from);
                // Nothing comes of nothing.
                if version == 0 || !readings.grown.seen.insert((phase, n, version)) {
                    continue;
                }
                let is_picked = self.pick(session, fill.reads.as_ref(), fill.from, readings)?;
                let sql =
                    fill.reads.as_ref().filter(|_| is_picked).map_or(&fill.sql, |reads| &reads.of_picked);
                if self.run(session, sql, fill.into.1)? > 0 {
                    let grown = &mut readings.grown.of;
                    *grown.entry(fill.into).or_insert(0) += 1;
                    // A row that was touched before may go now, and what leads to it with it.
                    if let (Set::Along, number) = fill.into {
                        *grown.entry((Set::Touched, number)).or_insert(0) += 1;
                    }
                    is_new = true;
                }
            }
            if !is_new {
                return Ok(());
            }
        }
    }

    /// Picks the rows of a table that a statement needs, and those that other statements will need, in one reading. False
    /// where the statement is to read the table itself: it has an index, or nobody else needs a reading.
    pub(super) fn pick(
        &self,
        session: &mut dyn Session,
        reads: Option<&Reads>,
        from: Option<Place>,
        readings: &mut Readings<'_>,
    ) -> Result<bool, Trouble> {
        let Some(reads) = reads else { return Ok(false) };
        let key = |reads: &Reads, from: Option<Place>| {
            (reads.table, reads.may_be.clone(), readings.grown.version(from))
        };
        let own = key(reads, from);
        if readings.picked.contains(&own) {
            return Ok(true);
        }
        let of_table = readings.wanted.iter().filter(|(other, _)| other.table == reads.table);
        let is_new = |key: &(usize, String, u64)| {
            *key == own || (key.2 > 0 && !readings.picked.contains(key) && !readings.read.contains(key))
        };
        let pending: Vec<(usize, String, u64)> =
            of_table.map(|(other, from)| key(other, *from)).filter(is_new).collect();
        let Some(class) = self.bound.classes.get(reads.table).filter(|_| pending.len() > 1) else {
            readings.read.insert(own);
            return Ok(false);
        };
        let into = picked(reads.table);
        if readings.filled.insert(reads.table) {
            session.execute(&format!("DELETE FROM {into}"), &[])?;
        }
        let conditions: BTreeSet<&str> = pending.iter().map(|(_, may_be, _)| may_be.as_str()).collect();
        let sql = format!(
            "INSERT OR IGNORE INTO {into} SELECT {} FROM main.{} AS x WHERE {}",
            listed("x", &class.handle),
            quoted(&class.table),
            conditions.into_iter().collect::<Vec<_>>().join(" OR "),
        );
        self.run(session, &sql, reads.table)?;
        readings.picked.extend(pending);
        Ok(true)
    }

    fn run(&self, session: &mut dyn Session, sql: &str, class: usize) -> Result<u64, Trouble> {
        session.execute(sql, &[]).map_err(|fault| match self.bound.classes.get(class) {
            Some(class) => Trouble::at(&class.name)(fault),
            None => Trouble::from(fault),
        })
    }
}

fn empty(session: &mut dyn Session, places: &BTreeSet<Place>) -> Result<(), Trouble> {
    for (set, number) in places {
        session.execute(&format!("DELETE FROM {}", set.of(*number)), &[])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    use chrono::DateTime;
    use rusqlite::trace::{TraceEvent, TraceEventCodes};
    use rusqlite::{Connection, StatementStatus};

    use super::*;
    use crate::anonymise::Seed;
    use crate::customer::CustomerId;
    use crate::policy::PolicyDocument;
    use crate::store::sql::{Fault, SqlMap};
    use crate::store::sqlite::SqliteStore;
    use crate::store::{CustomerStore, EraseRequest, Erased, RecordStore, StoreError, Target};

    /// Links are said by the map alone, so that SQLite itself has none to check.
    const SCHEMA: &str = "
        CREATE TABLE addresses (id INTEGER PRIMARY KEY, street TEXT);
        CREATE TABLE customers (
            id INTEGER PRIMARY KEY, address_id INTEGER, name TEXT, state TEXT NOT NULL DEFAULT 'active'
        );
        CREATE TABLE orders (
            id INTEGER PRIMARY KEY, customer_id INTEGER, shipping_id INTEGER, billing_id INTEGER, note TEXT
        );
        CREATE TABLE lines (id INTEGER PRIMARY KEY, order_id INTEGER, text TEXT);
        CREATE TABLE follows (id INTEGER PRIMARY KEY, follower_id INTEGER, followed_id INTEGER, since TEXT);
        CREATE TABLE comments (id INTEGER PRIMARY KEY, customer_id INTEGER, reply_to INTEGER, text TEXT);
        CREATE TABLE invoices (id INTEGER PRIMARY KEY, order_id INTEGER, address_id INTEGER, booked_on TEXT, name TEXT);
        INSERT INTO addresses VALUES (1, 'Home'), (2, 'Shared');
        INSERT INTO customers (id, address_id, name) VALUES (1, 1, 'Maud'), (2, 2, 'Ada');
        INSERT INTO orders VALUES (1, 1, 1, 2, 'Ring twice'), (2, 2, 2, 2, 'Ring once');
        INSERT INTO lines VALUES (1, 1, 'A lamp'), (2, 2, 'A lamp');
        INSERT INTO follows VALUES (1, 1, 2, '2024-05-06'), (2, 2, 1, '2024-05-06');
        INSERT INTO comments VALUES (1, 1, NULL, 'I like the lamp'), (2, 2, 1, 'So do I');
        INSERT INTO invoices VALUES (1, 1, 1, '2026-02-03', 'Maud'), (2, 2, 2, '2026-02-03', 'Ada');";

    const LINKS: [(&str, &str); 11] = [
        ("customers", "address_id"),
        ("orders", "customer_id"),
        ("orders", "shipping_id"),
        ("orders", "billing_id"),
        ("lines", "order_id"),
        ("follows", "follower_id"),
        ("follows", "followed_id"),
        ("comments", "customer_id"),
        ("comments", "reply_to"),
        ("invoices", "order_id"),
        ("invoices", "address_id"),
    ];

    const MAP: &str = r#"
        version = 1
        [customers]
        table = "customers"
        key = "id"
        tenant = { is = "shop" }
        status = { column = "state", active = "active", archived = "archived" }
        deactivate = { state = "archived" }
        ends = { address_id = { to = "address", gone = "clear" } }
        fields = { name = "name" }
        [records.address]
        table = "addresses"
        key = "id"
        shared = ["order.shipping_id", "order.billing_id", "customer.address_id"]
        fields = { street = "address" }
        [records.order]
        table = "orders"
        key = "id"
        owner = { column = "customer_id", to = "customer" }
        ends = { shipping_id = { to = "address", gone = "clear" }, billing_id = { to = "address", gone = "clear" } }
        fields = { note = "free_text" }
        [records.line]
        table = "lines"
        key = "id"
        owner = { column = "order_id", to = "order" }
        fields = { text = "free_text" }
        [records.follow]
        table = "follows"
        key = "id"
        owner = { column = "follower_id", to = "customer" }
        ends = { followed_id = { to = "customer", gone = "goes" } }
        fields = { since = "communication" }
        [records.comment]
        table = "comments"
        key = "id"
        owner = { column = "customer_id", to = "customer" }
        ends = { reply_to = { to = "comment", gone = "clear" } }
        fields = { text = "free_text" }
        [records.invoice]
        table = "invoices"
        key = "id"
        owner = { column = "order_id", to = "order" }
        ends = { address_id = { to = "address", gone = "clear" } }
        fields = { name = "name", booked_on = "not personal" }"#;

    const POLICY: &str = r#"
        version = 1
        sweep = false
        triggers.requested = { treatment = "clear" }
        guards = { active_subscription = { ignore = "none" }, not_archived = { ignore = "it is" } }
        anonymise = { name = "token", address = "remove", communication = "remove", free_text = "clear" }
        [treatments.clear]
        customer = "anonymise"
        address = "delete"
        order = "anonymise"
        line = "delete"
        follow = "delete"
        comment = "delete"
        invoice = "delete"
        [duties.bookkeeping]
        classes = ["invoice"]
        statute = "SE/BFL/7:2"
        from = "booked_on"
        needs = ["invoice.address_id"]"#;

    /// Rows of nobody's that make a table large.
    const LARGE: i32 = 2_000;

    /// Steps through whole tables, by statement. One test alone counts.
    static STEPS: Mutex<BTreeMap<String, i32>> = Mutex::new(BTreeMap::new());

    fn count(event: TraceEvent<'_>) {
        if let TraceEvent::Profile(statement, _) = event {
            // A cached statement goes on counting.
            let status = [StatementStatus::FullscanStep, StatementStatus::AutoIndex];
            let steps = status.into_iter().map(|status| statement.get_status(status)).sum();
            STEPS.lock().unwrap().insert(statement.sql().into_owned(), steps);
        }
    }

    /// How often erasing one customer reads a large table, and in which statements.
    async fn reads(path: &Path, table: &str, with_indexes: bool) -> (i32, String) {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        if with_indexes {
            for (table, column) in LINKS {
                let sql = format!("CREATE INDEX {table}_{column} ON {table} ({column})");
                connection.execute_batch(&sql).unwrap();
            }
        }
        let rows = format!(
            "INSERT INTO {table} (id) SELECT 100 + value FROM (
                 WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < {LARGE}) SELECT value FROM n
             )"
        );
        connection.execute_batch(&rows).unwrap();
        let store = SqliteStore::open(path, &SqlMap::from_toml(MAP).unwrap()).unwrap();
        let policy = PolicyDocument::from_toml(POLICY).unwrap().check(store.data_map()).unwrap();
        let facts = store.facts(&[CustomerId::new("1")]).await.unwrap();
        let targets = facts.into_iter().map(|facts| Target {
            expected: facts.expected(),
            customer: facts.id,
            tenant: facts.tenant,
        });
        let treatment = Arc::clone(&policy.treatments()["clear"]);
        let at = DateTime::parse_from_rfc3339("2026-06-01T10:00:00Z").unwrap().to_utc();
        let request = EraseRequest::new(targets.collect(), treatment, Seed::new([1; 32]), at);
        let traced: Result<(), StoreError> = store
            .call_connection("tracing", |_, connection| {
                connection
                    .trace_v2(TraceEventCodes::SQLITE_TRACE_PROFILE, Some(count))
                    .map_err(|error| Trouble::from(Fault::from(error)))
            })
            .await;
        traced.unwrap();
        STEPS.lock().unwrap().clear();
        let answers = store.erase(&request).await.unwrap();
        assert!(answers.iter().all(|answer| matches!(answer, Ok(Erased::Done(_)))), "{answers:?}");
        // It did what it should: a read saved would be nothing saved otherwise.
        let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM follows WHERE since IS NOT NULL"), 0);
        assert_eq!(count("SELECT count(*) FROM comments WHERE text IS NOT NULL AND reply_to IS NULL"), 1);
        assert_eq!(count("SELECT count(*) FROM addresses WHERE street IS NOT NULL"), 2);
        assert_eq!(count("SELECT count(*) FROM invoices WHERE name IS NOT NULL"), 2);
        let steps = STEPS.lock().unwrap();
        let all: i32 = steps.values().sum();
        let large = steps.iter().filter(|(_, steps)| **steps > LARGE / 2);
        let large: Vec<String> = large.map(|(sql, steps)| format!("{steps} steps: {sql}")).collect();
        (all / LARGE, large.join("\n"))
    }

    #[tokio::test]
    async fn a_table_is_read_once_a_pass_without_indexes_and_never_with_them() {
        // For what customers have; for who else has it, or is kept by a duty with it, and whose link lets go; and where the
        // way to a duty comes by the table twice, for that.
        let most = [
            ("addresses", 0),
            ("customers", 1),
            ("orders", 3),
            ("lines", 1),
            ("follows", 1),
            ("comments", 2),
            ("invoices", 2),
        ];
        for (table, most) in most {
            for with_indexes in [false, true] {
                let folder = tempfile::tempdir().unwrap();
                let (reads, statements) =
                    reads(&folder.path().join("shop.sqlite"), table, with_indexes).await;
                let most = if with_indexes { 0 } else { most };
                assert_eq!(reads, most, "{table}, with indexes: {with_indexes}:\n{statements}");
            }
        }
    }
}
