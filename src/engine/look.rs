//! Looking at one thing: a customer, an open case, an entry of the ledger. For the screens of a host.

use super::{Access, Accessed, Engine, Error, OpenCase, single};
use crate::customer::{Customer, CustomerId, Identifiers};
use crate::ledger::Entry;
use crate::plan::CaseId;
use crate::request::{RequestId, Who};

/// The number of open cases that are read at once to find one of them. An engine's ids are hexadecimal. So at most
/// sixteen ids differ only in the last digit.
const NEIGHBOURS: usize = 16;

impl Engine {
    /// The facts of a customer, with the holds that operators placed. They contain no name, address or other personal
    /// data, except for the host's own id and the ids of gateway profiles. The gateways are not asked.
    ///
    /// # Errors
    /// [`Error::NoSuchCustomer`], or a store or ledger out of reach.
    pub async fn customer(&self, customer: &CustomerId) -> Result<Customer, Error> {
        self.facts(std::slice::from_ref(customer)).await?.remove(customer).ok_or(Error::NoSuchCustomer)
    }

    /// The values by which a person recognises a customer: names, addresses. The access is written to the host's
    /// access log before they are read.
    ///
    /// # Errors
    /// [`Error::NoSuchCustomer`]; [`Error::Approval`] for an operator of other tenants; [`Error::NotForRequest`];
    /// [`Error::NoAccessLog`] and [`Error::AccessLog`]. A store or ledger out of reach.
    pub async fn identifiers(&self, customer: &CustomerId, access: &Access) -> Result<Identifiers, Error> {
        let facts = self.customer(customer).await?;
        let what = Accessed::Identity { customer: customer.clone() };
        let tenants = std::iter::once(&facts.tenant).chain(&facts.connected);
        self.access(access, Some(customer), tenants, what).await?;
        Ok(single(self.parts.store.identifiers(std::slice::from_ref(customer)).await?)?)
    }

    /// The person who made a request. `None` if the request has ended. The access is written to the host's access log
    /// first.
    ///
    /// # Errors
    /// [`Error::NoSuchRequest`]; [`Error::Approval`] for an operator of other tenants; [`Error::NoAccessLog`] and
    /// [`Error::AccessLog`]. A ledger out of reach.
    pub async fn requester(&self, request: &RequestId, access: &Access) -> Result<Option<Who>, Error> {
        let none = || Error::NoSuchRequest { request: request.clone() };
        let found = self.request(request).await?.ok_or_else(none)?;
        self.access(access, None, &found.new.tenant, Accessed::Requester { request: request.clone() })
            .await?;
        Ok(found.new.who)
    }

    /// Up to `limit` entries of the ledger in order, after the given number. Numbers start at 1 and have no gaps.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, Error> {
        Ok(self.parts.ledger.entries(after, limit).await?)
    }

    /// The number of the ledger's last entry, or 0.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn last_entry(&self) -> Result<u64, Error> {
        Ok(self.parts.ledger.last().await?)
    }

    /// The ledger's entry of a closed case. `None` if no such case was closed.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, Error> {
        Ok(self.parts.ledger.entry(case).await?)
    }

    /// One open case. `None` if no such case is open.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn open_case(&self, case: &CaseId) -> Result<Option<OpenCase>, Error> {
        // The case book lists in the order of ids, and the id without its last letter is before the id.
        let mut letters = case.as_str().chars();
        letters.next_back();
        let mut after = Some(CaseId::new(letters.as_str())).filter(|prefix| !prefix.as_str().is_empty());
        loop {
            let page = self.parts.ledger.list(after.as_ref(), NEIGHBOURS).await?;
            let Some(last) = page.last() else { return Ok(None) };
            after = Some(last.saved.new.id.clone());
            let is_beyond = last.saved.new.id > *case;
            if let Some(found) = page.into_iter().find(|listed| listed.saved.new.id == *case) {
                return Ok(Some(OpenCase::of(found)?));
            }
            if is_beyond {
                return Ok(None);
            }
        }
    }
}
