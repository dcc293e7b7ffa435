//! Records whose owner is gone: found by the links that lead nowhere, and treated a bounded part at a time.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, Statement as Prepared, Transaction, TransactionBehavior};

use super::erase::Work;
use super::functions::from_sql;
use super::ownership::Whose;
use super::statements::{ClassScript, Parts, Script, Statement};
use super::{Shared, SqliteStore, Trouble, bind_all, functions, named, sql_value};
use crate::anonymise::Seed;
use crate::data_map::{ClassName, Value};
use crate::policy::RecordAction;
use crate::sqlite::Fault;
use crate::store::{OwnerlessErased, OwnerlessPlace, OwnerlessRecords, OwnerlessRequest, StoreError, Tally};

/// How many rows are treated in one transaction.
const MOST_AT_ONCE: usize = 10_000;

/// The keys of a part: its first and its last, and how many.
struct Part {
    first: Vec<Value>,
    last: Vec<Value>,
    rows: usize,
}

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

/// Binds values after the parameters of a statement.
fn bind_after(
    prepared: &mut Prepared<'_>,
    statement: &Statement,
    values: impl Iterator<Item = SqlValue>,
) -> rusqlite::Result<()> {
    bind_all(prepared, statement)?;
    for (n, value) in values.enumerate() {
        prepared.raw_bind_parameter(statement.parameters.len() + n + 1, value)?;
    }
    Ok(())
}

impl Shared {
    /// The next part of a class, after a key. None once there is nothing to do any more.
    fn part(
        transaction: &Transaction<'_>,
        parts: &Parts,
        after: Option<&[Value]>,
        limit: usize,
    ) -> rusqlite::Result<Option<Part>> {
        let statement = if after.is_some() { &parts.after } else { &parts.first };
        let mut prepared = transaction.prepare_cached(&statement.sql)?;
        let limit = SqlValue::Integer(i64::try_from(limit).unwrap_or(i64::MAX));
        let after = after.into_iter().flatten().cloned().map(sql_value);
        bind_after(&mut prepared, statement, std::iter::once(limit).chain(after))?;
        let columns = prepared.column_count();
        let mut rows = prepared.raw_query();
        let mut part: Option<Part> = None;
        while let Some(row) = rows.next()? {
            let key = (0..columns).map(|n| Ok(from_sql(row.get_ref(n)?)));
            let key = key.collect::<rusqlite::Result<Vec<Value>>>()?;
            match &mut part {
                Some(part) => {
                    part.last = key;
                    part.rows += 1;
                }
                None => part = Some(Part { first: key.clone(), last: key, rows: 1 }),
            }
        }
        Ok(part)
    }

    /// Does to a part what is done to its class. Gives the number of rows that went, or were written to.
    fn treat_part(
        &self,
        transaction: &Transaction<'_>,
        class: &ClassScript,
        part: &Part,
    ) -> Result<u64, Trouble> {
        let Some(act) = &class.act else { return Ok(0) };
        let at = Trouble::at(&class.class);
        let bounds = || part.first.iter().chain(&part.last).cloned().map(sql_value);
        for cut in &class.cuts {
            let mut cut = transaction.prepare_cached(cut).map_err(&at)?;
            bind_after(&mut cut, &Statement::default(), bounds()).map_err(&at)?;
            cut.raw_execute().map_err(&at)?;
        }
        let mut done = 0;
        let meanwhile = class.tombstone.iter().filter_map(|tombstone| tombstone.act.as_ref());
        for act in meanwhile.chain([act]) {
            let failed = |error: rusqlite::Error| match functions::take_failure(&self.bench) {
                Some(why) => Fault::Other(why).into(),
                None => Trouble::at(&class.class)(error),
            };
            let mut prepared = transaction.prepare_cached(&act.sql).map_err(failed)?;
            bind_after(&mut prepared, act, bounds()).map_err(failed)?;
            done = u64::try_from(prepared.raw_execute().map_err(failed)?).unwrap_or_default();
        }
        Ok(done)
    }

    /// The next part, in a transaction of its own. One that is refused is tried in halves, down to the one row that is to
    /// blame, which is passed over.
    fn erase_ownerless(
        &self,
        connection: &mut Connection,
        work: &Work,
        after: Option<&OwnerlessPlace>,
    ) -> Result<OwnerlessErased, Trouble> {
        let classes = &work.script.classes;
        let at = after.and_then(|place| classes.iter().position(|class| class.class == place.class));
        let mut after = after.and_then(|place| place.key.clone());
        let mut limit = MOST_AT_ONCE;
        let mut rest = classes.iter().skip(at.unwrap_or(0));
        let mut class = rest.next();
        while let Some(treated) = class {
            let Some(parts) = treated.parts.as_ref().filter(|_| treated.act.is_some()) else {
                (class, after) = (rest.next(), None);
                continue;
            };
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.pragma_update(None, "defer_foreign_keys", true)?;
            self.work(&work.script, Some(work.seed.clone()), work.at.date_naive(), 0);
            let part = Self::part(&transaction, parts, after.as_deref(), limit);
            let Some(part) = part.map_err(Trouble::at(&treated.class))? else {
                (class, after) = (rest.next(), None);
                continue;
            };
            let done = self.treat_part(&transaction, treated, &part);
            let done = done.and_then(|done| {
                transaction.commit().map_err(Trouble::at(&treated.class))?;
                Ok(done)
            });
            let mut erased = OwnerlessErased::default();
            match done {
                Ok(done) => drop(erased.counts.classes.insert(treated.class.clone(), done)),
                Err(Trouble { fault: Fault::Constraint(_) | Fault::Other(_), .. }) if part.rows > 1 => {
                    limit = part.rows / 2;
                    continue;
                }
                Err(trouble @ Trouble { fault: Fault::Constraint(_) | Fault::Other(_), .. }) => {
                    let error =
                        trouble.into_error("erasing records without an owner", self.bound.data_map.root());
                    let error = named(&self.bound, error);
                    erased.refused.insert(error.to_string(), 1);
                }
                Err(trouble) => return Err(trouble),
            }
            erased.next = Some(OwnerlessPlace { class: treated.class.clone(), key: Some(part.last) });
            return Ok(erased);
        }
        Ok(OwnerlessErased::default())
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
        after: Option<&OwnerlessPlace>,
    ) -> Result<OwnerlessErased, StoreError> {
        let script = self.nobodys(request)?;
        let work =
            Work { treatment: Arc::clone(&request.treatment), script, seed: seed.clone(), at: request.at };
        let after = after.cloned();
        self.call("erasing records without an owner", move |shared, connection| {
            let erased = shared.erase_ownerless(connection, &work, after.as_ref());
            functions::set(&shared.bench, None);
            erased
        })
        .await
    }
}
