//! The map of a database, as a host writes it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::dates;
use super::drafting::MARK;
use super::links::{
    EndMap, LinkMap, LinkRef, NobodyMap, SharedMap, When, read_ends, read_named, read_nobody, read_owner,
    read_shared, read_when,
};
use super::mentions::{MentionMap, read_mentions};
use super::paste::TODO;
use super::people;
use super::recipients::read_recipients;
use crate::anonymise::json::Pointer;
use crate::customer::{GatewayName, Status, TenantId};
use crate::data_map::{
    ClassName, DateForm, Encoding, IdentifiedBy, Kind, RecipientName, StateName, UnknownEncoding, Value,
};
use crate::digest::Digest;
use crate::document::{Problem, Problems, Reader, join, meant_or, nearest, suggest};

/// The source of a fact: a column of the customers' table, or scalar SQL that may name such columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Column(String),
    Sql(String),
}

/// The source of a customer's tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TenantSource {
    Is(TenantId),
    From(Source),
}

/// The meaning of a column, in the map's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldMap {
    pub(crate) kind: Option<Kind>,
    pub(crate) max_chars: Option<u32>,
    /// The kinds of the personal values inside the JSON document of the column. `kind` is then the kind of the rest.
    pub(crate) json: BTreeMap<Pointer, Kind>,
    /// The link at whose far end the column's owner is. `None`: the row's owner.
    pub(crate) of: Option<String>,
    /// The form in which the column stores dates, if the map says so.
    pub(crate) date: Option<DateForm>,
    pub(crate) encoding: Encoding,
}

/// A value to write to a column: a constant, the present instant, or a text with the tenant's name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Written {
    Constant(Value),
    Now,
    Tenant { before: String, after: String },
}

#[derive(Clone, Debug)]
pub(crate) enum DeactivateMap {
    Write(BTreeMap<String, Written>),
    None { reason: String },
}

#[derive(Clone, Debug)]
pub(crate) struct UnknownMap {
    pub(crate) find: BTreeMap<String, Value>,
    pub(crate) create: BTreeMap<String, Written>,
}

#[derive(Clone, Debug)]
pub(crate) struct StatusMap {
    pub(crate) source: Source,
    pub(crate) values: BTreeMap<String, Status>,
}

#[derive(Clone, Debug)]
pub(crate) struct CustomersMap {
    pub(crate) class: ClassName,
    pub(crate) table: String,
    pub(crate) key: Vec<String>,
    /// The rows of the table that are customers.
    pub(crate) when: When,
    pub(crate) ends: Ends,
    pub(crate) tenant: TenantSource,
    pub(crate) tenants: Option<Source>,
    pub(crate) registered: Option<Source>,
    pub(crate) registered_form: DateForm,
    pub(crate) status: Option<StatusMap>,
    pub(crate) dates: BTreeMap<String, Source>,
    /// The form of each date.
    pub(crate) date_forms: BTreeMap<String, DateForm>,
    pub(crate) active_subscriptions: Option<Source>,
    pub(crate) unpaid_invoices: Option<Source>,
    pub(crate) open_disputes: Option<Source>,
    pub(crate) holds: Option<Source>,
    pub(crate) states: BTreeMap<StateName, Source>,
    pub(crate) gateways: BTreeMap<GatewayName, Source>,
    pub(crate) deactivate: DeactivateMap,
    pub(crate) unknown: Option<UnknownMap>,
    /// The meaning of all columns that `fields` does not name.
    pub(crate) rest: Option<FieldMap>,
    pub(crate) fields: BTreeMap<String, FieldMap>,
}

/// The rules for the ends of a class's links.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ends {
    pub(crate) links: BTreeMap<String, EndMap>,
    /// Whether a foreign key without a rule follows its ON DELETE clause.
    pub(crate) by_schema: bool,
    /// Whether the class itself says so. Then its map has no table of ends.
    pub(crate) is_word: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct RecordMap {
    /// The number of the `[[alike]]` group that describes this class, if any.
    pub(crate) alike: Option<usize>,
    pub(crate) table: String,
    /// The key, if it is not the table's primary key.
    pub(crate) key: Option<Vec<String>>,
    pub(crate) when: When,
    /// The owner link: one link, or several links of which the first non-empty one counts.
    pub(crate) owner: Vec<LinkRef>,
    pub(crate) shared: Vec<SharedMap>,
    pub(crate) ends: Ends,
    pub(crate) nobody: NobodyMap,
    /// The meaning of all columns that `fields` does not name.
    pub(crate) rest: Option<FieldMap>,
    pub(crate) fields: BTreeMap<String, FieldMap>,
}

impl RecordMap {
    /// The columns that its links and conditions name.
    pub(super) fn link_columns(&self, named: &BTreeMap<String, LinkMap>) -> Vec<String> {
        let of_link = |link: &LinkRef| match link {
            LinkRef::Word(word) => {
                named.get(word).map_or_else(|| vec![word.clone()], |link| link.columns.clone())
            }
            LinkRef::Full(link) => link.columns.clone(),
        };
        let shared = self.shared.iter().filter_map(|shared| match shared {
            SharedMap::Own(link) => Some(link),
            SharedMap::Of(..) => None,
        });
        let mut columns: Vec<String> = self.owner.iter().chain(shared).flat_map(of_link).collect();
        for (name, end) in &self.ends.links {
            let named = || of_link(&LinkRef::Word(name.clone()));
            columns.extend(end.link.as_ref().map_or_else(named, |link| link.columns.clone()));
        }
        if let When::Values(values) = &self.when {
            columns.extend(values.keys().cloned());
        }
        columns
    }
}

/// Why something is left out of the map.
#[derive(Clone, Debug)]
pub(crate) enum Ignored {
    /// A whole table.
    Table(String),
    /// The rows of a mapped table that no class claims.
    Rest(String),
}

/// The map of an existing database. For each record class it names the table, the key, how a row belongs to a
/// customer, and what each column holds.
///
/// Reading a map checks its grammar. Opening a store checks the map against the live schema.
#[derive(Clone, Debug)]
pub struct SqlMap {
    pub(crate) customers: CustomersMap,
    pub(crate) records: BTreeMap<ClassName, RecordMap>,
    /// The named links.
    pub(crate) links: BTreeMap<String, LinkMap>,
    /// Who else has customers' data, and by what each of them knows a person.
    pub(crate) recipients: BTreeMap<RecipientName, IdentifiedBy>,
    /// The texts of others that may speak of a person.
    pub(crate) mentions: BTreeMap<ClassName, MentionMap>,
    pub(crate) ignore: BTreeMap<String, Ignored>,
    /// Whether every class has `ends = "schema"`.
    pub(crate) by_schema: bool,
    /// Whether the root store is elsewhere. Then `customers` describes a temporary table.
    pub(crate) beside: bool,
    /// Triggers that do not disturb a treatment, with the reason.
    pub(crate) ignored_triggers: BTreeMap<String, String>,
    /// The digest of the document. An approval is valid only under the map with which the plan was made.
    pub(crate) digest: Digest,
}

impl SqlMap {
    /// Reads a map from TOML.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path.
    pub fn from_toml(text: &str) -> Result<Self, Problems> {
        Self::read(&Reader::toml(text)?)
    }

    /// Reads a map from JSON.
    ///
    /// # Errors
    /// As [`from_toml`](Self::from_toml).
    pub fn from_json(text: &str) -> Result<Self, Problems> {
        Self::read(&Reader::json(text)?)
    }

    /// Refuses a map of a database beside the root store.
    pub(crate) fn is_of_root(&self) -> Result<(), Problems> {
        let what = "says that the root store is elsewhere, and this opens a root store";
        let way_out = "write customers, or open the database with `beside`";
        Problems::none_or(self.beside.then(|| Problem::new("beside", what, way_out)).into_iter().collect())
    }

    /// Refuses a map of a root store.
    pub(crate) fn is_beside(&self) -> Result<(), Problems> {
        let what = "says who the customers are, and this opens a database beside the root store";
        let way_out = "write [beside] in place of [customers]";
        Problems::none_or(
            (!self.beside).then(|| Problem::new("customers", what, way_out)).into_iter().collect(),
        )
    }

    /// The tables that the map leaves out.
    #[cfg(feature = "postgres")]
    pub(crate) fn ignored_tables(&self) -> impl Iterator<Item = &str> {
        let tables = self.ignore.iter().filter(|(_, ignored)| matches!(ignored, Ignored::Table(_)));
        tables.map(|(name, _)| name.as_str())
    }

    /// The columns that distinguish the classes of a table.
    pub(super) fn conditions(&self, table: &str) -> BTreeSet<String> {
        let root = self.customers.table.eq_ignore_ascii_case(table).then_some(&self.customers.when);
        let records = self.records.values().filter(|record| record.table.eq_ignore_ascii_case(table));
        let all = root.into_iter().chain(records.map(|record| &record.when));
        all.filter_map(
            |when| if let When::Values(values) = when { Some(values.keys().cloned()) } else { None },
        )
        .flatten()
        .collect()
    }

    /// Reads a draft, with every guess taken as true, and what only a person knows as answered.
    pub(super) fn of_draft(text: &str) -> Result<Self, Problems> {
        let mut value = Reader::toml(text)?;
        take_marks_away(&mut value, true);
        Self::read(&value)
    }

    fn read(value: &Json) -> Result<Self, Problems> {
        let mut reader = Reader::default();
        let mut guesses = Vec::new();
        find_guesses(value, "", &mut guesses);
        if !guesses.is_empty() {
            reader.problem(
                "",
                marked(&guesses),
                format!("look at each, and take the {MARK} at its end away where it is right"),
            );
            // What else is wrong is said as well.
            let mut value = value.clone();
            take_marks_away(&mut value, false);
            let map = read_map(&mut reader, &value);
            reader.finish()?;
            return map.ok_or_else(Problems::default);
        }
        let map = read_map(&mut reader, value);
        reader.finish()?;
        map.ok_or_else(|| Problems::one(Problem::new("", "cannot be read", "write a table of keys")))
    }
}

/// The places of values that a draft guessed.
fn find_guesses(value: &Json, path: &str, found: &mut Vec<String>) {
    match value {
        Json::String(text) if text.ends_with(MARK) => found.push(path.to_owned()),
        Json::Array(items) => items.iter().for_each(|item| find_guesses(item, path, found)),
        Json::Object(table) => {
            for (key, value) in table {
                find_guesses(value, &join(path, key), found);
            }
        }
        _ => {}
    }
}

/// The sentence about values that a draft guessed.
fn marked(guesses: &[String]) -> String {
    const NAMED: usize = 5;
    let named = guesses.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match guesses.len() {
        1 => format!("1 value is still the guess of a draft: {named}"),
        number if number <= NAMED => format!("{number} values are still guesses of a draft: {named}"),
        number => {
            format!("{number} values are still guesses of a draft: {named} and {} more", number - NAMED)
        }
    }
}

/// Takes the marks of a draft away. On request, what is still to be filled in is taken as filled in.
fn take_marks_away(value: &mut Json, fills_in: bool) {
    match value {
        Json::String(text) if fills_in && *text == TODO => "a reason".clone_into(text),
        Json::String(text) => {
            if let Some(guess) = text.strip_suffix(MARK) {
                *text = guess.to_owned();
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| take_marks_away(item, fills_in)),
        Json::Object(table) => table.values_mut().for_each(|value| take_marks_away(value, fills_in)),
        _ => {}
    }
}

fn read_map(reader: &mut Reader, value: &Json) -> Option<SqlMap> {
    const KEYS: [&str; 10] = [
        "version",
        "ends",
        "customers",
        "beside",
        "links",
        "alike",
        "records",
        "recipients",
        "mentions",
        "ignore",
    ];
    let mended = reader.mended("", value, &KEYS);
    let table = reader.table("", &mended, &KEYS)?;
    reader.version(table);
    let by_schema = table.get("ends").is_some_and(|value| read_by_schema(reader, "ends", value));
    let beside = table.get("beside").map(|value| people::read_beside(reader, value));
    let customers = if beside.is_some() {
        people::check_keys(reader, table);
        None
    } else {
        reader.required("", table, "customers").and_then(|value| read_customers(reader, value, by_schema))
    };
    let links = table.get("links").map_or_else(BTreeMap::new, |value| read_named(reader, value));
    let mut records = BTreeMap::new();
    let groups = table.get("alike").and_then(Json::as_array).into_iter().flatten();
    let alike: BTreeSet<&str> = groups
        .filter_map(|group| group.get("tables"))
        .flat_map(|tables| tables.as_array().map_or(std::slice::from_ref(tables), Vec::as_slice))
        .filter_map(Json::as_str)
        .collect();
    let (mut own, mut shapeless) = (Map::new(), Vec::new());
    if let Some(value) = table.get("records") {
        for (name, value) in reader.open_table("records", value).into_iter().flatten() {
            if alike.contains(name.as_str()) && is_addition(value) {
                own.insert(name.clone(), value.clone());
                continue;
            }
            // A class with nothing but fields and ends adds to a shape. What is wrong with the shapes is said there.
            if is_addition(value) && table.contains_key("alike") {
                shapeless.push(name.as_str());
                continue;
            }
            if let Some(record) = read_record(reader, &join("records", name), Some(name), value, by_schema) {
                records.insert(name.as_str().into(), record);
            }
        }
    }
    if let Some(value) = table.get("alike") {
        read_alike(reader, value, by_schema, &own, &mut records);
        say_shapeless(reader, &shapeless, &alike);
    }
    let recipients =
        table.get("recipients").map_or_else(BTreeMap::new, |value| read_recipients(reader, value));
    let mentions = table.get("mentions").map_or_else(BTreeMap::new, |value| read_mentions(reader, value));
    let (ignore, ignored_triggers) = table
        .get("ignore")
        .map_or_else(|| (BTreeMap::new(), BTreeMap::new()), |value| read_ignored(reader, value));
    let is_beside = beside.is_some();
    let customers = match beside.flatten() {
        None => customers,
        Some((class, key)) => {
            let asked = people::check_beside(reader, (&class, &key), &records, &links);
            Some(people::customers(class, key, asked))
        }
    };
    Some(SqlMap {
        beside: is_beside,
        customers: customers?,
        records,
        links,
        recipients,
        mentions,
        ignore,
        by_schema,
        ignored_triggers,
        digest: Digest::of(value),
    })
}

/// Reads `ends = "schema"`.
fn read_by_schema(reader: &mut Reader, path: &str, value: &Json) -> bool {
    let is = value.as_str() == Some("schema");
    if !is {
        let way_out = meant_or(value, ["schema"], "write \"schema\", or leave it out");
        reader.problem(path, "is no rule for every foreign key", way_out);
    }
    is
}

/// Reads several tables of the same shape, each a class with its table's name. A class may have more fields and ends
/// under `records`; they are added to those of the shape.
fn read_alike(
    reader: &mut Reader,
    value: &Json,
    by_schema: bool,
    own: &Map<String, Json>,
    records: &mut BTreeMap<ClassName, RecordMap>,
) {
    let Json::Array(groups) = value else {
        reader.problem("alike", "is no list of tables", "write [[alike]]");
        return;
    };
    for (n, group) in groups.iter().enumerate() {
        let path = format!("alike[{n}]");
        let Some(table) = reader.open_table(&path, group) else { continue };
        let tables = reader
            .required(&path, table, "tables")
            .and_then(|value| reader.texts(&join(&path, "tables"), value));
        let mut shape = table.clone();
        shape.remove("tables");
        for name in tables.into_iter().flatten() {
            let mut whole = shape.clone();
            whole.insert("table".to_owned(), Json::String(name.to_owned()));
            // A problem of the shape is reported once.
            let mut once = Reader::default();
            let record = read_record(&mut once, &path, None, &Json::Object(whole), by_schema);
            for problem in once.into_problems() {
                if !reader.problems().contains(&problem) {
                    reader.push(problem);
                }
            }
            let Some(mut record) = record else { continue };
            record.alike = Some(n);
            if let Some(Json::Object(own)) = own.get(name) {
                add_to_shape(reader, &join("records", name), own, &mut record);
            }
            if records.insert(name.into(), record).is_some() {
                let what = format!("{name} is a record class as well");
                reader.problem(join(&path, "tables"), what, "leave one of the two");
            }
        }
    }
}

/// Reports classes that only add to a shape, if no shape names them. One of the names may be misspelled.
fn say_shapeless(reader: &mut Reader, shapeless: &[&str], alike: &BTreeSet<&str>) {
    let Some(first) = shapeless.first() else { return };
    if reader.first(|problem| problem.path.starts_with("alike")).is_some() {
        return;
    }
    let path = if shapeless.len() == 1 { join("records", first) } else { "records".to_owned() };
    let near = shapeless.iter().find_map(|name| Some((name, nearest(name, alike.iter().copied())?)));
    let way_out = match near {
        Some((name, near)) => {
            format!("is {near} in [[alike]] meant for {name}? Write both alike, or write the owner here")
        }
        None => "write the owner of each, or name the tables in [[alike]]".to_owned(),
    };
    let have = if shapeless.len() == 1 { "has" } else { "have" };
    let what = format!("{} {have} no owner, and no [[alike]] names such a table", shapeless.join(", "));
    reader.problem(path, what, way_out);
}

/// Adds a class's own fields and ends to those of its shape.
fn add_to_shape(reader: &mut Reader, path: &str, own: &Map<String, Json>, record: &mut RecordMap) {
    record.fields.extend(read_fields(reader, path, own));
    if let Some(ends) = own.get("ends").filter(|ends| ends.is_object()) {
        record.ends.links.extend(read_ends(reader, &join(path, "ends"), ends).unwrap_or_default());
    }
}

/// Whether a table under `records` only adds to an `[[alike]]` class.
fn is_addition(value: &Json) -> bool {
    value.as_object().is_some_and(|table| {
        !table.is_empty()
            && table.iter().all(|(key, value)| key == "fields" || key == "ends" && value.is_object())
    })
}

/// The key under `ignore` that holds triggers. A table with this name has a reason; triggers have a table of reasons.
const TRIGGERS: &str = "triggers";

/// Reports a placeholder of pasted lines that was not replaced.
pub(super) fn to_fill_in(reader: &mut Reader, path: &str, what: &str) {
    let way_out = format!("write {what} in place of \"{TODO}\"");
    reader.problem(path, "still has to be filled in", way_out);
}

/// Reads the ignored tables and rows with their reasons, and the ignored triggers.
fn read_ignored(reader: &mut Reader, value: &Json) -> (BTreeMap<String, Ignored>, BTreeMap<String, String>) {
    let (mut ignore, mut triggers) = (BTreeMap::new(), BTreeMap::new());
    for (name, reason) in reader.open_table("ignore", value).into_iter().flatten() {
        let path = join("ignore", name);
        let ignored = match reason {
            Json::Object(named) if name == TRIGGERS && !named.contains_key("rest") => {
                for (name, reason) in named {
                    let reason = reader.text(&join(&path, name), reason);
                    triggers.extend(reason.map(|reason| (name.clone(), reason.to_owned())));
                }
                continue;
            }
            Json::Object(_) => reader
                .table(&path, reason, &["rest"])
                .and_then(|table| reader.required_text(&path, table, "rest"))
                .map(|reason| Ignored::Rest(reason.to_owned())),
            _ if reason.as_str() == Some(TODO) => {
                to_fill_in(reader, &path, "the reason");
                continue;
            }
            _ => reader.text(&path, reason).map(|reason| Ignored::Table(reason.to_owned())),
        };
        if let Some(ignored) = ignored {
            ignore.insert(name.clone(), ignored);
        }
    }
    (ignore, triggers)
}

const CUSTOMER_KEYS: [&str; 20] = [
    "class",
    "table",
    "key",
    "tenant",
    "tenants",
    "registered",
    "status",
    "dates",
    "active_subscriptions",
    "unpaid_invoices",
    "open_disputes",
    "holds",
    "states",
    "gateways",
    "deactivate",
    "unknown_customer",
    "when",
    "ends",
    "rest",
    "fields",
];

fn read_customers(reader: &mut Reader, value: &Json, by_schema: bool) -> Option<CustomersMap> {
    let path = "customers";
    let mended = reader.mended(path, value, &CUSTOMER_KEYS);
    let table = reader.table(path, &mended, &CUSTOMER_KEYS)?;
    let class = table.get("class").map_or(Some("customer"), |value| reader.text("customers.class", value));
    let tenant = reader.required(path, table, "tenant").and_then(|value| read_tenant(reader, value));
    let optional = |reader: &mut Reader, key: &str| {
        table.get(key).and_then(|value| read_source(reader, &join(path, key), value))
    };
    let tenants = optional(reader, "tenants");
    let registered = table
        .get("registered")
        .and_then(|value| dates::read_date_source(reader, "customers.registered", value));
    let active_subscriptions = optional(reader, "active_subscriptions");
    let unpaid_invoices = optional(reader, "unpaid_invoices");
    let open_disputes = optional(reader, "open_disputes");
    let holds = optional(reader, "holds");
    let status = table.get("status").and_then(|value| read_status(reader, value));
    let own = read_sources(reader, "customers.states", table.get("states"));
    let dates = read_dates(reader, table.get("dates"));
    let gateways = read_sources(reader, "customers.gateways", table.get("gateways"));
    let deactivate =
        reader.required(path, table, "deactivate").and_then(|value| read_deactivate(reader, value));
    let unknown = table.get("unknown_customer").and_then(|value| read_unknown(reader, value));
    let fields = read_fields(reader, path, table);
    let rest = read_rest(reader, path, table);
    let when = table.get("when").map_or(Some(When::All), |value| read_when(reader, "customers.when", value));
    let ends = read_class_ends(reader, path, table, by_schema);
    let (registered, registered_form) = match registered {
        Some((source, said)) => {
            let form = dates::form_of_fact(reader, "customers.registered", &source, said, &fields);
            (Some(source), form)
        }
        None => (None, DateForm::new()),
    };
    let (mut date_sources, mut date_forms) = (BTreeMap::new(), BTreeMap::new());
    for (name, (source, said)) in dates {
        let form = dates::form_of_fact(reader, &join("customers.dates", &name), &source, said, &fields);
        date_forms.insert(name.clone(), form);
        date_sources.insert(name, source);
    }
    let name = reader.required_text(path, table, "table").map(str::to_owned);
    let key =
        reader.required(path, table, "key").and_then(|value| read_columns(reader, "customers.key", value));
    Some(CustomersMap {
        class: class?.into(),
        table: name?,
        key: key?,
        when: when?,
        ends: ends?,
        rest,
        tenant: tenant?,
        tenants,
        registered,
        registered_form,
        status,
        dates: date_sources,
        date_forms,
        active_subscriptions,
        unpaid_invoices,
        open_disputes,
        holds,
        states: own.into_iter().map(|(name, source)| (name.as_str().into(), source)).collect(),
        gateways: gateways.into_iter().map(|(name, source)| (name.as_str().into(), source)).collect(),
        deactivate: deactivate?,
        unknown,
        fields,
    })
}

pub(super) fn read_source(reader: &mut Reader, path: &str, value: &Json) -> Option<Source> {
    match value {
        Json::String(_) => reader.text(path, value).map(|text| Source::Column(text.to_owned())),
        Json::Object(_) => {
            let table = reader.table(path, value, &["sql"])?;
            reader.required_text(path, table, "sql").map(|text| Source::Sql(text.to_owned()))
        }
        _ => {
            reader.problem(path, "is no source", "write a column, or { sql = \"a scalar expression\" }");
            None
        }
    }
}

fn read_sources(reader: &mut Reader, path: &str, value: Option<&Json>) -> BTreeMap<String, Source> {
    let mut sources = BTreeMap::new();
    if let Some(value) = value {
        for (name, value) in reader.open_table(path, value).into_iter().flatten() {
            if let Some(source) = read_source(reader, &join(path, name), value) {
                sources.insert(name.clone(), source);
            }
        }
    }
    sources
}

/// Reads the customers' dates, each with its form if the map gives one.
fn read_dates(reader: &mut Reader, value: Option<&Json>) -> BTreeMap<String, (Source, Option<DateForm>)> {
    let mut found = BTreeMap::new();
    if let Some(value) = value {
        for (name, value) in reader.open_table("customers.dates", value).into_iter().flatten() {
            if let Some(date) = dates::read_date_source(reader, &join("customers.dates", name), value) {
                found.insert(name.clone(), date);
            }
        }
    }
    found
}

fn read_tenant(reader: &mut Reader, value: &Json) -> Option<TenantSource> {
    let path = "customers.tenant";
    match value.as_object() {
        Some(table) if table.contains_key("is") || !table.contains_key("sql") => {
            reader.table(path, value, &["is"]);
            reader.required_text(path, table, "is").map(|name| TenantSource::Is(name.into()))
        }
        _ => read_source(reader, path, value).map(TenantSource::From),
    }
}

fn read_status(reader: &mut Reader, value: &Json) -> Option<StatusMap> {
    let path = "customers.status";
    let words = [
        ("active", Status::Active),
        ("cancelled", Status::Cancelled),
        ("archived", Status::Archived),
        ("deleted", Status::Deleted),
    ];
    let table =
        reader.table(path, value, &["column", "sql", "active", "cancelled", "archived", "deleted"])?;
    let source = match (table.get("column"), table.get("sql")) {
        (Some(column), None) => {
            reader.text("customers.status.column", column).map(|c| Source::Column(c.to_owned()))
        }
        (None, Some(sql)) => reader.text("customers.status.sql", sql).map(|s| Source::Sql(s.to_owned())),
        (None, None) if reader.is_strange(path, Some("column or sql")) => None,
        _ => {
            reader.problem(path, "has no source, or two", "write column = \"…\" or sql = \"…\"");
            None
        }
    };
    let mut values = BTreeMap::new();
    for (word, status) in words {
        let Some(value) = table.get(word) else { continue };
        let path = join(path, word);
        for item in scalars(reader, &path, value) {
            if values.insert(item.clone(), status).is_some() {
                reader.problem(&path, format!("{item} stands for two statuses"), "leave one of them");
            }
        }
    }
    let active = join(path, "active");
    let is_said = !table.contains_key("active") && reader.is_strange(path, Some("active"))
        || reader.first(|problem| problem.path == active).is_some();
    if !is_said && !values.values().any(|status| *status == Status::Active) {
        reader.problem(active, "is missing", "write the values that stand for an active customer");
    }
    Some(StatusMap { source: source?, values })
}

/// Reads texts and numbers, as texts.
fn scalars(reader: &mut Reader, path: &str, value: &Json) -> Vec<String> {
    let items = match value {
        Json::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    items
        .iter()
        .filter_map(|item| match item {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            Json::Bool(flag) => Some(i64::from(*flag).to_string()),
            _ => {
                reader.problem(
                    path,
                    "holds something that is no text and no number",
                    "write texts or numbers",
                );
                None
            }
        })
        .collect()
}

pub(super) fn read_scalar(reader: &mut Reader, path: &str, value: &Json) -> Option<Value> {
    match value {
        Json::String(text) => Some(Value::Text(text.clone())),
        Json::Bool(flag) => Some(Value::Integer(i64::from(*flag))),
        Json::Number(number) => {
            number.as_i64().map(Value::Integer).or_else(|| number.as_f64().map(Value::Real))
        }
        _ => {
            reader.problem(path, "is no value for a column", "write a text, a number, true or false");
            None
        }
    }
}

fn read_written(reader: &mut Reader, path: &str, value: &Json) -> Option<Written> {
    let text = match read_scalar(reader, path, value)? {
        Value::Text(text) => text,
        other => return Some(Written::Constant(other)),
    };
    if text == "{now}" {
        return Some(Written::Now);
    }
    match text.split_once("{tenant}") {
        Some((before, after)) if !after.contains('{') && !before.contains('{') => {
            Some(Written::Tenant { before: before.to_owned(), after: after.to_owned() })
        }
        None if !text.contains('{') => Some(Written::Constant(Value::Text(text))),
        _ => {
            reader.problem(path, "has unknown braces", "write {now} alone, or {tenant} once within a text");
            None
        }
    }
}

fn read_writes(reader: &mut Reader, path: &str, value: &Json) -> BTreeMap<String, Written> {
    let mut writes = BTreeMap::new();
    for (column, value) in reader.open_table(path, value).into_iter().flatten() {
        if let Some(written) = read_written(reader, &join(path, column), value) {
            writes.insert(column.clone(), written);
        }
    }
    writes
}

fn read_deactivate(reader: &mut Reader, value: &Json) -> Option<DeactivateMap> {
    let path = "customers.deactivate";
    match value.as_object() {
        Some(table) if table.contains_key("none") => {
            reader.table(path, value, &["none"]);
            if table.get("none").is_some_and(|reason| *reason == TODO) {
                to_fill_in(reader, &join(path, "none"), "the reason, or write { column = value }");
            }
            reader
                .required_text(path, table, "none")
                .map(|reason| DeactivateMap::None { reason: reason.to_owned() })
        }
        Some(table) if !table.is_empty() => {
            let writes = read_writes(reader, path, value);
            for (column, _) in writes.iter().filter(|(_, value)| matches!(value, Written::Tenant { .. })) {
                reader.problem(join(path, column), "cannot name the tenant", "write a constant, or {now}");
            }
            Some(DeactivateMap::Write(writes))
        }
        _ => {
            reader.problem(
                path,
                "does not say what deactivated is written as",
                "write { column = value }, or { none = \"reason\" } where there is no such status",
            );
            None
        }
    }
}

fn read_unknown(reader: &mut Reader, value: &Json) -> Option<UnknownMap> {
    let path = "customers.unknown_customer";
    let table = reader.table(path, value, &["find", "create"])?;
    let mut find = BTreeMap::new();
    if let Some(value) = reader.required(path, table, "find") {
        let path = join(path, "find");
        for (column, value) in reader.open_table(&path, value).into_iter().flatten() {
            if let Some(value) = read_scalar(reader, &join(&path, column), value) {
                find.insert(column.clone(), value);
            }
        }
        if find.is_empty() {
            reader.problem(&path, "names no column", "write the columns and values by which it is known");
        }
    }
    let create = table
        .get("create")
        .map_or_else(BTreeMap::new, |value| read_writes(reader, &join(path, "create"), value));
    Some(UnknownMap { find, create })
}

const RECORD_KEYS: [&str; 9] =
    ["table", "key", "when", "owner", "shared", "ends", "nobody", "rest", "fields"];

/// Reads a record class. By default, its table has the class's name.
fn read_record(
    reader: &mut Reader,
    path: &str,
    class: Option<&str>,
    value: &Json,
    by_schema: bool,
) -> Option<RecordMap> {
    let table = reader.table(path, value, &RECORD_KEYS)?;
    let name = match (table.get("table"), class) {
        (None, Some(class)) => Some(class.to_owned()),
        _ => reader.required_text(path, table, "table").map(str::to_owned),
    };
    let key = table
        .get("key")
        .map(|value| read_columns(reader, &join(path, "key"), value))
        .map_or(Some(None), |key| key.map(Some));
    let when =
        table.get("when").map_or(Some(When::All), |value| read_when(reader, &join(path, "when"), value));
    let owner =
        table.get("owner").map_or(Some(Vec::new()), |value| read_owner(reader, &join(path, "owner"), value));
    let shared = table
        .get("shared")
        .map_or(Some(Vec::new()), |value| read_shared(reader, &join(path, "shared"), value));
    if !["owner", "shared", "ends", "nobody"].iter().any(|key| table.contains_key(*key)) {
        if reader.is_strange(path, Some("owner")) {
            return None;
        }
        reader.problem(
            join(path, "owner"),
            "is missing",
            "write the column that leads to the customer. If several people have a row, write shared = [\"column\"], or \
             shared = [\"class.column\"] where a column of another class leads to this row, such as \"customer.address_id\"",
        );
        return None;
    }
    // If only the owner link has a condition, this condition also selects the rows of the class.
    let when = when.map(|when| match (when, owner.as_deref()) {
        (When::All, Some([LinkRef::Full(link)])) => link.when.clone(),
        (when, _) => when,
    });
    let ends = read_class_ends(reader, path, table, by_schema);
    let nobody = table
        .get("nobody")
        .map_or(Some(NobodyMap::default()), |value| read_nobody(reader, &join(path, "nobody"), value));
    let rest = read_rest(reader, path, table);
    let fields = read_fields(reader, path, table);
    Some(RecordMap {
        alike: None,
        table: name?,
        key: key?,
        when: when?,
        owner: owner?,
        shared: shared?,
        ends: ends?,
        nobody: nobody?,
        rest,
        fields,
    })
}

/// Reads `ends = "schema"`, or the rule for each end.
fn read_class_ends(
    reader: &mut Reader,
    path: &str,
    table: &Map<String, Json>,
    by_schema: bool,
) -> Option<Ends> {
    let Some(value) = table.get("ends") else { return Some(Ends { by_schema, ..Ends::default() }) };
    let path = join(path, "ends");
    if value.is_string() {
        let by_schema = read_by_schema(reader, &path, value);
        return Some(Ends { links: BTreeMap::new(), by_schema, is_word: true });
    }
    Some(Ends { links: read_ends(reader, &path, value)?, by_schema, is_word: false })
}

/// Reads the meaning of all columns that `fields` does not name.
fn read_rest(reader: &mut Reader, path: &str, table: &Map<String, Json>) -> Option<FieldMap> {
    let path = join(path, "rest");
    let text = table.get("rest").and_then(|value| reader.text(&path, value))?;
    read_kind(reader, &path, text)
}

/// Reads a column, or a list of columns for a composite key.
pub(super) fn read_columns(reader: &mut Reader, path: &str, value: &Json) -> Option<Vec<String>> {
    let columns = reader.texts(path, value)?;
    Some(columns.into_iter().map(str::to_owned).collect())
}

fn read_fields(reader: &mut Reader, path: &str, table: &Map<String, Json>) -> BTreeMap<String, FieldMap> {
    let path = join(path, "fields");
    let mut fields = BTreeMap::new();
    let Some(value) = table.get("fields") else { return fields };
    let open: Vec<&str> = value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, kind)| *kind == TODO)
        .map(|(column, _)| column.as_str())
        .collect();
    if !open.is_empty() {
        let what = format!("still have to be filled in: {}", open.join(", "));
        let way_out =
            format!("write a kind of personal data, or \"not personal\", in place of each \"{TODO}\"");
        reader.problem(&path, what, way_out);
    }
    for (column, value) in reader.open_table(&path, value).into_iter().flatten() {
        let path = join(&path, column);
        let field = match value {
            Json::String(text) if text == TODO => continue,
            Json::Object(table) if table.contains_key("json") => read_json_field(reader, &path, value),
            Json::Object(_) => {
                let Some(table) =
                    reader.table(&path, value, &["kind", "max_chars", "of", "date", "encoding"])
                else {
                    continue;
                };
                let max_chars = table.get("max_chars").and_then(|value| {
                    let chars = value.as_u64().and_then(|chars| u32::try_from(chars).ok()).filter(|c| *c > 0);
                    if chars.is_none() {
                        reader.problem(join(&path, "max_chars"), "is no number of characters", "write one");
                    }
                    chars
                });
                let of = table.get("of").and_then(|value| reader.text(&join(&path, "of"), value));
                let of = of.map(str::to_owned);
                let date =
                    table.get("date").map(|value| dates::read_form(reader, &join(&path, "date"), value));
                let field = if date.is_some() && !table.contains_key("kind") {
                    Some(FieldMap::default())
                } else {
                    let kind = reader.required_text(&path, table, "kind");
                    kind.and_then(|kind| read_kind(reader, &path, kind))
                };
                let encoding = read_encoding(reader, &path, table);
                let is_text = field.as_ref().and_then(|field| field.kind.as_ref()).is_some_and(Kind::is_text);
                if !encoding.is_plain() && !is_text {
                    let what = "is for texts that are searched, and this field is none";
                    reader.problem(join(&path, "encoding"), what, "leave it out");
                }
                field.map(|field| FieldMap { max_chars, of, date: date.flatten(), encoding, ..field })
            }
            _ => reader.text(&path, value).and_then(|kind| read_kind(reader, &path, kind)),
        };
        if let Some(field) = field {
            fields.insert(column.clone(), field);
        }
    }
    fields
}

fn read_encoding(reader: &mut Reader, path: &str, table: &Map<String, Json>) -> Encoding {
    let path = join(path, "encoding");
    let Some(text) = table.get("encoding").and_then(|value| reader.text(&path, value)) else {
        return Encoding::Plain;
    };
    text.parse().unwrap_or_else(|error: UnknownEncoding| {
        reader.problem(
            path,
            format!("{text} is no encoding: {error}"),
            suggest(text, Encoding::ALL.map(Encoding::as_str)),
        );
        Encoding::Plain
    })
}

/// Reads `{ json = { "/a/pointer" = "kind", … }, rest = "kind" }`.
fn read_json_field(reader: &mut Reader, path: &str, value: &Json) -> Option<FieldMap> {
    let table = reader.table(path, value, &["json", "rest"])?;
    let rest = reader.required_text(path, table, "rest").and_then(|kind| read_kind(reader, path, kind));
    let path = join(path, "json");
    let mut json = BTreeMap::new();
    for (text, value) in
        table.get("json").and_then(|value| reader.open_table(&path, value)).into_iter().flatten()
    {
        let path = join(&path, text);
        let pointer = match text.parse::<Pointer>() {
            Ok(pointer) if !text.is_empty() => pointer,
            Ok(_) => {
                reader.problem(path, "is the whole document", "write { kind = \"…\" } for the column");
                continue;
            }
            Err(error) => {
                reader.problem(
                    path,
                    format!("is no pointer: {error}"),
                    "write one such as \"/contacts/*/name\"",
                );
                continue;
            }
        };
        let kind = reader.text(&path, value).and_then(|kind| read_kind(reader, &path, kind));
        match kind.map(|field| field.kind) {
            Some(Some(kind)) => {
                json.insert(pointer, kind);
            }
            Some(None) => reader.problem(path, "is not personal", "leave it out: the rest says so"),
            None => {}
        }
    }
    Some(FieldMap { json, ..rest? })
}

const NOT_PERSONAL: &str = "not personal";

/// Reads a kind of personal data, or "not personal".
fn read_kind(reader: &mut Reader, path: &str, text: &str) -> Option<FieldMap> {
    if text == NOT_PERSONAL {
        return Some(FieldMap::default());
    }
    match text.parse::<Kind>() {
        Ok(kind) => Some(FieldMap { kind: Some(kind), ..FieldMap::default() }),
        Err(error) => {
            let known: Vec<&str> = Kind::KNOWN.iter().copied().chain([NOT_PERSONAL]).collect();
            reader.problem(path, format!("{text} is no kind: {error}"), suggest(text, known));
            None
        }
    }
}
