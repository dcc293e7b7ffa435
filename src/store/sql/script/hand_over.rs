//! Handing rows over to the tenant's "Unknown Customer".

use super::class::Writer;
use super::targets::{Target, assignments};
use super::{Act, Instead, Statement};
use crate::data_map::LinkRole;
use crate::store::sql::bind::BoundClass;
use crate::store::sql::links::Compare;
use crate::store::sql::spelling::{columns, listed, quoted};
use crate::store::sql::values::Slot;
use crate::store::sql::way::BoundLink;
use crate::store::sql::whose::{Set, Touched, batch, is_row};
use crate::treatment::ClassTreatment;

impl Writer<'_> {
    /// Hands the row over to the tenant's "Unknown Customer", or deletes the row if the "Unknown Customer" has an
    /// equal row.
    pub(super) fn hand_over(
        &self,
        number: usize,
        class: &BoundClass,
        treated: &ClassTreatment,
        slots: &[Slot],
        fields: &[Target<'_>],
        free: &str,
    ) -> Act {
        let (bound, dialect) = (self.bound, self.bound.dialect);
        let (table, host) = (quoted(&class.table), bound.table(&class.table));
        let owner = class.links.iter().find(|link| link.role == LinkRole::Owner);
        let owner_columns = owner.map_or(&[][..], |link| &link.columns);
        let in_set = Touched::in_set(self.bound, class, number);
        let mut write = Statement::default();
        let mut sets = owner.map_or_else(Vec::new, |link| self.stand_in(link, &table));
        sets.extend(assignments(self.bound.dialect, &mut write, class, slots, fields, None));
        let which = if treated.or_deletes() {
            format!("{free} AND relinquish_r.instead = 0")
        } else {
            free.to_owned()
        };
        write.sql = dialect.update(&host, &table, &sets, &in_set.are(&which));
        if !treated.or_deletes() {
            return Act::HandOver { mark: Vec::new(), write, delete: None };
        }
        let touched = Set::Touched.of(bound, number);
        let batch = batch(bound);
        let is_owner = |column: &String| owner_columns.iter().any(|own| own.eq_ignore_ascii_case(column));
        let held_apart = class.unique.iter().filter(|columns| columns.iter().any(is_owner));
        let mark = held_apart
            .map(|unique| {
                let rest = |one: &str, other: &str| -> String {
                    let rest = unique.iter().filter(|column| !is_owner(column));
                    let each: Vec<String> =
                        rest.map(|column| format!(" AND {one}.{0} = {other}.{0}", quoted(column))).collect();
                    each.concat()
                };
                let of_stand_in: Vec<String> = owner_columns
                    .iter()
                    .enumerate()
                    .map(|(part, column)| format!("z.{} = b.s{part}", quoted(column)))
                    .collect();
                let same_stand_in: Vec<String> =
                    (0..owner_columns.len()).map(|part| format!("c.s{part} = b.s{part}")).collect();
                let handles: Vec<String> = (0..class.handle.len()).map(|part| format!("h{part}")).collect();
                let before = format!("{} < {}", columns("q", &handles), columns("p", &handles));
                format!(
                    "UPDATE {touched} SET instead = 1 WHERE {handle} IN (
                         SELECT {p} FROM {touched} AS p{x}{b}
                         WHERE EXISTS (SELECT 1 FROM {host} AS z WHERE {stand_in}{same})
                            OR EXISTS (SELECT 1 FROM {touched} AS q{z}{c}
                                       WHERE {same_stand_in}{same} AND {before} AND {due})
                     )",
                    handle = columns("relinquish", &handles).replace("relinquish.", ""),
                    p = listed("p", &handles),
                    x = dialect.then(&host, "x", &is_row(class, "x", "p")),
                    b = dialect.then(&batch, "b", "b.n = p.n"),
                    z = dialect.then(&host, "z", &is_row(class, "z", "q")),
                    c = dialect.then(&batch, "c", "c.n = q.n"),
                    stand_in = of_stand_in.join(" AND "),
                    same = rest("z", "x"),
                    same_stand_in = same_stand_in.join(" AND "),
                    due = free.replace("relinquish_r.", "q."),
                )
            })
            .collect();
        let instead = format!("{free} AND relinquish_r.instead = 1");
        Act::HandOver {
            mark,
            write,
            delete: Some(Instead {
                sql: dialect.delete(&host, &table, &in_set.are(&instead)),
                rows: in_set.each_has(&instead),
            }),
        }
    }

    /// Each column of the link, with its value: the "Unknown Customer" of the present owner's tenant.
    pub(super) fn stand_in(&self, link: &BoundLink, alias: &str) -> Vec<(String, String)> {
        let key = self.bound.root().map_or(&[][..], |root| &root.key);
        let place = |to: &String| key.iter().position(|key| key.eq_ignore_ascii_case(to));
        let same: Vec<String> = link
            .columns
            .iter()
            .zip(&link.to_columns)
            .filter_map(|(near, to)| {
                let (key, near) = (format!("b.k{}", place(to)?), format!("{alias}.{}", quoted(near)));
                Some(match link.compare {
                    Compare::Exact => format!("{key} = {near}"),
                    _ => format!("CAST({key} AS TEXT) = CAST({near} AS TEXT)"),
                })
            })
            .collect();
        link.columns
            .iter()
            .zip(&link.to_columns)
            .filter_map(|(near, to)| {
                let part = place(to)?;
                let value = format!(
                    "(SELECT b.s{part} FROM {} AS b WHERE {})",
                    batch(self.bound),
                    same.join(" AND ")
                );
                Some((quoted(near), value))
            })
            .collect()
    }
}
