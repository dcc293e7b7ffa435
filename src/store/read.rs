//! Reads whole records, for an export, a hand-over or a search.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Cursor, KnownCustomers, StoreError};
use crate::customer::CustomerId;
use crate::data_map::{ClassName, FieldName, Value};

/// Whose records are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The records of these customers, and the fields of other people's records that belong to them. A record that
    /// several of them share is read once for each.
    Of(Vec<CustomerId>),
    /// Every record of the class, whoever has it, also records without an owner.
    Everybody,
}

/// A request for a page of records of one class.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReadRequest {
    /// The record class.
    pub class: ClassName,
    /// Whose records.
    pub whose: Whose,
    /// The cursor after which the page begins. `None`: the first page.
    pub after: Option<Cursor>,
    /// The fields to read. `None`: all. A value inside a JSON document is read with its document.
    pub fields: Option<BTreeSet<FieldName>>,
    /// Only records in which a field has one of some values, compared exactly. `None`: all.
    pub only: Option<(FieldName, Vec<Value>)>,
    /// Whether to read the owner of each record: [`ReadRecord::owner`].
    pub owners: bool,
    /// What the root store knows about the customers, for a store beside it.
    pub known: KnownCustomers,
    /// The maximum number of records of a page, at least 1. A page may have fewer records although another page
    /// follows.
    pub limit: usize,
}

impl ReadRequest {
    /// A request for the first page.
    pub fn new(class: ClassName, whose: Whose, limit: usize) -> Self {
        let (fields, only, owners) = (None, None, false);
        Self { class, whose, after: None, fields, only, owners, known: Arc::default(), limit: limit.max(1) }
    }

    /// Sets what the root store knows about the customers, for a store beside it.
    #[must_use]
    pub fn known(mut self, known: KnownCustomers) -> Self {
        self.known = known;
        self
    }

    /// Reads only some fields.
    #[must_use]
    pub fn fields(mut self, fields: impl IntoIterator<Item = FieldName>) -> Self {
        self.fields = Some(fields.into_iter().collect());
        self
    }

    /// Reads only records in which a field has one of these values.
    #[must_use]
    pub fn only(mut self, field: FieldName, values: Vec<Value>) -> Self {
        self.only = Some((field, values));
        self
    }

    /// Also reads the owner of each record.
    #[must_use]
    pub fn with_owners(mut self) -> Self {
        self.owners = true;
        self
    }

    /// Continues after another page.
    #[must_use]
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        self.after = cursor;
        self
    }
}

/// Whether other people have a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Had {
    /// Only the customer has it, or this was not asked.
    #[default]
    Alone,
    /// The customer and other people have it.
    Shared,
    /// Only other people have it. Some of its fields belong to the customer.
    ByOthers,
}

/// One record of a page.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ReadRecord {
    /// The position of the customer in the request. 0 if [everybody's](Whose::Everybody) records are read.
    pub customer: usize,
    /// The values, in the order of [`RecordPage::fields`].
    pub values: Vec<Value>,
    /// Whether other people have the record.
    pub had: Had,
    /// The customer to whom the record belongs by owner links, if this was asked for. `None` if it belongs to nobody,
    /// or only by other links.
    pub owner: Option<CustomerId>,
    /// The positions of the values that belong to another person, in order: [fields of
    /// others](crate::data_map::Field::whose), and links that lead to another customer.
    pub of_others: Vec<usize>,
}

impl ReadRecord {
    /// A record that only the customer at this position in the request has.
    pub fn new(customer: usize, values: Vec<Value>) -> Self {
        Self { customer, values, ..Self::default() }
    }
}

/// A page of records.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordPage {
    /// The fields that are read, in order. A field that is a value inside a JSON document is read with its document.
    pub fields: Arc<[FieldName]>,
    /// The records, by customer and then by key.
    pub records: Vec<ReadRecord>,
    /// The cursor of the next page. `None`: this is the last page.
    pub next: Option<Cursor>,
}

impl RecordPage {
    /// A page, with the cursor of the next page.
    pub fn new(fields: Arc<[FieldName]>, records: Vec<ReadRecord>, next: Option<Cursor>) -> Self {
        Self { fields, records, next }
    }
}

/// A store that can read whole records, as they are stored.
#[async_trait]
pub trait ReadRecords: Debug + Send + Sync + 'static {
    /// A page of the records of one class. A record that exists from the first page to the last is on exactly one
    /// page for each of its customers. This holds even if other records come or go in between.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`StoreError`];
    /// also for a class that the store does not have, and for a cursor of another store or request.
    async fn read_records(&self, request: &ReadRequest) -> Result<RecordPage, StoreError>;

    /// Whether [records with a value](ReadRequest::only) of this field are found without reading all records of the
    /// class, because an index begins with the field.
    fn finds_by(&self, class: &ClassName, field: &FieldName) -> bool;
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: ReadRecords + ?Sized> ReadRecords for $pointer<T> {
            async fn read_records(&self, request: &ReadRequest) -> Result<RecordPage, StoreError> {
                (**self).read_records(request).await
            }

            fn finds_by(&self, class: &ClassName, field: &FieldName) -> bool {
                (**self).finds_by(class, field)
            }
        }
    )*};
}

forward!(Arc, Box);

/// The error for a class that a store does not have.
pub(crate) fn no_such_class(class: &ClassName) -> StoreError {
    StoreError::failed("reading records", format!("the store holds no record class {class}"))
}

/// The error for a cursor that is not from this store.
pub(crate) fn not_our_cursor() -> StoreError {
    let what = "the cursor is not of this store and this request; begin with the first page";
    StoreError::failed("reading records", what)
}
