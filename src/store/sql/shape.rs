//! The parts of a live schema against which a map was checked. A later schema is compared with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};

use super::bind::Bound;
use super::schema::{ForeignKey, Schema, Table};
use crate::digest::Digest;

/// A part of a schema. `Display` names it for a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Table(String),
    Column { table: String, column: String },
    Check { table: String, expression: String },
    UniqueIndex { table: String, columns: Vec<String>, of_some: bool },
    ForeignKey { table: String, columns: Vec<String>, to: String },
    Trigger { table: String, trigger: String },
    FullText(String),
}

impl Part {
    /// Whether the part can refuse or write something.
    fn forbids(&self) -> bool {
        matches!(self, Self::Trigger { .. } | Self::Check { .. })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => write!(f, "table {table}"),
            Self::Column { table, column } => write!(f, "column {table}.{column}"),
            Self::Check { table, expression } => write!(f, "CHECK ({expression}) of {table}"),
            Self::UniqueIndex { table, columns, of_some } => {
                write!(f, "unique index on {table} ({})", columns.join(", "))?;
                if *of_some { f.write_str(" for some rows") } else { Ok(()) }
            }
            Self::ForeignKey { table, columns, to } => {
                write!(f, "foreign key {table} ({}) to {to}", columns.join(", "))
            }
            Self::Trigger { table, trigger } => write!(f, "trigger {trigger} on {table}"),
            Self::FullText(name) => write!(f, "full-text index {name}"),
        }
    }
}

/// The parts of a schema that matter to a map, each with its definition.
///
/// The mapped tables are included completely, and so are the tables through which links lead. Of other tables only
/// the foreign keys are included that reference one of these tables.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Shape {
    /// The digest covers names and definitions of the schema, and no sentence of this crate.
    #[serde(serialize_with = "pairs")]
    parts: BTreeMap<Part, Json>,
    /// Link columns that are the first column of an index. Without the index, each search along the link reads a
    /// whole table.
    #[serde(skip)]
    indexed: BTreeSet<String>,
}

/// Serialises the map as pairs, because the keys of a JSON object must be texts.
fn pairs<S: Serializer>(parts: &BTreeMap<Part, Json>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(parts)
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
                shape.parts.insert(Part::FullText(other.name.clone()), json!(other.module));
            }
        }
        shape
    }

    fn add(&mut self, table: &Table) {
        let name = || table.name.clone();
        self.parts.insert(
            Part::Table(name()),
            json!({
                "primary_key": table.primary_key,
                "without_rowid": table.without_rowid,
                "key_is_rowid": table.key_is_rowid,
            }),
        );
        for column in &table.columns {
            let definition = json!({
                "datatype": column.datatype,
                "nullable": column.nullable,
                "max_chars": column.max_chars,
                "has_default": column.has_default,
                "computed": column.computed,
                "computed_from": column.computed_from,
                "collation": column.collation,
            });
            self.parts.insert(Part::Column { table: name(), column: column.name.clone() }, definition);
        }
        for check in &table.checks {
            self.parts.insert(Part::Check { table: name(), expression: check.clone() }, Json::Null);
        }
        for index in &table.unique {
            let part =
                Part::UniqueIndex { table: name(), columns: index.columns.clone(), of_some: index.partial };
            let made_of = if index.through.is_empty() { Json::Null } else { json!(index.rule) };
            self.parts.insert(part, made_of);
        }
        for key in &table.foreign_keys {
            self.add_foreign_key(table, key);
        }
        for trigger in &table.triggers {
            self.parts
                .insert(Part::Trigger { table: name(), trigger: trigger.name.clone() }, json!(trigger.sql));
        }
    }

    fn add_foreign_key(&mut self, table: &Table, key: &ForeignKey) {
        let part = Part::ForeignKey {
            table: table.name.clone(),
            columns: key.columns.clone(),
            to: key.to_table.clone(),
        };
        self.parts.insert(part, json!({ "to_columns": key.to_columns, "on_delete": key.on_delete }));
    }

    /// The digest of the schema, as far as it matters to the map.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self)
    }

    /// What is new, missing or different in a later schema. If this is empty, the map still matches.
    ///
    /// A trigger or CHECK that is gone forbids and writes nothing any more, so it is not a change. An added index is
    /// not a change either. A dropped index is a change if searches along a link used it.
    pub(crate) fn changes(&self, later: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for (part, definition) in &later.parts {
            match self.parts.get(part) {
                None => changes.push(format!("{part} is new")),
                Some(before) if before != definition => changes.push(format!("{part} was changed")),
                Some(_) => {}
            }
        }
        let gone = self.parts.keys().filter(|part| !later.parts.contains_key(*part) && !part.forbids());
        changes.extend(gone.map(|part| format!("{part} is gone")));
        let lost = self.indexed.difference(&later.indexed);
        changes.extend(lost.map(|column| {
            format!("no index begins with {column} any more: each search along that link would read the whole table")
        }));
        changes
    }
}
