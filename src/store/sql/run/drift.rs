//! Checks that the live schema is still the schema against which the map was checked.
//!
//! Each transaction that counts or changes records first reads the [number](Session::schema_version) of the schema.
//! The schema is read again only if this number has changed. The schema may still be the same.

use std::sync::atomic::{AtomicI64, Ordering};

use super::Frame;
use super::facts::Facts;
use crate::digest::Digest;
use crate::store::sql::bind::{Bound, bind};
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::map::SqlMap;
use crate::store::sql::people::with_people;
use crate::store::sql::schema::Schema;
use crate::store::sql::session::{Purpose, Session};
use crate::store::sql::shape::Shape;

/// The schema at the time when the map was checked.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The map as the host wrote it.
    pub(crate) map: SqlMap,
    shape: Shape,
    /// The number of the last schema that matched.
    version: AtomicI64,
    /// Which database it is.
    pub(crate) database: Option<Digest>,
}

impl Watch {
    /// Read `version` before `schema`: then the first transaction finds a change in between.
    pub(crate) fn new(
        map: &SqlMap,
        bound: &Bound,
        schema: &Schema,
        version: i64,
        database: Option<&str>,
    ) -> Self {
        Self {
            map: map.clone(),
            shape: Shape::of(bound, schema),
            version: AtomicI64::new(version),
            database: database.map(|name| Digest::of_bytes(name.as_bytes())),
        }
    }

    /// The digest of the schema, as far as it matters to the map.
    pub(crate) fn digest(&self) -> Digest {
        self.shape.digest()
    }
}

impl Frame {
    /// Stops a transaction before anything is touched, if the schema has changed.
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
        let schema = with_people(&self.watch.map, session.schema()?);
        let mut changes = self.watch.shape.changes(&Shape::of(&self.bound, &schema));
        // Problems of the map with the new schema are listed with a way out.
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

    /// The same, in its own transaction.
    pub(crate) fn drift(&self, session: &mut dyn Session) -> Result<Vec<String>, Trouble> {
        let mut transaction = session.transaction(Purpose::Read)?;
        let changes = self.changes(&mut *transaction)?;
        transaction.commit()?;
        Ok(changes)
    }
}
