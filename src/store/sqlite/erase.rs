//! Carrying a treatment out: a batch of customers is one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::statements::{BATCH, ClassScript, Script, quoted};
use super::{Shared, Trouble, bind_all, facts, functions, natural, statements, status::written};
use crate::anonymise::Seed;
use crate::policy::Treatment;
use crate::sqlite::Fault;
use crate::store::sql::{CustomersMap, Source, TenantSource, UnknownMap};
use crate::store::{Batch, Counts, Erased, Target};

/// How often a drawn value may be taken already before the store gives up.
const ATTEMPTS: u32 = 3;

/// What an erasure works with.
pub(super) struct Work {
    pub(super) treatment: Arc<Treatment>,
    pub(super) script: Arc<Script>,
    pub(super) seed: Seed,
    pub(super) at: DateTime<Utc>,
}

impl Shared {
    /// One transaction for all targets: done for everyone who is as expected, or for nobody.
    fn erase_together(
        &self,
        connection: &mut Connection,
        targets: &[Target],
        work: &Work,
        attempt: u32,
    ) -> Result<Vec<Erased>, Trouble> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.pragma_update(None, "defer_foreign_keys", true)?;
        Self::fill(&transaction, targets.iter().map(|target| &target.customer))?;
        let facts = self.batch_facts(&transaction)?;
        let mut answers: Vec<Option<Erased>> = Vec::with_capacity(targets.len());
        for (n, target) in targets.iter().enumerate() {
            answers.push(match facts.get(&n) {
                Some(facts) if target.expected.holds(facts) && facts.tenant == target.tenant => None,
                Some(_) => Some(Erased::Changed),
                // What others left behind of a customer who is gone is erased all the same.
                None if work.treatment.deletes_root() => None,
                None => Some(Erased::Missing),
            });
        }
        let out: Vec<usize> =
            answers.iter().enumerate().filter(|(_, answer)| answer.is_some()).map(|(n, _)| n).collect();
        Self::leave_out(&transaction, &out)?;
        if out.len() < targets.len() {
            self.work(&work.script, Some(work.seed.clone()), work.at.date_naive(), attempt);
            self.look_for(&transaction, targets.len(), &work.treatment, &work.script)?;
            Self::find_rare(&transaction, &work.script)?;
            let acted_on = work.script.classes.iter().filter(|class| class.act.is_some());
            let mut nothing = Counts::default();
            nothing.classes.extend(acted_on.map(|class| (class.class.clone(), 0)));
            let mut counts = vec![nothing; targets.len()];
            self.carry_out(&transaction, targets, work, &mut counts)?;
            for ((n, answer), counts) in answers.iter_mut().enumerate().zip(counts) {
                if answer.is_none() {
                    let nothing = counts.classes.values().all(|count| *count == 0);
                    let missing = nothing && !facts.contains_key(&n);
                    *answer = Some(if missing { Erased::Missing } else { Erased::Done(counts) });
                }
            }
            functions::set(&self.bench, None);
        }
        transaction.commit()?;
        Ok(answers.into_iter().flatten().collect())
    }

    fn carry_out(
        &self,
        transaction: &Transaction<'_>,
        targets: &[Target],
        work: &Work,
        counts: &mut [Counts],
    ) -> Result<(), Trouble> {
        let mut has_stand_ins = false;
        for class in &work.script.classes {
            if class.act.is_none() {
                continue;
            }
            let mut rows = 0;
            for (n, counted) in Self::count_rows(transaction, &class.class, &class.rows)? {
                rows += counted;
                let count = counts.get_mut(n).and_then(|counts| counts.classes.get_mut(&class.class));
                if let Some(count) = count {
                    *count = counted;
                }
            }
            if rows == 0 {
                continue;
            }
            if class.reassigns && !has_stand_ins {
                self.stand_ins(transaction, targets, work.at)?;
                has_stand_ins = true;
            }
            if let Some(distinct) = &class.distinct {
                rows = Self::number(transaction, distinct).map_err(Trouble::at(&class.class))?;
            }
            let changed = self.act(transaction, class)?;
            if changed != rows && !(class.may_shrink && changed < rows) {
                let what = format!(
                    "{rows} rows of {} were counted and {changed} would be changed; rows that belong to \
                     more than one customer cannot be erased",
                    class.class
                );
                return Err(Fault::Other(what).into());
            }
        }
        // What triggers have written meanwhile. It is not counted: how much it is may depend on what was erased.
        for class in work.script.classes.iter().filter(|class| class.again) {
            self.act(transaction, class)?;
        }
        Ok(())
    }

    /// The one number that a statement gives.
    fn number(transaction: &Transaction<'_>, sql: &str) -> rusqlite::Result<u64> {
        transaction.prepare_cached(sql)?.query_row([], |row| natural(row, 0))
    }

    /// Does what is done to a class, for the whole batch. Gives the number of rows.
    fn act(&self, transaction: &Transaction<'_>, class: &ClassScript) -> Result<u64, Trouble> {
        let Some(act) = &class.act else { return Ok(0) };
        let at = |error: rusqlite::Error| match functions::take_failure(&self.bench) {
            Some(why) => Fault::Other(why).into(),
            None => Trouble::at(&class.class)(error),
        };
        for cut in &class.cuts {
            transaction.prepare_cached(cut).and_then(|mut statement| statement.execute([])).map_err(at)?;
        }
        let mut changed = match &class.tombstone {
            Some(tombstone) if tombstone.act.is_none() => {
                Self::number(transaction, &tombstone.distinct).map_err(at)?
            }
            Some(_) | None => 0,
        };
        let meanwhile = class.tombstone.iter().filter_map(|tombstone| tombstone.act.as_ref());
        for act in meanwhile.chain([act]) {
            let mut prepared = transaction.prepare_cached(&act.sql).map_err(at)?;
            bind_all(&mut prepared, act).map_err(at)?;
            changed += u64::try_from(prepared.raw_execute().map_err(at)?).unwrap_or_default();
        }
        Ok(changed)
    }

    /// Each tenant's "Unknown Customer": found, or made once.
    fn stand_ins(
        &self,
        transaction: &Transaction<'_>,
        targets: &[Target],
        at: DateTime<Utc>,
    ) -> Result<(), Trouble> {
        let Some(unknown) = &self.customers().unknown else { return Ok(()) };
        let tenants: Vec<&str> = targets.iter().map(|target| target.tenant.as_str()).collect();
        let tenants = serde_json::to_string(&tenants)
            .map_err(|_| Fault::Other("tenants cannot be written".to_owned()))?;
        transaction
            .prepare_cached(&format!(
                "UPDATE {BATCH} SET relinquish_tenant = (SELECT value FROM json_each(?1) WHERE key = relinquish_n)"
            ))?
            .execute([&tenants])?;
        let map = self.customers();
        let table = quoted(&map.table);
        let is_stand_in = facts::stand_in_sql(map);
        let of_tenant = match &map.tenant {
            TenantSource::From(source) => {
                format!(
                    "CAST({} AS TEXT) = relinquish_b.relinquish_tenant",
                    statements::source_sql(&map.table, source)
                )
            }
            TenantSource::Is(_) => "1".to_owned(),
        };
        let (columns, values) = stand_in_row(map, unknown, at);
        let root = Trouble::at(&map.class);
        transaction
            .prepare_cached(&format!(
                "INSERT INTO main.{table} ({columns})
                 SELECT {values} FROM (SELECT DISTINCT relinquish_tenant FROM {BATCH}) AS relinquish_b
                 WHERE NOT EXISTS (SELECT 1 FROM main.{table} AS {table} WHERE {is_stand_in} AND {of_tenant})"
            ))
            .and_then(|mut statement| statement.execute([]))
            .map_err(&root)?;
        transaction
            .prepare_cached(&format!(
                "UPDATE {BATCH} AS relinquish_b SET relinquish_stand_in = (
                     SELECT min({table}.{key}) FROM main.{table} AS {table} WHERE {is_stand_in} AND {of_tenant}
                 )",
                key = quoted(&map.key)
            ))?
            .execute([])?;
        let nobody: bool = transaction
            .prepare_cached(&format!(
                "SELECT EXISTS (SELECT 1 FROM {BATCH} WHERE relinquish_stand_in IS NULL)"
            ))?
            .query_row([], |row| row.get(0))?;
        if nobody {
            let what =
                "a tenant's \"Unknown Customer\" was neither found nor made; mend customers.unknown_customer";
            return Err(Fault::Other(what.to_owned()).into());
        }
        Ok(())
    }

    /// Together if that works; where a constraint forbids it, in halves, so that one poisoned customer fails
    /// nobody else.
    pub(super) fn erase(
        &self,
        connection: &mut Connection,
        targets: &[Target],
        work: &Work,
        answers: &mut Batch<Erased>,
    ) -> Result<(), Trouble> {
        let mut attempt = 0;
        let trouble = loop {
            let erased = self.erase_together(connection, targets, work, attempt);
            functions::set(&self.bench, None);
            match erased {
                Ok(erased) => {
                    answers.extend(erased.into_iter().map(Ok));
                    return Ok(());
                }
                // A drawn value was taken already: draw again.
                Err(Trouble { fault: Fault::Constraint(what), .. })
                    if what.starts_with("UNIQUE") && attempt + 1 < ATTEMPTS =>
                {
                    attempt += 1;
                }
                Err(trouble) => break trouble,
            }
        };
        match (&trouble.fault, targets) {
            (Fault::Constraint(_) | Fault::Other(_), [_]) => {
                answers.push(Err(trouble.into_error("erasing records", self.bound.data_map.root())));
                Ok(())
            }
            (Fault::Constraint(_) | Fault::Other(_), [_, ..]) => {
                let (first, second) = targets.split_at(targets.len() / 2);
                self.erase(connection, first, work, answers)?;
                self.erase(connection, second, work, answers)
            }
            _ => Err(trouble),
        }
    }
}

/// Columns and values of a new "Unknown Customer".
fn stand_in_row(map: &CustomersMap, unknown: &UnknownMap, at: DateTime<Utc>) -> (String, String) {
    let mut row: BTreeMap<String, String> = unknown
        .create
        .iter()
        .map(|(column, value)| (quoted(column), written(map, column, value, at)))
        .collect();
    row.extend(unknown.find.iter().map(|(column, value)| (quoted(column), facts::literal(value))));
    if let TenantSource::From(Source::Column(column)) = &map.tenant {
        row.insert(quoted(column), "relinquish_b.relinquish_tenant".to_owned());
    }
    let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
    (columns.join(", "), values.join(", "))
}
