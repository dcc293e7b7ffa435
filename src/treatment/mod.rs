//! Treatments: the instructions to a store for each record class and field, and the counts of the store.
//!
//! A policy is compiled to treatments. Before a store gets a treatment, the treatment is dated for one day and one
//! tenant: each duty becomes a date from which records are kept. A store needs to know nothing about policies, plans
//! and approvals.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::anonymise::json::Pointer;
use crate::anonymise::readable::{document_in, text_in};
use crate::anonymise::text::Matcher;
use crate::anonymise::{Draw, Seed, Strategies, Strategy, Unbound};
use crate::customer::GatewayName;
use crate::data_map::{
    ClassName, DataMap, Field, FieldName, Kind, NotCovered, RecipientName, Record, RecordClass, TimeZone,
    Value, WhenGone,
};
use crate::digest::Digest;
use crate::name::open_name;

mod by_content;
mod group;
mod kept;
mod lead;
mod leftover;
mod mention;
mod ownerless;
mod recipient;
mod residue;
mod short;
mod signs;
mod standing;
mod tally;
mod texts;
mod under_duty;

pub use by_content::{Contents, ContentsOfFields};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use group::as_it_stays;
pub use group::{Group, SharedField, SmallestGroup};
pub use kept::{KeptBefore, KeptFor, KeptUntil};
pub use lead::Lead;
pub(crate) use lead::Stays;
pub use leftover::{Leftover, Leftovers, OnLeftover};
pub use mention::{MentionAction, MentionCounts};
pub use ownerless::Ownerless;
pub use recipient::{RecipientAction, WhyNotTold};
pub use residue::Residue;
pub use short::Shortfall;
pub(crate) use signs::{Signs, knowing, own_signs, signs_of};
pub use standing::Standing;
pub use tally::{ClassTally, Counts, Keepers, Kept, Otherwise, Tally, Uncertain};
pub(crate) use texts::{NewText, marks};
pub use under_duty::UnderDuty;

open_name! {
    /// The name of a treatment, as the policy spells it: `clear`.
    TreatmentName
}

/// What is done to the records of a class. The enum is exhaustive: a store must handle every action, and there is no
/// default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordAction {
    /// The records are deleted.
    Delete,
    /// The records stay. Fields that identify a person are erased.
    Anonymise,
    /// The records are handed over to the tenant's "Unknown Customer". Fields that identify a person are erased.
    Reassign,
    /// The records stay as they are.
    Keep {
        /// The reason from the policy.
        reason: String,
    },
}

impl RecordAction {
    /// The name of the action in the policy.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Anonymise => "anonymise",
            Self::Reassign => "reassign",
            Self::Keep { .. } => "keep",
        }
    }
}

/// What is done to the records of one class, and to which of their fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassTreatment {
    pub(crate) action: RecordAction,
    pub(crate) fields: BTreeMap<FieldName, Strategy>,
    pub(crate) kept: BTreeMap<FieldName, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) kept_for: BTreeMap<FieldName, KeptFor>,
    /// Fields that an earlier case kept for a time, and whose time is over.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) kept_before: BTreeSet<FieldName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) under_duty: Vec<UnderDuty>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) smallest_group: Option<SmallestGroup>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tombstone: Option<Tombstone>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) unreadable: BTreeMap<FieldName, Strategy>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) after_duty: BTreeMap<FieldName, Strategy>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) or_deletes: bool,
}

/// The treatment of a record that should be deleted, but that a kept record still references. The record is
/// anonymised at once, and deleted together with the last record that references it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tombstone {
    pub(crate) fields: BTreeMap<FieldName, Strategy>,
    pub(crate) kept: BTreeMap<FieldName, String>,
    pub(crate) needed_by: BTreeSet<ClassName>,
}

impl Tombstone {
    /// The strategies for the fields of the tombstone.
    pub fn fields(&self) -> &BTreeMap<FieldName, Strategy> {
        &self.fields
    }

    /// Personal fields that the tombstone keeps, with the reason.
    pub fn kept(&self) -> &BTreeMap<FieldName, String> {
        &self.kept
    }

    /// The classes whose records may reference the tombstone.
    pub fn needed_by(&self) -> &BTreeSet<ClassName> {
        &self.needed_by
    }
}

impl ClassTreatment {
    /// Records that stay as they are.
    pub(crate) fn keep(reason: &str) -> Self {
        Self {
            action: RecordAction::Keep { reason: reason.to_owned() },
            fields: BTreeMap::new(),
            kept: BTreeMap::new(),
            kept_for: BTreeMap::new(),
            kept_before: BTreeSet::new(),
            under_duty: Vec::new(),
            smallest_group: None,
            tombstone: None,
            unreadable: BTreeMap::new(),
            after_duty: BTreeMap::new(),
            or_deletes: false,
        }
    }

    /// What is done to the records.
    pub fn action(&self) -> &RecordAction {
        &self.action
    }

    /// The strategy for each field that is written. Empty unless the records stay and are treated.
    pub fn fields(&self) -> &BTreeMap<FieldName, Strategy> {
        &self.fields
    }

    /// The duties that defer the action, by the field with the record's date. A record that a duty keeps is not
    /// changed at all.
    pub fn under_duty(&self) -> &[UnderDuty] {
        &self.under_duty
    }

    /// Personal fields that stay, with the reason.
    pub fn kept(&self) -> &BTreeMap<FieldName, String> {
        &self.kept
    }

    /// The treatment of a record that should be deleted, but that a kept record still references. `None` if no kept
    /// record can reference a record of this class.
    pub fn tombstone(&self) -> Option<&Tombstone> {
        self.tombstone.as_ref()
    }

    /// Whether a record is deleted if it cannot be handed over, because the "Unknown Customer" already has an equal
    /// record.
    pub fn or_deletes(&self) -> bool {
        self.or_deletes
    }

    /// Whether a duty may defer the action. A class that is kept anyway is never deferred.
    pub(crate) fn is_deferred(&self) -> bool {
        !self.under_duty.is_empty() && !matches!(self.action, RecordAction::Keep { .. })
    }

    /// The strategies for the fields of a record with a given standing.
    pub(crate) fn written(&self, standing: Standing) -> Vec<(&FieldName, Cow<'_, Strategy>)> {
        let fields = match (standing, &self.action) {
            (Standing::Kept, _)
            | (
                Standing::Free | Standing::Rare | Standing::Alone,
                RecordAction::Keep { .. } | RecordAction::Delete,
            ) => None,
            (Standing::Needed, _) => self.tombstone.as_ref().map(Tombstone::fields),
            (
                Standing::Free | Standing::Rare | Standing::Alone,
                RecordAction::Anonymise | RecordAction::Reassign,
            ) => Some(&self.fields),
        };
        let Some(fields) = fields else { return Vec::new() };
        let group =
            self.smallest_group.iter().filter(|_| matches!(standing, Standing::Rare | Standing::Alone));
        let mut instead: BTreeMap<&FieldName, Strategy> = BTreeMap::new();
        for group in group {
            let mut written = group.written(standing);
            instead.extend(
                group
                    .fields()
                    .keys()
                    .filter_map(|field| written.remove_entry(field).map(|(_, s)| (field, s))),
            );
        }
        let fields = fields.iter().filter(|(field, _)| !instead.contains_key(field));
        let mut list: Vec<_> = fields.map(|(field, strategy)| (field, Cow::Borrowed(strategy))).collect();
        list.extend(instead.into_iter().map(|(field, strategy)| (field, Cow::Owned(strategy))));
        list
    }

    /// The strategies for the fields of a record that stays: of a treated record, or of a tombstone.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn field_strategies(&self) -> BTreeMap<&FieldName, &Strategy> {
        let meanwhile = self.tombstone.iter().flat_map(|tombstone| &tombstone.fields);
        meanwhile.chain(&self.fields).collect()
    }

    /// The fields by which a treated record can be recognised, if the record stays.
    pub(crate) fn sign_fields(&self) -> &BTreeMap<FieldName, Strategy> {
        match (&self.action, &self.tombstone) {
            (RecordAction::Delete, Some(tombstone)) => &tombstone.fields,
            _ => &self.fields,
        }
    }

    /// Whether texts of the class's records are searched for the customer.
    pub(crate) fn searches_texts(&self) -> bool {
        self.strategies().any(|(_, strategy)| matches!(strategy, Strategy::Redact { .. }))
    }

    /// Every strategy with its field, including those of the tombstone.
    pub(crate) fn strategies(&self) -> impl Iterator<Item = (&FieldName, &Strategy)> {
        self.fields.iter().chain(self.tombstone.iter().flat_map(|tombstone| &tombstone.fields))
    }
}

/// Whether a record with a given standing still has a field to write.
fn is_pending(class: &ClassTreatment, record: &Record, standing: Standing) -> bool {
    class.written(standing).iter().any(|(field, strategy)| is_to_write(strategy, record.get(field.as_str())))
}

/// Whether a value still has to be written, judged only by the value. For a redacted text this is not enough: the
/// answer depends on the person that the store searches for, and on whether the text is a JSON document.
fn is_to_write(strategy: &Strategy, value: &Value) -> bool {
    !matches!(strategy, Strategy::Redact { .. }) && !strategy.holds(value)
}

/// The name of the treatment for expiries.
pub(crate) const EXPIRE: &str = "expire";

/// The reason with which this treatment keeps the classes that do not expire. The reason is never shown.
pub(crate) const DOES_NOT_EXPIRE: &str = "does_not_expire";

/// The reason with which a store beside the root store keeps the customers. The reason is never shown.
const ROOT_IS_ELSEWHERE: &str = "the root store has the customers";

/// The action for the profiles at a payment gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayAction {
    /// The profiles are erased.
    Erase,
    /// The profiles stay.
    Keep {
        /// The reason from the policy.
        reason: String,
    },
}

/// The change of one record.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordChange {
    /// Nothing: the record is kept, or already has its final values.
    Nothing,
    /// The record is deleted.
    Delete,
    /// The fields get these values.
    Write(BTreeMap<FieldName, Value>),
    /// The record is handed over to the tenant's "Unknown Customer", and the fields get these values.
    Reassign(BTreeMap<FieldName, Value>),
}

/// A named set of record actions, checked against a data map. A store carries it out.
///
/// Stores do not know the policy. They only get treatments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Treatment {
    pub(crate) name: TreatmentName,
    pub(crate) root: ClassName,
    pub(crate) classes: BTreeMap<ClassName, ClassTreatment>,
    pub(crate) gateways: BTreeMap<GatewayName, GatewayAction>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) recipients: BTreeMap<RecipientName, RecipientAction>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) mentions: BTreeMap<ClassName, MentionAction>,
    pub(crate) links: Vec<Lead>,
    pub(crate) not_covered: Vec<NotCovered>,
    /// Whether the treatment is for records that expire. The customers of these records stay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) expiry: bool,
    /// The time zone in which the policy counts days.
    #[serde(default = "utc", skip_serializing_if = "is_utc")]
    pub(crate) time_zone: TimeZone,
    /// What happens when a record that stays still holds a value that was erased.
    #[serde(default, skip_serializing_if = "is_list")]
    pub(crate) on_leftover: OnLeftover,
    /// The outputs of other treatments in a customer's own record, if they leave nothing personal there. Includes the
    /// treatments of the policy, and all treatments under which a case was ever opened. If a customer's record has
    /// such values, the customer has left, too. The digest does not cover these signs, because they belong to other
    /// treatments.
    #[serde(skip)]
    pub(crate) other_signs: Arc<[BTreeMap<FieldName, Strategy>]>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_list(on: &OnLeftover) -> bool {
    *on == OnLeftover::List
}

fn utc() -> TimeZone {
    TimeZone::UTC
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_utc(zone: &TimeZone) -> bool {
    *zone == TimeZone::UTC
}

impl Treatment {
    /// The treatment's name in the policy.
    pub fn name(&self) -> &TreatmentName {
        &self.name
    }

    /// The class of the customers' own records.
    pub fn root(&self) -> &ClassName {
        &self.root
    }

    /// The day of an instant, in the zone in which the policy counts days. Placeholders show this day.
    pub fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        self.time_zone.day(at)
    }

    /// What is done, per class. Contains every class of the data map.
    pub fn classes(&self) -> &BTreeMap<ClassName, ClassTreatment> {
        &self.classes
    }

    /// What is done to one class.
    pub fn class(&self, name: &str) -> Option<&ClassTreatment> {
        self.classes.get(name)
    }

    /// What is done at each gateway.
    pub fn gateways(&self) -> &BTreeMap<GatewayName, GatewayAction> {
        &self.gateways
    }

    /// The treatment of mentions of the person in the texts of others, by class.
    pub fn mentions(&self) -> &BTreeMap<ClassName, MentionAction> {
        &self.mentions
    }

    /// The texts that replace mentions of the person, by class.
    pub(crate) fn redacted_mentions(&self) -> impl Iterator<Item = (&ClassName, &str)> {
        self.mentions.iter().filter_map(|(class, action)| match action {
            MentionAction::Redact(with) => Some((class, with.as_str())),
            MentionAction::Keep { .. } => None,
        })
    }

    /// Which recipients are notified of the erasure, and why the others are not notified.
    pub fn recipients(&self) -> &BTreeMap<RecipientName, RecipientAction> {
        &self.recipients
    }

    /// Whether the treatment is for records that expire. The customers of these records stay.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn is_expiry(&self) -> bool {
        self.expiry
    }

    /// Whether the customer's own record is deleted.
    pub fn deletes_root(&self) -> bool {
        self.classes.get(&self.root).is_some_and(|class| class.action == RecordAction::Delete)
    }

    /// Whether the treatment changes or deletes records of one of these classes, or redacts mentions in their texts.
    /// An empty set means all classes.
    pub fn touches(&self, classes: &BTreeSet<ClassName>) -> bool {
        let is_treated = |class: &ClassName| {
            let treated = self.class(class.as_str());
            treated.is_some_and(|treated| !matches!(treated.action(), RecordAction::Keep { .. }))
                || self.redacted_mentions().any(|(mentions, _)| mentions == class)
        };
        classes.is_empty() || classes.iter().any(is_treated)
    }

    /// The same treatment without some classes. For a store that wraps another store and has these classes itself: it
    /// passes this treatment to the other store. See also [`DataMap::with_class`](crate::DataMap::with_class).
    #[must_use]
    pub fn without<'c>(&self, classes: impl IntoIterator<Item = &'c ClassName>) -> Self {
        let mut rest = self.clone();
        for class in classes {
            rest.classes.remove(class);
        }
        rest
    }

    /// The part of the treatment for a store beside the root store. In that store, the customers' own records are not
    /// changed.
    pub(crate) fn of_store(&self, map: &DataMap) -> Self {
        let mut part = self.clone();
        part.classes.retain(|name, _| *name != self.root && map.class(name.as_str()).is_some());
        part.classes.insert(self.root.clone(), ClassTreatment::keep(ROOT_IS_ELSEWHERE));
        part.other_signs = Arc::default();
        part
    }

    /// The digest of the whole treatment: actions, strategies, the values that they write, and the reasons from the
    /// policy and the map. No sentence of this crate is part of the digest.
    pub fn digest(&self) -> Digest {
        Digest::of(self)
    }

    /// The change of a record with a given [standing](Self::standings). The function is pure: the same seed, record
    /// and day give the same change. Erased values have no influence on the written values.
    pub fn treat(
        &self,
        record: &Record,
        standing: Standing,
        seed: &Seed,
        date: NaiveDate,
        attempt: u32,
    ) -> RecordChange {
        let Some(class) = self.classes.get(&record.class) else { return RecordChange::Nothing };
        let written = || {
            class
                .written(standing)
                .into_iter()
                .filter(|(field, strategy)| is_to_write(strategy, record.get(field.as_str())))
                .map(|(field, strategy)| {
                    let draw = Draw { seed, class: &record.class, key: &record.key, field, attempt, date };
                    (field.clone(), strategy.apply(record.get(field.as_str()), &draw))
                })
                .collect::<BTreeMap<_, _>>()
        };
        match (standing, &class.action) {
            (Standing::Kept, _)
            | (Standing::Free | Standing::Rare | Standing::Alone, RecordAction::Keep { .. }) => {
                RecordChange::Nothing
            }
            (Standing::Free | Standing::Rare | Standing::Alone, RecordAction::Delete) => RecordChange::Delete,
            (Standing::Free | Standing::Rare | Standing::Alone, RecordAction::Reassign) => {
                RecordChange::Reassign(written())
            }
            (Standing::Free | Standing::Rare | Standing::Alone, RecordAction::Anonymise)
            | (Standing::Needed, _) => {
                let fields = written();
                if fields.is_empty() { RecordChange::Nothing } else { RecordChange::Write(fields) }
            }
        }
    }

    /// The number of uncertain mentions in a record's texts, by field. An unreadable document counts as 0 here.
    /// Another check reports it as an error.
    pub(crate) fn uncertain<'t>(
        &'t self,
        record: &Record,
        standing: Standing,
        map: &DataMap,
        people: &Matcher,
    ) -> Vec<(&'t FieldName, u64)> {
        let class = self.classes.get(&record.class);
        let described = map.class(record.class.as_str());
        let count = |(field, strategy): (&'t FieldName, Cow<'t, Strategy>)| {
            let value = record.get(field.as_str());
            let is_json = described.and_then(|class| class.find(field.as_str())).is_some_and(Field::is_json);
            let count = if is_json {
                strategy.uncertain_json(document_in(value).ok()??, &Pointer::whole(), &[], people)
            } else {
                strategy.uncertain(&text_in(value).ok()??, people)
            };
            (count > 0).then_some((field, count as u64))
        };
        class.into_iter().flat_map(|class| class.written(standing)).filter_map(count).collect()
    }

    /// Whether the treatment searches texts for the customer.
    pub(crate) fn redacts(&self) -> bool {
        self.classes.values().any(ClassTreatment::searches_texts)
    }

    /// Whether a value of a field is an output of the treatment, and so reveals nothing about the person.
    pub(crate) fn is_erased(&self, class: &str, field: &str, value: &Value) -> bool {
        let strategies = self.classes.get(class).into_iter().flat_map(ClassTreatment::strategies);
        strategies
            .filter(|(name, _)| name.as_str() == field)
            .any(|(_, strategy)| !matches!(strategy, Strategy::Redact { .. }) && strategy.holds(value))
    }

    /// Restores the host's own strategies in a treatment that was loaded.
    pub(crate) fn bind(&self, strategies: &Strategies) -> Result<Self, Unbound> {
        let mut bound = self.clone();
        for class in bound.classes.values_mut() {
            let tombstone = class.tombstone.iter_mut().flat_map(|tombstone| tombstone.fields.values_mut());
            let later = class.kept_for.values_mut().map(|kept| &mut kept.then);
            class
                .fields
                .values_mut()
                .chain(later)
                .chain(tombstone)
                .try_for_each(|strategy| strategy.bind(strategies))?;
        }
        Ok(bound)
    }

    /// Whether the treatment was loaded and some of the host's own strategies are still missing.
    pub(crate) fn is_unbound(&self) -> bool {
        self.classes.values().flat_map(ClassTreatment::strategies).any(|(_, field)| field.unbound().is_some())
    }

    /// For each duty: the links over which the duty keeps other records together with the records of its class.
    pub(crate) fn kept_together(&self) -> BTreeSet<&BTreeSet<(ClassName, String)>> {
        let duties = self.classes.values().flat_map(|class| &class.under_duty);
        duties.map(|under| &under.needs).filter(|needs| !needs.is_empty()).collect()
    }

    /// Whether a duty may defer the action on some class.
    pub(crate) fn has_duties(&self) -> bool {
        self.classes.values().any(ClassTreatment::is_deferred)
    }

    /// Whether something still has to be done to a record with a given [standing](Self::standings).
    pub fn is_due(&self, record: &Record, standing: Standing) -> bool {
        self.classes.get(&record.class).is_some_and(|class| match (standing, &class.action) {
            (
                Standing::Free | Standing::Rare | Standing::Alone,
                RecordAction::Delete | RecordAction::Reassign,
            ) => true,
            // This does not check whether the group is too small. The store counts it, because a group may shrink
            // when others leave.
            (Standing::Free | Standing::Rare | Standing::Alone, _) => {
                is_pending(class, record, Standing::Free)
            }
            (Standing::Kept | Standing::Needed, _) => is_pending(class, record, standing),
        })
    }

    /// Kept classes and fields that still lead to the person afterwards. While there is any, the outcome is at best
    /// *pseudonymised*.
    pub fn links(&self) -> &[Lead] {
        &self.links
    }

    /// The outcome in words: `erased` or `anonymised`; `pseudonymised` while there are [`links`](Self::links);
    /// `erased in part` while one of them names the person.
    pub fn outcome(&self) -> &'static str {
        let may_stay = |name: &ClassName| Stays {
            while_kept: self.classes.get(name).is_some_and(|class| class.tombstone.is_some()),
            treated: true,
            shared: true,
        };
        self.residue_with(&self.links, may_stay).as_str()
    }

    /// What is left of the person, given the links and which records stay. What the policy keeps without personal data is not
    /// about the person.
    pub(crate) fn residue_with(&self, links: &[Lead], stays: impl Fn(&ClassName) -> Stays) -> Residue {
        let is_left = |(name, class): (&ClassName, &ClassTreatment)| match class.action {
            RecordAction::Anonymise | RecordAction::Reassign => stays(name).treated,
            RecordAction::Delete => stays(name).while_kept && *name == self.root,
            RecordAction::Keep { .. } => stays(name).treated && *name == self.root,
        };
        Residue::of(links, self.classes.iter().any(is_left))
    }

    /// The [links](Self::links) of one customer. A class counts only if records of this customer stay, and a gateway only
    /// if the customer has a profile there.
    pub(crate) fn links_with(
        &self,
        stays: impl Fn(&ClassName) -> Stays,
        has_profile: impl Fn(&GatewayName) -> bool,
    ) -> Vec<Lead> {
        self.links.iter().filter_map(|lead| lead.of_one(&stays, &has_profile)).collect()
    }

    /// What the treatment does not reach.
    pub fn not_covered(&self) -> &[NotCovered] {
        &self.not_covered
    }

    pub(crate) fn with_links(mut self, map: &DataMap) -> Self {
        let holds_personal = |name: &ClassName| {
            map.class(name.as_str()).is_some_and(|class| class.fields().iter().any(|f| f.kind().is_some()))
        };
        let names_person = |field: &Field| field.kind().is_some_and(Kind::names_person);
        let class_names = |name: &ClassName| {
            map.class(name.as_str()).is_some_and(|class| class.fields().iter().any(names_person))
        };
        let field_names = |name: &ClassName, field: &FieldName| {
            let class = map.class(name.as_str());
            class.and_then(|class| class.find(field.as_str())).is_some_and(names_person)
        };
        let needs: Vec<(ClassName, String)> = self.kept_together().into_iter().flatten().cloned().collect();
        let is_needed = |name: &ClassName| {
            let feet = needs.iter().filter_map(|(foot, link)| Some((map.class(foot.as_str())?, link)));
            let mut links =
                feet.flat_map(|(foot, named)| foot.links().iter().filter(move |link| link.name() == named));
            links.any(|link| link.to() == name)
        };
        for (name, class) in &self.classes {
            let goes = !matches!(class.action, RecordAction::Keep { .. });
            if (class.is_deferred() || (goes && is_needed(name))) && holds_personal(name) {
                let names = class_names(name);
                self.links.push(Lead::Class { class: name.clone(), while_kept: true, names });
            }
            let meanwhile = class.tombstone.iter().flat_map(|tombstone| tombstone.kept.keys());
            let field = |field: &FieldName, while_kept| {
                let names = field_names(name, field);
                let (class, field) = (name.clone(), field.clone());
                Lead::Field { class, field, while_kept, names }
            };
            self.links.extend(meanwhile.map(|kept| field(kept, true)));
            match class.action {
                RecordAction::Keep { .. } if holds_personal(name) => {
                    let names = class_names(name);
                    self.links.push(Lead::Class { class: name.clone(), while_kept: false, names });
                }
                RecordAction::Keep { .. } | RecordAction::Delete => {}
                RecordAction::Anonymise | RecordAction::Reassign => {
                    self.links.extend(class.kept.keys().map(|kept| field(kept, false)));
                }
            }
        }
        let shared: Vec<Lead> =
            map.shared_classes().into_iter().filter_map(|name| self.shared(map, name)).collect();
        self.links.extend(shared);
        let kept = self.gateways.iter().filter(|(_, action)| **action != GatewayAction::Erase);
        self.links.extend(kept.map(|(name, _)| Lead::Gateway(name.clone())));
        self.links.extend(self.token(map, &is_needed));
        self
    }

    /// The records of a class that stay with another person, if they hold personal data. A field of whoever a link leads to is
    /// erased with that person. A searched text loses the passages about each person who leaves.
    fn shared(&self, map: &DataMap, name: &ClassName) -> Option<Lead> {
        let (found, treated) = (map.class(name.as_str())?, self.classes.get(name)?);
        let is_searched =
            |field: &Field| matches!(treated.fields.get(field.name()), Some(Strategy::Redact { .. }));
        let of_all = || found.fields().iter().filter(|field| field.whose().is_none());
        let names = of_all().any(|field| field.kind().is_some_and(Kind::names_person) && !is_searched(field));
        of_all().any(|field| field.kind().is_some()).then(|| Lead::Shared { class: name.clone(), names })
    }

    /// The ledger's token as a lead, if a row that stays has the customer's key.
    fn token(&self, map: &DataMap, is_needed: &impl Fn(&ClassName) -> bool) -> Option<Lead> {
        let root = self.classes.get(&self.root)?;
        if !matches!(root.action, RecordAction::Delete) {
            let (classes, while_kept) = ([self.root.clone()].into(), BTreeSet::new());
            return Some(Lead::Token { classes, while_kept });
        }
        // Rows of other classes may contain the key of a customer who does not exist any more.
        let keeps_key = |class: &&RecordClass| {
            let mut links = class.links().iter().filter(|link| *link.to() == self.root);
            links.any(|link| matches!(link.gone(), WhenGone::Keep { .. }))
        };
        let (mut classes, mut while_kept) = (BTreeSet::new(), BTreeSet::new());
        for name in map.classes().filter(keeps_key).map(RecordClass::name) {
            let Some(class) = self.classes.get(name) else { continue };
            if matches!(class.action, RecordAction::Keep { .. } | RecordAction::Anonymise) {
                classes.insert(name.clone());
            } else if class.is_deferred() || is_needed(name) {
                while_kept.insert(name.clone());
            }
        }
        if root.tombstone.is_some() || root.is_deferred() || is_needed(&self.root) {
            while_kept.insert(self.root.clone());
        }
        (!classes.is_empty() || !while_kept.is_empty()).then_some(Lead::Token { classes, while_kept })
    }
}
