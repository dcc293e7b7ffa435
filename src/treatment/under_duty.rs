//! The date from which a duty keeps records, as a store receives it.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::customer::Moment;
use crate::data_map::{ClassName, DateForm, FieldName, TimeZone};

/// The records of a class under a duty, by one field with their date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderDuty {
    /// The field with the record's date.
    pub field: FieldName,
    /// If the records have no such field: the path to it. These are the classes to which they belong, link by link,
    /// up to the class with the field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<ClassName>,
    /// Records with this date or a later one are kept. `None` until the treatment is
    /// [dated](crate::policy::Policy::dated): then all records are kept.
    pub keep_from: Option<NaiveDate>,
    /// The time zone in which a date becomes a day.
    pub time_zone: TimeZone,
    /// The links over which a kept record keeps other records unchanged, because it has no meaning without them. Each
    /// link is given with its class.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub needs: BTreeSet<(ClassName, String)>,
    /// How the field stores the date.
    #[serde(default, skip_serializing_if = "DateForm::is_plain")]
    pub form: DateForm,
}

impl UnderDuty {
    /// Whether a record with this date is kept. A record is also kept if its date is missing or cannot be read.
    pub fn keeps(&self, date: Option<Moment>) -> bool {
        match (self.keep_from, date) {
            (Some(keep_from), Some(date)) => self.time_zone.day_of(date) >= keep_from,
            (None, _) | (_, None) => true,
        }
    }

    /// The day of a record's date.
    pub fn day(&self, date: Option<Moment>) -> Option<NaiveDate> {
        date.map(|date| self.time_zone.day_of(date))
    }
}
