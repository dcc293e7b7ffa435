//! An adapter for a gateway that this crate does not support. The file has everything that a host has to write.
//!
//! `cargo run --example own_gateway`

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use relinquish::gateway::{
    AccountId, GatewayAnswer, GatewayError, GatewayName, GatewayOutcome, PaymentGatewayEraser,
    ProfileErasure, ProfileFacts, ProfileId, ProfileState, Receipt,
};

/// An imitation of the gateway's client. It has the payers by mandate, each with an optional customer number and the
/// number of active mandates.
struct DirectDebit {
    name: GatewayName,
    payers: Mutex<BTreeMap<String, (Option<String>, u32)>>,
}

/// The debug form shows no person, because every program that has an engine may print it.
impl std::fmt::Debug for DirectDebit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DirectDebit({})", self.name)
    }
}

impl DirectDebit {
    fn refused(&self, what: &str) -> GatewayError {
        GatewayError::Refused { gateway: self.name.clone(), what: what.to_owned() }
    }
}

#[async_trait]
impl PaymentGatewayEraser for DirectDebit {
    fn gateway(&self) -> &GatewayName {
        &self.name
    }

    fn longest_call(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }

    /// A value that is different for each account, such as a creditor's identifier or a merchant's number.
    async fn account(&self) -> Result<Option<AccountId>, GatewayError> {
        Ok(Some("GB98MBNX00000000000123".into()))
    }

    /// A profile is absent only if the gateway says "not found". A timeout or an empty answer does not mean that.
    async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError> {
        let payers = self.payers.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(payers.get(profile.as_str()).map_or(ProfileState::Absent, |(owner, mandates)| {
            ProfileState::Present(ProfileFacts::new(owner.as_deref().map(Into::into), *mandates))
        }))
    }

    /// A second erasure answers `AlreadyAbsent`. After a lost answer, return `GatewayError::Unknown`. The engine then
    /// reads the state, and assumes nothing.
    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError> {
        let mut payers = self.payers.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match payers.get(erasure.profile.as_str()) {
            None => GatewayOutcome::AlreadyAbsent.into(),
            Some((Some(owner), _)) if erasure.owner.as_ref().is_none_or(|ours| ours.as_str() != owner) => {
                GatewayOutcome::Blocked { reason: "the payer is another customer's".to_owned() }.into()
            }
            Some(_) => {
                payers.remove(erasure.profile.as_str());
                GatewayAnswer::new(GatewayOutcome::Erased, Some("request-1".to_owned()), "204")
            }
        })
    }

    async fn poll(&self, _: &Receipt) -> Result<GatewayAnswer, GatewayError> {
        Err(self.refused("it gives no receipts, so no task can be asked for"))
    }
}

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout)] // It is a program that talks to whoever runs it.
async fn main() -> Result<(), GatewayError> {
    let payers = Mutex::new(BTreeMap::from([("MD-1".to_owned(), (Some("1".to_owned()), 0))]));
    let gateway = DirectDebit { name: "direct_debit".into(), payers };
    println!("before: {:?}", gateway.state(&"MD-1".into()).await?);
    let erasure =
        ProfileErasure { profile: "MD-1".into(), owner: Some("1".into()), idempotency_key: "k".to_owned() };
    println!("{}", gateway.erase(&erasure).await?);
    println!("after: {:?}", gateway.state(&"MD-1".into()).await?);
    Ok(()) // In earnest: `Engine::builder(…).gateway(gateway)`, and `gateway.direct_debit = "erase"` in the policy.
}

#[cfg(test)]
mod tests {
    use relinquish::CustomerId;
    use relinquish::testing::{self, GatewayFixture};

    use super::*;

    /// An imitation of the gateway's sandbox, in which a test can create payers.
    struct Sandbox(DirectDebit);

    #[async_trait]
    impl GatewayFixture for Sandbox {
        fn eraser(&self) -> &dyn PaymentGatewayEraser {
            &self.0
        }

        fn names_owners(&self) -> bool {
            true
        }

        async fn make(&self, owner: Option<&CustomerId>, subscriptions: u32) -> ProfileId {
            let mut payers = self.0.payers.lock().unwrap_or_else(PoisonError::into_inner);
            let id = format!("MD-{}", payers.len() + 1);
            payers.insert(id.clone(), (owner.map(|owner| owner.as_str().to_owned()), subscriptions));
            id.into()
        }

        fn unknown(&self) -> ProfileId {
            "MD-0".into()
        }
    }

    #[tokio::test]
    #[allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
    async fn the_adapter_keeps_every_promise_of_its_port() {
        let sandbox = Sandbox(DirectDebit { name: "direct_debit".into(), payers: Mutex::default() });
        testing::gateway(&sandbox).await.unwrap();
    }
}
