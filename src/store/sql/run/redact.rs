//! Takes people out of the texts of others: page by page, in the order of the keys.
//!
//! A page is read in a transaction that only reads. What changes is written in a second one, which compares each text
//! with the text that was read. If a text has changed in between, the page is read again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Frame;
use super::echoes::Shrunk;
use super::ownerless::Place;
use crate::anonymise::readable;
use crate::customer::TenantId;
use crate::data_map::{ClassName, Datatype, Value};
use crate::store::sql::bind::BoundClass;
use crate::store::sql::cell::Cell;
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::map::TenantSource;
use crate::store::sql::mentions::MentionMap;
use crate::store::sql::session::{Purpose, Row, Session};
use crate::store::sql::spelling::{columns, json_rows, listed, quoted, source_sql};
use crate::store::sql::values::key_of;
use crate::store::sql::whose::{Touched, of_class};
use crate::store::{Cursor, MentionsPart, MentionsRequest};

/// How often a page is read again whose texts change while it is worked on.
const TRIES: u32 = 20;

/// A text to write.
struct Change {
    /// The place of the field in the map.
    field: usize,
    key: Vec<Value>,
    old: String,
    new: String,
    mentioned: Vec<usize>,
}

/// A page of texts that were read and searched.
#[derive(Default)]
struct Searched {
    /// The key of the last row.
    last: Option<Vec<Value>>,
    read: BTreeMap<TenantId, u64>,
    unreadable: BTreeMap<TenantId, u64>,
    changes: Vec<Change>,
    /// Uncertain mentions by person, and texts that a hold keeps.
    uncertain: BTreeMap<usize, u64>,
    held: BTreeMap<usize, u64>,
}

impl Frame {
    /// Searches the next page of texts, and writes those that change.
    pub(crate) fn redact_mentions(
        &self,
        session: &mut dyn Session,
        request: &MentionsRequest,
        after: Option<&Cursor>,
    ) -> Result<MentionsPart, Trouble> {
        let mut place = after.map(Place::read).transpose()?;
        let mut classes = self.bound.mentions.iter().filter(|(name, _)| request.searches(name)).peekable();
        if let Some(place) = &place {
            while classes.next_if(|(name, _)| **name < place.class).is_some() {}
        }
        for (name, mention) in classes {
            let Some((number, class)) =
                self.bound.classes.iter().enumerate().find(|(_, class)| class.name == *name)
            else {
                continue;
            };
            let key = place.take().filter(|place| place.class == *name).map(|place| place.key);
            let page = Page { frame: self, class, number, mention, request };
            let (part, last) = page.treat(session, key.as_deref())?;
            let Some(last) = last else { continue };
            let next = Place { class: name.clone(), key: last }.cursor()?;
            return Ok(MentionsPart { next: Some(next), ..part });
        }
        Ok(MentionsPart::default())
    }
}

/// A page of the texts of a class.
struct Page<'p> {
    frame: &'p Frame,
    class: &'p BoundClass,
    number: usize,
    mention: &'p MentionMap,
    request: &'p MentionsRequest,
}

impl Page<'_> {
    /// Searches the page after a key, and writes what changes. Returns the key of its last row, if it has any.
    fn treat(
        &self,
        session: &mut dyn Session,
        after: Option<&[Value]>,
    ) -> Result<(MentionsPart, Option<Vec<Value>>), Trouble> {
        // What an earlier try has changed. It is not found again.
        let mut changed = BTreeMap::<usize, u64>::new();
        for tried in 1.. {
            let searched = {
                let mut transaction = session.transaction(Purpose::Read)?;
                self.frame.same_schema(&mut *transaction)?;
                let searched = self.search(&mut *transaction, after)?;
                transaction.commit()?;
                searched
            };
            let mut part = MentionsPart {
                read: searched.read,
                unreadable: searched.unreadable,
                ..MentionsPart::default()
            };
            for (person, mentions) in searched.uncertain {
                part.of.entry(person).or_default().uncertain += mentions;
            }
            for (person, texts) in searched.held {
                part.of.entry(person).or_default().held += texts;
            }
            if self.write_all(session, &searched.changes, &mut part, tried >= TRIES)? {
                for (person, texts) in changed {
                    part.of.entry(person).or_default().changed += texts;
                }
                return Ok((part, searched.last));
            }
            for (person, counts) in &part.of {
                *changed.entry(*person).or_default() += counts.changed;
            }
        }
        Ok((MentionsPart::default(), None))
    }

    /// Reads the rows after a key, and searches each text while it is there.
    fn search(&self, session: &mut dyn Session, after: Option<&[Value]>) -> Result<Searched, Trouble> {
        let at = Trouble::at(&self.class.name);
        let held = self.held_rows(session)?;
        let (sql, tenant) = self.select(after.map_or(0, <[Value]>::len));
        let limit = Value::Integer(i64::try_from(self.request.rows).unwrap_or(i64::MAX));
        let values: Vec<Value> = std::iter::once(limit).chain(after.into_iter().flatten().cloned()).collect();
        let mut searched = Searched::default();
        let mut texts = self.request.searcher();
        let parts = self.class.key.len();
        let mut each = |row: &dyn Row| {
            let key: Result<Vec<Value>, Fault> =
                (0..parts).map(|part| Ok(row.cell(part)?.to_value())).collect();
            let key = key?;
            let of = match (&tenant, row.cell(parts)?) {
                (Some(tenant), _) => tenant.clone(),
                (None, Cell::Text(bytes)) => String::from_utf8_lossy(bytes).as_ref().into(),
                // A text of no tenant is nobody's to change.
                (None, _) => {
                    searched.last = Some(key);
                    return Ok(());
                }
            };
            for field in 0..self.mention.fields.len() {
                let text = match row.cell(parts + 1 + field)? {
                    Cell::Null | Cell::Integer(_) | Cell::Real(_) => continue,
                    Cell::Text(bytes) => std::str::from_utf8(bytes).ok(),
                    Cell::Blob(_) => None,
                };
                *searched.read.entry(of.clone()).or_default() += 1;
                let Some(text) = text else {
                    *searched.unreadable.entry(of.clone()).or_default() += 1;
                    // Nothing is written, but whoever is named in what can be read is reported.
                    let bytes = row.cell(parts + 1 + field)?.bytes();
                    let found =
                        readable::marked(bytes).map(|text| texts.search(&self.class.name, &of, &text));
                    for person in
                        found.into_iter().flat_map(|found| found.mentioned.into_iter().chain(found.uncertain))
                    {
                        *searched.uncertain.entry(person).or_default() += 1;
                    }
                    continue;
                };
                let found = texts.search(&self.class.name, &of, text);
                for person in found.uncertain {
                    *searched.uncertain.entry(person).or_default() += 1;
                }
                let Some(new) = found.text else { continue };
                let is_held = !held.is_empty() && {
                    let parts: Result<Vec<Cell<'_>>, Fault> = (0..parts).map(|part| row.cell(part)).collect();
                    held.contains(&key_of(parts?.into_iter()))
                };
                if is_held {
                    for person in found.mentioned {
                        *searched.held.entry(person).or_default() += 1;
                    }
                    continue;
                }
                let (key, old) = (key.clone(), text.to_owned());
                searched.changes.push(Change { field, key, old, new, mentioned: found.mentioned });
            }
            searched.last = Some(key);
            Ok(())
        };
        session.query(&sql, &values, &mut each).map_err(at)?;
        Ok(searched)
    }

    /// The statement for a page, and the tenant of every row if it is the same.
    fn select(&self, key_parts: usize) -> (String, Option<TenantId>) {
        let (bound, class) = (&self.frame.bound, self.class);
        let table = quoted(&class.table);
        let key = listed(&table, &class.key);
        let (tenant, fixed) = match (&self.mention.tenant, &bound.customers.tenant) {
            (Some(source), _) => (format!("CAST({} AS TEXT)", source_sql(&class.table, source)), None),
            (None, TenantSource::Is(tenant)) => ("NULL".to_owned(), Some(tenant.clone())),
            (None, TenantSource::From(source)) => {
                (format!("CAST({} AS TEXT)", source_sql(&class.table, source)), None)
            }
        };
        let after = if key_parts == 0 {
            "TRUE".to_owned()
        } else {
            let places: Vec<String> = (2..key_parts + 2).map(|n| bound.dialect.parameter(n)).collect();
            let places = if places.len() == 1 { places.concat() } else { format!("({})", places.join(", ")) };
            format!("{} > {places}", columns(&table, &class.key))
        };
        let is_there: Vec<String> =
            class.key.iter().map(|column| format!("{table}.{} IS NOT NULL", quoted(column))).collect();
        let sql = format!(
            "SELECT {key}, {tenant}, {} FROM {} AS {table} WHERE {after} AND {}{} ORDER BY {key} LIMIT {}",
            listed(&table, &self.mention.fields),
            bound.table(&class.table),
            is_there.join(" AND "),
            of_class(bound, &table, &class.rows),
            bound.dialect.parameter(1),
        );
        (sql, fixed)
    }

    /// The keys of the rows that belong to customers whom a hold keeps.
    fn held_rows(&self, session: &mut dyn Session) -> Result<BTreeSet<String>, Trouble> {
        let (bound, class) = (&self.frame.bound, self.class);
        // A hold without classes keeps everything.
        let keeps = |classes: &BTreeSet<ClassName>| classes.is_empty() || classes.contains(&class.name);
        let held =
            self.request.held.iter().filter(|(_, classes)| keeps(classes)).map(|(customer, _)| customer);
        let mut held = held.peekable();
        if held.peek().is_none() {
            return Ok(BTreeSet::new());
        }
        self.frame.fill(session, held)?;
        self.frame.find_each(session, &self.frame.held, std::iter::empty())?;
        let sql = Touched::by_link(bound, class, self.number)
            .held(&listed(&quoted(&class.table), &class.key), true);
        let keys = session.rows(&sql, &[], |row| {
            let values: Result<Vec<Cell<'_>>, Fault> = (1..=class.key.len()).map(|n| row.cell(n)).collect();
            Ok(key_of(values?.into_iter()))
        });
        Ok(keys.map_err(Trouble::at(&class.name))?.into_iter().collect())
    }

    /// Writes the changes of a page. `false`: a text has changed since it was read. If the database refuses a
    /// statement, it is tried in halves, down to the single text that is the cause. That text stays, and so does, at the last
    /// try, a text that has changed again.
    fn write_all(
        &self,
        session: &mut dyn Session,
        changes: &[Change],
        part: &mut MentionsPart,
        is_last: bool,
    ) -> Result<bool, Trouble> {
        let mut fields = HashMap::<usize, Vec<&Change>>::new();
        for change in changes {
            fields.entry(change.field).or_default().push(change);
        }
        for (field, changes) in fields {
            let mut todo = vec![changes.as_slice()];
            while let Some(some) = todo.pop() {
                let written = match self.write(session, field, some) {
                    Ok(false) if is_last => {
                        let what =
                            "a text changes faster than it can be read, or a trigger ignores the statement";
                        Err(Trouble::at(&self.class.name)(Fault::Other(what.to_owned())))
                    }
                    written => written,
                };
                match written {
                    Ok(true) => {
                        for person in some.iter().flat_map(|change| &change.mentioned) {
                            part.of.entry(*person).or_default().changed += 1;
                        }
                    }
                    Ok(false) => return Ok(false),
                    Err(Trouble { fault: Fault::Constraint(_) | Fault::Other(_), .. }) if some.len() > 1 => {
                        let (first, second) = some.split_at(some.len() / 2);
                        todo.extend([second, first]);
                    }
                    Err(trouble @ Trouble { fault: Fault::Constraint(_) | Fault::Other(_), .. }) => {
                        for person in some.iter().flat_map(|change| &change.mentioned) {
                            part.of.entry(*person).or_default().refused += 1;
                        }
                        let error = trouble.into_error("taking people out of texts", &self.frame.bound);
                        part.refused.get_or_insert(error.to_string());
                    }
                    Err(trouble) => return Err(trouble),
                }
            }
        }
        Ok(true)
    }

    /// Writes some texts in one statement and one transaction. `false`: one of them has changed, and nothing is written.
    fn write(&self, session: &mut dyn Session, field: usize, changes: &[&Change]) -> Result<bool, Trouble> {
        let at = Trouble::at(&self.class.name);
        let Some(column) = self.mention.fields.get(field) else { return Ok(true) };
        let (bound, class) = (&self.frame.bound, self.class);
        let (host, column) = (bound.table(&class.table), quoted(column));
        let types = class.key.iter().map(|key| self.datatype(key));
        let mut staged: Vec<(String, Datatype)> =
            types.enumerate().map(|(n, datatype)| (format!("k{n}"), datatype)).collect();
        staged.extend(["was", "is_now"].map(|name| (name.to_owned(), Datatype::Text)));
        let same: Vec<String> = class
            .key
            .iter()
            .enumerate()
            .map(|(n, key)| {
                let staged = bound.dialect.in_type_of(&host, key, &format!("relinquish_v.k{n}"));
                format!("relinquish_t.{} = {staged}", quoted(key))
            })
            .collect();
        let sql = format!(
            "UPDATE {host} AS relinquish_t SET {column} = relinquish_v.is_now FROM {} AS relinquish_v \
             WHERE {} AND relinquish_t.{column} = relinquish_v.was",
            bound.dialect.rows(1, &staged),
            same.join(" AND "),
        );
        let text = |text: &str| Value::Text(text.to_owned());
        let rows = changes.iter().map(|change| {
            let texts = [text(&change.old), text(&change.new)];
            change.key.iter().cloned().chain(texts).collect::<Vec<Value>>()
        });
        let mut transaction = session.transaction(Purpose::Write)?;
        let written = transaction.execute(&sql, &[json_rows(rows)]).map_err(&at)?;
        if usize::try_from(written).is_ok_and(|written| written == changes.len()) {
            self.frame.triggers_changed_nothing(&mut *transaction, &Shrunk::new())?;
            transaction.commit().map_err(at)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn datatype(&self, key: &str) -> Datatype {
        let described = self.frame.bound.data_map.class(self.class.name.as_str());
        described
            .and_then(|class| class.find(key))
            .map_or(Datatype::Any, |field| field.constraints().datatype)
    }
}
