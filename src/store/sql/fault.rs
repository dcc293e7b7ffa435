//! What can go wrong in a database, whichever it is.

use crate::data_map::ClassName;
use crate::store::StoreError;

/// What is said of a constraint that is a trigger, where the database does not tell which.
pub(crate) const A_TRIGGER: &str = "a trigger";

/// What the errors of a database come down to. Its texts name columns and tables, never values.
#[derive(Debug)]
pub(crate) enum Fault {
    Busy,
    ReadOnly,
    Corrupt,
    NotFound,
    /// A constraint forbids a write. Its words begin with the kind, as SQLite spells it: `UNIQUE`, `NOT NULL`, `CHECK`, `FOREIGN
    /// KEY`; of a trigger it is [`A_TRIGGER`].
    Constraint(String),
    /// The schema is another one than before: what has changed.
    Drift(Vec<String>),
    Other(String),
}

impl Fault {
    /// The error of the port.
    pub(crate) fn into_error(self, doing: &'static str) -> StoreError {
        match self {
            Self::Busy => StoreError::Busy { doing },
            Self::ReadOnly => StoreError::ReadOnly { doing },
            Self::Corrupt => StoreError::Corrupt { doing },
            Self::NotFound => StoreError::NotFound { doing },
            Self::Drift(changes) => StoreError::Drift { doing, changes },
            Self::Constraint(what) | Self::Other(what) => StoreError::failed(doing, what),
        }
    }
}

/// A fault, and the record class at whose statement it came up.
pub(crate) struct Trouble {
    pub(crate) class: Option<ClassName>,
    pub(crate) fault: Fault,
}

impl Trouble {
    /// Says of a fault at which class it came up.
    pub(crate) fn at(class: &ClassName) -> impl Fn(Fault) -> Self {
        move |fault| Self { class: Some(class.clone()), fault }
    }

    /// The error of the port. A constraint without a class is one of the customers' own table.
    pub(crate) fn into_error(self, doing: &'static str, root: &ClassName) -> StoreError {
        match (self.fault, self.class) {
            (Fault::Constraint(constraint), class) => {
                StoreError::Constraint { doing, class: class.unwrap_or_else(|| root.clone()), constraint }
            }
            (fault, _) => fault.into_error(doing),
        }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self { class: None, fault }
    }
}
