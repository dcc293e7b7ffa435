//! What a change of the policy would hit, before it happens.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::decide::{Asked, Decision, TreatedBefore, decide};
use crate::customer::{Customer, TenantId};
use crate::data_map::ClassName;
use crate::policy::{Policy, Trigger};
use crate::treatment::{RecordAction, TreatmentName};

/// How many customers change from one policy to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shift {
    /// Due under the new policy, and not under the old one.
    pub due: u64,
    /// Due under both, and treated in another way.
    pub treated_otherwise: u64,
    /// Blocked under the new policy, and not under the old one.
    pub blocked: u64,
    /// Due or blocked under the old policy, and neither under the new one.
    pub released: u64,
}

/// What another policy would hit: added up customer by customer, in the memory that the tables take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// How many customers were looked at.
    pub customers: u64,
    /// How many are due under the new policy: what its first sweep would erase at once.
    pub at_once: u64,
    /// How many were due under the old one.
    pub due_before: u64,
    /// All of them.
    pub total: Shift,
    /// By the trigger that decides under the new policy; for the released, under the old one.
    pub triggers: BTreeMap<Trigger, Shift>,
    /// By tenant.
    pub tenants: BTreeMap<TenantId, Shift>,
    /// By record class that is not kept: how many customers' records of it are concerned.
    pub classes: BTreeMap<ClassName, Shift>,
}

/// What one decision comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Due,
    Blocked,
    Neither,
}

fn state(decision: &Decision) -> (State, Option<Trigger>, Option<&TreatmentName>) {
    match decision {
        Decision::Due(due) => (State::Due, Some(due.trigger), Some(&due.treatment)),
        Decision::Blocked(blocked) => (State::Blocked, blocked.trigger, None),
        Decision::NotYet(_) | Decision::Nothing(_) => (State::Neither, None, None),
    }
}

impl Impact {
    /// Adds one customer, as the schedule would find them under either policy.
    ///
    /// Of one who was treated before and whose treatment would be another one now, it cannot be known without counting
    /// whether anything is left to do: they count as due, so that no number is too small.
    pub fn add(
        &mut self,
        old: &Policy,
        new: &Policy,
        customer: &Customer,
        before: &[TreatedBefore],
        at: DateTime<Utc>,
    ) {
        let first = decide(old, customer, &Asked::Sweep, before, at);
        let grown = match before {
            [] => Vec::new(),
            _ => of_another_treatment(new, customer, before, at),
        };
        let second = decide(new, customer, &Asked::Sweep, if grown.is_empty() { before } else { &grown }, at);
        self.customers += 1;
        let ((was, old_trigger, old_treatment), (is, new_trigger, new_treatment)) =
            (state(&first), state(&second));
        self.due_before += u64::from(was == State::Due);
        self.at_once += u64::from(is == State::Due);
        let treated = |policy: &Policy, name: Option<&TreatmentName>| {
            let effective = policy.effective(&customer.tenant);
            name.and_then(|name| effective.treatment_digest(name))
        };
        let count: fn(&mut Shift) -> &mut u64 = match (was, is) {
            (State::Due, State::Due) if treated(old, old_treatment) == treated(new, new_treatment) => return,
            (State::Due, State::Due) => |shift| &mut shift.treated_otherwise,
            (_, State::Due) => |shift| &mut shift.due,
            (State::Blocked, State::Blocked) | (State::Neither, State::Neither) => return,
            (_, State::Blocked) => |shift| &mut shift.blocked,
            (_, State::Neither) => |shift| &mut shift.released,
        };
        *count(&mut self.total) += 1;
        if let Some(trigger) = new_trigger.or(old_trigger) {
            *count(self.triggers.entry(trigger).or_default()) += 1;
        }
        match self.tenants.get_mut(&customer.tenant) {
            Some(shift) => *count(shift) += 1,
            None => *count(self.tenants.entry(customer.tenant.clone()).or_default()) += 1,
        }
        // The records that are treated, or were.
        let (policy, name) = match new_treatment {
            Some(name) => (new, Some(name)),
            None => (old, old_treatment),
        };
        let treatment = name.and_then(|name| policy.effective(&customer.tenant).treatments().get(name));
        for (class, rule) in treatment.into_iter().flat_map(|treatment| treatment.classes()) {
            if matches!(rule.action(), RecordAction::Keep { .. }) {
                continue;
            }
            match self.classes.get_mut(class) {
                Some(shift) => *count(shift) += 1,
                None => *count(self.classes.entry(class.clone()).or_default()) += 1,
            }
        }
    }
}

/// What was done before, where the new policy would treat the customer in a way that is not among it.
fn of_another_treatment(
    new: &Policy,
    customer: &Customer,
    before: &[TreatedBefore],
    at: DateTime<Utc>,
) -> Vec<TreatedBefore> {
    let effective = new.effective(&customer.tenant);
    let digest = match decide(new, customer, &Asked::Sweep, &[], at) {
        Decision::Due(due) => effective.treatment_digest(&due.treatment),
        _ => None,
    };
    if before.iter().any(|done| Some(done.treatment) == digest) {
        return Vec::new();
    }
    before.iter().map(|done| TreatedBefore { anything_left: true, ..done.clone() }).collect()
}

/// What another policy would hit, over any number of customers who were never treated before. They are looked at one by
/// one and not held.
pub fn impact<C: Borrow<Customer>>(
    old: &Policy,
    new: &Policy,
    customers: impl IntoIterator<Item = C>,
    at: DateTime<Utc>,
) -> Impact {
    let mut impact = Impact::default();
    for customer in customers {
        impact.add(old, new, customer.borrow(), &[], at);
    }
    impact
}

impl fmt::Display for Impact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { customers, at_once, due_before, total, triggers, tenants, classes } = self;
        writeln!(
            f,
            "of {customers} customers the new policy would erase {at_once} at once; {due_before} are due now"
        )?;
        let mut line = |indent: &str, name: &str, shift: &Shift| {
            let Shift { due, treated_otherwise, blocked, released } = shift;
            writeln!(
                f,
                "{indent}{name}: {due} become due, {treated_otherwise} treated otherwise, {blocked} become blocked, \
                 {released} released"
            )
        };
        line("", "in all", total)?;
        for (trigger, shift) in triggers {
            line("  ", &format!("trigger {trigger}"), shift)?;
        }
        for (tenant, shift) in tenants {
            line("  ", &format!("tenant {tenant}"), shift)?;
        }
        for (class, shift) in classes {
            line("  ", &format!("record class {class}"), shift)?;
        }
        Ok(())
    }
}
