//! What planning an expiry came to, and what came of one.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::customer::TenantId;
use crate::data_map::ClassName;
use crate::ledger::ExpiryRun;
use crate::plan::{ExpiryPlan, NothingExpires, acting, plural};
use crate::policy::Treatment;

/// What planning an expiry came to.
#[derive(Clone, Debug)]
pub enum PlannedExpiry {
    /// A plan to review.
    Plan(Box<ExpiryPlan>),
    /// Nothing expires, and this is why.
    Nothing(NothingExpires),
}

/// What came of an expiry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// The run. None where nothing was to be done; the ledger says nothing of it then.
    pub run: Option<ExpiryRun>,
    /// What came of it for each tenant; under none, of the records whose owner is gone.
    pub of: BTreeMap<Option<TenantId>, ExpiredOf>,
}

/// What came of an expiry for one tenant, or of records whose owner is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
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
    pub(super) fn add(&mut self, treatment: &Treatment, records: &BTreeMap<ClassName, u64>) {
        for (class, _) in acting(treatment) {
            *self.records.entry(class.clone()).or_default() +=
                records.get(class).copied().unwrap_or_default();
        }
    }

    /// Adds what came of others.
    pub(super) fn and(&mut self, other: Self) {
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

    pub(super) fn failed(&mut self, why: impl fmt::Display) {
        *self.failed.entry(why.to_string()).or_default() += 1;
    }

    pub(super) fn left(&self) -> u64 {
        self.changed + self.held.values().chain(self.failed.values()).sum::<u64>()
    }
}

impl Expired {
    /// Whether all that had expired was done, and nothing was left for the next run.
    pub fn is_complete(&self) -> bool {
        self.of.values().all(|of| of.left() == 0)
    }

    /// As JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let of = self.of.iter().map(|(tenant, of)| serde_json::json!({ "tenant": tenant, "expired": of }));
        serde_json::json!({ "run": self.run, "expired": of.collect::<Vec<_>>() })
    }
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.run {
            Some(run) => write!(f, "Expiry run {run}")?,
            None => write!(f, "Nothing was to be done")?,
        }
        for (tenant, of) in &self.of {
            match tenant {
                Some(tenant) => write!(f, "\n  tenant {tenant}")?,
                None => write!(f, "\n  nobody's")?,
            }
            for (class, count) in &of.records {
                write!(f, "\n    {class:<20} {count:>6} expired")?;
            }
            for (guard, count) in &of.held {
                write!(f, "\n    {count} {} held back: {guard}", plural(*count, "customer"))?;
            }
            if of.changed > 0 {
                let customers = plural(of.changed, "customer");
                write!(f, "\n    {} {customers} changed meanwhile; run it again", of.changed)?;
            }
            for (why, count) in &of.failed {
                write!(f, "\n    {count} not done: {why}")?;
            }
        }
        Ok(())
    }
}
