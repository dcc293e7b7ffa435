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
//! | `guards` | `active_subscription`, `several_tenants`, `not_archived`, `unpaid_invoice`, `open_dispute`; the holds `legal_claim`, `restriction`, `authority_order`; and states of the host's own that the data map names. Each is `"block"`, `"block sweep"` (a request passes), `{ ignore = "reason" }`, or `{ block = "reason", ground = "17(3)(e)", way_out = "…" }`: what stops a request has a ground in law, and a state of the host's own has to name it. One that is not named blocks, if the store or a gateway tells its fact |
//! | `anonymise` | per kind: `"remove"`, `"clear"`, `"token"`, `"invalidate"`, `{ constant = … }`, `{ placeholder = "… {date}" }` (also `{year}` and `{token}`), `{ token = "uuid" }` or another [form](crate::anonymise::TokenForm), `{ generalise = "uk_postcode" }` or another [generalisation](crate::anonymise::Generalisation), `{ truncate = 3 }`, `{ keep = "reason" }` |
//! | `treatments` | per record class: `"delete"`, `"anonymise"`, `"reassign"`, `{ keep = "reason" }`, or `{ action = "anonymise", keep = { field = "reason" }, fields = { field = rule } }`; per gateway: `gateway.stripe = "erase"` |
//!
//! `"remove"` is resolved by the check and shown in the plan: NULL where that is allowed, else the longest
//! dated placeholder that fits (`Anonymised 2018-12-15`; for e-mail an address under `.invalid`), else a token, and
//! in a column too short for any of these, whose values need not differ, a dash. A value that cannot be read as what
//! is to be generalised is removed, never kept.
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
pub use guard::{Ground, Guard, GuardRule, NotAGround};
pub use treatment::{ClassTreatment, GatewayAction, RecordAction, RecordChange, Treatment, TreatmentName};
pub use trigger::{NotAPeriod, Period, Trigger, TriggerRule};

/// A policy that was held against a data map: every line of it can be carried out.
#[derive(Clone, Debug)]
pub struct Policy {
    name: Option<String>,
    sweep: bool,
    triggers: BTreeMap<Trigger, TriggerRule>,
    guards: Vec<(Guard, GuardRule)>,
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

    /// What is said of a guard. One of which nothing is said blocks.
    pub fn guard(&self, guard: &Guard) -> &GuardRule {
        self.guards.iter().find(|(other, _)| other == guard).map_or(&GuardRule::Block, |(_, rule)| rule)
    }

    /// The guards that are looked at, and what is said of each.
    pub fn guards(&self) -> impl Iterator<Item = (&Guard, &GuardRule)> {
        self.guards.iter().map(|(guard, rule)| (guard, rule))
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
