//! What must happen, when and why.
//!
//! A policy is a short document, TOML or JSON. What happens to each *kind* of personal data is said once;
//! a treatment is one line per record class; triggers choose a treatment; guards forbid. It is read in two
//! steps: [`PolicyDocument::from_toml`] knows the grammar, [`PolicyDocument::check`] holds it against a
//! [`DataMap`](crate::DataMap) and gives a [`Policy`], which can be carried out as it stands.
//!
//! | key | says |
//! |---|---|
//! | `version` | `1` |
//! | `name` | whose policy it is; for people |
//! | `sweep` | the switch: `false` means that nothing is ever erased without a request |
//! | `triggers` | `requested`, `cancelled`, `deleted`: the treatment, and for the last two `after` how long `since` which date (their own by default) |
//! | `guards` | `active_subscription`, `several_tenants`, `not_archived`: `"block"`, `"block sweep"` (a request passes) or `{ ignore = "reason" }`. One that is not named blocks |
//! | `anonymise` | per kind: `"remove"`, `"clear"`, `"token"`, `"invalidate"`, `{ constant = … }`, `{ placeholder = "… {date}" }`, `{ keep = "reason" }` |
//! | `treatments` | per record class: `"delete"`, `"anonymise"`, `"reassign"`, `{ keep = "reason" }`, or `{ action = "anonymise", keep = { field = "reason" }, fields = { field = rule } }`; per gateway: `gateway.stripe = "erase"` |
//!
//! `"remove"` is resolved by the check and shown in the plan: NULL where that is allowed, else the longest
//! dated placeholder that fits (`Anonymised 2018-12-15`; for e-mail an address under `.invalid`), else a token, and
//! in a column too short for any of these, whose values need not differ, a dash.
//!
//! ```toml
//! version = 1
//! sweep = true
//!
//! [triggers]
//! requested = { treatment = "clear" }
//! cancelled = { after = "90 days", treatment = "clear" }
//!
//! [guards]
//! active_subscription = "block"
//! several_tenants = { ignore = "every customer is ours alone" }
//! not_archived = "block"
//!
//! [anonymise]
//! name = "remove"
//! email = "token"
//! password = "invalidate"
//!
//! [treatments.clear]
//! customer = "anonymise"
//! call_record = "delete"
//! order = { keep = "turnover statistics; no personal field" }
//! gateway.stripe = "erase"
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::digest::Digest;

mod check;
mod document;
mod guard;
mod treatment;
mod trigger;

pub use document::PolicyDocument;
pub use guard::{Guard, GuardRule};
pub use treatment::{ClassTreatment, GatewayAction, RecordAction, RecordChange, Treatment, TreatmentName};
pub use trigger::{NotAPeriod, Period, Trigger, TriggerRule};

/// A policy that was held against a data map: every line of it can be carried out.
#[derive(Clone, Debug)]
pub struct Policy {
    name: Option<String>,
    sweep: bool,
    triggers: BTreeMap<Trigger, TriggerRule>,
    guards: BTreeMap<Guard, GuardRule>,
    treatments: BTreeMap<TreatmentName, Arc<Treatment>>,
    digests: BTreeMap<TreatmentName, Digest>,
    digest: Digest,
    map_digest: Digest,
}

impl Policy {
    /// Whose policy it is.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether the sweep erases at all.
    pub fn sweeps(&self) -> bool {
        self.sweep
    }

    /// What makes a customer due.
    pub fn triggers(&self) -> &BTreeMap<Trigger, TriggerRule> {
        &self.triggers
    }

    /// What is said of a guard.
    pub fn guard(&self, guard: Guard) -> &GuardRule {
        self.guards.get(&guard).unwrap_or(&GuardRule::Block)
    }

    /// The treatments by name.
    pub fn treatments(&self) -> &BTreeMap<TreatmentName, Arc<Treatment>> {
        &self.treatments
    }

    /// [`Treatment::digest`], computed once.
    pub(crate) fn treatment_digest(&self, treatment: &TreatmentName) -> Option<Digest> {
        self.digests.get(treatment).copied()
    }

    /// Names the document as it is written. TOML and JSON of the same content have the same digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Names the data map against which it was held.
    pub fn map_digest(&self) -> Digest {
        self.map_digest
    }
}
