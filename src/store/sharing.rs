//! Finding the other owners of a record, for repositories that can.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::customer::CustomerId;
use crate::data_map::Record;

/// Tells whether a record has other owners. A data map with shared records needs this:
/// [`ByRecord::sharing`](super::ByRecord::sharing).
#[async_trait]
pub trait WhoShares: Debug + Send + Sync + 'static {
    /// Whether each of these records also has another owner, in order. The records belong to the customer, and their
    /// classes [may be shared](crate::DataMap::shared_classes). A customer whose own record is deleted or erased does
    /// not count as an owner. Neither does the "Unknown Customer".
    ///
    /// A record with another owner stays, and its texts are only searched for the customer who is erased. The record
    /// is treated with its last owner.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`StoreError`];
    /// then nothing of the customer is erased.
    async fn have_others(&self, customer: &CustomerId, records: &[Record]) -> Result<Vec<bool>, StoreError>;
}

#[async_trait]
impl<T: WhoShares + ?Sized> WhoShares for Arc<T> {
    async fn have_others(&self, customer: &CustomerId, records: &[Record]) -> Result<Vec<bool>, StoreError> {
        (**self).have_others(customer, records).await
    }
}
