//! What is written to the fields of records, and whether it is there already: computed in Rust, from one value at a time.
//!
//! A database that runs our functions asks here from within its statements. Another one would have the values of the rows that
//! were found computed here, and joined to them by key.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;
use unicode_normalization::UnicodeNormalization as _;

use super::json_fields;
use super::people::People;
use super::unreadable::Unreadable;
use crate::anonymise::json::Pointer;
use crate::anonymise::{Draw, Reveals, Seed, Strategy};
use crate::data_map::{ClassName, FieldName, RecordKey, Value};
use crate::hex;
use crate::store::sql::cell::Cell;
use crate::store::sql::links::Compare;
use crate::treatment::{UnderDuty, as_it_stays};

/// A field and what is written to it.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) class: ClassName,
    pub(crate) field: FieldName,
    pub(crate) strategy: Strategy,
    /// Where it is in the JSON document that the column holds, if it is within one.
    pub(crate) place: Option<Place>,
    /// What becomes of a value that cannot be read. None: it stops the erasure of its customer.
    pub(crate) otherwise: Option<Strategy>,
    /// What becomes of a searched text that a duty has released, once nobody can be looked for.
    pub(crate) after_duty: Option<Strategy>,
    /// Whether the record's key may be named.
    pub(crate) shows_key: bool,
}

/// A place in the document of a column.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) pointer: Pointer,
    /// What is left out there, because it is a field of its own.
    pub(crate) others: Vec<Pointer>,
}

/// What the functions work with while a treatment is carried out or counted.
#[derive(Clone, Debug)]
pub(crate) struct Working {
    pub(crate) slots: Arc<[Slot]>,
    /// What duties keep, in the order of the script.
    pub(crate) duties: Arc<[UnderDuty]>,
    pub(crate) seed: Option<Seed>,
    pub(crate) date: NaiveDate,
    pub(crate) attempt: u32,
    /// What each slot writes where that is the same for every row.
    same: Vec<Option<String>>,
    /// What was last found to be what a slot writes, where that is the same for every row of a day.
    held: Vec<Option<String>>,
    /// What came of dates that were held against duties.
    dated: Remembered,
    /// Whom texts are searched for.
    pub(crate) people: People,
    /// Whether a value that cannot be read stops a count. Elsewhere it counts as one that is not erased yet.
    pub(crate) stops_at_unreadable: bool,
    /// Why a function failed: SQLite's own words for it would not say.
    failed: Option<Unreadable>,
}

impl Working {
    pub(crate) fn new(
        slots: Arc<[Slot]>,
        duties: Arc<[UnderDuty]>,
        seed: Option<Seed>,
        date: NaiveDate,
        attempt: u32,
    ) -> Self {
        let same = slots
            .iter()
            .map(|slot| match &slot.strategy {
                Strategy::Placeholder(template) => template.of_day(date),
                _ => None,
            })
            .collect();
        let held = vec![None; slots.len()];
        let people = People::default();
        let dated = Remembered(vec![HashMap::new(); duties.len()]);
        let (stops_at_unreadable, failed) = (false, None);
        Self { slots, duties, seed, date, attempt, same, held, dated, people, stops_at_unreadable, failed }
    }
}

/// What a duty makes of a record's date.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dated {
    /// Whether it keeps the record.
    pub(crate) keeps: bool,
    /// The day on which the record is dated, if so.
    pub(crate) day: Option<NaiveDate>,
    pub(crate) is_unreadable: bool,
}

/// By duty, dates as texts, and what the duty makes of each. Many records have the same date.
#[derive(Clone)]
struct Remembered(Vec<HashMap<Vec<u8>, Dated>>);

impl Remembered {
    /// How many dates are remembered of each duty: those of twenty years.
    const MOST: usize = 8_000;

    fn get(&self, duty: usize, date: Cell<'_>) -> Option<Dated> {
        if let Cell::Text(bytes) = date { self.0.get(duty)?.get(bytes).copied() } else { None }
    }

    fn add(&mut self, duty: usize, date: Cell<'_>, dated: Dated) {
        if let (Cell::Text(bytes), Some(known)) = (date, self.0.get_mut(duty))
            && known.len() < Self::MOST
        {
            known.insert(bytes.to_vec(), dated);
        }
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(HashMap::len)).finish()
    }
}

/// Shared between the connection's functions and whoever sets the work.
pub(crate) type Bench = Arc<Mutex<Option<Working>>>;

pub(crate) fn set(bench: &Bench, working: Option<Working>) {
    *bench.lock().unwrap_or_else(PoisonError::into_inner) = working;
}

/// Whom the texts are searched for, from now on.
pub(crate) fn search_for(bench: &Bench, people: People) {
    if let Some(working) = bench.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        working.people = people;
    }
}

/// A value that cannot be read stops the count from now on.
pub(crate) fn stop_at_unreadable(bench: &Bench) {
    if let Some(working) = bench.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        working.stops_at_unreadable = true;
    }
}

/// Why a function failed, if one has.
pub(crate) fn take_failure(bench: &Bench) -> Option<String> {
    take_unreadable(bench).map(|why| why.to_string())
}

/// The same, with the way out apart.
pub(crate) fn take_unreadable(bench: &Bench) -> Option<Unreadable> {
    bench.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.failed.take()
}

/// Something cannot be read, as if a function had failed at it.
pub(crate) fn put_unreadable(bench: &Bench, why: Unreadable) {
    if let Some(working) = bench.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        working.failed = Some(why);
    }
}

/// Why a value cannot be computed: a mistake of ours, or a value that cannot be read.
pub(crate) enum Failure {
    Ours(&'static str),
    Unreadable(Unreadable),
}

impl From<Unreadable> for Failure {
    fn from(why: Unreadable) -> Self {
        Self::Unreadable(why)
    }
}

/// Does something while a treatment is carried out or counted. Why a value cannot be read is kept: the database's own words
/// would not say.
pub(crate) fn with<T>(
    bench: &Bench,
    work: impl FnOnce(&mut Working) -> Result<T, Failure>,
) -> Result<T, &'static str> {
    let mut guard = bench.lock().unwrap_or_else(PoisonError::into_inner);
    let working = guard.as_mut().ok_or("nothing is being treated")?;
    work(working).map_err(|failure| match failure {
        Failure::Ours(what) => what,
        Failure::Unreadable(why) => {
            working.failed = Some(why);
            "a value cannot be read"
        }
    })
}

impl Working {
    /// What is to be written for a slot.
    fn slot(&self, n: usize) -> Result<&Slot, Failure> {
        self.slots.get(n).ok_or(Failure::Ours("no such field"))
    }

    /// What becomes of a value.
    pub(crate) fn value<'v>(
        &self,
        n: usize,
        old: Cell<'v>,
        key: impl Iterator<Item = Cell<'v>> + Clone,
    ) -> Result<Value, Failure> {
        let slot = self.slot(n)?;
        if matches!(slot.strategy, Strategy::Redact { .. }) {
            return Ok(self.redacted(slot, old, key)?);
        }
        if holds(&slot.strategy, old) {
            return old.to_exact_value().ok_or(Failure::Ours("a text is not UTF-8"));
        }
        if let Some(Some(text)) = self.same.get(n) {
            return Ok(Value::Text(text.clone()));
        }
        let seed = self.seed.as_ref().ok_or(Failure::Ours("no seed"))?;
        let key = RecordKey::new(key_of(key));
        let draw = Draw {
            seed,
            class: &slot.class,
            key: &key,
            field: &slot.field,
            attempt: self.attempt,
            date: self.date,
        };
        Ok(slot.strategy.fresh(&old.to_value(), &draw))
    }

    /// Whether a value is what a slot writes. Most rows of a placeholder have the same text, which is looked at once.
    pub(crate) fn holds(&mut self, n: usize, value: Cell<'_>) -> Result<bool, Failure> {
        let slot = self.slots.get(n).ok_or(Failure::Ours("no such field"))?;
        let last = self.held.get_mut(n).ok_or(Failure::Ours("no such field"))?;
        if let (Some(last), Cell::Text(bytes)) = (&last, value)
            && last.as_bytes() == bytes
        {
            return Ok(true);
        }
        let holds = holds(&slot.strategy, value);
        if let (true, Strategy::Placeholder(template), Cell::Text(bytes)) = (holds, &slot.strategy, value)
            && !template.is_unique()
        {
            *last = std::str::from_utf8(bytes).ok().map(str::to_owned);
        }
        Ok(holds)
    }

    /// What is left of a value once it is made general.
    pub(crate) fn general(&self, n: usize, value: Cell<'_>) -> Result<Value, Failure> {
        let general = match self.slot(n)?.strategy.reveals() {
            Reveals::Only(general) => Some(general),
            _ => None,
        };
        Ok(as_it_stays(general, &value.to_value(), self.date))
    }

    /// What a placeholder is on the day, where it is the same for every row.
    pub(crate) fn of_day(&self, n: usize) -> Result<Option<String>, Failure> {
        self.slot(n)?;
        Ok(self.same.get(n).cloned().flatten())
    }

    /// What becomes of a document, or of a value within it.
    pub(crate) fn json<'v>(
        &self,
        n: usize,
        old: Cell<'v>,
        key: impl Iterator<Item = Cell<'v>> + Clone,
    ) -> Result<Value, Failure> {
        Ok(self.treated(self.slot(n)?, old, key)?)
    }

    /// Whether a value within a document is erased.
    pub(crate) fn json_holds<'v>(
        &self,
        n: usize,
        value: Cell<'v>,
        key: impl Iterator<Item = Cell<'v>> + Clone,
    ) -> Result<bool, Failure> {
        let slot = self.slot(n)?;
        let held = json_fields::is_held(slot, &slot.strategy, value, key);
        Ok(self.is_pending(slot, value, held.map(|held| !held)).map(|pending| !pending)?)
    }

    /// Whether a text mentions a customer of the batch.
    pub(crate) fn mentions<'v>(
        &self,
        n: usize,
        value: Cell<'v>,
        customer: usize,
        key: impl Iterator<Item = Cell<'v>> + Clone,
    ) -> Result<bool, Failure> {
        let slot = self.slot(n)?;
        Ok(self.is_pending(slot, value, self.people.mentions(slot, value, customer, key))?)
    }

    /// The same of a text that a duty has released.
    pub(crate) fn is_released<'v>(
        &self,
        n: usize,
        value: Cell<'v>,
        customer: usize,
        key: impl Iterator<Item = Cell<'v>> + Clone,
    ) -> Result<bool, Failure> {
        let slot = self.slot(n)?;
        let pending = match slot.after_duty.as_ref().filter(|_| self.people.is_erased(customer)) {
            Some(after) => json_fields::is_held(slot, after, value, key).map(|held| !held),
            None => self.people.mentions(slot, value, customer, key),
        };
        Ok(self.is_pending(slot, value, pending)?)
    }

    /// What becomes of a text that a duty has released.
    pub(crate) fn release<'v>(
        &self,
        n: usize,
        old: Cell<'v>,
        key: impl Iterator<Item = Cell<'v>> + Clone,
    ) -> Result<Value, Failure> {
        Ok(self.released(self.slot(n)?, old, key)?)
    }

    /// How many mentions of a customer in a text are not certain.
    pub(crate) fn uncertain(&self, n: usize, value: Cell<'_>, customer: usize) -> Result<usize, Failure> {
        Ok(self.people.uncertain(self.slot(n)?, value, customer))
    }

    /// What a duty, by its number, makes of a record's date as the duty's field stores it. Nobody counts by a day that is not
    /// known.
    pub(crate) fn duty(&mut self, n: usize, date: Cell<'_>) -> Result<Dated, Failure> {
        if let Some(dated) = self.dated.get(n, date) {
            return Ok(dated);
        }
        let duty = self.duties.get(n).ok_or(Failure::Ours("no such duty"))?;
        let today = (self.date != NaiveDate::MIN).then_some(self.date);
        let read = duty.form.read_stored(date.stored(), today);
        let keeps = duty.keeps(read.moment());
        let day = duty.day(read.moment()).filter(|_| keeps);
        let dated = Dated { keeps, day, is_unreadable: read.is_unreadable() };
        self.dated.add(n, date, dated);
        Ok(dated)
    }
}

/// [`Strategy::holds`], without taking a copy of a text.
pub(crate) fn holds(strategy: &Strategy, value: Cell<'_>) -> bool {
    match value {
        Cell::Text(bytes) => std::str::from_utf8(bytes).is_ok_and(|text| strategy.holds_text(text)),
        other => strategy.holds(&other.to_value()),
    }
}

/// A value as text, to be compared. NULL and bytes are none.
fn as_text(value: Cell<'_>) -> Option<String> {
    match value {
        Cell::Text(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
        Cell::Integer(number) => Some(number.to_string()),
        Cell::Real(number) => Some(format!("{number:?}")),
        Cell::Null | Cell::Blob(_) => None,
    }
}

/// A value as a link compares it.
pub(crate) fn compared(compare: Compare, value: Cell<'_>) -> Option<String> {
    let text = as_text(value)?;
    Some(match compare {
        Compare::Exact | Compare::Text => text,
        Compare::NoCase => caseless::default_case_fold_str(&text),
        Compare::Normalised => {
            let composed: String = text.trim().nfc().collect();
            caseless::default_case_fold_str(&composed).nfc().collect()
        }
    })
}

/// A key's values, each with its type and its length before it, so that no two keys look the same.
pub(crate) fn key_of<'v>(values: impl Iterator<Item = Cell<'v>>) -> String {
    let mut text = String::new();
    for value in values {
        let (kind, part) = match value {
            Cell::Null => ('n', String::new()),
            Cell::Integer(number) => ('i', number.to_string()),
            Cell::Real(number) => ('r', number.to_string()),
            Cell::Text(bytes) => ('t', String::from_utf8_lossy(bytes).into_owned()),
            Cell::Blob(bytes) => ('b', hex::encode(bytes)),
        };
        // Writing to a String never fails.
        let _ = write!(text, "{kind}{}:{part}", part.len());
    }
    text
}
