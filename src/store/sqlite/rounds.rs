//! Running the statements that find rows: in rounds, until nothing new is found, and with one reading of a table for several
//! of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rusqlite::Connection;

use super::find::{Fill, Finding, Place};
use super::ownership::{Reads, Set, listed, picked};
use super::statements::quoted;
use super::{Shared, Trouble};
use crate::data_map::ClassName;

/// What has been found so far, and which tables were read for it.
#[derive(Debug, Default)]
pub(super) struct Readings<'f> {
    grown: Grown,
    /// Everything for which a table may have to be read, with the set that it starts from.
    wanted: Vec<(&'f Reads, Option<Place>)>,
    /// What was picked: the condition on the rows, and how often the set had grown by then.
    picked: HashSet<(String, u64)>,
    /// The same of statements that have read the table themselves.
    read: HashSet<(String, u64)>,
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
    /// will follow links to the rows that go.
    pub(super) fn find<'f>(
        &self,
        connection: &Connection,
        finding: &'f Finding,
        ends: impl Iterator<Item = (&'f Reads, Option<Place>)>,
    ) -> Result<Readings<'f>, Trouble> {
        let mut readings = Readings::of(finding, ends);
        empty(connection, &finding.used)?;
        self.find_from(connection, finding, &mut readings, &finding.sharing.stay)?;
        Ok(readings)
    }

    /// The same where each customer of the batch leaves alone.
    pub(super) fn find_each(&self, connection: &Connection, finding: &Finding) -> Result<(), Trouble> {
        empty(connection, &finding.used)?;
        let mut readings = Readings::of(finding, std::iter::empty());
        self.find_from(connection, finding, &mut readings, &finding.sharing.anybody)
    }

    /// The same over what was found before: what triggers have written since is added.
    pub(super) fn find_more(&self, connection: &Connection, finding: &Finding) -> Result<(), Trouble> {
        let mut readings = Readings::of(finding, std::iter::empty());
        readings.grown.of = finding.used.iter().map(|place| (*place, 1)).collect();
        self.find_from(connection, finding, &mut readings, &finding.sharing.stay)
    }

    /// What hangs together with rows that are touched already: nobody's, when these expire.
    pub(super) fn find_around<'f>(
        &self,
        connection: &Connection,
        finding: &'f Finding,
        touched: usize,
        ends: impl Iterator<Item = (&'f Reads, Option<Place>)>,
    ) -> Result<Readings<'f>, Trouble> {
        let mut readings = Readings::of(finding, ends);
        readings.grown.of.insert((Set::Touched, touched), 1);
        self.spread(connection, 4, &finding.touch, &mut readings)?;
        let duties = &finding.duties;
        for (phase, fills) in
            [&duties.near, &duties.whole, &duties.needs, &duties.needed].into_iter().enumerate()
        {
            self.spread(connection, phase, fills, &mut readings)?;
        }
        self.mark(connection, finding)?;
        Ok(readings)
    }

    /// Empties the sets and the batch.
    pub(super) fn forget(connection: &Connection, finding: &Finding) -> Result<(), Trouble> {
        connection.prepare_cached(&format!("DELETE FROM {}", super::statements::BATCH))?.execute([])?;
        empty(connection, &finding.used)
    }

    fn mark(&self, connection: &Connection, finding: &Finding) -> Result<(), Trouble> {
        for ((_, number), sql) in &finding.marks {
            self.run(connection, sql, *number)?;
        }
        Ok(())
    }

    fn find_from(
        &self,
        connection: &Connection,
        finding: &Finding,
        readings: &mut Readings<'_>,
        stay: &[Fill],
    ) -> Result<(), Trouble> {
        self.spread(connection, 0, &finding.start, readings)?;
        if let Some(name_people) = &finding.name_people {
            connection.prepare_cached(name_people)?.execute([])?;
        }
        self.spread(connection, 1, &finding.touch, readings)?;
        self.spread(connection, 10, &finding.along, readings)?;
        loop {
            self.spread(connection, 1, &finding.touch, readings)?;
            let (duties, sharing) = (&finding.duties, &finding.sharing);
            self.spread(connection, 2, &sharing.above, readings)?;
            self.spread(connection, 3, &duties.near, readings)?;
            self.spread(connection, 4, &duties.whole, readings)?;
            self.spread(connection, 5, &duties.needs, readings)?;
            self.spread(connection, 6, &duties.needed, readings)?;
            let had: BTreeSet<Place> =
                sharing.stay.iter().chain(&sharing.had).map(|fill| fill.into).collect();
            empty(connection, &had)?;
            let before = readings.grown.clone();
            readings.grown.seen.clear();
            self.spread(connection, 7, stay, readings)?;
            self.spread(connection, 8, &sharing.had, readings)?;
            // Which rows go may have changed, whatever has grown.
            readings.grown = Grown { of: before.of.clone(), seen: HashSet::new() };
            self.spread(connection, 9, &finding.goes, readings)?;
            let is_settled = readings.grown.of == before.of;
            readings.grown.seen = before.seen;
            if is_settled {
                break;
            }
        }
        self.mark(connection, finding)
    }

    /// Only what the customers of the batch have, and what of it somebody else has too.
    pub(super) fn unclear(
        &self,
        connection: &Connection,
        finding: &Finding,
    ) -> Result<Vec<(usize, ClassName, String, u64)>, Trouble> {
        let unclear = &finding.unclear;
        if unclear.found.is_empty() {
            return Ok(Vec::new());
        }
        empty(connection, &unclear.used)?;
        let wanted = unclear.near.iter().filter_map(Fill::reading).collect();
        let mut readings = Readings { wanted, ..Readings::default() };
        let root: BTreeSet<Place> = finding.start.first().map(|fill| fill.into).into_iter().collect();
        empty(connection, &root)?;
        let start: Vec<Fill> = finding.start.first().cloned().into_iter().collect();
        self.spread(connection, 0, &start, &mut readings)?;
        self.spread(connection, 1, &unclear.near, &mut readings)?;
        let mut list = Vec::new();
        for (class, link, _, sql) in &unclear.found {
            let at = Trouble::at(class);
            let mut statement = connection.prepare_cached(sql).map_err(&at)?;
            let mut rows = statement.query([]).map_err(&at)?;
            while let Some(row) = rows.next().map_err(&at)? {
                let n = super::natural(row, 0).map_err(&at)?;
                list.push((n, class.clone(), link.clone(), super::natural(row, 1).map_err(&at)?));
            }
        }
        Ok(list)
    }

    /// Runs statements until nothing is added any more. One whose source has not grown since is passed over.
    fn spread(
        &self,
        connection: &Connection,
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
                let is_picked = self.pick(connection, fill.reads.as_ref(), fill.from, readings)?;
                let sql =
                    fill.reads.as_ref().filter(|_| is_picked).map_or(&fill.sql, |reads| &reads.of_picked);
                if self.run(connection, sql, fill.into.1)? > 0 {
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
        connection: &Connection,
        reads: Option<&Reads>,
        from: Option<Place>,
        readings: &mut Readings<'_>,
    ) -> Result<bool, Trouble> {
        let Some(reads) = reads else { return Ok(false) };
        let key = |reads: &Reads, from: Option<Place>| (reads.may_be.clone(), readings.grown.version(from));
        let own = key(reads, from);
        if readings.picked.contains(&own) {
            return Ok(true);
        }
        let of_table = readings.wanted.iter().filter(|(other, _)| other.table == reads.table);
        let is_new = |key: &(String, u64)| {
            *key == own || (key.1 > 0 && !readings.picked.contains(key) && !readings.read.contains(key))
        };
        let pending: Vec<(String, u64)> =
            of_table.map(|(other, from)| key(other, *from)).filter(is_new).collect();
        let Some(class) = self.bound.classes.get(reads.table).filter(|_| pending.len() > 1) else {
            readings.read.insert(own);
            return Ok(false);
        };
        let into = picked(reads.table);
        if readings.filled.insert(reads.table) {
            connection.prepare_cached(&format!("DELETE FROM {into}"))?.execute([])?;
        }
        let conditions: BTreeSet<&str> = pending.iter().map(|(may_be, _)| may_be.as_str()).collect();
        let sql = format!(
            "INSERT OR IGNORE INTO {into} SELECT {} FROM main.{} AS x WHERE {}",
            listed("x", &class.handle),
            quoted(&class.table),
            conditions.into_iter().collect::<Vec<_>>().join(" OR "),
        );
        self.run(connection, &sql, reads.table)?;
        readings.picked.extend(pending);
        Ok(true)
    }

    fn run(&self, connection: &Connection, sql: &str, class: usize) -> Result<usize, Trouble> {
        let done = connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        done.map_err(|error| match self.bound.classes.get(class) {
            Some(class) => Trouble::at(&class.name)(error),
            None => Trouble::from(error),
        })
    }
}

fn empty(connection: &Connection, places: &BTreeSet<Place>) -> Result<(), Trouble> {
    for (set, number) in places {
        connection.prepare_cached(&format!("DELETE FROM {}", set.of(*number)))?.execute([])?;
    }
    Ok(())
}
