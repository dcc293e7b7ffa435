//! What of a live schema a map was held against, part by part, so that a later schema can be compared with it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::bind::Bound;
use super::schema::{ForeignKey, Schema, Table};
use crate::digest::Digest;

/// The parts of a schema that matter to a map: each by its place, with its definition.
///
/// The mapped tables are in it whole, and so are the tables through which links lead. Of other tables only the foreign keys
/// are in it that lead to one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Shape {
    parts: BTreeMap<String, String>,
    /// Columns of links that an index begins with. Without the index each search along the link reads a whole table.
    #[serde(skip)]
    indexed: BTreeSet<String>,
}

impl Shape {
    /// The parts of a schema that matter to a bound map.
    pub(crate) fn of(bound: &Bound, schema: &Schema) -> Self {
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut searched: BTreeSet<(String, String)> = BTreeSet::new();
        for class in &bound.classes {
            names.insert(class.table.to_ascii_lowercase());
            for link in &class.links {
                let mut search = |table: &str, columns: &[String]| {
                    names.insert(table.to_ascii_lowercase());
                    if let Some(first) = columns.first() {
                        searched.insert((table.to_ascii_lowercase(), first.to_ascii_lowercase()));
                    }
                };
                search(&class.table, &link.columns);
                search(&link.to_table, &link.to_columns);
                for hop in &link.hops {
                    search(&hop.table, &hop.arrives);
                    search(&hop.table, &hop.columns);
                }
            }
        }
        let matters = |name: &str| names.contains(&name.to_ascii_lowercase());
        let mut shape = Self { parts: BTreeMap::new(), indexed: BTreeSet::new() };
        for table in schema.tables() {
            if matters(&table.name) {
                shape.add(table);
                let of_table = searched.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&table.name));
                for (_, column) in of_table.filter(|(_, column)| table.leading.contains(column)) {
                    shape.indexed.insert(format!("{}.{column}", table.name));
                }
            } else {
                for key in table.foreign_keys.iter().filter(|key| matters(&key.to_table)) {
                    shape.add_foreign_key(table, key);
                }
            }
        }
        for other in &schema.others {
            if other.content.as_deref().is_some_and(matters) {
                shape.parts.insert(format!("full-text index {}", other.name), other.module.clone());
            }
        }
        shape
    }

    fn add(&mut self, table: &Table) {
        let name = &table.name;
        self.parts.insert(
            format!("table {name}"),
            format!("{:?} {} {}", table.primary_key, table.without_rowid, table.key_is_rowid),
        );
        for column in &table.columns {
            let definition = (
                (column.datatype, column.nullable, column.max_chars, column.has_default),
                (column.computed, &column.computed_from, &column.collation),
            );
            self.parts.insert(format!("column {name}.{}", column.name), format!("{definition:?}"));
        }
        for check in &table.checks {
            self.parts.insert(format!("CHECK ({check}) of {name}"), String::new());
        }
        for index in &table.unique {
            let columns = index.columns.join(", ");
            let of_some = if index.partial { " for some rows" } else { "" };
            let made_of = if index.through.is_empty() { String::new() } else { index.text.clone() };
            self.parts.insert(format!("unique index on {name} ({columns}){of_some}"), made_of);
        }
        for key in &table.foreign_keys {
            self.add_foreign_key(table, key);
        }
        for trigger in &table.triggers {
            self.parts.insert(format!("trigger {} on {name}", trigger.name), trigger.sql.clone());
        }
    }

    fn add_foreign_key(&mut self, table: &Table, key: &ForeignKey) {
        let (columns, to) = (key.columns.join(", "), &key.to_table);
        self.parts.insert(
            format!("foreign key {} ({columns}) to {to}", table.name),
            format!("{:?} {:?}", key.to_columns, key.on_delete),
        );
    }

    /// Names the schema, as far as it matters to the map.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self)
    }

    /// What is new, gone or different in a later schema. Nothing: the map fits as it did.
    ///
    /// A trigger or a CHECK that is gone forbids and writes nothing any more, so it is no change. An index that was added is
    /// none either. An index that is gone is one where links are searched with it.
    pub(crate) fn changes(&self, later: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for (part, definition) in &later.parts {
            match self.parts.get(part) {
                None => changes.push(format!("{part} is new")),
                Some(before) if before != definition => changes.push(format!("{part} was changed")),
                Some(_) => {}
            }
        }
        let forbids = |part: &str| part.starts_with("trigger ") || part.starts_with("CHECK ");
        let gone = self.parts.keys().filter(|part| !later.parts.contains_key(*part) && !forbids(part));
        changes.extend(gone.map(|part| format!("{part} is gone")));
        let lost = self.indexed.difference(&later.indexed);
        changes.extend(lost.map(|column| {
            format!("no index begins with {column} any more: each search along that link would read the whole table")
        }));
        changes
    }
}
