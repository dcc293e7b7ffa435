//! What the map itself writes, held against the constraints of the columns: `customers.deactivate` and
//! `customers.unknown_customer`. A conflict is found when the store is opened, before anybody approves anything.

use super::map::{CustomersMap, DeactivateMap, Source, Written};
use super::schema::{Column, Table};
use crate::data_map::{Datatype, Value};
use crate::document::{Reader, join};

/// How `{now}` is written, with an instant for an example.
const NOW: &str = "2026-01-31 09:30:00";

/// What deactivating writes must fit its columns, for each customer.
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
        let Some(what) = refused(column, value) else { continue };
        let fitting = archived(name)
            .into_iter()
            .find(|other| refused(column, &Written::Constant(other.clone())).is_none());
        let way_out = match fitting.as_ref().and_then(Value::as_text) {
            Some(other) => format!("write {other}, which the status reads as archived too"),
            None => "write a value that the column takes, or deactivate by another column".to_owned(),
        };
        reader.problem(join(path, name), what, way_out);
    }
    // NULLs do not collide. Of several columns together nothing is certain unless all of them are written.
    let same = |column: &str| {
        writes.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case(column) && !matches!(value, Written::Constant(Value::Null))
        })
    };
    // A personal column is refused as such.
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
}

/// What the "Unknown Customer" of a tenant is made of must fit its columns.
pub(super) fn check_unknown(reader: &mut Reader, customers: &CustomersMap, table: &Table) {
    let Some(unknown) = &customers.unknown else { return };
    let path = "customers.unknown_customer";
    let found = unknown.find.iter().map(|(name, value)| ("find", name, Written::Constant(value.clone())));
    let made = unknown.create.iter().map(|(name, value)| ("create", name, value.clone()));
    for (part, name, value) in found.chain(made) {
        if let Some(what) = table.column(name).and_then(|column| refused(column, &value)) {
            reader.problem(join(&join(path, part), name), what, "write a value that the column takes");
        }
    }
}

fn names(source: &Source, column: &str) -> bool {
    matches!(source, Source::Column(name) if name.eq_ignore_ascii_case(column))
}

/// The columns that tell rows apart: the primary key, and each unique index that holds for all rows.
fn unique(table: &Table) -> impl Iterator<Item = &Vec<String>> {
    let indexes = table.unique.iter().filter(|index| !index.partial).map(|index| &index.columns);
    std::iter::once(&table.primary_key).chain(indexes).filter(|columns| !columns.is_empty())
}

/// Why a column does not take what is written, if that is known.
fn refused(column: &Column, written: &Written) -> Option<String> {
    if column.computed {
        return Some("is computed by the database, so nothing can be written to it".to_owned());
    }
    let value = match written {
        Written::Constant(value) => value.clone(),
        Written::Now => Value::from(NOW),
        // Whose name it is, only the run knows: the rest has to fit at least.
        Written::Tenant { before, after } => Value::from(format!("{before}{after}")),
    };
    let spelled =
        if *written == Written::Now { format!("{{now}} writes a text such as {NOW}") } else { String::new() };
    let why = |what: String| if spelled.is_empty() { what } else { format!("{spelled}, which {what}") };
    if value == Value::Null {
        return (!column.nullable).then(|| "is written as NULL, which the column does not take".to_owned());
    }
    let of_type = match (column.datatype, &value) {
        (Datatype::Integer, Value::Text(text)) => text.trim().parse::<i64>().is_ok(),
        (Datatype::Real, Value::Text(text)) => text.trim().parse::<f64>().is_ok(),
        (Datatype::Integer, Value::Real(number)) => number.fract() == 0.0,
        (Datatype::Blob, Value::Blob(_)) | (Datatype::Any | Datatype::Numeric, _) => true,
        (Datatype::Text | Datatype::Integer | Datatype::Real, other) => !matches!(other, Value::Blob(_)),
        (Datatype::Blob, _) => false,
    };
    if !of_type {
        return Some(why("is of another type than the column".to_owned()));
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
