//! Counting the customers who share the kept values of one customer, for repositories that can.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::treatment::Group;

/// Counts the customers who share the kept values of one customer. A policy with a smallest group needs this:
/// [`ByRecord::counting`](super::ByRecord::counting).
#[async_trait]
pub trait CountGroups: Debug + Send + Sync + 'static {
    /// The number of customers in each group, in order. Count the customers of the group's tenant whose own record
    /// [is in the group](Group::has). Include erased customers, but not the "Unknown Customer". A count may stop at
    /// [`least`](Group::least), and must never be too high.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`StoreError`];
    /// then nothing is erased.
    async fn count(&self, groups: &[Group]) -> Result<Vec<u64>, StoreError>;
}

#[async_trait]
impl<T: CountGroups + ?Sized> CountGroups for Arc<T> {
    async fn count(&self, groups: &[Group]) -> Result<Vec<u64>, StoreError> {
        (**self).count(groups).await
    }
}
