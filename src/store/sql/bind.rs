//! Holding a map against the live schema: what is missing, what nobody classified, what nobody mapped.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::coverage::{beside, check_coverage, ignored_echoes};
use super::links::{Compare, Is, NobodyMap, SharedMap, When};
use super::map::{
    CustomersMap, DeactivateMap, FieldMap, Ignored, RecordMap, Source, SqlMap, TenantSource, Written,
};
use super::mend::{Mended, fold_alike, mended};
use super::notes::{Note, notes};
use super::paste::{list, set, text};
use super::schema::{Column, OnDelete, Schema, Table, names_column};
use super::triggers::{all_triggers, calls, check_table_triggers, in_the_way};
use super::way::{Binder, BoundLink, Foot, bind_when};
use super::written;
use crate::anonymise::json::Pointer;
use crate::customer::Status;
use crate::data_map::{
    ClassName, Constraints, DataMap, DataMapBuilder, Fact, Field, FieldName, Kind, Link, LinkRole,
    RecordClass, Role, TableTrigger, Unclaimed, UniqueThrough, Value, WhenGone,
};
use crate::document::{Problem, Problems, Reader, join, suggest};

/// A record class and its table.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each says something of its own")]
pub(crate) struct BoundClass {
    pub(crate) name: ClassName,
    pub(crate) table: String,
    pub(crate) key: Vec<String>,
    /// The columns by which the store names a row within a transaction.
    pub(crate) handle: Vec<String>,
    /// The class of the customers themselves.
    pub(crate) is_root: bool,
    /// Which rows of the table are of this class.
    pub(crate) rows: Rows,
    pub(crate) links: Vec<BoundLink>,
    /// Why rows may have no owner.
    pub(crate) nobody: NobodyMap,
    /// Somebody else may have a record that an erasure reaches: it belongs to several people, or hangs from one that goes
    /// along with somebody.
    pub(crate) is_shared: bool,
    /// Fields that are values within a JSON document.
    pub(crate) json: BTreeMap<FieldName, JsonField>,
    /// Fields that belong to whoever is at the far end of a link of this name, and are written for that one alone.
    pub(crate) of: BTreeMap<FieldName, String>,
    /// Columns whose value leads to a customer, and fields of that customer, each with the name of the link.
    pub(crate) values: BTreeSet<(FieldName, String)>,
    /// Triggers of other mapped tables write to this one, so it is treated once more after those.
    pub(crate) is_written_by_triggers: bool,
    /// Every link that the map names is there. Otherwise problems were found.
    pub(crate) has_all_links: bool,
    /// Rows may go when rows go to which they lead.
    pub(crate) is_cascaded_to: bool,
    /// Columns with which a whole index begins.
    pub(crate) indexed: BTreeSet<String>,
    /// The columns of each unique index and of the primary key.
    pub(crate) unique: Vec<Vec<String>>,
}

/// Which rows of a table are of a class.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    /// Rows that match these.
    pub(crate) with: Vec<(String, Is)>,
    /// And none of these.
    pub(crate) without: Vec<Vec<(String, Is)>>,
}

impl BoundClass {
    /// Whether a column is the first of an index.
    pub(crate) fn is_indexed(&self, column: &str) -> bool {
        self.indexed.contains(&column.to_ascii_lowercase())
    }

    /// Whether a field is written when what a link leads to is due, whoever has the record. The value by which a link finds a
    /// customer is such a field, too.
    pub(crate) fn is_of(&self, field: &str, link: &BoundLink) -> bool {
        self.of.get(field).is_some_and(|name| *name == link.name)
            || self.values.iter().any(|(own, name)| own.as_str() == field && *name == link.name)
    }

    /// Whether there are such fields.
    pub(crate) fn has_fields_of(&self, link: &BoundLink) -> bool {
        self.of.values().any(|name| *name == link.name)
            || self.values.iter().any(|(_, name)| *name == link.name)
    }

    /// Whether a field belongs to whoever a link leads to.
    pub(crate) fn is_of_others(&self, field: &str) -> bool {
        self.of.contains_key(field) || self.values.iter().any(|(own, _)| own.as_str() == field)
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
    /// Every class, those whose rows lead to others first, the customers last.
    pub(crate) classes: Vec<BoundClass>,
    /// Full-text indexes over mapped tables.
    pub(crate) indexes: Vec<String>,
    /// Triggers of mapped tables that may forbid, swallow or rewrite a statement, those that the map ignores included.
    pub(crate) triggers: Vec<TableTrigger>,
    /// Triggers and the functions that they call.
    pub(crate) calls: Vec<(String, BTreeSet<String>)>,
    /// What a person should look at.
    pub(crate) notes: Vec<Note>,
}

impl Bound {
    /// The class of the customers.
    pub(crate) fn root(&self) -> Option<&BoundClass> {
        self.classes.iter().find(|class| class.is_root)
    }

    /// A class with its table.
    pub(crate) fn class(&self, name: &ClassName) -> Option<&BoundClass> {
        self.classes.iter().find(|class| class.name == *name)
    }
}

pub(crate) fn bind(map: &SqlMap, schema: &Schema) -> Result<Bound, Problems> {
    let mut reader = Reader::default();
    let mended = mended(&mut reader, map, schema);
    let map = &mended.map;
    check_tables(&mut reader, map, schema);
    let mut classes = Vec::new();
    if let Some(root) = schema.table(&map.customers.table) {
        let has_lost = mended.unresolved.get("customers").is_some_and(|lost| *lost > 0);
        check_customers(&mut reader, map, root, has_lost);
        classes = bind_classes(&mut reader, &mended, schema, root);
    }
    check_coverage(&mut reader, &mended, schema, &classes);
    check_table_triggers(&mut reader, map, schema);
    Problems::none_or(fold_alike(reader.into_problems(), map))?;
    mark_echoes(schema, &mut classes);
    let data_map = data_map(map, schema, &classes)?;
    let shared = data_map.shared_classes();
    check_same(&data_map)?;
    let reached = reached_along(&data_map);
    for class in &mut classes {
        class.is_shared = shared.contains(&class.name) || reached.contains(&class.name);
    }
    let is_mapped = |table: &str| classes.iter().any(|class| class.table.eq_ignore_ascii_case(table));
    let indexes = schema
        .others
        .iter()
        .filter(|other| other.is_full_text() && other.content.as_deref().is_some_and(is_mapped))
        .map(|other| other.name.clone())
        .collect();
    let classes = feet_first(classes);
    let triggers = all_triggers(schema);
    let notes = notes(map, schema, &classes);
    let calls = calls(schema);
    Ok(Bound { data_map, customers: map.customers.clone(), classes, indexes, triggers, calls, notes })
}

/// Whether a record of a class is always one person's: it hangs by its owner link alone, and so does what it hangs from.
fn is_one_persons<'m>(map: &'m DataMap, name: &'m ClassName, seen: &mut BTreeSet<&'m ClassName>) -> bool {
    if name == map.root() || !seen.insert(name) {
        return true;
    }
    let Some(class) = map.class(name.as_str()) else { return false };
    let is_held = map.links_to(name).any(|(_, link)| link.is_holding());
    let is_shared = class.links().iter().any(|link| link.role() == LinkRole::Shared);
    let mut owners = class.links().iter().filter(|link| link.role() == LinkRole::Owner).peekable();
    !is_held
        && !is_shared
        && owners.peek().is_some()
        && owners.all(|owner| is_one_persons(map, owner.to(), seen))
}

/// Classes whose records hang from records that go along with somebody else's.
fn reached_along(map: &DataMap) -> BTreeSet<ClassName> {
    let goes = |class: &&RecordClass| class.links().iter().any(Link::goes_along);
    let mut above: BTreeSet<ClassName> =
        map.classes().filter(goes).map(|class| class.name().clone()).collect();
    let mut reached = BTreeSet::new();
    loop {
        let mut more = BTreeSet::new();
        for class in map.classes() {
            for link in class.links() {
                if link.is_owner() && above.contains(link.to()) {
                    more.insert(class.name().clone());
                }
                if link.is_holding() && above.contains(class.name()) {
                    more.insert(link.to().clone());
                }
            }
        }
        let before = reached.len();
        reached.extend(more.iter().cloned());
        above.extend(more);
        if reached.len() == before {
            return reached;
        }
    }
}

/// Both ends of a link can be held to be one person's only where each is.
fn check_same(map: &DataMap) -> Result<(), Problems> {
    let mut problems = Vec::new();
    for class in map.classes() {
        for link in class.links().iter().filter(|link| *link.gone() == WhenGone::Same) {
            let several = [class.name(), link.to()]
                .into_iter()
                .find(|name| !is_one_persons(map, name, &mut BTreeSet::new()));
            if let Some(several) = several {
                problems.push(Problem::new(
                    join(&join(&join("records", class.name().as_str()), "ends"), link.name()),
                    format!(
                        "says that both ends are the same person's, and {several} may be several people's, or nobody's"
                    ),
                    "write \"goes\", or another word for that end",
                ));
            }
        }
    }
    Problems::none_or(problems)
}

/// Every class with its links. The customers come first.
fn bind_classes(reader: &mut Reader, mended: &Mended, schema: &Schema, root: &Table) -> Vec<BoundClass> {
    let map = &mended.map;
    let mut named = vec![(map.customers.class.clone(), root.name.clone(), map.customers.key.clone())];
    for (name, record) in &map.records {
        let Some(table) = schema.table(&record.table) else { continue };
        named.push((name.clone(), table.name.clone(), key_of(record, table)));
    }
    let binder = Binder {
        map,
        schema,
        classes: &named,
        has_lost_tables: mended.lost_tables > 0,
        named: RefCell::default(),
    };
    let feet = feet_of(reader, map, schema, &named);
    let record_of = |foot: &Foot<'_>| map.records.get(foot.class).filter(|_| foot.path != "customers");
    let ends_of = |foot: &Foot<'_>| record_of(foot).map_or(&map.customers.ends, |record| &record.ends);
    let mut bound = Vec::with_capacity(feet.len());
    let mut links: Vec<Vec<BoundLink>> = feet
        .iter()
        .map(|foot| {
            let record = record_of(foot);
            let owner = record.map_or(&[][..], |record| &record.owner);
            let shared = record.map_or(&[][..], |record| &record.shared);
            let (links, are_all) = binder.links(reader, foot, owner, shared, ends_of(foot));
            bound.push(are_all);
            links
        })
        .collect();
    for (held, record) in &map.records {
        let at = join("records", held.as_str());
        for (n, shared) in record.shared.iter().enumerate() {
            let SharedMap::Of(class, link) = shared else { continue };
            let Some(at_foot) = feet.iter().position(|foot| foot.class == class) else {
                if map.records.contains_key(class) {
                    continue; // Its table is not there, and that is said.
                }
                let known: Vec<&str> = feet.iter().map(|foot| foot.class.as_str()).collect();
                reader.problem(
                    format!("{}[{n}]", join(&at, "shared")),
                    format!("{class} is no record class"),
                    suggest(class.as_str(), known),
                );
                continue;
            };
            if let (Some(foot), Some(links)) = (feet.get(at_foot), links.get_mut(at_foot)) {
                binder.hold(reader, (&at, n), foot, link, held, ends_of(foot), links);
            }
        }
    }
    binder.say_named(reader);
    let missed = missed_holders(reader, map);
    for ((foot, links), bound) in feet.iter().zip(&mut links).zip(&bound) {
        // What a link that is wrong would have covered is no fault of its own.
        if *bound {
            binder.check_foreign_keys(reader, foot, ends_of(foot), links, &missed);
        }
    }
    let rows: Vec<Option<Rows>> = feet.iter().map(|foot| rows_of(reader, foot, &feet)).collect();
    let mut classes = Vec::with_capacity(feet.len());
    for (((foot, links), rows), bound) in feet.into_iter().zip(links).zip(rows).zip(bound) {
        let record = record_of(&foot);
        let fields = record.map_or(&map.customers.fields, |record| &record.fields);
        let nobody = record.map_or_else(NobodyMap::default, |record| record.nobody.clone());
        let (json, of, values) = own_fields(reader, &foot, fields, &links);
        classes.push(BoundClass {
            name: foot.class.clone(),
            table: foot.table.name.clone(),
            handle: foot.table.handle(),
            is_root: record.is_none(),
            rows: rows.unwrap_or_default(),
            nobody,
            is_shared: false,
            json,
            of,
            values,
            is_written_by_triggers: false,
            has_all_links: bound,
            is_cascaded_to: foot.table.foreign_keys.iter().any(|key| key.on_delete == OnDelete::Cascade),
            indexed: foot.table.leading.clone(),
            unique: foot.table.unique_columns(),
            key: foot.key,
            links,
        });
    }
    classes
}

/// Classes of which `shared` names a link of another class that is not there. A foreign key that leads to one of them may be what
/// was meant.
fn missed_holders(reader: &Reader, map: &SqlMap) -> BTreeSet<ClassName> {
    let is_missed = |class: &&ClassName| {
        let path = format!("{}.shared[", join("records", class.as_str()));
        // A name that was mended has found its link.
        let is_it = |problem: &Problem| {
            problem.path.starts_with(&path) && !problem.way_out.starts_with("did you mean")
        };
        reader.problems().iter().any(is_it)
    };
    map.records.keys().filter(is_missed).cloned().collect()
}

/// Every class with its place in the map, its table and its key.
fn feet_of<'s>(
    reader: &mut Reader,
    map: &'s SqlMap,
    schema: &'s Schema,
    named: &'s [(ClassName, String, Vec<String>)],
) -> Vec<Foot<'s>> {
    let mut feet = Vec::with_capacity(named.len());
    for (n, (class, table, key)) in named.iter().enumerate() {
        let Some(table) = schema.table(table) else { continue };
        let record = map.records.get(class).filter(|_| n > 0);
        let path = record.map_or_else(|| "customers".to_owned(), |_| join("records", class.as_str()));
        let place = match record {
            Some(record) if record.alike.is_some() => Vec::new(),
            Some(_) => vec!["records", class.as_str()],
            None => vec!["customers"],
        };
        check_key(reader, &join(&path, "key"), &place, table, key);
        let when = record.map_or(&map.customers.when, |record| &record.when);
        let key = if table.primary_key.is_empty() && *key == table.handle() {
            key.clone()
        } else {
            key.iter().filter_map(|column| own_name(table, column)).collect()
        };
        let divides = map.conditions(&table.name);
        feet.push(Foot { path, class, table, when, key, divides });
    }
    feet
}

/// The key that the map names, or the table's primary key.
pub(super) fn key_of(record: &RecordMap, table: &Table) -> Vec<String> {
    match &record.key {
        Some(key) => key.clone(),
        None if table.primary_key.is_empty() => table.handle(),
        None => table.primary_key.clone(),
    }
}

/// Which rows of its table a class claims.
fn rows_of(reader: &mut Reader, foot: &Foot<'_>, feet: &[Foot<'_>]) -> Option<Rows> {
    let path = join(&foot.path, "when");
    if *foot.when != When::Rest {
        let with = bind_when(reader, &path, foot.table, foot.when)?;
        return Some(Rows { with, without: Vec::new() });
    }
    let others: Vec<&Foot<'_>> = feet
        .iter()
        .filter(|other| other.table.name == foot.table.name && other.class != foot.class)
        .collect();
    if others.is_empty() {
        reader.problem(path, "is the rest of nothing: no other class has this table", "leave it out");
        return None;
    }
    let mut without = Vec::new();
    for other in others {
        // What is wrong with the others is said there.
        without.push(bind_when(&mut Reader::default(), &path, foot.table, other.when)?);
    }
    Some(Rows { with: Vec::new(), without })
}

/// The fields of a class beside plain columns: [`BoundClass::json`], [`BoundClass::of`] and [`BoundClass::values`].
type OwnFields = (BTreeMap<FieldName, JsonField>, BTreeMap<FieldName, String>, BTreeSet<(FieldName, String)>);

/// Fields within documents, and fields that belong to somebody at the far end of a link.
fn own_fields(
    reader: &mut Reader,
    foot: &Foot<'_>,
    fields: &BTreeMap<String, FieldMap>,
    links: &[BoundLink],
) -> OwnFields {
    let (mut json, mut of) = (BTreeMap::new(), BTreeMap::new());
    let mut values: BTreeSet<(FieldName, String)> = BTreeSet::new();
    for link in links.iter().filter(|link| link.by_value) {
        values.extend(link.columns.iter().map(|column| (column.as_str().into(), link.name.clone())));
    }
    for (column, field) in fields {
        let Some(own) = foot.table.column(column) else { continue };
        for pointer in field.json.keys() {
            let name = json_field(&own.name, pointer);
            let within =
                JsonField { column: own.name.clone(), pointer: pointer.clone(), max_chars: own.max_chars };
            json.insert(name, within);
        }
        let Some(link) = &field.of else { continue };
        let leads = |link: &&BoundLink| link.by_value && link.columns.contains(&own.name);
        if let Some(leads) = links.iter().find(leads) {
            // The value is written with its record, and when the person leaves to whom it leads. Whom another link leads to
            // has no say in that.
            if !leads.name.eq_ignore_ascii_case(link) {
                reader.problem(
                    join(&join(&join(&foot.path, "fields"), column), "of"),
                    format!("is said of the value by which {} finds its customer", leads.name),
                    "leave `of` out: the value is written with its record, and when the person leaves to whom it leads",
                );
            }
            continue;
        }
        if let Some(known) = links.iter().find(|known| known.name.eq_ignore_ascii_case(link)) {
            if known.by_value {
                // Without the value that customer would not be found: the field is written with it.
                values.insert((own.name.as_str().into(), known.name.clone()));
            } else {
                of.insert(own.name.as_str().into(), known.name.clone());
            }
        } else {
            let known: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
            reader.problem(
                join(&join(&join(&foot.path, "fields"), column), "of"),
                format!("{link} is no link of {}", foot.class),
                suggest(link, known),
            );
        }
    }
    (json, of, values)
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

pub(super) fn names(table: &Table) -> Vec<&str> {
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

/// Whether all classes of a table hold for rows of their own.
pub(super) fn is_told_apart(map: &SqlMap, table: &str) -> bool {
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

/// Whether no value is both.
fn excludes(one: &Is, other: &Is) -> bool {
    match (one, other) {
        (Is::OneOf(one), Is::OneOf(other)) => one.iter().all(|value| !other.contains(value)),
        (Is::OneOf(some), Is::NoneOf(others)) | (Is::NoneOf(others), Is::OneOf(some)) => {
            some.iter().all(|value| others.contains(value))
        }
        (Is::Null, Is::OneOf(_) | Is::NotNull) | (Is::OneOf(_) | Is::NotNull, Is::Null) => true,
        _ => false,
    }
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

fn check_key(reader: &mut Reader, path: &str, place: &[&str], table: &Table, key: &[String]) {
    if table.primary_key.is_empty() && *key == *table.handle() {
        return;
    }
    if !key.iter().all(|column| check_column(reader, path, table, column)) {
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

fn check_customers(reader: &mut Reader, map: &SqlMap, table: &Table, has_lost: bool) {
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
        let mut archived = status.values.iter().filter(|(_, status)| **status == Status::Archived);
        // A key of the map that is spelled in another case is another key.
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

fn check_unknown(reader: &mut Reader, customers: &CustomersMap, table: &Table, has_lost: bool) {
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
    // A column of which no line speaks may be missing because its name is wrong in another line.
    let is_unsaid =
        |column: &str| field(&customers.fields, column).is_none() && implied(customers, column).is_none();
    let is_lost = |column: &Column| has_lost && is_unsaid(&column.name);
    for column in table.columns.iter().filter(|column| !column.computed && !is_lost(column)) {
        let is_key = customers.key.iter().any(|key| key.eq_ignore_ascii_case(&column.name));
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
    (customers.key.iter().any(|key| is(key))
        || written
        || sources(customers).into_iter().any(|(_, source)| from(source)))
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
    tenant
        || customers.key.iter().any(|key| key.eq_ignore_ascii_case(column))
        || customers.registered.as_ref().is_some_and(names)
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

#[allow(clippy::too_many_lines, reason = "one line after another, for everything that a data map says")]
fn data_map(map: &SqlMap, schema: &Schema, classes: &[BoundClass]) -> Result<DataMap, Problems> {
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
                mapped = mapped.differing_by(&index.text, null_counts);
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
            built = built.field(mapped);
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
            for described in links_of(link, classes) {
                built = built.link(described);
            }
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
                text: index.text.clone(),
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
    for (table, ignored) in &map.ignore {
        builder = match ignored {
            Ignored::Table(reason) => builder.ignores(format!("table {table}"), reason),
            Ignored::Rest(reason) => {
                builder.ignores(format!("rows of table {table} that no class claims"), reason)
            }
        };
    }
    for (trigger, reason) in &map.ignored_triggers {
        builder = builder.ignores(format!("trigger {trigger}"), reason);
    }
    builder.build()
}

/// Rows that no class claims although their table is mapped, and that a foreign key ties to rows of a table.
fn unclaimed(map: &SqlMap, schema: &Schema, classes: &[BoundClass], to_table: &str) -> Vec<Unclaimed> {
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
            let (on_delete, so) = match key.on_delete {
                OnDelete::Cascade => ("CASCADE", "the database would delete rows that nobody counted"),
                OnDelete::SetNull => ("SET NULL", "the database would write to rows that nobody counted"),
                OnDelete::SetDefault => {
                    ("SET DEFAULT", "the database would write to rows that nobody counted")
                }
                OnDelete::Nothing => ("NO ACTION", "such rows would block the erasure of their customer"),
            };
            Unclaimed { table: table.name.clone(), columns: key.columns.join(", "), on_delete, so }
        }));
    }
    list
}

/// Whether a column says of which class a row is, or where a link leads.
pub(super) fn is_condition(class: &BoundClass, column: &str) -> bool {
    let is = |(name, _): &(String, Is)| name.eq_ignore_ascii_case(column);
    class.rows.with.iter().any(is)
        || class.rows.without.iter().flatten().any(is)
        || class.links.iter().flat_map(|link| &link.when).any(is)
}

/// A record can be handed over where one owner link alone says whose it is, and leads to the customers' key.
fn is_reassignable(class: &BoundClass, classes: &[BoundClass], root: &ClassName) -> bool {
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

/// Whether a link compares keys and nothing else.
fn leads_to_key(link: &BoundLink) -> bool {
    !link.by_value && matches!(link.compare, Compare::Exact | Compare::Text)
}

/// Whether other rows lead to a column, or find their customer through it.
fn is_linked(schema: &Schema, classes: &[BoundClass], class: &BoundClass, column: &str) -> bool {
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

/// A link as the data map tells it: once for each class to which it may lead.
fn links_of<'b>(link: &'b BoundLink, classes: &'b [BoundClass]) -> impl Iterator<Item = Link> + 'b {
    let heads = classes.iter().filter(|head| link.heads.contains(&head.name));
    heads.map(move |head| {
        let is_key = link.to_columns.len() == head.key.len()
            && link.to_columns.iter().zip(&head.key).all(|(a, b)| a.eq_ignore_ascii_case(b));
        let fields = link.columns.iter().map(String::as_str);
        // Over tables in between, no field of the record holds the key of the far end.
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
        if !link.cleared.is_empty() {
            described = described.clearable();
            if link.cleared.iter().any(|(_, value)| *value != Value::Null) {
                described = described.cleared_to_value();
            }
        }
        described
    })
}

/// Classes whose rows lead to others come before those, so that each row goes before what it leads to. The customers come
/// last.
fn feet_first(classes: Vec<BoundClass>) -> Vec<BoundClass> {
    let leads = |class: &BoundClass, other: &BoundClass, role: &dyn Fn(&BoundLink) -> bool| {
        class.name != other.name
            && class.links.iter().any(|link| {
                role(link)
                    && (link.heads.contains(&other.name) || link.to_table.eq_ignore_ascii_case(&other.table))
            })
    };
    let mut rest = classes;
    let mut ordered = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        // One to which nothing else leads; in a circle of foreign keys, which are deferred to the commit, one from which
        // nothing hangs.
        let free = |role: &dyn Fn(&BoundLink) -> bool| {
            rest.iter()
                .position(|class| !class.is_root && !rest.iter().any(|other| leads(other, class, role)))
        };
        let next = free(&|_| true)
            .or_else(|| free(&|link| link.role != LinkRole::End))
            .or_else(|| rest.iter().position(|class| !class.is_root))
            .unwrap_or(0);
        ordered.push(rest.remove(next));
    }
    ordered
}
