//! Step 4: the customer's profiles at payment gateways.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use futures_util::lock::Mutex;
use futures_util::stream::{self, StreamExt};

use super::Perform;
use crate::case::{Event, Hindrance, Obstacle, Proof, SupersedeReason};
use crate::customer::{AccountId, CustomerId, GatewayName, ProfileId};
use crate::digest::Digest;
use crate::engine::drive::Batch;
use crate::engine::run::{Run, Work, at_the_step, by_a_guard, wait_all};
use crate::engine::survey::CALLS;
use crate::engine::work::ErasureWork;
use crate::engine::{Engine, Error};
use crate::gateway::{
    GatewayAnswer, GatewayError, GatewayOutcome, PaymentGatewayEraser, ProfileErasure, ProfileFacts,
    ProfileState,
};
use crate::plan::{GuardFinding, Step};
use crate::policy::Guard;

/// The number of attempts at a gateway before the case waits for a resume.
pub(super) const TRIES: u32 = 5;
/// The first pause between two attempts. Each further pause is twice as long.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause for which a case waits. For longer pauses the case waits for a resume.
pub(super) const LONGEST: Duration = Duration::from_secs(10);

/// The result for one profile.
enum Profile {
    Done(GatewayAnswer),
    /// The gateway refused at once, and has erased nothing.
    Refused(String),
    Blocked(Hindrance),
    Failed(GatewayError),
}

/// Why a profile is not erased after the check.
pub(in crate::engine) enum Refusal {
    /// A person has to decide.
    Blocked(Obstacle),
    /// The approved plan does not fit the facts any more.
    Over(SupersedeReason),
}

/// A kind of case that erases profiles at gateways.
#[async_trait]
pub(in crate::engine) trait AtGateways: Work {
    /// Checks the guards again, on fresh facts. A case that a guard forbids ends.
    async fn look_again(engine: &Engine, runs: &mut [&mut Run<'_, Self>]) -> Result<(), Error>;

    /// The profiles at a gateway.
    fn profiles(&self, gateway: &GatewayName) -> Vec<ProfileId>;

    /// The reason to stop, if the adapter's key belongs to another account than the approved one.
    fn other_account(&self, gateway: &GatewayName, now: Option<&AccountId>) -> Option<SupersedeReason>;

    /// The customer whom the gateway must name as the owner, if the gateway names an owner.
    fn owner(&self) -> Option<&CustomerId>;

    /// What forbids erasing a profile with these facts at the gateway.
    fn forbids(&self, step: &Step, found: &ProfileFacts) -> Option<Refusal>;
}

/// Erases profiles at payment gateways: all cases at the same time, the profiles of one case one after the other.
pub(in crate::engine) struct Gateways;

#[async_trait]
impl<W: AtGateways> Perform<W> for Gateways {
    /// Checks the guards again: on fresh facts here, and at the gateway right before each profile.
    async fn look(
        &self,
        engine: &Engine,
        _: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, W>],
    ) -> Result<(), Error> {
        W::look_again(engine, runs).await
    }

    /// Erases the profiles, even if the erasure of the records was begun but not finished. A new profile may exist by
    /// now, and its id would be lost with the records.
    async fn act(
        &self,
        engine: &Engine,
        _: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, W>],
    ) -> Result<(), Error> {
        let accounts = &Accounts::of(engine);
        let results: Vec<Result<(), Error>> = stream::iter({
            let mut calls: Vec<BoxFuture<'_, Result<(), Error>>> = Vec::new();
            for run in runs {
                calls.push(Box::pin(engine.gateways_of(run, accounts)));
            }
            calls
        })
        .buffer_unordered(CALLS)
        .collect()
        .await;
        results.into_iter().collect()
    }
}

impl Engine {
    async fn gateways_of<W: AtGateways>(
        &self,
        run: &mut Run<'_, W>,
        accounts: &Accounts<'_>,
    ) -> Result<(), Error> {
        for name in gateways(run) {
            self.one_gateway(run, &name, accounts).await?;
            if !run.is_active() {
                break;
            }
            run.turn.settled(Step::Gateway(name));
        }
        Ok(())
    }

    async fn one_gateway<W: AtGateways>(
        &self,
        run: &mut Run<'_, W>,
        name: &GatewayName,
        accounts: &Accounts<'_>,
    ) -> Result<(), Error> {
        let step = Step::Gateway(name.clone());
        let Some(gateway) = self.parts.gateways.get(name) else {
            return self.stop(run, step, SupersedeReason::NoAdapter { gateway: name.clone() }).await;
        };
        let mut profiles: Vec<(ProfileId, Digest)> = run
            .work
            .profiles(name)
            .into_iter()
            .map(|profile| (profile.clone(), Digest::of_bytes(profile.as_str().as_bytes())))
            .collect();
        let answers = run.progress.step(&step).map(|step| &step.answers);
        profiles.retain(|(_, digest)| !answers.is_some_and(|done| done.contains_key(digest)));
        if profiles.is_empty() {
            return Ok(());
        }
        match accounts.ask(&**gateway).await {
            Ok(now) => {
                if let Some(because) = run.work.other_account(name, now.as_ref()) {
                    return self.stop(run, step, because).await;
                }
            }
            Err(error) => return self.failed(run, step, error).await,
        }
        for (profile, digest) in profiles {
            // The check comes before the intent is recorded. So after a refusal nothing has begun.
            match self.look_before(run, &**gateway, &profile).await {
                Ok(None) => {}
                Ok(Some(Refusal::Blocked(obstacle))) => return self.block(run, obstacle).await,
                Ok(Some(Refusal::Over(because))) => return self.stop(run, step, because).await,
                Err(error) => return self.failed(run, step, error).await,
            }
            self.rest_held([&mut *run]).await?;
            if !run.is_active() {
                return Ok(());
            }
            run.note(Event::Begun { step: step.clone(), before: None })?;
            self.save([&mut *run]).await?;
            if !run.is_active() {
                return Ok(());
            }
            match self.erase_profile(run, &**gateway, &profile, digest).await? {
                Profile::Done(answer) => {
                    let proof = Proof::Answer { profile: digest, answer };
                    run.note(Event::Part { step: step.clone(), proof })?;
                    self.save([&mut *run]).await?;
                }
                Profile::Refused(reason) => {
                    run.note(Event::Refused { step: step.clone() })?;
                    return self.block(run, at_the_step(step, Hindrance::Refused(reason))).await;
                }
                Profile::Blocked(reason) => {
                    return self.block(run, at_the_step(step, reason)).await;
                }
                Profile::Failed(error) => return self.failed(run, step, error).await,
            }
        }
        tracing::info!(case = %run.id(), gateway = %name, "gateway done");
        Ok(())
    }

    /// If the gateway is out of reach, the case waits. If the gateway refuses, it will refuse again, so a person has
    /// to decide.
    async fn failed<W: Work>(
        &self,
        run: &mut Run<'_, W>,
        step: Step,
        error: GatewayError,
    ) -> Result<(), Error> {
        if error.is_transient() {
            run.wait_for_gateway(step, error);
            return Ok(());
        }
        self.block(run, at_the_step(step, Hindrance::Refused(error.to_string()))).await
    }

    /// The check right before the profile is erased: who owns it, and whether a guard forbids the erasure now.
    async fn look_before<W: AtGateways>(
        &self,
        run: &Run<'_, W>,
        gateway: &dyn PaymentGatewayEraser,
        profile: &ProfileId,
    ) -> Result<Option<Refusal>, GatewayError> {
        match self.again(|| gateway.state(profile)).await? {
            ProfileState::Present(found) => {
                Ok(run.work.forbids(&Step::Gateway(gateway.gateway().clone()), &found))
            }
            ProfileState::Absent => Ok(None),
        }
    }

    async fn erase_profile<W: AtGateways>(
        &self,
        run: &mut Run<'_, W>,
        gateway: &dyn PaymentGatewayEraser,
        profile: &ProfileId,
        digest: Digest,
    ) -> Result<Profile, Error> {
        let erasure = ProfileErasure {
            profile: profile.clone(),
            owner: run.work.owner().cloned(),
            // Each profile has its own key. For a known key, a gateway repeats its earlier answer.
            idempotency_key: Digest::of(&(run.id(), gateway.gateway(), digest)).to_string(),
        };
        let step = Step::Gateway(gateway.gateway().clone());
        let accepted = run.progress.step(&step).and_then(|step| step.accepted.get(&digest)).cloned();
        let first = match &accepted {
            // An item that was accepted before an interruption is not submitted again.
            Some(receipt) => self.with_the_lease(run.renewed, gateway, || gateway.poll(receipt)).await,
            None => self.with_the_lease(run.renewed, gateway, || erase_or_look(gateway, &erasure)).await,
        };
        let mut answer = match first {
            Ok(answer) => answer,
            Err(error) => return Ok(Profile::Failed(error)),
        };
        let mut pause = PAUSE;
        let mut known = accepted;
        for _ in 0..TRIES {
            let GatewayOutcome::Accepted { receipt } = &answer.outcome else { break };
            let receipt = receipt.clone();
            if known.as_ref() != Some(&receipt) {
                run.note(Event::Accepted { step: step.clone(), item: digest, receipt: receipt.clone() })?;
                self.save([&mut *run]).await?;
                known = Some(receipt.clone());
            }
            self.parts.clock.sleep(pause).await;
            pause *= 2;
            answer = match self.with_the_lease(run.renewed, gateway, || gateway.poll(&receipt)).await {
                Ok(answer) => answer,
                Err(error) if error.is_transient() => continue,
                Err(error) => return Ok(Profile::Failed(error)),
            };
        }
        Ok(match &answer.outcome {
            GatewayOutcome::Erased | GatewayOutcome::AlreadyAbsent => {
                match self.again(|| gateway.state(profile)).await {
                    Ok(ProfileState::Absent) => Profile::Done(answer),
                    Ok(ProfileState::Present(_)) => Profile::Blocked(Hindrance::StillThere),
                    Err(error) => Profile::Failed(error),
                }
            }
            // A gateway that refuses at once has erased nothing. One that accepted first may have begun.
            GatewayOutcome::Blocked { reason } if known.is_none() => Profile::Refused(reason.clone()),
            GatewayOutcome::Blocked { reason } => Profile::Blocked(Hindrance::Refused(reason.clone())),
            GatewayOutcome::Accepted { .. } => {
                let gateway = gateway.gateway().clone();
                Profile::Failed(GatewayError::Busy { gateway, retry_after: None })
            }
            GatewayOutcome::Retained { .. } => Profile::Done(answer),
        })
    }

    /// Calls the gateway, and retries a few times while it is busy. If the gateway asks for a long pause, the case
    /// waits for a resume, so that it does not delay the others.
    pub(in crate::engine) async fn again<T, F>(&self, ask: impl Fn() -> F) -> Result<T, GatewayError>
    where
        F: Future<Output = Result<T, GatewayError>>,
    {
        self.up_to(TRIES, ask).await
    }

    /// Calls the gateway at most twice. If nothing was begun, more retries would only delay the others.
    pub(in crate::engine) async fn twice<T, F>(&self, ask: impl Fn() -> F) -> Result<T, GatewayError>
    where
        F: Future<Output = Result<T, GatewayError>>,
    {
        self.up_to(2, ask).await
    }

    async fn up_to<T, F>(&self, most: u32, ask: impl Fn() -> F) -> Result<T, GatewayError>
    where
        F: Future<Output = Result<T, GatewayError>>,
    {
        self.while_it_may(|| true, most, ask).await
    }

    /// Calls a gateway to change something, but only if the lease lasts longer than the call can take. Otherwise a
    /// resume does so later.
    async fn with_the_lease<T, F>(
        &self,
        renewed: DateTime<Utc>,
        gateway: &dyn PaymentGatewayEraser,
        ask: impl Fn() -> F,
    ) -> Result<T, GatewayError>
    where
        F: Future<Output = Result<T, GatewayError>>,
    {
        let outlasts = || self.lease_outlasts(renewed, gateway.longest_call());
        if !outlasts() {
            return Err(GatewayError::Busy { gateway: gateway.gateway().clone(), retry_after: None });
        }
        self.while_it_may(outlasts, TRIES, ask).await
    }

    /// Whether a worker's claim lasts longer than a call to an outside party can take.
    pub(super) fn lease_outlasts(&self, renewed: DateTime<Utc>, longest_call: Duration) -> bool {
        let since = self.parts.clock.now().signed_duration_since(renewed).to_std();
        let left = since.ok().and_then(|since| self.parts.lease.lasts.checked_sub(since));
        left.is_some_and(|left| left > longest_call)
    }

    async fn while_it_may<T, F>(
        &self,
        may: impl Fn() -> bool,
        most: u32,
        ask: impl Fn() -> F,
    ) -> Result<T, GatewayError>
    where
        F: Future<Output = Result<T, GatewayError>>,
    {
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            match ask().await {
                Err(error @ GatewayError::Paused { .. }) => return Err(error),
                Err(error) if error.is_transient() && tries < most => {
                    let wait = error.retry_after().unwrap_or(pause);
                    if wait > LONGEST {
                        return Err(error);
                    }
                    self.parts.clock.sleep(wait).await;
                    pause *= 2;
                    tries += 1;
                    if !may() {
                        return Err(error);
                    }
                }
                answer => return answer,
            }
        }
    }
}

/// The accounts of the gateways. Each gateway is asked once per run, by the first case that needs its account.
pub(in crate::engine) struct Accounts<'e> {
    engine: &'e Engine,
    known: BTreeMap<GatewayName, Mutex<Account>>,
}

#[derive(Default)]
enum Account {
    #[default]
    NotAsked,
    Known(Option<AccountId>),
    /// The gateway did not answer. The other cases of this run do not wait for it again.
    Down,
}

impl<'e> Accounts<'e> {
    pub(in crate::engine) fn of(engine: &'e Engine) -> Self {
        let known = engine.parts.gateways.keys().map(|name| (name.clone(), Mutex::default())).collect();
        Self { engine, known }
    }

    pub(in crate::engine) async fn ask(
        &self,
        gateway: &dyn PaymentGatewayEraser,
    ) -> Result<Option<AccountId>, GatewayError> {
        let Some(known) = self.known.get(gateway.gateway()) else { return gateway.account().await };
        let mut known = known.lock().await;
        match &*known {
            Account::Known(account) => return Ok(account.clone()),
            Account::Down => {
                let gateway = gateway.gateway().clone();
                return Err(GatewayError::Paused { gateway, retry_after: LONGEST });
            }
            Account::NotAsked => {}
        }
        match self.engine.twice(|| gateway.account()).await {
            Ok(account) => {
                *known = Account::Known(account.clone());
                Ok(account)
            }
            Err(error) => {
                if error.is_transient() {
                    *known = Account::Down;
                }
                Err(error)
            }
        }
    }
}

/// Erases a profile. If no answer arrives, it is unknown whether the profile was erased. Then the gateway is asked
/// for the profile.
async fn erase_or_look(
    gateway: &dyn PaymentGatewayEraser,
    erasure: &ProfileErasure,
) -> Result<GatewayAnswer, GatewayError> {
    match gateway.erase(erasure).await {
        Err(error @ GatewayError::Unknown { .. }) => match gateway.state(&erasure.profile).await? {
            ProfileState::Absent => {
                Ok(GatewayAnswer::new(GatewayOutcome::Erased, None, "nothing, and has the profile no more"))
            }
            ProfileState::Present(_) => Err(error),
        },
        answer => answer,
    }
}

/// The gateways of the plan that no person has waived or handled. Each is checked again on every run, because a new
/// profile may exist by now.
pub(super) fn gateways<W>(run: &Run<'_, W>) -> Vec<GatewayName> {
    let open = run.progress.steps().map(|(step, _)| step).filter(|step| !run.progress.is_decided(step));
    open.filter_map(|step| if let Step::Gateway(name) = step { Some(name.clone()) } else { None }).collect()
}

#[async_trait]
impl AtGateways for ErasureWork {
    async fn look_again(engine: &Engine, runs: &mut [&mut Run<'_, Self>]) -> Result<(), Error> {
        let ids: Vec<_> = runs.iter().map(|run| run.binding().customer().clone()).collect();
        let mut facts = match engine.facts(&ids).await {
            Ok(facts) => facts,
            Err(Error::Store(error)) => {
                wait_all(runs.iter_mut().map(|run| &mut **run), &Step::Records, error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for run in runs {
            let Some(facts) = facts.remove(run.binding().customer()) else {
                if run.records_begun() > 0 {
                    // The customer is gone, so the records were erased and the answer was lost: the root store comes
                    // after the gateways.
                    run.work.facts = None;
                    continue;
                }
                engine.stop(run, Step::Records, SupersedeReason::NoCustomer).await?;
                continue;
            };
            match run.changed(&facts) {
                Some(because) => {
                    let step = gateways(run).into_iter().next().map_or(Step::Records, Step::Gateway);
                    engine.stop(run, step, because).await?;
                }
                None => run.work.facts = Some(facts),
            }
        }
        Ok(())
    }

    fn profiles(&self, gateway: &GatewayName) -> Vec<ProfileId> {
        let profiles = self.facts.iter().flat_map(|facts| &facts.gateway_profiles);
        profiles.filter(|profile| profile.gateway == *gateway).map(|profile| profile.id.clone()).collect()
    }

    fn other_account(&self, gateway: &GatewayName, now: Option<&AccountId>) -> Option<SupersedeReason> {
        let planned = self.binding.accounts().get(gateway)?;
        let because =
            || SupersedeReason::Account { gateway: gateway.clone(), planned: Some(planned.clone()) };
        (now != Some(planned)).then(because)
    }

    fn owner(&self) -> Option<&CustomerId> {
        Some(self.binding.customer())
    }

    fn forbids(&self, step: &Step, found: &ProfileFacts) -> Option<Refusal> {
        if found.owner.as_ref().is_some_and(|owner| owner != self.binding.customer()) {
            return Some(Refusal::Blocked(at_the_step(step.clone(), Hindrance::OtherOwner)));
        }
        let guards = self.binding.guards();
        let forbids =
            |(guard, count): &(Guard, u32)| *count > 0 && guards.get(guard) == Some(&GuardFinding::Clear);
        let (guard, _) = open_items(found).into_iter().find(forbids)?;
        Some(Refusal::Blocked(by_a_guard(step.clone(), SupersedeReason::Guard(guard))))
    }
}

/// The numbers of open items of a profile, each with the guard that forbids an erasure because of them.
pub(in crate::engine) fn open_items(found: &ProfileFacts) -> [(Guard, u32); 3] {
    [
        (Guard::ActiveSubscription, found.active_subscriptions),
        (Guard::UnpaidInvoice, found.unpaid_invoices),
        (Guard::OpenDispute, found.open_disputes),
    ]
}
