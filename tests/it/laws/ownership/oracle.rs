//! The semantics in slow and simple code: whose a record is, and what happens to it.
//!
//! Every question computes its sets from scratch. Such a set is everything that can be reached along pairs of
//! records. A [`Twist`] leaves out or changes one line, to show that the laws notice it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::broken::Twist;
use super::world::{
    Action, CUSTOMERS, EMAIL, Gone, Id, Link, Made, NAME, Own, Role, STAND_IN, To, Val, World,
};

pub(super) type Ids = BTreeSet<Id>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// The record is not due, or the policy keeps its class.
    Stays,
    /// A duty keeps the record, byte for byte.
    Kept,
    /// A record that stays needs this record. So this record is anonymised, and its links stay.
    Tombstone,
    Anonymised,
    Reassigned,
    Deleted,
}

/// A link of one record (`foot`) that leads to another record (`head`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrow<'w> {
    pub(super) foot: Id,
    pub(super) head: Id,
    pub(super) nth: usize,
    pub(super) link: &'w Link,
}

pub(super) struct Oracle<'w> {
    pub(super) world: &'w World,
    pub(super) arrows: Vec<Arrow<'w>>,
    twist: Option<Twist>,
}

/// What an erasure will do, before anything is changed.
pub(super) struct Fates {
    pub(super) fate: BTreeMap<Id, Fate>,
    pub(super) due: Ids,
}

/// What a treatment writes to a field of a customer's own record.
fn written(own: Own, field: usize) -> Val {
    if own.writes_otherwise && field == NAME { Val::Otherwise } else { Val::Erased }
}

/// Everything that can be reached from the start along the pairs.
pub(super) fn reach(start: impl IntoIterator<Item = Id>, pairs: &[(Id, Id)]) -> Ids {
    let mut seen: Ids = start.into_iter().collect();
    loop {
        let more: Ids =
            pairs.iter().filter(|(a, b)| seen.contains(a) && !seen.contains(b)).map(|(_, b)| *b).collect();
        if more.is_empty() {
            return seen;
        }
        seen.extend(more);
    }
}

pub(super) fn turned(pairs: &[(Id, Id)]) -> Vec<(Id, Id)> {
    pairs.iter().map(|(a, b)| (*b, *a)).collect()
}

impl<'w> Oracle<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        Self::twisted(world, None)
    }

    pub(super) fn twisted(world: &'w World, twist: Option<Twist>) -> Self {
        let mut oracle = Self { world, arrows: Vec::new(), twist };
        for &foot in world.rows.keys() {
            for (nth, link) in world.shape.classes[foot.class].links.iter().enumerate() {
                let heads = oracle.heads(foot, nth);
                oracle.arrows.extend(heads.into_iter().map(|head| Arrow { foot, head, nth, link }));
            }
        }
        oracle
    }

    fn is(&self, twist: Twist) -> bool {
        self.twist == Some(twist)
    }

    /// The records to which a link leads: one or none. NULL, `none` values and keys that no row has lead nowhere. A
    /// value leads to the customer who has it. If several customers have it, the link leads to all of them, and the
    /// record is unclear.
    pub(super) fn heads(&self, record: Id, nth: usize) -> Vec<Id> {
        let link = &self.world.shape.classes[record.class].links[nth];
        match (&self.world.rows[&record].to[nth], link.value) {
            (To::Row(head), _) if self.world.rows.contains_key(head) => vec![*head],
            // A blank value counts as no value: two people without an address are not the same person.
            (To::Value(value), Some(_)) if value.trim().is_empty() && !self.is(Twist::BlankValuesLead) => {
                Vec::new()
            }
            (To::Value(value), Some(compare)) => {
                let fold = |value: &str| {
                    if self.is(Twist::ValuesAreExact) { value.to_owned() } else { compare.fold(value) }
                };
                let has = |id: &Id| match &self.world.rows[id].val[EMAIL] {
                    Val::Text(email) => fold(email) == fold(value),
                    Val::Erased | Val::Otherwise => false,
                };
                self.customers().filter(has).collect()
            }
            _ => Vec::new(),
        }
    }

    fn customers(&self) -> impl Iterator<Item = Id> {
        self.world.rows.keys().copied().filter(|id| id.class == CUSTOMERS && *id != STAND_IN)
    }

    /// Whether a link counts. Of the owner links of a record, only the first that is not empty counts. Links that are
    /// not owner links always count.
    pub(super) fn counts(&self, foot: Id, nth: usize) -> bool {
        let links = &self.world.shape.classes[foot.class].links;
        let is_empty = |nth: usize| {
            let is_blank = self.world.rows[&foot].to[nth] == To::Blank;
            self.world.is_empty_link(foot, nth) && !(is_blank && self.is(Twist::BlankLinksAreFilled))
        };
        let before = |nth: usize| links[nth].role == Role::Owner && !is_empty(nth);
        links[nth].role != Role::Owner || !(0..nth).any(before)
    }

    fn role(&self, arrow: &Arrow<'_>) -> Role {
        match arrow.link.role {
            Role::Owner if !self.counts(arrow.foot, arrow.nth) && !self.is(Twist::EveryOwnerLinkCounts) => {
                Role::End
            }
            Role::End if self.is(Twist::EndsHang) => Role::Shared,
            role => role,
        }
    }

    /// Pairs of records where the second belongs to the first. A record belongs to the records to which its owner
    /// link and its shared links lead. It also works the other way: if the class of the `head` names the link as
    /// `shared`, the `head` belongs to the `foot`.
    pub(super) fn hanging(&self) -> Vec<(Id, Id)> {
        let mut pairs = Vec::new();
        for arrow in &self.arrows {
            if self.role(arrow) != Role::End {
                pairs.push((arrow.head, arrow.foot));
            }
            if arrow.link.hangs.contains(&arrow.head.class) && !self.is(Twist::LinksOfOthersDoNotShare) {
                pairs.push((arrow.foot, arrow.head));
            }
        }
        pairs
    }

    /// Pairs of records where a link leads from the first to the second.
    pub(super) fn leading(&self) -> Vec<(Id, Id)> {
        self.arrows.iter().map(|arrow| (arrow.foot, arrow.head)).collect()
    }

    /// The people are the customers. The stand-in is not one of them.
    pub(super) fn people(&self) -> Ids {
        self.customers().chain(self.is(Twist::StandInIsAPerson).then_some(STAND_IN)).collect()
    }

    /// Whether the record has something that is erased when the other end of one of its links is due. This may be a
    /// field that belongs to the link, or the value by which the link finds its person.
    pub(super) fn has_fields_of(&self, record: Id, due: &Ids) -> bool {
        let class = &self.world.shape.classes[record.class];
        let has_fields = |nth: usize| {
            class.links[nth].value.is_some() || class.fields.iter().any(|field| field.of == Some(nth))
        };
        (0..class.links.len())
            .filter(|nth| has_fields(*nth))
            .any(|nth| self.heads(record, nth).iter().any(|head| due.contains(head)))
    }

    /// The people who have a record: everybody to whom it belongs, directly or through other records.
    pub(super) fn has(&self, record: Id) -> Ids {
        &reach([record], &turned(&self.hanging())) & &self.people()
    }

    /// A customer has left when the own record is gone or shows it. No ledger is asked. The record shows it if it holds what
    /// the treatment of this erasure writes there, or what some treatment writes that leaves nothing personal there.
    pub(super) fn has_left(&self, customer: Id) -> bool {
        let shape = &self.world.shape;
        let this = (shape.classes[CUSTOMERS].action != Action::Keep).then_some(shape.own);
        let other =
            shape.by_the_other().filter(|other| other.is_strong() || self.is(Twist::WeakTreatmentsShow));
        let other = other.filter(|_| !self.is(Twist::OnlyThisTreatmentShows)).map(|other| other.own);
        let shows = |row: &super::world::Row, own: Own| {
            row.val.iter().enumerate().all(|(n, value)| match n {
                NAME => *value == written(own, n),
                EMAIL => value.is_erased() || own.keeps_email,
                // A field of somebody else's is written when that person leaves.
                _ => value.is_erased() || !self.is(Twist::OthersFieldsHideWhoLeft),
            })
        };
        let row = self.world.rows.get(&customer);
        row.is_none_or(|row| this.iter().chain(&other).any(|own| shows(row, *own)))
            && !self.is(Twist::NobodyHasLeft)
    }

    /// The records that are whole, and those that are needed.
    ///
    /// *Whole* are the records that a duty keeps, and the records to which they lead over the links in its `needs`,
    /// and so on. A customer's own record is never whole.
    ///
    /// *Needed* are the whole records, and the records to which they lead over any link, and so on.
    pub(super) fn kept(&self) -> (Ids, Ids) {
        let mut whole = Ids::new();
        for duty in &self.world.shape.duties {
            let under = self.world.rows.iter().filter(|(id, row)| {
                duty.classes.contains(&id.class)
                    && row.made != Made::LongAgo
                    && !(row.made == Made::Unknown && self.is(Twist::NoDateEndsDuty))
            });
            let needs = |arrow: &&Arrow<'_>| {
                duty.needs.contains(&(arrow.foot.class, arrow.nth)) && arrow.head.class != CUSTOMERS
            };
            let mut needs: Vec<_> =
                self.arrows.iter().filter(needs).map(|arrow| (arrow.foot, arrow.head)).collect();
            if self.is(Twist::NothingIsNeededWhole) {
                needs.clear();
            }
            whole.extend(reach(under.map(|(id, _)| *id), &needs));
        }
        // A link by value does not need the row with the same value.
        let by_key = || self.arrows.iter().filter(|arrow| arrow.link.value.is_none());
        let leading: Vec<(Id, Id)> = by_key().map(|arrow| (arrow.foot, arrow.head)).collect();
        let mut needed = reach(whole.iter().copied(), &leading);
        if self.is(Twist::NeedsOneStep) {
            let step = by_key().filter(|arrow| whole.contains(&arrow.foot));
            needed = step.map(|arrow| arrow.head).chain(whole.iter().copied()).collect();
        }
        (whole, needed)
    }

    pub(super) fn fates(&self, leave: &Ids) -> Fates {
        let hanging = self.hanging();
        let (whole, needed) = self.kept();
        // The people who stay: everybody who does not leave and has not left before.
        let stay: Ids =
            self.people().into_iter().filter(|p| !leave.contains(p) && !self.has_left(*p)).collect();
        // The records that go along: their `goes` or `same` link leads to somebody who leaves.
        let goes: Vec<&Arrow<'_>> = self
            .arrows
            .iter()
            .filter(|arrow| matches!(arrow.link.gone, Some(Gone::Goes | Gone::Same)))
            .collect();
        let mut along: Ids =
            goes.iter().filter(|arrow| leave.contains(&arrow.head)).map(|arrow| arrow.foot).collect();
        loop {
            // If a record goes along and is deleted, nobody has other records through it any more.
            let deleted = |id: &Id| {
                along.contains(id) && !needed.contains(id) && self.world.shape.action(*id) == Action::Delete
            };
            let let_go = |id: &Id| deleted(id) && !self.is(Twist::DeletedRecordsStillHave);
            let ways: Vec<_> = hanging.iter().filter(|(a, b)| !let_go(a) && !let_go(b)).copied().collect();
            let mut had = reach(stay.iter().copied(), &ways);
            if self.is(Twist::SharedGoesWithTheFirst) {
                had.clear();
            }
            // Due are the records that belong to somebody who leaves or to a record that goes along, unless somebody
            // who stays has them. The records that go along are always due.
            let mut due = &reach(leave.union(&along).copied(), &hanging) - &had;
            if self.is(Twist::AlongUnlessHad) {
                due.extend(along.difference(&had));
            } else {
                due.extend(&along);
            }
            let fate: BTreeMap<Id, Fate> =
                self.world.rows.keys().map(|id| (*id, self.fate(*id, &due, &whole, &needed))).collect();
            // A deleted row leaves too. The records that go along with it are added, and the loop runs again.
            let more: Ids = goes
                .iter()
                .filter(|arrow| fate[&arrow.head] == Fate::Deleted && !along.contains(&arrow.foot))
                .map(|arrow| arrow.foot)
                .collect();
            if more.is_empty() || self.is(Twist::GoesOneStep) {
                return Fates { fate, due };
            }
            along.extend(more);
        }
    }

    /// What happens to a record. A due record that is whole is kept byte for byte. Otherwise the policy's action for
    /// its class applies. But if the record is needed, it becomes a tombstone instead of being deleted or reassigned.
    fn fate(&self, id: Id, due: &Ids, whole: &Ids, needed: &Ids) -> Fate {
        match self.world.shape.action(id) {
            _ if !due.contains(&id) => Fate::Stays,
            Action::Keep => Fate::Stays,
            _ if whole.contains(&id) => Fate::Kept,
            Action::Anonymise => Fate::Anonymised,
            _ if needed.contains(&id) && !self.is(Twist::NoTombstones) => Fate::Tombstone,
            Action::Delete => Fate::Deleted,
            Action::Reassign { .. } => Fate::Reassigned,
        }
    }

    /// The records whose owner is unclear: a value leads to several customers, or a `same` link connects two people.
    /// An owner link that does not count is ignored.
    pub(super) fn unclear(&self) -> Ids {
        let mut unclear = Ids::new();
        let mut before: Option<&Arrow<'_>> = None;
        for arrow in &self.arrows {
            let counts = self.counts(arrow.foot, arrow.nth) || self.is(Twist::LinksThatDoNotCountBlock);
            if counts && before.is_some_and(|before| (before.foot, before.nth) == (arrow.foot, arrow.nth)) {
                unclear.insert(arrow.foot);
            }
            if arrow.link.gone == Some(Gone::Same) && !self.is(Twist::SameIsNotLookedAt) {
                let both = &self.has(arrow.foot) | &self.has(arrow.head);
                if both.iter().filter(|person| !self.has_left(**person)).count() > 1 {
                    unclear.insert(arrow.foot);
                }
            }
            before = Some(arrow);
        }
        unclear
    }

    /// The blocked people: everybody to whom a chain of links leads from an unclear record.
    pub(super) fn blocked(&self) -> Ids {
        if self.is(Twist::NobodyIsBlocked) {
            return Ids::new();
        }
        let mut chains = turned(&self.hanging());
        if !self.is(Twist::OnlyThoseWhoHaveItAreBlocked) {
            chains.extend(self.leading());
        }
        &reach(self.unclear(), &chains) & &self.people()
    }

    /// The world after the erasure of some customers, and those of them who are blocked.
    pub(super) fn erase(&self, customers: &Ids) -> (World, Ids) {
        let blocked = customers & &self.blocked();
        let leave = &(customers & &self.people()) - &blocked;
        let Fates { fate, due } = self.fates(&leave);
        let (whole, _) = self.kept();
        let mut after = World { shape: Rc::clone(&self.world.shape), rows: BTreeMap::new() };
        for (&id, before) in self.world.rows.iter().filter(|(id, _)| fate[id] != Fate::Deleted) {
            let class = &self.world.shape.classes[id.class];
            let mut row = before.clone();
            // Whole records, and records of classes that are kept, do not change.
            let may_write = (!whole.contains(&id) || self.is(Twist::WholeIsWritten))
                && (class.action != Action::Keep || self.is(Twist::KeptClassesAreWritten));
            let is_due = |nth: usize| self.heads(id, nth).iter().any(|head| due.contains(head));
            let with_record = matches!(fate[&id], Fate::Anonymised | Fate::Tombstone | Fate::Reassigned);
            // The value of a link is erased with its record. It is also erased when the person to whom it leads is
            // due, whoever has the record. There is one exception: if somebody who stays has the record by this
            // value, the value stays until that person leaves.
            let by_value = |nth: usize| {
                let is_theirs = class.links[nth].role != Role::End
                    && self.counts(id, nth)
                    && self.heads(id, nth).iter().any(|head| !due.contains(head));
                is_due(nth)
                    || (with_record
                        && (!is_theirs || self.is(Twist::ValuesOfThoseWhoStayGo))
                        && !self.is(Twist::ValuesWaitForTheirPerson))
            };
            // A field is written with its record; one of a link when what the link leads to is due, whoever has the record; one
            // of a link by value with the value.
            for (n, (field, value)) in class.fields.iter().zip(&mut row.val).enumerate() {
                let stays = self.world.shape.keeps(id, n);
                let is_written = match field.of {
                    None => with_record,
                    Some(_) if self.is(Twist::FieldsOfOthersGoWithTheRecord) => with_record,
                    Some(nth) if class.links[nth].value.is_some() => by_value(nth),
                    Some(nth) => is_due(nth) && (with_record || !self.is(Twist::FieldsOfOthersWait)),
                };
                if may_write && is_written && !stays {
                    let own = if id.class == CUSTOMERS { self.world.shape.own } else { Own::default() };
                    *value = written(own, n);
                }
            }
            for (nth, _) in class.links.iter().enumerate().filter(|(_, link)| link.value.is_some()) {
                if may_write && by_value(nth) && !self.is(Twist::ValuesStay) {
                    row.to[nth] = To::Erased;
                }
            }
            for arrow in self.arrows.iter().filter(|arrow| arrow.foot == id && arrow.link.value.is_none()) {
                let to = &mut row.to[arrow.nth];
                if fate[&id] == Fate::Reassigned && arrow.link.role == Role::Owner {
                    *to = To::Row(STAND_IN);
                } else if fate[&arrow.head] == Fate::Deleted && !self.is(Twist::LinksStay) {
                    // Links to deleted rows are changed as `ends` says, whoever has the record.
                    match arrow.link.gone {
                        Some(Gone::Clear | Gone::Goes | Gone::Same) => *to = To::Cleared,
                        Some(Gone::StandIn) => *to = To::Row(STAND_IN),
                        Some(Gone::Keep) | None => {}
                    }
                }
            }
            after.rows.insert(id, row);
        }
        (after, blocked)
    }
}
