//! Data that no erasure reaches, as facts. `Display` makes the sentences for a person.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ClassName, FieldName, StoreName};

/// Something that a data map leaves out on purpose. `Display` shows it in words: `table audit_marks`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IgnoredPart {
    /// A table.
    Table(String),
    /// The rows of a table that no record class claims.
    RestOf(String),
    /// A trigger.
    Trigger(String),
    /// Something else, in the host's words.
    Other(String),
}

impl From<&str> for IgnoredPart {
    fn from(what: &str) -> Self {
        Self::Other(what.to_owned())
    }
}

impl From<String> for IgnoredPart {
    fn from(what: String) -> Self {
        Self::Other(what)
    }
}

impl fmt::Display for IgnoredPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => write!(f, "table {table}"),
            Self::RestOf(table) => write!(f, "rows of table {table} that no class claims"),
            Self::Trigger(trigger) => write!(f, "trigger {trigger}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// Something that an erasure does not reach. Plans and certificates list each of them.
///
/// The JSON contains only facts: names, numbers, and texts from the host's map. `Display` makes a sentence.
///
/// ```
/// use relinquish::data_map::NotCovered;
///
/// assert_eq!(NotCovered::Backups.to_string(), "backup copies, until they age out");
/// assert_eq!(serde_json::to_string(&NotCovered::Backups)?, "\"backups\"");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NotCovered {
    /// Something that the data map leaves out on purpose.
    Ignored {
        /// The part that is left out.
        what: IgnoredPart,
        /// The reason from the map.
        reason: String,
    },
    /// Mentions of the person in fields that stay, or in records of others.
    Mentions,
    /// Databases, documents, logs and search indexes outside the store.
    OtherSystems,
    /// Backup copies.
    Backups,
    /// Tables that the data map does not name, and that no foreign key ties to a customer.
    Tables(Vec<String>),
    /// Data that a trigger on a mapped table writes to a table that the map ignores.
    WrittenByTrigger {
        /// The trigger.
        trigger: String,
        /// Its table.
        table: String,
        /// The table to which it writes.
        to: String,
    },
    /// Older versions, replicas and backups of the objects of a class in an object store.
    ObjectVersions(ClassName),
    /// Records in a store beside the root store that reference a customer who is not in the root store.
    OwnersElsewhere(StoreName),
    /// Rows that a census counted.
    Rows {
        /// Which rows.
        which: UnreachedRows,
        /// The number of rows.
        rows: u64,
        /// Why no erasure reaches them.
        because: RowsBecause,
        /// When they were counted.
        at: DateTime<Utc>,
    },
    /// Something else, in the host's words.
    Other(String),
}

/// Rows that a census counted, and that no erasure reaches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UnreachedRows {
    /// Rows of a table that no record class claims.
    Unclaimed {
        /// The table.
        table: String,
    },
    /// Records without a reference to an owner.
    NoOwner {
        /// The class.
        class: ClassName,
    },
    /// Records that reference an owner who does not exist.
    OwnerGone {
        /// The class.
        class: ClassName,
    },
    /// Values in which people cannot be searched.
    Unsearchable {
        /// The class.
        class: ClassName,
        /// The field.
        field: FieldName,
    },
    /// Records whose date or state cannot be read.
    Unreadable {
        /// The class.
        class: ClassName,
        /// The field of the records, or the fact of the customers: `date created`.
        fact: String,
    },
    /// Records with fields of the person to whom a link leads, where the link leads nowhere.
    FieldsOfNobody {
        /// The class.
        class: ClassName,
        /// The link.
        link: String,
    },
}

/// Why no erasure reaches the rows that a census counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RowsBecause {
    /// The map gives this reason.
    Given(String),
    /// The rows belong to records that have no owner.
    Hanging,
    /// The map gives no reason.
    NotGiven,
    /// The values cannot be read, so they are not searched. They are bytes, text in another encoding, or a document
    /// that is not JSON.
    NotText,
    /// A date that cannot be read makes nothing due, and ends no duty.
    NoDate,
    /// Such fields are written when the person leaves to whom the link leads, and the link leads to nobody.
    LeadsNowhere,
}

impl From<&str> for NotCovered {
    fn from(what: &str) -> Self {
        Self::Other(what.to_owned())
    }
}

impl From<String> for NotCovered {
    fn from(what: String) -> Self {
        Self::Other(what)
    }
}

impl fmt::Display for NotCovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ignored { what, reason } => write!(f, "{what}, ignored by the data map: {reason}"),
            Self::Mentions => {
                f.write_str("mentions of the person in fields that stay, or in records of others")
            }
            Self::OtherSystems => {
                f.write_str("databases, documents, logs and search indexes outside this store")
            }
            Self::Backups => f.write_str("backup copies, until they age out"),
            Self::Tables(tables) => {
                write!(f, "tables that the data map does not name: {}", tables.join(", "))
            }
            Self::WrittenByTrigger { trigger, table, to } => {
                write!(f, "what trigger {trigger} on table {table} writes to {to}")
            }
            Self::ObjectVersions(class) => write!(
                f,
                "older versions, replicas and backups of the objects of {class}: an object store does not tell of them"
            ),
            Self::OwnersElsewhere(store) => {
                write!(
                    f,
                    "records in {store} that name a customer whom the root store does not have: nobody counts them"
                )
            }
            Self::Rows { which, rows, because, at } => {
                which.write(f, *rows)?;
                write!(f, ": {because} (census of {})", at.format("%F %H:%M UTC"))
            }
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl UnreachedRows {
    fn write(&self, f: &mut fmt::Formatter<'_>, rows: u64) -> fmt::Result {
        let s = if rows == 1 { "" } else { "s" };
        match self {
            Self::Unclaimed { table } => write!(f, "{rows} row{s} of {table} that no record class claims"),
            Self::NoOwner { class } => write!(f, "{rows} record{s} of {class} without an owner"),
            Self::OwnerGone { class } => write!(f, "{rows} record{s} of {class} whose owner is not there"),
            Self::Unsearchable { class, field } => write!(f, "{rows} value{s} of {class}.{field}"),
            Self::Unreadable { class, fact } => {
                let fact = fact.strip_prefix("the ").unwrap_or(fact);
                write!(f, "{rows} record{s} of {class} in which {fact} cannot be read")
            }
            Self::FieldsOfNobody { class, link } => {
                write!(f, "{rows} record{s} of {class} with fields of whoever {link} leads to")
            }
        }
    }
}

impl fmt::Display for RowsBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given(reason) => reason,
            Self::Hanging => "they hang from records that nobody has",
            Self::NotGiven => "the map gives no reason",
            Self::NotText => "what cannot be read as text, or as JSON of the shape that the map says, stops an erasure that has to read it",
            Self::NoDate => "nothing is due by it, and no duty ends by it",
            Self::LeadsNowhere => "the link leads nowhere there, so no erasure writes these fields",
        })
    }
}
