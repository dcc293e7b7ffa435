//! The links of a class, checked against the live schema: where each leads, how its ends compare, and what happens
//! when the record at the other end is erased.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::bind::{check_column, own_name};
use super::coverage::is_tied;
use super::draft::{self, Way};
use super::links::{Compare, EndMap, Is, LinkMap, LinkRef, SharedMap, Target, When};
use super::map::{CustomersMap, Ends, Source, SqlMap, TenantSource};
use super::paste;
use super::people::PEOPLE;
use super::schema::{Column, ForeignKey, OnDelete, Schema, Table};
use crate::data_map::{ClassName, LinkRole, Value, WhenGone};
use crate::document::{Problem, Reader, join, suggest};

/// A link of a class, with both ends.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each says something of its own")]
pub(crate) struct BoundLink {
    pub(crate) name: String,
    pub(crate) role: LinkRole,
    pub(crate) gone: WhenGone,
    /// Whether the record at the other end hangs from the row.
    pub(crate) holds: bool,
    pub(crate) columns: Vec<String>,
    /// Tables in between that no class describes.
    pub(crate) hops: Vec<Hop>,
    pub(crate) to_table: String,
    pub(crate) to_columns: Vec<String>,
    /// The classes to which the link may lead.
    pub(crate) heads: Vec<ClassName>,
    pub(crate) compare: Compare,
    /// Values that mean "nobody".
    pub(crate) none: Vec<Value>,
    /// The link is valid only in rows with these values.
    pub(crate) when: Vec<(String, Is)>,
    /// Links that count before this one. This link is valid only in rows in which all of them are empty.
    pub(crate) unless: Vec<(Vec<String>, Vec<Value>)>,
    /// What clearing the link writes.
    pub(crate) cleared: Vec<(String, Value)>,
    /// Whether the link compares a value of a customer that is no key.
    pub(crate) by_value: bool,
    /// Whether several customers may have the same value.
    pub(crate) may_be_ambiguous: bool,
    /// Whether a foreign key refuses a link that leads nowhere.
    pub(crate) is_enforced: bool,
}

impl BoundLink {
    /// Whether the row is erased together with the record at the other end.
    pub(crate) fn takes_along(&self) -> bool {
        matches!(self.gone, WhenGone::Goes | WhenGone::Same)
    }
}

/// A table between a row and the other end of its link.
#[derive(Clone, Debug)]
pub(crate) struct Hop {
    pub(crate) table: String,
    /// The columns at which the link arrives.
    pub(crate) arrives: Vec<String>,
    /// The columns at which the link continues.
    pub(crate) columns: Vec<String>,
    pub(crate) when: Vec<(String, Is)>,
}

/// A class whose links are being bound: its place in the map, and its table.
pub(super) struct Foot<'s> {
    pub(super) path: String,
    pub(super) class: &'s ClassName,
    pub(super) table: &'s Table,
    pub(super) when: &'s When,
    pub(super) key: Vec<String>,
    /// Columns that distinguish the classes of the table.
    pub(super) divides: BTreeSet<String>,
}

/// What is said of a class that a link names, and that the map does not have.
pub(super) const IS_NO_CLASS: &str = " is no record class";

/// Everything against which links are checked.
pub(super) struct Binder<'s> {
    pub(super) map: &'s SqlMap,
    pub(super) schema: &'s Schema,
    /// Every class with its table and key.
    pub(super) classes: &'s [(ClassName, String, Vec<String>)],
    /// Whether record classes have missing tables. Then a way may end at a table that was meant for one of them.
    pub(super) has_lost_tables: bool,
    /// For each named link, the classes that use it, and the problems there.
    pub(super) named: RefCell<BTreeMap<String, NamedLink>>,
}

/// The use of a named link by classes.
#[derive(Debug, Default)]
pub(super) struct NamedLink {
    uses: usize,
    /// The problems, by class.
    problems: Vec<(ClassName, Vec<Problem>)>,
}

impl<'s> Binder<'s> {
    /// Reports the problems of named links. A problem in every class that uses the link is the link's own problem,
    /// and is reported once.
    pub(super) fn say_named(&self, reader: &mut Reader) {
        for (name, link) in self.named.take() {
            let classes: Vec<&str> = link.problems.iter().map(|(class, _)| class.as_str()).collect();
            let is_its_own = link.uses > 1 && link.uses == classes.len();
            let used_by = format!(", in {}", classes.join(", "));
            for (n, (_, problems)) in link.problems.into_iter().enumerate() {
                for mut problem in problems {
                    if !is_its_own {
                        reader.push(problem);
                    } else if n == 0 {
                        problem.path = join("links", &name);
                        problem.what.push_str(&used_by);
                        reader.push(problem);
                    }
                }
            }
        }
    }

    /// Whether the table of a class does not exist. That is reported elsewhere.
    fn is_lost(&self, class: &ClassName) -> bool {
        self.map.records.get(class).is_some_and(|record| self.schema.table(&record.table).is_none())
    }

    fn root_key(&self) -> &[String] {
        self.classes.first().map_or(&[], |(_, _, key)| key)
    }

    pub(super) fn classes_of(&self, table: &str) -> Vec<ClassName> {
        let of_table = self.classes.iter().filter(|(_, name, _)| name.eq_ignore_ascii_case(table));
        of_table.map(|(class, ..)| class.clone()).collect()
    }

    pub(super) fn is_root(&self, table: &str) -> bool {
        self.map.customers.table.eq_ignore_ascii_case(table)
    }

    /// The links of one class: owner, shared, and the ends that its map names.
    pub(super) fn links(
        &self,
        reader: &mut Reader,
        foot: &Foot<'s>,
        owner: &[LinkRef],
        shared: &[SharedMap],
        ends: &Ends,
    ) -> (Vec<BoundLink>, bool) {
        let mut links: Vec<BoundLink> = Vec::new();
        let mut are_all = true;
        let mut before: Vec<(Vec<String>, Vec<Value>)> = Vec::new();
        for (n, link) in owner.iter().enumerate() {
            let path = if owner.len() > 1 {
                format!("{}.first[{n}]", join(&foot.path, "owner"))
            } else {
                join(&foot.path, "owner")
            };
            let written = self.resolve(link);
            let mut found = Reader::default();
            let bound = self.link(&mut found, &path, foot, &written, LinkRole::Owner);
            // If the owner is one column, pasted lines can say how the ends compare.
            let pasted = || match (owner, self.other_comparison(foot, &written, LinkRole::Owner)?) {
                ([_], compare) => {
                    let value = paste::compared_link(written.columns.first()?, compare.as_str());
                    Some(paste::set(&self.place(foot)?, "owner", &value))
                }
                _ => None,
            };
            reader.push_all(found, pasted);
            if let Some(mut bound) = bound {
                bound.unless.clone_from(&before);
                before.push((bound.columns.clone(), bound.none.clone()));
                links.push(bound);
            } else {
                are_all = false;
            }
        }
        for (n, link) in shared.iter().enumerate() {
            let SharedMap::Own(link) = link else { continue };
            let path = format!("{}[{n}]", join(&foot.path, "shared"));
            let written = self.resolve(link);
            let link = self.link(reader, &path, foot, &written, LinkRole::Shared);
            are_all &= link.is_some();
            links.extend(link);
        }
        for (name, end) in &ends.links {
            are_all &= self.end(reader, foot, name, end, &mut links);
        }
        (links, are_all)
    }

    /// Whether the link exists.
    fn end(
        &self,
        reader: &mut Reader,
        foot: &Foot<'s>,
        name: &str,
        end: &EndMap,
        links: &mut Vec<BoundLink>,
    ) -> bool {
        let path = join(&join(&foot.path, "ends"), name);
        let mut known = links.iter_mut().filter(|link| link.name.eq_ignore_ascii_case(name)).peekable();
        if known.peek().is_some() && end.link.is_none() {
            for link in known {
                say_gone(reader, &path, foot, link, end);
                self.check_stand_in(reader, &path, link);
            }
            return true;
        }
        let written = match &end.link {
            Some(link) => link.clone(),
            None => self.resolve(&self.word(foot, name)),
        };
        let mut found = Reader::default();
        let link = self.link(&mut found, &path, foot, &written, LinkRole::End);
        let pasted = || {
            let word = match &end.gone {
                WhenGone::Goes => "goes",
                WhenGone::Same => "same",
                WhenGone::Clear if end.cleared.is_none() => "clear",
                _ => return None,
            };
            let compare = self.other_comparison(foot, &written, LinkRole::End)?;
            let value = draft::end(Some(compare), word);
            Some(paste::set(&[&self.place(foot)?[..], &["ends"]].concat(), name, &value))
        };
        reader.push_all(found, pasted);
        let Some(mut link) = link else { return false };
        name.clone_into(&mut link.name);
        say_gone(reader, &path, foot, &mut link, end);
        self.check_stand_in(reader, &path, &link);
        links.push(link);
        true
    }

    /// Another comparison than the written one, if the ends allow only that one. `None` if the link consists of more
    /// than its column.
    fn other_comparison(&self, foot: &Foot<'s>, written: &LinkMap, role: LinkRole) -> Option<Compare> {
        let is_plain = *written == LinkMap::of(written.columns.clone()) && written.columns.len() == 1;
        let (_, compare) = self.compared(foot, written, role).filter(|_| is_plain)?;
        (compare != written.compare).then_some(compare)
    }

    /// The place of a class in the map, if lines can be pasted there.
    fn place(&self, foot: &Foot<'s>) -> Option<Vec<&'s str>> {
        match self.map.records.get(foot.class) {
            _ if foot.path == "customers" => Some(vec!["customers"]),
            Some(record) if record.alike.is_none() => Some(vec!["records", foot.class.as_str()]),
            _ => None,
        }
    }

    /// Checks "stand-in": only a link to the customers' key can lead to the tenant's "Unknown Customer".
    fn check_stand_in(&self, reader: &mut Reader, path: &str, link: &BoundLink) {
        if link.gone != WhenGone::StandIn {
            return;
        }
        let to_customers = link.heads.len() == 1 && link.heads.first() == Some(&self.map.customers.class);
        let is_key = matches!(link.compare, Compare::Exact | Compare::Text);
        if !to_customers || link.by_value || !is_key || !link.hops.is_empty() {
            reader.problem(
                path,
                "cannot lead to the \"Unknown Customer\": it does not lead to the customers' key",
                "write \"goes\", \"clear\" or { keep = \"reason\" }",
            );
        } else if self.map.customers.unknown.is_none() {
            reader.problem(
                path,
                "leads to the \"Unknown Customer\", of whom the map says nothing",
                "write customers.unknown_customer, or another word for this end",
            );
        }
    }

    /// A named link, a column, or the columns of a foreign key joined by `+`.
    fn word(&self, foot: &Foot<'_>, name: &str) -> LinkRef {
        if self.map.links.contains_key(name) || foot.table.column(name).is_some() || !name.contains('+') {
            return LinkRef::Word(name.to_owned());
        }
        let columns = name.split('+').map(|column| column.trim().to_owned()).collect();
        LinkRef::Full(Box::new(LinkMap::of(columns)))
    }

    fn resolve(&self, link: &LinkRef) -> LinkMap {
        match link {
            LinkRef::Word(word) => {
                self.map.links.get(word).cloned().unwrap_or_else(|| LinkMap::of(vec![word.clone()]))
            }
            LinkRef::Full(link) => (**link).clone(),
        }
    }

    fn link(
        &self,
        reader: &mut Reader,
        path: &str,
        foot: &Foot<'s>,
        written: &LinkMap,
        role: LinkRole,
    ) -> Option<BoundLink> {
        let name = written.name.as_ref().filter(|name| self.map.links.get(*name) == Some(written));
        let Some(name) = name else { return self.own_link(reader, path, foot, written, role) };
        let mut own = Reader::default();
        let link = self.own_link(&mut own, path, foot, written, role);
        let mut named = self.named.borrow_mut();
        let seen = named.entry(name.clone()).or_default();
        seen.uses += 1;
        if !own.problems().is_empty() {
            seen.problems.push((foot.class.clone(), own.into_problems()));
        }
        link
    }

    pub(super) fn own_link(
        &self,
        reader: &mut Reader,
        path: &str,
        foot: &Foot<'s>,
        written: &LinkMap,
        role: LinkRole,
    ) -> Option<BoundLink> {
        let table = foot.table;
        let columns = own_columns(reader, path, table, &written.columns)?;
        let (to, to_columns, only) = self.far_end(reader, path, written, table, role)?;
        let when = bind_when(reader, &join(path, "when"), table, &written.when)?;
        let mut link = BoundLink {
            name: written.name.clone().unwrap_or_else(|| columns.join("+")),
            role,
            gone: WhenGone::Forbids,
            holds: false,
            columns,
            hops: Vec::new(),
            to_table: to.name.clone(),
            to_columns: own_columns(reader, path, to, &to_columns)?,
            heads: self.classes_of(&to.name),
            compare: written.compare,
            none: written.none.clone(),
            when,
            unless: Vec::new(),
            cleared: Vec::new(),
            by_value: false,
            may_be_ambiguous: false,
            is_enforced: table.foreign_key(&written.columns).is_some(),
        };
        self.go_on(reader, path, written, (table, to), &mut link)?;
        if let Some(class) = only {
            link.heads = vec![class];
        }
        self.check_ends(reader, path, foot, &mut link)?;
        Some(link)
    }

    /// Follows a way through tables that nobody mapped. If the next table is mapped, its first link is enough.
    fn go_on(
        &self,
        reader: &mut Reader,
        path: &str,
        written: &LinkMap,
        (from, to): (&'s Table, &'s Table),
        link: &mut BoundLink,
    ) -> Option<()> {
        if !link.heads.is_empty() {
            return self.check_rest(reader, path, &written.further, to, link);
        }
        let mut at = to;
        let mut before = from;
        let mut arrives = (link.columns.clone(), link.to_columns.clone());
        for (n, next) in written.further.iter().enumerate() {
            compare_alike(reader, path, (before, &arrives.0), (at, &arrives.1), next.compare)?;
            let columns = own_columns(reader, path, at, &next.columns)?;
            let when = bind_when(reader, &join(path, "when"), at, &next.when)?;
            link.hops.push(Hop {
                table: at.name.clone(),
                arrives: arrives.1.clone(),
                columns: columns.clone(),
                when,
            });
            let (far, far_columns, _) = self.far_end(reader, path, next, at, LinkRole::Owner)?;
            let far_columns = own_columns(reader, path, far, &far_columns)?;
            (before, at) = (at, far);
            arrives = (columns, far_columns);
            link.to_table = far.name.clone();
            link.to_columns.clone_from(&arrives.1);
            link.heads = self.classes_of(&far.name);
            if !link.heads.is_empty() {
                let rest = written.further.get(n + 1..).unwrap_or_default();
                return self.check_rest(reader, path, rest, far, link);
            }
        }
        // That nobody mapped the table is one problem, whoever leads there.
        if self.has_lost_tables || is_tied(self.map, self.schema, &at.name) {
            return None;
        }
        let what = format!("ends at table {}, which is not mapped, and not at the customers", at.name);
        reader.problem(path, what, "write the columns that lead on to the customers' key, or map that table");
        None
    }

    /// Checks the part of a way after a mapped table: it must equal that table's own owner.
    fn check_rest(
        &self,
        reader: &mut Reader,
        path: &str,
        rest: &[LinkMap],
        to: &Table,
        link: &BoundLink,
    ) -> Option<()> {
        let Some(next) = rest.first() else { return Some(()) };
        if self.is_root(&to.name) {
            let what = format!("reaches the customers at {} and goes on", link.columns.join(", "));
            reader.problem(path, what, "write the columns that lead to the customers' key, and no more");
            return None;
        }
        own_columns(reader, path, to, &next.columns)?;
        let is_there = |column: &String| to.column(column).is_some();
        let of_head = |class: &ClassName| {
            let record = self.map.records.get(class)?;
            let shared = record.shared.iter().filter_map(|shared| match shared {
                SharedMap::Own(link) => Some(link),
                SharedMap::Of(..) => None,
            });
            Some(record.owner.iter().chain(shared))
        };
        let same = link.heads.iter().filter_map(of_head).any(|mut owners| {
            owners.any(|owner| {
                let first = self.resolve(owner);
                // A missing owner is reported at that class.
                !first.columns.iter().all(is_there)
                    || first.columns.len() == next.columns.len()
                        && first.columns.iter().zip(&next.columns).all(|(a, b)| a.eq_ignore_ascii_case(b))
            })
        });
        if !same {
            let heads: Vec<&str> = link.heads.iter().map(ClassName::as_str).collect();
            reader.problem(
                path,
                format!(
                    "goes on from {} over {}, which is not the owner of {}",
                    to.name,
                    next.columns.join(", "),
                    heads.join(" or ")
                ),
                format!(
                    "write {} alone: {} has an owner of its own",
                    link.columns.join(", "),
                    heads.join(" or ")
                ),
            );
            return None;
        }
        Some(())
    }

    /// The target of a link, as the map says, as a foreign key says, or the customers. With the class, if the link
    /// leads only to that class.
    fn far_end(
        &self,
        reader: &mut Reader,
        path: &str,
        link: &LinkMap,
        table: &'s Table,
        role: LinkRole,
    ) -> Option<(&'s Table, Vec<String>, Option<ClassName>)> {
        own_columns(reader, path, table, &link.columns)?;
        let mut only = None;
        let (to_table, to_columns) = match &link.to {
            Some(Target::Table(table, columns)) => (table.clone(), columns.clone()),
            Some(Target::Class(class) | Target::Column(class, _)) => {
                if self.is_lost(class) {
                    return None;
                }
                let Some((_, table, key)) = self.classes.iter().find(|(name, ..)| name == class) else {
                    let known: Vec<&str> = self.classes.iter().map(|(name, ..)| name.as_str()).collect();
                    reader.problem(
                        join(path, "to"),
                        format!("{class}{IS_NO_CLASS}"),
                        suggest(class.as_str(), known),
                    );
                    return None;
                };
                only = Some(class.clone());
                let columns = match &link.to {
                    Some(Target::Column(_, column)) => vec![column.clone()],
                    _ => key.clone(),
                };
                (table.clone(), columns)
            }
            None => match table.foreign_key(&link.columns) {
                Some(key) => (key.to_table.clone(), key.to_columns.clone()),
                None if role != LinkRole::End && link.further.is_empty() => {
                    if self.is_own_key(reader, path, table, &link.columns) {
                        return None;
                    }
                    (self.map.customers.table.clone(), self.root_key().to_vec())
                }
                None => {
                    let way_out = if role == LinkRole::End {
                        "say where it leads: { to = \"class\", gone = \"…\" }, with a word such as \"goes\" or \"clear\""
                    } else {
                        "say where it leads: { column = \"…\", to = \"class\" } or { column = \"…\", table = \"…\", key = \"…\" }"
                    };
                    let what =
                        format!("no foreign key of {} starts at {}", table.name, link.columns.join(", "));
                    reader.problem(path, what, way_out);
                    return None;
                }
            },
        };
        let Some(next) = self.schema.table(&to_table) else {
            reader.problem(path, format!("there is no table {to_table}"), "mend the link");
            return None;
        };
        let to_columns = if to_columns.is_empty() { next.primary_key.clone() } else { to_columns };
        if to_columns.len() != link.columns.len() {
            reader.problem(
                path,
                format!("{} leads to {} columns of {}", link.columns.join(", "), to_columns.len(), next.name),
                format!("write as many columns on both ends: {} has {}", next.name, to_columns.join(", ")),
            );
            return None;
        }
        to_columns
            .iter()
            .all(|column| check_column(reader, path, next, column))
            .then_some((next, to_columns, only))
    }

    /// Reports the table's own key as an owner link without a target. If the table shares its keys with the customers,
    /// the map has to say so. Otherwise a record would belong to whoever has the same number by chance.
    fn is_own_key(&self, reader: &mut Reader, path: &str, table: &Table, columns: &[String]) -> bool {
        let key = &table.primary_key;
        let same = |column: &String| key.iter().any(|own| own.eq_ignore_ascii_case(column));
        if columns.len() != key.len() || !columns.iter().all(same) {
            return false;
        }
        let (column, to) = (paste::list(columns), paste::text(self.map.customers.class.as_str()));
        let to_root = table.foreign_keys.iter().filter(|key| self.is_root(&key.to_table));
        let others: Vec<String> = to_root.map(|key| paste::list(&key.columns)).collect();
        let other = if others.is_empty() {
            "the column that leads to the customer".to_owned()
        } else {
            others.join(" or ")
        };
        reader.problem(
            path,
            format!(
                "is the key of {} itself, and no foreign key says that it is a customer's key too",
                table.name
            ),
            format!(
                "write {other}, or {{ column = {column}, to = {to} }} where both tables share their keys"
            ),
        );
        true
    }

    /// Checks that both ends of a link compare equally, and that the far end is unique.
    fn check_ends(
        &self,
        reader: &mut Reader,
        path: &str,
        foot: &Foot<'_>,
        link: &mut BoundLink,
    ) -> Option<()> {
        let to = self.schema.table(&link.to_table)?;
        // A key with the tenant's column beside it, or the part of a key that is unique by itself, is no value that an
        // erasure writes.
        let has_all = |these: &[String], those: &[String]| {
            those.iter().all(|that| these.iter().any(|this| this.eq_ignore_ascii_case(that)))
        };
        let has_key = |columns: &[String], key: &[String]| has_all(columns, key) || has_all(key, columns);
        let to_root = self.is_root(&to.name);
        link.by_value = to_root && !has_key(&link.to_columns, self.root_key());
        let tells_apart = to.is_key(&link.to_columns);
        let end = format!("{}.{}", to.name, link.to_columns.join(", "));
        if !tells_apart && !link.by_value {
            reader.problem(
                path,
                format!("{end} does not tell the rows of {} apart, so rows of others would be taken", to.name),
                "link by a column that is a key of its own; of a row that several people have, say shared = [\"class.link\"]",
            );
            return None;
        }
        let far = link.to_columns.iter().filter_map(|column| to.column(column));
        let is_plain = far.clone().all(|column| column.collation.is_none());
        link.may_be_ambiguous = link.by_value
            && !(tells_apart && is_plain && matches!(link.compare, Compare::Exact | Compare::Text));
        if link.compare != Compare::Exact && link.columns.len() > 1 && !link.by_value {
            reader.problem(
                join(path, "compare"),
                "is said of several columns, and of a key only a single column is compared so",
                "leave it out, or link by one column",
            );
            return None;
        }
        self.is_within_tenant(reader, path, foot, link)?;
        let (near, arrives) = match link.hops.last() {
            Some(hop) => (self.schema.table(&hop.table)?, hop.columns.clone()),
            None => (foot.table, link.columns.clone()),
        };
        compare_alike(reader, path, (near, &arrives), (to, &link.to_columns), link.compare)
    }

    /// Reports a link by value that leads to customers of every tenant, although the row says which tenant it is of. A customer
    /// who belongs to several tenants may have rows in each of them.
    fn is_within_tenant(
        &self,
        reader: &mut Reader,
        path: &str,
        foot: &Foot<'_>,
        link: &BoundLink,
    ) -> Option<()> {
        let customers = &self.map.customers;
        let is_open = link.by_value && link.hops.is_empty() && customers.tenants.is_none();
        let Some(tenant) = across_tenants(customers, link).filter(|_| is_open) else { return Some(()) };
        let Some(own) = tenant.and_then(|tenant| foot.table.column(tenant)) else { return Some(()) };
        let columns = |first: &str, others: &[String]| paste::list(&[&[first.to_owned()], others].concat());
        reader.problem(
            path,
            format!(
                "compares {} with the customers of every tenant, and {}.{} says of which tenant a row is: a row of one tenant \
                 would be a customer's of another one",
                link.columns.join(", "),
                foot.table.name,
                own.name
            ),
            format!(
                "compare the tenant too: {{ column = {}, table = {}, key = {}{} }}",
                columns(&own.name, &link.columns),
                paste::text(&customers.table),
                columns(tenant.unwrap_or_default(), &link.to_columns),
                if link.compare == Compare::Exact {
                    String::new()
                } else {
                    format!(", compare = {}", paste::text(link.compare.as_str()))
                }
            ),
        );
        None
    }

    /// Marks the links that other classes' `shared` names as holding, and creates those that do not exist yet.
    #[allow(clippy::too_many_arguments, reason = "both classes and the link between them")]
    pub(super) fn hold(
        &self,
        reader: &mut Reader,
        (at, n): (&str, usize),
        holder: &Foot<'s>,
        name: &str,
        held: &ClassName,
        ends: &Ends,
        links: &mut Vec<BoundLink>,
    ) {
        let path = format!("{}[{n}]", join(at, "shared"));
        if !links.iter().any(|link| link.name.eq_ignore_ascii_case(name)) {
            let written = self.resolve(&self.word(holder, name));
            if self.says_no_target(reader, &path, holder, &written, held) {
                return;
            }
            let Some(mut link) = self.link(reader, &path, holder, &written, LinkRole::End) else { return };
            name.clone_into(&mut link.name);
            // If nobody says what happens to such a link, the schema may say it. Otherwise it is cleared if it takes
            // NULL.
            let mut keys = holder.table.foreign_keys.iter();
            let key = keys.find(|key| is_covered(key, std::slice::from_ref(&link)));
            let said = ends.links.contains_key(name);
            let by_schema = key.filter(|_| !said).and_then(|key| by_schema(ends, holder, key));
            if let Some(end) = by_schema {
                say_gone(reader, &join(&join(&holder.path, "ends"), name), holder, &mut link, &end);
            } else if !said {
                let clear = clearable(holder, &link, &[]);
                if !clear.is_empty() {
                    link.gone = WhenGone::Clear;
                    link.cleared = clear.into_iter().map(|column| (column, Value::Null)).collect();
                }
            }
            links.push(link);
        }
        for link in links.iter_mut().filter(|link| link.name.eq_ignore_ascii_case(name)) {
            if !link.heads.contains(held) {
                let heads: Vec<&str> = link.heads.iter().map(ClassName::as_str).collect();
                reader.problem(
                    &path,
                    format!("{}.{name} leads to {}, and not to {held}", holder.class, heads.join(" or ")),
                    "name a link that leads to this class",
                );
                return;
            }
            link.holds = true;
        }
    }

    /// Reports foreign keys between mapped tables that the map neither uses nor dismisses.
    pub(super) fn check_foreign_keys(
        &self,
        reader: &mut Reader,
        foot: &Foot<'s>,
        ends: &Ends,
        links: &mut Vec<BoundLink>,
        missed: &BTreeSet<ClassName>,
    ) {
        for key in &foot.table.foreign_keys {
            let heads = self.classes_of(&key.to_table);
            if heads.is_empty() || is_covered(key, links) || is_fixed_at_null(foot.when, key) {
                continue;
            }
            let name = self.name_of(&key.columns);
            let path = join(&join(&foot.path, "ends"), &name);
            if let Some((end, mut link)) = self.link_by_schema(ends, foot, key) {
                link.name = name;
                say_gone(reader, &path, foot, &mut link, &end);
                links.push(link);
                continue;
            }
            if let Some(held) = heads.iter().find(|class| missed.contains(*class)) {
                let at = format!("{}.shared[", join("records", held.as_str()));
                if let Some(problem) = reader.first(|problem| problem.path.starts_with(&at)) {
                    problem.way_out.push_str("; what leads there is ");
                    problem.way_out.push_str(&join(foot.class.as_str(), &name));
                }
                continue;
            }
            let to: Vec<&str> = heads.iter().map(ClassName::as_str).collect();
            let ways = self.ways(foot, key, links);
            reader.problem_to_paste(
                path,
                format!(
                    "{}.{name} leads to {}, and the map does not say what that means",
                    foot.class,
                    to.join(" or ")
                ),
                match ways.as_slice() {
                    [] => "give both ends one type, or write the link out".to_owned(),
                    ways => {
                        format!("write {}", ways.iter().map(Way::to_string).collect::<Vec<_>>().join("; or "))
                    }
                },
                self.lines(foot, ends, &name, &ways),
            );
        }
    }

    /// The link of a foreign key whose meaning the schema gives. If its ends do not compare equally, the map has to
    /// say more.
    pub(super) fn link_by_schema(
        &self,
        ends: &Ends,
        foot: &Foot<'s>,
        key: &ForeignKey,
    ) -> Option<(EndMap, BoundLink)> {
        let end = by_schema(ends, foot, key)?;
        let written = LinkMap::of(key.columns.clone());
        Some((end, self.own_link(&mut Reader::default(), "", foot, &written, LinkRole::End)?))
    }

    /// The named link that starts at these columns, or else the columns themselves.
    pub(super) fn name_of(&self, columns: &[String]) -> String {
        let same = |link: &LinkMap| {
            link.columns.len() == columns.len()
                && link.columns.iter().zip(columns).all(|(a, b)| a.eq_ignore_ascii_case(b))
        };
        let named = self.map.links.iter().find(|(_, link)| link.to.is_none() && same(link));
        named.map_or_else(|| columns.join("+"), |(name, _)| name.clone())
    }
}

/// Sets what happens at an end, if it is possible.
fn say_gone(reader: &mut Reader, path: &str, foot: &Foot<'_>, link: &mut BoundLink, end: &EndMap) {
    link.gone = end.gone.clone();
    match &end.gone {
        WhenGone::Clear => {
            let columns = clearable(foot, link, &[]);
            match (&end.cleared, link.none.iter().find(|value| **value != Value::Null)) {
                (Some(value), _) => {
                    link.cleared =
                        link.columns.iter().map(|column| (column.clone(), value.clone())).collect();
                    // The value means nobody. Otherwise an erasure would give the record to whoever has this key.
                    if !link.none.contains(value) {
                        link.none.push(value.clone());
                    }
                }
                (None, _) if !columns.is_empty() => {
                    link.cleared = columns.into_iter().map(|column| (column, Value::Null)).collect();
                }
                (None, Some(none)) => {
                    link.cleared = link.columns.iter().map(|column| (column.clone(), none.clone())).collect();
                }
                // A policy that would ever have to clear such a link is refused.
                (None, None) if link.columns.iter().any(|column| divides(foot, column)) => {}
                (None, None) => reader.problem(
                    path,
                    format!(
                        "cannot be cleared: {} takes no NULL, or is part of the key",
                        link.columns.join(", ")
                    ),
                    if foot.path == "customers" {
                        "write { clear = value } with a value that means nobody"
                    } else {
                        "write \"goes\", or { clear = value } with a value that means nobody"
                    },
                ),
            }
        }
        WhenGone::Goes | WhenGone::Same => {
            if foot.path == "customers" {
                let can_clear = !clearable(foot, link, &[]).is_empty();
                let words = [(can_clear, "\"clear\""), (!link.is_enforced, "{ keep = \"reason\" }")];
                let mut words: Vec<&str> =
                    words.into_iter().filter(|(can, _)| *can).map(|(_, word)| word).collect();
                if words.is_empty() {
                    words.push("{ clear = value } with a value that means nobody");
                }
                reader.problem(
                    path,
                    "would treat a customer because another one leaves",
                    format!("write {}", words.join(" or ")),
                );
            }
            // If the row is only anonymised, the link is cleared if possible.
            let columns = clearable(foot, link, &[]);
            let none = link.none.iter().find(|value| **value != Value::Null).filter(|_| columns.is_empty());
            link.cleared = match none {
                Some(none) if !link.columns.iter().any(|column| divides(foot, column)) => {
                    link.columns.iter().map(|column| (column.clone(), none.clone())).collect()
                }
                _ => columns.into_iter().map(|column| (column, Value::Null)).collect(),
            };
        }
        WhenGone::StandIn | WhenGone::Keep { .. } | WhenGone::Forbids => {}
    }
}

/// Whether a column distinguishes the classes of its table.
fn divides(foot: &Foot<'_>, column: &str) -> bool {
    foot.divides.iter().any(|name| name.eq_ignore_ascii_case(column))
}

/// The meaning of a foreign key by the schema, if the map uses the schema. `SET NULL` has no meaning if no column takes
/// NULL, and `SET DEFAULT` has none if the default is no constant, or if the columns have different defaults.
fn by_schema(ends: &Ends, foot: &Foot<'_>, key: &ForeignKey) -> Option<EndMap> {
    let end = |gone: WhenGone, cleared: Option<Value>| Some(EndMap { gone, cleared, link: None });
    let columns: Option<Vec<&Column>> = key.columns.iter().map(|column| foot.table.column(column)).collect();
    match key.on_delete {
        _ if !ends.by_schema => None,
        OnDelete::Cascade => end(WhenGone::Goes, None),
        OnDelete::SetNull => columns?.iter().any(|own| own.nullable).then(|| end(WhenGone::Clear, None))?,
        OnDelete::SetDefault => {
            let columns = columns?;
            let (first, rest) = columns.split_first()?;
            let alike = rest.iter().all(|own| own.default == first.default);
            match &first.default {
                Some(value) if alike => end(WhenGone::Clear, Some(value.clone())),
                // Without a default the columns get NULL.
                None if columns.iter().all(|own| own.nullable && !own.has_default) => {
                    end(WhenGone::Clear, None)
                }
                Some(_) | None => None,
            }
        }
        OnDelete::Nothing => None,
    }
}

/// Whether a link by value leads to customers of every tenant: then the column with the tenant, if it is a column. `None` if
/// there is one tenant only, or if the link compares the tenant too.
#[allow(clippy::option_option, reason = "a tenant that no column holds is not the same as no other tenant")]
pub(super) fn across_tenants<'m>(customers: &'m CustomersMap, link: &BoundLink) -> Option<Option<&'m str>> {
    match &customers.tenant {
        _ if !link.by_value => None,
        TenantSource::Is(_) => None,
        TenantSource::From(Source::Column(tenant)) => {
            let is_compared = link.to_columns.iter().any(|column| column.eq_ignore_ascii_case(tenant));
            (!is_compared).then_some(Some(tenant.as_str()))
        }
        TenantSource::From(_) => Some(None),
    }
}

/// Whether a link covers a foreign key: it has the same columns, or more columns, such as the tenant's.
pub(super) fn is_covered(key: &ForeignKey, links: &[BoundLink]) -> bool {
    links.iter().any(|link| {
        let first = link.hops.first().map_or(&link.to_table, |hop| &hop.table);
        first.eq_ignore_ascii_case(&key.to_table)
            && link
                .columns
                .iter()
                .all(|column| key.columns.iter().any(|own| own.eq_ignore_ascii_case(column)))
    })
}

/// Whether all rows of the class have NULL in a column of the key, so that it leads nowhere.
pub(super) fn is_fixed_at_null(when: &When, key: &ForeignKey) -> bool {
    let When::Values(values) = when else { return false };
    values
        .iter()
        .any(|(column, is)| *is == Is::Null && key.columns.iter().any(|own| own.eq_ignore_ascii_case(column)))
}

/// The columns of a link that can be cleared: nullable columns that belong neither to the key nor to another link by
/// which the row hangs.
pub(super) fn clearable(foot: &Foot<'_>, link: &BoundLink, others: &[BoundLink]) -> Vec<String> {
    let is_fixed = |column: &String| {
        let is = |name: &String| name.eq_ignore_ascii_case(column);
        let held = |other: &&BoundLink| other.role != LinkRole::End && other.columns != link.columns;
        foot.table.primary_key.iter().any(is)
            || foot.key.iter().any(is)
            || others.iter().filter(held).any(|other| other.columns.iter().any(is))
            || foot.divides.iter().any(is)
    };
    link.columns
        .iter()
        .filter(|column| !is_fixed(column))
        .filter_map(|column| foot.table.column(column))
        .filter(|column| column.nullable && !column.computed)
        .map(|column| column.name.clone())
        .collect()
}

/// The columns in the table's own spelling.
fn own_columns(reader: &mut Reader, path: &str, table: &Table, columns: &[String]) -> Option<Vec<String>> {
    let known: Vec<bool> = columns.iter().map(|column| check_column(reader, path, table, column)).collect();
    if known.contains(&false) {
        return None;
    }
    columns.iter().map(|column| own_name(table, column)).collect()
}

/// Conditions, with the columns in the table's own spelling.
pub(super) fn bind_when(
    reader: &mut Reader,
    path: &str,
    table: &Table,
    when: &When,
) -> Option<Vec<(String, Is)>> {
    let values = match when {
        When::All => return Some(Vec::new()),
        When::Values(values) => values,
        When::Rest => {
            reader.problem(path, "cannot be the rest of a link", "name the columns and their values");
            return None;
        }
    };
    let bound: BTreeMap<&String, &Is> = values.iter().collect();
    let known: Vec<bool> = bound.keys().map(|column| check_column(reader, path, table, column)).collect();
    if known.contains(&false) {
        return None;
    }
    bound.into_iter().map(|(column, is)| Some((own_name(table, column)?, is.clone()))).collect()
}

/// Checks that columns without a conversion have the same type.
fn compare_alike(
    reader: &mut Reader,
    path: &str,
    (table, columns): (&Table, &[String]),
    (to, to_columns): (&Table, &[String]),
    compare: Compare,
) -> Option<()> {
    // The root store looks for its customers by exact values, so the texts of another store have to be compared exactly, too.
    let is_beside = to.name == PEOPLE;
    if compare != Compare::Exact && !(is_beside && compare == Compare::Text) {
        return Some(());
    }
    for (near, far) in columns.iter().zip(to_columns) {
        let (near, far) = (table.column(near)?, to.column(far)?);
        let same_collation = is_same_collation(near, far);
        if is_beside && !same_collation {
            reader.problem(
                path,
                format!(
                    "{}.{} takes different values for equal, by its collation or type, and the root store tells its customers apart \
                     by them: records of several customers would be taken for one's",
                    table.name, near.name
                ),
                "let the column compare exactly, or name the customer in another column",
            );
            return None;
        }
        if (compare == Compare::Exact && near.datatype != far.datatype) || !same_collation {
            let differ =
                if same_collation { "they differ in type" } else { "one of them has another collation" };
            let word = if same_collation { Compare::Text } else { Compare::NoCase }.as_str();
            let way_out = if columns.len() == 1 {
                format!(
                    "say how they are compared: {{ column = \"{}\", …, compare = \"{word}\" }}",
                    near.name
                )
            } else {
                // Of several columns none is converted.
                "give both columns the same type and collation, or link by a single column".to_owned()
            };
            reader.problem(
                path,
                format!(
                    "{}.{} and {}.{} do not compare alike: {differ}",
                    table.name, near.name, to.name, far.name
                ),
                way_out,
            );
            return None;
        }
    }
    Some(())
}

/// Whether two columns compare texts in the same way.
pub(super) fn is_same_collation(near: &Column, far: &Column) -> bool {
    match (&near.collation, &far.collation) {
        (None, None) => true,
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => false,
    }
}
