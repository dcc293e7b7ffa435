//! The adapters over real HTTP keep the contract of their port. `tests/it/testing_kit` tests this for the gateway in
//! memory.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use relinquish::customer::CustomerId;
use relinquish::gateway::{PaymentGatewayEraser, ProfileId, ProfileListing};
use relinquish::testing::{self, GatewayFixture};

use crate::gateways::{self, fakes};

/// Numbers the profiles of a fixture.
#[derive(Default)]
struct Numbers(AtomicU32);

impl Numbers {
    fn next(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

struct OverStripe {
    server: fakes::server::Server<fakes::stripe::Stripe>,
    adapter: relinquish::gateway::Stripe,
    numbers: Numbers,
}

impl OverStripe {
    async fn start(redact: bool) -> Self {
        let server = fakes::stripe::start().await;
        let adapter = gateways::stripe(&server).redact(redact).build().unwrap();
        Self { server, adapter, numbers: Numbers::default() }
    }
}

#[async_trait]
impl GatewayFixture for OverStripe {
    fn eraser(&self) -> &dyn PaymentGatewayEraser {
        &self.adapter
    }

    fn names_owners(&self) -> bool {
        true
    }

    async fn make(&self, owner: Option<&CustomerId>, subscriptions: u32) -> ProfileId {
        let id = format!("cus_{:014}", self.numbers.next());
        self.server.gateway.insert(&id, owner.map(CustomerId::as_str));
        // A subscription that has ended does not count.
        self.server.gateway.change(&id, |customer| {
            customer.subscriptions = vec!["past_due".to_owned(); subscriptions as usize];
            customer.subscriptions.push("canceled".to_owned());
        });
        id.into()
    }

    fn unknown(&self) -> ProfileId {
        "cus_nobody".into()
    }
}

#[tokio::test]
async fn stripe() {
    testing::gateway(&OverStripe::start(false).await).await.unwrap();
}

#[tokio::test]
async fn stripe_with_redaction() {
    let fixture = OverStripe::start(true).await;
    testing::gateway(&fixture).await.unwrap();
    let effects = fixture.server.gateway.effects();
    let redacted = effects.iter().filter(|effect| effect.ends_with(" redacted")).count();
    assert_eq!((redacted, effects.len()), (2, 4), "{effects:?}");
}

#[tokio::test]
async fn stripes_listing() {
    let fixture = OverStripe::start(false).await;
    let mut profiles = Vec::new();
    for _ in 0..250 {
        profiles.push(fixture.make(None, 0).await);
    }
    testing::profile_listing(&fixture.adapter, &profiles).await.unwrap();
    assert_eq!(fixture.server.count("list"), 3, "a hundred to a page");
}

struct OverAuthorizeNet {
    server: fakes::server::Server<fakes::authorize_net::AuthorizeNet>,
    adapter: relinquish::gateway::AuthorizeNet,
    numbers: Numbers,
}

impl OverAuthorizeNet {
    async fn start() -> Self {
        let server = fakes::authorize_net::start().await;
        let adapter = gateways::authorize_net(&server).build().unwrap();
        Self { server, adapter, numbers: Numbers::default() }
    }
}

#[async_trait]
impl GatewayFixture for OverAuthorizeNet {
    fn eraser(&self) -> &dyn PaymentGatewayEraser {
        &self.adapter
    }

    fn names_owners(&self) -> bool {
        true
    }

    async fn make(&self, owner: Option<&CustomerId>, subscriptions: u32) -> ProfileId {
        let id = (39_900_000 + self.numbers.next()).to_string();
        let mut profile = fakes::authorize_net::Profile {
            merchant_customer_id: owner.map(|owner| owner.as_str().to_owned()),
            subscriptions: vec!["suspended".to_owned(); subscriptions as usize],
            ..Default::default()
        };
        // A subscription that has ended does not count.
        profile.subscriptions.push("canceled".to_owned());
        self.server.gateway.put(&id, profile);
        id.into()
    }

    fn unknown(&self) -> ProfileId {
        "10000001".into()
    }
}

#[tokio::test]
async fn authorize_net() {
    testing::gateway(&OverAuthorizeNet::start().await).await.unwrap();
}

#[tokio::test]
async fn authorize_nets_listing() {
    let fixture = OverAuthorizeNet::start().await;
    let mut profiles = Vec::new();
    for _ in 0..130 {
        profiles.push(fixture.make(None, 0).await);
    }
    testing::profile_listing(&fixture.adapter, &profiles).await.unwrap();
}

#[tokio::test]
async fn stripes_listing_goes_on_after_the_last_who_is_still_there() {
    let fixture = OverStripe::start(false).await;
    for _ in 0..250 {
        fixture.make(None, 0).await;
    }
    let mut pages = fixture.adapter.list().await.unwrap();
    let mut listed = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        listed.extend(page.into_iter().map(|profile| profile.id));
        // Stripe refuses a page after a deleted customer. Here the last three customers of each page are deleted.
        for profile in listed.iter().rev().take(3) {
            fixture.server.gateway.change(profile.as_str(), |customer| customer.deleted = true);
        }
    }
    let count = listed.len();
    listed.sort();
    listed.dedup();
    assert_eq!((count, listed.len()), (250, 250), "each once");
}
