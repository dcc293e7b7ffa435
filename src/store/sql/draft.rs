//! What the map could say of a foreign key or a table that it does not mention, as lines to paste. Each is held against the same
//! constraints as a map that says so, so that no lines lead into the next error.

use std::collections::BTreeSet;
use std::fmt;

use super::links::{Compare, LinkMap, When};
use super::map::{Ends, SqlMap};
use super::paste;
use super::schema::{Column, ForeignKey, Table};
use super::way::{Binder, BoundLink, Foot, clearable, is_covered, is_fixed_at_null};
use crate::data_map::{ClassName, Datatype, LinkRole, is_reserved};
use crate::document::{Reader, join};

impl<'s> Binder<'s> {
    /// What a foreign key can mean that the map does not mention. Only what the check would accept is in the list.
    pub(super) fn ways(&self, foot: &Foot<'s>, key: &ForeignKey, links: &[BoundLink]) -> Vec<Way> {
        let name = self.name_of(&key.columns);
        // A named link says itself how it compares.
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
        if is_key && self.is_root(&key.to_table) && self.map.customers.unknown.is_some() {
            ways.push(end("stand-in", "the \"Unknown Customer\" takes that place"));
        }
        // Columns that are joined are no column of the table.
        let has_name = key.columns.len() == 1 || self.map.links.contains_key(&name);
        if is_record && is_plain && has_name {
            ways.push(Way::Shared { name: name.clone() });
        }
        if is_plain
            && !self.is_root(&key.to_table)
            && let [class] = self.classes_of(&key.to_table).as_slice()
        {
            ways.push(Way::Holds { class: class.clone(), link: format!("{}.{name}", foot.class) });
        }
        ways
    }

    /// A link with the first comparison that both of its ends allow: they may differ in type or in how they compare.
    pub(super) fn compared(
        &self,
        foot: &Foot<'s>,
        written: &LinkMap,
        role: LinkRole,
    ) -> Option<(BoundLink, Compare)> {
        [written.compare, Compare::Text, Compare::NoCase].into_iter().find_map(|compare| {
            let written = LinkMap { compare, ..written.clone() };
            Some((self.own_link(&mut Reader::default(), "", foot, &written, role)?, compare))
        })
    }

    /// The same as lines to paste.
    pub(super) fn lines(&self, foot: &Foot<'s>, ends: &Ends, name: &str, ways: &[Way]) -> Option<String> {
        let class = foot.class.as_str();
        let place = if foot.path == "customers" { vec!["customers"] } else { vec!["records", class] };
        let words: Vec<String> = ways.iter().filter_map(Way::word).collect();
        // A class of several that are mapped alike takes lines for its ends, and no owner of its own.
        let is_alike = self.map.records.get(foot.class).is_some_and(|record| record.alike.is_some());
        let others = ways.iter().filter_map(|way| way.elsewhere(class, is_alike));
        if words.is_empty() {
            // All that is left is that the other record hangs from this one.
            return ways.iter().find_map(|way| {
                let Way::Holds { class, link } = way else { return None };
                let is_free = self.map.records.get(class).is_some_and(|record| record.shared.is_empty());
                is_free.then(|| {
                    paste::set(&["records", class.as_str()], "shared", &format!("[{}]", paste::text(link)))
                })
            });
        }
        // A class that says `ends = "schema"` has no table to paste into.
        if ends.is_word {
            return None;
        }
        let mut lines = paste::header(&[&place[..], &["ends"]].concat());
        lines.push('\n');
        lines.push_str(&end_to_choose(name, ways));
        for other in others {
            lines.push_str("\n# or, ");
            lines.push_str(&other);
        }
        Some(lines)
    }

    /// The last class of the binder, which nobody mapped yet, as lines to paste. `way` leads from its table to a mapped one.
    /// None where the check would not accept the lines.
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

    /// Foreign keys of mapped tables to the last class of the binder: once that table is mapped, they have to be explained.
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

/// A name for the class of a table: the table's own, unless it is taken.
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

/// What a foreign key can mean.
pub(super) enum Way {
    /// A word for the end.
    End { name: String, compare: Option<Compare>, word: &'static str, when: &'static str },
    /// The record belongs to that end as well.
    Shared { name: String },
    /// What the key leads to belongs to whoever has the record.
    Holds { class: ClassName, link: String },
}

/// A word for an end, with how the link compares where that has to be said.
pub(super) fn end(compare: Option<Compare>, word: &str) -> String {
    match compare {
        None => paste::text(word),
        Some(compare) => {
            format!("{{ compare = {}, gone = {} }}", paste::text(compare.as_str()), paste::text(word))
        }
    }
}

/// A line for an end whose word a person has to choose.
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
            Self::Shared { .. } | Self::Holds { .. } => None,
        }
    }

    /// What is written somewhere else instead of a word.
    fn elsewhere(&self, own: &str, is_alike: bool) -> Option<String> {
        match self {
            Self::End { .. } => None,
            Self::Shared { .. } if is_alike => None,
            Self::Shared { name } => {
                Some(format!("in {}: shared = [{}, …]", paste::header(&["records", own]), paste::text(name)))
            }
            Self::Holds { class, link } => Some(format!(
                "in {}: shared = [{}]",
                paste::header(&["records", class.as_str()]),
                paste::text(link)
            )),
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
            Self::Shared { name } => {
                write!(f, "shared = [\"{name}\", …] where the record belongs to that end as well")
            }
            Self::Holds { class, link } => write!(
                f,
                "shared = [\"{link}\"] at records.{class} where that record belongs to whoever has this one"
            ),
        }
    }
}
