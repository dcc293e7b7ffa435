//! Reads the live schema of an SQLite database.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::checks::{Held, check_of_several, index_of_several};
use crate::store::sql::{
    Column, ForeignKey, OnDelete, Schema, Table, Trigger, UniqueIndex, VirtualTable, checked_chars, checks,
    collation, constant, counts_on, datatype, declared_chars, generated_from, indexed_columns, replaces,
    trigger_event, trigger_text, virtual_table, written_by_trigger,
};

pub(super) fn schema(connection: &Connection) -> rusqlite::Result<Schema> {
    let mut tables = connection.prepare(
        "SELECT l.name, coalesce(s.sql, ''), l.wr, l.strict FROM pragma_table_list AS l
         JOIN main.sqlite_schema AS s ON s.type = 'table' AND s.name = l.name
         WHERE l.schema = 'main' AND l.type = 'table' AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let list = tables
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<Vec<(String, String, bool, bool)>, _>>()?;
    let mut schema = Vec::with_capacity(list.len());
    for (name, sql, without_rowid, is_strict) in list {
        let mut table = table(connection, name, &sql, without_rowid)?;
        put_checks(connection, &mut table, &sql, is_strict)?;
        put_index_rules(connection, &mut table, &sql)?;
        schema.push(table);
    }
    let mut others = connection.prepare(
        "SELECT l.name, coalesce(s.sql, '') FROM pragma_table_list AS l
         LEFT JOIN main.sqlite_schema AS s ON s.type = 'table' AND s.name = l.name
         WHERE l.schema = 'main' AND l.type = 'virtual' ORDER BY l.name",
    )?;
    let others = others
        .query_map([], |row| Ok(virtual_of(row.get(0)?, &row.get::<_, String>(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut schema = Schema::new(schema, others);
    schema.of_views = triggers_of_views(connection)?;
    Ok(schema)
}

fn triggers_of_views(connection: &Connection) -> rusqlite::Result<Vec<(String, Trigger)>> {
    let mut triggers = connection.prepare(
        "SELECT t.name, t.sql, v.name FROM main.sqlite_schema AS t
         JOIN main.sqlite_schema AS v ON v.type = 'view' AND v.name = t.tbl_name COLLATE NOCASE
         WHERE t.type = 'trigger' ORDER BY t.name",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        let (sql, view): (String, String) = (row.get(1)?, row.get(2)?);
        let trigger = trigger(row.get(0)?, sql, &view, &[]);
        Ok((view, trigger))
    };
    triggers.query_map([], read)?.collect()
}

fn trigger(name: String, sql: String, table: &str, key: &[String]) -> Trigger {
    let (event, writes) = (trigger_event(&sql), written_by_trigger(&sql));
    let text = trigger_text(&sql, table, key);
    Trigger { name, event, sql, writes, text }
}

fn virtual_of(name: String, sql: &str) -> VirtualTable {
    let (module, options) = virtual_table(sql);
    let content = options.into_iter().find(|(option, _)| option == "content").map(|(_, table)| table);
    let content = content.filter(|table| !table.is_empty());
    VirtualTable { name, module, content, columns: indexed_columns(sql) }
}

fn table(connection: &Connection, name: String, sql: &str, without_rowid: bool) -> rusqlite::Result<Table> {
    let mut table = Table { name, ..Table::default() };
    let mut key = Vec::new();
    let mut columns = connection.prepare_cached(
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1)",
    )?;
    let mut rows = columns.query([&table.name])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let declared: String = row.get(1)?;
        let (not_null, default): (bool, Option<String>) = (row.get(2)?, row.get(3)?);
        let (place, hidden): (i64, i64) = (row.get(4)?, row.get(5)?);
        if place > 0 {
            key.push((place, name.clone(), declared.clone()));
        }
        table.columns.push(Column {
            datatype: datatype(&declared),
            nullable: !not_null,
            max_chars: [declared_chars(&declared), checked_chars(sql, &name)].into_iter().flatten().min(),
            computed: hidden == 2 || hidden == 3,
            computed_from: if hidden == 2 || hidden == 3 { generated_from(sql, &name) } else { Vec::new() },
            has_default: default.is_some(),
            default: default.as_deref().and_then(constant),
            collation: collation(sql, &name),
            checks: Vec::new(),
            name,
        });
    }
    // Only an INTEGER PRIMARY KEY in exactly this spelling is the row number.
    if let (false, [(_, name, declared)]) = (without_rowid, key.as_slice())
        && declared.eq_ignore_ascii_case("INTEGER")
        && let Some(column) = table.columns.iter_mut().find(|column| column.name == *name)
    {
        column.has_default = true;
        table.key_is_rowid = true;
        table.reuses_numbers = !counts_on(sql);
    }
    table.without_rowid = without_rowid;
    key.sort();
    table.primary_key = key.into_iter().map(|(_, name, _)| name).collect();
    table.leading = leading(connection, &table)?;
    table.foreign_keys = foreign_keys(connection, &table.name)?;
    table.unique = unique(connection, &table)?;
    let mut triggers = connection.prepare_cached(
        "SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE ORDER BY name",
    )?;
    let read =
        |row: &rusqlite::Row<'_>| Ok(trigger(row.get(0)?, row.get(1)?, &table.name, &table.primary_key));
    table.triggers = triggers.query_map([&table.name], read)?.collect::<Result<_, _>>()?;
    table.replaces = replaces(sql);
    Ok(table)
}

/// Adds to each column the CHECKs that concern only this column.
fn put_checks(
    connection: &Connection,
    table: &mut Table,
    sql: &str,
    is_strict: bool,
) -> rusqlite::Result<()> {
    for (expression, words) in checks(sql) {
        table.checks.push(expression.clone());
        let named = |column: &Column| words.iter().any(|word| word.eq_ignore_ascii_case(&column.name));
        let columns: Vec<usize> =
            table.columns.iter().enumerate().filter(|(_, column)| named(column)).map(|(n, _)| n).collect();
        let declared_as = |table: &str, column: &str| -> rusqlite::Result<String> {
            connection
                .prepare_cached("SELECT type FROM pragma_table_xinfo(?1) WHERE name = ?2")?
                .query_row([table, column], |row| row.get(0))
        };
        let [only] = columns.as_slice() else {
            let columns: Vec<&Column> = columns.iter().filter_map(|n| table.columns.get(*n)).collect();
            // A computed column would also need its source columns.
            if columns.iter().any(|column| column.computed) {
                continue;
            }
            let declared: Vec<String> = columns
                .iter()
                .map(|column| declared_as(&table.name, &column.name))
                .collect::<rusqlite::Result<_>>()?;
            let held = columns.into_iter().zip(&declared);
            let held: Vec<Held<'_>> = held
                .map(|(column, declared)| Held { table: &table.name, column, declared, is_strict })
                .collect();
            table.rules.extend(check_of_several(&held, &expression));
            continue;
        };
        let Some(column) = table.columns.get_mut(*only) else { continue };
        let declared = declared_as(&table.name, &column.name)?;
        let held = Held { table: &table.name, column, declared: &declared, is_strict };
        let check = held.to(&expression);
        column.checks.push(check);
    }
    Ok(())
}

/// Adds the unique indexes over expressions, over computed columns or over some of the rows.
fn put_index_rules(connection: &Connection, table: &mut Table, sql: &str) -> rusqlite::Result<()> {
    let mut rules = Vec::new();
    for index in table.unique.iter().filter(|index| index.is_tangled()) {
        // An index that was created with its table has no statement of its own.
        let created: String = connection
            .prepare_cached(
                "SELECT coalesce(sql, '') FROM main.sqlite_schema WHERE type = 'index' AND name = ?1",
            )?
            .query_row([&index.name], |row| row.get(0))?;
        rules.push(index_of_several(table, sql, index, &created));
    }
    table.rules.extend(rules);
    Ok(())
}

fn foreign_keys(connection: &Connection, table: &str) -> rusqlite::Result<Vec<ForeignKey>> {
    let mut list = connection.prepare_cached(
        "SELECT id, \"table\", \"from\", \"to\", on_delete FROM pragma_foreign_key_list(?1) ORDER BY id, seq",
    )?;
    let mut rows = list.query([table])?;
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, to_table, from): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        // NULL means the primary key of the other table.
        let to: Option<String> = row.get(3)?;
        if keys.last().is_none_or(|(last, _)| *last != id) {
            let on_delete: String = row.get(4)?;
            let on_delete = match on_delete.to_ascii_uppercase().as_str() {
                "CASCADE" => OnDelete::Cascade,
                "SET NULL" => OnDelete::SetNull,
                "SET DEFAULT" => OnDelete::SetDefault,
                _ => OnDelete::Nothing,
            };
            keys.push((id, ForeignKey { columns: Vec::new(), to_table, to_columns: Vec::new(), on_delete }));
        }
        if let Some((_, key)) = keys.last_mut() {
            key.columns.push(from);
            key.to_columns.extend(to);
        }
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

/// The first columns of indexes that cover all rows and compare like the column.
fn leading(connection: &Connection, table: &Table) -> rusqlite::Result<BTreeSet<String>> {
    let mut leading: BTreeSet<String> =
        table.primary_key.first().map(|name| name.to_ascii_lowercase()).into_iter().collect();
    let mut list = connection.prepare_cached(
        "SELECT i.name, i.coll FROM pragma_index_list(?1) AS l JOIN pragma_index_xinfo(l.name) AS i
         WHERE NOT l.partial AND i.seqno = 0 AND i.name IS NOT NULL",
    )?;
    let mut rows = list.query([&table.name])?;
    while let Some(row) = rows.next()? {
        let (name, compares): (String, String) = (row.get(0)?, row.get(1)?);
        let own = table.column(&name).and_then(|column| column.collation.as_deref()).unwrap_or("BINARY");
        if own.eq_ignore_ascii_case(&compares) {
            leading.insert(name.to_ascii_lowercase());
        }
    }
    Ok(leading)
}

/// The unique indexes, without the primary key's index.
fn unique(connection: &Connection, table: &Table) -> rusqlite::Result<Vec<UniqueIndex>> {
    let mut list = connection.prepare_cached(
        "SELECT l.name, coalesce(s.sql, ''), l.partial FROM pragma_index_list(?1) AS l
         LEFT JOIN main.sqlite_schema AS s ON s.type = 'index' AND s.name = l.name
         WHERE l.\"unique\" AND l.origin <> 'pk'",
    )?;
    let indexes = list
        .query_map([&table.name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<Vec<(String, String, bool)>, _>>()?;
    let mut unique = Vec::with_capacity(indexes.len());
    for (index, sql, partial) in indexes {
        let mut info = connection.prepare_cached("SELECT name FROM pragma_index_info(?1)")?;
        // An expression has no name.
        let parts =
            info.query_map([&index], |row| row.get(0))?.collect::<Result<Vec<Option<String>>, _>>()?;
        unique.push(UniqueIndex::new(table, &index, &sql, parts, partial));
    }
    Ok(unique)
}
