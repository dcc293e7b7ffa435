//! The links of a map, as a host writes them: owners, shared rows, other ends, and conditions on rows.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::map::{read_columns, read_scalar, to_fill_in};
use super::paste::TODO;
use crate::data_map::{ClassName, Value, WhenGone};
use crate::document::{Reader, join, suggest};

/// How the values at both ends of a link are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Compare {
    /// As the database compares values of the same type.
    #[default]
    Exact,
    /// Without case, by Unicode rules.
    NoCase,
    /// Trimmed, in one Unicode form, and without case.
    Normalised,
    /// As texts: the number 17 and the text `17` are the same.
    Text,
}

impl Compare {
    const ALL: [Self; 4] = [Self::Exact, Self::NoCase, Self::Normalised, Self::Text];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::NoCase => "nocase",
            Self::Normalised => "normalised",
            Self::Text => "text",
        }
    }
}

/// Where a link leads, if the map says so and not a foreign key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    /// To these columns of a table.
    Table(String, Vec<String>),
    /// To the key of a class.
    Class(ClassName),
    /// To another column of a class.
    Column(ClassName, String),
}

/// A link that starts at columns of the class's own table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LinkMap {
    pub(crate) name: Option<String>,
    pub(crate) columns: Vec<String>,
    pub(crate) to: Option<Target>,
    pub(crate) compare: Compare,
    /// Values that mean "nobody".
    pub(crate) none: Vec<Value>,
    /// The link is valid only in rows with these values.
    pub(crate) when: When,
    /// The following links, if the way leads through tables that nobody mapped.
    pub(crate) further: Vec<LinkMap>,
}

/// A reference to a link in the map: the name of a link, or a column of the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LinkRef {
    /// A name under `links`, or else a column.
    Word(String),
    /// A link written out in full.
    Full(Box<LinkMap>),
}

/// One of the links that make a record shared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SharedMap {
    /// A link of the class itself.
    Own(LinkRef),
    /// A link of another class that leads to this class: `order.billing_id`.
    Of(ClassName, String),
}

/// The map's rule for an end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EndMap {
    pub(crate) gone: WhenGone,
    /// The value that clearing writes, if not NULL.
    pub(crate) cleared: Option<Value>,
    /// The link itself, if it is neither a foreign key nor a named link.
    pub(crate) link: Option<LinkMap>,
}

/// The rows of a table that belong to a class.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum When {
    #[default]
    All,
    /// Rows with these values.
    Values(BTreeMap<String, Is>),
    /// Rows that no other class of the table claims.
    Rest,
}

/// The values that a column may have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Is {
    /// One of these.
    OneOf(Vec<Value>),
    /// Any value except these, including NULL.
    NoneOf(Vec<Value>),
    /// NULL.
    Null,
    /// Not NULL.
    NotNull,
}

impl Is {
    /// Whether a value is one of them.
    pub(crate) fn holds(&self, value: &Value) -> bool {
        match self {
            Self::OneOf(values) => values.contains(value),
            Self::NoneOf(values) => !values.contains(value),
            Self::Null => *value == Value::Null,
            Self::NotNull => *value != Value::Null,
        }
    }
}

/// Whether rows may have no owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NobodyMap {
    /// Why rows may name nobody.
    pub(crate) none: Option<String>,
    /// Why rows may name somebody who is not there.
    pub(crate) gone: Option<String>,
}

/// Reads the owner link of a class: one link, or `first` with several links, of which the first non-empty one counts.
pub(super) fn read_owner(reader: &mut Reader, path: &str, value: &Json) -> Option<Vec<LinkRef>> {
    match value {
        Json::Object(table) if table.contains_key("first") => {
            reader.table(path, value, &["first"]);
            let path = join(path, "first");
            let Some(Json::Array(items)) =
                table.get("first").filter(|items| items.as_array().is_some_and(|i| !i.is_empty()))
            else {
                reader.problem(
                    path,
                    "is no list of links",
                    "write { first = [\"account_id\", \"by_mail\"] }",
                );
                return None;
            };
            let links: Vec<Option<LinkRef>> = items
                .iter()
                .enumerate()
                .map(|(n, item)| read_link_ref(reader, &format!("{path}[{n}]"), item))
                .collect();
            links.into_iter().collect()
        }
        Json::Array(items) if !items.is_empty() => {
            // Every link is checked, even after a faulty link.
            let links: Vec<Option<LinkRef>> = items
                .iter()
                .enumerate()
                .map(|(n, item)| read_link_ref(reader, &format!("{path}[{n}]"), item))
                .collect();
            let mut links: Vec<LinkRef> = links.into_iter().collect::<Option<_>>()?;
            if links.len() == 1 {
                return Some(links);
            }
            let further = links.split_off(1).into_iter().map(LinkRef::into_link).collect();
            let first = links.pop()?.into_link();
            Some(vec![LinkRef::Full(Box::new(LinkMap { further, ..first }))])
        }
        Json::Array(_) => {
            no_link(reader, &format!("{path}[0]"));
            None
        }
        single => Some(vec![read_link_ref(reader, &format!("{path}[0]"), single)?]),
    }
}

impl LinkRef {
    /// The link. A word stands for a column.
    fn into_link(self) -> LinkMap {
        match self {
            Self::Word(column) => LinkMap::of(vec![column]),
            Self::Full(link) => *link,
        }
    }
}

impl LinkMap {
    /// A link that starts at columns, with all other settings at their defaults.
    pub(crate) fn of(columns: Vec<String>) -> Self {
        Self {
            name: None,
            columns,
            to: None,
            compare: Compare::Exact,
            none: Vec::new(),
            when: When::All,
            further: Vec::new(),
        }
    }
}

fn read_link_ref(reader: &mut Reader, path: &str, value: &Json) -> Option<LinkRef> {
    match value {
        Json::String(_) => reader.text(path, value).map(|text| LinkRef::Word(text.to_owned())),
        Json::Array(_) => {
            read_columns(reader, path, value).map(|columns| LinkRef::Full(Box::new(LinkMap::of(columns))))
        }
        Json::Object(_) => read_link(reader, path, value, &[]).map(|link| LinkRef::Full(Box::new(link))),
        _ => {
            no_link(reader, path);
            None
        }
    }
}

fn no_link(reader: &mut Reader, path: &str) {
    reader.problem(
        path,
        "is no link to the customer",
        "write a column, or a list of columns that lead there through other tables",
    );
}

const LINK_KEYS: [&str; 7] = ["column", "table", "key", "to", "compare", "none", "when"];

/// Reads a link written out in full. `also` are further keys that its table may have.
fn read_link(reader: &mut Reader, path: &str, value: &Json, also: &[&str]) -> Option<LinkMap> {
    let known: Vec<&str> = LINK_KEYS.iter().chain(also).copied().collect();
    if value.get("shared").is_some() {
        say_shared(reader, path, value);
        return None;
    }
    if value.get("first").is_some() {
        let what = "is no key of a link: it stands for the whole owner";
        reader.problem(
            join(path, "first"),
            what,
            "write owner = { first = [\"…\", \"…\"] }, and nothing beside it",
        );
        return None;
    }
    let table = reader.table(path, value, &known)?;
    let columns = table.get("column").map(|value| read_columns(reader, &join(path, "column"), value));
    let columns = match columns {
        Some(columns) => columns,
        None if also.is_empty() => {
            reader.required(path, table, "column");
            None
        }
        None => Some(Vec::new()),
    };
    let to = read_target(reader, path, table);
    let compare = table.get("compare").map_or(Some(Compare::Exact), |value| {
        let path = join(path, "compare");
        let text = reader.text(&path, value)?;
        let found = Compare::ALL.into_iter().find(|compare| compare.as_str() == text);
        if found.is_none() {
            reader.problem(path, "is no way to compare", suggest(text, Compare::ALL.map(Compare::as_str)));
        }
        found
    });
    let none =
        table.get("none").map_or_else(Vec::new, |value| read_values(reader, &join(path, "none"), value));
    let when =
        table.get("when").map_or(Some(When::All), |value| read_when(reader, &join(path, "when"), value));
    Some(LinkMap {
        name: None,
        columns: columns?,
        to: to?,
        compare: compare?,
        none,
        when: when?,
        further: Vec::new(),
    })
}

/// Reports a link that calls itself shared. A class says that its records are shared, by the links that give them
/// owners.
fn say_shared(reader: &mut Reader, path: &str, link: &Json) {
    let named = |key: &str| link.get(key).and_then(Json::as_str);
    let way_out = match (named("table"), named("key"), named("column")) {
        (Some(table), Some(column), _) => format!(
            "write shared = [\"class.{column}\"] in place of owner, with the name of the class of table {table}"
        ),
        (None, _, Some(column)) => format!("write shared = [\"{column}\"] in place of owner"),
        _ => "write shared = [\"class.column\"] in place of owner, with the link that leads to this class"
            .to_owned(),
    };
    reader.problem(
        join(path, "shared"),
        "is no key of a link: a class names the links that share it",
        way_out,
    );
}

/// Reads the target: nothing, a table with its columns, a class, or a column of a class. `None` if it is wrong.
#[allow(clippy::option_option, reason = "nothing said is not the same as something wrong")]
fn read_target(reader: &mut Reader, path: &str, table: &Map<String, Json>) -> Option<Option<Target>> {
    let to_table = table.get("table").map(|value| reader.text(&join(path, "table"), value));
    let key = table.get("key").map(|value| read_columns(reader, &join(path, "key"), value));
    let to = table.get("to").map(|value| reader.text(&join(path, "to"), value));
    match (to_table, key, to) {
        (None, None, None) => Some(None),
        (Some(table), Some(key), None) => Some(Some(Target::Table(table?.to_owned(), key?))),
        (None, None, Some(to)) => Some(Some(match to?.split_once('.') {
            Some((class, column)) => Target::Column(class.into(), column.to_owned()),
            None => Target::Class(to?.into()),
        })),
        (_, _, Some(_)) => {
            reader.problem(
                join(path, "to"),
                "says where the link leads, and so do table and key",
                "leave table and key out",
            );
            None
        }
        (Some(_), None, None) => {
            reader.problem(join(path, "key"), "is missing", "write the column that the link leads to");
            None
        }
        (None, Some(_), None) => {
            reader.problem(join(path, "table"), "is missing", "write the table that the link leads to");
            None
        }
    }
}

/// Reads one value, or a list of values.
fn read_values(reader: &mut Reader, path: &str, value: &Json) -> Vec<Value> {
    match value {
        Json::Array(items) => items
            .iter()
            .enumerate()
            .filter_map(|(n, item)| read_scalar(reader, &format!("{path}[{n}]"), item))
            .collect(),
        single => read_scalar(reader, path, single).into_iter().collect(),
    }
}

/// Reads `"rest"`, or columns with their values.
pub(super) fn read_when(reader: &mut Reader, path: &str, value: &Json) -> Option<When> {
    if value.as_str() == Some("rest") {
        return Some(When::Rest);
    }
    if !value.is_object() {
        reader.problem(
            path,
            "is no condition on rows",
            "write { column = value }, { column = [values] }, { column = { null = true } }, { column = { not = value } } or \"rest\"",
        );
        return None;
    }
    let mut values = BTreeMap::new();
    for (column, value) in reader.open_table(path, value)? {
        let path = join(path, column);
        let is = match value {
            Json::Object(table) if table.contains_key("null") => {
                reader.table(&path, value, &["null"]);
                let flag = table.get("null").and_then(|value| reader.boolean(&join(&path, "null"), value))?;
                if flag { Is::Null } else { Is::NotNull }
            }
            Json::Object(_) => {
                let table = reader.table(&path, value, &["not"])?;
                let value = reader.required(&path, table, "not")?;
                Is::NoneOf(read_values(reader, &join(&path, "not"), value))
            }
            Json::Array(items) if items.is_empty() => {
                reader.problem(path, "is an empty list, which no row matches", "name the values");
                return None;
            }
            values => Is::OneOf(read_values(reader, &path, values)),
        };
        values.insert(column.clone(), is);
    }
    Some(When::Values(values))
}

/// Reads the links that make a record shared.
pub(super) fn read_shared(reader: &mut Reader, path: &str, value: &Json) -> Option<Vec<SharedMap>> {
    let items = match value {
        Json::Array(items) if !items.is_empty() => items.as_slice(),
        Json::Array(_) => {
            reader.problem(path, "is an empty list", "name the links, or leave it out");
            return None;
        }
        single => std::slice::from_ref(single),
    };
    let shared: Vec<Option<SharedMap>> = items
        .iter()
        .enumerate()
        .map(|(n, item)| {
            let path = format!("{path}[{n}]");
            let of_another = |item: &Json| item.as_str().and_then(|text| text.split_once('.')).is_some();
            if let Some(inner) = item.as_array().filter(|inner| inner.iter().any(of_another)) {
                let all: Vec<String> =
                    inner.iter().filter_map(Json::as_str).map(|word| format!("\"{word}\"")).collect();
                reader.problem(
                    path,
                    "is a list within the list, and only the columns of one key of this class stand in such a list",
                    format!("write each link by itself: shared = [{}]", all.join(", ")),
                );
                return None;
            }
            match item.as_str().and_then(|text| text.split_once('.')) {
                Some((class, link)) => Some(SharedMap::Of(class.into(), link.to_owned())),
                None => read_link_ref(reader, &path, item).map(SharedMap::Own),
            }
        })
        .collect();
    shared.into_iter().collect()
}

const ENDS: [&str; 4] = ["goes", "same", "clear", "stand-in"];

/// Reads the rule for each end.
pub(super) fn read_ends(reader: &mut Reader, path: &str, value: &Json) -> Option<BTreeMap<String, EndMap>> {
    let mut ends = BTreeMap::new();
    if !value.is_object() {
        let way_out = "write { column = \"goes\" } with each link and its word, or \"schema\"";
        reader.problem(path, "says of no link what happens at its end", way_out);
        return None;
    }
    for (link, value) in reader.open_table(path, value)? {
        let path = join(path, link);
        if let Some(end) = read_end(reader, &path, link, value) {
            ends.insert(link.clone(), end);
        }
    }
    Some(ends)
}

fn read_end(reader: &mut Reader, path: &str, name: &str, value: &Json) -> Option<EndMap> {
    let (end, link) = match value {
        Json::Object(table) if table.contains_key("gone") => {
            let mut link = read_link(reader, path, value, &["gone"])?;
            if link.columns.is_empty() {
                link.columns = vec![name.to_owned()];
            }
            link.name = Some(name.to_owned());
            let gone = read_gone(reader, &join(path, "gone"), table.get("gone")?)?;
            (gone, Some(link))
        }
        value => (read_gone(reader, path, value)?, None),
    };
    let (gone, cleared) = end;
    Some(EndMap { gone, cleared, link })
}

/// Reads what happens to the link or its record, and what clearing writes.
fn read_gone(reader: &mut Reader, path: &str, value: &Json) -> Option<(WhenGone, Option<Value>)> {
    let way_out = || {
        "write \"goes\", \"same\", \"clear\", \"stand-in\", { clear = value } or { keep = \"reason\" }"
            .to_owned()
    };
    match value {
        Json::String(text) => match text.as_str() {
            "goes" => Some((WhenGone::Goes, None)),
            "same" => Some((WhenGone::Same, None)),
            "clear" => Some((WhenGone::Clear, None)),
            "stand-in" => Some((WhenGone::StandIn, None)),
            TODO => {
                to_fill_in(reader, path, &way_out().replace("write ", ""));
                None
            }
            _ => {
                reader.problem(
                    path,
                    format!("{text} is nothing that can happen at an end"),
                    suggest(text, ENDS),
                );
                None
            }
        },
        Json::Object(table) if table.contains_key("keep") => {
            let table = reader.table(path, value, &["keep"]).unwrap_or(table);
            let reason = reader.required_text(path, table, "keep")?.to_owned();
            Some((WhenGone::Keep { reason }, None))
        }
        Json::Object(table) if table.contains_key("clear") => {
            let table = reader.table(path, value, &["clear"]).unwrap_or(table);
            let value = read_scalar(reader, &join(path, "clear"), table.get("clear")?)?;
            Some((WhenGone::Clear, Some(value)))
        }
        _ => {
            reader.problem(path, "says nothing that can happen at an end", way_out());
            None
        }
    }
}

/// Reads the named links.
pub(super) fn read_named(reader: &mut Reader, value: &Json) -> BTreeMap<String, LinkMap> {
    let mut links = BTreeMap::new();
    for (name, value) in reader.open_table("links", value).into_iter().flatten() {
        let path = join("links", name);
        // By default, a link's column is the link's own name.
        if let Some(mut link) = read_link(reader, &path, value, &["gone"]) {
            if link.columns.is_empty() {
                link.columns = vec![name.clone()];
            }
            link.name = Some(name.clone());
            links.insert(name.clone(), link);
        }
    }
    links
}

/// Reads why rows may have no owner.
pub(super) fn read_nobody(reader: &mut Reader, path: &str, value: &Json) -> Option<NobodyMap> {
    match value {
        Json::Object(_) => {
            let table = reader.table(path, value, &["none", "gone"])?;
            let text = |reader: &mut Reader, key: &str| {
                table.get(key).and_then(|value| reader.text(&join(path, key), value)).map(str::to_owned)
            };
            Some(NobodyMap { none: text(reader, "none"), gone: text(reader, "gone") })
        }
        _ => Some(NobodyMap { none: Some(reader.text(path, value)?.to_owned()), gone: None }),
    }
}
