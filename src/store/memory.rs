//! Customers in memory. For tests and experiments, and as an example of a repository.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    ByRecord, Changes, CountGroups, Cursor, Loaded, Page, PageRequest, RecordWrite, Repository, Saved,
    StatusChange, StoreError,
};
use crate::customer::{Customer, CustomerId, FormerStatus, Status, TenantId};
use crate::data_map::{DataMap, FieldName, Record, Value};
use crate::treatment::{Group, RecordChange};

/// A [`CustomerStore`](super::CustomerStore) in memory.
pub type MemoryStore = ByRecord<MemoryRepository>;

/// Customers and their records in memory. It enforces the constraints of its data map, like a database.
#[derive(Debug)]
pub struct MemoryRepository {
    map: DataMap,
    state: Mutex<BTreeMap<CustomerId, Held>>,
}

#[derive(Clone, Debug)]
struct Held {
    /// `None` if the customer's own record is deleted and other records are left.
    facts: Option<Customer>,
    version: u64,
    records: Vec<Record>,
}

impl MemoryRepository {
    /// A repository without customers.
    pub fn new(map: DataMap) -> Self {
        Self { map, state: Mutex::default() }
    }

    /// Adds a customer with all records, or replaces them. The customer's own record must be among them.
    pub fn insert(&self, customer: Customer, records: Vec<Record>) {
        let mut state = self.lock();
        let version = state.get(&customer.id).map_or(0, |held| held.version + 1);
        state.insert(customer.id.clone(), Held { facts: Some(customer), version, records });
    }

    /// Changes a customer's facts, as the host's own code does. Does nothing if the customer does not exist.
    pub fn update(&self, customer: &CustomerId, change: impl FnOnce(&mut Customer)) {
        if let Some(held) = self.lock().get_mut(customer)
            && let Some(facts) = &mut held.facts
        {
            change(facts);
            held.version += 1;
        }
    }

    /// A customer's present records.
    pub fn records(&self, customer: &CustomerId) -> Vec<Record> {
        self.lock().get(customer).map_or_else(Vec::new, |held| held.records.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CustomerId, Held>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn violation(&self, state: &BTreeMap<CustomerId, Held>, write: &RecordWrite) -> Option<StoreError> {
        let (RecordChange::Write(fields) | RecordChange::Reassign(fields)) = &write.change else {
            return None;
        };
        let class = self.map.class(write.record.class.as_str())?;
        fields.iter().find_map(|(name, value)| {
            let field = class.find(name.as_str())?;
            let constraints = field.constraints();
            let is_refused = || field.checks().iter().any(|check| check.accepts(value) == Some(false));
            let too_long = constraints
                .max_chars
                .is_some_and(|most| value.as_text().is_some_and(|text| text.chars().count() > most as usize));
            let constraint = if *value == Value::Null && !constraints.nullable {
                "NOT NULL"
            } else if too_long {
                "length"
            } else if constraints.unique && *value != Value::Null && is_taken(state, write, name, value) {
                "UNIQUE"
            } else if is_refused() {
                "CHECK"
            } else {
                return None;
            };
            Some(StoreError::Constraint {
                doing: "saving a record",
                class: class.name().clone(),
                constraint: format!("{constraint} on {name}"),
            })
        })
    }
}

fn is_taken(
    state: &BTreeMap<CustomerId, Held>,
    write: &RecordWrite,
    field: &FieldName,
    value: &Value,
) -> bool {
    state.values().flat_map(|held| &held.records).any(|record| {
        record.class == write.record.class
            && record.key != write.record.key
            && record.get(field.as_str()) == value
    })
}

/// The facts as the store returns them. If the customer is not archived, `former_status` contains the data to undo a
/// deactivation from now.
fn told(facts: &Customer) -> Customer {
    let mut told = facts.clone();
    if !told.status.is_archived() {
        told.former_status = FormerStatus::new(told.status.to_string());
    }
    told
}

/// The tenant's "Unknown Customer". Makes one if the tenant has none.
fn stand_in<'s>(map: &DataMap, state: &'s mut BTreeMap<CustomerId, Held>, tenant: &TenantId) -> &'s mut Held {
    let existing = state
        .values()
        .filter_map(|held| held.facts.as_ref())
        .find(|facts| facts.stand_in && facts.tenant == *tenant)
        .map(|facts| facts.id.clone());
    let id = existing.unwrap_or_else(|| CustomerId::new(format!("unknown customer of {tenant}")));
    state.entry(id.clone()).or_insert_with(|| {
        let own = Record::new(map.root().clone(), id.as_str());
        let mut facts = Customer::new(id.as_str(), tenant.clone());
        facts.stand_in = true;
        Held { facts: Some(facts), version: 0, records: vec![own] }
    })
}

#[async_trait]
impl CountGroups for MemoryRepository {
    async fn count(&self, groups: &[Group]) -> Result<Vec<u64>, StoreError> {
        let state = self.lock();
        let are_in = |group: &Group| {
            let of_tenant = |held: &&Held| {
                held.facts.as_ref().is_some_and(|facts| facts.tenant == group.tenant && !facts.stand_in)
            };
            let theirs = state.values().filter(of_tenant);
            theirs.filter(|held| held.records.iter().any(|record| group.has(record))).count() as u64
        };
        Ok(groups.iter().map(are_in).collect())
    }
}

#[async_trait]
impl Repository for MemoryRepository {
    fn data_map(&self) -> &DataMap {
        &self.map
    }

    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        let state = self.lock();
        Ok(customers.iter().filter_map(|id| state.get(id)?.facts.as_ref().map(told)).collect())
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        let state = self.lock();
        let after = request.after.as_ref().map(Cursor::as_str);
        let customers = state
            .iter()
            .filter(|(id, _)| after.is_none_or(|after| id.as_str() > after))
            .filter_map(|(_, held)| held.facts.as_ref())
            .filter(|facts| facts.stand_in == request.stand_ins)
            .take(request.limit)
            .map(told)
            .collect();
        Ok(Page::by_id(customers, request.limit))
    }

    async fn load(&self, customer: &CustomerId) -> Result<Option<Loaded>, StoreError> {
        Ok(self
            .lock()
            .get(customer)
            .map(|held| Loaded { version: held.version, records: held.records.clone() }))
    }

    async fn save(&self, changes: &Changes) -> Result<Saved, StoreError> {
        let mut state = self.lock();
        let Some(held) = state.get(&changes.customer) else { return Ok(Saved::Stale) };
        if held.version != changes.version {
            return Ok(Saved::Stale);
        }
        if let Some(error) = changes.writes.iter().find_map(|write| self.violation(&state, write)) {
            return Err(error);
        }
        let Some(mut held) = state.remove(&changes.customer) else { return Ok(Saved::Stale) };
        let tenant = held.facts.as_ref().map(|facts| facts.tenant.clone());
        for write in &changes.writes {
            let Some(at) = held
                .records
                .iter()
                .position(|record| record.class == write.record.class && record.key == write.record.key)
            else {
                continue;
            };
            match &write.change {
                RecordChange::Nothing => {}
                RecordChange::Delete => {
                    let gone = held.records.remove(at);
                    if gone.class == *self.map.root() {
                        held.facts = None;
                    }
                }
                RecordChange::Write(fields) => {
                    if let Some(record) = held.records.get_mut(at) {
                        record.fields.extend(fields.clone());
                    }
                }
                RecordChange::Reassign(fields) => {
                    let mut record = held.records.remove(at);
                    record.fields.extend(fields.clone());
                    if let Some(tenant) = &tenant {
                        stand_in(&self.map, &mut state, tenant).records.push(record);
                    }
                }
            }
        }
        if let (Some(change), Some(facts)) = (&changes.status, &mut held.facts) {
            match change {
                StatusChange::Archive => {
                    facts.former_status = FormerStatus::new(facts.status.to_string());
                    facts.status = Status::Archived;
                }
                StatusChange::Restore(before) => {
                    facts.status = match before.as_str() {
                        "cancelled" => Status::Cancelled,
                        "deleted" => Status::Deleted,
                        _ => Status::Active,
                    };
                }
            }
        }
        held.version += 1;
        if held.facts.is_some() || !held.records.is_empty() {
            state.insert(changes.customer.clone(), held);
        }
        Ok(Saved::Done)
    }
}
