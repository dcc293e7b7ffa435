//! That nothing is left out unsaid: columns that nobody classified, tables that nobody mapped, triggers that copy what is
//! to be erased, full-text indexes.

use std::collections::{BTreeMap, BTreeSet};

use super::bind::{BoundClass, check_column, field, implied, is_condition, key_of, mapped};
use super::map::{FieldMap, Ignored, SqlMap};
use super::schema::{Schema, Table};
use super::tokens::TriggerEvent;
use crate::data_map::{ClassName, Datatype};
use crate::document::{Reader, join};

/// Columns that nobody classified, columns that are not there, and tables that nobody mapped.
pub(super) fn check_coverage(reader: &mut Reader, map: &SqlMap, schema: &Schema, classes: &[BoundClass]) {
    let mut check =
        |path: &str, table: &Table, fields: &BTreeMap<String, FieldMap>, known: &dyn Fn(&str) -> bool| {
            let path = join(path, "fields");
            let mut seen = BTreeSet::new();
            for column in fields.keys() {
                let path = join(&path, column);
                check_column(reader, &path, table, column);
                if !seen.insert(column.to_ascii_lowercase()) {
                    reader.problem(path, "is classified twice", "leave one of them");
                }
            }
            for column in table.columns.iter().filter(|column| field(fields, &column.name).is_none()) {
                if !known(&column.name) {
                    reader.problem(
                        format!("{}.{}", table.name, column.name),
                        "nobody classified this column",
                        format!(
                            "write {}.{} = \"a kind of personal data\" or \"not personal\"",
                            path, column.name
                        ),
                    );
                }
            }
        };
    let is_mapped = |table: &str| mapped(map).any(|(_, name)| name.eq_ignore_ascii_case(table));
    // A key of text may be an e-mail address or a name: somebody has to say.
    let is_text =
        |table: &Table, column: &str| table.column(column).is_some_and(|key| key.datatype == Datatype::Text);
    let leads = |table: &Table, class: Option<&BoundClass>, column: &str| {
        let is = |name: &String| name.eq_ignore_ascii_case(column);
        let by_link = class.is_some_and(|class| {
            class.links.iter().any(|link| !link.by_value && link.columns.iter().any(is))
                || is_condition(class, column)
        });
        let by_value = class
            .is_some_and(|class| class.links.iter().any(|link| link.by_value && link.columns.iter().any(is)));
        let mut keys = table.foreign_keys.iter().filter(|key| is_mapped(&key.to_table));
        by_link || (!by_value && keys.any(|key| key.columns.iter().any(is)))
    };
    let bound = |name: &ClassName| classes.iter().find(|class| class.name == *name);
    if let Some(table) = schema.table(&map.customers.table) {
        let class = bound(&map.customers.class);
        let known = |column: &str| {
            let is_key = map.customers.key.iter().any(|key| key.eq_ignore_ascii_case(column));
            map.customers.rest.is_some()
                || !(is_key && is_text(table, column)) && implied(&map.customers, column).is_some()
                || !is_key && leads(table, class, column)
        };
        check("customers", table, &map.customers.fields, &known);
    }
    // Without the customers nothing leads to them: what that makes of the records is no fault of theirs.
    let has_root = schema.table(&map.customers.table).is_some();
    for (name, record) in map.records.iter().filter(|_| has_root) {
        if let Some(table) = schema.table(&record.table) {
            let class = bound(name);
            let key = key_of(record, table);
            let known = |column: &str| {
                let is_key = key.iter().any(|key| key.eq_ignore_ascii_case(column));
                record.rest.is_some() || (is_key && !is_text(table, column)) || leads(table, class, column)
            };
            check(&join("records", name.as_str()), table, &record.fields, &known);
        }
    }
    check_triggers(reader, map, schema);
    check_virtual(reader, map, schema);
    for (table, through) in tied(map, schema) {
        reader.problem(
            table.clone(),
            format!("a foreign key ties this table to {through}, and nobody mapped it"),
            format!("write [records.…] with table = \"{table}\", or ignore.{table} = \"reason\""),
        );
    }
}

/// Tables that foreign keys tie to a mapped one, directly or through others, and that are neither mapped nor
/// ignored.
fn tied(map: &SqlMap, schema: &Schema) -> Vec<(String, String)> {
    let is_mapped: BTreeSet<String> = mapped(map).map(|(_, table)| table.to_ascii_lowercase()).collect();
    let ignored: BTreeSet<String> = map
        .ignore
        .keys()
        .filter(|table| is_ignored(map, table))
        .map(|table| table.to_ascii_lowercase())
        .collect();
    let mut reached = is_mapped.clone();
    let mut list = Vec::new();
    loop {
        let next = schema.tables().find_map(|table| {
            let name = table.name.to_ascii_lowercase();
            if reached.contains(&name) {
                return None;
            }
            let through =
                table.foreign_keys.iter().find(|key| reached.contains(&key.to_table.to_ascii_lowercase()))?;
            Some((name, table.name.clone(), through.to_table.clone()))
        });
        let Some((lower, table, through)) = next else { return list };
        if !ignored.contains(&lower) {
            list.push((table, through));
        }
        reached.insert(lower);
    }
}

fn is_mapped(map: &SqlMap, table: &str) -> bool {
    mapped(map).any(|(_, name)| name.eq_ignore_ascii_case(table))
}

fn is_ignored(map: &SqlMap, table: &str) -> bool {
    let whole = map.ignore.iter().filter(|(_, ignored)| matches!(ignored, Ignored::Table(_)));
    whole.into_iter().any(|(name, _)| name.eq_ignore_ascii_case(table))
}

/// The mapped table of which a full-text table is an index.
fn indexed<'s>(map: &SqlMap, schema: &'s Schema, name: &str) -> Option<&'s Table> {
    let index = schema.virtual_table(name).filter(|index| index.is_full_text())?;
    schema.table(index.content.as_deref()?).filter(|table| is_mapped(map, &table.name))
}

/// A trigger of a mapped table that writes to one that nobody mapped may copy there what is to be erased.
fn check_triggers(reader: &mut Reader, map: &SqlMap, schema: &Schema) {
    for table in schema.tables().filter(|table| is_mapped(map, &table.name)) {
        for trigger in &table.triggers {
            for written in &trigger.writes {
                let is_known = is_mapped(map, written)
                    || is_ignored(map, written)
                    || indexed(map, schema, written).is_some();
                if !is_known {
                    reader.problem(
                        format!("{}.{}", table.name, trigger.name),
                        format!("the trigger writes to {written}, which nobody mapped: it may copy there what is to be erased"),
                        format!("write [records.…] with table = \"{written}\", or ignore.{written} = \"reason\""),
                    );
                }
            }
        }
    }
}

/// Triggers of mapped tables that write to ignored ones: trigger, its table, the ignored one.
pub(super) fn ignored_echoes<'s>(map: &SqlMap, schema: &'s Schema) -> Vec<(&'s str, &'s str, &'s str)> {
    schema
        .tables()
        .filter(|table| is_mapped(map, &table.name))
        .flat_map(|table| table.triggers.iter().map(move |trigger| (table, trigger)))
        .flat_map(|(table, trigger)| {
            let written = trigger.writes.iter().filter(|written| is_ignored(map, written));
            written.map(move |written| (trigger.name.as_str(), table.name.as_str(), written.as_str()))
        })
        .collect()
}

/// A table that is no plain one holds what the map cannot see, unless it is a full-text index over a mapped table that
/// triggers keep current.
fn check_virtual(reader: &mut Reader, map: &SqlMap, schema: &Schema) {
    for other in schema.others.iter().filter(|other| !is_ignored(map, &other.name)) {
        let name = &other.name;
        let Some(table) = indexed(map, schema, name) else {
            let of_unmapped = other.is_full_text()
                && other.content.as_deref().and_then(|content| schema.table(content)).is_some();
            if !of_unmapped {
                reader.problem(
                    name.clone(),
                    format!("is a table of {}, and what it holds cannot be seen by column", other.module),
                    format!("make it an index over a mapped table (content = \"…\"), or write ignore.{name} = \"reason\""),
                );
            }
            continue;
        };
        let follows = |event: TriggerEvent| {
            table.triggers.iter().any(|trigger| {
                trigger.event == Some(event)
                    && trigger.writes.iter().any(|written| written.eq_ignore_ascii_case(name))
            })
        };
        if !follows(TriggerEvent::Update) || !follows(TriggerEvent::Delete) {
            reader.problem(
                name.clone(),
                format!(
                    "is a full-text index over {}, and no triggers take the old words out of it",
                    table.name
                ),
                format!("create triggers after update and delete, or write ignore.{name} = \"reason\""),
            );
        }
    }
}

/// Tables of which the map does not speak.
pub(super) fn beside<'s>(map: &SqlMap, schema: &'s Schema) -> Vec<&'s str> {
    let others = schema.others.iter().map(|other| other.name.as_str());
    schema
        .tables()
        .map(|table| table.name.as_str())
        .chain(others)
        .filter(|name| {
            !is_mapped(map, name) && !is_ignored(map, name) && indexed(map, schema, name).is_none()
        })
        .collect()
}
