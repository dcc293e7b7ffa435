//! Limits: record classes that may be kept at most so long.

use std::fmt;
use std::sync::Arc;

use super::Period;
use crate::data_map::{ClassName, FieldName};

/// A maximum: records of these classes may be kept at most so long, counted from their date. It is the opposite of a
/// [duty](super::Duty), as for traffic data of telecommunications. This crate has no table of such laws.
///
/// A limit erases nothing by itself. The check makes sure that every class under it [expires](super::Expiry) in time,
/// and that no duty keeps it longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub(super) name: Arc<str>,
    pub(super) classes: Vec<ClassName>,
    pub(super) from: FieldName,
    pub(super) at_most: Period,
    pub(super) law: Arc<str>,
}

impl Limit {
    /// The limit's name in the policy.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The record classes.
    pub fn classes(&self) -> &[ClassName] {
        &self.classes
    }

    /// The field that holds the record's date.
    pub fn from(&self) -> &FieldName {
        &self.from
    }

    /// The longest period.
    pub fn at_most(&self) -> Period {
        self.at_most
    }

    /// The law that sets the maximum.
    pub fn law(&self) -> &str {
        &self.law
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: at most {} from {}, by {}", self.name, self.at_most, self.from, self.law)
    }
}
