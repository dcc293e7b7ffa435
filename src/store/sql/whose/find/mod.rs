//! Finds the rows of a batch: what its customers have, who else has it, what a duty keeps, and what is erased
//! together with it.
//!
//! The statements depend only on the map and the treatment. Each statement adds rows to a [set](super::Set). It runs
//! again only when the set that it reads has grown: once per level in a tree of rows, elsewhere once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Few, From, Reads, Set, Toward, Ways, batch, handle_names, in_circles, is_row, of_class};
use crate::data_map::{ClassName, LinkRole};
use crate::store::sql::bind::{Bound, BoundClass};
use crate::store::sql::spelling::{flag, listed, quoted};
use crate::store::sql::way::BoundLink;
use crate::treatment::{ClassTreatment, RecordAction, Treatment};

mod duties;
mod sharing;
mod tenants;
mod unclear;

/// A set of rows of a class.
pub(crate) type Place = (Set, usize);

/// A statement that reads one set and adds to another.
#[derive(Clone, Debug)]
pub(crate) struct Fill {
    pub(crate) sql: String,
    /// If the statement reads a whole table of the host: how it avoids that.
    pub(crate) reads: Option<Reads>,
    /// The set that it reads. `None`: the batch.
    pub(crate) from: Option<Place>,
    pub(crate) into: Place,
    /// Whether it reads only the rows of the set that came after a number of others, which is its parameter.
    pub(crate) is_by_rounds: bool,
    /// The same statement for a round whose rows have few feet.
    pub(crate) few: Option<Few>,
}

impl Fill {
    /// The table that it may have to read, and the set that it reads.
    pub(crate) fn reading(&self) -> Option<(&Reads, Option<Place>)> {
        self.reads.as_ref().map(|reads| (reads, self.from))
    }
}

/// How the rows of a treatment's batch are found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finding {
    /// Sets that are emptied first.
    pub(crate) used: BTreeSet<Place>,
    /// The customers' own rows.
    pub(crate) start: Vec<Fill>,
    /// Rows that are erased together with a customer.
    pub(crate) along: Vec<Fill>,
    /// Rows that hang from selected rows.
    pub(crate) touch: Vec<Fill>,
    /// Rows that duties keep.
    pub(crate) duties: Duties,
    /// The other owners of rows that may be shared.
    pub(crate) sharing: Sharing,
    /// Rows that are erased together with deleted rows.
    pub(crate) goes: Vec<Fill>,
    /// The statement that stores, for each customer of the batch, the customer's name in the sets of owners.
    pub(crate) name_people: Option<String>,
    /// Marks that are stored with the selected rows at the end: the set with the information, and the statement.
    pub(crate) marks: Vec<(Place, String)>,
    /// Rows whose owner is unclear.
    pub(crate) unclear: Unclear,
    /// Rows of other tenants' customers.
    pub(crate) abroad: Abroad,
}

impl Finding {
    /// Whether the result for a customer's records may depend on who else is in the batch, other than through shared
    /// ownership.
    pub(crate) fn goes_along(&self) -> bool {
        !self.along.is_empty() || !self.goes.is_empty()
    }

    /// Whether rows of other tenants' customers may be reached.
    pub(crate) fn reaches_abroad(&self) -> bool {
        !self.abroad.found.is_empty()
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Duties {
    /// Rows that reference selected rows and may be kept.
    pub(crate) near: Vec<Fill>,
    /// The rows among all these that a duty keeps.
    pub(crate) whole: Vec<Fill>,
    /// The rows that such rows need to keep their meaning.
    pub(crate) needs: Vec<Fill>,
    /// All rows that these rows reference.
    pub(crate) needed: Vec<Fill>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Sharing {
    pub(crate) above: Vec<Fill>,
    /// The owners who stay when the batch is erased.
    pub(crate) stay: Vec<Fill>,
    /// All owners who are not erased. For plans: each customer of the batch is erased alone.
    pub(crate) anybody: Vec<Fill>,
    pub(crate) had: Vec<Fill>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Unclear {
    pub(crate) used: BTreeSet<Place>,
    pub(crate) near: Vec<Fill>,
    /// Per class and link: the customers of the batch to whom an unclear row leads.
    pub(crate) found: Vec<(ClassName, String, usize, String)>,
}

/// How rows of other tenants' customers are found, after all sets are filled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Abroad {
    pub(crate) used: BTreeSet<Place>,
    pub(crate) fills: Vec<Fill>,
    /// Per class and link: the number of rows of other tenants that each customer of the batch would reach. The
    /// parameter is the customers' own tenants, each with the customer's number.
    pub(crate) found: Vec<(ClassName, String, String)>,
    /// What reaches rows of others, by the number that their seeds begin with: the class, and the link, or none for
    /// rows that a customer shares.
    pub(crate) reached: Vec<(ClassName, Option<String>)>,
}

/// Whether one row hangs from another, and which of them has the link.
#[derive(Clone, Copy)]
struct Hanging<'b> {
    holder: usize,
    held: usize,
    foot: usize,
    head: usize,
    link: &'b BoundLink,
}

/// Writes the statements.
pub(crate) struct Finder<'b> {
    bound: &'b Bound,
    ways: Ways<'b>,
    treatment: Option<&'b Treatment>,
    /// Classes whose selected rows need no set.
    without_set: BTreeSet<usize>,
    /// The condition that a duty keeps a row, by class.
    kept: BTreeMap<usize, Expression<'b>>,
    /// The same, by the number of the duty's set of needs.
    kept_by: BTreeMap<usize, Vec<(i64, Expression<'b>)>>,
    /// The condition that a customer's row shows that the customer is erased.
    has_left: Option<Expression<'b>>,
    /// The classes whose sets are filled in rounds.
    in_circles: BTreeSet<usize>,
}

/// An SQL expression over a row of the host, for a given alias.
pub(crate) type Expression<'b> = Box<dyn Fn(&str) -> String + 'b>;

impl<'b> Finder<'b> {
    /// A finder for a treatment. `without_set`: the classes whose rows are found without a set. `kept`: for each
    /// class, which of its rows a duty keeps. `has_left`: who is erased.
    pub(crate) fn new(
        bound: &'b Bound,
        treatment: Option<&'b Treatment>,
        without_set: BTreeSet<usize>,
        kept: BTreeMap<usize, Expression<'b>>,
        kept_by: BTreeMap<usize, Vec<(i64, Expression<'b>)>>,
        has_left: Option<Expression<'b>>,
    ) -> Self {
        let (ways, in_circles) = (Ways { bound }, in_circles(bound));
        Self { bound, ways, treatment, without_set, kept, kept_by, has_left, in_circles }
    }

    fn class(&self, number: usize) -> Option<&'b BoundClass> {
        self.bound.classes.get(number)
    }

    fn number(&self, name: &ClassName) -> Option<usize> {
        self.bound.classes.iter().position(|class| class.name == *name)
    }

    fn root(&self) -> usize {
        self.bound.classes.iter().position(|class| class.is_root).unwrap_or(0)
    }

    fn treated(&self, number: usize) -> Option<&'b ClassTreatment> {
        self.treatment?.class(self.class(number)?.name.as_str())
    }

    fn acts(&self, number: usize) -> bool {
        self.treated(number).is_some_and(|treated| !matches!(treated.action(), RecordAction::Keep { .. }))
    }

    fn may_be_deleted(&self, number: usize) -> bool {
        self.treated(number)
            .is_some_and(|treated| *treated.action() == RecordAction::Delete || treated.or_deletes())
    }

    /// Every link with the numbers of both its classes.
    fn links(&self) -> Vec<(usize, &'b BoundLink, usize)> {
        let bound = self.bound;
        let links = bound
            .classes
            .iter()
            .enumerate()
            .flat_map(|(foot, class)| class.links.iter().map(move |link| (foot, link)));
        links
            .flat_map(|(foot, link)| {
                let heads = link.heads.iter().filter_map(|head| self.number(head));
                heads.map(move |head| (foot, link, head)).collect::<Vec<_>>()
            })
            .collect()
    }

    fn hanging(&self) -> Vec<Hanging<'b>> {
        let mut list = Vec::new();
        for (foot, link, head) in self.links() {
            if link.role != LinkRole::End {
                list.push(Hanging { holder: head, held: foot, foot, head, link });
            }
            if link.holds {
                list.push(Hanging { holder: foot, held: head, foot, head, link });
            }
        }
        list
    }

    /// The number of steps from each class to the highest class, as far as there is an order. `pairs`: a class, and a
    /// class below it.
    fn depths(&self, pairs: &[(usize, usize)]) -> Vec<usize> {
        let mut depth = vec![0_usize; self.bound.classes.len()];
        for _ in 0..self.bound.classes.len() {
            for (higher, lower) in pairs {
                let below = depth.get(*higher).copied().unwrap_or(0) + 1;
                if higher != lower
                    && below < self.bound.classes.len()
                    && let Some(lower) = depth.get_mut(*lower)
                {
                    *lower = below.max(*lower);
                }
            }
        }
        depth
    }

    /// Sorts holders before what they hold, as far as there is an order. Links to rows of the same class are
    /// adjacent, so that one reading of a table serves all of them.
    fn in_order(&self, mut list: Vec<Hanging<'b>>) -> Vec<Hanging<'b>> {
        let pairs: Vec<(usize, usize)> = list.iter().map(|hanging| (hanging.holder, hanging.held)).collect();
        let depth = self.depths(&pairs);
        list.sort_by_key(|hanging| (depth.get(hanging.held).copied(), hanging.held));
        list
    }

    /// The same, upwards.
    fn upwards(&self, list: &[Hanging<'b>]) -> Vec<Hanging<'b>> {
        let pairs: Vec<(usize, usize)> = list.iter().map(|hanging| (hanging.holder, hanging.held)).collect();
        let depth = self.depths(&pairs);
        let mut list = list.to_vec();
        list.sort_by_key(|hanging| (std::cmp::Reverse(depth.get(hanging.holder).copied()), hanging.holder));
        list
    }

    /// Sorts links by their heads: a head comes before the rows that reference it, as far as there is an order.
    fn heads_first(
        &self,
        mut list: Vec<(usize, &'b BoundLink, usize)>,
    ) -> Vec<(usize, &'b BoundLink, usize)> {
        let pairs: Vec<(usize, usize)> = list.iter().map(|(foot, _, head)| (*head, *foot)).collect();
        let depth = self.depths(&pairs);
        list.sort_by_key(|(foot, ..)| (depth.get(*foot).copied(), *foot));
        list
    }

    /// A statement along a link, from one set to another.
    fn fill(
        &self,
        (foot, link, head): (usize, &BoundLink, usize),
        toward: Toward,
        from: &From,
        source: Option<Place>,
        into: Set,
        further: &str,
    ) -> Option<Fill> {
        let (foot_class, head_class) = (self.class(foot)?, self.class(head)?);
        let (at, class) = match toward {
            Toward::Foot => (foot, foot_class),
            Toward::Head => (head, head_class),
        };
        let mut gives = listed("x", &class.handle);
        let mut columns = handle_names(class);
        if into.is_numbered() {
            gives.push_str(", relinquish_r.n");
            columns.push_str(", n");
        }
        if into == Set::Abroad {
            gives.push_str(", relinquish_r.seed");
            columns.push_str(", seed");
        }
        if into == Set::Had {
            gives.push_str(", relinquish_r.person");
            columns.push_str(", person");
        }
        if into == Set::Whole {
            gives.push_str(", relinquish_r.needs");
            columns.push_str(", needs");
        }
        if into == Set::Touched {
            // The set also contains rows that are erased together with others. They do not belong to the customers.
            match source {
                _ if link.takes_along() && toward == Toward::Foot && link.role == LinkRole::End => {
                    gives.push_str(", 1");
                    columns.push_str(", beside");
                }
                Some((Set::Touched, _)) => {
                    gives.push_str(", relinquish_r.beside");
                    columns.push_str(", beside");
                }
                _ => {}
            }
        }
        if into == Set::Touched
            && let Some(kept) = self.kept.get(&at)
        {
            let _ = write!(gives, ", {}", flag(&kept("x")));
            columns.push_str(", whole");
        }
        // Only rows that were reached on the way up are asked for their owners.
        let among = (into == Set::Had && toward == Toward::Foot).then(|| Set::Above.of(self.bound, at));
        let is_by_rounds =
            !from.changes() && source.is_some_and(|(_, number)| self.in_circles.contains(&number));
        let newer = format!("relinquish_r.born > CAST({} AS BIGINT)", self.bound.dialect.parameter(1));
        let from = if is_by_rounds { from.clone().which(&newer) } else { from.clone() };
        let select = self.ways.along(link, foot_class, head_class, toward, &from, &gives, among.as_deref());
        let table = into.of(self.bound, at);
        let insert = |select: &str| self.bound.dialect.add(&table, &columns, &format!("{select}{further}"));
        let reads = select.reads.map(|reads| Reads { of_picked: insert(&reads.of_picked), ..reads });
        // In a single round, reading all rows among which the feet are costs no more.
        let few = select.few.filter(|_| is_by_rounds).map(|few| Few { sql: insert(&few.sql), ..few });
        Some(Fill { sql: insert(&select.sql), reads, from: source, into: (into, at), is_by_rounds, few })
    }

    /// The set of a class. For the customers, the batch itself if their keys are enough.
    fn touched(&self, number: usize, link: &BoundLink, toward: Toward) -> (From, Option<Place>) {
        let from_batch = number == self.root() && toward == Toward::Foot && !link.by_value;
        if from_batch {
            (From::batch(self.bound), None)
        } else {
            let place = (Set::Touched, number);
            (From::set(self.bound, Set::Touched, number), Some(place))
        }
    }

    /// Finds what the customers of the batch have, and nothing else.
    fn touch(&self) -> (Vec<Fill>, Vec<Fill>) {
        let root = self.root();
        let mut start = Vec::new();
        if let Some(class) = self.class(root) {
            let same: Vec<String> = class
                .key
                .iter()
                .enumerate()
                .map(|(part, key)| format!("x.{} = relinquish_r.k{part}", quoted(key)))
                .collect();
            let kept = self.kept.get(&root).map(|kept| flag(&kept("x")));
            let (whole, column) = kept.map_or_else(Default::default, |kept| (format!(", {kept}"), ", whole"));
            start.push(Fill {
                sql: self.bound.dialect.add(
                    &Set::Touched.of(self.bound, root),
                    &format!("{}, n{column}", handle_names(class)),
                    &format!(
                        "SELECT {}, relinquish_r.n{whole} FROM {} AS relinquish_r{} WHERE TRUE{}",
                        listed("x", &class.handle),
                        batch(self.bound),
                        self.bound.dialect.then(&self.bound.table(&class.table), "x", &same.join(" AND ")),
                        of_class(self.bound, "x", &class.rows),
                    ),
                ),
                reads: None,
                from: None,
                into: (Set::Touched, root),
                is_by_rounds: false,
                few: None,
            });
        }
        let hanging = self.in_order(self.hanging());
        let has_set = |number: usize| number != root && !self.without_set.contains(&number);
        let touch = hanging.iter().filter(|hanging| has_set(hanging.held)).filter_map(|hanging| {
            let toward = if hanging.held == hanging.foot { Toward::Foot } else { Toward::Head };
            let (from, place) = self.touched(hanging.holder, hanging.link, toward);
            let ends = (hanging.foot, hanging.link, hanging.head);
            self.fill(ends, toward, &from.hanging(), place, Set::Touched, "")
        });
        (start, touch.collect())
    }

    /// Finds everything that the treatment needs to know.
    pub(crate) fn finding(&self) -> Finding {
        let (start, touch) = self.touch();
        let mut finding = Finding { start, touch, ..Finding::default() };
        self.put_along(&mut finding);
        finding.sharing = self.sharing(!finding.goes.is_empty() || self.goes_with_customers());
        finding.duties = self.duties();
        self.put_marks(&mut finding);
        finding.unclear = self.unclear();
        finding.abroad = self.abroad();
        let fills = [
            &finding.start,
            &finding.along,
            &finding.touch,
            &finding.duties.near,
            &finding.duties.whole,
            &finding.duties.needs,
            &finding.duties.needed,
            &finding.sharing.above,
            &finding.sharing.stay,
            &finding.sharing.had,
            &finding.goes,
        ];
        finding.used = fills.into_iter().flatten().map(|fill| fill.into).collect();
        finding
    }

    /// Finds what customers have, and its other owners, for any treatment.
    pub(crate) fn held(&self) -> Finding {
        let (start, touch) = self.touch();
        let mut finding = Finding { start, touch, sharing: self.sharing(false), ..Finding::default() };
        self.put_marks(&mut finding);
        let sharing = &finding.sharing;
        let fills = [&finding.start, &finding.touch, &sharing.above, &sharing.stay, &sharing.had];
        finding.used = fills.into_iter().flatten().map(|fill| fill.into).collect();
        finding
    }

    fn goes_with_customers(&self) -> bool {
        let root = self.root();
        self.links().iter().any(|(_, link, head)| *head == root && link.takes_along())
    }

    /// Adds rows that are erased together with a customer or with a deleted row.
    fn put_along(&self, finding: &mut Finding) {
        let root = self.root();
        for (foot, link, head) in self.links().into_iter().filter(|(_, link, _)| link.takes_along()) {
            let ends = (foot, link, head);
            if head == root {
                let (from, place) = self.touched(root, link, Toward::Foot);
                finding.along.extend(self.fill(ends, Toward::Foot, &from, place, Set::Along, ""));
                finding.along.extend(self.fill(ends, Toward::Foot, &from, place, Set::Touched, ""));
            }
            let is_deleted = |treated: &ClassTreatment| *treated.action() == RecordAction::Delete;
            if self.treated(head).is_some_and(is_deleted) && head != root {
                let from = From::set(self.bound, Set::Touched, head).which(&self.is_deleted(head)).changing();
                let place = Some((Set::Touched, head));
                finding.goes.extend(self.fill(ends, Toward::Foot, &from, place, Set::Along, ""));
                finding.goes.extend(self.fill(ends, Toward::Foot, &from, place, Set::Touched, ""));
            }
        }
    }

    /// The condition that a selected row `r` is deleted, before this is stored with the rows.
    fn is_deleted(&self, number: usize) -> String {
        let Some(class) = self.class(number) else { return "FALSE".to_owned() };
        let is_in = |set: Set| self.in_set(class, set, number, "relinquish_r");
        let mut sql = "relinquish_r.whole = 0".to_owned();
        if self.may_be_needed(number) {
            let _ = write!(sql, " AND NOT {}", is_in(Set::Needed));
        }
        if self.is_kept_with_others(number) {
            let _ = write!(sql, " AND NOT {}", is_in(Set::Whole));
        }
        if class.is_shared {
            let _ = write!(sql, " AND (NOT {} OR {})", is_in(Set::Had), is_in(Set::Along));
        }
        format!("({sql})")
    }

    fn put_marks(&self, finding: &mut Finding) {
        if let Some(root) = self.class(self.root()).filter(|_| !finding.sharing.had.is_empty()) {
            finding.name_people = Some(format!(
                "UPDATE {} AS b SET person = (SELECT {} FROM {} AS t WHERE t.n = b.n)",
                batch(self.bound),
                self.person(root, "t"),
                Set::Touched.of(self.bound, self.root()),
            ));
        }
        for (number, class) in self.bound.classes.iter().enumerate() {
            let touched = format!("{} AS t", Set::Touched.of(self.bound, number));
            let is_in = |set: Set| self.in_set(class, set, number, "t");
            let has = |fills: &[Fill], set: Set| fills.iter().any(|fill| fill.into == (set, number));
            if has(&finding.sharing.had, Set::Had) {
                let own = format!("(SELECT b.person FROM {} AS b WHERE b.n = t.n)", batch(self.bound));
                let mut sql = format!(
                    "UPDATE {touched} SET had = 1 WHERE EXISTS (SELECT 1 FROM {} AS s WHERE {} AND {})",
                    Set::Had.of(self.bound, number),
                    same_handle(class, "s", "t"),
                    self.bound.dialect.is_not("s.person", &own),
                );
                if finding.along.iter().chain(&finding.goes).any(|fill| fill.into == (Set::Along, number)) {
                    let _ = write!(sql, " AND NOT {}", is_in(Set::Along));
                }
                finding.marks.push(((Set::Had, number), sql));
            }
            if has(&finding.duties.needs, Set::Whole) {
                let sql = format!("UPDATE {touched} SET whole = 1 WHERE {}", is_in(Set::Whole));
                finding.marks.push(((Set::Whole, number), sql));
            }
            if has(&finding.duties.needed, Set::Needed) && self.may_be_needed(number) {
                let sql = format!("UPDATE {touched} SET needed = 1 WHERE {}", is_in(Set::Needed));
                finding.marks.push(((Set::Needed, number), sql));
            }
        }
    }
}

impl Finder<'_> {
    /// A customer as one text, from a row of a set.
    fn person(&self, class: &BoundClass, alias: &str) -> String {
        let names = names_of(class);
        let parts = names.iter().map(|part| self.bound.dialect.spelled(&format!("{alias}.{part}")));
        parts.collect::<Vec<_>>().join(" || ',' || ")
    }

    /// The condition that a row of one set is in another set.
    fn in_set(&self, class: &BoundClass, set: Set, number: usize, alias: &str) -> String {
        let table = set.of(self.bound, number);
        format!("EXISTS (SELECT 1 FROM {table} AS s WHERE {})", same_handle(class, "s", alias))
    }

    /// The condition that a row of the host is in a set.
    fn row_in_set(&self, class: &BoundClass, set: Set, number: usize, alias: &str) -> String {
        let table = set.of(self.bound, number);
        format!("EXISTS (SELECT 1 FROM {table} AS s WHERE {})", is_row(class, alias, "s"))
    }
}

fn names_of(class: &BoundClass) -> Vec<String> {
    (0..class.handle.len()).map(|part| format!("h{part}")).collect()
}

pub(crate) fn same_handle(class: &BoundClass, one: &str, other: &str) -> String {
    let same: Vec<String> =
        (0..class.handle.len()).map(|part| format!("{one}.h{part} = {other}.h{part}")).collect();
    same.join(" AND ")
}
