//! Other customers who are named in the treated rows.

use super::class::Writer;
use crate::store::sql::bind::BoundClass;
use crate::store::sql::spelling::quoted;
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
}
