//! The results of planning an expiry and of carrying it out.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::ledger::EndedEarly;
use crate::plan::{CaseId, ExpiredOf, ExpiryPlan, NothingExpires, RecordsOf};
use crate::words::plural;

/// The result of planning an expiry.
#[derive(Clone, Debug)]
pub enum PlannedExpiry {
    /// A plan to review.
    Plan(Box<ExpiryPlan>),
    /// Nothing expires, for this reason.
    Nothing(NothingExpires),
}

/// The result of an expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The case.
    pub case: CaseId,
    /// The results, by the owners of the records.
    pub of: BTreeMap<RecordsOf, ExpiredOf>,
    /// Whether the counts are complete. They are not if an answer of the store was lost: its records were treated but
    /// not counted.
    pub exact: bool,
    /// Why the expiry ended before it was complete, if it did.
    pub ended_early: Option<EndedEarly>,
}

impl Expired {
    /// Whether everything that had expired was treated, and nothing is left for the next run.
    pub fn is_complete(&self) -> bool {
        self.ended_early.is_none() && self.of.values().all(|of| of.left() == 0)
    }

    /// The result as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let of =
            self.of.iter().map(|(tenant, of)| serde_json::json!({ "records_of": tenant, "expired": of }));
        serde_json::json!({
            "case": self.case,
            "expired": of.collect::<Vec<_>>(),
            "exact": self.exact,
            "ended_early": self.ended_early.as_ref().map(ToString::to_string),
        })
    }
}

/// Serialises as [`to_json`](Expired::to_json).
impl Serialize for Expired {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expiry, case {}", self.case)?;
        if let Some(why) = &self.ended_early {
            write!(f, "\n  ended early: {why}")?;
        }
        if !self.exact {
            write!(f, "\n  an answer was lost: more may be treated than is counted")?;
        }
        for (tenant, of) in &self.of {
            write!(f, "\n  {tenant}")?;
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
