//! Names and values as SQL text.

use serde_json::Value as Json;

use super::map::Source;
use crate::data_map::Value;
use crate::hex;

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

/// A condition as the number that is written down of it.
pub(crate) fn flag(condition: &str) -> String {
    format!("CASE WHEN {condition} THEN 1 ELSE 0 END")
}

/// The number of rows of which a condition is true.
pub(crate) fn count_if(condition: &str) -> String {
    format!("coalesce(sum({}), 0)", flag(condition))
}

/// Rows as [`Dialect::rows`](super::dialect::Dialect::rows) reads them. Bytes stand in an object, in hexadecimal.
pub(crate) fn json_rows(rows: impl IntoIterator<Item = Vec<Value>>) -> Value {
    let spelled = |value: Value| match value {
        Value::Null => Json::Null,
        Value::Integer(number) => Json::from(number),
        Value::Real(number) => Json::from(number),
        Value::Text(text) => Json::String(text),
        Value::Blob(bytes) => serde_json::json!({ "bytes": hex::encode(bytes) }),
    };
    let rows = rows.into_iter().map(|row| {
        let mut values: Vec<Json> = row.into_iter().map(spelled).collect();
        match (values.pop(), values.is_empty()) {
            (Some(only), true) => only,
            (last, _) => Json::Array(values.into_iter().chain(last).collect()),
        }
    });
    Value::Text(Json::Array(rows.collect()).to_string())
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
