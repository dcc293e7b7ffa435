//! The functions that SQLite's statements call. They pass their arguments to [`Working`].

use std::sync::Arc;

use chrono::{Datelike as _, NaiveDate};
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, Value as SqlValue};

use super::session::cell;
use crate::data_map::{DateForm, Value};
use crate::hex;
use crate::store::sql::values::{self, Bench, Dated, Failure, Working, compared};
use crate::store::sql::{Bound, Cell, Compare, ReadAs, date_forms, document_shapes, is_unsearchable};

/// Registers the functions. None of them can be called from a schema or a trigger.
///
/// | function | result |
/// |---|---|
/// | `relinquish_kept(duty, date)` | whether a duty keeps a record |
/// | `relinquish_day(duty, date)` | the day of a record's date, counted from the year 1 |
/// | `relinquish_unreadable(duty, date)` | whether the date cannot be read |
/// | `relinquish_value(slot, old, key…)` | the new value |
/// | `relinquish_holds(slot, value)` | whether a value is an erased value |
/// | `relinquish_general(slot, value)` | the general form of a value |
/// | `relinquish_of_day(slot)` | the placeholder's text of the day |
/// | `relinquish_json`, `relinquish_json_holds` | the same inside a document |
/// | `relinquish_mentions(slot, value, n, key…)` | whether a text mentions customer n |
/// | `relinquish_release(slot, value, key…)` | the new value of a text that a duty has released |
/// | `relinquish_released(slot, value, n, key…)` | whether a text that a duty has released mentions customer n |
pub(super) fn register(connection: &Connection, bench: &Bench) -> rusqlite::Result<()> {
    register_comparisons(connection)?;
    register_duty(connection, bench, "relinquish_kept", |date| date.keeps.into())?;
    register_duty(connection, bench, "relinquish_day", |date| {
        date.day.map_or(SqlValue::Null, |day| day.num_days_from_ce().into())
    })?;
    register_duty(connection, bench, "relinquish_unreadable", |date| date.is_unreadable.into())?;
    let door = Door { connection, bench };
    door.open("relinquish_value", -1, |working, context| {
        working.value(number(context, 0)?, argument(context, 1), key(context, 2)).map(owned)
    })?;
    door.open("relinquish_holds", 2, |working, context| {
        working.holds(number(context, 0)?, argument(context, 1)).map(SqlValue::from)
    })?;
    door.open("relinquish_general", 2, |working, context| {
        working.general(number(context, 0)?, argument(context, 1)).map(owned)
    })?;
    door.open("relinquish_json", -1, |working, context| {
        working.json(number(context, 0)?, argument(context, 1), key(context, 2)).map(owned)
    })?;
    door.open("relinquish_json_holds", -1, |working, context| {
        working.json_holds(number(context, 0)?, argument(context, 1), key(context, 2)).map(SqlValue::from)
    })?;
    door.open("relinquish_mentions", -1, |working, context| {
        let (slot, n) = (number(context, 0)?, number(context, 2)?);
        working.mentions(slot, argument(context, 1), n, key(context, 3)).map(SqlValue::from)
    })?;
    door.open("relinquish_released", -1, |working, context| {
        let (slot, n) = (number(context, 0)?, number(context, 2)?);
        working.is_released(slot, argument(context, 1), n, key(context, 3)).map(SqlValue::from)
    })?;
    door.open("relinquish_release", -1, |working, context| {
        working.release(number(context, 0)?, argument(context, 1), key(context, 2)).map(owned)
    })?;
    door.open("relinquish_uncertain", 3, |working, context| {
        let count = working.uncertain(number(context, 0)?, argument(context, 1), number(context, 2)?)?;
        Ok(i64::try_from(count).unwrap_or(i64::MAX).into())
    })?;
    door.open("relinquish_by_content", 2, |working, context| {
        let code = working.by_content(number(context, 0)?, argument(context, 1))?;
        Ok(i64::try_from(code).unwrap_or(i64::MAX).into())
    })?;
    // The result is the same throughout a statement, so SQLite calls the function once.
    door.open_with("relinquish_of_day", 1, FunctionFlags::SQLITE_DETERMINISTIC, |working, context| {
        Ok(working.of_day(number(context, 0)?)?.map_or(SqlValue::Null, SqlValue::Text))
    })
}

/// Registers the functions of a census. `relinquish_unsearchable(value, n)`: whether a value cannot be read in the
/// `n`th way of [`ReadAs::ALL`]. `relinquish_no_date(n, value, day)`: whether a value of date field `n` cannot be
/// read on a day, counted from the year 1. `relinquish_misshapen(n, value)`: whether document `n` has another shape than
/// the map says.
pub(super) fn register_census(connection: &Connection, bound: &Bound) -> rusqlite::Result<()> {
    let pure = FLAGS | FunctionFlags::SQLITE_DETERMINISTIC;
    let forms = date_forms(bound);
    connection.create_scalar_function("relinquish_no_date", 3, pure, move |context| {
        let (n, day): (i64, i32) = (context.get(0)?, context.get(2)?);
        let day = NaiveDate::from_num_days_from_ce_opt(day);
        let read = |form: &DateForm| form.read_stored(argument(context, 1).stored(), day);
        Ok(usize::try_from(n).ok().and_then(|n| forms.get(n)).is_some_and(|form| read(form).is_unreadable()))
    })?;
    let shapes = document_shapes(bound);
    connection.create_scalar_function("relinquish_misshapen", 2, pure, move |context| {
        let n: i64 = context.get(0)?;
        let shape = usize::try_from(n).ok().and_then(|n| shapes.get(n));
        Ok(shape.is_some_and(|shape| shape.is_another(argument(context, 1))))
    })?;
    connection.create_scalar_function("relinquish_unsearchable", 2, pure, |context| {
        let read_as: i64 = context.get(1)?;
        let read_as = usize::try_from(read_as).ok().and_then(|n| ReadAs::ALL.get(n));
        Ok(read_as.is_none_or(|read_as| is_unsearchable(argument(context, 0), *read_as)))
    })
}

/// Registers functions for values as links compare them, and for bytes from hexadecimal digits.
fn register_comparisons(connection: &Connection) -> rusqlite::Result<()> {
    let pure = FLAGS | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("relinquish_bytes", 1, pure, |context| {
        let digits: String = context.get(0)?;
        hex::decode(digits).map_err(|_| failure("no bytes"))
    })?;
    connection.create_scalar_function("relinquish_nocase", 1, pure, |context| {
        Ok(compared(Compare::NoCase, argument(context, 0)))
    })?;
    connection.create_scalar_function("relinquish_normalised", 1, pure, |context| {
        Ok(compared(Compare::Normalised, argument(context, 0)))
    })
}

const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DIRECTONLY);

/// Registers functions that use the shared state.
struct Door<'d> {
    connection: &'d Connection,
    bench: &'d Bench,
}

impl Door<'_> {
    fn open(
        &self,
        name: &str,
        arguments: i32,
        work: fn(&mut Working, &Context<'_>) -> Result<SqlValue, Failure>,
    ) -> rusqlite::Result<()> {
        self.open_with(name, arguments, FunctionFlags::empty(), work)
    }

    fn open_with(
        &self,
        name: &str,
        arguments: i32,
        further: FunctionFlags,
        work: fn(&mut Working, &Context<'_>) -> Result<SqlValue, Failure>,
    ) -> rusqlite::Result<()> {
        let bench = Arc::clone(self.bench);
        self.connection.create_scalar_function(name, arguments, FLAGS | further, move |context| {
            let value = values::with(&bench, |working| work(working, context)).map_err(failure)?;
            Ok(ToSqlOutput::Owned(value))
        })
    }
}

/// Registers a function of a duty's number and a record's date as it is stored.
fn register_duty(
    connection: &Connection,
    bench: &Bench,
    name: &str,
    answer: fn(Dated) -> SqlValue,
) -> rusqlite::Result<()> {
    let bench = Arc::clone(bench);
    connection.create_scalar_function(name, 2, FLAGS, move |context| {
        let answered = values::with(&bench, |working| {
            working.duty(number(context, 0)?, argument(context, 1)).map(answer)
        });
        answered.map_err(failure)
    })
}

fn failure(what: &str) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(what.into())
}

fn argument<'c>(context: &'c Context<'_>, n: usize) -> Cell<'c> {
    cell(context.get_raw(n))
}

/// An index into a list.
fn number(context: &Context<'_>, n: usize) -> Result<usize, Failure> {
    match argument(context, n) {
        Cell::Integer(number) => usize::try_from(number).map_err(|_| Failure::Ours("no such place")),
        _ => Err(Failure::Ours("no place")),
    }
}

/// The values of a key, starting at an argument.
fn key<'c>(context: &'c Context<'_>, from: usize) -> impl Iterator<Item = Cell<'c>> + Clone {
    (from..context.len()).map(move |n| argument(context, n))
}

fn owned(value: Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Integer(number) => SqlValue::Integer(number),
        Value::Real(number) => SqlValue::Real(number),
        Value::Text(text) => SqlValue::Text(text),
        Value::Blob(bytes) => SqlValue::Blob(bytes),
    }
}
