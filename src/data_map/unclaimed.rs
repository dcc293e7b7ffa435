//! Rows of a mapped table that no class claims, and that reference the records of a class.

use std::fmt;

use serde::Serialize;

/// Rows of a mapped table that no class claims, with a foreign key to the records of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Unclaimed {
    pub(crate) table: String,
    /// The columns of the foreign key.
    pub(crate) columns: Vec<String>,
    pub(crate) on_delete: RowOnDelete,
}

/// What the database does to a row when the record that its foreign key references is deleted. `Display` shows the
/// SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    expect(dead_code, reason = "only a schema says it")
)]
pub(crate) enum RowOnDelete {
    Cascade,
    SetNull,
    SetDefault,
    NoAction,
}

impl RowOnDelete {
    /// The consequence for an erasure.
    pub(crate) fn consequence(self) -> &'static str {
        match self {
            Self::Cascade => "the database would delete rows that nobody counted",
            Self::SetNull | Self::SetDefault => "the database would write to rows that nobody counted",
            Self::NoAction => "such rows would block the erasure of their customer",
        }
    }
}

impl fmt::Display for RowOnDelete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
            Self::NoAction => "NO ACTION",
        })
    }
}
