//! The contract of a gateway's adapter, as checks that a host runs on its own.

use std::collections::BTreeSet;
use std::fmt::Debug;

use async_trait::async_trait;

use crate::customer::CustomerId;
use crate::gateway::{
    GatewayError, GatewayOutcome, PaymentGatewayEraser, ProfileErasure, ProfileId, ProfileListing,
    ProfileState,
};

/// Which promise does not hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// A promise of the port.
    #[error("{0}")]
    Promise(String),
    /// The gateway failed where it should not.
    #[error("the gateway failed while it was checked")]
    Gateway(#[from] GatewayError),
}

/// A gateway to try an adapter on: a sandbox, an imitation, a recording.
#[async_trait]
pub trait GatewayFixture: Send + Sync {
    /// The adapter.
    fn eraser(&self) -> &dyn PaymentGatewayEraser;

    /// Whether profiles can name their owner there.
    fn names_owners(&self) -> bool;

    /// Makes a profile with so many running subscriptions, and gives its id. With an owner, if the gateway names any.
    async fn make(&self, owner: Option<&CustomerId>, subscriptions: u32) -> ProfileId;

    /// An id that looks right and that no profile has.
    fn unknown(&self) -> ProfileId;
}

fn hold(promise: &str, holds: bool, found: &dyn Debug) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken::Promise(format!("{promise}; found {found:?}"))) }
}

fn erasure(profile: &ProfileId, owner: Option<&CustomerId>) -> ProfileErasure {
    let key = format!("contract-{}", crate::digest::Digest::of_bytes(profile.as_str().as_bytes()));
    ProfileErasure { profile: profile.clone(), owner: owner.cloned(), idempotency_key: key }
}

/// Erases to the end, however often the gateway wants to be asked.
async fn finish(
    gateway: &dyn PaymentGatewayEraser,
    erasure: &ProfileErasure,
) -> Result<GatewayOutcome, Broken> {
    let mut answer = gateway.erase(erasure).await?;
    for _ in 0..100 {
        let GatewayOutcome::Accepted { receipt } = &answer.outcome else { break };
        answer = gateway.poll(receipt).await?;
    }
    Ok(answer.outcome)
}

/// Checks everything that [`PaymentGatewayEraser`] promises, on fresh profiles of the fixture's.
///
/// # Errors
/// [`Broken`], with the promise and what was found instead.
pub async fn gateway_keeps_its_contract(fixture: &dyn GatewayFixture) -> Result<(), Broken> {
    let gateway = fixture.eraser();
    let (ours, theirs) = (CustomerId::from("contract-1"), CustomerId::from("contract-2"));
    let (account, again) = (gateway.account().await?, gateway.account().await?);
    hold("the account is the same each time", account == again, &(account, again))?;

    let unknown = fixture.unknown();
    let state = gateway.state(&unknown).await?;
    hold("a profile that never was is absent", state == ProfileState::Absent, &state)?;
    let outcome = finish(gateway, &erasure(&unknown, Some(&ours))).await?;
    hold("to erase it is to find it absent", outcome == GatewayOutcome::AlreadyAbsent, &outcome)?;

    let owned = fixture.make(Some(&ours), 0).await;
    let nameless = fixture.make(None, 0).await;
    let neighbour = fixture.make(Some(&theirs), 0).await;
    let named = fixture.names_owners();
    for (profile, owner) in [(&owned, &ours), (&neighbour, &theirs)] {
        for _ in 0..2 {
            let state = gateway.state(profile).await?;
            let right = matches!(&state, ProfileState::Present(found)
                if found.active_subscriptions == 0 && found.owner.as_ref() == Some(owner).filter(|_| named));
            hold(
                "a profile that is there is present, with its owner, however often it is looked at",
                right,
                &state,
            )?;
        }
    }
    if named {
        for expected in [Some(&theirs), None] {
            let outcome = finish(gateway, &erasure(&owned, expected)).await?;
            let right = matches!(outcome, GatewayOutcome::Blocked { .. });
            hold("a profile that names another owner is not erased", right, &outcome)?;
        }
        let state = gateway.state(&owned).await?;
        hold("and is still there", matches!(state, ProfileState::Present(_)), &state)?;
    }
    let running = fixture.make(Some(&ours), 2).await;
    let state = gateway.state(&running).await?;
    let right = matches!(&state, ProfileState::Present(found) if found.active_subscriptions == 2);
    hold("running subscriptions are counted", right, &state)?;

    for (profile, owner) in [(&owned, Some(&ours)), (&nameless, Some(&ours))] {
        let outcome = finish(gateway, &erasure(profile, owner)).await?;
        hold("a profile is erased", outcome == GatewayOutcome::Erased, &outcome)?;
        let state = gateway.state(profile).await?;
        hold("and is absent then", state == ProfileState::Absent, &state)?;
        let outcome = finish(gateway, &erasure(profile, owner)).await?;
        hold("to erase it again is to find it absent", outcome == GatewayOutcome::AlreadyAbsent, &outcome)?;
    }
    for profile in [&neighbour, &running] {
        let state = gateway.state(profile).await?;
        hold("no other profile is touched", matches!(state, ProfileState::Present(_)), &state)?;
    }
    let shown = format!("{gateway:?}");
    let silent = [&owned, &neighbour].iter().all(|profile| !shown.contains(profile.as_str()));
    hold("Debug shows nobody", silent, &"an id")
}

/// Checks that a listing gives each of these profiles once, and nothing twice.
///
/// # Errors
/// [`Broken`], with the promise and how often it does not hold.
pub async fn listing_keeps_its_contract(
    listing: &dyn ProfileListing,
    profiles: &[ProfileId],
) -> Result<(), Broken> {
    let mut pages = listing.list().await?;
    let mut found = BTreeSet::new();
    let mut twice = 0;
    while let Some(page) = pages.next().await? {
        for profile in page {
            twice += usize::from(!found.insert(profile.id));
        }
    }
    hold("nothing is listed twice", twice == 0, &twice)?;
    let missing = profiles.iter().filter(|profile| !found.contains(*profile)).count();
    hold("every profile is listed", missing == 0, &missing)?;
    let end = pages.next().await?.map(|page| page.len());
    hold("the end stays the end", end.is_none(), &end)
}
