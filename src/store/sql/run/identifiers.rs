//! The values by which people are found, and the people for whom the texts of a batch are searched.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Frame;
use crate::anonymise::Strategy;
use crate::anonymise::json::Pointer;
use crate::anonymise::readable::IDENTIFIER_WAY_OUT;
use crate::anonymise::text::Matcher;
use crate::customer::{CustomerId, Identifiers};
use crate::data_map::{ClassName, Datatype, Kind, Value};
use crate::store::sql::cell::Cell;
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::script::Script;
use crate::store::sql::session::{Purpose, Row, Session};
use crate::store::sql::spelling::quoted;
use crate::store::sql::values::{self, People, Slot, Unreadable, identifier, key_of, texts};
use crate::store::sql::whose::Touched;
use crate::store::{Batch, Known, StoreError};
use crate::treatment::Treatment;

/// What cannot be read of a customer, in words: a value, or a document.
#[derive(Clone, Default)]
pub(super) struct Unread {
    value: Option<String>,
    document: Option<String>,
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

    /// The identifiers of every customer in the batch. `counts` says which values of a field to use.
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
            let fields: Vec<(&Kind, &str, Option<&Pointer>, &str, bool)> = described
                .fields()
                .iter()
                .filter_map(|field| {
                    let json = class.json.get(field.name());
                    let column = json.map_or(field.name().as_str(), |json| &json.column);
                    let is_binary = field.constraints().datatype == Datatype::Blob;
                    Some((
                        field.kind()?,
                        column,
                        json.map(|json| &json.pointer),
                        field.name().as_str(),
                        is_binary,
                    ))
                })
                .filter(|(kind, _, _, field, _)| kind.is_searched_for() && !class.is_of_others(field))
                .collect();
            if fields.is_empty() {
                continue;
            }
            let table = quoted(&class.table);
            let columns: Vec<String> =
                fields.iter().map(|(_, column, ..)| format!("{table}.{}", quoted(column))).collect();
            let sql = Touched::by_link(&self.bound, class, number).held(&columns.join(", "), false);
            session.query(&sql, &[], &mut |row| {
                let customer = row.natural::<usize>(0)?;
                let (Some((_, unread)), Some(found_here)) =
                    (list.get_mut(customer), of_class.get_mut(customer))
                else {
                    return Ok(());
                };
                for (n, (kind, _, pointer, field, is_binary)) in fields.iter().enumerate() {
                    let counts = |value: &Value| counts(class.name.as_str(), field, value);
                    let value = row.cell(n + 1)?;
                    let found = match pointer {
                        Some(pointer) => texts(value, pointer),
                        None => identifier(value)
                            .map(|text| text.into_iter().collect())
                            .map_err(|why| why.to_string()),
                    };
                    match found {
                        Ok(texts) => {
                            // Whether it counts is asked of the value as it is stored.
                            let is_text = pointer.is_some() || matches!(value, Cell::Text(_) | Cell::Blob(_));
                            let stored = |text: &String| {
                                if is_text { Value::Text(text.clone()) } else { value.to_value() }
                            };
                            let texts = texts.into_iter().filter(|text| counts(&stored(text)));
                            found_here.extend(texts.map(|text| (*kind, text)));
                        }
                        // A column of bytes contains no text by which a person is found.
                        Err(_) if *is_binary => {}
                        Err(_) if pointer.is_none() && !counts(&value.to_value()) => {}
                        Err(why) => {
                            let place =
                                if pointer.is_some() { &mut unread.document } else { &mut unread.value };
                            place.get_or_insert_with(|| {
                                format!("{field} of {} cannot be read: {why}", class.name)
                            });
                        }
                    }
                }
                Ok(())
            })?;
            for ((identifiers, _), mut found) in list.iter_mut().zip(of_class) {
                found.sort();
                for (kind, value) in found {
                    identifiers.insert(kind.clone(), value);
                }
            }
        }
        Ok(list)
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
        let mut owners: HashMap<(ClassName, String), Vec<usize>> = HashMap::new();
        for (number, class) in self.bound.classes.iter().enumerate() {
            if !script.slots.iter().filter(redacted).any(|slot| slot.class == class.name) {
                continue;
            }
            let at = Trouble::at(&class.name);
            let table = quoted(&class.table);
            let key: Vec<String> =
                class.key.iter().map(|column| format!("{table}.{}", quoted(column))).collect();
            let sql = Touched::by_link(&self.bound, class, number).held(&key.join(", "), true);
            let read = |row: &dyn Row| {
                let n: usize = row.natural(0)?;
                let values: Result<Vec<Cell<'_>>, Fault> =
                    (1..=key.len()).map(|column| row.cell(column)).collect();
                Ok((n, key_of(values?.into_iter())))
            };
            for (n, key) in session.rows(&sql, &[], read).map_err(&at)? {
                owners.entry((class.name.clone(), key)).or_default().push(n);
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
