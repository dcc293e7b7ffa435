//! Finds customers whose facts cannot be read, so that somebody can correct them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::expiry::Pages;
use super::{Engine, Error};
use crate::customer::{Customer, CustomerId, TenantId};

/// A customer who is blocked because facts cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnreadableCustomer {
    /// The host's own id of the customer. Empty if the key itself cannot be read.
    pub customer: CustomerId,
    /// The customer's tenant. Empty if the tenant cannot be read.
    pub tenant: TenantId,
    /// The facts that cannot be read, by name: `status`, `holds`, `date created`.
    pub facts: BTreeSet<String>,
}

/// An iterator over all customers whose facts cannot be read. Made by [`Engine::unreadable`].
#[derive(Debug)]
pub struct UnreadableCustomers<'e> {
    engine: &'e Engine,
    pages: Pages,
}

impl Engine {
    /// Lists the customers whose facts cannot be read. Every decision about them is *blocked*, and their records
    /// never expire. The list includes the tenants' "Unknown Customers". Touches nothing.
    ///
    /// ```no_run
    /// # async fn list(engine: relinquish::Engine) -> Result<(), relinquish::Error> {
    /// let mut customers = engine.unreadable();
    /// while let Some(batch) = customers.next_batch().await? {
    ///     for one in batch {
    ///         println!("{}: {:?}", one.customer.as_str(), one.facts);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn unreadable(&self) -> UnreadableCustomers<'_> {
        UnreadableCustomers { engine: self, pages: Pages::new() }
    }
}

impl UnreadableCustomers<'_> {
    /// The unreadable customers of the next batch. The list may be empty although more customers follow. `None` after
    /// the last batch. Memory is bounded by the engine's batch.
    ///
    /// # Errors
    /// A store out of reach.
    pub async fn next_batch(&mut self) -> Result<Option<Vec<UnreadableCustomer>>, Error> {
        let Some(page) = self.pages.next(&*self.engine.parts.store, self.engine.parts.batch).await? else {
            return Ok(None);
        };
        let now = self.engine.parts.clock.now();
        let policy = &self.engine.parts.policy;
        let found = page.into_iter().filter_map(|customer| {
            UnreadableCustomer::of(&customer, policy.effective(&customer.tenant).time_zone().day(now))
        });
        Ok(Some(found.collect()))
    }
}

impl UnreadableCustomer {
    pub(super) fn of(customer: &Customer, today: NaiveDate) -> Option<Self> {
        let facts: BTreeSet<String> = customer.unreadable_on(today).map(Cow::into_owned).collect();
        (!facts.is_empty()).then(|| Self {
            customer: customer.id.clone(),
            tenant: customer.tenant.clone(),
            facts,
        })
    }
}
