//! What the check refuses. It knows only the map, the schema and the policy, and reads no rows.

use std::collections::BTreeSet;

use super::world::{Action, CUSTOMERS, Class, Divided, Gone, KeyForm, Link, Role, Shape};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// A link leads to mapped rows, but the map does not say what happens when they go.
    NothingSaid,
    /// The record may stay while the row to which the link leads is deleted, and the action in `ends` is not
    /// possible.
    CannotLetGo,
    /// `goes` or `same` in the wrong place: on the customers' own record, on a class that is handed over, or on a
    /// class that is kept while the other end is deleted.
    CannotGoAlong,
    /// A record at one end of a `same` link may be shared.
    SameIsShared,
    /// `ends` names the stand-in, but the link does not lead only to customers.
    StandInElsewhere,
    /// A class is handed over, but it is shared or does not belong directly to a customer.
    CannotHandOver,
    /// A link by value is in a class that is kept or handed over.
    ValueStays,
    /// A duty may keep or need a record that finds its owner by a value.
    ValueUnderDuty,
    /// A duty needs the customers' own record.
    NeedsCustomers,
    /// An owner link may be cleared, and another owner link comes after it. Then the second link would count, and the
    /// record would get a new owner.
    FirstMakesAWay,
    /// A shared record is treated, and nothing in the customers' own records shows who has left.
    NoSign,
    /// The classes of the table are told apart by the only column of the link.
    DividesTheTable,
    /// The table has rows that no class claims, and a foreign key to rows that may be deleted.
    RestIsTied,
}

/// Why a shape is impossible, with the class and the link of the problem.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem {
    pub(super) class: usize,
    pub(super) link: Option<usize>,
    pub(super) why: Why,
}

impl Shape {
    fn may_be_deleted(&self, class: usize) -> bool {
        matches!(self.classes[class].action, Action::Delete | Action::Reassign { or_delete: true })
    }

    pub(super) fn head_may_be_deleted(&self, link: &Link) -> bool {
        self.heads(link).iter().any(|head| self.may_be_deleted(*head))
    }

    pub(super) fn is_named_as_shared(&self, class: usize) -> bool {
        self.links().any(|(_, _, link)| link.hangs.contains(&class))
    }

    /// Whether at most one link gives a record of the class an owner.
    fn hangs_once(&self, class: usize) -> bool {
        let ways = self.classes[class].links.iter().filter(|link| link.role != Role::End);
        ways.count() <= 1 && !self.is_named_as_shared(class)
    }

    /// Whether a record of the class is always one person's.
    fn is_single(&self, class: usize, seen: &mut BTreeSet<usize>) -> bool {
        if class == CUSTOMERS || !seen.insert(class) {
            return true;
        }
        let mut owners = self.classes[class].links.iter().filter(|link| link.role == Role::Owner).peekable();
        owners.peek().is_some()
            && self.is_exclusive(class)
            && owners.all(|owner| self.heads(owner).iter().all(|head| self.is_single(*head, seen)))
    }

    /// The classes that a duty may keep whole or need.
    fn may_be_needed(&self) -> BTreeSet<usize> {
        let mut needed: BTreeSet<usize> = self.duties.iter().flat_map(|duty| duty.classes.clone()).collect();
        loop {
            let from_needed = self.links().filter(|(class, _, _)| needed.contains(class));
            let more: BTreeSet<usize> =
                from_needed.flat_map(|(_, _, link)| self.heads(link).to_vec()).collect();
            if more.is_subset(&needed) {
                return needed;
            }
            needed.extend(more);
        }
    }

    /// Whether a class by value expires at the end of its duty. The policy then deletes the records when the duty
    /// ends, whoever has them by then. This is possible if each record belongs to one person and no link leads to the
    /// records.
    pub(super) fn expires_by_itself(&self, class: usize) -> bool {
        let table = self.classes[class].table;
        self.classes[class].links.iter().any(|link| link.value.is_some())
            && self.duties.iter().any(|duty| duty.classes.contains(&class))
            && self.is_single(class, &mut BTreeSet::new())
            && self.links().all(|(_, _, link)| link.value.is_some() || link.to != table)
            && self.classes[class].links.iter().all(|link| link.hangs.is_empty())
    }

    /// Whether a record may stay, at least for a while, when the row to which the link leads is deleted.
    fn may_outlive_its_head(&self, class: usize, link: &Link) -> bool {
        // If the first owner link leads somewhere, this is the only owner.
        let mut owners = self.classes[class].links.iter().filter(|other| other.role == Role::Owner);
        let is_first = owners.next().is_some_and(|first| std::ptr::eq(first, link));
        let goes_with_it = match link.role {
            Role::Owner => self.hangs_once(class) || (self.is_exclusive(class) && is_first),
            Role::Shared => self.hangs_once(class),
            Role::End => false,
        };
        let goes_along = matches!(link.gone, Some(Gone::Goes | Gone::Same));
        match self.classes[class].action {
            Action::Delete => !goes_with_it && !goes_along,
            Action::Anonymise | Action::Keep => true,
            Action::Reassign { .. } => link.role != Role::Owner,
        }
    }

    /// Whether only owner links give records of the class an owner. Of these only one counts in each record.
    fn is_exclusive(&self, class: usize) -> bool {
        !self.is_named_as_shared(class)
            && self.classes[class].links.iter().all(|link| link.role != Role::Shared)
    }

    fn problem_of_link(&self, c: usize, class: &Class, l: usize, link: &Link) -> Option<Why> {
        let alone = |table: usize| self.tables[table].classes == [CUSTOMERS];
        let goes = matches!(link.gone, Some(Gone::Goes | Gone::Same));
        if link.role == Role::End && link.gone.is_none() {
            return Some(Why::NothingSaid);
        }
        if self.tables[class.table].ignored && link.foreign_key.is_some() && self.head_may_be_deleted(link) {
            return Some(Why::RestIsTied);
        }
        if link.value.is_some() {
            if class.action == Action::Keep
                || (link.role != Role::End && matches!(class.action, Action::Reassign { .. }))
            {
                return Some(Why::ValueStays);
            }
            if self.may_be_needed().contains(&c) && !self.expires_by_itself(c) {
                return Some(Why::ValueUnderDuty);
            }
        }
        if goes
            && (c == CUSTOMERS
                || matches!(class.action, Action::Reassign { .. })
                || self
                    .heads(link)
                    .iter()
                    .any(|head| self.classes[*head].action == (Action::Reassign { or_delete: true }))
                || (class.action == Action::Keep && self.head_may_be_deleted(link)))
        {
            return Some(Why::CannotGoAlong);
        }
        if link.gone == Some(Gone::Same) {
            let single = |class| self.is_single(class, &mut BTreeSet::new());
            if !single(c) || !self.heads(link).iter().all(|head| single(*head)) {
                return Some(Why::SameIsShared);
            }
        }
        if link.gone == Some(Gone::StandIn) && (link.value.is_some() || !alone(link.to)) {
            return Some(Why::StandInElsewhere);
        }
        if link.value.is_none() && self.head_may_be_deleted(link) && self.may_outlive_its_head(c, link) {
            let can = match link.gone {
                None => false,
                Some(Gone::Clear | Gone::Goes | Gone::Same) => link.clearable(),
                Some(Gone::StandIn) => true,
                Some(Gone::Keep) => link.foreign_key.is_none(),
            };
            if !can {
                return Some(Why::CannotLetGo);
            }
            let clears = matches!(link.gone, Some(Gone::Clear | Gone::Goes | Gone::Same));
            // If a link has two columns, one of them divides the table, and only the other one is cleared.
            let table = &self.tables[class.table];
            let divides = table.divided == Divided::ByLink(link.name.clone()) && table.key != KeyForm::Pair;
            if clears && divides {
                return Some(Why::DividesTheTable);
            }
        }
        let one_behind = class.links[l + 1..].iter().any(|other| other.role == Role::Owner);
        if link.role == Role::Owner && one_behind {
            let stays_as_it_is = !self.head_may_be_deleted(link)
                || matches!(link.gone, Some(Gone::Keep | Gone::StandIn))
                || (class.action == Action::Delete && self.is_exclusive(c));
            if link.value.is_some() || !stays_as_it_is {
                return Some(Why::FirstMakesAWay);
            }
        }
        None
    }

    fn problem_of_class(&self, c: usize, class: &Class) -> Option<Why> {
        let mut ways = class.links.iter().filter(|link| link.role != Role::End);
        if matches!(class.action, Action::Reassign { .. }) {
            let direct = |link: &Link| {
                link.role == Role::Owner
                    && link.value.is_none()
                    && self.tables[link.to].classes == [CUSTOMERS]
            };
            let alone = ways.next().is_some_and(direct) && ways.next().is_none();
            if c == CUSTOMERS || !alone || self.is_named_as_shared(c) {
                return Some(Why::CannotHandOver);
            }
        }
        if self.classes[CUSTOMERS].action == Action::Keep
            && class.action != Action::Keep
            && !self.is_single(c, &mut BTreeSet::new())
        {
            return Some(Why::NoSign);
        }
        let is_under_duty = self.duties.iter().any(|duty| duty.classes.contains(&c));
        (is_under_duty && self.hangs_from_a_value(c)).then_some(Why::ValueUnderDuty)
    }

    /// Whether records of the class have no value of their own, but belong to records that find their owner by a
    /// value. When that value is erased, the way to these records is lost.
    fn hangs_from_a_value(&self, class: usize) -> bool {
        let is_by_value = |class: usize| {
            let mut ways = self.classes[class].links.iter().filter(|link| link.role != Role::End);
            ways.any(|link| link.value.is_some())
        };
        let (mut above, mut todo) = (BTreeSet::new(), vec![class]);
        while let Some(at) = todo.pop() {
            let own = self.classes[at].links.iter().filter(|link| link.role != Role::End);
            let owners = own.flat_map(|link| self.heads(link).to_vec());
            let holders = self.links().filter(|(_, _, link)| link.hangs.contains(&at)).map(|(foot, ..)| foot);
            let new: Vec<usize> = owners.chain(holders).filter(|holder| above.insert(*holder)).collect();
            todo.extend(new);
        }
        let has_value = self.classes[class].links.iter().any(|link| link.value.is_some());
        !has_value && above.into_iter().any(|holder| holder != class && is_by_value(holder))
    }

    /// Removes links from the `needs` of a duty if no record of the duty leads to them.
    pub(super) fn drop_idle_needs(&mut self) {
        let mut duties = std::mem::take(&mut self.duties);
        for duty in &mut duties {
            let mut led_to = duty.classes.clone();
            loop {
                let needs = duty.needs.iter().filter(|(class, _)| led_to.contains(class));
                let heads = needs.flat_map(|(class, l)| self.heads(&self.classes[*class].links[*l]));
                let more: BTreeSet<usize> = heads.copied().collect();
                if more.is_subset(&led_to) {
                    break;
                }
                led_to.extend(more);
            }
            duty.needs.retain(|(class, _)| led_to.contains(class));
        }
        self.duties = duties;
    }

    /// Lines of `ends` that are not possible, but would matter only if the other end were deleted. The check may
    /// refuse or accept them.
    pub(super) fn doubts(&self) -> Vec<Problem> {
        let cannot = |link: &Link| match link.gone {
            Some(Gone::Clear) if link.value.is_some() => link.role != Role::End,
            Some(Gone::Clear) => !link.clearable(),
            Some(Gone::Keep) => link.value.is_some() || link.foreign_key.is_some(),
            Some(Gone::Same) => link.value.is_some(),
            _ => false,
        };
        let cannot = self.links().filter(|(_, _, link)| cannot(link));
        cannot.map(|(class, l, _)| Problem { class, link: Some(l), why: Why::CannotLetGo }).collect()
    }

    /// All problems of the shape.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (c, class) in self.classes.iter().enumerate() {
            problems.extend(self.problem_of_class(c, class).map(|why| Problem { class: c, link: None, why }));
            for (l, link) in class.links.iter().enumerate() {
                let why = self.problem_of_link(c, class, l, link);
                problems.extend(why.map(|why| Problem { class: c, link: Some(l), why }));
            }
        }
        for (c, l) in self.duties.iter().flat_map(|duty| &duty.needs) {
            if self.heads(&self.classes[*c].links[*l]).contains(&CUSTOMERS) {
                problems.push(Problem { class: *c, link: Some(*l), why: Why::NeedsCustomers });
            }
        }
        problems
    }
}
