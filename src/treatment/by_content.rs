//! Counts what values become if that depends on the values: documents that are blanked, and values that cannot be
//! read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tally::is_zero;
use super::{Standing, Treatment};
use crate::anonymise::Strategy;
use crate::anonymise::by_content::{Becomes, ByContent};
use crate::anonymise::json::Pointer;
use crate::anonymise::readable::{document_in, text_in};
use crate::anonymise::text::Matcher;
use crate::data_map::{DataMap, Field, FieldName, Record};

/// What the documents and the unreadable values of a field become. A value that is erased already is not counted, and
/// neither is a text that can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Contents {
    /// PDFs that become a blank PDF with as many pages.
    #[serde(skip_serializing_if = "is_zero")]
    pub blanked: u64,
    /// Values that are replaced: an image by a single pixel, and an unreadable value by what the policy writes.
    #[serde(skip_serializing_if = "is_zero")]
    pub replaced: u64,
    /// Values that become empty: a plain text, and an unreadable value if the policy says so.
    #[serde(skip_serializing_if = "is_zero")]
    pub emptied: u64,
    /// Values that are removed: the field becomes NULL, or the file is deleted.
    #[serde(skip_serializing_if = "is_zero")]
    pub deleted: u64,
    /// The values among these that cannot be read, so that the policy's `otherwise` applies.
    #[serde(skip_serializing_if = "is_zero")]
    pub unreadable: u64,
}

/// The counts of a class, by field.
pub type ContentsOfFields = BTreeMap<FieldName, Contents>;

impl Contents {
    pub(crate) fn count(&mut self, outcome: ByContent, values: u64) {
        let count = match outcome.becomes {
            Becomes::Blank => &mut self.blanked,
            Becomes::Other => &mut self.replaced,
            Becomes::Empty => &mut self.emptied,
            Becomes::Nothing => &mut self.deleted,
        };
        *count += values;
        self.unreadable += if outcome.is_unreadable { values } else { 0 };
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.blanked += other.blanked;
        self.replaced += other.replaced;
        self.emptied += other.emptied;
        self.deleted += other.deleted;
        self.unreadable += other.unreadable;
    }

    /// The values by what they become: blanked, replaced, emptied, deleted. Then those among them that cannot be read.
    pub(crate) fn each(&self) -> [u64; 5] {
        let Self { blanked, replaced, emptied, deleted, unreadable } = *self;
        [blanked, replaced, emptied, deleted, unreadable]
    }

    /// The counts in words: "1 blanked, 2 deleted; 2 of these cannot be read".
    pub(crate) fn in_words(&self, cannot: &str) -> String {
        let Self { blanked, replaced, emptied, deleted, unreadable } = *self;
        let each = [(blanked, "blanked"), (replaced, "replaced"), (emptied, "emptied"), (deleted, "deleted")];
        let each = each.into_iter().filter(|(count, _)| *count > 0);
        let mut words = each.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ");
        if unreadable > 0 {
            words.push_str(&["; ", &unreadable.to_string(), " of these ", cannot, " be read"].concat());
        }
        words
    }
}

impl Treatment {
    /// What the documents and the unreadable values of a record become, by field.
    pub(crate) fn by_content(
        &self,
        record: &Record,
        standing: Standing,
        map: &DataMap,
    ) -> Vec<(FieldName, ByContent)> {
        let Some(class) = self.class(record.class.as_str()) else { return Vec::new() };
        let described = map.class(record.class.as_str());
        let outcome = |(field, strategy): (&FieldName, Cow<'_, Strategy>)| {
            let value = record.get(field.as_str());
            let is_json = described.and_then(|class| class.find(field.as_str())).is_some_and(Field::is_json);
            let outcome = match class.unreadable().get(field) {
                Some(otherwise) if matches!(&*strategy, Strategy::Redact { .. }) => {
                    let is_read = if is_json {
                        let nobody = Matcher::nobody();
                        let read = |text| strategy.redact_json(text, &Pointer::whole(), &[], &nobody).is_ok();
                        document_in(value).is_ok_and(|text| text.is_none_or(read))
                    } else {
                        text_in(value).is_ok()
                    };
                    (!is_read && !otherwise.holds(value)).then(|| ByContent::unreadable(otherwise))
                }
                _ => ByContent::of_document(&strategy, value),
            };
            Some((field.clone(), outcome?))
        };
        class.written(standing).into_iter().filter_map(outcome).collect()
    }
}
