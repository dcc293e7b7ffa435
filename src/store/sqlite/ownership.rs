//! Whose a row is, as SQL: from the batch down to the rows, from the rows up to the batch, and who else shares them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::facts::literal;
use super::statements::{BATCH, quoted};
use crate::data_map::ClassName;
use crate::policy::Ownerless;
use crate::store::sql::{BoundClass, BoundLink, Cut};

/// Whose rows statements are about.
#[derive(Clone, Debug)]
pub(super) enum Whose {
    /// Those of the customers of the batch.
    Batch,
    /// Nobody's: of these classes, those whose owner is gone.
    Nobody(BTreeMap<ClassName, Ownerless>),
}

impl Whose {
    /// True of the rows that are treated.
    pub(super) fn owned(&self, class: &BoundClass) -> String {
        match self {
            Self::Batch => owned(class),
            Self::Nobody(_) => self.theirs(class, &quoted(&class.table)),
        }
    }

    /// True of rows, under an alias, that are theirs, whoever shares them.
    pub(super) fn theirs(&self, class: &BoundClass, alias: &str) -> String {
        match self {
            Self::Batch => leads_to(class, 0, alias, CUSTOMERS),
            Self::Nobody(classes) => classes
                .get(&class.name)
                .map_or_else(|| "0".to_owned(), |which| ownerless(class, 0, alias, *which)),
        }
    }

    /// From whose they are, as `relinquish_b`, down to the class's rows.
    pub(super) fn from(&self, class: &BoundClass) -> String {
        match self {
            Self::Batch => from_batch(class),
            Self::Nobody(_) => {
                let table = quoted(&class.table);
                format!(
                    "FROM ({NOBODY}) AS relinquish_b JOIN main.{table} AS {table} ON {}",
                    self.owned(class)
                )
            }
        }
    }

    /// How many rows of the class there are, with a further condition.
    pub(super) fn count_rows(&self, class: &BoundClass, further: &str) -> String {
        match self {
            Self::Batch => count_rows(class, further),
            Self::Nobody(_) => {
                let (table, owned) = (quoted(&class.table), self.owned(class));
                format!("SELECT 0, count(*) FROM main.{table} AS {table} WHERE {owned}{further}")
            }
        }
    }
}

/// A batch of one who is nobody.
const NOBODY: &str = "SELECT 0 AS relinquish_n, NULL AS relinquish_customer";

/// True of rows, under an alias, whose n-th link, or a later one, leads nowhere. A row to which the condition of a link
/// does not apply is somebody else's than a customer's, and has an owner for all we know.
fn ownerless(class: &BoundClass, n: usize, alias: &str, which: Ownerless) -> String {
    let Some(link) = class.path.get(n) else { return "0".to_owned() };
    let end = format!("end{n}");
    let same: Vec<String> = link
        .columns
        .iter()
        .zip(&link.to_columns)
        .map(|(near, far)| format!("{end}.{} = {alias}.{}", quoted(far), quoted(near)))
        .collect();
    let nulls = |is: &str, and: &str| {
        let each: Vec<String> =
            link.columns.iter().map(|column| format!("{alias}.{} IS {is}", quoted(column))).collect();
        each.join(and)
    };
    let mut ways = vec![format!(
        "{} AND NOT EXISTS (SELECT 1 FROM main.{} AS {end} WHERE {})",
        nulls("NOT NULL", " AND "),
        quoted(&link.to_table),
        same.join(" AND ")
    )];
    if which == Ownerless::GoneOrNone {
        ways.push(nulls("NULL", " OR "));
    }
    if n + 1 < class.path.len() {
        ways.push(format!(
            "EXISTS (SELECT 1 FROM main.{} AS {end} WHERE {} AND {})",
            quoted(&link.to_table),
            same.join(" AND "),
            ownerless(class, n + 1, &end, which)
        ));
    }
    format!("(({}){})", ways.join(" OR "), when(alias, link))
}

/// Columns of a row as a select gives them.
pub(super) fn listed(alias: &str, names: &[String]) -> String {
    let list: Vec<String> = names.iter().map(|name| format!("{alias}.{}", quoted(name))).collect();
    list.join(", ")
}

/// The customers of the batch. An id that nobody has is NULL there, and NULL is nobody.
const CUSTOMERS: &str =
    "SELECT relinquish_customer FROM temp.relinquish_batch WHERE relinquish_customer IS NOT NULL";

/// Columns of a row, alone or as a row value.
pub(super) fn columns(alias: &str, names: &[String]) -> String {
    let list = listed(alias, names);
    if names.len() == 1 { list } else { format!("({list})") }
}

/// ` AND owner_type IS 'customer'`: the condition under which a link holds.
fn when(alias: &str, link: &BoundLink) -> String {
    link.when.iter().fold(String::new(), |mut sql, (column, value)| {
        let _ = write!(sql, " AND {alias}.{} IS {}", quoted(column), literal(value));
        sql
    })
}

/// The table from which the n-th link starts.
fn table_of(class: &BoundClass, n: usize) -> &str {
    match n.checked_sub(1).and_then(|before| class.path.get(before)) {
        Some(before) => &before.to_table,
        None => &class.table,
    }
}

/// True of rows, under an alias, whose n-th link leads to a customer of a set: a select of customers' keys.
fn leads_to(class: &BoundClass, n: usize, alias: &str, customers: &str) -> String {
    let Some(link) = class.path.get(n) else {
        return format!("{} IN ({customers})", columns(alias, &class.key));
    };
    let next = n + 1;
    let set = if next == class.path.len() {
        customers.to_owned()
    } else {
        let table = format!("main.{}", quoted(&link.to_table));
        let way = format!("to{next}");
        let ends: Vec<String> =
            link.to_columns.iter().map(|name| format!("{way}.{}", quoted(name))).collect();
        format!(
            "SELECT {} FROM {table} AS {way} WHERE {}",
            ends.join(", "),
            leads_to(class, next, &way, customers)
        )
    };
    format!("{} IN ({set}){}", columns(alias, &link.columns), when(alias, link))
}

/// A column of a class's rows, under an alias; or of what they hang from, so many links up. None if the way to the
/// customer does not lead through those tables.
pub(super) fn column_above(class: &BoundClass, tables: &[&str], alias: &str, column: &str) -> Option<String> {
    let Some(highest) = tables.len().checked_sub(1) else {
        return Some(format!("{alias}.{}", quoted(column)));
    };
    let mut sql = format!("(SELECT above{highest}.{} FROM ", quoted(column));
    let mut conditions = Vec::new();
    for (n, table) in tables.iter().enumerate() {
        let link = class.path.get(n).filter(|link| !link.shared && link.to_table == *table)?;
        let below = n.checked_sub(1).map_or_else(|| alias.to_owned(), |below| format!("above{below}"));
        let comma = if n == 0 { "" } else { ", " };
        let _ = write!(sql, "{comma}main.{} AS above{n}", quoted(table));
        let same = link.columns.iter().zip(&link.to_columns);
        let same = same.map(|(near, far)| format!("above{n}.{} = {below}.{}", quoted(far), quoted(near)));
        let same: Vec<String> = same.collect();
        conditions.push(same.join(" AND ") + &when(&below, link));
    }
    let _ = write!(sql, " WHERE {})", conditions.join(" AND "));
    Some(sql)
}

/// True of the rows that belong to customers of the batch, and to nobody else.
fn owned(class: &BoundClass) -> String {
    let table = quoted(&class.table);
    let owned = leads_to(class, 0, &table, CUSTOMERS);
    if class.is_shared() { format!("{owned} AND NOT {}", others(class, CUSTOMERS)) } else { owned }
}

/// True of shared rows that belong to somebody outside of a set of customers as well.
fn others(class: &BoundClass, customers: &str) -> String {
    let Some(link) = class.path.first() else { return "0".to_owned() };
    let table = quoted(&class.table);
    let same: Vec<String> = link
        .columns
        .iter()
        .zip(&link.to_columns)
        .map(|(near, far)| format!("other.{} = {table}.{}", quoted(far), quoted(near)))
        .collect();
    // A link that leads to nobody shares with nobody.
    let leads = class.path.get(1).map_or_else(String::new, |next| {
        let somewhere: Vec<String> =
            next.columns.iter().map(|column| format!(" AND other.{} IS NOT NULL", quoted(column))).collect();
        somewhere.concat() + &when("other", next)
    });
    format!(
        "EXISTS (SELECT 1 FROM main.{} AS other WHERE {}{leads} AND NOT coalesce({}, 0))",
        quoted(&link.to_table),
        same.join(" AND "),
        leads_to(class, 1, "other", customers)
    )
}

/// From a customer of the batch down to the class's rows: each table under its alias, and on which condition.
fn steps(class: &BoundClass) -> Vec<(String, String)> {
    let table = quoted(&class.table);
    if class.is_shared() {
        // A row of a customer who has two links to it is one row.
        let customer = "SELECT relinquish_b.relinquish_customer";
        let (theirs, others) = (leads_to(class, 0, &table, customer), others(class, CUSTOMERS));
        return vec![(format!("main.{table} AS {table}"), format!("{theirs} AND NOT {others}"))];
    }
    if class.path.is_empty() {
        let key = class.key.first().map_or("", String::as_str);
        let same = format!("{table}.{} = relinquish_b.relinquish_customer", quoted(key));
        return vec![(format!("main.{table} AS {table}"), same)];
    }
    let mut inner = vec!["relinquish_b.relinquish_customer".to_owned()];
    let mut steps = Vec::with_capacity(class.path.len());
    for (n, link) in class.path.iter().enumerate().rev() {
        let alias = if n == 0 { table.clone() } else { format!("way{n}") };
        let same: Vec<String> = link
            .columns
            .iter()
            .zip(&inner)
            .map(|(column, inner)| format!("{alias}.{} = {inner}", quoted(column)))
            .collect();
        let condition = same.join(" AND ") + &when(&alias, link);
        steps.push((format!("main.{} AS {alias}", quoted(table_of(class, n))), condition));
        if let Some(before) = n.checked_sub(1).and_then(|n| class.path.get(n)) {
            inner = before.to_columns.iter().map(|column| format!("{alias}.{}", quoted(column))).collect();
        }
    }
    steps
}

/// From the batch down to the class's rows: `FROM … JOIN …`.
pub(super) fn from_batch(class: &BoundClass) -> String {
    let mut sql = format!("FROM {BATCH} AS relinquish_b");
    for (table, condition) in steps(class) {
        let _ = write!(sql, " JOIN {table} ON {condition}");
    }
    sql
}

/// Per customer of the batch: how many rows of the class there are, with a further condition. One look into an index
/// per customer, which is less than to group all of their rows.
fn count_rows(class: &BoundClass, further: &str) -> String {
    let mut steps = steps(class).into_iter();
    let (first, condition) = steps.next().unwrap_or_default();
    let mut from = format!("FROM {first}");
    for (table, condition) in steps {
        let _ = write!(from, " JOIN {table} ON {condition}");
    }
    format!(
        "SELECT relinquish_b.relinquish_n, (SELECT count(*) {from} WHERE {condition}{further})
         FROM {BATCH} AS relinquish_b"
    )
}

/// Columns of the class's rows that belong to customers of the batch, the customer's number first.
pub(super) fn select_owned(class: &BoundClass, columns: &str) -> String {
    format!("SELECT relinquish_b.relinquish_n, {columns} {}", from_batch(class))
}

/// Cuts links to rows of a class: those that go, by a condition.
pub(super) fn cut(class: &BoundClass, cut: &Cut, owned: &str) -> String {
    let (table, to) = (quoted(&cut.table), quoted(&class.table));
    let sets: Vec<String> = cut.clear.iter().map(|column| format!("{} = NULL", quoted(column))).collect();
    let ends: Vec<String> = cut.to_columns.iter().map(|column| format!("{to}.{}", quoted(column))).collect();
    format!(
        "UPDATE main.{table} SET {} WHERE {} IN (SELECT {} FROM main.{to} AS {to} WHERE {})",
        sets.join(", "),
        columns(&table, &cut.columns),
        ends.join(", "),
        owned
    )
}
