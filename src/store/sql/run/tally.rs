//! Counting what a treatment would do.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;

use super::Frame;
use super::rounds::Readings;
use crate::anonymise::by_content::ByContent;
use crate::customer::{CustomerId, TenantId};
use crate::data_map::{ClassName, FieldName};
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::script::{ClassScript, DatedRows, Due, KeepersScript, Script, Statement, rare};
use crate::store::sql::session::{Purpose, Row, Session};
use crate::store::sql::values::{self, Dated, Unreadable};
use crate::store::{Batch, ClassTally, Contents, HeldCustomers, Kept, StoreError, Tally};
use crate::treatment::{Keepers, Treatment};

/// What is counted: under which treatment, on which day, and whose records must stay as they are.
#[derive(Clone, Copy)]
pub(crate) struct Count<'c> {
    pub(crate) treatment: &'c Treatment,
    pub(crate) day: NaiveDate,
    pub(crate) held: &'c HeldCustomers,
}

impl Frame {
    /// The number of rows, and of rows with something to do, per customer of the batch, for one class.
    pub(super) fn count(
        session: &mut dyn Session,
        class: &ClassName,
        statement: &Statement,
    ) -> Result<Vec<(usize, ClassTally)>, Trouble> {
        let read =
            |row: &dyn Row| Ok((row.natural(0)?, ClassTally { rows: row.natural(1)?, due: row.natural(2)? }));
        session.rows(&statement.sql, &statement.parameters, read).map_err(Trouble::at(class))
    }

    /// The number of rows that will be treated, per customer of the batch, for one class.
    pub(super) fn count_rows(
        session: &mut dyn Session,
        class: &ClassName,
        sql: &str,
    ) -> Result<Vec<(usize, u64)>, Trouble> {
        session.rows(sql, &[], |row| Ok((row.natural(0)?, row.natural(1)?))).map_err(Trouble::at(class))
    }

    /// The same, with what duties keep of these rows if the statement returns it.
    fn tally_of(
        &self,
        session: &mut dyn Session,
        class: &ClassScript,
        customers: usize,
    ) -> Result<Vec<(usize, ClassTally, Option<Kept>)>, Trouble> {
        if let Some(dated) = &class.dated {
            return self.tally_dated(session, class, dated, customers);
        }
        let read = |row: &dyn Row| {
            let rows = row.natural(1)?;
            let due = match class.are_due {
                Due::Counted => row.natural(2)?,
                Due::All => rows,
                Due::Nothing => 0,
            };
            Ok((row.natural(0)?, ClassTally { rows, due }, None))
        };
        let Statement { sql, parameters } = &class.tally;
        session.rows(sql, parameters, read).map_err(Trouble::at(&class.class))
    }

    /// The same, where each row's dates say whether a duty keeps it.
    fn tally_dated(
        &self,
        session: &mut dyn Session,
        class: &ClassScript,
        DatedRows { duties, due }: &DatedRows,
        customers: usize,
    ) -> Result<Vec<(usize, ClassTally, Option<Kept>)>, Trouble> {
        let mut counted =
            vec![(ClassTally::default(), 0_u64, vec![Span::default(); duties.len()]); customers];
        let Statement { sql, parameters } = &class.tally;
        session
            .query(sql, parameters, &mut |row| {
                let Some((tally, kept, spans)) = counted.get_mut(row.natural::<usize>(0)?) else {
                    return Ok(());
                };
                let mut is_kept = false;
                for ((at, (duty, _)), span) in duties.iter().enumerate().zip(spans) {
                    let date = row.cell(1 + at)?;
                    let dated = values::with(&self.bench, |working| working.duty(*duty, date));
                    let dated = dated.map_err(|what| Fault::Other(what.to_owned()))?;
                    is_kept |= dated.keeps;
                    span.add(dated);
                }
                tally.rows += 1;
                let is_due = match due {
                    _ if is_kept => false,
                    Due::All => true,
                    Due::Nothing => false,
                    Due::Counted => row.flag(1 + duties.len())?,
                };
                *kept += u64::from(is_kept);
                tally.due += u64::from(is_due);
                Ok(())
            })
            .map_err(Trouble::at(&class.class))?;
        let each = counted.into_iter().enumerate();
        Ok(each
            .map(|(n, (tally, rows, spans))| {
                let mut kept = Kept { rows, ..Kept::default() };
                for ((_, field), span) in duties.iter().zip(spans) {
                    kept.add(field, span.last);
                    kept.add(field, span.first);
                    // A record may be kept by the same field for several tenants.
                    if !kept.unreadable.contains_key(field) {
                        kept.add_unreadable(field, span.unreadable);
                    }
                }
                (n, tally, (rows > 0).then_some(kept))
            })
            .collect())
    }

    /// The rows that a duty keeps, per customer of the batch, for one class.
    pub(super) fn kept(
        session: &mut dyn Session,
        class: &ClassName,
        statement: &Statement,
        fields: &[FieldName],
    ) -> Result<Vec<(usize, Kept)>, Trouble> {
        let read = |row: &dyn Row| {
            let mut kept = Kept { rows: row.natural(1)?, ..Kept::default() };
            for (n, field) in fields.iter().enumerate() {
                for column in [3 * n + 2, 3 * n + 3] {
                    kept.add(field, row.day(column)?);
                }
                // A record may be kept by the same field for several tenants.
                if !kept.unreadable.contains_key(field) {
                    kept.add_unreadable(field, row.natural(3 * n + 4)?);
                }
            }
            Ok((row.natural(0)?, kept))
        };
        session.rows(&statement.sql, &statement.parameters, read).map_err(Trouble::at(class))
    }

    /// What values become if that depends on the values, per customer of the batch, for one column.
    pub(super) fn by_content(
        session: &mut dyn Session,
        class: &ClassName,
        sql: &str,
    ) -> Result<Vec<(usize, Contents)>, Trouble> {
        let mut each: BTreeMap<usize, Contents> = BTreeMap::new();
        let mut count = |row: &dyn Row| {
            if let Some(outcome) = ByContent::of_code(row.natural(1)?) {
                each.entry(row.natural(0)?).or_default().count(outcome, row.natural(2)?);
            }
            Ok(())
        };
        session.query(sql, &[], &mut count).map_err(Trouble::at(class))?;
        Ok(each.into_iter().collect())
    }

    /// The uncertain mentions, per customer of the batch and field, for one class.
    pub(super) fn uncertain(
        session: &mut dyn Session,
        class: &ClassName,
        statement: &Statement,
        fields: &[FieldName],
        tallies: &mut [Tally],
    ) -> Result<(), Trouble> {
        let mut each = |row: &dyn Row| {
            let Some(tally) = tallies.get_mut(row.natural::<usize>(0)?) else { return Ok(()) };
            for (n, field) in fields.iter().enumerate() {
                let count: u64 = row.natural(n + 1)?;
                if count > 0 {
                    tally.uncertain.entry(class.clone()).or_default().insert(field.clone(), count);
                }
            }
            Ok(())
        };
        session.query(&statement.sql, &statement.parameters, &mut each).map_err(Trouble::at(class))
    }

    pub(super) fn tally_together(
        &self,
        session: &mut dyn Session,
        customers: &[CustomerId],
        count: Count<'_>,
    ) -> Result<Batch<Tally>, Trouble> {
        let script = self.script(count.treatment);
        let mut transaction = session.transaction(Purpose::Read)?;
        self.same_schema(&mut *transaction)?;
        // Each plan is for one customer who is erased alone. If records are erased together with others, each
        // customer is counted separately.
        let most = if script.finding.goes_along() { 1 } else { customers.len().max(1) };
        let mut tallies = Vec::with_capacity(customers.len());
        for part in customers.chunks(most) {
            tallies.extend(self.tally_part(&mut *transaction, part, count, &script)?);
        }
        transaction.commit()?;
        Ok(tallies)
    }

    /// Counts the batch in one go. If a value cannot be read, the batch is counted in halves, so that one customer's
    /// unreadable record does not affect the others.
    pub(crate) fn tally(
        &self,
        session: &mut dyn Session,
        customers: &[CustomerId],
        count: Count<'_>,
        answers: &mut Batch<Tally>,
    ) -> Result<(), Trouble> {
        let counted = self.tally_together(session, customers, count);
        let unread = values::take_unreadable(&self.bench);
        values::set(&self.bench, None);
        let trouble = match counted {
            Ok(tallies) => {
                answers.extend(tallies);
                return Ok(());
            }
            Err(trouble) => trouble,
        };
        match (&trouble.fault, customers) {
            (Fault::Constraint(_) | Fault::Other(_), [_]) => {
                answers.push(Err(self.uncounted(trouble, unread)?));
                Ok(())
            }
            (Fault::Constraint(_) | Fault::Other(_), [_, ..]) => {
                let (first, second) = customers.split_at(customers.len() / 2);
                self.tally(session, first, count, answers)?;
                self.tally(session, second, count, answers)
            }
            _ => Err(trouble),
        }
    }

    /// Why the records of one customer cannot be counted. An error that does not concern only this customer is
    /// returned unchanged.
    pub(super) fn uncounted(
        &self,
        trouble: Trouble,
        unread: Option<Unreadable>,
    ) -> Result<StoreError, Trouble> {
        let doing = "counting records";
        match (&trouble.fault, unread) {
            (Fault::Constraint(_) | Fault::Other(_), Some(Unreadable { what, way_out })) => {
                Ok(StoreError::Unreadable { doing, what, way_out })
            }
            (Fault::Constraint(_) | Fault::Other(_), None) => Ok(trouble.into_error(doing, &self.bound)),
            _ => Err(trouble),
        }
    }

    pub(super) fn tally_part(
        &self,
        session: &mut dyn Session,
        customers: &[CustomerId],
        count: Count<'_>,
        script: &Script,
    ) -> Result<Batch<Tally>, Trouble> {
        let (mut readings, mut unclear) = self.find_to_count(session, customers, count, script)?;
        let tallies = self.count_by(session, &script.classes, customers.len(), &mut readings)?;
        let each = tallies.into_iter().enumerate();
        Ok(each.map(|(n, tally)| unclear.remove(&n).map_or(Ok(tally), Err)).collect())
    }

    /// Finds everything to count for some customers, and prepares the search of their texts. Customers who cannot be
    /// counted are left out, each with the reason.
    pub(super) fn find_to_count<'f>(
        &self,
        session: &mut dyn Session,
        customers: &[CustomerId],
        count: Count<'_>,
        script: &'f Script,
    ) -> Result<(Readings<'f>, HashMap<usize, StoreError>), Trouble> {
        self.fill(session, customers.iter())?;
        self.work(script, None, count.day, 0);
        let mut unclear = self.unclear_customers(session, script)?;
        let out: Vec<usize> = unclear.keys().copied().collect();
        self.leave_out(session, &out)?;
        let find = |session: &mut dyn Session| {
            if script.finding.goes_along() {
                self.find(session, &script.finding, script.counts())
            } else {
                self.find_each(session, &script.finding, script.counts())
            }
        };
        let mut readings = find(session)?;
        let mut tenants = vec![BTreeSet::new(); customers.len()];
        if script.finding.reaches_abroad() {
            for (n, facts) in self.batch_facts(session)? {
                if let Some(own) = tenants.get_mut(n) {
                    *own = facts.connected;
                    own.insert(facts.tenant);
                }
            }
        }
        let blocked = self.blocked(session, count, script, &mut readings, &tenants)?;
        if !blocked.is_empty() {
            let out: Vec<usize> = blocked.keys().copied().collect();
            self.leave_out(session, &out)?;
            unclear.extend(blocked);
            readings = find(session)?;
        }
        values::stop_at_unreadable(&self.bench);
        self.look_for(session, customers.len(), count.treatment, script)?;
        self.find_rare(session, script)?;
        Ok((readings, unclear))
    }

    /// The customers of the batch for whom something is unclear, each with the first reason.
    pub(super) fn unclear_customers(
        &self,
        session: &mut dyn Session,
        script: &Script,
    ) -> Result<HashMap<usize, StoreError>, Trouble> {
        let mut customers = HashMap::new();
        for (n, class, link, rows) in self.unclear(session, &script.finding)? {
            customers.entry(n).or_insert_with(|| StoreError::Unclear { class, link, rows });
        }
        Ok(customers)
    }

    /// The customers of the batch who must not be touched: unclaimed rows hang from them, the treatment would reach
    /// rows of other tenants or of somebody on whom a hold stands, links would be cut to a row that does not exist or to a
    /// customer, or a key means nobody.
    /// Call this after their records were found.
    pub(super) fn blocked(
        &self,
        session: &mut dyn Session,
        count: Count<'_>,
        script: &Script,
        readings: &mut Readings<'_>,
        tenants: &[BTreeSet<TenantId>],
    ) -> Result<HashMap<usize, StoreError>, Trouble> {
        let mut customers = self.unclaimed(session, count.treatment)?;
        for (n, class, link, rows) in self.held_by_others(session, &script.finding, count.held)? {
            customers.entry(n).or_insert(StoreError::Held { class, link, rows });
        }
        for (n, class, link, rows) in self.abroad(session, &script.finding, tenants)? {
            customers.entry(n).or_insert(StoreError::OtherTenant { class, link, rows });
        }
        for keys in &script.keys_of_nobody {
            for (n, rows) in Self::count_rows(session, &keys.to, &keys.found)? {
                if rows > 0 {
                    customers.entry(n).or_insert_with(|| StoreError::KeyOfNobody {
                        class: keys.class.clone(),
                        link: keys.link.clone(),
                        to: keys.to.clone(),
                    });
                }
            }
        }
        for link in script.classes.iter().flat_map(|class| &class.let_go) {
            if readings.is_empty(link.counted.from) {
                continue;
            }
            let at = Trouble::at(&link.class);
            let is_there = |session: &mut dyn Session, sql: &String| -> Result<bool, Trouble> {
                Ok(Self::number(session, sql).map_err(&at)? > 0)
            };
            let is_taken = link.taken.as_ref().map_or(Ok(false), |taken| is_there(session, taken))?;
            let lands = match &link.lands {
                Some(lands) if !is_there(session, &lands.found)? => Some(lands),
                Some(_) | None => None,
            };
            if !is_taken && lands.is_none() {
                continue;
            }
            let is_picked = self.pick(session, link.counted.reads.as_ref(), link.counted.from, readings)?;
            for (n, rows) in Self::count_rows(session, &link.class, &link.counted.over(is_picked).sql)? {
                if rows == 0 {
                    continue;
                }
                let (class, link) = (link.class.clone(), link.link.clone());
                customers.entry(n).or_insert_with(|| match lands {
                    Some(lands) => StoreError::CutToNothing { class, link, table: lands.table.clone(), rows },
                    None => StoreError::KeyOfNobody { class, link, to: self.bound.data_map.root().clone() },
                });
            }
        }
        Ok(customers)
    }

    /// What a treatment's statements count, for a number of customers.
    pub(super) fn count_by(
        &self,
        session: &mut dyn Session,
        classes: &[ClassScript],
        customers: usize,
        readings: &mut Readings<'_>,
    ) -> Result<Vec<Tally>, Trouble> {
        let mut nothing = Tally::default();
        nothing.classes.extend(classes.iter().map(|class| (class.class.clone(), ClassTally::default())));
        let mut tallies = vec![nothing; customers];
        for class in classes {
            for (n, counted, kept) in self.tally_of(session, class, customers)? {
                let Some(tally) = tallies.get_mut(n) else { continue };
                if let Some(tally) = tally.classes.get_mut(&class.class) {
                    *tally = counted;
                }
                tally.kept.extend(kept.map(|kept| (class.class.clone(), kept)));
            }
            let theirs = self.count_theirs(session, class, readings)?;
            for (n, counted) in theirs.iter().filter(|(_, counted)| counted.rows > 0) {
                if let Some(tally) = tallies.get_mut(*n) {
                    *tally.fields.entry(class.class.clone()).or_default() += counted.rows;
                }
            }
            for (n, kept) in Self::count_kept_theirs(session, class)? {
                if let Some(tally) = tallies.get_mut(n) {
                    tally.kept_fields.entry(class.class.clone()).or_default().and(&kept);
                }
            }
            let mentioned = match &class.mentioned {
                Some(mentioned) => Self::count(session, &class.class, mentioned)?,
                None => Vec::new(),
            };
            for (n, counted) in theirs.into_iter().chain(mentioned) {
                let tally = tallies.get_mut(n).and_then(|tally| tally.classes.get_mut(&class.class));
                if let Some(tally) = tally {
                    tally.rows += counted.rows;
                    tally.due += counted.due;
                }
            }
            if let Some(others) = &class.others {
                for (n, others) in Self::count_rows(session, &class.class, others)? {
                    if let Some(tally) = tallies.get_mut(n) {
                        tally.others.insert(class.class.clone(), others);
                    }
                }
            }
            for (link, sql) in &class.named_others {
                for (n, rows) in Self::count_rows(session, &class.class, sql)? {
                    if let Some(tally) = tallies.get_mut(n).filter(|_| rows > 0) {
                        let of_class = tally.named_others.entry(class.class.clone()).or_default();
                        of_class.insert(link.clone(), rows);
                    }
                }
            }
            for (link, statement) in &class.nobodys_fields {
                for (n, counted) in Self::count(session, &class.class, statement)? {
                    if let Some(tally) = tallies.get_mut(n).filter(|_| counted.rows > 0) {
                        let of_class = tally.nobodys_fields.entry(class.class.clone()).or_default();
                        of_class.insert(link.clone(), counted.rows);
                    }
                }
            }
            for (field, sql) in &class.contents {
                for (n, contents) in Self::by_content(session, &class.class, sql)? {
                    if let Some(tally) = tallies.get_mut(n) {
                        let of_class = tally.contents.entry(class.class.clone()).or_default();
                        of_class.insert(field.clone(), contents);
                    }
                }
            }
            for (link, counted) in &class.nobodys_records {
                if readings.is_empty(counted.from) {
                    continue;
                }
                let is_picked = self.pick(session, counted.reads.as_ref(), counted.from, readings)?;
                let sql = &counted.over(is_picked).sql;
                for (n, rows) in Self::count_rows(session, &class.class, sql)? {
                    if let Some(tally) = tallies.get_mut(n).filter(|_| rows > 0) {
                        let of_class = tally.nobodys_records.entry(class.class.clone()).or_default();
                        *of_class.entry(link.clone()).or_default() += rows;
                    }
                }
            }
            if let Some((statement, fields)) = &class.uncertain {
                Self::uncertain(session, &class.class, statement, fields, &mut tallies)?;
            }
            if let Some(group) = &class.group {
                for (n, rare) in Self::count(session, &class.class, &group.tally)? {
                    if let Some(tally) = tallies.get_mut(n).filter(|_| rare.rows > 0) {
                        tally.rare.insert(class.class.clone(), rare.rows);
                        if rare.due > 0 {
                            tally.alone.insert(class.class.clone(), rare.due);
                        }
                    }
                }
            }
            if let Some(tombstone) = &class.tombstone {
                for (n, counted) in Self::count(session, &class.class, &tombstone.rows)? {
                    if let Some(tally) = tallies.get_mut(n) {
                        tally.tombstones.insert(class.class.clone(), counted.rows);
                    }
                }
            }
            Self::count_kept(session, class, &mut tallies)?;
        }
        Ok(tallies)
    }

    /// Counts the records of a class that duties keep, and the records that need them.
    fn count_kept(
        session: &mut dyn Session,
        class: &ClassScript,
        tallies: &mut [Tally],
    ) -> Result<(), Trouble> {
        if let Some((statement, fields)) = &class.kept {
            for (n, kept) in Self::kept(session, &class.class, statement, fields)? {
                if let Some(tally) = tallies.get_mut(n) {
                    tally.kept.insert(class.class.clone(), kept);
                }
            }
        }
        for KeepersScript { class: of, needs, statement, fields } in &class.keepers {
            for (n, dates) in Self::kept(session, &class.class, statement, fields)? {
                let kept = tallies.get_mut(n).and_then(|tally| tally.kept.get_mut(&class.class));
                if let Some(kept) = kept {
                    kept.keepers.push(Keepers { class: of.clone(), needs: needs.clone(), dates });
                }
            }
        }
        if let Some(statement) = &class.kept_for_others {
            for (n, counted) in Self::count(session, &class.class, statement)? {
                let kept = tallies.get_mut(n).and_then(|tally| tally.kept.get_mut(&class.class));
                if let Some(kept) = kept {
                    kept.for_others = counted.rows;
                }
            }
        }
        Ok(())
    }

    /// Rows in which fields belong to customers of the batch: rows of others, and rows with something to do that is not
    /// counted with the customers' own rows. Fills the set of these rows.
    pub(super) fn count_theirs(
        &self,
        session: &mut dyn Session,
        class: &ClassScript,
        readings: &mut Readings<'_>,
    ) -> Result<Vec<(usize, ClassTally)>, Trouble> {
        let Some(theirs) = &class.theirs else { return Ok(Vec::new()) };
        self.empty(session, &BTreeSet::from([theirs.place]))?;
        for fill in &theirs.fills {
            if readings.is_empty(fill.from) {
                continue;
            }
            let is_picked = self.pick(session, fill.reads.as_ref(), fill.from, readings)?;
            let statement = fill.over(is_picked);
            session.execute(&statement.sql, &statement.parameters).map_err(Trouble::at(&class.class))?;
        }
        Self::count(session, &class.class, &theirs.rows)
    }

    /// Rows of others that a duty keeps and in which fields belong to customers of the batch. Call this after
    /// [`count_theirs`](Self::count_theirs).
    fn count_kept_theirs(
        session: &mut dyn Session,
        class: &ClassScript,
    ) -> Result<Vec<(usize, Kept)>, Trouble> {
        match class.theirs.as_ref().and_then(|theirs| theirs.kept.as_ref()) {
            Some((statement, fields)) => Self::kept(session, &class.class, statement, fields),
            None => Ok(Vec::new()),
        }
    }

    /// Finds the customers of the batch whose kept values too few customers share. Nothing is written yet.
    pub(crate) fn find_rare(&self, session: &mut dyn Session, script: &Script) -> Result<(), Trouble> {
        for group in script.classes.iter().filter_map(|class| class.group.as_ref()) {
            if let Some(field) = &group.within_document {
                let what = format!(
                    "{field} of {} is within a document, and nobody can be counted by it; clear it, or leave \
                     smallest_group out",
                    group.class
                );
                return Err(Fault::Other(what).into());
            }
            let at = Trouble::at(&group.class);
            session.execute(&format!("DELETE FROM {}", rare(&self.bound)), &[]).map_err(&at)?;
            session.execute(&group.fill, &[]).map_err(&at)?;
        }
        Ok(())
    }
}

/// The first and last day of the records that a duty keeps, and the number of unreadable dates.
#[derive(Clone, Copy, Default)]
struct Span {
    first: Option<NaiveDate>,
    last: Option<NaiveDate>,
    unreadable: u64,
}

impl Span {
    fn add(&mut self, dated: Dated) {
        if let Some(day) = dated.day {
            self.first = Some(self.first.map_or(day, |first| first.min(day)));
            self.last = self.last.max(Some(day));
        }
        self.unreadable += u64::from(dated.is_unreadable);
    }
}
