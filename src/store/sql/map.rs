//! The map of a database, as a host writes it.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::dates;
use crate::anonymise::json::Pointer;
use crate::customer::{GatewayName, Status, TenantId};
use crate::data_map::{ClassName, DateForm, Kind, StateName, Value};
use crate::digest::Digest;
use crate::document::{Problem, Problems, Reader, join, suggest};

/// Where a fact comes from: a column of the customers' table, or scalar SQL that may name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Column(String),
    Sql(String),
}

/// Where a customer's tenant comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TenantSource {
    Is(TenantId),
    From(Source),
}

/// What a column is, in the map's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldMap {
    pub(crate) kind: Option<Kind>,
    pub(crate) max_chars: Option<u32>,
    /// What is personal within the JSON document that the column holds; the kind is then that of the rest.
    pub(crate) json: BTreeMap<Pointer, Kind>,
    /// In which form the column stores dates, where the map says so.
    pub(crate) date: Option<DateForm>,
}

/// One link of the way from a record to its customer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Link {
    pub(crate) columns: Vec<String>,
    /// Where it leads, if no foreign key says so.
    pub(crate) to: Option<(String, Vec<String>)>,
    /// It leads there in the rows only in which these columns have these values.
    pub(crate) when: BTreeMap<String, Value>,
    /// Several rows may be at the far end, of several customers.
    pub(crate) shared: bool,
}

/// A value that is written to a column: a constant, or the instant.
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
    pub(crate) key: String,
    pub(crate) tenant: TenantSource,
    pub(crate) tenants: Option<Source>,
    pub(crate) registered: Option<Source>,
    pub(crate) registered_form: DateForm,
    pub(crate) status: Option<StatusMap>,
    pub(crate) dates: BTreeMap<String, Source>,
    /// By date, in which form it is stored.
    pub(crate) date_forms: BTreeMap<String, DateForm>,
    pub(crate) active_subscriptions: Option<Source>,
    pub(crate) unpaid_invoices: Option<Source>,
    pub(crate) open_disputes: Option<Source>,
    pub(crate) holds: Option<Source>,
    pub(crate) states: BTreeMap<StateName, Source>,
    pub(crate) gateways: BTreeMap<GatewayName, Source>,
    pub(crate) deactivate: DeactivateMap,
    pub(crate) unknown: Option<UnknownMap>,
    pub(crate) fields: BTreeMap<String, FieldMap>,
}

#[derive(Clone, Debug)]
pub(crate) struct RecordMap {
    pub(crate) table: String,
    pub(crate) key: Vec<String>,
    pub(crate) owner: Vec<Link>,
    pub(crate) fields: BTreeMap<String, FieldMap>,
}

/// The map of a database that a host has already: for each record class its table, its key, how a row
/// belongs to a customer, and what each column holds.
///
/// Reading a map checks its grammar. Opening a store holds it against the live schema.
#[derive(Clone, Debug)]
pub struct SqlMap {
    pub(crate) customers: CustomersMap,
    pub(crate) records: BTreeMap<ClassName, RecordMap>,
    pub(crate) ignore: BTreeMap<String, String>,
    /// Of the document: an approval holds under the map by which it was planned, and no other.
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

    fn read(value: &Json) -> Result<Self, Problems> {
        let mut reader = Reader::default();
        let map = read_map(&mut reader, value);
        reader.finish()?;
        map.ok_or_else(|| Problems::one(Problem::new("", "cannot be read", "write a table of keys")))
    }
}

fn read_map(reader: &mut Reader, value: &Json) -> Option<SqlMap> {
    let table = reader.table("", value, &["version", "customers", "records", "ignore"])?;
    reader.version(table);
    let customers = reader.required("", table, "customers").and_then(|value| read_customers(reader, value));
    let mut records = BTreeMap::new();
    if let Some(value) = table.get("records") {
        for (name, value) in reader.open_table("records", value).into_iter().flatten() {
            if let Some(record) = read_record(reader, &join("records", name), value) {
                records.insert(name.as_str().into(), record);
            }
        }
    }
    let mut ignore = BTreeMap::new();
    if let Some(value) = table.get("ignore") {
        for (name, reason) in reader.open_table("ignore", value).into_iter().flatten() {
            if let Some(reason) = reader.text(&join("ignore", name), reason) {
                ignore.insert(name.clone(), reason.to_owned());
            }
        }
    }
    Some(SqlMap { customers: customers?, records, ignore, digest: Digest::of(value) })
}

const CUSTOMER_KEYS: [&str; 17] = [
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
    "fields",
];

fn read_customers(reader: &mut Reader, value: &Json) -> Option<CustomersMap> {
    let path = "customers";
    let table = reader.table(path, value, &CUSTOMER_KEYS)?;
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
    let key = reader.required_text(path, table, "key").map(str::to_owned);
    Some(CustomersMap {
        class: class?.into(),
        table: name?,
        key: key?,
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

fn read_source(reader: &mut Reader, path: &str, value: &Json) -> Option<Source> {
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

/// The customers' dates, each with the form that is said of it.
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
        Some(table) if table.contains_key("is") => {
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
    if !values.values().any(|status| *status == Status::Active) {
        reader.problem(
            join(path, "active"),
            "is missing",
            "write the values that stand for an active customer",
        );
    }
    Some(StatusMap { source: source?, values })
}

/// Texts and numbers, as text.
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

fn read_scalar(reader: &mut Reader, path: &str, value: &Json) -> Option<Value> {
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

fn read_record(reader: &mut Reader, path: &str, value: &Json) -> Option<RecordMap> {
    let table = reader.table(path, value, &["table", "key", "owner", "fields"])?;
    let name = reader.required_text(path, table, "table").map(str::to_owned);
    let key = reader
        .required(path, table, "key")
        .and_then(|value| reader.texts(&join(path, "key"), value))
        .map(|key| key.into_iter().map(str::to_owned).collect());
    let owner = reader.required(path, table, "owner").and_then(|value| read_owner(reader, path, value));
    let fields = read_fields(reader, path, table);
    Some(RecordMap { table: name?, key: key?, owner: owner?, fields })
}

fn read_owner(reader: &mut Reader, path: &str, value: &Json) -> Option<Vec<Link>> {
    let path = join(path, "owner");
    let items = match value {
        Json::Array(items) if !items.is_empty() => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    // Every link is looked at, whatever is wrong with those before.
    let links: Vec<Option<Link>> =
        items.iter().enumerate().map(|(n, item)| read_link(reader, &format!("{path}[{n}]"), item)).collect();
    links.into_iter().collect()
}

/// A column or, for a composite key, a list of them.
fn read_columns(reader: &mut Reader, path: &str, value: &Json) -> Option<Vec<String>> {
    let columns = reader.texts(path, value)?;
    Some(columns.into_iter().map(str::to_owned).collect())
}

fn read_link(reader: &mut Reader, path: &str, value: &Json) -> Option<Link> {
    match value {
        Json::String(_) | Json::Array(_) => {
            let columns = read_columns(reader, path, value)?;
            Some(Link { columns, to: None, when: BTreeMap::new(), shared: false })
        }
        Json::Object(_) => {
            let table = reader.table(path, value, &["column", "table", "key", "when", "shared"])?;
            let columns = reader
                .required(path, table, "column")
                .and_then(|value| read_columns(reader, &join(path, "column"), value));
            let to_table = table.get("table").map(|value| reader.text(&join(path, "table"), value));
            let key = table.get("key").map(|value| read_columns(reader, &join(path, "key"), value));
            let to = match (to_table, key) {
                (None, None) => None,
                (Some(table), Some(key)) => Some((table?.to_owned(), key?)),
                (Some(_), None) => {
                    reader.problem(
                        join(path, "key"),
                        "is missing",
                        "write the column that the link leads to",
                    );
                    return None;
                }
                (None, Some(_)) => {
                    reader.problem(
                        join(path, "table"),
                        "is missing",
                        "write the table that the link leads to",
                    );
                    return None;
                }
            };
            let mut when = BTreeMap::new();
            if let Some(value) = table.get("when") {
                let path = join(path, "when");
                for (column, value) in reader.open_table(&path, value).into_iter().flatten() {
                    when.insert(column.clone(), read_scalar(reader, &join(&path, column), value)?);
                }
            }
            let shared = match table.get("shared") {
                None => false,
                Some(Json::Bool(flag)) => *flag,
                Some(_) => {
                    reader.problem(join(path, "shared"), "is no flag", "write true, or leave it out");
                    return None;
                }
            };
            Some(Link { columns: columns?, to, when, shared })
        }
        _ => {
            reader.problem(
                path,
                "is no link to the customer",
                "write a column, or a list of columns that lead there through other tables",
            );
            None
        }
    }
}

fn read_fields(reader: &mut Reader, path: &str, table: &Map<String, Json>) -> BTreeMap<String, FieldMap> {
    let path = join(path, "fields");
    let mut fields = BTreeMap::new();
    let Some(value) = table.get("fields") else { return fields };
    for (column, value) in reader.open_table(&path, value).into_iter().flatten() {
        let path = join(&path, column);
        let field = match value {
            Json::Object(table) if table.contains_key("json") => read_json_field(reader, &path, value),
            Json::Object(_) => {
                let Some(table) = reader.table(&path, value, &["kind", "max_chars", "date"]) else {
                    continue;
                };
                let max_chars = table.get("max_chars").and_then(|value| {
                    let chars = value.as_u64().and_then(|chars| u32::try_from(chars).ok()).filter(|c| *c > 0);
                    if chars.is_none() {
                        reader.problem(join(&path, "max_chars"), "is no number of characters", "write one");
                    }
                    chars
                });
                let date =
                    table.get("date").map(|value| dates::read_form(reader, &join(&path, "date"), value));
                let field = if date.is_some() && !table.contains_key("kind") {
                    Some(FieldMap::default())
                } else {
                    let kind = reader.required_text(&path, table, "kind");
                    kind.and_then(|kind| read_kind(reader, &path, kind))
                };
                field.map(|field| FieldMap { max_chars, date: date.flatten(), ..field })
            }
            _ => reader.text(&path, value).and_then(|kind| read_kind(reader, &path, kind)),
        };
        if let Some(field) = field {
            fields.insert(column.clone(), field);
        }
    }
    fields
}

/// `{ json = { "/a/pointer" = "kind", … }, rest = "kind" }`
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

/// A field of a kind of personal data, or of none.
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
