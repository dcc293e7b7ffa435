//! Building a data map, and checking it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ClassName, DataMap, DeactivationSupport, Fact, FieldName, GatewayName, IdentifiedBy, IgnoredPart, Link,
    NotCovered, RecipientName, RecordClass, Role, StateName,
};
use crate::digest::Digest;
use crate::document::{Problem, Problems};

/// Builds a [`DataMap`].
#[derive(Debug)]
pub struct DataMapBuilder {
    pub(super) root: ClassName,
    pub(super) classes: Vec<RecordClass>,
    pub(super) facts: BTreeSet<Fact>,
    pub(super) states: BTreeSet<StateName>,
    pub(super) dates: BTreeSet<String>,
    pub(super) gateways: BTreeSet<GatewayName>,
    pub(super) recipients: BTreeMap<RecipientName, IdentifiedBy>,
    pub(super) mentions: BTreeMap<ClassName, BTreeSet<FieldName>>,
    pub(super) deactivation: DeactivationSupport,
    pub(super) ignored: BTreeMap<IgnoredPart, String>,
    pub(super) counts_groups: bool,
    pub(super) tells_who_shares: bool,
    pub(super) reuses_ids: bool,
    pub(super) unmapped: Vec<NotCovered>,
    pub(super) source: Option<Digest>,
}

impl DataMapBuilder {
    /// Adds a class of records that belong to customers.
    #[must_use]
    pub fn class(mut self, class: RecordClass) -> Self {
        self.classes.push(class);
        self
    }

    /// Says that the store can tell this fact.
    #[must_use]
    pub fn knows(mut self, fact: Fact) -> Self {
        self.facts.insert(fact);
        self
    }

    /// Says that the store can tell this state of the host's own. A guard of the policy may use it.
    #[must_use]
    pub fn state(mut self, name: impl Into<StateName>) -> Self {
        self.states.insert(name.into());
        self
    }

    /// Says that the store can tell this date.
    #[must_use]
    pub fn date(mut self, name: impl Into<String>) -> Self {
        self.dates.insert(name.into());
        self
    }

    /// Says that customers may have profiles at this gateway.
    #[must_use]
    pub fn gateway(mut self, name: impl Into<GatewayName>) -> Self {
        self.gateways.insert(name.into());
        self
    }

    /// Says that customers' data are disclosed to this recipient, and by which values the recipient knows a person.
    #[must_use]
    pub fn recipient(mut self, name: impl Into<RecipientName>, by: IdentifiedBy) -> Self {
        self.recipients.insert(name.into(), by);
        self
    }

    /// Says that texts of a class belong to others and may mention a person. The store needs
    /// [`RedactMentions`](crate::store::RedactMentions) to redact these mentions.
    #[must_use]
    pub fn mentions<F: Into<FieldName>>(
        mut self,
        class: impl Into<ClassName>,
        fields: impl IntoIterator<Item = F>,
    ) -> Self {
        self.mentions.insert(class.into(), fields.into_iter().map(Into::into).collect());
        self
    }

    /// Says that the store can count the customers who share the kept values of one customer. A repository needs
    /// [`ByRecord::counting`](crate::ByRecord::counting) for this.
    #[must_use]
    pub fn counts_groups(mut self) -> Self {
        self.counts_groups = true;
        self
    }

    /// Says that the store can tell who else owns a record. Without this, a policy that treats records of several
    /// owners is refused.
    #[must_use]
    pub fn tells_who_shares(mut self) -> Self {
        self.tells_who_shares = true;
        self
    }

    /// Says that the id of a deleted customer may be given to a new one, as `SQLite` does with row numbers. Without
    /// [`Customer::registered`](crate::Customer::registered) nobody can then tell the two apart. A replay names such
    /// customers and does not erase them.
    #[must_use]
    pub fn reuses_ids(mut self) -> Self {
        self.reuses_ids = true;
        self
    }

    /// Leaves out data of customers on purpose, with a reason. Certificates list them.
    #[must_use]
    pub fn ignores(mut self, what: impl Into<IgnoredPart>, reason: impl Into<String>) -> Self {
        self.ignored.insert(what.into(), reason.into());
        self
    }

    /// Says that the store has data that are not in the map. Certificates list them.
    #[must_use]
    pub fn leaves_out(mut self, what: impl Into<NotCovered>) -> Self {
        self.unmapped.push(what.into());
        self
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn source(mut self, digest: Digest) -> Self {
        self.source = Some(digest);
        self
    }

    /// Says that the host has no status for a deactivated customer.
    #[must_use]
    pub fn without_deactivation(mut self, reason: impl Into<String>) -> Self {
        self.deactivation = DeactivationSupport::None { reason: reason.into() };
        self
    }

    /// Builds the map, or returns all errors in it.
    pub fn build(self) -> Result<DataMap, Problems> {
        let mut problems = Vec::new();
        let mut classes = BTreeMap::<ClassName, RecordClass>::new();
        let names: BTreeSet<ClassName> = self.classes.iter().map(|class| class.name.clone()).collect();
        for mut class in self.classes {
            let path = class.name.to_string();
            if class.needs_owner && class.name != self.root {
                class.links.push(Link::owner(self.root.clone(), Vec::<FieldName>::new()));
            }
            problems.extend(class_name_problems(&class.name));
            if !class.fields.iter().any(|field| field.role == Role::Key) {
                problems.push(Problem::new(
                    &path,
                    "has no key",
                    "name the field that tells its records apart",
                ));
            }
            let mut seen = BTreeSet::new();
            for field in &class.fields {
                if !seen.insert(&field.name) {
                    problems.push(Problem::new(
                        format!("{path}.{}", field.name),
                        "is there twice",
                        "leave one of them",
                    ));
                }
            }
            for link in class.links.iter().filter(|link| !names.contains(link.to())) {
                problems.push(Problem::new(
                    &path,
                    format!("leads to {}, which is no class of this map", link.to()),
                    "map that class too",
                ));
            }
            if classes.insert(class.name.clone(), class).is_some() {
                problems.push(Problem::new(&path, "is there twice", "give one of them another name"));
            }
        }
        Problems::none_or(problems)?;
        let mut map = DataMap {
            root: self.root,
            classes,
            facts: self.facts,
            states: self.states,
            dates: self.dates,
            gateways: self.gateways,
            recipients: self.recipients,
            mentions: self.mentions,
            deactivation: self.deactivation,
            ignored: self.ignored,
            counts_groups: self.counts_groups,
            tells_who_shares: self.tells_who_shares,
            reuses_ids: self.reuses_ids,
            unmapped: self.unmapped,
            source: self.source,
            digest: None,
        };
        let mut problems = map.recipient_problems();
        problems.extend(map.mention_problems());
        Problems::none_or(problems)?;
        map.digest = Some(Digest::of(&map));
        Ok(map)
    }
}

impl DataMap {
    /// The problems of the texts of others in the map.
    fn mention_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, fields) in &self.mentions {
            let path = format!("mentions.{name}");
            let Some(class) = self.class(name.as_str()) else {
                problems.push(Problem::new(path, "is no class of this map", "map that class too"));
                continue;
            };
            for field in fields {
                let is_text = |found: &super::Field| {
                    found.role == Role::Value && !found.json && found.encoding.is_plain()
                };
                if !class.find(field.as_str()).is_some_and(is_text) {
                    let what = format!("names {field}, which is no field of plain text of {name}");
                    problems.push(Problem::new(&path, what, "write a field that holds plain text"));
                }
            }
        }
        problems
    }
}

/// The problem of a class whose name is a word of policies with another meaning.
pub(crate) fn is_reserved(name: &str) -> bool {
    ["gateway", "recipient", "mention"].contains(&name)
}

pub(super) fn class_name_problems(name: &ClassName) -> Vec<Problem> {
    if is_reserved(name.as_str()) {
        let way_out = "give the class another name";
        vec![Problem::new(name.as_str(), "is a word of the policy's own", way_out)]
    } else {
        Vec::new()
    }
}
