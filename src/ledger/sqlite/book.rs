//! The case book: open cases and their events. A batch of cases needs only few rows.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use super::{Trouble, from_json, number_of, read_treatment, to_json};
use crate::case::Event;
use crate::digest::Digest;
use crate::ledger::lease_clock::LeaseClock;
use crate::ledger::parts::{Own, Shared};
use crate::ledger::{
    CaseEvent, Claimed, Fence, Lease, LedgerError, ListedCase, NewCase, Opened, OpenedCases, SavedCase, Task,
    WorkerId,
};
use crate::plan::CaseId;
use crate::sqlite::Fault;
use crate::treatment::Treatment;

/// The size of the cache of case numbers. Other open cases are looked up.
const REMEMBERED: usize = 10_000;

/// A cache of the numbers of open cases. A number is never reused, so a cached number is never wrong.
#[derive(Debug, Default)]
pub(super) struct Numbers(Mutex<HashMap<CaseId, i64>>);

impl Numbers {
    fn remember(&self, known: impl IntoIterator<Item = (CaseId, i64)>) {
        let mut numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if numbers.len() > REMEMBERED {
            numbers.clear();
        }
        numbers.extend(known);
    }

    /// The number of each open case, and its claim, in order.
    fn of<'c>(
        &self,
        connection: &Connection,
        cases: impl Iterator<Item = &'c CaseId>,
    ) -> Result<Vec<Option<Held>>, Trouble> {
        let mut numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read = connection.prepare_cached("SELECT no, fence FROM open_case WHERE id = ?1")?;
        let known: Vec<_> = cases.map(|case| (case, numbers.get(case).copied())).collect();
        let still_open = StillOpen::among(connection, known.iter().filter_map(|(_, number)| *number))?;
        let mut found = Vec::with_capacity(known.len());
        for (case, number) in known {
            found.push(if let Some(number) = number {
                still_open.get(connection, number)?
            } else {
                let held = read.query_row([case.as_str()], Held::read).optional()?;
                if let Some(held) = held {
                    numbers.insert(case.clone(), held.number);
                }
                held
            });
        }
        Ok(found)
    }

    fn forget<'c>(&self, cases: impl Iterator<Item = &'c CaseId>) {
        let mut numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for case in cases {
            numbers.remove(case);
        }
    }
}

/// Which numbers still belong to open cases. The cases of a batch were opened together. So they have consecutive
/// numbers and are read in one query.
enum StillOpen {
    Read(BTreeMap<i64, Held>),
    /// The numbers are too far apart. Each number is looked up separately.
    Apart,
}

/// An open case: its number, and the claim on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    number: i64,
    fence: Option<i64>,
}

impl Held {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { number: row.get(0)?, fence: row.get(1)? })
    }
}

impl StillOpen {
    fn among(connection: &Connection, numbers: impl Iterator<Item = i64> + Clone) -> Result<Self, Trouble> {
        let (Some(first), Some(last)) = (numbers.clone().min(), numbers.clone().max()) else {
            return Ok(Self::Apart);
        };
        let room = i64::try_from(numbers.count()).unwrap_or(i64::MAX).saturating_mul(4);
        if last.saturating_sub(first) > room {
            return Ok(Self::Apart);
        }
        let mut read =
            connection.prepare_cached("SELECT no, fence FROM open_case WHERE no BETWEEN ?1 AND ?2")?;
        let found = read.query_map([first, last], Held::read)?;
        let found = found.map(|held| held.map(|held| (held.number, held))).collect::<Result<_, _>>()?;
        Ok(Self::Read(found))
    }

    fn get(&self, connection: &Connection, number: i64) -> Result<Option<Held>, Trouble> {
        match self {
            Self::Read(found) => Ok(found.get(&number).copied()),
            Self::Apart => Ok(connection
                .prepare_cached("SELECT no, fence FROM open_case WHERE no = ?1")?
                .query_row([number], Held::read)
                .optional()?),
        }
    }
}

/// The claim on each open case, in order.
pub(super) fn held<'c>(
    connection: &Connection,
    numbers: &Numbers,
    cases: impl Iterator<Item = &'c CaseId>,
) -> Result<Vec<Option<Held>>, Trouble> {
    numbers.of(connection, cases)
}

/// The number of a case that this claim holds.
pub(super) fn is_ours(held: Option<Held>, fence: Fence, case: &CaseId) -> Result<i64, LedgerError> {
    match held {
        None => Err(LedgerError::NoSuchCase { case: case.clone() }),
        Some(held) if held.fence == Some(fence_number(fence)) => Ok(held.number),
        Some(_) => Err(LedgerError::LostClaim { case: case.clone() }),
    }
}

fn fence_number(fence: Fence) -> i64 {
    i64::try_from(fence.get()).unwrap_or(i64::MAX)
}

/// Milliseconds of the lease clock: SQLite's own clock, unless the host set another.
fn millis(connection: &Connection, clock: Option<&LeaseClock>) -> Result<i64, Trouble> {
    match clock {
        Some(clock) => Ok(clock.millis()),
        None => Ok(connection
            .prepare_cached("SELECT CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)")?
            .query_row([], |row| row.get(0))?),
    }
}

/// Inserts a new claim without cases.
fn new_claim(connection: &Connection, lease: &Lease, now: i64) -> Result<i64, Trouble> {
    let lasts = i64::try_from(lease.lasts.as_millis()).unwrap_or(i64::MAX);
    connection
        .prepare_cached("INSERT INTO claim (worker, lasts, until, cases) VALUES (?1, ?2, ?3, 0)")?
        .execute(params![lease.worker.as_str(), lasts, now.saturating_add(lasts)])?;
    Ok(connection.last_insert_rowid())
}

/// Changes the number of a claim's cases. A claim without cases is deleted.
fn count(connection: &Connection, fence: i64, cases: i64) -> Result<(), Trouble> {
    connection
        .prepare_cached("UPDATE claim SET cases = cases + ?2 WHERE fence = ?1")?
        .execute([fence, cases])?;
    connection.prepare_cached("DELETE FROM claim WHERE fence = ?1 AND cases <= 0")?.execute([fence])?;
    Ok(())
}

fn to_fence(number: i64) -> Result<Fence, Trouble> {
    Ok(Fence::new(u64::try_from(number).map_err(|_| Trouble::Fault(Fault::Corrupt))?))
}

/// An event, and the cases to which it happened: ranges of numbers, including both ends.
#[derive(Serialize, Deserialize)]
struct Came {
    event: Event,
    to: Vec<(i64, i64)>,
}

pub(super) fn open(
    connection: &mut Connection,
    numbers: &Numbers,
    clock: Option<&LeaseClock>,
    cases: &[NewCase],
    lease: &Lease,
) -> Result<OpenedCases, Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let now = millis(&transaction, clock)?;
    let fence = new_claim(&transaction, lease, now)?;
    let mut ours = 0;
    let mut answers = Vec::with_capacity(cases.len());
    let mut opened = Vec::with_capacity(cases.len());
    {
        let mut treatment =
            transaction.prepare_cached("INSERT OR IGNORE INTO treatment (digest, body) VALUES (?1, ?2)")?;
        let mut terms = transaction.prepare_cached("INSERT INTO terms (body) VALUES (?1)")?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO open_case (id, holds, own, plan, terms, fence)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (holds) DO NOTHING",
        )?;
        let mut holder = transaction.prepare_cached("SELECT id FROM open_case WHERE holds = ?1")?;
        let mut last: Option<(&NewCase, i64)> = None;
        for case in cases {
            let shared = match last {
                Some((before, id)) if before.shares_terms(case) => id,
                _ => {
                    if let Task::Erasure(erasure) = &case.task {
                        let digest = erasure.binding.treatment_digest().to_string();
                        treatment.execute(params![digest, to_json(&*erasure.treatment)?])?;
                    }
                    terms.execute([to_json(&Shared::of(case))?])?;
                    transaction.last_insert_rowid()
                }
            };
            last = Some((case, shared));
            let holds = case.task.unique_key();
            let inserted = insert.execute(params![
                case.id.as_str(),
                holds,
                to_json(&Own::of(case))?,
                case.task.digest().as_bytes(),
                shared,
                fence,
            ])?;
            answers.push(if inserted == 1 {
                ours += 1;
                opened.push((case.id.clone(), transaction.last_insert_rowid()));
                Opened::Open
            } else {
                let holder: String = holder.query_row([holds], |row| row.get(0))?;
                if holder == case.id.as_str() {
                    let taken = take(&transaction, &case.id, lease, now, fence)?;
                    ours += i64::from(taken == Taken::Ours);
                    Opened::Open
                } else {
                    Opened::Conflict { case: CaseId::new(holder) }
                }
            });
        }
        if opened.len() < cases.len() {
            transaction.execute("DELETE FROM terms WHERE id NOT IN (SELECT terms FROM open_case)", [])?;
        }
    }
    count(&transaction, fence, ours)?;
    transaction.commit()?;
    numbers.remember(opened);
    Ok(OpenedCases { fence: to_fence(fence)?, cases: answers })
}

/// The result of claiming a case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Ours,
    Held,
    NotOpen,
}

/// Claims an open case, unless another worker has claimed it.
fn take(
    connection: &Connection,
    case: &CaseId,
    lease: &Lease,
    now: i64,
    fence: i64,
) -> Result<Taken, Trouble> {
    let open: Option<(i64, Option<i64>, bool)> = connection
        .prepare_cached(
            "SELECT no, open_case.fence, claim.until > ?2 AND claim.worker <> ?3
             FROM open_case LEFT JOIN claim ON claim.fence = open_case.fence WHERE id = ?1",
        )?
        .query_row(params![case.as_str(), now, lease.worker.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<bool>>(2)?.unwrap_or_default()))
        })
        .optional()?;
    let (number, before) = match open {
        None => return Ok(Taken::NotOpen),
        Some((_, _, true)) => return Ok(Taken::Held),
        Some((number, before, false)) => (number, before),
    };
    connection.prepare_cached("UPDATE open_case SET fence = ?2 WHERE no = ?1")?.execute([number, fence])?;
    if let Some(before) = before {
        count(connection, before, -1)?;
    }
    Ok(Taken::Ours)
}

pub(super) fn claim(
    connection: &mut Connection,
    clock: Option<&LeaseClock>,
    cases: &[CaseId],
    lease: &Lease,
) -> Result<Claimed, Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let now = millis(&transaction, clock)?;
    let fence = new_claim(&transaction, lease, now)?;
    let (mut taken, mut held) = (Vec::with_capacity(cases.len()), Vec::new());
    for case in cases {
        match take(&transaction, case, lease, now, fence)? {
            Taken::Ours => taken.push(case.as_str()),
            Taken::Held => held.push(case.clone()),
            Taken::NotOpen => {}
        }
    }
    count(&transaction, fence, i64::try_from(taken.len()).unwrap_or(i64::MAX))?;
    let ids = to_json(&taken)?;
    let cases = saved(&transaction, "id IN (SELECT value FROM json_each(?1))", Some(&ids), taken.len())?;
    transaction.commit()?;
    let cases = cases.into_iter().map(|(saved, _)| saved).collect();
    Ok(Claimed { fence: to_fence(fence)?, cases, held })
}

pub(super) fn release(connection: &mut Connection, fence: Fence, cases: &[CaseId]) -> Result<(), Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let fence = fence_number(fence);
    let mut given = 0;
    for case in cases {
        given += transaction
            .prepare_cached("UPDATE open_case SET fence = NULL WHERE id = ?1 AND fence = ?2")?
            .execute(params![case.as_str(), fence])?;
    }
    count(&transaction, fence, -i64::try_from(given).unwrap_or(i64::MAX))?;
    transaction.commit()?;
    Ok(())
}

pub(super) fn list(
    connection: &Connection,
    clock: Option<&LeaseClock>,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<ListedCase>, Trouble> {
    let now = millis(connection, clock)?;
    let mut holder = connection.prepare_cached("SELECT worker FROM claim WHERE fence = ?1 AND until > ?2")?;
    let mut listed = Vec::new();
    for (saved, fence) in saved(connection, "?1 IS NULL OR id > ?1", after, limit)? {
        let held_by: Option<String> = match fence {
            Some(fence) => holder.query_row([fence, now], |row| row.get(0)).optional()?,
            None => None,
        };
        listed.push(ListedCase { saved, held_by: held_by.map(WorkerId::new) });
    }
    Ok(listed)
}

pub(super) fn record(
    connection: &mut Connection,
    numbers: &Numbers,
    clock: Option<&LeaseClock>,
    fence: Fence,
    events: &[CaseEvent],
) -> Result<(), Trouble> {
    let Some(first) = events.first() else { return Ok(()) };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = numbers.of(&transaction, events.iter().map(|event| &event.case))?;
    let mut layers: Vec<Layer> = Vec::new();
    let mut seen = HashMap::<i64, usize>::new();
    for (event, held) in events.iter().zip(found) {
        let number = is_ours(held, fence, &event.case)?;
        // Several events of one case in one write must stay in order. So the second event goes to the second layer.
        let layer = seen.entry(number).or_default();
        if layers.len() == *layer {
            layers.push(Layer::default());
        }
        if let Some(layer) = layers.get_mut(*layer) {
            layer.add(&event.event, number)?;
        }
        *layer += 1;
    }
    {
        let mut insert = transaction
            .prepare_cached("INSERT INTO event (at, first, last, body) VALUES (?1, ?2, ?3, ?4)")?;
        let at = first.at.to_rfc3339();
        for layer in layers {
            insert.execute(params![at, layer.first, layer.last, layer.body()])?;
        }
    }
    transaction
        .prepare_cached("UPDATE claim SET until = ?2 + lasts WHERE fence = ?1")?
        .execute([fence_number(fence), millis(&transaction, clock)?])?;
    transaction.commit()?;
    Ok(())
}

/// Events that happened to different cases at the same time.
#[derive(Default)]
struct Layer {
    first: i64,
    last: i64,
    /// Each distinct event as JSON, and the numbers of its cases.
    events: Vec<(String, Vec<(i64, i64)>)>,
    places: HashMap<String, usize>,
}

impl Layer {
    fn add(&mut self, event: &Event, number: i64) -> Result<(), Trouble> {
        if self.events.is_empty() {
            (self.first, self.last) = (number, number);
        }
        self.first = self.first.min(number);
        self.last = self.last.max(number);
        let place = match self.places.entry(to_json(event)?) {
            Slot::Occupied(place) => *place.get(),
            Slot::Vacant(vacant) => {
                self.events.push((vacant.key().clone(), Vec::new()));
                *vacant.insert(self.events.len() - 1)
            }
        };
        if let Some((_, to)) = self.events.get_mut(place) {
            match to.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => to.push((number, number)),
            }
        }
        Ok(())
    }

    fn body(&self) -> String {
        let events: Vec<String> = self
            .events
            .iter()
            .map(|(event, to)| {
                let to: Vec<String> = to.iter().map(|(first, last)| format!("[{first},{last}]")).collect();
                format!("{{\"event\":{event},\"to\":[{}]}}", to.join(","))
            })
            .collect();
        format!("[{}]", events.join(","))
    }
}

/// Removes cases and all their events from the case book. Other cases are not changed.
pub(super) fn wipe<'c>(
    connection: &Connection,
    numbers: &Numbers,
    fence: Fence,
    cases: impl Iterator<Item = &'c CaseId> + Clone,
) -> Result<(), Trouble> {
    let open = numbers.of(connection, cases.clone())?.into_iter().flatten();
    let mut wiped: Vec<i64> = open.map(|held| held.number).collect();
    numbers.forget(cases);
    wiped.sort_unstable();
    let (Some(first), Some(last)) = (wiped.first(), wiped.last()) else { return Ok(()) };
    count(connection, fence_number(fence), -i64::try_from(wiped.len()).unwrap_or(i64::MAX))?;
    let all = format!("{wiped:?}");
    connection
        .prepare_cached("DELETE FROM open_case WHERE no IN (SELECT value FROM json_each(?1))")?
        .execute([all])?;
    let mut rows = connection.prepare_cached("SELECT n, body FROM event WHERE last >= ?1 AND first <= ?2")?;
    let rows: Vec<(i64, String)> =
        rows.query_map([first, last], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (n, body) in rows {
        let came: Vec<Came> = from_json(&body)?;
        let left: Vec<Came> = came
            .into_iter()
            .map(|came| Came { to: without(&came.to, &wiped), event: came.event })
            .filter(|came| !came.to.is_empty())
            .collect();
        let ends = || left.iter().flat_map(|came| &came.to);
        match (ends().map(|(first, _)| first).min(), ends().map(|(_, last)| last).max()) {
            (Some(first), Some(last)) => connection
                .prepare_cached("UPDATE event SET first = ?2, last = ?3, body = ?4 WHERE n = ?1")?
                .execute(params![n, first, last, to_json(&left)?])?,
            _ => connection.prepare_cached("DELETE FROM event WHERE n = ?1")?.execute([n])?,
        };
    }
    connection
        .prepare_cached(
            "DELETE FROM terms WHERE NOT EXISTS (SELECT 1 FROM open_case WHERE terms = terms.id)",
        )?
        .execute([])?;
    Ok(())
}

/// Removes numbers from ranges. The numbers must be sorted.
fn without(ranges: &[(i64, i64)], numbers: &[i64]) -> Vec<(i64, i64)> {
    let mut left = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        let mut from = *first;
        let start = numbers.partition_point(|number| number < first);
        for number in numbers.iter().skip(start).take_while(|number| *number <= last) {
            if from < *number {
                left.push((from, number - 1));
            }
            from = number + 1;
        }
        if from <= *last {
            left.push((from, *last));
        }
    }
    left
}

/// Open cases that meet a condition over `open_case`, in the order of their ids, each with its claim.
fn saved(
    connection: &Connection,
    condition: &str,
    parameter: Option<&str>,
    limit: usize,
) -> Result<Vec<(SavedCase, Option<i64>)>, Trouble> {
    let mut cases = connection.prepare_cached(&format!(
        "SELECT no, id, own, plan, terms, fence FROM open_case WHERE {condition} ORDER BY id LIMIT ?2"
    ))?;
    let mut rows = cases.query(params![parameter, number_of(limit)])?;
    let mut shared = BTreeMap::<i64, (Shared, Option<Arc<Treatment>>)>::new();
    let mut saved = Vec::new();
    let mut places = BTreeMap::<i64, usize>::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(4)?;
        if let std::collections::btree_map::Entry::Vacant(vacant) = shared.entry(id) {
            vacant.insert(read_shared(connection, id)?);
        }
        let Some((shared, treatment)) = shared.get(&id) else { continue };
        let own: Own<'_> = from_json(&row.get::<_, String>(2)?)?;
        let plan = Digest::from_bytes(row.get(3)?);
        places.insert(row.get(0)?, saved.len());
        let case = own.saved(row.get(1)?, plan, shared, treatment.as_ref());
        saved.push((case.ok_or(Trouble::Fault(Fault::Corrupt))?, row.get(5)?));
    }
    let (Some((first, _)), Some((last, _))) = (places.first_key_value(), places.last_key_value()) else {
        return Ok(saved);
    };
    let mut events =
        connection.prepare_cached("SELECT body FROM event WHERE last >= ?1 AND first <= ?2 ORDER BY n")?;
    let mut rows = events.query([first, last])?;
    while let Some(row) = rows.next()? {
        let came: Vec<Came> = from_json(&row.get::<_, String>(0)?)?;
        for Came { event, to } in came {
            for (first, last) in to {
                if first > last {
                    return Err(Trouble::Fault(Fault::Corrupt));
                }
                for place in places.range(first..=last).map(|(_, place)| *place) {
                    if let Some((case, _)) = saved.get_mut(place) {
                        case.events.push(event.clone());
                    }
                }
            }
        }
    }
    Ok(saved)
}

fn read_shared(connection: &Connection, id: i64) -> Result<(Shared, Option<Arc<Treatment>>), Trouble> {
    let body: String = connection
        .prepare_cached("SELECT body FROM terms WHERE id = ?1")?
        .query_row([id], |row| row.get(0))?;
    let shared: Shared = from_json(&body)?;
    let treatment = match shared.treatment() {
        Some(digest) => Some(read_treatment(connection, digest)?.ok_or(Trouble::Fault(Fault::Corrupt))?),
        None => None,
    };
    Ok((shared, treatment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_has_closed_is_not_open_whether_it_is_read_at_once_or_looked_up() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE open_case (no INTEGER PRIMARY KEY, fence INTEGER)").unwrap();
        for number in (1..=20).filter(|number| *number != 7) {
            connection.execute("INSERT INTO open_case VALUES (?1, 5)", [number]).unwrap();
        }
        for (numbers, at_once) in [(vec![8, 5, 7, 6], true), (vec![1, 7, 20], false), (vec![7], true)] {
            let still_open = StillOpen::among(&connection, numbers.iter().copied()).ok().unwrap();
            assert_eq!(matches!(still_open, StillOpen::Read(_)), at_once, "{numbers:?}");
            for number in numbers {
                let held = (number != 7).then_some(Held { number, fence: Some(5) });
                assert_eq!(still_open.get(&connection, number).ok(), Some(held), "{number}");
            }
        }
    }

    #[test]
    fn what_is_wiped_leaves_the_ranges_and_nothing_else_does() {
        assert_eq!(without(&[(1, 5)], &[1, 2, 3, 4, 5]), []);
        assert_eq!(without(&[(1, 5)], &[3]), [(1, 2), (4, 5)]);
        assert_eq!(without(&[(1, 5), (7, 7), (9, 12)], &[1, 5, 7, 12, 20]), [(2, 4), (9, 11)]);
        assert_eq!(without(&[(4, 6)], &[1, 2, 9]), [(4, 6)]);
    }
}
