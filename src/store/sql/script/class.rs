//! The statements of a class.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::kept::Kept;
use super::others::FieldsOfOthers;
use super::targets::{Reading, Target, assignments, by_content, key_of_row, pending, targets, uncertain_in};
use super::{Act, ClassScript, DatedRows, Due, GroupScript, KeepersScript, Left, Says, Statement, Tombstone};
use crate::anonymise::Strategy;
use crate::data_map::{ClassName, Field, FieldName, LinkRole};
use crate::store::sql::bind::{Bound, BoundClass};
use crate::store::sql::map::Source;
use crate::store::sql::spelling::{count_if, flag, quoted};
use crate::store::sql::values::Slot;
use crate::store::sql::way::BoundLink;
use crate::store::sql::whose::{From, Set, Touched, Toward, Ways, is_one_persons, is_row};
use crate::treatment::{ClassTreatment, RecordAction, Treatment};

/// Records of a class for whose sake others are kept, by the handle of those: with the day of each of the fields (`d0`, …), and
/// whether it cannot be read (`u0`, …).
struct KeptWith<'b> {
    class: &'b ClassName,
    fields: Vec<FieldName>,
    rows: String,
}

/// Writes the statements of the classes.
pub(super) struct Writer<'b> {
    pub(super) bound: &'b Bound,
    pub(super) ways: Ways<'b>,
    pub(super) treatment: &'b Treatment,
    /// Classes whose selected rows need no set.
    pub(super) without_set: &'b BTreeSet<usize>,
    pub(super) kept: &'b BTreeMap<usize, Kept<'b>>,
}

impl Writer<'_> {
    #[allow(clippy::too_many_lines, reason = "one statement after another, in the order in which they run")]
    pub(super) fn class(
        &self,
        number: usize,
        class: &BoundClass,
        treated: &ClassTreatment,
        slots: &mut Vec<Slot>,
    ) -> ClassScript {
        let (table, host, dialect) =
            (quoted(&class.table), self.bound.table(&class.table), self.bound.dialect);
        let touched = self.touched(number, class);
        let (known, from) = (touched.known(), touched.rows());
        let due = touched.is_due();
        // A field that belongs to the person at the far end of a link is written only for that person. In an expiry, the
        // record is too old, and everything in it goes.
        let reading = Reading::new(self.bound, class, treated);
        let is_own = |field: &FieldName| self.treatment.is_expiry() || !class.of.contains_key(field);
        let own = treated.fields().iter().filter(|(field, _)| is_own(field));
        let fields = self.unless_theirs(class, targets(class, &reading, own, slots));
        let group = GroupScript::new(self.bound, number, class, treated, &fields, slots);
        let meanwhile = treated.tombstone().map(|tombstone| {
            let own = tombstone.fields().iter().filter(|(field, _)| is_own(field));
            self.unless_theirs(class, targets(class, &reading, own, slots))
        });
        let goes = matches!(treated.action(), RecordAction::Delete);
        let own_pending = |statement: &mut Statement, slots: &[Slot]| {
            let now = match treated.action() {
                RecordAction::Keep { .. } => return "FALSE".to_owned(),
                RecordAction::Delete | RecordAction::Reassign => "TRUE".to_owned(),
                RecordAction::Anonymise => pending(dialect, statement, class, slots, &fields),
            };
            match &meanwhile {
                Some(fields) => {
                    let meanwhile = pending(dialect, statement, class, slots, fields);
                    format!("CASE WHEN relinquish_r.needed = 1 THEN {meanwhile} ELSE {now} END")
                }
                None => now,
            }
        };
        let mut tally = Statement::default();
        let pending_now = own_pending(&mut tally, slots);
        let needs_rows = !matches!(pending_now.as_str(), "FALSE" | "TRUE");
        let of_rows = if needs_rows { &from } else { &known };
        let had = if class.is_shared { " WHERE relinquish_r.had = 0" } else { "" };
        // Records that a duty keeps are not read.
        let is_whole = touched.is_whole();
        let unless_kept = match pending_now.as_str() {
            "TRUE" => Due::All,
            "FALSE" => Due::Nothing,
            _ => Due::Counted,
        };
        let are_due = if is_whole.is_none() { unless_kept } else { Due::Counted };
        let deferred = self.kept.get(&number).filter(|_| treated.is_deferred());
        // If rows are found without a set, each row itself says whether a duty keeps it.
        let at_once = deferred.filter(|_| touched.is_without_set()).zip(is_whole.as_ref());
        let due_rows = match (&is_whole, pending_now.as_str()) {
            (Some(is_whole), "TRUE") => format!("count(*) - count(CASE WHEN {is_whole} THEN 1 END)"),
            (Some(is_whole), _) => {
                format!("count(CASE WHEN {is_whole} THEN NULL WHEN {pending_now} THEN 1 END)")
            }
            (None, _) => format!("count(CASE WHEN {pending_now} THEN 1 END)"),
        };
        tally.sql = match are_due {
            Due::All | Due::Nothing => touched.each_has("TRUE"),
            Due::Counted => match at_once {
                Some((kept, is_whole)) => {
                    let is_due = match unless_kept {
                        Due::All | Due::Nothing => String::new(),
                        Due::Counted => {
                            format!(", CASE WHEN {is_whole} THEN 0 WHEN {pending_now} THEN 1 ELSE 0 END")
                        }
                    };
                    let dates: Vec<String> = kept.dates(&self.ways, &table).map(|(_, date)| date).collect();
                    format!("SELECT relinquish_r.n, {}{is_due} {from}", dates.join(", "))
                }
                None => {
                    format!(
                        "SELECT relinquish_r.n, count(*), {due_rows} {of_rows}{had} GROUP BY relinquish_r.n"
                    )
                }
            },
        };
        let mentions = uncertain_in(dialect, slots, &fields, meanwhile.as_ref());
        let is_read =
            is_whole.as_ref().map_or_else(|| "TRUE".to_owned(), |is_whole| format!("NOT ({is_whole})"));
        let uncertain_rows = mentions.as_ref().map(|(counts, names)| {
            let sql = format!("SELECT {}, {} {from} WHERE {is_read}", counts.join(", "), key_of_row(class));
            (sql, names.clone(), class.key.len())
        });
        let uncertain = mentions.map(|(counts, names)| {
            let sums: Vec<String> = counts.iter().map(|count| format!("sum({count})")).collect();
            let sql = format!(
                "SELECT relinquish_r.n, {} {from} WHERE {is_read} GROUP BY relinquish_r.n",
                sums.join(", ")
            );
            (Statement { sql, parameters: Vec::new() }, names)
        });
        let is_written = matches!(treated.action(), RecordAction::Anonymise | RecordAction::Reassign);
        let written: &[Target<'_>] = if is_written { &fields } else { &[] };
        let contents = by_content(dialect, slots, written, meanwhile.as_ref())
            .into_iter()
            .map(|(field, code)| {
                let sql = format!(
                    "SELECT n, becomes, count(*) FROM (SELECT relinquish_r.n AS n, {code} AS becomes {from} \
                     WHERE {due}) AS counted GROUP BY n, becomes"
                );
                (field, sql)
            })
            .collect();
        let dated = at_once.map(|(kept, _)| {
            let each = kept.duties.iter().map(|(number, field, _)| (*number, field.clone()));
            DatedRows { duties: each.collect(), due: unless_kept }
        });
        let kept = deferred.filter(|_| at_once.is_none()).map(|kept| {
            // NULL for a record that this duty does not keep.
            let by_date = kept.days(&self.ways, &table).into_iter().fold(
                String::new(),
                |mut sql, (day, is_unreadable)| {
                    // Writing to a String never fails.
                    let _ = write!(sql, ", max({day}), min({day}), {}", count_if(&is_unreadable));
                    sql
                },
            );
            let had = if class.is_shared { " AND relinquish_r.had = 0" } else { "" };
            let sql = format!(
                "SELECT relinquish_r.n, count(*){by_date} {from} WHERE relinquish_r.whole = 1{had} GROUP BY relinquish_r.n"
            );
            let fields = treated.under_duty().iter().map(|under| under.field.clone()).collect();
            (Statement { sql, parameters: Vec::new() }, fields)
        });
        let kept = kept.or_else(|| {
            let with_others = self.is_kept_with_others(class);
            let had = if class.is_shared { " AND relinquish_r.had = 0" } else { "" };
            let sql = format!("SELECT relinquish_r.n, count(*) {known} WHERE relinquish_r.whole = 1{had} GROUP BY relinquish_r.n");
            let is_kept_anyway = matches!(treated.action(), RecordAction::Keep { .. });
            (with_others && !is_kept_anyway).then(|| (Statement { sql, parameters: Vec::new() }, Vec::new()))
        });
        let keepers = match &kept {
            Some(_) if self.is_kept_with_others(class) => self.dates_of_keepers(number, class),
            Some(_) | None => Vec::new(),
        };
        let kept_for_others = kept.as_ref().filter(|_| self.is_kept_with_others(class)).map(|_| {
            let by_duty = self.kept.get(&number).map(|kept| kept.is_kept(&self.ways, &table));
            let others = by_duty.map_or_else(String::new, |by_duty| format!(" AND NOT {by_duty}"));
            let had = if class.is_shared { " AND relinquish_r.had = 0" } else { "" };
            let sql = format!(
                "SELECT relinquish_r.n, count(*), 0 {from} WHERE relinquish_r.whole = 1{had}{others} GROUP BY relinquish_r.n"
            );
            Statement { sql, parameters: Vec::new() }
        });
        let redacted: Vec<Target<'_>> = fields
            .iter()
            .filter(|field| class.is_shared && matches!(field.strategy, Strategy::Redact { .. }))
            .cloned()
            .collect();
        let mentioned = (!redacted.is_empty()).then(|| {
            let mut statement = Statement::default();
            let is_pending = pending(dialect, &mut statement, class, slots, &redacted);
            statement.sql = format!(
                "SELECT relinquish_r.n, 0, {} {from} WHERE relinquish_r.had = 1 AND relinquish_r.whole = 0 \
                 GROUP BY relinquish_r.n",
                count_if(&is_pending)
            );
            statement
        });
        let left = self.left(class, treated, &from, is_whole.as_deref());
        let redact_shared = (!redacted.is_empty()).then(|| {
            let mut statement = Statement::default();
            let sets = assignments(dialect, &mut statement, class, slots, &redacted, None);
            let which = touched.are("relinquish_r.had = 1 AND relinquish_r.whole = 0");
            statement.sql = dialect.update(&host, &table, &sets, &which);
            statement
        });
        let free =
            if meanwhile.is_some() { format!("{due} AND relinquish_r.needed = 0") } else { due.clone() };
        let act = match treated.action() {
            RecordAction::Keep { .. } => None,
            RecordAction::Delete => Some(Act::Delete(dialect.delete(&host, &table, &touched.are(&free)))),
            RecordAction::Anonymise if fields.is_empty() && group.is_none() => None,
            RecordAction::Anonymise => {
                // Every row is written; what is erased already keeps its value. Whether a row was written must not
                // reveal its contents.
                let mut act = Statement::default();
                let sets = assignments(dialect, &mut act, class, slots, &fields, group.as_ref());
                act.sql = dialect.update(&host, &table, &sets, &touched.are(&due));
                Some(Act::Write(act))
            }
            RecordAction::Reassign => Some(self.hand_over(number, class, treated, slots, &fields, &free)),
        };
        let tombstone = meanwhile
            .as_ref()
            .filter(|_| goes || treated.or_deletes() || *treated.action() == RecordAction::Reassign)
            .map(|fields| {
                let mut act = Statement::default();
                let sets = assignments(dialect, &mut act, class, slots, fields, None);
                let which = format!("{due} AND relinquish_r.needed = 1");
                act.sql = dialect.update(&host, &table, &sets, &touched.are(&which));
                let counted = format!(
                    "SELECT relinquish_r.n, count(*), count(*) {known} WHERE {which} GROUP BY relinquish_r.n"
                );
                Tombstone {
                    rows: Statement { sql: counted, parameters: Vec::new() },
                    act: (!fields.is_empty()).then_some(act),
                    distinct: touched.distinct(&which),
                }
            });
        let FieldsOfOthers { writes: fields_of_others, theirs } =
            self.fields_of_others(number, class, treated, slots, &own_pending);
        let others = class.is_shared.then(|| self.had_by_others(number, class, theirs.as_ref()));
        let nobodys_fields = self.nobodys_fields(number, class, treated, slots);
        let let_go = if goes || treated.or_deletes() {
            self.let_go(number, class, treated, &free)
        } else {
            Vec::new()
        };
        ClassScript {
            class: class.name.clone(),
            rows: touched.each_has(&due),
            tally,
            are_due,
            dated,
            theirs,
            others,
            named_others: self.named_others(number, class, treated),
            nobodys_fields,
            nobodys_records: self.nobodys_records(number, class, treated),
            mentioned,
            uncertain,
            uncertain_rows,
            contents,
            left,
            group,
            kept,
            keepers,
            kept_for_others,
            tombstone,
            distinct: touched.distinct(&due),
            adds_up: is_one_persons(self.bound, class, &mut BTreeSet::new()),
            act,
            fields_of_others,
            redact_shared,
            let_go,
            again: class.is_written_by_triggers,
            may_shrink: class.is_cascaded_to,
        }
    }

    /// The texts that stay in rows that no duty keeps and that nobody else has.
    fn left(
        &self,
        class: &BoundClass,
        treated: &ClassTreatment,
        from: &str,
        is_whole: Option<&str>,
    ) -> Option<Left> {
        let described = self.bound.data_map.class(class.name.as_str())?;
        let columns = treated.may_be_left(described).filter(|field| !class.json.contains_key(field.name()));
        let says = |field: &Field| self.says(class, field);
        let fields: Vec<(FieldName, Says)> =
            columns.map(|field| (field.name().clone(), says(field))).collect();
        if fields.is_empty() || self.treatment.is_expiry() {
            return None;
        }
        let table = quoted(&class.table);
        // The key of a customer, or one with a link in it, would say whose record it is.
        let is_link = |column: &String| class.links.iter().any(|link| link.columns.contains(column));
        let tells = class.is_root || class.key.iter().any(is_link);
        let key: &[String] = if tells { &[] } else { &class.key };
        let columns = fields.iter().map(|(field, _)| field.as_str()).chain(key.iter().map(String::as_str));
        let columns: Vec<String> = columns.map(|column| format!("{table}.{}", quoted(column))).collect();
        let is_whole = is_whole.map_or_else(|| "TRUE".to_owned(), |is_whole| format!("NOT ({is_whole})"));
        let had = if class.is_shared { " AND relinquish_r.had = 0" } else { "" };
        let sql = format!("SELECT relinquish_r.n, {} {from} WHERE {is_whole}{had}", columns.join(", "));
        Some(Left { sql, fields, key: key.len() })
    }

    /// What the map says of the values of a column.
    fn says(&self, class: &BoundClass, field: &Field) -> Says {
        let map = &self.bound.customers;
        let name = field.name().as_str();
        let is_it =
            |source: &Source| matches!(source, Source::Column(column) if column.eq_ignore_ascii_case(name));
        if class.is_root {
            if let Some(status) = map.status.as_ref().filter(|status| is_it(&status.source)) {
                return Says::Status(status.values.clone());
            }
            if map.registered.as_ref().is_some_and(is_it) {
                return Says::Date(map.registered_form.clone());
            }
            if let Some((date, _)) = map.dates.iter().find(|(_, source)| is_it(source)) {
                return Says::Date(map.date_forms.get(date).cloned().unwrap_or_default());
            }
        }
        let form = field.date_form();
        if form.is_plain() { Says::Nothing } else { Says::Date(form.clone()) }
    }

    /// How the selected rows of a class are found.
    pub(super) fn touched<'c>(&'c self, number: usize, class: &'c BoundClass) -> Touched<'c> {
        if !self.without_set.contains(&number) {
            return Touched::in_set(self.bound, class, number);
        }
        let touched = Touched::by_link(self.bound, class, number);
        match self.kept.get(&number) {
            Some(kept) => touched.kept_by(|alias| kept.is_kept(&self.ways, alias)),
            None => touched,
        }
    }

    pub(super) fn is_kept_with_others(&self, class: &BoundClass) -> bool {
        let all = self.treatment.kept_together();
        all.into_iter().any(|needs| !self.needed_over(class, needs).is_empty())
    }

    /// The links over which a record that is kept with these needs keeps rows of the class, each with the number of its own
    /// class.
    fn needed_over(
        &self,
        class: &BoundClass,
        needs: &BTreeSet<(ClassName, String)>,
    ) -> Vec<(usize, &BoundLink)> {
        let mut links = Vec::new();
        for (number, foot) in self.bound.classes.iter().enumerate() {
            let leads = foot.links.iter().filter(|link| link.heads.contains(&class.name));
            let is_named = |link: &&BoundLink| {
                needs.iter().any(|(name, known)| *name == foot.name && *known == link.name)
            };
            links.extend(leads.filter(is_named).map(|link| (number, link)));
        }
        links
    }

    /// Per customer of the batch: the first and last date of the records for whose sake rows of the class are kept. Empty if
    /// such records may lead to each other in a circle: then the dates are unknown.
    fn dates_of_keepers(&self, number: usize, class: &BoundClass) -> Vec<KeepersScript> {
        let mut all = Vec::new();
        for (group, needs) in self.treatment.kept_together().into_iter().enumerate() {
            match self.keepers_of(class, (group, needs), &mut vec![number]) {
                Some(found) => all.extend(found.into_iter().map(|found| (needs, found))),
                None => return Vec::new(),
            }
        }
        let same = (0..class.handle.len()).map(|part| format!("relinquish_r.h{part} = w.h{part}"));
        let same = same.collect::<Vec<_>>().join(" AND ");
        let touched = Set::Touched.of(self.bound, number);
        let had = if class.is_shared { " AND relinquish_r.had = 0" } else { "" };
        let scripts = all.into_iter().map(|(needs, KeptWith { class, fields, rows })| {
            let mut dates = String::new();
            for n in 0..fields.len() {
                // Writing to a String never fails.
                let _ = write!(dates, ", max(w.d{n}), min(w.d{n}), sum(w.u{n})");
            }
            let sql = format!(
                "SELECT relinquish_r.n, 0{dates} FROM ({rows}) AS w{} WHERE relinquish_r.whole = 1{had} \
                 GROUP BY relinquish_r.n",
                self.bound.dialect.then(&touched, "relinquish_r", &same),
            );
            let statement = Statement { sql, parameters: Vec::new() };
            KeepersScript { class: class.clone(), needs: needs.clone(), statement, fields }
        });
        scripts.collect()
    }

    /// The records for whose sake rows of a class are kept, directly or over other records. `None` if that leads in a circle.
    fn keepers_of(
        &self,
        class: &BoundClass,
        (group, needs): (usize, &BTreeSet<(ClassName, String)>),
        seen: &mut Vec<usize>,
    ) -> Option<Vec<KeptWith<'_>>> {
        let mut found = Vec::new();
        let handle: Vec<String> = class
            .handle
            .iter()
            .enumerate()
            .map(|(part, column)| format!("x.{} AS h{part}", quoted(column)))
            .collect();
        for (at, link) in self.needed_over(class, needs) {
            let foot = self.bound.classes.get(at)?;
            if seen.contains(&at) {
                return None;
            }
            let along = |from: &From, dates: Vec<[String; 2]>| {
                let dates = dates.into_iter().enumerate();
                let dates =
                    dates.map(|(n, [day, is_unreadable])| format!("{day} AS d{n}, {is_unreadable} AS u{n}"));
                let gives: Vec<String> = handle.iter().cloned().chain(dates).collect();
                self.ways.along(link, foot, class, Toward::Head, from, &gives.join(", "), None).sql
            };
            let days = self.kept.get(&at).map_or_else(Vec::new, |kept| kept.days_by(&self.ways, "y", needs));
            if !days.is_empty() {
                let from =
                    From::set(self.bound, Set::Whole, at).which(&format!("relinquish_r.needs = {group}"));
                let (fields, days): (Vec<_>, Vec<_>) = days.into_iter().unzip();
                let days = days.into_iter().map(|(day, is_unreadable)| [day, flag(&is_unreadable)]);
                found.push(KeptWith { class: &foot.name, fields, rows: along(&from, days.collect()) });
            }
            seen.push(at);
            for KeptWith { class, fields, rows } in self.keepers_of(foot, (group, needs), seen)? {
                let from = From::select(self.bound, &rows, at);
                let days =
                    (0..fields.len()).map(|n| [format!("relinquish_r.d{n}"), format!("relinquish_r.u{n}")]);
                let rows = along(&from, days.collect());
                found.push(KeptWith { class, fields, rows });
            }
            seen.pop();
        }
        Some(found)
    }

    /// The fields that are written with a row. Leaves out the value by which another person, who stays, has the row.
    /// A row may be treated together with another record, and without the value it would not be found for that
    /// person.
    fn unless_theirs<'t>(&self, class: &BoundClass, mut fields: Vec<Target<'t>>) -> Vec<Target<'t>> {
        if !class.links.iter().any(BoundLink::takes_along) {
            return fields;
        }
        for field in &mut fields {
            let mut stays = Vec::new();
            for link in &class.links {
                if !link.by_value || link.role == LinkRole::End || !class.is_of(&field.name, link) {
                    continue;
                }
                for (number, head) in self.bound.classes.iter().enumerate() {
                    if !link.heads.contains(&head.name) {
                        continue;
                    }
                    let has_left = format!(
                        "EXISTS (SELECT 1 FROM {} AS s WHERE {})",
                        Set::Touched.of(self.bound, number),
                        is_row(head, "relinquish_head", "s")
                    );
                    let ends = (quoted(&class.table), "relinquish_head");
                    stays.push(self.ways.scalar(
                        link,
                        class,
                        head,
                        (&ends.0, ends.1),
                        &format!("max({})", flag(&format!("NOT {has_left}"))),
                    ));
                }
            }
            field.unless = (!stays.is_empty()).then(|| {
                let each: Vec<String> =
                    stays.iter().map(|stays| format!("coalesce({stays}, 0) = 1")).collect();
                each.join(" OR ")
            });
        }
        fields
    }
}
