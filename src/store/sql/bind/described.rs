//! Makes the data map of a bound map: the classes, fields and links that the rest of the crate uses.

use std::collections::BTreeMap;

use super::checks::sources;
use super::{BoundClass, json_field, written_from};
use crate::data_map::{
    ClassName, Constraints, DataMap, DataMapBuilder, Fact, Field, FieldName, IgnoredPart, Kind, Link,
    LinkRole, NotCovered, RecordClass, Role, RowOnDelete, Unclaimed, UniqueThrough, Value, WhenGone,
};
use crate::document::Problems;
use crate::store::sql::coverage::{beside, ignored_echoes};
use crate::store::sql::links::{Compare, Is};
use crate::store::sql::map::{CustomersMap, DeactivateMap, FieldMap, Ignored, Source, SqlMap, TenantSource};
use crate::store::sql::schema::{Column, OnDelete, Schema, Table, names_column};
use crate::store::sql::triggers::in_the_way;
use crate::store::sql::way::BoundLink;

pub(in crate::store::sql) fn field<'f>(
    fields: &'f BTreeMap<String, FieldMap>,
    column: &str,
) -> Option<&'f FieldMap> {
    fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(column)).map(|(_, field)| field)
}

/// The meaning of a column of the customers' table that the map's `fields` do not name.
pub(in crate::store::sql) fn implied(customers: &CustomersMap, column: &str) -> Option<FieldMap> {
    let is = |name: &str| name.eq_ignore_ascii_case(column);
    let from = |source: &Source| matches!(source, Source::Column(name) if is(name));
    if customers.gateways.values().any(from) {
        return Some(FieldMap { kind: Some(Kind::PaymentProfile), ..FieldMap::default() });
    }
    let written = match &customers.deactivate {
        DeactivateMap::Write(writes) => writes.keys().any(|name| is(name)),
        DeactivateMap::None { .. } => false,
    };
    (customers.key.iter().any(|key| is(key))
        || written
        || sources(customers).into_iter().any(|(_, source)| from(source)))
    .then(FieldMap::default)
}

pub(super) fn constraints(table: &Table, column: &Column, field: Option<&FieldMap>) -> Constraints {
    let limits = [column.max_chars, field.and_then(|field| field.max_chars)];
    Constraints {
        nullable: column.nullable,
        unique: table.is_unique(&column.name)
            || (table.primary_key.iter().any(|key| key.eq_ignore_ascii_case(&column.name))),
        max_chars: limits.into_iter().flatten().min(),
        datatype: column.datatype,
    }
}

/// Whether a column of the customers' table is part of the ledger's token. SQL is not parsed, so every column that it
/// names counts.
pub(super) fn is_token_part(customers: &CustomersMap, column: &str) -> bool {
    let names = |source: &Source| match source {
        Source::Column(name) => name.eq_ignore_ascii_case(column),
        Source::Sql(sql) => names_column(sql, column),
    };
    let tenant = matches!(&customers.tenant, TenantSource::From(source) if names(source));
    tenant
        || customers.key.iter().any(|key| key.eq_ignore_ascii_case(column))
        || customers.registered.as_ref().is_some_and(names)
}

/// Adds the facts that the map can tell.
pub(super) fn told(mut builder: DataMapBuilder, customers: &CustomersMap) -> DataMapBuilder {
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

#[allow(clippy::too_many_lines, reason = "one line after another, for everything that a data map says")]
pub(super) fn data_map(map: &SqlMap, schema: &Schema, classes: &[BoundClass]) -> Result<DataMap, Problems> {
    let customers = &map.customers;
    let mut builder: Option<DataMapBuilder> = None;
    for class in classes {
        let Some(table) = schema.table(&class.table) else { continue };
        let (fields, rest) = map
            .records
            .get(&class.name)
            .map_or((&customers.fields, &customers.rest), |record| (&record.fields, &record.rest));
        let mut built = RecordClass::new(class.name.clone());
        for column in &table.columns {
            let is = |name: &String| name.eq_ignore_ascii_case(&column.name);
            let owns = |link: &BoundLink| {
                link.role != LinkRole::End && !link.by_value && link.columns.iter().any(is)
            };
            let role = if class.key.iter().any(is) {
                Role::Key
            } else if class.links.iter().any(owns) {
                Role::Owner
            } else if column.computed {
                Role::Computed
            } else {
                Role::Value
            };
            let is_link = class.links.iter().any(|link| !link.by_value && link.columns.iter().any(is));
            let is_implied = role == Role::Key || is_link || is_condition(class, &column.name);
            let own = field(fields, &column.name).cloned();
            let implied = || if class.is_root { implied(customers, &column.name) } else { None };
            let listed =
                own.or_else(implied).or_else(|| rest.clone().filter(|_| !is_implied)).unwrap_or_default();
            let token_part = class.is_root && is_token_part(customers, &column.name);
            let limits = constraints(table, column, Some(&listed));
            let name: FieldName = column.name.as_str().into();
            let mut mapped = Field::mapped(name.clone(), listed.kind.clone(), role, token_part, limits);
            mapped = column.checks.iter().cloned().fold(mapped, Field::held_to);
            for index in table.unique.iter().filter(|index| index.is_tangled() && index.names(&column.name)) {
                let null_counts = index.null_counts.iter().any(is);
                mapped = mapped.differing_by(&index.rule, null_counts);
            }
            if column.computed {
                mapped = mapped
                    .computed_from(table.sources(&column.name).into_iter().map(FieldName::from).collect());
            }
            let leads = class.values.iter().find(|(own, _)| *own == name).map(|(_, link)| link);
            if let Some(link) = class.of.get(&name).or(leads) {
                mapped = mapped.of(link);
            }
            if is_linked(schema, classes, class, &column.name) {
                mapped = mapped.linked();
            }
            mapped = match listed.date.clone() {
                Some(form) => mapped.dated_as(form),
                None if role == Role::Value => mapped.dated(),
                None => mapped,
            };
            built = built.field(mapped.encoded(listed.encoding));
            for (pointer, kind) in &listed.json {
                built = built.field(Field::personal(json_field(&column.name, pointer), kind.clone()));
            }
        }
        if table.primary_key.is_empty() && class.key == class.handle {
            for name in class.key.iter().filter(|name| table.column(name).is_none()) {
                built = built.field(Field::key(name.as_str()));
            }
        }
        for link in &class.links {
            let refuses = |(column, value): &(String, Value)| {
                let checks = table.column(column).into_iter().flat_map(|column| &column.checks);
                checks.into_iter().find(|check| check.accepts(value) == Some(false)).cloned()
            };
            let refusing = link.cleared.iter().find_map(refuses);
            let tenant = match &map.customers.tenant {
                TenantSource::From(Source::Column(tenant)) => Some(tenant.as_str()),
                _ => None,
            };
            for described in links_of(link, classes, tenant) {
                let described = match &refusing {
                    Some(check) => described.refused_by(check.text()),
                    None => described,
                };
                let may_be_nobodys = class.nobody.none.is_some() || class.nobody.gone.is_some();
                built = built.link(if may_be_nobodys { described.perhaps_nobodys() } else { described });
            }
        }
        let written = written_from(map, schema, &class.table);
        let written = classes.iter().filter(|other| written.contains_key(&other.table.to_ascii_lowercase()));
        for other in written.filter(|other| other.table != class.table) {
            built = built.copied_to(other.name.clone());
        }
        for other in schema.tables() {
            let points = |key: &&crate::store::sql::schema::ForeignKey| {
                key.to_table.eq_ignore_ascii_case(&class.table)
            };
            let is_mapped = classes.iter().any(|class| class.table == other.name);
            if !is_mapped && other.foreign_keys.iter().any(|key| points(&key)) {
                built = built.needed_by(other.name.clone());
            }
        }
        built = unclaimed(map, schema, classes, &class.table).into_iter().fold(built, RecordClass::led_to_by);
        built = in_the_way(map, table).fold(built, RecordClass::triggered);
        if customers.unknown.is_some() && is_reassignable(class, classes, &customers.class) {
            built = built.reassignable();
        }
        built = built.held_apart(
            class
                .unique
                .iter()
                .map(|columns| columns.iter().map(|column| FieldName::from(column.as_str())).collect()),
        );
        let names =
            |columns: &[String]| columns.iter().map(|column| FieldName::from(column.as_str())).collect();
        for index in table.unique.iter().filter(|index| index.is_tangled()) {
            built = built.held_apart_through(UniqueThrough {
                rule: index.rule.clone(),
                fields: names(&[index.columns.as_slice(), &index.through].concat()),
                null_counts: names(&index.null_counts),
            });
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
    for (name, mention) in &map.mentions {
        builder = builder.mentions(name.clone(), mention.fields.iter().map(String::as_str));
    }
    for (name, by) in &map.recipients {
        builder = builder.recipient(name.clone(), by.clone());
    }
    if let DeactivateMap::None { reason } = &customers.deactivate {
        builder = builder.without_deactivation(reason);
    }
    builder = builder.source(map.digest).counts_groups().tells_who_shares();
    if schema.table(&customers.table).is_some_and(|table| table.reuses_numbers) {
        builder = builder.reuses_ids();
    }
    let beside = beside(map, schema);
    if !beside.is_empty() {
        builder =
            builder.leaves_out(NotCovered::Tables(beside.iter().map(|&name| name.to_owned()).collect()));
    }
    for (trigger, table, ignored) in ignored_echoes(map, schema) {
        let [trigger, table, to] = [trigger, table, ignored].map(str::to_owned);
        builder = builder.leaves_out(NotCovered::WrittenByTrigger { trigger, table, to });
    }
    for (table, ignored) in &map.ignore {
        builder = match ignored {
            Ignored::Table(reason) => builder.ignores(IgnoredPart::Table(table.clone()), reason),
            Ignored::Rest(reason) => builder.ignores(IgnoredPart::RestOf(table.clone()), reason),
        };
    }
    for (trigger, reason) in &map.ignored_triggers {
        builder = builder.ignores(IgnoredPart::Trigger(trigger.clone()), reason);
    }
    builder.build()
}

/// Rows that no class claims although their table is mapped, and whose foreign key references rows of a table.
pub(super) fn unclaimed(
    map: &SqlMap,
    schema: &Schema,
    classes: &[BoundClass],
    to_table: &str,
) -> Vec<Unclaimed> {
    let has_rest = |table: &&Table| {
        let is = |name: &str| name.eq_ignore_ascii_case(&table.name);
        let claims_all = |class: &BoundClass| !class.rows.without.is_empty() || class.rows.with.is_empty();
        map.ignore.iter().any(|(name, ignored)| is(name) && matches!(ignored, Ignored::Rest(_)))
            && !classes.iter().any(|class| is(&class.table) && claims_all(class))
    };
    let mut list = Vec::new();
    for table in schema.tables().filter(has_rest) {
        let keys = table.foreign_keys.iter().filter(|key| key.to_table.eq_ignore_ascii_case(to_table));
        list.extend(keys.map(|key| {
            let on_delete = match key.on_delete {
                OnDelete::Cascade => RowOnDelete::Cascade,
                OnDelete::SetNull => RowOnDelete::SetNull,
                OnDelete::SetDefault => RowOnDelete::SetDefault,
                OnDelete::Nothing => RowOnDelete::NoAction,
            };
            Unclaimed { table: table.name.clone(), columns: key.columns.clone(), on_delete }
        }));
    }
    list
}

/// Whether a column decides to which class a row belongs, or where a link leads.
pub(in crate::store::sql) fn is_condition(class: &BoundClass, column: &str) -> bool {
    let is = |(name, _): &(String, Is)| name.eq_ignore_ascii_case(column);
    class.rows.with.iter().any(is)
        || class.rows.without.iter().flatten().any(is)
        || class.links.iter().flat_map(|link| &link.when).any(is)
}

/// Whether records can be handed over: a single owner link decides the owner, and it leads to the customers' key.
pub(super) fn is_reassignable(class: &BoundClass, classes: &[BoundClass], root: &ClassName) -> bool {
    let holds = |link: &BoundLink| link.holds && link.heads.contains(&class.name);
    if classes.iter().flat_map(|other| &other.links).any(holds) {
        return false;
    }
    let mut owners = class.links.iter().filter(|link| link.role != LinkRole::End);
    match (owners.next(), owners.next()) {
        (Some(link), None) => {
            link.role == LinkRole::Owner
                && leads_to_key(link)
                && link.hops.is_empty()
                && link.heads == [root.clone()]
        }
        _ => false,
    }
}

/// Whether a link compares only keys.
pub(super) fn leads_to_key(link: &BoundLink) -> bool {
    !link.by_value && matches!(link.compare, Compare::Exact | Compare::Text)
}

/// Whether other rows reference a column, or find their customer through it.
pub(super) fn is_linked(schema: &Schema, classes: &[BoundClass], class: &BoundClass, column: &str) -> bool {
    let is = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    let any = |columns: &[String]| columns.iter().any(|name| is(name, column));
    let by_key = schema
        .tables()
        .flat_map(|table| &table.foreign_keys)
        .any(|key| is(&key.to_table, &class.table) && any(&key.to_columns));
    let arrives =
        |link: &BoundLink| !link.by_value && is(&link.to_table, &class.table) && any(&link.to_columns);
    by_key
        || classes.iter().flat_map(|other| &other.links).any(arrives)
        || classes.iter().any(|other| is(&other.table, &class.table) && is_condition(other, column))
}

/// The links of the data map for a bound link: one for each class to which it may lead.
pub(super) fn links_of<'b>(
    link: &'b BoundLink,
    classes: &'b [BoundClass],
    tenant: Option<&'b str>,
) -> impl Iterator<Item = Link> + 'b {
    let heads = classes.iter().filter(|head| link.heads.contains(&head.name));
    heads.map(move |head| {
        let is_key = link.to_columns.len() == head.key.len()
            && link.to_columns.iter().zip(&head.key).all(|(a, b)| a.eq_ignore_ascii_case(b));
        let fields = link.columns.iter().map(String::as_str);
        // If the link has tables in between, no field of the record holds the key at the far end.
        let fields: Vec<&str> = if link.hops.is_empty() { fields.collect() } else { Vec::new() };
        let mut described = match link.role {
            LinkRole::Owner => Link::owner(head.name.clone(), fields),
            LinkRole::Shared => Link::shared(head.name.clone(), fields),
            LinkRole::End => Link::end(head.name.clone(), fields, WhenGone::Forbids),
        };
        described = described.named(&link.name).when_gone(link.gone.clone());
        if !is_key {
            described = described.to_fields(link.to_columns.iter().map(String::as_str));
        }
        if link.holds {
            described = described.holding();
        }
        if link.by_value {
            described = described.by_value();
        }
        if link.is_enforced {
            described = described.enforced();
        }
        let mut ends = link.columns.iter().zip(&link.to_columns);
        let is_tenant =
            |to: &String| head.is_root && tenant.is_some_and(|tenant| tenant.eq_ignore_ascii_case(to));
        if let Some((near, _)) = ends.find(|(_, to)| is_tenant(to)).filter(|_| link.hops.is_empty()) {
            described = described.of_tenant(near.as_str());
        }
        if !link.cleared.is_empty() {
            described = described.clearable();
            if link.cleared.iter().any(|(_, value)| *value != Value::Null) {
                described = described.cleared_to_value();
            }
        }
        described
    })
}
