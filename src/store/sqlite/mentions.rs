//! Whom the texts of a batch are searched for: each customer's own records for that customer.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::functions::{self, Place, Slot, key_of};
use super::json_fields::{self, Unreadable};
use super::statements::{Script, quoted};
use super::{Shared, Trouble, held, natural};
use crate::anonymise::Strategy;
use crate::anonymise::text::Matcher;
use crate::data_map::ClassName;
use crate::policy::Treatment;
use crate::sqlite::Fault;

/// The customers of a batch, ready to be looked for, and whose each record is.
#[derive(Clone, Debug, Default)]
pub(super) struct People {
    matchers: Arc<[Matcher]>,
    /// By class and key. A record that several share is searched for all of them.
    owners: Arc<HashMap<(ClassName, String), Vec<usize>>>,
}

fn text_of(value: ValueRef<'_>) -> Option<&str> {
    if let ValueRef::Text(bytes) = value { std::str::from_utf8(bytes).ok() } else { None }
}

/// A text, or a document's texts, without somebody; `None` where it stays as it is.
fn without(slot: &Slot, text: &str, somebody: &Matcher) -> Result<Option<String>, Unreadable> {
    match &slot.place {
        None => Ok(slot.strategy.redact(text, somebody)),
        Some(Place { pointer, others }) => slot
            .strategy
            .redact_json(text, pointer, others, somebody)
            .map_err(|error| Unreadable::new(slot, &error.to_string())),
    }
}

impl People {
    /// A record's text without its customers; `None` where it stays as it is.
    pub(super) fn redact(
        &self,
        slot: &Slot,
        value: ValueRef<'_>,
        key: &str,
    ) -> Result<Option<String>, Unreadable> {
        let Some(text) = searched(slot, value)? else { return Ok(None) };
        let owners = self.owners.get(&(slot.class.clone(), key.to_owned()));
        let mut redacted: Option<String> = None;
        for owner in owners.into_iter().flatten().filter_map(|n| self.matchers.get(*n)) {
            if let Some(less) = without(slot, redacted.as_deref().unwrap_or(text), owner)? {
                redacted = Some(less);
            }
        }
        Ok(redacted)
    }

    /// How many mentions of the customer in a text are not certain. A document that cannot be read counts as one that
    /// mentions them.
    pub(super) fn uncertain(&self, slot: &Slot, value: ValueRef<'_>, customer: usize) -> usize {
        let Some(matcher) = self.matchers.get(customer) else { return 0 };
        match (searched(slot, value), &slot.place) {
            (Ok(Some(text)), None) => slot.strategy.uncertain(text, matcher),
            (Ok(Some(text)), Some(Place { pointer, others })) => {
                slot.strategy.uncertain_json(text, pointer, others, matcher)
            }
            (Ok(None) | Err(_), _) => 0,
        }
    }

    /// Whether a text mentions the customer. A document that cannot be read may.
    pub(super) fn mentions(&self, slot: &Slot, value: ValueRef<'_>, customer: usize) -> bool {
        let Some(matcher) = self.matchers.get(customer) else { return false };
        let redacted = searched(slot, value).and_then(|text| match text {
            Some(text) => without(slot, text, matcher),
            None => Ok(None),
        });
        !matches!(redacted, Ok(None))
    }
}

/// What is searched: a column's text, or its document. What is no text mentions nobody; a document has to be one.
fn searched<'v>(slot: &Slot, value: ValueRef<'v>) -> Result<Option<&'v str>, Unreadable> {
    if slot.place.is_some() { json_fields::document(slot, value) } else { Ok(text_of(value)) }
}

impl Shared {
    /// Makes ready to search the texts of the batch, if the treatment has any searched. By now the customers' own
    /// values are still there.
    pub(super) fn look_for(
        &self,
        connection: &Connection,
        customers: usize,
        treatment: &Treatment,
        script: &Script,
    ) -> Result<(), Trouble> {
        if !treatment.redacts() {
            return Ok(());
        }
        let redacted = |slot: &&Slot| matches!(slot.strategy, Strategy::Redact { .. });
        let identifiers = self.batch_identifiers(connection, customers, |class, field, value| {
            !treatment.is_erased(class, field, value)
        })?;
        let matchers: Result<Vec<Matcher>, _> = identifiers.iter().map(|one| Matcher::new([one])).collect();
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
            let sql = held(number, class, &key.join(", "), true);
            let mut statement = connection.prepare_cached(&sql).map_err(&at)?;
            let mut rows = statement.query([]).map_err(&at)?;
            while let Some(row) = rows.next().map_err(&at)? {
                let n = natural(row, 0).map_err(&at)?;
                let values: Result<Vec<ValueRef<'_>>, _> =
                    (1..=key.len()).map(|column| row.get_ref(column)).collect();
                let key = key_of(values.map_err(&at)?.into_iter());
                owners.entry((class.name.clone(), key)).or_default().push(n);
            }
        }
        let people = People { matchers: matchers.into(), owners: Arc::new(owners) };
        functions::search_for(&self.bench, people);
        Ok(())
    }
}
