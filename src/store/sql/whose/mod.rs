//! Whose a row is, as SQL: along a link from known rows to others, and the sets of rows that come of it.
//!
//! Each set is a table of the connection's own, one for each class. It holds rows by their [handle](BoundClass::handle). A
//! statement reads one set and adds to another; how often it runs is said in [`rounds`](super::run).

use std::fmt::Write as _;

use super::bind::{Bound, BoundClass, Rows};
use super::links::{Compare, Is};
use super::map::CustomersMap;
use super::spelling::{affinity, literal, quoted};
use super::way::BoundLink;
use crate::data_map::Value;

mod find;
mod touched;
mod ways;

pub(crate) use find::{Expression, Fill, Finder, Finding, Place};
pub(crate) use touched::{Touched, is_one_persons, need_no_set, need_no_set_for};
pub(crate) use ways::{From, Reads, Toward, Ways, picked};

/// The customers of a batch, in a table of the connection's own.
pub(crate) const BATCH: &str = "temp.relinquish_batch";

/// A set of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Set {
    /// What the customers of the batch have, with the customer's number and what was found out about the row.
    Touched,
    /// What is treated because of what its link leads to, whoever has it.
    Along,
    /// From what is touched and may be shared, up to everybody who has it.
    Above,
    /// What somebody has who stays.
    Had,
    /// Rows that lead to what is touched, and may be kept by a duty.
    Near,
    /// What a duty keeps.
    Whole,
    /// What such a record leads to.
    Needed,
    /// Rows from which links lead to the batch, and whose owner may not be told.
    Unclear,
}

impl Set {
    pub(crate) const ALL: [Self; 8] = [
        Self::Touched,
        Self::Along,
        Self::Above,
        Self::Had,
        Self::Near,
        Self::Whole,
        Self::Needed,
        Self::Unclear,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Touched => "touched",
            Self::Along => "along",
            Self::Above => "above",
            Self::Had => "had",
            Self::Near => "near",
            Self::Whole => "whole",
            Self::Needed => "needed",
            Self::Unclear => "unclear",
        }
    }

    /// Whether its rows bear the number of a customer.
    pub(crate) fn is_numbered(self) -> bool {
        matches!(self, Self::Touched | Self::Unclear)
    }

    /// The table of a class.
    pub(crate) fn of(self, class: usize) -> String {
        format!("temp.relinquish_{}_{class}", self.word())
    }
}

/// Makes the sets of every class.
pub(crate) fn create_sets(bound: &Bound) -> Vec<String> {
    let mut tables = Vec::new();
    for (number, class) in bound.classes.iter().enumerate() {
        let handle = handle_names(class);
        // An index serves a comparison only where both sides are of one type.
        let described = bound.data_map.class(class.name.as_str());
        let typed = class.handle.iter().enumerate().map(|(part, column)| {
            let field = described.and_then(|described| described.find(column));
            let is_number = field.is_none() && class.handle.len() == 1;
            let datatype = field.map(|field| field.constraints().datatype);
            format!("h{part} {}", if is_number { "INTEGER" } else { datatype.map_or("", affinity) })
        });
        let typed = typed.collect::<Vec<_>>().join(", ");
        for set in Set::ALL {
            let (columns, key) = match set {
                Set::Touched => (
                    ", n INTEGER NOT NULL, whole INTEGER NOT NULL DEFAULT 0, had INTEGER NOT NULL DEFAULT 0, \
                     needed INTEGER NOT NULL DEFAULT 0, instead INTEGER NOT NULL DEFAULT 0, \
                     beside INTEGER NOT NULL DEFAULT 0",
                    ", n",
                ),
                Set::Unclear => (", n INTEGER NOT NULL", ", n"),
                Set::Had => (", person TEXT NOT NULL", ", person"),
                Set::Whole => (", needs INTEGER NOT NULL", ", needs"),
                _ => ("", ""),
            };
            tables.push(format!(
                "CREATE TABLE IF NOT EXISTS {} ({typed}{columns}, PRIMARY KEY ({handle}{key})) WITHOUT ROWID",
                set.of(number)
            ));
        }
        tables.push(format!(
            "CREATE TABLE IF NOT EXISTS {} ({typed}, PRIMARY KEY ({handle})) WITHOUT ROWID",
            picked(number)
        ));
    }
    tables
}

/// `h0, h1`
pub(crate) fn handle_names(class: &BoundClass) -> String {
    let names: Vec<String> = (0..class.handle.len()).map(|part| format!("h{part}")).collect();
    names.join(", ")
}

/// True of the row of a class, under an alias, that a row of a set names.
pub(crate) fn is_row(class: &BoundClass, alias: &str, set: &str) -> String {
    let same = class.handle.iter().enumerate();
    let same = same.map(|(part, column)| format!("{alias}.{} = {set}.h{part}", quoted(column)));
    same.collect::<Vec<_>>().join(" AND ")
}

/// True of a row, under an alias, with a value of these.
fn holds(alias: &str, column: &str, is: &Is) -> String {
    let column = format!("{alias}.{}", quoted(column));
    let each = |word: &str, values: &[Value], between: &str| {
        let each: Vec<String> =
            values.iter().map(|value| format!("{column} {word} {}", literal(value))).collect();
        if each.len() == 1 { each.concat() } else { format!("({})", each.join(between)) }
    };
    match is {
        Is::OneOf(values) => each("IS", values, " OR "),
        Is::NoneOf(values) => each("IS NOT", values, " AND "),
        Is::Null => format!("{column} IS NULL"),
        Is::NotNull => format!("{column} IS NOT NULL"),
    }
}

/// ` AND owner_type IS 'customer'`: conditions on a row.
fn conditions(alias: &str, when: &[(String, Is)]) -> String {
    when.iter().fold(String::new(), |mut sql, (column, is)| {
        let _ = write!(sql, " AND {}", holds(alias, column, is));
        sql
    })
}

/// Conditions under which a row of the table is of the class.
pub(crate) fn of_class(alias: &str, rows: &Rows) -> String {
    let mut sql = conditions(alias, &rows.with);
    for other in &rows.without {
        let each: Vec<String> = other.iter().map(|(column, is)| holds(alias, column, is)).collect();
        let _ =
            write!(sql, " AND NOT ({})", if each.is_empty() { "1".to_owned() } else { each.join(" AND ") });
    }
    sql
}

/// Conditions under which a link of a row leads anywhere.
pub(crate) fn leads(alias: &str, link: &BoundLink, hangs: bool) -> String {
    let mut sql = conditions(alias, &link.when);
    let is_empty = |columns: &[String], none: &[Value]| {
        let mut empty = vec![Value::from("")];
        empty.extend(none.iter().cloned());
        let each: Vec<String> = columns
            .iter()
            .flat_map(|column| {
                let column = format!("{alias}.{}", quoted(column));
                let nulls = std::iter::once(format!("{column} IS NULL"));
                let values: Vec<String> =
                    empty.iter().map(|value| format!("{column} IS {}", literal(value))).collect();
                nulls.chain(values)
            })
            .collect();
        format!("({})", each.join(" OR "))
    };
    let values: Vec<String> = link.none.iter().filter(|value| **value != Value::Null).map(literal).collect();
    for column in &link.columns {
        let column = format!("{alias}.{}", quoted(column));
        if !values.is_empty() {
            let _ = write!(sql, " AND {column} NOT IN ({})", values.join(", "));
        }
        if link.by_value {
            let _ = write!(sql, " AND {column} <> ''");
        }
    }
    // Of several owner links the first counts that is not empty. What the others hold is told by them all the same.
    for (columns, none) in link.unless.iter().filter(|_| hangs) {
        let _ = write!(sql, " AND {}", is_empty(columns, none));
    }
    sql
}

/// What a column is compared as.
fn compared(compare: Compare, column: &str) -> String {
    match compare {
        Compare::Exact => column.to_owned(),
        Compare::Text => format!("CAST({column} AS TEXT)"),
        Compare::NoCase => format!("relinquish_nocase({column})"),
        Compare::Normalised => format!("relinquish_normalised({column})"),
    }
}

/// Whether a row, under an alias, is the tenant's "Unknown Customer".
pub(crate) fn stand_in_sql(map: &CustomersMap, alias: &str) -> String {
    let Some(unknown) = &map.unknown else { return "0".to_owned() };
    let conditions: Vec<String> = unknown
        .find
        .iter()
        .map(|(column, value)| format!("{alias}.{} IS {}", quoted(column), literal(value)))
        .collect();
    format!("({})", conditions.join(" AND "))
}

/// Makes the batch table. Its key columns take keys as the customers' own key columns do.
pub(crate) fn create_batch(bound: &Bound) -> String {
    let types: Vec<&str> = bound.root().map_or_else(Vec::new, |root| {
        let described = bound.data_map.class(root.name.as_str());
        let datatype = |column: &String| {
            described
                .and_then(|class| class.find(column))
                .map_or("", |field| affinity(field.constraints().datatype))
        };
        root.key.iter().map(datatype).collect()
    });
    let parts = |name: &str| {
        let parts = types.iter().enumerate().map(|(part, of)| format!("{name}{part} {of}"));
        parts.collect::<Vec<_>>().join(", ")
    };
    format!(
        "CREATE TABLE IF NOT EXISTS {BATCH} (n INTEGER PRIMARY KEY, {}, tenant TEXT, person TEXT, {});",
        parts("k"),
        parts("s")
    )
}
