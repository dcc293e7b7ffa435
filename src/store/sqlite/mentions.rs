//! Whom the texts of a batch are searched for: each customer's own records for that customer.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::functions::{self, Slot, key_of};
use super::statements::{Script, quoted};
use super::{Shared, Trouble, natural, ownership};
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

impl People {
    /// A record's text without its customers; `None` where it stays as it is.
    pub(super) fn redact(&self, slot: &Slot, value: ValueRef<'_>, key: &str) -> Option<String> {
        let owners = self.owners.get(&(slot.class.clone(), key.to_owned()))?;
        let mut redacted: Option<String> = None;
        for owner in owners.iter().filter_map(|n| self.matchers.get(*n)) {
            let text = redacted.as_deref().or_else(|| text_of(value))?;
            if let Some(less) = slot.strategy.redact(text, owner) {
                redacted = Some(less);
            }
        }
        redacted
    }

    /// Whether a text mentions the customer.
    pub(super) fn mentions(&self, slot: &Slot, value: ValueRef<'_>, customer: usize) -> bool {
        let matcher = self.matchers.get(customer);
        matcher
            .zip(text_of(value))
            .is_some_and(|(matcher, text)| slot.strategy.redact(text, matcher).is_some())
    }
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
        if let Some(slot) = script.slots.iter().filter(redacted).find(|slot| slot.pointer.is_some()) {
            let what = format!(
                "{} of {} cannot be redacted within its document; remove it, or redact the whole column",
                slot.field, slot.class
            );
            return Err(Fault::Other(what).into());
        }
        let identifiers = self.batch_identifiers(connection, customers, |class, field, value| {
            !treatment.is_erased(class, field, value)
        })?;
        let matchers: Result<Vec<Matcher>, _> = identifiers.iter().map(|one| Matcher::new([one])).collect();
        let matchers = matchers.map_err(|error| Fault::Other(error.to_string()))?;
        let mut owners: HashMap<(ClassName, String), Vec<usize>> = HashMap::new();
        for class in &self.bound.classes {
            if !script.slots.iter().filter(redacted).any(|slot| slot.class == class.name) {
                continue;
            }
            let at = Trouble::at(&class.name);
            let table = quoted(&class.table);
            let key: Vec<String> =
                class.key.iter().map(|column| format!("{table}.{}", quoted(column))).collect();
            let sql = ownership::select_owned(class, &key.join(", "));
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
