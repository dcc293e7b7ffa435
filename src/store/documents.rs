//! Documents in an object store. The root store knows who owns them.
//!
//! [`WithDocuments`] wraps a [`CustomerStore`], and is itself a [`CustomerStore`]. Its data map has one more record
//! class for each kind of document. So policies, plans, duties and certificates treat the PDF of an invoice like a
//! row.
//!
//! ```no_run
//! use std::sync::Arc;
//! use relinquish::SqliteStore;
//! use relinquish::store::documents::{WithDocuments, object_store::ObjectStore};
//!
//! # fn wrap(crm: SqliteStore, bucket: Arc<dyn ObjectStore>) -> Result<(), Box<dyn std::error::Error>> {
//! let store = WithDocuments::new(crm).documents("invoice_document", bucket, "invoices/{customer}")?;
//! # Ok(())
//! # }
//! ```
//!
//! # Who owns a document
//! The template determines the place of each customer's documents; it contains the customer's id. All objects at this
//! place and below belong to the customer: `invoices/47` and below. `invoices/471` and `invoices/47.pdf` do not,
//! because keys are compared part by part. The id is encoded like a path segment in `object_store`: forbidden
//! characters, such as a slash, are percent-encoded. An id that gives an empty segment is refused.
//!
//! # What happens to documents
//! | the policy's treatment of the class | what happens to a document |
//! |---|---|
//! | `"delete"` | it is deleted |
//! | `"blank"` | a PDF becomes a blank PDF with the same pages, an image becomes a single pixel, a plain text becomes empty. Each is written as a new file. Any other file is deleted, or becomes empty with `{ action = "blank", otherwise = "empty" }`. See [`document::blank`](crate::anonymise::document::blank) |
//! | `"anonymise"` | the rule of `[anonymise]` for `document` |
//! | `{ keep = "reason" }` | nothing |
//!
//! A duty keeps documents by the field [`written`](WRITTEN): when the object was last written. A duty never keeps a
//! blank document, although it was written only recently. While a duty keeps any document, a treatment that deletes
//! the customer is refused, because the documents could not be found when the duty ends. A rewritten document keeps
//! its key and its content type, but no other attribute. A key may contain a person's name: delete such documents.
//!
//! # Order, and failures in between
//! The root store is erased first, because it compares the customer with the approved plan and erases in one
//! transaction. An object store can do neither. The documents can still be found afterwards, because their place
//! depends only on the id. If the object store fails, the case waits, and a resume continues. Every document is read
//! back before a certificate is issued. If another program writes a customer's document at the same time, the
//! document may come back.
//!
//! # What cannot be reached
//! A bucket may keep versions of overwritten or deleted objects, replicas and backups. `object_store` can neither
//! list nor remove them, and does not know whether there are any. Plans and certificates say so for each class. Give
//! the bucket a rule that removes old versions.
//!
//! # A type of another crate
//! `object_store` has not reached version 1. Its [`ObjectStore`] is nevertheless part of a signature here, because
//! otherwise every host would have to write an adapter for it. This module re-exports the crate as [`object_store`].
//! A new version of it is a breaking change of this feature only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use object_store::path::{Path, PathPart};
use object_store::{
    Attribute, Attributes, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutOptions,
};

pub use object_store;

use super::by_record::fits;
use super::one_by_one::{OneByOne, SomeRecords};
use super::read::no_such_class;
use super::{
    Batch, Census, CensusRequest, ClassTally, Counts, CustomerStore, Deactivated, Deactivation, EraseRequest,
    Erased, Kept, Page, PageRequest, Reactivated, Reactivation, ReadRecord, ReadRecords, ReadRequest,
    RecordPage, RecordStore, RegistrationPage, StoreError, TakeCensus, Tally, TallyRequest, Target,
};
use crate::anonymise::document::{HEAD, is_blank, may_be_blank};
use crate::customer::{Customer, CustomerId, Identifiers};
use crate::data_map::{
    ClassName, DataMap, Datatype, Field, FieldName, Kind, NotCovered, Record, RecordClass, Value,
};
use crate::digest::Digest;
use crate::document::{Problem, Problems};
use crate::treatment::{RecordAction, RecordChange, Standing, Treatment};

/// The field of a document's key in its store.
pub const PATH: &str = "path";
/// The field of the instant at which a document was last written, as ISO 8601.
pub const WRITTEN: &str = "written";
/// The field of a document's bytes.
pub const FILE: &str = "file";

/// The placeholder for the customer's id in a template.
const CUSTOMER: &str = "{customer}";
/// The default for the largest document that is read.
const MOST_BYTES: u64 = 64 << 20;

/// What to do about a document that is too large to be blanked.
const DELETE_OR_RAISE: &str = "let the policy delete them, or raise WithDocuments::most_bytes";

/// A [`CustomerStore`] together with documents in object stores. See the [module](self).
#[derive(Debug)]
pub struct WithDocuments<S> {
    root: S,
    map: DataMap,
    classes: BTreeMap<ClassName, Documents>,
    most_bytes: u64,
}

/// The documents of one record class.
#[derive(Debug)]
struct Documents {
    store: Arc<dyn ObjectStore>,
    /// The parts of the place. `None` is the part with the customer's id.
    place: Vec<Option<String>>,
}

/// A customer's documents, with their classes.
type Found = Vec<(ClassName, ObjectMeta)>;

impl<S: CustomerStore> WithDocuments<S> {
    /// Wraps a root store, without documents yet.
    pub fn new(root: S) -> Self {
        let map = root.data_map().clone();
        Self { root, map, classes: BTreeMap::new(), most_bytes: MOST_BYTES }
    }

    fn taker(&self) -> Result<&dyn TakeCensus, StoreError> {
        let none = || StoreError::failed("taking a census", "the root store takes none");
        self.root.takes_census().ok_or_else(none)
    }

    /// Adds the documents of a record class in an object store. Each customer's documents are below `template`, with
    /// the id for `{customer}`.
    ///
    /// # Errors
    /// The template has no part `{customer}`. The class exists already. Or the same documents may also belong to
    /// another class of the same object store, because `{customer}` is where the other template has a fixed part.
    pub fn documents(
        mut self,
        class: impl Into<ClassName>,
        store: Arc<dyn ObjectStore>,
        template: &str,
    ) -> Result<Self, Problems> {
        let class = class.into();
        let place: Vec<Option<String>> = template
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| (part != CUSTOMER).then(|| part.to_owned()))
            .collect();
        let is_one = place.iter().filter(|part| part.is_none()).count() == 1;
        if !is_one || place.iter().flatten().any(|part| part.contains(['{', '}'])) {
            let way_out = "write one such as \"invoices/{customer}\", with the id as a separate part";
            Problems::none_or(vec![Problem::new(
                class.as_str(),
                format!("has the template {template:?}, which does not contain the owner of a document"),
                way_out,
            )])?;
        }
        let described = RecordClass::new(class.clone())
            .field(Field::key(PATH))
            .field(Field::plain(WRITTEN).required().dated())
            .field(Field::personal(FILE, Kind::Document).datatype(Datatype::Blob));
        let left_out = NotCovered::ObjectVersions(class.clone());
        let documents = Documents { store, place };
        if let Some((other, _)) = self.classes.iter().find(|(_, other)| documents.may_share(other)) {
            Problems::none_or(vec![Problem::new(
                class.as_str(),
                format!("has the template {template:?}, under which documents of {other} may lie too"),
                "give each class a place of its own, or make them one class",
            )])?;
        }
        self.map = self.map.with_class(described, left_out, template)?;
        self.classes.insert(class, documents);
        Ok(self)
    }

    /// Sets the size of the largest document that is read for blanking, in bytes. The default is 64 MiB. Only one
    /// document at a time is in memory. If a customer has a larger document, the erasure is refused before anything
    /// is touched.
    #[must_use]
    pub fn most_bytes(mut self, bytes: u64) -> Self {
        self.most_bytes = bytes;
        self
    }

    /// The wrapped root store.
    pub fn root(&self) -> &S {
        &self.root
    }

    /// The part of a treatment that the root store gets.
    fn of_root(&self, treatment: &Arc<Treatment>) -> Arc<Treatment> {
        if self.classes.is_empty() {
            Arc::clone(treatment)
        } else {
            Arc::new(treatment.without(self.class_names()))
        }
    }

    fn class_names(&self) -> BTreeSet<&ClassName> {
        self.classes.keys().collect()
    }

    /// A customer's documents of all classes.
    async fn find(&self, customer: &CustomerId) -> Result<Found, StoreError> {
        let mut found = Found::new();
        for (class, documents) in &self.classes {
            let listed = documents.listed(customer).await?;
            found.extend(listed.into_iter().map(|meta| (class.clone(), meta)));
        }
        Ok(found)
    }

    /// A document as a record. The bytes are read only if they are needed. `None` if the document was deleted in the
    /// meantime.
    async fn record(
        &self,
        class: &ClassName,
        meta: &ObjectMeta,
        treatment: &Treatment,
    ) -> Result<Option<(Record, Standing)>, StoreError> {
        let record = described(class, meta);
        let standing = self.standing(&record, treatment);
        let anonymises =
            treatment.class(class.as_str()).is_some_and(|class| *class.action() == RecordAction::Anonymise);
        let Some(documents) = self.classes.get(class).filter(|_| anonymises) else {
            return Ok(Some((record, standing)));
        };
        if standing == Standing::Kept && !documents.may_be_blank(meta).await? {
            return Ok(Some((record, standing)));
        }
        let doing = "reading a document";
        let got = match documents.store.get_opts(&meta.location, GetOptions::default()).await {
            Ok(got) => got,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(doing, &error)),
        };
        if got.meta.size > self.most_bytes {
            return Err(self.too_large(class, DELETE_OR_RAISE));
        }
        let bytes = got.bytes().await.map_err(|error| failed(doing, &error))?;
        // Blanking writes the document again, so a duty by this date would start again. But a blank document contains
        // nothing to keep.
        let standing = if standing == Standing::Kept && is_blank(&bytes) { Standing::Free } else { standing };
        Ok(Some((record.with(FILE, Value::Blob(bytes.into())), standing)))
    }

    fn too_large(&self, class: &ClassName, way_out: &str) -> StoreError {
        let what = format!("one of {class} is larger than {} bytes; {way_out}", self.most_bytes);
        StoreError::failed("reading a document", what)
    }

    async fn tally_one(
        &self,
        customer: &CustomerId,
        treatment: &Treatment,
        tally: &mut Tally,
    ) -> Result<(), StoreError> {
        for class in self.classes.keys() {
            tally.classes.insert(class.clone(), ClassTally::default());
        }
        for (class, meta) in self.find(customer).await? {
            let Some((record, standing)) = self.record(&class, &meta, treatment).await? else { continue };
            let counted = tally.classes.entry(class.clone()).or_default();
            counted.rows += 1;
            counted.due += u64::from(treatment.is_due(&record, standing));
            for (field, outcome) in treatment.by_content(&record, standing, &self.map) {
                let of_class = tally.contents.entry(class.clone()).or_default();
                of_class.entry(field).or_default().count(outcome, 1);
            }
            if standing == Standing::Kept {
                let kept: &mut Kept = tally.kept.entry(class.clone()).or_default();
                kept.rows += 1;
                let under = treatment.class(class.as_str()).map_or(&[][..], |class| class.under_duty());
                for duty in under {
                    let date = duty.date(&record, std::slice::from_ref(&record), &self.map);
                    if duty.keeps(date) {
                        kept.add(&duty.field, duty.day(date));
                    }
                }
            }
        }
        Ok(())
    }

    /// Checks, before anything is touched, whether a customer's documents can be treated.
    async fn look_ahead(&self, customer: &CustomerId, treatment: &Treatment) -> Result<(), StoreError> {
        let is_read = |class: &ClassName| {
            treatment.class(class.as_str()).is_some_and(|class| *class.action() == RecordAction::Anonymise)
        };
        for (class, meta) in self.find(customer).await? {
            let is_kept = treatment.deletes_root()
                && self.standing(&described(&class, &meta), treatment) == Standing::Kept
                && self.record(&class, &meta, treatment).await?.is_some_and(|(_, now)| now == Standing::Kept);
            if is_kept {
                let what = format!(
                    "a duty keeps documents of {class}, and the policy deletes the customer, by whom alone they are found \
                     when it ends; let it anonymise the customer"
                );
                return Err(StoreError::failed("looking at documents", what));
            }
            if meta.size > self.most_bytes && is_read(&class) {
                return Err(self.too_large(&class, DELETE_OR_RAISE));
            }
        }
        Ok(())
    }

    fn standing(&self, record: &Record, treatment: &Treatment) -> Standing {
        treatment.standings(std::slice::from_ref(record), &self.map).pop().unwrap_or(Standing::Kept)
    }

    /// Treats a customer's documents, and counts them by class.
    async fn treat(&self, customer: &CustomerId, request: &EraseRequest) -> Result<Counts, StoreError> {
        let treatment = &request.treatment;
        let mut counts = Counts::default();
        for (class, meta) in self.find(customer).await? {
            let Some(documents) = self.classes.get(&class) else { continue };
            let found = self.record(&class, &meta, treatment).await;
            // The customer's row is gone by now. So the error must be transient, and the case repeats the request.
            let found = found.map_err(|error| StoreError::Unavailable {
                doing: "treating documents",
                what: error.to_string(),
            });
            let Some((record, standing)) = found? else { continue };
            let is_kept = treatment
                .class(class.as_str())
                .is_none_or(|class| matches!(class.action(), RecordAction::Keep { .. }));
            if !is_kept && standing != Standing::Kept {
                *counts.classes.entry(class.clone()).or_default() += 1;
            }
            let contents = treatment.by_content(&record, standing, &self.map);
            match treatment.treat(&record, standing, &request.seed, treatment.day(request.at), 0) {
                RecordChange::Nothing => {}
                RecordChange::Delete => documents.delete(&meta.location).await?,
                RecordChange::Write(fields) | RecordChange::Reassign(fields) => match fields.get(FILE) {
                    Some(Value::Blob(bytes)) => documents.write(&meta.location, bytes.clone()).await?,
                    Some(Value::Null) => documents.delete(&meta.location).await?,
                    Some(Value::Text(text)) => {
                        documents.write(&meta.location, text.clone().into_bytes()).await?;
                    }
                    Some(Value::Integer(_) | Value::Real(_)) | None => {
                        let what = format!("{class}.{FILE} cannot hold a number");
                        return Err(StoreError::Treatment { what });
                    }
                },
            }
            // Counted when it is done: a failure may come in between.
            for (field, outcome) in contents {
                let otherwise = counts.otherwise.entry(class.clone()).or_default();
                otherwise.contents.entry(field).or_default().count(outcome, 1);
            }
        }
        Ok(counts)
    }

    async fn with_documents(
        &self,
        target: &Target,
        request: &EraseRequest,
        answer: Result<Erased, StoreError>,
    ) -> Result<Erased, StoreError> {
        match answer? {
            Erased::Done(mut counts) => {
                counts.add(&self.treat(&target.customer, request).await?);
                Ok(Erased::Done(counts))
            }
            // An earlier attempt deleted the row. Treat the remaining documents now.
            Erased::Missing if request.treatment.deletes_root() => {
                let counts = self.treat(&target.customer, request).await?;
                Ok(if counts == Counts::default() { Erased::Missing } else { Erased::Done(counts) })
            }
            other @ (Erased::More(_) | Erased::Changed | Erased::Missing) => Ok(other),
        }
    }
}

/// A document as a record, without its bytes.
fn described(class: &ClassName, meta: &ObjectMeta) -> Record {
    Record::new(class.clone(), meta.location.as_ref())
        .with(PATH, meta.location.as_ref())
        .with(WRITTEN, meta.last_modified.to_rfc3339())
}

impl Documents {
    /// The place of a customer's documents.
    fn of(&self, customer: &CustomerId) -> Result<Path, StoreError> {
        let id = PathPart::from(customer.as_str());
        if id.as_ref().is_empty() {
            // An empty id would give the place of all customers' documents.
            return Err(StoreError::failed("looking for documents", "the customer's id is empty"));
        }
        Ok(self.place.iter().map(|part| part.as_deref().map_or_else(|| id.clone(), PathPart::from)).collect())
    }

    /// A customer's documents.
    async fn listed(&self, customer: &CustomerId) -> Result<Vec<ObjectMeta>, StoreError> {
        let place = self.of(customer)?;
        let doing = "listing documents";
        let listed: Vec<ObjectMeta> =
            self.store.list(Some(&place)).try_collect().await.map_err(|error| failed(doing, &error))?;
        let mut found: Vec<ObjectMeta> =
            listed.into_iter().filter(|meta| meta.location.prefix_matches(&place)).collect();
        // A listing does not include an object at the place itself.
        match self.store.head(&place).await {
            Ok(meta) if !found.iter().any(|known| known.location == meta.location) => found.push(meta),
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(doing, &error)),
        }
        Ok(found)
    }

    /// The bytes of a document. `None` if it was deleted in the meantime.
    async fn read(&self, place: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        let doing = "reading a document";
        match self.store.get_opts(place, GetOptions::default()).await {
            Ok(got) => Ok(Some(got.bytes().await.map_err(|error| failed(doing, &error))?.into())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(doing, &error)),
        }
    }

    /// Whether a document may be blank, judged by its first bytes.
    async fn may_be_blank(&self, meta: &ObjectMeta) -> Result<bool, StoreError> {
        // An empty range is an error.
        if meta.size == 0 {
            return Ok(true);
        }
        match self.store.get_range(&meta.location, 0..HEAD.min(meta.size)).await {
            Ok(head) => Ok(may_be_blank(&head)),
            // The next read finds that the document is gone.
            Err(object_store::Error::NotFound { .. }) => Ok(true),
            Err(error) => Err(failed("reading a document", &error)),
        }
    }

    /// Whether two classes may share documents: whether some id gives the first a place at or below a place of the
    /// second.
    fn may_share(&self, other: &Self) -> bool {
        let meets = |(one, other): (&Option<String>, &Option<String>)| match (one, other) {
            (Some(one), Some(other)) => PathPart::from(one.as_str()) == PathPart::from(other.as_str()),
            _ => true,
        };
        Arc::ptr_eq(&self.store, &other.store) && self.place.iter().zip(&other.place).all(meets)
    }

    /// Writes the new bytes under the same key. Of the old attributes only the content type is kept.
    async fn write(&self, place: &Path, bytes: Vec<u8>) -> Result<(), StoreError> {
        let doing = "writing a document";
        let old = match self.store.get_opts(place, GetOptions { head: true, ..GetOptions::default() }).await {
            Ok(old) => old.attributes,
            Err(object_store::Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(failed(doing, &error)),
        };
        let mut attributes = Attributes::new();
        if let Some(kind) = old.get(&Attribute::ContentType) {
            attributes.insert(Attribute::ContentType, kind.clone());
        }
        let options = PutOptions { attributes, ..PutOptions::default() };
        self.store
            .put_opts(place, bytes.into(), options)
            .await
            .map(|_| ())
            .map_err(|error| failed(doing, &error))
    }

    async fn delete(&self, place: &Path) -> Result<(), StoreError> {
        match self.store.delete(place).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("deleting a document", &error)),
        }
    }
}

/// An error in our own words: an object store's errors contain keys, and a key may contain a name.
fn failed(doing: &'static str, error: &object_store::Error) -> StoreError {
    use object_store::Error;

    let what = match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            "the object store refuses; give this process the right to list, read, write and delete there"
        }
        Error::NotSupported { .. } | Error::NotImplemented { .. } => "the object store cannot do that",
        _ => "the object store failed",
    };
    StoreError::Unavailable { doing, what: what.to_owned() }
}

/// The root store's census, under the data map that includes the documents. Documents are found by the customers'
/// keys, so no document can be without a class.
#[async_trait]
impl<S: CustomerStore> TakeCensus for WithDocuments<S> {
    async fn census(&self, request: &CensusRequest) -> Result<Census, StoreError> {
        let census = self.taker()?.census(request).await?;
        Ok(Census { data_map: self.map.digest(), ..census })
    }

    async fn schema(&self) -> Result<Digest, StoreError> {
        self.taker()?.schema().await
    }

    fn database(&self) -> Option<Digest> {
        self.root.takes_census()?.database()
    }
}

#[async_trait]
impl<S: CustomerStore> RecordStore for WithDocuments<S> {
    fn data_map(&self) -> &DataMap {
        &self.map
    }

    fn takes_census(&self) -> Option<&dyn TakeCensus> {
        self.root.takes_census().map(|_| self as &dyn TakeCensus)
    }

    fn looks_for_leftovers(&self) -> bool {
        self.root.looks_for_leftovers()
    }

    async fn tally(&self, request: &TallyRequest) -> Result<Batch<Tally>, StoreError> {
        fits(&request.treatment, &self.map)?;
        let mut own = request.clone();
        own.treatment = self.of_root(&request.treatment);
        let mut batch = self.root.tally(&own).await?;
        for (answer, customer) in batch.iter_mut().zip(&request.customers) {
            if let Ok(tally) = answer
                && let Err(error) = self.tally_one(customer, &request.treatment, tally).await
            {
                *answer = Err(error);
            }
        }
        Ok(batch)
    }

    async fn erase(&self, request: &EraseRequest) -> Result<Batch<Erased>, StoreError> {
        fits(&request.treatment, &self.map)?;
        let mut ahead = Vec::with_capacity(request.targets.len());
        let mut own = request.clone();
        own.targets.clear();
        own.treatment = self.of_root(&request.treatment);
        for target in &request.targets {
            let looked = self.look_ahead(&target.customer, &request.treatment).await;
            if looked.is_ok() {
                own.targets.push(target.clone());
            }
            ahead.push(looked);
        }
        let mut answers =
            if own.targets.is_empty() { Vec::new() } else { self.root.erase(&own).await? }.into_iter();
        let mut batch = Batch::with_capacity(request.targets.len());
        for (target, looked) in request.targets.iter().zip(ahead) {
            let answer = match looked {
                Err(error) => Err(error),
                Ok(()) => match answers.next() {
                    Some(answer) => self.with_documents(target, request, answer).await,
                    // The target was not tried.
                    None => break,
                },
            };
            batch.push(answer);
        }
        Ok(batch)
    }
}

/// The maximum number of document bytes in a page of records. A page with a single document may have more.
const PAGE_BYTES: usize = 8 << 20;

#[async_trait]
impl<S: CustomerStore> OneByOne for WithDocuments<S> {
    async fn customers(&self, request: &PageRequest) -> Result<Page, StoreError> {
        self.root.page(request).await
    }

    fn fields_of(&self, _: &ClassName) -> Result<Arc<[FieldName]>, StoreError> {
        Ok([PATH, WRITTEN, FILE].map(FieldName::from).into())
    }

    async fn some_of(
        &self,
        class: &ClassName,
        customer: &CustomerId,
        after: Option<&str>,
        most: usize,
    ) -> Result<SomeRecords, StoreError> {
        let documents = self.classes.get(class).ok_or_else(|| no_such_class(class))?;
        let mut listed = documents.listed(customer).await?;
        listed.sort_by(|a, b| a.location.cmp(&b.location));
        let mut found = SomeRecords::default();
        let mut bytes = 0;
        for meta in listed.into_iter().filter(|meta| after.is_none_or(|after| meta.location.as_ref() > after))
        {
            if found.records.len() == most || bytes >= PAGE_BYTES {
                found.more = true;
                break;
            }
            if meta.size > self.most_bytes {
                return Err(self.too_large(class, "raise WithDocuments::most_bytes"));
            }
            let Some(file) = documents.read(&meta.location).await? else { continue };
            bytes += file.len();
            let values = vec![
                Value::from(meta.location.as_ref()),
                Value::from(meta.last_modified.to_rfc3339()),
                Value::Blob(file),
            ];
            found.records.push((meta.location.to_string(), ReadRecord::new(0, values)));
        }
        Ok(found)
    }
}

#[async_trait]
impl<S: CustomerStore + ReadRecords> ReadRecords for WithDocuments<S> {
    async fn read_records(&self, request: &ReadRequest) -> Result<RecordPage, StoreError> {
        if self.classes.contains_key(&request.class) {
            self.one_by_one(request).await
        } else {
            self.root.read_records(request).await
        }
    }

    fn finds_by(&self, class: &ClassName, field: &FieldName) -> bool {
        !self.classes.contains_key(class) && self.root.finds_by(class, field)
    }
}

#[async_trait]
impl<S: CustomerStore> CustomerStore for WithDocuments<S> {
    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        self.root.facts(customers).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        self.root.page(request).await
    }

    async fn registrations(&self, request: &PageRequest) -> Result<RegistrationPage, StoreError> {
        self.root.registrations(request).await
    }

    async fn identifiers(&self, customers: &[CustomerId]) -> Result<Batch<Identifiers>, StoreError> {
        self.root.identifiers(customers).await
    }

    async fn deactivate(&self, batch: &[Deactivation]) -> Result<Batch<Deactivated>, StoreError> {
        self.root.deactivate(batch).await
    }

    async fn reactivate(&self, batch: &[Reactivation]) -> Result<Batch<Reactivated>, StoreError> {
        self.root.reactivate(batch).await
    }
}
