//! What the root store knows of the customers of a batch, for a database beside it.

use std::sync::{Arc, PoisonError};

use super::Frame;
use crate::customer::CustomerId;
use crate::data_map::{Datatype, FieldName, Value};
use crate::store::sql::fault::Trouble;
use crate::store::sql::keys;
use crate::store::sql::people::{PEOPLE, TENANT};
use crate::store::sql::session::Session;
use crate::store::sql::spelling::{json_rows, quoted};
use crate::store::{Known, KnownCustomers};

/// What is known, of the request and of the batch in hand.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    request: KnownCustomers,
    batch: Vec<Option<Known>>,
}

impl Frame {
    /// Does work with what the root store knows of the customers. Afterwards it is forgotten.
    pub(crate) fn knowing<T>(&self, known: &KnownCustomers, work: impl FnOnce() -> T) -> T {
        let set = |request: KnownCustomers| {
            *self.knowledge.lock().unwrap_or_else(PoisonError::into_inner) =
                Knowledge { request, batch: Vec::new() };
        };
        set(Arc::clone(known));
        let done = work();
        set(KnownCustomers::default());
        done
    }

    /// What is known of each customer of the batch. Empty in a root store.
    pub(super) fn known_of_batch(&self) -> Vec<Option<Known>> {
        self.knowledge.lock().unwrap_or_else(PoisonError::into_inner).batch.clone()
    }

    /// Fills the customers' table with the customers of a batch, if the root store is elsewhere.
    pub(super) fn fill_people(
        &self,
        session: &mut dyn Session,
        customers: &[&CustomerId],
    ) -> Result<(), Trouble> {
        if self.bound.people.is_none() {
            return Ok(());
        }
        let known: Vec<Option<Known>> = {
            let mut knowledge = self.knowledge.lock().unwrap_or_else(PoisonError::into_inner);
            knowledge.batch = customers.iter().map(|id| knowledge.request.get(*id).cloned()).collect();
            knowledge.batch.clone()
        };
        let (map, dialect) = (self.customers(), self.bound.dialect);
        let types = self.key_types();
        let root = self.bound.data_map.class(map.class.as_str());
        let asked: Vec<(FieldName, Datatype)> = root
            .into_iter()
            .flat_map(crate::data_map::RecordClass::fields)
            .filter(|field| !map.key.iter().any(|key| key == field.name().as_str()))
            .filter(|field| field.name().as_str() != TENANT)
            .map(|field| (field.name().clone(), field.constraints().datatype))
            .collect();
        let row = |(id, known): (&&CustomerId, &Option<Known>)| {
            let key = keys::read(id.as_str(), &types)?.into_iter().next()?;
            let known = known.as_ref();
            let value = |(name, _): &(FieldName, Datatype)| {
                known.and_then(|known| known.values.get(name)).cloned().unwrap_or(Value::Null)
            };
            let tenant = known.map_or(Value::Null, |known| Value::from(known.tenant.as_str()));
            Some(key.into_iter().chain(asked.iter().map(value)).chain([tenant]).collect::<Vec<Value>>())
        };
        let rows: Vec<Vec<Value>> = customers.iter().zip(&known).filter_map(row).collect();
        let host = self.bound.table(PEOPLE);
        session.execute(&format!("DELETE FROM {host}"), &[])?;
        if rows.is_empty() {
            return Ok(());
        }
        let names = map.key.iter().map(String::as_str).chain(asked.iter().map(|(name, _)| name.as_str()));
        let names: Vec<&str> = names.chain([TENANT]).collect();
        let datatypes = types.iter().copied().chain(asked.iter().map(|(_, datatype)| *datatype));
        let columns: Vec<(String, Datatype)> = (0..)
            .zip(datatypes.chain([Datatype::Text]))
            .map(|(place, datatype): (usize, _)| (format!("v{place}"), datatype))
            .collect();
        let gives: Vec<String> = names
            .iter()
            .zip(&columns)
            .map(|(name, (value, _))| dialect.in_type_of(&host, name, &format!("list.{value}")))
            .collect();
        let is_key: Vec<String> =
            gives.iter().take(map.key.len()).map(|key| format!("{key} IS NOT NULL")).collect();
        let into: Vec<String> = names.iter().map(|name| quoted(name)).collect();
        let select = format!(
            "SELECT {} FROM {} AS list WHERE {}",
            gives.join(", "),
            dialect.rows(1, &columns),
            is_key.join(" AND ")
        );
        session.execute(&dialect.add(&host, &into.join(", "), &select), &[json_rows(rows)])?;
        Ok(())
    }
}
