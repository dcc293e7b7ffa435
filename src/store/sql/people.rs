//! The customers of a database beside the root store.
//!
//! Such a database names customers by their key, or by a value such as an e-mail address, and does not say who they are.
//! The root store says it with each request. In this module the customers' table is a temporary table, which each
//! transaction fills with the customers of its batch. To everything else it is a table like any other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::bind::Bound;
use super::dialect::{Holds, OwnTable};
use super::links::{Compare, LinkMap, LinkRef, Target, When};
use super::map::{
    CustomersMap, DeactivateMap, Ends, FieldMap, RecordMap, Source, SqlMap, TenantSource, read_columns,
};
use super::schema::{Column, Schema, Table};
use super::spelling::quoted;
use crate::data_map::{ClassName, Datatype, DateForm, WhenGone};
use crate::document::{Reader, join};

/// The temporary table of the customers.
pub(crate) const PEOPLE: &str = "relinquish_people";
/// Its column of the customer's tenant.
pub(crate) const TENANT: &str = "relinquish_tenant";

/// Reads `[beside]`: the class of the customers in the root store, and the names of the columns of their key.
pub(super) fn read_beside(reader: &mut Reader, value: &Json) -> Option<(ClassName, Vec<String>)> {
    let table = reader.table("beside", value, &["customers", "key"])?;
    let class =
        table.get("customers").map_or(Some("customer"), |value| reader.text("beside.customers", value));
    let key = table
        .get("key")
        .map_or_else(|| Some(vec!["id".to_owned()]), |value| read_columns(reader, "beside.key", value));
    Some((class?.into(), key?))
}

/// Reports what belongs into the map of the root store.
pub(super) fn check_keys(reader: &mut Reader, table: &Map<String, Json>) {
    for key in ["customers", "recipients", "mentions"].into_iter().filter(|key| table.contains_key(*key)) {
        let what = "is for the map of the root store, and `beside` says that the root store is elsewhere";
        reader.problem(key, what, "leave one of the two");
    }
}

/// The customers of a database beside the root store. `asked`: the columns that links compare, besides the key.
pub(super) fn customers(class: ClassName, key: Vec<String>, asked: BTreeSet<String>) -> CustomersMap {
    let fields = key.iter().cloned().chain(asked).map(|column| (column, FieldMap::default())).collect();
    CustomersMap {
        class,
        table: PEOPLE.to_owned(),
        key,
        when: When::All,
        ends: Ends::default(),
        tenant: TenantSource::From(Source::Column(TENANT.to_owned())),
        tenants: None,
        registered: None,
        registered_form: DateForm::new(),
        status: None,
        dates: BTreeMap::new(),
        date_forms: BTreeMap::new(),
        active_subscriptions: None,
        unpaid_invoices: None,
        open_disputes: None,
        holds: None,
        states: BTreeMap::new(),
        gateways: BTreeMap::new(),
        deactivate: DeactivateMap::None { reason: "the root store has the customers".to_owned() },
        unknown: None,
        rest: None,
        fields,
    }
}

/// Reports what a database beside the root store cannot tell, and returns the columns of the customers that its links
/// compare.
pub(super) fn check_beside(
    reader: &mut Reader,
    (class, key): (&ClassName, &[String]),
    records: &BTreeMap<ClassName, RecordMap>,
    links: &BTreeMap<String, LinkMap>,
) -> BTreeSet<String> {
    let mut asked = BTreeSet::new();
    for (name, record) in records {
        let path = join("records", name.as_str());
        if record.owner.len() > 1 || !record.shared.is_empty() {
            let place = if record.shared.is_empty() { "owner" } else { "shared" };
            reader.problem(
                join(&path, place),
                "asks which of several customers have a record, and only the root store knows the customers",
                "write one owner; other links can be ends with { keep = \"reason\" }",
            );
        }
        for (link, end) in &record.ends.links {
            if !matches!(end.gone, WhenGone::Keep { .. }) {
                reader.problem(
                    join(&join(&path, "ends"), link),
                    "may reach records of another customer, and only the root store knows the customers",
                    "write { keep = \"reason\" }",
                );
            }
        }
        if record.ends.by_schema {
            reader.problem(
                join(&path, "ends"),
                "may reach records of another customer, and only the root store knows the customers",
                "name each end, with { keep = \"reason\" }",
            );
        }
        for column in record.fields.iter().filter(|(_, field)| field.of.is_some()).map(|(name, _)| name) {
            reader.problem(
                join(&join(&path, "fields"), column),
                "belongs to another customer than its record, and only the root store knows the customers",
                "leave `of` out",
            );
        }
        for link in owners(record, links) {
            let Some(Target::Column(of, column)) = &link.to else { continue };
            if of != class || key.contains(column) {
                continue;
            }
            if !matches!(link.compare, Compare::Exact | Compare::Text) {
                reader.problem(
                    join(&path, "owner"),
                    format!("compares {column} in a way in which the root store cannot look for it"),
                    "leave compare out; the values are compared exactly",
                );
            }
            asked.insert(column.clone());
        }
    }
    asked
}

/// The owner links of a class, written out.
fn owners(record: &RecordMap, links: &BTreeMap<String, LinkMap>) -> Vec<LinkMap> {
    let written = |link: &LinkRef| match link {
        LinkRef::Word(word) => links.get(word).cloned().unwrap_or_else(|| LinkMap::of(vec![word.clone()])),
        LinkRef::Full(link) => (**link).clone(),
    };
    record.owner.iter().map(written).collect()
}

/// For each column of the customers: a column of a record that leads there, with its table.
fn likes<'s>(map: &SqlMap, schema: &'s Schema) -> BTreeMap<String, (&'s Table, &'s Column)> {
    let mut likes = BTreeMap::new();
    for record in map.records.values() {
        let Some(table) = schema.table(&record.table) else { continue };
        for link in owners(record, &map.links) {
            let to_key = || map.customers.key.clone();
            let far = match &link.to {
                None if link.further.is_empty() && table.foreign_key(&link.columns).is_none() => to_key(),
                Some(Target::Class(class)) if *class == map.customers.class => to_key(),
                Some(Target::Column(class, column)) if *class == map.customers.class => vec![column.clone()],
                _ => continue,
            };
            for (near, far) in link.columns.iter().zip(far) {
                if let Some(column) = table.column(near) {
                    likes.entry(far).or_insert((table, column));
                }
            }
        }
    }
    likes
}

/// The schema with the customers' table, if the map is of a database beside the root store.
pub(super) fn with_people(map: &SqlMap, schema: Schema) -> Schema {
    if !map.beside {
        return schema;
    }
    let likes = likes(map, &schema);
    let column = |name: &String, nullable: bool| {
        let like = likes.get(name).map(|(_, column)| *column);
        Column {
            name: name.clone(),
            datatype: like.map_or(Datatype::Text, |like| like.datatype),
            nullable,
            max_chars: None,
            computed: false,
            computed_from: Vec::new(),
            has_default: false,
            default: None,
            // The root store compares values exactly, so a column with a collation does not compare alike.
            collation: None,
            checks: Vec::new(),
        }
    };
    let key = &map.customers.key;
    let asked = map.customers.fields.keys().filter(|name| !key.contains(name));
    let mut columns: Vec<Column> = key.iter().map(|name| column(name, false)).collect();
    columns.extend(asked.map(|name| column(name, true)));
    columns.push(column(&TENANT.to_owned(), true));
    let people = Table {
        name: PEOPLE.to_owned(),
        columns,
        primary_key: key.clone(),
        leading: key.iter().take(1).map(|name| name.to_ascii_lowercase()).collect(),
        without_rowid: true,
        ..Table::default()
    };
    schema.with(people)
}

/// The columns of the temporary table, if the map is of a database beside the root store.
pub(super) fn columns(map: &SqlMap, schema: &Schema) -> Option<Vec<(String, Holds)>> {
    let people = schema.table(PEOPLE).filter(|_| map.beside)?;
    let likes = likes(map, schema);
    let typed = |column: &Column| {
        let holds = match likes.get(&column.name) {
            Some((table, like)) => Holds::Of {
                table: table.name.clone(),
                column: like.name.clone(),
                datatype: Some(like.datatype),
            },
            None => Holds::MaybeText,
        };
        (quoted(&column.name), holds)
    };
    Some(people.columns.iter().map(typed).collect())
}

/// Creates the temporary table.
pub(super) fn create_people(bound: &Bound) -> Option<String> {
    let columns = bound.people.clone()?;
    let key = bound.customers.key.iter().map(|name| quoted(name)).collect();
    let (name, like) = (PEOPLE.to_owned(), PEOPLE.to_owned());
    Some(bound.dialect.create(&OwnTable { name, like, columns, key, is_numbered: false }))
}
