//! What planning an expiry came to, and what came of one.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::ledger::EndedEarly;
use crate::plan::{CaseId, ExpiredOf, ExpiryPlan, NothingExpires, RecordsOf};
use crate::words::plural;

/// What planning an expiry came to.
#[derive(Clone, Debug)]
pub enum PlannedExpiry {
    /// A plan to review.
    Plan(Box<ExpiryPlan>),
    /// Nothing expires, and this is why.
    Nothing(NothingExpires),
}

/// What came of an expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The case.
    pub case: CaseId,
    /// What came of it, by whose records they are.
    pub of: BTreeMap<RecordsOf, ExpiredOf>,
    /// Whether that is all of it. An answer of the store may have been lost; the records are treated then, and not counted.
    pub exact: bool,
    /// Why it came to an end before all was looked at, if it did.
    pub ended_early: Option<EndedEarly>,
}

impl Expired {
    /// Whether all that had expired was done, and nothing was left for the next run.
    pub fn is_complete(&self) -> bool {
        self.ended_early.is_none() && self.of.values().all(|of| of.left() == 0)
    }

    /// As JSON.
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

/// As [`to_json`](Expired::to_json).
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
