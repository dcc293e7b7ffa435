//! Looking at customers without planning anything: why a decision is as it is, and what another policy would hit.

use super::gateways::Accounts;
use super::{Engine, Error};
use crate::customer::CustomerId;
use crate::plan::{Asked, Decision, Explanation, Impact, explain};
use crate::policy::Policy;
use crate::store::Select;

impl Engine {
    /// What the policy says of a customer now, with the chain of reasons.
    ///
    /// # Errors
    /// [`Error::NoSuchCustomer`], or a store, gateway or ledger out of reach.
    pub async fn explain(&self, customer: &CustomerId, asked: &Asked) -> Result<Explanation, Error> {
        let facts = self.facts(std::slice::from_ref(customer)).await?.remove(customer);
        let facts = self.with_gateways(facts.ok_or(Error::NoSuchCustomer)?, &Accounts::of(self)).await?;
        let keys = self.keys().await?;
        let mut before = self.treated_before(&keys, &[&facts]).await?.remove(&facts.id).unwrap_or_default();
        let now = self.parts.clock.now();
        let policy = &self.parts.policy;
        if let Decision::Due(due) = explain(policy, &facts, asked, &[], now).decision
            && let Some(treatment) = policy.effective(&facts.tenant).treatments().get(&due.treatment)
            && !before.treated.is_empty()
        {
            let treatment = policy.dated(&facts.tenant, treatment, now);
            let counted = self.tally(vec![facts.id.clone()], &treatment).await?;
            let left = counted.into_iter().next().transpose()?.is_none_or(|tally| tally.is_anything_left());
            before.treated.iter_mut().for_each(|done| done.anything_left = left);
        }
        Ok(explain(policy, &facts, asked, &before.treated, now))
    }

    /// What another policy would hit, over all customers of the store, in the memory of one batch. Touches nothing.
    ///
    /// The gateways are not asked: a customer whom only a gateway's answer would block counts as due. Who was treated
    /// before under another treatment counts as due as well, so that no number is too small.
    ///
    /// # Errors
    /// A store or ledger out of reach.
    pub async fn impact(&self, new: &Policy) -> Result<Impact, Error> {
        let now = self.parts.clock.now();
        let keys = self.keys().await?;
        let mut impact = Impact::default();
        let mut after = None;
        loop {
            let page = self.parts.store.facts(&Select::After { after, limit: self.parts.batch }).await?;
            let Some(last) = page.last() else { return Ok(impact) };
            after = Some(last.id.clone());
            let mut before = self.treated_before(&keys, &page.iter().collect::<Vec<_>>()).await?;
            for customer in &page {
                let before = before.remove(&customer.id).unwrap_or_default();
                impact.add(&self.parts.policy, new, customer, &before.treated, now);
            }
        }
    }
}
