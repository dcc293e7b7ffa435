//! A payment gateway in memory, for tests. It behaves like a real gateway, without a network.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{
    AccountId, GatewayAnswer, GatewayError, GatewayName, GatewayOutcome, PaymentGatewayEraser,
    ProfileErasure, ProfileFacts, ProfileId, ProfileState, Receipt,
};
use crate::customer::CustomerId;

/// A gateway in memory. It refuses to erase profiles with an active subscription.
#[derive(Debug)]
pub struct MemoryGateway {
    name: GatewayName,
    profiles: Mutex<BTreeMap<ProfileId, ProfileFacts>>,
}

impl MemoryGateway {
    /// A gateway with no profile.
    pub fn new(name: impl Into<GatewayName>) -> Self {
        Self { name: name.into(), profiles: Mutex::default() }
    }

    /// Adds a profile, or replaces it.
    pub fn insert(
        &self,
        profile: impl Into<ProfileId>,
        owner: Option<CustomerId>,
        active_subscriptions: u32,
    ) {
        self.insert_facts(profile, ProfileFacts::new(owner, active_subscriptions));
    }

    /// Adds a profile with all its facts, or replaces it.
    pub fn insert_facts(&self, profile: impl Into<ProfileId>, facts: ProfileFacts) {
        self.lock().insert(profile.into(), facts);
    }

    /// How many profiles there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there is no profile.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ProfileId, ProfileFacts>> {
        self.profiles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PaymentGatewayEraser for MemoryGateway {
    fn gateway(&self) -> &GatewayName {
        &self.name
    }

    fn longest_call(&self) -> Duration {
        Duration::ZERO
    }

    async fn account(&self) -> Result<Option<AccountId>, GatewayError> {
        Ok(None)
    }

    async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError> {
        Ok(self.lock().get(profile).cloned().map_or(ProfileState::Absent, ProfileState::Present))
    }

    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError> {
        let mut profiles = self.lock();
        let blocked = |reason: &str| Ok(GatewayOutcome::Blocked { reason: reason.to_owned() }.into());
        match profiles.get(&erasure.profile) {
            None => Ok(GatewayOutcome::AlreadyAbsent.into()),
            Some(profile) if profile.owner.is_some() && profile.owner != erasure.owner => {
                blocked("the profile names another customer as its owner")
            }
            Some(profile) if profile.active_subscriptions > 0 => {
                blocked("the profile has an active subscription")
            }
            Some(_) => {
                profiles.remove(&erasure.profile);
                Ok(GatewayOutcome::Erased.into())
            }
        }
    }

    async fn poll(&self, _: &Receipt) -> Result<GatewayAnswer, GatewayError> {
        Err(GatewayError::Refused {
            gateway: self.name.clone(),
            what: "it gives no receipts, so no task can be asked for".to_owned(),
        })
    }
}
