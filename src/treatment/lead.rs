//! What still leads to a person after a treatment.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::customer::GatewayName;
use crate::data_map::{ClassName, FieldName};

/// Something that still leads to the person after a treatment. While a lead names the person, the certificate says
/// *erased in part*. If it only leads to the person without a name, the certificate says *pseudonymised*.
///
/// ```
/// use relinquish::treatment::Lead;
///
/// let city = Lead::Field { class: "customer".into(), field: "city".into(), while_kept: false, names: false };
/// assert_eq!(city.to_string(), "customer.city");
/// let invoices = Lead::Class { class: "invoice".into(), while_kept: true, names: true };
/// assert_eq!(invoices.to_string(), "invoice (while a duty keeps it)");
/// let messages = Lead::Shared { class: "message".into(), names: true };
/// assert_eq!(messages.to_string(), "message (also somebody else's)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Lead {
    /// Records of a class that hold personal data.
    Class {
        /// The class.
        class: ClassName,
        /// Whether the records lead to the person only as long as a duty keeps them.
        while_kept: bool,
        /// Whether the records name the person.
        names: bool,
    },
    /// A personal field that stays.
    Field {
        /// The class.
        class: ClassName,
        /// The field.
        field: FieldName,
        /// Whether the field leads to the person only as long as a duty keeps the records.
        while_kept: bool,
        /// Whether the field names the person.
        names: bool,
    },
    /// Records that another person has, too, and that stay with that person. They hold personal data.
    Shared {
        /// The class.
        class: ClassName,
        /// Whether the records name the person.
        names: bool,
    },
    /// Profiles at a payment gateway. They name the person.
    Gateway(GatewayName),
    /// The ledger's token. A row that stays has the customer's key. With this key and the ledger's secret key, the
    /// token can be computed.
    Token {
        /// The classes whose rows have the customer's key and stay.
        classes: BTreeSet<ClassName>,
        /// The classes whose rows have the customer's key and stay only as long as a duty keeps records.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        while_kept: BTreeSet<ClassName>,
    },
}

/// Which records of a class stay after a treatment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stays {
    /// Whether a duty keeps records of the class, or records that need them.
    pub(crate) while_kept: bool,
    /// Whether the treatment leaves records of the class.
    pub(crate) treated: bool,
    /// Whether records of the class stay because another person has them, too.
    pub(crate) shared: bool,
}

impl Lead {
    /// The classes, if this lead exists only as long as a duty keeps records of these classes. Otherwise none.
    pub(crate) fn classes_while_kept(&self) -> Vec<&ClassName> {
        match self {
            Self::Class { class, while_kept: true, .. } | Self::Field { class, while_kept: true, .. } => {
                vec![class]
            }
            Self::Token { classes, while_kept } if classes.is_empty() => while_kept.iter().collect(),
            Self::Class { .. }
            | Self::Field { .. }
            | Self::Shared { .. }
            | Self::Gateway(_)
            | Self::Token { .. } => Vec::new(),
        }
    }

    /// The part of this lead that one customer has, by the records that stay and by the profiles at gateways. `None` if
    /// nothing of it stays.
    pub(crate) fn of_one(
        &self,
        stays: impl Fn(&ClassName) -> Stays,
        has_profile: impl Fn(&GatewayName) -> bool,
    ) -> Option<Self> {
        let is_there = match self {
            Self::Class { class, while_kept: true, .. } | Self::Field { class, while_kept: true, .. } => {
                stays(class).while_kept
            }
            Self::Class { class, .. } | Self::Field { class, .. } => stays(class).treated,
            Self::Shared { class, .. } => stays(class).shared,
            Self::Gateway(name) => has_profile(name),
            Self::Token { classes, while_kept } => {
                let classes = classes.iter().filter(|class| stays(class).treated).cloned().collect();
                let while_kept = while_kept.iter().filter(|class| stays(class).while_kept).cloned().collect();
                let some = Self::Token { classes, while_kept };
                return (some != Self::Token { classes: BTreeSet::new(), while_kept: BTreeSet::new() })
                    .then_some(some);
            }
        };
        is_there.then(|| self.clone())
    }

    /// Whether this lead names the person. Otherwise it only leads to the person.
    pub fn names_person(&self) -> bool {
        match self {
            Self::Class { names, .. } | Self::Field { names, .. } | Self::Shared { names, .. } => *names,
            Self::Gateway(_) => true,
            Self::Token { .. } => false,
        }
    }

    /// The names in this lead: `customer` and `city`, or `gateway` and `stripe`.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::Class { class, .. } | Self::Shared { class, .. } => vec![class.as_str()],
            Self::Field { class, field, .. } => vec![class.as_str(), field.as_str()],
            Self::Gateway(name) => vec!["gateway", name.as_str()],
            Self::Token { .. } => vec!["ledger", "token"],
        }
    }
}

impl fmt::Display for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join("."))?;
        match self {
            Self::Token { .. } => return f.write_str(" (while the key of its epoch exists)"),
            Self::Shared { .. } => return f.write_str(" (also somebody else's)"),
            _ => {}
        }
        if self.classes_while_kept().is_empty() { Ok(()) } else { f.write_str(" (while a duty keeps it)") }
    }
}
