//! How a row belongs to a customer: link by link, each held against the live schema; and the links that have to be cut
//! when a row goes to which others point.

use std::collections::BTreeSet;

use super::bind::{BoundClass, check_column, own_name};
use super::map::Link;
use super::schema::{ForeignKey, Schema, Table};
use crate::data_map::{ClassName, Value};
use crate::document::{Reader, join};

/// A link of the way to the customer, with both ends.
#[derive(Clone, Debug)]
pub(crate) struct BoundLink {
    pub(crate) columns: Vec<String>,
    pub(crate) to_table: String,
    pub(crate) to_columns: Vec<String>,
    /// It leads there in rows with these values only.
    pub(crate) when: Vec<(String, Value)>,
    /// Several rows may be at the far end, of several customers.
    pub(crate) shared: bool,
}

/// A link from a mapped table to rows that may be deleted, through which no row belongs to its customer: a referrer, a
/// reply. It is cut, and the row it starts from stays its owner's.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// The class of the rows that go.
    pub(crate) of: ClassName,
    pub(crate) table: String,
    pub(crate) columns: Vec<String>,
    pub(crate) to_columns: Vec<String>,
    /// The columns that take NULL for it.
    pub(crate) clear: Vec<String>,
}

/// A link from a mapped table to rows that may be deleted: as long as the row it starts from has to stay, they stay.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Need {
    /// The class of the rows that are pointed at.
    pub(crate) of: ClassName,
    /// The class of those that point.
    pub(crate) by: ClassName,
    pub(crate) columns: Vec<String>,
    pub(crate) to_columns: Vec<String>,
}

/// Where a way starts and where it has to end.
pub(super) struct Ends<'s> {
    pub(super) from: &'s Table,
    pub(super) root: &'s Table,
    pub(super) root_key: &'s str,
}

pub(super) fn bind_way(
    reader: &mut Reader,
    path: &str,
    links: &[Link],
    schema: &Schema,
    ends: &Ends<'_>,
) -> Option<Vec<BoundLink>> {
    let mut way = Vec::with_capacity(links.len());
    let mut table = ends.from;
    for (n, link) in links.iter().enumerate() {
        let is_last = n + 1 == links.len();
        let (next, to_columns) = far_end(reader, path, link, table, schema, ends, is_last)?;
        let reaches_root = next.name == ends.root.name;
        if is_last != reaches_root {
            let what = if is_last {
                format!("ends at table {}, not at the customers", next.name)
            } else {
                format!("reaches the customers at {} and goes on", link.columns.join(", "))
            };
            reader.problem(path, what, "write the columns that lead to the customers' key, and no more");
            return None;
        }
        if is_last && !matches!(to_columns.as_slice(), [key] if key.eq_ignore_ascii_case(ends.root_key)) {
            reader.problem(
                path,
                format!("leads to {}.{}, which is not the customers' key", next.name, to_columns.join(", ")),
                format!("lead to {}", ends.root_key),
            );
            return None;
        }
        if link.shared && (n > 0 || is_last) {
            reader.problem(
                join(path, "shared"),
                "is said of a link that is not the first of several",
                "share a record through a table of links: [{ column, table, key, shared = true }, \"customer\"]",
            );
            return None;
        }
        if !check_link(reader, path, link, table, (next, &to_columns)) {
            return None;
        }
        let mut when = Vec::with_capacity(link.when.len());
        for (column, value) in &link.when {
            if !check_column(reader, &join(path, "when"), table, column) {
                return None;
            }
            when.push((own_name(table, column)?, value.clone()));
        }
        way.push(BoundLink {
            columns: link.columns.iter().map(|column| own_name(table, column)).collect::<Option<_>>()?,
            to_table: next.name.clone(),
            to_columns: to_columns.iter().map(|column| own_name(next, column)).collect::<Option<_>>()?,
            when,
            shared: link.shared,
        });
        table = next;
    }
    Some(way)
}

/// Where a link leads: as the map says, as a foreign key says, or to the customers.
fn far_end<'s>(
    reader: &mut Reader,
    path: &str,
    link: &Link,
    table: &'s Table,
    schema: &'s Schema,
    ends: &Ends<'s>,
    is_last: bool,
) -> Option<(&'s Table, Vec<String>)> {
    if !link.columns.iter().all(|column| check_column(reader, path, table, column)) {
        return None;
    }
    let by_key = table.foreign_key(&link.columns).map(|key| (key.to_table.clone(), key.to_columns.clone()));
    let (to_table, to_columns) = match (&link.to, by_key) {
        (Some(to), _) => to.clone(),
        (None, Some(found)) => found,
        (None, None) if is_last => (ends.root.name.clone(), vec![ends.root_key.to_owned()]),
        (None, None) => {
            reader.problem(
                path,
                format!("no foreign key of {} starts at {}", table.name, link.columns.join(", ")),
                "write the link in full: { column = \"…\", table = \"…\", key = \"…\" }",
            );
            return None;
        }
    };
    let Some(next) = schema.table(&to_table) else {
        reader.problem(path, format!("there is no table {to_table}"), "mend the link");
        return None;
    };
    let to_columns = if to_columns.is_empty() { next.primary_key.clone() } else { to_columns };
    if to_columns.len() != link.columns.len() {
        reader.problem(
            path,
            format!("{} leads to {} columns of {}", link.columns.join(", "), to_columns.len(), next.name),
            "write as many columns on both ends",
        );
        return None;
    }
    to_columns.iter().all(|column| check_column(reader, path, next, column)).then_some((next, to_columns))
}

/// Both ends of a link have to say the same of every value, and the far end has to be one row's alone, unless the map
/// says that the record is shared.
fn check_link(
    reader: &mut Reader,
    path: &str,
    link: &Link,
    table: &Table,
    (next, to_columns): (&Table, &[String]),
) -> bool {
    let end = format!("{}.{}", next.name, to_columns.join(", "));
    if !link.shared && !next.is_key(to_columns) {
        reader.problem(
            path,
            format!("{end} does not tell the rows of {} apart, so rows of others would be taken", next.name),
            "link by a column that is a key of its own, or say that the record is shared",
        );
        return false;
    }
    for (near, far) in link.columns.iter().zip(to_columns) {
        let (Some(near), Some(far)) = (table.column(near), next.column(far)) else { return false };
        if near.datatype != far.datatype || near.collation.is_some() || far.collation.is_some() {
            reader.problem(
                path,
                format!(
                    "{}.{} and {}.{} do not compare alike: they differ in type, or compare without regard to case",
                    table.name, near.name, next.name, far.name
                ),
                "declare both with the same type and no COLLATE",
            );
            return false;
        }
    }
    true
}

/// Whether a foreign key is the first link of a class's way to the customer, or the link through which customers share
/// the rows it points at: rows at both ends then belong to the same customer.
pub(super) fn is_owner_link(class: &BoundClass, key: &ForeignKey, to: &BoundClass) -> bool {
    // The key may name more columns than the link, such as the tenant's.
    let all_in = |columns: &[String], others: &[String]| {
        columns.iter().all(|column| others.iter().any(|other| other.eq_ignore_ascii_case(column)))
    };
    let owns = class.path.first().is_some_and(|link| {
        link.to_table.eq_ignore_ascii_case(&key.to_table) && all_in(&link.columns, &key.columns)
    });
    let shares = to.path.first().is_some_and(|link| {
        link.shared
            && link.to_table.eq_ignore_ascii_case(&class.table)
            && all_in(&link.to_columns, &key.columns)
    });
    owns || shares
}

/// The columns of a foreign key that can be cleared to cut it: none of the key or of the way to the customer, and they
/// take NULL.
pub(super) fn clearable(table: &Table, classes: &[&BoundClass], key: &ForeignKey) -> Vec<String> {
    let is_fixed = |column: &String| {
        let is = |name: &String| name.eq_ignore_ascii_case(column);
        table.primary_key.iter().any(is)
            || classes.iter().any(|class| {
                class.key.iter().any(is) || class.path.first().is_some_and(|link| link.columns.iter().any(is))
            })
    };
    key.columns
        .iter()
        .filter(|column| !is_fixed(column))
        .filter_map(|column| table.column(column))
        .filter(|column| column.nullable && !column.computed)
        .map(|column| column.name.clone())
        .collect()
}

/// Every link of a mapped table that is cut when a row of a class goes.
pub(super) fn cuts(schema: &Schema, classes: &[BoundClass]) -> Vec<Cut> {
    let mut list = Vec::new();
    let mut seen = BTreeSet::new();
    for to in classes {
        for class in classes {
            let Some(table) = schema.table(&class.table) else { continue };
            for key in table.foreign_keys.iter().filter(|key| key.to_table.eq_ignore_ascii_case(&to.table)) {
                let of_table: Vec<&BoundClass> =
                    classes.iter().filter(|class| class.table.eq_ignore_ascii_case(&table.name)).collect();
                if of_table.iter().any(|class| is_owner_link(class, key, to)) {
                    continue;
                }
                let clear = clearable(table, &of_table, key);
                let far = schema.table(&key.to_table);
                let to_columns = match (key.to_columns.is_empty(), far) {
                    (true, Some(far)) => far.primary_key.clone(),
                    _ => key.to_columns.clone(),
                };
                if clear.is_empty()
                    || !seen.insert((to.name.clone(), class.table.clone(), key.columns.clone()))
                {
                    continue;
                }
                list.push(Cut {
                    of: to.name.clone(),
                    table: table.name.clone(),
                    columns: key.columns.clone(),
                    to_columns,
                    clear,
                });
            }
        }
    }
    list
}

/// Every link of mapped tables: foreign keys, and the first links of the ways to the customer even where no foreign key
/// describes them.
pub(super) fn needs(schema: &Schema, classes: &[BoundClass]) -> BTreeSet<Need> {
    let mut list = BTreeSet::new();
    for by in classes {
        let Some(table) = schema.table(&by.table) else { continue };
        let keys = table.foreign_keys.iter().map(|key| (&key.to_table, &key.columns, &key.to_columns));
        let first = by.path.first().filter(|link| !link.shared);
        let first = first.map(|link| (&link.to_table, &link.columns, &link.to_columns));
        for (to_table, columns, to_columns) in keys.chain(first) {
            let to_columns = match schema.table(to_table) {
                Some(far) if to_columns.is_empty() => &far.primary_key,
                _ => to_columns,
            };
            for of in classes.iter().filter(|of| of.table.eq_ignore_ascii_case(to_table)) {
                list.insert(Need {
                    of: of.name.clone(),
                    by: by.name.clone(),
                    columns: columns.clone(),
                    to_columns: to_columns.clone(),
                });
            }
        }
    }
    list
}
