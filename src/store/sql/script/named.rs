//! Other customers who are named in the treated rows, and fields in them that are nobody's.

use super::Statement;
use super::class::Writer;
use super::targets::{Reading, pending, targets};
use crate::store::sql::bind::BoundClass;
use crate::store::sql::spelling::{is_blank, quoted};
use crate::store::sql::values::Slot;
use crate::store::sql::way::BoundLink;
use crate::store::sql::whose::{From, Set, Toward, batch, is_due};
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
        let (all, table) = (treated.field_strategies(), quoted(&class.table));
        let reading = Reading::new(self.bound, class, treated);
        let touched = self.touched(number, class);
        let (rows, due) = (touched.rows(), touched.is_due());
        let mut list = Vec::new();
        for link in class.links.iter().filter(|link| class.of.values().any(|name| *name == link.name)) {
            let of_link = all.iter().filter(|(field, _)| class.of.get(**field) == Some(&link.name));
            let fields =
                targets(class, &reading, of_link.map(|(field, strategy)| (*field, *strategy)), slots);
            if fields.is_empty() {
                continue;
            }
            // A later one of several owner links leads to a person, too.
            let link = BoundLink { unless: Vec::new(), ..link.clone() };
            let heads = link.heads.iter().filter_map(|name| self.bound.class(name));
            let nowhere = heads.fold(String::new(), |sql, head| {
                let ends = (table.as_str(), "relinquish_end");
                format!("{sql} AND {} IS NULL", self.ways.scalar(&link, class, head, ends, "1"))
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
}
