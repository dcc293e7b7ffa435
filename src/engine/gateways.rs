//! Step 4: the customer's profiles at payment gateways.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use super::case::{Run, wait_all, wait_for_gateway};
use super::survey::CALLS;
use super::{Engine, Error};
use crate::customer::{GatewayName, ProfileId};
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
        // Once the records were begun, the gateways are done or waived.
        let mut todo: Vec<&mut Run<'_>> = runs
            .iter_mut()
            .filter(|run| run.is_active() && !pending(run).is_empty() && run.progress.records_begun == 0)
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
                self.stop(run, Step::Records, "there is no such customer any more".to_owned()).await?;
                continue;
            };
            match run.changed(&facts) {
                Some(reason) => {
                    let step = pending(run).into_iter().next().map_or(Step::Records, Step::Gateway);
                    self.stop(run, step, reason).await?;
                }
                None => run.facts = Some(facts),
            }
        }
        let results: Vec<Result<(), Error>> = stream::iter(todo.into_iter().filter(|run| run.is_active()))
            .map(|run| self.gateways_of(run))
            .buffer_unordered(CALLS)
            .collect()
            .await;
        results.into_iter().collect()
    }

    async fn gateways_of(&self, run: &mut Run<'_>) -> Result<(), Error> {
        for name in pending(run) {
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
            return self.stop(run, step, "the engine has no adapter for this gateway".to_owned()).await;
        };
        let profiles: Vec<ProfileId> = run
            .facts
            .iter()
            .flat_map(|facts| &facts.gateway_profiles)
            .filter(|profile| profile.gateway == *name)
            .map(|profile| profile.id.clone())
            .collect();
        for (n, profile) in (0_u32..).zip(profiles) {
            if run.progress.gateways.get(name).is_some_and(|done| done.contains_key(&n)) {
                continue;
            }
            // Looked at before the intent is recorded: what is refused here has begun nothing.
            match self.look_before(run, &**gateway, &profile).await {
                Ok(None) => {}
                Ok(Some(reason)) => return self.block(run, step, reason).await,
                Err(error) => {
                    wait_for_gateway(run, step, error);
                    return Ok(());
                }
            }
            let intent = Event::Erasing(step.clone());
            self.record(&[run.event(self.parts.clock.now(), intent.clone())]).await?;
            run.progress.apply(&intent);
            match self.erase_profile(run, &**gateway, &profile).await {
                Profile::Done(outcome) => {
                    let event = Event::Gateway { gateway: name.clone(), profile: n, outcome };
                    run.progress.apply(&event);
                    self.record(&[run.event(self.parts.clock.now(), event)]).await?;
                }
                Profile::Blocked(reason) => return self.block(run, step, reason).await,
                Profile::Waiting(error) => {
                    wait_for_gateway(run, step, error);
                    return Ok(());
                }
            }
        }
        tracing::info!(case = %run.id(), gateway = %name, "gateway done");
        let done = Event::GatewayDone(name.clone());
        run.progress.apply(&done);
        self.record(&[run.event(self.parts.clock.now(), done)]).await
    }

    /// Right before the profile is erased: whose it is, and whether a subscription still runs.
    async fn look_before(
        &self,
        run: &Run<'_>,
        gateway: &dyn PaymentGatewayEraser,
        profile: &ProfileId,
    ) -> Result<Option<String>, GatewayError> {
        let state = self.again(|| gateway.state(profile)).await?;
        let ProfileState::Present { owner, active_subscriptions } = state else { return Ok(None) };
        if owner.is_some_and(|owner| owner != *run.new.customer()) {
            return Ok(Some(
                "the profile names another customer as its owner; put the link right".to_owned(),
            ));
        }
        let looks = !matches!(self.parts.policy.guard(Guard::ActiveSubscription), GuardRule::Ignore { .. });
        let guard = Guard::ActiveSubscription;
        Ok((looks && active_subscriptions > 0).then(|| format!("{}; {}", guard.why(), guard.way_out())))
    }

    async fn erase_profile(
        &self,
        run: &Run<'_>,
        gateway: &dyn PaymentGatewayEraser,
        profile: &ProfileId,
    ) -> Profile {
        let erasure = ProfileErasure {
            profile: profile.clone(),
            owner: run.new.customer().clone(),
            idempotency_key: run.id().to_string(),
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
            GatewayOutcome::Erased => match self.again(|| gateway.state(profile)).await {
                Ok(ProfileState::Absent) => Profile::Done(GatewayOutcome::Erased),
                Ok(ProfileState::Present { .. }) => {
                    Profile::Blocked("the gateway says it is erased, and still has it".to_owned())
                }
                Err(error) => Profile::Waiting(error),
            },
            GatewayOutcome::Blocked { reason } => Profile::Blocked(reason),
            GatewayOutcome::Accepted { .. } => {
                let gateway = gateway.gateway().clone();
                Profile::Waiting(GatewayError::Busy { gateway, retry_after: None })
            }
            done @ (GatewayOutcome::AlreadyAbsent | GatewayOutcome::Retained { .. }) => Profile::Done(done),
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

/// Gateways that the plan names and that are neither done nor waived.
fn pending(run: &Run<'_>) -> Vec<GatewayName> {
    run.binding()
        .steps()
        .iter()
        .filter(|step| !run.progress.is_waived(step))
        .filter_map(|step| match step {
            Step::Gateway(name) if !run.progress.gateways_done.contains(name) => Some(name.clone()),
            _ => None,
        })
        .collect()
}
