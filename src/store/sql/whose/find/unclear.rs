//! Rows whose owner is unclear.

use std::collections::BTreeSet;

use super::{Fill, Finder, Unclear, names_of};
use crate::data_map::WhenGone;
use crate::store::sql::bind::BoundClass;
use crate::store::sql::spelling::{listed, quoted};
use crate::store::sql::way::BoundLink;
use crate::store::sql::whose::{From, Set, Toward, handle_names};

impl Finder<'_> {
    /// Finds rows whose owner is unclear, if links lead from them to the batch.
    pub(super) fn unclear(&self) -> Unclear {
        let links = self.links();
        let hanging = self.hanging();
        let is_unclear = |link: &BoundLink| link.may_be_ambiguous || link.gone == WhenGone::Same;
        let mut from: BTreeSet<usize> =
            links.iter().filter(|(_, link, _)| is_unclear(link)).map(|(foot, ..)| *foot).collect();
        if from.is_empty() {
            return Unclear::default();
        }
        let seeds = from.clone();
        // A chain leads from a row to the rows that it references, and to the rows from which it hangs.
        let leads = |at: &BTreeSet<usize>| -> BTreeSet<usize> {
            let heads = links.iter().filter(|(foot, ..)| at.contains(foot)).map(|(.., head)| *head);
            let holders =
                hanging.iter().filter(|hanging| at.contains(&hanging.held)).map(|hanging| hanging.holder);
            heads.chain(holders).collect()
        };
        loop {
            let before = from.len();
            from.extend(leads(&from));
            if from.len() == before {
                break;
            }
        }
        let root = self.root();
        let mut unclear = Unclear::default();
        let mut back = |ends: (usize, &BoundLink, usize), toward: Toward, start: usize| {
            let source = From::set(self.bound, Set::Unclear, start);
            let place = Some((Set::Unclear, start));
            unclear.near.extend(self.fill(ends, toward, &source, place, Set::Unclear, ""));
        };
        let within =
            links.iter().copied().filter(|(foot, _, head)| from.contains(foot) && from.contains(head));
        for (foot, link, head) in self.heads_first(within.collect()) {
            back((foot, link, head), Toward::Foot, head);
            if link.holds && head != root {
                back((foot, link, head), Toward::Head, foot);
            }
        }
        if let Some(class) = self.class(root) {
            let columns = handle_names(class);
            let start = Fill {
                sql: self.bound.dialect.add(
                    &Set::Unclear.of(self.bound, root),
                    &format!("{columns}, n"),
                    &format!("SELECT {columns}, n FROM {} WHERE TRUE", Set::Touched.of(self.bound, root)),
                ),
                reads: None,
                from: Some((Set::Touched, root)),
                into: (Set::Unclear, root),
                is_by_rounds: false,
                few: None,
            };
            unclear.near.insert(0, start);
        }
        unclear.used = unclear.near.iter().map(|fill| fill.into).collect();
        for (foot, class) in
            self.bound.classes.iter().enumerate().filter(|(number, _)| seeds.contains(number))
        {
            for link in &class.links {
                if link.may_be_ambiguous
                    && let Some(sql) = self.ambiguous(foot, class, link, root)
                {
                    unclear.found.push((class.name.clone(), link.name.clone(), foot, sql));
                }
                if link.gone == WhenGone::Same {
                    for head in link.heads.iter().filter_map(|name| self.number(name)) {
                        if let Some(sql) = self.not_the_same(foot, class, link, head) {
                            unclear.found.push((class.name.clone(), link.name.clone(), foot, sql));
                        }
                    }
                }
            }
        }
        unclear
    }

    /// The customers of the batch to whom a row leads by a value that several customers have.
    fn ambiguous(&self, foot: usize, class: &BoundClass, link: &BoundLink, root: usize) -> Option<String> {
        // An owner link after a non-empty one has no effect, so nothing is unclear about it.
        let from = From::set(self.bound, Set::Unclear, foot).hanging();
        let gives = format!("{}, relinquish_r.n", listed("relinquish_r", &names_of(class)));
        let select = self.ways.along(link, class, self.class(root)?, Toward::Head, &from, &gives, None).sql;
        Some(format!(
            "SELECT n, count(*) FROM (SELECT n FROM ({select}) AS found GROUP BY {}, n HAVING count(*) > 1) AS counted GROUP BY n",
            handle_names(class)
        ))
    }

    /// The customers of the batch to whom a row leads if its two ends belong to different people.
    fn not_the_same(&self, foot: usize, class: &BoundClass, link: &BoundLink, head: usize) -> Option<String> {
        let head_class = self.class(head)?;
        let from = From::set(self.bound, Set::Unclear, foot);
        let gives = format!(
            "relinquish_r.n, {} AS one, {} AS other",
            self.person_of(class, "y")?,
            self.person_of(head_class, "x")?
        );
        let select = self.ways.along(link, class, head_class, Toward::Head, &from, &gives, None).sql;
        Some(format!(
            "SELECT n, count(*) FROM ({select}) AS counted WHERE one <> other OR '' IN (one, other) GROUP BY n"
        ))
    }

    /// The key of the only owner of a row who is not erased. An empty text if there are several: a value above the
    /// row may lead to each of them.
    fn person_of(&self, class: &BoundClass, alias: &str) -> Option<String> {
        let root = self.class(self.root())?;
        let key_of = |alias: &str| {
            let key: Vec<String> = root
                .key
                .iter()
                .map(|key| self.bound.dialect.spelled(&format!("{alias}.{}", quoted(key))))
                .collect();
            let key = key.join(" || ',' || ");
            match &self.has_left {
                Some(left) => format!("CASE WHEN coalesce({}, FALSE) THEN NULL ELSE {key} END", left(alias)),
                None => key,
            }
        };
        if class.is_root {
            return Some(key_of(alias));
        }
        let key = key_of("person");
        let only = format!("CASE count(DISTINCT {key}) WHEN 0 THEN NULL WHEN 1 THEN min({key}) ELSE '' END");
        self.ways.of_person(class, alias, &only)
    }
}
