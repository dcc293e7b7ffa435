//! Names and values in SQL's spelling.

use serde_json::Value as Json;

use super::map::Source;
use crate::data_map::Value;
use crate::hex;

/// A name, quoted for SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A source as an expression over the customers' table.
pub(crate) fn source_sql(table: &str, source: &Source) -> String {
    match source {
        Source::Column(column) => format!("{}.{}", quoted(table), quoted(column)),
        // In its own sub-select: an aggregate stays inside, and a second column is an error.
        Source::Sql(sql) => format!("(SELECT ({sql}))"),
    }
}

/// A condition as the number 0 or 1.
pub(crate) fn flag(condition: &str) -> String {
    format!("CASE WHEN {condition} THEN 1 ELSE 0 END")
}

/// The condition that a text is blank. A blank text is no value: two people without an address are not one.
pub(crate) fn is_blank(text: &str) -> String {
    format!("trim({text}, ' \t\n\u{b}\u{c}\r') = ''")
}

/// The number of rows that meet a condition.
pub(crate) fn count_if(condition: &str) -> String {
    format!("coalesce(sum({}), 0)", flag(condition))
}

/// Rows in the format that [`Dialect::rows`](super::dialect::Dialect::rows) reads. Bytes are an object with
/// hexadecimal digits.
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

/// The columns of a row, for a select.
pub(crate) fn listed(alias: &str, names: &[String]) -> String {
    let list: Vec<String> = names.iter().map(|name| format!("{alias}.{}", quoted(name))).collect();
    list.join(", ")
}

/// The columns of a row: one column, or a row value.
pub(crate) fn columns(alias: &str, names: &[String]) -> String {
    let list = listed(alias, names);
    if names.len() == 1 { list } else { format!("({list})") }
}
