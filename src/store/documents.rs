//! Documents that lie in an object store, beside the root store that knows whose they are.
//!
//! [`WithDocuments`] wraps a [`CustomerStore`] and is one itself: its data map has one more record class per kind of
//! document, so that policies, plans, duties and certificates treat an invoice's PDF as they treat its row.
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
//! # Whose a document is
//! A customer's documents are all objects at and below the place that the template gives with their id in it: `invoices/47`
//! and what is below, never `invoices/471` or `invoices/47.pdf`, because keys are compared part by part. An id is spelled
//! there as `object_store` spells a part of a path: what it does not allow in one, a slash above all, is written with
//! percent signs. An id that leaves no part is refused.
//!
//! # What is done to them
//! | the policy's treatment of the class | what becomes of a document |
//! |---|---|
//! | `"delete"` | it goes |
//! | `"blank"` | a PDF becomes a blank one of the same pages, an image a single pixel, a plain text an empty one, all written new; what is none of them goes, or becomes an object of no bytes with `{ action = "blank", otherwise = "empty" }`. See [`document::blank`](crate::anonymise::document::blank) |
//! | `"anonymise"` | what `[anonymise]` says of `document` |
//! | `{ keep = "reason" }` | nothing |
//!
//! A duty keeps documents by the field [`written`](WRITTEN): when the object was last written. A blank one is kept by none,
//! though it was written when it was blanked. While a duty keeps any, a treatment that deletes the customer is refused,
//! because nothing would lead to them when it ends. Of a document's attributes only its
//! content type is left. Its key stays, so a name in a key stays: delete such documents.
//!
//! # Order, and what happens in between
//! The root store goes first, because it compares the customer with what was approved and erases in one transaction; an
//! object store can do neither. Nothing that the documents take is lost with the customer's row: their place is told by
//! the id alone. Where the object store fails after that, the case waits and a resume goes on. Every document is read back
//! before a certificate is issued. Whoever writes a customer's document in these very moments may write it back.
//!
//! # What cannot be reached
//! Versions that a bucket keeps of what was overwritten or deleted, its replicas and its backups: `object_store` can neither
//! list nor remove them, nor tell whether there are any. Plans and certificates say so for each class; give the bucket a
//! rule that lets old versions expire.
//!
//! # The type of another crate
//! `object_store` is not at version 1. Its [`ObjectStore`] stands in a signature here all the same, because a trait of our
//! own would have every host write the adapter that it has already. It is exported again as [`object_store`]; a new version
//! of it is a breaking change of this feature, and of nothing else.

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
use super::{
    Batch, Census, CensusRequest, ClassTally, Counts, CustomerStore, Deactivated, Deactivation, EraseRequest,
    Erased, Kept, Page, PageRequest, Reactivated, Reactivation, RecordStore, StoreError, TakeCensus, Tally,
    TallyRequest, Target,
};
use crate::anonymise::document::{HEAD, is_blank, may_be_blank};
use crate::customer::{Customer, CustomerId, Identifiers};
use crate::data_map::{ClassName, DataMap, Datatype, Field, Kind, NotCovered, Record, RecordClass, Value};
use crate::digest::Digest;
use crate::document::{Problem, Problems};
use crate::treatment::{RecordAction, RecordChange, Standing, Treatment};

/// The field of a document's key in its store.
pub const PATH: &str = "path";
/// The field of the instant at which a document was last written, as ISO 8601.
pub const WRITTEN: &str = "written";
/// The field of a document's bytes.
pub const FILE: &str = "file";

/// What stands in a template for the customer's id.
const CUSTOMER: &str = "{customer}";
/// The largest document that is read, unless the host says otherwise.
const MOST_BYTES: u64 = 64 << 20;

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
    /// The parts of the place; none is where the customer's id belongs.
    place: Vec<Option<String>>,
}

/// A customer's documents, and whose.
type Found = Vec<(ClassName, ObjectMeta)>;

impl<S: CustomerStore> WithDocuments<S> {
    /// Without documents yet.
    pub fn new(root: S) -> Self {
        let map = root.data_map().clone();
        Self { root, map, classes: BTreeMap::new(), most_bytes: MOST_BYTES }
    }

    fn taker(&self) -> Result<&dyn TakeCensus, StoreError> {
        let none = || StoreError::failed("taking a census", "the root store takes none");
        self.root.takes_census().ok_or_else(none)
    }

    /// Documents of a record class lie in this store, each customer's below `template` with the id for `{customer}`.
    ///
    /// # Errors
    /// The template does not name the customer in a part of its own, the class is there already, or the same documents may
    /// belong to another class: in the same store, `{customer}` at the place of another class's word leads to it.
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
            let way_out = "write one such as \"invoices/{customer}\", with the id in a part of its own";
            Problems::none_or(vec![Problem::new(
                class.as_str(),
                format!("has the template {template:?}, which does not say whose a document is"),
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

    /// The largest document that is read to be blanked, in bytes; 64 MiB unless said otherwise. One at a time is in memory. A
    /// customer with a larger one is refused before anything of theirs is touched.
    #[must_use]
    pub fn most_bytes(mut self, bytes: u64) -> Self {
        self.most_bytes = bytes;
        self
    }

    /// The store that it wraps.
    pub fn root(&self) -> &S {
        &self.root
    }

    /// What the root store gets to see of a treatment.
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

    /// A customer's documents of every class that the treatment does something to, or counts.
    async fn find(&self, customer: &CustomerId) -> Result<Found, StoreError> {
        let mut found = Found::new();
        for (class, documents) in &self.classes {
            let place = documents.of(customer)?;
            let doing = "listing documents";
            let listed: Vec<ObjectMeta> = documents
                .store
                .list(Some(&place))
                .try_collect()
                .await
                .map_err(|error| failed(doing, &error))?;
            let below = listed.into_iter().filter(|meta| meta.location.prefix_matches(&place));
            found.extend(below.map(|meta| (class.clone(), meta)));
            // An object at the place itself is not below it.
            match documents.store.head(&place).await {
                Ok(meta)
                    if !found.iter().any(|(of, known)| of == class && known.location == meta.location) =>
                {
                    found.push((class.clone(), meta));
                }
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed(doing, &error)),
            }
        }
        Ok(found)
    }

    /// A document as a record. Its bytes are read only where something depends on them; one that is gone meanwhile is none.
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
            return Err(self.too_large(class));
        }
        let bytes = got.bytes().await.map_err(|error| failed(doing, &error))?;
        // A document that was blanked was written then, so by its date a duty would begin anew. There is nothing in it that
        // one could keep.
        let standing = if standing == Standing::Kept && is_blank(&bytes) { Standing::Free } else { standing };
        Ok(Some((record.with(FILE, Value::Blob(bytes.into())), standing)))
    }

    fn too_large(&self, class: &ClassName) -> StoreError {
        StoreError::failed(
            "reading a document",
            format!(
                "one of {class} is larger than {} bytes; let the policy delete them, or raise WithDocuments::most_bytes",
                self.most_bytes
            ),
        )
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

    /// What forbids a customer's documents to be treated, before anything is touched.
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
                return Err(self.too_large(&class));
            }
        }
        Ok(())
    }

    fn standing(&self, record: &Record, treatment: &Treatment) -> Standing {
        treatment.standings(std::slice::from_ref(record), &self.map).pop().unwrap_or(Standing::Kept)
    }

    /// Treats a customer's documents, and says how many of each class there were.
    async fn treat(&self, customer: &CustomerId, request: &EraseRequest) -> Result<Counts, StoreError> {
        let treatment = &request.treatment;
        let mut counts = Counts::default();
        for (class, meta) in self.find(customer).await? {
            let Some(documents) = self.classes.get(&class) else { continue };
            let found = self.record(&class, &meta, treatment).await;
            // The customer's row is gone by now: this one is asked for again, and not given up.
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
            match treatment.treat(&record, standing, &request.seed, request.at.date_naive(), 0) {
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
            // The row went in an earlier try, and what is left of the documents goes now.
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
    /// Below which a customer's documents lie.
    fn of(&self, customer: &CustomerId) -> Result<Path, StoreError> {
        let id = PathPart::from(customer.as_str());
        if id.as_ref().is_empty() {
            // Everybody's documents lie there.
            return Err(StoreError::failed("looking for documents", "the customer's id is empty"));
        }
        Ok(self.place.iter().map(|part| part.as_deref().map_or_else(|| id.clone(), PathPart::from)).collect())
    }

    /// Whether a document may be a blank one, by its first bytes.
    async fn may_be_blank(&self, meta: &ObjectMeta) -> Result<bool, StoreError> {
        // A range of no bytes is an error.
        if meta.size == 0 {
            return Ok(true);
        }
        match self.store.get_range(&meta.location, 0..HEAD.min(meta.size)).await {
            Ok(head) => Ok(may_be_blank(&head)),
            // Read by whoever asks next, who finds it gone.
            Err(object_store::Error::NotFound { .. }) => Ok(true),
            Err(error) => Err(failed("reading a document", &error)),
        }
    }

    /// Whether the places of two customers may be one: some id for the one lies at or below some id for the other.
    fn may_share(&self, other: &Self) -> bool {
        let meets = |(one, other): (&Option<String>, &Option<String>)| match (one, other) {
            (Some(one), Some(other)) => PathPart::from(one.as_str()) == PathPart::from(other.as_str()),
            _ => true,
        };
        Arc::ptr_eq(&self.store, &other.store) && self.place.iter().zip(&other.place).all(meets)
    }

    /// Written new, under the same key. What was told of the old one stays behind, but for its type.
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

/// In words of our own: those of an object store name keys, and a key may name somebody.
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

/// The root store's census, under the data map that has the documents too. Documents are found by the customers' keys, so
/// there are none that a class could leave out.
#[async_trait]
impl<S: CustomerStore> TakeCensus for WithDocuments<S> {
    async fn census(&self, request: &CensusRequest) -> Result<Census, StoreError> {
        let census = self.taker()?.census(request).await?;
        Ok(Census { data_map: self.map.digest(), ..census })
    }

    async fn schema(&self) -> Result<Digest, StoreError> {
        self.taker()?.schema().await
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
                    // Not tried.
                    None => break,
                },
            };
            batch.push(answer);
        }
        Ok(batch)
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
