//! The effect of a policy change, before it happens.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::decide::decide;
use super::decision::{Asked, Decision, TreatedBefore};
use crate::customer::{Customer, TenantId};
use crate::data_map::ClassName;
use crate::policy::{Policy, Trigger};
use crate::treatment::{RecordAction, TreatmentName};

/// The number of customers whose decision changes from one policy to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shift {
    /// Due under the new policy, but not under the old one.
    pub due: u64,
    /// Due under both policies, but treated differently.
    pub treated_otherwise: u64,
    /// Blocked under the new policy, but not under the old one.
    pub blocked: u64,
    /// Due or blocked under the old policy, but neither under the new one.
    pub released: u64,
}

/// The effect of another policy, added up customer by customer. Memory does not grow with the number of customers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// The number of customers that were counted.
    pub customers: u64,
    /// The number of customers who are due under the new policy: its first sweep would erase them at once.
    pub at_once: u64,
    /// The number of customers who are due under the old policy.
    pub due_before: u64,
    /// The shift of all customers.
    pub total: Shift,
    /// The shift by the trigger that decides under the new policy. For released customers, by the trigger under the
    /// old policy.
    pub triggers: BTreeMap<Trigger, Shift>,
    /// The shift by tenant.
    pub tenants: BTreeMap<TenantId, Shift>,
    /// The shift by record class that is not kept: the number of customers whose records of the class are affected.
    pub classes: BTreeMap<ClassName, Shift>,
}

/// The kind of a decision.
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
    /// Adds one customer, with the decision of the sweep under each of the two policies.
    ///
    /// If a customer was treated before and today's treatment differs, only a count of the records would show whether
    /// anything is left to do. Such a customer counts as due, so that no number is too small.
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
        // The records that the new policy treats, or that the old policy treated.
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

/// The earlier cases, if none of them has the treatment of the new policy.
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

/// The effect of another policy on customers who were never treated before. The customers are processed one by one,
/// and not kept in memory.
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
