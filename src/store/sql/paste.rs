//! Lines of a map to paste: what a person fills in for a table or for columns that nobody classified.
#![allow(dead_code, reason = "what finds unclassified columns and tables uses it")]

use std::fmt::Write as _;

use super::schema::Table;

/// The longest line of a block, in characters.
const WIDTH: usize = 100;

/// A block of a map that classifies columns of a table: one line per column, each with a mark where a person has to choose.
///
/// ```toml
/// [records.invoice.fields]
/// number = "TODO"  # a kind of personal data, or "not personal"
/// ```
///
/// The block reads as TOML. A map with a mark left in it is refused, because `TODO` is no kind.
pub(crate) fn fields_block<'c>(path: &str, columns: impl IntoIterator<Item = &'c str>) -> String {
    let mut block = format!("[{path}.fields]");
    for column in columns {
        // Writing to a String never fails.
        let _ = write!(block, "\n{} = \"TODO\"  # a kind of personal data, or \"not personal\"", key(column));
    }
    block
}

/// A block of a map for a whole table that nobody mapped, with its primary key and the foreign key that ties it to a mapped
/// table; and, as the alternative, the line that ignores the table.
pub(crate) fn table_block(table: &Table, through: &str) -> String {
    let name = &table.name;
    let link = table.foreign_keys.iter().find(|link| link.to_table.eq_ignore_ascii_case(through));
    let owner: &[String] = link.map_or(&[], |link| link.columns.as_slice());
    let mut block = format!("[records.{}]\ntable = {}", key(name), text(name));
    let _ = write!(block, "\nkey = {}\nowner = {}", list(&table.primary_key), list(owner));
    let known =
        |column: &str| table.primary_key.iter().chain(owner).any(|name| name.eq_ignore_ascii_case(column));
    let rest: Vec<&str> =
        table.columns.iter().map(|column| column.name.as_str()).filter(|column| !known(column)).collect();
    if !rest.is_empty() {
        block.push('\n');
        block.push_str(&fields_block(&format!("records.{}", key(name)), rest));
    }
    let _ = write!(block, "\n# or, in [ignore]: {} = \"reason\"", key(name));
    block
}

/// Names, as many in a line as fit: for a problem that speaks of many columns at once.
pub(crate) fn names<'c>(columns: impl IntoIterator<Item = &'c str>) -> String {
    let mut lines = vec![String::new()];
    for column in columns {
        let Some(line) = lines.last_mut() else { continue };
        if line.is_empty() {
            line.push_str(column);
        } else if line.chars().count() + column.chars().count() + 2 <= WIDTH {
            line.push_str(", ");
            line.push_str(column);
        } else {
            line.push(',');
            lines.push(column.to_owned());
        }
    }
    lines.join("\n")
}

/// A key as TOML writes it.
fn key(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(plain) { name.to_owned() } else { text(name) }
}

/// A text as TOML writes it.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// One name as a text, several as a list.
fn list(names: &[String]) -> String {
    match names {
        [one] => text(one),
        names => format!("[{}]", names.iter().map(|name| text(name)).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_map::Datatype;
    use crate::store::sql::{Column, ForeignKey};

    fn column(name: &str) -> Column {
        Column {
            name: name.to_owned(),
            datatype: Datatype::Text,
            nullable: true,
            max_chars: None,
            computed: false,
            computed_from: Vec::new(),
            has_default: false,
            collation: None,
            checks: Vec::new(),
        }
    }

    /// For a schema with many tables there was one error per column, and nothing to paste.
    #[test]
    fn a_block_reads_as_toml_and_names_every_column_once() {
        let table = Table {
            name: "sent mails".to_owned(),
            columns: ["id", "account", "to \"name\"", "body", "größe"].map(column).to_vec(),
            primary_key: vec!["id".to_owned()],
            foreign_keys: vec![ForeignKey {
                columns: vec!["account".to_owned()],
                to_table: "Accounts".to_owned(),
                to_columns: vec!["id".to_owned()],
                on_delete: crate::store::sql::OnDelete::Nothing,
            }],
            ..Table::default()
        };
        let block = table_block(&table, "accounts");
        let read: toml::Value = toml::from_str(&block).unwrap_or_else(|error| panic!("{error}\n{block}"));
        let record = &read["records"]["sent mails"];
        assert_eq!(record["table"].as_str(), Some("sent mails"));
        assert_eq!((record["key"].as_str(), record["owner"].as_str()), (Some("id"), Some("account")));
        let fields: Vec<&str> = record["fields"].as_table().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields.len(), 3, "{fields:?}");
        assert_eq!(block.matches("TODO").count(), 3, "{block}");
        assert!(block.ends_with("# or, in [ignore]: \"sent mails\" = \"reason\""), "{block}");
        let composite = Table { primary_key: vec!["a".to_owned(), "b".to_owned()], ..table };
        assert!(table_block(&composite, "nobody").contains("key = [\"a\", \"b\"]\nowner = []"));
    }

    #[test]
    fn many_names_are_broken_into_lines() {
        let many: Vec<String> = (0..60).map(|n| format!("column_{n}")).collect();
        let text = names(many.iter().map(String::as_str));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH + 1), "{text}");
        assert_eq!(text.split([',', '\n']).filter(|name| !name.trim().is_empty()).count(), 60);
        assert_eq!(names([]), "");
    }
}
