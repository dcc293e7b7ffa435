//! Payment gateways: the port [`PaymentGatewayEraser`], and an adapter in memory.
//!
//! A gateway holds profiles of the host's customers. To erase one there cannot be taken back, and at many
//! gateways ends running subscriptions on the spot; so the state is looked at right before, and an answer
//! that is not plain counts as a failure, never as a success.
//!
//! | a host has | it uses |
//! |---|---|
//! | Stripe | `Stripe`, with the feature `stripe` |
//! | Authorize.Net | `AuthorizeNet`, with the feature `authorize-net` |
//! | another gateway | [`PaymentGatewayEraser`], written by hand: the example `own_gateway` shows one |
//! | tests | [`MemoryGateway`] |

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use crate::case::{GatewayAnswer, GatewayOutcome, Receipt};
use crate::customer::CustomerId;
pub use crate::customer::{AccountId, GatewayName, GatewayProfile, ProfileId};

#[cfg(feature = "authorize-net")]
pub mod authorize_net;
#[cfg(feature = "http")]
pub mod http;
mod listing;
mod memory;
mod review;
#[cfg(feature = "stripe")]
pub mod stripe;

#[cfg(feature = "authorize-net")]
pub use authorize_net::AuthorizeNet;
pub use listing::{ListedProfile, ProfileListing, ProfilePages, Subscriptions};
pub use memory::MemoryGateway;
pub use review::{ApprovedReview, Finding, MatchedBy, Review, ReviewRow, ReviewWriter};
#[cfg(feature = "stripe")]
pub use stripe::Stripe;

/// What a gateway says of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileState {
    /// It is there.
    Present(ProfileFacts),
    /// It is not there, in the gateway's own words.
    Absent,
}

/// What a gateway knows of a profile that is there. What it has no word for is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileFacts {
    /// The customer whom the gateway's own data name as its owner, if they name one.
    pub owner: Option<CustomerId>,
    /// Subscriptions that still run.
    pub active_subscriptions: u32,
    /// Subscriptions that have ended.
    pub ended_subscriptions: u32,
    /// Disputes that are not settled yet.
    pub open_disputes: u32,
    /// Invoices that are not paid.
    pub unpaid_invoices: u32,
}

impl ProfileFacts {
    /// A profile with so many subscriptions that still run. Set the fields that say more.
    pub fn new(owner: Option<CustomerId>, active_subscriptions: u32) -> Self {
        Self { owner, active_subscriptions, ..Self::default() }
    }
}

/// A profile to erase.
#[derive(Clone, Debug)]
pub struct ProfileErasure {
    /// Which one.
    pub profile: ProfileId,
    /// Whose it must be. A profile that names somebody else is [`GatewayOutcome::Blocked`]; with none here, so is one
    /// that names anybody.
    pub owner: Option<CustomerId>,
    /// The same for every try of the same erasure, for gateways that know such keys. Says nothing of the
    /// customer.
    pub idempotency_key: String,
}

/// What can go wrong at a gateway. None of its texts holds a value of a customer's, or a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// Busy, or too many requests.
    #[error("gateway {gateway} is busy; it can be tried again{}", after(*.retry_after))]
    Busy {
        /// The gateway.
        gateway: GatewayName,
        /// After how long, if it said so.
        retry_after: Option<Duration>,
    },
    /// Left alone for a while, because it did not answer several times in a row. Nothing was sent.
    #[error("gateway {gateway} does not answer and is left alone; it can be tried again{}", after(Some(*.retry_after)))]
    Paused {
        /// The gateway.
        gateway: GatewayName,
        /// After how long.
        retry_after: Duration,
    },
    /// Not reached. Nothing was sent.
    #[error("gateway {gateway} cannot be reached; check its address and the network")]
    Unreachable {
        /// The gateway.
        gateway: GatewayName,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer in time, or none that makes sense. Whether the request took effect is not known.
    #[error("gateway {gateway} did not answer; whether the request took effect is not known")]
    Unknown {
        /// The gateway.
        gateway: GatewayName,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Refused, and will be again: a wrong key, a missing permission, a malformed request.
    #[error("gateway {gateway} refuses: {what}")]
    Refused {
        /// The gateway.
        gateway: GatewayName,
        /// What has to be put right.
        what: String,
    },
}

fn after(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| format!(" in {} s", wait.as_secs().max(1)))
}

impl GatewayError {
    /// Whether trying again may help, with nothing changed by anyone.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }

    /// How long the gateway asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            Self::Paused { retry_after, .. } => Some(*retry_after),
            Self::Unreachable { .. } | Self::Unknown { .. } | Self::Refused { .. } => None,
        }
    }
}

/// A payment gateway from which profiles can be erased.
#[async_trait]
pub trait PaymentGatewayEraser: Debug + Send + Sync + 'static {
    /// Its name, as the policy and the data map spell it.
    fn gateway(&self) -> &GatewayName;

    /// How long [`erase`](Self::erase) or [`poll`](Self::poll) take at the most, waiting and whatever the adapter tries again
    /// by itself among it. Either is begun only where the worker has the case for longer than that, so that no second
    /// worker asks at the same time.
    fn longest_call(&self) -> Duration;

    /// The account at the gateway whose profiles these are. None if the gateway knows no such thing.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`GatewayError`]; also if it is not the account that the adapter was told to expect.
    async fn account(&self) -> Result<Option<AccountId>, GatewayError>;

    /// What the gateway says of a profile now. Absent only in the gateway's own words.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`GatewayError`].
    async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError>;

    /// Erases a profile, unless its data name another owner.
    ///
    /// **Idempotency:** again is [`GatewayOutcome::AlreadyAbsent`]. **Partial failure:** after
    /// [`GatewayError::Unknown`] it may be erased or not: ask for its state. **Cancel safety:** dropping the
    /// future leaves it erased or not. **Errors:** [`GatewayError`].
    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError>;

    /// What became of something that was accepted, and the gateway's next step of it, if it waits for one.
    ///
    /// **Idempotency:** again says the same, or what came of it since. **Partial failure:** none. **Cancel safety:**
    /// safe. **Errors:** [`GatewayError`].
    async fn poll(&self, receipt: &Receipt) -> Result<GatewayAnswer, GatewayError>;
}

macro_rules! forward_gateway {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: PaymentGatewayEraser + ?Sized> PaymentGatewayEraser for $pointer<T> {
            fn gateway(&self) -> &GatewayName {
                (**self).gateway()
            }

            fn longest_call(&self) -> Duration {
                (**self).longest_call()
            }

            async fn account(&self) -> Result<Option<AccountId>, GatewayError> {
                (**self).account().await
            }

            async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError> {
                (**self).state(profile).await
            }

            async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError> {
                (**self).erase(erasure).await
            }

            async fn poll(&self, receipt: &Receipt) -> Result<GatewayAnswer, GatewayError> {
                (**self).poll(receipt).await
            }
        }
    )*};
}

forward_gateway!(Arc, Box);

#[cfg(feature = "mock")]
mockall::mock! {
    /// A mock of [`PaymentGatewayEraser`], for a host's own unit tests.
    #[derive(Debug)]
    pub PaymentGatewayEraser {}

    #[async_trait]
    impl PaymentGatewayEraser for PaymentGatewayEraser {
        fn gateway(&self) -> &GatewayName;
        fn longest_call(&self) -> Duration;
        async fn account(&self) -> Result<Option<AccountId>, GatewayError>;
        async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError>;
        async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError>;
        async fn poll(&self, receipt: &Receipt) -> Result<GatewayAnswer, GatewayError>;
    }
}
