//! Other customers who are named in the treated rows, and fields in them that are nobody's.

use std::collections::BTreeSet;

use super::class::Writer;
use super::targets::{Reading, pending, targets};
use super::{Elsewhere, Statement};
use crate::store::sql::bind::{BoundClass, Rows};
use crate::store::sql::spelling::{is_blank, listed, quoted};
use crate::store::sql::values::Slot;
use crate::store::sql::way::BoundLink;
use crate::store::sql::whose::{From, Reads, Set, Toward, batch, handle_names, is_due};
use crate::treatment::{ClassTreatment, RecordAction};

impl Writer<'_> {
    /// By link, the number of treated rows that lead to another customer, or to another customer's record.
    pub(super) fn named_others(
        &self,
        number: usize,
        class: &BoundClass,
        treated: &ClassTreatment,
    ) -> Vec<(String, String)> {
        let Some(root) = self.bound.root().filter(|_| !matches!(treated.action(), RecordAction::Keep { .. }))
        else {
            return Vec::new();
        };
        let key_of = |alias: &str, names: &[String]| {
            let part = |name: &String| self.bound.dialect.spelled(&format!("{alias}.{}", quoted(name)));
            names.iter().map(part).collect::<Vec<_>>().join(" || ',' || ")
        };
        let parts: Vec<String> = (0..root.key.len()).map(|part| format!("k{part}")).collect();
        let own = format!(
            "(SELECT {} FROM {} AS b WHERE b.n = relinquish_r.n)",
            key_of("b", &parts),
            batch(self.bound)
        );
        let handle: Vec<String> = (0..class.handle.len()).map(|part| format!("h{part}")).collect();
        let gives = format!(
            "relinquish_r.n AS n, {}",
            handle.iter().map(|part| format!("relinquish_r.{part} AS {part}")).collect::<Vec<_>>().join(", ")
        );
        let from = From::set(self.bound, Set::Touched, number).which(is_due(class));
        let count = |link: &BoundLink| {
            let heads = link.heads.iter().filter_map(|name| self.bound.class(name));
            let rows = heads.filter_map(|head| {
                let person = if head.is_root {
                    key_of("x", &root.key)
                } else {
                    self.ways.of_person(head, "x", &key_of("person", &root.key))?
                };
                let rows = self.ways.along(link, class, head, Toward::Head, &from, &gives, None).sql;
                Some(format!("SELECT * FROM ({rows} AND {person} <> {own}) AS of_head"))
            });
            let rows = rows.collect::<Vec<_>>().join(" UNION ");
            let sql = format!(
                "SELECT n, count(*) FROM (SELECT DISTINCT n, {} FROM ({rows}) AS found) AS counted GROUP BY n",
                handle.join(", ")
            );
            (!rows.is_empty()).then(|| (link.name.clone(), sql))
        };
        self.bound.links_to_others(class).filter_map(count).collect()
    }

    /// By link, the number of treated rows that stay with fields that nobody's erasure writes: the fields belong to the
    /// person at the far end of the link, and the link leads nowhere.
    pub(super) fn nobodys_fields(
        &self,
        number: usize,
        class: &BoundClass,
        treated: &ClassTreatment,
        slots: &mut Vec<Slot>,
    ) -> Vec<(String, Statement)> {
        // An expiry writes every field with its own record.
        if matches!(treated.action(), RecordAction::Keep { .. }) || self.treatment.is_expiry() {
            return Vec::new();
        }
        let goes = *treated.action() == RecordAction::Delete;
        if goes && treated.tombstone().is_none() {
            return Vec::new();
        }
        let stays = if goes { " AND relinquish_r.needed = 1" } else { "" };
        let all = treated.field_strategies();
        let reading = Reading::new(self.bound, class, treated);
        let touched = self.touched(number, class);
        let (rows, due) = (touched.rows(), touched.is_due());
        let from = From::set(self.bound, Set::Touched, number).which(&due);
        let parts =
            |part: &dyn Fn(usize) -> String| (0..class.handle.len()).map(part).collect::<Vec<_>>().join(", ");
        let handle = parts(&|part| format!("relinquish_r.h{part}"));
        let gives = parts(&|part| format!("relinquish_r.h{part} AS h{part}"));
        let mut list = Vec::new();
        for link in class.links.iter().filter(|link| class.of.values().any(|name| *name == link.name)) {
            let of_link = all.iter().filter(|(field, _)| class.of.get(**field) == Some(&link.name));
            let fields =
                targets(class, &reading, of_link.map(|(field, strategy)| (*field, *strategy)), slots);
            if fields.is_empty() {
                continue;
            }
            let heads = link.heads.iter().filter_map(|name| self.bound.class(name));
            let nowhere = heads.fold(String::new(), |sql, head| {
                let found = self.ways.along(link, class, head, Toward::Head, &from, &gives, None).sql;
                format!(
                    "{sql} AND ({handle}) NOT IN (SELECT {} FROM ({found}) AS found)",
                    handle_names(class)
                )
            });
            let mut statement = Statement::default();
            // An empty field names nobody.
            let named: Vec<String> = fields
                .iter()
                .map(|field| {
                    let is_pending = pending(
                        self.bound.dialect,
                        &mut statement,
                        class,
                        slots,
                        std::slice::from_ref(field),
                    );
                    let untyped = self.bound.dialect.untyped(&field.column);
                    format!("(NOT coalesce({}, TRUE) AND {is_pending})", is_blank(&untyped))
                })
                .collect();
            statement.sql = format!(
                "SELECT relinquish_r.n, count(*), 0 {rows} WHERE {due}{stays}{nowhere} AND ({}) GROUP BY relinquish_r.n",
                named.join(" OR ")
            );
            list.push((link.name.clone(), statement));
        }
        list
    }

    /// By class and link, the number of rows that lead to treated, shared rows of the class, and that no customer has who
    /// is erased now. Nobody who stays has them either, or the shared rows would stay. So they are rows of nobody, of
    /// people who have left, or of no class.
    pub(super) fn nobodys_records(
        &self,
        number: usize,
        class: &BoundClass,
        treated: &ClassTreatment,
    ) -> Vec<(String, Elsewhere)> {
        if !class.is_shared
            || matches!(treated.action(), RecordAction::Keep { .. })
            || self.treatment.is_expiry()
        {
            return Vec::new();
        }
        // What goes along is treated whoever has it, so who leads there may be somebody who stays.
        let which = format!("{} AND relinquish_r.beside = 0", is_due(class));
        let from = From::set(self.bound, Set::Touched, number).which(&which);
        let feet = self.bound.classes.iter().enumerate();
        let links = feet.flat_map(|foot| foot.1.links.iter().map(move |link| (foot, link)));
        let (mut list, mut unclaimed) = (Vec::new(), BTreeSet::new());
        for ((at, foot), link) in links.filter(|(_, link)| link.holds && link.heads.contains(&class.name)) {
            let parts = |part: &dyn Fn(usize, &String) -> String| {
                let each = foot.handle.iter().enumerate().map(|(n, column)| part(n, column));
                each.collect::<Vec<_>>().join(", ")
            };
            let names = parts(&|n, _| format!("h{n}"));
            let gives = parts(&|n, column| format!("x.{} AS h{n}", quoted(column)));
            let gives = format!("relinquish_r.n AS n, {gives}");
            let table = quoted(&foot.table);
            let theirs = format!(
                "({names}) NOT IN (SELECT {} FROM {} AS {table} WHERE {})",
                listed(&table, &foot.handle),
                self.bound.table(&foot.table),
                self.touched(at, foot).are("TRUE"),
            );
            let count = |select: &str| {
                format!(
                    "SELECT n, count(*) FROM (SELECT DISTINCT * FROM ({select}) AS found) AS counted WHERE {theirs} GROUP BY n"
                )
            };
            let along = self.ways.along(link, foot, class, Toward::Foot, &from, &gives, None);
            list.push((
                format!("{}.{}", foot.name, link.name),
                Elsewhere {
                    statement: Statement { sql: count(&along.sql), parameters: Vec::new() },
                    reads: along.reads.map(|reads| Reads { of_picked: count(&reads.of_picked), ..reads }),
                    from: Some((Set::Touched, number)),
                },
            ));
            let of_table = self.bound.classes.iter().filter(|other| other.table == foot.table);
            // Without a foreign key the column may mean anything in such a row. Several classes of the table may have the
            // same link.
            let is_new = unclaimed.insert((&foot.table, &link.columns));
            let rows = Rows::beside(of_table).filter(|_| link.is_enforced && is_new);
            let Some(rows) = rows else { continue };
            let beside = BoundClass { rows, ..foot.clone() };
            let along = self.ways.along(link, &beside, class, Toward::Foot, &from, &gives, None);
            let sql = format!(
                "SELECT n, count(*) FROM (SELECT DISTINCT * FROM ({}) AS found) AS counted GROUP BY n",
                along.sql
            );
            let statement = Statement { sql, parameters: Vec::new() };
            list.push((
                format!("{}.{}", foot.table, link.columns.join(", ")),
                Elsewhere { statement, reads: None, from: Some((Set::Touched, number)) },
            ));
        }
        list
    }
}
