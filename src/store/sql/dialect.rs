//! How SQL is spelled, where databases spell it differently.
//!
//! Most of what the frame writes is spelled alike everywhere: names in double quotes, `CASE`, `EXISTS`, `WITH … AS MATERIALIZED`,
//! `TRUE` and `FALSE`. What the frame writes down of a row is a number, 0 or 1, and what it asks is a condition; the two are not
//! mixed, although SQLite would let them be. What is left is here, one idea a method. Each says how PostgreSQL will spell it.

use std::fmt;

use super::links::Compare;
use crate::data_map::{Datatype, Value};

/// The SQL of a database.
pub(crate) trait Dialect: fmt::Debug + Send + Sync {
    /// What the database is called in errors.
    fn name(&self) -> &'static str;

    /// A table of the host's. In PostgreSQL with the schema of the map: `"public"."orders"`.
    fn table(&self, name: &str) -> String;

    /// A table of the session's own, which nobody else sees and no file holds. In PostgreSQL `pg_temp.relinquish_batch`.
    fn own_table(&self, name: &str) -> String;

    /// Makes such a table, unless it is there. A column that is [like](Holds::Like) one of the host's has to compare with it
    /// without a conversion, or no index serves. In PostgreSQL `CREATE TEMPORARY TABLE`; a type such as `uuid` is
    /// then said by the schema, and handed on here.
    fn create(&self, table: &OwnTable) -> String;

    /// The n-th parameter, counted from 1. In PostgreSQL `$1`.
    fn parameter(&self, n: usize) -> String;

    /// A parameter as a table with these columns, and with `place`, which counts the rows from 0: a JSON array as
    /// [`json_rows`](super::spelling::json_rows) writes it, of an array for each row, or of the values where there is one column.
    /// In PostgreSQL `jsonb_array_elements($1) WITH ORDINALITY`, with a cast to each column's type.
    fn rows(&self, parameter: usize, columns: &[(String, Datatype)]) -> String;

    /// A constant. PostgreSQL writes bytes as `'\x00'::bytea`.
    fn literal(&self, value: &Value) -> String;

    /// A parameter that holds the bytes of a text, as a text. PostgreSQL's texts are UTF-8: `convert_from($1, 'UTF8')`.
    fn text_of_bytes(&self, parameter: &str) -> String;

    /// True where both are the same or both are NULL. In PostgreSQL `a IS NOT DISTINCT FROM b`.
    fn is(&self, one: &str, other: &str) -> String;

    /// True where that is not so.
    fn is_not(&self, one: &str, other: &str) -> String;

    /// Adds the rows of a select to a table of the session's own, those left out that are there already. In PostgreSQL `INSERT …
    /// ON CONFLICT DO NOTHING`.
    fn add(&self, table: &str, columns: &str, select: &str) -> String;

    /// Joins a table behind what stands before it, in just this order: what stands before is small, and no statistics say so.
    /// PostgreSQL keeps to it with `CROSS JOIN LATERAL (SELECT * FROM table AS x WHERE … OFFSET 0) AS x`.
    fn then(&self, table: &str, alias: &str, on: &str) -> String;

    /// What a value is compared as. PostgreSQL compares without case by `lower(x COLLATE "und-x-icu")`, and normalised by
    /// `normalize(lower(trim(x)))`; where that is not the crate's own folding, by values that Rust computed.
    fn compared(&self, compare: Compare, value: &str) -> String;

    /// True where the values at both ends of a link are equal, each with its type as far as it is known. An index on either side
    /// serves where it can. In PostgreSQL also where types differ: a text that is no number equals no number.
    fn equal(
        &self,
        compare: Compare,
        near: (&str, Option<Datatype>),
        far: (&str, Option<Datatype>),
    ) -> String;

    /// A value as a text that tells 1 from '1' and is never NULL. In PostgreSQL `quote_nullable(x)`.
    fn spelled(&self, value: &str) -> String;

    /// A column that is compared with columns of several types. In PostgreSQL `x::text`.
    fn untyped(&self, column: &str) -> String;

    /// What Rust computes of a value of a row, as an expression. SQLite calls a function of ours from within the statement.
    ///
    /// PostgreSQL runs no function of ours. There the expression reads from a table of the session's own, by slot and by the row's
    /// handle: `(SELECT s.value FROM pg_temp.relinquish_staged AS s WHERE …)`. The [`Script`](super::script::Script) runs one
    /// statement after another; before each, its session reads the values of the rows that were found, has them computed by the
    /// same [`Working`](super::values::Working), and writes them there. *Which rows* stays SQL in both.
    fn computed(&self, what: &Computed<'_>) -> String;
}

/// A table of the session's own.
pub(crate) struct OwnTable {
    pub(crate) name: String,
    pub(crate) columns: Vec<(String, Holds)>,
    /// The columns of its primary key.
    pub(crate) key: Vec<String>,
}

/// What a column of such a table holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holds {
    /// Values of a column of the host's, of this type as far as it is known.
    Like(Option<Datatype>),
    /// A number.
    Number,
    /// 0 or 1; 0 unless it is said.
    Flag,
    Text,
    /// A text, or NULL.
    MaybeText,
}

/// A question about a value of a row. Values are SQL expressions, keys lists of them.
pub(crate) enum Computed<'c> {
    /// What becomes of a value.
    Value { slot: usize, old: &'c str, key: &'c str },
    /// What becomes of a document, or of a value within it.
    Json { slot: usize, old: &'c str, key: &'c str },
    /// What becomes of a text that a duty has released.
    Release { slot: usize, old: &'c str, key: &'c str },
    /// What is left of a value once it is made general.
    General { slot: usize, value: &'c str },
    /// Whether a value is erased.
    Holds { slot: usize, value: &'c str },
    /// The same where most rows hold one and the same text of the day.
    HoldsOfDay { slot: usize, value: &'c str },
    /// Whether a value within a document is erased.
    JsonHolds { slot: usize, value: &'c str, key: &'c str },
    /// Whether a text mentions a customer of the batch, by number.
    Mentions { slot: usize, value: &'c str, n: &'c str, key: &'c str },
    /// The same of a text that a duty has released.
    Released { slot: usize, value: &'c str, n: &'c str, key: &'c str },
    /// How many mentions of the customer are not certain.
    Uncertain { slot: usize, value: &'c str, n: &'c str },
    /// Whether a duty keeps a record of this date.
    Kept { duty: usize, date: &'c str },
    /// The day on which it is dated, if so: counted from the year 1.
    Day { duty: usize, date: &'c str },
    /// Whether the date cannot be read.
    Unreadable { duty: usize, date: &'c str },
    /// Whether a date field cannot be read from a value on a day, counted from the year 1.
    NoDate { field: usize, value: &'c str, day: i32 },
    /// Whether a value cannot be read as what it is read as.
    Unsearchable { value: &'c str, read_as: ReadAs },
}

/// As what an erasure may have to read a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadAs {
    /// A text that is searched.
    Text,
    /// A text that is searched, and by which a person is found.
    Identifier,
    /// A value by which a person is found.
    Value,
    /// A JSON document.
    Document,
}

impl ReadAs {
    /// All, in the order of their numbers in statements.
    pub(crate) const ALL: [Self; 4] = [Self::Text, Self::Identifier, Self::Value, Self::Document];
}
