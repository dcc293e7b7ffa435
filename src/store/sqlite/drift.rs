//! Whether the live schema is still the one that the map was held against.
//!
//! SQLite counts the changes of a schema: `PRAGMA schema_version`. Each transaction that counts or changes records reads
//! that number first. Only another number means reading the schema again, because VACUUM changes the number too.

use std::sync::atomic::{AtomicI64, Ordering};

use super::facts::Facts;
use super::{Shared, SqliteStore, Trouble};
use crate::digest::Digest;
use crate::store::StoreError;
use crate::store::sql::{Bound, Fault, Purpose, Schema, Session, Shape, SqlMap, bind};

/// The schema as it was when the map was held against it.
#[derive(Debug)]
pub(super) struct Watch {
    /// The map as the host wrote it.
    pub(super) map: SqlMap,
    shape: Shape,
    /// The number of the last schema that was found to fit.
    version: AtomicI64,
}

impl Watch {
    /// `version` has to be read before `schema`: a change in between is then found by the first transaction.
    pub(super) fn new(map: &SqlMap, bound: &Bound, schema: &Schema, version: i64) -> Self {
        Self { map: map.clone(), shape: Shape::of(bound, schema), version: AtomicI64::new(version) }
    }

    /// Names the schema, as far as it matters to the map.
    pub(super) fn digest(&self) -> Digest {
        self.shape.digest()
    }
}

impl Shared {
    /// Stops a transaction, before anything is touched, whose schema is another one than the map was held against.
    pub(super) fn same_schema(&self, session: &mut dyn Session) -> Result<(), Trouble> {
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
        if let Err(problems) = bind(map, &schema) {
            changes.extend(problems.iter().map(ToString::to_string));
        }
        if schema.table(&map.customers.table).is_some()
            && let Err(problems) = Facts::new(session, &map.customers)
        {
            changes.extend(problems.iter().map(ToString::to_string));
        }
        Ok(changes)
    }
}

impl SqliteStore {
    /// What has changed in the database's schema since the store was opened, as far as it matters to the map: a list of
    /// sentences, empty where everything is as it was.
    ///
    /// Every count and every erasure asks the same by itself, and stops with [`StoreError::Drift`] where the list is not
    /// empty. The store has to be opened again then.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn drift(&self) -> Result<Vec<String>, StoreError> {
        self.call("comparing the schema", |shared, session| {
            let mut transaction = session.transaction(Purpose::Read)?;
            let changes = shared.changes(&mut *transaction)?;
            transaction.commit()?;
            Ok(changes)
        })
        .await
    }
}
