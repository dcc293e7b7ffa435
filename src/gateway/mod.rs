//! Payment gateways: the port [`PaymentGatewayEraser`], and an adapter in memory.
//!
//! A gateway holds profiles of the host's customers. To erase one there cannot be taken back, and at many
//! gateways ends running subscriptions on the spot; so the state is looked at right before, and an answer
//! that is not plain counts as a failure, never as a success.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::customer::CustomerId;
pub use crate::customer::{GatewayName, GatewayProfile, ProfileId};
use crate::name::open_name;

mod memory;

pub use memory::MemoryGateway;

open_name! {
    /// A gateway's own name for something it has accepted and will finish later.
    Receipt
}

/// What a gateway says of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileState {
    /// It is there.
    Present {
        /// The customer whom the gateway's own data name as its owner, if they name one.
        owner: Option<CustomerId>,
        /// Subscriptions that still run.
        active_subscriptions: u32,
    },
    /// It is not there, in the gateway's own words.
    Absent,
}

/// A profile to erase.
#[derive(Clone, Debug)]
pub struct ProfileErasure {
    /// Which one.
    pub profile: ProfileId,
    /// Whose it must be. A profile of somebody else's is [`GatewayOutcome::Blocked`].
    pub owner: CustomerId,
    /// The same for every try of the same erasure, for gateways that know such keys. Says nothing of the
    /// customer.
    pub idempotency_key: String,
}

/// What came of erasing a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayOutcome {
    /// It is erased.
    Erased,
    /// The gateway says that it was not there.
    AlreadyAbsent,
    /// The gateway will finish it later: ask with [`PaymentGatewayEraser::poll`].
    Accepted {
        /// By which name to ask.
        receipt: Receipt,
    },
    /// The gateway refuses for now.
    Blocked {
        /// Why, with nothing of the person in it.
        reason: String,
    },
    /// The gateway keeps something.
    Retained {
        /// What.
        what: String,
        /// Until when, if it says so.
        until: Option<NaiveDate>,
    },
}

impl std::fmt::Display for GatewayOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Erased => f.write_str("erased"),
            Self::AlreadyAbsent => f.write_str("was not there any more"),
            Self::Accepted { .. } => f.write_str("accepted, to be finished by the gateway"),
            Self::Blocked { reason } => write!(f, "refused: {reason}"),
            Self::Retained { what, until: Some(until) } => write!(f, "keeps {what} until {until}"),
            Self::Retained { what, until: None } => write!(f, "keeps {what}"),
        }
    }
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
    /// Not reached, or no answer in time. Whether the request took effect is not known.
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
    retry_after.map_or_else(String::new, |wait| format!(" in {} s", wait.as_secs()))
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
            Self::Unknown { .. } | Self::Refused { .. } => None,
        }
    }
}

/// A payment gateway from which profiles can be erased.
#[async_trait]
pub trait PaymentGatewayEraser: Debug + Send + Sync + 'static {
    /// Its name, as the policy and the data map spell it.
    fn gateway(&self) -> &GatewayName;

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
    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayOutcome, GatewayError>;

    /// What became of something that was accepted.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`GatewayError`].
    async fn poll(&self, receipt: &Receipt) -> Result<GatewayOutcome, GatewayError>;
}

macro_rules! forward_gateway {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: PaymentGatewayEraser + ?Sized> PaymentGatewayEraser for $pointer<T> {
            fn gateway(&self) -> &GatewayName {
                (**self).gateway()
            }

            async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError> {
                (**self).state(profile).await
            }

            async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayOutcome, GatewayError> {
                (**self).erase(erasure).await
            }

            async fn poll(&self, receipt: &Receipt) -> Result<GatewayOutcome, GatewayError> {
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
        async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError>;
        async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayOutcome, GatewayError>;
        async fn poll(&self, receipt: &Receipt) -> Result<GatewayOutcome, GatewayError>;
    }
}
