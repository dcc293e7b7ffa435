//! Counting who shares what stays of a customer, for repositories that can.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::treatment::Group;

/// A small port of its own: somebody who counts customers that share what stays of one. A policy that demands a
/// smallest group takes it: [`ByRecord::counting`](super::ByRecord::counting).
#[async_trait]
pub trait CountGroups: Debug + Send + Sync + 'static {
    /// How many customers are in each group, in order: those of the group's tenant, erased ones included, the
    /// "Unknown Customer" not, whose own record [is in it](Group::has). A count may stop at
    /// [`least`](Group::least), and must never be too great.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`StoreError`];
    /// nothing is erased then.
    async fn count(&self, groups: &[Group]) -> Result<Vec<u64>, StoreError>;
}

#[async_trait]
impl<T: CountGroups + ?Sized> CountGroups for Arc<T> {
    async fn count(&self, groups: &[Group]) -> Result<Vec<u64>, StoreError> {
        (**self).count(groups).await
    }
}
