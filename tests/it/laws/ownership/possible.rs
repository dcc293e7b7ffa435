//! What the check refuses: what can be told from map, schema and policy, before a row is looked at.

use std::collections::BTreeSet;

use super::world::{Action, CUSTOMERS, Class, Divided, Gone, KeyForm, Link, Role, Shape};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// A link leads to mapped rows, and the map does not say what that means.
    NothingSaid,
    /// The record may stay while what the link leads to is deleted, and `ends` cannot be carried out.
    CannotLetGo,
    /// `goes` or `same` on the customers' own record, on a class that is handed over, or on one that is kept while the other
    /// end is deleted.
    CannotGoAlong,
    /// The other end of a `same`, or this one, is shared.
    SameIsShared,
    /// A link to the stand-in that does not lead to customers alone.
    StandInElsewhere,
    /// Handed over, and not directly a customer's, or shared.
    CannotHandOver,
    /// The value of a link is in a class that is kept, or handed over.
    ValueStays,
    /// A record by value may be kept by a duty, or be needed by one.
    ValueUnderDuty,
    /// A duty needs the customers' own record.
    NeedsCustomers,
    /// An owner link that may be cleared, with another one behind it: clearing it would make a new way.
    FirstMakesAWay,
    /// A shared record is treated, and nothing in the customers' own records shows who has left.
    NoSign,
    /// The classes of the table are told apart by the only column of the link.
    DividesTheTable,
    /// Rows of the table that no class claims, and a foreign key to what may be deleted.
    RestIsTied,
}

/// Why a shape is impossible, with the class and the link where that is.
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

    /// Whether a record of the class has at most one link by which it hangs.
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

    /// A class by value that a duty keeps: the policy lets its records go when the duty is over, whoever has them by then. That
    /// can be said of records that are one person's, and to which nothing leads.
    pub(super) fn expires_by_itself(&self, class: usize) -> bool {
        let table = self.classes[class].table;
        self.classes[class].links.iter().any(|link| link.value.is_some())
            && self.duties.iter().any(|duty| duty.classes.contains(&class))
            && self.is_single(class, &mut BTreeSet::new())
            && self.links().all(|(_, _, link)| link.value.is_some() || link.to != table)
            && self.classes[class].links.iter().all(|link| link.hangs.is_empty())
    }

    /// Whether a record may stay, or stay for a while, when what the link leads to is deleted.
    fn may_outlive_its_head(&self, class: usize, link: &Link) -> bool {
        // Whoever the first owner link leads to is the only owner.
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

    /// Whether records of the class hang by their owner links alone, one at a time.
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
            // Of a link of two columns one tells the classes apart, and the other one is cleared.
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

    /// Whether records of the class hang from others that are found by a value, and not by a value of their own: that way to
    /// them is lost with the value.
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

    /// Leaves out what no duty can need, because none of its records leads there.
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

    /// What would never be asked for: an end that could not be carried out, if what it leads to were ever deleted. The check
    /// may refuse it or let it pass.
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

    /// Everything that is impossible about it.
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
