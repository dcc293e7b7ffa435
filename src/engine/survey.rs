//! Reading customers before anything is done: facts, gateways, earlier cases, and the decision.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};

use super::keys::token_of;
use super::replay::keeps_row;
use super::steps::Accounts;
use super::{Engine, Error, Planned, no_such_treatment};
use crate::customer::{Customer, CustomerId};
use crate::digest::Digest;
use crate::gateway::{GatewayError, ProfileState};
use crate::ledger::{
    ClosedCase, Closing, DeactivationOutcome, Entry, EntryKey, ErasureResult, ErasureRules, Find,
    SubjectToken,
};
use crate::plan::{Asked, Decision, Due, MandateKind, Nothing, Plan, Rest, Terms, TreatedBefore, decide};
use crate::policy::{Guard, GuardRule, Policy};
use crate::store::{Batch, StoreError, TallyRequest};
use crate::treatment::{ClassTreatment, RecordAction, Tally, Treatment, TreatmentName, knowing};

/// The number of gateway calls in progress at once.
pub(super) const CALLS: usize = 32;

impl Engine {
    /// Decides and plans, with counts. One answer per customer, in order.
    pub(super) async fn survey(
        &self,
        customers: &[CustomerId],
        asked: &Asked,
    ) -> Result<Vec<Result<Planned, Error>>, Error> {
        let mut found = self.facts(customers).await?;
        let now = self.parts.clock.now();
        let mut before = self.treated_before(&found.values().collect::<Vec<_>>()).await?;
        let mut surveyed: Vec<Result<Surveyed, Error>> = customers
            .iter()
            .map(|id| {
                let facts = found.remove(id).ok_or(Error::NoSuchCustomer)?;
                let before = before.remove(&facts.id).unwrap_or_default().treated;
                Ok(Surveyed::new(&self.parts.policy, facts, asked, before, now))
            })
            .collect();
        self.settle(&mut surveyed, now).await?;
        // Customers who are planned together mostly share their terms. Shared terms are stored and digested once.
        let mut terms = None;
        let planned = surveyed.into_iter().map(|one| {
            let planned = self.planned(one?, now, terms.as_ref())?;
            if let Planned::Plan(plan) = &planned {
                terms = Some(Arc::clone(plan.binding().terms()));
            }
            Ok(planned)
        });
        Ok(planned.collect())
    }

    /// Counts records, asks the gateways about customers who are due, and decides again. Repeats this until every
    /// decision is based on counts and answers: if nothing is left under one treatment, something may be left under
    /// another.
    pub(super) async fn settle(
        &self,
        surveyed: &mut [Result<Surveyed, Error>],
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        loop {
            while surveyed.iter().flatten().any(Surveyed::is_open) {
                self.count(surveyed, now).await?;
                for one in surveyed.iter_mut().flatten() {
                    one.decide_again(&self.parts.policy, now);
                }
            }
            if !surveyed.iter().flatten().any(Surveyed::is_unasked) {
                break;
            }
            self.ask_gateways(surveyed, now).await;
        }
        for one in surveyed.iter_mut().flatten() {
            if let Some(tally) = one.tally().cloned() {
                one.decision.counted(self.parts.policy.effective(&one.facts.tenant), &tally);
                one.note_added(&self.parts.policy, &tally);
            }
        }
        Ok(())
    }

    /// Asks the gateways about customers who are due, and decides again. A customer whose gateway does not answer
    /// gets the error.
    async fn ask_gateways(&self, surveyed: &mut [Result<Surveyed, Error>], now: DateTime<Utc>) {
        let accounts = &Accounts::of(self);
        let mut asking: Vec<BoxFuture<'_, Result<Customer, GatewayError>>> = Vec::new();
        for one in surveyed.iter().flatten().filter(|one| one.is_unasked()) {
            let facts = one.facts.clone();
            asking.push(Box::pin(self.with_gateways(facts, accounts)));
        }
        let answers: Vec<_> = stream::iter(asking).buffered(CALLS).collect().await;
        let unasked = surveyed.iter_mut().filter(|one| one.as_ref().is_ok_and(Surveyed::is_unasked));
        for (one, answer) in unasked.zip(answers) {
            match (answer, &mut *one) {
                (Ok(facts), Ok(surveyed)) => {
                    (surveyed.facts, surveyed.asked_gateways) = (facts, true);
                    surveyed.decide_again(&self.parts.policy, now);
                }
                (Err(error), _) => *one = Err(error.into()),
                (Ok(_), Err(_)) => {}
            }
        }
    }

    pub(super) fn planned(
        &self,
        one: Surveyed,
        now: DateTime<Utc>,
        terms: Option<&Arc<Terms>>,
    ) -> Result<Planned, Error> {
        Ok(match one.decision {
            Decision::Due(ref due) => {
                let tally = one.tally().cloned().unwrap_or_default();
                let policy = &self.parts.policy;
                let plan = Plan::draft(policy, self.data_map(), &one.facts, due, tally, now, terms);
                // A request may name a treatment that only other tenants have.
                let its_own = || std::iter::once(policy.effective(&one.facts.tenant));
                Planned::Plan(Box::new(plan.ok_or_else(|| no_such_treatment(&due.treatment, its_own()))?))
            }
            Decision::NotYet(not_yet) => Planned::NotYet(not_yet),
            Decision::Blocked(blocked) => Planned::Refused(blocked),
            Decision::Nothing(nothing) => Planned::Nothing(nothing),
        })
    }

    /// The facts of customers, by id, with the holds that operators placed.
    pub(super) async fn facts(
        &self,
        customers: &[CustomerId],
    ) -> Result<HashMap<CustomerId, Customer>, Error> {
        if customers.is_empty() {
            return Ok(HashMap::new());
        }
        let mut facts = self.parts.store.facts(customers).await?;
        self.add_holds(&mut facts).await?;
        Ok(facts.into_iter().map(|facts| (facts.id.clone(), facts)).collect())
    }

    /// Adds the gateway accounts of the profiles. If the policy uses these facts, also adds the gateways'
    /// subscriptions, invoices and disputes.
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
        let asks = [Guard::ActiveSubscription, Guard::UnpaidInvoice, Guard::OpenDispute];
        self.with_gateways_if(facts, &asks).await
    }

    /// Adds what the gateways say, if the policy checks one of these guards.
    pub(super) async fn with_gateways_if(
        &self,
        mut facts: Customer,
        asks: &[Guard],
    ) -> Result<Customer, GatewayError> {
        let policy = self.parts.policy.effective(&facts.tenant);
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

    /// Counts the records of customers who are due, one request per treatment. If a customer's records cannot be
    /// counted, only this customer gets the error.
    async fn count(&self, surveyed: &mut [Result<Surveyed, Error>], now: DateTime<Utc>) -> Result<(), Error> {
        let mut by_treatment =
            BTreeMap::<Digest, (Arc<Treatment>, Vec<(CustomerId, &mut Result<Surveyed, Error>)>)>::new();
        for one in surveyed {
            let due = match one {
                Ok(Surveyed { decision: Decision::Due(due), facts, counted, .. })
                    if !counted.contains_key(&due.treatment) =>
                {
                    let policy = self.parts.policy.effective(&facts.tenant);
                    // The dates of a duty depend on the tenant, so each tenant has its own dated treatment.
                    let found = policy.dated_with_digest(&due.treatment, &due.kept.over, now);
                    found.map(|found| (found, facts.id.clone()))
                }
                Ok(_) | Err(_) => None,
            };
            if let Some(((treatment, digest), customer)) = due {
                let group = by_treatment.entry(digest).or_insert_with(|| (treatment, Vec::new()));
                group.1.push((customer, one));
            }
        }
        let signs = if by_treatment.is_empty() { Arc::default() } else { self.signs().await? };
        for (treatment, group) in by_treatment.into_values() {
            let treatment = knowing(&treatment, &signs);
            let customers = group.iter().map(|(customer, _)| customer.clone()).collect();
            for ((_, one), counted) in group.into_iter().zip(self.tally(customers, &treatment).await?) {
                match (counted, &mut *one) {
                    (Ok(tally), Ok(surveyed)) => surveyed.count(&self.parts.policy, tally, now),
                    (Err(StoreError::Unreadable { what, way_out, .. }), Ok(surveyed)) => {
                        surveyed.cannot_be_read(what, way_out);
                    }
                    (Err(error), _) => *one = Err(error.into()),
                    (Ok(_), Err(_)) => {}
                }
            }
        }
        Ok(())
    }

    pub(super) async fn tally(
        &self,
        customers: Vec<CustomerId>,
        treatment: &Arc<Treatment>,
    ) -> Result<Batch<Tally>, Error> {
        let asked = customers.len();
        let request = TallyRequest::new(customers, Arc::clone(treatment)).at(self.parts.clock.now());
        let request = request.held(self.held_customers().await?);
        let batch = self.parts.store.tally(&request).await?;
        if batch.len() == asked {
            Ok(batch)
        } else {
            Err(StoreError::failed("counting records", "the store did not answer for every customer").into())
        }
    }

    /// What the ledger says about earlier cases of customers.
    pub(super) async fn treated_before(
        &self,
        customers: &[&Customer],
    ) -> Result<HashMap<CustomerId, Before>, Error> {
        let of: Vec<_> = customers.iter().map(|facts| token_of(facts)).collect();
        let tokens = self.all_tokens(&of).await?.into_iter();
        let tokens: HashMap<SubjectToken, CustomerId> =
            tokens.filter_map(|(token, n)| Some((token, customers.get(n)?.id.clone()))).collect();
        if tokens.is_empty() {
            return Ok(HashMap::new());
        }
        let subjects: Vec<EntryKey> = tokens.keys().copied().map(EntryKey::subject).collect();
        let are_reused = self.data_map().reuses_ids();
        let unknown = customers.iter().filter(|facts| are_reused && facts.registered.is_none());
        let unknown: HashSet<&CustomerId> = unknown.map(|facts| &facts.id).collect();
        let root = self.data_map().root();
        let mut before = HashMap::<CustomerId, Before>::new();
        for entry in self.parts.ledger.find(&Find::all(subjects)).await? {
            let Some(case) = entry.closed() else { continue };
            let customer = case.subject().and_then(|subject| tokens.get(&subject));
            let (Some(customer), Some(rules)) = (customer, case.erasure()) else { continue };
            let before = before.entry(customer.clone()).or_default();
            let under = case.under();
            before.used.push((case.plan, under.approved_at, under.mandate.clone()));
            before.entries.push(entry.clone());
            if let Closing::Erased(result) = &case.closing {
                // The row of that customer was deleted, so the customer who has its number now is somebody else.
                if unknown.contains(customer)
                    && !keeps_row(result, root)
                    && self.deletes_own_row(rules.treatment_digest).await?
                {
                    continue;
                }
                before.treated.push(self.treated(case, rules, result));
            }
        }
        Ok(before)
    }
}

impl Engine {
    fn treated(&self, case: &ClosedCase, rules: &ErasureRules, result: &ErasureResult) -> TreatedBefore {
        // Another policy gives other days.
        let is_same_policy = rules.policy == self.parts.policy.effective(&rules.tenant).digest();
        // If no date of a class can be read, its day is unknown. Then the other classes determine when to look again.
        let deferred = result.deferred.values().filter_map(|deferred| deferred.from).min();
        let deferred = deferred.filter(|_| is_same_policy);
        let kept = result.kept.values().flat_map(BTreeMap::values).filter_map(NaiveDate::succ_opt).min();
        let from = match (result.deferred.is_empty(), kept) {
            // It is not known when another person's record stops needing a tombstone.
            (true, _) if !result.tombstones.is_empty() => None,
            (true, kept) => kept,
            (false, Some(kept)) => deferred.map(|from| from.min(kept)),
            (false, None) => deferred,
        };
        TreatedBefore {
            case: case.case.clone(),
            at: case.under().closed_at,
            trigger: rules.trigger,
            name: rules.treatment.clone(),
            treatment: rules.treatment_digest,
            anything_left: true,
            rows: result.verified.clone(),
            // A tombstone may be needed by a kept record of another customer, and then nothing here is deferred.
            rest: (!result.deferred.is_empty() || !result.tombstones.is_empty() || !result.kept.is_empty())
                .then(|| Rest {
                    from,
                    archived: result.deactivation != DeactivationOutcome::Unsupported,
                    anything_left: true,
                    kept: result.kept.clone(),
                }),
        }
    }
}

/// Adds what a gateway says of one profile to the facts.
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

/// What the ledger says about a customer.
#[derive(Default)]
pub(super) struct Before {
    /// Earlier treatments.
    pub(super) treated: Vec<TreatedBefore>,
    /// Used mandates: the plan, when the mandate was given, and its kind.
    pub(super) used: Vec<(Digest, DateTime<Utc>, MandateKind)>,
    /// The entries themselves.
    pub(super) entries: Vec<Entry>,
}

/// A customer with the decision and the counts.
pub(super) struct Surveyed {
    pub(super) facts: Customer,
    pub(super) decision: Decision,
    /// Earlier treatments. Before a count, they are assumed to have left something.
    pub(super) before: Vec<TreatedBefore>,
    /// Who asked.
    asked: Asked,
    /// Whether the decision must be based on a count.
    counts: bool,
    /// Whether the gateways were asked.
    asked_gateways: bool,
    /// The counts, by treatment.
    counted: BTreeMap<TreatmentName, Tally>,
    /// The treatment that the present decision chose, even if nothing is left under it.
    chosen: Option<TreatmentName>,
    /// Unreadable records, by treatment, each with the way out.
    unread: BTreeMap<TreatmentName, (String, String)>,
}

impl Surveyed {
    pub(super) fn new(
        policy: &Policy,
        facts: Customer,
        asked: &Asked,
        before: Vec<TreatedBefore>,
        now: DateTime<Utc>,
    ) -> Self {
        let decision = decide(policy, &facts, asked, &before, now);
        Self {
            facts,
            decision,
            before,
            asked: asked.clone(),
            counts: true,
            asked_gateways: false,
            counted: BTreeMap::new(),
            chosen: None,
            unread: BTreeMap::new(),
        }
    }

    /// Notes the records with searched texts that came after the customer was treated.
    fn note_added(&mut self, policy: &Policy, tally: &Tally) {
        let Decision::Nothing(Nothing::TreatedBefore { case, added, .. }) = &mut self.decision else {
            return;
        };
        let Some(done) = self.before.iter().find(|done| done.case == *case) else { return };
        let treatments = policy.effective(&self.facts.tenant).treatments();
        let Some(treatment) = self.chosen.as_ref().and_then(|name| treatments.get(name)) else { return };
        for (class, counted) in &tally.classes {
            let before = done.rows.get(class).copied().unwrap_or_default();
            let is_searched = treatment.class(class.as_str()).is_some_and(ClassTreatment::searches_texts);
            if is_searched && counted.rows > before {
                added.insert(class.clone(), counted.rows - before);
            }
        }
    }

    /// Marks that the decision needs no count, because the approved plan does not depend on a count.
    pub(super) fn uncounted(self) -> Self {
        Self { counts: false, ..self }
    }

    /// Whether the decision depends on records that were not counted.
    fn is_open(&self) -> bool {
        let counted = |due: &Due| self.counted.contains_key(&due.treatment);
        self.counts && matches!(&self.decision, Decision::Due(due) if !counted(due))
    }

    /// Whether the decision depends on gateways that were not asked.
    fn is_unasked(&self) -> bool {
        !self.asked_gateways
            && matches!(self.decision, Decision::Due(_))
            && !self.facts.gateway_profiles.is_empty()
    }

    /// Adds the count under the decision's treatment.
    fn count(&mut self, policy: &Policy, tally: Tally, now: DateTime<Utc>) {
        let Decision::Due(due) = &self.decision else { return };
        let left = tally.is_anything_left();
        let policy = policy.effective(&self.facts.tenant);
        let found = policy.releasing(&due.treatment, &due.kept.over, policy.time_zone().day(now));
        let digest = found.as_ref().map(|(_, digest)| *digest);
        // A cleared record contains data again: the customer has returned.
        let is_filled = policy.treatments().get(&due.treatment).is_some_and(|treatment| {
            let root = treatment.root();
            let empties = treatment
                .class(root.as_str())
                .is_some_and(|class| *class.action() == RecordAction::Anonymise);
            empties && tally.classes.get(root).is_some_and(|own| own.due > 0)
        });
        for done in &mut self.before {
            // A count of deferred records does not apply to a newly chosen treatment.
            if !due.is_deferred() {
                done.anything_left = left;
            }
            if let Some(rest) = done.rest.as_mut().filter(|_| done.name == due.treatment) {
                rest.anything_left = left && !(is_filled && digest == Some(done.treatment));
            }
        }
        if !due.is_deferred() {
            self.chosen.get_or_insert_with(|| due.treatment.clone());
        }
        self.counted.insert(due.treatment.clone(), tally);
    }

    /// The count under the treatment of the decision.
    pub(super) fn tally(&self) -> Option<&Tally> {
        let treatment = match &self.decision {
            Decision::Due(due) => Some(&due.treatment),
            Decision::NotYet(_) | Decision::Blocked(_) | Decision::Nothing(_) => self.chosen.as_ref(),
        };
        self.counted.get(treatment?)
    }

    fn decide_again(&mut self, policy: &Policy, now: DateTime<Utc>) {
        self.decision = decide(policy, &self.facts, &self.asked, &self.before, now);
        self.block_unread();
    }

    /// Notes that a record cannot be read under the decision's treatment. This blocks the customer.
    fn cannot_be_read(&mut self, what: String, way_out: String) {
        if let Decision::Due(due) = &self.decision {
            self.unread.insert(due.treatment.clone(), (what, way_out));
        }
    }

    fn block_unread(&mut self) {
        if let Decision::Due(due) = &self.decision
            && let Some((what, way_out)) = self.unread.get(&due.treatment)
        {
            self.decision = Decision::Blocked(due.blocked_by_a_record(what, way_out));
        }
    }

    /// Whether an unreadable record blocks the customer.
    pub(super) fn is_unread(&self) -> bool {
        !self.unread.is_empty() && matches!(self.decision, Decision::Blocked(_))
    }
}
