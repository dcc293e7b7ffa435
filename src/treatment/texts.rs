//! Searched texts in two special cases: texts that cannot be read, and texts that a duty deferred until nobody can be
//! searched for.

use std::collections::BTreeMap;

use super::{ClassTreatment, RecordAction, Standing, Tombstone, Treatment};
use crate::anonymise::json::Pointer;
use crate::anonymise::readable::{document_in, text_in};
use crate::anonymise::text::Matcher;
use crate::anonymise::{Draw, Strategy};
use crate::data_map::{DataMap, Field, FieldName, Record, Value};

impl ClassTreatment {
    /// The replacement for a value that cannot be read, by field. Such a value is a text in bytes or in another
    /// encoding, or a document that is not JSON. If a field has no entry here, an unreadable value blocks the erasure
    /// of its customer. Only a text that is not UTF-8 is then searched for what can be read.
    pub fn unreadable(&self) -> &BTreeMap<FieldName, Strategy> {
        &self.unreadable
    }

    /// The replacement for a searched text after a duty, by field. A duty may defer the search. When it has ended,
    /// the customer's own values are erased, so there is nothing to search for. See [`is_marked`](Self::is_marked).
    pub fn after_duty(&self) -> &BTreeMap<FieldName, Strategy> {
        &self.after_duty
    }

    /// Whether the treatment was carried out on a record. Another field of the record shows this: it has a
    /// placeholder, a token or a constant, which is never an original value. A class with
    /// [`after_duty`](Self::after_duty) has such a field.
    pub fn is_marked(&self, record: &Record) -> bool {
        let marks = self.fields.iter().filter(|(_, strategy)| marks(strategy));
        marks.into_iter().any(|(field, strategy)| strategy.holds(record.get(field.as_str())))
    }
}

/// Whether the output of a strategy shows that it was written, because no original value looks like it.
pub(crate) fn marks(strategy: &Strategy) -> bool {
    match strategy {
        Strategy::Placeholder(_) | Strategy::Token(_) | Strategy::Invalidate(_) => true,
        Strategy::Constant(value) => *value != Value::Null,
        Strategy::Clear
        | Strategy::Generalise { .. }
        | Strategy::Redact { .. }
        | Strategy::Blank { .. }
        | Strategy::Own(_) => false,
    }
}

/// The new value of a searched text.
pub(crate) enum NewText<'t> {
    /// The text without the customer.
    Redacted(String),
    /// The whole text is replaced by the output of this strategy.
    Instead(&'t Strategy),
}

impl NewText<'_> {
    /// The new value.
    pub(crate) fn written(&self, old: &Value, draw: &Draw<'_>) -> Value {
        match self {
            Self::Redacted(text) if matches!(old, Value::Blob(_)) => Value::Blob(text.clone().into_bytes()),
            Self::Redacted(text) => Value::Text(text.clone()),
            Self::Instead(strategy) => strategy.apply(old, draw),
        }
    }
}

impl Treatment {
    /// Whether the customer's own values are erased: the customer's own record was treated, or is gone. After that,
    /// texts cannot be searched for these values.
    pub(crate) fn is_customer_erased(&self, records: &[Record]) -> bool {
        let Some(root) = self.class(self.root.as_str()) else { return false };
        let written = match root.action() {
            RecordAction::Delete => root.tombstone().map(Tombstone::fields),
            RecordAction::Anonymise | RecordAction::Reassign => Some(root.fields()),
            RecordAction::Keep { .. } => None,
        };
        let searched = |strategy: &Strategy| matches!(strategy, Strategy::Redact { .. });
        let written = written.into_iter().flatten().filter(|(_, strategy)| !searched(strategy));
        let written: Vec<(&FieldName, &Strategy)> = written.collect();
        let mut own = records.iter().filter(|record| record.class == self.root);
        !written.is_empty()
            && own.all(|record| {
                written.iter().all(|(field, strategy)| strategy.holds(record.get(field.as_str())))
            })
    }

    /// The new values of a record's searched texts. `is_erased` says whether the customer's own values are erased. If
    /// a value cannot be read and the policy has no rule for it, the result is an error with the field.
    pub(crate) fn texts(
        &self,
        record: &Record,
        standing: Standing,
        map: &DataMap,
        people: &Matcher,
        is_erased: bool,
    ) -> Result<BTreeMap<FieldName, NewText<'_>>, (FieldName, String)> {
        let Some(class) = self.class(record.class.as_str()) else { return Ok(BTreeMap::new()) };
        let described = map.class(record.class.as_str());
        let is_released = is_erased && !class.is_marked(record);
        let mut texts = BTreeMap::new();
        for (field, strategy) in class.written(standing) {
            if !matches!(&*strategy, Strategy::Redact { .. }) {
                continue;
            }
            let value = record.get(field.as_str());
            let after = class.after_duty.get(field).filter(|_| is_released && standing != Standing::Needed);
            if let Some(after) = after {
                if *value != Value::Null && !after.holds(value) {
                    texts.insert(field.clone(), NewText::Instead(after));
                }
                continue;
            }
            let is_json = described.and_then(|class| class.find(field.as_str())).is_some_and(Field::is_json);
            let less = if is_json {
                document_in(value).map_err(|why| why.to_string()).and_then(|text| {
                    let redact = |text| strategy.redact_json(text, &Pointer::whole(), &[], people);
                    text.map_or(Ok(None), redact).map_err(|error| error.to_string())
                })
            } else {
                let text = text_in(value).map_err(|why| why.to_string());
                text.map(|text| strategy.redact(&text?, people))
            };
            match (less, class.unreadable.get(field)) {
                (Ok(less), _) => texts.extend(less.map(|less| (field.clone(), NewText::Redacted(less)))),
                (Err(_), Some(instead)) if instead.holds(value) => {}
                (Err(_), Some(instead)) => drop(texts.insert(field.clone(), NewText::Instead(instead))),
                (Err(why), None) => return Err((field.clone(), why)),
            }
        }
        Ok(texts)
    }
}
