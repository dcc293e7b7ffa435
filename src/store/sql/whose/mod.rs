//! Who owns a row, as SQL: selects along links, and the sets of rows that they fill.
//!
//! Each set is a temporary table, one for each class. It stores rows by their [handle](BoundClass::handle). A
//! statement reads one set and adds to another; [`rounds`](super::run) says how often it runs. The *foot* of a link
//! is the row that has the link, and its *head* is the row at the other end.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::bind::{Bound, BoundClass, Rows};
use super::dialect::{Dialect, Holds, OwnTable};
use super::links::Is;
use super::map::CustomersMap;
use super::spelling::{is_blank, quoted};
use super::way::BoundLink;
use crate::data_map::{ClassName, Datatype, LinkRole, Value};

mod find;
mod touched;
mod ways;

pub(crate) use find::{Expression, Fill, Finder, Finding, Place, same_handle};
pub(crate) use touched::{Touched, is_due, is_one_persons, need_no_set, need_no_set_for};
pub(crate) use ways::{From, Reads, Toward, Ways, picked};

/// The temporary table with the customers of a batch.
pub(crate) fn batch(bound: &Bound) -> String {
    bound.dialect.own_table(BATCH)
}

const BATCH: &str = "relinquish_batch";

/// A set of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Set {
    /// The selected rows: what the customers of the batch have, with the customer's number and what is known of the
    /// row.
    Touched,
    /// Rows that are treated together with the record at the other end of their link, whoever owns them.
    Along,
    /// Rows from selected, shareable rows up to all of their owners.
    Above,
    /// Rows that also belong to an owner who stays.
    Had,
    /// Rows that reference selected rows and that a duty may keep.
    Near,
    /// Rows that a duty keeps.
    Whole,
    /// Rows that such rows reference.
    Needed,
    /// Rows from which links lead to the batch, and whose owner may be unclear.
    Unclear,
    /// Rows of others that a customer of the batch reaches, and from there up to all of their owners.
    Abroad,
    /// Rows that were added to the table since the transaction began, by triggers above all.
    Added,
    /// Rows in which fields belong to a customer of the batch, and whether there is something to do to them.
    Theirs,
}

impl Set {
    pub(crate) const ALL: [Self; 11] = [
        Self::Touched,
        Self::Along,
        Self::Above,
        Self::Had,
        Self::Near,
        Self::Whole,
        Self::Needed,
        Self::Unclear,
        Self::Abroad,
        Self::Added,
        Self::Theirs,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Touched => "touched",
            Self::Along => "along",
            Self::Above => "above",
            Self::Had => "had",
            Self::Near => "near",
            Self::Whole => "whole",
            Self::Needed => "needed",
            Self::Unclear => "unclear",
            Self::Abroad => "abroad",
            Self::Added => "added",
            Self::Theirs => "theirs",
        }
    }

    /// Whether its rows have the number of a customer.
    pub(crate) fn is_numbered(self) -> bool {
        matches!(self, Self::Touched | Self::Unclear | Self::Abroad)
    }

    fn name(self, class: usize) -> String {
        format!("relinquish_{}_{class}", self.word())
    }

    /// The table of the set for a class.
    pub(crate) fn of(self, bound: &Bound, class: usize) -> String {
        bound.dialect.own_table(&self.name(class))
    }
}

/// Creates the sets of every class.
pub(crate) fn create_sets(bound: &Bound) -> Vec<String> {
    let mut tables = Vec::new();
    let in_circles = in_circles(bound);
    for (number, class) in bound.classes.iter().enumerate() {
        // A handle column that no class describes is the row number.
        let number_of_row = (class.handle.len() == 1).then_some(Datatype::Integer);
        let handle = typed(bound, class, "h", &class.handle, number_of_row);
        let mut create = |name: String, columns: &[(&str, Holds)], further: &[&str]| {
            let names = handle.iter().map(|(name, _)| name.as_str());
            let own = columns.iter().map(|(name, holds)| ((*name).to_owned(), holds.clone()));
            let table = OwnTable {
                name,
                like: class.table.clone(),
                key: names.chain(further.iter().copied()).map(str::to_owned).collect(),
                columns: handle.iter().cloned().chain(own).collect(),
                is_numbered: in_circles.contains(&number),
            };
            tables.push(bound.dialect.create(&table));
        };
        for set in Set::ALL {
            if (set == Set::Added && class.echoes.is_empty())
                || (set == Set::Theirs && class.of.is_empty() && class.values.is_empty())
            {
                continue;
            }
            let flags = ["whole", "had", "needed", "instead", "beside"].map(|flag| (flag, Holds::Flag));
            let (columns, key): (_, &[&str]) = match set {
                Set::Touched => ([("n", Holds::Number)].into_iter().chain(flags).collect(), &["n"]),
                Set::Unclear => (vec![("n", Holds::Number)], &["n"]),
                Set::Abroad => (vec![("n", Holds::Number), ("seed", Holds::Text)], &["n", "seed"]),
                Set::Theirs => (vec![("n", Holds::Number), ("due", Holds::Number)], &["n", "due"]),
                Set::Had => (vec![("person", Holds::Text)], &["person"]),
                Set::Whole => (vec![("needs", Holds::Number)], &["needs"]),
                Set::Along | Set::Above | Set::Near | Set::Needed | Set::Added => (Vec::new(), &[]),
            };
            create(set.name(number), &columns, key);
        }
        create(ways::picked_name(number), &[], &[]);
        if !class.echoes.is_empty() {
            let (name, table) = (format!("relinquish_notes_{number}"), bound.table(&class.table));
            let into = Set::Added.of(bound, number);
            tables.extend(bound.dialect.note_added(&name, &table, &into, &class.handle));
        }
    }
    tables
}

/// The classes whose rows may lead to each other in a tree or a circle, directly or through other classes. Their sets are
/// filled in one round per level, and each round reads only the rows that the rounds before have added.
pub(crate) fn in_circles(bound: &Bound) -> BTreeSet<usize> {
    let number = |name: &ClassName| bound.classes.iter().position(|class| class.name == *name);
    let (mut links, mut hanging) = (Vec::new(), Vec::new());
    for (foot, class) in bound.classes.iter().enumerate() {
        for link in &class.links {
            for head in link.heads.iter().filter_map(number) {
                links.push((foot, head));
                if link.role != LinkRole::End {
                    hanging.push((head, foot));
                }
                if link.holds {
                    hanging.push((foot, head));
                }
            }
        }
    }
    let leads_back = |pairs: &[(usize, usize)], start: usize| {
        let (mut seen, mut todo) = (BTreeSet::new(), vec![start]);
        while let Some(at) = todo.pop() {
            let next = pairs.iter().filter(|(from, _)| *from == at).map(|(_, to)| *to);
            todo.extend(next.filter(|to| seen.insert(*to)));
        }
        seen.contains(&start)
    };
    let all = 0..bound.classes.len();
    all.filter(|class| leads_back(&links, *class) || leads_back(&hanging, *class)).collect()
}

/// Columns that hold values of a class's columns.
fn typed(
    bound: &Bound,
    class: &BoundClass,
    name: &str,
    columns: &[String],
    undescribed: Option<Datatype>,
) -> Vec<(String, Holds)> {
    let described = bound.data_map.class(class.name.as_str());
    let typed = columns.iter().enumerate().map(|(part, column)| {
        let field = described.and_then(|described| described.find(column));
        let datatype = field.map(|field| field.constraints().datatype).or(undescribed);
        (format!("{name}{part}"), Holds::Like { column: column.clone(), datatype })
    });
    typed.collect()
}

/// Column names such as `h0, h1`.
pub(crate) fn handle_names(class: &BoundClass) -> String {
    let names: Vec<String> = (0..class.handle.len()).map(|part| format!("h{part}")).collect();
    names.join(", ")
}

/// The condition that a row of a class is the row that a set names.
pub(crate) fn is_row(class: &BoundClass, alias: &str, set: &str) -> String {
    let same = class.handle.iter().enumerate();
    let same = same.map(|(part, column)| format!("{alias}.{} = {set}.h{part}", quoted(column)));
    same.collect::<Vec<_>>().join(" AND ")
}

/// The condition that a column has one of these values.
fn holds(bound: &Bound, alias: &str, column: &str, is: &Is) -> String {
    let column = format!("{alias}.{}", quoted(column));
    let each = |values: &[Value], between: &str, is: &dyn Fn(&str) -> String| {
        let each: Vec<String> = values.iter().map(|value| is(&bound.dialect.literal(value))).collect();
        if each.len() == 1 { each.concat() } else { format!("({})", each.join(between)) }
    };
    match is {
        Is::OneOf(values) => each(values, " OR ", &|value| bound.dialect.is(&column, value)),
        Is::NoneOf(values) => each(values, " AND ", &|value| bound.dialect.is_not(&column, value)),
        Is::Null => format!("{column} IS NULL"),
        Is::NotNull => format!("{column} IS NOT NULL"),
    }
}

/// Conditions on a row, such as ` AND owner_type IS 'customer'`.
fn conditions(bound: &Bound, alias: &str, when: &[(String, Is)]) -> String {
    when.iter().fold(String::new(), |mut sql, (column, is)| {
        let _ = write!(sql, " AND {}", holds(bound, alias, column, is));
        sql
    })
}

/// The conditions that a row of the table belongs to the class.
pub(crate) fn of_class(bound: &Bound, alias: &str, rows: &Rows) -> String {
    let mut sql = conditions(bound, alias, &rows.with);
    for other in &rows.without {
        let each: Vec<String> = other.iter().map(|(column, is)| holds(bound, alias, column, is)).collect();
        let _ = write!(
            sql,
            " AND NOT ({})",
            if each.is_empty() { "TRUE".to_owned() } else { each.join(" AND ") }
        );
    }
    sql
}

/// The conditions that a link of a row leads somewhere.
pub(crate) fn leads(bound: &Bound, alias: &str, link: &BoundLink, hangs: bool) -> String {
    let mut sql = conditions(bound, alias, &link.when);
    let is_empty = |columns: &[String], none: &[Value]| {
        let each: Vec<String> = columns
            .iter()
            .flat_map(|column| {
                let column = format!("{alias}.{}", quoted(column));
                let blank = is_blank(&bound.dialect.untyped(&column));
                let is = |value| bound.dialect.is(&column, &bound.dialect.literal(value));
                let values: Vec<String> = none.iter().map(is).collect();
                [format!("{column} IS NULL"), blank].into_iter().chain(values)
            })
            .collect();
        format!("({})", each.join(" OR "))
    };
    let none = link.none.iter().filter(|value| **value != Value::Null);
    let values: Vec<String> = none.map(|value| bound.dialect.literal(value)).collect();
    for column in &link.columns {
        let column = format!("{alias}.{}", quoted(column));
        if !values.is_empty() {
            let _ = write!(sql, " AND {column} NOT IN ({})", values.join(", "));
        }
        if link.by_value {
            let _ = write!(sql, " AND NOT {}", is_blank(&bound.dialect.untyped(&column)));
        }
    }
    // Of several owner links, the first non-empty one counts. The values of the others still identify people.
    for (columns, none) in link.unless.iter().filter(|_| hangs) {
        let _ = write!(sql, " AND {}", is_empty(columns, none));
    }
    sql
}

/// The condition that a row is the tenant's "Unknown Customer".
pub(crate) fn stand_in_sql(dialect: &dyn Dialect, map: &CustomersMap, alias: &str) -> String {
    let Some(unknown) = &map.unknown else { return "FALSE".to_owned() };
    let conditions: Vec<String> = unknown
        .find
        .iter()
        .map(|(column, value)| dialect.is(&format!("{alias}.{}", quoted(column)), &dialect.literal(value)))
        .collect();
    format!("({})", conditions.join(" AND "))
}

/// Creates the batch table. Its key columns accept the same values as the customers' key columns.
pub(crate) fn create_batch(bound: &Bound) -> String {
    let parts =
        |name: &str| bound.root().map_or_else(Vec::new, |root| typed(bound, root, name, &root.key, None));
    let mut columns = vec![("n".to_owned(), Holds::Number)];
    columns.extend(parts("k"));
    columns.extend(["tenant", "person"].map(|name| (name.to_owned(), Holds::MaybeText)));
    columns.extend(parts("s"));
    let like = bound.customers.table.clone();
    bound.dialect.create(&OwnTable {
        name: BATCH.to_owned(),
        like,
        columns,
        key: vec!["n".to_owned()],
        is_numbered: false,
    })
}
