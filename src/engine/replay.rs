//! Replays: after a restore, everything that was erased since the backup is erased again.
//!
//! A restored backup contains people who were erased after it was made. The ledger is not restored with it, so it
//! still has their closed cases. The ledger knows people by tokens, never by name. So the engine computes the token
//! of every customer in the restored database. A customer with a closed case behind the [mark](crate::store::Mark) is
//! planned again. A person approves all these plans by one digest.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError};

use chrono::{DateTime, Utc};

use super::expiry::Pages;
use super::{Engine, Error, Planned, PlannedExpiry};
use crate::customer::{CustomerId, TenantId};
use crate::data_map::ClassName;
use crate::digest::Digest;
use crate::ledger::{
    About, ClosedCase, Closing, Entry, ErasureResult, ErasureRules, LedgerError, Messages, SubjectToken,
    next_entries, tokens_of, write_customer,
};
use crate::plan::{Asked, CaseId, Decision, ExpiryOf, ExpiryPlan, Nothing, Plan, ReplayPlan};
use crate::policy::Trigger;
use crate::store::{KeepsMark, Mark, Registration};
use crate::treatment::{RecordAction, Shortfall, Treatment, TreatmentName};
use crate::words::plural;

/// The number of entries that are read at once.
const ENTRIES: usize = 1_000;

/// The number of customers whose registrations are read at once. The ledger knows hardly any of them, so a page can
/// be large.
const CUSTOMERS: usize = 4_000;

/// Which closed cases the restored database may not contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoredFrom {
    /// All cases behind the mark in the database itself.
    Mark,
    /// All cases that were closed at this instant or later. If there is a mark, also all cases behind the mark. If
    /// the time of the backup is not known exactly, give an earlier instant: customers who are erased already are not
    /// touched again. This needs `customers.registered` in the map where ids are given out again.
    Backup(DateTime<Utc>),
}

/// Whether a database knows all erasures of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaughtUp {
    /// The database knows all of them.
    Yes,
    /// There are closed cases behind the mark. Either the database was restored, or a process died before it raised
    /// the mark. [`Engine::plan_replay`] finds out which.
    No {
        /// The number of cases.
        cases: u64,
    },
    /// It cannot be known, because the database has no mark.
    Unknown,
}

impl fmt::Display for CaughtUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.write_str("yes: the database knows every erasure of the ledger"),
            Self::No { cases } => write!(
                f,
                "no: {} {} behind the mark of the database; plan a replay",
                counted(*cases, "closed case"),
                if *cases == 1 { "is" } else { "are" }
            ),
            Self::Unknown => f.write_str("unknown: the database has no mark of the ledger"),
        }
    }
}

/// What a person found out about customers who [cannot be told apart](WhyNotReplayed::CannotBeToldApart).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToldApart {
    /// Customers who are the erased ones. They are erased again.
    pub same: BTreeSet<CustomerId>,
    /// Customers who are somebody else. They are left alone.
    pub others: BTreeSet<CustomerId>,
}

impl ToldApart {
    /// Adds a customer who is the erased one.
    #[must_use]
    pub fn same(mut self, customer: impl Into<CustomerId>) -> Self {
        self.same.insert(customer.into());
        self
    }

    /// Adds a customer who is somebody else.
    #[must_use]
    pub fn other(mut self, customer: impl Into<CustomerId>) -> Self {
        self.others.insert(customer.into());
        self
    }
}

/// The result of [`Engine::plan_replay`]: what has to be erased again in a restored database.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlannedReplay {
    /// The plans, each with its closed case. A person approves their common digest.
    pub plan: ReplayPlan,
    /// Closed cases whose customers are in the database again, but cannot be erased again.
    pub refused: Vec<NotReplayed>,
    /// Plans for records that expired after the backup and are in the database again. Each plan is approved and
    /// [carried out](Engine::expire) separately.
    pub expiries: Vec<ExpiryPlan>,
    /// Closed cases whose customers cannot be recognised: the key of their epoch, or their token, was destroyed.
    /// Their customers may be in the database again. More than 0: the database never counts as caught up.
    pub unrecognised: u64,
    /// Closed cases that were not looked at, because they were closed before the instant of the backup, and the database
    /// has no mark that says otherwise. If the backup is older than that, these customers may be in the database again.
    pub before: u64,
    /// The last entry of the ledger that was read.
    through: Mark,
}

/// A closed case that cannot be carried out again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NotReplayed {
    /// The closed case.
    pub case: CaseId,
    /// The customer.
    pub customer: CustomerId,
    /// Why not.
    pub why: WhyNotReplayed,
}

/// Why a closed case cannot be carried out again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WhyNotReplayed {
    /// The policy's decision on the restored facts. For example, a guard blocks.
    Decided(Decision),
    /// Today's treatment of the same name does less than the treatment of the closed case.
    Less(Vec<Shortfall>),
    /// The policy has no treatment of this name any more.
    NoTreatment(TreatmentName),
    /// The case deleted the customer's own row, the database gives such ids out again, and nothing says when this
    /// customer was registered. So this may be somebody else.
    CannotBeToldApart,
    /// The records cannot be counted.
    Failed(Arc<Error>),
}

impl fmt::Display for WhyNotReplayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decided(decision) => decision.fmt(f),
            Self::Less(shortfalls) => {
                let each: Vec<String> = shortfalls.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "the treatment does less today than it did then: {}; let the policy do at least the same, or plan this \
                     customer's erasure by itself",
                    each.join("; ")
                )
            }
            Self::NoTreatment(name) => write!(
                f,
                "the policy has no treatment {name} any more; bring it back, or plan this customer's erasure by itself"
            ),
            Self::CannotBeToldApart => f.write_str(
                "this may be somebody else, because the id of a deleted customer is given out again and nothing says when this \
                 customer was registered; look at the customer, and plan again with the answer (ToldApart), or write \
                 customers.registered in the map before people are erased",
            ),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl PlannedReplay {
    /// Whether nothing has to be erased again.
    pub fn is_nothing(&self) -> bool {
        self.plan.of().is_empty()
            && self.refused.is_empty()
            && self.expiries.is_empty()
            && self.unrecognised == 0
    }
}

impl fmt::Display for PlannedReplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, refused, expiries, unrecognised, before, through } = self;
        if plan.of().is_empty() {
            write!(f, "replay up to entry {}: nobody has to be erased again", through.entry)?;
        } else {
            let customers = plan.of().len() as u64;
            write!(
                f,
                "replay {} up to entry {}: {} to erase again",
                plan.digest(),
                through.entry,
                counted(customers, "customer")
            )?;
            let mut by = BTreeMap::<(&TreatmentName, &TenantId), u64>::new();
            for (_, plan) in plan.of() {
                *by.entry((plan.treatment().name(), plan.tenant())).or_default() += 1;
            }
            for ((treatment, tenant), customers) in by {
                write!(f, "\n  {tenant}, treatment {treatment}: {}", counted(customers, "customer"))?;
            }
        }
        for NotReplayed { case, customer, why } in refused {
            write!(f, "\n  cannot be erased again: customer {}, case {case}: {why}", customer.as_str())?;
        }
        if *unrecognised > 0 {
            write!(
                f,
                "\n  not recognised: whoever was erased in {}, whose key was destroyed; restore the key ring, or look for these \
                 customers by hand",
                counted(*unrecognised, "closed case")
            )?;
        }
        if *before > 0 {
            write!(
                f,
                "\n  not looked at: {}, closed before the instant of the backup; if the backup is older, give its instant",
                counted(*before, "case")
            )?;
        }
        for plan in expiries {
            write!(f, "\n  expired again: {} under plan {}", counted(plan.due(), "record"), plan.digest())?;
        }
        Ok(())
    }
}

/// Whether an engine raises the mark when it closes cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Marking {
    /// Not found out yet.
    #[default]
    Unknown,
    /// The database contains every erasure up to this entry.
    Through(u64),
    /// The database does not contain every erasure. The mark is not raised until a replay is complete.
    Behind,
    /// There are closed cases, but no mark. Only a replay makes a mark.
    Unmarked,
}

/// A closed case that erased a customer.
struct ErasedThen {
    case: CaseId,
    trigger: Trigger,
    treatment: TreatmentName,
    digest: Digest,
    /// Whether the customer's own row stayed, because something needed it.
    kept_row: bool,
}

/// What the closed cases behind a mark erased.
#[derive(Default)]
struct Since {
    /// The erased customers, each with the closed cases, the last one first.
    erased: HashMap<SubjectToken, Vec<ErasedThen>>,
    /// The tenants whose records expired.
    expired: BTreeSet<TenantId>,
    /// Whether ownerless records expired.
    ownerless: bool,
    /// Closed cases whose customers cannot be recognised any more.
    unrecognised: u64,
    /// Closed cases before the instant of the backup.
    before: u64,
}

impl Since {
    fn is_nothing(&self) -> bool {
        self.erased.is_empty() && self.expired.is_empty() && !self.ownerless && self.unrecognised == 0
    }
}

/// Treatments of closed cases that were compared with today's, by tenant.
type Compared = HashMap<(Digest, TenantId), Result<(), WhyNotReplayed>>;

impl NotReplayed {
    fn new(then: &ErasedThen, customer: &Registration, why: WhyNotReplayed) -> Self {
        Self { case: then.case.clone(), customer: customer.customer.clone(), why }
    }
}

/// A number with its noun: `2 customers`.
fn counted(count: u64, word: &str) -> String {
    format!("{count} {}", plural(count, word))
}

impl Engine {
    /// Whether the store's database contains every erasure of the ledger. Call this before the service accepts
    /// requests. After a restore the answer is *no*, until a [replay](Self::plan_replay) is complete.
    ///
    /// In a database without a mark, the first call makes a mark, if no closed case has changed records yet. So call
    /// this when a new system starts. Then every backup contains a mark.
    ///
    /// # Errors
    /// [`Error::OldLedger`] or [`Error::OtherLedger`] if the mark does not belong to this ledger. A store or ledger
    /// out of reach.
    pub async fn caught_up(&self) -> Result<CaughtUp, Error> {
        let Some(store) = &self.parts.mark else { return Ok(CaughtUp::Unknown) };
        let last = self.parts.ledger.last().await?;
        let mark = self.checked_mark(&**store, last).await?;
        let mut cases = 0;
        self.entries_after(mark.map_or(0, |mark| mark.entry), last, |_, closed| {
            cases += u64::from(changes_records(&closed.closing));
            // Without a mark, one case is enough: the answer is then "unknown".
            mark.is_some() || cases == 0
        })
        .await?;
        if cases == 0 && mark.is_none() {
            store.raise_mark(0, self.mark_of(last).await?).await?;
        }
        Ok(match (cases, mark) {
            (0, _) => CaughtUp::Yes,
            (cases, Some(_)) => CaughtUp::No { cases },
            (_, None) => CaughtUp::Unknown,
        })
    }

    /// Finds the customers of a restored database who were erased after the backup was made, and plans their erasure
    /// again. Touches nothing. Reads the customers page by page. Memory grows with the number of closed cases since
    /// the backup, and not with the number of customers.
    ///
    /// Each customer is planned under the policy's treatment of the same name, if that treatment does at least what
    /// was done then. Guards are checked on the restored facts. Databases reuse row ids. So a customer is the same
    /// person only if the id, the tenant and the instant of registration are the same.
    ///
    /// `SQLite` gives the highest id out again after its row was deleted, unless the table has `AUTOINCREMENT`. Without
    /// `customers.registered` in the map, a customer with the id of a deleted one may then be somebody else. Such customers
    /// are [refused](WhyNotReplayed::CannotBeToldApart), and nothing of theirs is erased, until a person says who they are:
    /// [`plan_replay_told`](Self::plan_replay_told).
    ///
    /// Approve the [plan](ReplayPlan::approve), and [execute](Self::execute) it. Then call
    /// [`finish_replay`](Self::finish_replay): if nothing is left to erase, it raises the mark.
    ///
    /// # Errors
    /// [`Error::BackupInFuture`], [`Error::NoMark`], [`Error::OldLedger`], [`Error::OtherLedger`], [`Error::Census`].
    /// Keys, a store or a ledger out of reach.
    pub async fn plan_replay(&self, from: RestoredFrom) -> Result<PlannedReplay, Error> {
        self.plan_replay_told(from, &ToldApart::default()).await
    }

    /// Does the same as [`plan_replay`](Self::plan_replay), after a person looked at customers who cannot be told apart.
    ///
    /// # Errors
    /// As [`plan_replay`](Self::plan_replay).
    pub async fn plan_replay_told(
        &self,
        from: RestoredFrom,
        told: &ToldApart,
    ) -> Result<PlannedReplay, Error> {
        if let RestoredFrom::Backup(at) = from
            && at > self.parts.clock.now()
        {
            return Err(Error::BackupInFuture { at });
        }
        let last = self.parts.ledger.last().await?;
        let through = self.mark_of(last).await?;
        let mark = match &self.parts.mark {
            Some(store) => self.checked_mark(&**store, last).await?,
            None => None,
        };
        let at = match from {
            RestoredFrom::Mark => None,
            RestoredFrom::Backup(at) => Some(at),
        };
        let since = self.closed_since(mark.map(|mark| mark.entry), last, at).await?;
        if from == RestoredFrom::Mark && mark.is_none() && !since.is_nothing() {
            return Err(Error::NoMark);
        }
        let mut planned = PlannedReplay {
            plan: ReplayPlan::new(Vec::new()),
            refused: Vec::new(),
            expiries: Vec::new(),
            unrecognised: since.unrecognised,
            before: since.before,
            through,
        };
        if since.is_nothing() {
            return Ok(planned);
        }
        let (mut again, mut compared, mut tenants) = (Vec::new(), Compared::new(), BTreeSet::new());
        let mut pages = Pages::new();
        while let Some(page) = pages.registrations(&*self.parts.store, CUSTOMERS).await? {
            for tenant in page.iter().map(|customer| &customer.tenant) {
                if !tenants.contains(tenant) {
                    tenants.insert(tenant.clone());
                }
            }
            self.replay_page(&page, (&since, told), &mut compared, &mut planned, &mut again).await?;
        }
        planned.plan = ReplayPlan::new(again);
        planned.expiries = self.expiries_again(&since, &tenants).await?;
        Ok(planned)
    }

    /// Plans the replay again. If nobody has to be erased again, it raises the mark: the database has caught up.
    /// Returns what is left to erase.
    ///
    /// # Errors
    /// As [`plan_replay`](Self::plan_replay).
    pub async fn finish_replay(&self, from: RestoredFrom) -> Result<PlannedReplay, Error> {
        self.finish_replay_told(from, &ToldApart::default()).await
    }

    /// Does the same as [`finish_replay`](Self::finish_replay), after a person looked at customers who cannot be told
    /// apart.
    ///
    /// # Errors
    /// As [`plan_replay`](Self::plan_replay).
    pub async fn finish_replay_told(
        &self,
        from: RestoredFrom,
        told: &ToldApart,
    ) -> Result<PlannedReplay, Error> {
        let planned = self.plan_replay_told(from, told).await?;
        if let Some(store) = self.parts.mark.as_ref().filter(|_| planned.is_nothing()) {
            let present = store.mark().await?.map_or(0, |mark| mark.entry);
            store.raise_mark(present, planned.through).await?;
            self.marking(Marking::Through(planned.through.entry));
        }
        Ok(planned)
    }

    /// Plans the customers of a page who were erased.
    async fn replay_page(
        &self,
        page: &[Registration],
        (since, told): (&Since, &ToldApart),
        compared: &mut Compared,
        planned: &mut PlannedReplay,
        again: &mut Vec<(CaseId, Plan)>,
    ) -> Result<(), Error> {
        let mut messages = Messages::default();
        for Registration { customer, tenant, registered } in page {
            messages.push(|bytes| write_customer(bytes, tenant, customer, *registered));
        }
        let mut found: Vec<(&Registration, std::slice::Iter<'_, ErasedThen>)> = Vec::new();
        tokens_of(&*self.parts.keys, &self.epochs().await?, messages, |n, token| {
            if let (Some(cases), Some(customer)) = (since.erased.get(&token), page.get(n)) {
                found.push((customer, cases.iter()));
            }
        })
        .await?;
        // A customer may have several closed cases. They are tried from the last to the first, until there is
        // something to do under one of them.
        while !found.is_empty() {
            let mut asked = BTreeMap::<(&TreatmentName, Trigger), Vec<_>>::new();
            for (customer, mut cases) in found.drain(..) {
                let Some(then) = cases.next() else { continue };
                if !told.same.contains(&customer.customer) && self.may_be_another(then, customer).await? {
                    if !told.others.contains(&customer.customer) {
                        planned.refused.push(NotReplayed::new(
                            then,
                            customer,
                            WhyNotReplayed::CannotBeToldApart,
                        ));
                    }
                    continue;
                }
                match self.compare(then, &customer.tenant, compared).await? {
                    Ok(()) => asked
                        .entry((&then.treatment, then.trigger))
                        .or_default()
                        .push((customer, then, cases)),
                    Err(why) => planned.refused.push(NotReplayed::new(then, customer, why)),
                }
            }
            for ((treatment, trigger), group) in asked {
                let ids: Vec<CustomerId> =
                    group.iter().map(|(customer, ..)| customer.customer.clone()).collect();
                let asked = Asked::Replay { trigger, treatment: treatment.clone() };
                for ((customer, then, cases), answer) in
                    group.into_iter().zip(self.plan_batch(&ids, &asked).await?)
                {
                    let why = match answer {
                        Ok(Planned::Plan(plan)) => {
                            again.push((then.case.clone(), *plan));
                            continue;
                        }
                        Ok(Planned::Nothing(Nothing::TreatedBefore { .. })) => {
                            found.push((customer, cases));
                            continue;
                        }
                        // The row was deleted in the meantime.
                        Err(Error::NoSuchCustomer) => continue,
                        Ok(other) => WhyNotReplayed::Decided(other.decision()),
                        Err(error @ (Error::Store(_) | Error::Gateway(_))) => {
                            WhyNotReplayed::Failed(Arc::new(error))
                        }
                        Err(error) => return Err(error),
                    };
                    planned.refused.push(NotReplayed::new(then, customer, why));
                }
            }
        }
        Ok(())
    }

    /// Whether the customer may be somebody else than the customer of a closed case.
    async fn may_be_another(&self, then: &ErasedThen, now: &Registration) -> Result<bool, Error> {
        Ok(!then.kept_row
            && now.registered.is_none()
            && self.data_map().reuses_ids()
            && self.deletes_own_row(then.digest).await?)
    }

    /// Whether the treatment of a closed case deletes the customer's own row.
    pub(super) async fn deletes_own_row(&self, treatment: Digest) -> Result<bool, Error> {
        let doing = "reading the treatment of a closed case";
        let treatment = self.parts.ledger.treatment(treatment).await?;
        let treatment = treatment.ok_or(LedgerError::Corrupt { doing })?;
        let root = treatment.class(self.data_map().root().as_str());
        Ok(root.is_some_and(|root| *root.action() == RecordAction::Delete))
    }

    /// Plans again the expiries that were closed since, if the restored database contains expired records.
    async fn expiries_again(
        &self,
        since: &Since,
        tenants: &BTreeSet<TenantId>,
    ) -> Result<Vec<ExpiryPlan>, Error> {
        let mut plans = Vec::new();
        let again: BTreeSet<TenantId> = since.expired.intersection(tenants).cloned().collect();
        if !again.is_empty() {
            plans.push(self.plan_expiry(again).await?);
        }
        if since.ownerless {
            plans.push(self.plan_ownerless().await?);
        }
        let plans = plans.into_iter().filter_map(|planned| match planned {
            PlannedExpiry::Plan(plan) => Some(*plan),
            PlannedExpiry::Nothing(_) => None,
        });
        Ok(plans.filter(|plan| plan.due() > 0).collect())
    }

    /// Compares the treatment of a closed case with today's treatment of the same name.
    async fn compare(
        &self,
        then: &ErasedThen,
        tenant: &TenantId,
        compared: &mut Compared,
    ) -> Result<Result<(), WhyNotReplayed>, Error> {
        let key = (then.digest, tenant.clone());
        if let Some(known) = compared.get(&key) {
            return Ok(known.clone());
        }
        let now = self.parts.policy.effective(tenant).treatments().get(&then.treatment);
        let result = match now {
            None => Err(WhyNotReplayed::NoTreatment(then.treatment.clone())),
            Some(now) => {
                let short = self.shortfalls(now, then.digest).await?;
                if short.is_empty() { Ok(()) } else { Err(WhyNotReplayed::Less(short)) }
            }
        };
        compared.insert(key, result.clone());
        Ok(result)
    }

    /// What the treatment of a closed case did, and today's treatment does not do.
    pub(super) async fn falls_short(
        &self,
        rules: &ErasureRules,
        tenant: &TenantId,
    ) -> Result<Vec<Shortfall>, Error> {
        match self.parts.policy.effective(tenant).treatments().get(&rules.treatment) {
            Some(now) => self.shortfalls(now, rules.treatment_digest).await,
            None => Err(Error::NoSuchTreatment {
                name: rules.treatment.clone(),
                way_out: "bring it back, or plan this customer's erasure by itself".to_owned(),
            }),
        }
    }

    async fn shortfalls(&self, now: &Treatment, then: Digest) -> Result<Vec<Shortfall>, Error> {
        if now.digest() == then {
            return Ok(Vec::new());
        }
        let doing = "reading the treatment of a closed case";
        let then = self.parts.ledger.treatment(then).await?;
        let then = then.ok_or(LedgerError::Corrupt { doing })?;
        Ok(now.falls_short_of(&then))
    }

    /// Reads the closed cases behind the mark, or since an instant: the customers who were erased, and the expiries.
    /// All cases behind the mark are read, even if the instant is later.
    async fn closed_since(
        &self,
        mark: Option<u64>,
        last: u64,
        at: Option<DateTime<Utc>>,
    ) -> Result<Since, Error> {
        let mut since = Since::default();
        let root = self.data_map().root();
        let epochs: BTreeSet<u32> = self.epochs().await?.iter().map(|epoch| epoch.number).collect();
        let after = if at.is_some() { 0 } else { mark.unwrap_or_default() };
        self.entries_after(after, last, |number, closed| {
            let is_behind = mark.is_some_and(|mark| number > mark);
            if !is_behind && at.is_some_and(|at| closed.under().closed_at < at) {
                let erased = matches!(closed.closing, Closing::Erased(_) | Closing::Expired(_));
                since.before += u64::from(erased && mark.is_none());
                return true;
            }
            if let (Closing::Expired(_), About::Expiry(of)) = (&closed.closing, &closed.about) {
                match of {
                    ExpiryOf::Tenants(tenants) => since.expired.extend(tenants.iter().cloned()),
                    ExpiryOf::Ownerless => since.ownerless = true,
                }
            }
            let (Closing::Erased(result), Some(rules)) = (&closed.closing, closed.erasure()) else {
                return true;
            };
            let Some(token) = closed.subject().filter(|token| epochs.contains(&token.epoch())) else {
                since.unrecognised += 1;
                return true;
            };
            let then = ErasedThen {
                case: closed.case.clone(),
                trigger: rules.trigger,
                treatment: rules.treatment.clone(),
                digest: rules.treatment_digest,
                kept_row: keeps_row(result, root),
            };
            since.erased.entry(token).or_default().insert(0, then);
            true
        })
        .await?;
        Ok(since)
    }

    /// Reads the closed cases after one entry, up to another entry. Stops when the closure answers `false`.
    async fn entries_after(
        &self,
        mut after: u64,
        last: u64,
        mut each: impl FnMut(u64, &ClosedCase) -> bool + Send,
    ) -> Result<(), Error> {
        while after < last {
            for entry in next_entries(&*self.parts.ledger, after, last, ENTRIES).await? {
                after = entry.seq;
                if entry.closed().is_some_and(|closed| !each(entry.seq, closed)) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The mark of the database. Checks that the mark belongs to this ledger.
    async fn checked_mark(&self, store: &dyn KeepsMark, last: u64) -> Result<Option<Mark>, Error> {
        let Some(mark) = store.mark().await? else { return Ok(None) };
        if mark.entry > last {
            return Err(Error::OldLedger { last, mark: mark.entry });
        }
        if self.leaf(mark.entry).await? != mark.leaf {
            return Err(Error::OtherLedger { entry: mark.entry });
        }
        Ok(Some(mark))
    }

    async fn mark_of(&self, entry: u64) -> Result<Mark, Error> {
        Ok(Mark { entry, leaf: self.leaf(entry).await? })
    }

    /// The leaf of an entry. Number 0 is before the first entry and has no leaf.
    async fn leaf(&self, entry: u64) -> Result<Option<Digest>, Error> {
        let Some(before) = entry.checked_sub(1) else { return Ok(None) };
        let entries = next_entries(&*self.parts.ledger, before, entry, 1).await?;
        Ok(entries.first().map(|entry| entry.body.leaf()).transpose()?)
    }

    fn marking(&self, marking: Marking) {
        *self.parts.marking.lock().unwrap_or_else(PoisonError::into_inner) = marking;
    }

    /// Finds out, before cases are opened, whether this engine raises the mark.
    ///
    /// # Errors
    /// [`Error::OldLedger`] or [`Error::OtherLedger`]: no case is opened on a ledger that was restored.
    pub(super) async fn begin_marking(&self) -> Result<(), Error> {
        let Some(store) = &self.parts.mark else { return Ok(()) };
        let marking = *self.parts.marking.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(marking, Marking::Through(_) | Marking::Unmarked) {
            return Ok(());
        }
        let found = match self.caught_up().await? {
            CaughtUp::Yes => Marking::Through(store.mark().await?.map_or(0, |mark| mark.entry)),
            CaughtUp::No { .. } => Marking::Behind,
            CaughtUp::Unknown => Marking::Unmarked,
        };
        self.marking(found);
        Ok(())
    }

    /// Raises the mark to the last of these entries, if this engine raises the mark. A failure is only logged,
    /// because it is harmless: the next replay finds that nothing is left to erase.
    pub(super) async fn raise_mark(&self, entries: &[Entry]) {
        let marking = *self.parts.marking.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(store), Marking::Through(from), Some(last)) =
            (&self.parts.mark, marking, entries.iter().max_by_key(|entry| entry.seq))
        else {
            return;
        };
        let raised = match last.body.leaf() {
            Ok(leaf) => store.raise_mark(from, Mark { entry: last.seq, leaf: Some(leaf) }).await,
            Err(error) => {
                tracing::warn!(%error, "the mark was not raised");
                return;
            }
        };
        match raised {
            Ok(true) => {
                let mut marking = self.parts.marking.lock().unwrap_or_else(PoisonError::into_inner);
                if let Marking::Through(through) = &mut *marking {
                    *through = last.seq.max(*through);
                }
            }
            Ok(false) => {
                tracing::warn!("the mark is lower than before: the database was restored; plan a replay");
                self.marking(Marking::Behind);
            }
            Err(error) => tracing::warn!(%error, "the mark was not raised"),
        }
    }
}

/// Whether a case that erased a customer left the customer's own row, because a duty or another record needs it.
pub(super) fn keeps_row(result: &ErasureResult, root: &ClassName) -> bool {
    result.deferred.contains_key(root) || result.tombstones.iter().any(|stays| stays.class == *root)
}

/// Whether a closed case changed records of the store.
fn changes_records(closing: &Closing) -> bool {
    matches!(closing, Closing::Erased(_) | Closing::Expired(_))
}
