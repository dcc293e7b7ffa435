//! Leaves values out of an export: secrets, and data of other people.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

use super::ExportRecord;
use crate::anonymise::json::{Edit, Pointer, edit};
use crate::anonymise::normalised;
use crate::customer::Identifiers;
use crate::data_map::{FieldName, Kind, RecordClass, Value};
use crate::store::{Had, ReadRecord};

/// Why a value is left out of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WhyLeftOut {
    /// A password or an access token.
    Secret,
    /// The value belongs to somebody else, or leads to somebody else.
    OfSomebodyElse,
    /// Somebody else has the record, too, and the value may be about that person.
    Shared,
}

impl WhyLeftOut {
    /// The name: `secret`, `of_somebody_else`, `shared`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::OfSomebodyElse => "of_somebody_else",
            Self::Shared => "shared",
        }
    }
}

impl fmt::Display for WhyLeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The values by which the customer is known, in the form in which they are compared. It has no `Debug`, so that no
/// value is logged.
#[derive(Default)]
pub(super) struct Own(HashSet<String>);

impl Own {
    pub(super) fn add(&mut self, identifiers: &Identifiers) {
        self.0.extend(identifiers.iter().map(|(_, value)| normalised(value)));
    }

    fn has(&self, value: &Value) -> bool {
        value.as_text().is_some_and(|text| self.0.contains(&normalised(text)))
    }
}

/// What is left out of the records of a class.
pub(super) struct Masks {
    fields: Vec<FieldName>,
    secret: Vec<usize>,
    /// Secrets inside JSON documents: the index of the document, the pointer, and the name of the field.
    inside: Vec<(usize, Pointer, FieldName)>,
    /// The indexes of personal values, if these are left out of shared records.
    personal: Vec<usize>,
}

impl Masks {
    pub(super) fn new(class: &RecordClass, fields: &[FieldName], masks_shared: bool) -> Self {
        let kind = |field: &FieldName| class.find(field.as_str()).and_then(|field| field.kind());
        let places = || fields.iter().enumerate();
        let secret = places().filter(|(_, field)| kind(field).is_some_and(Kind::is_secret));
        let secret = secret.map(|(place, _)| place).collect();
        let (mut inside, mut documents) = (Vec::new(), Vec::new());
        for field in class.fields().iter().filter(|field| !fields.contains(field.name())) {
            let found = places().find_map(|(place, column)| {
                let pointer = field.name().as_str().strip_prefix(column.as_str())?;
                pointer.starts_with('/').then(|| pointer.parse().ok().map(|pointer| (place, pointer)))?
            });
            let Some((place, pointer)) = found else { continue };
            documents.push(place);
            if field.kind().is_some_and(Kind::is_secret) {
                inside.push((place, pointer, field.name().clone()));
            }
        }
        let is_personal =
            |(place, field): &(usize, &FieldName)| kind(field).is_some() || documents.contains(place);
        let personal = places().filter(is_personal).map(|(place, _)| place);
        let personal = if masks_shared { personal.collect() } else { Vec::new() };
        Self { fields: fields.to_vec(), secret, inside, personal }
    }

    /// Moves the values of a record into the export. Calls `count` for each value that is left out.
    pub(super) fn apply(
        &self,
        record: ReadRecord,
        own: &Own,
        exported: &mut ExportRecord,
        mut count: impl FnMut(&FieldName, WhyLeftOut),
    ) {
        let ReadRecord { mut values, had, of_others, .. } = record;
        let mut leave_out = |values: &mut Vec<Value>, place: usize, why: WhyLeftOut| {
            let (Some(value), Some(field)) = (values.get_mut(place), self.fields.get(place)) else { return };
            if *value == Value::Null || exported.left_out.iter().any(|(left, _)| *left == place) {
                return;
            }
            *value = Value::Null;
            exported.left_out.push((place, why));
            count(field, why);
        };
        for place in &self.secret {
            leave_out(&mut values, *place, WhyLeftOut::Secret);
        }
        for place in of_others {
            leave_out(&mut values, place, WhyLeftOut::OfSomebodyElse);
        }
        if had == Had::Shared {
            for place in &self.personal {
                if !values.get(*place).is_some_and(|value| own.has(value)) {
                    leave_out(&mut values, *place, WhyLeftOut::Shared);
                }
            }
        }
        let mut cut = Vec::new();
        for (place, pointer, field) in &self.inside {
            let text = match values.get(*place) {
                Some(Value::Text(text)) => text,
                // The document is stored as bytes, so the place of the secret in it is unknown.
                Some(Value::Blob(_)) => {
                    leave_out(&mut values, *place, WhyLeftOut::Secret);
                    continue;
                }
                _ => continue,
            };
            match edit(text, pointer, |_| Some(Edit::Remove)) {
                Ok(None) => {}
                Ok(Some(less)) => {
                    cut.push(field);
                    if let Some(value) = values.get_mut(*place) {
                        *value = Value::Text(less);
                    }
                }
                // The document cannot be parsed, so the place of the secret in it is unknown.
                Err(_) => leave_out(&mut values, *place, WhyLeftOut::Secret),
            }
        }
        for field in cut {
            count(field, WhyLeftOut::Secret);
        }
        exported.left_out.sort_unstable();
        exported.values = values;
    }
}
