//! The result of a survey: the customers who are due, and how many become due in which month. It also has the run of
//! a review.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{Datelike, NaiveDate};
use relinquish::engine::{SweepEnd, SweepEvent, WhyLeft};
use relinquish::plan::review::{ApprovedReview, Review, ReviewedPlan};
use relinquish::plan::{Blocked, OperatorId};
use relinquish::policy::Trigger;
use relinquish::treatment::TreatmentName;
use relinquish::{Engine, Outcome, Plan, TenantId};

use crate::answer::told;
use crate::desk::Slot;

/// A customer who is due. The number of the row is its position in the survey.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) reviewed: ReviewedPlan,
    pub(crate) since: Option<NaiveDate>,
    pub(crate) records: u64,
    pub(crate) deferred: u64,
    pub(crate) outcome: &'static str,
}

/// The counts of one tenant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) customers: u64,
    pub(crate) due: u64,
    pub(crate) not_yet: u64,
    pub(crate) unreadable: u64,
    pub(crate) unsurveyed: u64,
    /// The number of due customers whose erasure is blocked, by the reason.
    pub(crate) blocked: BTreeMap<String, u64>,
    /// The number of customers who become due, by the first day of the month.
    pub(crate) months: BTreeMap<NaiveDate, u64>,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.customers += other.customers;
        self.due += other.due;
        self.not_yet += other.not_yet;
        self.unreadable += other.unreadable;
        self.unsurveyed += other.unsurveyed;
        for (by, count) in &other.blocked {
            *self.blocked.entry(by.clone()).or_default() += count;
        }
        for (month, count) in &other.months {
            *self.months.entry(*month).or_default() += count;
        }
    }

    pub(crate) fn all_blocked(&self) -> u64 {
        self.blocked.values().sum()
    }
}

/// A whole survey.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) rows: Vec<Row>,
    tenants: BTreeMap<TenantId, Counts>,
    chosen: Mutex<Chosen>,
}

/// The rows that operators have struck out, and the last review of the other rows. The review is kept, because
/// building it for very many rows takes seconds, and each page before a run shows it again.
#[derive(Debug, Default)]
struct Chosen {
    /// The rows that are struck out. Every operator sees them.
    struck: BTreeSet<usize>,
    review: Option<(Filter, BTreeSet<TenantId>, Review)>,
}

impl Survey {
    /// Surveys all customers. The operator `by` counts as the planner of the plans.
    pub(crate) async fn take(engine: &Engine, by: &OperatorId) -> Result<Self, String> {
        let mut survey = Self::default();
        let mut events = engine.survey_all();
        while let Some(event) = events.next().await {
            survey.add(event.map_err(|error| told(&error))?, by);
        }
        Ok(survey)
    }

    fn add(&mut self, event: SweepEvent, by: &OperatorId) {
        match event {
            SweepEvent::Due(plan) => self.rows.push(Row::of(&plan.planned_by(by.clone()))),
            SweepEvent::NotYet { tenant, not_yet, .. } => {
                let of = self.tenants.entry(tenant).or_default();
                of.not_yet += 1;
                let month = not_yet.until.with_day(1).unwrap_or(not_yet.until);
                *of.months.entry(month).or_default() += 1;
            }
            SweepEvent::Blocked { tenant, blocked, .. } => {
                let of = self.tenants.entry(tenant).or_default();
                *of.blocked.entry(name_of(&blocked)).or_default() += 1;
            }
            SweepEvent::Unreadable(unreadable) => {
                self.tenants.entry(unreadable.tenant).or_default().unreadable += 1;
            }
            SweepEvent::Unsurveyed { tenant, .. } => {
                self.tenants.entry(tenant).or_default().unsurveyed += 1;
            }
            SweepEvent::Counted(counts) => {
                for (tenant, counted) in counts.tenants {
                    let of = self.tenants.entry(tenant).or_default();
                    (of.customers, of.due) = (counted.customers, counted.due);
                }
            }
            _ => {}
        }
    }

    /// The sum of the counts of some tenants.
    pub(crate) fn counts(&self, tenants: &BTreeSet<TenantId>) -> Counts {
        let mut all = Counts::default();
        self.tenants.iter().filter(|(tenant, _)| tenants.contains(*tenant)).for_each(|(_, of)| all.add(of));
        all
    }

    pub(crate) fn customers_of(&self, tenant: &TenantId) -> u64 {
        self.tenants.get(tenant).map_or(0, |of| of.customers)
    }

    fn chosen(&self) -> MutexGuard<'_, Chosen> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Strikes rows out, or includes them again.
    pub(crate) fn strike(&self, rows: impl IntoIterator<Item = usize>, out: bool) {
        let mut chosen = self.chosen();
        for row in rows {
            let is_new = if out { chosen.struck.insert(row) } else { chosen.struck.remove(&row) };
            if is_new {
                chosen.review = None;
            }
        }
    }

    pub(crate) fn struck(&self) -> BTreeSet<usize> {
        self.chosen().struck.clone()
    }

    /// The review of the rows that are not struck out.
    pub(crate) fn review(&self, filter: &Filter, tenants: &BTreeSet<TenantId>) -> Review {
        let mut chosen = self.chosen();
        if let Some((of, by, review)) = &chosen.review
            && (of, by) == (filter, tenants)
        {
            return review.clone();
        }
        let rows = self.rows.iter().enumerate().filter(|(number, row)| {
            tenants.contains(&row.reviewed.tenant) && filter.has(row) && !chosen.struck.contains(number)
        });
        let review = Review::new(rows.map(|(_, row)| row.reviewed.clone()));
        chosen.review = Some((filter.clone(), tenants.clone(), review.clone()));
        review
    }
}

/// The name of the guard that blocks a customer.
fn name_of(blocked: &Blocked) -> String {
    match blocked.by.first() {
        Some(by) if by.hold.is_some() => "hold".to_owned(),
        Some(by) => {
            by.guard.as_ref().map_or_else(|| "unreadable".to_owned(), |guard| guard.as_str().to_owned())
        }
        None => "unreadable".to_owned(),
    }
}

impl Row {
    fn of(plan: &Plan) -> Self {
        Self {
            reviewed: ReviewedPlan::of(plan),
            since: plan.due().since,
            records: plan.tally().due(),
            deferred: plan.deferred().iter().filter_map(|deferred| deferred.rows).sum(),
            outcome: plan.outcome(),
        }
    }
}

/// The rows of a survey that an operator looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) tenant: Option<TenantId>,
    pub(crate) trigger: Option<Trigger>,
    pub(crate) treatment: Option<TreatmentName>,
}

impl Filter {
    pub(crate) fn has(&self, row: &Row) -> bool {
        let row = &row.reviewed;
        self.tenant.as_ref().is_none_or(|tenant| *tenant == row.tenant)
            && self.trigger.is_none_or(|trigger| Some(trigger) == row.trigger)
            && self.treatment.as_ref().is_none_or(|treatment| Some(treatment) == row.treatment.as_ref())
    }
}

/// Why a customer of a review was not erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Left {
    /// A limit is reached.
    Limit,
    /// The customer has changed since the review, or does not exist any more.
    Changed,
    /// The case is open: it waits or is blocked.
    Open,
    /// The plan could not be made.
    NotPlanned,
}

impl From<&WhyLeft> for Left {
    fn from(why: &WhyLeft) -> Self {
        match why {
            WhyLeft::Limit => Self::Limit,
            WhyLeft::Case(outcome) => match **outcome {
                Outcome::Blocked { .. }
                | Outcome::Waiting { .. }
                | Outcome::Held { .. }
                | Outcome::TakenOver { .. }
                | Outcome::OtherRules { .. }
                | Outcome::Conflict { .. } => Self::Open,
                _ => Self::Changed,
            },
            WhyLeft::NotCovered(_) | WhyLeft::NotDue(_) | WhyLeft::Gone => Self::Changed,
            _ => Self::NotPlanned,
        }
    }
}

/// The progress of the run of a review.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) customers: u64,
    pub(crate) erased: u64,
    /// Customers who were not erased, by the reason.
    pub(crate) left: BTreeMap<Left, u64>,
    pub(crate) tenants: BTreeSet<TenantId>,
    pub(crate) is_over: bool,
    /// The question that the run has for a person, if it has one.
    pub(crate) asks: Option<String>,
}

impl Run {
    pub(crate) fn of(review: &Review) -> Self {
        Self {
            customers: review.plans().len() as u64,
            tenants: review.tenants().into_keys().cloned().collect(),
            ..Self::default()
        }
    }

    /// Carries out an approved review and updates its progress.
    pub(crate) async fn carry_out(
        mut self,
        engine: &Engine,
        review: ApprovedReview,
        slot: &Slot<Self>,
        by: &OperatorId,
    ) -> Result<Self, String> {
        let at = review.approval().approved_at();
        let mut events = engine.sweep(review);
        while let Some(event) = events.next().await {
            match event.map_err(|error| told(&error))? {
                SweepEvent::Closed { .. } => self.erased += 1,
                SweepEvent::Left(left) => *self.left.entry(Left::from(&left.why)).or_default() += 1,
                SweepEvent::Ran(_) => slot.show(by, at, Arc::new(self.clone())),
                SweepEvent::Ended(SweepEnd::Asks(asks)) => self.asks = Some(asks.to_string()),
                _ => {}
            }
        }
        self.is_over = true;
        Ok(self)
    }
}
