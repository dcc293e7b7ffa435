//! Deactivating customers, the reversible first step, and undoing it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::Frame;
use super::echoes::{Before, During, Shrunk};
use crate::data_map::Value;
use crate::store::sql::dialect::Dialect;
use crate::store::sql::fault::{Constraint, ConstraintKind, Fault, Trouble};
use crate::store::sql::map::{CustomersMap, DeactivateMap, Written};
use crate::store::sql::session::{Purpose, Session};
use crate::store::sql::spelling::quoted;
use crate::store::sql::triggers::came_to_nothing;
use crate::store::{Batch, Deactivated, Deactivation, Reactivated, Reactivation, StoreError};

impl Frame {
    /// Deactivates the batch in one transaction. If that fails, deactivates it in halves, like
    /// [`erase`](Self::erase).
    pub(crate) fn deactivate(
        &self,
        session: &mut dyn Session,
        batch: &[Deactivation],
        answers: &mut Batch<Deactivated>,
    ) -> Result<(), Trouble> {
        let trouble = match self.deactivate_together(session, batch) {
            Ok(done) => {
                answers.extend(done.into_iter().map(Ok));
                return Ok(());
            }
            Err(trouble) => trouble,
        };
        match (&trouble.fault, batch) {
            (Fault::Constraint(_) | Fault::Other(_), [_]) => {
                answers.push(Err(self.refused("deactivating a customer", trouble)));
                Ok(())
            }
            (Fault::Constraint(_) | Fault::Other(_), [_, ..]) => {
                let (first, second) = batch.split_at(batch.len() / 2);
                self.deactivate(session, first, answers)?;
                self.deactivate(session, second, answers)
            }
            _ => Err(trouble),
        }
    }

    fn deactivate_together(
        &self,
        session: &mut dyn Session,
        batch: &[Deactivation],
    ) -> Result<Vec<Deactivated>, Trouble> {
        let DeactivateMap::Write(writes) = &self.customers().deactivate else {
            return Ok(vec![Deactivated::Unsupported; batch.len()]);
        };
        let mut transaction = session.transaction(Purpose::Write)?;
        self.same_schema(&mut *transaction)?;
        self.fill(&mut *transaction, batch.iter().map(|one| &one.customer))?;
        self.lock(&mut *transaction)?;
        let mut facts = self.batch_facts(&mut *transaction)?;
        let mut answers = Vec::with_capacity(batch.len());
        let mut out = Vec::new();
        for (n, one) in batch.iter().enumerate() {
            let answer = match facts.remove(&n) {
                None => Deactivated::Missing,
                Some(facts) if facts.status.is_archived() => Deactivated::Already,
                Some(facts) if !one.expected.holds(&facts) => Deactivated::Changed,
                Some(facts) => Deactivated::Done { before: facts.former_status },
            };
            if !matches!(answer, Deactivated::Done { .. }) {
                out.push(n);
            }
            answers.push(answer);
        }
        self.leave_out(&mut *transaction, &out)?;
        if let Some(first) = batch.first().filter(|_| out.len() < batch.len()) {
            let sets: Vec<(String, String)> = writes
                .iter()
                .map(|(column, value)| {
                    let value = written(self.bound.dialect, self.customers(), column, value, first.at);
                    (quoted(column), value)
                })
                .collect();
            let map = self.customers();
            let (host, table) = (self.bound.table(&map.table), quoted(&map.table));
            let sql = self.bound.dialect.update(&host, &table, &sets, &self.in_batch(""));
            let before = self.watch_status(&mut *transaction)?;
            transaction.execute(&sql, &[]).map_err(self.refused_at(&map.class))?;
            self.only_own_rows_added(&mut *transaction, &before)?;
            // A trigger may keep the old row or restore it, and the database reports no error.
            let after = self.batch_facts(&mut *transaction)?;
            let is_archived = |n: &usize| after.get(n).is_some_and(|facts| facts.status.is_archived());
            if !(0..batch.len()).filter(|n| !out.contains(n)).all(|n| is_archived(&n)) {
                return Err(undone().into());
            }
        }
        transaction.commit()?;
        Ok(answers)
    }

    /// The error when the database refuses the map's own values. The error names the map, because no treatment of a
    /// policy writes these values.
    fn refused(&self, doing: &'static str, trouble: Trouble) -> StoreError {
        let DeactivateMap::Write(writes) = &self.customers().deactivate else {
            return trouble.into_error(doing, &self.bound);
        };
        let Fault::Constraint(constraint) = trouble.fault else {
            return trouble.into_error(doing, &self.bound);
        };
        let class = self.bound.data_map.root();
        let columns = writes.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let way_out = match constraint.kind {
            ConstraintKind::Undone => {
                let (cause, way_out) = came_to_nothing(&self.bound, class);
                return StoreError::NotDeactivated { doing, columns, cause, way_out };
            }
            ConstraintKind::Unique => {
                "another row of the table has these values already: erase or change that row, and retry; or deactivate by a \
                 column that is no part of the constraint"
            }
            ConstraintKind::Check | ConstraintKind::NotNull => {
                "write a value there that the constraint accepts, or deactivate by another column"
            }
            ConstraintKind::ForeignKey => {
                "write a value that the other table has, or deactivate by another column"
            }
            ConstraintKind::Trigger => "let the trigger accept these values, or deactivate by another column",
            ConstraintKind::Other => {
                "write values that the constraint accepts, or deactivate by another column"
            }
        };
        StoreError::Deactivation { doing, columns, constraint: constraint.named(&self.bound, class), way_out }
    }

    /// Reactivates the batch in one transaction. If that fails, reactivates the customers one by one: a customer
    /// whose former values are refused does not fail the others.
    pub(crate) fn reactivate(
        &self,
        session: &mut dyn Session,
        batch: &[Reactivation],
    ) -> Result<Batch<Reactivated>, Trouble> {
        match self.reactivate_together(session, batch) {
            Ok(done) => Ok(done.into_iter().map(Ok).collect()),
            Err(Trouble { fault: Fault::Constraint(_), .. }) if batch.len() > 1 => {
                let mut answers = Vec::with_capacity(batch.len());
                for one in batch {
                    answers.extend(self.reactivate(session, std::slice::from_ref(one))?);
                }
                Ok(answers)
            }
            Err(trouble @ Trouble { fault: Fault::Constraint(_), .. }) => {
                Ok(vec![Err(self.refused("taking back the deactivation of a customer", trouble))])
            }
            Err(trouble) => Err(trouble),
        }
    }

    fn reactivate_together(
        &self,
        session: &mut dyn Session,
        batch: &[Reactivation],
    ) -> Result<Vec<Reactivated>, Trouble> {
        let DeactivateMap::Write(writes) = &self.customers().deactivate else {
            return Ok(vec![Reactivated::Unsupported; batch.len()]);
        };
        let map = self.customers();
        let mut transaction = session.transaction(Purpose::Write)?;
        self.fill(&mut *transaction, batch.iter().map(|one| &one.customer))?;
        self.lock(&mut *transaction)?;
        let facts = self.batch_facts(&mut *transaction)?;
        let sets: Vec<(String, String)> = (2..)
            .zip(writes.keys())
            .map(|(n, column)| (quoted(column), self.bound.dialect.parameter(n)))
            .collect();
        let which = self.in_batch(&format!(" WHERE n = {}", self.bound.dialect.parameter(1)));
        let (host, table) = (self.bound.table(&map.table), quoted(&map.table));
        let sql = self.bound.dialect.update(&host, &table, &sets, &which);
        let before = self.watch_status(&mut *transaction)?;
        let mut answers = Vec::with_capacity(batch.len());
        for (n, one) in batch.iter().enumerate() {
            answers.push(match facts.get(&n) {
                None => Reactivated::Missing,
                Some(facts) if !facts.status.is_archived() => Reactivated::Changed,
                Some(_) => {
                    let mut former: BTreeMap<String, Value> = serde_json::from_str(one.before.as_str())
                        .map_err(|_| {
                            Fault::Other("what undoes the deactivation is not this store's".to_owned())
                        })?;
                    let mut values = vec![Value::Integer(i64::try_from(n).unwrap_or(-1))];
                    for column in writes.keys() {
                        values.push(former.remove(column).unwrap_or(Value::Null));
                    }
                    transaction.execute(&sql, &values).map_err(self.refused_at(&map.class))?;
                    Reactivated::Done
                }
            });
        }
        self.only_own_rows_added(&mut *transaction, &before)?;
        let after = self.batch_facts(&mut *transaction)?;
        let is_archived = |n: usize| after.get(&n).is_some_and(|facts| facts.status.is_archived());
        let done = answers.iter().enumerate().filter(|(_, answer)| **answer == Reactivated::Done);
        if done.into_iter().any(|(n, _)| is_archived(n)) {
            return Err(undone().into());
        }
        transaction.commit()?;
        Ok(answers)
    }
}

impl Frame {
    /// Begins to watch what triggers do when the status of customers is written. A trigger of the customers' table may add
    /// rows elsewhere.
    fn watch_status(&self, session: &mut dyn Session) -> Result<Before, Trouble> {
        self.find_held(session)?;
        self.watch_triggers(session)
    }

    /// Stops if a trigger has added a row that is not the batch's: no erasure would find it as the customer's.
    fn only_own_rows_added(&self, session: &mut dyn Session, before: &Before) -> Result<(), Trouble> {
        self.find_held(session)?;
        self.triggers_did_nothing(session, before, During::Deactivating, &Shrunk::new(), |_| true)
    }

    /// Finds the records of the batch, if triggers may add some.
    fn find_held(&self, session: &mut dyn Session) -> Result<(), Trouble> {
        if self.bound.classes.iter().any(|class| !class.echoes.is_empty()) {
            self.find(session, &self.held, std::iter::empty())?;
        }
        Ok(())
    }
}

/// The fault when the statement succeeded, but reading back shows the customer as before.
fn undone() -> Fault {
    Fault::Constraint(Constraint::new(ConstraintKind::Undone, "the row is as it was before"))
}

/// The SQL expression of a value that the map writes to a column. An instant is written in the form in which the
/// column stores dates. `b.tenant` is the tenant's name, if the batch has one.
pub(crate) fn written(
    dialect: &dyn Dialect,
    map: &CustomersMap,
    column: &str,
    value: &Written,
    at: DateTime<Utc>,
) -> String {
    match value {
        Written::Constant(value) => dialect.literal(value),
        Written::Now => dialect.literal(&map.form_of(column).write(at)),
        Written::Tenant { before, after } => format!(
            "{} || b.tenant || {}",
            dialect.literal(&Value::from(before.as_str())),
            dialect.literal(&Value::from(after.as_str()))
        ),
    }
}
