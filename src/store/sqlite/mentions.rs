//! Whom the texts of a batch are searched for: each customer's own records for that customer.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::reading::{Unreadable, searched};
use super::statements::{Script, quoted};
use super::touched::Touched;
use super::working::{self, Place, Slot, key_of};
use super::{Shared, Trouble};
use crate::anonymise::Strategy;
use crate::anonymise::json::NotJson;
use crate::anonymise::readable::IDENTIFIER_WAY_OUT;
use crate::anonymise::text::Matcher;
use crate::data_map::ClassName;
use crate::policy::Treatment;
use crate::store::sql::{Cell, Fault, Row, Session};

/// The customers of a batch, ready to be looked for, and whose each record is.
#[derive(Clone, Debug, Default)]
pub(super) struct People {
    matchers: Arc<[Matcher]>,
    /// By class and key. A record that several share is searched for all of them.
    owners: Arc<HashMap<(ClassName, String), Vec<usize>>>,
    /// Those whose own values are erased: they cannot be looked for.
    erased: Arc<BTreeSet<usize>>,
}

/// A text, or a document's texts, without somebody; `None` where it stays as it is.
fn without(slot: &Slot, text: &str, somebody: &Matcher) -> Result<Option<String>, NotJson> {
    match &slot.place {
        None => Ok(slot.strategy.redact(text, somebody)),
        Some(Place { pointer, others }) => slot.strategy.redact_json(text, pointer, others, somebody),
    }
}

impl People {
    /// Whether a customer's own values are erased.
    pub(super) fn is_erased(&self, customer: usize) -> bool {
        self.erased.contains(&customer)
    }

    fn owners<'p>(&'p self, slot: &Slot, key: String) -> impl Iterator<Item = usize> + 'p {
        self.owners.get(&(slot.class.clone(), key)).into_iter().flatten().copied()
    }

    /// The same of one of those whose a record is.
    pub(super) fn is_of_erased<'v>(&self, slot: &Slot, key: impl Iterator<Item = Cell<'v>>) -> bool {
        !self.erased.is_empty() && self.owners(slot, key_of(key)).any(|n| self.is_erased(n))
    }

    /// A record's text without its customers; `None` where it stays as it is.
    pub(super) fn redact<'v>(
        &self,
        slot: &Slot,
        value: Cell<'v>,
        key: &(impl Iterator<Item = Cell<'v>> + Clone),
    ) -> Result<Option<String>, Unreadable> {
        let text = searched(slot, value).map_err(|why| Unreadable::new(slot, &why, key.clone()))?;
        let Some(text) = text else { return Ok(None) };
        let mut redacted: Option<String> = None;
        for owner in self.owners(slot, key_of(key.clone())).filter_map(|n| self.matchers.get(n)) {
            let less = without(slot, redacted.as_deref().unwrap_or(&text), owner);
            if let Some(less) = less.map_err(|why| Unreadable::new(slot, &why, key.clone()))? {
                redacted = Some(less);
            }
        }
        Ok(redacted)
    }

    /// How many mentions of the customer in a text are not certain. A value that cannot be read has none; it is an error
    /// elsewhere.
    pub(super) fn uncertain(&self, slot: &Slot, value: Cell<'_>, customer: usize) -> usize {
        let Some(matcher) = self.matchers.get(customer) else { return 0 };
        match (searched(slot, value), &slot.place) {
            (Ok(Some(text)), None) => slot.strategy.uncertain(&text, matcher),
            (Ok(Some(text)), Some(Place { pointer, others })) => {
                slot.strategy.uncertain_json(&text, pointer, others, matcher)
            }
            (Ok(None) | Err(_), _) => 0,
        }
    }

    /// Whether a text mentions the customer.
    pub(super) fn mentions<'v>(
        &self,
        slot: &Slot,
        value: Cell<'v>,
        customer: usize,
        key: impl Iterator<Item = Cell<'v>> + Clone,
    ) -> Result<bool, Unreadable> {
        let Some(matcher) = self.matchers.get(customer) else { return Ok(false) };
        let text = searched(slot, value).map_err(|why| Unreadable::new(slot, &why, key.clone()))?;
        let less = text.map_or(Ok(None), |text| without(slot, &text, matcher));
        less.map(|less| less.is_some()).map_err(|why| Unreadable::new(slot, &why, key))
    }
}

impl Shared {
    /// Makes ready to search the texts of the batch, if the treatment has any searched. By now the customers' own
    /// values are still there.
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
        let identifiers = self.batch_identifiers(session, customers, |class, field, value| {
            !treatment.is_erased(class, field, value)
        })?;
        // A document that cannot be read is replaced or refused where it is treated; a name that cannot be read could not
        // be looked for anywhere.
        if let Some(what) = identifiers.iter().find_map(|(_, unread)| unread.value.clone()) {
            let unread = Unreadable {
                what: format!("{what}, so texts cannot be searched for it"),
                way_out: IDENTIFIER_WAY_OUT.to_owned(),
            };
            let fault = Fault::Other(unread.to_string());
            working::put_unreadable(&self.bench, unread);
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
        let mut erased = BTreeSet::new();
        if let Some((class, statement)) = &script.erased {
            let at = Trouble::at(class);
            let read = |row: &dyn Row| Ok((row.natural(0)?, row.flag(1)?));
            let all: Vec<(usize, bool)> =
                session.rows(&statement.sql, &statement.parameters, read).map_err(&at)?;
            erased.extend(all.into_iter().filter(|(_, is_erased)| *is_erased).map(|(n, _)| n));
        }
        let people = People { matchers: matchers.into(), owners: Arc::new(owners), erased: Arc::new(erased) };
        working::search_for(&self.bench, people);
        Ok(())
    }
}
