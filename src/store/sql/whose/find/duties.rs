//! Records that duties keep, and the records that those need.

use std::collections::BTreeSet;

use super::{Duties, Fill, Finder};
use crate::data_map::LinkRole;
use crate::store::sql::bind::BoundClass;
use crate::store::sql::spelling::listed;
use crate::store::sql::way::BoundLink;
use crate::store::sql::whose::{From, Set, Toward, handle_names, is_row};
use crate::treatment::Treatment;

impl<'b> Finder<'b> {
    /// Whether a kept record may reference rows of the class. Such rows cannot be deleted before the kept record.
    pub(super) fn may_be_needed(&self, number: usize) -> bool {
        self.treated(number).is_some_and(|treated| treated.tombstone().is_some())
    }

    /// Whether rows of the class are kept unchanged because a kept record needs them.
    pub(super) fn is_kept_with_others(&self, number: usize) -> bool {
        self.needs().iter().any(|(_, (.., head))| *head == number)
    }

    /// The links over which kept records keep other records, each with the number of the duty's set of needs.
    fn needs(&self) -> Vec<(usize, (usize, &'b BoundLink, usize))> {
        let root = self.root();
        let mut list = Vec::new();
        for (number, needs) in self.treatment.map(Treatment::kept_together).into_iter().flatten().enumerate()
        {
            for (foot, link, head) in self.links() {
                let is_named = |class: &BoundClass| {
                    needs.iter().any(|(name, known)| *name == class.name && *known == link.name)
                };
                if head != root && self.class(foot).is_some_and(is_named) {
                    list.push((number, (foot, link, head)));
                }
            }
        }
        list
    }

    #[allow(clippy::too_many_lines, reason = "one set after another, in the order in which they grow")]
    pub(super) fn duties(&self) -> Duties {
        let mut duties = Duties::default();
        if self.kept.is_empty() {
            return duties;
        }
        // A kept record needs the records that its keys reference. A link by value needs no record: the value stays
        // the same when the other record is deleted.
        let mut links = self.links();
        links.retain(|(_, link, _)| !link.by_value);
        // Classes of which a record may be kept or needed. Such a record may need further records.
        let mut keeping: BTreeSet<usize> = self.kept.keys().copied().collect();
        loop {
            let heads: BTreeSet<usize> =
                links.iter().filter(|(foot, ..)| keeping.contains(foot)).map(|(.., head)| *head).collect();
            let before = keeping.len();
            keeping.extend(heads);
            if keeping.len() == before {
                break;
            }
        }
        let needs = self.needs();
        // Classes for which this matters: classes whose rows would be deleted, classes that are kept for the sake of
        // others, and classes that reference these.
        let counts =
            |number: usize| self.may_be_needed(number) || needs.iter().any(|(_, (.., head))| *head == number);
        let mut wanted: BTreeSet<usize> = (0..self.bound.classes.len())
            .filter(|number| keeping.contains(number) && counts(*number))
            .collect();
        if wanted.is_empty() {
            return duties;
        }
        loop {
            let feet: BTreeSet<usize> = links
                .iter()
                .filter(|(foot, _, head)| wanted.contains(head) && keeping.contains(foot))
                .map(|(foot, ..)| *foot)
                .collect();
            let before = wanted.len();
            wanted.extend(feet);
            if wanted.len() == before {
                break;
            }
        }
        let within =
            links.iter().copied().filter(|(foot, _, head)| wanted.contains(foot) && wanted.contains(head));
        for (foot, link, head) in self.heads_first(within.collect()) {
            let ends = (foot, link, head);
            // Rows that hang from selected rows are selected already.
            if link.role == LinkRole::End || !link.unless.is_empty() {
                let from = From::set(self.bound, Set::Touched, head);
                duties.near.extend(self.fill(
                    ends,
                    Toward::Foot,
                    &from,
                    Some((Set::Touched, head)),
                    Set::Near,
                    "",
                ));
            }
            let from = From::set(self.bound, Set::Near, head);
            duties.near.extend(self.fill(ends, Toward::Foot, &from, Some((Set::Near, head)), Set::Near, ""));
        }
        // A field may belong to the person at the far end of a link. Such a field is written in records of other
        // owners, so these records may be kept as well.
        for (foot, link, head) in self.links().into_iter().filter(|(foot, ..)| wanted.contains(foot)) {
            if self.class(foot).is_some_and(|class| class.has_fields_of(link)) {
                let (from, place) = self.touched(head, link, Toward::Foot);
                duties.near.extend(self.fill((foot, link, head), Toward::Foot, &from, place, Set::Near, ""));
            }
        }
        let can_be_near: BTreeSet<usize> = reached_by(&duties.near);
        duties
            .near
            .retain(|fill| fill.from.is_none_or(|(set, at)| set != Set::Near || can_be_near.contains(&at)));
        for number in wanted.iter().copied() {
            let (Some(class), Some(kept)) = (self.class(number), self.kept.get(&number)) else { continue };
            let columns = format!("{}, needs", handle_names(class));
            let into = (Set::Whole, number);
            let whole = Set::Whole.of(self.bound, number);
            // First the rows that any duty keeps. The number -1 stands for "any duty".
            let mut each = vec![(-1, kept("x"))];
            each.extend(
                self.kept_by.get(&number).into_iter().flatten().map(|(needs, kept)| (*needs, kept("x"))),
            );
            for (needs, kept) in each {
                for set in [Set::Touched, Set::Near] {
                    if set == Set::Near && !can_be_near.contains(&number) {
                        continue;
                    }
                    let touched = if set == Set::Touched { " AND relinquish_r.whole = 1" } else { "" };
                    duties.whole.push(Fill {
                        sql: self.bound.dialect.add(
                            &whole,
                            &columns,
                            &format!(
                                "SELECT DISTINCT {}, {needs} FROM {} AS relinquish_r{} WHERE {kept}{touched}",
                                listed("x", &class.handle),
                                set.of(self.bound, number),
                                self.bound.dialect.then(
                                    &self.bound.table(&class.table),
                                    "x",
                                    &is_row(class, "x", "relinquish_r")
                                ),
                            ),
                        ),
                        reads: None,
                        from: Some((set, number)),
                        into,
                        is_by_rounds: false,
                        few: None,
                    });
                }
            }
        }
        for (number, (foot, link, head)) in needs {
            let from =
                From::set(self.bound, Set::Whole, foot).which(&format!("relinquish_r.needs = {number}"));
            let ends = (foot, link, head);
            duties.needs.extend(self.fill(
                ends,
                Toward::Head,
                &from,
                Some((Set::Whole, foot)),
                Set::Whole,
                "",
            ));
        }
        for (foot, link, head) in
            links.iter().copied().filter(|(foot, _, head)| wanted.contains(foot) && wanted.contains(head))
        {
            for set in [Set::Whole, Set::Needed] {
                let from = From::set(self.bound, set, foot);
                let ends = (foot, link, head);
                duties.needed.extend(self.fill(
                    ends,
                    Toward::Head,
                    &from,
                    Some((set, foot)),
                    Set::Needed,
                    "",
                ));
            }
        }
        duties
    }
}

/// The classes to whose sets the statements add rows.
fn reached_by(fills: &[Fill]) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    loop {
        let before = reached.len();
        for fill in fills {
            let is_live = fill.from.is_none_or(|(set, at)| set != Set::Near || reached.contains(&at));
            if is_live {
                reached.insert(fill.into.1);
            }
        }
        if reached.len() == before {
            return reached;
        }
    }
}
