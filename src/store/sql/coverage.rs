//! Checks that nothing is left out silently: columns that nobody classified, tables that nobody mapped, triggers that
//! copy records, and full-text indexes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::bind::{BoundClass, check_column, field, implied, is_condition, is_told_apart, key_of, mapped};
use super::draft::free_name;
use super::links::{LinkRef, SharedMap, Target};
use super::map::{FieldMap, Ignored, SqlMap};
use super::mend::Mended;
use super::paste::{fields_block, ignore_block, names};
use super::run::{INBOX, MARK};
use super::schema::{ForeignKey, Replaces, Schema, Table, Trigger};
use super::tokens::{TriggerEvent, takes_words_out};
use super::way::{Binder, IS_NO_CLASS};
use crate::data_map::{ClassName, Datatype, is_reserved};
use crate::document::{Problem, Reader, join, key};

/// Reports columns that nobody classified, columns that do not exist, and tables that nobody mapped.
pub(super) fn check_coverage(reader: &mut Reader, mended: &Mended, schema: &Schema, classes: &[BoundClass]) {
    let map = &mended.map;
    let is_mapped = |table: &str| mapped(map).any(|(_, name)| name.eq_ignore_ascii_case(table));
    // A text key may be an e-mail address or a name, so somebody has to classify it.
    let is_text =
        |table: &Table, column: &str| table.column(column).is_some_and(|key| key.datatype == Datatype::Text);
    let leads = |table: &Table, class: Option<&BoundClass>, column: &str| {
        let is = |name: &String| name.eq_ignore_ascii_case(column);
        let by_link = class.is_some_and(|class| {
            class.links.iter().any(|link| !link.by_value && link.columns.iter().any(is))
                || is_condition(class, column)
        });
        let by_value = class
            .is_some_and(|class| class.links.iter().any(|link| link.by_value && link.columns.iter().any(is)));
        let mut keys = table.foreign_keys.iter().filter(|key| is_mapped(&key.to_table));
        by_link || (!by_value && keys.any(|key| key.columns.iter().any(is)))
    };
    let bound = |name: &ClassName| classes.iter().find(|class| class.name == *name);
    if let Some(table) = schema.table(&map.customers.table) {
        let class = bound(&map.customers.class);
        let known = |column: &str| {
            let is_key = map.customers.key.iter().any(|key| key.eq_ignore_ascii_case(column));
            map.customers.rest.is_some()
                || !(is_key && is_text(table, column)) && implied(&map.customers, column).is_some()
                || !is_key && leads(table, class, column)
                || is_missing_link(map, &map.customers.class, class, column)
        };
        let lost = mended.lost(&table.name);
        let listed =
            Listed { place: &["customers"], table, fields: &map.customers.fields, lost, takes_rest: true };
        check_columns(reader, &listed, &known);
    }
    // If the customers' table is missing, no link leads to it. Do not report the consequences for the records.
    let has_root = schema.table(&map.customers.table).is_some();
    for (name, record) in map.records.iter().filter(|_| has_root) {
        if let Some(table) = schema.table(&record.table) {
            let class = bound(name);
            let key = key_of(record, table);
            // If a link is wrong, its columns are not forgotten columns.
            let written = match class {
                Some(class) if class.has_all_links => Vec::new(),
                _ => record.link_columns(&map.links),
            };
            // If no condition separates the classes of a table, the columns meant for the condition are not forgotten
            // columns.
            let divides = if is_told_apart(map, &record.table) {
                BTreeSet::new()
            } else {
                map.conditions(&record.table)
            };
            let known = |column: &str| {
                let is = |name: &String| name.eq_ignore_ascii_case(column);
                let is_key = key.iter().any(is);
                record.rest.is_some()
                    || is_missing_link(map, name, class, column)
                    || (is_key && !is_text(table, column))
                    || leads(table, class, column)
                    || written.iter().any(is)
                    || divides.iter().any(is)
            };
            let place = ["records", name.as_str()];
            let takes_rest = record.alike.is_none();
            let lost = mended.lost(&table.name);
            let listed = Listed { place: &place, table, fields: &record.fields, lost, takes_rest };
            check_columns(reader, &listed, &known);
        }
    }
    let tied = if has_root { tied(map, schema) } else { Vec::new() };
    check_tied(reader, mended, schema, &tied);
    let is_said = |table: &str| tied.iter().any(|tied| tied.table.name.eq_ignore_ascii_case(table));
    check_triggers(reader, map, schema, &is_said);
    check_changes(reader, map, schema);
    check_virtual(reader, map, schema);
}

/// Whether another class names the column as a link by which it is shared, and the link is wrong. Then the column is not a
/// forgotten column.
fn is_missing_link(map: &SqlMap, name: &ClassName, class: Option<&BoundClass>, column: &str) -> bool {
    let named = map.records.values().flat_map(|record| &record.shared).any(
        |shared| matches!(shared, SharedMap::Of(of, link) if of == name && link.eq_ignore_ascii_case(column)),
    );
    let has_link = |class: &BoundClass| class.links.iter().any(|link| link.name.eq_ignore_ascii_case(column));
    named && !class.is_some_and(has_link)
}

/// Reports each table that foreign keys tie to a customer and that nobody mapped.
fn check_tied(reader: &mut Reader, mended: &Mended, schema: &Schema, tied: &[Tied<'_>]) {
    // A class whose table does not exist may mean one of the tables that nobody mapped.
    let is_lost = |problem: &Problem| problem.what.starts_with("there is no table ");
    let mut is_meant = false;
    if !tied.is_empty()
        && tied.len() <= mended.lost_tables
        && let Some(problem) = reader.first(is_lost)
    {
        let open = names(tied.iter().map(|tied| tied.table.name.as_str()));
        let _ = write!(problem.way_out, "; of these, nobody mapped {open}");
        is_meant = true;
    }
    let missing = if is_meant { None } else { missing_class(reader, tied.len()) };
    for tied in tied.iter().filter(|_| !is_meant) {
        // If there is no draft, other tables have to be mapped first. That is no reason to leave the table out.
        let (table, through) = (&tied.table.name, &tied.through);
        let (mut what, mut class) =
            (format!("a foreign key ties this table to {through}, and nobody mapped it"), "…".to_owned());
        if let Some((name, place)) = &missing {
            let _ = write!(what, "; {place} names the class {name}, which is not there");
            name.clone_into(&mut class);
        }
        let name = missing.as_ref().map(|(name, _)| ClassName::from(name.as_str()));
        reader.problem_to_paste(
            table.clone(),
            what,
            format!("write [records.{class}] with table = \"{table}\", or ignore.{table} = \"reason\""),
            draft(&mended.map, schema, tied, name)
                .or_else(|| (tied.way.len() == 1).then(|| ignore_block(table))),
        );
    }
}

/// The class that links name and that is not there, if it can only be the class of the one table that nobody mapped. Takes
/// the problem away: it is the same mistake. Gives the name, and where it stands first.
fn missing_class(reader: &mut Reader, tied: usize) -> Option<(String, String)> {
    let is_missing = |problem: &Problem| problem.what.ends_with(IS_NO_CLASS) && problem.paste.is_none();
    let mut missing = reader.problems().iter().filter(|problem| is_missing(problem));
    let only = missing.next().filter(|_| missing.next().is_none() && tied == 1)?;
    let name = only.what.strip_suffix(IS_NO_CLASS)?.to_owned();
    let (place, what) = (only.path.clone(), only.what.clone());
    if only.way_out.starts_with("did you mean") || is_reserved(&name) {
        return None;
    }
    reader.drop_all(|problem| problem.what == what);
    Some((name, place))
}

/// The map's statements about the columns of a class.
struct Listed<'a> {
    /// The place of the class in the map.
    place: &'a [&'a str],
    table: &'a Table,
    fields: &'a BTreeMap<String, FieldMap>,
    /// The number of missing columns that the classes of the table name.
    lost: usize,
    /// Whether the class may use `rest` for all other columns.
    takes_rest: bool,
}

/// Reports all columns of a class that nobody classified, as one problem.
fn check_columns(reader: &mut Reader, listed: &Listed<'_>, known: &dyn Fn(&str) -> bool) {
    let Listed { place, table, fields, lost, takes_rest } = *listed;
    let path = join(&place.join("."), "fields");
    let mut seen = BTreeSet::new();
    for column in fields.keys() {
        let path = join(&path, column);
        check_column(reader, &path, table, column);
        if !seen.insert(column.to_ascii_lowercase()) {
            reader.problem(path, "is classified twice", "leave one of them");
        }
    }
    let open = table.columns.iter().map(|column| column.name.as_str());
    let open: Vec<&str> = open.filter(|column| field(fields, column).is_none() && !known(column)).collect();
    if open.is_empty() {
        return;
    }
    let missing = format!("table {} has no column ", table.name);
    let is_lost = |problem: &Problem| problem.what.starts_with(&missing);
    if open.len() <= lost
        && let Some(problem) = reader.first(is_lost)
    {
        // One of these columns may be the intended one. Then the corrected line classifies it.
        let open = names(open.iter().copied());
        let _ = write!(problem.way_out, "; of these, nobody classified {open}");
    } else {
        let these = if open.len() == 1 { "this column" } else { "these columns" };
        let each: Vec<String> = open.iter().map(|column| join(&path, column)).collect();
        reader.problem_to_paste(
            path,
            format!("nobody classified {these} of {}: {}", table.name, names(open.iter().copied())),
            format!("write {} = \"a kind of personal data\" or \"not personal\"", each.join(", ")),
            Some(fields_block(place, table, &open, takes_rest)),
        );
    }
}

/// A table that foreign keys tie to a mapped table, and that nobody mapped.
struct Tied<'s> {
    table: &'s Table,
    /// The table that its foreign key references.
    through: String,
    /// The columns of each link on the way to a mapped table.
    way: Vec<Vec<String>>,
}

/// A record class for a table, as lines to paste.
fn draft(map: &SqlMap, schema: &Schema, tied: &Tied<'_>, name: Option<ClassName>) -> Option<String> {
    // Ways that go on over several columns contradict one another: only one of these can be the owner.
    if gone_over(map, schema, tied.table).len() > 1 {
        return None;
    }
    let key =
        if tied.table.primary_key.is_empty() { tied.table.handle() } else { tied.table.primary_key.clone() };
    let mut classes =
        vec![(map.customers.class.clone(), map.customers.table.clone(), map.customers.key.clone())];
    for (name, record) in &map.records {
        let Some(table) = schema.table(&record.table) else { continue };
        classes.push((name.clone(), table.name.clone(), key_of(record, table)));
    }
    classes.push((name.unwrap_or_else(|| free_name(map, &tied.table.name)), tied.table.name.clone(), key));
    let binder = Binder { map, schema, classes: &classes, has_lost_tables: false, named: RefCell::default() };
    binder.draft(&tied.way)
}

/// Whether a table is reported as one that foreign keys tie to a customer and that nobody mapped.
pub(super) fn is_tied(map: &SqlMap, schema: &Schema, table: &str) -> bool {
    schema.table(&map.customers.table).is_some()
        && tied(map, schema).iter().any(|tied| tied.table.name.eq_ignore_ascii_case(table))
}

/// The columns by which ways of the map go on from a table: ways of other classes, over a table that nobody mapped.
fn gone_over(map: &SqlMap, schema: &Schema, table: &Table) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for record in map.records.values() {
        let ends = record.ends.links.values().filter_map(|end| end.link.as_ref());
        let shared = record.shared.iter().filter_map(|shared| match shared {
            SharedMap::Own(link) => Some(link),
            SharedMap::Of(..) => None,
        });
        let named = record.owner.iter().chain(shared).filter_map(|link| match link {
            LinkRef::Word(word) => map.links.get(word),
            LinkRef::Full(link) => Some(&**link),
        });
        for way in named.chain(ends) {
            let mut at = schema.table(&record.table);
            for (link, next) in std::iter::once(way).chain(&way.further).zip(&way.further) {
                let to = match &link.to {
                    Some(Target::Table(table, _)) => Some(table),
                    Some(Target::Class(_) | Target::Column(..)) => None,
                    None => at.and_then(|at| at.foreign_key(&link.columns)).map(|key| &key.to_table),
                };
                at = to.and_then(|to| schema.table(to));
                if at.is_some_and(|at| at.name == table.name) {
                    found.insert(next.columns.iter().map(|column| column.to_ascii_lowercase()).collect());
                }
            }
        }
    }
    found
}

/// The tables that foreign keys tie to a mapped table, directly or through other tables, and that are neither mapped
/// nor ignored.
fn tied<'s>(map: &SqlMap, schema: &'s Schema) -> Vec<Tied<'s>> {
    let is_mapped = mapped(map).map(|(_, table)| table.to_ascii_lowercase());
    // For each table, the links that lead to a mapped table.
    let mut reached: BTreeMap<String, Vec<Vec<String>>> =
        is_mapped.map(|table| (table, Vec::new())).collect();
    let mut list = Vec::new();
    loop {
        // Level by level, so that each way is the shortest.
        let mut level = Vec::new();
        for table in schema.tables().filter(|table| !reached.contains_key(&table.name.to_ascii_lowercase())) {
            let ways = table.foreign_keys.iter().filter_map(|key| {
                let further = reached.get(&key.to_table.to_ascii_lowercase())?;
                Some((key, [std::slice::from_ref(&key.columns), further].concat()))
            });
            // If several foreign keys lead there: the one by which ways of other classes go on, then one to the customers.
            let over = gone_over(map, schema, table);
            let rank = |(key, way): &(&ForeignKey, Vec<Vec<String>>)| {
                let columns: Vec<String> =
                    key.columns.iter().map(|column| column.to_ascii_lowercase()).collect();
                let to_customers = key.to_table.eq_ignore_ascii_case(&map.customers.table);
                (!over.contains(&columns), !to_customers, way.len())
            };
            let Some((key, way)) = ways.min_by_key(rank) else { continue };
            level.push(Tied { table, through: key.to_table.clone(), way });
        }
        if level.is_empty() {
            return list;
        }
        for tied in level {
            reached.insert(tied.table.name.to_ascii_lowercase(), tied.way.clone());
            if !is_ignored(map, &tied.table.name) {
                list.push(tied);
            }
        }
    }
}

fn is_mapped(map: &SqlMap, table: &str) -> bool {
    mapped(map).any(|(_, name)| name.eq_ignore_ascii_case(table))
}

fn is_ignored(map: &SqlMap, table: &str) -> bool {
    let whole = map.ignore.iter().filter(|(_, ignored)| matches!(ignored, Ignored::Table(_)));
    whole.into_iter().any(|(name, _)| name.eq_ignore_ascii_case(table))
}

/// The mapped table that a full-text table indexes.
fn indexed<'s>(map: &SqlMap, schema: &'s Schema, name: &str) -> Option<&'s Table> {
    let index = schema.virtual_table(name).filter(|index| index.is_full_text())?;
    schema.table(index.content.as_deref()?).filter(|table| is_mapped(map, &table.name))
}

/// Reports triggers of mapped tables that write to a table that nobody mapped. They may copy records there. One
/// problem for each such table, for all its triggers.
fn check_triggers(reader: &mut Reader, map: &SqlMap, schema: &Schema, is_said: &dyn Fn(&str) -> bool) {
    let mut writers: BTreeMap<String, (&str, Vec<String>)> = BTreeMap::new();
    for table in schema.tables().filter(|table| is_mapped(map, &table.name)) {
        for trigger in &table.triggers {
            for written in &trigger.writes {
                let is_known = is_mapped(map, written)
                    || is_ignored(map, written)
                    || is_said(written)
                    || indexed(map, schema, written).is_some();
                if !is_known {
                    let (_, by) =
                        writers.entry(written.to_ascii_lowercase()).or_insert((written, Vec::new()));
                    by.push(format!("{}.{}", table.name, trigger.name));
                }
            }
        }
    }
    for (written, by) in writers.into_values() {
        let which = if by.len() == 1 { "the trigger writes" } else { "the triggers write" };
        reader.problem_to_paste(
            by.join(", "),
            format!("{which} to {written}, which nobody mapped: it may copy there what is to be erased"),
            if schema.is_view(written) {
                format!("it is a view: where its triggers copy nothing of people, write ignore.{written} = \"reason\"")
            } else {
                format!("write [records.…] with table = \"{written}\", or ignore.{written} = \"reason\"")
            },
            schema.has(written).then(|| ignore_block(written)),
        );
    }
}

/// Reports triggers that change or delete rows of a mapped table while an erasure runs. Which rows these are, and whose,
/// is in the trigger's own words. No plan counts them.
fn check_changes(reader: &mut Reader, map: &SqlMap, schema: &Schema) {
    let is_said = |trigger: &str| map.ignored_triggers.keys().any(|name| name.eq_ignore_ascii_case(trigger));
    for (table, trigger) in reached(map, schema).into_iter().filter(|(_, trigger)| !is_said(&trigger.name)) {
        // A constraint may let any statement that adds or changes a row delete another one.
        let replaced =
            trigger.writes.iter().map(|written| written.to_ascii_lowercase()).filter(|written| {
                schema.table(written).is_some_and(|table| table.replaces != Replaces::None)
            });
        let changes: BTreeSet<String> = trigger.text.changes.iter().cloned().chain(replaced).collect();
        for changed in changes.iter().filter(|changed| is_mapped(map, changed)) {
            let name = schema.table(changed).map_or(changed.as_str(), |table| &table.name);
            reader.problem(
                format!("{table}.{}", trigger.name),
                format!(
                    "the trigger changes or deletes rows of {name} {}, and no plan can say whose these are",
                    trigger.text.when.to_ascii_lowercase()
                ),
                format!(
                    "drop the trigger for the run, or, if the rows are those of the same customer or hold nothing of a person, \
                     write ignore.triggers.{} = \"reason\"",
                    key(&trigger.name)
                ),
            );
        }
    }
    for table in
        schema.tables().filter(|table| table.replaces == Replaces::Unique && is_mapped(map, &table.name))
    {
        reader.problem(
            table.name.clone(),
            format!(
                "a unique constraint of {} says ON CONFLICT REPLACE: a new value would delete somebody's row without a word",
                table.name
            ),
            "create the table without this clause: then a value that is taken is an error",
        );
    }
}

/// The triggers that run while an erasure writes to mapped tables, each with its table: those of the mapped tables, and
/// those of every table and view to which triggers write.
fn reached<'s>(map: &SqlMap, schema: &'s Schema) -> Vec<(&'s str, &'s Trigger)> {
    let of_views = || schema.of_views.iter().map(|(view, trigger)| (view.as_str(), trigger));
    let of_tables =
        schema.tables().flat_map(|table| table.triggers.iter().map(|one| (table.name.as_str(), one)));
    let all: Vec<(&str, &Trigger)> = of_tables.chain(of_views()).collect();
    // An erasure updates and deletes rows, and may add an "Unknown Customer". A trigger may do anything.
    let is_first = |table: &str, trigger: &Trigger| match trigger.event {
        Some(TriggerEvent::Update | TriggerEvent::Delete) => is_mapped(map, table),
        Some(TriggerEvent::Insert) => {
            map.customers.unknown.is_some() && map.customers.table.eq_ignore_ascii_case(table)
        }
        None => false,
    };
    let mut runs: Vec<bool> = all.iter().map(|(table, trigger)| is_first(table, trigger)).collect();
    loop {
        let written: BTreeSet<String> = all
            .iter()
            .zip(&runs)
            .filter(|(_, runs)| **runs)
            .flat_map(|((_, trigger), _)| &trigger.writes)
            .map(|name| name.to_ascii_lowercase())
            .collect();
        let now: Vec<bool> = all
            .iter()
            .zip(&runs)
            .map(|((table, _), runs)| *runs || written.contains(&table.to_ascii_lowercase()))
            .collect();
        if now == runs {
            return all.into_iter().zip(runs).filter_map(|(one, runs)| runs.then_some(one)).collect();
        }
        runs = now;
    }
}

/// Triggers of mapped tables that write to ignored tables: the trigger, its table, and the ignored table.
pub(super) fn ignored_echoes<'s>(map: &SqlMap, schema: &'s Schema) -> Vec<(&'s str, &'s str, &'s str)> {
    schema
        .tables()
        .filter(|table| is_mapped(map, &table.name))
        .flat_map(|table| table.triggers.iter().map(move |trigger| (table, trigger)))
        .flat_map(|(table, trigger)| {
            let written = trigger.writes.iter().filter(|written| is_ignored(map, written));
            written.map(move |written| (trigger.name.as_str(), table.name.as_str(), written.as_str()))
        })
        .collect()
}

/// Reports virtual tables, because the map cannot see their contents. A full-text index over a mapped table is
/// accepted if triggers keep it current.
fn check_virtual(reader: &mut Reader, map: &SqlMap, schema: &Schema) {
    for other in schema.others.iter().filter(|other| !is_ignored(map, &other.name)) {
        let name = &other.name;
        let Some(table) = indexed(map, schema, name) else {
            let of_unmapped = other.is_full_text()
                && other.content.as_deref().and_then(|content| schema.table(content)).is_some();
            if !of_unmapped {
                reader.problem_to_paste(
                    name.clone(),
                    format!("is a table of {}, and what it holds cannot be seen by column", other.module),
                    format!("make it an index over a mapped table (content = \"…\"), or write ignore.{name} = \"reason\""),
                    Some(ignore_block(name)),
                );
            }
            continue;
        };
        let follows = |event: TriggerEvent| {
            table.triggers.iter().any(|trigger| {
                trigger.event == Some(event) && takes_words_out(&trigger.sql, name, &other.columns)
            })
        };
        if !follows(TriggerEvent::Update) || !follows(TriggerEvent::Delete) {
            reader.problem_to_paste(
                name.clone(),
                format!(
                    "is a full-text index over {}, and no triggers take the old words of every row out of it",
                    table.name
                ),
                format!(
                    "create triggers after update and after delete, without WHEN, that write the command 'delete' with the old \
                     values to {name}; or write ignore.{name} = \"reason\""
                ),
                Some(ignore_block(name)),
            );
        }
    }
}

/// Tables that the map does not mention. The tables of the mark and of the inbox are this crate's own. The mark holds
/// nothing about people, and the rows of the inbox go into the register.
pub(super) fn beside<'s>(map: &SqlMap, schema: &'s Schema) -> Vec<&'s str> {
    let others = schema.others.iter().map(|other| other.name.as_str());
    schema
        .tables()
        .map(|table| table.name.as_str())
        .chain(others)
        .filter(|name| {
            !name.eq_ignore_ascii_case(MARK)
                && !name.eq_ignore_ascii_case(INBOX)
                && !is_mapped(map, name)
                && !is_ignored(map, name)
                && indexed(map, schema, name).is_none()
        })
        .collect()
}
