//! Checks the map's tables, keys and customers against the schema.

use std::collections::{BTreeMap, BTreeSet};

use super::described::{field, implied, is_token_part};
use crate::customer::Status;
use crate::data_map::{Datatype, Value};
use crate::document::{Reader, join, suggest};
use crate::store::sql::links::{Is, When};
use crate::store::sql::map::{CustomersMap, DeactivateMap, Ignored, Source, SqlMap, TenantSource, Written};
use crate::store::sql::paste::{list, set, text};
use crate::store::sql::schema::{Column, Schema, Table, names_column};
use crate::store::sql::written;

/// A column's name in the table's own spelling.
pub(in crate::store::sql) fn own_name(table: &Table, column: &str) -> Option<String> {
    table.column(column).map(|column| column.name.clone())
}

pub(in crate::store::sql) fn names(table: &Table) -> Vec<&str> {
    table.columns.iter().map(|column| column.name.as_str()).collect()
}

pub(in crate::store::sql) fn mapped(map: &SqlMap) -> impl Iterator<Item = (String, &str)> {
    std::iter::once(("customers".to_owned(), map.customers.table.as_str())).chain(
        map.records.iter().map(|(name, record)| (join("records", name.as_str()), record.table.as_str())),
    )
}

/// Reports tables that do not exist, or that are mapped twice.
pub(super) fn check_tables(reader: &mut Reader, map: &SqlMap, schema: &Schema) {
    let mut seen = BTreeSet::new();
    let known: Vec<&str> = schema.tables().map(|table| table.name.as_str()).collect();
    for (path, table) in mapped(map) {
        if schema.table(table).is_none() {
            let way_out = suggest(table, known.iter().copied());
            reader.problem(join(&path, "table"), format!("there is no table {table}"), way_out);
        } else if !seen.insert(table.to_ascii_lowercase()) && !is_told_apart(map, table) {
            reader.problem(
                join(&path, "table"),
                format!("table {table} is mapped twice"),
                "leave one of them, or tell their rows apart: when = { type = \"…\" } in each, and when = \"rest\" in one",
            );
        }
    }
    for (table, ignored) in &map.ignore {
        let path = join("ignore", table);
        let is_mapped = seen.contains(&table.to_ascii_lowercase());
        if !schema.has(table) {
            reader.problem(path, "there is no such table", suggest(table, known.iter().copied()));
        } else if is_mapped && matches!(ignored, Ignored::Table(_)) {
            reader.problem(
                path,
                "is mapped as well",
                format!("leave one of the two; of rows that no class claims, write ignore.{table} = {{ rest = \"reason\" }}"),
            );
        } else if !is_mapped && matches!(ignored, Ignored::Rest(_)) {
            reader.problem(path, "speaks of the rest of a table that is not mapped", "write a reason alone");
        }
    }
    if map.records.contains_key(&map.customers.class) {
        reader.problem(
            join("records", map.customers.class.as_str()),
            "has the name of the customers' own class",
            "give it another name, or set customers.class",
        );
    }
}

/// Whether conditions keep the classes of a table apart, so that no row belongs to two.
pub(in crate::store::sql) fn is_told_apart(map: &SqlMap, table: &str) -> bool {
    let root = map.customers.table.eq_ignore_ascii_case(table).then_some(&map.customers.when);
    let records = map.records.values().filter(|record| record.table.eq_ignore_ascii_case(table));
    let conditions: Vec<&When> = root.into_iter().chain(records.map(|record| &record.when)).collect();
    let is_apart = |one: &When, other: &When| match (one, other) {
        (When::All, _) | (_, When::All) | (When::Rest, When::Rest) => false,
        (When::Rest, _) | (_, When::Rest) => true,
        (When::Values(one), When::Values(other)) => one.iter().any(|(column, is)| {
            let same = other.iter().filter(|(name, _)| name.eq_ignore_ascii_case(column));
            same.into_iter().any(|(_, another)| excludes(is, another))
        }),
    };
    conditions
        .iter()
        .enumerate()
        .all(|(n, one)| conditions.iter().skip(n + 1).all(|other| is_apart(one, other)))
}

/// Whether no value meets both conditions.
pub(super) fn excludes(one: &Is, other: &Is) -> bool {
    match (one, other) {
        (Is::OneOf(one), Is::OneOf(other)) => one.iter().all(|value| !other.contains(value)),
        (Is::OneOf(some), Is::NoneOf(others)) | (Is::NoneOf(others), Is::OneOf(some)) => {
            some.iter().all(|value| others.contains(value))
        }
        (Is::Null, Is::OneOf(_) | Is::NotNull) | (Is::OneOf(_) | Is::NotNull, Is::Null) => true,
        _ => false,
    }
}

pub(in crate::store::sql) fn check_column(
    reader: &mut Reader,
    path: &str,
    table: &Table,
    column: &str,
) -> bool {
    let found = table.column(column).is_some();
    if !found {
        reader.problem(
            path,
            format!("table {} has no column {column}", table.name),
            suggest(column, names(table)),
        );
    }
    found
}

pub(super) fn check_key(reader: &mut Reader, path: &str, place: &[&str], table: &Table, key: &[String]) {
    if table.primary_key.is_empty() && *key == *table.handle() {
        return;
    }
    if !key.iter().all(|column| check_column(reader, path, table, column)) {
        return;
    }
    let is_real = |column: &&String| table.column(column).is_some_and(|own| own.datatype == Datatype::Real);
    if let Some(column) = key.iter().find(is_real) {
        reader.problem(
            path,
            format!("{column} of {} is a floating-point number, which is no key: two spellings may mean one number", table.name),
            "give the table a key of whole numbers, texts or bytes",
        );
        return;
    }
    if !table.is_key(key) {
        let primary = &table.primary_key;
        reader.problem_to_paste(
            path,
            format!("{} does not tell the rows of {} apart", key.join(", "), table.name),
            if primary.is_empty() {
                "give the table a primary key".to_owned()
            } else {
                format!("write its primary key: {}", primary.join(", "))
            },
            (!primary.is_empty() && !place.is_empty()).then(|| set(place, "key", &list(primary))),
        );
    }
}

pub(super) fn tenant_source(customers: &CustomersMap) -> Option<&Source> {
    match &customers.tenant {
        TenantSource::Is(_) => None,
        TenantSource::From(source) => Some(source),
    }
}

/// The columns of the customers' table that are sources of facts, each with its path.
pub(super) fn sources(customers: &CustomersMap) -> Vec<(String, &Source)> {
    let mut list = Vec::new();
    if let TenantSource::From(source) = &customers.tenant {
        list.push(("tenant".to_owned(), source));
    }
    let optional = [
        ("tenants", &customers.tenants),
        ("registered", &customers.registered),
        ("active_subscriptions", &customers.active_subscriptions),
        ("unpaid_invoices", &customers.unpaid_invoices),
        ("open_disputes", &customers.open_disputes),
        ("holds", &customers.holds),
    ];
    for (name, source) in optional {
        list.extend(source.iter().map(|source| (name.to_owned(), source)));
    }
    list.extend(customers.status.iter().map(|status| ("status".to_owned(), &status.source)));
    list.extend(customers.dates.iter().map(|(name, source)| (join("dates", name), source)));
    list.extend(customers.states.iter().map(|(name, source)| (join("states", name.as_str()), source)));
    list.extend(customers.gateways.iter().map(|(name, source)| (join("gateways", name.as_str()), source)));
    list
}

pub(super) fn check_customers(reader: &mut Reader, map: &SqlMap, table: &Table, has_lost: bool) {
    let customers = &map.customers;
    for key in customers.key.iter().filter_map(|column| table.column(column)) {
        if key.collation.is_some() {
            reader.problem(
                "customers.key",
                format!("{} compares without regard to case", key.name),
                "name another key, so that an id is one customer's alone",
            );
        }
    }
    let token_sources = [("tenant", tenant_source(customers)), ("registered", customers.registered.as_ref())];
    for (name, source) in token_sources {
        if let Some(Source::Sql(sql)) = source
            && map.records.values().any(|record| names_column(sql, &record.table))
        {
            reader.problem(
                join("customers", name),
                "is part of the ledger's token, and comes from records that may be erased",
                "write a column of the customers' own table, or an expression over such columns",
            );
        }
    }
    for (name, source) in sources(customers) {
        if let Source::Column(column) = source {
            check_column(reader, &join("customers", &name), table, column);
        }
    }
    if let DeactivateMap::Write(writes) = &customers.deactivate {
        for column in writes.keys() {
            let path = join("customers.deactivate", column);
            if !check_column(reader, &path, table, column) {
                continue;
            }
            if is_token_part(customers, column) {
                reader.problem(&path, "is part of the ledger's token", "deactivate by another column");
            }
            let listed = field(&customers.fields, column).cloned().or_else(|| implied(customers, column));
            if listed.is_some_and(|field| field.kind.is_some()) {
                reader.problem(
                    path,
                    "is classified as personal, and its former value would go into the case book",
                    "deactivate by a column that is not personal",
                );
            }
        }
        check_archived(reader, customers, writes, table);
        written::check_deactivate(reader, customers, table);
    }
    check_unknown(reader, customers, table, has_lost);
}

/// Checks that the values of a deactivation read as archived.
pub(super) fn check_archived(
    reader: &mut Reader,
    customers: &CustomersMap,
    writes: &BTreeMap<String, Written>,
    table: &Table,
) {
    let mut values = customers.status.iter().flat_map(|status| status.values.values());
    if !values.any(|status| *status == Status::Archived) {
        reader.problem(
            "customers.status.archived",
            "is missing, so nothing would tell that a customer is deactivated",
            "write the value of the status that stands for it",
        );
        return;
    }
    let Some(status) = &customers.status else { return };
    // If the status comes from SQL, nothing can be said before it is read.
    let Source::Column(column) = &status.source else { return };
    if writes.keys().chain([column]).any(|column| table.column(column).is_none()) {
        return; // Reported already.
    }
    let written = writes.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).map(|(_, value)| value);
    let reads_as = match written {
        Some(Written::Constant(Value::Text(text))) => status.values.get(text),
        Some(Written::Constant(Value::Integer(number))) => status.values.get(&number.to_string()),
        _ => None,
    };
    if reads_as != Some(&Status::Archived) {
        let mut archived = status.values.iter().filter(|(_, status)| **status == Status::Archived);
        // The map's key may have another case than the column: use the map's spelling.
        let key = writes.keys().find(|name| name.eq_ignore_ascii_case(column)).unwrap_or(column);
        let paste = archived.next().map(|(value, _)| set(&["customers", "deactivate"], key, &text(value)));
        reader.problem_to_paste(
            join("customers.deactivate", column),
            "does not write a value that the status reads as archived",
            "write one of customers.status.archived",
            paste,
        );
    }
}

pub(super) fn check_unknown(reader: &mut Reader, customers: &CustomersMap, table: &Table, has_lost: bool) {
    written::check_unknown(reader, customers, table);
    let Some(unknown) = &customers.unknown else { return };
    let path = "customers.unknown_customer";
    for column in unknown.find.keys() {
        check_column(reader, &join(&join(path, "find"), column), table, column);
    }
    for column in unknown.create.keys() {
        check_column(reader, &join(&join(path, "create"), column), table, column);
    }
    let given = |column: &str| {
        let is = |name: &String| name.eq_ignore_ascii_case(column);
        let tenant = matches!(&customers.tenant, TenantSource::From(Source::Column(name)) if is(name));
        tenant || unknown.find.keys().any(is) || unknown.create.keys().any(is)
    };
    if matches!(customers.tenant, TenantSource::From(Source::Sql(_))) {
        reader.problem(
            path,
            "cannot be made, because the tenant comes from SQL and is no column to write",
            "leave it out, and do not reassign",
        );
    }
    // A column without a line may be missing only because another line misspells its name.
    let is_unsaid =
        |column: &str| field(&customers.fields, column).is_none() && implied(customers, column).is_none();
    let is_lost = |column: &Column| has_lost && is_unsaid(&column.name);
    for column in table.columns.iter().filter(|column| !column.computed && !is_lost(column)) {
        let is_key = customers.key.iter().any(|key| key.eq_ignore_ascii_case(&column.name));
        // A key can be NULL in SQLite, but nothing could reference such a row.
        let makes_itself = column.has_default || (column.nullable && !is_key);
        if !makes_itself && !given(&column.name) {
            reader.problem(
                join(&join(path, "create"), &column.name),
                "is missing: the column takes no NULL and has no default",
                "write its value",
            );
        }
    }
}
