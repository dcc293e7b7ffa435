//! Carrying out a treatment: a batch of customers is one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Frame;
use super::echoes::{During, Shrunk};
use super::rounds::Readings;
use super::status::written;
use super::tally::Count;
use crate::anonymise::Seed;
use crate::customer::TenantId;
use crate::data_map::{ClassName, Datatype, Value};
use crate::store::sql::dialect::Dialect;
use crate::store::sql::fault::{ConstraintKind, Fault, Trouble};
use crate::store::sql::map::{CustomersMap, Source, TenantSource, UnknownMap};
use crate::store::sql::script::{Act, ClassScript, Elsewhere, Instead, LetGo, Script, Statement, Tombstone};
use crate::store::sql::session::{Purpose, Session};
use crate::store::sql::spelling::{json_rows, quoted, source_sql};
use crate::store::sql::triggers::changed_otherwise;
use crate::store::sql::values;
use crate::store::sql::way::BoundLink;
use crate::store::sql::whose::{batch, stand_in_sql};
use crate::store::{Batch, Counts, Erased, HeldCustomers, Otherwise, StoreError, Target};
use crate::treatment::Treatment;

/// The number of attempts to draw a random value that is not taken.
const ATTEMPTS: u32 = 3;

/// The inputs of an erasure.
pub(crate) struct Work {
    pub(crate) treatment: Arc<Treatment>,
    pub(crate) script: Arc<Script>,
    pub(crate) seed: Seed,
    pub(crate) at: DateTime<Utc>,
    /// Customers whose records must stay as they are.
    pub(crate) held: Arc<HeldCustomers>,
}

impl Frame {
    /// Erases all targets in one transaction. Either every customer with the expected facts is erased, or nobody is.
    ///
    /// `None` for a customer who has to be erased again without the others: what stands in the way may be there only
    /// because the others leave with this one.
    fn erase_together(
        &self,
        session: &mut dyn Session,
        targets: &[Target],
        work: &Work,
        attempt: u32,
    ) -> Result<Vec<Option<Result<Erased, StoreError>>>, Trouble> {
        let mut transaction = session.transaction(Purpose::Erase)?;
        self.same_schema(&mut *transaction)?;
        self.fill(&mut *transaction, targets.iter().map(|target| &target.customer))?;
        self.lock(&mut *transaction)?;
        let facts = self.batch_facts(&mut *transaction)?;
        self.work(&work.script, Some(work.seed.clone()), work.treatment.day(work.at), attempt);
        let mut unclear = self.unclear_customers(&mut *transaction, &work.script)?;
        let mut answers: Vec<Option<Result<Erased, StoreError>>> = Vec::with_capacity(targets.len());
        for (n, target) in targets.iter().enumerate() {
            answers.push(match (facts.get(&n), unclear.remove(&n)) {
                (Some(facts), _) if !target.expected.holds(facts) || facts.tenant != target.tenant => {
                    Some(Ok(Erased::Changed))
                }
                (_, Some(unclear)) => Some(Err(unclear)),
                (Some(_), None) => None,
                // Records that remain of a customer who is gone are erased nevertheless.
                (None, None) if work.treatment.deletes_root() => None,
                (None, None) => Some(Ok(Erased::Missing)),
            });
        }
        let out: Vec<usize> =
            answers.iter().enumerate().filter(|(_, answer)| answer.is_some()).map(|(n, _)| n).collect();
        self.leave_out(&mut *transaction, &out)?;
        let mut apart = BTreeSet::new();
        if out.len() < targets.len() {
            let mut readings = self.find(&mut *transaction, &work.script.finding, work.script.ends())?;
            let tenants: Vec<BTreeSet<TenantId>> = targets
                .iter()
                .enumerate()
                .map(|(n, target)| {
                    let connected = facts.get(&n).map(|facts| facts.connected.clone()).unwrap_or_default();
                    connected.into_iter().chain([target.tenant.clone()]).collect()
                })
                .collect();
            let day = work.treatment.day(work.at);
            let count = Count { treatment: &work.treatment, day, held: &work.held };
            let blocked = self.blocked(&mut *transaction, count, &work.script, &mut readings, &tenants)?;
            if !blocked.is_empty() {
                let out: Vec<usize> = blocked.keys().copied().collect();
                self.leave_out(&mut *transaction, &out)?;
                let are_several = answers.iter().filter(|answer| answer.is_none()).count() > 1;
                for (n, error) in blocked {
                    if are_several && may_be_due_to_others(&error) {
                        apart.insert(n);
                    } else if let Some(answer) = answers.get_mut(n) {
                        *answer = Some(Err(error));
                    }
                }
                readings = self.find(&mut *transaction, &work.script.finding, work.script.ends())?;
            }
            self.look_for(&mut *transaction, targets.len(), &work.treatment, &work.script)?;
            let sought = self.sought(&mut *transaction, targets.len(), work)?;
            self.find_rare(&mut *transaction, &work.script)?;
            let acted_on = work.script.classes.iter().filter(|class| class.is_written());
            let mut nothing = Counts::default();
            nothing.classes.extend(acted_on.map(|class| (class.class.clone(), 0)));
            let mut counts = vec![nothing; targets.len()];
            let before = self.watch_triggers(&mut *transaction)?;
            let shrunk = self.carry_out(&mut *transaction, targets, work, &mut readings, &mut counts)?;
            let is_treated = |name: &ClassName| {
                work.script.classes.iter().any(|class| class.class == *name && class.is_treated())
            };
            self.triggers_did_nothing(&mut *transaction, &before, During::Erasing, &shrunk, is_treated)?;
            if let Some(sought) = sought {
                Self::look_for_leftovers(&mut *transaction, &sought, work, &mut counts)?;
            }
            for ((n, answer), counts) in answers.iter_mut().enumerate().zip(counts) {
                if answer.is_none() && !apart.contains(&n) {
                    let missing = counts.is_nothing() && !facts.contains_key(&n);
                    *answer = Some(Ok(if missing { Erased::Missing } else { Erased::Done(counts) }));
                }
            }
        }
        values::set(&self.bench, None);
        match transaction.try_commit() {
            Ok(()) => Ok(answers),
            // A larger batch is erased again in halves.
            Err(fault) if targets.len() > 1 => Err(fault.into()),
            Err(fault) => Err(self.broken(&mut *transaction, fault)?.into()),
        }
    }

    /// The fault of a commit, with the table of a foreign key that leads nowhere.
    fn broken(&self, session: &mut dyn Session, fault: Fault) -> Result<Fault, Fault> {
        let Fault::Constraint(mut constraint) = fault else { return Ok(fault) };
        if constraint.kind == ConstraintKind::ForeignKey && constraint.table.is_none() {
            let tables: BTreeSet<&str> =
                self.bound.classes.iter().map(|class| class.table.as_str()).collect();
            for table in tables {
                if let Some(what) = session.broken_link(table)? {
                    constraint.table = Some(table.to_owned());
                    constraint.what = what;
                    break;
                }
            }
        }
        Ok(Fault::Constraint(constraint))
    }

    /// Writes the rows that stay, hands rows over, cuts links to rows that will be deleted, and then deletes these
    /// rows. A row is deleted before the rows that it references.
    fn carry_out(
        &self,
        session: &mut dyn Session,
        targets: &[Target],
        work: &Work,
        readings: &mut Readings<'_>,
        counts: &mut [Counts],
    ) -> Result<Shrunk, Trouble> {
        let classes = &work.script.classes;
        let mut found: Vec<(&ClassScript, u64)> = Vec::new();
        let mut hands_over = false;
        let each_once = self.each_is_once(session)?;
        for class in classes.iter().filter(|class| class.is_written()) {
            let mut rows = 0;
            for (n, counted) in Self::count_rows(session, &class.class, &class.rows)? {
                rows += counted;
                let count = counts.get_mut(n).and_then(|counts| counts.classes.get_mut(&class.class));
                if let Some(count) = count {
                    *count = counted;
                }
            }
            if let Some(tombstone) = class.tombstone.as_ref().filter(|_| rows > 0) {
                for (n, counted) in Self::count(session, &class.class, &tombstone.rows)? {
                    let Some(counts) = counts.get_mut(n).filter(|_| counted.rows > 0) else { continue };
                    take(counts, &class.class, counted.rows).meanwhile = counted.rows;
                }
            }
            if rows > 0 && class.is_treated() {
                let expected = if class.adds_up && each_once {
                    rows
                } else {
                    Self::number(session, &class.distinct).map_err(Trouble::at(&class.class))?
                };
                found.push((class, expected));
                let stays: u64 = counts
                    .iter()
                    .filter_map(|counts| counts.otherwise.get(&class.class))
                    .map(|otherwise| otherwise.meanwhile)
                    .sum();
                hands_over |= matches!(class.act, Some(Act::HandOver { .. })) && rows > stays;
                for needed in class.let_go.iter().filter_map(|link| link.hands_over.as_ref()) {
                    hands_over = hands_over || self.leads_on(session, class, needed, readings)?;
                }
            }
        }
        for class in classes.iter().filter(|class| class.theirs.is_some()) {
            for (n, counted) in self.count_theirs(session, class, readings)? {
                if let Some(counts) = counts.get_mut(n).filter(|_| counted.rows > 0) {
                    counts.otherwise.entry(class.class.clone()).or_default().fields += counted.rows;
                }
            }
        }
        // Counted before anything is written: afterwards links may be cut, and no value leads to a customer any more.
        self.count_before_writing(session, classes, counts, readings)?;
        for class in classes.iter().filter(|class| !class.fields_of_others.is_empty()) {
            for write in &class.fields_of_others {
                if readings.is_empty(write.from) {
                    continue;
                }
                let is_picked = self.pick(session, write.reads.as_ref(), write.from, readings)?;
                self.execute(session, class, &write.over(is_picked))?;
            }
        }
        for class in classes {
            if let Some(redact) = &class.redact_shared {
                self.execute(session, class, redact)?;
            }
        }
        if hands_over {
            self.stand_ins(session, targets, work.at)?;
        }
        let shrunk = self.treat(session, &found, readings, Some(counts))?;
        // Treats what triggers have written in the meantime. These rows are not counted, because their number may
        // depend on erased values.
        if classes.iter().any(|class| class.again && class.is_treated()) {
            self.find_more(session, &work.script.finding)?;
            let again: Vec<(&ClassScript, u64)> = classes
                .iter()
                .filter(|class| class.again && class.is_treated())
                .map(|class| (class, 0))
                .collect();
            self.write(session, &again)?;
            self.delete(session, &again)?;
        }
        Ok(shrunk)
    }

    /// Counts, by customer, the records that somebody else has too, the treated records that name somebody else, those
    /// with fields of nobody, the records of nobody that lead to treated ones, and what values become by their contents.
    fn count_before_writing(
        &self,
        session: &mut dyn Session,
        classes: &[ClassScript],
        counts: &mut [Counts],
        readings: &mut Readings<'_>,
    ) -> Result<(), Trouble> {
        let mut put = |class: &ClassScript, n: usize, rows: u64, put: &dyn Fn(&mut Otherwise)| {
            if let Some(counts) = counts.get_mut(n).filter(|_| rows > 0) {
                put(counts.otherwise.entry(class.class.clone()).or_default());
            }
        };
        for class in classes {
            if let Some(shared) = &class.others {
                for (n, rows) in Self::count_rows(session, &class.class, shared)? {
                    put(class, n, rows, &|otherwise| otherwise.shared = rows);
                }
            }
            for (link, sql) in &class.named_others {
                for (n, rows) in Self::count_rows(session, &class.class, sql)? {
                    put(class, n, rows, &|otherwise| {
                        otherwise.named_others.insert(link.clone(), rows);
                    });
                }
            }
            for (field, sql) in &class.contents {
                for (n, contents) in Self::by_content(session, &class.class, sql)? {
                    put(class, n, 1, &|otherwise| {
                        otherwise.contents.insert(field.clone(), contents);
                    });
                }
            }
            for (link, statement) in &class.nobodys_fields {
                for (n, counted) in Self::count(session, &class.class, statement)? {
                    put(class, n, counted.rows, &|otherwise| {
                        otherwise.nobodys_fields.insert(link.clone(), counted.rows);
                    });
                }
            }
            for (link, counted) in &class.nobodys_records {
                if readings.is_empty(counted.from) {
                    continue;
                }
                let is_picked = self.pick(session, counted.reads.as_ref(), counted.from, readings)?;
                for (n, rows) in Self::count_rows(session, &class.class, &counted.over(is_picked).sql)? {
                    put(class, n, rows, &|otherwise| {
                        *otherwise.nobodys_records.entry(link.clone()).or_default() += rows;
                    });
                }
            }
        }
        Ok(())
    }

    /// Whether each customer is in the batch only once, even under different spellings of the id.
    fn each_is_once(&self, session: &mut dyn Session) -> Result<bool, Trouble> {
        let parts = self.bound.root().map_or(1, |root| root.key.len());
        let key: Vec<String> = (0..parts).map(|part| format!("k{part}")).collect();
        let sql = format!(
            "SELECT count(*) = (SELECT count(*) FROM (SELECT DISTINCT {} FROM {batch}) AS keys) FROM {batch}",
            key.join(", "),
            batch = batch(&self.bound)
        );
        Ok(session.one(&sql, &[], |row| row.flag(0))?)
    }

    /// Treats the found rows, each class with their number, and checks the number of changed rows. On request, rows
    /// that are not treated by the action of their class are counted by customer. Returns the rows that were gone already.
    pub(super) fn treat(
        &self,
        session: &mut dyn Session,
        found: &[(&ClassScript, u64)],
        readings: &mut Readings<'_>,
        mut counts: Option<&mut [Counts]>,
    ) -> Result<Shrunk, Trouble> {
        let mut done = self.write(session, found)?;
        for (class, _) in found {
            if let (Some(counts), Some(Act::HandOver { delete: Some(instead), .. })) =
                (&mut counts, &class.act)
            {
                for (n, rows) in Self::count_rows(session, &class.class, &instead.rows)? {
                    let Some(counts) = counts.get_mut(n).filter(|_| rows > 0) else { continue };
                    take(counts, &class.class, rows).deleted = rows;
                }
            }
            for link in &class.let_go {
                if let Some(counts) = &mut counts {
                    self.count_let_go(session, link, readings, counts)?;
                }
                let is_picked = self.pick(session, link.reads.as_ref(), Some(link.from), readings)?;
                let sql =
                    link.reads.as_ref().filter(|_| is_picked).map_or(&link.sql, |reads| &reads.of_picked);
                session.execute(sql, &[]).map_err(Trouble::at(&link.class))?;
                let left = link.left.as_ref().map(|sql| Self::number(session, sql));
                if let Some(left) = left.transpose()?.filter(|left| *left > 0) {
                    let what = format!(
                        "{left} rows of {} still lead to rows that are to be deleted: {}",
                        link.class,
                        changed_otherwise(&self.bound, &link.class)
                    );
                    return Err(Fault::Other(what).into());
                }
            }
        }
        for (done, deleted) in done.iter_mut().zip(self.delete(session, found)?) {
            *done += deleted;
        }
        let mut shrunk = Shrunk::new();
        for ((class, expected), changed) in found.iter().zip(done) {
            if changed != *expected && !(class.may_shrink && changed < *expected) {
                let what = format!(
                    "{expected} rows of {} were counted and {changed} would be changed: {}",
                    class.class,
                    changed_otherwise(&self.bound, &class.class)
                );
                return Err(Fault::Other(what).into());
            }
            if let Some(bound) = self.bound.class(&class.class).filter(|_| changed < *expected) {
                *shrunk.entry(bound.table.clone()).or_default() += *expected - changed;
            }
        }
        Ok(shrunk)
    }

    /// Counts the rows that stay and whose link is cut, by customer.
    fn count_let_go(
        &self,
        session: &mut dyn Session,
        link: &LetGo,
        readings: &mut Readings<'_>,
        counts: &mut [Counts],
    ) -> Result<(), Trouble> {
        if readings.is_empty(link.counted.from) {
            return Ok(());
        }
        let is_picked = self.pick(session, link.counted.reads.as_ref(), link.counted.from, readings)?;
        let counted = link.counted.over(is_picked);
        for (n, rows) in Self::count_rows(session, &link.class, &counted.sql)? {
            let Some(counts) = counts.get_mut(n).filter(|_| rows > 0) else { continue };
            let otherwise = counts.otherwise.entry(link.class.clone()).or_default();
            let links =
                if link.hands_over.is_some() { &mut otherwise.handed_over } else { &mut otherwise.cut };
            *links.entry(link.link.clone()).or_default() += rows;
        }
        Ok(())
    }

    /// Writes the fields of rows that stay, and hands rows over. Returns the number of rows by class.
    fn write(&self, session: &mut dyn Session, found: &[(&ClassScript, u64)]) -> Result<Vec<u64>, Trouble> {
        let mut done = vec![0; found.len()];
        for ((class, _), done) in found.iter().zip(&mut done) {
            match &class.tombstone {
                Some(Tombstone { act: Some(act), .. }) => *done += self.execute(session, class, act)?,
                Some(tombstone) => {
                    *done += Self::number(session, &tombstone.distinct).map_err(Trouble::at(&class.class))?;
                }
                None => {}
            }
            if let Some(Act::Write(write)) = &class.act {
                *done += self.execute(session, class, write)?;
            }
        }
        for ((class, _), done) in found.iter().zip(&mut done) {
            if let Some(Act::HandOver { mark, write, .. }) = &class.act {
                for mark in mark {
                    let mark = Statement { sql: mark.clone(), parameters: Vec::new() };
                    self.execute(session, class, &mark)?;
                }
                *done += self.execute(session, class, write)?;
            }
        }
        Ok(done)
    }

    /// Deletes rows. Returns the number of rows by class. Classes whose rows reference each other in a circle are
    /// deleted together, because no order suits their foreign keys.
    fn delete(&self, session: &mut dyn Session, found: &[(&ClassScript, u64)]) -> Result<Vec<u64>, Trouble> {
        let mut done = vec![0; found.len()];
        let deletes: Vec<(usize, &ClassScript, &str)> = found
            .iter()
            .enumerate()
            .filter_map(|(n, (class, _))| match &class.act {
                Some(Act::Delete(sql) | Act::HandOver { delete: Some(Instead { sql, .. }), .. }) => {
                    Some((n, *class, sql.as_str()))
                }
                _ => None,
            })
            .collect();
        let mut rest = deletes.as_slice();
        while let Some((_, first, _)) = rest.first() {
            let (together, others) = rest.split_at(self.circle_at(rest));
            let statements: Vec<&str> = together.iter().map(|(.., sql)| *sql).collect();
            let counted = session.delete_together(&statements);
            let counted = counted.map_err(|fault| self.failed_at(&first.class, fault))?;
            for ((n, ..), rows) in together.iter().zip(counted) {
                if let Some(done) = done.get_mut(*n) {
                    *done = rows;
                }
            }
            rest = others;
        }
        Ok(done)
    }

    /// How many of the first classes are in one circle: a later class references an earlier one.
    fn circle_at(&self, deletes: &[(usize, &ClassScript, &str)]) -> usize {
        let bound = |place: usize| self.bound.class(&deletes.get(place)?.1.class);
        let references = |later: usize, earlier: usize| {
            let (Some(later), Some(earlier)) = (bound(later), bound(earlier)) else { return false };
            let leads = |link: &BoundLink| {
                link.heads.contains(&earlier.name) || link.to_table.eq_ignore_ascii_case(&earlier.table)
            };
            later.links.iter().any(leads)
        };
        let (mut length, mut place) = (1, 0);
        while place < length {
            let furthest = (place + 1..deletes.len()).rev().find(|later| references(*later, place));
            length = length.max(furthest.map_or(0, |later| later + 1));
            place += 1;
        }
        length
    }

    /// The number that a statement returns.
    pub(crate) fn number(session: &mut dyn Session, sql: &str) -> Result<u64, Fault> {
        session.one(sql, &[], |row| row.natural(0))
    }

    /// Runs a statement of a class. Returns the number of rows.
    fn execute(
        &self,
        session: &mut dyn Session,
        class: &ClassScript,
        statement: &Statement,
    ) -> Result<u64, Trouble> {
        let executed = session.execute(&statement.sql, &statement.parameters);
        executed.map_err(|fault| self.failed_at(&class.class, fault))
    }

    /// The error of a statement of a class.
    fn failed_at(&self, class: &ClassName, fault: Fault) -> Trouble {
        match values::take_failure(&self.bench) {
            Some(why) => Fault::Other(why).into(),
            None => self.refused_at(class)(fault),
        }
    }

    /// Whether a link leads to a row that is deleted.
    fn leads_on(
        &self,
        session: &mut dyn Session,
        class: &ClassScript,
        needed: &Elsewhere,
        readings: &mut Readings<'_>,
    ) -> Result<bool, Trouble> {
        if readings.is_empty(needed.from) {
            return Ok(false);
        }
        let is_picked = self.pick(session, needed.reads.as_ref(), needed.from, readings)?;
        let found = Self::number(session, &needed.over(is_picked).sql).map_err(Trouble::at(&class.class))?;
        Ok(found > 0)
    }

    /// Each tenant's "Unknown Customer": found, or created once.
    fn stand_ins(
        &self,
        session: &mut dyn Session,
        targets: &[Target],
        at: DateTime<Utc>,
    ) -> Result<(), Trouble> {
        let Some(unknown) = &self.customers().unknown else { return Ok(()) };
        let (dialect, batch) = (self.bound.dialect, batch(&self.bound));
        let tenants = targets.iter().map(|target| vec![Value::from(target.tenant.as_str())]);
        let list = dialect.rows(1, &[("tenant".to_owned(), Datatype::Text)]);
        let sql = format!(
            "UPDATE {batch} AS b SET tenant = (SELECT list.tenant FROM {list} AS list WHERE list.place = b.n)"
        );
        session.execute(&sql, &[json_rows(tenants)])?;
        let map = self.customers();
        let (table, host) = (quoted(&map.table), self.bound.table(&map.table));
        let is_stand_in = stand_in_sql(dialect, map, &table);
        let of_tenant = match &map.tenant {
            TenantSource::From(source) => {
                format!("CAST({} AS TEXT) = b.tenant", source_sql(&map.table, source))
            }
            TenantSource::Is(_) => "TRUE".to_owned(),
        };
        let (columns, values) = stand_in_row(dialect, map, unknown, at);
        let select = format!(
            "SELECT {values} FROM (SELECT DISTINCT tenant FROM {batch}) AS b
             WHERE NOT EXISTS (SELECT 1 FROM {host} AS {table} WHERE {is_stand_in} AND {of_tenant})"
        );
        let sql = dialect.insert(&host, &columns, &select);
        session.execute(&sql, &[]).map_err(Trouble::at(&map.class))?;
        let keys: Vec<String> = map.key.iter().map(|key| format!("{table}.{}", quoted(key))).collect();
        let sets: Vec<String> = keys
            .iter()
            .enumerate()
            .map(|(part, key)| {
                format!(
                    "s{part} = (SELECT {key} FROM {host} AS {table} WHERE {is_stand_in} AND {of_tenant}
                     LIMIT 1)"
                )
            })
            .collect();
        session.execute(&format!("UPDATE {batch} AS b SET {}", sets.join(", ")), &[])?;
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {batch} WHERE s0 IS NULL)");
        let nobody = session.one(&sql, &[], |row| row.flag(0))?;
        if nobody {
            let what =
                "a tenant's \"Unknown Customer\" was neither found nor made; mend customers.unknown_customer";
            return Err(Fault::Other(what.to_owned()).into());
        }
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM (SELECT DISTINCT tenant FROM {batch}) AS b
             WHERE (SELECT count(*) FROM {host} AS {table} WHERE {is_stand_in} AND {of_tenant}) > 1)"
        );
        if session.one(&sql, &[], |row| row.flag(0))? {
            let what = "customers.unknown_customer.find finds several rows of a tenant, so nobody can tell which of them is the \
                        \"Unknown Customer\"; name more columns there, or mend the data";
            return Err(Fault::Other(what.to_owned()).into());
        }
        Ok(())
    }

    /// Erases the batch in one transaction. If a constraint forbids that, the batch is erased in halves, so that one
    /// poisoned customer fails nobody else. Customers in whose way something stands that the others may have brought
    /// about are erased after the others, and in the end one by one.
    pub(crate) fn erase(
        &self,
        session: &mut dyn Session,
        targets: &[Target],
        work: &Work,
        answers: &mut Batch<Erased>,
    ) -> Result<(), Trouble> {
        let mut attempt = 0;
        let trouble = loop {
            let erased = self.erase_together(session, targets, work, attempt);
            values::set(&self.bench, None);
            match erased {
                Ok(erased) => return self.erase_apart(session, targets, erased, work, answers),
                // A random value was taken already: draw again.
                Err(Trouble { fault: Fault::Constraint(constraint), .. })
                    if constraint.kind == ConstraintKind::Unique && attempt + 1 < ATTEMPTS =>
                {
                    attempt += 1;
                }
                Err(trouble) => break trouble,
            }
        };
        match (&trouble.fault, targets) {
            (Fault::Constraint(_) | Fault::Other(_), [_]) => {
                answers.push(Err(trouble.into_error("erasing records", &self.bound)));
                Ok(())
            }
            (Fault::Constraint(_) | Fault::Other(_), [_, ..]) => {
                let (first, second) = targets.split_at(targets.len() / 2);
                self.erase(session, first, work, answers)?;
                self.erase(session, second, work, answers)
            }
            _ => Err(trouble),
        }
    }

    /// Erases the customers without an answer after the others.
    fn erase_apart(
        &self,
        session: &mut dyn Session,
        targets: &[Target],
        erased: Vec<Option<Result<Erased, StoreError>>>,
        work: &Work,
        answers: &mut Batch<Erased>,
    ) -> Result<(), Trouble> {
        let missing = erased.iter().zip(targets).filter(|(answer, _)| answer.is_none());
        let rest: Vec<Target> = missing.map(|(_, target)| target.clone()).collect();
        let mut later = Batch::new();
        let tried = if rest.is_empty() {
            Ok(())
        } else if rest.len() < targets.len() {
            self.erase(session, &rest, work, &mut later)
        } else {
            let (first, second) = rest.split_at(rest.len() / 2);
            self.erase(session, first, work, &mut later)
                .and_then(|()| self.erase(session, second, work, &mut later))
        };
        // After an error, those after the first one without an answer count as not tried.
        let mut later = later.into_iter();
        answers.extend(erased.into_iter().map_while(|answer| answer.or_else(|| later.next())));
        tried
    }
}

/// Whether something may stand in a customer's way only because others of the batch leave, too: with them the customer is
/// the last who has a record.
fn may_be_due_to_others(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Held { .. }
            | StoreError::OtherTenant { .. }
            | StoreError::CutToNothing { .. }
            | StoreError::KeyOfNobody { .. }
    )
}

/// Subtracts rows of a class from the rows that were treated by its action, and returns the counts for the other
/// results.
fn take<'c>(counts: &'c mut Counts, class: &ClassName, rows: u64) -> &'c mut Otherwise {
    if let Some(count) = counts.classes.get_mut(class) {
        *count = count.saturating_sub(rows);
    }
    counts.otherwise.entry(class.clone()).or_default()
}

/// The columns and values of a new "Unknown Customer".
fn stand_in_row(
    dialect: &dyn Dialect,
    map: &CustomersMap,
    unknown: &UnknownMap,
    at: DateTime<Utc>,
) -> (String, String) {
    let mut row: BTreeMap<String, String> = unknown
        .create
        .iter()
        .map(|(column, value)| (quoted(column), written(dialect, map, column, value, at)))
        .collect();
    row.extend(unknown.find.iter().map(|(column, value)| (quoted(column), dialect.literal(value))));
    if let TenantSource::From(Source::Column(column)) = &map.tenant {
        row.insert(quoted(column), dialect.in_type_of(&dialect.table(&map.table), column, "b.tenant"));
    }
    let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
    (columns.join(", "), values.join(", "))
}
