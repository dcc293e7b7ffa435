//! Looking at customers before anything is done: facts, gateways, what was done before, and the decision.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};

use super::gateways::Accounts;
use super::{Engine, Error, Planned};
use crate::customer::{Customer, CustomerId};
use crate::digest::Digest;
use crate::gateway::{GatewayError, ProfileState};
use crate::ledger::{Closing, Entry, EpochKey, KeyRingError, NewCase, SubjectToken};
use crate::plan::{Asked, Decision, Plan, Tally, TreatedBefore, decide};
use crate::policy::{Guard, GuardRule, Treatment};
use crate::store::{Batch, Select, StoreError, TallyRequest};

/// How many of the latest entries are looked at to tell whether the keys are the ledger's.
const CHECKED: u64 = 100;
/// How many gateway calls are under way at once.
pub(super) const CALLS: usize = 32;

impl Engine {
    /// Decides and plans, with counts. One answer per customer, in order.
    pub(super) async fn survey(
        &self,
        customers: &[CustomerId],
        asked: &Asked,
    ) -> Result<Vec<Result<Planned, Error>>, Error> {
        let mut found = self.facts(customers).await?;
        let accounts = Accounts::of(self);
        let accounts = &accounts;
        let mut asking: Vec<BoxFuture<'_, Result<Customer, Error>>> = Vec::with_capacity(customers.len());
        for id in customers {
            asking.push(match found.remove(id) {
                Some(facts) => {
                    Box::pin(async move { self.with_gateways(facts, accounts).await.map_err(Error::from) })
                }
                None => Box::pin(std::future::ready(Err(Error::NoSuchCustomer))),
            });
        }
        let asked_gateways: Vec<_> = stream::iter(asking).buffered(CALLS).collect().await;
        let now = self.parts.clock.now();
        let mut surveyed: Vec<Result<Surveyed, Error>> = asked_gateways
            .into_iter()
            .map(|facts| {
                facts.map(|facts| {
                    let decision = decide(&self.parts.policy, &facts, asked, &[], now);
                    Surveyed { facts, decision, tally: Tally::default() }
                })
            })
            .collect();
        self.count(&mut surveyed, now).await?;
        let keys = self.keys().await?;
        let mut before = self
            .treated_before(
                &keys,
                &surveyed.iter().filter_map(|one| Some(&one.as_ref().ok()?.facts)).collect::<Vec<_>>(),
            )
            .await?;
        Ok(surveyed
            .into_iter()
            .map(|one| {
                let mut one = one?;
                let mut done = before.remove(&one.facts.id).unwrap_or_default().treated;
                if let Decision::Due(_) = one.decision {
                    for done in &mut done {
                        done.anything_left = one.tally.is_anything_left();
                    }
                    one.decision = decide(&self.parts.policy, &one.facts, asked, &done, now);
                }
                Ok(self.planned(one, now))
            })
            .collect())
    }

    fn planned(&self, one: Surveyed, now: chrono::DateTime<chrono::Utc>) -> Planned {
        let plan = match &one.decision {
            Decision::Due(due) => {
                Plan::draft(&self.parts.policy, self.data_map(), &one.facts, due, one.tally, now)
            }
            Decision::NotYet(_) | Decision::Blocked(_) | Decision::Nothing(_) => None,
        };
        plan.map_or(Planned::Refused(one.decision), |plan| Planned::Plan(Box::new(plan)))
    }

    /// The facts of customers, by id.
    pub(super) async fn facts(
        &self,
        customers: &[CustomerId],
    ) -> Result<HashMap<CustomerId, Customer>, StoreError> {
        if customers.is_empty() {
            return Ok(HashMap::new());
        }
        let facts = self.parts.store.facts(&Select::Ids(customers.to_vec())).await?;
        Ok(facts.into_iter().map(|facts| (facts.id.clone(), facts)).collect())
    }

    /// Adds the accounts where the profiles are, and what the gateways say of subscriptions, invoices and disputes,
    /// unless the policy looks at none of them.
    pub(super) async fn with_gateways(
        &self,
        mut facts: Customer,
        accounts: &Accounts<'_>,
    ) -> Result<Customer, GatewayError> {
        for profile in &facts.gateway_profiles {
            let Some(gateway) = self.parts.gateways.get(&profile.gateway) else { continue };
            if let Some(account) = accounts.ask(&**gateway).await? {
                facts.gateway_accounts.insert(profile.gateway.clone(), account);
            }
        }
        let policy = self.parts.policy.effective(&facts.tenant);
        let asks = [Guard::ActiveSubscription, Guard::UnpaidInvoice, Guard::OpenDispute];
        if asks.iter().all(|guard| matches!(policy.guard(guard), GuardRule::Ignore { .. })) {
            return Ok(facts);
        }
        for profile in facts.gateway_profiles.clone() {
            let Some(gateway) = self.parts.gateways.get(&profile.gateway) else { continue };
            let state = self.twice(|| gateway.state(&profile.id)).await?;
            add(&mut facts, &state);
        }
        Ok(facts)
    }

    /// Counts the records of those who are due, one request per treatment. One whose records cannot be counted gets
    /// the error, and says nothing of the others.
    async fn count(&self, surveyed: &mut [Result<Surveyed, Error>], now: DateTime<Utc>) -> Result<(), Error> {
        let mut by_treatment =
            BTreeMap::<Digest, (Arc<Treatment>, Vec<(CustomerId, &mut Result<Surveyed, Error>)>)>::new();
        for one in surveyed {
            let due = match one {
                Ok(Surveyed { decision: Decision::Due(due), facts, .. }) => {
                    let policy = self.parts.policy.effective(&facts.tenant);
                    let treatment = policy.treatments().get(&due.treatment);
                    // A duty is dated for each tenant, so its treatment is one of its own.
                    let dated = treatment.map(|treatment| policy.dated(treatment, now));
                    dated
                        .zip(policy.treatment_digest(&due.treatment))
                        .map(|(dated, plain)| {
                            let digest = if dated.has_duties() { dated.digest() } else { plain };
                            (dated, digest)
                        })
                        .map(|found| (found, facts.id.clone()))
                }
                Ok(_) | Err(_) => None,
            };
            if let Some(((treatment, digest), customer)) = due {
                let group = by_treatment.entry(digest).or_insert_with(|| (treatment, Vec::new()));
                group.1.push((customer, one));
            }
        }
        for (treatment, group) in by_treatment.into_values() {
            let customers = group.iter().map(|(customer, _)| customer.clone()).collect();
            for ((_, one), counted) in group.into_iter().zip(self.tally(customers, &treatment).await?) {
                match (counted, &mut *one) {
                    (Ok(tally), Ok(surveyed)) => surveyed.tally = tally,
                    (Err(error), _) => *one = Err(error.into()),
                    (Ok(_), Err(_)) => {}
                }
            }
        }
        Ok(())
    }

    /// A case's treatment as it stood on the day on which the case was opened, under a digest of its own: what duties
    /// kept then is kept to the end, however long the case waits.
    pub(super) fn dated(&self, case: &NewCase) -> (Digest, Arc<Treatment>) {
        let dated = self.parts.policy.dated(case.tenant(), &case.treatment, case.opened_at);
        let digest = if dated.has_duties() { dated.digest() } else { case.binding.treatment_digest() };
        (digest, dated)
    }

    pub(super) async fn tally(
        &self,
        customers: Vec<CustomerId>,
        treatment: &Arc<Treatment>,
    ) -> Result<Batch<Tally>, Error> {
        let asked = customers.len();
        let request = TallyRequest::new(customers, Arc::clone(treatment)).at(self.parts.clock.now());
        let batch = self.parts.store.tally(&request).await?;
        if batch.len() == asked {
            Ok(batch)
        } else {
            Err(StoreError::failed("counting records", "the store did not answer for every customer").into())
        }
    }

    /// The keys, once it is known that the ledger was written with them. With another key, nobody who was erased
    /// before would be recognised.
    pub(super) async fn keys(&self) -> Result<Vec<EpochKey>, Error> {
        let keys = self.parts.keys.keys().await?;
        if self.parts.keys_checked.load(Ordering::Acquire) {
            return Ok(keys);
        }
        let last = self.parts.ledger.last().await?;
        for entry in self.parts.ledger.entries(last.saturating_sub(CHECKED), usize::MAX).await? {
            let Some(case) = entry.closed() else { continue };
            let epoch = case.subject.epoch();
            if keys.iter().any(|key| key.epoch == epoch && key.check() != case.under().key) {
                return Err(KeyRingError::Another { epoch }.into());
            }
        }
        self.parts.keys_checked.store(true, Ordering::Release);
        Ok(keys)
    }

    /// What the ledger says was done to customers before.
    pub(super) async fn treated_before(
        &self,
        keys: &[EpochKey],
        customers: &[&Customer],
    ) -> Result<HashMap<CustomerId, Before>, Error> {
        let tokens: HashMap<SubjectToken, CustomerId> = customers
            .iter()
            .flat_map(|facts| {
                keys.iter()
                    .map(|key| (key.token(&facts.tenant, &facts.id, facts.registered), facts.id.clone()))
            })
            .collect();
        if tokens.is_empty() {
            return Ok(HashMap::new());
        }
        let subjects: Vec<SubjectToken> = tokens.keys().copied().collect();
        let mut before = HashMap::<CustomerId, Before>::new();
        for entry in self.parts.ledger.of_subjects(&subjects).await? {
            let Some(case) = entry.closed() else { continue };
            let Some(customer) = tokens.get(&case.subject) else { continue };
            let before = before.entry(customer.clone()).or_default();
            before.used.push((case.plan, case.under().approved_at));
            before.entries.push(entry.clone());
            if matches!(case.closing, Closing::Erased(_)) {
                before.treated.push(TreatedBefore {
                    case: case.case.clone(),
                    at: case.under().closed_at,
                    treatment: case.under().treatment_digest,
                    anything_left: false,
                });
            }
        }
        Ok(before)
    }
}

/// What a gateway says of one profile, added to the facts.
fn add(facts: &mut Customer, state: &ProfileState) {
    if let ProfileState::Present(profile) = state {
        for (sum, count) in [
            (&mut facts.gateway_subscriptions, profile.active_subscriptions),
            (&mut facts.gateway_unpaid_invoices, profile.unpaid_invoices),
            (&mut facts.gateway_disputes, profile.open_disputes),
        ] {
            *sum = sum.saturating_add(count);
        }
    }
}

/// What the ledger says of a customer.
#[derive(Default)]
pub(super) struct Before {
    /// How they were treated.
    pub(super) treated: Vec<TreatedBefore>,
    /// Approvals that were used: of which plan, and when they were given.
    pub(super) used: Vec<(Digest, DateTime<Utc>)>,
    /// The entries themselves.
    pub(super) entries: Vec<Entry>,
}

/// A customer, what was decided, and what they have.
struct Surveyed {
    facts: Customer,
    decision: Decision,
    tally: Tally,
}
