//! How statements find the selected rows of a class: in its set, or by the owner link if no set is needed.

use std::collections::BTreeSet;

use super::{From, Set, is_row, leads, of_class};
use crate::data_map::{ClassName, LinkRole, WhenGone};
use crate::store::sql::bind::{Bound, BoundClass};
use crate::store::sql::links::Compare;
use crate::store::sql::spelling::{columns, quoted};
use crate::store::sql::way::BoundLink;
use crate::treatment::{RecordAction, Treatment, UnderDuty};

/// The classes whose selected rows need no [set](Set::Touched), because their owner link finds them at any time.
///
/// That is so under these conditions:
///
/// * A row hangs only by the owner link. The link leads to rows of one class by their key, and has an index.
/// * Nobody else owns the row. It is not erased together with other records, no link leads to it, and nothing hangs
///   from it. So only its own statements read its set.
/// * No field of the row belongs to the person at the far end of a link. Rows that only reference a customer are
///   counted outside the set.
/// * Before the row is treated, only its own treatment writes to the row or to the link.
pub(crate) fn need_no_set(bound: &Bound) -> BTreeSet<usize> {
    let each = bound.classes.iter().enumerate();
    each.filter(|(_, class)| owner_finds(bound, class).is_some()).map(|(number, _)| number).collect()
}

/// The classes among these for which a treatment stores nothing with the rows either. Whether a duty keeps a row is
/// decided by the row's own date, and no other row depends on it.
pub(crate) fn need_no_set_for(bound: &Bound, treatment: &Treatment) -> BTreeSet<usize> {
    let names_others = |number: &usize| {
        let class = bound.classes.get(*number);
        class.is_some_and(|class| bound.links_to_others(class).next().is_some())
    };
    let depends_on_duties = !treatment.kept_together().is_empty()
        || treatment.classes().values().any(|class| class.tombstone().is_some());
    let says_itself = |under: &UnderDuty| !depends_on_duties && under.through.is_empty();
    let is_plain = |number: &usize| {
        let treated = bound.classes.get(*number).map(|class| treatment.class(class.name.as_str()));
        treated.flatten().is_none_or(|treated| {
            treated.under_duty().iter().all(says_itself)
                && treated.tombstone().is_none()
                && treated.smallest_group().is_none()
                && *treated.action() != RecordAction::Reassign
        })
    };
    need_no_set(bound).into_iter().filter(|number| is_plain(number) && !names_others(number)).collect()
}

/// Whether a row of the class has at most one owner: it hangs by its owner link alone, and so does every record above
/// it.
pub(crate) fn is_one_persons<'b>(
    bound: &'b Bound,
    class: &'b BoundClass,
    seen: &mut BTreeSet<&'b ClassName>,
) -> bool {
    if class.is_root || !seen.insert(&class.name) {
        return true;
    }
    let is_one_way = |link: &BoundLink| match link.role {
        LinkRole::Owner => link.compare == Compare::Exact && link.hops.is_empty() && !link.may_be_ambiguous,
        LinkRole::Shared => false,
        LinkRole::End => true,
    };
    let owners = class.links.iter().filter(|link| link.role == LinkRole::Owner);
    let mut heads = owners.flat_map(|link| &link.heads).filter_map(|head| bound.class(head));
    !class.is_shared
        && class.links.iter().all(|link| is_one_way(link) && !link.takes_along())
        && heads.all(|head| is_one_persons(bound, head, seen))
}

/// The owner link that finds the rows of a class, and the number of the class to which it leads.
fn owner_finds<'b>(bound: &'b Bound, class: &'b BoundClass) -> Option<(&'b BoundLink, usize)> {
    let is_led_to =
        bound.classes.iter().flat_map(|foot| &foot.links).any(|link| link.heads.contains(&class.name));
    let has_fields_of_others = !class.values.is_empty() || !class.of.is_empty();
    if class.is_root || class.is_shared || class.is_written_by_triggers || is_led_to || has_fields_of_others {
        return None;
    }
    let leads_on = |link: &BoundLink| link.role == LinkRole::Shared || link.holds || link.takes_along();
    if class.links.iter().any(leads_on) {
        return None;
    }
    let mut owners = class.links.iter().filter(|link| link.role == LinkRole::Owner);
    let (Some(link), None) = (owners.next(), owners.next()) else { return None };
    let [head] = link.heads.as_slice() else { return None };
    let number = bound.classes.iter().position(|class| class.name == *head)?;
    let head = bound.classes.get(number)?;
    let known = if head.is_root { &head.key } else { &head.handle };
    let is_known = |to: &String| known.iter().any(|own| own.eq_ignore_ascii_case(to));
    let is_straight = link.compare == Compare::Exact
        && !link.by_value
        && link.hops.is_empty()
        && link.unless.is_empty()
        && link.to_columns.iter().all(is_known)
        && link.columns.first().is_some_and(|column| class.is_indexed(column))
        // If the link were cleared together with its head, it would no longer lead to the row when the row is
        // deleted.
        && matches!(link.gone, WhenGone::Forbids | WhenGone::Keep { .. });
    is_straight.then_some((link, number))
}

/// The selected rows of a class.
#[derive(Clone, Debug)]
pub(crate) struct Touched<'b> {
    bound: &'b Bound,
    class: &'b BoundClass,
    number: usize,
    /// If the rows are found without a set: the owner link, and the source from which it is followed.
    owner: Option<(&'b BoundLink, From)>,
    /// The condition that a duty keeps a row, if this is not a column of the set.
    kept: Option<String>,
}

impl<'b> Touched<'b> {
    /// Rows that are in their set.
    pub(crate) fn in_set(bound: &'b Bound, class: &'b BoundClass, number: usize) -> Self {
        Self { bound, class, number, owner: None, kept: None }
    }

    /// Rows that the owner link finds, if it can.
    pub(crate) fn by_link(bound: &'b Bound, class: &'b BoundClass, number: usize) -> Self {
        let owner = owner_finds(bound, class).map(|(link, head)| {
            let is_root = bound.classes.get(head).is_some_and(|head| head.is_root);
            (link, if is_root { From::batch(bound) } else { From::set(bound, Set::Touched, head) })
        });
        Self { bound, class, number, owner, kept: None }
    }

    /// Whether the rows are found without a set.
    pub(crate) fn is_without_set(&self) -> bool {
        self.owner.is_some()
    }

    /// Adds the condition for rows that a duty keeps, if the rows are found without a set.
    pub(crate) fn kept_by(self, kept: impl FnOnce(&str) -> String) -> Self {
        let kept = self.owner.is_some().then(|| kept(&quoted(&self.class.table)));
        Self { kept, ..self }
    }

    /// The condition that a duty keeps a row. `None` if no duty keeps any.
    pub(crate) fn is_whole(&self) -> Option<String> {
        match &self.owner {
            None => Some("relinquish_r.whole = 1".to_owned()),
            Some(_) => self.kept.clone(),
        }
    }

    /// The condition that a row is treated.
    pub(crate) fn is_due(&self) -> String {
        match &self.owner {
            None => is_due(self.class).to_owned(),
            Some(_) => self.kept.as_ref().map_or_else(|| "TRUE".to_owned(), |kept| format!("NOT {kept}")),
        }
    }

    /// The number of rows per customer that meet a condition on what is known of them.
    pub(crate) fn each_has(&self, which: &str) -> String {
        let Some((link, from)) = self.owner.as_ref().filter(|(_, from)| from.is_each_once()) else {
            return format!(
                "SELECT relinquish_r.n, count(*) {} WHERE {which} GROUP BY relinquish_r.n",
                self.known()
            );
        };
        let table = quoted(&self.class.table);
        format!(
            "SELECT relinquish_r.n, (SELECT count(*) FROM {} AS {table} WHERE {}{} AND {which}) FROM {}",
            self.host(),
            from.is_led_to(link, &table),
            self.conditions(link, &table),
            from.as_source(),
        )
    }

    /// What is known of each row, as `relinquish_r`.
    pub(crate) fn known(&self) -> String {
        match &self.owner {
            None => format!("FROM {} AS relinquish_r", Set::Touched.of(self.bound, self.number)),
            Some(_) => self.rows(),
        }
    }

    /// The same, with the rows themselves under their table's name.
    pub(crate) fn rows(&self) -> String {
        let table = quoted(&self.class.table);
        let (first, on) = match &self.owner {
            None => (self.known(), is_row(self.class, &table, "relinquish_r")),
            Some((link, from)) => (
                format!("FROM {}", from.as_source()),
                format!("{}{}", from.is_led_to(link, &table), self.conditions(link, &table)),
            ),
        };
        format!("{first}{}", self.bound.dialect.then(&self.host(), &table, &on))
    }

    /// The table of the rows.
    fn host(&self) -> String {
        self.bound.table(&self.class.table)
    }

    fn conditions(&self, link: &BoundLink, alias: &str) -> String {
        format!("{}{}", leads(self.bound, alias, link, true), of_class(self.bound, alias, &self.class.rows))
    }

    /// The condition that a row, under its table's name, is selected and meets a further condition. The further
    /// condition is on `relinquish_r`, or on the row itself if it is found without a set.
    pub(crate) fn are(&self, which: &str) -> String {
        let table = quoted(&self.class.table);
        match &self.owner {
            None => {
                let names: Vec<String> =
                    (0..self.class.handle.len()).map(|part| format!("relinquish_r.h{part}")).collect();
                format!(
                    "{} IN (SELECT {} {} WHERE {which})",
                    columns(&table, &self.class.handle),
                    names.join(", "),
                    self.known()
                )
            }
            Some((link, from)) => format!(
                "{} IN (SELECT {} FROM {}){} AND {which}",
                columns(&table, &link.columns),
                from.listed(&link.to_columns),
                from.as_source(),
                self.conditions(link, &table),
            ),
        }
    }

    /// The number of rows that meet a condition, each counted once.
    pub(crate) fn distinct(&self, which: &str) -> String {
        if self.owner.is_some() {
            let table = quoted(&self.class.table);
            return format!("SELECT count(*) FROM {} AS {table} WHERE {}", self.host(), self.are(which));
        }
        let names: Vec<String> =
            (0..self.class.handle.len()).map(|part| format!("relinquish_r.h{part}")).collect();
        format!(
            "SELECT count(*) FROM (SELECT DISTINCT {} {} WHERE {which}) AS found",
            names.join(", "),
            self.known()
        )
    }

    /// The rows that customers of the batch have, by number. On request, includes rows with other owners and rows
    /// that are erased together with others.
    pub(crate) fn held(&self, gives: &str, with_shared: bool) -> String {
        let which = match (with_shared, self.class.is_shared) {
            // A row that is found without a set is never erased together with others.
            (true, _) => "",
            (false, _) if self.owner.is_some() => "",
            (false, true) => " WHERE relinquish_r.beside = 0 AND relinquish_r.had = 0",
            (false, false) => " WHERE relinquish_r.beside = 0",
        };
        format!("SELECT relinquish_r.n, {gives} {}{which}", self.rows())
    }
}

/// The condition that a selected row, in its set, is treated.
pub(crate) fn is_due(class: &BoundClass) -> &'static str {
    if class.is_shared { "relinquish_r.had = 0 AND relinquish_r.whole = 0" } else { "relinquish_r.whole = 0" }
}
