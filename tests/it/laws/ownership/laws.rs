//! The laws compare a world before and after an erasure. They look only at the two worlds, and not at how the erasure
//! was worked out.

use std::collections::BTreeSet;
use std::rc::Rc;

use fastrand::Rng;

use super::oracle::{Ids, Oracle, reach};
use super::world::{Action, Gone, Id, Made, Role, STAND_IN, To, World};

/// Erases some customers from a world. The answer is the world that is left, and the blocked customers.
pub(super) type Erase<'e> = &'e dyn Fn(&World, &Ids) -> (World, Ids);

macro_rules! ensure {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}

/// Checks every law for some customers of a world.
pub(super) fn hold(world: &World, customers: &Ids, rng: &mut Rng, erase: Erase<'_>) -> Result<(), String> {
    let (after, blocked) = erase(world, customers);
    a_batch_is_its_customers_in_any_order(world, customers, rng, erase, (&after, &blocked))?;
    let (again, _) = erase(&after, &(customers - &blocked));
    ensure!(again.rows == after.rows, "again does something: {}", difference(&after, &again));
    let left = Left::new(world, &after, &(customers - &blocked));
    left.what_is_unclear_stays(&blocked, customers)?;
    left.nobody_elses()?;
    left.complete()?;
    left.what_a_duty_keeps_is_whole()?;
    left.no_link_dangles()?;
    what_duties_kept_goes_when_they_end(&after, &(customers - &blocked), rng, erase)
}

/// The laws where some customers have left by one treatment, and the others leave by another.
pub(super) fn hold_after_another(
    world: &World,
    customers: &Ids,
    rng: &mut Rng,
    erase: Erase<'_>,
) -> Result<(), String> {
    let Some(other) = world.by_the_other() else { return Ok(()) };
    for (first, second) in [(world, &other), (&other, world)] {
        let leave = customers.iter().copied().filter(|_| rng.bool()).collect();
        let (after, _) = erase(first, &leave);
        let by_another = World { shape: Rc::clone(&second.shape), rows: after.rows };
        let customers = customers.iter().copied().filter(|_| rng.bool()).collect();
        hold(&by_another, &customers, rng, erase)
            .map_err(|what| format!("by {} after {:?} left: {what}", second.shape.treatment, leave))?;
    }
    let by = customers.iter().map(|customer| (*customer, if rng.bool() { world } else { &other })).collect();
    sweeps_come_to_rest(world, by, rng, erase)
}

/// Everybody leaves by a treatment of their own, in any order. Sweeps then find what was left to others meanwhile, and come to
/// rest: nothing is left that somebody's treatment would take, unless somebody has it who has not left by that treatment.
fn sweeps_come_to_rest(
    world: &World,
    mut by: Vec<(Id, &World)>,
    rng: &mut Rng,
    erase: Erase<'_>,
) -> Result<(), String> {
    let mut rows = world.rows.clone();
    for _ in 0..by.len() + 2 {
        rng.shuffle(&mut by);
        let before = rows.clone();
        for (customer, treated) in &by {
            let now = World { shape: Rc::clone(&treated.shape), rows };
            let leave = Ids::from([*customer]);
            let (after, blocked) = erase(&now, &leave);
            let left = Left::new(&now, &after, &(&leave - &blocked));
            left.nobody_elses()
                .and_then(|()| left.complete())
                .map_err(|what| format!("of {customer:?} by {}: {what}", now.shape.treatment))?;
            rows = after.rows;
        }
        if rows == before {
            return Ok(());
        }
    }
    Err("the sweeps do not come to rest".to_owned())
}

/// When the duties have ended, those who left are treated again: for what the duties kept, in any order.
fn what_duties_kept_goes_when_they_end(
    world: &World,
    customers: &Ids,
    rng: &mut Rng,
    erase: Erase<'_>,
) -> Result<(), String> {
    let later = world.without_duties();
    let (after, blocked) = erase(&later, customers);
    a_batch_is_its_customers_in_any_order(&later, customers, rng, erase, (&after, &blocked))
        .and_then(|()| Left::new(&later, &after, &(customers - &blocked)).complete())
        .map_err(|what| format!("when the duties have ended: {what}"))
}

fn a_batch_is_its_customers_in_any_order(
    world: &World,
    customers: &Ids,
    rng: &mut Rng,
    erase: Erase<'_>,
    (batch, blocked): (&World, &Ids),
) -> Result<(), String> {
    for _ in 0..3 {
        let mut order: Vec<Id> = customers.iter().copied().collect();
        rng.shuffle(&mut order);
        let (mut turns, mut stopped) = (world.clone(), Ids::new());
        for customer in &order {
            let (next, one) = erase(&turns, &Ids::from([*customer]));
            turns = next;
            stopped.extend(one);
        }
        ensure!(stopped == *blocked, "a batch blocks {blocked:?}, and one after the other {stopped:?}");
        ensure!(
            turns.rows == batch.rows,
            "a batch is not its customers in the order {order:?}: {}",
            difference(batch, &turns)
        );
    }
    Ok(())
}

/// The differences between two worlds, row by row.
pub(super) fn difference(one: &World, other: &World) -> String {
    let ids: BTreeSet<&Id> = one.rows.keys().chain(other.rows.keys()).collect();
    let differ = ids.into_iter().filter(|id| one.rows.get(id) != other.rows.get(id));
    let said = differ.map(|id| format!("\n  {id:?}: {:?}\n  and {:?}", one.rows.get(id), other.rows.get(id)));
    said.collect()
}

/// A world, and the same world after some customers left.
struct Left<'w> {
    oracle: Oracle<'w>,
    before: &'w World,
    after: &'w World,
    /// Records whose `goes` or `same` link leads to a customer who left, or to a deleted row.
    along: Ids,
    /// The records that belong to the customers who left, or to a record that went along.
    touched: Ids,
    /// The records that somebody who stays still has, through rows that still exist.
    had: Ids,
    whole: Ids,
    needed: Ids,
}

impl<'w> Left<'w> {
    fn new(before: &'w World, after: &'w World, leave: &Ids) -> Self {
        let oracle = Oracle::new(before);
        let gone = |id: &Id| !after.rows.contains_key(id);
        let hanging = oracle.hanging();
        let goes =
            oracle.arrows.iter().filter(|arrow| matches!(arrow.link.gone, Some(Gone::Goes | Gone::Same)));
        let along: Ids = goes
            .filter(|arrow| leave.contains(&arrow.head) || gone(&arrow.head))
            .map(|arrow| arrow.foot)
            .collect();
        let touched = reach(leave.union(&along).copied(), &hanging);
        let ways: Vec<_> = hanging.iter().filter(|(a, b)| !gone(a) && !gone(b)).copied().collect();
        let stay = oracle.people().into_iter().filter(|p| !leave.contains(p) && !oracle.has_left(*p));
        let had = reach(stay, &ways);
        let (whole, needed) = what_duties_keep(before);
        Self { oracle, before, after, along, touched, had, whole, needed }
    }

    fn is_due(&self, id: Id) -> bool {
        self.along.contains(&id) || (self.touched.contains(&id) && !self.had.contains(&id))
    }

    /// Whether somebody who stays has the record by the value of this link. Without the value, nobody could see any
    /// more that this person has the record.
    fn waits(&self, id: Id, nth: usize) -> bool {
        let link = &self.before.shape.classes[id.class].links[nth];
        let heads = self.oracle.heads(id, nth);
        link.role != Role::End && self.oracle.counts(id, nth) && heads.iter().any(|head| !self.is_due(*head))
    }

    fn action(&self, id: Id) -> Action {
        self.before.shape.action(id)
    }

    /// A cell changes only in three cases: its record is due, its field belongs to somebody who is due, or it is a
    /// link to a deleted row.
    fn nobody_elses(&self) -> Result<(), String> {
        for (id, was) in &self.before.rows {
            let due = self.is_due(*id);
            let Some(is) = self.after.rows.get(id) else {
                ensure!(due, "{id:?} is gone, and was not due");
                ensure!(!matches!(self.action(*id), Action::Keep | Action::Anonymise), "{id:?} is gone");
                continue;
            };
            let class = &self.before.shape.classes[id.class];
            let of_due = |nth: usize| self.oracle.heads(*id, nth).iter().any(|head| self.is_due(*head));
            for (n, field) in class.fields.iter().enumerate() {
                let of_value = field.of.is_some_and(|nth| class.links[nth].value.is_some());
                let with_value = |nth| of_due(nth) || (of_value && due && !self.waits(*id, nth));
                let may = field.of.map_or(due, with_value)
                    && class.action != Action::Keep
                    && !self.before.shape.keeps(*id, n);
                ensure!(
                    is.val[n] == was.val[n] || may,
                    "{} of {id:?} changed, and is nobody's who left",
                    field.column
                );
            }
            for (nth, link) in class.links.iter().enumerate() {
                let gone = self.oracle.heads(*id, nth).iter().any(|head| !self.after.rows.contains_key(head));
                let handed =
                    due && matches!(class.action, Action::Reassign { .. }) && link.role == Role::Owner;
                let may = if link.value.is_some() {
                    (of_due(nth) || (due && !self.waits(*id, nth))) && class.action != Action::Keep
                } else {
                    gone || handed
                };
                ensure!(is.to[nth] == was.to[nth] || may, "{} of {id:?} changed", link.name);
            }
        }
        Ok(())
    }

    /// Everything that is due is treated, unless a duty or the policy keeps it.
    fn complete(&self) -> Result<(), String> {
        for (id, is) in &self.after.rows {
            let class = &self.before.shape.classes[id.class];
            if self.whole.contains(id) || class.action == Action::Keep {
                continue;
            }
            let due = self.is_due(*id);
            let needed = self.needed.contains(id);
            ensure!(!due || needed || class.action != Action::Delete, "{id:?} is still there");
            let of_due = |nth: usize| self.oracle.heads(*id, nth).iter().any(|head| self.is_due(*head));
            for (n, field) in class.fields.iter().enumerate() {
                ensure!(
                    is.val[n].is_erased() || !field.of.map_or(due, of_due) || self.before.shape.keeps(*id, n),
                    "{} of {id:?} is still there",
                    field.column
                );
            }
            for (nth, link) in class.links.iter().enumerate() {
                let is_there = matches!(is.to[nth], To::Value(_));
                ensure!(!is_there || !of_due(nth), "{} of {id:?} still names who left", link.name);
                // The value stays if somebody who stays has the record by this value.
                let hangs = link.role != Role::End && self.oracle.counts(*id, nth);
                let waits = hangs
                    && self.oracle.heads(*id, nth).iter().any(|head| self.after.rows.contains_key(head));
                ensure!(!is_there || !due || waits, "{} of {id:?} is still there", link.name);
                let handed = due && !needed && matches!(class.action, Action::Reassign { .. });
                ensure!(
                    !handed || link.role != Role::Owner || is.to[nth] == To::Row(STAND_IN),
                    "{id:?} was not handed over"
                );
            }
        }
        Ok(())
    }

    /// A record that a duty keeps is unchanged. A record that it needs still exists, with its links.
    fn what_a_duty_keeps_is_whole(&self) -> Result<(), String> {
        for id in &self.whole {
            let (was, is) = (&self.before.rows[id], self.after.rows.get(id));
            ensure!(is == Some(was), "{id:?} is under a duty, was {was:?} and is {is:?}");
        }
        for id in self.needed.difference(&self.whole) {
            let Some(is) = self.after.rows.get(id) else { return Err(format!("{id:?} is needed")) };
            ensure!(
                is.to.iter().zip(&self.before.rows[id].to).all(|(is, was)| is == was || *is == To::Erased),
                "a link of {id:?} is cut, which is needed"
            );
        }
        Ok(())
    }

    /// No link leads to a deleted row, unless the map allows it.
    fn no_link_dangles(&self) -> Result<(), String> {
        for (id, row) in &self.after.rows {
            for (nth, link) in self.before.shape.classes[id.class].links.iter().enumerate() {
                let To::Row(head) = &row.to[nth] else { continue };
                let dangles = self.before.rows.contains_key(head) && !self.after.rows.contains_key(head);
                ensure!(
                    !dangles || link.gone == Some(Gone::Keep),
                    "{} of {id:?} leads to a deleted row",
                    link.name
                );
            }
        }
        Ok(())
    }

    /// If it is unclear whose a record is, the record is not changed. No record to which it leads is changed either.
    fn what_is_unclear_stays(&self, blocked: &Ids, customers: &Ids) -> Result<(), String> {
        let mut chains = self.oracle.leading();
        chains.extend(self.oracle.hanging().iter().map(|(a, b)| (*b, *a)));
        let unclear = reach(self.oracle.unclear(), &chains);
        for id in &unclear {
            ensure!(
                self.after.rows.get(id) == self.before.rows.get(id),
                "{id:?} changed, and it is unclear whose it is"
            );
        }
        let should: Ids = customers.intersection(&unclear).copied().collect();
        ensure!(*blocked == should, "blocked are {blocked:?}, and not {should:?}");
        Ok(())
    }
}

/// The records that duties keep whole, and the records that those need. They are found record by record, along the
/// links.
fn what_duties_keep(world: &World) -> (Ids, Ids) {
    let heads = |id: Id, nth: usize| match &world.rows[&id].to[nth] {
        To::Row(head) if world.rows.contains_key(head) => Some(*head),
        _ => None,
    };
    let (mut whole, mut needed) = (Ids::new(), Ids::new());
    for duty in &world.shape.duties {
        let mut seen = Ids::new();
        let mut todo: Vec<Id> = world
            .rows
            .iter()
            .filter(|(id, row)| duty.classes.contains(&id.class) && row.made != Made::LongAgo)
            .map(|(id, _)| *id)
            .collect();
        while let Some(id) = todo.pop() {
            if seen.insert(id) {
                let links = 0..world.rows[&id].to.len();
                todo.extend(
                    links.filter(|l| duty.needs.contains(&(id.class, *l))).filter_map(|l| heads(id, l)),
                );
            }
        }
        whole.extend(seen);
    }
    let mut todo: Vec<Id> = whole.iter().copied().collect();
    while let Some(id) = todo.pop() {
        if needed.insert(id) {
            todo.extend((0..world.rows[&id].to.len()).filter_map(|l| heads(id, l)));
        }
    }
    (whole, needed)
}
