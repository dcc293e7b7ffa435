//! What came of an expiry so far, and where it goes on.

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
    /// Customers whose tenant cannot be read. Nothing of theirs is touched.
    UnreadableTenant,
    /// Nobody: the owner is gone.
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

/// What came of an expiry for the customers of one tenant, or of records whose owner is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiredOf {
    /// Customers of whom something was done, and read back.
    pub customers: u64,
    /// By class, the records that have expired: those that went, and those that stay anonymised, whichever run did it.
    pub records: BTreeMap<ClassName, u64>,
    /// Customers of whom nothing was touched, by the guard that forbids it.
    pub held: BTreeMap<String, u64>,
    /// Customers who changed between the look and the act. Nothing of theirs was touched; the next run looks again.
    pub changed: u64,
    /// Customers, or parts, that could not be done, by the reason. The next run tries again.
    pub failed: BTreeMap<String, u64>,
}

impl ExpiredOf {
    pub(crate) fn add(&mut self, treatment: &Treatment, records: &BTreeMap<ClassName, u64>) {
        for (class, _) in acting(treatment) {
            *self.records.entry(class.clone()).or_default() +=
                records.get(class).copied().unwrap_or_default();
        }
    }

    /// Adds what came of others.
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

    /// Customers of whom something is left for the next run.
    pub fn left(&self) -> u64 {
        self.changed + self.held.values().chain(self.failed.values()).sum::<u64>()
    }
}

/// Where an expiry goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExpiryPlace {
    /// With a page of customers; of the stand-ins for nobody known, which come last, or of the others.
    Customers {
        /// Whether it is the stand-ins' turn.
        stand_ins: bool,
        /// After which place. None: from the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Cursor>,
    },
    /// With a part of the records whose owner is gone.
    Ownerless {
        /// How often they were counted before. Triggers may have written more of them meanwhile.
        looks: u32,
        /// How many there were to treat when they were last counted.
        due: u64,
        /// How many parts were done since.
        parts: u32,
        /// After which place. None: they are counted next.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Cursor>,
        /// What was refused since they were last counted, by the reason.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        refused: BTreeMap<String, u64>,
    },
}

/// What came of one part of an expiry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryPart {
    /// Where it goes on.
    pub place: ExpiryPlace,
    /// Records that had something to do, as they were counted before.
    pub found: u64,
    /// What came of it, by whose records they are.
    pub of: Vec<(RecordsOf, ExpiredOf)>,
}
