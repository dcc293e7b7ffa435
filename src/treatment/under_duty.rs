//! From which date on a duty keeps records, as a store is told.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::customer::Moment;
use crate::data_map::{ClassName, DateForm, FieldName, TimeZone};

/// Records of a class that are under a duty, by one field that holds their date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderDuty {
    /// The field that holds the record's date.
    pub field: FieldName,
    /// Where the records have no such field: the classes from which they hang, link by link, up to the one that has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<ClassName>,
    /// Records dated then or later are kept. None until the treatment is [dated](crate::policy::Policy::dated): then all of
    /// them are.
    pub keep_from: Option<NaiveDate>,
    /// The zone in which the date is a day.
    pub time_zone: TimeZone,
    /// The links over which a record that is kept keeps others as they are, because it has no meaning without them, each
    /// with the class from which it starts.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub needs: BTreeSet<(ClassName, String)>,
    /// How the field stores the date.
    #[serde(default, skip_serializing_if = "DateForm::is_plain")]
    pub form: DateForm,
}

impl UnderDuty {
    /// Whether a record of this date is kept. One whose date is missing or cannot be read is: what is not known forbids.
    pub fn keeps(&self, date: Option<Moment>) -> bool {
        match (self.keep_from, date) {
            (Some(keep_from), Some(date)) => self.time_zone.day_of(date) >= keep_from,
            (None, _) | (_, None) => true,
        }
    }

    /// The day that a record's date means.
    pub fn day(&self, date: Option<Moment>) -> Option<NaiveDate> {
        date.map(|date| self.time_zone.day_of(date))
    }
}
