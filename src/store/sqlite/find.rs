//! Finding the rows of a batch: what its customers have, who else has it, what a duty keeps, and what goes along.
//!
//! The statements follow from the map and the treatment alone. Each adds rows to a [set](super::ownership::Set), and runs
//! again only when the set that it reads has grown: in a tree of rows once a level, elsewhere once.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;

use rusqlite::Connection;

use super::ownership::{From, Reads, Set, Toward, Ways, handle_names, is_row, listed, picked};
use super::statements::quoted;
use super::{Shared, Trouble};
use crate::data_map::{ClassName, LinkRole, WhenGone};
use crate::policy::{ClassTreatment, RecordAction, Treatment};
use crate::store::sql::{Bound, BoundClass, BoundLink};

/// A set of the rows of a class.
pub(super) type Place = (Set, usize);

/// A statement that adds to one set what it finds from another.
#[derive(Clone, Debug)]
pub(super) struct Fill {
    sql: String,
    /// Where it reads a whole table of the host's: how it does without.
    reads: Option<Reads>,
    /// The set that it reads. None: the batch.
    from: Option<Place>,
    into: Place,
}

impl Fill {
    /// The table that it may have to read, and the set for whose rows.
    fn reading(&self) -> Option<(&Reads, Option<Place>)> {
        self.reads.as_ref().map(|reads| (reads, self.from))
    }
}

/// How the rows of a treatment's batch are found.
#[derive(Clone, Debug, Default)]
pub(super) struct Finding {
    /// Sets that are emptied before.
    used: BTreeSet<Place>,
    /// The customers' own rows.
    start: Vec<Fill>,
    /// Rows that go along with a customer.
    along: Vec<Fill>,
    /// What hangs from what is touched.
    touch: Vec<Fill>,
    /// What duties keep.
    duties: Duties,
    /// Who else has what may be shared.
    sharing: Sharing,
    /// Rows that go along with rows that are deleted.
    goes: Vec<Fill>,
    /// Writes beside each customer of the batch how the customer is named among the people who have a row.
    name_people: Option<String>,
    /// What is written down beside the touched rows in the end: the set that says it, and the statement.
    marks: Vec<(Place, String)>,
    /// Rows whose owner cannot be told.
    unclear: Unclear,
}

impl Finding {
    /// Whether what becomes of a customer's records may depend on who else is in the batch, beyond who has them.
    pub(super) fn goes_along(&self) -> bool {
        !self.along.is_empty() || !self.goes.is_empty()
    }
}

#[derive(Clone, Debug, Default)]
struct Duties {
    /// Rows that lead to touched ones and may be kept.
    near: Vec<Fill>,
    /// Which of all these a duty keeps.
    whole: Vec<Fill>,
    /// What such records need to keep their meaning.
    needs: Vec<Fill>,
    /// Everything that they lead to.
    needed: Vec<Fill>,
}

#[derive(Clone, Debug, Default)]
struct Sharing {
    above: Vec<Fill>,
    /// The people who stay when the batch leaves.
    stay: Vec<Fill>,
    /// Everybody who has not left: of a plan each customer leaves alone.
    anybody: Vec<Fill>,
    had: Vec<Fill>,
}

#[derive(Clone, Debug, Default)]
struct Unclear {
    used: BTreeSet<Place>,
    near: Vec<Fill>,
    /// Per class and link: the customers of the batch to whom an unclear row leads.
    found: Vec<(ClassName, String, usize, String)>,
}

/// Whether one row hangs from another, and from which side the link says it.
#[derive(Clone, Copy)]
struct Hanging<'b> {
    holder: usize,
    held: usize,
    foot: usize,
    head: usize,
    link: &'b BoundLink,
}

/// Writes the statements.
pub(super) struct Finder<'b> {
    bound: &'b Bound,
    ways: Ways<'b>,
    treatment: Option<&'b Treatment>,
    /// Classes whose touched rows need no set.
    without_set: BTreeSet<usize>,
    /// True of rows, under an alias, that a duty keeps, by class.
    kept: BTreeMap<usize, Expression<'b>>,
    /// The same by what the duty needs.
    kept_by: BTreeMap<usize, Vec<(i64, Expression<'b>)>>,
    /// True of a customer's row, under an alias, that shows that the customer has left.
    has_left: Option<Expression<'b>>,
}

/// An expression over a row of the host's, under an alias.
pub(super) type Expression<'b> = Box<dyn Fn(&str) -> String + 'b>;

impl<'b> Finder<'b> {
    /// For a treatment; `without_set` are the classes whose rows are found without, `kept` says of a class which of its rows
    /// a duty keeps, `has_left` who has left.
    pub(super) fn new(
        bound: &'b Bound,
        treatment: Option<&'b Treatment>,
        without_set: BTreeSet<usize>,
        kept: BTreeMap<usize, Expression<'b>>,
        kept_by: BTreeMap<usize, Vec<(i64, Expression<'b>)>>,
        has_left: Option<Expression<'b>>,
    ) -> Self {
        Self { bound, ways: Ways { bound }, treatment, without_set, kept, kept_by, has_left }
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

    /// Every link with the numbers of both ends.
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

    /// How many steps each class is from the highest, as far as there is an order; by pairs of a class and one below it.
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

    /// Holders before what they hold, as far as there is an order; and together what leads to rows of the same class, so
    /// that one reading of a table serves all of it.
    fn in_order(&self, mut list: Vec<Hanging<'b>>) -> Vec<Hanging<'b>> {
        let pairs: Vec<(usize, usize)> = list.iter().map(|hanging| (hanging.holder, hanging.held)).collect();
        let depth = self.depths(&pairs);
        list.sort_by_key(|hanging| (depth.get(hanging.held).copied(), hanging.held));
        list
    }

    /// The same upwards.
    fn upwards(&self, list: &[Hanging<'b>]) -> Vec<Hanging<'b>> {
        let pairs: Vec<(usize, usize)> = list.iter().map(|hanging| (hanging.holder, hanging.held)).collect();
        let depth = self.depths(&pairs);
        let mut list = list.to_vec();
        list.sort_by_key(|hanging| (std::cmp::Reverse(depth.get(hanging.holder).copied()), hanging.holder));
        list
    }

    /// What links lead to before the rows in which they stand, as far as there is an order.
    fn heads_first(
        &self,
        mut list: Vec<(usize, &'b BoundLink, usize)>,
    ) -> Vec<(usize, &'b BoundLink, usize)> {
        let pairs: Vec<(usize, usize)> = list.iter().map(|(foot, _, head)| (*head, *foot)).collect();
        let depth = self.depths(&pairs);
        list.sort_by_key(|(foot, ..)| (depth.get(*foot).copied(), *foot));
        list
    }

    /// A statement along a link, from a set into another.
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
        if into == Set::Had {
            gives.push_str(", relinquish_r.person");
            columns.push_str(", person");
        }
        if into == Set::Whole {
            gives.push_str(", relinquish_r.needs");
            columns.push_str(", needs");
        }
        if into == Set::Touched {
            // Beside what customers have there is what goes along: it is none of theirs.
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
            gives.push_str(", ");
            gives.push_str(&kept("x"));
            columns.push_str(", whole");
        }
        // Who has what may be shared is asked of the rows that were reached on the way up, and of no others.
        let among = (into == Set::Had && toward == Toward::Foot).then(|| Set::Above.of(at));
        let along = self.ways.along(link, foot_class, head_class, toward, from, &gives, among.as_deref());
        let insert =
            |select: &str| format!("INSERT OR IGNORE INTO {} ({columns}) {select}{further}", into.of(at));
        let reads = along.reads.map(|reads| Reads { of_picked: insert(&reads.of_picked), ..reads });
        Some(Fill { sql: insert(&along.sql), reads, from: source, into: (into, at) })
    }

    /// From a set of a class, or from the batch where customers' keys are enough.
    fn touched(&self, number: usize, link: &BoundLink, toward: Toward) -> (From, Option<Place>) {
        let from_batch = number == self.root() && toward == Toward::Foot && !link.by_value;
        if from_batch {
            (From::batch(self.bound), None)
        } else {
            let place = (Set::Touched, number);
            (From::set(self.bound, Set::Touched, number), Some(place))
        }
    }

    /// What the customers of the batch have, and nothing more.
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
            let kept = self.kept.get(&root).map(|kept| kept("x"));
            let (whole, column) = kept.map_or_else(Default::default, |kept| (format!(", {kept}"), ", whole"));
            start.push(Fill {
                sql: format!(
                    "INSERT OR IGNORE INTO {} ({}, n{column}) SELECT {}, relinquish_r.n{whole} FROM {} AS relinquish_r CROSS JOIN main.{} AS x ON {}{}",
                    Set::Touched.of(root),
                    handle_names(class),
                    listed("x", &class.handle),
                    super::statements::BATCH,
                    quoted(&class.table),
                    same.join(" AND "),
                    super::ownership::of_class("x", &class.rows),
                ),
                reads: None,
                from: None,
                into: (Set::Touched, root),
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

    /// Everything that the treatment has to know.
    pub(super) fn finding(&self) -> Finding {
        let (start, touch) = self.touch();
        let mut finding = Finding { start, touch, ..Finding::default() };
        self.put_along(&mut finding);
        finding.sharing = self.sharing(!finding.goes.is_empty() || self.goes_with_customers());
        finding.duties = self.duties();
        self.put_marks(&mut finding);
        finding.unclear = self.unclear();
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

    /// What customers have, and what of it somebody else has too, whatever a treatment does.
    pub(super) fn held(&self) -> Finding {
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

    /// Rows that go along with a customer or with a row that is deleted.
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
                let from = From::set(self.bound, Set::Touched, head).which(&self.is_deleted(head));
                let place = Some((Set::Touched, head));
                finding.goes.extend(self.fill(ends, Toward::Foot, &from, place, Set::Along, ""));
                finding.goes.extend(self.fill(ends, Toward::Foot, &from, place, Set::Touched, ""));
            }
        }
    }

    /// True of touched rows, under `r`, that are deleted, before that is written down beside them.
    fn is_deleted(&self, number: usize) -> String {
        let Some(class) = self.class(number) else { return "0".to_owned() };
        let is_in = |set: Set| in_set(class, set, number, "relinquish_r");
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

    /// Whether a record that a duty keeps may lead to rows of the class, so that these cannot go before it.
    fn may_be_needed(&self, number: usize) -> bool {
        self.treated(number).is_some_and(|treated| treated.tombstone().is_some())
    }

    /// Whether rows of the class are kept as they are because a kept record needs them.
    fn is_kept_with_others(&self, number: usize) -> bool {
        self.needs().iter().any(|(_, (.., head))| *head == number)
    }

    /// The links over which kept records keep others, each with the number of what the duty needs.
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
    fn duties(&self) -> Duties {
        let mut duties = Duties::default();
        if self.kept.is_empty() {
            return duties;
        }
        let links = self.links();
        // Classes of which a record may be kept or needed, and so may need others.
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
        // Classes for which it matters: what would go, what is kept for others' sake, and what leads there.
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
            // What hangs from touched rows is touched itself.
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
        let can_be_near: BTreeSet<usize> = reached_by(&duties.near);
        duties
            .near
            .retain(|fill| fill.from.is_none_or(|(set, at)| set != Set::Near || can_be_near.contains(&at)));
        for number in wanted.iter().copied() {
            let (Some(class), Some(kept)) = (self.class(number), self.kept.get(&number)) else { continue };
            let columns = handle_names(class);
            let into = (Set::Whole, number);
            let insert = format!("INSERT OR IGNORE INTO {} ({columns}, needs)", Set::Whole.of(number));
            // Whatever a duty needs: a number that none has.
            let mut each = vec![(-1, kept("x"))];
            each.extend(
                self.kept_by.get(&number).into_iter().flatten().map(|(needs, kept)| (*needs, kept("x"))),
            );
            for (needs, kept) in each {
                for set in [Set::Touched, Set::Near] {
                    if set == Set::Near && !can_be_near.contains(&number) {
                        continue;
                    }
                    let touched = if set == Set::Touched { " AND relinquish_r.whole" } else { "" };
                    duties.whole.push(Fill {
                        sql: format!(
                            "{insert} SELECT DISTINCT {}, {needs} FROM {} AS relinquish_r CROSS JOIN main.{} AS x ON {} \
                             WHERE {kept}{touched}",
                            listed("x", &class.handle),
                            set.of(number),
                            quoted(&class.table),
                            is_row(class, "x", "relinquish_r"),
                        ),
                        reads: None,
                        from: Some((set, number)),
                        into,
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

    /// Who else has what may be shared: from there up to everybody who has it, and down again from those who stay.
    fn sharing(&self, goes: bool) -> Sharing {
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
                sql: format!(
                    "INSERT OR IGNORE INTO {} ({columns}) SELECT DISTINCT {columns} FROM {}",
                    Set::Above.of(number),
                    Set::Touched.of(number)
                ),
                reads: None,
                from: Some((Set::Touched, number)),
                into: (Set::Above, number),
            });
        }
        let mut hanging = self.in_order(self.hanging());
        // Only what leads up from a shared class.
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
                Set::Touched.of(root),
                same_handle(class, "t", "relinquish_r")
            );
            let somebody = self.ways.is_somebody(class, "x");
            let has_left = self
                .has_left
                .as_ref()
                .map_or_else(String::new, |left| format!(" AND NOT coalesce({}, 0)", left("x")));
            let people = |further: &str| Fill {
                sql: format!(
                    "INSERT OR IGNORE INTO {} ({columns}, person) SELECT {}, {} FROM {} AS relinquish_r \
                     CROSS JOIN main.{} AS x ON {} WHERE 1{further}{somebody}{has_left}",
                    Set::Had.of(root),
                    listed("relinquish_r", &names_of(class)),
                    person(class, "relinquish_r"),
                    Set::Above.of(root),
                    quoted(&class.table),
                    is_row(class, "x", "relinquish_r"),
                ),
                reads: None,
                from: Some((Set::Above, root)),
                into: (Set::Had, root),
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
                Toward::Head => format!(" AND {}", row_in_set(held, Set::Above, hanging.held, "x")),
            };
            if goes {
                // A row that goes along and is deleted lets go of what hangs from it, and hangs from nothing itself.
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

    /// Whether fields of other rows belong to whoever has rows of the class.
    fn has_fields_elsewhere(&self, number: usize) -> bool {
        let is_of = |(foot, link, head): &(usize, &BoundLink, usize)| {
            *head == number
                && self.class(*foot).is_some_and(|class| class.of.values().any(|name| *name == link.name))
        };
        self.links().iter().any(is_of)
    }

    /// True of rows that go along and are deleted.
    fn goes_away(&self, class: &BoundClass, number: usize, alias: &str, is_host_row: bool) -> String {
        let is_in = |set: Set| {
            if is_host_row {
                row_in_set(class, set, number, alias)
            } else {
                in_set(class, set, number, alias)
            }
        };
        let mut sql = is_in(Set::Along);
        if self.may_be_needed(number) {
            let _ = write!(sql, " AND NOT {}", is_in(Set::Needed));
        }
        if self.kept.contains_key(&number) || self.is_kept_with_others(number) {
            let _ = write!(sql, " AND NOT {}", is_in(Set::Whole));
        }
        format!("({sql})")
    }

    fn put_marks(&self, finding: &mut Finding) {
        if let Some(root) = self.class(self.root()).filter(|_| !finding.sharing.had.is_empty()) {
            finding.name_people = Some(format!(
                "UPDATE {0} SET person = (SELECT {1} FROM {2} AS t WHERE t.n = {3}.n)",
                super::statements::BATCH,
                person(root, "t"),
                Set::Touched.of(self.root()),
                super::statements::BATCH.trim_start_matches("temp."),
            ));
        }
        for (number, class) in self.bound.classes.iter().enumerate() {
            let touched = Set::Touched.of(number);
            let is_in = |set: Set| in_set(class, set, number, &touched);
            let has = |fills: &[Fill], set: Set| fills.iter().any(|fill| fill.into == (set, number));
            if has(&finding.sharing.had, Set::Had) {
                let alias = touched.strip_prefix("temp.").unwrap_or(&touched);
                let mut sql = format!(
                    "UPDATE {touched} SET had = 1 WHERE EXISTS (SELECT 1 FROM {} AS s WHERE {} AND s.person IS NOT \
                     (SELECT b.person FROM {} AS b WHERE b.n = {alias}.n))",
                    Set::Had.of(number),
                    same_handle(class, "s", alias),
                    super::statements::BATCH,
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

    /// Rows whose owner cannot be told, as far as links lead from them to the batch.
    fn unclear(&self) -> Unclear {
        let links = self.links();
        let hanging = self.hanging();
        let is_unclear = |link: &BoundLink| link.may_be_ambiguous || link.gone == WhenGone::Same;
        let mut from: BTreeSet<usize> =
            links.iter().filter(|(_, link, _)| is_unclear(link)).map(|(foot, ..)| *foot).collect();
        if from.is_empty() {
            return Unclear::default();
        }
        let seeds = from.clone();
        // A chain leads from a row to what its links lead to, and to what it hangs from.
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
                sql: format!(
                    "INSERT OR IGNORE INTO {} ({columns}, n) SELECT {columns}, n FROM {}",
                    Set::Unclear.of(root),
                    Set::Touched.of(root)
                ),
                reads: None,
                from: Some((Set::Touched, root)),
                into: (Set::Unclear, root),
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

    /// The customers of the batch to whom rows lead whose value several customers have.
    fn ambiguous(&self, foot: usize, class: &BoundClass, link: &BoundLink, root: usize) -> Option<String> {
        let from = From::set(self.bound, Set::Unclear, foot);
        let gives = format!("{}, relinquish_r.n", listed("relinquish_r", &names_of(class)));
        let select = self.ways.along(link, class, self.class(root)?, Toward::Head, &from, &gives, None).sql;
        Some(format!(
            "SELECT n, count(*) FROM (SELECT n FROM ({select}) GROUP BY {}, n HAVING count(*) > 1) GROUP BY n",
            handle_names(class)
        ))
    }

    /// The customers of the batch to whom rows lead whose two ends belong to different people.
    fn not_the_same(&self, foot: usize, class: &BoundClass, link: &BoundLink, head: usize) -> Option<String> {
        let head_class = self.class(head)?;
        let from = From::set(self.bound, Set::Unclear, foot);
        let gives = format!(
            "relinquish_r.n, {} AS one, {} AS other",
            self.person_of(class, "y")?,
            self.person_of(head_class, "x")?
        );
        let select = self.ways.along(link, class, head_class, Toward::Head, &from, &gives, None).sql;
        Some(format!("SELECT n, count(*) FROM ({select}) WHERE one <> other GROUP BY n"))
    }

    /// The key of the one customer who has a row and has not left.
    fn person_of(&self, class: &BoundClass, alias: &str) -> Option<String> {
        let root = self.class(self.root())?;
        let key_of = |alias: &str| {
            let key: Vec<String> =
                root.key.iter().map(|key| format!("quote({alias}.{})", quoted(key))).collect();
            let key = key.join(" || ',' || ");
            match &self.has_left {
                Some(left) => format!("CASE WHEN coalesce({}, 0) THEN NULL ELSE {key} END", left(alias)),
                None => key,
            }
        };
        if class.is_root {
            return Some(key_of(alias));
        }
        self.ways.of_person(class, alias, &key_of("person"))
    }
}

/// A customer in one text, by the row of a set.
fn person(class: &BoundClass, alias: &str) -> String {
    let parts: Vec<String> = names_of(class).iter().map(|part| format!("quote({alias}.{part})")).collect();
    parts.join(" || ',' || ")
}

fn names_of(class: &BoundClass) -> Vec<String> {
    (0..class.handle.len()).map(|part| format!("h{part}")).collect()
}

fn same_handle(class: &BoundClass, one: &str, other: &str) -> String {
    let same: Vec<String> =
        (0..class.handle.len()).map(|part| format!("{one}.h{part} = {other}.h{part}")).collect();
    same.join(" AND ")
}

/// True of a row of one set, under an alias, that is in another.
fn in_set(class: &BoundClass, set: Set, number: usize, alias: &str) -> String {
    let alias = alias.strip_prefix("temp.").unwrap_or(alias);
    format!("EXISTS (SELECT 1 FROM {} AS s WHERE {})", set.of(number), same_handle(class, "s", alias))
}

/// True of a row of the host's, under an alias, that is in a set.
fn row_in_set(class: &BoundClass, set: Set, number: usize, alias: &str) -> String {
    format!("EXISTS (SELECT 1 FROM {} AS s WHERE {})", set.of(number), is_row(class, alias, "s"))
}

/// What has been found so far, and which tables were read for it.
#[derive(Debug, Default)]
pub(super) struct Readings<'f> {
    grown: Grown,
    /// Everything for which a table may have to be read, with the set that it starts from.
    wanted: Vec<(&'f Reads, Option<Place>)>,
    /// What was picked: the condition on the rows, and how often the set had grown by then.
    picked: HashSet<(String, u64)>,
    /// The same of statements that have read the table themselves.
    read: HashSet<(String, u64)>,
    /// Tables of which rows were picked.
    filled: BTreeSet<usize>,
}

impl<'f> Readings<'f> {
    fn of(finding: &'f Finding, ends: impl Iterator<Item = (&'f Reads, Option<Place>)>) -> Self {
        let Finding { start, along, touch, duties, sharing, goes, .. } = finding;
        let duties = [&duties.near, &duties.whole, &duties.needs, &duties.needed];
        let sharing = [&sharing.above, &sharing.stay, &sharing.had];
        let fills = [start, along, touch, goes].into_iter().chain(duties).chain(sharing).flatten();
        let wanted = fills.filter_map(Fill::reading).chain(ends).collect();
        Self { wanted, ..Self::default() }
    }
}

/// How often each set has grown.
#[derive(Clone, Debug, Default)]
struct Grown {
    of: BTreeMap<Place, u64>,
    seen: HashSet<(usize, usize, u64)>,
}

impl Grown {
    fn version(&self, place: Option<Place>) -> u64 {
        place.map_or(1, |place| self.of.get(&place).copied().unwrap_or(0))
    }
}

impl Shared {
    /// Finds everything that the treatment has to know of the batch, when all of it leaves; `ends` are the statements that
    /// will follow links to the rows that go.
    pub(super) fn find<'f>(
        &self,
        connection: &Connection,
        finding: &'f Finding,
        ends: impl Iterator<Item = (&'f Reads, Option<Place>)>,
    ) -> Result<Readings<'f>, Trouble> {
        let mut readings = Readings::of(finding, ends);
        empty(connection, &finding.used)?;
        self.find_from(connection, finding, &mut readings, &finding.sharing.stay)?;
        Ok(readings)
    }

    /// The same where each customer of the batch leaves alone.
    pub(super) fn find_each(&self, connection: &Connection, finding: &Finding) -> Result<(), Trouble> {
        empty(connection, &finding.used)?;
        let mut readings = Readings::of(finding, std::iter::empty());
        self.find_from(connection, finding, &mut readings, &finding.sharing.anybody)
    }

    /// The same over what was found before: what triggers have written since is added.
    pub(super) fn find_more(&self, connection: &Connection, finding: &Finding) -> Result<(), Trouble> {
        let mut readings = Readings::of(finding, std::iter::empty());
        readings.grown.of = finding.used.iter().map(|place| (*place, 1)).collect();
        self.find_from(connection, finding, &mut readings, &finding.sharing.stay)
    }

    /// What hangs together with rows that are touched already: nobody's, when these expire.
    pub(super) fn find_around<'f>(
        &self,
        connection: &Connection,
        finding: &'f Finding,
        touched: usize,
        ends: impl Iterator<Item = (&'f Reads, Option<Place>)>,
    ) -> Result<Readings<'f>, Trouble> {
        let mut readings = Readings::of(finding, ends);
        readings.grown.of.insert((Set::Touched, touched), 1);
        self.spread(connection, 4, &finding.touch, &mut readings)?;
        let duties = &finding.duties;
        for (phase, fills) in
            [&duties.near, &duties.whole, &duties.needs, &duties.needed].into_iter().enumerate()
        {
            self.spread(connection, phase, fills, &mut readings)?;
        }
        self.mark(connection, finding)?;
        Ok(readings)
    }

    /// Empties the sets and the batch.
    pub(super) fn forget(connection: &Connection, finding: &Finding) -> Result<(), Trouble> {
        connection.prepare_cached(&format!("DELETE FROM {}", super::statements::BATCH))?.execute([])?;
        empty(connection, &finding.used)
    }

    fn mark(&self, connection: &Connection, finding: &Finding) -> Result<(), Trouble> {
        for ((_, number), sql) in &finding.marks {
            self.run(connection, sql, *number)?;
        }
        Ok(())
    }

    fn find_from(
        &self,
        connection: &Connection,
        finding: &Finding,
        readings: &mut Readings<'_>,
        stay: &[Fill],
    ) -> Result<(), Trouble> {
        self.spread(connection, 0, &finding.start, readings)?;
        if let Some(name_people) = &finding.name_people {
            connection.prepare_cached(name_people)?.execute([])?;
        }
        self.spread(connection, 1, &finding.touch, readings)?;
        self.spread(connection, 10, &finding.along, readings)?;
        loop {
            self.spread(connection, 1, &finding.touch, readings)?;
            let (duties, sharing) = (&finding.duties, &finding.sharing);
            self.spread(connection, 2, &sharing.above, readings)?;
            self.spread(connection, 3, &duties.near, readings)?;
            self.spread(connection, 4, &duties.whole, readings)?;
            self.spread(connection, 5, &duties.needs, readings)?;
            self.spread(connection, 6, &duties.needed, readings)?;
            let had: BTreeSet<Place> =
                sharing.stay.iter().chain(&sharing.had).map(|fill| fill.into).collect();
            empty(connection, &had)?;
            let before = readings.grown.clone();
            readings.grown.seen.clear();
            self.spread(connection, 7, stay, readings)?;
            self.spread(connection, 8, &sharing.had, readings)?;
            // Which rows go may have changed, whatever has grown.
            readings.grown = Grown { of: before.of.clone(), seen: HashSet::new() };
            self.spread(connection, 9, &finding.goes, readings)?;
            let is_settled = readings.grown.of == before.of;
            readings.grown.seen = before.seen;
            if is_settled {
                break;
            }
        }
        self.mark(connection, finding)
    }

    /// Only what the customers of the batch have, and what of it somebody else has too.
    pub(super) fn unclear(
        &self,
        connection: &Connection,
        finding: &Finding,
    ) -> Result<Vec<(usize, ClassName, String, u64)>, Trouble> {
        let unclear = &finding.unclear;
        if unclear.found.is_empty() {
            return Ok(Vec::new());
        }
        empty(connection, &unclear.used)?;
        let wanted = unclear.near.iter().filter_map(Fill::reading).collect();
        let mut readings = Readings { wanted, ..Readings::default() };
        let root: BTreeSet<Place> = finding.start.first().map(|fill| fill.into).into_iter().collect();
        empty(connection, &root)?;
        let start: Vec<Fill> = finding.start.first().cloned().into_iter().collect();
        self.spread(connection, 0, &start, &mut readings)?;
        self.spread(connection, 1, &unclear.near, &mut readings)?;
        let mut list = Vec::new();
        for (class, link, _, sql) in &unclear.found {
            let at = Trouble::at(class);
            let mut statement = connection.prepare_cached(sql).map_err(&at)?;
            let mut rows = statement.query([]).map_err(&at)?;
            while let Some(row) = rows.next().map_err(&at)? {
                let n = super::natural(row, 0).map_err(&at)?;
                list.push((n, class.clone(), link.clone(), super::natural(row, 1).map_err(&at)?));
            }
        }
        Ok(list)
    }

    /// Runs statements until nothing is added any more. One whose source has not grown since is passed over.
    fn spread(
        &self,
        connection: &Connection,
        phase: usize,
        fills: &[Fill],
        readings: &mut Readings<'_>,
    ) -> Result<(), Trouble> {
        loop {
            let mut is_new = false;
            for (n, fill) in fills.iter().enumerate() {
                let version = readings.grown.version(fill.from);
                // Nothing comes of nothing.
                if version == 0 || !readings.grown.seen.insert((phase, n, version)) {
                    continue;
                }
                let is_picked = self.pick(connection, fill.reads.as_ref(), fill.from, readings)?;
                let sql =
                    fill.reads.as_ref().filter(|_| is_picked).map_or(&fill.sql, |reads| &reads.of_picked);
                if self.run(connection, sql, fill.into.1)? > 0 {
                    let grown = &mut readings.grown.of;
                    *grown.entry(fill.into).or_insert(0) += 1;
                    // A row that was touched before may go now, and what leads to it with it.
                    if let (Set::Along, number) = fill.into {
                        *grown.entry((Set::Touched, number)).or_insert(0) += 1;
                    }
                    is_new = true;
                }
            }
            if !is_new {
                return Ok(());
            }
        }
    }

    /// Picks the rows of a table that a statement needs, and those that other statements will need, in one reading. False
    /// where the statement is to read the table itself: it has an index, or nobody else needs a reading.
    pub(super) fn pick(
        &self,
        connection: &Connection,
        reads: Option<&Reads>,
        from: Option<Place>,
        readings: &mut Readings<'_>,
    ) -> Result<bool, Trouble> {
        let Some(reads) = reads else { return Ok(false) };
        let key = |reads: &Reads, from: Option<Place>| (reads.may_be.clone(), readings.grown.version(from));
        let own = key(reads, from);
        if readings.picked.contains(&own) {
            return Ok(true);
        }
        let of_table = readings.wanted.iter().filter(|(other, _)| other.table == reads.table);
        let is_new = |key: &(String, u64)| {
            *key == own || (key.1 > 0 && !readings.picked.contains(key) && !readings.read.contains(key))
        };
        let pending: Vec<(String, u64)> =
            of_table.map(|(other, from)| key(other, *from)).filter(is_new).collect();
        let Some(class) = self.bound.classes.get(reads.table).filter(|_| pending.len() > 1) else {
            readings.read.insert(own);
            return Ok(false);
        };
        let into = picked(reads.table);
        if readings.filled.insert(reads.table) {
            connection.prepare_cached(&format!("DELETE FROM {into}"))?.execute([])?;
        }
        let conditions: BTreeSet<&str> = pending.iter().map(|(may_be, _)| may_be.as_str()).collect();
        let sql = format!(
            "INSERT OR IGNORE INTO {into} SELECT {} FROM main.{} AS x WHERE {}",
            listed("x", &class.handle),
            quoted(&class.table),
            conditions.into_iter().collect::<Vec<_>>().join(" OR "),
        );
        self.run(connection, &sql, reads.table)?;
        readings.picked.extend(pending);
        Ok(true)
    }

    fn run(&self, connection: &Connection, sql: &str, class: usize) -> Result<usize, Trouble> {
        let done = connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        done.map_err(|error| match self.bound.classes.get(class) {
            Some(class) => Trouble::at(&class.name)(error),
            None => Trouble::from(error),
        })
    }
}

fn empty(connection: &Connection, places: &BTreeSet<Place>) -> Result<(), Trouble> {
    for (set, number) in places {
        connection.prepare_cached(&format!("DELETE FROM {}", set.of(*number)))?.execute([])?;
    }
    Ok(())
}

/// The classes into whose sets statements write.
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
