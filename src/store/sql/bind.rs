//! Holding a map against the live schema: what is missing, what nobody classified, what nobody mapped.

use std::collections::{BTreeMap, BTreeSet};

use super::coverage::{beside, check_coverage, ignored_echoes};
use super::map::{CustomersMap, DeactivateMap, FieldMap, RecordMap, Source, SqlMap, TenantSource, Written};
use super::schema::{Column, Schema, Table, names_column};
use super::way::{BoundLink, Cut, Ends, Need, bind_way, clearable, cuts, is_owner_link, needs};
use crate::anonymise::json::Pointer;
use crate::customer::Status;
use crate::data_map::{
    ClassName, Constraints, DataMap, DataMapBuilder, Datatype, Fact, Field, FieldName, Kind, RecordClass,
    Reference, Role, Value,
};
use crate::document::{Problems, Reader, join, suggest};

/// A record class and its table.
#[derive(Clone, Debug)]
pub(crate) struct BoundClass {
    pub(crate) name: ClassName,
    pub(crate) table: String,
    pub(crate) key: Vec<String>,
    /// The way to the customer; empty for the customers themselves.
    pub(crate) path: Vec<BoundLink>,
    /// Fields that are values within a JSON document.
    pub(crate) json: BTreeMap<FieldName, JsonField>,
    /// Triggers of other mapped tables write to this one, so it is treated once more after those.
    pub(crate) is_written_by_triggers: bool,
    /// Rows may go when rows go to which they point.
    pub(crate) is_cascaded_to: bool,
}

impl BoundClass {
    /// Whether a row may belong to several customers.
    pub(crate) fn is_shared(&self) -> bool {
        self.path.first().is_some_and(|link| link.shared)
    }
}

/// A field that is a value within a JSON document.
#[derive(Clone, Debug)]
pub(crate) struct JsonField {
    pub(crate) column: String,
    pub(crate) pointer: Pointer,
    /// The longest document that the column takes, in characters.
    pub(crate) max_chars: Option<u32>,
}

/// A map that fits the schema.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) data_map: DataMap,
    pub(crate) customers: CustomersMap,
    /// Every class, those that point at others first, the customers last.
    pub(crate) classes: Vec<BoundClass>,
    /// Links that are cut when the rows go to which they lead.
    pub(crate) cuts: Vec<Cut>,
    /// Links through which rows that stay may need others.
    pub(crate) needs: BTreeSet<Need>,
    /// Full-text indexes over mapped tables.
    pub(crate) indexes: Vec<String>,
}

impl Bound {
    /// A class with its table.
    pub(crate) fn class(&self, name: &ClassName) -> Option<&BoundClass> {
        self.classes.iter().find(|class| class.name == *name)
    }
}

pub(crate) fn bind(map: &SqlMap, schema: &Schema) -> Result<Bound, Problems> {
    let mut reader = Reader::default();
    let mut classes = Vec::new();
    check_tables(&mut reader, map, schema);
    if let Some(table) = schema.table(&map.customers.table) {
        check_customers(&mut reader, map, table);
        classes.push(bound_class(
            &map.customers.class,
            table,
            std::slice::from_ref(&map.customers.key),
            Vec::new(),
            &map.customers.fields,
        ));
        for (name, record) in &map.records {
            if let Some(class) = bind_record(&mut reader, name, record, map, schema, table) {
                classes.push(class);
            }
        }
    }
    check_coverage(&mut reader, map, schema);
    reader.finish()?;
    mark_echoes(schema, &mut classes);
    let data_map = data_map(map, schema, &classes)?;
    let (cuts, needs) = (cuts(schema, &classes), needs(schema, &classes));
    let is_mapped = |table: &str| classes.iter().any(|class| class.table.eq_ignore_ascii_case(table));
    let indexes = schema
        .others
        .iter()
        .filter(|other| other.is_full_text() && other.content.as_deref().is_some_and(is_mapped))
        .map(|other| other.name.clone())
        .collect();
    let classes = children_first(classes, schema);
    Ok(Bound { data_map, customers: map.customers.clone(), classes, cuts, needs, indexes })
}

fn bound_class(
    name: &ClassName,
    table: &Table,
    key: &[String],
    path: Vec<BoundLink>,
    fields: &BTreeMap<String, FieldMap>,
) -> BoundClass {
    let json = fields.iter().flat_map(|(column, field)| {
        let column = own_name(table, column).unwrap_or_default();
        let max_chars = table.columns.iter().find(|own| own.name == column).and_then(|own| own.max_chars);
        field.json.keys().map(move |pointer| {
            let name = json_field(&column, pointer);
            (name, JsonField { column: column.clone(), pointer: pointer.clone(), max_chars })
        })
    });
    BoundClass {
        name: name.clone(),
        table: table.name.clone(),
        key: key.iter().filter_map(|column| own_name(table, column)).collect(),
        path,
        json: json.collect(),
        is_written_by_triggers: false,
        is_cascaded_to: table.foreign_keys.iter().any(|key| key.cascades),
    }
}

/// The name of a field within a JSON document: the column, then the pointer.
fn json_field(column: &str, pointer: &Pointer) -> FieldName {
    FieldName::new(format!("{column}{}", pointer.as_str()))
}

/// Marks the classes to whose tables triggers of other mapped tables write, directly or through one another.
fn mark_echoes(schema: &Schema, classes: &mut [BoundClass]) {
    let tables: BTreeSet<String> = classes.iter().map(|class| class.table.clone()).collect();
    for from in &tables {
        let reached = written_from(schema, from);
        for class in classes.iter_mut().filter(|class| class.table != *from) {
            class.is_written_by_triggers |= reached.contains(&class.table.to_ascii_lowercase());
        }
    }
}

/// The tables to which triggers of a table write, directly or through one another, in lower case.
fn written_from(schema: &Schema, table: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut todo = vec![table.to_ascii_lowercase()];
    while let Some(table) = todo.pop() {
        for written in
            schema.table(&table).into_iter().flat_map(|table| &table.triggers).flat_map(|t| &t.writes)
        {
            let written = written.to_ascii_lowercase();
            if reached.insert(written.clone()) {
                todo.push(written);
            }
        }
    }
    reached
}

/// A column's name as the table spells it.
pub(super) fn own_name(table: &Table, column: &str) -> Option<String> {
    table.column(column).map(|column| column.name.clone())
}

fn names(table: &Table) -> Vec<&str> {
    table.columns.iter().map(|column| column.name.as_str()).collect()
}

pub(super) fn mapped(map: &SqlMap) -> impl Iterator<Item = (String, &str)> {
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
        } else if !seen.insert(table.to_ascii_lowercase()) && !is_told_apart(map, table) {
            reader.problem(
                join(&path, "table"),
                format!("table {table} is mapped twice"),
                "leave one of them, or tell their rows apart: owner = { column = \"…\", when = { type = \"…\" } }",
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

/// Whether all record classes of a table hold for rows of their own: their first links name the same columns with
/// different values.
fn is_told_apart(map: &SqlMap, table: &str) -> bool {
    if map.customers.table.eq_ignore_ascii_case(table) {
        return false;
    }
    let of_table = map.records.values().filter(|record| record.table.eq_ignore_ascii_case(table));
    let conditions: Vec<Option<&BTreeMap<String, Value>>> =
        of_table.map(|record| record.owner.first().map(|link| &link.when)).collect();
    let differ = |one: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>| {
        one.iter().any(|(column, value)| {
            other.iter().any(|(name, another)| name.eq_ignore_ascii_case(column) && another != value)
        })
    };
    conditions.iter().enumerate().all(|(n, one)| {
        conditions.iter().skip(n + 1).all(|other| match (one, other) {
            (Some(one), Some(other)) => differ(one, other),
            _ => false,
        })
    })
}

pub(super) fn check_column(reader: &mut Reader, path: &str, table: &Table, column: &str) -> bool {
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
    if !table.is_key(key) {
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
    let ends = Ends { from: table, root, root_key: &map.customers.key };
    let way = bind_way(reader, &join(&path, "owner"), &record.owner, schema, &ends)?;
    if let [first, ..] = way.as_slice()
        && first.shared
        && !map.records.values().any(|record| record.table.eq_ignore_ascii_case(&first.to_table))
    {
        reader.problem(
            join(&path, "owner"),
            format!("is shared through {}, which nobody mapped", first.to_table),
            format!("map {} as a record class: its rows go when a customer leaves", first.to_table),
        );
    }
    Some(bound_class(name, table, &record.key, way, &record.fields))
}

pub(super) fn field<'f>(fields: &'f BTreeMap<String, FieldMap>, column: &str) -> Option<&'f FieldMap> {
    fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).map(|(_, field)| field)
}

/// What a column of the customers' table is when the map's fields do not name it.
pub(super) fn implied(customers: &CustomersMap, column: &str) -> Option<FieldMap> {
    let is = |name: &str| name.eq_ignore_ascii_case(column);
    let from = |source: &Source| matches!(source, Source::Column(name) if is(name));
    if customers.gateways.values().any(from) {
        return Some(FieldMap { kind: Some(Kind::PaymentProfile), ..FieldMap::default() });
    }
    let written = match &customers.deactivate {
        DeactivateMap::Write(writes) => writes.keys().any(|name| is(name)),
        DeactivateMap::None { .. } => false,
    };
    (is(&customers.key) || written || sources(customers).into_iter().any(|(_, source)| from(source)))
        .then(FieldMap::default)
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
            } else if class.path.first().is_some_and(|link| link.columns.iter().any(is)) {
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
            mapped = column.checks.iter().cloned().fold(mapped, Field::held_to);
            if is_linked(schema, classes, &class.table, &column.name) {
                mapped = mapped.linked();
            }
            mapped = match listed.and_then(|field| field.date.clone()) {
                Some(form) => mapped.dated_as(form),
                None if role == Role::Value => mapped.dated(),
                None => mapped,
            };
            built = built.field(mapped);
            for (pointer, kind) in listed.into_iter().flat_map(|field| &field.json) {
                built = built.field(Field::personal(json_field(&column.name, pointer), kind.clone()));
            }
        }
        if let Some(link) = class.path.first().filter(|link| link.shared)
            && let Some(through) = classes.iter().find(|class| class.table == link.to_table)
        {
            built = built.shared_through(through.name.clone());
        }
        for reference in references(class, table, classes) {
            built = built.references(reference);
        }
        let written = written_from(schema, &class.table);
        let written = classes.iter().filter(|other| written.contains(&other.table.to_ascii_lowercase()));
        for other in written.filter(|other| other.table != class.table) {
            built = built.copied_to(other.name.clone());
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
    builder = builder.source(map.digest).counts_groups();
    let beside = beside(map, schema);
    if !beside.is_empty() {
        builder =
            builder.leaves_out(format!("tables that the data map does not name: {}", beside.join(", ")));
    }
    for (trigger, table, ignored) in ignored_echoes(map, schema) {
        builder = builder.leaves_out(format!("what trigger {trigger} on table {table} writes to {ignored}"));
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
            let any = |columns: &[String]| columns.iter().any(|name| is(name, column));
            class.path.windows(2).any(|pair| match pair {
                [before, link] => {
                    is(&before.to_table, table) && (any(&before.to_columns) || any(&link.columns))
                }
                _ => false,
            }) || class.path.last().is_some_and(|last| is(&last.to_table, table) && any(&last.to_columns))
                || (is(&class.table, table)
                    && class.path.first().is_some_and(|link| link.shared && any(&link.columns)))
                || (is(&class.table, table)
                    && class
                        .path
                        .first()
                        .is_some_and(|link| link.when.iter().any(|(name, _)| is(name, column))))
        })
}

/// The record classes of a table.
fn of_table<'c>(classes: &'c [BoundClass], table: &'c str) -> impl Iterator<Item = &'c BoundClass> {
    classes.iter().filter(move |class| class.table.eq_ignore_ascii_case(table))
}

/// What records of a class point at: foreign keys, and the links of the way to the customer even where no foreign
/// key describes them.
fn references(class: &BoundClass, table: &Table, classes: &[BoundClass]) -> BTreeSet<Reference> {
    let named =
        |columns: &[String]| columns.iter().map(|column| column.as_str().into()).collect::<Vec<FieldName>>();
    // The key is what is pointed at unless something else is said.
    let ends = |to: &BoundClass, columns: &[String]| {
        let is_key = columns.is_empty()
            || (columns.len() == to.key.len()
                && columns.iter().zip(&to.key).all(|(a, b)| a.eq_ignore_ascii_case(b)));
        if is_key { Vec::new() } else { named(columns) }
    };
    let mut list = BTreeSet::new();
    for key in &table.foreign_keys {
        for to in of_table(classes, &key.to_table) {
            let here: Vec<&BoundClass> = of_table(classes, &table.name).collect();
            let owner = here.iter().any(|class| is_owner_link(class, key, to));
            let cuttable = !owner && !clearable(table, &here, key).is_empty();
            let (fields, to_fields) = (named(&key.columns), ends(to, &key.to_columns));
            list.insert(Reference { to: to.name.clone(), fields, to_fields, owner, cuttable });
        }
    }
    // Rows that are shared hang from their links by nothing: the links point at them.
    if let Some(link) = class.path.first().filter(|link| !link.shared) {
        for to in of_table(classes, &link.to_table) {
            let (fields, to_fields) = (named(&link.columns), ends(to, &link.to_columns));
            list.insert(Reference { to: to.name.clone(), fields, to_fields, owner: true, cuttable: false });
        }
    }
    list
}

/// Classes whose rows point at others come before those, so that each row is reached while its way to the
/// customer still stands. The customers come last.
fn children_first(classes: Vec<BoundClass>, schema: &Schema) -> Vec<BoundClass> {
    let points_at = |class: &BoundClass, other: &BoundClass| {
        // Rows that are shared are reached through the links, which go after them.
        let shares = other.path.first().is_some_and(|link| link.shared && link.to_table == class.table);
        class.table != other.table
            && !shares
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
