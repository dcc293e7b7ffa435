//! Rows of others that a treatment would change for a customer of the batch, and whose they are.
//!
//! A mandate covers the tenants of its customer, and a hold keeps the records of whoever it stands on. Three things
//! may be in a record of somebody else: a record that is erased together with another, a link that is cleared, and a
//! field that belongs to the customer. The owner of that record may be another tenant's customer, or held. A text that
//! several people share is searched for the customer; that is covered by the customer's mandate, and a hold on another
//! of them keeps the text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Abroad, Fill, Finder, Place};
use crate::anonymise::Strategy;
use crate::data_map::{Datatype, WhenGone};
use crate::store::sql::bind::BoundClass;
use crate::store::sql::map::{Source, TenantSource};
use crate::store::sql::spelling::{listed, quoted, source_sql};
use crate::store::sql::way::BoundLink;
use crate::store::sql::whose::{From, Set, Toward, handle_names, is_row};
use crate::treatment::{RecordAction, Treatment};

impl Finder<'_> {
    /// Rows of others that the treatment would change, with their owners.
    pub(super) fn abroad(&self) -> Abroad {
        let mut abroad = Abroad::default();
        let root = self.root();
        let Some(root_class) = self.class(root) else { return abroad };
        for (foot, link, head) in self.links() {
            let Some(class) = self.class(foot).filter(|_| self.treated(foot).is_some()) else { continue };
            let reached: Vec<(From, Option<Place>, String)> = [
                self.along_with(foot, link, head),
                self.let_go_in((foot, class), link, head),
                self.fields_in((foot, class), link, head),
            ]
            .into_iter()
            .flatten()
            .collect();
            if reached.is_empty() {
                continue;
            }
            let number = abroad.reached.len();
            for (from, place, further) in reached {
                abroad.fills.extend(self.seed(number, (foot, link, head), &from, place, &further));
            }
            abroad.reached.push((class.name.clone(), Some(link.name.clone())));
            // Without a source of tenants all customers have the same one.
            if let TenantSource::From(tenant) = &self.bound.customers.tenant {
                let sql = self.of_other_tenants(number, root_class, tenant);
                abroad.found.push((class.name.clone(), link.name.clone(), sql));
            }
        }
        for (number, class) in self.bound.classes.iter().enumerate() {
            let is_text = |strategy: &Strategy| matches!(strategy, Strategy::Redact { .. });
            let treated = self.treated(number);
            let is_searched =
                treated.is_some_and(|treated| treated.strategies().any(|(_, strategy)| is_text(strategy)));
            if class.is_shared && is_searched && self.acts(number) {
                abroad.fills.push(self.shared_texts(abroad.reached.len(), number, class));
                abroad.reached.push((class.name.clone(), None));
            }
        }
        if abroad.reached.is_empty() {
            return abroad;
        }
        let hanging = self.hanging();
        let mut up: BTreeSet<usize> = abroad.fills.iter().map(|fill| fill.into.1).collect();
        loop {
            let holders: Vec<usize> = hanging
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
        let within: Vec<_> = hanging
            .into_iter()
            .filter(|hanging| up.contains(&hanging.held) && hanging.held != root)
            .collect();
        for hanging in self.upwards(&within) {
            let toward = if hanging.held == hanging.foot { Toward::Head } else { Toward::Foot };
            let from = From::set(self.bound, Set::Abroad, hanging.held).hanging();
            let ends = (hanging.foot, hanging.link, hanging.head);
            let place = Some((Set::Abroad, hanging.held));
            let fill = self.fill(ends, toward, &from, place, Set::Abroad, "");
            // The rows picked for the treatment must stay, so nothing is picked again here.
            abroad.fills.extend(fill.map(|fill| Fill { reads: None, ..fill }));
        }
        abroad.used = abroad.fills.iter().map(|fill| fill.into).collect();
        abroad
    }

    /// Per customer of the batch: the number of rows, reached over the link with this number, that belong to another
    /// tenant's customer. The facts say which tenants are the customer's own.
    fn of_other_tenants(&self, number: usize, root: &BoundClass, tenant: &Source) -> String {
        let dialect = self.bound.dialect;
        let table = quoted(&root.table);
        let own = [("n".to_owned(), Datatype::Integer), ("tenant".to_owned(), Datatype::Text)];
        format!(
            "SELECT relinquish_r.n, count(DISTINCT relinquish_r.seed) FROM {} AS relinquish_r{} \
             WHERE relinquish_r.seed LIKE '{number}:%' AND (relinquish_r.n, coalesce(CAST({} AS TEXT), '')) NOT IN \
             (SELECT own.n, own.tenant FROM {} AS own){} GROUP BY relinquish_r.n",
            Set::Abroad.of(self.bound, self.root()),
            dialect.then(&self.bound.table(&root.table), &table, &is_row(root, &table, "relinquish_r")),
            source_sql(&root.table, tenant),
            dialect.rows(1, &own),
            self.ways.is_somebody(root, &table),
        )
    }

    /// Rows that stay because somebody else has them as well, and whose texts are searched for the customer.
    fn shared_texts(&self, number: usize, at: usize, class: &BoundClass) -> Fill {
        let names: Vec<String> =
            (0..class.handle.len()).map(|part| format!("relinquish_r.h{part}")).collect();
        let name =
            names.iter().map(|name| self.bound.dialect.spelled(name)).collect::<Vec<_>>().join(" || ',' || ");
        let select = format!(
            "SELECT {}, relinquish_r.n, '{number}:' || {name} FROM {} AS relinquish_r \
             WHERE relinquish_r.had = 1 AND relinquish_r.whole = 0",
            names.join(", "),
            Set::Touched.of(self.bound, at),
        );
        let into = (Set::Abroad, at);
        let columns = format!("{}, n, seed", handle_names(class));
        Fill {
            sql: self.bound.dialect.add(&Set::Abroad.of(self.bound, at), &columns, &select),
            reads: None,
            from: Some((Set::Touched, at)),
            into,
            is_by_rounds: false,
            few: None,
        }
    }

    /// The selected rows that are deleted.
    fn going(&self, head: usize) -> (From, Option<Place>) {
        let from = From::set(self.bound, Set::Touched, head);
        let shared = self.class(head).is_some_and(|class| class.is_shared);
        let not_had = if shared { " AND relinquish_r.had = 0" } else { "" };
        let which = format!("relinquish_r.whole = 0 AND relinquish_r.needed = 0{not_had}");
        (from.which(&which), Some((Set::Touched, head)))
    }

    /// Records that are erased together with the record at the other end of their link.
    fn along_with(
        &self,
        foot: usize,
        link: &BoundLink,
        head: usize,
    ) -> Option<(From, Option<Place>, String)> {
        if !link.takes_along() || !self.acts(foot) {
            return None;
        }
        let (from, place) = if head == self.root() {
            self.touched(head, link, Toward::Foot)
        } else if self.treated(head).is_some_and(|treated| *treated.action() == RecordAction::Delete) {
            self.going(head)
        } else {
            return None;
        };
        Some((from, place, String::new()))
    }

    /// Records whose link is cleared.
    fn let_go_in(
        &self,
        (foot, class): (usize, &BoundClass),
        link: &BoundLink,
        head: usize,
    ) -> Option<(From, Option<Place>, String)> {
        let goes_along = self.treated(foot).is_some_and(|treated| *treated.action() == RecordAction::Delete);
        let lets_go = match link.gone {
            WhenGone::Clear | WhenGone::StandIn => true,
            WhenGone::Goes | WhenGone::Same => !goes_along && !link.cleared.is_empty(),
            WhenGone::Keep { .. } | WhenGone::Forbids => false,
        };
        if !lets_go || link.by_value || !self.may_be_deleted(head) {
            return None;
        }
        let (from, place) = self.going(head);
        Some((from, place, self.but_own(foot, class)))
    }

    /// Records with a field that belongs to the person at the far end of their link.
    fn fields_in(
        &self,
        (foot, class): (usize, &BoundClass),
        link: &BoundLink,
        head: usize,
    ) -> Option<(From, Option<Place>, String)> {
        // An expiry erases every field with its own record.
        let is_expiry = self.treatment.is_some_and(Treatment::is_expiry);
        if !class.has_fields_of(link) || is_expiry || !self.acts(foot) {
            return None;
        }
        let (from, place) = self.touched(head, link, Toward::Foot);
        let from = match place {
            Some(_) if self.class(head).is_some_and(|class| class.is_shared) => {
                from.which("relinquish_r.had = 0")
            }
            _ => from,
        };
        let mut further = self.but_own(foot, class);
        if let Some(kept) = self.kept.get(&foot) {
            let _ = write!(further, " AND NOT {}", kept("x"));
        }
        if self.is_kept_with_others(foot) {
            let _ = write!(further, " AND NOT {}", self.row_in_set(class, Set::Whole, foot, "x"));
        }
        Some((from, place, further))
    }

    /// Leaves out records that the customer also owns.
    fn but_own(&self, foot: usize, class: &BoundClass) -> String {
        if self.without_set.contains(&foot) {
            return String::new();
        }
        format!(
            " AND NOT EXISTS (SELECT 1 FROM {} AS s WHERE {} AND s.n = relinquish_r.n AND s.beside = 0)",
            Set::Touched.of(self.bound, foot),
            is_row(class, "x", "s")
        )
    }

    /// Puts reached rows into the set, each under its own number. The number goes with the row up to its owners.
    fn seed(
        &self,
        number: usize,
        (foot, link, head): (usize, &BoundLink, usize),
        from: &From,
        place: Option<Place>,
        further: &str,
    ) -> Option<Fill> {
        let (class, head_class) = (self.class(foot)?, self.class(head)?);
        let name =
            class.handle.iter().map(|column| self.bound.dialect.spelled(&format!("x.{}", quoted(column))));
        let name = name.collect::<Vec<_>>().join(" || ',' || ");
        let gives = format!("{}, relinquish_r.n, '{number}:' || {name}", listed("x", &class.handle));
        let select = self.ways.along(link, class, head_class, Toward::Foot, from, &gives, None).sql;
        let into = (Set::Abroad, foot);
        Some(Fill {
            sql: self.bound.dialect.add(
                &Set::Abroad.of(self.bound, foot),
                &format!("{}, n, seed", handle_names(class)),
                &format!("{select}{further}"),
            ),
            reads: None,
            from: place,
            into,
            is_by_rounds: false,
            few: None,
        })
    }
}
