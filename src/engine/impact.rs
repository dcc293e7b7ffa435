//! Explains a decision, and compares the policy with another policy. Nothing is planned.

use super::survey::Surveyed;
use super::tenants::Sought;
use super::{Engine, Error};
use crate::customer::CustomerId;
use crate::document::Problems;
use crate::plan::{Asked, Explanation, Impact, explain};
use crate::policy::{Policy, PolicyDocument};
use crate::store::{Page, PageRequest};

impl Engine {
    /// The policy's decision for a customer now, with the chain of reasons.
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

    /// Checks another policy against the store's data map, with the host's own strategies, as
    /// [`EngineBuilder::build`](super::EngineBuilder::build) does. The policy in force stays in force.
    ///
    /// # Errors
    /// All errors of the policy at once.
    pub fn check_policy(&self, new: &PolicyDocument) -> Result<Policy, Problems> {
        new.check_with(self.data_map(), &self.parts.strategies)
    }

    /// The effect of another policy on all customers of the store. Needs no more memory than one batch. Touches
    /// nothing.
    ///
    /// The gateways are not asked: a customer who would be blocked only by a gateway's answer counts as due. A
    /// customer who was erased with another treatment before counts as due as well. So no number is too small.
    ///
    /// # Errors
    /// [`Error::NoSuchTenant`] if the other policy has an entry for a tenant without customers. A store or ledger out
    /// of reach.
    pub async fn impact(&self, new: &Policy) -> Result<Impact, Error> {
        let now = self.parts.clock.now();
        let mut impact = Impact::default();
        let mut sought = Sought::new(new, []);
        let mut after = None;
        loop {
            let request = PageRequest::new(self.parts.batch).after(after);
            let Page { customers: mut page, next, .. } = self.parts.store.page(&request).await?;
            self.add_holds(&mut page).await?;
            sought.meet(&page);
            let mut before = self.treated_before(&page.iter().collect::<Vec<_>>()).await?;
            for customer in &page {
                let mut before = before.remove(&customer.id).unwrap_or_default();
                // Records are not counted here: see `Impact::add`.
                before.treated.iter_mut().for_each(|done| done.anything_left = false);
                impact.add(&self.parts.policy, new, customer, &before.treated, now);
            }
            if next.is_none() {
                break;
            }
            after = next;
        }
        // A tenant may have only its "Unknown Customer".
        self.look_for(sought).await?;
        Ok(impact)
    }
}
