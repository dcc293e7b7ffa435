//! Carrying out plans: survey, execute, resume.
//!
//! An [`Engine`] holds a host's adapters and policy. [`Engine::plan`] reads a customer's facts and says what would be
//! done. [`Engine::execute`] carries out the plan after its approval.
//!
//! # How a case runs
//! 1. **Open.** The mandate and the plan are recorded before anything is touched.
//! 2. **Decide again,** on fresh facts. If the customer is due, the gateways are asked, too. If anything that the
//!    decision depends on has changed, the case is superseded.
//! 3. **Deactivate** by compare-and-set. The former status is recorded first.
//! 4. **Gateways and recipients.** Guards are checked again right before each. A refusal blocks the case.
//! 5. **Mentions** in the texts of others: the case waits for [a pass](Engine::redact_mentions) for everybody.
//! 6. **Records.** This is the last irreversible step. Guards are checked again inside the transaction. If there are
//!    [several stores](crate::store::WithStores), the root store is last, and each store is recorded before the next begins.
//! 7. **Verify.** The records are read back and checked.
//! 8. **Recipients** that accepted a notice are asked until they confirm.
//! 9. **Close.** The ledger gets one entry, the working memory is wiped, and the certificate is made.
//!
//! Each step is recorded before it begins, and *done* is written last. Wherever a process dies, [`Engine::resume`]
//! continues. At rest every customer is untouched, erased as planned, or blocked with the step and the reason.
//!
//! An [expiry](Engine::expire), a [profile of a review](Engine::erase_profiles) and a removal of
//! [backup copies](Engine::remove_copies) are cases as well. Each has one step, and the same loop carries it out.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::anonymise::Strategies;
use crate::backup::BackupRetention;
use crate::customer::{CustomerId, FormerStatus, GatewayName};
use crate::data_map::{DataMap, RecipientName};
use crate::document::{Problem, Problems, suggest};
use crate::gateway::PaymentGatewayEraser;
use crate::hex;
use crate::ledger::{
    Certificate, Closing, Entry, EntryBody, Epoch, KeyRing, Lease, Ledger, Scrubbed, SubjectToken,
    SuppressionList, TokenOf, WorkerId,
};
use crate::plan::{ApprovedPlan, Asked, CaseId, Decision, Holidays, Mandate};
use crate::policy::{Effective, Policy, PolicyDocument};
use crate::recipient::Recipient;
use crate::store::{
    CustomerStore, Deactivated, Deactivation, Inbox, KeepsMark, OwnerlessRecords, Reactivated, Reactivation,
    ReadRecords, RedactMentions, Scrub, StoreError,
};
use crate::treatment::{GatewayAction, RecipientAction, Signs, TreatmentName};

mod access;
mod begin;
mod census;
mod clock;
mod closing;
mod copies;
mod drive;
mod error;
mod expired;
mod expiry;
pub mod export;
mod health;
mod holds;
mod horizon;
mod impact;
mod inbox;
mod keys;
mod look;
mod outcomes;
mod private_file;
mod reconcile;
mod replay;
mod requests;
mod resume;
mod reviewed;
mod run;
mod search;
mod signs;
mod steps;
mod stores;
mod suppression;
mod survey;
mod sweep;
mod tenants;
mod traces;
mod unreadable;
mod work;
mod worker;

pub use access::{Access, AccessEvent, AccessLog, AccessLogError, Accessed, MemoryAccessLog, Purpose};
pub use begin::Begun;
pub use census::{census_problems, census_request};
pub use clock::{Clock, Entropy, NoEntropy, SystemClock, SystemEntropy};
pub use copies::{CopiesRemoved, ListedCopies};
pub use error::{Error, Outcome, Planned};
pub use expired::{Expired, PlannedExpiry};
pub use health::Health;
pub use holds::NewHold;
pub use horizon::{CaseHorizon, PlaceHorizon};
pub use inbox::Moved;
pub use outcomes::Outcomes;
pub use private_file::PrivateFile;
pub use reconcile::Reconciliation;
pub use replay::{CaughtUp, NotReplayed, PlannedReplay, RestoredFrom, ToldApart, WhyNotReplayed};
pub use requests::RequestList;
pub use resume::{Advance, OpenCase, Resumed, ResumedCase};
pub use reviewed::ReviewOutcome;
pub use search::{Found, FoundPage, Search, SearchPlan};
pub use steps::MentionsPass;
pub use sweep::{
    Exceeded, Hit, LeftCustomer, ReviewPage, RunProgress, StopHandle, SurveyProgress, Sweep, SweepCounts,
    SweepEnd, SweepEvent, SweepPlace, SweepUnder, TenantCounts, TooFar, WhyLeft,
};
pub use tenants::check_tenants;
pub use traces::{Certainty, Trace, TraceReason, TracesOf, Tracing};
pub use unreadable::{UnreadableCustomer, UnreadableCustomers};
pub use worker::{Retries, Turned, Worker};

/// The default number of customers in a batch.
const BATCH: usize = 500;

/// The default duration of a worker's claim.
const LEASE: Duration = Duration::from_secs(300);

/// Holds a host's adapters and policy, and carries out plans. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    parts: Arc<Parts>,
}

struct Parts {
    store: Arc<dyn CustomerStore>,
    policy: Policy,
    gateways: BTreeMap<GatewayName, Arc<dyn PaymentGatewayEraser>>,
    recipients: BTreeMap<RecipientName, Arc<dyn Recipient>>,
    mentions: Option<Arc<dyn RedactMentions>>,
    backups: Vec<(String, Arc<dyn BackupRetention>)>,
    ledger: Arc<dyn Ledger>,
    keys: Arc<dyn KeyRing>,
    scrub: Option<Arc<dyn Scrub>>,
    ownerless: Option<Arc<dyn OwnerlessRecords>>,
    inbox: Option<Arc<dyn Inbox>>,
    reads: Option<Arc<dyn ReadRecords>>,
    access_log: Option<Arc<dyn AccessLog>>,
    holidays: Holidays,
    suppression: Option<suppression::Suppressor>,
    mark: Option<Arc<dyn KeepsMark>>,
    /// Whether this engine updates the mark, and the number of the entry up to which it has done so.
    marking: Mutex<replay::Marking>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    strategies: Strategies,
    batch: usize,
    census_days: u32,
    /// This worker, and the duration of its claims.
    lease: Lease,
    /// The epochs of the key ring, after the check that the ledger was written with these keys.
    epochs: Mutex<Vec<Epoch>>,
    /// The signs of all treatments under which cases were ever opened. `None` until they are read from the ledger.
    signs: Mutex<Option<Arc<Signs>>>,
    /// Cases on which this engine is working, so that a resume does not take them up again.
    running: Mutex<BTreeSet<CaseId>>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("policy", &self.parts.policy.name())
            .field("gateways", &self.parts.gateways.keys())
            .finish_non_exhaustive()
    }
}

/// Builds an [`Engine`]. Store, policy, ledger and keys are required; the rest is optional.
#[derive(Debug)]
pub struct EngineBuilder {
    store: Arc<dyn CustomerStore>,
    policy: PolicyDocument,
    ledger: Arc<dyn Ledger>,
    keys: Arc<dyn KeyRing>,
    gateways: Vec<Arc<dyn PaymentGatewayEraser>>,
    recipients: Vec<Arc<dyn Recipient>>,
    mentions: Option<Arc<dyn RedactMentions>>,
    backups: Vec<(String, Arc<dyn BackupRetention>)>,
    scrub: Option<Arc<dyn Scrub>>,
    ownerless: Option<Arc<dyn OwnerlessRecords>>,
    inbox: Option<Arc<dyn Inbox>>,
    reads: Option<Arc<dyn ReadRecords>>,
    access_log: Option<Arc<dyn AccessLog>>,
    holidays: Holidays,
    suppression: Option<(Arc<dyn SuppressionList>, Arc<dyn KeyRing>)>,
    mark: Option<Arc<dyn KeepsMark>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    strategies: Strategies,
    batch: usize,
    census_days: u32,
    worker: Option<WorkerId>,
    lease: Duration,
}

impl EngineBuilder {
    /// Adds a payment gateway at which customers may have profiles.
    #[must_use]
    pub fn gateway(mut self, gateway: impl PaymentGatewayEraser) -> Self {
        self.gateways.push(Arc::new(gateway));
        self
    }

    /// Adds a recipient of customers' data, which is told of erasures.
    #[must_use]
    pub fn recipient(mut self, recipient: impl Recipient) -> Self {
        self.recipients.push(Arc::new(recipient));
        self
    }

    /// Adds a place with backup copies of the store, under a name for the certificate.
    #[must_use]
    pub fn backups(mut self, name: impl Into<String>, backups: impl BackupRetention) -> Self {
        self.backups.push((name.into(), Arc::new(backups)));
        self
    }

    /// Sets the adapter that removes old bytes from the store's files.
    #[must_use]
    pub fn scrub(mut self, scrub: impl Scrub) -> Self {
        self.scrub = Some(Arc::new(scrub));
        self
    }

    /// Sets the adapter that finds records without an owner, for policies in which such records expire.
    #[must_use]
    pub fn ownerless(mut self, records: impl OwnerlessRecords) -> Self {
        self.ownerless = Some(Arc::new(records));
        self
    }

    /// Sets the adapter that removes a person's name from the texts of others. Needed if the policy redacts mentions.
    /// [`Engine::redact_mentions`] starts a pass over the texts.
    #[must_use]
    pub fn mentions(mut self, texts: impl RedactMentions) -> Self {
        self.mentions = Some(Arc::new(texts));
        self
    }

    /// Sets the store that keeps the ledger's [mark](crate::store::Mark) in the host's database. A database that was
    /// restored from a backup has an old mark. From this mark the engine knows [which erasures to
    /// repeat](Engine::plan_replay). Do not set it if several databases of customers share one ledger.
    #[must_use]
    pub fn mark(mut self, store: impl KeepsMark) -> Self {
        self.mark = Some(Arc::new(store));
        self
    }

    /// Sets the [inbox](Inbox): a table in the host's database. The host inserts requests there in its own
    /// transactions.
    #[must_use]
    pub fn inbox(mut self, store: impl Inbox) -> Self {
        self.inbox = Some(Arc::new(store));
        self
    }

    /// Sets the public holidays where the controller is. They move the last day for the answer to a request.
    #[must_use]
    pub fn holidays(mut self, holidays: Holidays) -> Self {
        self.holidays = holidays;
        self
    }

    /// Sets the suppression list, and the key ring for its tokens, for policies that
    /// [suppress](crate::policy#suppression) identifiers. The ledger can be the list. The two key rings must not
    /// share a key, so that the keys of the list can be destroyed separately.
    #[must_use]
    pub fn suppression(mut self, list: impl SuppressionList, keys: impl KeyRing) -> Self {
        self.suppression = Some((Arc::new(list), Arc::new(keys)));
        self
    }

    /// Replaces the system clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Replaces the system's source of randomness. For tests only: anybody who can predict the bytes can find out
    /// which token belongs to which record.
    #[must_use]
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// Sets the host's own strategies, which the policy names.
    #[must_use]
    pub fn strategies(mut self, strategies: Strategies) -> Self {
        self.strategies = strategies;
        self
    }

    /// Sets the number of customers in a batch: at least 1. The default is 500.
    #[must_use]
    pub fn batch(mut self, customers: usize) -> Self {
        self.batch = customers.max(1);
        self
    }

    /// Sets the name of this worker. No other process on the same ledger may have this name. A process that restarts
    /// under its name continues its cases at once. Without a name, every start gets a new random name. Cases of a
    /// process that died then wait until their [lease](Self::lease) has expired.
    #[must_use]
    pub fn worker(mut self, name: impl Into<WorkerId>) -> Self {
        self.worker = Some(name.into());
        self
    }

    /// Sets how long a worker's claim on a case lasts after each write. The default is five minutes. The lease must
    /// be longer than any call to a gateway.
    #[must_use]
    pub fn lease(mut self, lasts: Duration) -> Self {
        self.lease = lasts;
        self
    }

    /// Checks the policy against the store's data map, and builds the engine.
    ///
    /// # Errors
    /// All errors of the policy at once: see [`PolicyDocument::check`]. Also an error if the policy erases at a
    /// gateway, or notifies a recipient, without exactly one adapter in this builder.
    pub fn build(self) -> Result<Engine, Problems> {
        let policy = self.policy.check_with(self.store.data_map(), &self.strategies)?;
        let mut problems = Vec::new();
        let mut gateways = BTreeMap::new();
        for gateway in self.gateways {
            let name = gateway.gateway().clone();
            if gateways.insert(name.clone(), gateway).is_some() {
                problems.push(Problem::new(
                    format!("gateway {name}"),
                    "has two adapters",
                    "leave one of them",
                ));
            }
        }
        let erased: BTreeSet<&GatewayName> = policy
            .all()
            .flat_map(|policy| policy.treatments().values())
            .flat_map(|treatment| treatment.gateways())
            .filter(|(_, action)| matches!(action, GatewayAction::Erase))
            .map(|(name, _)| name)
            .collect();
        for name in erased.into_iter().filter(|name| !gateways.contains_key(*name)) {
            problems.push(Problem::new(
                format!("gateway {name}"),
                "is to be erased at, and has no adapter",
                "give the builder one, or write { keep = \"reason\" } in the policy",
            ));
        }
        for (name, gateway) in gateways.iter().filter(|(_, gateway)| gateway.longest_call() >= self.lease) {
            problems.push(Problem::new(
                format!("gateway {name}"),
                format!(
                    "may take {} s for one call, and a worker has a case for {} s",
                    gateway.longest_call().as_secs(),
                    self.lease.as_secs()
                ),
                "give EngineBuilder::lease more time, or the adapter less",
            ));
        }
        problems.extend(copies::named_twice(&self.backups));
        let recipients = checked_recipients(self.recipients, &policy, self.lease, &mut problems);
        let worker = self.worker.unwrap_or_else(|| {
            let mut name = [0; 8];
            if self.entropy.fill(&mut name).is_err() {
                problems.push(Problem::new(
                    "the worker's name",
                    "cannot be drawn: there is no randomness",
                    "give EngineBuilder::worker a name",
                ));
            }
            WorkerId::new(hex::encode(name))
        });
        if let (Some(rules), None) = (policy.ownerless(), &self.ownerless) {
            for class in rules.rules().keys() {
                problems.push(Problem::new(
                    format!("expire.{class}.ownerless"),
                    "needs a store that can tell which records have no owner",
                    "give EngineBuilder::ownerless one, such as the SQLite store itself",
                ));
            }
        }
        problems.extend(stores::store_problems(&policy, self.store.data_map()));
        if self.mentions.is_none() {
            problems.extend(texts_without_store(&policy));
        }
        if self.suppression.is_none() {
            problems.extend(policy.suppresses().then(suppression::no_list));
        }
        Problems::none_or(problems)?;
        Ok(Engine {
            parts: Arc::new(Parts {
                store: self.store,
                policy,
                gateways,
                recipients,
                mentions: self.mentions,
                backups: self.backups,
                ledger: self.ledger,
                keys: self.keys,
                scrub: self.scrub,
                ownerless: self.ownerless,
                inbox: self.inbox,
                reads: self.reads,
                access_log: self.access_log,
                holidays: self.holidays,
                suppression: self.suppression.map(suppression::Suppressor::new),
                mark: self.mark,
                marking: Mutex::default(),
                clock: self.clock,
                entropy: self.entropy,
                strategies: self.strategies,
                batch: self.batch,
                census_days: self.census_days,
                lease: Lease::new(worker, self.lease),
                epochs: Mutex::default(),
                signs: Mutex::default(),
                running: Mutex::default(),
            }),
        })
    }
}

/// The problems of a policy that redacts mentions in the texts of others, if no store can do that.
fn texts_without_store(policy: &Policy) -> Vec<Problem> {
    let treatments = policy.all().flat_map(|policy| policy.treatments().values());
    let texts: BTreeSet<_> = treatments.flat_map(|treatment| treatment.redacted_mentions()).collect();
    let problem = |(class, _)| {
        Problem::new(
            format!("mention.{class}"),
            "needs a store that can take people out of the texts of others",
            "give EngineBuilder::mentions one, such as the SQLite store itself; or write { keep = \"reason\" }",
        )
    };
    texts.into_iter().map(problem).collect()
}

/// The recipients by name. Every recipient that the policy notifies needs one adapter. The longest call of an adapter
/// must be shorter than a claim.
fn checked_recipients(
    adapters: Vec<Arc<dyn Recipient>>,
    policy: &Policy,
    lease: Duration,
    problems: &mut Vec<Problem>,
) -> BTreeMap<RecipientName, Arc<dyn Recipient>> {
    let mut recipients = BTreeMap::new();
    for adapter in adapters {
        let name = adapter.recipient().clone();
        let longest = adapter.longest_call();
        if longest >= lease {
            problems.push(Problem::new(
                format!("recipient {name}"),
                format!(
                    "may take {} s for one call, and a worker has a case for {} s",
                    longest.as_secs(),
                    lease.as_secs()
                ),
                "give EngineBuilder::lease more time, or the adapter less",
            ));
        }
        if recipients.insert(name.clone(), adapter).is_some() {
            let path = format!("recipient {name}");
            problems.push(Problem::new(path, "has two adapters", "leave one of them"));
        }
    }
    let treatments = policy.all().flat_map(|policy| policy.treatments().values());
    let told: BTreeSet<&RecipientName> = treatments
        .flat_map(|treatment| treatment.recipients())
        .filter(|(_, action)| matches!(action, RecipientAction::Tell))
        .map(|(name, _)| name)
        .collect();
    for name in told.into_iter().filter(|name| !recipients.contains_key(*name)) {
        problems.push(Problem::new(
            format!("recipient {name}"),
            "is to be told, and has no adapter",
            "give the builder one, or write { impossible = \"reason\" } in the policy",
        ));
    }
    recipients
}

impl Engine {
    /// Starts a builder with the required parts.
    pub fn builder(
        store: impl CustomerStore,
        policy: PolicyDocument,
        ledger: impl Ledger,
        keys: impl KeyRing,
    ) -> EngineBuilder {
        EngineBuilder {
            store: Arc::new(store),
            policy,
            ledger: Arc::new(ledger),
            keys: Arc::new(keys),
            gateways: Vec::new(),
            recipients: Vec::new(),
            mentions: None,
            backups: Vec::new(),
            scrub: None,
            ownerless: None,
            inbox: None,
            reads: None,
            access_log: None,
            holidays: Holidays::default(),
            suppression: None,
            mark: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            strategies: Strategies::new(),
            batch: BATCH,
            census_days: census::DAYS,
            worker: None,
            lease: LEASE,
        }
    }

    /// The policy. It has been checked against the data map.
    pub fn policy(&self) -> &Policy {
        &self.parts.policy
    }

    /// The data map of the store.
    pub fn data_map(&self) -> &DataMap {
        self.parts.store.data_map()
    }

    /// The policy's decision for a customer now.
    ///
    /// # Errors
    /// [`Error::NoSuchCustomer`], [`Error::NoSuchTreatment`], or a store, gateway or ledger out of reach.
    pub async fn decide(&self, customer: &CustomerId, asked: &Asked) -> Result<Decision, Error> {
        self.knows_treatment(asked)?;
        let answer = self.survey(std::slice::from_ref(customer), asked).await?.pop();
        Ok(answer.unwrap_or(Err(Error::NoSuchCustomer))?.decision())
    }

    /// Plans the erasure of one customer. Touches nothing.
    ///
    /// # Errors
    /// [`Error::NoSuchCustomer`], [`Error::NoSuchTreatment`], [`Error::Census`] without a valid
    /// [census](Self::census), or a store, gateway or ledger out of reach.
    pub async fn plan(&self, customer: &CustomerId, asked: &Asked) -> Result<Planned, Error> {
        self.plan_batch(std::slice::from_ref(customer), asked)
            .await?
            .pop()
            .unwrap_or(Err(Error::NoSuchCustomer))
    }

    /// Plans the erasure of several customers: one answer each, in order. Touches nothing.
    ///
    /// # Errors
    /// A store or ledger out of reach fails the whole call. Other errors are given per customer, as by
    /// [`plan`](Self::plan).
    pub async fn plan_batch(
        &self,
        customers: &[CustomerId],
        asked: &Asked,
    ) -> Result<Vec<Result<Planned, Error>>, Error> {
        self.knows_treatment(asked)?;
        let mut counted = self.counted(self.parts.clock.now()).await?;
        let not_covered = counted.not_covered();
        let mut answers = Vec::with_capacity(customers.len());
        for customers in customers.chunks(self.parts.batch) {
            for answer in self.survey(customers, asked).await? {
                answers.push(match answer {
                    Ok(Planned::Plan(plan)) => counted
                        .allows(plan.treatment())
                        .map(|()| Planned::Plan(Box::new(plan.beside(&not_covered)))),
                    other => other,
                });
            }
        }
        Ok(answers)
    }

    /// Checks that a treatment asked for by name is in the policy.
    fn knows_treatment(&self, asked: &Asked) -> Result<(), Error> {
        if let Asked::Request { treatment: Some(name) } | Asked::Replay { treatment: name, .. } = asked
            && !self.parts.policy.all().any(|policy| policy.treatments().contains_key(name))
        {
            return Err(no_such_treatment(name, self.parts.policy.all()));
        }
        Ok(())
    }

    /// Archives a customer without erasing anything. This is the first, reversible step. The second is to plan,
    /// approve and execute.
    ///
    /// # Errors
    /// [`Error::NoSuchCustomer`], or a store out of reach.
    pub async fn deactivate(&self, customer: &CustomerId) -> Result<Deactivated, Error> {
        let facts = self.parts.store.facts(std::slice::from_ref(customer)).await?;
        let facts = facts.into_iter().find(|facts| facts.id == *customer).ok_or(Error::NoSuchCustomer)?;
        let deactivation = Deactivation {
            customer: customer.clone(),
            expected: facts.expected(),
            at: self.parts.clock.now(),
        };
        Ok(single(self.parts.store.deactivate(&[deactivation]).await?)?)
    }

    /// Undoes a deactivation that [`deactivate`](Self::deactivate) made.
    ///
    /// # Errors
    /// A store out of reach.
    pub async fn reactivate(
        &self,
        customer: &CustomerId,
        before: FormerStatus,
    ) -> Result<Reactivated, Error> {
        let reactivation = Reactivation { customer: customer.clone(), before };
        Ok(single(self.parts.store.reactivate(&[reactivation]).await?)?)
    }

    /// Executes approved plans: one outcome each, in order. For very many plans, see
    /// [`execute_each`](Self::execute_each).
    ///
    /// Dropping the future interrupts the cases; [`resume`](Self::resume) finishes them.
    ///
    /// # Errors
    /// Before any case is opened: [`Error::Approval`], [`Error::OtherRules`] or [`Error::Census`] if any plan cannot
    /// be executed now. Then nothing is touched. After that: only errors that prevent writes to the ledger. Then open
    /// cases can be resumed.
    pub async fn execute(&self, plans: Vec<ApprovedPlan>) -> Result<Vec<Outcome>, Error> {
        let now = self.parts.clock.now();
        self.admit_all(&plans, now).await?;
        self.within_blast_radius(&plans).await?;
        self.count_standing(&plans, &self.run_name()).await?;
        let mut outcomes = Vec::with_capacity(plans.len());
        let mut each = Outcomes::new(self, plans.into_iter(), Some(now));
        while let Some(outcome) = each.next().await {
            outcomes.push(outcome?);
        }
        Ok(outcomes)
    }

    /// Executes approved plans from an iterator, and returns the outcomes one by one. Memory does not grow with the
    /// number of plans. Nothing happens until somebody asks for the [next](Outcomes::next) outcome. At most three
    /// batches of plans are read in advance.
    pub fn execute_each<'e, P>(&'e self, plans: P) -> Outcomes<'e>
    where
        P: IntoIterator<Item = ApprovedPlan>,
        P::IntoIter: Send + 'e,
    {
        Outcomes::new(self, plans.into_iter(), None)
    }

    /// Executes one approved plan.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn erase(&self, plan: ApprovedPlan) -> Result<Outcome, Error> {
        let customer_has_one = self.execute(vec![plan]).await?.pop();
        customer_has_one.ok_or(Error::NoSuchCustomer)
    }

    /// Checks that plans may be executed now.
    pub(in crate::engine) async fn admit_all(
        &self,
        plans: &[ApprovedPlan],
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), Error> {
        let mut counted = self.counted(now).await?;
        for plan in plans {
            self.admit(plan, now)?;
            counted.allows(plan.plan.treatment())?;
        }
        self.admit_replays(plans).await
    }

    /// Checks replays. A case is repeated only for its own customer, and only with the treatment that erased this
    /// customer.
    async fn admit_replays(&self, plans: &[ApprovedPlan]) -> Result<(), Error> {
        let replays = plans.iter().filter_map(|plan| match &plan.mandate {
            Mandate::Replay(replay) => Some((replay.closed(), plan.plan.binding())),
            _ => None,
        });
        let replays: Vec<_> = replays.collect();
        let of: Vec<TokenOf> = replays
            .iter()
            .map(|(_, binding)| TokenOf::Customer {
                tenant: binding.tenant().clone(),
                customer: binding.customer().clone(),
                registered: binding.registered(),
            })
            .collect();
        if of.is_empty() {
            return Ok(());
        }
        let tokens: HashSet<(SubjectToken, usize)> = self.all_tokens(&of).await?.into_iter().collect();
        for (n, (case, binding)) in replays.into_iter().enumerate() {
            let not = |why| Err(Error::Replay { case: case.clone(), why });
            let entry = self.parts.ledger.entry(case).await?;
            let Some(closed) = entry.as_ref().and_then(Entry::closed) else {
                return not("the ledger has no such closed case");
            };
            if !matches!(closed.closing, Closing::Erased(_)) {
                return not("nobody was erased in it");
            }
            if !closed.subject().is_some_and(|subject| tokens.contains(&(subject, n))) {
                return not("it is about another customer");
            }
            let Some(rules) = closed.erasure() else { return not("it erased no customer") };
            if rules.treatment != *binding.treatment() {
                return not("it was carried out with another treatment");
            }
            if !self.falls_short(rules, binding.tenant()).await?.is_empty() {
                return not("the treatment of this name does less today than it did then");
            }
        }
        Ok(())
    }

    fn admit(&self, plan: &ApprovedPlan, now: chrono::DateTime<chrono::Utc>) -> Result<(), Error> {
        plan.mandate.valid_at(now)?;
        plan.mandate.covers(plan.plan.binding(), plan.plan.digest())?;
        let binding = plan.plan.binding();
        let policy = &self.parts.policy;
        for (what, plan, ours) in [
            ("policy", binding.policy(), policy.effective(binding.tenant()).digest()),
            ("data map", binding.data_map(), policy.map_digest()),
        ] {
            if plan != ours {
                return Err(Error::OtherRules { what, plan, ours });
            }
        }
        if policy.effective(binding.tenant()).four_eyes() {
            plan.mandate.by_two(binding.planner())?;
        }
        Ok(())
    }

    /// The certificate of a closed case, as the ledger can prove it now. `None` if there is no such case, or if the
    /// case did not end in an erasure.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn certificate(&self, case: &CaseId) -> Result<Option<Certificate>, Error> {
        Ok(Certificate::read(&*self.parts.ledger, case).await?)
    }

    /// Removes old bytes from the store's files: those of everything that was erased so far. Records the scrub in the
    /// ledger. Call this after a run.
    ///
    /// # Errors
    /// [`Error::NoScrub`], or a store that is in use.
    pub async fn scrub(&self) -> Result<(), Error> {
        let scrub = self.parts.scrub.as_ref().ok_or(Error::NoScrub)?;
        // The scrub does not cover cases that are closed while it runs.
        let through = self.parts.ledger.last().await?;
        scrub.scrub().await?;
        let scrubbed = EntryBody::Scrubbed(Scrubbed { through, at: self.parts.clock.now() });
        self.parts.ledger.append(&[scrubbed]).await?;
        Ok(())
    }

    /// Claims a case for this engine, until the claim is dropped.
    fn claim(&self, case: &CaseId) -> Option<Claim<'_>> {
        let mut running = self.parts.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(case.clone()).then(|| Claim { running: &self.parts.running, case: case.clone() })
    }
}

/// The claim of this engine on a case.
struct Claim<'e> {
    running: &'e Mutex<BTreeSet<CaseId>>,
    case: CaseId,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.case);
    }
}

/// The result of the only item of a batch.
fn single<T>(batch: crate::store::Batch<T>) -> Result<T, StoreError> {
    let missing = || StoreError::failed("answering", "the store gave no answer; it was not tried");
    batch.into_iter().next().ok_or_else(missing)?
}

/// The error that none of the policies has a treatment with this name.
fn no_such_treatment<'p>(name: &TreatmentName, policies: impl Iterator<Item = &'p Effective>) -> Error {
    let known: BTreeSet<&str> =
        policies.flat_map(|policy| policy.treatments().keys()).map(TreatmentName::as_str).collect();
    Error::NoSuchTreatment { name: name.clone(), way_out: suggest(name.as_str(), known) }
}
