//! Computes new values for the fields of records, and whether a value is final already: in Rust, one value at a time.
//!
//! A database that runs our functions calls them inside its statements. For any other database, the values of the
//! found rows would be computed here and joined to the rows by key.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;

use super::json_fields;
use super::people::People;
use super::unreadable::Unreadable;
use crate::anonymise::by_content::ByContent;
use crate::anonymise::json::Pointer;
use crate::anonymise::{Draw, Reveals, Seed, Strategy, normalised};
use crate::case_fold::case_folded;
use crate::data_map::{ClassName, FieldName, RecordKey, Value};
use crate::hex;
use crate::store::sql::cell::Cell;
use crate::store::sql::links::Compare;
use crate::treatment::{UnderDuty, as_it_stays};

/// A field, and the strategy for its new value.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) class: ClassName,
    pub(crate) field: FieldName,
    pub(crate) strategy: Strategy,
    /// The link to whose far end the field belongs, if it is written for that end. `None`: it is written with the record.
    pub(crate) of: Option<String>,
    /// The place in the column's JSON document, if the field is inside one.
    pub(crate) place: Option<Place>,
    /// What replaces a value that cannot be read. `None`: such a value blocks its customer.
    pub(crate) otherwise: Option<Strategy>,
    /// What replaces a searched text that a duty has released, when nobody can be searched for.
    pub(crate) after_duty: Option<Strategy>,
    /// Whether the record's key may be shown.
    pub(crate) shows_key: bool,
}

/// A place in a column's document.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) pointer: Pointer,
    /// The places that are skipped, because they are fields of their own.
    pub(crate) others: Vec<Pointer>,
    /// All places of the document that the map names. A document whose shape fits none of them cannot be read. Empty if the
    /// rest of the document is treated as well.
    pub(crate) shape: Arc<[Pointer]>,
}

/// The state of the functions while a treatment is carried out or counted.
#[derive(Clone, Debug)]
pub(crate) struct Working {
    pub(crate) slots: Arc<[Slot]>,
    /// The duties, in the order of the script.
    pub(crate) duties: Arc<[UnderDuty]>,
    pub(crate) seed: Option<Seed>,
    pub(crate) date: NaiveDate,
    pub(crate) attempt: u32,
    /// The output of each slot, if it is the same for every row.
    same: Vec<Option<String>>,
    /// The last value that was the output of a slot, if it is the same for every row of a day.
    held: Vec<Option<String>>,
    /// A cache of dates that were compared with duties.
    dated: Remembered,
    /// The people for whom texts are searched.
    pub(crate) people: People,
    /// Whether an unreadable value stops a count. Otherwise it counts as not erased yet.
    pub(crate) stops_at_unreadable: bool,
    /// Why a function failed, because SQLite's own message would not say it.
    failed: Option<Unreadable>,
    /// Changes with everything on which results depend. Whoever remembers results forgets them then.
    #[cfg_attr(
        not(feature = "postgres"),
        allow(dead_code, reason = "SQLite computes within its statements")
    )]
    pub(crate) version: u64,
}

/// A number that no other state has.
fn next_version() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
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
        let dated = Remembered(vec![HashMap::default(); duties.len()]);
        let (stops_at_unreadable, failed, version) = (false, None, next_version());
        Self {
            slots,
            duties,
            seed,
            date,
            attempt,
            same,
            held,
            dated,
            people,
            stops_at_unreadable,
            failed,
            version,
        }
    }
}

/// The result of a duty for a record's date.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dated {
    /// Whether the duty keeps the record.
    pub(crate) keeps: bool,
    /// The day of the record, if it has one.
    pub(crate) day: Option<NaiveDate>,
    pub(crate) is_unreadable: bool,
}

/// A cache of each duty's results, by the date as text. Many records have the same date.
#[derive(Clone)]
struct Remembered(Vec<HashMap<Vec<u8>, Dated, BuildHasherDefault<DateHasher>>>);

/// Hashes the text of a date, eight bytes at a time. A count asks for every record, and the cache is small, so nobody gains by
/// texts that share a hash.
#[derive(Clone, Copy, Default)]
struct DateHasher(u64);

impl DateHasher {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for DateHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        self.mix(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }

    fn write_usize(&mut self, length: usize) {
        self.mix(length as u64);
    }

    fn finish(&self) -> u64 {
        // The upper bits depend on every byte.
        self.0.rotate_left(32)
    }
}

impl Remembered {
    /// The maximum number of cached dates per duty: those of about twenty years.
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

/// The state that the connection's functions share with the code that sets the work.
pub(crate) type Bench = Arc<Mutex<Option<Working>>>;

pub(crate) fn set(bench: &Bench, working: Option<Working>) {
    *bench.lock().unwrap_or_else(PoisonError::into_inner) = working;
}

/// The [version](Working::version) of the state, if there is one.
#[cfg(feature = "postgres")]
pub(crate) fn version(bench: &Bench) -> Option<u64> {
    bench.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|working| working.version)
}

/// Sets the people for whom texts are searched.
pub(crate) fn search_for(bench: &Bench, people: People) {
    if let Some(working) = bench.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        working.people = people;
        working.version = next_version();
    }
}

/// Lets an unreadable value stop the count.
pub(crate) fn stop_at_unreadable(bench: &Bench) {
    if let Some(working) = bench.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        working.stops_at_unreadable = true;
        working.version = next_version();
    }
}

/// Why a function failed, if one did.
pub(crate) fn take_failure(bench: &Bench) -> Option<String> {
    take_unreadable(bench).map(|why| why.to_string())
}

/// The same, with the way out as its own part.
pub(crate) fn take_unreadable(bench: &Bench) -> Option<Unreadable> {
    bench.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.failed.take()
}

/// Notes that something cannot be read, as if a function had failed.
pub(crate) fn put_unreadable(bench: &Bench, why: Unreadable) {
    if let Some(working) = bench.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        working.failed = Some(why);
    }
}

/// Why a value cannot be computed: a bug of ours, or an unreadable value.
pub(crate) enum Failure {
    Ours(&'static str),
    Unreadable(Unreadable),
}

impl From<Unreadable> for Failure {
    fn from(why: Unreadable) -> Self {
        Self::Unreadable(why)
    }
}

/// Runs a computation while a treatment is carried out or counted. Stores why a value cannot be read, because the
/// database's own message would not say it.
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
    /// The slot with this number.
    fn slot(&self, n: usize) -> Result<&Slot, Failure> {
        self.slots.get(n).ok_or(Failure::Ours("no such field"))
    }

    /// The new value.
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

    /// Whether a value is the output of a slot. Most rows of a placeholder have the same text, so that text is
    /// compared first.
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

    /// The general form of a value.
    pub(crate) fn general(&self, n: usize, value: Cell<'_>) -> Result<Value, Failure> {
        let general = match self.slot(n)?.strategy.reveals() {
            Reveals::Only(general) => Some(general),
            _ => None,
        };
        Ok(as_it_stays(general, &value.to_value(), self.date))
    }

    /// The placeholder's text of the day, if it is the same for every row.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only SQLite asks once for all rows"))]
    pub(crate) fn of_day(&self, n: usize) -> Result<Option<String>, Failure> {
        self.slot(n)?;
        Ok(self.same.get(n).cloned().flatten())
    }

    /// The new value of a document, or of a value inside it.
    pub(crate) fn json<'v>(
        &self,
        n: usize,
        old: Cell<'v>,
        key: impl Iterator<Item = Cell<'v>> + Clone,
    ) -> Result<Value, Failure> {
        Ok(self.treated(self.slot(n)?, old, key)?)
    }

    /// Whether a value inside a document is an erased value.
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

    /// Whether a text that a duty has released mentions a customer of the batch.
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

    /// The new value of a text that a duty has released.
    pub(crate) fn release<'v>(
        &self,
        n: usize,
        old: Cell<'v>,
        key: impl Iterator<Item = Cell<'v>> + Clone,
    ) -> Result<Value, Failure> {
        Ok(self.released(self.slot(n)?, old, key)?)
    }

    /// The number of uncertain mentions of a customer in a text.
    pub(crate) fn uncertain(&self, n: usize, value: Cell<'_>, customer: usize) -> Result<usize, Failure> {
        Ok(self.people.uncertain(self.slot(n)?, value, customer))
    }

    /// The number of what a value becomes.
    pub(crate) fn by_content(&self, n: usize, value: Cell<'_>) -> Result<u64, Failure> {
        Ok(ByContent::code(json_fields::by_content(self.slot(n)?, value)))
    }

    /// The result of a duty, by its number, for a date as the duty's field stores it. There is no upper limit for
    /// dates here, because no day is known.
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

/// The same as [`Strategy::holds`], without a copy of the text.
pub(crate) fn holds(strategy: &Strategy, value: Cell<'_>) -> bool {
    match value {
        Cell::Text(bytes) => std::str::from_utf8(bytes).is_ok_and(|text| strategy.holds_text(text)),
        other => strategy.holds(&other.to_value()),
    }
}

/// A value as text for a comparison. NULL and bytes have no text.
fn as_text(value: Cell<'_>) -> Option<String> {
    match value {
        Cell::Text(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
        Cell::Integer(number) => Some(number.to_string()),
        Cell::Real(number) => Some(format!("{number:?}")),
        Cell::Null | Cell::Blob(_) => None,
    }
}

/// A value in the form in which a link compares it. A blank text is no value, and leads nowhere.
pub(crate) fn compared(compare: Compare, value: Cell<'_>) -> Option<String> {
    let text = as_text(value)?;
    let folds = matches!(compare, Compare::NoCase | Compare::Normalised);
    if folds && text.trim().is_empty() {
        return None;
    }
    Some(match compare {
        Compare::Exact | Compare::Text => text,
        Compare::NoCase => case_folded(&text),
        Compare::Normalised => normalised(&text),
    })
}

/// A key's values, each with its type and its length before it, so that two different keys never look the same.
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
