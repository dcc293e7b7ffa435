//! Looking at customers without planning anything: why a decision is as it is, and what another policy would hit.

use super::survey::Surveyed;
use super::tenants::Sought;
use super::{Engine, Error};
use crate::customer::CustomerId;
use crate::plan::{Asked, Explanation, Impact, explain};
use crate::policy::Policy;
use crate::store::{Page, PageRequest};

impl Engine {
    /// What the policy says of a customer now, with the chain of reasons.
    ///
    /// # Errors
    /// [`Error::NoSuchCustomer`], or a store, gateway or ledger out of reach.
    pub async fn explain(&self, customer: &CustomerId, asked: &Asked) -> Result<Explanation, Error> {
        let facts = self.facts(std::slice::from_ref(customer)).await?.remove(customer);
        let facts = facts.ok_or(Error::NoSuchCustomer)?;
        let before = self.treated_before(&[&facts]).await?.remove(&facts.id).unwrap_or_default();
        let now = self.parts.clock.now();
        let policy = &self.parts.policy;
        let mut surveyed = [Ok(Surveyed::new(policy, facts, asked, before.treated, now))];
        self.settle(&mut surveyed, now).await?;
        let [one] = surveyed;
        let one = one?;
        let mut found = explain(policy, &one.facts, asked, &one.before, now);
        if let Some(tally) = one.tally() {
            found.counted(policy.effective(&one.facts.tenant), tally);
        }
        if one.is_unread() {
            found.decision.clone_from(&one.decision);
        }
        Ok(found)
    }

    /// What another policy would hit, over all customers of the store, in the memory of one batch. Touches nothing.
    ///
    /// The gateways are not asked: a customer whom only a gateway's answer would block counts as due. Who was treated
    /// before under another treatment counts as due as well, so that no number is too small.
    ///
    /// # Errors
    /// [`Error::NoSuchTenant`] for an entry of the other policy under a tenant that no customer has. A store or ledger out of
    /// reach.
    pub async fn impact(&self, new: &Policy) -> Result<Impact, Error> {
        let now = self.parts.clock.now();
        let mut impact = Impact::default();
        let mut sought = Sought::new(new, []);
        let mut after = None;
        loop {
            let request = PageRequest::new(self.parts.batch).after(after);
            let Page { customers: page, next, .. } = self.parts.store.page(&request).await?;
            sought.meet(&page);
            let mut before = self.treated_before(&page.iter().collect::<Vec<_>>()).await?;
            for customer in &page {
                let mut before = before.remove(&customer.id).unwrap_or_default();
                // Nobody counts here: see `Impact::add`.
                before.treated.iter_mut().for_each(|done| done.anything_left = false);
                impact.add(&self.parts.policy, new, customer, &before.treated, now);
            }
            if next.is_none() {
                break;
            }
            after = next;
        }
        // A tenant may have nobody but its "Unknown Customer".
        self.look_for(sought).await?;
        Ok(impact)
    }
}
