//! The case book: open cases, and what came to them, in as few rows as a batch allows.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use super::{Trouble, from_json, instant, number_of, read_treatment, to_json};
use crate::case::Event;
use crate::digest::Digest;
use crate::ledger::{CaseEvent, LedgerError, NewCase, Opened, SavedCase};
use crate::plan::{Approval, Binding, CaseId, Terms};
use crate::policy::Treatment;
use crate::sqlite::Fault;

/// How many numbers are remembered. Cases that stay open beyond that are looked up.
const REMEMBERED: usize = 10_000;

/// The numbers of open cases, as far as they are remembered. A number is never used again, so none can be wrong.
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

    /// The number of each case that is open, in order.
    fn of<'c>(
        &self,
        connection: &Connection,
        cases: impl Iterator<Item = &'c CaseId>,
    ) -> Result<Vec<Option<i64>>, Trouble> {
        let mut numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read = connection.prepare_cached("SELECT no FROM open_case WHERE id = ?1")?;
        let known: Vec<_> = cases.map(|case| (case, numbers.get(case).copied())).collect();
        let still_open = StillOpen::among(connection, known.iter().filter_map(|(_, number)| *number))?;
        let mut found = Vec::with_capacity(known.len());
        for (case, number) in known {
            found.push(if let Some(number) = number {
                still_open.has(connection, number)?.then_some(number)
            } else {
                let number = read.query_row([case.as_str()], |row| row.get(0)).optional()?;
                if let Some(number) = number {
                    numbers.insert(case.clone(), number);
                }
                number
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

/// Which of some numbers are still those of open cases. The cases of a batch were opened together and have numbers in a
/// row: these are read at once.
enum StillOpen {
    Read(BTreeSet<i64>),
    /// They lie too far apart: each is looked up.
    Apart,
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
        let mut read = connection.prepare_cached("SELECT no FROM open_case WHERE no BETWEEN ?1 AND ?2")?;
        let found = read.query_map([first, last], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(Self::Read(found))
    }

    fn has(&self, connection: &Connection, number: i64) -> Result<bool, Trouble> {
        match self {
            Self::Read(found) => Ok(found.contains(&number)),
            Self::Apart => {
                Ok(connection.prepare_cached("SELECT 1 FROM open_case WHERE no = ?1")?.exists([number])?)
            }
        }
    }
}

/// What open cases share.
#[derive(Serialize, Deserialize)]
struct Shared {
    binding: Arc<Terms>,
    approval: Approval,
    opened_at: DateTime<Utc>,
}

/// An event, and the cases that it came to: ranges of numbers, both ends included.
#[derive(Serialize, Deserialize)]
struct Came {
    event: Event,
    to: Vec<(i64, i64)>,
}

pub(super) fn open(
    connection: &mut Connection,
    numbers: &Numbers,
    cases: &[NewCase],
) -> Result<Vec<Opened>, Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut answers = Vec::with_capacity(cases.len());
    let mut opened = Vec::with_capacity(cases.len());
    {
        let mut treatment =
            transaction.prepare_cached("INSERT OR IGNORE INTO treatment (digest, body) VALUES (?1, ?2)")?;
        let mut terms = transaction.prepare_cached("INSERT INTO terms (body) VALUES (?1)")?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO open_case (id, tenant, customer, registered, plan, terms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (tenant, customer) DO NOTHING",
        )?;
        let mut holder =
            transaction.prepare_cached("SELECT id FROM open_case WHERE tenant = ?1 AND customer = ?2")?;
        let mut last: Option<(&NewCase, i64)> = None;
        for case in cases {
            let shared = match last {
                Some((before, id)) if before.shares_terms(case) => id,
                _ => {
                    let digest = case.binding.treatment_digest();
                    treatment.execute(params![digest.to_string(), to_json(&*case.treatment)?])?;
                    let shared = Shared {
                        binding: Arc::clone(case.binding.terms()),
                        approval: case.approval.clone(),
                        opened_at: case.opened_at,
                    };
                    terms.execute([to_json(&shared)?])?;
                    transaction.last_insert_rowid()
                }
            };
            last = Some((case, shared));
            let (tenant, customer) = (case.tenant().as_str(), case.customer().as_str());
            let inserted = insert.execute(params![
                case.id.as_str(),
                tenant,
                customer,
                case.binding.registered().map(|at| at.to_rfc3339()),
                case.approval.digest().as_bytes(),
                shared,
            ])?;
            answers.push(if inserted == 1 {
                opened.push((case.id.clone(), transaction.last_insert_rowid()));
                Opened::Open
            } else {
                let holder: String = holder.query_row([tenant, customer], |row| row.get(0))?;
                if holder == case.id.as_str() {
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
    transaction.commit()?;
    numbers.remember(opened);
    Ok(answers)
}

pub(super) fn record(
    connection: &mut Connection,
    numbers: &Numbers,
    events: &[CaseEvent],
) -> Result<(), Trouble> {
    let Some(first) = events.first() else { return Ok(()) };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = numbers.of(&transaction, events.iter().map(|event| &event.case))?;
    let mut layers: Vec<Layer> = Vec::new();
    let mut seen = HashMap::<i64, usize>::new();
    for (event, number) in events.iter().zip(found) {
        let missing = || Trouble::Ledger(LedgerError::NoSuchCase { case: event.case.clone() });
        let number = number.ok_or_else(missing)?;
        // What comes to one case in one write stays in order: the second of them is in the second layer.
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
    transaction.commit()?;
    Ok(())
}

/// Events that came to different cases at once.
#[derive(Default)]
struct Layer {
    first: i64,
    last: i64,
    /// Each different event as JSON, and the numbers of its cases.
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

/// Takes cases out of the case book, with all that came to them, and nothing of the others.
pub(super) fn wipe<'c>(
    connection: &Connection,
    numbers: &Numbers,
    cases: impl Iterator<Item = &'c CaseId> + Clone,
) -> Result<(), Trouble> {
    let mut wiped: Vec<i64> = numbers.of(connection, cases.clone())?.into_iter().flatten().collect();
    numbers.forget(cases);
    wiped.sort_unstable();
    let (Some(first), Some(last)) = (wiped.first(), wiped.last()) else { return Ok(()) };
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

/// Ranges without some numbers, which are sorted.
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

/// Open cases by a condition over `open_case`, in the order of their ids.
pub(super) fn saved(
    connection: &Connection,
    condition: &str,
    parameter: Option<&str>,
    limit: usize,
) -> Result<Vec<SavedCase>, Trouble> {
    let mut cases = connection.prepare_cached(&format!(
        "SELECT no, id, tenant, customer, registered, plan, terms FROM open_case WHERE {condition}
         ORDER BY id LIMIT ?2"
    ))?;
    let mut rows = cases.query(params![parameter, number_of(limit)])?;
    let mut shared = BTreeMap::<i64, (Shared, Arc<Treatment>)>::new();
    let mut saved = Vec::new();
    let mut places = BTreeMap::<i64, usize>::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(6)?;
        if let std::collections::btree_map::Entry::Vacant(vacant) = shared.entry(id) {
            vacant.insert(read_shared(connection, id)?);
        }
        let Some((shared, treatment)) = shared.get(&id) else { continue };
        let registered: Option<String> = row.get(4)?;
        let plan = Digest::from_bytes(row.get(5)?);
        places.insert(row.get(0)?, saved.len());
        saved.push(SavedCase {
            new: NewCase {
                id: CaseId::new(row.get::<_, String>(1)?),
                binding: Arc::new(Binding::from_parts(
                    row.get::<_, String>(3)?.into(),
                    row.get::<_, String>(2)?.into(),
                    registered.as_deref().map(instant).transpose()?,
                    Arc::clone(&shared.binding),
                )),
                approval: shared.approval.of_plan(plan),
                treatment: Arc::clone(treatment),
                opened_at: shared.opened_at,
            },
            events: Vec::new(),
        });
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
                    if let Some(case) = saved.get_mut(place) {
                        case.events.push(event.clone());
                    }
                }
            }
        }
    }
    Ok(saved)
}

fn read_shared(connection: &Connection, id: i64) -> Result<(Shared, Arc<Treatment>), Trouble> {
    let body: String = connection
        .prepare_cached("SELECT body FROM terms WHERE id = ?1")?
        .query_row([id], |row| row.get(0))?;
    let shared: Shared = from_json(&body)?;
    let treatment = read_treatment(connection, shared.binding.treatment_digest())?;
    Ok((shared, treatment.ok_or(Trouble::Fault(Fault::Corrupt))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_has_closed_is_not_open_whether_it_is_read_at_once_or_looked_up() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE open_case (no INTEGER PRIMARY KEY)").unwrap();
        for number in (1..=20).filter(|number| *number != 7) {
            connection.execute("INSERT INTO open_case VALUES (?1)", [number]).unwrap();
        }
        for (numbers, at_once) in [(vec![8, 5, 7, 6], true), (vec![1, 7, 20], false), (vec![7], true)] {
            let still_open = StillOpen::among(&connection, numbers.iter().copied()).ok().unwrap();
            assert_eq!(matches!(still_open, StillOpen::Read(_)), at_once, "{numbers:?}");
            for number in numbers {
                assert_eq!(still_open.has(&connection, number).ok(), Some(number != 7), "{number}");
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
