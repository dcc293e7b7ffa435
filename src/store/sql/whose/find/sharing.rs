//! The other owners of what the customers of a batch have.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Fill, Finder, Sharing, names_of, same_handle};
use crate::store::sql::bind::BoundClass;
use crate::store::sql::spelling::listed;
use crate::store::sql::way::BoundLink;
use crate::store::sql::whose::{From, Set, Toward, handle_names, is_row};

impl Finder<'_> {
    /// Finds the other owners of rows that may be shared: from these rows up to all owners, and down again from the
    /// owners who stay.
    #[allow(clippy::too_many_lines, reason = "one set after another, in the order in which they grow")]
    pub(super) fn sharing(&self, goes: bool) -> Sharing {
        let mut sharing = Sharing::default();
        let shared: Vec<usize> = (0..self.bound.classes.len())
            .filter(|number| self.class(*number).is_some_and(|class| class.is_shared))
            .filter(|number| {
                self.treatment.is_none() || self.acts(*number) || goes || self.has_fields_elsewhere(*number)
            })
            .collect();
        if shared.is_empty() {
            return sharing;
        }
        let root = self.root();
        for number in shared.iter().copied() {
            let Some(class) = self.class(number) else { continue };
            let columns = handle_names(class);
            sharing.above.push(Fill {
                sql: self.bound.dialect.add(
                    &Set::Above.of(self.bound, number),
                    &columns,
                    &format!(
                        "SELECT DISTINCT {columns} FROM {} WHERE TRUE",
                        Set::Touched.of(self.bound, number)
                    ),
                ),
                reads: None,
                from: Some((Set::Touched, number)),
                into: (Set::Above, number),
                is_by_rounds: false,
                few: None,
            });
        }
        let mut hanging = self.in_order(self.hanging());
        // Only links that lead up from a shared class.
        let mut up: BTreeSet<usize> = shared.iter().copied().collect();
        loop {
            let holders: BTreeSet<usize> = hanging
                .iter()
                .filter(|hanging| up.contains(&hanging.held))
                .map(|hanging| hanging.holder)
                .collect();
            let before = up.len();
            up.extend(holders);
            if up.len() == before {
                break;
            }
        }
        hanging.retain(|hanging| up.contains(&hanging.held) && hanging.held != root);
        for hanging in self.upwards(&hanging) {
            let toward = if hanging.held == hanging.foot { Toward::Head } else { Toward::Foot };
            let from = From::set(self.bound, Set::Above, hanging.held).hanging();
            let ends = (hanging.foot, hanging.link, hanging.head);
            let place = Some((Set::Above, hanging.held));
            sharing.above.extend(self.fill(ends, toward, &from, place, Set::Above, ""));
        }
        if let Some(class) = self.class(root) {
            let columns = handle_names(class);
            let in_batch = format!(
                " AND NOT EXISTS (SELECT 1 FROM {} AS t WHERE {})",
                Set::Touched.of(self.bound, root),
                same_handle(class, "t", "relinquish_r")
            );
            let somebody = self.ways.is_somebody(class, "x");
            let has_left = self
                .has_left
                .as_ref()
                .map_or_else(String::new, |left| format!(" AND NOT coalesce({}, FALSE)", left("x")));
            let people = |further: &str| Fill {
                sql: self.bound.dialect.add(
                    &Set::Had.of(self.bound, root),
                    &format!("{columns}, person"),
                    &format!(
                        "SELECT {}, {} FROM {} AS relinquish_r{} WHERE TRUE{further}{somebody}{has_left}",
                        listed("relinquish_r", &names_of(class)),
                        self.person(class, "relinquish_r"),
                        Set::Above.of(self.bound, root),
                        self.bound.dialect.then(
                            &self.bound.table(&class.table),
                            "x",
                            &is_row(class, "x", "relinquish_r")
                        ),
                    ),
                ),
                reads: None,
                from: Some((Set::Above, root)),
                into: (Set::Had, root),
                is_by_rounds: false,
                few: None,
            };
            sharing.stay.push(people(&in_batch));
            sharing.anybody.push(people(""));
        }
        for hanging in &hanging {
            let toward = if hanging.held == hanging.foot { Toward::Foot } else { Toward::Head };
            let mut from = From::set(self.bound, Set::Had, hanging.holder).hanging();
            let (Some(holder), Some(held)) = (self.class(hanging.holder), self.class(hanging.held)) else {
                continue;
            };
            let mut further = match toward {
                Toward::Foot => String::new(),
                Toward::Head => format!(" AND {}", self.row_in_set(held, Set::Above, hanging.held, "x")),
            };
            if goes {
                // A row that is erased together with another and deleted releases the rows that hang from it, and
                // hangs from nothing itself.
                if self.may_be_deleted(hanging.holder) && hanging.holder != root {
                    from = from.which(&format!(
                        "NOT {}",
                        self.goes_away(holder, hanging.holder, "relinquish_r", false)
                    ));
                }
                if self.may_be_deleted(hanging.held) {
                    let _ = write!(further, " AND NOT {}", self.goes_away(held, hanging.held, "x", true));
                }
            }
            let ends = (hanging.foot, hanging.link, hanging.head);
            let place = Some((Set::Had, hanging.holder));
            sharing.had.extend(self.fill(ends, toward, &from, place, Set::Had, &further));
        }
        sharing
    }

    /// Whether fields of other rows belong to the owners of the class's rows.
    fn has_fields_elsewhere(&self, number: usize) -> bool {
        let is_of = |(foot, link, head): &(usize, &BoundLink, usize)| {
            *head == number && self.class(*foot).is_some_and(|class| class.has_fields_of(link))
        };
        self.links().iter().any(is_of)
    }

    /// The condition that a row is erased together with another, and deleted.
    fn goes_away(&self, class: &BoundClass, number: usize, alias: &str, is_host_row: bool) -> String {
        let is_in = |set: Set| {
            if is_host_row {
                self.row_in_set(class, set, number, alias)
            } else {
                self.in_set(class, set, number, alias)
            }
        };
        let mut sql = is_in(Set::Along);
        if self.may_be_needed(number) {
            let _ = write!(sql, " AND NOT {}", is_in(Set::Needed));
        }
        if self.kept.contains_key(&number) || self.is_kept_with_others(number) {
            let _ = write!(sql, " AND NOT {}", is_in(Set::Whole));
        }
        // If nothing else depends on it, the set of what duties keep may stay empty. Rows that are erased together
        // with others are selected, too.
        if self.kept.contains_key(&number) {
            let same = if is_host_row { is_row(class, alias, "s") } else { same_handle(class, "s", alias) };
            let _ = write!(
                sql,
                " AND NOT EXISTS (SELECT 1 FROM {} AS s WHERE {same} AND s.whole = 1)",
                Set::Touched.of(self.bound, number)
            );
        }
        format!("({sql})")
    }
}
