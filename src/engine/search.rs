//! Searches the store for a value: finds the records and the fields that contain it.
//!
//! A search says which record and which field matched, and nothing else of the record. It looks in every class of the store
//! that the engine [reads records](super::EngineBuilder::records) from.
//!
//! ```no_run
//! use relinquish::data_map::Kind;
//! use relinquish::engine::{Access, Search};
//!
//! # async fn find(engine: relinquish::Engine, access: Access) -> Result<(), relinquish::Error> {
//! let search = Search::new().exact(Kind::Email, "maud@example.org");
//! for class in engine.plan_search(&search)?.reads_whole {
//!     println!("reads all records of {class}: no index begins with the field");
//! }
//! let mut page = engine.search(&search.clone().reading_whole_tables(), &access).await?;
//! for found in &page.found {
//!     println!("{} {} in {}", found.class, found.key.as_str(), found.field);
//! }
//! # Ok(())
//! # }
//! ```

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::{Access, Accessed, Engine, Error};
use crate::anonymise::Form;
use crate::anonymise::json::{self, Pointer};
use crate::anonymise::readable;
use crate::customer::CustomerId;
use crate::data_map::{
    ClassName, DataMap, Datatype, Field, FieldName, Kind, RecordClass, RecordKey, Role, Value, spelled_key,
};
use crate::store::{Cursor, ReadRecord, ReadRecords, ReadRequest, StoreError, Whose};

/// The maximum number of records in memory at once.
const PAGE: usize = 2_000;
/// The default for the maximum number of places in a page.
const PLACES: usize = 100;

/// A value that is searched for.
#[derive(Clone)]
struct Term {
    /// `None`: a customer's key.
    kind: Option<Kind>,
    value: String,
    is_exact: bool,
}

/// The values to search for. Its `Debug` shows the kinds, but no value.
#[derive(Clone)]
pub struct Search {
    terms: Vec<Term>,
    whole_tables: bool,
    limit: usize,
    after: Option<Cursor>,
}

impl Default for Search {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").field("kinds", &self.kinds()).finish_non_exhaustive()
    }
}

impl Search {
    /// A search for nothing yet.
    pub fn new() -> Self {
        Self { terms: Vec::new(), whole_tables: false, limit: PLACES, after: None }
    }

    fn term(mut self, kind: Option<Kind>, value: impl Into<String>, is_exact: bool) -> Self {
        self.terms.push(Term { kind, value: value.into(), is_exact });
        self
    }

    /// Also searches for the customer with this key, as the store spells it.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        self.term(None, key, true)
    }

    /// Also searches for exactly this value, in the fields of its kind. An e-mail address is also searched for among
    /// user names. A telephone number is also searched for among the numbers of call records.
    #[must_use]
    pub fn exact(self, kind: Kind, value: impl Into<String>) -> Self {
        self.term(Some(kind), value, true)
    }

    /// Also searches for this value in any spelling. Case and accents are ignored, names may have their words in any
    /// order, and telephone numbers may lack the country code. No index helps here, so such a search scans whole
    /// tables.
    #[must_use]
    pub fn alike(self, kind: Kind, value: impl Into<String>) -> Self {
        self.term(Some(kind), value, false)
    }

    /// Allows the search to scan all records of a class if no index helps. [`Engine::plan_search`] says for which
    /// classes.
    #[must_use]
    pub fn reading_whole_tables(mut self) -> Self {
        self.whole_tables = true;
        self
    }

    /// Sets the maximum number of places in a page: at least 1. The default is 100.
    #[must_use]
    pub fn limit(mut self, places: usize) -> Self {
        self.limit = places.max(1);
        self
    }

    /// Continues after another page.
    #[must_use]
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        self.after = cursor;
        self
    }

    fn kinds(&self) -> Vec<Kind> {
        let kinds: BTreeSet<&Kind> = self.terms.iter().filter_map(|term| term.kind.as_ref()).collect();
        kinds.into_iter().cloned().collect()
    }
}

/// How a search will be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SearchPlan {
    /// The fields whose index is used, by class.
    pub by_index: Vec<(ClassName, FieldName)>,
    /// The classes that are scanned: every record is read.
    pub reads_whole: Vec<ClassName>,
    /// The classes that are not searched, because they are in a store beside the root store.
    pub elsewhere: Vec<ClassName>,
}

/// A place in which a value was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Found {
    /// The record class.
    pub class: ClassName,
    /// The record's key. It is the host's own key and may be personal: show it only to the person who searched.
    #[serde(serialize_with = "spelled")]
    pub key: RecordKey,
    /// The field. For a value inside a JSON document, the column and the pointer.
    pub field: FieldName,
    /// The index of the value in the list of searched values.
    pub term: usize,
    /// Whether the value is stored exactly as it was searched for.
    pub is_exact: bool,
}

fn spelled<S: Serializer>(key: &RecordKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.as_str())
}

/// A page of a search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FoundPage {
    /// The places, by class.
    pub found: Vec<Found>,
    /// The number of places that are left out, because the operator has no authority over the tenant of the customer.
    pub withheld: u64,
    /// The cursor of the next page. `None`: this is the last page.
    #[serde(skip)]
    pub next: Option<Cursor>,
}

/// One query of a search.
#[derive(Clone)]
enum Step {
    /// The customer with a key.
    Key { term: usize },
    /// Records with a value in an indexed field.
    Index { class: ClassName, field: FieldName, term: usize },
    /// All records of a class.
    Whole { class: ClassName, terms: Vec<usize> },
}

/// The position at which a search continues. The cursor contains it.
#[derive(Serialize, Deserialize)]
struct Place {
    step: usize,
    after: Option<Cursor>,
    /// The number of places of this page of records that were returned already.
    told: usize,
}

/// Whether fields of one kind may contain values of another kind.
pub(super) fn may_stand_in(sought: &Kind, field: &Kind) -> bool {
    sought == field
        || matches!(
            (sought, field),
            (Kind::Email, Kind::Username)
                | (Kind::Username, Kind::Email)
                | (Kind::Phone, Kind::Communication)
                | (Kind::Communication, Kind::Phone)
                | (Kind::Name, Kind::CompanyName)
                | (Kind::CompanyName, Kind::Name)
        )
}

/// A field to read, and where its texts are in the record.
pub(super) struct ReadField {
    pub(super) name: FieldName,
    pub(super) kind: Kind,
    /// The place of the value, or of its document.
    place: usize,
    pointer: Option<Pointer>,
}

/// The searched fields of a class, with their positions in a page of records.
pub(super) struct ClassFields {
    pub(super) fields: Vec<ReadField>,
    keys: Vec<usize>,
}

impl ClassFields {
    /// The fields to ask for: the key, and those that pass.
    pub(super) fn wanted(class: &RecordClass, is_searched: impl Fn(&Kind) -> bool) -> BTreeSet<FieldName> {
        let is_wanted = |field: &&Field| field.role() == Role::Key || field.kind().is_some_and(&is_searched);
        class.fields().iter().filter(is_wanted).map(|field| field.name().clone()).collect()
    }

    pub(super) fn of(class: &RecordClass, given: &[FieldName], is_searched: impl Fn(&Kind) -> bool) -> Self {
        let place = |name: &str| given.iter().position(|field| field.as_str() == name);
        let keys = class.fields().iter().filter(|field| field.role() == Role::Key);
        let keys = keys.filter_map(|field| place(field.name().as_str())).collect();
        let read = |field: &Field| {
            let kind = field.kind().filter(|kind| is_searched(kind))?.clone();
            let name = field.name().clone();
            if let Some(place) = place(name.as_str()) {
                return Some(ReadField { name, kind, place, pointer: None });
            }
            let inside = (0..).zip(given).find_map(|(place, column)| {
                let pointer = name.as_str().strip_prefix(column.as_str())?;
                Some((place, pointer.parse().ok()?))
            });
            inside.map(|(place, pointer)| ReadField { name, kind, place, pointer: Some(pointer) })
        };
        Self { fields: class.fields().iter().filter_map(read).collect(), keys }
    }

    /// The key of a record as one text.
    pub(super) fn key(&self, record: &ReadRecord) -> Option<RecordKey> {
        let parts: Option<Vec<Value>> =
            self.keys.iter().map(|place| record.values.get(*place).cloned()).collect();
        spelled_key(&parts?).map(RecordKey::new)
    }
}

impl ReadField {
    /// The texts of the field in a record. A document that cannot be read has none.
    ///
    /// Bytes that are valid text count as text. Whole numbers count as their digits. An erasure compares in the same
    /// way.
    pub(super) fn texts(&self, record: &ReadRecord) -> Vec<String> {
        let Some(value) = record.values.get(self.place) else { return Vec::new() };
        let text = match value {
            Value::Text(text) => Some(Cow::Borrowed(text.as_str())),
            Value::Blob(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Value::Integer(number) => Some(number.to_string().into()),
            Value::Real(number) => readable::whole(*number).map(Cow::Owned),
            Value::Null => None,
        };
        let Some(text) = text else { return Vec::new() };
        let Some(pointer) = &self.pointer else { return vec![text.into_owned()] };
        let found = json::values(&text, pointer).unwrap_or_default();
        let texts = found.into_iter().filter_map(|found| match found {
            json::Found::Text(text) => Some(text.into_owned()),
            json::Found::Number(number) => Some(number.to_owned()),
            _ => None,
        });
        texts.collect()
    }
}

impl Engine {
    /// Says how a search will be carried out: where an index is used, and where every record is read. Reads nothing.
    ///
    /// # Errors
    /// [`Error::NoRecords`] if the engine was built without a store to read records from.
    pub fn plan_search(&self, search: &Search) -> Result<SearchPlan, Error> {
        let reads = self.parts.reads.as_ref().ok_or(Error::NoRecords)?;
        let mut plan = SearchPlan {
            by_index: Vec::new(),
            reads_whole: Vec::new(),
            elsewhere: elsewhere(self.data_map()),
        };
        for step in steps(self.data_map(), &**reads, search) {
            match step {
                Step::Key { .. } => {}
                Step::Index { class, field, .. } => plan.by_index.push((class, field)),
                Step::Whole { class, .. } => plan.reads_whole.push(class),
            }
        }
        plan.by_index.sort();
        plan.by_index.dedup();
        Ok(plan)
    }

    /// Searches, and returns a page of the places that were found. Each page is written to the host's access log
    /// before anything is read.
    ///
    /// Places in records of customers of tenants that are not the operator's are counted, but not returned.
    ///
    /// # Errors
    /// [`Error::ReadsWholeTables`] if the search would scan all records of a class without
    /// [permission](Search::reading_whole_tables). [`Error::NoRecords`], [`Error::NoAccessLog`],
    /// [`Error::AccessLog`], [`Error::Approval`] for an operator without a valid id, [`Error::NotForRequest`]. A
    /// store out of reach; also for a cursor of another search.
    pub async fn search(&self, search: &Search, access: &Access) -> Result<FoundPage, Error> {
        let reads = Arc::clone(self.parts.reads.as_ref().ok_or(Error::NoRecords)?);
        let steps = steps(self.data_map(), &*reads, search);
        let classes: Vec<ClassName> = steps
            .iter()
            .filter_map(|step| if let Step::Whole { class, .. } = step { Some(class.clone()) } else { None })
            .collect();
        if !search.whole_tables && !classes.is_empty() {
            return Err(Error::ReadsWholeTables { classes });
        }
        self.access(access, None, [], Accessed::Search { kinds: search.kinds() }).await?;
        let place = match &search.after {
            None => Some(Place { step: 0, after: None, told: 0 }),
            Some(cursor) => serde_json::from_str(cursor.as_str()).ok(),
        };
        let not_ours =
            || StoreError::failed("searching", "the cursor is of another search; begin with the first page");
        let mut place = place.ok_or_else(not_ours)?;
        let mut page = FoundPage { found: Vec::new(), withheld: 0, next: None };
        let forms = Forms::of(search);
        while let Some(step) = steps.get(place.step) {
            let (mut found, next) = self.look_in(step, search, &forms, &*reads, place.after.as_ref()).await?;
            found.sort();
            let withheld = self.withhold(&mut found, access).await?;
            let more = found.split_off(place.told.min(found.len()));
            let room = search.limit - page.found.len();
            if place.told == 0 {
                page.withheld += withheld;
            }
            if more.len() > room {
                page.found.extend(more.into_iter().take(room).map(|(found, _)| found));
                place.told += room;
                break;
            }
            page.found.extend(more.into_iter().map(|(found, _)| found));
            place = match next {
                Some(after) => Place { step: place.step, after: Some(after), told: 0 },
                None => Place { step: place.step + 1, after: None, told: 0 },
            };
            if page.found.len() == search.limit {
                break;
            }
        }
        if place.step < steps.len() {
            let failed = |error: serde_json::Error| StoreError::failed("searching", error.to_string());
            page.next = Some(Cursor::new(serde_json::to_string(&place).map_err(failed)?));
        }
        Ok(page)
    }

    /// The places found in one page of records. Each has the customer to whom the record belongs.
    async fn look_in(
        &self,
        step: &Step,
        search: &Search,
        forms: &Forms,
        reads: &dyn ReadRecords,
        after: Option<&Cursor>,
    ) -> Result<(Vec<(Found, Option<CustomerId>)>, Option<Cursor>), Error> {
        let map = self.data_map();
        let class = match step {
            Step::Key { term } => {
                let id = search.terms.get(*term).map(|term| CustomerId::new(term.value.clone()));
                let facts = self.parts.store.facts(id.as_slice()).await?;
                let key = map.class(map.root().as_str()).and_then(key_field);
                let found = facts.into_iter().filter_map(|facts| {
                    let found = Found {
                        class: map.root().clone(),
                        key: RecordKey::new(facts.id.as_str()),
                        field: key.clone()?,
                        term: *term,
                        is_exact: true,
                    };
                    Some((found, Some(facts.id)))
                });
                return Ok((found.collect(), None));
            }
            Step::Index { class, .. } | Step::Whole { class, .. } => class,
        };
        let Some(described) = map.class(class.as_str()) else { return Ok((Vec::new(), None)) };
        let of_step: BTreeSet<usize> = match step {
            Step::Key { term } | Step::Index { term, .. } => BTreeSet::from([*term]),
            Step::Whole { terms, .. } => terms.iter().copied().collect(),
        };
        let is_searched = |kind: &Kind| of_step.iter().any(|term| forms.stands_in(*term, kind));
        let wanted = ClassFields::wanted(described, is_searched);
        let mut request = ReadRequest::new(class.clone(), Whose::Everybody, PAGE)
            .after(after.cloned())
            .fields(wanted)
            .with_owners();
        if let Step::Index { field, term, .. } = step
            && let (Some(term), Some(field)) = (search.terms.get(*term), described.find(field.as_str()))
        {
            request = request.only(field.name().clone(), stored(&term.value, field.constraints().datatype));
        }
        let page = reads.read_records(&request).await?;
        let fields = ClassFields::of(described, &page.fields, is_searched);
        let mut found = Vec::new();
        for record in &page.records {
            let Some(key) = fields.key(record) else { continue };
            for (field, term, is_exact) in forms.places(&of_step, &fields, record) {
                if let Step::Index { field: only, .. } = step
                    && *only != field
                {
                    continue;
                }
                let place = Found { class: class.clone(), key: key.clone(), field, term, is_exact };
                found.push((place, record.owner.clone()));
            }
        }
        Ok((found, page.next))
    }

    /// Removes places in records of customers of other tenants than the operator's. Returns how many.
    async fn withhold(
        &self,
        found: &mut Vec<(Found, Option<CustomerId>)>,
        access: &Access,
    ) -> Result<u64, Error> {
        let owners: BTreeSet<CustomerId> = found.iter().filter_map(|(_, owner)| owner.clone()).collect();
        let owners: Vec<CustomerId> = owners.into_iter().collect();
        let before = found.len();
        if !owners.is_empty() {
            let facts = self.parts.store.facts(&owners).await?;
            let own = access.by().tenants();
            let of_others: BTreeSet<CustomerId> = facts
                .into_iter()
                .filter(|facts| !own.contains(&facts.tenant))
                .map(|facts| facts.id)
                .collect();
            found.retain(|(_, owner)| owner.as_ref().is_none_or(|owner| !of_others.contains(owner)));
        }
        Ok((before - found.len()) as u64)
    }
}

/// The first field of a class's key.
fn key_field(class: &RecordClass) -> Option<FieldName> {
    class.fields().iter().find(|field| field.role() == Role::Key).map(|field| field.name().clone())
}

/// A text as a field of this type may store it.
fn stored(text: &str, datatype: Datatype) -> Vec<Value> {
    let number = text.parse().ok().map(Value::Integer);
    match datatype {
        Datatype::Integer => number.into_iter().collect(),
        Datatype::Any | Datatype::Numeric => number.into_iter().chain([Value::from(text)]).collect(),
        Datatype::Text | Datatype::Real | Datatype::Blob => vec![Value::from(text)],
    }
}

/// The classes of the stores beside the root store. These stores do not know to whom a record belongs.
pub(super) fn elsewhere(map: &DataMap) -> Vec<ClassName> {
    map.classes().filter(|class| class.store().is_some()).map(|class| class.name().clone()).collect()
}

/// The queries of a search, in a fixed order: keys, then class by class.
fn steps(map: &DataMap, reads: &dyn ReadRecords, search: &Search) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    steps.extend(
        (0..).zip(&search.terms).filter(|(_, term)| term.kind.is_none()).map(|(term, _)| Step::Key { term }),
    );
    for class in map.classes().filter(|class| class.store().is_none()) {
        let mut whole = BTreeSet::new();
        for (n, term) in search.terms.iter().enumerate() {
            let Some(kind) = &term.kind else { continue };
            let of_kind = |field: &&Field| field.kind().is_some_and(|of| may_stand_in(kind, of));
            for field in class.fields().iter().filter(of_kind) {
                if term.is_exact && reads.finds_by(class.name(), field.name()) {
                    let (class, field) = (class.name().clone(), field.name().clone());
                    steps.push(Step::Index { class, field, term: n });
                } else {
                    whole.insert(n);
                }
            }
        }
        // A scan of all records also finds everything that an index would have found.
        if !whole.is_empty() {
            let covered = |step: &Step| matches!(step, Step::Index { class: of, term, .. } if of == class.name() && whole.contains(term));
            steps.retain(|step| !covered(step));
            steps.push(Step::Whole { class: class.name().clone(), terms: whole.into_iter().collect() });
        }
    }
    steps
}

/// The searched values, in the form in which they are compared with each kind of field.
struct Forms {
    terms: Vec<(Term, BTreeMap<Kind, Form>)>,
}

impl Forms {
    fn of(search: &Search) -> Self {
        let forms = |term: &Term| {
            let mut forms = BTreeMap::new();
            if let Some(kind) = &term.kind {
                for of in
                    Kind::KNOWN.iter().filter_map(|name| name.parse::<Kind>().ok()).chain([kind.clone()])
                {
                    if may_stand_in(kind, &of)
                        && let Some(form) = Form::of(&of, &term.value)
                    {
                        forms.insert(of, form);
                    }
                }
            }
            (term.clone(), forms)
        };
        Self { terms: search.terms.iter().map(forms).collect() }
    }

    fn stands_in(&self, term: usize, kind: &Kind) -> bool {
        self.terms.get(term).and_then(|(term, _)| term.kind.as_ref()).is_some_and(|of| may_stand_in(of, kind))
    }

    /// The fields of a record that contain the values.
    fn places(
        &self,
        of_step: &BTreeSet<usize>,
        fields: &ClassFields,
        record: &ReadRecord,
    ) -> Vec<(FieldName, usize, bool)> {
        let mut places = Vec::new();
        let texts: Vec<(&ReadField, Vec<String>)> =
            fields.fields.iter().map(|field| (field, field.texts(record))).collect();
        for n in of_step {
            let Some((term, forms)) = self.terms.get(*n) else { continue };
            let mut is_found = false;
            for (field, texts) in &texts {
                if !self.stands_in(*n, &field.kind) {
                    continue;
                }
                let is_exact = texts.contains(&term.value);
                let is_like = |text: &String| {
                    let (form, own) = (forms.get(&field.kind), Form::of(&field.kind, text));
                    form.zip(own).is_some_and(|(form, own)| form.is_like(&own))
                };
                if is_exact || (!term.is_exact && texts.iter().any(is_like)) {
                    places.push((field.name.clone(), *n, is_exact));
                    is_found = true;
                }
            }
            // A name may be spread over several fields: a first name and a last name.
            let names =
                || texts.iter().filter(|(field, texts)| field.kind == Kind::Name && !texts.is_empty());
            if !is_found && !term.is_exact && term.kind == Some(Kind::Name) && names().count() > 1 {
                let whole: Vec<&str> = names().flat_map(|(_, texts)| texts).map(String::as_str).collect();
                let own = Form::of(&Kind::Name, &whole.join(" "));
                if forms.get(&Kind::Name).zip(own).is_some_and(|(form, own)| form.is_like(&own)) {
                    places.extend(names().map(|(field, _)| (field.name.clone(), *n, false)));
                }
            }
        }
        places
    }
}
