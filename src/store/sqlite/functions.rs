//! Strategies as SQL functions, so that a statement treats a whole set of rows.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use unicode_normalization::UnicodeNormalization;

use super::json_fields;
use super::mentions::People;
use super::reading::Unreadable;
use crate::anonymise::json::Pointer;
use crate::anonymise::{Draw, Reveals, Seed, Strategy};
use crate::data_map::{ClassName, FieldName, ReadDate, RecordKey, Stored, Value};
use crate::policy::{UnderDuty, as_it_stays};
use crate::sqlite;

/// A field and what is written to it.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) class: ClassName,
    pub(super) field: FieldName,
    pub(super) strategy: Strategy,
    /// Where it is in the JSON document that the column holds, if it is within one.
    pub(super) place: Option<Place>,
    /// What becomes of a value that cannot be read. None: it stops the erasure of its customer.
    pub(super) otherwise: Option<Strategy>,
    /// What becomes of a searched text that a duty has released, once nobody can be looked for.
    pub(super) after_duty: Option<Strategy>,
    /// Whether the record's key may be named.
    pub(super) shows_key: bool,
}

/// A place in the document of a column.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) pointer: Pointer,
    /// What is left out there, because it is a field of its own.
    pub(super) others: Vec<Pointer>,
}

/// What the functions work with while a treatment is carried out or counted.
#[derive(Clone, Debug)]
pub(super) struct Working {
    pub(super) slots: Arc<[Slot]>,
    /// What duties keep, in the order of the script.
    pub(super) duties: Arc<[UnderDuty]>,
    pub(super) seed: Option<Seed>,
    pub(super) date: NaiveDate,
    pub(super) attempt: u32,
    /// What each slot writes where that is the same for every row.
    same: Vec<Option<String>>,
    /// What was last found to be what a slot writes, where that is the same for every row of a day.
    held: Vec<Option<String>>,
    /// Whom texts are searched for.
    pub(super) people: People,
    /// Whether a value that cannot be read stops a count. Elsewhere it counts as one that is not erased yet.
    pub(super) stops_at_unreadable: bool,
    /// Why a function failed: SQLite's own words for it would not say.
    failed: Option<Unreadable>,
}

impl Working {
    pub(super) fn new(
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
        let (stops_at_unreadable, failed) = (false, None);
        Self { slots, duties, seed, date, attempt, same, held, people, stops_at_unreadable, failed }
    }
}

/// Shared between the connection's functions and whoever sets the work.
pub(super) type Bench = Arc<Mutex<Option<Working>>>;

pub(super) fn set(bench: &Bench, working: Option<Working>) {
    *bench.lock().unwrap_or_else(PoisonError::into_inner) = working;
}

/// Whom the texts are searched for, from now on.
pub(super) fn search_for(bench: &Bench, people: People) {
    if let Some(working) = bench.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        working.people = people;
    }
}

/// A value that cannot be read stops the count from now on.
pub(super) fn stop_at_unreadable(bench: &Bench) {
    if let Some(working) = bench.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        working.stops_at_unreadable = true;
    }
}

/// Why a function failed, if one has.
pub(super) fn take_failure(bench: &Bench) -> Option<String> {
    take_unreadable(bench).map(|why| why.to_string())
}

/// The same, with the way out apart.
pub(super) fn take_unreadable(bench: &Bench) -> Option<Unreadable> {
    bench.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.failed.take()
}

/// Something cannot be read, as if a function had failed at it.
pub(super) fn put_unreadable(bench: &Bench, why: Unreadable) {
    if let Some(working) = bench.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        working.failed = Some(why);
    }
}

/// `relinquish_kept(duty, date)` says whether a duty keeps a record, `relinquish_day(duty, date)` on which day it is
/// dated if so, `relinquish_unreadable(duty, date)` whether the date cannot be read; `relinquish_value(slot, old, key…)` gives what becomes of a value, `relinquish_holds(slot, value)` whether it is
/// erased, `relinquish_general(slot, value)` what is left of it once it is made general, `relinquish_of_day(slot)` what a
/// placeholder is on the day; `relinquish_json` and `relinquish_json_holds` do so within a document.
/// `relinquish_mentions(slot, value, n, key…)` says whether a text mentions customer n; `relinquish_release(slot, value, key…)`
/// and `relinquish_released(slot, value, n, key…)` are about texts that a duty has released. None can be called from a schema
/// or a trigger.
pub(super) fn register(connection: &Connection, bench: &Bench) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    register_duty(connection, bench, "relinquish_kept", |duty, date| duty.keeps(date.moment()).into())?;
    register_duty(connection, bench, "relinquish_day", |duty, date| {
        let day = duty.day(date.moment()).filter(|_| duty.keeps(date.moment()));
        day.map_or(SqlValue::Null, |day| SqlValue::Text(day.to_string()))
    })?;
    register_duty(connection, bench, "relinquish_unreadable", |_, date| date.is_unreadable().into())?;
    let pure = flags | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("relinquish_bytes", 1, pure, |context| {
        let digits: String = context.get(0)?;
        hex::decode(digits).map_err(|_| failure("no bytes"))
    })?;
    connection.create_scalar_function("relinquish_nocase", 1, pure, |context| {
        Ok(as_text(context.get_raw(0)).map(|text| caseless::default_case_fold_str(&text)))
    })?;
    connection.create_scalar_function("relinquish_normalised", 1, pure, |context| {
        Ok(as_text(context.get_raw(0)).map(|text| {
            let composed: String = text.trim().nfc().collect();
            let folded: String = caseless::default_case_fold_str(&composed).nfc().collect();
            folded
        }))
    })?;
    let working = Arc::clone(bench);
    connection.create_scalar_function("relinquish_value", -1, flags, move |context| {
        reading(&working, context, |working, n, slot| {
            if matches!(slot.strategy, Strategy::Redact { .. }) {
                return Ok(working.redacted(slot, context.get_raw(1), key(context, 2)));
            }
            if holds(&slot.strategy, context.get_raw(1)) {
                return Ok(Ok(sqlite::owned(context.get_raw(1))?));
            }
            if let Some(Some(text)) = working.same.get(n) {
                return Ok(Ok(SqlValue::Text(text.clone())));
            }
            let seed = working.seed.as_ref().ok_or_else(|| failure("no seed"))?;
            let key = RecordKey::new(key_text(context));
            let draw = Draw {
                seed,
                class: &slot.class,
                key: &key,
                field: &slot.field,
                attempt: working.attempt,
                date: working.date,
            };
            Ok(Ok(owned(slot.strategy.fresh(&from_sql(context.get_raw(1)), &draw))))
        })
    })?;
    let working = Arc::clone(bench);
    connection.create_scalar_function("relinquish_holds", 2, flags, move |context| {
        let mut guard = working.lock().unwrap_or_else(PoisonError::into_inner);
        guard.as_mut().ok_or_else(idle)?.holds(slot_number(context)?, context.get_raw(1))
    })?;
    let working = Arc::clone(bench);
    connection.create_scalar_function("relinquish_general", 2, flags, move |context| {
        with_slot(&working, context, |working, _, slot| {
            let general = match slot.strategy.reveals() {
                Reveals::Only(general) => Some(general),
                _ => None,
            };
            Ok(to_sql(as_it_stays(general, &from_sql(context.get_raw(1)), working.date)))
        })
    })?;
    let working = Arc::clone(bench);
    // The same throughout a statement, so SQLite asks once.
    let constant = flags | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("relinquish_of_day", 1, constant, move |context| {
        with_slot(&working, context, |working, n, _| Ok(working.same.get(n).cloned().flatten()))
    })?;
    register_searches(connection, bench, flags)?;
    let working = Arc::clone(bench);
    connection.create_scalar_function("relinquish_json", -1, flags, move |context| {
        reading(&working, context, |working, _, slot| {
            Ok(working.treated(slot, context.get_raw(1), key(context, 2)))
        })
    })?;
    let working = Arc::clone(bench);
    connection.create_scalar_function("relinquish_json_holds", -1, flags, move |context| {
        reading(&working, context, |working, _, slot| {
            let value = context.get_raw(1);
            let held = json_fields::is_held(slot, &slot.strategy, value, key(context, 2));
            Ok(working.is_pending(slot, value, held.map(|held| !held)).map(|pending| !pending))
        })
    })
}

/// The functions that search texts.
fn register_searches(connection: &Connection, bench: &Bench, flags: FunctionFlags) -> rusqlite::Result<()> {
    let working = Arc::clone(bench);
    connection.create_scalar_function("relinquish_mentions", -1, flags, move |context| {
        let n = usize::try_from(context.get::<i64>(2)?).unwrap_or(usize::MAX);
        reading(&working, context, |working, _, slot| {
            let value = context.get_raw(1);
            Ok(working.is_pending(slot, value, working.people.mentions(slot, value, n, key(context, 3))))
        })
    })?;
    let working = Arc::clone(bench);
    connection.create_scalar_function("relinquish_released", -1, flags, move |context| {
        let n = usize::try_from(context.get::<i64>(2)?).unwrap_or(usize::MAX);
        reading(&working, context, |working, _, slot| {
            let value = context.get_raw(1);
            let pending = match slot.after_duty.as_ref().filter(|_| working.people.is_erased(n)) {
                Some(after) => json_fields::is_held(slot, after, value, key(context, 3)).map(|held| !held),
                None => working.people.mentions(slot, value, n, key(context, 3)),
            };
            Ok(working.is_pending(slot, value, pending))
        })
    })?;
    let working = Arc::clone(bench);
    connection.create_scalar_function("relinquish_release", -1, flags, move |context| {
        reading(&working, context, |working, _, slot| {
            Ok(working.released(slot, context.get_raw(1), key(context, 2)))
        })
    })?;
    let working = Arc::clone(bench);
    connection.create_scalar_function("relinquish_uncertain", 3, flags, move |context| {
        let n = usize::try_from(context.get::<i64>(2)?).unwrap_or(usize::MAX);
        with_slot(&working, context, |working, _, slot| {
            let count = working.people.uncertain(slot, context.get_raw(1), n);
            Ok(i64::try_from(count).unwrap_or(i64::MAX))
        })
    })
}

/// A function of a duty, by its number, and a record's date as it is stored.
fn register_duty(
    connection: &Connection,
    bench: &Bench,
    name: &str,
    answer: fn(&UnderDuty, ReadDate) -> SqlValue,
) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    let working = Arc::clone(bench);
    connection.create_scalar_function(name, 2, flags, move |context| {
        let guard = working.lock().unwrap_or_else(PoisonError::into_inner);
        let n = usize::try_from(context.get::<i64>(0)?).unwrap_or(usize::MAX);
        let found = guard.as_ref().and_then(|working| Some((working.duties.get(n)?, working.date)));
        let (duty, day) = found.ok_or_else(|| failure("no such duty"))?;
        Ok(answer(duty, read_date(duty, context.get_raw(1), day)))
    })
}

fn failure(what: &str) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(what.into())
}

fn idle() -> rusqlite::Error {
    failure("nothing is being treated")
}

fn no_such_field() -> rusqlite::Error {
    failure("no such field")
}

fn slot_number(context: &Context<'_>) -> rusqlite::Result<usize> {
    usize::try_from(context.get::<i64>(0)?).map_err(|_| no_such_field())
}

/// As [`with_slot`]. Why a value cannot be read is kept, because SQLite's own words would not say.
fn reading<T>(
    bench: &Bench,
    context: &Context<'_>,
    work: impl FnOnce(&Working, usize, &Slot) -> rusqlite::Result<Result<T, Unreadable>>,
) -> rusqlite::Result<T> {
    with_slot(bench, context, work)?.map_err(|why| {
        if let Some(working) = bench.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            working.failed = Some(why);
        }
        failure("a value cannot be read")
    })
}

fn with_slot<T>(
    bench: &Bench,
    context: &Context<'_>,
    work: impl FnOnce(&Working, usize, &Slot) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let guard = bench.lock().unwrap_or_else(PoisonError::into_inner);
    let working = guard.as_ref().ok_or_else(idle)?;
    let n = slot_number(context)?;
    work(working, n, working.slots.get(n).ok_or_else(no_such_field)?)
}

impl Working {
    /// Whether a value is what a slot writes. Most rows of a placeholder have the same text, which is looked at once.
    fn holds(&mut self, n: usize, value: ValueRef<'_>) -> rusqlite::Result<bool> {
        let slot = self.slots.get(n).ok_or_else(no_such_field)?;
        let last = self.held.get_mut(n).ok_or_else(no_such_field)?;
        if let (Some(last), ValueRef::Text(bytes)) = (&last, value)
            && last.as_bytes() == bytes
        {
            return Ok(true);
        }
        let holds = holds(&slot.strategy, value);
        if let (true, Strategy::Placeholder(template), ValueRef::Text(bytes)) = (holds, &slot.strategy, value)
            && !template.is_unique()
        {
            *last = std::str::from_utf8(bytes).ok().map(str::to_owned);
        }
        Ok(holds)
    }
}

/// [`Strategy::holds`], without taking a copy of a text.
pub(super) fn holds(strategy: &Strategy, value: ValueRef<'_>) -> bool {
    match value {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).is_ok_and(|text| strategy.holds_text(text)),
        other => strategy.holds(&from_sql(other)),
    }
}

/// The values of a key, from an argument on.
fn key<'c>(context: &'c Context<'_>, from: usize) -> impl Iterator<Item = ValueRef<'c>> + Clone {
    (from..context.len()).map(|n| context.get_raw(n))
}

/// A value as text, to be compared. NULL and bytes are none.
fn as_text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(format!("{number:?}")),
        ValueRef::Null | ValueRef::Blob(_) => None,
    }
}

/// The key's values, each with its type and its length before it, so that no two keys look the same.
fn key_text(context: &Context<'_>) -> String {
    key_of((2..context.len()).map(|n| context.get_raw(n)))
}

/// The same of values that were read.
pub(super) fn key_of<'v>(values: impl Iterator<Item = ValueRef<'v>>) -> String {
    let mut text = String::new();
    for value in values {
        let (kind, part) = match value {
            ValueRef::Null => ('n', String::new()),
            ValueRef::Integer(number) => ('i', number.to_string()),
            ValueRef::Real(number) => ('r', number.to_string()),
            ValueRef::Text(bytes) => ('t', String::from_utf8_lossy(bytes).into_owned()),
            ValueRef::Blob(bytes) => ('b', hex::encode(bytes)),
        };
        // Writing to a String never fails.
        let _ = write!(text, "{kind}{}:{part}", part.len());
    }
    text
}

/// A record's date, as the duty's field stores it. Nobody counts by a day that is not known.
fn read_date(duty: &UnderDuty, value: ValueRef<'_>, day: NaiveDate) -> ReadDate {
    duty.form.read_stored(stored(value), (day != NaiveDate::MIN).then_some(day))
}

/// A value to be read as a date, without taking a copy of a text.
pub(super) fn stored(value: ValueRef<'_>) -> Stored<'_> {
    match value {
        ValueRef::Null => Stored::Null,
        ValueRef::Integer(number) => Stored::Integer(number),
        ValueRef::Real(number) => Stored::Real(number),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).map_or(Stored::Bytes, Stored::Text),
        ValueRef::Blob(_) => Stored::Bytes,
    }
}

pub(super) fn from_sql(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

pub(super) fn to_sql(value: Value) -> ToSqlOutput<'static> {
    ToSqlOutput::Owned(owned(value))
}

pub(super) fn owned(value: Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Integer(number) => SqlValue::Integer(number),
        Value::Real(number) => SqlValue::Real(number),
        Value::Text(text) => SqlValue::Text(text),
        Value::Blob(bytes) => SqlValue::Blob(bytes),
    }
}
