//! Exports data: everything about one customer, all records of one class, or everything of a tenant.
//!
//! A person has a right to access all data about them (Art. 15 GDPR), and a right to a form that programs can read
//! (Art. 20 GDPR). A tenant whose contract ends gets its data before they are erased.
//!
//! | what is exported | by | what stays out |
//! |---|---|---|
//! | everything about one customer | [`Export::customer`] | secrets; what belongs to other people; personal values in records that others have too |
//! | all records of one class | [`Export::class`] | secrets |
//! | everything about all customers of a tenant | [`Export::tenant`] | secrets; what belongs to other people |
//!
//! *Secrets* are passwords and access tokens ([`Kind::is_secret`]). Two kinds of fields *belong to other people*: a
//! field that the map gives to the person at the other end of a link, and a link that leads to another customer. A
//! record that several people have may be about the others. So its personal values are left out, unless the
//! customer's own records contain the same value. An operator who has weighed the rights of the others (Art. 15(4)
//! GDPR) can [show](Export::showing_shared) these values. Every value is either in the export, or reported as left
//! out with the reason.
//!
//! [`Engine::export`] checks the operator and the purpose, writes to the host's [`AccessLog`](super::AccessLog), and
//! returns an [`Exporting`]. Its pages can be written as JSON, as CSV or as a ZIP archive (feature `export`). Memory
//! is bounded by the page.
//!
//! An export is read page by page, not in one transaction. A record that changes in the meantime may be exported as
//! it was before or after.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::expiry::Pages;
use super::tenants::Sought;
use super::{Access, Accessed, Engine, EngineBuilder, Error};
use crate::customer::{Customer, CustomerId, TenantId};
use crate::data_map::{ClassName, DataMap, FieldName, Kind, NotCovered, RecordClass, Value};
use crate::document::suggest;
use crate::store::{Cursor, ReadRecords, ReadRequest, StoreError, Whose};

#[cfg(feature = "export")]
mod csv;
#[cfg(feature = "export")]
mod error;
#[cfg(feature = "export")]
mod html;
#[cfg(feature = "export")]
mod json;
mod mask;
#[cfg(feature = "export")]
mod words;
#[cfg(feature = "export")]
mod zip;

#[cfg(feature = "export")]
pub use self::csv::write_csv;
#[cfg(feature = "export")]
pub use self::error::ExportError;
#[cfg(feature = "export")]
pub use self::json::write_json;
#[cfg(feature = "export")]
pub use self::zip::ZipExport;
pub use mask::WhyLeftOut;
use mask::{Masks, Own};

/// The maximum number of records in a page.
const PAGE: usize = 2_000;

/// What is exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Scope {
    Customer(CustomerId),
    Class(ClassName),
    Tenant(TenantId),
}

/// What is exported, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    scope: Scope,
    shows_shared: bool,
    page: usize,
}

impl Export {
    fn of(scope: Scope) -> Self {
        Self { scope, shows_shared: false, page: PAGE }
    }

    /// Everything about one customer.
    pub fn customer(customer: impl Into<CustomerId>) -> Self {
        Self::of(Scope::Customer(customer.into()))
    }

    /// All records of one class, of all customers. The operator needs authority over every tenant of the store.
    pub fn class(class: impl Into<ClassName>) -> Self {
        Self::of(Scope::Class(class.into()))
    }

    /// Everything about all customers of a tenant, including the "Unknown Customer". If several of them have a
    /// record, the record is exported once for each.
    pub fn tenant(tenant: impl Into<TenantId>) -> Self {
        Self::of(Scope::Tenant(tenant.into()))
    }

    /// Shows personal values in records that other people have too. The operator has weighed their rights (Art. 15(4) GDPR).
    #[must_use]
    pub fn showing_shared(mut self) -> Self {
        self.shows_shared = true;
        self
    }

    /// Sets the maximum number of records in memory at once: at least 1. The default is 2,000.
    #[must_use]
    pub fn page(mut self, records: usize) -> Self {
        self.page = records.max(1);
        self
    }
}

/// A page of an export: records of one class.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExportPage {
    /// The record class.
    pub class: ClassName,
    /// Whether the page is the first of its class. Every class has a first page, which may be empty.
    pub is_first: bool,
    /// The fields, in order.
    pub fields: Arc<[FieldName]>,
    /// The records.
    pub records: Vec<ExportRecord>,
}

/// A record of an export.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExportRecord {
    /// The customer whose record it is, if a tenant is exported.
    pub customer: Option<CustomerId>,
    /// The values, in the order of [`ExportPage::fields`]. A value that is left out is [`Value::Null`].
    pub values: Vec<Value>,
    /// The indexes of values that are left out, in order, with the reason.
    pub left_out: Vec<(usize, WhyLeftOut)>,
}

/// Values of a field that are left out of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// The record class.
    pub class: ClassName,
    /// The field. For a value inside a JSON document, the column and the pointer: `profile/password`.
    pub field: FieldName,
    /// Why.
    pub why: WhyLeftOut,
    /// How many records.
    pub records: u64,
}

/// What an export contains, and what was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExportReport {
    /// The number of records by class.
    pub records: BTreeMap<ClassName, u64>,
    /// What is left out, by class and field.
    pub left_out: Vec<LeftOut>,
    /// What the export does not reach.
    pub not_covered: Vec<NotCovered>,
}

impl EngineBuilder {
    /// Sets the store that reads whole records, for exports and searches. Usually this is the customer store itself.
    #[must_use]
    pub fn records(mut self, store: impl ReadRecords) -> Self {
        self.reads = Some(Arc::new(store));
        self
    }
}

impl Engine {
    /// Begins an export. The access is written to the host's access log before anything is read.
    ///
    /// # Errors
    /// [`Error::NoSuchCustomer`], [`Error::NoSuchClass`], [`Error::NoSuchTenant`]. [`Error::Approval`] for an operator of
    /// other tenants. [`Error::NotForRequest`] if the identity of the person is not confirmed. [`Error::NoRecords`] and
    /// [`Error::NoAccessLog`] if the engine was built without them; [`Error::AccessLog`] if the log fails. A store or a
    /// ledger out of reach.
    pub async fn export(&self, export: &Export, access: &Access) -> Result<Exporting, Error> {
        let reads = Arc::clone(self.parts.reads.as_ref().ok_or(Error::NoRecords)?);
        let map = self.data_map();
        let (mut own, mut tenant_of) = (Own::default(), None);
        match &export.scope {
            Scope::Customer(customer) => {
                let found = self.parts.store.facts(std::slice::from_ref(customer)).await?;
                let facts = found.into_iter().next().ok_or(Error::NoSuchCustomer)?;
                let what = Accessed::Customer { customer: customer.clone() };
                self.access(access, Some(customer), tenants_of(&facts), what).await?;
                let found = self.parts.store.identifiers(std::slice::from_ref(customer)).await?;
                for identifiers in found {
                    match identifiers {
                        Ok(identifiers) => own.add(&identifiers),
                        // An unreadable document must not prevent an access to the other data. Then fewer values are
                        // known as the customer's own, and more values are left out of shared records.
                        Err(StoreError::Unreadable { .. }) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                tenant_of = Some(facts.tenant);
            }
            Scope::Class(class) => {
                if map.class(class.as_str()).is_none() {
                    let names: Vec<&str> = map.classes().map(|class| class.name().as_str()).collect();
                    let way_out = suggest(class.as_str(), names.iter().copied());
                    return Err(Error::NoSuchClass { class: class.clone(), way_out });
                }
                let tenants = self.all_tenants().await?;
                self.access(access, None, &tenants, Accessed::Class { class: class.clone() }).await?;
            }
            Scope::Tenant(tenant) => {
                self.look_for(Sought::only([tenant])).await?;
                let what = Accessed::Tenant { tenant: tenant.clone() };
                self.access(access, None, [tenant], what).await?;
            }
        }
        let classes = match &export.scope {
            Scope::Class(class) => vec![class.clone()],
            Scope::Customer(_) | Scope::Tenant(_) => in_order(map),
        };
        let report = ExportReport { not_covered: not_covered(map, &export.scope), ..ExportReport::default() };
        Ok(Exporting {
            engine: self.clone(),
            reads,
            export: export.clone(),
            at: self.parts.clock.now(),
            own,
            tenant: tenant_of,
            classes: classes.into_iter(),
            class: None,
            counts: BTreeMap::new(),
            report,
            is_broken: false,
        })
    }

    /// Every tenant of the store.
    async fn all_tenants(&self) -> Result<BTreeSet<TenantId>, Error> {
        let (mut tenants, mut pages) = (BTreeSet::new(), Pages::new());
        while let Some(page) = pages.next(&*self.parts.store, self.parts.batch).await? {
            tenants.extend(
                page.iter().flat_map(tenants_of).filter(|tenant| !tenant.as_str().is_empty()).cloned(),
            );
        }
        Ok(tenants)
    }
}

/// The tenants with which a customer is connected.
fn tenants_of(facts: &Customer) -> impl Iterator<Item = &TenantId> {
    std::iter::once(&facts.tenant).chain(&facts.connected)
}

/// All classes, the customers' own first.
fn in_order(map: &DataMap) -> Vec<ClassName> {
    let others = map.classes().map(RecordClass::name).filter(|name| *name != map.root());
    std::iter::once(map.root()).chain(others).cloned().collect()
}

/// What an export does not reach.
fn not_covered(map: &DataMap, scope: &Scope) -> Vec<NotCovered> {
    if matches!(scope, Scope::Class(_)) {
        return Vec::new();
    }
    let ignored = map
        .ignored()
        .iter()
        .map(|(what, reason)| NotCovered::Ignored { what: what.clone(), reason: reason.clone() });
    ignored
        .chain(map.unmapped().iter().cloned())
        .chain([NotCovered::Mentions, NotCovered::OtherSystems, NotCovered::Backups])
        .collect()
}

/// The class that is read.
struct ReadClass {
    class: ClassName,
    masks: Option<Masks>,
    is_first: bool,
    /// The customers of the batch whose records are read. `None`: the records of all customers.
    batch: Option<Vec<CustomerId>>,
    /// The batches of customers that follow.
    pages: Option<Pages>,
    after: Option<Cursor>,
    fields: Arc<[FieldName]>,
}

/// An export that is being read. Made by [`Engine::export`].
pub struct Exporting {
    engine: Engine,
    reads: Arc<dyn ReadRecords>,
    export: Export,
    at: DateTime<Utc>,
    own: Own,
    /// The tenant of the customer who is exported.
    #[cfg_attr(not(feature = "export"), allow(dead_code, reason = "the page for the person needs it"))]
    tenant: Option<TenantId>,
    classes: std::vec::IntoIter<ClassName>,
    class: Option<ReadClass>,
    counts: BTreeMap<(ClassName, FieldName, WhyLeftOut), u64>,
    report: ExportReport,
    /// Whether a page could not be read.
    is_broken: bool,
}

impl fmt::Debug for Exporting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporting").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Exporting {
    /// When the export began.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// What was exported so far. The report is complete when [`next`](Self::next) has returned `None`.
    pub fn report(&self) -> &ExportReport {
        &self.report
    }

    /// Whether the records of several customers are exported, each with its customer.
    pub fn has_customers(&self) -> bool {
        matches!(self.export.scope, Scope::Tenant(_))
    }

    /// The kind of a field of a class.
    pub fn kind(&self, class: &ClassName, field: &FieldName) -> Option<&Kind> {
        self.engine.data_map().class(class.as_str())?.find(field.as_str())?.kind()
    }

    /// The next page. `None` when everything was read.
    ///
    /// # Errors
    /// A store out of reach. Then every further call is an error, too: begin the export again.
    pub async fn next(&mut self) -> Result<Option<ExportPage>, Error> {
        if std::mem::replace(&mut self.is_broken, true) {
            let what = "an earlier page could not be read; begin the export again";
            return Err(StoreError::failed("exporting records", what).into());
        }
        let page = self.next_page().await?;
        self.is_broken = false;
        Ok(page)
    }

    async fn next_page(&mut self) -> Result<Option<ExportPage>, Error> {
        loop {
            let mut class = match self.class.take() {
                Some(class) => class,
                None => match self.classes.next() {
                    Some(class) => self.begin(class).await?,
                    None => return Ok(None),
                },
            };
            let (page, is_last) = self.read(&mut class).await?;
            if !is_last {
                self.class = Some(class);
            }
            if page.is_first || !page.records.is_empty() {
                return Ok(Some(page));
            }
        }
    }

    async fn begin(&mut self, class: ClassName) -> Result<ReadClass, Error> {
        self.report.records.entry(class.clone()).or_default();
        let (mut batch, mut pages) = (None, None);
        match &self.export.scope {
            Scope::Customer(customer) => batch = Some(vec![customer.clone()]),
            Scope::Class(_) => {}
            Scope::Tenant(_) => {
                let mut all = Pages::new();
                batch = Some(self.next_batch(&mut all).await?.unwrap_or_default());
                pages = Some(all);
            }
        }
        Ok(ReadClass { class, masks: None, is_first: true, batch, pages, after: None, fields: Arc::new([]) })
    }

    /// The next customers of the tenant.
    async fn next_batch(&self, pages: &mut Pages) -> Result<Option<Vec<CustomerId>>, Error> {
        let Scope::Tenant(tenant) = &self.export.scope else { return Ok(None) };
        let parts = &self.engine.parts;
        while let Some(page) = pages.next(&*parts.store, parts.batch).await? {
            let theirs: Vec<CustomerId> =
                page.into_iter().filter(|facts| facts.tenant == *tenant).map(|facts| facts.id).collect();
            if !theirs.is_empty() {
                return Ok(Some(theirs));
            }
        }
        Ok(None)
    }

    /// A page of a class, and whether it is the last one.
    async fn read(&mut self, class: &mut ReadClass) -> Result<(ExportPage, bool), Error> {
        let whose = class.batch.clone().map_or(Whose::Everybody, Whose::Of);
        let request =
            ReadRequest::new(class.class.clone(), whose, self.export.page).after(class.after.clone());
        let read = self.reads.read_records(&request).await?;
        if class.masks.is_none() {
            class.masks = self.engine.data_map().class(class.class.as_str()).map(|described| {
                let is_persons = matches!(self.export.scope, Scope::Customer(_));
                Masks::new(described, &read.fields, is_persons && !self.export.shows_shared)
            });
            class.fields = Arc::clone(&read.fields);
        }
        let mut records = Vec::with_capacity(read.records.len());
        for record in read.records {
            let customer = self
                .has_customers()
                .then(|| class.batch.as_ref().and_then(|batch| batch.get(record.customer)).cloned())
                .flatten();
            let mut exported = ExportRecord { customer, values: Vec::new(), left_out: Vec::new() };
            if let Some(masks) = &class.masks {
                let count = |field: &FieldName, why| {
                    let place = (class.class.clone(), field.clone(), why);
                    *self.counts.entry(place).or_default() += 1;
                };
                masks.apply(record, &self.own, &mut exported, count);
            }
            records.push(exported);
        }
        let mut is_last = false;
        class.after = read.next;
        if class.after.is_none() {
            let next = match &mut class.pages {
                Some(pages) => self.next_batch(pages).await?,
                None => None,
            };
            is_last = next.is_none();
            class.batch = next;
        }
        if let Some(count) = self.report.records.get_mut(&class.class) {
            *count += records.len() as u64;
        }
        if is_last {
            let counts = std::mem::take(&mut self.counts);
            let left_out = counts.into_iter().map(|((class, field, why), records)| LeftOut {
                class,
                field,
                why,
                records,
            });
            self.report.left_out.extend(left_out);
        }
        let is_first = std::mem::take(&mut class.is_first);
        let page =
            ExportPage { class: class.class.clone(), is_first, fields: Arc::clone(&class.fields), records };
        Ok((page, is_last))
    }
}
