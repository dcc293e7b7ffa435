//! Recipients of customers' data, and the values by which each of them knows a person.

use std::collections::BTreeSet;

use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};

use super::{DataMap, Kind, RecordClass};
use crate::document::Problem;
use crate::name::open_name;

open_name! {
    /// The name of a recipient of customers' data, as the policy and the data map spell it: `search`.
    RecipientName
}

/// The values by which a recipient knows a person: the customer's key, values of some kinds, or both.
///
/// A notice to the recipient contains only these values. They are part of the digest of the data map, so an approval
/// covers everything that is sent.
///
/// ```
/// use relinquish::data_map::{IdentifiedBy, Kind};
///
/// let search = IdentifiedBy::key();
/// let newsletter = IdentifiedBy::kinds([Kind::Email]);
/// let warehouse = IdentifiedBy::key().and(Kind::CustomerNumber);
/// assert!(warehouse.has_key() && !newsletter.has_key());
/// # assert!(search.has_key());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentifiedBy {
    key: bool,
    kinds: BTreeSet<Kind>,
}

/// The word for the customer's key in a data map.
pub(crate) const KEY: &str = "key";

impl IdentifiedBy {
    /// The recipient knows the host's own key of the customer.
    pub fn key() -> Self {
        Self { key: true, kinds: BTreeSet::new() }
    }

    /// The recipient knows values of these kinds.
    pub fn kinds(kinds: impl IntoIterator<Item = Kind>) -> Self {
        Self { key: false, kinds: kinds.into_iter().collect() }
    }

    /// The recipient also knows the host's own key of the customer.
    #[must_use]
    pub fn and_key(self) -> Self {
        Self { key: true, ..self }
    }

    /// The recipient also knows values of this kind.
    #[must_use]
    pub fn and(mut self, kind: Kind) -> Self {
        self.kinds.insert(kind);
        self
    }

    /// Whether a notice has the customer's key.
    pub fn has_key(&self) -> bool {
        self.key
    }

    /// Whether a notice has the customer's values of this kind.
    pub fn has(&self, kind: &Kind) -> bool {
        self.kinds.contains(kind)
    }

    /// Whether a notice has values of the customer's records.
    pub fn has_values(&self) -> bool {
        !self.kinds.is_empty()
    }

    /// The words of the data map: `key`, and the names of the kinds.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.key.then_some(KEY).into_iter().chain(self.kinds.iter().map(Kind::as_str))
    }
}

/// Serialises as the words of the data map.
impl Serialize for IdentifiedBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut words = serializer.serialize_seq(None)?;
        for word in self.words() {
            words.serialize_element(word)?;
        }
        words.end()
    }
}

impl DataMap {
    /// The problems of the map's recipients: no identifying value, or a kind that no field has.
    pub(super) fn recipient_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, by) in &self.recipients {
            let path = format!("recipients.{name}");
            if by.words().next().is_none() {
                problems.push(Problem::new(
                    &path,
                    "names nothing by which the recipient knows a person",
                    "write \"key\" for the customer's key, or kinds such as \"email\"",
                ));
            }
            for kind in &by.kinds {
                if !kind.identifies() {
                    problems.push(Problem::new(
                        &path,
                        format!("nobody is known by {kind} alone"),
                        "write \"key\", or a kind that identifies a person, such as \"email\"",
                    ));
                } else if !self.classes().any(|class| holds(class, kind)) {
                    problems.push(Problem::new(
                        &path,
                        format!("no field of this map holds {kind}"),
                        "give a field this kind, or write \"key\" for the customer's key",
                    ));
                }
            }
        }
        problems
    }
}

fn holds(class: &RecordClass, kind: &Kind) -> bool {
    class.fields().iter().any(|field| field.kind() == Some(kind))
}
