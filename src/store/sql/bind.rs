//! Holding a map against the live schema: what is missing, what nobody classified, what nobody mapped.

use std::collections::{BTreeMap, BTreeSet};

use super::map::{
    CustomersMap, DeactivateMap, FieldMap, Link, RecordMap, Source, SqlMap, TenantSource, Written,
};
use super::schema::{Column, Schema, Table, names_column};
use crate::customer::Status;
use crate::data_map::{
    ClassName, Constraints, DataMap, DataMapBuilder, Datatype, Fact, Field, Kind, RecordClass, Reference,
    Role, Value,
};
use crate::document::{Problems, Reader, join, suggest};

/// A link of the way to the customer, with both ends.
#[derive(Clone, Debug)]
pub(crate) struct BoundLink {
    pub(crate) column: String,
    pub(crate) to_table: String,
    pub(crate) to_column: String,
}

/// A record class and its table.
#[derive(Clone, Debug)]
pub(crate) struct BoundClass {
    pub(crate) name: ClassName,
    pub(crate) table: String,
    pub(crate) key: Vec<String>,
    /// The way to the customer; empty for the customers themselves.
    pub(crate) path: Vec<BoundLink>,
}

/// A map that fits the schema.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) data_map: DataMap,
    pub(crate) customers: CustomersMap,
    /// Every class, those that point at others first, the customers last.
    pub(crate) classes: Vec<BoundClass>,
}

pub(crate) fn bind(map: &SqlMap, schema: &Schema) -> Result<Bound, Problems> {
    let mut reader = Reader::default();
    let mut classes = Vec::new();
    check_tables(&mut reader, map, schema);
    if let Some(table) = schema.table(&map.customers.table) {
        check_customers(&mut reader, map, table);
        classes.push(BoundClass {
            name: map.customers.class.clone(),
            table: table.name.clone(),
            key: own_name(table, &map.customers.key).into_iter().collect(),
            path: Vec::new(),
        });
        for (name, record) in &map.records {
            if let Some(class) = bind_record(&mut reader, name, record, map, schema, table) {
                classes.push(class);
            }
        }
    }
    check_coverage(&mut reader, map, schema);
    reader.finish()?;
    let data_map = data_map(map, schema, &classes)?;
    Ok(Bound { data_map, customers: map.customers.clone(), classes: children_first(classes, schema) })
}

/// A column's name as the table spells it.
fn own_name(table: &Table, column: &str) -> Option<String> {
    table.column(column).map(|column| column.name.clone())
}

fn names(table: &Table) -> Vec<&str> {
    table.columns.iter().map(|column| column.name.as_str()).collect()
}

fn mapped(map: &SqlMap) -> impl Iterator<Item = (String, &str)> {
    std::iter::once(("customers".to_owned(), map.customers.table.as_str())).chain(
        map.records.iter().map(|(name, record)| (join("records", name.as_str()), record.table.as_str())),
    )
}

/// Tables that do not exist, or are mapped twice.
fn check_tables(reader: &mut Reader, map: &SqlMap, schema: &Schema) {
    let mut seen = BTreeSet::new();
    let known: Vec<&str> = schema.tables().map(|table| table.name.as_str()).collect();
    for (path, table) in mapped(map) {
        if schema.table(table).is_none() {
            let way_out = suggest(table, known.iter().copied());
            reader.problem(join(&path, "table"), format!("there is no table {table}"), way_out);
        } else if !seen.insert(table.to_ascii_lowercase()) {
            reader.problem(
                join(&path, "table"),
                format!("table {table} is mapped twice"),
                "a table is one record class; leave one of them",
            );
        }
    }
    for table in map.ignore.keys() {
        let path = join("ignore", table);
        if !schema.has(table) {
            reader.problem(path, "there is no such table", suggest(table, known.iter().copied()));
        } else if seen.contains(&table.to_ascii_lowercase()) {
            reader.problem(path, "is mapped as well", "leave one of the two");
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

fn check_column(reader: &mut Reader, path: &str, table: &Table, column: &str) -> bool {
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

fn check_key(reader: &mut Reader, path: &str, table: &Table, key: &[String]) {
    if !key.iter().all(|column| check_column(reader, path, table, column)) {
        return;
    }
    let same = |columns: &[String]| {
        columns.len() == key.len()
            && columns.iter().all(|column| key.iter().any(|k| k.eq_ignore_ascii_case(column)))
    };
    if !same(&table.primary_key) && !table.unique.iter().any(|index| !index.partial && same(&index.columns)) {
        reader.problem(
            path,
            format!("{} does not tell the rows of {} apart", key.join(", "), table.name),
            if table.primary_key.is_empty() {
                "give the table a primary key".to_owned()
            } else {
                format!("write its primary key: {}", table.primary_key.join(", "))
            },
        );
    }
}

fn tenant_source(customers: &CustomersMap) -> Option<&Source> {
    match &customers.tenant {
        TenantSource::Is(_) => None,
        TenantSource::From(source) => Some(source),
    }
}

/// The columns of the customers' table from which facts come, each with its path.
fn sources(customers: &CustomersMap) -> Vec<(String, &Source)> {
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

fn check_customers(reader: &mut Reader, map: &SqlMap, table: &Table) {
    let customers = &map.customers;
    check_key(reader, "customers.key", table, std::slice::from_ref(&customers.key));
    if let Some(key) = table.column(&customers.key)
        && (matches!(key.datatype, Datatype::Any | Datatype::Blob) || key.collation.is_some())
    {
        reader.problem(
            "customers.key",
            format!("{} has no type, or compares without regard to case", key.name),
            "declare it with a type and no COLLATE, so that an id is one customer's alone",
        );
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
    }
    check_unknown(reader, customers, table);
}

/// What deactivating writes has to read as archived.
fn check_archived(
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
    // Of a status that comes from SQL nothing can be said before it is read.
    let Source::Column(column) = &status.source else { return };
    if writes.keys().chain([column]).any(|column| table.column(column).is_none()) {
        return; // Said already.
    }
    let written = writes.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).map(|(_, value)| value);
    let reads_as = match written {
        Some(Written::Constant(Value::Text(text))) => status.values.get(text),
        Some(Written::Constant(Value::Integer(number))) => status.values.get(&number.to_string()),
        _ => None,
    };
    if reads_as != Some(&Status::Archived) {
        reader.problem(
            join("customers.deactivate", column),
            "does not write a value that the status reads as archived",
            "write one of customers.status.archived",
        );
    }
}

fn check_unknown(reader: &mut Reader, customers: &CustomersMap, table: &Table) {
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
    for column in table.columns.iter().filter(|column| !column.computed) {
        let is_key = column.name.eq_ignore_ascii_case(&customers.key);
        // A key can be NULL in SQLite, but nobody could point at such a row.
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

fn bind_record(
    reader: &mut Reader,
    name: &ClassName,
    record: &RecordMap,
    map: &SqlMap,
    schema: &Schema,
    root: &Table,
) -> Option<BoundClass> {
    let path = join("records", name.as_str());
    let table = schema.table(&record.table)?;
    check_key(reader, &join(&path, "key"), table, &record.key);
    let way =
        bind_path(reader, &join(&path, "owner"), &record.owner, table, schema, root, &map.customers.key)?;
    Some(BoundClass {
        name: name.clone(),
        table: table.name.clone(),
        key: record.key.iter().filter_map(|column| own_name(table, column)).collect(),
        path: way,
    })
}

fn bind_path(
    reader: &mut Reader,
    path: &str,
    links: &[Link],
    from: &Table,
    schema: &Schema,
    root: &Table,
    root_key: &str,
) -> Option<Vec<BoundLink>> {
    let mut way = Vec::with_capacity(links.len());
    let mut table = from;
    for (n, link) in links.iter().enumerate() {
        if !check_column(reader, path, table, &link.column) {
            return None;
        }
        let is_last = n + 1 == links.len();
        let by_key = table.foreign_key(&link.column).map(|key| {
            let to = key.to_columns.first().cloned();
            (key.to_table.clone(), to)
        });
        let (to_table, to_column) = match (&link.to, by_key) {
            (Some((table, column)), _) => (table.clone(), Some(column.clone())),
            (None, Some(found)) => found,
            (None, None) if is_last => (root.name.clone(), Some(root_key.to_owned())),
            (None, None) => {
                reader.problem(
                    path,
                    format!("no foreign key of {} starts at {}", table.name, link.column),
                    "write the link in full: { column = \"…\", table = \"…\", key = \"…\" }",
                );
                return None;
            }
        };
        let Some(next) = schema.table(&to_table) else {
            reader.problem(path, format!("there is no table {to_table}"), "mend the link");
            return None;
        };
        let to_column = to_column.or_else(|| next.primary_key.first().cloned()).unwrap_or_default();
        if !check_column(reader, path, next, &to_column) {
            return None;
        }
        let reaches_root = next.name == root.name;
        if is_last != reaches_root {
            let what = if is_last {
                format!("ends at table {}, not at the customers", next.name)
            } else {
                format!("reaches the customers at {} and goes on", link.column)
            };
            reader.problem(path, what, "write the columns that lead to the customers' key, and no more");
            return None;
        }
        if is_last && !to_column.eq_ignore_ascii_case(root_key) {
            reader.problem(
                path,
                format!("leads to {}.{to_column}, which is not the customers' key", next.name),
                format!("lead to {root_key}"),
            );
            return None;
        }
        if !check_link(reader, path, (table, &link.column), (next, &to_column)) {
            return None;
        }
        way.push(BoundLink {
            column: own_name(table, &link.column)?,
            to_table: next.name.clone(),
            to_column: own_name(next, &to_column)?,
        });
        table = next;
    }
    Some(way)
}

/// Both ends of a link have to say the same of every value, and the far end has to be one row's alone.
fn check_link(
    reader: &mut Reader,
    path: &str,
    (table, column): (&Table, &str),
    (next, to_column): (&Table, &str),
) -> bool {
    let is_to =
        |columns: &[String]| columns.len() == 1 && columns.iter().all(|c| c.eq_ignore_ascii_case(to_column));
    if !is_to(&next.primary_key) && !next.unique.iter().any(|index| !index.partial && is_to(&index.columns)) {
        reader.problem(
            path,
            format!(
                "{}.{to_column} does not tell the rows of {} apart, so rows of others would be taken",
                next.name, next.name
            ),
            "link by a column that is a key of its own",
        );
        return false;
    }
    let (Some(near), Some(far)) = (table.column(column), next.column(to_column)) else { return false };
    if near.datatype != far.datatype || near.collation.is_some() || far.collation.is_some() {
        reader.problem(
            path,
            format!(
                "{}.{column} and {}.{to_column} do not compare alike: they differ in type, or compare without regard \
                 to case",
                table.name, next.name
            ),
            "declare both with the same type and no COLLATE",
        );
        return false;
    }
    true
}

fn field<'f>(fields: &'f BTreeMap<String, FieldMap>, column: &str) -> Option<&'f FieldMap> {
    fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).map(|(_, field)| field)
}

/// What a column of the customers' table is when the map's fields do not name it.
fn implied(customers: &CustomersMap, column: &str) -> Option<FieldMap> {
    let is = |name: &str| name.eq_ignore_ascii_case(column);
    let from = |source: &Source| matches!(source, Source::Column(name) if is(name));
    if customers.gateways.values().any(from) {
        return Some(FieldMap { kind: Some(Kind::PaymentProfile), max_chars: None });
    }
    let written = match &customers.deactivate {
        DeactivateMap::Write(writes) => writes.keys().any(|name| is(name)),
        DeactivateMap::None { .. } => false,
    };
    (is(&customers.key) || written || sources(customers).into_iter().any(|(_, source)| from(source)))
        .then_some(FieldMap { kind: None, max_chars: None })
}

/// Columns that nobody classified, columns that are not there, and tables that nobody mapped.
fn check_coverage(reader: &mut Reader, map: &SqlMap, schema: &Schema) {
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
    if let Some(table) = schema.table(&map.customers.table) {
        let known = |column: &str| {
            // A key of text may be an e-mail address or a name: somebody has to say.
            let is_text_key = column.eq_ignore_ascii_case(&map.customers.key)
                && table.column(column).is_some_and(|key| key.datatype == Datatype::Text);
            !is_text_key && implied(&map.customers, column).is_some()
        };
        check("customers", table, &map.customers.fields, &known);
    }
    for (name, record) in &map.records {
        if let Some(table) = schema.table(&record.table) {
            let known = |column: &str| {
                let is_text = table.column(column).is_some_and(|key| key.datatype == Datatype::Text);
                let is_key = record.key.iter().any(|key| key.eq_ignore_ascii_case(column));
                (is_key && !is_text)
                    || record.owner.first().is_some_and(|link| link.column.eq_ignore_ascii_case(column))
            };
            check(&join("records", name.as_str()), table, &record.fields, &known);
        }
    }
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
    let ignored: BTreeSet<String> = map.ignore.keys().map(|table| table.to_ascii_lowercase()).collect();
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

fn constraints(table: &Table, column: &Column, field: Option<&FieldMap>) -> Constraints {
    let limits = [column.max_chars, field.and_then(|field| field.max_chars)];
    Constraints {
        nullable: column.nullable,
        unique: table.is_unique(&column.name)
            || (table.primary_key.iter().any(|key| key.eq_ignore_ascii_case(&column.name))),
        max_chars: limits.into_iter().flatten().min(),
        datatype: column.datatype,
    }
}

/// Whether the ledger's token is made of a column of the customers' table. Of SQL only the words are known, so
/// every column that it names counts.
fn is_token_part(customers: &CustomersMap, column: &str) -> bool {
    let names = |source: &Source| match source {
        Source::Column(name) => name.eq_ignore_ascii_case(column),
        Source::Sql(sql) => names_column(sql, column),
    };
    let tenant = matches!(&customers.tenant, TenantSource::From(source) if names(source));
    tenant || customers.key.eq_ignore_ascii_case(column) || customers.registered.as_ref().is_some_and(names)
}

/// The facts that the map tells.
fn told(mut builder: DataMapBuilder, customers: &CustomersMap) -> DataMapBuilder {
    if customers.active_subscriptions.is_some() || !customers.gateways.is_empty() {
        builder = builder.knows(Fact::ActiveSubscriptions);
    }
    if customers.tenants.is_some() || matches!(customers.tenant, TenantSource::Is(_)) {
        builder = builder.knows(Fact::Tenants);
    }
    if customers.status.is_some() {
        builder = builder.knows(Fact::Status);
    }
    let optional = [
        (&customers.unpaid_invoices, Fact::UnpaidInvoices),
        (&customers.open_disputes, Fact::OpenDisputes),
        (&customers.holds, Fact::Holds),
    ];
    for (_, fact) in optional.into_iter().filter(|(source, _)| source.is_some()) {
        builder = builder.knows(fact);
    }
    for name in customers.states.keys() {
        builder = builder.state(name.clone());
    }
    for name in customers.dates.keys() {
        builder = builder.date(name);
    }
    builder
}

fn data_map(map: &SqlMap, schema: &Schema, classes: &[BoundClass]) -> Result<DataMap, Problems> {
    let customers = &map.customers;
    let mut builder: Option<DataMapBuilder> = None;
    for class in classes {
        let Some(table) = schema.table(&class.table) else { continue };
        let fields = map.records.get(&class.name).map_or(&customers.fields, |record| &record.fields);
        let is_root = class.path.is_empty();
        let mut built = RecordClass::new(class.name.clone());
        for column in &table.columns {
            let is = |name: &String| name.eq_ignore_ascii_case(&column.name);
            let role = if class.key.iter().any(is) {
                Role::Key
            } else if class.path.first().is_some_and(|link| is(&link.column)) {
                Role::Owner
            } else if column.computed {
                Role::Computed
            } else {
                Role::Value
            };
            let listed = field(fields, &column.name);
            let kind = match listed {
                Some(field) => field.kind.clone(),
                None if is_root => implied(customers, &column.name).and_then(|field| field.kind),
                None => None,
            };
            let token_part = is_root && is_token_part(customers, &column.name);
            let limits = constraints(table, column, listed);
            let mut mapped = Field::mapped(column.name.as_str().into(), kind, role, token_part, limits);
            if is_linked(schema, classes, &class.table, &column.name) {
                mapped = mapped.linked();
            }
            built = built.field(mapped);
        }
        for reference in references(class, table, classes) {
            built = built.references(reference);
        }
        for other in schema.tables() {
            let points = |key: &&super::schema::ForeignKey| key.to_table.eq_ignore_ascii_case(&class.table);
            let is_mapped = classes.iter().any(|class| class.table == other.name);
            if !is_mapped && other.foreign_keys.iter().any(|key| points(&key)) {
                built = built.needed_by(other.name.clone());
            }
        }
        if customers.unknown.is_some() && class.path.len() == 1 {
            built = built.reassignable();
        }
        builder = Some(match builder {
            None => DataMap::builder(built),
            Some(builder) => builder.class(built),
        });
    }
    let mut builder = builder.unwrap_or_else(|| DataMap::builder(RecordClass::new(customers.class.clone())));
    builder = told(builder, customers);
    for name in customers.gateways.keys() {
        builder = builder.gateway(name.clone());
    }
    if let DeactivateMap::None { reason } = &customers.deactivate {
        builder = builder.without_deactivation(reason);
    }
    builder = builder.source(map.digest);
    let is_known = |name: &str| {
        mapped(map).any(|(_, table)| table.eq_ignore_ascii_case(name))
            || map.ignore.keys().any(|table| table.eq_ignore_ascii_case(name))
    };
    let beside: Vec<&str> = schema
        .tables()
        .map(|table| &table.name)
        .chain(&schema.others)
        .filter(|name| !is_known(name))
        .map(String::as_str)
        .collect();
    if !beside.is_empty() {
        builder =
            builder.leaves_out(format!("tables that the data map does not name: {}", beside.join(", ")));
    }
    for class in classes {
        for trigger in schema.table(&class.table).into_iter().flat_map(|table| &table.triggers) {
            builder = builder
                .leaves_out(format!("what trigger {trigger} on table {} writes elsewhere", class.table));
        }
    }
    for (table, reason) in &map.ignore {
        builder = builder.ignores(format!("table {table}"), reason);
    }
    builder.build()
}

/// Whether other rows point at a column, or find their customer through it.
fn is_linked(schema: &Schema, classes: &[BoundClass], table: &str, column: &str) -> bool {
    let is = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    let by_key = schema
        .tables()
        .flat_map(|table| &table.foreign_keys)
        .any(|key| is(&key.to_table, table) && key.to_columns.iter().any(|to| is(to, column)));
    by_key
        || classes.iter().any(|class| {
            class.path.windows(2).any(|pair| match pair {
                [before, link] => {
                    is(&before.to_table, table) && (is(&before.to_column, column) || is(&link.column, column))
                }
                _ => false,
            }) || class
                .path
                .last()
                .is_some_and(|last| is(&last.to_table, table) && is(&last.to_column, column))
        })
}

/// What records of a class point at: foreign keys, and the links of the way to the customer even where no foreign
/// key describes them.
fn references(class: &BoundClass, table: &Table, classes: &[BoundClass]) -> BTreeSet<Reference> {
    let class_of = |table: &str| {
        classes.iter().find(|class| class.table.eq_ignore_ascii_case(table)).map(|c| c.name.clone())
    };
    let first = class.path.first();
    let mut list = BTreeSet::new();
    for key in &table.foreign_keys {
        if let Some(to) = class_of(&key.to_table) {
            let owner = first.is_some_and(|link| {
                key.columns.iter().any(|column| column.eq_ignore_ascii_case(&link.column))
                    && link.to_table.eq_ignore_ascii_case(&key.to_table)
            });
            let fields = key.columns.iter().map(|column| column.as_str().into()).collect();
            list.insert(Reference { to, fields, owner });
        }
    }
    if let Some(link) = first
        && let Some(to) = class_of(&link.to_table)
    {
        list.insert(Reference { to, fields: vec![link.column.as_str().into()], owner: true });
    }
    list
}

/// Classes whose rows point at others come before those, so that each row is reached while its way to the
/// customer still stands. The customers come last.
fn children_first(classes: Vec<BoundClass>, schema: &Schema) -> Vec<BoundClass> {
    let points_at = |class: &BoundClass, other: &BoundClass| {
        class.table != other.table
            && (class.path.iter().any(|link| link.to_table == other.table)
                || schema.table(&class.table).is_some_and(|table| {
                    table.foreign_keys.iter().any(|key| key.to_table.eq_ignore_ascii_case(&other.table))
                }))
    };
    let mut rest = classes;
    let mut ordered = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        // One that nothing else points at; in a circle of foreign keys, which are deferred to the commit,
        // one that is on nobody's way to the customer.
        let free = rest
            .iter()
            .position(|class| !class.path.is_empty() && !rest.iter().any(|other| points_at(other, class)))
            .or_else(|| {
                rest.iter().position(|class| {
                    !class.path.is_empty()
                        && !rest
                            .iter()
                            .any(|other| other.path.iter().any(|link| link.to_table == class.table))
                })
            })
            .unwrap_or(rest.len() - 1);
        ordered.push(rest.remove(free));
    }
    ordered
}
