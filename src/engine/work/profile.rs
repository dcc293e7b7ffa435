//! The erasure of a single profile at a gateway, under a review. The profile and its customer must be as the review
//! says.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::case::{ProfileChanged, SupersedeReason};
use crate::customer::{AccountId, CustomerId, GatewayName, ProfileId};
use crate::engine::drive::Batch;
use crate::engine::reconcile::Matched;
use crate::engine::run::{Run, Work, wait_all};
use crate::engine::steps::{self, AtGateways, Perform, Refusal, open_items};
use crate::engine::{Engine, Error, Outcome};
use crate::gateway::{Finding, ProfileFacts, ReviewRow};
use crate::ledger::{Closing, Entry, ReviewedProfile};
use crate::plan::Step;

/// The data of a running erasure of a profile.
pub(in crate::engine) struct ProfileWork {
    reviewed: ReviewedProfile,
    /// The present owner of the profile.
    matched: Option<Matched>,
}

impl ProfileWork {
    pub(in crate::engine) fn new(reviewed: &ReviewedProfile, matched: Option<Matched>) -> Self {
        Self { reviewed: reviewed.clone(), matched }
    }

    fn row(&self) -> &ReviewRow {
        &self.reviewed.row
    }

    /// What differs from the review.
    fn changed(&self) -> Option<ProfileChanged> {
        let (row, matched) = (self.row(), self.matched.as_ref()?);
        let now = matched.customer.as_ref().map(|(customer, by)| (&customer.id, &customer.tenant, *by));
        let then = row.customer.as_ref().map(|(id, tenant, by)| (id, tenant, *by));
        if matched.ambiguous {
            Some(ProfileChanged::Ambiguous)
        } else if now != then {
            Some(ProfileChanged::Customer)
        } else if now.is_some() && !row.findings.iter().all(|found| still(*found, matched, row)) {
            Some(ProfileChanged::Findings)
        } else {
            None
        }
    }
}

/// Whether the review's statement about the customer is still true.
fn still(found: Finding, matched: &Matched, row: &ReviewRow) -> bool {
    let now = matched.findings(&row.as_listed());
    match found {
        // If an archived customer was erased since, the statement still counts as true.
        Finding::OwnerArchived => {
            now.contains(&Finding::OwnerArchived) || now.contains(&Finding::OwnerErased)
        }
        Finding::OwnerErased => now.contains(&Finding::OwnerErased),
        _ => true,
    }
}

#[async_trait]
impl Work for ProfileWork {
    fn performer(step: &Step) -> Option<&'static dyn Perform<Self>> {
        match step {
            Step::Gateway(_) => Some(&steps::Gateways),
            Step::Deactivate
            | Step::Recipient(_)
            | Step::Mentions
            | Step::Records
            | Step::Verify
            | Step::Expire
            | Step::Copies => None,
        }
    }

    async fn decide(
        engine: &Engine,
        _: &mut Batch<'_>,
        mut runs: Vec<&mut Run<'_, Self>>,
    ) -> Result<(), Error> {
        engine.match_again(&mut runs).await?;
        let now = engine.parts.clock.now();
        for run in runs.iter_mut().filter(|run| run.is_active()) {
            let expired = run.new.mandate.valid_at(now).err().map(|error| SupersedeReason::mandate(&error));
            // After the gateway was asked, the case can only go forward.
            let expired = expired.filter(|_| !run.progress.is_irreversible());
            match expired.or_else(|| run.work.changed().map(SupersedeReason::Profile)) {
                Some(because) => {
                    let step = Step::Gateway(run.work.row().gateway.clone());
                    engine.stop(run, step, because).await?;
                }
                None => run.turn.decided(),
            }
        }
        Ok(())
    }

    async fn close(engine: &Engine, runs: Vec<&mut Run<'_, Self>>) -> Result<(), Error> {
        engine.close_profiles(runs).await
    }

    fn outcome(run: &Run<'_, Self>, entry: &Entry) -> Option<Outcome> {
        let closed = entry.closed()?;
        match &closed.closing {
            Closing::Profile(result) => Some(Outcome::Profile {
                case: closed.case.clone(),
                gateway: run.work.row().gateway.clone(),
                answer: result.answer.clone(),
            }),
            other => Outcome::without_effect(&closed.case, other),
        }
    }
}

#[async_trait]
impl AtGateways for ProfileWork {
    /// Stops a case if a guard of the customer forbids it, or if the customer is not as the review says.
    async fn look_again(engine: &Engine, runs: &mut [&mut Run<'_, Self>]) -> Result<(), Error> {
        let customer = |run: &Run<'_, Self>| {
            let (customer, _) = run.work.matched.as_ref()?.customer.as_ref()?;
            Some(customer.id.clone())
        };
        let ids: Vec<CustomerId> = runs.iter().filter_map(|run| customer(run)).collect();
        let facts = match engine.facts(&ids).await {
            Ok(facts) => facts,
            Err(Error::Store(error)) => {
                let Some(first) = runs.first() else { return Ok(()) };
                let step = Step::Gateway(first.work.row().gateway.clone());
                wait_all(runs.iter_mut().map(|run| &mut **run), &step, error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for run in runs {
            if let Some(matched) = run.work.matched.as_mut()
                && let Some((customer, by)) = matched.customer.take()
            {
                matched.customer = facts.get(&customer.id).cloned().map(|fresh| (fresh, by));
            }
            let guard = run.work.matched.as_ref().and_then(|matched| {
                let (customer, _) = matched.customer.as_ref()?;
                engine.forbids(customer)
            });
            let because = run
                .work
                .changed()
                .map(SupersedeReason::Profile)
                .or_else(|| guard.map(SupersedeReason::Guard));
            if let Some(because) = because {
                let step = Step::Gateway(run.work.row().gateway.clone());
                engine.stop(run, step, because).await?;
            }
        }
        Ok(())
    }

    fn profiles(&self, gateway: &GatewayName) -> Vec<ProfileId> {
        let profile = (self.row().gateway == *gateway).then(|| self.row().profile.clone());
        profile.into_iter().collect()
    }

    fn other_account(&self, gateway: &GatewayName, now: Option<&AccountId>) -> Option<SupersedeReason> {
        let planned = self.row().account.as_ref();
        (now != planned)
            .then(|| SupersedeReason::Account { gateway: gateway.clone(), planned: planned.cloned() })
    }

    fn owner(&self) -> Option<&CustomerId> {
        self.row().named_owner.as_ref()
    }

    fn forbids(&self, _: &Step, found: &ProfileFacts) -> Option<Refusal> {
        if found.owner != self.row().named_owner {
            return Some(Refusal::Over(SupersedeReason::Profile(ProfileChanged::Owner)));
        }
        let (guard, _) = open_items(found).into_iter().find(|(_, count)| *count > 0)?;
        Some(Refusal::Over(SupersedeReason::Guard(guard)))
    }
}

impl Engine {
    /// Finds the present owners of the profiles whose owner is unknown.
    async fn match_again(&self, runs: &mut [&mut Run<'_, ProfileWork>]) -> Result<(), Error> {
        let mut by_gateway = BTreeMap::<GatewayName, Vec<&mut Run<'_, ProfileWork>>>::new();
        for run in runs.iter_mut().filter(|run| run.work.matched.is_none()) {
            by_gateway.entry(run.work.row().gateway.clone()).or_default().push(run);
        }
        for (gateway, runs) in by_gateway {
            let rows: Vec<_> = runs.iter().map(|run| run.work.reviewed.row.clone()).collect();
            let rows: Vec<&ReviewRow> = rows.iter().map(|row| &**row).collect();
            match self.match_rows(&gateway, &rows).await {
                Ok(matched) => {
                    for (run, matched) in runs.into_iter().zip(matched) {
                        run.work.matched = Some(matched);
                    }
                }
                Err(Error::Store(error)) => wait_all(runs, &Step::Gateway(gateway), error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
