//! The customers' facts, read in one statement for a whole batch.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Utc};

use crate::customer::{
    Customer, CustomerId, DateName, Dates, FormerStatus, GatewayName, GatewayProfile, HoldKind, Moment,
    StateName, Status, TenantId, unreadable_date,
};
use crate::data_map::{DateForm, ReadDate, Value};
use crate::document::{Problem, Problems};
use crate::store::Registration;
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
    places: Places,
    /// The columns of a registration, after the key.
    registration: Vec<String>,
    tenant: Option<TenantId>,
    statuses: Option<BTreeMap<String, Status>>,
    states: Vec<StateName>,
    registered: DateForm,
    dates: Vec<(DateName, DateForm)>,
    /// The first plausible day for the dates, if the map sets one before 1900.
    dates_from: Option<NaiveDate>,
    gateways: Vec<GatewayName>,
    /// The columns that a deactivation overwrites.
    written: Vec<String>,
    /// The number of columns of the key.
    key: usize,
}

/// Where a row has each of these facts. `None` for a fact that the map does not have: no row has a column for it, because a
/// sweep reads every row. States, dates, gateways, written columns and the key follow.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    tenant: Option<usize>,
    tenants: Option<usize>,
    status: Option<usize>,
    active_subscriptions: Option<usize>,
    registered: Option<usize>,
    stand_in: Option<usize>,
    unpaid_invoices: Option<usize>,
    open_disputes: Option<usize>,
    holds: Option<usize>,
    /// The number of these columns.
    count: usize,
}

impl Facts {
    /// Makes the columns, and lets the database prepare each scalar SQL expression.
    pub(crate) fn new(session: &mut dyn Session, map: &CustomersMap) -> Result<Self, Problems> {
        let (mut problems, dialect) = (Vec::new(), session.dialect());
        let mut column = |path: &str, source: Option<&Source>| {
            let source = source?;
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
            Some(sql)
        };
        let tenant_source = match &map.tenant {
            TenantSource::Is(_) => None,
            TenantSource::From(source) => Some(source),
        };
        let mut columns = Vec::new();
        let mut give = |sql: Option<String>| {
            columns.push(sql?);
            Some(columns.len() - 1)
        };
        let as_text = |sql: Option<String>| sql.map(|sql| format!("CAST({sql} AS TEXT)"));
        let status = map.status.as_ref().map(|status| &status.source);
        let tenant = as_text(column("tenant", tenant_source));
        let registered = column("registered", map.registered.as_ref());
        let registration = [tenant.clone(), registered.clone()].into_iter().flatten().collect();
        let stand_in = map.unknown.is_some().then(|| stand_in_sql(dialect, map, &quoted(&map.table)));
        let mut places = Places {
            tenant: give(tenant),
            tenants: give(column("tenants", map.tenants.as_ref())),
            status: give(as_text(column("status", status))),
            active_subscriptions: give(column("active_subscriptions", map.active_subscriptions.as_ref())),
            registered: give(registered),
            stand_in: give(stand_in),
            unpaid_invoices: give(column("unpaid_invoices", map.unpaid_invoices.as_ref())),
            open_disputes: give(column("open_disputes", map.open_disputes.as_ref())),
            holds: give(as_text(column("holds", map.holds.as_ref()))),
            count: 0,
        };
        places.count = columns.len();
        columns.extend(
            map.states.iter().filter_map(|(name, source)| column(&format!("states.{name}"), Some(source))),
        );
        columns.extend(
            map.dates.iter().filter_map(|(name, source)| column(&format!("dates.{name}"), Some(source))),
        );
        columns.extend(
            map.gateways
                .iter()
                .filter_map(|(name, source)| column(&format!("gateways.{name}"), Some(source))),
        );
        let written: Vec<String> = match &map.deactivate {
            DeactivateMap::Write(writes) => writes.keys().cloned().collect(),
            DeactivateMap::None { .. } => Vec::new(),
        };
        columns.extend(written.iter().map(|name| format!("{}.{}", quoted(&map.table), quoted(name))));
        columns.extend(map.key.iter().map(|key| format!("{}.{}", quoted(&map.table), quoted(key))));
        Problems::none_or(problems)?;
        let form = |name: &String| map.date_forms.get(name).cloned().unwrap_or_default();
        let dates = map.dates.keys().map(|name| (DateName::from(name.as_str()), form(name)));
        let dates_from = dates.clone().map(|(_, form)| form.earliest()).min();
        let dates_from = dates_from.filter(|from| *from < DateForm::new().earliest());
        Ok(Self {
            key: map.key.len(),
            registration,
            places,
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

    /// The columns of a registration, after the key.
    pub(super) fn of_registration(&self) -> &[String] {
        &self.registration
    }

    /// Reads a row that begins with the key and the columns of a registration.
    pub(super) fn read_registration(&self, row: &dyn Row, seen: &mut Seen) -> Result<Registration, Fault> {
        let tenant = self.places.tenant.map(|_| self.key);
        let registered = self.places.registered.map(|_| self.key + usize::from(tenant.is_some()));
        let customer = self.id(row, 0, seen)?.unwrap_or_else(no_id);
        let tenant = self.tenant(cell(row, tenant)?, seen).unwrap_or_else(no_tenant);
        let registered = self.registered(cell(row, registered)?).unwrap_or_default();
        Ok(Registration { customer, tenant, registered })
    }

    /// The id of a row whose key begins at a column. `None` for a key that cannot be written.
    fn id(&self, row: &dyn Row, at: usize, seen: &mut Seen) -> Result<Option<CustomerId>, Fault> {
        if self.key == 1 {
            // Most keys are numbers or plain texts, and a sweep reads all of them.
            match row.cell(at)? {
                Cell::Integer(number) => {
                    seen.text.clear();
                    // Writing to a String never fails.
                    let _ = write!(seen.text, "{number}");
                    return Ok(Some(CustomerId::from(seen.text.as_str())));
                }
                Cell::Text(bytes) => return Ok(std::str::from_utf8(bytes).ok().map(CustomerId::from)),
                Cell::Null | Cell::Real(_) | Cell::Blob(_) => {}
            }
        }
        let parts: Result<Vec<Value>, Fault> =
            (at..at + self.key).map(|column| row.cell(column).map(key_part)).collect();
        Ok(keys::written(&parts?).map(CustomerId::from))
    }

    /// The tenant of a row. `None` if it cannot be read.
    fn tenant(&self, value: Cell<'_>, seen: &mut Seen) -> Option<TenantId> {
        match &self.tenant {
            Some(tenant) => Some(seen.own_tenant(tenant)),
            None => text(value).ok().flatten().map(|tenant| seen.tenant(tenant)),
        }
    }

    /// When the customer of a row was registered.
    fn registered(&self, value: Cell<'_>) -> Result<Option<DateTime<Utc>>, Unreadable> {
        match self.registered.read_stored(value.stored(), None) {
            ReadDate::None => Ok(None),
            ReadDate::Date(Moment::Day(day)) => Ok(Some(day.and_time(chrono::NaiveTime::MIN).and_utc())),
            ReadDate::Date(Moment::Instant(instant)) => Ok(Some(instant)),
            ReadDate::Unreadable => Err(Unreadable),
        }
    }

    /// Reads a row whose facts begin at a column. An unreadable fact is named, and affects only this customer. What the
    /// rows of one statement share is made once.
    pub(super) fn read(&self, row: &dyn Row, at: usize, seen: &mut Seen) -> Result<Customer, Fault> {
        let mut column = at + self.places.count;
        let written = column + self.states.len() + self.dates.len() + self.gateways.len();
        let fact = |place: Option<usize>| cell(row, place.map(|place| at + place));
        let mut unreadable = BTreeSet::new();
        let id = self.id(row, written + self.written.len(), seen)?.unwrap_or_else(|| {
            unreadable.insert("the key".to_owned());
            no_id()
        });
        let tenant = self.tenant(fact(self.places.tenant)?, seen).unwrap_or_else(|| {
            unreadable.insert("tenant".to_owned());
            no_tenant()
        });
        let mut customer = Customer::before(id, tenant, self.former_status(row, written, seen)?);
        customer.unreadable = unreadable;
        let tenants = fact(self.places.tenants)?;
        match (number(tenants, 1), names(tenants)) {
            (Some(tenants), _) => customer.tenants = tenants,
            (None, Ok(names)) => customer.connect(names),
            (None, Err(Unreadable)) => unreadable_fact(&mut customer, "tenants"),
        }
        match number(fact(self.places.active_subscriptions)?, 0) {
            Some(subscriptions) => customer.active_subscriptions = subscriptions,
            None => unreadable_fact(&mut customer, "active_subscriptions"),
        }
        match number(fact(self.places.unpaid_invoices)?, 0) {
            Some(invoices) => customer.unpaid_invoices = invoices,
            None => unreadable_fact(&mut customer, "unpaid_invoices"),
        }
        match number(fact(self.places.open_disputes)?, 0) {
            Some(disputes) => customer.open_disputes = disputes,
            None => unreadable_fact(&mut customer, "open_disputes"),
        }
        match holds(fact(self.places.holds)?) {
            Ok(holds) => customer.holds = holds,
            Err(Unreadable) => unreadable_fact(&mut customer, "holds"),
        }
        if let Some(statuses) = &self.statuses {
            let status = text(fact(self.places.status)?).ok().flatten();
            match status.and_then(|status| statuses.get(status)) {
                Some(status) => customer.status = *status,
                None => unreadable_fact(&mut customer, "status"),
            }
        }
        match self.registered(fact(self.places.registered)?) {
            Ok(registered) => customer.registered = registered,
            Err(Unreadable) => unreadable_fact(&mut customer, "registered"),
        }
        customer.dates_from = self.dates_from;
        customer.stand_in = matches!(fact(self.places.stand_in)?, Cell::Integer(flag) if flag != 0);
        for name in &self.states {
            match row.cell(column)? {
                // Unknown for this customer, so the guard that uses the state is up.
                Cell::Null => {}
                Cell::Integer(flag @ 0..=1) => drop(customer.states.insert(name.clone(), flag == 1)),
                _ => unreadable_fact(&mut customer, &format!("state {name}")),
            }
            column += 1;
        }
        for (n, (name, form)) in self.dates.iter().enumerate() {
            // The upper limit is checked later, where the day is known.
            match form.read_stored(row.cell(column)?.stored(), None) {
                ReadDate::Date(moment) => {
                    if customer.dates.is_empty() {
                        customer.dates = Dates::with_capacity(self.dates.len());
                    }
                    customer.dates.insert(seen.date(n, name), moment);
                }
                ReadDate::None => {}
                ReadDate::Unreadable => unreadable_fact(&mut customer, &unreadable_date(name.as_str())),
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
        Ok(customer)
    }

    /// The values that a deactivation overwrites. One column with a few values is what most hosts have.
    fn former_status(&self, row: &dyn Row, at: usize, seen: &mut Seen) -> Result<FormerStatus, Fault> {
        if let ([name], Cell::Text(bytes)) = (self.written.as_slice(), row.cell(at)?) {
            return Ok(
                seen.former(bytes, || former_status(&[(name.as_str(), Cell::Text(bytes).to_value())].into()))
            );
        }
        let mut former = BTreeMap::new();
        for (name, column) in self.written.iter().zip(at..) {
            former.insert(name.as_str(), row.cell(column)?.to_value());
        }
        Ok(former_status(&former))
    }
}

/// The most values of a status column that are looked for one after the other.
const FEW: usize = 16;

/// What the rows of a page share: few tenants, few former statuses, and the names of dates.
#[derive(Default)]
pub(super) struct Seen {
    tenants: HashMap<String, TenantId>,
    former: Vec<(Vec<u8>, FormerStatus)>,
    dates: Vec<DateName>,
    /// Where the digits of a key are written.
    text: String,
    /// The tenant, if all rows have the same.
    own: Option<TenantId>,
}

// Each page has its own copy of what its rows share: two threads that count the users of one text wait for each other.
impl Seen {
    fn own_tenant(&mut self, tenant: &TenantId) -> TenantId {
        self.own.get_or_insert_with(|| TenantId::from(tenant.as_str())).clone()
    }

    fn tenant(&mut self, name: &str) -> TenantId {
        if let Some(known) = self.tenants.get(name) {
            return known.clone();
        }
        let tenant = TenantId::from(name);
        self.tenants.insert(name.to_owned(), tenant.clone());
        tenant
    }

    /// The former status under a value of the status column. A column has a few values.
    fn former(&mut self, value: &[u8], make: impl FnOnce() -> FormerStatus) -> FormerStatus {
        if let Some((_, known)) = self.former.iter().find(|(known, _)| known == value) {
            return known.clone();
        }
        let former = make();
        if self.former.len() < FEW {
            self.former.push((value.to_vec(), former.clone()));
        }
        former
    }

    /// The name of the `n`th date.
    fn date(&mut self, n: usize, name: &DateName) -> DateName {
        if let Some(known) = self.dates.get(n) {
            return known.clone();
        }
        let own = DateName::from(name.as_str());
        if self.dates.len() == n {
            self.dates.push(own.clone());
        }
        own
    }
}

/// The value of a fact. `Null` where the map does not have the fact.
fn cell(row: &dyn Row, place: Option<usize>) -> Result<Cell<'_>, Fault> {
    place.map_or(Ok(Cell::Null), |place| row.cell(place))
}

/// A count. `empty` is the count of NULL.
fn number(value: Cell<'_>, empty: u32) -> Option<u32> {
    match value {
        Cell::Null => Some(empty),
        Cell::Integer(number) => u32::try_from(number).ok(),
        _ => None,
    }
}

fn no_id() -> CustomerId {
    CustomerId::from("")
}

fn no_tenant() -> TenantId {
    TenantId::from("")
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
