//! Customers, page by page.

use chrono::{DateTime, Utc};

pub use crate::customer::Cursor;
use crate::customer::{Customer, CustomerId, TenantId};

/// A request for a page of customers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageRequest {
    /// The cursor after which the page begins. `None`: the first page.
    pub after: Option<Cursor>,
    /// The maximum number of customers.
    pub limit: usize,
    /// Whether to list the tenants' "Unknown Customers" instead of the other customers. Without hand-overs there are
    /// none.
    pub stand_ins: bool,
}

impl PageRequest {
    /// A request for the first page, without the "Unknown Customers".
    pub fn new(limit: usize) -> Self {
        Self { after: None, limit, stand_ins: false }
    }

    /// Continues after another page.
    #[must_use]
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        self.after = cursor;
        self
    }

    /// Lists only the "Unknown Customers".
    #[must_use]
    pub fn stand_ins(mut self) -> Self {
        self.stand_ins = true;
        self
    }
}

/// A page of customers.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Page {
    /// The customers' facts.
    pub customers: Vec<Customer>,
    /// The cursor of the next page. `None`: this is the last page.
    pub next: Option<Cursor>,
}

impl Page {
    /// A page, with the cursor of the next page.
    pub fn new(customers: Vec<Customer>, next: Option<Cursor>) -> Self {
        Self { customers, next }
    }

    /// A page of a store that pages by id. If the page is full, the next page begins after its last customer.
    pub fn by_id(customers: Vec<Customer>, limit: usize) -> Self {
        let is_full = customers.len() >= limit;
        let last = customers.last().filter(|_| is_full);
        let next = last.map(|last| Cursor::new(last.id.as_str()));
        Self { customers, next }
    }
}

/// The values from which a customer's [token](crate::ledger::SubjectToken) in the ledger is made. A replay reads only
/// these values, because it searches all customers for a few.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registration {
    /// The host's id.
    pub customer: CustomerId,
    /// The tenant to which the customer belongs.
    pub tenant: TenantId,
    /// When the customer was registered.
    pub registered: Option<DateTime<Utc>>,
}

impl Registration {
    /// A customer of a tenant.
    pub fn new(
        customer: impl Into<CustomerId>,
        tenant: impl Into<TenantId>,
        registered: Option<DateTime<Utc>>,
    ) -> Self {
        Self { customer: customer.into(), tenant: tenant.into(), registered }
    }
}

impl From<Customer> for Registration {
    fn from(facts: Customer) -> Self {
        Self { customer: facts.id, tenant: facts.tenant, registered: facts.registered }
    }
}

/// A page of [registrations](Registration).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RegistrationPage {
    /// The customers.
    pub customers: Vec<Registration>,
    /// The cursor of the next page. `None`: this is the last page.
    pub next: Option<Cursor>,
}

impl RegistrationPage {
    /// A page, with the cursor of the next page.
    pub fn new(customers: Vec<Registration>, next: Option<Cursor>) -> Self {
        Self { customers, next }
    }
}

impl From<Page> for RegistrationPage {
    fn from(page: Page) -> Self {
        Self::new(page.customers.into_iter().map(Registration::from).collect(), page.next)
    }
}
