//! Whether the live schema is still the one that the map was held against.
//!
//! Each transaction that counts or changes records asks first for the [number](Session::schema_version) of the schema. Only
//! another number means reading the schema again: it may be the same all the same.

use std::sync::atomic::{AtomicI64, Ordering};

use super::Frame;
use super::facts::Facts;
use crate::digest::Digest;
use crate::store::sql::bind::{Bound, bind};
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::map::SqlMap;
use crate::store::sql::schema::Schema;
use crate::store::sql::session::{Purpose, Session};
use crate::store::sql::shape::Shape;

/// The schema as it was when the map was held against it.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The map as the host wrote it.
    pub(crate) map: SqlMap,
    shape: Shape,
    /// The number of the last schema that was found to fit.
    version: AtomicI64,
}

impl Watch {
    /// `version` has to be read before `schema`: a change in between is then found by the first transaction.
    pub(crate) fn new(map: &SqlMap, bound: &Bound, schema: &Schema, version: i64) -> Self {
        Self { map: map.clone(), shape: Shape::of(bound, schema), version: AtomicI64::new(version) }
    }

    /// Names the schema, as far as it matters to the map.
    pub(crate) fn digest(&self) -> Digest {
        self.shape.digest()
    }
}

impl Frame {
    /// Stops a transaction, before anything is touched, whose schema is another one than the map was held against.
    pub(crate) fn same_schema(&self, session: &mut dyn Session) -> Result<(), Trouble> {
        let version = session.schema_version()?;
        if version == self.watch.version.load(Ordering::Relaxed) {
            return Ok(());
        }
        let changes = self.changes(session)?;
        if changes.is_empty() {
            self.watch.version.store(version, Ordering::Relaxed);
            return Ok(());
        }
        Err(Fault::Drift(changes).into())
    }

    /// What has changed since the store was opened.
    fn changes(&self, session: &mut dyn Session) -> Result<Vec<String>, Trouble> {
        let schema = session.schema()?;
        let mut changes = self.watch.shape.changes(&Shape::of(&self.bound, &schema));
        // What the map does not say of the new schema comes with a way out.
        let map = &self.watch.map;
        if let Err(problems) = bind(map, &schema, session.dialect()) {
            changes.extend(problems.iter().map(ToString::to_string));
        }
        if schema.table(&map.customers.table).is_some()
            && let Err(problems) = Facts::new(session, &map.customers)
        {
            changes.extend(problems.iter().map(ToString::to_string));
        }
        Ok(changes)
    }

    /// The same, in a transaction of its own.
    pub(crate) fn drift(&self, session: &mut dyn Session) -> Result<Vec<String>, Trouble> {
        let mut transaction = session.transaction(Purpose::Read)?;
        let changes = self.changes(&mut *transaction)?;
        transaction.commit()?;
        Ok(changes)
    }
}
