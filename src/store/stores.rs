//! Several databases: a root store and the stores beside it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;

use super::by_record::fits;
use super::{
    Batch, Census, CensusRequest, Counts, CustomerStore, Deactivated, Deactivation, EraseRequest, Erased,
    Known, KnownCustomers, Page, PageRequest, Reactivated, Reactivation, ReadRecords, ReadRequest,
    RecordPage, RecordStore, RegistrationPage, StoreError, TakeCensus, Tally, TallyRequest, Target, Whose,
};
use crate::customer::{Customer, CustomerId, Identifiers};
use crate::data_map::{ClassName, DataMap, FieldName, RecordClass, Role, StoreName, Value, spelled_key};
use crate::digest::Digest;
use crate::document::{Problem, Problems};
use crate::treatment::{RecordAction, Treatment};

/// A store beside a root store. It has records of customers, and knows a customer by the key or by a value from the
/// root store. Its data map has the class of the root store's customers, but with only these fields.
///
/// Requests contain facts about the customers from the root store: see [`Known`]. The expected facts of a [`Target`]
/// are those of [`Customer::new`].
pub trait StoreBeside: RecordStore + ReadRecords {}

impl<T: RecordStore + ReadRecords> StoreBeside for T {}

/// A root store together with the stores beside it. The page is [`manual::stores`](crate::manual::stores).
///
/// It wraps the root store, and is itself a [`CustomerStore`]. Its data map has the classes of every store.
/// So policies, plans, duties, expiries and certificates treat the call records in another database like rows of the root
/// store.
///
/// ```
/// use relinquish::data_map::{Field, Kind, Link, RecordClass, WhenGone};
/// use relinquish::store::{MemoryRepository, MemoryStore, RecordStore, WithStores};
/// use relinquish::DataMap;
///
/// let customer = || RecordClass::new("customer").field(Field::key("id"));
/// let crm = DataMap::builder(customer().field(Field::personal("name", Kind::Name))).build()?;
/// let call = RecordClass::new("call")
///     .field(Field::key("id"))
///     .field(Field::personal("number", Kind::Phone))
///     .link(Link::owner("customer", ["customer_id"]).when_gone(WhenGone::Goes))
///     .field(Field::owner("customer_id"));
/// // This store has no customers of its own: it only has their key.
/// let calls = DataMap::builder(customer()).class(call).build()?;
///
/// let store = |map| MemoryStore::new(MemoryRepository::new(map));
/// let all = WithStores::around(store(crm)).store("calls", store(calls))?;
/// assert!(all.data_map().class("call").is_some());
/// # Ok::<(), relinquish::Problems>(())
/// ```
///
/// # Order, and failures in between
/// The stores are erased in the order in which they were added, each in its own transactions. The root store is last,
/// because it has the values by which the other stores know the customer. No transaction spans two databases. So
/// before each store, the facts of the customer are read from the root store and compared with the plan. The root
/// store compares them again inside its own transaction. If a store fails, the case waits, and a resume continues
/// from there. Records that are erased already are not touched again.
///
/// # Stores that know a customer by a value
/// A store may know a customer by an e-mail address. The value is read from the root store for each request.
/// * If two customers of the root store have the same value, the owner of the records is unknown. Both customers are
///   blocked.
/// * The values are compared exactly. `Ann@example.org` and `ann@example.org` are two addresses. So a column with a
///   collation (`NOCASE`, `citext`), or of a type in which different values become one, is refused.
/// * An erased value, such as a placeholder, leads to no record.
/// * Such a store is read back before the root store is erased. Afterwards nobody knows the value.
/// * After the root store is erased, records in such a store cannot be found any more. So a policy must not keep some of them
///   for a time, and a replay after a restore of this store alone finds nothing.
#[derive(Debug)]
pub struct WithStores<S> {
    root: S,
    map: DataMap,
    others: Vec<Other>,
}

#[derive(Debug)]
struct Other {
    name: StoreName,
    store: Arc<dyn StoreBeside>,
    /// The fields of the customers that the store needs in addition to the key.
    asks: Vec<FieldName>,
}

impl Other {
    fn part(&self, treatment: &Treatment) -> Arc<Treatment> {
        Arc::new(treatment.of_store(self.store.data_map()))
    }
}

/// The number of records that are read at once.
const PAGE: usize = 1_000;

/// How often a store may answer that there is more to do.
const MOST_ROUNDS: u32 = 10_000;

impl<S: CustomerStore + ReadRecords> WithStores<S> {
    /// Wraps a root store, without other stores yet.
    pub fn around(root: S) -> Self {
        let map = root.data_map().clone();
        Self { root, map, others: Vec::new() }
    }

    /// Adds a store. It is erased after the stores that were added before it.
    ///
    /// # Errors
    /// [`Problems`]: a store of this name exists already, or the maps do not fit; see [`DataMap::with_store`].
    pub fn store(mut self, name: impl Into<StoreName>, store: impl StoreBeside) -> Result<Self, Problems> {
        let name = name.into();
        if self.others.iter().any(|other| other.name == name) {
            let twice =
                Problem::new(format!("store {name}"), "is there twice", "give one of them another name");
            Problems::none_or(vec![twice])?;
        }
        self.map = self.map.with_store(&name, store.data_map())?;
        let asks = store.data_map().asks_for();
        self.others.push(Other { name, store: Arc::new(store), asks });
        Ok(self)
    }

    /// The wrapped root store.
    pub fn root(&self) -> &S {
        &self.root
    }

    /// The part of a treatment that the root store gets.
    fn of_root(&self, treatment: &Treatment) -> Arc<Treatment> {
        let elsewhere = self.map.classes().filter(|class| class.store().is_some());
        Arc::new(treatment.without(elsewhere.map(RecordClass::name)))
    }

    fn beside(&self, class: &ClassName) -> Option<&Other> {
        let name = self.map.class(class.as_str())?.store()?;
        self.others.iter().find(|other| other.name == *name)
    }

    async fn facts_of(&self, customers: &[CustomerId]) -> Result<HashMap<CustomerId, Customer>, StoreError> {
        let facts = self.root.facts(customers).await?;
        Ok(facts.into_iter().map(|facts| (facts.id.clone(), facts)).collect())
    }

    /// Facts about customers from the root store, for the stores beside it. `treatment` says whether the texts of
    /// those stores are searched for the customers.
    async fn known(
        &self,
        customers: &[CustomerId],
        facts: &HashMap<CustomerId, Customer>,
        treatment: Option<&Treatment>,
    ) -> Result<Batch<Known>, StoreError> {
        let asks: BTreeSet<FieldName> = self.others.iter().flat_map(|other| &other.asks).cloned().collect();
        let there: Vec<CustomerId> = customers.iter().filter(|id| facts.contains_key(*id)).cloned().collect();
        let mut values = if asks.is_empty() || there.is_empty() {
            HashMap::new()
        } else {
            self.values(&there, &asks).await?
        };
        // An erased value leads nowhere, and may be the same for everybody who is erased.
        if let Some(treatment) = treatment {
            let root = self.map.root().as_str();
            let is_erased = |field: &FieldName, value: &Value| {
                treatment.is_erased(root, field.as_str(), value)
                    || treatment
                        .other_signs
                        .iter()
                        .any(|signs| signs.get(field).is_some_and(|sign| sign.holds(value)))
            };
            for own in values.values_mut() {
                own.retain(|field, value| !is_erased(field, value));
            }
        }
        let shared = self.shared(&asks, &values).await?;
        let searched = treatment.filter(|treatment| {
            let is_searched = |other: &Other| {
                other.store.looks_for_leftovers() || treatment.of_store(other.store.data_map()).redacts()
            };
            self.others.iter().any(is_searched)
        });
        let mut identifiers: HashMap<CustomerId, Result<Identifiers, StoreError>> = HashMap::new();
        if let Some(treatment) = searched.filter(|_| !there.is_empty()) {
            let found = self.root.identifiers(&there).await?.into_iter();
            let found = found.map(|found| found.map(|found| self.not_erased(&found, treatment)));
            identifiers.extend(there.iter().cloned().zip(found));
        }
        let known = |id: &CustomerId| {
            let Some(facts) = facts.get(id) else { return Ok(Known::of("".into())) };
            let mut known = Known::of(facts.tenant.clone());
            known.values = values.get(id).cloned().unwrap_or_default();
            let taken = known
                .values
                .iter()
                .find(|(field, value)| shared.contains(&((*field).clone(), spelled(value))));
            if let Some((field, _)) = taken {
                return Err(self.of_several(field));
            }
            if let Some(treatment) = searched {
                known.identifiers = match identifiers.get(id) {
                    Some(Ok(found)) => found.clone(),
                    _ => identifiers.remove(id).unwrap_or_else(|| Err(not_tried()))?,
                };
                known.erased = self.to_erase(&known.identifiers, treatment);
            }
            Ok(known)
        };
        Ok(customers.iter().map(known).collect())
    }

    /// The customers' own values of these fields.
    async fn values(
        &self,
        customers: &[CustomerId],
        asks: &BTreeSet<FieldName>,
    ) -> Result<HashMap<CustomerId, BTreeMap<FieldName, Value>>, StoreError> {
        let mut found = HashMap::new();
        self.each_root(Whose::Of(customers.to_vec()), asks, None, |id, values| {
            // Other rows of the customers' own table may belong to a customer, such as contacts of a company.
            found.insert(id, values);
        })
        .await?;
        Ok(found)
    }

    /// The values that several customers of the root store have.
    async fn shared(
        &self,
        asks: &BTreeSet<FieldName>,
        values: &HashMap<CustomerId, BTreeMap<FieldName, Value>>,
    ) -> Result<BTreeSet<(FieldName, String)>, StoreError> {
        let mut shared = BTreeSet::new();
        for field in asks {
            let sought: BTreeMap<String, Value> = values
                .values()
                .filter_map(|values| values.get(field).filter(|value| **value != Value::Null))
                .map(|value| (spelled(value), value.clone()))
                .collect();
            if sought.is_empty() {
                continue;
            }
            let mut seen: BTreeMap<String, CustomerId> = BTreeMap::new();
            let only = Some((field.clone(), sought.into_values().collect()));
            self.each_root(Whose::Everybody, &BTreeSet::from([field.clone()]), only, |id, values| {
                let Some(value) = values.get(field).map(spelled) else { return };
                if *seen.entry(value.clone()).or_insert_with(|| id.clone()) != id {
                    shared.insert((field.clone(), value));
                }
            })
            .await?;
        }
        Ok(shared)
    }

    /// Reads fields of the customers' own records.
    async fn each_root(
        &self,
        whose: Whose,
        fields: &BTreeSet<FieldName>,
        only: Option<(FieldName, Vec<Value>)>,
        mut each: impl FnMut(CustomerId, BTreeMap<FieldName, Value>) + Send,
    ) -> Result<(), StoreError> {
        let root = self.map.class(self.map.root().as_str());
        let key: Vec<&FieldName> = root
            .into_iter()
            .flat_map(RecordClass::fields)
            .filter(|field| field.role() == Role::Key)
            .map(crate::data_map::Field::name)
            .collect();
        let wanted = fields.iter().chain(key.iter().copied()).cloned();
        let mut request = ReadRequest::new(self.map.root().clone(), whose, PAGE).fields(wanted);
        request.only = only;
        loop {
            let page = self.root.read_records(&request).await?;
            let place = |name: &FieldName| page.fields.iter().position(|field| field == name);
            let key: Option<Vec<usize>> = key.iter().map(|name| place(name)).collect();
            let places: Vec<(&FieldName, usize)> =
                fields.iter().filter_map(|name| Some((name, place(name)?))).collect();
            for record in &page.records {
                let value = |at: usize| record.values.get(at).cloned().unwrap_or(Value::Null);
                let parts: Option<Vec<Value>> =
                    key.as_ref().map(|key| key.iter().map(|at| value(*at)).collect());
                let Some(id) = parts.and_then(|parts| spelled_key(&parts)) else { continue };
                let values = places.iter().map(|(name, at)| ((*name).clone(), value(*at))).collect();
                each(CustomerId::new(id), values);
            }
            match page.next {
                Some(next) => request.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// The identifiers that the treatment has not erased yet.
    fn not_erased(&self, identifiers: &Identifiers, treatment: &Treatment) -> Identifiers {
        let mut left = Identifiers::new();
        for (kind, value) in identifiers.iter() {
            let stored = Value::from(value);
            let own = self.map.classes().filter(|class| class.store().is_none());
            let is_erased = own
                .flat_map(|class| class.fields().iter().map(move |field| (class.name(), field)))
                .filter(|(_, field)| field.kind() == Some(kind))
                .any(|(class, field)| treatment.is_erased(class.as_str(), field.name().as_str(), &stored));
            if !is_erased {
                left.insert(kind.clone(), value);
            }
        }
        left
    }

    /// The identifiers of which the root store will keep no copy.
    fn to_erase(&self, identifiers: &Identifiers, treatment: &Treatment) -> Identifiers {
        let mut erased = Identifiers::new();
        for (kind, value) in identifiers.iter() {
            let own = self.map.classes().filter(|class| class.store().is_none());
            let goes = own
                .flat_map(|class| class.fields().iter().map(move |field| (class.name(), field)))
                .filter(|(_, field)| field.kind() == Some(kind))
                .all(|(class, field)| treatment.erases(class.as_str(), field.name().as_str()));
            if goes {
                erased.insert(kind.clone(), value);
            }
        }
        erased
    }

    fn of_several(&self, field: &FieldName) -> StoreError {
        let stores = self.others.iter().filter(|other| other.asks.contains(field));
        let stores: Vec<&str> = stores.map(|other| other.name.as_str()).collect();
        let what = format!(
            "several customers have this customer's {field}, by which {} knows them, so nobody can tell whose records are \
             there; mend the data",
            stores.join(" and ")
        );
        StoreError::failed("finding a customer in another store", what)
    }

    /// Erases the records of one store. Customers with an answer are finished for this round. `done`: the counts of
    /// this round for the others.
    async fn erase_beside(
        &self,
        other: &Other,
        request: &EraseRequest,
        known: &BTreeMap<CustomerId, Known>,
        answers: &mut [Option<Result<Erased, StoreError>>],
        done: &mut [Counts],
    ) -> Result<(), StoreError> {
        let part = other.part(&request.treatment);
        let treated: BTreeSet<&ClassName> = part
            .classes()
            .iter()
            .filter(|(_, class)| !matches!(class.action(), RecordAction::Keep { .. }))
            .map(|(name, _)| name)
            .collect();
        let open = |(at, target): (usize, &Target)| {
            let is_open = answers.get(at).is_some_and(Option::is_none);
            (is_open && known.contains_key(&target.customer)).then(|| (at, target.clone()))
        };
        let open: Vec<(usize, Target)> = request.targets.iter().enumerate().filter_map(open).collect();
        if treated.is_empty() || open.is_empty() {
            return Ok(());
        }
        let is_over = |target: &Target| {
            let parts = request.parts.as_ref().and_then(|parts| parts.get(&target.customer));
            parts.is_some_and(|classes| treated.iter().any(|class| classes.contains(*class)))
        };
        let mut todo: Vec<(usize, Target)> =
            open.iter().filter(|(_, target)| !is_over(target)).cloned().collect();
        let mut rounds = 0;
        while !todo.is_empty() {
            rounds += 1;
            if rounds > MOST_ROUNDS {
                return Err(
                    StoreError::Contended { doing: "erasing records, part by part" }.in_store(&other.name)
                );
            }
            todo = self.erase_once(other, request, &part, known, todo, answers, done).await?;
        }
        for (at, _) in open.iter().filter(|_| request.parts.is_some()) {
            // Before the next store, the caller records the counts, and checks the customer again.
            if let (Some(answer), Some(done)) = (answers.get_mut(*at), done.get_mut(*at))
                && answer.is_none()
                && !done.is_nothing()
            {
                *answer = Some(Ok(Erased::More(std::mem::take(done))));
            }
        }
        self.read_back(other, request, &part, known, &open, answers).await
    }

    /// Makes one request to one store. Returns the customers for whom there is more to do.
    #[allow(clippy::too_many_arguments, reason = "the request, its part for the store, and what came of it")]
    async fn erase_once(
        &self,
        other: &Other,
        request: &EraseRequest,
        part: &Arc<Treatment>,
        known: &BTreeMap<CustomerId, Known>,
        todo: Vec<(usize, Target)>,
        answers: &mut [Option<Result<Erased, StoreError>>],
        done: &mut [Counts],
    ) -> Result<Vec<(usize, Target)>, StoreError> {
        let bare = |(_, target): &(usize, Target)| Target {
            expected: Customer::new(target.customer.as_str(), target.tenant.clone()).expected(),
            ..target.clone()
        };
        let own = EraseRequest::new(
            todo.iter().map(bare).collect(),
            Arc::clone(part),
            request.seed.clone(),
            request.at,
        )
        .held(Arc::clone(&request.held))
        .known(known_of(known, &todo));
        let mut got = other.store.erase(&own).await.map_err(|error| error.in_store(&other.name))?.into_iter();
        let mut more = Vec::new();
        for (at, target) in todo {
            let (Some(answer), Some(done)) = (answers.get_mut(at), done.get_mut(at)) else { continue };
            let failed = match got.next() {
                Some(Ok(Erased::Done(counts))) => {
                    done.add(&counts);
                    continue;
                }
                Some(Ok(Erased::Missing)) => continue,
                Some(Ok(Erased::More(counts))) if !counts.is_nothing() => {
                    done.add(&counts);
                    more.push((at, target));
                    continue;
                }
                Some(Ok(answer)) => {
                    let what = match answer {
                        Erased::More(_) => "says that there is more to do, but does nothing",
                        _ => "says that the customer changed, and has no facts of customers",
                    };
                    StoreError::failed("erasing records", format!("{} {what}", other.name))
                }
                Some(Err(error)) => error.in_store(&other.name),
                None => not_tried().in_store(&other.name),
            };
            // Some of the work is done. A permanent error would mean that nothing was touched, so the error must be
            // transient.
            *answer = Some(Err(if done.is_nothing() { failed } else { unavailable(&failed) }));
        }
        Ok(more)
    }

    /// Reads back a store that knows the customers by a value. This must happen now, because the value is gone after
    /// the root store is erased.
    async fn read_back(
        &self,
        other: &Other,
        request: &EraseRequest,
        part: &Arc<Treatment>,
        known: &BTreeMap<CustomerId, Known>,
        open: &[(usize, Target)],
        answers: &mut [Option<Result<Erased, StoreError>>],
    ) -> Result<(), StoreError> {
        let open: Vec<(usize, Target)> =
            open.iter().filter(|(at, _)| answers.get(*at).is_some_and(Option::is_none)).cloned().collect();
        if other.asks.is_empty() || open.is_empty() {
            return Ok(());
        }
        let customers = open.iter().map(|(_, target)| target.customer.clone()).collect();
        let read = TallyRequest::new(customers, Arc::clone(part))
            .at(request.at)
            .held(Arc::clone(&request.held))
            .known(known_of(known, &open));
        let mut tallies =
            other.store.tally(&read).await.map_err(|error| error.in_store(&other.name))?.into_iter();
        for (at, _) in open {
            let left = match tallies.next() {
                Some(Ok(tally)) if tally.due() == 0 => continue,
                Some(Ok(tally)) => StoreError::failed(
                    "reading back",
                    format!("{} says that it is done, but {} records are unchanged", other.name, tally.due()),
                ),
                Some(Err(error)) => error.in_store(&other.name),
                None => not_tried().in_store(&other.name),
            };
            if let Some(answer) = answers.get_mut(at) {
                *answer = Some(Err(left));
            }
        }
        Ok(())
    }

    /// Compares the facts of the customers with the plan, and reads the facts that the other stores need.
    async fn look_ahead(
        &self,
        request: &EraseRequest,
        answers: &mut [Option<Result<Erased, StoreError>>],
        done: &[Counts],
    ) -> Result<BTreeMap<CustomerId, Known>, StoreError> {
        let ids: Vec<CustomerId> = request.targets.iter().map(|target| target.customer.clone()).collect();
        let facts = self.facts_of(&ids).await?;
        let found = self.known(&ids, &facts, Some(&request.treatment)).await?;
        let mut known = BTreeMap::new();
        for (((target, answer), found), done) in request.targets.iter().zip(answers).zip(found).zip(done) {
            if answer.is_some() {
                continue;
            }
            *answer = match (facts.get(&target.customer), found) {
                (Some(facts), _) if !target.expected.holds(facts) || facts.tenant != target.tenant => {
                    // Another store was erased already. The next call answers that the customer changed.
                    Some(Ok(if done.is_nothing() { Erased::Changed } else { Erased::More(done.clone()) }))
                }
                (_, Err(error)) => Some(Err(error)),
                // If the customer does not exist, the records cannot be found, unless the treatment deletes the
                // customer.
                (None, Ok(_)) if !request.treatment.deletes_root() => None,
                (_, Ok(found)) => {
                    let tenant = target.tenant.clone();
                    known.insert(target.customer.clone(), Known { tenant, ..found });
                    None
                }
            };
        }
        Ok(known)
    }

    /// Counts of zero for all treated classes of the store: classes without records of the customer count as well.
    fn nothing(&self, treatment: &Treatment) -> Counts {
        let mut counts = Counts::default();
        for class in self.map.classes().filter(|class| class.store().is_some()) {
            let treated = treatment.class(class.name().as_str());
            if treated.is_some_and(|treated| !matches!(treated.action(), RecordAction::Keep { .. })) {
                counts.classes.insert(class.name().clone(), 0);
            }
        }
        counts
    }

    fn takers(&self) -> impl Iterator<Item = (Option<&StoreName>, &dyn TakeCensus)> {
        let root = self.root.takes_census().map(|taker| (None, taker));
        let others = self.others.iter();
        root.into_iter()
            .chain(others.filter_map(|other| Some((Some(&other.name), other.store.takes_census()?))))
    }
}

/// The known facts of some of the customers.
fn known_of(known: &BTreeMap<CustomerId, Known>, some: &[(usize, Target)]) -> KnownCustomers {
    let ids = some.iter().map(|(_, target)| &target.customer);
    Arc::new(ids.filter_map(|id| Some((id.clone(), known.get(id)?.clone()))).collect())
}

/// A value as text with its type, so that values of different types differ. (`Debug` does not show values.)
fn spelled(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn not_tried() -> StoreError {
    StoreError::Unavailable { doing: "asking for records", what: "the store gave no answer".to_owned() }
}

/// Gives the error of the whole batch to the customers without an answer. The other answers stay.
fn failed_for_the_rest(
    error: StoreError,
    mut answers: Vec<Option<Result<Erased, StoreError>>>,
) -> Result<Batch<Erased>, StoreError> {
    if answers.iter().all(Option::is_none) {
        return Err(error);
    }
    Ok(answers.drain(..).map(|answer| answer.unwrap_or_else(|| Err(unavailable(&error)))).collect())
}

fn unavailable(error: &StoreError) -> StoreError {
    StoreError::Unavailable { doing: "erasing records", what: error.to_string() }
}

#[async_trait]
impl<S: CustomerStore + ReadRecords> RecordStore for WithStores<S> {
    fn data_map(&self) -> &DataMap {
        &self.map
    }

    fn takes_census(&self) -> Option<&dyn TakeCensus> {
        self.takers().next().map(|_| self as &dyn TakeCensus)
    }

    fn looks_for_leftovers(&self) -> bool {
        self.root.looks_for_leftovers() && self.others.iter().all(|other| other.store.looks_for_leftovers())
    }

    async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError> {
        fits(&request.treatment, &self.map)?;
        let mut own = request.clone();
        own.treatment = self.of_root(&request.treatment);
        let mut batch = self.root.tally(&own).await?;
        let facts = self.facts_of(&request.customers).await?;
        let known = self.known(&request.customers, &facts, Some(&request.treatment)).await?;
        let mut everybody = BTreeMap::new();
        for ((answer, known), id) in batch.iter_mut().zip(known).zip(&request.customers) {
            match known {
                Ok(known) => drop(everybody.insert(id.clone(), known)),
                Err(error) if answer.is_ok() => *answer = Err(error),
                Err(_) => {}
            }
        }
        let known: KnownCustomers = Arc::new(everybody);
        for other in &self.others {
            let open: Vec<usize> =
                (0..batch.len()).filter(|at| matches!(batch.get(*at), Some(Ok(_)))).collect();
            let mut part = request.clone().known(Arc::clone(&known));
            part.treatment = other.part(&request.treatment);
            part.customers = open.iter().filter_map(|at| request.customers.get(*at).cloned()).collect();
            if part.customers.is_empty() {
                break;
            }
            let found = other.store.tally(&part).await.map_err(|error| error.in_store(&other.name))?;
            let mut found = found.into_iter();
            for at in open {
                let Some(answer) = batch.get_mut(at) else { continue };
                match (found.next(), &mut *answer) {
                    (Some(Ok(mut more)), Ok(tally)) => {
                        more.classes.remove(self.map.root());
                        tally.join(more);
                    }
                    (Some(Err(error)), _) => *answer = Err(error.in_store(&other.name)),
                    (None, _) => *answer = Err(not_tried().in_store(&other.name)),
                    (Some(Ok(_)), Err(_)) => {}
                }
            }
        }
        Ok(batch)
    }

    async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError> {
        fits(&request.treatment, &self.map)?;
        let mut answers: Vec<Option<Result<Erased, StoreError>>> =
            request.targets.iter().map(|_| None).collect();
        let mut done = vec![Counts::default(); answers.len()];
        let mut known = self.look_ahead(request, &mut answers, &done).await?;
        for (place, other) in self.others.iter().enumerate() {
            if place > 0 {
                // The facts are compared right before each store.
                known = match self.look_ahead(request, &mut answers, &done).await {
                    Ok(known) => known,
                    Err(error) => return failed_for_the_rest(error, answers),
                };
            }
            if let Err(error) = self.erase_beside(other, request, &known, &mut answers, &mut done).await {
                return failed_for_the_rest(error, answers);
            }
        }
        let mut own = request.clone();
        own.treatment = self.of_root(&request.treatment);
        let open: Vec<usize> =
            (0..answers.len()).filter(|at| matches!(answers.get(*at), Some(None))).collect();
        own.targets = open.iter().filter_map(|at| request.targets.get(*at).cloned()).collect();
        if !own.targets.is_empty() {
            let mut got = match self.root.erase(&own).await {
                Ok(got) => got.into_iter(),
                Err(error) => return failed_for_the_rest(error, answers),
            };
            let nothing = self.nothing(&request.treatment);
            for at in open {
                let Some(answer) = answers.get_mut(at) else { continue };
                let before = done.get_mut(at).map(std::mem::take).unwrap_or_default();
                *answer = Some(match got.next() {
                    Some(Ok(Erased::Done(mut counts))) => {
                        counts.add(&before);
                        counts.add(&nothing);
                        Ok(Erased::Done(counts))
                    }
                    Some(Ok(Erased::More(mut counts))) => {
                        counts.add(&before);
                        Ok(Erased::More(counts))
                    }
                    // Another store was erased already. The next call gives the root store's answer.
                    Some(Ok(Erased::Changed | Erased::Missing)) if !before.is_nothing() => {
                        Ok(Erased::More(before))
                    }
                    Some(other) => other,
                    None => Err(not_tried()),
                });
            }
        }
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(not_tried()))).collect())
    }
}

/// The census of every store. The tables of a store beside the root store have the store's name before them.
#[async_trait]
impl<S: CustomerStore + ReadRecords> TakeCensus for WithStores<S> {
    async fn census(&self, request: &CensusRequest) -> Result<Census, StoreError> {
        let (mut tables, mut schemas) = (BTreeMap::new(), Vec::new());
        for (name, taker) in self.takers() {
            let found = match name {
                None => taker.census(request).await?,
                Some(name) => taker.census(request).await.map_err(|error| error.in_store(name))?,
            };
            schemas.push(found.schema);
            for (table, mut counted) in found.tables {
                let Some(name) = name else {
                    tables.insert(table, counted);
                    continue;
                };
                // Only the root store has the customers. This store does not know which of them exist.
                if counted.classes.remove(self.map.root()).is_some() && counted.classes.is_empty() {
                    continue;
                }
                tables.insert(format!("{name}.{table}"), counted);
            }
        }
        let (schema, data_map) = (Digest::of(&schemas), self.map.digest());
        Ok(Census { at: request.at, schema, data_map, database: self.database(), tables })
    }

    fn database(&self) -> Option<Digest> {
        let each: Vec<Option<Digest>> = self.takers().map(|(_, taker)| taker.database()).collect();
        each.iter().any(Option::is_some).then(|| Digest::of(&each))
    }

    async fn schema(&self) -> Result<Digest, StoreError> {
        let mut schemas = Vec::new();
        for (_, taker) in self.takers() {
            schemas.push(taker.schema().await?);
        }
        Ok(Digest::of(&schemas))
    }
}

#[async_trait]
impl<S: CustomerStore + ReadRecords> ReadRecords for WithStores<S> {
    async fn read_records(&self, request: &ReadRequest) -> Result<RecordPage, StoreError> {
        let Some(other) = self.beside(&request.class) else { return self.root.read_records(request).await };
        let Whose::Of(customers) = &request.whose else {
            // Only the root store knows the owner of a record.
            if request.owners {
                let what = format!(
                    "{} is in {}, which does not know the customers: ask for the records of a customer",
                    request.class, other.name
                );
                return Err(StoreError::failed("reading records", what));
            }
            return other.store.read_records(request).await;
        };
        let facts = self.facts_of(customers).await?;
        let found = self.known(customers, &facts, None).await?;
        let mut known = BTreeMap::new();
        for (id, found) in customers.iter().zip(found) {
            known.insert(id.clone(), found?);
        }
        let request = request.clone().known(Arc::new(known));
        other.store.read_records(&request).await.map_err(|error| error.in_store(&other.name))
    }

    fn finds_by(&self, class: &ClassName, field: &FieldName) -> bool {
        match self.beside(class) {
            Some(other) => other.store.finds_by(class, field),
            None => self.root.finds_by(class, field),
        }
    }
}

#[async_trait]
impl<S: CustomerStore + ReadRecords> CustomerStore for WithStores<S> {
    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        self.root.facts(customers).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        self.root.page(request).await
    }

    async fn registrations(&self, request: &PageRequest) -> Result<RegistrationPage, StoreError> {
        self.root.registrations(request).await
    }

    async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError> {
        self.root.identifiers(customers).await
    }

    async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError> {
        self.root.deactivate(batch).await
    }

    async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError> {
        self.root.reactivate(batch).await
    }
}
