//! Looks at personal values: the host hears of each before it happens.

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use relinquish::data_map::Kind;
use relinquish::plan::OperatorId;
use relinquish::request::RequestId;
use relinquish::{CustomerId, TenantId};

/// Whose values are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shown {
    /// The names and addresses of a customer.
    Customer {
        /// The customer.
        customer: CustomerId,
        /// The customer's tenant.
        tenant: TenantId,
        /// The kinds of values.
        kinds: Vec<Kind>,
    },
    /// The address in a request of a person who is no customer.
    Request {
        /// The request.
        request: RequestId,
    },
}

/// One look at personal values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Access {
    /// Who looks.
    pub operator: OperatorId,
    /// When.
    pub at: DateTime<Utc>,
    /// At whose values.
    pub shown: Shown,
}

/// The host refused the look, or could not record it.
#[derive(Debug, thiserror::Error)]
#[error("the look at personal values could not be recorded, so nothing is shown: {0}")]
pub struct NotRecorded(pub String);

/// The host's own log of looks at personal values.
#[async_trait]
pub trait AccessLog: Debug + Send + Sync + 'static {
    /// Records a look. The values are shown only after this has succeeded.
    ///
    /// **Idempotency:** none; a page that is opened again is another look. **Partial failure:** none. **Cancel safety:**
    /// the look may be recorded, and nothing is shown. **Errors:** [`NotRecorded`], and nothing is shown.
    async fn record(&self, access: &Access) -> Result<(), NotRecorded>;
}

#[async_trait]
impl<T: AccessLog + ?Sized> AccessLog for std::sync::Arc<T> {
    async fn record(&self, access: &Access) -> Result<(), NotRecorded> {
        (**self).record(access).await
    }
}
