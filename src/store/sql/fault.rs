//! Faults of a database, for every kind of database.

use super::bind::Bound;
use super::triggers::refused_by;
use crate::data_map::ClassName;
use crate::store::StoreError;

/// A constraint that forbids a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Constraint {
    pub(crate) kind: ConstraintKind,
    /// What the database says of the constraint. It names columns and tables, never values.
    pub(crate) what: String,
    /// The table that has the constraint, where the statement does not tell: foreign keys are checked at the end.
    pub(crate) table: Option<String>,
}

/// The kind of a [`Constraint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConstraintKind {
    Unique,
    NotNull,
    Check,
    ForeignKey,
    /// A trigger raised an error. The database does not tell which trigger.
    Trigger,
    /// The statement succeeded, and the row is as it was before.
    Undone,
    Other,
}

impl Constraint {
    pub(crate) fn new(kind: ConstraintKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), table: None }
    }

    /// The constraint in words. For a trigger, the triggers of the class that may be the cause.
    pub(super) fn named(self, bound: &Bound, class: &ClassName) -> String {
        if self.kind == ConstraintKind::Trigger { refused_by(bound, class) } else { self.what }
    }
}

/// The kinds of database errors. The texts name columns and tables, never values.
#[derive(Debug)]
pub(crate) enum Fault {
    Busy,
    ReadOnly,
    Corrupt,
    NotFound,
    Constraint(Constraint),
    /// The connection to the server is gone, or the server ended the work: what happened.
    #[cfg(feature = "postgres")]
    Lost(String),
    /// The schema has changed: what has changed.
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
            #[cfg(feature = "postgres")]
            Self::Lost(what) => StoreError::Unavailable { doing, what },
            Self::Drift(changes) => StoreError::Drift { doing, changes },
            Self::Constraint(Constraint { what, .. }) | Self::Other(what) => StoreError::failed(doing, what),
        }
    }
}

/// A fault, and the record class whose statement failed.
pub(crate) struct Trouble {
    pub(crate) class: Option<ClassName>,
    pub(crate) fault: Fault,
}

impl Trouble {
    /// Adds to a fault the class at which the fault happened.
    pub(crate) fn at(class: &ClassName) -> impl Fn(Fault) -> Self {
        move |fault| Self { class: Some(class.clone()), fault }
    }

    /// The error of the port. A constraint without a class belongs to the customers' own table.
    pub(crate) fn into_error(self, doing: &'static str, bound: &Bound) -> StoreError {
        match (self.fault, self.class) {
            (Fault::Constraint(constraint), class) => {
                let of_table = |table: &String| {
                    let class = bound.classes.iter().find(|class| class.table.eq_ignore_ascii_case(table));
                    class.map(|class| class.name.clone())
                };
                let class = class.or_else(|| constraint.table.as_ref().and_then(of_table));
                let class = class.unwrap_or_else(|| bound.data_map.root().clone());
                let constraint = constraint.named(bound, &class);
                StoreError::Constraint { doing, class, constraint }
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
