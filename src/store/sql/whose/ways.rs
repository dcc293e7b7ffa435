//! Selects along links.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Set, batch, conditions, is_row, leads, of_class, stand_in_sql};
use crate::data_map::{ClassName, Datatype, LinkRole};
use crate::store::sql::bind::{Bound, BoundClass};
use crate::store::sql::dialect::Dialect;
use crate::store::sql::links::Compare;
use crate::store::sql::spelling::quoted;
use crate::store::sql::way::BoundLink;

/// The source of a select along a link: a table under the alias `r`.
#[derive(Clone, Debug)]
pub(crate) struct From {
    table: String,
    /// Conditions on the source's rows.
    which: String,
    /// The columns of the class that the source has, each with the source's own column.
    has: Vec<(String, String)>,
    /// Whether only owner links and shared links count: the links by which rows hang.
    hangs: bool,
    is_batch: bool,
    /// Whether the conditions may hold for a row later that do not hold now.
    changes: bool,
}

impl From {
    /// The rows of a class's set.
    pub(crate) fn set(bound: &Bound, set: Set, class: usize) -> Self {
        let handle = bound.classes.get(class).map_or(&[][..], |class| &class.handle);
        let has =
            handle.iter().enumerate().map(|(part, name)| (name.clone(), format!("relinquish_r.h{part}")));
        let (table, which) = (set.of(bound, class), String::new());
        Self { table, which, has: has.collect(), hangs: false, is_batch: false, changes: false }
    }

    /// The customers of the batch by their key, even if their own row does not exist.
    pub(crate) fn batch(bound: &Bound) -> Self {
        let key = bound.root().map_or(&[][..], |root| &root.key);
        let has = key.iter().enumerate().map(|(part, name)| (name.clone(), format!("relinquish_r.k{part}")));
        let (table, which) = (batch(bound), String::new());
        Self { table, which, has: has.collect(), hangs: false, is_batch: true, changes: false }
    }

    /// The rows of a class that a select returns by their handle, with whatever else it returns.
    pub(crate) fn select(bound: &Bound, select: &str, class: usize) -> Self {
        Self { table: format!("({select})"), ..Self::set(bound, Set::Whole, class) }
    }

    /// The due rows of a class to which a link leads, and the place of their set. A customer's key is known without
    /// the customer's row.
    pub(crate) fn due(
        bound: &Bound,
        link: &BoundLink,
        number: usize,
        head: &BoundClass,
    ) -> (Self, Option<(Set, usize)>) {
        if head.is_root && !link.by_value {
            return (Self::batch(bound), None);
        }
        let set = Self::set(bound, Set::Touched, number);
        let set = if head.is_shared { set.which("relinquish_r.had = 0") } else { set };
        (set, Some((Set::Touched, number)))
    }

    /// Follows only links by which rows hang.
    pub(crate) fn hanging(mut self) -> Self {
        self.hangs = true;
        self
    }

    /// Restricts the rows by a further condition on `r`.
    pub(crate) fn which(mut self, condition: &str) -> Self {
        let _ = write!(self.which, " AND {condition}");
        self
    }

    /// Says that the conditions may hold for a row later that do not hold now.
    pub(crate) fn changing(mut self) -> Self {
        self.changes = true;
        self
    }

    pub(crate) fn changes(&self) -> bool {
        self.changes
    }

    /// The source's column for a column of the class.
    fn column(&self, name: &str) -> Option<&str> {
        self.has.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, column)| column.as_str())
    }

    /// The source in a FROM clause.
    pub(crate) fn as_source(&self) -> String {
        format!("{} AS relinquish_r", self.table)
    }

    /// Whether each customer is in the source only once.
    pub(crate) fn is_each_once(&self) -> bool {
        self.is_batch
    }

    /// The source's columns for these columns of the class.
    pub(crate) fn listed(&self, names: &[String]) -> String {
        names.iter().filter_map(|name| self.column(name)).collect::<Vec<_>>().join(", ")
    }

    /// The condition that a row's link leads to a row of the source, by columns that the source has.
    pub(crate) fn is_led_to(&self, link: &BoundLink, alias: &str) -> String {
        let both = link.columns.iter().zip(&link.to_columns);
        let same =
            both.filter_map(|(near, to)| Some(format!("{alias}.{} = {}", quoted(near), self.column(to)?)));
        same.collect::<Vec<_>>().join(" AND ")
    }

    fn is_row(&self, alias: &str) -> String {
        let same = self.has.iter().map(|(name, column)| format!("{alias}.{} = {column}", quoted(name)));
        same.collect::<Vec<_>>().join(" AND ")
    }
}

/// The direction along a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toward {
    /// From the other end to the rows that have the link: these are `x`.
    Foot,
    /// From rows to the other end of their link: that is `x`.
    Head,
}

/// A select along a link.
#[derive(Clone, Debug)]
pub(crate) struct Along {
    pub(crate) sql: String,
    /// If the select reads the whole table of the feet: how it avoids that.
    pub(crate) reads: Option<Reads>,
    /// If the select reads all rows among which the feet are: how it avoids that where the source has few feet.
    pub(crate) few: Option<Few>,
}

/// A select from a source to its feet by an index, where an index leads to them. Most of the feet may be rows that do not
/// count, so their number is looked at first.
#[derive(Clone, Debug)]
pub(crate) struct Few {
    /// Counts the feet of the source, up to [`FEW`].
    pub(crate) count: String,
    pub(crate) sql: String,
}

/// A source with fewer feet has few.
pub(crate) const FEW: u64 = 1_000;

/// A table that is read completely, because no index leads to the feet of a link. If several selects need that, one
/// reading [picks](picked) the rows that matter to any of them.
#[derive(Clone, Debug)]
pub(crate) struct Reads {
    /// The first class of the table.
    pub(crate) table: usize,
    /// The condition that the link of a row `x` may lead to a row of the source.
    pub(crate) may_be: String,
    /// The same select over picked rows.
    pub(crate) of_picked: String,
}

/// The table with the handles of picked rows of a class's table.
pub(crate) fn picked(bound: &Bound, table: usize) -> String {
    bound.dialect.own_table(&picked_name(table))
}

pub(super) fn picked_name(table: usize) -> String {
    format!("relinquish_picked_{table}")
}

/// The condition that the link of a row `x` may lead to one of these.
fn may_lead(dialect: &dyn Dialect, link: &BoundLink, near: &[String], far: &[String], known: &str) -> String {
    let each = |columns: &[String]| -> String {
        let compared = columns.iter().map(|column| dialect.compared(link.compare, column));
        compared.collect::<Vec<_>>().join(", ")
    };
    let own = if near.len() == 1 { each(near) } else { format!("({})", each(near)) };
    format!("{own} IN (SELECT {} FROM {known})", each(far))
}

/// Writes selects along links.
#[derive(Clone, Debug)]
pub(crate) struct Ways<'b> {
    pub(crate) bound: &'b Bound,
}

impl Ways<'_> {
    /// The comparison of both ends, the near side first.
    fn same(&self, link: &BoundLink, foot: &BoundClass, near: &[String], far: &[String]) -> String {
        let each = near.iter().zip(far).zip(&link.to_columns).map(|((near, far), to)| {
            let near_type = link.columns.first().and_then(|column| self.datatype(foot, column));
            let far_type = self.head_datatype(link, to);
            self.bound.dialect.equal(link.compare, (near, near_type), (far, far_type))
        });
        each.collect::<Vec<_>>().join(" AND ")
    }

    fn datatype(&self, class: &BoundClass, column: &str) -> Option<Datatype> {
        let described = self.bound.data_map.class(class.name.as_str())?;
        described.find(column).map(|field| field.constraints().datatype)
    }

    fn head_datatype(&self, link: &BoundLink, column: &str) -> Option<Datatype> {
        self.datatype(self.bound.class(link.heads.first()?)?, column)
    }

    /// The select that follows a link from known rows, with the columns that it returns of each row `x` and of `r`.
    /// With `among`, only rows of that table of handles count as feet.
    #[allow(clippy::too_many_arguments, reason = "each is one part of the select")]
    pub(crate) fn along(
        &self,
        link: &BoundLink,
        foot: &BoundClass,
        head: &BoundClass,
        toward: Toward,
        from: &From,
        gives: &str,
        among: Option<&str>,
    ) -> Along {
        match toward {
            Toward::Foot => self.to_feet(link, foot, head, from, gives, among),
            Toward::Head => {
                Along { sql: self.to_heads(link, foot, head, from, gives), reads: None, few: None }
            }
        }
    }

    fn to_feet(
        &self,
        link: &BoundLink,
        foot: &BoundClass,
        head: &BoundClass,
        from: &From,
        gives: &str,
        among: Option<&str>,
    ) -> Along {
        let (bound, dialect) = (self.bound, self.bound.dialect);
        let r = format!("{} AS relinquish_r", from.table);
        let then_feet = |on: &str| dialect.then(&bound.table(&foot.table), "x", on);
        let of_x = format!("{}{}", leads(bound, "x", link, from.hangs), of_class(bound, "x", &foot.rows));
        let which = format!("{of_x}{}", from.which);
        let near: Vec<String> = link.columns.iter().map(|column| format!("x.{}", quoted(column))).collect();
        let direct: Option<Vec<String>> =
            link.to_columns.iter().map(|column| from.column(column).map(str::to_owned)).collect();
        // If the source has no keys, the rows of the head provide the values to compare.
        let (heads, far) = if let Some(far) = direct {
            (String::new(), far)
        } else {
            let table = dialect.then(&bound.table(&head.table), "y", &from.is_row("y"));
            (table, link.to_columns.iter().map(|column| format!("y.{}", quoted(column))).collect())
        };
        let is_among = |set: &str| {
            format!(" AND EXISTS (SELECT 1 FROM {set} AS picked WHERE {})", is_row(foot, "x", "picked"))
        };
        if !link.hops.is_empty() {
            let (hops, arrives) = hops_from_head(bound, link, &far);
            let same: Vec<String> =
                near.iter().zip(arrives).map(|(near, far)| format!("{near} = {far}")).collect();
            let among = among.map_or_else(String::new, is_among);
            let sql = format!(
                "SELECT {gives} FROM {r}{heads}{hops} JOIN {} AS x ON {} WHERE TRUE{which}{among}",
                bound.table(&foot.table),
                same.join(" AND ")
            );
            return Along { sql, reads: None, few: None };
        }
        let is_made = matches!(link.compare, Compare::NoCase | Compare::Normalised);
        let same = self.same(link, foot, &near, &far);
        let is_indexed = !is_made && link.columns.first().is_some_and(|column| foot.is_indexed(column));
        let by_index = format!("FROM {r}{heads}{} WHERE TRUE{which}", then_feet(&same));
        if is_indexed && among.is_none() {
            return Along { sql: format!("SELECT {gives} {by_index}"), reads: None, few: None };
        }
        let may_be = may_lead(dialect, link, &near, &far, &format!("{r}{heads}"));
        // Starts from the feet, whichever they are. The compared values are computed or looked up once.
        let over = |feet: &str| {
            if heads.is_empty() && !is_made {
                let sources = dialect.then(&from.table, "relinquish_r", &same);
                return format!("SELECT {gives} FROM {feet}{sources} WHERE TRUE{which}");
            }
            let compared = |column: &String| {
                if is_made { dialect.compared(link.compare, column) } else { column.clone() }
            };
            let values = far.iter().enumerate().map(|(n, far)| format!("{} AS value{n}", compared(far)));
            let known: Vec<String> = (0..far.len()).map(|n| format!("relinquish_r.value{n}")).collect();
            let same = if is_made {
                let both = near.iter().map(compared).zip(&known);
                both.map(|(near, known)| format!("{near} = {known}")).collect::<Vec<_>>().join(" AND ")
            } else {
                self.same(link, foot, &near, &known)
            };
            format!(
                "WITH known AS MATERIALIZED (SELECT relinquish_r.*, {} FROM {r}{heads} WHERE TRUE{}) \
                 SELECT {gives} FROM {feet}{} WHERE TRUE{of_x}",
                values.collect::<Vec<_>>().join(", "),
                from.which,
                dialect.then("known", "relinquish_r", &same),
            )
        };
        let of = |set: &str| format!("{set} AS picked{}", then_feet(&is_row(foot, "x", "picked")));
        if let Some(set) = among {
            let few = is_indexed.then(|| Few {
                count: format!("SELECT count(*) FROM (SELECT 1 {by_index} LIMIT {FEW}) AS feet"),
                sql: format!("SELECT {gives} {by_index}{}", is_among(set)),
            });
            return Along { sql: over(&of(set)), reads: None, few };
        }
        let sql = over(&format!("{} AS x", bound.table(&foot.table)));
        let is_own = |class: &BoundClass| class.table.eq_ignore_ascii_case(&foot.table);
        let table = bound.classes.iter().position(is_own);
        let reads = table.map(|table| Reads { table, may_be, of_picked: over(&of(&picked(bound, table))) });
        Along { sql, reads, few: None }
    }

    fn to_heads(
        &self,
        link: &BoundLink,
        foot: &BoundClass,
        head: &BoundClass,
        from: &From,
        gives: &str,
    ) -> String {
        let (bound, dialect) = (self.bound, self.bound.dialect);
        let r = format!("{} AS relinquish_r", from.table);
        let feet = dialect.then(&bound.table(&foot.table), "y", &from.is_row("y"));
        let is_head = format!("{}{}", of_class(bound, "x", &head.rows), self.is_somebody(head, "x"));
        let which = format!("{}{}", leads(bound, "y", link, from.hangs), from.which);
        let near: Vec<String> = link.columns.iter().map(|column| format!("y.{}", quoted(column))).collect();
        let far: Vec<String> = link.to_columns.iter().map(|column| format!("x.{}", quoted(column))).collect();
        if matches!(link.compare, Compare::NoCase | Compare::Normalised) {
            let compared = |column: &String| dialect.compared(link.compare, column);
            let values = near.iter().enumerate().map(|(n, near)| format!("{} AS value{n}", compared(near)));
            let same =
                far.iter().enumerate().map(|(n, far)| format!("relinquish_r.value{n} = {}", compared(far)));
            return format!(
                "WITH known AS MATERIALIZED (SELECT relinquish_r.*, {} FROM {r}{feet} WHERE TRUE{which}) \
                 SELECT {gives} FROM {} AS x{} WHERE TRUE{is_head}",
                values.collect::<Vec<_>>().join(", "),
                bound.table(&head.table),
                dialect.then("known", "relinquish_r", &same.collect::<Vec<_>>().join(" AND ")),
            );
        }
        let (hops, leaves) = hops_from_foot(bound, link, near);
        let same = self.same(link, foot, &leaves, &far);
        let heads = dialect.then(&bound.table(&head.table), "x", &same);
        format!("SELECT {gives} FROM {r}{feet}{hops}{heads} WHERE TRUE{which}{is_head}")
    }

    /// The condition that a row of the customers is not an "Unknown Customer".
    pub(crate) fn is_somebody(&self, head: &BoundClass, alias: &str) -> String {
        if head.is_root && self.bound.customers.unknown.is_some() {
            let is_stand_in = stand_in_sql(self.bound.dialect, &self.bound.customers, alias);
            format!(" AND NOT coalesce({is_stand_in}, FALSE)")
        } else {
            String::new()
        }
    }

    /// A value of the record at the other end of a row's link, as one expression. NULL for an "Unknown Customer".
    pub(crate) fn scalar(
        &self,
        link: &BoundLink,
        foot: &BoundClass,
        head: &BoundClass,
        (alias, end): (&str, &str),
        value: &str,
    ) -> String {
        let near: Vec<String> =
            link.columns.iter().map(|column| format!("{alias}.{}", quoted(column))).collect();
        let far: Vec<String> =
            link.to_columns.iter().map(|column| format!("{end}.{}", quoted(column))).collect();
        let (hops, leaves) = hops_from_foot(self.bound, link, near);
        let same = self.same(link, foot, &leaves, &far);
        format!(
            "(SELECT {value} FROM (SELECT 1) AS here{hops} JOIN {} AS {end} ON {same} WHERE TRUE{}{}{})",
            self.bound.table(&head.table),
            leads(self.bound, alias, link, true),
            of_class(self.bound, end, &head.rows),
            self.is_somebody(head, end),
        )
    }

    /// A value of the customer from whom a row hangs through owner links, over any number of records, as one
    /// expression. The customer's row has the alias `person`. `None` if no such chain exists.
    pub(crate) fn of_person(&self, class: &BoundClass, alias: &str, value: &str) -> Option<String> {
        let classes = &self.bound.classes;
        let start = classes.iter().position(|own| own.name == class.name)?;
        let (above, steps) = self.steps_up(start);
        // A chain may end before it reaches the customers, but the statement still asks for their key.
        let root = classes.iter().position(|class| class.is_root)?;
        let of_each = above.iter().chain([&root]).filter_map(|at| classes.get(*at));
        let parts = of_each.map(|class| class.handle.len()).max()?;
        // The columns have no type of their own, so each is compared as a column of its class.
        let row = |at: usize, class: &BoundClass, alias: &str| {
            let columns = class.handle.iter().map(|column| format!("{alias}.{}", quoted(column)));
            let own = columns.map(|column| self.bound.dialect.untyped(&column));
            let own: Vec<String> = own.chain(std::iter::repeat("NULL".to_owned())).take(parts).collect();
            format!("{at}, {}", own.join(", "))
        };
        let then = |class: &BoundClass, alias: &str, on: &str| {
            self.bound.dialect.then(&self.bound.table(&class.table), alias, on)
        };
        let names: Vec<String> = (0..parts).map(|part| format!("h{part}")).collect();
        // They have become texts on the way, and get the type of their column again.
        let is_up = |class: &BoundClass, alias: &str| {
            let same = class.handle.iter().enumerate().map(|(part, column)| {
                let table = self.bound.table(&class.table);
                let up = self.bound.dialect.in_type_of(&table, column, &format!("up.h{part}"));
                format!("{alias}.{} = {up}", quoted(column))
            });
            same.collect::<Vec<_>>().join(" AND ")
        };
        let mut each = Vec::with_capacity(steps.len());
        for (at, link, to) in steps {
            let (foot, head) = (classes.get(at)?, classes.get(to)?);
            let near = link.columns.iter().map(|column| format!("below.{}", quoted(column))).collect();
            let far: Vec<String> =
                link.to_columns.iter().map(|column| format!("higher.{}", quoted(column))).collect();
            let (hops, leaves) = hops_from_foot(self.bound, link, near);
            let from = format!(
                "{}{hops}{}",
                then(foot, "below", &is_up(foot, "below")),
                then(head, "higher", &self.same(link, foot, &leaves, &far)),
            );
            let which = format!(
                "up.class = {at}{}{}{}",
                leads(self.bound, "below", link, true),
                of_class(self.bound, "higher", &head.rows),
                self.is_somebody(head, "higher"),
            );
            each.push((row(to, head, "higher"), from, which));
        }
        let (at, root) = (root, classes.get(root)?);
        Some(format!(
            "(WITH RECURSIVE up(class, {}) AS (SELECT {}{}) SELECT {value} FROM up{} WHERE up.class = {at} LIMIT 1)",
            names.join(", "),
            row(start, class, alias),
            self.bound.dialect.steps("up", &each),
            then(root, "person", &is_up(root, "person")),
        ))
    }

    /// The owner links by which rows of a class hang, over any number of records, and the classes on these ways.
    fn steps_up(&self, start: usize) -> (BTreeSet<usize>, Vec<(usize, &BoundLink, usize)>) {
        let classes = &self.bound.classes;
        let number = |name: &ClassName| classes.iter().position(|class| class.name == *name);
        let (mut above, mut steps, mut todo) = (BTreeSet::from([start]), Vec::new(), vec![start]);
        while let Some((at, foot)) = todo.pop().and_then(|at| Some((at, classes.get(at)?))) {
            for link in foot.links.iter().filter(|link| link.role == LinkRole::Owner) {
                for head in link.heads.iter().filter_map(number) {
                    steps.push((at, link, head));
                    if above.insert(head) {
                        todo.push(head);
                    }
                }
            }
        }
        (above, steps)
    }

    /// The number of a class's rows that hang from a customer through owner links, over any number of records. The select
    /// reads each table once, whatever the depth. `None` if no such chain exists.
    pub(crate) fn number_of_persons(&self, class: &BoundClass) -> Option<String> {
        let classes = &self.bound.classes;
        let start = classes.iter().position(|own| own.name == class.name)?;
        let root = classes.iter().position(|class| class.is_root)?;
        let (above, steps) = self.steps_up(start);
        let of_each = above.iter().chain([&root]).filter_map(|at| classes.get(*at));
        let parts = of_each.map(|class| class.handle.len()).max()?;
        let row = |class: &BoundClass, alias: &str, name: &str| {
            let columns = class.handle.iter().map(|column| format!("{alias}.{}", quoted(column)));
            let own = columns.map(|column| self.bound.dialect.untyped(&column));
            let own = own.chain(std::iter::repeat("''".to_owned())).take(parts).enumerate();
            own.map(|(part, value)| format!("{value} AS {name}{part}")).collect::<Vec<_>>().join(", ")
        };
        let names =
            |prefix: &str| (0..parts).map(|part| format!("{prefix}{part}")).collect::<Vec<_>>().join(", ");
        let mut pairs = Vec::with_capacity(steps.len());
        for (at, link, to) in steps {
            let (foot, head) = (classes.get(at)?, classes.get(to)?);
            let near = link.columns.iter().map(|column| format!("below.{}", quoted(column))).collect();
            let far: Vec<String> =
                link.to_columns.iter().map(|column| format!("higher.{}", quoted(column))).collect();
            let (hops, leaves) = hops_from_foot(self.bound, link, near);
            pairs.push(format!(
                "SELECT {at} AS foot, {}, {to} AS head, {} FROM {} AS below{hops}{} WHERE TRUE{}{}{}{}",
                row(foot, "below", "f"),
                row(head, "higher", "g"),
                self.bound.table(&foot.table),
                self.bound.dialect.then(
                    &self.bound.table(&head.table),
                    "higher",
                    &self.same(link, foot, &leaves, &far)
                ),
                leads(self.bound, "below", link, true),
                of_class(self.bound, "below", &foot.rows),
                of_class(self.bound, "higher", &head.rows),
                self.is_somebody(head, "higher"),
            ));
        }
        if pairs.is_empty() {
            return None;
        }
        let (at, root) = (root, classes.get(root)?);
        let same: Vec<String> = (0..parts).map(|part| format!("pairs.g{part} = down.h{part}")).collect();
        // A left join keeps its order: the pairs are searched by what the last step has found. A row without a pair gives
        // one row of NULLs, of no class.
        Some(format!(
            "WITH RECURSIVE pairs AS MATERIALIZED ({}), down(class, {}) AS (SELECT {at}, {} FROM {} AS person WHERE TRUE{}{} \
             UNION SELECT pairs.foot, {} FROM down LEFT JOIN pairs ON pairs.head = down.class AND {}) \
             SELECT count(*) FROM down WHERE class = {start}",
            pairs.join(" UNION ALL "),
            names("h"),
            row(root, "person", "h"),
            self.bound.table(&root.table),
            of_class(self.bound, "person", &root.rows),
            self.is_somebody(root, "person"),
            names("pairs.f"),
            same.join(" AND "),
        ))
    }

    /// A column of a row, or of a record from which the row hangs, class by class. `None` if no link leads there.
    pub(crate) fn column_above(
        &self,
        class: &BoundClass,
        through: &[&BoundClass],
        alias: &str,
        column: &str,
    ) -> Option<String> {
        let Some((next, beyond)) = through.split_first() else {
            return Some(format!("{alias}.{}", quoted(column)));
        };
        let above = format!("above{}", through.len());
        let inner = self.column_above(next, beyond, &above, column)?;
        let links =
            class.links.iter().filter(|link| link.role != LinkRole::End && link.heads.contains(&next.name));
        let dates: Vec<String> =
            links.map(|link| self.scalar(link, class, next, (alias, &above), &inner)).collect();
        match dates.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(format!("coalesce({})", several.join(", "))),
        }
    }

    /// The condition that a row's owner link leads nowhere, or to a row without an owner. `depth` limits a cycle of
    /// classes: a deeper row counts as having an owner.
    pub(crate) fn is_ownerless(
        &self,
        class: &BoundClass,
        alias: &str,
        with_none: bool,
        depth: usize,
    ) -> String {
        let owners: Vec<&BoundLink> =
            class.links.iter().filter(|link| link.role == LinkRole::Owner).collect();
        if owners.is_empty() || depth > self.bound.classes.len() {
            return "FALSE".to_owned();
        }
        let mut nowhere = Vec::new();
        let mut empty = Vec::new();
        for link in &owners {
            let near: Vec<String> =
                link.columns.iter().map(|column| format!("{alias}.{}", quoted(column))).collect();
            let is_set =
                near.iter().map(|column| format!("{column} IS NOT NULL")).collect::<Vec<_>>().join(" AND ");
            let applies = format!("{is_set}{}", leads(self.bound, alias, link, true));
            let end = format!("end{depth}");
            let (hops, leaves) = hops_from_foot(self.bound, link, near.clone());
            let far: Vec<String> =
                link.to_columns.iter().map(|column| format!("{end}.{}", quoted(column))).collect();
            let same = self.same(link, class, &leaves, &far);
            let table = format!("{} AS {end}", self.bound.table(&link.to_table));
            let found = if hops.is_empty() {
                format!("SELECT 1 FROM {table} WHERE {same}")
            } else {
                format!("SELECT 1 FROM (SELECT 1) AS here{hops} JOIN {table} ON {same} WHERE TRUE")
            };
            if link.by_value {
                // An address that no customer has belongs to a guest, who never was a customer.
                empty.push(format!("NOT coalesce({applies} AND EXISTS ({found}), FALSE)"));
                continue;
            }
            empty.push(format!("NOT coalesce({applies}, FALSE)"));
            let mut ways = vec![format!("NOT EXISTS ({found})")];
            if link.hops.is_empty() {
                for head in
                    link.heads.iter().filter_map(|name| self.bound.class(name)).filter(|head| !head.is_root)
                {
                    if head.name == class.name {
                        continue;
                    }
                    let above = self.is_ownerless(head, &end, with_none, depth + 1);
                    let of_head = of_class(self.bound, &end, &head.rows);
                    ways.push(format!("EXISTS ({found}{of_head} AND {above})"));
                }
            }
            nowhere.push(format!("({applies} AND ({}))", ways.join(" OR ")));
        }
        if with_none {
            nowhere.push(format!("({})", empty.join(" AND ")));
        }
        if nowhere.is_empty() {
            return "FALSE".to_owned();
        }
        let shared = self.is_shared_by(class, alias, depth);
        let shared = shared.map_or_else(String::new, |shared| format!(" AND NOT coalesce({shared}, FALSE)"));
        format!("(coalesce({}, FALSE){shared})", nowhere.join(" OR "))
    }

    /// The condition that a row hangs from another one, or from a customer, over a link that is not its owner: a shared link
    /// of its own, or a link of another class. `None` if the class has no such link. A link of which nobody can tell without
    /// looking at every customer counts as one that leads there.
    fn is_shared_by(&self, class: &BoundClass, alias: &str, depth: usize) -> Option<String> {
        let (end, foot_alias) = (format!("share{depth}"), format!("holder{depth}"));
        let mut any = Vec::new();
        for link in class.links.iter().filter(|link| link.role == LinkRole::Shared) {
            for head in link.heads.iter().filter_map(|name| self.bound.class(name)) {
                let found = self.scalar(link, class, head, (alias, end.as_str()), "1");
                any.push(format!("EXISTS {found}"));
            }
        }
        for foot in &self.bound.classes {
            for link in foot.links.iter().filter(|link| link.holds && link.heads.contains(&class.name)) {
                if !link.hops.is_empty() || link.compare != Compare::Exact {
                    any.push("TRUE".to_owned());
                    continue;
                }
                let column = |alias: &str, name: &String| format!("{alias}.{}", quoted(name));
                let near: Vec<String> = link.columns.iter().map(|name| column(&foot_alias, name)).collect();
                let is_there = near.iter().fold(String::new(), |mut sql, near| {
                    // Writing to a String never fails.
                    let _ = write!(sql, " AND {near} IS NOT NULL");
                    sql
                });
                let far: Vec<String> = link.to_columns.iter().map(|name| column(alias, name)).collect();
                any.push(format!(
                    "({}) IN (SELECT {} FROM {} AS {foot_alias} WHERE TRUE{}{is_there})",
                    far.join(", "),
                    near.join(", "),
                    self.bound.table(&foot.table),
                    of_class(self.bound, &foot_alias, &foot.rows),
                ));
            }
        }
        (!any.is_empty()).then(|| any.join(" OR "))
    }
}

/// The tables between a row and the other end of its link, joined from the row on, and the columns that lead to the
/// far end.
fn hops_from_foot(bound: &Bound, link: &BoundLink, near: Vec<String>) -> (String, Vec<String>) {
    let mut sql = String::new();
    let mut leaves = near;
    for (n, hop) in link.hops.iter().enumerate() {
        let alias = format!("hop{n}");
        let same: Vec<String> = leaves
            .iter()
            .zip(&hop.arrives)
            .map(|(near, far)| format!("{alias}.{} = {near}", quoted(far)))
            .collect();
        let _ = write!(
            sql,
            " JOIN {} AS {alias} ON {}{}",
            bound.table(&hop.table),
            same.join(" AND "),
            conditions(bound, &alias, &hop.when)
        );
        leaves = hop.columns.iter().map(|column| format!("{alias}.{}", quoted(column))).collect();
    }
    (sql, leaves)
}

/// The same, joined from the far end on, and the columns at which the link from the row arrives.
fn hops_from_head(bound: &Bound, link: &BoundLink, far: &[String]) -> (String, Vec<String>) {
    let mut sql = String::new();
    let mut arrives = far.to_vec();
    for (n, hop) in link.hops.iter().enumerate().rev() {
        let alias = format!("hop{n}");
        let same: Vec<String> = hop
            .columns
            .iter()
            .zip(&arrives)
            .map(|(near, far)| format!("{alias}.{} = {far}", quoted(near)))
            .collect();
        let _ = write!(
            sql,
            " JOIN {} AS {alias} ON {}{}",
            bound.table(&hop.table),
            same.join(" AND "),
            conditions(bound, &alias, &hop.when)
        );
        arrives = hop.arrives.iter().map(|column| format!("{alias}.{}", quoted(column))).collect();
    }
    (sql, arrives)
}
