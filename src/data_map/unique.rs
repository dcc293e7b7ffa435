//! Unique indexes that compare more than the plain values of their columns.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::FieldName;

/// A unique index of the schema. `Display` names the index for a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    not(any(test, feature = "sqlite", feature = "postgres")),
    expect(dead_code, reason = "only a schema says it")
)]
pub(crate) enum UniqueRule {
    /// An index over plain columns: `UNIQUE (email, tenant)`.
    Columns(Vec<String>),
    /// An index with computed columns.
    Computed {
        columns: Vec<String>,
        /// The columns from which they are computed.
        from: Vec<String>,
    },
    /// An index over expressions, or over some of the rows.
    Index {
        name: String,
        /// The text of the schema after the opening bracket: `lower(email)) WHERE left_at IS NULL`.
        over: String,
    },
}

impl fmt::Display for UniqueRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Columns(columns) => write!(f, "UNIQUE ({})", columns.join(", ")),
            Self::Computed { columns, from } => {
                write!(f, "UNIQUE ({}), which is computed from {}", columns.join(", "), from.join(", "))
            }
            Self::Index { name, over } => write!(f, "unique index {name} ({over}"),
        }
    }
}

/// A unique index over expressions, over computed fields, or over some of the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct UniqueThrough {
    pub(crate) rule: UniqueRule,
    /// Every field on which the index depends.
    pub(crate) fields: BTreeSet<FieldName>,
    /// Those of the fields in which NULL counts as a duplicate.
    pub(crate) null_counts: BTreeSet<FieldName>,
}
