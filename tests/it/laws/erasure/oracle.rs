//! The brute-force oracle. It checks every cell, and adds up the amounts in the rows that are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value as Sql;

use super::Verdict;
use super::generated::{Action, Cell, Row, Rule, Shop, TARGET, between};
use super::run::Cells;

/// Checks that the target is erased as the policy says, and that nothing else has changed.
pub(super) fn check(shop: &Shop, rows: &[Row], before: &Cells, after: &Cells) -> Verdict {
    let stand_in = after
        .iter()
        .find(|((table, _), cells)| table == "customers" && cells["stand_in"] == Sql::Integer(1))
        .map(|(_, cells)| cells["id"].clone());
    let mut expected = BTreeSet::new();
    for row in rows {
        let place = row.place();
        let Some(was) = before.get(&place) else { continue };
        let fate = row.fate();
        let found = after.get(&place);
        if fate == Action::Delete {
            ensure!(found.is_none(), "{place:?} is to be deleted");
            continue;
        }
        let Some(is) = found else { return Err(format!("{place:?} is gone")) };
        expected.insert(place.clone());
        ensure!(was.keys().eq(is.keys()), "{place:?} has other columns");
        for cell in row.cells.iter().filter(|cell| was.contains_key(&cell.column)) {
            let is = &is[&cell.column];
            check_cell(shop, fate, cell, is, stand_in.as_ref()).map_err(|what| {
                format!("{place:?}.{} {what}; it was {:?} and is {is:?}", cell.column, cell.value)
            })?;
        }
    }
    let new: Vec<_> = after.keys().filter(|place| !expected.contains(place)).collect();
    let wanted = rows.iter().any(|row| row.fate() == Action::Reassign);
    ensure!(new.len() == usize::from(wanted), "only the stand-in may be new: {new:?}");
    // The value must not even be a part of another text.
    let texts: Vec<&String> = after
        .values()
        .flat_map(BTreeMap::values)
        .filter_map(|value| if let Sql::Text(text) = value { Some(text) } else { None })
        .collect();
    for value in rows.iter().flat_map(Row::erased_values) {
        ensure!(!texts.iter().any(|text| text.contains(&value)), "{value} is left");
    }
    Ok(())
}

fn check_cell(shop: &Shop, fate: Action, cell: &Cell, is: &Sql, stand_in: Option<&Sql>) -> Verdict {
    let treated = matches!(fate, Action::Anonymise | Action::Reassign);
    match &cell.rule {
        Rule::Personal if treated => {
            ensure!(*is == Sql::Null || *is != cell.value, "is as it was");
        }
        Rule::Document(pieces) if treated => {
            let Sql::Text(text) = is else { return Err("is no document any more".to_owned()) };
            ensure!(between(text, pieces).is_some(), "is another document");
        }
        Rule::Owner if fate == Action::Reassign => ensure!(Some(is) == stand_in, "has no new owner"),
        // The deactivation writes it.
        Rule::Status if treated => {
            ensure!(*is == Sql::Text("archived".to_owned()), "was not deactivated");
        }
        Rule::Link if shop.delete_customers && cell.value == Sql::Integer(shop.id(TARGET)) => {
            ensure!(*is == Sql::Null, "leads to a row that is deleted");
        }
        _ => ensure!(*is == cell.value, "may not change"),
    }
    Ok(())
}

/// For each table, by tenant: the number of rows and the sum of their amounts.
pub(super) type Sums = BTreeMap<String, Vec<(String, i64, i64)>>;

/// Counts and sums of the rows that the plan keeps. They are worked out as a report would do it: by tenant, with
/// joins over the links. For tables whose rows are deleted, only the rows of other customers count.
pub(super) fn sums(shop: &Shop, path: &Path) -> Sums {
    let connection = Connection::open(path).unwrap();
    let mut sums = BTreeMap::new();
    let others = |action| {
        if action == Action::Delete { format!("c.id <> {}", shop.id(TARGET)) } else { "1".to_owned() }
    };
    let own = others(shop.action_of_customers());
    sums.insert(
        "customers".to_owned(),
        read(&connection, &format!("SELECT tenant, count(*), 0 FROM customers c WHERE {own} AND NOT stand_in GROUP BY 1 ORDER BY 1")),
    );
    for (n, table) in shop.tables.iter().enumerate() {
        let mut joins = String::new();
        let (mut at, mut name) = (table, format!("t{n}"));
        while let Some(parent) = at.parent {
            let composite = shop.tables[parent].form == super::generated::Form::Composite;
            let part =
                if composite { format!(" AND t{parent}.part = {name}.owner_part") } else { String::new() };
            let _ = write!(joins, " JOIN t{parent} ON t{parent}.id = {name}.owner{part}");
            (at, name) = (&shop.tables[parent], format!("t{parent}"));
        }
        let client = if at.typed { format!(" AND {name}.owner_type = 'client'") } else { String::new() };
        let sql = format!(
            "SELECT c.tenant, count(*), sum(t{n}.amount) FROM t{n}{joins} JOIN customers c ON c.id = {name}.owner{client} \
             WHERE {} GROUP BY 1 ORDER BY 1",
            others(table.action)
        );
        sums.insert(format!("t{n}"), read(&connection, &sql));
    }
    sums
}

fn read(connection: &Connection, sql: &str) -> Vec<(String, i64, i64)> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.map(Result::unwrap).collect()
}
