//! The adapter for a host's own repository code. It works with records of one customer at a time.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use super::{
    Batch, ClassTally, ContentsOfFields, CountGroups, Counts, CustomerStore, Deactivated, Deactivation,
    EraseRequest, Erased, Kept, Known, ListUncertain, Page, PageRequest, Reactivated, Reactivation,
    RecordStore, StoreError, TakeCensus, Tally, TallyRequest, Target, Uncertain, UncertainMention, WhoShares,
};
use crate::anonymise::Draw;
use crate::anonymise::readable::{IDENTIFIER_WAY_OUT, identifier_in, way_out};
use crate::anonymise::text::{Matcher, TooManyPeople};
use crate::customer::{Customer, CustomerId, FormerStatus, Identifiers, TenantId};
use crate::data_map::{self, DataMap, Datatype, FieldName, ReadDate, Record, Value};
use crate::treatment::{ClassTreatment, Group, NewText, RecordAction, RecordChange, Standing, Treatment};

mod reading;

/// A customer's records, as the host loads them.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The host's own version of the loaded records. It is compared when changes are saved.
    pub version: u64,
    /// Every record of the customer that the data map names, including the customer's own record. A class or field
    /// that the data map does not name is an error, because it is not classified.
    pub records: Vec<Record>,
}

/// A change to one record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordWrite {
    /// The record, as it was loaded.
    pub record: Record,
    /// The change. It is never [`RecordChange::Nothing`].
    pub change: RecordChange,
}

/// The changes that a host must save in one transaction: all or nothing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Changes {
    /// The customer whose records change.
    pub customer: CustomerId,
    /// The expected version. If the present version differs, nothing may be saved.
    pub version: u64,
    /// A change of the customer's status, if any. After `Archive` is saved, `facts` must return
    /// [`Status::Archived`](crate::customer::Status::Archived). `Restore` gets the `former_status` that `facts`
    /// returned before `Archive`: for a customer who is not archived, `former_status` describes the present status. A
    /// host without such a status calls
    /// [`without_deactivation`](crate::data_map::DataMapBuilder::without_deactivation) in its data map.
    pub status: Option<StatusChange>,
    /// The records. A reassigned record is handed over to the tenant's "Unknown Customer". If the tenant has no such
    /// customer, make one now.
    pub writes: Vec<RecordWrite>,
}

/// A change of a customer's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusChange {
    /// Archive: inactive, no login.
    Archive,
    /// Restore the former status.
    Restore(FormerStatus),
}

/// The result of saving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Everything is saved.
    Done,
    /// The version differed. Nothing is saved.
    Stale,
}

/// A host's own repository code. Wrapped in [`ByRecord`], it is a complete [`CustomerStore`].
///
/// For hosts whose customers have hundreds of records, not millions: all records of one customer are in memory at
/// once. Customers are processed one after the other.
#[async_trait]
pub trait Repository: Debug + Send + Sync + 'static {
    /// The data map: every record class and field of the repository.
    fn data_map(&self) -> &DataMap;

    /// As [`CustomerStore::facts`].
    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError>;

    /// As [`CustomerStore::page`].
    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError>;

    /// A customer's records. `None` if the customer does not exist and has no records left.
    ///
    /// **Idempotency:** reads only. **Errors:** [`StoreError`].
    async fn load(&self, customer: &CustomerId) -> Result<Option<Loaded>, StoreError>;

    /// Saves changes if the version is still the loaded version.
    ///
    /// **Idempotency:** the version changes with every save, so the same changes are never saved twice. **Partial
    /// failure:** none: all or nothing. **Cancel safety:** dropping the future must leave all or nothing saved.
    /// **Errors:** [`StoreError`]; then nothing is saved.
    async fn save(&self, changes: &Changes) -> Result<Saved, StoreError>;
}

#[async_trait]
impl<T: Repository + ?Sized> Repository for Arc<T> {
    fn data_map(&self) -> &DataMap {
        (**self).data_map()
    }

    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        (**self).facts(customers).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        (**self).page(request).await
    }

    async fn load(&self, customer: &CustomerId) -> Result<Option<Loaded>, StoreError> {
        (**self).load(customer).await
    }

    async fn save(&self, changes: &Changes) -> Result<Saved, StoreError> {
        (**self).save(changes).await
    }
}

fn not_all_told() -> StoreError {
    StoreError::failed("asking who else has records", "the adapter did not answer for every record")
}

/// The result of setting a status.
enum StatusSet {
    Missing,
    Refused,
    Done { before: FormerStatus },
}

/// The maximum number of attempts to save, if the host's own writes interfere.
const TRIES: usize = 5;

/// A [`CustomerStore`] over a [`Repository`]. It processes one customer after the other, each in one save.
#[derive(Clone, Debug)]
pub struct ByRecord<R> {
    repository: R,
    groups: Option<Arc<dyn CountGroups>>,
    sharing: Option<Arc<dyn WhoShares>>,
}

impl<R: Repository> ByRecord<R> {
    /// Wraps a repository.
    pub fn new(repository: R) -> Self {
        Self { repository, groups: None, sharing: None }
    }

    /// Adds an adapter that counts the customers who share the kept values of one customer, for policies with a
    /// smallest group. The data map has to declare it:
    /// [`counts_groups`](crate::data_map::DataMapBuilder::counts_groups).
    #[must_use]
    pub fn counting(mut self, groups: impl CountGroups) -> Self {
        self.groups = Some(Arc::new(groups));
        self
    }

    /// Adds an adapter that knows who else owns a record, for data maps with shared records. The data map has to
    /// declare it: [`tells_who_shares`](crate::data_map::DataMapBuilder::tells_who_shares).
    #[must_use]
    pub fn sharing(mut self, who: impl WhoShares) -> Self {
        self.sharing = Some(Arc::new(who));
        self
    }

    /// The repository.
    pub fn repository(&self) -> &R {
        &self.repository
    }

    async fn one(&self, customer: &CustomerId) -> Result<Option<Customer>, StoreError> {
        let found = self.repository.facts(std::slice::from_ref(customer)).await?;
        Ok(found.into_iter().find(|found| found.id == *customer))
    }

    async fn records(&self, customer: &CustomerId) -> Result<Vec<Record>, StoreError> {
        Ok(self.load(customer).await?.map_or_else(Vec::new, |loaded| loaded.records))
    }

    /// Loads a customer's records. Refuses records that the data map does not name, because an erasure would silently
    /// leave them.
    async fn load(&self, customer: &CustomerId) -> Result<Option<Loaded>, StoreError> {
        let loaded = self.repository.load(customer).await?;
        for record in loaded.iter().flat_map(|loaded| &loaded.records) {
            let Some(class) = self.repository.data_map().class(record.class.as_str()) else {
                return Err(unmapped(&record.class.to_string()));
            };
            if let Some(field) = record.fields.keys().find(|field| class.find(field.as_str()).is_none()) {
                return Err(unmapped(&format!("{}.{field}", record.class)));
            }
        }
        Ok(loaded)
    }

    /// The standing of each record. If a smallest group is required, the customers are counted.
    async fn standings(
        &self,
        records: &[Record],
        treatment: &Treatment,
        tenant: Option<&TenantId>,
        day: NaiveDate,
    ) -> Result<Vec<Standing>, StoreError> {
        let mut standings = treatment.standings(records, self.repository.data_map());
        let Some(tenant) = tenant.filter(|_| treatment.counts_groups()) else { return Ok(standings) };
        let Some(counter) = &self.groups else {
            let what = "it has a smallest group, but no adapter counts the customers; use ByRecord::counting";
            return Err(StoreError::Treatment { what: what.to_owned() });
        };
        let (mut groups, mut places) = (Vec::new(), Vec::new());
        for (record, standing) in records.iter().zip(&mut standings).filter(|(_, s)| **s == Standing::Free) {
            if let Some(group) = treatment.group(record, tenant, day) {
                groups.push(group);
                places.push((standing, record));
            }
        }
        let counts = count(counter, &groups).await?;
        let (mut coarser, mut rare) = (Vec::new(), Vec::new());
        for (((standing, record), group), count) in places.into_iter().zip(&groups).zip(counts) {
            if count >= group.least.into() {
                continue;
            }
            *standing = Standing::Alone;
            if let Some(group) = treatment.coarser_group(record, tenant, day) {
                coarser.push(group);
                rare.push(standing);
            }
        }
        for ((standing, group), count) in rare.into_iter().zip(&coarser).zip(count(counter, &coarser).await?)
        {
            if count >= group.least.into() {
                *standing = Standing::Rare;
            }
        }
        Ok(standings)
    }

    /// Whether each record also has another, remaining owner.
    async fn are_others_too(
        &self,
        customer: &CustomerId,
        records: &[Record],
        treatment: &Treatment,
    ) -> Result<Vec<bool>, StoreError> {
        let mut others = vec![false; records.len()];
        let shared = self.repository.data_map().shared_classes();
        let is_treated = |record: &Record| {
            let treated = treatment.class(record.class.as_str());
            treated.is_some_and(|class| !matches!(class.action(), RecordAction::Keep { .. }))
        };
        let asked = records.iter().zip(&mut others);
        let asked = asked.filter(|(record, _)| shared.contains(&record.class) && is_treated(record));
        let (asked, answers): (Vec<Record>, Vec<&mut bool>) =
            asked.map(|(record, answer)| (record.clone(), answer)).unzip();
        if asked.is_empty() {
            return Ok(others);
        }
        let Some(who) = &self.sharing else {
            let what = "it treats records that may have several owners, but no adapter knows the other owners; use ByRecord::sharing";
            return Err(StoreError::Treatment { what: what.to_owned() });
        };
        let told = who.have_others(customer, &asked).await?;
        if told.len() != asked.len() {
            return Err(not_all_told());
        }
        for (answer, told) in answers.into_iter().zip(told) {
            *answer = told;
        }
        Ok(others)
    }

    async fn tally_one(
        &self,
        customer: &CustomerId,
        treatment: &Treatment,
        at: Option<DateTime<Utc>>,
        known: Option<&Known>,
    ) -> Result<Tally, StoreError> {
        let mut classes: BTreeMap<_, ClassTally> =
            treatment.classes().keys().map(|class| (class.clone(), ClassTally::default())).collect();
        let records = self.records(customer).await?;
        let people = self.people(&records, treatment, known)?;
        let is_erased = treatment.is_customer_erased(&records);
        let map = self.repository.data_map();
        let (mut kept, mut tombstones) = (BTreeMap::new(), BTreeMap::new());
        let (mut rare, mut alone) = (BTreeMap::new(), BTreeMap::new());
        let mut uncertain = Uncertain::new();
        let mut contents = BTreeMap::new();
        let facts = if treatment.counts_groups() { self.one(customer).await? } else { None };
        let day = at.map_or(NaiveDate::MIN, |at| treatment.day(at));
        let tenant = facts.as_ref().map(|facts| &facts.tenant);
        let standings = self.standings(&records, treatment, tenant, day).await?;
        let shared = self.are_others_too(customer, &records, treatment).await?;
        let mut others = BTreeMap::new();
        for ((record, standing), is_others_too) in records.iter().zip(standings).zip(shared) {
            let tally = classes.entry(record.class.clone()).or_default();
            if is_others_too {
                *others.entry(record.class.clone()).or_default() += 1;
                // The record stays with its other owners. Its texts are searched for this customer.
                let texts = self.texts(record, standing, treatment, people.as_ref(), is_erased)?;
                tally.due += u64::from(!texts.is_empty());
                continue;
            }
            tally.rows += 1;
            let counted = people.as_ref().map(|people| treatment.uncertain(record, standing, map, people));
            for (field, count) in counted.into_iter().flatten() {
                let fields: &mut BTreeMap<_, u64> = uncertain.entry(record.class.clone()).or_default();
                *fields.entry(field.clone()).or_default() += count;
            }
            for (field, outcome) in treatment.by_content(record, standing, map) {
                let of_class: &mut ContentsOfFields = contents.entry(record.class.clone()).or_default();
                of_class.entry(field).or_default().count(outcome, 1);
            }
            if treatment.singles_out(record, standing) {
                *rare.entry(record.class.clone()).or_default() += 1;
                if standing == Standing::Alone {
                    *alone.entry(record.class.clone()).or_default() += 1;
                }
            }
            let is_searched =
                !self.texts(record, standing, treatment, people.as_ref(), is_erased)?.is_empty();
            tally.due += u64::from(treatment.is_due(record, standing) || is_searched);
            if standing == Standing::Needed {
                *tombstones.entry(record.class.clone()).or_default() += 1;
            }
            let is_deferred = treatment.class(record.class.as_str()).is_some_and(ClassTreatment::is_deferred);
            if standing == Standing::Kept && is_deferred {
                let kept: &mut Kept = kept.entry(record.class.clone()).or_default();
                kept.rows += 1;
                let under =
                    treatment.class(record.class.as_str()).map_or(&[][..], |class| class.under_duty());
                for duty in under {
                    let on = at.map(|at| treatment.day(at));
                    let read = duty.read(record, &records, map, on);
                    let date = read.and_then(ReadDate::moment);
                    if duty.keeps(date) {
                        kept.add(&duty.field, duty.day(date));
                    }
                    kept.add_unreadable(&duty.field, u64::from(read.is_some_and(ReadDate::is_unreadable)));
                }
            }
        }
        Ok(Tally { classes, kept, rare, alone, uncertain, contents, others, tombstones, ..Tally::default() })
    }

    async fn list_uncertain_of(
        &self,
        customer: &CustomerId,
        treatment: &Treatment,
        at: Option<DateTime<Utc>>,
    ) -> Result<Vec<UncertainMention>, StoreError> {
        let records = self.records(customer).await?;
        let Some(people) = self.people(&records, treatment, None)? else { return Ok(Vec::new()) };
        let facts = if treatment.counts_groups() { self.one(customer).await? } else { None };
        let day = at.map_or(NaiveDate::MIN, |at| treatment.day(at));
        let tenant = facts.as_ref().map(|facts| &facts.tenant);
        let standings = self.standings(&records, treatment, tenant, day).await?;
        let shared = self.are_others_too(customer, &records, treatment).await?;
        let own = records.iter().zip(standings).zip(shared).filter(|(_, is_others_too)| !is_others_too);
        let mut list = Vec::new();
        for ((record, standing), _) in own {
            for (field, mentions) in
                treatment.uncertain(record, standing, self.repository.data_map(), &people)
            {
                let (class, key, field) = (record.class.clone(), record.key.clone(), field.clone());
                list.push(UncertainMention { class, key, field, mentions });
            }
        }
        list.sort_by(|a, b| (&a.class, &a.key, &a.field).cmp(&(&b.class, &b.key, &b.field)));
        Ok(list)
    }

    async fn erase_one(&self, target: &Target, request: &EraseRequest) -> Result<Erased, StoreError> {
        for attempt in 0..TRIES {
            let Some(loaded) = self.load(&target.customer).await? else {
                return Ok(Erased::Missing);
            };
            // The facts are read after the version, so the save detects a change in between.
            let facts = self.one(&target.customer).await?;
            let is_other = |facts: &Customer| !target.expected.holds(facts) || facts.tenant != target.tenant;
            if facts.as_ref().is_some_and(is_other) {
                return Ok(Erased::Changed);
            }
            if facts.is_none() && !request.treatment.deletes_root() {
                return Ok(Erased::Changed);
            }
            let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
            let date = request.treatment.day(request.at);
            let mut counts = Counts::default();
            let mut writes = Vec::new();
            let people =
                self.people(&loaded.records, &request.treatment, request.known.get(&target.customer))?;
            let is_erased = request.treatment.is_customer_erased(&loaded.records);
            let tenant = facts.as_ref().map(|facts| &facts.tenant);
            let standings = self.standings(&loaded.records, &request.treatment, tenant, date).await?;
            let shared = self.are_others_too(&target.customer, &loaded.records, &request.treatment).await?;
            for ((record, standing), is_others_too) in loaded.records.into_iter().zip(standings).zip(shared) {
                let change = if is_others_too {
                    RecordChange::Nothing
                } else {
                    request.treatment.treat(&record, standing, &request.seed, date, attempt)
                };
                let texts = self.texts(&record, standing, &request.treatment, people.as_ref(), is_erased)?;
                let written = texts.into_iter().map(|(field, text)| {
                    let (class, key, seed) = (&record.class, &record.key, &request.seed);
                    let draw = Draw { seed, class, key, field: &field, attempt, date };
                    let written = text.written(record.get(field.as_str()), &draw);
                    (field, written)
                });
                let change = with_redacted(change, written.collect());
                let is_kept = |class: &ClassTreatment| matches!(class.action(), RecordAction::Keep { .. });
                let is_treated = !request.treatment.class(record.class.as_str()).is_none_or(is_kept);
                if is_others_too {
                    counts.otherwise.entry(record.class.clone()).or_default().shared += 1;
                } else if is_treated && standing != Standing::Kept {
                    if standing == Standing::Needed {
                        counts.otherwise.entry(record.class.clone()).or_default().meanwhile += 1;
                    } else {
                        *counts.classes.entry(record.class.clone()).or_default() += 1;
                    }
                }
                if !is_others_too {
                    let map = self.repository.data_map();
                    for (field, outcome) in request.treatment.by_content(&record, standing, map) {
                        let otherwise = counts.otherwise.entry(record.class.clone()).or_default();
                        otherwise.contents.entry(field).or_default().count(outcome, 1);
                    }
                }
                if change != RecordChange::Nothing {
                    writes.push(RecordWrite { record, change });
                }
            }
            if writes.is_empty() {
                return Ok(if facts.is_none() { Erased::Missing } else { Erased::Done(counts) });
            }
            let changes =
                Changes { customer: target.customer.clone(), version: loaded.version, status: None, writes };
            if self.repository.save(&changes).await? == Saved::Done {
                return Ok(Erased::Done(counts));
            }
        }
        Err(StoreError::Contended { doing: "erasing a customer's records" })
    }

    async fn set_status(
        &self,
        customer: &CustomerId,
        change: StatusChange,
        allowed: impl Fn(&Customer) -> bool + Send + Sync,
    ) -> Result<StatusSet, StoreError> {
        for _ in 0..TRIES {
            let Some(loaded) = self.repository.load(customer).await? else { return Ok(StatusSet::Missing) };
            let Some(facts) = self.one(customer).await? else { return Ok(StatusSet::Missing) };
            if !allowed(&facts) {
                return Ok(StatusSet::Refused);
            }
            let changes = Changes {
                customer: customer.clone(),
                version: loaded.version,
                status: Some(change.clone()),
                writes: Vec::new(),
            };
            if self.repository.save(&changes).await? == Saved::Done {
                let is_archived = self.one(customer).await?.is_some_and(|facts| facts.status.is_archived());
                if change == StatusChange::Archive && !is_archived {
                    let what = "the repository saved that the customer is archived, and its facts do not say so; save \
                                Changes::status, or use without_deactivation in the data map";
                    return Err(StoreError::failed("archiving a customer", what));
                }
                return Ok(StatusSet::Done { before: facts.former_status });
            }
        }
        Err(StoreError::Contended { doing: "changing a customer's status" })
    }

    async fn deactivate_one(&self, one: &Deactivation) -> Result<Deactivated, StoreError> {
        match self.one(&one.customer).await? {
            None => return Ok(Deactivated::Missing),
            Some(facts) if facts.status.is_archived() => return Ok(Deactivated::Already),
            Some(_) => {}
        }
        let done =
            self.set_status(&one.customer, StatusChange::Archive, |facts| one.expected.holds(facts)).await?;
        Ok(match done {
            StatusSet::Missing => Deactivated::Missing,
            StatusSet::Refused => Deactivated::Changed,
            StatusSet::Done { before } => Deactivated::Done { before },
        })
    }

    async fn reactivate_one(&self, one: &Reactivation) -> Result<Reactivated, StoreError> {
        let change = StatusChange::Restore(one.before.clone());
        let done = self.set_status(&one.customer, change, |facts| facts.status.is_archived()).await?;
        Ok(match done {
            StatusSet::Missing => Reactivated::Missing,
            StatusSet::Refused => Reactivated::Changed,
            StatusSet::Done { .. } => Reactivated::Done,
        })
    }

    fn cannot_deactivate(&self) -> bool {
        matches!(self.repository.data_map().deactivation(), data_map::DeactivationSupport::None { .. })
    }

    /// The customer as a text matcher, if the treatment searches texts.
    fn people(
        &self,
        records: &[Record],
        treatment: &Treatment,
        known: Option<&Known>,
    ) -> Result<Option<Matcher>, StoreError> {
        if !treatment.redacts() {
            return Ok(None);
        }
        let mut identifiers =
            self.identify(records, |class, field, value| !treatment.is_erased(class, field, value))?;
        for (kind, value) in known.iter().flat_map(|known| known.identifiers.iter()) {
            identifiers.insert(kind.clone(), value);
        }
        let too_many =
            |error: TooManyPeople| StoreError::failed("looking for a customer in texts", error.to_string());
        Matcher::new([&identifiers]).map(Some).map_err(too_many)
    }

    /// The new values of a record's searched texts.
    fn texts<'t>(
        &self,
        record: &Record,
        standing: Standing,
        treatment: &'t Treatment,
        people: Option<&Matcher>,
        is_erased: bool,
    ) -> Result<BTreeMap<FieldName, NewText<'t>>, StoreError> {
        let Some(people) = people else { return Ok(BTreeMap::new()) };
        let map = self.repository.data_map();
        treatment.texts(record, standing, map, people, is_erased).map_err(|(field, why)| {
            let what = format!("{field} of {} cannot be searched: {why}", record.class);
            let doing = "looking for a customer in texts";
            StoreError::Unreadable { doing, what, way_out: way_out(&record.class) }
        })
    }

    /// Collects the text values of the identifying fields.
    fn identify(
        &self,
        records: &[Record],
        counts: impl Fn(&str, &str, &Value) -> bool,
    ) -> Result<Identifiers, StoreError> {
        let mut identifiers = Identifiers::new();
        for record in records {
            let Some(class) = self.repository.data_map().class(record.class.as_str()) else { continue };
            for field in class.fields() {
                let value = record.get(field.name().as_str());
                let Some(kind) = field.kind().filter(|kind| kind.is_searched_for()) else { continue };
                if !counts(record.class.as_str(), field.name().as_str(), value) {
                    continue;
                }
                // A field of bytes contains no identifier.
                let is_binary = field.constraints().datatype == Datatype::Blob;
                let text = identifier_in(value).or_else(|why| if is_binary { Ok(None) } else { Err(why) });
                let text = text.map_err(|why| {
                    let what = format!("{} of {} cannot be read: {why}", field.name(), record.class);
                    let (doing, way_out) = ("reading identifiers", IDENTIFIER_WAY_OUT.to_owned());
                    StoreError::Unreadable { doing, what, way_out }
                })?;
                if let Some(text) = text {
                    identifiers.insert(kind.clone(), text.into_owned());
                }
            }
        }
        Ok(identifiers)
    }
}

/// The number of customers in each group.
async fn count(counter: &Arc<dyn CountGroups>, groups: &[Group]) -> Result<Vec<u64>, StoreError> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let counts = counter.count(groups).await?;
    if counts.len() != groups.len() {
        let what = "not every group was counted";
        return Err(StoreError::failed("counting who shares what stays", what));
    }
    Ok(counts)
}

/// The change, with the redacted texts added.
fn with_redacted(change: RecordChange, redacted: BTreeMap<FieldName, Value>) -> RecordChange {
    match change {
        RecordChange::Nothing if !redacted.is_empty() => RecordChange::Write(redacted),
        RecordChange::Write(mut fields) => {
            fields.extend(redacted);
            RecordChange::Write(fields)
        }
        RecordChange::Reassign(mut fields) => {
            fields.extend(redacted);
            RecordChange::Reassign(fields)
        }
        other => other,
    }
}

fn unmapped(what: &str) -> StoreError {
    StoreError::failed(
        "loading records",
        format!("the repository gave {what}, which its data map does not name; classify it there"),
    )
}

/// Checks that the treatment fits the data map.
pub(super) fn fits(treatment: &Treatment, map: &DataMap) -> Result<(), StoreError> {
    let misfit = |what: String| Err(StoreError::Treatment { what });
    for class in map.classes() {
        let Some(treated) = treatment.class(class.name().as_str()) else {
            return misfit(format!("it does not cover {}", class.name()));
        };
        if *treated.action() == RecordAction::Reassign && !class.is_reassignable() {
            return misfit(format!("{} cannot be reassigned", class.name()));
        }
        let unknown = |field: &&FieldName| class.find(field.as_str()).is_none();
        if let Some(field) = treated.strategies().map(|(field, _)| field).find(unknown) {
            return misfit(format!("there is no field {}.{field}", class.name()));
        }
        let unbound = treated.strategies().find_map(|(field, strategy)| Some((field, strategy.unbound()?)));
        if let Some((field, own)) = unbound {
            let field = format!("{}.{field}", class.name());
            return misfit(format!("this program has no strategy {} for {field}", own.name()));
        }
    }
    match treatment.classes().keys().find(|name| map.class(name.as_str()).is_none()) {
        Some(name) => misfit(format!("there is no class {name}")),
        None => Ok(()),
    }
}

#[async_trait]
impl<R: Repository> RecordStore for ByRecord<R> {
    fn data_map(&self) -> &DataMap {
        self.repository.data_map()
    }

    /// `None`: a repository returns only records of customers, so it needs no census.
    fn takes_census(&self) -> Option<&dyn TakeCensus> {
        None
    }

    async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError> {
        fits(&request.treatment, self.data_map())?;
        let mut batch = Vec::with_capacity(request.customers.len());
        for customer in &request.customers {
            batch.push(
                self.tally_one(customer, &request.treatment, request.at, request.known.get(customer)).await,
            );
        }
        Ok(batch)
    }

    async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError> {
        fits(&request.treatment, self.data_map())?;
        let mut batch = Vec::with_capacity(request.targets.len());
        for target in &request.targets {
            batch.push(self.erase_one(target, request).await);
        }
        Ok(batch)
    }
}

#[async_trait]
impl<R: Repository> ListUncertain for ByRecord<R> {
    async fn list_uncertain(
        &self,
        request: &TallyRequest,
    ) -> Result<Batch<Vec<UncertainMention>>, StoreError> {
        fits(&request.treatment, self.data_map())?;
        let mut batch = Vec::with_capacity(request.customers.len());
        for customer in &request.customers {
            batch.push(self.list_uncertain_of(customer, &request.treatment, request.at).await);
        }
        Ok(batch)
    }
}

#[async_trait]
impl<R: Repository> CustomerStore for ByRecord<R> {
    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        self.repository.facts(customers).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        self.repository.page(request).await
    }

    async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError> {
        let mut batch = Vec::with_capacity(customers.len());
        for customer in customers {
            let records = self.records(customer).await;
            batch.push(
                records
                    .and_then(|records| self.identify(&records, |_, _, _| true))
                    .map(Identifiers::identifying),
            );
        }
        Ok(batch)
    }

    async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError> {
        let mut answers = Vec::with_capacity(batch.len());
        for one in batch {
            answers.push(if self.cannot_deactivate() {
                Ok(Deactivated::Unsupported)
            } else {
                self.deactivate_one(one).await
            });
        }
        Ok(answers)
    }

    async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError> {
        let mut answers = Vec::with_capacity(batch.len());
        for one in batch {
            answers.push(if self.cannot_deactivate() {
                Ok(Reactivated::Unsupported)
            } else {
                self.reactivate_one(one).await
            });
        }
        Ok(answers)
    }
}
