//! Records whose owner is gone: found by the links that lead nowhere, and treated a bounded part at a time.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, TransactionBehavior};

use super::erase::Work;
use super::ownership::Whose;
use super::statements::{MOST_AT_ONCE, Script};
use super::{Shared, SqliteStore, Trouble, functions};
use crate::anonymise::Seed;
use crate::data_map::ClassName;
use crate::policy::RecordAction;
use crate::store::{Counts, OwnerlessErased, OwnerlessRecords, OwnerlessRequest, StoreError, Tally};

impl SqliteStore {
    /// The statements for the classes that the request names. Classes that it says nothing of, and that another store may
    /// hold, are none of ours.
    fn nobodys(&self, request: &OwnerlessRequest) -> Result<Arc<Script>, StoreError> {
        let bound = &self.shared.bound;
        let acts = |class: &ClassName| {
            let treated = request.treatment.class(class.as_str());
            !treated.is_none_or(|treated| matches!(treated.action(), RecordAction::Keep { .. }))
        };
        let stranger =
            request.treatment.classes().keys().find(|class| acts(class) && bound.class(class).is_none());
        if let Some(class) = stranger {
            return Err(StoreError::Treatment { what: format!("there is no class {class}") });
        }
        let whose = Whose::Nobody(request.classes.clone());
        let mut script = Script::new(bound, &request.treatment, &whose);
        script.classes.retain(|class| request.classes.contains_key(&class.class));
        Ok(Arc::new(script))
    }
}

impl Shared {
    fn erase_ownerless(&self, connection: &mut Connection, work: &Work) -> Result<OwnerlessErased, Trouble> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.pragma_update(None, "defer_foreign_keys", true)?;
        self.work(&work.script, Some(work.seed.clone()), work.at.date_naive(), 0);
        let mut counts = Counts::default();
        let mut more = false;
        for class in &work.script.classes {
            let Some(act) = &class.act else { continue };
            Self::cut(&transaction, class)?;
            for act in class.tombstone.iter().filter_map(|tombstone| tombstone.act.as_ref()) {
                more |= self.execute(&transaction, class, act)? >= MOST_AT_ONCE;
            }
            let done = self.execute(&transaction, class, act)?;
            more |= done >= MOST_AT_ONCE;
            counts.classes.insert(class.class.clone(), done);
            // What the next class holds may still be needed by what is left of this one.
            if more {
                break;
            }
        }
        functions::set(&self.bench, None);
        transaction.commit()?;
        Ok(if more { OwnerlessErased::More(counts) } else { OwnerlessErased::Done(counts) })
    }

    fn count_ownerless(
        &self,
        connection: &mut Connection,
        script: &Script,
        at: DateTime<Utc>,
    ) -> Result<Tally, Trouble> {
        let transaction = connection.transaction()?;
        self.work(script, None, at.date_naive(), 0);
        let tally = Self::count_by(&transaction, script, 1)?.pop().unwrap_or_default();
        transaction.commit()?;
        Ok(tally)
    }
}

#[async_trait]
impl OwnerlessRecords for SqliteStore {
    async fn count_ownerless(&self, request: &OwnerlessRequest) -> Result<Tally, StoreError> {
        let (script, at) = (self.nobodys(request)?, request.at);
        self.call("counting records without an owner", move |shared, connection| {
            let counted = shared.count_ownerless(connection, &script, at);
            functions::set(&shared.bench, None);
            counted
        })
        .await
    }

    async fn erase_ownerless(
        &self,
        request: &OwnerlessRequest,
        seed: &Seed,
    ) -> Result<OwnerlessErased, StoreError> {
        let script = self.nobodys(request)?;
        let work =
            Work { treatment: Arc::clone(&request.treatment), script, seed: seed.clone(), at: request.at };
        self.call("erasing records without an owner", move |shared, connection| {
            let erased = shared.erase_ownerless(connection, &work);
            functions::set(&shared.bench, None);
            erased
        })
        .await
    }
}
