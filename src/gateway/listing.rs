//! The port for listing every profile of a gateway. It is used to find profiles that no customer is linked to.

use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{GatewayError, GatewayName, ProfileId};
use crate::customer::CustomerId;

/// What a listing says about a profile's subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscriptions {
    /// The numbers of active and ended subscriptions.
    Counted {
        /// Still run.
        active: u32,
        /// Have ended.
        ended: u32,
    },
    /// There is no subscription now. Ended subscriptions are not listed.
    NoneNow,
    /// It tells nothing.
    NotTold,
}

/// A profile as a gateway lists it. Its `Debug` shows no personal data.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedProfile {
    /// The gateway's own id.
    pub id: ProfileId,
    /// The customer named as the owner in the gateway's own data.
    pub owner: Option<CustomerId>,
    /// The e-mail address.
    pub email: Option<String>,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
    /// Its subscriptions.
    pub subscriptions: Subscriptions,
}

impl ListedProfile {
    /// A profile with only an id. Set the other fields if they are known.
    pub fn new(id: impl Into<ProfileId>) -> Self {
        Self { id: id.into(), owner: None, email: None, created: None, subscriptions: Subscriptions::NotTold }
    }
}

impl Debug for ListedProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListedProfile").field("subscriptions", &self.subscriptions).finish_non_exhaustive()
    }
}

/// A gateway whose profiles can be listed, or an export of a gateway.
#[async_trait]
pub trait ProfileListing: Debug + Send + Sync + 'static {
    /// The gateway's name, as the policy and the data map spell it.
    fn gateway(&self) -> &GatewayName;

    /// Begins a listing of all profiles.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe.
    /// **Errors:** [`GatewayError`].
    async fn list(&self) -> Result<Box<dyn ProfilePages>, GatewayError>;
}

/// A listing under way.
#[async_trait]
pub trait ProfilePages: Debug + Send {
    /// The next page of profiles, with a few hundred profiles at most. `None` when all were listed. A profile that
    /// exists during the whole listing is listed once. A profile that is added or removed in the meantime is listed
    /// once or not at all.
    ///
    /// **Idempotency:** each call gives the next page. After an error, call again. **Partial failure:** none.
    /// **Cancel safety:** the same page comes again. **Errors:** [`GatewayError`].
    async fn next(&mut self) -> Result<Option<Vec<ListedProfile>>, GatewayError>;
}

macro_rules! forward_listing {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: ProfileListing + ?Sized> ProfileListing for $pointer<T> {
            fn gateway(&self) -> &GatewayName {
                (**self).gateway()
            }

            async fn list(&self) -> Result<Box<dyn ProfilePages>, GatewayError> {
                (**self).list().await
            }
        }
    )*};
}

forward_listing!(Arc, Box);
