//! Treatments: what a store is told to do to each record class, field by field, and what it counts.
//!
//! A policy resolves to treatments, and each is dated for one day and tenant before a store gets it: from then on a duty is a
//! date from which records are kept. A store needs to know nothing of policies, plans and approvals.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::anonymise::json::Pointer;
use crate::anonymise::readable::{document_in, text_in};
use crate::anonymise::text::Matcher;
use crate::anonymise::{Draw, Seed, Strategies, Strategy, Unbound};
use crate::customer::GatewayName;
use crate::data_map::{ClassName, DataMap, Field, FieldName, NotCovered, Record, Value};
use crate::digest::Digest;
use crate::name::open_name;

mod group;
mod lead;
mod ownerless;
mod standing;
mod tally;
mod texts;
mod under_duty;

#[cfg(feature = "sqlite")]
pub(crate) use group::as_it_stays;
pub use group::{Group, SharedField, SmallestGroup};
pub use lead::Lead;
pub use ownerless::Ownerless;
pub use standing::Standing;
pub use tally::{ClassTally, Counts, Kept, Otherwise, Tally, Uncertain};
pub(crate) use texts::{NewText, marks};
pub use under_duty::UnderDuty;

open_name! {
    /// The name of a treatment, as the policy spells it: `clear`.
    TreatmentName
}

/// What is done to the records of a class. Exhaustive: a store must know every one, and none is the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordAction {
    /// The records go.
    Delete,
    /// The records stay; what identifies goes.
    Anonymise,
    /// The records go to the tenant's "Unknown Customer"; what identifies goes.
    Reassign,
    /// The records stay as they are.
    Keep {
        /// Why, in the policy's words.
        reason: String,
    },
}

impl RecordAction {
    /// As the policy spells it.
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

/// What becomes of a record that goes, as long as one needs it that a duty keeps: it is anonymised at once, and deleted
/// with the last of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tombstone {
    pub(crate) fields: BTreeMap<FieldName, Strategy>,
    pub(crate) kept: BTreeMap<FieldName, String>,
    pub(crate) needed_by: BTreeSet<ClassName>,
}

impl Tombstone {
    /// What is written meanwhile, per field.
    pub fn fields(&self) -> &BTreeMap<FieldName, Strategy> {
        &self.fields
    }

    /// Personal fields that stay meanwhile, with the reason.
    pub fn kept(&self) -> &BTreeMap<FieldName, String> {
        &self.kept
    }

    /// The classes whose records may need it.
    pub fn needed_by(&self) -> &BTreeSet<ClassName> {
        &self.needed_by
    }
}

impl ClassTreatment {
    /// What is done to the records.
    pub fn action(&self) -> &RecordAction {
        &self.action
    }

    /// What is written, per field. Empty unless the records stay and are treated.
    pub fn fields(&self) -> &BTreeMap<FieldName, Strategy> {
        &self.fields
    }

    /// The duties that defer all this, by the field that holds a record's date. A record that one of them keeps stays
    /// byte for byte as it is.
    pub fn under_duty(&self) -> &[UnderDuty] {
        &self.under_duty
    }

    /// Personal fields that stay, with the reason.
    pub fn kept(&self) -> &BTreeMap<FieldName, String> {
        &self.kept
    }

    /// What becomes of a record that goes, as long as one needs it that a duty keeps. None where none can.
    pub fn tombstone(&self) -> Option<&Tombstone> {
        self.tombstone.as_ref()
    }

    /// Whether a record is deleted that cannot be handed over, because the "Unknown Customer" has an equal one.
    pub fn or_deletes(&self) -> bool {
        self.or_deletes
    }

    /// Whether a duty may defer what is done to the records. What is kept anyway is deferred by none.
    pub(crate) fn is_deferred(&self) -> bool {
        !self.under_duty.is_empty() && !matches!(self.action, RecordAction::Keep { .. })
    }

    /// What is written to a record that stands so.
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

    /// What is written to a record that stays, by field: as it is treated, or meanwhile as a tombstone.
    #[cfg(feature = "sqlite")]
    pub(crate) fn field_strategies(&self) -> BTreeMap<&FieldName, &Strategy> {
        let meanwhile = self.tombstone.iter().flat_map(|tombstone| &tombstone.fields);
        meanwhile.chain(&self.fields).collect()
    }

    /// The fields that show that a record was treated, if it stays.
    pub(crate) fn sign_fields(&self) -> &BTreeMap<FieldName, Strategy> {
        match (&self.action, &self.tombstone) {
            (RecordAction::Delete, Some(tombstone)) => &tombstone.fields,
            _ => &self.fields,
        }
    }

    /// Every strategy with its field, whenever it is written.
    pub(crate) fn strategies(&self) -> impl Iterator<Item = (&FieldName, &Strategy)> {
        self.fields.iter().chain(self.tombstone.iter().flat_map(|tombstone| &tombstone.fields))
    }
}

/// Whether a field is not yet what is written to a record that stands so.
fn is_pending(class: &ClassTreatment, record: &Record, standing: Standing) -> bool {
    class.written(standing).iter().any(|(field, strategy)| is_to_write(strategy, record.get(field.as_str())))
}

/// Whether a value is not yet what it is to be, as far as the value alone tells. Of a text that is searched it does not:
/// whom for, and whether it is a document, is known elsewhere.
fn is_to_write(strategy: &Strategy, value: &Value) -> bool {
    !matches!(strategy, Strategy::Redact { .. }) && !strategy.holds(value)
}

/// The name of what is done to records that expire.
pub(crate) const EXPIRE: &str = "expire";

/// The code by which it keeps the classes whose records do not. Nobody is shown it.
pub(crate) const DOES_NOT_EXPIRE: &str = "does_not_expire";

/// What is done to the profiles at a payment gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayAction {
    /// The profiles are erased.
    Erase,
    /// The profiles stay.
    Keep {
        /// Why, in the policy's words.
        reason: String,
    },
}

/// What becomes of one record.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordChange {
    /// Nothing: it is kept, or as it should be already.
    Nothing,
    /// It goes.
    Delete,
    /// These fields get these values.
    Write(BTreeMap<FieldName, Value>),
    /// It goes to the tenant's "Unknown Customer", and these fields get these values.
    Reassign(BTreeMap<FieldName, Value>),
}

/// A named set of record actions, checked against a data map: what a store gets to carry out.
///
/// Stores know no policy; this is all they see of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Treatment {
    pub(crate) name: TreatmentName,
    pub(crate) root: ClassName,
    pub(crate) classes: BTreeMap<ClassName, ClassTreatment>,
    pub(crate) gateways: BTreeMap<GatewayName, GatewayAction>,
    pub(crate) links: Vec<Lead>,
    pub(crate) not_covered: Vec<NotCovered>,
    /// It is about records that expire: their customers stay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) expiry: bool,
}

impl Treatment {
    /// Its name in the policy.
    pub fn name(&self) -> &TreatmentName {
        &self.name
    }

    /// The class of the customers' own records.
    pub fn root(&self) -> &ClassName {
        &self.root
    }

    /// What is done, per class. Every class of the data map is here.
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

    /// Whether it is about records that expire: their customers stay.
    #[cfg(feature = "sqlite")]
    pub(crate) fn is_expiry(&self) -> bool {
        self.expiry
    }

    /// Whether the customer's own record goes.
    pub fn deletes_root(&self) -> bool {
        self.classes.get(&self.root).is_some_and(|class| class.action == RecordAction::Delete)
    }

    /// The same treatment without some classes. A store that decorates another store, and holds these classes itself, gives
    /// the other store the rest. See also [`DataMap::with_class`](crate::DataMap::with_class).
    #[must_use]
    pub fn without<'c>(&self, classes: impl IntoIterator<Item = &'c ClassName>) -> Self {
        let mut rest = self.clone();
        for class in classes {
            rest.classes.remove(class);
        }
        rest
    }

    /// Names the treatment with everything in it: actions, strategies, what they write, and the reasons of policy and map in
    /// their authors' words. No sentence of this crate is part of it.
    pub fn digest(&self) -> Digest {
        Digest::of(self)
    }

    /// What becomes of a record that [stands](Self::standings) so. Pure: the same seed, record and day give the same change, and nothing that is
    /// erased has any influence on it.
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

    /// How many mentions in a record's texts are not certain, by field. A document that cannot be read has none; it is an
    /// error elsewhere.
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

    /// Whether texts are searched for the customer.
    pub(crate) fn redacts(&self) -> bool {
        let mut strategies = self.classes.values().flat_map(ClassTreatment::strategies);
        strategies.any(|(_, strategy)| matches!(strategy, Strategy::Redact { .. }))
    }

    /// Whether a value of a field is erased, and so says nothing of the person any more.
    pub(crate) fn is_erased(&self, class: &str, field: &str, value: &Value) -> bool {
        let strategies = self.classes.get(class).into_iter().flat_map(ClassTreatment::strategies);
        strategies
            .filter(|(name, _)| name.as_str() == field)
            .any(|(_, strategy)| !matches!(strategy, Strategy::Redact { .. }) && strategy.holds(value))
    }

    /// The same with the host's own strategies in it again, after it was saved.
    pub(crate) fn bind(&self, strategies: &Strategies) -> Result<Self, Unbound> {
        let mut bound = self.clone();
        for class in bound.classes.values_mut() {
            let tombstone = class.tombstone.iter_mut().flat_map(|tombstone| tombstone.fields.values_mut());
            class.fields.values_mut().chain(tombstone).try_for_each(|strategy| strategy.bind(strategies))?;
        }
        Ok(bound)
    }

    /// Whether strategies of the host's own are missing that it was saved with.
    pub(crate) fn is_unbound(&self) -> bool {
        self.classes.values().flat_map(ClassTreatment::strategies).any(|(_, field)| field.unbound().is_some())
    }

    /// What different duties keep together with their records.
    pub(crate) fn kept_together(&self) -> BTreeSet<&BTreeSet<(ClassName, String)>> {
        let duties = self.classes.values().flat_map(|class| &class.under_duty);
        duties.map(|under| &under.needs).filter(|needs| !needs.is_empty()).collect()
    }

    /// Whether a duty may defer what is done to records of some class.
    pub(crate) fn has_duties(&self) -> bool {
        self.classes.values().any(ClassTreatment::is_deferred)
    }

    /// Whether there is still something to do to a record that [stands](Self::standings) so.
    pub fn is_due(&self, record: &Record, standing: Standing) -> bool {
        self.classes.get(&record.class).is_some_and(|class| match (standing, &class.action) {
            (
                Standing::Free | Standing::Rare | Standing::Alone,
                RecordAction::Delete | RecordAction::Reassign,
            ) => true,
            // What singles somebody out is told apart: a group may grow smaller when others leave.
            (Standing::Free | Standing::Rare | Standing::Alone, _) => {
                is_pending(class, record, Standing::Free)
            }
            (Standing::Kept | Standing::Needed, _) => is_pending(class, record, standing),
        })
    }

    /// What still leads to the person afterwards: kept classes and fields that hold personal data. While there
    /// is any, the honest word is *pseudonymised*.
    pub fn links(&self) -> &[Lead] {
        &self.links
    }

    /// The honest word for what is left: `erased`, `anonymised`, or `pseudonymised` while there are
    /// [`links`](Self::links).
    pub fn outcome(&self) -> &'static str {
        let root_may_stay = self.classes.get(&self.root).is_some_and(|root| root.tombstone.is_some());
        self.outcome_with(self.links.is_empty(), root_may_stay, true)
    }

    /// The same where it is known what stays. Where rows of mapped tables are there that no class claims, the word says no more
    /// than what the data map reaches.
    pub(crate) fn outcome_with(
        &self,
        no_links: bool,
        root_stays: bool,
        is_all_claimed: bool,
    ) -> &'static str {
        match (no_links, self.deletes_root() && !root_stays, is_all_claimed) {
            (false, ..) => "pseudonymised",
            (true, true, true) => "erased",
            (true, true, false) => "erased as far as mapped",
            (true, false, true) => "anonymised",
            (true, false, false) => "anonymised as far as mapped",
        }
    }

    /// The [links](Self::links) of one customer: a class that a duty may keep is none where it keeps none of theirs.
    pub(crate) fn links_with(&self, is_kept: impl Fn(&str) -> bool) -> Vec<Lead> {
        let leads = |lead: &&Lead| lead.class_while_kept().is_none_or(|class| is_kept(class.as_str()));
        self.links.iter().filter(leads).cloned().collect()
    }

    /// What it does not reach.
    pub fn not_covered(&self) -> &[NotCovered] {
        &self.not_covered
    }

    pub(crate) fn with_links(mut self, map: &DataMap) -> Self {
        let holds_personal = |name: &ClassName| {
            map.class(name.as_str()).is_some_and(|class| class.fields().iter().any(|f| f.kind().is_some()))
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
                self.links.push(Lead::Class { class: name.clone(), while_kept: true });
            }
            let meanwhile = class.tombstone.iter().flat_map(|tombstone| tombstone.kept.keys());
            let field = |field: &FieldName, while_kept| {
                let (class, field) = (name.clone(), field.clone());
                Lead::Field { class, field, while_kept }
            };
            self.links.extend(meanwhile.map(|kept| field(kept, true)));
            match class.action {
                RecordAction::Keep { .. } if holds_personal(name) => {
                    self.links.push(Lead::Class { class: name.clone(), while_kept: false });
                }
                RecordAction::Keep { .. } | RecordAction::Delete => {}
                RecordAction::Anonymise | RecordAction::Reassign => {
                    self.links.extend(class.kept.keys().map(|kept| field(kept, false)));
                }
            }
        }
        let kept = self.gateways.iter().filter(|(_, action)| **action != GatewayAction::Erase);
        self.links.extend(kept.map(|(name, _)| Lead::Gateway(name.clone())));
        self
    }
}
