//! The survey: reads every customer of the store, page by page, and decides.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::{OptionFuture, join};

use super::event::{SurveyProgress, SweepEvent};
use super::place::{At, DueCustomer, Found};
use super::{Driver, SweepUnder};
use crate::customer::{Cursor, Customer};
use crate::engine::census::Counted;
use crate::engine::survey::Surveyed;
use crate::engine::tenants::Sought;
use crate::engine::unreadable::UnreadableCustomer;
use crate::engine::{Error, Planned};
use crate::ledger::{EntryKey, Find};
use crate::plan::{Asked, Decision, Plan, Terms, decide};
use crate::store::{Page, PageRequest};

/// The state of a survey.
struct Surveying<'e> {
    found: Found,
    now: DateTime<Utc>,
    counted: Counted<'e>,
    not_covered: Vec<crate::data_map::NotCovered>,
    rests: Rests,
    /// The terms of the last plan. Customers who are planned together usually share them.
    terms: Option<Arc<Terms>>,
}

/// Which customers may have records that duties deferred in an earlier case.
#[derive(Clone, Copy)]
struct Rests {
    /// Customers who were archived when their case was closed. Active customers have returned, so they do not count.
    archived: bool,
    /// Customers of a store without a status for archived customers.
    others: bool,
}

impl Rests {
    fn may_concern(self, facts: &Customer, is_readable: impl FnOnce() -> bool) -> bool {
        self.others || self.archived && (facts.status.is_archived() || !is_readable())
    }
}

impl Driver {
    /// Surveys all customers from a cursor on. `None`: the survey was stopped, and an event with the place was sent.
    pub(super) async fn survey(&self, after: Option<Cursor>, found: Found) -> Result<Option<Found>, Error> {
        let engine = &self.engine;
        let now = engine.parts.clock.now();
        // A survey that continues in the middle has not seen the tenants of the earlier pages.
        let mut sought = after.is_none().then(|| Sought::new(&engine.parts.policy, []));
        engine.ensure_census().await?;
        let counted = engine.counted(now).await?;
        let rests = self.rests().await?;
        let not_covered = counted.not_covered();
        let mut surveying = Surveying { found, now, counted, not_covered, rests, terms: None };
        let before = surveying.found.counts.customers;
        let mut after = after;
        let mut page = self.page(after.clone()).await?;
        loop {
            if self.stop.is_stopped() {
                let found = Box::new(surveying.found);
                self.stopped(At::Survey { after, found });
                return Ok(None);
            }
            if let Some(sought) = &mut sought {
                sought.meet(&page.customers);
            }
            let ahead = page.next.map(|cursor| (self.page(Some(cursor.clone())), cursor));
            let (ahead, cursor) = ahead.map_or((None, None), |(page, cursor)| (Some(page), Some(cursor)));
            // The store reads the next page while this page is decided.
            let (next, looked) =
                join(OptionFuture::from(ahead), self.look(page.customers, &mut surveying)).await;
            looked?;
            let counts = &surveying.found.counts;
            self.tell(SweepEvent::Surveyed(SurveyProgress {
                customers: counts.customers,
                due: counts.due,
                per_second: self.rate(counts.customers - before, now),
            }));
            self.breathe().await;
            let Some(next) = next else { break };
            (page, after) = (next?, cursor);
        }
        if let Some(sought) = sought {
            // A tenant may have only its "Unknown Customer".
            engine.look_for(sought).await?;
        }
        Ok(Some(surveying.found))
    }

    async fn page(&self, after: Option<Cursor>) -> Result<Page, Error> {
        let parts = &self.engine.parts;
        let mut page = parts.store.page(&PageRequest::new(parts.batch).after(after)).await?;
        self.engine.add_holds(&mut page.customers).await?;
        Ok(page)
    }

    /// Whether the ledger has cases in which duties deferred something.
    async fn rests(&self) -> Result<Rests, Error> {
        let ledger = &self.engine.parts.ledger;
        let any = async |archived| {
            let found = ledger.find(&Find::first(EntryKey::deferred(archived))).await;
            found.map(|entries| !entries.is_empty())
        };
        Ok(Rests { archived: any(true).await?, others: any(false).await? })
    }

    /// Surveys a page. For customers who are neither due nor blocked, the ledger is not read, unless a duty may have
    /// released records of an earlier case.
    async fn look(&self, page: Vec<Customer>, surveying: &mut Surveying<'_>) -> Result<(), Error> {
        let policy = &self.engine.parts.policy;
        let (now, rests) = (surveying.now, surveying.rests);
        let mut closer = Vec::new();
        let mut events = Vec::new();
        for facts in page {
            if facts.stand_in {
                continue;
            }
            let counts = &mut surveying.found.counts;
            counts.meet(&facts.tenant);
            let is_readable = || facts.is_readable_on(policy.effective(&facts.tenant).time_zone().day(now));
            match decide(policy, &facts, &Asked::Sweep, &[], now) {
                Decision::Due(_) | Decision::Blocked(_) => closer.push(facts),
                _ if rests.may_concern(&facts, is_readable) => closer.push(facts),
                Decision::NotYet(not_yet) => {
                    counts.is_due_on(not_yet.until);
                    let Customer { id: customer, tenant, .. } = facts;
                    events.push(SweepEvent::NotYet { customer, tenant, not_yet });
                }
                Decision::Nothing(_) => counts.nothing += 1,
            }
        }
        self.tell_all(events);
        if closer.is_empty() { Ok(()) } else { self.look_closer(closer, surveying).await }
    }

    /// Surveys customers in full: reads the ledger, asks the gateways, and counts their records.
    async fn look_closer(&self, page: Vec<Customer>, surveying: &mut Surveying<'_>) -> Result<(), Error> {
        let (engine, now) = (&self.engine, surveying.now);
        let mut before = engine.treated_before(&page.iter().collect::<Vec<_>>()).await?;
        let who: Vec<_> = page.iter().map(|facts| (facts.id.clone(), facts.tenant.clone())).collect();
        let mut surveyed: Vec<Result<Surveyed, Error>> = page
            .into_iter()
            .map(|facts| {
                let before = before.remove(&facts.id).unwrap_or_default().treated;
                Ok(Surveyed::new(&engine.parts.policy, facts, &Asked::Sweep, before, now))
            })
            .collect();
        engine.settle(&mut surveyed, now).await?;
        for ((customer, tenant), one) in who.into_iter().zip(surveyed) {
            let facts = one.as_ref().ok().map(|one| one.facts.clone());
            let planned = match one {
                Ok(one) => engine.planned(one, now, surveying.terms.as_ref()),
                Err(error) => Err(error),
            };
            let counts = &mut surveying.found.counts;
            match planned {
                Ok(Planned::Plan(plan)) => match surveying.counted.allows(plan.treatment()) {
                    Ok(()) => self.due(plan.beside(&surveying.not_covered), surveying),
                    Err(error) => {
                        counts.unsurveyed += 1;
                        self.tell(SweepEvent::Unsurveyed { customer, tenant, why: error.to_string() });
                    }
                },
                Ok(Planned::Refused(blocked)) => {
                    let today = engine.parts.policy.effective(&tenant).time_zone().day(now);
                    let unreadable = facts.and_then(|facts| UnreadableCustomer::of(&facts, today));
                    self.tell(if let Some(unreadable) = unreadable {
                        counts.unreadable += 1;
                        SweepEvent::Unreadable(Box::new(unreadable))
                    } else {
                        counts.blocked += 1;
                        SweepEvent::Blocked { customer, tenant, blocked: Box::new(blocked) }
                    });
                }
                Ok(Planned::NotYet(not_yet)) => {
                    counts.is_due_on(not_yet.until);
                    self.tell(SweepEvent::NotYet { customer, tenant, not_yet });
                }
                Ok(Planned::Nothing(_)) => counts.nothing += 1,
                Err(error) => {
                    counts.unsurveyed += 1;
                    self.tell(SweepEvent::Unsurveyed { customer, tenant, why: error.to_string() });
                }
            }
        }
        Ok(())
    }

    /// Adds a due customer. Leaves the customer if the standing approval does not cover the plan.
    fn due(&self, plan: Plan, surveying: &mut Surveying<'_>) {
        surveying.terms = Some(Arc::clone(plan.binding().terms()));
        let Found { counts, due } = &mut surveying.found;
        counts.is_due(&plan);
        let one = DueCustomer::of_plan(&plan);
        let covered = match &self.under {
            Some(SweepUnder::Standing(standing)) => Some(standing.covers(plan.binding())),
            // Without a mandate nothing runs. Under a review only the confirmed plans run.
            Some(SweepUnder::Review(_)) | None => None,
        };
        self.tell(SweepEvent::Due(Box::new(plan)));
        match covered {
            Some(Ok(())) => due.push(one),
            Some(Err(why)) => self.left(one, super::WhyLeft::NotCovered(why)),
            None => {}
        }
    }
}
