//! The gateway in memory, and one saboteur per law. `tests/gateways` tests that the adapters over HTTP keep the
//! contract.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use relinquish::gateway::{
    AccountId, GatewayAnswer, GatewayError, GatewayOutcome, ListedProfile, MemoryGateway, ProfileErasure,
    ProfileFacts, ProfileId, ProfileListing, ProfilePages, ProfileState, Receipt,
};
use relinquish::testing::{self, GatewayFixture, Law};
use relinquish::{CustomerId, GatewayName, PaymentGatewayEraser};

use super::assert_caught;

struct Fixture {
    adapter: Wrong,
    made: AtomicU32,
}

#[async_trait]
impl GatewayFixture for Fixture {
    fn eraser(&self) -> &dyn PaymentGatewayEraser {
        &self.adapter
    }

    fn names_owners(&self) -> bool {
        true
    }

    async fn make(&self, owner: Option<&CustomerId>, subscriptions: u32) -> ProfileId {
        let id = ProfileId::from(format!("profile-{}", self.made.fetch_add(1, Ordering::SeqCst)));
        self.adapter.inner.insert_facts(id.clone(), ProfileFacts::new(owner.cloned(), subscriptions));
        id
    }

    fn unknown(&self) -> ProfileId {
        "profile-of-nobody".into()
    }
}

fn fixture(law: Option<Law>) -> Fixture {
    let adapter = Wrong { inner: MemoryGateway::new("memory"), law, seen: Mutex::default() };
    Fixture { adapter, made: AtomicU32::new(0) }
}

#[tokio::test]
async fn memory() {
    testing::gateway(&fixture(None)).await.unwrap();
}

pub(super) const CAUGHT: &[Law] = &[
    Law::AccountStays,
    Law::UnknownProfileAbsent,
    Law::ProfilePresent,
    Law::OwnerNamed,
    Law::OwnerHeld,
    Law::SubscriptionsCounted,
    Law::ProfileErased,
    Law::ProfileErasedAgain,
    Law::ProfilesUntouched,
    Law::GatewayShowsNobody,
];

#[tokio::test]
async fn whoever_breaks_a_law_is_caught_at_it() {
    for law in CAUGHT {
        assert_caught(*law, testing::gateway(&fixture(Some(*law))).await);
    }
}

/// A gateway in memory that breaks one law, or none.
struct Wrong {
    inner: MemoryGateway,
    law: Option<Law>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    accounts: u32,
    looks: u32,
    erased: Vec<ProfileId>,
    /// Profiles of the other customer.
    others: Vec<(ProfileId, CustomerId)>,
    shown: Vec<String>,
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.law {
            Some(Law::GatewayShowsNobody) => write!(f, "Wrong({:?})", self.seen.lock().unwrap().shown),
            _ => f.write_str("Wrong"),
        }
    }
}

impl Wrong {
    fn is(&self, law: Law) -> bool {
        self.law == Some(law)
    }
}

#[async_trait]
impl PaymentGatewayEraser for Wrong {
    fn gateway(&self) -> &GatewayName {
        self.inner.gateway()
    }

    fn longest_call(&self) -> Duration {
        self.inner.longest_call()
    }

    async fn account(&self) -> Result<Option<AccountId>, GatewayError> {
        let mut seen = self.seen.lock().unwrap();
        seen.accounts += 1;
        Ok(self.is(Law::AccountStays).then(|| seen.accounts.to_string().into()))
    }

    async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError> {
        let mut state = self.inner.state(profile).await?;
        let mut seen = self.seen.lock().unwrap();
        seen.shown.push(profile.as_str().to_owned());
        match &mut state {
            ProfileState::Absent if self.is(Law::UnknownProfileAbsent) => {
                state = ProfileState::Present(ProfileFacts::new(None, 0));
            }
            ProfileState::Absent => {}
            ProfileState::Present(facts) => {
                seen.looks += 1;
                let other = facts.owner.clone().filter(|owner| owner.as_str().ends_with('2'));
                seen.others.extend(other.map(|owner| (profile.clone(), owner)));
                match self.law {
                    Some(Law::ProfilePresent) if seen.looks == 2 => state = ProfileState::Absent,
                    Some(Law::OwnerNamed) => facts.owner = None,
                    Some(Law::SubscriptionsCounted) => facts.active_subscriptions = 0,
                    _ => {}
                }
            }
        }
        Ok(state)
    }

    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError> {
        let mut erasure = erasure.clone();
        if let (true, ProfileState::Present(facts)) =
            (self.is(Law::OwnerHeld), self.inner.state(&erasure.profile).await?)
        {
            erasure.owner = facts.owner;
        }
        if self.is(Law::ProfileErased) && self.inner.state(&erasure.profile).await? != ProfileState::Absent {
            let facts = self.inner.state(&erasure.profile).await?;
            let is_theirs = matches!(facts, ProfileState::Present(facts) if facts.owner.is_none() || facts.owner == erasure.owner);
            if is_theirs {
                return Ok(GatewayOutcome::Erased.into());
            }
        }
        let was_erased = self.seen.lock().unwrap().erased.contains(&erasure.profile);
        if self.is(Law::ProfileErasedAgain) && was_erased {
            return Ok(GatewayOutcome::Erased.into());
        }
        let answer = self.inner.erase(&erasure).await?;
        if answer.outcome == GatewayOutcome::Erased {
            let others = {
                let mut seen = self.seen.lock().unwrap();
                seen.erased.push(erasure.profile);
                seen.others.clone()
            };
            for (profile, owner) in others.into_iter().filter(|_| self.is(Law::ProfilesUntouched)) {
                let along =
                    ProfileErasure { profile, owner: Some(owner), idempotency_key: "along".to_owned() };
                self.inner.erase(&along).await?;
            }
        }
        Ok(answer)
    }

    async fn poll(&self, receipt: &Receipt) -> Result<GatewayAnswer, GatewayError> {
        self.inner.poll(receipt).await
    }
}

pub(super) const CAUGHT_LISTING: &[Law] = &[Law::ListedOnce, Law::ListedAll, Law::ListingEnds];

/// Lists two profiles per page, and breaks one law or none.
#[derive(Debug)]
struct Listing {
    name: GatewayName,
    profiles: Vec<ProfileId>,
    law: Option<Law>,
}

struct Pages {
    left: Vec<Vec<ListedProfile>>,
    ends: bool,
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pages")
    }
}

#[async_trait]
impl ProfileListing for Listing {
    fn gateway(&self) -> &GatewayName {
        &self.name
    }

    async fn list(&self) -> Result<Box<dyn ProfilePages>, GatewayError> {
        let mut profiles = self.profiles.clone();
        match self.law {
            Some(Law::ListedOnce) => profiles.push(profiles[0].clone()),
            Some(Law::ListedAll) => profiles.truncate(2),
            _ => {}
        }
        let page = |page: &[ProfileId]| page.iter().map(|id| ListedProfile::new(id.clone())).collect();
        let mut left: Vec<Vec<ListedProfile>> = profiles.chunks(2).map(page).collect();
        left.reverse();
        Ok(Box::new(Pages { left, ends: self.law != Some(Law::ListingEnds) }))
    }
}

#[async_trait]
impl ProfilePages for Pages {
    async fn next(&mut self) -> Result<Option<Vec<ListedProfile>>, GatewayError> {
        let page = self.left.pop();
        if page.is_none() && !self.ends {
            self.left.push(Vec::new());
        }
        Ok(page)
    }
}

#[tokio::test]
async fn a_listing_that_breaks_a_law_is_caught_at_it() {
    let profiles: Vec<ProfileId> = (1..=3).map(|n| ProfileId::from(format!("profile-{n}"))).collect();
    let listing = |law| Listing { name: "memory".into(), profiles: profiles.clone(), law };
    testing::profile_listing(&listing(None), &profiles).await.unwrap();
    for law in CAUGHT_LISTING {
        assert_caught(*law, testing::profile_listing(&listing(Some(*law)), &profiles).await);
    }
}
