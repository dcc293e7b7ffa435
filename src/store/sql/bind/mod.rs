//! Binds a map to the live schema: reports what is missing, what nobody classified, and what nobody mapped.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::clearing::clear_own_columns;
use super::coverage::check_coverage;
use super::dialect::{Dialect, Holds};
use super::links::{Is, NobodyMap, SharedMap, When};
use super::map::{CustomersMap, FieldMap, RecordMap, SqlMap};
use super::mend::{Mended, fold_alike, fold_missing_links, mended};
use super::mentions::{MentionMap, check_mentions};
use super::notes::{Note, notes};
use super::people;
use super::schema::{OnDelete, Schema, Table, Trigger};
use super::tokens::TriggerEvent;
use super::triggers::{all_triggers, calls, check_table_triggers};
use super::way::{Binder, BoundLink, Foot, IS_NO_CLASS, bind_when};
use crate::anonymise::json::Pointer;
use crate::data_map::{ClassName, DataMap, FieldName, LinkRole, TableTrigger, WhenGone};
use crate::document::{Problem, Problems, Reader, join, suggest};

mod checks;
mod described;

pub(super) use checks::{check_column, is_told_apart, mapped, names, own_name};
use checks::{check_customers, check_key, check_tables};
use described::data_map;
pub(super) use described::{field, implied, is_condition};

/// A record class with its table.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each says something of its own")]
pub(crate) struct BoundClass {
    pub(crate) name: ClassName,
    pub(crate) table: String,
    pub(crate) key: Vec<String>,
    /// The columns that identify a row within a transaction.
    pub(crate) handle: Vec<String>,
    /// Whether this is the class of the customers themselves.
    pub(crate) is_root: bool,
    /// The rows of the table that belong to the class.
    pub(crate) rows: Rows,
    pub(crate) links: Vec<BoundLink>,
    /// Why rows may have no owner.
    pub(crate) nobody: NobodyMap,
    /// Whether somebody else may own a record that an erasure reaches: the record has several owners, or hangs from a
    /// record that is erased together with another one.
    pub(crate) is_shared: bool,
    /// Fields that are values inside a JSON document.
    pub(crate) json: BTreeMap<FieldName, JsonField>,
    /// Fields that belong to the person at the far end of the named link, and that are written only for that person.
    /// The value of a link that is no way is such a field, too.
    pub(crate) of: BTreeMap<FieldName, String>,
    /// Columns whose value leads to an owner of the record, and fields of that owner, each with the link's name. They
    /// are written with their record, too.
    pub(crate) values: BTreeSet<(FieldName, String)>,
    /// Whether triggers of other mapped tables write to this table. If so, it is treated again after those tables.
    pub(crate) is_written_by_triggers: bool,
    /// Triggers that write to this table during an erasure and that the map does not ignore. What they add has to be the
    /// customer's.
    pub(crate) echoes: BTreeSet<String>,
    /// Whether every link that the map names exists. If not, problems were reported.
    pub(crate) has_all_links: bool,
    /// Whether the database may delete rows when the rows that they reference are deleted.
    pub(crate) is_cascaded_to: bool,
    /// Columns that are the first column of a full index.
    pub(crate) indexed: BTreeSet<String>,
    /// The columns of the primary key and of each unique index.
    pub(crate) unique: Vec<Vec<String>>,
}

/// The rows of a table that belong to a class.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    /// The conditions that a row must meet.
    pub(crate) with: Vec<(String, Is)>,
    /// The sets of conditions of which a row must meet none.
    pub(crate) without: Vec<Vec<(String, Is)>>,
}

impl Rows {
    /// The rows that no class of a table claims. `None` if the classes claim all rows.
    pub(crate) fn beside<'c>(mut classes: impl Iterator<Item = &'c BoundClass>) -> Option<Self> {
        let mut without = Vec::new();
        let claim_all = classes.any(|class| {
            without.push(class.rows.with.clone());
            class.rows.with.is_empty() || !class.rows.without.is_empty()
        });
        (!claim_all).then_some(Self { with: Vec::new(), without })
    }
}

impl BoundClass {
    /// Whether a column is the first column of an index.
    pub(crate) fn is_indexed(&self, column: &str) -> bool {
        self.indexed.contains(&column.to_ascii_lowercase())
    }

    /// Whether a field belongs to the person at the far end of a link, whoever owns the record. The value by which a
    /// link finds a customer counts, too.
    pub(crate) fn is_of(&self, field: &str, link: &BoundLink) -> bool {
        self.of.get(field).is_some_and(|name| *name == link.name)
            || self.values.iter().any(|(own, name)| own.as_str() == field && *name == link.name)
    }

    /// Whether the class has such fields.
    pub(crate) fn has_fields_of(&self, link: &BoundLink) -> bool {
        self.of.values().any(|name| *name == link.name)
            || self.values.iter().any(|(_, name)| *name == link.name)
    }

    /// The links by which a record may name somebody other than its owners. Either a field belongs to the person at
    /// the far end, or the link leads directly to a customer while the record hangs from other records. See
    /// [`Bound::links_to_others`].
    pub(crate) fn ends_at_others<'c>(
        &'c self,
        root: &'c ClassName,
    ) -> impl Iterator<Item = &'c BoundLink> + 'c {
        let is_direct = |link: &BoundLink| link.heads.contains(root) && link.hops.is_empty();
        let mut belongs = self.links.iter().filter(|link| link.role != LinkRole::End).peekable();
        let is_far = !self.is_root && belongs.peek().is_some() && !belongs.any(is_direct);
        self.links.iter().filter(move |link| {
            // If both ends belong to the same person, the erasure verifies that.
            let is_other_end = link.role == LinkRole::End && link.gone != WhenGone::Same;
            is_other_end && (self.of.values().any(|name| *name == link.name) || (is_far && is_direct(link)))
        })
    }

    /// Whether a field belongs to the person at the far end of some link.
    pub(crate) fn is_of_others(&self, field: &str) -> bool {
        self.of.contains_key(field) || self.values.iter().any(|(own, _)| own.as_str() == field)
    }
}

/// A field that is a value inside a JSON document.
#[derive(Clone, Debug)]
pub(crate) struct JsonField {
    pub(crate) column: String,
    pub(crate) pointer: Pointer,
    /// The longest document that the column takes, in characters.
    pub(crate) max_chars: Option<u32>,
}

/// A map that matches the schema.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) data_map: DataMap,
    pub(crate) customers: CustomersMap,
    /// All classes in order of deletion: a class comes before the classes that its rows reference. The customers come
    /// last.
    pub(crate) classes: Vec<BoundClass>,
    /// The texts of others that may speak of a person, by class.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "other databases make no pass yet"))]
    pub(crate) mentions: BTreeMap<ClassName, MentionMap>,
    /// Full-text indexes over mapped tables.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "other databases have none"))]
    pub(crate) indexes: Vec<String>,
    /// Triggers of mapped tables that may forbid, swallow or rewrite a statement, including triggers that the map
    /// ignores.
    pub(crate) triggers: Vec<TableTrigger>,
    /// Whether a mapped table has a trigger. Then the session watches what is written beyond our own statements.
    pub(crate) has_triggers: bool,
    /// Tables to which triggers write that the map ignores, in lower case.
    pub(crate) ignored_writes: BTreeSet<String>,
    /// Triggers with the functions that they call.
    pub(crate) calls: Vec<(String, BTreeSet<String>)>,
    /// The columns of the customers' table, if it is a temporary one because the root store is elsewhere.
    pub(crate) people: Option<Vec<(String, Holds)>>,
    /// What a person should check.
    pub(crate) notes: Vec<Note>,
    /// The SQL dialect of the database.
    pub(crate) dialect: &'static dyn Dialect,
}

impl Bound {
    /// The class of the customers.
    pub(crate) fn root(&self) -> Option<&BoundClass> {
        self.classes.iter().find(|class| class.is_root)
    }

    /// The links by which a treated record may name somebody other than the customer who is erased: its
    /// [ends](BoundClass::ends_at_others), the later ones of several owner links, and its owner links if it may be erased
    /// together with another record.
    pub(crate) fn links_to_others<'c>(
        &'c self,
        class: &'c BoundClass,
    ) -> impl Iterator<Item = &'c BoundLink> + 'c {
        let goes_along = !class.is_root && self.may_go_along(class, &mut BTreeSet::new());
        let root = &self.customers.class;
        // Of several owner links the first non-empty one counts. The others may lead to somebody else.
        let mut owners = class.links.iter().filter(|link| link.role == LinkRole::Owner);
        let first = owners.next().map(|link| link.name.as_str());
        let is_later = move |link: &BoundLink| {
            link.role == LinkRole::Owner
                && first != Some(link.name.as_str())
                && link.hops.is_empty()
                && link.heads.contains(root)
        };
        let owners = class
            .links
            .iter()
            .filter(move |link| (goes_along && link.role != LinkRole::End) || is_later(link));
        class.ends_at_others(&self.customers.class).chain(owners)
    }

    /// Whether a record may be erased together with a record that it references, whoever owns it, or together with a
    /// record from which it hangs.
    fn may_go_along<'c>(&'c self, class: &'c BoundClass, seen: &mut BTreeSet<&'c ClassName>) -> bool {
        if !seen.insert(&class.name) {
            return false;
        }
        let leads_along = |link: &BoundLink| link.gone == WhenGone::Goes && !link.heads.is_empty();
        let hangs = class.links.iter().filter(|link| link.role != LinkRole::End);
        class.links.iter().any(leads_along)
            || hangs
                .flat_map(|link| &link.heads)
                .filter_map(|head| self.class(head))
                .any(|head| self.may_go_along(head, seen))
    }

    /// The name of one of the host's tables, as statements spell it.
    pub(crate) fn table(&self, name: &str) -> String {
        self.dialect.table(name)
    }

    /// The class with this name.
    pub(crate) fn class(&self, name: &ClassName) -> Option<&BoundClass> {
        self.classes.iter().find(|class| class.name == *name)
    }
}

/// Whether a foreign key of a table acts on rows that a link over the same columns may not reach: it compares as the far
/// column does, and the columns differ in type, or the far one has a collation.
fn reaches_further(schema: &Schema, table: &Table) -> bool {
    table.foreign_keys.iter().filter(|key| key.on_delete != OnDelete::Nothing).any(|key| {
        let Some(to) = schema.table(&key.to_table) else { return false };
        let far = if key.to_columns.is_empty() { &to.primary_key } else { &key.to_columns };
        let mut ends = key.columns.iter().zip(far);
        ends.any(|(near, far)| match (table.column(near), to.column(far)) {
            (Some(near), Some(far)) => near.datatype != far.datatype || far.collation.is_some(),
            _ => false,
        })
    })
}

pub(crate) fn bind(map: &SqlMap, schema: &Schema, dialect: &'static dyn Dialect) -> Result<Bound, Problems> {
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
    Problems::none_or(fold_alike(fold_missing_links(reader.into_problems(), map), map))?;
    mark_echoes(map, schema, &mut classes);
    check_mentions(map, schema, &classes)?;
    let data_map = data_map(map, schema, &classes)?;
    let shared = data_map.shared_classes();
    check_same(&data_map)?;
    let reached = data_map.classes_reached_along();
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
    let has_triggers = schema.tables().any(|table| {
        is_mapped(&table.name) && (!table.triggers.is_empty() || reaches_further(schema, table))
    });
    let classes = feet_first(classes);
    let triggers = all_triggers(schema);
    let notes = notes(map, schema, &classes);
    let calls = calls(schema);
    let ignored =
        schema.tables().flat_map(|table| &table.triggers).filter(|trigger| is_ignored(map, &trigger.name));
    let ignored_writes =
        ignored.flat_map(|trigger| &trigger.writes).map(|name| name.to_ascii_lowercase()).collect();
    Ok(Bound {
        data_map,
        customers: map.customers.clone(),
        mentions: map.mentions.clone(),
        classes,
        indexes,
        triggers,
        has_triggers,
        ignored_writes,
        calls,
        people: people::columns(map, schema),
        notes,
        dialect,
    })
}

/// Whether a record of a class always has one owner: it hangs by its owner link alone, and so does every record above
/// it.
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

/// Checks links with `same`: both ends can belong to the same person only if each end has one owner.
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

/// All classes with their links. The customers come first.
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
                    format!("{class}{IS_NO_CLASS}"),
                    suggest(class.as_str(), known),
                );
                continue;
            };
            if let (Some(foot), Some(links)) = (feet.get(at_foot), links.get_mut(at_foot)) {
                let known = reader.problems().len();
                binder.hold(reader, (&at, n), foot, link, held, ends_of(foot), links);
                // The owner was corrected to this link: what is wrong with the link is the same mistake.
                if record.owner.is_empty() {
                    reader.fold_since(known, &join(&at, "owner"));
                }
            }
        }
    }
    binder.say_named(reader);
    reader.fold_alike(|problem| problem.what.ends_with(IS_NO_CLASS));
    let missed = missed_holders(reader, map);
    for ((foot, links), bound) in feet.iter().zip(&mut links).zip(&bound) {
        // If a link is wrong, the foreign key that it would have covered is not reported as well.
        if *bound {
            binder.check_foreign_keys(reader, foot, ends_of(foot), links, &missed);
        }
    }
    for (foot, links) in feet.iter().zip(&mut links) {
        clear_own_columns(reader, foot, &map.customers, links);
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
            echoes: BTreeSet::new(),
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

/// Classes whose `shared` names a missing link of another class. A foreign key that leads to such a class may be the
/// intended link.
fn missed_holders(reader: &Reader, map: &SqlMap) -> BTreeSet<ClassName> {
    let is_missed = |class: &&ClassName| {
        let path = format!("{}.shared[", join("records", class.as_str()));
        // A corrected name has found its link.
        let is_it = |problem: &Problem| {
            problem.path.starts_with(&path) && !problem.way_out.starts_with("did you mean")
        };
        reader.problems().iter().any(is_it)
    };
    map.records.keys().filter(is_missed).cloned().collect()
}

/// All classes, each with its place in the map, its table and its key.
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

/// The key that the map names, or else the table's primary key.
pub(in crate::store::sql) fn key_of(record: &RecordMap, table: &Table) -> Vec<String> {
    match &record.key {
        Some(key) => key.clone(),
        None if table.primary_key.is_empty() => table.handle(),
        None => table.primary_key.clone(),
    }
}

/// The rows of its table that a class claims.
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
        // Problems of the other classes are reported at those classes.
        without.push(bind_when(&mut Reader::default(), &path, foot.table, other.when)?);
    }
    Some(Rows { with: Vec::new(), without })
}

/// The fields of a class beside plain columns: [`BoundClass::json`], [`BoundClass::of`] and [`BoundClass::values`].
type OwnFields = (BTreeMap<FieldName, JsonField>, BTreeMap<FieldName, String>, BTreeSet<(FieldName, String)>);

/// Fields inside documents, and fields that belong to the person at the far end of a link.
fn own_fields(
    reader: &mut Reader,
    foot: &Foot<'_>,
    fields: &BTreeMap<String, FieldMap>,
    links: &[BoundLink],
) -> OwnFields {
    let (mut json, mut of) = (BTreeMap::new(), BTreeMap::new());
    let mut values: BTreeSet<(FieldName, String)> = BTreeSet::new();
    // Whoever a value leads to owns the record, unless the link is no way. Then the value is that person's alone.
    let mut put = |field: FieldName, link: &BoundLink| {
        if link.by_value && link.role != LinkRole::End {
            values.insert((field, link.name.clone()));
        } else {
            of.insert(field, link.name.clone());
        }
    };
    for link in links.iter().filter(|link| link.by_value) {
        link.columns.iter().for_each(|column| put(column.as_str().into(), link));
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
            // The value is erased when the person is erased to whom it leads. Another link cannot change that.
            if !leads.name.eq_ignore_ascii_case(link) {
                reader.problem(
                    join(&join(&join(&foot.path, "fields"), column), "of"),
                    format!("is said of the value by which {} finds its customer", leads.name),
                    "leave `of` out: the value is written when the person leaves to whom it leads",
                );
            }
            continue;
        }
        if let Some(known) = links.iter().find(|known| known.name.eq_ignore_ascii_case(link)) {
            put(own.name.as_str().into(), known);
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

/// The name of a field inside a JSON document: the column and the pointer.
fn json_field(column: &str, pointer: &Pointer) -> FieldName {
    FieldName::new(format!("{column}{}", pointer.as_str()))
}

/// Marks the classes to whose tables triggers of other mapped tables write, directly or through other triggers.
fn mark_echoes(map: &SqlMap, schema: &Schema, classes: &mut [BoundClass]) {
    let tables: BTreeSet<String> = classes.iter().map(|class| class.table.clone()).collect();
    for from in &tables {
        let reached = written_from(map, schema, from);
        for class in classes.iter_mut().filter(|class| class.table != *from) {
            if let Some(by) = reached.get(&class.table.to_ascii_lowercase()) {
                class.is_written_by_triggers = true;
                class.echoes.extend(by.iter().cloned());
            }
        }
    }
}

/// The tables to which triggers of a table write, directly or through other triggers, in lower case. Each with the
/// triggers that write there, without those that the map ignores.
fn written_from(map: &SqlMap, schema: &Schema, table: &str) -> BTreeMap<String, BTreeSet<String>> {
    // An erasure updates and deletes rows. Triggers that follow may see inserts as well.
    let fires = |trigger: &&Trigger, first: bool| !(first && trigger.event == Some(TriggerEvent::Insert));
    let mut reached = BTreeMap::<String, BTreeSet<String>>::new();
    let mut todo = vec![(table.to_ascii_lowercase(), true)];
    while let Some((table, first)) = todo.pop() {
        let triggers = schema.table(&table).into_iter().flat_map(|table| &table.triggers);
        for trigger in triggers.filter(|trigger| fires(trigger, first)) {
            for written in &trigger.writes {
                let written = written.to_ascii_lowercase();
                let is_new = !reached.contains_key(&written);
                let by = reached.entry(written.clone()).or_default();
                if !is_ignored(map, &trigger.name) {
                    by.insert(trigger.name.clone());
                }
                if is_new {
                    todo.push((written, false));
                }
            }
        }
    }
    reached
}

fn is_ignored(map: &SqlMap, trigger: &str) -> bool {
    map.ignored_triggers.keys().any(|known| known.eq_ignore_ascii_case(trigger))
}

/// Orders the classes for deletion: a class comes before the classes that its rows reference. The customers come
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
        // Take a class that no other class references. In a cycle of foreign keys, which the commit checks, take a
        // class from which no other class hangs.
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
