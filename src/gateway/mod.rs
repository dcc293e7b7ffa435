//! Payment gateways: the port [`PaymentGatewayEraser`], and an adapter in memory.
//!
//! A gateway has profiles of the host's customers. The erasure of a profile cannot be undone, and at many gateways it
//! ends active subscriptions at once. So the engine reads the state of the profile right before. An unclear answer
//! counts as a failure, never as a success.
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

/// The state of a profile at a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileState {
    /// It is there.
    Present(ProfileFacts),
    /// The gateway says explicitly that the profile does not exist.
    Absent,
}

/// The facts about an existing profile. A number is 0 if the gateway does not have such items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileFacts {
    /// The customer named as the owner in the gateway's own data, if any.
    pub owner: Option<CustomerId>,
    /// Subscriptions that still run.
    pub active_subscriptions: u32,
    /// Subscriptions that have ended.
    pub ended_subscriptions: u32,
    /// The number of disputes that are not settled yet.
    pub open_disputes: u32,
    /// The number of unpaid invoices.
    pub unpaid_invoices: u32,
}

impl ProfileFacts {
    /// A profile with this number of active subscriptions. Set the other fields if they are known.
    pub fn new(owner: Option<CustomerId>, active_subscriptions: u32) -> Self {
        Self { owner, active_subscriptions, ..Self::default() }
    }
}

/// A profile to erase.
#[derive(Clone, Debug)]
pub struct ProfileErasure {
    /// Which one.
    pub profile: ProfileId,
    /// The expected owner. If the profile names another owner, the answer is [`GatewayOutcome::Blocked`]. With
    /// `None`, the profile must not name an owner.
    pub owner: Option<CustomerId>,
    /// The idempotency key, for gateways that support such keys. It is the same for every attempt of the same
    /// erasure, and reveals nothing about the customer.
    pub idempotency_key: String,
}

/// An error of a gateway. Its texts contain no value of a customer and no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The gateway is busy, or gets too many requests.
    #[error("gateway {gateway} is busy; it can be tried again{}", after(*.retry_after))]
    Busy {
        /// The gateway.
        gateway: GatewayName,
        /// The pause for which the gateway asks.
        retry_after: Option<Duration>,
    },
    /// The circuit breaker is open, because the gateway failed to answer several times in a row. Nothing was sent.
    #[error("gateway {gateway} does not answer, so no requests are sent for now; it can be tried again{}", after(Some(*.retry_after)))]
    Paused {
        /// The gateway.
        gateway: GatewayName,
        /// After how long.
        retry_after: Duration,
    },
    /// There is no connection. Nothing was sent.
    #[error("gateway {gateway} cannot be reached; check its address and the network")]
    Unreachable {
        /// The gateway.
        gateway: GatewayName,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There was no valid answer in time. It is unknown whether the request took effect.
    #[error("gateway {gateway} gave no valid answer; it is unknown whether the request took effect")]
    Unknown {
        /// The gateway.
        gateway: GatewayName,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The gateway refuses, and will refuse again: a wrong key, a missing permission, a malformed request.
    #[error("gateway {gateway} refuses: {what}")]
    Refused {
        /// The gateway.
        gateway: GatewayName,
        /// What has to be corrected.
        what: String,
    },
}

fn after(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| format!(" in {} s", wait.as_secs().max(1)))
}

impl GatewayError {
    /// Whether the same call may succeed later, although nobody changes anything.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }

    /// The pause for which the gateway asks.
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
    /// The gateway's name, as the policy and the data map spell it.
    fn gateway(&self) -> &GatewayName;

    /// The longest duration of one call of [`erase`](Self::erase) or [`poll`](Self::poll), the adapter's own waits
    /// and retries included. A call is begun only if the worker's lease lasts longer, so that no second worker calls
    /// at the same time.
    fn longest_call(&self) -> Duration;

    /// The account at the gateway to which the profiles belong. `None` if the gateway has no accounts.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`GatewayError`].
    /// Also an error if it is not the expected account.
    async fn account(&self) -> Result<Option<AccountId>, GatewayError>;

    /// The present state of a profile. The answer is [`ProfileState::Absent`] only if the gateway says so explicitly.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`GatewayError`].
    async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError>;

    /// Erases a profile, unless the gateway's data name another owner.
    ///
    /// **Idempotency:** a repeated call answers [`GatewayOutcome::AlreadyAbsent`]. **Partial failure:** after
    /// [`GatewayError::Unknown`] the profile may be erased or not: ask for its state. **Cancel safety:** after the
    /// future was dropped, the profile may be erased or not. **Errors:** [`GatewayError`].
    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError>;

    /// Asks for the state of a task that the gateway accepted. If the task waits for a further request, this call
    /// sends it.
    ///
    /// **Idempotency:** a repeated call gives the same answer, or a later one. **Partial failure:** none. **Cancel
    /// safety:** safe. **Errors:** [`GatewayError`].
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
