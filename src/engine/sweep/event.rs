//! The events of a sweep.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use super::place::SweepPlace;
use crate::customer::{CustomerId, TenantId};
use crate::engine::{Outcome, UnreadableCustomer};
use crate::plan::{ApprovalError, Blocked, Decision, NotYet, Plan};
use crate::policy::{BlastRadius, Trigger};
use crate::treatment::TreatmentName;
use crate::words::plural;

/// One event of a [`Sweep`](super::Sweep).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SweepEvent {
    /// A page of customers was surveyed.
    Surveyed(SurveyProgress),
    /// A customer is due.
    Due(Box<Plan>),
    /// A customer is due on a later day.
    NotYet {
        /// The customer.
        customer: CustomerId,
        /// The customer's tenant.
        tenant: TenantId,
        /// What will make the customer due, and when.
        not_yet: NotYet,
    },
    /// A customer is due, but something forbids the erasure. `blocked` says what forbids it, and since when the
    /// customer is overdue.
    Blocked {
        /// The customer.
        customer: CustomerId,
        /// The customer's tenant.
        tenant: TenantId,
        /// What blocks.
        blocked: Box<Blocked>,
    },
    /// Facts of a customer cannot be read.
    Unreadable(Box<UnreadableCustomer>),
    /// A customer may be due, but could not be surveyed. A gateway or the store did not answer, or the last census
    /// does not allow the treatment.
    Unsurveyed {
        /// The customer.
        customer: CustomerId,
        /// The customer's tenant.
        tenant: TenantId,
        /// Why not.
        why: String,
    },
    /// The survey is complete.
    Counted(Box<SweepCounts>),
    /// The erasure of some customers begins.
    Running {
        /// The number of customers.
        customers: u64,
    },
    /// A customer is erased.
    Closed {
        /// The customer.
        customer: CustomerId,
        /// The customer's tenant.
        tenant: TenantId,
        /// The outcome of the case.
        outcome: Box<Outcome>,
    },
    /// A customer who was due is not erased in this sweep.
    Left(Box<LeftCustomer>),
    /// Some more customers were processed.
    Ran(RunProgress),
    /// The sweep has ended. No event follows.
    Ended(SweepEnd),
}

/// How far a survey is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SurveyProgress {
    /// Customers surveyed so far.
    pub customers: u64,
    /// Customers found due so far.
    pub due: u64,
    /// Customers surveyed per second, by the engine's clock. `None`: no time has passed.
    pub per_second: Option<u64>,
}

/// How far the erasures are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunProgress {
    /// Customers erased so far.
    pub closed: u64,
    /// Customers left so far.
    pub left: u64,
    /// Customers still to come.
    pub remaining: u64,
    /// Customers processed per second, by the engine's clock. `None`: no time has passed.
    pub per_second: Option<u64>,
}

/// How a sweep ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SweepEnd {
    /// The sweep has processed all customers.
    Complete,
    /// The run would hit more customers than the policy's blast radius allows. Nothing was touched. A person has to
    /// check.
    Asks(Box<TooFar>),
    /// Somebody stopped the sweep. [`Engine::sweep_from`](crate::Engine::sweep_from) continues from this place.
    Stopped(Box<SweepPlace>),
}

/// A customer who was due, and is not erased in this sweep.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LeftCustomer {
    /// The customer.
    pub customer: CustomerId,
    /// The customer's tenant.
    pub tenant: TenantId,
    /// The first day on which the customer was due, if it is known. The customer is overdue since then.
    pub since: Option<NaiveDate>,
    /// Why the customer is left.
    pub why: WhyLeft,
}

/// Why a customer who was due is not erased in a sweep.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WhyLeft {
    /// A limit of the standing approval is reached. A later sweep continues.
    Limit,
    /// The mandate does not cover the customer's plan. It is for another tenant, trigger or policy, or the plan has
    /// changed.
    NotCovered(ApprovalError),
    /// The customer is not due any more. The decision is the policy's decision now.
    NotDue(Box<Decision>),
    /// The customer does not exist any more.
    Gone,
    /// The customer could not be planned again.
    NotPlanned(String),
    /// The case did not end in an erasure.
    Case(Box<Outcome>),
}

impl fmt::Display for WhyLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit => f.write_str("a limit of the standing approval is reached; a later sweep goes on"),
            Self::NotCovered(why) => write!(f, "{why}"),
            Self::NotDue(decision) => write!(f, "{decision}"),
            Self::Gone => f.write_str("there is no such customer any more"),
            Self::NotPlanned(why) => f.write_str(why),
            Self::Case(outcome) => write!(f, "{outcome}"),
        }
    }
}

/// The counts of a survey. Their size depends on the number of tenants and months, not on the number of customers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SweepCounts {
    /// All customers.
    pub customers: u64,
    /// Customers who are due.
    pub due: u64,
    /// Customers who are due on a later day.
    pub not_yet: u64,
    /// Customers for whom there is nothing to do.
    pub nothing: u64,
    /// Customers who are due and blocked.
    pub blocked: u64,
    /// Customers whose facts cannot be read.
    pub unreadable: u64,
    /// Customers who could not be surveyed.
    pub unsurveyed: u64,
    /// The numbers by tenant.
    pub tenants: BTreeMap<TenantId, TenantCounts>,
    /// Customers who become due in the coming months, by the first day of the month.
    pub months: BTreeMap<NaiveDate, u64>,
    /// The first day on which any of the due customers was due.
    pub oldest: Option<NaiveDate>,
    /// The last such day.
    pub newest: Option<NaiveDate>,
}

/// The counts of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TenantCounts {
    /// All customers.
    pub customers: u64,
    /// Customers who are due.
    pub due: u64,
}

impl SweepCounts {
    pub(super) fn meet(&mut self, tenant: &TenantId) {
        self.customers += 1;
        match self.tenants.get_mut(tenant) {
            Some(counts) => counts.customers += 1,
            None => drop(self.tenants.insert(tenant.clone(), TenantCounts { customers: 1, due: 0 })),
        }
    }

    pub(super) fn is_due(&mut self, plan: &Plan) {
        self.due += 1;
        self.tenants.entry(plan.tenant().clone()).or_default().due += 1;
        let since = plan.due().since;
        self.oldest = self.oldest.into_iter().chain(since).min();
        self.newest = self.newest.into_iter().chain(since).max();
    }

    pub(super) fn is_due_on(&mut self, day: NaiveDate) {
        self.not_yet += 1;
        if let Some(month) = day.with_day(1) {
            *self.months.entry(month).or_default() += 1;
        }
    }

    /// The number of customers of some tenants.
    pub(super) fn customers_of<'t>(&self, tenants: impl IntoIterator<Item = &'t TenantId>) -> u64 {
        tenants.into_iter().filter_map(|tenant| self.tenants.get(tenant)).map(|counts| counts.customers).sum()
    }
}

impl fmt::Display for SweepCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { customers, due, not_yet, nothing, blocked, unreadable, unsurveyed, .. } = self;
        write!(f, "{customers} {}: {due} due, {not_yet} not yet", plural(*customers, "customer"))?;
        write!(f, ", {nothing} with nothing to do, {blocked} blocked, {unreadable} unreadable")?;
        if *unsurveyed > 0 {
            write!(f, ", {unsurveyed} not surveyed")?;
        }
        Ok(())
    }
}

/// The number of customers whom a run would hit, of one tenant, with one trigger and one treatment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Hit {
    /// The tenant.
    pub tenant: TenantId,
    /// What made the customers due. `None`: the review has no column for it.
    pub trigger: Option<Trigger>,
    /// The treatment. `None`: the review has no column for it.
    pub treatment: Option<TreatmentName>,
    /// The number of customers.
    pub customers: u64,
}

/// A blast radius that a run would exceed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exceeded {
    /// The tenant with the limit. `None`: the limit for all customers together.
    pub tenant: Option<TenantId>,
    /// The limit.
    pub limit: BlastRadius,
    /// The number of customers that the limit allows.
    pub allowed: u64,
    /// The number of customers whom the run would hit.
    pub would_hit: u64,
}

/// Why a run stopped before anything was touched, and whom it would have hit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooFar {
    /// The limits. Never empty.
    pub exceeded: Vec<Exceeded>,
    /// Whom the run would have hit.
    pub hits: Vec<Hit>,
}

impl fmt::Display for TooFar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was touched, because the run would hit more customers than the policy allows:")?;
        for Exceeded { tenant, limit, allowed, would_hit } in &self.exceeded {
            let of = tenant.as_ref().map_or_else(String::new, |tenant| format!(" of tenant {tenant}"));
            write!(f, "\n  {would_hit} customers{of}; blast_radius is {limit}, which allows {allowed}")?;
        }
        for Hit { tenant, trigger, treatment, customers } in &self.hits {
            let trigger = trigger.map_or("not said", Trigger::as_str);
            let treatment = treatment.as_ref().map_or("not said", TreatmentName::as_str);
            write!(f, "\n  {customers} of tenant {tenant}: trigger {trigger}, treatment {treatment}")?;
        }
        let total: u64 = self.hits.iter().map(|hit| hit.customers).sum();
        write!(
            f,
            "\n  look why there are so many; if it is right, review the plans, and say the number in the approval ({total})"
        )
    }
}
