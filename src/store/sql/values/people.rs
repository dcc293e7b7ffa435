//! The people for whom a batch's texts are searched: the texts of a customer's own records are searched for that
//! customer.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::unreadable::{Unreadable, is_searched_in_part, searched};
use super::working::{Place, Slot, key_of};
use crate::anonymise::json::NotJson;
use crate::anonymise::text::Matcher;
use crate::data_map::ClassName;
use crate::store::sql::cell::Cell;

/// The customers of a batch as text matchers, and the owners of each record.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    pub(crate) matchers: Arc<[Matcher]>,
    /// Whom a text is searched for: everybody of the batch who has the record, or who is at the far end of the link to
    /// which the field belongs.
    pub(crate) owners: Arc<HashMap<Searched, Vec<usize>>>,
    /// Customers whose own values are erased: nobody can search for them.
    pub(crate) erased: Arc<BTreeSet<usize>>,
}

/// The texts of a record that are searched for the same people: by class, link ([`Slot::of`]) and key.
pub(crate) type Searched = (ClassName, Option<String>, String);

/// A text, or a document's texts, without a person. `None` if it stays unchanged.
pub(super) fn without(slot: &Slot, text: &str, somebody: &Matcher) -> Result<Option<String>, NotJson> {
    match &slot.place {
        None => Ok(slot.strategy.redact(text, somebody)),
        Some(Place { pointer, others, .. }) => slot.strategy.redact_json(text, pointer, others, somebody),
    }
}

impl People {
    /// Whether a customer's own values are erased.
    pub(crate) fn is_erased(&self, customer: usize) -> bool {
        self.erased.contains(&customer)
    }

    fn owners<'p>(&'p self, slot: &Slot, key: String) -> impl Iterator<Item = usize> + 'p {
        self.owners.get(&(slot.class.clone(), slot.of.clone(), key)).into_iter().flatten().copied()
    }

    /// Whether one of a record's owners is such a customer.
    pub(crate) fn is_of_erased<'v>(&self, slot: &Slot, key: impl Iterator<Item = Cell<'v>>) -> bool {
        !self.erased.is_empty() && self.owners(slot, key_of(key)).any(|n| self.is_erased(n))
    }

    /// A record's text without its customers. `None` if it stays unchanged.
    pub(crate) fn redact<'v>(
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

    /// The number of uncertain mentions of the customer in a text. A value that cannot be read counts as 0 here;
    /// elsewhere it is an error.
    pub(crate) fn uncertain(&self, slot: &Slot, value: Cell<'_>, customer: usize) -> usize {
        let Some(matcher) = self.matchers.get(customer) else { return 0 };
        match (searched(slot, value), &slot.place) {
            // What cannot be read in a text may name the customer. It counts as one uncertain mention.
            (Ok(Some(text)), None) => {
                slot.strategy.uncertain(&text, matcher) + usize::from(is_searched_in_part(slot, value))
            }
            (Ok(Some(text)), Some(Place { pointer, others, .. })) => {
                slot.strategy.uncertain_json(&text, pointer, others, matcher)
            }
            (Ok(None) | Err(_), _) => 0,
        }
    }

    /// Whether a text mentions the customer.
    pub(crate) fn mentions<'v>(
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
