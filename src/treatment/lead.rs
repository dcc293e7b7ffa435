//! What still leads to a person after a treatment.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::customer::GatewayName;
use crate::data_map::{ClassName, FieldName};

/// Something that still leads to the person after a treatment. While there is any, the honest word is
/// *pseudonymised*.
///
/// ```
/// use relinquish::treatment::Lead;
///
/// let city = Lead::Field { class: "customer".into(), field: "city".into(), while_kept: false };
/// assert_eq!(city.to_string(), "customer.city");
/// let invoices = Lead::Class { class: "invoice".into(), while_kept: true };
/// assert_eq!(invoices.to_string(), "invoice (while a duty keeps it)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Lead {
    /// Records of a class that hold personal data.
    Class {
        /// The class.
        class: ClassName,
        /// Whether it leads to the person only as long as a duty keeps the records.
        while_kept: bool,
    },
    /// A personal field that stays.
    Field {
        /// The class.
        class: ClassName,
        /// The field.
        field: FieldName,
        /// Whether it leads to the person only as long as a duty keeps the records.
        while_kept: bool,
    },
    /// Profiles at a payment gateway.
    Gateway(GatewayName),
}

impl Lead {
    /// The class, if this leads to the person only as long as a duty keeps records of the class.
    pub(crate) fn class_while_kept(&self) -> Option<&ClassName> {
        match self {
            Self::Class { class, while_kept: true } | Self::Field { class, while_kept: true, .. } => {
                Some(class)
            }
            Self::Class { .. } | Self::Field { .. } | Self::Gateway(_) => None,
        }
    }

    /// The names of its parts: `customer` and `city`, or `gateway` and `stripe`.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::Class { class, .. } => vec![class.as_str()],
            Self::Field { class, field, .. } => vec![class.as_str(), field.as_str()],
            Self::Gateway(name) => vec!["gateway", name.as_str()],
        }
    }
}

impl fmt::Display for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join("."))?;
        if self.class_while_kept().is_some() { f.write_str(" (while a duty keeps it)") } else { Ok(()) }
    }
}
