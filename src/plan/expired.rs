//! The results of an expiry so far, and the place where it continues.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::acting;
use crate::customer::{Cursor, TenantId};
use crate::data_map::ClassName;
use crate::treatment::Treatment;

/// Whose records expire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordsOf {
    /// The customers of a tenant.
    Tenant(TenantId),
    /// Customers whose tenant cannot be read. Their records are not touched.
    UnreadableTenant,
    /// Nobody: the records have no owner.
    Nobody,
}

impl RecordsOf {
    /// The tenant, if there is one that can be read.
    pub fn tenant(&self) -> Option<&TenantId> {
        if let Self::Tenant(tenant) = self { Some(tenant) } else { None }
    }
}

impl fmt::Display for RecordsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(tenant) => write!(f, "tenant {tenant}"),
            Self::UnreadableTenant => f.write_str("tenant unreadable"),
            Self::Nobody => f.write_str("nobody's"),
        }
    }
}

/// The results of an expiry for the customers of one tenant, or for ownerless records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiredOf {
    /// Customers for whom some records were treated and read back.
    pub customers: u64,
    /// The expired records by class: deleted records, and records that stay anonymised, in this run or an earlier
    /// run.
    pub records: BTreeMap<ClassName, u64>,
    /// Customers whose records were not touched, by the guard that forbids it.
    pub held: BTreeMap<String, u64>,
    /// Customers who changed between the check and the write. Their records were not touched; the next run looks
    /// again.
    pub changed: u64,
    /// Customers or parts that failed, by the reason. The next run tries again.
    pub failed: BTreeMap<String, u64>,
}

impl ExpiredOf {
    pub(crate) fn add(&mut self, treatment: &Treatment, records: &BTreeMap<ClassName, u64>) {
        for (class, _) in acting(treatment) {
            *self.records.entry(class.clone()).or_default() +=
                records.get(class).copied().unwrap_or_default();
        }
    }

    /// Adds other results.
    pub(crate) fn and(&mut self, other: Self) {
        let Self { customers, records, held, changed, failed } = other;
        self.customers += customers;
        self.changed += changed;
        for (class, count) in records {
            *self.records.entry(class).or_default() += count;
        }
        for (sum, counts) in [(&mut self.held, held), (&mut self.failed, failed)] {
            for (why, count) in counts {
                *sum.entry(why).or_default() += count;
            }
        }
    }

    pub(crate) fn failed(&mut self, why: impl fmt::Display) {
        *self.failed.entry(why.to_string()).or_default() += 1;
    }

    /// The number of customers for whom the next run still has something to do.
    pub fn left(&self) -> u64 {
        self.changed + self.held.values().chain(self.failed.values()).sum::<u64>()
    }
}

/// The place where an expiry continues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExpiryPlace {
    /// A page of customers. The "Unknown Customers" of the tenants come last, after all other customers.
    Customers {
        /// Whether the "Unknown Customers" are being processed.
        stand_ins: bool,
        /// The cursor after which the page starts. `None`: from the start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Cursor>,
    },
    /// A part of the ownerless records.
    Ownerless {
        /// The number of earlier counts. Triggers may have written more ownerless records in between.
        looks: u32,
        /// The number of records to treat at the last count.
        due: u64,
        /// The number of parts done since.
        parts: u32,
        /// The cursor after which the part starts. `None`: the records are counted next.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Cursor>,
        /// What was refused since the last count, by the reason.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        refused: BTreeMap<String, u64>,
    },
}

/// The result of one part of an expiry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryPart {
    /// The place where the expiry continues.
    pub place: ExpiryPlace,
    /// Records that still had something to do when they were counted.
    pub found: u64,
    /// The results, by the owners of the records.
    pub of: Vec<(RecordsOf, ExpiredOf)>,
}
