//! Names and values as SQL text.

use super::map::Source;
use crate::data_map::{Datatype, Value};

/// A name as SQL quotes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A source as an expression over the customers' table.
pub(crate) fn source_sql(table: &str, source: &Source) -> String {
    match source {
        Source::Column(column) => format!("{}.{}", quoted(table), quoted(column)),
        // A sub-select of its own: an aggregate stays in it, and a second column is an error.
        Source::Sql(sql) => format!("(SELECT ({sql}))"),
    }
}

/// What a column is declared as to take keys as the customers' own key column does.
pub(crate) fn affinity(key: Datatype) -> &'static str {
    match key {
        Datatype::Text => "TEXT",
        Datatype::Integer => "INTEGER",
        Datatype::Real => "REAL",
        Datatype::Numeric => "NUMERIC",
        Datatype::Blob | Datatype::Any => "",
    }
}

/// A value of the map as an SQL literal.
pub(crate) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("{number:?}"),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Blob(bytes) => format!("x'{}'", hex::encode(bytes)),
    }
}

/// Columns of a row as a select gives them.
pub(crate) fn listed(alias: &str, names: &[String]) -> String {
    let list: Vec<String> = names.iter().map(|name| format!("{alias}.{}", quoted(name))).collect();
    list.join(", ")
}

/// Columns of a row, alone or as a row value.
pub(crate) fn columns(alias: &str, names: &[String]) -> String {
    let list = listed(alias, names);
    if names.len() == 1 { list } else { format!("({list})") }
}
