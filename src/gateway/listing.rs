//! A small port of its own: listing every profile of a gateway, to find those that nobody linked.

use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{GatewayError, GatewayName, ProfileId};
use crate::customer::CustomerId;

/// What a listing tells of a profile's subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscriptions {
    /// So many still run, and so many have ended.
    Counted {
        /// Still run.
        active: u32,
        /// Have ended.
        ended: u32,
    },
    /// It tells that there is none now, and nothing of those that were.
    NoneNow,
    /// It tells nothing.
    NotTold,
}

/// A profile as a gateway lists it. Its `Debug` shows nobody.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedProfile {
    /// The gateway's own id.
    pub id: ProfileId,
    /// The customer whom the gateway's own data name as its owner.
    pub owner: Option<CustomerId>,
    /// The e-mail address.
    pub email: Option<String>,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
    /// Its subscriptions.
    pub subscriptions: Subscriptions,
}

impl ListedProfile {
    /// A profile of which only the id is told. Set the fields that say more.
    pub fn new(id: impl Into<ProfileId>) -> Self {
        Self { id: id.into(), owner: None, email: None, created: None, subscriptions: Subscriptions::NotTold }
    }
}

impl Debug for ListedProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListedProfile").field("subscriptions", &self.subscriptions).finish_non_exhaustive()
    }
}

/// A gateway, or an export of one, whose profiles can be listed.
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
    /// The next profiles, some hundred at most; none when all were listed. A profile that is there from beginning to
    /// end is listed once; one that comes or goes meanwhile, once or not at all.
    ///
    /// **Idempotency:** goes on where it was; after an error it can be asked again. **Partial failure:** none. **Cancel
    /// safety:** the same page comes again. **Errors:** [`GatewayError`].
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
