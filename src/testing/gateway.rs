//! The contract of a gateway's adapter.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::law::{Broken, Law, works};
use crate::customer::CustomerId;
use crate::gateway::{
    GatewayOutcome, PaymentGatewayEraser, ProfileErasure, ProfileId, ProfileListing, ProfileState,
};

/// A gateway for testing an adapter: a sandbox, an imitation, a recording.
#[async_trait]
pub trait GatewayFixture: Send + Sync {
    /// The adapter.
    fn eraser(&self) -> &dyn PaymentGatewayEraser;

    /// Whether profiles can name their owner at this gateway.
    fn names_owners(&self) -> bool;

    /// Makes a profile with this number of active subscriptions, and returns its id. The profile names the owner, if
    /// the gateway supports owners.
    async fn make(&self, owner: Option<&CustomerId>, subscriptions: u32) -> ProfileId;

    /// A valid id that no profile has.
    fn unknown(&self) -> ProfileId;
}

/// How often a gateway may answer that it will finish later.
const POLLS: usize = 100;

fn erasure(profile: &ProfileId, owner: Option<&CustomerId>) -> ProfileErasure {
    let key = format!("contract-{}", crate::digest::Digest::of_bytes(profile.as_str().as_bytes()));
    ProfileErasure { profile: profile.clone(), owner: owner.cloned(), idempotency_key: key }
}

/// Erases a profile, and polls until the gateway has finished.
async fn finish(
    gateway: &dyn PaymentGatewayEraser,
    erasure: &ProfileErasure,
) -> Result<GatewayOutcome, Broken> {
    let mut answer = works("erase", gateway.erase(erasure).await)?;
    for _ in 0..POLLS {
        let GatewayOutcome::Accepted { receipt } = &answer.outcome else { break };
        answer = works("poll", gateway.poll(receipt).await)?;
    }
    Ok(answer.outcome)
}

/// Checks the promises of [`PaymentGatewayEraser`], on new profiles of the fixture.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # use std::sync::atomic::{AtomicU32, Ordering};
/// # use relinquish::gateway::{MemoryGateway, PaymentGatewayEraser, ProfileId};
/// # use relinquish::{CustomerId, testing::GatewayFixture};
/// use relinquish::testing;
///
/// /// The gateway's sandbox.
/// struct Sandbox { adapter: MemoryGateway, made: AtomicU32 }
///
/// #[async_trait::async_trait]
/// impl GatewayFixture for Sandbox {
///     fn eraser(&self) -> &dyn PaymentGatewayEraser {
///         &self.adapter
///     }
///
///     fn names_owners(&self) -> bool {
///         true
///     }
///
///     async fn make(&self, owner: Option<&CustomerId>, subscriptions: u32) -> ProfileId {
///         let id = ProfileId::from(format!("profile-{}", self.made.fetch_add(1, Ordering::SeqCst)));
///         self.adapter.insert(id.clone(), owner.cloned(), subscriptions);
///         id
///     }
///
///     fn unknown(&self) -> ProfileId {
///         "profile-x".into()
///     }
/// }
///
/// let sandbox = Sandbox { adapter: MemoryGateway::new("sandbox"), made: AtomicU32::new(0) };
/// testing::gateway(&sandbox).await
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Broken`], with the law and what was found instead.
pub async fn gateway(fixture: &dyn GatewayFixture) -> Result<(), Broken> {
    let gateway = fixture.eraser();
    let (ours, theirs) =
        (CustomerId::from("customer-of-the-contract-1"), CustomerId::from("customer-of-the-contract-2"));
    let account = works("account", gateway.account().await)?;
    let again = works("account", gateway.account().await)?;
    Law::AccountStays.hold(account == again, format_args!("two accounts, one after the other"))?;

    let unknown = fixture.unknown();
    let state = works("state", gateway.state(&unknown).await)?;
    Law::UnknownProfileAbsent.hold(
        state == ProfileState::Absent,
        format_args!("state of a profile that never was: {}", state_word(&state)),
    )?;
    let outcome = finish(gateway, &erasure(&unknown, Some(&ours))).await?;
    Law::UnknownProfileAbsent.hold(
        outcome == GatewayOutcome::AlreadyAbsent,
        format_args!("erase of a profile that never was: {}", word(&outcome)),
    )?;

    let owned = fixture.make(Some(&ours), 0).await;
    let nameless = fixture.make(None, 0).await;
    let neighbour = fixture.make(Some(&theirs), 0).await;
    let named = fixture.names_owners();
    for (what, profile, owner) in [
        ("the first profile", &owned, Some(&ours)),
        ("a profile of nobody", &nameless, None),
        ("another's profile", &neighbour, Some(&theirs)),
    ] {
        for look in 1..=2 {
            let state = works("state", gateway.state(profile).await)?;
            let ProfileState::Present(facts) = state else {
                return Err(Law::ProfilePresent.broken(format!("state of {what} at look {look}: Absent")));
            };
            Law::OwnerNamed.hold(
                facts.owner.as_ref() == owner.filter(|_| named),
                format_args!("state of {what} at look {look} names somebody else, or nobody"),
            )?;
            Law::SubscriptionsCounted.hold(
                facts.active_subscriptions == 0,
                format_args!("state of {what}: {} running subscriptions of none", facts.active_subscriptions),
            )?;
        }
    }
    if named {
        for (expected, what) in [(Some(&theirs), "another owner"), (None, "no owner")] {
            let outcome = finish(gateway, &erasure(&owned, expected)).await?;
            let state = works("state", gateway.state(&owned).await)?;
            Law::OwnerHeld.hold(
                matches!(outcome, GatewayOutcome::Blocked { .. }) && state != ProfileState::Absent,
                format_args!(
                    "erase with {what} of a profile that names its own: {}, then {}",
                    word(&outcome),
                    state_word(&state)
                ),
            )?;
        }
    }
    let running = fixture.make(Some(&ours), 2).await;
    let state = works("state", gateway.state(&running).await)?;
    let found =
        if let ProfileState::Present(facts) = &state { Some(facts.active_subscriptions) } else { None };
    Law::SubscriptionsCounted.hold(
        found == Some(2),
        format_args!("state of a profile with two running subscriptions: {found:?}"),
    )?;

    for (what, profile) in [("a profile", &owned), ("a profile that names nobody", &nameless)] {
        let outcome = finish(gateway, &erasure(profile, Some(&ours))).await?;
        let state = works("state", gateway.state(profile).await)?;
        Law::ProfileErased.hold(
            outcome == GatewayOutcome::Erased && state == ProfileState::Absent,
            format_args!("erase of {what}: {}, then {}", word(&outcome), state_word(&state)),
        )?;
        let outcome = finish(gateway, &erasure(profile, Some(&ours))).await?;
        Law::ProfileErasedAgain.hold(
            outcome == GatewayOutcome::AlreadyAbsent,
            format_args!("erase of {what} again: {}", word(&outcome)),
        )?;
    }
    for (what, profile) in [("another's profile", &neighbour), ("the same owner's profile", &running)] {
        let state = works("state", gateway.state(profile).await)?;
        Law::ProfilesUntouched.hold(
            state != ProfileState::Absent,
            format_args!("{what} is gone, and another one was erased"),
        )?;
    }
    let shown = format!("{gateway:?}");
    let mut persons = [&owned, &nameless, &neighbour, &running].map(ProfileId::as_str).to_vec();
    persons.extend([ours.as_str(), theirs.as_str()]);
    let place = persons.iter().position(|person| shown.contains(person));
    Law::GatewayShowsNobody.hold(place.is_none(), format_args!("an id, at place {place:?} of those made"))
}

/// An outcome in one word. The gateway's own text is not shown, because it may quote an id.
fn word(outcome: &GatewayOutcome) -> &'static str {
    match outcome {
        GatewayOutcome::Erased => "Erased",
        GatewayOutcome::AlreadyAbsent => "AlreadyAbsent",
        GatewayOutcome::Accepted { .. } => "Accepted, without an end",
        GatewayOutcome::Blocked { .. } => "Blocked",
        GatewayOutcome::Retained { .. } => "Retained",
    }
}

fn state_word(state: &ProfileState) -> &'static str {
    match state {
        ProfileState::Present(_) => "Present",
        ProfileState::Absent => "Absent",
    }
}

/// Checks that a listing has each of these profiles once, and no profile twice.
///
/// # Errors
/// [`Broken`], with the law and the number of violations.
pub async fn profile_listing(listing: &dyn ProfileListing, profiles: &[ProfileId]) -> Result<(), Broken> {
    let mut pages = works("list", listing.list().await)?;
    let mut found = BTreeSet::new();
    while let Some(page) = works("next", pages.next().await)? {
        for profile in page {
            let is_new = found.insert(profile.id);
            Law::ListedOnce
                .hold(is_new, format_args!("a profile is listed again after {} profiles", found.len()))?;
        }
    }
    let missing = profiles.iter().filter(|profile| !found.contains(*profile)).count();
    Law::ListedAll
        .hold(missing == 0, format_args!("{missing} of {} profiles are not listed", profiles.len()))?;
    let end = works("next", pages.next().await)?.map(|page| page.len());
    Law::ListingEnds.hold(end.is_none(), format_args!("a page after the end, with {end:?} profiles"))
}
