//! Customers a page at a time.

pub use crate::customer::Cursor;
use crate::customer::Customer;

/// Which page of customers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageRequest {
    /// Where it begins. None: the first page.
    pub after: Option<Cursor>,
    /// How many customers at most.
    pub limit: usize,
    /// Of the tenants' stand-ins ("Unknown Customer"), instead of the others. None where nothing is ever handed over.
    pub stand_ins: bool,
}

impl PageRequest {
    /// The first page of the customers, without the stand-ins.
    pub fn new(limit: usize) -> Self {
        Self { after: None, limit, stand_ins: false }
    }

    /// The page that begins where another one ended.
    #[must_use]
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        self.after = cursor;
        self
    }

    /// The stand-ins alone.
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
    /// Where the next page begins. None: this is the last one.
    pub next: Option<Cursor>,
}

impl Page {
    /// A page, and where the next one begins.
    pub fn new(customers: Vec<Customer>, next: Option<Cursor>) -> Self {
        Self { customers, next }
    }

    /// A page of a store that pages by the id itself: the next one begins after the last customer, if the page is full.
    pub fn by_id(customers: Vec<Customer>, limit: usize) -> Self {
        let is_full = customers.len() >= limit;
        let last = customers.last().filter(|_| is_full);
        let next = last.map(|last| Cursor::new(last.id.as_str()));
        Self { customers, next }
    }
}
