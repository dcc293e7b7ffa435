//! Writes to rows other than the treated rows: fields that belong to the person at the far end of a link, and links
//! to deleted rows.

use std::fmt::Write as _;

use super::class::Writer;
use super::targets::{Reading, assignments, pending, targets};
use super::{Elsewhere, Lands, LetGo, Statement, Theirs};
use crate::data_map::{TriggerEffect, TriggerOn, Value, WhenGone};
use crate::store::sql::bind::BoundClass;
use crate::store::sql::spelling::{columns, count_if, listed, quoted};
use crate::store::sql::values::Slot;
use crate::store::sql::way::BoundLink;
use crate::store::sql::whose::{From, Reads, Set, Toward, is_row};
use crate::treatment::{ClassTreatment, RecordAction};

/// Fields that belong to the person at the far end of a link, in rows of a class.
#[derive(Default)]
pub(super) struct FieldsOfOthers {
    /// What writes them.
    pub(super) writes: Vec<Elsewhere>,
    /// How the rows are counted. `None` if the class has no such fields.
    pub(super) theirs: Option<Theirs>,
}

/// What is known of a row in which fields belong to a customer.
mod standing {
    /// Nothing has to be done that is not counted with the customer's own rows.
    pub(super) const SETTLED: u8 = 0;
    /// The fields have to be written.
    pub(super) const DUE: u8 = 1;
    /// A duty keeps the row.
    pub(super) const KEPT: u8 = 2;
}

impl Writer<'_> {
    /// Fields of the class that belong to the person at the far end of a link. They are written when that person is
    /// erased, whoever owns the row. `own_pending` is the condition that the row's own treatment still has to write
    /// to it.
    pub(super) fn fields_of_others(
        &self,
        number: usize,
        class: &BoundClass,
        treated: &ClassTreatment,
        slots: &mut Vec<Slot>,
        own_pending: &dyn Fn(&mut Statement, &[Slot]) -> String,
    ) -> FieldsOfOthers {
        let mut found = FieldsOfOthers::default();
        // An expiry erases no customer: every field is erased with its own record.
        if matches!(treated.action(), RecordAction::Keep { .. }) || self.treatment.is_expiry() {
            return found;
        }
        let all = treated.field_strategies();
        let mut fills = Vec::new();
        let (table, host) = (quoted(&class.table), self.bound.table(&class.table));
        let reading = Reading::new(self.bound, class, treated);
        for link in class.links.iter().filter(|link| class.has_fields_of(link)) {
            let of_link = all.iter().filter(|(field, _)| class.is_of(field.as_str(), link));
            let of_link = of_link.map(|(field, strategy)| (*field, *strategy));
            let known = slots.len();
            let fields = targets(class, &reading, of_link, slots);
            slots.iter_mut().skip(known).for_each(|slot| slot.of = Some(link.name.clone()));
            if fields.is_empty() {
                continue;
            }
            for (head_number, head) in self.bound.classes.iter().enumerate() {
                if !link.heads.contains(&head.name) {
                    continue;
                }
                let (from, place) = From::due(self.bound, link, head_number, head);
                let is_kept = self.is_kept_whole(number, class, "x");
                let further =
                    is_kept.as_ref().map_or_else(String::new, |is_kept| format!(" AND NOT {is_kept}"));
                let names: Vec<String> = (0..class.handle.len()).map(|part| format!("h{part}")).collect();
                let gives: Vec<String> = class
                    .handle
                    .iter()
                    .enumerate()
                    .map(|(part, column)| format!("x.{} AS h{part}", quoted(column)))
                    .collect();
                let gives = format!("{}, relinquish_r.n AS n", gives.join(", "));
                let along = self.ways.along(link, class, head, Toward::Foot, &from, &gives, None);
                let elsewhere = |mut statement: Statement, of: &dyn Fn(&str) -> String| {
                    statement.sql = of(&along.sql);
                    let reads = along.reads.clone();
                    let reads = reads.map(|reads| Reads { of_picked: of(&reads.of_picked), ..reads });
                    Elsewhere { statement, reads, from: place }
                };
                let mut write = Statement::default();
                let sets = assignments(self.bound.dialect, &mut write, class, slots, &fields, None);
                found.writes.push(elsewhere(write, &|select| {
                    let which = format!(
                        "{} IN (SELECT {} FROM ({select}{further}) AS found)",
                        columns(&table, &class.handle),
                        names.join(", "),
                    );
                    self.bound.dialect.update(&host, &table, &sets, &which)
                }));
                let mut count = Statement::default();
                let is_pending = pending(self.bound.dialect, &mut count, class, slots, &fields);
                let is_own_pending = own_pending(&mut count, slots);
                let kept = self
                    .is_kept_whole(number, class, &table)
                    .map_or_else(String::new, |is_kept| format!("WHEN {is_kept} THEN {} ", standing::KEPT));
                // The customer's own rows are counted there. Here they count only if nothing else has to be done to
                // them.
                let own = self.own_of(number, class);
                let handle = names.join(", ");
                let of_r =
                    names.iter().map(|name| format!("relinquish_r.{name}")).collect::<Vec<_>>().join(", ");
                fills.push(elsewhere(count, &|select| {
                    let rows = format!(
                        "SELECT {of_r}, relinquish_r.n, CASE {kept}WHEN relinquish_r.own AND ({is_own_pending}) THEN {} WHEN {is_pending} THEN {} ELSE {} END \
                         FROM (SELECT relinquish_x.*, relinquish_own.n IS NOT NULL AS own, \
                         coalesce(relinquish_own.needed, 0) AS needed FROM (SELECT DISTINCT * FROM ({select}) AS found) AS relinquish_x {own}) AS relinquish_r {}",
                        standing::SETTLED,
                        standing::DUE,
                        standing::SETTLED,
                        self.bound.dialect.then(&host, &table, &is_row(class, &table, "relinquish_r"))
                    );
                    let theirs = Set::Theirs.of(self.bound, number);
                    self.bound.dialect.add(&theirs, &format!("{handle}, n, due"), &rows)
                }));
            }
        }
        found.theirs = (!fills.is_empty()).then(|| self.theirs(number, class, fills));
        found
    }

    /// How rows are counted in which fields belong to customers of the batch. A row counts once, however many links lead
    /// from it to a customer.
    fn theirs(&self, number: usize, class: &BoundClass, fills: Vec<Elsewhere>) -> Theirs {
        let names: Vec<String> = (0..class.handle.len()).map(|part| format!("h{part}")).collect();
        let (handle, theirs) = (names.join(", "), Set::Theirs.of(self.bound, number));
        let own = self.own_of(number, class);
        let rows = format!(
            "SELECT relinquish_x.n, count(CASE WHEN relinquish_own.n IS NULL THEN 1 END), \
             count(CASE WHEN relinquish_x.due = {} THEN 1 END) FROM (SELECT {handle}, n, max(due) AS due FROM {theirs} \
             WHERE due <> {} GROUP BY {handle}, n) AS relinquish_x {own} GROUP BY relinquish_x.n",
            standing::DUE,
            standing::KEPT,
        );
        let kept = self.is_kept_whole(number, class, "x").map(|_| {
            let (mut dates, mut fields) = (String::new(), Vec::new());
            if let Some(kept) = self.kept.get(&number) {
                for (day, is_unreadable) in kept.days(&self.ways, "x") {
                    // Writing to a String never fails.
                    let _ = write!(dates, ", max({day}), min({day}), {}", count_if(&is_unreadable));
                }
                fields = kept.duties.iter().map(|(_, field, _)| field.clone()).collect();
            }
            let sql = format!(
                "SELECT relinquish_x.n, count(*){dates} FROM (SELECT DISTINCT {handle}, n FROM {theirs} WHERE due = {}) \
                 AS relinquish_x {own}{} WHERE relinquish_own.n IS NULL GROUP BY relinquish_x.n",
                standing::KEPT,
                self.bound.dialect.then(&self.bound.table(&class.table), "x", &is_row(class, "x", "relinquish_x")),
            );
            (Statement { sql, parameters: Vec::new() }, fields)
        });
        let rows = Statement { sql: rows, parameters: Vec::new() };
        Theirs { place: (Set::Theirs, number), fills, rows, kept }
    }

    /// Per customer: the number of rows that somebody else has too. Rows that are counted with the fields of the customer in
    /// them are left out. The set of those rows has to be filled.
    pub(super) fn had_by_others(&self, number: usize, class: &BoundClass, fields: Option<&Theirs>) -> String {
        let known = self.touched(number, class).known();
        let besides = fields.map_or_else(String::new, |_| {
            format!(
                " AND NOT EXISTS (SELECT 1 FROM {} AS t WHERE t.n = relinquish_r.n AND t.due <> {} AND {})",
                Set::Theirs.of(self.bound, number),
                standing::KEPT,
                same_parts("t", "relinquish_r", class.handle.len()),
            )
        });
        format!(
            "SELECT relinquish_r.n, count(*) {known} WHERE relinquish_r.had = 1{besides} GROUP BY relinquish_r.n"
        )
    }

    /// The condition that a duty keeps a row, for its own sake or with another. `None` if no duty can keep one.
    fn is_kept_whole(&self, number: usize, class: &BoundClass, alias: &str) -> Option<String> {
        let by_duty = self.kept.get(&number).map(|kept| kept.is_kept(&self.ways, alias));
        let with_others = self.is_kept_with_others(class).then(|| {
            let whole = Set::Whole.of(self.bound, number);
            format!("EXISTS (SELECT 1 FROM {whole} AS s WHERE {})", is_row(class, alias, "s"))
        });
        let each: Vec<String> = by_duty.into_iter().chain(with_others).collect();
        (!each.is_empty()).then(|| format!("({})", each.join(" OR ")))
    }

    /// Joins the customer's own rows of the class, as `relinquish_own`, to rows that were found for the customer.
    fn own_of(&self, number: usize, class: &BoundClass) -> String {
        format!(
            "LEFT JOIN {} AS relinquish_own ON {} AND relinquish_own.n = relinquish_x.n{}",
            Set::Touched.of(self.bound, number),
            same_parts("relinquish_own", "relinquish_x", class.handle.len()),
            if class.is_shared { " AND relinquish_own.had = 0" } else { "" }
        )
    }

    /// Links in anybody's rows to rows of the class that are deleted.
    pub(super) fn let_go(
        &self,
        number: usize,
        class: &BoundClass,
        treated: &ClassTreatment,
        free: &str,
    ) -> Vec<LetGo> {
        let mut list = Vec::new();
        let deleted = match treated.action() {
            RecordAction::Reassign => format!("{free} AND relinquish_r.instead = 1"),
            _ => free.to_owned(),
        };
        for (at, foot) in self.bound.classes.iter().enumerate() {
            let Some(treated) = self.treatment.class(foot.name.as_str()) else { continue };
            let goes_along = *treated.action() == RecordAction::Delete;
            for link in foot.links.iter().filter(|link| link.heads.contains(&class.name) && !link.by_value) {
                let is_cleared = match link.gone {
                    WhenGone::Clear | WhenGone::StandIn => true,
                    WhenGone::Goes | WhenGone::Same => !goes_along,
                    WhenGone::Keep { .. } | WhenGone::Forbids => false,
                };
                if !is_cleared {
                    continue;
                }
                let table = quoted(&foot.table);
                let hands_over = link.gone == WhenGone::StandIn;
                let taken = if hands_over { None } else { self.taken(link) };
                let sets = if hands_over {
                    self.stand_in(link, &table)
                } else {
                    let sets = link.cleared.iter();
                    sets.map(|(column, value)| (quoted(column), self.bound.dialect.literal(value))).collect()
                };
                if sets.is_empty() {
                    continue;
                }
                let from = From::set(self.bound, Set::Touched, number).which(&deleted);
                let gives = listed("x", &foot.handle);
                let along = self.ways.along(link, foot, class, Toward::Foot, &from, &gives, None);
                let counted = self.count_let_go(link, (at, foot), class, &from);
                // Nothing is handed over that is deleted itself: that may be all, and then no stand-in is made.
                let stays =
                    hands_over.then(|| self.goes(at, foot)).flatten().map_or_else(String::new, |goes| {
                        format!(
                            " AND {} NOT IN (SELECT {} FROM {} AS {table} WHERE {goes})",
                            columns("x", &foot.handle),
                            listed(&table, &foot.handle),
                            self.bound.table(&foot.table),
                        )
                    });
                let update = |select: &str| {
                    let which = format!("{} IN ({select}{stays})", columns(&table, &foot.handle));
                    self.bound.dialect.update(&self.bound.table(&foot.table), &table, &sets, &which)
                };
                // Rows that a trigger writes after the picking are missing among the picked rows.
                let mut of_table =
                    self.bound.classes.iter().filter(|class| class.table.eq_ignore_ascii_case(&foot.table));
                let is_same_as_picked = of_table.all(|class| !class.is_written_by_triggers);
                let left = self
                    .may_be_undone(foot)
                    .then(|| format!("SELECT count(*) FROM ({}{stays}) AS found", along.sql));
                let reads = along.reads.filter(|_| is_same_as_picked);
                let is_needed = |select: &str| format!("SELECT count(*) FROM ({select}{stays}) AS found");
                let hands_over = hands_over.then(|| Elsewhere {
                    statement: Statement { sql: is_needed(&along.sql), parameters: Vec::new() },
                    reads: reads
                        .clone()
                        .map(|reads| Reads { of_picked: is_needed(&reads.of_picked), ..reads }),
                    from: Some((Set::Touched, number)),
                });
                let (counted, counts) = counted;
                let counted = Elsewhere {
                    statement: Statement { sql: counted, parameters: Vec::new() },
                    reads: counts.filter(|_| is_same_as_picked),
                    from: Some((Set::Touched, number)),
                };
                list.push(LetGo {
                    class: foot.name.clone(),
                    link: link.name.clone(),
                    counted,
                    sql: update(&along.sql),
                    reads: reads.map(|reads| Reads { of_picked: update(&reads.of_picked), ..reads }),
                    from: (Set::Touched, number),
                    hands_over,
                    left,
                    lands: self.lands(link),
                    taken,
                });
            }
        }
        list
    }

    /// The row to which a link leads after it was cut.
    fn lands(&self, link: &BoundLink) -> Option<Lands> {
        if !link.is_enforced || !link.hops.is_empty() || link.gone == WhenGone::StandIn {
            return None;
        }
        // A foreign key with a NULL in it leads nowhere.
        let value = |column: &String| {
            let cleared = link.cleared.iter().find(|(cleared, _)| cleared.eq_ignore_ascii_case(column));
            cleared.map(|(_, value)| value).filter(|value| **value != Value::Null)
        };
        let is: Option<Vec<String>> = link
            .columns
            .iter()
            .zip(&link.to_columns)
            .map(|(near, far)| {
                Some(format!("{} = {}", quoted(far), self.bound.dialect.literal(value(near)?)))
            })
            .collect();
        let found =
            format!("SELECT count(*) FROM {} WHERE {}", self.bound.table(&link.to_table), is?.join(" AND "));
        Some(Lands { table: link.to_table.clone(), found })
    }

    /// Per customer, the number of rows that stay and whose link leads to rows of a source.
    fn count_let_go(
        &self,
        link: &BoundLink,
        (number, foot): (usize, &BoundClass),
        head: &BoundClass,
        from: &From,
    ) -> (String, Option<Reads>) {
        let names: Vec<String> = (0..foot.handle.len()).map(|part| format!("h{part}")).collect();
        let gives =
            foot.handle.iter().zip(&names).map(|(column, name)| format!("x.{} AS {name}", quoted(column)));
        let gives = format!("relinquish_r.n AS n, {}", gives.collect::<Vec<_>>().join(", "));
        let along = self.ways.along(link, foot, head, Toward::Foot, from, &gives, None);
        let stays = self.goes(number, foot).map_or_else(String::new, |goes| {
            let table = quoted(&foot.table);
            format!(
                " WHERE ({}) NOT IN (SELECT {} FROM {} AS {table} WHERE {goes})",
                names.join(", "),
                listed(&table, &foot.handle),
                self.bound.table(&foot.table),
            )
        });
        let count = |select: &str| {
            format!(
                "SELECT n, count(*) FROM (SELECT DISTINCT * FROM ({select}) AS found) AS relinquish_l{stays} GROUP BY n"
            )
        };
        let reads = along.reads.map(|reads| Reads { of_picked: count(&reads.of_picked), ..reads });
        (count(&along.sql), reads)
    }

    /// The condition that the treatment deletes a row, under its table's name. `None` if it deletes no row of the
    /// class.
    fn goes(&self, number: usize, class: &BoundClass) -> Option<String> {
        let treated = self.treatment.class(class.name.as_str())?;
        let touched = self.touched(number, class);
        let due = touched.is_due();
        let free =
            if treated.tombstone().is_some() { format!("{due} AND relinquish_r.needed = 0") } else { due };
        match treated.action() {
            RecordAction::Delete => Some(touched.are(&free)),
            RecordAction::Reassign if treated.or_deletes() => {
                Some(touched.are(&format!("{free} AND relinquish_r.instead = 1")))
            }
            RecordAction::Reassign | RecordAction::Anonymise | RecordAction::Keep { .. } => None,
        }
    }

    /// Whether a trigger of the class's table may silently ignore an update.
    fn may_be_undone(&self, class: &BoundClass) -> bool {
        self.bound.triggers.iter().any(|trigger| {
            trigger.table().eq_ignore_ascii_case(&class.table)
                && trigger.on() == TriggerOn::Update
                && *trigger.effect() != TriggerEffect::Forbids
        })
    }
}

/// The condition that two rows of sets have the same handle.
fn same_parts(one: &str, other: &str, parts: usize) -> String {
    let same: Vec<String> = (0..parts).map(|part| format!("{one}.h{part} = {other}.h{part}")).collect();
    same.join(" AND ")
}
