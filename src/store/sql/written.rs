//! Checks the values that the map itself writes, in `customers.deactivate` and `customers.unknown_customer`, against
//! the constraints of the columns. A conflict is found when the store is opened, before anybody approves anything.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::map::{CustomersMap, DeactivateMap, Source, Written};
use super::schema::{Column, RowRule, Table};
use crate::data_map::{Datatype, Value};
use crate::document::{Reader, join};

/// An example of an instant that `{now}` writes: 2026-01-31 09:30:00 UTC.
const NOW: DateTime<Utc> = DateTime::from_timestamp_nanos(1_769_851_800_000_000_000);

/// Checks that the values of `customers.deactivate` fit their columns, for every customer.
pub(super) fn check_deactivate(reader: &mut Reader, customers: &CustomersMap, table: &Table) {
    let DeactivateMap::Write(writes) = &customers.deactivate else { return };
    let path = "customers.deactivate";
    let archived = |column: &str| -> Vec<Value> {
        let Some(status) = customers.status.as_ref().filter(|status| names(&status.source, column)) else {
            return Vec::new();
        };
        let archived =
            status.values.iter().filter(|(_, status)| **status == crate::customer::Status::Archived);
        archived.map(|(value, _)| Value::from(value.as_str())).collect()
    };
    for (name, value) in writes {
        let Some(column) = table.column(name) else { continue };
        let Some(what) = refused(customers, column, value) else { continue };
        let fitting = archived(name)
            .into_iter()
            .find(|other| refused(customers, column, &Written::Constant(other.clone())).is_none());
        let way_out = match fitting.as_ref().and_then(Value::as_text) {
            Some(other) => format!("write {other}, which the status reads as archived too"),
            None => "write a value that the column takes, or deactivate by another column".to_owned(),
        };
        reader.problem(join(path, name), what, way_out);
    }
    // NULLs do not collide. A rule over several columns is certain to fail only if all of these columns are written.
    let same = |column: &str| {
        writes.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case(column) && !matches!(value, Written::Constant(Value::Null))
        })
    };
    // A personal column is refused by another check.
    let personal = |column: &String| {
        let of_column = customers.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(column));
        of_column.is_some_and(|(_, field)| field.kind.is_some())
    };
    let certain =
        |columns: &&Vec<String>| columns.iter().all(|column| same(column)) && !columns.iter().any(personal);
    for columns in unique(table).filter(certain) {
        let Some(first) = columns.first() else { continue };
        reader.problem(
            join(path, first),
            format!(
                "writes the same for every customer, and no two rows may have the same {}",
                columns.join(" and ")
            ),
            "deactivate by a column whose values need not differ",
        );
    }
    for (rule, first) in refused_together(customers, table, writes) {
        if rule.columns.iter().any(personal) {
            continue;
        }
        let (what, way_out) = if rule.is_unique {
            (
                format!("writes the same for every customer, and {} refuses a second such row", rule.text),
                "deactivate by a column whose values need not differ",
            )
        } else {
            let names = rule.columns.join(", ");
            (
                format!("what is written to {names} is together refused by {}", rule.text),
                "write values that the columns take together, or deactivate by another column",
            )
        };
        reader.problem(join(path, first), what, way_out);
    }
}

/// The rules over several columns that refuse the written values, if all of the rule's columns are written. Each
/// comes with the first of its columns.
fn refused_together<'r>(
    customers: &'r CustomersMap,
    table: &'r Table,
    writes: &'r BTreeMap<String, Written>,
) -> impl Iterator<Item = (&'r RowRule, &'r str)> + 'r {
    let value_of = |column: &String| {
        let (_, written) = writes.iter().find(|(name, _)| name.eq_ignore_ascii_case(column))?;
        match written {
            Written::Constant(value) => Some(value.clone()),
            Written::Now => Some(customers.form_of(column).write(NOW)),
            Written::Tenant { .. } => None,
        }
    };
    table.rules.iter().filter_map(move |rule| {
        let values: Vec<Value> = rule.columns.iter().map(value_of).collect::<Option<_>>()?;
        let first = rule.columns.first()?;
        ((rule.accepts)(&values) == Some(false)).then_some((rule, first.as_str()))
    })
}

/// Checks that the values of a tenant's "Unknown Customer" fit their columns.
pub(super) fn check_unknown(reader: &mut Reader, customers: &CustomersMap, table: &Table) {
    let Some(unknown) = &customers.unknown else { return };
    let path = "customers.unknown_customer";
    let found = unknown.find.iter().map(|(name, value)| ("find", name, Written::Constant(value.clone())));
    let made = unknown.create.iter().map(|(name, value)| ("create", name, value.clone()));
    for (part, name, value) in found.chain(made) {
        if let Some(what) = table.column(name).and_then(|column| refused(customers, column, &value)) {
            reader.problem(join(&join(path, part), name), what, "write a value that the column takes");
        }
    }
    let found = unknown.find.iter().map(|(name, value)| (name.clone(), Written::Constant(value.clone())));
    let all = unknown.create.clone().into_iter().chain(found).collect();
    for (rule, first) in refused_together(customers, table, &all).filter(|(rule, _)| !rule.is_unique) {
        let part =
            if unknown.find.keys().any(|name| name.eq_ignore_ascii_case(first)) { "find" } else { "create" };
        let names = rule.columns.join(", ");
        reader.problem(
            join(&join(path, part), first),
            format!("what is written to {names} is together refused by {}", rule.text),
            "write values that the columns take together",
        );
    }
}

fn names(source: &Source, column: &str) -> bool {
    matches!(source, Source::Column(name) if name.eq_ignore_ascii_case(column))
}

/// The columns that must be unique: the primary key, and each unique index over all rows.
fn unique(table: &Table) -> impl Iterator<Item = &Vec<String>> {
    let indexes = table.unique.iter().filter(|index| !index.partial).map(|index| &index.columns);
    std::iter::once(&table.primary_key).chain(indexes).filter(|columns| !columns.is_empty())
}

/// Why a column does not take a value, if this is known. `{now}` is written in the form in which the column stores
/// dates.
fn refused(customers: &CustomersMap, column: &Column, written: &Written) -> Option<String> {
    if column.computed {
        return Some("is computed by the database, so nothing can be written to it".to_owned());
    }
    let value = match written {
        Written::Constant(value) => value.clone(),
        Written::Now => customers.form_of(&column.name).write(NOW),
        // Only the run knows the tenant's name. The rest of the text has to fit at least.
        Written::Tenant { before, after } => Value::from(format!("{before}{after}")),
    };
    let spelled = match &value {
        Value::Text(text) if *written == Written::Now => format!("{{now}} writes a text such as {text}"),
        Value::Integer(number) if *written == Written::Now => {
            format!("{{now}} writes a number such as {number}")
        }
        _ => String::new(),
    };
    let why = |what: String| if spelled.is_empty() { what } else { format!("{spelled}, which {what}") };
    if value == Value::Null {
        return (!column.nullable).then(|| "is written as NULL, which the column does not take".to_owned());
    }
    // A column of numbers can store instants as numbers, but then the map has to say so.
    let is_text_now = *written == Written::Now && value.as_text().is_some();
    let of_type = match (column.datatype, &value) {
        (Datatype::Integer, Value::Text(text)) => text.trim().parse::<i64>().is_ok(),
        (Datatype::Real, Value::Text(text)) => text.trim().parse::<f64>().is_ok(),
        (Datatype::Integer, Value::Real(number)) => number.fract() == 0.0,
        (Datatype::Blob, Value::Blob(_)) | (Datatype::Any | Datatype::Numeric, _) => true,
        (Datatype::Text | Datatype::Integer | Datatype::Real, other) => !matches!(other, Value::Blob(_)),
        (Datatype::Blob, _) => false,
    };
    if !of_type {
        let stored = format!(
            "; where the column stores dates as numbers, write customers.fields.{} = {{ date = {{ stored = \"seconds\" }} }}, or \
             another form",
            column.name
        );
        let hint = if is_text_now && column.datatype == Datatype::Integer { stored.as_str() } else { "" };
        return Some(why(format!("is of another type than the column{hint}")));
    }
    if let (Some(most), Value::Text(text)) = (column.max_chars, &value)
        && text.chars().count() > usize::try_from(most).unwrap_or(usize::MAX)
    {
        return Some(why(format!("is longer than the {most} characters that the column takes")));
    }
    if matches!(written, Written::Tenant { .. }) {
        return None;
    }
    let check = column.checks.iter().find(|check| check.accepts(&value) == Some(false))?;
    Some(why(format!("is refused by {check}")))
}
