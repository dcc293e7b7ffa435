//! Drafts lines for a foreign key or a table that the map does not mention. Each draft is checked against the same
//! rules as a real map, so that no pasted lines lead to the next error.

use std::collections::BTreeSet;
use std::fmt;

use super::links::{Compare, EndMap, LinkMap, LinkRef, SharedMap, Target, When};
use super::map::{Ends, SqlMap};
use super::paste;
use super::schema::{Column, ForeignKey, Table};
use super::way::{Binder, BoundLink, Foot, clearable, is_covered, is_fixed_at_null, is_same_collation};
use crate::data_map::{ClassName, Datatype, LinkRole, WhenGone, is_reserved};
use crate::document::{Reader, join};

impl<'s> Binder<'s> {
    /// The possible meanings of a foreign key that the map does not mention. Contains only what the check would
    /// accept.
    pub(super) fn ways(&self, foot: &Foot<'s>, key: &ForeignKey, links: &[BoundLink]) -> Vec<Way> {
        let name = self.name_of(&key.columns);
        // A named link defines its own comparison.
        let named = self.map.links.get(&name).cloned();
        let written = named.unwrap_or_else(|| LinkMap::of(key.columns.clone()));
        let Some((link, compare)) = self.compared(foot, &written, LinkRole::End) else { return Vec::new() };
        let takes_null = !clearable(foot, &link, links).is_empty();
        let is_record = foot.path != "customers";
        let is_plain = compare == written.compare;
        let compare = (!is_plain).then_some(compare);
        let mut ways = Vec::new();
        let end = |word, when| Way::End { name: name.clone(), compare, word, when };
        if is_record {
            ways.push(end("goes", "this record is treated with what it leads to"));
        }
        if takes_null {
            ways.push(end("clear", "the record stays and the link is cleared"));
        }
        let is_key = !link.by_value && compare != Some(Compare::NoCase);
        if is_key && self.is_root(&key.to_table) {
            ways.push(match self.map.customers.unknown {
                Some(_) => end("stand-in", "the \"Unknown Customer\" takes that place"),
                None => Way::StandIn { name: name.clone() },
            });
        }
        if is_record && is_plain && !self.is_root(&key.to_table) {
            ways.push(Way::Keep { name: name.clone() });
        }
        // A composite key is not the name of a column.
        let has_name = key.columns.len() == 1 || self.map.links.contains_key(&name);
        if is_record && is_plain && has_name {
            let shared = self.shared_as_well(foot, links, &name, Some(&link));
            ways.extend(shared.map(|shared| Way::Shared { shared, is_own: true }));
        }
        if is_plain
            && takes_null
            && !self.is_root(&key.to_table)
            && let [class] = self.classes_of(&key.to_table).as_slice()
            && let Some(held) = self.foot_of(class)
        {
            let own = self.own_links(&held);
            let shared = self.shared_as_well(&held, &own, &format!("{}.{name}", foot.class), None);
            ways.extend(shared.map(|shared| Way::Shared { shared, is_own: false }));
        }
        ways
    }

    /// The `shared` list of a class with one more link: `own`, or a link of another class. Every link by which such a
    /// record hangs must be clearable, because the record may stay with another owner.
    fn shared_as_well(
        &self,
        foot: &Foot<'s>,
        links: &[BoundLink],
        more: &str,
        own: Option<&BoundLink>,
    ) -> Option<Shared> {
        let record = self.map.records.get(foot.class).filter(|record| record.alike.is_none())?;
        // `same` requires that no record at either end is shared.
        let is_same = |end: &EndMap| end.gone == WhenGone::Same;
        let ends = self.map.records.values().flat_map(|record| record.ends.links.values());
        if ends.chain(self.map.customers.ends.links.values()).any(is_same) {
            return None;
        }
        let (mut list, mut ends) = (Vec::new(), Vec::new());
        let owner = record.owner.iter().map(|link| match link {
            LinkRef::Word(word) if record.owner.len() == 1 => Some(word.clone()),
            LinkRef::Word(_) | LinkRef::Full(_) => None,
        });
        let shared = record.shared.iter().map(|shared| match shared {
            SharedMap::Own(LinkRef::Word(word)) => Some(word.clone()),
            SharedMap::Own(LinkRef::Full(_)) => None,
            SharedMap::Of(class, link) => Some(format!("{class}.{link}")),
        });
        for name in owner.chain(shared) {
            list.push(name?);
        }
        for link in links.iter().filter(|link| link.role != LinkRole::End).chain(own) {
            let is_key = matches!(link.compare, Compare::Exact | Compare::Text) && !link.by_value;
            let to_root = link.heads.len() == 1 && link.heads.first() == Some(&self.map.customers.class);
            let name = if own.is_some_and(|own| std::ptr::eq(own, link)) { more } else { &link.name };
            match &link.gone {
                WhenGone::Clear | WhenGone::StandIn => {}
                WhenGone::Forbids if !clearable(foot, link, links).is_empty() => {
                    ends.push((name.to_owned(), "clear"));
                }
                WhenGone::Forbids
                    if is_key && to_root && self.map.customers.unknown.is_some() && link.hops.is_empty() =>
                {
                    ends.push((name.to_owned(), "stand-in"));
                }
                WhenGone::Forbids | WhenGone::Goes | WhenGone::Same | WhenGone::Keep { .. } => return None,
            }
        }
        if !ends.is_empty() && record.ends.is_word {
            return None;
        }
        list.push(more.to_owned());
        let instead_of_owner = !record.owner.is_empty();
        Some(Shared { class: foot.class.clone(), list, instead_of_owner, ends })
    }

    /// A class of the map, with its place and its table.
    fn foot_of(&self, class: &'s ClassName) -> Option<Foot<'s>> {
        let (_, table, key) = self.classes.iter().find(|(name, ..)| name == class)?;
        let (record, table) = (self.map.records.get(class)?, self.schema.table(table)?);
        Some(Foot {
            path: join("records", class.as_str()),
            class,
            table,
            when: &record.when,
            key: key.clone(),
            divides: self.map.conditions(&table.name),
        })
    }

    /// The valid links of a class.
    fn own_links(&self, foot: &Foot<'s>) -> Vec<BoundLink> {
        let Some(record) = self.map.records.get(foot.class) else { return Vec::new() };
        self.links(&mut Reader::default(), foot, &record.owner, &record.shared, &record.ends).0
    }

    /// The link with the first comparison that both ends allow: the ends may differ in type, or in how they compare.
    pub(super) fn compared(
        &self,
        foot: &Foot<'s>,
        written: &LinkMap,
        role: LinkRole,
    ) -> Option<(BoundLink, Compare)> {
        let linked = |compare: Compare| {
            let written = LinkMap { compare, ..written.clone() };
            Some((self.own_link(&mut Reader::default(), "", foot, &written, role)?, compare))
        };
        // Columns of different collations are compared without regard to case.
        let is_text = |(link, _): &(BoundLink, Compare)| {
            let to = self.schema.table(&link.to_table);
            let mut ends = link.columns.iter().zip(&link.to_columns);
            ends.all(|(near, far)| {
                let ends = foot.table.column(near).zip(to.and_then(|to| to.column(far)));
                ends.is_none_or(|(near, far)| is_same_collation(near, far))
            })
        };
        linked(written.compare)
            .or_else(|| linked(Compare::Text).filter(is_text))
            .or_else(|| linked(Compare::NoCase))
            .or_else(|| linked(Compare::Text))
    }

    /// Reports a link of another class by which records are shared, if nothing says where that link leads. Returns
    /// whether there is such a problem. The lines say where it leads; a person chooses what happens at the end.
    pub(super) fn says_no_target(
        &self,
        reader: &mut Reader,
        path: &str,
        holder: &Foot<'s>,
        written: &LinkMap,
        held: &ClassName,
    ) -> bool {
        let [column] = written.columns.as_slice() else { return false };
        let is_there = holder.table.column(column).is_some();
        let is_plain = written.name.is_none() && written.to.is_none() && written.further.is_empty();
        if !is_there || !is_plain || holder.table.foreign_key(&written.columns).is_some() {
            return false;
        }
        let end = join(&join(&holder.path, "ends"), column);
        if reader.first(|problem| problem.path == end).is_some() {
            return true; // The end itself says no target, and that is said.
        }
        let what = format!("no foreign key of {} starts at {column}", holder.table.name);
        let leads = LinkMap { to: Some(Target::Class(held.clone())), ..written.clone() };
        let Some((bound, compare)) = self.compared(holder, &leads, LinkRole::End) else {
            let way_out = format!("name a link that leads to the key of {held}");
            reader.problem(path, what, way_out);
            return true;
        };
        let clear = !clearable(holder, &bound, &[]).is_empty();
        let words = [("\"clear\"", clear), ("\"goes\"", holder.path != "customers")];
        let words: Vec<&str> = words.into_iter().filter(|(_, can)| *can).map(|(word, _)| word).collect();
        let compare = match compare {
            Compare::Exact => String::new(),
            other => format!(", compare = {}", paste::text(other.as_str())),
        };
        let end_of =
            |gone: &str| format!("{{ to = {}{compare}, gone = {gone} }}", paste::text(held.as_str()));
        let Some(first) = words.first() else {
            let way_out = format!("say at {end} where it leads: {}", end_of("{ clear = value }"));
            reader.problem(path, what, way_out);
            return true;
        };
        let is_alike = self.map.records.get(holder.class).is_some_and(|record| record.alike.is_some());
        let place = if holder.path == "customers" {
            vec!["customers", "ends"]
        } else {
            vec!["records", holder.class.as_str(), "ends"]
        };
        let ends = self.map.records.get(holder.class).map_or(&self.map.customers.ends, |record| &record.ends);
        let lines = || {
            let header = paste::header(&place);
            let choice = paste::todo_in(column, &end_of(&paste::text(paste::TODO)), &words.join(" or "));
            format!("{header}\n{choice}")
        };
        reader.problem_to_paste(
            path,
            what,
            format!("say where it leads: {end} = {}", end_of(first)),
            (!ends.is_word && !is_alike).then(lines),
        );
        true
    }

    /// The possible meanings as lines to paste.
    pub(super) fn lines(&self, foot: &Foot<'s>, ends: &Ends, name: &str, ways: &[Way]) -> Option<String> {
        let class = foot.class.as_str();
        let place = if foot.path == "customers" { vec!["customers"] } else { vec!["records", class] };
        let words: Vec<String> = ways.iter().filter_map(Way::word).collect();
        // A class of an `[[alike]]` group takes lines for its ends, but has no owner of its own.
        let is_alike = self.map.records.get(foot.class).is_some_and(|record| record.alike.is_some());
        let others = ways.iter().filter_map(|way| way.elsewhere(&place, is_alike));
        if words.is_empty() {
            // The only possible meaning is that the other record hangs from this one.
            return ways.iter().find_map(|way| {
                let Way::Shared { shared, is_own: false } = way else { return None };
                let is_one_line = !shared.instead_of_owner && shared.ends.is_empty();
                is_one_line
                    .then(|| paste::set(&["records", shared.class.as_str()], "shared", &shared.value()))
            });
        }
        // A class with `ends = "schema"` has no table into which lines could be pasted.
        if ends.is_word {
            return None;
        }
        let mut lines = paste::header(&[&place[..], &["ends"]].concat());
        lines.push('\n');
        lines.push_str(&end_to_choose(name, ways));
        for other in others.flatten() {
            lines.push('\n');
            lines.push_str(&other);
        }
        Some(lines)
    }

    /// The binder's last class, which nobody mapped yet, as lines to paste. `way` leads from its table to a mapped
    /// table. `None` if the check would not accept the lines.
    pub(super) fn draft(&self, way: &[Vec<String>]) -> Option<String> {
        let (class, table, key) = self.classes.last()?;
        let table = self.schema.table(table)?;
        let foot = Foot {
            path: join("records", class.as_str()),
            class,
            table,
            when: &When::All,
            key: key.clone(),
            divides: BTreeSet::new(),
        };
        let (first, further) = way.split_first()?;
        let plain = LinkMap {
            further: further.iter().cloned().map(LinkMap::of).collect(),
            ..LinkMap::of(first.clone())
        };
        let (owner, compare) = self.compared(&foot, &plain, LinkRole::Owner)?;
        let mut block = paste::header(&["records", class.as_str()]);
        let mut line = |text: &str| {
            block.push('\n');
            block.push_str(text);
        };
        if class.as_str() != table.name {
            line(&format!("table = {}", paste::text(&table.name)));
        }
        match (compare, first.as_slice(), further) {
            (Compare::Exact, ..) => line(&format!("owner = {}", paste::way(way))),
            (_, [column], []) => {
                line(&format!("owner = {}", paste::compared_link(column, compare.as_str())));
            }
            _ => return None,
        }
        let links = [owner];
        let own_ends = Ends { by_schema: self.map.by_schema, ..Ends::default() };
        let mut ends = Vec::new();
        for key in &table.foreign_keys {
            let is_mapped = !self.classes_of(&key.to_table).is_empty();
            if !is_mapped || is_covered(key, &links) || self.link_by_schema(&own_ends, &foot, key).is_some() {
                continue;
            }
            let name = self.name_of(&key.columns);
            let ways = self.ways(&foot, key, &links);
            if ways.is_empty() {
                return None;
            }
            ends.push(end_to_choose(&name, &ways));
        }
        if !ends.is_empty() {
            line(&paste::header(&["records", class.as_str(), "ends"]));
            for end in &ends {
                line(end);
            }
        }
        let is_linked = |column: &str| {
            let is = |name: &String| name.eq_ignore_ascii_case(column);
            let by_value = links.iter().any(|link| link.by_value && link.columns.iter().any(is));
            let leads =
                |key: &ForeignKey| !self.classes_of(&key.to_table).is_empty() && key.columns.iter().any(is);
            let by_key = table.foreign_keys.iter().any(leads);
            links.iter().any(|link| !link.by_value && link.columns.iter().any(is)) || !by_value && by_key
        };
        let is_known = |column: &Column| {
            let is_key = foot.key.iter().any(|name| name.eq_ignore_ascii_case(&column.name));
            is_key && column.datatype != Datatype::Text || is_linked(&column.name)
        };
        let columns = table.columns.iter().filter(|column| !is_known(column));
        let columns: Vec<&str> = columns.map(|column| column.name.as_str()).collect();
        if !columns.is_empty() {
            line(&paste::fields_block(&["records", class.as_str()], table, &columns, true));
        }
        line(&format!("# or, in [ignore]: {} = \"the reason\"", paste::key(&table.name)));
        for end in self.ends_at_draft(table) {
            line(&end);
        }
        Some(block)
    }

    /// Lines for the foreign keys of mapped tables that reference the binder's last class. They have to be explained
    /// once that class is mapped.
    fn ends_at_draft(&self, table: &Table) -> Vec<String> {
        let mapped = self.classes.split_last().map_or(&[][..], |(_, mapped)| mapped);
        let mut block = Vec::new();
        for (n, (class, own, key)) in mapped.iter().enumerate() {
            let record = self.map.records.get(class).filter(|_| n > 0);
            let Some(own) = self.schema.table(own) else { continue };
            let place = record.map_or_else(|| vec!["customers"], |_| vec!["records", class.as_str()]);
            let customers = &self.map.customers;
            let ends = record.map_or(&customers.ends, |record| &record.ends);
            let foot = Foot {
                path: place.join("."),
                class,
                table: own,
                when: record.map_or(&customers.when, |record| &record.when),
                key: key.clone(),
                divides: self.map.conditions(&own.name),
            };
            let owner = record.map_or(&[][..], |record| &record.owner);
            let shared = record.map_or(&[][..], |record| &record.shared);
            let (links, _) = self.links(&mut Reader::default(), &foot, owner, shared, ends);
            let keys = own.foreign_keys.iter().filter(|key| key.to_table.eq_ignore_ascii_case(&table.name));
            for key in keys {
                let is_said = is_covered(key, &links)
                    || is_fixed_at_null(foot.when, key)
                    || ends.is_word
                    || self.link_by_schema(ends, &foot, key).is_some();
                let ways = self.ways(&foot, key, &links);
                if !is_said && ways.iter().any(|way| way.word().is_some()) {
                    block.push(paste::header(&[&place[..], &["ends"]].concat()));
                    block.push(end_to_choose(&self.name_of(&key.columns), &ways));
                }
            }
        }
        block
    }
}

/// A free name for the class of a table: the table's own name, unless it is taken.
pub(super) fn free_name(map: &SqlMap, table: &str) -> ClassName {
    let is_taken = |name: &str| {
        map.records.keys().chain([&map.customers.class]).any(|class| class.as_str() == name)
            || is_reserved(name)
    };
    let mut name = table.to_owned();
    while is_taken(&name) {
        name.push_str("_row");
    }
    name.into()
}

/// A possible meaning of a foreign key.
pub(super) enum Way {
    /// A word for the end.
    End { name: String, compare: Option<Compare>, word: &'static str, when: &'static str },
    /// The link leads to the "Unknown Customer" then. The map does not define one yet.
    StandIn { name: String },
    /// The link stays as it is.
    Keep { name: String },
    /// The record also belongs to that end. If not `is_own`: the record at the end belongs to this record's owner.
    Shared { shared: Shared, is_own: bool },
}

/// The `shared` list that a class would need.
pub(super) struct Shared {
    class: ClassName,
    list: Vec<String>,
    /// Whether the list replaces `owner`.
    instead_of_owner: bool,
    /// What must be said of its links, so that they can be cleared.
    ends: Vec<(String, &'static str)>,
}

impl Shared {
    /// The list in TOML: `["sender_id", "reader_id"]`.
    fn value(&self) -> String {
        format!("[{}]", self.list.iter().map(|name| paste::text(name)).collect::<Vec<_>>().join(", "))
    }

    /// The lines, as comments.
    fn lines(&self) -> Vec<String> {
        let place = ["records", self.class.as_str()];
        let instead = if self.instead_of_owner { ", instead of owner" } else { "" };
        let mut lines =
            vec![format!("# or, in {}{instead}: shared = {}", paste::header(&place), self.value())];
        let header = paste::header(&[&place[..], &["ends"]].concat());
        for (name, word) in &self.ends {
            lines.push(format!("#   and, in {header}: {} = {}", paste::key(name), paste::text(word)));
        }
        lines
    }
}

/// The word for an end, with the comparison if the map has to say it.
pub(super) fn end(compare: Option<Compare>, word: &str) -> String {
    match compare {
        None => paste::text(word),
        Some(compare) => {
            format!("{{ compare = {}, gone = {} }}", paste::text(compare.as_str()), paste::text(word))
        }
    }
}

/// The line for an end whose word a person has to choose.
fn end_to_choose(name: &str, ways: &[Way]) -> String {
    let words: Vec<String> = ways.iter().filter_map(Way::word).collect();
    let compare =
        ways.iter().find_map(|way| if let Way::End { compare, .. } = way { *compare } else { None });
    paste::todo_in(name, &end(compare, paste::TODO), &words.join(" or "))
}

impl Way {
    fn word(&self) -> Option<String> {
        match self {
            Self::End { word, .. } => Some(paste::text(word)),
            Self::StandIn { .. } | Self::Keep { .. } | Self::Shared { .. } => None,
        }
    }

    /// The alternative to a word, as comments.
    fn elsewhere(&self, place: &[&str], is_alike: bool) -> Option<Vec<String>> {
        match self {
            Self::End { .. } | Self::StandIn { .. } => None,
            Self::Keep { .. } | Self::Shared { is_own: true, .. } if is_alike => None,
            Self::Keep { name } => Some(vec![format!(
                "# or, in {}, where what it leads to is never deleted: {} = {{ keep = \"reason\" }}",
                paste::header(&[place, &["ends"]].concat()),
                paste::key(name)
            )]),
            Self::Shared { shared, .. } => Some(shared.lines()),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End { name, compare, word, when } => {
                let end = end(*compare, word);
                write!(f, "ends.{} = {end} where {when}", paste::key(name))
            }
            Self::StandIn { name } => write!(
                f,
                "ends.{} = \"stand-in\" and customers.unknown_customer, where the \"Unknown Customer\" takes that place",
                paste::key(name)
            ),
            Self::Keep { name } => write!(
                f,
                "ends.{} = {{ keep = \"reason\" }} where what it leads to is never deleted, and the link stays",
                paste::key(name)
            ),
            Self::Shared { shared, is_own } => {
                write!(f, "shared = {}", shared.value())?;
                if shared.instead_of_owner {
                    f.write_str(" instead of owner")?;
                }
                if !is_own {
                    write!(f, " at records.{}", shared.class)?;
                }
                for (n, (name, word)) in shared.ends.iter().enumerate() {
                    let and = if n == 0 { ", with" } else { " and" };
                    write!(f, "{and} ends.{} = {}", paste::key(name), paste::text(word))?;
                }
                f.write_str(if *is_own {
                    ", where the record belongs to that end as well"
                } else {
                    ", where that record belongs to whoever has this one"
                })
            }
        }
    }
}
