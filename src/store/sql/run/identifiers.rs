//! The values by which people are found, and the people for whom the texts of a batch are searched.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Frame;
use crate::anonymise::Strategy;
use crate::anonymise::json::Pointer;
use crate::anonymise::readable::IDENTIFIER_WAY_OUT;
use crate::anonymise::text::Matcher;
use crate::customer::{CustomerId, Identifiers};
use crate::data_map::{ClassName, Datatype, Field, Kind, Value};
use crate::store::sql::bind::BoundClass;
use crate::store::sql::cell::Cell;
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::script::Script;
use crate::store::sql::session::{Purpose, Row, Session};
use crate::store::sql::spelling::{listed, quoted};
use crate::store::sql::values::{self, People, Searched, Slot, Unreadable, identifier, key_of, texts};
use crate::store::sql::way::BoundLink;
use crate::store::sql::whose::{From, Touched, Toward, Ways};
use crate::store::{Batch, Known, StoreError};
use crate::treatment::Treatment;

/// What cannot be read of a customer, in words: a value, or a document.
#[derive(Clone, Default)]
pub(super) struct Unread {
    value: Option<String>,
    document: Option<String>,
}

/// A field whose values identify a person.
struct Identifying<'f> {
    kind: &'f Kind,
    name: &'f str,
    column: &'f str,
    /// The place in the column's document.
    pointer: Option<&'f Pointer>,
    is_binary: bool,
}

impl<'f> Identifying<'f> {
    fn of(class: &'f BoundClass, field: &'f Field) -> Option<Self> {
        let json = class.json.get(field.name());
        let (kind, name) = (field.kind()?, field.name().as_str());
        kind.is_searched_for().then_some(Self {
            kind,
            name,
            column: json.map_or(name, |json| &json.column),
            pointer: json.map(|json| &json.pointer),
            is_binary: field.constraints().datatype == Datatype::Blob,
        })
    }

    /// Reads the values of a row that count.
    fn read(
        &self,
        class: &ClassName,
        value: Cell<'_>,
        counts: impl Fn(&Value) -> bool,
        found_here: &mut Vec<(&'f Kind, String)>,
        unread: &mut Unread,
    ) {
        let found = match self.pointer {
            Some(pointer) => texts(value, pointer),
            None => identifier(value).map(|text| text.into_iter().collect()).map_err(|why| why.to_string()),
        };
        match found {
            Ok(texts) => {
                // Whether it counts is asked of the value as it is stored.
                let is_text = self.pointer.is_some() || matches!(value, Cell::Text(_) | Cell::Blob(_));
                let stored =
                    |text: &String| if is_text { Value::Text(text.clone()) } else { value.to_value() };
                let texts = texts.into_iter().filter(|text| counts(&stored(text)));
                found_here.extend(texts.map(|text| (self.kind, text)));
            }
            // A column of bytes contains no text by which a person is found.
            Err(_) if self.is_binary => {}
            Err(_) if self.pointer.is_none() && !counts(&value.to_value()) => {}
            Err(why) => {
                let place = if self.pointer.is_some() { &mut unread.document } else { &mut unread.value };
                place.get_or_insert_with(|| format!("{} of {class} cannot be read: {why}", self.name));
            }
        }
    }
}

fn columns_of(fields: &[&Identifying<'_>]) -> Vec<String> {
    fields.iter().map(|field| field.column.to_owned()).collect()
}

impl Frame {
    /// The text values of the fields by which a person is found. A customer with an unreadable value gets an error.
    pub(crate) fn identifiers(
        &self,
        session: &mut dyn Session,
        customers: &[CustomerId],
    ) -> Result<Batch<Identifiers>, Trouble> {
        let mut transaction = session.transaction(Purpose::Read)?;
        self.fill(&mut *transaction, customers.iter())?;
        self.find_each(&mut *transaction, &self.held, std::iter::empty())?;
        let list = self.batch_identifiers(&mut *transaction, customers.len(), |_, _, _| true)?;
        transaction.commit()?;
        let doing = "reading identifiers";
        let answer = |(identifiers, unread): (Identifiers, Unread)| match unread.value.or(unread.document) {
            None => Ok(identifiers.identifying()),
            Some(what) => Err(StoreError::Unreadable { doing, what, way_out: "mend the record".to_owned() }),
        };
        Ok(list.into_iter().map(answer).collect())
    }

    /// The identifiers of every customer in the batch: in the customer's own records, and in fields that belong to the
    /// customer in the records of others. `counts` says which values of a field to use.
    pub(super) fn batch_identifiers(
        &self,
        session: &mut dyn Session,
        customers: usize,
        counts: impl Fn(&str, &str, &Value) -> bool,
    ) -> Result<Vec<(Identifiers, Unread)>, Trouble> {
        let mut list = vec![(Identifiers::new(), Unread::default()); customers];
        // The customers' own values come first, because only so many names of a person are searched together. No database
        // promises an order of rows, so the values of a class are sorted.
        let numbered = || self.bound.classes.iter().enumerate();
        let own_first = numbered().filter(|(_, class)| class.is_root);
        for (number, class) in own_first.chain(numbered().filter(|(_, class)| !class.is_root)) {
            let mut of_class: Vec<Vec<(&Kind, String)>> = vec![Vec::new(); customers];
            let Some(described) = self.bound.data_map.class(class.name.as_str()) else { continue };
            let fields: Vec<Identifying<'_>> =
                described.fields().iter().filter_map(|field| Identifying::of(class, field)).collect();
            let own: Vec<&Identifying<'_>> =
                fields.iter().filter(|field| !class.is_of_others(field.name)).collect();
            let mut reads = Vec::new();
            if !own.is_empty() {
                let gives = listed(&quoted(&class.table), &columns_of(&own));
                let held = Touched::by_link(&self.bound, class, number).held(&gives, false);
                reads.push((held, own));
            }
            for link in &class.links {
                // The value of a link is the value that it leads to.
                let is_link = |name: &str| link.by_value && link.columns.iter().any(|column| column == name);
                let is_of = |field: &&Identifying<'_>| class.is_of(field.name, link) && !is_link(field.name);
                let of_link: Vec<&Identifying<'_>> = fields.iter().filter(is_of).collect();
                if !of_link.is_empty() {
                    let gives = listed("x", &columns_of(&of_link));
                    let found = self.rows_of_due(class, link, &gives).into_iter();
                    reads.extend(found.map(|sql| (sql, of_link.clone())));
                }
            }
            for (sql, fields) in reads {
                session.query(&sql, &[], &mut |row| {
                    let customer = row.natural::<usize>(0)?;
                    let (Some((_, unread)), Some(found_here)) =
                        (list.get_mut(customer), of_class.get_mut(customer))
                    else {
                        return Ok(());
                    };
                    for (place, field) in (1..).zip(&fields) {
                        let counts = |value: &Value| counts(class.name.as_str(), field.name, value);
                        field.read(&class.name, row.cell(place)?, counts, found_here, unread);
                    }
                    Ok(())
                })?;
            }
            for ((identifiers, _), mut found) in list.iter_mut().zip(of_class) {
                found.sort();
                for (kind, value) in found {
                    identifiers.insert(kind.clone(), value);
                }
            }
        }
        Ok(list)
    }

    /// For each class to which a link leads: the rows `x` whose link leads to a due record, with the customer's number.
    fn rows_of_due(&self, class: &BoundClass, link: &BoundLink, gives: &str) -> Vec<String> {
        let ways = Ways { bound: &self.bound };
        let heads = self.bound.classes.iter().enumerate().filter(|(_, head)| link.heads.contains(&head.name));
        let rows = heads.map(|(number, head)| {
            let (from, place) = From::due(&self.bound, link, number, head);
            // A record of others that is erased together with another one says nothing of the customer.
            let from = if place.is_some() { from.which("relinquish_r.beside = 0") } else { from };
            let gives = format!("relinquish_r.n, {gives}");
            ways.along(link, class, head, Toward::Foot, &from, &gives, None).sql
        });
        rows.collect()
    }

    /// Prepares the search of the batch's texts, if the treatment searches texts. At this time the customers' own
    /// values still exist.
    pub(super) fn look_for(
        &self,
        session: &mut dyn Session,
        customers: usize,
        treatment: &Treatment,
        script: &Script,
    ) -> Result<(), Trouble> {
        if !treatment.redacts() {
            return Ok(());
        }
        let redacted = |slot: &&Slot| matches!(slot.strategy, Strategy::Redact { .. });
        let mut identifiers = self.batch_identifiers(session, customers, |class, field, value| {
            !treatment.is_erased(class, field, value)
        })?;
        let known = self.known_of_batch();
        for ((own, _), known) in identifiers.iter_mut().zip(&known) {
            for (kind, value) in known.iter().flat_map(|known| known.identifiers.iter()) {
                own.insert(kind.clone(), value);
            }
        }
        // An unreadable document is replaced or refused where it is treated. An unreadable name could not be searched
        // for anywhere.
        if let Some(what) = identifiers.iter().find_map(|(_, unread)| unread.value.clone()) {
            let unread = Unreadable {
                what: format!("{what}, so texts cannot be searched for it"),
                way_out: IDENTIFIER_WAY_OUT.to_owned(),
            };
            let fault = Fault::Other(unread.to_string());
            values::put_unreadable(&self.bench, unread);
            return Err(fault.into());
        }
        let matchers: Result<Vec<Matcher>, _> =
            identifiers.iter().map(|(one, _)| Matcher::new([one])).collect();
        let matchers = matchers.map_err(|error| Fault::Other(error.to_string()))?;
        let mut owners: HashMap<Searched, Vec<usize>> = HashMap::new();
        for (number, class) in self.bound.classes.iter().enumerate() {
            let of_class = script.slots.iter().filter(redacted).filter(|slot| slot.class == class.name);
            let links: BTreeSet<Option<&str>> = of_class.map(|slot| slot.of.as_deref()).collect();
            let at = Trouble::at(&class.name);
            let read = |row: &dyn Row| {
                let n: usize = row.natural(0)?;
                let values: Result<Vec<Cell<'_>>, Fault> =
                    (1..=class.key.len()).map(|column| row.cell(column)).collect();
                Ok((n, key_of(values?.into_iter())))
            };
            for of in links {
                let selects = match of.and_then(|of| class.links.iter().find(|link| link.name == of)) {
                    Some(link) => self.rows_of_due(class, link, &listed("x", &class.key)),
                    None => vec![
                        Touched::by_link(&self.bound, class, number)
                            .held(&listed(&quoted(&class.table), &class.key), true),
                    ],
                };
                for sql in selects {
                    for (n, key) in session.rows(&sql, &[], read).map_err(&at)? {
                        let searched = (class.name.clone(), of.map(str::to_owned), key);
                        owners.entry(searched).or_default().push(n);
                    }
                }
            }
        }
        // If the root store is elsewhere, it says nothing of a customer who is erased.
        let is_erased =
            |known: &Option<Known>| known.as_ref().is_none_or(|known| known.identifiers.is_empty());
        let mut erased: BTreeSet<usize> =
            known.iter().enumerate().filter(|(_, known)| is_erased(known)).map(|(n, _)| n).collect();
        if let Some((class, statement)) = &script.erased {
            let at = Trouble::at(class);
            let read = |row: &dyn Row| Ok((row.natural(0)?, row.flag(1)?));
            let all: Vec<(usize, bool)> =
                session.rows(&statement.sql, &statement.parameters, read).map_err(&at)?;
            erased.extend(all.into_iter().filter(|(_, is_erased)| *is_erased).map(|(n, _)| n));
        }
        let people = People { matchers: matchers.into(), owners: Arc::new(owners), erased: Arc::new(erased) };
        values::search_for(&self.bench, people);
        Ok(())
    }
}
