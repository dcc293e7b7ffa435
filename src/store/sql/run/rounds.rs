//! Runs the statements that find rows, in rounds until nothing new is found. One reading of a table serves several
//! statements.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Frame;
use super::facts::Seen;
use crate::customer::TenantId;
use crate::data_map::{ClassName, Value};
use crate::store::HeldCustomers;
use crate::store::sql::cell::Cell;
use crate::store::sql::fault::Trouble;
use crate::store::sql::session::{Row, Session};
use crate::store::sql::spelling::{json_rows, listed, quoted};
use crate::store::sql::whose::{Fill, Finding, Place, Reads, Set, batch, handle_names, of_class, picked};

/// What was found so far, and which tables were read for it.
#[derive(Debug, Default)]
pub(crate) struct Readings<'f> {
    grown: Grown,
    /// All statements that may need to read a table, each with the set from which it starts.
    wanted: Vec<(&'f Reads, Option<Place>)>,
    /// What was picked: the table, the condition on the rows, and how often the set had grown by then.
    picked: HashSet<(usize, String, u64)>,
    /// The same for statements that read the table themselves.
    read: HashSet<(usize, String, u64)>,
    /// Tables of which rows were picked.
    filled: BTreeSet<usize>,
    /// The number of rows that were added to each set.
    added: BTreeMap<Place, u64>,
    /// By phase and number of a statement that works in rounds: the number of rows that its source had before its last
    /// run.
    before: BTreeMap<(usize, usize), u64>,
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

    /// Whether the set from which a statement starts is empty.
    pub(crate) fn is_empty(&self, from: Option<Place>) -> bool {
        self.grown.version(from) == 0
    }
}

/// The number of times that each set has grown.
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

/// The number of a customer, and rows of a class, reached over a link or shared, whose owner is held.
type Held = (usize, ClassName, Option<String>, u64);

impl Frame {
    /// Finds everything that the treatment needs to know about the batch, if all its customers are erased. `ends` are
    /// the statements that follow links afterwards.
    pub(crate) fn find<'f>(
        &self,
        session: &mut dyn Session,
        finding: &'f Finding,
        ends: impl Iterator<Item = (&'f Reads, Option<Place>)>,
    ) -> Result<Readings<'f>, Trouble> {
        let mut readings = Readings::of(finding, ends);
        self.empty(session, &finding.used)?;
        self.find_from(session, finding, &mut readings, &finding.sharing.stay)?;
        Ok(readings)
    }

    /// Finds the same, if each customer of the batch is erased alone.
    pub(crate) fn find_each<'f>(
        &self,
        session: &mut dyn Session,
        finding: &'f Finding,
        ends: impl Iterator<Item = (&'f Reads, Option<Place>)>,
    ) -> Result<Readings<'f>, Trouble> {
        let mut readings = Readings::of(finding, ends);
        self.empty(session, &finding.used)?;
        self.find_from(session, finding, &mut readings, &finding.sharing.anybody)?;
        Ok(readings)
    }

    /// Finds more, in addition to what was found before: what triggers have written since.
    pub(crate) fn find_more(&self, session: &mut dyn Session, finding: &Finding) -> Result<(), Trouble> {
        let mut readings = Readings::of(finding, std::iter::empty());
        readings.grown.of = finding.used.iter().map(|place| (*place, 1)).collect();
        self.find_from(session, finding, &mut readings, &finding.sharing.stay)
    }

    /// Finds what hangs together with rows that are selected already: ownerless rows, when they expire.
    pub(crate) fn find_around<'f>(
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
    pub(crate) fn forget(&self, session: &mut dyn Session, finding: &Finding) -> Result<(), Trouble> {
        session.execute(&format!("DELETE FROM {}", batch(&self.bound)), &[])?;
        self.empty(session, &finding.used)
    }

    fn mark(&self, session: &mut dyn Session, finding: &Finding) -> Result<(), Trouble> {
        for ((_, number), sql) in &finding.marks {
            self.run(session, sql, &[], *number)?;
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
            self.empty(session, &had)?;
            readings.added.retain(|place, _| !had.contains(place));
            readings.before.retain(|(phase, _), _| !matches!(phase, 7 | 8));
            let before = readings.grown.clone();
            readings.grown.seen.clear();
            self.spread(session, 7, stay, readings)?;
            self.spread(session, 8, &sharing.had, readings)?;
            // The rows to delete may have changed, even if no set has grown.
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

    /// Finds only the records of the batch's customers, and their other owners.
    pub(crate) fn unclear(
        &self,
        session: &mut dyn Session,
        finding: &Finding,
    ) -> Result<Vec<(usize, ClassName, String, u64)>, Trouble> {
        let unclear = &finding.unclear;
        if unclear.found.is_empty() {
            return Ok(Vec::new());
        }
        self.empty(session, &unclear.used)?;
        let wanted = unclear.near.iter().filter_map(Fill::reading).collect();
        let mut readings = Readings { wanted, ..Readings::default() };
        let root: BTreeSet<Place> = finding.start.first().map(|fill| fill.into).into_iter().collect();
        self.empty(session, &root)?;
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

    /// The number of rows of other tenants' customers that the treatment would reach, by customer of the batch, class
    /// and link. Call this after all sets are filled. `tenants` are the customers' own tenants, by number.
    pub(super) fn abroad(
        &self,
        session: &mut dyn Session,
        finding: &Finding,
        tenants: &[BTreeSet<TenantId>],
    ) -> Result<Vec<(usize, ClassName, String, u64)>, Trouble> {
        if finding.abroad.found.is_empty() {
            return Ok(Vec::new());
        }
        self.find_abroad(session, finding)?;
        let own = (0..).zip(tenants).flat_map(|(n, tenants)| {
            tenants.iter().map(move |tenant| vec![Value::Integer(n), Value::from(tenant.as_str())])
        });
        let own = [json_rows(own)];
        let mut list = Vec::new();
        for (class, link, sql) in &finding.abroad.found {
            let read = |row: &dyn Row| Ok((row.natural(0)?, row.natural(1)?));
            let found = session.rows(sql, &own, read).map_err(Trouble::at(class))?;
            list.extend(found.into_iter().map(|(n, rows)| (n, class.clone(), link.clone(), rows)));
        }
        Ok(list)
    }

    /// Fills the sets of rows of others that the treatment would change, up to their owners.
    fn find_abroad(&self, session: &mut dyn Session, finding: &Finding) -> Result<(), Trouble> {
        self.empty(session, &finding.abroad.used)?;
        let mut readings = Readings::default();
        readings.grown.of = finding.used.iter().map(|place| (*place, 1)).collect();
        self.spread(session, 0, &finding.abroad.fills, &mut readings)
    }

    /// The number of rows that the treatment would change and whose owner is held, by customer of the batch, class and
    /// link. Call this after all sets are filled.
    pub(super) fn held_by_others(
        &self,
        session: &mut dyn Session,
        finding: &Finding,
        held: &HeldCustomers,
    ) -> Result<Vec<Held>, Trouble> {
        let abroad = &finding.abroad;
        let may_be_held = self.customers().holds.is_some() || !held.is_empty();
        let root = self.bound.classes.iter().position(|class| class.is_root);
        let Some((at, root)) = root.and_then(|at| Some((at, self.bound.classes.get(at)?))) else {
            return Ok(Vec::new());
        };
        if !may_be_held || abroad.reached.is_empty() {
            return Ok(Vec::new());
        }
        self.find_abroad(session, finding)?;
        let table = quoted(&root.table);
        let (parts, same): (Vec<String>, Vec<String>) = root
            .handle
            .iter()
            .enumerate()
            .map(|(part, column)| {
                let named = format!("h{part} AS relinquish_{part}");
                (named, format!("{table}.{} = relinquish_b.relinquish_{part}", quoted(column)))
            })
            .unzip();
        // These names cannot clash with names in the host's scalar SQL.
        let sql = format!(
            "SELECT relinquish_b.relinquish_n, relinquish_b.relinquish_seed, {} FROM \
             (SELECT n AS relinquish_n, seed AS relinquish_seed, {} FROM {}) AS relinquish_b{} WHERE TRUE{}",
            self.facts.columns(),
            parts.join(", "),
            Set::Abroad.of(&self.bound, at),
            self.bound.dialect.then(&self.bound.table(&root.table), &table, &same.join(" AND ")),
            of_class(&self.bound, &table, &root.rows),
        );
        let mut rows = BTreeMap::<(usize, usize), BTreeSet<String>>::new();
        let mut known = Seen::default();
        session.query(&sql, &[], &mut |row| {
            let n: usize = row.natural(0)?;
            let Cell::Text(seed) = row.cell(1)? else { return Ok(()) };
            let seed = String::from_utf8_lossy(seed).into_owned();
            let number = seed.split(':').next().and_then(|number| number.parse::<usize>().ok());
            let reached = number.and_then(|number| Some((number, abroad.reached.get(number)?)));
            let Some((number, (class, _))) = reached else { return Ok(()) };
            let owner = self.facts.read(row, 2, &mut known)?;
            let is_held = !owner.holds.is_empty() || owner.unreadable.contains("holds");
            let keeps = |classes: &BTreeSet<ClassName>| classes.is_empty() || classes.contains(class);
            if is_held || held.get(&owner.id).is_some_and(keeps) {
                rows.entry((n, number)).or_default().insert(seed);
            }
            Ok(())
        })?;
        let found = rows.into_iter().filter_map(|((n, number), seeds)| {
            let (class, link) = abroad.reached.get(number)?.clone();
            Some((n, class, link, u64::try_from(seeds.len()).unwrap_or(u64::MAX)))
        });
        Ok(found.collect())
    }

    /// Runs statements until nothing is added any more. A statement whose source has not grown since is skipped.
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
                // An empty source adds nothing.
                if version == 0 || !readings.grown.seen.insert((phase, n, version)) {
                    continue;
                }
                let is_picked = self.pick(session, fill.reads.as_ref(), fill.from, readings)?;
                let sql =
                    fill.reads.as_ref().filter(|_| is_picked).map_or(&fill.sql, |reads| &reads.of_picked);
                let source = fill.from.filter(|_| fill.is_by_rounds);
                let parameters = source.map(|source| {
                    let there = readings.added.get(&source).copied().unwrap_or(0);
                    let before = readings.before.insert((phase, n), there).unwrap_or(0);
                    Value::Integer(i64::try_from(before).unwrap_or(i64::MAX))
                });
                let added = self.run(session, sql, parameters.as_slice(), fill.into.1)?;
                if added > 0 {
                    *readings.added.entry(fill.into).or_default() += added;
                    let grown = &mut readings.grown.of;
                    *grown.entry(fill.into).or_insert(0) += 1;
                    // A row that was selected before may be deleted now, and so may the rows that reference it.
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

    /// Picks the rows of a table that a statement needs, together with the rows that other statements will need, in
    /// one reading. Returns `false` if the statement should read the table itself: it has an index, or no other
    /// statement needs the reading.
    pub(crate) fn pick(
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
        let into = picked(&self.bound, reads.table);
        if readings.filled.insert(reads.table) {
            session.execute(&format!("DELETE FROM {into}"), &[])?;
        }
        let conditions: BTreeSet<&str> = pending.iter().map(|(_, may_be, _)| may_be.as_str()).collect();
        let select = format!(
            "SELECT {} FROM {} AS x WHERE {}",
            listed("x", &class.handle),
            self.bound.table(&class.table),
            conditions.into_iter().collect::<Vec<_>>().join(" OR "),
        );
        let sql = self.bound.dialect.add(&into, &handle_names(class), &select);
        self.run(session, &sql, &[], reads.table)?;
        readings.picked.extend(pending);
        Ok(true)
    }

    fn run(
        &self,
        session: &mut dyn Session,
        sql: &str,
        parameters: &[Value],
        class: usize,
    ) -> Result<u64, Trouble> {
        session.execute(sql, parameters).map_err(|fault| match self.bound.classes.get(class) {
            Some(class) => Trouble::at(&class.name)(fault),
            None => Trouble::from(fault),
        })
    }

    pub(super) fn empty(&self, session: &mut dyn Session, places: &BTreeSet<Place>) -> Result<(), Trouble> {
        for (set, number) in places {
            session.execute(&format!("DELETE FROM {}", set.of(&self.bound, *number)), &[])?;
        }
        Ok(())
    }
}
