//! Records that expire: by their own age, when their last duty ends, or because their owner is gone.
//!
//! No case is opened. Nobody is erased here: records go that have expired, and their customers stay as they are. Each
//! batch of customers is one transaction of the store, and what has expired stays so until it is done, so an interrupted
//! run is finished by the next one. The ledger says before the first record is touched that a run begins, and at the end
//! what came of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt};

use super::census::Counted;
use super::steps::MOST_ROUNDS;
use super::survey::CALLS;
use super::tenants::Sought;
use super::{Engine, Error, Expired, ExpiredOf, PlannedExpiry};
use crate::anonymise::Seed;
use crate::customer::{Customer, CustomerId, TenantId};
use crate::data_map::ClassName;
use crate::digest::Digest;
use crate::ledger::{EntryBody, ExpiredRecords, ExpiryBegun, ExpiryEnded, ExpiryEvent, ExpiryRun};
use crate::plan::{ApprovedExpiry, Expiring, ExpiryOf, ExpiryPlan, NothingExpires, Tally, holds_back};
use crate::policy::{ClassTreatment, Effective, Guard, GuardRule, RecordAction, Treatment};
use crate::store::{
    Counts, Cursor, CustomerStore, EraseRequest, Erased, OwnerlessErased, OwnerlessRecords, OwnerlessRequest,
    PageRequest, StoreError, Target,
};

/// How many records more than twice those of the plan may have expired by the time of the run.
const LEEWAY: u64 = 100;
/// After how many parts of records without an owner a store is no longer believed that there are more.
const MOST_PARTS: u32 = 1_000_000;
/// How often records without an owner are counted again: triggers may have written more of them.
const LOOKS: u32 = 3;
/// Stands for the tenant of those whose tenant cannot be read.
const NOBODY_KNOWS: &str = "?";
/// What a customer is held back by whose facts cannot be read.
const UNREADABLE: &str = "unreadable";

fn expiry(event: ExpiryEvent) -> EntryBody {
    EntryBody::Expiry(Arc::new(event))
}

/// Records that have expired, by class, as they were counted.
fn expired_of(treatment: &Treatment, tally: &Tally) -> BTreeMap<ClassName, u64> {
    let mut counted = Expiring::default();
    counted.add(treatment, tally);
    counted.classes.into_iter().map(|(name, class)| (name, class.expired)).collect()
}

/// A customer of whom something has expired.
struct Due {
    facts: Customer,
    /// Records treated so far.
    done: Counts,
}

/// Goes through all customers, those that stand in for nobody known last.
#[derive(Debug)]
pub(super) struct Pages {
    stand_ins: bool,
    after: Option<Cursor>,
    ended: bool,
}

impl Pages {
    pub(super) fn new() -> Self {
        Self { stand_ins: false, after: None, ended: false }
    }

    /// The next page that is not empty.
    pub(super) async fn next(
        &mut self,
        store: &dyn CustomerStore,
        limit: usize,
    ) -> Result<Option<Vec<Customer>>, StoreError> {
        while !self.ended {
            let request = PageRequest::new(limit).after(self.after.take());
            let page = store.page(&if self.stand_ins { request.stand_ins() } else { request }).await?;
            self.after = page.next;
            if self.after.is_none() {
                (self.ended, self.stand_ins) = (self.stand_ins, true);
            }
            if !page.customers.is_empty() {
                return Ok(Some(page.customers));
            }
        }
        Ok(None)
    }
}

/// The treatments of the tenants, as they stand at one instant. Tenants without an entry of their own share one.
struct Dated<'e> {
    engine: &'e Engine,
    at: DateTime<Utc>,
    known: HashMap<Digest, Option<Arc<Treatment>>>,
}

impl<'e> Dated<'e> {
    fn new(engine: &'e Engine, at: DateTime<Utc>) -> Self {
        Self { engine, at, known: HashMap::new() }
    }

    /// Whether the census lets all of the tenants' records expire.
    fn allowed(&mut self, counted: &Counted<'_>, tenants: &BTreeSet<TenantId>) -> Result<(), Error> {
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
    /// Plans what expires of the customers of some tenants, by age or because the last duty has ended. Touches nothing. All
    /// customers are looked at, batch by batch.
    ///
    /// # Errors
    /// [`Error::NoSuchTenant`] for a tenant that no customer has, be it asked for or in the policy. A store or a gateway out
    /// of reach.
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
        let mut expiring: BTreeMap<TenantId, Expiring> =
            planned.iter().map(|tenant| (tenant.clone(), Expiring::default())).collect();
        let (mut dated, mut pages) = (Dated::new(self, now), Pages::new());
        dated.allowed(&self.count_now().await?, &planned)?;
        while let Some(page) = pages.next(&*self.parts.store, self.parts.batch).await? {
            sought.meet(&page);
            let mut expired = BTreeMap::new();
            let looked = self.look(page, &planned, &mut dated, &mut expiring, &mut expired).await?;
            for due in looked.iter().flat_map(|(_, due)| due) {
                if let Some(counted) = expiring.get_mut(&due.facts.tenant) {
                    counted.customers += 1;
                }
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

    /// Plans what expires because its owner is gone. Touches nothing.
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

    /// Erases what has expired, under an approved plan: what has expired by now, whether or not it had when the plan was
    /// made. The ledger has an entry before anything is touched, and one at the end. Dropping the future interrupts the
    /// run; while the approval holds, the same plan does the rest.
    ///
    /// # Errors
    /// Before anything is touched: [`Error::Approval`] if the approval does not hold now, [`Error::OtherRules`] if policy
    /// or data map are others. [`Error::MoreThanPlanned`] once more is found than twice what the plan said and 100 records.
    /// A store or ledger out of reach: what was done stays done, and the ledger's entry of the end says why the run broke off.
    pub async fn expire(&self, approved: &ApprovedExpiry) -> Result<Expired, Error> {
        let now = self.parts.clock.now();
        approved.approval.valid_at(now)?;
        self.holds_still(&approved.plan)?;
        let mut run = Run { engine: self, approved, at: now, id: None, of: BTreeMap::new() };
        let came_of_it = match approved.plan.of() {
            ExpiryOf::Tenants(tenants) => run.tenants(tenants).await,
            ExpiryOf::Ownerless => run.ownerless().await,
        };
        let Run { id, of, .. } = run;
        if let Some(id) = &id {
            let expired = of.iter().map(|(tenant, of)| ExpiredRecords {
                tenant: tenant.clone(),
                records: of.records.clone(),
                left: of.left(),
            });
            let ended = ExpiryEnded {
                run: id.clone(),
                expired: expired.collect(),
                broken_off: came_of_it.as_ref().err().map(ToString::to_string),
                at: self.parts.clock.now(),
                backups: self.residue().await,
            };
            let ended = self.parts.ledger.append(&[expiry(ExpiryEvent::Ended(ended))]).await;
            // Why it broke off comes first; that the ledger could not be written to, second.
            came_of_it?;
            ended?;
            tracing::info!(run = %id, plan = %approved.plan.digest().short(), "records expired");
        } else {
            came_of_it?;
        }
        Ok(Expired { run: id, of })
    }

    /// Whether a plan was made under the rules that are in force.
    fn holds_still(&self, plan: &ExpiryPlan) -> Result<(), Error> {
        let policy = &self.parts.policy;
        let ours: Vec<Digest> = match plan.of() {
            ExpiryOf::Tenants(tenants) => {
                tenants.iter().map(|tenant| policy.effective(tenant).digest()).collect()
            }
            ExpiryOf::Ownerless => vec![policy.digest()],
        };
        let policies = plan.policies().zip(ours).map(|(plan, ours)| ("policy", plan, ours));
        let map = ("data map", plan.data_map(), policy.map_digest());
        match policies.chain([map]).find(|(_, plan, ours)| plan != ours) {
            Some((what, plan, ours)) => Err(Error::OtherRules { what, plan, ours }),
            None => Ok(()),
        }
    }

    fn ownerless(&self, at: DateTime<Utc>) -> Option<(&dyn OwnerlessRecords, OwnerlessRequest)> {
        let policy = &self.parts.policy;
        let (port, rules) = (self.parts.ownerless.as_deref()?, policy.ownerless()?);
        let treatment = policy.ownerless_at(at)?;
        Some((port, OwnerlessRequest::new(rules.rules().clone(), treatment, at)))
    }

    /// Looks at a page of customers: whose records have expired, and of whom nothing may be touched. One of whom that cannot be
    /// told says nothing of the others.
    async fn look(
        &self,
        page: Vec<Customer>,
        tenants: &BTreeSet<TenantId>,
        dated: &mut Dated<'_>,
        expiring: &mut BTreeMap<TenantId, Expiring>,
        expired: &mut BTreeMap<TenantId, ExpiredOf>,
    ) -> Result<Vec<(Arc<Treatment>, Vec<Due>)>, Error> {
        let mut by_treatment = BTreeMap::<Digest, (Arc<Treatment>, Vec<Customer>)>::new();
        for facts in page {
            // Whose customer it is cannot be read: somebody's records may have expired, and nobody has said whose.
            if facts.unreadable.contains("tenant") {
                let held =
                    |held: &mut BTreeMap<String, u64>| *held.entry(UNREADABLE.to_owned()).or_default() += 1;
                held(&mut expiring.entry(NOBODY_KNOWS.into()).or_default().held);
                held(&mut expired.entry(NOBODY_KNOWS.into()).or_default().held);
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
                match tally {
                    Ok(tally) if tally.due() == 0 => {
                        if let Some(counted) = expiring.get_mut(&facts.tenant) {
                            counted.add(&treatment, &tally);
                        }
                        let of = expired.entry(facts.tenant).or_default();
                        of.add(&treatment, &expired_of(&treatment, &tally));
                    }
                    Ok(tally) => found.push((facts, tally)),
                    Err(error) => expired.entry(facts.tenant).or_default().failed(error),
                }
            }
            let asked = found.into_iter().map(|(facts, tally)| async move {
                let tenant = facts.tenant.clone();
                let asks = [Guard::UnpaidInvoice, Guard::OpenDispute];
                (tenant, self.with_gateways_if(facts, &asks).await, tally)
            });
            let asked: Vec<_> = stream::iter(asked.collect::<Vec<_>>()).buffered(CALLS).collect().await;
            let mut due = Vec::new();
            for (tenant, facts, tally) in asked {
                let facts = match facts {
                    Ok(facts) => facts,
                    Err(error) => {
                        expired.entry(tenant).or_default().failed(error);
                        continue;
                    }
                };
                let counted = expiring.entry(facts.tenant.clone()).or_default();
                if let Some(held) = self.held_back(&facts, tenants) {
                    counted.add_unreadable(&treatment, &tally);
                    *counted.held.entry(held.clone()).or_default() += 1;
                    *expired.entry(facts.tenant).or_default().held.entry(held).or_default() += 1;
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

    /// By what nothing of a customer's expires. What is not known forbids.
    ///
    /// Who is connected to a tenant that the plan is not about is that tenant's customer too, and who approved has said
    /// nothing for it. Where only a number is known, there must be no other tenant, unless the policy says with a reason
    /// that it does not look.
    fn held_back(&self, facts: &Customer, tenants: &BTreeSet<TenantId>) -> Option<String> {
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
        guards.find(|(guard, _)| guard.is_up(facts)).map(|(guard, _)| guard.to_string())
    }
}

/// A run that is under way.
struct Run<'e> {
    engine: &'e Engine,
    approved: &'e ApprovedExpiry,
    at: DateTime<Utc>,
    /// Once the ledger has its beginning.
    id: Option<ExpiryRun>,
    /// What came of it so far.
    of: BTreeMap<Option<TenantId>, ExpiredOf>,
}

impl Run<'_> {
    /// The ledger says that the run begins, before the first record is touched.
    async fn begin(&mut self) -> Result<(), Error> {
        if self.id.is_some() {
            return Ok(());
        }
        let ApprovedExpiry { plan, approval } = self.approved;
        let run = self.engine.case_id()?;
        let begun = ExpiryBegun {
            run: run.clone(),
            plan: plan.digest(),
            of: plan.of().clone(),
            data_map: plan.data_map(),
            policies: plan.policies().collect(),
            operator: approval.operator().clone(),
            approved_at: approval.approved_at(),
            at: self.at,
        };
        self.engine.parts.ledger.append(&[expiry(ExpiryEvent::Begun(begun))]).await?;
        self.id = Some(run);
        Ok(())
    }

    fn seed(&self) -> Result<Seed, Error> {
        let mut seed = [0; 32];
        self.engine.parts.entropy.fill(&mut seed)?;
        Ok(Seed::new(seed))
    }

    fn of(&mut self, tenant: TenantId) -> &mut ExpiredOf {
        self.of.entry(Some(tenant)).or_default()
    }

    /// A plan that was approved of a few records is none of all of them: a person looks first what has come to pass. Customers
    /// are looked at batch by batch, so those before are done by then.
    fn within_the_plan(&self, found: u64) -> Result<(), Error> {
        let planned = self.approved.plan.due();
        if found > planned.saturating_mul(2).saturating_add(LEEWAY) {
            return Err(Error::MoreThanPlanned { planned, found });
        }
        Ok(())
    }

    async fn tenants(&mut self, tenants: &BTreeSet<TenantId>) -> Result<(), Error> {
        let (mut dated, mut pages) = (Dated::new(self.engine, self.at), Pages::new());
        dated.allowed(&self.engine.counted(self.at).await?, tenants)?;
        let mut found = 0;
        while let Some(page) = pages.next(&*self.engine.parts.store, self.engine.parts.batch).await? {
            let mut counted = BTreeMap::new();
            let mut settled = BTreeMap::new();
            let looked = self.engine.look(page, tenants, &mut dated, &mut counted, &mut settled).await?;
            for (tenant, of) in settled {
                self.of(tenant).and(of);
            }
            let due = counted.values().flat_map(|counted: &Expiring| counted.classes.values());
            found += due.map(|class| class.due).sum::<u64>();
            self.within_the_plan(found)?;
            for (treatment, due) in looked {
                self.begin().await?;
                self.batch(&treatment, due).await?;
            }
        }
        Ok(())
    }

    /// Erases what has expired of some customers, and reads back.
    async fn batch(&mut self, treatment: &Arc<Treatment>, mut todo: Vec<Due>) -> Result<(), Error> {
        let seed = self.seed()?;
        let mut done = Vec::with_capacity(todo.len());
        let mut rounds = 0;
        while !todo.is_empty() {
            rounds += 1;
            if rounds > MOST_ROUNDS {
                return Err(StoreError::Contended { doing: "erasing what has expired, part by part" }.into());
            }
            let targets = todo.iter().map(|due| Target {
                customer: due.facts.id.clone(),
                tenant: due.facts.tenant.clone(),
                expected: due.facts.expected(),
            });
            let request = EraseRequest::new(targets.collect(), Arc::clone(treatment), seed.clone(), self.at);
            let mut answers = self.engine.parts.store.erase(&request).await?.into_iter();
            let mut more = Vec::new();
            for mut due in todo {
                let of = self.of(due.facts.tenant.clone());
                match answers.next() {
                    Some(Ok(Erased::Done(counts))) => {
                        due.done.add(&counts);
                        done.push(due);
                    }
                    Some(Ok(Erased::More(counts))) => {
                        due.done.add(&counts);
                        more.push(due);
                    }
                    Some(Ok(Erased::Changed | Erased::Missing)) => of.changed += 1,
                    Some(Err(error)) => of.failed(error),
                    None => of.failed("the store gave no answer; it was not tried"),
                }
            }
            todo = more;
        }
        let ids: Vec<CustomerId> = done.iter().map(|due| due.facts.id.clone()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        for (due, tally) in done.into_iter().zip(self.engine.tally(ids, treatment).await?) {
            let of = self.of(due.facts.tenant);
            match tally {
                Ok(tally) if tally.due() == 0 => {
                    of.customers += 1;
                    of.add(treatment, &due.done.classes);
                }
                // How much of it is done nobody can say.
                Ok(_) => of.failed("records that have expired are there still after they were erased"),
                Err(error) => of.failed(error),
            }
        }
        Ok(())
    }

    /// Erases what has no owner any more, part by part, and reads back.
    async fn ownerless(&mut self) -> Result<(), Error> {
        let Some((port, request)) = self.engine.ownerless(self.at) else { return Ok(()) };
        self.engine.counted(self.at).await?.allows(&request.treatment)?;
        let mut tally = port.count_ownerless(&request).await?;
        self.within_the_plan(tally.due())?;
        let mut of = ExpiredOf::default();
        // What triggers wrote meanwhile is found by another look; where one changed nothing, the next will not either.
        for _ in 0..LOOKS {
            let before = tally.due();
            if before == 0 {
                break;
            }
            self.begin().await?;
            of.failed.clear();
            let parts = self.parts(port, &request, &mut of).await;
            // What went is known even if nothing more can be read.
            self.of.insert(None, of.clone());
            tally = port.count_ownerless(&request).await?;
            self.of.insert(None, with_what_stays(&of, &request.treatment, &tally));
            parts?;
            if tally.due() >= before {
                break;
            }
        }
        if tally.due() > 0 && of.failed.is_empty() {
            of.failed("records without an owner are there still after they were erased");
        }
        self.of.insert(None, with_what_stays(&of, &request.treatment, &tally));
        Ok(())
    }

    async fn parts(
        &self,
        port: &dyn OwnerlessRecords,
        request: &OwnerlessRequest,
        of: &mut ExpiredOf,
    ) -> Result<(), Error> {
        let seed = self.seed()?;
        let mut after = None;
        for _ in 0..MOST_PARTS {
            let OwnerlessErased { counts, refused, next } =
                port.erase_ownerless(request, &seed, after.as_ref()).await?;
            // What stays anonymised is counted where it stays.
            for (class, count) in counts.classes {
                let action = request.treatment.class(class.as_str()).map(ClassTreatment::action);
                if action == Some(&RecordAction::Delete) {
                    *of.records.entry(class).or_default() += count;
                }
            }
            for (why, count) in refused {
                *of.failed.entry(why).or_default() += count;
            }
            let Some(next) = next else { return Ok(()) };
            after = Some(next);
        }
        Err(StoreError::Contended { doing: "erasing records without an owner, part by part" }.into())
    }
}

/// What went, which was counted as it went, and what is there still and treated.
fn with_what_stays(went: &ExpiredOf, treatment: &Treatment, tally: &Tally) -> ExpiredOf {
    let mut of = went.clone();
    for (class, stays) in expired_of(treatment, tally) {
        let pending = tally.classes.get(&class).map_or(0, |class| class.due);
        *of.records.entry(class).or_default() += stays.saturating_sub(pending);
    }
    of
}
