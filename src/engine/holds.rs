//! Places, lifts and lists the holds of operators. The engine checks the holds right before each irreversible step.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::run::{Run, Work};
use super::tenants::Sought;
use super::{Engine, Error, Outcome};
use crate::case::{Progress, StepProgress};
use crate::customer::{Customer, CustomerId, HoldGround, HoldId, TenantId};
use crate::data_map::ClassName;
use crate::document::suggest;
use crate::hex;
use crate::ledger::{Hold, HoldOn, Signature, Task, WhichHolds};
use crate::plan::{Authority, ExpiryOf, ReasonCode, Step};
use crate::store::HeldCustomers;
use crate::treatment::Treatment;

/// A hold to place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHold {
    on: NewHoldOn,
    classes: BTreeSet<ClassName>,
    ground: HoldGround,
    reference: ReasonCode,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum NewHoldOn {
    Everything,
    Tenant(TenantId),
    Customer(CustomerId),
}

impl NewHold {
    fn on(on: NewHoldOn, ground: HoldGround, reference: ReasonCode) -> Self {
        Self { on, classes: BTreeSet::new(), ground, reference }
    }

    /// A hold on everything: the emergency stop.
    pub fn on_everything(ground: HoldGround, reference: ReasonCode) -> Self {
        Self::on(NewHoldOn::Everything, ground, reference)
    }

    /// A hold on the customers of a tenant.
    pub fn on_tenant(tenant: impl Into<TenantId>, ground: HoldGround, reference: ReasonCode) -> Self {
        Self::on(NewHoldOn::Tenant(tenant.into()), ground, reference)
    }

    /// A hold on one customer.
    pub fn on_customer(customer: impl Into<CustomerId>, ground: HoldGround, reference: ReasonCode) -> Self {
        Self::on(NewHoldOn::Customer(customer.into()), ground, reference)
    }

    /// Keeps only the records of some classes. A hold on invoices does not keep call records. The law allows keeping
    /// data only "to the extent" that it is necessary (Art. 17(3) GDPR).
    ///
    /// The hold then stops every case that would change or delete records of one of these classes. A treatment that
    /// keeps these classes is not stopped. Such a treatment can erase everything else.
    #[must_use]
    pub fn classes<C: Into<ClassName>>(mut self, classes: impl IntoIterator<Item = C>) -> Self {
        self.classes = classes.into_iter().map(Into::into).collect();
        self
    }
}

/// The holds in force, by the text that names what each hold covers.
#[derive(Default)]
struct Standing(BTreeMap<String, Vec<Hold>>);

impl Standing {
    /// The holds on anything that these texts name. The texts are computed only if there are holds.
    fn of(&self, keys: impl FnOnce() -> BTreeSet<String>) -> impl Iterator<Item = &Hold> {
        let keys = if self.0.is_empty() { BTreeSet::new() } else { keys() };
        keys.into_iter().filter_map(|key| self.0.get(&key)).flatten()
    }
}

/// The texts that name a customer, the customer's tenants, and everything.
fn keys_of<'t>(
    tenants: impl IntoIterator<Item = &'t TenantId>,
    customer: Option<&CustomerId>,
) -> BTreeSet<String> {
    let mut keys = BTreeSet::from([HoldOn::everything_key()]);
    for tenant in tenants {
        keys.insert(HoldOn::tenant_key(tenant));
        keys.extend(customer.map(|customer| HoldOn::customer_key(tenant, customer)));
    }
    keys
}

fn keys_of_customer(facts: &Customer) -> BTreeSet<String> {
    keys_of(std::iter::once(&facts.tenant).chain(&facts.connected), Some(&facts.id))
}

fn keys_of_task(task: &Task) -> BTreeSet<String> {
    match task {
        Task::Erasure(erasure) => keys_of(erasure.binding.tenants(), Some(erasure.binding.customer())),
        Task::Profile(profile) => match &profile.row.customer {
            Some((customer, tenant, _)) => keys_of([tenant], Some(customer)),
            None => keys_of([], None),
        },
        // An expiry checks the holds for each customer with expired records, page by page.
        Task::Expiry(_) | Task::Copies(_) => keys_of([], None),
    }
}

/// Whether a hold forbids a task.
fn keeps(hold: &Hold, treatment: Option<&Treatment>) -> bool {
    // A task without a treatment touches no record class. A profile at a gateway is no record class.
    hold.classes.is_empty() || treatment.is_some_and(|treatment| treatment.touches(&hold.classes))
}

/// Whether a case may still change something. It may not if only the verification is left.
fn may_still_touch(progress: &Progress) -> bool {
    let ends = |step: &Step, done: &StepProgress| done.is_done() && *step != Step::Mentions;
    let done = progress.steps().enumerate().filter(|(_, (step, done))| ends(step, done));
    let after = done.map(|(n, _)| n + 1).last().unwrap_or_default();
    let mut open = progress.steps().skip(after);
    let may_touch = |step: &Step, done: &StepProgress| match step {
        Step::Verify => false,
        Step::Recipient(_) => !done.is_told(),
        Step::Mentions => !done.is_done(),
        _ => done.answers.is_empty(),
    };
    open.any(|(step, done)| !progress.is_decided(step) && may_touch(step, done))
}

impl Engine {
    /// Places a hold. From now on, in every process on the ledger:
    ///
    /// * A customer under the hold is *blocked* in every decision, with the ground of the hold. No line of the policy
    ///   can override the hold.
    /// * An open case rests before its next step, with [`Outcome::Held`]. A step that has begun is finished: nothing
    ///   can stop a transaction that is being committed.
    /// * An expiry does not touch the records of customers under the hold.
    ///
    /// When the hold is [lifted](Self::lift_hold), the next [`resume`](Self::resume) takes the case up again, and the
    /// next decision finds the customer due again.
    ///
    /// # Errors
    /// [`Error::NoSuchCustomer`], [`Error::NoSuchTenant`] for a tenant without customers, [`Error::NoSuchClass`].
    /// [`Error::Approval`] for an operator of other tenants, or without a valid id. A hold on everything needs no
    /// authority over a tenant. A store, keys or a ledger out of reach.
    pub async fn place_hold(&self, hold: &NewHold, by: &Authority) -> Result<Hold, Error> {
        by.operator().check().map_err(crate::plan::ApprovalError::from)?;
        for class in &hold.classes {
            if self.data_map().class(class.as_str()).is_none() {
                let known: BTreeSet<&str> =
                    self.data_map().classes().map(|class| class.name().as_str()).collect();
                let way_out = suggest(class.as_str(), known);
                return Err(Error::NoSuchClass { class: class.clone(), way_out });
            }
        }
        let on = match &hold.on {
            NewHoldOn::Everything => HoldOn::Everything,
            NewHoldOn::Tenant(tenant) => {
                by.over(tenant)?;
                self.look_for(Sought::only([tenant])).await?;
                HoldOn::Tenant(tenant.clone())
            }
            NewHoldOn::Customer(customer) => {
                let facts = self.facts(std::slice::from_ref(customer)).await?.remove(customer);
                let facts = facts.ok_or(Error::NoSuchCustomer)?;
                by.over(&facts.tenant)?;
                let of = super::keys::token_of(&facts);
                let subject = self.sign(vec![of.clone()]).await?.token(&of)?;
                HoldOn::Customer { tenant: facts.tenant, customer: facts.id, subject }
            }
        };
        let mut id = [0; 16];
        self.parts.entropy.fill(&mut id)?;
        let placed = Signature { by: by.operator().clone(), at: self.parts.clock.now() };
        let why = (hold.ground, hold.reference.clone());
        let hold = Hold::place(HoldId::new(hex::encode(id)), on, hold.classes.clone(), why, placed);
        self.parts.ledger.place_hold(&hold).await?;
        tracing::warn!(hold = %hold.id, on = %hold.on, ground = %hold.ground, "hold placed");
        Ok(hold)
    }

    /// Lifts a hold. The customer's own id is deleted from the hold. The dates, the ground, the reference and the
    /// customer's token stay. Customers under the hold become due again without another call: see
    /// [`place_hold`](Self::place_hold).
    ///
    /// A second call changes nothing, and returns the hold as it was lifted the first time.
    ///
    /// # Errors
    /// [`Error::NoSuchHold`]; [`Error::Approval`] for an operator of other tenants. To lift a hold on everything, an
    /// operator needs authority over every tenant that the policy names. A ledger out of reach.
    pub async fn lift_hold(&self, hold: &HoldId, by: &Authority) -> Result<Hold, Error> {
        by.operator().check().map_err(crate::plan::ApprovalError::from)?;
        let none = || Error::NoSuchHold { hold: hold.clone() };
        let found = self.parts.ledger.hold(hold).await?.ok_or_else(none)?;
        match found.on.tenant() {
            Some(tenant) => by.over(tenant)?,
            None => self.parts.policy.tenants().try_for_each(|tenant| by.over(tenant))?,
        }
        if !found.stands() {
            return Ok(found);
        }
        let lifted = found.lift(Signature { by: by.operator().clone(), at: self.parts.clock.now() });
        if self.parts.ledger.lift_hold(&lifted).await? {
            tracing::warn!(hold = %hold, "hold lifted");
            return Ok(lifted);
        }
        // Somebody else has lifted it in the meantime.
        self.parts.ledger.hold(hold).await?.ok_or_else(none)
    }

    /// Up to `limit` holds in the order of their ids, after the given id. Either the holds in force, or all.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn holds(
        &self,
        which: WhichHolds,
        after: Option<&HoldId>,
        limit: usize,
    ) -> Result<Vec<Hold>, Error> {
        Ok(self.parts.ledger.list_holds(which, after, limit).await?)
    }

    /// The holds in force on any of these customers or cases, or on their tenants, or on everything.
    async fn standing(
        &self,
        count: usize,
        keys: impl FnOnce() -> BTreeSet<String>,
    ) -> Result<Standing, Error> {
        // Usually there is no hold at all. Reading one row shows this for a whole batch.
        let ledger = &self.parts.ledger;
        if count == 0 || count > 1 && ledger.list_holds(WhichHolds::Standing, None, 1).await?.is_empty() {
            return Ok(Standing::default());
        }
        let mut standing = BTreeMap::<String, Vec<Hold>>::new();
        for hold in ledger.standing_holds(&keys()).await? {
            if let Some(key) = hold.on.key() {
                standing.entry(key).or_default().push(hold);
            }
        }
        Ok(Standing(standing))
    }

    /// The customers under holds. Their records are not changed when another customer is erased.
    pub(super) async fn held_customers(&self) -> Result<Arc<HeldCustomers>, Error> {
        let (mut held, mut after) = (HeldCustomers::new(), None);
        loop {
            let page =
                self.parts.ledger.list_holds(WhichHolds::Standing, after.as_ref(), self.parts.batch).await?;
            let Some(last) = page.last() else { return Ok(Arc::new(held)) };
            after = Some(last.id.clone());
            for hold in page {
                let HoldOn::Customer { customer, .. } = hold.on else { continue };
                match held.entry(customer) {
                    Entry::Vacant(entry) => drop(entry.insert(hold.classes)),
                    // A hold without classes keeps everything.
                    Entry::Occupied(mut entry) if hold.classes.is_empty() || entry.get().is_empty() => {
                        entry.get_mut().clear();
                    }
                    Entry::Occupied(mut entry) => entry.get_mut().extend(hold.classes),
                }
            }
        }
    }

    /// Adds the standing holds to the facts of customers.
    pub(super) async fn add_holds<'c>(
        &self,
        customers: impl IntoIterator<Item = &'c mut Customer>,
    ) -> Result<(), Error> {
        let customers: Vec<&mut Customer> = customers.into_iter().collect();
        let keys = || customers.iter().flat_map(|facts| keys_of_customer(facts)).collect();
        let standing = self.standing(customers.len(), keys).await?;
        for facts in customers {
            facts.held = standing.of(|| keys_of_customer(facts)).map(Hold::held).collect();
        }
        Ok(())
    }

    /// Ends the turn of cases that a hold stops. Called right before each step, and again right before each
    /// irreversible action.
    pub(super) async fn rest_held<'r, 'e: 'r, W: Work>(
        &self,
        runs: impl IntoIterator<Item = &'r mut Run<'e, W>>,
    ) -> Result<(), Error> {
        let runs: Vec<&mut Run<'_, W>> = runs.into_iter().filter(|run| run.is_active()).collect();
        let keys = || runs.iter().flat_map(|run| keys_of_task(&run.new.task)).collect();
        let standing = self.standing(runs.len(), keys).await?;
        for run in runs {
            let touches = may_still_touch(&run.progress);
            let mut holds: Vec<HoldId> = Vec::new();
            for hold in standing.of(|| keys_of_task(&run.new.task)) {
                let is_stop = hold.on == HoldOn::Everything && hold.classes.is_empty();
                let treatment = match &run.new.task {
                    Task::Erasure(erasure) => Some(&*erasure.treatment),
                    Task::Expiry(_) | Task::Profile(_) | Task::Copies(_) => None,
                };
                if is_stop || (touches && keeps(hold, treatment)) {
                    holds.push(hold.id.clone());
                }
            }
            if let Task::Expiry(expiry) = &run.new.task
                && *expiry.terms.of() == ExpiryOf::Ownerless
                && holds.is_empty()
            {
                holds = self.holds_on_ownerless(run.new.opened_at).await?;
            }
            run.rest(holds);
        }
        Ok(())
    }

    /// The holds that keep records without an owner. A hold on a tenant does, because the former tenant of such a record is
    /// unknown. A hold on a customer whose own row is gone does, because the record may have been the customer's.
    async fn holds_on_ownerless(&self, at: chrono::DateTime<chrono::Utc>) -> Result<Vec<HoldId>, Error> {
        let Some((_, request)) = self.ownerless(at) else { return Ok(Vec::new()) };
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page =
                self.parts.ledger.list_holds(WhichHolds::Standing, after.as_ref(), self.parts.batch).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = Some(last.id.clone());
            let keeping: Vec<&Hold> =
                page.iter().filter(|hold| keeps(hold, Some(&request.treatment))).collect();
            let customers: BTreeSet<CustomerId> =
                keeping.iter().filter_map(|hold| customer_of(hold)).collect();
            let customers: Vec<CustomerId> = customers.into_iter().collect();
            let there: BTreeSet<CustomerId> = if customers.is_empty() {
                BTreeSet::new()
            } else {
                let facts = self.parts.store.facts(&customers).await?;
                facts.into_iter().map(|facts| facts.id).collect()
            };
            let is_there = |hold: &Hold| customer_of(hold).is_some_and(|customer| there.contains(&customer));
            found.extend(keeping.into_iter().filter(|hold| !is_there(hold)).map(|hold| hold.id.clone()));
        }
    }
}

/// The customer on whom a hold stands, if it stands on one.
fn customer_of(hold: &Hold) -> Option<CustomerId> {
    match &hold.on {
        HoldOn::Customer { customer, .. } => Some(customer.clone()),
        _ => None,
    }
}

impl<W> Run<'_, W> {
    /// Ends this turn if holds keep the case from going on.
    pub(super) fn rest(&mut self, holds: Vec<HoldId>) {
        if holds.is_empty() {
            return;
        }
        let open = self.progress.steps().find(|(_, done)| !done.is_done());
        let step = open.map_or(Step::Verify, |(step, _)| step.clone());
        tracing::info!(case = %self.id(), %step, "held");
        self.end(Outcome::Held { case: self.id().clone(), step, holds });
    }
}
