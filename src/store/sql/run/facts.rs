//! The customers' facts, read in one statement for a whole batch.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;

use crate::customer::{
    Customer, FormerStatus, GatewayName, GatewayProfile, HoldKind, Moment, StateName, Status, TenantId,
    unreadable_date,
};
use crate::data_map::{DateForm, ReadDate, Value};
use crate::document::{Problem, Problems};
use crate::store::sql::cell::Cell;
use crate::store::sql::fault::Fault;
use crate::store::sql::keys;
use crate::store::sql::map::{CustomersMap, DeactivateMap, Source, TenantSource};
use crate::store::sql::session::{Row, Session};
use crate::store::sql::spelling::{quoted, source_sql};
use crate::store::sql::whose::stand_in_sql;

/// The columns of a statement that reads facts, and how to read them.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    columns: String,
    tenant: Option<TenantId>,
    statuses: Option<BTreeMap<String, Status>>,
    states: Vec<StateName>,
    registered: DateForm,
    dates: Vec<(String, DateForm)>,
    /// The first plausible day for the dates, if the map sets one before 1900.
    dates_from: Option<NaiveDate>,
    gateways: Vec<GatewayName>,
    /// The columns that a deactivation overwrites.
    written: Vec<String>,
    /// The number of columns of the key.
    key: usize,
}

/// The number of columns that every statement has, before states, dates, gateways and written columns.
const FIXED: usize = 9;

impl Facts {
    /// Makes the columns, and lets the database prepare each scalar SQL expression.
    pub(crate) fn new(session: &mut dyn Session, map: &CustomersMap) -> Result<Self, Problems> {
        let (mut problems, dialect) = (Vec::new(), session.dialect());
        let mut column = |path: &str, source: Option<&Source>| {
            let Some(source) = source else { return "NULL".to_owned() };
            let sql = source_sql(&map.table, source);
            if let Source::Sql(written) = source {
                let probe = format!("SELECT {sql} FROM {} LIMIT 0", dialect.table(&map.table));
                if let Err(error) = session.prepare(&probe) {
                    let what = match error {
                        Fault::Other(what) => what,
                        _ => "cannot be prepared".to_owned(),
                    };
                    problems.push(Problem::new(
                        format!("customers.{path}.sql"),
                        format!("{} refuses ({written}): {what}", dialect.name()),
                        "write one scalar expression, such as SELECT count(*) FROM …",
                    ));
                }
            }
            sql
        };
        let tenant_source = match &map.tenant {
            TenantSource::Is(_) => None,
            TenantSource::From(source) => Some(source),
        };
        let mut columns = vec![
            format!("CAST({} AS TEXT)", column("tenant", tenant_source)),
            column("tenants", map.tenants.as_ref()),
            format!("CAST({} AS TEXT)", column("status", map.status.as_ref().map(|status| &status.source))),
            column("active_subscriptions", map.active_subscriptions.as_ref()),
            column("registered", map.registered.as_ref()),
            stand_in_sql(dialect, map, &quoted(&map.table)),
            column("unpaid_invoices", map.unpaid_invoices.as_ref()),
            column("open_disputes", map.open_disputes.as_ref()),
            format!("CAST({} AS TEXT)", column("holds", map.holds.as_ref())),
        ];
        columns
            .extend(map.states.iter().map(|(name, source)| column(&format!("states.{name}"), Some(source))));
        columns.extend(map.dates.iter().map(|(name, source)| column(&format!("dates.{name}"), Some(source))));
        columns.extend(
            map.gateways.iter().map(|(name, source)| column(&format!("gateways.{name}"), Some(source))),
        );
        let written: Vec<String> = match &map.deactivate {
            DeactivateMap::Write(writes) => writes.keys().cloned().collect(),
            DeactivateMap::None { .. } => Vec::new(),
        };
        columns.extend(written.iter().map(|name| format!("{}.{}", quoted(&map.table), quoted(name))));
        columns.extend(map.key.iter().map(|key| format!("{}.{}", quoted(&map.table), quoted(key))));
        Problems::none_or(problems)?;
        let form = |name: &String| map.date_forms.get(name).cloned().unwrap_or_default();
        let dates = map.dates.keys().map(|name| (name.clone(), form(name)));
        let dates_from = dates.clone().map(|(_, form)| form.earliest()).min();
        let dates_from = dates_from.filter(|from| *from < DateForm::new().earliest());
        Ok(Self {
            key: map.key.len(),
            columns: columns.join(", "),
            tenant: match &map.tenant {
                TenantSource::Is(tenant) => Some(tenant.clone()),
                TenantSource::From(_) => None,
            },
            statuses: map.status.as_ref().map(|status| status.values.clone()),
            states: map.states.keys().cloned().collect(),
            registered: map.registered_form.clone(),
            dates: dates.collect(),
            dates_from,
            gateways: map.gateways.keys().cloned().collect(),
            written,
        })
    }

    pub(crate) fn columns(&self) -> &str {
        &self.columns
    }

    /// Reads a row whose facts begin at a column. An unreadable fact is named, and affects only this customer.
    pub(crate) fn read(&self, row: &dyn Row, at: usize) -> Result<Customer, Fault> {
        self.read_among(row, at, &mut Seen::default())
    }

    /// Reads one of many rows. What the rows share is made once.
    pub(super) fn read_among(&self, row: &dyn Row, at: usize, seen: &mut Seen) -> Result<Customer, Fault> {
        let key =
            at + FIXED + self.states.len() + self.dates.len() + self.gateways.len() + self.written.len();
        let mut unreadable = BTreeSet::new();
        let id = if self.key == 1 {
            keys::written(&[key_part(row.cell(key)?)])
        } else {
            let parts: Result<Vec<Value>, _> =
                (key..key + self.key).map(|column| row.cell(column).map(key_part)).collect();
            keys::written(&parts?)
        };
        if id.is_none() {
            unreadable.insert("the key".to_owned());
        }
        let id = id.unwrap_or_default();
        let tenant = match (&self.tenant, text(row.cell(at)?)) {
            (Some(tenant), _) => tenant.clone(),
            (None, Ok(Some(tenant))) => seen.tenant(tenant),
            (None, Ok(None) | Err(Unreadable)) => {
                unreadable.insert("tenant".to_owned());
                TenantId::new("")
            }
        };
        let mut customer = Customer::new(id, tenant);
        customer.unreadable = unreadable;
        let number = |column: usize, empty: u32| match row.cell(at + column)? {
            Cell::Null => Ok(Some(empty)),
            Cell::Integer(number) => Ok(u32::try_from(number).ok()),
            _ => Ok::<_, Fault>(None),
        };
        match (number(1, 1)?, names(row.cell(at + 1)?)) {
            (Some(tenants), _) => customer.tenants = tenants,
            (None, Ok(names)) => customer.connect(names),
            (None, Err(Unreadable)) => unreadable_fact(&mut customer, "tenants"),
        }
        match number(3, 0)? {
            Some(subscriptions) => customer.active_subscriptions = subscriptions,
            None => unreadable_fact(&mut customer, "active_subscriptions"),
        }
        match number(6, 0)? {
            Some(invoices) => customer.unpaid_invoices = invoices,
            None => unreadable_fact(&mut customer, "unpaid_invoices"),
        }
        match number(7, 0)? {
            Some(disputes) => customer.open_disputes = disputes,
            None => unreadable_fact(&mut customer, "open_disputes"),
        }
        match holds(row.cell(at + 8)?) {
            Ok(holds) => customer.holds = holds,
            Err(Unreadable) => unreadable_fact(&mut customer, "holds"),
        }
        if let Some(statuses) = &self.statuses {
            let status = text(row.cell(at + 2)?).ok().flatten();
            match status.and_then(|status| statuses.get(status)) {
                Some(status) => customer.status = *status,
                None => unreadable_fact(&mut customer, "status"),
            }
        }
        match self.registered.read_stored(row.cell(at + 4)?.stored(), None) {
            ReadDate::None => {}
            ReadDate::Date(Moment::Day(day)) => {
                customer.registered = Some(day.and_time(chrono::NaiveTime::MIN).and_utc());
            }
            ReadDate::Date(Moment::Instant(instant)) => customer.registered = Some(instant),
            ReadDate::Unreadable => unreadable_fact(&mut customer, "registered"),
        }
        customer.dates_from = self.dates_from;
        customer.stand_in = matches!(row.cell(at + 5)?, Cell::Integer(flag) if flag != 0);
        let mut column = at + FIXED;
        for name in &self.states {
            match row.cell(column)? {
                // Unknown for this customer, so the guard that uses the state is up.
                Cell::Null => {}
                Cell::Integer(flag @ 0..=1) => drop(customer.states.insert(name.clone(), flag == 1)),
                _ => unreadable_fact(&mut customer, &format!("state {name}")),
            }
            column += 1;
        }
        for (name, form) in &self.dates {
            // The upper limit is checked later, where the day is known.
            match form.read_stored(row.cell(column)?.stored(), None) {
                ReadDate::Date(moment) => drop(customer.dates.insert(name.clone(), moment)),
                ReadDate::None => {}
                ReadDate::Unreadable => unreadable_fact(&mut customer, &unreadable_date(name)),
            }
            column += 1;
        }
        for name in &self.gateways {
            match profiles(row.cell(column)?) {
                Ok(ids) => customer
                    .gateway_profiles
                    .extend(ids.into_iter().map(|id| GatewayProfile::new(name.clone(), id.as_str()))),
                Err(Unreadable) => unreadable_fact(&mut customer, &format!("profiles at {name}")),
            }
            column += 1;
        }
        customer.former_status = self.former_status(row, column, seen)?;
        Ok(customer)
    }

    /// The values that a deactivation overwrites. One column with a few values is what most hosts have.
    fn former_status(&self, row: &dyn Row, at: usize, seen: &mut Seen) -> Result<FormerStatus, Fault> {
        if let ([name], Cell::Text(bytes)) = (self.written.as_slice(), row.cell(at)?) {
            if let Some(known) = seen.former.get(bytes) {
                return Ok(known.clone());
            }
            let former = former_status(&[(name.as_str(), Cell::Text(bytes).to_value())].into());
            seen.former.insert(bytes.to_vec(), former.clone());
            return Ok(former);
        }
        let mut former = BTreeMap::new();
        for (name, column) in self.written.iter().zip(at..) {
            former.insert(name.as_str(), row.cell(column)?.to_value());
        }
        Ok(former_status(&former))
    }
}

/// What the rows of a page share: few tenants and few former statuses.
#[derive(Default)]
pub(super) struct Seen {
    tenants: HashMap<String, TenantId>,
    former: HashMap<Vec<u8>, FormerStatus>,
}

impl Seen {
    fn tenant(&mut self, name: &str) -> TenantId {
        if let Some(known) = self.tenants.get(name) {
            return known.clone();
        }
        let tenant = TenantId::from(name);
        self.tenants.insert(name.to_owned(), tenant.clone());
        tenant
    }
}

/// The values that a deactivation overwrites, as the store writes them down.
fn former_status(values: &BTreeMap<&str, Value>) -> FormerStatus {
    FormerStatus::new(serde_json::to_string(values).unwrap_or_default())
}

fn unreadable_fact(customer: &mut Customer, name: &str) {
    customer.unreadable.insert(name.to_owned());
}

/// A part of a key. `Null` for a text that is not UTF-8.
fn key_part(value: Cell<'_>) -> Value {
    match value {
        Cell::Text(bytes) => std::str::from_utf8(bytes).map_or(Value::Null, Value::from),
        other => other.to_value(),
    }
}

/// The error that a value cannot be read.
struct Unreadable;

/// The text of a value, in UTF-8.
fn text(value: Cell<'_>) -> Result<Option<&str>, Unreadable> {
    match value {
        Cell::Null => Ok(None),
        Cell::Text(bytes) => std::str::from_utf8(bytes).map(Some).map_err(|_| Unreadable),
        Cell::Integer(_) | Cell::Real(_) | Cell::Blob(_) => Err(Unreadable),
    }
}

/// The kinds of holds: one kind, none (NULL or an empty array), or a JSON array of kinds. An empty text, a NULL
/// within an array and an unknown word are holds of an unknown kind.
fn holds(value: Cell<'_>) -> Result<BTreeSet<HoldKind>, Unreadable> {
    let text = match value {
        Cell::Null => return Ok(BTreeSet::new()),
        Cell::Text(bytes) => std::str::from_utf8(bytes).map_err(|_| Unreadable)?.trim(),
        Cell::Integer(_) | Cell::Real(_) | Cell::Blob(_) => return Err(Unreadable),
    };
    let kinds: Vec<String> = if text.starts_with('[') {
        serde_json::from_str(text).map_err(|_| Unreadable)?
    } else {
        vec![text.to_owned()]
    };
    kinds.iter().map(|kind| HoldKind::named(kind).ok_or(Unreadable)).collect()
}

/// The names of the tenants with which an account is connected: one name, or a JSON array of texts and numbers.
fn names(value: Cell<'_>) -> Result<Vec<TenantId>, Unreadable> {
    let Cell::Text(bytes) = value else { return Err(Unreadable) };
    let text = std::str::from_utf8(bytes).map_err(|_| Unreadable)?.trim();
    if !text.starts_with('[') {
        return if text.is_empty() { Err(Unreadable) } else { Ok(vec![text.into()]) };
    }
    let names: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|_| Unreadable)?;
    let name = |name: &serde_json::Value| match name {
        serde_json::Value::String(name) if !name.is_empty() => Ok(TenantId::new(name.as_str())),
        serde_json::Value::Number(number) => Ok(TenantId::new(number.to_string())),
        _ => Err(Unreadable),
    };
    names.iter().map(name).collect()
}

/// The profile ids: one id, none, or a JSON array of ids.
fn profiles(value: Cell<'_>) -> Result<Vec<String>, Unreadable> {
    let text = match value {
        Cell::Null => return Ok(Vec::new()),
        Cell::Integer(number) => return Ok(vec![number.to_string()]),
        Cell::Text(bytes) => std::str::from_utf8(bytes).map_err(|_| Unreadable)?.trim(),
        Cell::Real(_) | Cell::Blob(_) => return Err(Unreadable),
    };
    if !text.starts_with('[') {
        return Ok(if text.is_empty() { Vec::new() } else { vec![text.to_owned()] });
    }
    let ids: Vec<Option<String>> = serde_json::from_str(text).map_err(|_| Unreadable)?;
    Ok(ids.into_iter().flatten().filter(|id| !id.is_empty()).collect())
}
