//! Combines the data maps of a root store and of the stores beside it.

use std::collections::BTreeMap;

use super::{
    ClassName, DataMap, FieldName, IgnoredPart, Link, NotCovered, RecordClass, Role, StoreName, builder,
};
use crate::digest::Digest;
use crate::document::{Problem, Problems};

impl RecordClass {
    /// The store beside the root store that holds the records. `None`: the root store holds them.
    pub fn store(&self) -> Option<&StoreName> {
        self.store.as_ref()
    }
}

impl DataMap {
    /// The fields of the customers' own record that a store with this map needs in addition to the key.
    pub(crate) fn asks_for(&self) -> Vec<FieldName> {
        let root = self.class(self.root.as_str());
        let fields = root.into_iter().flat_map(RecordClass::fields);
        let asked = fields.filter(|field| field.role() != Role::Key && !field.is_token_part());
        asked.map(|field| field.name().clone()).collect()
    }

    /// The same map with the classes of a store beside the root store.
    ///
    /// The class of the customers is in both maps. In the other store's map, it has only the key, and the fields by
    /// which that store knows a customer. All other facts about customers come from the map of the root store.
    ///
    /// # Errors
    /// [`Problems`] if the customers' class has another name or another number of key fields. Also if the root
    /// store's customers lack a field by which the other store knows them, or if both stores have a class with the
    /// same name.
    pub fn with_store(mut self, name: &StoreName, other: &Self) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let at = format!("store {name}");
        if other.root != self.root {
            problems.push(Problem::new(
                &at,
                format!("calls the customers {}, and the root store calls them {}", other.root, self.root),
                format!("write beside.customers = \"{}\" in the map of {name}", self.root),
            ));
            return Err(Problems::none_or(problems).err().unwrap_or_default());
        }
        let keys = |map: &Self| {
            let root = map.class(map.root.as_str());
            root.map_or(0, |root| root.fields.iter().filter(|field| field.role == Role::Key).count())
        };
        if keys(&self) != keys(other) {
            problems.push(Problem::new(
                &at,
                format!(
                    "knows the customers by {} key fields, and the root store has {}",
                    keys(other),
                    keys(&self)
                ),
                "write beside.key with one name for each column of the customers' key",
            ));
        }
        let own = self.class(self.root.as_str());
        for field in other.asks_for() {
            if own.and_then(|own| own.find(field.as_str())).is_none() {
                problems.push(Problem::new(
                    format!("{at}: {}.{field}", self.root),
                    "is compared by a link, and the root store's customers have no such field",
                    "name a field of the customers in the map of the root store",
                ));
            }
        }
        for class in other.classes.values().filter(|class| class.name != self.root) {
            problems.extend(builder::class_name_problems(&class.name));
            if self.classes.contains_key(&class.name) {
                let what = format!("is a class of {name} and of another store");
                problems.push(Problem::new(class.name.as_str(), what, "give one of them another name"));
            }
        }
        if !other.recipients.is_empty() || !other.mentions.is_empty() || !other.gateways.is_empty() {
            problems.push(Problem::new(
                &at,
                "names recipients, texts of others or gateways",
                "name them in the map of the root store",
            ));
        }
        Problems::none_or(problems)?;
        let classes = other.classes.values().filter(|class| class.name != self.root);
        let classes: BTreeMap<ClassName, RecordClass> = classes
            .map(|class| (class.name.clone(), RecordClass { store: Some(name.clone()), ..class.clone() }))
            .collect();
        self.source = Some(Digest::of(&(self.source, name, other.digest())));
        self.classes.extend(classes);
        let ignored = other.ignored.iter();
        self.ignored.extend(ignored.map(|(what, reason)| (ignored_in(name, what), reason.clone())));
        self.unmapped.extend(other.unmapped.iter().map(|part| part_of(name, part)));
        self.unmapped.push(NotCovered::OwnersElsewhere(name.clone()));
        self.tells_who_shares &= other.tells_who_shares || other.shared_classes().is_empty();
        self.digest = None;
        self.digest = Some(Digest::of(&self));
        Ok(self)
    }

    /// Whether the records of a class are found only by a value of the customer instead of a key. This may be direct,
    /// or over other records.
    pub(crate) fn is_found_by_value(&self, class: &ClassName) -> bool {
        let (mut todo, mut seen) = (vec![class], std::collections::BTreeSet::new());
        while let Some(name) = todo.pop() {
            if !seen.insert(name) {
                continue;
            }
            let links = self.class(name.as_str()).into_iter().flat_map(RecordClass::links);
            for link in links.filter(|link| link.is_owner()) {
                if Link::is_by_value(link) {
                    return true;
                }
                todo.push(link.to());
            }
        }
        false
    }
}

/// Adds the store's name to a part that the store's map leaves out.
fn ignored_in(store: &StoreName, part: &IgnoredPart) -> IgnoredPart {
    let of = |name: &String| format!("{store}.{name}");
    match part {
        IgnoredPart::Table(table) => IgnoredPart::Table(of(table)),
        IgnoredPart::RestOf(table) => IgnoredPart::RestOf(of(table)),
        IgnoredPart::Trigger(trigger) => IgnoredPart::Trigger(of(trigger)),
        IgnoredPart::Other(what) => IgnoredPart::Other(format!("in {store}: {what}")),
    }
}

/// Adds the store's name to data of that store that no erasure reaches.
fn part_of(store: &StoreName, part: &NotCovered) -> NotCovered {
    let of = |name: &String| format!("{store}.{name}");
    match part {
        NotCovered::Tables(tables) => NotCovered::Tables(tables.iter().map(of).collect()),
        NotCovered::WrittenByTrigger { trigger, table, to } => {
            NotCovered::WrittenByTrigger { trigger: of(trigger), table: of(table), to: of(to) }
        }
        part => part.clone(),
    }
}
