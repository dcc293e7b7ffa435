//! Which identifiers of an erased customer stay as keyed tokens, so that no importer brings the person back.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use super::Period;
use crate::data_map::Kind;
use crate::treatment::TreatmentName;
use crate::words::listed;

/// The rule of the [suppression list](crate::ledger::SuppressionList): `suppress` in the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    pub(super) kinds: BTreeSet<Kind>,
    pub(super) treatments: BTreeSet<TreatmentName>,
    pub(super) period: Period,
}

impl Suppression {
    /// The kinds of identifiers.
    pub fn kinds(&self) -> &BTreeSet<Kind> {
        &self.kinds
    }

    /// The treatments after which identifiers are suppressed.
    pub fn treatments(&self) -> &BTreeSet<TreatmentName> {
        &self.treatments
    }

    /// How long a token is kept at least.
    pub fn period(&self) -> Period {
        self.period
    }

    /// The last day of the tokens of a customer who is erased on a day: the end of the calendar year in which the period
    /// ends. All who are erased in a year get the same few days, so the day says little about when somebody was erased.
    pub fn until(&self, erased_on: NaiveDate) -> NaiveDate {
        let end = self.period.end(erased_on).unwrap_or(NaiveDate::MAX);
        NaiveDate::from_ymd_opt(end.year(), 12, 31).unwrap_or(NaiveDate::MAX)
    }

    /// What is suppressed after a treatment on a day. `None` if the treatment is not named.
    pub(crate) fn after(&self, treatment: &TreatmentName, erased_on: NaiveDate) -> Option<Suppressing> {
        let is_named = self.treatments.contains(treatment);
        is_named.then(|| Suppressing { kinds: self.kinds.clone(), until: self.until(erased_on) })
    }
}

/// What a plan or a closed case says of the suppression list: which identifiers of the customer stay as keyed tokens, and
/// until when. Not which tokens, and not how many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppressing {
    /// The kinds of identifiers.
    pub kinds: BTreeSet<Kind>,
    /// The last day.
    pub until: NaiveDate,
}

/// Prints `keyed tokens of email and phone until 2029-12-31 …`.
impl fmt::Display for Suppressing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<&str> = self.kinds.iter().map(Kind::as_str).collect();
        write!(
            f,
            "keyed tokens of {}, as far as there are any, until {}: importers can ask whether the person was erased",
            listed(&kinds),
            self.until
        )
    }
}
