//! Plans and carries out expiries. Records expire by their own age, when their last duty ends, or because their owner
//! is gone.
//!
//! An expiry erases no customer. It erases expired records, and their customers stay as they are. An expiry is a case
//! like an erasure, with one step. Each batch of customers is one transaction of the store, and one part of the step.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt};

use super::census::Counted;
use super::run::Run;
use super::survey::CALLS;
use super::tenants::Sought;
use super::work::ExpiryWork;
use super::{Engine, Error, Outcome, PlannedExpiry};
use crate::customer::{Customer, TenantId};
use crate::data_map::ClassName;
use crate::digest::Digest;
use crate::ledger::{EndedEarly, Expiry, NewCase, Task};
use crate::plan::{
    ApprovedExpiry, ExpiredOf, Expiring, ExpiryOf, ExpiryPlace, ExpiryPlan, ExpiryTerms, Mandate,
    NothingExpires, RecordsOf, holds_back,
};
use crate::policy::{Effective, Guard, GuardRule};
use crate::store::{
    Counts, Cursor, CustomerStore, OwnerlessRecords, OwnerlessRequest, PageRequest, Registration, StoreError,
};
use crate::treatment::{Tally, Treatment};

/// The reason under which customers with unreadable facts are held back.
const UNREADABLE: &str = "unreadable";

/// The number of expired records, by class, from a count.
pub(super) fn expired_of(treatment: &Treatment, tally: &Tally) -> BTreeMap<ClassName, u64> {
    let mut counted = Expiring::default();
    counted.add(treatment, tally);
    counted.classes.into_iter().map(|(name, class)| (name, class.expired)).collect()
}

/// A customer with expired records.
pub(super) struct Due {
    pub(super) facts: Customer,
    /// The records treated so far.
    pub(super) done: Counts,
}

/// Reads all customers page by page. The stand-ins ("Unknown Customer") come last.
#[derive(Debug)]
pub(super) struct Pages {
    stand_ins: bool,
    after: Option<Cursor>,
    ended: bool,
}

impl Pages {
    pub(super) fn new() -> Self {
        Self::at(false, None)
    }

    /// Starts at a place.
    pub(super) fn at(stand_ins: bool, after: Option<Cursor>) -> Self {
        Self { stand_ins, after, ended: false }
    }

    /// The place of the next page. `None` after the last page.
    pub(super) fn place(&self) -> Option<ExpiryPlace> {
        let place = || ExpiryPlace::Customers { stand_ins: self.stand_ins, after: self.after.clone() };
        (!self.ended).then(place)
    }

    /// The next page that is not empty.
    pub(super) async fn next(
        &mut self,
        store: &dyn CustomerStore,
        limit: usize,
    ) -> Result<Option<Vec<Customer>>, StoreError> {
        while !self.ended {
            let page = store.page(&self.request(limit)).await?;
            self.turn(page.next);
            if !page.customers.is_empty() {
                return Ok(Some(page.customers));
            }
        }
        Ok(None)
    }

    /// The next page that is not empty, with only those facts from which the ledger's tokens are computed.
    pub(super) async fn registrations(
        &mut self,
        store: &dyn CustomerStore,
        limit: usize,
    ) -> Result<Option<Vec<Registration>>, StoreError> {
        while !self.ended {
            let page = store.registrations(&self.request(limit)).await?;
            self.turn(page.next);
            if !page.customers.is_empty() {
                return Ok(Some(page.customers));
            }
        }
        Ok(None)
    }

    fn request(&mut self, limit: usize) -> PageRequest {
        let request = PageRequest::new(limit).after(self.after.take());
        if self.stand_ins { request.stand_ins() } else { request }
    }

    fn turn(&mut self, next: Option<Cursor>) {
        self.after = next;
        if self.after.is_none() {
            (self.ended, self.stand_ins) = (self.stand_ins, true);
        }
    }
}

/// The treatments of the tenants, dated for one instant. Tenants without their own entry share one treatment.
pub(super) struct Dated<'e> {
    engine: &'e Engine,
    at: DateTime<Utc>,
    known: HashMap<Digest, Option<Arc<Treatment>>>,
}

impl<'e> Dated<'e> {
    pub(super) fn new(engine: &'e Engine, at: DateTime<Utc>) -> Self {
        Self { engine, at, known: HashMap::new() }
    }

    /// Checks that the census allows the expiry for all of these tenants.
    fn allowed(&mut self, counted: &mut Counted<'_>, tenants: &BTreeSet<TenantId>) -> Result<(), Error> {
        for tenant in tenants {
            if let Some((_, treatment)) = self.of(tenant) {
                counted.allows(&treatment)?;
            }
        }
        Ok(())
    }

    fn of(&mut self, tenant: &TenantId) -> Option<(Digest, Arc<Treatment>)> {
        let effective = self.engine.parts.policy.effective(tenant);
        let digest = effective.digest();
        let treatment = self.known.entry(digest).or_insert_with(|| effective.expiry_at(self.at));
        Some((digest, Arc::clone(treatment.as_ref()?)))
    }
}

impl Engine {
    /// Plans an expiry for the customers of some tenants: records that are too old, or that no duty keeps any more.
    /// Touches nothing. Reads all customers, batch by batch.
    ///
    /// # Errors
    /// [`Error::NoSuchTenant`] for a tenant without customers, either asked for or named in the policy. A store or a
    /// gateway out of reach.
    pub async fn plan_expiry(
        &self,
        tenants: impl IntoIterator<Item = TenantId> + Send,
    ) -> Result<PlannedExpiry, Error> {
        let now = self.parts.clock.now();
        let policy = &self.parts.policy;
        let mut left_out = BTreeMap::new();
        let mut planned = BTreeSet::new();
        let asked: BTreeSet<TenantId> = tenants.into_iter().collect();
        let mut sought = Sought::new(policy, &asked);
        for tenant in asked {
            let effective = policy.effective(&tenant);
            if effective.expiry().is_none() {
                left_out.insert(tenant, NothingExpires::NoRule);
            } else if effective.sweeps() {
                planned.insert(tenant);
            } else {
                left_out.insert(tenant, NothingExpires::SweepOff);
            }
        }
        if planned.is_empty() {
            self.look_for(sought).await?;
            let why = left_out.into_values().next().unwrap_or(NothingExpires::NoRule);
            return Ok(PlannedExpiry::Nothing(why));
        }
        let mut expiring: BTreeMap<RecordsOf, Expiring> =
            planned.iter().map(|tenant| (RecordsOf::Tenant(tenant.clone()), Expiring::default())).collect();
        let (mut dated, mut pages) = (Dated::new(self, now), Pages::new());
        dated.allowed(&mut self.count_now().await?, &planned)?;
        while let Some(page) = pages.next(&*self.parts.store, self.parts.batch).await? {
            sought.meet(&page);
            let mut expired = BTreeMap::new();
            let looked = self.look(page, &planned, &mut dated, &mut expiring, &mut expired).await?;
            for due in looked.iter().flat_map(|(_, due)| due) {
                expiring.entry(RecordsOf::Tenant(due.facts.tenant.clone())).or_default().customers += 1;
            }
            for (tenant, of) in expired {
                let counted = expiring.entry(tenant).or_default();
                for (why, count) in of.failed {
                    *counted.uncounted.entry(why).or_default() += count;
                }
            }
        }
        sought.settle()?;
        let map = self.data_map();
        let plan = ExpiryPlan::of_tenants(policy, map, planned, expiring, left_out, now);
        Ok(PlannedExpiry::Plan(Box::new(plan)))
    }

    /// Plans an expiry of records whose owner is gone. Touches nothing.
    ///
    /// # Errors
    /// A store out of reach.
    pub async fn plan_ownerless(&self) -> Result<PlannedExpiry, Error> {
        let now = self.parts.clock.now();
        let policy = &self.parts.policy;
        let Some((port, request)) = self.ownerless(now) else {
            return Ok(PlannedExpiry::Nothing(NothingExpires::NoRule));
        };
        if !policy.all().all(Effective::sweeps) {
            return Ok(PlannedExpiry::Nothing(NothingExpires::SweepOff));
        }
        self.count_now().await?.allows(&request.treatment)?;
        let mut expiring = Expiring::default();
        expiring.add(&request.treatment, &port.count_ownerless(&request).await?);
        let plan = ExpiryPlan::of_ownerless(policy, self.data_map(), expiring, now);
        Ok(PlannedExpiry::Plan(Box::new(plan)))
    }

    /// Erases expired records, under an approved plan. Records that expired after the plan was made are erased, too.
    /// An expiry is a case: it is recorded before the first record is touched, and [resumed](Self::resume) after an
    /// interruption. If an expiry of the same records is open already, it is continued.
    ///
    /// [`Outcome::Expired`] has the results. The expiry ends early in two cases: it finds more than twice the plan's
    /// count plus 100 records, or the approval is not valid any more. What was done stays done. The outcome is
    /// [`Outcome::Waiting`] if the store or a gateway is out of reach.
    ///
    /// # Errors
    /// Before anything is touched: [`Error::Approval`] if the approval is not valid now, [`Error::OtherRules`] if the
    /// policy or the data map has changed, [`Error::Census`] without a valid [census](Self::census). A ledger out of
    /// reach.
    pub async fn expire(&self, approved: &ApprovedExpiry) -> Result<Outcome, Error> {
        let now = self.parts.clock.now();
        approved.mandate.valid_at(now)?;
        if let Some((what, plan, ours)) = self.other_expiry_rules(approved.plan.terms()) {
            return Err(Error::OtherRules { what, plan, ours });
        }
        self.has_four_eyes(approved)?;
        let expiry = Expiry { terms: Arc::clone(approved.plan.terms()), planned: approved.plan.due() };
        self.may_expire_by(&expiry, now).await?;
        if let Mandate::Standing(standing) = &approved.mandate {
            let customers = usize::try_from(approved.plan.customers()).unwrap_or(usize::MAX);
            self.count_under(standing, &self.run_name(), customers).await?;
        }
        let outcome = self.open_expiry(&expiry, approved, now).await?;
        // The open expiry has ended because its own approval has expired. The new approval is valid, so try again.
        match &outcome {
            Outcome::Expired(expired) if matches!(expired.ended_early, Some(EndedEarly::Mandate { .. })) => {
                self.open_expiry(&expiry, approved, now).await
            }
            _ => Ok(outcome),
        }
    }

    /// Checks that the approver is not the planner, if the policy of one of the tenants requires this.
    fn has_four_eyes(&self, approved: &ApprovedExpiry) -> Result<(), Error> {
        let policy = &self.parts.policy;
        let asks = match approved.plan.of() {
            ExpiryOf::Tenants(tenants) => tenants.iter().any(|tenant| policy.effective(tenant).four_eyes()),
            ExpiryOf::Ownerless => policy.all().any(Effective::four_eyes),
        };
        if asks { Ok(approved.mandate.by_two(approved.plan.terms().planner())?) } else { Ok(()) }
    }

    /// Opens an expiry and carries it out, or continues an open expiry of the same records.
    async fn open_expiry(
        &self,
        expiry: &Expiry,
        approved: &ApprovedExpiry,
        now: DateTime<Utc>,
    ) -> Result<Outcome, Error> {
        let mandate = approved.mandate.clone();
        let case = NewCase::of(self.case_id()?, Task::Expiry(expiry.clone()), mandate, now);
        let work = |case: &NewCase| match &case.task {
            Task::Expiry(expiry) => Some(ExpiryWork::new(expiry)),
            _ => None,
        };
        let (runs, opened) = self.open(vec![case], now, work).await?;
        match opened.into_iter().flatten().next() {
            Some(Outcome::Conflict { case }) => self.go_on_with(&case).await,
            Some(other) => Ok(other),
            None => self.drive_one(runs).await,
        }
    }

    /// The rules under which an expiry was planned, if they are not in force any more. Gives their kind, their
    /// digest, and the digest in force.
    pub(super) fn other_expiry_rules(&self, terms: &ExpiryTerms) -> Option<(&'static str, Digest, Digest)> {
        let policy = &self.parts.policy;
        let ours: Vec<Digest> = match terms.of() {
            ExpiryOf::Tenants(tenants) => {
                tenants.iter().map(|tenant| policy.effective(tenant).digest()).collect()
            }
            ExpiryOf::Ownerless => vec![policy.digest()],
        };
        let policies = terms.policies().zip(ours).map(|(plan, ours)| ("policy", plan, ours));
        let map = ("data map", terms.data_map(), policy.map_digest());
        policies.chain([map]).find(|(_, plan, ours)| plan != ours)
    }

    /// Checks that the census allows the expiry of a case.
    pub(super) async fn may_expire(&self, run: &Run<'_, ExpiryWork>) -> Result<(), Error> {
        self.may_expire_by(&run.work.expiry, run.new.opened_at).await
    }

    async fn may_expire_by(&self, expiry: &Expiry, at: DateTime<Utc>) -> Result<(), Error> {
        let mut counted = self.counted(self.parts.clock.now()).await?;
        match expiry.terms.of() {
            ExpiryOf::Tenants(tenants) => Dated::new(self, at).allowed(&mut counted, tenants),
            ExpiryOf::Ownerless => match self.ownerless(at) {
                Some((_, request)) => counted.allows(&request.treatment),
                None => Ok(()),
            },
        }
    }

    pub(super) fn ownerless(&self, at: DateTime<Utc>) -> Option<(&dyn OwnerlessRecords, OwnerlessRequest)> {
        let policy = &self.parts.policy;
        let (port, rules) = (self.parts.ownerless.as_deref()?, policy.ownerless()?);
        let treatment = policy.ownerless_at(at)?;
        Some((port, OwnerlessRequest::new(rules.rules().clone(), treatment, at)))
    }

    /// Checks a page of customers. Finds out who has expired records, and whose records must not be touched. If one
    /// customer cannot be checked, the others are not affected.
    pub(super) async fn look(
        &self,
        mut page: Vec<Customer>,
        tenants: &BTreeSet<TenantId>,
        dated: &mut Dated<'_>,
        expiring: &mut BTreeMap<RecordsOf, Expiring>,
        expired: &mut BTreeMap<RecordsOf, ExpiredOf>,
    ) -> Result<Vec<(Arc<Treatment>, Vec<Due>)>, Error> {
        self.add_holds(&mut page).await?;
        let mut by_treatment = BTreeMap::<Digest, (Arc<Treatment>, Vec<Customer>)>::new();
        for facts in page {
            // The tenant cannot be read. The customer's records may have expired, but nobody knows under which
            // tenant's rules.
            if facts.unreadable.contains("tenant") {
                let held =
                    |held: &mut BTreeMap<String, u64>| *held.entry(UNREADABLE.to_owned()).or_default() += 1;
                held(&mut expiring.entry(RecordsOf::UnreadableTenant).or_default().held);
                held(&mut expired.entry(RecordsOf::UnreadableTenant).or_default().held);
                continue;
            }
            if !tenants.contains(&facts.tenant) {
                continue;
            }
            if let Some((digest, treatment)) = dated.of(&facts.tenant) {
                by_treatment.entry(digest).or_insert_with(|| (treatment, Vec::new())).1.push(facts);
            }
        }
        let mut looked = Vec::new();
        for (treatment, customers) in by_treatment.into_values() {
            let ids = customers.iter().map(|facts| facts.id.clone()).collect();
            let mut found = Vec::new();
            for (facts, tally) in customers.into_iter().zip(self.tally(ids, &treatment).await?) {
                let theirs = || RecordsOf::Tenant(facts.tenant.clone());
                match tally {
                    Ok(tally) if tally.due() == 0 => {
                        expiring.entry(theirs()).or_default().add(&treatment, &tally);
                        let of = expired.entry(theirs()).or_default();
                        of.add(&treatment, &expired_of(&treatment, &tally));
                    }
                    Ok(tally) => found.push((facts, tally)),
                    Err(error) => expired.entry(theirs()).or_default().failed(error),
                }
            }
            let asked = found.into_iter().map(|(facts, tally)| async move {
                let theirs = RecordsOf::Tenant(facts.tenant.clone());
                let asks = [Guard::UnpaidInvoice, Guard::OpenDispute];
                (theirs, self.with_gateways_if(facts, &asks).await, tally)
            });
            let asked: Vec<_> = stream::iter(asked.collect::<Vec<_>>()).buffered(CALLS).collect().await;
            let mut due = Vec::new();
            for (theirs, facts, tally) in asked {
                let facts = match facts {
                    Ok(facts) => facts,
                    Err(error) => {
                        expired.entry(theirs).or_default().failed(error);
                        continue;
                    }
                };
                let counted = expiring.entry(theirs.clone()).or_default();
                if let Some(held) = self.held_back(&facts, tenants, &treatment) {
                    counted.add_unreadable(&treatment, &tally);
                    *counted.held.entry(held.clone()).or_default() += 1;
                    *expired.entry(theirs).or_default().held.entry(held).or_default() += 1;
                } else {
                    counted.add(&treatment, &tally);
                    due.push(Due { facts, done: Counts::default() });
                }
            }
            if !due.is_empty() {
                looked.push((treatment, due));
            }
        }
        Ok(looked)
    }

    /// The reason why a customer's records must not expire, if any. An unknown fact is such a reason, too.
    ///
    /// A customer who is connected to a tenant outside the plan also belongs to that tenant, and the approval does
    /// not cover it. If the store knows only the number of tenants, the number must be one. A policy that ignores
    /// `several_tenants` with a reason allows more.
    fn held_back(
        &self,
        facts: &Customer,
        tenants: &BTreeSet<TenantId>,
        treatment: &Treatment,
    ) -> Option<String> {
        if let Some(held) = facts.held.iter().find(|held| treatment.touches(&held.classes)) {
            return Some(format!("hold {}", held.ground));
        }
        let policy = self.parts.policy.effective(&facts.tenant);
        let today = policy.time_zone().day(self.parts.clock.now());
        if facts.unreadable_on(today).next().is_some() {
            return Some(UNREADABLE.to_owned());
        }
        let looks_away = matches!(policy.guard(&Guard::SeveralTenants), GuardRule::Ignore { .. });
        let unnamed = facts.tenants != 1 && facts.connected.is_empty() && !looks_away;
        if unnamed || facts.connected.iter().any(|tenant| !tenants.contains(tenant)) {
            return Some(Guard::SeveralTenants.to_string());
        }
        let blocks = |rule: &GuardRule| !matches!(rule, GuardRule::Ignore { .. });
        let mut guards = policy.guards().filter(|(guard, rule)| holds_back(guard) && blocks(rule));
        guards.find(|(guard, _)| guard.applies_to(facts)).map(|(guard, _)| guard.to_string())
    }
}
