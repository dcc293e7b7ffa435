//! Telling whose else a record is, for repositories that can.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::customer::CustomerId;
use crate::data_map::Record;

/// A small port of its own: somebody who knows who else has a record. A data map in which several people may have a record takes
/// it: [`ByRecord::sharing`](super::ByRecord::sharing).
#[async_trait]
pub trait WhoShares: Debug + Send + Sync + 'static {
    /// Whether somebody else has each of these records as well, in order. The records are the customer's, of classes that
    /// [may be shared](crate::DataMap::shared_classes). A customer who has left, because the own record is gone or erased, is
    /// nobody any more, and so is the "Unknown Customer".
    ///
    /// A record of which the answer is yes stays with the others and is only searched for the customer who leaves; it is treated
    /// with the last one.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`StoreError`];
    /// nothing of the customer is erased then.
    async fn have_others(&self, customer: &CustomerId, records: &[Record]) -> Result<Vec<bool>, StoreError>;
}

#[async_trait]
impl<T: WhoShares + ?Sized> WhoShares for Arc<T> {
    async fn have_others(&self, customer: &CustomerId, records: &[Record]) -> Result<Vec<bool>, StoreError> {
        (**self).have_others(customer, records).await
    }
}
