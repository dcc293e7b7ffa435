//! Links between records: who owns a record, and what happens to a link when the record at its other end is deleted.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{ClassName, DataMap, FieldName, Record, RecordClass, Role, Value};

/// What a link says about the owner of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkRole {
    /// The record belongs to the owners of the record at the other end. A class has one owner link.
    Owner,
    /// The record also belongs to the owners of the record at this end. It is treated when its last owner is erased.
    Shared,
    /// The link does not determine an owner.
    End,
}

/// What happens to a link, or to its record, when the record at the other end is erased.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenGone {
    /// The record is treated, too, even if it has another owner (as ON DELETE CASCADE).
    Goes,
    /// The same as [`Goes`](Self::Goes). In addition, both ends must belong to the same person. If they do not, their
    /// owner is unknown.
    Same,
    /// The link is cleared. The record stays.
    Clear,
    /// The link is changed to the tenant's "Unknown Customer". The record stays.
    StandIn,
    /// The link is not changed, although it leads nowhere then. This is allowed only if no foreign key forbids it.
    Keep {
        /// The reason from the map.
        reason: String,
    },
    /// The map has no rule. A record that stays then forbids the deletion of the record at the other end (as ON
    /// DELETE RESTRICT).
    Forbids,
}

/// The new value of a link when the record at its other end is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LetGo {
    Null,
    Value,
}

/// A link from the records of a class to records of another class: a foreign key, or a link that the map declares.
///
/// ```
/// use relinquish::data_map::{Link, WhenGone};
///
/// let owner = Link::owner("customer", ["customer_id"]);
/// let referrer = Link::end("customer", ["referred_by"], WhenGone::Clear);
/// assert_eq!(referrer.name(), "referred_by");
/// assert!(owner.is_owner());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each says something of its own")]
pub struct Link {
    name: String,
    to: ClassName,
    fields: Vec<FieldName>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    to_fields: Vec<FieldName>,
    role: LinkRole,
    gone: WhenGone,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    holds: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    by_value: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    clearable: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    enforced: bool,
    /// Whether clearing the link writes a value that is not NULL.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cleared_to_value: bool,
    /// The CHECK that refuses what clearing the link writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_by: Option<String>,
    /// Whether a record with this link may have no owner.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    perhaps_nobodys: bool,
    /// The field that leads to the customer's tenant. The digest has it already, as fields at both ends.
    #[serde(skip)]
    of_tenant: Option<FieldName>,
}

impl Link {
    fn new<F: Into<FieldName>>(
        to: impl Into<ClassName>,
        fields: impl IntoIterator<Item = F>,
        role: LinkRole,
        gone: WhenGone,
    ) -> Self {
        let fields: Vec<FieldName> = fields.into_iter().map(Into::into).collect();
        let names: Vec<&str> = fields.iter().map(FieldName::as_str).collect();
        Self {
            name: names.join("+"),
            to: to.into(),
            to_fields: Vec::new(),
            role,
            gone,
            holds: false,
            by_value: false,
            clearable: false,
            enforced: false,
            cleared_to_value: false,
            refused_by: None,
            perhaps_nobodys: false,
            of_tenant: None,
            fields,
        }
    }

    /// The link through which a record belongs to its customer: directly, or through a record of another class.
    pub fn owner<F: Into<FieldName>>(to: impl Into<ClassName>, fields: impl IntoIterator<Item = F>) -> Self {
        Self::new(to, fields, LinkRole::Owner, WhenGone::Forbids)
    }

    /// One of several owner links. The record belongs to the owners at the ends of all these links.
    pub fn shared<F: Into<FieldName>>(to: impl Into<ClassName>, fields: impl IntoIterator<Item = F>) -> Self {
        Self::new(to, fields, LinkRole::Shared, WhenGone::Forbids)
    }

    /// A link that does not determine an owner, and what happens when the record at its other end is erased.
    pub fn end<F: Into<FieldName>>(
        to: impl Into<ClassName>,
        fields: impl IntoIterator<Item = F>,
        gone: WhenGone,
    ) -> Self {
        let clearable = gone == WhenGone::Clear;
        Self { clearable, ..Self::new(to, fields, LinkRole::End, gone) }
    }

    /// Sets what happens when the record at the other end is erased.
    #[must_use]
    pub fn when_gone(mut self, gone: WhenGone) -> Self {
        self.gone = gone;
        self
    }

    /// Says that the record at the other end belongs to the owners of this record. Example: an address belongs to the
    /// owners of the orders that are sent there.
    #[must_use]
    pub fn holding(mut self) -> Self {
        self.holds = true;
        self
    }

    /// Sets the fields to which the link leads, one for each of its own fields. The default is the key, in the
    /// class's order.
    #[must_use]
    pub fn to_fields<F: Into<FieldName>>(mut self, fields: impl IntoIterator<Item = F>) -> Self {
        self.to_fields = fields.into_iter().map(Into::into).collect();
        self
    }

    /// Says that the link compares a value instead of a key, such as an e-mail address.
    #[must_use]
    pub fn by_value(mut self) -> Self {
        self.by_value = true;
        self
    }

    /// Says that the link can be cleared even if its record is treated together with the other end. If the record is
    /// only anonymised, its link is cleared.
    #[must_use]
    pub fn clearable(mut self) -> Self {
        self.clearable = true;
        self
    }

    /// Says that the link is a foreign key: the store refuses a link that leads nowhere.
    #[must_use]
    pub fn enforced(mut self) -> Self {
        self.enforced = true;
        self
    }

    /// Gives the link its own name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The link's name. The default is the name of its fields.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The class to which the link leads.
    pub fn to(&self) -> &ClassName {
        &self.to
    }

    /// Says that clearing the link writes a value that is not NULL.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn cleared_to_value(mut self) -> Self {
        self.cleared_to_value = true;
        self
    }

    /// Says that a record with this link may have no owner.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn perhaps_nobodys(mut self) -> Self {
        self.perhaps_nobodys = true;
        self
    }

    /// Whether a record with this link may have no owner. No erasure deletes such a record with its owner.
    pub(crate) fn is_perhaps_nobodys(&self) -> bool {
        self.perhaps_nobodys
    }

    /// Names the field that leads to the customer's tenant.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn of_tenant(mut self, field: impl Into<FieldName>) -> Self {
        self.of_tenant = Some(field.into());
        self
    }

    /// The fields that change when the link is handed over to the "Unknown Customer": of the same tenant.
    pub(crate) fn handed_over(&self) -> impl Iterator<Item = &FieldName> {
        self.fields.iter().filter(|field| self.of_tenant.as_ref() != Some(*field))
    }

    /// Names the CHECK that refuses what clearing the link writes.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn refused_by(mut self, check: impl Into<String>) -> Self {
        self.refused_by = Some(check.into());
        self
    }

    /// The CHECK that refuses the new value of the link, if the link is cleared.
    pub(crate) fn refusing_check(&self) -> Option<&str> {
        let is_cleared = self.let_go_to().is_some() && self.gone != WhenGone::StandIn;
        self.refused_by.as_deref().filter(|_| is_cleared)
    }

    /// The new value of the link when its record stays and the record at the other end is deleted. It is the same for
    /// every record.
    pub(crate) fn let_go_to(&self) -> Option<LetGo> {
        match self.gone {
            WhenGone::StandIn => Some(LetGo::Value),
            WhenGone::Clear | WhenGone::Goes | WhenGone::Same if self.clearable => {
                Some(if self.cleared_to_value { LetGo::Value } else { LetGo::Null })
            }
            _ => None,
        }
    }

    /// The fields of the link.
    pub fn fields(&self) -> &[FieldName] {
        &self.fields
    }

    /// What the link says about the owner of its record.
    pub fn role(&self) -> LinkRole {
        self.role
    }

    /// Whether the record belongs to the owners of the record at the other end.
    pub fn is_owner(&self) -> bool {
        matches!(self.role, LinkRole::Owner | LinkRole::Shared)
    }

    /// Whether the record at the other end belongs to the owners of this record.
    pub fn is_holding(&self) -> bool {
        self.holds
    }

    /// Whether the link compares a value instead of a key.
    pub fn is_by_value(&self) -> bool {
        self.by_value
    }

    /// Whether the link is a foreign key: the store refuses a link that leads nowhere.
    pub fn is_enforced(&self) -> bool {
        self.enforced
    }

    /// Whether the link can be cleared.
    pub fn is_clearable(&self) -> bool {
        self.clearable
    }

    /// What happens when the record at the other end is erased.
    pub fn gone(&self) -> &WhenGone {
        &self.gone
    }

    /// Whether the record is treated when the record at the other end is erased.
    pub fn goes_along(&self) -> bool {
        matches!(self.gone, WhenGone::Goes | WhenGone::Same)
    }

    /// Whether the link can be cleared, handed over or left unchanged. Then its record can stay without the record at
    /// the other end.
    pub fn lets_go(&self) -> bool {
        matches!(self.gone, WhenGone::Clear | WhenGone::StandIn | WhenGone::Keep { .. })
    }
}

impl RecordClass {
    /// Adds a link to records of another class.
    #[must_use]
    pub fn link(mut self, link: Link) -> Self {
        self.links.push(link);
        self
    }

    /// The links of the class's records.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The links through which the class's records belong to their customer, without links to their own class.
    pub(crate) fn hangs_from(&self) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(|link| link.is_owner() && link.to != self.name)
    }

    /// The record of this class that another record references.
    pub(crate) fn led_to<'r>(&self, records: &'r [Record], from: &Record, link: &Link) -> Option<&'r Record> {
        let mut of_class = records.iter().filter(|record| record.class == self.name);
        of_class.find(|record| self.is_led_to(record, from, link) == Some(true))
    }

    /// Whether another record references a given record of this class. `None` if the map does not name the fields of
    /// the link.
    pub(crate) fn is_led_to(&self, record: &Record, from: &Record, link: &Link) -> Option<bool> {
        let key = || self.fields.iter().filter(|field| field.role == Role::Key).map(|field| &field.name);
        let ends: Vec<&FieldName> =
            if link.to_fields.is_empty() { key().collect() } else { link.to_fields.iter().collect() };
        (!ends.is_empty() && ends.len() == link.fields.len()).then(|| {
            link.fields.iter().zip(&ends).all(|(near, far)| {
                let value = from.get(near.as_str());
                *value != Value::Null && value == record.get(far.as_str())
            })
        })
    }
}

impl DataMap {
    /// The classes whose records may have several owners: over several links, over several records, or because a
    /// record on the way to the owner has several owners.
    pub fn shared_classes(&self) -> BTreeSet<&ClassName> {
        let mut shared = self.classes_of_several_ways();
        loop {
            let hang_from_shared = self
                .classes
                .values()
                .filter(|class| class.links.iter().any(|link| link.is_owner() && shared.contains(&link.to)));
            let more: Vec<&ClassName> =
                hang_from_shared.map(|class| &class.name).filter(|name| !shared.contains(name)).collect();
            if more.is_empty() {
                shared.remove(&self.root);
                return shared;
            }
            shared.extend(more);
        }
    }

    /// The classes whose records may get owners from several other records, over one or several links.
    pub(crate) fn classes_of_several_ways(&self) -> BTreeSet<&ClassName> {
        // A class with `first` has one owner link: the first non-empty link counts.
        let mut holders: BTreeMap<&ClassName, BTreeSet<&str>> = BTreeMap::new();
        let mut shared = BTreeSet::new();
        for class in self.classes.values() {
            for link in &class.links {
                if link.is_owner() {
                    let name = if link.role == LinkRole::Owner { "" } else { &link.name };
                    holders.entry(&class.name).or_default().insert(name);
                }
                if link.holds {
                    shared.insert(&link.to);
                }
                if link.role == LinkRole::Shared {
                    shared.insert(&class.name);
                }
            }
        }
        shared.extend(holders.into_iter().filter(|(_, links)| links.len() > 1).map(|(class, _)| class));
        shared
    }

    /// Classes whose records belong to a record that may be erased together with another person's record.
    pub(crate) fn classes_reached_along(&self) -> BTreeSet<ClassName> {
        let goes = |class: &&RecordClass| class.links.iter().any(Link::goes_along);
        let mut above: BTreeSet<ClassName> =
            self.classes().filter(goes).map(|class| class.name.clone()).collect();
        let mut reached = BTreeSet::new();
        loop {
            let mut more = BTreeSet::new();
            for class in self.classes() {
                for link in &class.links {
                    if link.is_owner() && above.contains(&link.to) {
                        more.insert(class.name.clone());
                    }
                    if link.holds && above.contains(&class.name) {
                        more.insert(link.to.clone());
                    }
                }
            }
            let before = reached.len();
            reached.extend(more.iter().cloned());
            above.extend(more);
            if reached.len() == before {
                return reached;
            }
        }
    }

    /// Every link that leads to records of a class, each with the class that has the link.
    pub(crate) fn links_to<'m>(
        &'m self,
        class: &'m ClassName,
    ) -> impl Iterator<Item = (&'m RecordClass, &'m Link)> {
        let links = self.classes.values().flat_map(|from| from.links.iter().map(move |link| (from, link)));
        links.filter(move |(_, link)| link.to == *class)
    }
}
