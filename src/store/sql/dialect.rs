//! The SQL dialect of a database.
//!
//! Most of the generated SQL is the same for every database: names in double quotes, `CASE`, `EXISTS`, `WITH … AS
//! MATERIALIZED`, `TRUE` and `FALSE`. Stored flags are the numbers 0 and 1, and conditions are booleans. The two are
//! never mixed, although SQLite would allow it. Each difference is one method here. Each method says how PostgreSQL
//! will spell it.

use std::fmt;

use super::links::Compare;
use crate::data_map::{Datatype, Value};

/// The SQL of a database.
pub(crate) trait Dialect: fmt::Debug + Send + Sync {
    /// The name of the database in errors.
    fn name(&self) -> &'static str;

    /// The name of one of the host's tables. In PostgreSQL with the schema of the map: `"public"."orders"`.
    fn table(&self, name: &str) -> String;

    /// The name of a temporary table. Only this session sees it, and no file stores it. In PostgreSQL
    /// `pg_temp.relinquish_batch`.
    fn own_table(&self, name: &str) -> String;

    /// Creates a temporary table, unless it exists. A column that is [like](Holds::Like) one of the host's columns
    /// must compare with that column without a conversion. Otherwise no index can be used. In PostgreSQL `CREATE
    /// TEMPORARY TABLE … AS SELECT … WITH NO DATA`, so that the column has the type of the host's column.
    fn create(&self, table: &OwnTable) -> String;

    /// The statement that lets the database note each row that is added to a host's table, by its handle, in a temporary
    /// table. `None` for a database whose session [counts](super::session::Session::by_triggers) them. `name` is unique.
    fn note_added(&self, name: &str, table: &str, into: &str, handle: &[String]) -> Option<String>;

    /// The statements that let the database note each row of a host's table that is added, changed or deleted, whoever does
    /// it. [`by_triggers`](super::session::Session::by_triggers) reads them. Empty for a database that counts such rows itself.
    fn note_changed(&self, number: usize, table: &str, handle: &[String]) -> Vec<String>;

    /// The n-th parameter, counted from 1. In PostgreSQL `$1`.
    fn parameter(&self, n: usize) -> String;

    /// Makes a table of a parameter, with these columns and with `place`, which counts the rows from 0. The parameter
    /// is a JSON array, made by [`json_rows`](super::spelling::json_rows): an array for each row, or a plain value if
    /// there is one column. In PostgreSQL `jsonb_array_elements($1) WITH ORDINALITY`, with a cast to each column's
    /// type.
    fn rows(&self, parameter: usize, columns: &[(String, Datatype)]) -> String;

    /// A constant. PostgreSQL writes bytes as `'\x00'::bytea`.
    fn literal(&self, value: &Value) -> String;

    /// The text of a parameter that holds UTF-8 bytes. In PostgreSQL `convert_from($1, 'UTF8')`.
    fn text_of_bytes(&self, parameter: &str) -> String;

    /// True if both values are the same or both are NULL. In PostgreSQL `a IS NOT DISTINCT FROM b`.
    fn is(&self, one: &str, other: &str) -> String;

    /// True if [`is`](Self::is) is false.
    fn is_not(&self, one: &str, other: &str) -> String;

    /// Adds the rows of a select to a temporary table, without rows that exist already. In PostgreSQL `INSERT … ON
    /// CONFLICT DO NOTHING`.
    fn add(&self, table: &str, columns: &str, select: &str) -> String;

    /// Adds the rows of a select to a host's table.
    fn insert(&self, table: &str, columns: &str, select: &str) -> String;

    /// Updates rows of a host's table, which has this alias in the condition and in the new values. `sets` are columns
    /// of the table, each with its new value.
    fn update(&self, table: &str, alias: &str, sets: &[(String, String)], which: &str) -> String;

    /// Deletes rows of a host's table, which has this alias in the condition.
    fn delete(&self, table: &str, alias: &str, which: &str) -> String;

    /// The text of a value in the type of a column of a host's table. NULL if the column cannot have such a value. In
    /// SQLite the value itself, because every column can be compared with every value.
    fn in_type_of(&self, table: &str, column: &str, value: &str) -> String;

    /// A select of rows that also locks them until the transaction ends. `None` if the whole database is locked
    /// already. In PostgreSQL `… FOR UPDATE`.
    fn locking(&self, select: &str, alias: &str) -> Option<String>;

    /// Joins a table after the tables before it, in exactly this order. The tables before it are small, but no
    /// statistics show that. In PostgreSQL `CROSS JOIN LATERAL (SELECT * FROM table AS x WHERE … OFFSET 0) AS x`.
    fn then(&self, table: &str, alias: &str, on: &str) -> String;

    /// The steps of a recursive query `name`, after its first select: for each step the columns, what is joined to the
    /// rows so far, and the condition. PostgreSQL allows one recursive select only, so there the steps are one.
    fn steps(&self, name: &str, steps: &[(String, String, String)]) -> String;

    /// The expression that compares a value. PostgreSQL compares without case by `lower(x COLLATE "und-x-icu")`, and
    /// normalised by `normalize(lower(trim(x)))`. Where this differs from the crate's own folding, it uses values
    /// that Rust computed.
    fn compared(&self, compare: Compare, value: &str) -> String;

    /// True if the values at both ends of a link are equal. Each comes with its type, if known. Uses an index on
    /// either side where possible. In PostgreSQL also for different types: a text that is no number equals no number.
    fn equal(
        &self,
        compare: Compare,
        near: (&str, Option<Datatype>),
        far: (&str, Option<Datatype>),
    ) -> String;

    /// The value as a text that distinguishes 1 from '1' and is never NULL. In PostgreSQL `quote_nullable(x)`.
    fn spelled(&self, value: &str) -> String;

    /// A column that is compared with columns of several types. In PostgreSQL `x::text`.
    fn untyped(&self, column: &str) -> String;

    /// The expression of a result that Rust computes from a value of a row. SQLite calls one of our functions inside
    /// the statement.
    ///
    /// PostgreSQL cannot run our functions. There the expression looks a result up in a temporary table, by all its
    /// arguments. The session runs a statement that only reads once more, until no result is missing; after each run
    /// it computes the missing results with the same [`Working`](super::values::Working) and adds them to the table.
    /// For a statement that writes, it first does the same with a select of the same rows and values, which
    /// [`update`](Self::update), [`delete`](Self::delete) and [`add`](Self::add) write beside the statement.
    fn computed(&self, what: &Computed<'_>) -> String;
}

/// A temporary table of the session.
#[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "SQLite needs the types alone"))]
pub(crate) struct OwnTable {
    pub(crate) name: String,
    /// The host's table of the columns that are [like](Holds::Like) one of its columns.
    pub(crate) like: String,
    pub(crate) columns: Vec<(String, Holds)>,
    /// The columns of its primary key.
    pub(crate) key: Vec<String>,
    /// Whether its rows are numbered in the order in which they come, in the column `born`. A row that comes after `n` others
    /// since the table was empty has a number greater than `n`.
    pub(crate) is_numbered: bool,
}

/// The content of a column of a temporary table.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(all(feature = "sqlite", feature = "postgres")),
    allow(dead_code, reason = "a database needs the type or the column")
)]
pub(crate) enum Holds {
    /// Values of a column of the table that the table is [like](OwnTable::like), with its type if known.
    Like {
        column: String,
        datatype: Option<Datatype>,
    },
    /// Values of a column of another table of the host's, or NULL unless it is in the key.
    Of {
        table: String,
        column: String,
        datatype: Option<Datatype>,
    },
    /// A number.
    Number,
    /// 0 or 1; the default is 0.
    Flag,
    Text,
    /// A text, or NULL.
    MaybeText,
}

/// A computation on a value of a row. Values are SQL expressions; keys are lists of expressions.
pub(crate) enum Computed<'c> {
    /// The new value of a field.
    Value { slot: usize, old: &'c str, key: &'c str },
    /// The new value of a document, or of a value inside it.
    Json { slot: usize, old: &'c str, key: &'c str },
    /// The new value of a text that a duty has released.
    Release { slot: usize, old: &'c str, key: &'c str },
    /// The general form of a value.
    General { slot: usize, value: &'c str },
    /// Whether a value is an erased value.
    Holds { slot: usize, value: &'c str },
    /// Whether a value is an erased value, where most rows hold the same text of the day.
    HoldsOfDay { slot: usize, value: &'c str },
    /// Whether a value inside a document is an erased value.
    JsonHolds { slot: usize, value: &'c str, key: &'c str },
    /// Whether a text mentions the customer with this number in the batch.
    Mentions { slot: usize, value: &'c str, n: &'c str, key: &'c str },
    /// Whether a text that a duty has released mentions the customer.
    Released { slot: usize, value: &'c str, n: &'c str, key: &'c str },
    /// The number of uncertain mentions of the customer.
    Uncertain { slot: usize, value: &'c str, n: &'c str },
    /// What a value becomes, as the number of a [`ByContent`](crate::anonymise::by_content::ByContent).
    ByContent { slot: usize, value: &'c str },
    /// The new value of a searched text, as a text if the old value is one. SQLite keeps a text's bytes as they are,
    /// even if they are not UTF-8.
    Redacted { slot: usize, old: &'c str, key: &'c str },
    /// Whether a duty keeps a record with this date.
    Kept { duty: usize, date: &'c str },
    /// The day of a date, counted from the year 1.
    Day { duty: usize, date: &'c str },
    /// Whether the date cannot be read.
    Unreadable { duty: usize, date: &'c str },
    /// Whether a value of a date field cannot be read on a day, counted from the year 1.
    NoDate { field: usize, value: &'c str, day: i32 },
    /// Whether a value cannot be read in the required way.
    Unsearchable { value: &'c str, read_as: ReadAs },
    /// Whether a document has another shape than the map says.
    Misshapen { document: usize, value: &'c str },
}

/// How an erasure may have to read a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadAs {
    /// As a text that is searched.
    Text,
    /// As a text that is searched, and by which a person is found.
    Identifier,
    /// As a value by which a person is found.
    Value,
    /// As a JSON document.
    Document,
}

impl ReadAs {
    /// All ways, in the order of their numbers in statements.
    pub(crate) const ALL: [Self; 4] = [Self::Text, Self::Identifier, Self::Value, Self::Document];
}
