//! Checks the limits of a run: the policy's blast radius, and the limits of standing approvals, which the ledger
//! counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::event::{Exceeded, SweepCounts};
use crate::customer::TenantId;
use crate::digest::Digest;
use crate::engine::expiry::Pages;
use crate::engine::{Engine, Error};
use crate::ledger::{Ration, Taken};
use crate::plan::{ApprovalError, ApprovedPlan, Mandate, StandingApproval};
use crate::policy::Effective;

impl Engine {
    /// A name for a run, which no other run on the same ledger has.
    pub(in crate::engine) fn run_name(&self) -> String {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let worker = Digest::of_bytes(self.parts.lease.worker.as_str().as_bytes()).short();
        let at = self.parts.clock.now().timestamp_micros();
        format!("{worker}-{}-{at}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed))
    }

    /// Counts erasures under a standing approval, in the ledger and for all processes. `of_run` is the number that
    /// the limits allow one run.
    pub(in crate::engine) async fn take_rations(
        &self,
        standing: &StandingApproval,
        run: &str,
        of_run: u64,
        wanted: usize,
        least: usize,
    ) -> Result<Taken, Error> {
        let day = self.parts.policy.everyone().time_zone().day(self.parts.clock.now());
        let rations = [
            Ration::new(standing.run_count(run), of_run),
            Ration::new(standing.day_count(day), standing.limits().per_day()),
        ];
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Ok(self.parts.ledger.take(&rations, number(wanted), number(least)).await?)
    }

    /// Counts plans under their standing approvals. If a limit does not allow all plans of an approval, none of them
    /// is counted, and none may run.
    pub(in crate::engine) async fn count_standing(
        &self,
        plans: &[ApprovedPlan],
        run: &str,
    ) -> Result<(), Error> {
        let mut counts = BTreeMap::<Digest, (&StandingApproval, usize)>::new();
        let mut last: Option<(&StandingApproval, Digest)> = None;
        for plan in plans {
            let Mandate::Standing(standing) = &plan.mandate else { continue };
            let digest = match last {
                Some((known, digest)) if known == standing => digest,
                _ => standing.digest(),
            };
            last = Some((standing, digest));
            counts.entry(digest).or_insert((standing, 0)).1 += 1;
        }
        for (standing, wanted) in counts.into_values() {
            self.count_under(standing, run, wanted).await?;
        }
        Ok(())
    }

    /// Counts all of these customers under a standing approval, or none.
    pub(in crate::engine) async fn count_under(
        &self,
        standing: &StandingApproval,
        run: &str,
        wanted: usize,
    ) -> Result<(), Error> {
        let of_run = standing.limits().of_run(None);
        let Taken { taken, left } = self.take_rations(standing, run, of_run, wanted, wanted).await?;
        let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
        if taken == wanted { Ok(()) } else { Err(ApprovalError::LimitReached { wanted, left }.into()) }
    }

    /// Refuses replays beyond the policy's blast radius, unless the approval states the number.
    pub(in crate::engine) async fn within_blast_radius(&self, plans: &[ApprovedPlan]) -> Result<(), Error> {
        let replays = || plans.iter().filter(|plan| matches!(plan.mandate, Mandate::Replay(_)));
        let mut hits = BTreeMap::<&TenantId, u64>::new();
        for plan in replays() {
            *hits.entry(plan.plan.tenant()).or_default() += 1;
        }
        if hits.is_empty() {
            return Ok(());
        }
        let up_to = replays().filter_map(|plan| plan.mandate.up_to()).min();
        let counts = if self.needs_shares() { self.count_customers().await? } else { SweepCounts::default() };
        match self.exceeded(&hits, &counts, up_to).first() {
            None => Ok(()),
            Some(Exceeded { would_hit, allowed, .. }) => {
                Err(ApprovalError::BlastRadius { would_hit: *would_hit, allowed: *allowed }.into())
            }
        }
    }

    /// Whether a blast radius of the policy is a share of all customers.
    pub(super) fn needs_shares(&self) -> bool {
        let mut limits = self.parts.policy.all().filter_map(Effective::blast_radius);
        limits.any(|limit| limit.share().is_some())
    }

    /// Counts all customers by tenant, without a decision.
    pub(super) async fn count_customers(&self) -> Result<SweepCounts, Error> {
        let (mut counts, mut pages) = (SweepCounts::default(), Pages::new());
        while let Some(page) = pages.next(&*self.parts.store, self.parts.batch).await? {
            page.iter().filter(|facts| !facts.stand_in).for_each(|facts| counts.meet(&facts.tenant));
        }
        Ok(counts)
    }

    /// The limits of the policy that a run would exceed. `up_to` is the number that the approval states.
    pub(super) fn exceeded(
        &self,
        hits: &BTreeMap<&TenantId, u64>,
        counts: &SweepCounts,
        up_to: Option<u64>,
    ) -> Vec<Exceeded> {
        let policy = &self.parts.policy;
        let mut exceeded = Vec::new();
        let mut look = |tenant: Option<&TenantId>, would_hit: u64, all: u64| {
            let rules = tenant.map_or(policy.everyone(), |tenant| policy.effective(tenant));
            if tenant.is_some() && rules.tenant().is_none() {
                return;
            }
            let Some(limit) = rules.blast_radius() else { return };
            let allowed = limit.at_most(all).max(up_to.unwrap_or_default());
            if would_hit > allowed {
                exceeded.push(Exceeded { tenant: tenant.cloned(), limit, allowed, would_hit });
            }
        };
        look(None, hits.values().sum(), counts.customers);
        for (tenant, would_hit) in hits {
            let all = counts.tenants.get(*tenant).map_or(0, |counts| counts.customers);
            look(Some(tenant), *would_hit, all);
        }
        exceeded
    }
}
