//! The data map: every record class and field of a store, each classified.
//!
//! A [`DataMap`] guarantees completeness. A policy is checked against the data map, so that every class and every
//! personal field has a rule. A store checks the data map against the real database, so that every column is in a
//! class. The SQL stores make the data map from their map and the live schema. A host with its own store builds it
//! with [`DataMap::builder`].
//!
//! ```
//! use relinquish::data_map::{DataMap, Fact, Field, Kind, RecordClass};
//!
//! let map = DataMap::builder(
//!     RecordClass::new("customer")
//!         .field(Field::key("id").token_part())
//!         .field(Field::personal("name", Kind::Name).required().max_chars(40))
//!         .field(Field::personal("email", Kind::Email).required().unique()),
//! )
//! .class(
//!     RecordClass::new("order")
//!         .field(Field::key("id"))
//!         .field(Field::personal("note", Kind::FreeText))
//!         .field(Field::plain("total"))
//!         .needs_owner(),
//! )
//! .knows(Fact::ActiveSubscriptions)
//! .date("cancelled")
//! .build()?;
//! assert_eq!(map.classes().count(), 2);
//! # Ok::<(), relinquish::Problems>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use crate::digest::Digest;
use crate::document::{Problem, Problems};
use crate::name::open_name;

mod builder;
mod check;
mod date_form;
mod encoding;
mod key_text;
mod kind;
mod link;
mod moment;
mod not_covered;
mod period;
mod recipient;
mod record;
mod stores;
mod time_zone;
mod trigger;
mod unclaimed;
mod unique;

pub use builder::DataMapBuilder;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use builder::is_reserved;
pub use check::Check;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use date_form::Stored;
pub use date_form::{DateForm, NoDate, ReadDate, StoredAs};
pub(crate) use date_form::{is_filler, is_plain_instant, is_plausible};
pub use encoding::{Encoding, UnknownEncoding};
pub(crate) use key_text::spelled_key;
pub use kind::{Kind, UnknownKind};
pub(crate) use link::LetGo;
pub use link::{Link, LinkRole, WhenGone};
pub use moment::Moment;
pub use not_covered::{IgnoredPart, NotCovered, RowsBecause, UnreachedRows};
pub use period::{NotAPeriod, Period};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use recipient::KEY as RECIPIENT_KEY;
pub use recipient::{IdentifiedBy, RecipientName};
pub use record::{Record, RecordKey, Value};
pub use time_zone::{NotATimeZone, TimeZone};
pub use trigger::{TableTrigger, TriggerEffect, TriggerOn};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use unclaimed::RowOnDelete;
pub(crate) use unclaimed::Unclaimed;
pub(crate) use unique::{UniqueRule, UniqueThrough};

open_name! {
    /// The name of a payment gateway, as the policy and the data map spell it: `stripe`.
    GatewayName
}

open_name! {
    /// The name of one of the host's own states that may forbid an erasure, as the policy and the data map spell it:
    /// `not_white_label`.
    StateName
}

open_name! {
    /// The name of a record class, as maps and policies spell it: `delivery_address`.
    ClassName
}

open_name! {
    /// The name of a store beside the root store: `calls`, `archive`.
    StoreName
}

open_name! {
    /// The name of a field within its record class. For an SQL store, the name of the column.
    FieldName
}

/// The type of the values that a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Datatype {
    /// Text.
    Text,
    /// Whole numbers.
    Integer,
    /// Floating-point numbers.
    Real,
    /// Numbers, dates and flags. A placeholder in words does not fit such a field.
    Numeric,
    /// Bytes.
    Blob,
    /// Anything.
    Any,
}

/// What the store requires of a field's values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Constraints {
    /// NULL is allowed.
    pub nullable: bool,
    /// No two records may have the same value (alone or together with other fields).
    pub unique: bool,
    /// The longest text, in characters.
    pub max_chars: Option<u32>,
    /// The type of the values.
    pub datatype: Datatype,
}

/// The role of a field in its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An ordinary value.
    Value,
    /// The record's key, or a part of it.
    Key,
    /// Says which customer owns the record.
    Owner,
    /// Computed by the database from other fields. It cannot be written.
    Computed,
}

/// A field of a record class, classified.
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own, in any combination")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    name: FieldName,
    kind: Option<Kind>,
    role: Role,
    token_part: bool,
    linked: bool,
    dated: bool,
    /// How the field stores dates, if the map says so.
    #[serde(skip_serializing_if = "DateForm::is_plain")]
    form: DateForm,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    json: bool,
    /// How the text is encoded, if the map says so.
    #[serde(skip_serializing_if = "Encoding::is_plain")]
    encoding: Encoding,
    constraints: Constraints,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    /// Unique indexes that depend on this field and are not plain: over expressions, over computed fields, or
    /// partial.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differs_by: Vec<UniqueRule>,
    /// The first of these indexes in which NULL counts as a duplicate.
    #[serde(skip_serializing_if = "Option::is_none")]
    null_counts_in: Option<UniqueRule>,
    /// The fields from which the database computes this field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    computed_from: Vec<FieldName>,
}

impl Field {
    fn named(name: impl Into<FieldName>, kind: Option<Kind>, role: Role) -> Self {
        let constraints =
            Constraints { nullable: true, unique: false, max_chars: None, datatype: Datatype::Text };
        Self::mapped(name.into(), kind, role, false, constraints)
    }

    /// A text field with personal data of a kind. NULL is allowed unless [`required`](Self::required) is called.
    pub fn personal(name: impl Into<FieldName>, kind: Kind) -> Self {
        Self::named(name, Some(kind), Role::Value)
    }

    /// A field with no personal data.
    pub fn plain(name: impl Into<FieldName>) -> Self {
        Self::named(name, None, Role::Value)
    }

    /// The record's key, or a part of the key.
    pub fn key(name: impl Into<FieldName>) -> Self {
        Self::named(name, None, Role::Key).required()
    }

    /// The field that says to which customer the record belongs.
    pub fn owner(name: impl Into<FieldName>) -> Self {
        Self::named(name, None, Role::Owner)
    }

    /// Forbids NULL.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.constraints.nullable = false;
        self
    }

    /// Requires that no two records have the same value.
    #[must_use]
    pub fn unique(mut self) -> Self {
        self.constraints.unique = true;
        self
    }

    /// Sets the length of the longest text, in characters.
    #[must_use]
    pub fn max_chars(mut self, chars: u32) -> Self {
        self.constraints.max_chars = Some(chars);
        self
    }

    /// Sets the type of the values, if not text.
    #[must_use]
    pub fn datatype(mut self, datatype: Datatype) -> Self {
        self.constraints.datatype = datatype;
        self
    }

    /// Marks the field as a part of the customer's token in the ledger (tenant, id, registration instant). No
    /// treatment that keeps the record may alter the field.
    #[must_use]
    pub fn token_part(mut self) -> Self {
        self.token_part = true;
        self
    }

    /// Marks a field that other records reference, directly or to find their customer. No treatment that keeps the
    /// record may alter the field.
    #[must_use]
    pub fn linked(mut self) -> Self {
        self.linked = true;
        self
    }

    /// Marks the field as a date from which duties count. The date is a day, an instant, or Unix seconds. For other
    /// forms see [`dated_as`](Self::dated_as).
    ///
    /// * The store must not change a record that a duty keeps: see
    ///   [`ClassTreatment::under_duty`](crate::treatment::ClassTreatment::under_duty).
    /// * A record that such a record references stays as a [tombstone](crate::treatment::ClassTreatment::tombstone).
    ///
    /// A store that uses [`Treatment::standings`](crate::treatment::Treatment::standings) does both without further
    /// code.
    #[must_use]
    pub fn dated(mut self) -> Self {
        self.dated = true;
        self
    }

    /// Marks the field as a date, as [`dated`](Self::dated) does, and says in which form the date is stored.
    ///
    /// ```
    /// use relinquish::data_map::{DateForm, Field, StoredAs};
    ///
    /// let form = DateForm::new().stored(StoredAs::Milliseconds).none(0);
    /// let field = Field::plain("made_at").dated_as(form);
    /// # assert!(field.is_dated());
    /// ```
    #[must_use]
    pub fn dated_as(mut self, form: DateForm) -> Self {
        self.form = form;
        self.dated()
    }

    /// Marks the field as a JSON document, stored as text. Redaction then redacts each text inside the document, and
    /// the document stays valid JSON; see [`json::redact`](crate::anonymise::json::redact). Every other strategy
    /// replaces the whole document. An SQL store does not need this mark: its map says what a document contains.
    #[must_use]
    pub fn json(mut self) -> Self {
        self.json = true;
        self
    }

    /// Says how the text of the field is encoded. Redaction searches the decoded text.
    #[must_use]
    pub fn encoded(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Adds a condition that the store enforces on the values. A policy that would write a refused value is an error.
    #[must_use]
    pub fn held_to(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// Says that the field belongs to the person at the other end of a [link](Link::name) of the class, and not to
    /// the record's owner. Example: the name of an editor beside the editor's id. The field is erased only when that
    /// person is erased.
    #[must_use]
    pub fn of(mut self, link: impl Into<String>) -> Self {
        self.of = Some(link.into());
        self
    }

    /// Adds a unique index that depends on the field, but is not a plain index of its values.
    #[cfg(any(test, feature = "sqlite", feature = "postgres"))]
    pub(crate) fn differing_by(mut self, rule: &UniqueRule, null_counts: bool) -> Self {
        self.differs_by.push(rule.clone());
        if null_counts {
            self.null_counts_in.get_or_insert_with(|| rule.clone());
        }
        self
    }

    /// The unique indexes that depend on this field and are not plain.
    pub(crate) fn differs_by(&self) -> &[UniqueRule] {
        &self.differs_by
    }

    /// A unique index of the field in which NULL counts as a duplicate.
    pub(crate) fn null_counts_in(&self) -> Option<&UniqueRule> {
        self.null_counts_in.as_ref()
    }

    /// Names the fields of the record from which the database computes this field.
    #[cfg(any(test, feature = "sqlite", feature = "postgres"))]
    pub(crate) fn computed_from(mut self, fields: Vec<FieldName>) -> Self {
        self.computed_from = fields;
        self
    }

    pub(crate) fn mapped(
        name: FieldName,
        kind: Option<Kind>,
        role: Role,
        token_part: bool,
        constraints: Constraints,
    ) -> Self {
        let (linked, dated, json, checks) = (false, false, false, Vec::new());
        let form = DateForm::new();
        Self {
            name,
            kind,
            role,
            token_part,
            linked,
            dated,
            form,
            json,
            encoding: Encoding::Plain,
            constraints,
            checks,
            of: None,
            differs_by: Vec::new(),
            null_counts_in: None,
            computed_from: Vec::new(),
        }
    }

    /// The field's name.
    pub fn name(&self) -> &FieldName {
        &self.name
    }

    /// The kind of personal data that the field holds, if any.
    pub fn kind(&self) -> Option<&Kind> {
        self.kind.as_ref()
    }

    /// The role of the field in its record.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether the field is a part of the ledger's token.
    pub fn is_token_part(&self) -> bool {
        self.token_part
    }

    /// Whether other records reference the field.
    pub fn is_linked(&self) -> bool {
        self.linked
    }

    /// Whether duties count from this date.
    pub fn is_dated(&self) -> bool {
        self.dated
    }

    /// How the field stores dates. The default form if the map says nothing.
    pub fn date_form(&self) -> &DateForm {
        &self.form
    }

    /// How the text of the field is encoded.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Whether the field holds a JSON document.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// The link that leads to the field's owner. `None`: the field belongs to the record's owner.
    pub fn whose(&self) -> Option<&str> {
        self.of.as_deref()
    }

    /// The fields from which the database computes this field. Empty if the field is not computed, or if its sources
    /// are unknown.
    pub fn sources(&self) -> &[FieldName] {
        &self.computed_from
    }

    /// What the store requires of the field's values.
    pub fn constraints(&self) -> &Constraints {
        &self.constraints
    }

    /// The conditions that the store enforces on this field alone. Conditions over several fields are not included.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}

/// A record class: one kind of record, with one rule for all its records (DIN 66398: *Datenart*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordClass {
    name: ClassName,
    /// The store beside the root store with these records. `None`: the root store.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<StoreName>,
    fields: Vec<Field>,
    links: Vec<Link>,
    needed_by: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unclaimed: Vec<Unclaimed>,
    needs_owner: bool,
    reassignable: bool,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    copied_to: BTreeSet<ClassName>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    triggers: BTreeSet<TableTrigger>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    unique: BTreeSet<Vec<FieldName>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unique_through: Vec<UniqueThrough>,
}

impl RecordClass {
    /// A class with no field yet.
    pub fn new(name: impl Into<ClassName>) -> Self {
        Self {
            name: name.into(),
            store: None,
            fields: Vec::new(),
            links: Vec::new(),
            needed_by: Vec::new(),
            unclaimed: Vec::new(),
            needs_owner: false,
            reassignable: false,
            copied_to: BTreeSet::new(),
            triggers: BTreeSet::new(),
            unique: BTreeSet::new(),
            unique_through: Vec::new(),
        }
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// Says that a foreign key requires the customer's own record for each record.
    #[must_use]
    pub fn needs_owner(mut self) -> Self {
        self.needs_owner = true;
        self
    }

    /// Says that records can be handed over to the tenant's "Unknown Customer".
    #[must_use]
    pub fn reassignable(mut self) -> Self {
        self.reassignable = true;
        self
    }

    /// Says that the database itself writes to another class when a record changes or is deleted. Example: a trigger
    /// that keeps a history.
    #[must_use]
    pub fn copied_to(mut self, class: impl Into<ClassName>) -> Self {
        self.copied_to.insert(class.into());
        self
    }

    /// Adds a trigger of the class's table that forbids, ignores or rewrites changes to records. A policy that would
    /// fire this trigger is an error.
    #[must_use]
    pub fn triggered(mut self, trigger: TableTrigger) -> Self {
        self.triggers.insert(trigger);
        self
    }

    /// Adds the name of something outside the map that references the records, such as a table that the map ignores.
    #[must_use]
    pub fn needed_by(mut self, what: impl Into<String>) -> Self {
        self.needed_by.push(what.into());
        self
    }

    /// Adds rows that no class claims, and that reference the records with a foreign key.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn led_to_by(mut self, rows: Unclaimed) -> Self {
        self.unclaimed.push(rows);
        self
    }

    /// Adds sets of fields that must be unique, alone or together: the key, and other unique columns.
    #[must_use]
    pub fn held_apart(mut self, unique: impl IntoIterator<Item = Vec<FieldName>>) -> Self {
        self.unique.extend(unique);
        self
    }

    /// Adds a unique index that depends on more than the values of its fields.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn held_apart_through(mut self, unique: UniqueThrough) -> Self {
        self.unique_through.push(unique);
        self
    }

    /// The unique indexes over expressions, over computed fields, or over some of the records.
    pub(crate) fn unique_through(&self) -> &[UniqueThrough] {
        &self.unique_through
    }

    /// The class's name.
    pub fn name(&self) -> &ClassName {
        &self.name
    }

    /// The class's fields, in the order in which they were added.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// A field by name.
    pub fn find(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.as_str() == name)
    }

    /// The things outside the map that reference the records.
    pub fn needed(&self) -> &[String] {
        &self.needed_by
    }

    /// Rows that no class claims, and that reference the records with a foreign key.
    pub(crate) fn unclaimed(&self) -> &[Unclaimed] {
        &self.unclaimed
    }

    /// The classes to which the database itself writes when a record of this class changes or is deleted.
    pub fn copies(&self) -> &BTreeSet<ClassName> {
        &self.copied_to
    }

    /// The triggers of the class's table that can prevent a treatment.
    pub fn triggers(&self) -> impl Iterator<Item = &TableTrigger> {
        self.triggers.iter()
    }

    /// The sets of fields that must be unique, alone or together.
    pub fn unique(&self) -> &BTreeSet<Vec<FieldName>> {
        &self.unique
    }

    /// Whether records can be handed over to the "Unknown Customer".
    pub fn is_reassignable(&self) -> bool {
        self.reassignable
    }
}

/// A fact about customers that a store may know. If a policy needs a fact that the store does not know, the check of
/// the policy fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fact {
    /// The number of active subscriptions.
    ActiveSubscriptions,
    /// The number of tenants with which the account is connected.
    Tenants,
    /// Whether the customer is active, cancelled, archived or deleted.
    Status,
    /// The number of unpaid invoices.
    UnpaidInvoices,
    /// The number of disputed payments.
    OpenDisputes,
    /// The holds that people placed.
    Holds,
}

/// Whether a store can deactivate customers, the reversible first step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeactivationSupport {
    /// Customers can be archived and brought back.
    Supported,
    /// The store has no status for archived customers.
    None {
        /// The reason from the host.
        reason: String,
    },
}

/// The data map: every record class and field of a store.
#[derive(Clone, Debug, Serialize)]
pub struct DataMap {
    root: ClassName,
    classes: BTreeMap<ClassName, RecordClass>,
    facts: BTreeSet<Fact>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    states: BTreeSet<StateName>,
    dates: BTreeSet<String>,
    gateways: BTreeSet<GatewayName>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    recipients: BTreeMap<RecipientName, IdentifiedBy>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    mentions: BTreeMap<ClassName, BTreeSet<FieldName>>,
    deactivation: DeactivationSupport,
    #[serde(serialize_with = "parts")]
    ignored: BTreeMap<IgnoredPart, String>,
    /// Not part of the digest, because it is an ability of the store, not data.
    #[serde(skip)]
    counts_groups: bool,
    tells_who_shares: bool,
    /// Not part of the digest, because it changes nothing in what a plan does.
    #[serde(skip)]
    reuses_ids: bool,
    /// Not part of the digest: a new table without data of customers must not invalidate an approval.
    #[serde(skip)]
    unmapped: Vec<NotCovered>,
    /// Where the records are. Part of the digest, because a plan is valid only for these records.
    source: Option<Digest>,
    #[serde(skip)]
    digest: Option<Digest>,
}

/// Serialises the map as pairs, because the keys of a JSON object must be texts.
fn parts<S: Serializer>(ignored: &BTreeMap<IgnoredPart, String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ignored)
}

impl DataMap {
    /// Starts a map with the class of the customers' own records.
    pub fn builder(root: RecordClass) -> DataMapBuilder {
        DataMapBuilder {
            root: root.name.clone(),
            classes: vec![root],
            facts: BTreeSet::new(),
            states: BTreeSet::new(),
            dates: BTreeSet::new(),
            gateways: BTreeSet::new(),
            recipients: BTreeMap::new(),
            mentions: BTreeMap::new(),
            deactivation: DeactivationSupport::Supported,
            ignored: BTreeMap::new(),
            counts_groups: false,
            tells_who_shares: false,
            reuses_ids: false,
            unmapped: Vec::new(),
            source: None,
        }
    }

    /// The class of the customers' own records.
    pub fn root(&self) -> &ClassName {
        &self.root
    }

    /// Every class, by name.
    pub fn classes(&self) -> impl Iterator<Item = &RecordClass> {
        self.classes.values()
    }

    /// A class by name.
    pub fn class(&self, name: &str) -> Option<&RecordClass> {
        self.classes.get(name)
    }

    /// Whether the store can tell a fact.
    pub fn knows(&self, fact: Fact) -> bool {
        self.facts.contains(&fact)
    }

    /// The host's own states that the store can tell.
    pub fn states(&self) -> &BTreeSet<StateName> {
        &self.states
    }

    /// The dates that the store can tell, by name.
    pub fn dates(&self) -> &BTreeSet<String> {
        &self.dates
    }

    /// The gateways at which customers may have profiles.
    pub fn gateways(&self) -> &BTreeSet<GatewayName> {
        &self.gateways
    }

    /// The recipients of customers' data outside the store, and the values by which each of them knows a person.
    pub fn recipients(&self) -> &BTreeMap<RecipientName, IdentifiedBy> {
        &self.recipients
    }

    /// The texts that belong to others and may mention a person, by class.
    pub fn mentions(&self) -> &BTreeMap<ClassName, BTreeSet<FieldName>> {
        &self.mentions
    }

    /// Whether customers can be deactivated.
    pub fn deactivation(&self) -> &DeactivationSupport {
        &self.deactivation
    }

    /// Whether the store can count the customers who share the kept values of one customer. A [smallest
    /// group](crate::treatment::SmallestGroup) needs this count.
    pub fn counts_groups(&self) -> bool {
        self.counts_groups
    }

    /// Whether the store can tell who else owns a record.
    pub fn tells_who_shares(&self) -> bool {
        self.tells_who_shares
    }

    /// Whether the id of a deleted customer may be given to a new one.
    pub fn reuses_ids(&self) -> bool {
        self.reuses_ids
    }

    /// Data of customers that the map leaves out on purpose, with the reason. Certificates list them.
    pub fn ignored(&self) -> &BTreeMap<IgnoredPart, String> {
        &self.ignored
    }

    /// Other content of the store: unmapped tables without a foreign key to customers, and triggers that may make
    /// copies. Certificates list them.
    pub fn unmapped(&self) -> &[NotCovered] {
        &self.unmapped
    }

    /// The same map with one more class. For a store that wraps another store and has the records of this class
    /// itself. `place` is the place of these records, such as a bucket or a URL. `left_out` says what an erasure does
    /// not reach there. Plans and certificates quote it.
    ///
    /// The digest of the map covers the class and the place. So an approval under the old map is not valid under the new
    /// map.
    ///
    /// ```
    /// use relinquish::DataMap;
    /// use relinquish::data_map::{Field, Kind, NotCovered, RecordClass};
    ///
    /// let customers = RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name));
    /// let map = DataMap::builder(customers).build()?;
    /// let scan = RecordClass::new("scan").field(Field::key("path")).field(Field::personal("bytes", Kind::Document));
    /// let left_out = NotCovered::ObjectVersions("scan".into()); // older versions of a scan
    /// let more = map.clone().with_class(scan, left_out, "s3://scans")?;
    /// assert!(more.class("scan").is_some());
    /// assert_ne!(more.digest(), map.digest());
    /// # Ok::<(), relinquish::Problems>(())
    /// ```
    ///
    /// # Errors
    /// [`Problems`]: the name is not a valid class name, or the map already has a class of this name.
    pub fn with_class(
        mut self,
        class: RecordClass,
        left_out: NotCovered,
        place: &str,
    ) -> Result<Self, Problems> {
        let path = class.name.to_string();
        Problems::none_or(builder::class_name_problems(&class.name))?;
        self.source = Some(Digest::of(&(self.source, &path, place)));
        if self.classes.insert(class.name.clone(), class).is_some() {
            let taken = Problem::new(path, "is there twice", "give one of them another name");
            Problems::none_or(vec![taken])?;
        }
        self.unmapped.push(left_out);
        self.digest = None;
        self.digest = Some(Digest::of(&self));
        Ok(self)
    }

    /// The digest of the map: classes, fields, constraints, and the reasons in the author's words. No sentence of
    /// this crate is part of the digest.
    pub fn digest(&self) -> Digest {
        self.digest.unwrap_or_else(|| Digest::of(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_map_is_said_at_once() {
        let problems = DataMap::builder(RecordClass::new("customer"))
            .class(RecordClass::new("order").field(Field::key("id")).field(Field::plain("id")))
            .class(RecordClass::new("order").field(Field::key("id")).link(Link::end(
                "gone",
                ["x"],
                WhenGone::Forbids,
            )))
            .build()
            .unwrap_err();
        let text = problems.to_string();
        for part in
            ["customer: has no key", "order.id: is there twice", "order: is there twice", "leads to gone"]
        {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn a_new_constraint_makes_another_map() {
        let map = |field| {
            DataMap::builder(RecordClass::new("customer").field(Field::key("id")).field(field))
                .build()
                .unwrap()
                .digest()
        };
        assert_ne!(map(Field::plain("total")), map(Field::plain("total").required()));
    }
}
