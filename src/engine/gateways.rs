//! Step 4: the customer's profiles at payment gateways.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};

use super::case::{Obstacle, Run, wait_all, wait_for_gateway};
use super::survey::CALLS;
use super::{Engine, Error};
use crate::customer::{GatewayName, ProfileId};
use crate::digest::Digest;
use crate::gateway::{GatewayError, GatewayOutcome, PaymentGatewayEraser, ProfileErasure, ProfileState};
use crate::ledger::Event;
use crate::plan::Step;
use crate::policy::{Guard, GuardRule};

/// How often a gateway is asked before the case waits for a resume.
const TRIES: u32 = 5;
/// The first pause between two tries; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);

/// What came of one profile.
enum Profile {
    Done(GatewayOutcome),
    Blocked(String),
    Waiting(GatewayError),
}

impl Engine {
    pub(super) async fn erase_at_gateways(&self, runs: &mut [Run<'_>]) -> Result<(), Error> {
        // Even where the records were begun: if they were not done, a profile may have come while the case waited, and
        // its id would go with them.
        let mut todo: Vec<&mut Run<'_>> = runs
            .iter_mut()
            .filter(|run| run.is_active() && !gateways(run).is_empty() && run.progress.records_done.is_none())
            .collect();
        let ids: Vec<_> = todo.iter().map(|run| run.new.customer().clone()).collect();
        let mut facts = match self.facts(&ids).await {
            Ok(facts) => facts,
            Err(error) => {
                wait_all(todo, &Step::Records, error);
                return Ok(());
            }
        };
        for run in &mut todo {
            let Some(facts) = facts.remove(run.new.customer()) else {
                if run.progress.records_begun > 0 {
                    // The records were erased, and the answer was lost: the root store comes after the gateways.
                    run.facts = None;
                    continue;
                }
                self.stop(run, Step::Records, Obstacle::by_a_guard("there is no such customer any more"))
                    .await?;
                continue;
            };
            match run.changed(&facts) {
                Some(obstacle) => {
                    let step = gateways(run).into_iter().next().map_or(Step::Records, Step::Gateway);
                    self.stop(run, step, obstacle).await?;
                }
                None => run.facts = Some(facts),
            }
        }
        let results: Vec<Result<(), Error>> = stream::iter({
            let mut calls: Vec<BoxFuture<'_, Result<(), Error>>> = Vec::new();
            for run in todo.into_iter().filter(|run| run.is_active()) {
                calls.push(Box::pin(self.gateways_of(run)));
            }
            calls
        })
        .buffer_unordered(CALLS)
        .collect()
        .await;
        results.into_iter().collect()
    }

    async fn gateways_of(&self, run: &mut Run<'_>) -> Result<(), Error> {
        for name in gateways(run) {
            self.one_gateway(run, &name).await?;
            if !run.is_active() {
                break;
            }
        }
        Ok(())
    }

    async fn one_gateway(&self, run: &mut Run<'_>, name: &GatewayName) -> Result<(), Error> {
        let step = Step::Gateway(name.clone());
        let Some(gateway) = self.parts.gateways.get(name) else {
            return self
                .stop(run, step, Obstacle::at_the_step("the engine has no adapter for this gateway"))
                .await;
        };
        let profiles: Vec<ProfileId> = run
            .facts
            .iter()
            .flat_map(|facts| &facts.gateway_profiles)
            .filter(|profile| profile.gateway == *name)
            .map(|profile| profile.id.clone())
            .collect();
        let mut asked = false;
        for profile in profiles {
            let digest = Digest::of_bytes(profile.as_str().as_bytes());
            if run.progress.gateways.get(name).is_some_and(|done| done.contains_key(&digest)) {
                continue;
            }
            asked = true;
            // Looked at before the intent is recorded: what is refused here has begun nothing.
            match self.look_before(run, &**gateway, &profile).await {
                Ok(None) => {}
                Ok(Some(obstacle)) => return self.block(run, step, obstacle).await,
                Err(error) => {
                    wait_for_gateway(run, step, error);
                    return Ok(());
                }
            }
            run.note(Event::Erasing(step.clone()));
            self.save([&mut *run]).await?;
            match self.erase_profile(run, &**gateway, &profile, digest).await {
                Profile::Done(outcome) => {
                    run.note(Event::Gateway { gateway: name.clone(), profile: digest, outcome });
                    self.save([&mut *run]).await?;
                }
                Profile::Blocked(reason) => {
                    return self.block(run, step, Obstacle::at_the_step(reason)).await;
                }
                Profile::Waiting(error) => {
                    wait_for_gateway(run, step, error);
                    return Ok(());
                }
            }
        }
        if asked {
            tracing::info!(case = %run.id(), gateway = %name, "gateway done");
        }
        Ok(())
    }

    /// Right before the profile is erased: whose it is, and whether a subscription still runs.
    async fn look_before(
        &self,
        run: &Run<'_>,
        gateway: &dyn PaymentGatewayEraser,
        profile: &ProfileId,
    ) -> Result<Option<Obstacle>, GatewayError> {
        let state = self.again(|| gateway.state(profile)).await?;
        let ProfileState::Present { owner, active_subscriptions } = state else { return Ok(None) };
        if owner.is_some_and(|owner| owner != *run.new.customer()) {
            return Ok(Some(Obstacle::at_the_step(
                "the profile names another customer as its owner; put the link right",
            )));
        }
        let looks = !matches!(
            self.parts.policy.effective(run.binding().tenant()).guard(&Guard::ActiveSubscription),
            GuardRule::Ignore { .. }
        );
        let guard = Guard::ActiveSubscription;
        let reason = || Obstacle::by_a_guard(format!("{}; {}", guard.why(), guard.way_out()));
        Ok((looks && active_subscriptions > 0).then(reason))
    }

    async fn erase_profile(
        &self,
        run: &Run<'_>,
        gateway: &dyn PaymentGatewayEraser,
        profile: &ProfileId,
        digest: Digest,
    ) -> Profile {
        let erasure = ProfileErasure {
            profile: profile.clone(),
            owner: run.new.customer().clone(),
            // Of its own for each profile: a gateway answers a key that it knows with its earlier answer.
            idempotency_key: Digest::of(&(run.id(), gateway.gateway(), digest)).to_string(),
        };
        let mut answer = match self.again(|| erase_or_look(gateway, &erasure)).await {
            Ok(answer) => answer,
            Err(error) if error.is_transient() => return Profile::Waiting(error),
            Err(error) => return Profile::Blocked(error.to_string()),
        };
        let mut pause = PAUSE;
        for _ in 0..TRIES {
            let GatewayOutcome::Accepted { receipt } = &answer else { break };
            self.parts.clock.sleep(pause).await;
            pause *= 2;
            answer = match gateway.poll(receipt).await {
                Ok(answer) => answer,
                Err(error) if error.is_transient() => continue,
                Err(error) => return Profile::Blocked(error.to_string()),
            };
        }
        match answer {
            gone @ (GatewayOutcome::Erased | GatewayOutcome::AlreadyAbsent) => {
                match self.again(|| gateway.state(profile)).await {
                    Ok(ProfileState::Absent) => Profile::Done(gone),
                    Ok(ProfileState::Present { .. }) => {
                        Profile::Blocked("the gateway says it is gone, and still has it".to_owned())
                    }
                    Err(error) => Profile::Waiting(error),
                }
            }
            GatewayOutcome::Blocked { reason } => Profile::Blocked(reason),
            GatewayOutcome::Accepted { .. } => {
                let gateway = gateway.gateway().clone();
                Profile::Waiting(GatewayError::Busy { gateway, retry_after: None })
            }
            kept @ GatewayOutcome::Retained { .. } => Profile::Done(kept),
        }
    }

    /// Asks again after a pause while the gateway is busy, a few times.
    async fn again<T, F>(&self, ask: impl Fn() -> F) -> Result<T, GatewayError>
    where
        F: Future<Output = Result<T, GatewayError>>,
    {
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            match ask().await {
                Err(error) if error.is_transient() && tries < TRIES => {
                    self.parts.clock.sleep(error.retry_after().unwrap_or(pause)).await;
                    pause *= 2;
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }
}

/// Erases. If no answer comes, whether it took effect is not known: then the gateway is asked, and nothing is
/// assumed.
async fn erase_or_look(
    gateway: &dyn PaymentGatewayEraser,
    erasure: &ProfileErasure,
) -> Result<GatewayOutcome, GatewayError> {
    match gateway.erase(erasure).await {
        Err(error @ GatewayError::Unknown { .. }) => match gateway.state(&erasure.profile).await? {
            ProfileState::Absent => Ok(GatewayOutcome::Erased),
            ProfileState::Present { .. } => Err(error),
        },
        answer => answer,
    }
}

/// Gateways that the plan names and that nobody waived. Each is looked at again on every run: a profile may have
/// come since the others were erased.
fn gateways(run: &Run<'_>) -> Vec<GatewayName> {
    run.binding()
        .steps()
        .iter()
        .filter(|step| !run.progress.is_waived(step))
        .filter_map(|step| match step {
            Step::Gateway(name) => Some(name.clone()),
            _ => None,
        })
        .collect()
}
